"""`news serve`: for this machine only, and ended in order."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys

import httpx2
import pytest
from installation import Installation

from pipeline.errors import ConfigurationError
from pipeline.web.serve import serve


def test_it_serves_this_machine_only(site: Installation) -> None:
    """It says where it listens, answers there, refuses requests that name another host, and ends on Ctrl-C."""
    program = "from pipeline.web.serve import serve; serve(port=0)"
    environment = {**os.environ, **site.environment, "PYTHONUNBUFFERED": "1"}
    process = subprocess.Popen([sys.executable, "-c", program], env=environment, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout
        said = process.stdout.readline()
        url = said.split()[2]
        assert url.startswith("http://127.0.0.1:")
        with httpx2.Client(base_url=url, trust_env=False) as web:
            assert "10 articles" in web.get("/?q=hamburg").text
            assert web.get("/?q=hamburg", headers={"Host": "evil.example"}).status_code == 400
            assert web.get("/", headers={"Host": "localhost"}).status_code == 200
    finally:
        process.send_signal(signal.SIGINT)
    assert process.wait(20) == 0


def test_a_busy_port_is_said() -> None:
    """Where the port is taken, the message says so and what to do."""
    with socket.create_server(("127.0.0.1", 0)) as busy:
        port = busy.getsockname()[1]
        with pytest.raises(ConfigurationError, match=str(port)) as raised:
            serve(port=port)
    assert "--port" in raised.value.hint


def test_the_embedded_node_is_not_started(tmp_path: object, monkeypatch: pytest.MonkeyPatch) -> None:
    """Looking at a page never starts Elasticsearch: where it doesn't run, the page says how to start it."""
    from fastapi.testclient import TestClient

    from pipeline.web.app import create_app

    monkeypatch.setenv("NEWS_HOME", f"{tmp_path}/home")
    monkeypatch.setenv("NEWS_CONFIG", f"{tmp_path}")
    answer = TestClient(create_app()).get("/")
    assert answer.status_code == 503
    assert "news es start" in answer.text
    assert not (tmp_path / "home").exists()  # type: ignore[operator]
