"""M and K-density: the formulas over all pairs, cells within their bound, bands that hold their level."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jiqun.atlas import pairs
from jiqun.atlas.pairs import global_band, k_density, m_function
from jiqun.core.errors import MeasureInputError

R = 6371.0088


def scattered(rng, n, spread=1.0):
    """Firms around three towns, some at one address."""
    town = rng.integers(0, 3, n)
    lon = np.array([114.0, 114.9, 116.0])[town] + rng.normal(0, 0.2 * spread, n)
    lat = np.array([22.5, 23.1, 23.4])[town] + rng.normal(0, 0.2 * spread, n)
    same = rng.random(n) < 0.2
    lon[same], lat[same] = lon[0], lat[0]
    return lon, lat


def distances(lon, lat):
    x, y = np.radians(lon), np.radians(lat)
    h = np.sin((y[:, None] - y) / 2) ** 2 + np.cos(y)[:, None] * np.cos(y) * np.sin((x[:, None] - x) / 2) ** 2
    return 2 * R * np.arcsin(np.sqrt(h))


@pytest.mark.parametrize("weighted", [False, True])
def test_m_is_the_formula_over_all_pairs(weighted):
    rng = np.random.default_rng(5)
    lon, lat = scattered(rng, 300)
    case = rng.random(300) < 0.2
    w = rng.integers(1, 50, 300).astype(float) if weighted else np.ones(300)
    radii = np.array([0.5, 3.0, 11.0, 60.0, 250.0])
    found = m_function(lon, lat, case, weight=w if weighted else None, radii_km=radii, draws=19)
    d = distances(lon, lat)
    np.fill_diagonal(d, np.inf)
    for r, value in zip(radii, found.value, strict=True):
        near = (d <= r) * w
        everyone, own = near.sum(axis=1), (near * case).sum(axis=1)
        some = case & (everyone > 0)
        share = (w[case].sum() - w[some]) / (w.sum() - w[some])
        assert value == pytest.approx((own[some] / everyone[some]).sum() / share.sum(), rel=1e-6)


def brute_density(lon, lat, w, r, h):
    d = distances(lon, lat)
    i, j = np.triu_indices(len(w), 1)
    ww, d = w[i] * w[j], d[i, j]

    def phi(u):
        return np.exp(-0.5 * u**2) / np.sqrt(2 * np.pi)

    return np.array([(ww * (phi((x - d) / h) + phi((x + d) / h))).sum() for x in r]) / h / ww.sum()


@pytest.mark.parametrize("weighted", [False, True])
def test_k_density_is_the_formula_over_all_pairs(weighted):
    rng = np.random.default_rng(6)
    lon, lat = scattered(rng, 400)
    case = rng.random(400) < 0.4
    w = rng.integers(1, 50, 400).astype(float) if weighted else np.ones(400)
    found = k_density(lon, lat, case, weight=w if weighted else None, draws=19, bandwidth_km=4.0, max_km=90)
    expected = brute_density(lon[case], lat[case], w[case], found.distance_km, 4.0)
    assert found.value == pytest.approx(expected, rel=1e-6)


def test_counts_in_bins_give_the_density_to_a_thousandth_of_its_peak():
    """Null curves are smoothed from counts; done to the class itself, that gives its own curve."""
    rng = np.random.default_rng(7)
    lon, lat = scattered(rng, 300)
    found = k_density(lon, lat, np.arange(300) < 299, draws=19, max_km=120)
    vectors, place, _ = pairs._places(lon, lat, pairs.EXACT)
    points, held, together = pairs._grouped(vectors, place[:299], np.ones(299))
    h, r = found.bandwidth_km, found.distance_km
    d = np.arange(int((r[-1] + 6 * h) / (h / 40)) + 1) * h / 40
    smooth = pairs._around(r, d, h) @ pairs._histogram(points, held, d[-1], h / 40, d.size - 1)
    smooth += together * 2 * pairs._normal(r / h) / h
    assert np.abs(smooth / (299 * 298 / 2) - found.value).max() < 1e-3 * found.value.max()


@pytest.mark.parametrize("weighted", [False, True])
def test_silverman_bandwidth_is_the_rule_over_pairs_in_range(weighted):
    """Spread and number of the same pairs: those within the greatest distance, some of them at one address."""
    rng = np.random.default_rng(8)
    lon, lat = scattered(rng, 200)
    case = np.arange(200) < 120
    w = rng.integers(1, 9, 200).astype(float) if weighted else np.ones(200)
    found = k_density(lon, lat, case, weight=w if weighted else None, draws=19, max_km=90)
    i, j = np.triu_indices(120, 1)
    d, ww = distances(lon[case], lat[case])[i, j], (w[i] * w[j])
    ww, d = ww[d <= 90], d[d <= 90]
    assert len(d) < len(i)
    order = np.argsort(d)
    at = np.interp([0.25, 0.75], np.cumsum(ww[order]) / ww.sum(), d[order])
    mean = (ww * d).sum() / ww.sum()
    spread = min(np.sqrt((ww * (d - mean) ** 2).sum() / ww.sum()), (at[1] - at[0]) / 1.34)
    m = ww.sum() ** 2 / (ww**2).sum()
    assert found.bandwidth_km == pytest.approx(0.9 * spread * m**-0.2, rel=2e-3)


def test_cells_stay_within_their_stated_bound():
    """A density moves by no more than its slope times the largest error of a distance."""
    rng = np.random.default_rng(9)
    lon, lat = scattered(rng, 900, 0.2)
    case = rng.random(900) < 0.3
    exact = k_density(lon, lat, case, draws=19, bandwidth_km=8.0, max_km=150)
    coarse = k_density(lon, lat, case, draws=19, bandwidth_km=8.0, max_km=150, exact=300)
    assert exact.error_km == 0 < coarse.error_km < 8.0
    # |φ'| ≤ 0.242 / h² for each of the two kernels, so no density moves by more than this
    bound = 2 * 0.242 / 8.0**2 * coarse.error_km
    assert np.abs(coarse.value - exact.value).max() <= bound
    assert np.abs(coarse.value - exact.value).max() > 0


@given(st.integers(0, 1000))
@settings(max_examples=10, deadline=None)
def test_doubling_weights_and_turning_the_globe_change_nothing(seed):
    rng = np.random.default_rng(seed)
    lon, lat = scattered(rng, 120)
    case = rng.random(120) < 0.3
    if case.sum() < 3:
        case[:3] = True
    w = rng.integers(1, 9, 120).astype(float)
    first = m_function(lon, lat, case, weight=w, draws=19)
    second = m_function(lon + 20, lat, case, weight=2 * w, draws=19)
    assert second.value == pytest.approx(first.value, rel=1e-6, nan_ok=True)
    assert second.p == first.p


def test_chance_is_called_chance_and_a_cluster_a_cluster():
    """Over 60 random classes the band at 0.9 is left by 0.1 on average: at most 13 at one in a thousand (binomial)."""
    rng = np.random.default_rng(10)
    left = 0
    for seed in range(60):
        lon, lat = scattered(rng, 150)
        case = np.zeros(150, bool)
        case[rng.choice(150, 30, replace=False)] = True
        found = m_function(lon, lat, case, radii_km=[2, 10, 40], draws=39, level=0.9, seed=seed)
        left += bool((found.concentrated | found.dispersed).any())
    assert left <= 13
    lon, lat = 114 + rng.random(300), 22 + rng.random(300)
    case = np.hypot(lon - 114.5, lat - 22.5) < 0.2
    found = k_density(lon, lat, case, draws=99)
    assert found.concentrated[3:15].all()
    assert found.p <= 0.02


@given(
    st.integers(0, 10**6),
    st.sampled_from(["smooth", "counts", "sparse"]),
    st.floats(0, 0.9),
    st.sampled_from([0.9, 0.8]),
)
@settings(max_examples=120, deadline=None)
def test_the_band_is_left_if_and_only_if_p_is_small(seed, kind, unknown, level):
    rng = np.random.default_rng(seed)
    curves = {
        "smooth": lambda: rng.gamma(2.0, size=(40, 12)),
        "counts": lambda: rng.poisson(1.0, (40, 12)) / 3,
        "sparse": lambda: rng.poisson(0.03, (40, 12)) * rng.random(12),
    }[kind]()
    curves += curves * rng.uniform(-1e-13, 1e-13, curves.shape)  # sums in another order
    curves[rng.random(curves.shape) < unknown] = np.nan
    _, low, high, p = global_band(curves, level)
    left = ((curves[0] < low) | (curves[0] > high)).any()
    assert left == (p <= 1 - level + 1e-9)
    known = (~np.isnan(curves)).sum(axis=0)
    told = (known * (1 - level) >= 1 - 1e-9) & (known > 40 * (1 - level) + 1e-9)
    assert (np.isnan(high) == ~told).all()


@pytest.mark.parametrize("kind", ["sparse", "dense"])
def test_the_band_holds_its_level_for_curves_with_ties_and_gaps(kind):
    """Of 400 null curves at level 0.9 about 40 leave the band, fewer with ties: at most 59 at one in a thousand."""
    rng = np.random.default_rng(15)
    left = 0
    for _ in range(400):
        curves = rng.poisson(0.05 if kind == "sparse" else 40.0, (40, 10)).cumsum(axis=1).astype(float)
        curves[rng.random(40) < 0.3, :3] = np.nan
        left += global_band(curves, 0.9)[3] <= 0.1 + 1e-9
    assert left <= 59


def test_firms_that_chance_never_puts_together_are_seen_at_short_distances():
    """Twelve firms of 600 in six pairs 0.5 km apart: most null curves are 0, or not defined, at 1 and 5 km."""
    rng = np.random.default_rng(1)
    lon, lat = 110 + 8 * rng.random(600), 25 + 8 * rng.random(600)
    case = np.arange(600) < 12
    lon[1:12:2], lat[1:12:2] = lon[:12:2] + 0.003, lat[:12:2] + 0.003
    for radii in ([1, 5, 20], [1, 5, 20, 100, 180]):
        found = m_function(lon, lat, case, radii_km=radii)
        assert found.value[0] > 50
        assert found.concentrated[:3].all()
        assert not found.concentrated[3:].any()
        assert found.p <= 0.02


def test_bad_input_is_named():
    lon, lat, case = np.zeros(5), np.arange(5.0), np.array([True, True, True, False, False])
    for call, code in [
        (lambda: m_function(lon, lat, case & False), "JQ-ATLAS-025"),
        (lambda: m_function(lon, lat, case | True), "JQ-ATLAS-025"),
        (lambda: m_function(lon, lat, case.astype(int)), "JQ-ATLAS-026"),
        (lambda: m_function(lon, lat, case, radii_km=[5, 1]), "JQ-ATLAS-026"),
        (lambda: m_function(lon, lat, case, draws=10), "JQ-ATLAS-026"),
        (lambda: m_function(lon, lat, case, weight=[1, 1, 0, 1, 1]), "JQ-ATLAS-003"),
        (lambda: k_density(lon, lat + 90, case), "JQ-ATLAS-001"),
        (lambda: k_density(lon, lat, case, max_km=-1), "JQ-ATLAS-026"),
        (lambda: k_density(lon, np.array([0.0, 20, 40, 60, 80]), case, max_km=5), "JQ-ATLAS-035"),
        (lambda: k_density(lon, np.array([0.0, 0, 0, 60, 80]), case), "JQ-ATLAS-036"),
    ]:
        with pytest.raises(MeasureInputError) as caught:
            call()
        assert caught.value.code == code


def test_all_firms_at_one_place_have_no_m_beyond_the_overall_share():
    case = np.arange(20) < 5
    found = m_function(np.full(20, 114.0), np.full(20, 22.0), case, radii_km=[1, 5], draws=19)
    assert found.value == pytest.approx([1.0, 1.0])
    assert found.p == 1.0
