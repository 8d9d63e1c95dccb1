"""Fingerprints of an article's text: equal for equal wording, whatever the address, layout or punctuation."""

from __future__ import annotations

import hashlib
import re
import unicodedata

_NOT_A_WORD = re.compile(r"[\W_]+")


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
    first, _, rest = body.partition("\n\n")
    if standfirst and rest.strip() and _words(first) == _words(standfirst):
        body = rest
    return hashlib.sha256((_words(body) or body).encode("utf-8", "surrogatepass")).hexdigest()


def _words(text: str) -> str:
    folded = unicodedata.normalize("NFKC", text).casefold()
    # Case folding can undo normalisation ("ŉ"), hence once more.
    return _NOT_A_WORD.sub(" ", unicodedata.normalize("NFKC", folded)).strip()
