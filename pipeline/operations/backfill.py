"""Backfills by hand: a span of the past brought back, in one of four modes (``pipeline.schedule.Mode``).

A backfill is a run like any other but for four things: its batches have their own pool in Airflow, it takes over
nobody's leftovers and leaves none to others, it doesn't touch what is remembered of the sources, and the same command
given again goes on with one that was stopped.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, timedelta
from typing import Any

from filelock import FileLock, Timeout

from pipeline.discover import discover_all
from pipeline.errors import ConfigurationError
from pipeline.extract.worker import worker_pool
from pipeline.index.client import call
from pipeline.index.templates import Names
from pipeline.ledger import RunRecord
from pipeline.models import ArticleRef, Mode, Source
from pipeline.reprocess import in_window, only_the_present
from pipeline.run import Services, finish_run, plan_run, process_batch
from pipeline.schedule import RunRequest
from pipeline.urls import host_of, registered_domain_of_host

KIND = "news backfill"
UNDATED = "undated"
"""The day of what a source names without a date."""


def backfill_now(
    services: Services,
    request: RunRequest,
    sources: Sequence[Source],
    *,
    planned: Callable[[int], None] = lambda _: None,
    progress: Callable[[int], None] = lambda _: None,
) -> dict[str, Any]:
    """Run a backfill in this process, or go on with the same one where it was stopped; returns its report.

    Raises ConfigurationError where the same backfill runs already, and IndexUnavailableError or
    ArchiveUnavailableError, with the work kept for the next time, where one of them stays away.
    """
    locks = services.settings.home / "backfills"
    locks.mkdir(parents=True, exist_ok=True)
    lock = FileLock(locks / f"{_key(request.as_dict())}.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise ConfigurationError("this backfill is running already", hint="Wait for it, or stop it first.") from None
    try:
        record = _unfinished(services, request)
        if record is None:
            run_id = f"news-backfill-{services.now():%Y%m%dT%H%M%SZ}-{services.new_name()}"
            record = plan_run(services, run_id, request, sources, kind=KIND)
        else:
            services.say(f"Going on with {record.run_id}, which was stopped.")
        planned(record.discovered)
        progress(services.ledger.tally(record.run_id).accounted)
        with worker_pool(services.settings.extract.workers) as pool:
            for batch in range(record.batches):
                process_batch(services, record.run_id, batch, sources=sources, progress=progress, pool=pool)
        return finish_run(services, record.run_id)
    finally:
        lock.release()


def _unfinished(services: Services, request: RunRequest) -> RunRecord | None:
    wanted = _key(request.as_dict())
    return next((run for run in services.ledger.unfinished_runs(KIND) if _key(run.request) == wanted), None)


def _key(request: Mapping[str, Any]) -> str:
    asked = {key: value for key, value in request.items() if key != "notes"}
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()[:16]


# --------------------------------------------------------------------------------------------- preview


@dataclass(frozen=True, slots=True, kw_only=True)
class PreviewLine:
    """One source on one day: captures in the archive, articles in the index, pages that would be asked of the web."""

    source: str
    day: str
    archived: int
    indexed: int
    requested: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What a backfill would do. ``fetch_seconds`` is what politeness makes its requests take, without the answers.

    ``work`` is how many articles would be worked on: fetched, or read from the archive.
    """

    lines: tuple[PreviewLine, ...]
    work: int
    requests: int
    fetch_seconds: float
    notes: tuple[str, ...]

    def as_text(self) -> str:
        """A table for a log or a terminal."""
        width = max([6, *(len(line.source) for line in self.lines)])
        rows = [f"{'source':{width}}  {'day':10}  {'archived':>9}  {'indexed':>9}  {'requests':>9}"]
        rows += [
            f"{line.source:{width}}  {line.day:10}  {line.archived:>9}  {line.indexed:>9}  {line.requested:>9}"
            for line in self.lines
        ]
        took = timedelta(seconds=round(self.fetch_seconds))
        rows.append(f"{self.work} articles to work on, {self.requests} requests; pauses between them take {took}.")
        return "\n".join([*rows, *self.notes])

    def as_dict(self) -> dict[str, Any]:
        """A JSON-ready form."""
        return {
            "days": [
                {
                    "source": line.source,
                    "day": line.day,
                    "archived": line.archived,
                    "indexed": line.indexed,
                    "requested": line.requested,
                }
                for line in self.lines
            ],
            "work": self.work,
            "requests": self.requests,
            "fetch_seconds": round(self.fetch_seconds, 1),
            "notes": list(self.notes),
        }


