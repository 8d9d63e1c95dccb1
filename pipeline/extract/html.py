"""A page in HTML to an article: one parse, shared by everything that looks at the page. Pure."""

# ruff: noqa: E501 - patterns and vocabularies read better unbroken

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from lxml import etree
from lxml.html import HtmlElement, HTMLParser, document_fromstring

from pipeline.errors import ArticleRejected, Reason
from pipeline.extract import metadata, picture, topics
from pipeline.extract.body import extract_body
from pipeline.extract.dates import Statement, choose, date_in_url, is_earlier
from pipeline.extract.encoding import decode
from pipeline.extract.kind import Evidence, refuse_by_statements, refuse_by_text
from pipeline.extract.nearby import Nearby, read_bylines, read_datelines, read_nearby
from pipeline.extract.plaintext import fix_mojibake
from pipeline.extract.structured import Structured, plain, read_structured
from pipeline.models import Article, DateRecord, RawPage, RemovedText
from pipeline.settings import ExtractSettings
from pipeline.urls import believable_canonical, canonicalize

MAX_CHARACTERS = 10_000_000
MAX_DEPTH = 200
"""libxml2 gives up on deeper trees without a word; wrappers that say nothing are dropped from such pages first."""
_WORDS_OF_A_HEADING = 4
"""Hyphens in an id that make it one spelled from a heading."""

_DATA_URI = re.compile(r"data:[\w.+-]+/[\w.+-]+(?:;[\w=.+-]+)*;base64,[A-Za-z0-9+/=\s]{1000,}")
_WRAPPERS = re.compile(
    r"</?(?:div|span|font|center|b|i|u|em|strong|small|section|main|ins|big|tt|blockquote|ul|ol|dl|table|tbody|tr|td)\b[^>]{0,2000}>",
    re.I,
)
_ALL_BUT_TEXT = re.compile(
    r"</?(?!(?:html|head|body|title|meta|link|script|style|p|h[1-6]|a|br|li|time|img)\b)[a-z][^>]{0,2000}>", re.I
)
_START_TAG = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9]*)")
_VOID = frozenset(
    [
        "area",
        "base",
        "br",
        "col",
        "embed",
        "hr",
        "img",
        "input",
        "link",
        "meta",
        "source",
        "track",
        "wbr",
        "p",
        "li",
        "dt",
        "dd",
        "option",
        "tr",
        "td",
        "th",
    ]
)
# Templates end the page after their header; browsers go on reading (HTML, "after after body"), libxml2 doesn't.
_EARLY_END = re.compile(r"</(?:body|html)\s*>(?=.{200})", re.IGNORECASE | re.DOTALL)
_INVALID = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")


@dataclass(frozen=True, slots=True)
class _Address:
    own: str | None
    canonical: str | None
    origin: str

    @property
    def best(self) -> str | None:
        """The address that the page gives itself, else the one it was found at."""
        return self.canonical or self.own


def extract_html(page: RawPage, settings: ExtractSettings) -> Article:
    """The article of an HTML page. Raises ArticleRejected where there is none."""
    decoded = decode(page.body, page.charset)
    tree = parse(decoded.text)
    if tree is None:
        raise ArticleRejected(Reason.NO_TEXT, "nothing in it can be read as HTML")
    title = next(tree.iter("title"), None)
    stated = read_structured(tree, title.text_content()[:500] if title is not None else None)
    address = _address(page, stated)
    domain = metadata.domain_of(address.best)
    publisher = metadata.publisher(tree, stated, address.best)
    site = publisher.value if publisher else None
    headline = metadata.headline(tree, stated, site, domain, page.ref.facts, address.best)
    title_text = headline.value if headline else ""
    nearby = read_nearby(tree, title_text)
    published, modified = _dates(page, tree, stated, address, title_text, nearby)
    people, people_origin = metadata.authors(tree, stated, site, page.ref.facts, read_bylines(nearby))
    evidence = Evidence(
        has_date=_dated_by_article(published),
        has_authors=bool(people),
        dated_by_address=published is not None and published.source == "url",
    )
    refuse_by_statements(stated, address.best, title_text, evidence)
    _drop_scripts(tree)
    body = extract_body(tree, title_text, people, _article_body(stated))
    text = fix_mojibake(body.text)
    evidence = replace(evidence, link_share=body.link_share)
    refuse_by_text(tree, stated, address.best, title_text, text, settings, evidence)
    if headline is None:
        headline = metadata.Found(text.partition("\n")[0][:200].strip(), "text")
    summary = metadata.description(stated, page.ref.facts, headline.value, site)
    part = topics.section(
        stated, tree, headline=headline.value, site=site, beside_headline=nearby.beside_headline(), people=people
    )
    tags, tags_origin = topics.keywords(stated, tree, page.ref.facts, site)
    image = picture.image(stated, tree, address.best, headline=headline.value, site=site)
    language = metadata.language(tree, stated)
    origins = {
        "headline": headline.origin, "body": body.origin, "encoding": f"{decoded.encoding} ({decoded.basis})", "canonical_url": address.origin,
        "authors": people_origin, "keywords": tags_origin, "description": summary.origin if summary else "", "section": part.origin if part else "",
        "publisher": publisher.origin if publisher else "", "image": image.origin if image else "",
        "stated_language": language.origin if language else "",
    }  # fmt: skip
    return Article(
        ref=page.ref, url=page.final_url or page.url, canonical_url=address.canonical, headline=fix_mojibake(headline.value), body=text,
        fetched_at=page.fetched_at, description=fix_mojibake(summary.value) if summary else None, authors=people,
        section=part.value if part else None, keywords=tags, image=image.value if image else None,
        publisher=site, published=published, modified=modified,
        stated_language=language.value if language else page.ref.facts.language, is_accessible_for_free=metadata.is_free(stated), captions=body.captions,
        removed=tuple(RemovedText(kind="furniture", text=line) for line in body.removed),
        origins=tuple((name, origin) for name, origin in origins.items() if origin), word_count=metadata.word_count(text), archived=page.archived,
    )  # fmt: skip


