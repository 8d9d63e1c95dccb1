"""Feeds: RSS 0.9x, 1.0 and 2.0, Atom (through feedparser), and JSON Feed 1.x.

Feeds in the wild are broken in every way there is. What a feed says of an item is kept as a candidate for the
article's own facts; an item that can't be used is reported, and the others go on.
"""

from __future__ import annotations

import calendar
import hashlib
import html
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import chain, islice
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

from pipeline.discover.found import Found, Links, rejected
from pipeline.discover.older_pages import Chain, Feed, PageCache, Past, chain_of_links, validators, walk_back
from pipeline.discover.state import StateStore, after_success
from pipeline.discover.storage import is_web, open_plain, resolve
from pipeline.discover.web import Web, WebAnswer
from pipeline.errors import ArticleError, ArticleRejected, Reason, SourceUnavailableError
from pipeline.models import ArticleRef, Source, StatedFacts, Window
from pipeline.urls import without_credentials

ACCEPT = (
    "application/rss+xml, application/atom+xml, application/feed+json, application/rdf+xml;q=0.9, "
    "application/xml;q=0.8, text/xml;q=0.8, application/json;q=0.7, */*;q=0.5"
)
FULL_TEXT_CHARACTERS = 600
"""Content of fewer characters is a teaser, not an article that could stand for its page."""

