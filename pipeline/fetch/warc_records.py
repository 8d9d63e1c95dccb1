"""Records of WARC files to pages."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from datetime import datetime

from pipeline.discover.storage import is_web
from pipeline.discover.warc import Frame, is_warc, opener, parse_record, read_frames
from pipeline.errors import ArticleFailed, ArticleRejected, Reason
from pipeline.fetch.content import looks_binary
from pipeline.fetch.web import PoliteWeb
from pipeline.models import ArticleRef, RawPage, Source, SourceKind

__all__ = ["WarcLoader", "is_warc"]

_READ_ON = 4_000_000
"""A record so many bytes ahead is reached by reading on; farther ones by opening the file there."""


class WarcLoader:
    """Loads one record after the other; keeps the file of the last one open, as the next one likely follows.

    ``web`` opens remote files. ``clock`` stands in for records without a date. ``delays`` are by source id.
    """

    def __init__(
        self,
        *,
        web: Callable[[], PoliteWeb],
        max_bytes: int,
        clock: Callable[[], datetime],
        delays: Mapping[str, float],
    ) -> None:
        self._web, self._max_bytes, self._clock, self._delays = web, max_bytes, clock, delays
        self._path: str | None = None
        self._position = 0
        self._frames: Generator[Frame] | None = None

    def close(self) -> None:
        """Close the file that is still open."""
        if self._frames is not None:
            self._frames.close()
        self._frames = self._path = None

    def load(self, ref: ArticleRef) -> RawPage:
        """The page in the record that ``ref`` points to. Raises ArticleError."""
        assert ref.path is not None
        if ref.item is None:
            raise ArticleFailed(Reason.UNREADABLE, "a WARC file is read as a source of kind 'warc', not as one page")
        frame = self._frame(ref.path, ref.item, ref.source_id)
        if frame.error is not None:
            raise ArticleFailed(frame.error, frame.detail)
        page = parse_record(frame.data, max_bytes=self._max_bytes)
        if page is None:
            raise ArticleFailed(Reason.BROKEN_RECORD, f"at byte {ref.item} is no page any more")
        if not page.body.strip(b" \t\r\n\x00\xef\xbb\xbf"):
            raise ArticleRejected(Reason.EMPTY, f"{len(page.body)} bytes")
        if looks_binary(page.body):
            raise ArticleRejected(Reason.BINARY, f"its content is no text, although its type is {page.media_type}")
        return RawPage(
            ref=ref,
            url=page.url,
            final_url=page.url,
            media_type=page.media_type,
            charset=page.charset,
            body=page.body,
            fetched_at=page.date or self._clock(),
            status=page.status,
            headers=page.headers,
        )

    def _frame(self, path: str, offset: int, source_id: str) -> Frame:
        if self._path != path or not 0 <= offset - self._position <= _READ_ON:
            self.close()
        if self._frames is None:
            source = Source(
                id=source_id, kind=SourceKind.WARC, location=path, delay_seconds=self._delays.get(source_id)
            )
            # Local files need no web, and a run over them must not start one.
            open_at = opener(path, self._web() if is_web(path) else None, source)
            self._frames, self._path, self._position = read_frames(open_at, offset), path, offset
        for frame in self._frames:
            self._position = frame.end
            if frame.offset == offset:
                return frame
            if frame.offset > offset:
                break
        self.close()
        raise ArticleFailed(Reason.BROKEN_RECORD, f"no record starts at byte {offset}")
