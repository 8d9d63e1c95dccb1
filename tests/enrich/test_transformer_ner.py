"""The component of the English models, and the accurate one: chosen by its name, reads texts of any length."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import spacy
from spacy.tokens import Doc

import pipeline.enrich
from pipeline.enrich import load_enricher
from pipeline.enrich.entities import EntityModel, load_entity_model
from pipeline.enrich.name_lists import NameLists
from pipeline.enrich.transformer_ner import LISTS, SHAPES, label_spans, listed, shape, viterbi, windows
from pipeline.models import Article, EnrichedArticle, EntityType
from pipeline.settings import EntitySettings, LanguageSettings

FOLDER = Path(pipeline.enrich.__file__).parent / "models" / "en_news_acc"
STORY = """UN Secretary-General Ban Ki-moon met Siemens boss Roland Busch in Geneva on Monday.

Sergei Lavrov told reporters that Médecins Sans Frontières should leave North Korea."""


@pytest.fixture(scope="module")
def model() -> EntityModel:
    loaded = load_entity_model(EntitySettings(model="en_news_acc"))
    assert loaded is not None
    return loaded


def test_it_is_found_by_its_name_with_its_card(model: EntityModel) -> None:
    """``entities.model = "en_news_acc"`` works without a download; it is below 30 MB and says its licences."""
    assert (model.languages, model.name.split("-")[0]) == (("en",), "en_news_acc")
    assert sum(f.stat().st_size for f in FOLDER.rglob("*") if f.is_file()) < 30_000_000
    card = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert [word for word in ("CC BY-SA", "ODbL", "GeoNames", "Apache-2.0", "wikigold") if word not in card] == []


def test_a_story_goes_through_the_enrich_stage(make_article: Callable[..., Article]) -> None:
    """Names come out typed by the settings' labels, whatever the pipeline around them."""
    enricher = load_enricher(LanguageSettings(), EntitySettings(model="en_news_acc"))
    (result,) = enricher.enrich([make_article(STORY, headline="An accord is signed in Geneva")])
    assert isinstance(result, EnrichedArticle)
    by_type = {kind: {e.name for e in result.entities if e.type is kind} for kind in EntityType}
    assert by_type[EntityType.PERSON] == {"Ban Ki-moon", "Roland Busch", "Sergei Lavrov"}
    assert by_type[EntityType.PLACE] == {"Geneva", "North Korea"}
    assert by_type[EntityType.ORGANIZATION] >= {"Siemens", "Médecins Sans Frontières"}
    assert result.entities_model is not None
    assert result.entities_model.startswith("en_news_acc-")


def test_spacy_loads_it_by_itself_and_writes_it_again(tmp_path: Path) -> None:
    """The folder is an ordinary spaCy pipeline: ``spacy.load`` reads it, ``to_disk`` writes an equal one."""
    nlp = spacy.load(FOLDER)
    nlp.to_disk(tmp_path / "copy")
    doc = spacy.load(tmp_path / "copy")(STORY)
    assert [(e.text, e.label_) for e in doc.ents] == [(e.text, e.label_) for e in nlp(STORY).ents]
    assert ("Sergei Lavrov", "PER") in {(e.text, e.label_) for e in doc.ents}


def test_long_texts_are_read_to_their_end(model: EntityModel) -> None:
    """Text far beyond the network's window, also without any break, loses no name and no offset."""
    sentence = "On Monday Angela Merkel met Ban Ki-moon in Geneva."
    unbroken = " ".join(["and then Angela Merkel spoke in Geneva"] * 60)
    bodies = ["", "\n \n", " ".join([sentence] * 40), unbroken, "x" * 5000]
    found = model.mentions(bodies)
    assert [len(mentions) for mentions in found] == [0, 0, 120, 120, 0]
    for body, mentions in zip(bodies, found, strict=True):
        assert all(body[m.start : m.end] == m.text for m in mentions)


def test_company_does_not_change_a_documents_names(model: EntityModel) -> None:
    """A document gets the same names alone and among others, today and on re-enrichment."""
    bodies = [STORY, "Angela Merkel spoke.", "No name here.", STORY + "\n\n" + STORY]
    assert model.mentions(bodies) == [model.mentions([body])[0] for body in bodies]


def test_words_are_described_by_shape_and_lists() -> None:
    """What capitals and name lists say of a word reaches the network."""
    words = ["said", "Lavrov", "NATO", "J.", "McCain", "2024", "—", "北京"]
    assert [SHAPES[shape(word) - 1] for word in words] == [
        "lower", "title", "upper", "letter", "mixed", "number", "sign", "lower",
    ]  # fmt: skip
    lists = NameLists()
    lists.fill({"country": ["Chad"], "city": ["New York"], "organization": ["New York Times"], "first": ["Chad"]})
    doc = lists(spacy.blank("en")("Chad reads the New York Times in New York"))
    named = {t.text: {name for i, name in enumerate(LISTS) if listed(t.tag_) >> i & 1} for t in doc if t.tag_}
    assert named == {"Chad": {"CB", "F"}, "New": {"BB"}, "York": {"BI"}, "Times": {"OI"}}


def test_windows_end_between_paragraphs_and_sentences(model: EntityModel) -> None:
    """No name is cut by a window's end while the text has a better place to cut."""
    tokenizer = model.nlp.get_pipe("transformer_ner")._tokenizer  # type: ignore[attr-defined]
    doc: Doc = model.nlp.make_doc("One two three. Four five six. Seven eight nine\n\nTen eleven. " + "word " * 30)
    found = [" ".join(doc[word].text for word in window.words) for window in windows(doc, tokenizer, 12)]
    assert found[:3] == ["One two three . Four five six .", "Seven eight nine", "Ten eleven ."]
    assert sum(len(text.split()) for text in found) == sum(not token.is_space for token in doc)


def test_no_window_is_longer_than_the_network_reads(model: EntityModel) -> None:
    """Also where the last good place to cut is far back and a word of many pieces follows."""
    tokenizer = model.nlp.get_pipe("transformer_ner")._tokenizer  # type: ignore[attr-defined]
    doc = model.nlp.make_doc("A of " + "Rome " * 8 + "Antidisestablishmentarianism " + "Rome " * 20)
    assert max(len(window.pieces) for window in windows(doc, tokenizer, 12)) <= 12


def test_the_best_sequence_obeys_the_transitions() -> None:
    """The inside of a name never follows anything but that name, even where it scores best by itself."""
    never = -10_000.0
    transitions = np.asarray([[0, 0, never], [0, 0, 0], [0, 0, 0]], dtype=np.float32)
    scores = np.asarray([[[3, 0, 0], [0, 1, 2], [0, 0, 2]], [[0, 1, 5], [3, 0, 0], [9, 9, 9]]], dtype=np.float32)
    paths = viterbi(scores, [3, 2], transitions, np.asarray([0, 0, never], dtype=np.float32))
    assert paths == [[0, 1, 2], [1, 0]]
    assert list(label_spans(["B-PER", "I-PER", "B-PER", "O", "I-ORG"])) == [(0, 2, "PER"), (2, 3, "PER"), (4, 5, "ORG")]
