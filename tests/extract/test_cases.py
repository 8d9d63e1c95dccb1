"""Every folder of tests/data/extract is a page as it may arrive, and what a reader must get from it."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from email.message import Message
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import ArticleError
from pipeline.extract import extract
from pipeline.models import Article, ArticleRef, DateRecord, Precision, RawPage, StatedFacts
from pipeline.settings import ExtractSettings

CASES = sorted(path.parent for path in (Path(__file__).parents[1] / "data" / "extract").glob("*/article.json"))


def read(folder: Path) -> tuple[RawPage, dict[str, Any]]:
    """The page of a case folder as the fetcher would hand it over, and what is expected of it."""
    case = json.loads((folder / "article.json").read_text(encoding="utf-8"))
    given = case["given"]
    header = Message()
    header["content-type"] = given["content_type"]
    url = given["url"]
    facts = dict(given.get("facts", {}))
    for key in ("published_at", "modified_at"):
        if key in facts:
            facts[key] = datetime.fromisoformat(facts[key])
    page = RawPage(
        ref=ArticleRef(source_id="cases", url=url, path=None if url else given["file"], facts=StatedFacts(**facts)),
        url=url,
        final_url=url,
        media_type=header.get_content_type(),
        charset=header.get_content_charset(),
        body=(folder / given["file"]).read_bytes(),
        fetched_at=datetime.fromisoformat(given["fetched_at"]),
    )
    return page, case["expected"]


def spaced(text: str) -> str:
    """The text with every run of white space as one space."""
    return " ".join(text.split())


def same_date(record: DateRecord | None, wanted: str | None) -> bool:
    """Whether a date says what was wanted: the same moment, or the same day where only a day is wanted."""
    if record is None or wanted is None:
        return record is None and wanted is None
    if len(wanted) == 10:
        return record.precision is Precision.DAY and record.value.date().isoformat() == wanted
    return record.value == datetime.fromisoformat(wanted).astimezone(UTC)


@pytest.mark.parametrize("folder", CASES, ids=lambda path: path.name)
def test_case(folder: Path) -> None:
    """The page of each case folder yields the article that its ``article.json`` promises (see the ``why`` there)."""
    page, expected = read(folder)
    if "rejected" in expected:
        with pytest.raises(ArticleError) as caught:
            extract(page, settings=ExtractSettings(**expected.get("settings", {})))
        assert caught.value.reason.value == expected["rejected"]
        return
    article = extract(page, settings=ExtractSettings(min_characters=0))
    check(article, expected)
    assert article == extract(page, settings=ExtractSettings(min_characters=0)), "the same bytes gave another article"


def check(article: Article, expected: dict[str, Any]) -> None:
    """Compare an article with the ``expected`` of a case."""
    body = spaced(article.body)
    if "headline" in expected:
        assert spaced(article.headline) == expected["headline"]
    for text in expected.get("contains", []):
        assert spaced(text) in body
    for text in expected.get("omits", []):
        assert spaced(text) not in f"{spaced(article.headline)}\n{body}"
    if "authors" in expected:
        assert list(article.authors) == expected["authors"]
    if "published" in expected:
        assert same_date(article.published, expected["published"]), article.published
    if "modified" in expected:
        assert same_date(article.modified, expected["modified"]), article.modified
    if "published_source" in expected:
        assert article.published is not None
        assert article.published.source == expected["published_source"]
    if "precision" in expected:
        assert article.published is not None
        assert article.published.precision == expected["precision"]
    if "captions" in expected:
        assert [spaced(text) for text in article.captions] == [spaced(text) for text in expected["captions"]]
    if "paragraphs" in expected:
        assert len(re.split(r"\n+", article.body)) == expected["paragraphs"]
    if expected.get("in_order"):
        order = expected["contains"] if expected["in_order"] is True else expected["in_order"]
        places = [body.index(spaced(text)) for text in order]
        assert places == sorted(places)
    for field in ("description", "section", "publisher", "canonical_url", "image", "stated_language", "word_count"):
        if field in expected:
            assert getattr(article, field) == expected[field]
    if "keywords" in expected:
        assert list(article.keywords) == expected["keywords"]
    if "removed" in expected:
        assert {spaced(piece.text) for piece in article.removed} >= {spaced(text) for text in expected["removed"]}
    if "is_accessible_for_free" in expected:
        assert article.is_accessible_for_free is expected["is_accessible_for_free"]
