"""The ledger: what every run was asked to do, and how each reference ended.

One row of ``work`` is one reference of one run, from its discovery (``outcome`` empty) over its archiving
(``archive_file`` set) to its outcome. So a run's report is a query, an interrupted batch goes on where it
stopped, and ``news explain`` can tell what happened to anything. The default is an SQLite file below
NEWS_HOME; several machines share one through any database that SQLAlchemy speaks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from pydantic import TypeAdapter
from sqlalchemy.pool import NullPool

from pipeline.errors import Reason
from pipeline.models import ArchiveAddress, ArticleRef, ItemResult, Outcome, OutcomeKind, Stage, StatedFacts, Tally
from pipeline.tombstones import Forgotten, Tombstone
from pipeline.worklist import WorkList

_metadata = sa.MetaData()

_runs = sa.Table(
    "runs",
    _metadata,
    sa.Column("run_id", sa.String, primary_key=True),
    sa.Column("kind", sa.String, nullable=False),
    sa.Column("request", sa.JSON, nullable=False),
    sa.Column("discovered", sa.Integer, nullable=False),
    sa.Column("batches", sa.Integer, nullable=False),
    sa.Column("problems", sa.JSON, nullable=False),
    sa.Column("started_at", sa.String, nullable=False),
    sa.Column("heartbeat_at", sa.String, nullable=False),
    sa.Column("owner", sa.String),
    sa.Column("finished_at", sa.String),
    sa.Column("report", sa.JSON),
)
_work = sa.Table(
    "work",
    _metadata,
    sa.Column("run_id", sa.String, primary_key=True),
    sa.Column("position", sa.Integer, primary_key=True),
    sa.Column("batch", sa.Integer, nullable=False),
    sa.Column("source_id", sa.String, nullable=False),
    sa.Column("name", sa.String, nullable=False, index=True),
    sa.Column("ref", sa.Text, nullable=False),
    sa.Column("discovered_at", sa.String, nullable=False),
    sa.Column("archive_file", sa.String),
    sa.Column("archive_offset", sa.BigInteger),
    sa.Column("archive_digest", sa.String, index=True),
    sa.Column("stage", sa.String),
    sa.Column("outcome", sa.String),
    sa.Column("reason", sa.String),
    sa.Column("detail", sa.Text),
    sa.Column("document_id", sa.String, index=True),
    sa.Column("ended_at", sa.String),
    sa.Column("taken_over_by", sa.String),
    sa.Index("ix_work_batch", "run_id", "batch"),
    sa.Index("ix_work_ended", "ended_at"),
)
_captures = sa.Table(
    "captures",
    _metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("name", sa.String, nullable=False, index=True),
    sa.Column("source_id", sa.String, nullable=False),
    sa.Column("ref", sa.Text, nullable=False),
    sa.Column("archive_file", sa.String, nullable=False),
    sa.Column("archive_offset", sa.BigInteger, nullable=False),
    sa.Column("archive_digest", sa.String, nullable=False),
    sa.Column("captured_at", sa.String, nullable=False, index=True),
    sa.Column("etag", sa.String),
    sa.Column("last_modified", sa.String),
    sa.UniqueConstraint("archive_file", "archive_offset"),
    sa.Index("ix_captures_source", "source_id", "captured_at"),
)
_batches = sa.Table(
    "batches",
    _metadata,
    sa.Column("run_id", sa.String, primary_key=True),
    sa.Column("batch", sa.Integer, primary_key=True),
    sa.Column("stage_seconds", sa.JSON, nullable=False),
)
_unsettled = sa.Table(
    "unsettled",
    _metadata,
    sa.Column("run_id", sa.String, primary_key=True),
)
_tombstones = sa.Table(
    "tombstones",
    _metadata,
    sa.Column("kind", sa.String, primary_key=True),
    sa.Column("key", sa.String, primary_key=True),
    sa.Column("since", sa.String, nullable=False),
    sa.Column("asked", sa.String, nullable=False),
)

_REF = TypeAdapter(ArticleRef)

_CHUNK = 1000
"""Rows in memory at a time, wherever a run or the archive may have any number of them."""

BACKFILLS = ("news backfill", "airflow backfill")
"""The kinds of runs that bring back a span of the past."""

KEEP_THEIR_OWN = (*BACKFILLS, "quarantine retry")
"""Kinds of runs whose unfinished work no other run takes over: the live schedule must not end up doing it."""

KEPT = frozenset({Reason.INDEX_UNAVAILABLE, Reason.ARCHIVE_UNAVAILABLE, Reason.BATCH_INCOMPLETE})
"""Failures that say nothing about the article: its work is kept for the next run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkItem:
    """One reference of one run, at its place in the run."""

    position: int
    ref: ArticleRef
    archived: ArchiveAddress | None
    discovered_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Capture:
    """One raw record in the archive: the reference it answers, when it came and where it is."""

    ref: ArticleRef
    address: ArchiveAddress
    captured_at: datetime
    etag: str | None = None
    last_modified: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerEntry:
    """A row of the ledger as people read it: one reference in one run."""

    run_id: str
    position: int
    ref: ArticleRef
    discovered_at: datetime
    archived: ArchiveAddress | None
    stage: Stage | None
    outcome: str | None
    reason: str | None
    detail: str | None
    document_id: str | None
    ended_at: datetime | None
    taken_over_by: str | None

    @property
    def result(self) -> ItemResult | None:
        """The result that this entry records; None while there is none."""
        if self.outcome is None or self.stage is None:
            return None
        outcome = Outcome(
            kind=OutcomeKind(self.outcome),
            reason=Reason(self.reason) if self.reason else None,
            detail=self.detail or "",
        )
        return ItemResult(
            ref=self.ref, outcome=outcome, stage=self.stage, document_id=self.document_id, archived=self.archived
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord:
    """One run as the ledger knows it. ``report`` is None until it has finished."""

    run_id: str
    kind: str
    request: Mapping[str, Any]
    discovered: int
    batches: int
    problems: Sequence[Mapping[str, str]]
    started_at: datetime
    heartbeat_at: datetime
    finished_at: datetime | None
    report: Mapping[str, Any] | None


class Ledger:
    """The ledger behind one database URL. Every method is one transaction; instances hold no open connection."""

    def __init__(self, url: str) -> None:
        is_sqlite = url.startswith("sqlite")
        if is_sqlite and (path := sa.make_url(url).database):
            Path(path).parent.mkdir(parents=True, exist_ok=True)
        # No pooled connection may cross the fork of an Airflow worker.
        options: dict[str, Any] = {"connect_args": {"timeout": 60}} if is_sqlite else {}
        self._engine = sa.create_engine(url, poolclass=NullPool, **options)
        if is_sqlite:
            sa.event.listen(self._engine, "connect", _prepare_sqlite)
            sa.event.listen(self._engine, "begin", _begin_immediately)
        self._reader = self._engine.execution_options(reading=True)
        with self._engine.begin() as connection:
            _wait_for_turn(connection)  # of several workers that start at once, one makes the tables
            _metadata.create_all(connection)

    # ------------------------------------------------------------------------------------------ a run

    def plan(
        self,
        run_id: str,
        work: WorkList,
        *,
        kind: str,
        request: Mapping[str, Any],
        source_ids: Sequence[str],
        problems: Sequence[Mapping[str, str]] = (),
        batch_size: int,
        now: datetime,
        stale_before: datetime,
        takes_over: bool = True,
        owner: str | None = None,
        is_alive: Callable[[str], bool] = lambda _: True,
    ) -> RunRecord:
        """Open a run with its references cut into batches; those that ended already keep their outcome.

        What earlier runs of these sources left unfinished is taken over: work without an outcome, or ended for a
        reason that is not the article's, in a run that finished, gave no sign of life since ``stale_before``, or
        whose ``owner`` (the process that does all of it; None where several do) is not alive.
        With ``takes_over`` false only what this very run had left is; and what a run planned so leaves is its own.
        What becomes of a leftover and a new reference of the same name, ``WorkList.take_over`` says.

        One transaction: planning again (a task tried twice, a run cleared by hand) replaces the plan and loses
        nothing that the first one had taken over.
        """
        dead = [known for known in self._owners_of_open_runs() if not is_alive(known)]
        over = sa.select(_runs.c.run_id).where(
            sa.or_(
                _runs.c.finished_at.is_not(None),
                _runs.c.heartbeat_at < _iso(stale_before),
                _runs.c.owner.in_(dead),
            ),
            _runs.c.kind.not_in(KEEP_THEIR_OWN),
        )
        # What this run had taken over stands among its own rows; what another one took from it is the other's.
        own = sa.and_(_work.c.run_id == run_id, _work.c.taken_over_by.is_(None))
        of_others = sa.and_(
            _work.c.source_id.in_(list(source_ids)), _work.c.run_id.in_(over), _work.c.taken_over_by.is_(None)
        )
        unfinished = sa.and_(
            sa.or_(_work.c.outcome.is_(None), _work.c.reason.in_([reason.value for reason in KEPT])),
            sa.or_(own, of_others) if takes_over else own,
        )
        with self._engine.begin() as connection:
            self._take_over(connection, unfinished, run_id, work)
            for table in (_work, _batches, _runs):
                connection.execute(sa.delete(table).where(table.c.run_id == run_id))
            discovered = open_items = 0
            for rows in _chunks(_rows(run_id, work, batch_size, now)):
                connection.execute(sa.insert(_work), rows)
                discovered += len(rows)
                open_items += sum(row["batch"] >= 0 for row in rows)
            record = {
                "run_id": run_id,
                "kind": kind,
                "request": dict(request),
                "discovered": discovered,
                "batches": -(-open_items // batch_size),
                "problems": [dict(problem) for problem in problems],
                "started_at": _iso(now),
                "heartbeat_at": _iso(now),
                "owner": owner,
            }
            connection.execute(sa.insert(_runs).values(**record))
            connection.execute(sa.delete(_unsettled).where(_unsettled.c.run_id == run_id))
            connection.execute(sa.insert(_unsettled).values(run_id=run_id))
        return _run_record({**record, "finished_at": None, "report": None})

    def _take_over(
        self, connection: sa.Connection, unfinished: sa.ColumnElement[bool], run_id: str, work: WorkList
    ) -> None:
        # Locked, so that of two runs planned at once one gets it; SQLite locks the whole database.
        query = sa.select(_work).where(unfinished).order_by(_work.c.run_id, _work.c.position).limit(_CHUNK)
        here = sa.update(_work).where(_work.c.run_id == sa.bindparam("of_run"), _work.c.position == sa.bindparam("at"))
        behind: sa.ColumnElement[bool] = sa.true()
        while rows := connection.execute(query.where(behind).with_for_update()).mappings().all():
            for row in rows:
                work.take_over(replace(_ref(row), archived=_address(row)), row["discovered_at"])
            # These very rows: what another run leaves over at this moment is for the next one.
            taken = [{"of_run": row["run_id"], "at": row["position"]} for row in rows]
            connection.execute(here.values(taken_over_by=run_id), taken)
            of_run, at = rows[-1]["run_id"], rows[-1]["position"]
            behind = sa.or_(_work.c.run_id > of_run, sa.and_(_work.c.run_id == of_run, _work.c.position > at))

    def _owners_of_open_runs(self) -> list[str]:
        query = sa.select(_runs.c.owner).where(_runs.c.finished_at.is_(None), _runs.c.owner.is_not(None)).distinct()
        with self._reader.connect() as connection:
            return list(connection.execute(query).scalars())

    def run(self, run_id: str) -> RunRecord | None:
        """One run, or None."""
        with self._reader.connect() as connection:
            row = connection.execute(sa.select(_runs).where(_runs.c.run_id == run_id)).mappings().first()
        return _run_record(row) if row else None

    def runs(self, limit: int = 20) -> list[RunRecord]:
        """The latest runs, newest first."""
        with self._reader.connect() as connection:
            query = sa.select(_runs).order_by(_runs.c.started_at.desc()).limit(limit)
            return [_run_record(row) for row in connection.execute(query).mappings()]

    def unfinished_runs(self, kind: str) -> list[RunRecord]:
        """The runs of a kind that have no report yet, newest first."""
        query = (
            sa.select(_runs)
            .where(_runs.c.kind == kind, _runs.c.finished_at.is_(None))
            .order_by(_runs.c.started_at.desc())
        )
        with self._reader.connect() as connection:
            return [_run_record(row) for row in connection.execute(query).mappings()]

    def open_items(self, run_id: str, batch: int) -> list[WorkItem]:
        """What is still to be done in a batch: no outcome yet, or one that says nothing about the article."""
        query = (
            sa.select(_work)
            .where(
                _work.c.run_id == run_id,
                _work.c.batch == batch,
                _work.c.taken_over_by.is_(None),
                sa.or_(_work.c.outcome.is_(None), _work.c.reason.in_([reason.value for reason in KEPT])),
            )
            .order_by(_work.c.position)
        )
        with self._reader.connect() as connection:
            return [
                WorkItem(
                    position=row["position"],
                    ref=_ref(row),
                    archived=_address(row),
                    discovered_at=_time(row["discovered_at"]),
                )
                for row in connection.execute(query).mappings()
            ]

    def record_archived(
        self, run_id: str, found: Sequence[tuple[int, ArchiveAddress]], captures: Sequence[Capture], *, now: datetime
    ) -> None:
        """Note where references' raw records are, and the records that are new in the archive."""
        with self._engine.begin() as connection:
            if captures:
                _wait_for_turn(connection)  # so that captures are numbered in the order in which others see them
                connection.execute(sa.insert(_captures), [_capture_columns(capture) for capture in captures])
            for position, address in sorted(found, key=_position):  # in one order: two workers never wait in a ring
                connection.execute(self._item(run_id, position).values(**_address_columns(address)))
            self._beat(connection, run_id, now)

    def record_outcomes(self, run_id: str, results: Sequence[tuple[int, ItemResult]], *, now: datetime) -> None:
        """Write down how references ended.

        Where a batch is worked on twice at once, the run did to an article what either of its workers did: ``indexed``
        stays when the other finds it ``unchanged``, in whatever order they come.
        """
        with self._engine.begin() as connection:
            for position, result in sorted(results, key=_position):
                values = _outcome_columns(result, now)
                if result.archived:
                    values |= _address_columns(result.archived)
                item = self._item(run_id, position).where(_open_to(result.outcome.kind))
                connection.execute(item.values(**values))
            self._beat(connection, run_id, now)

    def record_stage_seconds(self, run_id: str, batch: int, seconds: Mapping[str, float]) -> None:
        """Keep how long each stage took in a batch; a batch tried again replaces its figures."""
        with self._engine.begin() as connection:
            _wait_for_turn(connection)  # a batch may be worked on twice at once, its first worker given up by mistake
            connection.execute(sa.delete(_batches).where(_batches.c.run_id == run_id, _batches.c.batch == batch))
            connection.execute(sa.insert(_batches).values(run_id=run_id, batch=batch, stage_seconds=dict(seconds)))

    def close_open_items(self, run_id: str, outcome: Outcome, *, now: datetime) -> None:
        """Give every reference of a run that has no outcome this one."""
        with self._engine.begin() as connection:
            connection.execute(
                sa.update(_work)
                .where(_work.c.run_id == run_id, _work.c.outcome.is_(None), _work.c.taken_over_by.is_(None))
                .values(
                    outcome=outcome.kind.value,
                    reason=outcome.reason.value if outcome.reason else None,
                    detail=outcome.detail,
                    stage="index",
                    ended_at=_iso(now),
                )
            )

    def finish_run(self, run_id: str, report: Mapping[str, Any], *, now: datetime) -> None:
        """Close a run with its report."""
        with self._engine.begin() as connection:
            connection.execute(
                sa.update(_runs).where(_runs.c.run_id == run_id).values(report=dict(report), finished_at=_iso(now))
            )

    def to_settle(self, run_id: str) -> tuple[list[str], datetime | None]:
        """The runs whose articles are to be settled now that this one has written all it has, and since when.

        These are this run, those that it took over from, and others that ended without it; since the first of all that
        they worked on was discovered.
        """
        taken_over = sa.select(_work.c.run_id).where(_work.c.taken_over_by == run_id)
        ended = sa.select(_runs.c.run_id).where(_runs.c.finished_at.is_not(None))
        forgotten = sa.select(_unsettled.c.run_id).where(_unsettled.c.run_id.in_(ended))
        with self._reader.connect() as connection:
            run_ids = sorted({run_id, *connection.execute(taken_over.union(forgotten)).scalars()})
            first = connection.execute(
                sa.select(sa.func.min(_work.c.discovered_at)).where(_work.c.run_id.in_(run_ids))
            ).scalar()
        return run_ids, _time(first) if first else None

    def record_settled(self, run_ids: Sequence[str]) -> None:
        """Note that the articles of these runs are settled."""
        with self._engine.begin() as connection:
            connection.execute(sa.delete(_unsettled).where(_unsettled.c.run_id.in_(list(run_ids))))

    def tally(self, run_id: str) -> Tally:
        """The run's counts: what was discovered when it was planned, against the outcomes that stand there now."""
        query = (
            sa.select(_work.c.outcome, _work.c.reason, sa.func.count())
            .where(_work.c.run_id == run_id)
            .group_by(_work.c.outcome, _work.c.reason)
        )
        outcomes: dict[OutcomeKind, int] = {}
        reasons: dict[str, int] = {}
        with self._reader.connect() as connection:
            planned = sa.select(_runs.c.discovered).where(_runs.c.run_id == run_id)
            discovered = connection.execute(planned).scalar_one()
            for outcome, reason, count in connection.execute(query):
                if outcome is None:
                    continue
                kind = OutcomeKind(outcome)
                outcomes[kind] = outcomes.get(kind, 0) + count
                if reason:
                    reasons[f"{outcome}({reason})"] = count
        return Tally(discovered=discovered, outcomes=outcomes, reasons=reasons)

    def tally_by_source(self, run_id: str) -> dict[str, Tally]:
        """The run's counts for each source."""
        query = (
            sa.select(_work.c.source_id, _work.c.outcome, sa.func.count())
            .where(_work.c.run_id == run_id)
            .group_by(_work.c.source_id, _work.c.outcome)
        )
        tallies: dict[str, Tally] = {}
        with self._reader.connect() as connection:
            for source_id, outcome, count in connection.execute(query):
                counts = {OutcomeKind(outcome): count} if outcome else {}
                tallies[source_id] = tallies.get(source_id, Tally()) + Tally(discovered=count, outcomes=counts)
        return tallies

    def stage_seconds(self, run_id: str) -> dict[str, float]:
        """Seconds spent in each stage, summed over the run's batches."""
        total: dict[str, float] = {}
        with self._reader.connect() as connection:
            query = sa.select(_batches.c.stage_seconds).where(_batches.c.run_id == run_id)
            for seconds in connection.execute(query).scalars():
                for stage, value in seconds.items():
                    total[stage] = total.get(stage, 0.0) + value
        return total

    def results(
        self, run_id: str, *, kind: OutcomeKind | None = None, source_id: str | None = None
    ) -> Iterator[LedgerEntry]:
        """Every reference of a run, in order; of those only what ended as ``kind``, or is of a source, where given."""
        query = sa.select(_work).where(_work.c.run_id == run_id).order_by(_work.c.position)
        if kind is not None:
            query = query.where(_work.c.outcome == kind.value)
        if source_id is not None:
            query = query.where(_work.c.source_id == source_id)
        with self._reader.connect() as connection:
            for row in connection.execute(query, execution_options={"yield_per": _CHUNK}).mappings():
                yield _entry(row)

    # --------------------------------------------------------------------------------------- history

    def history(self, *, name: str | None = None, document_id: str | None = None) -> list[LedgerEntry]:
        """Everything that happened to a reference or a document, oldest first."""
        wanted = [_work.c.name == name] if name else []
        if document_id:
            wanted.append(_work.c.document_id == document_id)
        query = sa.select(_work).where(sa.or_(sa.false(), *wanted)).order_by(
            # What was taken over was discovered at the same time as its successor.
            _work.c.discovered_at, _work.c.taken_over_by.is_(None), _work.c.position
        )  # fmt: skip
        with self._reader.connect() as connection:
            return [_entry(row) for row in connection.execute(query).mappings()]

    def latest_captures(self, names: Sequence[str]) -> dict[str, Capture]:
        """The newest capture of each of these names that has one."""
        found: dict[str, Capture] = {}
        with self._reader.connect() as connection:
            for start in range(0, len(names), 500):
                query = (
                    sa.select(_captures)
                    .where(_captures.c.name.in_(names[start : start + 500]))
                    .order_by(_captures.c.captured_at, _captures.c.id)
                )
                for row in connection.execute(query).mappings():
                    found[row["name"]] = _capture(row)
        return found

    def captures(
        self, *, source_ids: Sequence[str] = (), since: datetime | None = None, until: datetime | None = None
    ) -> Iterator[Capture]:
        """The newest capture of each reference, of these sources (all when empty), taken in ``since <= t < until``."""
        inside = [
            *([_captures.c.source_id.in_(list(source_ids))] if source_ids else []),
            *([_captures.c.captured_at >= _iso(since)] if since else []),
            *([_captures.c.captured_at < _iso(until)] if until else []),
        ]
        newest = sa.select(sa.func.max(_captures.c.id)).where(*inside).group_by(_captures.c.name)
        query = sa.select(_captures).where(_captures.c.id.in_(newest)).order_by(_captures.c.id)
        with self._reader.connect() as connection:
            for row in connection.execute(query, execution_options={"yield_per": _CHUNK}).mappings():
                yield _capture(row)

    def last_capture(self) -> int:
        """The number of the capture that was recorded last; 0 where there is none."""
        with self._reader.connect() as connection:
            return connection.execute(sa.select(sa.func.max(_captures.c.id))).scalar() or 0

    def newest_captures(self, *, after: int = 0, until: int | None = None) -> Iterator[tuple[Capture, datetime]]:
        """The newest capture of each reference and when it was first captured, in the order of those first captures.

        Of captures numbered ``after < n <= until`` only (see ``last_capture``).
        """
        upper = [_captures.c.id <= until] if until is not None else []
        newest = (
            sa.select(
                sa.func.max(_captures.c.id).label("id"),
                sa.func.min(_captures.c.id).label("first"),
                sa.func.min(_captures.c.captured_at).label("first_captured_at"),
            )
            .where(*upper)
            .group_by(_captures.c.name)
            .subquery()
        )
        query = (
            sa.select(_captures, newest.c.first_captured_at)
            .join(newest, newest.c.id == _captures.c.id)
            .where(_captures.c.id > after)
            .order_by(newest.c.first)
        )
        with self._reader.connect() as connection:
            for row in connection.execute(query, execution_options={"yield_per": _CHUNK}).mappings():
                yield _capture(row), _time(row["first_captured_at"])

    def captures_at(self, addresses: Sequence[ArchiveAddress]) -> dict[ArchiveAddress, Capture]:
        """The captures that stand at these addresses, as far as the ledger knows them."""
        found: dict[ArchiveAddress, Capture] = {}
        offsets: dict[str, dict[int, ArchiveAddress]] = {}
        for address in addresses:
            offsets.setdefault(address.file, {})[address.offset] = address
        with self._reader.connect() as connection:
            for file, wanted in offsets.items():
                for row in connection.execute(sa.select(_captures).where(_captures.c.archive_file == file)).mappings():
                    if (wanted_here := wanted.get(row["archive_offset"])) is not None:
                        found[wanted_here] = _capture(row)
        return found

    def count_captures(
        self, *, source_ids: Sequence[str], since: datetime, until: datetime
    ) -> dict[tuple[str, str], int]:
        """How many references of each source were captured on each day (ISO, UTC) in ``since <= t < until``."""
        day = sa.func.substr(_captures.c.captured_at, 1, 10)
        query = (
            sa.select(_captures.c.source_id, day, sa.func.count(sa.distinct(_captures.c.name)))
            .where(
                _captures.c.source_id.in_(list(source_ids)),
                _captures.c.captured_at >= _iso(since),
                _captures.c.captured_at < _iso(until),
            )
            .group_by(_captures.c.source_id, day)
        )
        with self._reader.connect() as connection:
            return {(source_id, on): count for source_id, on, count in connection.execute(query)}

    # ---------------------------------------------------------------------------------------- health

    def count_outcomes(self, *, since: datetime, until: datetime) -> dict[str, dict[tuple[str, str | None], int]]:
        """Each source's outcomes, by kind and reason, in ``since <= t < until``; without backfills and replays."""
        query = (
            sa.select(_work.c.source_id, _work.c.outcome, _work.c.reason, sa.func.count())
            .join(_runs, _runs.c.run_id == _work.c.run_id)
            .where(*self._ended_live(since, until))
            .group_by(_work.c.source_id, _work.c.outcome, _work.c.reason)
        )
        counts: dict[str, dict[tuple[str, str | None], int]] = {}
        with self._reader.connect() as connection:
            for source_id, outcome, reason, count in connection.execute(query):
                counts.setdefault(source_id, {})[outcome, reason] = count
        return counts

    def arrivals(self, *, days: int, until: datetime) -> dict[str, tuple[int, datetime, datetime]]:
        """How each source's new articles came: in how many different hours, the first and the last of them.

        Counted over the ``days`` before the last one, so that a source that has been silent for long keeps its habit.
        """
        ever = datetime(1970, 1, 1, tzinfo=UTC)
        indexed = _work.c.outcome == OutcomeKind.INDEXED.value
        hour = sa.func.substr(_work.c.ended_at, 1, 13)
        joined = _work.join(_runs, _runs.c.run_id == _work.c.run_id)
        latest = (
            sa.select(_work.c.source_id, sa.func.max(_work.c.ended_at))
            .select_from(joined)
            .where(*self._ended_live(ever, until), indexed)
            .group_by(_work.c.source_id)
        )
        found: dict[str, tuple[int, datetime, datetime]] = {}
        with self._reader.connect() as connection:
            for source_id, last in connection.execute(latest).all():
                since = _time(last) - timedelta(days=days)
                habit = (
                    sa.select(sa.func.count(sa.distinct(hour)), sa.func.min(_work.c.ended_at))
                    .select_from(joined)
                    .where(*self._ended_live(since, until), indexed, _work.c.source_id == source_id)
                )
                hours, first = connection.execute(habit).one()
                found[source_id] = (hours, _time(first), _time(last))
        return found

    def latest_example(self, source_id: str, outcome: str, reason: str | None) -> LedgerEntry | None:
        """The reference of a source that ended so last."""
        query = (
            sa.select(_work)
            .where(_work.c.source_id == source_id, _work.c.outcome == outcome, _work.c.reason == reason)
            .order_by(_work.c.ended_at.desc())
            .limit(1)
        )
        with self._reader.connect() as connection:
            row = connection.execute(query).mappings().first()
        return _entry(row) if row else None

    def _ended_live(self, since: datetime, until: datetime) -> tuple[sa.ColumnElement[bool], ...]:
        return (
            _work.c.ended_at >= _iso(since),
            _work.c.ended_at < _iso(until),
            _work.c.taken_over_by.is_(None),
            _runs.c.kind.not_in(KEEP_THEIR_OWN),
        )

    # ------------------------------------------------------------------------------------- takedowns

    def forgotten(self) -> Forgotten:
        """What was taken down and must stay out."""
        with self._reader.connect() as connection:
            rows = connection.execute(sa.select(_tombstones.c.kind, _tombstones.c.key)).all()
        return Forgotten.of(Tombstone(kind=kind, key=key) for kind, key in rows)

    def add_tombstones(self, tombstones: Iterable[Tombstone], *, asked: str, now: datetime) -> None:
        """Keep these out from now on; ``asked`` is what the person named. Those that are there already stay."""
        with self._engine.begin() as connection:
            known = {tuple(row) for row in connection.execute(sa.select(_tombstones.c.kind, _tombstones.c.key))}
            new = [stone for stone in dict.fromkeys(tombstones) if (stone.kind, stone.key) not in known]
            if new:
                rows = [{"kind": stone.kind, "key": stone.key, "since": _iso(now), "asked": asked} for stone in new]
                connection.execute(sa.insert(_tombstones), rows)

    def remove_tombstones(self, asked: str) -> int:
        """Let in again what was kept out since somebody named ``asked``; returns how many tombstones that were."""
        with self._engine.begin() as connection:
            return connection.execute(sa.delete(_tombstones).where(_tombstones.c.asked == asked)).rowcount

    def names_like(self, part: str) -> list[str]:
        """Every name in the ledger that contains ``part``."""
        with self._reader.connect() as connection:
            found = [
                connection.execute(
                    sa.select(table.c.name).where(table.c.name.contains(part, autoescape=True)).distinct()
                )
                for table in (_captures, _work)
            ]
            return sorted({name for names in found for name in names.scalars()})

    def captures_of(self, names: Sequence[str]) -> list[Capture]:
        """Every capture of these names."""
        found: list[Capture] = []
        with self._reader.connect() as connection:
            for start in range(0, len(names), 500):
                query = sa.select(_captures).where(_captures.c.name.in_(names[start : start + 500]))
                found += [_capture(row) for row in connection.execute(query).mappings()]
        return found

    def erase(self, names: Sequence[str]) -> None:
        """Forget the captures of these names and what their sources stated of them; that runs met them stays."""
        with self._engine.begin() as connection:
            for start in range(0, len(names), 500):
                some = names[start : start + 500]
                connection.execute(sa.delete(_captures).where(_captures.c.name.in_(some)))
                rows = connection.execute(sa.select(_work).where(_work.c.name.in_(some))).mappings().all()
                for row in rows:
                    here = (_work.c.run_id == row["run_id"], _work.c.position == row["position"])
                    bare = _dump(replace(_ref(row), facts=StatedFacts(), archived=None))
                    values = {"ref": bare, **_address_columns(None)}
                    connection.execute(sa.update(_work).where(*here).values(**values))

    def captures_in(self, file: str) -> list[Capture]:
        """Every capture in an archive file, in its order there."""
        query = sa.select(_captures).where(_captures.c.archive_file == file).order_by(_captures.c.archive_offset)
        with self._reader.connect() as connection:
            return [_capture(row) for row in connection.execute(query).mappings()]

    def replace_captures(self, captures: Iterable[Capture], *, taken_before: datetime) -> tuple[int, int]:
        """Let these be the captures, in their order, in place of all that were taken before that moment.

        Those taken since stay, behind them. Returns how many there are now, and how many of before are no longer
        among them. One transaction.
        """
        with self._engine.begin() as connection:
            _wait_for_turn(connection)
            there = {
                (row["archive_file"], row["archive_offset"]): dict(row)
                for row in connection.execute(sa.select(_captures).order_by(_captures.c.id)).mappings()
            }
            connection.execute(sa.delete(_captures))
            found, count = iter(captures), 0
            while chunk := [_capture_columns(capture) for capture in islice(found, 1000)]:
                for columns in chunk:
                    there.pop((columns["archive_file"], columns["archive_offset"]), None)
                connection.execute(sa.insert(_captures), chunk)
                count += len(chunk)
            later = [row for row in there.values() if row["captured_at"] >= _iso(taken_before)]
            if later:
                connection.execute(
                    sa.insert(_captures), [{key: row[key] for key in row if key != "id"} for row in later]
                )
        return count + len(later), len(there) - len(later)

    def erase_file(self, file: str) -> None:
        """Forget the captures in an archive file that is about to be deleted."""
        with self._engine.begin() as connection:
            connection.execute(sa.delete(_captures).where(_captures.c.archive_file == file))

    # --------------------------------------------------------------------------------------- private

    def _item(self, run_id: str, position: int) -> sa.Update:
        return sa.update(_work).where(
            _work.c.run_id == run_id, _work.c.position == position, _work.c.taken_over_by.is_(None)
        )

    def _beat(self, connection: sa.Connection, run_id: str, now: datetime) -> None:
        connection.execute(sa.update(_runs).where(_runs.c.run_id == run_id).values(heartbeat_at=_iso(now)))


def _prepare_sqlite(connection: Any, _: Any) -> None:
    connection.isolation_level = None  # transactions are begun by _begin_immediately
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=NORMAL")


def _begin_immediately(connection: sa.Connection) -> None:
    # Taking the write lock at once makes a second writer wait for it; upgrading later would fail instead.
    connection.exec_driver_sql("BEGIN IMMEDIATE" if not connection.get_execution_options().get("reading") else "BEGIN")


def _wait_for_turn(connection: sa.Connection) -> None:
    """Be the only one here until the transaction ends. SQLite has one writer anyway."""
    if connection.dialect.name == "postgresql":
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_TURN)))


