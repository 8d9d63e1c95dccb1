"""Writing into a real index."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from threading import Barrier
from typing import Any

import pytest
from elasticsearch import Elasticsearch
from indexing.articles import FILLER, NOON, document
from indexing.forwarder import Fate, forwarder

from pipeline.errors import ConfigurationError, IndexUnavailableError, Reason
from pipeline.index import stored, writer
from pipeline.index.client import connect
from pipeline.index.documents import Document
from pipeline.index.templates import Names
from pipeline.index.writer import Written, write
from pipeline.models import OutcomeKind
from pipeline.settings import IndexSettings

DAY = timedelta(days=1)

Dump = Callable[[], dict[str, dict[str, Any]]]
Write = Callable[..., list[Written]]


@pytest.fixture
def put(client: Elasticsearch, prefix: str, settings: IndexSettings) -> Write:
    """Write documents with the test's client and prefix."""

    def put(*documents: Document, settings: IndexSettings = settings, **options: Any) -> list[Written]:
        return write(options.pop("client", client), documents, settings=settings, prefix=prefix, **options)

    return put


def kinds(written: Sequence[Written]) -> list[str]:
    return [item.outcome.kind.value for item in written]


def test_each_document_ends_once_and_in_order(put: Write, dump: Dump) -> None:
    """The answer to a list of documents is a list of outcomes, one for each, and what it says is in the index."""
    documents = [document(f"https://a.example/{number}") for number in range(7)]
    written = put(*documents)
    assert [item.document_id for item in written] == [item.id for item in documents]
    assert kinds(written) == ["indexed"] * 7
    assert set(dump()) == {item.id for item in documents}


def test_nothing_to_write(put: Write) -> None:
    """An empty batch is fine."""
    assert put() == []


def test_articles_are_searchable_at_once(client: Elasticsearch, put: Write, prefix: str) -> None:
    """When writing has returned, a search finds the article."""
    put(document())
    assert client.count(index=prefix)["count"] == 1


def test_the_same_input_twice_leaves_the_same_index(put: Write, dump: Dump) -> None:
    """A run repeated over the same input, later and in another order, changes nothing but says ``unchanged``."""
    documents = [
        document(f"https://a{number % 7}.example/{number}", language=("en", "de", "und")[number % 3])
        for number in range(40)
    ]
    documents += [document(f"https://b{number}.example/wire", FILLER) for number in range(5)]
    documents += [document(f"https://c.example/print/{number}", FILLER + "!") for number in range(5)]
    documents += [document(None, FILLER + "?", path=f"{number}.txt") for number in range(3)]
    first = put(*documents)
    assert Counter(kinds(first)) == {"indexed": 43, "duplicate": 10}
    before = dump()
    again = [
        replace(item, source={**item.source, "first_seen_at": "2024-06-01T00:00:00.000Z", "run": {"id": "run-2"}})
        for item in documents
    ]
    random.Random(7).shuffle(again)
    assert set(kinds(put(*again))) == {"unchanged"}
    assert dump() == before


def test_an_updated_article_keeps_its_place(put: Write, dump: Dump) -> None:
    """A new version is stored in the place of the old one, which remembers when it was first seen."""
    put(document())
    changed = document(headline="Changed", fetched_at=NOON + DAY, seen_at=NOON + DAY, run_id="run-2")
    assert kinds(put(changed)) == ["updated"]
    (held,) = dump().values()
    assert held["headline"] == "Changed"
    assert held["first_seen_at"] == "2024-05-01T12:00:00.000Z"
    assert held["run"] == {"id": "run-2"}


def test_fields_that_went_away_are_gone(put: Write, dump: Dump) -> None:
    """An update replaces the whole article: an author the page no longer names is no longer stored."""
    put(document(authors=("A. Writer",)))
    put(document())
    (held,) = dump().values()
    assert "authors" not in held


def test_an_older_version_changes_nothing(put: Write, dump: Dump) -> None:
    """A page from the archive doesn't overwrite what was fetched after it."""
    put(document(headline="New", fetched_at=NOON + DAY))
    (written,) = put(document(headline="Old", fetched_at=NOON))
    assert (written.outcome.kind, written.outcome.detail) == (OutcomeKind.UNCHANGED, "older version")
    assert [held["headline"] for held in dump().values()] == ["New"]


