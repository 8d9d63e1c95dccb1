"""Headline, authors, publisher and the other facts about an article, each with its origin. Pure.

For every field the statements of a page are asked in a fixed order of trust; the first usable one wins and its
origin is kept. What the source said of the article (feed, sitemap, list) comes after what the page itself says.
"""

# ruff: noqa: E501 - patterns and vocabularies read better unbroken

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin, urlsplit

from lxml.html import HtmlElement

from pipeline.extract.dates import Statement, find_date
from pipeline.extract.structured import Structured, plain, text_of, types_of
from pipeline.models import StatedFacts
from pipeline.urls import registered_domain

MAX_KEYWORDS = 50
MAX_AUTHORS = 20

_SEPARATOR = re.compile(r"\s+[|\-–—·•»«:~/⁄]+\s+|\s*[|»]\s*|\s+::\s+")
_JUNK_TITLE = re.compile(r"(?:home|untitled|index|article|blog|news|loading|page not found|404)\W*", re.IGNORECASE)
_TITLE_META = (
    "headline",
    "twitter:title",
    "parsely-title",
    "sailthru.title",
    "citation_title",
    "dc.title",
    "dcterms.title",
)
_SAME_MATTER = 0.4
_PUBLISHED_META = (
    "article:published_time", "og:article:published_time", "og:published_time", "article:published", "article:published_date",
    "datepublished", "date_published", "published_time", "publish_date", "publish-date", "published-date", "published_date", "publishdate", "pubdate",
    "parsely-pub-date", "sailthru.date", "citation_publication_date", "citation_date", "dc.date.issued", "dcterms.issued", "dc.date.created",
    "dc.date", "dcterms.date", "dcterms.created", "cxenseparse:recs:publishtime", "article.published", "rnews:datepublished",
    "shareaholic:article_published_time", "originalpublicationdate", "article_date_original", "ptime", "displaydate", "date",
    "video:release_date", "og:pubdate", "datecreated", "article:created", "article.created", "release_date", "publication_date",
)  # fmt: skip
_MODIFIED_META = (
    "article:modified_time", "og:article:modified_time", "og:modified_time", "og:updated_time", "article:modified", "datemodified",
    "dcterms.modified", "dc.date.modified", "last-modified", "lastmod", "article.updated", "revision_date", "modified_time", "updated_time",
)  # fmt: skip
_AUTHOR_META = (
    "author", "parsely-author", "sailthru.author", "byl", "article:author", "og:article:author", "dc.creator",
    "dcterms.creator", "authors", "twitter:creator:name", "creator", "cxenseparse:author",
)  # fmt: skip
_NO_PERSON = re.compile(
    r"(?:admin(?:istrator)?|staff|editors?|editor(?:ial)?(?:\s+(?:team|staff|board))?|newsroom|news\s+desk|web\s*(?:desk|master|team)|author|user|guest|anonymous|unknown"
    r"|none|null|undefined|n/?a|contributor|posted|written|published|updated|by|view\s+all\s+posts?|read\s+more|share|about|more|follow|the\s+authors?|written\s+by|posted\s+by|our\s+team|sponsored)",
    re.IGNORECASE,
)
_NO_NAME = re.compile(r"(?:this|these|those|that|our|your|my|its|here|there)\b", re.IGNORECASE)  # begins a sentence
_BY = re.compile(
    r"^\W*(?:(?:written|posted|reported|reviewed|published|authored|words|text|story|article)\s+)?(?:by|von|par|por|di|door|av)\s*:?\s+|^\W*(?:author|autor|writer)s?\s*:\s*",
    re.IGNORECASE,
)
_AND = re.compile(r"\s*(?:;|\||\band\b|\bund\b|\bet\b|\by\b(?=\s+[A-Z])|&|\s/\s|\n)\s*")
_CREDENTIAL = re.compile(
    r"(?:(?:[A-Z][A-Za-z]{0,3}\.?){1,4}(?:[- ][A-Z0-9]{1,5})*|Ph\.?\s?D\.?|M\.?D\.?|Esq\.?|Jr\.?|Sr\.?|I{2,3}|MBA|RDN?|R\.?N\.?|DVM|CPA|CFP®?|[A-Z][A-Za-z®.-]*[A-Z][A-Za-z®.-]*)(?:\s*\([^)]*\))?"
)
_JOB = re.compile(
    r"\b(?:director|editors?|reporters?|writers?|correspondents?|founder|co-?founder|officer|manager|specialist|experts?|analysts?|producers?"
    r"|photographers?|chief|head|president|lead|staff|columnists?|contributors?|journalists?|ceo|cto|coo|cfo|professor|owner|blogger|strategist"
    r"|consultant|coordinator|intern|fellow|author|redakteur(?:in)?|journalistin|r[ée]dact(?:eur|rice)|redactora?|reviewer|team at)\b",
    re.IGNORECASE,
)
_BEFORE_NAMES = re.compile(
    r"^\W*(?:read more (?:about|from|by)|view (?:all )?posts? (?:by|from)|recipe by|posts? by|more (?:from|by)|meet|about)\s+",
    re.I,
)
# What bylines go on with once the names are over.
_AFTER_NAMES = re.compile(
    r"\s*(?:[⋅•·|–—(]|\s-\s|\b(?:updated|published|posted|view (?:all|profile|bio)|view$|follow|min(?:ute)?s? read|read more|founder\b|last updated|reviewed by|edited by|fact[- ]checked)\b).*$",
    re.IGNORECASE,
)
_NOT_THE_AUTHOR = re.compile(
    r"comment|bio|avatar|image|photo|social|related|list|title|date|link-?list|footer|reviewer|quote|testimonial"
)
_AUTHOR_NAME = re.compile(r"author[-_]*name|\bauthor\b|byline")
_BREADCRUMB = re.compile(r"bread-?crumbs?|fil-?d?-?ariane|migas(?:-de-pan)?|brotkrumen|brödsmulor", re.IGNORECASE)
_CAPITALIZED = re.compile(r"\W*[^\W\d_]*[A-ZÀ-ÖØ-Þ\u0370-\uffff]")
_DATEISH = re.compile(
    r"(?:\b(?:on\s+)?(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\.?\s+\d{1,2},?\s+\d{4}|\b\d{1,2}[./]\d{1,2}[./]\d{2,4}|\b(?:19|20)\d\d-\d\d).*$",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Found:
    """A value and where it came from."""

    value: str
    origin: str


def headline(
    tree: HtmlElement, stated: Structured, publisher: str | None, domain: str | None, facts: StatedFacts
) -> Found | None:
    """The article's headline without the site's name."""
    h1s, headings = _headings(tree)
    title_element = next(tree.iter("title"), None)
    page_title = plain(title_element.text_content()[:2000]) if title_element is not None else ""
    names = _site_names(publisher, domain, stated)
    told: list[Found] = []
    if value := text_of(stated.article.get("headline") or stated.article.get("name"), 500):
        told.append(Found(value, "jsonld"))
    if value := stated.first_meta("og:title"):
        told.append(Found(value, "opengraph"))
    if value := stated.first_meta(*_TITLE_META):
        told.append(Found(value, "meta"))
    if page_title:
        told.append(Found(page_title, "title"))
    # What readers see over the article is its headline; what machines are told is often shortened or sharpened for
    # search. A heading counts if it is about the same as anything that machines are told.
    heading = max(h1s[:10], key=lambda text: max((_likeness(text, t.value) for t in told), default=1.0), default=None)
    candidates = list(told)
    if heading and (not told or max(_likeness(heading, t.value) for t in told) >= _SAME_MATTER):
        candidates.insert(0, Found(heading, "page"))
    candidates += [Found(text, "page") for text in h1s[:3]]
    if facts.title:
        candidates.append(Found(plain(facts.title), "source"))
    for candidate in candidates:
        value = strip_site_name(candidate.value, names, headings)
        if len(value) >= 3 and not _JUNK_TITLE.fullmatch(value) and value.casefold() not in names:
            return Found(value, candidate.origin)
    return None


def _headings(tree: HtmlElement) -> tuple[list[str], list[str]]:
    """The texts of the main headings, and of those and the next two levels."""
    main: list[str] = []
    every: list[str] = []
    for element in tree.iter("h1", "h2", "h3"):
        text = " ".join(" ".join(element.itertext()).split())
        if 0 < len(text) <= 300:
            every.append(text)
            if element.tag == "h1":
                main.append(text)
        if len(every) >= 200:
            break
    return main, every


def _likeness(one: str, other: str) -> float:
    """The share of the words of the shorter text that the other has too; 0 for a single word in common."""
    words = [set(re.findall(r"\w+", text.casefold())) for text in (one, other)]
    common = len(words[0] & words[1])
    if common < 2 and words[0] != words[1]:
        return 0.0
    return common / max(1, min(map(len, words)))


def strip_site_name(title: str, names: Iterable[str], headings: Iterable[str] = ()) -> str:
    """``title`` without the site's name before or after a separator.

    A segment goes where it is the site's name, or where what stays is word for word a heading of the page.
    """
    title = " ".join(title.split())
    matches = list(_SEPARATOR.finditer(title))
    known = {_key(name) for name in names if name}
    heads = {_key(heading) for heading in headings}
    for match in matches:
        if _key(title[: match.start()]) in heads and _key(title) not in heads:
            return title[: match.start()]
    for match in matches:
        if _key(title[match.end() :]) in heads and _key(title) not in heads:
            return title[match.end() :]
    for match in reversed(matches):
        if _is_name(title[match.end() :], known):
            return strip_site_name(title[: match.start()], names)
    for match in matches[:1]:
        if _is_name(title[: match.start()], known):
            return title[match.end() :]
    return title


def publisher(stated: Structured, domain: str | None) -> Found | None:
    """The name of the site or publisher."""
    node = stated.resolve(stated.article.get("publisher") or stated.article.get("sourceOrganization"))
    if isinstance(node, list):
        node = stated.resolve(node[0]) if node else None
    if (value := text_of(node, 200)) and not value.startswith("http"):
        return Found(value, "jsonld")
    if value := stated.first_meta("og:site_name"):
        return Found(value, "opengraph")
    if value := stated.first_meta(
        "application-name",
        "dc.publisher",
        "dcterms.publisher",
        "publisher",
        "sailthru.publisher",
        "citation_journal_title",
    ):
        return Found(value, "meta")
    for node in stated.nodes:
        if "WebSite" in types_of(node) and (value := text_of(node.get("name"), 200)):
            return Found(value, "jsonld")
    return Found(domain, "url") if domain else None


def description(stated: Structured, facts: StatedFacts) -> Found | None:
    """The summary that the page gives of itself."""
    for origin, value in (
        ("opengraph", stated.first_meta("og:description")),
        (
            "meta",
            stated.first_meta(
                "description", "twitter:description", "sailthru.description", "dc.description", "dcterms.description"
            ),
        ),
        ("jsonld", text_of(stated.article.get("description"))),
        ("source", plain(facts.description) if facts.description else None),
    ):
        if value and len(value) > 10:
            return Found(value, origin)
    return None


def authors(
    tree: HtmlElement, stated: Structured, site: str | None, facts: StatedFacts, bylines: list[str]
) -> tuple[tuple[str, ...], str]:
    """The people who wrote the article, and the origin of that; empty where nobody is named.

    Where machines are told an organisation, a person named by the page itself comes first.
    """
    second: tuple[tuple[str, ...], str] = ((), "")
    for origin, values in _author_statements(tree, stated, bylines):
        names = tuple(dict.fromkeys(name for value in values for name in split_names(value)))[:MAX_AUTHORS]
        people = tuple(name for name in names if not _is_organization(name, stated, site))
        if people:
            return people, origin
        if names and not second[0]:
            second = names, origin
    names = tuple(dict.fromkeys(name for value in facts.authors for name in split_names(value)))[:MAX_AUTHORS]
    return (names, "source") if names else second


def _is_organization(name: str, stated: Structured, site: str | None) -> bool:
    key = _key(name)
    if site and (key == _key(site) or (len(key) > 4 and _key(site).startswith(key))):
        return True
    return any(
        _key(text_of(node.get("name"), 200) or "") == key
        for node in stated.nodes
        if {"Organization", "NewsMediaOrganization", "Corporation", "WebSite"} & set(types_of(node))
    )


def split_names(value: str) -> list[str]:
    """The names in a byline: no "By", no dates, no addresses, no words for nobody in particular; credentials stay with their bearer."""
    value = plain(value)
    value = re.sub(r"\S+@\S+\.\w+|https?://\S+|www\.\S+", "", value)
    value = _AFTER_NAMES.sub("", _DATEISH.sub("", _BY.sub("", _BEFORE_NAMES.sub("", value))))
    names: list[str] = []
    for part in _AND.split(value):
        pieces = [piece.strip() for piece in part.split(",")]
        for piece in pieces:
            piece = _BY.sub("", piece).strip(" \t-–—·•⋅|:,\u00a0").removesuffix(" .")
            if names and _JOB.search(piece):
                continue
            if not piece:
                continue
            if names and len(pieces) > 1 and _CREDENTIAL.fullmatch(piece) and " " in names[-1]:
                names[-1] = f"{names[-1]}, {piece}"
            elif (
                len(piece) <= 80
                and len(piece.split()) <= 8
                and re.search(r"[^\W\d_]", piece)
                and not _NO_PERSON.fullmatch(piece)
                and not _NO_NAME.match(piece)
            ):
                names.append(piece)
    return names


def section(
    stated: Structured, tree: HtmlElement, beside_headline: Iterable[str] = (), people: tuple[str, ...] = ()
) -> Found | None:
    """The part of the paper that the article stood in.

    ``beside_headline`` are the lines near the headline; ``people`` are its authors, whose names often stand there too.
    """
    if value := text_of(stated.article.get("articleSection"), 200):
        return Found(value, "jsonld")
    if value := stated.first_meta(
        "article:section",
        "og:article:section",
        "parsely-section",
        "section",
        "articlesection",
        "cxenseparse:recs:category",
    ):
        return Found(value[:200], "meta")
    for node in stated.nodes:
        if "BreadcrumbList" in types_of(node) and isinstance(node.get("itemListElement"), list):
            names = [
                text_of(stated.resolve(item.get("item")) if not item.get("name") else item, 200)
                for item in node["itemListElement"]
                if isinstance(item, dict)
            ]
            inner = [name for name in names[1:-1] if name]
            if inner:
                return Found(inner[0], "jsonld")
    for element in tree.xpath(".//*[@itemprop='articleSection'][not(self::meta)]")[:5]:
        if value := plain(element.get("content") or element.text_content()[:1000])[:200]:
            return Found(value, "microdata")
    if value := _section_in_breadcrumb(tree):
        return Found(value, "page")
    if value := _section_beside_date(tree, beside_headline, people):
        return Found(value, "page")
    return None


def _section_in_breadcrumb(tree: HtmlElement) -> str | None:
    """The first link after the home page's in the trail that readers see over the article."""
    for element in tree.iter("nav", "ol", "ul", "div", "p"):
        marks = " ".join(element.get(name) or "" for name in ("class", "id", "aria-label", "itemtype"))
        if not _BREADCRUMB.search(marks) or len(element.text_content()) > 600:
            continue
        links = [link for link in element.iter("a") if plain(link.text_content()[:200])]
        if len(links) >= 2 and _leads_home(links[0].get("href") or ""):
            return plain(links[1].text_content()[:200]) if len(links[1].text_content().strip()) <= 60 else None
    return None


def _leads_home(href: str) -> bool:
    try:
        parts = urlsplit(href.strip())
    except ValueError:
        return False
    return (
        bool(href.strip()) and parts.scheme in ("", "http", "https") and parts.path in ("", "/") and not parts.fragment
    )


def _section_beside_date(tree: HtmlElement, lines: Iterable[str], people: tuple[str, ...]) -> str | None:
    """What a date line names beside the date ("3 June 2026 - Local"), if a link above the headline is named so too."""
    menu = {plain(link.text_content()[:200]) for link in _before_headline(tree)} - set(people)
    for line in lines:
        if len(line) > 100 or (found := find_date(line)) is None:
            continue
        pieces = re.split(r"\s+[-–—]\s+|\s*[|·•›»/]\s*", f"{line[: found[1]]} | {line[found[2] :]}")
        for label in (piece.strip(" -–—,()") for piece in pieces):
            if 2 < len(label) <= 40 and label in menu and not re.search(r"\d", label):
                return label
    return None


def _before_headline(tree: HtmlElement) -> Iterator[HtmlElement]:
    """The links that stand above the first main heading; none where there is no such heading."""
    links: list[HtmlElement] = []
    for element in tree.iter("a", "h1"):
        if element.tag == "h1":
            yield from links
            return
        links.append(element)


def keywords(stated: Structured, facts: StatedFacts) -> tuple[tuple[str, ...], str]:
    """Tags and keywords as the page lists them."""
    stated_words = stated.article.get("keywords")
    for origin, values in (
        ("jsonld", stated_words if isinstance(stated_words, list) else [stated_words]),
        ("meta", stated.meta.get("article:tag", [])),
        ("meta", [stated.first_meta("news_keywords", "keywords", "parsely-tags", "sailthru.tags")]),
        ("source", list(facts.keywords)),
    ):
        words = [word for value in values if (text := text_of(value)) for word in _words(text)]
        if words:
            return tuple(dict.fromkeys(words))[:MAX_KEYWORDS], origin
    return (), ""


def image(stated: Structured, base: str | None) -> Found | None:
    """The address of the article's picture, absolute where the page's own address is known."""
    node = stated.article.get("image")
    if isinstance(node, list):
        node = node[0] if node else None
    node = stated.resolve(node)
    if isinstance(node, dict):
        node = node.get("url") or node.get("contentUrl") or node.get("@id")
    for origin, value in (
        ("opengraph", stated.first_meta("og:image:secure_url", "og:image", "og:image:url")),
        ("jsonld", node if isinstance(node, str) else None),
        ("meta", stated.first_meta("twitter:image", "twitter:image:src", "image", "thumbnailurl")),
    ):
        if value and not value.startswith("data:") and len(value) <= 4000:
            try:
                address = urljoin(base, value.strip()) if base else value.strip()
            except ValueError:
                continue
            if address.startswith(("http://", "https://")):
                return Found(address, origin)
    return None


def language(tree: HtmlElement, stated: Structured) -> Found | None:
    """The language that the page says it is in, as a BCP 47 tag in lower case."""
    for origin, value in (
        ("jsonld", text_of(stated.article.get("inLanguage"), 40)),
        ("page", tree.get("lang") or tree.get("{http://www.w3.org/XML/1998/namespace}lang") or tree.get("xml:lang")),
        ("opengraph", stated.first_meta("og:locale")),
        ("meta", stated.first_meta("http-equiv:content-language", "language", "dc.language", "content-language")),
    ):
        if value and re.fullmatch(r"[A-Za-z]{2,3}(?:[-_][A-Za-z0-9]{2,8})*", value.strip()):
            return Found(value.strip().replace("_", "-").lower(), origin)
    return None


def is_free(stated: Structured) -> bool | None:
    """Whether the article says that it can be read without paying; None where it says nothing."""
    value = stated.article.get("isAccessibleForFree")
    if isinstance(value, str):
        value = {"true": True, "false": False}.get(value.strip().rsplit("/", 1)[-1].lower())
    if isinstance(value, bool):
        return value
    tier = (stated.first_meta("article:content_tier") or "").lower()
    return {"free": True, "locked": False, "metered": False}.get(tier)


def published_statements(tree: HtmlElement, stated: Structured) -> Iterator[Statement]:
    """What is said of the date of publication, the most trustworthy first."""
    for key in ("datePublished", "dateCreated"):
        if value := text_of(stated.article.get(key), 100):
            yield Statement(f"jsonld.{key}", value)
    if not stated.article:
        for node in stated.nodes:
            if {"WebPage", "ItemPage", "AboutPage", "FAQPage", "VideoObject"} & set(types_of(node)) and (
                value := text_of(node.get("datePublished"), 100)
            ):
                yield Statement("jsonld.WebPage.datePublished", value)
                break
    for name in _PUBLISHED_META:
        for value in stated.meta.get(name, ())[:2]:
            yield Statement(f"meta.{name}", value)
    for element in tree.xpath(".//*[@itemprop='datePublished' or @pubdate][not(self::meta)]")[:5]:
        yield Statement(
            "microdata.datePublished", element.get("datetime") or element.get("content") or element.text_content()[:200]
        )


def modified_statements(tree: HtmlElement, stated: Structured) -> Iterator[Statement]:
    """What is said of the date of the last change, the most trustworthy first."""
    if value := text_of(stated.article.get("dateModified"), 100):
        yield Statement("jsonld.dateModified", value)
    for name in _MODIFIED_META:
        for value in stated.meta.get(name, ())[:2]:
            yield Statement(f"meta.{name}", value)
    for element in tree.xpath(".//*[@itemprop='dateModified'][not(self::meta)]")[:3]:
        yield Statement(
            "microdata.dateModified", element.get("datetime") or element.get("content") or element.text_content()[:200]
        )


def _author_statements(tree: HtmlElement, stated: Structured, bylines: list[str]) -> Iterator[tuple[str, list[str]]]:
    yield "jsonld", list(_jsonld_people(stated, stated.article.get("author") or stated.article.get("creator")))
    if cited := stated.meta.get("citation_author"):
        yield "meta", [_first_name_first(value) for value in dict.fromkeys(cited)]
    values = [v for name in _AUTHOR_META for v in stated.meta.get(name, ()) if not v.startswith(("http", "@"))]
    yield "meta", list(dict.fromkeys(values))[:3]
    elements = tree.xpath(
        ".//*[@itemprop='author']//*[@itemprop='name'] | .//*[@itemprop='author'][not(.//*[@itemprop='name'])]"
    )
    yield "microdata", [element.get("content") or element.text_content()[:200] for element in elements[:10]]
    yield "page", bylines
    yield "page", _marked_authors(tree)


def _marked_authors(tree: HtmlElement) -> list[str]:
    """The text of the first element that the page marks as the author's name by its class or relation."""
    best: list[str] = []
    for element in tree.iter("a", "span", "div", "p", "address", "strong", "h3", "h4", "h5", "li", "b"):
        marks = f"{element.get('class') or ''} {element.get('id') or ''} {element.get('rel') or ''}".lower()
        if "author" not in marks and "byline" not in marks and "autor" not in marks:
            continue
        if _NOT_THE_AUTHOR.search(marks):
            continue
        text = " ".join(" ".join(element.itertext())[:400].split())
        if "author" in (element.get("rel") or "").lower() and 2 <= len(text) <= 60 and split_names(text):
            return [text]
        if 3 <= len(text) <= 100 and split_names(text) and _CAPITALIZED.match(_BY.sub("", text)):
            best.append(text)
            if _AUTHOR_NAME.search(marks):
                return [text]
    return best[:1]


def _first_name_first(name: str) -> str:
    last, comma, first = name.partition(",")
    return f"{first.strip()} {last.strip()}" if comma and "," not in first and first.strip() else name


def _jsonld_people(stated: Structured, value: Any) -> Iterator[str]:
    for item in (value if isinstance(value, list) else [value])[:MAX_AUTHORS]:
        item = stated.resolve(item)
        if (text := text_of(item, 200)) and not text.startswith("http"):
            yield text


def _words(text: str) -> list[str]:
    parts = re.split(r"[,;]", text) if re.search(r"[,;]", text) else [text]
    return [part.strip() for part in parts if 0 < len(part.strip()) <= 100]


def _site_names(publisher_name: str | None, domain: str | None, stated: Structured) -> set[str]:
    names = {
        publisher_name,
        domain,
        domain.partition(".")[0] if domain else None,
        stated.first_meta("og:site_name"),
        stated.first_meta("application-name"),
    }
    names |= {
        text_of(node.get("name"), 200)
        for node in stated.nodes
        if {"WebSite", "Organization", "NewsMediaOrganization"} & set(types_of(node))
    }
    return {name.casefold() for name in names if name}


def _key(text: str) -> str:
    return re.sub(r"[\W_]+", "", text.casefold())


def _is_name(segment: str, known: set[str]) -> bool:
    key = _key(segment)
    return bool(key) and (
        key in known
        or key.removeprefix("the") in known
        or any(len(name) > 3 and name.startswith(key) and len(key) > 3 for name in known)
    )


def domain_of(url: str | None) -> str | None:
    """The registered domain of an address, if there is one."""
    return registered_domain(url) if url else None
