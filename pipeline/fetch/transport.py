"""The connection itself: names are resolved and checked here, and the checked address is the one connected to."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass

import httpcore2
import httpx2

from pipeline.fetch.addresses import refusal

Resolve = Callable[[str], Awaitable[Sequence[str]]]
"""Host name to IP addresses; raises OSError where there are none."""

_MAX_ADDRESSES = 4


class AddressRefusedError(Exception):
    """The host is, or resolves to, nothing but addresses that may not be connected to."""


class NameNotFoundError(Exception):
    """The host name has no address."""


async def resolve_by_system(host: str) -> Sequence[str]:
    """The addresses the operating system gives for ``host``."""
    answers = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(answer[4][0]) for answer in answers))


class GuardedBackend(httpcore2.AsyncNetworkBackend):
    """Opens TCP connections to allowed addresses only.

    ``connector`` makes the connection to an address that was allowed; tests put a recorder there.
    """

    def __init__(self, *, resolve: Resolve, connector: httpcore2.AsyncNetworkBackend, allow_loopback: bool) -> None:
        self._resolve = resolve
        self._connector = connector
        self._allow_loopback = allow_loopback

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """Resolve, check, connect; the addresses that pass are tried in turn."""
        try:
            async with asyncio.timeout(timeout):
                addresses = await self._resolve(host)
        except TimeoutError:
            raise NameNotFoundError(f"{host}: no answer from DNS within {timeout} s") from None
        except (OSError, UnicodeError) as error:
            raise NameNotFoundError(f"{host}: {getattr(error, 'strerror', None) or error}") from None
        refusals = {address: refusal(address, allow_loopback=self._allow_loopback) for address in addresses}
        allowed = [address for address, why in refusals.items() if why is None][:_MAX_ADDRESSES]
        if not allowed:
            if not refusals:
                raise NameNotFoundError(f"{host}: no address")
            raise AddressRefusedError(f"{host}: {', '.join(why for why in refusals.values() if why)}")
        failure: Exception = httpcore2.ConnectError("no address tried")
        for address in allowed:
            try:
                return await self._connector.connect_tcp(
                    address, port, timeout=timeout, local_address=local_address, socket_options=socket_options
                )
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                failure = error
        raise failure

    async def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,  # noqa: ARG002
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,  # noqa: ARG002
    ) -> httpcore2.AsyncNetworkStream:
        """Never: no URL means a socket file."""
        raise AddressRefusedError(f"{path}: socket files are not connected to")

    async def sleep(self, seconds: float) -> None:
        """Part of the interface; connection retries are off, so it is not called."""
        await asyncio.sleep(seconds)


class GuardedTransport(httpx2.AsyncBaseTransport):
    """HTTP/1.1 over GuardedBackend: no proxies, no cookies, no redirects, certificates always checked.

    Raises httpcore2's exceptions as they are, AddressRefusedError and NameNotFoundError.
    """

    def __init__(
        self,
        *,
        resolve: Resolve = resolve_by_system,
        connector: httpcore2.AsyncNetworkBackend | None = None,
        allow_loopback: bool = False,
        ssl_context: ssl.SSLContext | None = None,
        max_connections: int = 100,
    ) -> None:
        self._ssl_context = ssl_context or ssl.create_default_context()
        self._backend = GuardedBackend(
            resolve=resolve, connector=connector or httpcore2.AnyIOBackend(), allow_loopback=allow_loopback
        )
        self._max_hosts = max_connections
        self._hosts: OrderedDict[tuple[bytes, bytes, int | None], _Host] = OrderedDict()

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send one request; the response's body is still to be read, and the response to be closed."""
        assert isinstance(request.stream, httpx2.AsyncByteStream)
        host = await self._host(request.url)
        host.users += 1
        try:
            response = await host.pool.handle_async_request(
                httpcore2.Request(
                    method=request.method,
                    url=httpcore2.URL(
                        scheme=request.url.raw_scheme,
                        host=request.url.raw_host,
                        port=request.url.port,
                        target=request.url.raw_path,
                    ),
                    headers=request.headers.raw,
                    content=request.stream,
                    extensions=request.extensions,
                )
            )
        except BaseException:
            host.users -= 1
            raise
        return httpx2.Response(
            status_code=response.status,
            headers=response.headers,
            stream=_Body(response, host),
            extensions=response.extensions,
            request=request,
        )

    async def _host(self, url: httpx2.URL) -> _Host:
        # A pool for each host, because a common one looks through all its connections at every request.
        key = (url.raw_scheme, url.raw_host, url.port)
        if key not in self._hosts:
            idle = [other for other, host in self._hosts.items() if not host.users]
            for other in idle[: max(0, len(self._hosts) + 1 - self._max_hosts)]:
                await self._hosts.pop(other).pool.aclose()
        host = self._hosts.get(key)
        if host is None:
            host = self._hosts[key] = _Host(
                pool=httpcore2.AsyncConnectionPool(
                    ssl_context=self._ssl_context,
                    max_connections=8,
                    max_keepalive_connections=1,
                    keepalive_expiry=15,
                    http1=True,
                    http2=False,
                    network_backend=self._backend,
                )
            )
        self._hosts.move_to_end(key)
        return host

    async def aclose(self) -> None:
        """Close all connections."""
        for host in self._hosts.values():
            await host.pool.aclose()
        self._hosts.clear()


@dataclass(slots=True)
class _Host:
    """The connections to one host, and how many requests are using them."""

    pool: httpcore2.AsyncConnectionPool
    users: int = 0


class _Body(httpx2.AsyncByteStream):
    def __init__(self, response: httpcore2.Response, host: _Host) -> None:
        self._response = response
        self._host: _Host | None = host

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for piece in self._response.aiter_stream():
            yield piece

    async def aclose(self) -> None:
        if self._host is not None:
            self._host.users -= 1
            self._host = None
        await self._response.aclose()
