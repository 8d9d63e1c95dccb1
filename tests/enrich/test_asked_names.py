"""Names that people ask for, read as those of articles are."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.enrich.asked_names import asked_name
from pipeline.enrich.places import locate
from pipeline.enrich.resolution import EntityReview, place_key, read_entity_review
from pipeline.models import EntityType

NOTHING = EntityReview()


@pytest.mark.parametrize(
    ("name", "language"), [("US", "en"), ("the United States", "en"), ("USA", "en"), ("Vereinigte Staaten", "de")]
)
def test_a_country_is_found_by_all_its_names(name: str, language: str) -> None:
    """`--place US` asks for the key that every article has that names the country."""
    assert (
        place_key(locate(["United States"])["United States"])
        in asked_name(EntityType.PLACE, name, NOTHING, language=language).keys
    )


def test_names_in_the_shipped_list_lead_to_the_body(tmp_path: Path) -> None:
    """ONU, U.N. and ООН ask for the United Nations; a name that isn't listed stays as it is and needs no note."""
    review = read_entity_review(Path(__file__).resolve().parents[2] / "config" / "entities.toml")
    for name in ("ONU", "U.N.", "ООН"):
        asked = asked_name(EntityType.ORGANIZATION, name, review)
        assert "organization:united-nations" in asked.keys
        assert asked.names == (name, "United Nations")
        assert asked.note
    plain = asked_name(EntityType.ORGANIZATION, "Boeing Co.", review)
    assert (plain.keys, plain.names, plain.note) == (("organization:boeing",), ("Boeing Co.",), "")
