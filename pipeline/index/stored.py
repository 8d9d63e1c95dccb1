"""What the index holds, as those see it who decide what becomes of it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from elasticsearch import Elasticsearch

from pipeline.index import templates
from pipeline.index.client import call
from pipeline.index.templates import Names

MOST_HITS = 10_000
"""Hits a lookup may have: Elasticsearch's own limit."""

LOOKED_UP = [
    "document_hash", "content_hash", "language", "site", "canonical_url", "path", "alternate_urls", "duplicate_of",
    "discovered_at", "first_seen_at", "@timestamp", "timestamp_basis", "fetched_at", "modified_at", "archive.digest",
    "run.id", "revisions", "revision_count", "cluster_id", "similarity", "minhash.shingles",
]  # fmt: skip
"""What a decision needs to know of a stored document: no text."""

COMPARED = [
    "minhash", "cluster_id", "similarity", "duplicate_of", "discovered_at", "first_seen_at", "@timestamp",
    "timestamp_basis", "canonical_url", "language",
]  # fmt: skip
"""What verifying and placing near copies needs."""

_PAGE = 500
"""Articles read at a time where all are read."""

_TERMS = 60_000
"""Bands asked for at a time: a little under Elasticsearch's own limit."""

_CANDIDATES = 5_000
"""Near copies looked at per request, the oldest: beyond that it is a form filled in thousands of times."""

_OLDEST_FIRST = [
    {"discovered_at": {"order": "asc", "missing": "_first", "unmapped_type": "date"}},
    {"first_seen_at": {"order": "asc"}},
    {"@timestamp": {"order": "asc"}},
    {"canonical_url": {"order": "asc"}},
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """What the index holds of an article, without its text, and the version that a write must name."""

    id: str
    index: str
    family: str
    seq_no: int
    primary_term: int
    source: Mapping[str, Any]

    @property
    def locations(self) -> tuple[str, ...]:
        """Every address and path the article is known by."""
        known = (self.source.get("canonical_url"), self.source.get("path"), *as_list(self.source.get("alternate_urls")))
        return tuple(dict.fromkeys(place for place in known if place))

    @property
    def is_original(self) -> bool:
        """Whether it is nobody's duplicate."""
        return "duplicate_of" not in self.source

    def with_alternates(self, *locations: str) -> Stored:
        """The same with more addresses. They are sorted: which came first is of no interest."""
        alternates = sorted({*as_list(self.source.get("alternate_urls")), *locations})
        return replace(self, source={**self.source, "alternate_urls": alternates})

    def at_version(self) -> dict[str, Any]:
        """The header of a write that fails where somebody else has written meanwhile."""
        return {
            "_index": self.index,
            "_id": self.id,
            "if_seq_no": self.seq_no,
            "if_primary_term": self.primary_term,
        }


class Reader:
    """Looks up articles of one installation. Every method raises IndexUnavailableError at once, without waiting."""

    def __init__(self, client: Elasticsearch, names: Names) -> None:
        self._client = client
        self._names = names

    def refresh(self) -> None:
        """Make all that was written so far searchable."""
        call(lambda: self._client.indices.refresh(index=self._names.articles, ignore_unavailable=True), wait_seconds=0)

    def search(self, query: Mapping[str, Any], fields: Sequence[str] = LOOKED_UP, **options: Any) -> list[Stored]:
        """The first 10,000 articles that match; with ``collapse`` they come without the version to write to."""
        response = call(
            lambda: self._client.search(
                index=self._names.articles,
                ignore_unavailable=True,
                allow_partial_search_results=False,
                query={"constant_score": {"filter": query}},
                source_includes=fields,
                # Elasticsearch gives no versions of collapsed hits.
                seq_no_primary_term="collapse" not in options,
                track_total_hits=False,
                **{"size": MOST_HITS, **options},
            ),
            wait_seconds=0,
        )
        return [self._stored(hit) for hit in response["hits"]["hits"]]

    def _stored(self, hit: Mapping[str, Any]) -> Stored:
        return Stored(
            id=hit["_id"],
            index=hit["_index"],
            family=self._names.family_of(hit["_index"]) or templates.family(hit["_source"].get("language", "")),
            seq_no=hit.get("_seq_no", -1),
            primary_term=hit.get("_primary_term", -1),
            source=hit["_source"],
        )

    def all(self, query: Mapping[str, Any], fields: Sequence[str] = LOOKED_UP) -> Iterator[list[Stored]]:
        """Every article that matches, some at a time, from one moment's index: what is written meanwhile hides none."""
        # Without an index yet there is nothing to open a point in time on.
        if not call(lambda: bool(self._client.indices.exists_alias(name=self._names.articles)), wait_seconds=0):
            return
        opened = call(
            lambda: self._client.open_point_in_time(index=self._names.articles, keep_alive="5m"), wait_seconds=0
        )
        try:
            after: dict[str, Any] = {}
            while True:
                response = call(
                    lambda after=after: self._client.search(  # type: ignore[misc]
                        pit={"id": opened["id"], "keep_alive": "5m"},
                        query=query,
                        source_includes=fields,
                        seq_no_primary_term=True,
                        sort=["_shard_doc"],
                        size=_PAGE,
                        track_total_hits=False,
                        **after,
                    ),
                    wait_seconds=0,
                )
                hits = response["hits"]["hits"]
                if hits:
                    yield [self._stored(hit) for hit in hits]
                if len(hits) < _PAGE:
                    return
                after = {"search_after": hits[-1]["sort"]}
        finally:
            call(lambda: self._client.options(ignore_status=404).close_point_in_time(id=opened["id"]), wait_seconds=0)

    def near(self, bands: Collection[str]) -> dict[str, list[Stored]]:
        """By band, the articles that have one of these: those that may be near copies. Exact copies are left out."""
        wanted = sorted(bands)
        found: list[Stored] = []
        for start in range(0, len(wanted), _TERMS):
            # An exact copy of another site's article is found by its original.
            query = {
                "bool": {
                    "filter": [{"terms": {"minhash.bands": wanted[start : start + _TERMS]}}],
                    "must_not": [{"exists": {"field": "duplicate_of"}}],
                }
            }
            oldest: dict[str, Any] = {"size": _CANDIDATES, "sort": _OLDEST_FIRST}
            some = self.search(query, COMPARED, **oldest)
            if len(some) == _CANDIDATES:
                # Thousands of one kind would hide all others: the oldest of each cluster speaks for it.
                some = self.search(query, COMPARED, collapse={"field": "cluster_id"}, **oldest)
            found += some
        by_band: dict[str, list[Stored]] = defaultdict(list)
        asked = set(wanted)
        for item in found:
            for band in bands_of(item.source):
                if band in asked:
                    by_band[band].append(item)
        return by_band


def bands_of(source: Mapping[str, Any]) -> list[str]:
    """The bands of a document's signature."""
    return as_list((source.get("minhash") or {}).get("bands"))


def as_list(value: Any) -> list[Any]:
    """A field's values; Elasticsearch makes no difference between one value and a list of one."""
    return value if isinstance(value, list) else [] if value is None else [value]
