"""The reviewed list of names: applied to questions at once, and to articles when they are enriched again."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import spacy
from fastapi.testclient import TestClient
from installation import Installation
from typer.testing import CliRunner

from pipeline.cli import app
from pipeline.search_alerts import load_saved_searches, overview
from pipeline.settings import AlertSettings
from pipeline.web.app import create_app

TEXTS = {
    "assembly": "The ONU met in New York on Monday, and Sergei Lavrov spoke for an hour about grain. Nobody answered "
    "him before the doors were closed for the night. The session went on with the budget on the next day, as it had "
    "been announced, and ended without a vote.",
    "harbour": "Turkey opened a harbour for grain on Monday, said Newsfax, an agency. The ships are to call there "
    "twice a week until the end of the winter, when the ice has gone from the river, and more often from then on if "
    "they come full.",
}
PATTERNS = [
    {"label": "ORG", "pattern": "ONU"},
    {"label": "ORG", "pattern": "Newsfax"},
    {"label": "GPE", "pattern": "New York"},
    {"label": "GPE", "pattern": "Turkey"},
    {"label": "PERSON", "pattern": "Sergei Lavrov"},
]
MERGED = """
block = ["Grain Times"]

[[entity]]
type = "organization"
name = "United Nations"
also = ["ONU", "UN"]

[[entity]]
type = "organization"
name = "Newsfax"
hide = true

[[entity]]
type = "place"
name = "Türkiye"
also = ["Turkey"]
"""


@pytest.fixture
def desk(installation: Installation, tmp_path: Path) -> Installation:
    """An installation with a model that knows the names above, and no source."""
    nlp = spacy.blank("en", meta={"name": "names", "version": "1"})
    nlp.add_pipe("entity_ruler").add_patterns(PATTERNS)  # type: ignore[attr-defined]
    nlp.to_disk(tmp_path / "model")
    installation.write_config()
    extra = {"NEWS_ENTITIES__MODEL": str(tmp_path / "model"), "NEWS_ENTITIES__OTHER_LANGUAGES": ""}
    return replace(installation, extra={**installation.extra, **extra})


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    folder = tmp_path / "texts"
    folder.mkdir()
    for name, body in TEXTS.items():
        (folder / f"{name}.txt").write_text(f"Grain and the {name}\n\n{body}\n", encoding="utf-8")
    return folder


@pytest.fixture
def command(desk: Installation, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Runs a `news` command with --json and gives what it printed."""
    for name, value in desk.environment.items():
        monkeypatch.setenv(name, value)

    def run(*arguments: str) -> Any:
        done = CliRunner().invoke(app, [*arguments, "--json"])
        assert done.exit_code == 0, done.output
        return json.loads(done.stdout)

    return run


def headlines(answer: dict[str, Any]) -> list[str]:
    return [hit["headline"].split()[-1] for hit in answer["hits"]]


def test_a_changed_list_reaches_articles_ingested_by_hand(
    desk: Installation, texts: Path, command: Callable[..., Any]
) -> None:
    """`news backfill --mode reenrich` merges, renames and hides in articles without a source and a date, too; before
    and after it each name that was merged finds the article, in options, questions, facets, saved searches and pages,
    and whoever asks for a hidden or blocked name is told."""
    command("ingest", str(texts))
    before = {document["headline"].split()[-1]: document for document in desk.documents().values()}
    assert before["assembly"]["entities"]["organization"] == ["ONU"]
    assert before["harbour"]["entities"]["organization"] == ["Newsfax"]
    assert "published_at" not in before["assembly"]

    (desk.project / "config" / "entities.toml").write_text(MERGED, encoding="utf-8")
    assert headlines(command("search", "--organization", "ONU")) == ["assembly"]  # enriched with the old list
    report = command("backfill", "--mode", "reenrich", "--from", "2020-01-01")
    assert report["outcomes"]["updated"] == 2
    after = {document["headline"].split()[-1]: document for document in desk.documents().values()}
    assert after["assembly"]["entities"]["organization"] == ["United Nations"]
    assert "organization:united-nations" in after["assembly"]["entities"]["key"]
    assert "organization" not in after["harbour"]["entities"]
    assert after["harbour"]["entities"]["place"] == ["Türkiye"]

    counts = "'{}' counts as '{}', as entities.toml says."
    for arguments, expected, note in (
        (("--organization", "ONU"), ["assembly"], counts.format("ONU", "United Nations")),
        (("--organization", "U.N."), ["assembly"], counts.format("U.N.", "United Nations")),
        (("--organization", "United Nations"), ["assembly"], ""),
        (("--person", "Sergey Lavrov"), ["assembly"], ""),
        (("--place", "Turkey"), ["harbour"], counts.format("Turkey", "Türkiye")),
        (("--place", "Türkei", "--language", "de"), [], ""),
        (("org:ONU",), ["assembly"], counts.format("ONU", "United Nations")),
        (('org:"United Nations" grain',), ["assembly"], ""),
        (('person:"Sergey Lavrov" -org:onu',), [], counts.format("onu", "United Nations")),
        (("place:Turkey OR person:Lavrov",), ["assembly", "harbour"], counts.format("Turkey", "Türkiye")),
        (("--organization", "Newsfax"), [], "'Newsfax' is not listed as a name: entities.toml hides it."),
        (("org:Newsfax",), [], "'Newsfax' is not listed as a name: entities.toml hides it."),
        (("--organization", "Grain Times"), [], "'Grain Times' is never taken for a name: entities.toml blocks it."),
    ):
        answer = command("search", *arguments)
        assert sorted(headlines(answer)) == expected, arguments
        assert len(answer["notes"]) == bool(note), arguments
        assert all(said.startswith(note) for said in answer["notes"]), arguments

    saved = '[[search]]\nid = "un"\nquery = ""\norganization = "ONU"\nemail = "a@news.example"\n'
    (desk.project / "config" / "alerts.toml").write_text(saved, encoding="utf-8")
    services = desk.services()
    (listed,) = overview(services, load_saved_searches(services.settings.config_dir, AlertSettings()))
    assert (listed["articles"], listed["notes"]) == (1, [counts.format("ONU", "United Nations")])

    with TestClient(create_app(desk.services)) as client:
        kept = client.get("/", params={"organizations": "ONU", "places": "New York"}).text
        assert ("1 article<" in kept, "&#39;ONU&#39; counts as &#39;United Nations&#39;" in kept) == (True, True)
        assert "1 article<" in client.get("/", params={"q": "org:ONU"}).text
        suggested = client.get("/complete", params={"q": "onu"}).json()
        assert suggested == [{"name": "United Nations", "type": "organization", "articles": 1}]
        (desk.project / "config" / "entities.toml").write_text("block = [", encoding="utf-8")
        mistaken = client.get("/", params={"q": "grain"})
        assert ("2 articles<" in mistaken.text, "entities.toml has a mistake" in mistaken.text) == (True, True)
