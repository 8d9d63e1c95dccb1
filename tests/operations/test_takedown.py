"""Takedowns: what is forgotten is gone everywhere, stays out, and leaves everything else as it was."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from typing import Any

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem
from installation import Installation, article_page, write_texts
from newsworld.server import NewsServer, Reply

from pipeline.archive import Archive
from pipeline.errors import ArticleFailed, ConfigurationError
from pipeline.models import Mode, RawPage
from pipeline.operations import replay, takedown
from pipeline.operations.erasure import erase, padded_member
from pipeline.run import run_now
from pipeline.schedule import RunRequest
from pipeline.tombstones import tombstone_of

NEWS = "https://dunhaven-post.example/news/"


def pages_in(installation: Installation, numbers: range) -> RunRequest:
    """Ingest HTML pages, saved as files, that state addresses of dunhaven-post.example."""
    folder = installation.root / "pages"
    folder.mkdir(exist_ok=True)
    for number in numbers:
        (folder / f"{number}.html").write_text(article_page(number))
    installation.write_config(sources=f'[[source]]\nid = "desk"\nkind = "folder"\nlocation = "{folder}"\n')
    asked = RunRequest(source_ids=("desk",))
    report = run_now(installation.services(), asked, installation.sources(), kind="news run")
    assert report["outcomes"]["indexed"] == len(numbers)
    return asked


def archived_bytes(installation: Installation) -> bytes:
    """All that the archive holds, decompressed."""
    return b"".join(gzip.decompress(path.read_bytes()) for path in installation.home.glob("archive/**/*.gz"))


def test_an_article_is_gone_everywhere_and_the_others_are_untouched(
    installation: Installation, news: Callable[..., Any]
) -> None:
    """After `news forget URL` neither index nor archive nor ledger holds its text, and all else reads as before."""
    asked = pages_in(installation, range(5))
    services, sources = installation.services(), installation.sources()
    before = installation.documents()
    (gone,) = [id_ for id_, document in before.items() if document["canonical_url"] == f"{NEWS}2"]
    assert b"petition 2" in archived_bytes(installation)
    sizes = [path.stat().st_size for path in installation.home.glob("archive/**/*.gz")]
    done = news("forget", f"{NEWS}2?utm_source=feed", "--yes", "--json")
    assert [article["id"] for article in done["articles"]] == [gone]
    assert done["archive_records_erased"] == 1
    assert installation.documents() == {id_: document for id_, document in before.items() if id_ != gone}
    assert b"petition 2" not in archived_bytes(installation)
    assert b"petition 3" in archived_bytes(installation)
    assert [path.stat().st_size for path in installation.home.glob("archive/**/*.gz")] == sizes
    file = services.archive.files()[0]
    assert len(list(services.archive.scan(file))) == 4
    captures = list(services.ledger.captures())
    assert all(isinstance(page, RawPage) for page in services.archive.read([c.address for c in captures]))
    assert len(captures) == 4
    # It stays out: from its source and from the archive.
    report = run_now(services, asked, sources, kind="news run")
    assert report["reasons"] == {"rejected(forgotten)": 1}
    assert report["outcomes"]["unchanged"] == 4
    run_now(services, RunRequest(source_ids=(), mode=Mode.REEXTRACT), sources, kind="news run")
    assert gone not in installation.documents()
    # Until somebody lets it in again.
    assert news("forget", f"{NEWS}2?utm_source=feed", "--undo", "--json")["lifted"]
    run_now(services, asked, sources, kind="news run")
    assert gone in installation.documents()


def test_forgetting_twice_changes_nothing_more(installation: Installation, news: Callable[..., Any]) -> None:
    """A takedown that was interrupted is finished by giving the command again."""
    pages_in(installation, range(3))
    news("forget", f"{NEWS}1", "--yes")
    documents, archive = installation.documents(), archived_bytes(installation)
    assert news("forget", f"{NEWS}1", "--yes", "--json")["articles"] == []
    assert (installation.documents(), archived_bytes(installation)) == (documents, archive)


def test_a_domain_goes_with_all_its_hosts_and_no_others(installation: Installation, news: Callable[..., Any]) -> None:
    """`news forget DOMAIN` removes what stands on it and below it; a domain that only ends alike stays."""
    folder = installation.root / "pages"
    folder.mkdir()
    hosts = ["dunhaven-post.example", "sport.dunhaven-post.example", "not-dunhaven-post.example"]
    for number, host in enumerate(hosts):
        (folder / f"{number}.html").write_text(article_page(number).replace("dunhaven-post.example", host))
    installation.write_config(sources=f'[[source]]\nid = "desk"\nkind = "folder"\nlocation = "{folder}"\n')
    services, sources = installation.services(), installation.sources()
    run_now(services, RunRequest(source_ids=("desk",)), sources, kind="news run")
    assert len(installation.documents()) == 3
    news("forget", "dunhaven-post.example", "--yes")
    assert [document["site"] for document in installation.documents().values()] == ["not-dunhaven-post.example"]
    run_now(services, RunRequest(source_ids=("desk",)), sources, kind="news run")
    assert len(installation.documents()) == 1


def test_without_yes_it_asks_first(installation: Installation) -> None:
    """Looking up what a takedown would remove changes nothing."""
    pages_in(installation, range(2))
    before = installation.documents()
    found = takedown.look_up(installation.services(), "dunhaven-post.example")
    assert len(found.documents) == len(found.addresses) == 2
    assert installation.documents() == before
    assert not installation.services().ledger.forgotten()


def test_a_copy_at_another_site_takes_the_originals_place(installation: Installation) -> None:
    """Where the forgotten article was the original of others' copies, none of them points at nothing."""
    folder = installation.root / "pages"
    folder.mkdir()
    for number, host in enumerate(["a.example", "b.example", "c.example"]):
        (folder / f"{number}.html").write_text(article_page(7).replace("dunhaven-post.example", host))
    installation.write_config(sources=f'[[source]]\nid = "desk"\nkind = "folder"\nlocation = "{folder}"\n')
    services = installation.services()
    run_now(services, RunRequest(source_ids=("desk",)), installation.sources(), kind="news run")
    original = next(d for d in installation.documents().values() if "duplicate_of" not in d)
    takedown.forget(services, takedown.look_up(services, original["canonical_url"]))
    left = installation.documents()
    assert len(left) == 2
    originals = [id_ for id_, document in left.items() if "duplicate_of" not in document]
    assert [document["duplicate_of"] for document in left.values() if "duplicate_of" in document] == originals


