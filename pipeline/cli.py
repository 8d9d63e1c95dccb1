"""The ``news`` command. It only reads arguments and prints; the work is done by pipeline.run and pipeline.search.

What a program may read goes to standard output (``--json``: JSON alone); everything else to standard error.
Exit codes: 0 all well, 1 something failed, 2 wrong usage or configuration, 130 interrupted.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, Any, cast

import typer
from rich.console import Console
from rich.logging import RichHandler
from rich.markup import escape
from rich.table import Table

from pipeline.console import FromArchive, Json, Since, Until, err, finish, out, print_json, progress_bar, say
from pipeline.errors import ConfigurationError, NewsError
from pipeline.kibana.commands import app as kibana_app
from pipeline.logs import JsonFormatter, LinesToLog
from pipeline.operations.commands import register
from pipeline.urls import without_credentials

if TYPE_CHECKING:
    from pipeline.discover.find import Candidate
    from pipeline.models import Source
    from pipeline.run import Services
    from pipeline.search import SearchHit, SearchResults

log = logging.getLogger("news")

app = typer.Typer(
    help="Keep a news search index fresh: ingest articles, search them, find out what happened to one.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
es_app = typer.Typer(help="The embedded Elasticsearch node.", no_args_is_help=True)
sources_app = typer.Typer(help="The configured sources (config/sources.toml).", no_args_is_help=True)
app.add_typer(es_app, name="es")
app.add_typer(sources_app, name="sources")
app.add_typer(kibana_app, name="kibana")


def main() -> None:
    """Entry point of the ``news`` command: runs it and turns errors into messages and exit codes."""
    # The models gain nothing from the matrix library's threads and cost twice the CPU with them.
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
        os.environ.setdefault(name, "1")
    try:
        app()
    except NewsError as error:
        if isinstance(err.file, LinesToLog):
            log.log(logging.ERROR, "%s", error)  # its own words; where in the code it arose helps nobody
        else:
            err.print(f"[bold red]Error:[/] {escape(error.message)}")
            if error.hint:
                err.print(escape(error.hint))
        sys.exit(2 if isinstance(error, ConfigurationError) else 1)
    except KeyboardInterrupt:
        err.print("Interrupted; what was done is kept, and the next run goes on from there.")
        sys.exit(130)
    except BrokenPipeError:
        # `news search … | head` closed the pipe; point stdout elsewhere so that Python's own flush stays quiet.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        out.print(version("news-pipeline"))
        raise typer.Exit


@app.callback()
def _options(
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log what happens to standard error.")] = False,
    log_json: Annotated[
        bool,
        typer.Option("--log-json", help="The same as JSON, one object a line and nothing else there."),
    ] = False,
    _: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    wanted = os.environ.get("NEWS_LOG_FORMAT", "text")
    if wanted not in ("text", "json"):
        raise ConfigurationError(f"environment: NEWS_LOG_FORMAT: {wanted!r} is neither text nor json")
    if log_json or wanted == "json":
        handler: logging.Handler = logging.StreamHandler()
        handler.setFormatter(JsonFormatter())
        logging.basicConfig(level=logging.INFO, handlers=[handler])
        logging.getLogger("elastic_transport").setLevel(logging.WARNING)  # tells of every single request
        err.file = cast("IO[str]", LinesToLog(log))
    else:
        logging.basicConfig(
            level=logging.INFO if verbose else logging.ERROR,
            format="%(message)s",
            handlers=[RichHandler(console=err, show_path=False)],
        )
    # Where structlog is installed (Airflow brings it), stamina would tell of retries on standard output.
    from stamina import instrumentation

    instrumentation.set_on_retry_hooks([instrumentation.LoggingOnRetryHook])


# ---------------------------------------------------------------------------------------------- ingest


@app.command(
    epilog="Examples: [b]news ingest articles/ https://paper.example/story.html[/b] · "
    "[b]news ingest --from-archive --since 2026-11-01[/b]"
)
def ingest(
    what: Annotated[
        list[str] | None, typer.Argument(help="Files, folders or web addresses.", metavar="PATH|URL…")
    ] = None,
    from_archive: FromArchive = False,
    source: Annotated[
        list[str] | None, typer.Option(help="With --from-archive: only what this source brought (repeatable).")
    ] = None,
    ref: Annotated[
        list[str] | None, typer.Option(help="With --from-archive: only this URL or path (repeatable).")
    ] = None,
    since: Since = None,
    until: Until = None,
    as_json: Json = False,
) -> None:
    """Ingest files, folders or web addresses now, without Airflow."""
    from pipeline import run
    from pipeline.schedule import RunRequest, parse_window
    from pipeline.settings import load_sources

    if bool(what) == from_archive:
        raise typer.BadParameter("give PATHs or URLs, or --from-archive (not both)", param_hint="PATH|URL…")
    if (source or ref or since or until) and not from_archive:
        raise typer.BadParameter("--source, --ref, --since and --until need --from-archive")
    for path in what or []:
        if "://" not in path and not Path(path).exists():
            raise typer.BadParameter(f"{path!r} is no file, folder or web address", param_hint="PATH|URL…")
    services = run.open_services(say=say)
    request = RunRequest(
        source_ids=tuple(source or ()) if from_archive else (run.BY_HAND,),
        window=parse_window(since, until),
        from_archive=from_archive,
        names=tuple(ref or ()),
    )
    with progress_bar() as (planned, progress):
        report = run.run_now(
            services,
            request,
            load_sources(services.settings),
            kind="news ingest",
            references=run.file_references(what or [], services),
            fetch_again=True,
            planned=planned,
            progress=progress,
        )
    finish(services, report, as_json)


@app.command("run", epilog="Example: [b]news run samples --json[/b]")
def run_sources(
    source_ids: Annotated[list[str], typer.Argument(help="Ids from config/sources.toml.", metavar="SOURCE_ID…")],
    from_archive: FromArchive = False,
    since: Since = None,
    until: Until = None,
    as_json: Json = False,
) -> None:
    """Run configured sources now, without Airflow."""
    from pipeline import run
    from pipeline.schedule import RunRequest, parse_window
    from pipeline.settings import load_sources

    services = run.open_services(say=say)
    request = RunRequest(source_ids=tuple(source_ids), window=parse_window(since, until), from_archive=from_archive)
    with progress_bar() as (planned, progress):
        report = run.run_now(
            services,
            request,
            load_sources(services.settings),
            kind="news run",
            planned=planned,
            progress=progress,
        )
    finish(services, report, as_json)


# ---------------------------------------------------------------------------------------------- search


class Sort(StrEnum):
    """Order of search results."""

    relevance = "relevance"
    newest = "newest"


@app.command(
    epilog="Examples: [b]news search 'sanctions AND Pyongyang'[/b] · "
    "[b]news search '\"climate summit\"' --language en --from 2026-01-01 --sort newest[/b]"
)
def search(
    query: Annotated[
        str,
        typer.Argument(
            help="Elasticsearch query-string syntax; phrases in double quotes, typos with ~. Without one, all that "
            "the options leave.",
            show_default=False,
        ),
    ] = "",
    language: Annotated[str | None, typer.Option(help="Two-letter code, e.g. en.")] = None,
    source: Annotated[str | None, typer.Option(help="Source id.")] = None,
    person: Annotated[str | None, typer.Option(help="Name of a person, in any spelling.")] = None,
    place: Annotated[str | None, typer.Option(help="Name of a place.")] = None,
    organization: Annotated[str | None, typer.Option(help="Name of an organisation.")] = None,
    since: Since = None,
    until: Until = None,
    sort: Annotated[Sort, typer.Option(help="Order.")] = Sort.relevance,
    collapse: Annotated[
        bool, typer.Option("--collapse", help="Show one of several near copies, and how many others there are.")
    ] = False,
    hybrid: Annotated[
        bool | None,
        typer.Option(
            "--hybrid/--no-hybrid",
            help="Find English articles by what plain words mean too, or by the words alone.",
            show_default="as index.semantic says",
        ),
    ] = None,
    limit: Annotated[int, typer.Option(min=0, max=1000, help="How many articles to print.")] = 10,
    as_json: Json = False,
) -> None:
    """Search the articles."""
    from pipeline import run
    from pipeline.schedule import parse_window
    from pipeline.search import SearchRequest
    from pipeline.search import search as search_articles

    window = parse_window(since, until)
    services = run.open_services(say=say)
    if hybrid and not services.settings.index.semantic:
        raise ConfigurationError(
            "--hybrid: the articles' meaning is not in the index.",
            hint="Set index.semantic = true, then run `news index rebuild` (docs/search.md).",
        )
    results = search_articles(
        services.elasticsearch,
        SearchRequest(
            query=query,
            language=language,
            source=source,
            person=person,
            place=place,
            organization=organization,
            since=window.since if window else None,
            until=window.until if window else None,
            sort=sort.value,
            collapse=collapse,
            limit=limit,
            prefix=services.prefix,
            review=services.entity_review(),
        ),
        embedder=None if hybrid is False else services.embedder,
    )
    if as_json:
        print_json(
            {
                "total": results.total,
                "notes": list(results.notes),
                "hits": [asdict(hit) for hit in results.hits],
                "facets": {
                    name: [{"value": value, "count": count} for value, count in buckets]
                    for name, buckets in results.facets.items()
                },
            }
        )
    else:
        print_results(results, out)
        print_facets(results, out)


def print_results(results: SearchResults, console: Console) -> None:
    """Print search results for people: headline, where and when, the best passages."""
    for note in results.notes:
        console.print(f"[dim]{escape(note)}[/]")
    console.print(f"[bold]{results.total}[/] article{'s' if results.total != 1 else ''}")
    print_hits(results.hits, console)


def print_hits(hits: Iterable[SearchHit], console: Console) -> None:
    """Print articles found: headline, where and when, the best passages."""
    for hit in hits:
        when = hit.published_at.date().isoformat() if hit.published_at else "no date"
        console.print(f"\n[bold]{escape(hit.headline)}[/]")
        others = f" · {hit.others} more like it" if hit.others else ""
        others += " · found by meaning" if hit.by_meaning else ""
        console.print(f"[dim]{when} · {hit.language} · {escape(hit.url or hit.path or hit.id)}{others}[/]")
        for passage in hit.passages(2):
            marked = escape(" ".join(passage.split())).replace("<em>", "[bold yellow]").replace("</em>", "[/]")
            console.print(f"  … {marked} …")


def print_facets(results: SearchResults, console: Console) -> None:
    """Print the most frequent languages, sources, people … of all that was found."""
    console.print()
    for name, buckets in results.facets.items():
        if buckets and name != "day":
            values = ", ".join(f"{escape(value)} ({count})" for value, count in buckets[:8])
            console.print(f"[dim]{name}:[/] {values}")


def _stored(services: Services, article: str) -> dict[str, Any]:
    """The stored article of this id or URL; says so and exits with code 1 where there is none."""
    from pipeline.search import get_document

    document = get_document(services.elasticsearch, article, prefix=services.prefix)
    if document is None:
        err.print(f"No article {article!r} in the index. [b]news explain[/b] tells what happened to it.")
        raise typer.Exit(1)
    return document


@app.command(epilog="Example: [b]news similar https://paper.example/story.html --limit 3[/b]")
def similar(
    article: Annotated[str, typer.Argument(help="Document id or URL.", metavar="ID|URL")],
    limit: Annotated[int, typer.Option(min=1, max=100, help="How many articles to print.")] = 6,
    as_json: Json = False,
) -> None:
    """List the articles that share the most telling words and names with a stored one, copies left out."""
    from pipeline import run
    from pipeline.search import similar as similar_articles

    services = run.open_services(say=say)
    document = _stored(services, article)
    hits = similar_articles(services.elasticsearch, document, limit=limit, prefix=services.prefix)
    if as_json:
        print_json({"hits": [asdict(hit) for hit in hits]})
    else:
        print_hits(hits, out)


@app.command(epilog="Example: [b]news show https://paper.example/story.html --json[/b]")
def show(
    article: Annotated[str, typer.Argument(help="Document id or URL.", metavar="ID|URL")],
    revisions: Annotated[
        bool, typer.Option("--revisions", help="Show how it was changed since it was first seen.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Show one stored article, whole."""
    from pipeline import run
    from pipeline.index.revisions import as_lines

    services = run.open_services(say=say)
    document = _stored(services, article)
    if as_json:
        print_json({"id": document.pop("_id"), "index": document.pop("_index"), **document})
        return
    out.print(f"[bold]{escape(document['headline'])}[/]")
    if revisions:
        for line in as_lines(document):
            out.print(escape(line))
        return
    for key, value in document.items():
        if key not in ("headline", "body", "mentions", "removed", "captions", "entities") and value not in (
            None,
            [],
            {},
        ):
            out.print(
                f"[dim]{key}:[/] {escape(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))}"
            )
    for kind, names in (document.get("entities") or {}).items():
        if names:
            out.print(f"[dim]{kind}:[/] {escape(', '.join(names) if isinstance(names, list) else str(names))}")
    out.print(f"\n{escape(document['body'])}")
    for caption in document.get("captions") or []:
        out.print(f"[dim]caption: {escape(caption)}[/]")


