"""A second opinion on where the article is: the smallest part of the page that holds nearly all of its prose. Pure.

trafilatura looks for the names that templates give to article bodies, and takes a part for the whole where a page is cut
into many sections of its own making. Prose gives itself away without names: long blocks with few links.
"""

# ruff: noqa: E501, SIM905 - patterns and vocabularies read better unbroken

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass, field
from functools import lru_cache

from lxml.etree import iterwalk
from lxml.html import HtmlElement

from pipeline.extract.furniture import heads_a_list, is_furniture, leads_elsewhere

PROSE_LENGTH = 80
"""Characters from which on a block is prose and not a label."""
_CONTAINER_SHARE = 0.85
_MAX_LINKS = 0.4
_ALL_LINK = 0.8
_MOSTLY_LINK = 0.9
_FURNITURE_SHARE = 0.3
"""What holds more of a page's prose than this is its article, whatever its class is called ("has-sidebar", "no-menu")."""
_BLOCKS = frozenset("p li blockquote pre h1 h2 h3 h4 h5 h6 dd dt tr".split())
_HEADINGS = frozenset({"h1", "h2", "h3", "h4", "h5", "h6"})
_INLINE = frozenset(
    "a abbr b bdi bdo cite code data em font i ins kbd label mark q s small span strong sub sup time tt u var br wbr".split()
)
_NEVER_TEXT = frozenset("script style template svg select option iframe textarea video audio".split())
_SKIPPED = frozenset("noscript nav footer aside form button figcaption dialog".split())
_BOUNDARY = r"(?:^|[\s_-])(?:{})(?:$|[\s_-])"
# Names of what is never the story itself.
_FURNITURE_NAME = re.compile(
    _BOUNDARY.format(
        r"related|recommend\w*|comments?|respond|share|sharing|social|newsletters?|subscri\w*|suscri\w*|abonn(?:e|ier)\w*|\w*donat(?:e|ions?)\w*|sign-?up|promo\w*|sponsor\w*|advert\w*|cookies?|consent|gdpr|breadcrumbs?"
        r"|author-?(?:bio|box|info|card)?|bio|byline|popup|modal|paywall|pagination|pager|read-?more|read-?next|see-?also|more-?(?:stories|posts|articles|from)"
        r"|trending|popular|\w*caption|\w*credits?|disclaimer|disclosure|skip-?link|visually-hidden|sr-only|screen-reader\w*|rating|review-form|(?:usa|gov)-?banner|poll|quiz|kicker|eyebrow|overline|overtitle|ante-?titulo|dachzeile|spitzmarke|surtitre|kg-(?:signup|cta|bookmark)-card|vjs-[\w-]+|mejs-[\w-]+|jw-[\w-]+|more[-_]?info"
    ),
    re.IGNORECASE,
)
# Names of places in a layout. They hold furniture, unless what they hold is nearly all prose ("field--label-hidden").
_PLACE_NAME = re.compile(
    _BOUNDARY.format(
        r"sidebar|side-?bar|widget-area|footer|menu|navbar|nav|toc|table-of-contents|tags?|banner|ads?|hidden"
    ),
    re.IGNORECASE,
)
_WIDE = re.compile("[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\uff00-\uff60]+")
_PROSE_SHARE = 0.7
_WORDS_OF_HEADLINE = 4
_HEADINGS_LEFT = 2
_LARGEST_BOX = 500
_NEAR = 6
_LABEL = re.compile(r"[^.!?:\n]{2,25}[:：]\s*")
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
_PITCH = re.compile(
    r"\b(?:chip(?:ping)? in|your support|support (?:us|our|the|independent)|donat(?:e|ion)|contribut(?:e|ion)|become a (?:member|subscriber|supporter)|subscribe|newsletter|free trial"
    r"|unterstützen sie|abonnieren|spenden|soutenez|abonnez|suscríbete|hazte soci[oa]|assine|sostieni|abbonati|steun ons|bli prenumerant)\b",
    re.IGNORECASE,
)
_LARGEST_WIDGET = 500
_FOLDABLE_NAME = re.compile(
    r"accordion|collaps|expand|toggle|foldable|spoiler|faq|answer|tab-?(?:pane|panel|content)", re.I
)
_CAPTION_NAME = re.compile(
    _BOUNDARY.format(
        r"\w*caption\w*|bildunterschrift|l[ée]gende|pie(?:-?de)?(?:-?foto)?|didascalia|(?:photo|image|picture|media)\w*?[-_]+(?:desc(?:ription)?|legend|text)"
    ),
    re.I,
)
_CAPTION_TAGS = frozenset("p div span td small em".split())
_LONGEST_CAPTION = 500
_LONGEST_TEASER = 500
_SHORTEST_ANNOUNCEMENT = 40
_OTHER_STORIES = re.compile(
    r"\b(?:related|similar|more|other|further|latest|recent|popular|articles?|stories|posts?)\b", re.I
)
_TEASERS = 3
"""Headlines of other stories in a row from which on they are a list of teasers."""


