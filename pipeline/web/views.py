"""What the pages show, made from search results and documents: addresses, marked text, bars. Pure.

Everything here returns plain values; nothing returns markup. The templates escape whatever they print, so that a
hostile article can only ever be text.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Literal, cast
from urllib.parse import urlencode, urlsplit

from pipeline.enrich.places import country_name
from pipeline.enrich.resolution import EntityReview
from pipeline.index.analyzers import ANALYZERS
from pipeline.search import QueryError, SearchHit, SearchRequest
from pipeline.web.map import box_of, is_tile

PAGE_SIZE = 10

MARKS = ("\ue000", "\ue001")
"""Put around the words found: private-use characters, which mean nothing in any text and nothing in HTML."""

FACETS = {
    "language": "Language",
    "source": "Source",
    "people": "People",
    "places": "Places",
    "organizations": "Organisations",
    "countries": "Countries",
}

_SORTS = ("relevance", "newest", "oldest")
_MOST_BARS = 60
_MOST_CHOSEN = 20
_SHOWN_CHARACTERS = 300_000

Segment = tuple[str, bool]
"""A stretch of text, and whether it is one that was found."""


# -------------------------------------------------------------------------------------------- addresses


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What a search page's address says. ``until`` is the last day that counts, ``area`` a tile of the map."""

    query: str = ""
    facets: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    area: str = ""
    map: bool = False
    since: date | None = None
    until: date | None = None
    sort: str = "relevance"
    copies: bool = False
    page: int = 1

    def request(self, prefix: str, review: EntityReview | None = None) -> SearchRequest:
        """The question as the search takes it; names count as ``review`` says."""
        return SearchRequest(
            query=self.query,
            facets=self.facets,
            within=box_of(self.area) if self.area else None,
            since=_midnight(self.since),
            until=_midnight(self.until + timedelta(days=1)) if self.until and self.until < date.max else None,
            sort=cast(Literal["relevance", "newest", "oldest"], self.sort),
            collapse=not self.copies,
            limit=PAGE_SIZE,
            offset=(self.page - 1) * PAGE_SIZE,
            marks=MARKS,
            prefix=prefix,
            review=review or EntityReview(),
        )

    def parameters(self) -> str:
        """The part of the address behind the question mark; equal questions give equal ones."""
        pairs = [("q", self.query)] if self.query else []
        pairs += [(name, value) for name in FACETS for value in self.facets.get(name, ())]
        pairs += [("area", self.area)] if self.area else []
        pairs += [(name, day.isoformat()) for name, day in (("since", self.since), ("until", self.until)) if day]
        pairs += [("sort", self.sort)] if self.sort != "relevance" else []
        pairs += [(name, "1") for name, wanted in (("copies", self.copies), ("map", self.map)) if wanted]
        pairs += [("page", str(self.page))] if self.page > 1 else []
        return f"?{urlencode(pairs)}" if pairs else "?"

    def with_facet(self, name: str, value: str) -> Question:
        """The same, narrowed to a facet's value; a language or source takes the place of another."""
        chosen = () if name in ("language", "source") else self.facets.get(name, ())
        return replace(self, facets={**self.facets, name: tuple(dict.fromkeys((*chosen, value)))}, page=1)

    def without_facet(self, name: str, value: str) -> Question:
        """The same without that value."""
        left = tuple(item for item in self.facets.get(name, ()) if item != value)
        return replace(self, facets={**self.facets, name: left}, page=1)

    def on_page(self, page: int) -> Question:
        """The same, another page."""
        return replace(self, page=page)

    def between(self, since: date | None, until: date | None) -> Question:
        """The same for other days."""
        return replace(self, since=since, until=until, page=1)

    def in_area(self, area: str) -> Question:
        """The same for another tile of the map, or for the whole world."""
        return replace(self, area=area, page=1)

    def with_map(self, wanted: bool) -> Question:
        """The same with the map, or without."""
        return replace(self, map=wanted)

    @property
    def is_narrowed(self) -> bool:
        """Whether anything but words is asked for."""
        return bool(self.since or self.until or self.area or any(self.facets.values()))

    def chosen(self) -> Iterator[tuple[str, str]]:
        """Each facet value that is asked for."""
        for name in FACETS:
            for value in self.facets.get(name, ()):
                yield name, value


