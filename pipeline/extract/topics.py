"""What an article is filed under: its section, and its tags. Pure.

Publishers put other things there too: the name of the site, its home page, the bin for what has no category, labels for
machines. These are passed over, and the next statement is asked.
"""

# ruff: noqa: E501 - patterns and vocabularies read better unbroken

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Any

from lxml.html import HtmlElement

from pipeline.extract.dates import find_date
from pipeline.extract.metadata import Found, leads_home
from pipeline.extract.structured import Structured, letters_of, plain, text_of, types_of
from pipeline.models import StatedFacts

MAX_KEYWORDS = 50
MAX_SECTION = 60
MAX_LINKS = 200

_SECTION_META = (
    "article:section", "og:article:section", "parsely-section", "section", "articlesection", "cxenseparse:recs:category",
)  # fmt: skip
_NO_TOPIC = re.compile(
    r"home ?page|main page|start(?:page|seite)?|accueil|inicio|início|uncategori[sz]ed|no category|non class[ée]e?|sin categor[íi]a|senza categoria|sem categoria|geen categorie"
    r"|ukategori[sz]eret|okategoriserade?|default|featured|latest|other|slider|free|none|null|undefined|not set|n/?a|untagged|all|true|false",
    re.IGNORECASE,
)
_CONTAINER = re.compile(r"(?:our |the )?(?:blogs?|articles?|posts?|news|stories|archives?)|blog posts?", re.IGNORECASE)
"""Names of the place where all articles lie; of several sections named at once, another says more."""
_LABEL = re.compile(r"(?:categor(?:y|ies)|kategorien?|cat[ée]gories?|categor[íi]as?|rubrik)\s*:\s*", re.IGNORECASE)
_MACHINE_LABEL = re.compile(r"[a-z][A-Za-z_-]*: ?\S")
_FOLDER = re.compile(r"/(tags?|categor(?:y|ies))/[^/?#]+", re.IGNORECASE)
_HOME = re.compile(
    r"home ?(?:page)?|start(?:seite|sida|side)?|main|inicio|início|portada|accueil|pagina iniziale|voorpagina|forside|etusivu|strona główna|главная|首页|首頁|トップ|ホーム|홈",
    re.IGNORECASE,
)
_BREADCRUMB = re.compile(
    r"bread-?crumbs?|\bcrumbs?\b|fil-?d?-?ariane|migas(?:-de-pan)?|brotkrumen|brödsmulor", re.IGNORECASE
)


def section(
    stated: Structured,
    tree: HtmlElement,
    *,
    headline: str = "",
    site: str | None = None,
    beside_headline: Iterable[str] = (),
    people: tuple[str, ...] = (),
) -> Found | None:
    """The part of the paper that the article stood in.

    ``site`` is the publisher's name; ``beside_headline`` are the lines near the headline; ``people`` are its authors,
    whose names often stand there too.
    """
    not_these = {letters_of(headline), letters_of(site or "")}
    for origin, names in _section_statements(stated, tree, beside_headline, people):
        names = [name[label.end() :] if (label := _LABEL.match(name)) else name for name in names]
        usable = [name for name in names if _can_be_section(name) and letters_of(name) not in not_these]
        if usable:
            return Found(next((name for name in usable if not _CONTAINER.fullmatch(name)), usable[0]), origin)
    return None


def _section_statements(
    stated: Structured, tree: HtmlElement, beside_headline: Iterable[str], people: tuple[str, ...]
) -> Iterator[tuple[str, list[str]]]:
    value = stated.article.get("articleSection")
    values = value if isinstance(value, list) else [value]
    yield "jsonld", [part for item in values[:20] if (text := text_of(item, 500)) for part in _section_names(text)]
    for name in _SECTION_META:
        yield "meta", [part for value in stated.meta.get(name, ())[:20] for part in _section_names(value)]
    yield "jsonld", _breadcrumb_statement(stated)
    for element in tree.xpath(".//*[@itemprop='articleSection'][not(self::meta)]")[:5]:
        yield "microdata", [plain(element.get("content") or element.text_content()[:1000])]
    yield "page", _breadcrumb_shown(tree)
    yield "page", _beside_date(tree, beside_headline, people)
    yield "page", _filed_under(tree, "category")


