"""The past of a feed: the documents it links to with older items (RFC 5005), walked back one by one.

An *archived* feed links each document to the one before it (``prev-archive``); those never change. A *paged* feed
links its pages (``next``; JSON Feed calls it ``next_url``), which move on with every new item. Both are asked
politely, the first kind once and for all, the second with their validators.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.discover.storage import is_web
from pipeline.discover.web import WebAnswer
from pipeline.models import Window
from pipeline.urls import without_credentials

if TYPE_CHECKING:
    from pipeline.discover.feed import FeedItem

MOST_DOCUMENTS = 500
"""Documents read for one source in one run; at the usual pause of 5 s that takes 42 minutes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """What a feed document says of the documents around it. ``older`` and ``current`` are absolute addresses.

    ``archived`` tells the kind of ``older``: an archive document (``prev-archive``), or a page (``next``). ``fixed``
    marks a document that is itself an archive document (``fh:archive``), ``complete`` one that holds all there ever
    was (``fh:complete``).
    """

    older: str | None = None
    archived: bool = False
    current: str | None = None
    fixed: bool = False
    complete: bool = False

    @property
    def kind(self) -> str | None:
        """``archived``, ``paged`` or ``complete``; None for a feed that can't be asked for the past."""
        if self.complete:
            return "complete"
        if self.older is None:
            return "archived" if self.fixed else None
        return "archived" if self.archived else "paged"


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """How far back a source could be asked. ``reaches`` says whether that covers the whole span."""

    reaches: bool
    message: str


class PageCache:
    """Documents of feeds' pasts, as files below one directory. Any of them may be deleted at any time."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def get(self, url: str) -> WebAnswer | None:
        """What ``url`` answered when it was last asked, or None."""
        try:
            kept: dict[str, Any] = json.loads(gzip.decompress(self._path(url).read_bytes()))
            return WebAnswer(
                url=url,
                final_url=kept["final_url"],
                status=200,
                media_type=kept["media_type"],
                charset=kept["charset"],
                headers=tuple((str(name), str(value)) for name, value in kept["headers"]),
                body=base64.b64decode(kept["body"]),
            )
        except (OSError, EOFError, ValueError, KeyError, TypeError):
            return None  # a damaged file costs one request

    def put(self, url: str, answer: WebAnswer) -> None:
        """Keep an answer."""
        self._directory.mkdir(parents=True, exist_ok=True)
        kept = {
            "final_url": answer.final_url,
            "media_type": answer.media_type,
            "charset": answer.charset,
            "headers": [(name, value) for name, value in answer.headers if name in ("etag", "last-modified")],
            "body": base64.b64encode(answer.body).decode(),
        }
        path = self._path(url)
        temporary = path.with_name(f"{path.name}.{os.getpid()}")
        temporary.write_bytes(gzip.compress(json.dumps(kept).encode(), mtime=0))
        temporary.replace(path)

    def clear(self) -> None:
        """Forget all of it."""
        for path in self._directory.glob("*.json.gz"):
            path.unlink(missing_ok=True)

    def _path(self, url: str) -> Path:
        return self._directory / f"{hashlib.sha256(url.encode('utf-8', 'replace')).hexdigest()[:40]}.json.gz"


def validators(answer: WebAnswer | None) -> dict[str, str]:
    """The request headers that ask whether an answer is still the same (RFC 9110 13.1)."""
    if answer is None:
        return {}
    asked = {"if-none-match": answer.header("etag"), "if-modified-since": answer.header("last-modified")}
    return {name: value for name, value in asked.items() if value}


@dataclass(frozen=True, slots=True, kw_only=True)
class Feed:
    """One document of a feed: its items as they stand there, and where it stands in the feed's past."""

    items: tuple[FeedItem, ...]
    chain: Chain = Chain()

    @property
    def dates(self) -> list[datetime]:
        """When its items were published or changed, as far as it says so."""
        return [
            date
            for item in self.items
            for date in (item.facts.published_at, item.facts.modified_at)
            if date is not None
        ]


def walk_back(
    first: Feed, *, url: str, window: Window, read: Callable[[str, bool], Feed], tell: Callable[[Past], None]
) -> Iterator[Feed]:
    """``first`` and the documents before it, newest first, until one is all older than the window.

    ``read`` is given an address, and whether an archive document is expected there. ``tell`` is told once, before
    the last document, how far back that went; what ``read`` raises passes through, after ``tell``.
    """
    seen, feed, read_so_far = {url}, first, 1
    oldest: datetime | None = None
    while True:
        oldest = min([*feed.dates, *([oldest] if oldest else [])], default=None)
        older, chain = feed.chain.older, feed.chain
        walked = f"read back{f' to {oldest:%Y-%m-%d}' if oldest else ''} through {read_so_far} documents"
        stop = None
        if chain.complete or (older is None and read_so_far > 1) or (feed.dates and max(feed.dates) < window.since):
            tell(Past(reaches=True, message=walked if read_so_far > 1 else "its one document reaches back far enough"))
        elif older is None:
            since = f", the oldest of {oldest:%Y-%m-%d}" if oldest else ""
            stop = f"names its last {len(feed.items)} items only{since}, and links to no older ones (RFC 5005)"
        elif older in seen:
            stop = f"{walked}; from there the link to older items leads back to {without_credentials(older)}"
        elif not is_web(older):
            stop = f"{walked}; from there the link to older items is no web address"
        elif read_so_far == MOST_DOCUMENTS:
            stop = f"{walked}; more are not read in one run"
        else:
            yield feed
            seen.add(older)
            try:
                feed = read(older, chain.archived)
            except Exception:
                tell(Past(reaches=False, message=f"{walked}; {without_credentials(older)} can't be read"))
                raise
            read_so_far += 1
            continue
        if stop is not None:
            tell(Past(reaches=False, message=stop))
        yield feed
        return


def chain_of_links(links: Iterable[tuple[str, str | None]], *, fixed: bool = False, complete: bool = False) -> Chain:
    """The chain that a document's links tell of, each given as relation and absolute address. Pure."""
    by_relation: dict[str, str] = {}
    for relation, address in links:
        if address:
            by_relation.setdefault(relation.lower(), address)
    return Chain(
        older=by_relation.get("prev-archive") or by_relation.get("next"),
        archived="prev-archive" in by_relation,
        current=by_relation.get("current"),
        fixed=fixed,
        complete=complete,
    )
