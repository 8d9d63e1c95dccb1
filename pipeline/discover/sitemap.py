"""Sitemaps: indexes, plain and news sitemaps, text lists, packed or not (sitemaps.org protocol 0.9, Google News 0.9).

The location may also be a site's robots.txt or its home page: then the sitemaps that robots.txt names are read.
"""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from urllib.parse import urljoin, urlsplit

from pipeline.discover.found import Found, Links, failed, on_domains, rejected
from pipeline.discover.state import SourceState, StateStore, after_success
from pipeline.discover.storage import GunzippedStream, is_web, open_plain, resolve
from pipeline.discover.web import Web
from pipeline.errors import ArticleError, ArticleRejected, Reason, SourceUnavailableError
from pipeline.models import ArticleRef, ItemResult, Outcome, Source, StatedFacts, Window
from pipeline.urls import host_of, registered_domain, without_credentials

MAX_DEPTH = 3
MAX_SITEMAPS = 1000
MAX_BYTES = 60_000_000
"""Levels of indexes and files read in one run; bytes of one file, unpacked (the protocol allows 50 MB)."""

STALE = timedelta(days=30)
STALE_CHECK = timedelta(days=7)
"""A file whose newest entry is older than STALE is retired: it is looked into once per STALE_CHECK only."""

_ACCEPT = "application/xml, text/xml;q=0.9, text/plain;q=0.5, */*;q=0.3"


