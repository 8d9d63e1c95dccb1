"""Feeds as they are found: each folder of tests/data/feeds holds one, and what should come of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from pipeline.discover.feed import discover_feed
from pipeline.discover.state import StateStore, ids_to_retry
from pipeline.discover.web import WebAnswer
from pipeline.errors import ArticleFailed, Reason, SourceUnavailableError
from pipeline.models import ArticleRef, ItemResult, Outcome, OutcomeKind, Source, SourceKind, Window

CASES = Path(__file__).resolve().parent.parent / "data" / "feeds"
NOW = datetime(2024, 6, 1, tzinfo=UTC)
FEED = "https://paper.example/feed"
SOURCE = Source(id="paper", kind=SourceKind.FEED, location=FEED)


class OneFeed:
    """A web of a single document, as discovery sees it."""

    def __init__(self, body: bytes, *, media_type: str = "", charset: str | None = None) -> None:
        self.body, self.media_type, self.charset = body, media_type, charset
        self.headers: dict[str, str] = {}
        self.asked: list[Mapping[str, str]] = []
        self.error: Reason | None = None

    def get(self, url: str, *, headers: Mapping[str, str] | None = None, **_: Any) -> WebAnswer:
        self.asked.append(headers or {})
        if self.error is not None:
            raise ArticleFailed(self.error, "as the test wants")
        unchanged = bool(headers) and headers.get("if-none-match") == self.headers.get("etag", "none")
        return WebAnswer(
            url=url, final_url=url, status=304 if unchanged else 200, media_type=self.media_type, charset=self.charset,
            headers=tuple(self.headers.items()), body=b"" if unchanged else self.body,
        )  # fmt: skip

    def open(self, *_: Any, **__: Any) -> Any:
        raise AssertionError("not for feeds")

    def robots_sitemaps(self, *_: Any, **__: Any) -> tuple[str, ...]:
        raise AssertionError("not for feeds")


def read(web: OneFeed, **more: Any) -> list[ArticleRef | ItemResult]:
    options: dict[str, Any] = {"window": None, "now": NOW, "base_dir": Path("/nowhere"), **more}
    source = options.pop("source", SOURCE)
    return list(discover_feed(source, web=web, **options))


def stated(ref: ArticleRef, keys: list[str]) -> dict[str, Any]:
    facts = ref.facts
    values: dict[str, Any] = {
        "url": ref.url, "path": ref.path, "title": facts.title, "description": facts.description,
        "authors": list(facts.authors),
        "published_at": facts.published_at.isoformat() if facts.published_at else None,
        "modified_at": facts.modified_at.isoformat() if facts.modified_at else None,
        "language": facts.language, "keywords": list(facts.keywords),
    }  # fmt: skip
    return {key: values[key] for key in keys}


@pytest.mark.parametrize("case", sorted(path.name for path in CASES.iterdir()))
def test_what_is_found_in_feeds_of_all_sorts(case: str) -> None:
    """From each feed, however broken, come exactly the expected references, and a reason for every other item."""
    expected = json.loads((CASES / case / "expected.json").read_text(encoding="utf-8"))
    (file,) = (CASES / case).glob("feed.*")
    web = OneFeed(file.read_bytes(), media_type=expected.get("content_type", ""), charset=expected.get("charset"))
    if "error" in expected:
        with pytest.raises(SourceUnavailableError) as error:
            read(web)
        assert expected["error"] in str(error.value)
        assert FEED in str(error.value)
        return
    found = read(web)
    refs = [ref for ref in found if isinstance(ref, ArticleRef)]
    assert [stated(ref, list(want)) for ref, want in zip(refs, expected["refs"], strict=False)] == expected["refs"]
    assert len(refs) == len(expected["refs"])
    assert [item.outcome.reason for item in found if isinstance(item, ItemResult)] == expected["results"]
    assert "s3cret" not in repr(found)


def test_there_are_enough_broken_feeds() -> None:
    """The promise was at least forty."""
    assert len(list(CASES.iterdir())) >= 40


def rss(*items: tuple[str, str, str]) -> bytes:
    entries = "".join(f"<item><title>{t}</title><link>/{p}</link><pubDate>{d}</pubDate></item>" for p, t, d in items)
    return f'<rss version="2.0"><channel>{entries}</channel></rss>'.encode()


MAY = [(f"story-{n}", f"Story {n}", f"Mon, {n:02} May 2024 12:00:00 GMT") for n in range(1, 8)]


def test_a_window_keeps_what_is_dated_within_it_or_not_at_all() -> None:
    """A backfill takes items of its span; an item without a date may be one of them."""
    web = OneFeed(rss(*MAY, ("undated", "Undated", "")))
    window = Window(since=datetime(2024, 5, 3, 12, tzinfo=UTC), until=datetime(2024, 5, 5, 12, tzinfo=UTC))
    assert [ref.url for ref in read(web, window=window) if isinstance(ref, ArticleRef)] == [
        f"https://paper.example/{name}" for name in ("story-3", "story-4", "undated")
    ]


def urls(found: list[ArticleRef | ItemResult]) -> list[str]:
    return [(ref.url or "").rpartition("/")[2] for ref in found if isinstance(ref, ArticleRef)]


def test_only_what_is_new_is_named_again(tmp_path: Path) -> None:
    """After a committed run a feed names new and changed items only; an unchanged feed none; 304 loses nothing."""
    states = StateStore(tmp_path)
    web = OneFeed(rss(*MAY[:3]))
    web.headers = {"etag": '"1"', "last-modified": "Mon, 06 May 2024 00:00:00 GMT"}
    assert urls(read(web, states=states)) == ["story-1", "story-2", "story-3"]
    assert urls(read(web, states=states)) == ["story-1", "story-2", "story-3"]  # nothing was committed yet
    states.commit("paper")
    assert read(web, states=states) == []
    assert web.asked[-1] == {"if-none-match": '"1"', "if-modified-since": "Mon, 06 May 2024 00:00:00 GMT"}
    states.commit("paper")
    web.headers = {"etag": '"2"'}
    assert read(web, states=states) == []  # the bytes are the same, whatever the ETag says
    states.commit("paper")
    web.headers = {"etag": '"3"'}
    web.body = rss(("story-1", "Story 1, corrected", MAY[0][2]), *MAY[1:4])
    assert urls(read(web, states=states)) == ["story-1", "story-4"]
    states.commit("paper")
    assert read(web, states=states) == []


def test_what_could_not_be_fetched_is_named_again(tmp_path: Path) -> None:
    """An article that failed for a passing reason comes again with the next run, though the feed is unchanged."""
    states = StateStore(tmp_path)
    web = OneFeed(rss(*MAY[:3]))
    web.headers = {"etag": '"1"'}
    refs = [ref for ref in read(web, states=states) if isinstance(ref, ArticleRef)]
    kinds = [(OutcomeKind.INDEXED, None), (OutcomeKind.FAILED, Reason.TIMEOUT), (OutcomeKind.FAILED, Reason.HTTP_404)]
    results = [
        ItemResult(ref=ref, outcome=Outcome(kind=kind, reason=reason), stage="fetch")
        for ref, (kind, reason) in zip(refs, kinds, strict=True)
    ]
    states.commit("paper", retry=ids_to_retry(results))
    assert urls(read(web, states=states)) == ["story-2"]
    states.commit("paper")
    assert read(web, states=states) == []


def test_max_items_leaves_the_rest_to_the_next_run(tmp_path: Path) -> None:
    """A limit on items cuts a run short and loses nothing."""
    states = StateStore(tmp_path)
    web = OneFeed(rss(*MAY))
    web.headers = {"etag": '"1"'}
    source = Source(id="paper", kind=SourceKind.FEED, location=FEED, max_items=3)
    named = []
    for _ in range(4):
        named.append(urls(read(web, states=states, source=source)))
        states.commit("paper")
    assert named == [["story-1", "story-2", "story-3"], ["story-4", "story-5", "story-6"], ["story-7"], []]


def test_a_quiet_feed_is_asked_less_often_and_a_busy_one_more(tmp_path: Path) -> None:
    """The pause between two polls grows while nothing comes and shrinks when a feed overflows, within bounds."""
    states = StateStore(tmp_path)
    web = OneFeed(rss(*MAY[:1]))
    now = NOW

    def poll() -> float:
        list(discover_feed(SOURCE, window=None, base_dir=tmp_path, web=web, now=now, states=states))
        return states.commit("paper").interval_seconds

    first = poll()
    quiet = [poll() for _ in range(12)]
    assert first < quiet[0] < quiet[1]
    assert quiet[-1] == timedelta(days=1).total_seconds()
    busy = []
    for round_ in range(12):
        web.body = rss(*((f"{round_}-{n}", "t", "") for n in range(10)))
        now += timedelta(hours=1)
        busy.append(poll())
    assert busy == sorted(busy, reverse=True)
    assert busy[-1] == timedelta(minutes=5).total_seconds()
    health = states.health("paper")
    assert health.next_poll == now + timedelta(minutes=5)
    assert health.last_new_article == now
    assert health.articles_per_day > 0


def test_failures_are_counted_and_forgotten_on_success(tmp_path: Path) -> None:
    """A source's health tells since when it fails and why; failing polls are spread out, and one success ends it."""
    states = StateStore(tmp_path)
    web = OneFeed(rss(*MAY))
    read(web, states=states)
    states.commit("paper")
    web.error = Reason.HTTP_5XX
    polls = []
    for _ in range(3):
        with pytest.raises(SourceUnavailableError) as error:
            read(web, states=states)
        assert error.value.reason is Reason.HTTP_5XX
        states.record_failure("paper", str(error.value), NOW)
        polls.append(states.health("paper").next_poll)
    health = states.health("paper")
    assert (health.error_streak, health.last_success) == (3, NOW)
    assert "http_5xx" in (health.last_error or "")
    assert polls == sorted(polls)
    assert len(set(polls)) == 3
    web.error = None
    assert read(web, states=states) == []  # what was seen before the outage is still known
    states.commit("paper")
    assert states.health("paper").error_streak == 0


def test_a_damaged_state_costs_a_reading_and_nothing_else(tmp_path: Path) -> None:
    """A state file cut by a full disk is as good as none."""
    states = StateStore(tmp_path)
    (tmp_path / "paper.json").write_text('{"etag": "x", "seen": [["a"')
    assert len(read(OneFeed(rss(*MAY)), states=states)) == 7


def test_feeds_are_read_from_files_too(tmp_path: Path) -> None:
    """A saved feed is a source like one on the web, with absolute links."""
    (tmp_path / "feed.xml").write_bytes(rss(*MAY).replace(b"<link>/", b"<link>https://paper.example/"))
    source = Source(id="paper", kind=SourceKind.FEED, location="feed.xml")
    found = read(OneFeed(b""), source=source, base_dir=tmp_path)
    assert urls(found) == [f"story-{n}" for n in range(1, 8)]
