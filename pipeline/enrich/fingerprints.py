"""Fingerprints of an article's text: equal for equal wording, alike for alike wording, whatever address or layout."""

from __future__ import annotations

import base64
import hashlib
import re
import struct
import unicodedata
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from rensa import RMinHash  # type: ignore[import-untyped]

from pipeline.models import TextSignature

BANDS = 84
"""Bands of a signature. Two texts of Jaccard similarity s share one with probability 1 - (1 - s^3)^84."""

ROWS = 3
"""MinHash values per band: three keep texts that merely share a paragraph from meeting."""

LEAST_WORDS = 60
"""Texts with fewer words have no signature: so short a text says too little to tell a copy from a form filled in."""

_SEED = 5
_SHINGLE = 3
_UNSPACED_SHINGLE = 6
_FIGURE_WEIGHT = 5

_NOT_A_WORD = re.compile(r"[\W_]+")
_FIGURE = re.compile(r"\d")

# Thai, Lao, Burmese, Khmer, kana and Chinese characters: scripts that put no blanks between words.
_UNSPACED = re.compile(
    "([\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\U00020000-\U0003ffff])"
)


def content_hash(body: str, *, standfirst: str | None = None) -> str:
    """SHA-256 (hex) of a text's words: NFKC, case folded, runs of blanks and punctuation as one space.

    ``body`` is paragraphs parted by blank lines. A first paragraph that is the page's ``standfirst`` (its description)
    is left out: each paper that carries an agency's story writes its own, and print versions have none.

    >>> content_hash("Lavrov’s visit —\\n\\nPyongyang") == content_hash("LAVROV'S VISIT, PYONGYANG")
    True
    >>> content_hash("In short.\\n\\nThe story.", standfirst="In short") == content_hash("The story.")
    True

    A text without any letter or digit is hashed as it stands, so that "!!!" and "???" stay apart.
    """
    body = _without_standfirst(body, standfirst)
    return hashlib.sha256((_words(body) or body).encode("utf-8", "surrogatepass")).hexdigest()


def signature(body: str, *, standfirst: str | None = None) -> TextSignature | None:
    """The MinHash signature of a text's shingles of three words (six characters in scripts without blanks).

    Words are those of ``content_hash``. Shingles with a figure in them count five times: two weather reports of one
    form differ in the figures, two editions of one story rarely do. None for texts under LEAST_WORDS words (two
    characters of a script without blanks count as one).

    A. Broder, "On the resemblance and containment of documents" (1997); 252 values, of which 16 bits are kept
    (P. Li and C. König, "b-Bit Minwise Hashing", 2010).
    """
    words = _words(_without_standfirst(body, standfirst))
    spaced, unspaced = words.split(), 0
    if _UNSPACED.search(words):
        unspaced = len(_UNSPACED.findall(words))
        spaced = _UNSPACED.sub(r" \1 ", words).split()
    if len(spaced) - unspaced + unspaced // 2 < LEAST_WORDS:
        return None
    width = _UNSPACED_SHINGLE if 2 * unspaced > len(spaced) else _SHINGLE
    # Half characters, which a page may hold, have no UTF-8 of their own.
    encoded = [word.encode("utf-8", "surrogatepass") for word in spaced]
    starts = range(len(encoded) - width + 1)
    shingles = {b" ".join(encoded[start : start + width]) for start in starts}
    figures = {position for position, word in enumerate(spaced) if _FIGURE.search(word)}
    for start in {start for figure in figures for start in range(figure - width + 1, figure + 1) if start in starts}:
        shingle = b" ".join(encoded[start : start + width])
        shingles.update(b"%s +%d" % (shingle, extra) for extra in range(1, _FIGURE_WEIGHT))
    sketch = RMinHash(num_perm=BANDS * ROWS, seed=_SEED)
    sketch.update(list(shingles))
    values = struct.pack(f">{BANDS * ROWS}H", *((value ^ value >> 16) & 0xFFFF for value in sketch.digest()))
    text = base64.urlsafe_b64encode(values).decode()
    # Three values of two bytes are exactly eight characters.
    bands = tuple(f"{number:02d}{text[number * 8 : number * 8 + 8]}" for number in range(BANDS))
    return TextSignature(bands=bands, shingles=len(shingles))


def resemblance(one: TextSignature, other: TextSignature) -> float:
    """The estimated Jaccard similarity of two texts' shingles, 0 to 1, with a standard error of 0.03 at most."""
    return int(np.count_nonzero(_values("".join(one.bands)) == _values("".join(other.bands)))) / (BANDS * ROWS)


@lru_cache(maxsize=2048)
def _values(bands: str) -> npt.NDArray[np.uint16]:
    # Kept, because a batch's texts are compared with the same candidates again and again; by the bands in one string,
    # which takes a quarter of the memory.
    encoded = "".join(bands[start + 2 : start + 10] for start in range(0, len(bands), 10))
    return np.frombuffer(base64.urlsafe_b64decode(encoded), dtype=np.uint16)


def _without_standfirst(body: str, standfirst: str | None) -> str:
    first, _, rest = body.partition("\n\n")
    return rest if standfirst and rest.strip() and _words(first) == _words(standfirst) else body


def _words(text: str) -> str:
    folded = unicodedata.normalize("NFKC", text).casefold()
    # Case folding can undo normalisation ("ŉ"), hence once more.
    return _NOT_A_WORD.sub(" ", unicodedata.normalize("NFKC", folded)).strip()
