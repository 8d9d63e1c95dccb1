"""The ingestion DAGs as Airflow reads them, and as `dag.test()` runs them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from installation import Installation, installation_in, write_texts

from pipeline.schedule import BACKFILL_POOL, DAG_ID, POOL

SOURCES = """
[[source]]
id = "inbox"
kind = "folder"
location = "inbox"

[[source]]
id = "often"
kind = "folder"
location = "inbox"
schedule = "*/15 6-22 * * *"

[[source]]
id = "asked"
kind = "folder"
location = "asked"
schedule = "manual"
"""
OFTEN = "news_ingest.every15_6-22_x_x_x"


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory, elasticsearch_url: str) -> Iterator[Installation]:
    root = tmp_path_factory.mktemp("dags")
    with installation_in(root, elasticsearch_url, NEWS_INGEST__BATCH_SIZE="4") as made:
        made.write_config(SOURCES)
        write_texts(made.project / "inbox", range(10))
        write_texts(made.project / "asked", range(20, 22))
        yield made


@pytest.fixture(scope="module")
def read(in_airflow: Any, installation: Installation) -> dict[str, Any]:
    """The DAGs as read, and four runs."""
    return in_airflow(
        installation,
        [
            {"dag_id": DAG_ID, "logical_date": None},
            {"dag_id": DAG_ID, "logical_date": "2026-03-01T05:00:00+00:00"},
            {"dag_id": DAG_ID, "conf": {"sources": ["asked"]}},
            {"dag_id": DAG_ID, "conf": {"sorces": ["inbox"]}},
        ],
    )


def test_the_dags_are_read_without_errors(read: dict[str, Any]) -> None:
    """There is one DAG for each schedule of the sources file, and none for sources that run by hand only."""
    assert read["import_errors"] == {}
    ingest = {dag_id for dag_id in read["dags"] if dag_id.startswith(DAG_ID)}
    assert ingest == {DAG_ID, OFTEN}
    assert "inbox" in read["dags"][DAG_ID]["description"]
    assert read["dags"][OFTEN]["timetable"] == "*/15 6-22 * * *"
    assert read["dags"][DAG_ID]["timetable"] == "0 * * * *"


def test_a_run_that_takes_longer_than_news_may_is_told_of(read: dict[str, Any]) -> None:
    """The DAGs that bring news have a deadline, which is the setting for freshness (180 minutes)."""
    assert read["dags"][DAG_ID]["deadline"] == [180 * 60]
    assert read["dags"][OFTEN]["deadline"] == [180 * 60]
    assert read["dags"]["news_maintenance"]["deadline"] == []


def test_every_dag_is_ready_for_work(read: dict[str, Any]) -> None:
    """Docs, tags, no catching up; every task has a pool that is created, a docstring, and all but the report tries."""
    for dag in read["dags"].values():
        assert dag["doc"].strip().startswith("#")
        assert "news" in dag["tags"]
        assert dag["catchup"] is False
        for name, task in dag["tasks"].items():
            assert task["pool"] in (POOL, BACKFILL_POOL), name
            assert task["doc"], name
            if not name.endswith("report"):
                assert task["retries"] >= 1, name
                assert task["timeout"], name


def test_the_form_asks_for_sources_and_a_span_of_time(read: dict[str, Any]) -> None:
    """A run by hand can name sources and a span; Airflow checks their form."""
    params = read["dags"][DAG_ID]["params"]
    assert {"sources", "since", "until"} <= set(params)
    assert params["sources"]["type"] == ["null", "array"]
    assert params["since"]["format"] == "date-time"


@pytest.mark.parametrize("number", [0, 1], ids=["without-date", "dated"])
def test_a_run_goes_through(read: dict[str, Any], installation: Installation, number: int) -> None:
    """Plan, batches and report succeed, with and without a logical date; the run is in the ledger and balances."""
    run = read["runs"][number]
    assert run["state"].endswith("success"), read["log"][-3000:]
    batches = [task for task in run["tasks"] if task[0] == "batch"]
    assert [(index, state.rpartition(".")[2].lower()) for _, index, state in batches] == [
        (0, "success"), (1, "success"), (2, "success"),
    ]  # fmt: skip
    record = installation.services().ledger.run(f"{DAG_ID}/{run['run_id']}")
    assert record is not None
    assert record.report is not None
    assert record.report["balanced"]
    outcome = "indexed" if number == 0 else "unchanged"
    assert record.report["outcomes"][outcome] == record.report["discovered"] == 10


def test_named_sources_run_instead(read: dict[str, Any], installation: Installation) -> None:
    """`sources` in the conf runs these, whatever their schedule."""
    record = installation.services().ledger.run(f"{DAG_ID}/{read['runs'][2]['run_id']}")
    assert record is not None
    assert record.report is not None
    assert [source["id"] for source in record.report["sources"]] == ["asked"]
    assert record.report["outcomes"]["indexed"] == 2


def test_an_unknown_key_in_the_conf_fails_the_plan(read: dict[str, Any], installation: Installation) -> None:
    """A misspelt key doesn't run with defaults: the plan step fails, and its log says what is allowed."""
    run = read["runs"][3]
    assert run["state"].endswith("failed")
    states = {task_id: state.rpartition(".")[2].lower() for task_id, _, state in run["tasks"]}
    assert states["plan"] == "failed"
    assert "conf: unknown key 'sorces'; allowed are" in read["log"] + run["said"]
    assert installation.services().ledger.run(f"{DAG_ID}/{run['run_id']}") is None


def test_the_documents_are_those_of_a_run_by_hand(read: dict[str, Any], installation: Installation) -> None:
    """What the DAG indexed is what `news run` finds unchanged."""
    before = installation.documents()
    assert len(before) == 12
    report = installation.news_json("run", "inbox", "asked")
    assert report["outcomes"]["unchanged"] == 12
    assert installation.documents() == before


def test_a_wrong_sources_file_is_an_import_error(in_airflow: Any, tmp_path: Path) -> None:
    """Airflow's page shows the mistake in the sources file in the words of `news sources check`."""
    wrong = Installation(root=tmp_path, elasticsearch_url="http://127.0.0.1:9")
    wrong.write_config(SOURCES.replace('"manual"', '"whenever"'))
    read = in_airflow(wrong)
    assert not [dag_id for dag_id in read["dags"] if dag_id.startswith(DAG_ID)]
    said = "\n".join(read["import_errors"].values())
    assert "sources.toml: source 3 ('asked'): schedule: 'whenever' is no cron line" in said
    assert wrong.news("sources", "check").returncode == 2


def test_reading_needs_no_elasticsearch_and_leaves_nothing_behind(in_airflow: Any, tmp_path: Path) -> None:
    """Parsing the DAGs opens no connection and creates nothing in NEWS_HOME."""
    far = Installation(root=tmp_path, elasticsearch_url="http://127.0.0.1:9")
    far.write_config(SOURCES)
    assert in_airflow(far)["import_errors"] == {}
    assert not far.home.exists()
