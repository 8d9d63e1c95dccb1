"""The development set kept beside the repository, ingested as a folder: what is in the articles can be found."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from installation import REPOSITORY, installation_in

from pipeline.search import SearchRequest, search

DEVELOPMENT_SET = REPOSITORY.parent / "shared" / "extract"
PAGES = 60
_SENTENCE = re.compile(r"(?:[^.!?\n]|[.!?](?=\S))+[.!?](?=\s|$)")


@pytest.mark.shared
def test_pages_are_found_by_sentences_from_their_middle(tmp_path: Path, elasticsearch_url: str) -> None:
    """A reader who remembers a sentence of an article finds the article; the report tells the time of each stage."""
    truths = {
        path.stem: json.loads(path.read_text(encoding="utf-8"))
        for path in sorted((DEVELOPMENT_SET / "ground-truth").glob("*.json"))[:PAGES]
    }
    pages = tmp_path / "pages"
    pages.mkdir()
    for name in truths:
        (pages / f"{name}.html.gz").symlink_to(DEVELOPMENT_SET / "html" / f"{name}.html.gz")
    with installation_in(tmp_path, elasticsearch_url) as installation:
        installation.write_config()
        report = installation.news_json("ingest", str(pages))
        assert report["balanced"]
        assert {"archive", "extract", "enrich", "index"} <= report["stage_seconds"].keys()
        ids = {Path(item["ref"]).name.partition(".")[0]: item["id"] for item in report["items"]}
        services = installation.services()
        ranks: list[int | None] = []
        for name, truth in truths.items():
            text = truth["ground_truth"]["main_content"] or ""
            if truth["_internal"]["page_type"]["primary"] != "article" or not (sentence := middle_sentence(text)):
                continue
            request = SearchRequest(query=sentence, limit=5, prefix=installation.prefix)
            hits = [hit.id for hit in search(services.elasticsearch, request).hits]
            ranks.append(hits.index(ids[name]) if ids[name] in hits else None)
        # Once through the command that readers use.
        answer = installation.news_json("search", sentence, "--limit", "5")
        assert ids[name] in [hit["id"] for hit in answer["hits"]]
    assert len(ranks) > 30
    # All words must be met, so an apostrophe written otherwise, or a paragraph that extraction left out, is a miss.
    assert ranks.count(0) / len(ranks) >= 0.9


def middle_sentence(text: str) -> str | None:
    """The words of the sentence of 8 to 30 words that is nearest to the middle of a text."""
    found = [match for match in _SENTENCE.finditer(text) if 8 <= len(match[0].split()) <= 30]
    nearest = min(found, key=lambda match: abs(match.start() + match.end() - len(text)), default=None)
    return " ".join(re.findall(r"[^\W_]+(?:['’][^\W_]+)*", nearest[0])).lower() if nearest else None
