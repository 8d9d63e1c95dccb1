"""What a run is asked to do, and when sources run. Light to import, for DAG files are read all the time."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pipeline.errors import ConfigurationError
from pipeline.models import Mode, Source, Window
from pipeline.settings import MANUAL

DAG_ID = "news_ingest"
"""The DAG of the default schedule, and the one that runs by hand."""

POOL = "news"
"""The Airflow pool that all tasks of the DAGs take their slots from."""

BACKFILL_POOL = "news_backfill"
"""The pool of backfills' batches, so that they never take the live schedule's slots."""


def schedules_are_on() -> bool:
    """Whether DAGs run by the clock, or only by hand (environment variable ``NEWS_SCHEDULED``)."""
    return os.environ.get("NEWS_SCHEDULED", "true") != "false"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRequest:
    """What a run was asked to do. ``window`` limits discovery, or the captures taken from the archive.

    ``names`` limits a run from the archive to these references. ``only_due`` leaves out sources that adaptive
    polling asks less often, because they brought nothing new. ``mode`` makes the run a backfill.
    """

    source_ids: tuple[str, ...]
    window: Window | None = None
    from_archive: bool = False
    names: tuple[str, ...] = ()
    only_due: bool = False
    mode: Mode | None = None

    @property
    def is_backfill(self) -> bool:
        """Whether the run works on the past, and so must leave what is remembered of the sources as it is."""
        return self.mode is not None or self.window is not None or self.from_archive

    def as_dict(self) -> dict[str, Any]:
        """A JSON-ready form, for the ledger and the report."""
        return {
            "sources": list(self.source_ids),
            "since": self.window.since.isoformat() if self.window else None,
            "until": self.window.until.isoformat() if self.window else None,
            "from_archive": self.from_archive,
            "names": list(self.names),
            "mode": self.mode.value if self.mode else None,
        }


def request_from_conf(
    conf: Mapping[str, Any],
    sources: Sequence[Source],
    *,
    default_source_ids: Sequence[str],
    backfill_interval: Window | None = None,
) -> RunRequest:
    """Read a DAG run's configuration. The window is ``since``/``until`` of the conf, else the backfill's interval.

    A scheduled run has no window: what a feed brought late or a folder holds with an old time stamp must not
    fall between two intervals; what is known already is recognised as such.

    Raises ConfigurationError for an unknown key, source or date: Airflow itself lets unknown keys pass.
    """
    allowed = {"sources", "since", "until", "mode", "preview"}
    if unknown := sorted(set(conf) - allowed):
        raise ConfigurationError(f"conf: unknown key {unknown[0]!r}; allowed are {', '.join(sorted(allowed))}")
    named = conf.get("sources") or ()
    if isinstance(named, str) or not all(isinstance(item, str) for item in named):
        raise ConfigurationError(f"conf: sources: {named!r} is no list of source ids")
    known = {source.id for source in sources}
    for source_id in named:
        if source_id not in known:
            raise ConfigurationError(f"conf: sources: no source {source_id!r}; known are {', '.join(sorted(known))}")
    modes = [mode.value for mode in Mode]
    if (mode := conf.get("mode") or None) is not None and mode not in modes:
        raise ConfigurationError(f"conf: mode: {mode!r} is not one of {', '.join(modes)}, nor empty")
    if not isinstance(conf.get("preview", False), bool):
        raise ConfigurationError(f"conf: preview: {conf['preview']!r} is neither true nor false")
    window = parse_window(conf.get("since"), conf.get("until")) or backfill_interval
    return RunRequest(
        source_ids=tuple(named) or tuple(default_source_ids),
        window=window,
        mode=Mode(mode) if mode else None,
        only_due=not (named or window or mode),
    )


def parse_window(since: str | None, until: str | None) -> Window | None:
    """A window from two ISO 8601 dates or times (UTC where no zone is given); None where neither is given.

    An open end is the distant past or future. Raises ConfigurationError for what is no date, or an empty window.
    """
    if not since and not until:
        return None
    start = _parse_time(since, "since") if since else datetime(1990, 1, 1, tzinfo=UTC)
    end = _parse_time(until, "until") if until else datetime(9999, 1, 1, tzinfo=UTC)
    if start >= end:
        raise ConfigurationError(f"since ({since}) must be before until ({until})")
    return Window(since=start, until=end)


def _parse_time(text: str, name: str) -> datetime:
    try:
        value = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        raise ConfigurationError(
            f"{name}: {text!r} is no date; write 2026-11-20 or 2026-11-20T05:30:00+01:00"
        ) from None
    return value if value.tzinfo else value.replace(tzinfo=UTC)


def scheduled_sources(sources: Sequence[Source], default_schedule: str) -> dict[str, tuple[str, ...]]:
    """Enabled sources by the cron line they run on; the default schedule is there even when it has none.

    Sources on schedule ``manual`` are in none: they run when somebody names them.
    """
    by_schedule: dict[str, list[str]] = {default_schedule: []}
    for source in sources:
        schedule = source.schedule or default_schedule
        if source.enabled and source.schedule != MANUAL:
            by_schedule.setdefault(schedule, []).append(source.id)
    return {schedule: tuple(ids) for schedule, ids in by_schedule.items()}


def dag_id_of(schedule: str, default_schedule: str) -> str:
    """The id of the DAG that runs the sources of a schedule.

    >>> dag_id_of("*/15 6-22 * * *", "0 * * * *")
    'news_ingest.every15_6-22_x_x_x'
    """
    if schedule == default_schedule:
        return DAG_ID
    slug = "_".join(field.replace("*/", "every").replace("*", "x") for field in schedule.split())
    return f"{DAG_ID}.{re.sub(r'[^A-Za-z0-9_.-]', '-', slug)}"
