"""Every folder of tests/data/plaintext is a scraped text, and which of its lines are story, captions and furniture."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipeline.extract.plaintext import clean

CASES = sorted((Path(__file__).parents[1] / "data" / "plaintext").glob("*/expected.json"))


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.parent.name)
def test_case(path: Path) -> None:
    """Each line of the text is where ``expected.json`` wants it (see the ``why`` there)."""
    wanted = json.loads(path.read_text(encoding="utf-8"))
    cleaned = clean((path.parent / "page.txt").read_bytes().decode("utf-8"))
    assert cleaned.headline == wanted["headline"]
    assert [line for line in cleaned.body.split("\n") if line] == wanted["story"]
    assert list(cleaned.captions) == wanted["captions"]
    assert sorted(piece.text for piece in cleaned.removed) == sorted(wanted["removed"])