@dataclass(frozen=True, slots=True, kw_only=True)
class SitemapEntry:
    """One ``url`` or ``sitemap`` element: its address and what it says."""

    loc: str
    lastmod: datetime | None = None
    facts: StatedFacts = field(default_factory=StatedFacts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sitemap:
    """A parsed sitemap: pages, or further sitemaps where ``is_index``."""

    is_index: bool
    entries: tuple[SitemapEntry, ...]
    broken: str | None = None


@dataclass(slots=True)
class _File:
    """What is remembered of one sitemap file between runs."""

    lastmod: str = ""
    body_hash: str = ""
    newest: str = ""
    read_at: str = ""

    @classmethod
    def parse(cls, text: str) -> _File:
        parts = text.split("|")
        return cls(*parts) if len(parts) == 4 else cls()

    def __str__(self) -> str:
        return "|".join((self.lastmod, self.body_hash, self.newest, self.read_at))


def discover_sitemap(
    source: Source, *, window: Window | None, base_dir: Path, web: Web, now: datetime, states: StateStore | None = None
) -> Iterator[Found]:
    """References to the pages that a sitemap and all below it name.

    With a window, files and entries dated before it are left out (entries without a date stay). Without one and with
    ``states``, files that did not change are not read again, pages named before only if it says something new.

    A file below the first that can't be read becomes a failed result. Raises SourceUnavailableError for the first.
    """
    state = states.read(source.id) if states is not None and window is None else None
    reader = _Reader(source, window=window, base_dir=base_dir, web=web, now=now, state=state)
    found = reader.run()
    yield from islice(found, source.max_items)
    if states is not None and state is not None:
        # What max_items cut off is for the next run: then all files count as unread.
        named = dict(reader.links.named)
        whole = source.max_items is None or next(found, None) is None
        positions = reader.positions() if whole else state.positions
        states.stage(source.id, after_success(state, now=now, named=named, positions=positions))


class _Reader:
    def __init__(
        self,
        source: Source,
        *,
        window: Window | None,
        base_dir: Path,
        web: Web,
        now: datetime,
        state: SourceState | None,
    ) -> None:
        self._source, self._window, self._base_dir, self._web, self._now = source, window, base_dir, web, now
        self._files = {name: _File.parse(text) for name, text in state.positions} if state is not None else {}
        self.links = Links(source, dict(state.seen) if state is not None else None)
        self._read: set[str] = set()
        self._present: set[str] = set()

    def positions(self) -> list[tuple[str, str]]:
        """What to remember of each file; files no longer named are forgotten."""
        return [(name, str(file)) for name, file in self._files.items() if name in self._present]

    def run(self) -> Iterator[Found]:
        for root in self._roots():
            yield from self._visit(root, depth=0, lastmod=None)

    def _roots(self) -> tuple[str, ...]:
        location = self._source.location
        if not is_web(location):
            return (location,)
        path = urlsplit(location).path
        if path not in ("", "/", "/robots.txt"):
            return (location,)
        try:
            found = self._web.robots_sitemaps(
                location, source_id=self._source.id, delay_seconds=self._source.delay_seconds
            )
        except ArticleError as error:
            raise self._unavailable(location, error.reason, f"its robots.txt can't be read: {error}") from None
        if not found:
            raise self._unavailable(location, Reason.FILE_MISSING, "its robots.txt names no sitemap")
        return tuple(urljoin(location, each) for each in dict.fromkeys(found))

    def _visit(self, location: str, *, depth: int, lastmod: datetime | None) -> Iterator[Found]:
        key = without_credentials(location)
        if key in self._read:
            return
        self._read.add(key)
        self._present.add(key)
        file = self._files.setdefault(key, _File())
        stated = lastmod.isoformat() if lastmod else ""
        if depth and self._may_be_skipped(file, stated):
            return
        ref = ArticleRef(
            source_id=self._source.id,
            url=key if is_web(key) else None,
            path=None if is_web(key) else key,
            via="sitemap",
        )
        if len(self._read) > MAX_SITEMAPS or depth > MAX_DEPTH:
            limit = f"more than {MAX_DEPTH} levels" if depth > MAX_DEPTH else f"more than {MAX_SITEMAPS} files"
            yield rejected(ref, Reason.EXCLUDED, f"this sitemap was not read: {limit}")
            return
        try:
            body = self._get(location)
        except ArticleError as error:
            if depth == 0:
                raise self._unavailable(key, error.reason, f"it can't be read: {error}") from None
            yield ItemResult(ref=ref, outcome=Outcome.of(error), stage="discover")
            return
        body_hash = hashlib.sha256(body).hexdigest()[:32]
        same = body_hash == file.body_hash and self._window is None
        parsed = parse_sitemap(body, base_url=location if is_web(location) else "", now=self._now)
        if parsed.broken and not parsed.entries:
            if depth == 0:
                raise self._unavailable(key, Reason.UNREADABLE, f"it is no sitemap: {parsed.broken}")
            yield rejected(ref, Reason.SOURCE_ITEM_BROKEN, f"no sitemap: {parsed.broken}")
            return
        if parsed.broken:
            yield failed(ref, Reason.SOURCE_ITEM_BROKEN, f"read in part only: {parsed.broken}")
            body_hash = ""  # what is missing may come with the next reading
        if parsed.is_index:
            for entry in parsed.entries:
                if self._window is not None and entry.lastmod is not None and entry.lastmod < self._window.since:
                    continue
                if not self._belongs(entry.loc, location):
                    child = replace(ref, url=without_credentials(entry.loc), path=None)
                    yield rejected(child, Reason.EXCLUDED, "a sitemap on another domain")
                    continue
                yield from self._visit(entry.loc, depth=depth + 1, lastmod=entry.lastmod)
        elif not same:
            yield from self._pages(parsed, location, key)
        dates = [date for date in (_date_of(entry) for entry in parsed.entries) if date is not None]
        self._files[key] = _File(
            lastmod=stated,
            body_hash=body_hash,
            newest=max(dates).isoformat() if dates else "",
            read_at=self._now.isoformat(),
        )

    def _may_be_skipped(self, file: _File, lastmod: str) -> bool:
        if self._window is not None or not file.read_at:
            return False
        if lastmod and lastmod == file.lastmod:
            return True
        retired = bool(file.newest) and self._now - datetime.fromisoformat(file.newest) > STALE
        return retired and self._now - datetime.fromisoformat(file.read_at) < STALE_CHECK and not lastmod

    def _pages(self, parsed: Sitemap, location: str, key: str) -> Iterator[Found]:
        via = f"sitemap:{key}"
        for entry in parsed.entries:
            date = _date_of(entry)
            if self._window is not None and date is not None and not self._window.since <= date < self._window.until:
                continue
            if not self._belongs(entry.loc, location):
                ref = ArticleRef(source_id=self._source.id, url=without_credentials(entry.loc), via=via)
                domain = registered_domain(entry.loc)
                yield rejected(
                    ref, Reason.EXCLUDED, f"not on the sitemap's domain; domains = ['{domain}'] would allow it"
                )
                continue
            if (found := self.links.judge(entry.loc, via=via, facts=entry.facts)) is not None:
                yield found

    def _belongs(self, url: str, sitemap: str) -> bool:
        if self._source.domains:
            return on_domains(self._source.domains, url)
        if not is_web(sitemap):
            return True
        own = _site(url)
        return own is None or own in (_site(sitemap), _site(self._source.location))

    def _get(self, location: str) -> bytes:
        if is_web(location):
            answer = self._web.get(
                location,
                source_id=self._source.id,
                accept=_ACCEPT,
                max_bytes=MAX_BYTES,
                delay_seconds=self._source.delay_seconds,
            )
            return unpacked(answer.body)
        with open_plain(resolve(location, self._base_dir)) as stream:
            return _read_all(stream.read)

    def _unavailable(self, location: str, reason: Reason, what: str) -> SourceUnavailableError:
        return SourceUnavailableError(
            f"source {self._source.id}: {without_credentials(location)}: {what}.",
            reason=reason,
            hint="'news sources add' finds the sitemaps of a site.",
        )


def _site(url: str) -> str | None:
    try:
        return registered_domain(url) or host_of(url)
    except ValueError:
        return None


def _date_of(entry: SitemapEntry) -> datetime | None:
    return entry.facts.published_at or entry.lastmod


def unpacked(body: bytes) -> bytes:
    """``body`` with gzip undone where it is gzip, whatever its name. Raises ArticleError for damage and bombs."""
    if not body.startswith(b"\x1f\x8b"):
        return body
    return _read_all(GunzippedStream(io.BytesIO(body)).read)


def _read_all(read: object) -> bytes:
    pieces, length = [], 0
    while piece := read(1 << 16):  # type: ignore[operator]
        pieces.append(piece)
        length += len(piece)
        if length > MAX_BYTES:
            raise ArticleRejected(Reason.TOO_LARGE, f"more than {MAX_BYTES:,} bytes")
    return b"".join(pieces)


def parse_sitemap(body: bytes, *, base_url: str, now: datetime) -> Sitemap:
    """A sitemap from its bytes: XML, a feed, or a plain list of URLs. Pure; never raises.

    Entities are not expanded and nothing is loaded from elsewhere. What can be read of broken XML is used.
    """
    start = body[:2048].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if not start:
        return Sitemap(is_index=False, entries=(), broken="it is empty")
    if not start.startswith(b"<") and not body.startswith((b"\xff\xfe", b"\xfe\xff")):
        return _parse_text(body)
    if b"<rss" in start or b"<feed" in start or b"<rdf:rdf" in start:
        return _parse_feed(body, base_url, now)
    return _parse_xml(body, base_url, now)


def _parse_text(body: bytes) -> Sitemap:
    lines = [line.strip() for line in body.decode("utf-8-sig", "replace").splitlines()]
    entries = tuple(SitemapEntry(loc=line) for line in lines if line.lower().startswith(("http://", "https://")))
    return Sitemap(is_index=False, entries=entries, broken=None if entries else "it holds no URLs")


def _parse_feed(body: bytes, base_url: str, now: datetime) -> Sitemap:
    from pipeline.discover.feed import NotAFeedError, parse_feed

    try:
        items = parse_feed(body, base_url=base_url, now=now).items
    except NotAFeedError as error:
        return Sitemap(is_index=False, entries=(), broken=str(error))
    entries = (
        SitemapEntry(loc=item.link, lastmod=item.facts.modified_at, facts=item.facts) for item in items if item.link
    )
    return Sitemap(is_index=False, entries=tuple(entries))


def _parse_xml(body: bytes, base_url: str, now: datetime) -> Sitemap:
    from lxml import etree

    entries: list[SitemapEntry] = []
    index, root_name, broken = False, "", None
    parser = etree.iterparse(
        io.BytesIO(body),
        events=("end",),
        recover=True,
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        huge_tree=False,
    )
    try:
        for _, element in parser:
            if not isinstance(element.tag, str):
                continue
            name = etree.QName(element).localname.lower()
            root_name = name
            # An image or video inside a url element has elements of the same names one level further down.
            if (
                name not in ("url", "sitemap")
                or element.getparent() is None
                or element.getparent().getparent() is not None
            ):
                continue
            index = index or name == "sitemap"
            entry = _xml_entry(element, base_url, now)
            if entry is not None:
                entries.append(entry)
            element.clear()
            while element.getprevious() is not None:
                del element.getparent()[0]
    except etree.XMLSyntaxError as error:
        broken = f"broken XML: {error}"
    closed = re.search(rb"</\s*([\w.-]+:)?(urlset|sitemapindex)\s*>\s*(<!--.*?-->\s*)*$", body[-2000:], re.S | re.I)
    if entries and broken is None and closed is None and body[1:2] != b"\0":
        # The recovering parser closes what is open: the last address may be half of one.
        broken = "the file is cut short"
        entries.pop()
    if not entries and broken is None and root_name not in ("urlset", "sitemapindex"):
        broken = "it is a web page" if root_name == "html" else f"its root element is {root_name or 'missing'}"
    return Sitemap(is_index=index, entries=tuple(entries), broken=broken)


def _xml_entry(element: object, base_url: str, now: datetime) -> SitemapEntry | None:
    from lxml import etree

    texts: dict[str, str] = {}
    for child in element.iter():  # type: ignore[attr-defined]
        if isinstance(child.tag, str):
            name = etree.QName(child)
            inner = "news:" if "news" in (name.namespace or "") or (child.prefix or "") == "news" else ""
            if not inner and child.getparent() is not element:
                continue
            # Unexpanded entities come as nodes of their own; only the text around them counts.
            value = "".join([child.text or "", *(node.tail or "" for node in child if not isinstance(node.tag, str))])
            texts.setdefault(f"{inner}{name.localname.lower()}", " ".join(value.split()))
    loc = texts.get("loc", "")
    if not loc:
        return None
    keywords = tuple(dict.fromkeys(word.strip() for word in texts.get("news:keywords", "").split(",") if word.strip()))
    facts = StatedFacts(
        title=texts.get("news:title") or None,
        published_at=parse_w3c_date(texts.get("news:publication_date"), now),
        modified_at=parse_w3c_date(texts.get("lastmod"), now),
        language=texts.get("news:language") or None,
        keywords=keywords,
    )
    return SitemapEntry(loc=urljoin(base_url, loc) if base_url else loc, lastmod=facts.modified_at, facts=facts)


def parse_w3c_date(text: str | None, now: datetime) -> datetime | None:
    """A date in W3C format (ISO 8601, also a year or month alone), in UTC; None for what is none or not believable."""
    if not text:
        return None
    text = text.strip().replace(" UTC", "+00:00")
    for candidate in (text, f"{text}-01", f"{text}-01-01"):
        try:
            value = datetime.fromisoformat(candidate)
        except ValueError:
            continue
        try:
            value = value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
        except OverflowError:
            return None
        return value if datetime(1990, 1, 1, tzinfo=UTC) <= value <= now + timedelta(days=1) else None
    return None
