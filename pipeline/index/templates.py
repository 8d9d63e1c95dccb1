"""The indices: names, mappings, templates, and setting them up.

There is one index family per language, ``news-<language>-000001`` and so on, all behind the read alias ``news``. A
family differs from the others in one thing only: its default analyzer, so that the one mapping stems each language in
its own way. Languages that Elasticsearch has no analyzer for, and undetermined ones, share ``news-und-…``. New
documents go through the write alias ``news-<language>-write``, so that a family can be rolled over.

Beside them stand ``news-runs``, ``news-sources`` and ``news-quarantine``: what the pipeline did. ``news`` is the
default prefix; another one makes an installation of its own in the same cluster.

Only field types are used that the small embedded node has as well as a full cluster.

The functions that return bodies are pure; ``set_up``, ``state`` and ``ensure_family`` talk to Elasticsearch.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Literal, get_args

from elasticsearch import BadRequestError, Elasticsearch

from pipeline.errors import ConfigurationError, FatalError
from pipeline.index.analyzers import ANALYZERS
from pipeline.index.client import call, reason_of
from pipeline.models import EntityType, OutcomeKind, Stage
from pipeline.settings import IndexSettings

VERSION = 1
"""Raised with every change of the templates; the hash beside it tells the rest."""

UNDETERMINED = "und"
"""The family of articles whose language is unknown or has no analyzer (ISO 639-2 for undetermined)."""

State = Literal["current", "outdated", "missing"]

# Lucene refuses terms beyond 32,766 bytes, and a character takes four at most.
_LONG = 8191
_SHORT = 1024

SEARCHED = (
    "headline^3",
    "description^2",
    "body",
    "captions",
    "authors.text",
    "keywords.text",
    *(f"entities.{kind.value}.text" for kind in EntityType),
)
"""The fields that a question without a field name looks into, with their weights."""


@dataclass(frozen=True, slots=True)
class Names:
    """What things are called under a prefix.

    >>> Names("news").write_alias("en"), Names("news").articles, Names("news").family_of("news-zh-cn-000002")
    ('news-en-write', 'news', 'zh-cn')
    """

    prefix: str

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", self.prefix):
            raise ConfigurationError(
                f"{self.prefix!r} can't be an index prefix; allowed are a-z, 0-9 and single hyphens"
            )

    @property
    def articles(self) -> str:
        """The alias that reads all articles."""
        return self.prefix

    @property
    def runs(self) -> str:
        """The index of run reports."""
        return f"{self.prefix}-runs"

    @property
    def sources(self) -> str:
        """The index of sources' health."""
        return f"{self.prefix}-sources"

    @property
    def quarantine(self) -> str:
        """The index of what failed."""
        return f"{self.prefix}-quarantine"

    @property
    def mapping(self) -> str:
        """The component template that all article families share."""
        return f"{self.prefix}@articles"

    def family_template(self, family: str) -> str:
        """The index template of a language."""
        return f"{self.prefix}-{family}"

    def first_index(self, family: str) -> str:
        """The index a family begins with."""
        return f"{self.prefix}-{family}-000001"

    def write_alias(self, family: str) -> str:
        """The alias that takes a family's new documents."""
        return f"{self.prefix}-{family}-write"

    def family_of(self, index: str) -> str | None:
        """The family of an index, or None where its name doesn't say (restored or re-indexed by hand)."""
        match = re.fullmatch(rf"{re.escape(self.prefix)}-([a-z]+(?:-[a-z]+)?)-\d+", index)
        return match[1] if match else None


def family(language: str) -> str:
    """The index family of a language code.

    >>> family("en"), family("pl"), family("und")
    ('en', 'und', 'und')
    """
    return language if language in ANALYZERS else UNDETERMINED


def families() -> Mapping[str, str]:
    """Every family and its default analyzer."""
    return {**ANALYZERS, UNDETERMINED: "standard"}


# ---------------------------------------------------------------------------------------------- mappings

