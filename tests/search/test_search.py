"""Questions to a real index, in several languages."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from elasticsearch import Elasticsearch
from indexing.articles import FILLER, NOON, document

from pipeline.index.writer import write
from pipeline.search import (
    WINDOW,
    QueryError,
    SearchRequest,
    SearchResults,
    get_document,
    known_fields,
    search,
    to_body,
)
from pipeline.settings import IndexSettings

DAY = timedelta(days=1)
ARTICLES = [
    document(
        "https://north.example/summit",
        "Sergei Lavrov met his colleagues in Geneva. The meetings were to prepare the summit. "
        "Angela Rayner and Max Merkel were there. Several banks had been sanctioned before; Ms O’Dowd won't say which.",
        headline="Ministers prepare for talks",
        authors=("Jane Smith",),
        people=("Sergei Lavrov", "Angela Rayner", "Max Merkel"),
        published_at=NOON - 2 * DAY,
        seen_at=NOON,
        source="north",
    ),
    document(
        "https://south.example/haus",
        "Die Regierungen verhandelten in den alten Häusern über den Gipfel. Angela Merkel sprach.",
        headline="Gipfel der Regierungen",
        language="de",
        people=("Angela Merkel",),
        published_at=NOON - DAY,
        source="south",
    ),
    document(
        "https://south.example/undated",
        "A report without any date. " * 8,
        headline="Undated: a report",
        published_at=None,
        seen_at=NOON,
        source="south",
    ),
    document("https://south.example/1", FILLER, source="south"),
    document("https://south.example/print/1", FILLER, source="south"),
    document(None, "The words of a file on a disk somewhere in the office.", path="notes/a.txt", source="files"),
]
SUMMIT, HAUS, UNDATED, COMMITTEE, _, FILE = (item.id for item in ARTICLES)

Ask = Callable[..., SearchResults]


@pytest.fixture(scope="module")
def ask(client: Elasticsearch, installation: str, settings: IndexSettings) -> Iterator[Ask]:
    """Ask about the articles above."""
    write(client, ARTICLES, settings=settings, prefix=installation)
    yield lambda query="", **options: search(client, SearchRequest(query=query, prefix=installation, **options))
    client.indices.delete(index=list(client.indices.get(index=installation)))


def ids(results: SearchResults) -> set[str]:
    assert results.total == len(results.hits)
    return {hit.id for hit in results.hits}


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("meeting summit sanctioned", {SUMMIT}),
        ("ministers sanction", {SUMMIT}),  # one word in the headline, the other in the body
        ("smith summits", {SUMMIT}),  # the author and the body
        ("haus verhandelt", {HAUS}),
        ("meeting nothing", set()),
        ("summit OR gipfel", {SUMMIT, HAUS}),
        ("merkel -gipfel", {SUMMIT}),
        ('"prepare the summit"', {SUMMIT}),
        ('"summit the prepare"', set()),
        ("Lavrof~", {SUMMIT}),
        ("sanct*", {SUMMIT}),
        ("title:minister", {SUMMIT}),
        ("title:geneva", set()),
        ('person:"angela merkel"', {HAUS}),
        ("author:smith", {SUMMIT}),
        ("lang:de", {HAUS}),
        ("source:north", {SUMMIT}),
        ("source:(north OR files)", {SUMMIT, FILE}),
        ("site:south.example AND report", {UNDATED}),
        ("date:[2024-04-29 TO 2024-04-29]", {SUMMIT}),
        ("date:2024-04-30", {HAUS}),
        ("date:2024-05", {COMMITTEE, FILE}),  # all of the month, not its first day
        ("date:2024", {SUMMIT, HAUS, COMMITTEE, FILE}),
        ("date:[2024-03 TO 2024-04]", {SUMMIT, HAUS}),
        ("date:<2024-05", {SUMMIT, HAUS}),
        ("date:>2024-04", {COMMITTEE, FILE}),
        ("date:>=2024-04-30 AND lang:de", {HAUS}),
        ('"date:2024"', set()),
        ("sanctioned banks?", {SUMMIT}),
        ("Rayner/Merkel", {SUMMIT}),
        ("/sanct.*/", {SUMMIT}),
        ("O'Dowd sanctioned", {SUMMIT}),  # either apostrophe finds either
        ("banks won’t", {SUMMIT}),
        ('"O\'Dowd"', {SUMMIT}),
        ("lavrov -O'Dowd", set()),
        ("text:won’t", {SUMMIT}),
        ("merk?l -haus", {SUMMIT}),
        ("_exists_:path", {FILE}),
        ('"Undated: a report"', {UNDATED}),
        ("Undated\\: report", {UNDATED}),
        ('entities.person:"Max Merkel"', {SUMMIT}),
    ],
)
def test_questions_find_what_people_expect(ask: Ask, query: str, expected: set[str]) -> None:
    """Words are found in every form and in any field, phrases as they stand, and the short field names work."""
    assert ids(ask(query)) == expected


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ('"open quote', "can't be understood"),
        ("(open bracket", "can't be understood"),
        ("AND AND", "can't be understood"),
        ("date:[2024 TO", "can't be understood"),
        ("date:yesterday", "date"),
        ("*nisters", "begin with"),
        ("word_count:many", "many"),
        ("title:", "can't be understood"),
        ("Ukraine: war", "no field 'Ukraine'"),
        ("persn:merkel", "no field 'persn'"),
        ("x" * 3000, "2000"),
        ("/[/", ""),
        ("x~99999999999", ""),
        ("\\", ""),
        ("a^^", ""),
        ("locations:x", ""),
    ],
    ids=lambda value: str(value)[:20],
)
def test_a_wrong_question_is_explained(ask: Ask, query: str, said: str) -> None:
    """Whatever one types, a wrong question is answered with a sentence about it."""
    with pytest.raises(QueryError) as raised:
        ask(query)
    assert said in str(raised.value)
    assert "exception" not in str(raised.value)


def test_filters_narrow(ask: Ask) -> None:
    """Language, source, person and dates narrow the question; a person is a whole name, not two halves."""
    assert ids(ask(language="de")) == {HAUS}
    assert ids(ask(source="north")) == {SUMMIT}
    assert ids(ask(person="angela merkel")) == {HAUS}
    assert ids(ask(person="Merkel")) == {SUMMIT, HAUS}
    assert ids(ask(since=NOON - DAY, until=NOON - timedelta(hours=4))) == {HAUS}
    assert ids(ask(since=NOON - 2 * DAY, until=NOON - DAY)) == {SUMMIT}


def test_hits_say_what_a_list_shows(ask: Ask) -> None:
    """A hit has all that a list of results needs, and the words found are marked, also in another form."""
    (hit,) = ask("meeting").hits
    assert (hit.headline, hit.url) == ("Ministers prepare for talks", "https://north.example/summit")
    assert (hit.language, hit.source, hit.site) == ("en", "north", "north.example")
    assert hit.published_at == NOON - 2 * DAY
    assert "<em>meetings</em>" in hit.highlights["body"][0]
    assert hit.score
    (undated,) = ask("title:undated").hits
    assert undated.published_at is None
    assert undated.highlights["headline"] == ("<em>Undated</em>: a report",)


def test_facets_count_all_results(ask: Ask) -> None:
    """Facets cover everything found, not just the page shown."""
    results = ask("merkel", limit=1)
    assert (results.total, len(results.hits)) == (2, 1)
    assert dict(results.facets["language"]) == {"en": 1, "de": 1}
    assert dict(results.facets["people"])["Angela Merkel"] == 1
    assert dict(results.facets["source"]) == {"north": 1, "south": 1}
    assert results.facets["day"] == (("2024-04-30", 1), ("2024-04-29", 1))
    assert results.facets["places"] == ()


def test_pages_and_order(ask: Ask) -> None:
    """Pages don't overlap, and newest first is by date."""
    everything = ask(sort="newest")
    assert everything.total == 5
    pages = [ask(sort="newest", limit=2, offset=offset).hits for offset in (0, 2, 4)]
    assert [hit.id for page in pages for hit in page] == [hit.id for hit in everything.hits]
    assert [hit.id for hit in ask("merkel", sort="newest").hits] == [HAUS, SUMMIT]