@dataclass(slots=True)
class _Block:
    element: HtmlElement
    text: str
    links: int
    ancestors: tuple[int, ...] = field(default=())
    is_caption: bool = False

    @property
    def is_prose(self) -> bool:
        return not self.is_caption and columns(self.text) >= PROSE_LENGTH and self.links <= _MAX_LINKS * len(self.text)


def columns(text: str) -> int:
    """The length of a text in characters, where those of Chinese, Japanese and Korean, which say more, count as three."""
    return len(text) if text.isascii() else len(text) + 2 * sum(map(len, _WIDE.findall(text)))


def prose_length(tree: HtmlElement) -> int:
    """How many characters of prose the paragraphs of a page hold, roughly and quickly."""
    total = 0
    for element in tree.iter("p"):
        length = columns(element.text_content())
        if length >= PROSE_LENGTH:
            total += length
    return total


@dataclass(frozen=True, slots=True)
class DensestPart:
    """The text of the densest part, block by block, and the share of links in all text of the page, furniture aside.

    ``captions`` stand under the pictures of that part, ``removed`` are its lines that lead to other pages.
    """

    blocks: list[str]
    link_share: float
    captions: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()


def densest_part(tree: HtmlElement) -> DensestPart:
    """The blocks of text of the smallest element that holds nearly all prose of the page, furniture left out."""
    blocks = _blocks(tree)
    texts = [block for block in blocks if not block.is_caption]
    link_share = sum(block.links for block in texts) / max(1, sum(len(block.text) for block in texts))
    weights: dict[int, int] = {}
    total = 0
    for block in blocks:
        if block.is_prose:
            total += len(block.text)
            for ancestor in block.ancestors:
                weights[ancestor] = weights.get(ancestor, 0) + len(block.text)
    if not total:
        return DensestPart([], link_share)
    # Ancestors are numbered in the order of the page, so the last of those that hold enough is the innermost.
    container = max((number for number, weight in weights.items() if weight >= _CONTAINER_SHARE * total), default=0)
    inside = [number for number, block in enumerate(blocks) if container in block.ancestors]
    chosen = _lede(blocks, inside[0]) + [blocks[number] for number in inside]
    kept: list[str] = []
    removed: list[str] = []
    in_list = False
    headings_at_end = 0
    for number, block in enumerate(chosen):
        if block.is_caption:
            continue
        if 2 * block.links > len(block.text) and (leads_elsewhere(block.text) or _points(block)):
            removed.append(block.text)
            continue
        if block.links > (_ALL_LINK if block.element.tag in ("li", "p") else _MOSTLY_LINK) * len(block.text):
            # Links are part of the story where a sentence of it announces them: "The patches are the following:".
            announced = bool(kept) and (_announces(kept[-1]) or (in_list and kept[-1].startswith("- ")))
            in_list = block.element.tag == "li" and announced and not _leads_within(block.element)
            over_prose = block.element.tag in _HEADINGS and number + 1 < len(chosen) and chosen[number + 1].is_prose
            if not (in_list or over_prose) or (kept and heads_a_list(kept[-1])):
                continue
        # Two breaks part paragraphs, as one does in text: what stood on lines of its own stays apart.
        for text in [block.text] if block.element.tag == "pre" else block.text.split("\n"):
            line = f"- {text}" if block.element.tag == "li" else text
            if not kept or kept[-1] != line:
                kept.append(line)
                headings_at_end = headings_at_end + 1 if block.element.tag in _HEADINGS else 0
    # What a heading at the end was over has been left out; several are a list.
    if headings_at_end <= _HEADINGS_LEFT:
        del kept[len(kept) - headings_at_end :]
    return DensestPart(kept, link_share, _captions(blocks, inside), tuple(removed))


