"""Airflow for the tests: DAGs read and run in a process of their own, and one real standalone for the session."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

import pytest
from installation import REPOSITORY, SEED, Installation, article_page, installation_in, write_texts

from pipeline.localairflow import LocalAirflow, environment, running
from pipeline.settings import load_settings

ReadDags = Callable[..., dict[str, Any]]


@pytest.fixture(scope="session")
def in_airflow(tmp_path_factory: pytest.TempPathFactory) -> ReadDags:
    """Reads an installation's DAGs in Airflow, and runs those asked for."""

    def read(installation: Installation, runs: Sequence[dict[str, Any]] = ()) -> dict[str, Any]:
        home = tmp_path_factory.mktemp("airflow")
        ours = {name: value for name, value in installation.extra.items() if name.startswith("AIRFLOW_CONN_")}
        variables = {name: value for name, value in installation.environment.items() if "AIRFLOW" not in name} | ours
        with pytest.MonkeyPatch.context() as patch:
            for name in list(os.environ):
                patch.delenv(name)
            for name, value in variables.items():
                patch.setenv(name, value)
            variables = environment(load_settings(variables), port=1, scheduled=True)
        variables |= {
            "AIRFLOW_HOME": str(home),
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db",
        }
        job = {"dags": str(installation.project / "dags"), "runs": list(runs)}
        done = subprocess.run(
            [sys.executable, Path(__file__).with_name("in_airflow.py"), json.dumps(job)],
            env=variables,
            cwd=home,
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-3000:]
        return {**json.loads(done.stdout), "log": done.stderr}

    return read


class Webhook(ThreadingHTTPServer):
    """Takes JSON that is posted to it on loopback, and keeps it."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Hook)
        self.got: list[dict[str, Any]] = []

    def __enter__(self) -> Self:
        threading.Thread(target=self.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()


class _Hook(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.got.append(json.loads(body))  # type: ignore[attr-defined]
        self.send_response(204)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@dataclass(frozen=True)
class Standalone:
    """A running Airflow over an installation with the sources ``small``, ``dated`` and ``seed``.

    New articles of ``small`` that speak of repairs are told to ``webhook``.
    """

    airflow: LocalAirflow
    installation: Installation
    environment: dict[str, str]
    webhook: Webhook

    def command(self, *arguments: str) -> str:
        """Run the `airflow` command against it."""
        done = subprocess.run(
            [sys.executable, "-m", "airflow", *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


SOURCES = """
[[source]]
id = "small"
kind = "folder"
location = "small"
schedule = "manual"

[[source]]
id = "dated"
kind = "folder"
location = "dated"
schedule = "0 0 * * *"

[[source]]
id = "seed"
kind = "folder"
location = "seed"
schedule = "manual"
"""

ALERTS = """
[[search]]
id = "repairs"
query = "repairing"
source = "small"
webhook_connection = "desk"
"""

DATED = {
    1: "2026-02-28T18:00",
    2: "2026-03-01T00:00",
    3: "2026-03-01T23:59",
    4: "2026-03-02T12:00",
    5: "2026-03-03T00:00",
}
"""When each file of the source ``dated`` was last changed (UTC)."""


@pytest.fixture(scope="session")
def standalone(tmp_path_factory: pytest.TempPathFactory, elasticsearch_url: str) -> Iterator[Standalone]:
    """The one real Airflow of the session: API server, scheduler, DAG processor and workers."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    extra = {"NEWS_AIRFLOW__PORT": str(port), "NEWS_INGEST__BATCH_SIZE": "3"}
    root = tmp_path_factory.mktemp("standalone")
    with installation_in(root, elasticsearch_url, **extra) as installation, Webhook() as webhook:
        installation.write_config(SOURCES)
        (installation.project / "plugins").symlink_to(REPOSITORY / "plugins")
        (installation.project / "config" / "alerts.toml").write_text(ALERTS)
        write_texts(installation.project / "small", range(5))
        (installation.project / "small" / "page.html").write_text(article_page(5), encoding="utf-8")
        for number, changed in DATED.items():
            file = write_texts(installation.project / "dated", [100 + number]) / f"{100 + number:05d}.txt"
            moment = datetime.fromisoformat(changed).replace(tzinfo=UTC).timestamp()
            os.utime(file, (moment, moment))
        (installation.project / "seed").mkdir()
        for file in SEED.glob("*.txt"):
            shutil.copy(file, installation.project / "seed")
        settings = load_settings(installation.environment)
        with pytest.MonkeyPatch.context() as patch:
            for name in list(os.environ):
                if name.startswith(("NEWS_", "ELASTICSEARCH_", "AIRFLOW_")):
                    patch.delenv(name)
            for name, value in installation.environment.items():
                patch.setenv(name, value)
            host, hook_port = webhook.server_address[:2]
            connection = {"conn_type": "http", "host": f"http://{host!s}", "port": hook_port}
            patch.setenv("AIRFLOW_CONN_DESK", json.dumps(connection))
            # A changed sources file shows within seconds.
            patch.setenv("AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL", "5")
            variables = environment(settings, port=port, scheduled=True)
            with running(settings, scheduled=True, say=print) as airflow:
                patch.undo()
                yield Standalone(airflow, installation, variables, webhook)
