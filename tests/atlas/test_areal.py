"""G*, false-discovery control and the regional profile, against all pairs and scipy."""

from __future__ import annotations

import brute
import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import false_discovery_control

from jiqun.atlas.areal import benjamini_hochberg, getis_ord, getis_ord_test, regional_profile
from jiqun.atlas.sphere import chord2
from jiqun.core.errors import MeasureInputError


@pytest.mark.parametrize("band_km", [50.0, 900.0, 4000.0])
def test_g_star_equals_ord_and_getis_written_out(band_km: float):
    """Ord and Getis (1995), eq. 14, with a weight matrix."""
    lon, lat = brute.world(80, seed=1)
    x = np.random.default_rng(1).normal(0, 1, 80)
    w = (brute.squared_chords(lon, lat) <= chord2(band_km)).astype(float)
    n, total, s = 80, w.sum(1), x.std()
    with np.errstate(divide="ignore", invalid="ignore"):
        expected = (w @ x - x.mean() * total) / (s * np.sqrt((n * (w**2).sum(1) - total**2) / (n - 1)))
    np.testing.assert_allclose(getis_ord(x, lon, lat, band_km=band_km), expected, rtol=1e-9)


def test_g_star_is_not_available_where_nothing_can_be_said():
    assert np.isnan(getis_ord([1.0, 2.0], [0, 1], [0, 0], band_km=10)).all()
    assert np.isnan(getis_ord([3.0] * 5, range(5), [0] * 5, band_km=10)).all()
    assert np.isnan(getis_ord([1.0, 2.0, 3.0], [0, 1, 2], [0, 0, 0], band_km=9000)).all()
    with pytest.raises(MeasureInputError) as caught:
        getis_ord([1.0, np.nan, 2.0], [0, 1, 2], [0, 0, 0], band_km=10)
    assert caught.value.code == "JQ-ATLAS-011"


@given(st.lists(st.floats(0, 1), min_size=1, max_size=40))
def test_false_discovery_control_equals_scipy(p: list[float]):
    np.testing.assert_allclose(benjamini_hochberg(p), false_discovery_control(p, method="bh"), atol=1e-12)


def test_profile_by_hand():
    firms = pl.DataFrame({"country": ["A", "A", "A", "B", None, "X"], "precision_km": [1.0, 50.0, None, 1.0, 1.0, 1.0]})
    towns = pl.DataFrame(
        {"country": ["A", "A", "B", "C"], "lon": [0.0, 2.0, 1.0, 9.0], "lat": [0.0] * 4, "population": [1, 1, 2, 4]}
    )
    table = regional_profile(firms, towns)
    assert table.select("country", "firms", "coarse", "expected").rows() == [
        ("A", 3, 1, 1.0),
        ("B", 1, 0, 1.0),
        ("X", 1, 0, None),
        ("C", 0, 0, 2.0),
    ]
    assert table["lq"].to_list() == [3.0, 1.0, None, 0.0]
    a = table.row(0, named=True)
    assert 1.0 < a["lq_shrunk"] <= 3.0


def test_profile_without_background_is_told():
    with pytest.raises(MeasureInputError) as caught:
        regional_profile(
            pl.DataFrame({"country": ["A"]}),
            pl.DataFrame({"country": ["A"], "lon": [0.0], "lat": [0.0], "population": [0]}),
        )
    assert caught.value.code == "JQ-ATLAS-006"


def test_skewed_maps_without_pattern_have_few_hot_spots():
    """Of 60 null lognormal maps those with any q < 0.05 are at most 3 on average: at most 9 at two in a thousand."""
    rng = np.random.default_rng(21)
    hot = 0
    for seed in range(60):
        lon, lat = 80 + 40 * rng.random(31), 20 + 25 * rng.random(31)
        found = getis_ord_test(rng.lognormal(0, 1.2, 31), lon, lat, band_km=500, draws=1999, seed=seed)
        hot += bool((found.q < 0.05).any())
    assert hot <= 9


def test_a_hot_corner_is_found_and_a_region_alone_is_not_hot():
    lon, lat = (axis.ravel() for axis in np.meshgrid(np.arange(8) * 0.5, np.arange(8) * 0.5))
    x = np.where((lon < 1.2) & (lat < 1.2), 10.0, 1.0) + np.linspace(0, 0.1, 64)
    found = getis_ord_test(np.append(x, 12.0), np.append(lon, 90.0), np.append(lat, 60.0), band_km=60)
    np.testing.assert_array_equal(
        found.g, getis_ord(np.append(x, 12.0), np.append(lon, 90.0), np.append(lat, 60.0), band_km=60)
    )
    assert found.g[9] > 0
    assert found.q[9] < 0.05
    assert found.p[64] == 1.0


def test_a_class_with_no_firm_in_a_known_region_has_a_profile_of_nothing():
    towns = pl.DataFrame({"country": list("ABC"), "lon": [0, 1, 2], "lat": [0, 0, 0], "population": [1, 1, 1]})
    for firms in (pl.DataFrame({"country": ["Z"]}), pl.DataFrame({"country": []}, schema={"country": pl.String})):
        table = regional_profile(firms, towns)
        assert table["lq", "lq_shrunk", "g_star", "g_star_q"].null_count().row(0) == (table.height,) * 4
        assert table.filter(pl.col("background") > 0)["firms"].to_list() == [0, 0, 0]
