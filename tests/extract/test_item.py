"""Plain-text files and JSON items as articles."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from island_pages import PROSE

from pipeline.errors import ArticleFailed, ArticleRejected, Reason
from pipeline.extract import extract
from pipeline.models import RawPage, StatedFacts
from pipeline.settings import ExtractSettings

SETTINGS = ExtractSettings()
MakePage = Callable[..., RawPage]
ITEM = {
    "url": "https://islandherald.example/news/ferry",
    "headline": "Ferry runs again",
    "body": "\n\n".join(PROSE),
    "authors": ["Ansa Tollund"],
    "published_at": "2026-05-04T09:30:00+02:00",
    "language": "en",
    "section": "Islands",
    "keywords": ["ferry"],
}


def item(make_page: MakePage, **changes: object) -> RawPage:
    """An item with some keys changed (None: left out)."""
    content = {key: value for key, value in (ITEM | changes).items() if value is not None}
    return make_page(json.dumps(content), media_type="application/json", url=None)


def test_text_file(make_page: MakePage) -> None:
    """A text file's first line is its headline, the rest its body; a date that nobody states stays empty."""
    article = extract(
        make_page("Ferry runs again\n\n" + "\n\n".join(PROSE), url=None, media_type="text/plain"), settings=SETTINGS
    )
    assert (article.headline, article.body) == ("Ferry runs again", "\n\n".join(PROSE))
    assert (article.published, article.canonical_url) == (None, None)


def test_text_with_facts_from_its_source(make_page: MakePage) -> None:
    """What the source says of a text without a date is used, and marked as the source's word."""
    facts = StatedFacts(published_at=datetime(2026, 5, 4, tzinfo=UTC), language="en")
    article = extract(
        make_page("Ferry runs again\n\n" + "\n\n".join(PROSE), media_type="text/plain", facts=facts), settings=SETTINGS
    )
    assert article.published is not None
    assert article.published.source == "source"
    assert article.stated_language == "en"


def test_json_item(make_page: MakePage) -> None:
    """Every documented key of an item arrives in its field."""
    article = extract(
        item(make_page, description="Divers freed the rudder.", image="https://a.example/f.jpg"), settings=SETTINGS
    )
    assert article.headline == "Ferry runs again"
    assert article.body == "\n\n".join(PROSE)
    assert article.canonical_url == "https://islandherald.example/news/ferry"
    assert (article.authors, article.section, article.keywords) == (("Ansa Tollund",), "Islands", ("ferry",))
    assert (article.description, article.image) == ("Divers freed the rudder.", "https://a.example/f.jpg")
    assert article.published is not None
    assert article.published.value == datetime(2026, 5, 4, 7, 30, tzinfo=UTC)


def test_json_item_with_markup_and_other_names(make_page: MakePage) -> None:
    """``title`` and ``text`` do for ``headline`` and ``body``, markup in the text is taken out."""
    markup = "".join(f"<p>{paragraph}</p>" for paragraph in PROSE)
    article = extract(
        item(make_page, headline=None, body=None, title="Ferry &amp; ice", text=markup), settings=SETTINGS
    )
    assert (article.headline, article.body) == ("Ferry & ice", "\n\n".join(PROSE))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("{", "line 1"),
        ("[1, 2]", "a list"),
        ('"x"', "a str"),
        ("[" * 100_000, "nested"),
        ('{"body": 5}', "'body' must be a string"),
        (json.dumps({"body": PROSE[0] * 3, "authors": 5}), "'authors'"),
    ],
)
def test_broken_items_fail_with_a_hint(make_page: MakePage, content: str, says: str) -> None:
    """A broken item fails as bad_json and says what is wrong where."""
    with pytest.raises(ArticleFailed) as caught:
        extract(make_page(content, media_type="application/json", url=None), settings=SETTINGS)
    assert caught.value.reason is Reason.BAD_JSON
    assert says in caught.value.detail


def test_items_without_text_are_rejected(make_page: MakePage) -> None:
    """An item without a body is rejected; so is one that is too short, with the setting's name."""
    with pytest.raises(ArticleRejected) as none:
        extract(item(make_page, body=None), settings=SETTINGS)
    with pytest.raises(ArticleRejected) as short:
        extract(item(make_page, body="Short."), settings=SETTINGS)
    assert (none.value.reason, short.value.reason) == (Reason.NO_TEXT, Reason.TOO_SHORT)
    assert "extract.min_characters" in short.value.detail
