"""Where a place name is: countries, first-level regions and cities, told apart by the rest of the article.

The gazetteer is ``data/places.json.gz``, made from GeoNames (CC BY 4.0, geonames.org), ISO 3166-2 and CLDR. A name that
could be several places stays unresolved unless the article or the sizes of the candidates speak clearly for one.
"""

from __future__ import annotations

import gzip
import json
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from typing import Any

from pipeline.enrich.inflection import base_forms
from pipeline.models import Place

COUNTRY_NAMES = {
    "AE": "UAE, Emirates", "BA": "Bosnia, Bosnia-Herzegovina, Herzegovina", "BN": "Brunei Darussalam",
    "CD": "Democratic Republic of Congo, DR Congo, DRC, Congo-Kinshasa, Zaire, Congo", "CG": "Republic of Congo, "
    "Congo-Brazzaville", "CI": "Cote d'Ivoire, Côte d'Ivoire", "CN": "People's Republic of China, PRC, Mainland China",
    "CV": "Cape Verde, Cabo Verde", "CZ": "Czech Republic, Czechia", "DE": "Federal Republic of Germany",
    "FK": "Falklands, Malvinas", "FM": "Micronesia", "GB": "UK, U.K., Britain, Great Britain",
    "HK": "Hong Kong", "IE": "Republic of Ireland", "IR": "Islamic Republic of Iran",
    "KP": "North Korea, DPRK, N. Korea, N Korea", "KR": "South Korea, Republic of Korea, S. Korea, S Korea",
    "LA": "Laos", "MK": "Macedonia", "MM": "Burma", "MO": "Macau", "NL": "Netherlands, Holland",
    "PS": "Palestine, Palestinian Territories", "RU": "Russian Federation", "SY": "Syrian Arab Republic",
    "SZ": "Swaziland, Eswatini", "TL": "East Timor", "TR": "Türkiye, Turkiye", "TW": "Republic of China",
    "US": "U.S., US, U.S, USA, U.S.A., United States of America, America", "VA": "Holy See, Vatican City, Vatican",
    "VN": "Viet Nam",
}  # fmt: skip
"""Names of countries that newspapers use beside the gazetteer's own."""

NATIONS = (
    (6269131, "England", "London"), (2638360, "Scotland", "Edinburgh"), (2634895, "Wales", "Cardiff"),
    (2641364, "Northern Ireland", "Belfast"),
)  # fmt: skip
"""The parts of the United Kingdom: GeoNames id, name, the city whose point is theirs."""

AREAS = (
    ("Siberia", "RU", "Novosibirsk", "Сибирь, Sibirien, Sibéria, Sibir, Siperia"),
    ("Donbas", "UA", "Donetsk", "Donbass, Донбасс, Донбас"),
    ("West Bank", "PS", "Ramallah", "Westjordanland, Cisjordânia, Vestbredden, Västbanken, Западный берег, Länsiranta"),
    ("Gaza Strip", "PS", "Gaza", "Gazastreifen, Faixa de Gaza, Сектор Газа, Gazaremsan, Gazastriben, Gazastripa"),
    ("South Ossetia", "GE", "Tskhinvali", "Südossetien, Ossétia do Sul, Южная Осетия"),
    ("Nagorno-Karabakh", "AZ", "Xankandi", "Bergkarabach, Нагорный Карабах"),
    ("Transnistria", "MD", "Tiraspol", "Transnistrien, Приднестровье"),
    ("Darfur", "SD", "Nyala", ""),
    ("Zanzibar", "TZ", "Zanzibar", ""),
    ("Lesbos", "GR", "Mytilene", "Lesvos"),
    ("Rhodes", "GR", "Rodos", ""),
    ("Chios", "GR", "Chios", ""),
    ("Mallorca", "ES", "Palma", "Majorca"),
    ("Tenerife", "ES", "Santa Cruz de Tenerife", ""),
    ("Long Island", "US", "Levittown", ""),
    ("Lapland", "FI", "Rovaniemi", "Lappland, Lappi"),
)  # fmt: skip
"""Areas much in the news that are no first-level region: name, country, the city whose point is theirs, other names."""

