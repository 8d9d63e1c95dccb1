"""What Airflow imports in each of its processes before it opens its database: here, one remedy for SQLite.

Where a transaction begins with a savepoint, as the creation of a backfill does for each of its runs, Python's sqlite3
leaves out the BEGIN. SQLite then takes a snapshot at the first read, refuses the first write after somebody else has
written ("database is locked", however long one waits), and commits at the end of each savepoint: the scheduler met runs
that were taken back a moment later, and ended over it. With the write lock taken at the beginning, others wait, and all
runs appear at once. Other databases are left alone.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, event
from sqlalchemy.engine import Engine


def begin_before_savepoint(connection: Connection, _: Any) -> None:
    """Begin the transaction, with the write lock, that SQLite's driver would leave out."""
    if connection.dialect.driver == "pysqlite" and not connection.connection.in_transaction:
        connection.exec_driver_sql("BEGIN IMMEDIATE")


event.listen(Engine, "savepoint", begin_before_savepoint)
