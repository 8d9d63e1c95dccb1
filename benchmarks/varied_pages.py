"""As many saved pages as are asked for, out of a few: each a page of its own, with the same markup and other sentences.

The first copies are the pages themselves. Further ones keep a page's markup, scripts and furniture byte for byte, but
every stretch of sentences in it (and a JSON-LD articleBody) is filled with sentences drawn from all pages, about as
many characters of them, and every host is put under a subdomain of its own. So none is an exact or near copy of
another to the pipeline, and each costs about what its model costs. The same arguments give the same pages.
"""

from __future__ import annotations

import gzip
import html
import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random

_TEXT = re.compile(
    r"(?P<code><(?P<name>script|style|template)\b.*?</(?P=name)\s*>)|(?<=>)(?P<text>[^<>]{60,})(?=<)", re.S | re.I
)
_ARTICLE_BODY = re.compile(r'("articleBody"\s*:\s*")((?:[^"\\]|\\.)*)(?=")')
_SENTENCES = re.compile(r"(?<=[.!?…])[\"'”’»]?\s+")
_IS_PROSE = re.compile(r"[.!?…][\"'”’»]?\s*(?:$|\s[A-ZÀ-Þ\"“'‘])")
_HOST = re.compile(r"(?<=://)(?:www\.)?(?=[a-z0-9.-]+\.[a-z]{2,}(?:[/\"'?#]|$))", re.I)
_CANONICAL = re.compile(r"<(?:link|meta)\b[^>]*\b(?:canonical|og:url)\b[^>]*>", re.I)


def pages_below(folder: Path) -> list[Path]:
    """The saved pages below a folder, in order of name."""
    return [path for path in sorted(folder.rglob("*")) if path.name.endswith((".html", ".htm", ".html.gz"))]


def write_pages(pages: Sequence[Path], number: int, folder: Path) -> list[Path]:
    """Write ``number`` packed pages into ``folder``: ``pages`` first, then variations of them."""
    folder.mkdir(parents=True, exist_ok=True)
    pool = _sentences(pages) if number > len(pages) else []
    written = []
    for position in range(number):
        turn, model = divmod(position, len(pages))
        body = _bytes(pages[model])
        target = folder / f"{position:06d}-{pages[model].name.partition('.')[0]}.html.gz"
        if turn:
            body = _varied(body, pool, turn, position)
        target.write_bytes(gzip.compress(body, compresslevel=1, mtime=0))
        written.append(target)
    return written


def _bytes(path: Path) -> bytes:
    return gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()


def _sentences(pages: Sequence[Path]) -> list[str]:
    found: dict[str, None] = {}
    for path in pages:
        text = _bytes(path).decode("utf-8", "replace")
        for match in _TEXT.finditer(text):
            if match["text"] and text[: match.start()].endswith(("<p>", '">')) and _IS_PROSE.search(match["text"]):
                for sentence in _SENTENCES.split(html.unescape(match["text"]).strip()):
                    if 30 <= len(sentence) <= 400 and sentence[:1].isupper() and sentence[-1] in ".!?":
                        found[" ".join(sentence.split())] = None
    return list(found)


def _varied(body: bytes, pool: Sequence[str], turn: int, seed: int) -> bytes:
    random = Random(seed)
    text = body.decode("utf-8", "surrogateescape")

    def other_body(match: re.Match[str]) -> str:
        return match[1] + _drawn(random, pool, len(match[2]), lambda sentence: json.dumps(sentence)[1:-1])

    def other_text(match: re.Match[str]) -> str:
        if match["code"]:
            return _ARTICLE_BODY.sub(other_body, match["code"])
        if not _IS_PROSE.search(match["text"]):
            return match["text"]
        return _drawn(random, pool, len(match["text"]), html.escape).encode("ascii", "xmlcharrefreplace").decode()

    text = _TEXT.sub(other_text, text)
    text = _CANONICAL.sub(lambda match: _HOST.sub(f"copy{turn}.", match[0]), text)
    return text.encode("utf-8", "surrogateescape")


def _drawn(random: Random, pool: Sequence[str], characters: int, written: Callable[[str], str]) -> str:
    parts: list[str] = []
    while characters > 0:
        parts.append(written(random.choice(pool)))
        characters -= len(parts[-1]) + 1
    return " ".join(parts)
