"""Geometry of the sphere 球面几何: unit vectors, chords, and the sum of weights inside a ball.

Distances are great-circle on a sphere of radius R = 6371.0088 km (IUGG mean radius). Two points are within
d km exactly when the chord between their unit vectors is at most 2 sin(d / 2R), so comparisons need no
trigonometry. `BallIndex` adds up weights inside balls: whole boxes of points that lie inside are taken
unopened, boxes outside are skipped, and only those that straddle the border are opened.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from jiqun.atlas import _ball_kernels
from jiqun.core.arrays import Booleans, Floats, Integers
from jiqun.core.errors import MeasureInputError

EARTH_RADIUS_KM = 6371.0088
EPS_KM_RANGE = (0.02, 10_000.0)


def chord2(distance_km: float) -> float:
    """Squared chord, on the unit sphere, of a great-circle distance in km.

    Examples
    --------
    >>> round(chord2(EARTH_RADIUS_KM * np.pi), 12)  # antipodes: chord 2
    4.0
    """
    return float((2.0 * np.sin(distance_km / (2.0 * EARTH_RADIUS_KM))) ** 2)


def checked_eps(eps_km: float) -> float:
    """`eps_km` if it is a usable radius.

    Raises
    ------
    MeasureInputError
        JQ-ATLAS-002: not a number between 0.02 and 10,000 km.
    """
    low, high = EPS_KM_RANGE
    if not low <= eps_km <= high:
        raise MeasureInputError("JQ-ATLAS-002", value=eps_km, low=low, high=high)
    return float(eps_km)


def checked_coordinates(lon: ArrayLike, lat: ArrayLike) -> tuple[Floats, Floats]:
    """Two equally long arrays of finite degrees: lon in [−180, 180], lat in [−90, 90].

    Raises
    ------
    MeasureInputError
        JQ-ATLAS-001: lengths differ, or a value is missing or out of range: names the first such position.
    """
    x, y = np.ascontiguousarray(lon, dtype=np.float64), np.ascontiguousarray(lat, dtype=np.float64)
    if x.ndim != 1 or x.shape != y.shape:
        raise MeasureInputError("JQ-ATLAS-001", position=0, lon=f"shape {x.shape}", lat=f"shape {y.shape}")
    good = (np.abs(x) <= 180.0) & (np.abs(y) <= 90.0)  # false for NaN
    if not good.all():
        first = int(np.argmin(good))
        raise MeasureInputError("JQ-ATLAS-001", position=first, lon=x[first], lat=y[first])
    return x, y


def checked_weight(weight: ArrayLike | None, n: int) -> Floats:
    """Weights as floats, ones where none are given; finite and not negative.

    Raises
    ------
    MeasureInputError
        JQ-ATLAS-003: wrong length, or a negative, infinite or missing weight: names the first.
    """
    if weight is None:
        return np.ones(n)
    w = np.ascontiguousarray(weight, dtype=np.float64)
    if w.shape != (n,):
        raise MeasureInputError("JQ-ATLAS-003", position=0, value=f"shape {w.shape}")
    good = (w >= 0.0) & np.isfinite(w)
    if not good.all():
        first = int(np.argmin(good))
        raise MeasureInputError("JQ-ATLAS-003", position=first, value=w[first])
    return w


def unit_vectors(lon: Floats, lat: Floats) -> Floats:
    """Unit vectors, shape (3, n), of points in degrees. 180° and −180° give the same vector; so do all longitudes at a pole."""
    rad_lon, rad_lat = np.radians(np.where(lon == -180.0, 180.0, lon)), np.radians(lat)
    flat = np.where(np.abs(lat) == 90.0, 0.0, np.cos(rad_lat))
    return np.stack([flat * np.cos(rad_lon), flat * np.sin(rad_lon), np.sin(rad_lat)])


def centre(lon: Floats, lat: Floats, weight: Floats) -> tuple[float, float]:
    """Weighted mean direction of points, in degrees: right across the antimeridian and at the poles."""
    x, y, z = unit_vectors(lon, lat) @ weight
    return float(np.degrees(np.arctan2(y, x))), float(np.degrees(np.arctan2(z, np.hypot(x, y))))


def nearest_labels(vectors: Floats, labels: Integers, centres: Floats, limit: float) -> Integers:
    """Label of the vector nearest to each centre within squared chord `limit`; equally near: the smallest; none: −1."""
    order = _ball_kernels.curve_order(vectors)
    points = vectors[order]
    boxes, _, level_start = _ball_kernels.pack(points, np.ones(len(points)))
    asked = np.argsort(_ball_kernels.curve_keys(centres))
    result = np.empty(len(centres), np.int64)
    result[asked] = _ball_kernels.nearest_labels(points, labels[order], boxes, level_start, centres[asked], limit)
    return result


@dataclass(frozen=True)
class BallIndex:
    """Weighted points, packed for ball sums 球内求和: build once, ask often.

    Points are ordered along a space-filling curve, 16 to a leaf, 8 boxes to the box above. A query visits the
    boxes that straddle its border only, O(√n) of them for points on a surface; memory is linear. Sums are exact
    for integer weights below 2⁵³ (else to rounding), and borders are decided on the same floating-point chord as
    a comparison of all pairs.

    Examples
    --------
    >>> index = BallIndex.build([116.4, 116.5, 121.5], [39.9, 39.9, 31.2])
    >>> index.sums([116.4], [39.9], 20.0)
    array([2.])
    """

    points: Floats
    weight: Floats
    boxes: Floats
    box_weight: Floats
    level_start: Integers

    @classmethod
    def build(cls, lon: ArrayLike, lat: ArrayLike, weight: ArrayLike | None = None) -> BallIndex:
        """Index of points in degrees with weights >= 0 (default: one each)."""
        x, y = checked_coordinates(lon, lat)
        return cls.of_vectors(np.ascontiguousarray(unit_vectors(x, y).T), checked_weight(weight, len(x)))

    @classmethod
    def of_vectors(cls, vectors: Floats, weight: Floats) -> BallIndex:
        """Index of unit vectors, shape (n, 3)."""
        order = _ball_kernels.curve_order(vectors)
        points, weights = _ball_kernels.merge_equal(vectors[order], weight[order])
        boxes, box_weight, level_start = _ball_kernels.pack(points, weights)
        return cls(points, weights, boxes, box_weight, level_start)

    @property
    def locations(self) -> int:
        """Number of distinct locations."""
        return len(self.points)

    def sums(self, lon: ArrayLike, lat: ArrayLike, radius_km: float) -> Floats:
        """Weight within `radius_km`, border included, of each (lon, lat)."""
        x, y = checked_coordinates(lon, lat)
        return self.around(np.ascontiguousarray(unit_vectors(x, y).T), chord2(checked_eps(radius_km)))

    def around(self, vectors: Floats, limit: float) -> Floats:
        """Weight within a squared chord `limit` of each unit vector, shape (m, 3)."""
        order = np.argsort(_ball_kernels.curve_keys(vectors))
        result = np.empty(len(vectors))
        result[order] = _ball_kernels.ball_sums(
            self.points, self.weight, self.boxes, self.box_weight, self.level_start, vectors[order], limit
        )
        return result

    def reach(self, vectors: Floats, threshold: Floats, limit: float) -> Booleans:
        """Whether the weight within a squared chord `limit` of each unit vector, shape (m, 3), reaches its threshold.

        As `around(vectors, limit) >= threshold`, but most balls are decided in groups and never summed.
        """
        order = np.argsort(_ball_kernels.curve_keys(vectors))
        result = np.empty(len(vectors), np.bool_)
        result[order] = _ball_kernels.balls_reach(
            self.points,
            self.weight,
            self.boxes,
            self.box_weight,
            self.level_start,
            vectors[order],
            threshold[order],
            limit,
        )
        return result