def _points(block: _Block) -> bool:
    """Whether a paragraph is a few words with a colon and then nothing but a linked headline, in whatever language."""
    label = _LABEL.match(block.text)
    if label is None or block.element.tag not in ("p", "div"):
        return False
    rest = block.text[label.end() :]
    return block.links >= _MOSTLY_LINK * len(rest) and (
        len(rest.split()) >= _WORDS_OF_HEADLINE or columns(rest) > len(rest)
    )


def _announces(line: str) -> bool:
    return line.endswith(":") and len(line) >= _SHORTEST_ANNOUNCEMENT and not _OTHER_STORIES.search(line)


def _leads_within(element: HtmlElement) -> bool:
    return any((link.get("href") or "").startswith("#") for link in element.iter("a"))


def lines_of(tree: HtmlElement) -> list[str]:
    """All lines of a page that holds no prose, furniture and links left out."""
    return [
        line
        for block in _blocks(tree)
        if not block.is_caption and block.links <= _MAX_LINKS * len(block.text)
        for line in block.text.split("\n")
    ]


def lines_aside(tree: HtmlElement) -> frozenset[str]:
    """The short lines of a page that stand in boxes around the story or are nothing but a link."""
    most = _FURNITURE_SHARE * prose_length(tree)
    blocks = _blocks(tree)
    acting = _acting(tree)
    lines = {block.text for block in blocks if block.links > _MOSTLY_LINK * len(block.text)}
    for box in tree.iter("div", "section", "aside", "form", "nav", "ul", "p"):
        if _is_furniture(box, acting) and prose_length(box) <= most:
            lines.update(_lines_of_box(box))
    # A table of contents repeats the story's headings.
    story = {line for block in blocks if not block.links for line in block.text.split("\n")}
    return frozenset(line for line in lines - story if len(line) <= _LONGEST_TEASER)


def _lines_of_box(box: HtmlElement) -> set[str]:
    if len(box) and sum(1 for _ in itertools.islice(box.iter(), _LARGEST_BOX)) == _LARGEST_BOX:
        return set()
    elements = box.iter("p", "div", "span", "a", "li", "h2", "h3", "h4", "h5")
    return {" ".join(element.text_content().split()) for element in elements}


def _captions(blocks: list[_Block], inside: list[int]) -> tuple[str, ...]:
    """The captions between the headline and the end of the part, and those in the part."""
    above = range(inside[0])
    title = max((number for number in above if blocks[number].element.tag == "h1"), default=-1)
    if title < 0:  # the headline may be a heading of a lower rank right above
        near = (number for number in above if number >= inside[0] - _NEAR and blocks[number].element.tag in _HEADINGS)
        title = min(near, default=inside[0])
    found = [blocks[number] for number in range(title, inside[-1] + 1) if blocks[number].is_caption]
    return tuple(dict.fromkeys(" ".join(block.text.split()) for block in found))


def teasers(tree: HtmlElement) -> list[HtmlElement]:
    """Lists of other stories: several linked headlines in a row, each with a sentence or two, outside the story's own article.

    Only a page that wraps its headline in an ``article`` says what is outside; elsewhere such lists may be the story.
    """
    h1 = next(tree.iter("h1"), None)
    own = next((element for element in reversed(list(h1.iterancestors("article")))), None) if h1 is not None else None
    if own is None:
        return []
    inside = set(own.iter())
    return [item for item in _teaser_rows(tree) if item not in inside and own not in item.iterdescendants()]


def teaser_share(tree: HtmlElement, text: str) -> float:
    """The share of a text that stands in rows of teasers."""
    words = " ".join(text.split())
    found = [line for item in _teaser_rows(tree) for line in _lines_within(item)]
    return sum(len(line) for line in found if line in words) / max(1, len(words))


def _lines_within(item: HtmlElement) -> list[str]:
    return [" ".join(element.text_content().split()) for element in item.iter("p", *_HEADINGS)]


