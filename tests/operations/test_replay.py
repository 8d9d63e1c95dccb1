"""The quarantine: what failed is tried again, and leaves once it has succeeded."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from installation import Installation, article_page
from newsworld.server import NewsServer, Reply

from pipeline.errors import Reason
from pipeline.index.quarantine import Entry
from pipeline.models import ArchiveAddress, ArticleRef
from pipeline.operations import replay
from pipeline.run import run_now
from pipeline.schedule import RunRequest
from pipeline.settings import QuarantineSettings

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def entry(name: str = "https://paper.example/1", attempts: int = 1, **fields: object) -> Entry:
    known: dict[str, object] = {
        "ref": ArticleRef(source_id="paper", url=name),
        "stage": "extract",
        "reason": Reason.EXTRACT_ERROR,
        "message": "no",
        "last_failed_at": NOON,
        "run_id": "r",
        "command": "news ingest x",
    }
    return Entry(attempts=attempts, **{**known, **fields})  # type: ignore[arg-type]


def test_pauses_grow_and_end() -> None:
    """One hour, four, sixteen …; after the last attempt nothing is retried by itself."""
    settings = QuarantineSettings(attempts=4)
    waits = [replay.next_retry_at(entry(attempts=n), settings) for n in (1, 2, 3, 4, 5)]
    assert waits == [NOON + timedelta(hours=1), NOON + timedelta(hours=4), NOON + timedelta(hours=16), None, None]


def test_only_what_is_due_is_retried_the_longest_waiting_first() -> None:
    """A retry takes as many entries as it may, and none before its time."""
    settings = QuarantineSettings(articles=2)
    found = [entry("a"), entry("b", last_failed_at=NOON - timedelta(hours=3)), entry("c", attempts=3), entry("d")]
    due = replay.due_entries(found, settings, NOON + timedelta(hours=2))
    assert due[0].ref.url == "b"
    assert len(due) == 2
    assert replay.due_entries(found, settings, NOON - timedelta(hours=3)) == []


def test_what_was_archived_is_replayed_from_there() -> None:
    """A page that came but could not be read is not asked for again."""
    address = ArchiveAddress(file="f", offset=1, digest="d")
    assert replay.references([entry(archived=address)])[0].archived == address


def test_a_page_that_failed_is_retried_when_due_and_leaves_once_it_succeeds(
    installation: Installation, news: Callable[..., Any]
) -> None:
    """A site that was down: each failure counts; up again, the article is indexed and the quarantine empty."""
    with NewsServer() as server:
        down = Reply(status=503, body=b"down")
        url = server.on("/news/story-1.html", down)
        (installation.root / "urls.txt").write_text(url)
        installation.write_config(
            sources=f'[[source]]\nid = "paper"\nkind = "urls"\nlocation = "{installation.root / "urls.txt"}"\n',
            settings="[fetch]\nattempts = 1\n",
        )
        sources = installation.sources()

        def at(hours: float) -> replay.Services:
            return installation.services(now=lambda: NOON + timedelta(hours=hours))

        run_now(at(0), RunRequest(source_ids=("paper",)), sources, kind="news run")
        (failed,) = replay.entries(at(0))
        assert (failed.attempts, failed.reason) == (1, Reason.HTTP_5XX)
        assert replay.retry_due(at(0.5), sources) is None
        report = replay.retry_due(at(1.5), sources)
        assert report is not None
        assert report["outcomes"]["failed"] == 1
        (failed,) = replay.entries(at(1.5))
        assert (failed.attempts, failed.first_failed_at) == (2, NOON)
        assert replay.retry_due(at(3), sources) is None
        server.on("/news/story-1.html", article_page(1).encode())
        shutil.rmtree(installation.home / "politeness")  # the host has rested long enough
        # The command tries again whatever the pause.
        shown = news("quarantine", "list", "--reason", "http_5xx", "--source", "paper", "--json")
        assert [item["name"] for item in shown] == [url]
        assert news("quarantine", "show", url, "--json")[0]["attempts"] == 2
        report = news("quarantine", "retry", "--all", "--json")
        assert report["outcomes"]["indexed"] == 1
        assert news("quarantine", "list", "--json") == []
    assert len(installation.documents()) == 1


def test_a_usual_run_that_succeeds_empties_the_quarantine_too(installation: Installation) -> None:
    """However an article gets in, its old failure is forgotten."""
    with NewsServer() as server:
        url = server.on("/news/story-1.html", Reply(status=503, body=b"down"))
        (installation.root / "urls.txt").write_text(url)
        installation.write_config(
            sources=f'[[source]]\nid = "paper"\nkind = "urls"\nlocation = "{installation.root / "urls.txt"}"\n',
            settings="[fetch]\nattempts = 1\n",
        )
        services, sources = installation.services(), installation.sources()
        run_now(services, RunRequest(source_ids=("paper",)), sources, kind="news run")
        assert len(replay.entries(services)) == 1
        server.on("/news/story-1.html", article_page(1).encode())
        run_now(services, RunRequest(source_ids=("paper",)), sources, kind="news run")
    assert replay.entries(services) == []
