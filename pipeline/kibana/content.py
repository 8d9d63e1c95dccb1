"""The data views, saved searches and dashboards: data only. Prefix and space are added by ``objects.py``.

What is left out and why: run reports keep their reasons as nested documents, which Lens can't count, so reasons are
counted from the quarantine (failures only).
"""

from __future__ import annotations

from typing import Any, get_args

from pipeline.kibana.charts import (
    Bucket,
    Chart,
    Control,
    Dashboard,
    DataView,
    Dates,
    Exists,
    Is,
    Kind,
    Listing,
    Metric,
    Not,
    Note,
    Operation,
    SavedSearch,
    Terms,
    View,
)
from pipeline.models import OutcomeKind, Stage

# ------------------------------------------------------------------------------------------ data views

_LINK: dict[str, object] = {"id": "url", "params": {}}
_NUMBER: dict[str, object] = {"id": "number", "params": {"pattern": "0,0"}}
_PERCENT: dict[str, object] = {"id": "percent", "params": {"pattern": "0%"}}
_SECONDS: dict[str, object] = {
    "id": "duration",
    "params": {"inputFormat": "seconds", "outputFormat": "humanizePrecise", "outputPrecision": 1},
}


def _colours(**colours: str) -> dict[str, object]:
    return {
        "id": "color",
        "params": {
            "fieldType": "string",
            "colors": [
                {"range": "-Infinity:Infinity", "regex": f"^{value}$", "text": "#1D2A3E", "background": colour}
                for value, colour in colours.items()
            ],
        },
    }


_GREEN, _YELLOW, _RED, _GREY = "#A6EDEA", "#FDE9B5", "#FFC9C2", "#E3E8F2"
_STATUS = _colours(
    succeeded=_GREEN, ok=_GREEN, healthy=_GREEN, partial=_YELLOW, degraded=_YELLOW, failed=_RED, failing=_RED,
    running=_GREY,
)  # fmt: skip

_ARTICLE_LABELS = {
    "@timestamp": "Date",
    "headline": "Headline",
    "description": "Description",
    "body": "Text",
    "url": "Link",
    "canonical_url": "Canonical link",
    "path": "File",
    "site": "Site",
    "source.id": "Source",
    "source.via": "Found through",
    "authors": "Authors",
    "section": "Section",
    "keywords": "Keywords",
    "publisher": "Publisher",
    "published_at": "Published",
    "modified_at": "Changed",
    "first_seen_at": "First seen",
    "fetched_at": "Fetched",
    "delay_seconds": "Publication to searchable",
    "timestamp_basis": "Date is",
    "language": "Language",
    "language_confidence": "Confidence of the language",
    "word_count": "Words",
    "entities.person": "People",
    "entities.place": "Places",
    "entities.organization": "Organizations",
    "entities.event": "Events",
    "countries": "Countries",
    "locations": "Coordinates of places",
    "cluster_id": "Story",
    "similarity": "Similarity",
    "duplicate_of": "Same text as",
    "archive.file": "Archive file",
    "archive.offset": "Archive offset",
    "archive.digest": "Archive digest",
    "run.id": "Run",
}
_ARTICLE_NOTES = {
    "@timestamp": "Publication date where it is known, else when the article was first seen.",
    "published_at": "Empty where no publication date is known; never invented.",
    "delay_seconds": "Where the publication date is known to the minute.",
    "similarity": "Of a near copy with the article that its story began with, 0 to 1.",
    "body": "Searched in the language of the article: body: running finds run, too.",
    "archive.file": "WARC file with the raw page; with the offset it names the record.",
    "cluster_id": "Articles with the same value tell the same story.",
    "duplicate_of": "Id of the article of another site that has the same text.",
}
_ARTICLE_FORMATS: dict[str, dict[str, object]] = {
    "url": _LINK,
    "canonical_url": _LINK,
    "image": _LINK,
    "word_count": _NUMBER,
    "archive.offset": _NUMBER,
    "language_confidence": _PERCENT,
    "delay_seconds": _SECONDS,
}

_OUTCOMES = tuple(kind.value for kind in OutcomeKind)
_OUTCOME_LABELS = {f"outcomes.{kind}": kind.capitalize() for kind in _OUTCOMES}
_STAGES = get_args(Stage)

