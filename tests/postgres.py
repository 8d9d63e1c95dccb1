"""A PostgreSQL server of the test's own, from the machine's installation."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


def _programs() -> Path | None:
    """The folder of initdb and postgres: Debian keeps them off the path."""
    found = shutil.which("initdb")
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[4]))
    return Path(found).parent if found else debian[-1].parent if debian else None


@contextmanager
def running_postgres() -> Iterator[str]:
    """A server on loopback; yields the SQLAlchemy URL of an empty database."""
    programs = _programs()
    if programs is None:
        pytest.skip("PostgreSQL is not installed (Debian: apt-get install postgresql)")
    # PostgreSQL refuses to run as root.
    as_user = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"] if os.geteuid() == 0 else []
    folder = Path(tempfile.mkdtemp(prefix="news-postgres-"))
    if as_user:
        shutil.chown(folder, "nobody")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    data = folder / "data"
    control = [*as_user, programs / "pg_ctl", "--pgdata", data, "--wait"]
    options = f"-c listen_addresses=127.0.0.1 -c port={port} -c unix_socket_directories= -c fsync=off"
    try:
        initdb = [*as_user, programs / "initdb", "--pgdata", data, "--auth=trust", "--username=news", "--no-sync"]
        subprocess.run([*initdb, "--encoding=UTF8", "--locale=C"], check=True, capture_output=True, cwd="/")
        start = [*control, "--options", options, "--log", folder / "log", "start"]
        subprocess.run(start, check=True, cwd="/", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        yield f"postgresql+psycopg2://news@127.0.0.1:{port}/postgres"
    finally:
        subprocess.run([*control, "--mode=immediate", "stop"], check=False, cwd="/", capture_output=True)
        shutil.rmtree(folder, ignore_errors=True)
