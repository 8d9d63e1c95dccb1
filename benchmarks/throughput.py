"""Articles per second through the whole pipeline, next to trafilatura alone on the same pages.

    python -m benchmarks.throughput FOLDER [--pages 500] [--workers 0 1 2] [--json]

FOLDER holds saved pages (.html, .html.gz), anywhere below. Each round ingests them with ``news ingest`` into an
installation of its own: archive, extract, enrich, index into the embedded node (or ELASTICSEARCH_URL). Compare figures
of one run with each other only.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

_NEWS = Path(sys.executable).parent / "news"

_TRAFILATURA = """
import gzip, json, sys, time
from pathlib import Path
from trafilatura import bare_extraction
import langdetect
langdetect.DetectorFactory.seed = 0
bodies = [gzip.decompress(p.read_bytes()) if p.suffix == ".gz" else p.read_bytes() for p in map(Path, sys.argv[1:])]
bare_extraction(bodies[0], with_metadata=True)
start, found = time.perf_counter(), 0
for body in bodies:
    document = bare_extraction(body, with_metadata=True)
    if document is not None and document.text:
        found += 1
        try:
            langdetect.detect(document.text)
        except langdetect.LangDetectException:
            pass
print(json.dumps({"seconds": time.perf_counter() - start, "articles": found}))
"""


def pages_below(folder: Path, most: int) -> list[Path]:
    """The first ``most`` saved pages below a folder, in order of name."""
    found = [path for path in sorted(folder.rglob("*")) if path.name.endswith((".html", ".htm", ".html.gz"))]
    return found[:most]


def trafilatura_alone(pages: list[Path]) -> dict[str, float]:
    """trafilatura with metadata, then langdetect on the whole text; reading and unpacking are not counted."""
    command = [sys.executable, "-c", _TRAFILATURA, *map(str, pages)]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def whole_pipeline(pages: list[Path], workers: int, *, entities: str) -> dict[str, object]:
    """One ingestion into a fresh installation: seconds, outcomes, seconds per stage."""
    with tempfile.TemporaryDirectory(prefix="news-bench-") as scratch:
        copies = Path(scratch) / "pages"
        copies.mkdir()
        for number, page in enumerate(pages):
            shutil.copy(page, copies / f"{number:05d}-{page.name}")
        environment = {
            **os.environ,
            "NEWS_HOME": str(Path(scratch) / "home"),
            "NEWS_INDEX__PREFIX": f"bench{int(time.time())}",
            "NEWS_EXTRACT__WORKERS": str(workers),
            "NEWS_ENTITIES__MODEL": entities,
        }
        before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
        subprocess.run([_NEWS, "ingest", pages[0], "--json"], env=environment, capture_output=True, check=False)
        start = time.perf_counter()
        process = subprocess.run(
            [_NEWS, "ingest", copies, "--json"], env=environment, capture_output=True, text=True, check=False
        )
        seconds = time.perf_counter() - start
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        if not process.stdout:
            raise SystemExit(process.stderr)
        report = json.loads(process.stdout)
        return {
            "seconds": seconds,
            "cpu_seconds": used.ru_utime - before,
            "outcomes": report["outcomes"],
            "stage_seconds": report["stage_seconds"],
        }


def main() -> None:
    """Run the rounds and print the table."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("folder", type=Path)
    arguments.add_argument("--pages", type=int, default=500)
    arguments.add_argument("--workers", type=int, nargs="+", default=[0, 1, 2])
    arguments.add_argument("--entities", default="", help="entity model; empty: off")
    arguments.add_argument("--json", action="store_true")
    options = arguments.parse_args()
    pages = pages_below(options.folder, options.pages)
    rounds: dict[str, dict[str, object]] = {"trafilatura + langdetect alone": dict(trafilatura_alone(pages))}
    for workers in options.workers:
        rounds[f"whole pipeline, {workers} workers"] = whole_pipeline(pages, workers, entities=options.entities)
    if options.json:
        print(json.dumps({"pages": len(pages), "rounds": rounds}, indent=2))
        return
    table = Table("round", "pages/s", "seconds", "stages")
    for name, figures in rounds.items():
        seconds = float(str(figures["seconds"]))
        stages = figures.get("stage_seconds") or {}
        assert isinstance(stages, dict)
        shares = ", ".join(f"{stage} {value:.1f}" for stage, value in stages.items())
        table.add_row(name, f"{len(pages) / seconds:.1f}", f"{seconds:.1f}", shares)
    Console().print(table)


if __name__ == "__main__":
    main()
