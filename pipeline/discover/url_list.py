"""Lists of URLs: a file, standard input (``-``), or a list on the web; one URL a line, ``#`` starts a comment line."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from pipeline.discover.found import Found, Links, failed
from pipeline.discover.storage import is_web, open_plain, resolve
from pipeline.discover.web import Web, WebAnswer
from pipeline.errors import ArticleError, Reason, SourceUnavailableError
from pipeline.models import ArticleRef, Source
from pipeline.urls import without_credentials

_LONGEST = 8192


def discover_urls(source: Source, *, base_dir: Path, web: Web) -> Iterator[Found]:
    """A reference for each URL of the list; lines that are none are reported with their number.

    Raises SourceUnavailableError when the list can't be read.
    """
    links = Links(source)
    for number, line in _lines(source, base_dir, web):
        text = line.strip().lstrip("\ufeff").strip()
        if not text or text.startswith("#"):
            continue
        via = f"urls:{source.location}#{number}"
        if len(text) > _LONGEST:
            ref = ArticleRef(source_id=source.id, url=text[:100], via=via)
            yield failed(ref, Reason.BAD_URL, f"line {number} is longer than {_LONGEST} characters")
            continue
        if (found := links.judge(text.split()[0], via=via)) is not None:
            yield found


def refs_of_urls(urls: Iterator[str] | list[str], source: Source) -> Iterator[Found]:
    """References for URLs given directly, judged like those of a list."""
    links = Links(source)
    for url in urls:
        if (found := links.judge(url, via="urls")) is not None:
            yield found


def _lines(source: Source, base_dir: Path, web: Web) -> Iterator[tuple[int, str]]:
    location = source.location
    if location == "-":
        yield from enumerate(sys.stdin, start=1)
        return
    try:
        if is_web(location):
            answer = web.get(
                location, source_id=source.id, accept="text/plain, */*;q=0.5", delay_seconds=source.delay_seconds
            )
            if answer.media_type in ("text/html", "application/xhtml+xml"):
                raise SourceUnavailableError(
                    f"source {source.id}: {without_credentials(location)} is a web page, not a list of URLs.",
                    reason=Reason.NOT_HTML,
                    hint="'news sources add' takes a site's home page, 'news ingest' the URL of an article.",
                )
            yield from enumerate(_text(answer).splitlines(), start=1)
            return
        with open_plain(resolve(location, base_dir)) as stream:
            number = 0
            while line := stream.readline(_LONGEST * 4):
                number += 1
                yield number, line.decode("utf-8", "replace")
    except ArticleError as error:
        raise SourceUnavailableError(
            f"source {source.id}: the list {without_credentials(location)} can't be read: {error}.",
            reason=error.reason,
            hint="Check the source's location.",
        ) from None


def _text(answer: WebAnswer) -> str:
    try:
        return answer.body.decode(answer.charset or "utf-8", "replace")
    except LookupError:
        return answer.body.decode("utf-8", "replace")
