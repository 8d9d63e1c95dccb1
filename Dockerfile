# One image for everything of this project: Airflow with the DAGs, and the news command.
# docker/check-image.sh takes these steps in a clean folder, without an engine.
FROM python:3.12-slim

# What is installed beside the rest; docs/operations.md says which are needed where.
ARG EXTRAS="postgres celery s3 metrics"

ENV PYTHONUNBUFFERED=1 UV_COMPILE_BYTECODE=1 UV_LINK_MODE=copy \
    AIRFLOW_HOME=/var/lib/news/airflow NEWS_HOME=/var/lib/news NEWS_CONFIG=/opt/news/config \
    PATH=/opt/news/.venv/bin:$PATH

# Debian has a user and a group named news of its own.
RUN pip install --no-cache-dir "uv>=0.9" \
    && groupadd --gid 50000 pipeline \
    && useradd --create-home --uid 50000 --gid 50000 pipeline \
    && mkdir -p /var/lib/news/airflow && chown -R pipeline: /var/lib/news

WORKDIR /opt/news
COPY pyproject.toml uv.lock README.md ./
RUN uv sync --frozen --no-dev --no-install-project $(printf -- '--extra %s ' $EXTRAS)
COPY pipeline pipeline
COPY dags dags
COPY plugins plugins
COPY config config
RUN uv sync --frozen --no-dev --no-editable $(printf -- '--extra %s ' $EXTRAS)

USER pipeline
CMD ["news", "--help"]
