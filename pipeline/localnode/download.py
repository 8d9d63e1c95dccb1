"""Fetches files from a Maven repository, whole or not at all."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import shutil
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from pipeline.localnode.errors import OTHER_WAYS, DiskFullError, NodeDownloadError

MAVEN_CENTRAL = "https://repo.maven.apache.org/maven2"
_ATTEMPTS = 3
_SILENCE_SECONDS = 30  # without a byte for so long, an attempt is given up
_PROGRESS_STEP = 0.25
_LEFT_OVER_SECONDS = 24 * 3600

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class MavenFile:
    """One file in a Maven repository. ``sha512`` is its digest in hex where it is known beforehand."""

    group: str
    artifact: str
    version: str
    packaging: str
    sha512: str | None = None

    def __str__(self) -> str:
        return f"{self.artifact}-{self.version}.{self.packaging}"


def fetch(
    wanted: MavenFile,
    *,
    say: Say,
    own_cache: Path,
    repository: str = MAVEN_CENTRAL,
    maven_cache: Path | None = None,
) -> Path:
    """The path of ``wanted`` in Maven's cache on this machine, downloaded from ``repository`` if it isn't there yet.

    The file is checked against its known digest, else against the one that the repository publishes, else (a zip or
    jar) against the checksums inside it. jgo itself only logs a wrong checksum and leaves what it has of a cut
    download in its cache, so each download goes to a folder of its own and enters the cache by one rename.
    ``own_cache`` takes the place of Maven's cache (M2_REPO, else ~/.m2/repository) where that can't be written.

    Raises NodeDownloadError, or DiskFullError.
    """
    import requests  # with jgo, heavy enough to load only when needed
    from jgo.maven import MavenContext

    cached_context = MavenContext(repo_cache=maven_cache, remote_repos={"central": repository})
    component = cached_context.project(wanted.group, wanted.artifact).at_version(wanted.version)
    cached = component.artifact(packaging=wanted.packaging).cached_path
    assert cached is not None
    if not cached.is_file() and not _can_hold(cached.parent):
        cached = own_cache / cached.relative_to(cached_context.repo_cache)
        cached.parent.mkdir(parents=True, exist_ok=True)
    digest_file = cached.with_name(cached.name + ".sha512")
    if cached.is_file():
        known = wanted.sha512 or (digest_file.read_text("ascii").strip() if digest_file.is_file() else None)
        if _is_whole(cached, sha512=known):
            return cached
        say(f"{cached} is damaged; fetching it again")
        cached.unlink()

    where = f"{repository.rstrip('/')}/{'/'.join(wanted.group.split('.'))}/{wanted.artifact}/{wanted.version}/{wanted}"
    hint = (
        "Check the network (HTTPS_PROXY is honoured) and try again, set ES_HOME to an Elasticsearch "
        f"distribution on this machine, {OTHER_WAYS}."
    )
    for left_over in cached.parent.glob(".news-download-*"):  # of a download that was killed
        if time.time() - left_over.stat().st_mtime > _LEFT_OVER_SECONDS:
            shutil.rmtree(left_over, ignore_errors=True)
    trouble = ""
    for _ in range(_ATTEMPTS):
        staging = Path(tempfile.mkdtemp(prefix=".news-download-", dir=cached.parent))
        try:
            path = _download(wanted, repository=repository, staging=staging, say=say)
            digest = wanted.sha512 or _published_digest(where, path)
            if _is_whole(path, sha512=digest):
                if digest:
                    digest_file.write_text(digest + "\n", "ascii")
                path.replace(cached)
                return cached
            trouble = "what came does not match its checksum"
        except (requests.exceptions.ChunkedEncodingError, requests.exceptions.ContentDecodingError) as error:
            trouble = f"the connection broke off: {error}"
        except requests.exceptions.ReadTimeout:
            trouble = f"no byte came for {_SILENCE_SECONDS} s"
        except requests.RequestException as error:
            raise NodeDownloadError(f"{where} can't be reached: {_innermost(error)}.", hint=hint) from error
        except RuntimeError as error:  # jgo, where the repository answers anything but 200
            raise NodeDownloadError(f"{where} is not to be had there.", hint=hint) from error
        except OSError as error:
            raise DiskFullError(
                f"{cached.parent} can't take the download: {error.strerror}.", hint="Make room there and try again."
            ) from error
        finally:
            shutil.rmtree(staging, ignore_errors=True)
        say(f"{trouble}; trying again")
    raise NodeDownloadError(f"{where} could not be downloaded in {_ATTEMPTS} attempts: {trouble}.", hint=hint)


def _download(wanted: MavenFile, *, repository: str, staging: Path, say: Say) -> Path:
    from jgo.maven import MavenContext
    from jgo.maven._resolver import PythonResolver

    @contextlib.contextmanager
    def progress(name: str, size: int) -> Iterator[Callable[[int], None]]:
        say(f"Downloading {name} ({size / 1e6:.0f} MB)")
        done, told = 0, 0.0

        def update(count: int) -> None:
            nonlocal done, told
            done += count
            if size > 10_000_000 and done / size >= told + _PROGRESS_STEP:
                told = done / size
                say(f"  {told:.0%}")

        yield update

    context = MavenContext(
        resolver=PythonResolver(progress_callback=progress),
        repo_cache=staging,
        remote_repos={"central": repository.rstrip("/")},
        timeout=_SILENCE_SECONDS,
    )
    # jgo warns about a wrong checksum and goes on; the caller does better.
    logging.getLogger("jgo.maven._resolver").addFilter(_no_checksum_warning)
    component = context.project(wanted.group, wanted.artifact).at_version(wanted.version)
    return component.artifact(packaging=wanted.packaging).resolve()


def _no_checksum_warning(record: logging.LogRecord) -> bool:
    return not record.getMessage().startswith("Checksum mismatch")


def _published_digest(where: str, path: Path) -> str | None:
    """The SHA-512 of ``path`` once it agrees with a checksum published beside it; "" if it doesn't; None if none is."""
    import requests

    for algorithm in ("sha512", "sha1"):
        response = requests.get(f"{where}.{algorithm}", timeout=_SILENCE_SECONDS)
        words = response.text.split() if response.status_code == 200 else []
        if words:
            agrees = _digest(path, algorithm) == words[0].lower()
            return _digest(path, "sha512") if agrees else ""
    return None


def _is_whole(path: Path, *, sha512: str | None) -> bool:
    if sha512 is not None:
        return _digest(path, "sha512") == sha512
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.testzip() is None
    except (zipfile.BadZipFile, EOFError):
        return False


def _digest(path: Path, algorithm: str) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, algorithm).hexdigest()


def _can_hold(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return False
    return os.access(folder, os.W_OK | os.X_OK)


def _innermost(error: BaseException) -> str:
    """What the wrapped connection error says at its heart, such as "Name or service not known"."""
    seen = {id(error)}
    while True:
        inner = next((arg for arg in error.args if isinstance(arg, BaseException)), None)
        inner = inner or getattr(error, "reason", None) or error.__cause__ or error.__context__
        if not isinstance(inner, BaseException) or id(inner) in seen:
            break
        seen.add(id(inner))
        error = inner
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