def test_a_changed_language_moves_the_article(put: Write, dump: Dump, prefix: str) -> None:
    """An article is never in two languages' indices, and keeps its history when it moves."""
    put(document(language="de"))
    moved = document(language="en", fetched_at=NOON + DAY, seen_at=NOON + DAY)
    assert kinds(put(moved)) == ["updated"]
    held = dump()[moved.id]
    assert held["_index"] == f"{prefix}-en-000001"
    assert held["first_seen_at"] == "2024-05-01T12:00:00.000Z"
    assert kinds(put(moved)) == ["unchanged"]


def test_a_refused_move_loses_nothing(put: Write, dump: Dump) -> None:
    """If the new index refuses the article, the old version stays."""
    put(document(language="de"))
    assert kinds(put(_broken(document(language="en", headline="x")))) == ["failed"]
    assert [held["language"] for held in dump().values()] == ["de"]


def test_a_refused_document_fails_alone(put: Write, dump: Dump) -> None:
    """One document that Elasticsearch refuses is failed with the reason it gives; those beside it are indexed."""
    documents = [
        document("https://a.example/1"),
        _broken(document("https://a.example/2")),
        document("https://a.example/3"),
    ]
    written = put(*documents)
    assert kinds(written) == ["indexed", "failed", "indexed"]
    assert written[1].outcome.reason is Reason.INDEX_REFUSED
    assert "surprise" in written[1].outcome.detail
    assert written[1].stage == "index"
    assert set(dump()) == {documents[0].id, documents[2].id}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("published_at", "next Tuesday"),
        ("word_count", "many"),
        ("locations", [{"lat": 91, "lon": 0}]),
        ("word_count", float("nan")),
        ("entities", "none"),
        ("headline", {1, 2}),
    ],
    ids=str,
)
def test_wrong_values_are_refused_one_by_one(put: Write, field: str, value: object) -> None:
    """Whatever is wrong with one document's values, the others of the batch are indexed."""
    good, bad = document("https://a.example/1"), document("https://a.example/2")
    written = put(replace(bad, source={**bad.source, field: value}), good)
    assert kinds(written) == ["failed", "indexed"]
    assert written[0].outcome.reason is Reason.INDEX_REFUSED
    assert written[0].outcome.detail


def test_long_texts_are_kept_whole(client: Elasticsearch, put: Write, prefix: str) -> None:
    """A body far beyond Lucene's term limit, with a word of 40,000 letters and over-long names, is stored uncut."""
    body = f"{'x' * 40_000} " + "word " * 300_000 + "needle"
    long = document("https://a.example/long", body, authors=("n" * 40_000,), keywords=("k" * 9_000,))
    assert kinds(put(long)) == ["indexed"]
    response = client.search(index=prefix, query={"match": {"body": "needle"}})
    (hit,) = response["hits"]["hits"]
    assert hit["_source"]["body"] == body
    assert hit["_source"]["authors"] == ["n" * 40_000]


def test_many_mentions_are_kept(put: Write) -> None:
    """A book-length report with more mentions than Elasticsearch's default limit of 10,000 is not refused."""
    long = document()
    mention = {"text": "A", "type": "person", "start": 0, "end": 1, "name": "A"}
    assert kinds(put(replace(long, source={**long.source, "mentions": [mention] * 10_500}))) == ["indexed"]


def test_same_site_duplicates_are_noted_at_the_original(put: Write, dump: Dump) -> None:
    """Other addresses of one text are listed at the one document, the second time they change nothing."""
    documents = [document(f"https://a.example.com/{number}", FILLER) for number in range(4)]
    file = document(None, FILLER, path="saved/story.txt")
    assert kinds(put(documents[0])) == ["indexed"]
    assert kinds(put(*documents[1:], file)) == ["duplicate"] * 4
    (held,) = dump().values()
    assert sorted(held["alternate_urls"]) == [*(f"https://a.example.com/{n}" for n in (1, 2, 3)), "saved/story.txt"]
    assert kinds(put(*documents, file)) == ["unchanged"] * 5


