"""One linear programme that is solved again and again for one unit after another 包络线性规划, on HiGHS.

Its rows are few (inputs, outputs, returns to scale) and the same for all; its columns are the units of the reference set
and a few variables of the point that is looked at. From point to point only those few and the rows' bounds change, and the
basis is kept. Columns of units enter when they have something to say: the duals price all units at once, and a programme
of thousands of units stays as small as its frontier. The answer is the exact one: it ends when no unit would lower the
objective.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from highspy import HighsModelStatus, kHighsInf
from highspy._core import _Highs  # its public subclass writes a banner to standard output as soon as it is made

from jiqun.core.arrays import Booleans, Floats, Integers
from jiqun.core.errors import MeasureInputError

FEASIBLE = 1e-9
"""Tolerance of rows and of reduced costs, in units of about one."""
_WHOLE = 60
"""Reference sets up to this many units enter at once."""
_OPTIONS: dict[str, str | int | float | bool] = {
    "output_flag": False,
    "presolve": "off",
    "solver": "simplex",
    "parallel": "off",
    "threads": 1,
    "simplex_strategy": 1,
    "simplex_scale_strategy": 0,
    "primal_feasibility_tolerance": FEASIBLE,
    "dual_feasibility_tolerance": FEASIBLE,
}


@dataclass(frozen=True)
class Solution:
    """Of one point: the objective, the point's own variables, the rows' duals, and the units with a weight above 0."""

    value: float
    own: Floats
    duals: Floats
    units: Integers
    weights: Floats


class Programme:
    """min own_cost · z + cost · λ  subject to  lower ≤ O z + U λ ≤ upper,  λ ≥ 0,  own_lower ≤ z.

    `units` is U, one column for each unit; `own` is O, as it is until a point changes its cells.
    """

    def __init__(
        self,
        units: Floats,
        own: Floats,
        own_cost: Floats,
        own_lower: Floats,
        *,
        cost: Floats | None = None,
        first: Iterable[int] = (),
    ) -> None:
        self._units = np.ascontiguousarray(units.T)
        self._cost = np.zeros(len(self._units)) if cost is None else cost
        self._rows = np.arange(units.shape[0], dtype=np.int32)
        self._own = own.shape[1]
        self._held = np.zeros(len(self._units), dtype=bool)
        self._order: list[int] = []
        self._solver: Any = _Highs()  # its type stub lacks two of the methods below
        for name, value in _OPTIONS.items():
            self._solver.setOptionValue(name, value)
        count = len(self._rows)
        free = np.full(count, kHighsInf)
        none = np.zeros(0, dtype=np.int32)
        self._solver.addRows(count, -free, free, 0, none, none, np.zeros(0))
        self._add_columns(own.T, own_cost, own_lower)
        self.add(range(len(self._units)) if len(self._units) <= _WHOLE else dict.fromkeys(first))

    def add(self, units: Iterable[int]) -> None:
        """Let units take part that do not yet."""
        new = [int(unit) for unit in units if not self._held[unit]]
        if new:
            self._held[new] = True
            self._order += new
            self._add_columns(self._units[new], self._cost[new], np.zeros(len(new)))

    def change(self, cells: Iterable[tuple[int, int, float]]) -> None:
        """Other values of own columns, as (row, own column, value)."""
        for row, column, value in cells:
            self._solver.changeCoeff(row, column, value)

    def solve(
        self,
        cells: Sequence[tuple[int, int, float]],
        lower: Floats,
        upper: Floats,
        *,
        without: int | None = None,
        likely: Iterable[int] = (),
    ) -> Solution | None:
        """The least objective of one point, or None where nothing fits its rows.

        `cells` are (row, own column, value) that differ from the point before; `without` is a unit that may not take part,
        `likely` are units that make the rows fit.
        """
        self.change(cells)
        self._solver.changeRowsBounds(len(self._rows), self._rows, lower, upper)
        self.add(likely)
        if without is not None:
            self._bound(without, 0.0)
        found = self._optimum(without)
        if without is not None:
            self._bound(without, kHighsInf)
        return found

    def _optimum(self, without: int | None) -> Solution | None:
        """Solve, price, let the unit in that would lower the objective most, until there is none."""
        solver = self._solver
        out: Booleans = self._held.copy()
        if without is not None:
            out[without] = True
        while True:
            if not self._run():
                new = self._remedies(out, without)
                if not len(new):
                    return None
                self.add(new)
                out[new] = True
                continue
            answer = solver.getSolution()
            duals = np.asarray(answer.row_dual)
            if out.all():
                break
            reduced = np.where(out, 0.0, self._cost - self._units @ duals)
            best = int(reduced.argmin())
            if reduced[best] >= -FEASIBLE:
                break
            self.add([best])
            out[best] = True
        values = np.asarray(answer.col_value)
        weights = values[self._own :]
        some = np.flatnonzero(weights > 0)
        units = np.asarray(self._order, dtype=np.int64)[some]
        return Solution(solver.getObjectiveValue(), values[: self._own], duals, units, weights[some])

    def _remedies(self, out: Booleans, without: int | None) -> Integers:
        """Units that might make the rows fit; none where HiGHS's proof that nothing fits holds for all units.

        The proof is a ray whose product with every unit that takes part has one sign: those of the other sign undo it.
        """
        _, proved, ray = self._solver.getDualRay()
        away = np.flatnonzero(~out)
        if not proved or not len(away):
            return away
        product = self._units @ np.asarray(ray)
        tolerance = FEASIBLE * np.abs(product).max(initial=0.0)
        taking_part = self._held.copy()
        if without is not None:
            taking_part[without] = False
        sign = -1.0 if product[taking_part].sum() > 0 else 1.0
        gain = sign * product[away]
        return away[[gain.argmax()]] if gain.max() > tolerance else away[:0]

    def _run(self) -> bool:
        """Whether there is an optimum; from the start again where the kept basis leads nowhere."""
        infeasible = (HighsModelStatus.kInfeasible, HighsModelStatus.kUnboundedOrInfeasible)
        for scaling in (0, 0, 2):
            self._solver.setOptionValue("simplex_scale_strategy", scaling)
            self._solver.run()
            status = self._solver.getModelStatus()
            if status == HighsModelStatus.kOptimal:
                return True
            if status in infeasible:
                return False
            self._solver.clearSolver()
        raise MeasureInputError("JQ-ASSESS-047", status=str(status).rpartition(".")[2])

    def _bound(self, unit: int, most: float) -> None:
        if self._held[unit]:
            self._solver.changeColBounds(self._own + self._order.index(unit), 0.0, most)

    def _add_columns(self, columns: Floats, cost: Floats, lower: Floats) -> None:
        """Columns, given as the rows of an array."""
        count, rows = columns.shape
        starts = np.arange(count, dtype=np.int32) * rows
        self._solver.addCols(
            count,
            cost,
            lower,
            np.full(count, kHighsInf),
            count * rows,
            starts,
            np.tile(self._rows, count),
            np.ascontiguousarray(columns, dtype=np.float64).ravel(),
        )
