"""Compiled throws of plants over regions 随机投放: how often chance concentrates an industry as much as it is."""

from __future__ import annotations

import numpy as np
from numba import njit

from jiqun.atlas._graph_kernels import _GOLDEN, _mixed
from jiqun.core.arrays import Floats, Integers

_UNIT = 2.0**-53
_SAME = 1e-9


@njit(cache=True, nogil=True)
def thrown_at_least(
    z: Floats, x: Floats, upper: Floats, guide: Integers, observed: float, most: int, enough: int, seed: int
) -> tuple[int, int]:
    """Throws whose Σ s² − 2 Σ s x is at least the observed, and throws made: until `enough` of the first or `most`.

    Plant j of size z[j] falls into region r with probability x[r]; `upper` is the running sum of x, and guide[k] the region
    that holds k / guide.size. Plants are added one by one, so that a throw costs its plants, however many the regions.
    """
    share = np.zeros(x.size)
    at = np.empty(z.size, np.int64)
    state = _mixed(np.uint64(seed) + _GOLDEN)
    near = observed - _SAME * (z**2).sum()  # equal but for rounding
    reached = made = 0
    while made < most and reached < enough:
        g = 0.0
        for j in range(z.size):
            state += _GOLDEN
            u = (_mixed(state) >> np.uint64(11)) * _UNIT
            r = guide[int(u * guide.size)]
            while upper[r] <= u:
                r += 1
            g += z[j] * (z[j] + 2.0 * (share[r] - x[r]))
            share[r] += z[j]
            at[j] = r
        for j in range(z.size):
            share[at[j]] = 0.0
        made += 1
        if g >= near:
            reached += 1
    return reached, made