_KEYWORD: dict[str, Any] = {"type": "keyword", "ignore_above": _SHORT}
_URL: dict[str, Any] = {"type": "keyword", "ignore_above": _LONG}
_TEXT: dict[str, Any] = {"type": "text"}
_NAME: dict[str, Any] = {"type": "keyword", "ignore_above": _SHORT, "fields": {"text": {"type": "text"}}}
_DATE: dict[str, Any] = {"type": "date"}
_BOOLEAN: dict[str, Any] = {"type": "boolean"}
_INTEGER: dict[str, Any] = {"type": "integer"}
_UNSEARCHED_INTEGER: dict[str, Any] = {"type": "integer", "index": False, "doc_values": False}
_LONG_INTEGER: dict[str, Any] = {"type": "long"}
_FLOAT: dict[str, Any] = {"type": "float"}
_KEPT: dict[str, Any] = {"type": "object", "enabled": False}
# A byte for each dimension: a quarter of the memory, and no answer lost that anybody would miss.
_VECTOR: dict[str, Any] = {
    "type": "dense_vector",
    "dims": 384,
    "similarity": "cosine",
    "index_options": {"type": "int8_hnsw"},
}


def _object(**properties: Any) -> dict[str, Any]:
    return {"properties": properties}


def _nested(**properties: Any) -> dict[str, Any]:
    return {"type": "nested", "properties": properties}


def _alias(path: str) -> dict[str, Any]:
    return {"type": "alias", "path": path}


def _date_record() -> dict[str, Any]:
    return _object(precision=_KEYWORD, source=_KEYWORD, zone_assumed=_BOOLEAN, conflict=_BOOLEAN, candidates=_KEPT)


def article_mapping(*, semantic: bool = False) -> dict[str, Any]:
    """Fields of an article. ``dynamic: strict``: a field that is not listed here is an error, not a new field.

    ==========================  =============================================================================
    @timestamp                  published_at where known, else first_seen_at; never in the future
    timestamp_basis             which of the two: ``published`` or ``first_seen``
    url, canonical_url          the address it was read from; the one form its spellings share
    alternate_urls              other addresses and paths under which the same text was met
    path                        the file it was loaded from (``#item`` where a file holds several)
    site                        registered domain of the address
    source.id, source.via       the entry of sources.toml that named it, and how
    headline, description, body, captions    text in the index's language; body is never cut
    removed                     what cleaning took out, and as what
    authors, section, keywords, image, publisher, is_accessible_for_free    as in schema.org's NewsArticle
    published_at, published.*   publication date, empty when unknown, and its provenance
    modified_at, modified.*     the same for the last change
    discovered_at               when the run that brought it was planned: its age among copies
    first_seen_at, fetched_at   when this index first held it; when these bytes were read
    delay_seconds               from published_at to first_seen_at, where the one is known to the minute
    language, language_confidence, language_agreement, stated_language    ISO 639-1 code or ``und``
    word_count                  words of the body
    entities.<type>             names, for facets; ``entities.<type>.text`` for searching; entities.model
    entities.key                the same names in the one spelling that all articles share (``person:sergei-lavrov``)
    named                       each of them with its count, salience (0 to 1) and surface forms
    mentions                    nested: text, type, name, and start and end in the body (code points)
    places, countries, locations    nested places with coordinates; ISO codes and points for maps
    embedding, embedding_model  with ``semantic`` only: what headline and lede mean, as a vector, and what made it
    content_hash                equal for equal text; document_hash: equal where nothing worth a write differs
    minhash.bands, minhash.shingles    the text's signature, by which near copies are found; how many shingles it has
    cluster_id, similarity      id of the article that its cluster of copies began with (its own where it stands alone),
                                and how similar it is, 0 to 1
    duplicate_of                id of the article of another site that has the same text
    origins                     where each field came from (kept, not searchable)
    archive.*                   the raw record: file, byte offset, payload digest
    run.id                      the run that wrote this version
    revisions, revision_count   nested: when the text changed, which sentences went and came; changes in all
    ==========================  =============================================================================

    Short names that people try in a search box are aliases: title, text, author, person, place, org, event, lang, date.
    """
    properties: dict[str, Any] = {
        "@timestamp": _DATE,
        "timestamp_basis": _KEYWORD,
        "url": _URL,
        "canonical_url": _URL,
        "alternate_urls": _URL,
        "path": _URL,
        "site": _KEYWORD,
        "source": _object(id=_KEYWORD, via=_URL),
        "headline": {"type": "text", "fields": {"keyword": _KEYWORD}},
        "description": _TEXT,
        "body": _TEXT,
        "captions": _TEXT,
        "removed": _object(kind=_KEYWORD, text={"type": "text", "index": False}),
        "authors": _NAME,
        "section": _NAME,
        "keywords": _NAME,
        "image": _URL,
        "publisher": _NAME,
        "published_at": _DATE,
        "published": _date_record(),
        "modified_at": _DATE,
        "modified": _date_record(),
        "discovered_at": _DATE,
        "first_seen_at": _DATE,
        "delay_seconds": _LONG_INTEGER,
        "fetched_at": _DATE,
        "language": _KEYWORD,
        "language_confidence": _FLOAT,
        "language_agreement": _object(by=_KEYWORD, agrees=_BOOLEAN),
        "stated_language": _KEYWORD,
        "is_accessible_for_free": _BOOLEAN,
        "word_count": _INTEGER,
        "entities": _object(model=_KEYWORD, key=_KEYWORD, **{kind.value: _NAME for kind in EntityType}),
        "mentions": _nested(text=_KEYWORD, type=_KEYWORD, name=_KEYWORD, start=_INTEGER, end=_INTEGER),
        "named": _nested(name=_KEYWORD, type=_KEYWORD, key=_KEYWORD, count=_INTEGER, salience=_FLOAT, forms=_KEYWORD),
        "places": _nested(name=_KEYWORD, country=_KEYWORD, location={"type": "geo_point"}, geonames_id=_LONG_INTEGER),
        "countries": _KEYWORD,
        "locations": {"type": "geo_point"},
        "content_hash": _KEYWORD,
        "document_hash": _KEYWORD,
        "minhash": _object(bands={**_KEYWORD, "doc_values": False}, shingles=_UNSEARCHED_INTEGER),
        "cluster_id": _KEYWORD,
        "similarity": _FLOAT,
        "duplicate_of": _KEYWORD,
        "origins": _KEPT,
        "archive": _object(file=_URL, offset=_LONG_INTEGER, digest=_KEYWORD),
        "run": _object(id=_KEYWORD),
        "revisions": _nested(
            at=_DATE,
            content_hash=_KEYWORD,
            headline=_TEXT,
            modified_at=_DATE,
            silent_edit=_BOOLEAN,
            removed=_TEXT,
            added=_TEXT,
            omitted=_INTEGER,
        ),
        "revision_count": _INTEGER,
        "title": _alias("headline"),
        "text": _alias("body"),
        "author": _alias("authors.text"),
        "person": _alias("entities.person.text"),
        "place": _alias("entities.place.text"),
        "org": _alias("entities.organization.text"),
        "event": _alias("entities.event.text"),
        "lang": _alias("language"),
        "date": _alias("published_at"),
    }
    if semantic:
        properties |= {"embedding": _VECTOR, "embedding_model": _KEYWORD}
    return _versioned({"dynamic": "strict", "date_detection": False, "properties": properties})


