"""Builds the stable analysis plugin that gives the minimal distribution its language analyzers.

The sources in ``plugin/`` say with ``@NamedComponent`` which names they register; see Elasticsearch's guide
"Creating text analysis plugins with the stable plugin API" for the files that make a plugin.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
import tempfile
import zipfile
from pathlib import Path

from pipeline.localnode.distribution import Distribution
from pipeline.localnode.download import MavenFile, Say, fetch
from pipeline.localnode.errors import LocalNodeError
from pipeline.localnode.jdk import Jdk

NAME = "news-analyzers"
_SOURCES = Path(__file__).with_name("plugin")
_RELEASE = "21"
_ECJ = MavenFile(
    group="org.eclipse.jdt",
    artifact="ecj",
    version="3.46.0",
    packaging="jar",
    sha512="0b2c799e20dbdd074272faf2aed454186f0ad25759c09963350bceea8e9bec0a"
    "d9a04693115401cab6a1c9122b94aba6d79d741eef2e003a4149b2fe00f6f158",
)
_API_JARS = (
    "elasticsearch-plugin-api-",
    "elasticsearch-plugin-analysis-api-",
    "lucene-core-",
    "lucene-analysis-common-",
)
_COMPONENT = re.compile(
    r'@NamedComponent\("(?P<name>\w+)"\)\s+public static final class (?P<class>\w+) implements (?P<interface>\w+)'
)


def install(distribution: Distribution, jdk: Jdk, *, work: Path, own_cache: Path, say: Say) -> bool:
    """Build the plugin into ``distribution`` unless the one there comes from the same sources; True if built.

    Compiles with the JDK's javac, else with the Eclipse compiler (fetched once) run by its java. ``work`` is a
    folder on the distribution's disk for what is in the making.

    Raises LocalNodeError if the sources don't compile, NodeDownloadError.
    """
    sources = {path.name: path.read_text("utf-8") for path in sorted(_SOURCES.glob("*.java"))}
    stamp = _stamp(sources, distribution)
    installed = distribution.home / "plugins" / NAME
    descriptor = installed / "stable-plugin-descriptor.properties"
    if descriptor.is_file() and descriptor.read_text("utf-8").startswith(f"# {stamp}\n"):
        return False
    say("Building the language analyzers")
    staging = Path(tempfile.mkdtemp(prefix="plugin-", dir=work))
    try:
        classes = staging / "classes"
        _compile(distribution, jdk, classes, own_cache=own_cache, say=say)
        plugin = staging / NAME
        plugin.mkdir()
        with zipfile.ZipFile(plugin / f"{NAME}.jar", "w", zipfile.ZIP_DEFLATED) as jar:
            for path in sorted(classes.rglob("*.class")):
                jar.write(path, path.relative_to(classes).as_posix())
        (plugin / "named_components.json").write_text(json.dumps(named_components(sources), indent=1), "utf-8")
        (plugin / descriptor.name).write_text(
            f"# {stamp}\n"
            f"name={NAME}\n"
            "description=Language analyzers under Elasticsearch's built-in names\n"
            "version=1.0\n"
            f"elasticsearch.version={distribution.version}\n"
            f"java.version={_RELEASE}\n",
            "utf-8",
        )
        for path in (plugin, *plugin.iterdir()):
            path.chmod(0o755 if path.is_dir() else 0o644)
        shutil.rmtree(installed, ignore_errors=True)
        plugin.rename(installed)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return True


def named_components(sources: dict[str, str]) -> dict[str, dict[str, str]]:
    """What the Java ``sources`` (file name to text) register: interface to (registered name to class)."""
    found: dict[str, dict[str, str]] = {}
    for file_name, text in sources.items():
        for component in _COMPONENT.finditer(text):
            interface = f"org.elasticsearch.plugin.analysis.{component['interface']}"
            outer = file_name.removesuffix(".java")
            found.setdefault(interface, {})[component["name"]] = f"news.analysis.{outer}${component['class']}"
    return found


def _stamp(sources: dict[str, str], distribution: Distribution) -> str:
    everything = json.dumps([sources, distribution.version, Path(__file__).read_text("utf-8")])
    return hashlib.sha256(everything.encode()).hexdigest()


def _compile(distribution: Distribution, jdk: Jdk, classes: Path, *, own_cache: Path, say: Say) -> None:
    class_path = ":".join(str(jar) for jar in distribution.jars(*_API_JARS))
    if jdk.has_javac:
        compiler = [str(jdk.home / "bin" / "javac"), "--release", _RELEASE]
    else:
        ecj = fetch(_ECJ, say=say, own_cache=own_cache)
        compiler = [str(jdk.java), "-jar", str(ecj), f"-{_RELEASE}"]
    command = [*compiler, "-encoding", "UTF-8", "-cp", class_path, "-d", str(classes)]
    command += [str(path) for path in sorted(_SOURCES.glob("*.java"))]
    done = subprocess.run(command, check=False, capture_output=True, text=True, errors="replace")  # noqa: S603
    if done.returncode != 0:
        lines = (done.stderr or done.stdout).strip().splitlines()
        raise LocalNodeError(
            f"The language analyzers do not compile with {compiler[0]}: {lines[0] if lines else 'no output'}",
            hint="Set ES_JAVA_HOME to a complete JDK, or ES_HOME to a full Elasticsearch distribution.",
        )
