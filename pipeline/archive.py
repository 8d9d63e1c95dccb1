"""Raw pages in and out of WARC files (ISO 28500:2017, WARC/1.1) on any fsspec storage.

A fetched page is a ``response`` record, a loaded file a ``resource`` record. Beside the standard headers each
record carries ``News-Reference``: the reference with what its source stated, as JSON. So the archive alone is
enough to repeat everything that comes after it.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self
from urllib.parse import quote, unquote

import fsspec
from pydantic import TypeAdapter
from warcio.archiveiterator import ArchiveIterator
from warcio.exceptions import ArchiveLoadFailed
from warcio.recordloader import ArcWarcRecord
from warcio.statusandheaders import StatusAndHeaders
from warcio.timeutils import datetime_to_iso_date, iso_date_to_datetime
from warcio.warcwriter import WARCWriter

from pipeline.errors import ArchiveUnavailableError, ArticleFailed, ConfigurationError, Reason
from pipeline.models import ArchiveAddress, ArticleRef, RawPage
from pipeline.urls import without_credentials

_REFERENCE = "News-Reference"
_MEDIA_TYPE = "News-Media-Type"
_CHARSET = "News-Charset"
_FINAL_URL = "News-Final-URI"
# The body is kept decoded, so these would lie about it; they are kept under another name, as other archives do.
_ABOUT_THE_WIRE = {"content-encoding", "transfer-encoding", "content-length"}

# Object stores have no folders. Asked for one, their clients would make a bucket that is missing, or misspelled.
_WITHOUT_FOLDERS = frozenset({"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "adl"})

# What warcio raises for damaged records; AttributeError for one whose HTTP head is cut off.
_DAMAGED = (ArchiveLoadFailed, EOFError, ValueError, AttributeError)

_COMPRESSION = 5  # pages take 2 % more space than with warcio's 9, and half the time

_REF = TypeAdapter(ArticleRef)


def payload_digest(body: bytes) -> str:
    """The digest that identifies a payload: ``sha256:`` and 64 hex digits."""
    return f"sha256:{hashlib.sha256(body).hexdigest()}"


class Archive:
    """A folder of WARC files below ``root``, an fsspec address (a local path, ``s3://bucket/prefix`` …)."""

    def __init__(self, root: str) -> None:
        self.root = root.rstrip("/")
        self._filesystem, self._base = _storage(self.root)
        self.durable_writes = "file" in _protocols(self._filesystem)
        """Whether a record is safe as soon as it is written; object stores keep nothing before the file is closed."""

    def writer(self, *, now: datetime, name: str) -> ArchiveWriter:
        """A new WARC file ``YYYY/MM/DD/news-<time>-<name>.warc.gz``; ``name`` must be unique to the caller.

        Raises ArchiveUnavailableError where the storage can't be written.
        """
        file = f"{now:%Y/%m/%d}/news-{now:%Y%m%d%H%M%S}-{name}.warc.gz"
        path = f"{self._base}/{file}"
        try:
            if not _WITHOUT_FOLDERS & set(_protocols(self._filesystem)):
                self._filesystem.makedirs(path.rsplit("/", 1)[0], exist_ok=True)
            stream = self._filesystem.open(path, "wb")
        except storage_errors() as error:
            raise _unavailable("written", self.root, error) from error
        return ArchiveWriter(stream, file, self.root)

    def check(self) -> None:
        """Raise ArchiveUnavailableError where the storage can't be reached; writes nothing."""
        self.exists("nothing")
        if _WITHOUT_FOLDERS & set(_protocols(self._filesystem)):
            # Of a missing bucket the question above is answered with no, too.
            try:
                self._filesystem.ls(self._base.partition("/")[0], refresh=True)
            except storage_errors() as error:
                raise _unavailable("read", self.root, error) from error

    def exists(self, file: str) -> bool:
        """Whether the archive still holds this file. Raises ArchiveUnavailableError where that can't be told."""
        try:
            return bool(self._filesystem.exists(f"{self._base}/{file}"))
        except storage_errors() as error:
            raise _unavailable("read", self.root, error) from error

    def read(self, addresses: list[ArchiveAddress]) -> Iterator[RawPage | ArticleFailed]:
        """The pages at these addresses, in order, each file opened once for a run of addresses in it.

        A record that is missing, damaged or not the one meant comes as ArticleFailed(broken_record). Raises
        ArchiveUnavailableError where the storage itself can't be read.
        """
        stream: IO[bytes] | None = None
        opened = ""
        try:
            for address in addresses:
                if address.file != opened:
                    if stream is not None:
                        stream.close()
                    stream, opened = None, address.file
                    try:
                        stream = self._filesystem.open(f"{self._base}/{address.file}", "rb")
                    except FileNotFoundError:
                        pass  # each address in it is answered below
                    except storage_errors() as error:
                        raise _unavailable("read", self.root, error) from error
                if stream is None:
                    yield ArticleFailed(Reason.BROKEN_RECORD, f"archive file {address.file} is missing")
                else:
                    yield _read_one(stream, address)
        finally:
            if stream is not None:
                stream.close()

    def files(self) -> list[str]:
        """Every WARC file, by name relative to the root, oldest first. Raises ArchiveUnavailableError."""
        try:
            found = self._filesystem.glob(f"{self._base}/**/*.warc.gz")
        except storage_errors() as error:
            raise _unavailable("read", self.root, error) from error
        return sorted(str(path)[len(self._base) :].lstrip("/") for path in found)

    def scan(self, file: str) -> Iterator[RawPage]:
        """Every page in one file, with its address, up to the first damage (then ArchiveUnavailableError)."""
        try:
            with self._filesystem.open(f"{self._base}/{file}", "rb") as stream:
                records = ArchiveIterator(stream)
                for record in records:
                    if record.rec_type in ("response", "resource") and record.rec_headers.get_header(_REFERENCE):
                        body = record.content_stream().read()
                        yield _page(record, body, file, records.get_record_offset())
        except (*storage_errors(), *_DAMAGED) as error:
            raise _unavailable("read", f"{self.root}/{file}", error) from error


class ArchiveWriter:
    """Writes records to one new WARC file. Use as a context manager; what was written is safe once it is left."""

    def __init__(self, stream: IO[bytes], file: str, root: str) -> None:
        self.file = file
        self._root = root
        self._stream = stream
        self._offset = 0
        self._buffer = io.BytesIO()
        self._warc = WARCWriter(self._buffer, gzip=False, warc_version="1.1")
        info = {"software": "news-pipeline", "format": "WARC file version 1.1", "conformsTo": "ISO 28500:2017"}
        self._warc.write_record(self._warc.create_warcinfo_record(file.rsplit("/", 1)[-1], info))
        self._flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Finish the file. Raises ArchiveUnavailableError where that fails."""
        try:
            self._stream.close()
        except storage_errors() as error:
            raise _unavailable("written", self._root, error) from error

    def write(self, page: RawPage) -> ArchiveAddress:
        """Append one page and return its address. Raises ArchiveUnavailableError where it can't be written."""
        digest = payload_digest(page.body)
        headers = {
            "WARC-Date": datetime_to_iso_date(page.fetched_at.astimezone(UTC).replace(tzinfo=None), use_micros=True),
            "WARC-Payload-Digest": digest,
            _REFERENCE: _reference(page.ref),
            _MEDIA_TYPE: page.media_type,
        }
        if page.charset:
            headers[_CHARSET] = quote(page.charset)
        if page.final_url:
            headers[_FINAL_URL] = page.final_url
        http = None
        if page.status is not None:
            http = StatusAndHeaders(str(page.status), _http_headers(page), protocol="HTTP/1.1")
        record = self._warc.create_warc_record(
            record_uri(page),
            "response" if http else "resource",
            payload=io.BytesIO(page.body),
            length=len(page.body),
            warc_content_type="" if http else page.media_type,
            warc_headers_dict=headers,
            http_headers=http,
        )
        self._warc.write_record(record)
        offset = self._offset
        self._flush()
        return ArchiveAddress(file=self.file, offset=offset, digest=digest)

    def _flush(self) -> None:
        data = gzip.compress(self._buffer.getvalue(), _COMPRESSION, mtime=0)
        try:
            self._stream.write(data)
            self._stream.flush()
        except storage_errors() as error:
            raise _unavailable("written", self._root, error) from error
        self._offset += len(data)
        self._buffer.seek(0)
        self._buffer.truncate()


def record_uri(page: RawPage) -> str:
    """WARC-Target-URI of a page: its URL, or a file URI with the item as fragment."""
    if page.url:
        return page.url
    path = page.ref.path or "unknown"
    uri = path if "://" in path else f"file://{quote(str(Path(path).absolute()))}"
    return f"{uri}#{page.ref.item}" if page.ref.item is not None else uri


def _reference(ref: ArticleRef) -> str:
    # Headers are one line of ASCII, whatever a feed put into a title.
    return _REF.dump_json(replace(ref, archived=None), exclude_defaults=True, ensure_ascii=True).decode()


def _http_headers(page: RawPage) -> list[tuple[str, str]]:
    kept = []
    for name, value in page.headers:
        kept.append((f"X-Archive-Orig-{name}" if name.lower() in _ABOUT_THE_WIRE else name, value))
    return [*kept, ("Content-Length", str(len(page.body)))]


def _read_one(stream: IO[bytes], address: ArchiveAddress) -> RawPage | ArticleFailed:
    where = f"{address.file} at byte {address.offset}"
    try:
        stream.seek(address.offset)
        record = next(iter(ArchiveIterator(stream)), None)
        if record is None or not record.rec_headers.get_header(_REFERENCE):
            return ArticleFailed(Reason.BROKEN_RECORD, f"no record of ours in {where}")
        body = record.content_stream().read()
    except _DAMAGED as error:
        said = str(error).partition(", first line")[0]  # what follows are the damaged bytes themselves
        return ArticleFailed(Reason.BROKEN_RECORD, f"{where}: {said[:200]}")
    except storage_errors() as error:
        raise _unavailable("read", where, error) from error
    if payload_digest(body) != address.digest:
        return ArticleFailed(Reason.BROKEN_RECORD, f"{where}: the payload's digest is not {address.digest}")
    return _page(record, body, address.file, address.offset)


def _page(record: ArcWarcRecord, body: bytes, file: str, offset: int) -> RawPage:
    headers: Any = record.rec_headers
    address = ArchiveAddress(file=file, offset=offset, digest=headers.get_header("WARC-Payload-Digest"))
    ref = _REF.validate_json(headers.get_header(_REFERENCE))
    http = record.http_headers
    final_url = headers.get_header(_FINAL_URL)
    charset = headers.get_header(_CHARSET)
    url = headers.get_header("WARC-Target-URI")
    fetched_at = iso_date_to_datetime(headers.get_header("WARC-Date"))
    return RawPage(
        ref=replace(ref, archived=address),
        # A file's target is the file, unless its content named an address of its own.
        url=url if http or ref.url or final_url else None,
        final_url=final_url,
        media_type=headers.get_header(_MEDIA_TYPE),
        charset=unquote(charset) if charset else None,
        body=body,
        fetched_at=fetched_at.replace(tzinfo=UTC),
        status=int(http.statusline.split()[0]) if http else None,
        headers=tuple((str(k), str(v)) for k, v in http.headers) if http else (),
        archived=address,
    )


def _unavailable(verb: str, where: str, error: BaseException) -> ArchiveUnavailableError:
    shown = without_credentials(where)
    return ArchiveUnavailableError(f"The archive {shown} can't be {verb}: {error}.", hint=_advice(where, error))


def _advice(where: str, error: BaseException) -> str:
    if not where.startswith(("s3://", "s3a://")):
        return "Check the disk or the object store; the work is kept and goes on with the next run."
    said = f"{type(error).__name__} {error}".lower()
    bucket = where.partition("://")[2].partition("/")[0]
    if "bucket does not exist" in said or "nosuchbucket" in said:
        what = f"Make the bucket {bucket!r} first, or put archive_url right (NEWS_ARCHIVE_URL)."
    elif "credentials" in said:
        what = "Give AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or any other of the ways AWS's own tools know."
    elif isinstance(error, PermissionError) or "denied" in said or "forbidden" in said:
        what = f"The key needs s3:ListBucket on {bucket!r}, and s3:GetObject, PutObject and DeleteObject in it."
    elif "endpoint" in said or "connect" in said:
        what = "Is the server up, and AWS_ENDPOINT_URL_S3 its address (unset for Amazon's own)?"
    else:
        what = "Check the object store."
    return f"{what} The work is kept and goes on with the next run."


def storage_errors() -> tuple[type[Exception], ...]:
    """What a storage raises when it fails: OSError, and for S3 what its client has of its own."""
    if "botocore" not in sys.modules:
        return (OSError,)
    from botocore.exceptions import BotoCoreError, ClientError

    return (OSError, BotoCoreError, ClientError)


def _storage(root: str) -> tuple[Any, str]:
    shown = without_credentials(root)
    try:
        filesystem, base = fsspec.core.url_to_fs(root)
    except ImportError as error:
        scheme = root.partition(":")[0]
        raise ConfigurationError(
            f"archive_url: {shown} can't be used: {error}.",
            hint="'uv sync --extra s3' installs it." if scheme in ("s3", "s3a") else "Install that package.",
        ) from error
    except ValueError as error:
        raise ConfigurationError(f"archive_url: {shown} can't be used: {error}.") from error
    except storage_errors() as error:  # some connect at once
        raise _unavailable("read", root, error) from error
    return filesystem, base


def _protocols(filesystem: Any) -> tuple[str, ...]:
    protocol = filesystem.protocol
    return (protocol,) if isinstance(protocol, str) else tuple(protocol)
