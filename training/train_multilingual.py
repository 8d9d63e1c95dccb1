"""Train the small model for Portuguese, German, Russian, Swedish, Danish, Norwegian and Finnish together.

``python -m training.train_multilingual ../shared/ner build/model_xx``: a spaCy pipeline of ``name_lists`` and ``ner``
(convolutional), trained from nothing on all seven. ``--only ru`` trains one language, for comparison. Fixed
seeds: the same machine gives the same model.
"""

# ruff: noqa: E402 - thread limits are set before numpy is imported
from __future__ import annotations

import os

for _variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS"):
    os.environ.setdefault(_variable, "1")

import argparse
import random
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import spacy
from spacy.language import Language
from spacy.util import fix_random_seed
from thinc.api import Adam, NumpyOps, set_current_ops

import pipeline.enrich.name_lists  # noqa: F401 - registers the component
from training import corpora_in_english, names_by_language
from training.corpora import LABELS, OTHER, Sentence
from training.corpora_by_language import LANGUAGES, Corpora, load
from training.examples import evaluate, example
from training.scores import Scores
from training.variation import join, with_other_names

REPEATS = {"pt": 1, "de": 2, "ru": 2, "sv": 1, "da": 1, "no": 2, "fi": 1, "en": 1}
"""How often a language's sentences come in an epoch. English ones teach names and their surroundings."""

ROWS = (9000, 2500, 5000, 2500, 400)
"""Of the tables of words, first letters, last letters, shapes and lists. Last letters are many: the cases are there."""


class Variation:
    """Replaces names by others of the same language, label, length and ending, so that cases still agree."""

    def __init__(self, rng: random.Random, training: dict[str, list[Sentence]]) -> None:
        self.rng = rng
        pool: dict[tuple[str, str, int, str], set[str]] = defaultdict(set)
        for language, sentences in training.items():
            for sentence in sentences:
                for start, end, label in sentence.spans:
                    name = sentence.text[start:end]
                    if label != OTHER and name[:1].isupper():
                        pool[self._kind(language, label, name)].add(name)
        for language in training:
            if language in ("ru", "fi", "en"):
                continue
            for _ in range(4000):
                name = names_by_language.person(rng, language)
                pool[self._kind(language, "PER", name)].add(name)
        self.pool = {kind: sorted(found) for kind, found in sorted(pool.items())}

    @staticmethod
    def _kind(language: str, label: str, name: str) -> tuple[str, str, int, str]:
        ending = name[-2:] if language in ("ru", "fi") else name[-1:] if name[-1:] == "s" else ""
        return language, label, min(len(name.split()), 4), ending

    def __call__(self, sentence: Sentence, language: str, chance: float) -> Sentence:
        """The sentence with some names replaced."""

        def other(name: str, label: str) -> str:
            return self.rng.choice(self.pool.get(self._kind(language, label, name), [name]))

        return with_other_names(sentence, self.rng, chance, other)


def texts(training: dict[str, list[Sentence]], rng: random.Random, vary: Variation, chance: float) -> list[Sentence]:
    """One epoch: neighbouring sentences of a language joined to texts of one to four, in random order."""
    result: list[Sentence] = []
    for language, sentences in training.items():
        for _ in range(REPEATS[language]):
            position = 0
            while position < len(sentences):
                size = rng.choice((1, 1, 2, 3, 4))
                text = join(sentences[position : position + size])
                result.append(vary(text, language, chance) if rng.random() < 0.6 else text)
                position += size
    rng.shuffle(result)
    return result


def english(folder: Path) -> list[Sentence]:
    """Gold English sentences, of which none stands in the English evaluation sets or translates one of the others."""
    training, _ = corpora_in_english.load(folder)
    return [*training["ewt"], *training["redocred"]]


