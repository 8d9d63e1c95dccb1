"""A feed asked for the past: archived and paged feeds (RFC 5005), walked back through a loopback server."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from newsworld.server import NewsServer, Reply, Seen

from pipeline.discover import Discovery, discover_all, older_pages
from pipeline.discover.find import ask_feeds
from pipeline.discover.older_pages import PageCache
from pipeline.errors import Reason
from pipeline.fetch import PoliteWeb
from pipeline.models import ArticleRef, Source, SourceKind, Window
from pipeline.settings import load_settings

NOW = datetime(2024, 7, 1, tzinfo=UTC)
MARCH = Window(since=datetime(2024, 3, 1, tzinfo=UTC), until=datetime(2024, 4, 1, tzinfo=UTC))


def atom(month: int, *, head: str = "", mark: str = "", days: tuple[int, ...] = (20, 10)) -> bytes:
    entries = "".join(
        f'<entry><title>{month}-{day}</title><id>{month}-{day}</id><link href="/news/story-{month:02}-{day:02}"/>'
        f"<updated>2024-{month:02}-{day:02}T08:00:00Z</updated></entry>"
        for day in days
    )
    return (
        '<feed xmlns="http://www.w3.org/2005/Atom" xmlns:old="http://purl.org/syndication/history/1.0">'
        f"<title>t</title>{mark}{head}{entries}</feed>"
    ).encode()


def link(rel: str, to: str) -> str:
    return f'<link rel="{rel}" href="{to}"/>'


class Paper:
    """A paper with a feed of May and an archive document for each month from January to April."""

    def __init__(self, server: NewsServer) -> None:
        self.server = server
        self.feed = server.on("/feed", atom(5, head=link("prev-archive", "/old/4")))
        for month in range(1, 5):
            head = link("current", "/feed") + (link("prev-archive", f"/old/{month - 1}") if month > 1 else "")
            server.on(f"/old/{month}", atom(month, head=head, mark="<old:archive/>"))

    def listings(self) -> list[str]:
        return [path for path in self.server.paths() if path != "/robots.txt"]


@pytest.fixture
def paper(server: NewsServer) -> Paper:
    return Paper(server)


@pytest.fixture
def ask(web: PoliteWeb, tmp_path: Path) -> Callable[..., Discovery]:
    """Ask a feed for March, or another span."""

    def asked(location: str, window: Window | None = MARCH, **options: Any) -> Discovery:
        source = Source(id="paper", kind=SourceKind.FEED, location=location, **options)
        (answer,) = discover_all(
            [source], window=window, base_dir=tmp_path, web=web, now=NOW, settings=load_settings({}),
            pages=PageCache(tmp_path / "pages"),
        )  # fmt: skip
        return answer

    return asked


def stories(answer: Discovery) -> list[str]:
    return [(ref.url or "").rpartition("story-")[2] for ref in answer.found if isinstance(ref, ArticleRef)]


def test_an_archived_feed_is_walked_back_until_older_than_the_span(paper: Paper, ask: Callable[..., Discovery]) -> None:
    """Of an archived feed come exactly the span's articles; nothing before the document that is all older is read."""
    answer = ask(paper.feed)
    assert stories(answer) == ["03-20", "03-10"]
    assert paper.listings() == ["/feed", "/old/4", "/old/3", "/old/2"]
    assert answer.past is not None
    assert answer.past.reaches
    assert "2024-02-10" in answer.past.message


def test_archive_documents_are_asked_for_once_and_the_feed_every_time(
    paper: Paper, ask: Callable[..., Discovery]
) -> None:
    """What never changes is kept: a second backfill asks for the feed itself, and for what it had not seen yet."""
    ask(paper.feed)
    del paper.server.seen[:]
    assert stories(ask(paper.feed)) == ["03-20", "03-10"]
    assert paper.listings() == ["/feed"]
    january = Window(since=datetime(2024, 1, 1, tzinfo=UTC), until=datetime(2024, 2, 1, tzinfo=UTC))
    assert stories(ask(paper.feed, january)) == ["01-20", "01-10"]
    assert paper.listings() == ["/feed", "/feed", "/old/1"]


