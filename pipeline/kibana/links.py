"""Addresses of dashboards in Kibana, for pages that lead there. Pure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from urllib.parse import quote

from pipeline.kibana.charts import Is, kql
from pipeline.kibana.objects import Target


def dashboards(kibana: str) -> str:
    """The list of dashboards of a Kibana."""
    return f"{kibana.rstrip('/')}/app/dashboards"


def run_dashboard(kibana: str, run_id: str, *, since: datetime, until: datetime, prefix: str = "news") -> str:
    """The ingestion dashboard in the time of one run, with the run searched for.

    Kibana's state stands in the address, in Rison (github.com/Nanonid/rison).
    """
    margin = timedelta(minutes=1)
    start, end = (moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") for moment in (since - margin, until + margin))
    span = f"(time:(from:{_text(start)},to:{_text(end)}))"
    query = f"(query:(language:kuery,query:{_text(kql(Is('run.id', (run_id,))))}))"
    id_ = Target(prefix=prefix).id("ingestion")
    return f"{dashboards(kibana)}#/view/{quote(id_)}?_g={quote(span, safe='')}&_a={quote(query, safe='')}"


def _text(value: str) -> str:
    return "'" + value.replace("!", "!!").replace("'", "!'") + "'"
