"""Folders of saved pages, plain texts and JSON items, on local disks or any fsspec storage."""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from pipeline.discover.found import Found, failed, rejected, wanted
from pipeline.discover.storage import StoredFile, list_files, open_plain, resolve
from pipeline.errors import ArticleError, ArticleRejected, ConfigurationError, Reason, SourceUnavailableError
from pipeline.models import ArticleRef, ItemResult, Outcome, Source, Window

log = logging.getLogger("pipeline.discover")

FILE_TYPES = (".html", ".htm", ".txt", ".json", ".jsonl")
"""Names that hold articles; each may be followed by ``.gz``."""


def file_type(path: str) -> str | None:
    """The member of FILE_TYPES that a path's name ends in, ``.gz`` aside, or None."""
    name = path.lower().removesuffix(".gz")
    return next((suffix for suffix in sorted(FILE_TYPES, key=len, reverse=True) if name.endswith(suffix)), None)


def discover_folder(source: Source, *, window: Window | None, base_dir: Path, max_bytes: int) -> Iterator[Found]:
    """References to the files below a folder, or to one file, in the order of their paths.

    A .jsonl file gives a reference for each line that is not blank, a .json file that holds a list one for each
    element. Hidden files are left alone. Other types are counted in one event ``folder.skipped``. With a window
    only files modified within it count.

    Raises SourceUnavailableError when the folder can't be read, ConfigurationError for an unknown storage.
    """
    address = resolve(source.location, base_dir)
    skipped: Counter[str] = Counter()
    files = list_files(address)
    while True:
        try:
            file = next(files)
        except StopIteration:
            break
        except FileNotFoundError:
            raise _unavailable(source, address, Reason.FILE_MISSING, "does not exist") from None
        except PermissionError:
            raise _unavailable(source, address, Reason.PERMISSION, "may not be read by this user") from None
        except ConfigurationError:
            raise
        except Exception as error:  # each storage has its own exceptions (botocore, gcsfs …)
            raise _unavailable(source, address, Reason.UNREADABLE, f"can't be listed: {error}") from error
        if not wanted(source, file.relative):
            skipped["excluded by pattern"] += 1
            continue
        yield from _refs_of_file(
            source, file, window=window, max_bytes=max_bytes, skipped=skipped, alone=file.path == address
        )
    if skipped:
        total = sum(skipped.values())
        log.info(
            "%s: %d files are not articles by their names: %s",
            source.id, total, ", ".join(f"{count} {kind}" for kind, count in sorted(skipped.items())),
            extra={"event.action": "folder.skipped", "news.source.id": source.id, "news.skipped": dict(skipped)},
        )  # fmt: skip


def _unavailable(source: Source, address: str, reason: Reason, what: str) -> SourceUnavailableError:
    return SourceUnavailableError(
        f"source {source.id}: {address} {what}.", reason=reason, hint="Check the source's location."
    )


def _refs_of_file(
    source: Source, file: StoredFile, *, window: Window | None, max_bytes: int, skipped: Counter[str], alone: bool
) -> Iterator[Found]:
    kind = file_type(file.relative)
    ref = ArticleRef(source_id=source.id, path=file.path, via="folder")
    if file.relative.endswith("/"):
        yield failed(ref, Reason.PERMISSION, "the folder may not be entered by this user")
        return
    if kind is None:
        if alone:
            # Somebody named this very file: it deserves an answer of its own.
            yield rejected(ref, Reason.NOT_HTML, f"only {', '.join(FILE_TYPES)} (also .gz) are read")
        else:
            suffix = Path(file.relative).suffix.lower()
            skipped[suffix or "without suffix"] += 1
        return
    if window is not None and file.modified is not None and not window.since <= file.modified < window.until:
        return
    if kind == ".jsonl":
        yield from _lines(ref)
    elif kind == ".json":
        yield from _elements(ref, max_bytes)
    else:
        yield ref


def _lines(ref: ArticleRef) -> Iterator[Found]:
    assert ref.path is not None
    try:
        with open_plain(ref.path) as stream:
            number, blank, any_line = 1, True, False
            while line := stream.readline(1 << 16):
                # A line longer than the buffer comes in pieces, and is one item all the same.
                blank = blank and not line.strip(b" \t\r\n\xef\xbb\xbf")
                if line.endswith(b"\n"):
                    if not blank:
                        any_line = True
                        yield replace(ref, item=number)
                    number, blank = number + 1, True
            if not blank:
                any_line = True
                yield replace(ref, item=number)
            if not any_line:
                yield rejected(ref, Reason.EMPTY, "no line holds anything")
    except ArticleError as error:
        yield _of(ref, error)


def _elements(ref: ArticleRef, max_bytes: int) -> Iterator[Found]:
    assert ref.path is not None
    try:
        with open_plain(ref.path) as stream:
            head = stream.read(512).lstrip(b"\xef\xbb\xbf \t\r\n")
            if not head.startswith(b"["):
                yield ref
                return
            # A list has to be read whole; one that is too large for that belongs into a .jsonl file.
            content = head + _read(stream, 20 * max_bytes)
        items = json.loads(content)
    except ArticleError as error:
        yield _of(ref, error)
    except (ValueError, RecursionError) as error:
        yield failed(ref, Reason.BAD_JSON, str(error)[:200])
    else:
        if not items:
            yield rejected(ref, Reason.EMPTY, "the list has no elements")
        for number in range(1, len(items) + 1):
            yield replace(ref, item=number)


def _read(stream: object, limit: int) -> bytes:
    pieces, length = [], 0
    while piece := stream.read(1 << 16):  # type: ignore[attr-defined]
        pieces.append(piece)
        length += len(piece)
        if length > limit:
            raise ArticleRejected(Reason.TOO_LARGE, f"a JSON list of more than {limit:,} bytes; write it as .jsonl")
    return b"".join(pieces)


def _of(ref: ArticleRef, error: ArticleError) -> Found:
    return ItemResult(ref=ref, outcome=Outcome.of(error), stage="discover")
