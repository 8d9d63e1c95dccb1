"""WARC files, local and remote, whole and broken, and CC-NEWS on a replica."""

from __future__ import annotations

import gzip
import io
import random
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

import fsspec
import pytest
from newsworld.server import NewsServer, Reply, Seen
from newsworld.warcs import Record, write_warc

from pipeline.discover.ccnews import discover_ccnews, parse_span
from pipeline.discover.state import StateStore
from pipeline.discover.warc import discover_warc, read_frames
from pipeline.errors import ConfigurationError, Reason, SourceUnavailableError
from pipeline.fetch import PoliteWeb, load
from pipeline.models import ArticleRef, ItemResult, RawPage, Source, SourceKind, Window
from pipeline.settings import FetchSettings, load_settings

NOW = datetime(2024, 6, 1, tzinfo=UTC)
B = "https://paper.example"


def many(count: int) -> list[Record]:
    return [Record(url=f"{B}/story-{n}", body=b"<p>%d " % n + bytes(str(n * 7919), "ascii") * 40) for n in range(count)]


def read(location: str, web: Any = None, **more: Any) -> list[ArticleRef | ItemResult]:
    options: dict[str, Any] = {"window": None, "now": NOW, "base_dir": Path("/nowhere"), "states": None, **more}
    fields = options.pop("source", {})
    source = Source(id="w", kind=SourceKind.WARC, location=location, **fields)
    return list(discover_warc(source, web=web, **options))


def refs_of(found: list[ArticleRef | ItemResult]) -> list[ArticleRef]:
    return [item for item in found if isinstance(item, ArticleRef)]


def names(found: list[ArticleRef | ItemResult]) -> list[str]:
    return [(ref.url or "").removeprefix(f"{B}/") for ref in refs_of(found)]


def broken(found: list[ArticleRef | ItemResult]) -> list[Reason | None]:
    return [item.outcome.reason for item in found if isinstance(item, ItemResult)]


def load_all(refs: list[ArticleRef], settings: FetchSettings, tmp_path: Path, **more: Any) -> list[RawPage]:
    pages = list(load(refs, settings=settings, politeness_dir=tmp_path / "turns", **more))
    assert all(isinstance(page, RawPage) for page in pages), pages
    return [page for page in pages if isinstance(page, RawPage)]


@pytest.mark.parametrize("packed", [True, False])
def test_a_long_file_cut_and_damaged_gives_all_readable_pages(
    packed: bool, tmp_path: Path, fetch_settings: FetchSettings
) -> None:
    """Of 5,000 records one is damaged and the last is cut: 4,998 pages come, two results say what is broken."""
    data, offsets = write_warc(many(5000), packed=packed)
    damaged = bytearray(data[:-60])
    at = offsets[2500] + (40 if packed else 0)
    damaged[at : at + 60] = b"\xa5" * 60
    name = "news.warc.gz" if packed else "news.warc"
    (tmp_path / name).write_bytes(damaged)
    found = read(name, base_dir=tmp_path)
    assert names(found) == [f"story-{n}" for n in range(4999) if n != 2500]
    assert broken(found) == [Reason.BROKEN_RECORD, Reason.BROKEN_RECORD]
    assert f"byte {offsets[2500]}" in next(i.outcome.detail for i in found if isinstance(i, ItemResult))
    refs = refs_of(found)
    pages = load_all(refs[2490:2510] + refs[5:7], fetch_settings, tmp_path)
    for page in pages:
        assert page.url == page.ref.url
        number = int((page.url or "").rpartition("-")[2])
        assert page.body.startswith(b"<p>%d " % number)
        assert page.fetched_at == datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)
        assert (page.status, page.media_type, page.charset) == (200, "text/html", "utf-8")


