"""The commands of whoever is on call: backfill, quarantine, index, compare, forget, alerts.

``register`` puts them into the ``news`` command. As there, a command only reads arguments and prints.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from pipeline.console import Json, Since, Sources, Until, err, finish, out, print_json, progress_bar, say
from pipeline.models import Mode

if TYPE_CHECKING:
    from pipeline.index.quarantine import Entry
    from pipeline.run import Services

alerts_app = typer.Typer(help="What somebody should look at, and saved searches.", no_args_is_help=True)
index_app = typer.Typer(help="The indices: build them anew.", no_args_is_help=True)
ledger_app = typer.Typer(help="What was done and captured: make it anew when it is lost.", no_args_is_help=True)
quarantine_app = typer.Typer(help="What failed: look at it, try it again.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add the commands to ``app``."""
    app.add_typer(quarantine_app, name="quarantine")
    app.add_typer(index_app, name="index")
    app.add_typer(alerts_app, name="alerts")
    app.add_typer(ledger_app, name="ledger")
    app.command(epilog="Example: [b]news backfill --from 2026-11-01 --to 2026-12-01 --source my-paper --preview[/b]")(
        backfill
    )
    app.command(epilog="Example: [b]news forget https://paper.example/story.html[/b]")(forget)
    app.command(epilog="Example: [b]news compare --old current --new candidate.toml --sample 500[/b]")(compare)


def _services() -> Services:
    from pipeline import run

    return run.open_services(say=say)


# -------------------------------------------------------------------------------------------- backfill


def backfill(
    since: Since = None,
    until: Until = None,
    source: Sources = None,
    mode: Annotated[Mode, typer.Option(help="How to bring the span back; docs/operations.md explains.")] = Mode.REFETCH,
    preview: Annotated[bool, typer.Option("--preview", help="Only say what would be done, and write nothing.")] = False,
    as_json: Json = False,
) -> None:
    """Bring back a span of the past; stopped, the same command goes on where it was."""
    from pipeline.errors import ConfigurationError
    from pipeline.operations import backfill as backfills
    from pipeline.run import BY_HAND
    from pipeline.schedule import RunRequest, parse_window
    from pipeline.settings import load_sources

    window = parse_window(since, until)
    if window is None:
        raise typer.BadParameter("give the span of time", param_hint="--from/--to")
    services = _services()
    sources = load_sources(services.settings)
    # What was given to `news ingest` belongs to no source, and is brought back from the archive and index all the same.
    by_hand = [] if mode is Mode.REFETCH else [BY_HAND]
    known = {*(item.id for item in sources), *by_hand}
    if missing := sorted(set(source or ()) - known):
        raise ConfigurationError(f"no source {missing[0]!r}; known are {', '.join(sorted(known)) or 'none'}")
    chosen = tuple(dict.fromkeys(source or [*(item.id for item in sources if item.enabled), *by_hand]))
    request = RunRequest(source_ids=chosen, window=window, mode=mode)
    if preview:
        found = backfills.preview(services, request, sources)
        if as_json:
            print_json(found.as_dict())
        else:
            out.print(escape(found.as_text()))
        return
    with progress_bar() as (planned, progress):
        report = backfills.backfill_now(services, request, sources, planned=planned, progress=progress)
    if not as_json:
        for note in report["notes"]:
            err.print(escape(f"Source {note['source']}: {note['message']}."))
    finish(services, report, as_json)


# ------------------------------------------------------------------------------------------ quarantine

ReasonOption = Annotated[str | None, typer.Option("--reason", help="Only what failed for this reason.")]
SourceOption = Annotated[str | None, typer.Option("--source", help="Only this source.")]
SinceOption = Annotated[
    str | None, typer.Option("--since", help="Only what failed last at or after this date or time.")
]


