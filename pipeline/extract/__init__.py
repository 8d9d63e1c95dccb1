"""Raw pages to articles: clean text, facts with their origins, dates with their provenance. Pure.

The same bytes give the same article on every day and every machine: nothing here asks the clock, the network or the disk.
"""

# ruff: noqa: E501 - patterns and vocabularies read better unbroken

from __future__ import annotations

import logging
from collections.abc import Callable

from pipeline.errors import ArticleError, ArticleFailed, ArticleRejected, Reason
from pipeline.models import Article, RawPage
from pipeline.settings import ExtractSettings

__all__ = ["extract"]

_HTML = frozenset(
    {"text/html", "application/xhtml+xml", "application/xml", "text/xml", "application/vnd.wap.xhtml+xml"}
)
_TEXT = frozenset({"text/plain", "text/markdown", "text/x-markdown"})
_JSON = frozenset({"application/json", "text/json", "application/ld+json"})


def extract(page: RawPage, *, settings: ExtractSettings) -> Article:
    """The article of a page, by its media type: HTML, plain text, or one JSON item.

    Raises ArticleRejected where the page holds no article that is wanted, ArticleFailed(BAD_JSON) for a broken item and
    ArticleFailed(EXTRACT_ERROR) for anything unforeseen, with the name and message of what went wrong.
    """
    try:
        if not page.body.strip():
            raise ArticleRejected(Reason.EMPTY, f"{len(page.body)} bytes, no character among them")
        return _extractor(page)(page, settings)
    except ArticleError:
        raise
    except RecursionError:
        raise ArticleFailed(Reason.EXTRACT_ERROR, "RecursionError: the page is nested too deeply") from None
    except Exception as error:  # one page in a million breaks a library; the run goes on without it
        logging.getLogger(__name__).warning("extraction of %s failed", page.ref.name, exc_info=True)
        raise ArticleFailed(Reason.EXTRACT_ERROR, f"{type(error).__name__}: {error}"[:500]) from error


def _extractor(page: RawPage) -> Callable[[RawPage, ExtractSettings], Article]:
    # The extractors bring trafilatura along, so they are loaded with the first page and not with this module.
    media_type = page.media_type.lower()
    if media_type in _HTML:
        from pipeline.extract.html import extract_html

        return extract_html
    if media_type in _TEXT:
        from pipeline.extract.item import extract_text

        return extract_text
    if media_type in _JSON:
        from pipeline.extract.item import extract_json

        return extract_json
    if not media_type or media_type == "application/octet-stream":
        raise ArticleRejected(Reason.BINARY, f"the media type is {page.media_type or 'not stated'}")
    raise ArticleRejected(Reason.NOT_HTML, f"the media type is {page.media_type}")
