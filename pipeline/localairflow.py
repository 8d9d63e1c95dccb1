"""An Airflow of one's own on this machine, for `make run`, `make up` and the tests: a child process, spoken to by REST.

Airflow is never imported here. Its home, database, logs and password file lie below NEWS_HOME/airflow.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import stamina
from filelock import FileLock, Timeout

from pipeline.errors import FatalError
from pipeline.schedule import BACKFILL_POOL, POOL
from pipeline.settings import Settings


class AirflowFailedError(FatalError):
    """The local Airflow didn't start, stopped by itself or refused a request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AirflowAddress:
    """Where the local Airflow listens and who may log in."""

    url: str
    username: str
    password: str
    log: Path


def environment(settings: Settings, *, port: int, scheduled: bool) -> dict[str, str]:
    """The environment of the Airflow processes: this process's own, plus what the project needs.

    What the user has set for Airflow (``AIRFLOW__…``) stays as it is. ``scheduled`` false leaves all DAGs
    without a schedule, so that only asked-for runs happen.
    """
    home = settings.home / "airflow"
    bundle = {
        "name": "news",
        "classpath": "airflow.dag_processing.bundles.local.LocalDagBundle",
        "kwargs": {"path": str(settings.project_dir / "dags"), "refresh_interval": 10},
    }
    ours = {
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        "AIRFLOW__CORE__PARALLELISM": str(settings.airflow.parallelism),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(settings.project_dir / "plugins"),
        "AIRFLOW__API__WORKERS": "1",
        # SQLite's writers wait for each other, but for five seconds only unless told otherwise.
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home / 'airflow.db'}?timeout=60",
        "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST": json.dumps([bundle]),
        "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "60",
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
        "OPENBLAS_NUM_THREADS": "1",
        "OMP_NUM_THREADS": "1",
    }
    fixed = {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__BASE_URL": f"http://127.0.0.1:{port}",
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{port}/execution/",
        "NEWS_HOME": str(settings.home),
        "NEWS_CONFIG": str(settings.config_dir),
        "NEWS_SCHEDULED": "true" if scheduled else "false",
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}",
        # The workers fork; these keep macOS and OpenBLAS from tripping over it.
        "OBJC_DISABLE_INITIALIZE_FORK_SAFETY": "YES",
    }
    return {**ours, **os.environ, **fixed}


