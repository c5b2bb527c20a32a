"""Curves 曲线图: a value along an axis from zero, with the band that chance allows."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from jiqun.core.arrays import Booleans, Floats
from jiqun.core.document import Curves, Text
from jiqun.report.formats import cell
from jiqun.report.markup import LANGUAGES, Html, both, element
from jiqun.report.svg import SIZES, Size, font, num, path, sized, words

WIDTH, HEIGHT = 720.0, 300.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 64.0, 8.0, 26.0, 46.0
_MOST_TICKS = {"wide": 7, "narrow": 4}
_NEAR_END = 0.97


@dataclass(frozen=True)
class Plane:
    """A linear scale from values to the drawing, zero included."""

    low: float
    high: float
    most: float

    def across(self, x: Floats) -> Floats:
        """Positions along the axis."""
        return _LEFT + (WIDTH - _LEFT - _RIGHT) * x / self.most

    def up(self, y: Floats) -> Floats:
        """Heights."""
        return HEIGHT - _BOTTOM - (HEIGHT - _TOP - _BOTTOM) * (y - self.low) / (self.high - self.low)


def draw(drawn: Curves, *, title_id: str) -> Html:
    """The curve over its band as `<svg>`, zero line and reference included 曲线图."""
    curve = drawn.curve
    x = np.array(curve.x)
    value, floor, ceiling = (np.array(column, dtype=np.float64) for column in (curve.value, curve.low, curve.high))
    levels = [0.0] if drawn.reference is None else [0.0, drawn.reference]
    ends = np.concatenate([value, floor, ceiling, levels])
    plane = Plane(np.nanmin(ends), np.nanmax(ends) or 1.0, x.max() or 1.0)
    parts = []
    for run in _runs(np.isfinite(floor) & np.isfinite(ceiling)):
        around = np.concatenate([x[run], x[run][::-1]]), np.concatenate([ceiling[run], floor[run][::-1]])
        parts.append(element("path", d=path(plane.across(around[0]), plane.up(around[1])), class_="band"))
    for level, kind in zip(levels, ("zero", "reference"), strict=False):
        y = num(float(plane.up(np.array(level))))
        parts.append(element("line", x1=num(_LEFT), x2=num(WIDTH - _RIGHT), y1=y, y2=y, class_=kind))
    for run in _runs(np.isfinite(value)):
        line = path(plane.across(x[run]), plane.up(value[run]), closed=False)
        parts.append(element("path", d=line, class_="curve"))
    parts += [_words(drawn, size, plane) for size in SIZES]
    box = f"0 0 {WIDTH:g} {HEIGHT:g}"
    return element("svg", *parts, class_="curves", viewBox=box, role="img", aria_labelledby=title_id)


def legend(drawn: Curves) -> Html:
    """Unit, what the line and what the band is."""
    parts = [
        element("span", both(Text("单位：", "Unit: ")), both(drawn.unit)),
        element("span", both(Text("线：", "Line: ")), both(drawn.curve.label)),
        element("span", both(Text("灰带：", "Grey band: ")), both(drawn.curve.band)),
    ]
    if drawn.reference is not None and drawn.reference_name is not None:
        parts.append(element("span", both(Text("虚线：", "Broken line: ")), both(drawn.reference_name)))
    return element("p", *parts, class_="legend")


def _runs(known: Booleans) -> list[slice]:
    """Stretches of at least two known values."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], known, [False]]).astype(np.int8)))
    return [slice(int(a), int(b)) for a, b in edges.reshape(-1, 2) if b - a > 1]


def _words(drawn: Curves, size: Size, plane: Plane) -> Html:
    """Ticks of both axes and the name of the lower one, for one screen size."""
    below = HEIGHT - _BOTTOM + font(size, WIDTH) + 3
    out = []
    for tick in ticks(0.0, plane.most, _MOST_TICKS[size]):
        anchor = "start" if tick == 0 else "end" if tick > _NEAR_END * plane.most else "middle"
        x = float(plane.across(np.array(tick)))
        out.append(words(_number(tick, 0), x, below, text_anchor=anchor, kind="tick"))
    out.append(words(drawn.x_name, WIDTH - _RIGHT, HEIGHT - 6, text_anchor="end", kind="tick"))
    half = font(size, WIDTH) / 3
    heights = [
        (tick, float(plane.up(np.array(tick))) + half) for tick in ticks(plane.low, plane.high, _MOST_TICKS[size])
    ]
    out += [
        words(_number(tick, drawn.digits), _LEFT - 6, y, text_anchor="end", kind="tick") for tick, y in heights if tick
    ]
    return sized(size, WIDTH, *out)


def _number(value: float, digits: int) -> Text:
    return Text(*(cell(value, "number", language, digits) for language in LANGUAGES))


def ticks(low: float, high: float, most: int) -> list[float]:
    """At most `most` round numbers between two, evenly spaced.

    Examples
    --------
    >>> ticks(0.0, 180.0, 7), ticks(-1.2, 3.1, 5)
    ([0.0, 50.0, 100.0, 150.0], [-1.0, 0.0, 1.0, 2.0, 3.0])
    """
    raw = (high - low) / most
    scale = 10 ** math.floor(math.log10(raw))
    step = next(factor * scale for factor in (1, 2, 5, 10, 20) if factor * scale >= raw)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(float(k * step), 12) for k in range(first, last + 1)]
