"""The references of a run while it is being planned, however many they are: on disk, not in memory.

Sources are asked, and the archive is read, before the ledger is locked; and of a million references only some may be in
memory at a time. So they wait in a private SQLite file, which is gone when the list is closed or the process ends.
"""

from __future__ import annotations

import pickle
import sqlite3
from collections.abc import Iterable, Iterator
from typing import Self

from pipeline.models import ArticleRef, ItemResult, Outcome, OutcomeKind

_TABLES = """
CREATE TABLE named (position INTEGER PRIMARY KEY, name BLOB, source TEXT, ended INTEGER, item BLOB);
CREATE INDEX named_by_name ON named (name);
CREATE TABLE left_over (position INTEGER PRIMARY KEY, name BLOB UNIQUE, stays INTEGER, discovered_at TEXT, item BLOB);
"""

_IN_ORDER = """
SELECT item, discovered_at FROM (
    SELECT 0 AS part, position, item, discovered_at FROM left_over
    WHERE stays OR name NOT IN (SELECT name FROM named)
    UNION ALL
    SELECT 1, named.position, named.item, discovered_at FROM named LEFT JOIN left_over USING (name)
    WHERE ended OR NOT coalesce(stays, 0)
) ORDER BY part, position
"""


class WorkList:
    """What a run will have to do: what sources named (``add``), and what earlier runs left over (``take_over``).

    Use it as a context manager. ``len`` is how many references were added, repeats among them.
    """

    def __init__(self, items: Iterable[ArticleRef | ItemResult] = ()) -> None:
        self._file = sqlite3.connect("", isolation_level=None)  # the empty name: a temporary file of its own
        self._file.executescript(_TABLES)
        self._file.execute("BEGIN")
        self.add(items)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def __len__(self) -> int:
        return int(self._file.execute("SELECT count(*) FROM named").fetchone()[0])

    def add(self, items: Iterable[ArticleRef | ItemResult]) -> None:
        """Put these behind what is there. One reference named twice is worked on once; others end as its duplicates."""
        for item in items:
            ended = isinstance(item, ItemResult)
            ref = item.ref if isinstance(item, ItemResult) else item
            name = _key(ref)
            if isinstance(item, ArticleRef) and (first := self._named_by(name)) is not None:
                detail = f"also named by source {first} in this run"
                outcome = Outcome(kind=OutcomeKind.DUPLICATE, detail=detail)
                item, ended = ItemResult(ref=ref, outcome=outcome, stage="discover"), True
            self._file.execute(
                "INSERT INTO named (name, source, ended, item) VALUES (?, ?, ?, ?)",
                (name, ref.source_id, ended, pickle.dumps(item)),
            )

    def _named_by(self, name: bytes) -> str | None:
        row = self._file.execute("SELECT source FROM named WHERE name = ? AND NOT ended", (name,)).fetchone()
        return row[0] if row else None

    def take_over(self, ref: ArticleRef, discovered_at: str) -> None:
        """Add what an earlier run left over, with the moment when it was discovered (ISO 8601).

        Of a leftover and a new reference of the same name the leftover stays if it is a URL already in the
        archive (it may be gone from the web by now), else the new one; either way it was discovered when it was first.
        """
        self._file.execute(
            "INSERT INTO left_over (name, stays, discovered_at, item) VALUES (?, ?, ?, ?) ON CONFLICT (name) DO UPDATE "
            "SET stays = max(stays, excluded.stays), discovered_at = min(discovered_at, excluded.discovered_at)",
            (_key(ref), bool(ref.url and ref.archived), discovered_at, pickle.dumps(ref)),
        )

    def __iter__(self) -> Iterator[tuple[ArticleRef | ItemResult, str | None]]:
        """All there is to do, leftovers first, each with when it was discovered where that was in an earlier run."""
        for item, discovered_at in self._file.execute(_IN_ORDER):
            yield pickle.loads(item), discovered_at  # noqa: S301 - written above, by this process


def _key(ref: ArticleRef) -> bytes:
    return ref.name.encode("utf-8", "surrogatepass")  # names of files may be no text
