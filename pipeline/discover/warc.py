"""WARC files (ISO 28500), local or remote, packed or not: which records hold articles, and where.

Files in the wild are cut short by broken downloads and damaged in the middle. Framing is done here, record by record
with every gzip member's checksum verified, so that reading goes on behind the damage; warcio reads the records.
"""

from __future__ import annotations

import io
import logging
import re
import zlib
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from pipeline.discover.found import Found, failed, on_domains, rejected, wanted
from pipeline.discover.state import SourceState, StateStore, after_success
from pipeline.discover.storage import file_errors, is_web, list_files, open_binary, resolve
from pipeline.discover.web import Web
from pipeline.errors import ArticleError, ArticleFailed, ArticleRejected, Reason, SourceUnavailableError
from pipeline.models import ArticleRef, Source, Window
from pipeline.urls import looks_like_article, request_url, without_credentials

log = logging.getLogger("pipeline.discover")

MAX_RECORD = 25_000_000
"""Bytes of one record, unpacked, that are kept; larger ones are passed over as too large."""

_CHUNK = 1 << 16
_STAGE_EVERY = 100
_REOPENINGS = 5
_GZIP = b"\x1f\x8b\x08"


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """One record as it lies in a file: from ``offset`` to ``end``; unpacked, or why it can't be."""

    offset: int
    end: int
    data: bytes = b""
    error: Reason | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class WarcPage:
    """What a response or resource record holds, content and transfer encodings undone."""

    url: str
    status: int | None
    media_type: str
    charset: str | None
    headers: tuple[tuple[str, str], ...]
    body: bytes
    date: datetime | None


def discover_warc(
    source: Source, *, window: Window | None, base_dir: Path, web: Web, now: datetime, states: StateStore | None = None
) -> Iterator[Found]:
    """References to the pages in a WARC file, or in all WARC files of a folder (``item`` is the record's offset).

    Only answers with status 200 that are web pages, fetched within the window, on the source's domains, and not in
    another language than the source's where they state one. What is left out is counted in one event ``warc.skipped``.

    With ``states`` reading starts where the last run ended: progress is staged while the iterator is consumed, so
    ``states.commit`` may be called after each batch. Raises SourceUnavailableError.
    """
    location = source.location
    try:
        if is_web(location):
            files = [location]
        else:
            address = resolve(location, base_dir)
            with file_errors(address):
                files = [file.path for file in list_files(address) if is_warc(file.path) or file.path == address]
    except ArticleError as error:
        raise SourceUnavailableError(f"source {source.id}: {error.detail}.", reason=error.reason) from None
    if not files:
        raise SourceUnavailableError(
            f"source {source.id}: {without_credentials(location)} holds no .warc or .warc.gz file.",
            reason=Reason.FILE_MISSING,
        )
    yield from refs_of_files(source, files, window=window, web=web, now=now, states=states)


def refs_of_files(
    source: Source,
    files: list[str],
    *,
    window: Window | None,
    span: Window | None = None,
    web: Web,
    now: datetime,
    states: StateStore | None,
) -> Iterator[Found]:
    """The references of several WARC files one after the other, resumable by file and offset.

    ``window`` is the run's, which makes it a backfill that remembers nothing; ``span`` is the source's own.
    """
    before = states.read(source.id) if states is not None and window is None else SourceState()
    positions = dict(before.positions)
    resumable = states if window is None else None
    yielded = 0

    def stage() -> None:
        if resumable is not None:
            resumable.stage(source.id, after_success(before, now=now, named={}, positions=positions.items()))

    for file in files:
        key = without_credentials(file)
        start = int(positions.get(key, "0"))
        skipped: Counter[str] = Counter()
        try:
            for frame in read_frames(opener(file, web, source), start):
                found = _judge(frame, source, key, window or span, skipped)
                if found is not None:
                    if source.max_items is not None and yielded >= source.max_items:
                        stage()
                        return
                    yield found
                    yielded += 1
                # Only here, when the taker comes back for more, does the record count as handed over.
                positions[key] = str(frame.end)
                if yielded % _STAGE_EVERY == 0:
                    stage()
        except ArticleError as error:
            if len(files) == 1 and start == 0 and not yielded:
                raise SourceUnavailableError(f"source {source.id}: {key}: {error}.", reason=error.reason) from None
            ref = ArticleRef(source_id=source.id, path=key, via="warc")
            yield failed(ref, error.reason, f"the rest of the file could not be read: {error.detail}")
        _report(source, key, skipped)
    stage()


