"""Train the small English model: ``python -m training.train_student ../shared/ner build/accurate build/small``.

A transformer of three layers that starts as every other layer of the accurate one and learns to say what that says
(distillation; Hinton et al. 2015), and what the gold corpora say. Its vocabulary is the part of MiniLM's that English
needs. Fixed seeds, one thread and no look at the clock, as for the accurate model; the averaged weights of the end are
kept.
"""

# ruff: noqa: E402 - thread limits are set before numpy is imported
from __future__ import annotations

import os

for _variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_variable, "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

import argparse
import copy
import json
import random
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import wordfreq
from tokenizers import Tokenizer
from torch import Tensor

from pipeline.enrich.transformer_ner import Window, pieces_by_word, window
from training.corpora import Sentence
from training.corpora_in_english import load
from training.examples import example
from training.train_transformer import LONGEST, Lesson, Model, at_words, grouped, lessons, optimize, restore, tensors
from training.transformer import TAGS, Network
from training.variation import Variation, restyled, texts, typeset

COMMON, OFTEN = 16_000, 8
"""So many common English words keep their pieces, and so often is a kept piece seen in the training texts."""

GOLD = ("ewt", "redocred", "wnut", "btc")
"""Corpora whose own labels are taught, beside what the teacher says."""


@dataclass(frozen=True, slots=True)
class Pair(Lesson):
    """A window for the student, and the same words for the teacher."""

    teacher: Window
    gold: bool
    """Whether its labels are taught, too."""


def reduced(tokenizer: Tokenizer, seen: Iterable[str]) -> tuple[Tokenizer, list[int]]:
    """The tokenizer with the pieces that English needs, and their numbers in the whole vocabulary.

    Those of common words, those frequent in the training texts, all single signs and the marks of BERT.
    """
    counts: Counter[str] = Counter()
    for text in seen:
        counts.update(tokenizer.encode(text, add_special_tokens=False).tokens)
    found = {piece for piece, count in counts.items() if count >= OFTEN}
    for word in wordfreq.top_n_list("en", COMMON, wordlist="large"):
        found.update(tokenizer.encode(word, add_special_tokens=False).tokens)
    content = json.loads(tokenizer.to_str())
    whole: dict[str, int] = content["model"]["vocab"]
    marks = {token["content"] for token in content["added_tokens"]}
    kept = sorted(
        number
        for piece, number in whole.items()
        if piece in found or piece in marks or len(piece.removeprefix("##")) == 1
    )
    names = {number: piece for piece, number in whole.items()}
    content["model"]["vocab"] = {names[number]: new for new, number in enumerate(kept)}
    number_of = content["model"]["vocab"]
    for token in content["added_tokens"]:
        token["id"] = number_of[token["content"]]
    content["post_processor"] = None
    return Tokenizer.from_str(json.dumps(content)), kept


def student(teacher: Model, tokenizer: Tokenizer, kept: Sequence[int], layers: Sequence[int]) -> Model:
    """A model of some layers of the teacher over a part of its vocabulary."""
    config = {
        **teacher.network.config,
        "num_hidden_layers": len(layers),
        "vocab_size": len(kept),
        "max_position_embeddings": LONGEST,
    }
    network, chain = Network(config), copy.deepcopy(teacher.chain)
    state = {}
    for name, value in teacher.network.state_dict().items():
        if name.startswith("bert.encoder.layer."):
            number, rest = name.removeprefix("bert.encoder.layer.").split(".", 1)
            if int(number) in layers:
                state[f"bert.encoder.layer.{layers.index(int(number))}.{rest}"] = value
        elif name == "bert.embeddings.word_embeddings.weight":
            state[name] = value[list(kept)]
        elif name == "bert.embeddings.position_embeddings.weight":
            state[name] = value[:LONGEST]
        elif not name.endswith(("position_ids", "token_type_ids")):
            state[name] = value
    missing, unexpected = network.load_state_dict(state, strict=False)
    assert not unexpected, unexpected
    assert all(name.endswith(("position_ids", "token_type_ids")) for name in missing), missing
    return Model(teacher.nlp, tokenizer, network, chain)


def pairs(model: Model, teacher: Tokenizer, sentence: Sentence, plain: Sentence) -> Iterator[Pair]:
    """The windows of a text; ``plain`` is the same text as the teacher reads it best, not yet set as on pages."""
    shown = example(model.nlp, sentence).predicted
    read = example(model.nlp, plain).predicted
    if [len(token) for token in read] != [len(token) for token in shown]:
        read = shown
    for lesson in lessons(model.nlp, model.tokenizer, sentence):
        words = lesson.window.words
        again = window(read, words, pieces_by_word([read[word].text for word in words], teacher), teacher)
        yield Pair(lesson.window, lesson.possible, again, sentence.source in GOLD)


@dataclass(frozen=True, slots=True)
class Advice:
    """What the teacher says of some windows."""

    marginals: Tensor
    """Probability of each tag for each word."""
    counts: Tensor
    """Expected number of each pair of tags, over all windows."""
    starts: Tensor
    hidden: tuple[Tensor, ...]
    """The words' first pieces after each layer."""


def advice(teacher: Model, group: Sequence[Window]) -> Advice:
    """The teacher's marginals: of tags, of pairs of tags, and of first tags."""
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        raw, states = states_of(teacher.network, group)
        scores, lengths = at_words(raw, group)
        hidden = tuple(at_words(state, group)[0] for state in states)
    scores = scores.detach().requires_grad_()
    chain = teacher.chain
    total = chain.total(scores, lengths).sum()
    marginals, counts, starts = torch.autograd.grad(total, (scores, chain.learned, chain.first))
    return Advice(marginals, counts, starts, hidden)