@quarantine_app.command("list", epilog="Example: [b]news quarantine list --reason extract_timeout[/b]")
def quarantine_list(
    reason: ReasonOption = None,
    source: SourceOption = None,
    since: SinceOption = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many to print.")] = 50,
    as_json: Json = False,
) -> None:
    """List what failed, the latest first."""
    from rich.table import Table

    from pipeline.operations.replay import next_retry_at

    services = _services()
    found = _chosen(services, reason, source, since, limit)
    if as_json:
        print_json([_entry(services, entry) for entry in found])
        return
    table = Table("article", "source", "stage", "reason", "attempts", "next try")
    for entry in found:
        when = next_retry_at(entry, services.settings.quarantine)
        table.add_row(
            escape(entry.ref.name),
            entry.ref.source_id,
            entry.stage,
            entry.reason.value,
            str(entry.attempts),
            f"{when:%Y-%m-%d %H:%M}Z" if when else "left for you",
        )
    out.print(table)


@quarantine_app.command("show", epilog="Example: [b]news quarantine show https://paper.example/story.html[/b]")
def quarantine_show(
    article: Annotated[str, typer.Argument(help="URL, path or the entry's id.", metavar="URL|PATH|ID")],
    as_json: Json = False,
) -> None:
    """Show everything that is known of a failure."""
    from pipeline.operations import replay

    services = _services()
    found = [_entry(services, entry) for entry in replay.find(services, article)]
    if not found:
        err.print(f"{escape(repr(article))} is not in quarantine. [b]news explain[/b] tells what happened to it.")
        raise typer.Exit(1)
    if as_json:
        print_json(found)
        return
    for shown in found:
        for key, value in shown.items():
            out.print(f"[dim]{key}:[/] {escape(str(value))}")


@quarantine_app.command(
    "retry", epilog="Example: [b]news quarantine retry --reason extract_error --source my-paper[/b]"
)
def quarantine_retry(
    reason: ReasonOption = None,
    source: SourceOption = None,
    since: SinceOption = None,
    everything: Annotated[bool, typer.Option("--all", help="Everything that is in quarantine.")] = False,
    as_json: Json = False,
) -> None:
    """Try again now what failed, whatever its pause; what succeeds leaves the quarantine."""
    from pipeline.operations import replay
    from pipeline.settings import load_sources

    if everything == bool(reason or source or since):
        raise typer.BadParameter("give --reason, --source or --since, or --all (not both)")
    services = _services()
    chosen = _chosen(services, reason, source, since, 10_000)
    with progress_bar() as (planned, progress):
        report = replay.retry(services, chosen, load_sources(services.settings), planned=planned, progress=progress)
    finish(services, report, as_json)


def _chosen(services: Services, reason: str | None, source: str | None, since: str | None, limit: int) -> list[Entry]:
    from pipeline.errors import Reason
    from pipeline.operations import replay
    from pipeline.schedule import parse_window

    if reason and reason not in set(Reason):
        known = ", ".join(sorted(known.value for known in Reason))
        raise typer.BadParameter(f"{reason!r} is no reason; there are {known}", param_hint="--reason")
    window = parse_window(since, None)
    return replay.entries(
        services,
        reason=Reason(reason) if reason else None,
        source=source,
        since=window.since if window else None,
        limit=limit,
    )


def _entry(services: Services, entry: Entry) -> dict[str, Any]:
    from pipeline.operations.replay import next_retry_at

    return {
        "id": entry.id,
        "name": entry.ref.name,
        "source": entry.ref.source_id,
        "stage": entry.stage,
        "reason": entry.reason.value,
        "message": entry.message,
        "attempts": entry.attempts,
        "first_failed_at": entry.first_failed_at or entry.last_failed_at,
        "last_failed_at": entry.last_failed_at,
        "next_retry_at": next_retry_at(entry, services.settings.quarantine),
        "run_id": entry.run_id,
        "archive": asdict(entry.archived) if entry.archived else None,
        "command": entry.command,
    }


# ---------------------------------------------------------------------------------------------- forget


