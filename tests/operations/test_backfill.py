"""Backfills: the past is brought back, the present left alone."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock
from installation import Installation, article_page, write_texts
from newsworld.server import NewsServer

from pipeline.errors import ConfigurationError, IndexUnavailableError
from pipeline.index.templates import Names
from pipeline.models import ArticleRef, Mode, Window
from pipeline.operations import backfill
from pipeline.operations.backfill import backfill_now, politeness_seconds, preview
from pipeline.run import Services, plan_run, process_batch, run_now
from pipeline.schedule import RunRequest, request_from_conf

NOVEMBER = Window(since=datetime(2025, 11, 1, tzinfo=UTC), until=datetime(2025, 12, 1, tzinfo=UTC))
EVER = Window(since=datetime(1990, 1, 1, tzinfo=UTC), until=datetime(2100, 1, 1, tzinfo=UTC))


def folder_of(installation: Installation, count: int = 6) -> Path:
    """A folder source ``desk`` whose first half was written in November and whose second in December 2025."""
    folder = write_texts(installation.root / "desk", range(count))
    for number, path in enumerate(sorted(folder.iterdir())):
        month = 11 if number < count // 2 else 12
        moment = datetime(2025, month, 10 + number, tzinfo=UTC).timestamp()
        os.utime(path, (moment, moment))
    installation.write_config(sources=f'[[source]]\nid = "desk"\nkind = "folder"\nlocation = "{folder}"\n')
    return folder


def request(mode: Mode, window: Window = NOVEMBER, *sources: str) -> RunRequest:
    return RunRequest(source_ids=sources or ("desk",), window=window, mode=mode)


def names(services: Services, report: dict[str, Any]) -> set[str]:
    return {Path(entry.ref.name).name for entry in services.ledger.results(report["run_id"])}


def test_refetch_takes_what_the_source_names_in_the_span_and_twice_changes_nothing(installation: Installation) -> None:
    """A backfill of November brings November's articles and no others; run again, the index stays as it is."""
    folder_of(installation)
    services, sources = installation.services(), installation.sources()
    first = backfill_now(services, request(Mode.REFETCH), sources)
    assert first["outcomes"]["indexed"] == 3
    assert names(services, first) == {"00000.txt", "00001.txt", "00002.txt"}
    before = installation.documents()
    second = backfill_now(services, request(Mode.REFETCH), sources)
    assert second["outcomes"]["unchanged"] == 3
    assert installation.documents() == before
    assert len(services.archive.files()) == 1  # the same bytes aren't archived twice


def test_reextract_repeats_the_captures_of_the_span(installation: Installation) -> None:
    """Mode reextract brings an index that was lost back from the archive, and fetches nothing."""
    folder = folder_of(installation)
    moments = iter([datetime(2025, 11, 20, tzinfo=UTC)])
    then = installation.services(now=lambda: next(moments, datetime(2025, 11, 20, 1, tzinfo=UTC)))
    run_now(then, RunRequest(source_ids=("desk",)), installation.sources(), kind="news run")
    content = installation.content()
    installation.delete_articles()
    for path in folder.iterdir():
        path.unlink()
    services, sources = installation.services(), installation.sources()
    october = Window(since=NOVEMBER.since - timedelta(days=31), until=NOVEMBER.since)
    assert backfill_now(services, request(Mode.REEXTRACT, october), sources)["discovered"] == 0
    report = backfill_now(services, request(Mode.REEXTRACT), sources)
    assert report["outcomes"]["indexed"] == 6
    assert installation.content() == content


@pytest.mark.parametrize("mode", [Mode.REENRICH, Mode.REINDEX])
def test_stored_articles_are_made_anew_and_keep_when_they_were_first_seen(
    installation: Installation, mode: Mode
) -> None:
    """A changed document is put right from its record; first_seen_at survives, and so do revisions."""
    folder_of(installation)
    services, sources = installation.services(), installation.sources()
    run_now(services, RunRequest(source_ids=("desk",)), sources, kind="news run")
    before = installation.documents()
    id_, damaged = next(iter(before.items()))
    services.elasticsearch.update(
        index=damaged["_index"],
        id=id_,
        doc={"headline": "not what the page says", "document_hash": "other", "revisions": [{"headline": "older"}]},
        refresh=True,
    )
    report = backfill_now(services, request(mode, EVER), sources)
    assert report["outcomes"]["updated"] == 1
    assert report["outcomes"]["unchanged"] == 5
    after = installation.documents()
    assert after[id_]["headline"] == damaged["headline"]
    assert after[id_]["first_seen_at"] == damaged["first_seen_at"]
    assert after[id_]["revisions"] == [{"headline": "older"}]


