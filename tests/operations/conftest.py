"""What the tests of operations share: an installation of the test's own."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import typer
from elasticsearch import NotFoundError
from installation import Installation
from typer.testing import CliRunner

from pipeline.operations.commands import register


@pytest.fixture
def installation(tmp_path: Path, elasticsearch_url: str) -> Iterator[Installation]:
    """An installation of the test's own in the session's Elasticsearch."""
    extra = {
        "NEWS_EXTRACT__WORKERS": "0",
        "NEWS_ENTITIES__MODEL": "",
        "NEWS_FETCH__ALLOW_LOOPBACK": "true",
        "NEWS_FETCH__DELAY_SECONDS": "0",
    }
    made = Installation(root=tmp_path, elasticsearch_url=elasticsearch_url, extra=extra)
    made.write_config()
    yield made
    with suppress(NotFoundError):  # a test that never wrote to Elasticsearch leaves nothing to take away
        made.clean_up()


@pytest.fixture
def news(installation: Installation, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Run a command of pipeline.operations.commands in this process; the JSON it prints, or its text."""
    app = typer.Typer()
    register(app)

    def run(*arguments: str, code: int = 0) -> Any:
        with monkeypatch.context() as patch:
            for name, value in installation.environment.items():
                patch.setenv(name, value)
            result = CliRunner().invoke(app, arguments)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert result.exit_code == code, result.output
        return json.loads(result.stdout) if "--json" in arguments else result.output

    return run
