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

.PHONY: help setup run up env check-image test lint bench bench-long bench-kill bench-backfill clean eval-extract eval-dates eval-text \
	eval-language eval-duplicates eval-ner eval-search train-ner

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

check-image: setup ## Take the Dockerfile's steps in a clean folder, without an engine
	@PATH="$(CURDIR)/.uv/bin:$$PATH" docker/check-image.sh

test: setup lint ## Check types and style, run all tests
	.venv/bin/pytest -m "not shared" -n 2 --dist loadfile

lint: setup ## Check types and style only
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy

DEVELOPMENT_SET ?= ../shared/extract
CORPORA ?= ../shared/ner
PAGES ?= $(or $(wildcard $(DEVELOPMENT_SET)/html),config/samples)

bench: setup ## Measure 2,000 of PAGES through the whole pipeline, on one and two cores, and others on them
	.venv/bin/python -m benchmarks.throughput $(PAGES)

bench-long: setup ## Watch the memory over 20,000 of PAGES
	.venv/bin/python -m benchmarks.throughput $(PAGES) --long

bench-kill: setup ## Kill scheduler, task and Elasticsearch, ten rounds over 3,000 articles; compare with an undisturbed run (an hour)
	.venv/bin/python benchmarks/killing.py

bench-backfill: setup ## Bring back 30 days by Airflow's form, in Chromium, and by the command; compare (half an hour)
	.venv/bin/python benchmarks/backfill.py

eval-extract: setup ## Score extraction and dates on DEVELOPMENT_SET, against trafilatura and peers
	$(UV) run --frozen --group eval --with news-please==1.6.16 python -m benchmarks.eval_extract $(DEVELOPMENT_SET)

eval-dates: setup ## Score dates on DEVELOPMENT_SET, by the source they came from
	.venv/bin/python -m benchmarks.eval_extract $(DEVELOPMENT_SET) --dates

eval-text: setup ## Score the cleaner of plain text on its own cases
	.venv/bin/python -m benchmarks.eval_extract tests/data/plaintext --plain-text

eval-language: setup ## Score language detection
	.venv/bin/python -m benchmarks.eval_language

eval-duplicates: setup ## Score near-copy detection
	.venv/bin/python -m benchmarks.eval_duplicates

eval-ner: setup ## Score the entity models
	.venv/bin/python -m benchmarks.eval_ner --articles 2000
	.venv/bin/python -m benchmarks.eval_ner_languages
	.venv/bin/python -m benchmarks.eval_documents

eval-search: setup ## Score the ranking
	.venv/bin/python -m benchmarks.eval_search

# In an environment of its own: it holds PyTorch, which spaCy would load wherever it finds it.
TRAIN = UV_PROJECT_ENVIRONMENT=.venv-training $(UV) run --frozen --group training python -m
MODELS = pipeline/enrich/models

train-ner: setup ## Train the entity models from CORPORA in build/ner (hours)
	$(TRAIN) training.gazetteer
	mkdir -p build/ner
	$(TRAIN) training.train_transformer $(CORPORA) build/ner/accurate --epochs 2
	$(TRAIN) training.package_transformer build/ner/accurate $(CORPORA) $(MODELS)/en_news_acc
	$(TRAIN) training.train_student $(CORPORA) build/ner/accurate build/ner/small --epochs 2
	$(TRAIN) training.package_transformer build/ner/small $(CORPORA) $(MODELS)/en_news_sm
	$(TRAIN) training.train_multilingual $(CORPORA) build/ner/other
	$(TRAIN) training.card_multilingual build/ner/other $(CORPORA) $(MODELS)/xx_news_sm

clean: ## Remove what was installed and built here; NEWS_HOME is left alone
	rm -rf .venv .venv-training .uv .cache .mypy_cache .ruff_cache .pytest_cache dist
