"""OPML 2.0: lists of feeds, as feed readers exchange them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from xml.sax.saxutils import quoteattr

from pipeline.errors import ConfigurationError
from pipeline.models import Source, SourceKind
from pipeline.urls import canonicalize, host_of, registered_domain, request_url, without_credentials


def read_opml(content: bytes, *, taken_ids: Iterable[str] = ()) -> tuple[list[Source], list[str]]:
    """The feeds of an OPML file as sources, and a line for each outline that can't be one. Pure.

    Folders around a feed become its tags. Entities are not expanded. Raises ConfigurationError for what is no OPML.
    """
    from lxml import etree

    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, recover=True, huge_tree=False)
    try:
        root = etree.fromstring(content, parser)
    except (etree.XMLSyntaxError, ValueError):
        root = None
    if root is None or not isinstance(root.tag, str) or etree.QName(root).localname.lower() != "opml":
        raise ConfigurationError("this is no OPML file: its root element is not <opml>")
    sources: list[Source] = []
    problems: list[str] = []
    taken, seen = set(taken_ids), set()
    for outline in root.iter("outline"):
        given = {key.lower(): value for key, value in outline.attrib.items()}
        url = (given.get("xmlurl") or "").strip()
        name = " ".join((given.get("title") or given.get("text") or "").split())
        if not url:
            if not len(outline):
                problems.append(f"line {outline.sourceline}: {name or 'an outline'} has no xmlUrl")
            continue
        try:
            location, key = request_url(url), canonicalize(url)
        except ValueError as error:
            problems.append(f"line {outline.sourceline}: {name or 'an outline'}: {error}")
            continue
        if key in seen:
            continue
        seen.add(key)
        tags = [
            _slug(above.get("text") or above.get("title") or "")
            for above in outline.iterancestors("outline")
            if (above.get("text") or above.get("title"))
        ]
        language = (given.get("language") or "").lower()[:2]
        id_ = _free_id(_slug(name) or _slug(registered_domain(location) or host_of(location)) or "feed", taken)
        taken.add(id_)
        sources.append(
            Source(
                id=id_,
                kind=SourceKind.FEED,
                location=location,
                name=name or None,
                language=language if re.fullmatch(r"[a-z]{2}", language) else None,
                tags=tuple(tag for tag in reversed(tags) if tag),
            )
        )
    return sources, problems


def write_opml(sources: Iterable[Source], *, title: str = "News sources") -> bytes:
    """The feeds among ``sources`` as an OPML file; other kinds have no place in one. Pure.

    Such files are passed on, so a name and password in an address are left out.
    """
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        '<opml version="2.0">',
        f"  <head><title>{_escaped(title)}</title></head>",
        "  <body>",
    ]
    for source in sources:
        if source.kind is SourceKind.FEED and source.location.startswith(("http://", "https://")):
            name = quoteattr(source.name or source.id)
            language = f" language={quoteattr(source.language)}" if source.language else ""
            tags = f" category={quoteattr(','.join(source.tags))}" if source.tags else ""
            given = f"text={name} title={name} xmlUrl={quoteattr(without_credentials(source.location))}{language}{tags}"
            lines.append(f'    <outline type="rss" {given}/>')
    return "\n".join([*lines, "  </body>", "</opml>", ""]).encode("utf-8")


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;")


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:40].strip("-")


def _free_id(stem: str, taken: set[str]) -> str:
    id_, number = stem, 2
    while id_ in taken:
        id_, number = f"{stem}-{number}", number + 1
    return id_
