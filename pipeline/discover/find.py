"""Given a newspaper's home page: its feeds and sitemaps, each read and shown with samples."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from urllib.parse import urljoin

from pipeline.discover.feed import ACCEPT, NotAFeedError, parse_feed
from pipeline.discover.found import Links
from pipeline.discover.sitemap import parse_sitemap, unpacked
from pipeline.discover.storage import is_web
from pipeline.discover.web import Web, WebAnswer
from pipeline.errors import ArticleError, Reason, SourceUnavailableError
from pipeline.models import ArticleRef, Source, SourceKind, StatedFacts
from pipeline.urls import canonicalize, host_of, registered_domain, request_url, without_credentials

_COMMON_FEEDS = ("/feed", "/rss", "/rss.xml", "/feed.xml", "/atom.xml", "/index.xml", "/feeds/all.rss.xml")
_COMMON_SITEMAPS = ("/sitemap_news.xml", "/news-sitemap.xml", "/sitemap-news.xml", "/sitemap.xml", "/sitemap_index.xml")
_FEED_TYPES = ("application/rss+xml", "application/atom+xml", "application/feed+json", "application/rdf+xml")
_MOST_CHECKED = 24
_PASTS = {
    "archived": "a backfill can walk back through its archive documents",
    "paged": "a backfill can walk back through its pages",
    "complete": "it holds all there ever was",
    None: "it leads to no older items, so a backfill takes those from the archive",
}
_SAMPLES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A feed or sitemap of a site, as it was found and read.

    ``articles`` counts what it names that may be articles; an index counts its files in ``files``. ``samples`` are
    titles, or addresses where it tells none. ``found_by`` says how it was found. ``past`` says whether a feed leads to
    its older items: ``archived``, ``paged`` or ``complete`` (RFC 5005). ``problem`` is why it is no use.
    """

    kind: SourceKind
    url: str
    found_by: str
    title: str | None = None
    language: str | None = None
    articles: int = 0
    files: int = 0
    newest: datetime | None = None
    samples: tuple[str, ...] = ()
    past: str | None = None
    problem: str | None = None

    @property
    def summary(self) -> str:
        """What it names, in a line."""
        what = f"{self.files} files" if self.files else f"{self.articles} articles"
        newest = f", newest {self.newest:%Y-%m-%d %H:%M}" if self.newest else ""
        past = f"; {_PASTS[self.past]}" if self.kind is SourceKind.FEED else ""
        return f"{what}{newest}{past}"


def find_sources(
    home_url: str, web: Web, *, now: datetime, progress: Callable[[str], None] | None = None
) -> list[Candidate]:
    """The feeds and sitemaps of the site at ``home_url``, the most useful first, those of no use last.

    Looks at the address itself, at the page's link elements and links, at robots.txt, and, where those tell none, at
    the common paths. ``progress`` is told each address before it is read (a polite pace takes its time).

    Raises SourceUnavailableError when the address can't be read, ConfigurationError when nothing may be fetched.
    """
    try:
        home = request_url(home_url if "://" in home_url else f"https://{home_url}")
        answer = web.get(home, accept=f"text/html, {ACCEPT}")
    except ValueError as error:
        raise SourceUnavailableError(f"{without_credentials(home_url)}: {error}.", reason=Reason.BAD_URL) from None
    except ArticleError as error:
        raise SourceUnavailableError(
            f"{without_credentials(home_url)} can't be read: {error}.", reason=error.reason
        ) from None
    itself = examine(answer, found_by="the address itself", now=now)
    if itself.problem is None:
        return [itself]
    found: dict[str, Candidate] = {}
    known: set[str] = set()

    def check(places: Iterable[tuple[str, str]]) -> None:
        for url, found_by in places:
            key = _key(url)
            if key is None or key in known or len(known) >= _MOST_CHECKED:
                continue
            known.add(key)
            if progress is not None:
                progress(without_credentials(url))
            found[key] = _look(url, found_by, web, now)

    check(_links(answer))
    with contextlib.suppress(ArticleError):  # the home page could be read, so this is about the sitemaps alone
        check((url, "robots.txt") for url in web.robots_sitemaps(answer.final_url))
    if not _useful(found.values(), SourceKind.FEED):
        check((urljoin(answer.final_url, path), "a common path") for path in _COMMON_FEEDS)
    if not _useful(found.values(), SourceKind.SITEMAP):
        check((urljoin(answer.final_url, path), "a common path") for path in _COMMON_SITEMAPS)
    # That a common path holds nothing is no news.
    shown = [c for c in found.values() if c.problem is None or c.found_by != "a common path"]
    return sorted(shown, key=_rank)


def ask_feeds(sources: Iterable[Source], web: Web, *, now: datetime) -> list[tuple[Source, Candidate]]:
    """What each enabled feed on the web names now, each read once."""
    asked = (source for source in sources if source.enabled and source.kind is SourceKind.FEED)
    return [
        (source, _look(source.location, "the sources file", web, now)) for source in asked if is_web(source.location)
    ]


def propose_source(candidate: Candidate, *, taken_ids: Iterable[str] = ()) -> Source:
    """An entry for sources.toml: id from the site's name, unused so far."""
    domain = registered_domain(candidate.url) or host_of(candidate.url)
    stem = re.sub(r"[^a-z0-9]+", "-", domain.rpartition(".")[0].lower() or domain).strip("-") or "source"
    base = f"{stem}-news" if candidate.kind is SourceKind.SITEMAP else stem
    taken, id_, number = set(taken_ids), base[:60], 2
    while id_ in taken:
        id_, number = f"{base[:57]}-{number}", number + 1
    language = (candidate.language or "").lower().replace("_", "-").partition("-")[0] or None
    return Source(
        id=id_,
        kind=candidate.kind,
        location=candidate.url,
        name=candidate.title,
        language=language if language and re.fullmatch(r"[a-z]{2,3}", language) else None,
    )


