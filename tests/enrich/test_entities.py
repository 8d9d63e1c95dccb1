"""Entities by a spaCy pipeline: right offsets, right labels, right language, errors that help."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.enrich import load_enricher
from pipeline.enrich.entities import CHUNK_CHARACTERS, load_entity_model
from pipeline.errors import ArticleFailed, ConfigurationError
from pipeline.models import Article, EnrichedArticle, EntityType, Source, SourceKind
from pipeline.settings import EntitySettings, LanguageSettings

MakeArticle = Callable[..., Article]
MakePipeline = Callable[..., str]

ENGLISH = "Sergei Lavrov met officials in Pyongyang on Thursday, and the Kremlin said that the talks had been useful."
GERMAN = "Angela Merkel sprach am Donnerstag mit Sergei Lavrov, und der Kreml sagte, dass die Gespräche nützlich waren."


def only(model: str, other_languages: str = "") -> EntitySettings:
    """Settings with a model and none beside it."""
    return EntitySettings(model=model, other_languages=other_languages)


def test_mentions_reproduce_the_text_at_their_offsets(make_pipeline: MakePipeline) -> None:
    """Whoever cuts the body at a mention's offsets gets the mention, also after emoji and odd blanks."""
    model = load_entity_model(EntitySettings(model=make_pipeline()))
    assert model is not None
    bodies = ["", f"🙂 \u200bé\u0301 {ENGLISH}", f"Line one\n\n{ENGLISH} \ud800 {ENGLISH}"]
    found = model.mentions(bodies)
    assert [len(mentions) for mentions in found] == [0, 3, 6]
    for body, mentions in zip(bodies, found, strict=True):
        assert all(body[m.start : m.end] == m.text for m in mentions)
    assert [(m.text, m.type) for m in found[1]] == [
        ("Sergei Lavrov", EntityType.PERSON),
        ("Pyongyang", EntityType.PLACE),
        ("Kremlin", EntityType.ORGANIZATION),
    ]


def test_very_long_bodies_are_worked_in_pieces(make_pipeline: MakePipeline) -> None:
    """A body of any length is read to its end, with offsets into the whole."""
    model = load_entity_model(EntitySettings(model=make_pipeline()))
    assert model is not None
    paragraphs = 3 * CHUNK_CHARACTERS // len(ENGLISH)
    body = "\n\n".join([ENGLISH] * paragraphs)
    (mentions,) = model.mentions([body])
    assert len(mentions) == 3 * paragraphs
    assert all(body[m.start : m.end] == m.text for m in mentions)
    unbroken = "x" * (CHUNK_CHARACTERS + 10)
    assert model.mentions([unbroken]) == [()]


def test_labels_follow_the_settings(make_pipeline: MakePipeline) -> None:
    """A label of one's own is mapped by the settings; one without a mapping is left out."""
    folder = make_pipeline()
    body = "The Soyuz left with Sergei Lavrov."
    plain = load_entity_model(EntitySettings(model=folder))
    mapped = load_entity_model(EntitySettings(model=folder, labels={"SPACECRAFT": "other"}))
    assert plain is not None
    assert mapped is not None
    assert [m.text for m in plain.mentions([body])[0]] == ["Sergei Lavrov"]
    assert [(m.text, m.type) for m in mapped.mentions([body])[0]] == [("Soyuz", EntityType.OTHER)]


def test_empty_setting_is_off(make_article: MakeArticle) -> None:
    """Without a model articles are enriched all the same, and the record says that no model was used."""
    enricher = load_enricher(LanguageSettings(), EntitySettings(model=""))
    (result,) = enricher.enrich([make_article(ENGLISH)])
    assert isinstance(result, EnrichedArticle)
    assert (enricher.entities_model, result.entities_model, result.entities) == (None, None, ())
    assert result.language.code == "en"


def test_documents_never_go_through_a_model_of_another_language(
    make_article: MakeArticle, make_pipeline: MakePipeline
) -> None:
    """A German article gets no names from an English model, and says so; a multilingual one takes any."""
    articles = [make_article(ENGLISH), make_article(GERMAN), make_article("Sergei")]
    english = load_enricher(LanguageSettings(), only(make_pipeline("en"))).enrich(articles)
    multi = load_enricher(LanguageSettings(), only(make_pipeline("xx"))).enrich(articles)
    assert all(isinstance(result, EnrichedArticle) for result in [*english, *multi])
    assert [r.entities_model for r in english] == ["en_test_news-1.2.3", "none", "none"]  # type: ignore[union-attr]
    assert [len(r.entities) for r in english] == [3, 0, 0]  # type: ignore[union-attr]
    assert [r.entities_model for r in multi] == ["xx_test_news-1.2.3"] * 3  # type: ignore[union-attr]
    assert [e.name for e in multi[1].entities] == ["Angela Merkel", "Sergei Lavrov"]  # type: ignore[union-attr]


