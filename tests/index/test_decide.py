"""What is decided about a document, given what the index holds. Pure."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from indexing.articles import FILLER, NOON, document

from pipeline.index.documents import Document, iso
from pipeline.index.writer import Stored, decide, supersedes
from pipeline.models import OutcomeKind

DAY = timedelta(days=1)


def stored(kept: Document, *, index: str | None = None, **fields: Any) -> Stored:
    """``kept`` as the index would hold it."""
    return Stored(
        id=kept.id,
        index=index or f"news-{kept.family}-000001",
        family=kept.family,
        seq_no=1,
        primary_term=1,
        source={**kept.source, **fields},
    )


def test_a_new_article_is_created() -> None:
    """What the index doesn't know in any way is added."""
    action = decide(document(), [], [])
    assert (action.kind, action.outcome.kind) == ("create", OutcomeKind.INDEXED)


def test_the_same_again_is_left_alone() -> None:
    """Meeting the same article again, later and elsewhere, writes nothing."""
    again = document(fetched_at=NOON + DAY, seen_at=NOON + DAY, source="another", run_id="run-2")
    action = decide(again, [stored(document())], [])
    assert (action.kind, action.outcome.kind) == ("nothing", OutcomeKind.UNCHANGED)


def test_a_changed_article_keeps_its_history() -> None:
    """A new version replaces the old one whole but for when it was first seen and what it is also known as."""
    old = stored(document(published_at=None), alternate_urls=["https://b.example/"], revisions=[{"headline": "x"}])
    new = document(published_at=None, headline="New", fetched_at=NOON + DAY, seen_at=NOON + DAY)
    action = decide(new, [old], [])
    assert (action.kind, action.outcome.kind) == ("replace", OutcomeKind.UPDATED)
    assert action.source["headline"] == "New"
    assert action.source["first_seen_at"] == action.source["@timestamp"] == iso(NOON)
    assert action.source["alternate_urls"] == ["https://b.example/"]
    assert action.source["revisions"] == [{"headline": "x"}]


def test_a_changed_language_moves_the_article() -> None:
    """An article taken for another language goes to that language's index and leaves the old one."""
    old = stored(document(language="de"))
    action = decide(document(language="en"), [old], [])
    assert (action.kind, action.outcome.kind, action.target) == ("move", OutcomeKind.UPDATED, old)


def test_of_two_copies_one_is_left() -> None:
    """Copies left behind by a writer that died are cleared as soon as the article is met again."""
    new, old = stored(document(language="en")), stored(document(language="de"))
    action = decide(document(language="en"), [old, new], [])
    assert (action.kind, action.target, action.surplus) == ("nothing", new, (old,))
    # Also where the newer copy stands in the wrong family.
    late = stored(document(language="de", fetched_at=NOON + DAY))
    action = decide(document(language="en", headline="x", fetched_at=NOON + DAY), [late, new], [])
    assert (action.kind, action.target, action.surplus) == ("replace", new, (late,))


@pytest.mark.parametrize(
    ("incoming", "held", "expected"),
    [
        ({"fetched_at": NOON}, {"fetched_at": NOON + DAY}, False),
        ({"fetched_at": NOON + DAY}, {"fetched_at": NOON}, True),
        ({"fetched_at": NOON}, {"fetched_at": NOON}, True),
        ({"modified_at": NOON - DAY, "fetched_at": NOON + DAY}, {"modified_at": NOON}, False),
        ({"modified_at": NOON, "fetched_at": NOON}, {"modified_at": NOON - DAY, "fetched_at": NOON + DAY}, True),
        ({"modified_at": NOON, "fetched_at": NOON}, {"modified_at": NOON, "fetched_at": NOON + DAY}, False),
        ({"modified_at": NOON, "fetched_at": NOON}, {"fetched_at": NOON + DAY}, False),
        ({"digest": "a", "modified_at": NOON - DAY}, {"digest": "a", "modified_at": NOON}, True),
        ({"digest": "a", "fetched_at": NOON}, {"digest": "b", "fetched_at": NOON + DAY}, False),
    ],
    ids=str,
)
def test_an_older_version_never_replaces_a_newer(
    incoming: dict[str, Any], held: dict[str, Any], expected: bool
) -> None:
    """Whatever order they arrive in, the later modified, else the later fetched stays; bytes read anew may."""
    new, old = document(headline="incoming", **incoming), document(headline="held", **held)
    assert supersedes(new.source, old.source) is expected
    action = decide(new, [stored(old)], [])
    assert action.outcome.kind is (OutcomeKind.UPDATED if expected else OutcomeKind.UNCHANGED)
    assert action.outcome.detail == ("" if expected else "older version")


