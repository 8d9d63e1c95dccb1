"""Discovery: a source in, references to articles out. Nothing downstream asks which kind of source it was."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from pathlib import Path

from pipeline.discover.older_pages import PageCache, Past
from pipeline.discover.state import StateStore
from pipeline.discover.web import Web
from pipeline.errors import SourceUnavailableError
from pipeline.models import ArticleRef, ItemResult, Source, SourceKind, Window
from pipeline.settings import Settings

__all__ = ["Discovery", "discover", "discover_all"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Discovery:
    """All that one source named, or why it could not be read (``found`` is what came before that).

    ``past`` says how far back a feed could be asked for a span of time.
    """

    source: Source
    found: tuple[ArticleRef | ItemResult, ...]
    error: SourceUnavailableError | None = None
    past: Past | None = None


def discover_all(
    sources: Iterable[Source],
    *,
    window: Window | None,
    base_dir: Path,
    web: Web,
    now: datetime,
    settings: Settings,
    states: StateStore | None = None,
    pages: PageCache | None = None,
    at_a_time: int = 16,
) -> Iterator[Discovery]:
    """Discover many sources, several at a time, and answer in their order.

    A polite pause between robots.txt and a feed costs seconds; sites wait for their own turns only. Raises what
    ``discover`` raises but SourceUnavailableError, which is in the answer.
    """

    def one(source: Source) -> Discovery:
        found: list[ArticleRef | ItemResult] = []
        past: list[Past] = []
        failure = None
        try:
            for item in discover(
                source,
                window=window,
                base_dir=base_dir,
                web=web,
                now=now,
                settings=settings,
                states=states,
                pages=pages,
                tell=past.append,
            ):
                found.append(item)
        except SourceUnavailableError as error:
            failure = error
        if not past and window is not None and source.kind is SourceKind.FEED:
            past.append(Past(reaches=False, message="it can't be read" if failure else "max_items ended its listing"))
        return Discovery(source=source, found=tuple(found), error=failure, past=past[-1] if past else None)

    with ThreadPoolExecutor(at_a_time, thread_name_prefix="discover") as pool:
        yield from pool.map(one, sources)


def discover(
    source: Source,
    *,
    window: Window | None,
    base_dir: Path,
    web: Web,
    now: datetime,
    settings: Settings,
    states: StateStore | None = None,
    pages: PageCache | None = None,
    tell: Callable[[Past], None] = lambda _: None,
) -> Iterator[ArticleRef | ItemResult]:
    """Everything that ``source`` names: a reference for what to fetch, a result with a reason for what not.

    ``window`` limits it to a span of time, as far as the source knows times. Relative locations start from
    ``base_dir``. With ``states``, only what is new or said to be changed since the last run is yielded; the
    new state is staged there when the iterator ends, and counts once ``states.commit`` is called for the source.

    A feed is asked for a span of time as far back as it leads (RFC 5005): what never changes of that is kept in
    ``pages``, and ``tell`` is told how far that is.

    Raises SourceUnavailableError when the source itself can't be read, ConfigurationError when its entry can't
    be meant.
    """
    # Imported where used: a folder run needs neither the feed parser nor the WARC reader.
    match source.kind:
        case SourceKind.FOLDER:
            from pipeline.discover.folder import discover_folder

            return islice(
                discover_folder(source, window=window, base_dir=base_dir, max_bytes=settings.fetch.max_bytes),
                source.max_items,
            )
        case SourceKind.URLS:
            from pipeline.discover.url_list import discover_urls

            return islice(discover_urls(source, base_dir=base_dir, web=web), source.max_items)
        case SourceKind.FEED:
            from pipeline.discover.feed import discover_feed

            return discover_feed(
                source,
                window=window,
                base_dir=base_dir,
                web=web,
                now=now,
                states=states,
                pages=pages,
                tell=tell,
            )
        case SourceKind.SITEMAP:
            from pipeline.discover.sitemap import discover_sitemap

            return discover_sitemap(source, window=window, base_dir=base_dir, web=web, now=now, states=states)
        case SourceKind.WARC:
            from pipeline.discover.warc import discover_warc

            return discover_warc(source, window=window, base_dir=base_dir, web=web, now=now, states=states)
        case SourceKind.CCNEWS:
            from pipeline.discover.ccnews import discover_ccnews

            return discover_ccnews(source, window=window, web=web, now=now, settings=settings, states=states)
