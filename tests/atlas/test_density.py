"""Exact density clustering equals all pairs, whatever the points look like."""

from __future__ import annotations

import brute
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.cluster import DBSCAN

from jiqun.atlas import _grid_kernels, density
from jiqun.atlas.density import dbscan, solve
from jiqun.atlas.sphere import EARTH_RADIUS_KM, chord2
from jiqun.core.errors import MeasureInputError

RNG = np.random.default_rng(7)


def scene(kind: str, n: int, seed: int):
    rng = np.random.default_rng(seed)
    lon, lat = rng.normal(0, 0.3, n), rng.normal(0, 0.3, n)
    match kind:
        case "antimeridian":
            lon = (lon + 360) % 360 - 180
        case "pole":
            lon, lat = rng.uniform(-180, 180, n), 90 - np.abs(lat)
        case "collinear":
            lat = np.full(n, 10.0)
        case "duplicated":
            lon, lat = lon.round(1), lat.round(1)
        case "one place":
            lon, lat = np.full(n, 1.0), np.full(n, 2.0)
        case "two hemispheres":
            lon = np.where(rng.random(n) < 0.5, lon, (lon + 179.9 + 180) % 360 - 180)
    return lon, lat


SCENES = ["random", "antimeridian", "pole", "collinear", "duplicated", "one place", "two hemispheres"]


@pytest.mark.parametrize("kind", SCENES)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("eps_km", [0.5, 5.0, 20.0, 150.0])
def test_equals_all_pairs(kind: str, weighted: bool, eps_km: float):
    for seed in range(6):
        rng = np.random.default_rng(seed)
        n = int(rng.integers(1, 260))
        lon, lat = scene(kind, n, seed)
        weight = rng.integers(0, 6, n).astype(float) if weighted else None
        threshold = rng.integers(1, 25, n).astype(float) if seed % 2 else float(rng.integers(1, 25))
        labels, core = dbscan(lon, lat, weight, eps_km=eps_km, min_weight=threshold)
        expected_labels, expected_core = brute.dbscan(lon, lat, weight, eps_km, threshold)
        np.testing.assert_array_equal(core, expected_core)
        np.testing.assert_array_equal(labels, expected_labels)


@given(
    points=st.lists(st.tuples(st.integers(-20, 20), st.integers(-20, 20), st.integers(0, 4)), min_size=1, max_size=60),
    eps_km=st.sampled_from([1.0, 1.112, 2.3, 9.0]),
    threshold=st.integers(1, 12),
)
def test_equals_all_pairs_on_a_lattice(points, eps_km: float, threshold: int):
    """Lattices are full of equal distances and of points exactly on cell borders."""
    x, y, w = (np.array(column, float) for column in zip(*points, strict=True))
    lon, lat = x / 100 + 30, y / 100
    labels, core = dbscan(lon, lat, w, eps_km=eps_km, min_weight=threshold)
    expected_labels, expected_core = brute.dbscan(lon, lat, w, eps_km, threshold)
    np.testing.assert_array_equal(core, expected_core)
    np.testing.assert_array_equal(labels, expected_labels)


def test_crowded_cells_go_through_the_tree_and_stay_exact(monkeypatch):
    """With the crowd limit at 0 every undecided point is answered by the search tree instead of by looking at each."""
    lon, lat = brute.world(3000, seed=3, cities=5)
    before = dbscan(lon, lat, eps_km=30.0, min_weight=40)
    undecided = []
    kernel = _grid_kernels.core_points

    def all_open(points, weight, threshold, *rest):
        undecided.append(len(points))
        return np.full(len(points), _grid_kernels.OPEN, np.int8)

    monkeypatch.setattr(density._grid_kernels, "core_points", all_open)
    after = dbscan(lon, lat, eps_km=30.0, min_weight=40)
    assert undecided
    assert kernel is not density._grid_kernels.core_points
    np.testing.assert_array_equal(before[0], after[0])
    np.testing.assert_array_equal(before[1], after[1])
    np.testing.assert_array_equal(before[1], brute.dbscan(lon, lat, None, 30.0, 40)[1])


def test_dense_and_sparse_points_together_equal_all_pairs():
    rng = np.random.default_rng(11)
    dense = rng.normal(0, 0.01, (2500, 2))
    sparse = rng.uniform(-1, 1, (500, 2))
    lon, lat = np.concatenate([dense, sparse]).T
    for threshold in (5, 60, 700, 2000):
        labels, core = dbscan(lon, lat, eps_km=1.0, min_weight=threshold)
        expected_labels, expected_core = brute.dbscan(lon, lat, None, 1.0, threshold)
        np.testing.assert_array_equal(core, expected_core)
        np.testing.assert_array_equal(labels, expected_labels)


def test_border_between_two_crowded_clusters_goes_to_the_nearest_core():
    """More core points of two clusters around than are looked at one by one: the tree answers, and equals all pairs."""
    rng = np.random.default_rng(12)
    left, right = (np.column_stack([np.full(2600, at), rng.uniform(-0.004, 0.004, 2600)]) for at in (0.0, 0.0135))
    border = np.column_stack([rng.uniform(0.002, 0.0115, 300), rng.uniform(-0.02, 0.02, 300)])
    lon, lat = np.concatenate([left, right, border]).round(5).T
    threshold = np.where(np.arange(len(lon)) < 5200, 1000.0, 1e9)
    labels, core = dbscan(lon, lat, eps_km=1.0, min_weight=threshold)
    expected_labels, expected_core = brute.dbscan(lon, lat, None, 1.0, threshold)
    assert labels.max() == 1
    np.testing.assert_array_equal(core, expected_core)
    np.testing.assert_array_equal(labels, expected_labels)