def _teaser_rows(tree: HtmlElement) -> list[HtmlElement]:
    groups: dict[HtmlElement, set[HtmlElement]] = {}
    for heading in tree.iter("h2", "h3", "h4", "h5", "h6"):
        if not _is_linked(heading):
            continue
        item = heading.getparent()
        while item is not None and item.tag in ("a", "header", "h2", "h3", "h4"):
            item = item.getparent()
        around = item.getparent() if item is not None else None
        if around is not None and len(item.text_content().strip()) <= _LONGEST_TEASER:
            groups.setdefault(around, set()).add(item)
    return [item for group in groups.values() if len(group) >= _TEASERS for item in group]


def _is_linked(heading: HtmlElement) -> bool:
    if any(ancestor.tag == "a" for ancestor in heading.iterancestors()):
        return True
    text = heading.text_content().strip()
    return bool(text) and sum(len(a.text_content().strip()) for a in heading.iter("a")) > _ALL_LINK * len(text)


def _lede(blocks: list[_Block], start: int) -> list[_Block]:
    """The prose between the headline and the part that holds the rest: introductions often stand in the page's header."""
    title = max((number for number in range(start) if blocks[number].element.tag == "h1"), default=None)
    return [] if title is None else [block for block in blocks[title + 1 : start] if block.is_prose]


def _blocks(tree: HtmlElement) -> list[_Block]:
    """The innermost blocks of text in the order of the page, each with its ancestors' numbers."""
    body = tree.find(".//body")
    blocks: list[_Block] = []
    counter = 0
    most = _FURNITURE_SHARE * prose_length(tree)
    acting = _acting(tree)
    stack: list[tuple[HtmlElement, tuple[int, ...], int]] = [(body if body is not None else tree, (), 0)]
    while stack:
        element, ancestors, linked = stack.pop()
        tag = element.tag
        if not isinstance(tag, str) or tag in _NEVER_TEXT:
            continue
        if caption := _caption(element):
            blocks.append(_Block(element, caption, 0, ancestors, is_caption=True))
            continue
        if _is_furniture(element, acting) and prose_length(element) <= most:
            continue
        counter += 1
        own = (*ancestors, counter)
        if tag == "a" and element.get("href") is not None:
            linked = len(" ".join(element.text_content().split()))
        if tag in _HEADINGS or (
            tag in _BLOCKS
            and not any(
                isinstance(d.tag, str) and d.tag in ("p", "li", "div", "ul", "ol", "table")
                for d in element.iterdescendants()
            )
        ):
            text, links = _text(element)
            if text:
                blocks.append(_Block(element, text, _linked(text, linked) or links, own))
            continue
        children = list(element)
        if tag in (
            "div",
            "section",
            "article",
            "li",
            "td",
            "blockquote",
            "span",
            "main",
            "body",
            "center",
            "font",
            "dd",
        ):
            inline = all(not isinstance(child.tag, str) or child.tag in _INLINE for child in children)
            if inline:
                text, links = _text(element)
                if text:
                    blocks.append(_Block(element, text, _linked(text, linked) or links, own))
                continue
            loose = " ".join(
                part.strip() for part in [element.text or "", *(child.tail or "" for child in children)] if part.strip()
            )
            if columns(loose) >= PROSE_LENGTH:
                # Text that stands directly between blocks, as in pages that part their paragraphs with br alone.
                for text in _loose_paragraphs(element, children):
                    blocks.append(_Block(element, text, 0, own))
        stack.extend((child, own, linked) for child in reversed(children))
    return blocks


def _linked(text: str, link_length: int) -> int:
    """How much of a block is link where it stands in one: all, unless the link holds more blocks than this."""
    return len(text) if link_length and len(text) >= _ALL_LINK * link_length else 0


def _caption(element: HtmlElement) -> str:
    """The text of an element that is a picture's caption, by its tag or name or as the one text in a picture's table."""
    name = _name(element)
    if element.tag == "table":
        if sum(1 for _ in element.iter("img")) != 1 or sum(1 for _ in element.iter("table")) != 1:
            return ""
        cells = [cell for cell in element.iter("td", "th", "caption") if cell.text_content().strip()]
        if len(cells) != 1 or next(cells[0].iter("h1", "h2", "h3"), None) is not None:
            return ""
        element = cells[0]
    elif element.tag != "figcaption" and not (element.tag in _CAPTION_TAGS and _is_caption_name(name)):
        return ""
    elif next(element.iter("img", "h1", "h2"), None) is not None:
        return ""  # the picture itself with all that belongs to it
    text, links = _text(element)
    return text if len(text) <= _LONGEST_CAPTION and links <= _MAX_LINKS * len(text) else ""


