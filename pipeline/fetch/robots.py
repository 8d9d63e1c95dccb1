"""robots.txt as RFC 9309 has it, parsed by protego, kept on disk for a day."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.errors import ArticleError, Reason

FRESH_SECONDS = 24 * 3600.0
UNREACHABLE_SECONDS = 600.0
STALE_SECONDS = 30 * 24 * 3600.0
"""How long rules count (RFC 9309 2.4), how long a failure to get them, and how long old rules serve meanwhile."""

MAX_BYTES = 512 * 1024
"""RFC 9309 2.5 asks for at least 500 KiB; what stands behind is not read."""


_OUTAGES = frozenset({Reason.TIMEOUT, Reason.CONNECTION, Reason.TLS, Reason.DNS, Reason.TOO_LARGE})


@dataclass(frozen=True, slots=True, kw_only=True)
class RobotsRules:
    """What one site's robots.txt means. ``parsed`` is None where everything is allowed or nothing is known."""

    reachable: bool
    detail: str
    reason: Reason = Reason.ROBOTS_UNREACHABLE
    parsed: Any = None

    def allows(self, url: str, user_agent: str) -> bool:
        """Whether ``user_agent`` (a product token) may fetch ``url``."""
        if not self.reachable:
            return False
        return self.parsed is None or bool(self.parsed.can_fetch(url, user_agent))

    def crawl_delay(self, user_agent: str) -> float:
        """The crawl-delay asked for, in seconds; 0 where none is."""
        if self.parsed is None:
            return 0.0
        return max(0.0, float(self.parsed.crawl_delay(user_agent) or 0.0))

    @property
    def sitemaps(self) -> tuple[str, ...]:
        """The sitemaps it names."""
        return tuple(self.parsed.sitemaps) if self.parsed is not None else ()


@dataclass(frozen=True, slots=True)
class _Stored:
    fetched_at: float
    status: int  # 0: unreachable
    body: str
    detail: str
    reason: str = Reason.ROBOTS_UNREACHABLE.value


class RobotsCache:
    """The rules of sites, by origin (scheme, host, port), on disk and in memory.

    ``get`` fetches a robots.txt and answers (status, body); it raises ArticleError when there is no answer. A status
    of 429 counts as no answer too: a site that asks for less is not to be read as one without rules.
    """

    def __init__(
        self,
        directory: Path,
        *,
        clock: Callable[[], float],
        get: Callable[[str, float | None], Awaitable[tuple[int, bytes]]],
    ) -> None:
        self._directory = directory
        self._clock = clock
        self._get = get
        self._parsed: dict[str, tuple[float, RobotsRules]] = {}

    async def rules(self, origin: str, *, delay_seconds: float | None = None) -> RobotsRules:
        """The rules in force for ``origin`` (``https://www.example.com``), fetched if they are not known or stale.

        Raises ArticleError where its address must not be asked, or can't be for now (host_resting).
        """
        now = self._clock()
        known = self._parsed.get(origin)
        if known is not None and now < known[0]:
            return known[1]
        stored = self._read(origin)
        if stored is None or not self._is_fresh(stored, now):
            stored = await self._fetch(origin, stored, delay_seconds)
        lifetime = FRESH_SECONDS if stored.status else UNREACHABLE_SECONDS
        rules = _rules_of(stored)
        if len(self._parsed) > 1000:
            self._parsed.clear()
        self._parsed[origin] = (stored.fetched_at + lifetime, rules)
        return rules

    @staticmethod
    def _is_fresh(stored: _Stored, now: float) -> bool:
        age = now - stored.fetched_at
        return 0 <= age < (FRESH_SECONDS if stored.status else UNREACHABLE_SECONDS)

    async def _fetch(self, origin: str, before: _Stored | None, delay_seconds: float | None) -> _Stored:
        now = self._clock()
        try:
            status, body = await self._get(f"{origin}/robots.txt", delay_seconds)
        except ArticleError as error:
            if error.reason not in _OUTAGES:
                raise  # says something about the address or the turn, not about the rules
            stored = _Stored(now, 0, "", error.detail, error.reason.value)
        else:
            if status == 429 or status >= 500:
                stored = _Stored(now, 0, "", f"robots.txt answered {status}")
            elif 200 <= status < 300:
                stored = _Stored(now, status, body[:MAX_BYTES].decode("utf-8", "replace"), "")
            else:
                # 4xx: there are no rules (RFC 9309 2.3.1.3). Redirects that lead nowhere count alike.
                stored = _Stored(now, status, "", f"robots.txt answered {status}")
        if stored.status == 0 and before is not None and before.status and now - before.fetched_at < STALE_SECONDS:
            # Old rules are better than none while the site can't be asked (RFC 9309 2.4); ask again before long.
            return _Stored(now - FRESH_SECONDS + UNREACHABLE_SECONDS, before.status, before.body, before.detail)
        self._write(origin, stored)
        return stored

    def _path(self, origin: str) -> Path:
        return self._directory / f"{hashlib.sha256(origin.encode()).hexdigest()[:32]}.json"

    def _read(self, origin: str) -> _Stored | None:
        try:
            raw = json.loads(self._path(origin).read_text(encoding="utf-8"))
            return _Stored(raw["fetched_at"], raw["status"], raw["body"], raw["detail"], Reason(raw["reason"]).value)
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def _write(self, origin: str, stored: _Stored) -> None:
        self._directory.mkdir(parents=True, exist_ok=True)
        path = self._path(origin)
        temporary = path.with_name(f"{path.name}.{os.getpid()}")
        content = {
            "origin": origin, "fetched_at": stored.fetched_at, "status": stored.status,
            "body": stored.body, "detail": stored.detail, "reason": stored.reason,
        }  # fmt: skip
        temporary.write_text(json.dumps(content), encoding="utf-8")
        temporary.replace(path)


def _rules_of(stored: _Stored) -> RobotsRules:
    if not stored.status:
        return RobotsRules(reachable=False, detail=stored.detail, reason=Reason(stored.reason))
    if not stored.body.strip():
        return RobotsRules(reachable=True, detail=stored.detail)
    from protego import Protego

    return RobotsRules(reachable=True, detail="", parsed=Protego.parse(stored.body))