_TURN = 0x6E657773
"""What the ledger's advisory lock in Postgres is called."""


_GIVES_WAY = {
    OutcomeKind.INDEXED: ("failed", "unchanged", "updated", "duplicate", "rejected"),
    OutcomeKind.UPDATED: ("failed", "unchanged"),
    OutcomeKind.DUPLICATE: ("failed", "unchanged"),
    OutcomeKind.REJECTED: ("failed",),
    OutcomeKind.UNCHANGED: ("failed",),
    OutcomeKind.FAILED: (),
}
"""Which outcomes each replaces: of two workers on one batch, one finds unchanged what the other has just indexed."""


def _open_to(kind: OutcomeKind) -> sa.ColumnElement[bool]:
    """Which references may still end as ``kind``."""
    kept = _work.c.reason.in_([reason.value for reason in KEPT])
    return sa.or_(_work.c.outcome.is_(None), kept, _work.c.outcome.in_(_GIVES_WAY[kind]))


def _position(item: tuple[int, Any]) -> int:
    return item[0]


def _rows(run_id: str, work: WorkList, batch_size: int, now: datetime) -> Iterator[dict[str, Any]]:
    open_items = 0
    for position, (item, discovered_at) in enumerate(work):
        ended = isinstance(item, ItemResult)
        ref = item.ref if isinstance(item, ItemResult) else item
        yield {
            "run_id": run_id,
            "position": position,
            "batch": -1 if ended else open_items // batch_size,
            "source_id": ref.source_id,
            "name": ref.name,
            "ref": _dump(replace(ref, archived=None)),
            "discovered_at": discovered_at or _iso(now),
            **_address_columns(ref.archived),
            **(_outcome_columns(item, now) if isinstance(item, ItemResult) else _NO_OUTCOME),
        }
        open_items += not ended