def _report(source: Source, file: str, skipped: Counter[str]) -> None:
    if skipped:
        log.info(
            "%s: left out of %s: %s",
            source.id,
            file,
            ", ".join(f"{count} {what}" for what, count in sorted(skipped.items())),
            extra={"event.action": "warc.skipped", "news.source.id": source.id, "news.skipped": dict(skipped)},
        )


def is_warc(path: str) -> bool:
    """Whether a path or URL names a WARC file."""
    return path.lower().removesuffix(".gz").endswith(".warc")


def opener(file: str, web: Web | None, source: Source) -> Callable[[int], AbstractContextManager[BinaryIO]]:
    """How to open a WARC file at an offset, wherever it lies."""
    if is_web(file):
        assert web is not None
        return lambda offset: web.open(file, source_id=source.id, offset=offset, delay_seconds=source.delay_seconds)

    def open_file(offset: int) -> BinaryIO:
        with file_errors(file):
            return open_binary(file, offset=offset)

    return open_file


def _judge(frame: Frame, source: Source, file: str, window: Window | None, skipped: Counter[str]) -> Found | None:
    ref = ArticleRef(source_id=source.id, path=file, item=frame.offset, via=f"warc:{file}")
    if frame.error is not None:
        make = rejected if frame.error is Reason.TOO_LARGE else failed
        return make(ref, frame.error, f"record at byte {frame.offset}: {frame.detail}")
    try:
        page = parse_record(frame.data)
    except ArticleError as error:
        return failed(ref, error.reason, f"record at byte {frame.offset}: {error.detail}")
    if page is None:
        skipped["records that are no pages"] += 1
        return None
    why = _left_out(page, source, window)
    if why is not None:
        skipped[why] += 1
        return None
    ref = ArticleRef(source_id=source.id, path=file, item=frame.offset, url=page.url, via=f"warc:{file}")
    reason = looks_like_article(page.url)
    return ref if reason is None else rejected(ref, reason)


def _left_out(page: WarcPage, source: Source, window: Window | None) -> str | None:
    if not on_domains(source.domains, page.url):
        return "on other domains"
    if not wanted(source, page.url):
        return "excluded by pattern"
    if page.status is not None and page.status != 200:
        return "answers other than 200"
    if page.media_type not in ("text/html", "application/xhtml+xml", "text/plain"):
        return "not HTML"
    if window is not None and (page.date is None or not window.since <= page.date < window.until):
        return "outside the window"
    if source.language:
        stated = stated_language(page)
        if stated is not None and stated != source.language.lower().partition("-")[0]:
            return "in other languages"
    return None


def stated_language(page: WarcPage) -> str | None:
    """The language (first subtag, lower-case) that the HTTP header or the html element states, if it is one alone."""
    header = next((value for key, value in page.headers if key == "content-language"), "")
    if not header:
        match = re.search(rb"<html\b[^>]*?\blang\s*=\s*[\"']?([A-Za-z]{2,3})\b", page.body[:4096], re.I)
        header = match[1].decode("ascii") if match else ""
    if not header or "," in header:
        return None
    return header.strip().lower().partition("-")[0].partition("_")[0] or None


# ------------------------------------------------------------------------------------------------ framing


