"""How much of normal prose the plain-text cleaner leaves as it is, byte for byte, by corpus.

    python -m benchmarks.eval_plaintext [--ner ../shared/ner] [--extract ../shared/extract] [--show]

Texts of articles as their ground truth has them, news documents, and treebank sentences put together to articles of ten
paragraphs. None of them was scraped; whatever the cleaner changes or takes out of them is an error of it, except
where web pages' ground truth itself holds furniture. ``--show`` prints the lines that did not come through.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from benchmarks.eval_language import TREEBANKS, sentences
from pipeline.extract.plaintext import clean

_PARAGRAPHS, _SENTENCES = 10, 3


def corpora(ner: Path, extract: Path) -> Iterator[tuple[str, list[str]]]:
    """Name and texts of each corpus."""
    paths = sorted((extract / "ground-truth").glob("*.json"))
    truths = (json.loads(path.read_text(encoding="utf-8")) for path in paths)
    yield (
        "web articles, en (ground truth of the development set)",
        [
            truth["ground_truth"]["main_content"]
            for truth in truths
            if truth["_internal"]["page_type"]["primary"] == "article" and truth["ground_truth"]["main_content"]
        ],
    )
    news = sorted((ner / "train/factrueval_ru").rglob("*.txt"))
    yield "news documents, ru (FactRuEval)", [path.read_text(encoding="utf-8") for path in news]
    more = {"fi": ("train/turku_fi",), "pt": ("train/uner_pt_bosque",), "en": ("train/uner_en_ewt",)}
    for language, names in TREEBANKS.items():
        files = [path for name in names if (path := ner / name).exists()]
        files += [path for folder in more.get(language, ()) for path in sorted((ner / folder).glob("*train*"))]
        for kind in sorted({path.parent.name for path in files}):
            found = [line for path in files if path.parent.name == kind for line in sentences(path)]
            yield f"{kind}, {language}", list(_articles(found))


def _articles(found: list[str]) -> Iterator[str]:
    size = _PARAGRAPHS * _SENTENCES
    for start in range(0, len(found), size):
        part = found[start : start + size]
        yield "\n\n".join(" ".join(part[at : at + _SENTENCES]) for at in range(0, len(part), _SENTENCES))


def changed_lines(text: str) -> tuple[int, list[str]]:
    """How many lines a text has, and which of them are not in the cleaned body, byte for byte and as often."""
    lines = [line for line in text.split("\n") if line.strip()]
    body = Counter(clean(f"A headline of its own\n\n{text}").body.split("\n"))
    missing = list((Counter(lines) - body).elements())
    return len(lines), missing


def main() -> None:
    """Read the arguments and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ner", type=Path, default=Path("../shared/ner"))
    parser.add_argument("--extract", type=Path, default=Path("../shared/extract"))
    parser.add_argument("--show", action="store_true", help="print the lines that did not come through")
    arguments = parser.parse_args()
    print("| corpus | texts | lines | unchanged |\n|---|---:|---:|---:|")
    total = wrong = characters = 0
    started = time.process_time()
    for name, texts in corpora(arguments.ner, arguments.extract):
        lines = lost = 0
        for text in texts:
            number, missing = changed_lines(text)
            lines, lost, characters = lines + number, lost + len(missing), characters + len(text)
            if arguments.show:
                for line in missing:
                    print(f"    {line[:160]!r}")
        if lines:
            print(f"| {name} | {len(texts)} | {lines} | {1 - lost / lines:.4f} |", flush=True)
        total, wrong = total + lines, wrong + lost
    print(f"| all | | {total} | {1 - wrong / total:.4f} |")
    print(f"\n{characters / (time.process_time() - started) / 1e6:.1f} million characters a second of CPU time")


if __name__ == "__main__":
    main()
