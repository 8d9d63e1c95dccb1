"""A question in the words of Elasticsearch's query string, answered with hits, highlights and facets.

All words must occur, in any of the searched fields. ``"exact phrases"``, ``OR``, ``-without``, ``Lavrof~`` (alike),
``sanct*`` and ``field:word`` work; so do the short names title, text, author, person, place, org, event, source,
site, lang and date (``date:[2024-01-01 TO 2024-01-31]``). A name behind person, place, org or event is also found in
other spellings, and as what the reviewed list of entities makes of it. Each language's index reads the question with
its own analyzer, so that words are found in all their forms. ``Ranking`` says what makes one article stand before
another; its values were measured (docs/search.md).

With an ``embedder`` plain words are also read for what they mean: articles that say so in other words are found beside
those with the words, in one order made of both by reciprocal rank fusion (Cormack, Clarke and Büttcher 2009).

Beside the search itself: ``complete`` (names that begin as typed), ``similar`` (articles that read alike) and
``same_story`` (the same text elsewhere).
"""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Any, Literal

from elasticsearch import BadRequestError, Elasticsearch

from pipeline import urls
from pipeline.enrich.asked_names import AskedName, asked_name
from pipeline.enrich.resolution import EntityReview
from pipeline.errors import FatalError
from pipeline.index.client import call, describe
from pipeline.index.documents import iso
from pipeline.index.templates import Names, article_mapping
from pipeline.models import EntityType

if TYPE_CHECKING:
    from pipeline.enrich.embeddings import Embedder

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
    "countries": "countries",
}
_FACETS_OF_NAMES = {
    "people": EntityType.PERSON,
    "places": EntityType.PLACE,
    "organizations": EntityType.ORGANIZATION,
}
_FIELDS_OF_NAMES = {
    "person": EntityType.PERSON,
    "place": EntityType.PLACE,
    "org": EntityType.ORGANIZATION,
    "event": EntityType.EVENT,
}
_HAS_ONE = {"language", "source"}
"""Facets of which an article has one value: several chosen ones mean any of them, elsewhere all of them."""

_NOT_LISTED = ["embedding", "body", "mentions", "removed", "origins", "captions", "places", "minhash"]
_COMPLETED = (EntityType.PERSON, EntityType.PLACE, EntityType.ORGANIZATION, EntityType.EVENT)
# "source" is an object in the mapping and can't be an alias too.
_REWRITTEN = {"source": "source.id"}


class QueryError(FatalError):
    """The question can't be answered as it stands; the message says what is wrong with it."""


