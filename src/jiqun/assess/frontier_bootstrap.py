"""How sure efficiency scores are 效率得分的自助法区间: the smoothed bootstrap of Simar and Wilson."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from jiqun.assess import _simplex_kernels
from jiqun.assess.radial import EFFICIENT, Direction, Frontier, Returns
from jiqun.assess.units import Points
from jiqun.core.arrays import Floats
from jiqun.core.errors import MeasureInputError
from jiqun.core.progress import Progress, silent

_TABLEAU = {"crs": _simplex_kernels.FREE, "vrs": _simplex_kernels.EQUAL, "drs": _simplex_kernels.AT_MOST}
LEAST = 100
"""Fewest replications of which a 95 % interval has ends."""


@dataclass(frozen=True)
class Interval:
    """Of every unit: bias of the score, the score without it, and the interval of the true score."""

    bias: Floats
    corrected: Floats
    low: Floats
    high: Floats
    bandwidth: float


def smoothed_bootstrap(
    points: Points,
    score: Floats,
    returns: Returns,
    direction: Direction,
    *,
    replications: int,
    level: float,
    seed: int,
    progress: Progress = silent,
) -> Interval:
    """Bias-corrected scores and intervals 偏差修正与置信区间, after Simar and Wilson (1998).

    Works on distances δ = 1/score >= 1. Each replication draws δ* from a kernel estimate of their density that is reflected
    at 1, moves every unit along its ray from δ to δ* (inputs x δ*/δ, or outputs y δ/δ*), and measures the units as they
    are against the frontier of those moved:

        δ*_i = d̄ + (d_i + h ε_i − d̄) / √(1 + h²/σ²),  reflected: 2 − δ* where δ* < 1
        bias = mean δ̂* − δ̂,  corrected = δ̂ − bias,  interval: 2 δ̂ − quantiles of δ̂*

    and all is turned back to scores. h is Silverman's rule for the reflected distances without those of 1, rescaled to the
    sample (Daraio and Simar 2007).

    Raises
    ------
    MeasureInputError
        JQ-ASSESS-054: fewer than 100 replications, or a level that is not between 0 and 1. JQ-ASSESS-055: no inefficiency.
    """
    check_draws(replications, level)
    delta = 1 / score
    h = bandwidth(delta)
    sigma2 = float(delta.var())
    rng = np.random.default_rng(seed)
    drawn = np.empty((replications, len(delta)))
    for k in range(replications):
        base = rng.choice(delta, len(delta))
        moved = base.mean() + (base + h * rng.standard_normal(len(delta)) - base.mean()) / np.sqrt(1 + h**2 / sigma2)
        moved = np.where(moved < 1, 2 - moved, moved)
        drawn[k] = 1 / quick_scores(shifted(points, moved / delta, direction), points, returns, direction)
        progress("bootstrap", k + 1, replications)
    bias = drawn.mean(axis=0) - delta
    tail = (1 - level) / 2
    ends = np.quantile(drawn, [tail, 1 - tail], axis=0)
    corrected = 1 / (delta - bias)
    low, high = 1 / (2 * delta - ends)
    return Interval(score - corrected, corrected, low, high, h)


def quick_scores(reference: Points, points: Points, returns: Returns, direction: Direction) -> Floats:
    """`Frontier.scores` of many small programmes: by the compiled tableau, or HiGHS where that has no answer.

    Examples
    --------
    >>> three = Points(np.array([[1.0], [2.0], [4.0]]), np.array([[1.0], [2.0], [2.0]]), np.zeros((3, 0)))
    >>> quick_scores(three, three, "vrs", "output").round(6).tolist()
    [1.0, 1.0, 1.0]
    """
    if returns in _TABLEAU:
        found: Floats = _simplex_kernels.scores(
            reference.x, reference.y, points.x, points.y, _TABLEAU[returns], direction == "output"
        )
        if not np.isinf(found).any():
            return found
    return Frontier(reference, returns, direction).scores(points)


def shifted(points: Points, factor: Floats, direction: Direction) -> Points:
    """Points whose distance is `factor` times what it was, along their ray."""
    by = factor[:, None]
    if direction == "input":
        return Points(points.x * by, points.y, points.b)
    return Points(points.x, points.y / by, points.b)


def bandwidth(delta: Floats) -> float:
    """Silverman's rule on distances reflected at 1, those of 1 left out.

        h = 1.06 min(s, IQR/1.34) N^(−1/5) · (N/n)^(1/5) · s_n/s,   N = 2 × inefficient units, n = units

    Raises
    ------
    MeasureInputError
        JQ-ASSESS-055: all units are efficient.

    Examples
    --------
    >>> round(bandwidth(np.array([1.0, 1.1, 1.3, 1.5])), 4)
    0.1776
    """
    inside = delta[delta > 1 + EFFICIENT]
    if not len(inside):
        raise MeasureInputError("JQ-ASSESS-055")
    reflected = np.concatenate([inside, 2 - inside])
    low, high = np.quantile(reflected, [0.25, 0.75])
    spread = float(reflected.std(ddof=1))
    narrow = min(spread, float(high - low) / 1.34)
    count = len(reflected)
    own: float = 1.06 * narrow * count**-0.2
    return own * float((count / len(delta)) ** 0.2 * delta.std(ddof=1) / spread)


def check_draws(replications: int, level: float) -> None:
    """Refuse what gives no interval."""
    if replications < LEAST:
        raise MeasureInputError("JQ-ASSESS-054", what="bootstrap", value=replications, expected=f"≥ {LEAST}")
    if not 0 < level < 1:
        raise MeasureInputError("JQ-ASSESS-054", what="level", value=level, expected="0 < level < 1")
