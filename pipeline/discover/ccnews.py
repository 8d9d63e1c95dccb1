"""Common Crawl's CC-NEWS: the WARC files of a span of time, found through the listing of each month.

The location says which span: a month ``2026-07``, a day ``2026-07-14``, or ``2026-07-01/2026-07-14`` (both
included). A run's window takes its place. Where CC-NEWS lies is the setting ``fetch.ccnews_url``.
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from pipeline.discover.found import Found
from pipeline.discover.sitemap import unpacked
from pipeline.discover.state import StateStore
from pipeline.discover.warc import refs_of_files
from pipeline.discover.web import Web
from pipeline.errors import ArticleError, ConfigurationError, Reason, SourceUnavailableError
from pipeline.models import Source, Window
from pipeline.settings import Settings

_FILE = re.compile(r"CC-NEWS-(\d{14})-\d+\.warc\.gz$")
_LONGEST_FILE = timedelta(days=1)


def discover_ccnews(
    source: Source,
    *,
    window: Window | None,
    web: Web,
    now: datetime,
    settings: Settings,
    states: StateStore | None = None,
) -> Iterator[Found]:
    """References to the pages of CC-NEWS within a span of time (see ``discover_warc`` for the filters).

    Raises ConfigurationError for a location that is no span, SourceUnavailableError when a listing can't be read.
    """
    span = window or parse_span(source.location, f"source {source.id}")
    files = list_files(source, span, web=web, base=settings.fetch.ccnews_url.rstrip("/"))
    # Records carry times of their own, finer than the files': the span holds for them too.
    yield from refs_of_files(source, files, window=window, span=span, web=web, now=now, states=states)


def list_files(source: Source, span: Window, *, web: Web, base: str) -> list[str]:
    """The addresses of the WARC files that may hold pages fetched within ``span``, oldest first."""
    files: list[str] = []
    # The last file of a month reaches into the next.
    for year, month in _months(span.since - _LONGEST_FILE, span.until):
        listing = f"{base}/crawl-data/CC-NEWS/{year}/{month:02}/warc.paths.gz"
        try:
            answer = web.get(listing, source_id=source.id, max_bytes=20_000_000, delay_seconds=source.delay_seconds)
            lines = unpacked(answer.body).decode("ascii", "replace").split()
        except ArticleError as error:
            if error.reason is Reason.HTTP_404 and (year, month) == _month(span.since - _LONGEST_FILE) != _month(
                span.since
            ):
                continue
            raise SourceUnavailableError(
                f"source {source.id}: the listing {listing} can't be read: {error}.", reason=error.reason
            ) from None
        files += [f"{base}/{line.lstrip('/')}" for line in lines if _FILE.search(line)]
    dated = sorted((_started(file), file) for file in files)
    ends = [later for _, (later, _) in pairwise(dated)] + [dated[-1][0] + _LONGEST_FILE] if dated else []
    return [file for (start, file), end in zip(dated, ends, strict=True) if start < span.until and end > span.since]


def parse_span(text: str, where: str) -> Window:
    """A month, a day, or two of them with a slash between, as a window. Raises ConfigurationError."""
    first, _, last = text.strip().partition("/")
    try:
        since, until = _edges(first)[0], _edges(last or first)[1]
        if since >= until:
            raise ValueError
    except ValueError:
        raise ConfigurationError(
            f"{where}: location = {text!r} is no span of time; a ccnews source takes '2026-07', '2026-07-14' or "
            "'2026-07-01/2026-07-14'"
        ) from None
    return Window(since=since, until=until)


def _edges(text: str) -> tuple[datetime, datetime]:
    match = re.fullmatch(r"(\d{4})-(\d\d)(?:-(\d\d))?", text.strip())
    if match is None:
        raise ValueError(text)
    year, month = int(match[1]), int(match[2])
    if match[3]:
        day = datetime(year, month, int(match[3]), tzinfo=UTC)
        return day, day + timedelta(days=1)
    first = datetime(year, month, 1, tzinfo=UTC)
    return first, first + timedelta(days=calendar.monthrange(year, month)[1])


def _months(since: datetime, until: datetime) -> Iterator[tuple[int, int]]:
    year, month = since.year, since.month
    while (year, month) <= _month(until - timedelta(microseconds=1)):
        yield year, month
        year, month = (year, month + 1) if month < 12 else (year + 1, 1)


def _month(when: datetime) -> tuple[int, int]:
    return when.year, when.month


def _started(file: str) -> datetime:
    match = _FILE.search(file)
    assert match is not None
    return datetime.strptime(match[1], "%Y%m%d%H%M%S").replace(tzinfo=UTC)
