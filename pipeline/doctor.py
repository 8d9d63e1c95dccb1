"""`news doctor`: is everything there that a run needs? Each check answers ok, note or bad, with what to do."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from pipeline import localairflow, localnode
from pipeline.archive import Archive
from pipeline.enrich import load_enricher, read_entity_review
from pipeline.enrich.embeddings import load_embedder
from pipeline.errors import NewsError
from pipeline.index import client as index_client
from pipeline.index import templates
from pipeline.ledger import Ledger
from pipeline.run import node_settings
from pipeline.search_alerts import FILE, load_saved_searches
from pipeline.settings import Settings, load_sources
from pipeline.urls import without_credentials

_LEAST_FREE_BYTES = 2_000_000_000

_IMPORT_DAGS = """
from airflow.dag_processing.dagbag import DagBag
import sys
bag = DagBag(sys.argv[1])
for file, problem in bag.import_errors.items():
    print("PROBLEM", file, problem.strip().splitlines()[-1])
print("DAGS", ", ".join(sorted(bag.dags)))
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One line of the doctor's answer."""

    name: str
    status: Literal["ok", "note", "bad"]
    message: str

    def as_dict(self) -> dict[str, Any]:
        """A JSON-ready form."""
        return asdict(self)


def check_all(settings: Settings) -> list[Check]:
    """Run every check. Nothing is started, created or changed."""
    return [
        *_sources(settings),
        *_saved_searches(settings),
        *_elasticsearch(settings),
        *_storage(settings),
        _disk(settings.home),
        _model(settings),
        _meaning(settings),
        *_airflow(settings),
    ]


def _ok(name: str, message: str) -> Check:
    return Check(name=name, status="ok", message=message)


def _note(name: str, message: str) -> Check:
    return Check(name=name, status="note", message=message)


def _bad(name: str, message: str) -> Check:
    return Check(name=name, status="bad", message=message)


def _sources(settings: Settings) -> Iterator[Check]:
    try:
        sources = load_sources(settings)
    except NewsError as error:
        yield _bad("sources", str(error))
        return
    if not sources:
        yield _note("sources", f"none in {settings.config_dir / 'sources.toml'}; docs/sources.md shows how to add one")
        return
    yield _ok("sources", f"{len(sources)} in {settings.config_dir / 'sources.toml'}")
    if not settings.fetch.contact and any("://" in source.location for source in sources):
        yield _bad("contact", "fetch.contact is empty; set NEWS_FETCH__CONTACT to your e-mail or web address")


def _saved_searches(settings: Settings) -> Iterator[Check]:
    try:
        searches = load_saved_searches(settings.config_dir, settings.alerts)
    except NewsError as error:
        yield _bad("saved searches", str(error))
        return
    if searches:
        yield _ok("saved searches", f"{len(searches)} in {settings.config_dir / FILE}")


def _elasticsearch(settings: Settings) -> Iterator[Check]:
    try:
        if settings.elasticsearch is not None:
            client = index_client.connect(settings.elasticsearch)
        else:
            if settings.es_home is None:
                yield _jdk()
            status = localnode.status(node_settings(settings))
            if not status.running or status.url is None:
                why = f": {status.problem}" if status.problem else ""
                yield _note("elasticsearch", f"the embedded node is not running{why}; it starts when it is needed")
                return
            client = index_client.connect(status.url)
        version = index_client.version(client)
        if int(version.split(".")[0]) < 9:
            yield _bad("elasticsearch", f"version {version}; 9.0 or later is needed")
            return
        yield _ok("elasticsearch", f"version {version} answers")
        behind = sorted(
            name
            for name, state in templates.state(client, settings.index, settings.index.prefix).items()
            if state != "current"
        )
        if behind:
            yield _note("templates", f"{', '.join(behind)} not current; the next run puts that in order")
        else:
            yield _ok("templates", "current")
    except NewsError as error:
        yield _bad("elasticsearch", str(error))


def _jdk() -> Check:
    try:
        jdk = localnode.find_jdk()
    except NewsError as error:
        return _bad("jdk", str(error))
    return _ok("jdk", f"version {jdk.version} in {jdk.home}")


def _storage(settings: Settings) -> Iterator[Check]:
    try:
        if not settings.home.exists() and not settings.ledger_url:
            yield _note("home", f"{settings.home} is not there yet; the first run makes it")
            return
        Ledger(settings.ledger_url or f"sqlite:///{settings.home / 'ledger.sqlite'}").runs(limit=1)
        yield _ok("ledger", settings.ledger_url.split("@")[-1] or str(settings.home / "ledger.sqlite"))
        archive = Archive(settings.archive_url or str(settings.home / "archive"))
        archive.check()
        yield _ok("archive", without_credentials(archive.root))
    except Exception as error:  # noqa: BLE001 - whatever the driver says is the answer to this question
        yield _bad("storage", f"{type(error).__name__}: {error}")


def _disk(home: Path) -> Check:
    place = next(path for path in (home, *home.parents) if path.exists())
    free = shutil.disk_usage(place).free
    message = f"{free / 1e9:.1f} GB free at {place}"
    return _ok("disk", message) if free >= _LEAST_FREE_BYTES else _bad("disk", f"{message}; make room, 2 GB at least")


def _model(settings: Settings) -> Check:
    if not settings.entities.model:
        return _note("entities", "off (setting entities.model is empty)")
    try:
        review = read_entity_review(settings.config_dir / "entities.toml")
        enricher = load_enricher(settings.language, settings.entities, review=review)
    except NewsError as error:
        return _bad("entities", str(error))
    return _ok("entities", enricher.entities_model or "off")


def _meaning(settings: Settings) -> Check:
    if not settings.index.semantic:
        return _note("meaning", "off (setting index.semantic): searches find by words alone")
    try:
        return _ok("meaning", load_embedder().name)
    except NewsError as error:
        return _bad("meaning", str(error))


def _airflow(settings: Settings) -> Iterator[Check]:
    environment = localairflow.environment(settings, port=settings.airflow.port, scheduled=True)
    if not (settings.home / "airflow").exists():
        yield _note("airflow", "not set up yet; `make run` or `make up` does it")
        return
    database = _run([sys.executable, "-m", "airflow", "db", "check"], environment)
    if database.returncode:
        yield _bad("airflow database", _last_line(database))
    else:
        yield _ok("airflow database", "answers")
    dags = _run([sys.executable, "-c", _IMPORT_DAGS, str(settings.project_dir / "dags")], environment)
    problems = [line for line in dags.stdout.splitlines() if line.startswith("PROBLEM ")]
    names = [line for line in dags.stdout.splitlines() if line.startswith("DAGS ")]
    if dags.returncode or not names:
        yield _bad("dags", _last_line(dags))
    for problem in problems:
        yield _bad("dags", problem.removeprefix("PROBLEM "))
    if names and not problems:
        yield _ok("dags", names[0].removeprefix("DAGS "))


def _run(command: list[str], environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)  # noqa: S603


def _last_line(process: subprocess.CompletedProcess[str]) -> str:
    lines = [line for line in (process.stderr + process.stdout).splitlines() if line.strip()]
    return lines[-1] if lines else f"exit code {process.returncode}"