def run_mapping() -> dict[str, Any]:
    """Fields of a run report (names after ECS where ECS has one)."""
    return _versioned({
        "dynamic": "strict",
        "properties": {
            "@timestamp": _DATE,
            "run": _object(id=_KEYWORD, kind=_KEYWORD, status=_KEYWORD),
            "event": _object(start=_DATE, end=_DATE),
            "discovered": _LONG_INTEGER,
            "outcomes": _object(**{kind.value: _LONG_INTEGER for kind in OutcomeKind}),
            "reasons": _nested(reason=_KEYWORD, count=_LONG_INTEGER),
            "sources": _KEYWORD,
            # So that who chooses a source in Kibana, among articles or failures, sees the runs that asked it.
            "source": _object(id=_alias("sources")),
            "seconds": _object(total=_FLOAT, **dict.fromkeys(get_args(Stage), _FLOAT)),
            "entities_model": _KEYWORD,
            "error": _object(type=_KEYWORD, message=_TEXT),
        },
    })  # fmt: skip


def source_mapping() -> dict[str, Any]:
    """Fields of a source's health: one document per source, rewritten after each run."""
    return _versioned({
        "dynamic": "strict",
        "properties": {
            "@timestamp": _DATE,
            "source": _object(id=_KEYWORD, kind=_KEYWORD, name=_NAME, location=_URL, tags=_KEYWORD, language=_KEYWORD,
                              country=_KEYWORD, enabled=_BOOLEAN),
            "status": _KEYWORD,
            "last_success_at": _DATE,
            "last_failure_at": _DATE,
            "last_article_at": _DATE,
            "next_poll_at": _DATE,
            "articles_per_day": _FLOAT,
            "consecutive_failures": _LONG_INTEGER,
            "run": _object(id=_KEYWORD),
            "discovered": _LONG_INTEGER,
            "outcomes": _object(**{kind.value: _LONG_INTEGER for kind in OutcomeKind}),
            "reason": _KEYWORD,
            "error": _object(type=_KEYWORD, message=_TEXT),
        },
    })  # fmt: skip


