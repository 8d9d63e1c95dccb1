"""Searches by words and by meaning, with the real model and a real index."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from elasticsearch import Elasticsearch
from indexing.articles import enriched

from pipeline.enrich.embeddings import load_embedder, passage
from pipeline.index import templates
from pipeline.index.documents import Document, to_document
from pipeline.index.writer import write
from pipeline.models import Embedding
from pipeline.search import Ranking, SearchRequest, SearchResults, search
from pipeline.settings import IndexSettings

NOW = datetime.now(UTC)
SEMANTIC = IndexSettings(semantic=True)


def article(name: str, headline: str, body: str, *, language: str = "en", age: int = 3, model: str = "") -> Document:
    """An article as the pipeline makes it; ``model`` pretends that its vector is another model's."""
    made = enriched(f"https://paper.example/{name}", f"{body} ({name})", headline=headline, language=language,
                    source=name[0], published_at=NOW - timedelta(days=age))  # fmt: skip
    embedder = load_embedder()
    if embedder.speaks(language):
        (vector,) = embedder.embed([passage(made.article)])
        made = replace(made, embedding=Embedding(model=model or embedder.name, vector=vector))
    return to_document(made, seen_at=NOW, run_id="run")


ARTICLES = [
    article("seagrass", "Seagrass stores more carbon in muddy water",
            "Meadows of seagrass bury carbon for centuries, a study of two dozen bays has found."),
    article("kelp", "Kelp forests lock carbon away", "Kelp takes carbon out of the sea, divers report.", age=900),
    article("stale", "Eelgrass takes up carbon, a study says", "Eelgrass buries carbon in the mud of bays.", model="x"),
    article("tax", "Carbon tax splits the cabinet", "Ministers argued over the tax on petrol until midnight."),
    article("bridge", "Cracks shut the old bridge", "Engineers found cracks in two arches of the bridge."),
    article("pie", "Greenhouse tomatoes win the fair", "A gardener's tomatoes from a greenhouse won the first prize."),
    article("seegras", "Seegras speichert Kohlenstoff", "Seegraswiesen binden Kohlenstoff für Jahrhunderte, sagt eine "
            "Studie.", language="de"),
]  # fmt: skip
SEAGRASS, KELP, STALE, TAX, BRIDGE, TOMATOES, GERMAN = (item.id for item in ARTICLES)
IN_OTHER_WORDS = "underwater plants absorb CO2"

Ask = Callable[..., SearchResults]


@pytest.fixture(scope="module")
def semantic(client: Elasticsearch, installation: str, settings: IndexSettings) -> Iterator[str]:
    templates.set_up(client, SEMANTIC, installation)
    write(client, ARTICLES, settings=SEMANTIC, prefix=installation)
    yield installation
    client.indices.delete(index=list(client.indices.get(index=installation)))
    templates.set_up(client, settings, installation)


@pytest.fixture
def ask(client: Elasticsearch, semantic: str) -> Ask:
    def asked(query: str, *, by_meaning: bool = True, **options: Any) -> SearchResults:
        request = SearchRequest(query=query, prefix=semantic, **options)
        return search(client, request, embedder=load_embedder() if by_meaning else None)

    return asked


def ids(results: SearchResults) -> list[str]:
    return [hit.id for hit in results.hits]


def test_articles_are_found_by_what_they_mean(ask: Ask) -> None:
    """A question in words that no article has finds those that mean it, and says how they were found."""
    assert ask(IN_OTHER_WORDS, by_meaning=False).total == 0
    found = ask(IN_OTHER_WORDS)
    # Of two that mean it the fresh one comes first; a vector of another model means nothing.
    assert ids(found) == [SEAGRASS, KELP]
    assert {hit.by_meaning for hit in found.hits} == {True}
    assert found.hits[0].score
    assert ask("seventeenth century violin concerto").total == 0


def test_words_and_meaning_make_one_list(ask: Ask) -> None:
    """Total, facets and timeline are of all that was found; what has the words has them marked, and isn't lost."""
    words = ask("carbon", by_meaning=False)
    assert set(ids(words)) == {SEAGRASS, KELP, STALE, TAX}
    both = ask("carbon")
    assert set(ids(both)) >= set(ids(words))
    assert all(hit.highlights for hit in both.hits if not hit.by_meaning)
    assert {hit.id for hit in both.hits if hit.by_meaning}.isdisjoint(ids(words))
    assert both.total == len(both.hits) == sum(count for _, count in both.facets["source"])
    assert both.total == sum(count for _, count in both.timeline)


def test_pages_go_through_the_one_list(ask: Ask) -> None:
    """Page by page one sees what is on one long page, whatever found it, copies of a text folded or not."""
    for options in ({}, {"collapse": True}):
        whole = ids(ask("carbon study", ranking=Ranking(meaning_least=0.1), **options))
        assert len(whole) > 3
        pages = [ids(ask("carbon study", ranking=Ranking(meaning_least=0.1), limit=2, offset=offset, **options))
                 for offset in range(0, len(whole), 2)]  # fmt: skip
        assert [id_ for page in pages for id_ in page] == whole


def test_what_has_the_words_comes_after_the_fused_in_its_own_order(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the first articles found by words are fused; the others follow them as they would without meaning."""
    monkeypatch.setattr("pipeline.search._DEPTH", 1)
    nearest_only = Ranking(meaning_articles=1)
    words = ids(ask("carbon", by_meaning=False))
    both = ids(ask("carbon", ranking=nearest_only))
    assert both[-2:] == [id_ for id_ in words if id_ in both[-2:]]
    assert set(both) >= set(words)


def test_what_narrows_words_narrows_meaning(ask: Ask) -> None:
    """Languages, sources, dates and facets hold for what is found by meaning too."""
    assert ids(ask(IN_OTHER_WORDS, source="k")) == [KELP]
    assert ids(ask(IN_OTHER_WORDS, facets={"source": ["s"]})) == [SEAGRASS]
    assert ids(ask(IN_OTHER_WORDS, until=NOW - timedelta(days=30))) == [KELP]
    assert ask(IN_OTHER_WORDS, language="de").total == 0
    assert ids(ask(IN_OTHER_WORDS, language="en")) == [SEAGRASS, KELP]


@pytest.mark.parametrize(
    "query",
    ['"underwater plants absorb CO2"', "underwater AND plants", "title:underwater", "underwater -tax", "under* plants"],
)
def test_operators_ask_for_words(ask: Ask, query: str) -> None:
    """Who writes quotes, operators or fields gets what was written, and nothing that only means alike."""
    assert ids(ask(query)) == ids(ask(query, by_meaning=False))


def test_order_by_date_is_of_words_alone(ask: Ask) -> None:
    """The newest first are those with the words: by date, something that means alike would push them down."""
    assert ids(ask("carbon", sort="newest")) == ids(ask("carbon", sort="newest", by_meaning=False))


def test_words_of_another_language_are_not_interpreted(ask: Ask) -> None:
    """A question whose words stand in German articles gets these, without English ones that look like it."""
    assert ids(ask("Seegraswiesen Kohlenstoff", ranking=Ranking(meaning_least=0.01))) == [GERMAN]
