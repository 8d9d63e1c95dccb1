"""The picture of an article. Pure.

What pages state for previews is often a picture of the site: its logo, or a card that all pages share. Readers of a list
would see the same picture beside every article, so these are passed over, and where nothing else is stated, the first
picture in the article itself is taken.
"""

# ruff: noqa: E501, SIM905 - patterns and vocabularies read better unbroken

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import chain
from typing import Any
from urllib.parse import unquote, urljoin, urlsplit

from lxml.html import HtmlElement

from pipeline.extract.metadata import Found
from pipeline.extract.structured import Structured, letters_of, types_of

MAX_ADDRESS = 4_000
_LOGO = re.compile(
    r"(?<![a-z])[Ll]ogos?(?![a-z])|(?<=[A-Za-z0-9])Logo|(?<![A-Z])LOGO(?![A-Z])|(?<![A-Za-z])(?:[Pp]laceholder|[Dd]efault|[Ff]avicon|[Gg]r?avatar|[Aa]vatar|[Ss]pacer)"
)
_LOGO_FOLDER = re.compile(r"/(?:logos?|icons?|favicons?|avatars?|badges?|emojis?|flags?|cta)/", re.IGNORECASE)
_CARD = frozenset(
    "og opengraph share sharing shared social socials facebook fb twitter card generic homepage icon fallback".split()
)
"""Words in the names of pictures that are drawn to stand for a site; with nothing else in the name, for all its pages."""
_PLAIN = frozenset(
    "open graph image images img media cards wide linkedin meta seo site website home page thumb thumbnail main preview banner cover large small"
    " square x w h px png jpg jpeg webp svg gif avif v the".split()
)
_PICTURE_FILE = re.compile(r"\.(?:jpe?g|png|webp|avif|gif|svg)$", re.IGNORECASE)
_ORGANIZATIONS = frozenset({"Organization", "NewsMediaOrganization", "Corporation", "WebSite", "Person", "Brand"})
_LEAST_WIDTH = 200
_LOOK_AT = 40  # pictures after the headline


def image(
    stated: Structured, tree: HtmlElement, base: str | None, *, headline: str = "", site: str | None = None
) -> Found | None:
    """The address of the article's picture, absolute where the page's own address is known.

    ``base`` is the page's address, ``site`` the publisher's name.
    """
    logos = {_without_query(address) for address in _logos(stated)}
    shown = (("page", value) for value in _pictures_after_headline(tree, headline))
    for origin, value in chain(_statements(stated, tree), shown):
        address = absolute(value, base)
        if address and _without_query(address) not in logos and not is_of_the_site(address, headline, base, site):
            return Found(address, origin)
    return None


def absolute(value: str, base: str | None) -> str | None:
    """An address as a whole one (http or https), with spaces encoded; None where it can't be made one."""
    value = value.strip().replace(" ", "%20")
    if not value or value.startswith("data:") or len(value) > MAX_ADDRESS:
        return None
    if value.startswith("//") and not base:
        value = f"https:{value}"
    try:
        address = urljoin(base, value) if base else value
        host = urlsplit(address).hostname
    except ValueError:
        return None
    return address if host and address.startswith(("http://", "https://")) else None


def is_of_the_site(address: str, headline: str, base: str | None, site: str | None) -> bool:
    """Whether the name of a picture says that it is the site's logo or the card that all its pages share.

    Names that share a word with the headline are the article's own ("acme-changes-its-logo.jpg").
    """
    path = unquote(urlsplit(address).path)
    name = path.rstrip("/").rpartition("/")[2]
    of_site = {word for text in (site or "", urlsplit(base or "").hostname or "") for word in _parts(text)}
    words = [word for word in _parts(name) if word not in of_site]
    if {word for word in words if len(word) > 3} & set(_parts(headline)):
        return False
    if _LOGO.search(name) or _LOGO_FOLDER.search(path):
        return True
    slug = (urlsplit(base or "").path.rstrip("/").rpartition("/")[2]).casefold()
    if not _PICTURE_FILE.search(name) or (slug and slug in path.casefold()):
        return False  # made for this page, by a program that draws cards
    return bool(_CARD & set(words)) and not set(words) - _CARD - _PLAIN