def examine(answer: WebAnswer, *, found_by: str, now: datetime) -> Candidate:
    """What a document is: a feed, a sitemap, or of no use (``problem`` says why). Pure."""
    url = answer.final_url
    none = Candidate(kind=SourceKind.FEED, url=url, found_by=found_by)
    try:
        body = unpacked(answer.body)
    except ArticleError as error:
        return replace(none, problem=str(error))
    start = body[:3000].lower()
    if b"<urlset" in start or b"<sitemapindex" in start:
        return _sitemap(body, url, found_by, now)
    try:
        feed = parse_feed(body, base_url=url, media_type=answer.media_type, charset=answer.charset, now=now)
    except NotAFeedError as error:
        return replace(none, problem=str(error))
    none = replace(none, past=feed.chain.kind)
    if not feed.items:
        return replace(none, problem="it has no items")
    title, language = _feed_head(body)
    pages = [(item.link, item.facts) for item in feed.items if item.link]
    return _with_pages(replace(none, title=title, language=language or _first_language(pages)), pages)


def _sitemap(body: bytes, url: str, found_by: str, now: datetime) -> Candidate:
    parsed = parse_sitemap(body, base_url=url, now=now)
    candidate = Candidate(kind=SourceKind.SITEMAP, url=url, found_by=found_by)
    if not parsed.entries:
        return replace(candidate, problem=parsed.broken or "it is empty")
    if parsed.is_index:
        dates = [entry.lastmod for entry in parsed.entries if entry.lastmod]
        samples = tuple(entry.loc for entry in parsed.entries[:_SAMPLES])
        return replace(candidate, files=len(parsed.entries), newest=max(dates, default=None), samples=samples)
    pages = [(entry.loc, entry.facts) for entry in parsed.entries]
    return _with_pages(replace(candidate, language=_first_language(pages)), pages)


def _with_pages(candidate: Candidate, pages: list[tuple[str, StatedFacts]]) -> Candidate:
    links = Links(Source(id="x", kind=candidate.kind, location=candidate.url))
    judged = [links.judge(url, via="", facts=facts) for url, facts in pages]
    refs = [ref for ref in judged if isinstance(ref, ArticleRef)]
    if not refs:
        return replace(candidate, problem="nothing it names looks like an article")
    dates = [date for ref in refs if (date := ref.facts.published_at or ref.facts.modified_at)]
    samples = tuple(ref.facts.title or ref.url or "" for ref in refs[:_SAMPLES])
    return replace(candidate, articles=len(refs), newest=max(dates, default=None), samples=samples)


def _first_language(pages: list[tuple[str, StatedFacts]]) -> str | None:
    return next((facts.language for _, facts in pages if facts.language), None)


def _feed_head(body: bytes) -> tuple[str | None, str | None]:
    if body.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{"):
        import json

        document = json.loads(body.removeprefix(b"\xef\xbb\xbf"))
        title, language = document.get("title"), document.get("language")
        return (title if isinstance(title, str) else None), (language if isinstance(language, str) else None)
    import feedparser

    head = feedparser.parse(body, sanitize_html=True).feed
    return (" ".join(str(head.get("title", "")).split()) or None), (str(head.get("language", "")) or None)


def _look(url: str, found_by: str, web: Web, now: datetime) -> Candidate:
    try:
        return examine(web.get(url, accept=ACCEPT, max_bytes=60_000_000), found_by=found_by, now=now)
    except ArticleError as error:
        return Candidate(kind=SourceKind.FEED, url=without_credentials(url), found_by=found_by, problem=str(error))


def _links(answer: WebAnswer) -> Iterator[tuple[str, str]]:
    from lxml import etree, html

    try:
        document = html.document_fromstring(answer.body)
    except (etree.ParserError, etree.XMLSyntaxError, ValueError):
        return
    base = urljoin(answer.final_url, document.base or "") if document.base else answer.final_url
    for element in document.iter("link"):
        rel, kind = (element.get("rel") or "").lower().split(), (element.get("type") or "").lower().partition(";")[0]
        if "alternate" in rel and kind.strip() in _FEED_TYPES and element.get("href"):
            yield _joined(base, element.get("href")), "a link element"
    for element in document.iter("a"):
        href = element.get("href") or ""
        if re.search(r"(^|[/._-])(rss|atom|feeds?)([/._-]|$)|\.(rss|rdf|atom)$", href, re.I):
            yield _joined(base, href), "a link on the page"


def _joined(base: str, href: str) -> str:
    try:
        return urljoin(base, href.strip())
    except ValueError:
        return href


def _key(url: str) -> str | None:
    try:
        return canonicalize(url)
    except ValueError:
        return None


def _useful(candidates: Iterable[Candidate], kind: SourceKind) -> bool:
    return any(candidate.problem is None and candidate.kind is kind for candidate in candidates)


def _rank(candidate: Candidate) -> tuple[bool, bool, bool, float, str]:
    # Feeds before sitemaps, news before archives, the fresher first; comments' feeds are last among feeds.
    age = -candidate.newest.timestamp() if candidate.newest else 0.0
    comments = "comment" in candidate.url.lower()
    return candidate.problem is not None, comments, candidate.kind is not SourceKind.FEED, age, candidate.url
