"""Read the open corpora of named entities into one form: text with PER, LOC and ORG spans.

Each corpus has its own habits. What is done about them stands beside its reader; the aim is one convention: names
of persons without titles, places as places even where they act ("Russia said"), no demonyms, organisations whole.
"""

# ruff: noqa: SIM905, SIM114 - word lists are easier to read as text
from __future__ import annotations

import csv
import io
import json
import re
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

Span = tuple[int, int, str]
"""Start and end character, label."""

LABELS = ("PER", "LOC", "ORG")
OTHER = "MISC"
"""Works, events, products: learned so that they aren't taken for one of the three; not scored."""


@dataclass(frozen=True, slots=True)
class Sentence:
    """A text with its spans. Nothing is known about ``unknown`` spans: they neither teach nor count."""

    text: str
    spans: tuple[Span, ...]
    source: str
    unknown: tuple[Span, ...] = ()


def joined(tokens: Sequence[str], labelled: Iterable[tuple[int, int, str]]) -> tuple[str, tuple[Span, ...]]:
    """Tokens as running text, with token spans (start, end, label) turned to character spans."""
    text, starts, ends = "", [], []
    open_quote = False
    glue = True
    for token in tokens:
        closing = token in _NO_SPACE_BEFORE or (token in ("'s", "n't") or token.lower() in _CLITICS)
        if token in ('"', "``", "''"):
            closing, is_quote = open_quote, True
            open_quote = not open_quote
            token = '"'
        else:
            is_quote = False
        if text and not glue and not closing:
            text += " "
        starts.append(len(text))
        text += token
        ends.append(len(text))
        glue = token in _NO_SPACE_AFTER or (is_quote and open_quote)
    return text, tuple((starts[a], ends[b - 1], label) for a, b, label in labelled)


_NO_SPACE_BEFORE = frozenset(". , ; : ! ? ) ] } % … ”".split())
_NO_SPACE_AFTER = frozenset("( [ { $ # £ € “".split())
_CLITICS = frozenset("'s 're 've 'm 'd 'll n't ' ’s".split())


def bio_spans(tags: Sequence[str]) -> Iterator[tuple[int, int, str]]:
    """Token spans of BIO, IOB1 and IOB2 tags."""
    start, label = 0, ""
    for position, tag in enumerate([*tags, "O"]):
        prefix, _, kind = tag.partition("-")
        if label and (prefix != "I" or kind != label):
            yield start, position, label
            label = ""
        if prefix in ("B", "I") and not label and kind:
            start, label = position, kind


# ---------------------------------------------------------------------------------------------- Universal NER


def uner(path: Path, source: str) -> Iterator[Sentence]:
    """Universal NER (IOB2 over a UD treebank): the original text, ``OTH`` as MISC, ``B-O`` left out."""
    for block in path.read_text(encoding="utf-8").split("\n\n"):
        text, tokens, tags = "", [], []
        for line in block.splitlines():
            if line.startswith("# text = "):
                text = line.removeprefix("# text = ")
            elif line and not line.startswith("#"):
                _, token, tag, *_ = line.split("\t")
                tokens.append(token)
                tags.append(tag.split("#")[0])
        if not tokens:
            continue
        places, position = [], 0
        for token in tokens:
            start = text.find(token, position)
            if start < 0:
                break
            position = start + len(token)
            places.append((start, position))
        if len(places) < len(tokens):
            continue
        kinds = {**{label: label for label in LABELS}, "OTH": OTHER}
        spans = tuple((places[a][0], places[b - 1][1], kinds[kind]) for a, b, kind in bio_spans(tags) if kind in kinds)
        yield Sentence(text, spans, source)


# ------------------------------------------------------------------------------------- Groningen Meaning Bank

_TITLES = frozenset(
    """president prime minister mr. mrs. ms. mr mrs ms dr. dr secretary general gen. lt. col. colonel major maj. captain
    capt. sgt. sergeant senator sen. rep. representative congressman king queen prince princess pope cardinal archbishop
    bishop ayatollah sheikh sheik mullah chancellor premier ambassador governor gov. mayor judge justice chief foreign
    defense interior vice deputy former presidents ministers president-elect envoy spokesman spokeswoman leader rev.
    reverend sir lord lady admiral commander lieutenant brigadier professor prof. presidential imam cleric hurricane
    chairman director state attorney crown grand sultan emir vice-president undersecretary assistant opposition rebel
    then-president ex-president"""
    .split()
)  # fmt: skip
_DAYS = frozenset(
    "monday tuesday wednesday thursday friday saturday sunday january february march april june july august september "
    "october november december".split()
)


def gmb(path: Path, countries: frozenset[str]) -> Iterator[Sentence]:
    """Groningen Meaning Bank, as re-released in one CSV file; labels came from tools and are cleaned here.

    ``per``: titles in front are cut off. ``gpe``: countries are places, demonyms nothing. ``geo``: places.
    ``org``: countries are places; single common words and persons' titles are unknown.
    """
    with zipfile.ZipFile(path) as archive:
        name = next(n for n in archive.namelist() if n.endswith(".csv") and not n.startswith("__"))
        lines = io.TextIOWrapper(archive.open(name), encoding="latin-1", newline="")
        rows = csv.reader(lines)
        next(rows)
        tokens: list[str] = []
        tags: list[str] = []
        for number, token, _, tag in rows:
            if number and tokens:
                yield _gmb_sentence(tokens, tags, countries)
                tokens, tags = [], []
            tokens.append(token.strip() or "-")
            tags.append(tag)
        yield _gmb_sentence(tokens, tags, countries)


