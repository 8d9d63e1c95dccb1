"""Sitemaps of all sorts, on a web that is a dictionary."""

from __future__ import annotations

import gzip
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from pipeline.discover.sitemap import MAX_DEPTH, discover_sitemap, parse_sitemap
from pipeline.discover.state import StateStore
from pipeline.discover.web import WebAnswer
from pipeline.errors import ArticleFailed, Reason, SourceUnavailableError
from pipeline.models import ArticleRef, ItemResult, Source, SourceKind, Window

NOW = datetime(2024, 6, 1, tzinfo=UTC)
B = "https://paper.example"
NS = 'xmlns="http://www.sitemaps.org/schemas/sitemap/0.9" xmlns:news="http://www.google.com/schemas/sitemap-news/0.9"'


class Pages:
    """A web of documents by URL."""

    def __init__(self, pages: dict[str, bytes], robots: tuple[str, ...] = ()) -> None:
        self.pages, self.robots, self.asked = pages, robots, Counter[str]()

    def get(self, url: str, **_: Any) -> WebAnswer:
        self.asked[url] += 1
        if url not in self.pages:
            raise ArticleFailed(Reason.HTTP_404, f"{url} answered 404")
        return WebAnswer(
            url=url,
            final_url=url,
            status=200,
            media_type="application/xml",
            charset=None,
            headers=(),
            body=self.pages[url],
        )

    def open(self, *_: Any, **__: Any) -> Any:
        raise AssertionError("not for sitemaps")

    def robots_sitemaps(self, url: str, **_: Any) -> tuple[str, ...]:
        return self.robots


def urlset(*entries: str) -> bytes:
    return f'<?xml version="1.0"?><urlset {NS}>{"".join(entries)}</urlset>'.encode()


def page(path: str, lastmod: str = "", more: str = "") -> str:
    stated = f"<lastmod>{lastmod}</lastmod>" if lastmod else ""
    return f"<url><loc>{B}/{path}</loc>{stated}{more}</url>"


def index(*entries: tuple[str, str]) -> bytes:
    inner = "".join(
        f"<sitemap><loc>{url}</loc>{f'<lastmod>{date}</lastmod>' if date else ''}</sitemap>" for url, date in entries
    )
    return f"<sitemapindex {NS}>{inner}</sitemapindex>".encode()


def read(web: Pages, location: str = f"{B}/sitemap.xml", **more: Any) -> list[ArticleRef | ItemResult]:
    options: dict[str, Any] = {"window": None, "now": NOW, "base_dir": Path("/nowhere"), "states": None, **more}
    fields = options.pop("source", {})
    source = Source(id="paper", kind=SourceKind.SITEMAP, location=location, **fields)
    return list(discover_sitemap(source, web=web, **options))


def names(found: list[ArticleRef | ItemResult]) -> list[str]:
    return [(ref.url or "").removeprefix(f"{B}/") for ref in found if isinstance(ref, ArticleRef)]


def reasons(found: list[ArticleRef | ItemResult]) -> list[Reason | None]:
    return [item.outcome.reason for item in found if isinstance(item, ItemResult)]


def test_a_news_sitemap_says_what_it_knows() -> None:
    """Publication date, title, language and keywords of a news sitemap become candidates for the article's facts."""
    news = (
        "<news:news><news:publication><news:name>Paper</news:name><news:language>fr</news:language></news:publication>"
        "<news:publication_date>2024-05-30T10:00:00+02:00</news:publication_date><news:title>Un titre</news:title>"
        "<news:keywords>a, b,,a</news:keywords></news:news>"
    )
    image = f'<image:image xmlns:image="http://x"><image:loc>{B}/i.jpg</image:loc></image:image>'
    (ref,) = read(Pages({f"{B}/sitemap.xml": urlset(page("story", "2024-05-31", news + image))}))
    assert isinstance(ref, ArticleRef)
    facts = ref.facts
    assert ref.url == f"{B}/story"
    assert facts.published_at == datetime(2024, 5, 30, 8, tzinfo=UTC)
    assert facts.modified_at == datetime(2024, 5, 31, tzinfo=UTC)
    assert (facts.title, facts.language, facts.keywords) == ("Un titre", "fr", ("a", "b"))


