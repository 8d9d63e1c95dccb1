"""Run reports: one document per run, rewritten until the run has ended. Needs ``templates.set_up``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from elasticsearch import Elasticsearch, NotFoundError

from pipeline.index.client import call
from pipeline.index.documents import iso
from pipeline.index.templates import Names
from pipeline.models import OutcomeKind, Tally

Status = Literal["running", "succeeded", "partial", "failed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunReport:
    """What a run did. ``seconds`` holds the time spent in each stage, and ``total``."""

    id: str
    kind: str
    status: Status
    started_at: datetime
    finished_at: datetime | None = None
    tally: Tally = field(default_factory=Tally)
    sources: tuple[str, ...] = ()
    seconds: Mapping[str, float] = field(default_factory=dict)
    entities_model: str | None = None
    error_type: str | None = None
    error: str | None = None


def put(client: Elasticsearch, report: RunReport, *, prefix: str = "news", wait_seconds: float = 60) -> None:
    """Store a report, in the place of an earlier one with the same id. Searchable when this returns."""
    index, source = Names(prefix).runs, to_source(report)
    call(lambda: client.index(index=index, id=report.id, document=source, refresh=True), wait_seconds=wait_seconds)


def get(client: Elasticsearch, run_id: str, *, prefix: str = "news") -> RunReport | None:
    """The report of a run, or None."""
    index = Names(prefix).runs

    def fetch() -> RunReport | None:
        try:
            return from_source(client.get(index=index, id=run_id)["_source"])
        except NotFoundError:
            return None

    return call(fetch)


def reports(
    client: Elasticsearch,
    *,
    kind: str | None = None,
    status: Status | None = None,
    limit: int = 20,
    prefix: str = "news",
) -> list[RunReport]:
    """The latest reports, newest first (at most 10,000)."""
    wanted = {"run.kind": kind, "run.status": status}
    filters = [{"term": {name: value}} for name, value in wanted.items() if value is not None]
    index = Names(prefix).runs
    response = call(
        lambda: client.search(
            index=index,
            ignore_unavailable=True,
            query={"bool": {"filter": filters}},
            sort=[{"@timestamp": "desc"}, {"run.id": "desc"}],
            size=min(limit, 10_000),
        )
    )
    return [from_source(hit["_source"]) for hit in response["hits"]["hits"]]


def to_source(report: RunReport) -> dict[str, Any]:
    """The report as Elasticsearch keeps it."""
    source: dict[str, Any] = {
        "@timestamp": iso(report.started_at),
        "run": {"id": report.id, "kind": report.kind, "status": report.status},
        "event": {"start": iso(report.started_at)},
        "discovered": report.tally.discovered,
        "outcomes": {kind.value: report.tally.count(kind) for kind in OutcomeKind},
        "reasons": [{"reason": reason, "count": count} for reason, count in sorted(report.tally.reasons.items())],
        "sources": list(report.sources),
        "seconds": dict(report.seconds),
    }
    if report.finished_at is not None:
        source["event"]["end"] = iso(report.finished_at)
    if report.entities_model is not None:
        source["entities_model"] = report.entities_model
    error = {"type": report.error_type, "message": report.error}
    if stated := {key: value for key, value in error.items() if value is not None}:
        source["error"] = stated
    return source


def from_source(source: Mapping[str, Any]) -> RunReport:
    """The inverse of ``to_source``."""
    end, error = source["event"].get("end"), source.get("error", {})
    return RunReport(
        id=source["run"]["id"],
        kind=source["run"]["kind"],
        status=source["run"]["status"],
        started_at=datetime.fromisoformat(source["event"]["start"]),
        finished_at=datetime.fromisoformat(end) if end else None,
        tally=Tally(
            discovered=source["discovered"],
            outcomes={OutcomeKind(kind): count for kind, count in source["outcomes"].items()},
            reasons={item["reason"]: item["count"] for item in source["reasons"]},
        ),
        sources=tuple(source["sources"]),
        seconds=source["seconds"],
        entities_model=source.get("entities_model"),
        error_type=error.get("type"),
        error=error.get("message"),
    )