def test_a_killed_run_resumes_where_its_last_batch_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After each committed batch what was handed over is done: the next run opens the file behind it."""
    data, offsets = write_warc(many(5000))
    (tmp_path / "news.warc.gz").write_bytes(data)
    states = StateStore(tmp_path / "states")
    source = Source(id="w", kind=SourceKind.WARC, location="news.warc.gz")

    def start() -> Any:
        return discover_warc(source, window=None, base_dir=tmp_path, web=None, now=NOW, states=states)  # type: ignore[arg-type]

    first = []
    for ref in start():
        first.append(ref.url)
        if len(first) == 2600:
            break  # killed here, after the batches up to 2,500 were committed
        if len(first) % 500 == 0:
            states.commit("w")
    opened: list[int] = []
    from pipeline.discover import warc

    real = warc.open_binary

    def recorded(address: str, *, offset: int = 0) -> BinaryIO:
        opened.append(offset)
        return real(address, offset=offset)

    monkeypatch.setattr(warc, "open_binary", recorded)
    second = [ref.url for ref in start()]
    states.commit("w")
    assert offsets[2390] <= opened[0] <= offsets[2500]
    assert len(second) < 2620
    assert set(first[:2500]) | set(second) == {f"{B}/story-{n}" for n in range(5000)}
    assert list(start()) == []  # all is done, but new records behind it would be found
    assert opened[-1] == len(data)


def test_only_pages_are_taken_by_site_language_and_date(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Filters choose by domain, stated language and date; what they and the kind of record leave out is counted."""
    caplog.set_level("INFO", "pipeline.discover")
    german = b'<html lang="de-AT"><body><p>Guten Tag</p></body></html>'
    records = [
        Record(url=f"{B}/a"),
        Record(url="https://sub.paper.example/b"),
        Record(url="https://other.example/c"),
        Record(url=f"{B}/moved", status=301),
        Record(url=f"{B}/gone", status=404),
        Record(url=f"{B}/i", content_type="image/png"),
        Record(url=f"{B}/d", body=german),
        Record(url=f"{B}/e", headers={"Content-Language": "de"}),
        Record(url=f"{B}/late", date="2024-07-01T00:00:00Z"),
        Record(url=f"{B}/text", kind="resource", content_type="text/plain", body=b"Words"),
        Record(url="dns:paper.example", kind="resource", content_type="text/dns", body=b"x"),
        Record(url=f"{B}/a", kind="request", body=b"GET / HTTP/1.1\r\n\r\n"),
        Record(url=f"{B}/"),
    ]
    (tmp_path / "x.warc.gz").write_bytes(write_warc(records)[0])
    window = Window(since=datetime(2024, 5, 1, tzinfo=UTC), until=NOW)
    found = read(
        "x.warc.gz", base_dir=tmp_path, window=window, source={"domains": ("paper.example",), "language": "en"}
    )
    assert [ref.url for ref in refs_of(found)] == [f"{B}/a", "https://sub.paper.example/b", f"{B}/text"]
    assert broken(found) == [Reason.HOME_PAGE]
    (event,) = [r for r in caplog.records if getattr(r, "event.action", "") == "warc.skipped"]
    assert getattr(event, "news.skipped") == {
        "on other domains": 1,
        "answers other than 200": 2,
        "not HTML": 1,
        "in other languages": 2,
        "outside the window": 1,
        "records that are no pages": 3,
    }


def test_folders_and_other_storages(tmp_path: Path, fetch_settings: FetchSettings) -> None:
    """All WARC files of a folder are read, wherever it lies; without any the source says so."""
    memory = fsspec.filesystem("memory")
    memory.pipe("/warcs/a.warc.gz", write_warc([Record(url=f"{B}/a")])[0])
    memory.pipe("/warcs/b.warc", write_warc([Record(url=f"{B}/b")], packed=False)[0])
    memory.pipe("/warcs/notes.txt", b"x")
    found = read("memory://warcs")
    assert names(found) == ["a", "b"]
    assert len(load_all(refs_of(found), fetch_settings, tmp_path)) == 2
    with pytest.raises(SourceUnavailableError, match=r"holds no \.warc"):
        read(".", base_dir=tmp_path)
    with pytest.raises(SourceUnavailableError, match="does not exist"):
        read("missing.warc", base_dir=tmp_path)


@pytest.mark.parametrize(
    "garbage", [b"", b"no WARC at all, just words", b"\x1f\x8b\x08 broken from the start", bytes(100_000)]
)
def test_garbage_ends(garbage: bytes) -> None:
    """What is no WARC file gives no page, at most one result, and an end."""
    frames = list(read_frames(lambda offset: io.BytesIO(garbage[offset:])))
    assert len(frames) <= 1
    assert all(frame.error is Reason.BROKEN_RECORD for frame in frames)


def test_every_possible_cut_gives_the_records_before_it() -> None:
    """Wherever a download stopped, the whole records before come out and nothing hangs."""
    for packed in (True, False):
        data, offsets = write_warc([Record(url=f"{B}/{n}") for n in range(3)], packed=packed)
        for cut in range(0, len(data), 7):
            frames = list(read_frames(lambda offset, cut=cut, data=data: io.BytesIO(data[:cut][offset:])))  # type: ignore[misc]
            whole = [frame for frame in frames if frame.error is None]
            ends = [*offsets, len(data)]
            assert len(whole) >= sum(end <= cut for end in ends)
            assert len([frame for frame in frames if frame.error]) <= 1


