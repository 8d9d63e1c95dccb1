"""Bytes to text, whatever was declared. Pure.

The order follows what browsers do (WHATWG Encoding, HTML "determining the character encoding"), with one change
that a reader can't make but an archive can: bytes that are UTF-8 are read as UTF-8, whatever a header says,
as no other encoding produces valid multi-byte UTF-8 by accident.
"""

# ruff: noqa: E501 - patterns and vocabularies read better unbroken

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass

from w3lib.encoding import html_body_declared_encoding, read_bom, resolve_encoding

from pipeline.errors import ArticleRejected, Reason

# Python's names of the encodings that browsers know (https://encoding.spec.whatwg.org/#names-and-labels).
# Anything else that Python happens to have a codec for ("rot13", "unicode_escape") is no declaration.
_WEB_ENCODINGS = frozenset(
    [
        "utf-8",
        "utf-16",
        "utf-16-le",
        "utf-16-be",
        "utf-32",
        "utf-32-le",
        "utf-32-be",
        "ascii",
        "cp866",
        "iso8859-1",
        "iso8859-2",
        "iso8859-3",
        "iso8859-4",
        "iso8859-5",
        "iso8859-6",
        "iso8859-7",
        "iso8859-8",
        "iso8859-9",
        "iso8859-10",
        "iso8859-11",
        "iso8859-13",
        "iso8859-14",
        "iso8859-15",
        "iso8859-16",
        "koi8-r",
        "koi8-u",
        "mac-roman",
        "mac-cyrillic",
        "tis-620",
        "cp874",
        "cp1250",
        "cp1251",
        "cp1252",
        "cp1253",
        "cp1254",
        "cp1255",
        "cp1256",
        "cp1257",
        "cp1258",
        "gb2312",
        "gbk",
        "gb18030",
        "hz",
        "big5",
        "big5hkscs",
        "euc_jp",
        "iso2022_jp",
        "shift_jis",
        "cp932",
        "euc_kr",
        "cp949",
        "johab",
    ]
)
# The superset that browsers use under each name.
_SUPERSETS = {
    "ascii": "cp1252", "iso8859-1": "cp1252", "iso8859-9": "cp1254", "iso8859-11": "cp874", "tis-620": "cp874",
    "gb2312": "gb18030", "gbk": "gb18030", "big5": "big5hkscs", "shift_jis": "cp932", "euc_kr": "cp949",
}  # fmt: skip
# Labels of the standard that Python's codec registry does not know.
_LABELS = {
    "x-sjis": "cp932", "windows-31j": "cp932", "x-gbk": "gb18030", "x-x-big5": "big5hkscs", "x-euc-jp": "euc_jp",
    "windows-949": "cp949", "ks_c_5601-1987": "cp949", "ks_c_5601-1989": "cp949", "x-cp1250": "cp1250", "x-cp1251": "cp1251",
    "x-cp1252": "cp1252", "x-cp1253": "cp1253", "x-cp1254": "cp1254", "x-cp1255": "cp1255", "x-cp1256": "cp1256",
    "x-cp1257": "cp1257", "x-cp1258": "cp1258", "dos-874": "cp874", "windows-874": "cp874", "iso-8859-8-i": "iso8859-8",
    "iso-8859-8-e": "iso8859-8", "logical": "iso8859-8", "visual": "iso8859-8", "koi8-ru": "koi8-u", "koi": "koi8-r",
    "koi8": "koi8-r", "x-mac-roman": "mac-roman", "macintosh": "mac-roman", "x-mac-cyrillic": "mac-cyrillic",
    "x-mac-ukrainian": "mac-cyrillic", "unicode-1-1-utf-8": "utf-8", "x-unicode20utf8": "utf-8", "unicode11utf8": "utf-8",
    "unicode20utf8": "utf-8", "cn-big5": "big5hkscs", "gb_2312-80": "gb18030", "csiso2022jp": "iso2022_jp",
}  # fmt: skip
# What browsers take for an undeclared page of a language (HTML, table of suggested defaults), for the `lang` attribute.
_LANGUAGE_DEFAULTS = {
    "ar": "cp1256", "fa": "cp1256", "ba": "cp1251", "be": "cp1251", "bg": "cp1251", "ru": "cp1251", "uk": "cp1251", "mk": "cp1251",
    "sr": "cp1251", "kk": "cp1251", "ky": "cp1251", "sah": "cp1251", "tg": "cp1251", "tt": "cp1251", "cs": "cp1250", "hr": "cp1250",
    "hu": "iso8859-2", "pl": "iso8859-2", "sk": "cp1250", "sl": "iso8859-2", "ro": "iso8859-2", "el": "iso8859-7", "et": "cp1257",
    "lt": "cp1257", "lv": "iso8859-13", "he": "cp1255", "ja": "cp932", "ko": "cp949", "ku": "cp1254", "tr": "cp1254", "th": "cp874",
    "vi": "cp1258", "zh": "gb18030", "zh-tw": "big5hkscs", "zh-hk": "big5hkscs", "zh-cn": "gb18030",
}  # fmt: skip
_LANG = re.compile(rb"<html[^>]{0,400}?\blang\s*=\s*[\"']?([A-Za-z]{2,3}(?:-[A-Za-z]{2,4})?)", re.I)
_MULTIBYTE = re.compile(rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}")
_SIGNATURES = {
    b"%PDF-": "PDF", b"\x89PNG": "PNG image", b"\xff\xd8\xff": "JPEG image", b"GIF8": "GIF image", b"PK\x03\x04": "ZIP or Office file",
    b"\x1f\x8b\x08": "gzip data", b"BZh": "bzip2 data", b"\xfd7zXZ": "xz data", b"7z\xbc\xaf": "7z archive", b"Rar!": "RAR archive",
    b"\x7fELF": "program", b"MZ\x90": "program", b"OggS": "Ogg media", b"ID3": "MP3 audio", b"\xd0\xcf\x11\xe0": "Office file",
    b"RIFF": "RIFF media", b"SQLite format 3": "SQLite file", b"wOFF": "font", b"wOF2": "font", b"\x28\xb5\x2f\xfd": "zstd data",
}  # fmt: skip
# NUL and the C0 controls that no text has (tab, line feed, form feed, carriage return, escape and ^Z are met in text).
_CONTROLS = re.compile(rb"[\x00-\x08\x0e-\x19\x1c-\x1f]")
_SAMPLE_BYTES = 20_000
_MIN_EVIDENCE = 12  # bytes beyond ASCII; with fewer, detection guesses


