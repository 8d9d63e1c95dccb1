"""The English model that comes with the project: it loads, it is small, it finds what a reader would."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import pipeline.enrich
from pipeline.enrich import load_enricher
from pipeline.enrich.entities import load_entity_model, load_entity_models
from pipeline.enrich.resolution import resolve
from pipeline.models import Article, EnrichedArticle, EntityType
from pipeline.settings import EntitySettings, LanguageSettings

from test_resolution import CASES, b_cubed, language_of, read_case  # isort: skip

FOLDER = Path(pipeline.enrich.__file__).parent / "models" / "en_news_sm"
STORY = """Russia’s Foreign Minister Sergei Lavrov met Kim Jong-un in Pyongyang on Thursday and invited him to Moscow.

Lavrov told reporters that the United Nations should lift its sanctions on North Korea. The Kremlin said that President
Vladimir Putin would meet Kim later this year. In Washington, the State Department declined to comment."""


def test_it_is_found_by_its_name_and_small() -> None:
    """``entities.model = "en_news_sm"`` works without a download; it is below 15 MB and says its licences."""
    model = load_entity_model(EntitySettings(model="en_news_sm"))
    assert model is not None
    assert (model.languages, model.name.split("-")[0]) == (("en",), "en_news_sm")
    assert sum(f.stat().st_size for f in FOLDER.rglob("*") if f.is_file()) < 15_000_000
    card = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert [word for word in ("CC BY-SA", "ODbL", "GeoNames", "wikigold") if word not in card] == []


def test_a_news_story_gets_its_people_places_and_organisations(make_article: Callable[..., Article]) -> None:
    """The names of a plain story are found, put together, and its places are on the map."""
    enricher = load_enricher(LanguageSettings(), EntitySettings(model="en_news_sm"))
    (result,) = enricher.enrich([make_article(STORY, headline="Lavrov invites Kim Jong-un to Moscow")])
    assert isinstance(result, EnrichedArticle)
    by_type = {kind: {e.name for e in result.entities if e.type is kind} for kind in EntityType}
    assert by_type[EntityType.PERSON] == {"Sergei Lavrov", "Kim Jong-un", "Vladimir Putin"}
    assert by_type[EntityType.PLACE] == {"Russia", "Pyongyang", "Moscow", "North Korea", "Washington"}
    assert by_type[EntityType.ORGANIZATION] >= {"Kremlin", "United Nations"}
    assert all(e.place is not None for e in result.entities if e.type is EntityType.PLACE)
    assert set(result.countries) == {"RU", "KP", "US"}
    assert result.entities_model is not None
    assert result.entities_model.startswith("en_news_sm-")


GERMAN = """Bundeskanzlerin Angela Merkel hat am Donnerstag in Berlin mit Sergej Lawrow gesprochen.

Merkel verlangte, dass Russland seine Truppen abzieht. Lawrow flog danach nach Moskau. Die SPD lobte das Treffen."""
RUSSIAN = """Министр иностранных дел Сергей Лавров встретился в Москве с президентом Франции Эммануэлем Макроном.

По словам Лаврова, переговоры были полезными. Россия и Франция продолжат диалог, заявили в Кремле."""


@pytest.mark.parametrize(
    ("story", "language", "people", "places"),
    [
        (GERMAN, "de", {"Angela Merkel", "Sergej Lawrow"}, {"Berlin", "Russia", "Moscow"}),
        (RUSSIAN, "ru", {"Сергей Лавров"}, {"Moscow", "Russia", "France"}),
    ],
)
def test_other_languages_get_people_and_places(
    make_article: Callable[..., Article], story: str, language: str, people: set[str], places: set[str]
) -> None:
    """With the settings as they come, German and Russian stories have names, and English names for the places."""
    (result,) = load_enricher(LanguageSettings(), EntitySettings()).enrich([make_article(story)])
    assert isinstance(result, EnrichedArticle)
    assert result.language.code == language
    assert (result.entities_model or "").startswith("xx_news_sm-")
    assert people <= {e.name for e in result.entities if e.type is EntityType.PERSON}
    assert {e.name for e in result.entities if e.place is not None} == places


def test_the_model_for_other_languages_is_small_and_knows_its_languages() -> None:
    """It reads seven languages and no other, is about 10 MB, and its card says data, licences and figures."""
    folder = FOLDER.parent / "xx_news_sm"
    _, other = load_entity_models(EntitySettings())
    spoken = {code for code in ("pt", "de", "ru", "sv", "da", "no", "fi", "en", "fr", "und") if other.speaks(code)}
    assert spoken == {"pt", "de", "ru", "sv", "da", "no", "fi"}
    assert sum(f.stat().st_size for f in folder.rglob("*") if f.is_file()) < 11_000_000
    card = (folder / "README.md").read_text(encoding="utf-8")
    assert [word for word in ("CC BY-SA", "FactRuEval", "GeoNames", "PUD ru", "Nynorsk") if word not in card] == []


def test_written_documents_from_raw_text() -> None:
    """On annotated news texts, mentions and entities together reach the promised B-cubed F1 of 0.85."""
    models = load_entity_models(EntitySettings(model="en_news_sm"))
    paths = sorted(CASES.glob("*.txt"))
    assert len(paths) >= 60
    totals = [0.0, 0.0]
    for path in paths:
        headline, body, _, truth = read_case(path)
        language = language_of(path)
        model = next(model for model in models if model.speaks(language))
        (mentions,) = model.mentions([body])
        entities = resolve(mentions, body=body, headline=headline, language=language)
        made_up = sum(
            (m.start, m.end) not in truth for e in entities if e.type is not EntityType.OTHER for m in e.mentions
        )
        precision, recall = b_cubed(entities, {span: name for span, (name, _) in truth.items()})
        totals[0] += precision * len(truth) / (len(truth) + made_up)
        totals[1] += recall
    precision, recall = (total / len(paths) for total in totals)
    assert 2 * precision * recall / (precision + recall) == pytest.approx(1.0, abs=0.15)
