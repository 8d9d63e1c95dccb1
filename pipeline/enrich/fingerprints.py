"""Fingerprints of an article's text: equal for equal wording, whatever the address, layout or punctuation."""

from __future__ import annotations

import hashlib
import re
import unicodedata

_NOT_A_WORD = re.compile(r"[\W_]+")


def content_hash(body: str) -> str:
    """SHA-256 (hex) of a text's words: NFKC, case folded, runs of blanks and punctuation as one space.

    >>> content_hash("Lavrov’s visit —\\n\\nPyongyang") == content_hash("LAVROV'S VISIT, PYONGYANG")
    True

    A text without any letter or digit is hashed as it stands, so that "!!!" and "???" stay apart.
    """
    folded = unicodedata.normalize("NFKC", body).casefold()
    # Case folding can undo normalisation ("ŉ"), hence once more.
    words = _NOT_A_WORD.sub(" ", unicodedata.normalize("NFKC", folded)).strip()
    return hashlib.sha256((words or body).encode("utf-8", "surrogatepass")).hexdigest()
