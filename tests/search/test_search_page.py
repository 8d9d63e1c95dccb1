"""What the search page asks beside a plain search: exact facets, folded copies, names, articles alike, ranking."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from elasticsearch import Elasticsearch
from indexing.articles import document

from pipeline.index.writer import write
from pipeline.models import EntityType
from pipeline.search import (
    QueryError,
    Ranking,
    SearchRequest,
    SearchResults,
    complete,
    get_document,
    same_story,
    search,
    similar,
    to_body,
)
from pipeline.settings import IndexSettings

NOW = datetime.now(UTC)
PORTS = (
    "Ports along the coast agreed to offer every ship a connection to the electricity grid, so that engines can be "
    "switched off at the quay. Lucía Ferrándiz spoke for the harbour towns, Angela Merkel for nobody."
)
ARTICLES = [
    document("https://wire.example/ports", PORTS, headline="Ports agree on shore power", source="wire",
             people=("Lucía Ferrándiz", "Angela Merkel"), published_at=NOW - timedelta(days=400), seen_at=NOW),
    document("https://paper.example/ports", PORTS, headline="Harbours promise electricity", source="paper",
             people=("Lucía Ferrándiz", "Angela Merkel"), published_at=NOW - timedelta(days=399), seen_at=NOW),
    document("https://paper.example/ships", "A ship at the quay was connected to the electricity grid for the first "
             "time, and her engines were switched off. The harbour fell silent, said the captain.",
             headline="First ship plugged in", source="paper", published_at=NOW - timedelta(days=300), seen_at=NOW),
    document("https://paper.example/bakery", "The bakery in the old town sells bread made of acorns. Angela "
             "Merkel-Huber kneads it by hand, every morning at four.", headline="Bread of acorns", source="paper",
             people=("Angela Merkel-Huber",), published_at=NOW - timedelta(days=200), seen_at=NOW),
    document("https://paper.example/bakery2", "The bakery in the new town sells bread made of chestnuts, "
             "baked the night before and still warm at noon.", headline="Bread of chestnuts", source="paper",
             published_at=NOW - timedelta(hours=2), seen_at=NOW),
]  # fmt: skip
WIRE, PAPER, SHIPS, ACORNS, CHESTNUTS = (item.id for item in ARTICLES)

Ask = Callable[..., SearchResults]


@pytest.fixture(scope="module")
def ask(client: Elasticsearch, installation: str, settings: IndexSettings) -> Iterator[Ask]:
    for article in ARTICLES:
        write(client, [article], settings=settings, prefix=installation)
    yield lambda query="", **options: search(client, SearchRequest(query=query, prefix=installation, **options))
    client.indices.delete(index=list(client.indices.get(index=installation)))


def ids(results: SearchResults) -> list[str]:
    return [hit.id for hit in results.hits]


def test_a_facet_is_exact(ask: Ask) -> None:
    """A chosen facet value gives as many articles as the facet said; several names mean all, several sources any."""
    counts = dict(ask().facets["people"])
    for name, count in counts.items():
        assert ask(facets={"people": [name]}).total == count
    assert set(ids(ask(facets={"people": ["Angela Merkel"]}))) == {WIRE, PAPER}
    assert ask(facets={"people": ["Angela Merkel", "Angela Merkel-Huber"]}).total == 0
    assert ask(facets={"source": ["wire", "paper"]}).total == 5
    with pytest.raises(QueryError, match="weather"):
        ask(facets={"weather": ["fine"]})


def test_copies_are_folded(ask: Ask) -> None:
    """Of articles that tell one story one is shown, which says how many others there are; the total counts stories."""
    results = ask("electricity grid", collapse=True, sort="oldest")
    assert (results.total, ids(results)) == (2, [WIRE, SHIPS])
    assert [hit.others for hit in results.hits] == [1, 0]
    assert dict(results.facets["source"]) == {"wire": 1, "paper": 2}
    assert ask("electricity grid").total == 3


def test_orders(ask: Ask) -> None:
    """Newest and oldest first are each other's mirror; the timeline has every day, oldest first."""
    assert ids(ask(sort="oldest")) == ids(ask(sort="newest"))[::-1]
    timeline = ask().timeline
    assert list(timeline) == sorted(timeline)
    assert sum(count for _, count in timeline) == 5