def question_of(parameters: Sequence[tuple[str, str]]) -> Question:
    """The question that an address asks. What it doesn't know it leaves out.

    Raises QueryError for days, orders, pages and parts of the map that are none.
    """
    first: dict[str, str] = {}
    facets: dict[str, list[str]] = {}
    for name, value in parameters:
        if not value.strip():
            continue
        if name in FACETS:
            facets.setdefault(name, []).append(value)
        first.setdefault(name, value)
    if sum(map(len, facets.values())) > _MOST_CHOSEN:
        raise QueryError(f"More than {_MOST_CHOSEN} facets are chosen.")
    sort = first.get("sort", "relevance")
    if sort not in _SORTS:
        raise QueryError(f"{sort!r} is no order; those are {', '.join(_SORTS)}.")
    page = first.get("page", "1")
    if not re.fullmatch(r"[1-9][0-9]{0,5}", page):
        raise QueryError(f"{page!r} is no page.")
    area = first.get("area", "")
    if area and not is_tile(area):
        raise QueryError(f"{area!r} is no part of the map.")
    return Question(
        query=first.get("q", "").strip(),
        area=area,
        map=first.get("map") == "1",
        facets={name: tuple(dict.fromkeys(values)) for name, values in facets.items()},
        since=_day_of(first.get("since")),
        until=_day_of(first.get("until")),
        sort=sort,
        copies=first.get("copies") == "1",
        page=int(page),
    )


def harmless_url(url: str | None) -> str | None:
    """The address if a link may lead there: http or https with a host, in one piece; else None."""
    if not url or re.search(r"[\s\x00-\x1f\x7f]", url):
        return None
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    return url if parts.scheme in ("http", "https") and parts.netloc else None


def _day_of(text: str | None) -> date | None:
    if text is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise QueryError(f"{text!r} is no day; write it as 2024-01-31.") from None


def _midnight(day: date | None) -> datetime | None:
    return datetime.combine(day, time(), tzinfo=UTC) if day else None


# ------------------------------------------------------------------------------------------ marked text


def segments(text: str) -> list[Segment]:
    """Highlighted text cut at its marks. Marks that don't pair, as a text may contain them itself, do no harm.

    >>> segments("a \\ue000word\\ue001 more")
    [('a ', False), ('word', True), (' more', False)]
    """
    found: list[Segment] = []
    marked = False
    for piece in re.split(f"([{''.join(MARKS)}])", text):
        if piece in MARKS:
            marked = piece == MARKS[0]
        elif piece:
            found.append((piece, marked))
    return found


def passages(hit: SearchHit, most: int = 3) -> list[list[Segment]]:
    """What a list shows of an article: the passages in which the words were found, else its description."""
    if found := hit.passages(most):
        return [segments(text) for text in found]
    return [[(hit.description[:400], False)]] if hit.description else []