def test_duplicates_of_other_sites_are_linked_to_the_first(put: Write, dump: Dump) -> None:
    """Each site's copy of a wire story is stored and linked to the one seen first; there are no chains."""
    documents = [document(f"https://s{number}.example/wire", FILLER) for number in range(4)]
    assert kinds(put(*documents)) == ["indexed", "duplicate", "duplicate", "duplicate"]
    assert kinds(put(document("https://s9.example/wire", FILLER, seen_at=NOON - DAY))) == ["duplicate"]
    links = {held["site"]: held.get("duplicate_of") for held in dump().values()}
    first = documents[0].id
    assert links == {
        "s0.example": None,
        "s1.example": first,
        "s2.example": first,
        "s3.example": first,
        "s9.example": first,
    }


def test_one_call_behaves_like_many(put: Write, dump: Dump, client: Elasticsearch, prefix: str) -> None:
    """Whatever stands together in a batch, outcomes and index are those of writing one document after the other."""
    random_ = random.Random(11)
    texts = [f"{FILLER} {number}" for number in range(4)]
    documents = []
    for number in range(36):
        url = f"https://s{random_.randrange(3)}.example/{random_.randrange(5)}"
        documents.append(
            document(
                url if random_.random() < 0.8 else None,
                random_.choice(texts),
                path=f"{number}.txt" if random_.random() < 0.5 else None,
                headline=random_.choice(["One", "Two"]),
                language=random_.choice(["en", "en", "de"]),
                fetched_at=NOON + random_.randrange(5) * DAY,
                seen_at=NOON + number * timedelta(minutes=1),
            )
        )
    together = put(*documents)
    held = dump()
    client.indices.delete(index=list(client.indices.get(index=prefix)))
    singly = [put(item)[0] for item in documents]
    assert kinds(together) == kinds(singly)
    assert together == singly
    assert held == dump()
    originals = {key for key, item in held.items() if "duplicate_of" not in item}
    assert {item["duplicate_of"] for item in held.values() if "duplicate_of" in item} <= originals


def test_a_refused_first_version_gives_way_to_the_second(put: Write, dump: Dump) -> None:
    """Of two versions in one batch the good one is indexed, whichever comes first."""
    good, bad = document(), _broken(document(headline="x"))
    assert kinds(put(bad, good)) == ["failed", "indexed"]
    assert kinds(put(bad)) == ["failed"]
    assert [held["headline"] for held in dump().values()] == [good.source["headline"]]


def test_more_documents_than_a_round_holds(put: Write, dump: Dump, monkeypatch: pytest.MonkeyPatch) -> None:
    """Large batches are looked up in pieces, and pieces in halves where there is too much to look at."""
    monkeypatch.setattr(writer, "_ROUND", 8)
    monkeypatch.setattr(stored, "MOST_HITS", 6)
    monkeypatch.setattr(writer, "MOST_HITS", 6)
    documents = [document(f"https://a.example/{number}") for number in range(20)]
    assert kinds(put(*documents)) == ["indexed"] * 20
    assert kinds(put(*documents)) == ["unchanged"] * 20
    elsewhere = [document(f"https://b.example/{n}", item.source["body"]) for n, item in enumerate(documents)]
    assert kinds(put(*elsewhere)) == ["duplicate"] * 20
    assert len(dump()) == 40


# ------------------------------------------------------------------------------------------ several writers


def test_writers_at_once_make_one_document_each(put: Write, dump: Dump) -> None:
    """Batches that overlap at the same moment leave one document per article, and one of them says ``indexed``."""
    documents = [document(f"https://a.example/{number}") for number in range(60)]
    results = _at_once(put, [documents, documents[::-1], documents, documents[::-1]])
    assert len(dump()) == 60
    for item in documents:
        ends = Counter(w.outcome.kind.value for written in results for w in written if w.document_id == item.id)
        assert ends == {"indexed": 1, "unchanged": 3}


def test_writers_with_different_versions_agree(put: Write, dump: Dump) -> None:
    """Of versions written at the same moment the newest is there in the end, whoever was quicker."""
    batches = [
        [
            document(f"https://a.example/{number}", headline=f"Version {version}", fetched_at=NOON + version * DAY)
            for number in range(30)
        ]
        for version in range(4)
    ]
    results = _at_once(put, batches)
    assert {held["headline"] for held in dump().values()} == {"Version 3"}
    counts = Counter(kind for written in results for kind in kinds(written))
    assert counts["indexed"] == 30
    assert counts["failed"] == 0


