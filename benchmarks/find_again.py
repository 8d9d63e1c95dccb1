"""Ingest saved pages as a folder and find each article by a sentence from its middle.

    python -m benchmarks.find_again [--extract ../shared/extract] [--pages 520]

The folder has ``html/`` with pages and ``ground-truth/`` with their texts. ``news ingest`` takes the pages into an
installation of its own, with its embedded node and entities off; then ``pipeline.search`` is asked for the words of the
sentence nearest to the middle of each article's ground truth. Prints how often the article is the first answer and
among the first five, of all articles and of those that were indexed, and the run's time per stage.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

_NEWS = Path(sys.executable).parent / "news"
_SENTENCE = re.compile(r"(?:[^.!?\n]|[.!?](?=\S))+[.!?](?=\s|$)")


def middle_sentence(text: str) -> str | None:
    """The sentence of 8 to 30 words nearest to the middle of a text; None where it has none."""
    found = [match for match in _SENTENCE.finditer(text) if 8 <= len(match[0].split()) <= 30]
    nearest = min(found, key=lambda match: abs(match.start() + match.end() - len(text)), default=None)
    return nearest[0].strip() if nearest else None


def as_words(sentence: str) -> str:
    """A sentence as somebody would paste it, without what the search page takes for operators."""
    words = re.sub(r"""[()\[\]{}"“”„«»:;/\\~*?!^&|<>=+]""", " ", sentence).lower().split()
    return " ".join(word.lstrip("-–—") for word in words)


def questions(extract: Path, pages: int) -> Iterator[tuple[str, str]]:
    """Page name and sentence of each article among the first ``pages`` pages."""
    for path in sorted((extract / "ground-truth").glob("*.json"))[:pages]:
        truth = json.loads(path.read_text(encoding="utf-8"))
        sentence = middle_sentence(truth["ground_truth"]["main_content"] or "")
        if truth["_internal"]["page_type"]["primary"] == "article" and sentence:
            yield path.stem, sentence


def main() -> None:
    """Ingest, ask, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--extract", type=Path, default=Path("../shared/extract"))
    parser.add_argument("--pages", type=int, default=520)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="news-find-") as name:
        scratch = Path(name)
        scratch.chmod(0o755)  # the node may run as another user
        pages = scratch / "pages"
        pages.mkdir()
        for path in sorted((arguments.extract / "html").iterdir())[: arguments.pages]:
            (pages / path.name).symlink_to(path.resolve())
        os.environ |= {"NEWS_HOME": str(scratch / "home"), "NEWS_ENTITIES__MODEL": ""}
        os.environ.setdefault("NEWS_NODE__PORT", "0")
        try:
            done = subprocess.run([_NEWS, "ingest", pages, "--json"], capture_output=True, text=True, check=False)
            if not done.stdout:
                raise SystemExit(done.stderr)
            _ask(json.loads(done.stdout), list(questions(arguments.extract, arguments.pages)))
        finally:
            subprocess.run([_NEWS, "es", "stop"], capture_output=True, check=False)


def _ask(report: dict[str, object], asked: list[tuple[str, str]]) -> None:
    from pipeline.run import open_services
    from pipeline.search import SearchRequest, search

    services = open_services()
    items = report["items"]
    assert isinstance(items, list)
    ids = {Path(item["ref"]).name.partition(".")[0]: item["id"] for item in items if item["id"]}
    first = five = 0
    for page, sentence in asked:
        request = SearchRequest(query=as_words(sentence), limit=5, prefix=services.prefix)
        hits = [hit.id for hit in search(services.elasticsearch, request).hits]
        if page not in ids or ids[page] not in hits:
            print(f"not found: {page}: {sentence}" + ("" if page in ids else " (not indexed)"), file=sys.stderr)
            continue
        first, five = first + (hits[0] == ids[page]), five + 1
    indexed = sum(page in ids for page, _ in asked)
    print(f"{report['discovered']} pages: {report['outcomes']}; seconds {report['stage_seconds']}")
    for what, number in (("articles", len(asked)), ("of these indexed", indexed)):
        print(f"{number} {what}: first {first / number:.3f}, among the first five {five / number:.3f}")


if __name__ == "__main__":
    main()
