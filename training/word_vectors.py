"""Make the small model's word vectors.

``python -m training.word_vectors build/accurate build/vectors.npz``

What MiniLM knows about a word on its own, before and after it was trained to find names, in a few numbers (principal
components). The small model, which starts from nothing, so learns from words that its training texts don't have.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import wordfreq
from numpy.typing import NDArray
from tokenizers import Tokenizer

from pipeline.enrich.transformer_ner import SHAPES
from training.train_transformer import pieces, restore
from training.transformer import Network

WORDS = 34_000
BEFORE, AFTER = 28, 20
"""Components of the pretrained and of the trained network's vectors."""


def vocabulary() -> list[str]:
    """The commonest English words, names among them, in small letters.

    Not those of the training texts: a model that has a vector for each name it learns from is lost without one.
    """
    common = wordfreq.top_n_list("en", 3 * WORDS, wordlist="large")
    return [word for word in common if len(word) > 1 and re.fullmatch(r"[^\W\d_]+(\.[^\W\d_]+)*", word)][:WORDS]


def hidden(network: Network, tokenizer: Tokenizer, words: Sequence[str]) -> NDArray[np.float32]:
    """The mean of each word's pieces in the last layer, the word standing alone with a capital."""
    network.eval()
    encoded = sorted(enumerate(tokenizer.encode_batch(list(words))), key=lambda item: len(item[1].ids))
    result = np.zeros((len(words), network.config["hidden_size"]), dtype=np.float32)
    title = SHAPES.index("title") + 1
    for begin in range(0, len(encoded), 512):
        part = encoded[begin : begin + 512]
        length = max(len(e.ids) for _, e in part)
        ids = torch.zeros(len(part), length, dtype=torch.long)
        for row, (_, e) in enumerate(part):
            ids[row, : len(e.ids)] = torch.tensor(e.ids)
        mask = (ids > 0).long()
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
            vectors = network.bert.embeddings.word_embeddings(ids) + network.shapes(torch.full_like(ids, title))
            states = network.bert(inputs_embeds=vectors, attention_mask=mask).last_hidden_state.float().numpy()
        for row, (n, e) in enumerate(part):
            result[n] = states[row, 1 : len(e.ids) - 1].mean(0)
    return result


def components(vectors: NDArray[np.float32], count: int) -> NDArray[np.float32]:
    """The first principal components, each word's scaled to length 1."""
    centred = vectors - vectors.mean(0)
    values, directions = np.linalg.eigh(centred.T @ centred)
    chosen = directions[:, np.argsort(-values)[:count]]
    reduced = centred @ chosen
    return (reduced / np.linalg.norm(reduced, axis=1, keepdims=True)).astype(np.float32)


def main() -> None:
    """Read the arguments, compute, write."""
    torch.set_num_threads(1)
    trained, target = map(Path, sys.argv[1:3])
    tokenizer = pieces()
    words = vocabulary()
    before = components(hidden(Network.begin(), tokenizer, words), BEFORE)
    after = components(hidden(restore(trained).network, tokenizer, words), AFTER)
    np.savez_compressed(target, words=np.asarray(words), vectors=np.hstack([before, after]).astype(np.float16))
    print(len(words), "words,", BEFORE + AFTER, "numbers each")


if __name__ == "__main__":
    main()