COUNTIES = {
    "Bedfordshire": "Bedford", "Berkshire": "Reading", "Buckinghamshire": "Aylesbury", "Cambridgeshire": "Cambridge",
    "Cheshire": "Chester", "Cornwall": "Truro", "Cumbria": "Carlisle", "Derbyshire": "Derby", "Devon": "Exeter",
    "Dorset": "Poole", "Essex": "Chelmsford", "Gloucestershire": "Gloucester", "Hampshire": "Southampton",
    "Herefordshire": "Hereford", "Hertfordshire": "Watford", "Kent": "Maidstone", "Lancashire": "Preston",
    "Leicestershire": "Leicester", "Lincolnshire": "Lincoln", "Merseyside": "Liverpool", "Norfolk": "Norwich",
    "Northamptonshire": "Northampton", "Nottinghamshire": "Nottingham", "Oxfordshire": "Oxford",
    "Shropshire": "Shrewsbury", "Somerset": "Taunton", "Staffordshire": "Stafford", "Suffolk": "Ipswich",
    "Surrey": "Guildford", "Sussex": "Brighton", "Warwickshire": "Coventry", "Wiltshire": "Swindon",
    "Worcestershire": "Worcester", "Yorkshire": "Leeds",
}  # fmt: skip
"""Counties of England, and the town whose point is theirs."""

STATES = {
    "AL": "Ala.", "AZ": "Ariz.", "AR": "Ark.", "CA": "Calif., Cal.", "CO": "Colo.", "CT": "Conn.", "DE": "Del.",
    "DC": "D.C.", "FL": "Fla.", "GA": "Ga.", "IL": "Ill.", "IN": "Ind.", "KS": "Kan.", "KY": "Ky.", "LA": "La.",
    "MD": "Md.", "MA": "Mass.", "MI": "Mich.", "MN": "Minn.", "MS": "Miss.", "MO": "Mo.", "MT": "Mont.", "NE": "Neb.",
    "NV": "Nev.", "NH": "N.H.", "NJ": "N.J.", "NM": "N.M.", "NY": "N.Y.", "NC": "N.C.", "ND": "N.D.", "OK": "Okla.",
    "OR": "Ore.", "PA": "Pa.", "RI": "R.I.", "SC": "S.C.", "SD": "S.D.", "TN": "Tenn.", "TX": "Tex.", "VT": "Vt.",
    "VA": "Va.", "WA": "Wash.", "WV": "W.Va.", "WI": "Wis.", "WY": "Wyo.",
}  # fmt: skip
"""American states as newspapers abbreviate them, always with a dot."""

_VOICED = "\u3099\u309a"
"""Marks that make another letter of a Japanese one; they are no accents."""

_DECISIVE = 5.0
"""A city so many times larger than the next of its name is meant unless the article speaks for another."""

_SMALL = 100_000
"""Cities below this are taken only where the article names their country, state or a neighbour."""


@dataclass(frozen=True, slots=True)
class _Candidate:
    place: Place
    population: int
    state: str
    own_name: bool
    names: int = 1

    @property
    def weight(self) -> float:
        """Inhabitants; more for a city with names in many languages, less where the name is not the usual one."""
        return self.population * max(1.0, self.names / 8) * (1 if self.own_name else 0.1)


_FAMOUS = 20
"""A city with names in so many languages is known all over the world."""

_FAR = 500_000
"""Where an article is about other countries, a city is taken only if it weighs more than this."""

_TOWN = 30_000
"""Smaller ones are called like anything: Mustang, Alamo."""

_KNOWN_COUNTRY = 5_000_000
"""Regions of countries that have fewer inhabitants are taken only where the article names the country."""


