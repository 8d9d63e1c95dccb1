"""One run from its request to its report: what the DAGs and the ``news`` command both call.

Here, and only here, the stages are joined, the clock is read and the clients are built. A run has three steps::

    plan_run       discover references, take over what earlier runs left, cut all into batches    (the ledger)
    process_batch  fetch or load, archive, extract, enrich, index; an outcome for each reference
    finish_run     add up, check the balance, keep the report

A batch is done in two passes. The first brings every raw page into the archive; the second reads them from
there. So a second try, a re-processing and a first run all take the same way after the archive.
"""

from __future__ import annotations

import logging
import os
import shlex
import socket
import time
import uuid
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from itertools import chain, islice
from pathlib import Path
from typing import Any

import psutil
from elasticsearch import Elasticsearch
from pebble import ProcessPool

from pipeline import localnode
from pipeline.archive import Archive, ArchiveWriter, payload_digest
from pipeline.discover import discover, discover_all
from pipeline.discover.older_pages import PageCache
from pipeline.discover.state import StateStore, due, ids_to_retry
from pipeline.discover.url_list import refs_of_urls
from pipeline.enrich import Enricher, EntityReview, load_enricher, read_entity_review
from pipeline.enrich.embeddings import Embedder, load_embedder
from pipeline.errors import (
    ArchiveUnavailableError,
    ArticleError,
    ArticleFailed,
    ConfigurationError,
    FatalError,
    IndexUnavailableError,
    Reason,
    RetriableError,
    UnbalancedRunError,
)
from pipeline.extract import extract
from pipeline.extract.worker import extract_all, worker_pool
from pipeline.fetch import PoliteWeb, Validators, load
from pipeline.fetch.trace import trace_url
from pipeline.index import client as index_client
from pipeline.index import quarantine, runs, settling, templates, writer
from pipeline.index import sources as source_health
from pipeline.index.documents import Document, to_document
from pipeline.ledger import KEEP_THEIR_OWN, KEPT, Capture, Ledger, RunRecord, WorkItem
from pipeline.logs import log_outcome
from pipeline.models import (
    ArchiveAddress,
    Article,
    ArticleRef,
    EnrichedArticle,
    ItemResult,
    Mode,
    Outcome,
    OutcomeKind,
    RawPage,
    Source,
    SourceKind,
    Stage,
    Tally,
)
from pipeline.reprocess import only_the_present, stored_references
from pipeline.retention import expired
from pipeline.schedule import RunRequest
from pipeline.search import get_document
from pipeline.settings import Settings, load_settings, load_sources
from pipeline.tombstones import kept_out
from pipeline.urls import canonicalize, document_id
from pipeline.worklist import WorkList

log = logging.getLogger(__name__)

BY_HAND = "by-hand"
"""The source of what a person ingests from the command line."""

_STALE_AFTER = timedelta(hours=2)
"""A run without a sign of life for so long is over; the longest silence of a live one is one batch's fetching."""

_POLL_SLACK = timedelta(minutes=5)
"""A source due a little later is asked now: schedules are coarser than that, and the next one may be an hour off."""

_IN_HAND = 1000
"""References in memory at a time while a run is planned."""

_CHARACTERS_IN_HAND = 16_000_000
"""Characters of text written at a time, so that a hundred huge articles don't fill the memory."""


# -------------------------------------------------------------------------------------------- services


