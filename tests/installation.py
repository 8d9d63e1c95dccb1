"""An installation of its own for a test: NEWS_HOME, config and index prefix that nobody else has, and its clean-up."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

from elasticsearch import Elasticsearch

from pipeline.run import Services
from pipeline.schedule import RunRequest
from pipeline.settings import load_settings, load_sources

REPOSITORY = Path(__file__).resolve().parent.parent
SEED = REPOSITORY.parent / "shared" / "seed"
"""The sample collection beside the repository, for tests marked ``shared``."""
NEWS = Path(sys.executable).with_name("news")
"""The console script, as `uv sync` installed it."""


@dataclass(frozen=True, kw_only=True)
class Installation:
    """One NEWS_HOME with a project folder (``config/``, and ``dags`` of the repository) in ``root``."""

    root: Path
    elasticsearch_url: str
    prefix: str = field(default_factory=lambda: f"t{uuid4().hex[:12]}")
    extra: Mapping[str, str] = field(default_factory=dict)

    @property
    def home(self) -> Path:
        return self.root / "home"

    @property
    def project(self) -> Path:
        return self.root / "project"

    @property
    def environment(self) -> dict[str, str]:
        """All variables of a process that works on this installation."""
        return {
            **{name: value for name, value in os.environ.items() if not name.startswith(("NEWS_", "ELASTICSEARCH_"))},
            "NEWS_HOME": str(self.home),
            "NEWS_CONFIG": str(self.project / "config"),
            "NEWS_INDEX__PREFIX": self.prefix,
            "ELASTICSEARCH_URL": self.elasticsearch_url,
            "NEWS_ENTITIES__MODEL": "",  # loading it costs a second a process; tests that are about it set it
            **self.extra,
        }

    def write_config(self, sources: str = "", settings: str = "") -> None:
        """Write sources.toml and settings.toml, and put the repository's DAGs beside them."""
        config = self.project / "config"
        config.mkdir(parents=True, exist_ok=True)
        (config / "sources.toml").write_text(sources, encoding="utf-8")
        (config / "settings.toml").write_text(settings, encoding="utf-8")
        if not (self.project / "dags").exists():
            (self.project / "dags").symlink_to(REPOSITORY / "dags")

    def services(self, **edges: Any) -> Services:
        return Services(settings=load_settings(self.environment), **edges)

    def request(self, *source_ids: str, **fields: Any) -> RunRequest:
        return RunRequest(source_ids=source_ids, **fields)

    def sources(self) -> Any:
        return load_sources(load_settings(self.environment))

    def news(self, *arguments: str, timeout: float = 240) -> subprocess.CompletedProcess[str]:
        """Run the `news` command."""
        return subprocess.run(
            [NEWS, *arguments],
            env=self.environment,
            cwd=self.project if self.project.exists() else self.root,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    def news_json(self, *arguments: str, code: int = 0) -> Any:
        """Run the `news` command with --json; standard output must be one JSON value and nothing else."""
        done = self.news(*arguments, "--json")
        assert done.returncode == code, done.stderr
        return json.loads(done.stdout)

    def documents(self) -> dict[str, dict[str, Any]]:
        """Every stored article by id, with ``_index``. Fails where an id stands in two indices."""
        with Elasticsearch(self.elasticsearch_url) as client:
            client.indices.refresh(index=self.prefix, ignore_unavailable=True)
            found: dict[str, dict[str, Any]] = {}
            answer = client.search(index=self.prefix, ignore_unavailable=True, size=10_000)
            for hit in answer["hits"]["hits"]:
                assert hit["_id"] not in found, f"{hit['_id']} stands in two indices"
                found[hit["_id"]] = {"_index": hit["_index"], **hit["_source"]}
            assert len(found) == answer["hits"]["total"]["value"]
        return found

    def content(self) -> dict[str, dict[str, Any]]:
        """The documents without their bookkeeping: equal for two indices that hold the same articles."""
        return without_bookkeeping(self.documents())

    def delete_articles(self) -> None:
        """Lose the index: every article is gone, reports stay."""
        with Elasticsearch(self.elasticsearch_url) as client:
            if indices := list(client.indices.get(index=self.prefix, ignore_unavailable=True)):
                client.indices.delete(index=indices)

    def clean_up(self) -> None:
        """Delete everything of this installation from Elasticsearch."""
        with Elasticsearch(self.elasticsearch_url, retry_on_timeout=True) as client:
            if indices := list(client.indices.get(index=f"{self.prefix}*")):
                client.indices.delete(index=indices)
            tolerant = client.options(ignore_status=404)  # a test may have made none
            tolerant.indices.delete_index_template(name=f"{self.prefix}-*")
            tolerant.cluster.delete_component_template(name=f"{self.prefix}@*")


def without_bookkeeping(documents: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Documents without what only tells when and by which run they were first indexed."""
    return {
        id_: {
            key: value
            for key, value in document.items()
            if key not in ("discovered_at", "first_seen_at", "delay_seconds", "run")
            and not (key == "@timestamp" and document.get("timestamp_basis") == "first_seen")
        }
        for id_, document in documents.items()
    }


@contextmanager
def installation_in(root: Path, elasticsearch_url: str, **extra: str) -> Iterator[Installation]:
    """A new installation below ``root``, removed from Elasticsearch afterwards."""
    made = Installation(root=root, elasticsearch_url=elasticsearch_url, extra=extra)
    try:
        yield made
    finally:
        made.clean_up()


# --------------------------------------------------------------------------------------- made-up articles

_PLACES = ("Aldmere", "Brackwater", "Corrie", "Dunhaven", "Eskford", "Farrowby", "Glenmoor", "Hathersea")
_WORKS = ("bridge", "library", "harbour wall", "market hall", "lifeboat", "orchard", "tram line", "observatory")


def article_text(number: int) -> str:
    """The plain text of a small made-up article; each number gives a text of its own."""
    place, work = _PLACES[number % 8], _WORKS[number // 8 % 8]
    return (
        f"{place} council agrees to repair its {work} after petition {number}\n\n"
        f"The council of {place} agreed on Monday to repair the {work}, which has been closed to the public since a "
        f"storm in February, after a petition that carried {number + 300} signatures.\n\n"
        f"Engineers will begin with survey number {number} in the spring, and the work should be finished before the "
        f"summer holidays, the mayor told a crowded meeting in the town hall.\n"
    )


def article_page(number: int, *, charset: str = "utf-8", words: str = "") -> str:
    """An HTML page around the same article, with the usual things beside it."""
    headline, *paragraphs = article_text(number).strip().split("\n\n")
    body = "\n".join(f"<p>{paragraph}</p>" for paragraph in [*paragraphs, *([words] if words else [])])
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="{charset}">'
        f"<title>{headline} | The Dunhaven Post</title>"
        f'<link rel="canonical" href="https://dunhaven-post.example/news/{number}"></head><body>'
        '<nav><a href="/">Home</a> <a href="/sport">Sport</a></nav>'
        f"<article><h1>{headline}</h1>\n{body}</article>"
        "<footer>All rights reserved.</footer></body></html>\n"
    )


def write_texts(folder: Path, numbers: Sequence[int] | range) -> Path:
    """Write ``article_text`` of each number into a file of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in numbers:
        (folder / f"{number:05d}.txt").write_text(article_text(number), encoding="utf-8")
    return folder
