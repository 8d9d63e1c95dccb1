"""A chart as Lens wants it: for the Dashboards API (stable since Kibana 9.5), and as saved objects hold it.

``config`` follows the schemas of Kibana's published OpenAPI description (by-value "vis" panels without ES|QL).
``state`` is the form-based Lens state in its shape of 8.8, which every later Kibana migrates when it imports a file.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipeline.kibana.charts import Bucket, Chart, Dates, Metric, Terms, kql

_XY = ("bar", "bar_stacked", "bar_horizontal", "line")
_LAYER = "layer"
_VISUALIZATION = {"metric": "lnsMetric", "table": "lnsDatatable", "region_map": "lnsChoropleth"}
_BORDERS, _BORDER_KEY = "world_countries", "iso2"

# ------------------------------------------------------------------------------------- the Dashboards API


def config(chart: Chart, data_view: str) -> dict[str, Any]:
    """The ``config`` of a "vis" panel. ``data_view`` is the id of the saved data view."""
    source = {"type": "data_view_reference", "ref_id": data_view}
    common: dict[str, Any] = {"title": chart.title}
    if chart.description:
        common["description"] = chart.description
    if chart.filter is not None:
        common["query"] = {"expression": kql(chart.filter), "language": "kql"}
    layer: dict[str, Any] = {"data_source": source}
    metrics = [_api_metric(metric) for metric in chart.metrics]
    buckets = [_api_bucket(bucket) for bucket in chart.by]
    match chart.kind:
        case "metric":
            # The number's own label is its title.
            hidden = {"hide_title": True}
            return {"type": "metric", **common, **hidden, **layer, "metrics": [{"type": "primary", **metrics[0]}]}
        case "table":
            return {"type": "data_table", **common, **layer, "metrics": metrics, "rows": buckets}
        case "region_map":
            region = {**buckets[0], "ems": {"boundaries": _BORDERS, "join": _BORDER_KEY}}
            return {"type": "region_map", **common, **layer, "metric": metrics[0], "region": region}
        case _:
            series = len(metrics) > 1 or len(buckets) > 1
            split = {"breakdown_by": buckets[1]} if len(buckets) > 1 else {}
            untitled = {"title": {"visible": False}}
            return {
                "type": "xy",
                **common,
                "axis": {"x": untitled, "y": untitled},
                "legend": {
                    "visibility": "visible" if series else "hidden",
                    "position": "bottom",
                    "layout": {"type": "list"},
                },
                "layers": [{"type": chart.kind, **layer, "x": buckets[0], **split, "y": metrics}],
            }


def _api_metric(metric: Metric) -> dict[str, Any]:
    found: dict[str, Any] = {"label": metric.label}
    if metric.operation == "difference":
        found |= {"operation": "formula", "formula": _formula(metric)}
    else:
        found["operation"] = metric.operation
        if metric.field is not None:
            found["field"] = metric.field
    if metric.operation == "percentile":
        found["percentile"] = metric.percentile
    if metric.operation == "last_value":
        found |= {"time_field": metric.newest_by, "multi_value": True}
    if metric.filter is not None:
        found["filter"] = {"expression": kql(metric.filter), "language": "kql"}
    if metric.within is not None:
        found["reduced_time_range"] = f"{metric.within}d"
    if metric.days_ago is not None:
        found["time_shift"] = f"{metric.days_ago}d"
    match metric.format:
        case "seconds":
            found["format"] = {"type": "duration", "from": "s", "to": "auto"}
        case "number":
            found["format"] = {"type": "number", "decimals": 0}
    return found


def _api_bucket(bucket: Bucket) -> dict[str, Any]:
    if isinstance(bucket, Dates):
        return {
            "operation": "date_histogram",
            "label": bucket.label,
            "field": bucket.field,
            "suggested_interval": bucket.interval,
        }
    rank = (
        {"type": "significant"}
        if bucket.rank == "significant"
        else {"type": "metric", "metric_index": 0, "direction": bucket.direction}
    )
    return {
        "operation": "terms",
        "label": bucket.label,
        "fields": [bucket.field],
        "limit": bucket.limit,
        "rank_by": rank,
    }


def _formula(metric: Metric) -> str:
    return " - ".join(f"sum('{field}')" for field in (str(metric.field), *metric.less))


# ------------------------------------------------------------------------------------------ saved objects


def state(chart: Chart, data_view: str) -> dict[str, Any]:
    """The ``attributes`` of an embedded Lens panel, with the reference to its data view."""
    columns: dict[str, dict[str, Any]] = {}
    order: list[str] = []
    buckets = [f"bucket{number}" for number in range(len(chart.by))]
    for id_, bucket in zip(buckets, chart.by, strict=True):
        columns[id_] = _column_of_bucket(bucket)
    # What splits a chart into series comes before its axis, as in the requests of Lens.
    order += reversed(buckets) if chart.kind in _XY else buckets
    metrics = [f"metric{number}" for number in range(len(chart.metrics))]
    for id_, metric in zip(metrics, chart.metrics, strict=True):
        columns |= _columns_of_metric(id_, metric)
    order += [id_ for id_ in columns if id_ not in buckets]
    layer: dict[str, Any] = {"columns": columns, "columnOrder": order, "incompleteColumns": {}}
    return {
        "title": chart.title,
        "description": chart.description,
        "visualizationType": _VISUALIZATION.get(chart.kind, "lnsXY"),
        "type": "lens",
        "references": [
            {"type": "index-pattern", "id": data_view, "name": f"indexpattern-datasource-layer-{_LAYER}"},
        ],
        "state": {
            "visualization": _visualization(chart, buckets, metrics),
            "query": {"query": kql(chart.filter) if chart.filter is not None else "", "language": "kuery"},
            "filters": [],
            "datasourceStates": {"formBased": {"layers": {_LAYER: layer}}, "textBased": {"layers": {}}},
            "internalReferences": [],
            "adHocDataViews": {},
        },
    }


def _visualization(chart: Chart, buckets: list[str], metrics: list[str]) -> dict[str, Any]:
    layer = {"layerId": _LAYER, "layerType": "data"}
    match chart.kind:
        case "metric":
            return {**layer, "metricAccessor": metrics[0]}
        case "table":
            shown = [{"columnId": id_, "isTransposed": False, "isMetric": id_ in metrics} for id_ in buckets + metrics]
            return {**layer, "columns": shown}
        case "region_map":
            return {
                **layer,
                "emsLayerId": _BORDERS,
                "emsField": _BORDER_KEY,
                "regionAccessor": buckets[0],
                "valueAccessor": metrics[0],
            }
        case _:
            split = {"splitAccessor": buckets[1]} if len(buckets) > 1 else {}
            return {
                "legend": {"isVisible": bool(split) or len(metrics) > 1, "position": "bottom"},
                "valueLabels": "hide",
                "preferredSeriesType": chart.kind,
                "axisTitlesVisibilitySettings": {"x": False, "yLeft": False, "yRight": False},
                "layers": [
                    {**layer, "seriesType": chart.kind, "xAccessor": buckets[0], **split, "accessors": metrics},
                ],
            }


def _column_of_bucket(bucket: Bucket) -> dict[str, Any]:
    column = {"label": bucket.label, "customLabel": True, "sourceField": bucket.field, "isBucketed": True}
    if isinstance(bucket, Dates):
        parameters = {"interval": bucket.interval, "includeEmptyRows": True, "dropPartials": False}
        return {**column, "dataType": "date", "operationType": "date_histogram", "scale": "interval",
                "params": parameters}  # fmt: skip
    return {**column, "dataType": "string", "operationType": "terms", "scale": "ordinal",
            "params": _terms_parameters(bucket)}  # fmt: skip


def _terms_parameters(bucket: Terms) -> dict[str, Any]:
    by = {"type": "significant"} if bucket.rank == "significant" else {"type": "column", "columnId": "metric0"}
    return {
        "size": bucket.limit,
        "orderBy": by,
        "orderDirection": bucket.direction,
        "otherBucket": False,
        "missingBucket": False,
        "parentFormat": {"id": "terms"},
        "include": [],
        "exclude": [],
        "includeIsRegex": False,
        "excludeIsRegex": False,
    }


def _columns_of_metric(id_: str, metric: Metric) -> dict[str, dict[str, Any]]:
    column: dict[str, Any] = {
        "label": metric.label,
        "customLabel": True,
        "dataType": metric.type,
        "isBucketed": False,
        "scale": "ordinal" if metric.type == "string" else "ratio",
    }
    if metric.operation == "difference":
        return _formula_columns(id_, metric, column)
    parameters: dict[str, Any] = {}
    if metric.format == "seconds":
        parameters["format"] = {
            "id": "duration",
            "params": {"decimals": 1, "fromUnit": metric.format, "toUnit": "humanizePrecise"},
        }
    if metric.operation in ("count", "sum", "unique_count"):
        parameters["emptyAsNull"] = False
    if metric.operation == "percentile":
        parameters["percentile"] = metric.percentile
    if metric.operation == "last_value":
        parameters |= {"sortField": metric.newest_by, "showArrayValues": True}
        column["filter"] = {"query": f"{metric.field}: *", "language": "kuery"}
    if metric.filter is not None:
        column["filter"] = {"query": kql(metric.filter), "language": "kuery"}
    if metric.within is not None:
        column["reducedTimeRange"] = f"{metric.within}d"
    if metric.days_ago is not None:
        column["timeShift"] = f"{metric.days_ago}d"
    return {
        id_: {
            **column,
            "operationType": metric.operation,
            "sourceField": metric.field or "___records___",
            "params": parameters,
        }
    }


def _formula_columns(id_: str, metric: Metric, column: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """A formula keeps its parts as columns of their own, and what joins them as a tree."""
    text = _formula(metric)
    part = {
        "dataType": "number",
        "isBucketed": False,
        "scale": "ratio",
        "customLabel": True,
        "label": f"Part of {text}",
    }
    fields = (str(metric.field), *metric.less)
    ids = [f"{id_}X{number}" for number in range(len(fields))]
    columns = {
        name: {**part, "operationType": "sum", "sourceField": field, "params": {"emptyAsNull": False}}
        for name, field in zip(ids, fields, strict=True)
    }
    tree: Any = ids[0]
    for name in ids[1:]:
        tree = {"type": "function", "name": "subtract", "args": [tree, name]}
    if not isinstance(tree, str):
        tree |= {"location": {"min": 0, "max": len(text)}, "text": text}
    joined = f"{id_}X{len(fields)}"
    columns[joined] = {**part, "operationType": "math", "params": {"tinymathAst": tree}, "references": ids}
    columns[id_] = {
        **column,
        "operationType": "formula",
        "params": {"formula": text, "isFormulaBroken": False},
        "references": [joined],
    }
    return columns
