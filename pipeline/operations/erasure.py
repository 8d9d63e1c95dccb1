"""Records out of WARC files, with everything else in the file staying where it is.

A WARC file is a row of gzip members (RFC 1952), one a record. A record is erased by writing over its member one of
exactly the same length: an empty ``metadata`` record that says so, padded with a comment in the gzip header. So no
other record moves, every address kept elsewhere stays right, a file that is being written to may be worked on, and
doing it twice changes nothing.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections import defaultdict
from collections.abc import Iterable
from typing import IO, Any

import fsspec

from pipeline.archive import Archive, storage_errors
from pipeline.errors import ArchiveUnavailableError
from pipeline.models import ArchiveAddress
from pipeline.urls import without_credentials

_CHUNK = 1 << 16
_MARK = b"erased"

_EMPTY = (
    b"WARC/1.1\r\nWARC-Type: metadata\r\nWARC-Record-ID: <urn:uuid:00000000-0000-0000-0000-000000000000>\r\n"
    b"WARC-Date: 1970-01-01T00:00:00Z\r\nContent-Type: text/plain\r\nContent-Length: 6\r\n\r\n" + _MARK + b"\r\n\r\n"
)


def erase(archive: Archive, addresses: Iterable[ArchiveAddress]) -> int:
    """Erase the records at these addresses; returns how many were there. Raises ArchiveUnavailableError."""
    by_file: defaultdict[str, set[int]] = defaultdict(set)
    for address in addresses:
        by_file[address.file].add(address.offset)
    filesystem, base = fsspec.core.url_to_fs(archive.root)
    erased = 0
    for file, offsets in sorted(by_file.items()):
        path = f"{base}/{file}"
        try:
            if not filesystem.exists(path):
                continue
            if archive.durable_writes:
                erased += _in_place(path, sorted(offsets))
            else:
                erased += _anew(filesystem, path, sorted(offsets))
        except storage_errors() as error:
            raise ArchiveUnavailableError(
                f"The archive file {without_credentials(archive.root)}/{file} can't be changed: {error}.",
                hint="Check the disk or the object store, and give the command again.",
            ) from error
    return erased


def _in_place(path: str, offsets: list[int]) -> int:
    erased = 0
    with open(path, "r+b") as stream:  # noqa: PTH123 - as fsspec names it
        for offset in offsets:
            length, content = _member(stream, offset)
            if length and not content.endswith(_MARK + b"\r\n\r\n"):
                stream.seek(offset)
                stream.write(padded_member(length))
                erased += 1
        stream.flush()
        os.fsync(stream.fileno())
    return erased


def _anew(filesystem: Any, path: str, offsets: list[int]) -> int:
    # An object is replaced as a whole, in one step, once it is closed.
    with filesystem.open(path, "rb") as stream:
        found = [(offset, *_member(stream, offset)) for offset in offsets]
        stream.seek(0)
        data = bytearray(stream.read())
    wanted = [
        (offset, length) for offset, length, content in found if length and not content.endswith(_MARK + b"\r\n\r\n")
    ]
    for offset, length in wanted:
        data[offset : offset + length] = padded_member(length)
    if wanted:
        with filesystem.open(path, "wb") as stream:
            stream.write(bytes(data))
    return len(wanted)


def _member(stream: IO[bytes], offset: int) -> tuple[int, bytes]:
    """Length of the gzip member at an offset, and the end of its content; 0 where there is no whole one."""
    stream.seek(offset)
    decoder = zlib.decompressobj(16 + zlib.MAX_WBITS)
    taken, end = 0, b""
    while not decoder.eof:
        data = stream.read(_CHUNK)
        if not data:
            return 0, b""
        taken += len(data)
        try:
            end = (end + decoder.decompress(data))[-64:]
        except zlib.error:
            return 0, b""
    return taken - len(decoder.unused_data), end


def padded_member(length: int) -> bytes:
    """A gzip member of exactly ``length`` bytes that holds an empty WARC record. Pure.

    Raises ValueError for fewer bytes than that takes (no record of ours is so short).
    """
    compressor = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    body = compressor.compress(_EMPTY) + compressor.flush()
    trailer = struct.pack("<II", zlib.crc32(_EMPTY), len(_EMPTY))
    # Flag 16: a comment follows the header, ended by a zero byte.
    header = b"\x1f\x8b\x08\x10\x00\x00\x00\x00\x02\xff"
    comment = length - len(header) - 1 - len(body) - len(trailer)
    if comment < 0:
        raise ValueError(f"a record of {length} bytes is too short to be replaced")
    return header + b" " * comment + b"\x00" + body + trailer


def remove_file(archive: Archive, file: str) -> None:
    """Delete one WARC file; nothing happens where it is gone already. Raises ArchiveUnavailableError."""
    filesystem, base = fsspec.core.url_to_fs(archive.root)
    try:
        if filesystem.exists(f"{base}/{file}"):
            filesystem.rm(f"{base}/{file}")
    except storage_errors() as error:
        raise ArchiveUnavailableError(
            f"The archive file {without_credentials(archive.root)}/{file} can't be deleted: {error}."
        ) from error
