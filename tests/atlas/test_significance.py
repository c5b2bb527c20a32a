"""The test inside the search: exact tails, and an error rate that holds."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from jiqun.atlas.significance import (
    NullDraws,
    ball_p_values,
    critical_counts,
    log_likelihood_ratio,
    null_draws,
)
from jiqun.atlas.sphere import BallIndex


@given(
    total=st.integers(1, 3000),
    share=st.lists(st.floats(0, 1), min_size=1, max_size=20),
    level=st.sampled_from([0.5, 0.05, 1e-3, 0.05 / 234_908]),
)
def test_critical_count_is_the_smallest_that_scipy_finds_significant(total: int, share: list[float], level: float):
    p = np.array(share)
    k = critical_counts(p, total, level)
    tail = binom.sf(k - 1, total, p)
    one_less = binom.sf(k - 2, total, p)
    assert ((tail <= level * (1 + 1e-9)) | (k == total + 1)).all()
    assert ((one_less > level * (1 - 1e-9)) | (k == 1)).all()


@given(n=st.integers(0, 200), p=st.floats(0, 1))
def test_p_values_are_binomial_tails(n: int, p: float):
    assert ball_p_values(np.array([float(n)]), np.array([p]), 200)[0] == pytest.approx(
        binom.sf(n - 1, 200, p), abs=1e-12
    )


def test_large_registers_keep_their_tails():
    """A million firms, a level of 5 in 10⁹: scipy's survival function agrees."""
    p = np.geomspace(1e-7, 0.2, 50)
    k = critical_counts(p, 10**6, 5e-9)
    assert (binom.sf(k - 1, 10**6, p) <= 5e-9 * (1 + 1e-8)).all()
    assert (binom.sf(k - 2, 10**6, p)[k > 1] > 5e-9 * (1 - 1e-8)).all()


def test_likelihood_ratio_against_the_two_binomials():
    """ln of max over q of P(n | q inside, r outside) / P(n | same everywhere), as the ratio of two binomial likelihoods."""
    n, expected, total = 30.0, 12.0, 400.0
    inside, outside = n / expected, (total - n) / (total - expected)
    direct = n * np.log(inside) + (total - n) * np.log(outside)
    assert log_likelihood_ratio(np.array([n]), np.array([expected]), total)[0] == pytest.approx(direct)
    assert log_likelihood_ratio(np.array([3.0]), np.array([0.0]), 5.0)[0] == np.inf
    assert log_likelihood_ratio(np.array([5.0]), np.array([1.0]), 5.0)[0] == pytest.approx(5 * np.log(5))


def test_draws_set_a_level_that_a_monte_carlo_test_allows():
    null = NullDraws(np.linspace(0.01, 1.0, 199), 199, 0)
    level = null.level(0.05)
    assert (null.minima <= level).sum() == 9  # (1 + 9) / 200 = 0.05
    assert NullDraws(np.array([0.5] * 9), 9, 0).level(0.05) == 0.0  # ten draws cannot show 5 %


def test_draws_are_the_same_for_the_same_seed_and_other_for_another():
    rng = np.random.default_rng(0)
    towns = BallIndex.build(rng.uniform(0, 20, 300), rng.uniform(0, 20, 300), rng.pareto(1.2, 300))
    first = null_draws(towns, 400, eps_km=100, floor=3, draws=15, seed=1)
    again = null_draws(towns, 400, eps_km=100, floor=3, draws=15, seed=1)
    other = null_draws(towns, 400, eps_km=100, floor=3, draws=15, seed=2)
    assert (first.minima == again.minima).all()
    assert (first.minima != other.minima).any()
