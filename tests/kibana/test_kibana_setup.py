"""`news kibana setup` against a stand-in for Kibana: what is created, what is left alone, what is refused, and why."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
from kibana_standin import KibanaStandIn
from typer.testing import CliRunner

from pipeline.errors import ConfigurationError
from pipeline.kibana import marks, objects
from pipeline.kibana.commands import app
from pipeline.kibana.connection import KibanaConnection, KibanaError, KibanaUnavailableError
from pipeline.kibana.install import SetupReport, setup

ALL = 13 + 5
"""Tag, five data views, six searches, map; five dashboards."""


def run(kibana: KibanaStandIn, space: str = "default", force: bool = False, **more: object) -> SetupReport:
    return setup(KibanaConnection(url=kibana.url), space, force, **more)  # type: ignore[arg-type]


def actions(report: SetupReport) -> Counter[str]:
    return Counter(item.action for item in report.items)


# ------------------------------------------------------------------------------------------ what it does


def test_first_setup_creates_everything(kibana: KibanaStandIn) -> None:
    """One command, and data views, searches, map and dashboards are there, tagged, with version and marks."""
    said: list[str] = []
    report = run(kibana, say=said.append)
    assert actions(report) == {"created": ALL}
    assert (report.kibana_version, report.space, report.kept) == ("9.5.3", "default", ())
    assert len(kibana.in_space()) == 13
    assert set(kibana.dashboards_in()) == {f"news-{key}" for key in
                                           ("articles", "entity", "ingestion", "sources", "quarantine")}  # fmt: skip
    assert len(said) == ALL
    for stored in kibana.in_space().values():
        mark = objects.mark_of(stored)
        assert mark is not None
        assert mark.version == marks.VERSION
        assert mark.stored == marks.fingerprint(objects.content(stored))
    for dashboard in kibana.dashboards_in().values():
        assert dashboard["tags"] == ["news-tag"]
        assert marks.read(dashboard["description"]) is not None


def test_second_setup_changes_nothing(kibana: KibanaStandIn) -> None:
    """Setup can run at every start: the second time it writes nothing."""
    run(kibana)
    before = len(kibana.writes)
    report = run(kibana)
    assert actions(report) == {"unchanged": ALL}
    assert len(kibana.writes) == before


def test_own_edits_of_a_dashboard_are_kept(kibana: KibanaStandIn) -> None:
    """A dashboard that a person changed, even in one setting that setup never sends, stays until --force."""
    run(kibana)
    dashboard = kibana.dashboards_in()["news-articles"]
    dashboard["options"]["hide_panel_titles"] = True
    report = run(kibana)
    assert actions(report) == {"kept": 1, "unchanged": ALL - 1}
    (kept,) = report.kept
    assert kept.title == "News: articles"
    assert "--force" in kept.why
    assert kibana.dashboards_in()["news-articles"]["options"]["hide_panel_titles"] is True

    assert actions(run(kibana, force=True)) == {"replaced": 1, "unchanged": ALL - 1}
    assert kibana.dashboards_in()["news-articles"]["options"]["hide_panel_titles"] is False
    assert actions(run(kibana)) == {"unchanged": ALL}


def test_own_edits_of_data_views_and_searches_are_kept(kibana: KibanaStandIn) -> None:
    """So do labels of a data view, and the columns of a saved search."""
    run(kibana)
    view = kibana.in_space()["index-pattern", "news-view-articles"]["attributes"]
    labelled = json.loads(view["fieldAttrs"])
    labelled["headline"]["customLabel"] = "Title"
    labelled["section"]["count"] = 3  # use, not an edit
    view["fieldAttrs"] = json.dumps(labelled)
    kibana.in_space()["search", "news-search-runs"]["attributes"]["columns"] = ["run.id"]
    report = run(kibana)
    assert {item.id for item in report.kept} == {"news-view-articles", "news-search-runs"}
    assert json.loads(view["fieldAttrs"])["headline"]["customLabel"] == "Title"
    assert kibana.in_space()["search", "news-search-runs"]["attributes"]["columns"] == ["run.id"]
    run(kibana, force=True)
    assert kibana.in_space()["search", "news-search-runs"]["attributes"]["columns"][:2] == ["run.id", "run.kind"]


def test_removed_mark_means_somebody_elses(kibana: KibanaStandIn) -> None:
    """An object without our mark, or of the same id from elsewhere, is never touched unasked."""
    run(kibana)
    kibana.dashboards_in()["news-sources"] = {"title": "My own", "description": "mine", "panels": []}
    report = run(kibana)
    assert [(item.id, item.action) for item in report.items if item.action != "unchanged"] == [("news-sources", "kept")]
    assert kibana.dashboards_in()["news-sources"]["title"] == "My own"


def test_new_definitions_reach_unchanged_objects_only(kibana: KibanaStandIn) -> None:
    """A new version of this project updates what nobody has touched, and nothing else."""
    run(kibana)
    kibana.in_space()["index-pattern", "news-view-arrivals"]["attributes"]["name"] = "Mine"
    report = run(kibana, archive_link="https://files.example/{{value}}")
    changed = {item.id: item.action for item in report.items if item.action != "unchanged"}
    assert changed == {
        "news-view-articles": "updated",
        "news-view-arrivals": "kept",
        "news-view-quarantine": "updated",
    }
    assert "files.example" in kibana.in_space()["index-pattern", "news-view-articles"]["attributes"]["fieldFormatMap"]
    assert kibana.in_space()["index-pattern", "news-view-arrivals"]["attributes"]["name"] == "Mine"


def test_deleted_objects_come_back(kibana: KibanaStandIn) -> None:
    """What was deleted is created again; the rest stays as it is."""
    run(kibana)
    del kibana.dashboards_in()["news-entity"]
    del kibana.in_space()["map", "news-map-places"]
    assert actions(run(kibana)) == {"created": 2, "unchanged": ALL - 2}


def test_interrupted_setup_goes_on_where_it_stopped(kibana: KibanaStandIn) -> None:
    """When Kibana goes away half-way, the next setup finishes, without --force."""
    kibana.fail_dashboard_writes_after = 3  # the second dashboard is left without its final mark
    with pytest.raises(KibanaUnavailableError, match="503"):
        run(kibana)
    assert marks.read(kibana.dashboards_in()["news-entity"]["description"]).stored == marks.UNFINISHED  # type: ignore[union-attr]
    kibana.fail_dashboard_writes_after = None
    report = run(kibana)
    assert report.kept == ()
    assert actions(report) == {"unchanged": 13 + 1, "updated": 1, "created": 3}
    assert actions(run(kibana)) == {"unchanged": ALL}


def test_panels_that_the_api_cannot_hold_count_as_edits(kibana: KibanaStandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    """A map that somebody put on a dashboard is not thrown away, although the API doesn't show it."""
    run(kibana)
    from kibana_standin import _Handler

    plain = _Handler._get_dashboard

    def with_warning(self: _Handler, space: str, id_: str) -> object:
        answer = plain(self, space, id_)
        return (
            answer | {"warnings": [{"type": "dropped_panel", "panel_type": "map"}]} if id_ == "news-entity" else answer
        )

    monkeypatch.setattr(_Handler, "_get_dashboard", with_warning)
    assert [item.id for item in run(kibana).kept] == ["news-entity"]


