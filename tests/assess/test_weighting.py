"""Weights and steps against published numbers and other implementations."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from scipy import stats
from test_composite import LEAVES, framework

from jiqun.assess.steps import kurtosis, skewness, winsorised
from jiqun.assess.weighting import (
    ahp_weights,
    benefit_of_the_doubt,
    critic_weights,
    entropy_weights,
    pca_weights,
)
from jiqun.core.errors import MeasureInputError


def test_skewness_and_kurtosis_are_scipys_unbiased_ones():
    rng = np.random.default_rng(5)
    for n in (4, 9, 51):
        x = rng.lognormal(0, 1, n)
        assert skewness(x) == pytest.approx(stats.skew(x, bias=False), rel=1e-12)
        assert kurtosis(x) == pytest.approx(stats.kurtosis(x, bias=False), rel=1e-12)
    assert np.isnan(skewness(np.ones(5)))


def test_winsorising_moves_no_more_points_than_allowed_and_never_makes_all_equal():
    steps = framework(
        LEAVES[:1] + LEAVES[1:],
        (
            {"code": "index", "zh": "数", "en": "i"},
            {"code": "p", "parent": "index", "zh": "一", "en": "p"},
            {"code": "q", "parent": "index", "zh": "二", "en": "q"},
        ),
    ).steps
    x = np.concatenate([np.arange(40.0), [1e3, 2e3, 3e3]])
    done, moved = winsorised(x, steps)
    assert moved == 3
    assert done.max() == 39
    assert (done[:40] == x[:40]).all()
    lonely = np.concatenate([np.zeros(30), [1.0]])
    done, moved = winsorised(lonely, steps)
    assert moved == 0
    assert (done == lonely).all()


def test_pca_weights_are_the_handbooks_factor_weights(shared_data):
    """OECD/JRC (2008), Table 22, column FA, from the 23 countries of Table A.2: four components (the fourth has an
    eigenvalue of 0.89). Inputs are rounded, so the two printed digits hold to a little more than one unit."""
    folder = shared_data / "published" / "oecd_handbook_tai_2008"
    table = pl.read_csv(folder / "input.csv")
    table = table.with_columns((pl.col("telephones_log10", "electricity_log10") * np.log(10)).exp())
    found = pca_weights(table.drop("country").to_numpy().astype(np.float64), least_eigenvalue=0.88)
    printed = pl.read_csv(folder / "weights_table22.csv")["FA"].to_numpy()
    np.testing.assert_allclose(found, printed, atol=0.0125)
    assert (np.abs(found - printed) <= 0.0075).sum() >= 7


def test_ahp_of_a_consistent_matrix_gives_its_weights_back():
    w = np.array([0.5, 0.3, 0.2])
    found, ratio = ahp_weights(w[:, None] / w)
    np.testing.assert_allclose(found, w, rtol=1e-12)
    assert ratio == pytest.approx(0, abs=1e-12)
    with pytest.raises(MeasureInputError, match="JQ-ASSESS-026"):
        ahp_weights(np.array([[1.0, 2.0], [2.0, 1.0]]))


def test_entropy_and_critic_follow_their_formulas():
    rng = np.random.default_rng(2)
    x = rng.uniform(1, 9, (12, 3))
    diverging = [1 - stats.entropy(column / column.sum()) / np.log(12) for column in x.T]
    np.testing.assert_allclose(entropy_weights(x), np.array(diverging) / sum(diverging), rtol=1e-12)
    told = []
    for j in range(3):
        scaled = (x[:, j] - x[:, j].min()) / np.ptp(x[:, j])
        told.append(np.std(scaled, ddof=1) * sum(1 - stats.pearsonr(x[:, j], x[:, k])[0] for k in range(3)))
    np.testing.assert_allclose(critic_weights(x), np.array(told) / sum(told), rtol=1e-12)
    np.testing.assert_allclose(critic_weights(x * [1, 10, 100]), critic_weights(x), rtol=1e-12)


def test_weights_from_values_need_values_that_differ():
    flat = np.column_stack([np.arange(5.0), np.ones(5)])
    for method in (entropy_weights, critic_weights, pca_weights):
        with pytest.raises(MeasureInputError, match="JQ-ASSESS-028"):
            method(flat)
    with pytest.raises(MeasureInputError, match="JQ-ASSESS-028"):
        critic_weights(np.column_stack([np.arange(5.0), 2 * np.arange(5.0)]))


def test_benefit_of_the_doubt_with_equal_bounds_is_the_mean_of_shares():
    """With every share held at 1/k a unit's score is the best multiple of its own profile; a unit that is twice another
    scores twice as high."""
    y = np.array([[2.0, 4.0], [1.0, 2.0], [2.0, 1.0]])
    scores, weights = benefit_of_the_doubt(y, share_low=0.5, share_high=0.5)
    np.testing.assert_allclose(weights[0] * y[0], scores[0] / 2, rtol=1e-9)
    assert scores[0] == pytest.approx(2 * scores[1])
    with pytest.raises(MeasureInputError, match="JQ-ASSESS-029"):
        benefit_of_the_doubt(np.array([[1.0, 0.0], [1.0, 1.0]]), share_low=0.1)
    with pytest.raises(MeasureInputError, match="JQ-ASSESS-028"):
        benefit_of_the_doubt(-y)


def test_free_benefit_of_the_doubt_does_not_depend_on_units_of_measure():
    rng = np.random.default_rng(8)
    y = rng.uniform(1, 5, (20, 3))
    one, other = (benefit_of_the_doubt(values)[0] for values in (y, y * [1, 1000, 0.01]))
    np.testing.assert_allclose(one, other, rtol=1e-8)
    assert one.max() == pytest.approx(1)


@pytest.mark.parametrize("unit", [1e-100, 1e-160, 1e-300])
def test_skewness_and_kurtosis_do_not_know_the_unit(unit):
    x = np.array([1.0, 2.0, 3.0, 10.0, 4.0])
    assert skewness(x * unit) == pytest.approx(skewness(x), rel=1e-9)
    assert kurtosis(x * unit) == pytest.approx(kurtosis(x), rel=1e-9)


@pytest.mark.parametrize("matrix", [[[1, -3], [-1 / 3, 1]], [[-1, 3], [1 / 3, -1]]])
def test_judgements_below_zero_are_refused(matrix):
    with pytest.raises(MeasureInputError, match="JQ-ASSESS-026"):
        ahp_weights(np.array(matrix))
