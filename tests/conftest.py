"""What all tests share: nothing of the developer's own environment, no network beyond loopback, no silent skips."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from elasticsearch_node import elasticsearch_distribution, elasticsearch_url  # noqa: F401 - fixtures

_OURS = ("NEWS_", "ELASTICSEARCH_", "AIRFLOW_", "ES_HOME")


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No test sees the settings, the state or the cluster of whoever runs it."""
    for name in list(os.environ):
        if name.startswith(_OURS) and not name.startswith("NEWS_TEST_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("NEWS_HOME", str(tmp_path / "home"))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """Where CI is set, a skipped test is a failed one: what was not tested has not passed."""
    report = yield
    if os.environ.get("CI") and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped in CI: {report.longrepr}"
    return report