def fold(name: str) -> str:
    """A name without accents, case, dots and doubled blanks, for comparing."""
    plain = "".join(c for c in unicodedata.normalize("NFKD", name) if not unicodedata.combining(c) or c in _VOICED)
    plain = plain.replace("’", "'").replace("ı", "i").casefold()
    return " ".join(re.sub(r"[.,]", "", plain).split()).removeprefix("the ")


def locate(names: Sequence[str], *, source_country: str | None = None, language: str = "en") -> dict[str, Place]:
    """The places that the names of one article mean, by name; ambiguous and unknown names are left out.

    A name may have what stands behind it in the text: "Paris, Texas". ``source_country`` (ISO code) counts as a
    country of the article, but less than a named one. ``language`` is that of the article: names are looked up as it
    spells and inflects them.
    """
    found: dict[str, Place] = {}
    areas = {name: fold(_spelled_out(name.partition(", ")[2])) for name in names}
    candidates = {name: _options(name.partition(", ")[0], language) for name in names}
    plain = {fold(name.partition(", ")[0]) for name in names}
    for name, options in candidates.items():
        countries = [option for option in options if option.place.kind == "country"]
        if countries and not (_is_georgia(options) and _speaks_for_us_state(candidates, plain)):
            found[name] = countries[0].place
    named = {place.country for place in found.values()}
    states: set[str | None] = set()
    # Two rounds: cities that are beyond doubt tell of the countries of the others.
    for _ in range(2):
        for name, options in candidates.items():
            if name in found or not options:
                continue
            place = _choose(options, named, states, areas[name], source_country)
            if place is not None:
                found[name] = place
        named |= {place.country for place in found.values()}
        states |= {place.region for place in found.values() if place.kind == "region" and place.country == "US"}
    return found


def _options(name: str, language: str) -> tuple[_Candidate, ...]:
    """What a name can mean: as the language's own name of a country or city, else as any name; then uninflected.

    A form that is some village's name gives way to one that is a larger place's.
    """
    gazetteer, own = _gazetteer(), _names_in(language)
    if (state := _spelled_out(name)) != name:
        return tuple(o for o in gazetteer[fold(state)] if o.place.kind == "region" and o.place.country == "US")
    weak: tuple[_Candidate, ...] = ()
    for form in (name, *base_forms(name, language)):
        folded = fold(form)
        options = own.get(folded) or gazetteer.get(folded, ())
        if folded in own or any(o.own_name and o.population >= _SMALL for o in options):
            return options
        weak = weak or options
        if not weak and (bare := _DIVISION.sub("", folded)) != folded:
            weak = tuple(o for o in gazetteer.get(bare, ()) if o.place.kind == "region")  # "Lagos State"
    return weak


_DIVISION = re.compile(" (?:state|province|county|governorate|prefecture)$")


def countries_of(places: Iterable[tuple[Place, int]]) -> tuple[str, ...]:
    """ISO codes of the countries of places with their numbers of mentions, the most mentioned first."""
    counts: dict[str, int] = {}
    for place, count in places:
        counts[place.country] = counts.get(place.country, 0) + count
    return tuple(sorted(counts, key=lambda code: (-counts[code], code)))


def country_key(name: str, language: str = "en") -> str | None:
    """The key of the country that a name is a usual one of, in English or ``language``; None for other names.

    Countries alone are looked up: the whole gazetteer takes seconds to load.
    """
    return _country_keys("en").get(fold(name)) or _country_keys(language).get(fold(name))


@cache
def _country_keys(language: str) -> dict[str, str]:
    content = _content()
    numbers = {str(row[0]): row[2] for row in content["countries"]}
    if language == "en":
        named = [(name, code) for code, names in _country_names().items() for name in names]
    else:
        named = list(content["names"].get(language, {"countries": {}})["countries"].items())
    return {fold(name): f"place:{numbers[code]}" for name, code in named if numbers.get(code)}


