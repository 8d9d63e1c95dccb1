# One image for everything of this project: Airflow with the DAGs, and the news command.
FROM python:3.12-slim

ENV PYTHONUNBUFFERED=1 UV_COMPILE_BYTECODE=1 UV_LINK_MODE=copy \
    AIRFLOW_HOME=/var/lib/news/airflow NEWS_HOME=/var/lib/news NEWS_CONFIG=/opt/news/config \
    PATH=/opt/news/.venv/bin:$PATH

RUN pip install --no-cache-dir "uv>=0.9" \
    && useradd --create-home --uid 50000 news \
    && mkdir -p /var/lib/news/airflow && chown -R news /var/lib/news

WORKDIR /opt/news
COPY pyproject.toml uv.lock README.md ./
RUN uv sync --frozen --no-dev --no-install-project --extra postgres --extra celery
COPY pipeline pipeline
COPY dags dags
COPY plugins plugins
COPY config config
RUN uv sync --frozen --no-dev --no-editable --extra postgres --extra celery

USER news
CMD ["news", "--help"]
