"""What the tests of the enrich stage share: articles by the dozen and small real spaCy pipelines."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
import spacy

from pipeline.models import Article, ArticleRef, StatedFacts

MakeArticle = Callable[..., Article]
MakePipeline = Callable[..., str]

PATTERNS = [
    {"label": "PERSON", "pattern": "Sergei Lavrov"},
    {"label": "PER", "pattern": "Angela Merkel"},
    {"label": "GPE", "pattern": "Pyongyang"},
    {"label": "ORG", "pattern": "Kremlin"},
    {"label": "SPACECRAFT", "pattern": "Soyuz"},
]


@pytest.fixture
def make_article() -> MakeArticle:
    """Builds an article from a body, with a headline and what page, feed and source say of its language."""

    def make(
        body: str,
        *,
        headline: str = "",
        page_language: str | None = None,
        feed_language: str | None = None,
        source_id: str = "example",
        url: str = "https://example.org/story",
    ) -> Article:
        facts = StatedFacts(language=feed_language)
        return Article(
            ref=ArticleRef(source_id=source_id, url=url, facts=facts),
            url=url,
            canonical_url=url,
            headline=headline,
            body=body,
            fetched_at=datetime(2024, 5, 1, tzinfo=UTC),
            stated_language=page_language,
        )

    return make


@pytest.fixture
def make_pipeline(tmp_path: Path) -> MakePipeline:
    """Saves a spaCy pipeline with an entity ruler and gives its folder."""

    def make(language: str = "en", *, patterns: list[dict[str, str]] | None = None, ruler: bool = True) -> str:
        nlp = spacy.blank(language, meta={"name": "test_news", "version": "1.2.3"})
        if ruler:
            nlp.add_pipe("entity_ruler").add_patterns(PATTERNS if patterns is None else patterns)  # type: ignore[attr-defined]
        else:
            nlp.add_pipe("sentencizer")
        folder = tmp_path / f"{language}_{len(list(tmp_path.iterdir()))}"
        nlp.to_disk(folder)
        return str(folder)

    return make
