"""Once a run has written all it has: which of several copies is the original, and which cluster each article is in.

While a run writes, that depends on which article came first: batches go side by side, and one whose process was killed
comes later than it would have. ``settle`` decides it anew from the articles alone, by their ``age``
(``pipeline.index.clusters``), so that the index is the same in the end however they came in.

What was in the index before the run stays as it is: an original stays one, and a cluster id stays with its articles. An
article whose words were changed leaves its cluster only where it is no longer like any other in it, and the one that
the cluster is named after only where it is alone in it.

Every write names the version it was decided on, and all is looked at again until nothing is left to do; so it may be
interrupted, repeated, and go on beside others that write.
"""

from __future__ import annotations

import json
import logging
from collections import defaultdict, deque
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, TypeVar

from elasticsearch import Elasticsearch

from pipeline.errors import IndexUnavailableError
from pipeline.index.client import BUSY, call, describe, retries
from pipeline.index.clusters import Age, age, cluster_of, follow, near_copies
from pipeline.index.documents import comparable, iso
from pipeline.index.stored import COMPARED, Reader, Stored, as_list, bands_of
from pipeline.index.templates import Names
from pipeline.index.writer import at_one_place

log = logging.getLogger(__name__)
T = TypeVar("T")

_TRIES = 12
"""How often all is looked at again before the rest is left to the next run."""

_ROUND = 500
"""Articles looked up at a time."""

_COMPARED_AT_A_TIME = 100
"""Articles whose near copies are looked up at a time: each may have dozens, and each of those takes some 6 kB."""

_WHOLE = 50
"""Articles read whole and written at a time."""

