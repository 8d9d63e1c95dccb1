"""Starts, finds and stops the embedded Elasticsearch node.

Everything of the node lies below its home: ``dist/`` (the unpacked distribution), ``config/`` (written at each start),
``data/``, ``logs/``, ``run/`` and ``tmp/``; beside them ``node.json`` (which process it is) and ``start.log`` (what
the last start printed). The node listens on 127.0.0.1 only and outlives the process that started it. Where root
starts it, it runs as another user, who can write only into the folders ``config`` to ``tmp``.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil
from filelock import FileLock, Timeout

from pipeline.localnode import analysis_plugin
from pipeline.localnode.account import Account, node_account
from pipeline.localnode.distribution import Distribution, embedded_distribution, full_distribution, require_room
from pipeline.localnode.errors import (
    OTHER_WAYS,
    DiskFullError,
    LocalNodeError,
    NodeStartError,
    PortBusyError,
)
from pipeline.localnode.jdk import Jdk, find_jdk

HOST = "127.0.0.1"
_SERVER_CLASS = "org.elasticsearch.server/org.elasticsearch.bootstrap.Elasticsearch"
_SETUP_SECONDS = 600.0  # another process may be downloading
_STOP_SECONDS = 30.0
_KILL_SECONDS = 10.0
_SHARDS_SECONDS = 60
_PORT_SECONDS = 5.0
#: Free bytes below which Elasticsearch sets its indices read-only ("flood stage"), and those below which it warns.
#: Absolute, because Elasticsearch's own limits are shares of the disk and call a big disk full that has plenty left.
_FLOOD_STAGE, _HIGH, _LOW = 200_000_000, 400_000_000, 600_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeSettings:
    """Where and how the node runs.

    ``port`` 0 takes any free one. ``es_home`` is a full distribution to run instead of
    the minimal one of ``version``. ``java_home`` stands above every other way to find a JDK.
    """

    home: Path
    version: str = "9.5.3"
    port: int = 0
    heap: str = "1g"
    es_home: Path | None = None
    java_home: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeAddress:
    """A node that answers. ``started`` is False if it was running already."""

    url: str
    pid: int
    started: bool
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeStatus:
    """What is known of the node. ``health`` is Elasticsearch's word (green, yellow, red), None if it doesn't answer;
    ``problem`` says in a sentence what needs attention."""

    running: bool
    url: str | None = None
    pid: int | None = None
    version: str | None = None
    data_bytes: int = 0
    health: str | None = None
    problem: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Running:
    """The state file. ``created`` (seconds since 1970) tells the process from a later one with the same id."""

    pid: int
    created: float
    port: int
    version: str

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"


def _silent(line: str) -> None:
    """Say nothing."""


def start(settings: NodeSettings, *, wait_seconds: float = 120, say: Callable[[str], None] = _silent) -> NodeAddress:
    """Start the node of ``settings.home`` unless it runs already, and return once it answers.

    At the first start it downloads and unpacks Elasticsearch and builds its language analyzers; ``say`` is told how
    that goes, a line at a time. ``wait_seconds`` is how long Elasticsearch itself may take to come up.

    Raises a LocalNodeError: JdkNotFoundError, NodeDownloadError, DiskFullError, PortBusyError, NodeStartError.
    """
    home = settings.home.resolve()
    with _lock(home, _SETUP_SECONDS + wait_seconds):
        if running := _find_running(home):
            _wait_until_ready(running, home, wait_seconds, say=say)
            return NodeAddress(url=running.url, pid=running.pid, started=False, version=running.version)
        port = _usable_port(settings.port)
        distribution, jdk = _set_up(home, settings, say)
        require_room(home, _FLOOD_STAGE, "to run Elasticsearch (with less it refuses to write)")
        shutil.rmtree(home / "config", ignore_errors=True)
        for name in ("config", "data", "logs", "run", "tmp"):
            (home / name).mkdir(exist_ok=True)
        _write_config(home, settings, distribution, port)
        programs = [distribution.home / "bin" / "elasticsearch", distribution.home / "lib"]
        account = node_account(home / "data", readable=[*programs, *([jdk.java] if jdk else [])])
        for name in ("config", "logs", "run", "tmp"):
            account.own(home / name)
        say(f"Starting Elasticsearch {distribution.version} on {HOST}:{port}")
        running = _launch(home, distribution, jdk, account, port, wait_seconds)
        _wait_until_ready(running, home, wait_seconds, say=say)
        return NodeAddress(url=running.url, pid=running.pid, started=True, version=running.version)


def prepare(settings: NodeSettings, *, say: Callable[[str], None] = _silent) -> None:
    """Do what the first ``start`` does before it starts anything: find Java, download, unpack, build the analyzers.

    Raises JdkNotFoundError, NodeDownloadError or DiskFullError.
    """
    home = settings.home.resolve()
    with _lock(home, _SETUP_SECONDS):
        _set_up(home, settings, say)


def stop(settings: NodeSettings) -> bool:
    """Stop the node of ``settings.home``; False if none was running.

    It is asked to (SIGTERM), and killed if it takes longer than half a minute; either way no document that was
    acknowledged is lost.

    Raises LocalNodeError if it can't be stopped.
    """
    home = settings.home.resolve()
    if not home.is_dir():
        return False
    with _lock(home, _STOP_SECONDS + _KILL_SECONDS):
        running = _find_running(home)
        if running is None:
            return False
        try:
            os.kill(running.pid, signal.SIGTERM)
            if not _gone(running.pid, _STOP_SECONDS):
                os.kill(running.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        except PermissionError as error:
            raise LocalNodeError(
                f"The node of {home} (process {running.pid}) belongs to another user.",
                hint="Stop it as the user who started it.",
            ) from error
        if not _gone(running.pid, _KILL_SECONDS):
            raise LocalNodeError(
                f"The node of {home} (process {running.pid}) does not end.",
                hint="Look at its disk and at the kernel log.",
            )
        _state_file(home).unlink(missing_ok=True)
        return True


def status(settings: NodeSettings) -> NodeStatus:
    """What the node of ``settings.home`` is doing now. Changes nothing."""
    home = settings.home.resolve()
    data_bytes = _size(home / "data")
    problem = None
    if home.is_dir() and (free := shutil.disk_usage(home).free) < _LOW:
        problem = (
            f"the disk of {home} has {free / 1e6:.0f} MB free; Elasticsearch stops placing shards below "
            f"{_HIGH / 1e6:.0f} MB and refuses to write below {_FLOOD_STAGE / 1e6:.0f} MB"
        )
    running = _find_running(home) if home.is_dir() else None
    if running is None:
        return NodeStatus(running=False, data_bytes=data_bytes, problem=problem)
    health = _health(running.url, timeout=5)
    if health is None:
        problem = problem or "the process runs but does not answer; it may still be starting"
    elif health == "red":
        problem = problem or "health is red: some documents can't be reached"
    return NodeStatus(
        running=True,
        url=running.url,
        pid=running.pid,
        version=running.version,
        data_bytes=data_bytes,
        health=health,
        problem=problem,
    )


def log_path(settings: NodeSettings) -> Path:
    """The node's log file (there once it has been started)."""
    return settings.home.resolve() / "logs" / "news.log"


