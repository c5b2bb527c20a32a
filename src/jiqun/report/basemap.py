"""What lies under a map's marks 底图: land, grid, frame; for a region a scale bar and where in the world it is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from jiqun.core.document import Text
from jiqun.report import choropleth, land
from jiqun.report.labels import Box, columns
from jiqun.report.markup import Html, element, join
from jiqun.report.projection import Projection, Region, World
from jiqun.report.svg import SIZES, Size, font, num, path, sized, words

WORLD = World()
"""Cut at 30° W, through the Atlantic: both shores of the Pacific stand side by side."""

STRIP = 62.0
"""Height of the strip under a region for its scale bar, its key and its place in the world."""

_LAND_ID = "jq-land"
_LOCATOR = 104.0
_COAST_FROM_KM = 40.0
"""Its outline strays by kilometres: a narrower view would set firms into the sea."""
_DENSE = 4.0
_GRID_STEPS = (30.0, 10.0, 5.0, 2.0, 1.0, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01)


def land_symbol() -> Html:
    """The world's land and the hatching of “no data”, to stand once in a page; every map of that page uses them."""
    outline = element("path", id=_LAND_ID, d=_world_land())
    return element(
        "svg", element("defs", outline, choropleth.pattern()), width="0", height="0", class_="defs", aria_hidden="true"
    )


def outline(polygons: Sequence[BaseGeometry], projection: Projection) -> str:
    """The `d` of polygons whose longitudes already lie in the projection's box."""
    if not polygons:
        return ""
    dense = shapely.segmentize(np.array(polygons, dtype=object), _DENSE) if isinstance(projection, World) else polygons
    rings = [ring for polygon in dense for ring in (polygon.exterior, *polygon.interiors)]
    return "".join(path(*projection(*shapely.get_coordinates(ring).T)) for ring in rings)


@cache
def _world_land() -> str:
    return outline(land.within("world", WORLD.box()), WORLD)


@cache
def world() -> Html:
    """Frame, grid of 30° and land of the world."""
    west, south, east, north = WORLD.box()
    lats = np.linspace(south, north, 48)
    edge_lon = np.concatenate([np.full(48, west), np.full(48, east)])
    frame = path(*WORLD(edge_lon, np.concatenate([lats, lats[::-1]])))
    meridians = [path(*WORLD(np.full(48, lon), lats), closed=False) for lon in np.arange(west + 30, east, 30.0)]
    parallels = [
        path(*WORLD(np.array([west, east]), np.full(2, lat)), closed=False) for lat in (-30.0, 0.0, 30.0, 60.0)
    ]
    return join(
        [
            element("path", d=frame, class_="sea"),
            element("path", d="".join(meridians + parallels), class_="grid"),
            element("use", href=f"#{_LAND_ID}", class_="land"),
        ]
    )


def region(view: Region, borders: Sequence[BaseGeometry] = ()) -> tuple[Html, dict[Size, list[Box]]]:
    """Land, grid, frame and borders of a region; and the boxes that the grid's labels fill at each screen size.

    `borders` are lines in degrees.
    """
    width, height = view.width, view.height
    marks, boxes = _grid(view)
    coast = shows_coast(view)
    parts = [
        element("rect", width=num(width), height=num(height), class_="water" if coast else "near"),
        element("path", d=outline(land.within("local", view.box()), view), class_="near") if coast else "",
        marks,
        element("path", d=_lines(borders, view), class_="border") if borders else "",
        element("rect", width=num(width), height=num(height), class_="frame"),
    ]
    return join(parts), boxes


def _lines(lines: Sequence[BaseGeometry], view: Region) -> str:
    cut = shapely.get_parts(shapely.clip_by_rect(np.array(lines, dtype=object), *view.box()))
    placed = (view(*shapely.get_coordinates(line).T) for line in cut if line.geom_type == "LineString")
    return "".join(path(x, y, closed=False) for x, y in placed)


def shows_coast(view: Region) -> bool:
    """Whether the region is wide enough for a coastline of 1:50 million to be true."""
    return view.width / view.km >= _COAST_FROM_KM