@app.command(epilog="Example: [b]news explain config/samples/regional/bridge.txt[/b]")
def explain(
    what: Annotated[str, typer.Argument(help="A URL, path or document id.", metavar="URL|PATH|ID")],
    as_json: Json = False,
) -> None:
    """Tell what happened to an article, step by step: discovery, archive, outcome of each run."""
    from pipeline import run

    services = run.open_services(say=say)
    history = run.explain(services, what)
    if as_json:
        print_json(history)
    elif history["runs"]:
        for event in history["runs"]:
            out.print(f"[bold]{escape(event['ref'])}[/]")
            when, source, via = event["discovered_at"][:19], event["source"], event["via"]
            out.print(f"  {when}Z  named by source {source} ({escape(via)}), run {event['run_id']}")
            if event["archive"]:
                address = event["archive"]
                out.print(f"  archived as {address['file']} at byte {address['offset']}, {address['digest']}")
            if event["taken_over_by"]:
                out.print(f"  left over; taken over by run {event['taken_over_by']}")
            if event["outcome"]:
                reason = f" ({event['reason']})" if event["reason"] else ""
                detail = f": {event['detail']}" if event["detail"] else ""
                end = f"{event['ended_at'][:19]}Z  {event['stage']}"
                out.print(f"  {end}: [bold]{event['outcome']}[/]{reason}{escape(detail)}")
            else:
                out.print("  not finished yet")
        document = history["document"]
        out.print(
            f"In the index as {document['id']} ({document['index']}): {escape(document['headline'])}"
            if document
            else "Not in the index."
        )
    if not history["runs"] and history["document"] is None:
        err.print(f"Nothing is known of {what!r}: no source has named it.")
        raise typer.Exit(1)


