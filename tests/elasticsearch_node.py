"""A real Elasticsearch for the tests: the embedded node, one for the whole session, with fresh data.

The unpacked distribution is kept between sessions below ``.cache/test-node`` (TEST_ELASTICSEARCH_HOME names another
place); data and logs live in pytest's temporary folder, so several sessions may run at a time.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline import localnode
from pipeline.localnode import NodeAddress, NodeSettings

_REPOSITORY = Path(__file__).resolve().parent.parent
_PREPARE = """
import sys
from pathlib import Path
from pipeline.localnode import LocalNodeError, NodeSettings, prepare
try:
    prepare(NodeSettings(home=Path(sys.argv[1])), say=print)
except LocalNodeError as error:
    sys.exit(str(error))
"""


def node_settings(folder: Path, distribution: Path) -> NodeSettings:
    """Settings of a node with a home of its own in ``folder``, running the shared ``distribution``."""
    home = folder / "elasticsearch"
    home.mkdir(exist_ok=True)
    (home / "dist").symlink_to(distribution)
    return NodeSettings(home=home, port=0, heap="512m")


def start_quickly(settings: NodeSettings) -> NodeAddress:
    """Start a node that gives up peak speed for half the start-up time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ES_JAVA_OPTS", "-XX:TieredStopAtLevel=1")
        return localnode.start(settings)


@pytest.fixture(scope="session")
def elasticsearch_distribution() -> Path:
    """The folder that holds the unpacked Elasticsearch; the first session on a machine downloads it."""
    home = Path(os.environ.get("TEST_ELASTICSEARCH_HOME") or _REPOSITORY / ".cache" / "test-node")
    # In a process of its own, because tests themselves may reach nothing beyond loopback.
    done = subprocess.run(
        [sys.executable, "-c", _PREPARE, home], check=False, cwd=_REPOSITORY, capture_output=True, text=True
    )
    if done.returncode != 0:
        pytest.fail(f"no Elasticsearch to test with: {done.stderr.strip()}", pytrace=False)
    return home / "dist"


@pytest.fixture(scope="session")
def elasticsearch_url(elasticsearch_distribution: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a running Elasticsearch that starts empty. Tests share it: each takes index names of its own."""
    settings = node_settings(tmp_path_factory.mktemp("node"), elasticsearch_distribution)
    try:
        yield start_quickly(settings).url
    finally:
        localnode.stop(settings)
