"""The index built anew from the archive, beside the live one, and put in its place in one step.

Each family gets a new index that stands behind the read alias from the start, but with a filter that lets nothing
through, so that searches see the live generation alone. Documents go in through aliases of their own. At the end one
request to Elasticsearch takes the filter off the new indices, and the old ones out of the aliases: a search sees the
one generation or the other, never a part of either. Until then an interruption leaves the live indices as they are;
what it leaves behind is removed by the next rebuild.

When an article was first seen, its earlier versions, and the cluster of near copies that it is in are taken over from
the live index.
"""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import datetime
from heapq import nsmallest
from itertools import islice
from typing import Any

from elasticsearch import Elasticsearch
from filelock import FileLock, Timeout

from pipeline.errors import ArticleError, ArticleFailed, ConfigurationError, FatalError
from pipeline.extract.worker import extract_all
from pipeline.index import templates, writer
from pipeline.index.client import call, wait_until_ready
from pipeline.index.documents import Document, first_seen, iso, to_document
from pipeline.index.templates import Names
from pipeline.ledger import Capture
from pipeline.models import Article, RawPage, Source
from pipeline.reprocess import stored_articles
from pipeline.retention import expired
from pipeline.run import Services
from pipeline.search import SearchRequest, search

_CARRIED = ("discovered_at", "first_seen_at", "revisions", "revision_count")
_CARRIED_WITH_THE_TEXT = ("cluster_id", "similarity")
_NOTHING: dict[str, Any] = {"match_none": {}}
_STEP = 1000
"""Distance between the numbers of two generations' indices, so that either can be rolled over meanwhile."""

