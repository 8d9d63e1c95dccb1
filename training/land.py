"""The land of the search page's map, as an SVG path.

    python -m training.land land-110m.json pipeline/web/templates/land.svg

The outlines are Natural Earth's (1:110 million, public domain), in the TopoJSON of the npm package world-atlas 2.0.2
(`npm pack world-atlas`). Plate carrée: x is longitude + 180, y is 90 - latitude, both in half degrees.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any

Point = tuple[float, float]

_WIDTH = 720
_TOLERANCE = 0.7
_LEAST_AREA = 6
_LOWEST = 300  # 60° south: nobody reports from Antarctica


def main() -> None:
    """Read the TopoJSON, write the path."""
    source, target = map(Path, sys.argv[1:3])
    topology = json.loads(source.read_text(encoding="utf-8"))
    rings = [
        simplified(ring)
        for geometry in topology["objects"]["land"]["geometries"]
        for polygon in geometry["arcs"]
        for arcs in polygon
        for ring in within_the_world(ring_of(topology, arcs))
    ]
    kept = [ring for ring in rings if area(ring) >= _LEAST_AREA and min(y for _, y in ring) < _LOWEST]
    path = "".join(as_path(ring) for ring in kept)
    origin = "{# Made by training/land.py from Natural Earth, which is in the public domain. #}"
    target.write_text(f'{origin}\n<path class="land" d="{path}"/>\n', encoding="utf-8")
    print(f"{target}: {len(kept)} of {len(rings)} outlines, {target.stat().st_size} bytes")


def ring_of(topology: dict[str, Any], arcs: Sequence[int]) -> list[Point]:
    """A ring's points, its arcs joined (TopoJSON: deltas of integers; ~n is arc n backwards)."""
    scale, shift = topology["transform"]["scale"], topology["transform"]["translate"]
    points: list[Point] = []
    for number in arcs:
        deltas = topology["arcs"][~number if number < 0 else number]
        steps = accumulate(deltas, lambda at, step: (at[0] + step[0], at[1] + step[1]))
        found = [(2 * (x * scale[0] + shift[0] + 180), 2 * (90 - y * scale[1] - shift[1])) for x, y in steps]
        points += (found[::-1] if number < 0 else found)[1 if points else 0 :]
    return points


def within_the_world(ring: Sequence[Point]) -> list[list[Point]]:
    """The ring; twice, at both edges, where it crosses the date line (what sticks out, the picture cuts off)."""
    whole = [ring[0]]
    for x, y in ring[1:]:
        jump = x - whole[-1][0]
        whole.append((x - _WIDTH * round(jump / _WIDTH), y))
    xs = [x for x, _ in whole]
    shifts = (-_WIDTH, 0, _WIDTH)
    return [[(x + by, y) for x, y in whole] for by in shifts if max(xs) + by > 1 and min(xs) + by < _WIDTH - 1]


def simplified(ring: Sequence[Point]) -> list[Point]:
    """Fewer points, none of the others farther from the line than the tolerance (Douglas and Peucker, 1973)."""
    if len(ring) < 3:
        return list(ring)
    first, last = ring[0], ring[-1]
    distances = [distance(point, first, last) for point in ring[1:-1]]
    farthest = max(range(len(distances)), key=distances.__getitem__)
    if distances[farthest] <= _TOLERANCE:
        return [first, last]
    return simplified(ring[: farthest + 2])[:-1] + simplified(ring[farthest + 1 :])


def distance(point: Point, start: Point, end: Point) -> float:
    """From a point to the line through two others; to the one where both are the same."""
    (x, y), (x1, y1), (x2, y2) = point, start, end
    length = ((x2 - x1) ** 2 + (y2 - y1) ** 2) ** 0.5
    if length == 0:
        return float(((x - x1) ** 2 + (y - y1) ** 2) ** 0.5)
    return float(abs((x2 - x1) * (y1 - y) - (x1 - x) * (y2 - y1)) / length)


def area(ring: Sequence[Point]) -> float:
    """A ring's area (the shoelace formula)."""
    pairs = zip(ring, [*ring[1:], ring[0]], strict=True)
    return abs(sum(x1 * y2 - x2 * y1 for (x1, y1), (x2, y2) in pairs)) / 2


def as_path(ring: Sequence[Point]) -> str:
    """The ring in whole half degrees, each point relative to the one before."""
    rounded = [(round(x), round(y)) for x, y in ring]
    steps = [(x - a, y - b) for (a, b), (x, y) in pairwise(rounded[:-1])]
    steps = [step for step in steps if step != (0, 0)]
    start = "{} {}".format(*rounded[0])
    return f"M{start}l{' '.join(f'{x} {y}' for x, y in steps)}z".replace(" -", "-")


if __name__ == "__main__":
    main()
