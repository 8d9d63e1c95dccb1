"""What the tasks of the DAGs work with: the services, with the keys that only Airflow knows, and the task's log."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING

from airflow.sdk import Connection

if TYPE_CHECKING:
    from pipeline.run import Services


log = logging.getLogger(__name__)


def tell(text: str) -> None:
    """Put a text into the task's log. What is printed comes late, and folds away among what comes after the task."""
    for line in text.splitlines():
        log.info("%s", line)


def open_services() -> Services:
    """The services; where the setting ``archive_connection`` names a connection, with its keys for the archive."""
    from pipeline import run

    services = run.open_services()
    if services.settings.archive_connection:
        # A task is a process of its own: what stands in its environment ends with it.
        os.environ.update(s3_environment(Connection.get(services.settings.archive_connection)))
    return services


def s3_environment(connection: Connection) -> dict[str, str]:
    """A connection of type aws as the variables that every client of S3 reads."""
    extra = connection.extra_dejson
    named = {
        "AWS_ACCESS_KEY_ID": connection.login,
        "AWS_SECRET_ACCESS_KEY": connection.password,
        "AWS_SESSION_TOKEN": extra.get("aws_session_token"),
        "AWS_DEFAULT_REGION": extra.get("region_name"),
        "AWS_ENDPOINT_URL_S3": extra.get("endpoint_url"),
    }
    return {name: value for name, value in named.items() if value}
