"""What a page states about itself for machines: JSON-LD, OpenGraph and other meta tags, microdata. Pure.

JSON-LD is read here and not by trafilatura, whose reader takes time quadratic in the size of a broken block.
"""

# ruff: noqa: E501 - patterns and vocabularies read better unbroken

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from html import unescape
from html.entities import html5
from typing import Any

from lxml.html import HtmlElement

MAX_BLOCK_CHARACTERS = 1_000_000
MAX_BLOCKS = 50
MAX_NODES = 2_000
MAX_DEPTH = 20

ARTICLE_TYPES = frozenset(
    [
        "Article",
        "NewsArticle",
        "BlogPosting",
        "ReportageNewsArticle",
        "AnalysisNewsArticle",
        "OpinionNewsArticle",
        "ReviewNewsArticle",
        "BackgroundNewsArticle",
        "AskPublicNewsArticle",
        "AdvertiserContentArticle",
        "SatiricalArticle",
        "ScholarlyArticle",
        "TechArticle",
        "Report",
        "LiveBlogPosting",
        "SocialMediaPosting",
        "MedicalScholarlyArticle",
        "Review",
        "CriticReview",
        "Recipe",
        "HowTo",
    ]
)
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")
_TRAILING_COMMA = re.compile(r",\s*([}\]])")
_CUT_ENTITY = re.compile(r"&([A-Za-z]{2,10})$")  # the last one of a text that was cut to a length
_TAGS = re.compile(r"<[^<>]{0,1000}>")


@dataclass(frozen=True, slots=True)
class Structured:
    """The statements of one page. ``article`` is the JSON-LD node of the article itself, empty where there is none."""

    article: dict[str, Any]
    types: frozenset[str]
    nodes: tuple[dict[str, Any], ...]
    by_id: dict[str, dict[str, Any]]
    meta: dict[str, list[str]]
    skipped_blocks: int = 0
    links: dict[str, str] = field(default_factory=dict)

    def first_meta(self, *names: str) -> str | None:
        """The first filled meta tag among ``names`` (lower case; name, property or itemprop alike)."""
        for name in names:
            for value in self.meta.get(name, ()):
                if value:
                    return value
        return None

    def resolve(self, value: Any) -> Any:
        """A JSON-LD reference ``{"@id": …}`` as the node it points to, anything else unchanged."""
        if isinstance(value, dict) and set(value) <= {"@id", "@type"} and isinstance(value.get("@id"), str):
            return self.by_id.get(value["@id"], value)
        return value


def read_structured(tree: HtmlElement, headline_hint: str | None = None) -> Structured:
    """Read all statements of a parsed page. Never raises on bad content: broken or oversized blocks are left out."""
    nodes: list[dict[str, Any]] = []
    skipped = 0
    for text in _blocks(tree):
        if len(nodes) >= MAX_NODES:
            break
        block = _read_block(text)
        if block is None:
            skipped += 1
            continue
        for node in _walk(block):
            nodes.append(node)
            if len(nodes) >= MAX_NODES:
                break
    by_id = {node["@id"]: node for node in nodes if isinstance(node.get("@id"), str) and len(node) > 2}
    types = frozenset(name for node in nodes for name in types_of(node))
    meta = _read_meta(tree)
    return Structured(
        article=_choose_article(nodes, headline_hint), types=types, nodes=tuple(nodes), by_id=by_id, meta=meta,
        skipped_blocks=skipped, links=_read_links(tree),
    )  # fmt: skip


def types_of(node: dict[str, Any]) -> list[str]:
    """The schema.org type names of a node, without their namespace."""
    value = node.get("@type")
    values = value if isinstance(value, list) else [value]
    return [re.split(r"[/#:]", name)[-1] for name in values if isinstance(name, str)]


def text_of(value: Any, limit: int = 5_000) -> str | None:
    """A JSON-LD value as plain text: strings without markup and entities, the name of an object, the first of a list."""
    if isinstance(value, list):
        return next((text for item in value[:20] if (text := text_of(item, limit))), None)
    if isinstance(value, dict):
        return text_of(value.get("name") or value.get("@value") or value.get("headline"), limit)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str):
        return None
    return plain(value[: limit * 2])[:limit] or None


