"""Measure an entity model: strict F1 by set and type, words a second, size, and entities within documents.

``python -m benchmarks.eval_ner [--model NAME_OR_PATH ...] [--ner ../shared/ner]`` prints Markdown tables. A span counts
when both ends and the type are right; places, persons and organisations only. Texts go in raw, a sentence at a time.
"""

# ruff: noqa: E402 - thread limits are set before numpy is imported
from __future__ import annotations

import os

for _variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_variable, "1")

import argparse
import resource
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from multiprocessing import get_context
from pathlib import Path

from pipeline.enrich import load_enricher
from pipeline.enrich.entities import EntityModel, load_entity_model
from pipeline.enrich.resolution import resolve
from pipeline.errors import ArticleFailed
from pipeline.models import Article, ArticleRef, Entity, EntityType, Mention
from pipeline.settings import EntitySettings, LanguageSettings

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from training import corpora
from training.corpora import LABELS, Sentence
from training.scores import Scores

TYPES = {EntityType.PERSON: "PER", EntityType.PLACE: "LOC", EntityType.ORGANIZATION: "ORG"}


def english_sets(folder: Path) -> dict[str, list[Sentence]]:
    """The sets kept out of training, by name."""
    same = {label: label for label in LABELS}
    ewt = folder / "train/uner_en_ewt/en_ewt-ud-test.iob2"
    name = "EWT test" if ewt.exists() else "EWT dev"
    ewt = ewt if ewt.exists() else folder / "train/uner_en_ewt/en_ewt-ud-dev.iob2"
    return {
        "WikiGold": list(corpora.conll(folder / "dev/wikigold/wikigold.conll.txt", "wikigold", same)),
        "PUD en": list(corpora.uner(folder / "dev/uner_en_pud/en_pud-ud-test.iob2", "pud")),
        name: list(corpora.uner(ewt, "ewt")),
    }


def score(model: EntityModel, sentences: Sequence[Sentence]) -> Scores:
    """Strict scores over sentences."""
    scores = Scores()
    for sentence, mentions in zip(sentences, model.mentions([s.text for s in sentences]), strict=True):
        found = [(m.start, m.end, TYPES[m.type]) for m in mentions if m.type in TYPES]
        scores.add(found, [s for s in sentence.spans if s[2] in LABELS], sentence.unknown)
    return scores


def words_per_second(model: EntityModel, sentences: Sequence[Sentence]) -> float:
    """Speed on texts of about 600 words, the model warm, one core."""
    texts = [" ".join(s.text for s in sentences[start : start + 28]) for start in range(0, len(sentences), 28)]
    model.mentions(texts[:3])
    best = 0.0
    for _ in range(3):
        started = time.process_time()
        model.mentions(texts)
        best = max(best, sum(len(text.split()) for text in texts) / (time.process_time() - started))
    return best


def articles_of(sentences: Sequence[Sentence], number: int, words: int = 600) -> list[Article]:
    """So many articles of ``words`` words, in paragraphs of four sentences, each beginning at another sentence."""
    articles = []
    for n in range(number):
        texts: list[str] = []
        count, position = 0, n * 7
        while count < words:
            text = sentences[position % len(sentences)].text
            left = text.split()[: words - count]
            texts.append(" ".join(left))
            count, position = count + len(left), position + 1
        body = "\n\n".join(" ".join(texts[start : start + 4]) for start in range(0, len(texts), 4))
        ref = ArticleRef(source_id="bench", url=f"https://example.org/{n}")
        fetched = datetime(2024, 5, 1, tzinfo=UTC)
        articles.append(
            Article(ref=ref, url=None, canonical_url=None, headline="A headline", body=body, fetched_at=fetched)
        )
    return articles


def articles_per_second(name: str, sentences: Sequence[Sentence], number: int) -> str:
    """The whole enrich stage over articles of 600 words, without entities and with them, and the memory it takes."""
    articles = articles_of(sentences, number)
    lines = [
        f"Enriching {number} articles of {sum(len(a.body.split()) for a in articles) / number:.0f} words, a hundred at "
        "a time; one core:\n",
        "| entities | articles a second of CPU time | MB before | after a tenth | after all | peak |",
        "|---|---|---|---|---|---|",
    ]
    for model in ("", name):
        enricher = load_enricher(LanguageSettings(), EntitySettings(model=model))
        enricher.enrich(articles[:2])
        before, early = _megabytes(), 0.0
        started = time.process_time()
        for start in range(0, number, 100):
            results = enricher.enrich(articles[start : start + 100])
            assert not any(isinstance(result, ArticleFailed) for result in results)
            if not early and start + 100 >= number / 10:
                early = _megabytes()
        speed = number / (time.process_time() - started)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
        memory = " | ".join(f"{value:.0f}" for value in (before, early, _megabytes(), peak))
        lines.append(f"| {enricher.entities_model or 'off'} | {speed:.0f} | {memory} |")
    return "\n".join(lines)