def test_marks_are_the_callers(ask: Ask) -> None:
    """Words found stand between the marks that were asked for, so that text can't counterfeit them."""
    (hit,) = ask("chestnuts", marks=("\ue000", "\ue001")).hits
    assert hit.highlights["headline"] == ("Bread of \ue000chestnuts\ue001",)


@pytest.mark.parametrize(
    ("typed", "names"),
    [
        ("merk", ["Angela Merkel", "Angela Merkel-Huber"]),
        ("MERKEL-h", ["Angela Merkel-Huber"]),
        ("ferrandiz", ["Lucía Ferrándiz"]),
        ("lucía fer", ["Lucía Ferrándiz"]),
        ("hub", ["Angela Merkel-Huber"]),
        ("erkel", []),  # not where a word begins
        ("m", []),
        ("", []),
        (".*", []),
        ("[a", []),
        ("@&~<>#", []),
        ('"\\', []),
        ("x" * 500, []),
    ],
)
def test_names_are_completed(client: Elasticsearch, ask: Ask, installation: str, typed: str, names: list[str]) -> None:
    """Names whose words begin as typed, whatever case, accents and signs, those in most articles first."""
    found = complete(client, typed, prefix=installation)
    assert [item.name for item in found] == names
    assert all(item.type is EntityType.PERSON for item in found)


def test_similar_articles_are_others(client: Elasticsearch, ask: Ask, installation: str) -> None:
    """What reads alike comes first; the article itself and its copies are not similar but the same."""
    wire = get_document(client, WIRE, prefix=installation)
    assert wire
    alike = [hit.id for hit in similar(client, wire, prefix=installation)]
    assert alike[0] == SHIPS
    assert not {WIRE, PAPER} & set(alike)
    assert [hit.id for hit in same_story(client, wire, prefix=installation)] == [PAPER]
    paper = get_document(client, PAPER, prefix=installation)
    assert paper
    assert [hit.id for hit in same_story(client, paper, prefix=installation)] == [WIRE]
    ships = get_document(client, SHIPS, prefix=installation)
    assert ships
    assert same_story(client, ships, prefix=installation) == ()


def test_an_empty_installation_has_no_names(client: Elasticsearch) -> None:
    """Before the first article nothing is completed, and that is no error."""
    assert complete(client, "merk", prefix="nothing-here") == ()


def test_proportions_decide_the_order(ask: Ask) -> None:
    """A word in the headline counts more than in the body, a fresh article more than a stale one, as told."""
    plain = Ranking(headline=1, description=1, phrase=0, recency=0)
    assert set(ids(ask("bread bakery", ranking=plain))) == {ACORNS, CHESTNUTS}
    fresh = replace(plain, recency=50, recency_days=30)
    assert ids(ask("bread bakery", ranking=fresh)) == [CHESTNUTS, ACORNS]
    assert ids(ask("electricity ship*", ranking=replace(plain, headline=50)))[0] == SHIPS


@pytest.mark.parametrize("query", ["a AND b", "a -b", '"a b"', "title:a b", "a* b", "a", "a OR b", "(a b)", "a~ b"])
def test_phrases_are_made_of_plain_words_only(query: str) -> None:
    """What has operators is never read as a phrase as well."""
    body = to_body(SearchRequest(query=query, ranking=Ranking(phrase=1, recency=0)))
    assert body["query"]["bool"]["should"] == []
    plain = to_body(SearchRequest(query="shore power's end", ranking=Ranking(phrase=1, recency=0)))
    assert plain["query"]["bool"]["should"][0]["multi_match"]["type"] == "phrase"
