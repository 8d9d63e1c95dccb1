"""The values that move between the stages, in the order in which they arise.

All are frozen: a stage returns new values and never changes what it was given. Times are aware
``datetime`` objects in UTC unless said otherwise.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Literal

from pipeline.errors import ArticleError, ArticleRejected, Reason

# ---------------------------------------------------------------------------------------------- sources


class SourceKind(StrEnum):
    """How a source names its articles."""

    FOLDER = "folder"
    URLS = "urls"
    FEED = "feed"
    SITEMAP = "sitemap"
    WARC = "warc"
    CCNEWS = "ccnews"


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One place where articles come from: an entry of ``config/sources.toml``.

    ``location`` is a folder, a file, a URL or another fsspec address, as ``kind`` says.
    ``schedule`` is a cron line (UTC), ``"manual"`` for never by itself, or None for the default schedule.
    ``include`` and ``exclude`` are shell patterns on what the source names (paths within a folder, URLs otherwise).
    ``domains`` keeps what stands on these registered domains or hosts only (warc and ccnews, where it is needed).
    ``delay_seconds`` takes the place of ``fetch.delay_seconds`` for this source. ``max_items`` ends a listing early.
    """

    id: str
    kind: SourceKind
    location: str
    name: str | None = None
    schedule: str | None = None
    language: str | None = None
    country: str | None = None
    tags: tuple[str, ...] = ()
    enabled: bool = True
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    domains: tuple[str, ...] = ()
    delay_seconds: float | None = None
    max_items: int | None = None