def _name(element: HtmlElement) -> str:
    """An element's class and id with the words of "relatedContainer" and "InlinePromo" apart."""
    return _CAMEL.sub("-", f"{element.get('class') or ''} {element.get('id') or ''}")


@lru_cache(maxsize=8192)  # pages repeat their names, and so do sites
def _kind_of_name(name: str) -> str:
    return "furniture" if _FURNITURE_NAME.search(name) else "place" if _PLACE_NAME.search(name) else ""


@lru_cache(maxsize=8192)
def _is_caption_name(name: str) -> bool:
    return _CAPTION_NAME.search(name) is not None


def _acting(tree: HtmlElement) -> frozenset[HtmlElement]:
    """The boxes with something to press or fill in."""
    fields = tree.iter("input", "button")
    return frozenset(box for field in fields for box in field.iterancestors("div", "section"))


def _is_furniture(element: HtmlElement, acting: frozenset[HtmlElement]) -> bool:
    if element.tag in _SKIPPED:
        return True
    if element.tag in ("body", "main", "article"):
        return False
    name = _name(element)
    if name != " " and len(name) < 400:
        kind = _kind_of_name(name)
        if kind == "furniture":
            return True
        if kind == "place":
            return not _is_mostly_prose(element)
    if element in acting and _is_widget(element):
        return True
    style = element.get("style")
    if style and re.search(r"display:\s*none", style):
        # What readers open with a click is part of the story; what waits to pop up isn't.
        return not (_is_foldable(element) and _is_mostly_prose(element))
    return False


def _is_widget(element: HtmlElement) -> bool:
    """Whether an element is a small box to act in: an e-mail address to leave, a poll to vote in."""
    if len(element.text_content()) > _LARGEST_WIDGET:
        return False
    fields = list(element.iter("input", "button"))
    buttons = sum(1 for field in fields if field.tag == "button")
    if any(field.get("type") == "email" for field in fields) or (buttons > 1 and not prose_length(element)):
        return True
    label = len(element.text_content().strip()) <= PROSE_LENGTH and not any(True for _ in element.iter(*_HEADINGS))
    if label and any(is_furniture(button.text_content().strip()) for button in element.iter("button")):
        return True  # a topic to follow, a picture to share
    return buttons > 0 and _PITCH.search(element.text_content()) is not None


def _is_mostly_prose(element: HtmlElement) -> bool:
    return prose_length(element) >= _PROSE_SHARE * columns(" ".join(element.text_content().split()))


def _is_foldable(element: HtmlElement) -> bool:
    around = [element, *itertools.islice(element.iterancestors(), 2), *itertools.islice(element, 2)]
    return any(_FOLDABLE_NAME.search(_name(part)) for part in around)


def _loose_paragraphs(element: HtmlElement, children: list[HtmlElement]) -> list[str]:
    parts: list[str] = [element.text or ""]
    out: list[str] = []
    for child in children:
        if isinstance(child.tag, str) and child.tag in _INLINE and child.tag != "br":
            parts.append(child.text_content())
        else:
            out.append(" ".join(" ".join(parts).split()))
            parts = []
        parts.append(child.tail or "")
    out.append(" ".join(" ".join(parts).split()))
    return [text for text in out if text]


def _text(element: HtmlElement) -> tuple[str, int]:
    if element.tag == "tr":
        cells = [" ".join(" ".join(cell.itertext()).split()) for cell in element.iter("td", "th")]
        return " | ".join(cells).strip(" |"), 0
    pieces: list[str] = []
    for event, node in iterwalk(element, events=("start", "end")):
        if event == "start":
            if node.tag == "br":
                pieces.append("\n")
            elif isinstance(node.tag, str) and node.text and node.tag not in _NEVER_TEXT:
                pieces.append(node.text)
        elif node is not element and node.tail:
            pieces.append(node.tail)
    lines = [" ".join(line.split()) for line in "".join(pieces).split("\n")]
    text = "\n".join(line for line in lines if line)
    links = sum(len(" ".join(link.text_content().split())) for link in element.iter("a")) if text else 0
    return text, links
