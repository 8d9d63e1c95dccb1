"""The polite, guarded door to the web: robots.txt, turns, retries, redirects, limits, reasons.

Everything here ends in a WebAnswer or an ArticleError with its reason, and in one event (ECS field names, logger
``pipeline.fetch``) for each URL that was asked for or turned away.
"""

from __future__ import annotations

import asyncio
import contextlib
import email.message
import email.utils
import io
import logging
import ssl
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from contextlib import (
    AbstractAsyncContextManager,
    AbstractContextManager,
    AsyncExitStack,
    ExitStack,
    asynccontextmanager,
    contextmanager,
)
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, TypeVar, cast
from urllib.parse import urljoin

import anyio.from_thread
import httpcore2
import httpx2
import stamina

from pipeline.discover.web import WebAnswer
from pipeline.errors import ArticleError, ArticleFailed, ArticleRejected, ConfigurationError, Reason
from pipeline.fetch.addresses import is_loopback_name, refusal
from pipeline.fetch.politeness import Politeness, Turn
from pipeline.fetch.robots import MAX_BYTES, RobotsCache, RobotsRules
from pipeline.fetch.transport import (
    AddressRefusedError,
    GuardedTransport,
    NameNotFoundError,
    Resolve,
    resolve_by_system,
)
from pipeline.settings import FetchSettings
from pipeline.urls import host_of, registered_domain_of_host, request_url, split, without_credentials

log = logging.getLogger("pipeline.fetch")

Observer = Callable[[Mapping[str, Any]], None]
"""Is told each event as it happens (``news urltest`` shows them)."""

T = TypeVar("T")

_LARGE = 1_000_000
_LARGE_AT_A_TIME = 4
"""Bodies may grow to _LARGE in every worker; only so many at a time may grow beyond, so that memory stays bounded."""

_MAX_HEADERS = 200
_PASSING_STATUS = frozenset({408, 425, 429, 500, 502, 503, 504})
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_LONGEST_RETRY_AFTER = 30.0
_ROBOTS_REDIRECTS = 5


class Room:
    """The right of one body to grow beyond what every body may have. Waited for, and to be freed."""

    def __init__(self, places: asyncio.Semaphore) -> None:
        self._places = places
        self.taken = False

    async def take(self) -> None:
        """Wait for a place."""
        await self._places.acquire()
        self.taken = True

    def free(self) -> None:
        """Give the place back, if there was one."""
        if self.taken:
            self._places.release()
            self.taken = False


def _room_of_its_own() -> Room:
    return Room(asyncio.Semaphore(1))


class _MayPassError(Exception):
    """Wraps a failure that another try may cure; ``wait`` is the pause the host asked for, in seconds."""

    def __init__(self, error: ArticleFailed, wait: float | None = None) -> None:
        super().__init__(str(error))
        self.error = error
        self.wait = wait


def _worth_retrying(error: Exception) -> bool | float:
    if not isinstance(error, _MayPassError):
        return False
    return True if error.wait is None else error.wait