def test_an_older_record_never_replaces_a_newer_article(installation: Installation) -> None:
    """Reextracting last month's capture of a page leaves this month's article in the index as it is."""
    with NewsServer() as server:
        url = server.on("/news/story-1.html", article_page(1).encode())
        installation.write_config(
            sources=f'[[source]]\nid = "desk"\nkind = "urls"\nlocation = "{url_list(installation, url)}"\n'
        )
        sources = installation.sources()
        november, december = datetime(2025, 11, 20, tzinfo=UTC), datetime(2025, 12, 20, tzinfo=UTC)
        run_now(installation.services(now=lambda: november), RunRequest(source_ids=("desk",)), sources, kind="news run")
        server.on("/news/story-1.html", article_page(1, words="The mayor has resigned since.").encode())
        run_now(installation.services(now=lambda: december), RunRequest(source_ids=("desk",)), sources, kind="news run")
    newest = installation.documents()
    assert "resigned" in next(iter(newest.values()))["body"]
    report = backfill_now(installation.services(), request(Mode.REEXTRACT), sources)
    assert report["outcomes"]["unchanged"] == 1
    assert installation.documents() == newest


def url_list(installation: Installation, *urls: str) -> Path:
    path = installation.root / "urls.txt"
    path.write_text("\n".join(urls))
    return path


def test_a_source_that_forgets_is_noted_and_the_archive_used(installation: Installation) -> None:
    """A list of URLs can't say what it named in November: the report says so, and the archive's captures are used."""
    with NewsServer() as server:
        url = server.on("/news/story-1.html", article_page(1).encode())
        listed = url_list(installation, url)
        installation.write_config(sources=f'[[source]]\nid = "desk"\nkind = "urls"\nlocation = "{listed}"\n')
        sources = installation.sources()
        then = installation.services(now=lambda: datetime(2025, 11, 20, tzinfo=UTC))
        run_now(then, RunRequest(source_ids=("desk",)), sources, kind="news run")
        asked = len(server.paths())
        report = backfill_now(installation.services(), request(Mode.REFETCH), sources)
        assert report["discovered"] == 1
        assert len(server.paths()) == asked
    assert report["status"] == "succeeded"
    assert report["notes"][0]["source"] == "desk"
    assert "no dates" in report["notes"][0]["message"]


def test_a_feed_is_asked_as_far_back_as_it_leads_and_the_archive_for_the_rest(installation: Installation) -> None:
    """November comes from a feed's archive document; where the feed leads to none, from the captures of November."""

    def feed(number: int, day: str, link: str = "", mark: str = "") -> bytes:
        return (
            '<feed xmlns="http://www.w3.org/2005/Atom" xmlns:fh="http://purl.org/syndication/history/1.0">'
            f'{mark}{link}<entry><title>Story</title><link href="/news/story-{number}.html"/>'
            f"<updated>{day}T08:00:00Z</updated></entry></feed>"
        ).encode()

    with NewsServer() as server:
        for number in range(3):
            server.on(f"/news/story-{number}.html", article_page(number).encode())
        server.on("/old/2", feed(1, "2025-11-20", '<link rel="prev-archive" href="/old/1"/>', "<fh:archive/>"))
        server.on("/old/1", feed(0, "2025-10-20", mark="<fh:archive/>"))
        location = server.on("/feed", feed(2, "2025-11-24", '<link rel="prev-archive" href="/old/2"/>'))
        installation.write_config(sources=f'[[source]]\nid = "desk"\nkind = "feed"\nlocation = "{location}"\n')
        sources = installation.sources()
        services = installation.services(now=lambda: datetime(2025, 11, 25, tzinfo=UTC))
        previewed = preview(services, request(Mode.REFETCH), sources)
        assert [(line.day, line.requested) for line in previewed.lines] == [("2025-11-20", 1), ("2025-11-24", 1)]
        assert "desk: read back to 2025-10-20 through 3 documents" in previewed.notes
        report = backfill_now(services, request(Mode.REFETCH), sources)
        assert names(services, report) == {"story-1.html", "story-2.html"}
        assert "read back to 2025-10-20" in report["notes"][0]["message"]
        server.on("/feed", feed(2, "2025-11-24"))
        later = backfill_now(installation.services(), request(Mode.REFETCH), sources)
    assert names(services, later) == {"story-1.html", "story-2.html"}
    assert "can't be asked for all of the span" in later["notes"][0]["message"]


