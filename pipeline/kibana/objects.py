"""Everything that setup installs, as Kibana takes it: saved objects, dashboard bodies, and the export file. Pure.

Data views, saved searches, the map and the tag are saved objects, in the shapes of Kibana 8.8 and before (each says
which), which later versions migrate on import. Dashboards are bodies of the Dashboards API, and saved objects only in
the export file. Ids are made of prefix, space and key, because Kibana wants ids to be unique across its spaces.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pipeline.kibana import lens, marks
from pipeline.kibana.charts import Chart, Control, Dashboard, DataView, Listing, Note, Panel, SavedSearch, kql
from pipeline.kibana.content import DASHBOARDS, SEARCHES, VIEWS
from pipeline.kibana.marks import Mark

DEFAULT_SPACE = "default"

_BY_HAND = "f" * 12
"""The second hash of an exported object: setup takes such an object for somebody else's and leaves it alone."""

_SHAPE = {"index-pattern": "8.0.0", "search": "7.9.3", "map": "8.4.0", "tag": "8.0.0", "dashboard": "8.7.0"}
"""The version whose shape an object of a type has here (Kibana's ``typeMigrationVersion``)."""

_DATA_VIEW_CONTENT = (
    "title", "name", "timeFieldName", "fieldFormatMap", "fieldAttrs", "runtimeFieldMap", "sourceFilters", "allowNoIndex"
)  # fmt: skip
_EMPTY: tuple[Any, ...] = (None, "", "{}", "[]", {}, [], False)
_WIDTH = 48
_MARKED_FIELD = "@timestamp"
"""Data views have no description of their own; theirs is the one of this field."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where objects go: the installation's index prefix, the Kibana space, and where archive files can be reached.

    ``archive_link`` is a URL template with ``{{value}}`` for the file's address, or None.
    """

    prefix: str = "news"
    space: str = DEFAULT_SPACE
    archive_link: str | None = None

    def id(self, key: str) -> str:
        """The id of the object with this key.

        >>> Target().id("articles"), Target(space="desk").id("articles")
        ('news-articles', 'news-desk-articles')
        """
        return f"{self.prefix}-{key}" if self.space == DEFAULT_SPACE else f"{self.prefix}-{self.space}-{key}"

    @property
    def label(self) -> str:
        """What names of another installation than the default one end in."""
        return "" if self.prefix == "news" else f" ({self.prefix})"

    def index(self, view: DataView) -> str:
        """The index or alias that a data view reads (as ``pipeline.index.templates.Names`` names them)."""
        return self.prefix if view.index == "articles" else f"{self.prefix}-{view.index}"


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedObject:
    """One line of an export file."""

    type: str
    id: str
    attributes: Mapping[str, Any]
    references: tuple[Mapping[str, str], ...] = ()

    @property
    def title(self) -> str:
        """What people know it by."""
        return str(self.attributes.get("name") or self.attributes.get("title"))

    def line(self) -> dict[str, Any]:
        """The object as the import API reads it."""
        return {
            "type": self.type,
            "id": self.id,
            "attributes": dict(self.attributes),
            "references": [dict(reference) for reference in self.references],
            "coreMigrationVersion": "8.8.0",
            "typeMigrationVersion": _SHAPE[self.type],
            "managed": False,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class DashboardBody:
    """A dashboard as the Dashboards API takes it."""

    id: str
    body: Mapping[str, Any]

    @property
    def title(self) -> str:
        """What people know it by."""
        return str(self.body["title"])


# --------------------------------------------------------------------------------------------- library


def library(target: Target) -> list[SavedObject]:
    """All objects but the dashboards: tag, data views, saved searches, map. Without marks."""
    return [
        tag(target),
        *(data_view(view, target) for view in VIEWS),
        *(saved_search(search, target) for search in SEARCHES),
        places_map(target),
    ]


def tag(target: Target) -> SavedObject:
    """The tag that all objects which take tags carry."""
    return SavedObject(
        type="tag",
        id=target.id("tag"),
        attributes={
            "name": f"news-pipeline{target.label}",
            "description": "Installed by `news kibana setup`; your own changes are kept.",
            "color": "#3788D8",
        },
    )


def data_view(view: DataView, target: Target) -> SavedObject:
    """A data view, in the saved form of an index pattern. It may be made before there is an index."""
    attrs: dict[str, dict[str, Any]] = {name: {"customLabel": label} for name, label in view.labels.items()}
    for name, note in view.notes.items():
        attrs.setdefault(name, {})["customDescription"] = note
    formats = dict(view.formats)
    if target.archive_link is not None and "archive.file" in view.labels:
        formats["archive.file"] = {
            "id": "url",
            "params": {"urlTemplate": target.archive_link, "labelTemplate": "{{value}}"},
        }
    attributes: dict[str, Any] = {
        "title": target.index(view),
        "name": f"{view.name}{target.label}",
        "fields": "[]",
        "sourceFilters": "[]",
        "typeMeta": "{}",
        "fieldFormatMap": _json(formats),
        "fieldAttrs": _json(attrs),
        "runtimeFieldMap": "{}",
        "allowNoIndex": True,
    }
    if view.time_field is not None:
        attributes["timeFieldName"] = view.time_field
    return SavedObject(type="index-pattern", id=target.id(f"view-{view.key}"), attributes=attributes)


def saved_search(search: SavedSearch, target: Target) -> SavedObject:
    """A saved search (a Discover session of one tab)."""
    index = "kibanaSavedObjectMeta.searchSourceJSON.index"
    source = {
        "query": {"query": kql(search.filter) if search.filter is not None else "", "language": "kuery"},
        "filter": [],
        "highlightAll": True,
        "version": True,
        "indexRefName": index,
    }
    return SavedObject(
        type="search",
        id=target.id(f"search-{search.key}"),
        attributes={
            "title": f"{search.title}{target.label}",
            "description": search.description,
            "columns": list(search.columns),
            "sort": [list(pair) for pair in search.sort],
            "grid": {},
            "rowHeight": search.row_lines,
            "hideChart": False,
            "isTextBasedQuery": False,
            "timeRestore": False,
            "kibanaSavedObjectMeta": {"searchSourceJSON": _json(source)},
        },
        references=(
            {"type": "index-pattern", "id": target.id(f"view-{search.view}"), "name": index},
            _tagged(target),
        ),
    )


def places_map(target: Target) -> SavedObject:
    """The map of all places by their coordinates. (The Dashboards API takes no maps, so it stands alone.)"""
    grid = {
        "id": "places",
        "label": "Places in the news",
        "type": "GEOJSON_VECTOR",
        "visible": True,
        "alpha": 0.75,
        "minZoom": 0,
        "maxZoom": 24,
        "joins": [],
        "sourceDescriptor": {
            "type": "ES_GEO_GRID",
            "id": "places-grid",
            "geoField": "locations",
            "requestType": "point",
            "resolution": "FINE",
            "metrics": [{"type": "count", "label": "Articles"}],
            "applyGlobalQuery": True,
            "applyGlobalTime": True,
            "indexPatternRefName": "layer_1_source_index_pattern",
        },
        "style": {
            "type": "VECTOR",
            "isTimeAware": True,
            "properties": {
                "fillColor": {"type": "STATIC", "options": {"color": "#3788D8"}},
                "lineColor": {"type": "STATIC", "options": {"color": "#FFFFFF"}},
                "lineWidth": {"type": "STATIC", "options": {"size": 1}},
                "iconSize": {
                    "type": "DYNAMIC",
                    "options": {"minSize": 6, "maxSize": 30, "field": {"name": "doc_count", "origin": "source"}},
                },
            },
        },
    }
    ground = {
        "id": "ground",
        "type": "EMS_VECTOR_TILE",
        "visible": True,
        "alpha": 1,
        "minZoom": 0,
        "maxZoom": 24,
        "sourceDescriptor": {"type": "EMS_TMS", "isAutoSelect": True},
        "style": {"type": "EMS_VECTOR_TILE", "color": ""},
    }
    state = {
        "zoom": 1.7,
        "center": {"lon": 10, "lat": 30},
        "timeFilters": {"from": "now-1y", "to": "now"},
        "refreshConfig": {"isPaused": True, "interval": 60000},
        "query": {"query": "", "language": "kuery"},
        "filters": [],
        "settings": {"autoFitToDataBounds": True},
    }
    return SavedObject(
        type="map",
        id=target.id("map-places"),
        attributes={
            "title": f"News: places{target.label}",
            "description": "Where the news are from. The ground map comes from Elastic's map service.",
            "layerListJSON": _json([ground, grid]),
            "mapStateJSON": _json(state),
            "uiStateJSON": _json({"isLayerTOCOpen": True, "openTOCDetails": []}),
        },
        references=(
            {"type": "index-pattern", "id": target.id("view-articles"), "name": "layer_1_source_index_pattern"},
            _tagged(target),
        ),
    )


# ------------------------------------------------------------------------------------------ dashboards


def dashboards(target: Target) -> list[DashboardBody]:
    """All dashboards, as bodies of ``PUT /api/dashboards/{id}``. Without marks."""
    return [DashboardBody(id=target.id(one.key), body=dashboard_body(one, target)) for one in DASHBOARDS]


def dashboard_body(dashboard: Dashboard, target: Target) -> dict[str, Any]:
    """One dashboard as the Dashboards API takes it."""
    pinned: list[dict[str, Any]] = []
    for number, control in enumerate(dashboard.controls):
        pinned.append(
            {
                "type": "options_list_control",
                "id": f"{dashboard.key}-control-{number}",
                "width": "medium",
                "grow": True,
                "config": {
                    "title": control.title,
                    "data_view_id": target.id(f"view-{control.view}"),
                    "field_name": control.field,
                },
            }
        )
    if _has_time(dashboard):
        pinned.append(
            {
                "type": "time_slider_control",
                "id": f"{dashboard.key}-control-time",
                "width": "large",
                "grow": True,
                "config": {"start_percentage_of_time_range": 0, "end_percentage_of_time_range": 1},
            }
        )
    return {
        "title": f"{dashboard.title}{target.label}",
        "description": dashboard.description,
        "tags": [target.id("tag")],
        "time_range": {"from": dashboard.since, "to": "now"},
        "query": {"expression": "", "language": "kql"},
        "pinned_panels": pinned,
        "panels": [{"id": id_, "grid": grid, **_api_panel(panel, target)} for id_, grid, panel in _placed(dashboard)],
    }


def _api_panel(panel: Panel, target: Target) -> dict[str, Any]:
    match panel:
        case Chart():
            return {"type": "vis", "config": lens.config(panel, target.id(f"view-{panel.view}"))}
        case Listing():
            reference = target.id(f"search-{panel.search}")
            return {"type": "discover_session", "config": {"title": panel.title, "ref_id": reference}}
        case Note():
            return {
                "type": "markdown",
                "config": {
                    "title": panel.title,
                    "hide_title": True,
                    "content": linked(panel.text, target),
                    "settings": {"open_links_in_new_tab": False},
                },
            }


def _placed(dashboard: Dashboard) -> list[tuple[str, dict[str, int], Panel]]:
    placed: list[tuple[str, dict[str, int], Panel]] = []
    top = 0
    for height, row in dashboard.rows:
        width = _WIDTH // len(row)
        for column, panel in enumerate(row):
            grid = {"x": column * width, "y": top, "w": width, "h": height}
            placed.append((f"{dashboard.key}-{len(placed)}", grid, panel))
        top += height
    return placed


def _has_time(dashboard: Dashboard) -> bool:
    timed = {view.key for view in VIEWS if view.time_field is not None}
    return any(panel.view in timed for panel in dashboard.panels() if isinstance(panel, Chart))


def linked(text: str, target: Target) -> str:
    """The text with ``{dashboard:key}`` and ``{map:key}`` as links that stay in the space and below Kibana's base path.

    >>> linked("[E]({dashboard:entity}) [M]({map:places})", Target())
    '[E](#/view/news-entity) [M](maps/map/news-map-places)'
    """

    def link(found: re.Match[str]) -> str:
        if found[1] == "dashboard":
            return f"#/view/{target.id(found[2])}"
        return f"maps/map/{target.id(f'map-{found[2]}')}"

    return re.sub(r"\{(dashboard|map):([a-z-]+)\}", link, text)


def dashboard_object(dashboard: Dashboard, target: Target) -> SavedObject:
    """One dashboard as a saved object, in the shape of Kibana 8.7, for the export file."""
    references: list[Mapping[str, str]] = []
    panels = []
    for id_, grid, panel in _placed(dashboard):
        stored, own = _stored_panel(id_, panel, target)
        panels.append({"version": "8.8.0", "panelIndex": id_, "gridData": {**grid, "i": id_}, **stored})
        references += own
    controls: dict[str, Any] = {}
    for number, control in enumerate(dashboard.controls):
        id_ = f"{dashboard.key}-control-{number}"
        controls[id_] = _stored_control(id_, number, control)
        references.append(
            {
                "name": f"controlGroup_{id_}:optionsListDataView",
                "type": "index-pattern",
                "id": target.id(f"view-{control.view}"),
            }
        )
    if _has_time(dashboard):
        id_ = f"{dashboard.key}-control-time"
        controls[id_] = {"order": len(controls), "width": "large", "grow": True, "type": "timeSlider",
                         "explicitInput": {"id": id_, "enhancements": {}}}  # fmt: skip
    nothing = {"query": {"query": "", "language": "kuery"}, "filter": []}
    return SavedObject(
        type="dashboard",
        id=target.id(dashboard.key),
        attributes={
            "title": f"{dashboard.title}{target.label}",
            "description": dashboard.description,
            "timeRestore": True,
            "timeFrom": dashboard.since,
            "timeTo": "now",
            "version": 1,
            "optionsJSON": _json(
                {"useMargins": True, "syncColors": False, "syncCursor": True, "syncTooltips": False,
                 "hidePanelTitles": False}
            ),
            "panelsJSON": _json(panels),
            "controlGroupInput": {
                "controlStyle": "oneLine",
                "chainingSystem": "HIERARCHICAL",
                "panelsJSON": _json(controls),
                "ignoreParentSettingsJSON": _json(
                    {"ignoreFilters": False, "ignoreQuery": False, "ignoreTimerange": False, "ignoreValidations": False}
                ),
            },
            "kibanaSavedObjectMeta": {"searchSourceJSON": _json(nothing)},
        },
        references=(*references, _tagged(target)),
    )  # fmt: skip


def _stored_panel(id_: str, panel: Panel, target: Target) -> tuple[dict[str, Any], list[Mapping[str, str]]]:
    match panel:
        case Chart():
            state = lens.state(panel, target.id(f"view-{panel.view}"))
            references = [{**reference, "name": f"{id_}:{reference['name']}"} for reference in state["references"]]
            hidden = {"hidePanelTitles": panel.kind == "metric"}
            stored = {
                "type": "lens",
                "title": panel.title,
                "embeddableConfig": {"attributes": state, "enhancements": {}, **hidden},
            }
            return stored, list(references)
        case Listing():
            name = f"panel_{id_}"
            stored = {
                "type": "search",
                "title": panel.title,
                "embeddableConfig": {"enhancements": {}},
                "panelRefName": name,
            }
            return stored, [{"name": f"{id_}:{name}", "type": "search", "id": target.id(f"search-{panel.search}")}]
        case Note():
            markdown = {"fontSize": 12, "openLinksInNewTab": False, "markdown": linked(panel.text, target)}
            source = {"query": {"query": "", "language": "kuery"}, "filter": []}
            vis = {
                "title": panel.title,
                "description": "",
                "type": "markdown",
                "params": markdown,
                "uiState": {},
                "data": {"aggs": [], "searchSource": source},
            }
            stored = {
                "type": "visualization",
                "embeddableConfig": {"savedVis": vis, "enhancements": {}, "hidePanelTitles": True},
            }
            return stored, []


def _stored_control(id_: str, number: int, control: Control) -> dict[str, Any]:
    return {
        "order": number,
        "width": "medium",
        "grow": True,
        "type": "optionsListControl",
        "explicitInput": {"id": id_, "fieldName": control.field, "title": control.title, "enhancements": {}},
    }


# ------------------------------------------------------------------------------------------ the export


def export(target: Target) -> str:
    """Everything as an NDJSON file for Kibana's Stack Management, Saved Objects, Import."""
    everything = [*library(target), *(dashboard_object(one, target) for one in DASHBOARDS)]
    lines = [
        marked(one, Mark(marks.VERSION, marks.fingerprint(content(one.line())), _BY_HAND)).line() for one in everything
    ]
    return "".join(json.dumps(line, ensure_ascii=False, sort_keys=True) + "\n" for line in lines)


# ----------------------------------------------------------------------------------- content and marks


def content(stored: Mapping[str, Any]) -> dict[str, Any]:
    """What a saved object says, without its mark and without what changes by mere use (for its fingerprint)."""
    attributes = dict(stored["attributes"])
    if stored["type"] == "index-pattern":
        attributes = {key: attributes[key] for key in _DATA_VIEW_CONTENT if attributes.get(key) not in _EMPTY}
        for key in ("fieldFormatMap", "fieldAttrs", "runtimeFieldMap"):
            if key in attributes:
                attributes[key] = json.loads(attributes[key])
        described = attributes.get("fieldAttrs", {}).get(_MARKED_FIELD, {})
        if "customDescription" in described:
            described["customDescription"] = marks.strip(described["customDescription"])
        # Discover counts how often a field is used.
        labelled = {
            name: {key: value for key, value in one.items() if key != "count" and value}
            for name, one in attributes.get("fieldAttrs", {}).items()
        }
        attributes["fieldAttrs"] = {name: one for name, one in labelled.items() if one}
    elif "description" in attributes:
        attributes["description"] = marks.strip(attributes["description"])
    references = sorted(stored.get("references", ()), key=lambda one: (one["name"], one["type"], one["id"]))
    return {"attributes": attributes, "references": references}


def content_of_dashboard(data: Mapping[str, Any]) -> dict[str, Any]:
    """What a dashboard says, without its mark (for its fingerprint)."""
    return {**data, "description": marks.strip(data.get("description"))}


def mark_of(stored: Mapping[str, Any]) -> Mark | None:
    """The mark of a saved object, or None where it isn't ours."""
    attributes = stored["attributes"]
    if stored["type"] == "index-pattern":
        labelled = json.loads(attributes.get("fieldAttrs") or "{}")
        return marks.read(labelled.get(_MARKED_FIELD, {}).get("customDescription"))
    return marks.read(attributes.get("description"))


def marked(one: SavedObject, mark: Mark) -> SavedObject:
    """The object with a mark."""
    attributes = dict(one.attributes)
    if one.type == "index-pattern":
        labelled = json.loads(attributes.get("fieldAttrs") or "{}")
        entry = labelled.setdefault(_MARKED_FIELD, {})
        entry["customDescription"] = marks.put(entry.get("customDescription"), mark)
        attributes["fieldAttrs"] = _json(labelled)
    else:
        attributes["description"] = marks.put(attributes.get("description"), mark)
    return replace(one, attributes=attributes)


def marked_body(body: Mapping[str, Any], mark: Mark) -> dict[str, Any]:
    """The dashboard body with a mark."""
    return {**body, "description": marks.put(body.get("description"), mark)}


def as_ndjson(objects: Sequence[SavedObject]) -> bytes:
    """Objects as the import API reads them."""
    return "".join(json.dumps(one.line(), ensure_ascii=False) + "\n" for one in objects).encode()


def _tagged(target: Target) -> dict[str, str]:
    id_ = target.id("tag")
    return {"type": "tag", "id": id_, "name": f"tag-ref-{id_}"}


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
