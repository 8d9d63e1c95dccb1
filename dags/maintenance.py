"""
### Keep the installation in shape

**news_maintenance**, once a day: indices that have grown too large or too old are followed by new ones, articles and
reports beyond their retention are deleted (settings `retention.*`; nothing is deleted unless they say so), and a
snapshot is started where a repository is configured.

**news_quarantine_retry**, every hour: what failed is tried again, with pauses that grow; after `quarantine.attempts`
failures it is left for a person (`news quarantine list`).
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from airflow.sdk import DAG, CronTriggerTimetable, task
from airflow.sdk.exceptions import AirflowSkipException

from pipeline.schedule import BACKFILL_POOL, schedules_are_on


def _schedule(cron: str) -> CronTriggerTimetable | None:
    return CronTriggerTimetable(cron, timezone="UTC") if schedules_are_on() else None


_COMMON: dict[str, Any] = {
    "doc_md": __doc__,
    "start_date": datetime(2020, 1, 1),
    "catchup": False,
    "max_active_runs": 1,
    "default_args": {
        "pool": BACKFILL_POOL,
        "priority_weight": 1,
        "weight_rule": "absolute",
        "retries": 2,
        "retry_delay": timedelta(minutes=5),
    },
}

with DAG("news_maintenance", schedule=_schedule("40 3 * * *"), tags=["news", "operations"], **_COMMON) as maintenance:

    @task(execution_timeout=timedelta(hours=3))
    def maintain() -> dict[str, Any]:
        """Roll over, delete what is too old, snapshot."""
        from task_services import open_services, tell

        from pipeline.operations.maintenance import maintain

        done = maintain(open_services())
        for name, value in done.items():
            tell(f"{name}: {value}")
        return done

    maintain()


with DAG("news_quarantine_retry", schedule=_schedule("20 * * * *"), tags=["news", "operations"], **_COMMON) as retry:

    @task(execution_timeout=timedelta(hours=2))
    def retry_quarantine() -> dict[str, Any]:
        """Try again what is due."""
        from task_services import open_services, tell

        from pipeline.operations.replay import retry_due
        from pipeline.report import as_text
        from pipeline.settings import load_sources

        services = open_services()
        report = retry_due(services, load_sources(services.settings))
        if report is None:
            raise AirflowSkipException("nothing in quarantine is due")
        tell(as_text(report))
        return {"outcomes": report["outcomes"], "run_id": report["run_id"]}

    retry_quarantine()
