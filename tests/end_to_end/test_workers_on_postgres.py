"""Several workers on one ledger in PostgreSQL: what they leave is what one worker leaves."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Barrier, Thread
from typing import Any

import pytest
import sqlalchemy as sa
from installation import REPOSITORY, Installation, article_page, installation_in, write_texts
from postgres import running_postgres

from pipeline import run
from pipeline.ledger import Ledger
from pipeline.models import ArticleRef
from pipeline.schedule import RunRequest
from pipeline.worklist import WorkList

ARTICLES = 64
WORKERS = 4
WORK = """
import json, sys
from pipeline import run
from pipeline.settings import load_sources
services = run.open_services()
services.ledger  # opened by all at once, as the tables are not there yet
print("ready", flush=True)
for line in sys.stdin:
    run_id, batch = json.loads(line)
    run.process_batch(services, run_id, batch, sources=load_sources(services.settings))
"""


@pytest.fixture(scope="module")
def postgres() -> Iterator[str]:
    with running_postgres() as url:
        yield url


def articles_in(folder: Path) -> str:
    """A folder of texts and pages, some of them near copies of others; its entry in sources.toml."""
    write_texts(folder, range(ARTICLES // 2))
    for number in range(ARTICLES // 2, ARTICLES):
        (folder / f"{number}.html").write_text(article_page(number), encoding="utf-8")
    return f'[[source]]\nid = "desk"\nkind = "folder"\nlocation = "{folder}"\n'


def content(installation: Installation) -> dict[str, dict[str, Any]]:
    """The documents without what only tells when and where they were archived."""
    return {
        id_: {
            **{key: value for key, value in document.items() if key not in ("fetched_at", "_index", "archive")},
            "digest": document["archive"]["digest"],
        }
        for id_, document in installation.content().items()
    }


def test_four_workers_with_two_runs_and_a_doubled_task_leave_the_index_of_one(
    elasticsearch_url: str, tmp_path: Path, postgres: str
) -> None:
    """Four processes share the batches of two overlapping runs, one batch done twice at once: nothing is lost,
    doubled or different, every run balances, and each page is archived by whom the ledger says."""
    sources = articles_in(tmp_path / "desk")
    settings = "[ingest]\nbatch_size = 8\n"
    request = RunRequest(source_ids=("desk",))
    with installation_in(tmp_path / "one", elasticsearch_url, NEWS_EXTRACT__WORKERS="0") as alone:
        alone.write_config(sources, settings)
        run.run_now(alone.services(), request, alone.sources(), kind="news run")
        expected = content(alone)
    assert len(expected) == ARTICLES

    with installation_in(
        tmp_path / "many", elasticsearch_url, NEWS_LEDGER_URL=postgres, NEWS_EXTRACT__WORKERS="0"
    ) as shared:
        shared.write_config(sources, settings)
        workers = [
            subprocess.Popen(
                [sys.executable, "-c", WORK], env=shared.environment, cwd=REPOSITORY, text=True,
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            )
            for _ in range(WORKERS)
        ]  # fmt: skip
        for worker in workers:
            assert worker.stdout is not None
            assert worker.stdout.readline() == "ready\n", worker.communicate()[1]
        services = shared.services()
        runs = [
            run.plan_run(services, run_id, request, shared.sources(), kind="airflow") for run_id in ("first", "second")
        ]
        tasks = [(record.run_id, batch) for batch in range(runs[0].batches) for record in runs]
        given: list[list[str]] = [[] for _ in workers]
        for number, (run_id, batch) in enumerate([*tasks[:1], *tasks]):  # the first one twice
            given[number % WORKERS].append(f'["{run_id}", {batch}]\n')
        said = []
        threads = [
            Thread(target=lambda w=worker, lines=lines: said.append(w.communicate("".join(lines), timeout=240)))
            for worker, lines in zip(workers, given, strict=True)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [worker.returncode for worker in workers] == [0] * WORKERS, [errors for _, errors in said]
        reports = [run.finish_run(services, record.run_id) for record in runs]
        for report in reports:
            assert (report["status"], report["discovered"], report["balanced"]) == ("succeeded", ARTICLES, True)
        # Each article was new for exactly one of them.
        new = sum(report["outcomes"]["indexed"] + report["outcomes"]["duplicate"] for report in reports)
        assert new == sum(report["outcomes"]["indexed"] for report in reports) == ARTICLES
        assert content(shared) == expected
        captures = list(services.ledger.captures())
        assert len(captures) == ARTICLES
        pages = list(services.archive.read([capture.address for capture in captures]))
        assert [page.ref.name for page in pages] == [capture.ref.name for capture in captures]  # type: ignore[union-attr]
        again = run.run_now(services, request, shared.sources(), kind="news run")
        assert again["outcomes"]["unchanged"] == ARTICLES


def test_what_a_dead_run_left_goes_to_one_of_several_planned_at_once(postgres: str) -> None:
    """Eight runs planned at the same moment share a dead run's work: each article is with exactly one of them."""
    ledger = Ledger(postgres)
    with sa.create_engine(postgres).begin() as connection:
        for table in ("work", "runs", "captures", "batches"):
            connection.execute(sa.text(f"DELETE FROM {table}"))
    now = datetime(2026, 1, 1, tzinfo=UTC)
    refs = [ArticleRef(source_id="desk", path=f"/desk/{number}") for number in range(200)]
    options = {"kind": "news run", "request": {}, "source_ids": ["desk"], "batch_size": 10}

    def plan(run_id: str, items: list[ArticleRef], at: datetime) -> None:
        with WorkList(items) as work:
            ledger.plan(run_id, work, now=at, stale_before=at - timedelta(hours=2), **options)  # type: ignore[arg-type]

    plan("dead", refs, now)
    later = now + timedelta(hours=3)
    start, failures = Barrier(8), []

    def plan_with_others(number: int) -> None:
        start.wait()
        try:
            plan(f"run-{number}", [], later)
        except Exception as error:  # noqa: BLE001 - told below
            failures.append(error)

    threads = [Thread(target=plan_with_others, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    taken = [
        item.ref.name
        for number in range(8)
        for batch in range(20)
        for item in ledger.open_items(f"run-{number}", batch)
    ]
    assert sorted(taken) == sorted(ref.name for ref in refs)
    assert ledger.open_items("dead", 0) == []
