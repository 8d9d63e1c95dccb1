"""Finds a JDK that Elasticsearch runs on."""

from __future__ import annotations

import glob
import os
import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.localnode.errors import OTHER_WAYS, JdkNotFoundError

MINIMUM_VERSION = 21
#: Elasticsearch's start scripts ask for these; runtimes cut down with jlink lack them.
NEEDED_MODULES = frozenset({"jdk.jlink", "jdk.incubator.vector"})
#: Where installers of JDKs put them, on Linux, macOS and with SDKMAN.
INSTALL_PLACES = (
    "/usr/lib/jvm/*",
    "/usr/java/*",
    "/opt/*",
    "/opt/java/*",
    "/Library/Java/JavaVirtualMachines/*/Contents/Home",
    "/opt/homebrew/opt/openjdk*/libexec/openjdk.jdk/Contents/Home",
    "~/.sdkman/candidates/java/*",
    "~/.jdks/*",
)
_PROBE_SECONDS = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Jdk:
    """A JDK fit for Elasticsearch. ``version`` is its feature version, such as 21 or 25."""

    home: Path
    version: int
    has_javac: bool

    @property
    def java(self) -> Path:
        """The program that runs classes."""
        return self.home / "bin" / "java"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Unfit:
    home: Path
    why: str


def find_jdk(
    java_home: Path | None = None,
    *,
    environment: Mapping[str, str] | None = None,
    install_places: Sequence[str] = INSTALL_PLACES,
) -> Jdk:
    """The first JDK of version 21 or later that has every module Elasticsearch needs.

    Looks at ``java_home`` alone where it is given; else at ES_JAVA_HOME, JAVA_HOME, the ``java`` on PATH and then
    at the JDKs installed on this machine, newest first. One that doesn't fit is passed over.

    Raises JdkNotFoundError that names every Java found and why it doesn't fit.
    """
    environment = os.environ if environment is None else environment
    homes: Iterable[Path] = [java_home] if java_home else _candidates(environment, install_places)
    unfit: list[_Unfit] = []
    seen: set[Path] = set()
    for home in homes:
        real = home.resolve()
        if real in seen:
            continue
        seen.add(real)
        found = _examine(home)
        if isinstance(found, Jdk):
            return found
        unfit.append(found)
    listed = "; ".join(f"{found.home}: {found.why}" for found in unfit) or "no Java was found at all"
    raise JdkNotFoundError(
        f"Elasticsearch needs a JDK {MINIMUM_VERSION} or later, and none here fits ({listed}).",
        hint=f"Install one (for instance the package openjdk-{MINIMUM_VERSION}-jdk or Eclipse Temurin), "
        f"set ES_JAVA_HOME to it if it lies in an unusual place, {OTHER_WAYS}.",
    )


def _candidates(environment: Mapping[str, str], install_places: Sequence[str]) -> Iterator[Path]:
    for name in ("ES_JAVA_HOME", "JAVA_HOME"):
        if value := environment.get(name):
            yield Path(value)
    if on_path := shutil.which("java", path=environment.get("PATH")):
        yield Path(on_path).resolve().parent.parent
    installed: list[Path] = []
    for place in install_places:
        installed += [Path(found) for found in glob.glob(os.path.expanduser(place))]  # noqa: PTH111, PTH207
    fit_to_look_at = [home for home in installed if (home / "bin" / "java").is_file()]
    yield from sorted(fit_to_look_at, key=_version_in_name, reverse=True)


def _version_in_name(home: Path) -> tuple[int, str]:
    numbers = re.findall(r"\d+", str(home))
    return max((int(number) for number in numbers if int(number) < 100), default=0), str(home)


def _examine(home: Path) -> Jdk | _Unfit:
    java = home / "bin" / "java"
    if not java.is_file():
        return _Unfit(home=home, why="has no bin/java")
    try:
        listing = _run(java, "--list-modules")
        modules = {name: version for name, _, version in (line.partition("@") for line in listing.stdout.split())}
        if listing.returncode != 0 or "java.base" not in modules:  # Java 8 does not know the option
            banner = _run(java, "-version")
            named = re.search(r'version "([^"]+)"', banner.stderr + banner.stdout)
            return _Unfit(home=home, why=f"version {named[1]} is too old" if named else "does not run")
    except subprocess.TimeoutExpired:
        return _Unfit(home=home, why="does not answer")
    except OSError as error:
        return _Unfit(home=home, why=f"can't be run ({error.strerror})")
    leading = re.match(r"\d+", modules["java.base"])
    version = int(leading[0]) if leading else 0
    if version < MINIMUM_VERSION:
        return _Unfit(home=home, why=f"version {modules['java.base']} is too old")
    if missing := sorted(NEEDED_MODULES - modules.keys()):
        return _Unfit(home=home, why=f"version {version} is cut down, without {', '.join(missing)}")
    return Jdk(home=home, version=version, has_javac=(home / "bin" / "javac").is_file())


def _run(java: Path, option: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603
        [java, option], check=False, capture_output=True, text=True, errors="replace", timeout=_PROBE_SECONDS
    )
