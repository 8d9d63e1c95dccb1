"""A folder with everything that can be wrong with a file: the good pages get through, the rest is counted by reason."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from installation import NEWS, Installation, article_page, article_text

GOOD = 100
_MOST_MEMORY = 800_000_000
"""Bytes any process of the run may take: a bare one with its libraries takes a quarter of that, 30 MB are read in it,
and a run that held all its pages, or the big one as several strings, would be far beyond."""

_MEASURED = """
import resource, subprocess, sys
done = subprocess.run(sys.argv[1:])
print("PEAK", resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024, file=sys.stderr)
sys.exit(done.returncode)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "inbox"
    (folder / "good").mkdir(parents=True)
    for number in range(GOOD):
        (folder / "good" / f"{number}.html").write_text(article_page(number), encoding="utf-8")
    words = "Grüße aus Brückenburg schickte der Bürgermeister, der zur Feier des Tages über die Brücke ging."
    (folder / "latin1.html").write_bytes(article_page(500, charset="iso-8859-1", words=words).encode("latin-1"))
    (folder / "utf16.html").write_bytes(article_page(501, charset="utf-16", words=words).encode("utf-16"))
    (folder / "empty.html").touch()
    (folder / "huge.txt").write_text(article_text(1) * (30_000_000 // len(article_text(1)) + 1), encoding="utf-8")
    (folder / "picture.html").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 100)
    (folder / "noise.html").write_bytes(os.urandom(50_000))
    (folder / "torn.html.gz").write_bytes(b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03" + os.urandom(500))
    (folder / "menu.html").write_text(
        "<html><head><title>Sport</title></head><body><nav>"
        + "".join(f'<a href="/s/{number}">Item {number}</a> ' for number in range(40))
        + "</nav></body></html>"
    )
    return folder


def ingest(installation: Installation, folder: Path) -> tuple[int, dict[str, Any], int]:
    """`news ingest FOLDER --json`: exit code, its JSON, and the peak memory of its largest process in bytes."""
    done = subprocess.run(
        [sys.executable, "-c", _MEASURED, NEWS, "ingest", str(folder), "--json"],
        env=installation.environment,
        cwd=installation.root,
        capture_output=True,
        text=True,
        check=False,
    )
    peak = next(int(line.split()[1]) for line in done.stderr.splitlines() if line.startswith("PEAK"))
    return done.returncode, json.loads(done.stdout), peak


def test_good_pages_get_through_and_the_rest_is_counted(installation: Installation, folder: Path) -> None:
    """Every file ends in one outcome with its reason; exit code 1 because one failed; memory stays bounded."""
    code, report, peak = ingest(installation, folder)
    ended = {Path(item["ref"]).name: (item["outcome"], item["reason"]) for item in report["items"]}
    good = {f"{number}.html" for number in range(GOOD)} | {"latin1.html", "utf16.html"}
    assert {name: end for name, end in ended.items() if name in good} == dict.fromkeys(good, ("indexed", None))
    assert ended["empty.html"] == ("rejected", "empty")
    assert ended["huge.txt"] == ("rejected", "too_large")
    assert ended["picture.html"] == ended["noise.html"] == ("rejected", "binary")
    assert ended["torn.html.gz"] == ("failed", "broken_compression")
    assert ended["menu.html"][0] == "rejected"
    assert ended["menu.html"][1] in ("no_text", "too_short", "section_page", "not_an_article")
    assert len(ended) == len(report["items"]) == report["discovered"] == GOOD + 8
    assert report["balanced"]
    assert report["status"] == "partial"
    assert code == 1
    assert report["outcomes"]["indexed"] == GOOD + 2
    assert sum(report["reasons"].values()) == 6
    assert peak < _MOST_MEMORY

    documents = installation.documents()
    assert len(documents) == GOOD + 2
    for number in (500, 501):
        [document] = [d for d in documents.values() if str(d.get("canonical_url")).endswith(f"/{number}")]
        assert "Grüße aus Brückenburg" in document["body"]


def test_what_failed_stands_in_quarantine_with_the_way_back(installation: Installation, folder: Path) -> None:
    """The broken file is in the quarantine index with its reason and the command that tries it again."""
    from elasticsearch import Elasticsearch

    ingest(installation, folder)
    with Elasticsearch(installation.elasticsearch_url) as client:
        client.indices.refresh(index=f"{installation.prefix}-quarantine")
        [hit] = client.search(index=f"{installation.prefix}-quarantine")["hits"]["hits"]
    assert "broken_compression" in json.dumps(hit["_source"])
    assert "torn.html.gz" in json.dumps(hit["_source"])
    assert "news ingest" in json.dumps(hit["_source"])