def tail(settings: NodeSettings, lines: int = 50) -> list[str]:
    """The last ``lines`` lines of the node's log, oldest first; none if there is no log yet."""
    path = log_path(settings)
    if not path.is_file():
        return []
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - lines * 2000))
        return file.read().decode("utf-8", "replace").splitlines()[-lines:]


# Which process


def _state_file(home: Path) -> Path:
    return home / "node.json"


def _marker(home: Path) -> str:
    return f"-Dnews.home={home}"


def _find_running(home: Path) -> _Running | None:
    """The node process of ``home``: from the state file, else (it was lost) from the process list."""
    try:
        state = _Running(**json.loads(_state_file(home).read_text("utf-8")))
    except (OSError, ValueError, TypeError):
        state = None
    if state and _is_node(state.pid, home, created=state.created):
        return state
    for process in psutil.process_iter():
        if _is_node(process.pid, home):
            with contextlib.suppress(OSError, psutil.NoSuchProcess):
                config = (home / "config" / "elasticsearch.yml").read_text("utf-8")
                created = process.create_time()
                if found := re.search(r"^# Elasticsearch (\S+);.*^http\.port: (\d+)", config, re.MULTILINE | re.DOTALL):
                    return _Running(pid=process.pid, created=created, port=int(found[2]), version=found[1])
    return None


