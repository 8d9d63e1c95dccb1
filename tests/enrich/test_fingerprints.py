"""Content hashes: equal for the same words, different for others."""

from __future__ import annotations

import pytest

from pipeline.enrich.fingerprints import content_hash

STORY = "The minister said: “We won’t wait.”\n\nTalks resume on 12 June."


@pytest.mark.parametrize(
    "copy",
    [
        'The minister said: "We won\'t wait." Talks resume on 12 June.',
        "THE MINISTER SAID — ‘We won’t wait’\r\n\r\n  Talks resume on 12 June",
        "The minister said: “We won’t wait.”\u00a0Talks resume on １２ June.",
    ],
)
def test_layout_quotes_and_case_do_not_matter(copy: str) -> None:
    """The same story set by another site has the same hash."""
    assert content_hash(copy) == content_hash(STORY)


@pytest.mark.parametrize("other", [STORY.replace("12", "13"), STORY + " More.", "", "!!!", "???", "\ud800"])
def test_other_words_have_another_hash(other: str) -> None:
    """A changed figure or an added word is another text; texts without words are compared as they stand."""
    assert content_hash(other) != content_hash(STORY)
    assert content_hash("!!!") != content_hash("???")


def test_hash_is_hexadecimal_and_stable() -> None:
    """Stored hashes stay valid: the value for a known text never changes."""
    assert content_hash("News, again!") == "fccda33f457a0bf4311f8d5fa5d5fb8412ef2d1e51d79216caeceb1d45c28a6f"
