"""Embeddings by the real model: the published numbers, whatever stands in a text, and English only."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import UTC, datetime

import numpy as np
import pytest

from pipeline.enrich import load_enricher
from pipeline.enrich.embeddings import DIMENSIONS, load_embedder, passage
from pipeline.errors import ArticleFailed, ConfigurationError
from pipeline.index.documents import to_document
from pipeline.models import Article, EnrichedArticle
from pipeline.settings import EntitySettings, LanguageSettings

MakeArticle = Callable[..., Article]

FOOD = (0.03324158, 0.00440603, -0.00627699, 0.0483787)
SEAGRASS = (0.01683168, 0.0258677, -0.02780059, 0.03179673)
ENGLISH = "The harbour council met on Thursday and put off its vote on the dredging of the channel until the spring."
GERMAN = "Der Rat der Hafenstadt verschob am Donnerstag seine Entscheidung über die Vertiefung der Fahrrinne."


def test_vectors_are_those_of_the_published_model() -> None:
    """The graph built here computes what PyTorch computes with the same weights (numbers made by transformers)."""
    food, seagrass, bread = load_embedder().embed(
        ["A man is eating food.", "Seagrass meadows store carbon", "A man is eating a piece of bread."]
    )
    assert food[:4] == pytest.approx(FOOD, abs=2e-5)
    assert seagrass[:4] == pytest.approx(SEAGRASS, abs=2e-5)
    assert np.dot(food, bread) == pytest.approx(0.7553, abs=1e-3)  # as in the model's own documentation


def test_a_vector_depends_on_its_text_alone() -> None:
    """Beside whatever other texts, in whatever order, and with anything in it, a text gets a vector of length 1."""
    embedder = load_embedder()
    texts = [ENGLISH * 40, "", "half a character: \ud800", "Ports", "🙂 \x00", *(f"{ENGLISH} {n}" for n in range(40))]
    together = embedder.embed(texts)
    assert {len(vector) for vector in together} == {DIMENSIONS}
    assert [float(np.linalg.norm(vector)) for vector in together] == pytest.approx([1] * len(texts), abs=1e-3)
    assert together[3] == pytest.approx(embedder.embed(["Ports"])[0], abs=2e-5)
    assert embedder.embed([]) == []


def test_only_what_the_model_reads_is_embedded(make_article: MakeArticle) -> None:
    """English articles get a vector and the model's name into their document; others, and without it all, nothing."""
    articles = [make_article(GERMAN), make_article(ENGLISH, headline="Vote put off")]
    german, english = load_enricher(LanguageSettings(), EntitySettings(model=""), embedder=load_embedder()).enrich(
        articles
    )
    assert isinstance(german, EnrichedArticle)
    assert isinstance(english, EnrichedArticle)
    assert german.embedding is None
    assert english.embedding is not None
    now = datetime(2024, 5, 1, tzinfo=UTC)
    made = to_document(english, seen_at=now, run_id="run").source
    assert made["embedding_model"] == "all-MiniLM-L6-v2"
    assert made["embedding"] == list(load_embedder().embed([passage(articles[1])])[0])
    (plain,) = load_enricher(LanguageSettings(), EntitySettings(model="")).enrich(articles[1:])
    assert isinstance(plain, EnrichedArticle)
    without = to_document(plain, seen_at=now, run_id="run").source
    assert without.keys() == made.keys() - {"embedding", "embedding_model"}
    # So that a backfill gives a vector to what is stored without one.
    assert without["document_hash"] != made["document_hash"]


def test_a_text_that_breaks_the_model_fails_alone(make_article: MakeArticle) -> None:
    """What can't be embedded ends as failed, the others of its batch do not."""

    class Brittle:
        name = "brittle"

        def speaks(self, language: str) -> bool:
            return True

        def embed(self, texts: list[str]) -> list[tuple[float, ...]]:
            if any("glass" in text for text in texts):
                raise ValueError("broken")
            return [(1.0,)] * len(texts)

    enricher = load_enricher(LanguageSettings(), EntitySettings(model=""), embedder=Brittle())  # type: ignore[arg-type]
    whole, broken = enricher.enrich([make_article(ENGLISH), make_article(ENGLISH, headline="A glass of water")])
    assert isinstance(whole, EnrichedArticle)
    assert isinstance(broken, ArticleFailed)
    assert "embedding by brittle" in broken.detail


def test_a_missing_extra_is_told_with_its_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who switches it on without the packages reads which one is missing and what to type."""
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(ConfigurationError, match=r"onnxruntime is not installed") as raised:
        load_embedder.__wrapped__()
    assert "--extra semantic" in raised.value.hint
