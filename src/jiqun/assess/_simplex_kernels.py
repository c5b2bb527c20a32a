"""Many small envelopment programmes at once, for the thousands of replications of a bootstrap.

A full tableau has little to say against HiGHS on one large programme, but no start-up: on some dozen units it is a hundred
times quicker. Every programme is written relative to its point, so that the point is all ones, and starts at zero:

    max ω:  Σ (x_j/x) μ <= 1,  ω − Σ (y_j/y) μ <= 0

with Σ μ = ω (input, variable returns: μ = λ/θ, ω = 1/θ), Σ μ <= ω (input, non-increasing), Σ μ = 1 or <= 1 (output, where
ω = φ). The score is 1/ω.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from jiqun.core.arrays import Floats, Integers

_TOLERANCE = 1e-11
_BLAND = 200
"""Pivots by largest coefficient before the rule that cannot cycle."""
_MOST = 20_000

FREE, EQUAL, AT_MOST = 0, 1, 2
"""Returns to scale: constant, variable, non-increasing."""


@njit(cache=True)
def scores(x: Floats, y: Floats, px: Floats, py: Floats, returns: int, output: bool) -> Floats:
    """Score of every point (px, py) against units (x, y): NaN where nothing fits, infinite where there was no end."""
    n, m, s = x.shape[0], x.shape[1], y.shape[1]
    both = returns == EQUAL and not output
    rows = m + s + (0 if returns == FREE else 2 if both else 1)
    width = n + 1 + rows + 1
    found = np.empty(len(px))
    table = np.empty((rows + 1, width))
    basis = np.empty(rows, dtype=np.int64)
    cost = np.empty(width)
    for k in range(len(px)):
        table[:] = 0.0
        for j in range(n):
            size = 0.0
            for i in range(m):
                size = max(size, x[j, i] / px[k, i])
            for r in range(s):
                size = max(size, y[j, r] / py[k, r])
            for i in range(m):
                table[i, j] = x[j, i] / px[k, i] / size
            for r in range(s):
                table[m + r, j] = -y[j, r] / py[k, r] / size
            if returns != FREE:
                table[m + s, j] = 1 / size
            if both:
                table[m + s + 1, j] = -1 / size
        table[m : m + s, n] = 1.0
        table[:m, width - 1] = 1.0
        if returns != FREE:
            if output:
                table[m + s, width - 1] = 1.0
            else:
                table[m + s, n] = -1.0
        if both:
            table[m + s + 1, n] = 1.0
        for i in range(rows):
            table[i, n + 1 + i] = 1.0
            basis[i] = n + 1 + i
        barred = -1
        if returns == EQUAL and output:
            # first reach Σ μ = 1, then never let go of it
            cost[:] = 0.0
            cost[:n] = table[m + s, :n]
            if not _maximise(table, basis, cost, barred):
                found[k] = np.inf
                continue
            if table[rows, width - 1] < 1 - 1e-9:
                found[k] = np.nan
                continue
            barred = n + 1 + m + s
            for i in range(rows):
                if basis[i] == barred:
                    best = 0
                    for j in range(width - 1):
                        if j != barred and abs(table[i, j]) > abs(table[i, best]):
                            best = j
                    _pivot(table, basis, i, best)
        cost[:] = 0.0
        cost[n] = 1.0
        if not _maximise(table, basis, cost, barred):
            found[k] = np.inf
            continue
        omega = table[rows, width - 1]
        found[k] = 1 / omega if omega > 1e-9 else np.nan
    return found


@njit(cache=True)
def _maximise(table: Floats, basis: Integers, cost: Floats, barred: int) -> bool:
    """Primal simplex from the basis at hand; the last row holds reduced costs and the objective. False: no end."""
    rows, width = len(basis), table.shape[1]
    table[rows] = -cost
    table[rows, width - 1] = 0.0
    for i in range(rows):
        if cost[basis[i]] != 0.0:
            table[rows] += cost[basis[i]] * table[i]
    for step in range(_MOST):
        enter, least = -1, -_TOLERANCE
        for j in range(width - 1):
            if j != barred and table[rows, j] < least:
                enter = j
                if step > _BLAND:
                    break
                least = table[rows, j]
        if enter < 0:
            return True
        leave, ratio = -1, np.inf
        for i in range(rows):
            if table[i, enter] > _TOLERANCE:
                here = max(table[i, width - 1], 0.0) / table[i, enter]
                if here < ratio - 1e-14:
                    leave, ratio = i, here
                elif here <= ratio + 1e-14 and leave >= 0:
                    better = basis[i] < basis[leave] if step > _BLAND else table[i, enter] > table[leave, enter]
                    if better:
                        leave, ratio = i, min(ratio, here)
        if leave < 0:
            return False
        _pivot(table, basis, leave, enter)
    return False


@njit(cache=True)
def _pivot(table: Floats, basis: Integers, leave: int, enter: int) -> None:
    """Exchange one basic column for another."""
    table[leave] /= table[leave, enter]
    for i in range(len(table)):
        if i != leave and table[i, enter] != 0.0:
            table[i] -= table[i, enter] * table[leave]
    basis[leave] = enter
