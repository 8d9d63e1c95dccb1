from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from elasticsearch import Elasticsearch
from elasticsearch_node import node_settings, start_quickly

from pipeline import localnode
from pipeline.localnode import LocalNodeError, NodeSettings, PortBusyError

_START = """
import dataclasses, json, sys
from pathlib import Path
from pipeline.localnode import NodeSettings, start
address = start(NodeSettings(home=Path(sys.argv[1]), port=0, heap="512m"))
print(json.dumps(dataclasses.asdict(address)))
"""


def start_process(settings: NodeSettings) -> subprocess.Popen[str]:
    environment = os.environ | {"ES_JAVA_OPTS": "-XX:TieredStopAtLevel=1"}
    command = [sys.executable, "-c", _START, str(settings.home)]
    repository = Path(localnode.__file__).parents[2]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment, cwd=repository)


@pytest.fixture(scope="module")
def closed_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that only its owner may enter, with a name that is awkward for shell scripts."""
    folder = tmp_path_factory.mktemp("closed") / "Bücher und Nachrichten"
    folder.mkdir(mode=0o700)
    return folder


@pytest.fixture(scope="module")
def settings(closed_folder: Path, elasticsearch_distribution: Path) -> Iterator[NodeSettings]:
    """A node of this file's own, started by the first test that starts it and stopped after the last."""
    settings = node_settings(closed_folder, elasticsearch_distribution)
    yield settings
    localnode.stop(settings)


def test_two_starts_at_once_give_one_node(settings: NodeSettings) -> None:
    """Two commands that need the node at the same time both get it, and there is one."""
    both = [start_process(settings), start_process(settings)]
    addresses = [json.loads(process.communicate()[0]) for process in both]
    assert addresses[0]["url"] == addresses[1]["url"]
    assert addresses[0]["pid"] == addresses[1]["pid"]
    assert sorted(address["started"] for address in addresses) == [False, True]


def test_starting_a_running_node_gives_that_node(settings: NodeSettings) -> None:
    """`start` may be called any number of times, and the node outlives the process that started it."""
    first, second = start_quickly(settings), start_quickly(settings)
    assert first.pid == second.pid
    assert not second.started
    status = localnode.status(settings)
    assert (status.running, status.url, status.pid, status.version) == (True, first.url, first.pid, "9.5.3")
    assert status.health == "green"
    assert status.data_bytes > 0


def test_it_listens_on_loopback_only(settings: NodeSettings) -> None:
    """Nobody on the network reaches the node: neither its HTTP port nor the one for other nodes."""
    address = start_quickly(settings)
    connections = psutil.Process(address.pid).net_connections(kind="tcp")
    listening = {c.laddr.ip.removeprefix("::ffff:") for c in connections if c.status == psutil.CONN_LISTEN}
    assert listening == {"127.0.0.1"}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has to lend the node another user; others run it themselves")
def test_as_root_it_runs_as_another_user_even_in_a_closed_folder(settings: NodeSettings, closed_folder: Path) -> None:
    """Root can use the node with NEWS_HOME below a folder that is closed to everybody else, such as /root."""
    assert closed_folder.stat().st_mode & 0o077 == 0
    process = psutil.Process(start_quickly(settings).pid)
    assert process.uids().real != 0
    assert (settings.home / "data").stat().st_uid == process.uids().real
    assert (settings.home / "dist" / "9.5.3" / "lib").stat().st_uid == 0


def test_killing_it_loses_no_document(settings: NodeSettings) -> None:
    """After `kill -9` the next start finds every acknowledged document, though nothing was put in order."""
    address = start_quickly(settings)
    with Elasticsearch(address.url) as client:
        client.index(index="kept", id="1", document={"headline": "Still here"})
    os.kill(address.pid, signal.SIGKILL)
    while psutil.pid_exists(address.pid) and psutil.Process(address.pid).status() != psutil.STATUS_ZOMBIE:
        time.sleep(0.05)
    assert not localnode.status(settings).running
    again = start_quickly(settings)
    assert again.started
    with Elasticsearch(again.url) as client:
        assert client.get(index="kept", id="1")["_source"] == {"headline": "Still here"}


