"""The spaCy component ``transformer_ner``: persons, places and organizations, found by a small transformer.

The network (``model.onnx``, eight-bit weights) is run by onnxruntime, its word pieces are made by tokenizers. The
pipeline's own tokens are the words: each gets, besides its pieces, its shape (the network's vocabulary has no capitals)
and the name lists it stands in (see ``name_lists``). The network scores labels for each word, and the best sequence of
labels under the learned transitions is taken (Viterbi; a linear-chain conditional random field, Lafferty et al. 2001).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from spacy.language import Language
from spacy.tokens import Doc, Span

if TYPE_CHECKING:
    from tokenizers import Tokenizer

SHAPES = ("lower", "title", "upper", "letter", "mixed", "number", "sign")
"""Shapes of words, by their number in the network's input, from 1; 0 is for what is no word."""

LISTS = ("CB", "CI", "RB", "RI", "BB", "BI", "TB", "TI", "OB", "OI", "F", "L")
"""What ``name_lists`` can say about a word: beginning and inside of a listed phrase, first name, last name."""

_FILES = ("model.onnx", "tokenizer.json", "cfg.json")


@dataclass(frozen=True, slots=True)
class Window:
    """A piece of text for the network: words, and for each word piece its number, shape and lists."""

    words: tuple[int, ...]
    """Positions of the words in their document."""
    starts: tuple[int, ...]
    """Position of each word's first piece."""
    pieces: tuple[int, ...]
    shapes: tuple[int, ...]
    lists: tuple[int, ...]
    """Bits after ``LISTS``."""


@lru_cache(maxsize=50_000)
def shape(word: str) -> int:
    """The number of a word's shape, see ``SHAPES``."""
    if not any(c.isalnum() for c in word):
        return 7
    if any(c.isdigit() for c in word):
        return 6
    if word.islower() or not any(c.isupper() for c in word):
        return 1
    if len(word) == 1 or (len(word) == 2 and word[1] == "."):
        return 4
    if word.isupper():
        return 3
    return 2 if word[0].isupper() and word[1:].islower() else 5


def listed(tag: str) -> int:
    """The lists in a code of ``name_lists`` ("COB2F": begins a country and an organization; a first name) as bits."""
    bits = 0
    cut = next((i for i, c in enumerate(tag) if c.isdigit()), -1)
    if cut > 0:
        position = tag[cut - 1]
        # The letter before the digit says B(egin) or I(nside); those before it are lists, where B is cities.
        for letter in tag[: cut - 1]:
            bits |= 1 << LISTS.index(letter + position)
    for letter in tag[cut + 1 :]:
        bits |= 1 << LISTS.index(letter)
    return bits


def windows(doc: Doc, tokenizer: Tokenizer, longest: int) -> Iterator[Window]:
    """Cut a document into windows of at most ``longest`` pieces: between paragraphs, else between sentences, else in
    front of a word in small letters.

    Blank tokens are no words. A single word of more pieces than fit a window is cut short.
    """
    texts = [token.text for token in doc]
    wanted = [i for i, text in enumerate(texts) if not text.isspace()]
    if not wanted:
        return
    by_word = pieces_by_word([texts[i] for i in wanted], tokenizer)
    for first, last in _cuts(texts, wanted, by_word, longest - 2):
        yield window(doc, wanted[first:last], by_word[first:last], tokenizer)


def pieces_by_word(words: Sequence[str], tokenizer: Tokenizer) -> list[list[int]]:
    """The word pieces of each word, one at least and sixteen at most."""
    encoding = tokenizer.encode(list(words), is_pretokenized=True, add_special_tokens=False)
    found: list[list[int]] = [[] for _ in words]
    for piece, word in zip(encoding.ids, encoding.word_ids, strict=True):
        if word is not None:
            found[word].append(piece)
    unknown = _number(tokenizer, "[UNK]")
    return [pieces[:16] or [unknown] for pieces in found]


def _cuts(
    texts: Sequence[str], wanted: Sequence[int], by_word: Sequence[Sequence[int]], longest: int
) -> Iterator[tuple[int, int]]:
    begin, size, sentence, lower = 0, 0, 0, 0
    for number, position in enumerate(wanted):
        paragraph = number > begin and position > wanted[number - 1] + 1 and "\n" in texts[position - 1]
        length = len(by_word[number])
        if paragraph:
            yield begin, number
            begin, size, sentence = number, 0, number
        elif size + length > longest:
            rest = {place: sum(map(len, by_word[place:number])) for place in (sentence, lower, number)}
            cut = next(place for place, left in rest.items() if place > begin and left + length <= longest)
            yield begin, cut
            size = rest[cut]
            begin = sentence = cut
        if shape(texts[position]) == 1:
            lower = number
        size += length
        if texts[position] in (".", "!", "?", '."', "..."):
            sentence = number + 1
    if begin < len(wanted):
        yield begin, len(wanted)


def window(doc: Doc, words: Sequence[int], by_word: Sequence[Sequence[int]], tokenizer: Tokenizer) -> Window:
    """The window of these words of a document, given their pieces."""
    pieces, shapes, lists, starts = [_number(tokenizer, "[CLS]")], [0], [0], []
    for position, own in zip(words, by_word, strict=True):
        token = doc[position]
        tag = token.tag_
        starts.append(len(pieces))
        pieces += own
        shapes += [shape(token.text)] * len(own)
        lists += [listed(tag) if tag else 0] * len(own)
    return Window(
        tuple(words),
        tuple(starts),
        (*pieces, _number(tokenizer, "[SEP]")),
        (*shapes, 0),
        (*lists, 0),
    )


