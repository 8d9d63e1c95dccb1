"""What is sent to Kibana fits its published schemas, and fits the index."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest
from kibana_schemas import decoded, problems_of_dashboard, problems_of_saved_object

from pipeline.index import templates
from pipeline.kibana import marks, objects
from pipeline.kibana.charts import All, Chart, Exists, Filter, Is, Listing, Matches, Metric, Not, kql
from pipeline.kibana.content import DASHBOARDS, SEARCHES, VIEWS
from pipeline.kibana.objects import Target

TARGETS = [Target(), Target(prefix="paper", space="desk", archive_link="https://files.example/{{value}}")]
MAPPINGS = {
    "articles": templates.article_mapping,
    "runs": templates.run_mapping,
    "sources": templates.source_mapping,
    "quarantine": templates.quarantine_mapping,
}


def fields_of(mapping: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every field that is no object and not inside a nested one, by its dotted name."""
    for name, field in mapping.get("properties", {}).items():
        full = f"{path}{name}"
        if "properties" in field and field.get("type") != "nested":
            yield from fields_of(field, f"{full}.")
        elif field.get("type") != "nested":
            yield full, field
            for sub, inner in field.get("fields", {}).items():
                yield f"{full}.{sub}", inner


def known_fields(view_key: str) -> dict[str, dict[str, Any]]:
    view = next(view for view in VIEWS if view.key == view_key)
    return dict(fields_of(MAPPINGS[view.index]()))


def charts() -> list[Chart]:
    return [panel for dashboard in DASHBOARDS for panel in dashboard.panels() if isinstance(panel, Chart)]


def filtered_fields(filter: Filter | None) -> list[str]:
    match filter:
        case None:
            return []
        case Is(field, _) | Exists(field) | Matches(field, _):
            return [field]
        case Not(inner):
            return filtered_fields(inner)
        case All(inner_filters):
            return [name for one in inner_filters for name in filtered_fields(one)]


# ------------------------------------------------------------------------------------------- schemas


@pytest.mark.parametrize("target", TARGETS, ids=["default", "other"])
def test_dashboards_fit_the_dashboards_api(target: Target) -> None:
    """Kibana's Dashboards API takes every dashboard as it is sent."""
    for dashboard in objects.dashboards(target):
        assert problems_of_dashboard(dashboard.body) == [], dashboard.id
        json.dumps(dashboard.body)


@pytest.mark.parametrize("target", TARGETS, ids=["default", "other"])
def test_export_fits_the_import_api(target: Target) -> None:
    """Every line of the export file is an object that Kibana can import, and refers only to objects of the file."""
    lines = [json.loads(line) for line in objects.export(target).splitlines()]
    keys = {(line["type"], line["id"]) for line in lines}
    assert len(keys) == len(lines)
    assert {line["type"] for line in lines} == {"tag", "index-pattern", "search", "map", "dashboard"}
    for line in lines:
        assert problems_of_saved_object(line) == [], line["id"]
        for reference in line["references"]:
            assert (reference["type"], reference["id"]) in keys, f"{line['id']} refers to {reference}"


@pytest.mark.parametrize(
    "break_it",
    [
        lambda body: body.update(titel="x"),
        lambda body: body.pop("title"),
        lambda body: body["panels"][1]["grid"].update(w=60),
        lambda body: body["panels"][1]["config"].update(operation="count"),
        lambda body: body["panels"][1]["config"]["metrics"][0].pop("operation"),
        lambda body: body["panels"][1]["config"]["metrics"][0].update(operation="average"),
        lambda body: body["panels"][5]["config"]["layers"][0].update(type="bars"),
        lambda body: body["panels"][5]["config"]["layers"][0].pop("data_source"),
        lambda body: body["pinned_panels"][0]["config"].pop("data_view_id"),
        lambda body: body["panels"][0].update(type="map"),
    ],
)
def test_schema_of_dashboards_refuses_mistakes(break_it: Any) -> None:
    """The schema that stands for Kibana's is strict, so that its consent says something."""
    body = copy.deepcopy(dict(objects.dashboards(Target())[0].body))
    break_it(body)
    assert problems_of_dashboard(body)


