"""Everything on one machine: what `make run` and `make up` do. Elasticsearch is the embedded node unless configured."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace

from rich.console import Console
from rich.markup import escape

from pipeline import localairflow, localnode
from pipeline.errors import ConfigurationError, FatalError
from pipeline.report import as_renderable
from pipeline.run import Services, node_settings
from pipeline.schedule import DAG_ID
from pipeline.search import SearchRequest, search
from pipeline.settings import load_settings, load_sources

SAMPLES = "samples"
"""The source in the shipped config/sources.toml that needs no network."""

_EXAMPLES = (
    SearchRequest(query="sanctioned", limit=2),
    SearchRequest(query='title:trwalers~ OR "swing bridge"', limit=2),
    SearchRequest(query="verhandelt", language="de", limit=2),
)

Progress = Callable[[], AbstractContextManager[tuple[Callable[[int], None], Callable[[int], None]]]]


def demo(*, out: Console, err: Console, progress: Progress) -> bool:
    """Ingest the samples through a real scheduler, print the report and a few searches, and stop what was started.

    Returns whether the run succeeded. Raises ConfigurationError where the sources file has no ``samples``.
    """
    started = time.monotonic()
    _heed_signals()
    settings = load_settings()
    if SAMPLES not in {source.id for source in load_sources(settings)}:
        raise ConfigurationError(
            f"{settings.config_dir / 'sources.toml'} has no source {SAMPLES!r}, which this demonstration runs.",
            hint="Start your own sources with `make up`, or `news run SOURCE_ID`.",
        )
    services = Services(settings=settings, say=lambda line: err.print(escape(line)))
    err.print(f"State is kept in {settings.home} (NEWS_HOME).")
    with _elasticsearch(services, err):
        err.print("Starting Airflow (half a minute) …")
        with localairflow.running(settings, scheduled=False, say=services.say) as airflow:
            airflow.wait_for_dag(DAG_ID)
            run_id = airflow.trigger(DAG_ID, {"sources": [SAMPLES]})
            err.print(f"Airflow runs the DAG {DAG_ID} over the samples.")
            state = _watch(services, airflow, run_id, progress)
            err.print("Stopping Airflow …")
        record = services.ledger.run(f"{DAG_ID}/{run_id}")
        if record is None or record.report is None:
            raise FatalError(f"Airflow's run {run_id} ended as {state} without a report.", hint=f"Logs: {airflow.log}")
        out.print(as_renderable(record.report))
        for example in _EXAMPLES:
            _print_example(services, example, out)
        err.print(f"\nAll this took {time.monotonic() - started:.0f} s. {_NEXT}")
    return state == "success"


_NEXT = """What next:
  make up                          keep it running, on schedule, with Airflow's pages
  .venv/bin/news search 'words'    search (starts Elasticsearch when needed)
  .venv/bin/news ingest PATH|URL   ingest files, folders or web pages of your own
  config/sources.toml              add feeds, sitemaps and folders; docs/sources.md shows how"""


def up(*, err: Console) -> None:
    """Run Elasticsearch and Airflow until Ctrl-C or SIGTERM, then stop what was started here."""
    settings = load_settings()
    load_sources(settings)
    services = Services(settings=settings, say=lambda line: err.print(escape(line)))
    _heed_signals()
    try:
        with _elasticsearch(services, err) as elasticsearch_url:
            err.print("Starting Airflow …")
            with localairflow.running(settings, scheduled=True, say=services.say) as airflow:
                airflow.wait_for_dag(DAG_ID)
                address = airflow.address
                err.print(f"\nAirflow:        {address.url}   log in as {address.username} / {address.password}")
                err.print(f"Elasticsearch:  {elasticsearch_url}")
                err.print(f"State and logs: {settings.home}\nCtrl-C stops everything.\n")
                while airflow.poll() is None:
                    time.sleep(5)
                    if airflow.revive():
                        err.print(f"A part of Airflow had stopped; Airflow was started again. Its log: {address.log}")
                raise FatalError("Airflow ended by itself.", hint=f"Its log: {address.log}")
    except KeyboardInterrupt:
        err.print("Stopped.")


def _heed_signals() -> None:
    """Make SIGINT and SIGTERM stop us in order.

    A shell starts background jobs with SIGINT ignored, and children inherit that: Airflow, which stops on SIGINT only,
    would never hear it.
    """
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, _interrupt)


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


@contextmanager
def _elasticsearch(services: Services, err: Console) -> Iterator[str]:
    """The configured cluster's address, or that of the embedded node, which is stopped again if it was started here."""
    settings = services.settings
    if settings.elasticsearch is not None:
        yield settings.elasticsearch.url
        return
    node = node_settings(settings)
    address = localnode.start(node, say=services.say)
    err.print(f"Elasticsearch {address.version} {'started' if address.started else 'runs'} at {address.url}.")
    try:
        yield address.url
    finally:
        if address.started:
            err.print("Stopping Elasticsearch …")
            localnode.stop(node)


def _watch(services: Services, airflow: localairflow.LocalAirflow, run_id: str, progress: Progress) -> str:
    ledger_id, told, total = f"{DAG_ID}/{run_id}", 0, None
    with progress() as (planned, advanced):
        while True:
            state = airflow.run_state(DAG_ID, run_id)
            record = services.ledger.run(ledger_id)
            if record is not None:
                if total is None:
                    total = record.discovered
                    planned(total)
                accounted = services.ledger.tally(ledger_id).accounted
                advanced(accounted - told)
                told = accounted
            if state in ("success", "failed"):
                return state
            time.sleep(0.5)


def _print_example(services: Services, request: SearchRequest, out: Console) -> None:
    from pipeline.cli import print_results

    language = f" --language {request.language}" if request.language else ""
    out.print(f"\n[bold cyan]news search {escape(repr(request.query))}{language}[/]")
    print_results(search(services.elasticsearch, replace(request, prefix=services.prefix)), out)
