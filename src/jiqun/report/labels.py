"""Labels beside their marks 标注: the largest first, none over another.

Text widths are estimates on the safe side, since the reader's fonts are not known here.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

Anchor = Literal["start", "middle", "end"]
_COVERED = 0.4
"""A label that would hide more than this share of its own area in other marks is left out."""


@dataclass(frozen=True)
class Box:
    """A rectangle in drawing units."""

    left: float
    top: float
    right: float
    bottom: float

    def overlap(self, other: Box) -> float:
        """Area shared with another box."""
        width = min(self.right, other.right) - max(self.left, other.left)
        height = min(self.bottom, other.bottom) - max(self.top, other.top)
        return width * height if width > 0 and height > 0 else 0.0

    def touches(self, other: Box) -> bool:
        """Whether it lies over another box; to meet at an edge is not to touch."""
        return (
            self.left < other.right and other.left < self.right and self.top < other.bottom and other.top < self.bottom
        )

    def holds(self, other: Box) -> bool:
        """Whether another box lies inside."""
        return (
            self.left <= other.left
            and other.right <= self.right
            and self.top <= other.top
            and other.bottom <= self.bottom
        )

    @property
    def area(self) -> float:
        """Its area."""
        return (self.right - self.left) * (self.bottom - self.top)


@dataclass(frozen=True)
class Mark:
    """What wants a label: a circle (`r` may be 0) and its text."""

    x: float
    y: float
    r: float
    text: str


@dataclass(frozen=True)
class Label:
    """A label that found its place: baseline position, anchor, and the box it may fill."""

    text: str
    x: float
    y: float
    anchor: Anchor
    box: Box


def columns(text: str) -> float:
    """Estimated width in ems: 1 for full-width characters, 0.5 to 0.9 for others.

    Examples
    --------
    >>> columns("深圳"), columns("Wi")
    (2.0, 1.35)
    """
    total = 0.0
    for character in text:
        if unicodedata.combining(character):
            continue
        if unicodedata.east_asian_width(character) in "WFA":
            total += 1.0
        elif character in "MWmw@%":
            total += 0.9
        elif character in "iljtfI.,:;'|! ":
            total += 0.45
        elif character.isupper():
            total += 0.75
        else:
            total += 0.62
    return round(total, 2)


def shorten(text: str, ems: float) -> str:
    """The text, or as much of it as `ems` hold and “…”.

    Examples
    --------
    >>> shorten("Cambridge", 20), shorten("Llanfairpwllgwyngyll", 5)
    ('Cambridge', 'Llanfai…')
    """
    text = text[: int(ems * 4) + 1]
    if columns(text) <= ems:
        return text
    while text and columns(text) + 1 > ems:
        text = text[:-1]
    return text.rstrip() + "…"


class Disks:
    """Circles better left uncovered, as their bounding boxes."""

    def __init__(self, circles: Sequence[tuple[float, float, float]]) -> None:
        x, y, r = np.array(circles, dtype=np.float64).reshape(-1, 3).T
        self._left, self._top, self._right, self._bottom = x - r, y - r, x + r, y + r

    def covered(self, box: Box) -> float:
        """Area that a box shares with them, overlaps counted each."""
        width = np.minimum(self._right, box.right) - np.maximum(self._left, box.left)
        height = np.minimum(self._bottom, box.bottom) - np.maximum(self._top, box.top)
        return float((np.maximum(width, 0.0) * np.maximum(height, 0.0)).sum())


def place(
    marks: Sequence[Mark], *, font: float, bounds: Box, limit: int, avoid: Disks, taken: Sequence[Box] = ()
) -> list[Label]:
    """Labels for up to `limit` marks, in order; a mark without room goes without.

    Parameters
    ----------
    marks
        Most important first.
    font
        Font size in drawing units.
    bounds
        Labels stay inside.
    avoid
        What labels should not hide; usually all circles.
    taken
        Boxes that no label may touch.
    """
    fixed = list(taken)
    labels: list[Label] = []
    for mark in marks:
        if len(labels) == limit:
            break
        best: tuple[float, Label] | None = None
        for order, label in enumerate(_candidates(mark, font) if mark.text else ()):
            if not bounds.holds(label.box) or any(map(label.box.touches, fixed)):
                continue
            covered = avoid.covered(label.box) / label.box.area
            cost = covered + 0.02 * order
            if covered <= _COVERED and (best is None or cost < best[0]):
                best = (cost, label)
            if not covered:
                break
        if best:
            labels.append(best[1])
            fixed.append(best[1].box)
    return labels


def _candidates(mark: Mark, font: float) -> list[Label]:
    width, gap, up, down = columns(mark.text) * font, 0.3 * font, 0.95 * font, 0.3 * font
    diagonal = 0.75 * mark.r
    middle = mark.y + 0.35 * font
    spots: tuple[tuple[float, float, Anchor], ...] = (
        (mark.x + mark.r + gap, middle, "start"),
        (mark.x - mark.r - gap, middle, "end"),
        (mark.x, mark.y - mark.r - gap - down, "middle"),
        (mark.x, mark.y + mark.r + gap + up, "middle"),
        (mark.x + diagonal + gap, mark.y - diagonal - down, "start"),
        (mark.x + diagonal + gap, mark.y + diagonal + up, "start"),
        (mark.x - diagonal - gap, mark.y - diagonal - down, "end"),
        (mark.x - diagonal - gap, mark.y + diagonal + up, "end"),
    )
    share: dict[Anchor, float] = {"start": 0.0, "middle": 0.5, "end": 1.0}
    out = []
    for x, y, anchor in spots:
        left = x - share[anchor] * width
        out.append(Label(mark.text, x, y, anchor, Box(left, y - up, left + width, y + down)))
    return out
