"""What is remembered of a source between runs: validators, what was seen, health, when to ask again.

One JSON file a source. A run stages what it learned while it discovers, and commits it when its articles have
been dealt with: a run that dies in between leaves the old state, and the next run is told everything again.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from pipeline.errors import Reason
from pipeline.models import ItemResult, OutcomeKind
from pipeline.urls import canonicalize, document_id

MIN_INTERVAL = timedelta(minutes=5)
MAX_INTERVAL = timedelta(days=1)
_SEEN_LIMIT = 50_000
_DAYS_KEPT = 14


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceState:
    """One source as it was when last asked.

    ``etag``, ``last_modified`` and ``body_hash`` are the listing's. ``seen`` are the ids of what it named lately,
    with a fingerprint of what it said of each. ``positions`` maps files (WARC, sitemaps) to how far they are done.
    Times are ISO 8601 UTC.
    """

    etag: str | None = None
    last_modified: str | None = None
    body_hash: str | None = None
    seen: tuple[tuple[str, str], ...] = ()
    positions: tuple[tuple[str, str], ...] = ()
    interval_seconds: float = 3600
    next_poll: str | None = None
    last_attempt: str | None = None
    last_success: str | None = None
    last_new: str | None = None
    error_streak: int = 0
    last_error: str | None = None
    per_day: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceHealth:
    """The health of a source, as shown to operators."""

    source_id: str
    last_attempt: datetime | None
    last_success: datetime | None
    last_new_article: datetime | None
    error_streak: int
    last_error: str | None
    next_poll: datetime | None
    interval_seconds: float
    articles_per_day: float


class StateStore:
    """The states of all sources, as files below one directory. Safe to share between processes."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def read(self, source_id: str) -> SourceState:
        """The committed state, or a fresh one for a source never asked (or whose file is damaged)."""
        return self._load(self._path(source_id))

    def stage(self, source_id: str, state: SourceState) -> None:
        """Keep what a discovery learned, without it counting yet."""
        self._write(self._path(source_id, staged=True), state)

    def commit(self, source_id: str, *, retry: Collection[str] = ()) -> SourceState:
        """Make the staged state count, once the run has dealt with what the source named.

        ``retry`` are the document ids that could not be fetched this time but may be next time (``ids_to_retry``): they
        count as never seen, and the listing is read again even if it does not change. Nothing happens where nothing is
        staged.
        """
        staged_path = self._path(source_id, staged=True)
        if not staged_path.exists():
            return self.read(source_id)
        state = self._load(staged_path)
        if retry:
            seen = tuple((id_, mark) for id_, mark in state.seen if id_ not in retry)
            positions = self.read(source_id).positions
            state = replace(state, etag=None, last_modified=None, body_hash=None, positions=positions, seen=seen)
        self._write(self._path(source_id), state)
        staged_path.unlink(missing_ok=True)
        return state

    def record_failure(self, source_id: str, message: str, now: datetime) -> SourceState:
        """Note that a source could not be read, and ask it less often the longer that lasts."""
        before = self.read(source_id)
        streak = before.error_streak + 1
        pause = min(MAX_INTERVAL, timedelta(seconds=before.interval_seconds) * 2 ** min(streak - 1, 10))
        state = replace(
            before,
            last_attempt=now.isoformat(),
            error_streak=streak,
            last_error=message[:500],
            next_poll=(now + pause).isoformat(),
        )
        self._write(self._path(source_id), state)
        self._path(source_id, staged=True).unlink(missing_ok=True)
        return state

    def forget(self, source_id: str) -> None:
        """Start anew with a source: everything it names counts as new again."""
        self._path(source_id).unlink(missing_ok=True)
        self._path(source_id, staged=True).unlink(missing_ok=True)

    def health(self, source_id: str) -> SourceHealth:
        """The health of a source from its committed state."""
        return health_of(source_id, self.read(source_id))

    def _path(self, source_id: str, *, staged: bool = False) -> Path:
        return self._directory / f"{source_id}{'.staged' if staged else ''}.json"

    def _load(self, path: Path) -> SourceState:
        try:
            raw: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            known = {key: value for key, value in raw.items() if key in SourceState.__dataclass_fields__}
            known["seen"] = tuple((str(k), str(v)) for k, v in known.get("seen", ()))
            known["positions"] = tuple((str(k), str(v)) for k, v in known.get("positions", ()))
            known["per_day"] = tuple((str(k), int(v)) for k, v in known.get("per_day", ()))
            return SourceState(**known)
        except (OSError, ValueError, TypeError):
            # A lost or damaged state costs one more reading of the listing, never an article.
            return SourceState()

    def _write(self, path: Path, state: SourceState) -> None:
        self._directory.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f"{path.name}.{os.getpid()}")
        temporary.write_text(json.dumps(asdict(state)), encoding="utf-8")
        temporary.replace(path)


