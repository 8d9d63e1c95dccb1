"""What the commands share: where they print, how they show progress, and the options that several of them take.

What a program may read goes to standard output; everything else to standard error.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from textwrap import indent
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

if TYPE_CHECKING:
    from pipeline.run import Services

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)

Json = Annotated[bool, typer.Option("--json", help="Print JSON on standard output, and nothing else there.")]
Since = Annotated[str | None, typer.Option("--since", "--from", help="ISO date or time, e.g. 2026-11-20 (UTC).")]
Until = Annotated[str | None, typer.Option("--until", "--to", help="ISO date or time; that moment is not included.")]
Sources = Annotated[list[str] | None, typer.Option("--source", help="Only this source (repeatable).")]
FromArchive = Annotated[
    bool, typer.Option("--from-archive", help="Fetch nothing: repeat everything after the archive.")
]


def say(message: str) -> None:
    """Print a line for people on standard error, as it is."""
    err.print(escape(message))


def print_json(value: Any) -> None:
    """Print ``value`` as JSON on standard output; dates and paths as text."""
    sys.stdout.write(_as_json(value) + "\n")


def _print_json_report(report: Mapping[str, Any], items: Iterable[Mapping[str, Any]]) -> None:
    """The same for a report with its ``items``, one after the other: a run may have any number of them."""
    sys.stdout.write(_as_json(report).removesuffix("\n}") + ',\n  "items": [')
    between = "\n"
    for item in items:
        sys.stdout.write(between + indent(_as_json(item), "    "))
        between = ",\n"
    sys.stdout.write("\n  ]\n}\n")


def _as_json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2, default=str)


Planned = Callable[[int], None]
Advanced = Callable[[int], None]


@contextmanager
def progress_bar() -> Iterator[tuple[Planned, Advanced]]:
    """A bar on a terminal, a plain line every few seconds otherwise; both on standard error."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    if err.is_terminal:
        columns = (TextColumn("Articles"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        with Progress(*columns, console=err, transient=True) as bar:
            task = bar.add_task("Articles", total=None)
            yield lambda total: bar.update(task, total=total), lambda more: bar.advance(task, more)
        return
    total, done, told = 0, 0, time.monotonic()

    def planned(count: int) -> None:
        nonlocal total
        total = count
        err.print(f"{count} articles to work on")

    def advanced(more: int) -> None:
        nonlocal done, told
        done += more
        if time.monotonic() - told >= 5:
            told = time.monotonic()
            err.print(f"{done} of {total} articles")

    yield planned, advanced


def finish(services: Services, report: Mapping[str, Any], as_json: bool) -> None:
    """Print the report of a run that ended.

    Raises:
        typer.Exit: with code 1, where the run did not succeed.
    """
    from pipeline.models import OutcomeKind
    from pipeline.report import as_renderable

    if as_json:
        items = (
            {
                "ref": entry.ref.name,
                "source": entry.ref.source_id,
                "outcome": entry.outcome,
                "reason": entry.reason,
                "detail": entry.detail,
                "id": entry.document_id,
            }
            for entry in services.ledger.results(report["run_id"])
        )
        _print_json_report(report, items)
    else:
        err.print(as_renderable(report))
        for entry in services.ledger.results(report["run_id"], kind=OutcomeKind.FAILED):
            err.print(f"failed  {escape(entry.ref.name)}: {entry.reason} {escape(entry.detail or '')}")
    if report["status"] != "succeeded":
        raise typer.Exit(1)
