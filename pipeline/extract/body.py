"""The article's text out of a parsed page: paragraphs separated by blank lines. Pure.

Two candidates are taken from the one parsed tree: trafilatura's quick mode, which knows the names that templates give to
article bodies, and the densest part of the page, which goes by prose alone. They fail on different pages, so their
lengths tell much:

1. The densest part is the text, where there is one;
2. unless it is somewhat longer than trafilatura's: then it has taken in what stands around the article (comments, other
   stories), and trafilatura's text is taken. Where it is far longer, trafilatura has taken a box for the article.
3. Where both are short, trafilatura's thorough mode is asked, and then the text that the page states in JSON-LD.
"""

# ruff: noqa: E501 - patterns and vocabularies read better unbroken

from __future__ import annotations

import re
from copy import deepcopy
from dataclasses import dataclass

from lxml.html import HtmlElement

from pipeline.extract.density import columns, densest_part, lines_aside, lines_of, teasers
from pipeline.extract.trim import trim

SOMEWHAT_LONGER = 1.3
FAR_LONGER = 2.5
MAX_ELEMENTS = 30_000
SHORT = 500
"""Characters below which a text may be a teaser, and further candidates are asked."""

_LIST_ITEM = re.compile(r"- \S")


@dataclass(frozen=True, slots=True)
class Body:
    """A text, which candidate it is, what was taken off it, and the share of links in the text of the whole page."""

    text: str
    origin: str
    captions: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    link_share: float = 0.0


def extract_body(
    tree: HtmlElement, headline: str = "", authors: tuple[str, ...] = (), stated: str | None = None
) -> Body:
    """The best text that can be had of the page; empty where there is none. The tree is left as it was.

    ``headline`` and ``authors`` help to see where the story begins and ends; ``stated`` is JSON-LD's articleBody.
    """
    if teasers(tree):
        tree = deepcopy(tree)
        for teaser in teasers(tree):
            teaser.drop_tree()
    part = densest_part(tree)
    dense = _length(part.blocks)
    # trafilatura's time grows faster than a page's elements; beyond any real article the densest part decides alone.
    moderate = sum(1 for _ in tree.iter()) <= MAX_ELEMENTS
    known = _length(known_blocks := _trafilatura(tree, thorough=False) if moderate else [])
    blocks, origin = part.blocks, "density"
    if moderate and (not dense or SOMEWHAT_LONGER * known < dense <= FAR_LONGER * known):
        blocks, origin = known_blocks, "trafilatura.fast"
    if moderate and _length(blocks) < SHORT:
        thorough_blocks = _trafilatura(tree, thorough=True)
        if _length(thorough_blocks) > _length(blocks):
            blocks, origin = thorough_blocks, "trafilatura.balanced"
        if stated and len(stated) > max(SHORT, 2 * _length(blocks)):
            blocks, origin = [line.strip() for line in stated.split("\n") if line.strip()], "jsonld"
    if (
        len(blocks) == 1
        and headline
        and headline in blocks[0]
        and blocks[0] != headline
        and origin.startswith("trafilatura")
    ):
        # trafilatura's last resort: everything in one run, the headline and what stands around it included.
        blocks, origin = lines_of(tree), "density"
    if origin.startswith("trafilatura"):
        # Its text doesn't say what were links and boxes. A page of nothing else is rejected for that.
        aside = lines_aside(tree).union(part.removed)
        blocks = [block for block in blocks if block.removeprefix("- ") not in aside] or blocks
    trimmed = trim(blocks, headline, authors, part.captions)
    removed = (*trimmed.removed, *part.removed)
    return Body(paragraphs(trimmed.kept), origin, tuple(trimmed.captions), removed, part.link_share)


def paragraphs(blocks: list[str]) -> str:
    """Blocks as paragraphs separated by blank lines; the items of a list stay together."""
    out: list[str] = []
    for block in blocks:
        if _LIST_ITEM.match(block) and out and _LIST_ITEM.match(out[-1].rpartition("\n")[2]):
            out[-1] = f"{out[-1]}\n{block}"
        else:
            out.append(block)
    return "\n\n".join(out)


def _trafilatura(tree: HtmlElement, *, thorough: bool) -> list[str]:
    from trafilatura import bare_extraction  # heavy: loaded with the first page

    if thorough:
        document = bare_extraction(tree, include_comments=False)
    else:
        document = bare_extraction(tree, include_comments=False, fast=True, favor_recall=True)
    text: str = getattr(document, "text", None) or ""
    return [line.rstrip() for line in text.split("\n") if line.strip()]


def _length(blocks: list[str]) -> int:
    return sum(map(columns, blocks))