VIEWS: tuple[DataView, ...] = (
    DataView(
        key="articles",
        index="articles",
        name="News articles",
        time_field="@timestamp",
        labels=_ARTICLE_LABELS,
        notes=_ARTICLE_NOTES,
        formats=_ARTICLE_FORMATS,
    ),
    DataView(
        key="arrivals",
        index="articles",
        name="News articles by arrival",
        time_field="first_seen_at",
        labels=_ARTICLE_LABELS,
        notes=_ARTICLE_NOTES,
        formats=_ARTICLE_FORMATS,
    ),
    DataView(
        key="runs",
        index="runs",
        name="News runs",
        time_field="@timestamp",
        labels={
            "@timestamp": "Started",
            "event.end": "Ended",
            "run.id": "Run",
            "run.kind": "Kind",
            "run.status": "Status",
            "sources": "Sources",
            "source.id": "Source",
            "discovered": "Discovered",
            **_OUTCOME_LABELS,
            "seconds.total": "Duration",
            **{f"seconds.{stage}": f"Time in {stage}" for stage in _STAGES},
            "error.message": "Error",
        },
        formats={
            "run.status": _STATUS,
            "discovered": _NUMBER,
            **{f"outcomes.{kind}": _NUMBER for kind in _OUTCOMES},
            "seconds.total": _SECONDS,
            **{f"seconds.{stage}": _SECONDS for stage in _STAGES},
        },
    ),
    DataView(
        key="sources",
        index="sources",
        name="News sources",
        # Without a time field every source is listed, also one that has been silent for a year.
        time_field=None,
        labels={
            "@timestamp": "Last run",
            "source.id": "Source",
            "source.name": "Name",
            "source.kind": "Kind",
            "source.location": "Location",
            "source.language": "Language",
            "source.country": "Country",
            "source.enabled": "Enabled",
            "status": "Status",
            "last_success_at": "Last success",
            "last_failure_at": "Last failure",
            "last_article_at": "Last article",
            "consecutive_failures": "Failures in a row",
            "discovered": "Discovered",
            **_OUTCOME_LABELS,
            "reason": "Reason",
            "error.message": "Error",
        },
        formats={"status": _STATUS, "source.location": _LINK, "consecutive_failures": _NUMBER, "discovered": _NUMBER},
    ),
    DataView(
        key="quarantine",
        index="quarantine",
        name="News quarantine",
        time_field="@timestamp",
        labels={
            "@timestamp": "Last failure",
            "first_failed_at": "Failing since",
            "last_failed_at": "Last failure (same)",
            "name": "What",
            "source.id": "Source",
            "stage": "Stage",
            "reason": "Reason",
            "error.message": "Error",
            "attempts": "Attempts",
            "command": "Try again with",
            "archive.file": "Archive file",
            "archive.offset": "Archive offset",
            "run.id": "Run",
        },
        formats={"name": _LINK, "attempts": _NUMBER, "archive.offset": _NUMBER},
    ),
)  # fmt: skip

# -------------------------------------------------------------------------------------- saved searches

SEARCHES: tuple[SavedSearch, ...] = (
    SavedSearch(
        key="latest-articles",
        title="News: latest articles",
        description="Newest first, with links. Words you search for are highlighted; body: running finds run, too.",
        view="articles",
        columns=("headline", "source.id", "language", "url", "entities.person", "entities.place"),
        sort=(("@timestamp", "desc"),),
    ),
    SavedSearch(
        key="article-texts",
        title="News: full texts and archive records",
        description="What an article says, and where its raw page lies in the archive.",
        view="articles",
        columns=("headline", "body", "url", "archive.file", "archive.offset", "run.id"),
        sort=(("@timestamp", "desc"),),
    ),
    SavedSearch(
        key="undated-articles",
        title="News: articles without a publication date",
        description="Their date is the day they were first seen.",
        view="articles",
        columns=("headline", "source.id", "url", "path"),
        sort=(("@timestamp", "desc"),),
        filter=Is("timestamp_basis", ("first_seen",)),
    ),
    SavedSearch(
        key="runs",
        title="News: runs",
        description="Every run, newest first.",
        view="runs",
        columns=("run.id", "run.kind", "run.status", "discovered", *_OUTCOME_LABELS, "seconds.total", "error.message"),
        sort=(("@timestamp", "desc"),),
        row_lines=1,
    ),
    SavedSearch(
        key="source-health",
        title="News: health of the sources",
        description="One row per source, the longest failing first.",
        view="sources",
        columns=("source.id", "status", "reason", "consecutive_failures", "last_success_at", "last_article_at",
                 "discovered", "outcomes.indexed", "outcomes.failed", "error.message"),
        sort=(("consecutive_failures", "desc"), ("source.id", "asc")),
        row_lines=2,
    ),
    SavedSearch(
        key="quarantine",
        title="News: quarantine",
        description="What failed, why, since when, and the command that tries it again.",
        view="quarantine",
        columns=("name", "source.id", "stage", "reason", "error.message", "attempts", "first_failed_at", "command"),
        sort=(("@timestamp", "desc"),),
    ),
)  # fmt: skip

