"""Airflow's SQLite: what a transaction does that begins with a savepoint is seen as a whole, or not at all."""

from __future__ import annotations

import runpy
from pathlib import Path

import sqlalchemy as sa
from installation import REPOSITORY
from sqlalchemy.pool import NullPool


def test_savepoints_do_not_commit_one_by_one(tmp_path: Path) -> None:
    """The creation of a backfill, one savepoint for each run, shows nothing to the scheduler until all runs are there,
    and isn't refused because somebody else has written meanwhile."""
    settings = runpy.run_path(str(REPOSITORY / "plugins" / "airflow_local_settings.py"))
    engine = sa.create_engine(f"sqlite:///{tmp_path / 'airflow.db'}", poolclass=NullPool)
    count = sa.text("SELECT count(*) FROM runs")
    try:
        with engine.begin() as setup:
            setup.execute(sa.text("PRAGMA journal_mode=WAL"))
            setup.execute(sa.text("CREATE TABLE runs (id INTEGER)"))
        with engine.connect() as creator, engine.connect() as scheduler, creator.begin():
            for number in range(3):
                with creator.begin_nested():
                    assert creator.execute(count).scalar() == number
                    creator.execute(sa.text("INSERT INTO runs VALUES (1)"))
                assert scheduler.execute(count).scalar() == 0
                scheduler.rollback()
        with engine.connect() as later:
            assert later.execute(count).scalar() == 3
    finally:
        sa.event.remove(sa.engine.Engine, "savepoint", settings["begin_before_savepoint"])