@app.command(epilog="Example: [b]news urltest https://paper.example/story.html[/b]")
def urltest(
    url: Annotated[str, typer.Argument(help="A web address.", metavar="URL")],
    as_json: Json = False,
) -> None:
    """Take one URL through discovery's rules, robots.txt, fetching and extraction; write nothing."""
    from pipeline import run

    services = run.open_services(say=say)
    steps = run.urltest(services, url)
    if as_json:
        print_json({"url": url, "steps": steps})
    else:
        for step in steps:
            mark = "[green]ok[/]  " if step["ok"] else "[red]stop[/]"
            reason = f" ({step['reason']})" if step["reason"] else ""
            out.print(f"{mark} {step['name']}{reason}: {escape(step['detail'])}")
    if not steps[-1]["ok"]:
        raise typer.Exit(1)


# ---------------------------------------------------------------------------------------------- doctor


@app.command(epilog="Example: [b]news doctor --json[/b]")
def doctor(as_json: Json = False) -> None:
    """Check Elasticsearch, templates, Airflow, the JDK, disk and model; each line is ok, or says what to do."""
    from pipeline.doctor import check_all
    from pipeline.settings import load_settings

    checks = check_all(load_settings())
    if as_json:
        print_json({"checks": [check.as_dict() for check in checks]})
    else:
        for check in checks:
            mark = {"ok": "[green]ok  [/]", "note": "[yellow]note[/]", "bad": "[bold red]bad [/]"}[check.status]
            out.print(f"{mark} {check.name}: {escape(check.message)}")
    if any(check.status == "bad" for check in checks):
        raise typer.Exit(1)


