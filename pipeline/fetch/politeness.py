"""Whose turn it is: one request at a time to a registered domain, with a pause between, across all processes.

Each domain has a lock file, held from the wait for the turn to the end of the answer, and a small JSON file with
when it was last asked and how it answered. A process that dies lets go of its lock by dying.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from filelock import FileLock, Timeout

from pipeline.errors import ArticleFailed, Reason

FIRST_REST_SECONDS = 60.0
LONGEST_REST_SECONDS = 6 * 3600.0
"""Rests double from the first to the longest, and the host is asked again after each: never left for ever."""

PATIENCE = 3
"""Failures to connect in a row before a host is left to rest."""

_POLL_SECONDS = 0.05
_LONGEST_REST_WAITED_FOR = 30.0


@dataclass(slots=True)
class _HostRecord:
    failures: int = 0
    rest_until: float = 0.0


@dataclass(slots=True)
class _DomainRecord:
    last: float = 0.0
    throttled: int = 0
    rest_until: float = 0.0
    slow_down: float = 1.0
    hosts: dict[str, _HostRecord] = field(default_factory=dict)


class Turn:
    """One request's turn. Whoever holds it says how the request ended, so that the next knows how to behave."""

    def __init__(self, record: _DomainRecord, host: str, clock: Callable[[], float]) -> None:
        self._record, self._host, self._clock = record, host, clock

    def answered(self) -> None:
        """The host answered as hosts should, whatever the status."""
        self._record.hosts.pop(self._host, None)
        self._record.throttled = 0
        self._record.rest_until = 0.0
        self._record.slow_down = max(1.0, self._record.slow_down * 0.75)

    def throttled(self, retry_after: float | None) -> float:
        """The host said it has too much to do (429, 503). Returns for how long its domain is left alone, in seconds."""
        self._record.throttled += 1
        self._record.slow_down = min(16.0, self._record.slow_down * 2)
        grown = FIRST_REST_SECONDS * 2 ** min(self._record.throttled - 2, 16) if self._record.throttled > 1 else 0.0
        rest = min(LONGEST_REST_SECONDS, max(grown, retry_after or 0.0))
        self._record.rest_until = self._clock() + rest
        return rest

    def failed(self) -> None:
        """The host could not be reached, or broke off."""
        host = self._record.hosts.setdefault(self._host, _HostRecord())
        host.failures += 1
        if host.failures >= PATIENCE:
            rest = min(LONGEST_REST_SECONDS, FIRST_REST_SECONDS * 2 ** min(host.failures - PATIENCE, 16))
            host.rest_until = self._clock() + rest


class Politeness:
    """The turns of all domains, kept in the files below ``directory``. ``clock`` gives seconds since 1970."""

    def __init__(
        self,
        directory: Path,
        *,
        clock: Callable[[], float],
        sleep: Callable[[float], asyncio.Future[None]] | None = None,
        max_wait_seconds: float,
    ) -> None:
        self._directory = directory
        self._clock = clock
        self._sleep = sleep or asyncio.sleep
        self._max_wait = max_wait_seconds
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    @asynccontextmanager
    async def turn(self, domain: str, host: str, *, delay_seconds: float) -> AsyncIterator[Turn]:
        """Wait for the turn at ``domain`` and hold it.

        Raises ArticleFailed(host_resting) where that would take longer than the longest wait.
        """
        async with self._locks[domain]:
            lock = await self._lock(domain)
            try:
                record = self._read(domain)
                await self._wait(record, host, delay_seconds)
                record.last = self._clock()
                self._write(domain, record)
                try:
                    yield Turn(record, host, self._clock)
                finally:
                    record.last = self._clock()
                    self._write(domain, record)
            finally:
                lock.release()

    async def _lock(self, domain: str) -> FileLock:
        self._directory.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self._path(domain).with_suffix(".lock"), thread_local=False)
        waited = 0.0
        while True:
            try:
                lock.acquire(blocking=False)
            except Timeout:
                # Another process has the turn, maybe with a long queue of its own: wait as one waits for a host.
                if waited > self._max_wait:
                    raise ArticleFailed(
                        Reason.HOST_RESTING, f"{domain} is being read by another process since {waited:.0f} s"
                    ) from None
                await asyncio.sleep(_POLL_SECONDS)
                waited += _POLL_SECONDS
            else:
                return lock

    async def _wait(self, record: _DomainRecord, host: str, delay_seconds: float) -> None:
        now = self._clock()
        # A clock set back must not make a pause endless.
        pause = delay_seconds * record.slow_down
        next_turn = min(record.last, now) + pause
        rest = max(record.rest_until, record.hosts[host].rest_until if host in record.hosts else 0.0)
        rest = min(rest, now + LONGEST_REST_SECONDS)
        wait = max(next_turn, rest) - now
        if wait > self._max_wait or rest - now > _LONGEST_REST_WAITED_FOR:
            why = "failed or asked for a pause before" if rest >= next_turn else f"wants {pause:.0f} s between requests"
            raise ArticleFailed(
                Reason.HOST_RESTING, f"{host} {why}; it will be asked again in {wait:.0f} s at the earliest"
            )
        while wait > 0:
            await self._sleep(wait)
            wait = max(next_turn, rest) - self._clock()

    def _path(self, domain: str) -> Path:
        return self._directory / f"{re.sub(r'[^A-Za-z0-9.-]', '_', domain)}.json"

    def _read(self, domain: str) -> _DomainRecord:
        path = self._path(domain)
        try:
            raw = json.loads(path.read_bytes())
            hosts = {str(name): _HostRecord(**values) for name, values in raw.pop("hosts", {}).items()}
            return _DomainRecord(**raw, hosts=hosts)
        except FileNotFoundError:
            return _DomainRecord()
        except (ValueError, TypeError, AttributeError):
            # Cut short by a crash: when it was written is when the domain was last asked.
            return _DomainRecord(last=path.stat().st_mtime)

    def _write(self, domain: str, record: _DomainRecord) -> None:
        # In place, as only the holder of the lock reads or writes it, and replacing a file is a hundred times slower.
        file = os.open(self._path(domain), os.O_WRONLY | os.O_CREAT, 0o644)
        try:
            content = json.dumps(asdict(record)).encode()
            os.pwrite(file, content, 0)
            os.ftruncate(file, len(content))
        finally:
            os.close(file)
