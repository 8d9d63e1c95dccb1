"""Takedown: an article, a file or a whole domain out of index, quarantine, ledger and archive, and kept out.

The tombstone comes first, so that nothing comes back while the rest is removed, and so that a takedown that was
interrupted is finished by giving the command again. Backups and snapshots are not reached.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline import urls
from pipeline.index import quarantine
from pipeline.index.client import call
from pipeline.index.templates import Names
from pipeline.models import ArchiveAddress
from pipeline.operations.erasure import erase
from pipeline.reprocess import stored_articles
from pipeline.run import Services
from pipeline.tombstones import Forgotten, Tombstone, tombstone_of

_FIELDS = ("url", "canonical_url", "alternate_urls", "path", "archive", "duplicate_of", "headline", "first_seen_at")


@dataclass(frozen=True, slots=True, kw_only=True)
class Takedown:
    """What there is to remove. ``documents`` are stored articles, ``names`` references in ledger and quarantine."""

    asked: str
    tombstones: tuple[Tombstone, ...]
    documents: tuple[Mapping[str, Any], ...]
    names: tuple[str, ...]
    addresses: tuple[ArchiveAddress, ...]

    def as_dict(self) -> dict[str, Any]:
        """A JSON-ready form."""
        return {
            "asked": self.asked,
            "articles": [
                {"id": document["_id"], "index": document["_index"], "headline": document.get("headline")}
                for document in self.documents
            ],
            "references": list(self.names),
            "archive_records": len(self.addresses),
        }


def look_up(services: Services, what: str) -> Takedown:
    """Everything that is kept of a URL, an absolute path or a domain. Changes nothing.

    An article is found by any of its addresses, and all of them go. Raises ConfigurationError for what is none of
    these.
    """
    asked = tombstone_of(what)
    documents = _documents(services, asked, what)
    stones = {asked}
    if asked.kind != "domain":
        for document in documents:
            stones.add(Tombstone(kind="article", key=document["_id"]))
            stones |= {_of_location(location) for location in _locations(document)}
    forgotten = Forgotten.of(stones)
    addresses = {ArchiveAddress(**document["archive"]) for document in documents if "archive" in document}
    captured = services.ledger.captures_at(sorted(addresses, key=lambda address: (address.file, address.offset)))
    names = {capture.ref.name for capture in captured.values()}
    names |= {name for part in _parts(asked, what, documents) for name in services.ledger.names_like(part)
              if _covers(forgotten, name)}  # fmt: skip
    addresses |= {capture.address for capture in services.ledger.captures_of(sorted(names))}
    return Takedown(
        asked=what,
        tombstones=tuple(sorted(stones)),
        documents=tuple(documents),
        names=tuple(sorted(names)),
        addresses=tuple(sorted(addresses, key=lambda address: (address.file, address.offset))),
    )


def forget(services: Services, found: Takedown) -> int:
    """Carry out a takedown; returns how many archive records were erased. Safe to repeat.

    Raises IndexUnavailableError or ArchiveUnavailableError where it can't be finished; what is done stays done.
    """
    services.ledger.add_tombstones(found.tombstones, asked=found.asked, now=services.now())
    _delete(services, found.documents)
    entries = [entry for entry in quarantine_of(services) if entry.ref.name in set(found.names)]
    quarantine.remove(services.elasticsearch, [entry.ref for entry in entries], prefix=services.prefix)
    erased = erase(services.archive, found.addresses)
    services.pages.clear()  # feeds' older pages may hold its text
    services.ledger.erase(found.names)  # last: it knows where the records are
    return erased


def quarantine_of(services: Services) -> list[quarantine.Entry]:
    """Every entry in quarantine, as far as one answer goes."""
    return quarantine.entries(services.elasticsearch, limit=10_000, prefix=services.prefix)


def _documents(services: Services, asked: Tombstone, what: str) -> list[dict[str, Any]]:
    client, prefix = services.elasticsearch, services.prefix
    if asked.kind == "domain":
        forgotten = Forgotten.of([asked])
        site = urls.registered_domain(f"https://{asked.key}") or asked.key
        found = stored_articles(client, {"term": {"site": site}}, _FIELDS, prefix=prefix)
        return [document for document in found if forgotten.covers_url(document.get("canonical_url"))]
    if asked.kind == "file":
        locations = [what]
        by_id: list[dict[str, Any]] = []
    else:
        locations = [what, urls.canonicalize(what)]
        by_id = [{"ids": {"values": [asked.key]}}]
    fields = ("url", "canonical_url", "alternate_urls", "path")
    query = {
        "bool": {"should": [*by_id, *({"terms": {name: locations}} for name in fields)], "minimum_should_match": 1}
    }
    return list(stored_articles(client, query, _FIELDS, prefix=prefix))


def _locations(document: Mapping[str, Any]) -> list[str]:
    alternates = document.get("alternate_urls") or []
    found = [document.get("url"), document.get("canonical_url"), document.get("path")]
    return [place for place in (*found, *(alternates if isinstance(alternates, list) else [alternates])) if place]


def _of_location(location: str) -> Tombstone:
    if location.startswith(("http://", "https://")):
        try:
            return Tombstone(kind="article", key=urls.document_id(urls.canonicalize(location)))
        except ValueError:
            pass
    return Tombstone(kind="file", key=location)


def _parts(asked: Tombstone, what: str, documents: Sequence[Mapping[str, Any]]) -> list[str]:
    """What names in the ledger must contain to be worth a closer look: the hosts, or the path."""
    if asked.kind == "domain":
        return [asked.key]
    places = {what, *(place for document in documents for place in _locations(document))}
    return sorted({_host(place) or place for place in places})


def _host(location: str) -> str | None:
    try:
        host = urls.host_of(location)
    except ValueError:
        return None
    return urls.registered_domain_of_host(host) or host


def _covers(forgotten: Forgotten, name: str) -> bool:
    return forgotten.covers_url(name) or forgotten.covers_document("", None, name)


def _delete(services: Services, documents: Sequence[Mapping[str, Any]]) -> None:
    """Delete documents; of the articles of other sites that had the same text, the first takes their place."""
    client, alias = services.elasticsearch, Names(services.prefix).articles
    gone = {document["_id"] for document in documents}
    for start in range(0, len(documents), 500):
        operations = [
            {"delete": {"_index": document["_index"], "_id": document["_id"]}}
            for document in documents[start : start + 500]
        ]
        call(lambda operations=operations: client.bulk(operations=operations, refresh=True), wait_seconds=60)  # type: ignore[misc]
    for original in sorted(gone):
        copies = sorted(
            stored_articles(client, {"term": {"duplicate_of": original}}, _FIELDS, prefix=services.prefix),
            key=lambda copy: (copy["first_seen_at"], copy["_id"]),
        )
        for position, copy in enumerate(copies):
            whole = call(lambda copy=copy: client.get(index=copy["_index"], id=copy["_id"]))["_source"]  # type: ignore[misc]
            whole.pop("duplicate_of", None)
            if position:
                whole["duplicate_of"] = copies[0]["_id"]
            call(lambda copy=copy, whole=whole: client.index(index=copy["_index"], id=copy["_id"], document=whole))  # type: ignore[misc]
    if gone:
        call(lambda: client.indices.refresh(index=alias, ignore_unavailable=True))
