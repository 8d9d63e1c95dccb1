"""Whether a page is an article at all, and what it is instead. Pure."""

from __future__ import annotations

from lxml.html import HtmlElement

from pipeline.errors import ArticleRejected, Reason
from pipeline.extract.structured import Structured
from pipeline.settings import ExtractSettings


def refuse_by_statements(tree: HtmlElement, stated: Structured, url: str | None, headline: str) -> None:
    """Raise ArticleRejected for a page that is no article by what it says of itself."""


def refuse_by_text(tree: HtmlElement, stated: Structured, text: str, settings: ExtractSettings) -> None:
    """Raise ArticleRejected for a page whose text is no article's."""
    if not text:
        raise ArticleRejected(Reason.NO_TEXT, "the page holds no text of an article")
    if len(text) < settings.min_characters:
        raise ArticleRejected(
            Reason.TOO_SHORT,
            f"{len(text)} characters, the setting extract.min_characters asks for {settings.min_characters}",
        )