class PoliteWeb:
    """Access to the web for one run. Use as a context manager; its methods may be called from several threads.

    ``politeness_dir`` is shared by all processes of the machine. ``clock`` gives seconds since 1970. ``resolve`` and
    ``connector`` take the places of DNS and of the call that connects; ``observe`` is told every event.
    """

    def __init__(
        self,
        settings: FetchSettings,
        politeness_dir: Path,
        *,
        clock: Callable[[], float] = time.time,
        resolve: Resolve | None = None,
        connector: httpcore2.AsyncNetworkBackend | None = None,
        ssl_context: ssl.SSLContext | None = None,
        observe: Observer | None = None,
    ) -> None:
        self.settings = settings
        self._clock = clock
        self._observe = observe
        self._politeness_dir = politeness_dir
        self._resolve, self._connector, self._ssl_context = resolve or resolve_by_system, connector, ssl_context
        agent = settings.user_agent
        self._agent = f"{agent} (+{settings.contact})" if settings.contact else agent
        self._token = agent.partition("/")[0].strip()
        self._stack = ExitStack()
        # Its default writes to standard output where structlog is installed, which belongs to the command's result.
        stamina.instrumentation.set_on_retry_hooks([stamina.instrumentation.LoggingOnRetryHook])
        self._portal: anyio.from_thread.BlockingPortal | None = None
        self._starting = threading.Lock()

    # ------------------------------------------------------------------------------------------- life

    def __enter__(self) -> PoliteWeb:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close connections and end the background loop."""
        if self._portal is not None:
            self._portal.call(self._transport.aclose)
            self._stack.close()
            self._portal = None

    @property
    def portal(self) -> anyio.from_thread.BlockingPortal:
        """The background event loop, started when first needed (so that a run over files starts none)."""
        with self._starting:
            if self._portal is None:
                portal = self._stack.enter_context(anyio.from_thread.start_blocking_portal())
                portal.call(self._start)
                self._portal = portal
            return self._portal

    def room(self) -> Room:
        """Room for a large body; see ``fetch``."""
        return Room(self._large)

    async def _start(self) -> None:
        self._transport = GuardedTransport(
            resolve=self._resolve,
            connector=self._connector,
            allow_loopback=self.settings.allow_loopback,
            ssl_context=self._ssl_context,
            max_connections=self.settings.max_hosts + 8,
        )
        self._large = asyncio.Semaphore(_LARGE_AT_A_TIME)
        self._politeness = Politeness(
            self._politeness_dir / "turns", clock=self._clock, max_wait_seconds=self.settings.max_wait_seconds
        )
        self._robots = RobotsCache(self._politeness_dir / "robots", clock=self._clock, get=self._get_robots)
        self._robots_locks: dict[str, asyncio.Lock] = {}

    # ------------------------------------------------------------------------------------- from threads

    def get(
        self,
        url: str,
        *,
        source_id: str = "",
        accept: str = "*/*",
        headers: Mapping[str, str] | None = None,
        max_bytes: int | None = None,
        delay_seconds: float | None = None,
    ) -> WebAnswer:
        """See ``pipeline.discover.web.Web.get``."""
        self.require_contact([url])

        async def ask() -> WebAnswer:
            return await self.fetch(
                url,
                source_id=source_id,
                accept=accept,
                headers=headers,
                max_bytes=max_bytes,
                delay_seconds=delay_seconds,
            )

        return self.portal.call(ask)

    def open(
        self, url: str, *, source_id: str = "", offset: int = 0, delay_seconds: float | None = None
    ) -> AbstractContextManager[BinaryIO]:
        """See ``pipeline.discover.web.Web.open``."""
        self.require_contact([url])
        return self._open(url, source_id=source_id, offset=offset, delay_seconds=delay_seconds)

    def robots_sitemaps(self, url: str, *, source_id: str = "", delay_seconds: float | None = None) -> tuple[str, ...]:
        """See ``pipeline.discover.web.Web.robots_sitemaps``."""
        log.debug(
            "robots.txt of %s asked for its sitemaps", without_credentials(url), extra={"news.source.id": source_id}
        )
        return self.robots_rules(url, delay_seconds=delay_seconds).sitemaps

    def robots_rules(self, url: str, *, delay_seconds: float | None = None) -> RobotsRules:
        """What the robots.txt of the site of ``url`` says. Raises ArticleError where the address must not be asked."""
        self.require_contact([url])

        async def ask() -> RobotsRules:
            return await self._rules(self._admit(url), delay_seconds)

        return self.portal.call(ask)

    def robots_allow(self, rules: RobotsRules, url: str) -> bool:
        """Whether rules let us fetch ``url``."""
        return rules.allows(request_url(url), self._token)

    def robots_delay(self, rules: RobotsRules) -> float:
        """The crawl-delay that rules ask of us, in seconds."""
        return rules.crawl_delay(self._token)

    def require_contact(self, urls: Iterable[str]) -> None:
        """Raise ConfigurationError if any URL leads beyond this machine while no contact address is set."""
        if self.settings.contact:
            return
        for url in urls:
            try:
                host = host_of(url)
            except ValueError:
                continue
            if not is_loopback_name(host):
                raise ConfigurationError(
                    f"fetch.contact is empty, so nothing is fetched from {host}.",
                    hint="Set an e-mail or web address under which sites reach you: 'contact' in [fetch] of "
                    "settings.toml, or NEWS_FETCH__CONTACT.",
                )

    # ------------------------------------------------------------------------------------------ async

    async def fetch(
        self,
        url: str,
        *,
        source_id: str = "",
        accept: str = "*/*",
        headers: Mapping[str, str] | None = None,
        max_bytes: int | None = None,
        delay_seconds: float | None = None,
        check: Callable[[WebAnswer], None] | None = None,
        room: Room | None = None,
    ) -> WebAnswer:
        """GET ``url``: ``get`` for those who are on the event loop already.

        ``check`` looks at the answer before its body is read (the body is empty then) and may raise ArticleError.
        ``room`` is where a large body may grow; who gives one frees it when the body is out of memory.
        """
        started = self._clock()
        try:
            answer = await self._follow(
                url,
                accept=accept,
                headers=headers or {},
                max_bytes=max_bytes,
                delay_seconds=delay_seconds,
                check=check,
                room=room or _room_of_its_own(),
            )
        except ArticleError as error:
            self._event(
                "fetch",
                url,
                outcome="failure",
                reason=error.reason,
                detail=error.detail,
                source_id=source_id,
                started=started,
            )
            raise
        not_modified = answer.status == 304
        self._event(
            "fetch",
            url,
            outcome="success",
            reason=Reason.NOT_MODIFIED if not_modified else None,
            source_id=source_id,
            started=started,
            more={
                "http.response.status_code": answer.status,
                "http.response.body.bytes": len(answer.body),
                "http.response.mime_type": answer.media_type,
                **({"url.final": answer.final_url} if answer.final_url != answer.url else {}),
            },
        )
        return answer

    async def _follow(
        self,
        url: str,
        *,
        accept: str,
        headers: Mapping[str, str],
        max_bytes: int | None,
        delay_seconds: float | None,
        check: Callable[[WebAnswer], None] | None,
        room: Room,
    ) -> WebAnswer:
        first = target = self._admit(url)
        seen = {target}
        for _ in range(self.settings.max_redirects + 1):
            rules = await self._rules(target, delay_seconds)
            self._obey(rules, target)
            delay = max(self._delay(delay_seconds), rules.crawl_delay(self._token))
            # Validators belong to the address they came from, not to where it redirects now.
            sent = {"accept": accept, **(headers if target == first else {})}
            status, answer = await self._try(
                target, headers=sent, max_bytes=max_bytes, delay_seconds=delay, check=check, room=room
            )
            location = answer.header("location")
            if status in _REDIRECTS and location:
                before, target = target, self._next_hop(target, location)
                self._event(
                    "redirect",
                    before,
                    outcome="success",
                    more={"url.final": target, "http.response.status_code": status},
                )
                if target in seen:
                    raise ArticleFailed(Reason.TOO_MANY_REDIRECTS, f"redirects in a circle back to {target}")
                seen.add(target)
                continue
            if 200 <= status < 300 or status == 304:
                return replace(answer, url=first, final_url=target)
            raise ArticleFailed(reason_of_status(status), f"{target} answered {status}")
        raise ArticleFailed(
            Reason.TOO_MANY_REDIRECTS, f"more than {self.settings.max_redirects} redirects, at {target}"
        )

    def _admit(self, url: str) -> str:
        """The URL to ask for. Raises ArticleRejected for what must not or can't be asked for, before any connection."""
        try:
            target = request_url(url)
        except ValueError as error:
            scheme = url.strip().partition(":")[0].lower() if ":" in url else ""
            other = scheme.replace("+", "").replace("-", "").isalnum() and scheme not in ("http", "https")
            raise ArticleRejected(Reason.SCHEME_NOT_ALLOWED if other else Reason.BAD_URL, str(error)) from None
        host = split(target).hostname or ""
        if is_loopback_name(host) and not self.settings.allow_loopback:
            raise ArticleRejected(Reason.PRIVATE_ADDRESS, f"{host} is this machine (fetch.allow_loopback is off)")
        if host.replace(".", "").isdigit() or ":" in host:
            why = refusal(host, allow_loopback=self.settings.allow_loopback)
            if why is not None:
                raise ArticleRejected(Reason.PRIVATE_ADDRESS, why)
        return target

    def _next_hop(self, target: str, location: str) -> str:
        # Header bytes were read as Latin-1; sites that write more than ASCII there mean UTF-8.
        with contextlib.suppress(UnicodeError):
            location = location.encode("latin-1").decode("utf-8")
        way, mark, query = location.partition("?")
        try:
            # Browsers take a backslash for a slash.
            joined = urljoin(target, way.replace("\\", "/") + mark + query)
        except ValueError:
            raise ArticleFailed(Reason.BAD_URL, f"{target} redirects to an address that is none") from None
        try:
            hop = self._admit(joined)
        except ArticleRejected as error:
            raise ArticleRejected(error.reason, f"{target} redirects there: {error.detail}") from None
        if not self.settings.contact and not is_loopback_name(split(hop).hostname or ""):
            raise ArticleRejected(
                Reason.EXCLUDED, f"{target} redirects to {split(hop).hostname}, and fetch.contact is not set"
            )
        return hop

    def _delay(self, delay_seconds: float | None) -> float:
        return self.settings.delay_seconds if delay_seconds is None else delay_seconds

    async def _rules(self, target: str, delay_seconds: float | None) -> RobotsRules:
        parts = split(target)
        origin = f"{parts.scheme}://{parts.netloc}"
        lock = self._robots_locks.setdefault(origin, asyncio.Lock())
        async with lock:
            return await self._robots.rules(origin, delay_seconds=delay_seconds)

    def _obey(self, rules: RobotsRules, target: str) -> None:
        if not rules.reachable:
            raise ArticleFailed(
                rules.reason, f"no robots.txt, so nothing may be fetched from there now: {rules.detail}"
            )
        if not rules.allows(target, self._token):
            raise ArticleRejected(Reason.ROBOTS_DENIED, f"robots.txt forbids {target} to {self._token}")

    async def _get_robots(self, url: str, delay_seconds: float | None) -> tuple[int, bytes]:
        target = self._admit(url)
        for _ in range(_ROBOTS_REDIRECTS + 1):
            status, answer = await self._try(
                target,
                headers={"accept": "text/plain, */*;q=0.5"},
                max_bytes=None,
                delay_seconds=self._delay(delay_seconds),
                check=None,
                room=_room_of_its_own(),
                keep_start=MAX_BYTES,
            )
            self._event("robots", target, outcome="success", more={"http.response.status_code": status})
            location = answer.header("location")
            if not (status in _REDIRECTS and location):
                return status, answer.body
            target = self._next_hop(target, location)
        return 404, b""  # RFC 9309 2.3.1.2: after five hops it may be taken as not there

    async def _try(
        self,
        target: str,
        *,
        headers: Mapping[str, str],
        max_bytes: int | None,
        delay_seconds: float,
        check: Callable[[WebAnswer], None] | None,
        room: Room,
        keep_start: int | None = None,
    ) -> tuple[int, WebAnswer]:
        """One request with retries. Returns any status but those that may pass; those end in their reason."""
        retrying = stamina.AsyncRetryingCaller(
            attempts=self.settings.attempts, timeout=None, wait_initial=1.0, wait_max=20.0, wait_jitter=1.0
        )
        try:
            return await retrying.on(_worth_retrying)(
                self._exchange, target, headers, max_bytes, delay_seconds, check, keep_start, room
            )
        except _MayPassError as error:
            if keep_start is not None and error.error.reason in (Reason.HTTP_429, Reason.HTTP_5XX):
                return (429 if error.error.reason is Reason.HTTP_429 else 503), _blank(target)
            raise error.error from None

    async def _exchange(
        self,
        target: str,
        headers: Mapping[str, str],
        max_bytes: int | None,
        delay_seconds: float,
        check: Callable[[WebAnswer], None] | None,
        keep_start: int | None,
        room: Room,
    ) -> tuple[int, WebAnswer]:
        limit = self.settings.max_bytes if max_bytes is None else max_bytes
        async with self._turn(target, delay_seconds) as turn:
            with self._named_errors(turn, target):
                async with (
                    asyncio.timeout(self.settings.total_timeout_seconds) as deadline,
                    self._response(target, headers) as response,
                ):
                    head = _head_of(target, response)
                    status = response.status_code
                    if status in _PASSING_STATUS:
                        self._give_up_for_now(turn, status, response, target)
                    turn.answered()
                    if not 200 <= status < 300:
                        return status, head  # nobody reads the bodies of errors and redirects
                    if check is not None:
                        check(head)
                    declared = response.headers.get("content-length", "")
                    if keep_start is None and declared.isdigit() and int(declared[:15]) > limit:
                        raise ArticleRejected(Reason.TOO_LARGE, f"{int(declared[:15]):,} bytes; the limit is {limit:,}")
                    return status, replace(head, body=await self._read(response, limit, keep_start, room, deadline))

    def _give_up_for_now(self, turn: Turn, status: int, response: httpx2.Response, target: str) -> None:
        wait: float | None = None
        if status in (429, 503):
            wait = turn.throttled(_retry_after(response.headers.get("retry-after"), self._clock()))
        else:
            turn.failed()
        error = ArticleFailed(reason_of_status(status), f"{target} answered {status}")
        if wait is not None and wait > _LONGEST_RETRY_AFTER:
            raise error
        # No less than the usual backoff: a pause of nothing would be no pause.
        raise _MayPassError(error, wait if wait else None)

    def _build_request(self, target: str, headers: Mapping[str, str]) -> httpx2.Request:
        settings = self.settings
        timeouts = {
            "connect": settings.connect_timeout_seconds,
            "read": settings.timeout_seconds,
            "write": settings.timeout_seconds,
            "pool": settings.timeout_seconds,
        }
        sent = {"user-agent": self._agent, "accept-encoding": "gzip, deflate, br, zstd", **headers}
        return httpx2.Request("GET", target, headers=sent, extensions={"timeout": timeouts})

    def _turn(self, target: str, delay_seconds: float) -> AbstractAsyncContextManager[Turn]:
        host = split(target).hostname or ""
        return self._politeness.turn(registered_domain_of_host(host) or host, host, delay_seconds=delay_seconds)

    @asynccontextmanager
    async def _response(self, target: str, headers: Mapping[str, str]) -> AsyncIterator[httpx2.Response]:
        """The response to one GET, body unread, closed at the end."""
        response = await self._transport.handle_async_request(self._build_request(target, headers))
        try:
            if len(response.headers.raw) > _MAX_HEADERS:
                raise ArticleRejected(Reason.TOO_LARGE, f"{target}: more than {_MAX_HEADERS} header lines")
            yield response
        finally:
            with contextlib.suppress(Exception):
                await response.aclose()

    @contextmanager
    def _named_errors(self, turn: Turn, target: str) -> Iterator[None]:
        """Map all that can go wrong underneath to reasons, and tell the turn."""
        try:
            yield
        except TimeoutError:
            turn.failed()
            limit = self.settings.total_timeout_seconds
            raise ArticleFailed(Reason.TIMEOUT, f"{target}: no whole answer within {limit:g} s") from None
        except AddressRefusedError as error:
            raise ArticleRejected(Reason.PRIVATE_ADDRESS, str(error)) from None
        except NameNotFoundError as error:
            turn.failed()
            raise ArticleFailed(Reason.DNS, str(error)) from None
        except httpx2.DecodingError as error:
            raise ArticleFailed(Reason.BROKEN_COMPRESSION, f"{target}: {error}") from None
        except httpcore2.TimeoutException as error:
            turn.failed()
            raise _MayPassError(ArticleFailed(Reason.TIMEOUT, f"{target}: {_name(error)}")) from None
        except (httpcore2.NetworkError, httpcore2.ProtocolError, OSError) as error:
            raise self._connection_error(turn, target, error) from None
        except (httpcore2.UnsupportedProtocol, httpx2.InvalidURL) as error:
            raise ArticleRejected(Reason.BAD_URL, f"{target}: {error}") from None

    def _connection_error(self, turn: Turn, target: str, error: Exception) -> Exception:
        turn.failed()
        cause: BaseException | None = error
        while cause is not None:
            if isinstance(cause, ssl.SSLError):
                # A certificate does not become good by asking again.
                return ArticleFailed(
                    Reason.TLS, f"{target}: {getattr(cause, 'verify_message', '') or cause.reason or cause}"
                )
            cause = cause.__cause__ or cause.__context__
        if "too long" in str(error):
            return ArticleRejected(Reason.TOO_LARGE, f"{target}: its headers are larger than 100 kB")
        return _MayPassError(ArticleFailed(Reason.CONNECTION, f"{target}: {_name(error)}"))

    async def _read(
        self, response: httpx2.Response, limit: int, keep_start: int | None, room: Room, deadline: asyncio.Timeout
    ) -> bytes:
        body = bytearray()
        async for piece in response.aiter_bytes():
            body += piece
            if keep_start is not None and len(body) >= keep_start:
                return bytes(body[:keep_start])
            if keep_start is None and (len(body) > limit or response.num_bytes_downloaded > limit + _LARGE):
                raise ArticleRejected(Reason.TOO_LARGE, f"more than {limit:,} bytes after decompression")
            if len(body) > _LARGE and not room.taken:
                # The wait for room is ours, so it does not count against the host's time.
                loop, end = asyncio.get_running_loop(), deadline.when()
                left = (end or loop.time()) - loop.time()
                deadline.reschedule(None)
                await room.take()
                deadline.reschedule(loop.time() + left)
        return bytes(body)

    @contextmanager
    def _open(self, url: str, *, source_id: str, offset: int, delay_seconds: float | None) -> Iterator[BinaryIO]:
        manager = self._open_async(url, offset=offset, delay_seconds=delay_seconds)
        started = self._clock()
        try:
            with self.portal.wrap_async_context_manager(manager) as pieces:
                # Without a buffer in between: what came before a connection broke must not be lost with it.
                yield cast(BinaryIO, _PiecesStream(self.portal, pieces))
        except ArticleError as error:
            self._event(
                "download",
                url,
                outcome="failure",
                reason=error.reason,
                detail=error.detail,
                source_id=source_id,
                started=started,
            )
            raise
        self._event("download", url, outcome="success", source_id=source_id, started=started)

    @asynccontextmanager
    async def _open_async(
        self, url: str, *, offset: int, delay_seconds: float | None
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        target = self._admit(url)
        for _ in range(self.settings.max_redirects + 1):
            rules = await self._rules(target, delay_seconds)
            self._obey(rules, target)
            delay = max(self._delay(delay_seconds), rules.crawl_delay(self._token))
            headers = {"accept-encoding": "identity", **({"range": f"bytes={offset}-"} if offset else {})}
            async with AsyncExitStack() as stack:
                # The turn ends with the head of the answer. A download takes as long as its taker does, who may
                # want other things from the same host meanwhile.
                try:
                    async with self._turn(target, delay) as turn:
                        with self._named_errors(turn, target):
                            response = await stack.enter_async_context(self._response(target, headers))
                            turn.answered()
                except _MayPassError as error:
                    raise error.error from None
                status, location = response.status_code, response.headers.get("location")
                if status in _REDIRECTS and location:
                    target = self._next_hop(target, location)
                    continue
                if status == 416:  # nothing behind the offset
                    yield _skip(_none(), 0)
                    return
                if not 200 <= status < 300:
                    raise ArticleFailed(reason_of_status(status), f"{target} answered {status}")
                yield _skip(response.aiter_raw(), offset if status != 206 else 0)
                return
        raise ArticleFailed(
            Reason.TOO_MANY_REDIRECTS, f"more than {self.settings.max_redirects} redirects, at {target}"
        )

    # ------------------------------------------------------------------------------------------ events

    def _event(
        self,
        action: str,
        url: str,
        *,
        outcome: str,
        reason: Reason | None = None,
        detail: str = "",
        source_id: str = "",
        started: float | None = None,
        more: Mapping[str, Any] | None = None,
    ) -> None:
        shown = without_credentials(url)
        event: dict[str, Any] = {
            "event.action": action,
            "event.outcome": outcome,
            "url.full": shown,
            **({"event.reason": reason.value} if reason else {}),
            **({"error.message": detail} if detail else {}),
            **({"news.source.id": source_id} if source_id else {}),
            **({"event.duration": int((self._clock() - started) * 1e9)} if started is not None else {}),
            **(more or {}),
        }
        level = logging.INFO if outcome == "failure" else logging.DEBUG
        log.log(
            level,
            "%s %s: %s%s",
            action,
            shown,
            reason.value if reason else outcome,
            f" ({detail})" if detail else "",
            extra=event,
        )
        if self._observe is not None:
            self._observe(event)


class _PiecesStream(io.RawIOBase):
    """A synchronous stream over an asynchronous one that lives on the portal's loop."""

    def __init__(self, portal: anyio.from_thread.BlockingPortal, pieces: AsyncIterator[bytes]) -> None:
        self._portal, self._pieces, self._rest = portal, pieces, b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._rest:
            try:
                self._rest = self._portal.call(anext, self._pieces)
            except StopAsyncIteration:
                return 0
            except (httpcore2.NetworkError, httpcore2.ProtocolError, httpcore2.TimeoutException) as error:
                raise OSError(f"connection lost: {_name(error)}") from error
        count = min(len(buffer), len(self._rest))
        buffer[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count


async def _skip(pieces: AsyncIterator[bytes], count: int) -> AsyncIterator[bytes]:
    """The stream without its first ``count`` bytes, for servers that don't know ranges."""
    async for piece in pieces:
        if count >= len(piece):
            count -= len(piece)
            continue
        yield piece[count:]
        count = 0


async def _none() -> AsyncIterator[bytes]:
    return
    yield b""


def reason_of_status(status: int) -> Reason:
    """The reason that an HTTP status means."""
    named = {
        401: Reason.HTTP_401,
        403: Reason.HTTP_403,
        404: Reason.HTTP_404,
        410: Reason.HTTP_410,
        429: Reason.HTTP_429,
    }
    if status in named:
        return named[status]
    if 400 <= status < 500:
        return Reason.HTTP_4XX
    return Reason.HTTP_5XX if 500 <= status < 600 else Reason.HTTP_OTHER


def _head_of(target: str, response: httpx2.Response) -> WebAnswer:
    headers = tuple((key.decode("latin-1").lower(), value.decode("latin-1")) for key, value in response.headers.raw)
    kind, _, parameters = response.headers.get("content-type", "").partition(";")
    message = email.message.Message()
    message["content-type"] = f"x/x;{parameters}"
    charset = (message.get_content_charset() or "").strip("'\" ") or None
    return WebAnswer(
        url=target,
        final_url=target,
        status=response.status_code,
        media_type=kind.strip().lower(),
        charset=charset,
        headers=headers,
        body=b"",
    )


def _blank(target: str) -> WebAnswer:
    return WebAnswer(url=target, final_url=target, status=0, media_type="", charset=None, headers=(), body=b"")


def _retry_after(value: str | None, now: float) -> float | None:
    """Seconds to wait by a Retry-After header (RFC 9110 10.2.3: seconds or an HTTP date)."""
    if not value:
        return None
    if value.strip().isdigit():
        return float(value.strip()[:9])
    try:
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - now)
    except (ValueError, TypeError, OverflowError):
        return None


def _name(error: BaseException) -> str:
    words = {
        "ConnectTimeout": "no connection in time",
        "ReadTimeout": "nothing came for too long",
        "WriteTimeout": "could not send in time",
        "PoolTimeout": "no free connection",
        "ConnectError": "no connection",
        "ReadError": "the connection broke",
        "WriteError": "the connection broke",
        "RemoteProtocolError": "the answer is not proper HTTP",
    }
    kind = type(error).__name__
    text = str(error)
    return f"{words.get(kind, kind)}{f' ({text})' if text else ''}"
