"""Exact density clustering on the sphere 密度聚类: DBSCAN with weights and a threshold per point.

A point is *core* when the weight within eps of it, itself included, reaches its threshold. Core points within eps of
each other belong to one cluster; a point that is not core but within eps of a core point is a *border* point of the
nearest one's cluster; the rest is noise. Border points are ambiguous in the original definition; here the nearest core
point decides and, where several are equally near, the smaller label, so that the answer does not depend on the order
of the rows.

Source: Ester, Kriegel, Sander, Xu (1996), KDD-96, 226–231; grid search after Gunawan (2013). The grid replaces the
neighbour lists of a tree search, so memory is linear in the points however dense they are.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from jiqun.atlas import _grid_kernels
from jiqun.atlas.sphere import (
    BallIndex,
    checked_coordinates,
    checked_eps,
    checked_weight,
    chord2,
    nearest_labels,
    unit_vectors,
)
from jiqun.core.arrays import Booleans, Floats, Integers
from jiqun.core.errors import MeasureInputError


@dataclass(frozen=True)
class _CoreGrid:
    """Core points in their cells, to be searched for the nearest."""

    side: float
    width: np.int64
    limit: float
    points: Floats
    core: Booleans
    start: Integers
    cell_key: Integers
    cell_label: Integers

    def nearest(self, queries: Floats, query_start: Integers, query_key: Integers) -> Integers:
        """Cluster of the nearest core point within eps of each unit vector, grouped by cell; −1: none."""
        labels = _grid_kernels.nearest_cluster(
            queries, query_start, query_key, self.points, self.core, self.start,
            self.cell_key, self.width, self.cell_label, self.limit,
        )  # fmt: skip
        contested = np.flatnonzero(labels == _grid_kernels.CONTESTED)
        if len(contested):
            each = np.repeat(self.cell_label, np.diff(self.start))[self.core]
            labels[contested] = nearest_labels(self.points[self.core], each, queries[contested], self.limit)
        return labels


@dataclass(frozen=True)
class DensityGrid:
    """The solved clustering, kept so that further points can be assigned to its clusters (`assign`)."""

    labels: Integers
    core: Booleans
    _cores: _CoreGrid

    def assign(self, lon: ArrayLike, lat: ArrayLike) -> Integers:
        """Cluster of the nearest core point within eps of each given point; −1 where there is none."""
        x, y = checked_coordinates(lon, lat)
        xyz = unit_vectors(x, y)
        keys, _ = _grid_kernels.cell_keys(xyz, self._cores.side)
        order = np.argsort(keys)
        query_key, query_start = _grid_kernels.group_cells(keys, order)
        labels = np.empty(len(x), np.int64)
        labels[order] = self._cores.nearest(np.ascontiguousarray(xyz[:, order].T), query_start, query_key)
        return labels


def solve(
    lon: ArrayLike, lat: ArrayLike, weight: ArrayLike | None = None, *, eps_km: float, min_weight: ArrayLike
) -> DensityGrid:
    """As `dbscan`, and keeps what is needed to assign further points."""
    x, y = checked_coordinates(lon, lat)
    n = len(x)
    w = checked_weight(weight, n)
    threshold = _checked_threshold(min_weight, n)
    limit = chord2(checked_eps(eps_km))
    side = np.sqrt(limit / 3.0) * (1.0 - 1e-9)  # a hair under eps/√3: rounding cannot stretch a cell beyond eps
    xyz = unit_vectors(x, y)
    keys, width = _grid_kernels.cell_keys(xyz, side)
    order = np.argsort(keys)
    cell_key, start = _grid_kernels.group_cells(keys, order)
    del keys
    points, weights, thresholds, start, owner = _grid_kernels.merge_points(xyz, w, threshold, order, start)
    del xyz
    state = _grid_kernels.core_points(points, weights, thresholds, start, cell_key, width, limit)
    core = state == _grid_kernels.YES
    crowded = np.flatnonzero(state == _grid_kernels.OPEN)
    if len(crowded):
        core[crowded] = BallIndex.of_vectors(points, weights).reach(points[crowded], thresholds[crowded], limit)
    root = _grid_kernels.join_cells(points, core, start, cell_key, width, limit)
    cell_label = _grid_kernels.number_clusters(core, root, start, owner, order)[root]
    merged = np.where(core, np.repeat(cell_label, np.diff(start)), -1)
    cores = _CoreGrid(side, width, limit, points, core, start, cell_key, cell_label)
    outside = ~core
    if outside.any() and core.any():
        counts = np.add.reduceat(outside, start[:-1], dtype=np.int64)
        some = counts > 0
        merged[outside] = cores.nearest(points[outside], np.concatenate([[0], np.cumsum(counts[some])]), cell_key[some])
    labels, is_core = np.empty(n, np.int64), np.empty(n, np.bool_)
    labels[order], is_core[order] = merged[owner], core[owner]
    return DensityGrid(labels, is_core, cores)


def dbscan(
    lon: ArrayLike, lat: ArrayLike, weight: ArrayLike | None = None, *, eps_km: float, min_weight: ArrayLike
) -> tuple[Integers, Booleans]:
    """Exact weighted DBSCAN 密度聚类 on the great circle (R = 6371.0088 km).

        core[i]  ⇔  Σ weight[j] over all j with d(i, j) <= eps_km, i included,  >=  min_weight[i]

    Parameters
    ----------
    lon, lat
        WGS-84 degrees, n each.
    weight
        n finite numbers >= 0; default one per point.
    eps_km
        Radius in km, 0.02 to 10,000; a distance equal to it counts as within.
    min_weight
        One positive number, or n of them: a threshold per point.

    Returns
    -------
    labels
        Cluster of each point, numbered from 0 by the first core point in the input; −1 is noise.
    core
        Whether each point is core.

    Raises
    ------
    MeasureInputError
        JQ-ATLAS-001 to 004: unusable coordinates, radius, weight or threshold; names the first bad position.

    Notes
    -----
    Equal to comparing all pairs. O(n log n) time for points spread over a surface, O(n) memory. Weights are added in
    floating point: whole numbers are exact, fractions are exact to rounding.
    Source: Ester, Kriegel, Sander, Xu (1996), KDD-96, 226–231.

    Examples
    --------
    >>> labels, core = dbscan([116.30, 116.31, 116.32, 121.47], [39.98] * 3 + [31.23], eps_km=2, min_weight=3)
    >>> labels.tolist(), core.tolist()
    ([0, 0, 0, -1], [True, True, True, False])
    """
    grid = solve(lon, lat, weight, eps_km=eps_km, min_weight=min_weight)
    return grid.labels, grid.core


def _checked_threshold(min_weight: ArrayLike, n: int) -> Floats:
    threshold = np.asarray(min_weight, dtype=np.float64)
    if threshold.ndim and threshold.shape != (n,):
        raise MeasureInputError("JQ-ATLAS-004", position=0, value=f"shape {threshold.shape}")
    good = threshold > 0.0
    if not good.all():
        first = int(np.argmin(good))
        raise MeasureInputError("JQ-ATLAS-004", position=first, value=threshold.flat[first])
    return np.ascontiguousarray(np.broadcast_to(threshold, (n,)))