def _gmb_sentence(tokens: list[str], tags: list[str], countries: frozenset[str]) -> Sentence:
    spans: list[tuple[int, int, str]] = []
    unknown: list[tuple[int, int, str]] = []
    for start, end, kind in bio_spans(tags):
        words = tokens[start:end]
        while len(words) > 1 and words[-1] in ("'s", "'", ",", "."):
            words, end = words[:-1], end - 1
        phrase = " ".join(words)
        if kind == "per":
            while len(words) > 1 and words[0].lower() in _TITLES:
                words, start = words[1:], start + 1
            if words[0].lower() in _TITLES | _DAYS or not words[0][:1].isupper():
                continue
            if " ".join(words) in countries:
                spans.append((start, end, "LOC"))
            else:
                spans.append((start, end, "PER"))
        elif kind == "gpe":
            if phrase in countries:
                spans.append((start, end, "LOC"))
        elif kind == "geo":
            if words[0].lower() in _DAYS:
                continue
            spans.append((start, end, "LOC"))
        elif kind == "org":
            if phrase in countries:
                spans.append((start, end, "LOC"))
            elif words[0].lower() in _TITLES and len(words) <= 2:
                unknown.append((start, end, "ORG"))
            elif not any(word[:1].isupper() for word in words):
                unknown.append((start, end, "ORG"))
            else:
                spans.append((start, end, "ORG"))
        elif kind in ("art", "eve", "nat"):
            unknown.append((start, end, ""))
    text, placed = joined(tokens, [*spans, *unknown])
    return Sentence(text, tuple(placed[: len(spans)]), "gmb", tuple(placed[len(spans) :]))


# ------------------------------------------------------------------------------------------------- Re-DocRED


def redocred(paths: Iterable[Path], demonyms: frozenset[str]) -> Iterator[Sentence]:
    """Re-DocRED (Wikipedia introductions). Demonyms are LOC there and nothing here."""
    for path in paths:
        for document in json.loads(path.read_text(encoding="utf-8")):
            labelled: list[list[tuple[int, int, str]]] = [[] for _ in document["sents"]]
            for vertex in document["vertexSet"]:
                for mention in vertex:
                    labelled[mention["sent_id"]].append((*mention["pos"], mention["type"]))
            for tokens, found in zip(document["sents"], labelled, strict=True):
                spans, unknown, used = [], [], set()
                for start, end, kind in sorted(set(found), key=lambda s: (s[0] - s[1], s[0])):
                    if start >= end or used & set(range(start, end)):
                        continue
                    used |= set(range(start, end))
                    if tokens[start] in ("the", "The") and end - start > 1 and kind == "LOC":
                        start += 1
                    phrase = " ".join(tokens[start:end])
                    if kind == "LOC" and phrase in demonyms:
                        continue
                    if kind in LABELS:
                        spans.append((start, end, kind))
                    elif kind == "MISC" and phrase not in demonyms and any(t[:1].isupper() for t in tokens[start:end]):
                        spans.append((start, end, OTHER))
                clean = [token.replace("\u200b", "") or "-" for token in tokens]
                text, placed = joined(clean, [*spans, *unknown])
                yield Sentence(text, tuple(placed[: len(spans)]), "redocred", tuple(placed[len(spans) :]))


# -------------------------------------------------------------------------------------------------- the others


def conll(path: Path, source: str, mapping: dict[str, str], *, separator: str | None = None) -> Iterator[Sentence]:
    """Column files with the tag last: WikiGold, WNUT, BTC. Labels outside ``mapping`` are dropped."""
    for block in re.split(r"\n\s*\n", path.read_text(encoding="utf-8")):
        rows = [line.split(separator) for line in block.splitlines() if line.strip()]
        rows = [row for row in rows if len(row) >= 2 and row[0] != "-DOCSTART-"]
        if not rows:
            continue
        tokens = [row[0] for row in rows]
        spans = [(a, b, mapping[k]) for a, b, k in bio_spans([row[-1] for row in rows]) if k in mapping]
        text, placed = joined(tokens, spans)
        yield Sentence(text, placed, source)


def btc(folder: Path) -> Iterator[Sentence]:
    """Broad Twitter Corpus. User names are neither taught nor counted."""
    for path in sorted(folder.glob("*.conll")):
        for block in path.read_text(encoding="utf-8").replace("\r", "").split("\n\n"):
            rows = [line.rsplit("\t", 1) for line in block.splitlines()]
            rows = [row for row in rows if len(row) == 2 and row[0].strip()]
            if not rows:
                continue
            words = [row[0].strip() for row in rows]
            text, spans = joined(words, [s for s in bio_spans([row[1] for row in rows]) if s[2] in LABELS])
            handles = [s for s in spans if text[s[0]] == "@" or text[max(0, s[0] - 1) : s[0]] in ("@", "#")]
            yield Sentence(text, tuple(s for s in spans if s not in handles), "btc", tuple(handles))


def normalised(text: str) -> str:
    """A sentence without case, blanks and signs, to find the same one in two corpora."""
    return re.sub(r"\W+", "", text).casefold()


def without_overlap(sentences: Iterable[Sentence], held_out: Iterable[Sentence]) -> list[Sentence]:
    """The sentences that don't also stand in the evaluation sets."""
    seen = {normalised(sentence.text) for sentence in held_out}
    return [sentence for sentence in sentences if normalised(sentence.text) not in seen]
