"""``news kibana``: set Kibana up, or write the file to import by hand."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from pipeline.console import Json

app = typer.Typer(help="Data views, saved searches and dashboards in Kibana.", no_args_is_help=True)

Space = Annotated[str, typer.Option(help="The Kibana space that gets them.")]
ArchiveLink = Annotated[
    str | None,
    typer.Option(
        "--archive-link",
        help="Where archive files can be reached, e.g. 'https://files.example/archive/{{value}}': makes them links.",
        metavar="TEMPLATE",
    ),
]


@app.command(
    epilog="Example: [b]KIBANA_URL=http://127.0.0.1:5601 news kibana setup[/b] · "
    "log in with KIBANA_API_KEY, or KIBANA_USER and KIBANA_PASSWORD; KIBANA_CA_CERTS names a CA file"
)
def setup(
    space: Space = "default",
    force: Annotated[bool, typer.Option("--force", help="Also replace what you have changed in Kibana.")] = False,
    archive_link: ArchiveLink = None,
    wait: Annotated[float, typer.Option(min=0, help="Seconds to wait for a Kibana that is still starting.")] = 0,
    as_json: Json = False,
) -> None:
    """Create or update them; doing it again changes nothing, and your own changes stay."""
    from pipeline.kibana.connection import KibanaConnection
    from pipeline.kibana.install import setup as set_up
    from pipeline.settings import load_settings

    report = set_up(
        KibanaConnection.from_environment(),
        space,
        force,
        _say,
        prefix=load_settings().index.prefix,
        archive_link=archive_link,
        wait_seconds=wait,
    )
    if as_json:
        sys.stdout.write(json.dumps(report.as_dict(), ensure_ascii=False, indent=2) + "\n")
        return
    counts = ", ".join(f"{count} {action}" for action, count in sorted(report.counts.items()))
    below = "" if space == "default" else f"/s/{space}"
    typer.echo(f"Kibana {report.kibana_version}, space {space}: {counts}. See {report.kibana}{below}/app/dashboards")


@app.command(epilog="Example: [b]news kibana export news.ndjson[/b], then Stack Management, Saved Objects, Import")
def export(
    file: Annotated[Path | None, typer.Argument(help="Where to write; standard output without it.")] = None,
    space: Space = "default",
    archive_link: ArchiveLink = None,
) -> None:
    """Write everything as an NDJSON file to import by hand; needs no Kibana."""
    from pipeline.errors import ConfigurationError
    from pipeline.kibana.objects import Target
    from pipeline.kibana.objects import export as export_all
    from pipeline.settings import load_settings

    content = export_all(Target(prefix=load_settings().index.prefix, space=space, archive_link=archive_link))
    if file is None:
        sys.stdout.write(content)
        return
    try:
        file.write_text(content, encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(f"{file}: can't be written: {error.strerror}") from None
    _say(f"{file}: {content.count(chr(10))} objects. Import it in Stack Management, Saved Objects.")


def _say(message: str) -> None:
    typer.echo(message, err=True)
