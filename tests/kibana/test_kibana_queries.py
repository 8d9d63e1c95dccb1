"""Every question that a panel asks, asked for real, over the shipped samples; the answers are looked at.

The samples go through a whole run first. What a run over them leaves empty here (entities need a model, sources'
health and stories need what comes later in the pipeline) is then written into the same indices by hand.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from statistics import median
from typing import Any

import pytest
from elasticsearch import Elasticsearch
from installation import REPOSITORY, Installation, installation_in

from pipeline.index import templates
from pipeline.kibana import queries
from pipeline.kibana.charts import All, Chart, Exists, Filter, Is, Listing, Matches, Not
from pipeline.kibana.content import DASHBOARDS, SEARCHES, VIEWS
from pipeline.kibana.objects import Target

SOURCES = "".join(
    f'[[source]]\nid = "{name}"\nkind = "folder"\nlocation = "samples/{name}"\n'
    for name in sorted(path.name for path in (REPOSITORY / "config" / "samples").iterdir() if path.is_dir())
)
NOW = datetime.now(UTC)
WIDE = NOW - timedelta(days=3650)
CHARTS = [
    (f"{dashboard.key}: {panel.title}", panel)
    for dashboard in DASHBOARDS
    for panel in dashboard.panels()
    if isinstance(panel, Chart)
]


@dataclass(frozen=True)
class World:
    """An installation with articles, runs, failures and sources in it."""

    installation: Installation
    client: Elasticsearch
    report: dict[str, Any]

    def view(self, key: str) -> Any:
        return next(view for view in VIEWS if view.key == key)

    def index(self, key: str) -> str:
        return Target(prefix=self.installation.prefix).index(self.view(key))

    def ask(self, chart: Chart, also: Filter | None = None) -> list[dict[str, Any]]:
        time_field = self.view(chart.view).time_field
        body = queries.search_of_chart(chart, now=datetime.now(UTC), time_field=time_field, since=WIDE, also=also)
        answer = self.client.search(index=self.index(chart.view), **body)
        return queries.rows(chart, answer.body)

    def list(self, key: str, also: Filter | None = None) -> list[dict[str, Any]]:
        search = next(search for search in SEARCHES if search.key == key)
        body = queries.search_of_listing(search, time_field=self.view(search.view).time_field, since=WIDE, also=also)
        return list(self.client.search(index=self.index(search.view), **body)["hits"]["hits"])


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, elasticsearch_url: str) -> Iterator[World]:
    from pipeline.run import run_now

    root = tmp_path_factory.mktemp("kibana")
    with installation_in(root, elasticsearch_url) as installation, Elasticsearch(elasticsearch_url) as client:
        installation.write_config(SOURCES)
        shutil.copytree(REPOSITORY / "config" / "samples", installation.project / "samples")
        # A file that is no article page at all, so that something fails.
        (installation.project / "samples" / "northbank-wire" / "broken.txt.gz").write_bytes(b"\x1f\x8b broken")
        services = installation.services()
        sources = installation.sources()
        request = installation.request(*(source.id for source in sources))
        report = run_now(services, request, sources, kind="test")
        write_what_comes_later(client, installation)
        yield World(installation, client, report)


def write_what_comes_later(client: Elasticsearch, installation: Installation) -> None:
    prefix = installation.prefix
    documents = sorted(installation.documents().items(), key=lambda item: item[1]["headline"])
    joined = False
    for number, (id_, document) in enumerate(documents):
        body = document.get("body", "")
        people = ["Ferrandiz"] if "Ferrándiz" in body or "Ferrandiz" in body else []
        people += ["Rare Person"] if number == 0 else []
        spain = document["language"] == "es"
        client.update(
            index=document["_index"],
            id=id_,
            doc={
                "entities": {"person": people, "place": ["Valencia" if spain else "Hamburg"], "organization": ["Port"]},
                "countries": ["ES" if spain else "DE"],
                "locations": [{"lat": 39.47, "lon": -0.38} if spain else {"lat": 53.55, "lon": 9.99}],
                **(
                    {
                        "cluster_id": "tour",
                        "keywords": [*document.get("keywords", ()), "cycling"],
                        **({"similarity": 0.8} if joined else {}),
                    }
                    if people[:1] == ["Ferrandiz"]
                    else {}
                ),
                **({"duplicate_of": documents[0][0]} if number in (1, 2) else {}),
            },
        )
        joined = joined or people[:1] == ["Ferrandiz"]
    health = [
        ("harbour-courier", "ok", 0, None),
        ("northbank-wire", "failing", 4, "http_5xx"),
        ("fenmoor-gazette", "ok", 0, None),
    ]
    for name, status, failures, reason in health:
        client.index(
            index=f"{prefix}-sources",
            id=name,
            document={
                "@timestamp": NOW.isoformat(),
                "source": {"id": name, "kind": "folder", "language": "en"},
                "status": status,
                "consecutive_failures": failures,
                "last_article_at": (NOW - timedelta(days=failures)).isoformat(),
                **({"reason": reason, "error": {"message": "503"}} if reason else {}),
            },
        )
    client.indices.refresh(index=f"{prefix}*")


@cache
def chart(title: str) -> Chart:
    return dict(CHARTS)[title]


# ---------------------------------------------------------------------------------------- all of them


@pytest.mark.parametrize("title", [title for title, _ in CHARTS])
def test_every_chart_shows_something(world: World, title: str) -> None:
    """No chart asks a question that Elasticsearch refuses, or that stays without an answer when there is data."""
    panel = chart(title)
    # What stands out only shows in a part of the whole.
    significant = any(getattr(bucket, "rank", "") == "significant" for bucket in panel.by)
    found = world.ask(panel, also=Is("entities.person", ("Ferrandiz",)) if significant else None)
    assert found, title
    labels = {bucket.label for bucket in panel.by} | {metric.label for metric in panel.metrics}
    assert all(set(row) == labels for row in found)
    if title != "ingestion: Without an outcome":
        assert any(row[metric.label] for row in found for metric in panel.metrics), found


def test_freshness_is_from_publication_to_first_sight(world: World) -> None:
    """The chart's median and bound are those of the articles whose publication is known to the minute; beside it stand
    the publication days of what arrived."""
    delays = [one["delay_seconds"] for one in world.installation.documents().values() if "delay_seconds" in one]
    (row,) = [row for row in world.ask(chart("ingestion: Freshness: publication to searchable")) if row["Median"]]
    assert len(delays) > 20
    assert row["Median"] == pytest.approx(median(delays), rel=0.05)
    assert row["Median"] < row["95 of 100 below"] <= max(delays)
    days = [row for row in world.ask(chart("ingestion: Arrived, by day of publication")) if row["Articles"]]
    dated = [one["published_at"][:10] for one in world.installation.documents().values() if "published_at" in one]
    assert sum(row["Articles"] for row in days) == len(dated)
    assert {row["Published"][:10] for row in days} == set(dated)


@pytest.mark.parametrize("key", [search.key for search in SEARCHES])
def test_every_list_shows_its_columns(world: World, key: str) -> None:
    """Each saved search finds documents, sorted, and most of its columns are filled in some of them."""
    search = next(search for search in SEARCHES if search.key == key)
    hits = world.list(key)
    assert hits
    filled = {
        column for column in search.columns for hit in hits if value_at(hit["_source"], column) not in (None, [], {})
    }
    missing = set(search.columns) - filled
    assert missing <= {"error.message", "last_success_at", "discovered", "outcomes.indexed", "outcomes.failed", "url"}


def test_every_control_offers_values(world: World) -> None:
    """Each drop-down above a dashboard has something to choose, and choosing it leaves something to see."""
    for dashboard in DASHBOARDS:
        for control in dashboard.controls:
            aggregation = {"values": {"terms": {"field": control.field, "size": 10}}}
            answer = world.client.search(index=world.index(control.view), size=0, aggs=aggregation)
            values = [bucket["key"] for bucket in answer["aggregations"]["values"]["buckets"]]
            assert values, f"{dashboard.key}: {control.title}"
            listed = [panel.search for panel in dashboard.panels() if isinstance(panel, Listing)]
            for key in listed:
                assert world.list(key, also=Is(control.field, (values[0],))), f"{dashboard.key}: {control.title}"


# -------------------------------------------------------------------------------------- their answers


def test_articles_are_counted_as_the_run_counted_them(world: World) -> None:
    """The numbers on top of the dashboards are the run's own."""
    stored = len(world.installation.documents())
    assert world.ask(chart("articles: Articles")) == [{"Articles": stored}]
    by_source = world.ask(chart("articles: Articles by source"))
    assert sum(row["Articles"] for row in by_source) == stored
    assert {row["Source"] for row in by_source} <= {source["id"] for source in world.report["sources"]}
    languages = {row["Language"] for row in world.ask(chart("articles: Articles by language"))}
    assert {"en", "es", "de", "fr"} <= languages
    assert world.ask(chart("ingestion: Runs")) == [{"Runs": 1}]
    assert world.ask(chart("ingestion: Articles added")) == [{"Articles added": world.report["outcomes"]["indexed"]}]