def _number(tokenizer: Tokenizer, piece: str) -> int:
    number = tokenizer.token_to_id(piece)
    if number is None:
        raise ValueError(f"tokenizer.json has no {piece}: it isn't BERT's")
    return number


def alone(window: Window) -> dict[str, NDArray[np.int64]]:
    """The network's inputs for a window."""
    return {name: np.asarray(getattr(window, name), dtype=np.int64) for name in ("pieces", "shapes", "lists", "starts")}


def viterbi(
    scores: NDArray[np.float32], lengths: Sequence[int], transitions: NDArray[np.float32], start: NDArray[np.float32]
) -> list[list[int]]:
    """The best sequence of labels for each row of ``scores`` (row, word, label)."""
    rows, words, labels = scores.shape
    best = scores[:, 0] + start
    back = np.zeros((words, rows, labels), dtype=np.int64)
    ends = np.asarray(lengths)
    final = best.copy()
    for word in range(1, words):
        options = best[:, :, None] + transitions[None]
        back[word] = options.argmax(1)
        best = options.max(1) + scores[:, word]
        final = np.where((ends > word)[:, None], best, final)
    paths = []
    for row, length in enumerate(lengths):
        label = int(final[row].argmax())
        path = [label]
        for word in range(length - 1, 0, -1):
            label = int(back[word, row, label])
            path.append(label)
        paths.append(path[::-1])
    return paths


def label_spans(labels: Sequence[str]) -> Iterator[tuple[int, int, str]]:
    """Start, end and type of the spans in a sequence of BIO labels."""
    begin, kind = 0, ""
    for position, label in enumerate([*labels, "O"]):
        if kind and not (label[0] == "I" and label[2:] == kind):
            yield begin, position, kind
            kind = ""
        if label != "O" and not kind:
            begin, kind = position, label[2:]


@dataclass
class TransformerNer:
    """Finds entities; made by ``nlp.add_pipe("transformer_ner")`` and filled by ``from_disk``."""

    threads: int = 1
    labels: list[str] = field(default_factory=list)
    longest: int = 128
    """Pieces of a window, at most."""
    _files: dict[str, bytes] = field(default_factory=dict)
    _session: Any = None
    _tokenizer: Any = None

    def __call__(self, doc: Doc) -> Doc:
        """Set the entities of a document; they are the same whatever else the model reads."""
        doc.ents = tuple(self._entities(doc))
        return doc

    def _entities(self, doc: Doc) -> list[Span]:
        # A window at a time: eight-bit arithmetic takes its scale from all that runs together, so that a document's
        # names would depend on its neighbours; and filling windows up to one length costs more than batches save.
        found = list(windows(doc, self._tokenizer, self.longest))
        if not found:
            return []
        lengths = [len(window.words) for window in found]
        scores = np.zeros((len(found), max(lengths), len(self.labels)), dtype=np.float32)
        for row, window in enumerate(found):
            scores[row, : lengths[row]] = self._session.run(None, alone(window))[0]
        paths = viterbi(scores, lengths, self._transitions, self._start)
        return [
            Span(doc, window.words[first], window.words[last - 1] + 1, label=kind)
            for window, path in zip(found, paths, strict=True)
            for first, last, kind in label_spans([self.labels[label] for label in path])
        ]

    def to_bytes(self, **_: object) -> bytes:
        """Not offered: the network is a file."""
        raise NotImplementedError("transformer_ner can only be written with to_disk")

    def to_disk(self, path: Path | str, **_: object) -> None:
        """Write the network, the tokenizer and the labels into a folder."""
        Path(path).mkdir(parents=True, exist_ok=True)
        for name, content in self._files.items():
            (Path(path) / name).write_bytes(content)

    def from_disk(self, path: Path | str, **_: object) -> TransformerNer:
        """Read what ``to_disk`` wrote."""
        # Imported here: a third of a second that runs without entities needn't wait.
        import onnxruntime
        from tokenizers import Tokenizer

        self._files = {name: (Path(path) / name).read_bytes() for name in _FILES}
        cfg = json.loads(self._files["cfg.json"])
        self.labels, self.longest = cfg["labels"], cfg["longest"]
        self._transitions = np.asarray(cfg["transitions"], dtype=np.float32)
        self._start = np.asarray(cfg["start"], dtype=np.float32)
        self._tokenizer = Tokenizer.from_str(self._files["tokenizer.json"].decode("utf-8"))
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self.threads
        options.inter_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(
            self._files["model.onnx"], options, providers=["CPUExecutionProvider"]
        )
        return self


@Language.factory(
    "transformer_ner",
    assigns=["doc.ents", "token.ent_iob", "token.ent_type"],
    default_config={"threads": 1},
)
def make_transformer_ner(nlp: Language, name: str, threads: int) -> TransformerNer:  # noqa: ARG001 - spaCy's signature
    """Make the component, still without a network. ``threads`` is how many cores it may use."""
    return TransformerNer(threads=threads)
