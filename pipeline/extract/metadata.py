"""Headline, authors, publisher and the other facts about an article, each with its origin. Pure.

For every field the statements of a page are asked in a fixed order of trust; the first usable one wins and its
origin is kept. What the source said of the article (feed, sitemap, list) comes after what the page itself says.
"""

# ruff: noqa: E501 - patterns and vocabularies read better unbroken

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

from lxml.html import HtmlElement

from pipeline.extract.dates import Statement
from pipeline.extract.structured import Structured, letters_of, plain, text_of, types_of
from pipeline.models import StatedFacts
from pipeline.urls import registered_domain

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
_LEAST_CUT = 100
_HOME_PATH = re.compile(r"/(?:[a-z]{2}(?:[-_][A-Za-z]{2})?/?)?")
_DESCRIPTION_META = (
    "description",
    "twitter:description",
    "sailthru.description",
    "dc.description",
    "dcterms.description",
)
_MORE = re.compile(
    r"(?<=[….!?\]])\s*(?:continue reading|read (?:more|on)|weiterlesen|lire la suite|leer más|leggi tutto)\b[^.!?]{0,80}$|\s*[→»]+$",
    re.IGNORECASE,
)
_LONGEST_SUMMARY = 1_000
_PLATFORMS = frozenset(
    {"medium", "substack", "wordpress", "blogger", "blogspot", "tumblr", "ghost", "squarespace", "wix", "weebly"}
)
_PUBLISHER_META = (
    "application-name", "dc.publisher", "dcterms.publisher", "publisher", "sailthru.publisher", "citation_journal_title",
)  # fmt: skip
_CHARACTER_WORD = re.compile("[\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003134f]")
_SITE_TYPES = frozenset({"WebSite", "Organization", "NewsMediaOrganization", "Corporation"})
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
    r"|none|null|undefined|n/?a|contributor|posted|written|published|updated|by|view\s+all\s+posts?|read\s+more|share|about|more|follow|the\s+authors?|written\s+by|posted\s+by|our\s+team|sponsored|(?:copy |share )?links?)",
    re.IGNORECASE,
)
_NO_NAME = re.compile(r"(?:this|these|those|that|our|your|my|its|here|there)\b", re.IGNORECASE)  # begins a sentence
_BY = re.compile(
    r"^\W*(?:(?:written|posted|reported|reviewed|published|authored|words|text|story|article)\s+)?(?:by|von|par|por|di|door|av)\s*:?\s+|^\W*(?:author|autor|writer)s?\s*:\s*",
    re.IGNORECASE,
)
_AND = re.compile(r"\s*(?:;|\||\band\b|\bund\b|\bet\b|\by\b(?=\s+[A-Z])|&|\s/\s|\n)\s*")
_CREDENTIAL = re.compile(
    r"(?:(?=.*[A-Z].*[A-Z]|.*\.)(?:[A-Z][A-Za-z]{0,3}\.?){1,4}(?:[- ][A-Z0-9]{1,5})*|Ph\.?\s?D\.?|M\.?D\.?|Esq\.?|Jr\.?|Sr\.?|I{2,3}|MBA|RDN?|R\.?N\.?|DVM|CPA|CFP®?|[A-Z][A-Za-z®.-]*[A-Z][A-Za-z®.-]*)(?:\s*\([^)]*\))?"
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
    r"\s*(?:[⋅•·|–—(]|\s-\s|\b(?:updated|published|posted|view (?:all|profile|bio)|view$|follow|min(?:ute)?s? read|read more|founder\b|last updated|reviewed by|edited by|fact[- ]checked)\b).*$"
    r"|\s*(?:기자|記者|记者)$",  # "reporter", which stands behind the name there
    re.IGNORECASE,
)
_NOT_THE_AUTHOR = re.compile(
    r"comment|bio|avatar|image|photo|social|related|list|title|date|link-?list|footer|reviewer|quote|testimonial"
)
_AUTHOR_MARK = re.compile(r"author|byline|autor|\bwriter\b|\breporter\b|\bjournalist\b|signature")
_AUTHOR_NAME = re.compile(r"author[-_]*name|\bauthor\b|byline|\bwriter\b")
_WRITTEN_BY = re.compile(
    r"written by|author|by|(?:geschrieben|verfasst) von|autor|écrit par|auteur|escrito por|escrit per|scritto da|autore|geschreven door|skre[vb]et a[fv]|skriv(?:en|et) av|napisane przez",
    re.IGNORECASE,
)
_AUTHOR_PAGE = re.compile(
    r"/(?:authors?|autor(?:en|es|i|a)?|auteurs?|redaktion|redaccion|profiles?|by|contributors?|columnists?|journalists?|reporters?|writers?)/(?:[^/?#]+/)?([^/?#.]+)(?:\.html?)?/?(?:[?#]|$)",
    re.IGNORECASE,
)
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
    tree: HtmlElement,
    stated: Structured,
    publisher: str | None,
    domain: str | None,
    facts: StatedFacts,
    url: str | None = None,
) -> Found | None:
    """The article's headline without the site's name, and without the section's that the address names too."""
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
    folders = _folders(url)
    stripped = [
        Found(strip_site_name(found.value, names, headings, domain, folders), found.origin) for found in candidates
    ]
    for candidate in stripped:
        value = candidate.value
        if len(value) >= 3 and not _JUNK_TITLE.fullmatch(value) and value.casefold() not in names:
            if candidate.origin == "page":
                return candidate
            whole = [found for found in stripped if _is_cut(value, found.value)]
            return max(whole, key=lambda found: len(found.value), default=candidate)
    return None