def test_a_backfill_leaves_the_sources_progress_and_the_live_work_alone(installation: Installation) -> None:
    """A feed's state is the same after a backfill, and the next live run takes over nothing that it left undone."""
    with NewsServer() as server:
        story = server.on("/news/story-1.html", article_page(1).encode())
        item = f"<item><title>Story</title><link>{story}</link><pubDate>Thu, 20 Nov 2025 08:00:00 GMT</pubDate></item>"
        feed = server.on("/feed.xml", f'<rss version="2.0"><channel><title>t</title>{item}</channel></rss>'.encode())
        installation.write_config(sources=f'[[source]]\nid = "desk"\nkind = "feed"\nlocation = "{feed}"\n')
        services, sources = installation.services(), installation.sources()
        record = plan_run(services, "b1", request(Mode.REFETCH), sources, kind=backfill.KIND)
        assert record.discovered == 1
        services.ledger.finish_run("b1", {}, now=services.now())
        without_span = RunRequest(source_ids=("desk",), mode=Mode.REFETCH)
        assert plan_run(services, "b0", without_span, sources, kind=backfill.KIND).discovered == 1
        assert not list((installation.home / "sources").glob("*"))
        live = plan_run(services, "live", RunRequest(source_ids=("desk",)), sources, kind="news run")
        assert live.discovered == 1
        assert services.ledger.history(name=story)[0].taken_over_by is None
        # Nor does a backfill do what a live run has left.
        services.ledger.finish_run("live", {}, now=services.now())
        october = Window(since=NOVEMBER.since - timedelta(days=31), until=NOVEMBER.since)
        second = plan_run(services, "b2", request(Mode.REFETCH, october), sources, kind=backfill.KIND)
        assert second.discovered == 0


