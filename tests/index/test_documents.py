"""What an article becomes in the index."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest
from indexing.articles import NOON, document, enriched

from pipeline import urls
from pipeline.index.documents import NOT_HASHED, document_hash, first_seen, iso, to_document
from pipeline.index.templates import article_mapping
from pipeline.models import ArticleRef, DateCandidate, RemovedText


def test_the_id_comes_from_the_canonical_url() -> None:
    """The same article under a decorated address is the same document."""
    plain = document("https://news.example.com/story")
    decorated = document("http://www.news.example.com:80/story?utm_source=feed#top", "Another text entirely.")
    assert plain.id == decorated.id == urls.document_id("https://news.example.com/story")
    assert plain.source["site"] == "example.com"


def test_a_file_without_address_is_known_by_its_content() -> None:
    """A file moved to another folder is still the same article; another text is another article."""
    first = document(None, "Some words of a file.", path="a.txt")
    moved = document(None, "Some words of a file.", path="b/a.txt")
    other = document(None, "Other words of a file.", path="a.txt")
    assert first.id == moved.id != other.id
    assert first.source["path"] == "a.txt"
    assert "url" not in first.source


def test_an_item_of_a_file_is_told_apart() -> None:
    """The third line of a JSON lines file says so in its path."""
    article = enriched(None, "Some words.")
    ref = ArticleRef(source_id="files", path="a.jsonl", item=3)
    made = to_document(replace(article, article=replace(article.article, ref=ref)), seen_at=NOON, run_id="r")
    assert made.source["path"] == "a.jsonl#3"
    assert made.location == "a.jsonl#3"


def test_a_known_date_is_the_timestamp() -> None:
    """Articles stand at their publication date on the time line, in UTC."""
    zone = timezone(timedelta(hours=2))
    source = document(published_at=datetime(2024, 4, 30, 1, 30, tzinfo=zone)).source
    assert source["@timestamp"] == source["published_at"] == "2024-04-29T23:30:00.000Z"
    assert source["timestamp_basis"] == "published"


def test_an_unknown_date_is_not_invented() -> None:
    """Without a date the article stands where it was first seen, says so, and has no publication date."""
    source = document(published_at=None, seen_at=NOON).source
    assert source["@timestamp"] == "2024-05-01T12:00:00.000Z"
    assert source["timestamp_basis"] == "first_seen"
    assert "published_at" not in source


def test_the_timestamp_is_never_in_the_future() -> None:
    """A date announced for tomorrow is kept as what the page states, but doesn't put the article into the future."""
    source = document(published_at=NOON + timedelta(days=1), seen_at=NOON).source
    assert source["@timestamp"] == "2024-05-01T12:00:00.000Z"
    assert source["timestamp_basis"] == "first_seen"
    assert source["published_at"] == "2024-05-02T12:00:00.000Z"


def test_the_delay_is_what_is_known_of_it() -> None:
    """From publication to first sight in seconds; nothing where a page states a day, a future, or nothing."""
    assert document(published_at=NOON - timedelta(minutes=5), seen_at=NOON).source["delay_seconds"] == 300
    for published_at in (None, NOON + timedelta(days=1)):
        assert "delay_seconds" not in document(published_at=published_at, seen_at=NOON).source
    stated = document(published_at=NOON - timedelta(days=1), seen_at=NOON).source
    later = first_seen(stated, iso(NOON + timedelta(hours=1)))
    assert later["delay_seconds"] == 25 * 3600
    only_day = {**stated, "published": {**stated["published"], "precision": "day"}}
    assert "delay_seconds" not in first_seen(only_day, iso(NOON))


def test_the_same_input_gives_the_same_document() -> None:
    """Documents don't depend on when they are made but for what says when."""
    assert document() == document()
    later = document(seen_at=NOON + timedelta(days=3), run_id="run-2", fetched_at=NOON + timedelta(days=3))
    assert later.source["document_hash"] == document().source["document_hash"]


