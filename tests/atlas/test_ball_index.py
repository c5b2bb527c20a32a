"""Ball sums equal all pairs."""

from __future__ import annotations

import brute
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jiqun.atlas.sphere import EARTH_RADIUS_KM, BallIndex, centre, chord2, unit_vectors
from jiqun.core.errors import MeasureInputError


@pytest.mark.parametrize("n", [1, 2, 15, 16, 17, 128, 129, 1025, 10_000])
@pytest.mark.parametrize("radius_km", [1.0, 60.0, 3000.0])
def test_sums_equal_all_pairs(n: int, radius_km: float):
    lon, lat = brute.world(n, seed=n)
    weight = np.random.default_rng(n).integers(0, 1000, n).astype(float)
    asked = slice(0, 400)
    sums = BallIndex.build(lon, lat, weight).sums(lon[asked], lat[asked], radius_km)
    np.testing.assert_array_equal(sums, brute.ball_sums(lon, lat, weight, lon[asked], lat[asked], radius_km))


@given(
    points=st.lists(st.tuples(st.integers(-9, 9), st.integers(-9, 9)), min_size=1, max_size=80),
    radius=st.sampled_from([0.5, 1.112, 1.2, 4.0]),
)
def test_sums_on_a_lattice_where_many_points_lie_on_the_border(points, radius: float):
    lon, lat = np.array(points, float).T / 100
    sums = BallIndex.build(lon, lat).sums(lon, lat, radius)
    np.testing.assert_array_equal(sums, brute.ball_sums(lon, lat, np.ones(len(lon)), lon, lat, radius))


def test_equal_places_are_merged_without_loss():
    index = BallIndex.build([1.0, 1.0, 2.0, 1.0], [5.0, 5.0, 5.0, 5.0], [1, 2, 4, 8])
    assert index.locations == 2
    assert index.sums([1.0, 2.0], [5.0, 5.0], 1.0).tolist() == [11.0, 4.0]


def test_places_closer_than_a_curve_cell_are_counted_once_in_any_order():
    step = np.arange(50) * 1e-6
    for seed in range(3):
        rows = np.random.default_rng(seed).permutation(np.repeat(np.arange(50), 100))
        assert BallIndex.build(10 + step[rows], 20 + step[rows]).locations == 50


def test_the_whole_sphere_is_a_ball():
    lon, lat = brute.world(500, seed=1)
    assert BallIndex.build(lon, lat).sums([0.0], [0.0], 10_000.0)[0] <= 500
    assert BallIndex.build([], []).sums([0.0], [0.0], 10.0).tolist() == [0.0]


def test_chord_is_the_great_circle():
    """Beijing–Shanghai by the haversine formula, R = 6371.0088 km: just inside and just outside."""
    a, b = np.radians([116.4074, 39.9042]), np.radians([121.4737, 31.2304])
    h = np.sin((b[1] - a[1]) / 2) ** 2 + np.cos(a[1]) * np.cos(b[1]) * np.sin((b[0] - a[0]) / 2) ** 2
    distance = 2 * EARTH_RADIUS_KM * np.arcsin(np.sqrt(h))
    d = brute.squared_chords([116.4074], [39.9042], [121.4737], [31.2304])[0, 0]
    assert chord2(distance - 1e-6) < d < chord2(distance + 1e-6)


def test_centre_of_points_around_the_antimeridian():
    lon, lat = centre(np.array([179.0, -179.0]), np.array([0.0, 0.0]), np.ones(2))
    assert abs(abs(lon) - 180) < 1e-9
    assert abs(lat) < 1e-9


def test_unit_vectors_have_length_one_and_one_pole():
    lon, lat = brute.world(1000, seed=2)
    np.testing.assert_allclose((unit_vectors(lon, lat) ** 2).sum(0), 1.0, rtol=1e-14)
    poles = unit_vectors(np.array([0.0, 77.0, -180.0]), np.full(3, 90.0))
    assert (poles == poles[:, [0]]).all()


def test_out_of_range_names_the_position():
    with pytest.raises(MeasureInputError, match="Point 1 "):
        BallIndex.build([0.0, 181.0], [0.0, 0.0])
