"""Divisions shaded by class 分级设色: China's provinces by a measure, with their names where these fit.

A division without data is hatched, one whose value is 0 is white: the two never look alike, nor like a class.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import shapely

from jiqun.core.document import Area, BaseMap, Choropleth, Text
from jiqun.core.errors import Language
from jiqun.report import china
from jiqun.report.formats import cell
from jiqun.report.labels import columns
from jiqun.report.markup import Html, both, element, flat, join
from jiqun.report.projection import Conic
from jiqun.report.svg import SIZES, Size, font, num, sized, words
from jiqun.report.voice import voice

NO_DATA = "jq-no-data"
CLASSES = 5
_SMALL = 64.0
"""A division drawn on fewer square units than this has a disc beside its outline, so that its class can be seen."""
_DISC = 4.0


def quantile_breaks(values: Sequence[float], classes: int = CLASSES) -> tuple[float, ...]:
    """Lowest values of classes that hold equally many of the positive values 分位数分级; fewer where values repeat.

    Examples
    --------
    >>> quantile_breaks([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10])
    (1.0, 3.0, 5.0, 7.0, 9.0)
    >>> quantile_breaks([2, 2, 2]), quantile_breaks([0])
    ((2.0,), ())
    """
    positive = np.sort(np.array([value for value in values if value > 0], dtype=np.float64))
    if not len(positive):
        return ()
    lowest = positive[(np.arange(classes) * len(positive)) // classes]
    return tuple(np.unique(lowest).tolist())


def pattern() -> Html:
    """The hatching of “no data”, to stand once in a page among its definitions."""
    lines = element("path", d="M-1 1l2-2M0 5l5-5M4 6l2-2", class_="hatch")
    return element("pattern", lines, id=NO_DATA, width="5", height="5", patternUnits="userSpaceOnUse")


def class_of(drawn: Choropleth, value: float | None) -> str:
    """The CSS class of a value: `s0` … `s4`, `zero`, or `none` for no data."""
    if value is None or not np.isfinite(value):
        return "none"
    if not drawn.breaks or value < drawn.breaks[0]:
        return "zero"
    index = int(np.searchsorted(drawn.breaks, value, side="right")) - 1
    return f"s{step(index, len(drawn.breaks))}"


def step(index: int, classes: int) -> int:
    """The shade 0 … 4 of a class: fewer classes spread over the same ramp."""
    return round(index * (CLASSES - 1) / (classes - 1)) if classes > 1 else CLASSES // 2


def divisions(drawn: Choropleth, base: BaseMap, of: Conic, *, linked: bool) -> Html:
    """The divisions of a frame in their classes; in the main frame with their titles and links."""
    areas = {area.code: area for area in drawn.areas}
    out = china.drawn(base, of)
    parts = []
    for division in base.divisions:
        if division.code not in out.paths:
            continue
        area = areas.get(division.code) or Area(division.code, None, Text("", ""), Text("", ""))
        shade = class_of(drawn, area.value)
        marks = [element("path", d=out.paths[division.code], class_=f"division {shade}")]
        if linked and out.shapes[division.code].area < _SMALL:
            x, y = of(*(np.array([part]) for part in division.at))
            marks.append(element("circle", cx=num(x[0]), cy=num(y[0]), r=num(_DISC), class_=f"division {shade}"))
        said = flat(Text(f"{area.label.zh} {area.detail.zh}".strip(), f"{area.label.en} {area.detail.en}".strip()))
        title = [element("title", said)] if said and linked else []
        if area.anchor and linked:
            parts.append(element("a", *title, *marks, href=voice().href(area.anchor)))
        else:
            parts.append(element("g", *title, *marks))
    return join(parts)


def names(drawn: Choropleth, base: BaseMap) -> Html:
    """Names of the divisions that have room for them, for each language and screen size."""
    areas = {area.code: area for area in drawn.areas}
    out = china.drawn(base, china.MAIN)
    sets = []
    for size in SIZES:
        texts = [
            words(Text(text, text), x, y, language=language, text_anchor="middle")
            for division in base.divisions
            if division.code in areas and division.code in out.shapes
            for language in voice().languages
            for text in [areas[division.code].label.get(language)]
            for x, y in _place(out.shapes[division.code], division.at, text, size)
        ]
        sets.append(sized(size, china.MAIN.width, *texts))
    return element("g", *sets, class_="names divisions", aria_hidden="true")


def _place(shape: shapely.Geometry, at: tuple[float, float], text: str, size: Size) -> list[tuple[float, float]]:
    """Where a name stands inside its division; nowhere if it would reach out of it."""
    em = font(size, china.MAIN.width)
    width = columns(text) * em
    (x,), (y,) = china.MAIN(np.array([at[0]]), np.array([at[1]]))
    box = shapely.box(x - width / 2, y - 0.55 * em, x + width / 2, y + 0.45 * em)
    if not text or shape.intersection(box).area < 0.9 * box.area:
        return []
    return [(float(x), float(y) + 0.35 * em)]


def legend(drawn: Choropleth, base: BaseMap) -> list[Html]:
    """How to read the shades: measure, the range of each class, 0, no data."""
    parts: list[Html] = [both(drawn.measure), both(Text("：", ": "))]
    shown = {class_of(drawn, area.value) for area in drawn.areas}
    said = {area.code for area in drawn.areas}
    if any(division.code not in said for division in base.divisions):
        shown.add("none")
    if "zero" in shown:
        lowest = Text("0", "0") if min(_values(drawn), default=0) >= 0 else Text("更低", "lower")
        parts += [_swatch("zero"), both(lowest), Html(" ")]
    edges = [*drawn.breaks, max(_values(drawn), default=0.0)]
    for index, low in enumerate(drawn.breaks):
        held = [v for v in _values(drawn) if low <= v and (index + 1 == len(drawn.breaks) or v < edges[index + 1])]
        if held:
            parts += [
                _swatch(f"s{step(index, len(drawn.breaks))}"),
                both(_range(drawn, min(held), max(held))),
                Html(" "),
            ]
    if "none" in shown:
        parts += [_swatch("none"), both(Text("无数据", "no data"))]
    return parts


def _values(drawn: Choropleth) -> list[float]:
    return [area.value for area in drawn.areas if area.value is not None and np.isfinite(area.value)]


def _range(drawn: Choropleth, low: float, high: float) -> Text:
    def said(language: Language) -> str:
        first, last = (cell(value, drawn.kind, language, drawn.digits) for value in (low, high))
        return first if first == last else f"{first}–{last}"

    return Text(said("zh"), said("en"))


def _swatch(shade: str) -> Html:
    square = element("rect", width="12", height="12", class_=f"division {shade}")
    return element("svg", square, class_="swatch", viewBox="0 0 12 12", aria_hidden="true")
