"""Train the small English model: ``python -m training.train_ner ../shared/ner pipeline/enrich/models/en_news_sm``.

A spaCy pipeline of ``name_lists`` and ``ner`` (convolutional, trained from nothing). Fixed seeds: the same machine
gives the same model.
"""

# ruff: noqa: E402 - thread limits are set before numpy is imported
from __future__ import annotations

import os

for _variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS"):
    os.environ.setdefault(_variable, "1")

import argparse
import random
import re
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import spacy
from spacy.language import Language
from spacy.strings import hash_string
from spacy.tokens import Doc
from spacy.training import Example
from spacy.util import fix_random_seed
from spacy.vectors import Vectors
from thinc.api import Adam, NumpyOps, set_current_ops

import pipeline.enrich.name_lists  # noqa: F401 - registers the component
from training import corpora, names
from training.corpora import LABELS, OTHER, Sentence, Span
from training.scores import Scores

WNUT = {
    "person": "PER", "location": "LOC", "corporation": "ORG", "group": "ORG", "product": OTHER, "creative-work": OTHER,
}  # fmt: skip

MODEL: dict[str, Any] = {
    "@architectures": "spacy.TransitionBasedParser.v2",
    "state_type": "ner",
    "extra_state_tokens": False,
    "hidden_width": 64,
    "maxout_pieces": 2,
    "use_upper": True,
}


def architecture(width: int, depth: int, hidden: int, rows: Sequence[int], *, vectors: bool) -> dict[str, Any]:
    """The entity recogniser's model: hash embeddings of word, affixes, shape and lists, then convolutions.

    ``rows`` are the sizes of the embeddings' tables, in this order.
    """
    return {
        **MODEL,
        "hidden_width": hidden,
        "tok2vec": {
            "@architectures": "spacy.Tok2Vec.v2",
            "embed": {
                "@architectures": "spacy.MultiHashEmbed.v2",
                "width": width,
                "attrs": ["NORM", "PREFIX", "SUFFIX", "SHAPE", "TAG"],
                "rows": list(rows),
                "include_static_vectors": vectors,
            },
            "encode": {
                "@architectures": "spacy.MaxoutWindowEncoder.v2",
                "width": width,
                "depth": depth,
                "window_size": 1,
                "maxout_pieces": 3,
            },
        },
    }


# ------------------------------------------------------------------------------------------------- data


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


class Variation:
    """Replaces names in a sentence by others of their kind, so that the model learns contexts, not names."""

    def __init__(self, rng: random.Random, seen: Iterable[Sentence]) -> None:
        self.rng = rng
        first, last = names.person_names()
        self.first, self.last = sorted(first), sorted(last)
        known = names.places()
        self.places = [sorted(known["country"]), sorted(known["region"]), sorted(known["city"]), sorted(known["town"])]
        found = Counter(s.text[a:b] for s in seen for a, b, label in s.spans if label == "ORG")
        self.organizations = sorted(names.organizations() | {name for name in found if len(name) > 3})

    def __call__(self, sentence: Sentence, chance: float) -> Sentence:
        """The sentence with some names replaced."""
        marked = sorted([(*s, True) for s in sentence.spans] + [(*u, False) for u in sentence.unknown])
        text, spans, unknown, position = "", [], [], 0
        for start, end, label, known in marked:
            if start < position:
                continue
            text += sentence.text[position:start]
            name = sentence.text[start:end]
            if known and self.rng.random() < chance:
                name = self.other(name, label)
            (spans if known else unknown).append((len(text), len(text) + len(name), label))
            text += name
            position = end
        return Sentence(text + sentence.text[position:], tuple(spans), sentence.source, tuple(unknown))

    def other(self, name: str, label: str) -> str:
        """Another name of the same kind and about the same length."""
        words = len(name.split())
        if label == "PER":
            if words == 1:
                return self.rng.choice(self.last if self.rng.random() < 0.8 else self.first)
            middle = f" {self.rng.choice('ABCDEFGHJKLMNPRSTW')}." if words > 2 and self.rng.random() < 0.5 else ""
            return f"{self.rng.choice(self.first)}{middle} {self.rng.choice(self.last)}"
        if label == "LOC":
            return self.rng.choice(self.rng.choices(self.places, (1, 2, 3, 3))[0])
        return self.rng.choice(self.organizations) if label == "ORG" else name