def read_frames(open_at: Callable[[int], AbstractContextManager[BinaryIO]], start: int = 0) -> Generator[Frame]:
    """The records of a WARC file from byte ``start`` (the start of a record) on, with damaged stretches as errors.

    A connection that breaks is opened again where it broke, a few times. Raises ArticleError when the file can't be
    read (any more).
    """
    position, reopenings, progress = start, 0, start
    while True:
        try:
            with open_at(position) as stream:
                for frame in _frames(stream, position):
                    yield frame
                    position = frame.end
        except OSError as error:
            if position > progress:
                reopenings, progress = 0, position
            reopenings += 1
            if reopenings > _REOPENINGS:
                raise ArticleFailed(Reason.CONNECTION, f"at byte {position}: {error}") from None
        else:
            return


def _frames(stream: BinaryIO, start: int) -> Iterator[Frame]:
    source = _Lookahead(stream, start)
    while source.fill(4):
        if source.startswith(_GZIP):
            frame = _gzip_frame(source)
        elif source.startswith(b"WARC"):
            frame = _plain_frame(source)
        else:
            frame = _damaged(source, source.position, "here should start a record")
        yield frame


class _Lookahead:
    """A stream with a buffer in front and a count of where in the file it is."""

    def __init__(self, stream: BinaryIO, position: int) -> None:
        self._stream, self.position, self.buffer = stream, position, b""

    def fill(self, count: int = _CHUNK) -> bool:
        """Have at least ``count`` bytes ready if there are so many; false at the end."""
        while len(self.buffer) < count:
            piece = self._stream.read(_CHUNK)
            if not piece:
                break
            self.buffer += piece
        return bool(self.buffer)

    def startswith(self, prefix: bytes) -> bool:
        return self.buffer.startswith(prefix)

    def drop(self, count: int) -> None:
        self.buffer = self.buffer[count:]
        self.position += count


def _gzip_frame(source: _Lookahead) -> Frame:
    offset = source.position
    head = source.buffer
    unpacker = zlib.decompressobj(zlib.MAX_WBITS | 16)
    data, length = bytearray(), 0
    try:
        while not unpacker.eof:
            if not source.fill(1):
                return Frame(
                    offset=offset,
                    end=source.position,
                    error=Reason.BROKEN_RECORD,
                    detail="the file ends within the record",
                )
            packed = source.buffer
            while packed and not unpacker.eof:
                piece = unpacker.decompress(packed, _CHUNK * 16)
                packed = unpacker.unconsumed_tail
                length += len(piece)
                if length <= MAX_RECORD:
                    data += piece
            source.drop(len(source.buffer) - len(unpacker.unused_data))
    except zlib.error as error:
        if source.position == offset:
            return _damaged(source, offset, str(error))
        # The damage showed late: what starts a record may already have been taken for a part of this one.
        return _resume_behind(source, offset, head, str(error))
    if length > MAX_RECORD:
        return Frame(offset=offset, end=source.position, error=Reason.TOO_LARGE, detail=f"{length:,} bytes")
    return Frame(offset=offset, end=source.position, data=bytes(data))


def _resume_behind(source: _Lookahead, offset: int, head: bytes, detail: str) -> Frame:
    # ``head`` is what was in the buffer when the record began; another record may start within it.
    found = _next_record(head, 1)
    if 0 < found < source.position - offset:
        missing = source.position - offset - len(head)
        if missing <= 0:
            source.buffer = head[found : source.position - offset] + source.buffer
            source.position = offset + found
            return Frame(offset=offset, end=source.position, error=Reason.BROKEN_RECORD, detail=detail)
    return _damaged(source, offset, detail)


def _plain_frame(source: _Lookahead) -> Frame:
    offset = source.position
    while b"\r\n\r\n" not in source.buffer and len(source.buffer) < _CHUNK:
        before = len(source.buffer)
        source.fill(before + 1)
        if len(source.buffer) == before:
            break
    head, mark, _ = source.buffer.partition(b"\r\n\r\n")
    length = re.search(rb"^content-length:\s*(\d+)\s*$", head, re.I | re.M)
    if not mark or length is None:
        return _damaged(source, offset, "its header is broken")
    total = len(head) + 4 + int(length[1]) + 4
    large = total > MAX_RECORD
    data, left = bytearray(), total
    while left:
        if not source.fill(1):
            if left <= 4 and not large:
                break  # many writers leave out the closing empty lines of the last record
            return Frame(
                offset=offset, end=source.position, error=Reason.BROKEN_RECORD, detail="the file ends within the record"
            )
        piece = source.buffer[:left]
        if not large:
            data += piece
        source.drop(len(piece))
        left -= len(piece)
    if large:
        return Frame(offset=offset, end=source.position, error=Reason.TOO_LARGE, detail=f"{total:,} bytes")
    if not data.endswith(b"\r\n\r\n") and source.fill(4) and not source.startswith(b"WARC"):
        # The stated length is wrong, so nothing behind it can be trusted until the next record starts.
        return _damaged(source, offset, "its length is not what its header says")
    return Frame(offset=offset, end=source.position, data=bytes(data))


