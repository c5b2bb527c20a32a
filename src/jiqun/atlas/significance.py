"""The test inside the search 显著性: how many firms a ball must hold to be more than its background explains.

Under the null each of N firms falls on the background at random, in proportion to its weight; a ball with share p of
the background then holds Binomial(N, p) firms. The level is divided among all candidate locations (Bonferroni), or set
by rerunning the search on random draws, which keeps the chance of *any* false core point at or below alpha.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import betainc, betaincinv

from jiqun.atlas.sphere import BallIndex, chord2
from jiqun.core.arrays import Floats, Integers
from jiqun.core.progress import Progress, silent

TABLED = 4096
"""Critical counts up to this one are looked up."""


def ball_p_values(count: Floats, share: Floats, total: int) -> Floats:
    """P(Binomial(total, share) >= count), through the regularised incomplete beta function I_share(count, total − count + 1).

    Examples
    --------
    >>> ball_p_values(np.array([2.0]), np.array([0.5]), 2).round(6).tolist()  # both of two coins
    [0.25]
    """
    k = np.maximum(count, 1.0)
    return np.where(count <= 0, 1.0, betainc(k, total - k + 1.0, np.minimum(share, 1.0)))


def critical_counts(share: Floats, total: int, level: float) -> Integers:
    """Smallest k with P(Binomial(total, share) >= k) <= level, for each share; total + 1 where no count reaches it.

        P(Binomial(N, p) >= k) = I_p(k, N − k + 1)  rises with p, so k suffices for all p <= p*(k) = I⁻¹(k, N − k + 1; level)

    Small counts come from a table of p*(k), large ones by bisection of their distinct shares.

    Examples
    --------
    >>> critical_counts(np.array([0.0, 0.5]), 10, 0.05).tolist()  # P(Bin(10, ½) >= 9) = 0.0107, >= 8: 0.0547
    [1, 9]
    """
    if len(share) == 0:
        return np.empty(0, np.int64)
    k = np.arange(1, min(TABLED, total) + 1, dtype=np.float64)
    largest_share = betaincinv(k, total - k + 1.0, level)
    found = np.searchsorted(largest_share, share, side="left").astype(np.int64) + 1
    beyond = np.flatnonzero(found > len(k))
    if len(beyond) and total > TABLED:
        distinct, back = np.unique(share[beyond], return_inverse=True)
        found[beyond] = _bisected(distinct, total, level)[back]
    return found


def _bisected(share: Floats, total: int, level: float) -> Integers:
    """As `critical_counts` for counts beyond the table: halving between TABLED and total + 1, all shares at once."""
    low, high = np.full(len(share), TABLED, np.int64), np.full(len(share), total + 1, np.int64)
    while (high - low > 1).any():
        middle = (low + high) // 2
        enough = ball_p_values(middle.astype(np.float64), share, total) <= level
        high, low = np.where(enough, middle, high), np.where(enough, low, middle)
    return high


def log_likelihood_ratio(count: Floats, expected: Floats, total: float) -> Floats:
    """Log-likelihood ratio of a region against the rest, 0 where it holds no more than expected.

        LLR = n ln(n / E) + (N − n) ln((N − n) / (N − E))   for n > E

    Source: Kulldorff (1997), Communications in Statistics: Theory and Methods 26(6), 1481–1496 (binomial, large N).
    Infinite where firms stand on no background at all.

    Examples
    --------
    >>> log_likelihood_ratio(np.array([10.0, 1.0]), np.array([5.0, 5.0]), 100.0).round(3).tolist()
    [2.065, 0.0]
    """
    n, e = np.asarray(count, float), np.asarray(expected, float)
    with np.errstate(divide="ignore", invalid="ignore"):
        inside = n * np.log(n / e)
        outside = np.where(n < total, (total - n) * np.log((total - n) / (total - e)), 0.0)
        return np.where(n > e, inside + outside, 0.0)


@dataclass(frozen=True)
class NullDraws:
    """The search rerun on random registries 随机对照: the smallest ball p-value of each draw (1 where no ball reaches the floor)."""

    minima: Floats
    draws: int
    seed: int

    def false_find_rate(self, level: float) -> float:
        """Share of draws in which the search, at this per-ball level, finds anything at all."""
        return float(np.mean(self.minima <= level))

    def level(self, alpha: float) -> float:
        """Largest per-ball level whose Monte-Carlo family-wise error is at most alpha; 0 where the draws are too few to tell.

        With R draws a ball of p-value q passes if 1 + #{draws with minimum <= q} <= alpha (R + 1): the max-statistic
        test of Westfall and Young (1993).
        """
        allowed = int(np.floor(alpha * (self.draws + 1) + 1e-9))
        if allowed < 1:
            return 0.0
        return float(np.nextafter(np.sort(self.minima)[allowed - 1], 0.0))


def null_draws(
    background: BallIndex,
    total: int,
    *,
    eps_km: float,
    floor: int,
    draws: int,
    seed: int,
    progress: Progress = silent,
) -> NullDraws:
    """Draw `total` firms from the background at random, `draws` times, and keep the smallest ball p-value of each.

    Every location of a drawn firm is tried, as in the search itself. Background sums are computed once per location.
    """
    rng = np.random.default_rng(seed)
    limit = chord2(eps_km)
    cumulative = np.cumsum(background.weight)
    share = np.full(background.locations, np.nan)
    minima = np.ones(draws)
    for draw in range(draws):
        drawn = np.searchsorted(cumulative, rng.random(total) * cumulative[-1], side="right")
        location, count = np.unique(np.minimum(drawn, background.locations - 1), return_counts=True)
        points = background.points[location]
        n = BallIndex.of_vectors(points, count.astype(np.float64)).around(points, limit)
        tried = location[n >= floor]
        if len(tried):
            unknown = tried[np.isnan(share[tried])]
            share[unknown] = background.around(background.points[unknown], limit) / cumulative[-1]
            minima[draw] = ball_p_values(n[n >= floor], share[tried], total).min()
        progress("random draws", draw + 1, draws)
    return NullDraws(minima, draws, seed)
