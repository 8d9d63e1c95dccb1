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


def articles_per_second(name: str, sentences: Sequence[Sentence], number: int) -> str:
    """The whole enrich stage over articles of about 600 words, with entities and without."""
    bodies = []
    for start in range(number):
        first = start * 7 % (len(sentences) - 28)
        bodies.append("\n\n".join(" ".join(s.text for s in sentences[i : i + 4]) for i in range(first, first + 28, 4)))
    articles = [
        Article(
            ref=ArticleRef(source_id="bench", url=f"https://example.org/{n}"),
            url=None,
            canonical_url=None,
            headline="A headline",
            body=body,
            fetched_at=datetime(2024, 5, 1, tzinfo=UTC),
        )
        for n, body in enumerate(bodies)
    ]
    parts = []
    for model in ("", name):
        enricher = load_enricher(LanguageSettings(), EntitySettings(model=model))
        enricher.enrich(articles[:2])
        started = time.process_time()
        for start in range(0, number, 100):
            enricher.enrich(articles[start : start + 100])
        speed = number / (time.process_time() - started)
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
        parts.append(f"{speed:.0f} articles a second ({memory:.0f} MB) {'with' if model else 'without'} entities")
    return f"{number} articles of {sum(len(b.split()) for b in bodies) / number:.0f} words: " + ", ".join(parts)


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
        precision, recall, f1 = scores.prf()
        types = " | ".join(f"{scores.f1(label):.1f}" for label in LABELS)
        print(f"| {model.name} | {title} | {f1:.1f} | {precision:.1f} | {recall:.1f} | {types} |", flush=True)
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