def _parts(text: str) -> list[str]:
    """The words in a name, camel case parted; numbers and checksums left out."""
    text = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", text)
    return re.findall(r"[^\W\d_]+", re.sub(r"\b(?=\w*\d)[0-9a-fA-F]{6,}\b", " ", text).casefold())


def _statements(stated: Structured, tree: HtmlElement) -> Iterator[tuple[str, str]]:
    for name in ("og:image:secure_url", "og:image", "og:image:url"):
        for value in stated.meta.get(name, ())[:5]:
            yield "opengraph", value
    for key in ("image", "thumbnailUrl"):
        for value in _addresses(stated, stated.article.get(key)):
            yield "jsonld", value
    for name in ("twitter:image", "twitter:image:src", "image", "thumbnailurl"):
        for value in stated.meta.get(name, ())[:2]:
            yield "meta", value
    for element in tree.iter("link"):
        if (element.get("rel") or "").lower() == "image_src" and element.get("href"):
            yield "meta", element.get("href") or ""
            break


def _addresses(stated: Structured, value: Any) -> Iterator[str]:
    """The addresses in an ImageObject, a string, or a list of these."""
    for item in (value if isinstance(value, list) else [value])[:5]:
        item = stated.resolve(item)
        if isinstance(item, dict):
            # "@id" may be the picture's address, or only a name for the node ("…/#primaryimage").
            named = item.get("@id")
            item = item.get("url") or item.get("contentUrl") or (named if "#" not in str(named) else None)
        if isinstance(item, list):
            item = next(iter(item), None)
        if isinstance(item, str):
            yield item


def _logos(stated: Structured) -> Iterator[str]:
    for node in stated.nodes:
        if node.get("logo"):
            yield from _addresses(stated, node["logo"])
        elif _ORGANIZATIONS & set(types_of(node)):
            yield from _addresses(stated, node.get("image"))


def _without_query(address: str) -> str:
    return re.sub(r"^https?:", "", address.partition("?")[0])


def _pictures_after_headline(tree: HtmlElement, headline: str) -> Iterator[str]:
    """The addresses of the pictures that follow the headline, small ones and those in menus and boxes left out."""
    wanted, after = letters_of(headline), False
    seen = 0
    for element in tree.iter("h1", "h2", "img", "footer"):
        if element.tag in ("h1", "h2"):
            after = after or letters_of(element.text_content()[:600]) == wanted
        elif not after:
            continue
        elif element.tag == "footer":
            if next(element.iterancestors("article", "main"), None) is None:
                return
        else:
            seen += 1
            if seen > _LOOK_AT:
                return
            if _is_large(element) and not _in_passing(element) and (value := _source(element)):
                yield value


def _source(element: HtmlElement) -> str:
    for name in ("data-src", "data-lazy-src", "data-original", "src"):
        value = (element.get(name) or "").strip()
        if value and not value.startswith("data:") and not value.lower().split("?")[0].endswith((".svg", ".gif")):
            return value
    return (element.get("srcset") or element.get("data-srcset") or "").split(",")[0].strip().partition(" ")[0]


def _is_large(element: HtmlElement) -> bool:
    for name in ("width", "height"):
        size = re.match(r"\d+", element.get(name) or "")
        if size and int(size[0]) < _LEAST_WIDTH / (1 if name == "width" else 2):
            return False
    return True


def _in_passing(element: HtmlElement) -> bool:
    """Whether a picture stands in a menu, a box beside the article, a list, or in the teaser of another one."""
    for number, ancestor in enumerate(element.iterancestors()):
        if ancestor.tag in ("nav", "aside", "footer", "li", "form", "button"):
            return True
        if ancestor.tag == "article" and ancestor.find(".//h1") is None:
            return True
        if number < 4 and re.search(
            r"author|avatar|byline|share|social|logo|icon|sponsor|newsletter|related|promo|banner|\bad\b",
            f"{ancestor.get('class') or ''} {ancestor.get('id') or ''}",
            re.IGNORECASE,
        ):
            return True
    return False
