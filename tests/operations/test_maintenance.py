"""Rollover and retention: indices stay of a size, what is too old goes, and nothing else does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from elasticsearch import ApiError
from full_cluster import FullClusterStandIn
from installation import Installation, article_page, write_texts

from pipeline.errors import NewsError
from pipeline.operations import maintenance
from pipeline.run import run_now
from pipeline.schedule import RunRequest
from pipeline.settings import IndexSettings, RetentionSettings

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def dated_pages(installation: Installation, source: str, dates: list[str]) -> str:
    folder = installation.root / source
    folder.mkdir()
    for number, day in enumerate(dates):
        page = article_page(number + 100 * len(source)).replace("dunhaven-post.example", f"{source}.example")
        stated = f'<meta property="article:published_time" content="{day}T08:00:00Z"></head>'
        (folder / f"{number}.html").write_text(page.replace("</head>", stated))
    return f'[[source]]\nid = "{source}"\nkind = "folder"\nlocation = "{folder}"\n'


def ingest(installation: Installation, *sources: str) -> dict[str, Any]:
    services = installation.services(now=lambda: NOW)
    return run_now(services, RunRequest(source_ids=sources), installation.sources(), kind="news run")


def test_a_family_that_has_grown_is_rolled_over_and_stays_searchable(installation: Installation) -> None:
    """Beyond its size an index is followed by a new one; old and new articles are found, each once, and updated."""
    folder = write_texts(installation.root / "desk", range(6))
    installation.write_config(
        sources=f'[[source]]\nid = "desk"\nkind = "folder"\nlocation = "{folder}"\n',
        settings="[index]\nrollover_documents = 5\n",
    )
    ingest(installation, "desk")
    done = maintenance.maintain(installation.services())
    assert done["rolled_over"] == [f"{installation.prefix}-en-000002"]
    assert maintenance.maintain(installation.services())["rolled_over"] == []
    write_texts(folder, range(6, 9))
    report = ingest(installation, "desk")
    assert (report["outcomes"]["indexed"], report["outcomes"]["unchanged"]) == (3, 6)
    documents = installation.documents()
    assert len(documents) == 9
    assert {d["_index"][-6:] for d in documents.values()} == {"000001", "000002"}


def test_articles_leave_by_age_and_source_and_do_not_come_back(installation: Installation) -> None:
    """Each source has its own retention; what was deleted for its age is rejected when the source names it again."""
    old, new = "2025-06-01", "2026-02-20"
    sources = "".join(dated_pages(installation, name, [old, new]) for name in ("short", "keeper", "other1"))
    installation.write_config(sources=sources)
    ingest(installation, "short", "keeper", "other1")
    assert len(installation.documents()) == 6
    # short: 30 days, keeper: for ever, the others: 400 days.
    installation.write_config(
        sources=sources, settings="[retention]\ndays = 400\n[retention.sources]\nshort = 30\nkeeper = 0\n"
    )
    services = installation.services(now=lambda: NOW)
    assert maintenance.maintain(services)["articles_deleted"] == 1
    left = sorted((d["source"]["id"], d["published_at"][:10]) for d in installation.documents().values())
    assert left == [("keeper", old), ("keeper", new), ("other1", old), ("other1", new), ("short", new)]
    report = ingest(installation, "short", "keeper", "other1")
    assert report["reasons"] == {"rejected(excluded)": 1}
    assert len(installation.documents()) == 5
    assert maintenance.maintain(services)["articles_deleted"] == 0


def test_nothing_is_deleted_unless_a_setting_says_so(installation: Installation) -> None:
    """With the settings as shipped, maintenance touches neither articles nor archive nor reports."""
    installation.write_config(sources=dated_pages(installation, "desk", ["1999-01-01"]))
    ingest(installation, "desk")
    services = installation.services(now=lambda: NOW + timedelta(days=4000))
    done = maintenance.maintain(services)
    assert (done["articles_deleted"], done["archive_files_deleted"], done["run_reports_deleted"]) == (0, [], 0)
    assert len(installation.documents()) == 1
    assert len(services.archive.files()) == 1


def test_the_archive_keeps_what_an_article_needs(installation: Installation) -> None:
    """An old WARC file goes only with its own setting, and only when no article in the index was made from it."""
    installation.write_config(
        sources=dated_pages(installation, "desk", ["2026-02-20"]),
        settings="[retention]\narchive_days = 30\nrun_days = 5\n",
    )
    ingest(installation, "desk")
    later = installation.services(now=lambda: NOW + timedelta(days=60))
    done = maintenance.maintain(later)
    assert done["archive_files_deleted"] == []
    assert done["run_reports_deleted"] == 1
    installation.delete_articles()
    assert len(maintenance.maintain(later)["archive_files_deleted"]) == 1
    assert later.archive.files() == []
    assert list(later.ledger.captures()) == []


def test_what_a_cluster_lacks_is_said(installation: Installation, news: Callable[..., Any]) -> None:
    """On a node without ILM the rollover is done here; a snapshot repository that isn't there is a note, no crash."""
    installation.write_config(settings='[retention]\nsnapshot_repository = "backups"\n')
    done = news("index", "maintain", "--json")
    assert done["lifecycle"].startswith("not available")
    assert done["snapshot"].startswith("not taken")


