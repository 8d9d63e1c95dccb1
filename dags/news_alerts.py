"""
### Alerts

Every half hour: looks for sources that fell silent, rejections and failures that jumped, articles that look unlike
their source's earlier ones, late articles, a growing quarantine and runs that failed or stopped. What is found is
printed in the log, and told once a day by e-mail (setting `alerts.email`, through Airflow's connection `smtp_default`)
and to a webhook (setting `alerts.webhook_connection`, the id of a connection whose host is the address). `news alerts
check` shows the same by hand; docs/operations.md says what to do about each.
"""

from __future__ import annotations

import html
import os
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import DAG, Connection, CronTriggerTimetable, get_current_context, task
from airflow.sdk.bases.notifier import BaseNotifier

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
        """Send it. Raises an error of httpx2 where nobody takes it."""
        import httpx2

        connection = Connection.get(self.connection_id)
        host = connection.host or ""
        url = host if "://" in host else f"{connection.schema or 'https'}://{host}"
        if connection.port and f":{connection.port}" not in url:
            url = f"{url}:{connection.port}"
        headers = {"authorization": f"Bearer {connection.password}"} if connection.password else {}
        httpx2.post(url, json=self.payload, headers=headers, timeout=30).raise_for_status()


def notifiers(settings: AlertSettings, alerts: Sequence[Alert]) -> list[BaseNotifier]:
    """One notifier for each way that the settings name."""
    text = "\n\n".join(alert.as_text() for alert in alerts)
    subject = f"News pipeline: {alerts[0].message}" if len(alerts) == 1 else f"News pipeline: {len(alerts)} alerts"
    made: list[BaseNotifier] = []
    if settings.email:
        from airflow.providers.smtp.notifications.smtp import SmtpNotifier

        # The text names what the web said: nothing in it may be taken for a template or for HTML.
        content = f"{{% raw %}}<pre>{html.escape(text).replace('{%', '{ %')}</pre>{{% endraw %}}"
        title = f"{{% raw %}}{subject[:150].replace('{%', '{ %')}{{% endraw %}}"
        made.append(SmtpNotifier(to=settings.email, subject=title, html_content=content))
    if settings.webhook_connection:
        payload = {"text": text, "alerts": [alert.as_dict() for alert in alerts]}
        made.append(WebhookNotifier(settings.webhook_connection, payload))
    return made


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
    for notifier in notifiers(load_settings().alerts, [alert]):
        notifier(context)


with DAG(
    "news_alerts",
    schedule=CronTriggerTimetable("*/30 * * * *", timezone="UTC")
    if os.environ.get("NEWS_SCHEDULED", "true") != "false"
    else None,
    start_date=datetime(2020, 1, 1),
    catchup=False,
    max_active_runs=1,
    doc_md=__doc__,
    tags=["news", "operations"],
    on_failure_callback=tell_of_failed_run,
    default_args={"pool": POOL, "priority_weight": 20, "weight_rule": "absolute", "retries": 2},
) as dag:

    @task(execution_timeout=timedelta(minutes=20))
    def check() -> list[str]:
        """Look, print what is found, and tell what is new."""
        from pipeline import run
        from pipeline.operations import alerts
        from pipeline.settings import load_sources

        services = run.open_services()
        found = alerts.check(services, load_sources(services.settings))
        print("\n\n".join(alert.as_text() for alert in found) or "All is well.")
        new = alerts.untold(found, alerts.read_told(services), services.now())
        if new:
            for notifier in notifiers(services.settings.alerts, new):
                notifier(get_current_context())
        alerts.remember_told(services, new, found)
        return [alert.key for alert in found]

    check()