@pytest.mark.parametrize("packed", [True, False])
def test_damage_deep_in_a_large_record_is_one_broken_record(packed: bool) -> None:
    """Damage far behind a record's start costs that record alone, and is told once."""
    large = Record(url=f"{B}/large", body=random.Random(1).randbytes(400_000))
    data, offsets = write_warc([Record(url=f"{B}/a"), large, Record(url=f"{B}/b"), Record(url=f"{B}/c")], packed=packed)
    for depth in (70_000, 200_000, 390_000):
        damaged = bytearray(data)
        at = offsets[1] + depth
        # Packed, any damage shows; plain, only what hides the length of the record does.
        damaged[at : at + 50] = b"" if not packed else b"\xa5" * 50
        frames = list(read_frames(lambda offset, damaged=damaged: io.BytesIO(damaged[offset:])))  # type: ignore[misc]
        assert [frame.error for frame in frames] == [None, None, Reason.BROKEN_RECORD, None, None] or not packed
        assert frames[-1].error is None
        assert b"/c" in frames[-1].data
        assert sum(frame.error is not None for frame in frames) == 1


def test_bombs_in_records_are_too_large(tmp_path: Path) -> None:
    """A record that unpacks without end costs no memory and is named; the one behind it is read."""
    bomb = Record(url=f"{B}/bomb", body=gzip.compress(b"0" * 60_000_000), headers={"Content-Encoding": "gzip"})
    large = Record(url=f"{B}/large", body=b"0" * 30_000_000)
    (tmp_path / "x.warc.gz").write_bytes(write_warc([bomb, large, Record(url=f"{B}/a")])[0])
    found = read("x.warc.gz", base_dir=tmp_path)
    assert names(found) == ["a"]
    assert broken(found) == [Reason.TOO_LARGE, Reason.TOO_LARGE]


def ranged(data: bytes, *, ranges: bool = True, break_at: int | None = None) -> Callable[[Seen], Reply]:
    """A file on the web; ``break_at`` ends connections after so many bytes."""

    def answer(seen: Seen) -> Reply:
        asked = seen.headers.get("range", "")
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked and ranges else 0
        if start >= len(data):
            return Reply(status=416)
        body = data[start:]
        cut = break_at if break_at is not None and len(body) > break_at else None
        return Reply(status=206 if start else 200, body=body, content_type="application/warc", cut=cut)

    return answer


def test_remote_files_are_streamed_and_loaded(server: NewsServer, web: PoliteWeb, tmp_path: Path) -> None:
    """A WARC file on the web is read like a local one, its pages are loaded while it is still being read."""
    data, _ = write_warc(many(50))
    url = server.on("/news.warc.gz", ranged(data))
    source = Source(id="w", kind=SourceKind.WARC, location=url)
    pages = []
    for ref in discover_warc(source, window=None, base_dir=tmp_path, web=web, now=NOW):
        assert isinstance(ref, ArticleRef)
        pages += load_all([ref], web.settings, tmp_path, web=web)
    assert [page.url for page in pages] == [f"{B}/story-{n}" for n in range(50)]


def test_a_server_without_ranges_serves_too(server: NewsServer, web: PoliteWeb, tmp_path: Path) -> None:
    """Where a server doesn't know ranges, what comes before is passed over."""
    data, offsets = write_warc(many(20))
    url = server.on("/news.warc.gz", ranged(data, ranges=False))
    refs = [ArticleRef(source_id="w", path=url, item=offsets[n]) for n in (15, 3)]
    assert [page.url for page in load_all(refs, web.settings, tmp_path, web=web)] == [f"{B}/story-15", f"{B}/story-3"]