def test_a_source_that_names_an_archive_document_is_asked_from_the_current_one(
    paper: Paper, ask: Callable[..., Discovery]
) -> None:
    """An address from the middle of the chain leads to the feed's newest document first, so that May isn't missed."""
    may = Window(since=datetime(2024, 5, 1, tzinfo=UTC), until=datetime(2024, 6, 1, tzinfo=UTC))
    assert stories(ask(paper.server.url("/old/2"), may)) == ["05-20", "05-10"]


def test_the_live_schedule_reads_the_feed_alone(paper: Paper, ask: Callable[..., Discovery]) -> None:
    """Without a span nothing older is asked for."""
    assert stories(ask(paper.feed, None)) == ["05-20", "05-10"]
    assert paper.listings() == ["/feed"]


def test_pages_are_followed_and_asked_whether_they_changed(server: NewsServer, ask: Callable[..., Discovery]) -> None:
    """A paged RSS feed and a JSON feed lead to their older pages; a page that did not change is sent only once."""
    sent: list[str] = []

    def page(body: bytes) -> Callable[[Seen], Reply]:
        def answer(seen: Seen) -> Reply:
            if seen.headers.get("if-none-match") == '"p"':
                return Reply(status=304, headers={"etag": '"p"'})
            sent.append(seen.path)
            return Reply(body=body, headers={"etag": '"p"'})

        return answer

    item = "<item><title>t</title><link>/news/story-{0}</link><pubDate>{1}</pubDate></item>"
    rss = '<rss version="2.0" xmlns:a="http://www.w3.org/2005/Atom"><channel><title>t</title>{}</channel></rss>'
    more = '<a:link rel="next" href="/rss?page=2"/>' + item.format("04-01", "Mon, 01 Apr 2024 08:00:00 GMT")
    feed = server.on("/rss", rss.format(more).encode())
    last = item.format("03-05", "Tue, 05 Mar 2024 08:00:00 GMT") + item.format("02-05", "Mon, 05 Feb 2024 08:00:00 GMT")
    server.on("/rss?page=2", page(rss.format(last).encode()))
    for _ in range(2):
        answer = ask(feed)
        assert stories(answer) == ["03-05"]
        assert answer.past is not None
        assert answer.past.reaches
    assert sent == ["/rss?page=2"]

    def json_feed(**more: Any) -> bytes:
        return json.dumps({"version": "https://jsonfeed.org/version/1.1", "title": "t", **more}).encode()

    first = [{"id": "1", "url": "/news/story-04-02", "date_published": "2024-04-02T08:00:00Z"}]
    second = [{"id": "2", "url": "/news/story-03-02", "date_published": "2024-03-02T08:00:00Z"}]
    feed = server.on("/feed.json", json_feed(items=first, next_url="/feed.json?page=2"))
    server.on("/feed.json?page=2", json_feed(items=second))
    assert stories(ask(feed)) == ["03-02"]


def test_a_feed_without_a_past_says_what_it_names(server: NewsServer, ask: Callable[..., Discovery]) -> None:
    """Where no older items are linked, the run learns how far the feed goes; one that is complete needs no archive."""
    answer = ask(server.on("/feed", atom(3, days=(20,))))
    assert stories(answer) == ["03-20"]
    assert answer.past is not None
    assert not answer.past.reaches
    assert "its last 1 items only, the oldest of 2024-03-20" in answer.past.message
    answer = ask(server.on("/feed", atom(3, mark="<old:complete/>")))
    assert answer.past is not None
    assert answer.past.reaches


@pytest.mark.parametrize("target", ["/feed", "/old/4", "/old/3"])
def test_a_chain_that_leads_back_to_itself_ends(paper: Paper, ask: Callable[..., Discovery], target: str) -> None:
    """A loop in the links is noticed; what was read until then counts, and the run says why it went no further."""
    paper.server.on("/old/3", atom(3, head=link("prev-archive", target), mark="<old:archive/>"))
    answer = ask(paper.feed)
    assert stories(answer) == ["03-20", "03-10"]
    assert answer.past is not None
    assert not answer.past.reaches
    assert "leads back to" in answer.past.message
    assert paper.listings() == ["/feed", "/old/4", "/old/3"]


