"""References to pages: files are read one by one, web pages many hosts at a time."""

from __future__ import annotations

import asyncio
import html
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pipeline.discover.web import WebAnswer
from pipeline.errors import ArticleError, ArticleFailed, ArticleRejected, Reason
from pipeline.fetch.content import looks_binary, looks_like_html
from pipeline.fetch.files import FileLoader
from pipeline.fetch.web import PoliteWeb, Room
from pipeline.models import ArticleRef, ItemResult, Outcome, OutcomeKind, RawPage
from pipeline.settings import FetchSettings
from pipeline.urls import canonicalize, document_id, host_of, looks_like_article, registered_domain_of_host

ACCEPT = "text/html, application/xhtml+xml, text/plain;q=0.8, */*;q=0.1"

_HTML_TYPES = frozenset({"text/html", "application/xhtml+xml"})
_TO_BE_SNIFFED = frozenset(
    {"", "application/octet-stream", "text/plain", "text/xml", "application/xml", "unknown/unknown", "*/*"}
)
_WAITING_PAGES = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Validators:
    """What a page said of its version when it was last fetched and indexed (RFC 9110 8.8)."""

    etag: str | None = None
    last_modified: str | None = None

    def headers(self) -> dict[str, str]:
        """The request headers that ask whether the page has changed since."""
        named = {"if-none-match": self.etag, "if-modified-since": self.last_modified}
        return {name: value for name, value in named.items() if value}


def utc_now() -> datetime:
    """The clock on the wall."""
    return datetime.now(UTC)


def load(
    refs: Iterable[ArticleRef],
    *,
    settings: FetchSettings,
    politeness_dir: Path,
    clock: Callable[[], datetime] = utc_now,
    web: PoliteWeb | None = None,
    delays: Mapping[str, float] | None = None,
    validators: Mapping[str, Validators] | None = None,
) -> Iterator[RawPage | ItemResult]:
    """One page or one result for each reference, in any order.

    Files come first, as they are read; then web pages, many registered domains at a time and one page of each. A
    few finished pages wait for the taker at most, so memory does not grow with the number of references.

    ``clock`` stamps ``fetched_at``. ``web`` is used where given (and left open), else one is opened as
    ``settings`` say. ``delays`` maps source ids to their own delay in seconds. ``validators`` maps document ids to
    what is known of pages already indexed: one that has not changed ends as ``unchanged`` (``not_modified``).

    Raises ConfigurationError before anything is fetched if settings forbid to fetch.
    """
    from pipeline.fetch.warc_records import WarcLoader, is_warc

    loader = FileLoader(max_bytes=settings.max_bytes, clock=clock)
    warcs: WarcLoader | None = None
    on_the_web: list[ArticleRef] = []
    with ExitStack() as stack:
        stack.callback(loader.close)
        opened = web

        def the_web() -> PoliteWeb:
            nonlocal opened
            if opened is None:
                opened = stack.enter_context(PoliteWeb(settings, politeness_dir))
            return opened

        for ref in refs:
            if ref.path is None:
                on_the_web.append(ref)
                continue
            try:
                if ref.path.startswith("feed:"):
                    yield page_of_feed_item(ref, clock())
                elif is_warc(ref.path):
                    if warcs is None:
                        warcs = WarcLoader(web=the_web, max_bytes=settings.max_bytes, clock=clock, delays=delays or {})
                        stack.callback(warcs.close)
                    yield warcs.load(ref)
                else:
                    yield loader.load(ref)
            except ArticleError as error:
                yield ItemResult(ref=ref, outcome=Outcome.of(error), stage="fetch")
        if on_the_web:
            yield from _load_from_web(on_the_web, the_web(), clock, delays or {}, validators or {})


def _load_from_web(
    refs: list[ArticleRef],
    web: PoliteWeb,
    clock: Callable[[], datetime],
    delays: Mapping[str, float],
    validators: Mapping[str, Validators],
) -> Iterator[RawPage | ItemResult]:
    web.require_contact(ref.url or "" for ref in refs)
    queues: defaultdict[str, deque[ArticleRef]] = defaultdict(deque)
    for ref in refs:
        queues[_domain(ref)].append(ref)
    waiting = deque(queues.values())
    left = len(refs)
    done: asyncio.Queue[RawPage | ItemResult | BaseException] = web.portal.call(_make_queue)

    async def work() -> None:
        while waiting:
            queue = waiting.popleft()
            while queue:
                room = web.room()
                try:
                    # A finished page counts as long as it waits for its taker.
                    ref = queue.popleft()
                    await done.put(
                        await fetch_page(ref, web, clock=clock, delays=delays, validators=validators, room=room)
                    )
                finally:
                    room.free()

    async def run() -> None:
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(min(len(queues), web.settings.max_hosts)):
                    group.create_task(work())
        except BaseExceptionGroup as errors:
            await done.put(errors.exceptions[0])

    running = web.portal.start_task_soon(run)
    try:
        while left:
            result = web.portal.call(done.get)
            if isinstance(result, BaseException):
                raise result
            left -= 1
            yield result
    finally:
        running.cancel()