@dataclass(frozen=True, kw_only=True)
class Services:
    """The edges of a run: settings, clock, storage and clients. What is costly is opened when first used."""

    settings: Settings
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    timer: Callable[[], float] = time.perf_counter
    new_name: Callable[[], str] = lambda: uuid.uuid4().hex[:8]
    say: Callable[[str], None] = log.info

    @cached_property
    def ledger(self) -> Ledger:
        """The ledger of this installation."""
        return Ledger(self.settings.ledger_url or f"sqlite:///{self.settings.home / 'ledger.sqlite'}")

    @cached_property
    def archive(self) -> Archive:
        """The archive of this installation."""
        return Archive(self.settings.archive_url or str(self.settings.home / "archive"))

    @cached_property
    def elasticsearch(self) -> Elasticsearch:
        """A client of the configured cluster; of the embedded node, started if need be, where none is configured."""
        if self.settings.elasticsearch is not None:
            return index_client.connect(self.settings.elasticsearch)
        return index_client.connect(localnode.start(node_settings(self.settings), say=self.say).url)

    @cached_property
    def enricher(self) -> Enricher:
        """Language detection and the models, loaded once."""
        return load_enricher(
            self.settings.language, self.settings.entities, review=self.entity_review(), embedder=self.embedder
        )

    def entity_review(self) -> EntityReview:
        """What people decided about entities, as the file says now. Raises ConfigurationError for a wrong one."""
        return read_entity_review(self.settings.config_dir / "entities.toml")

    @cached_property
    def embedder(self) -> Embedder | None:
        """The model that knows what words mean, loaded once; None where ``index.semantic`` is off."""
        return load_embedder() if self.settings.index.semantic else None

    @property
    def prefix(self) -> str:
        """What the names of all indices and aliases of this installation begin with."""
        return self.settings.index.prefix

    @property
    def politeness_dir(self) -> Path:
        """Where all processes of this machine keep their turns at hosts."""
        return self.settings.home / "politeness"

    @cached_property
    def states(self) -> StateStore:
        """What is remembered of each source."""
        return StateStore(self.settings.home / "sources")

    @property
    def pages(self) -> PageCache:
        """What is kept of feeds' pasts."""
        return PageCache(self.settings.home / "cache" / "feeds")

    def web(self) -> PoliteWeb:
        """A new polite web client; close it, or use it as a context manager."""
        return PoliteWeb(self.settings.fetch, self.politeness_dir)


def open_services(**edges: Any) -> Services:
    """Services for the settings that the environment and the config folder give."""
    return Services(settings=load_settings(), **edges)


def node_settings(settings: Settings) -> localnode.NodeSettings:
    """What the embedded node needs to know, out of all settings."""
    return localnode.NodeSettings(
        home=settings.home / "elasticsearch",
        version=settings.node.version,
        port=settings.node.port or localnode.usual_port(),
        heap=settings.node.heap,
        es_home=settings.es_home,
    )


# ------------------------------------------------------------------------------------------------ plan


