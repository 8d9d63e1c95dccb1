"""The Elasticsearch to run: a full distribution of the user's, or the minimal one from Maven's repository."""

from __future__ import annotations

import re
import shutil
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

from pipeline.localnode.download import MavenFile, Say, fetch
from pipeline.localnode.errors import DiskFullError, LocalNodeError

_SHA512 = {
    "9.5.3": "ae57654932de854d755af63f2a63667621967870b79ec449407618075c13dc12"
    "012317388e0a232071e4f2a65c9d973bb681d978fac56445a0790443df0823d1",
}
#: Bytes: the zip, what comes out of it, and room for the node's first logs and data.
_ROOM_FOR_SETUP = 700_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Distribution:
    """An unpacked Elasticsearch. ``ours`` tells whether this package unpacked it and may write into it."""

    home: Path
    version: str
    ours: bool

    def has_module(self, name: str) -> bool:
        """Whether the distribution comes with the module ``name``."""
        return (self.home / "modules" / name).is_dir()

    def jars(self, *names: str) -> list[Path]:
        """The jars of lib/ whose names start with one of ``names``."""
        return [jar for jar in sorted((self.home / "lib").glob("*.jar")) if jar.name.startswith(names)]


def full_distribution(es_home: Path) -> Distribution:
    """The distribution at ``es_home``. Raises LocalNodeError if there is none."""
    versions = [
        found[1]
        for jar in (es_home / "lib").glob("elasticsearch-*.jar")
        if (found := re.fullmatch(r"elasticsearch-(\d+\.\d+\.\d+[^/]*)\.jar", jar.name))
    ]
    if not versions or not (es_home / "bin" / "elasticsearch").is_file():
        raise LocalNodeError(
            f"ES_HOME={es_home} holds no Elasticsearch (no bin/elasticsearch and lib/elasticsearch-*.jar).",
            hint="Set ES_HOME to the folder that the distribution's archive unpacks to, or unset it for the "
            "embedded node.",
        )
    return Distribution(home=es_home, version=versions[0], ours=False)


def embedded_distribution(home: Path, version: str, *, say: Say) -> Distribution:
    """The minimal distribution of ``version``, unpacked below ``home``/dist; fetched first if it isn't there.

    Raises NodeDownloadError or DiskFullError.
    """
    target = home / "dist" / version
    if not target.is_dir():
        require_room(home, _ROOM_FOR_SETUP, "to download and unpack Elasticsearch")
        archive = fetch(
            MavenFile(
                group="org.elasticsearch.distribution.integ-test-zip",
                artifact="elasticsearch",
                version=version,
                packaging="zip",
                sha512=_SHA512.get(version),
            ),
            say=say,
            own_cache=home / "maven",
        )
        say(f"Unpacking Elasticsearch {version}")
        _unpack(archive, target)
    return Distribution(home=target, version=version, ours=True)


def require_room(folder: Path, needed: int, purpose: str) -> None:
    """Raises DiskFullError unless ``needed`` bytes are free where ``folder`` lies."""
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise DiskFullError(
            f"The disk of {folder} has {free / 1e6:.0f} MB free and {needed / 1e6:.0f} MB are needed {purpose}.",
            hint="Make room there, or set NEWS_HOME to a folder on another disk.",
        )


def _unpack(archive: Path, target: Path) -> None:
    parent = target.parent
    parent.mkdir(parents=True, exist_ok=True)
    for left_over in parent.glob(".unpack-*"):  # of a start that was killed
        shutil.rmtree(left_over, ignore_errors=True)
    staging = Path(tempfile.mkdtemp(prefix=".unpack-", dir=parent))
    try:
        with zipfile.ZipFile(archive) as bundle:
            bundle.extractall(staging)
            executable = {info.filename for info in bundle.infolist() if info.external_attr >> 16 & 0o100}
        # Readable for all: as root, the node runs as another user.
        for path in staging.rglob("*"):
            can_run = path.is_dir() or path.relative_to(staging).as_posix() in executable
            path.chmod(0o755 if can_run else 0o644)
        (inside,) = staging.iterdir()
        inside.rename(target)
    except OSError as error:
        raise DiskFullError(
            f"Elasticsearch can't be unpacked to {parent}: {error.strerror}.", hint="Make room there and try again."
        ) from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)
