from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from pipeline.errors import ConfigurationError
from pipeline.models import Source, SourceKind, Window
from pipeline.schedule import DAG_ID, RunRequest, dag_id_of, parse_window, request_from_conf, scheduled_sources

HOURLY = "0 * * * *"
DAY = Window(since=datetime(2026, 3, 1, tzinfo=UTC), until=datetime(2026, 3, 2, tzinfo=UTC))


def source(id_: str, **fields: Any) -> Source:
    return Source(id=id_, kind=SourceKind.FOLDER, location=id_, **fields)


SOURCES = [source("a"), source("b", schedule="*/30 * * * *"), source("c")]


def request(conf: dict[str, Any], **fields: Any) -> RunRequest:
    return request_from_conf(conf, SOURCES, default_source_ids=("a", "c"), **fields)


@pytest.mark.parametrize(
    ("conf", "said"),
    [
        ({"sorces": ["a"]}, ["'sorces'", "sources", "since", "until"]),
        ({"sources": "a"}, ["sources", "'a'", "list"]),
        ({"sources": [1]}, ["sources", "[1]"]),
        ({"sources": ["a", "x"]}, ["'x'", "a, b, c"]),
        ({"since": "yesterday"}, ["since", "'yesterday'", "2026-11-20"]),
        ({"since": 20260301}, ["since", "20260301"]),
        ({"since": "2026-03-02", "until": "2026-03-01"}, ["since", "until", "before"]),
        ({"since": "2026-03-01", "until": "2026-03-01"}, ["since", "until"]),
        # What would be a shell command, a template or a path, if anything took it for one.
        ({"sources": ["a; rm -rf /"]}, ["'a; rm -rf /'", "a, b, c"]),
        ({"sources": ["../../etc/passwd"]}, ["'../../etc/passwd'"]),
        ({"sources": ["{{ var.value.key }}"]}, ["'{{ var.value.key }}'"]),
        ({"since": "{{ ds }}"}, ["since", "'{{ ds }}'"]),
        ({"until": "2026-03-01$(id)"}, ["until", "'2026-03-01$(id)'"]),
        ({"mode": "refetch && id"}, ["mode", "'refetch && id'", "reextract"]),
        ({"preview": "{{ 1 }}"}, ["preview", "'{{ 1 }}'"]),
    ],
)
def test_a_wrong_conf_is_refused(conf: dict[str, Any], said: list[str]) -> None:
    """Airflow lets unknown keys pass; the plan step doesn't, and its message names key, value and what is allowed."""
    with pytest.raises(ConfigurationError) as caught:
        request(conf)
    assert all(part in caught.value.message for part in said), caught.value.message


def test_without_conf_the_schedule_s_sources_run() -> None:
    """A scheduled run asks its own sources, without a window: nothing late falls between two intervals."""
    assert request({}).source_ids == ("a", "c")
    assert request({}).window is None
    assert request({"sources": [], "since": None, "until": None}).source_ids == ("a", "c")


def test_named_sources_run_whatever_their_schedule() -> None:
    """By hand any source can be run."""
    assert request({"sources": ["b"]}).source_ids == ("b",)


def test_a_backfill_s_interval_is_the_window_unless_conf_says_otherwise() -> None:
    """`since` and `until` of the form win over the data interval."""
    assert request({}, backfill_interval=DAY).window == DAY
    window = request({"since": "2026-01-01"}, backfill_interval=DAY).window
    assert window == Window(since=datetime(2026, 1, 1, tzinfo=UTC), until=datetime(9999, 1, 1, tzinfo=UTC))


def test_a_window_is_read_in_any_zone() -> None:
    """Dates and times of ISO 8601; without a zone they are UTC; an open end is open."""
    window = parse_window("2026-03-01T05:30:00+01:00", "2026-03-02")
    assert window is not None
    assert window.since == datetime(2026, 3, 1, 5, 30, tzinfo=timezone(timedelta(hours=1)))
    assert window.until == DAY.until
    assert parse_window(None, None) is None
    open_start = parse_window(None, "2026-03-02T00:00:00Z")
    assert open_start is not None
    assert open_start.since < datetime(2000, 1, 1, tzinfo=UTC)


def test_each_enabled_source_has_one_schedule() -> None:
    """Sources without a schedule run on the default one; manual and disabled ones on none."""
    sources = [*SOURCES, source("d", schedule="manual"), source("e", enabled=False), source("f", schedule=HOURLY)]
    assert scheduled_sources(sources, HOURLY) == {HOURLY: ("a", "c", "f"), "*/30 * * * *": ("b",)}
    assert scheduled_sources([], HOURLY) == {HOURLY: ()}


@pytest.mark.parametrize(
    ("schedule", "dag_id"),
    [
        (HOURLY, DAG_ID),
        ("*/15 6-22 * * *", "news_ingest.every15_6-22_x_x_x"),
        ("0 0 1,15 * MON", "news_ingest.0_0_1-15_x_MON"),
    ],
)
def test_a_schedule_s_dag_has_a_lasting_id(schedule: str, dag_id: str) -> None:
    """The id is one that Airflow allows, and the same in every release: its history hangs on it."""
    assert dag_id_of(schedule, HOURLY) == dag_id


def test_a_request_can_be_kept_as_json() -> None:
    """The report says what the run was asked to do."""
    kept = RunRequest(source_ids=("a",), window=DAY, from_archive=True, names=("x",)).as_dict()
    assert kept["sources"] == ["a"]
    assert (kept["since"], kept["until"]) == ("2026-03-01T00:00:00+00:00", "2026-03-02T00:00:00+00:00")
    assert kept["from_archive"] is True