@app.command(epilog="Example: [b]news settings --json[/b]")
def settings(
    as_json: Json = False,
    markdown: Annotated[bool, typer.Option(help="Print the reference table of docs/settings.md.")] = False,
) -> None:
    """Show every setting: its value now, its default, and the environment variable that sets it."""
    from pipeline.settings import describe_settings, load_settings

    if markdown:
        sys.stdout.write("| setting | environment | default | meaning |\n|---|---|---|---|\n")
        for line in describe_settings():
            default = f"`{line.default}`" if line.default else "empty"
            sys.stdout.write(f"| `{line.key}` | `{line.variable}` | {default} | {line.meaning} |\n")
        return
    lines = describe_settings(load_settings())
    if as_json:
        print_json({line.key: line.value for line in lines})
        return
    table = Table("setting", "value", "default", "meaning")
    for line in lines:
        style = "bold" if line.value != line.default else ""
        table.add_row(line.key, escape(line.value or ""), escape(line.default), line.meaning, style=style)
    out.print(table)


# --------------------------------------------------------------------------------------------- sources


@sources_app.command("check", epilog="Examples: [b]news sources check[/b] · [b]news sources check --ask[/b]")
def sources_check(
    ask: Annotated[
        bool, typer.Option("--ask", help="Also read each enabled feed once: what it names, how far back it leads.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Check settings.toml and sources.toml; with --ask the feeds too (exit code 1 if one is no use)."""
    from pipeline.settings import load_settings, load_sources

    settings = load_settings()
    sources = load_sources(settings)
    feeds = _ask_feeds(sources) if ask else []
    if as_json:
        named = {"feeds": [{"id": source.id, **asdict(candidate)} for source, candidate in feeds]} if ask else {}
        print_json({"ok": not any(candidate.problem for _, candidate in feeds), "sources": len(sources), **named})
    else:
        out.print(f"{settings.config_dir / 'sources.toml'}: {len(sources)} sources, all well.")
        for source, candidate in feeds:
            out.print(f"{source.id}: {escape(candidate.problem or candidate.summary)}")
    if any(candidate.problem for _, candidate in feeds):
        raise typer.Exit(1)


def _ask_feeds(sources: Sequence[Source]) -> list[tuple[Source, Candidate]]:
    from datetime import UTC, datetime

    from pipeline import run
    from pipeline.discover.find import ask_feeds

    with run.open_services(say=say).web() as web:
        return ask_feeds(sources, web, now=datetime.now(UTC))


@sources_app.command("list", epilog="Example: [b]news sources list --json[/b]")
def sources_list(as_json: Json = False) -> None:
    """List the configured sources."""
    from pipeline.settings import describe_schedule, load_settings, load_sources

    settings = load_settings()
    sources = load_sources(settings)
    if as_json:
        print_json([{**asdict(source), "location": without_credentials(source.location)} for source in sources])
        return
    table = Table("id", "kind", "location", "schedule", "language", "enabled")
    for source in sources:
        schedule = source.schedule or settings.ingest.schedule
        table.add_row(
            source.id,
            source.kind.value,
            without_credentials(source.location),
            describe_schedule(schedule),
            source.language or "",
            "yes" if source.enabled else "no",
        )
    out.print(table)


@sources_app.command("add", epilog="Example: [b]news sources add https://www.paper.example[/b]")
def sources_add(
    url: Annotated[str, typer.Argument(help="A site's home page, or the address of a feed or sitemap.")],
    everything: Annotated[
        bool, typer.Option("--all", help="Add every feed and sitemap that is of use, not only the best.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what was found.")] = False,
    as_json: Json = False,
) -> None:
    """Find a site's feeds and sitemaps, show samples, and add the best one to sources.toml."""
    from datetime import UTC, datetime

    from pipeline import run
    from pipeline.discover.find import find_sources, propose_source
    from pipeline.discover.source_file import add_source
    from pipeline.settings import load_sources

    services = run.open_services(say=say)
    path = services.settings.config_dir / "sources.toml"
    taken = {source.id for source in load_sources(services.settings)}
    with services.web() as web:
        found = find_sources(url, web, now=datetime.now(UTC), progress=say)
    useful = [candidate for candidate in found if candidate.problem is None]
    chosen = useful if everything else useful[:1]
    added = []
    for candidate in chosen:
        source = propose_source(candidate, taken_ids=taken)
        taken.add(source.id)
        added.append(source)
        if not dry_run:
            add_source(path, source)
    if as_json:
        print_json({"found": [asdict(candidate) for candidate in found], "added": [asdict(source) for source in added]})
    else:
        for candidate in found:
            mark = "[green]+[/]" if candidate in chosen else "[dim]·[/]"
            facts = candidate.problem or candidate.summary
            out.print(f"{mark} {candidate.kind.value} {escape(candidate.url)} ({candidate.found_by}): {escape(facts)}")
            for sample in candidate.samples[:3]:
                out.print(f"    [dim]{escape(sample)}[/]")
        for source in added:
            out.print(f"{'Would add' if dry_run else 'Added'} [b]{source.id}[/] to {path}")
    if not useful:
        err.print(f"No feed or sitemap of use at {escape(url)}.")
        raise typer.Exit(1)


def _switch(source_id: str, enabled: bool) -> None:
    from pipeline.discover.source_file import set_enabled
    from pipeline.settings import load_settings

    path = load_settings().config_dir / "sources.toml"
    set_enabled(path, source_id, enabled)
    out.print(f"{source_id} is {'enabled' if enabled else 'disabled'} in {path}")


@sources_app.command("disable", epilog="Example: [b]news sources disable paper[/b]")
def sources_disable(source_id: Annotated[str, typer.Argument(help="The source's id.")]) -> None:
    """Switch a source off; its articles and its entry stay."""
    _switch(source_id, enabled=False)


@sources_app.command("enable", epilog="Example: [b]news sources enable paper[/b]")
def sources_enable(source_id: Annotated[str, typer.Argument(help="The source's id.")]) -> None:
    """Switch a source on again."""
    _switch(source_id, enabled=True)


@sources_app.command("import", epilog="Example: [b]news sources import feeds.opml[/b]")
def sources_import(
    file: Annotated[Path, typer.Argument(help="An OPML file.", exists=True, dir_okay=False)], as_json: Json = False
) -> None:
    """Add the feeds of an OPML file to sources.toml."""
    from pipeline.discover.opml import read_opml
    from pipeline.discover.source_file import add_source
    from pipeline.settings import load_settings, load_sources

    settings = load_settings()
    known = load_sources(settings)
    sources, problems = read_opml(file.read_bytes(), taken_ids={source.id for source in known})
    addresses = {source.location for source in known}
    new = [source for source in sources if source.location not in addresses]
    for source in new:
        add_source(settings.config_dir / "sources.toml", source)
    if as_json:
        print_json({"added": [asdict(source) for source in new], "problems": problems})
    else:
        for problem in problems:
            err.print(escape(problem))
        out.print(f"{len(new)} feeds added, {len(sources) - len(new)} were there already, {len(problems)} left out.")


@sources_app.command("export", epilog="Example: [b]news sources export > feeds.opml[/b]")
def sources_export() -> None:
    """Print the configured feeds as an OPML file."""
    from pipeline.discover.opml import write_opml
    from pipeline.settings import load_settings, load_sources

    sys.stdout.write(write_opml(load_sources(load_settings())).decode())


@sources_app.command("schema", epilog="Example: [b]news sources schema > config/sources.schema.json[/b]")
def sources_schema() -> None:
    """Print the JSON schema of sources.toml, for editors."""
    from pipeline.settings import sources_json_schema

    print_json(sources_json_schema())


# ------------------------------------------------------------------------------------------------- es


@es_app.command("start", epilog="Example: [b]news es start[/b]")
def es_start(as_json: Json = False) -> None:
    """Start the node, or find it running; the first time it is downloaded (about 100 MB)."""
    from pipeline import localnode, run
    from pipeline.settings import load_settings

    address = localnode.start(run.node_settings(load_settings()), say=say)
    if as_json:
        print_json({"url": address.url, "pid": address.pid, "version": address.version, "started": address.started})
    else:
        out.print(f"Elasticsearch {address.version} {'started' if address.started else 'was running'} at {address.url}")


@es_app.command("stop", epilog="Example: [b]news es stop[/b]")
def es_stop() -> None:
    """Stop the node; its data stays."""
    from pipeline import localnode, run
    from pipeline.settings import load_settings

    stopped = localnode.stop(run.node_settings(load_settings()))
    out.print("Elasticsearch stopped." if stopped else "Elasticsearch was not running.")


@es_app.command("status", epilog="Example: [b]news es status --json[/b]")
def es_status(as_json: Json = False) -> None:
    """Say whether the node runs, and where; exit code 1 when it doesn't."""
    from pipeline import localnode, run
    from pipeline.settings import load_settings

    status = localnode.status(run.node_settings(load_settings()))
    if as_json:
        print_json(asdict(status))
    elif status.running:
        out.print(f"Elasticsearch {status.version} runs at {status.url} (pid {status.pid}, health {status.health}).")
    else:
        out.print("Elasticsearch does not run. [b]news es start[/b] starts it.")
    if not status.running:
        raise typer.Exit(1)


@es_app.command("logs", epilog="Example: [b]news es logs --lines 200[/b]")
def es_logs(lines: Annotated[int, typer.Option(min=1, help="How many, from the end.")] = 50) -> None:
    """Print the end of the node's log."""
    from pipeline import localnode, run
    from pipeline.settings import load_settings

    path = localnode.log_path(run.node_settings(load_settings()))
    if not path.exists():
        err.print(f"There is no log yet at {path}.")
        raise typer.Exit(1)
    with path.open(errors="replace") as log:
        for line in log.readlines()[-lines:]:
            sys.stdout.write(line)


# ---------------------------------------------------------------------------------- the whole thing


@app.command(epilog="Example: [b]news demo[/b] (what [b]make run[/b] does)")
def demo() -> None:
    """Ingest the samples through Airflow and search them; stops again what it started."""
    from pipeline.standalone import demo as run_demo

    if not run_demo(out=out, err=err, progress=progress_bar):
        raise typer.Exit(1)


@app.command(epilog="Example: [b]news serve --port 8090[/b]")
def serve(port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 8090) -> None:
    """Serve the search page on this machine, without Airflow, until Ctrl-C."""
    from pipeline.web.serve import serve as serve_pages

    serve_pages(port=port, say=say)


@app.command(epilog="Example: [b]NEWS_HOME=~/news news up[/b] (what [b]make up[/b] does)")
def up() -> None:
    """Run Elasticsearch and Airflow in the foreground, on schedule, until Ctrl-C."""
    from pipeline.standalone import up as run_up

    run_up(err=err)


register(app)


if __name__ == "__main__":
    main()