def _is_cut(value: str, other: str) -> bool:
    """Whether a headline stops within what another statement goes on to say: many systems cut at 110 characters."""
    start = value.rstrip(" .…")
    return (len(value) >= _LEAST_CUT or start != value) and len(start) < len(other) <= 300 and other.startswith(start)


def _folders(url: str | None) -> frozenset[str]:
    """The folders that an address names, from which sites build sections' names."""
    return frozenset(letters_of(part) for part in urlsplit(url or "").path.split("/")[:-1] if part)


def _headings(tree: HtmlElement) -> tuple[list[str], list[str]]:
    """The texts of the main headings, and of those and the next two levels."""
    main: list[str] = []
    every: list[str] = []
    for element in tree.iter("h1", "h2", "h3"):
        text = " ".join(" ".join(element.itertext()).split())
        if 0 < len(text) <= 300:
            every.append(text)
            if element.tag == "h1" and not _is_masthead(element, text):
                main.append(text)
        if len(every) >= 200:
            break
    return main, every


def _is_masthead(element: HtmlElement, text: str) -> bool:
    """Whether a heading is all one link to the home page, which makes it the name of the site."""
    link = element.find(".//a")
    return link is not None and leads_home(link.get("href") or "") and plain(link.text_content()[:600]) == plain(text)


def leads_home(href: str) -> bool:
    """Whether an address, whole or not, is that of a home page, or of the one of a language."""
    try:
        parts = urlsplit(href.strip())
    except ValueError:
        return False
    return (
        bool(href.strip())
        and parts.scheme in ("", "http", "https")
        and (not parts.path or _HOME_PATH.fullmatch(parts.path) is not None)
        and not parts.fragment
        and not parts.query
    )


def _likeness(one: str, other: str) -> float:
    """The share of the words of the shorter text that the other has too; 0 for a single word in common."""
    words = [set(re.findall(r"\w+", text.casefold())) for text in (one, other)]
    common = len(words[0] & words[1])
    if common < 2 and words[0] != words[1]:
        return 0.0
    return common / max(1, min(map(len, words)))


def strip_site_name(
    title: str,
    names: Iterable[str],
    headings: Iterable[str] = (),
    domain: str | None = None,
    folders: frozenset[str] = frozenset(),
) -> str:
    """``title`` without the site's name before or after a separator.

    A segment goes where it is the site's name, where what stays is word for word a heading of the page, or at the end
    where it spells the site's ``domain`` or one of the ``folders`` of the page's address.
    """
    title = " ".join(title.split())
    matches = list(_SEPARATOR.finditer(title))
    known = {letters_of(name) for name in names if name}
    heads = {letters_of(heading) for heading in headings}
    for match in matches:
        if letters_of(title[: match.start()]) in heads and letters_of(title) not in heads:
            return title[: match.start()]
    for match in matches:
        if letters_of(title[match.end() :]) in heads and letters_of(title) not in heads:
            return title[match.end() :]
    for match in reversed(matches):
        if _is_name(title[match.end() :], known):
            return strip_site_name(title[: match.start()], names, (), domain, folders)
    for match in matches[-1:]:
        last, rest = title[match.end() :], title[: match.start()]
        if len(rest.split()) >= 3 and (spells_domain(last, domain) or letters_of(last) in folders):
            return rest
    for match in matches[:1]:
        if _is_name(title[: match.start()], known):
            return title[match.end() :]
    return title