def headline(hit: SearchHit) -> list[Segment]:
    """The headline with the words found."""
    marked = hit.highlights.get("headline")
    return segments(marked[0]) if marked else [(hit.headline or "(without a headline)", False)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A stretch of an article's text; with ``name`` and ``type`` where it names somebody or something."""

    text: str
    name: str | None = None
    type: str | None = None


_PARAGRAPH = re.compile(r"\n\s*\n")


def paragraphs(body: str, mentions: Sequence[Mapping[str, Any]]) -> list[list[Piece]]:
    """The body's paragraphs with its mentions marked. A mention that doesn't fit the text is left out."""
    bounds, start = [], 0
    for gap in _PARAGRAPH.finditer(body):
        bounds.append((start, gap.start()))
        start = gap.end()
    bounds.append((start, len(body)))
    waiting = sorted(
        (mention for mention in mentions if body[mention["start"] : mention["end"]] == mention["text"]),
        key=lambda mention: (mention["start"], -mention["end"]),
    )
    shown: list[list[Piece]] = []
    next_mention = 0
    for start, end in bounds:
        pieces: list[Piece] = []
        at = start
        while next_mention < len(waiting) and waiting[next_mention]["start"] < end:
            mention = waiting[next_mention]
            next_mention += 1
            if mention["start"] < at or mention["end"] > end or mention["start"] >= mention["end"]:
                continue  # within another one, or across paragraphs
            if mention["start"] > at:
                pieces.append(Piece(text=body[at : mention["start"]]))
            pieces.append(Piece(text=mention["text"], name=mention["name"], type=mention["type"]))
            at = mention["end"]
        if at < end:
            pieces.append(Piece(text=body[at:end]))
        if pieces:
            shown.append(pieces)
    return shown


def as_text(body: bytes, charset: str | None) -> tuple[str, bool]:
    """Raw bytes to read, and whether they were cut. Control characters, which could hide something, are made visible.

    Bidirectional controls count among them (Unicode Technical Report 36).
    """
    sample = body[: 4 * _SHOWN_CHARACTERS]
    try:
        text = sample.decode(charset or "utf-8", errors="replace")
    except LookupError:
        text = sample.decode("utf-8", errors="replace")
    cut = len(text) > _SHOWN_CHARACTERS or len(sample) < len(body)
    text = text[:_SHOWN_CHARACTERS].replace("\r\n", "\n")
    return _HIDDEN.sub(lambda found: f"⟨U+{ord(found[0]):04X}⟩", text), cut


_HIDDEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A paragraph of two versions: ``same``, ``added`` or ``removed``; ``words`` tell what changed within it."""

    kind: Literal["same", "added", "removed"]
    words: Sequence[Segment]


def changes(before: Sequence[str], after: Sequence[str]) -> list[Change]:
    """What became of the paragraphs of one version in another, in order; within changed ones, of the words."""
    found: list[Change] = []
    for tag, i, j, k, m in difflib.SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        if tag == "equal":
            found += [Change(kind="same", words=[(text, False)]) for text in before[i:j]]
            continue
        for old, new in zip(before[i:j], after[k:m], strict=False):
            words = _changed_words(old, new)
            found += [Change(kind="removed", words=words[0]), Change(kind="added", words=words[1])]
        common = min(j - i, m - k)
        found += [Change(kind="removed", words=[(text, True)]) for text in before[i + common : j]]
        found += [Change(kind="added", words=[(text, True)]) for text in after[k + common : m]]
    return found


def _changed_words(old: str, new: str) -> tuple[list[Segment], list[Segment]]:
    left, right = re.findall(r"\s*\S+", old), re.findall(r"\s*\S+", new)
    before: list[Segment] = []
    after: list[Segment] = []
    for tag, i, j, k, m in difflib.SequenceMatcher(None, left, right, autojunk=False).get_opcodes():
        changed = tag != "equal"
        if i < j:
            before.append(("".join(left[i:j]), changed))
        if k < m:
            after.append(("".join(right[k:m]), changed))
    return before, after


# ------------------------------------------------------------------------------------------------- bars


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One bar of the timeline: its days, how many articles, and where it stands (in a box of 100 by 100)."""

    since: date
    until: date
    count: int
    x: float
    width: float
    height: float


def timeline(days: Sequence[tuple[str, int]]) -> list[Bar]:
    """Bars over the days found, oldest first, of a day, a week, four weeks or a year each, so that 60 suffice."""
    if not days:
        return []
    counts = {date.fromisoformat(day): count for day, count in days}
    first, last = min(counts), max(counts)
    span = next(span for span in (1, 7, 28, 364, 36_400) if (last - first).days // span < _MOST_BARS)
    number = (last - first).days // span + 1
    sums = [0] * number
    for day, count in counts.items():
        sums[(day - first).days // span] += count
    highest = max(sums)
    return [
        Bar(
            since=first + timedelta(days=span * i),
            until=min(last, first + timedelta(days=span * (i + 1) - 1)),
            count=count,
            x=round(100 * i / number, 3),
            width=round(100 / number, 3),
            # A single article among thousands is still to be seen.
            height=round(max(3, 100 * count / highest), 2) if count else 0,
        )
        for i, count in enumerate(sums)
    ]


# ------------------------------------------------------------------------------------------------ words


def label(facet: str, value: str) -> str:
    """A facet's value as people say it: languages and countries by name."""
    if facet == "language":
        return _language(value)
    return (country_name(value) or value) if facet == "countries" else value


def _language(code: str) -> str:
    own = {"ja": "Japanese", "ko": "Korean", "zh-cn": "Chinese (simplified)", "zh-tw": "Chinese (traditional)"}
    own |= {"und": "not known", "pl": "Polish", "uk": "Ukrainian", "he": "Hebrew", "vi": "Vietnamese"}
    return own.get(code) or ANALYZERS.get(code, code).capitalize()


def area_name(tile: str) -> str:
    """Where a tile of the map is, in whole degrees.

    >>> area_name("6/34/20")
    '52° N to 56° N, 11° E to 17° E'
    """
    north, west, south, east = box_of(tile)

    def degrees(value: float, signs: str) -> str:
        return f"{abs(value):.0f}° {signs[value < 0]}"

    spans = ((degrees(south, "NS"), degrees(north, "NS")), (degrees(west, "EW"), degrees(east, "EW")))
    return ", ".join(f"{start} to {end}" for start, end in spans)


def html_language(code: str | None) -> str | None:
    """The value of ``lang`` for a text in this language, if it is one (BCP 47)."""
    return code if code and code != "und" and re.fullmatch(r"[a-z]{2,3}(-[a-z]{2,4})?", code) else None


def moment(value: str | datetime | None, precision: str = "minute") -> str:
    """A time as people read it, in UTC."""
    if not value:
        return ""
    try:
        when = datetime.fromisoformat(value) if isinstance(value, str) else value
    except ValueError:
        return str(value)
    when = when.astimezone(UTC)
    return f"{when:%Y-%m-%d}" if precision == "day" else f"{when:%Y-%m-%d %H:%M} UTC"


_FIELDS = (
    ("authors", "Authors"),
    ("publisher", "Publisher"),
    ("section", "Section"),
    ("keywords", "Keywords"),
    ("description", "Description"),
    ("canonical_url", "Address"),
    ("path", "File"),
    ("stated_language", "Stated language"),
    ("image", "Image"),
    ("word_count", "Words"),
)


def facts(document: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """What is known of an article beside its text: name, value, and where the value came from."""
    origins = document.get("origins", {})
    rows: list[tuple[str, str, str]] = []
    for name, title in (("published", "Published"), ("modified", "Changed")):
        record = document.get(name)
        if document.get(f"{name}_at") and record:
            origin = record.get("source", "")
            if record.get("zone_assumed"):
                origin += "; no time zone stated, UTC assumed"
            if record.get("conflict"):
                others = ", ".join(f"{item['source']}: {item['value']}" for item in many(record.get("candidates")))
                origin += f"; statements differ ({others})"
            rows.append((title, moment(document[f"{name}_at"], record.get("precision", "")), origin))
    if not document.get("published_at"):
        rows.append(("Published", "not known", "no statement of a date was found"))
    for name, title in _FIELDS:
        if document.get(name):
            value = ", ".join(map(str, many(document[name])))
            rows.append((title, value, "counted" if name == "word_count" else origins.get(name, "")))
    confidence = document.get("language_confidence")
    agreement = ", ".join(
        f"{item['by']} {'agrees' if item['agrees'] else 'disagrees'}"
        for item in many(document.get("language_agreement"))
    )
    sure = f"detected, {confidence:.0%} sure" if confidence is not None else ""
    rows.append(("Language", _language(document["language"]), "; ".join(filter(None, (sure, agreement)))))
    source = document["source"]
    rows.append(("Source", source["id"], source.get("via", "")))
    rows.append(("First seen", moment(document["first_seen_at"]), ""))
    if document.get("fetched_at"):
        rows.append(("Read", moment(document["fetched_at"]), ""))
    for place in many(document.get("alternate_urls")):
        rows.append(("Also at", place, "the same text"))
    for name, title in (("headline", "Headline"), ("body", "Text")):
        if origins.get(name):
            rows.append((title, "see above", origins[name]))
    return rows


def entities(document: Mapping[str, Any]) -> list[tuple[str, str, list[str]]]:
    """The names in an article by type: the facet they lead to (empty where there is none), a title, the names."""
    found = document.get("entities", {})
    kinds = (
        ("person", "people", "People"),
        ("place", "places", "Places"),
        ("organization", "organizations", "Organisations"),
        ("event", "", "Events"),
        ("other", "", "Other names"),
    )
    return [(facet, title, many(found[kind])) for kind, facet, title in kinds if found.get(kind)]


FACET_OF_TYPE = {"person": "people", "place": "places", "organization": "organizations"}


def revisions(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The changes of an article's text, oldest first, each with the sentences that went and came."""
    return [
        {**revision, "removed": many(revision.get("removed")), "added": many(revision.get("added"))}
        for revision in many(document.get("revisions"))
    ]


def many(value: Any) -> list[Any]:
    """The values of a field that may hold one, several or none, as Elasticsearch's documents do."""
    return value if isinstance(value, list) else [] if value is None else [value]
