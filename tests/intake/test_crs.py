"""Coordinate systems: published pairs, inverses, the box, bad input."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jiqun.core.errors import UsageError
from jiqun.intake.crs import EAST, NORTH, SOUTH, WEST, from_wgs84, to_wgs84

IN_CHINA = st.tuples(st.floats(73.5, 134.7), st.floats(18.0, 53.5))


def metres(lon, lat, other_lon, other_lat) -> float:
    return float(np.hypot((lon - other_lon) * np.cos(np.radians(lat)), lat - other_lat) * 111_195)


def test_gcj02_equals_the_pair_that_coordtransform_publishes():
    """wandergis/coordtransform, test/app.js: wgs84togcj02(116.404, 39.915)."""
    lon, lat = from_wgs84([116.404], [39.915], "gcj02")
    assert lon[0] == pytest.approx(116.41024449916938, abs=1e-12)
    assert lat[0] == pytest.approx(39.91640428150164, abs=1e-12)


def test_bd09_equals_the_pair_that_coordtransform_publishes():
    """wandergis/coordtransform, test/app.js: gcj02tobd09(116.404, 39.915) = 116.41036949371029, 39.92133699351021."""
    wgs84 = to_wgs84([116.404], [39.915], "gcj02")
    lon, lat = from_wgs84(*wgs84, "bd09")
    assert lon[0] == pytest.approx(116.41036949371029, abs=1e-9)
    assert lat[0] == pytest.approx(39.92133699351021, abs=1e-9)


@pytest.mark.parametrize(
    ("wgs84", "gcj02"),
    [
        ((121.5272106, 31.1774276), (121.531541859215, 31.17530398364597)),
        ((113.912316, 22.543847), (113.9171764808363, 22.540796131694766)),
        ((116.377817, 39.911954), (116.38404722455657, 39.91334545536069)),
    ],
)
def test_gcj02_agrees_with_the_pairs_that_eviltransform_publishes(wgs84, gcj02):
    """googollee/eviltransform, its tests; it takes another semi-major axis, which moves a point by millimetres."""
    lon, lat = from_wgs84([wgs84[0]], [wgs84[1]], "gcj02")
    assert metres(lon[0], lat[0], *gcj02) < 0.02
    back = to_wgs84([gcj02[0]], [gcj02[1]], "gcj02")
    assert metres(back[0][0], back[1][0], *wgs84) < 0.02


@given(points=st.lists(IN_CHINA, min_size=1, max_size=30), crs=st.sampled_from(["gcj02", "bd09"]))
def test_there_and_back_is_the_same_point(points, crs):
    lon, lat = np.array(points).T
    back_lon, back_lat = to_wgs84(*from_wgs84(lon, lat, crs), crs)
    assert np.abs(back_lon - lon).max() < 1e-9
    assert np.abs(back_lat - lat).max() < 1e-9


@given(point=IN_CHINA)
def test_the_shift_is_some_hundred_metres(point):
    lon, lat = from_wgs84([point[0]], [point[1]], "gcj02")
    assert 1 < metres(point[0], point[1], lon[0], lat[0]) < 1500


def test_gcj02_leaves_points_outside_its_box():
    lon = np.array([WEST - 0.1, EAST + 0.1, 100.0, 100.0, -121.9])
    lat = np.array([30.0, 30.0, SOUTH - 0.1, NORTH + 0.1, 37.4])
    for there in (from_wgs84, to_wgs84):
        x, y = there(lon, lat, "gcj02")
        np.testing.assert_array_equal(x, lon)
        np.testing.assert_array_equal(y, lat)


def test_wgs84_is_returned_unchanged_in_new_arrays():
    lon, lat = np.array([121.5]), np.array([31.2])
    x, y = to_wgs84(lon, lat, "wgs84")
    x += 1
    assert lon[0] == 121.5
    np.testing.assert_array_equal(y, lat)


def test_missing_points_stay_missing_and_do_not_disturb_the_others():
    alone = to_wgs84([116.41], [39.92], "bd09")
    lon, lat = to_wgs84([np.nan, 116.41], [39.9, 39.92], "bd09")
    assert np.isnan(lon[0])
    assert (lon[1], lat[1]) == pytest.approx((alone[0][0], alone[1][0]), abs=1e-12)


def test_no_points_are_no_points():
    lon, lat = to_wgs84([], [], "gcj02")
    assert lon.shape == lat.shape == (0,)


def test_an_unknown_system_is_refused():
    with pytest.raises(UsageError, match="JQ-USE-001"):
        to_wgs84([0.0], [0.0], "utm50n")
