"""Loops over pairs of regions, for one table and for many thrown ones."""

from __future__ import annotations

import numpy as np
from numba import njit

from jiqun.core.arrays import Floats, Integers


@njit(cache=True)
def overlaps(shares: Floats, one: Integers, other: Integers) -> Floats:
    """Σ_i min(s[a, i], s[b, i]) of each pair of rows."""
    out = np.zeros(one.size)
    for pair in range(one.size):
        a, b = one[pair], other[pair]
        total = 0.0
        for i in range(shares.shape[1]):
            total += min(shares[a, i], shares[b, i])
        out[pair] = total
    return out


@njit(cache=True)
def cosines(rows: Floats, one: Integers, other: Integers) -> Floats:
    """Cosine of each pair of rows; NaN where a row is zero."""
    length = np.zeros(rows.shape[0])
    for a in range(rows.shape[0]):
        for i in range(rows.shape[1]):
            length[a] += rows[a, i] ** 2
        length[a] = np.sqrt(length[a])
    out = np.full(one.size, np.nan)
    for pair in range(one.size):
        a, b = one[pair], other[pair]
        if length[a] > 0 and length[b] > 0:
            total = 0.0
            for i in range(rows.shape[1]):
                total += rows[a, i] * rows[b, i]
            out[pair] = total / (length[a] * length[b])
    return out
