"""The schemas in tests/data/kibana, and what checks a body or a saved object against them."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

_FOLDER = Path(__file__).resolve().parent.parent / "data" / "kibana"
_JSON_STRINGS = (
    "fieldFormatMap", "fieldAttrs", "runtimeFieldMap", "fields", "sourceFilters", "typeMeta", "layerListJSON",
    "mapStateJSON", "uiStateJSON", "panelsJSON", "optionsJSON", "searchSourceJSON", "ignoreParentSettingsJSON",
)  # fmt: skip


@cache
def _validator(name: str) -> Draft202012Validator:
    schema = json.loads((_FOLDER / name).read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def problems_of_dashboard(body: Mapping[str, Any]) -> list[str]:
    """What the Dashboards API would find wrong with a body."""
    return _problems("dashboards_api.json", body)


def problems_of_saved_object(line: Mapping[str, Any]) -> list[str]:
    """What is wrong with a line of a saved objects file."""
    return _problems("saved_objects.json", decoded(line))


def decoded(line: Mapping[str, Any]) -> dict[str, Any]:
    """A saved object with the JSON in its strings as values."""

    def walk(value: Any) -> Any:
        if isinstance(value, dict):
            return {
                key: walk(json.loads(item)) if key in _JSON_STRINGS and isinstance(item, str) else walk(item)
                for key, item in value.items()
            }
        return [walk(item) for item in value] if isinstance(value, list) else value

    return walk(copy.deepcopy(dict(line)))


def _problems(name: str, value: Any) -> list[str]:
    found = []
    for error in _validator(name).iter_errors(value):
        inner = error
        while inner.context:
            inner = max(inner.context, key=lambda one: len(one.absolute_path))
        found.append(f"{'/'.join(map(str, inner.absolute_path))}: {inner.message[:300]}")
    return found