def _chunks(rows: Iterator[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    while some := list(islice(rows, _CHUNK)):
        yield some


_NO_OUTCOME: dict[str, Any] = {
    "stage": None, "outcome": None, "reason": None, "detail": None, "document_id": None, "ended_at": None,
}  # fmt: skip


def _outcome_columns(result: ItemResult, now: datetime) -> dict[str, Any]:
    return {
        "stage": result.stage,
        "outcome": result.outcome.kind.value,
        "reason": result.outcome.reason.value if result.outcome.reason else None,
        "detail": result.outcome.detail or None,
        "document_id": result.document_id,
        "ended_at": _iso(now),
    }


def _address_columns(address: ArchiveAddress | None) -> dict[str, Any]:
    return {
        "archive_file": address.file if address else None,
        "archive_offset": address.offset if address else None,
        "archive_digest": address.digest if address else None,
    }


def _capture_columns(capture: Capture) -> dict[str, Any]:
    return {
        "name": capture.ref.name,
        "source_id": capture.ref.source_id,
        "ref": _dump(replace(capture.ref, archived=None)),
        "captured_at": _iso(capture.captured_at),
        "etag": capture.etag,
        "last_modified": capture.last_modified,
        **_address_columns(capture.address),
    }


def _capture(row: Mapping[Any, Any]) -> Capture:
    address = _address(row)
    assert address is not None
    return Capture(
        ref=_ref(row),
        address=address,
        captured_at=_time(row["captured_at"]),
        etag=row["etag"],
        last_modified=row["last_modified"],
    )


def _address(row: Mapping[Any, Any]) -> ArchiveAddress | None:
    if row["archive_file"] is None:
        return None
    return ArchiveAddress(file=row["archive_file"], offset=row["archive_offset"], digest=row["archive_digest"])


def _ref(row: Mapping[Any, Any]) -> ArticleRef:
    return _REF.validate_json(row["ref"])


def _dump(ref: ArticleRef) -> str:
    return _REF.dump_json(ref, exclude_defaults=True).decode()


def _entry(row: Mapping[Any, Any]) -> LedgerEntry:
    return LedgerEntry(
        run_id=row["run_id"],
        position=row["position"],
        ref=_ref(row),
        discovered_at=_time(row["discovered_at"]),
        archived=_address(row),
        stage=row["stage"],
        outcome=row["outcome"],
        reason=row["reason"],
        detail=row["detail"],
        document_id=row["document_id"],
        ended_at=_time(row["ended_at"]) if row["ended_at"] else None,
        taken_over_by=row["taken_over_by"],
    )


def _run_record(row: Mapping[Any, Any]) -> RunRecord:
    return RunRecord(
        run_id=row["run_id"],
        kind=row["kind"],
        request=row["request"],
        discovered=row["discovered"],
        batches=row["batches"],
        problems=row["problems"],
        started_at=_time(row["started_at"]),
        heartbeat_at=_time(row["heartbeat_at"]),
        finished_at=_time(row["finished_at"]) if row["finished_at"] else None,
        report=row["report"],
    )


def _iso(time: datetime) -> str:
    # Text in one form and zone sorts as time does, in every database.
    return time.astimezone(UTC).isoformat(timespec="microseconds")


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)
