"""The whole job on a real Airflow: scheduler, workers, REST, backfill."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from airflow_pages import airflow_pages
from installation import REPOSITORY, SEED, without_bookkeeping
from playwright.sync_api import expect

from pipeline.ledger import RunRecord
from pipeline.run import run_now
from pipeline.schedule import BACKFILL_POOL, DAG_ID, POOL

DAILY = "news_ingest.0_0_x_x_x"
SCREENSHOTS = REPOSITORY / "test-output"
SAVED_SEARCHES = "news_saved_searches"


def wait_for(what: str, answer: Callable[[], Any], seconds: float = 180) -> Any:
    """Ask until the answer is true."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := answer():
            return found
        time.sleep(0.3)
    raise AssertionError(f"{what} did not happen within {seconds:.0f} s")


def finished(standalone: Any, dag_id: str, run_id: str) -> str:
    state = wait_for(
        f"the end of {run_id}",
        lambda: (found := standalone.airflow.run_state(dag_id, run_id)) in ("success", "failed") and found,
    )
    return str(state)


def report_of(standalone: Any, run_id: str) -> dict[str, Any]:
    record: RunRecord | None = standalone.installation.services().ledger.run(run_id)
    assert record is not None
    assert record.report is not None
    return dict(record.report)


@pytest.fixture(scope="module", autouse=True)
def _dags_are_there(standalone: Any) -> Iterator[None]:
    for dag_id in (DAG_ID, DAILY, SAVED_SEARCHES):
        standalone.airflow.wait_for_dag(dag_id)
    return


def paths(standalone: Any, source: str) -> dict[str, dict[str, Any]]:
    folder = str(standalone.installation.project / source)
    return {
        id_: document
        for id_, document in standalone.installation.documents().items()
        if str(document["path"]).startswith(folder)
    }


def test_a_run_by_hand_gives_what_news_run_gives(standalone: Any) -> None:
    """The DAG, started over the REST API, indexes a folder; `news run` of the same finds every article unchanged."""
    run_id = standalone.airflow.trigger(DAG_ID, {"sources": ["small"]})
    assert finished(standalone, DAG_ID, run_id) == "success"
    report = report_of(standalone, f"{DAG_ID}/{run_id}")
    assert (report["balanced"], report["outcomes"]["indexed"], report["discovered"]) == (True, 6, 6)
    documents = paths(standalone, "small")
    assert len(documents) == 6
    by_hand = standalone.installation.news_json("run", "small")
    assert by_hand["outcomes"]["unchanged"] == 6
    assert paths(standalone, "small") == documents


def test_a_saved_search_tells_of_new_articles(standalone: Any) -> None:
    """After a run the new articles that answer a saved search go to its webhook, by themselves; each of them once."""

    def ended() -> list[str]:
        path = f"/api/v2/dags/{SAVED_SEARCHES}/dagRuns"
        runs = standalone.airflow._request("GET", path).json()["dag_runs"]
        states = [run["state"] for run in runs]
        return states if states and set(states) <= {"success", "failed"} else []

    if not standalone.webhook.got:  # alone, this test makes the run that those above made
        standalone.airflow.trigger(DAG_ID, {"sources": ["small"]})
    wait_for("the message", lambda: standalone.webhook.got)
    before = len(wait_for("the end of the first check", ended))
    run_id = standalone.airflow.trigger(DAG_ID, {"sources": ["small"]})
    assert finished(standalone, DAG_ID, run_id) == "success"
    states = wait_for("the next check", lambda: (states := ended()) and len(states) > before and states)
    assert set(states) == {"success"}
    (message,) = standalone.webhook.got
    (told,) = message["searches"]
    assert told["search"] == "repairs"
    assert {article["id"] for article in told["articles"]} == set(paths(standalone, "small"))
    assert "6 new articles for repairs" in message["text"]


def test_the_scheduler_starts_runs_by_itself(standalone: Any) -> None:
    """A source's schedule runs it without anybody asking, over all it has."""

    def scheduled() -> list[RunRecord]:
        runs = standalone.installation.services().ledger.runs()
        return [run for run in runs if run.run_id.startswith(f"{DAILY}/scheduled") and run.report is not None]

    [run, *_] = wait_for("the scheduled run", scheduled)
    assert run.report is not None
    assert (run.report["balanced"], run.report["discovered"]) == (True, 5)
    assert len(paths(standalone, "dated")) == 5


def test_a_backfill_keeps_to_its_intervals(standalone: Any) -> None:
    """`airflow backfill create` over two days gives two runs, each over the files changed on its day."""
    standalone.command(
        "backfill", "create", "--dag-id", DAILY, "--from-date", "2026-03-01", "--to-date", "2026-03-02"
    )  # fmt: skip

    def backfilled() -> list[RunRecord] | None:
        runs = standalone.installation.services().ledger.runs()
        done = [run for run in runs if run.run_id.startswith(f"{DAILY}/backfill") and run.report is not None]
        return done if len(done) == 2 else None

    runs = wait_for("both backfill runs", backfilled)
    services = standalone.installation.services()
    names = {
        str(run.request["since"])[:10]: sorted(Path(e.ref.name).stem[-1] for e in services.ledger.results(run.run_id))
        for run in runs
    }
    assert names == {"2026-03-01": ["2", "3"], "2026-03-02": ["4"]}
    assert all(run.report["balanced"] for run in runs if run.report)


