from __future__ import annotations

import hashlib
import io
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from pipeline.localnode import DiskFullError, NodeDownloadError
from pipeline.localnode.distribution import require_room
from pipeline.localnode.download import MavenFile, fetch


def a_zip() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("elasticsearch-1.0/bin/elasticsearch", b"#!/bin/sh\n" * 5000)
    return buffer.getvalue()


WHOLE = a_zip()
PATH = "/org/example/search/1.0/search-1.0.zip"


class Replica(ThreadingHTTPServer):
    """A Maven repository on loopback that serves ``files`` and cuts off the first ``cuts`` downloads half way."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files: dict[str, bytes] = {PATH: WHOLE}
        self.cuts = 0
        self.downloads = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    server: Replica

    def do_GET(self) -> None:
        body = self.server.files.get(self.path)
        if body is None:
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.path == PATH:
            self.server.downloads += 1
            if self.server.cuts > 0:
                self.server.cuts -= 1
                self.wfile.write(body[: len(body) // 2])
                self.close_connection = True
                return
        self.wfile.write(body)

    def log_message(self, *arguments: object) -> None:
        """Keep quiet."""


@pytest.fixture
def replica() -> Iterator[Replica]:
    with Replica() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


class Machine:
    """Maven's cache of one machine, and what was said to its user."""

    def __init__(self, folder: Path, repository: str) -> None:
        self.cache = folder / "m2"
        self.own_cache = folder / "own"
        self.repository = repository
        self.said: list[str] = []

    @property
    def cached(self) -> Path:
        return self.cache / PATH[1:]

    def fetch(self, sha512: str | None = None) -> Path:
        wanted = MavenFile(group="org.example", artifact="search", version="1.0", packaging="zip", sha512=sha512)
        return fetch(
            wanted,
            say=self.said.append,
            own_cache=self.own_cache,
            repository=self.repository,
            maven_cache=self.cache,
        )

    def everything(self) -> list[str]:
        return sorted(path.name for path in self.cache.rglob("*") if path.is_file())


@pytest.fixture
def machine(tmp_path: Path, replica: Replica) -> Machine:
    return Machine(tmp_path, replica.url)


def test_a_second_home_needs_no_download(machine: Machine, replica: Replica) -> None:
    """What Maven's cache holds is used again, by any NEWS_HOME of the user."""
    assert machine.fetch() == machine.fetch() == machine.cached
    assert machine.cached.read_bytes() == WHOLE
    assert replica.downloads == 1


def test_a_cut_download_is_fetched_again(machine: Machine, replica: Replica) -> None:
    """A connection that breaks half way costs time, not a broken installation."""
    replica.cuts = 1
    assert machine.fetch().read_bytes() == WHOLE
    assert replica.downloads == 2
    assert any("trying again" in line for line in machine.said)


def test_a_download_that_never_comes_whole_leaves_nothing_behind(machine: Machine, replica: Replica) -> None:
    """When every attempt is cut, the user is told, and the next start does not find half a file."""
    replica.cuts = 100
    with pytest.raises(NodeDownloadError, match="could not be downloaded in 3 attempts"):
        machine.fetch()
    assert machine.everything() == []


@pytest.mark.parametrize("known", [True, False], ids=["digest known", "digest unknown"])
@pytest.mark.parametrize("damage", ["cut", "changed"])
def test_a_damaged_file_in_the_cache_is_fetched_again(
    machine: Machine, replica: Replica, damage: str, known: bool
) -> None:
    """A file that another program left half-written or damaged in Maven's cache is detected and replaced."""
    broken = WHOLE[:-2000] if damage == "cut" else WHOLE[:3000] + b"XX" + WHOLE[3002:]
    machine.cached.parent.mkdir(parents=True)
    machine.cached.write_bytes(broken)
    digest = hashlib.sha512(WHOLE).hexdigest() if known else None
    assert machine.fetch(digest).read_bytes() == WHOLE
    assert replica.downloads == 1
    assert "damaged" in machine.said[0]


@pytest.mark.parametrize("algorithm", ["sha1", "sha512"])
def test_a_file_unlike_its_published_checksum_is_refused(machine: Machine, replica: Replica, algorithm: str) -> None:
    """A download that does not match the checksum beside it is never used."""
    replica.files[f"{PATH}.{algorithm}"] = hashlib.new(algorithm, b"something else").hexdigest().encode()
    with pytest.raises(NodeDownloadError, match="checksum"):
        machine.fetch()
    assert machine.everything() == []


def test_a_file_like_its_published_checksum_is_taken(machine: Machine, replica: Replica) -> None:
    """Checksum files in the form "digest, file name" are understood."""
    replica.files[f"{PATH}.sha1"] = f"{hashlib.sha1(WHOLE).hexdigest()}  search-1.0.zip\n".encode()
    assert machine.fetch().read_bytes() == WHOLE


def test_without_network_the_message_says_what_where_and_what_to_do(tmp_path: Path) -> None:
    """A machine without network gets one clear sentence, with the ways around the download."""
    closed = Machine(tmp_path, "http://127.0.0.1:9")
    with pytest.raises(NodeDownloadError) as caught:
        closed.fetch()
    assert f"http://127.0.0.1:9{PATH} can't be reached: Connection refused." == caught.value.message
    assert "ES_HOME" in caught.value.hint
    assert "ELASTICSEARCH_URL" in caught.value.hint


def test_a_version_that_does_not_exist_is_told(machine: Machine, replica: Replica) -> None:
    """A mistyped version ends in a sentence that names the address it was looked for at."""
    replica.files.clear()
    with pytest.raises(NodeDownloadError, match=r"search-1\.0\.zip is not to be had there"):
        machine.fetch()


def test_a_maven_cache_that_cannot_be_made_is_replaced_by_one_below_home(machine: Machine) -> None:
    """A user without a writable home folder can use the node too."""
    machine.cache.write_text("a file where the cache's folder should be")
    assert machine.fetch() == machine.own_cache / PATH[1:]


def test_a_full_disk_is_told_before_anything_is_unpacked(tmp_path: Path) -> None:
    """Too little room is said in a sentence with the folder and the numbers."""
    with pytest.raises(DiskFullError, match=f"{tmp_path} has .* MB free and 1000000000000 MB are needed to unpack"):
        require_room(tmp_path, 10**18, "to unpack")