def test_indexes_are_followed_packed_or_not() -> None:
    """All pages below an index of indexes are named once; a file named twice is read once, and circles end."""
    web = Pages(
        {
            f"{B}/sitemap.xml": index((f"{B}/1.xml.gz", ""), (f"{B}/deep.xml", ""), (f"{B}/1.xml.gz", "")),
            f"{B}/1.xml.gz": gzip.compress(urlset(page("a"), page("b"))),
            f"{B}/deep.xml": index((f"{B}/2.txt", ""), (f"{B}/sitemap.xml", "")),
            f"{B}/2.txt": f"\ufeff{B}/c\r\n{B}/a\n\n".encode(),
        }
    )
    found = read(web)
    assert names(found) == ["a", "b", "c"]
    assert set(web.asked.values()) == {1}
    assert reasons(found) == [None]  # the second a, a duplicate


def test_sitemaps_named_by_robots_txt() -> None:
    """A home page or robots.txt as the location means the sitemaps that robots.txt names."""
    web = Pages({f"{B}/news.xml": urlset(page("a"))}, robots=(f"{B}/news.xml",))
    assert names(read(web, f"{B}/")) == ["a"]
    assert names(read(web, f"{B}/robots.txt")) == ["a"]
    with pytest.raises(SourceUnavailableError, match="names no sitemap"):
        read(Pages({}), f"{B}/")


def test_depth_has_a_limit() -> None:
    """Indexes nested without end are not followed without end, and the report says so."""
    web = Pages({f"{B}/{n}.xml": index((f"{B}/{n + 1}.xml", "")) for n in range(50)})
    found = read(web, f"{B}/0.xml")
    assert len(web.asked) == MAX_DEPTH + 1
    assert reasons(found) == [Reason.EXCLUDED]


def test_a_bad_file_fails_alone() -> None:
    """A file below an index that is missing, broken or no sitemap becomes a result; the others are read."""
    web = Pages(
        {
            f"{B}/sitemap.xml": index(
                *((f"{B}/{n}.xml", "") for n in ("missing", "html", "cut", "bomb", "gz", "good"))
            ),
            f"{B}/html.xml": b"<!doctype html><html><body>Sorry</body></html>",
            f"{B}/cut.xml": urlset(page("a"), page("b"))[:-40],
            f"{B}/bomb.xml": gzip.compress(b"\0" * 100_000_000),
            f"{B}/gz.xml": b"\x1f\x8b\x08broken",
            f"{B}/good.xml": urlset(page("c")),
        }
    )
    found = read(web)
    assert names(found) == ["a", "c"]  # of b half an address came
    assert reasons(found) == [
        Reason.HTTP_404,
        Reason.SOURCE_ITEM_BROKEN,
        Reason.SOURCE_ITEM_BROKEN,
        Reason.TOO_LARGE,
        Reason.BROKEN_COMPRESSION,
    ]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (None, "404"),
        (b"", "empty"),
        (b"<html></html>", "web page"),
        (b"<note/>", "root element is note"),
        (b"nothing", "no URLs"),
    ],
)
def test_a_first_file_that_is_none_is_an_error(body: bytes | None, message: str) -> None:
    """If the named sitemap itself can't be read, the source failed, with the reason."""
    with pytest.raises(SourceUnavailableError, match=message):
        read(Pages({} if body is None else {f"{B}/sitemap.xml": body}))


def test_an_empty_sitemap_is_a_sitemap() -> None:
    """A site without news today is no error."""
    assert read(Pages({f"{B}/sitemap.xml": urlset()})) == []


def test_entities_are_not_expanded() -> None:
    """Neither an entity bomb nor a file on this machine gets into a URL."""
    bomb = b"<!DOCTYPE urlset [<!ENTITY a 'aaaaaaaaaa'><!ENTITY b '&a;&a;&a;&a;&a;&a;&a;'><!ENTITY f SYSTEM 'file:///etc/passwd'>]>"
    body = (
        bomb
        + b"<urlset><url><loc>https://paper.example/x&b;y&f;</loc></url><url><loc>https://paper.example/b</loc></url></urlset>"
    )
    locations = [entry.loc for entry in parse_sitemap(body, base_url=B, now=NOW).entries]
    assert locations[-1] == f"{B}/b"
    assert not any("aaaa" in loc or "root" in loc for loc in locations)


def test_pages_of_other_sites_are_turned_away() -> None:
    """A sitemap speaks for its own site; others only where the source's entry allows them."""
    body = urlset(
        page("a"), "<url><loc>https://evil.example/b</loc></url>", "<url><loc>https://www.paper.example/c</loc></url>"
    )
    found = read(Pages({f"{B}/sitemap.xml": body}))
    assert [ref.url for ref in found if isinstance(ref, ArticleRef)] == [f"{B}/a", "https://www.paper.example/c"]
    assert reasons(found) == [Reason.EXCLUDED]
    allowed = read(Pages({f"{B}/sitemap.xml": body}), source={"domains": ("paper.example", "evil.example")})
    assert len(names(allowed)) == 3