def _damaged(source: _Lookahead, offset: int, detail: str) -> Frame:
    """Go on to where the next record starts, and report the stretch before it as broken."""
    if source.position == offset:
        source.drop(1)
    while source.fill(_CHUNK):
        found = _next_record(source.buffer, 0)
        if found >= 0:
            source.drop(found)
            break
        at_end = len(source.buffer) < _CHUNK
        source.drop(len(source.buffer) if at_end else len(source.buffer) - 32)
    return Frame(offset=offset, end=source.position, error=Reason.BROKEN_RECORD, detail=detail)


def _next_record(buffer: bytes, start: int) -> int:
    plain = re.search(rb"WARC/\d\.\d\r\n", buffer[start:])
    best = plain.start() + start if plain else -1
    position = buffer.find(_GZIP, start)
    while position >= 0 and (best < 0 or position < best):
        try:
            unpacked = zlib.decompressobj(zlib.MAX_WBITS | 16).decompress(buffer[position : position + 512], 16)
        except zlib.error:
            unpacked = b""
        if unpacked.startswith(b"WARC/") or (not unpacked and len(buffer) - position < 32):
            return position
        position = buffer.find(_GZIP, position + 1)
    return best


# ------------------------------------------------------------------------------------------------ records


def parse_record(data: bytes, *, max_bytes: int = MAX_RECORD) -> WarcPage | None:
    """The page in one unpacked record, or None for records of other kinds. Pure.

    Raises ArticleFailed(broken_record) for what can't be parsed, ArticleRejected(too_large).
    """
    from warcio.exceptions import ArchiveLoadFailed
    from warcio.recordloader import ArcWarcRecordLoader

    try:
        record = ArcWarcRecordLoader().parse_record_stream(io.BytesIO(data), known_format="warc")
        if record.rec_type not in ("response", "resource"):
            return None
        uri = (record.rec_headers.get_header("WARC-Target-URI") or "").strip("<> ")
        try:
            url = request_url(uri)
        except ValueError:
            return None  # dns:, metadata:, urn: …
        http = record.http_headers if record.rec_type == "response" else None
        if record.rec_type == "response" and http is None:
            return None
        body = record.content_stream().read(max_bytes + 1)
    except (ArchiveLoadFailed, EOFError, ValueError, zlib.error, AttributeError, IndexError) as error:
        raise ArticleFailed(Reason.BROKEN_RECORD, f"{type(error).__name__}: {str(error)[:150]}") from None
    if len(body) > max_bytes:
        raise ArticleRejected(Reason.TOO_LARGE, f"more than {max_bytes:,} bytes")
    content_type = (http.get_header("content-type") if http else record.rec_headers.get_header("Content-Type")) or ""
    kind, _, parameters = content_type.partition(";")
    charset = re.search(r"charset\s*=\s*[\"']?([\w.:-]+)", parameters, re.I)
    status = http.get_statuscode() if http else None
    return WarcPage(
        url=url,
        status=int(status) if status and status.isdigit() else None,
        media_type=kind.strip().lower(),
        charset=charset[1] if charset else None,
        headers=tuple((str(key).lower(), str(value)) for key, value in http.headers) if http else (),
        body=body,
        date=_warc_date(record.rec_headers.get_header("WARC-Date")),
    )


def _warc_date(text: str | None) -> datetime | None:
    try:
        value = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)