def is_country(name: str, language: str = "en") -> bool:
    """Whether a name is that of a country."""
    return any(option.place.kind == "country" for option in _options(name, language))


def is_listed(name: str, language: str = "en") -> bool:
    """Whether the gazetteer has any place of this name."""
    return bool(_options(name, language))


def is_known(name: str, language: str = "en") -> bool:
    """Whether the gazetteer has a place of this name that is larger than a town."""
    return any(o.population >= _SMALL or o.place.kind == "country" for o in _options(name, language))


@cache
def names_of_places(language: str) -> Mapping[str, str]:
    """What a text in ``language`` calls countries and large cities, each with the kind of place it is.

    Countries, and cities that stand for a time zone, under the language's own names (CLDR); in languages written in
    Latin letters also the other cities of half a million inhabitants, under the name that GeoNames gives first. Cities
    called like people (Sofía) only from two millions. Empty for languages that the gazetteer has no names in.
    """
    names = _content()["names"].get(language)
    if names is None:
        return {}
    found = dict.fromkeys(names["countries"], "country")
    latin = sum(name[0].isascii() for name in found) > len(found) / 2
    people = set(_content()["called_like_people"])
    large = {row[0]: row for row in _content()["cities"] if row[3] >= 500_000}
    cities = [*((str(row[6][0]), number) for number, row in large.items() if latin), *names["cities"].items()]
    for name, number in cities:
        if name not in people or (number in large and large[number][3] >= 2_000_000):
            found.setdefault(name, "city")
    return found


def country_name(code: str) -> str | None:
    """The usual English name of the country with this ISO 3166-1 alpha-2 code."""
    names = _country_names().get(code)
    return names[0] if names else None


@cache
def demonyms() -> frozenset[str]:
    """English words for peoples, their languages and creeds, which are no places."""
    text = (files("pipeline.enrich") / "data" / "demonyms.txt").read_text(encoding="utf-8")
    return frozenset(filter(None, text.splitlines()))


def _in_named_states(options: Sequence[_Candidate], states: set[str | None]) -> Sequence[_Candidate]:
    """Of American towns of one name those in states that the article names, if there are any: Decatur, Georgia."""
    within = [o for o in options if o.place.kind == "city" and f"US-{o.state}" in states]
    if not within:
        return options
    return [o for o in options if o in within or o.place.kind != "city" or o.place.country != "US"]


