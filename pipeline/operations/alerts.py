"""Alerts: what somebody should look at, each with its source, since when, an example and the command that shows more.

The rules are pure functions from figures to alerts; ``check`` collects the figures from the ledger and the index. A
source is judged against its own past, the weeks (``alerts.baseline_days``) before the last 24 hours. Backfills and
replays don't count.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from shlex import quote
from statistics import median
from typing import Any, Literal

from pipeline.discover.state import SourceHealth
from pipeline.index import quarantine
from pipeline.index.client import call
from pipeline.index.documents import iso
from pipeline.index.templates import Names
from pipeline.ledger import RunRecord
from pipeline.models import Source
from pipeline.reprocess import stored_articles
from pipeline.run import Services
from pipeline.settings import MANUAL, AlertSettings

DAY = timedelta(days=1)

Kind = Literal[
    "source_silent", "source_unreadable", "rejections", "failures", "drift", "freshness", "quarantine", "run_failed",
    "run_stuck", "run_late",
]  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One thing to look at. ``key`` is equal for the same trouble from one check to the next."""

    kind: Kind
    source: str | None
    since: datetime | None
    message: str
    command: str
    example: str | None = None
    field: str | None = None

    @property
    def key(self) -> str:
        """Identity over several checks."""
        return ":".join(part for part in (self.kind, self.source, self.field) if part)

    def as_dict(self) -> dict[str, Any]:
        """A JSON-ready form."""
        return {"key": self.key, **asdict(self), "since": self.since.isoformat() if self.since else None}

    def as_text(self) -> str:
        """One paragraph for a terminal, a log or a mail."""
        lines = [f"{self.kind}{f' · {self.source}' if self.source else ''}: {self.message}"]
        if self.since:
            lines.append(f"  since {self.since.astimezone(UTC):%Y-%m-%d %H:%M}Z")
        if self.example:
            lines.append(f"  example: {self.example}")
        lines.append(f"  look closer: {self.command}")
        return "\n".join(lines)


# --------------------------------------------------------------------------------------------- silence


def silent_sources(
    arrivals: Mapping[str, tuple[int, datetime, datetime]],
    source_ids: Iterable[str],
    settings: AlertSettings,
    now: datetime,
) -> list[Alert]:
    """Sources without a new article for several times their usual pause. Pure.

    ``arrivals`` are, by source, in how many hours new articles came lately, the first and the last time (see
    ``Ledger.arrivals``). Two arrivals or fewer are no habit.
    """
    alerts = []
    for source_id in sorted(source_ids):
        hours, first, last = arrivals.get(source_id, (0, now, now))
        if hours < 3:
            continue
        usual = (last - first) / (hours - 1)
        bound = max(usual * settings.silence_factor, timedelta(hours=settings.silence_hours))
        if now - last > bound:
            alerts.append(
                Alert(
                    kind="source_silent",
                    source=source_id,
                    since=last,
                    message=f"no new article for {_span(now - last)}; usually one every {_span(usual)}",
                    command=f"news run {source_id} && news sources list",
                )
            )
    return alerts


def unreadable_sources(healths: Iterable[SourceHealth]) -> list[Alert]:
    """Sources whose listing could not be read three times running. Pure."""
    return [
        Alert(
            kind="source_unreadable",
            source=health.source_id,
            since=health.last_success,
            message=f"its listing could not be read {health.error_streak} times running: {health.last_error}",
            command=f"news run {health.source_id}",
        )
        for health in healths
        if health.error_streak >= 3
    ]


# ----------------------------------------------------------------------------------------------- rates

Outcomes = Mapping[tuple[str, str | None], int]


def jumped_rates(
    recent: Mapping[str, Outcomes],
    before: Mapping[str, Outcomes],
    settings: AlertSettings,
    now: datetime,
) -> list[Alert]:
    """Sources of which many more articles are rejected or fail than usual. Pure.

    The most frequent reason among what is more than usual is named; its example is filled in by ``check``.
    """
    alerts = []
    for source_id, counts in sorted(recent.items()):
        total, past = sum(counts.values()), before.get(source_id, {})
        if total < settings.min_articles or sum(past.values()) < settings.min_articles:
            continue
        for outcome, kind in (("rejected", "rejections"), ("failed", "failures")):
            rate, usual = _rate(counts, outcome), _rate(past, outcome)
            if rate - usual <= settings.rate_jump:
                continue
            reasons = {reason: count for (ended, reason), count in counts.items() if ended == outcome}
            reason = max(reasons, key=lambda name: (reasons[name], name or ""))
            where = f"--source {source_id}" + (f" --reason {reason}" if reason else "")
            alerts.append(
                Alert(
                    kind=kind,  # type: ignore[arg-type]
                    source=source_id,
                    since=now - DAY,
                    message=f"{rate:.0%} of {total} articles {outcome} (usually {usual:.0%}), mostly {reason}",
                    command=f"news quarantine list {where}" if outcome == "failed" else "news explain EXAMPLE",
                    field=reason,
                )
            )
    return alerts


