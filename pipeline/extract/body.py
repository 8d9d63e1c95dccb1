"""The article's text out of a parsed page: paragraphs separated by blank lines. Pure.

trafilatura is the engine; its modes are candidates that are compared on one parsed tree.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from lxml.html import HtmlElement

# Below this many characters the quick mode may have missed the article, and the thorough one is asked too.
THOROUGH_BELOW = 1_500

_LIST_ITEM = re.compile(r"- \S")


@dataclass(frozen=True, slots=True)
class Body:
    """A text and which candidate it is."""

    text: str
    origin: str


def extract_body(tree: HtmlElement) -> Body:
    """The best text that can be had of the page; empty where there is none. The tree is left as it was."""
    from trafilatura import bare_extraction

    quick = bare_extraction(tree, fast=True, favor_recall=True, include_comments=False)
    text = _text(quick)
    if len(text) >= THOROUGH_BELOW:
        return Body(paragraphs(text), "trafilatura.fast")
    thorough = _text(bare_extraction(tree, include_comments=False))
    return Body(paragraphs(thorough or text), "trafilatura.balanced")


def _text(document: object) -> str:
    return getattr(document, "text", None) or ""


def paragraphs(text: str) -> str:
    """One paragraph a line, made into paragraphs separated by blank lines; the items of a list stay together."""
    out: list[str] = []
    for line in text.split("\n"):
        line = line.rstrip()
        if not line.strip():
            continue
        if _LIST_ITEM.match(line) and out and _LIST_ITEM.match(out[-1].rpartition("\n")[2]):
            out[-1] = f"{out[-1]}\n{line}"
        else:
            out.append(line)
    return "\n\n".join(out)
