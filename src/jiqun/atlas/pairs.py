"""Distance-based concentration 基于距离的集聚测度: the M function and the K-density, with bands for the whole curve.

Both ask at which distances firms of a class stand nearer to each other than firms in general do, without cutting the map
into regions. Pairs are counted, never stored: memory is linear in the firms. Nothing here reads files or draws.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from jiqun.atlas import _pair_kernels
from jiqun.atlas.sphere import EARTH_RADIUS_KM, checked_coordinates, checked_weight, unit_vectors
from jiqun.core.arrays import Booleans, Floats, Integers
from jiqun.core.errors import MeasureInputError

EXACT = 60_000
"""Up to so many firms every distance is exact; above, firms stand at the centres of cells."""
RADII_KM = (1.0, 2.0, 3.0, 5.0, 7.5, 10.0, 15.0, 20.0, 30.0, 50.0, 75.0, 100.0, 140.0, 180.0)
_SPAN = 6.0
"""Bandwidths after which the normal kernel is below 1e-8 of its peak."""
_FINE = 40.0
"""Bins of a simulated curve to a bandwidth."""
_LEAST = 3
_ROUND = 1e-9
_RULE_BINS = 4000
_CELLS = 20_000


@dataclass(frozen=True)
class DistanceCurve:
    """A curve over distance and what chance would give 距离曲线.

    Attributes
    ----------
    distance_km, value
        The curve; NaN where it is not defined.
    low, high
        Global band: under the null the *whole* curve lies inside with probability `level`; NaN where too few null curves
        are defined to tell.
    middle
        Median of the null.
    p
        Of the whole curve: share of null curves (itself among them) at least as extreme somewhere; the band is left if and
        only if p ≤ 1 − level.
    concentrated, dispersed
        Where the curve lies above, below the band.
    n, draws, level
        Firms of the class, null curves, level of the band.
    error_km
        No distance is wrong by more than this: 0 where exact.
    bandwidth_km
        Of the kernel; None for the M function.
    """

    distance_km: Floats
    value: Floats
    low: Floats
    high: Floats
    middle: Floats
    p: float
    n: int
    draws: int
    level: float
    error_km: float
    bandwidth_km: float | None = None

    @property
    def concentrated(self) -> Booleans:
        """Where firms of the class are nearer to each other than chance allows."""
        with np.errstate(invalid="ignore"):
            above: Booleans = self.value > self.high
        return above

    @property
    def dispersed(self) -> Booleans:
        """Where they keep away from each other more than chance allows."""
        with np.errstate(invalid="ignore"):
            below: Booleans = self.value < self.low
        return below


def m_function(
    lon: ArrayLike,
    lat: ArrayLike,
    case: ArrayLike,
    *,
    weight: ArrayLike | None = None,
    radii_km: ArrayLike = RADII_KM,
    draws: int = 199,
    level: float = 0.95,
    seed: int = 20240501,
    exact: int = EXACT,
) -> DistanceCurve:
    """M function of a class of firms 马尔孔–普埃奇 M 函数: its share among neighbours, relative to its share of all.

        M(r) = Σ_{i ∈ S} [Σ_{j ≠ i, j ∈ S, d ≤ r} w_j / Σ_{j ≠ i, d ≤ r} w_j]  /  Σ_{i ∈ S} (W_S − w_i) / (W − w_i)

    1 is the overall share; 2: within r km of a firm of the class its share is twice as high. Firms without any
    neighbour within r count in neither sum. Null: the class labels shuffled over all firms, each firm keeping place and
    weight.

    Parameters
    ----------
    lon, lat
        All firms, of the class and others, degrees WGS-84.
    case
        Boolean: the firm is of the class.
    weight
        Sizes > 0, such as employees 从业人数; None counts firms.
    radii_km
        Rising radii in km.
    draws, level, seed
        Null curves, level of the global band, and what they are drawn from.
    exact
        Above so many firms they are moved to the centres of cells; `error_km` states the bound.

    Returns
    -------
    `DistanceCurve`; value is NaN at radii within which no firm of the class has a neighbour.

    Raises
    ------
    MeasureInputError
        JQ-ATLAS-001, 003: coordinates or weights cannot be used. JQ-ATLAS-025: fewer than 3 firms of the class, or all
        firms are of it. JQ-ATLAS-026: radii do not rise from above 0, or draws are too few for the level.

    Notes
    -----
    Cost: n² · draws additions, n the firms: 50,000 and 199 draws take minutes. Source: Marcon and Puech (2010), Journal
    of Economic Geography 10(5), 745–762; for the band see `global_band`.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> lon, lat = 114 + rng.normal(0, 0.2, (2, 60))
    >>> lat = lat - 92
    >>> case = np.arange(60) < 12
    >>> lon[:12] = 114 + rng.normal(0, 0.01, 12)
    >>> lat[:12] = 22 + rng.normal(0, 0.01, 12)
    >>> found = m_function(lon, lat, case, radii_km=[5, 10, 50])
    >>> bool(found.value[0] > 2), bool(found.concentrated[0])
    (True, True)
    """
    east, north = checked_coordinates(lon, lat)
    labels = _checked_case(case, len(east))
    w = checked_weight(weight, len(east))
    if (w <= 0).any():
        raise MeasureInputError("JQ-ATLAS-003", position=int(np.argmin(w > 0)), value=0.0)
    radii = np.ascontiguousarray(radii_km, dtype=np.float64)
    if radii.ndim != 1 or not radii.size or not (np.diff(radii, prepend=0.0) > 0).all() or not np.isfinite(radii).all():
        raise MeasureInputError("JQ-ATLAS-026", what="radii_km", value=radii.tolist()[:5])
    _check_draws(draws, level)
    rng = np.random.default_rng(seed)
    drawn = np.empty((len(east), draws + 1), dtype=np.bool_)
    drawn[:, 0] = labels
    for s in range(1, draws + 1):
        drawn[:, s] = rng.permutation(labels)
    vectors, place, error_km = _places(east, north, exact)
    firms = np.argsort(place, kind="stable")
    start = np.searchsorted(place[firms], np.arange(vectors.shape[1] + 1))
    # whole numbers below 2²⁴ add up exactly in the narrower type, at half the memory
    kind = np.float32 if weight is None and len(east) < 1 << 24 else np.float64
    cases = np.zeros((vectors.shape[1], draws + 1), dtype=kind)
    for s in range(draws + 1):
        cases[:, s] = np.bincount(place, w * drawn[:, s], vectors.shape[1])
    whole = np.bincount(place, w, vectors.shape[1])
    totals = cases.sum(axis=0, dtype=np.float64)
    parts = _side_by_side(_pair_kernels.neighbour_ratios, vectors, whole, cases, totals, start, firms, w, drawn, radii)
    ratio, own = (sum(part[k] for part in parts) for k in (0, 1))
    with np.errstate(divide="ignore", invalid="ignore"):
        curves = np.where(own > 0, ratio / own, np.nan).T
    middle, low, high, p = global_band(curves, level)
    n = int(labels.sum())
    return DistanceCurve(radii, curves[0], low, high, middle, p, n, draws, level, error_km)


def k_density(
    lon: ArrayLike,
    lat: ArrayLike,
    case: ArrayLike,
    *,
    weight: ArrayLike | None = None,
    max_km: float = 180.0,
    step_km: float = 1.0,
    bandwidth_km: float | None = None,
    draws: int = 199,
    level: float = 0.95,
    seed: int = 20240501,
    exact: int = EXACT,
) -> DistanceCurve:
    """K-density of a class of firms 杜兰顿–奥弗曼 K 密度: the distribution of distances between its firms.

        K(r) = Σ_{i<j} w_i w_j [φ((r − d_ij)/h) + φ((r + d_ij)/h)] / (h Σ_{i<j} w_i w_j)        per km

    with φ the normal density; the second term reflects at 0, below which there is no distance. Null: as many firms, with
    the same weights, at places drawn without replacement from those of all firms.

    Parameters
    ----------
    lon, lat, case, weight
        As in `m_function`; weights of the class only are used. Unit: squared size.
    max_km, step_km
        The curve is given at 0, step, 2 step, … max.
    bandwidth_km
        h; None takes Silverman's rule 0.9 min(s, IQR / 1.34) m^(−1/5) over the m pairs of firms within max_km; with
        weights m is their effective number (Σ w_i w_j)² / Σ (w_i w_j)².
    draws, level, seed, exact
        As in `m_function`.

    Returns
    -------
    `DistanceCurve`, value per km. The class's own curve is a sum over all pairs; curves of the null, which make the band,
    are smoothed from counts in bins of h / 40.

    Raises
    ------
    MeasureInputError
        As `m_function`; JQ-ATLAS-026 also where bandwidth, step or max_km are not above 0. Where the bandwidth is to be
        found: JQ-ATLAS-035: no two firms of the class are within max_km; JQ-ATLAS-036: all that are, are equally far apart.

    Notes
    -----
    Cost: n_S² · draws / 2 distances, n_S the firms of the class. Source: Duranton and Overman (2005), Review of Economic
    Studies 72(4), 1077–1106; bandwidth: Silverman (1986), eq. 3.31.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> lon, lat = 100 + rng.random(200), 30 + rng.random(200)
    >>> lon[:30], lat[:30] = 100.5 + rng.random(30) / 50, 30.5 + rng.random(30) / 50
    >>> found = k_density(lon, lat, np.arange(200) < 30, max_km=100)
    >>> bool(found.concentrated[0]), bool(found.concentrated[60])
    (True, False)
    """
    east, north = checked_coordinates(lon, lat)
    labels = _checked_case(case, len(east))
    w = checked_weight(weight, len(east))[labels]
    for name, value in (("max_km", max_km), ("step_km", step_km), ("bandwidth_km", bandwidth_km)):
        if value is not None and not (np.isfinite(value) and value > 0):
            raise MeasureInputError("JQ-ATLAS-026", what=name, value=value)
    _check_draws(draws, level)
    distances: Floats = np.arange(0.0, max_km + step_km / 2, step_km)
    vectors, place, error_km = _places(east, north, exact)
    pairs = (w.sum() ** 2 - (w**2).sum()) / 2
    chosen = np.flatnonzero(labels)
    h = bandwidth_km if bandwidth_km is not None else _silverman(vectors, place[chosen], w, max_km)
    rng = np.random.default_rng(seed)
    width = h / _FINE
    reach = float(distances[-1]) + _SPAN * h
    d: Floats = np.arange(int(np.ceil(reach / width)) + 1, dtype=np.float64) * float(width)
    smoother = _around(distances, d, h)
    at_zero = 2 * _normal(distances / h) / h
    curves = np.empty((draws + 1, distances.size))
    for s in range(draws + 1):
        at = chosen if s == 0 else rng.permutation(rng.choice(len(east), len(chosen), replace=False))
        points, held, together = _grouped(vectors, place[at], w)
        if s == 0:
            smooth = sum(_side_by_side(_pair_kernels.kernel_density, points, held, distances, h, _SPAN))
        else:
            smooth = smoother @ _histogram(points, held, reach, width, d.size - 1)
        curves[s] = (smooth + together * at_zero) / pairs  # pairs at one place have distance 0
    middle, low, high, p = global_band(curves, level)
    return DistanceCurve(distances, curves[0], low, high, middle, p, len(chosen), draws, level, error_km, float(h))


def global_band(curves: Floats, level: float) -> tuple[Floats, Floats, Floats, float]:
    """A band that holds a whole curve 全局置信带: median, low, high, and the p-value of the first curve.

    A curve is the more extreme, the fewer curves lie at or beyond it where it is most extreme; then where it is next most
    extreme, and so on over all points (extreme-rank length). The band is the hull of the curves left when the most extreme
    ones, at most 1 − level of all, are taken away; p is the smallest such share at which the first curve leaves the hull of
    those left. So it leaves the band if and only if p ≤ 1 − level. Curves are exchangeable under the null, so this happens
    with probability at most 1 − level, for any number of draws; ties only make it rarer.

    A curve that is NaN at a point is not extreme there. A point tells nothing, and its band is NaN, where fewer than
    1 / (1 − level) curves are known, or no more than may be taken away.

    Parameters
    ----------
    curves
        Shape (draws + 1, points), the observed one first.

    Source: Myllymäki et al. (2017), Journal of the Royal Statistical Society B 79(2), 381–404.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> curves = rng.normal(size=(200, 30))
    >>> curves[0, 7:10] = 9.0
    >>> global_band(curves, 0.95)[3]
    0.005
    """
    n, points = curves.shape
    known = ~np.isnan(curves)
    told, most = known.sum(axis=0), n * (1 - level) + _ROUND
    used = np.flatnonzero((told * (1 - level) >= 1 - _ROUND) & (told > most))
    middle, low, high = np.full((3, points), np.nan)
    beyond = np.full((n, len(used)), n)
    rounding = np.zeros(points)  # values nearer than this are equal but for the order of sums
    for k, j in enumerate(used):
        held = np.flatnonzero(known[:, j])
        values = curves[held, j]
        rounding[j] = _ROUND * np.abs(values).max()
        rising = np.sort(values)
        above = len(held) - np.searchsorted(rising, values - rounding[j], "left")
        beyond[held, k] = np.minimum(above, np.searchsorted(rising, values + rounding[j], "right"))
        middle[j] = np.median(values)
    ranks, alike = np.unique(np.sort(beyond, axis=1), axis=0, return_inverse=True)
    extreme = np.cumsum(np.bincount(alike.reshape(-1), minlength=len(ranks)))[alike.reshape(-1)] / n
    p = 1.0
    for j in used:
        values, left = curves[:, j], known[:, j] & (extreme > 1 - level + _ROUND)
        if left.any():
            low[j], high[j] = values[left].min(), values[left].max()
        if known[0, j]:
            if abs(values[0] - low[j]) <= rounding[j] or abs(values[0] - high[j]) <= rounding[j]:
                low[j], high[j] = min(low[j], values[0]), max(high[j], values[0])
            sides = (values >= values[0] - rounding[j], values <= values[0] + rounding[j])
            p = min(p, *(float(extreme[side].max()) for side in sides))
    return middle, low, high, p


def _checked_case(case: ArrayLike, n: int) -> Booleans:
    labels = np.asarray(case)
    if labels.shape != (n,) or labels.dtype != np.bool_:
        raise MeasureInputError("JQ-ATLAS-026", what="case", value=f"{labels.dtype} {labels.shape}")
    held = int(labels.sum())
    if not _LEAST <= held < n:
        raise MeasureInputError("JQ-ATLAS-025", count=held, rows=n)
    return labels


def _check_draws(draws: int, level: float) -> None:
    if not 0 < level < 1 or draws < 1 or (1 - level) * (draws + 1) < 1 - 1e-9:
        raise MeasureInputError("JQ-ATLAS-026", what="draws, level", value=(draws, level))


def _places(lon: Floats, lat: Floats, exact: int) -> tuple[Floats, Integers, float]:
    """Distinct places as unit vectors sorted by z, the place of each firm, and how far distances may be off in km."""
    side = 0.1
    east, north = lon, lat
    while len(lon) > exact:
        # bands of latitude and, within each, columns of about the same width
        degrees = np.degrees(side / EARTH_RADIUS_KM)
        row = np.floor(lat / degrees)
        north = (row + 0.5) * degrees
        columns = np.maximum(1.0, np.ceil(360.0 * np.cos(np.radians(np.minimum(np.abs(north), 90.0))) / degrees))
        east = (np.floor((lon + 180.0) / 360.0 * columns) + 0.5) / columns * 360.0 - 180.0
        north = np.clip(north, -90.0, 90.0)
        if len(np.unique(east + 1j * north)) <= min(exact, _CELLS):
            break
        side *= 2
    vectors = unit_vectors(east, north)
    moved = np.sqrt(((vectors - unit_vectors(lon, lat)) ** 2).sum(axis=0)).max()
    error_km = 2 * 2 * EARTH_RADIUS_KM * np.arcsin(min(1.0, moved / 2))  # either end may have moved so far
    distinct, inverse = np.unique(vectors[::-1], axis=1, return_inverse=True)  # the first row of what is sorted is z
    place: Integers = inverse.reshape(-1).astype(np.int64)
    return np.ascontiguousarray(distinct[::-1]), place, float(error_km)


def _grouped(vectors: Floats, place: Integers, weight: Floats) -> tuple[Floats, Floats, float]:
    """Places that hold any of some firms, sorted as before, their weight, and Σ_{i<j} w_i w_j within places."""
    held: Floats = np.bincount(place, weights=weight, minlength=vectors.shape[1]).astype(np.float64)
    squares = np.bincount(place, weight**2, minlength=vectors.shape[1])
    some = np.flatnonzero(held)
    together = float((held**2 - squares).sum() / 2)
    return np.ascontiguousarray(vectors[:, some]), held[some], together


def _silverman(vectors: Floats, place: Integers, weight: Floats, max_km: float) -> float:
    """0.9 min(s, IQR / 1.34) m^(−1/5) of the pair distances within max_km, m their effective number."""
    width = max_km / _RULE_BINS
    counts, squares = (
        _histogram(points, held, max_km, width, _RULE_BINS) + together * (np.arange(_RULE_BINS + 1) == 0)
        for points, held, together in (_grouped(vectors, place, weight), _grouped(vectors, place, weight**2))
    )
    total = counts.sum()
    if total <= 0:
        raise MeasureInputError("JQ-ATLAS-035", value=max_km)
    d = np.arange(counts.size) * width
    mean = (counts * d).sum() / total
    s = np.sqrt((counts * (d - mean) ** 2).sum() / total)
    q1, q3 = np.interp([0.25, 0.75], np.cumsum(counts) / total, d)
    spread = min(s, (q3 - q1) / 1.34) or max(s, (q3 - q1) / 1.34)
    h = 0.9 * spread * (total**2 / squares.sum()) ** -0.2
    if not h > 0:
        raise MeasureInputError("JQ-ATLAS-036")
    return float(h)


def _histogram(points: Floats, held: Floats, reach_km: float, width_km: float, bins: int) -> Floats:
    counts: Floats = sum(_side_by_side(_pair_kernels.histogram, points, held, reach_km, width_km, bins))
    return counts


def _side_by_side(kernel: Callable[..., Any], *arguments: Any) -> list[Any]:
    """What a kernel that takes `begin` and `stride` returns, one share of the points for each processor."""
    workers = os.cpu_count() or 1
    with ThreadPoolExecutor(workers) as pool:
        return list(pool.map(lambda begin: kernel(*arguments, begin, workers), range(workers)))


def _around(distances: Floats, d: Floats, h: float) -> Floats:
    """What a pair at each of `d` adds to the density at each of `distances`."""
    both: Floats = (_normal((distances[:, None] - d) / h) + _normal((distances[:, None] + d) / h)) / h
    return both


def _normal(u: Floats) -> Floats:
    density: Floats = np.exp(-0.5 * u * u) / np.sqrt(2 * np.pi)
    return density