def test_balance_of_a_run_is_nought(world: World) -> None:
    """A run that balances shows 0 without an outcome; one that doesn't shows how many are lost."""
    assert world.ask(chart("ingestion: Without an outcome")) == [{"Without an outcome": 0}]
    (row,) = world.ask(chart("ingestion: Latest runs"))
    assert row["Discovered"] == world.report["discovered"]
    assert row["Status"] == [world.report["status"]]
    lost = dict(world.client.search(index=world.index("runs"))["hits"]["hits"][0]["_source"])
    lost |= {"discovered": lost["discovered"] + 3, "run": lost["run"] | {"id": "unbalanced"}}
    world.client.index(index=world.index("runs"), id="unbalanced", document=lost, refresh=True)
    try:
        assert world.ask(chart("ingestion: Without an outcome")) == [{"Without an outcome": 3}]
        assert {row["Run"]: row["Without an outcome"] for row in world.ask(chart("ingestion: Latest runs"))} == {
            world.report["run_id"]: 0,
            "unbalanced": 3,
        }
    finally:
        world.client.delete(index=world.index("runs"), id="unbalanced", refresh=True)


def test_failures_are_counted_by_reason_and_come_with_their_command(world: World) -> None:
    """The quarantine shows what failed, why, and the command that tries it again."""
    why = world.ask(chart("quarantine: Why"))
    assert sum(row["Entries"] for row in why) == world.report["outcomes"]["failed"] >= 1
    assert {row["Reason"] for row in why} == {
        row["Reason"] for row in world.ask(chart("ingestion: Why articles failed"))
    }
    entry = next(hit["_source"] for hit in world.list("quarantine") if "broken" in hit["_source"]["name"])
    assert entry["command"].startswith("news ingest")
    assert entry["reason"]