def _megabytes() -> float:
    """The memory that this process has now (resident set)."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize() / 1e6


def written_cases(folder: Path) -> Iterator[tuple[str, str, list[tuple[Mention, str]]]]:
    """The annotated English documents of the tests: headline, body, mentions with their entity."""
    sys.path.insert(0, str(folder.parent.parent.parent / "enrich"))
    from test_resolution import language_of, read_case

    for path in sorted(folder.glob("*.txt")):
        if language_of(path) != "en":
            continue
        headline, body, mentions, truth = read_case(path)
        yield headline, body, [(m, truth[m.start, m.end][0]) for m in mentions]


def b_cubed(entities: Sequence[Entity], truth: Sequence[tuple[Mention, str]]) -> tuple[float, float]:
    """B-cubed precision and recall, a mention missed or made up counting as wrong."""
    found = {(m.start, m.end, m.type): n for n, e in enumerate(entities) for m in e.mentions if m.type in TYPES}
    gold = {(m.start, m.end, m.type): name for m, name in truth}
    ours: dict[int, set[object]] = defaultdict(set)
    wanted: dict[str, set[object]] = defaultdict(set)
    for span, number in found.items():
        ours[number].add(span)
    for span, name in gold.items():
        wanted[name].add(span)
    precision = [len(ours[found[s]] & wanted[gold[s]]) / len(ours[found[s]]) if s in gold else 0.0 for s in found]
    recall = [len(ours[found[s]] & wanted[gold[s]]) / len(wanted[gold[s]]) if s in found else 0.0 for s in gold]
    return sum(precision) / max(len(precision), 1), sum(recall) / max(len(recall), 1)


def report(name: str, ner: Path, articles: int) -> None:
    """Print the tables of one model."""
    model = load_entity_model(EntitySettings(model=name))
    assert model is not None
    sets = english_sets(ner)
    print("| model | set | F1 | precision | recall | PER | LOC | ORG |\n|---|---|---|---|---|---|---|---|")
    for title, sentences in sets.items():
        scores = score(model, sentences)
        print(scores.row(model.name, title), flush=True)
    path = Path(model.nlp.path or name)
    size = sum(f.stat().st_size for f in path.rglob("*") if f.is_file()) / 1e6 if path.is_dir() else 0.0
    if articles:
        print(f"\n{articles_per_second(name, sets['PUD en'], articles)}")
    print(f"\n{words_per_second(model, sets['PUD en']):.0f} words a second of CPU time; {size:.1f} MB on disk")
    cases = list(written_cases(Path(__file__).resolve().parent.parent / "tests/data/enrich/entities"))
    texts = [body for _, body, _ in cases]
    results = [
        b_cubed(resolve(mentions, body=body, headline=headline), truth)
        for (headline, body, truth), mentions in zip(cases, model.mentions(texts), strict=True)
    ]
    precision = sum(p for p, _ in results) / len(results)
    recall = sum(r for _, r in results) / len(results)
    f1 = 2 * precision * recall / (precision + recall)
    print(f"{len(cases)} written documents, mentions and entities together, B-cubed: ", end="")
    print(f"P {precision:.3f} R {recall:.3f} F1 {f1:.3f}\n", flush=True)


def main() -> None:
    """Read the arguments and print the tables, each model in a process of its own so that memory is its own too."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", nargs="+", default=["en_news_sm", "en_news_acc"], help="names or paths")
    parser.add_argument("--ner", type=Path, default=Path("../shared/ner"))
    parser.add_argument("--articles", type=int, default=0, help="also time the enrich stage on so many articles")
    arguments = parser.parse_args()
    for name in arguments.model:
        process = get_context("spawn").Process(target=report, args=(name, arguments.ner, arguments.articles))
        process.start()
        process.join()
        if process.exitcode:
            raise SystemExit(process.exitcode)


if __name__ == "__main__":
    main()