def _is_node(pid: int, home: Path, *, created: float | None = None) -> bool:
    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return False
        command = process.cmdline()
        # The JVM that serves; not the launcher, which has the marker nowhere, nor the JVM it asks about options.
        return _marker(home) in command and _SERVER_CLASS in command
    except psutil.AccessDenied:  # another user's process, where the system hides what it was started with
        return created is not None and abs(process.create_time() - created) < 2
    except psutil.NoSuchProcess:
        return False


def _gone(pid: int, seconds: float) -> bool:
    """Whether process ``pid`` ends within ``seconds``."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
                return True
        except psutil.NoSuchProcess:
            return True
        time.sleep(0.1)
    return False


@contextlib.contextmanager
def _lock(home: Path, wait_seconds: float) -> Iterator[None]:
    """One start or stop of a home at a time, over all processes; also turns what the disk says into sentences."""
    try:
        home.mkdir(parents=True, exist_ok=True)
        with FileLock(home / "node.lock", timeout=wait_seconds):
            yield
    except Timeout as error:
        raise LocalNodeError(
            f"Another start or stop of the node of {home} has been going on for {wait_seconds:.0f} s.",
            hint="Wait for it, or end it.",
        ) from error
    except OSError as error:
        where = error.filename or home
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DiskFullError(f"The disk of {where} is full.", hint="Make room there and try again.") from error
        raise LocalNodeError(
            f"{where} can't be used: {error.strerror or error}.",
            hint="Run this as the user who owns NEWS_HOME, or set NEWS_HOME to a folder of your own.",
        ) from error


# Ports and answers


_USUAL_PORT = 9200


def usual_port() -> int:
    """9200 where that is free, else 0: what to ask for when the user has no wish."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, _USUAL_PORT))
        except OSError:
            return 0  # another installation's node, most likely
    return _USUAL_PORT


def _usable_port(port: int) -> int:
    """The port, or the one that 0 stands for. One that is taken by nobody who answers is waited for a little."""
    until = time.monotonic() + _PORT_SECONDS
    while True:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
            except OSError as error:
                answers = _health(f"http://{HOST}:{port}", timeout=2) is not None
                if answers or time.monotonic() > until:
                    raise _port_busy(port, answers) from error
            else:
                return int(probe.getsockname()[1])
        # A node that was killed holds its port until the last of its threads is gone.
        time.sleep(0.1)


def _port_busy(port: int, answers: bool) -> PortBusyError:
    who = "an Elasticsearch that is not this home's" if answers else "another program"
    return PortBusyError(
        f"Port {port} of {HOST} is taken by {who}.",
        hint="Set NEWS_NODE__PORT to another port (0 takes any free one), "
        + (f"or ELASTICSEARCH_URL=http://{HOST}:{port} to use that one." if answers else "or end that program."),
    )


def _get(url: str, *, timeout: float) -> dict[str, Any] | None:
    # No proxy, whatever the environment says: the node is on loopback.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=timeout) as response:
            answer = json.load(response)
    except urllib.error.HTTPError as error:  # 408 carries the health as well: it got no better in time
        with contextlib.suppress(ValueError, OSError):
            answer = json.load(error)
            return answer if isinstance(answer, dict) else None
        return None
    except (OSError, ValueError):
        return None
    return answer if isinstance(answer, dict) else None


def _health(url: str, *, timeout: float) -> str | None:
    answer = _get(f"{url}/_cluster/health", timeout=timeout)
    word = answer.get("status") if answer else None
    return word if isinstance(word, str) else None


def _wait_until_ready(running: _Running, home: Path, wait_seconds: float, *, say: Callable[[str], None]) -> None:
    """Until the node answers and every primary shard is up (or has had its time: a lost one never comes up)."""
    until = time.monotonic() + wait_seconds
    url = running.url
    while _health(url, timeout=5) is None:
        if time.monotonic() > until or not psutil.pid_exists(running.pid):
            raise NodeStartError(
                f"The node at {url} (process {running.pid}) does not answer, or ended while it was waited for.",
                hint=f"See {home / 'logs' / 'news.log'}, stop it and start it again, {OTHER_WAYS}.",
            )
        time.sleep(0.25)
    seconds = max(1, min(_SHARDS_SECONDS, int(until - time.monotonic())))
    query = f"{url}/_cluster/health?wait_for_status=yellow&timeout={seconds}s"
    answer = _get(query, timeout=seconds + 5)
    if not answer or answer.get("status") == "red":
        say("The node answers, but some of its documents can't be reached yet (health is red).")


# Set-up, configuration and launch


