"""Log lines: each that is about an article names its run, source and address, as fields and in its text."""

from __future__ import annotations

import json
import logging
import sys

import pytest
from installation import Installation, write_texts

from pipeline.logs import JsonFormatter
from pipeline.run import run_now
from pipeline.schedule import RunRequest


def test_each_article_has_a_line_with_run_source_and_address(
    installation: Installation, caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever greps a log for a URL or a file finds how it ended, in which run, for which source."""
    folder = write_texts(installation.root / "desk", range(2))
    (folder / "empty.txt").write_text("too little")
    installation.write_config(sources=f'[[source]]\nid = "desk"\nkind = "folder"\nlocation = "{folder}"\n')
    with caplog.at_level(logging.INFO, logger="pipeline.run"):
        report = run_now(
            installation.services(), RunRequest(source_ids=("desk",)), installation.sources(), kind="news run"
        )
    records = [record for record in caplog.records if hasattr(record, "news.run.id")]
    lines = [json.loads(JsonFormatter().format(record)) for record in records]
    assert len(lines) == 3
    assert {line["news.run.id"] for line in lines} == {report["run_id"]}
    assert {line["news.source.id"] for line in lines} == {"desk"}
    assert sorted(line["event.action"] for line in lines) == ["article.indexed", "article.indexed", "article.rejected"]
    (rejected,) = [line for line in lines if line["event.action"] == "article.rejected"]
    assert rejected["file.path"].endswith("empty.txt")
    assert rejected["event.reason"] == "too_short"
    for part in ("rejected(too_short)", "empty.txt", "source=desk", f"run={report['run_id']}"):
        assert part in rejected["message"]


def test_an_error_is_one_line_too() -> None:
    """A traceback stays within its JSON object."""
    try:
        raise ValueError("first\nsecond")
    except ValueError:
        record = logging.LogRecord("x", logging.ERROR, __file__, 1, "went %s", ("wrong",), sys.exc_info())
    text = JsonFormatter().format(record)
    assert "\n" not in text
    line = json.loads(text)
    assert (line["message"], line["error.type"], line["log.level"]) == ("went wrong", "ValueError", "error")


def test_the_command_logs_as_json_and_nothing_else(installation: Installation) -> None:
    """With --log-json, or NEWS_LOG_FORMAT=json, each line on standard error is an object; so is a final error."""
    folder = write_texts(installation.root / "desk", range(2))
    installation.write_config(sources=f'[[source]]\nid = "desk"\nkind = "folder"\nlocation = "{folder}"\n')
    done = installation.news("--log-json", "run", "desk", "--json")
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    articles = [line for line in lines if line.get("event.action") == "article.indexed"]
    assert {(line["news.run.id"], line["news.source.id"]) for line in articles} == {
        (json.loads(done.stdout)["run_id"], "desk")
    }
    assert {line["file.path"] for line in articles} == {str(path) for path in folder.iterdir()}
    installation.extra["NEWS_LOG_FORMAT"] = "json"  # type: ignore[index]
    done = installation.news("run", "nobody")
    assert done.returncode == 2
    assert json.loads(done.stderr.splitlines()[-1])["log.level"] == "error"
    assert "no source 'nobody'" in done.stderr


def test_a_log_format_that_there_is_not_is_refused(installation: Installation) -> None:
    """A typo in NEWS_LOG_FORMAT doesn't silently give text."""
    installation.extra["NEWS_LOG_FORMAT"] = "jsn"  # type: ignore[index]
    done = installation.news("sources", "list")
    assert done.returncode == 2
    assert "'jsn' is neither text nor json" in done.stderr
