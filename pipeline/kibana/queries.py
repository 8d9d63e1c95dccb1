"""The Elasticsearch search that a panel stands for, and its answer as rows.

Kibana builds its own requests; these ask the same question with the same aggregations, so that every panel can be
tried against a node without a Kibana. Two things differ and are named: spans of ``auto`` are days here, and the
"last value" of a field comes from ``top_hits``, as in Lens when it shows all values of a field.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from pipeline.kibana.charts import All, Bucket, Chart, Dates, Exists, Filter, Is, Matches, Metric, Not, SavedSearch

_LISTED = 50


def search_of_chart(
    chart: Chart, *, now: datetime, time_field: str | None, since: datetime | None = None, also: Filter | None = None
) -> dict[str, Any]:
    """The body of the search behind a chart.

    ``since`` (with ``time_field``) and ``also`` stand for the dashboard's time range and controls.
    """
    depth = _nesting(chart)
    aggregations = _metrics(chart, now, time_field)
    for number, bucket in reversed(list(enumerate(depth))):
        aggregations = {f"b{number}": {**_bucket(bucket, chart.metrics[0]), "aggs": aggregations}}
    # Metrics of earlier spans need their documents, whatever the time range is (so does Lens).
    bounded = not any(metric.within for metric in chart.metrics)
    filters = [one for one in (chart.filter, also) if one is not None]
    return {
        "size": 0,
        "track_total_hits": True,
        "query": _query(filters, time_field if bounded else None, since),
        "aggs": aggregations,
    }


def search_of_listing(
    search: SavedSearch, *, time_field: str | None, since: datetime | None = None, also: Filter | None = None
) -> dict[str, Any]:
    """The body of the search behind a saved search, with the highlighting that Discover asks for."""
    filters = [one for one in (search.filter, also) if one is not None]
    return {
        "size": _LISTED,
        "query": _query(filters, time_field, since),
        "sort": [{name: {"order": order, "unmapped_type": "boolean"}} for name, order in search.sort],
        "_source": list(search.columns),
        "highlight": {"fields": {"*": {}}, "number_of_fragments": 0, "require_field_match": True},
    }


def query_of(filter: Filter) -> dict[str, Any]:
    """The filter in Elasticsearch's query DSL: what Kibana makes of ``charts.kql(filter)``."""
    match filter:
        case Is(field, values):
            should = [{"match_phrase": {field: value}} for value in values]
            return {"bool": {"should": should, "minimum_should_match": 1}}
        case Exists(field):
            return {"bool": {"should": [{"exists": {"field": field}}], "minimum_should_match": 1}}
        case Matches(field, word):
            return {"bool": {"should": [{"match_phrase": {field: word}}], "minimum_should_match": 1}}
        case Not(inner):
            return {"bool": {"must_not": query_of(inner)}}
        case All(filters):
            return {"bool": {"filter": [query_of(one) for one in filters]}}


def rows(chart: Chart, response: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The answer as the chart shows it: a row for each combination of buckets, by the labels of buckets and metrics."""
    depth = _nesting(chart)

    def below(number: int, node: Mapping[str, Any], known: dict[str, Any]) -> list[dict[str, Any]]:
        if number == len(depth):
            return [known | {metric.label: _value(metric, f"m{i}", node) for i, metric in enumerate(chart.metrics)}]
        found = []
        for bucket in node[f"b{number}"]["buckets"]:
            key = bucket.get("key_as_string", bucket["key"])
            found += below(number + 1, bucket, known | {depth[number].label: key})
        return found

    top = {**response.get("aggregations", {}), "doc_count": response["hits"]["total"]["value"]}
    return below(0, top, {})


def _nesting(chart: Chart) -> tuple[Bucket, ...]:
    """Buckets, outermost first: what splits a chart into series comes before its axis."""
    if chart.kind in ("bar", "bar_stacked", "bar_horizontal", "line"):
        return tuple(reversed(chart.by))
    return chart.by


def _bucket(bucket: Bucket, first: Metric) -> dict[str, Any]:
    if isinstance(bucket, Dates):
        interval = "1d" if bucket.interval == "auto" else bucket.interval
        return {"date_histogram": {"field": bucket.field, "calendar_interval": interval, "min_doc_count": 0}}
    if bucket.rank == "significant":
        return {"significant_terms": {"field": bucket.field, "size": bucket.limit}}
    plain = first.operation == "count" and first.filter is None and first.within is None
    return {
        "terms": {
            "field": bucket.field,
            "size": bucket.limit,
            "order": [{"_count" if plain else "m0": bucket.direction}, {"_key": "asc"}],
        }
    }


def _metrics(chart: Chart, now: datetime, time_field: str | None) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for number, metric in enumerate(chart.metrics):
        inner = _metric(metric)
        conditions = [query_of(metric.filter)] if metric.filter else []
        if metric.within is not None:
            if time_field is None:
                raise ValueError(f"{chart.title}: {metric.label} looks at days, but the data view has no time field")
            end = now - timedelta(days=metric.days_ago or 0)
            start = end - timedelta(days=metric.within)
            conditions.append({"range": {time_field: {"gte": start.isoformat(), "lt": end.isoformat()}}})
        if metric.operation == "last_value":
            conditions.append({"exists": {"field": metric.field}})
        if conditions:
            inner = {"filter": {"bool": {"filter": conditions}}, **({"aggs": {"value": inner}} if inner else {})}
        if inner:
            found[f"m{number}"] = inner
        if metric.operation == "difference":
            for position, name in enumerate(metric.less):
                found[f"m{number}less{position}"] = {"sum": {"field": name}}
    return found


def _metric(metric: Metric) -> dict[str, Any]:
    match metric.operation:
        case "count":
            return {}
        case "unique_count":
            return {"cardinality": {"field": metric.field}}
        case "average":
            return {"avg": {"field": metric.field}}
        case "median":
            return {"percentiles": {"field": metric.field, "percents": [50]}}
        case "percentile":
            return {"percentiles": {"field": metric.field, "percents": [metric.percentile]}}
        case "sum" | "difference":
            return {"sum": {"field": metric.field}}
        case "min" | "max":
            return {metric.operation: {"field": metric.field}}
        case "last_value":
            order = [{metric.newest_by: {"order": "desc", "unmapped_type": "date"}}]
            return {"top_hits": {"size": 1, "sort": order, "_source": False, "docvalue_fields": [metric.field]}}


def _value(metric: Metric, name: str, node: Mapping[str, Any]) -> Any:
    found = node.get(name, {})
    filtered = metric.filter is not None or metric.within is not None or metric.operation == "last_value"
    if metric.operation == "count":
        return found["doc_count"] if filtered else node["doc_count"]
    if filtered:
        found = found["value"]
    if metric.operation == "last_value":
        hits = found["hits"]["hits"]
        return hits[0]["fields"][metric.field] if hits else None
    if metric.operation in ("median", "percentile"):
        return next(iter(found["values"].values()))
    if metric.operation == "difference":
        return found["value"] - sum(node[f"{name}less{position}"]["value"] for position in range(len(metric.less)))
    return found.get("value_as_string", found["value"]) if metric.type == "date" else found["value"]


def _query(filters: list[Filter], time_field: str | None, since: datetime | None) -> dict[str, Any]:
    clauses = [query_of(one) for one in filters]
    if time_field is not None and since is not None:
        clauses.append({"range": {time_field: {"gte": since.isoformat(), "format": "strict_date_optional_time"}}})
    return {"bool": {"filter": clauses}}
