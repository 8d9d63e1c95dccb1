"""
### Alerts

**news_alerts**, every half hour: looks for sources that fell silent, rejections and failures that jumped, articles
that look unlike their source's earlier ones, late articles, a growing quarantine and runs that failed or stopped. What
is found is printed in the log, and told once a day by e-mail (setting `alerts.email`, through Airflow's connection
`smtp_default`) and to a webhook (setting `alerts.webhook_connection`, the id of a connection whose host is the
address). `news alerts check` shows the same by hand; docs/operations.md says what to do about each.

**news_saved_searches**, after each run of the ingestion: tells of new articles that answer the searches in
`config/alerts.toml`, each article once, by e-mail and webhook (those that the search names, else those of the
settings). `news alerts searches` shows by hand what waits to be told; docs/search.md explains the file.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from airflow.sdk import DAG, Asset, CronTriggerTimetable, get_current_context, task
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowSkipException
from notifications import alert_notifiers, deliver, notifiers, tell_of_failed_run

from pipeline.errors import ConfigurationError
from pipeline.schedule import POOL, schedules_are_on

COMMON: dict[str, Any] = {
    "start_date": datetime(2020, 1, 1),
    "catchup": False,
    "max_active_runs": 1,
    "doc_md": __doc__,
    "tags": ["news", "operations"],
    "on_failure_callback": tell_of_failed_run,
    "default_args": {"pool": POOL, "priority_weight": 20, "weight_rule": "absolute", "retries": 2},
}

with DAG(
    "news_alerts",
    schedule=CronTriggerTimetable("*/30 * * * *", timezone="UTC") if schedules_are_on() else None,
    **COMMON,
) as alerts_dag:

    @task(execution_timeout=timedelta(minutes=20))
    def check() -> list[str]:
        """Look, print what is found, and tell what is new."""
        from task_services import open_services

        from pipeline.operations import alerts
        from pipeline.settings import load_sources

        services = open_services()
        found = alerts.check(services, load_sources(services.settings))
        print("\n\n".join(alert.as_text() for alert in found) or "All is well.")
        new = alerts.untold(found, alerts.read_told(services), services.now())
        made = alert_notifiers(services.settings.alerts, new) if new else []
        failures = deliver(made, get_current_context())
        if not made or len(failures) < len(made):
            alerts.remember_told(services, new, found)
        if failures:
            # No second try: whom it reached would be told again.
            raise AirflowFailException("; ".join(failures))
        return [alert.key for alert in found]

    check()


with DAG(
    "news_saved_searches",
    schedule=[Asset("news_articles", uri="news://articles")] if schedules_are_on() else None,
    **COMMON,
) as searches_dag:

    @task(execution_timeout=timedelta(minutes=20))
    def tell() -> dict[str, int]:
        """Tell of what new articles answer the saved searches. Tried again, it tells only whom it did not reach."""
        from task_services import open_services

        from pipeline import search_alerts

        services = open_services()
        try:
            searches = search_alerts.load_saved_searches(services.settings.config_dir, services.settings.alerts)
        except ConfigurationError as error:
            raise AirflowFailException(str(error)) from error
        runs = search_alerts.runs_to_check(services)
        failures: list[str] = []
        told: dict[str, int] = {}
        for message in search_alerts.messages(services, search_alerts.new_matches(services, runs, searches)):
            print(f"{message.recipient}\n{message.as_text()}")
            to = {message.recipient.way: message.recipient.address}
            made = notifiers(
                email=to.get("email", ""),
                webhook=to.get("webhook", ""),
                subject=message.subject,
                content=message.as_html(),
                payload=message.as_dict(),
            )
            if failed := deliver(made, get_current_context()):
                failures += failed
            else:
                search_alerts.remember(services, message)
                told[str(message.recipient)] = sum(len(match.articles) for match in message.matches)
        if failures:
            raise AirflowException("; ".join(failures))
        search_alerts.mark_checked(services, runs)
        if not searches:
            raise AirflowSkipException(f"{search_alerts.FILE} has no saved search")
        return told

    tell()