_TEXTS = [
    "content_hash", "site", "canonical_url", "path", "alternate_urls", "duplicate_of", "discovered_at",
    "first_seen_at", "@timestamp", "timestamp_basis", "language",
]  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What is to be done to a stored article: fields to set (None removes one), or the whole to be deleted."""

    target: Stored
    fields: Mapping[str, Any] = field(default_factory=dict)
    delete: bool = False


def settle(
    client: Elasticsearch,
    run_ids: Collection[str],
    *,
    since: datetime,
    prefix: str = "news",
    wait_seconds: float = 180,
) -> int:
    """Put right what the articles of these runs are copies of; returns how many articles were changed for it.

    ``since`` is when the first of what the runs worked on was discovered: what is younger is decided anew, what is
    older stays. Raises IndexUnavailableError once Elasticsearch has been away for ``wait_seconds``.
    """
    settling = _Settling(client, Names(prefix), sorted(run_ids), iso(since))
    total = 0
    for _ in range(_TRIES):
        changed = _patiently(settling.once, wait_seconds)
        total += changed
        if not changed:
            return total
    log.warning("Others kept changing the same articles; the next run puts the rest of their clusters right.")
    return total


def _patiently(step: Callable[[], T], wait_seconds: float) -> T:
    for attempt in retries(wait_seconds):
        with attempt:
            return step()
    raise AssertionError("unreachable")  # the last attempt returns or raises


# ------------------------------------------------------------------------------------------ equal texts


def settled_texts(group: Sequence[Stored], since: str) -> list[Change]:
    """What is to be done about articles with one text. Pure.

    The original is the oldest that was there before ``since`` and was one, else the oldest of all. Of younger articles
    than that, one at the site of an older one becomes its alternate address, the others its duplicates.
    """
    by_age = sorted(group, key=lambda stored: age(stored.id, stored.source))
    young = {stored.id for stored in by_age if _is_young(stored, since)}
    elders = [
        stored
        for stored in by_age
        if stored.id not in young and (stored.is_original or stored.source["duplicate_of"] in young)
    ]
    original = (elders or by_age)[0]
    changes: list[Change] = []
    homes: list[Stored] = []
    noted: dict[str, Stored] = {}
    for stored in by_age:
        held = stored.source.get("duplicate_of")
        home = next(
            (
                other
                for other in homes
                if at_one_place(stored.source, other.source)
                and (other is original or stored.source.get("canonical_url"))
            ),
            None,
        )
        if stored.id in young and home is not None and stored is not original:
            latest = noted.get(home.id, home)
            if missing := set(stored.locations) - set(latest.locations):
                noted[home.id] = latest.with_alternates(*missing)
            else:  # only once its addresses are safe
                changes.append(Change(target=stored, delete=True))
            continue
        homes.append(stored)
        if stored.id not in young and held not in young:
            continue
        wanted = None if stored is original else original.id
        if wanted != held:
            changes.append(Change(target=stored, fields={"duplicate_of": wanted}))
    changes += [
        Change(target=stored, fields={"alternate_urls": as_list(stored.source["alternate_urls"])})
        for stored in noted.values()
    ]
    return changes


def _is_young(stored: Stored, since: str) -> bool:
    return age(stored.id, stored.source)[0] >= since


# --------------------------------------------------------------------------------------------- clusters


@dataclass(frozen=True, slots=True, kw_only=True)
class _Member:
    """An article whose cluster is to be decided: whom it follows, and which cluster that one is said to be in."""

    stored: Stored
    age: Age
    leader: str | None
    alike: float = 1.0
    leaders_cluster: str = ""
    stays: bool = False

    def placement(self, decided: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
        """``cluster_id`` and ``similarity``, given those of all older articles that are decided."""
        held = cluster_of(self.stored.id, self.stored.source)
        if self.stays:
            return {"cluster_id": held} if self.leader is None else follow(held, self.alike)
        if self.leader is None:
            return {"cluster_id": self.stored.id}
        cluster = decided[self.leader]["cluster_id"] if self.leader in decided else self.leaders_cluster
        return follow(cluster, self.alike)

    @property
    def is_settled(self) -> bool:
        """Whether it is placed, and stands where it is placed, whatever becomes of others."""
        return (self.leader is None or self.stays) and not _placed(self.stored, self.placement({}))


def settled_clusters(members: Iterable[_Member]) -> dict[str, dict[str, Any]]:
    """The placement of each, by id. Pure: the oldest first, for everybody follows somebody older."""
    decided: dict[str, dict[str, Any]] = {}
    for member in sorted(members, key=lambda member: member.age):
        decided[member.stored.id] = member.placement(decided)
    return decided


class _Settling:
    def __init__(self, client: Elasticsearch, names: Names, run_ids: Sequence[str], since: str) -> None:
        self.client = client
        self.reader = Reader(client, names)
        self.written = {"terms": {"run.id": list(run_ids)}}
        self.since = since

    def once(self) -> int:
        """Look at everything once; how many articles were changed, or would have been but for somebody else."""
        self.reader.refresh()
        return self._texts() or self._clusters()

    def _texts(self) -> int:
        changes: list[Change] = []
        shared: set[str] = set()  # what only one article says is forgotten: a run may be of any size
        for page in self.reader.all(self.written, ["content_hash"]):
            hashes = {stored.source["content_hash"] for stored in page if "content_hash" in stored.source} - shared
            groups: dict[str, dict[str, Stored]] = defaultdict(dict)
            for some in self.reader.all({"terms": {"content_hash": sorted(hashes)}}, _TEXTS):
                for stored in some:
                    groups[stored.source["content_hash"]][stored.id] = stored
            for content_hash, group in groups.items():
                if len(group) == 1:
                    continue
                shared.add(content_hash)
                if found := settled_texts(list(group.values()), self.since):
                    whole = self.reader.search({"ids": {"values": [found[0].target.id]}}, ["body"])
                    if whole and comparable(whole[0].source.get("body", "")):
                        changes += found
        return self._apply(changes)

    def _clusters(self) -> int:
        # What is kept grows with the copies alone, not with the run: no signatures, and of articles that are like no
        # other and say so already nothing at all.
        members: dict[str, _Member] = {}
        copies: dict[str, Stored] = {}
        waiting: deque[Stored] = deque()
        followers: set[str] = set()

        def look_at(some: Iterable[Stored]) -> None:
            for stored in some:
                if stored.is_original:
                    waiting.append(stored)
                else:
                    copies[stored.id] = _without_signature(stored)

        def follow_up(some: Iterable[Stored]) -> None:
            new = [stored for stored in some if stored.id not in followers]
            followers.update(stored.id for stored in new)
            look_at(new)

        def work() -> None:
            while waiting:
                some = [waiting.popleft() for _ in range(min(len(waiting), _COMPARED_AT_A_TIME))]
                near = self.reader.near({band for stored in some if self._is_open(stored) for band in _bands(stored)})
                for stored in some:
                    member = self._member(stored, near, follow_up)
                    if not member.is_settled:
                        members[stored.id] = replace(member, stored=_without_signature(stored))

        for page in self.reader.all(self.written, COMPARED):
            look_at(stored for stored in page if stored.id not in followers)
            work()
        decided = settled_clusters(members.values())
        changes = [
            Change(target=member.stored, fields=_placed(member.stored, decided[id_])) for id_, member in members.items()
        ]
        changes = [change for change in changes if change.fields]
        # Exact copies go with their originals.
        moved = sorted(change.target.id for change in changes)
        for start in range(0, len(moved), _ROUND):
            for page in self.reader.all({"terms": {"duplicate_of": moved[start : start + _ROUND]}}, COMPARED):
                look_at(page)
        originals = {stored.source["duplicate_of"] for stored in copies.values()} - set(decided)
        clusters = {id_: placement["cluster_id"] for id_, placement in decided.items()}
        for stored in self._named(sorted(originals), ["cluster_id"]):
            clusters[stored.id] = cluster_of(stored.id, stored.source)
        for stored in copies.values():
            cluster = clusters.get(stored.source["duplicate_of"])
            if cluster is not None and (fields := _placed(stored, follow(cluster, 1.0))):
                changes.append(Change(target=stored, fields=fields))
        return self._apply(changes)

    def _is_open(self, stored: Stored) -> bool:
        """Whether it may have to leave its cluster: it is new, or has other words than when it was placed."""
        source = stored.source
        return _is_young(stored, self.since) or "similarity" not in source

    def _member(
        self, stored: Stored, near: Mapping[str, Sequence[Stored]], look_at: Callable[[Iterable[Stored]], None]
    ) -> _Member:
        source, own_age = stored.source, age(stored.id, stored.source)
        if not self._is_open(stored):
            return _Member(stored=stored, age=own_age, leader="", alike=source["similarity"], stays=True)
        candidates = {item.id: item for band in _bands(stored) for item in near.get(band, ())}
        copies = list(near_copies(stored.id, source, ((item.id, item.source) for item in candidates.values())))
        look_at(
            candidates[id_]
            for id_, copy, _ in copies
            if age(id_, copy) > own_age and _is_young(candidates[id_], self.since)
        )
        if not _is_young(stored, self.since):
            held = cluster_of(stored.id, source)
            if held == stored.id:
                if not copies or age(copies[0][0], copies[0][1]) > own_age or self._has_followers(stored.id):
                    return _Member(stored=stored, age=own_age, leader=None, stays=True)
            else:
                for id_, copy, alike in copies:
                    if cluster_of(id_, copy) == held and not _is_young(candidates[id_], self.since):
                        return _Member(stored=stored, age=own_age, leader=id_, alike=alike, stays=True)
        for id_, copy, alike in copies:
            if age(id_, copy) < own_age:
                return _Member(
                    stored=stored, age=own_age, leader=id_, alike=alike, leaders_cluster=cluster_of(id_, copy)
                )
        return _Member(stored=stored, age=own_age, leader=None)

    def _has_followers(self, cluster_id: str) -> bool:
        """Whether others that were there before are in the cluster of this article."""
        query = {
            "bool": {"filter": [{"term": {"cluster_id": cluster_id}}], "must_not": [{"ids": {"values": [cluster_id]}}]}
        }
        return any(not _is_young(stored, self.since) for page in self.reader.all(query, COMPARED) for stored in page)

    def _named(self, ids: Sequence[str], fields: Sequence[str]) -> list[Stored]:
        found: list[Stored] = []
        for start in range(0, len(ids), _ROUND):
            found += self.reader.search({"ids": {"values": ids[start : start + _ROUND]}}, fields)
        return found

    def _apply(self, changes: Sequence[Change]) -> int:
        for start in range(0, len(changes), _WHOLE):
            some = {change.target.id: change for change in changes[start : start + _WHOLE]}
            operations: list[Any] = []
            for stored in self._named(sorted(some), ["*"]):
                change = some[stored.id]
                if (stored.index, stored.seq_no) != (change.target.index, change.target.seq_no):
                    continue  # somebody has changed it meanwhile: look again
                if change.delete:
                    operations.append({"delete": stored.at_version()})
                else:
                    whole = {**stored.source, **change.fields}
                    kept = {key: value for key, value in whole.items() if value is not None}
                    operations += [{"index": stored.at_version()}, json.dumps(kept, ensure_ascii=False)]
            if operations:
                self._send(operations)
        return len(changes)

    def _send(self, operations: Sequence[Any]) -> None:
        answer = call(lambda: self.client.bulk(operations=operations), wait_seconds=0)
        for item in answer["items"]:
            (result,) = item.values()
            if result["status"] in BUSY:
                raise IndexUnavailableError(f"Elasticsearch turns documents away: {describe(result['error'])}.")
            if result["status"] >= 300 and result["status"] not in (404, 409):
                log.warning("Elasticsearch refuses to settle %s: %s", result["_id"], describe(result["error"]))


def _bands(stored: Stored) -> list[str]:
    return bands_of(stored.source)


def _without_signature(stored: Stored) -> Stored:
    return replace(stored, source={key: value for key, value in stored.source.items() if key != "minhash"})


def _placed(stored: Stored, placement: Mapping[str, Any]) -> dict[str, Any]:
    """The fields to set for a placement; none where all is so already."""
    wanted = {"cluster_id": placement["cluster_id"], "similarity": placement.get("similarity")}
    return wanted if any(stored.source.get(key) != value for key, value in wanted.items()) else {}
