"""Local Moran: the formula, an independent implementation, its rate of false finds."""

from __future__ import annotations

import numpy as np
import pytest

from jiqun.atlas.areal import local_moran
from jiqun.core.errors import MeasureInputError


def grid(side):
    lon, lat = np.meshgrid(np.arange(side) * 0.5, np.arange(side) * 0.5)
    return lon.ravel(), lat.ravel()


@pytest.mark.filterwarnings("ignore:The alternative hypothesis:DeprecationWarning")
def test_local_moran_equals_esda():
    """esda.Moran_Local with the same neighbours; it has n − 1 where Anselin (1995) has n."""
    esda, weights = pytest.importorskip("esda"), pytest.importorskip("libpysal.weights")
    lon, lat = grid(8)
    rng = np.random.default_rng(4)
    x = rng.gamma(2.0, size=64) + 3 * (lon > 2)
    found = local_moran(x, lon, lat, band_km=60, draws=1999)
    neighbours = {}
    for k in range(64):
        km = 111.195 * np.hypot((lon - lon[k]) * np.cos(np.radians((lat + lat[k]) / 2)), lat - lat[k])
        neighbours[k] = [j for j in np.flatnonzero(km < 58).tolist() if j != k]
    peer = esda.Moran_Local(x, weights.W(neighbours, silence_warnings=True), permutations=1999, seed=1, n_jobs=1)
    assert found.i * 63 / 64 == pytest.approx(peer.Is, rel=1e-9)
    one_sided = np.minimum(0.5, found.p / 2)
    assert np.abs(one_sided - peer.p_sim).max() < 0.06  # two sets of 1,999 draws
    quadrant = {1: "high-high", 2: "low-high", 3: "low-low", 4: "high-low"}
    assert list(found.kind) == [quadrant[q] for q in peer.q]


def test_random_maps_give_few_false_finds():
    """Of 40 maps without pattern, those with any q ≤ 0.1 are about 4: at most 11 at one in a thousand (binomial)."""
    lon, lat = grid(7)
    rng = np.random.default_rng(5)
    found = sum(
        bool((local_moran(rng.normal(size=49), lon, lat, band_km=60, draws=499).q <= 0.1).any()) for _ in range(40)
    )
    assert found <= 11


def test_a_hot_corner_is_found_and_an_island_is_unknown():
    lon, lat = grid(8)
    x = np.where((lon < 1.2) & (lat < 1.2), 10.0, 1.0) + np.linspace(0, 0.1, 64)
    lon, lat = np.append(lon, 90.0), np.append(lat, 60.0)
    found = local_moran(np.append(x, 1.0), lon, lat, band_km=60)
    assert found.kind[9] == "high-high"  # in the middle of the nine high ones
    assert found.q[9] < 0.05
    assert np.isnan([found.i[64], found.p[64], found.q[64]]).all()
    assert found.kind[64] is None


def test_equal_values_are_unknown_and_missing_ones_refused():
    lon, lat = grid(3)
    assert np.isnan(local_moran(np.ones(9), lon, lat, band_km=60).i).all()
    with pytest.raises(MeasureInputError) as caught:
        local_moran(np.append(np.ones(8), np.nan), lon, lat, band_km=60)
    assert caught.value.code == "JQ-ATLAS-011"


def test_a_region_at_the_average_is_neither_high_nor_low():
    found = local_moran([1.0, 2.0, 3.0, 2.0, 1.0, 3.0], [0, 0.1, 0.2, 50, 50.1, 50.2], [0.0] * 6, band_km=50, draws=99)
    assert found.kind[1] is None
    assert (found.i[1], found.p[1]) == (0.0, 1.0)
    assert found.kind[0] == "low-high"