def plan_run(
    services: Services,
    run_id: str,
    request: RunRequest,
    sources: Sequence[Source],
    *,
    kind: str,
    references: Iterable[ArticleRef | ItemResult] = (),
    fetch_again: bool = False,
    owner: str | None = None,
) -> RunRecord:
    """Find out what there is to do, and write it down in batches.

    ``references`` are added to what the request's sources name. A URL captured less than
    ``fetch.refetch_after_hours`` ago is taken from the archive, unless ``fetch_again``.
    Raises ConfigurationError for a source id that isn't there.
    """
    now = services.now()
    problems: list[dict[str, str]] = []
    notes: list[dict[str, str]] = []
    with WorkList() as work:
        found = chain(references, _asked_for(services, request, sources, now, problems, notes))
        forgotten = services.ledger.forgotten()
        while some := list(islice(found, _IN_HAND)):
            some = [
                kept_out(item) if isinstance(item, ArticleRef) and forgotten.covers(item) else item for item in some
            ]
            if not (request.from_archive or request.mode or fetch_again):
                some = _reuse_captures(services, some, now)
            work.add(some)
        record = services.ledger.plan(
            run_id,
            work,
            kind=kind,
            request={**request.as_dict(), "notes": notes},
            source_ids=[*request.source_ids, BY_HAND] if kind == "news ingest" else list(request.source_ids),
            problems=problems,
            batch_size=max(services.settings.ingest.batch_size, -(-len(work) // _MOST_BATCHES)),
            now=now,
            stale_before=now - _STALE_AFTER,
            takes_over=kind not in KEEP_THEIR_OWN,
            owner=owner,
            is_alive=_is_alive,
        )
    # All that the sources named stands in the ledger now, whatever becomes of this run.
    for source_id in _progressing_sources(record):
        services.states.commit(source_id)
    return record


def _asked_for(
    services: Services,
    request: RunRequest,
    sources: Sequence[Source],
    now: datetime,
    problems: list[dict[str, str]],
    notes: list[dict[str, str]],
) -> Iterator[ArticleRef | ItemResult]:
    """What a request means: from the index, from the archive, or what its sources name."""
    if request.mode in (Mode.REENRICH, Mode.REINDEX):
        return stored_references(
            services.elasticsearch,
            services.ledger,
            services.archive,
            window=request.window,
            source_ids=request.source_ids,
            prefix=services.prefix,
        )
    if request.from_archive or request.mode is Mode.REEXTRACT:
        return _archived_references(services, request)
    return _named_by_sources(services, request, sources, now, problems, notes)


def _progressing_sources(record: RunRecord) -> list[str]:
    """The sources of a run that were asked for what is new, and answered."""
    request = record.request
    if any(request.get(key) for key in ("since", "until", "from_archive", "mode")):
        return []
    broken = {problem["source"] for problem in record.problems}
    return [source_id for source_id in request["sources"] if source_id != BY_HAND and source_id not in broken]


def _this_process() -> str:
    """What tells this process from all others, on any machine and at any time."""
    return f"{socket.gethostname()} {os.getpid()} {psutil.Process().create_time():.2f}"


def _is_alive(owner: str) -> bool:
    """Whether a process named by ``_this_process`` still runs; of other machines' processes nothing is known."""
    host, pid, created = owner.rsplit(" ", 2)
    if host != socket.gethostname():
        return True
    try:
        return f"{psutil.Process(int(pid)).create_time():.2f}" == created
    except psutil.NoSuchProcess:
        return False


_MOST_BATCHES = 1000
"""Airflow refuses to map a task over more than 1,024 items."""


def _pick(sources: Sequence[Source], source_ids: Sequence[str]) -> list[Source]:
    by_id = {source.id: source for source in sources}
    if missing := [source_id for source_id in source_ids if source_id not in by_id and source_id != BY_HAND]:
        raise ConfigurationError(
            f"no source {missing[0]!r} in the sources file; known are {', '.join(sorted(by_id)) or 'none'}"
        )
    return [by_id[source_id] for source_id in source_ids if source_id in by_id]


def _named_by_sources(
    services: Services,
    request: RunRequest,
    sources: Sequence[Source],
    now: datetime,
    problems: list[dict[str, str]],
    notes: list[dict[str, str]],
) -> Iterator[ArticleRef | ItemResult]:
    """What the request's sources name; for a span of the past also what the archive has of those that forget."""
    asked = [source for source in _pick(sources, request.source_ids) if _is_due(services, request, source, now)]
    silent = {source.id: why for source in asked if request.window and (why := only_the_present(source))}
    # A list of URLs has no dates at all: of a span of the past it can say nothing.
    listed = [source for source in asked if source.id not in silent]
    named: dict[str, set[str]] = {}
    with services.web() as web:
        for answer in discover_all(
            listed,
            window=request.window,
            base_dir=services.settings.project_dir,
            web=web,
            now=now,
            settings=services.settings,
            # A span of the past is asked for as such, whatever was read already.
            states=None if request.is_backfill else services.states,
            pages=services.pages,
        ):
            source, error, past = answer.source, answer.error, answer.past
            yield from answer.found
            if past is not None and past.reaches:
                notes.append({"source": source.id, "message": past.message})
            elif past is not None:
                silent[source.id] = past.message
                found = (item.ref if isinstance(item, ItemResult) else item for item in answer.found)
                named[source.id] = {ref.name for ref in found}
            if error is not None:
                log.warning("Source %s: %s", source.id, error)
                problems.append({"source": source.id, "reason": error.reason.value, "message": str(error)})
                if not request.is_backfill:
                    services.states.record_failure(source.id, str(error), now)
    for source_id, why in silent.items():
        message = f"can't be asked for all of the span ({why}); what the archive has of it is used"
        notes.append({"source": source_id, "message": message})
        archived = _archived_references(services, replace(request, source_ids=(source_id,)))
        yield from (ref for ref in archived if ref.name not in named.get(source_id, ()))


def _is_due(services: Services, request: RunRequest, source: Source, now: datetime) -> bool:
    if not request.only_due or due(services.states.read(source.id), now + _POLL_SLACK):
        return True
    log.info("Source %s is not due yet: it brought nothing new lately.", source.id)
    return False


def _archived_references(services: Services, request: RunRequest) -> Iterator[ArticleRef]:
    window = request.window
    for capture in services.ledger.captures(
        source_ids=request.source_ids,
        since=window.since if window else None,
        until=window.until if window else None,
    ):
        if not request.names or capture.ref.name in request.names:
            yield replace(capture.ref, archived=capture.address)


def _reuse_captures(
    services: Services, items: list[ArticleRef | ItemResult], now: datetime
) -> list[ArticleRef | ItemResult]:
    """Point URLs that were captured lately, and of which their source says nothing new, at their capture."""
    fresh_since = now - timedelta(hours=services.settings.fetch.refetch_after_hours)
    names = [item.name for item in items if isinstance(item, ArticleRef) and item.url]
    captures = services.ledger.latest_captures(names)
    # A WARC file holds hundreds of captures, and asking an object store for one is a request.
    files = {capture.address.file for capture in captures.values() if capture.captured_at >= fresh_since}
    there = {file for file in files if services.archive.exists(file)}

    def reuse(item: ArticleRef | ItemResult) -> ArticleRef | ItemResult:
        if isinstance(item, ItemResult) or not item.url or item.name not in captures:
            return item
        capture = captures[item.name]
        if capture.captured_at < fresh_since or item.facts != capture.ref.facts or capture.address.file not in there:
            return item
        return replace(item, archived=capture.address)

    return [reuse(item) for item in items]


# ----------------------------------------------------------------------------------------------- batch


@dataclass(kw_only=True)
class _Stopwatch:
    timer: Callable[[], float]
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def measure(self, stage: str) -> Iterator[None]:
        start = self.timer()
        try:
            yield
        finally:
            self.add(stage, self.timer() - start)

    def add(self, stage: str, seconds: float) -> None:
        self.seconds[stage] = self.seconds.get(stage, 0.0) + seconds


def process_batch(
    services: Services,
    run_id: str,
    batch: int,
    *,
    sources: Sequence[Source] = (),
    progress: Callable[[int], None] = lambda _: None,
    pool: ProcessPool | None = None,
) -> Tally:
    """Bring the open references of a batch to their outcomes; ``progress`` is told how many more have ended.

    ``pool`` holds workers for several batches in one process, from ``worker_pool``.

    Trying a batch again goes on where it stopped. Raises IndexUnavailableError or ArchiveUnavailableError after
    what is left has been marked as kept.
    """
    watch = _Stopwatch(timer=services.timer)
    results: list[ItemResult] = []

    def end(ended: Sequence[tuple[int, ItemResult]]) -> None:
        services.ledger.record_outcomes(run_id, ended, now=services.now())
        for _, result in ended:
            log_outcome(log, run_id, result)
            results.append(result)
        progress(len(ended))

    try:
        if forgotten := services.ledger.forgotten():  # maybe since this was planned
            left = services.ledger.open_items(run_id, batch)
            end([(item.position, kept_out(item.ref)) for item in left if forgotten.covers(item.ref)])
        _archive_pages(services, run_id, batch, sources, watch, end)
        _index_pages(services, run_id, batch, sources, watch, end, pool)
    except (IndexUnavailableError, ArchiveUnavailableError) as error:
        reason = Reason.INDEX_UNAVAILABLE if isinstance(error, IndexUnavailableError) else Reason.ARCHIVE_UNAVAILABLE
        stage: Stage = "index" if isinstance(error, IndexUnavailableError) else "archive"
        kept = Outcome(kind=OutcomeKind.FAILED, reason=reason, detail=error.message)
        left = services.ledger.open_items(run_id, batch)
        end([(item.position, ItemResult(ref=item.ref, outcome=kept, stage=stage)) for item in left])
        raise
    finally:
        services.ledger.record_stage_seconds(run_id, batch, watch.seconds)
    return Tally.of(results)


End = Callable[[Sequence[tuple[int, ItemResult]]], None]


def _archive_pages(
    services: Services, run_id: str, batch: int, sources: Sequence[Source], watch: _Stopwatch, end: End
) -> None:
    """First pass: fetch or load what is not in the archive yet, and archive it."""
    wanted = [item for item in services.ledger.open_items(run_id, batch) if item.archived is None]
    if not wanted:
        return
    forgotten = services.ledger.forgotten()
    positions = {item.ref.name: item.position for item in wanted}
    known = services.ledger.latest_captures(list(positions))
    new_file: ArchiveWriter | None = None
    found: list[tuple[int, ArchiveAddress]] = []
    captures: list[Capture] = []

    def note_archived() -> None:
        services.ledger.record_archived(run_id, found, captures, now=services.now())
        found.clear()
        captures.clear()

    pages = iter(
        load(
            [item.ref for item in wanted],
            settings=services.settings.fetch,
            politeness_dir=services.politeness_dir,
            clock=services.now,
            delays={source.id: source.delay_seconds for source in sources if source.delay_seconds is not None},
            validators=_validators(known.values()),
        )
    )
    try:
        while True:
            with watch.measure("fetch"):
                page = next(pages, None)
            if page is None:
                break
            if isinstance(page, ItemResult):
                if page.outcome.reason is Reason.NOT_MODIFIED:
                    # The archive holds it; going on from there heals an index that has lost it.
                    found.append((positions[page.ref.name], known[page.ref.name].address))
                else:
                    end([(positions[page.ref.name], page)])
                continue
            if forgotten.covers_url(page.final_url):
                end([(positions[page.ref.name], kept_out(page.ref, "fetch"))])
                continue
            with watch.measure("archive"):
                capture = known.get(page.ref.name)
                if capture is None or not _same_record(services.archive, capture, page):
                    if new_file is None:
                        new_file = services.archive.writer(
                            now=services.now(), name=f"{batch:04d}-{services.new_name()}"
                        )
                    address = new_file.write(page)
                    capture = Capture(
                        ref=page.ref,
                        address=address,
                        captured_at=page.fetched_at,
                        etag=page.header("etag"),
                        last_modified=page.header("last-modified"),
                    )
                    captures.append(capture)
                found.append((positions[page.ref.name], capture.address))
                # Where a record is safe at once, a killed batch need not fetch it again.
                if services.archive.durable_writes and len(found) >= 20:
                    note_archived()
    finally:
        if new_file is not None:
            new_file.close()
        note_archived()


def _validators(captures: Iterable[Capture]) -> dict[str, Validators]:
    """What captured pages said of their version, by the document id that their address has."""
    found = {}
    for capture in captures:
        if capture.ref.url and (capture.etag or capture.last_modified):
            with suppress(ValueError):
                id_ = document_id(canonicalize(capture.ref.url))
                found[id_] = Validators(etag=capture.etag, last_modified=capture.last_modified)
    return found


def _same_record(archive: Archive, capture: Capture, page: RawPage) -> bool:
    """Whether a capture already holds these bytes with these stated facts, so that no second copy is needed."""
    return (
        capture.address.digest == payload_digest(page.body)
        and capture.ref == replace(page.ref, archived=None)
        and archive.exists(capture.address.file)
    )


def _index_pages(
    services: Services,
    run_id: str,
    batch: int,
    sources: Sequence[Source],
    watch: _Stopwatch,
    end: End,
    pool: ProcessPool | None,
) -> None:
    """Second pass: from the archive to the index, some pages at a time."""
    work = [item for item in services.ledger.open_items(run_id, batch) if item.archived is not None]
    if not work:
        return
    with watch.measure("index"):
        index_client.wait_until_ready(services.elasticsearch, services.settings.ingest.index_wait_seconds)
        templates.set_up(services.elasticsearch, services.settings.index, services.prefix)
    by_id = {source.id: source for source in sources}
    in_work: deque[WorkItem] = deque()
    ended: list[tuple[int, ItemResult]] = []
    group: list[tuple[WorkItem, Article]] = []
    size = 0

    def readable() -> Iterator[RawPage]:
        pages = services.archive.read([item.archived for item in work if item.archived is not None])
        for item, page in zip(work, pages, strict=True):
            if isinstance(page, ArticleFailed):
                ended.append((item.position, _ended(item, Outcome.of(page), "archive")))
            else:
                in_work.append(item)
                yield page

    options = services.settings.extract
    answers = extract_all(
        readable(), options, timeout_seconds=options.timeout_seconds, workers=options.workers, pool=pool
    )
    with closing(answers):
        for _, answer, seconds in answers:
            watch.add("extract", seconds)
            item = in_work.popleft()
            if isinstance(answer, ArticleError):
                ended.append((item.position, _ended(item, Outcome.of(answer), "extract")))
                continue
            group.append((item, answer))
            size += len(answer.body)
            if len(group) >= services.settings.index.bulk_documents or size >= _CHARACTERS_IN_HAND:
                end(ended + _index_group(services, run_id, group, by_id, watch))
                ended.clear()
                group, size = [], 0
    end(ended + _index_group(services, run_id, group, by_id, watch))


def _index_group(
    services: Services,
    run_id: str,
    group: Sequence[tuple[WorkItem, Article]],
    sources: Mapping[str, Source],
    watch: _Stopwatch,
) -> list[tuple[int, ItemResult]]:
    """Enrich and write some articles; the result of each."""
    ended: list[tuple[int, ItemResult]] = []
    enriched: list[tuple[WorkItem, EnrichedArticle]] = []
    with watch.measure("enrich"):
        answers = services.enricher.enrich([article for _, article in group], sources=sources)
        for (item, _), answer in zip(group, answers, strict=True):
            if isinstance(answer, ArticleError):
                ended.append((item.position, _ended(item, Outcome.of(answer), "enrich")))
            else:
                enriched.append((item, answer))
    with watch.measure("index"):
        seen_at = services.now()
        forgotten = services.ledger.forgotten()
        documents: list[tuple[WorkItem, Document]] = []
        for item, article in enriched:
            document = to_document(
                article, seen_at=seen_at, run_id=run_id, discovered_at=min(item.discovered_at, seen_at)
            )
            addresses = document.source.get("canonical_url"), document.source.get("path")
            if forgotten.covers_document(document.id, *addresses):
                ended.append((item.position, replace(kept_out(item.ref, "index"), archived=item.archived)))
            elif expired(document.source, services.settings.retention, seen_at):
                outcome = Outcome(kind=OutcomeKind.REJECTED, reason=Reason.EXCLUDED, detail="older than its retention")
                ended.append((item.position, _ended(item, outcome, "index")))
            else:
                documents.append((item, document))
        written = writer.write(
            services.elasticsearch,
            [document for _, document in documents],
            settings=services.settings.index,
            prefix=services.prefix,
            wait_seconds=services.settings.ingest.index_wait_seconds,
        )
    for (item, _), end in zip(documents, written, strict=True):
        ended.append((item.position, _ended(item, end.outcome, "index", end.document_id)))
    return ended


def _ended(item: WorkItem, outcome: Outcome, stage: Stage, document_id: str | None = None) -> ItemResult:
    return ItemResult(ref=item.ref, outcome=outcome, stage=stage, document_id=document_id, archived=item.archived)


# ---------------------------------------------------------------------------------------------- report


def finish_run(services: Services, run_id: str) -> dict[str, Any]:
    """Close a run: whatever has no outcome yet failed as ``batch_incomplete`` and is kept for the next run.

    Returns the report, which is also in the ledger and, where Elasticsearch answers, in ``news-runs``; what
    failed is in ``news-quarantine``. Raises FatalError for a run that was never planned.
    """
    record = services.ledger.run(run_id)
    if record is None:
        raise FatalError(f"run {run_id!r} was never planned", hint="See the log of its plan step.")
    incomplete = Outcome(
        kind=OutcomeKind.FAILED,
        reason=Reason.BATCH_INCOMPLETE,
        detail="its batch did not finish; the next run takes it",
    )
    services.ledger.close_open_items(run_id, incomplete, now=services.now())
    _settle(services, run_id)
    finished_at = services.now()
    report = _report(services, record, finished_at)
    services.ledger.finish_run(run_id, report, now=finished_at)
    _ask_again_for_what_failed(services, record)
    try:
        _publish(services, run_id, report)
    except RetriableError as error:
        log.warning("The report of run %s stands in the ledger only: %s", run_id, error)
    return report


def _settle(services: Services, run_id: str) -> None:
    """Decide which copies are originals, and the clusters, now that all is there; a later run does what can't be done.

    What is left of this run may change it once more: the run that takes it over settles both.
    """
    run_ids, since = services.ledger.to_settle(run_id)
    tally = services.ledger.tally(run_id)
    wrote = any(tally.count(kind) for kind in OutcomeKind if kind not in (OutcomeKind.FAILED, OutcomeKind.REJECTED))
    if not wrote:
        if tally.discovered == 0:
            services.ledger.record_settled([run_id])
        return
    assert since is not None
    wait = services.settings.ingest.index_wait_seconds
    try:
        index_client.wait_until_ready(services.elasticsearch, wait)
        changed = settling.settle(
            services.elasticsearch, run_ids, since=since, prefix=services.prefix, wait_seconds=wait
        )
    except RetriableError as error:
        log.warning("Copies are not settled; the next run does it: %s", error)
        return
    services.ledger.record_settled(run_ids)
    if changed:
        log.info("Run %s: %d articles got another original or cluster.", run_id, changed)


def _ask_again_for_what_failed(services: Services, record: RunRecord) -> None:
    # What could not be fetched this time but may be next time counts as never seen, and its listing is read again
    # even if it does not change.
    for source_id in _progressing_sources(record):
        if retry := ids_to_retry(_failed(services, record.run_id, source_id)):
            services.states.stage(source_id, services.states.read(source_id))
            services.states.commit(source_id, retry=retry)


def require_complete(report: Mapping[str, Any]) -> None:
    """Raise UnbalancedRunError for a report that doesn't balance, FatalError for one with work left over."""
    if not report["balanced"]:
        accounted = sum(report["outcomes"].values())
        raise UnbalancedRunError(
            f"run {report['run_id']}: {report['discovered']} references discovered, {accounted} with an outcome",
            hint="Look at them with `news explain`, and report this: it is a fault of the pipeline.",
        )
    if report["status"] == "failed":
        left = report["kept_for_next_run"]
        problems = "; ".join(problem["message"] for problem in report["problems"])
        raise FatalError(
            f"run {report['run_id']}: {left} articles are left over for the next run. {problems}".rstrip(),
            hint="See the log of the batch tasks; start the DAG again once the cause is gone.",
        )


def _report(services: Services, record: RunRecord, finished_at: datetime) -> dict[str, Any]:
    tally = services.ledger.tally(record.run_id)
    kept = sum(tally.reasons.get(f"failed({reason})", 0) for reason in KEPT)
    nothing_came = bool(record.problems) and tally.discovered == 0
    if not tally.balances or kept or nothing_came:
        status = "failed"
    elif tally.count(OutcomeKind.FAILED) or record.problems:
        status = "partial"
    else:
        status = "succeeded"
    by_source = services.ledger.tally_by_source(record.run_id)
    return {
        "run_id": record.run_id,
        "kind": record.kind,
        "status": status,
        "request": dict(record.request),
        "started_at": record.started_at.isoformat(),
        "finished_at": finished_at.isoformat(),
        "duration_seconds": round((finished_at - record.started_at).total_seconds(), 3),
        **tally.as_dict(),
        "balanced": tally.balances,
        "kept_for_next_run": kept,
        "sources": [{"id": source_id, **counts.as_dict()} for source_id, counts in sorted(by_source.items())],
        "problems": [dict(problem) for problem in record.problems],
        "notes": [dict(note) for note in record.request.get("notes", ())],
        "stage_seconds": {
            stage: round(value, 3) for stage, value in services.ledger.stage_seconds(record.run_id).items()
        },
        "entities": services.settings.entities.model or "off",
    }


def _publish(services: Services, run_id: str, report: Mapping[str, Any]) -> None:
    record, client = services.ledger.run(run_id), services.elasticsearch
    assert record is not None
    index_client.wait_until_ready(client, 10)
    templates.set_up(client, services.settings.index, services.prefix)
    runs.put(
        client,
        runs.RunReport(
            id=run_id,
            kind=record.kind,
            status=report["status"],
            started_at=record.started_at,
            finished_at=record.finished_at,
            tally=services.ledger.tally(run_id),
            sources=tuple(source["id"] for source in report["sources"]),
            seconds={**report["stage_seconds"], "total": report["duration_seconds"]},
            entities_model=services.settings.entities.model or None,
            error="; ".join(problem["message"] for problem in report["problems"]) or None,
        ),
        prefix=services.prefix,
    )
    if record.kind not in KEEP_THEIR_OWN:  # those say nothing of how the sources are today
        source_health.put(client, _source_reports(services, record), prefix=services.prefix)
    failed = _failed(services, run_id)
    entries = quarantine.entries_of(failed, at=services.now(), run_id=run_id, command=_replay_command)
    quarantine.put(client, entries, prefix=services.prefix)
    if quarantine.entries(client, limit=1, prefix=services.prefix):
        good = (
            entry.ref
            for entry in services.ledger.results(run_id)
            if entry.outcome not in (None, OutcomeKind.FAILED.value)
        )
        quarantine.remove(client, good, prefix=services.prefix)


def _source_reports(services: Services, record: RunRecord) -> list[source_health.SourceReport]:
    try:
        sources = {source.id: source for source in load_sources(services.settings)}
    except ConfigurationError:
        return []  # the file was changed while the run went on; whoever did that is told by every command
    problems = {problem["source"]: problem for problem in record.problems}
    tallies, at = services.ledger.tally_by_source(record.run_id), services.now()
    reports = []
    for source_id in record.request["sources"]:
        if (source := sources.get(source_id)) is None:
            continue
        health, tally = services.states.health(source_id), tallies.get(source_id, Tally())
        problem = problems.get(source_id, {})
        new = tally.count(OutcomeKind.INDEXED) + tally.count(OutcomeKind.UPDATED)
        reports.append(
            source_health.SourceReport(
                source=source,
                run_id=record.run_id,
                at=at,
                tally=tally,
                last_success_at=None if problem else at,
                last_article_at=at if new else None,
                next_poll_at=health.next_poll,
                articles_per_day=health.articles_per_day if health.last_success else None,
                consecutive_failures=health.error_streak,
                error=problem.get("message"),
                reason=problem.get("reason"),
            )
        )
    return reports


def _failed(services: Services, run_id: str, source_id: str | None = None) -> Iterator[ItemResult]:
    for entry in services.ledger.results(run_id, kind=OutcomeKind.FAILED, source_id=source_id):
        if entry.result is not None:
            yield entry.result


def _replay_command(result: ItemResult) -> str:
    name = shlex.quote(result.ref.name)
    return f"news ingest --from-archive --ref {name}" if result.archived else f"news ingest {name}"


def run_now(
    services: Services,
    request: RunRequest,
    sources: Sequence[Source],
    *,
    kind: str,
    references: Iterable[ArticleRef | ItemResult] = (),
    fetch_again: bool = False,
    planned: Callable[[int], None] = lambda _: None,
    progress: Callable[[int], None] = lambda _: None,
) -> dict[str, Any]:
    """A whole run in this process, without Airflow; returns its report.

    ``planned`` is told how many references there are, ``progress`` how many more have ended. When Elasticsearch
    or the archive stays away, the rest of the work is kept and the report says so.
    """
    run_id = f"{kind.replace(' ', '-')}-{services.now():%Y%m%dT%H%M%SZ}-{services.new_name()}"
    record = plan_run(
        services,
        run_id,
        request,
        sources,
        kind=kind,
        references=references,
        fetch_again=fetch_again,
        owner=_this_process(),
    )
    planned(record.discovered)
    progress(services.ledger.tally(run_id).accounted)
    with worker_pool(services.settings.extract.workers) as pool:
        for batch in range(record.batches):
            try:
                process_batch(services, run_id, batch, sources=sources, progress=progress, pool=pool)
            except RetriableError as error:
                log.warning("%s", error)
                break  # the other batches would wait just as long; finish_run keeps them
    return finish_run(services, run_id)


def file_references(paths: Iterable[str], services: Services) -> Iterator[ArticleRef | ItemResult]:
    """References to what stands at these paths: files, folders (recursively) or URLs, for a run by hand."""
    with services.web() as web:
        for path in paths:
            location = path if "://" in path else _absolute(path)
            by_hand = Source(id=BY_HAND, kind=SourceKind.FOLDER, location=location)
            if path.lower().startswith(("http://", "https://")):
                yield from refs_of_urls([path], by_hand)
                continue
            yield from discover(
                by_hand,
                window=None,
                base_dir=Path.cwd(),
                web=web,
                now=services.now(),
                settings=services.settings,
            )


def _absolute(path: str) -> str:
    # Without "..", but with the links that the user went through: the name that he knows it by.
    return os.path.abspath(path)  # noqa: PTH100


def urltest(services: Services, url: str) -> list[dict[str, Any]]:
    """The way of one URL through discovery's rules, robots.txt, fetching and extraction; nothing is written."""
    trace = trace_url(url, settings=services.settings.fetch, politeness_dir=services.politeness_dir, clock=services.now)
    steps = [{"name": s.name, "ok": s.ok, "detail": s.detail, "reason": s.reason} for s in trace.steps]
    if trace.page is None:
        return steps
    try:
        article = extract(trace.page, settings=services.settings.extract)
    except ArticleError as error:
        return [*steps, {"name": "extract", "ok": False, "detail": error.detail, "reason": error.reason}]
    published = article.published.value.isoformat() if article.published else "no date"
    detail = f"{article.headline!r}, {article.word_count} words, {published}"
    [answer] = services.enricher.enrich([article])
    steps.append({"name": "extract", "ok": True, "detail": detail, "reason": None})
    if not isinstance(answer, ArticleError):
        language = (
            f"language {answer.language.code} ({answer.language.confidence:.2f}), {len(answer.entities)} entities"
        )
        steps.append({"name": "enrich", "ok": True, "detail": language, "reason": None})
    return steps


def explain(services: Services, what: str) -> dict[str, Any]:
    """What happened to a URL, path or document id: every run that knew it, and the stored document if there is one."""
    document = get_document(services.elasticsearch, what, prefix=services.prefix)
    entries = services.ledger.history(name=what, document_id=document["_id"] if document else what)
    if not entries and "://" not in what:
        entries = services.ledger.history(name=_absolute(what))
        if document is None and (ids := [entry.document_id for entry in entries if entry.document_id]):
            document = get_document(services.elasticsearch, ids[-1], prefix=services.prefix)
    return {
        "query": what,
        "runs": [
            {
                "ref": entry.ref.name,
                "source": entry.ref.source_id,
                "via": entry.ref.via,
                "run_id": entry.run_id,
                "discovered_at": entry.discovered_at.isoformat(),
                "archive": asdict(entry.archived) if entry.archived else None,
                "stage": entry.stage,
                "outcome": entry.outcome,
                "reason": entry.reason,
                "detail": entry.detail,
                "id": entry.document_id,
                "ended_at": entry.ended_at.isoformat() if entry.ended_at else None,
                "taken_over_by": entry.taken_over_by,
            }
            for entry in entries
        ],
        "document": _brief(document) if document else None,
    }


def _brief(document: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "id": document["_id"],
        "index": document["_index"],
        "headline": document["headline"],
        "url": document.get("url"),
    }