Ask = Callable[[Mapping[str, Any]], Mapping[str, Any]]
"""Sends a request for articles and gives the answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranking:
    """What counts how much for relevance. The defaults are those that ``make eval-search`` found to do best.

    The first seven are weights of fields. ``phrase`` is added where the words stand together as typed, in the
    proportions of the fields. ``passage`` is added where six words or more do: whoever remembers or pastes a sentence
    wants the article it stands in. ``recency`` is the most that an article's freshness can add to its score; it has
    lost half of it after ``recency_days``. ``one_yardstick`` counts how rare a word is over all languages' indices
    together; each index by itself would make the same word worth more in a big index than in a small one.

    Of articles found by meaning, at most ``meaning_articles`` and none less like the question than ``meaning_least``
    (a cosine) count. They are ordered by ``meaning`` times (1 + cosine) / 2, plus recency.
    """

    headline: float = 2
    description: float = 2
    body: float = 1
    captions: float = 1
    authors: float = 1
    keywords: float = 1
    entities: float = 1
    phrase: float = 0
    passage: float = 30
    recency: float = 4
    recency_days: float = 90
    one_yardstick: bool = True
    meaning: float = 40
    meaning_least: float = 0.3
    meaning_articles: int = 100

    def fields(self) -> list[str]:
        """The fields a question without a field name looks into, with their weights."""
        weights = {
            "headline": self.headline,
            "description": self.description,
            "body": self.body,
            "captions": self.captions,
            "authors.text": self.authors,
            "keywords.text": self.keywords,
            **{f"entities.{kind.value}.text": self.entities for kind in EntityType},
        }
        return [f"{name}^{weight:g}" for name, weight in weights.items()]


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchRequest:
    """A question. ``since`` and ``until`` bound @timestamp, half-open. An empty ``query`` asks for everything.

    ``person``, ``place`` and ``organization`` are words of a name; ``facets`` are exact values, as the facets of an
    answer list them, by facet. ``collapse`` shows one of several copies and near copies (one per ``cluster_id``)
    and says how many others there are. ``marks`` are put around the words found. ``ids``, where given, are the only
    documents looked at; ``within`` (north, west, south and east, in degrees) only those that name a place there.
    Names are read as ``review`` says, the reviewed list that the articles were enriched with.
    """

    query: str = ""
    language: str | None = None
    source: str | None = None
    person: str | None = None
    place: str | None = None
    organization: str | None = None
    facets: Mapping[str, Sequence[str]] = field(default_factory=dict)
    ids: Sequence[str] = ()
    within: tuple[float, float, float, float] | None = None
    since: datetime | None = None
    until: datetime | None = None
    sort: Literal["relevance", "newest", "oldest"] = "relevance"
    collapse: bool = False
    limit: int = 10
    offset: int = 0
    marks: tuple[str, str] = ("<em>", "</em>")
    ranking: Ranking = Ranking()
    prefix: str = "news"
    review: EntityReview = field(default_factory=EntityReview)


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchHit:
    """One article found. ``highlights`` are fragments by field, the words found between the request's marks.

    ``others`` counts further articles of the same cluster that were left out for it.
    ``by_meaning`` says that it lacks words that were asked for, and was found for what it means.
    """

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
    cluster_id: str | None = None
    description: str = ""
    others: int = 0
    by_meaning: bool = False

    def passages(self, most: int) -> list[str]:
        """The passages of the text in which the words were found, each once: a description often repeats the body."""
        found = (text for name in ("body", "description", "captions") for text in self.highlights.get(name, ()))
        return list(dict.fromkeys(found))[:most]


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchResults:
    """Articles found, in order, out of ``total``. Facets are counts over all of ``total``, the most frequent first.

    ``timeline`` has every day with articles, oldest first. With ``collapse`` the total counts
    clusters, beyond 40,000 nearly exactly, facets and timeline still articles. ``notes`` say what the reviewed list
    of entities made of names that were asked for.
    """

    total: int
    hits: tuple[SearchHit, ...]
    facets: Mapping[str, tuple[tuple[str, int], ...]]
    timeline: tuple[tuple[str, int], ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    """A name that begins as typed, what it names, and in how many articles it stands."""

    name: str
    type: EntityType
    articles: int


def search(
    client: Elasticsearch, request: SearchRequest, *, embedder: Embedder | None = None, wait_seconds: float = 5
) -> SearchResults:
    """Answer a question; with an ``embedder`` by meaning too, where it is plain words to be answered by relevance.

    Facets are language, source, people, places, organizations, countries (ten each) and day (the latest 60, newest
    first). Total, facets and pages are of all that was found by words or by meaning. Raises QueryError for a question
    that is wrong, and IndexUnavailableError after ``wait_seconds``.
    """
    body = to_body(request)
    if request.ranking.one_yardstick and request.query.strip():
        body["search_type"] = "dfs_query_then_fetch"

    def ask(body: Mapping[str, Any]) -> Mapping[str, Any]:
        def once() -> Any:
            try:
                return client.search(index=Names(request.prefix).articles, ignore_unavailable=True, **body)
            except BadRequestError as error:
                raise QueryError(_wrong(request.query, error)) from error

        found: Mapping[str, Any] = call(once, wait_seconds=wait_seconds)
        return found

    if embedder is not None and _may_be_meant(request, embedder):
        body |= {"query": _by_words_or_meaning(ask, request, embedder, body)}
    articles, counts = _apart(body)
    found = ask(articles)
    told = _told(ask, counts["query"], found) if request.collapse else {}
    results = from_response({**found, "aggregations": ask(counts).get("aggregations", {})}, told)
    return replace(results, notes=_notes(request))


def _told(ask: Ask, query: Mapping[str, Any], found: Mapping[str, Any]) -> dict[str, int]:
    """How many articles answer the question in each cluster that is on the page.

    Elasticsearch would count them with inner_hits too, by asking the whole question once more for each hit.
    """
    clusters = [cluster for hit in found["hits"]["hits"] for cluster in hit.get("fields", {}).get("cluster_id", ())]
    if not clusters:
        return {}
    told = {"told": {"terms": {"field": "cluster_id", "include": clusters, "size": len(clusters)}}}
    answer = ask({"query": query, "size": 0, "track_total_hits": False, "aggregations": told})
    return {bucket["key"]: bucket["doc_count"] for bucket in answer["aggregations"]["told"]["buckets"]}


def _apart(body: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The request for the articles, and the one for what is counted.

    Elasticsearch keeps the answer to the second until the index changes: page, order and hour don't matter to it.
    """
    articles = {key: value for key, value in body.items() if key != "aggregations"}
    query = body["query"]
    if set(query) == {"bool"} and query["bool"].get("must"):
        query = {"bool": {"filter": [*query["bool"]["must"], *query["bool"]["filter"]]}}
    return articles, {"query": query, "size": 0, "track_total_hits": False, "aggregations": body["aggregations"]}


