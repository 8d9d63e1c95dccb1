"""Alerts: each rule speaks up when it should, is quiet when it should, and says where to look."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from installation import Installation, article_text, write_texts

from pipeline.discover.state import SourceState, health_of
from pipeline.errors import Reason
from pipeline.index.quarantine import Entry
from pipeline.ledger import RunRecord
from pipeline.models import ArticleRef
from pipeline.operations import alerts
from pipeline.operations.alerts import Alert, Profile
from pipeline.run import run_now
from pipeline.schedule import RunRequest
from pipeline.settings import AlertSettings

NOW = datetime(2026, 3, 20, 12, 0, 0, 123456, tzinfo=UTC)
DAY = timedelta(days=1)
SETTINGS = AlertSettings(min_articles=10)


def test_a_source_is_silent_against_its_own_habit() -> None:
    """An hourly source is missed within hours, a weekly one only after weeks; a new one not at all."""
    hourly = (500, NOW - 21 * DAY, NOW - timedelta(hours=20))
    weekly = (3, NOW - 24 * DAY, NOW - 10 * DAY)
    new = (1, NOW - 20 * DAY, NOW - 20 * DAY)
    found = alerts.silent_sources({"h": hourly, "w": weekly, "n": new}, ["h", "w", "n", "x"], SETTINGS, NOW)
    assert [alert.source for alert in found] == ["h"]
    assert found[0].since == hourly[2]
    assert "20 hours" in found[0].message
    later = alerts.silent_sources({"w": weekly}, ["w"], SETTINGS, NOW + 20 * DAY)
    assert [alert.source for alert in later] == ["w"]
    assert alerts.silent_sources({"h": hourly}, [], SETTINGS, NOW) == []  # not watched


def test_a_source_that_cannot_be_read_is_named_after_the_third_time() -> None:
    """Two failures may be chance, three are told with the last error."""
    states = [SourceState(error_streak=n, last_error="HTTP 500") for n in (0, 2, 3)]
    found = alerts.unreadable_sources(health_of(f"s{n}", state) for n, state in enumerate(states))
    assert [alert.source for alert in found] == ["s2"]
    assert "HTTP 500" in found[0].message


def test_a_jump_in_failures_or_rejections_names_the_reason_behind_it() -> None:
    """Only a rate that is well above the source's own is told."""
    before = {
        "a": {("indexed", None): 90, ("failed", "timeout"): 10},
        "b": {("indexed", None): 50, ("rejected", "too_short"): 50},
    }
    recent = {
        "a": {("indexed", None): 10, ("failed", "extract_error"): 8, ("failed", "timeout"): 2},
        "b": {("indexed", None): 10, ("rejected", "too_short"): 12},
        "new": {("failed", "dns"): 99},
    }
    (found,) = alerts.jumped_rates(recent, before, SETTINGS, NOW)
    assert (found.kind, found.source, found.field) == ("failures", "a", "extract_error")
    assert found.command == "news quarantine list --source a --reason extract_error"
    recent["b"] = {("rejected", "paywall_stub"): 20}
    assert {alert.kind for alert in alerts.jumped_rates(recent, before, SETTINGS, NOW)} == {"failures", "rejections"}


def days(**last: Any) -> list[Profile]:
    """Ten usual days and one that is different."""
    usual = Profile(
        start=NOW - DAY, articles=20, median_words=400, without={"date": 0, "author": 10}, languages={"en": 20}
    )
    return [*(replace(usual, start=NOW - DAY * n) for n in range(11, 1, -1)), replace(usual, **last)]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"median_words": 90}, "body"),
        ({"median_words": 2000}, "body"),
        ({"without": {"date": 15, "author": 10}}, "date"),
        ({"languages": {"en": 5, "und": 15}}, "language"),
    ],
)
def test_articles_unlike_the_sources_earlier_ones_are_told(change: dict[str, Any], field: str) -> None:
    """Shorter or longer bodies, a field that goes missing, another language: one alert with the field's name."""
    (found,) = alerts.drifted("paper", days(**change), SETTINGS, NOW)
    assert (found.kind, found.source, found.field) == ("drift", "paper", field)
    assert found.since == NOW - DAY
    assert "news compare --source paper" in found.command


def test_a_usual_day_is_no_drift() -> None:
    """Small changes, and what was always missing, are nobody's business."""
    assert alerts.drifted("paper", days(median_words=350, without={"date": 2, "author": 12}), SETTINGS, NOW) == []
    assert alerts.drifted("paper", days(median_words=10, articles=3), SETTINGS, NOW) == []
    assert alerts.drifted("paper", days(median_words=10)[-1:], SETTINGS, NOW) == []


def test_drift_says_since_when() -> None:
    """A change that began three days ago is dated three days ago."""
    changed = days(median_words=90)
    changed[-3:] = [replace(day, median_words=90) for day in changed[-3:]]
    (found,) = alerts.drifted("paper", changed, SETTINGS, NOW)
    assert found.since == NOW - 3 * DAY