@contextmanager
def running(
    settings: Settings, *, scheduled: bool, say: Callable[[str], None], wait_seconds: float = 300
) -> Iterator[LocalAirflow]:
    """Airflow standalone, healthy, with its pool; stopped again on leaving.

    Raises AirflowFailedError where it does not come up, or another one runs on the same NEWS_HOME.
    """
    home = settings.home / "airflow"
    home.mkdir(parents=True, exist_ok=True)
    lock = FileLock(home / "standalone.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise AirflowFailedError(
            f"Airflow already runs on {settings.home}.",
            hint="Use that one, stop it with Ctrl-C where it was started, or set another NEWS_HOME.",
        ) from None
    try:
        port = _usable_port(settings.airflow.port, say)
        log = home / "standalone.log"

        def start() -> subprocess.Popen[bytes]:
            with log.open("ab") as output:
                return subprocess.Popen(
                    [sys.executable, "-m", "airflow", "standalone"],
                    env=environment(settings, port=port, scheduled=scheduled),
                    cwd=home,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,  # Ctrl-C in the terminal reaches us alone; we stop it in order
                )

        airflow = LocalAirflow(f"http://127.0.0.1:{port}", home, start(), log, start=start)
        try:
            airflow.wait_until_healthy(wait_seconds)
            airflow.ensure_pool(POOL, slots=max(2, settings.airflow.parallelism))
            airflow.ensure_pool(BACKFILL_POOL, slots=max(1, settings.airflow.parallelism // 2))
            yield airflow
        finally:
            airflow.stop()
    finally:
        lock.release()


def stop(process: subprocess.Popen[bytes], port: int, *, wait_seconds: float = 40) -> None:
    """Stop standalone: it only heeds SIGINT. What doesn't end in time, or outlives its parent, is killed."""
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            process.wait(wait_seconds)
    # Its children are in the session it leads; after a clean end this finds nobody.
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    deadline = time.monotonic() + 10
    while _is_listening(port) and time.monotonic() < deadline:
        time.sleep(0.1)


class LocalAirflow:
    """A running standalone Airflow: its address and the few REST calls this project makes (API version 2)."""

    def __init__(
        self,
        url: str,
        home: Path,
        process: subprocess.Popen[bytes],
        log: Path,
        *,
        start: Callable[[], subprocess.Popen[bytes]] | None = None,
    ) -> None:
        self._home = home
        self._process = process
        self._start = start
        self._ill_since: float | None = None
        self.url = url
        self.log = log
        self._client = httpx2.Client(base_url=url, timeout=30, trust_env=False)

    @property
    def address(self) -> AirflowAddress:
        """Address and log-in."""
        username, password = next(iter(self._passwords().items()))
        return AirflowAddress(url=self.url, username=username, password=password, log=self.log)

    def poll(self) -> int | None:
        """The exit code of the process, or None while it runs."""
        return self._process.poll()

    def wait_until_healthy(self, seconds: float) -> None:
        """Wait for API, scheduler and DAG processor. Raises AirflowFailedError with the end of the log."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self.poll() is not None:
                raise AirflowFailedError(f"Airflow ended by itself:\n{self._end_of_log()}", hint=f"Log: {self.log}")
            if self._is_healthy():
                return
            time.sleep(0.5)
        raise AirflowFailedError(
            f"Airflow is not healthy after {seconds:.0f} s:\n{self._end_of_log()}", hint=f"Log: {self.log}"
        )

    def _is_healthy(self) -> bool:
        try:
            answer = self._client.get("/api/v2/monitor/health")
            parts = answer.json() if answer.status_code == httpx2.codes.OK else {}
        except (httpx2.TransportError, json.JSONDecodeError):
            return False
        return all(parts.get(part, {}).get("status") == "healthy" for part in ("scheduler", "dag_processor"))

    def revive(self, *, patience_seconds: float = 120) -> bool:
        """Start all of it again where a part has given no sign of life for so long; whether that was done.

        Standalone itself doesn't notice that its scheduler has ended. Ask every few seconds.
        """
        now = time.monotonic()
        if self._start is None or self._is_healthy():
            self._ill_since = None
        elif self._ill_since is None:
            self._ill_since = now
        elif now - self._ill_since > patience_seconds:
            self.stop()
            self._process, self._ill_since = self._start(), None
            return True
        return False

    def stop(self) -> None:
        """Stop it, in order where possible."""
        stop(self._process, int(self.url.rpartition(":")[2]))

    def ensure_pool(self, name: str, *, slots: int) -> None:
        """Create a pool unless it is there; a task whose pool is missing would wait for ever without a word."""
        answer = self._request("POST", "/api/v2/pools", json={"name": name, "slots": slots}, allow=(409,))
        assert answer.status_code in (200, 201, 409)

    def wait_for_dag(self, dag_id: str, seconds: float = 120) -> None:
        """Wait until the DAG has been read. Raises AirflowFailedError, with the import errors there are."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self._request("GET", f"/api/v2/dags/{dag_id}", allow=(404,)).status_code == httpx2.codes.OK:
                return
            errors = self._request("GET", "/api/v2/importErrors").json().get("import_errors", [])
            if errors:
                raise AirflowFailedError("\n".join(f"{e['filename']}: {e['stack_trace'].strip()}" for e in errors))
            time.sleep(0.5)
        raise AirflowFailedError(f"DAG {dag_id} did not appear within {seconds:.0f} s.", hint=f"Log: {self.log}")

    def trigger(self, dag_id: str, conf: Mapping[str, Any]) -> str:
        """Start a run by hand and return its run id."""
        body = {"logical_date": None, "conf": dict(conf)}
        return str(self._request("POST", f"/api/v2/dags/{dag_id}/dagRuns", json=body).json()["dag_run_id"])

    def run_state(self, dag_id: str, run_id: str) -> str:
        """``queued``, ``running``, ``success`` or ``failed``."""
        return str(self._request("GET", f"/api/v2/dags/{dag_id}/dagRuns/{run_id}").json()["state"])

    def _request(self, method: str, path: str, *, allow: tuple[int, ...] = (), **arguments: Any) -> httpx2.Response:
        for attempt in stamina.retry_context(on=httpx2.TransportError, attempts=5, timeout=60):
            with attempt:
                answer = self._client.request(method, path, **arguments)
                if answer.status_code == httpx2.codes.UNAUTHORIZED:
                    self._log_in()
                    answer = self._client.request(method, path, **arguments)
        if answer.is_error and answer.status_code not in allow:
            raise AirflowFailedError(f"Airflow answered {answer.status_code} to {method} {path}: {answer.text[:500]}")
        return answer

    def _log_in(self) -> None:
        username, password = next(iter(self._passwords().items()))
        answer = self._client.post("/auth/token", json={"username": username, "password": password})
        if answer.is_error:
            raise AirflowFailedError(f"Airflow refused the log-in of {username}: {answer.status_code}")
        self._client.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"

    def _passwords(self) -> dict[str, str]:
        found = json.loads((self._home / "simple_auth_manager_passwords.json.generated").read_text())
        return {str(user): str(password) for user, password in found.items()}

    def _end_of_log(self, lines: int = 15) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])


def _usable_port(wanted: int, say: Callable[[str], None]) -> int:
    if not _is_listening(wanted):
        return wanted
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    say(f"Port {wanted} is taken; Airflow uses {port} (NEWS_AIRFLOW__PORT sets another).")
    return port


def _is_listening(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0
