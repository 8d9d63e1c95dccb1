"""Articles that come as text or as data: plain-text files and JSON items. Pure."""

# ruff: noqa: E501 - patterns and vocabularies read better unbroken

from __future__ import annotations

import json
import re
from datetime import datetime
from pathlib import PurePosixPath
from typing import Any

from pipeline.errors import ArticleFailed, ArticleRejected, Reason
from pipeline.extract import metadata, picture, topics
from pipeline.extract.body import extract_body
from pipeline.extract.dates import Statement, choose, date_in_url
from pipeline.extract.density import columns
from pipeline.extract.encoding import decode
from pipeline.extract.plaintext import clean, fix_mojibake, repair
from pipeline.extract.structured import plain
from pipeline.models import Article, RawPage, RemovedText
from pipeline.settings import ExtractSettings
from pipeline.urls import canonicalize

_MARKUP = re.compile(r"<(?:p|br|div|h[1-6]|ul|ol|li|blockquote|article|section|html|body)\b[^>]*>", re.IGNORECASE)
KNOWN_KEYS = (
    "url", "headline", "title", "body", "text", "description", "authors", "author", "published_at", "modified_at", "language",
    "section", "keywords", "image", "publisher",
)  # fmt: skip


def extract_text(page: RawPage, settings: ExtractSettings) -> Article:
    """The article of a plain-text page or file. Raises ArticleRejected where there is none."""
    decoded = decode(page.body, page.charset)
    cleaned = clean(decoded.text)
    facts = page.ref.facts
    _refuse_short(cleaned.body or cleaned.headline, settings)
    headline, origin = cleaned.headline, "text"
    if facts.title and (not headline or headline.endswith("…")):
        headline, origin = plain(facts.title), "source"
    published = [Statement("text", text) for text in cleaned.published]
    modified = [Statement("text", text) for text in cleaned.modified]
    url = page.final_url or page.url
    if date := date_in_url(url):
        published.append(Statement("url", date))
    if facts.published_at:
        published.append(Statement("source", facts.published_at))
    if facts.modified_at:
        modified.append(Statement("source", facts.modified_at))
    people = tuple(
        dict.fromkeys(name for value in (cleaned.authors or facts.authors) for name in metadata.split_names(value))
    )
    tags = tuple(topics.tags_of(facts.keywords))
    return Article(
        ref=page.ref, url=url, canonical_url=_canonical(url), headline=headline or _name_of(page), body=cleaned.body, fetched_at=page.fetched_at,
        description=cleaned.description or (plain(facts.description) if facts.description else None), authors=people,
        keywords=tags, published=choose(published, ceiling=page.fetched_at), modified=choose(modified, ceiling=page.fetched_at),
        stated_language=facts.language, captions=cleaned.captions, removed=cleaned.removed,
        origins=_origins(headline=origin, body="text", authors="text" if cleaned.authors else "source" if people else "", keywords="source" if tags else "",
                         description="text" if cleaned.description else "source" if facts.description else "", encoding=f"{decoded.encoding} ({decoded.basis})"),
        word_count=metadata.word_count(cleaned.body), archived=page.archived,
    )  # fmt: skip


