"""Indices as they are set up."""

from __future__ import annotations

import copy
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from elasticsearch import BadRequestError, Elasticsearch
from indexing.articles import NOON, document, enriched

from pipeline.enrich.embeddings import load_embedder
from pipeline.errors import ConfigurationError, FatalError
from pipeline.index import templates
from pipeline.index.analyzers import ANALYZERS
from pipeline.index.documents import to_document
from pipeline.index.templates import Names, ensure_family, set_up, state
from pipeline.index.writer import write
from pipeline.models import Embedding, OutcomeKind
from pipeline.search import SearchRequest, get_document, search
from pipeline.settings import IndexSettings


def test_setting_up_again_changes_nothing(client: Elasticsearch, prefix: str, settings: IndexSettings) -> None:
    """Set-up may run before every run: the second time it finds everything current and touches nothing."""
    assert set_up(client, settings, prefix) == []
    assert set(state(client, settings, prefix).values()) == {"current"}


def test_an_outdated_template_is_seen_and_renewed(
    client: Elasticsearch, prefix: str, settings: IndexSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A new version's field reaches templates and existing indices with one set-up; until then they are outdated."""
    write(client, [document()], settings=settings, prefix=prefix)
    mapping = templates.article_mapping()
    wanted = {key: value for key, value in copy.deepcopy(mapping).items() if key != "_meta"}
    wanted["properties"]["reading_minutes"] = {"type": "integer"}
    monkeypatch.setattr(templates, "article_mapping", lambda **_: templates._versioned(wanted))
    states = state(client, settings, prefix)
    index = Names(prefix).first_index("en")
    assert states[f"template {prefix}@articles"] == "outdated"
    assert states[f"index {index}"] == "outdated"
    set_up(client, settings, prefix)
    assert set(state(client, settings, prefix).values()) == {"current"}
    assert "reading_minutes" in client.indices.get_mapping(index=index)[index]["mappings"]["properties"]
    monkeypatch.undo()
    set_up(client, settings, prefix)


def test_a_mapping_that_cannot_change_in_place_is_told(
    client: Elasticsearch, prefix: str, settings: IndexSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A field whose type changes needs a new index: the error says so instead of leaving half an update unseen."""
    write(client, [document()], settings=settings, prefix=prefix)
    wanted = {key: value for key, value in copy.deepcopy(templates.article_mapping()).items() if key != "_meta"}
    wanted["properties"]["word_count"] = {"type": "keyword"}
    monkeypatch.setattr(templates, "article_mapping", lambda **_: templates._versioned(wanted))
    with pytest.raises(FatalError, match="build it anew"):
        set_up(client, settings, prefix)
    monkeypatch.undo()
    set_up(client, settings, prefix)


def test_each_language_stems_in_its_own_way(client: Elasticsearch, prefix: str, settings: IndexSettings) -> None:
    """Words are found in all their forms, in the language of the article, with one and the same field name."""
    write(
        client,
        [
            document("https://a.example/en", "The ministers were meeting in the old town. " * 5, language="en"),
            document("https://a.example/de", "Die Regierungen verhandelten über die Häuser. " * 5, language="de"),
            document("https://a.example/ja", "首相は東京で大統領と会談した。" * 12, language="ja"),
        ],
        settings=settings,
        prefix=prefix,
    )

    def found(words: str) -> list[str]:
        response = client.search(index=prefix, query={"match": {"body": words}})
        return [hit["_source"]["language"] for hit in response["hits"]["hits"]]

    assert found("meetings") == ["en"]
    assert found("verhandelt Haus") == ["de"]
    assert found("東京") == ["ja"]


@pytest.mark.parametrize("language", ["pl", "und", "xx"])
def test_languages_without_analyzer_share_a_family(
    client: Elasticsearch, prefix: str, settings: IndexSettings, language: str
) -> None:
    """An article in a language that can't be stemmed is still indexed and found by its words."""
    (written,) = write(client, [document(language=language)], settings=settings, prefix=prefix)
    response = client.search(index=prefix, query={"match": {"body": "committee"}})
    assert [hit["_index"] for hit in response["hits"]["hits"]] == [f"{prefix}-und-000001"]
    assert response["hits"]["hits"][0]["_id"] == written.document_id


def test_every_language_has_an_index(client: Elasticsearch, installation: str) -> None:
    """Each language of the table has a template that Elasticsearch accepts, behind the read alias."""
    for language, analyzer in ANALYZERS.items():
        simulated = client.indices.simulate_index_template(name=Names(installation).first_index(language))["template"]
        assert simulated["settings"]["index"]["analysis"]["analyzer"]["default"]["type"] == analyzer
        assert installation in simulated["aliases"]
        assert simulated["mappings"]["dynamic"] == "strict"


def test_indices_are_made_once(client: Elasticsearch, prefix: str, settings: IndexSettings) -> None:
    """Batches that meet the first article of a language at the same moment don't hurt each other."""
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: ensure_family(client, "fr", settings, prefix), range(8)))
    alias = client.indices.get_alias(name=Names(prefix).write_alias("fr"))
    assert list(alias) == [f"{prefix}-fr-000001"]