class Mode(StrEnum):
    """How a backfill brings back a span of the past. All but ``refetch`` fetch nothing."""

    REFETCH = "refetch"
    """Ask the sources for what they name in the span, and fetch it again."""
    REEXTRACT = "reextract"
    """Repeat everything after the archive for the captures taken in the span."""
    REENRICH = "reenrich"
    """The same for the articles in the index dated in the span: language and entities anew."""
    REINDEX = "reindex"
    """The same for the articles in the index dated in the span: documents anew."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """The half-open span of time ``since <= t < until`` a run asks its sources for."""

    since: datetime
    until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class StatedFacts:
    """What a source said of an article before anybody read it (feed item, sitemap entry, list, file).

    These are candidates for the article's own fields, never truths.
    """

    title: str | None = None
    description: str | None = None
    authors: tuple[str, ...] = ()
    published_at: datetime | None = None
    modified_at: datetime | None = None
    language: str | None = None
    keywords: tuple[str, ...] = ()
    content_html: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveAddress:
    """Where one raw record is kept: the WARC file (relative to the archive's root), byte offset, payload digest."""

    file: str
    offset: int
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ArticleRef:
    """A pointer to one article that a source named: a URL to fetch or a path to load.

    ``via`` says how it was found (``feed``, ``sitemap``, ``folder`` …, with the document it stood in).
    ``item`` selects one item of a file that holds several (JSON lines: the line number, from 1).
    ``archived`` is set where the raw record is already in the archive and must not be fetched again.
    """

    source_id: str
    url: str | None = None
    path: str | None = None
    item: int | None = None
    via: str = ""
    facts: StatedFacts = StatedFacts()
    archived: ArchiveAddress | None = None

    @property
    def name(self) -> str:
        """The reference as a person would write it: the URL, or the path (with ``#item``)."""
        base = self.url or self.path or ""
        return f"{base}#{self.item}" if self.item is not None else base


# ------------------------------------------------------------------------------------------------ pages


@dataclass(frozen=True, slots=True, kw_only=True)
class RawPage:
    """One article's bytes as they came, before anything has parsed them (content encodings undone).

    ``media_type`` is the bare type (``text/html``, ``text/plain``, ``application/json``); ``charset`` the one
    declared outside the body (HTTP header), if any. ``status`` and ``headers`` are None and empty for files.
    """

    ref: ArticleRef
    url: str | None
    final_url: str | None
    media_type: str
    body: bytes
    fetched_at: datetime
    charset: str | None = None
    status: int | None = None
    headers: tuple[tuple[str, str], ...] = ()
    archived: ArchiveAddress | None = None

    @property
    def source_id(self) -> str:
        """The source that named this page."""
        return self.ref.source_id

    def header(self, name: str) -> str | None:
        """The first HTTP header of this name, in any case."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)


# --------------------------------------------------------------------------------------------- articles


class Precision(StrEnum):
    """How exactly a date is known."""

    DAY = "day"
    MINUTE = "minute"
    SECOND = "second"


@dataclass(frozen=True, slots=True, kw_only=True)
class DateCandidate:
    """One statement of a date: where it stood and what it said, as an ISO 8601 string."""

    source: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DateRecord:
    """A date with its provenance. ``zone_assumed`` means that no time zone was stated and UTC was taken."""

    value: datetime
    precision: Precision
    source: str
    zone_assumed: bool
    conflict: bool = False
    candidates: tuple[DateCandidate, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RemovedText:
    """A piece of text that cleaning took out of the body, and as what (``furniture``, ``source_line`` …)."""

    kind: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Article:
    """What a page says, cleaned. Fields follow schema.org's NewsArticle.

    ``body`` is paragraphs separated by blank lines, never cut. ``origins`` says for each field where its value
    came from (``jsonld``, ``opengraph``, ``meta``, ``page``, ``feed`` …).
    """

    ref: ArticleRef
    url: str | None
    canonical_url: str | None
    headline: str
    body: str
    fetched_at: datetime
    description: str | None = None
    authors: tuple[str, ...] = ()
    section: str | None = None
    keywords: tuple[str, ...] = ()
    image: str | None = None
    publisher: str | None = None
    published: DateRecord | None = None
    modified: DateRecord | None = None
    stated_language: str | None = None
    is_accessible_for_free: bool | None = None
    captions: tuple[str, ...] = ()
    removed: tuple[RemovedText, ...] = ()
    origins: tuple[tuple[str, str], ...] = ()
    word_count: int = 0
    archived: ArchiveAddress | None = None

    @property
    def source_id(self) -> str:
        """The source that named this article."""
        return self.ref.source_id


@dataclass(frozen=True, slots=True, kw_only=True)
class Language:
    """A language (ISO 639-1, ``zh-cn``/``zh-tw``, or ``und``) and the detector's probability, 0 to 1.

    ``basis`` says what the code rests on: ``detected``, ``script`` (the letters leave no other choice) or
    ``stated`` (page, feed or source, where the detector can't tell). ``agreement`` says who named the same one.
    """

    code: str
    confidence: float
    agreement: tuple[tuple[str, bool], ...] = ()
    basis: str = "detected"


class EntityType(StrEnum):
    """The facets that entities fall into."""

    PERSON = "person"
    PLACE = "place"
    ORGANIZATION = "organization"
    EVENT = "event"
    OTHER = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mention:
    """A stretch of the body that names something: ``body[start:end] == text``."""

    text: str
    type: EntityType
    start: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A place of the gazetteer: GeoNames id, ISO 3166-1 alpha-2 country code, WGS 84 degrees.

    ``kind`` is ``country``, ``region`` or ``city``; ``region`` is a region's ISO 3166-2 code. Regions have a GeoNames
    id only in the United States and the United Kingdom. A country's point is that of its capital.
    """

    geonames_id: int | None
    name: str
    kind: str
    country: str
    region: str | None = None
    latitude: float | None = None
    longitude: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Entity:
    """One person, place, organisation … of an article, with every mention of it in the body.

    ``count`` is how often it is named, captions included; one that only a caption names has no mentions. ``key`` is
    equal for spellings of one name in all articles (``person:sergei-lavrov``). ``salience`` says how much the article
    is about it, 0 to 1. ``place`` is set where a place was found in the gazetteer beyond doubt.
    """

    name: str
    type: EntityType
    mentions: tuple[Mention, ...]
    count: int = 0
    key: str = ""
    salience: float = 0.0
    place: Place | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TextSignature:
    """What is kept of a text's wording to find and verify near copies: MinHash values, and how many shingles it has.

    Each band is its number in two digits and some values, as one word: texts that share a band may be near copies.
    """

    bands: tuple[str, ...]
    shingles: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Embedding:
    """What a text means: a vector of length 1, and the model that made it."""

    model: str
    vector: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class EnrichedArticle:
    """An article with its language, entities and fingerprint, ready to become a document.

    ``entities_model`` names the model that found the entities; it is ``none`` where none speaks the language, so that
    there are only places, by the gazetteer, and None where the step is off.
    ``content_hash`` is equal for equal text, whatever the address; ``signature`` alike for near copies, and None for
    texts too short to tell. ``countries`` are the ISO codes of the countries that the places lie in, the most
    mentioned first. ``embedding`` is None where the step is off or the model doesn't speak the language.
    """

    article: Article
    language: Language
    entities: tuple[Entity, ...]
    entities_model: str | None
    content_hash: str
    countries: tuple[str, ...] = ()
    signature: TextSignature | None = None
    embedding: Embedding | None = None


# --------------------------------------------------------------------------------------------- outcomes


class OutcomeKind(StrEnum):
    """How one article ended in one run."""

    INDEXED = "indexed"
    UPDATED = "updated"
    UNCHANGED = "unchanged"
    DUPLICATE = "duplicate"
    REJECTED = "rejected"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The one outcome of one reference. ``reason`` is set for rejected and failed, ``detail`` explains it."""

    kind: OutcomeKind
    reason: Reason | None = None
    detail: str = ""

    @classmethod
    def of(cls, error: ArticleError) -> Outcome:
        """The outcome that an article's error means."""
        kind = OutcomeKind.REJECTED if isinstance(error, ArticleRejected) else OutcomeKind.FAILED
        return cls(kind=kind, reason=error.reason, detail=error.detail)


Stage = Literal["discover", "fetch", "archive", "extract", "enrich", "index"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemResult:
    """A reference, its outcome, and the stage at which it ended."""

    ref: ArticleRef
    outcome: Outcome
    stage: Stage
    document_id: str | None = None
    archived: ArchiveAddress | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """Counts of a run or batch: ``discovered`` references and how they ended.

    >>> Tally.of([]).balances
    True
    """

    discovered: int = 0
    outcomes: Mapping[OutcomeKind, int] = field(default_factory=dict)
    reasons: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, results: Iterable[ItemResult], *, discovered: int | None = None) -> Tally:
        """Count results; ``discovered`` is their number unless it is known from elsewhere."""
        outcomes: Counter[OutcomeKind] = Counter()
        reasons: Counter[str] = Counter()
        for result in results:
            outcomes[result.outcome.kind] += 1
            if result.outcome.reason is not None:
                reasons[f"{result.outcome.kind}({result.outcome.reason})"] += 1
        total = sum(outcomes.values())
        return cls(discovered=total if discovered is None else discovered, outcomes=outcomes, reasons=reasons)

    def __add__(self, other: Tally) -> Tally:
        return Tally(
            discovered=self.discovered + other.discovered,
            outcomes=Counter(self.outcomes) + Counter(other.outcomes),
            reasons=Counter(self.reasons) + Counter(other.reasons),
        )

    @property
    def accounted(self) -> int:
        """How many references ended in an outcome."""
        return sum(self.outcomes.values())

    @property
    def balances(self) -> bool:
        """Whether each discovered reference ended in exactly one outcome."""
        return self.accounted == self.discovered

    def count(self, kind: OutcomeKind) -> int:
        """How many references ended as ``kind``."""
        return self.outcomes.get(kind, 0)

    def as_dict(self) -> dict[str, Any]:
        """A JSON-ready form: every outcome is listed, also those with no article."""
        return {
            "discovered": self.discovered,
            "outcomes": {kind.value: self.count(kind) for kind in OutcomeKind},
            "reasons": dict(sorted(self.reasons.items())),
        }
