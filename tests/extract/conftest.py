"""Pages for the tests of extraction."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from island_pages import PROSE

from pipeline.models import ArticleRef, RawPage, StatedFacts

MakePage = Callable[..., RawPage]


@pytest.fixture
def make_page() -> MakePage:
    """A function that wraps text or bytes as the fetcher or loader would."""

    def make(
        content: str | bytes,
        *,
        url: str | None = "https://islandherald.example/news/ferry-runs-again-after-nine-days",
        media_type: str = "text/html",
        charset: str | None = None,
        facts: StatedFacts | None = None,
        fetched_at: datetime = datetime(2026, 6, 1, 12, tzinfo=UTC),
    ) -> RawPage:
        return RawPage(
            ref=ArticleRef(
                source_id="herald", url=url, path=None if url else "in/ferry.txt", facts=facts or StatedFacts()
            ),
            url=url,
            final_url=url,
            media_type=media_type,
            charset=charset,
            body=content.encode() if isinstance(content, str) else content,
            fetched_at=fetched_at,
        )

    return make


@pytest.fixture
def article_html() -> Callable[..., str]:
    """A function that writes a small article page around what a test is about."""

    def write(
        *, head: str = "", before: str = "", after: str = "", title: str = "Ferry runs again after nine days"
    ) -> str:
        text = "".join(f"<p>{paragraph}</p>" for paragraph in PROSE)
        return (
            f'<!doctype html><html lang="en"><head><title>{title}</title>{head}</head><body><article><h1>{title}</h1>'
            f"{before}{text}{after}</article></body></html>"
        )

    return write
