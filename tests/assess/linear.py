"""The textbook programmes, written out and given to SciPy one by one: a second implementation to compare with."""

from __future__ import annotations

import numpy as np
from scipy.optimize import linprog

RETURNS = ("crs", "vrs", "drs", "irs")


def _optimum(cost, upper, bound, equal, value, bounds):
    found = linprog(cost, upper, bound, equal, value, bounds, method="highs")
    return found if found.status == 0 else None


def _returns(returns, n, heads):
    """Rows of returns to scale over (heads, λ): inequality and equality."""
    row = np.r_[np.zeros(heads), np.ones(n)]
    none = np.zeros((0, heads + n)), np.zeros(0)
    return {
        "crs": (none, none),
        "vrs": (none, (row[None], np.ones(1))),
        "drs": ((row[None], np.ones(1)), none),
        "irs": ((-row[None], -np.ones(1)), none),
    }[returns]


def multipliers(x, y, o, returns="crs"):
    """Input-oriented score by the multiplier form: max u y + u₀, v x = 1, u Y − v X + u₀ <= 0."""
    n, m, s = len(x), x.shape[1], y.shape[1]
    free = {"crs": (0, 0), "vrs": (None, None), "drs": (None, 0), "irs": (0, None)}[returns]
    cost = -np.r_[y[o], np.zeros(m), 1.0]
    upper = np.hstack([y, -x, np.ones((n, 1))])
    equal = np.r_[np.zeros(s), x[o], 0.0][None]
    return -_optimum(cost, upper, np.zeros(n), equal, np.ones(1), [(0, None)] * (s + m) + [free]).fun


def envelopment(x, y, o, returns, orientation, others=None):
    """Score by the envelopment form; NaN where nothing fits. `others` are the reference units."""
    keep = np.arange(len(x)) if others is None else np.asarray(others)
    (a, b), (c, d) = _returns(returns, len(keep), 1)
    if orientation == "input":
        rows = np.vstack([np.c_[-x[o], x[keep].T], np.c_[np.zeros(y.shape[1]), -y[keep].T], a])
        bound = np.r_[np.zeros(x.shape[1]), -y[o], b]
    else:
        rows = np.vstack([np.c_[np.zeros(x.shape[1]), x[keep].T], np.c_[y[o], -y[keep].T], a])
        bound = np.r_[x[o], np.zeros(y.shape[1]), b]
    sign = 1 if orientation == "input" else -1
    found = _optimum(np.r_[sign, np.zeros(len(keep))], rows, bound, c, d, [(None, None)] + [(0, None)] * len(keep))
    if found is None:
        return np.nan
    return found.x[0] if orientation == "input" else 1 / found.x[0]


def most_slack(x, y, o, score, returns, orientation):
    """The largest sum of slacks, as shares of their columns' means, at a score."""
    n, m, s = len(x), x.shape[1], y.shape[1]
    (a, b), (c, d) = _returns(returns, n, m + s)
    at_x = x[o] * score if orientation == "input" else x[o]
    at_y = y[o] / score if orientation == "output" else y[o]
    mean = np.r_[x.mean(axis=0), y.mean(axis=0)]
    rows = np.vstack([np.c_[np.eye(m), np.zeros((m, s)), x.T], np.c_[np.zeros((s, m)), -np.eye(s), y.T], c])
    cost = np.r_[-1 / mean, np.zeros(n)]
    bound = np.r_[at_x * (1 + 1e-10), at_y, d]
    return -_optimum(cost, a, b, rows, bound, [(0, None)] * (m + s + n)).fun


def slacks_based(x, y, b, o, returns, side):
    """SBM by Charnes and Cooper's transformation, over (t, S⁻, S⁺, Sᵇ, Λ)."""
    n, m, s, u = len(x), x.shape[1], y.shape[1], b.shape[1]
    width = 1 + m + s + u + n
    slack = np.diag(np.r_[np.ones(m), -np.ones(s), np.ones(u)])
    values = np.hstack([x, y, b])
    rows = [np.c_[-values[o], slack, values.T]]
    one = np.zeros(width)
    one[0] = 1
    if side != "input":
        one[1 + m : 1 + m + s + u] = 1 / (s + u) / np.r_[y[o], b[o]]
    rows.append(one[None])
    value = np.r_[np.zeros(m + s + u), 1.0]
    upper, bound = np.zeros((0, width)), np.zeros(0)
    scale = np.r_[-1.0, np.zeros(m + s + u), np.ones(n)][None]
    if returns == "vrs":
        rows.append(scale)
        value = np.r_[value, 0.0]
    elif returns != "crs":
        upper, bound = (scale if returns == "drs" else -scale), np.zeros(1)
    cost = np.zeros(width)
    cost[0] = 1
    if side != "output":
        cost[1 : 1 + m] = -1 / m / x[o]
    return _optimum(cost, upper, bound, np.vstack(rows), value, [(0, None)] * width).fun


def directional(x, y, b, o):
    """1/(1 + β): goods up and bads down by β, weakly disposable, constant returns."""
    n = len(x)
    upper = np.vstack([np.c_[np.zeros(x.shape[1]), x.T], np.c_[y[o], -y.T]])
    bound = np.r_[x[o], -y[o]]
    equal = np.c_[b[o], b.T]
    found = _optimum(np.r_[-1.0, np.zeros(n)], upper, bound, equal, b[o], [(None, None)] + [(0, None)] * n)
    return 1 / (1 + found.x[0])
