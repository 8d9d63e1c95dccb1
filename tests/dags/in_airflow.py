"""A program for the tests: reads the DAGs with Airflow, runs some with `dag.test()`, prints what came of it as JSON.

Airflow wants its environment set before it is imported, and a database: so this runs in a process of its own, with an
AIRFLOW_HOME of its own. Argument: ``{"dags": folder, "runs": [{"dag_id", "conf", "logical_date"}]}``.
"""

from __future__ import annotations

import contextlib
import io
import json
import sys
from datetime import datetime
from pathlib import Path
from typing import Any


def main(job: dict[str, Any]) -> dict[str, Any]:
    from airflow.dag_processing.dagbag import BundleDagBag
    from airflow.utils.db import initdb

    if job["runs"]:
        initdb()
    bag = BundleDagBag(job["dags"], bundle_path=Path(job["dags"]))
    return {
        "import_errors": {str(file): error for file, error in bag.import_errors.items()},
        "dags": {dag_id: described(dag) for dag_id, dag in bag.dags.items()},
        "runs": [ran(bag.dags[run["dag_id"]], run) for run in job["runs"]],
    }


def described(dag: Any) -> dict[str, Any]:
    return {
        "doc": dag.doc_md or "",
        "description": dag.description,
        "tags": sorted(dag.tags),
        "catchup": dag.catchup,
        "deadline": [alert.interval.total_seconds() for alert in dag.deadline or ()],
        "timetable": getattr(dag.timetable, "expression", None),
        "params": {name: dag.params.get_param(name).schema for name in dag.params},
        "tasks": {
            task.task_id: {
                "pool": task.pool,
                "retries": task.retries,
                "timeout": task.execution_timeout.total_seconds() if task.execution_timeout else None,
                "doc": getattr(task, "doc_md", None) or getattr(getattr(task, "python_callable", None), "__doc__", ""),
                "upstream": sorted(task.upstream_task_ids),
            }
            for task in dag.tasks
        },
    }


def ran(dag: Any, run: dict[str, Any]) -> dict[str, Any]:
    dag.deadline = None  # Airflow 3.3's dag.test() looks for deadlines where only the scheduler has put them
    for task in dag.tasks:
        if not task.is_mapped:
            task.retries = 0  # waiting for a second try is Airflow's business
    date = run.get("logical_date")
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        done = dag.test(logical_date=datetime.fromisoformat(date) if date else None, run_conf=run.get("conf") or {})
    tasks = sorted(done.get_task_instances(), key=lambda one: (one.task_id, one.map_index))
    return {
        "run_id": done.run_id,
        "state": str(done.state),
        "tasks": [[one.task_id, one.map_index, str(one.state)] for one in tasks],
        "said": said.getvalue(),
    }


if __name__ == "__main__":
    with contextlib.redirect_stdout(sys.stderr):
        answer = main(json.loads(sys.argv[1]))
    print(json.dumps(answer, default=str))