# ------------------------------------------------------------------------------------------ dashboards


def _metric(operation: Operation, field: str, label: str, **more: Any) -> Metric:
    return Metric(operation=operation, field=field, label=label, **more)


def _count(label: str = "Articles", **more: Any) -> Metric:
    return Metric(operation="count", label=label, **more)


def _newest(field: str, label: str) -> Metric:
    return _metric("last_value", field, label, type="string")


def _terms(field: str, label: str, limit: int = 10, **more: Any) -> Terms:
    return Terms(field=field, label=label, limit=limit, **more)


def _dates(field: str, label: str, **more: Any) -> Dates:
    return Dates(field=field, label=label, **more)


def _chart(
    title: str, kind: Kind, *by: Bucket, view: View = "articles", metrics: tuple[Metric, ...] = (_count(),), **more: Any
) -> Chart:
    return Chart(title=title, kind=kind, by=by, view=view, metrics=metrics, **more)


def _number(title: str, metric: Metric | None = None, **more: Any) -> Chart:
    return _chart(title, "metric", metrics=(metric or _count(title),), **more)


def _top(title: str, field: str, limit: int = 10, **more: Any) -> Chart:
    return _chart(title, "bar_horizontal", _terms(field, title, limit), **more)


def _control(title: str, field: str, view: View = "articles") -> Control:
    return Control(title=title, view=view, field=field)


_DAY = _dates("@timestamp", "Date")
_LANGUAGES = _terms("language", "Language", 9)
_STANDS_OUT = "More frequent in what is selected than in all articles. Search or filter first."
_NOTE = (
    "Search in the bar above, for example `headline: flood and language: en`. Click a bar to filter. "
    "[Entity]({dashboard:entity}) · [Ingestion]({dashboard:ingestion}) · [Sources]({dashboard:sources}) · "
    "[Quarantine]({dashboard:quarantine}) · [Map of places]({map:places})"
)

ARTICLES = Dashboard(
    key="articles",
    title="News: articles",
    description="What is written, by whom, about whom and where.",
    since="now-1y",
    controls=(_control("Source", "source.id"), _control("Language", "language"), _control("Person", "entities.person")),
    rows=(
        (4, (Note(title="How to use this", text=_NOTE),)),
        (6, (
            _number("Articles"),
            _number("Sources", _metric("unique_count", "source.id", "Sources")),
            _number("Languages", _metric("unique_count", "language", "Languages")),
            _number("People named", _metric("unique_count", "entities.person", "People named")),
        )),
        (12, (
            _chart("Articles by language", "bar_stacked", _DAY, _LANGUAGES),
            _chart("Articles by source", "bar_stacked", _DAY, _terms("source.id", "Source", 9)),
        )),
        (13, (
            _top("People", "entities.person"),
            _top("Places", "entities.place"),
            _top("Organizations", "entities.organization"),
        )),
        (16, (
            _chart("Countries on the map", "region_map", _terms("countries", "Country", 250),
                   description="Borders come from Elastic's map service; the list beside it needs no internet."),
            _top("Countries", "countries", 15),
        )),
        (13, (
            _chart("Keywords that stand out", "table", _terms("keywords", "Keyword", 12, rank="significant"),
                   description=_STANDS_OUT),
            _chart("People who stand out", "table", _terms("entities.person", "Person", 12, rank="significant"),
                   description=_STANDS_OUT),
        )),
        (13, (
            # Only the articles that joined a story have a similarity, not the one it began with.
            _chart("Stories told most often", "table", _terms("cluster_id", "Story", 20), filter=Exists("similarity"),
                   metrics=(
                       _count("Told again"),
                       _metric("unique_count", "source.id", "Sources"),
                       _newest("headline.keyword", "Latest headline"),
                   ),
                   description="Near copies of one text, beyond the first."),
            _chart("The same text on several sites", "table", _terms("duplicate_of", "First found as", 20),
                   filter=Exists("duplicate_of"),
                   metrics=(
                       _count("Copies"),
                       _metric("unique_count", "site", "Sites"),
                       _newest("headline.keyword", "Headline"),
                   )),
        )),
        (20, (Listing(title="Latest articles", search="latest-articles"),)),
    ),
)  # fmt: skip