def test_a_file_and_its_quarantine_entry_are_forgotten(installation: Installation) -> None:
    """Files are taken down by their path; what failed and stands in quarantine goes too."""
    folder = write_texts(installation.root / "desk", range(2))
    (folder / "empty.html").write_text("<html><body>" + "x" * 10)
    with NewsServer() as server:
        url = server.on("/news/story-1.html", Reply(status=503, body=b"down"))
        (installation.root / "urls.txt").write_text(url)
        installation.write_config(
            sources=f'[[source]]\nid = "desk"\nkind = "folder"\nlocation = "{folder}"\n'
            f'[[source]]\nid = "web"\nkind = "urls"\nlocation = "{installation.root / "urls.txt"}"\n',
            settings="[fetch]\nattempts = 1\n",
        )
        services, sources = installation.services(), installation.sources()
        run_now(services, RunRequest(source_ids=("desk", "web")), sources, kind="news run")
    assert len(replay.entries(services)) == 1
    takedown.forget(services, takedown.look_up(services, url))
    assert replay.entries(services) == []
    path = str(folder / "00001.txt")
    takedown.forget(services, takedown.look_up(services, path))
    (left,) = installation.documents().values()
    assert left["path"].endswith("00000.txt")
    report = run_now(services, RunRequest(source_ids=("desk",)), sources, kind="news run")
    assert report["reasons"]["rejected(forgotten)"] == 1


def test_a_running_batch_does_not_bring_it_back(installation: Installation) -> None:
    """What was planned before the takedown ends as rejected(forgotten) and is not fetched."""
    from pipeline.run import finish_run, plan_run, process_batch

    folder = write_texts(installation.root / "desk", range(3))
    installation.write_config(sources=f'[[source]]\nid = "desk"\nkind = "folder"\nlocation = "{folder}"\n')
    services, sources = installation.services(), installation.sources()
    plan_run(services, "r", RunRequest(source_ids=("desk",)), sources, kind="news run")
    takedown.forget(services, takedown.look_up(services, str(folder / "00001.txt")))
    process_batch(services, "r", 0, sources=sources)
    assert finish_run(services, "r")["reasons"] == {"rejected(forgotten)": 1}
    assert b"petition 1 " not in archived_bytes(installation)


def test_erasing_works_on_an_object_store(installation: Installation) -> None:
    """On storage that only takes whole objects the same record goes and the others keep their addresses."""
    folder = write_texts(installation.root / "desk", range(3))
    installation.write_config(sources=f'[[source]]\nid = "desk"\nkind = "folder"\nlocation = "{folder}"\n')
    services = installation.services()
    run_now(services, RunRequest(source_ids=("desk",)), installation.sources(), kind="news run")
    captures = list(services.ledger.captures())
    memory = fsspec.filesystem("memory")
    assert isinstance(memory, MemoryFileSystem)
    file = services.archive.files()[0]
    memory.pipe(f"/bucket/{file}", (installation.home / "archive" / file).read_bytes())
    try:
        store = Archive("memory://bucket")
        assert erase(store, [captures[1].address]) == 1
        assert erase(store, [captures[1].address]) == 0
        answers = list(store.read([capture.address for capture in captures]))
        assert [isinstance(answer, ArticleFailed) for answer in answers] == [False, True, False]
    finally:
        memory.rm("/bucket", recursive=True)


@pytest.mark.parametrize("length", [300, 1000, 200_000])
def test_the_member_that_takes_a_records_place_has_its_length(length: int) -> None:
    """Whatever its length, it is one gzip member that decompresses to an empty WARC record."""
    member = padded_member(length)
    assert len(member) == length
    assert gzip.decompress(member).startswith(b"WARC/1.1\r\nWARC-Type: metadata")


@pytest.mark.parametrize(
    "what", ["", "localhost", "paper.example/story", "ftp://paper.example/x", "http://", "a b.example"]
)
def test_what_is_neither_url_nor_domain_is_refused(what: str) -> None:
    """A slip of the pen takes nothing down."""
    with pytest.raises(ConfigurationError):
        tombstone_of(what)
