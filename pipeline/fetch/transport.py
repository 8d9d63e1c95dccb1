"""The connection itself: names are resolved and checked here, and the checked address is the one connected to."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence

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
        self._pool = httpcore2.AsyncConnectionPool(
            ssl_context=ssl_context or ssl.create_default_context(),
            max_connections=max_connections,
            # With one host after the other there is little to keep alive; idle connections are a burden to sites.
            max_keepalive_connections=max_connections,
            keepalive_expiry=15,
            http1=True,
            http2=False,
            network_backend=GuardedBackend(
                resolve=resolve, connector=connector or httpcore2.AnyIOBackend(), allow_loopback=allow_loopback
            ),
        )

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send one request; the response's body is still to be read."""
        assert isinstance(request.stream, httpx2.AsyncByteStream)
        response = await self._pool.handle_async_request(
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
        return httpx2.Response(
            status_code=response.status,
            headers=response.headers,
            stream=_Body(response),
            extensions=response.extensions,
            request=request,
        )

    async def aclose(self) -> None:
        """Close all connections."""
        await self._pool.aclose()


class _Body(httpx2.AsyncByteStream):
    def __init__(self, response: httpcore2.Response) -> None:
        self._response = response

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for piece in self._response.aiter_stream():
            yield piece

    async def aclose(self) -> None:
        await self._response.aclose()
