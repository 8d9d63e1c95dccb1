"""What a body is, judged by its bytes. Pure."""

from __future__ import annotations

import re

_MAGIC = (
    *(b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"RIFF", b"\x00\x00\x01\x00"),  # images
    *(b"ID3", b"OggS", b"wOFF", b"wOF2"),  # sound, fonts
    *(b"%PDF-", b"SQLite format 3", b"\x7fELF", b"MZ\x90"),
    *(b"PK\x03\x04", b"PK\x05\x06", b"\x1f\x8b", b"BZh", b"7z\xbc\xaf", b"Rar!", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd"),
)
_CONTROL = bytes(c for c in range(32) if c not in b"\t\n\r\x0b\x0c\x1b")
_SAMPLE = 4096


def looks_binary(body: bytes) -> bool:
    """Whether ``body`` is no text in any encoding: a known file signature, or too many control characters.

    UTF-16 and UTF-32 are text, with or without a byte order mark, and so is a page with a stray NUL.
    """
    if body.startswith((b"\xff\xfe", b"\xfe\xff", b"\x00\x00\xfe\xff")):
        return False
    if body.startswith(_MAGIC) or body[4:8] == b"ftyp":
        return True
    sample = body[:_SAMPLE]
    controls = len(sample) - len(sample.translate(None, _CONTROL))
    if controls <= len(sample) * 0.02:
        return False
    return not _is_bare_utf16(sample)


def _is_bare_utf16(sample: bytes) -> bool:
    # Latin text in UTF-16 has its zeros on one side only, and next to no other control characters.
    zeros = (sample[0::2].count(0), sample[1::2].count(0))
    others = len(sample) - len(sample.translate(None, _CONTROL)) - sum(zeros)
    return max(zeros) > 0.3 * len(sample) / 2 and min(zeros) < 0.05 * len(sample) / 2 and others < 0.02 * len(sample)


def looks_like_html(body: bytes) -> bool:
    """Whether the start of ``body`` is an HTML page (WHATWG MIME sniffing, in short)."""
    start = body[:2048].replace(b"\x00", b"").lstrip(b"\xef\xbb\xbf\xff\xfe \t\r\n\x0c")
    start = re.sub(rb"^(<\?xml[^>]*>|<!--.*?-->|\s)+", b"", start, flags=re.S)
    return bool(
        re.match(rb"<(!doctype html|html|head|body|title|meta|script|div|p|h1|article|table|a|style)\b", start, re.I)
    )