def _set_up(home: Path, settings: NodeSettings, say: Callable[[str], None]) -> tuple[Distribution, Jdk | None]:
    """The distribution, complete with its analyzers, and the JDK to run it on (None: the one it comes with)."""
    if settings.es_home:
        distribution = full_distribution(settings.es_home)
        return distribution, None if _brings_java(distribution, settings) else find_jdk(settings.java_home)
    jdk = find_jdk(settings.java_home)  # before the download: without it that is for nothing
    distribution = embedded_distribution(home, settings.version, say=say)
    analysis_plugin.install(distribution, jdk, work=home / "dist", own_cache=home / "maven", say=say)
    return distribution, jdk


def _brings_java(distribution: Distribution, settings: NodeSettings) -> bool:
    """Full distributions bundle a JDK, which they prefer when ES_JAVA_HOME isn't set."""
    bundled = [distribution.home / "jdk" / "bin" / "java", distribution.home / "jdk.app/Contents/Home/bin/java"]
    return settings.java_home is None and any(java.is_file() for java in bundled)


def _write_config(home: Path, settings: NodeSettings, distribution: Distribution, port: int) -> None:
    config = home / "config"
    values: dict[str, object] = {
        "cluster.name": "news",
        "node.name": "news",
        "discovery.type": "single-node",
        "network.host": HOST,
        "http.port": port,
        "transport.port": 0,
        "path.data": str(home / "data"),
        "path.logs": str(home / "logs"),
        # Nobody beyond this machine reaches it, and a password in a file would protect from nobody on it.
        "xpack.security.enabled": False,
        "cluster.routing.allocation.disk.watermark.low": f"{_LOW}b",
        "cluster.routing.allocation.disk.watermark.high": f"{_HIGH}b",
        "cluster.routing.allocation.disk.watermark.flood_stage": f"{_FLOOD_STAGE}b",
    }
    # A node refuses to start over a setting of a module that it doesn't have.
    if distribution.has_module("ingest-geoip"):
        values["ingest.geoip.downloader.enabled"] = False
    if distribution.has_module("x-pack-ml"):
        values["xpack.ml.enabled"] = False
    lines = [f"{name}: {json.dumps(value, ensure_ascii=False)}" for name, value in values.items()]
    header = f"# Elasticsearch {distribution.version}; written at each start"
    (config / "elasticsearch.yml").write_text("\n".join([header, *lines, ""]), "utf-8")
    (config / "jvm.options").write_text(_jvm_options(home, settings, distribution), "utf-8")
    (config / "log4j2.properties").write_text(_LOGGING, "utf-8")
    for name in ("users", "users_roles", "roles.yml", "role_mapping.yml"):
        (config / name).touch()
    (config / "jvm.options.d").mkdir(exist_ok=True)


def _jvm_options(home: Path, settings: NodeSettings, distribution: Distribution) -> str:
    """The distribution's own options, less those that write beside it, and ours."""
    try:
        theirs = (distribution.home / "config" / "jvm.options").read_text("utf-8").splitlines()
    except OSError:  # packages keep it elsewhere and closed
        theirs = ["-XX:+UseG1GC", "-Djava.io.tmpdir=${ES_TMPDIR}", "20-:--add-modules=jdk.incubator.vector"]
    writing = ("-Xlog:", "-XX:ErrorFile", "-XX:HeapDumpPath", "-XX:+HeapDumpOnOutOfMemoryError", "-Xms", "-Xmx")
    kept = [
        line for line in theirs if line.strip() and not line.startswith("#") and not any(w in line for w in writing)
    ]
    ours = [
        f"-Xms{settings.heap}",
        f"-Xmx{settings.heap}",
        "-XX:-AlwaysPreTouch",  # take memory as it is needed
        f"-XX:ErrorFile={home}/logs/hs_err_pid%p.log",
        f"-XX:ReplayDataFile={home}/logs/replay_pid%p.log",
        _marker(home),
    ]
    return "\n".join([*kept, *ours, ""])


