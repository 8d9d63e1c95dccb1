"""Let the accurate model put GMB's labels right.

``python -m training.relabel ../shared/ner build/accurate build/gmb.jsonl``

GMB's labels came from tools. Where the model, which has seen gold labels too, is sure, its labels are taken; where it
agrees with GMB, they stay; what is left over is unknown and neither teaches nor counts. Writes one sentence a line.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import torch

from pipeline.enrich.transformer_ner import Window, label_spans, viterbi, windows
from training.corpora import Sentence, Span
from training.train_ner import load
from training.train_transformer import LONGEST, Model, restore
from training.transformer import TAGS

SURE = 0.8
"""Least probability of every word's tag in a span that is taken on the model's word alone."""


def label(model: Model, sentences: Sequence[Sentence]) -> list[Sentence]:
    """The sentences as the model and their own labels together say."""
    docs = [model.nlp(s.text) for s in sentences]
    cut = [(n, w) for n, doc in enumerate(docs) for w in windows(doc, model.tokenizer, LONGEST)]
    cut.sort(key=lambda item: len(item[1].pieces))
    sure: list[list[Span]] = [[] for _ in sentences]
    unsure: list[list[Span]] = [[] for _ in sentences]
    outside: list[set[int]] = [set() for _ in sentences]
    transitions, start = model.chain.transitions.detach().numpy(), model.chain.start.detach().numpy()
    for begin in range(0, len(cut), 48):
        batch = cut[begin : begin + 48]
        group: list[Window] = [w for _, w in batch]
        with torch.no_grad():
            scores, lengths = model.scores(group)
        chances = model.chain.marginals(scores, lengths).detach().numpy()
        paths = viterbi(scores.numpy(), lengths.tolist(), transitions, start)
        for row, ((n, window), path) in enumerate(zip(batch, paths, strict=True)):
            chosen = chances[row, range(len(path)), path]
            for first, last, kind in label_spans([TAGS[tag] for tag in path]):
                end = docs[n][window.words[last - 1]]
                span = (docs[n][window.words[first]].idx, end.idx + len(end), kind)
                (sure if chosen[first:last].min() >= SURE else unsure)[n].append(span)
            for word, chance in zip(window.words, chances[row, :, 0], strict=False):
                if chance >= SURE:
                    token = docs[n][word]
                    outside[n] |= set(range(token.idx, token.idx + len(token)))
    result = []
    for n, sentence in enumerate(sentences):
        spans = sure[n] + [s for s in unsure[n] if s in sentence.spans]
        unknown = [s for s in unsure[n] if s not in sentence.spans]
        taken = {i for a, b, _ in spans + unknown for i in range(a, b)}
        for a, b, kind in (*sentence.spans, *sentence.unknown):
            if not taken & set(range(a, b)) and not set(range(a, b)) <= outside[n]:
                unknown.append((a, b, kind))
        result.append(Sentence(sentence.text, tuple(sorted(spans)), sentence.source, tuple(sorted(unknown))))
    return result


def main() -> None:
    """Read the arguments, label, write."""
    torch.set_num_threads(1)
    corpora, trained, target = map(Path, sys.argv[1:4])
    model = restore(trained)
    sentences = load(corpora)[0]["gmb"]
    counts: Counter[str] = Counter()
    with target.open("w", encoding="utf-8") as out:
        for begin in range(0, len(sentences), 2000):
            part = sentences[begin : begin + 2000]
            for old, new in zip(part, label(model, part), strict=True):
                counts["kept"] += len(set(old.spans) & set(new.spans))
                counts["dropped"] += len(set(old.spans) - set(new.spans))
                counts["new"] += len(set(new.spans) - set(old.spans))
                counts["unknown"] += len(new.unknown)
                item = {"text": new.text, "spans": new.spans, "unknown": new.unknown}
                out.write(json.dumps(item, ensure_ascii=False) + "\n")
            print(begin + len(part), dict(counts), flush=True)


if __name__ == "__main__":
    main()