@pytest.mark.parametrize(("limit", "offset"), [(10, WINDOW), (WINDOW + 1, 0), (-1, 0), (1, -1)])
def test_too_deep_a_page_is_explained(limit: int, offset: int) -> None:
    """Beyond what Elasticsearch can page through, the answer is what to do instead."""
    with pytest.raises(QueryError, match=str(WINDOW)):
        to_body(SearchRequest(limit=limit, offset=offset))


def test_long_articles_are_highlighted(
    client: Elasticsearch, ask: Ask, installation: str, settings: IndexSettings
) -> None:
    """An article longer than Elasticsearch analyses for highlights is found without an error."""
    long = document("https://long.example/1", "filler words " * 90_000 + "needlework", source="long")
    write(client, [long], settings=settings, prefix=installation)
    assert ids(ask("needlework")) == {long.id}
    client.delete(index=f"{installation}-en-000001", id=long.id, refresh=True)


def test_a_pasted_sentence_finds_its_article_first(
    client: Elasticsearch, ask: Ask, installation: str, settings: IndexSettings
) -> None:
    """Before articles that have all of its words, and oftener, but elsewhere."""
    sentence = "The harbour pilots of the old port went home early?"
    told = document("https://told.example/1", f"{FILLER} {sentence} {FILLER}", source="told")
    words = document(
        "https://words.example/1", "Early home: old port, old pilots, old harbour. Who went? " * 9, source="w"
    )
    write(client, [told, words], settings=settings, prefix=installation)
    assert [hit.id for hit in ask(sentence).hits] == [told.id, words.id]
    for item in (told, words):
        client.delete(index=f"{installation}-en-000001", id=item.id, refresh=True)


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (SUMMIT, SUMMIT),
        ("https://north.example/summit", SUMMIT),
        ("http://www.north.example/summit?utm_source=x", SUMMIT),
        ("https://south.example/print/1", COMMITTEE),
        ("notes/a.txt", FILE),
        ("https://north.example/nowhere", None),
        ("", None),
    ],
)
def test_an_article_is_got_by_any_of_its_names(
    client: Elasticsearch, ask: Ask, installation: str, wanted: str, expected: str | None
) -> None:
    """Id, address in any spelling, another address of the same text, path: each leads to the whole article."""
    found = get_document(client, wanted, prefix=installation)
    assert (found and found["_id"]) == expected
    assert found is None or found["body"]


def test_an_empty_installation_answers(client: Elasticsearch) -> None:
    """Before the first article, a search finds nothing instead of failing."""
    results = search(client, SearchRequest(query="anything", prefix="nothing-here"))
    assert (results.total, results.hits) == (0, ())
    assert get_document(client, "https://a.example/", prefix="nothing-here") is None


def test_the_short_names_are_fields() -> None:
    """Each short name that the help promises is one that questions may use."""
    assert known_fields() >= {
        "title",
        "text",
        "author",
        "person",
        "place",
        "org",
        "event",
        "source",
        "site",
        "lang",
        "date",
    }
