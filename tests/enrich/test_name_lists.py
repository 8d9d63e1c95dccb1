"""The component that marks words of known names for the entity recogniser."""

from __future__ import annotations

from pathlib import Path

import spacy

from pipeline.enrich.name_lists import NameLists


def component() -> NameLists:
    lists = NameLists()
    lists.fill(
        {
            "country": ["Chad"],
            "city": ["New York", "York"],
            "organization": ["New York Times", "Bank of New York"],
            "first": ["Chad", "Ann"],
            "last": ["York"],
        }
    )
    return lists


def tags(text: str) -> dict[str, str]:
    doc = component()(spacy.blank("en")(text))
    return {token.text: token.tag_ for token in doc if token.tag_}


def test_longest_phrase_wins_and_words_keep_their_own_lists() -> None:
    """ "New York Times" is read as one known name, and York still counts as a last name."""
    assert tags("Ann left New York for the New York Times.") == {
        "Ann": "F",
        "New": "OB3",
        "York": "OI3L",
        "Times": "OI3",
    }
    assert tags("Chad saw York") == {"Chad": "CB1F", "York": "BB1L"}
    assert tags("nothing known here, new york") == {}
    assert tags("") == {}


def test_saved_lists_come_back_the_same(tmp_path: Path) -> None:
    """A saved model finds the same names after loading, and saving it again gives the same bytes."""
    nlp = spacy.blank("en")
    nlp.add_pipe("name_lists").fill(component().lists)  # type: ignore[attr-defined]
    nlp.to_disk(tmp_path / "model")
    loaded = spacy.load(tmp_path / "model")
    text = "Ann left the Bank of New York."
    assert [t.tag_ for t in loaded(text)] == [t.tag_ for t in nlp(text)]
    loaded.to_disk(tmp_path / "again")
    again, first = (tmp_path / name / "name_lists" / "names.json.gz" for name in ("again", "model"))
    assert again.read_bytes() == first.read_bytes()
