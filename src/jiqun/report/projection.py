"""From the globe to the page 地图投影: Equal Earth for the world, Albers for China, equirectangular for a region.

Equal Earth: Šavrič, Patterson & Jenny (2019), The Equal Earth map projection, International Journal of Geographical
Information Science 33(3), 454–465. Albers: Snyder (1987), Map Projections: A Working Manual, USGS Professional Paper
1395. Both keep areas in proportion, so bubbles and land may be compared by eye.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

EARTH_RADIUS_KM = 6371.0088
_A1, _A2, _A3, _A4 = 1.340264, -0.081106, 0.000893, 0.003796
_M = math.sqrt(3) / 2
_STEEPEST_LAT = 85.0
_PARALLELS = (25.0, 47.0)
_MERIDIAN = 105.0


def equal_earth(lon: Floats, lat: Floats) -> tuple[Floats, Floats]:
    """Equal Earth 等积地球投影 of a unit sphere.

        sin θ = (√3 / 2) sin φ
        x = 2 √3 λ cos θ / (3 (9 A₄ θ⁸ + 7 A₃ θ⁶ + 3 A₂ θ² + A₁))
        y = A₄ θ⁹ + A₃ θ⁷ + A₂ θ³ + A₁ θ

    Parameters
    ----------
    lon, lat
        Degrees; `lon` from the central meridian, within ±180.

    Returns
    -------
    x and y in sphere radii, y northwards.

    Notes
    -----
    Source: Šavrič, Patterson & Jenny (2019), equations 8 and 9, A₁ … A₄ as published.

    Examples
    --------
    >>> x, y = equal_earth(np.array([180.0]), np.array([0.0]))
    >>> round(float(x[0]), 4), float(y[0])
    (2.7066, 0.0)
    """
    theta = np.arcsin(_M * np.sin(np.radians(lat)))
    t2 = theta * theta
    t6 = t2 * t2 * t2
    x = np.radians(lon) * np.cos(theta) / (_M * (_A1 + 3 * _A2 * t2 + t6 * (7 * _A3 + 9 * _A4 * t2)))
    y = theta * (_A1 + _A2 * t2 + t6 * (_A3 + _A4 * t2))
    return x, y


def albers(
    lon: Floats, lat: Floats, *, parallels: tuple[float, float] = _PARALLELS, meridian: float = _MERIDIAN
) -> tuple[Floats, Floats]:
    """Albers equal-area conic 阿伯斯等积圆锥投影 of a unit sphere, true along two parallels, by default China's 25° and 47° N.

        n = (sin φ₁ + sin φ₂) / 2,  C = cos² φ₁ + 2 n sin φ₁,  ρ = √(C − 2 n sin φ) / n
        x = ρ sin n(λ − λ₀),  y = ρ cos n(λ − λ₀)

    Parameters
    ----------
    lon, lat
        Degrees; `lon` within ±180 of the central meridian.

    Returns
    -------
    x and y in sphere radii from the cone's tip, y southwards.

    Notes
    -----
    Source: Snyder (1987), equations 14-1 to 14-6, without the shift to an origin's latitude.

    Examples
    --------
    >>> x, y = albers(np.array([105.0, 115.0]), np.array([35.0, 35.0]))
    >>> x.round(4).tolist(), y.round(4).tolist()
    ([0.0, 0.1402], [1.3943, 1.3872])
    """
    first, second = (math.sin(math.radians(parallel)) for parallel in parallels)
    n = (first + second) / 2
    rho = np.sqrt(1 - first * first + 2 * n * first - 2 * n * np.sin(np.radians(lat))) / n
    angle = n * np.radians(lon - meridian)
    return rho * np.sin(angle), rho * np.cos(angle)


class Projection(Protocol):
    """Longitudes and latitudes in degrees to drawing units, y downwards; longitudes lie in [west, west + 360)."""

    @property
    def west(self) -> float:
        """Westernmost longitude drawn."""

    @property
    def width(self) -> float:
        """Drawing width."""

    @property
    def height(self) -> float:
        """Drawing height."""

    def box(self) -> tuple[float, float, float, float]:
        """What is drawn: west, south, east, north in degrees, east > west."""

    def shows(self, lon: Floats, lat: Floats) -> Bools:
        """Which points are drawn."""

    def __call__(self, lon: Floats, lat: Floats) -> tuple[Floats, Floats]:
        """Drawing coordinates."""


def _within(box: tuple[float, float, float, float], lon: Floats, lat: Floats) -> Bools:
    west, south, east, north = box
    inside: Bools = (lon >= west) & (lon <= east) & (lat >= south) & (lat <= north)
    return inside


def seen(view: Projection, lon: Floats, lat: Floats) -> tuple[Bools, Floats, Floats]:
    """Which points a view shows, and where it draws those, whatever turn their longitudes are on."""
    turned = view.west + (lon - view.west) % 360
    inside = view.shows(turned, lat)
    return inside, *view(turned[inside], lat[inside])


@dataclass(frozen=True)
class World:
    """The world in Equal Earth, cut at `west`, without Antarctica and the empty Arctic 世界."""

    width: float = 960.0
    west: float = -30.0
    south: float = -57.0
    north: float = 79.0

    @property
    def _scale(self) -> float:
        x, _ = equal_earth(np.array([180.0]), np.array([0.0]))
        return self.width / (2 * float(x[0]))

    @property
    def _top(self) -> float:
        return self._y(self.north)

    def _y(self, lat: float) -> float:
        _, y = equal_earth(np.array([0.0]), np.array([lat]))
        return float(y[0])

    @property
    def height(self) -> float:
        """Drawing height."""
        return (self._top - self._y(self.south)) * self._scale

    def box(self) -> tuple[float, float, float, float]:
        """West, south, east, north in degrees."""
        return self.west, self.south, self.west + 360, self.north

    def shows(self, lon: Floats, lat: Floats) -> Bools:
        """Which points are drawn."""
        return _within(self.box(), lon, lat)

    def __call__(self, lon: Floats, lat: Floats) -> tuple[Floats, Floats]:
        """Drawing coordinates."""
        x, y = equal_earth(lon - self.west - 180, lat)
        return self.width / 2 + x * self._scale, (self._top - y) * self._scale


@dataclass(frozen=True)
class Region:
    """A region in equirectangular projection, true along the parallel of its middle 区域.

    `west` to `east` may pass the antimeridian; east > west, east − west <= 360.
    """

    west: float
    south: float
    east: float
    north: float
    width: float = 640.0

    @classmethod
    def around(
        cls,
        extent: tuple[float, float, float, float],
        *,
        width: float = 640.0,
        aspect: tuple[float, float] = (1.3, 2.0),
    ) -> Region:
        """The extent with a margin, widened so that width : height lies within `aspect`.

        East < west means that the extent passes the antimeridian. A point becomes a view of some kilometres.
        """
        west, south, east, north = extent
        east += 360 if east < west else 0
        lon, lat = (west + east) / 2, (south + north) / 2
        shrink = math.cos(math.radians(min(abs(lat), _STEEPEST_LAT)))
        half_height = max((north - south) / 2 * 1.12, 0.02)
        half_width = max((east - west) / 2 * shrink * 1.12, half_height * aspect[0])
        half_height = max(half_height, half_width / aspect[1])
        half_lon = min(half_width / shrink, 180.0)
        return cls(lon - half_lon, max(lat - half_height, -90.0), lon + half_lon, min(lat + half_height, 90.0), width)

    @property
    def _scale(self) -> float:
        return self.width / (self.east - self.west)

    @property
    def _stretch(self) -> float:
        middle = min(abs(self.south + self.north) / 2, _STEEPEST_LAT)
        return self._scale / math.cos(math.radians(middle))

    @property
    def height(self) -> float:
        """Drawing height."""
        return (self.north - self.south) * self._stretch

    @property
    def km(self) -> float:
        """Drawing units per kilometre."""
        return self._stretch / math.radians(EARTH_RADIUS_KM)

    def box(self) -> tuple[float, float, float, float]:
        """West, south, east, north in degrees."""
        return self.west, self.south, self.east, self.north

    def shows(self, lon: Floats, lat: Floats) -> Bools:
        """Which points are drawn."""
        return _within(self.box(), lon, lat)

    def __call__(self, lon: Floats, lat: Floats) -> tuple[Floats, Floats]:
        """Drawing coordinates."""
        return (lon - self.west) * self._scale, (self.north - lat) * self._stretch


@dataclass(frozen=True)
class Conic:
    """A frame of the Albers projection: its edges in km of the plane, its corner and its scale on the page 圆锥投影图框.

    `covered` is a part of the page, as left, top, right, bottom, that something else lies on.
    """

    left: float
    top: float
    right: float
    bottom: float
    scale: float
    at: tuple[float, float] = (0.0, 0.0)
    covered: tuple[float, float, float, float] | None = None

    @property
    def west(self) -> float:
        """Westernmost longitude: opposite the central meridian."""
        return _MERIDIAN - 180

    @property
    def width(self) -> float:
        """Drawing width."""
        return (self.right - self.left) * self.scale

    @property
    def height(self) -> float:
        """Drawing height."""
        return (self.bottom - self.top) * self.scale

    @property
    def page(self) -> tuple[float, float, float, float]:
        """Where it lies on the page: left, top, right, bottom."""
        x, y = self.at
        return x, y, x + self.width, y + self.height

    def box(self) -> tuple[float, float, float, float]:
        """West, south, east, north in degrees: wider than any frame of China."""
        return _MERIDIAN - 60, 0.0, _MERIDIAN + 60, 60.0

    def shows(self, lon: Floats, lat: Floats) -> Bools:
        """Which points are drawn."""
        x, y = self(lon, lat)
        left, top, right, bottom = self.page
        inside: Bools = (x >= left) & (x <= right) & (y >= top) & (y <= bottom)
        if self.covered:
            left, top, right, bottom = self.covered
            inside &= ~((x >= left) & (x <= right) & (y >= top) & (y <= bottom))
        return inside

    def __call__(self, lon: Floats, lat: Floats) -> tuple[Floats, Floats]:
        """Drawing coordinates."""
        x, y = albers(lon, lat)
        return (
            self.at[0] + (x * EARTH_RADIUS_KM - self.left) * self.scale,
            self.at[1] + (y * EARTH_RADIUS_KM - self.top) * self.scale,
        )
