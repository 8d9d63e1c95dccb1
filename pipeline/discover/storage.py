"""Files wherever they lie: local, or any storage that fsspec knows (s3://, gs://, memory:// …).

http(s) addresses never come here: they go through pipeline.fetch, with its manners and its guard.
"""

from __future__ import annotations

import gzip
import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO, cast

from pipeline.errors import ArticleFailed, ArticleRejected, ConfigurationError, Reason

_CHUNK = 1 << 16
_RATIO = 250
_RATIO_FREE = 20_000_000


def is_web(location: str) -> bool:
    """Whether a location is an http(s) address."""
    return location.lower().startswith(("http://", "https://"))


def resolve(location: str, base_dir: Path) -> str:
    """A location as an address for ``open_binary``: remote ones as they are, local ones absolute, from ``base_dir``."""
    if location.startswith("file://"):
        return location.removeprefix("file://")
    if "://" in location:
        return location
    return str(base_dir / Path(location).expanduser())


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file found in a folder: its address, its path within the folder, size in bytes, time of modification."""

    path: str
    relative: str
    size: int
    modified: datetime | None


def _filesystem(address: str) -> tuple[Any, str]:
    import fsspec

    try:
        return cast("tuple[Any, str]", fsspec.core.url_to_fs(address))
    except (ImportError, ValueError) as error:
        raise ConfigurationError(
            f"{address}: this storage can't be used: {error}", hint="Install the fsspec package for it."
        ) from None


def list_files(address: str) -> Iterator[StoredFile]:
    """All files at or below ``address`` in the order of their paths, without hidden ones.

    Symbolic links to files are followed, those to folders are not (they may lead in circles).
    Raises FileNotFoundError and other OSError.
    """
    if "://" not in address:
        yield from _list_local(address)
        return
    filesystem, root = _filesystem(address)
    info = filesystem.info(root)
    protocol = address.partition("://")[0]
    found = {root: info} if info["type"] == "file" else filesystem.find(root, detail=True)
    for path in sorted(found):
        relative = path.removeprefix(root).lstrip("/") or path.rpartition("/")[2]
        if not any(part.startswith(".") for part in relative.split("/")):
            details = found[path]
            full = f"{protocol}://{path if protocol == 'memory' else path.lstrip('/')}"
            yield StoredFile(full, relative, int(details.get("size") or 0), _modified(details))


def _list_local(address: str) -> Iterator[StoredFile]:
    if not Path(address).is_dir():
        details = Path(address).stat()
        yield StoredFile(address, Path(address).name, details.st_size, datetime.fromtimestamp(details.st_mtime, UTC))
        return
    if not os.access(address, os.R_OK | os.X_OK):
        raise PermissionError(13, "Permission denied", address)
    yield from _walk(address, "")


def _walk(folder: str, prefix: str) -> Iterator[StoredFile]:
    with os.scandir(folder) as entries:
        here = sorted(entries, key=lambda entry: entry.name)
    for entry in here:
        if entry.name.startswith("."):
            continue
        relative = f"{prefix}{entry.name}"
        if entry.is_dir(follow_symlinks=False):
            try:
                yield from _walk(entry.path, f"{relative}/")
            except PermissionError:
                # A folder that may not be entered is named like a file that may not be read.
                yield StoredFile(entry.path, f"{relative}/", 0, None)
            continue
        try:
            details = entry.stat()
        except OSError:
            yield StoredFile(entry.path, relative, 0, None)
            continue
        if entry.is_file():
            yield StoredFile(entry.path, relative, details.st_size, datetime.fromtimestamp(details.st_mtime, UTC))


def _modified(details: dict[str, Any]) -> datetime | None:
    # Storages differ in the name and type of this.
    for key in ("mtime", "LastModified", "last_modified", "updated", "modified", "created"):
        value = details.get(key)
        if isinstance(value, datetime):
            return value if value.tzinfo else value.replace(tzinfo=UTC)
        if isinstance(value, int | float):
            return datetime.fromtimestamp(value, UTC)
        if isinstance(value, str):
            try:
                return datetime.fromisoformat(value)
            except ValueError:
                continue
    return None


def file_size(address: str) -> int | None:
    """Size in bytes, or None where the storage doesn't say. Raises OSError."""
    if "://" not in address:
        return Path(address).stat().st_size
    filesystem, path = _filesystem(address)
    size = filesystem.info(path).get("size")
    return int(size) if size is not None else None