def test_a_broken_download_goes_on_where_it_broke(server: NewsServer, web: PoliteWeb) -> None:
    """A connection that breaks again and again, each time farther on, still gives every record once."""
    data, _ = write_warc(many(200))
    url = server.on("/news.warc.gz", ranged(data, break_at=len(data) // 7))
    found = read(url, web)
    assert names(found) == [f"story-{n}" for n in range(200)]
    assert server.paths().count("/news.warc.gz") >= 7


def test_a_download_that_never_gets_farther_ends(server: NewsServer, web: PoliteWeb) -> None:
    """If nothing more comes after several tries, what was read stays, and a result says what is missing."""
    data, offsets = write_warc(many(20))

    def answer(seen: Seen) -> Reply:
        again = bool(seen.headers.get("range"))
        return Reply(status=206, body=b"x" * 100, cut=0) if again else Reply(body=data, cut=offsets[10] + 5)

    url = server.on("/news.warc.gz", answer)
    found = read(url, web)
    assert names(found) == [f"story-{n}" for n in range(10)]
    assert broken(found) == [Reason.CONNECTION]


@pytest.fixture
def replica(server: NewsServer) -> NewsServer:
    """CC-NEWS in small: two months, a few files."""
    listing: dict[str, list[str]] = {"2024/04": [], "2024/05": [], "2024/06": []}
    files = {
        "20240430220000-00001": [
            Record(url=f"{B}/april", date="2024-04-30T23:00:00Z"),
            Record(url=f"{B}/may-1", date="2024-05-01T01:00:00Z"),
        ],
        "20240501120000-00002": [
            Record(url=f"{B}/may-2", date="2024-05-01T13:00:00Z"),
            Record(url="https://other.example/x", date="2024-05-01T13:00:00Z"),
        ],
        "20240515000000-00003": [Record(url=f"{B}/may-3", date="2024-05-15T01:00:00Z")],
        "20240601000000-00004": [Record(url=f"{B}/june", date="2024-06-01T01:00:00Z")],
    }  # fmt: skip
    for name, records in files.items():
        month = f"{name[:4]}/{name[4:6]}"
        path = f"crawl-data/CC-NEWS/{month}/CC-NEWS-{name}.warc.gz"
        listing[month].append(path)
        server.on(f"/{path}", ranged(write_warc(records)[0]))
    for month, paths in listing.items():
        body = gzip.compress("\n".join(paths).encode())
        server.on(f"/crawl-data/CC-NEWS/{month}/warc.paths.gz", Reply(body=body, content_type="application/gzip"))
    return server


def ccnews(replica: NewsServer, web: PoliteWeb, location: str, **more: Any) -> list[ArticleRef | ItemResult]:
    settings = load_settings({"NEWS_FETCH__CCNEWS_URL": replica.url("/")})
    options: dict[str, Any] = {"window": None, "states": None, **more}
    fields = options.pop("source", {})
    source = Source(id="cc", kind=SourceKind.CCNEWS, location=location, **fields)
    return list(discover_ccnews(source, web=web, now=NOW, settings=settings, **options))


def test_ccnews_by_span_and_domain(replica: NewsServer, web: PoliteWeb, tmp_path: Path) -> None:
    """A month, some days, or a run's window: the right files are streamed, only their pages within the span come."""
    assert names(ccnews(replica, web, "2024-05", source={"domains": ("paper.example",)})) == ["may-1", "may-2", "may-3"]
    assert not any("00004" in path for path in replica.paths())
    found = ccnews(replica, web, "2024-05-01/2024-05-02")
    assert names(found) == ["may-1", "may-2", "https://other.example/x"]
    assert [page.url for page in load_all(refs_of(found)[:2], web.settings, tmp_path, web=web)] == [
        f"{B}/may-1",
        f"{B}/may-2",
    ]
    window = Window(since=datetime(2024, 5, 14, tzinfo=UTC), until=datetime(2024, 6, 2, tzinfo=UTC))
    assert names(ccnews(replica, web, "2024-05-01", window=window)) == ["may-3", "june"]


def test_ccnews_resumes_by_file_and_offset(replica: NewsServer, web: PoliteWeb, tmp_path: Path) -> None:
    """What a committed run has read is not downloaded again."""
    states = StateStore(tmp_path)
    assert len(names(ccnews(replica, web, "2024-05", states=states))) == 4
    states.commit("cc")
    replica.seen.clear()
    assert ccnews(replica, web, "2024-05", states=states) == []
    # One look behind the end of each file, with nothing to download.
    assert all(seen.headers.get("range") for seen in replica.seen if seen.path.endswith(".warc.gz"))


def test_ccnews_without_its_listing_is_unavailable(server: NewsServer, web: PoliteWeb) -> None:
    """A month that is not there yet is told as the source's failure."""
    with pytest.raises(SourceUnavailableError, match=r"warc\.paths\.gz"):
        ccnews(server, web, "2024-05")


@pytest.mark.parametrize(
    "text", ["", "yesterday", "2024", "2024-13", "2024-05-32", "2024-05-02/2024-05-01", "https://x"]
)
def test_a_span_that_is_none_is_a_mistake_of_the_entry(text: str) -> None:
    """The message names the source, the value and what is allowed."""
    with pytest.raises(ConfigurationError, match=r"a ccnews source takes"):
        parse_span(text, "source cc")
