"""Earlier versions of an article: what is kept of them, and when a change counts as one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from elasticsearch import Elasticsearch
from indexing.articles import NOON, enriched

from pipeline.enrich.fingerprints import content_hash
from pipeline.index.documents import Document, iso, to_document
from pipeline.index.revisions import MOST_REVISIONS, as_lines, changed_sentences, revision, with_revision
from pipeline.index.writer import Written, write
from pipeline.settings import IndexSettings

DAY = timedelta(days=1)
Dump = Callable[[], dict[str, dict[str, Any]]]
Put = Callable[..., list[Written]]

FIRST = "The bridge opens in May. It cost 3.5 million.\n\n“We are proud,” said the mayor. Nobody was hurt."
SECOND = (
    "The bridge opens in June. It cost 3.5 million.\n\n“We are proud,” said the mayor. Nobody was hurt. Tolls apply."
)


def version(body: str, day: int = 0, **fields: Any) -> Document:
    """The article's version that was fetched on this day."""
    fields = {"digest": f"sha1:{day}", "fetched_at": NOON + day * DAY, **fields}
    article = replace(enriched(body=body, **fields), content_hash=content_hash(body))
    return to_document(article, seen_at=NOON + day * DAY, run_id=f"run-{day}")


# ----------------------------------------------------------------------------------------------- the diff


@pytest.mark.parametrize(
    ("before", "after", "removed", "added"),
    [
        (FIRST, SECOND, ["The bridge opens in May."], ["The bridge opens in June.", "Tolls apply."]),
        (FIRST, FIRST.replace(" ", "  "), [], []),
        ("One. Two. Three.", "One. Three.", ["Two."], []),
        ("One. Two.", "Two. One.", ["Two."], ["Two."]),
        ("He said: “No.” She left.", "He said: “No.” She stayed.", ["She left."], ["She stayed."]),
        ("一つ。二つ。三つ。", "一つ。三つ。", ["二つ。"], []),
        ("", "Something.", [], ["Something."]),
    ],
    ids=["changed", "blanks only", "cut", "moved", "quotes", "japanese", "from nothing"],
)
def test_sentences_tell_what_changed(before: str, after: str, removed: list[str], added: list[str]) -> None:
    """A reader sees the sentences that went and those that came, and nothing else."""
    assert changed_sentences(before, after) == (removed, added)


def test_long_repetitive_texts_are_compared_too() -> None:
    """A table of thousands of equal lines that is rewritten doesn't hold up the run."""
    before = "Start.\n" + "Same.\n" * 5_000 + "Old.\n" + "Same.\n" * 5_000
    after = "Begin.\n" + "Same.\n" * 9_000 + "New.\n" + "Same.\n" * 1_001 + "End."
    assert changed_sentences(before, after) == (["Start.", "Old."], ["Begin.", "New.", "Same.", "End."])


def test_an_entry_stays_small() -> None:
    """A text that is replaced whole leaves the beginning of what it was, and how much more."""
    before = version(" ".join(f"Old sentence number {number} {'x' * 900}." for number in range(60)))
    after = version(" ".join(f"New sentence number {number}." for number in range(30)), 1)
    entry = revision(before.source, after.source)
    assert entry is not None
    assert (len(entry["removed"]), len(entry["added"]), entry["omitted"]) == (20, 20, 50)
    assert max(map(len, entry["removed"])) == 400


@pytest.mark.parametrize(
    ("modified", "later", "silent"),
    [(NOON, NOON, True), (NOON, NOON + DAY, False), (None, None, True), (None, NOON, False), (NOON, None, False)],
)
def test_an_edit_without_a_word_is_silent(modified: Any, later: Any, silent: bool) -> None:
    """An edit is silent where the page states the same modification date as before, or none at all as before."""
    entry = revision(version(FIRST, modified_at=modified).source, version(SECOND, 1, modified_at=later).source)
    assert entry is not None
    assert entry["silent_edit"] is silent


@pytest.mark.parametrize(
    "after",
    [version(SECOND, 1, digest="sha1:0"), version(SECOND, digest=None), version(FIRST + " ", 1)],
    ids=["same bytes", "same fetch", "same text"],
)
def test_reading_the_same_page_anew_is_no_revision(after: Document) -> None:
    """A better extractor changes what we say of a page, not the page."""
    assert revision(version(FIRST, digest=after.source.get("archive") and "sha1:0").source, after.source) is None


def test_the_oldest_are_dropped_but_counted() -> None:
    """An article that changes every minute keeps its latest versions, and the number of all."""
    stored: dict[str, Any] = {}
    for day in range(MOST_REVISIONS + 5):
        stored = with_revision(stored, {"at": iso(NOON + day * DAY), "headline": str(day)})
    assert stored["revision_count"] == MOST_REVISIONS + 5
    assert [entry["headline"] for entry in stored["revisions"]] == [str(n) for n in range(5, MOST_REVISIONS + 5)]
    assert with_revision(stored, stored["revisions"][3]) == stored
    assert with_revision({}, None) == {}