@pytest.mark.parametrize(
    "change",
    [
        {"source": "another"},
        {"path": "elsewhere.html"},
        {"digest": "sha1:ABC"},
        {"origins": (("headline", "jsonld"),)},
        {"seen_at": NOON + timedelta(days=1)},
        {"fetched_at": NOON + timedelta(days=1)},
    ],
    ids=str,
)
def test_how_an_article_was_met_is_no_change(change: dict[str, object]) -> None:
    """Meeting an unchanged article in another feed or at another time writes nothing."""
    assert document(**change).source["document_hash"] == document().source["document_hash"]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "change",
    [
        {"headline": "Another"},
        {"body": "Another"},
        {"language": "de"},
        {"authors": ("A. Writer",)},
        {"published_at": None},
        {"modified_at": NOON},
        {"people": ("Committee",)},
        {"description": "New"},
    ],
    ids=str,
)
def test_what_an_article_says_is_a_change(change: dict[str, object]) -> None:
    """Every change of what readers see, or of what was found in it, is one worth writing."""
    assert document(**change).source["document_hash"] != document().source["document_hash"]  # type: ignore[arg-type]


def test_candidates_of_a_date_are_no_change() -> None:
    """Whether the feed's date was at hand too doesn't rewrite the article as long as the result is the same."""
    article = enriched()
    assert article.article.published is not None
    published = replace(article.article.published, candidates=(DateCandidate(source="feed", value="2024-05-01"),))
    more = replace(article, article=replace(article.article, published=published))
    made = to_document(more, seen_at=NOON, run_id="run-1")
    assert made.source["published"]["candidates"] == [{"source": "feed", "value": "2024-05-01"}]
    assert made.source["document_hash"] == document().source["document_hash"]


def test_mentions_point_into_the_stored_body() -> None:
    """Offsets cut exactly the name out of the stored body, also behind characters outside the basic plane."""
    source = document(body="😀 Grüße: Ana Öz spoke. \ud83d And again.", people=("Ana Öz",)).source
    (mention,) = source["mentions"]
    assert source["body"][mention["start"] : mention["end"]] == "Ana Öz" == mention["text"]
    assert source["entities"]["person"] == ["Ana Öz"]
    source["body"].encode()  # half characters are gone


def test_every_field_has_a_place_in_the_mapping() -> None:
    """A full document never meets a strict mapping that doesn't know one of its fields."""
    full = document(
        description="d", authors=("a",), section="s", keywords=("k",), image="https://x.example/i", publisher="p",
        modified_at=NOON, stated_language="en", is_accessible_for_free=False, captions=("c",), digest="sha1:A",
        removed=(RemovedText(kind="furniture", text="Share"),), origins=(("headline", "jsonld"),), path="x.html",
        people=("Committee",),
    ).source  # fmt: skip

    def check(value: object, properties: dict[str, dict[str, object]]) -> None:
        if isinstance(value, list):
            for item in value:
                check(item, properties)
        elif isinstance(value, dict):
            for key, item in value.items():
                assert key in properties, key
                check(item, properties[key].get("properties", {}) if properties[key].get("enabled", True) else _Any())  # type: ignore[arg-type]

    check(full, article_mapping()["properties"])
    assert set(article_mapping(semantic=True)["properties"]) >= NOT_HASHED
    assert full["archive"] == {"file": "2024/05/01.warc.gz", "offset": 7, "digest": "sha1:A"}


def test_hash_is_over_the_content_alone() -> None:
    """The fingerprint can be checked from a stored document."""
    source = document().source
    stored = {**source, "first_seen_at": "2020-01-01T00:00:00.000Z", "alternate_urls": ["https://a.example/"]}
    assert document_hash(stored) == source["document_hash"]


@pytest.mark.parametrize("url", ["https://exa mple.com/x", "https://example.com/\ud83d", "no-url"])
def test_a_broken_address_still_makes_a_document(url: str) -> None:
    """An address that can't be read as a URL loses no article."""
    made = document(url, "Some words.")
    assert made.source["canonical_url"] == url.replace("\ud83d", "\ufffd")
    assert made.id != document(None, "Some words.").id


class _Any(dict):  # type: ignore[type-arg]
    def __contains__(self, key: object) -> bool:
        return True

    def __missing__(self, key: object) -> dict[str, object]:
        return {"enabled": False}
