"""Maps 地图: bubbles, outlines, points, cells and shaded divisions, drawn on the server as SVG.

The world is drawn in Equal Earth, China in Albers with the South China Sea in an inset, a region in equirectangular
projection with a grid and a scale bar. Circle areas are proportional to values, the largest lies at the bottom. On
the world only coastlines are drawn, no borders.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from jiqun.core.document import Area, BaseMap, Bubble, Cells, Legend, Map, Shape, Text
from jiqun.core.errors import Language
from jiqun.report import basemap, china, choropleth, labels, land
from jiqun.report.formats import cell
from jiqun.report.labels import Box, Label, Mark
from jiqun.report.markup import Html, both, element, flat, join
from jiqun.report.projection import Conic, Projection, Region, World, seen
from jiqun.report.svg import SIZES, Size, dots, font, num, sized, words
from jiqun.report.voice import voice

SHADES = 5
"""Steps of strength, from pale to dark (in the dark: from dim to bright)."""

_LARGEST: dict[type, float] = {World: 30.0, Conic: 26.0, Region: 26.0}
_CLASSES: dict[type, str] = {World: "map", Conic: "map china", Region: "map part"}
_MOST_LABELS: dict[Size, int] = {"wide": 12, "narrow": 5}
_LABEL_EMS = 16.0
_COAST_EXACT_KM = 600.0
"""In a wider view the coastline is off by less than a line is wide."""


@dataclass(frozen=True)
class Circle:
    """A bubble on the page."""

    bubble: Bubble
    x: float
    y: float
    r: float


def draw(drawn: Map, *, title_id: str) -> Html:
    """One map as `<svg>` 地图.

    It uses `basemap.land_symbol`, which must stand once in the same page. With links in it the drawing is a group of
    links, else one image; `title_id` is the element that names it.
    """
    views = panels(drawn)
    view = views[0]
    placed = circles(drawn.bubbles, views)
    shapes = [(shape, _polygons(shape, view)) for shape in drawn.shapes]
    base, taken, height = _base(drawn, views)
    parts = [base, _cells(drawn.cells), _outlines(shapes, view), _points(drawn.points, views), *map(_bubble, placed)]
    if isinstance(view, Conic):
        parts += [*_division_names(drawn), china.notes(_national(drawn))]
    if drawn.legend is not None and drawn.legend.area is not None and placed:
        left, bottom, covered = _key_place(view, height)
        parts.append(_key(placed, left, bottom, view))
        taken = {size: [*taken[size], *covered] for size in SIZES}
    parts.append(_names(placed, shapes, view, taken))
    linked = any(circle.bubble.anchor for circle in placed) or any(area.anchor for area in _areas(drawn))
    return element(
        "svg",
        *parts,
        class_=_CLASSES[type(view)],
        viewBox=f"0 0 {num(view.width)} {num(height)}",
        role="group" if linked else "img",
        aria_labelledby=title_id,
    )


def panels(drawn: Map) -> tuple[Projection, ...]:
    """The frames of a map, the main one first; a mark is drawn in the first that shows it."""
    if drawn.extent is not None:
        return (Region.around(drawn.extent),)
    return china.PANELS if drawn.base == "china" else (basemap.WORLD,)


def shows_coast(drawn: Map) -> bool:
    """Whether a map draws coastlines, whose source must then be named; the map of China names its own."""
    return not isinstance(panels(drawn)[0], Conic)


def _national(drawn: Map) -> BaseMap:
    return drawn.official or china.builtin()


def _areas(drawn: Map) -> Sequence[Area]:
    return drawn.areas.areas if drawn.areas else ()


def _base(drawn: Map, views: Sequence[Projection]) -> tuple[Html, dict[Size, list[Box]], float]:
    """What lies under the marks, the boxes that no label may touch, and the height of the whole drawing."""
    view = views[0]
    if isinstance(view, World):
        return basemap.world(), {size: [] for size in SIZES}, view.height
    if isinstance(view, Region):
        base, taken = basemap.region(view, china.inner_borders(_national(drawn)) if drawn.base == "china" else ())
        return join([base, basemap.scale_bar(view), basemap.locator(view)]), taken, view.height + basemap.STRIP
    national = _national(drawn)
    inset = Box(*china.INSET.page)
    frames = [
        china.panel(
            national,
            of,
            choropleth.divisions(drawn.areas, national, of, linked=of is china.MAIN)
            if drawn.areas
            else china.plain_divisions(national, of),
        )
        for of in china.PANELS
    ]
    return join(frames), {size: [inset, *china.named_boxes(size)] for size in SIZES}, china.MAIN.height + china.STRIP


def _division_names(drawn: Map) -> list[Html]:
    return [choropleth.names(drawn.areas, _national(drawn))] if drawn.areas else []


def _key_place(view: Projection, height: float) -> tuple[float, float, list[Box]]:
    """Where the key of circles stands: its left end and its base; and the box it fills on the map."""
    if isinstance(view, Region):
        return view.width * 0.36, height - 4, []
    if isinstance(view, Conic):
        return 24.0, view.height - 10, [Box(0.0, view.height - 80, 340.0, view.height)]
    return 130.0, height - 6, [Box(100.0, height - 70, 420.0, height)]


def circles(bubbles: Sequence[Bubble], views: Sequence[Projection]) -> list[Circle]:
    """Bubbles inside the views, the largest first; areas are proportional to `Bubble.area`."""
    drawable = sorted((bubble for bubble in bubbles if 0 < bubble.area < math.inf), key=lambda bubble: -bubble.area)
    largest = _LARGEST[type(views[0])]
    at = np.array([(bubble.lon, bubble.lat) for bubble in drawable], dtype=np.float64).reshape(-1, 2)
    placed: dict[int, Circle] = {}
    left = np.arange(len(drawable))
    for view in views:
        inside, x, y = seen(view, *at[left].T)
        for index, cx, cy in zip(left[inside].tolist(), x.tolist(), y.tolist(), strict=True):
            bubble = drawable[index]
            placed[index] = Circle(bubble, cx, cy, largest * math.sqrt(bubble.area / drawable[0].area))
        left = left[~inside]
    return [placed[index] for index in sorted(placed)]


def shade_step(shade: float) -> int:
    """The step 0 … 4 of a strength from 0 to 1."""
    return 0 if math.isnan(shade) else min(max(int(shade * SHADES), 0), SHADES - 1)


def _bubble(circle: Circle) -> Html:
    bubble = circle.bubble
    named = Text(f"{bubble.label.zh} {bubble.detail.zh}".strip(), f"{bubble.label.en} {bubble.detail.en}".strip())
    title = [element("title", flat(named))] if named.zh or named.en else []
    shape = {"cx": num(circle.x), "cy": num(circle.y), "r": num(circle.r), "class_": f"b s{shade_step(bubble.shade)}"}
    if bubble.anchor:
        return element("a", *title, element("circle", **shape), href=voice().href(bubble.anchor))
    return element("circle", *title, **shape)


def _polygons(shape: Shape, view: Projection) -> tuple[BaseGeometry, ...]:
    rings = [np.array(ring, dtype=np.float64) for ring in shape.rings if len(ring) > 2]
    for ring in rings:
        ring[:, 0] = np.unwrap(ring[:, 0], period=360)
    whole = [part for ring in rings for part in shapely.get_parts(shapely.make_valid(shapely.Polygon(ring)))]
    box = view.box()
    return tuple(piece for part in whole if part.geom_type == "Polygon" for piece in land.cut([part], box))


def _outlines(shapes: Sequence[tuple[Shape, tuple[BaseGeometry, ...]]], view: Projection) -> Html:
    drawn = ((shape, basemap.outline(polygons, view)) for shape, polygons in shapes)
    return join(element("path", element("title", flat(shape.label)), d=d, class_="hull") for shape, d in drawn if d)


def _points(points: Sequence[tuple[float, float]], views: Sequence[Projection]) -> Html:
    if not len(points):
        return Html("")
    lon, lat = np.array(points, dtype=np.float64).T
    out = []
    for view in views:
        inside, x, y = seen(view, lon, lat)
        out += [
            element("path", d=d, class_="dots", stroke_width=num(2 * diameter), transform="scale(.5)")
            for diameter, _, d in dots(x, y)
        ]
        lon, lat = lon[~inside], lat[~inside]
    return join(out)


def _cells(cells: Cells | None) -> Html:
    """A disc per cell, one path per class, the paler classes below."""
    if cells is None:
        return Html("")
    step = np.searchsorted(np.array(cells.breaks), cells.counts, side="right") - 1
    out = []
    for index in range(len(cells.breaks)):
        chosen = np.rint(np.stack([cells.x, cells.y], axis=1)[step == index] * 10).astype(np.int64)
        moves = np.diff(chosen, axis=0, prepend=np.zeros((1, 2), dtype=np.int64))
        d = "".join(f"m{dx} {dy}h0" for dx, dy in moves.tolist())
        shade = choropleth.step(index, len(cells.breaks))
        out.append(element("path", d=d, class_=f"cells c{shade}", stroke_width=num(cells.width * 9.4)))
    return element("g", *out, transform="scale(.1)")


def _key(placed: Sequence[Circle], left: float, base: float, view: Projection) -> Html:
    """Three circles of round values, in the map's own scale."""
    largest = placed[0]
    values = [basemap.nice(largest.bubble.area)]
    values += [basemap.nice(values[0] / 4), basemap.nice(values[0] / 20)]
    sets = []
    for size in SIZES:
        em, x, parts = font(size, view.width), left, []
        for value in values:
            r = largest.r * math.sqrt(value / largest.bubble.area)
            number = cell(value, "integer" if value >= 1 else "number", "en", 2)
            parts.append(element("circle", cx=num(x + r), cy=num(base - r), r=num(r), class_="key"))
            x += 2 * r + 0.4 * em
            parts.append(words(Text(number, number), x, base - 0.25 * em))
            x += (labels.columns(number) + 0.9) * em
        sets.append(sized(size, view.width, *parts))
    return element("g", *sets, aria_hidden="true")


