"""Kill -9 at random points: the batch's process (with its workers) and Elasticsearch, several times in one run.

The moments are drawn anew each time; NEWS_TEST_SEED repeats a draw. What must be equal never depends on them.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest
from elasticsearch_node import node_settings, start_quickly
from installation import Installation, article_page, article_text

from pipeline import localnode
from pipeline.localnode import NodeAddress, NodeSettings
from pipeline.run import finish_run, plan_run, require_complete
from pipeline.schedule import RunRequest

ARTICLES = 300
BATCH = """
import sys
from pipeline.run import open_services, process_batch
services = open_services()
for number in range(services.ledger.run("run").batches):
    process_batch(services, "run", number)
    print(number, flush=True)
"""


@pytest.fixture
def node(tmp_path: Path, elasticsearch_distribution: Path) -> Iterator[NodeSettings]:
    """A node of this test's own that comes back at the same address."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    settings = replace(node_settings(tmp_path, elasticsearch_distribution), port=port)
    yield settings
    localnode.stop(settings)


def write_articles(folder: Path) -> None:
    """Texts and pages; every third is a near copy of another, before or behind it, in this batch or in another one."""
    folder.mkdir()
    for number in range(ARTICLES):
        like = (number + (7, 61, 130)[number // 3 % 3]) % ARTICLES if number % 3 == 2 else number
        draw = random.Random(like)
        words = ["".join(draw.choices("abcdefghilmnoprstuvw", k=draw.randint(3, 9))) for _ in range(250)]
        if like != number:
            words[::40] = ["indeed"] * 7
        said = ". ".join(" ".join(words[start : start + 12]).capitalize() for start in range(0, 240, 12)) + "."
        if number % 10:
            (folder / f"{number}.txt").write_text(f"{article_text(number)}\n{said}\n")
        else:
            (folder / f"{number}.html").write_text(article_page(number, words=said))


def installed(root: Path, folder: Path, url: str) -> Installation:
    made = Installation(root=root, elasticsearch_url=url)
    made.write_config(
        sources=f'[[source]]\nid = "inbox"\nkind = "folder"\nlocation = "{folder}"\n',
        settings='[ingest]\nbatch_size = 60\n[index]\nbulk_documents = 15\n[entities]\nmodel = ""\n',
    )
    plan_run(made.services(), "run", RunRequest(source_ids=("inbox",)), made.sources(), kind="news run")
    return made


def start_batches(installation: Installation) -> subprocess.Popen[bytes]:
    """All batches of the run, in a process (and session) of their own, as a task of Airflow would work on them."""
    log = (installation.root / "batches.log").open("ab")
    with log:
        return subprocess.Popen(
            [sys.executable, "-c", BATCH],
            env=installation.environment,
            cwd=installation.project,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def kill_batches(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def kill_node(address: NodeAddress) -> None:
    os.kill(address.pid, signal.SIGKILL)
    with contextlib.suppress(psutil.NoSuchProcess):
        psutil.Process(address.pid).wait(30)


def ended(installation: Installation) -> int:
    return installation.services().ledger.tally("run").accounted


def articles(installation: Installation) -> dict[str, dict[str, Any]]:
    """Every field of every article but when and by which run it was read, and where its record lies."""
    return {
        id_: {
            **{key: value for key, value in document.items() if key not in ("fetched_at", "_index", "archive")},
            "digest": document["archive"]["digest"],
            "family": document["_index"].removeprefix(installation.prefix),
        }
        for id_, document in installation.content().items()
    }


def differences(rough: dict[str, dict[str, Any]], calm: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """By id, each field that is not the same in both."""
    return {
        id_: {
            key: (rough.get(id_, {}).get(key), calm.get(id_, {}).get(key))
            for key in {*rough.get(id_, {}), *calm.get(id_, {})}
            if rough.get(id_, {}).get(key) != calm.get(id_, {}).get(key)
        }
        for id_ in {*rough, *calm}
        if rough.get(id_) != calm.get(id_)
    }


@pytest.mark.timeout(600)
def test_killed_again_and_again_the_index_is_that_of_an_undisturbed_run(tmp_path: Path, node: NodeSettings) -> None:
    """Six times something is killed in the middle, once two tries work side by side; in the end the run balances and
    the index equals an undisturbed run's, id by id and field by field."""
    seed = int(os.environ.get("NEWS_TEST_SEED") or random.randrange(10**6))
    draw = random.Random(seed)
    print(f"NEWS_TEST_SEED={seed}")
    folder = tmp_path / "inbox"
    write_articles(folder)
    address = start_quickly(node)
    calm = installed(tmp_path / "calm", folder, address.url)
    rough = installed(tmp_path / "rough", folder, address.url)
    assert start_batches(calm).wait(240) == 0

    kills = ["batch", "elasticsearch", "batch", "both", "two at once", "elasticsearch", "batch"]
    started, midway = [start_batches(rough)], 0
    for position, what in enumerate(kills, start=1):
        # Wherever it is by then: at most so far that something is left for the next.
        _wait_for(rough, ARTICLES * (position - 1) // 10, started)
        time.sleep(draw.uniform(0, 1.5))
        midway += 0 < ended(rough) < ARTICLES
        if what in ("batch", "both"):
            kill_batches(started.pop())
        if what in ("elasticsearch", "both"):
            kill_node(address)
            time.sleep(draw.uniform(0, 1))
            address = start_quickly(node)
        if what == "two at once" or not started:
            started.append(start_batches(rough))
    for process in started:
        process.wait(240)
    last = start_batches(rough)
    assert last.wait(240) == 0, (rough.root / "batches.log").read_text()[-3000:]

    for installation in (calm, rough):
        report = finish_run(installation.services(), "run")
        require_complete(report)
        assert report["discovered"] == ARTICLES
        assert report["outcomes"]["failed"] == 0
    assert midway >= 3, "most of it was over before anything was killed"
    assert len(articles(calm)) == ARTICLES
    assert len({document["cluster_id"] for document in articles(calm).values()}) < ARTICLES * 0.8
    assert differences(articles(rough), articles(calm)) == {}


def _wait_for(installation: Installation, count: int, started: list[subprocess.Popen[bytes]]) -> None:
    """Wait until so many articles have ended, as long as any of the processes works on it."""
    while ended(installation) < count and any(process.poll() is None for process in started):
        time.sleep(0.05)