def publisher(tree: HtmlElement, stated: Structured, url: str | None) -> Found | None:
    """The name of the site or publisher, without its motto; the domain where no name is stated.

    On platforms where everybody publishes, the platform is not the publisher.
    """
    domain = domain_of(url)
    for origin, value in _publisher_statements(stated):
        name = site_name(value, domain) if value else ""
        if name and not name.startswith("http") and (name.casefold() not in _PLATFORMS or spells_domain(name, domain)):
            return Found(name, origin)
    title = tree.findtext(".//title") or ""
    segments = [segment.strip() for segment in _SEPARATOR.split(" ".join(title[:1_000].split()))]
    for segment in (segments[-1:] + segments[:1]) if len(segments) > 1 else []:
        if spells_domain(segment, domain):
            return Found(segment, "title")
    if domain and domain.partition(".")[0] in _PLATFORMS:
        domain = (urlsplit(url or "").hostname or domain).removeprefix("www.")
    return Found(domain, "url") if domain else None


def _publisher_statements(stated: Structured) -> Iterator[tuple[str, str | None]]:
    node = stated.resolve(stated.article.get("publisher") or stated.article.get("sourceOrganization"))
    if isinstance(node, list):
        node = stated.resolve(node[0]) if node else None
    yield "jsonld", text_of(node, 200)
    yield "opengraph", stated.first_meta("og:site_name")
    yield "meta", stated.first_meta(*_PUBLISHER_META)
    for node in stated.nodes:
        if "WebSite" in types_of(node):
            yield "jsonld", text_of(node.get("name"), 200)


def site_name(value: str, domain: str | None) -> str:
    """A site's name without what templates set beside it ("Example Times | News, sports and weather").

    Of several segments, the one that is the domain's name is taken; a first one that begins as the domain does, too.
    """
    segments = [segment.strip() for segment in _SEPARATOR.split(value.strip(" |-–—»:"))]
    segments = [segment for segment in segments if segment]
    label = letters_of((domain or "").partition(".")[0])
    for segment in segments if len(segments) > 1 and len(label) >= 4 else []:
        if letters_of(segment).removeprefix("the") == label.removeprefix("the"):
            return segment
    if len(segments) > 1 and len(label) >= 4:
        key = letters_of(segments[0])
        if len(key) >= 4 and (label.startswith(key) or key.startswith(label)):
            return segments[0]
    return value.strip(" |-–—»:")


def spells_domain(segment: str, domain: str | None) -> bool:
    """Whether a short text is the name in a domain: "The Wine Society" (thewinesociety.com), "Koia" (drinkkoia.com),
    "Farm Bureau Financial Services" (fbfs.com)."""
    key, label = letters_of(segment), letters_of((domain or "").partition(".")[0])
    words = re.findall(r"[^\W_]+", segment)
    if not key or not label or len(words) > 5:
        return False
    if letters_of(domain or "") == key or key.removeprefix("the") == label.removeprefix("the"):
        return True
    if len(key) >= 4 and (label.startswith(key) or label.endswith(key)):
        return True
    initials = "".join(word[0] for word in words if word.casefold() not in ("the", "of", "and", "for")).casefold()
    return (len(label) >= 5 and key.startswith(label)) or (len(label) >= 3 and initials == label)


