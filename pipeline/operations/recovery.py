"""A lost ledger made anew from the archive: what was captured when, where it lies, and what its answer said of itself.

That is enough for nothing to be fetched or archived twice, for re-processing and for a rebuild of the index. What only
the ledger knew is gone: which run met what (the index keeps the reports), and what was taken down.
"""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from pipeline.archive import Archive
from pipeline.errors import ArchiveUnavailableError
from pipeline.ledger import Capture
from pipeline.run import Services

_CAPTURE = TypeAdapter(Capture)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovered:
    """What was found. ``gone`` counts captures that the ledger knew and the archive no longer has.

    ``damaged`` says for each file that could not be read to its end, why.
    """

    files: int
    captures: int
    gone: int
    damaged: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """A JSON-ready form."""
        return {
            "files": self.files,
            "captures": self.captures,
            "gone": self.gone,
            "damaged": list(self.damaged),
        }


def rebuild_ledger(
    services: Services,
    *,
    planned: Callable[[int], None] = lambda _: None,
    progress: Callable[[int], None] = lambda _: None,
) -> Recovered:
    """Replace the ledger's captures by those of the archive; all else in the ledger stays. Safe to repeat.

    ``planned`` is told how many files there are, ``progress`` of each that is done. Changes nothing before all of the
    archive was read. Raises ArchiveUnavailableError where the storage as such can't be read.
    """
    started = services.now()
    files = services.archive.files()
    planned(len(files))
    damaged = []
    # The order is by time over all files, and they may hold more than fits into memory.
    with tempfile.TemporaryDirectory(prefix="news-ledger-") as folder, closing(_spool(Path(folder))) as spool:
        for file in files:
            try:
                for capture in _captures(services.archive, file):
                    _keep(spool, capture)
            except ArchiveUnavailableError as error:
                damaged.append(error.message)
                for capture in services.ledger.captures_in(file):  # records behind the damage may be whole
                    _keep(spool, capture)
            progress(1)
        in_order = spool.execute("SELECT capture FROM found ORDER BY captured_at, file, position")
        captures = (_CAPTURE.validate_json(text) for (text,) in in_order)
        count, gone = services.ledger.replace_captures(captures, taken_before=started)
    return Recovered(files=len(files), captures=count, gone=gone, damaged=tuple(damaged))


def _spool(folder: Path) -> sqlite3.Connection:
    spool = sqlite3.connect(folder / "spool.sqlite", isolation_level=None)
    spool.execute("PRAGMA journal_mode=OFF")
    spool.execute(
        "CREATE TABLE found (captured_at TEXT, file TEXT, position INTEGER, capture TEXT, UNIQUE (file, position))"
    )
    spool.execute("BEGIN")
    return spool


def _keep(spool: sqlite3.Connection, capture: Capture) -> None:
    when = capture.captured_at.astimezone(UTC).isoformat(timespec="microseconds")  # sorts as time does
    row = (when, capture.address.file, capture.address.offset, _CAPTURE.dump_json(capture))
    spool.execute("INSERT OR IGNORE INTO found VALUES (?, ?, ?, ?)", row)


def _captures(archive: Archive, file: str) -> Iterator[Capture]:
    for page in archive.scan(file):
        assert page.archived is not None
        yield Capture(
            ref=page.ref,
            address=page.archived,
            captured_at=page.fetched_at,
            etag=page.header("etag"),
            last_modified=page.header("last-modified"),
        )
