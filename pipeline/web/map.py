"""The map of the search page: where the places that articles name are, in bubbles that narrow the search.

Places are counted by the tiles of the Web Mercator grid (Elasticsearch's ``geotile_grid``); a tile's key
``zoom/x/y`` stands in the page's address. The map itself is a plate carrée: x is longitude + 180 and y is
90 - latitude, both in half degrees, as in ``templates/land.svg``.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from elasticsearch import Elasticsearch

from pipeline.index.client import call
from pipeline.index.templates import Names
from pipeline.search import SearchRequest, to_body

_WORLD_ZOOM, _CLOSE_ZOOM = 6, 8
_MOST_TILES = 150
_NAMES = 3
_WORLD = (0.0, 12.0, 720.0, 288.0)
"""What is seen of the world: x, y, width and height; from 84° north to 60° south."""
_CLOSER = 5
_SMALLEST, _LARGEST = 3.0, 13.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Spot:
    """A tile in which places lie: in how many articles, the names of the most frequent ones, and their middle."""

    tile: str
    articles: int
    names: tuple[str, ...]
    more: bool
    latitude: float
    longitude: float

    @property
    def title(self) -> str:
        """The names, as a link says them."""
        return ", ".join(self.names) + (" and others" if self.more else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Bubble:
    """A spot as it is drawn: middle and radius in the map's units."""

    spot: Spot
    x: float
    y: float
    radius: float


@dataclass(frozen=True, slots=True, kw_only=True)
class WorldMap:
    """What is seen (``view_box`` as in SVG), and the bubbles, the largest first.

    ``area`` is the chosen tile's rectangle (x, y, width, height); None where all the world is seen.
    """

    view_box: str
    bubbles: tuple[Bubble, ...]
    area: tuple[float, float, float, float] | None


def is_tile(key: str) -> bool:
    """Whether a text is the key of a tile.

    >>> is_tile("6/33/20"), is_tile("6/64/20"), is_tile("x")
    (True, False, False)
    """
    match = re.fullmatch(r"(\d{1,2})/(\d{1,6})/(\d{1,6})", key)
    if not match:
        return False
    zoom, x, y = map(int, match.groups())
    return zoom <= 16 and max(x, y) < 2**zoom


def box_of(tile: str) -> tuple[float, float, float, float]:
    """North, west, south and east of a tile, in degrees.

    >>> [round(edge, 2) for edge in box_of("1/0/0")]
    [85.05, -180.0, 0.0, 0.0]
    """
    zoom, x, y = map(int, tile.split("/"))
    tiles = 2**zoom

    def latitude(row: int) -> float:
        return math.degrees(math.atan(math.sinh(math.pi * (1 - 2 * row / tiles))))

    return latitude(y), 360 * x / tiles - 180, latitude(y + 1), 360 * (x + 1) / tiles - 180


def spots(client: Elasticsearch, request: SearchRequest, *, close: bool, wait_seconds: float = 5) -> tuple[Spot, ...]:
    """Where the places of all articles that answer a question are, the most named first.

    ``close`` counts by tiles of 1.4 degrees instead of 5.6. Raises IndexUnavailableError.
    """
    grid = {"field": "places.location", "precision": _CLOSE_ZOOM if close else _WORLD_ZOOM, "size": _MOST_TILES}
    tiles = {
        "geotile_grid": grid,
        "aggs": {
            "middle": {"geo_centroid": {"field": "places.location"}},
            "names": {"terms": {"field": "places.name", "size": _NAMES}},
            "articles": {"reverse_nested": {}},
        },
    }
    body = to_body(replace(request, limit=0, offset=0))
    answer = call(
        lambda: client.search(
            index=Names(request.prefix).articles,
            ignore_unavailable=True,
            size=0,
            track_total_hits=False,
            query=body["query"],
            aggs={"places": {"nested": {"path": "places"}, "aggs": {"tiles": tiles}}},
        ),
        wait_seconds=wait_seconds,
    )
    if "aggregations" not in answer:
        return ()
    return tuple(_spot(bucket) for bucket in answer["aggregations"]["places"]["tiles"]["buckets"])


def _spot(bucket: dict[str, Any]) -> Spot:
    names = bucket["names"]
    return Spot(
        tile=bucket["key"],
        articles=bucket["articles"]["doc_count"],
        names=tuple(name["key"] for name in names["buckets"]),
        more=names["sum_other_doc_count"] > 0,
        latitude=bucket["middle"]["location"]["lat"],
        longitude=bucket["middle"]["location"]["lon"],
    )


def world_map(found: Sequence[Spot], chosen: str | None) -> WorldMap:
    """The map of these spots; where a tile is chosen, of what lies around it. Pure."""
    x, y, width, height = _WORLD
    scale, area = 1.0, None
    if chosen:
        north, west, south, east = box_of(chosen)
        (left, top), (right, bottom) = _on_map(north, west), _on_map(south, east)
        area = (round(left, 2), round(top, 2), round(right - left, 2), round(bottom - top, 2))
        scale = 1 / _CLOSER
        width, height = width * scale, height * scale
        x = min(max((left + right - width) / 2, 0), _WORLD[2] - width)
        y = min(max((top + bottom - height) / 2, _WORLD[1]), _WORLD[1] + _WORLD[3] - height)
    most = max((spot.articles for spot in found), default=1)
    bubbles = []
    for spot in sorted(found, key=lambda spot: (-spot.articles, spot.tile)):
        at_x, at_y = _on_map(spot.latitude, spot.longitude)
        if x <= at_x <= x + width and y <= at_y <= y + height:
            # The area tells the number, and the smallest can still be hit.
            radius = _SMALLEST + (_LARGEST - _SMALLEST) * math.sqrt(spot.articles / most)
            bubbles.append(Bubble(spot=spot, x=round(at_x, 2), y=round(at_y, 2), radius=round(radius * scale, 2)))
    view_box = " ".join(f"{number:g}" for number in (round(x, 2), round(y, 2), width, height))
    return WorldMap(view_box=view_box, bubbles=tuple(bubbles), area=area)


def _on_map(latitude: float, longitude: float) -> tuple[float, float]:
    return 2 * (longitude + 180), 2 * (90 - latitude)