def test_other_languages_have_a_model_of_their_own(make_article: MakeArticle, make_pipeline: MakePipeline) -> None:
    """Beside the model for English, one for other languages reads what English isn't; the first that fits reads."""
    settings = only(make_pipeline("en"), other_languages=make_pipeline("de"))
    french = make_article("Le président de la France est arrivé mardi à Moscou pour rencontrer des ministres russes.")
    results = load_enricher(LanguageSettings(), settings).enrich([make_article(ENGLISH), make_article(GERMAN), french])
    assert [r.entities_model for r in results] == [  # type: ignore[union-attr]
        "en_test_news-1.2.3", "de_test_news-1.2.3", "none",
    ]  # fmt: skip
    assert [{e.name for e in r.entities} for r in results] == [  # type: ignore[union-attr]
        {"Sergei Lavrov", "Pyongyang", "Kremlin"}, {"Angela Merkel", "Sergei Lavrov"}, {"France", "Moscow"},
    ]  # fmt: skip
    assert results[2].countries == ("FR", "RU")  # type: ignore[union-attr]


def test_missing_model_is_a_configuration_error_with_advice() -> None:
    """A typing error in the model's name says which setting, which name, and what to do."""
    with pytest.raises(ConfigurationError) as caught:
        load_enricher(LanguageSettings(), EntitySettings(model="en_core_web_nosuch"))
    assert "entities.model" in str(caught.value)
    assert "en_core_web_nosuch" in str(caught.value)
    assert caught.value.hint
    with pytest.raises(ConfigurationError, match=r"entities\.other_languages.*xx_nosuch"):
        load_enricher(LanguageSettings(), EntitySettings(other_languages="xx_nosuch"))


def test_broken_model_folder_is_a_configuration_error(tmp_path: Path) -> None:
    """A folder that isn't a whole pipeline stops the run before the first article."""
    (tmp_path / "meta.json").write_text("{}")
    with pytest.raises(ConfigurationError, match=r"entities\.model"):
        load_entity_model(EntitySettings(model=str(tmp_path)))


def test_pipeline_without_entities_is_refused(make_pipeline: MakePipeline) -> None:
    """A pipeline that can't find entities is named as such instead of finding none for ever."""
    with pytest.raises(ConfigurationError, match="finds no entities"):
        load_entity_model(EntitySettings(model=make_pipeline(ruler=False)))


def test_unknown_type_in_the_mapping_is_refused(make_pipeline: MakePipeline) -> None:
    """A type that doesn't exist is refused with those that do."""
    with pytest.raises(ConfigurationError, match=r"entities\.labels\.GPE: 'plaice'.*place"):
        load_entity_model(EntitySettings(model=make_pipeline(), labels={"GPE": "plaice"}))


def test_one_bad_article_does_not_stop_the_others(
    make_article: MakeArticle, make_pipeline: MakePipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An article the model chokes on fails alone, with its address; its neighbours are enriched."""
    enricher = load_enricher(LanguageSettings(), only(make_pipeline()))
    (model,) = enricher.models
    make_doc = model.nlp.make_doc

    def choke(text: str) -> object:
        if "poison" in text:
            raise ValueError("too much")
        return make_doc(text)

    monkeypatch.setattr(model.nlp, "make_doc", choke)
    bad = make_article(f"{ENGLISH} poison", url="https://example.org/bad")
    results = enricher.enrich([make_article(ENGLISH), bad, make_article(ENGLISH)])
    assert [isinstance(result, EnrichedArticle) for result in results] == [True, False, True]
    assert isinstance(results[1], ArticleFailed)
    assert results[1].reason == "enrich_error"
    assert "https://example.org/bad" in results[1].detail
    assert "too much" in results[1].detail


def test_statements_of_page_feed_and_source_are_compared(make_article: MakeArticle) -> None:
    """The record says of page, feed and source whether the text bears out their language."""
    enricher = load_enricher(LanguageSettings(), EntitySettings(model=""))
    article = make_article(ENGLISH * 3, page_language="en-GB", feed_language="de", source_id="daily")
    (result,) = enricher.enrich(
        [article], sources={"daily": Source(id="daily", kind=SourceKind.FEED, location="x", language="en")}
    )
    assert isinstance(result, EnrichedArticle)
    assert result.language.agreement == (("page", True), ("feed", False), ("source", True))


def test_enriching_again_gives_the_same(make_article: MakeArticle, make_pipeline: MakePipeline) -> None:
    """The same article enriches to the same result in any batch."""
    enricher = load_enricher(LanguageSettings(), only(make_pipeline()))
    articles = [make_article(ENGLISH), make_article(GERMAN)]
    assert enricher.enrich(articles[::-1])[::-1] == enricher.enrich(articles)
    assert enricher.enrich([]) == []