# ---------------------------------------------------------------------------------------------- spaces


def test_spaces_are_apart(kibana: KibanaStandIn) -> None:
    """Each space gets objects of its own, so that one can be changed without the other."""
    kibana.spaces.add("news-desk")
    run(kibana)
    report = run(kibana, "news-desk")
    assert actions(report) == {"created": ALL}
    assert not set(kibana.in_space()) & set(kibana.in_space("news-desk"))
    panels = kibana.dashboards_in("news-desk")["news-news-desk-articles"]["panels"]
    assert panels[1]["config"]["data_source"]["ref_id"] == "news-news-desk-view-articles"
    assert actions(run(kibana)) == {"unchanged": ALL}


def test_missing_space_is_named(kibana: KibanaStandIn) -> None:
    """A space that doesn't exist is said to be missing, and nothing is written."""
    with pytest.raises(ConfigurationError, match="no space 'nowhere'"):
        run(kibana, "nowhere")
    assert kibana.writes == []


# ------------------------------------------------------------------------------------- log-in and rights


def test_log_in_with_api_key_or_password(kibana: KibanaStandIn) -> None:
    """An API key works, user and password work, and nothing or the wrong thing is refused with what to set."""
    kibana.api_key, kibana.login = "c2VjcmV0", ("elastic", "pass:word")
    setup(KibanaConnection(url=kibana.url, api_key="c2VjcmV0"))
    report = setup(KibanaConnection(url=kibana.url, username="elastic", password="pass:word"))
    assert actions(report) == {"unchanged": ALL}
    for wrong in (KibanaConnection(url=kibana.url), KibanaConnection(url=kibana.url, api_key="other")):
        with pytest.raises(ConfigurationError) as caught:
            setup(wrong)
        assert "KIBANA_API_KEY" in str(caught.value)
        assert "other" not in str(caught.value)


def test_user_who_may_only_read_is_told_what_is_missing(kibana: KibanaStandIn) -> None:
    """A 403 names the rights that setup needs."""
    kibana.read_only = True
    with pytest.raises(ConfigurationError, match="Data View Management"):
        run(kibana)


