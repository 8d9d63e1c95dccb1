"""Saved searches: each new article that answers one is told once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from installation import Installation, article_text, installation_in, write_texts

from pipeline.errors import ConfigurationError
from pipeline.run import run_now
from pipeline.search_alerts import Match, load_saved_searches, new_matches, remember

SEARCHES = """
[[search]]
id = "bridges"
query = "bridges repairing"

[[search]]
id = "all-of-desk"
query = ""
source = "desk"

[[search]]
id = "nothing"
query = "submarine"
"""


@pytest.fixture
def desk(tmp_path: Path, elasticsearch_url: str) -> Iterator[Installation]:
    with installation_in(tmp_path, elasticsearch_url) as made:
        made.write_config('[[source]]\nid = "desk"\nkind = "folder"\nlocation = "desk"\n')
        (made.project / "config" / "alerts.toml").write_text(SEARCHES, encoding="utf-8")
        yield made


def told(matches: list[Match]) -> dict[str, int]:
    return {match.search.id: len(match.articles) for match in matches}


def test_each_new_article_is_told_once(desk: Installation) -> None:
    """Only what a run newly indexed is told; again until it was remembered, then never, not even after the index was
    lost and built anew."""
    services = desk.services()
    searches = load_saved_searches(desk.project / "config")

    def run() -> str:
        return str(run_now(services, desk.request("desk"), desk.sources(), kind="news run")["run_id"])

    write_texts(desk.project / "desk", [0, 1, 8])  # two about a bridge, one about a library
    first = run()
    matches = new_matches(services, first, searches)
    assert told(matches) == {"bridges": 2, "all-of-desk": 3}
    assert "Aldmere council agrees to repair its bridge" in matches[0].as_text()
    assert {article["headline"] for article in matches[0].as_dict()["articles"]} == {
        article_text(number).splitlines()[0] for number in (0, 1)
    }
    assert told(new_matches(services, first, searches)) == told(matches)  # nobody has been told yet
    remember(services, matches)
    assert new_matches(services, first, searches) == []
    write_texts(desk.project / "desk", [2])
    assert told(new_matches(services, run(), searches)) == {"bridges": 1, "all-of-desk": 1}
    desk.delete_articles()
    for file in (desk.project / "desk").glob("*.txt"):
        file.touch()
    again = new_matches(services, run(), searches)
    assert not {hit.id for match in matches for hit in match.articles} & {
        hit.id for match in again for hit in match.articles
    }
    assert new_matches(services, "no-such-run", searches) == []


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('[[search]]\nid = "a"', "query"),
        ('[[search]]\nid = "a"\nquery = "x"\ncolour = "red"', "colour"),
        ('[[search]]\nid = "a"\nquery = "persn:x"', "persn"),
        ('[[search]]\nid = "a"\nquery = "x"\n[[search]]\nid = "a"\nquery = "y"', "unique"),
        ('[search]\nid = "a"\nquery = "x"', "double brackets"),
        ("[[alarm]]\n", "alarm"),
        ("id = ", "Invalid value"),
    ],
)
def test_a_wrong_file_is_explained(tmp_path: Path, content: str, said: str) -> None:
    """Whatever is wrong with alerts.toml is said with the place; no file means no searches."""
    assert load_saved_searches(tmp_path) == ()
    (tmp_path / "alerts.toml").write_text(content, encoding="utf-8")
    with pytest.raises(ConfigurationError, match=said):
        load_saved_searches(tmp_path)