def texts(
    training: dict[str, list[Sentence]], repeats: dict[str, float], rng: random.Random, breaks: float = 0.0
) -> list[Sentence]:
    """One epoch: neighbouring sentences joined to texts of one to four, in random order.

    ``breaks`` is the share of the texts whose sentences are paragraphs.
    """
    result: list[Sentence] = []
    for name, sentences in training.items():
        wanted = repeats.get(name, 1.0)
        while wanted > 0:
            position = 0
            while position < len(sentences):
                size = rng.choice((1, 1, 2, 3, 4))
                if rng.random() < wanted:
                    between = "\n\n" if breaks and rng.random() < breaks else " "
                    result.append(join(sentences[position : position + size], between))
                position += size
            wanted -= 1
    rng.shuffle(result)
    return result


def join(sentences: Sequence[Sentence], between: str = " ") -> Sentence:
    """Several sentences as one text."""
    text, spans, unknown = "", [], []
    for sentence in sentences:
        offset = len(text) + len(between) if text else 0
        text = f"{text}{between}{sentence.text}" if text else sentence.text
        spans += [(a + offset, b + offset, label) for a, b, label in sentence.spans]
        unknown += [(a + offset, b + offset, label) for a, b, label in sentence.unknown]
    return Sentence(text, tuple(spans), sentences[0].source, tuple(unknown))


def typeset(sentence: Sentence, rng: random.Random) -> Sentence:
    """Now and then a text as pages have it: with curly quotes, as an item of a list, with what isn't prose after it."""
    text, spans, unknown = sentence.text, sentence.spans, sentence.unknown
    if rng.random() < 0.4:
        single = rng.random() < 0.4
        opening, closing = ("‘", "’") if single else ("“", "”")
        text = re.sub('(^|(?<=[ \n(]))"', opening, text).replace('"', closing).replace("'", "’")
    if rng.random() < 0.04:
        mark = rng.choice(("• ", "- ", "– ", "* "))
        text = mark + text
        spans, unknown = (tuple((a + len(mark), b + len(mark), c) for a, b, c in part) for part in (spans, unknown))
    if rng.random() < 0.04:
        text = f"{text}\n\n{rng.choice(FURNITURE)}"
    return Sentence(text, spans, sentence.source, unknown)


FURNITURE = """Read More|Read Full Article|Continue Reading|Read the full story|Share this article|Share on Facebook
Sign up for our newsletter|Subscribe Now|Related Articles|Related Stories|More on this story|Advertisement
Story continues below|Follow us on Twitter|Click here to subscribe|Most Popular|Editor's Picks|Recommended For You
Scroll down for video|Watch Live|Photo Gallery|Latest News|Breaking News|Top Stories|Back to Top|Leave a Comment
Terms of Use|Privacy Policy|Cookie Settings|All Rights Reserved|View Comments|Print|Email|Listen|Image|Caption
Don't Miss|You May Also Like|What To Know|In Pictures|Key Points|Live Updates|Trending""".replace("\n", "|").split("|")
"""What stands around articles on pages: never a name in training."""


def example(nlp: Language, sentence: Sentence) -> Example:
    """A spaCy example; names that don't fit the tokens, and unknown ones, are set to missing."""
    lists: Any = nlp.get_pipe("name_lists")
    predicted: Doc = lists(nlp.make_doc(sentence.text))
    reference = nlp.make_doc(sentence.text)
    found, missing, used = [], [], set()
    for start, end, label in sentence.spans:
        span = reference.char_span(start, end, label=label)
        if span is None or used & set(range(span.start, span.end)):
            loose = reference.char_span(start, end, alignment_mode="expand")
            if loose is not None and not used & set(range(loose.start, loose.end)):
                missing.append(loose)
                used |= set(range(loose.start, loose.end))
            continue
        used |= set(range(span.start, span.end))
        found.append(span)
    for start, end, _ in sentence.unknown:
        loose = reference.char_span(start, end, alignment_mode="expand")
        if loose is not None and not used & set(range(loose.start, loose.end)):
            missing.append(loose)
            used |= set(range(loose.start, loose.end))
    reference.set_ents(found, missing=missing, default="outside")
    return Example(predicted, reference)