@dataclass(frozen=True, slots=True)
class DecodedText:
    """Text, the encoding it was read with, and why that one: ``bom``, ``utf-8``, ``declared``, ``detected``, ``language``, ``default``."""

    text: str
    encoding: str
    basis: str


def decode(body: bytes, declared: str | None = None) -> DecodedText:
    """Decode a page or text file. ``declared`` is the charset named outside the body (HTTP header).

    Raises ArticleRejected(EMPTY) for nothing but white space, ArticleRejected(BINARY) for what is no text.
    """
    if not body.strip(b" \t\r\n\f\x00\xef\xbb\xbf\xfe\xff"):
        raise ArticleRejected(Reason.EMPTY, f"{len(body)} bytes, no character among them")
    encoding, bom = read_bom(body)
    if encoding and bom:
        return DecodedText(body[len(bom) :].decode(encoding, "replace"), encoding, "bom")
    if unmarked := _unmarked_utf16(body):
        return DecodedText(body.decode(unmarked, "replace"), unmarked, "detected")
    refuse_binary(body)
    names = [name for name in map(_web_encoding, (declared, html_body_declared_encoding(body[:4096]))) if name]
    if b"\x1b$B" in body or b"\x1b$@" in body:
        names.append("iso2022_jp")  # its escape sequences occur in nothing else
    escaped = next((name for name in names if name in ("iso2022_jp", "hz")), None)
    if escaped is None:
        try:
            return DecodedText(body.decode("utf-8"), "utf-8", "utf-8")
        except UnicodeDecodeError:
            pass
        # UTF-8 with some bad bytes: an editor's or advertiser's cp1252 in between. Only those bytes are read as cp1252.
        whole = sum(1 for _ in _MULTIBYTE.finditer(body))
        stray = sum(1 for byte in _MULTIBYTE.sub(b"", body) if byte >= 0x80)
        if whole >= 3 * stray or ("utf-8" in names and whole >= stray):
            return DecodedText(body.decode("utf-8", "stray_cp1252"), "utf-8", "utf-8")
    usual = _usual_encoding(body)
    for name in [escaped] if escaped else names:
        if name.startswith("utf"):
            continue  # it was tried: the declaration is wrong
        if name == "cp1252" and usual and usual != name and not _decode_counting(body, usual)[1]:
            # "ISO-8859-1" is what templates say without a thought; the page's own language knows better.
            return DecodedText(body.decode(usual, "stray_latin1"), usual, "language")
        text, errors = _decode_counting(body, name)
        if errors <= max(1, len(body) // 2000) and (name != "cp1252" or not _cp1252_is_doubtful(text)):
            return DecodedText(text, name, "declared")
    if (
        usual
        and not _decode_counting(body, usual)[1]
        and not (usual == "cp1252" and _cp1252_is_doubtful(body.decode(usual, "stray_latin1")))
    ):
        return DecodedText(_decode_counting(body, usual)[0], usual, "language")
    if detected := _detect(body):
        return DecodedText(_decode_counting(body, detected)[0], detected, "detected")
    if usual:
        return DecodedText(_decode_counting(body, usual)[0], usual, "language")
    return DecodedText(_decode_counting(body, "cp1252")[0], "cp1252", "default")


def refuse_binary(body: bytes) -> None:
    """Raise ArticleRejected(BINARY) for what is no text in any 8-bit encoding or UTF-8."""
    for signature, name in _SIGNATURES.items():
        if body.startswith(signature):
            raise ArticleRejected(Reason.BINARY, f"it begins like a {name}")
    sample = body[:_SAMPLE_BYTES] + body[-_SAMPLE_BYTES:]
    controls = sum(1 for _ in _CONTROLS.finditer(sample))
    if controls > max(2, len(sample) // 100):
        raise ArticleRejected(Reason.BINARY, f"{controls} control characters in {len(sample)} bytes")


def _web_encoding(label: str | None) -> str | None:
    if not label:
        return None
    label = label.strip().lower()
    known = _LABELS.get(label) or resolve_encoding(label)
    if known is None:
        return None
    try:
        known = codecs.lookup(known).name
    except LookupError:
        return None
    if known not in _WEB_ENCODINGS and known.replace("_", "-") not in _WEB_ENCODINGS:
        return None
    return _SUPERSETS.get(known, known)


def _usual_encoding(body: bytes) -> str | None:
    """The legacy encoding that pages in the page's stated language use."""
    match = _LANG.search(body[:4096])
    if match is None:
        return None
    language = match[1].decode("ascii").lower()
    # "All other locales: windows-1252", says the table.
    return _LANGUAGE_DEFAULTS.get(language) or _LANGUAGE_DEFAULTS.get(language.partition("-")[0], "cp1252")


def _unmarked_utf16(body: bytes) -> str | None:
    # Without a mark, UTF-16 of European text has a NUL in every second byte.
    sample = body[:2000]
    half = len(sample) // 2
    if half < 4:
        return None
    if sample[1::2].count(0) > 0.7 * half and sample[0::2].count(0) < 0.1 * half:
        return "utf-16-le"
    if sample[0::2].count(0) > 0.7 * half and sample[1::2].count(0) < 0.1 * half:
        return "utf-16-be"
    return None


def _decode_counting(body: bytes, encoding: str) -> tuple[str, int]:
    try:
        return body.decode(encoding), 0
    except UnicodeDecodeError:
        text = body.decode(encoding, "stray_latin1" if encoding.startswith("cp125") else "replace")
        return text, text.count("\ufffd")


def _stray(error: UnicodeError, encoding: str) -> tuple[str, int]:
    assert isinstance(error, UnicodeDecodeError)
    wrong = error.object[error.start : error.end]
    return "".join(bytes([byte]).decode(encoding, "replace") for byte in wrong), error.end


codecs.register_error("stray_cp1252", lambda error: _stray(error, "cp1252"))
# cp1252 leaves five bytes undefined; browsers read them as C1 controls.
codecs.register_error("stray_latin1", lambda error: _stray(error, "latin-1"))


def _cp1252_is_doubtful(text: str) -> bool:
    # Every byte is something in cp1252, so the declaration alone proves nothing. In Western European text few letters are
    # beyond ASCII; where most are, the page is in another script.
    letters = sum(1 for character in text if character.isalpha())
    beyond = sum(1 for character in text if character > "\x7f" and character.isalpha())
    visible = re.sub(r"<[^>]*>", "", text)
    inside = sum(1 for character in visible if character.isalpha())
    return beyond > 0.35 * max(1, min(letters, inside))


def _detect(body: bytes) -> str | None:
    from charset_normalizer import from_bytes  # heavy, and needed for few pages

    # The markup is ASCII whatever the encoding and says nothing; the lines with other bytes do.
    visible = re.sub(rb"<(script|style)\b.*?</\1\s*>|<[^>]*>", b" ", body, flags=re.S | re.I)
    lines = [line.strip() for line in visible.splitlines() if any(byte >= 0x80 for byte in line)]
    sample = b"\n".join(lines)[:_SAMPLE_BYTES]
    if sum(1 for byte in sample if byte >= 0x80) < _MIN_EVIDENCE:
        return None
    candidates = [name for name in _WEB_ENCODINGS if not name.startswith(("utf", "hz", "iso2022", "ascii", "johab"))]
    best = from_bytes(sample, cp_isolation=sorted(candidates)).best()
    if best is None:
        return None
    return _web_encoding(best.encoding)
