"""Radial and directional distance to the frontier 径向与方向距离, and what slack is left after it.

Functions take arrays; columns are scaled to a mean of one and every unit to its own size, so that results depend neither
on units of measurement nor on how much larger one unit is than another.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

from jiqun.assess.envelopment import FEASIBLE, Programme, Solution
from jiqun.assess.units import Points
from jiqun.core.arrays import Floats, Integers

Returns = Literal["crs", "vrs", "drs", "irs"]
Direction = Literal["input", "output", "directional"]
EFFICIENT = 1e-8
"""A score nearer to 1 than this is 1, and a slack smaller than this share of its column's mean is none."""


@dataclass(frozen=True)
class Weights:
    """Weights λ of reference units in the targets of points: point `of[k]` has `value[k]` of unit `unit[k]`."""

    of: Integers
    unit: Integers
    value: Floats


@dataclass(frozen=True)
class Distances:
    """Score, slack and peers of every point. NaN where the point cannot be compared with the reference set."""

    score: Floats
    slack: Floats
    """Points × columns, in units of the data, beyond the radial change."""
    weights: Weights


class Frontier:
    """The technology that a set of units spans, ready to be asked for points one after the other.

        {(x, y, b): Σ λ X ≤ x, Σ λ Y ≥ y, Σ λ B = b, λ ≥ 0}

    and Σ λ = 1 (vrs), ≤ 1 (drs), ≥ 1 (irs). Undesirable outputs are weakly disposable: they fall together with the good
    ones only (used under crs alone, where the abatement factor is in λ).
    """

    def __init__(self, reference: Points, returns: Returns, direction: Direction) -> None:
        self.returns, self.direction = returns, direction
        self._m, self._s = reference.x.shape[1], reference.y.shape[1]
        self._mean = reference.values.mean(axis=0)
        self._sizes = self.sizes(reference)
        self._units = self._columns(reference, self._sizes)

    @cached_property
    def _first(self) -> Integers:
        """Units that are surely on the frontier: best in a ratio of output to input, largest or smallest."""
        rows, m, s = self._units, self._m, self._s
        inputs, outputs = rows[:m], -rows[m : m + s]
        best = [int((out / into).argmax()) for into in inputs for out in outputs]
        if self.returns != "crs":
            best += [int((into * self._sizes).argmin()) for into in inputs]
            best += [int((out * self._sizes).argmax()) for out in outputs]
        return np.unique(best)

    @cached_property
    def _first_stage(self) -> Programme:
        rows = self._units.shape[0]
        sign = np.array([1.0 if self.direction == "input" else -1.0])
        return Programme(self._units, np.zeros((rows, 1)), sign, np.full(1, -np.inf), first=self._first)

    @cached_property
    def _second_stage(self) -> Programme:
        rows = self._units.shape[0]
        cost = self._units[: self._m + self._s].sum(axis=0)
        nothing = np.zeros(0)
        return Programme(self._units, np.zeros((rows, 0)), nothing, nothing, cost=cost, first=self._first)

    def sizes(self, points: Points) -> Floats:
        """How large each point is beside the reference set: its largest column, of a mean of one."""
        found: Floats = (points.values / self._mean).max(axis=1)
        return found

    def _columns(self, points: Points, sizes: Floats) -> Floats:
        """Rows of the programme for every point, scaled."""
        scaled = (points.values / self._mean / sizes[:, None]).T
        scaled[self._m : self._m + self._s] *= -1
        tail = [] if self.returns == "crs" else [1 / sizes[None, :]]
        return np.vstack([scaled, *tail])

    def _bounds(self, column: Floats) -> tuple[Floats, Floats]:
        """Of the rows, for a point that stays where it is."""
        lower, upper = np.full(len(column), -np.inf), column.copy()
        fixed = slice(self._m + self._s, len(column) - (self.returns != "crs"))
        lower[fixed] = column[fixed]
        if self.returns in {"vrs", "irs"}:
            lower[-1] = column[-1]
        if self.returns == "irs":
            upper[-1] = np.inf
        return lower, upper

    def _step(self, column: Floats) -> Floats:
        """What one unit of the own variable adds to each row."""
        m, s, step = self._m, self._s, np.zeros(len(column))
        if self.direction == "input":
            step[:m] = -column[:m]
        else:
            step[m : m + s] = -column[m : m + s]
        if self.direction == "directional":
            step[m + s : len(column) - (self.returns != "crs")] = column[m + s : len(column) - (self.returns != "crs")]
        return step

    def _rows(self, column: Floats) -> tuple[Floats, Floats, Floats]:
        """Step, lower and upper bounds of the rows of one point."""
        step = self._step(column)
        lower, upper = self._bounds(column)
        if self.direction == "directional":
            return step, lower, upper
        moved = step != 0
        upper[moved] = 0.0
        return step, lower, upper

    def scores(self, points: Points) -> Floats:
        """Score of every point: θ, 1/φ or 1/(1 + β). NaN where nothing of the reference set fits."""
        columns = self._columns(points, self.sizes(points))
        return np.array([self._score(self._look(column, None)) for column in columns.T])

    def scores_without_self(self, reference: Points, units: Integers) -> Floats:
        """Score of some units of the reference set against all others, above 1 for those beyond the others' frontier."""
        columns = self._columns(reference, self.sizes(reference))
        return np.array([self._score(self._look(columns[:, unit], int(unit))) for unit in units])

    def _look(self, column: Floats, without: int | None) -> Solution | None:
        step, lower, upper = self._rows(column)
        cells = [(row, 0, value) for row, value in enumerate(step) if value != 0]
        return self._first_stage.solve(cells, lower, upper, without=without)

    def _score(self, found: Solution | None) -> float:
        if found is None:
            return np.nan
        own = float(found.own[0])
        if self.direction == "input":
            return own
        return 1 / own if self.direction == "output" else 1 / (1 + own)

    def distances(self, points: Points) -> Distances:
        """Scores, then the largest sum of slacks (each as a share of its column's mean) at those scores, and its peers.

        Where all multipliers of the first stage are above zero there is no slack, and its weights are the answer.
        """
        sizes = self.sizes(points)
        columns = self._columns(points, sizes)
        free = self._m + self._s
        score, slack = np.full(len(sizes), np.nan), np.zeros((len(sizes), len(self._mean)))
        parts: list[tuple[int, Integers, Floats]] = []
        for k, column in enumerate(columns.T):
            first = self._look(column, None)
            score[k] = self._score(first)
            if first is None:
                slack[k] = np.nan
                continue
            best = first
            if (np.abs(first.duals[:free]) <= FEASIBLE).any():
                step, lower, upper = self._rows(column)
                moved = step * first.own[0]
                second = self._second_stage.solve((), lower - moved, upper - moved, likely=first.units)
                best = second or first
                left = (upper - moved) - self._units[:, best.units] @ best.weights
                left[left < EFFICIENT] = 0.0
                slack[k, :free] = left[:free] * sizes[k] * self._mean[:free]
            parts.append((k, best.units, best.weights * sizes[k] / self._sizes[best.units]))
        return Distances(score, slack, weights_of(parts))


def weights_of(parts: list[tuple[int, Integers, Floats]]) -> Weights:
    """Weights of all points together, those of a point falling; weights of next to nothing are none."""
    kept = []
    for k, units, values in parts:
        order = np.argsort(-values, kind="stable")
        order = order[values[order] > EFFICIENT * values.max(initial=0.0)]
        kept.append((np.full(len(order), k), units[order], values[order]))
    none = np.zeros(0, dtype=np.int64)
    of, unit, value = zip(*kept, strict=True) if kept else ((none,), (none,), (np.zeros(0),))
    return Weights(np.concatenate(of), np.concatenate(unit), np.concatenate(value))