_MAY_PASS = frozenset(
    {
        Reason.DNS,
        Reason.CONNECTION,
        Reason.TIMEOUT,
        Reason.HTTP_429,
        Reason.HTTP_5XX,
        Reason.HOST_RESTING,
        Reason.ROBOTS_UNREACHABLE,
        Reason.ARCHIVE_UNAVAILABLE,
        Reason.INDEX_UNAVAILABLE,
        Reason.BATCH_INCOMPLETE,
    }
)


def ids_to_retry(results: Iterable[ItemResult]) -> frozenset[str]:
    """The document ids of those results that may end better in the next run."""
    ids = set()
    for result in results:
        if result.outcome.kind is OutcomeKind.FAILED and result.outcome.reason in _MAY_PASS and result.ref.url:
            with contextlib.suppress(ValueError):
                ids.add(document_id(canonicalize(result.ref.url)))
    return frozenset(ids)


def due(state: SourceState, now: datetime) -> bool:
    """Whether a source should be asked again by now."""
    return state.next_poll is None or datetime.fromisoformat(state.next_poll) <= now


def after_success(
    before: SourceState,
    *,
    now: datetime,
    named: Mapping[str, str],
    etag: str | None = None,
    last_modified: str | None = None,
    body_hash: str | None = None,
    positions: Iterable[tuple[str, str]] | None = None,
) -> SourceState:
    """The state after a source was read and named the articles ``named`` (id to fingerprint; empty when unchanged).

    Adaptive polling: nothing new makes the interval half as long again, a listing that is all new (and may have
    overflowed since) halves it, else it stays; between five minutes and a day.
    """
    known = dict(before.seen)
    new = [id_ for id_ in named if id_ not in known]
    interval = timedelta(seconds=before.interval_seconds)
    if not new:
        interval *= 1.5
    elif before.seen and len(new) >= 5 and len(new) >= 0.8 * len(named):
        interval /= 2
    interval = min(MAX_INTERVAL, max(MIN_INTERVAL, interval))
    counts = dict(before.per_day)
    if before.seen and new:  # what a new source holds already is not what it publishes a day
        counts[now.date().isoformat()] = counts.get(now.date().isoformat(), 0) + len(new)
    oldest = (now.date() - timedelta(days=_DAYS_KEPT)).isoformat()
    return replace(
        before,
        etag=etag,
        last_modified=last_modified,
        body_hash=body_hash,
        seen=tuple({**named, **{id_: mark for id_, mark in before.seen if id_ not in named}}.items())[:_SEEN_LIMIT],
        positions=before.positions if positions is None else tuple(positions),
        interval_seconds=interval.total_seconds(),
        next_poll=(now + interval).isoformat(),
        last_attempt=now.isoformat(),
        last_success=now.isoformat(),
        last_new=now.isoformat() if new else before.last_new,
        error_streak=0,
        last_error=None,
        per_day=tuple((day, count) for day, count in sorted(counts.items()) if day > oldest),
    )


def health_of(source_id: str, state: SourceState) -> SourceHealth:
    """The health that a state tells of."""

    def when(value: str | None) -> datetime | None:
        return datetime.fromisoformat(value) if value else None

    days = len(state.per_day)
    return SourceHealth(
        source_id=source_id,
        last_attempt=when(state.last_attempt),
        last_success=when(state.last_success),
        last_new_article=when(state.last_new),
        error_streak=state.error_streak,
        last_error=state.last_error,
        next_poll=when(state.next_poll),
        interval_seconds=state.interval_seconds,
        articles_per_day=sum(count for _, count in state.per_day) / days if days else 0.0,
    )
