"""The sample article kept beside the repository: its people and places, as a reader would list them."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from pipeline.enrich import load_enricher
from pipeline.models import Article, ArticleRef, EnrichedArticle, EntityType
from pipeline.settings import EntitySettings, LanguageSettings

SEED = Path(__file__).resolve().parents[3] / "shared" / "seed"

PEOPLE = {
    "Sergei Lavrov", "Kim Jong-un", "Vladimir Putin", "Trump", "Mike Pompeo", "Kim Yong Chol", "Ri Yong Ho",
    "Bill Clinton", "Jo Myong Rok", "Kim Il Sung", "Kim Jong Il",
}  # fmt: skip
PLACES = {
    "Russia": "RU", "North Korea": "KP", "Pyongyang": "KP", "Moscow": "RU", "Singapore": "SG", "United States": "US",
    "New York": "US", "Manhattan": "US", "Washington": "US",
}  # fmt: skip


OTHER_PLACES = {
    "South Korea", "Korean Peninsula", "Demilitarized Zone", "Korean Demilitarized Zone", "Murray Hill",
    "Mansudae Assembly Hall", "Oval Office", "Corinthian", "The Corinthian",
}  # fmt: skip
POINTS = {
    "Pyongyang": (39.03, 125.75), "Moscow": (55.75, 37.62), "New York": (40.71, -74.01), "Washington": (38.9, -77.04),
    "Singapore": (1.29, 103.85), "Manhattan": (40.78, -73.97),
}  # fmt: skip


@pytest.mark.shared
@pytest.mark.skipif(not SEED.is_dir(), reason="the sample collection is not beside the repository")
def test_people_and_places_of_the_sample_article() -> None:
    """Each person of the article is one entity, each place has its country and point, and nothing else is either."""
    (path,) = SEED.glob("*.txt")
    headline, _, body = path.read_text(encoding="utf-8").partition("\n")
    article = Article(
        ref=ArticleRef(source_id="seed", path=str(path)),
        url=None,
        canonical_url=None,
        headline=headline,
        body=body,
        fetched_at=datetime(2024, 5, 1, tzinfo=UTC),
    )
    (result,) = load_enricher(LanguageSettings(), EntitySettings(model="en_news_sm")).enrich([article])
    assert isinstance(result, EnrichedArticle)
    names = {kind: {e.name for e in result.entities if e.type is kind} for kind in EntityType}
    assert names[EntityType.PERSON] == PEOPLE
    assert PLACES.keys() <= names[EntityType.PLACE] <= PLACES.keys() | OTHER_PLACES
    assert "Kremlin" in names[EntityType.ORGANIZATION]
    found = {e.name: e.place for e in result.entities if e.place is not None}
    assert {name: found[name].country for name in PLACES} == PLACES
    assert {name: (found[name].latitude, found[name].longitude) for name in POINTS} == {
        name: (pytest.approx(latitude, abs=0.1), pytest.approx(longitude, abs=0.1))
        for name, (latitude, longitude) in POINTS.items()
    }
    assert all(found[name].latitude is not None for name in PLACES)
    assert "person:sergei-lavrov" in {e.key for e in result.entities}