def description(stated: Structured, facts: StatedFacts, headline: str = "", site: str | None = None) -> Found | None:
    """The summary that the page gives of its article.

    What only repeats the headline or the site's name, or is the site's own motto (JSON-LD says so of it), is passed
    over. Where a summary is cut off, another statement that goes on beyond the cut is taken in its place.
    """
    told = [
        Found(_MORE.sub("", value).strip(), origin)
        for origin, value in (
            ("opengraph", stated.first_meta("og:description")),
            *(("meta", stated.first_meta(name)) for name in _DESCRIPTION_META),
            ("jsonld", text_of(stated.article.get("description"))),
            ("source", plain(facts.description) if facts.description else None),
        )
        if value
    ]
    not_these = {letters_of(text) for text in (headline, site or "", *_mottos(stated))}
    for found in told:
        if len(found.value) > 10 and letters_of(found.value) not in not_these:
            return max(
                (other for other in told if _goes_on(found.value, other.value)),
                key=lambda f: len(f.value),
                default=found,
            )
    return None


def _mottos(stated: Structured) -> Iterator[str]:
    for node in stated.nodes:
        if _SITE_TYPES & set(types_of(node)) and (value := text_of(node.get("description"))):
            yield value


def _goes_on(cut: str, other: str) -> bool:
    """Whether a text begins as a cut-off one does, and says more, but is no whole article."""
    start = cut.rstrip(" .…[]")
    return (
        not re.search(r"[^.][.!?][\"'”’)]*$", cut)
        and len(start) >= 40
        and len(start) < len(other.rstrip(" .…[]")) <= _LONGEST_SUMMARY
        and other.startswith(start)
    )


def authors(
    tree: HtmlElement, stated: Structured, site: str | None, facts: StatedFacts, bylines: list[str]
) -> tuple[tuple[str, ...], str]:
    """The people who wrote the article, and the origin of that; empty where nobody is named.

    Where machines are told an organisation, a person named by the page itself comes first; what is signed by nobody
    but the site has the site as its author.
    """
    organizations = tuple(dict.fromkeys(_jsonld_people(stated, _stated_author(stated), people=False)))[:MAX_AUTHORS]
    second = (organizations, "jsonld") if organizations else ((), "")
    for origin, values in _author_statements(tree, stated, bylines):
        names = tuple(dict.fromkeys(name for value in values for name in split_names(value)))[:MAX_AUTHORS]
        people = tuple(name for name in names if not _is_organization(name, stated, site))
        if people:
            return _as_shown(people, bylines), origin
        if names and not second[0]:
            second = names, origin
    names = tuple(dict.fromkeys(name for value in facts.authors for name in split_names(value)))[:MAX_AUTHORS]
    return (names, "source") if names else second


def _stated_author(stated: Structured) -> Any:
    return stated.article.get("author") or stated.article.get("creator")


def _as_shown(names: tuple[str, ...], bylines: list[str]) -> tuple[str, ...]:
    """Names in capitals as the byline has them, where it has them otherwise."""
    shown = {name.casefold(): name for value in bylines for name in split_names(value)}
    return tuple(shown.get(name.casefold(), name) if name.isupper() else name for name in names)


def _is_organization(name: str, stated: Structured, site: str | None) -> bool:
    key = letters_of(name)
    if site and (key == letters_of(site) or (len(key) > 4 and letters_of(site).startswith(key))):
        return True
    return any(
        letters_of(text_of(node.get("name"), 200) or "") == key
        for node in stated.nodes
        if _SITE_TYPES & set(types_of(node))
    )


def split_names(value: str) -> list[str]:
    """The names in a byline: no "By", no dates, no addresses, no words for nobody in particular; credentials stay with their bearer."""
    value = plain(value)
    value = re.sub(r"\S+@\S+\.\w+|https?://\S+|www\.\S+", "", value)
    value = _AFTER_NAMES.sub("", _DATEISH.sub("", _BY.sub("", _BEFORE_NAMES.sub("", value))))
    job = bool(_JOB.search(value))
    names: list[str] = []
    for part in _AND.split(value):
        pieces = [piece.strip() for piece in part.split(",")]
        for number, piece in enumerate(pieces):
            piece = _BY.sub("", piece).strip(" \t-–—·•⋅|:,\u00a0").removesuffix(" .")
            if names and (
                _JOB.search(piece) or (number and job and " " not in piece and not _CREDENTIAL.fullmatch(piece))
            ):
                continue  # "Jane Doe, Home and Security Editor": what stands after a name is one person's job
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
    yield "jsonld", list(_jsonld_people(stated, _stated_author(stated), people=True))
    if cited := stated.meta.get("citation_author") or stated.meta.get("citation_authors"):
        yield "meta", [_first_name_first(value) for value in dict.fromkeys(cited)]
    values = [v for name in _AUTHOR_META for v in stated.meta.get(name, ()) if not v.startswith(("http", "@"))]
    yield "meta", list(dict.fromkeys(values))[:3]
    yield "meta", list(_card_authors(stated))
    elements = tree.xpath(
        ".//*[@itemprop='author']//*[@itemprop='name'] | .//*[@itemprop='author'][not(.//*[@itemprop='name'])]"
    )
    yield "microdata", [element.get("content") or element.text_content()[:200] for element in elements[:10]]
    yield "page", bylines
    yield "page", _marked_authors(tree)
    yield "page", _linked_authors(tree)


