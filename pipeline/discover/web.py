"""What discovery needs of the web: one narrow door, which pipeline.fetch fills and tests fake with a function."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import BinaryIO, Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class WebAnswer:
    """A final answer (2xx or 304) to a GET, content encodings undone. Header names are lower-case."""

    url: str
    final_url: str
    status: int
    media_type: str
    charset: str | None
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def header(self, name: str) -> str | None:
        """The first header of that name, or None."""
        wanted = name.lower()
        return next((value for key, value in self.headers if key == wanted), None)


class Web(Protocol):
    """Polite, guarded access to http(s) addresses."""

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
        """GET ``url`` with redirects followed.

        Raises ArticleError with the reason for anything but 2xx and 304, and ConfigurationError where settings
        forbid to fetch at all.
        """
        ...

    def open(
        self, url: str, *, source_id: str = "", offset: int = 0, delay_seconds: float | None = None
    ) -> AbstractContextManager[BinaryIO]:
        """A large file as a stream from byte ``offset``, never held in memory whole. Raises like ``get``.

        The stream's ``read`` raises OSError when the connection is lost half way.
        """
        ...

    def robots_sitemaps(self, url: str, *, source_id: str = "", delay_seconds: float | None = None) -> tuple[str, ...]:
        """The sitemaps that the robots.txt of the site of ``url`` names; none where there is no robots.txt."""
        ...