@pytest.mark.browser
def test_a_backfill_by_the_form_in_a_browser(standalone: Any) -> None:
    """Who logs in, picks dates and chooses a source from the list gets a run for each hour, sees them in the run list
    while they go, and in the end has what was changed in those hours, by tasks that stand behind everything else."""
    with airflow_pages(standalone.airflow.address) as pages:
        form = pages.fill_backfill(DAG_ID, datetime(2026, 3, 3), datetime(2026, 3, 3, 1), sources=["dated"])
        expect(form.get_by_text("2 runs will be triggered.")).to_be_visible()
        pages.screenshot(SCREENSHOTS / "backfill-form.png")
        pages.send(form)
        pages.page.goto(f"{standalone.airflow.url}/dags/{DAG_ID}/runs")
        expect(pages.page.get_by_text("Backfill in progress")).to_be_visible()
        expect(pages.page.get_by_text("backfill__2026-03-03").first).to_be_visible()
        pages.screenshot(SCREENSHOTS / "backfill-runs.png")
    services = standalone.installation.services()

    def backfilled() -> list[RunRecord] | None:
        runs = [run for run in services.ledger.runs(100) if run.run_id.startswith(f"{DAG_ID}/backfill")]
        return runs if len([run for run in runs if run.report is not None]) == 2 else None

    runs = wait_for("both hours", backfilled)
    found = {
        str(run.request["since"])[11:13]: [e.ref.name for e in services.ledger.results(run.run_id)] for run in runs
    }
    assert {hour: [Path(name).name for name in names] for hour, names in found.items()} == {
        "00": ["00105.txt"], "01": []
    }  # fmt: skip
    path = f"/api/v2/dags/{DAG_ID}/dagRuns/~/taskInstances?limit=200"
    tasks = standalone.airflow._request("GET", path).json()["task_instances"]
    ours = [task for task in tasks if task["task_id"] == "backfill.plan" and "backfill__" in task["dag_run_id"]]
    assert {(task["pool"], task["priority_weight"]) for task in ours} == {(BACKFILL_POOL, 1)}


def test_a_wrong_conf_fails_the_run_at_once(standalone: Any) -> None:
    """A source that isn't there fails the run in its first try: trying again would read the same."""
    run_id = standalone.airflow.trigger(DAG_ID, {"sources": ["nowhere"]})
    assert finished(standalone, DAG_ID, run_id) == "failed"
    tasks = standalone.airflow._request("GET", f"/api/v2/dags/{DAG_ID}/dagRuns/{run_id}/taskInstances").json()
    assert [task["try_number"] for task in tasks["task_instances"] if task["task_id"] == "plan"] == [1]
    assert standalone.installation.services().ledger.run(f"{DAG_ID}/{run_id}") is None


def test_the_pools_are_there(standalone: Any) -> None:
    """No task waits for ever for a pool that nobody made."""
    found = standalone.airflow._request("GET", "/api/v2/pools").json()["pools"]
    assert {POOL, BACKFILL_POOL} <= {pool["name"] for pool in found}


def test_it_listens_on_loopback_only_and_wants_a_log_in(standalone: Any) -> None:
    """Nobody else reaches it, and without the password nobody sees anything."""
    import httpx2

    assert standalone.airflow.url.startswith("http://127.0.0.1:")
    with httpx2.Client(trust_env=False) as stranger:
        assert stranger.get(f"{standalone.airflow.url}/api/v2/dags").status_code in (401, 403)


@pytest.mark.shared
def test_the_seed_article_through_airflow_is_the_one_of_the_command(standalone: Any) -> None:
    """The same file gives the same document by the scheduler as by `news ingest`."""
    assert SEED.is_dir()
    run_id = standalone.airflow.trigger(DAG_ID, {"sources": ["seed"]})
    assert finished(standalone, DAG_ID, run_id) == "success"
    by_airflow = without_bookkeeping(paths(standalone, "seed"))
    assert len(by_airflow) >= 1
    installation = standalone.installation
    services = installation.services()
    report = run_now(services, installation.request("seed"), installation.sources(), kind="test")
    assert report["outcomes"]["unchanged"] == len(by_airflow)


def test_a_mistake_in_the_sources_file_shows_in_airflow(standalone: Any) -> None:
    """Airflow's import errors hold the message, and go away once it is mended."""
    config = standalone.installation.project / "config" / "sources.toml"
    right = config.read_text()

    def messages() -> str:
        errors = standalone.airflow._request("GET", "/api/v2/importErrors").json()["import_errors"]
        return "\n".join(error["stack_trace"] for error in errors)

    try:
        config.write_text(right.replace('schedule = "0 0 * * *"', 'schedule = "daily"'))
        wait_for("the import error", lambda: "schedule: 'daily' is no cron line" in messages())
    finally:
        config.write_text(right)
    wait_for("the end of the import error", lambda: not messages())
