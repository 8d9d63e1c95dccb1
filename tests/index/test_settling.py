"""Whatever order copies come in, and whoever writes them: once they are settled the index is the same."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest
from elasticsearch import Elasticsearch
from indexing.articles import NOON
from test_clusters import DAY, EXPECTED, HOUR, agency_day, clusters_of, document, edited, story, text

from pipeline.index import settling
from pipeline.index.documents import Document
from pipeline.index.settling import settle
from pipeline.index.writer import write
from pipeline.settings import IndexSettings

Dump = Callable[[], dict[str, dict[str, Any]]]
STORY = story(1)


class Index:
    """Writes and settles in the test's own installation."""

    def __init__(self, client: Elasticsearch, prefix: str, settings: IndexSettings, dump: Dump) -> None:
        self.client, self.prefix, self.settings, self.dump = client, prefix, settings, dump

    def put(self, *documents: Document) -> None:
        for item in write(self.client, documents, settings=self.settings, prefix=self.prefix):
            assert item.outcome.kind.value in ("indexed", "updated", "unchanged", "duplicate"), item

    def settle(self, *runs: str, since: Any = NOON) -> int:
        return settle(self.client, runs, since=since, prefix=self.prefix, wait_seconds=5)

    def empty(self) -> None:
        self.client.indices.delete(index=list(self.client.indices.get(index=self.prefix)))

    def content(self) -> dict[str, dict[str, Any]]:
        """Everything but when each was written."""
        bookkeeping = ("first_seen_at", "delay_seconds", "_index")
        return {id_: {k: v for k, v in item.items() if k not in bookkeeping} for id_, item in self.dump().items()}

    def cluster(self, item: Document) -> str:
        return str(self.dump()[item.id]["cluster_id"])


@pytest.fixture
def index(client: Elasticsearch, prefix: str, settings: IndexSettings, dump: Dump) -> Index:
    return Index(client, prefix, settings, dump)


def a_days_news() -> list[Document]:
    """The agency's day, found by one run but written minutes apart, with the print version and a reprint of a story."""
    wire = story(1)
    day = [
        *agency_day(),
        document("https://wire.example/print/1?format=plain", text(wire), published_at=NOON - 24 * HOUR),
        document("https://kick.example/syndicated/1", text(story(5)), published_at=NOON - HOUR),
        document("https://undated.example/1", text(edited(story(7))), published_at=None),
    ]
    return [replace(item, source={**item.source, "discovered_at": item.source["first_seen_at"]}) for item in day]


def seen(item: Document, minute: int) -> Document:
    """The same, written at another moment."""
    moment = f"2024-05-01T12:{minute:02}:00.000Z"
    source = {**item.source, "first_seen_at": moment}
    if source["timestamp_basis"] == "first_seen":
        source["@timestamp"] = moment
    return replace(item, source=source)


@pytest.mark.parametrize("seed", range(4))
def test_the_order_of_arrival_leaves_no_trace(index: Index, seed: int) -> None:
    """Written together, or one by one in any order at any moment, a run's articles end with the same originals,
    addresses, clusters and similarities, field by field."""
    day = a_days_news()
    index.put(*day)
    index.settle("run-1")
    expected = index.content()
    assert {site: sites for site, sites in clusters_of(index.dump()).items() if site != "alone.example"} == {
        site: sites for site, sites in EXPECTED.items() if site != "alone.example"
    }
    assert clusters_of(index.dump())["alone.example"] == {"alone.example", "undated.example"}
    index.empty()
    random.Random(seed).shuffle(day)
    for minute, item in enumerate(day):
        index.put(seen(item, minute))
    index.settle("run-1")
    found = index.content()
    for item in (*found.values(), *expected.values()):
        if item["timestamp_basis"] == "first_seen":
            item.pop("@timestamp")
    assert found == expected
    assert index.settle("run-1") == 0


