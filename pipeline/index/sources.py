"""Sources' health: one document per source, rewritten after each run that asked it. Needs ``templates.set_up``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from elasticsearch import Elasticsearch

from pipeline.index.client import call
from pipeline.index.documents import iso
from pipeline.index.templates import Names
from pipeline.models import Source, Tally

SourceStatus = Literal["ok", "failing"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceReport:
    """One source as a run found it: its entry, what it brought, and how it has fared over time."""

    source: Source
    run_id: str
    at: datetime
    tally: Tally
    last_success_at: datetime | None = None
    last_article_at: datetime | None = None
    next_poll_at: datetime | None = None
    articles_per_day: float | None = None
    consecutive_failures: int = 0
    error: str | None = None
    reason: str | None = None

    @property
    def status(self) -> SourceStatus:
        """``failing`` while the source itself can't be read."""
        return "failing" if self.error else "ok"


def put(client: Elasticsearch, reports: Sequence[SourceReport], *, prefix: str = "news") -> None:
    """Store reports, each in the place of the source's earlier one, whose dates stay where this one has none."""
    if not reports:
        return
    index = Names(prefix).sources
    ids = [report.source.id for report in reports]
    known = call(lambda: client.mget(index=index, ids=ids))["docs"]
    operations: list[Mapping[str, Any]] = []
    for report, before in zip(reports, known, strict=True):
        operations.append({"index": {"_id": report.source.id}})
        operations.append(to_source(report, before.get("_source") or {}))
    call(lambda: client.bulk(index=index, operations=operations, refresh=True))


def to_source(report: SourceReport, before: Mapping[str, Any]) -> dict[str, Any]:
    """The document of a report, with what ``before`` knew and this one doesn't."""
    source = report.source
    document = {
        "@timestamp": iso(report.at),
        "source": {
            "id": source.id,
            "kind": source.kind.value,
            "name": source.name or source.id,
            "location": source.location,
            "tags": list(source.tags),
            "language": source.language,
            "country": source.country,
            "enabled": source.enabled,
        },
        "status": report.status,
        "last_success_at": _iso(report.last_success_at) or before.get("last_success_at"),
        "last_failure_at": iso(report.at) if report.error else before.get("last_failure_at"),
        "last_article_at": _iso(report.last_article_at) or before.get("last_article_at"),
        "next_poll_at": _iso(report.next_poll_at),
        "articles_per_day": report.articles_per_day,
        "consecutive_failures": report.consecutive_failures,
        "run": {"id": report.run_id},
        "discovered": report.tally.discovered,
        "outcomes": {kind.value: count for kind, count in report.tally.outcomes.items()},
        "reason": report.reason,
        "error": {"message": report.error} if report.error else None,
    }
    return {key: value for key, value in document.items() if value is not None}


def _iso(time: datetime | None) -> str | None:
    return iso(time) if time else None
