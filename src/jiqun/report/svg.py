"""Pieces of a drawing 绘图构件: short numbers, compact paths, text in both languages.

Coordinates are rounded to a tenth of a unit once, and paths are written in relative steps of those tenths,
so that rounding does not add up along an outline.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

import numpy as np

from jiqun.core.document import Text
from jiqun.core.errors import Language
from jiqun.report.markup import TAGS, Html, element, join
from jiqun.report.projection import Floats
from jiqun.report.voice import voice

Size = Literal["wide", "narrow"]
SIZES: tuple[Size, ...] = ("wide", "narrow")
"""Drawings shrink with the screen: text is set once for wide screens, once, larger and sparser, for phones."""

_PHONE_WIDTH = 348.0


def font(size: Size, drawing_width: float) -> float:
    """Font size in drawing units that reads as 12.5 px, on a phone 11.5 px, once the drawing is scaled."""
    return 12.5 if size == "wide" else round(11.5 * drawing_width / _PHONE_WIDTH, 1)


def num(value: float) -> str:
    """A coordinate to a tenth.

    Examples
    --------
    >>> num(12.04), num(-0.04), num(-0.5)
    ('12', '0', '-.5')
    """
    return _tenths(round(value * 10))


@lru_cache(maxsize=1 << 15)
def _tenths(tenths: int) -> str:
    whole, rest = divmod(abs(tenths), 10)
    body = f"{whole}" if not rest else f"{whole or ''}.{rest}"
    return f"-{body}" if tenths < 0 else body


def _pair(dx: int, dy: int) -> str:
    second = _tenths(dy)
    return f"{_tenths(dx)}{second}" if second.startswith("-") else f"{_tenths(dx)} {second}"


def path(x: Floats, y: Floats, *, closed: bool = True) -> str:
    """The `d` of one outline; empty when it shrinks to less than a triangle (closed) or a line.

    Examples
    --------
    >>> path(np.array([1, 2, 2.04, 1.5]), np.array([1, 1, 1, 3]))
    'M1 1l1 0-.5 2z'
    """
    steps = np.rint(np.stack([x, y], axis=1) * 10).astype(np.int64)
    if closed and len(steps) and (steps[0] == steps[-1]).all():
        steps = steps[:-1]
    keep = np.ones(len(steps), dtype=bool)
    keep[1:] = (np.diff(steps, axis=0) != 0).any(axis=1)
    steps = steps[keep]
    if len(steps) < (3 if closed else 2):
        return ""
    out = [f"M{_pair(*steps[0].tolist())}l"]
    for dx, dy in np.diff(steps, axis=0).tolist():
        pair = _pair(dx, dy)
        out.append(pair if len(out) == 1 or pair.startswith("-") else f" {pair}")
    return "".join(out) + ("z" if closed else "")


def dots(x: Floats, y: Floats) -> list[tuple[float, int, str]]:
    """Points merged where they fall on the same half unit: (diameter, number of dots, `d` in half units) per size.

    A dot's area is proportional to the number of points under it, in four sizes.
    """
    if not len(x):
        return []
    cells, counts = np.unique(np.rint(np.stack([x, y], axis=1) * 2).astype(np.int64), axis=0, return_counts=True)
    steps = np.minimum(np.floor(np.log2(counts) / 2), 3).astype(np.int64)
    out = []
    for step in np.unique(steps).tolist():
        chosen = cells[steps == step]
        moves = np.diff(chosen, axis=0, prepend=np.zeros((1, 2), dtype=np.int64))
        out.append((3.0 * 2**step, len(chosen), "".join(f"m{dx} {dy}h0" for dx, dy in moves.tolist())))
    return out


def words(
    content: Text,
    x: float | str,
    y: float,
    *,
    language: Language | None = None,
    kind: str = "",
    **attributes: str | float | None,
) -> Html:
    """A `<text>` per language, once where they are the same, or only `language`. `x` may be a percentage."""
    where = x if isinstance(x, str) else num(x)
    spoken = (language,) if language else voice().languages
    same = not language and len({content.get(tongue) for tongue in spoken}) == 1
    return join(
        element(
            "text",
            content.get(tongue),
            x=where,
            y=num(y),
            lang=None if same else TAGS[tongue],
            class_=kind or None,
            **attributes,
        )
        for tongue in (spoken[:1] if same else spoken)
    )


def sized(size: Size, drawing_width: float, *texts: str) -> Html:
    """Texts for one screen size."""
    return element("g", *texts, class_=size, font_size=num(font(size, drawing_width))) if texts else Html("")