def train(
    corpora: Corpora, target: Path, *, epochs: int, width: int, depth: int, hidden: int, chance: float, drop: float,
    rate: float,
) -> None:  # fmt: skip
    """Train, measure after each epoch, keep the best by the mean over the languages' dev sets."""
    fix_random_seed(0)
    set_current_ops(NumpyOps(use_blis=False))
    rng = random.Random(0)
    nlp = begin([s for found in corpora.train.values() for s in found[:60]], width, depth, hidden)
    optimizer = Adam(rate, beta1=0.9, beta2=0.999, L2=0.01, L2_is_weight_decay=True, grad_clip=1.0, use_averages=True)
    vary = Variation(rng, corpora.train)
    started, best, step, done = time.process_time(), 0.0, 0, 0
    total = epochs * sum(len(found) * REPEATS[code] for code, found in corpora.train.items()) / 2.2
    for epoch in range(epochs):
        losses: dict[str, float] = {}
        for batch in batches(texts(corpora.train, rng, vary, chance), 500 if epoch == 0 else 1000):
            step += 1
            optimizer.learn_rate = rate * min(1.0, step / 200) * max(0.03, 1.0 - done / total)  # type: ignore[misc]
            nlp.update([example(nlp, s) for s in batch], sgd=optimizer, drop=drop, losses=losses)
            done += len(batch)
        with nlp.use_params(optimizer.averages):
            results = {code: evaluate(nlp, found) for code, found in corpora.dev.items()}
            # The Swedish set has two dozen names, which says nothing.
            mean = sum(r.f1() for code, r in results.items() if code != "sv") / max(len(set(results) - {"sv"}), 1)
            print(f"epoch {epoch}: {(time.process_time() - started) / 60:.1f} min, mean {mean:.2f}, "
                  f"loss {losses['ner']:.0f}\n   {row(results)}", flush=True)  # fmt: skip
            if mean >= best:
                best = mean
                nlp.to_disk(target)
    best_nlp = spacy.load(target)
    print("test", row({code: evaluate(best_nlp, found) for code, found in corpora.test.items()}), flush=True)


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


def row(results: dict[str, Scores]) -> str:
    """The scores of all languages on one line."""
    return "  ".join(
        f"{code} {r.f1():.1f} ({'/'.join(f'{r.f1(label):.0f}' for label in LABELS)})" for code, r in results.items()
    )


def architecture(width: int, depth: int, hidden: int) -> dict[str, Any]:
    """The entity recogniser's model: hash embeddings of word, affixes, shape and lists, then convolutions."""
    return {
        "@architectures": "spacy.TransitionBasedParser.v2",
        "state_type": "ner",
        "extra_state_tokens": False,
        "hidden_width": hidden,
        "maxout_pieces": 2,
        "use_upper": True,
        "tok2vec": {
            "@architectures": "spacy.Tok2Vec.v2",
            "embed": {
                "@architectures": "spacy.MultiHashEmbed.v2",
                "width": width,
                "attrs": ["NORM", "PREFIX", "SUFFIX", "SHAPE", "TAG"],
                "rows": list(ROWS),
                "include_static_vectors": False,
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


def begin(sample: Sequence[Sentence], width: int, depth: int, hidden: int) -> Language:
    """An untrained pipeline."""
    nlp = spacy.blank("xx")
    nlp.add_pipe("name_lists").fill(names_by_language.lists())  # type: ignore[attr-defined]
    ner = nlp.add_pipe("ner", config={"model": architecture(width, depth, hidden)})
    for label in (*LABELS, OTHER):
        ner.add_label(label)  # type: ignore[attr-defined]
    examples = [example(nlp, s) for s in sample]
    nlp.initialize(lambda: examples)
    return nlp


def main() -> None:
    """Read the arguments and train."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpora", type=Path)
    parser.add_argument("target", type=Path)
    parser.add_argument("--only", nargs="*", default=list(LANGUAGES), help="languages to train on")
    parser.add_argument("--english", action=argparse.BooleanOptionalAction, default=True, help="train on English too")
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--width", type=int, default=96)
    parser.add_argument("--depth", type=int, default=4)
    parser.add_argument("--hidden", type=int, default=64)
    parser.add_argument("--chance", type=float, default=0.4, help="of a name to be replaced in a varied text")
    parser.add_argument("--drop", type=float, default=0.3)
    parser.add_argument("--rate", type=float, default=0.001, help="highest learning rate; it falls to nothing")
    a = parser.parse_args()
    corpora = load(a.corpora)
    if a.english:
        corpora.train["en"] = english(a.corpora)
    corpora = Corpora(
        *({code: found for code, found in part.items() if code in (*a.only, "en")} for part in
          (corpora.train, corpora.dev, corpora.test))
    )  # fmt: skip
    train(
        corpora, a.target, epochs=a.epochs, width=a.width, depth=a.depth, hidden=a.hidden, chance=a.chance,
        drop=a.drop, rate=a.rate,
    )  # fmt: skip


if __name__ == "__main__":
    main()