# ------------------------------------------------------------------------------------------- in the index


@pytest.fixture
def put(client: Elasticsearch, prefix: str, settings: IndexSettings) -> Put:
    """Write documents with the test's client and prefix."""

    def put(*documents: Document) -> list[Written]:
        return write(client, documents, settings=settings, prefix=prefix)

    return put


VERSIONS = (
    version(FIRST, 0, modified_at=NOON, headline="Bridge opens in May"),
    version(SECOND, 1, modified_at=NOON, headline="Bridge opens in June"),
    version(SECOND + " So says the council.", 2, modified_at=NOON + 2 * DAY, headline="Bridge opens in June"),
)


def test_a_changed_body_leaves_a_revision(put: Put, dump: Dump) -> None:
    """One document tells the article's whole story: what it says now, and when which sentences went and came."""
    for item in VERSIONS:
        put(item)
    (held,) = dump().values()
    assert held["body"].endswith("council.")
    assert held["first_seen_at"] == iso(NOON)
    assert held["revision_count"] == 2
    first, second = held["revisions"]
    assert first == {
        "at": iso(NOON + DAY),
        "content_hash": VERSIONS[0].source["content_hash"],
        "headline": "Bridge opens in May",
        "modified_at": iso(NOON),
        "silent_edit": True,
        "removed": ["The bridge opens in May."],
        "added": ["The bridge opens in June.", "Tolls apply."],
    }
    assert (second["silent_edit"], second["added"]) == (False, ["So says the council."])


def test_versions_of_one_batch_leave_revisions(put: Put, dump: Dump) -> None:
    """Versions that are read from the archive together leave what they would have left one by one, in any order."""
    put(*(replace(item, source={**item.source, "first_seen_at": iso(NOON)}) for item in VERSIONS[::-1]))
    (held,) = dump().values()
    assert [entry["at"] for entry in held["revisions"]] == [iso(NOON + DAY), iso(NOON + 2 * DAY)]


def test_reading_versions_again_adds_nothing(put: Put, dump: Dump) -> None:
    """Runs repeated over old and new versions, and a new extractor over the last one, leave the revisions alone."""
    for item in VERSIONS:
        put(item)
    before = dump()
    for item in VERSIONS:
        put(item)
    assert dump() == before
    body = VERSIONS[2].source["body"] + " And this was overlooked until now."
    put(version(body, 2, modified_at=NOON + 2 * DAY, headline="Bridge opens in June"))
    (held,), (was,) = dump().values(), before.values()
    assert held["body"] == body
    assert (held["revisions"], held["revision_count"]) == (was["revisions"], 2)


def test_a_rebuilt_index_lists_changes_once(put: Put, dump: Dump) -> None:
    """Versions written into a new index that got the old one's revisions are not listed a second time."""
    for item in VERSIONS:
        put(item)
    (held,) = dump().values()
    past = {key: held[key] for key in ("first_seen_at", "revisions", "revision_count")}
    again = replace(VERSIONS[0], source={**VERSIONS[0].source, **past, "headline": "x"}, id="f" * 32)
    put(again)
    for item in VERSIONS[1:]:
        put(replace(item, id="f" * 32))
    rebuilt = dump()["f" * 32]
    assert (rebuilt["revisions"], rebuilt["revision_count"]) == (held["revisions"], 2)


def test_a_headline_alone_leaves_none(put: Put, dump: Dump) -> None:
    """A new headline over the same text is an update, not another version of the text."""
    put(version(FIRST))
    put(version(FIRST, 1, headline="Another"))
    (held,) = dump().values()
    assert "revisions" not in held


def test_a_move_to_another_language_keeps_revisions(put: Put, dump: Dump) -> None:
    """An article whose language was told wrong at first loses nothing of its past."""
    put(version(FIRST, language="de"))
    put(version(SECOND, 1, language="en"))
    (held,) = dump().values()
    assert held["_index"].endswith("-en-000001")
    assert held["revision_count"] == 1


def test_revisions_read_well(put: Put, dump: Dump) -> None:
    """On the terminal the latest change comes first, with what went, what came, and whether the page said so."""
    for item in VERSIONS:
        put(item)
    (held,) = dump().values()
    lines = as_lines(held)
    assert lines[0] == "2 earlier versions, first seen 2024-05-01T12:00:00.000Z"
    assert lines[2:4] == ["changed 2024-05-03T12:00:00.000Z", "  + So says the council."]
    assert lines[5] == "changed 2024-05-02T12:00:00.000Z  silent edit: the page states no new modification date"
    assert "  headline then: Bridge opens in May" in lines
    assert "  - The bridge opens in May." in lines
    assert as_lines({"first_seen_at": "x"}) == ["No earlier version: the text is as it was first seen."]
    assert as_lines({**held, "revision_count": 9})[-1] == "7 earlier changes are no longer listed."
