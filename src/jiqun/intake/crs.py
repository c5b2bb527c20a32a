"""Coordinate systems in use in China 坐标系: WGS-84, GCJ-02 (国测局), BD-09 (百度).

jiqun keeps WGS-84. Map services in China hand out GCJ-02 (Amap, Tencent) or BD-09 (Baidu), which lie some
hundred metres off. CGCS2000 differs from WGS-84 by centimetres: treat it as WGS-84.

GCJ-02 has no published definition; what everyone uses is the formula that was leaked and rebuilt, and so is
this. It applies inside a bounding box around China only. The box also holds Hong Kong, Macao and Taiwan, and
parts of neighbouring countries, where many sources publish plain WGS-84: say `wgs84` for a file of such places.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from jiqun.core.errors import UsageError

Crs = Literal["wgs84", "gcj02", "bd09"]
Pair = tuple[NDArray[np.float64], NDArray[np.float64]]

WEST, EAST, SOUTH, NORTH = 72.004, 137.8347, 0.8293, 55.8271
"""The box, in degrees, inside which GCJ-02 shifts a point."""

_SEMI_MAJOR_M = 6378245.0  # Krasovsky 1940, as the formula has it
_ECCENTRICITY2 = 0.00669342162296594323
_TOLERANCE_DEG = 1e-11
_ROUNDS = 30


def to_wgs84(lon: ArrayLike, lat: ArrayLike, crs: Crs) -> Pair:
    """WGS-84 longitude and latitude 转为 WGS-84 of points given in `crs`.

    The inverse of `from_wgs84`, found by fixed-point iteration  w ← g − (f(w) − w)  until no point moves by more
    than 1e-11 degree (about a micrometre); the closed formulas in circulation stop at a metre or so.

    Parameters
    ----------
    lon, lat
        Degrees, arrays of one shape. NaN stays NaN.
    crs
        `wgs84` (returned unchanged), `gcj02` or `bd09`.

    Returns
    -------
    Longitude and latitude in degrees, float64. Points outside the box are not shifted by GCJ-02.

    Raises
    ------
    UsageError
        JQ-USE-001: an unknown coordinate system.

    Notes
    -----
    The box edge runs through sea and steppe; a point within the shift (0.01 degree) of it may come back unshifted.

    Examples
    --------
    >>> lon, lat = to_wgs84([116.41024449916938], [39.91640428150164], "gcj02")
    >>> round(float(lon[0]), 9), round(float(lat[0]), 9)
    (116.404, 39.915)
    """
    x, y = _as_pair(lon, lat, crs)
    if crs == "bd09":
        x, y = _invert(_bd09_from_gcj02, x, y)
    if crs != "wgs84":
        inside = _inside(x, y)
        x[inside], y[inside] = _invert(_gcj02_from_wgs84, x[inside], y[inside])
    return x, y


def from_wgs84(lon: ArrayLike, lat: ArrayLike, crs: Crs) -> Pair:
    """Longitude and latitude in `crs` 由 WGS-84 转出 of WGS-84 points; the inverse of `to_wgs84`.

    Parameters, result and errors are as in `to_wgs84`.

    Notes
    -----
    Source of the formulas: the open implementations that agree with each other, such as coordtransform by
    wandergis (MIT); the values in the example are the ones that it publishes.

    Examples
    --------
    >>> lon, lat = from_wgs84([116.404], [39.915], "gcj02")
    >>> round(float(lon[0]), 9), round(float(lat[0]), 9)
    (116.410244499, 39.916404282)
    """
    x, y = _as_pair(lon, lat, crs)
    if crs != "wgs84":
        inside = _inside(x, y)
        x[inside], y[inside] = _gcj02_from_wgs84(x[inside], y[inside])
    if crs == "bd09":
        x, y = _bd09_from_gcj02(x, y)
    return x, y


def _as_pair(lon: ArrayLike, lat: ArrayLike, crs: str) -> Pair:
    if crs not in get_args(Crs):
        raise UsageError("JQ-USE-001", what="crs", value=crs, known=", ".join(get_args(Crs)))
    return np.array(lon, dtype=np.float64, ndmin=1), np.array(lat, dtype=np.float64, ndmin=1)


def _inside(lon: NDArray[np.float64], lat: NDArray[np.float64]) -> NDArray[np.bool_]:
    return (lon >= WEST) & (lon <= EAST) & (lat >= SOUTH) & (lat <= NORTH)


def _invert(forward: Callable[..., Pair], lon: NDArray[np.float64], lat: NDArray[np.float64]) -> Pair:
    """Solve forward(w) = (lon, lat). The shift changes by less than 1 % of a step, so each round gains two digits."""
    x, y = lon.copy(), lat.copy()
    for _ in range(_ROUNDS):
        fx, fy = forward(x, y)
        dx, dy = lon - fx, lat - fy
        x += dx
        y += dy
        moved = np.fmax(np.abs(dx), np.abs(dy))
        if not np.any(moved > _TOLERANCE_DEG):
            break
    return x, y


def _gcj02_from_wgs84(lon: NDArray[np.float64], lat: NDArray[np.float64]) -> Pair:
    x, y = lon - 105.0, lat - 35.0
    root = np.sqrt(np.abs(x))
    waves = (20.0 * np.sin(6.0 * np.pi * x) + 20.0 * np.sin(2.0 * np.pi * x)) * 2.0 / 3.0
    north = -100.0 + 2.0 * x + 3.0 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * root + waves
    north += (20.0 * np.sin(np.pi * y) + 40.0 * np.sin(np.pi / 3.0 * y)) * 2.0 / 3.0
    north += (160.0 * np.sin(np.pi / 12.0 * y) + 320.0 * np.sin(np.pi / 30.0 * y)) * 2.0 / 3.0
    east = 300.0 + x + 2.0 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * root + waves
    east += (20.0 * np.sin(np.pi * x) + 40.0 * np.sin(np.pi / 3.0 * x)) * 2.0 / 3.0
    east += (150.0 * np.sin(np.pi / 12.0 * x) + 300.0 * np.sin(np.pi / 30.0 * x)) * 2.0 / 3.0
    phi = np.radians(lat)
    w2 = 1.0 - _ECCENTRICITY2 * np.sin(phi) ** 2
    w = np.sqrt(w2)
    meridian_m = _SEMI_MAJOR_M * (1.0 - _ECCENTRICITY2) / (w2 * w)  # radius of curvature north–south
    parallel_m = _SEMI_MAJOR_M / w * np.cos(phi)  # radius of the parallel
    return lon + np.degrees(east / parallel_m), lat + np.degrees(north / meridian_m)


def _bd09_from_gcj02(lon: NDArray[np.float64], lat: NDArray[np.float64]) -> Pair:
    k = np.pi * 3000.0 / 180.0
    radius = np.hypot(lon, lat) + 0.00002 * np.sin(lat * k)
    angle = np.arctan2(lat, lon) + 0.000003 * np.cos(lon * k)
    return radius * np.cos(angle) + 0.0065, radius * np.sin(angle) + 0.006