def batches(items: Iterable[Sentence], words: int) -> Iterator[list[Sentence]]:
    """Groups of about so many words."""
    batch: list[Sentence] = []
    size = 0
    for item in items:
        batch.append(item)
        size += item.text.count(" ") + 1
        if size >= words:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


# ----------------------------------------------------------------------------------------------- training


def evaluate(nlp: Language, sentences: Sequence[Sentence]) -> Scores:
    """Strict scores of a pipeline on sentences, one at a time, as raw text."""
    scores = Scores()
    for sentence, doc in zip(sentences, nlp.pipe((s.text for s in sentences), batch_size=256), strict=True):
        found = [(ent.start_char, ent.end_char, ent.label_) for ent in doc.ents]
        scores.add(found, sentence.spans, sentence.unknown)
    return scores


def train(
    folder: Path,
    target: Path,
    *,
    epochs: int,
    width: int,
    depth: int,
    hidden: int,
    minutes: float,
    chance: float,
    drop: float,
    gmb: float,
    gold: float,
    rate: float,
    start: Path | None,
    vectors: Path | None,
    relabelled: Path | None,
    breaks: float,
) -> None:
    """Train, measure after each epoch, keep the best by the mean of WikiGold, PUD and EWT dev."""
    fix_random_seed(0)
    set_current_ops(NumpyOps(use_blis=False))  # on x86 servers BLIS trains three times slower than OpenBLAS
    rng = random.Random(0)
    training, evaluation = load(folder)
    if relabelled is not None:
        training["gmb"] = corpora.lines(relabelled, "gmb")
    print({name: len(found) for name, found in training.items()}, flush=True)
    nlp = begin(training["ewt"][:200], width, depth, hidden, vectors) if start is None else spacy.load(start)
    optimizer = Adam(rate, beta1=0.9, beta2=0.999, L2=0.01, L2_is_weight_decay=True, grad_clip=1.0, use_averages=True)
    vary = Variation(rng, [s for found in training.values() for s in found])
    repeats = {"gmb": gmb, "ewt": gold, "redocred": gold, "wnut": 1.0}
    started, best, step = time.monotonic(), 0.0, 0
    # Texts have 2.2 sentences on average, see texts().
    total = epochs * sum(len(found) * repeats[name] for name, found in training.items()) / 2.2
    done = 0
    for epoch in range(epochs):
        losses: dict[str, float] = {}
        words, began = 0, time.monotonic()
        for batch in batches(texts(training, repeats, rng, breaks), 600 if epoch == 0 and start is None else 1200):
            step += 1
            progress = max(done / total, (time.monotonic() - started) / 60 / minutes)
            optimizer.learn_rate = rate * min(1.0, step / 200) * max(0.03, 1.0 - progress)  # type: ignore[misc]
            varied = [vary(s, chance) if rng.random() < 0.6 else s for s in batch]
            if breaks:
                varied = [typeset(s, rng) for s in varied]
            examples = [example(nlp, s) for s in varied]
            words += sum(len(e.predicted) for e in examples)
            nlp.update(examples, sgd=optimizer, drop=drop, losses=losses)
            done += len(batch)
            if (time.monotonic() - started) / 60 > minutes:
                break
        with nlp.use_params(optimizer.averages):
            results = {name: evaluate(nlp, sentences) for name, sentences in evaluation.items()}
            mean = sum(results[name].f1() for name in ("wikigold", "pud_en", "ewt_dev")) / 3
            passed = time.monotonic() - started
            speed = words / (time.monotonic() - began)
            print(
                f"epoch {epoch}: {passed / 60:.1f} min, {speed:.0f} words/s, loss {losses['ner']:.0f}, mean {mean:.2f}"
            )
            for name, result in results.items():
                print(f"   {name}: {result}", flush=True)
            if mean > best:
                best = mean
                save(nlp, target)
        if passed / 60 > minutes:
            break


