"""Slacks-based measure of efficiency 基于松弛的效率测度 (SBM), with undesirable outputs where there are any."""

from __future__ import annotations

from typing import Literal

import numpy as np

from jiqun.assess.envelopment import Programme
from jiqun.assess.radial import EFFICIENT, Distances, Returns, weights_of
from jiqun.assess.units import Points
from jiqun.core.arrays import Floats, Integers
from jiqun.core.errors import MeasureInputError

Side = Literal["none", "input", "output"]


def slacks_based(points: Points, returns: Returns, side: Side) -> Distances:
    """SBM score, slacks and peers of every point against all of them.

        ρ = min (1 − 1/m Σ s⁻/x) / (1 + 1/(s + u) (Σ s⁺/y + Σ sᵇ/b))

    over slacks with Σ λ X + s⁻ = x, Σ λ Y − s⁺ = y, Σ λ B + sᵇ = b. Linear in Λ = tλ, S = ts after Charnes and Cooper:
    min t − 1/m Σ S⁻/x subject to t + 1/(s + u) (Σ S⁺/y + Σ Sᵇ/b) = 1. With side "input" the denominator is 1, with
    "output" the numerator is.

    Examples
    --------
    >>> three = Points(np.array([[1.0], [2.0], [4.0]]), np.array([[1.0], [2.0], [2.0]]), np.zeros((3, 0)))
    >>> slacks_based(three, "crs", "none").score.round(6).tolist()
    [1.0, 1.0, 0.5]
    """
    values, m = points.values, points.x.shape[1]
    mean = values.mean(axis=0)
    scaled = values / mean
    sizes = scaled.max(axis=1)
    scaled = scaled / sizes[:, None]
    columns = values.shape[1]
    sign = np.ones(columns)  # of the slack in Σ λ V + sign · s = v
    sign[m : m + points.y.shape[1]] = -1.0
    tail = [] if returns == "crs" else [1 / sizes[None, :]]
    units = np.vstack([np.zeros((1, len(values))), scaled.T, *tail])
    own = np.zeros((len(units), 1 + columns))
    own[0, 0] = 1.0
    if side != "input":
        own[0, 1 + m :] = 1 / (columns - m)
    cost = np.zeros(1 + columns)
    cost[0] = 1.0
    if side != "output":
        cost[1 : 1 + m] = -1 / m
    ratios = [int((scaled[:, r] / scaled[:, i]).argmax()) for i in range(m) for r in range(m, columns) if sign[r] < 0]
    programme = Programme(units, own, cost, np.zeros(1 + columns), first=ratios)
    lower, upper = _bounds(len(units), returns)
    score, slack = np.empty(len(values)), np.zeros(values.shape)
    parts: list[tuple[int, Integers, Floats]] = []
    for k, point in enumerate(scaled):
        cells = [cell for c, v in enumerate(point) for cell in ((1 + c, 0, -v), (1 + c, 1 + c, sign[c] * v))]
        if returns != "crs":
            cells.append((len(units) - 1, 0, -1 / sizes[k]))
        found = programme.solve(cells, lower, upper, likely=(k,))
        if found is None:  # the point itself is always an answer: only rounding hides it
            raise MeasureInputError("JQ-ASSESS-047", status="kInfeasible")
        share = found.own[1:] / found.own[0]
        share[share < EFFICIENT] = 0.0
        score[k] = found.value
        slack[k] = share * values[k]
        parts.append((k, found.units, found.weights / found.own[0] * sizes[k] / sizes[found.units]))
    return Distances(score, slack, weights_of(parts))


def _bounds(rows: int, returns: Returns) -> tuple[Floats, Floats]:
    """Of the rows, the same for every point: Σ Λ is t (vrs), at most t (drs), at least t (irs)."""
    lower, upper = np.zeros(rows), np.zeros(rows)
    lower[0] = upper[0] = 1.0
    if returns == "drs":
        lower[-1] = -np.inf
    if returns == "irs":
        upper[-1] = np.inf
    return lower, upper