#: Everything into one log file, rolled over so that it never takes more than 100 MB; errors at start also to the
#: console, which ``start`` reads.
_LOGGING = """\
status = error
appender.console.type = Console
appender.console.name = console
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = [%d{ISO8601}][%-5p][%c{1.}] %m%n%ex{full}
appender.file.type = RollingFile
appender.file.name = file
appender.file.fileName = ${sys:es.logs.base_path}/${sys:es.logs.cluster_name}.log
appender.file.filePattern = ${sys:es.logs.base_path}/${sys:es.logs.cluster_name}-%i.log.gz
appender.file.layout.type = PatternLayout
appender.file.layout.pattern = [%d{ISO8601}][%-5p][%c{1.}] %m%n
appender.file.policies.type = Policies
appender.file.policies.size.type = SizeBasedTriggeringPolicy
appender.file.policies.size.size = 25MB
appender.file.strategy.type = DefaultRolloverStrategy
appender.file.strategy.max = 4
rootLogger.level = info
rootLogger.appenderRef.console.ref = console
rootLogger.appenderRef.file.ref = file
logger.entitlements.name = org.elasticsearch.entitlement.runtime.policy.PolicyManager
logger.entitlements.level = error
"""


def _launch(
    home: Path, distribution: Distribution, jdk: Jdk | None, account: Account, port: int, wait_seconds: float
) -> _Running:
    pid_file = home / "run" / "elasticsearch.pid"
    pid_file.unlink(missing_ok=True)
    console_path = home / "start.log"
    environment = {
        "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
        "HOME": str(home / "tmp"),
        "LC_ALL": "C.UTF-8",  # file names beyond ASCII
        "ES_PATH_CONF": str(home / "config"),
        "ES_TMPDIR": str(home / "tmp"),
        "CLI_JAVA_OPTS": "-XX:TieredStopAtLevel=1",  # two short-lived JVMs come before the one that serves
    }
    if jdk:
        environment["ES_JAVA_HOME"] = str(jdk.home)
    if options := os.environ.get("ES_JAVA_OPTS"):
        environment["ES_JAVA_OPTS"] = options
    # Elasticsearch's -d returns once the node is up, or with the exit status of a failed start.
    command = account.command([distribution.home / "bin" / "elasticsearch", "-d", "-p", pid_file])
    with console_path.open("wb") as console:
        process = subprocess.Popen(  # noqa: S603
            command,
            stdin=subprocess.DEVNULL,
            stdout=console,
            stderr=subprocess.STDOUT,
            env=environment,
            cwd=home / "logs",
            start_new_session=True,
            **account.identity,
        )
    try:
        exit_status = process.wait(timeout=wait_seconds)
    except subprocess.TimeoutExpired as error:
        _kill_session(process)
        raise NodeStartError(
            f"Elasticsearch did not come up within {wait_seconds:.0f} s: {_why(console_path)}",
            hint=f"See {console_path}; give it more time or a faster disk, {OTHER_WAYS}.",
        ) from error
    except BaseException:  # the user's Ctrl-C reaches us only: the node has a session of its own
        _kill_session(process)
        raise
    pid_text = pid_file.read_text("ascii").strip() if exit_status == 0 and pid_file.is_file() else ""
    if not pid_text.isdigit() or not psutil.pid_exists(int(pid_text)):
        raise NodeStartError(
            f"Elasticsearch did not start (exit status {exit_status}): {_why(console_path)}",
            hint=f"See {console_path} and {home / 'logs' / 'news.log'}, {OTHER_WAYS}.",
        )
    running = _Running(
        pid=int(pid_text), created=psutil.Process(int(pid_text)).create_time(), port=port, version=distribution.version
    )
    state = _state_file(home)
    staged = state.with_suffix(".new")
    staged.write_text(json.dumps(asdict(running)), "utf-8")
    staged.replace(state)
    return running


def _kill_session(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _why(console_path: Path) -> str:
    """The line of a failed start's output that says most."""
    text = console_path.read_text("utf-8", "replace")
    if "failed to obtain node lock" in text:
        return "another Elasticsearch holds its data folder."
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.lstrip().startswith("at ")]
    general = ("A fatal exception has occurred", "Could not create the Java Virtual Machine")
    telling = [
        line
        for line in lines
        if re.search(r"Exception: |Error: |^Invalid |Error occurred|fatal|OutOfMemory", line)
        and not any(phrase in line for phrase in general)
    ]
    causes = [line for line in telling if line.startswith("Caused by:")]
    line = (causes or telling or lines or ["no output"])[-1]
    return re.sub(r"^(Caused by: )?([\w$]+\.)+([\w$]+): ", "", line)[:500].rstrip(".") + "."


def _size(folder: Path) -> int:
    total = 0
    for parent, _, files in os.walk(folder):
        for name in files:
            with contextlib.suppress(OSError):
                total += Path(parent, name).lstat().st_size
    return total