def _rate(counts: Outcomes, outcome: str) -> float:
    total = sum(counts.values())
    return sum(count for (ended, _), count in counts.items() if ended == outcome) / total if total else 0.0


# ----------------------------------------------------------------------------------------------- drift


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """How a source's articles of one day looked. ``without`` counts those lacking a field, by field."""

    start: datetime
    articles: int
    median_words: float
    without: Mapping[str, int] = field(default_factory=dict)
    languages: Mapping[str, int] = field(default_factory=dict)


def drifted(source_id: str, days: Sequence[Profile], settings: AlertSettings, now: datetime) -> list[Alert]:
    """What is new about a source's articles in the last day, against the days before. Pure.

    ``days`` are 24-hour spans counted back from now. Since when: the first of the days in a row, up to the last one,
    that differ as much.
    """
    border = now - DAY - timedelta(seconds=1)  # Elasticsearch counts in milliseconds
    recent = [day for day in days if day.start >= border]
    before = [day for day in days if day.start < border]
    if sum(day.articles for day in recent) < settings.min_articles:
        return []
    if sum(day.articles for day in before) < settings.min_articles:
        return []
    alerts = []

    def add(name: str, message: str, first: datetime) -> None:
        alerts.append(
            Alert(
                kind="drift",
                source=source_id,
                since=first,
                message=message,
                command=f"news compare --source {source_id} --sample 50",
                field=name,
            )
        )

    usual_words = _weighted_median(before)
    words = _weighted_median(recent)
    if usual_words and abs(words - usual_words) / usual_words > settings.drift:
        first = _since(days, lambda day: abs(day.median_words - usual_words) / usual_words > settings.drift)
        add("body", f"the middle article has {words:.0f} words, usually {usual_words:.0f}", first)
    for name in sorted({name for day in days for name in day.without}):
        usual, share = _share_without(before, name), _share_without(recent, name)
        if share - usual > settings.drift:
            first = _since(
                days, lambda day, name=name, usual=usual: _share_without([day], name) - usual > settings.drift
            )
            add(name, f"{share:.0%} of the articles have no {name}, usually {usual:.0%}", first)
    main = max(_languages(before).items(), key=lambda item: (item[1], item[0]), default=("", 0))[0]
    usual, share = _language_share(before, main), _language_share(recent, main)
    if main and usual - share > settings.drift:
        first = _since(days, lambda day: usual - _language_share([day], main) > settings.drift)
        now_main = max(_languages(recent).items(), key=lambda item: (item[1], item[0]))[0]
        add("language", f"{share:.0%} of the articles are in {main}, usually {usual:.0%}; now mostly {now_main}", first)
    return alerts


def _weighted_median(days: Sequence[Profile]) -> float:
    # Each day's middle, as often as it had articles: near enough to the middle of all.
    return float(median([day.median_words for day in days for _ in range(min(day.articles, 1000))]))


def _share_without(days: Sequence[Profile], name: str) -> float:
    total = sum(day.articles for day in days)
    return sum(day.without.get(name, 0) for day in days) / total if total else 0.0