def test_writers_that_disagree_on_the_language_leave_one_copy(put: Write, dump: Dump) -> None:
    """Two writers that put an article into two languages' indices at the same moment leave it in one of them."""
    batches = [[document(f"https://a.example/{n}", language=code) for n in range(20)] for code in ("en", "de", "fr")]
    _at_once(put, batches)
    assert len(dump()) == 20  # which also checks that no id stands twice


def test_writers_that_add_addresses_lose_none(put: Write, dump: Dump) -> None:
    """Addresses noted at one article by several writers at the same moment are all there."""
    put(document("https://a.example.com/0", FILLER))
    batches = [[document(f"https://a.example.com/{batch}/{n}", FILLER) for n in range(5)] for batch in range(1, 5)]
    results = _at_once(put, batches)
    assert {kind for written in results for kind in kinds(written)} == {"duplicate"}
    (held,) = dump().values()
    assert len(held["alternate_urls"]) == len(set(held["alternate_urls"])) == 20


def _at_once(put: Write, batches: Sequence[Sequence[Document]]) -> list[list[Written]]:
    start = Barrier(len(batches))

    def work(batch: Sequence[Document]) -> list[Written]:
        start.wait()
        return put(*batch)

    with ThreadPoolExecutor(len(batches)) as pool:
        return list(pool.map(work, batches))


# ---------------------------------------------------------------------------------- Elasticsearch goes away


def _once(when: Callable[[str, bytes], bool], fate: Fate, times: int = 1) -> Callable[[str, str, bytes], Fate]:
    left = [times]

    def decide(method: str, path: str, body: bytes) -> Fate:
        if left[0] and when(path, body):
            left[0] -= 1
            return fate
        return "pass"

    return decide


def _is_bulk(path: str, body: bytes) -> bool:
    return path.startswith("/_bulk")


@pytest.mark.parametrize("fate", ["lose answer", "answer too late", "lose request", 503, 429])
def test_what_arrived_counts_once(put: Write, dump: Dump, elasticsearch_url: str, fate: Fate) -> None:
    """A request without an answer is asked about, not repeated blindly: articles are there once, as indexed."""
    documents = [document(f"https://a.example/{number}") for number in range(5)]
    documents += [document(f"https://b{number}.example/wire", FILLER) for number in range(3)]
    with forwarder(elasticsearch_url, _once(_is_bulk, fate)) as url, connect(url) as flaky:
        written = put(*documents, client=flaky, wait_seconds=20)
    assert kinds(written) == ["indexed"] * 6 + ["duplicate"] * 2
    assert len(dump()) == 8


@pytest.mark.parametrize("fate", ["lose answer", "lose request"])
def test_updates_moves_and_notes_that_arrived_count_once(
    put: Write, dump: Dump, elasticsearch_url: str, fate: Fate
) -> None:
    """The same holds for every other kind of write."""
    put(
        document("https://a.example/1"),
        document("https://a.example/2", language="de"),
        document("https://a.example/3", FILLER),
    )
    later: dict[str, Any] = {"fetched_at": NOON + DAY, "run_id": "run-2"}
    documents = [
        document("https://a.example/1", headline="New", **later),
        document("https://a.example/2", language="en", **later),
        document("https://a.example/4", FILLER, **later),
    ]
    with forwarder(elasticsearch_url, _once(_is_bulk, fate)) as url, connect(url) as flaky:
        written = put(*documents, client=flaky, wait_seconds=20)
    assert kinds(written) == ["updated", "updated", "duplicate"]
    assert len(dump()) == 3


@pytest.mark.parametrize("part", ["/_refresh", "/_search", "/_bulk", "_alias"])
def test_a_short_absence_is_waited_for(put: Write, elasticsearch_url: str, part: str) -> None:
    """Whichever request fails, and twice, the batch goes on when Elasticsearch is back."""

    def hit(path: str, body: bytes) -> bool:
        return part in path

    with forwarder(elasticsearch_url, _once(hit, 503, times=2)) as url, connect(url) as flaky:
        assert kinds(put(document(), client=flaky, wait_seconds=30)) == ["indexed"]


