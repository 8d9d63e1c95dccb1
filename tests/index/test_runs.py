"""Run reports in the index."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from elasticsearch import Elasticsearch
from indexing.articles import NOON

from pipeline.index import runs
from pipeline.index.runs import RunReport
from pipeline.models import OutcomeKind, Tally

REPORT = RunReport(
    id="manual__2024-05-01T12:00:00+00:00",
    kind="ingest",
    status="succeeded",
    started_at=NOON,
    finished_at=NOON + timedelta(minutes=3),
    tally=Tally(
        discovered=7,
        outcomes={OutcomeKind.INDEXED: 4, OutcomeKind.REJECTED: 2, OutcomeKind.FAILED: 1},
        reasons={"rejected(too_short)": 2, "failed(timeout)": 1},
    ),
    sources=("one", "two"),
    seconds={"fetch": 12.5, "index": 0.75, "total": 20.0},
    entities_model="en_core_web_sm 3.8.0",
)


def test_a_report_comes_back_whole(client: Elasticsearch, installation: str) -> None:
    """What a run counted can be read again, number for number."""
    runs.put(client, REPORT, prefix=installation)
    held = runs.get(client, REPORT.id, prefix=installation)
    assert held is not None
    assert held.tally.as_dict() == REPORT.tally.as_dict()
    assert replace(held, tally=REPORT.tally) == REPORT
    assert runs.get(client, "nobody's", prefix=installation) is None


def test_a_run_has_one_report(client: Elasticsearch, installation: str) -> None:
    """The report of a running run is replaced by that of its end."""
    running = RunReport(id="r2", kind="ingest", status="running", started_at=NOON + timedelta(hours=1))
    runs.put(client, running, prefix=installation)
    (held,) = runs.reports(client, status="running", prefix=installation)
    assert (held.id, held.finished_at, held.tally.discovered) == ("r2", None, 0)
    failed = replace(running, status="failed", error="three batches are missing", error_type="UnbalancedRunError")
    runs.put(client, failed, prefix=installation)
    (held,) = runs.reports(client, status="failed", prefix=installation)
    assert held.error == "three batches are missing"
    assert runs.reports(client, status="running", prefix=installation) == []


def test_reports_come_newest_first(client: Elasticsearch, installation: str) -> None:
    """The latest runs are at the top, and can be narrowed to a kind."""
    for number in range(3):
        report = replace(REPORT, id=f"n{number}", kind="reindex", started_at=NOON + timedelta(days=number))
        runs.put(client, report, prefix=installation)
    assert [report.id for report in runs.reports(client, kind="reindex", limit=2, prefix=installation)] == ["n2", "n1"]


def test_counts_can_be_summed(client: Elasticsearch, installation: str) -> None:
    """Outcomes are numbers, so that Kibana can add them up over runs."""
    runs.put(client, replace(REPORT, id="sum", kind="summed"), prefix=installation)
    response = client.search(
        index=f"{installation}-runs",
        query={"term": {"run.kind": "summed"}},
        aggregations={"indexed": {"sum": {"field": "outcomes.indexed"}}},
    )
    assert response["aggregations"]["indexed"]["value"] == 4
