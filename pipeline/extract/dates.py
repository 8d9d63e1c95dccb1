"""Dates with their provenance: every statement is kept, one is chosen, and none is invented. Pure.

There is no clock here: the time of fetching is the ceiling, so a page read again on another day has the same dates.
For that reason dateparser is not used either: it completes "5 March" with the present year.
"""

# ruff: noqa: E501 - patterns and vocabularies read better unbroken

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache

from babel import Locale, UnknownLocaleError
from babel.dates import get_month_names

from pipeline.models import DateCandidate, DateRecord, Precision

FLOOR = datetime(1990, 1, 1, tzinfo=UTC)
"""Nothing on the web is older; an earlier date counts only where two independent statements agree."""
FUTURE_TOLERANCE = timedelta(days=1)
"""A page may be dated ahead of its fetching by as much as time zones and wrong clocks explain."""
AGREEMENT = timedelta(days=1)
MAX_CANDIDATES = 40
_LONGEST = 120  # characters of a string that can be a date

_ISO = re.compile(
    r"(?P<year>\d{4})-?(?P<month>\d{2})-?(?P<day>\d{2})"
    r"(?:[T\s]+(?P<hour>\d{1,2}):?(?P<minute>\d{2})(?::?(?P<second>\d{2})(?:[.,]\d+)?)?"
    r"\s*(?P<zone>Z|[A-Z]{3,4}|(?:UTC|GMT)?\s?[+-]\d{1,2}(?::?\d{2})?)?)?(?!\d)",
    re.IGNORECASE,
)
_RFC_2822 = re.compile(
    r"(?:[A-Za-z]{3,9},?\s+)?(?P<day>\d{1,2})\s+(?P<month>[A-Za-z]{3,9})\s+(?P<year>\d{4})\s+"
    r"(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2}))?\s*(?P<zone>[+-]\d{4}|[A-Z]{1,4})?\b"
)
_SLASHED_ISO = re.compile(r"(\d{4})([./])(\d{1,2})\2(\d{1,2})(?!\d)")
_LOOSE_ISO = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})(?!\d)")
_NUMERIC = re.compile(r"(?<!\d)(\d{1,2})([./-])(\d{1,2})\2((?:19|20)\d{2})(?!\d)")
_CJK = re.compile(r"((?:19|20)\d{2})\s*[年년]\s*(\d{1,2})\s*[月월]\s*(\d{1,2})\s*[日일]")
_WORDS = re.compile(
    r"(?<!\d)(?:(?P<day>\d{1,2})(?:st|nd|rd|th|er|º|ª|\.)?,?\s+(?:de\s+|of\s+)?(?P<month>[^\W\d_][^\s\d.,;:/()|_-]{2,13})\.?,?\s+(?:de\s+|del\s+)?(?P<year>(?:19|20)\d{2})"
    r"|(?P<day3>\d{1,2})-(?P<month3>[^\W\d_]{3,9})-(?P<year3>(?:19|20)\d{2}))(?!\d)"
    r"|(?P<month2>[^\W\d_][^\s\d.,;:/()|_-]{2,13})\.?\s+(?P<day2>\d{1,2})(?:st|nd|rd|th)?,?\s+(?P<year2>(?:19|20)\d{2})(?!\d)"
)
_YEAR_FIRST = re.compile(r"(?<!\d)((?:19|20)\d{2})[.,]?\s+([^\W\d_][^\s\d.,;:/()|_-]{2,13})\.?\s+(\d{1,2})(?!\d)")
_CLOCK = re.compile(
    r"(?<![\d:])(?P<hour>[01]?\d|2[0-3])[:.h](?P<minute>[0-5]\d)(?::(?P<second>[0-5]\d))?\s*(?P<half>[ap]\.?\s?m\b\.?)?"
    r"\s*\(?(?P<zone>(?:UTC|GMT)?[+-]\d{2}:?\d{2}|UTC|GMT|Z|BST|E[SD]?T|C[SD]T|M[SD]T|P[SD]?T|CET|CEST|IST|JST|AE[SD]T)?(?![\w:])",
    re.IGNORECASE,
)
_EPOCH = re.compile(r"\d{10}(?:\d{3})?")
_URL_DATE = re.compile(r"/((?:19|20)\d{2})([/-]?)(0[1-9]|1[0-2]|[1-9])\2(0[1-9]|[12]\d|3[01]|[1-9])(?=[/_.-]|$)")
_MONTHS = {
    word: number
    for number, words in enumerate(
        (
            "january jan januar jänner jaenner janvier janv enero ene gennaio gen janeiro januari ocak январь января янв stycznia styczeń ledna leden ianuarie",
            "february feb februar februari février fevrier févr febrero febbraio fevereiro fev şubat февраль февраля фев lutego luty února únor februarie",
            "march mar märz maerz mars marzo março marco maart mart март марта marca marzec března březen martie",
            "april apr avril avr abril aprile abr nisan апрель апреля апр kwietnia kwiecień dubna duben aprilie",
            "may mai mayo maggio maio mei mayıs май мая maja maj května květen",
            "june jun juni juin junio giugno junho haziran июнь июня июн czerwca czerwiec června červen iunie giu",
            "july jul juli juillet juil julio luglio julho temmuz июль июля июл lipca lipiec července červenec iulie lug",
            "august aug août aout agosto augustus augusti ağustos август августа авг sierpnia sierpień srpna srpen ago",
            "september sep sept septembre septiembre settembre setembro eylül сентябрь сентября сен сент września wrzesień září septembrie set",
            "october oct oktober octobre octubre ottobre outubro okt ekim октябрь октября окт października październik října říjen octombrie out ott",
            "november nov novembre noviembre novembro kasım ноябрь ноября ноя listopada listopad noiembrie",
            "december dec dezember décembre decembre diciembre dicembre dezembro desember dez aralık декабрь декабря дек grudnia grudzień prosince prosinec decembrie dic déc",
        ),
        start=1,
    )
    for word in words.split()
}
# RFC 2822 zones and the abbreviations that news sites write. "IST" and "CST" are taken as India's and America's.
_ZONES = {
    "Z": 0, "UTC": 0, "GMT": 0, "WET": 0, "BST": 60, "WEST": 60, "CET": 60, "CEST": 120, "EET": 120, "EEST": 180, "MSK": 180, "IST": 330,
    "SGT": 480, "HKT": 480, "JST": 540, "KST": 540, "AEST": 600, "AEDT": 660, "NZST": 720, "NZDT": 780,
    "EST": -300, "EDT": -240, "ET": -300, "CST": -360, "CDT": -300, "MST": -420, "MDT": -360, "PST": -480, "PDT": -420, "PT": -480,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class ParsedDate:
    """A moment in UTC, how exactly it is known, and whether its time zone was stated."""

    value: datetime
    precision: Precision
    zone_assumed: bool
    zone_minutes: int = 0

    def isoformat(self) -> str:
        """The date as it was stated: in its own time zone, and no more exact than it was."""
        local = self.value.astimezone(timezone(timedelta(minutes=self.zone_minutes)))
        if self.precision is Precision.DAY:
            return local.date().isoformat()
        return (local.replace(tzinfo=None) if self.zone_assumed else local).isoformat()


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement of a date as found: where it stood, what it said. ``weak`` marks guesses, which never
    contradict."""

    source: str
    text: str | datetime | ParsedDate
    weak: bool = False


def parse_date(text: str | datetime) -> ParsedDate | None:
    """Read a date in ISO 8601, RFC 2822, epoch or written form; None where it states no full date (day, month, year).

    A date without a zone is taken as UTC and marked so; a date without a time is midnight UTC with precision day.
    """
    if isinstance(text, datetime):
        assumed = text.tzinfo is None
        value = text.replace(tzinfo=UTC) if assumed else text.astimezone(UTC)
        return ParsedDate(value.replace(microsecond=0), Precision.SECOND, assumed)
    text = " ".join(text[: _LONGEST * 2].split())[:_LONGEST]
    if not text:
        return None
    if _EPOCH.fullmatch(text):
        seconds = int(text) if len(text) == 10 else int(text) // 1000
        return ParsedDate(datetime.fromtimestamp(seconds, UTC), Precision.SECOND, False)
    if match := _ISO.match(text):
        part = match.groupdict()
        return _build(
            part["year"], part["month"], part["day"], part["hour"], part["minute"], part["second"], part["zone"]
        )
    if match := _RFC_2822.match(text):
        month = _month(match["month"])
        if month:
            return _build(
                match["year"], month, match["day"], match["hour"], match["minute"], match["second"], match["zone"]
            )
    return find_written_date(text)


def find_written_date(text: str) -> ParsedDate | None:
    """The first full date written out in running text ("June 1, 2018 3:04 pm ET", "01.06.2018", "2018年6月1日")."""
    found = find_date(text)
    return found[0] if found else None


def find_date(text: str, start: int = 0, *, language: str = "") -> tuple[ParsedDate, int, int] | None:
    """The first full date in ``text`` from ``start`` on, and where it begins and ends with its time.

    ``language`` is what the page says of itself ("fr", "en-GB"): it names the months besides those that are always
    known, and says whether 03/04/2018 is the third of April.
    """
    found: list[tuple[int, int, tuple[int, int, int]]] = []
    for match in _WORDS.finditer(text, start):
        month = next((value for key in ("month", "month2", "month3") if (value := match[key])), "")
        day = next((value for key in ("day", "day2", "day3") if (value := match[key])), "0")
        year = next((value for key in ("year", "year2", "year3") if (value := match[key])), "0")
        if number := _month(month, language):
            found.append((match.start(), match.end(), (int(year), number, int(day))))
            break
    for match in _YEAR_FIRST.finditer(text, start):
        if number := _month(match[2], language):
            found.append((match.start(), match.end(), (int(match[1]), number, int(match[3]))))
            break
    for pattern, order in ((_CJK, (1, 2, 3)), (_SLASHED_ISO, (1, 3, 4)), (_LOOSE_ISO, (1, 2, 3))):
        if hit := pattern.search(text, start):
            found.append((hit.start(), hit.end(), (int(hit[order[0]]), int(hit[order[1]]), int(hit[order[2]]))))
    if numeric := _NUMERIC.search(text, start):
        first, second = int(numeric[1]), int(numeric[3])
        # 03/04/2018 is two dates. With a dot it is day first; with a slash where one number can't be a month, or where
        # the page's language writes it so.
        if numeric[2] == "." or first > 12 or (second <= 12 and _day_first(language)):
            found.append((numeric.start(), numeric.end(), (int(numeric[4]), second, first)))
        elif second > 12 or first == second:
            found.append((numeric.start(), numeric.end(), (int(numeric[4]), first, second)))
    for begin, end, (year_, month_, day_) in sorted(found):
        if iso := _ISO.match(text, begin):
            part = iso.groupdict()
            built = _build(
                part["year"], part["month"], part["day"], part["hour"], part["minute"], part["second"], part["zone"]
            )
            if built and part["hour"] is not None:
                return built, begin, iso.end()
        clock = _CLOCK.search(text[end : end + 30])
        if clock:
            end += clock.end()  # so that it isn't taken for that of the next date
        else:
            clock = _CLOCK.search(text[max(start, begin - 30) : begin])
        built = None
        if clock:
            hour = int(clock["hour"])
            if half := clock["half"]:
                hour = hour % 12 + (12 if half[0] in "pP" else 0)
            built = _build(year_, month_, day_, hour, clock["minute"], clock["second"], clock["zone"])
        built = built or _build(year_, month_, day_, None, None, None, None)
        if built:
            return built, begin, end
    return None


def date_in_url(url: str | None) -> str | None:
    """The date that an address carries in its path (``/2018/06/01/``, ``/20180601/``), as ISO 8601."""
    if not url:
        return None
    for match in _URL_DATE.finditer(url.partition("?")[0]):
        if match[2] == "" and len(match[3] + match[4]) != 4:
            continue
        if built := _at(int(match[1]), int(match[3]), int(match[4])):
            return built.date().isoformat()
    return None


def choose(statements: Iterable[Statement], *, ceiling: datetime) -> DateRecord | None:
    """Choose among statements, given in the order of their trustworthiness. None where none can be trusted.

    ``ceiling`` is when the page was fetched. The first believable statement wins; one that says the same day more
    exactly refines it. ``conflict`` tells that another strong statement differs by more than a day.
    """
    parsed: list[tuple[Statement, ParsedDate]] = []
    candidates: list[DateCandidate] = []
    for statement in statements:
        if len(candidates) >= MAX_CANDIDATES:
            break
        date = statement.text if isinstance(statement.text, ParsedDate) else parse_date(statement.text)
        if date is None:
            continue
        candidates.append(DateCandidate(source=statement.source, value=date.isoformat()))
        if date.value <= ceiling + FUTURE_TOLERANCE:
            parsed.append((statement, date))
    believable = [
        (statement, date)
        for statement, date in parsed
        if date.value >= FLOOR
        or any(other.source != statement.source and abs(o.value - date.value) <= AGREEMENT for other, o in parsed)
    ]
    if not believable:
        return None
    best_statement, best = believable[0]
    for statement, date in believable:
        if best.precision is Precision.DAY and date.precision is not Precision.DAY and _same_day(best, date):
            best_statement, best = statement, date
            break
    conflict = any(not _agree(date, best) for statement, date in believable if not statement.weak)
    return DateRecord(
        value=best.value, precision=best.precision, source=best_statement.source, zone_assumed=best.zone_assumed,
        conflict=conflict, candidates=tuple(dict.fromkeys(candidates)),
    )  # fmt: skip


def is_earlier(one: Statement, other: Statement) -> bool:
    """Whether ``one`` states a believable date more than a day before that of ``other``."""
    dates = [parse_date(s.text) if not isinstance(s.text, ParsedDate) else s.text for s in (one, other)]
    if dates[0] is None or dates[1] is None:
        return False
    return FLOOR <= dates[0].value < dates[1].value and not _agree(dates[0], dates[1])


def _same_day(day: ParsedDate, moment: ParsedDate) -> bool:
    # A day was written in some time zone; the same moment may lie on the next or last day in UTC.
    return day.value - timedelta(hours=14) <= moment.value < day.value + timedelta(hours=24 + 12)


def _agree(one: ParsedDate, other: ParsedDate) -> bool:
    if Precision.DAY in (one.precision, other.precision):
        return abs(one.value.date() - other.value.date()) <= AGREEMENT
    return abs(one.value - other.value) <= AGREEMENT


def _month(word: str, language: str = "") -> int | None:
    key = word.casefold().rstrip(".")
    named = _months_in(language)
    return named.get(key) or _MONTHS.get(key) or (named.get(key[1:]) if language[:2] == "he" else None)  # "in July"


def _locale(language: str) -> Locale | None:
    try:
        return Locale.parse(language.strip().replace("-", "_")) if language.strip() else None
    except (ValueError, UnknownLocaleError):
        return None


@lru_cache(maxsize=64)
def _months_in(language: str) -> Mapping[str, int]:
    """The months as a language writes them in dates (CLDR)."""
    locale = _locale(language[:2])
    if locale is None:
        return {}
    return {
        name.casefold().rstrip("."): number
        for width in ("abbreviated", "wide")
        for number, name in get_month_names(width, "format", locale).items()
        if len(name) > 2
    }


@lru_cache(maxsize=64)
def _day_first(language: str) -> bool:
    """Whether a language's short dates begin with the day (CLDR). English tells nothing: much that is not American says
    "en-US", the setting its system came with."""
    locale = _locale(language)
    if locale is None or (locale.language == "en" and locale.territory in (None, "US")):
        return False
    return str(locale.date_formats["short"].pattern).lstrip("\u200f").startswith("d")


def _at(
    year: int, month: int, day: int, hour: int = 0, minute: int = 0, second: int = 0, zone: int | None = 0
) -> datetime | None:
    try:
        local = datetime(year, month, day, hour, minute, min(second, 59), tzinfo=timezone(timedelta(minutes=zone or 0)))
        return local.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _build(
    year: str | int,
    month: str | int,
    day: str | int,
    hour: str | int | None,
    minute: str | None,
    second: str | None,
    zone: str | None,
) -> ParsedDate | None:
    if hour is None:
        value = _at(int(year), int(month), int(day))
        return ParsedDate(value, Precision.DAY, True) if value else None
    offset = _offset(zone)
    value = _at(int(year), int(month), int(day), int(hour), int(minute or 0), int(second or 0), offset)
    if value is None:
        return None
    return ParsedDate(value, Precision.SECOND if second else Precision.MINUTE, offset is None, offset or 0)


def _offset(zone: str | None) -> int | None:
    if not zone:
        return None
    zone = zone.strip().upper()
    if zone in _ZONES:
        return _ZONES[zone]
    if match := re.fullmatch(r"(?:UTC|GMT)?\s?([+-])(\d{1,2}):?(\d{2})?", zone):
        minutes = int(match[2]) * 60 + int(match[3] or 0)
        return (-minutes if match[1] == "-" else minutes) if minutes <= 14 * 60 else None
    return None