def to_body(request: SearchRequest) -> dict[str, Any]:
    """The request to Elasticsearch. Pure. Raises QueryError for what is wrong on sight."""
    if request.limit < 0 or request.offset < 0 or request.offset + request.limit > WINDOW:
        raise QueryError(
            f"Results {request.offset} to {request.offset + request.limit} can't be shown: "
            f"the search goes {WINDOW} results deep. Narrow it down, or sort by newest and use --until."
        )
    if len(request.query) > _LONGEST_QUESTION:
        raise QueryError(f"The question has {len(request.query)} characters; at most {_LONGEST_QUESTION} are allowed.")
    by_date = {"@timestamp": "asc" if request.sort == "oldest" else "desc"}
    order = [{"_score": "desc"}, by_date] if request.sort == "relevance" and request.query.strip() else [by_date]
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
    collapse: dict[str, Any] = {}
    if request.collapse:
        # Exact copies are in one cluster too.
        aggregations["stories"] = {"cardinality": {"field": "cluster_id", "precision_threshold": 40_000}}
        collapse = {"collapse": {"field": "cluster_id"}}
    question = _question(request)
    return {
        **collapse,
        "query": {
            "bool": {
                "must": [question],
                "should": _preferences(_asked(request.query), request.ranking),
                "filter": _filters(request),
            }
        },
        "from_": request.offset,
        "size": request.limit,
        "sort": [*order, {"document_hash": "asc"}],
        "track_scores": True,
        "track_total_hits": True,
        "source_excludes": _NOT_LISTED,
        "highlight": {
            "highlight_query": question,
            "type": "unified",
            "pre_tags": [request.marks[0]],
            "post_tags": [request.marks[1]],
            "fragment_size": 160,
            "number_of_fragments": 3,
            # Longer bodies are highlighted up to here instead of being an error.
            "max_analyzed_offset": 1_000_000,
            "fields": {"headline": {"number_of_fragments": 0}, **{name: {} for name in _HIGHLIGHTED[1:]}},
        },
        "aggregations": aggregations,
    }