def extract_json(page: RawPage, settings: ExtractSettings) -> Article:
    """The article of one JSON object with the keys of ``KNOWN_KEYS``.

    Raises ArticleFailed(BAD_JSON) for what is no such object, ArticleRejected for one without an article.
    """
    decoded = decode(page.body, page.charset)
    item = _object(decoded.text)
    facts = page.ref.facts
    raw = _string(item, "body") or _string(item, "text") or ""
    if not raw.strip():
        raise ArticleRejected(Reason.NO_TEXT, "neither 'body' nor 'text' holds any text")
    body, removed, captions = _item_body(raw)
    _refuse_short(body, settings)
    url = page.final_url or page.url or _string(item, "url")
    headline = (
        plain(_string(item, "headline") or _string(item, "title") or facts.title or "") or body.partition("\n")[0][:200]
    )
    people = _strings(item, "authors") or _strings(item, "author")
    published: list[Statement] = []
    modified: list[Statement] = []
    for statements, key, fact in (
        (published, "published_at", facts.published_at),
        (modified, "modified_at", facts.modified_at),
    ):
        if value := item.get(key):
            statements.append(Statement(f"item.{key}", _date_text(value, key)))
        if fact:
            statements.append(Statement("source", fact))
    if date := date_in_url(url):
        published.append(Statement("url", date))
    names = tuple(
        dict.fromkeys(name for value in (people or list(facts.authors)) for name in metadata.split_names(value))
    )
    description = _string(item, "description") or facts.description
    language = _string(item, "language") or facts.language
    section, publisher = _string(item, "section"), _string(item, "publisher")
    image = picture.absolute(_string(item, "image") or "", url)
    stated_tags = _strings(item, "keywords")
    tags = tuple(topics.tags_of(stated_tags or facts.keywords))
    return Article(
        ref=page.ref, url=url, canonical_url=_canonical(url), headline=fix_mojibake(headline), body=body, fetched_at=page.fetched_at,
        description=fix_mojibake(plain(description)) or None if description else None, authors=names, section=section,
        keywords=tags, image=image, publisher=publisher,
        published=choose(published, ceiling=page.fetched_at), modified=choose(modified, ceiling=page.fetched_at),
        stated_language=language.replace("_", "-").lower() if language else None, captions=captions, removed=removed,
        origins=_origins(headline="item", body="item", authors="item" if people else "source" if names else "",
                         description="item" if item.get("description") else "source" if description else "", keywords="item" if stated_tags else "source" if tags else "",
                         section="item" if section else "", publisher="item" if publisher else "", image="item" if image else "", encoding=f"{decoded.encoding} ({decoded.basis})"),
        word_count=metadata.word_count(body), archived=page.archived,
    )  # fmt: skip


def _object(text: str) -> dict[str, Any]:
    try:
        item = json.loads(text, strict=False)
    except json.JSONDecodeError as error:
        raise ArticleFailed(Reason.BAD_JSON, f"line {error.lineno}, column {error.colno}: {error.msg}") from None
    except RecursionError:
        raise ArticleFailed(Reason.BAD_JSON, "nested too deeply") from None
    if isinstance(item, list) and len(item) == 1:
        item = item[0]
    if not isinstance(item, dict):
        raise ArticleFailed(
            Reason.BAD_JSON,
            f"an object with the keys {', '.join(KNOWN_KEYS)} is wanted, this is a {type(item).__name__}",
        )
    return item


def _string(item: dict[str, Any], key: str) -> str | None:
    value = item.get(key)
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise ArticleFailed(Reason.BAD_JSON, f"{key!r} must be a string, this is a {type(value).__name__}")
    return value


def _strings(item: dict[str, Any], key: str) -> list[str]:
    value = item.get(key)
    if value is None or value == "":
        return []
    values = value if isinstance(value, list) else [value]
    named = [entry.get("name") if isinstance(entry, dict) else entry for entry in values]
    names = [name for name in named if isinstance(name, str)]
    if len(names) != len(values):
        raise ArticleFailed(Reason.BAD_JSON, f"{key!r} must be a string or a list of strings")
    if key == "keywords" and not isinstance(value, list):
        names = names[0].split(",")
    return [name.strip() for name in names if name.strip()]


def _date_text(value: Any, key: str) -> str | datetime:
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise ArticleFailed(Reason.BAD_JSON, f"{key!r} must be a date in ISO 8601 or seconds since 1970")
    return str(int(value)) if isinstance(value, (int, float)) else value


def _item_body(raw: str) -> tuple[str, tuple[RemovedText, ...], tuple[str, ...]]:
    if _MARKUP.search(raw):
        from pipeline.extract.html import parse

        tree = parse(f"<html><body><article>{raw}</article></body></html>")
        if tree is not None and (body := extract_body(tree)).text:
            return fix_mojibake(body.text), (), ()
    # The cleaner takes the first line for a headline; an item's headline has a field of its own.
    cleaned = clean(f"Headline\n\n{repair(raw)}")
    return cleaned.body, cleaned.removed, cleaned.captions


def _refuse_short(text: str, settings: ExtractSettings) -> None:
    if not text.strip():
        raise ArticleRejected(Reason.NO_TEXT, "nothing is left of the text when furniture is taken out")
    if (length := columns(text)) < settings.min_characters:
        raise ArticleRejected(
            Reason.TOO_SHORT,
            f"{length} characters, the setting extract.min_characters asks for {settings.min_characters}",
        )


def _canonical(url: str | None) -> str | None:
    if not url:
        return None
    try:
        return canonicalize(url)
    except ValueError:
        return None


def _name_of(page: RawPage) -> str:
    return PurePosixPath(page.ref.path or page.url or "untitled").stem


def _origins(**origins: str) -> tuple[tuple[str, str], ...]:
    return tuple((name, origin) for name, origin in origins.items() if origin)
