# The two commands of the README are `make run` and `make test`. Everything is installed into .venv by uv,
# at the versions in uv.lock; uv itself goes into .uv where the machine has none.

.DEFAULT_GOAL := help
SHELL := /bin/bash
UV := $(shell command -v uv || echo .uv/bin/uv)
PYTHON := $(shell for p in python3 python3.13 python3.12 python3.11; do \
	"$$p" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null && echo "$$p" && break; done)

# Trust what the machine trusts (company networks have certificates of their own); the second is uv's older name for it.
export UV_SYSTEM_CERTS ?= true
export UV_NATIVE_TLS ?= true

.PHONY: help setup run up env test lint bench clean

help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

setup: .venv/installed ## Install everything into .venv

.venv/installed: pyproject.toml uv.lock | $(UV)
	@echo "Installing the locked packages into .venv …"
	@$(UV) sync --frozen --quiet $(if $(PYTHON),--python $(PYTHON))
	@touch $@

.uv/bin/uv:
	@test -n "$(PYTHON)" || { echo "Python 3.11, 3.12 or 3.13 is needed and none was found."; exit 1; }
	@echo "uv is missing; installing it into .uv …"
	@$(PYTHON) -m venv .uv || { echo "python3 -m venv does not work; on Debian: apt-get install python3-venv"; exit 1; }
	@.uv/bin/pip install --quiet --disable-pip-version-check 'uv>=0.9'

run: setup ## Ingest the samples through Airflow and search them (a first run takes a few minutes)
	@.venv/bin/news demo

up: setup ## Keep Elasticsearch and Airflow running, on schedule, until Ctrl-C
	@exec .venv/bin/news up

env: ## Write .env with random secrets for docker compose
	@bash docker/make-env.sh

test: setup lint ## Check types and style, run all tests
	.venv/bin/pytest -m "not shared"

lint: setup ## Check types and style only
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy

clean: ## Remove what was installed and built here; NEWS_HOME is left alone
	rm -rf .venv .uv .cache .mypy_cache .ruff_cache .pytest_cache dist