def open_binary(address: str, *, offset: int = 0) -> BinaryIO:
    """The bytes at ``address`` from ``offset`` on, as they lie there. Raises OSError."""
    if "://" not in address:
        stream: BinaryIO = Path(address).open("rb")  # noqa: SIM115 (the caller closes it)
    else:
        filesystem, path = _filesystem(address)
        stream = cast(BinaryIO, filesystem.open(path, "rb"))
    if offset:
        stream.seek(offset)
    return stream


@contextmanager
def open_plain(address: str) -> Iterator[BinaryIO]:
    """The bytes at ``address``, with .gz undone while reading and guarded against bombs.

    Reading raises ArticleFailed(broken_compression) and ArticleRejected(too_large); opening raises as ``file_errors``.
    """
    with file_errors(address), open_binary(address) as raw:
        if not address.lower().endswith(".gz"):
            yield raw
        else:
            yield cast(BinaryIO, GunzippedStream(raw))


@contextmanager
def file_errors(address: str) -> Iterator[None]:
    """Turn what opening and reading files raises into ArticleFailed with its reason."""
    try:
        yield
    except FileNotFoundError:
        raise ArticleFailed(Reason.FILE_MISSING, f"{address} does not exist") from None
    except PermissionError:
        raise ArticleFailed(Reason.PERMISSION, f"{address} may not be read by this user") from None
    except (IsADirectoryError, NotADirectoryError):
        raise ArticleFailed(Reason.UNREADABLE, f"{address} is not a file") from None
    except OSError as error:
        raise ArticleFailed(Reason.UNREADABLE, f"{address}: {error.strerror or error}") from None


class GunzippedStream:
    """What gzip packed, read piece by piece. Raises ArticleError for damage and for bombs.

    A bomb is what unpacks to far more than text ever does, judged once it is big at all.
    """

    def __init__(self, raw: BinaryIO) -> None:
        self._counted = _CountedStream(raw)
        self._file = gzip.GzipFile(fileobj=cast(BinaryIO, self._counted), mode="rb")
        self._unpacked = 0
        self._rest = b""

    def read(self, size: int = -1) -> bytes:
        """At most ``size`` bytes; must be bounded, so that no caller unpacks a bomb into memory."""
        if size < 0:
            raise ValueError("reading packed data needs a bound")
        if self._rest:
            piece, self._rest = self._rest[:size], self._rest[size:]
            return piece
        return self._unpack(size)

    def readline(self, size: int) -> bytes:
        """A line of at most ``size`` bytes."""
        pieces, length = [], 0
        while length < size:
            piece = self._rest or self._unpack(_CHUNK)
            self._rest = b""
            end = piece.find(b"\n") + 1 or len(piece)
            end = min(end, size - length)
            pieces.append(piece[:end])
            length += end
            self._rest = piece[end:]
            if not piece or pieces[-1].endswith(b"\n"):
                break
        return b"".join(pieces)

    def _unpack(self, size: int) -> bytes:
        try:
            piece = self._file.read(size)
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise ArticleFailed(Reason.BROKEN_COMPRESSION, f"gzip: {error}") from None
        self._unpacked += len(piece)
        if self._unpacked > _RATIO_FREE and self._unpacked > _RATIO * self._counted.read_bytes:
            raise ArticleRejected(Reason.TOO_LARGE, "unpacks to more than 250 times its size: a compression bomb")
        return piece


class _CountedStream:
    def __init__(self, raw: BinaryIO) -> None:
        self._raw = raw
        self.read_bytes = 0

    def read(self, size: int = -1) -> bytes:
        piece = self._raw.read(size)
        self.read_bytes += len(piece)
        return piece