def quarantine_mapping() -> dict[str, Any]:
    """Fields of what failed: one document per reference, kept until it succeeds."""
    return _versioned({
        "dynamic": "strict",
        "properties": {
            "@timestamp": _DATE,
            "source": _object(id=_KEYWORD),
            "name": _URL,
            "stage": _KEYWORD,
            "reason": _KEYWORD,
            "error": _object(message=_TEXT),
            "attempts": _INTEGER,
            "first_failed_at": _DATE,
            "last_failed_at": _DATE,
            "run": _object(id=_KEYWORD),
            "ref": _KEPT,
            "archive": _object(file=_URL, offset=_LONG_INTEGER, digest=_KEYWORD),
            "command": {"type": "text", "index": False},
        },
    })  # fmt: skip


# --------------------------------------------------------------------------------------------- templates


def component_templates(settings: IndexSettings, prefix: str = "news") -> dict[str, dict[str, Any]]:
    """The component template that all article families share, by name."""
    body = {
        "template": {
            "mappings": article_mapping(semantic=settings.semantic),
            "settings": {
                **_sizes(settings),
                # Every mention is a nested document; a book-length report has more than the default 10,000.
                "index.mapping.nested_objects.limit": 100_000,
                "index.query.default_field": list(SEARCHED),
            },
        },
    }
    return {Names(prefix).mapping: _versioned(body)}


def index_templates(settings: IndexSettings, prefix: str = "news") -> dict[str, dict[str, Any]]:
    """One index template per article family, and one for each of the indices about the pipeline itself."""
    names = Names(prefix)
    bodies: dict[str, dict[str, Any]] = {}
    for language, analyzer in families().items():
        bodies[names.family_template(language)] = {
            "index_patterns": [f"{prefix}-{language}-0*"],
            "composed_of": [names.mapping],
            "priority": 500,
            "template": {
                "settings": {"index.analysis.analyzer.default.type": analyzer},
                "aliases": {names.articles: {}},
            },
        }
    own = {names.runs: run_mapping(), names.sources: source_mapping(), names.quarantine: quarantine_mapping()}
    for name, mapping in own.items():
        bodies[name] = {
            "index_patterns": [name],
            "priority": 500,
            "template": {"mappings": mapping, "settings": _sizes(settings)},
        }
    return {name: _versioned(body) for name, body in bodies.items()}


def _sizes(settings: IndexSettings) -> dict[str, Any]:
    return {"index.number_of_shards": settings.shards, "index.number_of_replicas": settings.replicas}


def _versioned(body: dict[str, Any]) -> dict[str, Any]:
    digest = hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()[:16]
    return {**body, "_meta": {"managed_by": "news-pipeline", "version": VERSION, "hash": digest}}


# ------------------------------------------------------------------------------------------- in the cluster


def state(client: Elasticsearch, settings: IndexSettings, prefix: str = "news") -> dict[str, State]:
    """For each template, and each existing index's mapping, whether it is as this version wants it."""
    names = Names(prefix)
    found: dict[str, Any] = {}
    lenient = client.options(ignore_status=404)  # which is what an empty list comes with
    for item in call(lambda: lenient.cluster.get_component_template(name=f"{prefix}@*"))["component_templates"]:
        found[item["name"]] = item["component_template"]
    for item in call(lambda: lenient.indices.get_index_template(name=f"{prefix}-*"))["index_templates"]:
        found[item["name"]] = item["index_template"]
    wanted = component_templates(settings, prefix) | index_templates(settings, prefix)
    states = {f"template {name}": _compare(body, found.get(name)) for name, body in wanted.items()}
    for index, mapping, current in _existing(client, settings, names):
        states[f"index {index}"] = _compare(mapping, current)
    for name in (names.runs, names.sources, names.quarantine):
        states.setdefault(f"index {name}", "missing")
    return states


