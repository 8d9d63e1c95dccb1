"""Pages per second through the whole pipeline and its extraction alone, next to trafilatura and news-please.

    python -m benchmarks.throughput FOLDER [--pages 2000] [--cores 1 2] [--entities en_news_sm] [--json]
    python -m benchmarks.throughput FOLDER --pages 520 --cores
    python -m benchmarks.throughput FOLDER --long [--pages 20000]

FOLDER holds saved pages (.html, .html.gz), anywhere below; where they are fewer than ``--pages``, variations of them
are made (benchmarks/varied_pages.py). Each round ingests them with ``news ingest`` into an installation of its own:
archive, extract, enrich, index into its embedded node, which is started before and stopped after. A round on one core
is held on one core (Linux), node and all; it extracts in one process, on two cores in two.

CPU time counts the command, its workers and the node: on a machine shared with others it is what can be compared.
Compare figures of one run with each other only. ``--cores`` without a number leaves the whole pipeline out. ``--long``
runs one round of it on all cores and shows how memory went.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from benchmarks.varied_pages import pages_below, write_pages

_NEWS = Path(sys.executable).parent / "news"
_NEWS_PLEASE = "news-please==1.6.16"
_STAGES = ("fetch", "archive", "extract", "enrich", "index")

_ALONE = """
import gzip, json, logging, resource, sys, time
from pathlib import Path
logging.disable(logging.CRITICAL)
if sys.argv[1] == "trafilatura":
    import langdetect
    from trafilatura import bare_extraction
    langdetect.DetectorFactory.seed = 0
    def read(body):
        document = bare_extraction(body, with_metadata=True)
        if document is None or not document.text:
            return False
        try:
            langdetect.detect(document.text)
        except langdetect.LangDetectException:
            pass
        return True
elif sys.argv[1] == "ours":
    from datetime import UTC, datetime
    from pipeline.enrich.language import detect
    from pipeline.errors import ArticleError
    from pipeline.extract import extract
    from pipeline.models import ArticleRef, RawPage
    from pipeline.settings import ExtractSettings, LanguageSettings
    ref, now = ArticleRef(source_id="bench", path="page.html"), datetime.now(UTC)
    how, language = ExtractSettings(), LanguageSettings()
    def read(body):
        page = RawPage(ref=ref, url=None, final_url=None, media_type="text/html", body=body, fetched_at=now)
        try:
            article = extract(page, settings=how)
        except ArticleError:
            return False
        detect(article.body, headline=article.headline, stated=(("page", article.stated_language),), settings=language)
        return True
else:
    from newsplease import NewsPlease
    def read(body):
        article = NewsPlease.from_html(body.decode("utf-8", "replace"), url="https://example.org/", fetch_images=False)
        return bool(article and article.maintext)
paths = [Path(line) for line in sys.stdin.read().splitlines()]
read(gzip.decompress(paths[0].read_bytes()))
started, cpu, found, errors, slowest = time.perf_counter(), time.process_time(), 0, 0, (0.0, "")
for path in paths:
    before = time.process_time()
    try:
        found += read(gzip.decompress(path.read_bytes()))
    except Exception:
        errors += 1
    slowest = max(slowest, (time.process_time() - before, path.name.partition(".")[0]))