def _choose(
    options: Sequence[_Candidate],
    named: set[str],
    named_states: set[str | None],
    neighbour: str,
    source_country: str | None,
) -> Place | None:
    if neighbour:
        near = [o for o in options if neighbour in _names_of_area(o)]
        if near:
            return max(near, key=lambda o: o.population).place
    options = _in_named_states(options, named_states)
    states = [o for o in options if o.place.kind == "region"]
    options = [o for o in options if o.place.kind == "city"]
    # A region and a city of the same name and country: the city, unless it is a smaller one in the United States.
    cities = {o.place.country for o in options if o.own_name and o.population >= _SMALL and o.place.country != "US"}
    states = [o for o in states if o.place.country not in cities]
    # Nor a region elsewhere of the name of a city that is known in many languages, such as Gaza.
    if any(o.own_name and o.names >= _FAMOUS and o.population >= _SMALL for o in options):
        states = [o for o in states if o.place.country in {"US"} | named]
    # Parishes of Jamaica say nothing about Manchester and Westmoreland unless Jamaica is named.
    states = [o for o in states if o.population >= _KNOWN_COUNTRY or o.place.country in named]
    if states:
        options = [o for o in options if o.own_name]
        american = [o for o in states if o.place.country == "US"]
        near = [o for o in states if o.place.country in named and o.place.country != "US"]
        if len(near) == 1 and not any(o.place.country in named for o in options):
            return near[0].place
        # "Washington" and "New York" are cities first.
        if max((o.population for o in options), default=0) < 500_000:
            near = [o for o in states if o.place.country in named] or american
            if len(near) == 1:
                return near[0].place
            # Elsewhere a region is meant where nothing else is called so.
            rivals = [o for o in options if o.population >= _SMALL and o.place.country != states[0].place.country]
            if len(states) == 1 and states[0].population >= _KNOWN_COUNTRY and not rivals:
                return states[0].place
        options = [o for o in options if o.population >= 500_000 or o.place.country in named]
    if not options:
        return None
    fits = [o for o in options if o.place.country in named and (o.own_name or o.population >= 500_000)]
    # The United States are named in most articles: their towns need a state, or to be the only ones of their name.
    least = _TOWN if len(options) == 1 else _SMALL
    fits = [o for o in fits if o.place.country != "US" or o.population >= least or f"US-{o.state}" in named_states]
    if not fits and source_country:
        fits = [o for o in options if o.place.country == source_country and o.population >= _SMALL]
    largest = sorted(options, key=lambda o: -o.weight)
    first, second = largest[0], largest[1].weight if len(largest) > 1 else 0
    # Other names of cities are often odd transliterations: only the largest cities are known by them.
    large = first.weight >= _SMALL if first.own_name else first.population >= 500_000
    decisive = large and first.weight >= _DECISIVE * second
    far = first.weight < _FAR and first.names < _FAMOUS
    decisive = decisive and not (far and named and first.place.country not in named)
    if decisive and (not fits or first in fits or first.weight >= 2 * _DECISIVE * second):
        return first.place
    fits.sort(key=lambda o: -o.population)
    if fits and (len(fits) == 1 or fits[0].population >= 3 * fits[1].population):
        return fits[0].place
    return None


def _speaks_for_us_state(candidates: Mapping[str, Sequence[_Candidate]], names: set[str]) -> bool:
    if names & {"russia", "tbilisi", "abkhazia", "south ossetia", "armenia", "azerbaijan", "moscow"}:
        return False
    return any(o.place.kind == "region" for os in candidates.values() if not _is_georgia(os) for o in os) or bool(
        names & {"atlanta", "savannah"}
    )


def _is_georgia(options: Sequence[_Candidate]) -> bool:
    return any(o.place.country == "GE" and o.place.kind == "country" for o in options)


def _spelled_out(name: str) -> str:
    return _state_names().get(_abbreviated().get(name, ""), name)


@cache
def _abbreviated() -> dict[str, str]:
    return {short: code for code, names in STATES.items() for short in names.split(", ")}


def _names_of_area(option: _Candidate) -> set[str]:
    country, state = option.place.country, option.state
    if country == "GB":
        return {fold(name) for name in (*_country_names()["GB"], *(nation for _, nation, _ in NATIONS))}
    return {fold(name) for name in (*_country_names().get(country, ()), country, state, _state_names().get(state, ""))}


@cache
def _content() -> dict[str, Any]:
    data = (files("pipeline.enrich") / "data" / "places.json.gz").read_bytes()
    content: dict[str, Any] = json.loads(gzip.decompress(data))
    return content


@cache
def _country_names() -> dict[str, tuple[str, ...]]:
    extra = {code: tuple(n.strip() for n in names.split(",")) for code, names in COUNTRY_NAMES.items()}
    return {str(row[0]): (str(row[1]), *extra.get(str(row[0]), ())) for row in _content()["countries"]}


@cache
def _state_names() -> dict[str, str]:
    return {str(row[0]): str(row[1]) for row in _content()["us_states"]}


