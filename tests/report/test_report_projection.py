"""Equal Earth against what its authors state, and against the definition of equal area."""

from __future__ import annotations

import math

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from jiqun.report import land
from jiqun.report.projection import EARTH_RADIUS_KM, Region, World, equal_earth

latitudes = st.floats(min_value=-89, max_value=89)
longitudes = st.floats(min_value=-180, max_value=180)


def at(lon: float, lat: float) -> tuple[float, float]:
    x, y = equal_earth(np.array([lon]), np.array([lat]))
    return float(x[0]), float(y[0])


def great_circle_km(a: tuple[float, float], b: tuple[float, float]) -> float:
    (lon1, lat1), (lon2, lat2) = (map(math.radians, point) for point in (a, b))
    half = math.sin((lat2 - lat1) / 2) ** 2 + math.cos(lat1) * math.cos(lat2) * math.sin((lon2 - lon1) / 2) ** 2
    return 2 * EARTH_RADIUS_KM * math.asin(math.sqrt(half))


def test_proportions_of_savric_patterson_jenny_2018():
    """Šavrič, Patterson & Jenny (2018): the poles are lines 0.59 times, the height is 0.49 times the equator's length."""
    equator, height, pole = 2 * at(180, 0)[0], 2 * at(0, 90)[1], 2 * at(180, 90)[0]
    assert pole / equator == pytest.approx(0.59, abs=5e-3)
    assert height / equator == pytest.approx(0.49, abs=5e-3)


@given(longitudes, latitudes)
def test_areas_are_kept_everywhere(lon, lat):
    """The Jacobian of (λ, φ) → (x, y) is cos φ on a unit sphere; the published coefficients hold it to 5 digits."""
    step = 1e-4
    dx_dlon = (at(lon + step, lat)[0] - at(lon - step, lat)[0]) / math.radians(2 * step)
    dy_dlat = (at(lon, lat + step)[1] - at(lon, lat - step)[1]) / math.radians(2 * step)
    assert dx_dlon * dy_dlat == pytest.approx(math.cos(math.radians(lat)), rel=1e-4)


@given(longitudes, latitudes)
def test_mirrored_at_equator_and_central_meridian(lon, lat):
    x, y = at(lon, lat)
    assert at(-lon, lat) == pytest.approx((-x, y))
    assert at(lon, -lat) == pytest.approx((x, -y))


@given(st.floats(min_value=0, max_value=360), st.floats(min_value=-57, max_value=79))
def test_the_world_fits_its_frame(turn, lat):
    view = World()
    x, y = view(np.array([view.west + turn]), np.array([lat]))
    assert -1e-6 <= x[0] <= view.width + 1e-6
    assert -1e-6 <= y[0] <= view.height + 1e-6


@given(
    st.floats(min_value=-170, max_value=170),
    st.floats(min_value=-70, max_value=70),
    st.floats(min_value=0.05, max_value=2),
)
def test_a_regions_scale_is_true_along_its_middle(lon, lat, size):
    view = Region.around((lon - size, lat - size / 2, lon + size, lat + size / 2))
    x, y = view(np.array([lon - size, lon + size, lon, lon]), np.array([lat, lat, lat - size / 2, lat + size / 2]))
    along = great_circle_km((lon - size, lat), (lon + size, lat))
    upward = great_circle_km((lon, lat - size / 2), (lon, lat + size / 2))
    assert (x[1] - x[0]) / view.km == pytest.approx(along, rel=2e-3)
    assert (y[2] - y[3]) / view.km == pytest.approx(upward, rel=1e-6)


@pytest.mark.parametrize(
    "extent", [(8.5, 47.4, 8.5, 47.4), (176, -19, -178, -15), (10, 77, 30, 81), (-180, -90, 180, 90), (73, 3, 136, 54)]
)
def test_a_region_holds_its_extent_in_a_good_shape(extent):
    view = Region.around(extent)
    west, south, east, north = view.box()
    assert west <= extent[0] <= east
    assert west <= extent[2] + (360 if extent[2] < extent[0] else 0) <= east
    assert -90 <= south <= extent[1] <= extent[3] <= north <= 90
    assert east - west <= 360
    assert view.height > 100


def test_land_area_of_the_world():
    """The Earth's land is 148.9 million km², Antarctica 14.2 of it (CIA World Factbook); 1:110 m keeps the large islands."""
    square_km = 0.0
    for polygon in land.polygons("world"):
        flat = shapely.transform(
            shapely.segmentize(polygon, 1.0), lambda points: np.stack(equal_earth(*points.T), axis=1)
        )
        square_km += flat.area * EARTH_RADIUS_KM**2
    assert square_km / 1e6 == pytest.approx(148.9 - 14.2, rel=0.015)


@pytest.mark.parametrize("scale", ["world", "local"])
@pytest.mark.parametrize(
    ("lon", "lat", "dry"),
    [
        (116.4, 39.9, True),
        (-104.99, 39.74, True),
        (36.8, -1.3, True),
        (149.1, -35.3, True),
        (-175.0, 66.8, True),  # Chukotka, beyond the antimeridian
        (174.5, 65.5, True),
        (-40.0, 72.0, True),  # Greenland, west of the cut
        (51.0, 42.0, False),  # the Caspian is a hole
        (-30.0, 0.0, False),
        (180.0, -17.3, False),
        (-150.0, 20.0, False),
        (40.0, 76.0, False),
    ],
)
def test_land_is_land_and_sea_is_sea_on_both_sides_of_every_cut(scale, lon, lat, dry):
    view = World()
    point = shapely.Point(view.west + (lon - view.west) % 360, lat)
    assert any(piece.covers(point) for piece in land.within(scale, view.box())) is dry


@given(longitudes, st.floats(min_value=-60, max_value=60), st.floats(min_value=1, max_value=30))
def test_cutting_keeps_the_area(lon, lat, size):
    shape = shapely.box(lon, lat, lon + size, lat + size)
    west = World().west
    pieces = land.cut([shape], (west, -90, west + 360, 90))
    assert sum(piece.area for piece in pieces) == pytest.approx(shape.area)
    assert all(west <= piece.bounds[0] and piece.bounds[2] <= west + 360 + 1e-9 for piece in pieces)