def test_a_chosen_person_narrows_the_entity_dashboard(world: World) -> None:
    """Choosing a name leaves the articles that name it, and those named beside it."""
    chosen = Is("entities.person", ("Ferrandiz",))
    (counted,) = world.ask(chart("entity: Articles that name it"), also=chosen)
    assert 1 <= counted["Articles"] < len(world.installation.documents())
    people = world.ask(chart("entity: People beside it"), also=chosen)
    assert people[0] == {"People beside it": "Ferrandiz", **counted}
    (first,) = world.ask(chart("entity: First"), also=chosen)
    (latest,) = world.ask(chart("entity: Latest"), also=chosen)
    assert first["First"] <= latest["Latest"]


def test_what_stands_out_is_what_is_more_frequent_than_usual(world: World) -> None:
    """In a part of the articles, that part's own names and keywords stand out; in all of them, none do."""
    found = world.ask(chart("articles: People who stand out"), also=Is("entities.person", ("Ferrandiz",)))
    assert [row["Person"] for row in found] == ["Ferrandiz"]
    keywords = world.ask(chart("articles: Keywords that stand out"), also=Is("entities.person", ("Ferrandiz",)))
    assert {"cycling", "Lucía Ferrándiz"} <= {row["Keyword"] for row in keywords[:3]}
    assert world.ask(chart("articles: People who stand out")) == []


