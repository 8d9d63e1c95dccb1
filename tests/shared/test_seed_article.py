"""The first article this project was asked about, from file to search."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from installation import SEED, Installation, installation_in

pytestmark = pytest.mark.shared

HEADLINE = "Russia calls for end to North Korea sanctions amid Lavrov-Kim meeting"


@dataclass(frozen=True)
class Ingested:
    installation: Installation
    file: Path
    report: dict[str, Any]
    document: dict[str, Any]


@pytest.fixture(scope="module")
def seed(tmp_path_factory: pytest.TempPathFactory, elasticsearch_url: str) -> Iterator[Ingested]:
    files = sorted(SEED.glob("*.txt"))
    with installation_in(tmp_path_factory.mktemp("seed"), elasticsearch_url) as installation:
        installation.write_config()
        report = installation.news_json("ingest", *map(str, files))
        [file] = [file for file in files if file.read_text(encoding="utf-8").startswith(HEADLINE)]
        [item] = [item for item in report["items"] if item["ref"] == str(file)]
        yield Ingested(installation, file, report, installation.news_json("show", item["id"]))


def words(text: str) -> str:
    return " ".join(text.split())


def test_it_is_found_by_its_names(seed: Ingested) -> None:
    """`news search "Lavrov Pyongyang"` finds it, first."""
    answer = seed.installation.news_json("search", "Lavrov Pyongyang")
    assert answer["hits"][0]["headline"] == HEADLINE
    assert answer["hits"][0]["id"] == seed.document["id"]


def test_it_is_found_by_stems(seed: Ingested) -> None:
    """`news search "meeting summit sanctioned"` finds it, though it says "sanctions"."""
    assert not re.search(r"\bsanctioned\b", seed.file.read_text(encoding="utf-8"))
    answer = seed.installation.news_json("search", "meeting summit sanctioned")
    assert seed.document["id"] in [hit["id"] for hit in answer["hits"]]


def test_its_fields_are_right(seed: Ingested) -> None:
    """The headline is the first line, the language English, and no date is made up."""
    assert seed.report["status"] == "succeeded"
    assert seed.document["headline"] == HEADLINE
    assert seed.document["language"] == "en"
    assert "published_at" not in seed.document
    assert seed.document["timestamp_basis"] == "first_seen"


def test_furniture_goes_and_is_kept_aside(seed: Ingested) -> None:
    """ "Scroll down for video" and the source line are not in the body; the document still holds them."""
    body = seed.document["body"]
    removed = " ".join(piece["text"] for piece in seed.document["removed"])
    for furniture in ("Scroll down for video", "Source: Read Full Article"):
        assert furniture not in body
        assert furniture in removed


def test_every_sentence_of_the_story_is_there(seed: Ingested) -> None:
    """Whatever stands in the file is in headline, description or body, except furniture and captions, kept aside."""
    document = seed.document
    body = words(document["body"])
    kept = words(" ".join([document["headline"], document.get("description", ""), document["body"]]))
    aside = words(" ".join([*(p["text"] for p in document["removed"]), *document.get("captions", [])]))
    for line in seed.file.read_text(encoding="utf-8").splitlines():
        text = words(line.strip().removeprefix("•"))
        assert text in kept or text in aside, text
    # Prose ends with a full stop (or a quotation that does); none of it is taken for a caption.
    prose = [
        words(line)
        for line in seed.file.read_text(encoding="utf-8").splitlines()
        if re.search(r"[.’]\s*$", line.replace("’s", "")) and "." in line
    ]
    assert len(prose) >= 14
    for paragraph in prose:
        assert paragraph in body, paragraph


def test_captions_stand_alone(seed: Ingested) -> None:
    """A caption between two paragraphs is no part of the running text, and is kept as a caption."""
    caption = "Russian Foreign Minister Sergei Lavrov (front) steps off a plane at Pyongyang on Thursday"
    assert caption not in seed.document["body"]
    assert caption in [words(text) for text in seed.document["captions"]]


def test_a_second_time_it_is_unchanged(seed: Ingested) -> None:
    """Ingesting it again changes nothing."""
    before = seed.installation.documents()
    again = seed.installation.news_json("ingest", str(seed.file))
    assert [item["outcome"] for item in again["items"]] == ["unchanged"]
    assert seed.installation.documents() == before