def forget(
    what: Annotated[str, typer.Argument(help="A URL, an absolute path, or a domain.", metavar="URL|DOMAIN|PATH")],
    yes: Annotated[bool, typer.Option("--yes", help="Don't ask.")] = False,
    undo: Annotated[bool, typer.Option("--undo", help="Let it in again (what was removed stays removed).")] = False,
    as_json: Json = False,
) -> None:
    """Take an article or a domain down: out of index, quarantine and archive, and kept out."""
    from pipeline.operations import takedown

    services = _services()
    if undo:
        lifted = services.ledger.remove_tombstones(what)
        if not lifted:
            err.print(f"{escape(repr(what))} was not taken down.")
            raise typer.Exit(1)
        if as_json:
            print_json({"asked": what, "lifted": lifted})
        else:
            out.print(f"{escape(what)} may come in again.")
        return
    found = takedown.look_up(services, what)
    summary = f"{len(found.documents)} articles, {len(found.names)} references, {len(found.addresses)} archive records"
    if not yes:
        err.print(f"{escape(what)}: {summary}")
        for document in found.documents[:10]:
            err.print(f"  {escape(document.get('headline') or '')}  [dim]{escape(document.get('url') or '')}[/]")
        typer.confirm("Remove them for good, and keep them out?", abort=True, err=True)
    erased = takedown.forget(services, found)
    if as_json:
        print_json({**found.as_dict(), "archive_records_erased": erased})
    else:
        out.print(f"{escape(what)} is taken down and kept out: {summary}.")


# ----------------------------------------------------------------------------------------------- index


@index_app.command("rebuild", epilog="Example: [b]news index rebuild --query 'flood OR dam'[/b]")
def index_rebuild(
    query: Annotated[
        list[str] | None, typer.Option("--query", help="Ask both generations this, and compare (repeatable).")
    ] = None,
    least_kept: Annotated[
        float, typer.Option(min=0, max=1, help="Swap only if the new index has this share of the live articles.")
    ] = 0.99,
    grace: Annotated[float, typer.Option(min=0, help="Seconds before old indices are deleted after the swap.")] = 10,
    as_json: Json = False,
) -> None:
    """Build the index anew from the archive beside the live one, compare, and swap in one step."""
    from pipeline.operations.rebuild import rebuild
    from pipeline.settings import load_sources

    services = _services()
    with progress_bar() as (planned, progress):
        planned(sum(1 for _ in services.ledger.newest_captures()))
        done = rebuild(
            services,
            load_sources(services.settings),
            queries=query or (),
            least_kept=least_kept,
            grace_seconds=grace,
            progress=progress,
        )
    if as_json:
        print_json(done.as_dict())
    else:
        parity = done.parity
        for language in sorted({*parity.live, *parity.new}):
            out.print(f"{language:6} {parity.live.get(language, 0):>10} → {parity.new.get(language, 0):>10}")
        out.print(f"{len(parity.missing)} articles are missing, {parity.added} are new.")
        out.print(f"The first ten of {len(parity.queries)} queries are equal to {parity.overlap:.0%}.")
        for missing in parity.missing[:10]:
            out.print(f"  missing: {missing} (news explain {missing})")
        if done.swapped:
            out.print(f"The new index is in place: {', '.join(done.indices)}.")
        else:
            err.print("Too many articles are missing: the live index stays. --least-kept takes them as lost.")
    if not done.swapped:
        raise typer.Exit(1)


# --------------------------------------------------------------------------------------------- compare