async def _make_queue() -> asyncio.Queue[RawPage | ItemResult | BaseException]:
    return asyncio.Queue(_WAITING_PAGES)


def _domain(ref: ArticleRef) -> str:
    try:
        host = host_of(ref.url or "")
    except ValueError:
        return ""
    return registered_domain_of_host(host) or host


async def fetch_page(
    ref: ArticleRef,
    web: PoliteWeb,
    *,
    clock: Callable[[], datetime],
    delays: Mapping[str, float],
    validators: Mapping[str, Validators],
    room: Room | None = None,
) -> RawPage | ItemResult:
    """The page at a reference's URL, or the result that it ended in. Raises only what is nobody's article's fault."""
    url = ref.url or ""
    id_ = _document_id(url)
    known = validators.get(id_) if id_ else None
    try:
        answer = await web.fetch(
            url,
            source_id=ref.source_id,
            accept=ACCEPT,
            headers=known.headers() if known else None,
            delay_seconds=delays.get(ref.source_id),
            check=_check_media_type,
            room=room,
        )
        if answer.status == 304:
            if known is None:
                raise ArticleFailed(Reason.HTTP_OTHER, "answered 304 without having been asked whether it changed")
            outcome = Outcome(kind=OutcomeKind.UNCHANGED, reason=Reason.NOT_MODIFIED, detail="304 Not Modified")
            return ItemResult(ref=ref, outcome=outcome, stage="fetch", document_id=id_)
        return page_of_answer(ref, answer, clock())
    except ArticleError as error:
        return ItemResult(ref=ref, outcome=Outcome.of(error), stage="fetch")


def _document_id(url: str) -> str | None:
    try:
        return document_id(canonicalize(url))
    except ValueError:
        return None


def _check_media_type(head: WebAnswer) -> None:
    if head.media_type not in _HTML_TYPES and head.media_type not in _TO_BE_SNIFFED:
        raise ArticleRejected(Reason.NOT_HTML, f"its type is {head.media_type}")


def page_of_answer(ref: ArticleRef, answer: WebAnswer, fetched_at: datetime) -> RawPage:
    """The page in a 2xx answer. Pure. Raises ArticleRejected where it can't be an article's page."""
    body = answer.body
    if not body.strip(b" \t\r\n\x0b\x0c\x00\xef\xbb\xbf"):
        raise ArticleRejected(Reason.EMPTY, f"{answer.status} with {len(body)} bytes")
    if looks_binary(body):
        raise ArticleRejected(
            Reason.BINARY, f"its content is no text, although its type is {answer.media_type or 'not stated'}"
        )
    media_type = answer.media_type
    if media_type in _TO_BE_SNIFFED:
        if looks_like_html(body):
            media_type = "text/html"
        elif media_type != "text/plain":
            raise ArticleRejected(
                Reason.NOT_HTML, f"its type is {media_type or 'not stated'} and it starts like no web page"
            )
    if answer.final_url != answer.url and looks_like_article(answer.url) is None:
        # Sites answer for removed articles with a redirect to the front page, or to a log-in.
        elsewhere = looks_like_article(answer.final_url)
        if elsewhere is not None:
            raise ArticleRejected(elsewhere, f"redirects to {answer.final_url}")
    return RawPage(
        ref=ref,
        url=answer.url,
        final_url=answer.final_url,
        media_type=media_type,
        charset=answer.charset,
        body=body,
        fetched_at=fetched_at,
        status=answer.status,
        headers=answer.headers,
    )


def page_of_feed_item(ref: ArticleRef, fetched_at: datetime) -> RawPage:
    """A page made of a feed item that has no link but carries the whole article. Pure."""
    facts = ref.facts
    if not facts.content_html:
        raise ArticleRejected(Reason.EMPTY, "the feed item holds no text")
    title = html.escape(facts.title or "")
    language = f' lang="{html.escape(facts.language)}"' if facts.language else ""
    page = (
        f"<!doctype html><html{language}><head><meta charset=utf-8><title>{title}</title></head>"
        f"<body><article><h1>{title}</h1>{facts.content_html}</article></body></html>"
    )
    return RawPage(
        ref=ref,
        url=None,
        final_url=None,
        media_type="text/html",
        charset="utf-8",
        body=page.encode("utf-8", "replace"),
        fetched_at=fetched_at,
    )