def preview(services: Services, request: RunRequest, sources: Sequence[Source]) -> Preview:
    """Look at what a backfill would do, and write nothing. Asks the sources for their listings in mode refetch.

    Raises ConfigurationError for a request without a window.
    """
    window = request.window
    if window is None:
        raise ConfigurationError("a preview needs a span of time: --from and --to")
    archived = services.ledger.count_captures(source_ids=request.source_ids, since=window.since, until=window.until)
    indexed = _indexed_by_day(services, request)
    notes: list[str] = []
    refs: list[ArticleRef] = []
    requested: Counter[tuple[str, str]] = Counter()
    by_id = {source.id: source for source in sources}
    chosen = [by_id[source_id] for source_id in request.source_ids if source_id in by_id]
    work = sum(indexed.values()) if request.mode in (Mode.REENRICH, Mode.REINDEX) else sum(archived.values())
    if request.mode in (None, Mode.REFETCH):
        work = 0
        for source, named, why in _named(services, chosen, request, notes):
            for ref in named:
                if ref.path is not None:
                    continue  # a file or a record of a WARC file costs no request
                when = ref.facts.published_at or ref.facts.modified_at
                requested[source.id, when.astimezone(UTC).date().isoformat() if when else UNDATED] += 1
            refs += named
            work += len(named)
            if why:
                kept = services.ledger.captures(source_ids=[source.id], since=window.since, until=window.until)
                work += len({capture.ref.name for capture in kept} - {ref.name for ref in named})
    keys = sorted({*archived, *indexed, *requested})
    return Preview(
        lines=tuple(
            PreviewLine(
                source=source_id,
                day=day,
                archived=archived.get((source_id, day), 0),
                indexed=indexed.get((source_id, day), 0),
                requested=requested.get((source_id, day), 0),
            )
            for source_id, day in keys
        ),
        work=work,
        requests=sum(requested.values()),
        fetch_seconds=politeness_seconds(
            refs,
            {source.id: source.delay_seconds for source in chosen if source.delay_seconds is not None},
            default=services.settings.fetch.delay_seconds,
            max_hosts=services.settings.fetch.max_hosts,
        ),
        notes=tuple(notes),
    )


def politeness_seconds(
    refs: Iterable[ArticleRef], delays: Mapping[str, float], *, default: float, max_hosts: int
) -> float:
    """Seconds that fetching takes at least, for the pauses between two requests to one registered domain. Pure.

    Domains are worked on side by side, ``max_hosts`` at a time; a ``Crawl-delay`` of robots.txt may add to it.
    """
    by_domain: defaultdict[str, float] = defaultdict(float)
    for ref in refs:
        if ref.url is None or ref.path is not None:
            continue
        try:
            host = host_of(ref.url)
        except ValueError:
            continue
        by_domain[registered_domain_of_host(host) or host] += delays.get(ref.source_id, default)
    if not by_domain:
        return 0.0
    return max(max(by_domain.values()), sum(by_domain.values()) / max_hosts)


def _named(
    services: Services, sources: Sequence[Source], request: RunRequest, notes: list[str]
) -> Iterator[tuple[Source, list[ArticleRef], str | None]]:
    """Each source, what it names in the span, and why that is not all of it, where it isn't."""

    def forgets(source: Source, why: str) -> str:
        notes.append(f"{source.id}: can't be asked for all of the span ({why}); the archive's captures are used")
        return why

    for source in sources:
        if why := only_the_present(source):
            yield source, [], forgets(source, why)
    with services.web() as web:
        for answer in discover_all(
            [source for source in sources if not only_the_present(source)],
            window=request.window,
            base_dir=services.settings.project_dir,
            web=web,
            now=services.now(),
            settings=services.settings,
            pages=services.pages,
        ):
            if answer.error is not None:
                notes.append(str(answer.error))
            missing = None
            if (past := answer.past) is not None and past.reaches:
                notes.append(f"{answer.source.id}: {past.message}")
            elif past is not None:
                missing = forgets(answer.source, past.message)
            named = {item.name: item for item in answer.found if isinstance(item, ArticleRef)}
            yield answer.source, list(named.values()), missing


def _indexed_by_day(services: Services, request: RunRequest) -> dict[tuple[str, str], int]:
    """Stored articles by source and day of @timestamp (UTC)."""
    days = {"field": "@timestamp", "calendar_interval": "day", "format": "yyyy-MM-dd", "min_doc_count": 1}
    answer = call(
        lambda: services.elasticsearch.search(
            index=Names(services.prefix).articles,
            ignore_unavailable=True,
            size=0,
            query=in_window(request.window, request.source_ids),
            aggs={
                "sources": {
                    "terms": {"field": "source.id", "size": 10_000},
                    "aggs": {"days": {"date_histogram": days}},
                }
            },
        )
    )
    if "aggregations" not in answer:
        return {}
    return {
        (str(source["key"]), str(day["key_as_string"])): int(day["doc_count"])
        for source in answer["aggregations"]["sources"]["buckets"]
        for day in source["days"]["buckets"]
    }
