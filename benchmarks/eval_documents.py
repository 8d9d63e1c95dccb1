"""Measure entities and places of written documents from raw text, in the way runs make them.

``python -m benchmarks.eval_documents [FOLDER ...] [--model en_news_sm en_news_acc] [--errors]`` prints a Markdown row
for each model: B-cubed over mentions (one that is missed, made up or of the wrong type counts as wrong), marked places
with the right country, a wrong one, none, or not found at all, and persons and places that the text doesn't have.
Documents are marked as those of ``tests/data/enrich/entities`` are; ``config/entities.toml`` is applied.
"""

# ruff: noqa: E402 - thread limits are set before numpy is imported
from __future__ import annotations

import os

for _variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_variable, "1")

import argparse
import sys
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path

from pipeline.enrich.entities import EntityModel, load_entity_model
from pipeline.enrich.resolution import EntityReview, read_entity_review, resolve
from pipeline.models import Entity, EntityType, Mention
from pipeline.settings import EntitySettings

REPOSITORY = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(REPOSITORY))
sys.path.insert(0, str(REPOSITORY / "tests" / "enrich"))
from test_resolution import language_of, read_case

from benchmarks.eval_ner import b_cubed

UNCLEAR = "?"
"""The country of a place of which a text doesn't say which one is meant, or which no gazetteer has."""

Marked = list[tuple[Mention, str]]


def measure(model: EntityModel, paths: Sequence[Path], review: EntityReview, errors: bool) -> str:
    """The model's row over some documents; with ``errors`` what went wrong is printed, document by document."""
    pairs: list[tuple[float, float]] = []
    places: Counter[str] = Counter()
    made_up: Counter[EntityType] = Counter()
    for path in paths:
        headline, body, mentions, truth = read_case(path)
        marked = [(mention, truth[mention.start, mention.end][0]) for mention in mentions]
        (raw,) = model.mentions([body])
        entities = resolve(raw, body=body, headline=headline, review=review)
        pairs.append(b_cubed(entities, marked))
        told: list[str] = []
        countries = {m.start: truth[m.start, m.end][1] for m in mentions if m.type is EntityType.PLACE}
        for verdict, line in _places(entities, marked, countries):
            places[verdict] += 1
            if verdict not in ("right", "rightly open"):
                told.append(f"place {verdict}: {line}")
        for kind in (EntityType.PERSON, EntityType.PLACE):
            for entity in _made_up(entities, marked, kind):
                made_up[kind] += 1
                told.append(f"no {kind.value}: {entity.name} ({len(entity.mentions)})")
        told += _split_and_joined(entities, marked)
        if errors:
            precision, recall = pairs[-1]
            print(f"{path.stem}: P {precision:.2f} R {recall:.2f}", *sorted(told), sep="\n  ")
    precision, recall = (sum(values) / len(pairs) for values in zip(*pairs, strict=True))
    f1 = 2 * precision * recall / (precision + recall)
    sums = " | ".join(str(places[v]) for v in ("right", "wrong", "open", "not found"))
    return (
        f"| {model.name} | {len(pairs)} | {precision:.3f} | {recall:.3f} | {f1:.3f} | {sums} | "
        f"{places['made up']} of {places['made up'] + places['rightly open']} | "
        f"{made_up[EntityType.PERSON]} | {made_up[EntityType.PLACE]} |"
    )


def _places(entities: Sequence[Entity], marked: Marked, countries: dict[int, str | None]) -> list[tuple[str, str]]:
    """A verdict for each marked place of which the country is marked."""
    found = {
        (m.start, m.end): entity for entity in entities if entity.type is EntityType.PLACE for m in entity.mentions
    }
    by_name: dict[str, list[Mention]] = defaultdict(list)
    for mention, name in marked:
        if mention.type is EntityType.PLACE and countries[mention.start] is not None:
            by_name[name].append(mention)
    verdicts = []
    for group in by_name.values():
        wanted, text = countries[group[0].start], group[0].text
        entity = next((found[m.start, m.end] for m in group if (m.start, m.end) in found), None)
        got = entity.place.country if entity and entity.place else None
        if wanted == UNCLEAR:
            verdicts.append(("made up" if got else "rightly open", f"{text}: {got}"))
        elif entity is None:
            verdicts.append(("not found", f"{text} ({wanted})"))
        else:
            verdict = "open" if got is None else "right" if got == wanted else "wrong"
            verdicts.append((verdict, f"{text}: {got}, not {wanted}"))
    return verdicts


