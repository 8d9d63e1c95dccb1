"""A question in the words of Elasticsearch's query string, answered with hits, highlights and facets.

All words must occur, in any of the searched fields. ``"exact phrases"``, ``OR``, ``-without``, ``Lavrof~`` (alike),
``sanct*`` and ``field:word`` work; so do the short names title, text, author, person, place, org, event, source,
site, lang and date (``date:[2024-01-01 TO 2024-01-31]``). Each language's index reads the question with its own
analyzer, so that words are found in all their forms.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from elasticsearch import BadRequestError, Elasticsearch

from pipeline import urls
from pipeline.errors import FatalError
from pipeline.index.client import call, describe
from pipeline.index.documents import iso
from pipeline.index.templates import SEARCHED, Names, article_mapping

WINDOW = 10_000
"""How deep one may page (Elasticsearch's index.max_result_window)."""

_LONGEST_QUESTION = 2_000
_FACET_SIZE = 10
_DAYS = 60

_HIGHLIGHTED = ("headline", "description", "body", "captions")
_FACETS = {
    "language": "language",
    "source": "source.id",
    "people": "entities.person",
    "places": "entities.place",
    "organizations": "entities.organization",
}
# "source" is an object in the mapping and can't be an alias too.
_REWRITTEN = {"source": "source.id"}


class QueryError(FatalError):
    """The question can't be answered as it stands; the message says what is wrong with it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchRequest:
    """A question. ``since`` and ``until`` bound @timestamp, half-open. An empty ``query`` asks for everything."""

    query: str = ""
    language: str | None = None
    source: str | None = None
    person: str | None = None
    place: str | None = None
    organization: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    sort: Literal["relevance", "newest"] = "relevance"
    limit: int = 10
    offset: int = 0
    prefix: str = "news"


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchHit:
    """One article found. ``highlights`` are fragments by field, the words found in ``<em>`` and ``</em>``."""

    id: str
    score: float | None
    headline: str
    url: str | None
    path: str | None
    language: str
    published_at: datetime | None
    first_seen_at: datetime
    source: str
    site: str | None
    duplicate_of: str | None
    highlights: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchResults:
    """Articles found, in order, out of ``total``. Facets are counts over all of ``total``, the most frequent first."""

    total: int
    hits: tuple[SearchHit, ...]
    facets: Mapping[str, tuple[tuple[str, int], ...]]


def search(client: Elasticsearch, request: SearchRequest) -> SearchResults:
    """Answer a question.

    Facets are language, source, people, places, organizations (ten each) and day (the latest 60, newest first).
    Raises QueryError for a question that is wrong, and IndexUnavailableError.
    """
    body = to_body(request)

    def ask() -> Any:
        try:
            return client.search(index=Names(request.prefix).articles, ignore_unavailable=True, **body)
        except BadRequestError as error:
            raise QueryError(_wrong(request.query, error)) from error

    return from_response(call(ask))


def to_body(request: SearchRequest) -> dict[str, Any]:
    """The request to Elasticsearch. Pure. Raises QueryError for what is wrong on sight."""
    if request.limit < 0 or request.offset < 0 or request.offset + request.limit > WINDOW:
        raise QueryError(
            f"Results {request.offset} to {request.offset + request.limit} can't be shown: "
            f"the search goes {WINDOW} results deep. Narrow it down, or sort by newest and use --until."
        )
    if len(request.query) > _LONGEST_QUESTION:
        raise QueryError(f"The question has {len(request.query)} characters; at most {_LONGEST_QUESTION} are allowed.")
    score = {"_score": "desc"}
    newest = {"@timestamp": "desc"}
    order = [score, newest] if request.sort == "relevance" and request.query.strip() else [newest]
    aggregations: dict[str, Any] = {
        name: {"terms": {"field": field, "size": _FACET_SIZE}} for name, field in _FACETS.items()
    }
    aggregations["day"] = {
        "date_histogram": {
            "field": "@timestamp",
            "calendar_interval": "day",
            "min_doc_count": 1,
            "format": "yyyy-MM-dd",
            "order": {"_key": "desc"},
        }
    }
    return {
        "query": {"bool": {"must": [_question(request.query)], "filter": _filters(request)}},
        "from_": request.offset,
        "size": request.limit,
        "sort": [*order, {"document_hash": "asc"}],
        "track_scores": True,
        "track_total_hits": True,
        "source_excludes": ["body", "mentions", "removed", "origins", "captions"],
        "highlight": {
            "type": "unified",
            "pre_tags": ["<em>"],
            "post_tags": ["</em>"],
            "fragment_size": 160,
            "number_of_fragments": 3,
            # Longer bodies are highlighted up to here instead of being an error.
            "max_analyzed_offset": 1_000_000,
            "fields": {"headline": {"number_of_fragments": 0}, **{name: {} for name in _HIGHLIGHTED[1:]}},
        },
        "aggregations": aggregations,
    }


def from_response(response: Mapping[str, Any]) -> SearchResults:
    """Elasticsearch's answer as results. Pure."""
    facets = {
        name: tuple(
            (str(bucket.get("key_as_string", bucket["key"])), int(bucket["doc_count"])) for bucket in found["buckets"]
        )
        for name, found in response.get("aggregations", {}).items()
    }
    facets = {name: facets.get(name, ())[: _DAYS if name == "day" else _FACET_SIZE] for name in (*_FACETS, "day")}
    return SearchResults(
        total=response["hits"]["total"]["value"],
        hits=tuple(_hit(hit) for hit in response["hits"]["hits"]),
        facets=facets,
    )


def get_document(client: Elasticsearch, id_or_url: str, *, prefix: str = "news") -> dict[str, Any] | None:
    """The stored document (with ``_id`` and ``_index``) of an id, a URL in any spelling, a path, or an alternate URL.

    The article that has the address as its own comes before one that only lists it as an alternate.
    """
    text = id_or_url.strip()
    if not text:
        return None
    places = [text]
    ids = [text]
    try:
        canonical = urls.canonicalize(text)
    except ValueError:
        pass
    else:
        places.append(canonical)
        ids.append(urls.document_id(canonical))
    own = [{"ids": {"values": ids}}, *({"terms": {name: places}} for name in ("canonical_url", "url", "path"))]
    query = {
        "bool": {
            "should": [
                {"constant_score": {"filter": {"bool": {"should": own}}, "boost": 2}},
                {"constant_score": {"filter": {"terms": {"alternate_urls": places}}}},
            ],
            "minimum_should_match": 1,
        }
    }
    sort = [{"_score": "desc"}, {"first_seen_at": "asc"}]
    index = Names(prefix).articles
    response = call(lambda: client.search(index=index, ignore_unavailable=True, query=query, sort=sort, size=1))
    for hit in response["hits"]["hits"]:
        return {"_id": hit["_id"], "_index": hit["_index"], **hit["_source"]}
    return None


def known_fields() -> frozenset[str]:
    """Every field name that a question may use."""

    def below(properties: Mapping[str, Any], path: str) -> list[str]:
        names = []
        for name, field in properties.items():
            names.append(f"{path}{name}")
            names += below(field.get("properties", {}) | field.get("fields", {}), f"{path}{name}.")
        return names

    return frozenset(below(article_mapping()["properties"], "")) | {"_exists_", "_id"}


def _question(query: str) -> dict[str, Any]:
    if not query.strip():
        return {"match_all": {}}
    return {
        "query_string": {
            "query": _with_field_names(query),
            "fields": list(SEARCHED),
            # Words may be spread over the fields; all fields of an index share its analyzer, which this needs.
            "type": "cross_fields",
            "default_operator": "AND",
            "allow_leading_wildcard": False,
            "tie_breaker": 0.1,
        }
    }


# Quoted phrases and ranges are passed over; a name before a colon is a field's.
_FIELD = re.compile(r'"(?:\\.|[^"\\])*"|\[[^\]]*\]|\{[^}]*\}|\\.|(?P<name>[\w@][\w.@*-]*):', re.DOTALL)


def _with_field_names(query: str) -> str:
    known = known_fields()

    def replaced(match: re.Match[str]) -> str:
        name = match["name"]
        if name is None:
            return match[0]
        if name in _REWRITTEN:
            return f"{_REWRITTEN[name]}:"
        if name not in known:
            raise QueryError(
                f"There is no field {name!r}. Fields are title, text, author, person, place, org, event, source, site, "
                f"lang, date and those of the index; to search for a colon put the words in quotes, or write \\:."
            )
        return match[0]

    return _FIELD.sub(replaced, query)


def _filters(request: SearchRequest) -> list[dict[str, Any]]:
    filters: list[dict[str, Any]] = []
    for name, value in (("language", request.language), ("source.id", request.source)):
        if value:
            filters.append({"term": {name: value}})
    named = {"person": request.person, "place": request.place, "organization": request.organization}
    for kind, value in named.items():
        if value:
            # A phrase: "Angela Merkel" is not an article with Angela Rayner and Max Merkel.
            filters.append({"match_phrase": {f"entities.{kind}.text": value}})
    bounds = {"gte": request.since, "lt": request.until}
    if stated := {key: iso(value) for key, value in bounds.items() if value is not None}:
        filters.append({"range": {"@timestamp": stated}})
    return filters


def _hit(hit: Mapping[str, Any]) -> SearchHit:
    source = hit["_source"]
    published = source.get("published_at")
    return SearchHit(
        id=hit["_id"],
        score=hit.get("_score"),
        headline=source.get("headline", ""),
        url=source.get("canonical_url") or source.get("url"),
        path=source.get("path"),
        language=source["language"],
        published_at=datetime.fromisoformat(published) if published else None,
        first_seen_at=datetime.fromisoformat(source["first_seen_at"]),
        source=source["source"]["id"],
        site=source.get("site"),
        duplicate_of=source.get("duplicate_of"),
        highlights={name: tuple(fragments) for name, fragments in hit.get("highlight", {}).items()},
    )


def _wrong(query: str, error: BadRequestError) -> str:
    problem = error.body.get("error") if isinstance(error.body, Mapping) else error.body
    reason = describe(problem)
    if "'*' or '?' not allowed as first character" in reason:
        return f"A word can't begin with * or ?, as it does in {query!r}."
    if "failed to parse date field" in reason:
        return (
            f"A date in {query!r} can't be read; write it as 2024-01-31, or a span as date:[2024-01-01 TO 2024-01-31]."
        )
    if "parse" in reason.lower():
        return f"{query!r} can't be understood: check quotes, brackets and operators, or put the words in quotes."
    reason = re.sub(r"^\w+_exception: |failed to create query: |null(; )?", "", reason)
    return f"{query!r} can't be answered: {reason or 'one of its fields holds no such values'}."
