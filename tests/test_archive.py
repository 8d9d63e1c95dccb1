from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from warcio.archiveiterator import ArchiveIterator
from warcio.cli import main as warcio

from pipeline.archive import Archive, payload_digest, record_uri
from pipeline.errors import ArchiveUnavailableError, ArticleFailed, Reason
from pipeline.models import ArchiveAddress, ArticleRef, RawPage, StatedFacts

NOON = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)


def fetched(url: str = "https://paper.example/a?b=1&c=ü", **fields: object) -> RawPage:
    """A page from the web, with the headers that cause trouble."""
    facts = StatedFacts(
        title="Zeile eins\r\nZeile zwei: «Straße» 東京 \U0001f5de",
        authors=("Jörg Öster", "O'Neil"),
        published_at=NOON,
        content_html="<p>ganz\tkurz</p>",
    )
    page = RawPage(
        ref=ArticleRef(source_id="paper", url=url, via="feed https://paper.example/rss", facts=facts),
        url=url,
        final_url="https://paper.example/final/ü",
        media_type="text/html",
        charset='"weird charset; ü"',
        body="<html>Grüße\r\n\r\nHTTP/1.1 200 OK\r\n\r\nWARC/1.1\r\n</html>".encode(),
        fetched_at=NOON,
        status=203,
        headers=(
            ("Content-Type", "text/html; charset=utf-8"),
            ("Content-Encoding", "gzip"),
            ("Content-Length", "7"),
            ("Transfer-Encoding", "chunked"),
            ("Set-Cookie", "a=1"),
            ("Set-Cookie", "b=2"),
            ("X-Empty", ""),
            ("X-Latin", "caf\xe9"),
            ("X-Colons", "a: b: c"),
        ),
    )
    return replace(page, **fields)


def loaded(path: str = "/data/news/größe 1.txt", *, item: int | None = None, body: bytes = b"Plain text\n") -> RawPage:
    """A page from a file."""
    return RawPage(
        ref=ArticleRef(source_id="folder", path=path, item=item, via="folder"),
        url=None,
        final_url=None,
        media_type="text/plain",
        body=body,
        fetched_at=NOON,
    )


def write(archive: Archive, *pages: RawPage, name: str = "x") -> list[ArchiveAddress]:
    with archive.writer(now=NOON, name=name) as writer:
        return [writer.write(page) for page in pages]


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    return Archive(str(tmp_path / "archive"))


def stored(page: RawPage, address: ArchiveAddress) -> RawPage:
    """What must come back for a page that was written."""
    return replace(page, ref=replace(page.ref, archived=address), archived=address)


@pytest.mark.parametrize(
    "page",
    [
        loaded(),
        loaded("/data/lines.jsonl", item=17, body=b'{"headline": "x"}'),
        loaded("s3://bucket/key.html", body=bytes(range(256)) * 10),
        loaded(body=b""),
        replace(
            loaded("/data/a.json"),
            url="https://paper.example/from-json",
            final_url="https://paper.example/from-json",
            media_type="application/json",
        ),
    ],
    ids=["text", "line", "bytes", "empty", "json-with-url"],
)
def test_a_file_comes_back_as_it_was(archive: Archive, page: RawPage) -> None:
    """What is read from the archive is what was loaded: bytes, reference, type, time to the microsecond."""
    [address] = write(archive, page)
    assert address.digest == payload_digest(page.body)
    assert list(archive.read([address])) == [stored(page, address)]


def test_a_fetched_page_comes_back_with_its_headers(archive: Archive) -> None:
    """A response keeps status, every header in order, and its reference; headers about the wire are renamed only."""
    page = fetched()
    [address] = write(archive, page)
    [found] = archive.read([address])
    assert isinstance(found, RawPage)
    assert (found.body, found.status, found.fetched_at) == (page.body, page.status, page.fetched_at)
    assert (found.url, found.final_url) == (page.url, page.final_url)
    assert found.ref == replace(page.ref, archived=address)
    assert [value for name, value in found.headers if name == "Set-Cookie"] == ["a=1", "b=2"]
    assert found.header("X-Archive-Orig-Content-Encoding") == "gzip"
    assert found.header("content-length") == str(len(page.body))
    assert found.header("x-colons") == "a: b: c"
    assert found.header("x-empty") == ""