@pytest.mark.parametrize(("n", "eps_km", "least"), [(20_000, 10.0, 40), (20_000, 50.0, 120)])
def test_core_partition_equals_scikit_learn(n: int, eps_km: float, least: int):
    """scikit-learn 1.9, DBSCAN(metric="haversine", algorithm="ball_tree"): same cores, same partition of them."""
    lon, lat = brute.world(n, seed=n)
    labels, core = dbscan(lon, lat, eps_km=eps_km, min_weight=least)
    peer = DBSCAN(eps=eps_km / EARTH_RADIUS_KM, min_samples=least, metric="haversine", algorithm="ball_tree")
    theirs = peer.fit(np.radians(np.column_stack([lat, lon])))
    assert set(np.flatnonzero(core)) == set(theirs.core_sample_indices_)
    pairs = set(zip(labels[core].tolist(), theirs.labels_[core].tolist(), strict=True))
    assert len(pairs) == labels.max() + 1 == theirs.labels_.max() + 1
    np.testing.assert_array_equal(labels < 0, theirs.labels_ < 0)


def test_rows_in_another_order_give_the_same_clusters():
    lon, lat = brute.world(4000, seed=5)
    weight = RNG.integers(1, 4, 4000).astype(float)
    labels, core = dbscan(lon, lat, weight, eps_km=25.0, min_weight=30)
    order = RNG.permutation(4000)
    moved, moved_core = dbscan(lon[order], lat[order], weight[order], eps_km=25.0, min_weight=30)
    np.testing.assert_array_equal(core[order], moved_core)
    np.testing.assert_array_equal(labels[order] < 0, moved < 0)
    both = core[order]
    assert len(set(zip(labels[order][both].tolist(), moved[both].tolist(), strict=True))) == labels.max() + 1


def test_a_weight_is_as_good_as_that_many_rows():
    lon, lat = brute.world(1500, seed=6)
    weight = RNG.integers(1, 5, 1500)
    labels, core = dbscan(lon, lat, weight, eps_km=25.0, min_weight=20)
    many_labels, many_core = dbscan(np.repeat(lon, weight), np.repeat(lat, weight), eps_km=25.0, min_weight=20)
    np.testing.assert_array_equal(np.repeat(core, weight), many_core)
    np.testing.assert_array_equal(np.repeat(labels, weight), many_labels)


def test_a_cluster_does_not_stop_at_the_antimeridian():
    labels, _ = dbscan([179.95, 180.0, -180.0, -179.95], [0.0] * 4, eps_km=6.0, min_weight=2)
    assert labels.tolist() == [0, 0, 0, 0]


def test_all_longitudes_meet_at_the_pole():
    labels, core = dbscan([-170.0, 0.0, 45.0, 170.0], [90.0] * 4, eps_km=0.02, min_weight=4)
    assert labels.tolist() == [0] * 4
    assert core.all()


def test_nothing_in_nothing_out():
    labels, core = dbscan([], [], eps_km=1.0, min_weight=1)
    assert len(labels) == len(core) == 0


def test_further_points_join_the_nearest_core():
    lon, lat = brute.world(2000, seed=8)
    grid = solve(lon, lat, eps_km=40.0, min_weight=25)
    more_lon, more_lat = brute.world(1500, seed=9)
    d = brute.squared_chords(more_lon, more_lat, lon[grid.core], lat[grid.core])
    nearest = grid.labels[grid.core][d.argmin(1)]
    np.testing.assert_array_equal(grid.assign(more_lon, more_lat), np.where(d.min(1) <= chord2(40.0), nearest, -1))


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"lon": [np.nan, 0.0]}, "JQ-ATLAS-001"),
        ({"lat": [91.0, 0.0]}, "JQ-ATLAS-001"),
        ({"lat": [0.0]}, "JQ-ATLAS-001"),
        ({"eps_km": 0.0}, "JQ-ATLAS-002"),
        ({"eps_km": float("nan")}, "JQ-ATLAS-002"),
        ({"weight": [-1.0, 1.0]}, "JQ-ATLAS-003"),
        ({"weight": [np.inf, 1.0]}, "JQ-ATLAS-003"),
        ({"weight": [1.0]}, "JQ-ATLAS-003"),
        ({"min_weight": 0}, "JQ-ATLAS-004"),
        ({"min_weight": [1.0, np.nan]}, "JQ-ATLAS-004"),
        ({"min_weight": [1.0]}, "JQ-ATLAS-004"),
    ],
)
def test_bad_input_is_told(change: dict, code: str):
    call = {"lon": [0.0, 1.0], "lat": [0.0, 1.0], "weight": None, "eps_km": 1.0, "min_weight": 1} | change
    with pytest.raises(MeasureInputError) as caught:
        dbscan(**call)
    assert caught.value.code == code