def from_response(response: Mapping[str, Any], told: Mapping[str, int]) -> SearchResults:
    """Elasticsearch's answer as results; ``told`` counts the articles found of each cluster listed. Pure."""
    aggregations = response.get("aggregations", {})
    facets = {
        name: tuple(
            (str(bucket.get("key_as_string", bucket["key"])), int(bucket["doc_count"])) for bucket in found["buckets"]
        )
        for name, found in aggregations.items()
        if "buckets" in found
    }
    days = facets.get("day", ())
    facets = {name: facets.get(name, ())[: _DAYS if name == "day" else _FACET_SIZE] for name in (*_FACETS, "day")}
    total = aggregations["stories"] if "stories" in aggregations else response["hits"]["total"]
    return SearchResults(
        total=total["value"],
        hits=tuple(_hit(hit, told.get(hit["_source"].get("cluster_id"), 1)) for hit in response["hits"]["hits"]),
        facets=facets,
        timeline=days[::-1],
    )


def complete(
    client: Elasticsearch,
    typed: str,
    *,
    review: EntityReview | None = None,
    limit: int = 8,
    prefix: str = "news",
    wait_seconds: float = 5,
) -> tuple[Completion, ...]:
    """Names of people, places, organisations and events of which a word begins with what was typed, frequent first.

    Case and accents don't count. What ``review`` merges is found under either name. Fewer than two letters give
    nothing.
    """
    letters = " ".join(typed.split())[:_LONGEST_COMPLETED]
    if len(letters) < 2:
        return ()
    # The names' own list is searched, not the articles: a name is found however its language stems it.
    begins = f"(.*[ '’(\\-])?{''.join(map(_any_spelling, letters))}.*"
    merged = (review or EntityReview()).begun(letters)
    aggregations = {
        kind.value: {
            "terms": {
                "field": f"entities.{kind.value}",
                "include": "|".join([begins, *("".join(map(_any_spelling, name)) for name in merged.get(kind, ()))]),
                "size": limit,
            }
        }
        for kind in _COMPLETED
    }
    index = Names(prefix).articles
    response = call(
        lambda: client.search(index=index, ignore_unavailable=True, size=0, aggregations=aggregations),
        wait_seconds=wait_seconds,
    )
    found = [
        Completion(name=bucket["key"], type=kind, articles=bucket["doc_count"])
        for kind in _COMPLETED
        for bucket in response.get("aggregations", {}).get(kind.value, {"buckets": []})["buckets"]
    ]
    return tuple(sorted(found, key=lambda item: (-item.articles, item.name))[:limit])


def similar(
    client: Elasticsearch, document: Mapping[str, Any], *, limit: int = 6, prefix: str = "news", wait_seconds: float = 5
) -> tuple[SearchHit, ...]:
    """Articles that share the most telling words and names with a stored one, but not its text. Best first."""
    names = [f"entities.{kind.value}.text" for kind in EntityType]
    like = {"_index": document["_index"], "_id": document["_id"]}
    alike = {
        "like": [like],
        "min_term_freq": 1,
        "min_doc_freq": 2,
        "max_query_terms": 25,
    }
    query = {
        "bool": {
            "should": [
                {"more_like_this": {**alike, "fields": ["headline", "description", "body"],
                                    "minimum_should_match": "30%"}},
                {"more_like_this": {**alike, "fields": names, "minimum_should_match": "40%"}},
            ],
            "minimum_should_match": 1,
            "must_not": _the_same(document),
        }
    }  # fmt: skip
    return _listed(client, query, limit, prefix, wait_seconds, collapse={"field": "content_hash"})


def same_story(
    client: Elasticsearch,
    document: Mapping[str, Any],
    *,
    limit: int = 20,
    prefix: str = "news",
    wait_seconds: float = 5,
) -> tuple[SearchHit, ...]:
    """Other articles with the same text as a stored one, or of the same cluster, newest first."""
    others = {"bool": {"should": _the_same(document), "minimum_should_match": 1}}
    query = {"bool": {"filter": [others], "must_not": [{"ids": {"values": [document["_id"]]}}]}}
    return _listed(client, query, limit, prefix, wait_seconds)


