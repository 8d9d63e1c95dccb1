"""
### Ingest news

Finds articles at the configured sources, archives them as they came, cleans and enriches them, and puts them
into Elasticsearch. One DAG for each schedule in `config/sources.toml`; `news_ingest` is that of the default
schedule, and the one to start by hand.

**plan** asks the sources what there is and cuts it into batches. **batch** (one task for each) fetches or loads,
archives, extracts, enriches and indexes. **report** adds up: every article that was discovered has exactly one
outcome, or the run fails.

By hand, the form takes: which sources (none means those of this schedule), a span of time, a mode, and whether only
to preview; the backfill form sends them only with *Override parameters on existing runs* ticked. What a run could
not finish (Elasticsearch was away, a task was killed) is kept, and the next run of the same sources takes it over.

A run with a mode or a span of time, and every run of an Airflow backfill (whose data interval is the span), brings
back the past: its tasks are those of the group **backfill**, in a pool of their own and behind the others, and the
sources' own progress stays as it is. Modes: `refetch` fetches again what the sources name in the span; `reextract`
repeats everything after the archive for the captures taken in it, `reenrich` and `reindex` for the articles dated
in it.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from airflow.configuration import conf
from airflow.sdk import DAG, Asset, CronDataIntervalTimetable, Param, get_current_context, task, task_group
from airflow.sdk.definitions.callback import SyncCallback
from airflow.sdk.definitions.deadline import DeadlineAlert, DeadlineReference
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException
from notifications import tell_of_failed_run

from pipeline.errors import ConfigurationError, FatalError
from pipeline.models import Mode, Window
from pipeline.schedule import (
    BACKFILL_POOL,
    POOL,
    RunRequest,
    dag_id_of,
    request_from_conf,
    scheduled_sources,
    schedules_are_on,
)
from pipeline.settings import MANUAL, describe_schedule, load_settings, load_sources

# Nothing heavy up here: Airflow reads this file again and again. What a task needs, it imports itself.

ARTICLES = Asset("news_articles", uri="news://articles")


def late_after(minutes: float) -> DeadlineAlert | None:
    """Tell of a run that is not through so long after it was queued.

    None where the executor runs no callbacks, and where nothing is scheduled: `airflow dags test` of Airflow 3.3 fails
    on a DAG with a deadline.
    """
    if conf.get("core", "executor") not in ("LocalExecutor", "CeleryExecutor") or not schedules_are_on():
        return None
    return DeadlineAlert(
        name="freshness",
        reference=DeadlineReference.DAGRUN_QUEUED_AT,
        interval=timedelta(minutes=minutes),
        callback=SyncCallback("notifications.tell_of_late_run", kwargs={"minutes": minutes}),
    )


def ingest_dag(dag_id: str, schedule: str, source_ids: tuple[str, ...], known: tuple[str, ...]) -> DAG:
    """The DAG that ingests these sources on this schedule (a cron line in UTC, or ``manual``).

    ``known`` are all sources that there are, for the form to offer.
    """
    scheduled = schedule != MANUAL and schedules_are_on()
    with DAG(
        dag_id=dag_id,
        dag_display_name=f"Ingest news: {describe_schedule(schedule) if schedule != MANUAL else 'by hand'}",
        description=f"{len(source_ids)} sources: {', '.join(source_ids)}"[:500],
        doc_md=__doc__,
        schedule=CronDataIntervalTimetable(schedule, timezone="UTC") if scheduled else None,
        start_date=datetime(2020, 1, 1),
        catchup=False,
        max_active_runs=1,
        tags=["news", "ingest"],
        on_failure_callback=tell_of_failed_run,
        deadline=late_after(load_settings().alerts.freshness_minutes),
        default_args={
            "pool": POOL,
            "priority_weight": 10,
            "weight_rule": "absolute",
            "retries": 2,
            "retry_delay": timedelta(seconds=30),
        },
        params={
            # What may stay empty must say so (null): the form takes everything else for an omission and can't be sent.
            "sources": Param(
                None,
                type=["null", "array"],
                items={"type": "string"},
                examples=list(known),
                title="Sources",
                description="none: all of this schedule",
            ),
            "since": Param(
                None, type=["null", "string"], format="date-time", title="Since", description="articles from then on"
            ),
            "until": Param(
                None, type=["null", "string"], format="date-time", title="Until", description="articles before then"
            ),
            "mode": Param(
                None,
                type=["null", "string"],
                enum=[None, *(mode.value for mode in Mode)],
                values_display={"null": "as usual"},
                title="Mode",
                description="how to bring back the span of time",
            ),
            "preview": Param(
                False, type="boolean", title="Preview", description="say what would be done in the log, and do nothing"
            ),
        },
    ) as dag:

        def request_of_run() -> tuple[RunRequest, bool]:
            """What this run was asked for, and whether it brings back the past."""
            dag_run = get_current_context()["dag_run"]
            start, end = dag_run.data_interval_start, dag_run.data_interval_end
            interval = Window(since=start, until=end) if start and end and start < end else None
            is_backfill = dag_run.run_type == "backfill"
            try:
                request = request_from_conf(
                    dag_run.conf or {},
                    load_sources(load_settings()),
                    default_source_ids=source_ids,
                    backfill_interval=interval if is_backfill else None,
                )
            except ConfigurationError as error:
                raise AirflowFailException(str(error)) from error  # a second try would read the same
            return request, is_backfill or request.is_backfill

        def news_run_id() -> str:
            return f"{dag_id}/{get_current_context()['dag_run'].run_id}"

        def only_preview() -> bool:
            return bool((get_current_context()["dag_run"].conf or {}).get("preview"))

        def plan_batches(request: RunRequest, kind: str) -> list[dict[str, Any]]:
            from task_services import open_services, tell

            from pipeline import run

            services = open_services()
            sources = load_sources(services.settings)
            if only_preview():
                from pipeline.operations.backfill import preview

                tell(preview(services, request, sources).as_text())
                return []
            record = run.plan_run(services, news_run_id(), request, sources, kind=kind)
            return [{"news_run": record.run_id, "batch": number} for number in range(record.batches)]

        @task(execution_timeout=timedelta(hours=1))
        def plan() -> list[dict[str, Any]]:
            """Ask the sources what there is; write it down in batches. Fails on a wrong configuration."""
            request, is_backfill = request_of_run()
            if is_backfill:
                raise AirflowSkipException("this run brings back the past: see the group backfill")
            return plan_batches(request, "airflow")

        @task(task_id="batch", execution_timeout=timedelta(hours=2))
        def ingest_batch(batch: int, news_run: str) -> dict[str, Any]:
            """Bring the articles of one batch to their outcomes. Tried again, it goes on where it stopped."""
            from task_services import open_services

            from pipeline import run

            services = open_services()
            return run.process_batch(services, news_run, batch, sources=load_sources(services.settings)).as_dict()

        @task_group(group_id="backfill", default_args={"pool": BACKFILL_POOL, "priority_weight": 1})
        def backfill() -> None:
            """The same for a span of the past, in a pool of its own and behind everything else."""

            @task(task_id="plan", execution_timeout=timedelta(hours=2))
            def plan_backfill() -> list[dict[str, Any]]:
                """Find out what there is in the span of time; write it down in batches."""
                request, is_backfill = request_of_run()
                if not is_backfill:
                    raise AirflowSkipException("this is no backfill")
                return plan_batches(request, "airflow backfill")

            ingest_batch.expand_kwargs(plan_backfill())

        @task(trigger_rule="all_done", outlets=[ARTICLES])
        def report() -> dict[str, Any]:
            """Add up, keep the report, and fail the run if work is missing or left over."""
            from task_services import open_services, tell

            from pipeline import run
            from pipeline.report import as_text

            if only_preview():
                raise AirflowSkipException("only a preview: see the log of the plan")
            try:
                result = run.finish_run(open_services(), news_run_id())
                tell(as_text(result))
                run.require_complete(result)
            except FatalError as error:
                raise AirflowFailException(str(error)) from error  # a second try would add up the same
            return result

        [ingest_batch.expand_kwargs(plan()), backfill()] >> report()
    return dag


def _ingest_dags() -> dict[str, DAG]:
    settings = load_settings()
    default, sources = settings.ingest.schedule, load_sources(settings)
    known = tuple(sorted(source.id for source in sources))
    dags = {}
    for schedule, source_ids in scheduled_sources(sources, default).items():
        dag_id = dag_id_of(schedule, default)
        dags[dag_id] = ingest_dag(dag_id, schedule, source_ids, known)
    return dags


globals().update(_ingest_dags())
