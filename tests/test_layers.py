"""The layout's promises: who may import what, and that importing costs and does next to nothing."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
STAGES = ["discover", "fetch", "archive", "extract", "enrich", "index", "search"]
"""In the order of the flow; a stage may import those before it, never a later one."""
SHARED = {"models", "errors", "settings", "urls", "schedule"}
"""What everybody may import; these know nothing of the stages."""
JOINING = {"run", "cli", "standalone", "doctor", "reprocess", "operations", "search_alerts", "web"}
"""The only modules that see several stages: the run, the commands, and the operations beside a run. Nothing else joins
them by the way: a new name here is a decision."""
HEAVY = ["spacy", "thinc", "trafilatura", "airflow", "feedparser", "pandas", "htmldate"]


def modules() -> list[Path]:
    return sorted((REPOSITORY / "pipeline").rglob("*.py"))


def room_of(path: Path) -> str:
    """The room a module belongs to: `extract` for pipeline/extract/html.py, `run` for pipeline/run.py."""
    return path.relative_to(REPOSITORY / "pipeline").parts[0].removesuffix(".py")


def imports_of(path: Path) -> Iterator[str]:
    """Every module that a file imports anywhere, also within functions, by its full name."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def rooms_imported(path: Path) -> set[str]:
    return {name.split(".")[1] for name in imports_of(path) if name.startswith("pipeline.")}


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(REPOSITORY / "pipeline")))
def test_a_stage_never_imports_a_later_one(path: Path) -> None:
    """Each stage can be read, tested and replaced without those that come after it."""
    room, imported = room_of(path), rooms_imported(path)
    if room in STAGES:
        later = set(STAGES[STAGES.index(room) + 1 :])
        assert not imported & later
        assert not imported & JOINING
    if room in SHARED:
        assert imported <= SHARED | {room}


def test_only_the_joining_modules_see_several_stages() -> None:
    """What joins the stages is in one place: whoever looks for the flow finds it there."""
    joining = set()
    for path in modules():
        room = room_of(path)
        if room not in STAGES and len(rooms_imported(path) & set(STAGES)) > 1:
            joining.add(room)
    assert joining <= JOINING


def test_the_pipeline_knows_nothing_of_airflow() -> None:
    """Every step runs without Airflow; DAGs import the pipeline, never the other way."""
    for path in modules():
        assert not [name for name in imports_of(path) if name.split(".")[0] == "airflow"], path


def test_dags_import_only_what_is_light() -> None:
    """Airflow reads DAG files again and again: on top they import values, schedules and settings, nothing else."""
    for path in (REPOSITORY / "dags").glob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        top = [node for node in tree.body if isinstance(node, (ast.Import, ast.ImportFrom))]
        names = [str(node.module) for node in top if isinstance(node, ast.ImportFrom)]
        rooms = {name.split(".")[1] for name in names if name.startswith("pipeline.")}
        assert rooms <= SHARED, path


_IMPORT_ALL = """
import builtins, importlib, io, pkgutil, socket, subprocess, sys, threading
import pipeline
names = [module.name for module in pkgutil.walk_packages(pipeline.__path__, "pipeline.")]
before = set(threading.enumerate())

def refuse(what):
    def refused(*arguments, **_):
        raise SystemExit(f"importing {name} {what}: {arguments[:1]}")
    return refused

name = "?"
writing = builtins.open
def watched(file, mode="r", *arguments, **keywords):
    if set(mode) & set("wax+"):
        raise SystemExit(f"importing {name} writes {file}")
    return writing(file, mode, *arguments, **keywords)
builtins.open = io.open = watched
socket.socket.connect = refuse("opens a connection")
subprocess.Popen.__init__ = refuse("starts a process")
for name in names:
    importlib.import_module(name)
assert set(threading.enumerate()) == before, "a thread was started"
"""


def test_importing_does_nothing(tmp_path: Path) -> None:
    """No module writes a file, opens a connection, or starts a process or a thread when it is imported."""
    home = tmp_path / "home"
    environment = {**os.environ, "NEWS_HOME": str(home), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", _IMPORT_ALL], env=environment, cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("module", "heavy"),
    [
        ("pipeline.cli", [*HEAVY, "elasticsearch", "pydantic", "sqlalchemy", "warcio", "lxml", "langdetect"]),
        ("pipeline.schedule", [*HEAVY, "elasticsearch", "sqlalchemy", "warcio", "httpx2", "lxml", "langdetect"]),
        ("pipeline.run", HEAVY),
        ("pipeline.extract", HEAVY),
        ("pipeline.enrich", HEAVY),
        ("pipeline.discover", HEAVY),
    ],
)
def test_heavy_libraries_are_loaded_where_they_are_used(module: str, heavy: list[str]) -> None:
    """`news --help` answers at once and a DAG file is read quickly: nothing big is loaded before it is needed."""
    program = f"import sys, {module}; print(*(name for name in {heavy!r} if name in sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=REPOSITORY)
    assert done.stdout.split() == []


def test_every_module_says_what_it_is() -> None:
    """Each module's first words tell a reader what it is for."""
    silent = [path for path in modules() if not ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))]
    assert silent == []
