"""Measure the model for other languages, by language and set, and all written documents from raw text.

``python -m benchmarks.eval_ner_languages [--model xx_news_sm] [--ner ../shared/ner] [--documents-only]`` prints
Markdown tables. A span counts when both ends and the type are right; places, persons and organisations only. The
documents go through the models that the default settings choose for their languages.
"""

# ruff: noqa: E402 - thread limits are set before numpy is imported
from __future__ import annotations

import os

for _variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_variable, "1")

import argparse
import sys
from collections import defaultdict
from pathlib import Path

from pipeline.enrich.entities import load_entity_model, load_entity_models
from pipeline.enrich.resolution import resolve
from pipeline.settings import EntitySettings

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from benchmarks.eval_ner import b_cubed, score, words_per_second
from training.corpora_by_language import DEV_NAMES, LANGUAGES, TEST_NAMES, load

REPOSITORY = Path(__file__).resolve().parent.parent
DOCUMENTS = REPOSITORY / "tests" / "data" / "enrich" / "entities"


def by_language(name: str, folder: Path) -> None:
    """Print the table of a model's scores by language, its speed and size."""
    model = load_entity_model(EntitySettings(model=name))
    assert model is not None
    corpora = load(folder)
    print("| language | set | use | F1 | precision | recall | PER | LOC | ORG |\n|---|---|---|---|---|---|---|---|---|")
    for code in LANGUAGES:
        for sets, names, use in ((corpora.test, TEST_NAMES, "test"), (corpora.dev, DEV_NAMES, "choosing")):
            scores = score(model, sets[code])
            print(scores.row(code, names[code], use), flush=True)
    path = Path(str(model.nlp.path))
    size = sum(f.stat().st_size for f in path.rglob("*") if f.is_file()) / 1e6
    print(
        f"\n{model.name}: {words_per_second(model, corpora.dev['de']):.0f} words a second of CPU time; {size:.1f} MB\n"
    )


def documents(settings: EntitySettings) -> None:
    """Print B-cubed scores of the written documents by language, from raw text."""
    sys.path.insert(0, str(REPOSITORY / "tests" / "enrich"))
    from test_resolution import language_of, read_case

    models = load_entity_models(settings)
    scores: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for path in sorted(DOCUMENTS.glob("*.txt")):
        headline, body, mentions, truth = read_case(path)
        language = language_of(path)
        model = next(model for model in models if model.speaks(language))
        (found,) = model.mentions([body])
        entities = resolve(found, body=body, headline=headline, language=language)
        marked = [(mention, truth[mention.start, mention.end][0]) for mention in mentions]
        scores["en" if language == "en" else "others"].append(b_cubed(entities, marked))
    scores["all"] = [pair for pairs in scores.values() for pair in pairs]
    print("| written documents | number | B-cubed precision | recall | F1 |\n|---|---|---|---|---|")
    for name, pairs in scores.items():
        precision, recall = (sum(values) / len(pairs) for values in zip(*pairs, strict=True))
        f1 = 2 * precision * recall / (precision + recall)
        print(f"| {name} | {len(pairs)} | {precision:.3f} | {recall:.3f} | {f1:.3f} |")


def main() -> None:
    """Read the arguments and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="xx_news_sm", help="name or path")
    parser.add_argument("--english", default=EntitySettings().model, help="the model for the English documents")
    parser.add_argument("--ner", type=Path, default=Path("../shared/ner"))
    parser.add_argument("--documents-only", action="store_true")
    arguments = parser.parse_args()
    if not arguments.documents_only:
        by_language(arguments.model, arguments.ner)
    documents(EntitySettings(model=arguments.english, other_languages=arguments.model))


if __name__ == "__main__":
    main()