def test_a_charset_survives_whatever_a_server_called_it(archive: Archive) -> None:
    """A declared charset comes back as it was, for decoding depends on it."""
    [address] = write(archive, fetched())
    [found] = archive.read([address])
    assert isinstance(found, RawPage)
    assert found.charset == '"weird charset; ü"'


@pytest.mark.parametrize(
    "headers",
    [
        (("X-Broken", "one\r\nTwo: three"),),
        (("X-Bytes", "\x00\x7f\x80"),),
        (("X-Unicode", "日本"),),
        (("", "no name"),),
        (("X-Long", "x" * 70_000),),
    ],
    ids=["line-break", "control", "unicode", "no-name", "long"],
)
def test_odd_headers_spoil_neither_their_page_nor_the_next(
    archive: Archive, headers: tuple[tuple[str, str], ...]
) -> None:
    """Whatever a server sends as headers, its page and the one after it come back whole."""
    odd, next_ = fetched(headers=headers), fetched("https://paper.example/next")
    addresses = write(archive, odd, next_)
    pages = list(archive.read(addresses))
    assert all(isinstance(page, RawPage) for page in pages), pages
    assert [page.body for page in pages if isinstance(page, RawPage)] == [odd.body, next_.body]
    assert [page.url for page in archive.scan(addresses[0].file)] == [odd.url, next_.url]


def test_pages_come_in_the_order_asked_for(archive: Archive) -> None:
    """Addresses may be asked for in any order, twice, and across files."""
    first = write(archive, loaded(body=b"1"), loaded(body=b"2"), name="one")
    second = write(archive, loaded(body=b"3"), name="two")
    asked = [second[0], first[1], first[0], second[0], first[1]]
    assert [page.body for page in archive.read(asked) if isinstance(page, RawPage)] == [b"3", b"2", b"1", b"3", b"2"]


def damaged_middle(path: Path, addresses: list[ArchiveAddress]) -> None:
    data = bytearray(path.read_bytes())
    start = addresses[1].offset + 40
    data[start : start + 20] = b"\xff" * 20
    path.write_bytes(data)


def overwritten_record(path: Path, addresses: list[ArchiveAddress]) -> None:
    data = bytearray(path.read_bytes())
    data[addresses[1].offset : addresses[2].offset] = b"\x00" * (addresses[2].offset - addresses[1].offset)
    path.write_bytes(data)


@pytest.mark.parametrize("damage", [damaged_middle, overwritten_record])
def test_a_damaged_record_ends_alone(archive: Archive, damage: Callable[[Path, list[ArchiveAddress]], None]) -> None:
    """A record whose bytes have changed on the disk fails as broken_record; those before and after it are read."""
    pages = [loaded(body=word * 300) for word in (b"first ", b"second ", b"third ")]
    addresses = write(archive, *pages)
    damage(Path(archive.root, addresses[0].file), addresses)
    before, broken, after = archive.read(addresses)
    assert isinstance(before, RawPage)
    assert isinstance(after, RawPage)
    assert (before.body, after.body) == (pages[0].body, pages[2].body)
    assert isinstance(broken, ArticleFailed)
    assert broken.reason is Reason.BROKEN_RECORD
    assert addresses[1].file in broken.detail
    assert broken.detail.isprintable()
    assert len(broken.detail) < 400


def test_a_wrong_digest_is_told(archive: Archive) -> None:
    """An address that means other bytes than those that are there is not answered with them."""
    [address] = write(archive, loaded())
    meant = replace(address, digest=payload_digest(b"something else"))
    [answer] = archive.read([meant])
    assert isinstance(answer, ArticleFailed)
    assert answer.reason is Reason.BROKEN_RECORD
    assert meant.digest in answer.detail


@pytest.mark.parametrize("offset", [3, 10**9])
def test_a_wrong_offset_is_told(archive: Archive, offset: int) -> None:
    """An offset that is no record's start, or beyond the file, fails that article only."""
    [address] = write(archive, loaded())
    answers = list(archive.read([replace(address, offset=offset), address]))
    assert isinstance(answers[0], ArticleFailed)
    assert answers[0].reason is Reason.BROKEN_RECORD
    assert isinstance(answers[1], RawPage)


def test_the_first_record_of_a_file_is_no_page(archive: Archive) -> None:
    """The file's own description (warcinfo) is not taken for an article."""
    [address] = write(archive, loaded())
    [answer] = archive.read([replace(address, offset=0)])
    assert isinstance(answer, ArticleFailed)