def _the_same(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The article itself, and whatever has its text or tells its story."""
    ids = [id_ for id_ in (document["_id"], document.get("duplicate_of")) if id_]
    same: list[dict[str, Any]] = [{"ids": {"values": ids}}, {"terms": {"duplicate_of": ids}}]
    same += [{"term": {name: document[name]}} for name in ("content_hash", "cluster_id") if document.get(name)]
    return same


def _listed(
    client: Elasticsearch,
    query: Mapping[str, Any],
    limit: int,
    prefix: str,
    wait_seconds: float,
    collapse: Mapping[str, Any] | None = None,
) -> tuple[SearchHit, ...]:
    response = call(
        lambda: client.search(
            index=Names(prefix).articles,
            ignore_unavailable=True,
            query=query,
            size=limit,
            sort=[{"_score": "desc"}, {"@timestamp": "desc"}, {"document_hash": "asc"}],
            source_excludes=_NOT_LISTED,
            collapse=collapse,
        ),
        wait_seconds=wait_seconds,
    )
    return tuple(_hit(hit) for hit in response["hits"]["hits"])


_LONGEST_COMPLETED = 24
# What Lucene's regular expressions give a meaning to, beyond letters and digits.
_REGEXP_SIGNS = set('.?+*|{}[]()"\\#@&<>~^-')


def _any_spelling(letter: str) -> str:
    """A Lucene regular expression for a letter in either case, with any accent."""
    if letter.isalpha():
        base = unicodedata.normalize("NFD", letter)[0].lower()
        return f"[{''.join(sorted({letter, *_variants().get(base, base + base.upper())}))}]"
    return f"\\{letter}" if letter in _REGEXP_SIGNS else letter


@cache
def _variants() -> dict[str, str]:
    """Latin, Greek and Cyrillic letters by their lower-case form without accents."""
    found: dict[str, str] = {}
    for code in range(0x41, 0x530):
        letter = chr(code)
        if letter.isalpha():
            base = unicodedata.normalize("NFD", letter)[0].lower()
            found[base] = found.get(base, "") + letter
    return found


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
    response = call(
        lambda: client.search(
            index=index,
            ignore_unavailable=True,
            query=query,
            sort=sort,
            size=1,
            source_excludes=["minhash", "embedding"],
        )
    )
    for hit in response["hits"]["hits"]:
        return {"_id": hit["_id"], "_index": hit["_index"], **hit["_source"]}
    return None


def known_fields() -> frozenset[str]:
    """Every field name that a question may use."""

    def below(properties: Mapping[str, Any], path: str) -> list[str]:
        names = []
        for name, definition in properties.items():
            names.append(f"{path}{name}")
            names += below(definition.get("properties", {}) | definition.get("fields", {}), f"{path}{name}.")
        return names

    return frozenset(below(article_mapping()["properties"], "")) | {"_exists_", "_id"}


def _question(request: SearchRequest) -> dict[str, Any]:
    if not request.query.strip():
        return {"match_all": {}}
    return {
        "query_string": {
            "query": _as_understood(request),
            "fields": request.ranking.fields(),
            # Words may be spread over the fields; all fields of an index share its analyzer, which this needs.
            "type": "cross_fields",
            "default_operator": "AND",
            "allow_leading_wildcard": False,
            "tie_breaker": 0.1,
        }
    }


# Words and nothing else: no operators, field names, wildcards or quotes.
_ONLY_WORDS = re.compile(r"(?!.*\b(?:AND|OR|NOT)\b)(?!.*(?:^|\s)[-–])[\w\s'’.,–-]+")


_PASSAGE = 6
"""Words from which on a question is taken for a piece of an article's text."""

_WORDS, _FUSED = "words", "fused"
_DEPTH = 100
"""How many articles found by words are put into one order with those found by meaning; the others come after them."""
_RRF = 60
"""The constant of reciprocal rank fusion, as published."""
_FAINT = 1e-8
_LISTENED_TO = 10


def _may_be_meant(request: SearchRequest, embedder: Embedder) -> bool:
    """Whether the question is plain words, asked of articles that the model can have read, and asked for the best.

    Operators, phrases and fields say exactly what is wanted.
    """
    languages = [request.language] if request.language else request.facets.get("language", ())
    return (
        request.sort == "relevance"
        and bool(request.query.strip())
        and _ONLY_WORDS.fullmatch(_asked(request.query)) is not None
        and (not languages or any(embedder.speaks(language) for language in languages))
    )


def _by_words_or_meaning(
    ask: Ask,
    request: SearchRequest,
    embedder: Embedder,
    body: Mapping[str, Any],
) -> dict[str, Any]:
    """The query that finds by words what ``body`` does, and beside it what means the same; each hit's score is its
    fused one."""
    words, brief = body["query"], {"source": False, "search_type": body.get("search_type")}
    best = ask({"query": words, "sort": body["sort"], "size": _DEPTH, "fields": ["language"], **brief})["hits"]["hits"]
    heard = [embedder.speaks(hit["fields"]["language"][0]) for hit in best[:_LISTENED_TO]]
    if heard and sum(heard) * 2 < len(heard):
        # Words of another language, to judge by the articles that have them: the model doesn't know what they mean.
        return dict(words)
    (vector,) = embedder.embed([request.query])
    size = request.ranking.meaning_articles
    meant = ask({"query": _meaning(request, embedder, vector), "size": size, **brief})["hits"]["hits"]
    if not meant:
        return dict(words)
    scores: dict[str, float] = defaultdict(float)
    for hits in (best, meant):
        for rank, hit in enumerate(hits, start=1):
            scores[hit["_id"]] += 1 / (_RRF + rank)
    ranked = [
        {"constant_score": {"filter": {"ids": {"values": [id_]}}, "boost": score}} for id_, score in scores.items()
    ]
    fused = {"bool": {"should": ranked, "_name": _FUSED}}
    # What has the words but is not among the first hundred keeps its order behind the others.
    parts = words["bool"]
    faint = {"bool": {"must": parts["must"], "boost": _FAINT, "_name": _WORDS}}
    preferences = [{"bool": {"should": parts["should"], "boost": _FAINT}}] if parts["should"] else []
    either = {"bool": {"should": [faint, fused], "minimum_should_match": 1}}
    return {"bool": {"must": [either], "should": preferences, "filter": parts["filter"]}}


def _meaning(request: SearchRequest, embedder: Embedder, vector: Sequence[float]) -> dict[str, Any]:
    """What is like the question, by vectors of the same model."""
    ranking = request.ranking
    near = {
        "field": "embedding",
        "query_vector": vector,
        "k": ranking.meaning_articles,
        "num_candidates": 2 * ranking.meaning_articles,
        "similarity": ranking.meaning_least,
        "filter": [*_filters(request), {"term": {"embedding_model": embedder.name}}],
        "boost": ranking.meaning,
    }
    return {"bool": {"must": [{"knn": near}], "should": _fresh(ranking)}}


def _fresh(ranking: Ranking) -> list[dict[str, Any]]:
    if not ranking.recency:
        return []
    fresh = {"field": "@timestamp", "origin": "now", "pivot": f"{ranking.recency_days * 24:g}h"}
    return [{"distance_feature": {**fresh, "boost": ranking.recency}}]


def _preferences(query: str, ranking: Ranking) -> list[dict[str, Any]]:
    """What makes an article come first among those that answer the question."""
    wanted: list[dict[str, Any]] = []
    if not query.strip():
        return wanted
    words = len(query.split()) if _ONLY_WORDS.fullmatch(query) else 0
    if ranking.passage and words >= _PASSAGE:
        quoted = {"query": query, "type": "phrase", "slop": 3, "fields": ["headline", "description", "body"]}
        wanted.append({"constant_score": {"filter": {"multi_match": quoted}, "boost": ranking.passage}})
    elif ranking.phrase and words > 1:
        proportions = {"headline": ranking.headline, "description": ranking.description, "body": ranking.body}
        fields = [f"{name}^{weight:g}" for name, weight in proportions.items()]
        together = {"query": query, "type": "phrase", "slop": 3, "fields": fields, "boost": ranking.phrase}
        wanted.append({"multi_match": together})
    return wanted + _fresh(ranking)


# Ranges are passed over; a name before a colon is a field's; a slash within a word is no regular expression's; an
# apostrophe is either of the two that newsrooms type, which most analyzers keep apart.
_SIGNS = re.compile(
    r'(?P<phrase>"(?:\\.|[^"\\])*"(?:~\d+)?)'
    r"|(?P<elided>\w+(?:['’]\w+)+)(?![\w*?~:])"
    r'|(?P<kind>person|place|org|event):(?P<named>"(?:\\.|[^"\\])*"(?![~^])|\w[\w.\'’-]*(?![\w*?~^:]))'
    r"|(?P<dated>@timestamp|date|\w+_at):(?P<when>[\[{][^\]}]*[\]}]|[<>]?=?[\w-]+)"
    r"|\[[^\]]*\]|\{[^}]*\}|\\.|(?P<slash>(?<=\w)/(?=\w))|(?P<name>[\w@][\w.@*-]*):",
    re.DOTALL,
)
_YEAR_OR_MONTH = re.compile(r"(?<![\w.:|+-])\d{4}(-\d\d)?(?![\w.:|+-])")
_COMPARED = {"": "[{0} TO {0}]", ">": "{{{0} TO *]", ">=": "[{0} TO *]", "<": "[* TO {0}}}", "<=": "[* TO {0}]"}


def _asked(query: str) -> str:
    """The question without what only punctuates it."""
    return query.rstrip().rstrip("?")


def _as_understood(request: SearchRequest) -> str:
    """The question as Elasticsearch is to read it: our names for fields, whole months and years, slashes in words,
    names in all their spellings."""
    known = known_fields()

    def replaced(match: re.Match[str]) -> str:
        if written := match["phrase"] or match["elided"]:
            return _with_either_apostrophe(written)
        if match["kind"]:
            asked = _asked_in(match, request)
            names = " OR ".join(f"{match['kind']}:{_with_either_apostrophe(_quoted(name))}" for name in asked.names[1:])
            keys = " OR ".join(f'"{key}"' for key in asked.keys)
            first = f"{match['kind']}:{_with_either_apostrophe(match['named'])}"
            return f"({first}{' OR ' if names else ''}{names} OR entities.key:({keys})^0)"
        name = match["name"] or match["dated"]
        if match["slash"]:
            return "\\/"
        if name is None:
            return match[0]
        if name in _REWRITTEN:
            return f"{_REWRITTEN[name]}:"
        if name not in known:
            raise QueryError(
                f"There is no field {name!r}. Fields are title, text, author, person, place, org, event, source, site, "
                f"lang, date and those of the index; to search for a colon put the words in quotes, or write \\:."
            )
        return f"{name}:{_whole(match['when'])}" if match["dated"] else match[0]

    return _SIGNS.sub(replaced, _asked(request.query))


def _asked_in(match: re.Match[str], request: SearchRequest) -> AskedName:
    """The name behind a field of names in a question."""
    name = re.sub(r"\\(.)", r"\1", match["named"].strip('"'))
    return asked_name(_FIELDS_OF_NAMES[match["kind"]], name, request.review, language=request.language or "en")


def _quoted(name: str) -> str:
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _asked_by_options(request: SearchRequest) -> list[tuple[EntityType, AskedName]]:
    """The names that stand beside the question."""
    named = (
        (EntityType.PERSON, request.person),
        (EntityType.PLACE, request.place),
        (EntityType.ORGANIZATION, request.organization),
    )
    language = request.language or "en"
    return [(kind, asked_name(kind, name, request.review, language=language)) for kind, name in named if name]


def _asked_by_facets(request: SearchRequest) -> list[tuple[str, AskedName]]:
    return [
        (facet, asked_name(kind, value, request.review))
        for facet, kind in _FACETS_OF_NAMES.items()
        for value in request.facets.get(facet, ())
    ]


def _notes(request: SearchRequest) -> tuple[str, ...]:
    in_words = [_asked_in(match, request) for match in _SIGNS.finditer(_asked(request.query)) if match["kind"]]
    beside = [name for _, name in (*_asked_by_options(request), *_asked_by_facets(request))]
    return tuple(dict.fromkeys(name.note for name in (*in_words, *beside) if name.note))


def _with_either_apostrophe(written: str) -> str:
    straight, curly = written.replace("’", "'"), written.replace("'", "’")
    return written if straight == curly else f"({straight} OR {curly})"


def _whole(when: str) -> str:
    """A date or span of dates in which a month or year is all of it, not its first day."""
    rounded = _YEAR_OR_MONTH.sub(lambda found: f"{found[0]}||/{'M' if found[1] else 'y'}", when)
    if rounded == when or when[0] in "[{":
        return rounded
    sign = re.match("[<>]?=?", rounded)
    assert sign is not None
    return _COMPARED[sign[0]].format(rounded[sign.end() :]) if sign[0] in _COMPARED else when


def _filters(request: SearchRequest) -> list[dict[str, Any]]:
    filters: list[dict[str, Any]] = []
    for name, value in (("language", request.language), ("source.id", request.source)):
        if value:
            filters.append({"term": {name: value}})
    for kind, asked in _asked_by_options(request):
        # A phrase: "Angela Merkel" is not an article with Angela Rayner and Max Merkel. Or the name in another
        # spelling: "Sergey Lavrov" has the key of "Sergei Lavrov".
        phrases = [{"match_phrase": {f"entities.{kind.value}.text": name}} for name in asked.names]
        keys = {"terms": {"entities.key": list(asked.keys)}}
        filters.append({"bool": {"should": [*phrases, keys], "minimum_should_match": 1}})
    for facet, values in request.facets.items():
        if facet not in _FACETS:
            raise QueryError(f"There is no facet {facet!r}; those are {', '.join(_FACETS)}.")
        if values and facet in _HAS_ONE:
            filters.append({"terms": {_FACETS[facet]: list(values)}})
        elif values and facet not in _FACETS_OF_NAMES:
            filters += [{"term": {_FACETS[facet]: value}} for value in values]
    # An address that somebody kept may have a name that was merged into another since.
    filters += [{"terms": {_FACETS[facet]: list(asked.names)}} for facet, asked in _asked_by_facets(request)]
    if request.ids:
        filters.append({"ids": {"values": list(request.ids)}})
    if request.within:
        north, west, south, east = request.within
        corners = {"top_left": {"lat": north, "lon": west}, "bottom_right": {"lat": south, "lon": east}}
        filters.append({"geo_bounding_box": {"locations": corners}})
    bounds = {"gte": request.since, "lt": request.until}
    if stated := {key: iso(value) for key, value in bounds.items() if value is not None}:
        filters.append({"range": {"@timestamp": stated}})
    return filters


def _hit(hit: Mapping[str, Any], told: int = 1) -> SearchHit:
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
        description=source.get("description", ""),
        cluster_id=source.get("cluster_id"),
        others=max(0, told - 1),
        by_meaning=hit.get("matched_queries") == [_FUSED],
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
        return (
            f"{query!r} can't be understood: check quotes, brackets, slashes and operators, or put the words in quotes."
        )
    reason = re.sub(r"^\w+_exception: |failed to create query: |null(; )?", "", reason)
    reason = re.sub(r'For input string: ("[^"]*")', r"\1 is no number", reason)
    return f"{query!r} can't be answered: {reason or 'one of its fields holds no such values'}."