def test_an_endless_chain_is_left_after_some_documents(
    server: NewsServer, ask: Callable[..., Discovery], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A site that makes up another page for each one is not followed for ever."""
    monkeypatch.setattr(older_pages, "MOST_DOCUMENTS", 5)
    server.on("/feed", lambda seen: Reply(body=atom(5, head=link("next", f"/feed?page={len(server.seen)}"))))
    answer = ask(server.url("/feed"))
    assert len([path for path in server.paths() if path != "/robots.txt"]) == 5
    assert answer.past is not None
    assert not answer.past.reaches
    assert "5 documents" in answer.past.message


def test_an_archive_document_that_is_gone_loses_nothing_of_the_others(
    paper: Paper, ask: Callable[..., Discovery]
) -> None:
    """A document that can't be read is a problem of the run that names its address; what came before it counts."""
    paper.server.on("/old/2", Reply(status=410))
    window = Window(since=datetime(2024, 1, 1, tzinfo=UTC), until=datetime(2024, 6, 1, tzinfo=UTC))
    answer = ask(paper.feed, window)
    assert stories(answer) == ["05-20", "05-10", "04-20", "04-10", "03-20", "03-10"]
    assert answer.error is not None
    assert answer.error.reason is Reason.HTTP_410
    assert paper.server.url("/old/2") in str(answer.error)
    assert answer.past is not None
    assert not answer.past.reaches


def test_links_to_what_is_no_web_address_are_not_followed(server: NewsServer, ask: Callable[..., Discovery]) -> None:
    """A feed can't make a backfill read a file of this machine."""
    answer = ask(server.on("/feed", atom(5, head=link("prev-archive", "file:///etc/passwd"))))
    assert answer.error is None
    assert answer.past is not None
    assert not answer.past.reaches


def test_robots_and_the_pause_hold_for_archive_documents(
    paper: Paper, make_web: Callable[..., PoliteWeb], tmp_path: Path
) -> None:
    """Archive documents are asked for at the site's pace, and not where robots.txt forbids it."""
    source = Source(id="paper", kind=SourceKind.FEED, location=paper.feed, delay_seconds=0.2)
    (answer,) = discover_all(
        [source], window=MARCH, base_dir=tmp_path, web=make_web(), now=NOW, settings=load_settings({})
    )
    asked = [seen.at for seen in paper.server.seen]
    assert len(asked) == 5
    assert min(later - earlier for earlier, later in pairwise(asked)) >= 0.19
    robots = b"User-agent: *\nDisallow: /old/3\n"
    paper.server.on("/robots.txt", Reply(body=robots, content_type="text/plain"))
    (answer,) = discover_all(
        [source], window=MARCH, base_dir=tmp_path, now=NOW, settings=load_settings({}),
        web=PoliteWeb(make_web().settings, tmp_path / "fresh"),
    )  # fmt: skip
    assert answer.error is not None
    assert answer.error.reason is Reason.ROBOTS_DENIED


def test_checking_the_sources_says_which_feeds_have_a_past(paper: Paper, web: PoliteWeb) -> None:
    """`news sources check --ask` tells for each feed whether a backfill can walk back."""
    plain = paper.server.on("/plain", atom(6))
    feeds = [
        Source(id=name, kind=SourceKind.FEED, location=location)
        for name, location in (("archived", paper.feed), ("plain", plain), ("gone", paper.server.url("/nowhere")))
    ]
    said = {source.id: candidate.problem or candidate.summary for source, candidate in ask_feeds(feeds, web, now=NOW)}
    assert "2 articles, newest 2024-05-20 08:00; a backfill can walk back through its archive" in said["archived"]
    assert "leads to no older items" in said["plain"]
    assert "http_404" in said["gone"]