print(json.dumps({
    "seconds": time.perf_counter() - started, "cpu_seconds": time.process_time() - cpu, "articles": found,
    "errors": errors, "slowest": slowest,
    "memory": {"highest": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024},
}))
"""


@dataclass
class Memory:
    """Resident memory of a command, its workers and a node, looked at again and again; in bytes."""

    samples: list[tuple[float, int, int, int, int]] = field(default_factory=list)
    """Seconds, the command, its largest worker, all its processes, the node."""

    def highest(self) -> dict[str, int]:
        """The highest of each; ``highest`` is the command with all its workers."""
        names = ("command", "worker", "highest", "node")
        return {
            name: int(max((sample[place] for sample in self.samples), default=0)) for place, name in enumerate(names, 1)
        }

    def watch(self, command: psutil.Process, node: psutil.Process | None, started: float) -> None:
        """Take one sample."""
        with suppress(psutil.Error):
            own = command.memory_info().rss
            workers = []
            for child in command.children(recursive=True):
                with suppress(psutil.Error):
                    workers.append(child.memory_info().rss)
            of_node = node.memory_info().rss if node else 0
            now = time.perf_counter() - started
            self.samples.append((now, own, max(workers, default=0), own + sum(workers), of_node))


def _held_on(cores: int) -> Callable[[], None] | None:
    if not hasattr(os, "sched_setaffinity") or cores >= len(os.sched_getaffinity(0)):
        return None
    some = sorted(os.sched_getaffinity(0))[:cores]
    return lambda: os.sched_setaffinity(0, some)


def alone(pages: Sequence[Path], library: str) -> dict[str, Any] | None:
    """A library on the pages, one after the other in one process; None where it can't be installed.

    The first page is read once before, as it loads what all others use; unpacking is counted.
    """
    python: list[str] = [sys.executable]
    if library == "news-please":
        uv = shutil.which("uv") or next((str(path) for path in [Path(".uv/bin/uv")] if path.is_file()), None)
        if uv is None:
            return None
        python = [uv, "run", "--quiet", "--isolated", "--no-project", "--with", _NEWS_PLEASE, "python"]
    done = subprocess.run(
        [*python, "-c", _ALONE, library],
        input="\n".join(map(str, pages)),
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=_held_on(1),
        check=False,
    )
    if done.returncode:
        print(f"{library}: not measured", file=sys.stderr)
        return None
    return json.loads(done.stdout)  # type: ignore[no-any-return]


def whole_pipeline(pages: Path, first: Path, *, cores: int, entities: str, scratch: Path) -> dict[str, Any]:
    """One ingestion into a fresh installation: seconds, CPU seconds, outcomes, seconds per stage, memory."""
    environment = {
        **os.environ,
        "NEWS_HOME": str(scratch / f"home-{cores}-{entities or 'off'}"),
        "NEWS_EXTRACT__WORKERS": str(cores),
        "NEWS_ENTITIES__MODEL": entities,
    }
    environment.setdefault("NEWS_NODE__PORT", str(_free_port()))
    pinned = _held_on(cores)

    def news(*arguments: str | Path) -> Any:
        done = subprocess.run(
            [_NEWS, *arguments, "--json"],
            env=environment,
            preexec_fn=pinned,
            capture_output=True,
            text=True,
            check=False,
        )
        if not done.stdout:
            raise SystemExit(done.stderr)
        return json.loads(done.stdout)

    try:
        news("ingest", first)
        pid = news("es", "status")["pid"]
        node = psutil.Process(pid) if pid else None
        children = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu_before = children.ru_utime + children.ru_stime
        node_before = sum(node.cpu_times()[:2]) if node else 0.0
        memory, started = Memory(), time.perf_counter()
        with subprocess.Popen(
            [_NEWS, "ingest", pages, "--json"], env=environment, preexec_fn=pinned, stdout=subprocess.PIPE, text=True
        ) as process:
            over = threading.Event()

            def look() -> None:
                command = psutil.Process(process.pid)
                while not over.wait(0.5):
                    memory.watch(command, node, started)

            watcher = threading.Thread(target=look)
            watcher.start()
            output, _ = process.communicate()
            seconds = time.perf_counter() - started
            over.set()
            watcher.join()
        if not output:
            raise SystemExit(f"news ingest ended with exit code {process.returncode} and said nothing")
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        of_node = sum(node.cpu_times()[:2]) - node_before if node else 0.0
        report = json.loads(output)
        outcomes = report["outcomes"]
        return {
            "seconds": seconds,
            "cpu_seconds": used.ru_utime + used.ru_stime - cpu_before + of_node,
            "node_cpu_seconds": of_node,
            "articles": sum(outcomes.get(kind, 0) for kind in ("indexed", "updated", "unchanged", "duplicate")),
            "outcomes": outcomes,
            "stage_seconds": report["stage_seconds"],
            "memory": memory.highest(),
            "samples": memory.samples,
        }
    finally:
        subprocess.run([_NEWS, "es", "stop"], env=environment, capture_output=True, check=False)


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def table(rounds: dict[str, dict[str, Any]], pages: int) -> str:
    """The rounds as Markdown; the first one is what the ratios compare with."""
    base = next(iter(rounds.values()))["cpu_seconds"]
    columns = "articles", "pages/s", "pages/s of CPU time", "times the first", "slowest page, s"
    lines = _head("what", *columns, "highest memory, MB", "node, MB")
    for name, figures in rounds.items():
        memory = {part: f"{value / 1e6:.0f}" for part, value in figures["memory"].items()}
        shown = memory["highest"]
        if "node" in memory:
            shown += f" (command {memory['command']}, worker {memory['worker']})"
        seconds, cpu = figures["seconds"], figures["cpu_seconds"]
        speeds = f"{pages / seconds:.1f} | {pages / cpu:.1f} | {base / cpu:.2f}"
        slowest = "{:.2f} ({})".format(*figures["slowest"]) if "slowest" in figures else ""
        lines.append(f"| {name} | {figures['articles']} | {speeds} | {slowest} | {shown} | {memory.get('node', '')} |")
    if not any("stage_seconds" in figures for figures in rounds.values()):
        return "\n".join(lines)
    lines += ["", *_head("share of the stages' time", *_STAGES)]
    for name, figures in rounds.items():
        if stages := figures.get("stage_seconds"):
            total = sum(stages.values())
            shares = (f"{stages.get(s, 0) / total:.0%} ({stages.get(s, 0):.1f} s)" for s in _STAGES)
            lines.append(f"| {name} | " + " | ".join(shares) + " |")
    return "\n".join(lines)


def memory_table(samples: Sequence[tuple[float, int, int, int, int]]) -> str:
    """How memory went: the median of each tenth of the time."""
    lines = _head("tenth of the run", "command, MB", "largest worker", "command and workers", "node")
    for tenth in range(10):
        part = samples[len(samples) * tenth // 10 : len(samples) * (tenth + 1) // 10]
        medians = (sorted(sample[place] for sample in part)[len(part) // 2] / 1e6 for place in range(1, 5))
        lines.append(f"| {tenth + 1} | " + " | ".join(f"{value:.0f}" for value in medians) + " |")
    return "\n".join(lines)


def _head(first: str, *others: str) -> list[str]:
    return [f"| {first} | " + " | ".join(others) + " |", "|---|" + "---:|" * len(others)]


def main() -> None:
    """Run the rounds and print the tables."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("folder", type=Path)
    arguments.add_argument("--pages", type=int, default=0, help="2000, with --long 20000")
    arguments.add_argument("--cores", type=int, nargs="*", default=[1, 2], help="a round of the pipeline on each")
    arguments.add_argument("--entities", nargs="*", default=[""], help="entity models, a round each; '': off")
    arguments.add_argument("--without-others", action="store_true", help="only the whole pipeline")
    arguments.add_argument("--long", action="store_true", help="one round on all cores, and how memory went")
    arguments.add_argument("--json", action="store_true")
    options = arguments.parse_args()
    number = options.pages or (20_000 if options.long else 2_000)
    models = pages_below(options.folder)
    if not models:
        raise SystemExit(f"{options.folder}: no .html, .htm or .html.gz below it")
    with tempfile.TemporaryDirectory(prefix="news-bench-") as name:
        scratch = Path(name)
        scratch.chmod(0o755)  # the node may run as another user
        written = write_pages(models, number, scratch / "pages")
        rounds: dict[str, dict[str, Any]] = {}
        if not options.long and not options.without_others:
            for library, what in (
                ("trafilatura", "trafilatura with metadata, then langdetect on the whole text, nothing else"),
                ("ours", "our extraction with metadata and dates, then language, nothing else"),
                ("news-please", f"{_NEWS_PLEASE.replace('==', ' ')}, `from_html`, nothing else"),
            ):
                if figures := alone(written, library):
                    rounds[what] = figures
        for entities in options.entities:
            for cores in [os.cpu_count() or 1] if options.long else options.cores:
                what = f"whole pipeline, {cores} core{'s' * (cores > 1)}, entities {entities or 'off'}"
                print(f"{what} …", file=sys.stderr)
                rounds[what] = whole_pipeline(
                    scratch / "pages", written[0], cores=cores, entities=entities, scratch=scratch
                )
    if options.json:
        print(json.dumps({"pages": number, "rounds": rounds}, indent=2))
        return
    print(f"{number} pages, {min(number, len(models))} of them as they are\n\n{table(rounds, number)}")
    if options.long:
        for figures in rounds.values():
            print(f"\n{memory_table(figures['samples'])}")


if __name__ == "__main__":
    main()
