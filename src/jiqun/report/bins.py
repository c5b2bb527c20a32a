"""Counts of points in the cells of a grid over a drawing 网格分箱: what stands for more points than can be drawn.

Cells lie on a hexagonal lattice of the drawing, so their number is bounded by the drawing's area, however many points
there are, and each stands for the same area where the projection keeps areas.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from jiqun.core.arrays import Booleans, Floats, Integers
from jiqun.core.document import Cells
from jiqun.report.basemap import nice
from jiqun.report.projection import Projection, seen

WIDTH = 8.0
"""Width of a cell in drawing units."""
CLASSES = 5


@dataclass(frozen=True, eq=False)
class Grid:
    """Points in the cells of a drawing 网格: the cell of each point, -1 where the drawing does not show it; their centres."""

    of: Integers
    x: Floats
    y: Floats
    width: float

    def count(self, chosen: Booleans | None = None) -> Cells:
        """How many points lie in each cell that has any, of all or of those chosen."""
        of = self.of if chosen is None else self.of[chosen]
        counts = np.bincount(of[of >= 0], minlength=len(self.x)).astype(np.int64)
        held = counts > 0
        return Cells(self.x[held], self.y[held], counts[held], self.width, breaks(int(counts.max(initial=0))))


def grid(lon: Floats, lat: Floats, panels: Sequence[Projection], *, width: float = WIDTH) -> Grid:
    """The cells of points (degrees) on a drawing 分箱; each point in the first frame that shows it, else nowhere.

    Examples
    --------
    >>> from jiqun.report.projection import World
    >>> cells = grid(np.array([10.0, 10.01, 90.0]), np.array([0.0, 0.0, 30.0]), [World()]).count()
    >>> cells.counts.tolist(), cells.breaks
    ([1, 2], (1,))
    """
    of = np.full(len(lon), -1, dtype=np.int64)
    left = np.arange(len(lon))
    centres: list[tuple[Floats, Floats]] = []
    for panel in panels:
        inside, x, y = seen(panel, lon[left], lat[left])
        cells, *at = _nearest(x, y, width)
        of[left[inside]] = cells + sum(len(x) for x, _ in centres)
        centres.append((at[0], at[1]))
        left = left[~inside]
    x, y = (np.concatenate(parts) for parts in zip(*centres, strict=True))
    return Grid(of, x, y, width)


def breaks(most: int, classes: int = CLASSES) -> tuple[int, ...]:
    """Lowest counts of classes of round numbers up to the largest count, even by logarithm.

    Examples
    --------
    >>> breaks(1), breaks(7), breaks(4000)
    ((1,), (1, 2), (1, 5, 20, 100, 500))
    """
    if most < 1:
        return ()
    steps = {round(nice(most ** (k / classes) * (1 + 1e-9))) for k in range(classes)}
    return tuple(sorted(steps))


def _nearest(x: Floats, y: Floats, width: float) -> tuple[Integers, Floats, Floats]:
    """For each point the number of the hexagonal cell whose centre is nearest, and the centres of those cells."""
    if not len(x):
        return np.zeros(0, dtype=np.int64), x, y
    rise = width * math.sqrt(3) / 2
    v, u = y / rise, x / width
    row = np.rint(v)
    column = np.rint(u - 0.5 * (row % 2))
    # the point may lie nearer to the centre in the row on its other side
    other = row + np.where(v > row, 1.0, -1.0)
    near = np.rint(u - 0.5 * (other % 2))
    first = (u - 0.5 * (row % 2) - column) ** 2 + 0.75 * (v - row) ** 2
    second = (u - 0.5 * (other % 2) - near) ** 2 + 0.75 * (v - other) ** 2
    nearer = second < first
    row, column = np.where(nearer, other, row).astype(np.int64), np.where(nearer, near, column).astype(np.int64)
    low_row, low_column = int(row.min()), int(column.min())
    span = int(column.max()) - low_column + 1
    codes = (row - low_row) * span + column - low_column
    held = np.zeros(int(codes.max()) + 1, dtype=bool)
    held[codes] = True
    (used,) = np.nonzero(held)
    rows = used // span + low_row
    middle = (used % span + low_column + 0.5 * (rows % 2)) * width
    return (np.cumsum(held) - 1)[codes], middle.astype(np.float64), (rows * rise).astype(np.float64)
