"""What the English models learn from and are measured on, in one convention."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path

from training import corpora, names
from training.corpora import LABELS, OTHER, Sentence, Span

WNUT = {
    "person": "PER", "location": "LOC", "corporation": "ORG", "group": "ORG", "product": OTHER, "creative-work": OTHER,
}  # fmt: skip


def load(folder: Path) -> tuple[dict[str, list[Sentence]], dict[str, list[Sentence]]]:
    """Training and evaluation sentences by corpus. The evaluation sentences are in no training corpus."""
    peoples = frozenset((names.DATA / "demonyms.txt").read_text(encoding="utf-8").split("\n")) - {""}
    countries = names.places()["country"]
    evaluation = {
        "wikigold": list(
            corpora.conll(folder / "dev/wikigold/wikigold.conll.txt", "wikigold", {label: label for label in LABELS})
        ),
        "pud_en": list(corpora.uner(folder / "dev/uner_en_pud/en_pud-ud-test.iob2", "pud_en")),
        "ewt_dev": list(corpora.uner(folder / "train/uner_en_ewt/en_ewt-ud-dev.iob2", "ewt_dev")),
    }
    gmb = [clean(s, peoples) for s in corpora.gmb(folder / "train/gmb/ner_dataset.zip", countries)]
    gmb = by_majority(gmb)
    # Sentences of one document stand together: whole blocks are kept aside.
    kept = [s for number, s in enumerate(gmb) if number // 40 % 20 == 7]
    gmb = [s for number, s in enumerate(gmb) if number // 40 % 20 != 7]
    evaluation["gmb_held_out"] = kept
    red = corpora.redocred(
        [folder / "train/redocred/dev_revised.json", folder / "train/redocred/test_revised.json"], peoples
    )
    training = {
        "gmb": gmb,
        "ewt": list(corpora.uner(folder / "train/uner_en_ewt/en_ewt-ud-train.iob2", "ewt")),
        "redocred": [clean(s, peoples) for s in red],
        "wnut": list(corpora.conll(folder / "train/wnut17/wnut17train.conll", "wnut", WNUT, separator="\t")),
        "btc": list(corpora.btc(folder / "train/btc")),
    }
    held_out = [s for sentences in evaluation.values() for s in sentences if len(s.text) > 20]
    return {name: corpora.without_overlap(found, held_out) for name, found in training.items()}, evaluation


def clean(sentence: Sentence, peoples: frozenset[str]) -> Sentence:
    """Without demonyms; organisations without the office that follows them; places that are known as such."""
    known = names.places()
    spans: list[Span] = []
    for start, end, label in sentence.spans:
        phrase = sentence.text[start:end]
        if phrase in peoples:
            continue
        if label == "ORG":
            shorter = re.sub(
                r" (Secretary-General|President|Minister|Ambassador|Secretary|Chief|chief|General)$", "", phrase
            )
            end -= len(phrase) - len(shorter)
            phrase = shorter
            if phrase in known["region"] or phrase in ("Pyongyang", "Tehran", "Kabul", "New Delhi"):
                label = "LOC"
        spans.append((start, end, label))
    return Sentence(sentence.text, tuple(spans), sentence.source, sentence.unknown)


def by_majority(sentences: Sequence[Sentence]) -> list[Sentence]:
    """Give each name the type it has nearly everywhere; where a rare other type is left over, it is unknown."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for sentence in sentences:
        for start, end, label in sentence.spans:
            counts[sentence.text[start:end]][label] += 1
    result = []
    for sentence in sentences:
        spans: list[Span] = []
        unknown = list(sentence.unknown)
        for start, end, label in sentence.spans:
            seen = counts[sentence.text[start:end]]
            best, most = seen.most_common(1)[0]
            total = sum(seen.values())
            if best != label and total >= 4 and most / total >= 0.75:
                spans.append((start, end, best))
            elif best != label and total >= 4 and seen[label] / total < 0.25:
                unknown.append((start, end, ""))
            else:
                spans.append((start, end, label))
        result.append(Sentence(sentence.text, tuple(spans), sentence.source, tuple(unknown)))
    return result
