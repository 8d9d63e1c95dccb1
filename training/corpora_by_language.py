"""Read the corpora of other languages than English into the form of ``training.corpora``.

One convention for all: names of persons without titles, places as places even where they act, no adjectives or
compounds made from names ("deutsch", "DLR-Forscher"); works, events and products as MISC.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from training.corpora import OTHER, Sentence, Span, bio_spans, conll, joined, uner, without_overlap

LANGUAGES = ("pt", "de", "ru", "sv", "da", "no", "fi")
"""In the order of the tables."""


@dataclass(frozen=True, slots=True)
class Corpora:
    """Sentences by language. ``dev`` chooses between models, ``test`` is only measured; neither is in ``train``."""

    train: dict[str, list[Sentence]]
    dev: dict[str, list[Sentence]]
    test: dict[str, list[Sentence]]


def load(folder: Path) -> Corpora:
    """The corpora below ``folder`` (``../shared/ner``), each with a part kept aside where it has no test set."""
    train, dev = folder / "train", folder / "dev"
    germeval = [
        *germeval2014(train / "germeval2014_de/NER-de-dev.tsv"),
        *germeval2014(train / "germeval2014_de/NER-de-test.tsv"),
    ]
    nynorsk = train / "norne/ud/nno"
    norne_test = list(norne(nynorsk / "no_nynorsk-ud-test.conllu"))
    fact_train, fact_test = _apart(list(factrueval(train / "factrueval_ru")), 25)
    german_train, german_test = _apart(germeval, 40)
    half = len(norne_test) // 2
    corpora = Corpora(
        train={
            "pt": [
                *portuguese(train / "uner_pt_bosque/pt_bosque-ud-train.iob2"),
                *portuguese(train / "uner_pt_bosque/pt_bosque-ud-dev.iob2"),
            ],
            "de": german_train,
            "ru": fact_train,
            "sv": list(uner(train / "uner_sv_talbanken/sv_talbanken-ud-train.iob2", "sv")),
            "da": list(uner(train / "uner_da_ddt/da_ddt-ud-train.iob2", "da")),
            "no": [*norne(nynorsk / "no_nynorsk-ud-dev.conllu"), *norne_test[:half]],
            "fi": list(turku(train / "turku_fi/train.tsv")),
        },
        dev={
            "pt": list(portuguese(dev / "uner_pt_pud/pt_pud-ud-test.iob2")),
            "de": list(uner(dev / "uner_de_pud/de_pud-ud-test.iob2", "de")),
            "ru": list(uner(dev / "uner_ru_pud/ru_pud-ud-test.iob2", "ru")),
            "sv": list(uner(train / "uner_sv_talbanken/sv_talbanken-ud-dev.iob2", "sv")),
            "da": list(uner(train / "uner_da_ddt/da_ddt-ud-dev.iob2", "da")),
            "no": norne_test[half : half + half // 2],
            "fi": list(turku(train / "turku_fi/dev.tsv")),
        },
        test={
            "pt": list(portuguese(train / "uner_pt_bosque/pt_bosque-ud-test.iob2")),
            "de": german_test,
            "ru": fact_test,
            "sv": list(uner(train / "uner_sv_talbanken/sv_talbanken-ud-test.iob2", "sv")),
            "da": list(uner(train / "uner_da_ddt/da_ddt-ud-test.iob2", "da")),
            "no": norne_test[half + half // 2 :],
            "fi": list(turku(train / "turku_fi/test.tsv")),
        },
    )
    held_out = [s for part in (corpora.dev, corpora.test) for found in part.values() for s in found if len(s.text) > 20]
    return replace(corpora, train={code: without_overlap(found, held_out) for code, found in corpora.train.items()})


TEST_NAMES = {
    "pt": "UNER Bosque test", "de": "GermEval 2014, held out", "ru": "FactRuEval 2016, held out",
    "sv": "UNER Talbanken test", "da": "UNER DDT test", "no": "NorNE Nynorsk, held out", "fi": "Turku test",
}  # fmt: skip
DEV_NAMES = {
    "pt": "PUD pt", "de": "PUD de", "ru": "PUD ru", "sv": "UNER Talbanken dev", "da": "UNER DDT dev",
    "no": "NorNE Nynorsk, kept for choosing", "fi": "Turku dev",
}  # fmt: skip


def _apart(sentences: list[Sentence], block: int) -> tuple[list[Sentence], list[Sentence]]:
    """Training and held-out sentences: every eighth block of neighbours is held out."""
    held = [n // block % 8 == 5 for n in range(len(sentences))]
    return (
        [s for s, out in zip(sentences, held, strict=True) if not out],
        [s for s, out in zip(sentences, held, strict=True) if out],
    )


_CONTRACTED = {"de": "d", "em": "n", "por": "pel"}
_TAKEN_APART = re.compile(
    r"\b(?:([Dd]e|[Ee]m|[Pp]or) (os?|as?)"
    r"|([Dd]e|[Ee]m) (uma?s?|el[ea]s?|est[ea]s?|ess[ea]s?|aquel[ea]s?|isto|isso|aquilo)|([Aa]) (os?|as?))\b"
)


def portuguese(path: Path) -> Iterator[Sentence]:
    """Universal NER in Portuguese, whose texts have the contractions taken apart: put together as in newspapers."""
    for sentence in uner(path, "pt"):
        text, position, cuts = "", 0, []
        for found in _TAKEN_APART.finditer(sentence.text):
            first, second = (part for part in found.groups() if part)
            if any(start == found.start() + len(first) + 1 for start, _, _ in sentence.spans):
                continue  # the article belongs to a name
            if first in "aA":
                whole = f"a{second}" if second.startswith("o") else f"à{second[1:]}"
            else:
                whole = _CONTRACTED[first.lower()] + second
            whole = whole.capitalize() if first[0].isupper() else whole
            text += sentence.text[position : found.start()] + whole
            position = found.end()
            cuts.append((found.start(), found.end(), len(text)))
        text += sentence.text[position:]

        def moved(offset: int, cuts: list[tuple[int, int, int]] = cuts) -> int:
            before = [cut for cut in cuts if cut[1] <= offset]
            return before[-1][2] + offset - before[-1][1] if before else offset

        yield Sentence(text, tuple((moved(a), moved(b), kind) for a, b, kind in sentence.spans), "pt")


def germeval2014(path: Path) -> Iterator[Sentence]:
    """GermEval 2014, outer names. Derived words are nothing; compounds with a name in them are unknown."""
    kinds = {"PER": "PER", "LOC": "LOC", "ORG": "ORG", "OTH": OTHER}
    for block in path.read_text(encoding="utf-8").split("\n\n"):
        rows = [line.split("\t") for line in block.splitlines() if line and not line.startswith("#")]
        if not rows:
            continue
        found = list(bio_spans([row[2] for row in rows]))
        spans = [(a, b, kinds[kind]) for a, b, kind in found if kind in kinds]
        unknown = [(a, b, "") for a, b, kind in found if kind.endswith("part")]
        text, placed = joined([row[1] for row in rows], [*spans, *unknown])
        yield Sentence(text, placed[: len(spans)], "de", placed[len(spans) :])


def turku(path: Path) -> Iterator[Sentence]:
    """The Turku corpus: products and events as MISC, dates left out."""
    return conll(path, "fi", {"PER": "PER", "LOC": "LOC", "ORG": "ORG", "PRO": OTHER, "EVENT": OTHER}, separator="\t")


def norne(path: Path) -> Iterator[Sentence]:
    """NorNE: states are places whatever they do; products and events as MISC; words derived from names unknown."""
    kinds = {
        "PER": "PER", "LOC": "LOC", "ORG": "ORG", "GPE_LOC": "LOC", "GPE_ORG": "LOC", "PROD": OTHER, "EVT": OTHER,
    }  # fmt: skip
    for block in path.read_text(encoding="utf-8").split("\n\n"):
        rows = [line.split("\t") for line in block.split("\n") if line and not line.startswith("#")]
        rows = [row for row in rows if row[0].isdigit() and len(row) == 10]  # the last line may be cut off
        if not rows:
            continue
        text, places = "", []
        for row in rows:
            places.append((len(text), len(text) + len(row[1])))
            text += row[1] if "SpaceAfter=No" in row[9] else row[1] + " "
        tags = [(re.search(r"name=([\w-]+)", row[9]) or ["", "O"])[1] for row in rows]
        found = [(places[a][0], places[b - 1][1], kind) for a, b, kind in bio_spans(tags)]
        yield Sentence(
            text.rstrip(),
            tuple((a, b, kinds[kind]) for a, b, kind in found if kind in kinds),
            "no",
            tuple((a, b, "") for a, b, kind in found if kind not in kinds),
        )


def factrueval(folder: Path) -> Iterator[Sentence]:
    """FactRuEval 2016: objects made of typed parts. Names only, without the words that describe or rank them.

    A common noun before a name ("движения Солидарность") is left out; a capitalised one is part of it
    ("Министерство обороны"), and so is one behind an adjective ("Тверской площади").
    """
    for tokens in sorted(folder.glob("*set/*.tokens")):
        text = tokens.with_suffix(".txt").read_text(encoding="utf-8")
        parts: dict[str, tuple[str, int, int]] = {}
        for line in _lines(tokens.with_suffix(".spans")):
            number, kind, start, length, *_ = line.split()
            parts[number] = kind, int(start), int(start) + int(length)
        spans: list[Span] = []
        for line in _lines(tokens.with_suffix(".objects")):
            _, kind, *rest = line.split("#")[0].split()
            span = _factrueval_span(kind, [parts[number] for number in rest if number in parts], text)
            if span is not None:
                spans.append(span)
        spans = _outermost(spans)
        for first, last in _sentences(tokens, text):
            inside = [(a - first, b - first, kind) for a, b, kind in spans if first <= a and b <= last]
            yield Sentence(text[first:last].replace("\n", " "), tuple(inside), "ru")


def _factrueval_span(kind: str, parts: list[tuple[str, int, int]], text: str) -> Span | None:
    names = {
        "Person": ("name", "surname", "patronymic", "nickname"),
        "Location": ("loc_name",),
        "LocOrg": ("loc_name",),
        "Org": ("org_name",),
    }.get(kind)
    if names is None or not parts:
        return None
    kept = [part for part in parts if part[0] in names]
    described = [part for part in parts if part[0] in ("org_descr", "loc_descr")]
    if kind == "Org" and (not kept or any(text[a].isupper() for _, a, _ in described)):
        if not any(text[a].isupper() for _, a, _ in described):
            return None
        kept = parts
    elif kind == "Location" and kept:
        end = max(b for _, _, b in kept)
        kept += [part for part in described if end <= part[1] <= end + 1]
    if not kept:
        return None
    start, end = min(a for _, a, _ in kept), max(b for _, _, b in kept)
    if not text[start].isupper() or end - start > 80:
        return None
    return start, end, {"Person": "PER", "Org": "ORG"}.get(kind, "LOC")


def _outermost(spans: Iterable[Span]) -> list[Span]:
    kept: list[Span] = []
    for span in sorted(set(spans), key=lambda s: (s[0] - s[1], s[0], s[2])):
        if not any(span[0] < b and a < span[1] for a, b, _ in kept):
            kept.append(span)
    return sorted(kept)


def _sentences(path: Path, text: str) -> Iterator[tuple[int, int]]:
    for block in path.read_text(encoding="utf-8").split("\n\n"):
        rows = [line.split() for line in block.splitlines() if line.strip()]
        if rows:
            last = int(rows[-1][1]) + int(rows[-1][2])
            yield int(rows[0][1]), min(last, len(text))


def _lines(path: Path) -> list[str]:
    return [line for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