def _languages(days: Sequence[Profile]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for day in days:
        for language, count in day.languages.items():
            counts[language] = counts.get(language, 0) + count
    return counts


def _language_share(days: Sequence[Profile], language: str) -> float:
    total = sum(day.articles for day in days)
    return _languages(days).get(language, 0) / total if total else 0.0


def _since(days: Sequence[Profile], differs: Any) -> datetime:
    first = max(day.start for day in days)
    for day in sorted((day for day in days if day.articles), key=lambda day: day.start, reverse=True):
        if not differs(day):
            break
        first = day.start
    return first


# ------------------------------------------------------------------------------- freshness, quarantine, runs


def stale_articles(delays: Sequence[tuple[float, str]], settings: AlertSettings, now: datetime) -> list[Alert]:
    """Whether the last day's articles came too late; ``delays`` are minutes from publication to searchable. Pure."""
    if len(delays) < settings.min_articles:
        return []
    middle = median(minutes for minutes, _ in delays)
    if middle <= settings.freshness_minutes:
        return []
    minutes, example = max(delays)
    return [
        Alert(
            kind="freshness",
            source=None,
            since=now - DAY,
            message=f"the middle of {len(delays)} articles was searchable {middle:.0f} minutes after its publication; "
            f"the target is {settings.freshness_minutes:.0f}",
            example=f"{example} ({minutes:.0f} minutes)",
            command="news explain EXAMPLE",
        )
    ]


def growing_quarantine(entries: Iterable[quarantine.Entry], settings: AlertSettings, now: datetime) -> list[Alert]:
    """Whether much has come into quarantine in the last day. Pure."""
    new = [entry for entry in entries if (entry.first_failed_at or entry.last_failed_at) > now - DAY]
    if len(new) <= settings.quarantine_growth:
        return []
    reasons: dict[tuple[str, str], int] = {}
    for entry in new:
        reasons[entry.reason.value, entry.ref.source_id] = reasons.get((entry.reason.value, entry.ref.source_id), 0) + 1
    (reason, source_id), count = max(reasons.items(), key=lambda item: (item[1], item[0]))
    example = next(entry for entry in new if (entry.reason.value, entry.ref.source_id) == (reason, source_id))
    return [
        Alert(
            kind="quarantine",
            source=None,
            since=min(entry.first_failed_at or entry.last_failed_at for entry in new),
            message=f"{len(new)} new entries in a day; {count} of them {reason} from {source_id}",
            example=example.ref.name,
            command=f"news quarantine list --reason {reason} --source {source_id}",
        )
    ]


def troubled_runs(runs: Iterable[RunRecord], now: datetime) -> list[Alert]:
    """Runs of the last day that failed, or that have given no sign of life for two hours. Pure."""
    alerts = []
    for run in runs:
        if run.report is None:
            if now - run.heartbeat_at > timedelta(hours=2):
                alerts.append(
                    Alert(
                        kind="run_stuck",
                        source=None,
                        since=run.heartbeat_at,
                        message=f"run {run.run_id} ({run.kind}) was never finished",
                        command="news backfill … (the same command goes on with it)"
                        if "backfill" in run.kind
                        else "news run SOURCE (takes over what is left)",
                        field=run.run_id,
                    )
                )
        elif run.report.get("status") == "failed" and run.finished_at and run.finished_at > now - DAY:
            problems = "; ".join(problem["message"] for problem in run.report.get("problems", ()))
            left = run.report.get("kept_for_next_run", 0)
            alerts.append(
                Alert(
                    kind="run_failed",
                    source=None,
                    since=run.started_at,
                    message=f"run {run.run_id} failed: {left} articles left over. {problems}".strip(),
                    command="news doctor",
                    field=run.run_id,
                )
            )
    return alerts


# ------------------------------------------------------------------------------------------ collecting


def check(services: Services, sources: Sequence[Source]) -> list[Alert]:
    """Every alert there is now. Raises IndexUnavailableError."""
    settings, now = services.settings.alerts, services.now()
    client, prefix = services.elasticsearch, services.prefix
    past = now - DAY - timedelta(days=settings.baseline_days)
    watched = [source.id for source in sources if source.enabled and source.schedule != MANUAL]
    ledger = services.ledger
    found = silent_sources(ledger.arrivals(days=settings.baseline_days, until=now), watched, settings, now)
    found += unreadable_sources(services.states.health(source_id) for source_id in watched)
    rates = jumped_rates(
        ledger.count_outcomes(since=now - DAY, until=now),
        ledger.count_outcomes(since=past, until=now - DAY),
        settings,
        now,
    )
    found += [_with_example(services, alert) for alert in rates]
    for source_id, days in profiles(services, past, now).items():
        found += [_with_document(services, alert, now) for alert in drifted(source_id, days, settings, now)]
    found += stale_articles(_delays(services, now), settings, now)
    found += growing_quarantine(quarantine.entries(client, limit=10_000, prefix=prefix), settings, now)
    found += troubled_runs(ledger.runs(limit=500), now)
    return found


def _with_example(services: Services, alert: Alert) -> Alert:
    outcome = "rejected" if alert.kind == "rejections" else "failed"
    entry = services.ledger.latest_example(alert.source or "", outcome, alert.field)
    return _naming(alert, entry.ref.name) if entry else alert


def _with_document(services: Services, alert: Alert, now: datetime) -> Alert:
    missing = {"date": "published_at", "author": "authors", "title": "headline"}.get(alert.field or "")
    query: dict[str, Any] = {
        "bool": {
            "filter": [
                {"term": {"source.id": alert.source}},
                {"range": {"first_seen_at": {"gte": iso(now - DAY)}}},
            ],
            "must_not": [{"exists": {"field": missing}}] if missing else [],
        }
    }
    names = Names(services.prefix)
    answer = call(
        lambda: services.elasticsearch.search(
            index=names.articles, ignore_unavailable=True, query=query, size=1, source_includes=["url", "path"],
            sort=[{"first_seen_at": "desc"}],
        )
    )  # fmt: skip
    hits = answer["hits"]["hits"]
    if not hits:
        return alert
    return _naming(alert, hits[0]["_source"].get("url") or hits[0]["_source"].get("path"), keep_command=True)


def _naming(alert: Alert, example: str, *, keep_command: bool = False) -> Alert:
    command = alert.command if keep_command else alert.command.replace("EXAMPLE", quote(example))
    return replace(alert, example=example, command=command)


def profiles(services: Services, since: datetime, now: datetime) -> dict[str, list[Profile]]:
    """How each source's articles looked, for each span of 24 hours counted back from now."""
    offset = int(now.timestamp() * 1000) % 86_400_000
    lacking = {"date": "published_at", "author": "authors", "title": "headline"}
    aggregations: dict[str, Any] = {
        "sources": {
            "terms": {"field": "source.id", "size": 10_000},
            "aggs": {
                "days": {
                    "date_histogram": {
                        "field": "first_seen_at", "fixed_interval": "24h", "offset": f"{offset}ms", "min_doc_count": 1,
                    },
                    "aggs": {
                        "words": {"percentiles": {"field": "word_count", "percents": [50]}},
                        "languages": {"terms": {"field": "language", "size": 10}},
                        "lacking": {
                            "filters": {
                                "filters": {
                                    name: {"bool": {"must_not": [{"exists": {"field": path}}]}}
                                    for name, path in lacking.items()
                                }
                            }
                        },
                    },
                }
            },
        }
    }  # fmt: skip
    answer = call(
        lambda: services.elasticsearch.search(
            index=Names(services.prefix).articles,
            ignore_unavailable=True,
            size=0,
            query={"range": {"first_seen_at": {"gte": iso(since), "lt": iso(now)}}},
            aggs=aggregations,
        )
    )
    if "aggregations" not in answer:
        return {}
    return {
        str(source["key"]): [
            Profile(
                start=datetime.fromtimestamp(day["key"] / 1000, UTC),
                articles=day["doc_count"],
                median_words=day["words"]["values"]["50.0"] or 0.0,
                without={name: bucket["doc_count"] for name, bucket in day["lacking"]["buckets"].items()},
                languages={bucket["key"]: bucket["doc_count"] for bucket in day["languages"]["buckets"]},
            )
            for day in source["days"]["buckets"]
        ]
        for source in answer["aggregations"]["sources"]["buckets"]
    }


def _delays(services: Services, now: datetime) -> list[tuple[float, str]]:
    """Minutes from publication to searchable, of what was published and first seen within the last two days and one."""
    query = {
        "bool": {
            "filter": [
                {"range": {"first_seen_at": {"gte": iso(now - DAY)}}},
                {"range": {"published_at": {"gte": iso(now - 2 * DAY)}}},
                # A date without a time says nothing about minutes.
                {"bool": {"must_not": [{"term": {"published.precision": "day"}}]}},
            ]
        }
    }
    fields = ("first_seen_at", "published_at", "url", "path")
    delays = []
    for document in stored_articles(services.elasticsearch, query, fields, prefix=services.prefix):
        seen, published = (datetime.fromisoformat(document[key]) for key in ("first_seen_at", "published_at"))
        delays.append(
            (max(0.0, (seen - published).total_seconds() / 60), document.get("url") or document.get("path", ""))
        )
        if len(delays) == 10_000:
            break
    return delays


def _span(span: timedelta) -> str:
    hours = span.total_seconds() / 3600
    return f"{hours:.0f} hours" if hours < 72 else f"{hours / 24:.0f} days"


# ---------------------------------------------------------------------------------------------- telling

TOLD_AGAIN_AFTER = DAY
"""An alert that goes on is told once a day."""


def untold(alerts: Iterable[Alert], told: Mapping[str, str], now: datetime) -> list[Alert]:
    """The alerts that nobody has been told of lately; ``told`` are the times (ISO) by key. Pure."""
    return [
        alert
        for alert in alerts
        if alert.key not in told or now - datetime.fromisoformat(told[alert.key]) >= TOLD_AGAIN_AFTER
    ]


def read_told(services: Services) -> dict[str, str]:
    """When each alert was told last. A file that is lost or damaged means that alerts are told again."""
    try:
        found = json.loads((services.settings.home / "alerts.json").read_text(encoding="utf-8"))
        return {str(key): str(value) for key, value in found.items()}
    except (OSError, ValueError, AttributeError):
        return {}


def remember_told(services: Services, now_told: Iterable[Alert], going_on: Iterable[Alert]) -> None:
    """Note that these were told; what is over is dropped, so that it is told at once when it comes back."""
    told, keys = read_told(services), {alert.key for alert in going_on}
    told.update({alert.key: services.now().isoformat() for alert in now_told})
    path = services.settings.home / "alerts.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(f".{services.new_name()}")
    temporary.write_text(json.dumps({key: at for key, at in told.items() if key in keys}), encoding="utf-8")
    temporary.replace(path)
