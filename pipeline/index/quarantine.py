"""The quarantine: each reference that failed, why, where its raw record is, and the command that tries it again.

An entry stays until its reference succeeds (``remove``) or a person takes it out. Needs ``templates.set_up``.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from itertools import islice
from typing import Any, TypeVar

from elasticsearch import Elasticsearch, helpers
from pydantic import TypeAdapter

from pipeline.errors import FatalError, IndexUnavailableError, Reason
from pipeline.index.client import BUSY, call, describe
from pipeline.index.documents import iso
from pipeline.index.templates import Names
from pipeline.models import ArchiveAddress, ArticleRef, ItemResult, OutcomeKind, Stage

T = TypeVar("T")

_CHUNK = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One reference that failed. ``attempts`` counts its failures, from ``first_failed_at`` to ``last_failed_at``."""

    ref: ArticleRef
    stage: Stage
    reason: Reason
    message: str
    last_failed_at: datetime
    run_id: str
    command: str
    archived: ArchiveAddress | None = None
    attempts: int = 1
    first_failed_at: datetime | None = None

    @property
    def id(self) -> str:
        """The entry's id: the same for the same reference of the same source."""
        return entry_id(self.ref)


def entry_id(ref: ArticleRef) -> str:
    """The quarantine's id for a reference."""
    return hashlib.sha256(f"{ref.source_id}\n{ref.name}".encode(errors="replace")).hexdigest()[:32]


def entries_of(
    results: Iterable[ItemResult], *, at: datetime, run_id: str, command: Callable[[ItemResult], str]
) -> Iterator[Entry]:
    """Entries for all results that ended as failed. ``command`` gives the command line that tries one again."""
    for result in results:
        if result.outcome.kind is OutcomeKind.FAILED and result.outcome.reason is not None:
            yield Entry(
                ref=result.ref,
                stage=result.stage,
                reason=result.outcome.reason,
                message=result.outcome.detail,
                last_failed_at=at,
                run_id=run_id,
                command=command(result),
                archived=result.archived or result.ref.archived,
            )


def put(client: Elasticsearch, entries: Iterable[Entry], *, prefix: str = "news", wait_seconds: float = 60) -> None:
    """Store entries; one that is there already keeps its first_failed_at and counts an attempt more.

    Raises IndexUnavailableError after ``wait_seconds``.
    """
    index = Names(prefix).quarantine
    for some in _chunks(entries):
        chunk = list({entry.id: entry for entry in some}.values())
        known = _fetch(client, index, [entry.id for entry in chunk], wait_seconds)
        merged = [_after(known.get(entry.id), entry) for entry in chunk]
        actions = [{"_index": index, "_id": entry.id, "_source": to_source(entry)} for entry in merged]
        _send(client, actions, wait_seconds)


def remove(client: Elasticsearch, refs: Iterable[ArticleRef], *, prefix: str = "news", wait_seconds: float = 60) -> int:
    """Take references out, because they succeeded. Returns how many were in."""
    index = Names(prefix).quarantine
    removed = 0
    for some in _chunks(refs):
        chunk = sorted({entry_id(ref) for ref in some})
        present = list(_fetch(client, index, chunk, wait_seconds))
        _send(client, [{"_op_type": "delete", "_index": index, "_id": key} for key in present], wait_seconds)
        removed += len(present)
    return removed


def get(client: Elasticsearch, key: str, *, prefix: str = "news") -> Entry | None:
    """The entry with that id, or None."""
    return _fetch(client, Names(prefix).quarantine, [key], 5).get(key)


def entries(
    client: Elasticsearch,
    *,
    source: str | None = None,
    stage: Stage | None = None,
    reason: Reason | None = None,
    limit: int = 100,
    prefix: str = "news",
) -> list[Entry]:
    """The entries that failed last, newest first (at most 10,000)."""
    wanted = {"source.id": source, "stage": stage, "reason": reason.value if reason else None}
    filters = [{"term": {name: value}} for name, value in wanted.items() if value is not None]
    index = Names(prefix).quarantine
    response = call(
        lambda: client.search(
            index=index,
            ignore_unavailable=True,
            query={"bool": {"filter": filters}},
            sort=[{"last_failed_at": "desc"}, {"name": "asc"}],
            size=min(limit, 10_000),
        )
    )
    return [from_source(hit["_source"]) for hit in response["hits"]["hits"]]


def to_source(entry: Entry) -> dict[str, Any]:
    """The entry as Elasticsearch keeps it; ``ref`` is the whole reference as JSON."""
    archived = entry.archived
    return {
        "@timestamp": iso(entry.last_failed_at),
        "source": {"id": entry.ref.source_id},
        "name": entry.ref.name,
        "stage": entry.stage,
        "reason": entry.reason.value,
        "error": {"message": entry.message},
        "attempts": entry.attempts,
        "first_failed_at": iso(entry.first_failed_at or entry.last_failed_at),
        "last_failed_at": iso(entry.last_failed_at),
        "run": {"id": entry.run_id},
        "ref": _refs().dump_python(entry.ref, mode="json"),
        "command": entry.command,
        **(
            {"archive": {"file": archived.file, "offset": archived.offset, "digest": archived.digest}}
            if archived
            else {}
        ),
    }


def from_source(source: Mapping[str, Any]) -> Entry:
    """The inverse of ``to_source``."""
    archive = source.get("archive")
    return Entry(
        ref=_refs().validate_json(json.dumps(source["ref"])),
        stage=source["stage"],
        reason=Reason(source["reason"]),
        message=source["error"]["message"],
        last_failed_at=datetime.fromisoformat(source["last_failed_at"]),
        run_id=source["run"]["id"],
        command=source["command"],
        archived=ArchiveAddress(**archive) if archive else None,
        attempts=source["attempts"],
        first_failed_at=datetime.fromisoformat(source["first_failed_at"]),
    )


@cache
def _refs() -> TypeAdapter[ArticleRef]:
    return TypeAdapter(ArticleRef)


def _after(known: Entry | None, entry: Entry) -> Entry:
    if known is None:
        return entry
    # A run that adds up a second time has not tried once more.
    more = 0 if known.run_id == entry.run_id else entry.attempts
    return replace(entry, attempts=known.attempts + more, first_failed_at=known.first_failed_at)


def _chunks(items: Iterable[T]) -> Iterator[list[T]]:
    left = iter(items)
    while some := list(islice(left, _CHUNK)):
        yield some


def _fetch(client: Elasticsearch, index: str, keys: Sequence[str], wait_seconds: float) -> dict[str, Entry]:
    if not keys:
        return {}
    response = call(lambda: client.mget(index=index, ids=keys), wait_seconds=wait_seconds)
    return {doc["_id"]: from_source(doc["_source"]) for doc in response["docs"] if doc.get("found")}


def _send(client: Elasticsearch, actions: Sequence[Mapping[str, Any]], wait_seconds: float) -> None:
    def send() -> None:
        # Entries and their ids don't depend on how often they are sent.
        for ok, item in helpers.streaming_bulk(
            client, map(dict, actions), raise_on_error=False, refresh=True, max_chunk_bytes=10_000_000
        ):
            (answer,) = item.values()
            if not ok and answer["status"] in BUSY:
                raise IndexUnavailableError(f"Elasticsearch turns the quarantine's entries away: {answer.get('error')}")
            if not ok and answer["status"] != 404:
                raise FatalError(f"Elasticsearch refuses an entry of the quarantine: {describe(answer.get('error'))}.")

    call(send, wait_seconds=wait_seconds)