def _section_names(text: str) -> list[str]:
    """One name, or several joined by commas ("Food, Travel and Wine" is one)."""
    parts = [part.strip() for part in text.split(",")]
    several = len(parts) > 2 or any(_NO_TOPIC.fullmatch(part) or _CONTAINER.fullmatch(part) for part in parts)
    if not several or len(text) > 4 * MAX_SECTION or ". " in text or re.match(r"(?:and|und|et|y|e|&)\s", parts[-1]):
        return [text]
    return parts


def _can_be_section(name: str) -> bool:
    return (
        2 <= len(name) <= MAX_SECTION
        and "://" not in name
        and not _NO_TOPIC.fullmatch(name)
        and name.casefold() != "home"
        and any(character.isalpha() for character in name)
    )


def _breadcrumb_statement(stated: Structured) -> list[str]:
    """The steps between the home page and the article in a BreadcrumbList."""
    for node in stated.nodes:
        items = node.get("itemListElement")
        if "BreadcrumbList" not in types_of(node) or not isinstance(items, list):
            continue
        steps = [_step(stated, item) for item in items[:20] if isinstance(item, dict)]
        between = [
            name for number, (name, address) in enumerate(steps[:-1]) if name and not _is_home(name, address, number)
        ]
        if between:
            return between
    return []


def _step(stated: Structured, item: dict[str, Any]) -> tuple[str | None, str]:
    target = stated.resolve(item.get("item"))
    name = text_of(item, 200) if item.get("name") else text_of(target, 200)
    address = (target.get("@id") or target.get("url")) if isinstance(target, dict) else target
    return name, address if isinstance(address, str) else ""


def _is_home(name: str, address: str, number: int) -> bool:
    if number > 0:
        return False
    if address and leads_home(address):
        return True
    # Without an address, the first of three and more is taken for the home page whatever it is called.
    return not address or bool(_HOME.fullmatch(name))


def _breadcrumb_shown(tree: HtmlElement) -> list[str]:
    """The links after the home page's in the trail that readers see over the article."""
    for element in tree.iter("nav", "ol", "ul", "div", "p"):
        marks = " ".join(element.get(name) or "" for name in ("class", "id", "aria-label", "itemtype"))
        if not _BREADCRUMB.search(marks) or len(element.text_content()) > 600:
            continue
        links = [link for link in element.iter("a") if plain(link.text_content()[:200])]
        if len(links) >= 2 and (
            leads_home(links[0].get("href") or "") or _HOME.fullmatch(plain(links[0].text_content()))
        ):
            return [plain(link.text_content()[:200]) for link in links[1:4]]
    return []


def _beside_date(tree: HtmlElement, lines: Iterable[str], people: tuple[str, ...]) -> list[str]:
    """What a date line names beside the date ("3 June 2026 - Local"), if a link above the headline is named so too."""
    menu = {plain(link.text_content()[:200]) for link in _before_headline(tree)} - set(people)
    for line in lines:
        if len(line) > 100 or (found := find_date(line)) is None:
            continue
        pieces = re.split(r"\s+[-–—]\s+|\s*[|·•›»/]\s*", f"{line[: found[1]]} | {line[found[2] :]}")
        for label in (piece.strip(" -–—,()") for piece in pieces):
            if 2 < len(label) <= 40 and label in menu and not re.search(r"\d", label):
                return [label]
    return []


def _before_headline(tree: HtmlElement) -> Iterator[HtmlElement]:
    """The links that stand above the first main heading; none where there is no such heading."""
    links: list[HtmlElement] = []
    for element in tree.iter("a", "h1"):
        if element.tag == "h1":
            yield from links
            return
        links.append(element)


