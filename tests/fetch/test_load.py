"""References to pages: files of all kinds, and what web servers send."""

from __future__ import annotations

import gzip
import json
import random
import threading
import tracemalloc
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path

import fsspec
import pytest
from newsworld.server import NewsServer, Reply

from pipeline.discover.folder import discover_folder
from pipeline.errors import Reason
from pipeline.fetch import PoliteWeb, load
from pipeline.models import ArticleRef, ItemResult, OutcomeKind, RawPage, Source, SourceKind, StatedFacts, Window
from pipeline.settings import FetchSettings

NOISE = random.Random(1).randbytes(5000)
PACKED_NOISE = gzip.compress(NOISE)
PAGE = b"<!doctype html><html><body><p>The bridge is open again.</p></body></html>"


def read_folder(
    location: str, settings: FetchSettings, base: Path, window: Window | None = None
) -> list[RawPage | ItemResult]:
    source = Source(id="f", kind=SourceKind.FOLDER, location=location)
    out: list[RawPage | ItemResult] = []
    refs: list[ArticleRef] = []
    for found in discover_folder(source, window=window, base_dir=base, max_bytes=settings.max_bytes):
        if isinstance(found, ArticleRef):
            refs.append(found)
        else:
            out.append(found)
    return out + list(load(refs, settings=settings, politeness_dir=base / "unused"))


def told(results: Iterable[RawPage | ItemResult], base: str) -> dict[str, str]:
    """Each result in a word: its media type, or how it ended."""
    words = {}
    for result in results:
        ref = result.ref
        name = (ref.path or "").removeprefix(base).lstrip("/") + (f"#{ref.item}" if ref.item else "")
        words[name] = (
            result.media_type if isinstance(result, RawPage) else f"{result.outcome.kind}({result.outcome.reason})"
        )
    return words


FILES: dict[str, tuple[bytes, str | None]] = {
    "good.html": (PAGE, "text/html"),
    "good.HTM": (PAGE, "text/html"),
    "good.txt": (b"Headline\n\nText.", "text/plain"),
    "deep/er/good.html.gz": (gzip.compress(PAGE), "text/html"),
    "utf16.html": (PAGE.decode().encode("utf-16"), "text/html"),
    "utf16-without-bom.txt": ("Überschrift\n\nText".encode("utf-16-le"), "text/plain"),
    "latin1.html": ("<p>Übermut tut selten gut</p>".encode("latin-1"), "text/html"),
    "stray-nul.html": (PAGE.replace(b"open", b"op\0en"), "text/html"),
    "no-type-known.md": (b"# x", None),
    "photo.jpg": (b"\xff\xd8\xff", None),
    ".hidden.html": (PAGE, None),
    ".hidden/page.html": (PAGE, None),
    "empty.html": (b"", "rejected(empty)"),
    "blank.txt": (b" \r\n\t\n", "rejected(empty)"),
    "empty.html.gz": (gzip.compress(b""), "rejected(empty)"),
    "large.txt": (b"x" * 300_000, "rejected(too_large)"),
    "large.txt.gz": (gzip.compress(b"x" * 300_000), "rejected(too_large)"),
    "bomb.html.gz": (gzip.compress(b"\0" * 100_000_000), "rejected(too_large)"),
    "binary.html": (NOISE, "rejected(binary)"),
    "png.html": (b"\x89PNG\r\n\x1a\nxxxxxxx", "rejected(binary)"),
    "really.pdf.txt": (b"%PDF-1.7 text text text", "rejected(binary)"),
    "cut.html.gz": (gzip.compress(PAGE * 100)[:-20], "failed(broken_compression)"),
    "garbage.html.gz": (b"this was never gzip", "failed(broken_compression)"),
    "flipped.html.gz": (PACKED_NOISE[:2000] + b"\xff" * 20 + PACKED_NOISE[2020:], "failed(broken_compression)"),
    "item.json": (b'{"url": "https://example.com/a", "title": "T"}', "application/json"),
    "bad.json": (b'{"title": ', "failed(bad_json)"),
    "number.json": (b"17", "failed(bad_json)"),
}  # fmt: skip