def _names(
    placed: Sequence[Circle],
    shapes: Sequence[tuple[Shape, tuple[BaseGeometry, ...]]],
    view: Projection,
    taken: Mapping[Size, Sequence[Box]],
) -> Html:
    """Names of outlines and of the largest bubbles, laid out for each language and screen size apart."""
    bounds = Box(0, 0, view.width, view.height)
    tops = [(shape.label, *_top(polygons, view), 0.0) for shape, polygons in shapes if polygons]
    named = tops + [(circle.bubble.label, circle.x, circle.y, circle.r) for circle in placed]
    disks = labels.Disks([(circle.x, circle.y, circle.r) for circle in placed])
    spoken = voice().languages
    groups = []
    for size in SIZES:
        most = _MOST_LABELS[size]
        em = font(size, view.width)
        found: dict[Language, list[Label]] = {}
        first: list[Mark] = []
        for language in spoken:
            marks = [
                Mark(x, y, r, labels.shorten(label.get(language), _LABEL_EMS)) for label, x, y, r in named[: 2 * most]
            ]
            if found and marks == first:
                found[language] = found[spoken[0]]
                break
            first = marks
            found[language] = labels.place(marks, font=em, bounds=bounds, limit=most, avoid=disks, taken=taken[size])
        shared = [label for label in found[spoken[0]] if all(label in found[language] for language in spoken)]
        texts = [_name(label, None) for label in shared]
        texts += [_name(label, language) for language in spoken for label in found[language] if label not in shared]
        groups.append(sized(size, view.width, *texts))
    return element("g", *groups, class_="names", aria_hidden="true")


