"""A ledger that is lost: what the archive gives back."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from installation import Installation, article_page, write_texts
from newsworld.server import NewsServer, Reply, Seen

from pipeline.ledger import Capture, Ledger
from pipeline.models import Mode
from pipeline.operations.backfill import backfill_now
from pipeline.run import run_now
from pipeline.schedule import RunRequest, parse_window

DAY = datetime(2025, 11, 20, tzinfo=UTC)


def captures(ledger: Ledger) -> list[Capture]:
    return [capture for name in sorted(ledger.names_like("")) for capture in ledger.captures_of([name])]


def what_they_say(installation: Installation) -> dict[str, list[Any]]:
    """What the articles say; of revisions only the index knew."""
    fields = ("headline", "body", "language", "content_hash", "url", "source")
    return {id_: [document.get(field) for field in fields] for id_, document in installation.documents().items()}


def paper(server: NewsServer, version: str) -> str:
    """A paper whose one story has this version; a feed of it."""

    def story(seen: Seen) -> Reply:
        tag = f'"{version}"'
        if seen.headers.get("if-none-match") == tag:
            return Reply(status=304, headers={"etag": tag})
        return Reply(body=article_page(1, words=version).encode(), headers={"etag": tag})

    server.on("/news/story-1.html", story)
    item = f"<item><title>{version}</title><link>/news/story-1.html</link></item>"
    return server.on("/feed.xml", f'<rss version="2.0"><channel><title>t</title>{item}</channel></rss>'.encode())


def test_a_lost_ledger_comes_back_from_the_archive(installation: Installation, news: Callable[..., Any]) -> None:
    """After `news ledger rebuild` the captures are those of before, in their order, nothing is fetched or archived
    twice, and the index can be made anew."""
    folder = write_texts(installation.root / "desk", range(3))
    request = RunRequest(source_ids=("desk", "paper"))
    with NewsServer() as server:
        feed = paper(server, "The first version.")
        installation.write_config(
            sources=f'[[source]]\nid = "desk"\nkind = "folder"\nlocation = "{folder}"\n'
            f'[[source]]\nid = "paper"\nkind = "feed"\nlocation = "{feed}"\n'
        )
        sources = installation.sources()
        run_now(installation.services(now=lambda: DAY), request, sources, kind="news run")
        paper(server, "The second version.")
        second = installation.services(now=lambda: DAY + timedelta(days=2))
        run_now(second, request, sources, kind="news run")
        before, content, files = captures(second.ledger), what_they_say(installation), second.archive.files()
        assert len(before) == 5
        (installation.home / "ledger.sqlite").unlink()

        # Somebody runs the schedule before the ledger is made anew.
        late = write_texts(installation.root / "desk", [7])
        run_now(installation.services(), RunRequest(source_ids=("desk",)), sources, kind="news run")
        (late / "00007.txt").unlink()
        found = news("ledger", "rebuild", "--json")
        assert found["damaged"] == []
        services = installation.services()
        later = {capture.address for capture in captures(services.ledger)} - {capture.address for capture in before}
        assert [capture for capture in captures(services.ledger) if capture.address not in later] == before
        names = [capture.ref.name for capture in before]
        newest = services.ledger.latest_captures(names)
        assert newest[server.url("/news/story-1.html")].captured_at == DAY + timedelta(days=2)
        assert newest[server.url("/news/story-1.html")].etag == '"The second version."'

        asked = len(server.paths())
        services.states.forget("paper")
        again = run_now(services, request, sources, kind="news run", fetch_again=True)
        assert again["outcomes"]["unchanged"] == 4
        assert len(server.paths()) - asked <= 2  # the feed, and the page that says it is the same
    assert {file for file in services.archive.files() if file not in files} == {address.file for address in later}

    installation.delete_articles()
    everything = RunRequest(source_ids=("desk", "paper"), window=parse_window("2020-01-01", None), mode=Mode.REEXTRACT)
    backfill_now(services, everything, sources)
    made = what_they_say(installation)
    assert {id_: made[id_] for id_ in content} == content
    assert news("ledger", "rebuild", "--json") == {**found, "gone": 0}  # safe to repeat


def test_a_damaged_file_is_named_and_what_is_whole_is_kept(
    installation: Installation, news: Callable[..., Any]
) -> None:
    """Damage in one file costs nothing of the others, nor what the ledger still knows behind it; and it is said."""
    for number in range(2):
        folder = write_texts(installation.root / f"desk{number}", range(number * 10, number * 10 + 3))
        installation.write_config(sources=f'[[source]]\nid = "desk"\nkind = "folder"\nlocation = "{folder}"\n')
        services = installation.services()
        run_now(services, RunRequest(source_ids=("desk",)), installation.sources(), kind="news run")
    first, second = services.archive.files()
    damaged = installation.home / "archive" / first
    offset = sorted(capture.address.offset for capture in services.ledger.captures_in(first))[1]
    content = bytearray(damaged.read_bytes())
    content[offset : offset + 20] = b"\0" * 20
    damaged.write_bytes(content)
    before = captures(services.ledger)
    found = news("ledger", "rebuild", "--json", code=1)
    assert (found["files"], found["gone"]) == (2, 0)
    assert first in found["damaged"][0]
    assert captures(services.ledger) == before
    (installation.home / "ledger.sqlite").unlink()
    assert news("ledger", "rebuild", "--json", code=1)["captures"] == 4
    services.archive._filesystem.rm(str(installation.home / "archive" / second))
    assert news("ledger", "rebuild", "--json", code=1) | {"damaged": []} == {
        "files": 1, "captures": 1, "gone": 3, "damaged": [],
    }  # fmt: skip
