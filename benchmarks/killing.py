"""Kills the scheduler, a task's process and Elasticsearch (-9), round after round, and compares the index in the end.

Usage: ``python benchmarks/killing.py [--rounds 10] [--articles 3000] [--seed 1] [--work FOLDER] [--port 8450]``

Thirty papers on loopback addresses publish in each round: articles of their own, near and exact copies of each other's,
print versions, dead links, and corrections of what they published before. After each round two installations take it
in: one by ``news run``, undisturbed; one through a real Airflow (LocalExecutor), where the scheduler, a task and
Elasticsearch are each killed once at a moment drawn at random, and started again. Then both indices must be equal, id
by id and field by field, but for when and by which run an article was read and written, and where its record lies.

Takes about half an hour on two cores. Prints what it did and found; exit code 1 where anything differs.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import logging
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

import psutil
import sqlalchemy as sa
from installation import Installation
from newsworld.server import NewsServer, Reply, Seen

from pipeline import localnode
from pipeline.index.stored import as_list
from pipeline.localairflow import LocalAirflow, environment
from pipeline.localnode import NodeAddress, NodeSettings
from pipeline.reprocess import stored_articles
from pipeline.run import run_now
from pipeline.schedule import BACKFILL_POOL, DAG_ID, POOL, RunRequest
from pipeline.settings import load_settings

PAPERS = 30
KINDS = ("scheduler", "task", "elasticsearch")
BOOKKEEPING = (
    "discovered_at", "first_seen_at", "delay_seconds", "fetched_at", "run", "archive.file", "archive.offset",
    "revisions.at", "@timestamp of articles without a date", "the number of the index",
)  # fmt: skip
"""What may differ: when and by which run an article was read and written, and where its record lies."""


# ------------------------------------------------------------------------------------------------ the world


@dataclass(slots=True)
class Story:
    """An article of a paper; ``published`` and ``modified`` as the page states them, or None."""

    host: str
    path: str
    title: str
    paragraphs: list[str]
    published: str | None
    modified: str | None = None
    dead: bool = False
    url: str = ""

    def page(self) -> bytes:
        head = f"<title>{escape(self.title)}</title>"
        for name, moment in (("published", self.published), ("modified", self.modified)):
            head += f'<meta property="article:{name}_time" content="{moment}">' if moment else ""
        text = "".join(f"<p>{escape(paragraph)}</p>" for paragraph in self.paragraphs)
        return (
            f'<!doctype html><html lang="en"><head><meta charset="utf-8">{head}</head><body><nav><a href="/">Home</a>'
            f"</nav><article><h1>{escape(self.title)}</h1>{text}</article></body></html>"
        ).encode()


class World:
    """Papers that publish some more in each round; what they are is drawn from the seed alone."""

    def __init__(self, server: NewsServer, seed: int) -> None:
        self.server = server
        self.draw = random.Random(seed)
        self.stories: list[Story] = []
        self.listed: dict[str, list[Story]] = {}
        self.made: Counter[str] = Counter()
        self.round = 0
        vocabulary = random.Random(7)
        self.words = [
            "".join(vocabulary.choices("abcdefghilmnoprstuvw", k=vocabulary.randint(3, 9))) for _ in range(9000)
        ]
        for number in range(1, PAPERS + 1):
            host = f"127.0.0.{number}"
            self.listed[host] = []
            server.on("/feed.xml", lambda _, host=host: self._feed(host), host)

    def sources(self) -> str:
        return "\n".join(
            f'[[source]]\nid = "paper{number:02}"\nkind = "feed"\nschedule = "manual"\n'
            f'location = "{self.server.url("/feed.xml", host)}"\n'
            for number, host in enumerate(self.listed, start=1)
        )

    def publish(self, count: int) -> None:
        """A round's news: so many articles, and corrections of a tenth as many older ones."""
        self.round += 1
        for listed in self.listed.values():
            listed.clear()
        old = [story for story in self.stories if not story.dead]
        for number in range(count):
            fate = self.draw.random()
            host = self._host()
            near = self.draw.choice(old[-600:] if old and self.draw.random() < 0.3 else self._of_round() or [None])
            if near is None or fate < 0.68:
                self._add("new", host, number, self._paragraphs())
            elif fate < 0.83:
                self._add("near copies", self._host(but=near.host), number, self._edited(near.paragraphs), like=near)
            elif fate < 0.90:
                self._add("exact copies", self._host(but=near.host), number, near.paragraphs, like=near)
            elif fate < 0.94:
                self._add("print versions", near.host, number, near.paragraphs, like=near, prefix="/print/plain")
            else:
                self._add("dead links", host, number, [], dead=True)
        for number, story in enumerate(self.draw.sample(old, min(len(old), count // 10))):
            story.paragraphs = (
                [*story.paragraphs[:-1], " ".join(self._sentence() for _ in range(3))]
                if number % 4
                else self._paragraphs()  # rewritten: no near copy of what it was
            )
            story.modified = f"2026-03-{self.round:02}T12:{number % 60:02}:00Z"
            self.listed[story.host].append(story)
            self.made["corrections"] += 1

    def _of_round(self) -> list[Story]:
        return [story for listed in self.listed.values() for story in listed if not story.dead]

    def _add(
        self,
        kind: str,
        host: str,
        number: int,
        paragraphs: list[str],
        *,
        like: Story | None = None,
        prefix: str = "/news",
        dead: bool = False,
    ) -> None:
        title = like.title if like else self._sentence()[:70]
        hour, minute = divmod(self.draw.randrange(24 * 60), 60)
        # Every seventh states no date; copies are dated before or after what they are copies of, as it comes.
        published = None if number % 7 == 0 else f"2026-02-{self.round:02}T{hour:02}:{minute:02}:00Z"
        story = Story(host, f"{prefix}/{self.round}-{number}.html", title, list(paragraphs), published, dead=dead)
        story.url = self.server.url(story.path, host)
        self.stories.append(story)
        self.listed[host].append(story)
        self.made[kind] += 1
        if not dead:
            self.server.on(story.path, lambda seen, story=story: self._page(story, seen), host)

    def _page(self, story: Story, seen: Seen) -> Reply:
        body = story.page()
        tag = f'"{hashlib.sha256(body).hexdigest()[:16]}"'
        if seen.headers.get("if-none-match") == tag:
            return Reply(status=304, headers={"etag": tag})
        return Reply(body=body, headers={"etag": tag})

    def _feed(self, host: str) -> Reply:
        entries = "".join(
            f"<entry><id>{story.url}</id><title>{escape(story.title)}</title><link href='{story.url}'/>"
            + (f"<published>{story.published}</published>" if story.published else "")
            + (f"<updated>{story.modified}</updated>" if story.modified else "")
            + "</entry>"
            for story in self.listed[host]
        )
        feed = f'<feed xmlns="http://www.w3.org/2005/Atom"><title>{host}</title>{entries}</feed>'
        return Reply(body=feed.encode(), content_type="application/atom+xml")

    def _host(self, but: str = "") -> str:
        return self.draw.choice([host for host in self.listed if host != but])

    def _sentence(self) -> str:
        return " ".join(self.draw.choices(self.words, k=14)).capitalize() + "."

    def _paragraphs(self) -> list[str]:
        return [" ".join(self._sentence() for _ in range(3)) for _ in range(5)]

    def _edited(self, paragraphs: list[str]) -> list[str]:
        """As another paper makes it: some words replaced, the end cut or a paragraph added."""
        edited = [
            " ".join(self.draw.choice(self.words) if self.draw.random() < 0.02 else word for word in text.split())
            for text in paragraphs
        ]
        return edited[: self.draw.choice((4, 5))] + (
            [" ".join(self._sentence() for _ in range(2))] if self.draw.random() < 0.5 else []
        )


# ----------------------------------------------------------------------------------------- Airflow's parts


class Parts:
    """Airflow's API server, DAG processor and scheduler, each a process of its own that can be killed by itself."""

    def __init__(self, installation: Installation, port: int) -> None:
        settings = load_settings({**installation.environment, "NEWS_AIRFLOW__PORT": str(port)})
        self.home = settings.home / "airflow"
        self.home.mkdir(parents=True, exist_ok=True)
        # Noticed sooner than in production, so that a round takes two minutes and not ten.
        quick = {
            "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD": "10",
            "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "10",
            "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "30",
            "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "5",
            "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "300",
        }
        ours = environment(settings, port=port, scheduled=False)
        self.environment = {
            **{key: value for key, value in ours.items() if not key.startswith(("NEWS_", "ELASTICSEARCH_"))},
            **{key: value for key, value in installation.environment.items() if key.startswith(("NEWS_", "ELASTIC"))},
            "NEWS_SCHEDULED": "false",
            **quick,
        }
        self.log = self.home / "parts.log"
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.sessions: set[int] = set()
        migrate = [sys.executable, "-m", "airflow", "db", "migrate"]
        subprocess.run(migrate, env=self.environment, check=True, cwd=self.home, capture_output=True)
        for part in ("api-server", "dag-processor", "scheduler"):
            self.start(part)
        self.airflow = LocalAirflow(f"http://127.0.0.1:{port}", self.home, self.processes["api-server"], self.log)
        self.airflow.wait_until_healthy(300)
        self.airflow.ensure_pool(POOL, slots=2)
        self.airflow.ensure_pool(BACKFILL_POOL, slots=1)
        self.airflow.wait_for_dag(DAG_ID)

    def start(self, part: str) -> None:
        with self.log.open("ab") as log:
            self.processes[part] = subprocess.Popen(
                [sys.executable, "-m", "airflow", part],
                env=self.environment, cwd=self.home, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True,
            )  # fmt: skip
        self.sessions.add(self.processes[part].pid)

    def tasks(self) -> list[psutil.Process]:
        """The processes that a task runs in right now: a worker of the executor that is busy, and its child."""
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.NoSuchProcess, ProcessLookupError, PermissionError):
                if os.getsid(process.pid) not in self.sessions or process.pid in self.sessions:
                    continue
                title = " ".join(process.cmdline())
                parent = " ".join(process.parent().cmdline()) if process.parent() else ""
                busy = "LocalExecutor" in title and "<idle>" not in title
                if busy or ("LocalExecutor" in parent and "<idle>" not in parent):
                    found.append(process)
        return found

    def kill_scheduler(self, draw: random.Random) -> str:
        process = self.processes["scheduler"]
        with_workers = draw.random() < 0.5
        with contextlib.suppress(ProcessLookupError):
            (os.killpg if with_workers else os.kill)(process.pid, signal.SIGKILL)
        process.wait()
        return "scheduler with its workers" if with_workers else "scheduler alone"

    def kill_task(self, draw: random.Random) -> str | None:
        tasks = self.tasks()
        if not tasks:
            return None
        victim = draw.choice(tasks)
        title = " ".join(victim.cmdline())
        with contextlib.suppress(psutil.NoSuchProcess):
            victim.kill()
        return f"task ({title[:90]})"

    def stop(self) -> None:
        for session in self.sessions:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(session, signal.SIGKILL)
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.NoSuchProcess, ProcessLookupError, PermissionError):
                if os.getsid(process.pid) in self.sessions:
                    process.kill()
        for process in self.processes.values():
            process.wait()


# ------------------------------------------------------------------------------------------- the comparison


def articles(installation: Installation) -> dict[str, dict[str, Any]]:
    """Every article by id without its bookkeeping."""
    services = installation.services()
    services.elasticsearch.indices.refresh(index=installation.prefix, ignore_unavailable=True)
    found: dict[str, dict[str, Any]] = {}
    for document in stored_articles(services.elasticsearch, {"match_all": {}}, ["*"], prefix=installation.prefix):
        id_ = document.pop("_id")
        assert id_ not in found, f"{id_} stands in two indices"
        found[id_] = comparable(document, installation.prefix)
    return found


def comparable(document: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    """A document without what BOOKKEEPING names."""
    kept = {
        key: value
        for key, value in document.items()
        if key not in ("discovered_at", "first_seen_at", "delay_seconds", "fetched_at")
    }
    kept["_index"] = document["_index"].removeprefix(prefix).rpartition("-")[0]
    kept["archive"] = document["archive"]["digest"]
    kept.pop("run")
    if document["timestamp_basis"] == "first_seen":
        kept.pop("@timestamp")
    if "revisions" in kept:
        kept["revisions"] = [
            {key: value for key, value in entry.items() if key != "at"} for entry in as_list(kept["revisions"])
        ]
    return kept


def differences(rough: Mapping[str, Any], calm: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Each article that is not the same in both, with the fields that differ."""
    found = []
    for id_ in sorted({*rough, *calm}):
        ours, theirs = rough.get(id_), calm.get(id_)
        if ours == theirs:
            continue
        fields = {
            key: [(ours or {}).get(key), (theirs or {}).get(key)]
            for key in sorted({*(ours or {}), *(theirs or {})})
            if (ours or {}).get(key) != (theirs or {}).get(key) and key not in ("minhash", "body")
        }
        found.append({"id": id_, "in": "both" if ours and theirs else "killed" if ours else "calm", "fields": fields})
    return found


# ------------------------------------------------------------------------------------------------ the rounds


@dataclass
class Rounds:
    """The whole of it: a world, a node, a calm and a rough installation, and what was killed when."""

    world: World
    node: NodeSettings
    address: NodeAddress
    calm: Installation
    rough: Installation
    parts: Parts
    draw: random.Random
    kills: list[dict[str, Any]] = field(default_factory=list)
    extra_runs: int = 0

    def play(self, count: int) -> list[dict[str, Any]]:
        """One round; how the indices differ after it."""
        self.world.publish(count)
        sources = self.calm.sources()
        request = RunRequest(source_ids=tuple(source.id for source in sources))
        started = time.monotonic()
        report = run_now(self.calm.services(), request, sources, kind="news run")
        assert report["balanced"], report
        assert not report["kept_for_next_run"], report
        calm_seconds = time.monotonic() - started
        started = time.monotonic()
        run_id = self._trigger()
        moments = sorted(self.draw.uniform(-0.1, 1.0) for _ in KINDS)
        kinds = self.draw.sample(KINDS, len(KINDS))
        for moment, kind in zip(moments, kinds, strict=True):
            self._wait_until(run_id, moment)
            self._kill(kind, run_id)
        self._to_the_end(run_id)
        found = differences(articles(self.rough), articles(self.calm))
        say(
            f"round {self.world.round}: {report['discovered']} references, undisturbed {calm_seconds:.0f} s, "
            f"killed {time.monotonic() - started:.0f} s, {len(articles(self.rough))} articles, {len(found)} differ"
        )
        return found

    def _trigger(self) -> str:
        ids = [source.id for source in self.rough.sources()]
        return self.parts.airflow.trigger(DAG_ID, {"sources": ids})

    def progress(self, run_id: str) -> float | None:
        """How far a run is: 0 when it is planned, 1 when every reference has ended; None before it is planned."""
        query = sa.text("SELECT count(*), count(archive_file), count(outcome) FROM work WHERE run_id = :id")
        with sqlite(self.rough.home / "ledger.sqlite") as connection:
            total, archived, ended = connection.execute(query, {"id": f"{DAG_ID}/{run_id}"}).one()
        # What ends without a record counts as both.
        return (max(archived, ended) + ended) / (2 * total) if total else None

    def _is_over(self, run_id: str) -> bool:
        return self.parts.airflow.run_state(DAG_ID, run_id) in ("success", "failed")

    def _wait_until(self, run_id: str, moment: float) -> None:
        if moment >= 0:
            deadline = time.monotonic() + 180
            while (self.progress(run_id) or 0) < moment * 0.97 and time.monotonic() < deadline:
                if self._is_over(run_id):
                    break
                time.sleep(0.1)
        time.sleep(self.draw.uniform(0, 3 if moment < 0 else 1))

    def _kill(self, kind: str, run_id: str) -> None:
        over, progress = self._is_over(run_id), self.progress(run_id)
        match kind:
            case "scheduler":
                said = self.parts.kill_scheduler(self.draw)
                time.sleep(self.draw.uniform(0, 3))
                self.parts.start("scheduler")
            case "task":
                # A task runs most of the time; between two, wait for the next.
                deadline = time.monotonic() + 120
                said = None
                while said is None and time.monotonic() < deadline and not self._is_over(run_id):
                    said = self.parts.kill_task(self.draw) or time.sleep(0.05)
            case _:
                os.kill(self.address.pid, signal.SIGKILL)
                with contextlib.suppress(psutil.NoSuchProcess):
                    psutil.Process(self.address.pid).wait(30)
                time.sleep(self.draw.uniform(0, 3))
                self.address = localnode.start(self.node)
                said = "elasticsearch"
        self.kills.append({"round": self.world.round, "kind": kind, "said": said, "over": over, "progress": progress})
        say(f"  killed {said} at {'-' if progress is None else f'{progress:.0%}'}{' (run over)' if over else ''}")

    def _to_the_end(self, run_id: str) -> None:
        """Until the run, and what it has left over, is done; nobody does anything but start it again."""
        for _ in range(6):
            deadline = time.monotonic() + 900
            while not self._is_over(run_id):
                if time.monotonic() > deadline:
                    raise SystemExit(f"run {run_id} does not end; log: {self.parts.log}")
                time.sleep(0.5)
            record = self.rough.services().ledger.run(f"{DAG_ID}/{run_id}")
            report = record.report if record else None
            state = self.parts.airflow.run_state(DAG_ID, run_id)
            if report is not None and report["balanced"] and not report["kept_for_next_run"] and state == "success":
                return
            say(f"  the run ended as {state}; started again")
            self.extra_runs += 1
            run_id = self._trigger()
        raise SystemExit("six runs in a row left something over")


@contextlib.contextmanager
def sqlite(path: Path) -> Iterator[sa.Connection]:
    engine = sa.create_engine(f"sqlite:///{path}", poolclass=sa.pool.NullPool, connect_args={"timeout": 30})
    with engine.connect() as connection:
        yield connection


def say(line: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {line}", flush=True)


def main() -> int:
    assert __doc__
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--articles", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--work", type=Path)
    parser.add_argument("--port", type=int, default=8450, help="of Airflow")
    parser.add_argument("--node-port", type=int, default=9450, help="of Elasticsearch")
    options = parser.parse_args()
    root = options.work or Path(tempfile.mkdtemp(prefix="killing-"))
    home = root / "node"
    home.mkdir(parents=True)
    if distribution := os.environ.get("TEST_ELASTICSEARCH_HOME") or ".cache/test-node":
        (home / "dist").symlink_to(Path(distribution).resolve() / "dist")
    node = NodeSettings(home=home, port=options.node_port, heap="512m")
    started = time.monotonic()
    for number in (signal.SIGINT, signal.SIGTERM):  # also where a shell started us with SIGINT ignored
        signal.signal(number, lambda *_: sys.exit("stopped"))
    os.environ.setdefault("ES_JAVA_OPTS", "-XX:TieredStopAtLevel=1")  # it is started eleven times and more
    logging.getLogger("pipeline").setLevel(logging.ERROR)  # dead links are warned of one by one
    parts: Parts | None = None
    failed: list[dict[str, Any]] = []
    try:
        address = localnode.start(node)
        with NewsServer([f"127.0.0.{number}" for number in range(1, PAPERS + 1)]) as server:
            world = World(server, options.seed)
            installations = []
            for name in ("calm", "rough"):
                made = Installation(
                    root=root / name, elasticsearch_url=address.url, prefix=name,
                    extra={"NEWS_FETCH__ALLOW_LOOPBACK": "true", "NEWS_FETCH__DELAY_SECONDS": "0"},
                )  # fmt: skip
                made.write_config(
                    sources=world.sources(),
                    settings='[ingest]\nbatch_size = 75\n[index]\nbulk_documents = 15\n[entities]\nmodel = ""\n'
                    "[extract]\nworkers = 1\n",
                )
                assert made.services().ledger  # there before anybody asks it
                installations.append(made)
            calm, rough = installations
            parts = Parts(rough, options.port)
            say(f"Airflow and Elasticsearch are up; seed {options.seed}, load {os.getloadavg()[0]:.1f}")
            rounds = Rounds(world, node, address, calm, rough, parts, random.Random(options.seed))
            for _ in range(options.rounds):
                found = rounds.play(options.articles // options.rounds)
                for difference in found[:20]:
                    print(json.dumps(difference, ensure_ascii=False)[:1500])
                failed += found
            stored = articles(rough)
            summary = {
                "articles": options.articles,
                "made": dict(world.made),
                "stored": len(stored),
                "clusters of several": sum(
                    count > 1 for count in Counter(document["cluster_id"] for document in stored.values()).values()
                ),
                "revised": sum("revision_count" in document for document in stored.values()),
                "duplicates": sum("duplicate_of" in document for document in stored.values()),
                "kills": dict(Counter(kill["kind"] for kill in rounds.kills if kill["said"])),
                "kills while the run went on": sum(not kill["over"] for kill in rounds.kills if kill["said"]),
                "runs started again": rounds.extra_runs,
                "differences": len(failed),
                "minutes": round((time.monotonic() - started) / 60, 1),
                "load": round(os.getloadavg()[0], 1),
                "left out of the comparison": BOOKKEEPING,
            }
            print(json.dumps(summary, indent=2))
    finally:
        if parts is not None:
            parts.stop()
        localnode.stop(node)
        if options.work is None and not failed:
            shutil.rmtree(root, ignore_errors=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
