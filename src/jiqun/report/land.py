"""Coastlines 海岸线: land outlines cut to what a map shows. No borders are drawn anywhere.

`assets/land.json` is written by `scripts/vendor.py`: flat rings [x, y, dx, dy, …] in steps of 0.01°.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import Any, Literal

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from jiqun.core.document import Text

Scale = Literal["world", "local"]
SOURCE = Text(
    "海岸线：Natural Earth（公有领域），经 world-atlas（ISC）",
    "Coastline: Natural Earth (public domain), via world-atlas (ISC)",
)
Box = tuple[float, float, float, float]
TURNS = (-360.0, 0.0, 360.0)
_POLYGON = 3
_MARGIN = 1.0
"""Degrees by which land is first cut wider than its map, quickly, before it is cut exactly."""


@cache
def polygons(scale: Scale) -> tuple[BaseGeometry, ...]:
    """Land polygons, unrolled where they pass the antimeridian: 1:110 million for `world`, 1:50 million for `local`."""
    stored: dict[str, Any] = json.loads(
        files("jiqun.report").joinpath("assets", "land.json").read_text(encoding="utf-8")
    )
    unit = float(stored["unit"])
    shells = []
    for coded in stored[scale]:
        shell, *holes = (np.cumsum(np.reshape(ring, (-1, 2)), axis=0) * unit for ring in coded)
        shells.append(shapely.Polygon(shell, holes))
    return tuple(shapely.make_valid(np.array(shells)))


@cache
def _tree(scale: Scale) -> shapely.STRtree:
    return shapely.STRtree(polygons(scale))


def within(scale: Scale, box: Box) -> tuple[BaseGeometry, ...]:
    """Land inside a box (west, south, east, north; east may exceed 180°), cut at its edges."""
    tree = _tree(scale)
    west, south, east, north = box
    wider = west - _MARGIN, south - _MARGIN, east + _MARGIN, north + _MARGIN
    pieces: list[BaseGeometry] = []
    for turn in TURNS:  # a continent has 10,000 corners, of which a map shows a few
        found = tree.geometries[np.sort(tree.query(_box(box, turn)))]
        near = shapely.make_valid(shapely.clip_by_rect(found, *_box(wider, turn).bounds))
        pieces += cut(near.tolist(), box, (turn,))
    return tuple(pieces)


def cut(shapes: Sequence[BaseGeometry], box: Box, turns: Sequence[float] = TURNS) -> tuple[BaseGeometry, ...]:
    """Polygons turned by whole circles into the box and cut at its edges.

    Examples
    --------
    >>> [piece.bounds for piece in cut([shapely.box(-10, 0, 10, 5)], (0, -90, 360, 90))]
    [(350.0, 0.0, 360.0, 5.0), (0.0, 0.0, 10.0, 5.0)]
    """
    pieces: list[BaseGeometry] = []
    for turn in turns:
        kept = shapely.get_parts(shapely.intersection(np.array(shapes, dtype=object), _box(box, turn)))
        kept = kept[(shapely.get_type_id(kept) == _POLYGON) & ~shapely.is_empty(kept)]
        pieces += shapely.transform(kept, lambda points, turn=turn: np.subtract(points, (turn, 0.0))).tolist()
    return tuple(pieces)


def _box(box: Box, turn: float) -> BaseGeometry:
    west, south, east, north = box
    return shapely.box(west + turn, south, east + turn, north)