def test_stories_and_copies_are_found_with_a_headline(world: World) -> None:
    """Stories that were told again, and no others, are listed with how often, in how many sources, and a headline; so
    are copies."""
    story, *others = world.ask(chart("articles: Stories told most often"))
    assert story["Story"] == "tour"
    told = [one for one in world.installation.documents().values() if one.get("cluster_id") == "tour"]
    again = [one for one in told if "similarity" in one]
    assert story["Told again"] == len(again) == len(told) - 1 >= 1
    assert story["Sources"] >= 1
    assert story["Latest headline"] == [max(again, key=lambda one: one["@timestamp"])["headline"]]
    sizes = Counter(one.get("cluster_id") for one in world.installation.documents().values())
    assert all(sizes[other["Story"]] > 1 and other["Told again"] <= story["Told again"] for other in others)
    copies, *others = world.ask(chart("articles: The same text on several sites"))
    assert all(other["Copies"] <= copies["Copies"] for other in others)
    assert copies["Copies"] == 2


def test_places_lie_where_they_are(world: World) -> None:
    """The map's bubbles stand at the places' coordinates, the countries are ISO codes."""
    assert {row["Country"] for row in world.ask(chart("articles: Countries on the map"))} == {"DE", "ES"}
    answer = world.client.search(
        index=world.index("articles"),
        size=0,
        aggs={
            "grid": {
                "geotile_grid": {"field": "locations", "precision": 7},
                "aggs": {"centre": {"geo_centroid": {"field": "locations"}}},
            }
        },
    )
    centres = [bucket["centre"]["location"] for bucket in answer["aggregations"]["grid"]["buckets"]]
    assert sorted((round(one["lat"]), round(one["lon"])) for one in centres) == [(39, 0), (54, 10)]


def test_usual_is_compared_with_its_week(world: World) -> None:
    """What arrived today counts in the last day and the last seven, not in those before."""
    rows = world.ask(chart("ingestion: Each source against its usual"))
    assert len(rows) >= 5
    assert all(row["Last day"] == row["Last 7 days"] > 0 for row in rows)
    assert all(row["7 days before"] == row["Same day a week ago"] == 0 for row in rows)


def test_drift_tells_what_extraction_found(world: World) -> None:
    """Per source: how many articles have a date, authors and a description; never more than there are articles."""
    rows = world.ask(chart("ingestion: Drift: what extraction finds, by source"))
    documents = world.installation.documents().values()
    assert sum(row["With a date"] for row in rows) == sum("published_at" in one for one in documents)
    assert sum(row["With authors"] for row in rows) == sum("authors" in one for one in documents)
    assert all(row["With a date"] <= row["Articles"] and row["Words (median)"] > 0 for row in rows)


def test_sources_that_fail_come_first(world: World) -> None:
    """The health list begins with the source that has failed most often in a row; the silent one heads its table."""
    assert world.list("source-health")[0]["_source"]["source"]["id"] == "northbank-wire"
    assert world.ask(chart("sources: Silent longest"))[0]["Source"] == "northbank-wire"
    assert world.ask(chart("sources: Failed last time")) == [{"Failed last time": 1}]


def test_words_are_found_in_the_forms_of_their_language(world: World) -> None:
    """Discover stems in each language, and highlights what it found."""
    for word, language in (("ports", "en"), ("port", "en"), ("Verhandlung", "de")):
        hits = world.list("article-texts", also=All((Matches("body", word), Is("language", (language,)))))
        assert hits, word
        assert any("<em>" in "".join(hit.get("highlight", {}).get("body", [])) for hit in hits)
    everything = len(world.list("latest-articles"))
    without = len(world.list("latest-articles", also=Not(Exists("published_at"))))
    assert without == len(world.list("undated-articles"))
    assert 0 < without < everything


def test_names_of_indices_are_those_of_the_index_room() -> None:
    """Data views look where the pipeline writes, for every prefix."""
    names, target = templates.Names("paper"), Target(prefix="paper")
    assert {view.key: target.index(view) for view in VIEWS} == {
        "articles": names.articles,
        "arrivals": names.articles,
        "runs": names.runs,
        "sources": names.sources,
        "quarantine": names.quarantine,
    }


def value_at(source: dict[str, Any], path: str) -> Any:
    value: Any = source
    for part in path.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value
