"""Which assumption moves the result 敏感性分析: first-order and total Sobol indices of any function, with error bars."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from jiqun.core.arrays import Floats


@dataclass(frozen=True, eq=False)
class Sobol:
    """Sobol indices, shape factors × outputs; low and high hold the middle `level` of the bootstrap. NaN: nothing varies."""

    factors: tuple[str, ...]
    first: Floats
    first_low: Floats
    first_high: Floats
    total: Floats
    total_low: Floats
    total_high: Floats
    runs: int


def sobol_indices(
    function: Callable[[Floats], Floats],
    factors: Mapping[str, Sequence[int]],
    *,
    n: int,
    seed: int,
    level: float = 0.9,
    resamples: int = 400,
) -> Sobol:
    """First-order and total sensitivity of a function of uniform numbers 一阶与总敏感度.

        S_i  = (1/N Σ f(B)_j f(AB_i)_j − 1/N Σ f(A)_j f(B)_j) / V        AB_i: A with the columns of factor i from B
        ST_i = 1/2N Σ (f(A)_j − f(AB_i)_j)² / V

    S_i is the share of variance that goes if factor i is fixed, ST_i the share that stays if all others are. Shares of
    first order that add to less than 1 leave the rest to interactions.

    Parameters
    ----------
    function
        Takes N × D numbers in [0, 1), returns N × outputs.
    factors
        The columns of each factor; a factor may have several (a set of weights).
    n
        Base runs N; the function is evaluated N (factors + 2) times.
    level, resamples
        Of the bootstrap over base runs.

    Source: Saltelli (2002), Computer Physics Communications 145(2), 280–297, for S_i; Jansen (1999), ibid. 117, 35–43, for
    ST_i.

    Examples
    --------
    >>> found = sobol_indices(lambda u: 3 * u[:, :1] + u[:, 1:2], {"a": [0], "b": [1]}, n=4000, seed=1)
    >>> found.first[:, 0].round(1).tolist(), found.total[:, 0].round(1).tolist()
    ([0.9, 0.1], [0.9, 0.1])
    """
    rng = np.random.default_rng(seed)
    width = 1 + max(column for columns in factors.values() for column in columns)
    a, b = rng.random((n, width)), rng.random((n, width))
    at_a, at_b = function(a), function(b)
    both = np.concatenate([at_a, at_b])
    middle, flat = both.mean(axis=0), np.ptp(both, axis=0) == 0
    at_a, at_b = at_a - middle, at_b - middle
    counts = rng.multinomial(n, np.full(n, 1 / n), size=resamples) / n
    weights = np.concatenate([np.full((1, n), 1 / n), counts])
    mean = weights @ ((at_a + at_b) / 2)
    variance = weights @ ((at_a**2 + at_b**2) / 2) - mean**2
    variance = np.where(flat | (variance <= 0), np.nan, variance)
    first, total = [], []
    for columns in factors.values():
        mixed = a.copy()
        mixed[:, list(columns)] = b[:, list(columns)]
        at = function(mixed) - middle
        first.append(weights @ (at_b * (at - at_a)) / variance)
        total.append(weights @ ((at_a - at) ** 2) / (2 * variance))
    s, st = np.stack(first), np.stack(total)
    ends = [(1 - level) / 2, (1 + level) / 2]
    (low, high), (total_low, total_high) = (np.quantile(values[:, 1:], ends, axis=1) for values in (s, st))
    return Sobol(tuple(factors), s[:, 0], low, high, st[:, 0], total_low, total_high, n * (len(factors) + 2))