def states_of(network: Network, group: Sequence[Window]) -> tuple[Tensor, list[Tensor]]:
    """Scores by piece, and what each layer says."""
    caught: list[Tensor] = []
    hooks = [
        layer.register_forward_hook(lambda _, __, out: caught.append(out[0] if isinstance(out, tuple) else out))
        for layer in network.bert.encoder.layer
    ]
    scores = network(*tensors(group))
    for hook in hooks:
        hook.remove()
    return scores, caught


def loss(model: Model, teacher: Model, group: Sequence[Pair], a: argparse.Namespace) -> Tensor:
    """By word: cross entropy of the tags' sequences under teacher and student, the labels' negative
    log likelihood where they are gold, and the distance of the layers."""
    found = [lesson.window for lesson in group]
    said = advice(teacher, [lesson.teacher for lesson in group])
    with torch.autocast("cpu", torch.bfloat16):
        raw, states = states_of(model.network, found)
        scores, lengths = at_words(raw, found)
        hidden = [at_words(state, found)[0] for state in states]
    chain = model.chain
    totals = chain.total(scores, lengths)
    agreed = (said.marginals * scores).sum((1, 2)).sum() + (said.counts * chain.learned).sum()
    agreed = agreed + (said.starts * chain.first).sum()
    value = totals.sum() - agreed
    taught = [row for row, lesson in enumerate(group) if lesson.gold]
    if taught and a.gold:
        possible = torch.zeros(len(taught), int(lengths.max()), len(TAGS), dtype=torch.bool)
        for place, row in enumerate(taught):
            for word, allowed in enumerate(group[row].possible):
                possible[place, word, list(allowed)] = True
            possible[place, len(group[row].possible) :] = True
        inside = chain.total(scores[taught].masked_fill(~possible, -10_000.0), lengths[taught])
        value = value + a.gold * (totals[taught] - inside).sum()
    if a.near:
        mask = (torch.arange(scores.shape[1])[None] < lengths[:, None])[:, :, None]
        for own, number in zip(hidden, a.layers, strict=True):
            value = value + a.near * ((own.float() - said.hidden[number].float()).square() * mask).sum() / own.shape[2]
    return value / lengths.sum() * 25


def parameters(model: Model, rate: float) -> list[dict[str, Any]]:
    """Groups with their learning rates; the word vectors stay as they are, and with them words seen in no lesson."""
    network = model.network
    network.bert.embeddings.word_embeddings.weight.requires_grad_(requires_grad=False)
    head = [*network.shapes.parameters(), *network.lists.parameters(), *network.output.parameters()]
    groups = [
        {"params": [p for p in network.bert.parameters() if p.requires_grad], "lr": rate},
        {"params": head, "lr": rate * 5},
        {"params": list(model.chain.parameters()), "lr": rate * 20, "weight_decay": 0.0},
    ]
    for group in groups:
        group["highest"] = group["lr"]
    return groups


def train(corpora: Path, trained: Path, target: Path, a: argparse.Namespace) -> None:
    """Train, measure on the way, keep the end."""
    torch.manual_seed(a.seed)
    torch.set_num_threads(1)
    rng = random.Random(a.seed)
    training, evaluation = load(corpora)
    teacher = restore(trained)
    for parameter in teacher.network.parameters():
        parameter.requires_grad_(requires_grad=False)
    tokenizer, kept = reduced(teacher.tokenizer, (s.text for found in training.values() for s in found))
    print(f"{len(kept)} word pieces", flush=True)
    model = student(teacher, tokenizer, kept, a.layers)
    vary = Variation(rng, [s for found in training.values() for s in found])
    repeats = {"gmb": a.gmb, "ewt": a.repeats, "redocred": a.repeats, "wnut": 1.0, "btc": 0.5}

    def batches() -> Iterator[tuple[float, list[Pair]]]:
        for number in range(a.epochs):
            chosen = [t for t in texts(training, repeats, rng, 0.4) if t.spans or t.unknown or rng.random() < a.plain]
            for position in range(0, len(chosen), 2000):
                items: list[Pair] = []
                for text in chosen[position : position + 2000]:
                    varied = vary(text, 0.4) if rng.random() < 0.5 else text
                    items += pairs(model, teacher.tokenizer, restyled(typeset(varied, rng), rng, 0.08), varied)
                done = (number + position / len(chosen)) / a.epochs
                yield from ((done, group) for group in grouped(items, a.batch, rng))

    optimize(
        model, parameters(model, a.rate), batches(), lambda group: loss(model, teacher, group, a), target, evaluation,
        warm_up=200, every=a.every,
    )  # fmt: skip


def main() -> None:
    """Read the arguments and train."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("corpora", type=Path)
    parser.add_argument("teacher", type=Path, help="what training.train_transformer wrote")
    parser.add_argument("target", type=Path)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--every", type=int, default=400, help="steps between measurements")
    parser.add_argument("--layers", type=int, nargs="+", default=[0, 2, 5], help="of the teacher, to start from")
    parser.add_argument("--rate", type=float, default=3e-4)
    parser.add_argument("--batch", type=int, default=1200, help="word pieces in a batch")
    parser.add_argument("--gmb", type=float, default=0.4, help="share of GMB in each epoch")
    parser.add_argument("--repeats", type=float, default=1.0, help="how often EWT and Re-DocRED come an epoch")
    parser.add_argument("--gold", type=float, default=0.5, help="weight of gold labels")
    parser.add_argument("--near", type=float, default=0.3, help="weight of the layers' distance")
    parser.add_argument("--plain", type=float, default=0.5, help="share of the texts without names that is kept")
    parser.add_argument("--seed", type=int, default=0)
    a = parser.parse_args()
    train(a.corpora, a.teacher, a.target, a)


if __name__ == "__main__":
    main()
