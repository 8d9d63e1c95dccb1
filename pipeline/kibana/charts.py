"""What a panel is. One value says it all: Lens objects (``lens.py``) and searches (``queries.py``) are made from it.

Only operations are here that both Kibana's Lens and the small embedded Elasticsearch node have.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

View = Literal["articles", "arrivals", "runs", "sources", "quarantine"]
"""The data views, by the key that ``content.VIEWS`` has them under."""


# --------------------------------------------------------------------------------------------- filters


@dataclass(frozen=True, slots=True)
class Is:
    """The field has one of these values."""

    field: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Exists:
    """The field has a value."""

    field: str


@dataclass(frozen=True, slots=True)
class Matches:
    """The text field contains this word, in the forms that the index's language gives it."""

    field: str
    word: str


@dataclass(frozen=True, slots=True)
class Not:
    """The opposite."""

    filter: Filter


@dataclass(frozen=True, slots=True)
class All:
    """Every one of them."""

    filters: tuple[Filter, ...]


Filter = Is | Exists | Matches | Not | All


def kql(filter: Filter) -> str:
    """The filter in the Kibana Query Language.

    >>> kql(Not(Is("run.status", ("succeeded", "running"))))
    'not run.status: ("succeeded" or "running")'
    """
    match filter:
        case Is(field, (value,)):
            return f"{field}: {_quoted(value)}"
        case Is(field, values):
            return f"{field}: ({' or '.join(map(_quoted, values))})"
        case Exists(field):
            return f"{field}: *"
        case Matches(field, word):
            return f"{field}: {_quoted(word)}"
        case Not(inner):
            return f"not {kql(inner)}" if not isinstance(inner, All) else f"not ({kql(inner)})"
        case All(filters):
            return " and ".join(kql(one) for one in filters)


def _quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


# ----------------------------------------------------------------------------------- metrics and buckets

Operation = Literal[
    "count", "unique_count", "sum", "average", "median", "min", "max", "percentile", "last_value", "difference"
]
Format = Literal["number", "seconds"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """A number (or, for ``last_value``, a value) about the documents of a bucket.

    ``difference`` is the sum of ``field`` less the sums of ``less``. ``within`` looks at the last so many days only,
    before ``days_ago`` days. ``last_value`` is the one of the document that is newest by ``newest_by``.
    """

    operation: Operation
    label: str
    field: str | None = None
    less: tuple[str, ...] = ()
    percentile: int = 95
    filter: Filter | None = None
    within: int | None = None
    days_ago: int | None = None
    newest_by: str = "@timestamp"
    type: Literal["number", "date", "string"] = "number"
    format: Format | None = None

    def __post_init__(self) -> None:
        if (self.field is None) != (self.operation == "count"):
            raise ValueError(f"{self.label}: {self.operation} {'needs' if self.field is None else 'takes no'} field")
        if self.days_ago is not None and self.within is None:
            raise ValueError(f"{self.label}: days_ago needs within")


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """The most frequent values of a field.

    Ranked by the chart's first metric, or by how much more frequent they are than in all documents (``significant``).
    """

    field: str
    label: str
    limit: int = 10
    rank: Literal["metric", "significant"] = "metric"
    direction: Literal["desc", "asc"] = "desc"


@dataclass(frozen=True, slots=True, kw_only=True)
class Dates:
    """Spans of time. ``auto`` leaves the width to Kibana."""

    field: str
    label: str
    interval: Literal["auto", "1d", "1h"] = "auto"


Bucket = Terms | Dates

# ---------------------------------------------------------------------------------------------- panels

Kind = Literal["metric", "bar", "bar_stacked", "bar_horizontal", "line", "table", "region_map"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """A chart over one data view.

    ``by`` holds, for bars and lines, the axis and what splits it into series; for tables the rows, outermost first;
    for the map the field of ISO 3166 country codes.
    """

    title: str
    view: View
    kind: Kind
    metrics: tuple[Metric, ...]
    by: tuple[Bucket, ...] = ()
    description: str = ""
    filter: Filter | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """Documents in a table: a saved search, named by its key, put on a dashboard."""

    title: str
    search: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """Markdown. ``{…}`` are filled with links to other objects by ``objects.py``."""

    title: str
    text: str


Panel = Chart | Listing | Note


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedSearch:
    """Documents of a data view in Discover: which columns, in which order."""

    key: str
    title: str
    description: str
    view: View
    columns: tuple[str, ...]
    sort: tuple[tuple[str, Literal["asc", "desc"]], ...]
    filter: Filter | None = None
    row_lines: int = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """A drop-down above a dashboard that filters all its panels by a field's values."""

    title: str
    view: View
    field: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Dashboard:
    """Rows of panels; the panels of a row share its width (48 columns) and its height."""

    key: str
    title: str
    description: str
    since: str
    controls: tuple[Control, ...]
    rows: tuple[tuple[int, tuple[Panel, ...]], ...]

    def panels(self) -> tuple[Panel, ...]:
        """All panels, in reading order."""
        return tuple(panel for _, row in self.rows for panel in row)


@dataclass(frozen=True, slots=True, kw_only=True)
class DataView:
    """An index as Kibana sees it. ``labels`` and ``notes`` are by field; ``formats`` are Kibana field formats."""

    key: View
    index: Literal["articles", "runs", "sources", "quarantine"]
    name: str
    time_field: str | None
    labels: dict[str, str]
    notes: dict[str, str] = field(default_factory=dict)
    formats: dict[str, dict[str, object]] = field(default_factory=dict)
