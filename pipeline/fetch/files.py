"""Files to pages: saved HTML, plain text, and JSON items, from local disks or any fsspec storage."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import ExitStack
from datetime import datetime
from typing import Any, BinaryIO

from pipeline.discover.folder import file_type
from pipeline.discover.storage import file_errors, file_size, open_plain
from pipeline.errors import ArticleFailed, ArticleRejected, Reason
from pipeline.fetch.content import looks_binary
from pipeline.models import ArticleRef, RawPage
from pipeline.urls import request_url

_CHUNK = 1 << 16
_MEDIA_TYPES = {
    ".html": "text/html",
    ".htm": "text/html",
    ".txt": "text/plain",
    ".json": "application/json",
    ".jsonl": "application/json",
}


class FileLoader:
    """Loads one reference after the other; keeps the file of the last one open, as its next item likely follows.

    ``clock`` says when a page was read.
    """

    def __init__(self, *, max_bytes: int, clock: Callable[[], datetime]) -> None:
        self._max_bytes = max_bytes
        self._clock = clock
        self._open = ExitStack()
        self._path: str | None = None
        self._lines: BinaryIO | None = None
        self._next_line = 1
        self._elements: list[Any] | None = None

    def close(self) -> None:
        """Close the file that is still open."""
        self._open.close()
        self._path = self._lines = self._elements = None

    def load(self, ref: ArticleRef) -> RawPage:
        """The page that ``ref`` points to. Raises ArticleError."""
        assert ref.path is not None
        kind = file_type(ref.path)
        if kind is None:
            raise ArticleRejected(
                Reason.NOT_HTML, "neither .html, .htm, .txt, .json nor .jsonl (or one of them with .gz)"
            )
        if ref.item is not None:
            body = self._line(ref.path, ref.item) if kind == ".jsonl" else self._element(ref.path, ref.item)
        else:
            body = self._whole(ref.path)
        if not body.strip(b" \t\r\n\x0b\x0c\x00\xef\xbb\xbf"):
            raise ArticleRejected(Reason.EMPTY, f"{len(body)} bytes")
        url = None
        if kind in (".json", ".jsonl"):
            url = _url_of(_object(body, ref))
        elif looks_binary(body):
            raise ArticleRejected(Reason.BINARY, f"its content is no text, although its name ends in {kind}")
        return RawPage(
            ref=ref, url=url, final_url=url, media_type=_MEDIA_TYPES[kind], body=body, fetched_at=self._clock()
        )

    def _whole(self, path: str) -> bytes:
        with file_errors(path):
            size = file_size(path)
        # The size of a packed file says little; there the reading finds out.
        if size is not None and size > self._max_bytes:
            raise ArticleRejected(Reason.TOO_LARGE, f"{size:,} bytes; the limit is {self._max_bytes:,}")
        body = bytearray()
        with open_plain(path) as stream:
            while piece := stream.read(_CHUNK):
                body += piece
                self._check_size(len(body))
        return bytes(body)

    def _check_size(self, size: int) -> None:
        if size > self._max_bytes:
            raise ArticleRejected(Reason.TOO_LARGE, f"more than {self._max_bytes:,} bytes")

    def _line(self, path: str, number: int) -> bytes:
        if self._path != path or self._lines is None or number < self._next_line:
            self.close()
            self._lines = self._open.enter_context(open_plain(path))
            self._path, self._next_line = path, 1
        line = bytearray()
        while self._next_line <= number:
            try:
                piece = self._lines.readline(_CHUNK)
            except BaseException:
                self.close()
                raise
            if not piece and not line:
                raise ArticleFailed(Reason.FILE_MISSING, f"the file has no line {number} any more")
            # A line beyond the limit is read to its end, so that the next one is found, but not kept.
            if self._next_line == number and len(line) <= self._max_bytes:
                line += piece
            if piece.endswith(b"\n") or not piece:
                self._next_line += 1
        self._check_size(len(line))
        return bytes(line).removeprefix(b"\xef\xbb\xbf").strip()

    def _element(self, path: str, number: int) -> bytes:
        if self._path != path or self._elements is None:
            self.close()
            body = bytearray()
            with open_plain(path) as stream:
                while piece := stream.read(_CHUNK):
                    body += piece
                    if len(body) > 20 * self._max_bytes:
                        raise ArticleRejected(Reason.TOO_LARGE, "the list is too large; write it as .jsonl")
            try:
                elements = json.loads(body)
            except (ValueError, RecursionError) as error:
                raise ArticleFailed(Reason.BAD_JSON, str(error)[:200]) from None
            if not isinstance(elements, list):
                raise ArticleFailed(Reason.BAD_JSON, "the file holds no list any more")
            self._path, self._elements = path, elements
        if not 0 < number <= len(self._elements):
            raise ArticleFailed(Reason.FILE_MISSING, f"the list has no element {number} any more")
        # Lone surrogates are legal in JSON's escapes and in no encoding.
        body_of_one = json.dumps(self._elements[number - 1], ensure_ascii=False).encode("utf-8", "replace")
        self._check_size(len(body_of_one))
        return body_of_one


def _object(body: bytes, ref: ArticleRef) -> dict[str, Any]:
    where = (
        f"line {ref.item}: "
        if ref.item is not None and (ref.path or "").lower().removesuffix(".gz").endswith("l")
        else ""
    )
    try:
        value = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise ArticleFailed(Reason.BAD_JSON, f"{where}{str(error)[:200]}") from None
    if not isinstance(value, dict):
        raise ArticleFailed(Reason.BAD_JSON, f"{where}not a JSON object but a {type(value).__name__}")
    return value


def _url_of(item: dict[str, Any]) -> str | None:
    stated = item.get("url")
    if not isinstance(stated, str):
        return None
    try:
        return request_url(stated)
    except ValueError:
        return None