def test_a_folder_of_everything(
    tmp_path: Path, fetch_settings: FetchSettings, caplog: pytest.LogCaptureFixture
) -> None:
    """Good files are pages, each bad one ends with its own reason, other types are counted, hidden ones ignored."""
    caplog.set_level("INFO", "pipeline.discover")
    for name, (content, _) in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)
    results = read_folder(".", fetch_settings, tmp_path)
    expected = {name: word for name, (_, word) in FILES.items() if word is not None}
    assert told(results, str(tmp_path)) == expected
    skipped = [record for record in caplog.records if getattr(record, "event.action", "") == "folder.skipped"]
    assert [getattr(record, "news.skipped") for record in skipped] == [{".jpg": 1, ".md": 1}]


def test_folders_are_read_in_the_order_of_their_paths(tmp_path: Path, fetch_settings: FetchSettings) -> None:
    """Two runs over one folder see its files in the same order."""
    for name in ("b.txt", "a/z.txt", "a/b.txt", "c.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(f"text of {name}")
    names = list(told(read_folder(str(tmp_path), fetch_settings, Path("/")), str(tmp_path)))
    assert names == ["a/b.txt", "a/z.txt", "b.txt", "c.txt"]


def test_a_window_selects_files_by_modification_time(tmp_path: Path, fetch_settings: FetchSettings) -> None:
    """A backfill takes the files that were modified in its span: from its start, up to but not with its end."""
    import os

    for day in (1, 2, 3):
        (tmp_path / f"{day}.txt").write_text("text")
        at = datetime(2024, 5, day, tzinfo=UTC).timestamp()
        os.utime(tmp_path / f"{day}.txt", (at, at))
    window = Window(since=datetime(2024, 5, 2, tzinfo=UTC), until=datetime(2024, 5, 3, tzinfo=UTC))
    assert list(told(read_folder(".", fetch_settings, tmp_path, window), str(tmp_path))) == ["2.txt"]


def test_links_in_circles_end(tmp_path: Path, fetch_settings: FetchSettings) -> None:
    """A symbolic link to a folder above does not make a folder endless; one to a file is read, a broken one named."""
    (tmp_path / "a.txt").write_text("text")
    (tmp_path / "around").symlink_to(tmp_path)
    (tmp_path / "b.txt").symlink_to(tmp_path / "a.txt")
    (tmp_path / "c.txt").symlink_to(tmp_path / "nowhere")
    assert told(read_folder(".", fetch_settings, tmp_path), str(tmp_path)) == {
        "a.txt": "text/plain",
        "b.txt": "text/plain",
        "c.txt": "failed(file_missing)",
    }


def test_file_names_can_be_anything(tmp_path: Path, fetch_settings: FetchSettings) -> None:
    """Spaces, line breaks, brackets, percent signs and foreign letters in names are no trouble."""
    names = ["a b.txt", "new\nline.txt", "[x]*.txt", "100%.txt", "你好.txt", "..txt.txt", "-rf.txt", "a#1.txt"]
    for name in names:
        (tmp_path / name).write_text("text")
    expected = {name: "text/plain" for name in names if not name.startswith(".")}
    assert told(read_folder(".", fetch_settings, tmp_path), str(tmp_path)) == expected


JSON_LINES = [
    (b'{"title": "one"}', "application/json"),
    (b"", None),
    (b'{"title": "two"', "failed(bad_json)"),
    (b"[1, 2]", "failed(bad_json)"),
    (b"[" * 100_000, "failed(bad_json)"),
    (b'{"title": "' + b"x" * 300_000 + b'"}', "rejected(too_large)"),
    (b'{"title": "\xff\xfe"}', "failed(bad_json)"),
    (b'{"title": "last", "url": "https://example.com/last"}', "application/json"),
]


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_each_json_line_is_an_item_of_its_own(
    packed: bool, end: bytes, tmp_path: Path, fetch_settings: FetchSettings
) -> None:
    """A bad line fails alone, with its number; the lines behind it are read."""
    body = end.join(line for line, _ in JSON_LINES)
    name = "items.jsonl.gz" if packed else "items.jsonl"
    (tmp_path / name).write_bytes(gzip.compress(body) if packed else body)
    results = read_folder(name, fetch_settings, tmp_path)
    expected = {f"{name}#{n}": word for n, (_, word) in enumerate(JSON_LINES, 1) if word is not None}
    assert told(results, str(tmp_path)) == expected
    pages = [result for result in results if isinstance(result, RawPage)]
    assert [json.loads(page.body)["title"] for page in pages] == ["one", "last"]
    assert pages[-1].url == "https://example.com/last"
    details = [r.outcome.detail for r in results if isinstance(r, ItemResult) and r.outcome.reason is Reason.BAD_JSON]
    assert all("line " in detail for detail in details)


def test_a_json_list_is_as_good_as_lines(tmp_path: Path, fetch_settings: FetchSettings) -> None:
    """Each element of a list in a .json file is an item."""
    (tmp_path / "list.json").write_text('[{"title": "ä"}, 7, {"title": "\\ud800"}]', encoding="utf-8")
    results = read_folder("list.json", fetch_settings, tmp_path)
    assert told(results, str(tmp_path)) == {
        "list.json#1": "application/json",
        "list.json#2": "failed(bad_json)",
        "list.json#3": "application/json",
    }


def test_other_storages_are_read_alike(fetch_settings: FetchSettings, tmp_path: Path) -> None:
    """A folder on any fsspec storage gives the same pages, by the same names, as a local one."""
    memory = fsspec.filesystem("memory")
    for name, content in {
        "news/a.html": PAGE,
        "news/sub/b.txt.gz": gzip.compress(b"Text"),
        "news/empty.txt": b"",
    }.items():
        memory.pipe(f"/{name}", content)
    words = told(read_folder("memory://news", fetch_settings, tmp_path), "memory:///news")
    assert words == {"a.html": "text/html", "sub/b.txt.gz": "text/plain", "empty.txt": "rejected(empty)"}


def test_large_files_are_not_read_whole(tmp_path: Path, fetch_settings: FetchSettings) -> None:
    """A file beyond the limit costs no memory, packed or not."""
    (tmp_path / "large.txt").write_bytes(b"x" * 30_000_000)
    (tmp_path / "large.html.gz").write_bytes(gzip.compress(b"x" * 30_000_000))
    tracemalloc.start()
    words = told(read_folder(".", fetch_settings, tmp_path), str(tmp_path))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert set(words.values()) == {"rejected(too_large)"}
    assert peak < 5_000_000


def test_feed_items_without_a_page_become_one(fetch_settings: FetchSettings, tmp_path: Path) -> None:
    """An item that has no link but its full text is loaded from what the feed said."""
    facts = StatedFacts(title="A & B", content_html="<p>The whole text.</p>", language="en")
    ref = ArticleRef(source_id="s", path="feed:https://example.com/feed#7", facts=facts)
    (page,) = load([ref], settings=fetch_settings, politeness_dir=tmp_path)
    assert isinstance(page, RawPage)
    assert b"<h1>A &amp; B</h1><p>The whole text.</p>" in page.body
    assert (page.media_type, page.url) == ("text/html", None)


ANSWERS: list[tuple[Reply, str]] = [
    (Reply(body=PAGE), "text/html utf-8"),
    (Reply(body=PAGE, content_type="TEXT/HTML;Charset='ISO-8859-1'"), "text/html iso-8859-1"),
    (Reply(body=PAGE, content_type="application/xhtml+xml"), "application/xhtml+xml None"),
    (Reply(body=PAGE, content_type=None), "text/html None"),
    (Reply(body=PAGE, content_type="application/octet-stream"), "text/html None"),
    (Reply(body=PAGE, content_type="text/plain"), "text/html None"),
    (Reply(body=b"Headline\n\nText", content_type="text/plain"), "text/plain None"),
    (Reply(body=b"<rss></rss>", content_type="application/xml"), "rejected(not_html)"),
    (Reply(body=b"{}", content_type="application/json"), "rejected(not_html)"),
    (Reply(body=b"%PDF-1.4", content_type="application/pdf"), "rejected(not_html)"),
    (Reply(body=b"just text", content_type=None), "rejected(not_html)"),
    (Reply(body=NOISE, content_type="text/html"), "rejected(binary)"),
    (Reply(body=b"", content_type="text/html"), "rejected(empty)"),
    (Reply(body=b" \n", content_type="text/html"), "rejected(empty)"),
    (Reply(status=204), "rejected(empty)"),
    (Reply(status=304), "failed(http_other)"),
    (Reply(status=404), "failed(http_404)"),
    (Reply(status=302, headers={"location": "/"}), "rejected(home_page)"),
    (Reply(status=302, headers={"location": "/login?next=/a"}), "rejected(login_page)"),
    (Reply(status=302, headers={"location": "/elsewhere/story"}), "text/html utf-8"),
]


def test_each_answer_is_a_page_or_has_a_reason(server: NewsServer, web: PoliteWeb) -> None:
    """Types are taken from the header and, where that says little, from the content; what is no page says why."""
    for path in ("/", "/login", "/elsewhere/story"):
        server.on(path, PAGE)
    refs = [ArticleRef(source_id="s", url=server.on(f"/story-{n}", reply)) for n, (reply, _) in enumerate(ANSWERS)]
    words = {}
    for result in load(refs, settings=web.settings, politeness_dir=Path("unused"), web=web):
        ended = isinstance(result, ItemResult)
        words[result.ref.url] = (
            f"{result.outcome.kind}({result.outcome.reason})" if ended else f"{result.media_type} {result.charset}"
        )
    assert words == {ref.url: word for ref, (_, word) in zip(refs, ANSWERS, strict=True)}


def test_packed_answers_come_unpacked(server: NewsServer, web: PoliteWeb) -> None:
    """gzip, deflate, brotli and zstd, and several at once, are undone."""
    import sys
    import zlib

    import brotli

    if sys.version_info >= (3, 14):
        from compression import zstd
    else:
        from backports import zstd
    packed = {
        "gzip": gzip.compress(PAGE), "deflate": zlib.compress(PAGE), "br": brotli.compress(PAGE),
        "zstd": zstd.compress(PAGE),
        "gzip, br": brotli.compress(gzip.compress(PAGE)),
    }  # fmt: skip
    for encoding, body in packed.items():
        url = server.on("/a", Reply(body=body, headers={"content-encoding": encoding}))
        assert web.get(url).body == PAGE


def test_references_of_all_kinds_in_one_batch_each_end_once(server: NewsServer, tmp_path: Path, web: PoliteWeb) -> None:
    """Files, web pages and broken references together: exactly one page or result for each."""
    (tmp_path / "a.txt").write_text("text")
    refs = [
        ArticleRef(source_id="s", path=str(tmp_path / "a.txt")),
        ArticleRef(source_id="s", url=server.on("/a", PAGE)),
        ArticleRef(source_id="s", path=str(tmp_path / "missing.txt")),
        ArticleRef(source_id="s", path=str(tmp_path / "a.exe")),
        ArticleRef(source_id="s", url="not a url"),
        ArticleRef(source_id="s", url=""),
        ArticleRef(source_id="s", url=server.url("/a")),
    ]
    results = list(load(iter(refs), settings=web.settings, politeness_dir=tmp_path, web=web))
    assert sorted(r.ref.name for r in results) == sorted(ref.name for ref in refs)
    failed = [r for r in results if isinstance(r, ItemResult)]
    assert all(r.outcome.kind in (OutcomeKind.FAILED, OutcomeKind.REJECTED) and r.outcome.reason for r in failed)
    assert len(failed) == 4


def test_a_taker_that_stops_leaves_nothing_behind(
    server: NewsServer, tmp_path: Path, fetch_settings: FetchSettings
) -> None:
    """Who takes one page and goes away gets his thread and connections cleaned up, and others can go on."""
    server.on("*", PAGE)
    refs = [ArticleRef(source_id="s", url=server.url(f"/{n}")) for n in range(20)]
    before = threading.active_count()
    pages = load(refs, settings=fetch_settings, politeness_dir=tmp_path)
    next(pages)
    pages.close()  # type: ignore[attr-defined]
    assert threading.active_count() == before
    assert len(list(load(refs[:3], settings=fetch_settings, politeness_dir=tmp_path))) == 3


def test_memory_does_not_grow_with_the_number_of_large_pages(
    server: NewsServer, make_web: Callable[..., PoliteWeb]
) -> None:
    """Many hosts with large pages at once, and a slow taker: only a few large pages are in memory at a time."""

    async def resolve(host: str) -> list[str]:
        return ["127.0.0.1"]

    web = make_web(resolve=resolve, max_bytes=10_000_000, total_timeout_seconds=60)
    server.on("*", b"<p>" + b"x" * 5_000_000)
    server.on("/robots.txt", Reply(status=404))
    refs = [ArticleRef(source_id="s", url=server.url("/story", f"site{n}.example")) for n in range(30)]
    tracemalloc.start()
    count = 0
    for page in load(refs, settings=web.settings, politeness_dir=Path("unused"), web=web):
        assert isinstance(page, RawPage)
        count += 1
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == 30
    assert peak < 110_000_000  # 30 pages of 5 MB would be 150 MB, and as much again while they are put together