def set_up(client: Elasticsearch, settings: IndexSettings, prefix: str = "news") -> list[str]:
    """Bring templates and existing indices to this version; returns what was changed (nothing the second time).

    Raises FatalError where an existing index can't take the mapping or the node lacks an analyzer.
    """
    names = Names(prefix)
    states = state(client, settings, prefix)
    changed = [name for name, found in states.items() if found != "current"]
    put_templates(client, settings, prefix, only=changed)
    for index, mapping, current in _existing(client, settings, names):
        if _compare(mapping, current) == "outdated":
            options = {key.removeprefix("_") if key == "_meta" else key: value for key, value in mapping.items()}
            _apply(lambda index=index, options=options: client.indices.put_mapping(index=index, **options), index)
    for name in (names.runs, names.sources, names.quarantine):
        if states[f"index {name}"] == "missing":
            _create(client, name, {})
    return changed


def put_templates(
    client: Elasticsearch, settings: IndexSettings, prefix: str = "news", *, only: Sequence[str] | None = None
) -> None:
    """Put the templates that new indices are made from, and touch no index; ``only`` names some as ``state`` does."""
    for name, body in component_templates(settings, prefix).items():
        if only is None or f"template {name}" in only:
            _apply(
                lambda name=name, body=body: client.cluster.put_component_template(name=name, **_options(body)), name
            )
    wanted = {
        name: body
        for name, body in index_templates(settings, prefix).items()
        if only is None or f"template {name}" in only
    }

    def put_template(item: tuple[str, dict[str, Any]]) -> None:
        name, body = item
        _apply(lambda: client.indices.put_index_template(name=name, **_options(body)), name)

    # Elasticsearch tries out each template it is given; several at a time take a quarter of the time.
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(put_template, wanted.items()))


def ensure_family(client: Elasticsearch, language: str, settings: IndexSettings, prefix: str = "news") -> None:
    """Create a family's first index unless it has one. Two at once don't hurt each other."""
    names = Names(prefix)
    alias = names.write_alias(language)
    if call(lambda: bool(client.indices.exists_alias(name=alias))):
        return
    if not call(lambda: bool(client.indices.exists_index_template(name=names.family_template(language)))):
        set_up(client, settings, prefix)
    _create(client, names.first_index(language), {alias: {"is_write_index": True}})


def _create(client: Elasticsearch, index: str, aliases: Mapping[str, Any]) -> None:
    def create() -> None:
        try:
            client.indices.create(index=index, aliases=aliases)
        except BadRequestError as error:
            # Somebody else was quicker.
            if "resource_already_exists_exception" not in str(error.error):
                raise

    call(create, wait_seconds=30)


def _apply(request: Any, name: str) -> None:
    def apply() -> None:
        try:
            request()
        except BadRequestError as error:
            reason = reason_of(error)
            missing = "nknown analyzer type" in reason
            raise FatalError(
                f"Elasticsearch refuses the settings of {name}: {reason}.",
                hint="This node lacks language analyzers: use a full distribution or this project's embedded node."
                if missing
                else "What the index holds can't be changed in place: build it anew from the archive.",
            ) from error

    call(apply, wait_seconds=30)


def _existing(
    client: Elasticsearch, settings: IndexSettings, names: Names
) -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    """Each index of ours that exists: its name, the mapping it should have, the one it has."""
    groups = {
        names.articles: article_mapping(semantic=settings.semantic),
        names.runs: run_mapping(),
        names.sources: source_mapping(),
        names.quarantine: quarantine_mapping(),
    }
    for name, wanted in groups.items():
        response = call(lambda name=name: client.indices.get_mapping(index=name, ignore_unavailable=True))  # type: ignore[misc]
        for index, body in sorted(response.items()):
            yield index, wanted, body["mappings"]


def _compare(wanted: Mapping[str, Any], found: Mapping[str, Any] | None) -> State:
    if found is None:
        return "missing"
    return "current" if found.get("_meta", {}).get("hash") == wanted["_meta"]["hash"] else "outdated"


def _options(body: Mapping[str, Any]) -> dict[str, Any]:
    return {"meta" if key == "_meta" else key: value for key, value in body.items()}