def keywords(
    stated: Structured, tree: HtmlElement, facts: StatedFacts, site: str | None = None
) -> tuple[tuple[str, ...], str]:
    """Tags and keywords as the page lists them, each once, whatever its case.

    The name of the site, numbers and what content systems note for themselves ("locale: US") are no tags.
    """
    stated_words = stated.article.get("keywords")
    statements: list[tuple[str, list[Any]]] = [
        ("jsonld", stated_words if isinstance(stated_words, list) else [stated_words]),
        ("meta", list(stated.meta.get("article:tag", []))),
        ("meta", [stated.first_meta("news_keywords", "keywords", "parsely-tags", "sailthru.tags")]),
        ("page", list(_filed_under(tree, "tag"))),
        ("source", list(facts.keywords)),
    ]
    lists = [(origin, tags_of(values, site, whole=origin == "page")) for origin, values in statements]
    # JSON-LD often holds no more than the phrase that the page is to be found by; the fuller list is that of the tags.
    lists[:2] = sorted(lists[:2], key=lambda found: len(found[1]), reverse=True)
    return next(((tuple(tags)[:MAX_KEYWORDS], origin) for origin, tags in lists if tags), ((), ""))


def tags_of(values: Iterable[Any], site: str | None = None, *, whole: bool = True) -> list[str]:
    """The usable tags of one statement, each once. Where all are in one string and not ``whole``, commas part them."""
    texts = [text for value in values if (text := text_of(value))]
    words = [part for text in texts for part in (_words(text) if len(texts) == 1 and not whole else [text])]
    if sum(bool(_MACHINE_LABEL.match(word)) for word in words) >= 2:
        words = [word for word in words if not _MACHINE_LABEL.match(word)]
    tags: dict[str, str] = {}
    for word in (word.lstrip("#").strip(" ,;") for word in words):
        if _can_be_tag(word) and letters_of(word) != letters_of(site or ""):
            tags.setdefault(re.sub(r"[\s_-]+", " ", word.casefold()), word)
    return list(tags.values())


def _words(text: str) -> list[str]:
    parts = re.split(r"[,;]", text) if re.search(r"[,;]", text) else [text]
    return [part.strip() for part in parts]


def _can_be_tag(word: str) -> bool:
    return (
        0 < len(word) <= 100
        and any(character.isalpha() for character in word)
        and not _NO_TOPIC.fullmatch(word)
        and "://" not in word
    )


def _filed_under(tree: HtmlElement, kind: str) -> list[str]:
    """The names of the links by which the article's own template says what it is filed under: its "tag" or "category".

    They bear ``rel="tag"`` (microformats' rel-tag), or lead to a folder named so and follow the headline. Lists of other
    stories have the like for each of them; so only the first group of neighbours counts, outside menus and boxes.
    """
    links: list[HtmlElement] = []
    below, looked_at = False, 0
    for element in tree.iter("a", "h1"):
        if element.tag == "h1":
            below = True
        elif _marks(element, below) == kind:
            looked_at += 1
            if looked_at > MAX_LINKS:
                break
            if not _aside(element) and ("tag" in _rel(element) or not _in_a_sentence(element)):
                links.append(element)
    if not links:
        return []
    _, first = next(groupby(links, key=_neighbourhood))
    return [name for link in list(first)[:MAX_KEYWORDS] if (name := plain(link.text_content()[:200]))]


def _marks(link: HtmlElement, below_headline: bool) -> str | None:
    rel = _rel(link)
    folder = _FOLDER.search(link.get("href") or "")
    if "tag" in rel:
        return "category" if "category" in rel or (folder and folder[1][0] in "cC") else "tag"
    return "tag" if below_headline and folder and folder[1][0] in "tT" else None


def _rel(link: HtmlElement) -> list[str]:
    return (link.get("rel") or "").lower().split()


def _in_a_sentence(link: HtmlElement) -> bool:
    paragraph = next(link.iterancestors("p"), None)
    if paragraph is None:
        return False
    linked = sum(len(other.text_content()) for other in paragraph.iter("a"))
    return 2 * linked < len(paragraph.text_content())


def _aside(link: HtmlElement) -> bool:
    """Whether a link stands in a menu, in a box beside the article, or in the teaser of another one."""
    return any(
        element.tag in ("nav", "aside") or (element.tag == "article" and element.find(".//h1") is None)
        for element in link.iterancestors()
    )


def _neighbourhood(link: HtmlElement) -> HtmlElement:
    parent = link.getparent()
    assert parent is not None
    return parent.getparent() if parent.tag in ("li", "span") and parent.getparent() is not None else parent
