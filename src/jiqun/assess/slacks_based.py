"""Slacks-based measure of efficiency 基于松弛的效率测度 (SBM), with undesirable outputs where there are any."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from jiqun.assess.envelopment import Programme, Solution
from jiqun.assess.radial import EFFICIENT, Distances, Returns, weights_of
from jiqun.assess.units import Points
from jiqun.core.arrays import Floats, Integers
from jiqun.core.errors import MeasureInputError

Side = Literal["none", "input", "output"]
SMALL, MOST = 1e-5, 1e12
"""Where t is less, all is put in units a thousand times as great, again and again up to the second."""


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
    scaled = values / values.mean(axis=0)
    sizes = scaled.max(axis=1)
    scaled = scaled / sizes[:, None]
    columns = values.shape[1]
    sign = np.ones(columns)  # of the slack in Σ λ V + sign · s = v
    sign[m : m + points.y.shape[1]] = -1.0
    ratios = [int((scaled[:, r] / scaled[:, i]).argmax()) for i in range(m) for r in range(m, columns) if sign[r] < 0]
    tail = [] if returns == "crs" else [1 / sizes]
    units = np.vstack([np.zeros(len(values)), scaled.T, *tail])
    own, cost = _variables(len(units), sign, m, side)
    programme = Programme(units, own, cost, np.zeros(len(cost)), first=ratios)
    lower, upper = _bounds(len(units), returns)
    score, slack = np.empty(len(values)), np.zeros(values.shape)
    parts: list[tuple[int, Integers, Floats]] = []
    for k, point in enumerate(scaled):
        cells = [cell for c, v in enumerate(point) for cell in ((1 + c, 0, -v), (1 + c, 1 + c, sign[c] * v))]
        if returns != "crs":
            cells.append((len(units) - 1, 0, -1 / sizes[k]))
        found, most = _solved(programme, cells, lower, upper, k), 1.0
        while (found is None or found.own[0] < SMALL) and most < MOST:
            # what the point has of something is next to nothing, and t too: all in greater units, in which t is about one
            most = min(MOST, most * 1e3)
            greater = [(0, column, value / most) for column, value in enumerate(own[0])]
            found = _solved(programme, cells + greater, lower, upper, k)
        if most > 1:
            programme.change([(0, column, value) for column, value in enumerate(own[0])])
        if found is None or found.own[0] < SMALL:
            raise MeasureInputError("JQ-ASSESS-047", status="kUnknown")
        share = found.own[1:] / found.own[0]
        share[share < EFFICIENT] = 0.0
        score[k] = found.value / most
        slack[k] = share * values[k]
        parts.append((k, found.units, found.weights / found.own[0] * sizes[k] / sizes[found.units]))
    return Distances(score, slack, weights_of(parts))


def _variables(rows: int, sign: Floats, m: int, side: Side) -> tuple[Floats, Floats]:
    """Columns and costs of t and of the slacks S of each input and output."""
    columns = len(sign)
    own = np.zeros((rows, 1 + columns))
    own[0, 0] = 1.0
    if side != "input":
        own[0, 1 + m :] = 1 / (columns - m)
    cost = np.zeros(1 + columns)
    cost[0] = 1.0
    if side != "output":
        cost[1 : 1 + m] = -1 / m
    return own, cost


def _solved(
    programme: Programme, cells: Sequence[tuple[int, int, float]], lower: Floats, upper: Floats, k: int
) -> Solution | None:
    """The answer for a point; None where rounding hides it, for the point itself is always one."""
    try:
        return programme.solve(cells, lower, upper, likely=(k,))
    except MeasureInputError:
        return None


def _bounds(rows: int, returns: Returns) -> tuple[Floats, Floats]:
    """Of the rows, the same for every point: Σ Λ is t (vrs), at most t (drs), at least t (irs)."""
    lower, upper = np.zeros(rows), np.zeros(rows)
    lower[0] = upper[0] = 1.0
    if returns == "drs":
        lower[-1] = -np.inf
    if returns == "irs":
        upper[-1] = np.inf
    return lower, upper