def test_a_full_cluster_rolls_over_by_itself_and_takes_snapshots(installation: Installation) -> None:
    """Where there is ILM each family's index gets a policy with our limits, and nothing is rolled over here; the day's
    snapshot is started once, holds our indices only, and its name is one that a cluster takes."""
    sources = dated_pages(installation, "paper", ["2026-01-01", "2026-01-02"])
    limits = "[index]\nrollover_documents = 1\nrollover_days = 30\n"
    installation.write_config(sources, f'{limits}[retention]\nsnapshot_repository = "backups"\n')
    ingest(installation, "paper")
    with FullClusterStandIn(installation.elasticsearch_url, repositories=("backups",)) as cluster:
        full = replace(installation, elasticsearch_url=cluster.url).services(now=lambda: NOW)
        done = maintenance.maintain(full)
        prefix = full.prefix
        assert done["lifecycle"] == "index lifecycle management rolls over"
        assert done["rolled_over"] == []
        assert done["snapshot"] == f"{prefix}-2026.03.01 started in backups"
        rollover = {"max_docs": 1, "max_primary_shard_size": "40960mb", "max_age": "30d"}
        assert cluster.policies == {f"{prefix}-articles": {"phases": {"hot": {"actions": {"rollover": rollover}}}}}
        alias = f"{prefix}-en-write"
        assert cluster.managed == {
            f"{prefix}-en-000001": {"lifecycle.name": f"{prefix}-articles", "lifecycle.rollover_alias": alias}
        }
        assert cluster.snapshots["backups"][f"{prefix}-2026.03.01"]["indices"] == f"{prefix}-*"
        # The cluster rolls over; the next night the new index is managed too, and the snapshot is there already.
        full.elasticsearch.indices.rollover(alias=alias)
        again = maintenance.maintain(full)
        assert f"{prefix}-en-000002" in cluster.managed
        assert again["snapshot"] == f"{prefix}-2026.03.01 is there already"
        assert len(cluster.snapshots["backups"]) == 1


def test_a_missing_repository_is_said_and_a_missing_right_is_an_error(installation: Installation) -> None:
    """A repository that isn't there leaves a note, and the rest is done; a user without the right fails the task."""
    installation.write_config(settings='[retention]\nsnapshot_repository = "backup"\n')
    with FullClusterStandIn(installation.elasticsearch_url, repositories=("backups",)) as cluster:
        services = replace(installation, elasticsearch_url=cluster.url).services(now=lambda: NOW)
        assert "[backup] missing" in maintenance.maintain(services)["snapshot"]
        cluster.without_rights = {"/_snapshot/"}
        with pytest.raises((NewsError, ApiError), match="unauthorized"):
            maintenance.maintain(services)


def test_conditions_and_queries_follow_the_settings() -> None:
    """Age counts only where it is set; a source with days of its own is left out of the general rule."""
    assert "max_age" not in maintenance.rollover_conditions(IndexSettings())
    assert maintenance.rollover_conditions(IndexSettings(rollover_days=7))["max_age"] == "7d"
    assert maintenance.old_articles(RetentionSettings(), NOW) == []
    (general,) = maintenance.old_articles(RetentionSettings(days=10, sources={"a": 0}), NOW)
    assert general["bool"]["must_not"] == [{"terms": {"source.id": ["a"]}}]
    assert maintenance.written_on("2026/03/01/news-x.warc.gz") == date(2026, 3, 1)
    assert maintenance.written_on("imported/x.warc.gz") is None
