"""The DAGs of operations, run by Airflow's `dag.test()`: backfills, maintenance, retries, alerts."""

from __future__ import annotations

import contextlib
import json
import os
import socketserver
import subprocess
import sys
import threading
from email import message_from_string
from pathlib import Path
from typing import Any, Self

import pytest
from elasticsearch import NotFoundError
from installation import REPOSITORY, Installation, write_texts
from newsworld.server import NewsServer, Reply

from pipeline.localairflow import environment
from pipeline.schedule import BACKFILL_POOL, DAG_ID
from pipeline.settings import load_settings

PROGRAM = REPOSITORY / "tests" / "dags" / "in_airflow.py"


class MailServer(socketserver.ThreadingTCPServer):
    """Takes mail by SMTP (RFC 5321) on loopback, and keeps it."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Mail)
        self.mails: list[str] = []

    def __enter__(self) -> Self:
        threading.Thread(target=self.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()


class _Mail(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        self.wfile.write(b"220 here\r\n")
        while line := self.rfile.readline():
            command = line.strip().upper()
            if command == b"DATA":
                self.wfile.write(b"354 go on\r\n")
                lines = iter(self.rfile.readline, b".\r\n")
                self.server.mails.append(b"".join(lines).decode())  # type: ignore[attr-defined]
            self.wfile.write(b"221 bye\r\n" if command == b"QUIT" else b"250 fine\r\n")


def run_dags(installation: Installation, runs: list[dict[str, Any]], **variables: str) -> dict[str, Any]:
    """Read the DAGs in an Airflow of their own, and run these."""
    home = installation.root / "airflow"
    home.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            patch.delenv(name)
        for name, value in {**installation.environment, **variables}.items():
            patch.setenv(name, value)
        ours = environment(load_settings(dict(os.environ)), port=1, scheduled=True)
    ours |= {"AIRFLOW_HOME": str(home), "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db"}
    job = {"dags": str(installation.project / "dags"), "runs": runs}
    command = [sys.executable, PROGRAM, json.dumps(job)]
    done = subprocess.run(command, env=ours, cwd=home, capture_output=True, text=True, timeout=280, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return {**json.loads(done.stdout), "log": done.stderr}


def states(run: dict[str, Any]) -> dict[str, str]:
    return {task: state.rpartition(".")[2].lower() for task, _, state in run["tasks"]}


def test_the_dags_of_operations(tmp_path: Path, elasticsearch_url: str) -> None:
    """A backfill runs in its own pool and leaves the live tasks out; a preview writes nothing; maintenance, retries and
    alerts go through, and an alert reaches the webhook and the mailbox once; a saved search tells each recipient once,
    and again whom it did not reach."""
    hook: list[str] = []

    def take(seen: Any) -> Reply:
        hook.append(seen.path)
        return Reply(status=503 if hook == ["/desk"] else 200, body=b"well")

    with NewsServer() as server, MailServer() as post:
        server.on("/hook", take)
        server.on("/desk", take)
        installation = Installation(root=tmp_path, elasticsearch_url=elasticsearch_url)
        installation.write_config(
            sources='[[source]]\nid = "desk"\nkind = "folder"\nlocation = "desk"\n'
            '[[source]]\nid = "gone"\nkind = "urls"\nlocation = "urls.txt"\n',
            settings='[alerts]\nquarantine_growth = 1\nwebhook_connection = "hook"\nemail = "desk@news.example"\n'
            "[fetch]\nattempts = 1\nallow_loopback = true\n[extract]\nworkers = 0\n"
            '[entities]\nmodel = ""\n',
        )
        (installation.project / "config" / "alerts.toml").write_text(
            '[[search]]\nid = "repairs"\nquery = "repair"\nemail = "repairs@news.example"\n'
            'webhook_connection = "desk"\n'
        )
        (installation.project / "urls.txt").write_text(
            "\n".join(server.on(f"/news/story-{n}.html", Reply(status=500, body=b"no")) for n in range(2))
        )
        write_texts(installation.project / "desk", range(3))
        span = {"since": "2020-01-01", "until": "2100-01-01"}
        try:
            done = run_dags(
                installation,
                [
                    {"dag_id": DAG_ID, "conf": {"sources": ["desk"], "mode": "refetch", "preview": True, **span}},
                    {"dag_id": DAG_ID, "conf": {"sources": ["desk"], "mode": "refetch", **span}},
                    *({"dag_id": "news_saved_searches"} for _ in range(3)),
                    {"dag_id": DAG_ID, "conf": {"sources": ["desk"], "mode": "reextract", **span}},
                    {"dag_id": DAG_ID, "conf": {"sources": ["gone"]}},
                    {"dag_id": "news_maintenance"},
                    {"dag_id": "news_quarantine_retry"},
                    {"dag_id": "news_alerts"},
                    {"dag_id": "news_alerts"},
                ],
                AIRFLOW_CONN_SMTP_DEFAULT=json.dumps(
                    {
                        "conn_type": "smtp",
                        "host": "127.0.0.1",
                        "port": post.server_address[1],
                        "extra": {"disable_tls": True, "disable_ssl": True, "from_email": "pipeline@news.example"},
                    }
                ),
                AIRFLOW_CONN_HOOK=json.dumps({"conn_type": "http", "host": server.url("/hook")}),
                AIRFLOW_CONN_DESK=json.dumps({"conn_type": "http", "host": server.url("/desk")}),
            )
            _check(done, installation, hook)
            repairs, mail = [message_from_string(text) for text in post.mails]
            assert (repairs["To"], repairs["Subject"]) == ("repairs@news.example", "News: 3 new articles for repairs")
            said = "".join(str(part.get_payload(decode=True)) for part in repairs.walk())
            assert "Aldmere council agrees to repair its bridge" in said
            assert mail["To"] == "desk@news.example"
            said = "".join(str(part.get_payload(decode=True)) for part in mail.walk())
            assert "quarantine" in said
            assert "news quarantine list --reason http_5xx --source gone" in said
        finally:
            with contextlib.suppress(NotFoundError):
                installation.clean_up()


def _check(done: dict[str, Any], installation: Installation, hook: list[str]) -> None:
    assert done["import_errors"] == {}
    tasks = done["dags"][DAG_ID]["tasks"]
    assert tasks["backfill.plan"]["pool"] == tasks["backfill.batch"]["pool"] == BACKFILL_POOL
    assert tasks["batch"]["pool"] != BACKFILL_POOL
    preview, refetch, unreached, reached, nothing_new, reextract, live, maintenance, retry, alerts, again = done["runs"]
    ledger = installation.services().ledger
    assert ledger.run(f"{DAG_ID}/{preview['run_id']}") is None
    for run, outcome in ((refetch, "indexed"), (reextract, "unchanged")):
        assert states(run)["plan"] == "skipped"
        assert states(run)["backfill.batch"] == "success"
        record = ledger.run(f"{DAG_ID}/{run['run_id']}")
        assert record is not None
        assert record.report is not None
        assert (record.kind, record.report["outcomes"][outcome]) == ("airflow backfill", 3)
    assert states(live)["backfill.plan"] == "skipped"
    assert states(live)["batch"] == "success"
    assert states(maintenance) == {"maintain": "success"}
    assert states(retry) == {"retry_quarantine": "skipped"}  # nothing is due within the hour
    assert states(alerts) == states(again) == {"check": "success"}
    assert [states(run) for run in (unreached, reached, nothing_new)] == [
        {"tell": "failed"}, {"tell": "success"}, {"tell": "success"},
    ]  # fmt: skip
    assert hook == ["/desk", "/desk", "/hook"]