def letters_of(text: str) -> str:
    """The letters and digits of a text, case folded: what two texts must share to read the same."""
    return re.sub(r"[\W_]+", "", text.casefold())


def plain(value: str) -> str:
    """``value`` on one line, without markup and with its entities (also doubly escaped ones) resolved."""
    if "&" in value:
        value = unescape(unescape(value))
        if (cut := _CUT_ENTITY.search(value)) and f"{cut[1]};" in html5:
            value = value[: cut.start()] + html5[f"{cut[1]};"]
    if "<" in value:
        value = _TAGS.sub(" ", value)
    return " ".join(_CONTROL.sub(" ", value).split())


def _blocks(tree: HtmlElement) -> Iterator[str]:
    """The JSON-LD texts of a page, in their order."""
    for number, element in enumerate(tree.iter("script", "meta")):
        if number > 4000:
            return
        if element.tag == "script" and "ld+json" in (element.get("type") or "").lower():
            yield element.text or ""
        elif element.get("name") == "script:ld+json":
            yield element.get("content") or ""  # what Next.js makes of a block that it is given as a meta tag


def _read_block(text: str) -> Any:
    if not text.strip() or len(text) > MAX_BLOCK_CHARACTERS:
        return None
    text = text.strip().removeprefix("<!--").removesuffix("-->").removeprefix("//<![CDATA[").removesuffix("//]]>")
    text = text.strip().removeprefix("<![CDATA[").removesuffix("]]>").strip().rstrip(";")
    for repair in (lambda t: t, lambda t: _TRAILING_COMMA.sub(r"\1", t), unescape):
        try:
            return json.loads(repair(text), strict=False)
        except (json.JSONDecodeError, RecursionError):
            continue
    # Something after the end of a valid document: the document counts.
    try:
        return json.JSONDecoder(strict=False).raw_decode(text)[0]
    except (json.JSONDecodeError, RecursionError):
        return None


def _walk(value: Any, depth: int = 0) -> Iterator[dict[str, Any]]:
    if depth > MAX_DEPTH:
        return
    if isinstance(value, list):
        for item in value[:MAX_NODES]:
            yield from _walk(item, depth + 1)
    elif isinstance(value, dict):
        yield value
        for key, inner in value.items():
            if isinstance(inner, (dict, list)) and key != "@context":
                yield from _walk(inner, depth + 1)


def _choose_article(nodes: list[dict[str, Any]], hint: str | None) -> dict[str, Any]:
    """The node that describes the page's own article: of an article type, with a headline; the fullest of several."""
    found = [
        node for node in nodes if ARTICLE_TYPES & set(types_of(node)) and (node.get("headline") or node.get("name"))
    ]

    def rank(node: dict[str, Any]) -> tuple[bool, bool, int]:
        strong = not {"Review", "CriticReview", "Recipe", "HowTo"} & set(types_of(node))
        title = text_of(node.get("headline") or node.get("name")) or ""
        same = bool(hint and title and (title.casefold() in hint.casefold() or hint.casefold() in title.casefold()))
        return (
            strong,
            same,
            sum(1 for key in ("datePublished", "author", "dateModified", "articleBody", "publisher") if node.get(key)),
        )

    return max(found, key=rank, default={})


def _read_meta(tree: HtmlElement) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for number, element in enumerate(tree.iter("meta")):
        if number > 2000:
            break
        content = element.get("content")
        if not content or len(content) > 20_000:
            continue
        value = plain(content)
        if not value:
            continue
        for attribute in ("property", "name", "itemprop"):
            if name := element.get(attribute):
                for part in name.lower().split()[:3]:
                    found.setdefault(part, []).append(value)
        if name := element.get("http-equiv"):
            found.setdefault(f"http-equiv:{name.lower()}", []).append(value)
    return found


def _read_links(tree: HtmlElement) -> dict[str, str]:
    found: dict[str, str] = {}
    for number, element in enumerate(tree.iter("link")):
        if number > 2000:
            break
        rel, href = (element.get("rel") or "").lower(), (element.get("href") or "").strip()
        if href and rel in ("canonical", "amphtml") and len(href) < 4000:
            found.setdefault(rel, href)
    return found
