"""An HTTP server that can behave as badly as the web does, and writes down every request it sees."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType


@dataclass(frozen=True, slots=True)
class Seen:
    """A request as it arrived: ``at`` in seconds (monotonic), ``host`` without the port."""

    at: float
    host: str
    path: str
    headers: Mapping[str, str]
    address: str


@dataclass(frozen=True, slots=True)
class Reply:
    """What to answer. ``raw`` replaces everything; ``cut`` ends the connection after so many bytes of the body."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    content_type: str | None = "text/html; charset=utf-8"
    wait: float = 0.0
    drip: float = 0.0
    cut: int | None = None
    raw: bytes | None = None


Route = Reply | Callable[[Seen], Reply]


class NewsServer:
    """Serves many host names on some loopback addresses and one port. Routes are keyed by (host or "*", path)."""

    def __init__(self, addresses: Sequence[str] = ("127.0.0.1",), *, tls: ssl.SSLContext | None = None) -> None:
        self.routes: dict[tuple[str, str], Route] = {}
        self.seen: list[Seen] = []
        self.busiest: Counter[str] = Counter()
        self.busiest_of_all = 0
        self.port = 0
        self._addresses, self._tls = addresses, tls
        self._active: Counter[str] = Counter()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._server: asyncio.Server | None = None

    def __enter__(self) -> NewsServer:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._start(), self._loop).result(10)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def url(self, path: str = "/", host: str = "127.0.0.1") -> str:
        return f"{'https' if self._tls else 'http'}://{host}:{self.port}{path}"

    def on(self, path: str, route: Route | bytes, host: str = "*") -> str:
        self.routes[host, path] = Reply(body=route) if isinstance(route, bytes) else route
        return self.url(path, "127.0.0.1" if host == "*" else host)

    def paths(self, host: str | None = None) -> list[str]:
        return [seen.path for seen in self.seen if host is None or seen.host == host]

    async def _start(self) -> None:
        # All addresses on the port that the first one got.
        first = await asyncio.start_server(self._serve, self._addresses[0], 0, ssl=self._tls, backlog=512)
        self.port = first.sockets[0].getsockname()[1]
        self._servers = [first]
        for address in self._addresses[1:]:
            self._servers.append(await asyncio.start_server(self._serve, address, self.port, ssl=self._tls))

    async def _stop(self) -> None:
        for server in self._servers:
            server.close()
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await self._one(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError, TimeoutError, ssl.SSLError):
            pass
        finally:
            with contextlib.suppress(Exception):
                writer.close()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        path = head[0].split(" ")[1]
        headers = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in head[1:] if line)}
        host = headers.get("host", "").rpartition(":")[0] or headers.get("host", "")
        seen = Seen(time.monotonic(), host, path, headers, writer.get_extra_info("sockname")[0])
        self.seen.append(seen)
        self._active[host] += 1
        self.busiest[host] = max(self.busiest[host], self._active[host])
        self.busiest_of_all = max(self.busiest_of_all, self._active.total())
        try:
            return await self._answer(self._reply(seen), writer)
        finally:
            self._active[host] -= 1

    def _reply(self, seen: Seen) -> Reply:
        bare = seen.path.partition("?")[0]
        for key in (
            (seen.host, seen.path),
            (seen.host, bare),
            ("*", seen.path),
            ("*", bare),
            (seen.host, "*"),
            ("*", "*"),
        ):
            if key in self.routes:
                route = self.routes[key]
                return route(seen) if callable(route) else route
        return Reply(status=404, body=b"not here", content_type="text/plain")

    async def _answer(self, reply: Reply, writer: asyncio.StreamWriter) -> bool:
        if reply.wait:
            await asyncio.sleep(reply.wait)
        if reply.raw is not None:
            writer.write(reply.raw)
            await writer.drain()
            return False
        headers = {"content-length": str(len(reply.body)), **reply.headers}
        if reply.content_type is not None:
            headers.setdefault("content-type", reply.content_type)
        if reply.status in (304, 204):
            headers.pop("content-length")
        lines = [f"HTTP/1.1 {reply.status} Whatever", *(f"{k}: {v}" for k, v in headers.items() if v != "")]
        writer.write("\r\n".join([*lines, "", ""]).encode("latin-1"))
        body = reply.body if reply.cut is None else reply.body[: reply.cut]
        if reply.drip:
            for i in range(len(body)):
                writer.write(body[i : i + 1])
                await writer.drain()
                await asyncio.sleep(reply.drip)
        elif reply.status not in (304, 204):
            writer.write(body)
        await writer.drain()
        return reply.cut is None