def _dated_by_article(published: DateRecord | None) -> bool:
    # Content systems date every page they keep, and say when it was updated, articles or not; only a date of publication
    # for the article itself tells something.
    return published is not None and not published.source.startswith(("jsonld.WebPage", "text.updated"))


def _article_body(stated: Structured) -> str | None:
    """The text that the page states in JSON-LD, its lines kept."""
    value = stated.article.get("articleBody")
    if not isinstance(value, str) or not value.strip():
        return None
    return "\n".join(line for part in re.split(r"\n|<br\s*/?>|</p>", value) if (line := plain(part)))


def _dates(
    page: RawPage, tree: HtmlElement, stated: Structured, address: _Address, headline: str, nearby: Nearby
) -> tuple[DateRecord | None, DateRecord | None]:
    """When the article was published and modified, from what machines and what readers are told."""
    published = list(metadata.published_statements(tree, stated))
    modified = list(metadata.modified_statements(tree, stated))
    url_date = date_in_url(address.best)
    shown = read_datelines(tree, headline, nearby)
    if url_date:
        published.append(Statement("url", url_date))
    visible = [
        Statement("text.published" if line.role else "text", line.date, weak=not line.role)
        for line in shown
        if line.role != "updated"
    ]
    published += visible
    modified += [Statement("text.updated", line.date) for line in shown if line.role == "updated"]
    facts = page.ref.facts
    if facts.published_at:
        published.append(Statement("source", facts.published_at))
    if facts.modified_at:
        modified.append(Statement("source", facts.modified_at))
    if visible and published[0] is not visible[0] and is_earlier(visible[0], published[0]):
        # Sites that moved to a new system state the day of the move to machines, and the true day to readers.
        published.insert(0, visible[0])
    record = choose(published, ceiling=page.fetched_at)
    if record is None and not any(statement.source.startswith("meta.") for statement in modified):
        # "Updated on …" and nothing else: the best date that the page gives its readers. Where the content system stamps
        # changes for machines but no publication, the page is one that is kept up for years; there it says nothing.
        shown_updates = [Statement(s.source, s.text, weak=True) for s in modified if s.source == "text.updated"]
        record = choose(published + shown_updates, ceiling=page.fetched_at)
    return record, choose(modified, ceiling=page.fetched_at)


def parse(text: str) -> HtmlElement | None:
    """Parse HTML text, or None where nothing is in it. Input that would take long or lose the body is defused first."""
    if len(text) > MAX_CHARACTERS:
        text = text[:MAX_CHARACTERS]
    if "base64," in text:
        text = _DATA_URI.sub("data:,", text)
    text = _EARLY_END.sub("", _INVALID.sub("", text))
    if _nesting(text) > MAX_DEPTH:
        text = _WRAPPERS.sub("\n", text)
        if _nesting(text) > MAX_DEPTH:
            text = _ALL_BUT_TEXT.sub("\n", text)
    parser = HTMLParser(
        encoding="utf-8",
        remove_comments=True,
        remove_pis=True,
        collect_ids=False,
        default_doctype=False,
        huge_tree=True,
    )
    try:
        tree = document_fromstring(text.encode("utf-8", "replace"), parser=parser)
    except (etree.ParserError, etree.XMLSyntaxError, ValueError):
        return None
    _drop_misleading_names(tree)
    return tree


def _drop_misleading_names(tree: HtmlElement) -> None:
    """Drop ids and classes whose words say nothing of what an element is for, before anybody goes by them.

    An id that spells a heading ("menu-ideas-for-the-cold-months") is there to be linked to, and makes no menu; a class that
    is a piece of CSS ("mr-[--sidebar-width]") gives a size, and makes no sidebar.
    """
    for element in tree.iter(etree.Element):
        if (element.get("id") or "").count("-") >= _WORDS_OF_A_HEADING:
            del element.attrib["id"]
        if "[" in (names := element.get("class") or ""):
            element.set("class", " ".join(name for name in names.split() if "[" not in name))


def _nesting(text: str) -> int:
    """The depth of open elements, roughly: void elements and those closed by their successors aside."""
    depth = deepest = 0
    for match in _START_TAG.finditer(text):
        if match[2].lower() in _VOID:
            continue
        if match[1]:
            depth = max(0, depth - 1)
        else:
            depth += 1
            deepest = max(deepest, depth)
    return deepest


def _drop_scripts(tree: HtmlElement) -> None:
    """Take scripts and styles out of the tree once they have been read: later steps copy and search it several times."""
    for element in list(tree.iter("script", "style", "template")):
        element.drop_tree()


def _address(page: RawPage, stated: Structured) -> _Address:
    own = page.final_url or page.url
    for origin, value in (
        ("canonical link", stated.links.get("canonical")),
        ("opengraph", stated.first_meta("og:url")),
    ):
        if value and (believed := believable_canonical(own, value)):
            return _Address(own=own, canonical=believed, origin=origin)
    try:
        return _Address(own=own, canonical=canonicalize(own) if own else None, origin="url" if own else "")
    except ValueError:
        return _Address(own=own, canonical=None, origin="")