@cache
def _gazetteer() -> dict[str, tuple[_Candidate, ...]]:
    """Folded names to what they can mean, countries first."""
    content = _content()
    found: dict[str, list[_Candidate]] = {}
    capitals: dict[tuple[str, str], tuple[float | None, float | None]] = {}
    centres: dict[str, list[float]] = {}
    cities: list[tuple[str, _Candidate]] = []
    for number, country, state, population, latitude, longitude, names in content["cities"]:
        place = Place(
            geonames_id=number, name=names[0], kind="city", country=country, latitude=latitude, longitude=longitude
        )
        for position, name in enumerate(names):
            # Other names of small cities are mostly transliterations that read like somebody's surname.
            if position == 0 or population >= _SMALL:
                area = state if country == "US" else ""
                own = position == 0 or names[0] in (f"{name} City", f"{name} upon Tyne", f"{name} am Main")
                cities.append((fold(name), _Candidate(place, population, area, own, len(names))))
            key = (country, fold(name))
            if key not in capitals or position == 0:
                capitals.setdefault(key, (latitude, longitude))
        if country == "US":
            sums = centres.setdefault(state, [0.0, 0.0, 0.0])
            for index, value in enumerate((latitude, longitude, 1.0)):
                sums[index] += value * population
    for code, name, number, capital, population, _ in content["countries"]:
        point = capitals.get((code, fold(str(capital))), (None, None))
        place = Place(
            geonames_id=number, name=name, kind="country", country=code, latitude=point[0], longitude=point[1]
        )
        for other in _country_names()[code]:
            found.setdefault(fold(other), []).insert(0, _Candidate(place, population, "", True))
    largest: dict[str, int] = {str(row[0]): int(row[4]) for row in content["countries"]}
    for code, latitude, longitude, names in content["regions"]:
        country = str(code)[:2]
        place = Place(
            geonames_id=None, region=code, name=names[0], kind="region", country=country, latitude=latitude,
            longitude=longitude,
        )  # fmt: skip
        for name in {fold(other) for other in names}:
            found.setdefault(name, []).append(_Candidate(place, largest.get(country, 0), "", True))
    counties = [(name, "GB", city, "") for name, city in COUNTIES.items()]
    for name, country, city, others in (*AREAS, *counties):
        point = capitals.get((country, fold(city)), (None, None))
        place = Place(
            geonames_id=None, name=name, kind="region", country=country, latitude=point[0], longitude=point[1]
        )
        for other in {fold(other) for other in (name, *filter(None, others.split(", ")))}:
            found.setdefault(other, []).append(_Candidate(place, largest[country], "", True))
    for code, name, number in content["us_states"]:
        total = centres.get(str(code))
        place = Place(
            geonames_id=int(str(number)),
            region=f"US-{code}",
            name=str(name),
            kind="region",
            country="US",
            latitude=round(total[0] / total[2], 4) if total else None,
            longitude=round(total[1] / total[2], 4) if total else None,
        )
        found.setdefault(fold(str(name)), []).append(_Candidate(place, largest["US"], str(code), True))
    for number, name, city in NATIONS:
        point = capitals[("GB", fold(city))]
        place = Place(geonames_id=number, name=name, kind="region", country="GB", latitude=point[0], longitude=point[1])
        found.setdefault(fold(name), []).append(_Candidate(place, largest["GB"], "", True))
    for name, candidate in cities:
        options = found.setdefault(name, [])
        if all(option.place.geonames_id != candidate.place.geonames_id for option in options):
            options.append(candidate)
    return {name: tuple(options) for name, options in found.items()}


@cache
def _names_in(language: str) -> dict[str, tuple[_Candidate, ...]]:
    """Folded names in a language other than English to the country or city they mean."""
    names = _content()["names"].get(language)
    if names is None:
        return {}
    by_id = {option.place.geonames_id: option for options in _gazetteer().values() for option in options}
    numbers = {str(row[0]): row[2] for row in _content()["countries"]}
    found: dict[str, tuple[_Candidate, ...]] = {}
    for name, number in names["cities"].items():
        if number in by_id:
            found[fold(name)] = (replace(by_id[number], own_name=True),)
    for name, code in names["countries"].items():
        if (number := numbers.get(code)) in by_id:
            found[fold(name)] = (by_id[number],)
    return found