def test_a_long_absence_is_told_and_made_up_for(put: Write, dump: Dump, elasticsearch_url: str) -> None:
    """After the wait the error says that the index is unavailable; the same call later completes the work."""
    documents = [document(f"https://a.example/{number}") for number in range(6)]
    bulks: list[str] = []

    def second_bulk_on(method: str, path: str, body: bytes) -> Fate:
        bulks.append(path)
        return "lose request" if _is_bulk(path, body) and len([p for p in bulks if "_bulk" in p]) > 1 else "pass"

    small = IndexSettings(bulk_documents=2)
    with (
        forwarder(elasticsearch_url, second_bulk_on) as url,
        connect(url) as flaky,
        pytest.raises(IndexUnavailableError),
    ):
        put(*documents, client=flaky, settings=small, wait_seconds=0.5)
    assert Counter(kinds(put(*documents))) == {"unchanged": 2, "indexed": 4}
    assert len(dump()) == 6


def test_a_proxy_that_refuses_large_requests(put: Write, elasticsearch_url: str) -> None:
    """Where something on the way allows only small requests, documents go one by one, and only those too large fail."""

    def limit(method: str, path: str, body: bytes) -> Fate:
        return 413 if len(body) > 20_000 else "pass"

    documents = [document(f"https://a.example/{number}", f"{number} " * 3_000) for number in range(5)]
    documents.append(document("https://a.example/large", "large " * 10_000))
    with forwarder(elasticsearch_url, limit) as url, connect(url) as narrow:
        written = put(*documents, client=narrow, wait_seconds=5)
    assert kinds(written) == ["indexed"] * 5 + ["failed"]
    assert written[-1].outcome.reason is Reason.INDEX_REFUSED


@pytest.mark.parametrize("status", [401, 403])
def test_being_turned_away_is_for_a_person(put: Write, elasticsearch_url: str, status: int) -> None:
    """Wrong credentials end the batch at once and name the variables; they fail no article."""
    with (
        forwarder(elasticsearch_url, _once(_is_bulk, status, 99)) as url,
        connect(url) as locked,
        pytest.raises(ConfigurationError, match="ELASTICSEARCH_API_KEY"),
    ):
        put(document(), client=locked)


def test_a_blocked_index_is_for_a_person(client: Elasticsearch, put: Write, prefix: str) -> None:
    """An index that somebody made read-only fails no article either."""
    put(document())
    index = Names(prefix).first_index("en")
    client.indices.put_settings(index=index, settings={"index.blocks.write": True})
    with pytest.raises(ConfigurationError, match="blocks"):
        put(document(headline="New"))


def test_an_index_lost_at_the_worst_moment_is_made_again(
    client: Elasticsearch, put: Write, prefix: str, elasticsearch_url: str
) -> None:
    """An index deleted just before a write is not replaced by one without a mapping."""
    index = Names(prefix).first_index("en")

    def delete_first(method: str, path: str, body: bytes) -> Fate:
        if _is_bulk(path, body) and not lost:
            lost.append(index)
            client.indices.delete(index=index)
        return "pass"

    lost: list[str] = []
    with forwarder(elasticsearch_url, delete_first) as url, connect(url) as unlucky:
        assert kinds(put(document(), client=unlucky)) == ["indexed"]
    assert lost
    assert client.indices.get_mapping(index=index)[index]["mappings"]["dynamic"] == "strict"


def test_a_lost_index_is_made_again(client: Elasticsearch, put: Write, prefix: str, dump: Dump) -> None:
    """An index deleted between two batches comes back with its mapping, not as an index without one."""
    put(document("https://a.example/1"))
    client.indices.delete(index=Names(prefix).first_index("en"))
    assert kinds(put(document("https://a.example/2"))) == ["indexed"]
    mapping = client.indices.get_mapping(index=Names(prefix).first_index("en"))
    assert mapping[f"{prefix}-en-000001"]["mappings"]["dynamic"] == "strict"


def _broken(good: Document) -> Document:
    return replace(good, source={**good.source, "surprise": "a field that the mapping doesn't know"})