def _card_authors(stated: Structured) -> Iterator[str]:
    """Who wrote it, by the labels of the page's preview card ("twitter:label1" and "twitter:data1", as WordPress writes them)."""
    for number in ("1", "2"):
        label = stated.first_meta(f"twitter:label{number}") or ""
        if _WRITTEN_BY.fullmatch(label.strip()) and (value := stated.first_meta(f"twitter:data{number}")):
            yield value


def _linked_authors(tree: HtmlElement) -> list[str]:
    """The name in the first link to an author's page that ends in that very name, and its neighbours of that kind."""
    found: list[str] = []
    place: HtmlElement | None = None
    for link in tree.iter("a"):
        address = _AUTHOR_PAGE.search(link.get("href") or "")
        if address is None or any(element.tag in ("nav", "aside", "footer") for element in link.iterancestors()):
            continue
        parent = link.getparent()
        around = parent.getparent() if parent is not None else None
        if place is not None and around is not place:
            break
        name = plain(link.text_content()[:200]) or plain(link.get("aria-label") or "")
        if " " in name and letters_of(unquote(address[1])) in _in_addresses(name):
            found.append(name)
            place = around
    return found


def _in_addresses(name: str) -> set[str]:
    """A name as addresses spell it: "Änne" as "anne", and the German way as "aenne"."""
    german = name.casefold().translate({ord("ä"): "ae", ord("ö"): "oe", ord("ü"): "ue", ord("ø"): "oe", ord("å"): "aa"})
    return {
        letters_of("".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c)))
        for text in (name, german)
    }


def _marked_authors(tree: HtmlElement) -> list[str]:
    """The text of the first element that the page marks as the author's name by its class or relation."""
    best: list[str] = []
    for element in tree.iter("a", "span", "div", "p", "address", "strong", "h3", "h4", "h5", "li", "b"):
        marks = f"{element.get('class') or ''} {element.get('id') or ''} {element.get('rel') or ''}".lower()
        if not _AUTHOR_MARK.search(marks):
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


def _jsonld_people(stated: Structured, value: Any, *, people: bool) -> Iterator[str]:
    """The names of the authors that are people (or of unstated kind), or else those that are organisations."""
    for item in (value if isinstance(value, list) else [value])[:MAX_AUTHORS]:
        item = stated.resolve(item)
        is_person = not (isinstance(item, dict) and _SITE_TYPES & set(types_of(item)))
        if is_person is people and (text := text_of(item, 200)) and not text.startswith("http"):
            yield text


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


def _is_name(segment: str, known: set[str]) -> bool:
    key = letters_of(segment)
    return bool(key) and (
        key in known
        or key.removeprefix("the") in known
        or any(len(name) > 3 and name.startswith(key) and len(key) > 3 for name in known)
    )


def word_count(text: str) -> int:
    """How many words a text has. Chinese and Japanese put no spaces between them; there each character counts, as in
    word processors, but the marks between sentences don't. (Thai, Lao, Khmer and Burmese are counted by their spaces.)"""
    return len(_CHARACTER_WORD.findall(text)) + sum(
        any(character.isalnum() for character in piece) for piece in _CHARACTER_WORD.sub(" ", text).split()
    )


def domain_of(url: str | None) -> str | None:
    """The registered domain of an address, if there is one."""
    return registered_domain(url) if url else None