def _grid(view: Region) -> tuple[Html, dict[Size, list[Box]]]:
    west, south, east, north = view.box()
    step = next((step for step in _GRID_STEPS if (east - west) / step >= 3), _GRID_STEPS[-1])
    digits = max(0, -math.floor(math.log10(step) + 1e-9))
    lines, texts = [], []
    boxes: dict[Size, list[Box]] = {size: [] for size in SIZES}
    lons, lats = _multiples(west, east, step), _multiples(south, north, step)
    across, _ = view(np.array(lons, dtype=np.float64), np.full(len(lons), north))
    _, down = view(np.full(len(lats), west), np.array(lats, dtype=np.float64))
    for lon, x in zip(lons, across.tolist(), strict=True):
        lines.append(f"M{num(x)} 0V{num(view.height)}")
        east_of = (lon + 180) % 360 - 180
        texts.append((x, view.height, f"{abs(east_of):.{digits}f}°{_side(east_of, 'E', 'W')}", "middle"))
    for lat, y in zip(lats, down.tolist(), strict=True):
        lines.append(f"M0 {num(y)}H{num(view.width)}")
        texts.append((0.0, y, f"{abs(lat):.{digits}f}°{_side(lat, 'N', 'S')}", "start"))
    out = [element("path", d="".join(lines), class_="grid")]
    for size in SIZES:
        em = font(size, view.width) * 0.85
        shown = []
        for x, y, label, anchor in texts:
            wide = columns(label) * em
            left = x - wide / 2 if anchor == "middle" else x + 0.3 * em
            box = Box(left, y - 1.2 * em, left + wide, y)
            if left < 0 or box.right > view.width or box.top < 0 or (anchor == "start" and y > view.height - 1.4 * em):
                continue
            at = x if anchor == "middle" else left
            shown.append(
                words(
                    Text(label, label), at, y - 0.3 * em, kind="tick", text_anchor=None if anchor == "start" else anchor
                )
            )
            boxes[size].append(box)
        out.append(sized(size, view.width, *shown))
    return join(out), boxes


def _side(value: float, positive: str, negative: str) -> str:
    return "" if value in (0, 180, -180) else positive if value > 0 else negative


def _multiples(low: float, high: float, step: float) -> list[float]:
    return [k * step for k in range(math.ceil(low / step), math.floor(high / step) + 1)]


def nice(value: float) -> float:
    """The largest of 1, 2, 5 × 10ⁿ that is not above the value.

    Examples
    --------
    >>> nice(1420), nice(49), nice(0.3)
    (1000.0, 20.0, 0.2)
    """
    power = 10.0 ** math.floor(math.log10(value))
    return max(factor * power for factor in (1.0, 2.0, 5.0) if factor * power <= value * (1 + 1e-9))


def scale_bar(view: Region) -> Html:
    """A bar of a round number of kilometres, true along the middle parallel, in the strip under the region."""
    km = nice(view.width / 5 / view.km)
    length, top = km * view.km, view.height + 14
    bar = element("path", d=f"M8 {num(top)}v6h{num(length)}v-6", class_="scale")
    number = f"{km:,g}" if km >= 1 else f"{1000 * km:,g}"
    unit = ("公里", "km") if km >= 1 else ("米", "m")
    name = Text(f"{number} {unit[0]}", f"{number} {unit[1]}")
    return join([bar, *(sized(size, view.width, words(name, 8, top + 12 + font(size, view.width))) for size in SIZES)])


def locator(view: Region) -> Html:
    """Where in the world the region lies: a small world with a mark, at the right end of the strip."""
    scale = _LOCATOR / WORLD.width
    left, top = view.width - _LOCATOR, view.height + 8
    lon = np.array([WORLD.west + ((view.west + view.east) / 2 - WORLD.west) % 360])
    x, y = WORLD(lon, np.array([(view.south + view.north) / 2]))
    return element(
        "g",
        element("use", href=f"#{_LAND_ID}", class_="land"),
        element("circle", cx=num(float(x[0])), cy=num(float(y[0])), r="44", class_="here"),
        transform=f"translate({num(left)} {num(top)}) scale({scale:.4f})",
    )
