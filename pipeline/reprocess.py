"""Which archive records a re-processing works on, and which sources can still name what they published in the past."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any

from elasticsearch import Elasticsearch

from pipeline.archive import Archive
from pipeline.index.client import call
from pipeline.index.documents import iso
from pipeline.index.templates import Names
from pipeline.ledger import Ledger
from pipeline.models import ArchiveAddress, ArticleRef, RawPage, Source, SourceKind, Window

_PAGE = 1000
"""Hits asked for at a time."""


def only_the_present(source: Source) -> str | None:
    """Why a source can't be asked for a span of the past, or None where it can.

    Sitemaps, folders, WARC files and CC-NEWS know when things were; lists of URLs don't. How far back a feed goes
    only the feed itself tells (see ``pipeline.discover.older_pages``).
    """
    return "a list of URLs has no dates" if source.kind is SourceKind.URLS else None


def in_window(window: Window | None, source_ids: Sequence[str]) -> dict[str, Any]:
    """The query for stored articles of these sources (all when empty) whose @timestamp lies in the window."""
    filters: list[dict[str, Any]] = []
    if window is not None:
        filters.append({"range": {"@timestamp": {"gte": iso(window.since), "lt": iso(window.until)}}})
    if source_ids:
        filters.append({"terms": {"source.id": list(source_ids)}})
    return {"bool": {"filter": filters}}


def stored_articles(
    client: Elasticsearch, query: Mapping[str, Any], fields: Sequence[str], *, prefix: str
) -> Iterator[dict[str, Any]]:
    """Every stored article that matches, each once, with its ``_id`` and ``_index``, from one moment's index.

    A point in time holds still what is read, so that what is written meanwhile neither doubles nor hides anything.
    Raises IndexUnavailableError.
    """
    # Without an index yet there is nothing to open a point in time on.
    if not call(lambda: bool(client.indices.exists_alias(name=Names(prefix).articles))):
        return
    opened = call(lambda: client.open_point_in_time(index=Names(prefix).articles, keep_alive="5m"))
    try:
        after: list[Any] | None = None
        while True:
            options: dict[str, Any] = {"search_after": after} if after else {}
            answer = call(
                lambda options=options: client.search(  # type: ignore[misc]
                    pit={"id": opened["id"], "keep_alive": "5m"},
                    query=query,
                    source_includes=list(fields),
                    sort=["_shard_doc"],
                    size=_PAGE,
                    track_total_hits=False,
                    **options,
                )
            )
            hits = answer["hits"]["hits"]
            for hit in hits:
                yield {"_id": hit["_id"], "_index": hit["_index"], **hit.get("_source", {})}
            if len(hits) < _PAGE:
                return
            after = hits[-1]["sort"]
    finally:
        call(lambda: client.options(ignore_status=404).close_point_in_time(id=opened["id"]))


def stored_references(
    client: Elasticsearch, ledger: Ledger, archive: Archive, *, window: Window | None, source_ids: Sequence[str],
    prefix: str,
) -> Iterator[ArticleRef]:  # fmt: skip
    """References, with their archive addresses, to the articles in the index that are dated in the window.

    Articles whose record the ledger doesn't know are looked up in the archive itself; those without a readable record
    are left out.
    """
    documents = stored_articles(client, in_window(window, source_ids), ["archive"], prefix=prefix)
    addresses = (ArchiveAddress(**document["archive"]) for document in documents if "archive" in document)
    while chunk := list(islice(addresses, _PAGE)):
        known = ledger.captures_at(chunk)
        yield from (replace(known[address].ref, archived=address) for address in chunk if address in known)
        missing = sorted(set(chunk) - set(known), key=lambda address: (address.file, address.offset))
        yield from (page.ref for page in archive.read(missing) if isinstance(page, RawPage))