def test_what_is_no_article_is_told() -> None:
    """Home, section and video pages, excluded patterns and odd schemes have their reasons."""
    body = urlset(
        page(""), page("tag/x"), page("sport/a"), page("news/b"), "<url><loc>ftp://paper.example/x</loc></url>"
    )
    found = read(Pages({f"{B}/sitemap.xml": body}), source={"exclude": ("*/sport/*",)})
    assert names(found) == ["news/b"]
    assert reasons(found) == [Reason.HOME_PAGE, Reason.SECTION_PAGE, Reason.EXCLUDED, Reason.SCHEME_NOT_ALLOWED]


def test_a_window_reads_only_what_may_lie_within_it() -> None:
    """Files that did not change since the window's start are not read; dated entries outside it are left out."""
    web = Pages(
        {
            f"{B}/sitemap.xml": index(
                (f"{B}/old.xml", "2024-04-30"), (f"{B}/new.xml", "2024-05-20"), (f"{B}/undated.xml", "")
            ),
            f"{B}/new.xml": urlset(page("a", "2024-05-10"), page("b", "2024-04-10"), page("c", "2024-05-12T00:00:00Z")),
            f"{B}/undated.xml": urlset(page("d"), page("e", "not a date"), page("f", "2024-05-11T23:59:59+00:00")),
        }
    )
    window = Window(since=datetime(2024, 5, 10, tzinfo=UTC), until=datetime(2024, 5, 12, tzinfo=UTC))
    assert names(read(web, window=window)) == ["a", "d", "e", "f"]
    assert web.asked[f"{B}/old.xml"] == 0


def test_the_next_run_names_what_is_new(tmp_path: Path) -> None:
    """Unchanged files are not read again, changed ones give their new and changed entries, stale ones are retired."""
    states = StateStore(tmp_path)
    old = (NOW - timedelta(days=90)).isoformat()
    web = Pages(
        {
            f"{B}/sitemap.xml": index((f"{B}/may.xml", "2024-05-31"), (f"{B}/feb.xml", ""), (f"{B}/today.xml", "")),
            f"{B}/may.xml": urlset(page("a", "2024-05-30")),
            f"{B}/feb.xml": urlset(page("b", old)),
            f"{B}/today.xml": urlset(page("c", "2024-06-01")),
        }
    )

    def run(now: datetime) -> list[str]:
        found = names(read(web, states=states, now=now))
        states.commit("paper")
        return found

    assert run(NOW) == ["a", "b", "c"]
    assert run(NOW + timedelta(hours=1)) == []
    assert web.asked == {f"{B}/sitemap.xml": 2, f"{B}/may.xml": 1, f"{B}/feb.xml": 1, f"{B}/today.xml": 2}
    web.pages[f"{B}/today.xml"] = urlset(page("c", "2024-06-02"), page("d", "2024-06-02"))
    web.pages[f"{B}/sitemap.xml"] = index((f"{B}/may.xml", "2024-06-02"), (f"{B}/feb.xml", ""), (f"{B}/today.xml", ""))
    web.pages[f"{B}/may.xml"] = urlset(page("a", "2024-05-30"), page("e", "2024-05-29"))
    assert run(NOW + timedelta(days=1)) == ["e", "c", "d"]
    assert web.asked[f"{B}/feb.xml"] == 1
    run(NOW + timedelta(days=8))
    assert web.asked[f"{B}/feb.xml"] == 2  # once a week somebody looks whether a retired file is alive again


def test_max_items_leaves_the_rest_to_the_next_run(tmp_path: Path) -> None:
    """A limit on items cuts a run short and loses nothing."""
    states = StateStore(tmp_path)
    web = Pages({f"{B}/sitemap.xml": urlset(*(page(f"s{n}") for n in range(5)))})
    runs = []
    for _ in range(4):
        runs.append(names(read(web, states=states, source={"max_items": 2})))
        states.commit("paper")
    assert runs == [["s0", "s1"], ["s2", "s3"], ["s4"], []]


def test_sitemaps_are_read_from_files_too(tmp_path: Path) -> None:
    """A saved sitemap, packed or not, names its pages."""
    (tmp_path / "sitemap.xml.gz").write_bytes(gzip.compress(urlset(page("a"))))
    assert names(read(Pages({}), "sitemap.xml.gz", base_dir=tmp_path)) == ["a"]
