"""The data views, saved searches and dashboards: data only. Prefix and space are added by ``objects.py``.

What is left out and why: run reports keep their reasons as nested documents, which Lens can't count, so reasons are
counted from the quarantine (failures only).
"""

from __future__ import annotations

from typing import get_args

from pipeline.kibana.charts import (
    Chart,
    Control,
    Dashboard,
    DataView,
    Dates,
    Exists,
    Is,
    Listing,
    Metric,
    Not,
    Note,
    RuntimeField,
    SavedSearch,
    Terms,
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
_MINUTES: dict[str, object] = {
    "id": "duration",
    "params": {"inputFormat": "minutes", "outputFormat": "humanizePrecise", "outputPrecision": 1},
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
    "duplicate_of": "Same text as",
    "archive.file": "Archive file",
    "archive.offset": "Archive offset",
    "archive.digest": "Archive digest",
    "run.id": "Run",
}
_ARTICLE_NOTES = {
    "@timestamp": "Publication date where it is known, else when the article was first seen.",
    "published_at": "Empty where no publication date is known; never invented.",
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
}

_OUTCOMES = tuple(kind.value for kind in OutcomeKind)
_OUTCOME_LABELS = {f"outcomes.{kind}": kind.capitalize() for kind in _OUTCOMES}
_STAGES = get_args(Stage)

DELAY = RuntimeField(
    name="delay_minutes",
    type="long",
    script=(
        "if (doc['published_at'].size() > 0 && doc['first_seen_at'].size() > 0) { "
        "long delay = doc['first_seen_at'].value.toInstant().toEpochMilli()"
        " - doc['published_at'].value.toInstant().toEpochMilli(); "
        "if (delay >= 0) { emit(delay / 60000); } }"
    ),
)
"""From publication to searchable. It pays as a runtime field: it costs nothing to keep and is asked for seldom."""

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
        labels=_ARTICLE_LABELS | {DELAY.name: "Publication to searchable"},
        notes=_ARTICLE_NOTES,
        formats=_ARTICLE_FORMATS | {DELAY.name: _MINUTES},
        runtime_fields=(DELAY,),
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

_COUNT = Metric(operation="count", label="Articles")
_DAY = Dates(field="@timestamp", label="Date")


def _distinct(field: str, label: str) -> Metric:
    return Metric(operation="unique_count", field=field, label=label)


def _top(title: str, field: str, *, limit: int = 10, description: str = "") -> Chart:
    return Chart(
        title=title,
        view="articles",
        kind="bar_horizontal",
        metrics=(_COUNT,),
        by=(Terms(field=field, label=title, limit=limit),),
        description=description,
    )


def _number(title: str, metric: Metric, **kwargs: object) -> Chart:
    return Chart(title=title, kind="metric", metrics=(metric,), **{"view": "articles", **kwargs})  # type: ignore[arg-type]


_BY_SOURCE = Control(title="Source", view="articles", field="source.id")
_BY_LANGUAGE = Control(title="Language", view="articles", field="language")

ARTICLES = Dashboard(
    key="articles",
    title="News: articles",
    description="What is written, by whom, about whom and where.",
    since="now-1y",
    controls=(_BY_SOURCE, _BY_LANGUAGE, Control(title="Person", view="articles", field="entities.person")),
    rows=(
        (4, (
            Note(
                title="How to use this",
                text="Search in the bar above, for example `headline: flood and language: en`. Click a bar to filter. "
                     "[Entity]({dashboard:entity}) · [Ingestion]({dashboard:ingestion}) · "
                     "[Sources]({dashboard:sources}) · [Quarantine]({dashboard:quarantine}) · "
                     "[Map of places]({map:places})",
            ),
        )),
        (6, (
            _number("Articles", _COUNT),
            _number("Sources", _distinct("source.id", "Sources")),
            _number("Languages", _distinct("language", "Languages")),
            _number("People named", _distinct("entities.person", "People named")),
        )),
        (12, (
            Chart(title="Articles by language", view="articles", kind="bar_stacked", metrics=(_COUNT,),
                  by=(_DAY, Terms(field="language", label="Language", limit=9))),
            Chart(title="Articles by source", view="articles", kind="bar_stacked", metrics=(_COUNT,),
                  by=(_DAY, Terms(field="source.id", label="Source", limit=9))),
        )),
        (13, (
            _top("People", "entities.person"),
            _top("Places", "entities.place"),
            _top("Organizations", "entities.organization"),
        )),
        (16, (
            Chart(title="Countries on the map", view="articles", kind="region_map", metrics=(_COUNT,),
                  by=(Terms(field="countries", label="Country", limit=250),),
                  description="Borders come from Elastic's map service; the list beside it needs no internet."),
            _top("Countries", "countries", limit=15),
        )),
        (13, (
            Chart(title="Keywords that stand out", view="articles", kind="table", metrics=(_COUNT,),
                  by=(Terms(field="keywords", label="Keyword", limit=12, rank="significant"),),
                  description="More frequent in what is selected than in all articles. Search or filter first."),
            Chart(title="People who stand out", view="articles", kind="table", metrics=(_COUNT,),
                  by=(Terms(field="entities.person", label="Person", limit=12, rank="significant"),),
                  description="More frequent in what is selected than in all articles. Search or filter first."),
        )),
        (13, (
            Chart(title="Stories told most often", view="articles", kind="table",
                  metrics=(
                      _COUNT,
                      _distinct("source.id", "Sources"),
                      Metric(operation="last_value", field="headline.keyword", label="Latest headline", type="string"),
                  ),
                  by=(Terms(field="cluster_id", label="Story", limit=20),), filter=Exists("cluster_id")),
            Chart(title="The same text on several sites", view="articles", kind="table",
                  metrics=(
                      Metric(operation="count", label="Copies"),
                      _distinct("site", "Sites"),
                      Metric(operation="last_value", field="headline.keyword", label="Headline", type="string"),
                  ),
                  by=(Terms(field="duplicate_of", label="First found as", limit=20),), filter=Exists("duplicate_of")),
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
        Control(title="Person", view="articles", field="entities.person"),
        Control(title="Place", view="articles", field="entities.place"),
        Control(title="Organization", view="articles", field="entities.organization"),
        _BY_SOURCE,
        _BY_LANGUAGE,
    ),
    rows=(
        (6, (
            _number("Articles that name it", _COUNT),
            _number("Sources", _distinct("source.id", "Sources")),
            _number("First", Metric(operation="min", field="@timestamp", label="First", type="date")),
            _number("Latest", Metric(operation="max", field="@timestamp", label="Latest", type="date")),
        )),
        (12, (
            Chart(title="Over time, by language", view="articles", kind="bar_stacked", metrics=(_COUNT,),
                  by=(_DAY, Terms(field="language", label="Language", limit=9))),
        )),
        (14, (
            _top("People beside it", "entities.person", limit=15,
                 description="A chosen person heads this list; the others share articles with them."),
            _top("Places beside it", "entities.place", limit=15),
            _top("Organizations beside it", "entities.organization", limit=15),
        )),
        (12, (_top("Who writes about it", "source.id", limit=15), _top("In which section", "section", limit=15))),
        (20, (Listing(title="Latest articles", search="latest-articles"),)),
    ),
)  # fmt: skip

_DISCOVERED = Metric(operation="sum", field="discovered", label="Discovered")
_OUTCOME_SUMS = tuple(
    Metric(operation="sum", field=field, label=label) for field, label in _OUTCOME_LABELS.items()
)  # fmt: skip
_UNACCOUNTED = Metric(
    operation="difference", field="discovered", less=tuple(_OUTCOME_LABELS), label="Without an outcome"
)
_ENDED = Not(Is("run.status", ("running",)))


def _arrived(label: str, within: int, days_ago: int | None = None) -> Metric:
    return Metric(operation="count", label=label, within=within, days_ago=days_ago)


INGESTION = Dashboard(
    key="ingestion",
    title="News: ingestion",
    description="Runs, outcomes, durations, freshness, and what comes from each source against the usual.",
    since="now-7d",
    controls=(
        Control(title="Source (of articles and failures)", view="arrivals", field="source.id"),
        Control(title="Language (of articles)", view="arrivals", field="language"),
    ),
    rows=(
        (6, (
            _number("Runs", Metric(operation="count", label="Runs"), view="runs", keeps_own_filters=True),
            _number("Runs not all well", Metric(operation="count", label="Runs not all well"), view="runs",
                    keeps_own_filters=True, filter=Is("run.status", ("failed", "partial"))),
            _number("Without an outcome", _UNACCOUNTED, view="runs", keeps_own_filters=True, filter=_ENDED,
                    description="Discovered less all outcomes of finished runs. Anything but 0 is a fault."),
            _number("Articles added", Metric(operation="sum", field="outcomes.indexed", label="Articles added"),
                    view="runs", keeps_own_filters=True),
        )),
        (12, (
            Chart(title="Outcomes", view="runs", kind="bar_stacked", metrics=_OUTCOME_SUMS,
                  by=(Dates(field="@timestamp", label="Started"),), keeps_own_filters=True),
            Chart(title="Why articles failed", view="quarantine", kind="bar_stacked",
                  metrics=(Metric(operation="count", label="In quarantine"),),
                  by=(Terms(field="reason", label="Reason", limit=15), Terms(field="stage", label="Stage", limit=6))),
        )),
        (12, (
            Chart(title="How long runs take", view="runs", kind="line",
                  metrics=(
                      Metric(operation="median", field="seconds.total", label="Median", format="seconds"),
                      Metric(operation="percentile", percentile=95, field="seconds.total", label="95 of 100 below",
                             format="seconds"),
                  ),
                  by=(Dates(field="@timestamp", label="Started"),), keeps_own_filters=True),
            Chart(title="Where the time goes", view="runs", kind="bar_stacked",
                  metrics=tuple(
                      Metric(operation="sum", field=f"seconds.{stage}", label=stage, format="seconds")
                      for stage in _STAGES
                  ),
                  by=(Dates(field="@timestamp", label="Started"),), keeps_own_filters=True),
        )),
        (12, (
            Chart(title="Freshness: publication to searchable", view="arrivals", kind="line",
                  metrics=(
                      Metric(operation="median", field=DELAY.name, label="Median", format="minutes"),
                      Metric(operation="percentile", percentile=95, field=DELAY.name, label="95 of 100 below",
                             format="minutes"),
                  ),
                  by=(Dates(field="first_seen_at", label="First seen"),), needs="painless"),
            Chart(title="Arrived, by day of publication", view="arrivals", kind="bar",
                  metrics=(_COUNT,), by=(Dates(field="published_at", label="Published", interval="1d"),),
                  description="Of what arrived in the chosen time. Fresh news stand at the right end."),
        )),
        (13, (
            Chart(title="Arrived per day and source", view="arrivals", kind="line", metrics=(_COUNT,),
                  by=(Dates(field="first_seen_at", label="First seen", interval="1d"),
                      Terms(field="source.id", label="Source", limit=12))),
            Chart(title="Each source against its usual", view="arrivals", kind="table",
                  metrics=(
                      _arrived("Last 7 days", 7),
                      _arrived("7 days before", 7, 7),
                      _arrived("Last day", 1),
                      _arrived("Same day a week ago", 1, 7),
                  ),
                  by=(Terms(field="source.id", label="Source", limit=50),),
                  description="A source that falls behind its week before has changed or gone silent."),
        )),
        (13, (
            Chart(title="Drift: what extraction finds, by source", view="arrivals", kind="table",
                  metrics=(
                      _COUNT,
                      Metric(operation="count", label="With a date", filter=Exists("published_at")),
                      Metric(operation="count", label="With authors", filter=Exists("authors")),
                      Metric(operation="count", label="With a description", filter=Exists("description")),
                      Metric(operation="median", field="word_count", label="Words (median)"),
                      Metric(operation="count", label="Language unknown", filter=Is("language", ("und",))),
                  ),
                  by=(Terms(field="source.id", label="Source", limit=50),),
                  description="Compare with an earlier time: a site that was redesigned loses dates or authors."),
        )),
        (14, (
            Chart(title="Latest runs", view="runs", kind="table",
                  metrics=(
                      Metric(operation="max", field="@timestamp", label="Started", type="date"),
                      Metric(operation="last_value", field="run.status", label="Status", type="string"),
                      _DISCOVERED,
                      *_OUTCOME_SUMS,
                      _UNACCOUNTED,
                      Metric(operation="max", field="seconds.total", label="Duration", format="seconds"),
                  ),
                  by=(Terms(field="run.id", label="Run", limit=30),), keeps_own_filters=True),
        )),
    ),
)  # fmt: skip

_SOURCES = Metric(operation="count", label="Sources")

SOURCES = Dashboard(
    key="sources",
    title="News: sources",
    description="Which sources are well, and which need a look.",
    since="now-30d",
    controls=(
        Control(title="Source", view="sources", field="source.id"),
        Control(title="Status", view="sources", field="status"),
        Control(title="Language", view="sources", field="source.language"),
    ),
    rows=(
        (6, (
            _number("Sources", _SOURCES, view="sources"),
            _number("Failed last time", Metric(operation="count", label="Failed last time"), view="sources",
                    filter=Exists("reason")),
            _number("Most failures in a row",
                    Metric(operation="max", field="consecutive_failures", label="Most failures in a row"),
                    view="sources"),
        )),
        (12, (
            Chart(title="By status", view="sources", kind="bar_horizontal", metrics=(_SOURCES,),
                  by=(Terms(field="status", label="Status"),)),
            Chart(title="Why sources fail", view="sources", kind="bar_horizontal", metrics=(_SOURCES,),
                  by=(Terms(field="reason", label="Reason"),)),
            Chart(title="Silent longest", view="sources", kind="table",
                  metrics=(Metric(operation="min", field="last_article_at", label="Last article", type="date"),),
                  by=(Terms(field="source.id", label="Source", limit=20, direction="asc"),),
                  filter=Exists("last_article_at")),
        )),
        (24, (Listing(title="Health", search="source-health"),)),
    ),
)  # fmt: skip

_ENTRIES = Metric(operation="count", label="Entries")

QUARANTINE = Dashboard(
    key="quarantine",
    title="News: quarantine",
    description="What failed, why, since when, and how to try it again.",
    since="now-1y",
    controls=(
        Control(title="Source", view="quarantine", field="source.id"),
        Control(title="Stage", view="quarantine", field="stage"),
        Control(title="Reason", view="quarantine", field="reason"),
    ),
    rows=(
        (6, (
            _number("In quarantine", _ENTRIES, view="quarantine"),
            _number("Oldest", Metric(operation="min", field="first_failed_at", label="Oldest", type="date"),
                    view="quarantine"),
            _number("Most attempts", Metric(operation="max", field="attempts", label="Most attempts"),
                    view="quarantine"),
        )),
        (12, (
            Chart(title="Why", view="quarantine", kind="bar_horizontal", metrics=(_ENTRIES,),
                  by=(Terms(field="reason", label="Reason", limit=15),)),
            Chart(title="Where", view="quarantine", kind="bar_horizontal", metrics=(_ENTRIES,),
                  by=(Terms(field="source.id", label="Source", limit=15),)),
            Chart(title="Since when", view="quarantine", kind="bar_stacked", metrics=(_ENTRIES,),
                  by=(Dates(field="first_failed_at", label="Failing since"),
                      Terms(field="stage", label="Stage", limit=6))),
        )),
        (24, (Listing(title="What, why and the command that tries it again", search="quarantine"),)),
    ),
)  # fmt: skip

DASHBOARDS: tuple[Dashboard, ...] = (ARTICLES, ENTITY, INGESTION, SOURCES, QUARANTINE)