def test_a_stopped_backfill_goes_on_where_it_stopped(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped between two batches, the same command finishes the same run and repeats none of its articles."""
    folder_of(installation, 8)
    installation.write_config(
        sources=(installation.project / "config" / "sources.toml").read_text(), settings="[ingest]\nbatch_size = 2\n"
    )
    services, sources = installation.services(), installation.sources()
    worked: list[int] = []

    def stopping(services: Services, run_id: str, batch: int, **options: Any) -> Any:
        if len(worked) == 1:
            raise KeyboardInterrupt
        worked.append(batch)
        return process_batch(services, run_id, batch, **options)

    monkeypatch.setattr(backfill, "process_batch", stopping)
    with pytest.raises(KeyboardInterrupt):
        backfill_now(services, request(Mode.REFETCH), sources)
    monkeypatch.setattr(backfill, "process_batch", process_batch)
    planned: list[int] = []
    report = backfill_now(services, request(Mode.REFETCH), sources, planned=planned.append)
    assert planned == [4]
    assert report["outcomes"]["indexed"] == 4
    assert len(services.ledger.runs()) == 1


def test_a_backfill_waits_for_elasticsearch_with_its_work_kept(installation: Installation) -> None:
    """With Elasticsearch away the command fails and keeps its work; given again it ends with everything indexed."""
    folder_of(installation)
    sources = installation.sources()
    nobody = {
        **installation.environment,
        "ELASTICSEARCH_URL": "http://127.0.0.1:9",
        "NEWS_INGEST__INDEX_WAIT_SECONDS": "0",
    }
    from pipeline.settings import load_settings

    with pytest.raises(IndexUnavailableError):
        backfill_now(Services(settings=load_settings(nobody)), request(Mode.REFETCH), sources)
    report = backfill_now(installation.services(), request(Mode.REFETCH), sources)
    assert report["outcomes"]["indexed"] == 3
    assert report["balanced"]


def test_the_same_backfill_does_not_run_twice_at_once(installation: Installation) -> None:
    """Somebody who starts a backfill that runs already is told so."""
    folder_of(installation)
    services = installation.services()
    asked = request(Mode.REFETCH)
    (installation.home / "backfills").mkdir(parents=True)
    with (
        FileLock(installation.home / "backfills" / f"{backfill._key(asked.as_dict())}.lock"),
        pytest.raises(ConfigurationError, match="running already"),
    ):
        backfill_now(services, asked, installation.sources())


def test_a_preview_counts_by_source_and_day_and_writes_nothing(installation: Installation) -> None:
    """The preview says what is archived, indexed and would be requested, and leaves ledger, archive, index alone."""
    folder_of(installation)
    with NewsServer() as server:
        urls = [server.url(f"/news/story-{number}.html") for number in range(3)]
        entries = "".join(
            f"<url><loc>{url}</loc><lastmod>2025-11-1{n}T08:00:00Z</lastmod></url>" for n, url in enumerate(urls)
        )
        sitemap = server.on(
            "/sitemap.xml", f'<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">{entries}</urlset>'.encode()
        )
        config = installation.project / "config" / "sources.toml"
        paper = f'[[source]]\nid = "paper"\nkind = "sitemap"\nlocation = "{sitemap}"\ndelay_seconds = 7\n'
        installation.write_config(sources=f"{config.read_text()}\n{paper}")
        services, sources = installation.services(), installation.sources()
        then = installation.services(now=lambda: datetime(2025, 11, 20, 12, tzinfo=UTC))
        run_now(then, request(Mode.REFETCH), sources, kind="news run")
        runs, files, states = (
            len(services.ledger.runs()),
            services.archive.files(),
            list(installation.home.glob("sources/*")),
        )
        found = preview(services, request(Mode.REFETCH, NOVEMBER, "desk", "paper"), sources)
    by_day = {(line.source, line.day): line for line in found.lines}
    assert by_day["desk", "2025-11-20"].archived == 3
    assert sum(line.indexed for line in found.lines if line.source == "desk") == 3
    assert by_day["paper", "2025-11-11"].requested == 1
    assert found.requests == 3  # the folder's files cost none
    assert found.fetch_seconds == 21  # three requests to one host
    assert "21" in found.as_text()
    assert json.dumps(found.as_dict())
    assert (len(services.ledger.runs()), services.archive.files()) == (runs, files)
    assert list(installation.home.glob("sources/*")) == states
    assert services.elasticsearch.count(index=Names(services.prefix).articles)["count"] == 3


def test_politeness_is_counted_by_registered_domain() -> None:
    """Hosts of one owner wait for each other; owners are asked side by side."""
    refs = [
        ArticleRef(source_id="a", url="https://www.one.example/1"),
        ArticleRef(source_id="a", url="https://m.one.example/2"),
        ArticleRef(source_id="b", url="https://two.example/1"),
        ArticleRef(source_id="b", path="/no/request"),
        ArticleRef(source_id="b", url="https://two.example/2", path="/crawl.warc.gz", item=9),
    ]
    assert politeness_seconds(refs, {"b": 30}, default=5, max_hosts=64) == 30
    assert politeness_seconds(refs, {"b": 30}, default=5, max_hosts=1) == 40
    assert politeness_seconds([], {}, default=5, max_hosts=1) == 0


def test_the_form_takes_the_modes_and_nothing_else(installation: Installation) -> None:
    """A DAG run's configuration with an unknown mode or key is refused, with what is allowed."""
    folder_of(installation)
    sources = installation.sources()
    made = request_from_conf({"mode": "reindex"}, sources, default_source_ids=("desk",), backfill_interval=NOVEMBER)
    assert (made.mode, made.window, made.only_due) == (Mode.REINDEX, NOVEMBER, False)
    assert request_from_conf({"mode": ""}, sources, default_source_ids=("desk",)).mode is None
    with pytest.raises(ConfigurationError, match="refetch, reextract, reenrich, reindex"):
        request_from_conf({"mode": "rewind"}, sources, default_source_ids=("desk",))
    with pytest.raises(ConfigurationError, match="unknown key"):
        request_from_conf({"from_archive": True}, sources, default_source_ids=("desk",))


def test_the_command_previews_runs_and_refuses_what_it_cannot_mean(
    installation: Installation, news: Callable[..., Any]
) -> None:
    """`news backfill` takes all enabled sources unless some are named; what is wrong it says before it starts."""
    folder_of(installation)
    span = ("--from", "2025-11-01", "--to", "2025-12-01")
    found = news("backfill", *span, "--preview", "--json")
    assert (found["work"], found["requests"]) == (3, 0)  # files cost no request
    assert news("backfill", *span, "--source", "desk", "--json")["outcomes"]["indexed"] == 3
    again = news("backfill", *span, "--mode", "reindex", "--json")
    assert again["discovered"] == 0  # the articles are dated by when they were first seen, not in November
    assert "articles to work on" in news("backfill", *span, "--preview")
    with pytest.raises(ConfigurationError, match="no source 'dsk'"):
        news("backfill", *span, "--source", "dsk")
    news("backfill", "--source", "desk", code=2)
    news("backfill", *span, "--mode", "rewind", code=2)