_MAX_BYTES = 30_000_000
# Before this nobody had feeds; dates of 1970 or year 1 are a publisher's empty field.
_OLDEST = datetime(1990, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedItem:
    """One item of a feed: an absolute link where there is one, the feed's own id for it, and what it says."""

    link: str | None
    guid: str | None
    facts: StatedFacts
    full_text: bool = False


class NotAFeedError(ValueError):
    """The document is no feed; the message says what it is instead."""


def discover_feed(
    source: Source,
    *,
    window: Window | None,
    base_dir: Path,
    web: Web,
    now: datetime,
    states: StateStore | None = None,
    pages: PageCache | None = None,
    tell: Callable[[Past], None] = lambda _: None,
) -> Iterator[Found]:
    """References to what a feed names, newest first as it stands there.

    A window leaves out items dated outside it; items without a date stay. With a window the feed's archive documents
    or pages are read too, as far back as the window goes (RFC 5005), kept in ``pages``; ``tell`` is told how far that
    went. Raises SourceUnavailableError.
    """
    location = source.location
    shown = without_credentials(location)
    # A backfill wants all there is, whatever an earlier run has seen.
    state = states.read(source.id) if states is not None and window is None else None
    etag = last_modified = media_type = charset = None
    try:
        if is_web(location):
            ask = {}
            if state is not None and state.etag:
                ask["if-none-match"] = state.etag
            if state is not None and state.last_modified:
                ask["if-modified-since"] = state.last_modified
            answer = web.get(
                location,
                source_id=source.id,
                accept=ACCEPT,
                headers=ask,
                max_bytes=_MAX_BYTES,
                delay_seconds=source.delay_seconds,
            )
            if answer.status == 304 and state is not None and states is not None:
                same = after_success(
                    state,
                    now=now,
                    named={},
                    etag=state.etag,
                    last_modified=state.last_modified,
                    body_hash=state.body_hash,
                )
                states.stage(source.id, same)
                return
            body, base = answer.body, answer.final_url
            media_type, charset = answer.media_type, answer.charset
            etag, last_modified = answer.header("etag"), answer.header("last-modified")
        else:
            address = resolve(location, base_dir)
            with open_plain(address) as stream:
                body = _read_up_to(stream, _MAX_BYTES)
            base = "" if "://" not in address else address
    except ArticleError as error:
        raise SourceUnavailableError(
            f"source {source.id}: the feed {shown} can't be read: {error}.", reason=error.reason
        ) from None
    body_hash: str | None = hashlib.sha256(body).hexdigest()
    if state is not None and states is not None and state.body_hash == body_hash:
        # Some servers change the ETag with every answer and some never: the bytes decide.
        states.stage(
            source.id,
            after_success(state, now=now, named={}, etag=etag, last_modified=last_modified, body_hash=body_hash),
        )
        return
    try:
        feed = parse_feed(body, base_url=base, media_type=media_type, charset=charset, now=now)
    except NotAFeedError as error:
        raise SourceUnavailableError(
            f"source {source.id}: {shown} is not a feed: {error}.",
            reason=Reason.UNREADABLE,
            hint="'news sources add' finds the feeds of a site.",
        ) from None
    links = Links(source, dict(state.seen) if state is not None else None)
    documents: Iterable[Feed] = (feed,)
    if window is not None:

        def read(url: str, archived: bool) -> Feed:
            return _read_older(url, source, archived=archived, web=web, now=now, pages=pages)

        if feed.chain.fixed and feed.chain.current and is_web(feed.chain.current):
            location = feed.chain.current  # the source names an archive document: what is newer hangs on this one
            feed = read(location, False)
        documents = walk_back(feed, url=location, window=window, read=read, tell=tell)
    items_left = chain.from_iterable(
        refs_of_items(document.items, links, feed_url=shown, window=window, source_id=source.id)
        for document in documents
    )
    yield from islice(items_left, source.max_items)
    if state is not None and states is not None:
        named = dict(links.named)
        if next(items_left, None) is not None:
            etag = last_modified = body_hash = None  # what max_items cut off is for the next run
        states.stage(
            source.id,
            after_success(state, now=now, named=named, etag=etag, last_modified=last_modified, body_hash=body_hash),
        )


def _read_older(url: str, source: Source, *, archived: bool, web: Web, now: datetime, pages: PageCache | None) -> Feed:
    """A document of a feed's past. Archive documents never change: what is kept of one is not asked for again."""
    kept = pages.get(url) if pages is not None else None
    if kept is not None:
        feed = _parse_older(kept, source, now)
        if archived and feed.chain.fixed:
            return feed
    try:
        answer = web.get(
            url,
            source_id=source.id,
            accept=ACCEPT,
            headers=validators(kept),
            max_bytes=_MAX_BYTES,
            delay_seconds=source.delay_seconds,
        )
    except ArticleError as error:
        raise SourceUnavailableError(
            f"source {source.id}: the feed's older items at {without_credentials(url)} can't be read: {error}.",
            reason=error.reason,
        ) from None
    if answer.status == 304 and kept is not None:
        return feed
    feed = _parse_older(answer, source, now)
    if pages is not None and (feed.chain.fixed or validators(answer)):
        pages.put(url, answer)
    return feed


def _parse_older(answer: WebAnswer, source: Source, now: datetime) -> Feed:
    try:
        return parse_feed(
            answer.body, base_url=answer.final_url, media_type=answer.media_type, charset=answer.charset, now=now
        )
    except NotAFeedError as error:
        raise SourceUnavailableError(
            f"source {source.id}: {without_credentials(answer.url)}, named as its older items, is not a feed: {error}.",
            reason=Reason.UNREADABLE,
        ) from None


def refs_of_items(
    items: Iterable[FeedItem], links: Links, *, feed_url: str, window: Window | None, source_id: str
) -> Iterator[Found]:
    """References for feed items; items without any link but with their full text become texts to load as they are."""
    via = f"feed:{feed_url}"
    for number, item in enumerate(items, start=1):
        when = item.facts.published_at or item.facts.modified_at
        if window is not None and when is not None and not window.since <= when < window.until:
            continue
        if item.link:
            if (found := links.judge(item.link, via=via, facts=item.facts)) is not None:
                yield found
        elif item.full_text:
            name = f"{via}#{item.guid or number}"
            yield ArticleRef(source_id=source_id, path=name, via=via, facts=item.facts)
        else:
            ref = ArticleRef(source_id=source_id, path=f"{via}#{item.guid or number}", via=via, facts=item.facts)
            yield rejected(ref, Reason.SOURCE_ITEM_BROKEN, f"item {number} has neither a link nor the article's text")


def parse_feed(
    body: bytes, *, base_url: str, media_type: str | None = None, charset: str | None = None, now: datetime
) -> Feed:
    """A feed document of any kind. Pure.

    ``base_url`` resolves relative links, ``media_type`` and ``charset`` are the HTTP header's. ``now`` is the ceiling
    for dates (a day of grace for clocks and zones). Raises NotAFeedError for a document that is none.
    """
    start = body[:1024].lstrip(b"\xef\xbb\xbf\x00 \t\r\n")
    if not start:
        raise NotAFeedError("it is empty")
    if start.startswith((b"{", b"[")):
        return _parse_json_feed(body, base_url, now)
    return _parse_xml_feed(body, base_url, media_type, charset, now)


def _parse_xml_feed(body: bytes, base_url: str, media_type: str | None, charset: str | None, now: datetime) -> Feed:
    import feedparser

    headers = {"content-location": base_url} if base_url else {}
    if charset:
        headers["content-type"] = f"{media_type or 'application/xml'}; charset={charset}"
    document = _without_leading_noise(body)
    parsed = feedparser.parse(document, response_headers=headers, sanitize_html=False)
    if _usable(parsed) < len(re.findall(rb"<(?:item|entry)[\s>]", document, re.I)):
        # Where tags are left open feedparser loses items that a repairing parser still finds.
        repaired = feedparser.parse(_repaired(document), response_headers=headers, sanitize_html=False)
        if _usable(repaired) > _usable(parsed):
            parsed = repaired
    if not parsed.version and not parsed.entries:
        head = body[:2000].lower()
        if b"<html" in head or b"<!doctype html" in head:
            raise NotAFeedError("it is a web page")
        raise NotAFeedError("it is neither RSS nor Atom nor JSON Feed")
    language = _text(parsed.feed.get("language")) or None
    is_atom = str(parsed.version).startswith("atom")
    return Feed(
        items=tuple(_xml_item(entry, base_url, language, now, is_atom=is_atom) for entry in parsed.entries),
        chain=_xml_chain(parsed, base_url),
    )


_FEED_HISTORY = "http://purl.org/syndication/history/1.0"


def _xml_chain(parsed: Any, base_url: str) -> Chain:
    # feedparser knows no fh:archive; it keeps what it doesn't know under the prefix that the document chose.
    prefixes = [prefix for prefix, uri in parsed.namespaces.items() if uri == _FEED_HISTORY]
    return chain_of_links(
        [
            (_text(link.get("rel")), _absolute(_text(link.get("href")), base_url))
            for link in parsed.feed.get("links", ())
        ],
        fixed=any(f"{prefix}_archive" in parsed.feed for prefix in prefixes),
        complete=any(f"{prefix}_complete" in parsed.feed for prefix in prefixes),
    )


def _without_leading_noise(body: bytes) -> bytes:
    # PHP warnings and blank lines before the XML declaration make the strict parser give up on a fine feed.
    match = re.search(rb"<(\?xml|rss|feed|rdf:RDF)\b", body[:5000], re.I)
    if (
        match is None
        or body.startswith((b"\xff\xfe", b"\xfe\xff", b"\x00"))
        or not body[: match.start()].strip(b"\xef\xbb\xbf")
    ):
        return body
    return body[match.start() :]


def _usable(parsed: Any) -> int:
    return sum(1 for entry in parsed.entries if entry.get("link") or entry.get("id"))


def _repaired(document: bytes) -> bytes:
    from lxml import etree

    parser = etree.XMLParser(recover=True, resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    try:
        root = etree.fromstring(document, parser)
    except (etree.XMLSyntaxError, ValueError):
        return b""
    return b"" if root is None else bytes(etree.tostring(root, encoding="utf-8", xml_declaration=True))


def _xml_item(
    entry: Mapping[str, Any], base_url: str, language: str | None, now: datetime, *, is_atom: bool
) -> FeedItem:
    guid = _text(entry.get("id")) or None
    link = _text(entry.get("feedburner_origlink")) or _link_of(entry)
    if link == base_url or (link == guid and not re.match(r"https?://", link, re.I)):
        link = ""  # feedparser puts the id, or for a broken link the feed's own address, in its place
    if not link and guid and re.match(r"https?://", guid, re.I):
        link = guid
    content = _content_of(entry)
    summary = _text(entry.get("summary"))
    if not content and len(_plain(summary)) >= FULL_TEXT_CHARACTERS:
        content = summary
    description = _plain(summary)
    published = _date(entry, "published", now) or _date(entry, "created", now)
    modified = _date(entry, "updated", now)
    if not is_atom and published is None and "published" not in entry:
        # In RSS this is dc:date, which dates the item itself.
        published, modified = modified, None
    facts = StatedFacts(
        title=_plain(_text(entry.get("title"))) or None,
        description=description[:2000] or None,
        authors=_authors(entry),
        published_at=published,
        modified_at=modified,
        language=_text(entry.get("language")) or language,
        keywords=_keywords(tag.get("term") or tag.get("label") for tag in entry.get("tags") or ()),
        content_html=content or None,
    )
    return FeedItem(
        link=_absolute(link, base_url), guid=guid, facts=facts, full_text=len(_plain(content)) >= FULL_TEXT_CHARACTERS
    )


def _link_of(entry: Mapping[str, Any]) -> str:
    """The page of the item: its plain link, else the first alternate HTML link; never an enclosure."""
    link = _text(entry.get("link"))
    if link:
        return link
    for other in entry.get("links") or ():
        if other.get("rel", "alternate") == "alternate" and other.get("href"):
            return _text(other["href"])
    return ""


def _content_of(entry: Mapping[str, Any]) -> str:
    pieces = [_text(content.get("value")) for content in entry.get("content") or ()]
    return max(pieces, key=len, default="")


def _authors(entry: Mapping[str, Any]) -> tuple[str, ...]:
    # RSS writes "mail (Name)", on which feedparser's own splitting fails where it doesn't know the domain.
    if match := re.fullmatch(r"\S+@\S+\s*\((.+)\)", _text(entry.get("author"))):
        return (_plain(match[1]),)
    names = [_text(author.get("name")) or _text(author.get("email")) for author in entry.get("authors") or ()]
    names = names or [_text(entry.get("author"))]
    return tuple(dict.fromkeys(name for name in (_plain(name) for name in names) if name))[:20]


def _keywords(terms: Iterable[Any]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(term for term in (_plain(_text(term)) for term in terms) if term))[:50]


def _date(entry: Mapping[str, Any], field: str, now: datetime) -> datetime | None:
    # feedparser answers a missing "updated" with "published" through a deprecated alias; ask the raw key.
    parsed = dict.get(entry, f"{field}_parsed") if isinstance(entry, dict) else entry.get(f"{field}_parsed")
    if parsed is None:
        return None
    try:
        value = datetime.fromtimestamp(calendar.timegm(parsed), UTC)
    except (ValueError, OverflowError, OSError, TypeError):
        return None
    return _believable(value, now)


def _believable(value: datetime, now: datetime) -> datetime | None:
    return value if _OLDEST <= value <= now + timedelta(days=1) else None


def _absolute(link: str | None, base_url: str) -> str | None:
    if not link:
        return None
    link = html.unescape(link.strip()).replace(" ", "%20")
    try:
        return urljoin(base_url, link) if base_url else link
    except ValueError:
        return link


def _text(value: Any) -> str:
    return value.strip() if isinstance(value, str) else ""


def _plain(markup: str) -> str:
    """Markup as one line of text."""
    if "<" in markup or "&" in markup:
        markup = html.unescape(re.sub(r"<(script|style)\b.*?</\1\s*>|<[^<>]*>", " ", markup, flags=re.S | re.I))
    return " ".join(re.sub(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]", "", markup).split())


def _parse_json_feed(body: bytes, base_url: str, now: datetime) -> Feed:
    try:
        # A BOM is forbidden in JSON and found in it.
        document = json.loads(body.removeprefix(b"\xef\xbb\xbf"))
    except (ValueError, RecursionError) as error:
        raise NotAFeedError(f"it is broken JSON ({str(error)[:100]})") from None
    if not isinstance(document, dict) or not isinstance(document.get("items"), list):
        raise NotAFeedError("it is JSON but no JSON Feed (no list of items)")
    language = _text(document.get("language")) or None
    items = []
    for entry in document["items"]:
        items.append(_json_item(entry if isinstance(entry, dict) else {}, base_url, language, now))
    return Feed(
        items=tuple(items), chain=chain_of_links([("next", _absolute(_text(document.get("next_url")), base_url))])
    )


def _json_item(entry: Mapping[str, Any], base_url: str, language: str | None, now: datetime) -> FeedItem:
    guid = str(entry["id"]) if isinstance(entry.get("id"), str | int | float) else None
    link = _text(entry.get("url")) or _text(entry.get("external_url"))
    if not link and guid and re.match(r"https?://", guid, re.I):
        link = guid
    content = _text(entry.get("content_html"))
    if not content and (text := _text(entry.get("content_text"))):
        content = "".join(f"<p>{html.escape(part)}</p>" for part in re.split(r"\n\s*\n", text))
    authors = entry.get("authors") if isinstance(entry.get("authors"), list) else [entry.get("author")]
    tags = entry.get("tags") if isinstance(entry.get("tags"), list) else []
    facts = StatedFacts(
        title=_plain(_text(entry.get("title"))) or None,
        description=_plain(_text(entry.get("summary")))[:2000] or None,
        authors=tuple(_text(a.get("name")) for a in authors or () if isinstance(a, dict) and _text(a.get("name")))[:20],
        published_at=_iso(entry.get("date_published"), now),
        modified_at=_iso(entry.get("date_modified"), now),
        language=_text(entry.get("language")) or language,
        keywords=_keywords(tags or ()),
        content_html=content or None,
    )
    return FeedItem(
        link=_absolute(link, base_url), guid=guid, facts=facts, full_text=len(_plain(content)) >= FULL_TEXT_CHARACTERS
    )


def _iso(value: Any, now: datetime) -> datetime | None:
    try:
        parsed = datetime.fromisoformat(_text(value))
        aware = parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)
        return _believable(aware.astimezone(UTC), now)
    except (ValueError, OverflowError):
        return None


def _read_up_to(stream: Any, limit: int) -> bytes:
    pieces, length = [], 0
    while length <= limit and (piece := stream.read(1 << 16)):
        pieces.append(piece)
        length += len(piece)
    if length > limit:
        raise ArticleRejected(Reason.TOO_LARGE, f"more than {limit:,} bytes")
    return b"".join(pieces)