def test_a_lost_state_file_does_not_lose_the_node(settings: NodeSettings) -> None:
    """A running node is found, and can be stopped, when the file that remembers it was deleted."""
    address = start_quickly(settings)
    (settings.home / "node.json").unlink()
    found = localnode.status(settings)
    assert (found.running, found.pid, found.url) == (True, address.pid, address.url)


def test_its_log_can_be_read(settings: NodeSettings) -> None:
    """`news es logs` has something to show: the node's own log, its last lines last."""
    start_quickly(settings)
    assert any("started" in line for line in localnode.tail(settings, 200))
    assert localnode.tail(settings, 2) == localnode.tail(settings, 200)[-2:]
    assert localnode.log_path(settings).is_file()


def test_stopping_ends_it(settings: NodeSettings) -> None:
    """`stop` returns when the node is gone; a second stop has nothing to do."""
    address = start_quickly(settings)
    assert localnode.stop(settings)
    assert not psutil.pid_exists(address.pid) or psutil.Process(address.pid).status() == psutil.STATUS_ZOMBIE
    assert not localnode.stop(settings)
    assert localnode.status(settings).running is False


def test_a_failed_start_says_why(tmp_path: Path, elasticsearch_distribution: Path) -> None:
    """When Elasticsearch doesn't come up, the user reads its reason and where its log is, not a stack trace."""
    settings = node_settings(tmp_path, elasticsearch_distribution)
    settings = NodeSettings(home=settings.home, port=0, heap="many")
    with pytest.raises(LocalNodeError, match=r"did not start .* Invalid initial heap size: -Xmsmany") as caught:
        localnode.start(settings)
    assert str(settings.home / "start.log") in caught.value.hint


def test_a_port_that_a_killed_node_still_holds_is_waited_for(tmp_path: Path) -> None:
    """Started right after it was killed, a node doesn't fail over the port that its predecessor is about to give up."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        threading.Timer(0.5, taken.close).start()
        with pytest.raises(LocalNodeError, match="holds no Elasticsearch"):  # so it got past the port
            localnode.start(NodeSettings(home=tmp_path / "home", port=port, es_home=tmp_path))


def test_a_busy_port_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If another program has the port, the message names it and the ways out, before anything is downloaded."""
    monkeypatch.setattr("pipeline.localnode.node._PORT_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(PortBusyError, match=f"Port {port} of 127.0.0.1 is taken by another program") as caught:
            localnode.start(NodeSettings(home=tmp_path / "home", port=port))
    assert "NEWS_NODE__PORT" in caught.value.hint


def test_a_busy_port_with_an_elasticsearch_on_it_suggests_using_that(tmp_path: Path, elasticsearch_url: str) -> None:
    """A cluster of the user's that sits on the port already is not an obstacle but an offer."""
    port = int(elasticsearch_url.rpartition(":")[2])
    with pytest.raises(PortBusyError) as caught:
        localnode.start(NodeSettings(home=tmp_path / "home", port=port))
    assert f"ELASTICSEARCH_URL={elasticsearch_url}" in caught.value.hint


def test_a_recycled_process_id_is_left_alone(tmp_path: Path) -> None:
    """A state file from before a reboot never makes `stop` kill a stranger that has the old process id."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as stranger:
        created = psutil.Process(stranger.pid).create_time()
        state = {"pid": stranger.pid, "created": created, "port": 9, "version": "9.5.3"}
        (tmp_path / "node.json").write_text(json.dumps(state))
        assert not localnode.stop(NodeSettings(home=tmp_path))
        assert not localnode.status(NodeSettings(home=tmp_path)).running
        assert stranger.poll() is None
        stranger.communicate(b"\n")


def test_an_es_home_without_elasticsearch_is_named(tmp_path: Path) -> None:
    """A wrong ES_HOME is said in a sentence that names it."""
    with pytest.raises(LocalNodeError, match=f"ES_HOME={tmp_path} holds no Elasticsearch"):
        localnode.start(NodeSettings(home=tmp_path / "home", port=0, es_home=tmp_path))


def test_nothing_is_running_in_a_home_that_does_not_exist(tmp_path: Path) -> None:
    """`status`, `stop` and `logs` work before the first start, and make nothing."""
    settings = NodeSettings(home=tmp_path / "never")
    assert not localnode.status(settings).running
    assert not localnode.stop(settings)
    assert localnode.tail(settings) == []
    assert not settings.home.exists()
