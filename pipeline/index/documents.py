"""From an enriched article to the document that Elasticsearch holds. Pure."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from pipeline import urls
from pipeline.index.templates import family
from pipeline.models import ArticleRef, DateRecord, EnrichedArticle, EntityType, Place, Precision

NOT_HASHED = frozenset({
    # When and how an article was met says nothing of what it says: none of these is worth a write.
    "@timestamp", "timestamp_basis", "discovered_at", "first_seen_at", "delay_seconds", "fetched_at", "archive",
    "run", "source", "url", "path", "alternate_urls", "duplicate_of", "cluster_id", "similarity", "revisions",
    "revision_count", "origins", "document_hash", "embedding",
})  # fmt: skip
"""Fields that ``document_hash`` leaves out; so it does with the candidates of dates."""

_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """One article as Elasticsearch will hold it: ``_id``, index family and ``_source``."""

    id: str
    family: str
    source: Mapping[str, Any]

    @property
    def location(self) -> str | None:
        """The one address by which a reader finds it: canonical URL, else the path of its file."""
        return self.source.get("canonical_url") or self.source.get("path")

    @property
    def is_comparable(self) -> bool:
        """Whether equal text means the same article."""
        return comparable(self.source.get("body", ""))


def comparable(body: str) -> bool:
    """Whether two articles with this text are the same: below 25 words (or as many characters) it may be chance."""
    return len(body) >= 150 or len(body.split()) >= 25


def to_document(
    enriched: EnrichedArticle, *, seen_at: datetime, run_id: str, discovered_at: datetime | None = None
) -> Document:
    """The document of an article that run ``run_id`` saw at ``seen_at``. For the fields see ``article_mapping``.

    ``discovered_at`` is when its source named it; without it the article is as old as its first sight.

    The id comes from the canonical URL; without one, from the content. Empty fields are left out. Offsets of mentions
    count code points of the stored body. A publication date later than ``seen_at`` is kept but not used as @timestamp.
    """
    article = enriched.article
    canonical = _canonical(article.canonical_url or article.url)
    published = article.published
    dated = published is not None and published.value <= seen_at
    by_type: dict[EntityType, list[str]] = {}
    for entity in enriched.entities:
        names = by_type.setdefault(entity.type, [])
        if entity.name not in names:
            names.append(entity.name)
    mentions = [
        {
            "text": mention.text,
            "type": mention.type.value,
            "name": entity.name,
            "start": mention.start,
            "end": mention.end,
        }
        for entity in enriched.entities
        for mention in entity.mentions
    ]
    archived = article.archived
    minhash = enriched.signature
    fields: dict[str, Any] = {
        "@timestamp": iso(published.value if published is not None and dated else seen_at),
        "timestamp_basis": "published" if dated else "first_seen",
        "url": article.url,
        "canonical_url": canonical,
        "path": _path(article.ref),
        "site": _site(canonical),
        "source": {"id": article.source_id, "via": article.ref.via or None},
        "headline": article.headline,
        "description": article.description,
        "body": article.body,
        "captions": list(article.captions),
        "removed": [{"kind": piece.kind, "text": piece.text} for piece in article.removed],
        "authors": list(article.authors),
        "section": article.section,
        "keywords": list(article.keywords),
        "image": article.image,
        "publisher": article.publisher,
        **_dated("published", published),
        **_dated("modified", article.modified),
        "discovered_at": iso(discovered_at) if discovered_at else None,
        "fetched_at": iso(article.fetched_at),
        "language": enriched.language.code,
        "language_confidence": round(enriched.language.confidence, 4),
        "language_agreement": [{"by": by, "agrees": agrees} for by, agrees in enriched.language.agreement],
        "stated_language": article.stated_language,
        "is_accessible_for_free": article.is_accessible_for_free,
        "word_count": article.word_count,
        "entities": {
            "model": enriched.entities_model,
            "key": sorted({entity.key for entity in enriched.entities if entity.key}),
            **{kind.value: names for kind, names in by_type.items()},
        },
        "named": [
            {
                "name": entity.name,
                "type": entity.type.value,
                "key": entity.key,
                "count": entity.count,
                "salience": round(entity.salience, 3),
                "forms": sorted({mention.text for mention in entity.mentions}),
            }
            for entity in enriched.entities
        ],
        "places": [_place(entity.name, entity.place) for entity in enriched.entities if entity.place is not None],
        "countries": list(enriched.countries),
        "locations": [point for entity in enriched.entities if entity.place and (point := _point(entity.place))],
        "mentions": sorted(mentions, key=lambda mention: (mention["start"], mention["end"])),
        "embedding": enriched.embedding and list(enriched.embedding.vector),
        "embedding_model": enriched.embedding and enriched.embedding.model,
        "content_hash": enriched.content_hash,
        "minhash": minhash and {"bands": list(minhash.bands), "shingles": minhash.shingles},
        "origins": dict(article.origins),
        "archive": archived and {"file": archived.file, "offset": archived.offset, "digest": archived.digest},
        "run": {"id": run_id},
    }
    source = {key: kept for key, value in fields.items() if (kept := _kept(value)) is not None}
    source = first_seen(source, iso(seen_at))
    source["document_hash"] = document_hash(source)
    return Document(
        id=urls.document_id(canonical) if canonical else urls.content_id(enriched.content_hash),
        family=family(enriched.language.code),
        source=source,
    )


def first_seen(source: Mapping[str, Any], at: str) -> dict[str, Any]:
    """The fields of an article that was first seen at this moment, with those that follow from it. Pure.

    These are @timestamp where the publication date is unknown, and ``delay_seconds`` where it is known to the minute.
    """
    seen = {key: value for key, value in source.items() if key != "delay_seconds"} | {"first_seen_at": at}
    if source.get("timestamp_basis") == "first_seen":
        seen["@timestamp"] = at
    precision = source.get("published", {}).get("precision")
    if source.get("published_at") and precision and precision != Precision.DAY:
        delay = datetime.fromisoformat(at) - datetime.fromisoformat(source["published_at"])
        if delay >= timedelta():
            seen["delay_seconds"] = round(delay.total_seconds())
    return seen


def _place(name: str, place: Place) -> dict[str, Any]:
    return {"name": name, "country": place.country, "location": _point(place), "geonames_id": place.geonames_id}


def _point(place: Place) -> dict[str, float] | None:
    if place.latitude is None or place.longitude is None:
        return None
    return {"lat": place.latitude, "lon": place.longitude}


def document_hash(source: Mapping[str, Any]) -> str:
    """A fingerprint of what the document says; equal hashes mean that a write would change nothing of worth."""
    counted = {key: value for key, value in source.items() if key not in NOT_HASHED}
    for key in ("published", "modified"):
        if key in counted:
            counted[key] = {name: value for name, value in counted[key].items() if name != "candidates"}
    return hashlib.sha256(json.dumps(counted, sort_keys=True, ensure_ascii=True).encode()).hexdigest()[:32]


def _dated(name: str, record: DateRecord | None) -> dict[str, Any]:
    if record is None:
        return {}
    return {
        f"{name}_at": iso(record.value),
        name: {
            "precision": record.precision.value,
            "source": record.source,
            "zone_assumed": record.zone_assumed,
            "conflict": record.conflict,
            "candidates": [{"source": item.source, "value": item.value} for item in record.candidates],
        },
    }


def iso(moment: datetime) -> str:
    """A moment as the documents state it: UTC, to the millisecond, which is what Elasticsearch's dates keep."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _canonical(url: str | None) -> str | None:
    if not url:
        return None
    try:
        return urls.canonicalize(url)
    except ValueError:
        return _LONE_SURROGATE.sub("\ufffd", url)


def _site(canonical: str | None) -> str | None:
    if canonical is None:
        return None
    try:
        return urls.registered_domain(canonical) or urls.host_of(canonical)
    except ValueError:
        return None


def _path(ref: ArticleRef) -> str | None:
    if ref.path is None:
        return None
    return f"{ref.path}#{ref.item}" if ref.item is not None else ref.path


def _kept(value: Any) -> Any:
    """The value without empty parts and without half characters (lone surrogates), which no reader can decode."""
    if isinstance(value, str):
        return _LONE_SURROGATE.sub("\ufffd", value) or None
    if isinstance(value, Mapping):
        return {key: kept for key, item in value.items() if (kept := _kept(item)) is not None} or None
    if isinstance(value, list):
        return [kept for item in value if (kept := _kept(item)) is not None] or None
    return value