def test_older_kibana_is_refused_with_the_way_out(kibana: KibanaStandIn) -> None:
    """Before 9.5 the Dashboards API was not stable: setup says so and names the export."""
    for version in ("9.4.2", "8.19.0"):
        kibana.version = version
        with pytest.raises(ConfigurationError, match="news kibana export"):
            run(kibana)
    assert kibana.writes == []
    for version in ("9.5.0-SNAPSHOT", "9.6.1", "10.0.0"):
        kibana.version = version
        run(kibana)


def test_setup_waits_for_a_kibana_that_starts(kibana: KibanaStandIn) -> None:
    """With --wait, setup may start together with Kibana; without it, it says that Kibana isn't ready."""
    kibana.not_ready_times = 1
    with pytest.raises(KibanaUnavailableError, match="not ready"):
        run(kibana)
    kibana.not_ready_times = 2
    assert actions(run(kibana, wait_seconds=30)) == {"created": ALL}


def test_no_kibana_there() -> None:
    """An address where nothing listens is named."""
    with pytest.raises(KibanaUnavailableError, match=r"127\.0\.0\.1:9 does not answer"):
        setup(KibanaConnection(url="http://127.0.0.1:9"))


def test_id_taken_in_another_space_is_reported(kibana: KibanaStandIn) -> None:
    """Kibana would quietly choose another id, and dashboards would miss their data view: that is an error here."""
    kibana.spaces.add("desk")
    run(kibana, "desk")
    taken = kibana.objects.pop("desk")
    kibana.objects["other"] = taken
    with pytest.raises(KibanaError, match="another space has it"):
        run(kibana, "desk")


def test_environment_of_the_connection() -> None:
    """KIBANA_URL, KIBANA_API_KEY, KIBANA_USER, KIBANA_PASSWORD and KIBANA_CA_CERTS say where; secrets stay secret."""
    connection = KibanaConnection.from_environment(
        {"KIBANA_URL": "https://kibana.example/base/", "KIBANA_USER": "u", "KIBANA_PASSWORD": "hush"}
    )
    assert connection.url == "https://kibana.example/base"
    assert "hush" not in repr(connection)
    assert "hush" not in repr(KibanaConnection(url="http://k", api_key="hush"))
    for environment, said in (
        ({}, "KIBANA_URL is missing"),
        ({"KIBANA_URL": "localhost:5601"}, "must start with http"),
        ({"KIBANA_URL": "http://k", "KIBANA_USER": "u"}, "KIBANA_PASSWORD is missing"),
    ):
        with pytest.raises(ConfigurationError, match=said):
            KibanaConnection.from_environment(environment)
    with pytest.raises(ConfigurationError, match="no such file"):
        setup(KibanaConnection(url="https://127.0.0.1:9", ca_certs="/nowhere/ca.pem"))


# -------------------------------------------------------------------------------------------- commands


def test_setup_command_reports_as_json(kibana: KibanaStandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    """`news kibana setup --json` prints JSON alone, with what became of each object of this installation."""
    monkeypatch.setenv("KIBANA_URL", kibana.url)
    monkeypatch.setenv("NEWS_INDEX__PREFIX", "paper")
    done = CliRunner().invoke(app, ["setup", "--json"])
    assert done.exit_code == 0, done.output
    report = json.loads(done.stdout)
    assert report["counts"] == {"created": ALL}
    assert {one["action"] for one in report["objects"]} == {"created"}
    assert kibana.in_space()["index-pattern", "paper-view-articles"]["attributes"]["title"] == "paper"
    assert kibana.in_space()["index-pattern", "paper-view-runs"]["attributes"]["title"] == "paper-runs"
    again = CliRunner().invoke(app, ["setup"])
    assert f"{ALL} unchanged" in again.stdout


def test_export_command_writes_a_file_without_a_kibana(tmp_path: Path) -> None:
    """`news kibana export FILE` needs no Kibana; without FILE the same goes to standard output."""
    file = tmp_path / "news.ndjson"
    done = CliRunner().invoke(app, ["export", str(file)])
    assert done.exit_code == 0, done.output
    assert done.stdout == ""
    assert len(file.read_text(encoding="utf-8").splitlines()) == ALL
    assert CliRunner().invoke(app, ["export"]).stdout == file.read_text(encoding="utf-8")


def test_what_was_imported_by_hand_is_left_alone(kibana: KibanaStandIn) -> None:
    """Setup after an import by hand doesn't overwrite what may have been edited since."""
    lines = [json.loads(line) for line in objects.export(objects.Target()).splitlines()]
    for line in lines:
        if line["type"] != "dashboard":
            kibana.in_space()[line["type"], line["id"]] = line
    report = run(kibana)
    assert actions(report) == {"kept": 13, "created": 5}