def put_unseen(index: Index, day: list[Document], monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody finds anything of what is there: everyone writes as if into an empty index."""
    with monkeypatch.context() as patch:
        patch.setattr("pipeline.index.stored.Reader.search", lambda *_, **__: [])
        for item in day:
            index.put(item)


def test_two_that_write_at_the_same_moment_are_put_right(index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    """Near copies and equal texts that two writers store without seeing each other end as if one had written them."""
    day = a_days_news()
    index.put(*day)
    index.settle("run-1")
    expected = index.content()
    index.empty()
    put_unseen(index, day, monkeypatch)
    assert len(index.dump()) == len(day)
    assert index.settle("run-1") > 0
    assert index.content() == expected


def test_a_settling_that_was_interrupted_is_finished_by_the_next(index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed after any of its writes, it ends the same when it is given again."""
    day = a_days_news()
    index.put(*day)
    index.settle("run-1")
    expected = index.content()
    index.empty()
    put_unseen(index, day, monkeypatch)
    monkeypatch.setattr(settling, "_WHOLE", 1)
    send, sent = settling._Settling._send, 0

    def dies(self: Any, operations: Sequence[Any]) -> None:
        nonlocal sent
        sent += 1
        if sent % 3 == 2:
            raise KeyboardInterrupt
        send(self, operations)

    monkeypatch.setattr(settling._Settling, "_send", dies)
    interrupted = 0
    while True:
        try:
            index.settle("run-1")
        except KeyboardInterrupt:
            interrupted += 1
        else:
            break
    assert interrupted > 1
    assert index.content() == expected


def later(number: int, **fields: Any) -> dict[str, Any]:
    """What is common to the documents of the run of a later day."""
    moment = NOON + number * DAY
    return {"seen_at": moment, "discovered_at": moment, "fetched_at": moment, "run_id": f"run-{number}", **fields}


def test_a_published_cluster_keeps_its_id(index: Index) -> None:
    """What later runs bring joins the clusters that are there, however early it is dated; its founder may be
    rewritten, a member may be edited: the id stays. A member that tells something else now leaves."""
    first = document("https://a.example/1", text(STORY), **later(0))
    copy = document("https://b.example/1", text(edited(STORY)), **later(0))
    index.put(first, copy)
    index.settle("run-0")
    assert index.cluster(copy) == first.id
    backfilled = document("https://c.example/1", text(STORY[:6]), published_at=NOON - 9 * DAY, **later(1))
    index.put(backfilled)
    index.settle("run-1", since=NOON + DAY)
    assert index.cluster(backfilled) == first.id
    rewritten = document("https://a.example/1", text(story(9)), **later(2))
    edited_again = document("https://b.example/1", text(STORY[:7]), **later(2))
    index.put(rewritten, edited_again)
    index.settle("run-2", since=NOON + 2 * DAY)
    assert {index.cluster(item) for item in (first, copy, backfilled)} == {first.id}
    assert 0.5 < index.dump()[copy.id]["similarity"] <= 1
    index.put(document("https://b.example/1", text(story(8)), **later(3)))
    index.settle("run-3", since=NOON + 3 * DAY)
    assert index.cluster(copy) == copy.id
    assert "similarity" not in index.dump()[copy.id]


def test_a_stub_that_grew_joins(index: Index) -> None:
    """A stub that becomes an agency's story later joins the story's cluster."""
    first = document("https://a.example/1", text(STORY), **later(0))
    stub = document("https://b.example/1", "More soon.", **later(0))
    index.put(first, stub)
    index.settle("run-0")
    assert index.cluster(stub) == stub.id
    index.put(document("https://b.example/1", text(edited(STORY)), **later(1)))
    index.settle("run-1", since=NOON + DAY)
    assert index.cluster(stub) == first.id


def test_what_a_run_left_over_still_counts_as_found_by_it(index: Index) -> None:
    """An original that a killed run left to the next one is the original all the same: its copies, which were there
    before it, follow it."""
    original = document("https://a.example/1", text(STORY), published_at=NOON - DAY, **later(0, run_id="run-1"))
    copy = document("https://b.example/1", text(edited(STORY)), **later(0))
    index.put(copy)
    index.settle("run-0")
    assert index.cluster(copy) == copy.id
    index.put(document("https://c.example/1", text(STORY[:6]), **later(1)))
    index.put(original)
    index.settle("run-0", "run-1")
    assert {item["cluster_id"] for item in index.dump().values()} == {original.id}


def test_an_original_stays_one_and_its_exact_copies_go_with_it(index: Index) -> None:
    """A published original isn't made a duplicate by what is dated earlier; exact copies are in its cluster."""
    original = document("https://a.example/1", text(STORY), **later(0))
    index.put(original)
    index.settle("run-0")
    reprint = document("https://b.example/1", text(STORY), published_at=NOON - 9 * DAY, **later(1))
    index.put(reprint)
    index.settle("run-1", since=NOON + DAY)
    held = index.dump()
    assert "duplicate_of" not in held[original.id]
    assert (held[reprint.id]["duplicate_of"], held[reprint.id]["cluster_id"]) == (original.id, original.id)
