"""Who is told of what: notifiers made of the settings, and the callbacks of runs that failed or are late.

A module without a DAG, since Airflow counts the DAGs of a module among those of the file that loads it.
"""

from __future__ import annotations

import html
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from airflow.sdk import Connection
from airflow.sdk.bases.notifier import BaseNotifier
from airflow.sdk.exceptions import AirflowException

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