def test_late_articles_are_told_with_the_latest() -> None:
    """The middle article counts, not the odd straggler."""
    on_time = [(10.0, "a")] * 19 + [(5000.0, "late")]
    assert alerts.stale_articles(on_time, SETTINGS, NOW) == []
    (found,) = alerts.stale_articles([(300.0, "a")] * 19 + [(5000.0, "late")], SETTINGS, NOW)
    assert "300 minutes" in found.message
    assert found.example is not None
    assert found.example.startswith("late")


def test_a_growing_quarantine_is_told_with_its_main_reason() -> None:
    """New entries count, old ones that are only retried don't."""

    def entry(number: int, age: timedelta) -> Entry:
        return Entry(
            ref=ArticleRef(source_id="paper", url=f"https://paper.example/{number}"), stage="extract",
            reason=Reason.EXTRACT_TIMEOUT, message="", last_failed_at=NOW, first_failed_at=NOW - age, run_id="r",
            command="",
        )  # fmt: skip

    settings = AlertSettings(quarantine_growth=5)
    assert alerts.growing_quarantine([entry(n, 3 * DAY) for n in range(9)], settings, NOW) == []
    (found,) = alerts.growing_quarantine([entry(n, timedelta(hours=2)) for n in range(9)], settings, NOW)
    assert found.since == NOW - timedelta(hours=2)
    assert found.command == "news quarantine list --reason extract_timeout --source paper"


def test_runs_that_failed_or_stopped_are_told() -> None:
    """A failed run of today and one without a sign of life; not yesterday's, not one that is under way."""

    def run(name: str, **fields: Any) -> RunRecord:
        base: dict[str, Any] = {
            "run_id": name, "kind": "airflow", "request": {}, "discovered": 1, "batches": 1, "problems": [],
            "started_at": NOW - DAY, "heartbeat_at": NOW, "finished_at": None, "report": None,
        }  # fmt: skip
        return RunRecord(**{**base, **fields})

    failed = {"status": "failed", "problems": [{"message": "no feed"}]}
    found = alerts.troubled_runs(
        [
            run("failed", finished_at=NOW, report=failed),
            run("long-ago", finished_at=NOW - 2 * DAY, report=failed),
            run("good", finished_at=NOW, report={"status": "succeeded"}),
            run("stuck", heartbeat_at=NOW - timedelta(hours=3)),
            run("busy", heartbeat_at=NOW - timedelta(minutes=3)),
        ],
        NOW,
    )
    assert [(alert.kind, alert.field) for alert in found] == [("run_failed", "failed"), ("run_stuck", "stuck")]


def test_an_alert_is_told_once_a_day_and_again_when_it_comes_back(installation: Installation) -> None:
    """Nobody gets the same mail every half hour, and nobody misses a second outbreak."""
    alert = Alert(kind="freshness", source=None, since=NOW, message="late", command="x")
    services = installation.services(now=lambda: NOW)
    assert alerts.untold([alert], alerts.read_told(services), NOW) == [alert]
    alerts.remember_told(services, [alert], [alert])
    told = alerts.read_told(services)
    assert alerts.untold([alert], told, NOW + timedelta(hours=3)) == []
    assert alerts.untold([alert], told, NOW + timedelta(hours=25)) == [alert]
    alerts.remember_told(services, [], [])
    assert alerts.untold([alert], alerts.read_told(services), NOW + timedelta(hours=4)) == [alert]


def test_the_check_finds_drift_and_silence_in_a_real_index(
    installation: Installation, news: Callable[..., Any]
) -> None:
    """Days of usual articles and one of long ones: the command names source, field and an example, and exits with 1."""
    folder = installation.root / "desk"
    settings = "[alerts]\nmin_articles = 5\nsilence_hours = 1\n"
    installation.write_config(
        sources=f'[[source]]\nid = "desk"\nkind = "folder"\nlocation = "{folder}"\n', settings=settings
    )
    sources = installation.sources()

    def ingest(at: datetime) -> None:
        run_now(installation.services(now=lambda: at), RunRequest(source_ids=("desk",)), sources, kind="news run")

    now = datetime.now(UTC)
    for number, ago in enumerate((4, 3, 2)):
        write_texts(folder, range(10 * number, 10 * number + 6))
        ingest(now - ago * DAY)
    healthy = installation.services(now=lambda: now - 2 * DAY + timedelta(minutes=5))
    assert alerts.check(healthy, sources) == []
    for number in range(6):
        long = article_text(900 + number) + "\n\n" + "And more was said about survey and repair. " * 60
        (folder / f"long{number}.txt").write_text(long)
    ingest(now - timedelta(hours=2))
    found = news("alerts", "check", "--json", code=1)
    by_kind = {alert["kind"]: alert for alert in found}
    assert set(by_kind) == {"drift"}
    drift = by_kind["drift"]
    assert (drift["source"], drift["field"]) == ("desk", "body")
    assert drift["example"].endswith(".txt")
    month_later = installation.services(now=lambda: now + 17 * DAY)
    silent = alerts.check(month_later, sources)
    assert [(alert.kind, alert.source) for alert in silent] == [("source_silent", "desk")]
    assert "look closer" in silent[0].as_text()
