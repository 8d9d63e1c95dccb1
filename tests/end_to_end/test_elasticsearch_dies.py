"""Elasticsearch killed in the middle of a run: nothing lost, nothing twice."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

import psutil
import pytest
from elasticsearch_node import node_settings, start_quickly
from installation import Installation, write_texts

from pipeline import localnode
from pipeline.localnode import NodeAddress, NodeSettings
from pipeline.run import run_now

SOURCES = '[[source]]\nid = "inbox"\nkind = "folder"\nlocation = "inbox"\n'


def kill(pid: int, port: int) -> None:
    """Kill a process and wait until it is gone, and its port with it."""
    os.kill(pid, signal.SIGKILL)
    while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
        time.sleep(0.02)
    while True:  # the last of its threads may still be closing files
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                time.sleep(0.02)
            else:
                return


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory, elasticsearch_distribution: Path) -> Iterator[NodeSettings]:
    """A node of this file's own that comes back at the same address."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    settings = replace(node_settings(tmp_path_factory.mktemp("dying"), elasticsearch_distribution), port=port)
    yield settings
    localnode.stop(settings)


@dataclass
class KilledAt:
    """Kills the node from another thread, in the middle of whatever the run is doing, once so many have ended."""

    count: int
    node: NodeAddress
    then: Callable[[], NodeAddress | None]
    ended: int = 0
    pool: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1))
    after: Future[NodeAddress | None] | None = None

    def __call__(self, more: int) -> None:
        self.ended += more
        if self.ended >= self.count and self.after is None:
            started = threading.Event()
            self.after = self.pool.submit(self._kill, started)
            started.wait()

    def _kill(self, started: threading.Event) -> NodeAddress | None:
        started.set()
        kill(self.node.pid, int(self.node.url.rpartition(":")[2]))
        return self.then()


def install(root: Path, url: str, articles: int, **extra: str) -> Installation:
    made = Installation(root=root, elasticsearch_url=url, extra=extra)
    made.write_config(SOURCES)
    write_texts(made.project / "inbox", range(articles))
    return made


def run(installation: Installation, progress: Callable[[int], None] = lambda _: None) -> dict[str, object]:
    services = installation.services()
    request = installation.request("inbox")
    return run_now(services, request, installation.sources(), kind="test", progress=progress)


def test_killed_and_started_again_in_the_middle_of_2000_articles(node: NodeSettings, tmp_path: Path) -> None:
    """The run waits for it, goes on and balances; all 2,000 articles are there, each once."""
    address = start_quickly(node)
    installation = install(tmp_path, address.url, 2000)
    killer = KilledAt(600, address, lambda: start_quickly(node))
    report = run(installation, killer)
    assert killer.after is not None, "the node was never killed"
    again = killer.after.result()
    assert again is not None
    assert again.started
    assert again.pid != address.pid
    assert (report["balanced"], report["status"], report["kept_for_next_run"]) == (True, "succeeded", 0)
    assert report["discovered"] == 2000
    documents = installation.documents()
    assert len(documents) == 2000
    assert len({document["path"] for document in documents.values()}) == 2000
    # An article that was written but not answered for may be found to be there already.
    assert report["outcomes"]["failed"] == report["outcomes"]["updated"] == report["outcomes"]["duplicate"] == 0  # type: ignore[index]
    installation.clean_up()


def test_killed_and_not_started_again_the_next_run_finishes(node: NodeSettings, tmp_path: Path) -> None:
    """The run ends as failed with its work kept; the next one, with Elasticsearch back, finishes it."""
    address = start_quickly(node)
    installation = install(
        tmp_path, address.url, 700, NEWS_INGEST__INDEX_WAIT_SECONDS="1", NEWS_INGEST__BATCH_SIZE="250"
    )
    killer = KilledAt(300, address, lambda: None)
    report = run(installation, killer)
    assert killer.after is not None
    assert (report["status"], report["balanced"], report["discovered"]) == ("failed", True, 700)
    kept = report["kept_for_next_run"]
    assert 0 < kept == report["outcomes"]["failed"] <= 400  # type: ignore[index,operator]
    assert report["outcomes"]["indexed"] == 700 - kept  # type: ignore[index,operator]

    # What the archive holds needs no source any more: those files may be gone.
    services = installation.services()
    entries = list(services.ledger.results(str(report["run_id"])))
    held = [entry for entry in entries if entry.archived and entry.outcome == "failed"]
    assert held
    for entry in held:
        Path(str(entry.ref.path)).unlink()
    files_before = services.archive.files()

    start_quickly(node)
    second = run(installation)
    assert (second["status"], second["balanced"]) == ("succeeded", True)
    outcomes = second["outcomes"]
    assert outcomes["failed"] == outcomes["updated"] == outcomes["duplicate"] == 0  # type: ignore[index]
    documents = installation.documents()
    assert len(documents) == 700
    assert len({document["path"] for document in documents.values()}) == 700
    captured = [capture.ref.path for capture in services.ledger.captures()]
    assert len(captured) == len(set(captured)) == 700
    assert len(services.archive.files()) <= len(files_before) + 3  # only what had never been read
    left = [entry for entry in services.ledger.results(str(report["run_id"])) if entry.outcome == "failed"]
    assert {entry.taken_over_by for entry in left} == {second["run_id"]}
    installation.clean_up()