def _made_up(entities: Sequence[Entity], marked: Marked, kind: EntityType) -> list[Entity]:
    """Entities of a type that touch no marked mention of it."""
    spans = [(m.start, m.end) for m, _ in marked if m.type is kind]
    return [
        entity
        for entity in entities
        if entity.type is kind
        and not any(m.start < end and start < m.end for m in entity.mentions for start, end in spans)
    ]


def _split_and_joined(entities: Sequence[Entity], marked: Marked) -> list[str]:
    """What differs from the marks: mentions missed, wrongly cut or of another type, and entities split or joined."""
    told = []
    found = {(m.start, m.end): (m.type, number) for number, e in enumerate(entities) for m in e.mentions}
    gold = {(m.start, m.end): (m.type, name) for m, name in marked}
    texts = {(m.start, m.end): m.text for e in entities for m in e.mentions} | {
        (m.start, m.end): m.text for m, _ in marked
    }
    missed = Counter(f"{texts[s]} ({gold[s][0].value})" for s in gold if s not in found)
    told += [f"missed: {text} x{n}" for text, n in missed.items()]
    extra = Counter(
        f"{texts[s]} ({found[s][0].value})" for s in found if s not in gold and found[s][0] is not EntityType.OTHER
    )
    told += [f"extra: {text} x{n}" for text, n in extra.items()]
    other = Counter(
        f"{texts[s]}: {found[s][0].value}, not {gold[s][0].value}"
        for s in gold
        if s in found and found[s][0] != gold[s][0]
    )
    told += [f"type: {text} x{n}" for text, n in other.items()]
    ours: dict[int, set[str]] = defaultdict(set)
    theirs: dict[str, set[int]] = defaultdict(set)
    for span in gold.keys() & found.keys():
        if gold[span][0] == found[span][0]:
            ours[found[span][1]].add(gold[span][1])
            theirs[gold[span][1]].add(found[span][1])
    told += [f"joined: {entities[n].name}: {', '.join(sorted(names))}" for n, names in ours.items() if len(names) > 1]
    told += [
        f"split: {' / '.join(sorted(f'{entities[n].name} ({entities[n].type.value})' for n in numbers))}"
        for numbers in theirs.values()
        if len(numbers) > 1
    ]
    return told


def main() -> None:
    """Read the arguments and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "folders", nargs="*", type=Path, help="of marked English documents; default: those of the tests"
    )
    parser.add_argument("--model", nargs="+", default=["en_news_sm", "en_news_acc"], help="names or paths")
    parser.add_argument("--errors", action="store_true", help="say what went wrong in each document")
    arguments = parser.parse_args()
    folders = arguments.folders or sorted((REPOSITORY / "tests" / "data" / "enrich").glob("entities*"))
    review = read_entity_review(REPOSITORY / "config" / "entities.toml")
    rows = []
    for folder in folders:
        paths = [path for path in sorted(folder.glob("*.txt")) if language_of(path) == "en"]
        for name in arguments.model:
            model = load_entity_model(EntitySettings(model=name))
            assert model is not None
            rows.append((folder.name, measure(model, paths, review, arguments.errors)))
    for folder_name in dict.fromkeys(name for name, _ in rows):
        print(f"\n{folder_name}\n")
        print(
            "| model | documents | P | R | B-cubed F1 | country right | wrong | open | not found | open by right, yet",
            end="",
        )
        print(" placed | persons made up | places made up |")
        print("|---|---|---|---|---|---|---|---|---|---|---|---|")
        print(*(row for name, row in rows if name == folder_name), sep="\n")


if __name__ == "__main__":
    main()
