"""Saved searches: each new article that answers one is told once to each recipient."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from installation import Installation, article_text, installation_in, write_texts

from pipeline.errors import ConfigurationError
from pipeline.operations.rebuild import rebuild
from pipeline.run import Services, run_now
from pipeline.search_alerts import (
    Message,
    load_saved_searches,
    mark_checked,
    messages,
    new_matches,
    remember,
    runs_to_check,
)
from pipeline.settings import AlertSettings

SEARCHES = """
[[search]]
id = "bridges"
query = "bridges repairing"
email = "bridges@news.example"

[[search]]
id = "all-of-desk"
query = ""
source = "desk"

[[search]]
id = "nothing"
query = "submarine"
"""
DESK = AlertSettings(email="desk@news.example", webhook_connection="hook")


@pytest.fixture
def desk(tmp_path: Path, elasticsearch_url: str) -> Iterator[Installation]:
    with installation_in(tmp_path, elasticsearch_url) as made:
        made.write_config(
            '[[source]]\nid = "desk"\nkind = "folder"\nlocation = "desk"\n',
            '[alerts]\nemail = "desk@news.example"\nwebhook_connection = "hook"\n',
        )
        (made.project / "config" / "alerts.toml").write_text(SEARCHES, encoding="utf-8")
        yield made


def run(desk: Installation) -> None:
    run_now(desk.services(), desk.request("desk"), desk.sources(), kind="news run")


def to_tell(services: Services) -> list[Message]:
    searches = load_saved_searches(services.settings.config_dir, services.settings.alerts)
    return messages(services, new_matches(services, runs_to_check(services), searches))


def counts(found: Sequence[Message]) -> dict[str, dict[str, int]]:
    return {str(one.recipient): {match.search.id: len(match.articles) for match in one.matches} for one in found}


def deliver(services: Services, found: Sequence[Message]) -> None:
    for message in found:
        remember(services, message)
    mark_checked(services, runs_to_check(services))


def test_each_new_article_is_told_once(desk: Installation) -> None:
    """A search tells those that it names, else those of the settings, of what runs newly indexed, by hand or not; again
    to whom it didn't reach, and to nobody else; never again, also not after the index was lost and read in anew."""
    services = desk.services()
    write_texts(desk.project / "desk", [16])
    run(desk)  # before anybody looked
    write_texts(desk.project / "desk", [0, 1, 8])  # two about a bridge, one about a library
    run(desk)
    found = to_tell(services)
    everything = {"all-of-desk": 3}
    assert counts(found) == {
        "email bridges@news.example": {"bridges": 2},
        "email desk@news.example": everything,
        "webhook hook": everything,
    }
    bridges = found[0]
    assert bridges.subject == "News: 2 new articles for bridges"
    headlines = {article_text(number).splitlines()[0] for number in (0, 1)}
    assert {article["headline"] for article in bridges.as_dict()["searches"][0]["articles"]} == headlines
    assert all(headline in bridges.as_text() and headline in bridges.as_html() for headline in headlines)

    remember(services, found[2])  # the webhook took it, the mail server did not
    assert counts(to_tell(services)) == counts(found[:2])
    write_texts(desk.project / "desk", [2])
    run(desk)
    assert counts(to_tell(services)) == {
        "email bridges@news.example": {"bridges": 3},
        "email desk@news.example": {"all-of-desk": 4},
        "webhook hook": {"all-of-desk": 1},
    }
    deliver(services, to_tell(services))
    assert runs_to_check(services) == []
    assert to_tell(services) == []

    desk.delete_articles()
    for file in (desk.project / "desk").glob("*.txt"):
        file.touch()
    run(desk)
    assert {hit.headline for one in to_tell(services) for match in one.matches for hit in match.articles} == {
        article_text(16).splitlines()[0]  # the one that was never told
    }


def test_a_new_index_is_no_news(desk: Installation) -> None:
    """Articles from before the searches are not told when the index is built anew, nor by a run that finds nothing."""
    services = desk.services()
    write_texts(desk.project / "desk", range(3))
    run(desk)
    mark_checked(services, runs_to_check(services))
    rebuild(services, desk.sources(), grace_seconds=0)
    run(desk)
    assert to_tell(services) == []


def test_a_message_is_only_text(desk: Installation) -> None:
    """Markup in an article's words stays text in a mail; an address that is none of the web is no link."""
    hostile = "<script>alert(1)</script> {{ 7*7 }}"
    folder = write_texts(desk.project / "desk", [])
    (folder / "hostile.txt").write_text(article_text(0).replace("Aldmere council", f"{hostile} council", 1))
    run(desk)
    (message, *_) = to_tell(desk.services())
    assert "<script>" not in message.as_html()
    assert "&lt;script&gt;alert(1)&lt;/script&gt; {{ 7*7 }} council agrees" in message.as_html()
    assert "href" not in message.as_html()  # it came from a file


@pytest.mark.parametrize(
    ("content", "settings", "said"),
    [
        ('[[search]]\nid = "a"', DESK, "search 1 .'a'.: query: Field required"),
        ('[[search]]\nid = "a"\nquery = "x"\ncolour = "red"', DESK, "colour"),
        ('[[search]]\nid = "A b"\nquery = "x"', DESK, "id: String should match"),
        ('[[search]]\nid = "a"\nquery = "persn:x"', DESK, "persn"),
        ('[[search]]\nid = "a"\nquery = "x"\n[[search]]\nid = "a"\nquery = "y"', DESK, "unique"),
        ('[[search]]\nid = "a"\nquery = "x"\nemail = "nobody"', DESK, "email: String should match"),
        ('[[search]]\nid = "a"\nquery = "x"', AlertSettings(), "nobody is told of it; give it an email"),
        ('[search]\nid = "a"\nquery = "x"', DESK, "double brackets"),
        ("[[alarm]]\n", DESK, "alarm"),
        ("id = ", DESK, "Invalid value"),
    ],
)
def test_a_wrong_file_is_explained(tmp_path: Path, content: str, settings: AlertSettings, said: str) -> None:
    """Whatever is wrong with alerts.toml is said with the place; no file means no searches."""
    assert load_saved_searches(tmp_path, settings) == ()
    (tmp_path / "alerts.toml").write_text(content, encoding="utf-8")
    with pytest.raises(ConfigurationError, match=said):
        load_saved_searches(tmp_path, settings)


def test_the_command_lists_them(desk: Installation) -> None:
    """`news alerts searches` says who is told, how much each search finds, and what waits; it tells nobody."""
    write_texts(desk.project / "desk", [0, 8])
    run(desk)
    listed: list[dict[str, Any]] = desk.news_json("alerts", "searches")
    assert [(one["id"], one["articles"], one["waiting"]) for one in listed] == [
        ("bridges", 1, 1), ("all-of-desk", 2, 2), ("nothing", 0, 0),
    ]  # fmt: skip
    assert listed[0]["recipients"] == ["email bridges@news.example"]
    assert desk.news_json("alerts", "searches") == listed
    (desk.project / "config" / "alerts.toml").write_text('[[search]]\nid = "a"\n')
    wrong = desk.news("alerts", "searches")
    assert wrong.returncode == 2
    assert "query: Field required" in wrong.stderr