Captures = Iterator[tuple[Capture, datetime]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Parity:
    """The new generation against the live one. ``overlap`` is the mean share of equal ids among a query's first ten."""

    live: Mapping[str, int]
    new: Mapping[str, int]
    missing: tuple[str, ...]
    added: int
    queries: tuple[tuple[str, float], ...]

    @property
    def overlap(self) -> float:
        """1 where every query finds the same first ten."""
        return sum(share for _, share in self.queries) / len(self.queries) if self.queries else 1.0

    @property
    def kept(self) -> float:
        """The share of the live articles that the new generation has."""
        total = sum(self.live.values())
        return 1 - len(self.missing) / total if total else 1.0

    def as_dict(self) -> dict[str, Any]:
        """A JSON-ready form."""
        return {
            "languages": {
                language: {"live": self.live.get(language, 0), "new": self.new.get(language, 0)}
                for language in sorted({*self.live, *self.new})
            },
            "kept": round(self.kept, 4),
            "missing": len(self.missing),
            "missing_examples": list(self.missing[:20]),
            "added": self.added,
            "overlap": round(self.overlap, 4),
            "queries": [{"query": query, "overlap": round(share, 4)} for query, share in self.queries],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Rebuilt:
    """How a rebuild ended. ``outcomes`` counts the records that were read, by how they ended."""

    swapped: bool
    outcomes: Mapping[str, int]
    parity: Parity
    indices: tuple[str, ...]
    seconds: float

    def as_dict(self) -> dict[str, Any]:
        """A JSON-ready form."""
        return {
            "swapped": self.swapped,
            "outcomes": dict(sorted(self.outcomes.items())),
            "parity": self.parity.as_dict(),
            "indices": list(self.indices),
            "seconds": round(self.seconds, 1),
        }


def rebuild(
    services: Services,
    sources: Sequence[Source],
    *,
    queries: Sequence[str] = (),
    least_kept: float = 0.99,
    grace_seconds: float = 10,
    progress: Callable[[int], None] = lambda _: None,
) -> Rebuilt:
    """Build the index anew and put it in place if it holds at least ``least_kept`` of the live articles.

    ``queries`` are asked of both generations, beside some of the live articles' headlines. Old indices are deleted
    ``grace_seconds`` after the swap, when searches that had begun before are over. What is ingested meanwhile is
    taken in before and after the swap.

    Raises ConfigurationError where a rebuild is under way, IndexUnavailableError and ArchiveUnavailableError with
    the live index as it was.
    """
    services.settings.home.mkdir(parents=True, exist_ok=True)
    lock = FileLock(services.settings.home / "rebuild.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise ConfigurationError("a rebuild is under way already", hint="Wait for it, or stop it first.") from None
    try:
        return _Rebuild(services, sources, progress).run(queries, least_kept, grace_seconds)
    finally:
        lock.release()


class _Rebuild:
    def __init__(self, services: Services, sources: Sequence[Source], progress: Callable[[int], None]) -> None:
        self.services = services
        self.client = services.elasticsearch
        self.live = Names(services.prefix)
        self.next = Names(f"{services.prefix}-next")
        self.sources = {source.id: source for source in sources}
        self.progress = progress
        self.run_id = f"rebuild-{services.now():%Y%m%dT%H%M%SZ}-{services.new_name()}"
        self.outcomes: Counter[str] = Counter()
        self.families: dict[str, str] = {}

    def run(self, queries: Sequence[str], least_kept: float, grace_seconds: float) -> Rebuilt:
        services, start = self.services, self.services.timer()
        wait_until_ready(self.client, services.settings.ingest.index_wait_seconds)
        remove_leftovers(self.client, services.prefix)
        templates.put_templates(self.client, services.settings.index, services.prefix)
        for index in live_indices(self.client, services.prefix):
            if (family := self.live.family_of(index)) is not None:
                self._prepare(family)
        done = 0
        for _ in range(5):  # what came in while the last pass ran
            last = services.ledger.last_capture()
            if last == done:
                break
            self._write(services.ledger.newest_captures(after=done, until=last), self.next)
            done = last
        call(lambda: self.client.indices.refresh(index=self.next.articles, ignore_unavailable=True), wait_seconds=60)
        parity = compare_generations(self.client, self.live, self.next, queries)
        if parity.kept < least_kept:
            return self._rebuilt(False, parity, start)
        old = live_indices(self.client, services.prefix)
        self._swap(old)
        self._write(services.ledger.newest_captures(after=done), self.live)
        time.sleep(grace_seconds)
        if old:
            call(lambda: self.client.indices.delete(index=old, ignore_unavailable=True), wait_seconds=60)
        return self._rebuilt(True, parity, start)

    def _rebuilt(self, swapped: bool, parity: Parity, start: float) -> Rebuilt:
        return Rebuilt(
            swapped=swapped,
            outcomes=self.outcomes,
            parity=parity,
            indices=tuple(sorted(self.families.values())),
            seconds=self.services.timer() - start,
        )

    def _prepare(self, family: str) -> None:
        """Create the new index of a family, out of searches' sight."""
        if family in self.families:
            return
        index = next_generation(self.client, self.live, family)
        aliases: dict[str, Any] = {
            self.live.articles: {"filter": _NOTHING},
            self.next.articles: {},
            self.next.write_alias(family): {"is_write_index": True},
        }
        call(lambda: self.client.indices.create(index=index, aliases=aliases), wait_seconds=60)
        self.families[family] = index

    def _write(self, captures: Captures, names: Names) -> None:
        for documents in self._documents(captures):
            if names is self.next:
                for family in sorted({document.family for document in documents}):
                    self._prepare(family)
            written = writer.write(
                self.client,
                documents,
                settings=self.services.settings.index,
                prefix=names.prefix,
                wait_seconds=self.services.settings.ingest.index_wait_seconds,
            )
            self.outcomes.update(result.outcome.kind.value for result in written)
            self.progress(len(written))

    def _documents(self, captures: Captures) -> Iterator[list[Document]]:
        """Documents of the captures, some at a time, first seen when the live index, or the archive, first had them."""
        size = self.services.settings.index.bulk_documents
        articles = self._articles(captures)
        with closing(articles):
            while group := list(islice(articles, size)):
                answers = self.services.enricher.enrich([article for article, _ in group], sources=self.sources)
                now, forgotten = self.services.now(), self.services.ledger.forgotten()
                made: list[tuple[Document, datetime]] = []
                for (_, first), answer in zip(group, answers, strict=True):
                    if isinstance(answer, ArticleError):
                        self._ended(answer)
                        continue
                    document = to_document(answer, seen_at=now, run_id=self.run_id)
                    source = document.source
                    gone = forgotten.covers_document(document.id, source.get("canonical_url"), source.get("path"))
                    if gone or expired(source, self.services.settings.retention, now):
                        self.outcomes["rejected"] += 1
                    else:
                        made.append((document, first))
                yield self._carry_over(made)

    def _articles(self, captures: Captures) -> Generator[tuple[Article, datetime], None, None]:
        in_work: deque[datetime] = deque()

        def readable() -> Iterator[RawPage]:
            while chunk := list(islice(captures, 200)):
                pages = self.services.archive.read([capture.address for capture, _ in chunk])
                for (_, first), page in zip(chunk, pages, strict=True):
                    if isinstance(page, ArticleFailed):
                        self._ended(page)
                    else:
                        in_work.append(first)
                        yield page

        options = self.services.settings.extract
        answers = extract_all(readable(), options, timeout_seconds=options.timeout_seconds, workers=options.workers)
        with closing(answers):
            for _, answer, _ in answers:
                first = in_work.popleft()
                if isinstance(answer, ArticleError):
                    self._ended(answer)
                else:
                    yield answer, first

    def _ended(self, error: ArticleError) -> None:
        self.outcomes["failed" if isinstance(error, ArticleFailed) else "rejected"] += 1
        self.progress(1)

    def _carry_over(self, made: Sequence[tuple[Document, datetime]]) -> list[Document]:
        query = {"ids": {"values": sorted({document.id for document, _ in made})}}
        fields = (*_CARRIED, *_CARRIED_WITH_THE_TEXT, "content_hash")
        known = {
            stored["_id"]: stored for stored in stored_articles(self.client, query, fields, prefix=self.live.prefix)
        }
        return [
            with_past(document, known.get(document.id) or {"first_seen_at": iso(first)}) for document, first in made
        ]

    def _swap(self, old: Sequence[str]) -> None:
        """The one step: new indices in, old ones out of the aliases."""
        actions: list[dict[str, Any]] = []
        for index in old:
            held = call(lambda index=index: self.client.indices.get_alias(index=index))[index]["aliases"]  # type: ignore[misc]
            actions += [{"remove": {"index": index, "alias": alias}} for alias in held]
        for family, index in self.families.items():
            actions += [
                {"remove": {"index": index, "alias": self.next.articles}},
                {"remove": {"index": index, "alias": self.next.write_alias(family)}},
                {"add": {"index": index, "alias": self.live.articles}},
                {"add": {"index": index, "alias": self.live.write_alias(family), "is_write_index": True}},
            ]
        if actions:
            call(lambda: self.client.indices.update_aliases(actions=actions), wait_seconds=60)


def with_past(document: Document, stored: Mapping[str, Any]) -> Document:
    """The document with the past that ``stored`` tells of: first sight, revisions, and its cluster if the text is
    the same. Pure."""
    same_text = stored.get("content_hash") == document.source["content_hash"]
    carried = (*_CARRIED, *(_CARRIED_WITH_THE_TEXT if same_text else ()))
    source = {**document.source, **{key: stored[key] for key in carried if key in stored}}
    return replace(document, source=first_seen(source, source["first_seen_at"]))


def live_indices(client: Elasticsearch, prefix: str) -> list[str]:
    """The indices of articles that searches see, all generations that are being built left out."""
    return [index for index, alias in _behind(client, prefix).items() if alias.get("filter") != _NOTHING]


def remove_leftovers(client: Elasticsearch, prefix: str) -> list[str]:
    """Delete what a rebuild that was interrupted left behind; returns the names."""
    left = [index for index, alias in _behind(client, prefix).items() if alias.get("filter") == _NOTHING]
    if left:
        call(lambda: client.indices.delete(index=left, ignore_unavailable=True), wait_seconds=60)
    return left


def next_generation(client: Elasticsearch, names: Names, family: str) -> str:
    """The name of the first index of a family's next generation."""
    found = call(lambda: client.indices.get(index=f"{names.prefix}-{family}-0*", features="aliases"))
    numbers = [int(index.rpartition("-")[2]) for index in found if names.family_of(index) == family]
    number = (max(numbers, default=0) // _STEP + 1) * _STEP + 1
    if number >= 10**5:
        raise FatalError(f"the family {family} has had too many generations; rename its index to start over")
    return f"{names.prefix}-{family}-{number:06d}"


def _behind(client: Elasticsearch, prefix: str) -> dict[str, dict[str, Any]]:
    alias = Names(prefix).articles
    found = call(lambda: client.options(ignore_status=404).indices.get_alias(name=alias, index=f"{prefix}-*"))
    return {
        index: body["aliases"][alias]
        for index, body in sorted(found.items())
        if isinstance(body, Mapping) and alias in body.get("aliases", {})
    }


# ---------------------------------------------------------------------------------------------- parity


def compare_generations(client: Elasticsearch, live: Names, new: Names, queries: Sequence[str] = ()) -> Parity:
    """Counts, missing articles and the first ten of some queries, of two generations behind two aliases."""
    new_ids = {item["_id"] for item in stored_articles(client, _ALL, ["_none"], prefix=new.prefix)}
    missing: list[str] = []
    common = 0

    def looked_at() -> Iterator[tuple[str, str]]:
        nonlocal common
        for item in stored_articles(client, _ALL, ["headline"], prefix=live.prefix):
            if item["_id"] in new_ids:
                common += 1
            else:
                missing.append(item["_id"])
            yield item["_id"], item["headline"]

    # Ids are hashes: the lowest ten are any ten, and the same ones each time.
    headlines = [headline for _, headline in nsmallest(10, looked_at())]
    asked = [*queries, *map(_words, headlines)]
    return Parity(
        live=_languages(client, live),
        new=_languages(client, new),
        missing=tuple(sorted(missing)),
        added=len(new_ids) - common,
        queries=tuple((query, _overlap(client, query, live, new)) for query in asked if query),
    )


_ALL: dict[str, Any] = {"match_all": {}}


def _words(headline: str) -> str:
    # Plain words only: a headline is no query in Elasticsearch's syntax.
    return " ".join("".join(c if c.isalnum() else " " for c in headline).split()[:6])


def _overlap(client: Elasticsearch, query: str, live: Names, new: Names) -> float:
    first = [{hit.id for hit in search(client, SearchRequest(query=query, prefix=n.prefix)).hits} for n in (live, new)]
    return len(first[0] & first[1]) / len(first[0] | first[1]) if first[0] | first[1] else 1.0


def _languages(client: Elasticsearch, names: Names) -> dict[str, int]:
    answer = call(
        lambda: client.search(
            index=names.articles,
            ignore_unavailable=True,
            size=0,
            aggs={"languages": {"terms": {"field": "language", "size": 1000}}},
        )
    )
    buckets = answer.get("aggregations", {}).get("languages", {}).get("buckets", [])
    return {str(bucket["key"]): int(bucket["doc_count"]) for bucket in buckets}