ENTITY = Dashboard(
    key="entity",
    title="News: a person, place or organization",
    description="Choose a name above: when it was in the news, where, and beside whom.",
    since="now-1y",
    controls=(
        _control("Person", "entities.person"),
        _control("Place", "entities.place"),
        _control("Organization", "entities.organization"),
        _control("Source", "source.id"),
        _control("Language", "language"),
    ),
    rows=(
        (6, (
            _number("Articles that name it", _count()),
            _number("Sources", _metric("unique_count", "source.id", "Sources")),
            _number("First", _metric("min", "@timestamp", "First", type="date")),
            _number("Latest", _metric("max", "@timestamp", "Latest", type="date")),
        )),
        (12, (_chart("Over time, by language", "bar_stacked", _DAY, _LANGUAGES),)),
        (14, (
            _top("People beside it", "entities.person", 15,
                 description="A chosen person heads this list; the others share articles with them."),
            _top("Places beside it", "entities.place", 15),
            _top("Organizations beside it", "entities.organization", 15),
        )),
        (12, (_top("Who writes about it", "source.id", 15), _top("In which section", "section", 15))),
        (20, (Listing(title="Latest articles", search="latest-articles"),)),
    ),
)  # fmt: skip

_STARTED = _dates("@timestamp", "Started")
_SEEN = _dates("first_seen_at", "First seen")
_BY_SOURCE = _terms("source.id", "Source", 50)
_OUTCOME_SUMS = tuple(_metric("sum", field, label) for field, label in _OUTCOME_LABELS.items())
_UNACCOUNTED = _metric("difference", "discovered", "Without an outcome", less=tuple(_OUTCOME_LABELS))


def _middle_and_most(field: str) -> tuple[Metric, ...]:
    return (
        _metric("median", field, "Median", format="seconds"),
        _metric("percentile", field, "95 of 100 below", percentile=95, format="seconds"),
    )


INGESTION = Dashboard(
    key="ingestion",
    title="News: ingestion",
    description="Runs, outcomes, durations, freshness, and what comes from each source against the usual.",
    since="now-7d",
    controls=(_control("Source", "source.id", "arrivals"),),
    rows=(
        (6, (
            _number("Runs", view="runs"),
            _number("Runs not all well", view="runs", filter=Is("run.status", ("failed", "partial"))),
            _number("Without an outcome", _UNACCOUNTED, view="runs", filter=Not(Is("run.status", ("running",))),
                    description="Discovered less all outcomes of finished runs. Anything but 0 is a fault."),
            _number("Articles added", _metric("sum", "outcomes.indexed", "Articles added"), view="runs"),
        )),
        (12, (
            _chart("Outcomes", "bar_stacked", _STARTED, view="runs", metrics=_OUTCOME_SUMS),
            _chart("Why articles failed", "bar_stacked", _terms("reason", "Reason", 15), _terms("stage", "Stage", 6),
                   view="quarantine", metrics=(_count("In quarantine"),)),
        )),
        (12, (
            _chart("How long runs take", "line", _STARTED, view="runs", metrics=_middle_and_most("seconds.total")),
            _chart("Where the time goes", "bar_stacked", _STARTED, view="runs",
                   metrics=tuple(_metric("sum", f"seconds.{stage}", stage, format="seconds") for stage in _STAGES)),
        )),
        (12, (
            _chart("Freshness: publication to searchable", "line", _SEEN, view="arrivals",
                   metrics=_middle_and_most("delay_seconds"),
                   description="Of articles whose publication is known to the minute."),
            _chart("Arrived, by day of publication", "bar", _dates("published_at", "Published", interval="1d"),
                   view="arrivals",
                   description="Of what arrived in the chosen time. Fresh news stand at the right end."),
        )),
        (13, (
            _chart("Arrived per day and source", "line", _dates("first_seen_at", "First seen", interval="1d"),
                   _terms("source.id", "Source", 12), view="arrivals"),
            _chart("Each source against its usual", "table", _BY_SOURCE, view="arrivals",
                   metrics=(
                       _count("Last 7 days", within=7),
                       _count("7 days before", within=7, days_ago=7),
                       _count("Last day", within=1),
                       _count("Same day a week ago", within=1, days_ago=7),
                   ),
                   description="A source that falls behind its week before has changed or gone silent."),
        )),
        (13, (
            _chart("Drift: what extraction finds, by source", "table", _BY_SOURCE, view="arrivals",
                   metrics=(
                       _count(),
                       _count("With a date", filter=Exists("published_at")),
                       _count("With authors", filter=Exists("authors")),
                       _count("With a description", filter=Exists("description")),
                       _metric("median", "word_count", "Words (median)"),
                       _count("Language unknown", filter=Is("language", ("und",))),
                   ),
                   description="Compare with an earlier time: a site that was redesigned loses dates or authors."),
        )),
        (14, (
            _chart("Latest runs", "table", _terms("run.id", "Run", 30), view="runs",
                   metrics=(
                       _metric("max", "@timestamp", "Started", type="date"),
                       _newest("run.status", "Status"),
                       _metric("sum", "discovered", "Discovered"),
                       *_OUTCOME_SUMS,
                       _UNACCOUNTED,
                       _metric("max", "seconds.total", "Duration", format="seconds"),
                   )),
        )),
    ),
)  # fmt: skip

