"""Adding sources: from a home page to entries, OPML in and out, and the way of one URL."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from newsworld.server import NewsServer, Reply

from pipeline.discover.find import find_sources, propose_source
from pipeline.discover.opml import read_opml, write_opml
from pipeline.discover.source_file import add_source, set_enabled
from pipeline.errors import ConfigurationError, Reason, SourceUnavailableError
from pipeline.fetch import PoliteWeb
from pipeline.fetch.trace import trace_url
from pipeline.models import Source, SourceKind
from pipeline.settings import FetchSettings, parse_sources

NOW = datetime(2024, 6, 1, tzinfo=UTC)


def feed(*titles: str, date: str = "Mon, 06 May 2024 07:08:09 GMT") -> Reply:
    items = "".join(f"<item><title>{t}</title><link>/{t}</link><pubDate>{date}</pubDate></item>" for t in titles)
    body = f'<rss version="2.0"><channel><title>The Paper</title><language>en-gb</language>{items}</channel></rss>'
    return Reply(body=body.encode(), content_type="application/rss+xml")


def test_a_home_page_leads_to_its_feeds_and_sitemaps(server: NewsServer, web: PoliteWeb) -> None:
    """Feeds of link elements and links, sitemaps of robots.txt: each read, with samples, the freshest feed first."""
    home = (
        b'<html><head><link rel="alternate" type="application/rss+xml" href="/main.xml">'
        b'<link rel="alternate" type="application/rss+xml" href="/dead.xml">'
        b'<link rel="alternate" hreflang="de" href="/de/"></head><body><a href="/sport/rss">Sport</a>'
        b'<a href="/about">About</a></body></html>'
    )
    url = server.on("/", home)
    server.on("/robots.txt", Reply(body=f"Sitemap: {server.url('/news.xml')}".encode(), content_type="text/plain"))
    server.on("/main.xml", feed("a-story", "b-story"))
    server.on("/sport/rss", feed("goal", date="Tue, 07 May 2024 07:08:09 GMT"))
    server.on("/dead.xml", Reply(status=410))
    entry = f"<url><loc>{server.url('/story')}</loc></url>".encode()
    server.on("/news.xml", Reply(body=b"<urlset>" + entry + b"</urlset>", content_type="application/xml"))
    told: list[str] = []
    found = find_sources(url, web, now=NOW, progress=told.append)
    assert [(c.kind, c.url.rpartition(str(server.port))[2], c.found_by, c.articles) for c in found] == [
        (SourceKind.FEED, "/sport/rss", "a link on the page", 1),
        (SourceKind.FEED, "/main.xml", "a link element", 2),
        (SourceKind.SITEMAP, "/news.xml", "robots.txt", 1),
        (SourceKind.FEED, "/dead.xml", "a link element", 0),
    ]
    assert found[1].samples == ("a-story", "b-story")
    assert (found[1].title, found[1].language) == ("The Paper", "en-gb")
    assert "410" in (found[3].problem or "")
    assert len(told) == 4


def test_common_paths_are_tried_where_a_site_tells_nothing(server: NewsServer, web: PoliteWeb) -> None:
    """A page without links to feeds and no robots.txt: the usual places are looked into, and only finds are shown."""
    url = server.on("/", b"<html><body>Hello</body></html>")
    server.on("/feed", feed("a-story"))
    server.on("/sitemap.xml", Reply(body=b"<html>not found</html>"))
    found = find_sources(url, web, now=NOW)
    assert [(c.found_by, c.problem) for c in found] == [("a common path", None)]


def test_a_feed_given_directly_is_the_answer(server: NewsServer, web: PoliteWeb) -> None:
    """Who gives the feed itself gets the feed."""
    (candidate,) = find_sources(server.on("/x.xml", feed("a-story")), web, now=NOW)
    assert (candidate.kind, candidate.found_by) == (SourceKind.FEED, "the address itself")


def test_a_site_that_does_not_answer_says_why(server: NewsServer, web: PoliteWeb) -> None:
    """The reason is in the error."""
    with pytest.raises(SourceUnavailableError) as error:
        find_sources(server.url("/nothing"), web, now=NOW)
    assert error.value.reason is Reason.HTTP_404


def test_a_found_source_becomes_an_entry_that_reads_back(server: NewsServer, web: PoliteWeb, tmp_path: Path) -> None:
    """The entry is valid, its id is free, comments in the file stay, and it can be switched off and on again."""
    path = tmp_path / "sources.toml"
    path.write_text(
        '# our papers\n[[source]]\nid = "a"  # the first\nkind = "feed"\nlocation = "https://a.example/f"\n'
    )
    (candidate,) = find_sources(server.on("/x.xml", feed("a-story")), web, now=NOW)
    source = propose_source(candidate, taken_ids=["a"])
    add_source(path, source)
    with pytest.raises(ConfigurationError, match="unique"):
        add_source(path, source)
    set_enabled(path, source.id, False)
    text = path.read_text()
    assert "# our papers" in text
    assert "# the first" in text
    first, second = parse_sources(tomllib.loads(text), "sources.toml")
    assert (second.location, second.name, second.language, second.enabled) == (candidate.url, "The Paper", "en", False)
    set_enabled(path, source.id, True)
    assert parse_sources(tomllib.loads(path.read_text()), "x") == (first, source)
    with pytest.raises(ConfigurationError, match="no source 'nobody'"):
        set_enabled(path, "nobody", False)


def test_opml_goes_in_and_out() -> None:
    """Feeds of a feed reader become sources with their folders as tags; what is exported is imported as it was."""
    opml = b"""<?xml version="1.0"?><opml version="2.0"><body><outline text="World &amp; Europe">
      <outline type="rss" text="A &lt;Paper&gt;" xmlUrl="https://a.example/feed" language="de-AT"/>
      <outline text="A Paper" xmlUrl="https://a.example/other"/>
      <outline text="again" xmlUrl="https://a.example/feed#x"/>
      <outline text="Local" xmlUrl="file:///etc/passwd"/><outline text="No address"/>
    </outline></body></opml>"""
    sources, problems = read_opml(opml, taken_ids=["a-paper"])
    assert [(s.id, s.location, s.tags, s.language) for s in sources] == [
        ("a-paper-2", "https://a.example/feed", ("world-europe",), "de"),
        ("a-paper-3", "https://a.example/other", ("world-europe",), None),
    ]
    assert len(problems) == 2
    assert all("line " in problem for problem in problems)
    again, none = read_opml(write_opml(sources))
    assert none == []
    assert [(s.location, s.name, s.language) for s in again] == [(s.location, s.name, s.language) for s in sources]


def test_an_exported_list_gives_no_password_away() -> None:
    """OPML files are sent to others: an address goes out without its name and password."""
    source = Source(id="desk", kind=SourceKind.FEED, location="https://ann:s3cret@desk.example/feed?full=1")
    content = write_opml([source]).decode()
    assert 'xmlUrl="https://desk.example/feed?full=1"' in content
    assert "s3cret" not in content


@pytest.mark.parametrize("content", [b"", b"<html/>", b"nothing", b"<!DOCTYPE x [<!ENTITY a 'b'>]><x>&a;</x>"])
def test_what_is_no_opml_is_refused(content: bytes) -> None:
    """The message says what was expected."""
    with pytest.raises(ConfigurationError, match="no OPML"):
        read_opml(content)


def steps(url: str, settings: FetchSettings, tmp_path: Path, **more: Any) -> list[tuple[str, bool, Reason | None]]:
    trace = trace_url(url, settings=settings, politeness_dir=tmp_path, **more)
    return [(step.name, step.ok, step.reason) for step in trace.steps]


def test_the_way_of_one_url_is_told_step_by_step(
    server: NewsServer, fetch_settings: FetchSettings, tmp_path: Path, make_web: Callable[..., PoliteWeb]
) -> None:
    """Canonical form, discovery rules, robots.txt, each redirect, the fetch: what happened, and where it ends why."""
    server.on("/robots.txt", Reply(body=b"User-agent: *\nDisallow: /private", content_type="text/plain"))
    server.on("/old", Reply(status=301, headers={"location": "/story"}))
    server.on("/story", b"<p>A story.")
    fine = [("url", True, None), ("discovery rules", True, None), ("robots.txt", True, None)]
    trace = trace_url(server.url("/old"), settings=fetch_settings, politeness_dir=tmp_path)
    assert [(step.name, step.ok, step.reason) for step in trace.steps] == [
        *fine, ("redirect", True, None), ("fetch", True, None),
    ]  # fmt: skip
    assert trace.page is not None
    assert trace.page.body == b"<p>A story."
    assert steps(server.url("/gone"), fetch_settings, tmp_path) == [*fine, ("fetch", False, Reason.HTTP_404)]
    assert steps(server.url("/private/x"), fetch_settings, tmp_path)[2:] == [
        ("robots.txt", False, Reason.ROBOTS_DENIED),
        ("fetch", False, Reason.ROBOTS_DENIED),
    ]
    assert "/private/x" not in server.paths()
    assert steps("ftp://x/", fetch_settings, tmp_path) == [("url", False, Reason.BAD_URL)]
    assert steps("http://10.0.0.1/story", fetch_settings, tmp_path)[2:] == [
        ("robots.txt", False, Reason.PRIVATE_ADDRESS),
        ("fetch", False, Reason.PRIVATE_ADDRESS),
    ]
    with pytest.raises(ConfigurationError, match="contact"):
        steps("https://a.example/x", fetch_settings.model_copy(update={"contact": ""}), tmp_path)