def test_a_missing_file_fails_its_articles_only(archive: Archive) -> None:
    """Where one file is lost, the pages of the others still come."""
    [lost] = write(archive, loaded(body=b"lost"), name="lost")
    [kept] = write(archive, loaded(body=b"kept"), name="kept")
    Path(archive.root, lost.file).unlink()
    answers = list(archive.read([lost, kept, lost]))
    assert [type(answer) for answer in answers] == [ArticleFailed, RawPage, ArticleFailed]
    assert isinstance(answers[0], ArticleFailed)
    assert answers[0].reason is Reason.BROKEN_RECORD
    assert lost.file in answers[0].detail
    assert (archive.exists(lost.file), archive.exists(kept.file)) == (False, True)


def test_a_truncated_file_gives_what_is_whole(archive: Archive) -> None:
    """A file cut off by a crash, at whatever byte, gives every record that was written whole."""
    pages = [loaded(body=b"1"), loaded(body=b"2"), fetched()]
    addresses = write(archive, *pages)
    path = Path(archive.root, addresses[0].file)
    whole = path.read_bytes()
    for end in range(addresses[2].offset, len(whole) - 24):
        path.write_bytes(whole[:end])
        answers = list(archive.read(addresses))
        assert [type(answer) for answer in answers] == [RawPage, RawPage, ArticleFailed], end


def test_scanning_finds_every_page_with_its_address(archive: Archive) -> None:
    """A lost ledger can be rebuilt: each file tells its pages and where they are."""
    pages = [fetched(), loaded(), loaded("/data/x.jsonl", item=2)]
    addresses = write(archive, *pages)
    assert archive.files() == [addresses[0].file]
    found = list(archive.scan(addresses[0].file))
    assert [page.archived for page in found] == addresses
    assert [page.ref for page in found] == [replace(p.ref, archived=a) for p, a in zip(pages, addresses, strict=True)]
    assert list(archive.read(addresses)) == found


def test_files_are_valid_warc(archive: Archive, capsys: pytest.CaptureFixture[str]) -> None:
    """Other tools can read the archive: digests, lengths and record types are as ISO 28500 wants them."""
    addresses = write(archive, fetched(), loaded(), loaded(body=b""))
    path = Path(archive.root, addresses[0].file)
    with pytest.raises(SystemExit) as done:
        warcio(["check", "-v", str(path)])
    said = capsys.readouterr().out
    assert done.value.code in (0, None), said
    assert "fail" not in said.replace("digest pass", "").lower(), said
    with path.open("rb") as stream:
        records = [(r.rec_type, r.rec_headers.get_header("WARC-Target-URI")) for r in ArchiveIterator(stream)]
    assert [kind for kind, _ in records] == ["warcinfo", "response", "resource", "resource"]
    assert records[2][1] == record_uri(loaded()) == "file:///data/news/gr%C3%B6%C3%9Fe%201.txt"


def test_a_record_is_safe_as_soon_as_it_is_written(archive: Archive) -> None:
    """On a disk, what was written can be read before the file is closed: a killed run loses nothing."""
    assert archive.durable_writes
    writer = archive.writer(now=NOON, name="open")
    address = writer.write(loaded())
    [page] = archive.read([address])
    writer.close()
    assert isinstance(page, RawPage)


def test_files_lie_by_day(archive: Archive) -> None:
    """An archive of years stays browsable: a folder for each day, a name that says when."""
    [address] = write(archive, loaded(), name="0001-abc")
    assert address.file == "2026/03/01/news-20260301120000-0001-abc.warc.gz"


def test_the_archive_may_be_an_object_store() -> None:
    """Any fsspec address works as the archive; there, a file counts once it is closed."""
    archive = Archive("memory://news-archive/")
    [address] = write(archive, loaded(body=b"in memory"))
    assert not archive.durable_writes
    assert [page.body for page in archive.read([address]) if isinstance(page, RawPage)] == [b"in memory"]
    assert archive.files() == [address.file]
    assert [page.body for page in archive.scan(address.file)] == [b"in memory"]


def test_a_storage_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    """A full or read-only archive stops the batch with a message that names the place, and work is kept."""
    (tmp_path / "archive").write_text("a file where the folder should be")
    with pytest.raises(ArchiveUnavailableError, match=str(tmp_path / "archive")):
        Archive(str(tmp_path / "archive")).writer(now=NOON, name="x")