SOURCES = Dashboard(
    key="sources",
    title="News: sources",
    description="Which sources are well, and which need a look.",
    since="now-30d",
    controls=(
        _control("Source", "source.id", "sources"),
        _control("Status", "status", "sources"),
        _control("Language", "source.language", "sources"),
    ),
    rows=(
        (6, (
            _number("Sources", view="sources"),
            _number("Failed last time", view="sources", filter=Exists("reason")),
            _number("Most failures in a row", _metric("max", "consecutive_failures", "Most failures in a row"),
                    view="sources"),
        )),
        (12, (
            _chart("By status", "bar_horizontal", _terms("status", "Status"), view="sources",
                   metrics=(_count("Sources"),)),
            _chart("Why sources fail", "bar_horizontal", _terms("reason", "Reason"), view="sources",
                   metrics=(_count("Sources"),)),
            _chart("Silent longest", "table", _terms("source.id", "Source", 20, direction="asc"), view="sources",
                   metrics=(_metric("min", "last_article_at", "Last article", type="date"),),
                   filter=Exists("last_article_at")),
        )),
        (24, (Listing(title="Health", search="source-health"),)),
    ),
)  # fmt: skip

QUARANTINE = Dashboard(
    key="quarantine",
    title="News: quarantine",
    description="What failed, why, since when, and how to try it again.",
    since="now-1y",
    controls=(
        _control("Source", "source.id", "quarantine"),
        _control("Stage", "stage", "quarantine"),
        _control("Reason", "reason", "quarantine"),
    ),
    rows=(
        (6, (
            _number("In quarantine", _count("Entries"), view="quarantine"),
            _number("Oldest", _metric("min", "first_failed_at", "Oldest", type="date"), view="quarantine"),
            _number("Most attempts", _metric("max", "attempts", "Most attempts"), view="quarantine"),
        )),
        (12, (
            _chart("Why", "bar_horizontal", _terms("reason", "Reason", 15), view="quarantine",
                   metrics=(_count("Entries"),)),
            _chart("Where", "bar_horizontal", _terms("source.id", "Source", 15), view="quarantine",
                   metrics=(_count("Entries"),)),
            _chart("Since when", "bar_stacked", _dates("first_failed_at", "Failing since"),
                   _terms("stage", "Stage", 6), view="quarantine", metrics=(_count("Entries"),)),
        )),
        (24, (Listing(title="What, why and the command that tries it again", search="quarantine"),)),
    ),
)  # fmt: skip

DASHBOARDS: tuple[Dashboard, ...] = (ARTICLES, ENTITY, INGESTION, SOURCES, QUARANTINE)