def test_the_same_text_at_the_same_site_is_another_address() -> None:
    """A print version isn't a second article: the first one notes its address, and the second time nothing happens."""
    first = document("https://a.example.com/1", FILLER)
    second = document("https://b.example.com/print/1", FILLER)
    action = decide(second, [], [stored(first)])
    assert (action.kind, action.outcome.kind) == ("merge", OutcomeKind.DUPLICATE)
    assert first.id in action.outcome.detail
    assert "https://a.example.com/1" in action.outcome.detail
    noted = stored(first).with_alternates("https://b.example.com/print/1")
    again = decide(second, [], [noted])
    assert (again.kind, again.outcome.kind) == ("nothing", OutcomeKind.UNCHANGED)


def test_the_shorter_address_takes_the_place_of_the_longer_one() -> None:
    """Which of two addresses found by one run is the article doesn't depend on which came first."""
    first = document("https://a.example.com/print/1", FILLER)
    held = stored(first, alternate_urls=["https://a.example.com/print/1?x=2"], first_seen_at=iso(NOON + DAY))
    second = document("https://a.example.com/1", FILLER)
    action = decide(second, [], [held])
    assert (action.kind, action.outcome.kind, action.target) == ("move", OutcomeKind.INDEXED, held)
    assert action.source["alternate_urls"] == [first.location, "https://a.example.com/print/1?x=2"]
    # Of another run's it is another address, however short.
    later = document("https://a.example.com/1", FILLER, seen_at=NOON + 2 * DAY)
    assert decide(later, [], [held]).kind == "merge"


def test_the_same_text_at_another_site_is_kept_and_linked() -> None:
    """A wire story stays visible on each site that ran it, linked to where it was seen first."""
    early = stored(document("https://a.example/1", FILLER, seen_at=NOON - DAY))
    late = stored(document("https://b.example/1", FILLER, seen_at=NOON))
    action = decide(document("https://c.example/1", FILLER), [], [late, early])
    assert (action.kind, action.outcome.kind) == ("create", OutcomeKind.DUPLICATE)
    assert action.source["duplicate_of"] == early.id


def test_duplicates_form_no_chains() -> None:
    """A duplicate is never linked to another duplicate, and an original that others may be linked to stays one."""
    original = stored(document("https://a.example/1", FILLER, seen_at=NOON))
    duplicate = stored(document("https://b.example/1", FILLER, seen_at=NOON - DAY), duplicate_of=original.id)
    action = decide(document("https://c.example/1", FILLER), [], [duplicate, original])
    assert action.source["duplicate_of"] == original.id
    other = stored(document("https://d.example/1", "Another text. " * 20))
    now_alike = document("https://d.example/1", FILLER, fetched_at=NOON + DAY)
    action = decide(now_alike, [other], [original])
    assert action.kind == "replace"
    assert "duplicate_of" not in action.source


def test_a_duplicate_whose_text_changes_is_one_no_longer() -> None:
    """A link to an original goes when the text has become another, and stays when only the headline has."""
    original = stored(document("https://a.example/1", FILLER))
    duplicate = stored(document("https://b.example/1", FILLER), duplicate_of=original.id)
    headline = decide(document("https://b.example/1", FILLER, headline="New"), [duplicate], [original, duplicate])
    assert headline.source["duplicate_of"] == original.id
    text = decide(document("https://b.example/1", "Quite another text. " * 20), [duplicate], [])
    assert "duplicate_of" not in text.source


def test_a_second_address_at_a_duplicates_site_is_noted_there() -> None:
    """Two addresses of one site are one document also where that site only copied the story."""
    original = stored(document("https://a.example/1", FILLER))
    duplicate = stored(document("https://b.example/1", FILLER), duplicate_of=original.id)
    action = decide(document("https://b.example/2", FILLER), [], [original, duplicate])
    assert (action.kind, action.target) == ("merge", duplicate)


def test_files_without_address_are_merged() -> None:
    """A text that is in the index already is not stored again because a file holds it too, nor the other way round."""
    page, file = document("https://a.example/1", FILLER), document(None, FILLER, path="a.txt")
    copy = document(None, FILLER, path="copy.txt")
    for incoming, by_id, by_text in [(file, [], [page]), (page, [], [file]), (copy, [file], [file])]:
        action = decide(incoming, [stored(item) for item in by_id], [stored(item) for item in by_text])
        assert (action.kind, action.outcome.kind) == ("merge", OutcomeKind.DUPLICATE)
    assert decide(file, [stored(file)], [stored(file)]).outcome.kind is OutcomeKind.UNCHANGED


def test_a_file_is_merged_into_originals_only() -> None:
    """What becomes of a file doesn't depend on which copies of its text happen to be looked at."""
    duplicate = stored(document("https://b.example/1", FILLER), duplicate_of="somebody")
    assert decide(document(None, FILLER, path="a.txt"), [], [duplicate]).kind == "create"


@pytest.mark.parametrize("body", ["Page not available.", "More soon. " * 8])
def test_short_texts_are_not_compared(body: str) -> None:
    """Two reports that both say "More soon" so far are two reports."""
    action = decide(document("https://a.example/2", body), [], [stored(document("https://a.example/1", body))])
    assert (action.kind, action.outcome.kind) == ("create", OutcomeKind.INDEXED)
