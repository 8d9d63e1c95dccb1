"""Places by the gazetteer alone, in languages without an entity model: right ones, or none."""

from __future__ import annotations

import pytest

from pipeline.enrich.place_names import find_places


@pytest.mark.parametrize(
    ("language", "text", "expected"),
    [
        ("fr", "Le ministre s’est rendu à Moscou. L’Allemagne et les États-Unis attendent.",
         ["Moscou", "Allemagne", "États-Unis"]),
        ("es", "En Barcelona llueve. México y la Ciudad de México esperan a EE. UU.",
         ["Barcelona", "México", "Ciudad de México", "EE. UU."]),
        ("it", "A Roma il governo, a Milano la borsa.", ["Roma", "Milano"]),
        ("tr", "İstanbul'da yağmur var, Rusya bekliyor.", ["İstanbul", "Rusya"]),
        ("uk", "Росія і США домовилися, Київ чекає.", ["Росія", "США", "Київ"]),
        ("ar", "زار الرئيس موسكو وباريس، والصين ترفض.", ["موسكو", "باريس", "الصين"]),
        ("ko", "미국과 북한은 싱가포르에서 만났다.", ["미국", "북한", "싱가포르"]),
        ("ja", "米国とロシアの外相が会談した。", ["米国", "ロシア"]),
        ("hi", "भारत और पाकिस्तान के बीच बातचीत।", ["भारत", "पाकिस्तान"]),
    ],
)  # fmt: skip
def test_countries_and_large_cities_are_found(language: str, text: str, expected: list[str]) -> None:
    """Names as the language writes them, with offsets that give the text back."""
    found = find_places(text, language)
    assert [mention.text for mention in found] == expected
    assert all(text[m.start : m.end] == m.text and m.type == "place" for m in found)


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("fr", "Paris Hilton et Michael Jordan sont là. Le Paris Saint-Germain a gagné contre l’Inter Milan."),
        ("es", "El Real Madrid ganó. La reina Sofía sonríe. Santiago Abascal habla."),
        ("fr", "L’Irlande du Nord vote."),
        ("ca", "Medan el president arriba."),
        ("zh-cn", "发展中国家的经济增长很快。"),
        ("th", "ประเทศไทย"),
        ("xx", "Paris, France"),
        ("und", "Moscow"),
    ],
)
def test_persons_clubs_and_common_words_are_no_places(language: str, text: str) -> None:
    """What may be part of another name is left out, and so are languages that the gazetteer doesn't know."""
    assert find_places(text, language) == ()
