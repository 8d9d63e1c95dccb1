"""Enriched articles for the tests of index and search, made from a few words."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any

from pipeline.index.documents import Document, to_document
from pipeline.models import (
    ArchiveAddress,
    Article,
    ArticleRef,
    DateRecord,
    Embedding,
    EnrichedArticle,
    Entity,
    EntityType,
    Language,
    Mention,
    Precision,
)

NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)
FILLER = (
    "The committee met on Tuesday and discussed the plan for most of the afternoon, "
    "before the members agreed to publish a summary of what had been said within the week."
)


def enriched(
    url: str | None = "https://news.example.com/story",
    body: str | None = None,
    *,
    headline: str = "Committee discusses plan",
    language: str = "en",
    path: str | None = None,
    source: str = "example",
    fetched_at: datetime = NOON,
    published_at: datetime | None = NOON - timedelta(hours=3),
    modified_at: datetime | None = None,
    digest: str | None = None,
    people: tuple[str, ...] = (),
    embedding: Embedding | None = None,
    **fields: Any,
) -> EnrichedArticle:
    """An enriched article; each URL has a text of its own unless ``body`` is given."""
    text = body if body is not None else f"{FILLER} {url or path}"
    date = None if published_at is None else _date(published_at)
    entities = tuple(_entity(name, text) for name in people)
    return EnrichedArticle(
        article=Article(
            ref=ArticleRef(source_id=source, url=url, path=path, via="feed https://news.example.com/rss"),
            url=url,
            canonical_url=url,
            headline=headline,
            body=text,
            fetched_at=fetched_at,
            published=date,
            modified=None if modified_at is None else _date(modified_at),
            word_count=len(text.split()),
            archived=ArchiveAddress(file="2024/05/01.warc.gz", offset=7, digest=digest) if digest else None,
            **fields,
        ),
        language=Language(code=language, confidence=0.99, agreement=(("stated", True),)),
        entities=entities,
        entities_model="test",
        content_hash=hashlib.sha256(text.encode(errors="replace")).hexdigest(),
        embedding=embedding,
    )


def document(
    url: str | None = "https://news.example.com/story",
    body: str | None = None,
    *,
    seen_at: datetime = NOON,
    run_id: str = "run-1",
    **fields: Any,
) -> Document:
    """The document of ``enriched``."""
    return to_document(enriched(url, body, **fields), seen_at=seen_at, run_id=run_id)


def _date(moment: datetime) -> DateRecord:
    return DateRecord(value=moment, precision=Precision.SECOND, source="jsonld", zone_assumed=False)


def _entity(name: str, text: str) -> Entity:
    start = text.find(name)
    mentions = (Mention(text=name, type=EntityType.PERSON, start=start, end=start + len(name)),) if start >= 0 else ()
    return Entity(name=name, type=EntityType.PERSON, mentions=mentions)
