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

import html
import os
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import DAG, Asset, Connection, CronTriggerTimetable, get_current_context, task
from airflow.sdk.bases.notifier import BaseNotifier
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowSkipException

from pipeline.errors import ConfigurationError
from pipeline.schedule import POOL

if TYPE_CHECKING:
    from pipeline.operations.alerts import Alert
    from pipeline.settings import AlertSettings


class WebhookNotifier(BaseNotifier):
    """Posts JSON to the address of an Airflow connection: its host, with its password as bearer token if it has one."""

    template_fields = ()

    def __init__(self, connection_id: str, payload: dict[str, Any]) -> None:
        super().__init__()
        self.connection_id = connection_id
        self.payload = payload

    def notify(self, context: Any) -> None:  # noqa: ARG002 - Airflow's own signature
        """Send it. Raises AirflowException where there is no such connection, or nobody takes it."""
        import httpx2

        connection = Connection.get(self.connection_id)
        host = connection.host or ""
        url = host if "://" in host else f"{connection.schema or 'https'}://{host}"
        if connection.port and f":{connection.port}" not in url:
            url = f"{url}:{connection.port}"
        headers = {"authorization": f"Bearer {connection.password}"} if connection.password else {}
        try:
            httpx2.post(url, json=self.payload, headers=headers, timeout=30).raise_for_status()
        except httpx2.HTTPError as error:
            raise AirflowException(f"connection {self.connection_id!r}: {error}") from error


def notifiers(*, email: str, webhook: str, subject: str, content: str, payload: dict[str, Any]) -> list[BaseNotifier]:
    """One notifier for each way that is given: an address, and the id of a connection. ``content`` is HTML."""
    made: list[BaseNotifier] = []
    if email:
        from airflow.providers.smtp.notifications.smtp import SmtpNotifier

        made.append(SmtpNotifier(to=email, subject=subject[:150], html_content=content))
    if webhook:
        made.append(WebhookNotifier(webhook, payload))
    return made


def deliver(made: Sequence[BaseNotifier], context: Any) -> list[str]:
    """Send each; returns what went wrong.

    A notifier that is called, in the usual way, only logs a failure, and takes its texts for templates; these texts
    come from the web.
    """
    failures = []
    for notifier in made:
        try:
            notifier.notify(context)
        except (AirflowException, OSError, ValueError) as error:
            failures.append(f"{type(notifier).__name__}: {error}")
    return failures


def alert_notifiers(settings: AlertSettings, alerts: Sequence[Alert]) -> list[BaseNotifier]:
    """What tells of alerts, to those that the settings name."""
    text = "\n\n".join(alert.as_text() for alert in alerts)
    return notifiers(
        email=settings.email,
        webhook=settings.webhook_connection,
        subject=f"News pipeline: {alerts[0].message}" if len(alerts) == 1 else f"News pipeline: {len(alerts)} alerts",
        content=f"<pre>{html.escape(text)}</pre>",
        payload={"text": text, "alerts": [alert.as_dict() for alert in alerts]},
    )


def tell_of_failed_run(context: Any) -> None:
    """Tell of a DAG run that failed."""
    from pipeline.operations.alerts import Alert
    from pipeline.settings import load_settings

    run = context["dag_run"]
    alert = Alert(
        kind="run_failed",
        source=None,
        since=run.start_date,
        message=f"{run.dag_id}, run {run.run_id}, failed",
        command="the logs of its tasks in Airflow, then news doctor",
        field=run.run_id,
    )
    for failure in deliver(alert_notifiers(load_settings().alerts, [alert]), context):
        print(f"The failure of {run.run_id} could not be told by {failure}")


def tell_of_late_run(context: Any, minutes: float) -> None:
    """Callback of a deadline: tell of a run that goes on for longer than articles may take to be searchable.

    A run that brings back the past may take its time.
    """
    from pipeline.operations.alerts import Alert
    from pipeline.settings import load_settings

    run = context["dag_run"]  # here Airflow gives plain values
    asked = run.get("conf") or {}
    if run["run_type"] == "backfill" or any(asked.get(key) for key in ("since", "until", "mode")):
        return
    alert = Alert(
        kind="run_late",
        source=None,
        since=datetime.fromisoformat(run["queued_at"]),
        message=f"{run['dag_id']}, run {run['dag_run_id']}, is not through after {minutes:g} minutes",
        command="the state of its tasks in Airflow, then news doctor",
        field=run["dag_run_id"],
    )
    for failure in deliver(alert_notifiers(load_settings().alerts, [alert]), context):
        print(f"That {run['dag_run_id']} is late could not be told by {failure}")


SCHEDULED = os.environ.get("NEWS_SCHEDULED", "true") != "false"
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
    "news_alerts", schedule=CronTriggerTimetable("*/30 * * * *", timezone="UTC") if SCHEDULED else None, **COMMON
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
    schedule=[Asset("news_articles", uri="news://articles")] if SCHEDULED else None,
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