def begin(sample: Sequence[Sentence], width: int, depth: int, hidden: int, vectors: Path | None) -> Language:
    """An untrained pipeline."""
    nlp = spacy.blank("en")
    if vectors is not None:
        nlp.vocab.vectors = word_vectors(vectors, nlp)
    nlp.add_pipe("name_lists").fill(names.lists())  # type: ignore[attr-defined]
    rows = (8000, 2000, 3500, 2000, 400) if vectors is None else (5000, 1500, 3000, 1500, 400)
    model = architecture(width, depth, hidden, rows, vectors=vectors is not None)
    ner = nlp.add_pipe("ner", config={"model": model})
    for label in (*LABELS, OTHER):
        ner.add_label(label)  # type: ignore[attr-defined]
    examples = [example(nlp, s) for s in sample]
    nlp.initialize(lambda: examples)
    return nlp


def word_vectors(path: Path, nlp: Language) -> Vectors:
    """The table that ``training.word_vectors`` made; "word", "Word" and "WORD" share a vector."""
    table = np.load(path)
    data = table["vectors"].astype(np.float32)
    # Under each form, since what else spaCy could look words up by (attr="LOWER") isn't saved with the pipeline.
    rows: dict[int, int] = {}
    for row, word in enumerate(map(str, table["words"])):
        for form in (word, word.capitalize(), word.upper()):
            rows.setdefault(hash_string(form), row)  # the hash will do: the strings needn't ship
    return shared_vectors(nlp, data, rows)


def shared_vectors(nlp: Language, data: Any, rows: dict[int, int]) -> Vectors:
    """A table of vectors, and the row of each word's hash."""
    vectors = Vectors(strings=nlp.vocab.strings, data=data, name="minilm")
    for key in sorted(rows):
        vectors.add(key, row=rows[key])
    return vectors


def save(nlp: Language, target: Path) -> None:
    """Write the pipeline as an uncompressed folder, without the strings of the training texts."""
    nlp.meta["name"] = "news_sm"
    nlp.meta["version"] = "0.1.0"
    nlp.to_disk(target)


def main() -> None:
    """Read the arguments and train."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("corpora", type=Path)
    parser.add_argument("target", type=Path)
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--width", type=int, default=96)
    parser.add_argument("--depth", type=int, default=4)
    parser.add_argument("--hidden", type=int, default=64)
    parser.add_argument("--minutes", type=float, default=600, help="stop after this time")
    parser.add_argument("--chance", type=float, default=0.4, help="of a name to be replaced in a varied text")
    parser.add_argument("--drop", type=float, default=0.3)
    parser.add_argument("--gmb", type=float, default=0.5, help="share of GMB in each epoch")
    parser.add_argument("--gold", type=float, default=2.0, help="how often EWT and Re-DocRED come in each epoch")
    parser.add_argument("--rate", type=float, default=0.001, help="highest learning rate; it falls to nothing")
    parser.add_argument("--start", type=Path, help="a trained pipeline to go on from")
    parser.add_argument("--vectors", type=Path, help="word vectors as training.word_vectors wrote them")
    parser.add_argument("--breaks", type=float, default=0.0, help="share of texts in paragraphs, set as on pages")
    parser.add_argument("--relabelled", type=Path, help="GMB as training.relabel wrote it")
    a = parser.parse_args()
    train(
        a.corpora, a.target, epochs=a.epochs, width=a.width, depth=a.depth, hidden=a.hidden, minutes=a.minutes,
        chance=a.chance, drop=a.drop, gmb=a.gmb, gold=a.gold, rate=a.rate, start=a.start,
        vectors=a.vectors, relabelled=a.relabelled, breaks=a.breaks,
    )  # fmt: skip


if __name__ == "__main__":
    main()