def test_lens_columns_of_the_export_hang_together() -> None:
    """In the export, each Lens panel shows only columns that it has, and each column's parts are there."""
    seen = 0
    for line in map(json.loads, objects.export(Target()).splitlines()):
        if line["type"] != "dashboard":
            continue
        for panel in decoded(line)["attributes"]["panelsJSON"]:
            if panel["type"] != "lens":
                continue
            seen += 1
            attributes = panel["embeddableConfig"]["attributes"]
            ((layer_id, layer),) = attributes["state"]["datasourceStates"]["formBased"]["layers"].items()
            columns = layer["columns"]
            assert sorted(layer["columnOrder"]) == sorted(columns)
            shown = attributes["state"]["visualization"]
            layers = shown.get("layers", [shown])
            assert [one["layerId"] for one in layers] == [layer_id]
            text = json.dumps(layers)
            assert all(f'"{id_}"' in text for id_ in columns if "X" not in id_)
            for column in columns.values():
                assert set(column.get("references", [])) <= set(columns)
                order = column["params"].get("orderBy", {})
                assert order.get("columnId", next(iter(columns))) in columns
            names = [reference["name"] for reference in attributes["references"]]
            assert names == [f"indexpattern-datasource-layer-{layer_id}"]
            assert {"type": "index-pattern", "id": attributes["references"][0]["id"],
                    "name": f"{panel['panelIndex']}:{names[0]}"} in line["references"]  # fmt: skip
    assert seen == len(charts())


# --------------------------------------------------------------------------------------------- the index


@pytest.mark.parametrize("view", VIEWS, ids=lambda view: view.key)
def test_data_views_name_fields_that_exist(view: Any) -> None:
    """No label, note or format is for a field that the index doesn't have, and notes are short enough for Kibana."""
    known = known_fields(view.key)
    named = {*view.labels, *view.notes, *view.formats}
    assert named <= set(known), named - set(known)
    assert view.time_field is None or known[view.time_field]["type"] == "date"
    # The mark of setup goes into this one, with 50 characters.
    assert all(len(note) <= 240 for note in view.notes.values())


def test_panels_use_fields_that_can_do_it() -> None:
    """Every field of a chart, control or list exists, and is of a type that can be counted, added up or dated."""
    for chart in charts():
        known = known_fields(chart.view)
        for bucket in chart.by:
            wanted = {"date"} if hasattr(bucket, "interval") else {"keyword"}
            assert known[bucket.field]["type"] in wanted, f"{chart.title}: {bucket.field}"
        for metric in chart.metrics:
            for name in filter(None, (metric.field, *metric.less)):
                kind = known[name]["type"]
                numeric = kind in ("long", "integer", "float")
                if metric.operation in ("sum", "average", "median", "percentile", "difference"):
                    assert numeric, f"{chart.title}: {name} is {kind}"
                elif metric.operation in ("min", "max"):
                    assert kind == "date" if metric.type == "date" else numeric, f"{chart.title}: {name}"
                else:
                    assert kind == "keyword", f"{chart.title}: {name} is {kind}"
            assert set(filtered_fields(metric.filter)) <= set(known)
        assert set(filtered_fields(chart.filter)) <= set(known)
    for dashboard in DASHBOARDS:
        for control in dashboard.controls:
            assert known_fields(control.view)[control.field]["type"] == "keyword"
    for search in SEARCHES:
        known = known_fields(search.view)
        assert set(search.columns) | set(filtered_fields(search.filter)) <= set(known), search.key
        assert all(known[name]["type"] != "text" for name, _ in search.sort)


def test_controls_never_empty_a_chart_they_do_not_concern() -> None:
    """Every chart's data has the fields of the controls above it: choosing a value never blanks one."""
    for dashboard in DASHBOARDS:
        for panel in dashboard.panels():
            if isinstance(panel, Chart):
                known = known_fields(panel.view)
                lacking = [control.field for control in dashboard.controls if control.field not in known]
                assert not lacking, f"{dashboard.key}: {panel.title} lacks {lacking}"


