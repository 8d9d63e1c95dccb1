"""Figures for the capacity table of docs/operations.md: how fast an installation works, and how much room it takes.

    python benchmarks/operations.py [ARTICLES] [FOLDER]

Ingests made-up pages from a folder into an embedded node of its own below FOLDER (a temporary one by default), works
on them again from the archive, builds the index anew, and prints JSON. Entities are off; see docs/benchmarks.md for
what models cost.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from installation import Installation, article_page

from pipeline import localnode
from pipeline.localnode import NodeSettings
from pipeline.models import Window
from pipeline.operations.backfill import backfill_now
from pipeline.operations.rebuild import rebuild
from pipeline.run import run_now
from pipeline.schedule import Mode, RunRequest

EVER = Window(since=datetime(1990, 1, 1, tzinfo=UTC), until=datetime(2100, 1, 1, tzinfo=UTC))


def main(count: int, root: Path) -> None:
    """Measure with ``count`` articles below ``root``."""
    distribution = os.environ.get("TEST_ELASTICSEARCH_HOME")
    home = root / "node"
    home.mkdir(parents=True)
    if distribution:
        (home / "dist").symlink_to(Path(distribution).resolve() / "dist")
    node = NodeSettings(home=home)
    address = localnode.start(node)
    try:
        installation = Installation(root=root, elasticsearch_url=address.url)
        folder = root / "pages"
        folder.mkdir()
        # Texts of their own: near copies of each other would measure the search for near copies.
        draw = random.Random(7)
        vocabulary = ["".join(draw.choices("abcdefghilmnoprstuvw", k=draw.randint(3, 9))) for _ in range(20_000)]
        for number in range(count):
            said = ". ".join(" ".join(draw.choices(vocabulary, k=14)).capitalize() for _ in range(30))
            page = article_page(number, words=f"{said}.")
            (folder / f"{number:06d}.html").write_text(page)
        installation.write_config(
            sources=f'[[source]]\nid = "desk"\nkind = "folder"\nlocation = "{folder}"\n',
            settings='[entities]\nmodel = ""\n',
        )
        services, sources = installation.services(), installation.sources()
        seconds: dict[str, float] = {}

        def measured(name: str, work: object) -> None:
            start = time.perf_counter()
            assert callable(work)
            work()
            seconds[name] = time.perf_counter() - start

        desk = RunRequest(source_ids=("desk",))
        measured("ingest", lambda: run_now(services, desk, sources, kind="news run"))
        measured("ingest, nothing new", lambda: run_now(services, desk, sources, kind="news run"))
        again = RunRequest(source_ids=("desk",), mode=Mode.REEXTRACT, window=EVER)
        measured("backfill reextract", lambda: backfill_now(services, again, sources))
        measured("index rebuild", lambda: rebuild(services, sources, grace_seconds=0))
        services.elasticsearch.indices.forcemerge(index=services.prefix, max_num_segments=1)
        size = services.elasticsearch.indices.stats(index=services.prefix)["_all"]["primaries"]["store"][
            "size_in_bytes"
        ]
        archive = sum(path.stat().st_size for path in (installation.home / "archive").rglob("*.gz"))
        ledger = sum(path.stat().st_size for path in installation.home.glob("ledger.sqlite*"))
        print(
            json.dumps(
                {
                    "articles": count,
                    "page_bytes": (folder / "000000.html").stat().st_size,
                    "articles_per_second": {name: round(count / value, 1) for name, value in seconds.items()},
                    "kilobytes_per_article": {
                        "archive": round(archive / count / 1000, 2),
                        "index": round(size / count / 1000, 2),
                        "ledger, three runs": round(ledger / count / 1000, 2),
                    },
                    "load": os.getloadavg()[0],
                },
                indent=2,
            )
        )
    finally:
        localnode.stop(node)


if __name__ == "__main__":
    articles = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    place = Path(sys.argv[2]) if len(sys.argv) > 2 else Path(tempfile.mkdtemp(prefix="operations-"))
    try:
        main(articles, place)
    finally:
        shutil.rmtree(place, ignore_errors=True)
