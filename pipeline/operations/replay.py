"""Replay: what stands in the quarantine is tried again, by itself with growing pauses, or when somebody asks.

A replay is a run of its own. What succeeds leaves the quarantine; what fails again stays and counts one attempt more.
After ``quarantine.attempts`` failures an entry is left for a person.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from pipeline.errors import Reason
from pipeline.index import quarantine
from pipeline.index.quarantine import Entry
from pipeline.models import ArticleRef, Source
from pipeline.run import Services, run_now
from pipeline.schedule import RunRequest
from pipeline.settings import QuarantineSettings

KIND = "quarantine retry"

_GROWTH = 4
_MOST = 10_000


def next_retry_at(entry: Entry, settings: QuarantineSettings) -> datetime | None:
    """When an entry is tried again by itself; None where it is left for a person. Pure."""
    if entry.attempts >= settings.attempts:
        return None
    pause = timedelta(hours=settings.first_pause_hours * float(_GROWTH ** (entry.attempts - 1)))
    return entry.last_failed_at + pause


def entries(
    services: Services,
    *,
    reason: Reason | None = None,
    source: str | None = None,
    since: datetime | None = None,
    limit: int = _MOST,
) -> list[Entry]:
    """Entries with this reason, of this source, that failed last at or after ``since``; newest first."""
    found = quarantine.entries(
        services.elasticsearch, source=source, reason=reason, limit=limit, prefix=services.prefix
    )
    return [entry for entry in found if since is None or entry.last_failed_at >= since]


def find(services: Services, what: str) -> list[Entry]:
    """The entries with this id, URL or path."""
    by_id = quarantine.get(services.elasticsearch, what, prefix=services.prefix)
    return [by_id] if by_id else [entry for entry in entries(services) if entry.ref.name == what]


def due_entries(found: Iterable[Entry], settings: QuarantineSettings, now: datetime) -> list[Entry]:
    """Those whose pause is over, the longest waiting first, as many as are tried again in one go. Pure."""
    due = [(when, entry) for entry in found if (when := next_retry_at(entry, settings)) is not None and when <= now]
    return [entry for _, entry in sorted(due, key=lambda pair: (pair[0], pair[1].id))][: settings.articles]


def references(chosen: Iterable[Entry]) -> list[ArticleRef]:
    """What a run has to work on to try these entries again: from the archive where their record is there. Pure."""
    return [replace(entry.ref, archived=entry.archived) for entry in chosen]


def retry(
    services: Services,
    chosen: Sequence[Entry],
    sources: Sequence[Source],
    *,
    planned: Callable[[int], None] = lambda _: None,
    progress: Callable[[int], None] = lambda _: None,
) -> dict[str, Any]:
    """Try entries again now; returns the run's report."""
    return run_now(
        services,
        RunRequest(source_ids=()),
        sources,
        kind=KIND,
        references=references(chosen),
        fetch_again=True,
        planned=planned,
        progress=progress,
    )


def retry_due(services: Services, sources: Sequence[Source]) -> dict[str, Any] | None:
    """Try again what is due by now; the run's report, or None where nothing is."""
    chosen = due_entries(entries(services), services.settings.quarantine, services.now())
    return retry(services, chosen, sources) if chosen else None