def _name(label: Label, language: Language | None) -> Html:
    anchor = None if label.anchor == "start" else label.anchor
    return words(Text(label.text, label.text), label.x, label.y, language=language, text_anchor=anchor)


def _top(polygons: Sequence[BaseGeometry], view: Projection) -> tuple[float, float]:
    lon, lat = max(
        (tuple(point) for polygon in polygons for point in shapely.get_coordinates(polygon)), key=lambda p: p[1]
    )
    x, y = view(np.array([lon]), np.array([lat]))
    return float(x[0]), float(y[0])


def legend(drawn: Map) -> Html:
    """How to read the map, in words and swatches."""
    told = drawn.legend or Legend()
    parts = []
    if told.area:
        parts.append([both(Text("圆面积：", "Circle area: ")), both(told.area)])
    if told.shade:
        parts.append([both(Text("深浅：", "Shade: ")), both(told.shade), *_swatches(told.ticks)])
    if told.point and len(drawn.points):
        dot = element(
            "svg", element("circle", cx="6", cy="6", r="2", class_="dot"), class_="swatch", aria_hidden="true"
        )
        parts.append(
            [dot, both(told.point), both(Text("（重合处合为较大的点）", " (where they coincide, one larger dot)"))]
        )
    if drawn.areas:
        parts.append(choropleth.legend(drawn.areas, _national(drawn)))
    if drawn.cells is not None and drawn.cells.breaks:
        parts.append(_cell_classes(drawn.cells))
    views = panels(drawn)
    view = views[0]
    missing = len(drawn.bubbles) - len(circles(drawn.bubbles, views))
    if missing:
        parts.append([both(Text(f"另有 {missing} 处不在图上，见表", f"{missing} more not on the map: see the table"))])
    if isinstance(view, Region) and basemap.shows_coast(view) and view.width / view.km < _COAST_EXACT_KM:
        parts.append([both(Text("海岸线经简化，可偏差数公里", "Coastline simplified, off by some kilometres"))])
    return element("p", *(element("span", *part) for part in parts), class_="legend") if parts else Html("")


def _cell_classes(cells: Cells) -> list[Html]:
    """The counts that each shade of the cells stands for."""
    most = int(cells.counts.max())
    marks = [both(Text("每格企业数：", "Firms per cell: "))]
    for index, low in enumerate(cells.breaks):
        high = cells.breaks[index + 1] - 1 if index + 1 < len(cells.breaks) else most
        shade = choropleth.step(index, len(cells.breaks))
        box = element("circle", cx="6", cy="6", r="5.5", class_=f"s{shade}")
        number = (
            cell(low, "integer", "en") if low >= high else f"{cell(low, 'integer', 'en')}–{cell(high, 'integer', 'en')}"
        )
        marks += [element("svg", box, class_="swatch", aria_hidden="true"), Html(f"{number} ")]
    return marks


def _swatches(ticks: Sequence[tuple[float, Text]]) -> list[Html]:
    marks: list[Html] = []
    waiting = sorted(ticks, key=lambda tick: tick[0])
    for step in range(SHADES):
        while waiting and round(waiting[0][0] * SHADES) <= step:
            marks += [Html(" "), both(waiting.pop(0)[1]), Html(" ")]
        box = element("rect", width="12", height="12", class_=f"s{step}")
        marks.append(element("svg", box, class_="swatch", aria_hidden="true"))
    return [*marks, *(join([" ", both(told)]) for _, told in waiting)]