def test_a_family_can_be_rolled_over(
    client: Elasticsearch, prefix: str, settings: IndexSettings, dump: Callable[[], dict[str, dict[str, object]]]
) -> None:
    """After a rollover new articles go to the new index, and known ones are still updated where they are."""
    old = document("https://a.example/1")
    write(client, [old], settings=settings, prefix=prefix)
    client.indices.rollover(alias=Names(prefix).write_alias("en"))
    changed = document("https://a.example/1", headline="Changed")
    new = document("https://a.example/2")
    outcomes = [item.outcome.kind for item in write(client, [changed, new], settings=settings, prefix=prefix)]
    assert outcomes == ["updated", "indexed"]
    held = dump()
    assert held[old.id]["_index"] == f"{prefix}-en-000001"
    assert held[new.id]["_index"] == f"{prefix}-en-000002"


def test_unknown_fields_are_refused(client: Elasticsearch, installation: str) -> None:
    """A misspelt field is an error at once, not a second field that nobody searches."""
    for index in (Names(installation).runs, Names(installation).sources, Names(installation).quarantine):
        with pytest.raises(BadRequestError, match="strict"):
            client.index(index=index, document={"surprise": 1})


@pytest.mark.parametrize("prefix", ["", "News", "news-", "-news", "a b", "news*", "_news"])
def test_odd_prefixes_are_refused(prefix: str) -> None:
    """A prefix that Elasticsearch or our patterns can't carry is named before anything is created."""
    with pytest.raises(ConfigurationError, match="prefix"):
        Names(prefix)


def test_vectors_can_come_later(client: Elasticsearch, prefix: str, settings: IndexSettings) -> None:
    """An index made without vectors takes them after the next set-up; nothing of the article is lost by it."""
    semantic = settings.model_copy(update={"semantic": True})
    bare = document()
    write(client, [bare], settings=settings, prefix=prefix)
    question = SearchRequest(query="board puts off a resolution", prefix=prefix)
    assert search(client, question, embedder=load_embedder()).total == 0
    assert "outdated" in state(client, semantic, prefix).values()
    set_up(client, semantic, prefix)
    (vector,) = load_embedder().embed(["The board postponed the resolution."])
    made = enriched(embedding=Embedding(model=load_embedder().name, vector=vector))
    (written,) = write(client, [to_document(made, seen_at=NOON, run_id="2")], settings=semantic, prefix=prefix)
    assert written.outcome.kind is OutcomeKind.UPDATED
    # Noting another address rewrites the document inside Elasticsearch: the vector stays.
    again = document("https://news.example.com/story/print", str(bare.source["body"]))
    (noted,) = write(client, [again], settings=semantic, prefix=prefix)
    assert noted.outcome.kind is OutcomeKind.DUPLICATE
    assert [hit.id for hit in search(client, question, embedder=load_embedder()).hits] == [bare.id]
    stored = get_document(client, bare.id, prefix=prefix)
    assert stored is not None
    assert stored["alternate_urls"] == ["https://news.example.com/story/print"]
    assert "embedding" not in stored
    set_up(client, settings, prefix)
    assert set(state(client, settings, prefix).values()) == {"current"}