def compare(
    old: Annotated[str, typer.Option(help="stored, current, a settings file, or an entity model.")] = "stored",
    new: Annotated[str, typer.Option(help="The same for the other side.")] = "current",
    sample: Annotated[int, typer.Option(min=1, help="How many archived pages to read.")] = 200,
    source: SourceOption = None,
    as_json: Json = False,
) -> None:
    """Show what an upgrade or another setting would change, over archived pages; writes nothing."""
    from pipeline.operations import compare as comparing
    from pipeline.settings import load_sources

    services = _services()
    found = comparing.compare(services, old, new, load_sources(services.settings), sample=sample, source=source)
    if as_json:
        print_json(found.as_dict())
        return
    out.print(f"{found.compared} pages compared, {len(found.differences)} differ.")
    out.print(f"Median body: {found.median_body[0]} → {found.median_body[1]} characters.")
    for field, count in found.changed.items():
        out.print(f"  {field:14} {count:>6} changed")
    for example in found.as_dict(examples=10)["examples"]:
        out.print(f"\n[bold]{escape(example['name'])}[/] ({example['source']})")
        for field, change in example["changes"].items():
            out.print(f"  {field}: {escape(str(change['old']))}")
            out.print(f"  {' ' * len(field)}→ {escape(str(change['new']))}")


@index_app.command("maintain", epilog="Example: [b]news index maintain --json[/b]")
def index_maintain(as_json: Json = False) -> None:
    """Roll over, delete what is beyond its retention, snapshot: what the DAG news_maintenance does every night."""
    from pipeline.operations.maintenance import maintain

    done = maintain(_services())
    if as_json:
        print_json(done)
    else:
        for name, value in done.items():
            out.print(f"[dim]{name}:[/] {escape(', '.join(value) if isinstance(value, list) else str(value))}")


# ---------------------------------------------------------------------------------------------- ledger


@ledger_app.command("rebuild", epilog="Example: [b]news ledger rebuild --json[/b]")
def ledger_rebuild(as_json: Json = False) -> None:
    """Make a lost or damaged ledger anew from the archive; exit code 1 where part of the archive can't be read."""
    from pipeline.operations.recovery import rebuild_ledger

    services = _services()
    with progress_bar() as (planned, progress):
        found = rebuild_ledger(services, planned=planned, progress=progress)
    if as_json:
        print_json(found.as_dict())
    else:
        out.print(f"{found.captures} captures in {found.files} archive files; {found.gone} known ones are gone.")
        out.print("What was taken down only the lost ledger knew: repeat those 'news forget'.")
        for problem in found.damaged:
            err.print(escape(problem))
    if found.damaged:
        raise typer.Exit(1)


# ---------------------------------------------------------------------------------------------- alerts


@alerts_app.command("check", epilog="Example: [b]news alerts check --json[/b]")
def alerts_check(as_json: Json = False) -> None:
    """Print every alert there is now; exit code 1 where there is any. Tells nobody."""
    from pipeline.operations import alerts
    from pipeline.settings import load_sources

    services = _services()
    found = alerts.check(services, load_sources(services.settings))
    if as_json:
        print_json([alert.as_dict() for alert in found])
    else:
        for alert in found:
            out.print(escape(alert.as_text()))
        if not found:
            err.print("All is well.")
    if found:
        raise typer.Exit(1)


@alerts_app.command("searches", epilog="Example: [b]news alerts searches --json[/b]")
def alerts_searches(as_json: Json = False) -> None:
    """Check config/alerts.toml; print each saved search, what it finds and what waits to be told. Tells nobody."""
    from rich.table import Table

    from pipeline import search_alerts

    services = _services()
    settings = services.settings
    searches = search_alerts.load_saved_searches(settings.config_dir, settings.alerts)
    listed = search_alerts.overview(services, searches)
    if as_json:
        print_json(listed)
        return
    if not listed:
        err.print(f"There is no saved search: {escape(str(settings.config_dir / search_alerts.FILE))} has none.")
        return
    table = Table("search", "question", "told to", "articles", "waiting", "newest")
    for one in listed:
        cells = (one["id"], one["query"], ", ".join(one["recipients"]), str(one["articles"]), str(one["waiting"]))
        table.add_row(*map(escape, cells), escape(one["newest"] or ""))
    out.print(table)
    for one in listed:
        for note in one["notes"]:
            out.print(f"{escape(one['id'])}: {escape(note)}")