@pytest.mark.parametrize("dashboard", DASHBOARDS, ids=lambda dashboard: dashboard.key)
def test_panels_fill_the_grid_without_overlapping(dashboard: Any) -> None:
    """Every dashboard is tidy: 48 columns, no gaps, no panel upon another."""
    taken: set[tuple[int, int]] = set()
    for panel in objects.dashboard_body(dashboard, Target())["panels"]:
        grid = panel["grid"]
        cells = {
            (x, y) for x in range(grid["x"], grid["x"] + grid["w"]) for y in range(grid["y"], grid["y"] + grid["h"])
        }
        assert not cells & taken
        taken |= cells
    height = max(y for _, y in taken) + 1
    assert len(taken) == 48 * height


def test_lists_and_links_lead_somewhere() -> None:
    """Lists name saved searches that exist; links in notes go to objects that exist, in the same space."""
    keys = {search.key for search in SEARCHES}
    assert all(panel.search in keys for one in DASHBOARDS for panel in one.panels() if isinstance(panel, Listing))
    target = Target(space="desk")
    (note,) = [panel for panel in objects.dashboards(target)[0].body["panels"] if panel["type"] == "markdown"]
    ids = [one.id for one in objects.dashboards(target)] + [one.id for one in objects.library(target)]
    links = [part.split(")")[0] for part in note["config"]["content"].split("](")[1:]]
    assert len(links) == 5
    assert all(link.startswith(("#/view/", "maps/map/")) and link.rsplit("/", 1)[1] in ids for link in links)


# ----------------------------------------------------------------------------------------- small rules


def test_installations_and_spaces_have_ids_of_their_own() -> None:
    """Two installations, or one in two spaces, don't overwrite each other's objects."""
    targets = [Target(), Target(prefix="paper"), Target(space="desk"), Target(prefix="paper", space="desk")]
    ids = [one.id for target in targets for one in (*objects.library(target), *objects.dashboards(target))]
    assert len(ids) == len(set(ids))


def test_use_of_a_field_is_no_edit() -> None:
    """Discover's counter of how often a field was used doesn't count as a change by hand; a new label does."""
    line = objects.library(Target())[1].line()
    before = marks.fingerprint(objects.content(line))
    labelled = json.loads(line["attributes"]["fieldAttrs"])
    labelled["headline"]["count"] = 7
    labelled["image"] = {"count": 1}
    line["attributes"]["fieldAttrs"] = json.dumps(labelled)
    assert marks.fingerprint(objects.content(line)) == before
    labelled["headline"]["customLabel"] = "Title"
    line["attributes"]["fieldAttrs"] = json.dumps(labelled)
    assert marks.fingerprint(objects.content(line)) != before


def test_kql_quotes_what_would_break_out() -> None:
    """A value with quotes or backslashes stays one value."""
    assert kql(Is("source.id", ('a" or *: "', "b\\"))) == 'source.id: ("a\\" or *: \\"" or "b\\\\")'
    assert kql(All((Exists("reason"), Not(Is("status", ("ok",)))))) == 'reason: * and not status: "ok"'


def test_archive_files_become_links_where_they_can_be_reached() -> None:
    """With --archive-link, Discover links each article to the file with its raw page."""
    plain, linking = objects.data_view(VIEWS[0], TARGETS[0]), objects.data_view(VIEWS[0], TARGETS[1])
    assert "archive.file" not in json.loads(plain.attributes["fieldFormatMap"])
    link = json.loads(linking.attributes["fieldFormatMap"])["archive.file"]["params"]["urlTemplate"]
    assert link == "https://files.example/{{value}}"


def test_metrics_that_make_no_sense_are_refused() -> None:
    """A definition can't ask for a sum of nothing."""
    with pytest.raises(ValueError, match="needs field"):
        Metric(operation="sum", label="Sum")
    with pytest.raises(ValueError, match="needs within"):
        Metric(operation="count", label="Before", days_ago=7)
