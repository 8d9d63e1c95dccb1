"""Changes to config/sources.toml that leave its comments and order as they are."""

from __future__ import annotations

import os
from dataclasses import fields
from pathlib import Path

import tomlkit
from tomlkit.exceptions import TOMLKitError
from tomlkit.items import AoT

from pipeline.errors import ConfigurationError
from pipeline.models import Source


def add_source(path: Path, source: Source) -> None:
    """Append an entry. Raises ConfigurationError when the id is taken or the file can't be read."""
    document = _read(path)
    entries = document.get("source")
    if entries is None:
        entries = tomlkit.aot()
        document.append("source", entries)
    if not isinstance(entries, AoT):
        raise ConfigurationError(f"{path}: sources stand in [[source]] tables")
    if any(entry.get("id") == source.id for entry in entries):
        raise ConfigurationError(f"{path}: there is a source {source.id!r} already; ids are unique")
    table = tomlkit.table()
    for field in fields(source):
        value = getattr(source, field.name)
        if field.name in ("id", "kind", "location"):
            table.append(field.name, str(value))
        elif value is not None and value != field.default:
            table.append(field.name, list(value) if isinstance(value, tuple) else value)
    entries.append(table)
    _write(path, document)


def set_enabled(path: Path, source_id: str, enabled: bool) -> None:
    """Switch a source on or off. Raises ConfigurationError when there is none of that id."""
    document = _read(path)
    for entry in document.get("source") or ():
        if entry.get("id") == source_id:
            if enabled:
                entry.pop("enabled", None)
            else:
                entry["enabled"] = False
            _write(path, document)
            return
    raise ConfigurationError(f"{path}: there is no source {source_id!r}", hint="'news sources list' shows them.")


def _read(path: Path) -> tomlkit.TOMLDocument:
    try:
        return tomlkit.parse(path.read_text(encoding="utf-8")) if path.exists() else tomlkit.document()
    except (TOMLKitError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path}: {error}") from None


def _write(path: Path, document: tomlkit.TOMLDocument) -> None:
    # Whole or not at all: a scheduler may read the file at any moment.
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.{os.getpid()}")
    temporary.write_text(tomlkit.dumps(document), encoding="utf-8")
    temporary.replace(path)
