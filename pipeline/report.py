"""A run's report as people read it: the table of outcomes, and what to do next. Pure."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

from rich import box
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

_MEANING = {
    "indexed": "new in the index",
    "updated": "changed since they were indexed",
    "unchanged": "there already, as they are",
    "duplicate": "the same text, or named twice",
    "rejected": "no article, or not wanted",
    "failed": "could not be worked on",
}
_STYLE = {"succeeded": "bold green", "partial": "bold yellow", "failed": "bold red"}


def as_renderable(report: Mapping[str, Any]) -> RenderableType:
    """The report as a rich renderable, for a terminal."""
    outcomes = Table(box=box.SIMPLE_HEAD, show_footer=True)
    outcomes.add_column("outcome", footer="discovered")
    outcomes.add_column("articles", justify="right", footer=str(report["discovered"]))
    outcomes.add_column("", footer="balanced" if report["balanced"] else "DOES NOT BALANCE")
    for kind, count in report["outcomes"].items():
        if count:
            outcomes.add_row(kind, str(count), _MEANING[kind])
            for reason, number in report["reasons"].items():
                if reason.startswith(f"{kind}("):
                    outcomes.add_row(f"  {reason[len(kind) + 1 : -1]}", str(number), "", style="dim")
    parts: list[RenderableType] = [
        Text.assemble("Run ", report["run_id"], ": ", (report["status"], _STYLE[report["status"]])),
        outcomes,
    ]
    if len(report["sources"]) > 1:
        parts.append(_sources(report))
    stages = ", ".join(f"{stage} {seconds:.1f} s" for stage, seconds in report["stage_seconds"].items())
    parts.append(Text(f"Took {report['duration_seconds']:.1f} s{f' ({stages})' if stages else ''}."))
    if report["entities"] == "off":
        parts.append(Text("Entities are off (setting entities.model): people, places and organisations stay empty."))
    else:
        parts.append(Text(f"Entities by {report['entities']}."))
    if report["kept_for_next_run"]:
        kept = f"{report['kept_for_next_run']} articles are kept; the next run takes them over."
        parts.append(Text(kept, style="red"))
    parts += [Text(f"Source {note['source']}: {note['message']}") for note in report.get("notes", ())]
    parts += [Text(f"Source {problem['source']}: {problem['message']}", style="red") for problem in report["problems"]]
    return Group(*parts)


def _sources(report: Mapping[str, Any]) -> Table:
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("source")
    for kind in report["outcomes"]:
        table.add_column(kind, justify="right")
    for source in report["sources"]:
        table.add_row(source["id"], *(str(count or "·") for count in source["outcomes"].values()))
    return table


def as_text(report: Mapping[str, Any]) -> str:
    """The report as plain text, for a log."""
    buffer = io.StringIO()
    Console(file=buffer, width=100, color_system=None).print(as_renderable(report))
    return buffer.getvalue()
