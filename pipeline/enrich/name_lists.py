"""The spaCy component ``name_lists``: marks words that stand in lists of known names, before ``ner`` looks.

For each capitalised word it writes a short code into the token's ``tag``: the lists in which the word, or the
longest phrase from it on, is found. A tagger's tags would be overwritten; the pipeline has none. The code is one of
the features that the entity recogniser learns from; no list decides by itself.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from spacy.language import Language
from spacy.tokens import Doc

PHRASES = ("country", "region", "city", "town", "organization")
"""Lists of phrases, in the order of the letters that stand for them in the code."""

WORDS = ("first", "last")
"""Lists of single words: persons' first and last names."""

_LONGEST = 6
_FILE = "names.json.gz"


class NameLists:
    """Looks names up; made by ``nlp.add_pipe("name_lists")`` and filled by ``fill`` or ``from_disk``."""

    def __init__(self) -> None:
        self.lists: dict[str, list[str]] = {}
        self._phrases: dict[str, str] = {}
        self._starts: dict[str, int] = {}
        self._words: dict[str, str] = {}

    def fill(self, lists: Mapping[str, Iterable[str]]) -> None:
        """Take the lists named in ``PHRASES`` and ``WORDS``; phrases are words joined by single spaces."""
        self.lists = {name: sorted(set(lists.get(name, ()))) for name in (*PHRASES, *WORDS)}
        self._phrases, self._starts, self._words = {}, {}, {}
        for letter, name in zip("CRBTO", PHRASES, strict=True):
            for phrase in self.lists[name]:
                words = phrase.split(" ")
                if len(words) > _LONGEST:
                    continue
                self._phrases[phrase] = self._phrases.get(phrase, "") + letter
                self._starts[words[0]] = max(self._starts.get(words[0], 0), len(words))
        for letter, name in zip("FL", WORDS, strict=True):
            for word in self.lists[name]:
                self._words[word] = self._words.get(word, "") + letter

    def __call__(self, doc: Doc) -> Doc:
        """Set ``tag_`` on the words of ``doc`` that stand in a list."""
        texts = [token.text for token in doc]
        covered = 0
        for position, text in enumerate(texts):
            code = self._words.get(text, "")
            if position >= covered:
                for length in range(min(self._starts.get(text, 0), len(texts) - position), 0, -1):
                    phrase = text if length == 1 else " ".join(texts[position : position + length])
                    found = self._phrases.get(phrase)
                    if found is not None:
                        covered = position + length
                        inside = found
                        break
            if position < covered:
                code = f"{inside}{'B' if length == covered - position else 'I'}{min(length, 3)}{code}"
            if code:
                doc[position].tag_ = code
        return doc

    def to_bytes(self, **_: object) -> bytes:
        """The lists as gzipped JSON, the same bytes for the same lists."""
        content = json.dumps(self.lists, ensure_ascii=False, separators=(",", ":")).encode("utf-8")
        return gzip.compress(content, mtime=0)

    def from_bytes(self, data: bytes, **_: object) -> NameLists:
        """Read what ``to_bytes`` wrote."""
        self.fill(json.loads(gzip.decompress(data)))
        return self

    def to_disk(self, path: Path | str, **_: object) -> None:
        """Write ``names.json.gz`` into a folder."""
        Path(path).mkdir(parents=True, exist_ok=True)
        (Path(path) / _FILE).write_bytes(self.to_bytes())

    def from_disk(self, path: Path | str, **_: object) -> NameLists:
        """Read ``names.json.gz`` from a folder."""
        return self.from_bytes((Path(path) / _FILE).read_bytes())


@Language.factory("name_lists", assigns=["token.tag"])
def make_name_lists(nlp: Language, name: str) -> NameLists:  # noqa: ARG001 - spaCy's signature
    """Make the component, still without lists."""
    return NameLists()
