"""Efficiency against the best that is done 效率前沿: data envelopment analysis 数据包络分析 (DEA).

Input is a table with one row a unit: a cluster, a park, a region. The frontier is that of the units in the table, so a
score compares them with each other and with nobody else. Nothing here reads files or draws.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import polars as pl

from jiqun.assess import units as unit_tables
from jiqun.assess.frontier_bootstrap import smoothed_bootstrap
from jiqun.assess.radial import EFFICIENT, Direction, Distances, Frontier, Returns
from jiqun.assess.slacks_based import Side, slacks_based
from jiqun.assess.units import Columns, Points
from jiqun.core.arrays import Floats
from jiqun.core.errors import UsageError
from jiqun.core.progress import Progress, silent
from jiqun.core.remarks import Remark

Model = Literal["radial", "sbm", "directional"]
Orientation = Literal["none", "input", "output"]
_ORIENTATIONS: dict[str, tuple[Orientation, ...]] = {
    "radial": ("input", "output"),
    "sbm": ("none", "input", "output"),
    "directional": ("none",),
}


@dataclass(frozen=True)
class Efficiency:
    """What `dea` found; see there."""

    scores: pl.DataFrame
    """unit, score, efficient; super and super_status, bias, corrected, low, high where asked for. In the input's order."""
    slacks: pl.DataFrame
    """unit, column, kind (input, output, undesirable), value, slack, target: the value at the frontier."""
    peers: pl.DataFrame
    """unit, peer, weight λ: what the unit's target is made of; falling weights."""
    model: Model
    returns: Returns
    orientation: Orientation
    columns: Columns
    replications: int
    level: float
    seed: int
    remarks: tuple[Remark, ...]

    def table(self, name: str) -> pl.DataFrame:
        """One of the tables `scores`, `slacks`, `peers`.

        Raises
        ------
        UsageError
            JQ-USE-001: another name.
        """
        tables = {"scores": self.scores, "slacks": self.slacks, "peers": self.peers}
        if name not in tables:
            raise UsageError("JQ-USE-001", what="table", value=name, known=", ".join(tables))
        return tables[name]


def dea(
    frame: Any,
    *,
    unit: str = "unit",
    inputs: Sequence[str],
    outputs: Sequence[str],
    undesirable: Sequence[str] = (),
    returns: Returns = "vrs",
    model: Model = "radial",
    orientation: Orientation | None = None,
    super_efficiency: bool = False,
    bootstrap: int = 0,
    level: float = 0.95,
    seed: int = 20240501,
    force: bool = False,
    progress: Progress = silent,
) -> Efficiency:
    """Efficiency of units by data envelopment analysis 数据包络分析: score, slacks, peers.

    Of unit o with inputs x and outputs y, over λ >= 0 (vrs: Σ λ = 1; drs: <= 1; irs: >= 1; crs: any):

        radial, input      score = min θ:    Σ λ X <= θ x,  Σ λ Y >= y
        radial, output     score = 1/max φ:  Σ λ X <= x,    Σ λ Y >= φ y
        sbm                score = min (1 − 1/m Σ s⁻/x) / (1 + 1/(s + u) (Σ s⁺/y + Σ sᵇ/b))
        directional        score = 1/(1 + max β):  Σ λ X <= x,  Σ λ Y >= (1 + β) y,  Σ λ B = (1 − β) b

    Radial scores are followed by a second stage: the largest sum of slacks, each as a share of its column's mean, at the
    score. Peers are the λ there.

    Parameters
    ----------
    frame
        Any dataframe, one row a unit; values in any unit of measurement, all above 0.
    unit
        The column that names units.
    inputs, outputs, undesirable
        Columns 投入、期望产出、非期望产出. Undesirable outputs (emissions) take "sbm", where they are one more slack to
        cut, or "directional", where they are weakly disposable: cut only together with good outputs (crs only, for under
        variable returns one abatement factor does not describe a convex technology).
    orientation
        Radial: input (default) or output. SBM: none (default), input or output. Directional: none.
    super_efficiency
        Radial only: adds `super`, the score of efficient units against all others; equal to `score` for the rest.
        `super_status` is ok or infeasible: under vrs, drs and irs the others may not reach a unit at all. It is told in
        `remarks` (JQ-ASSESS-046) too.
    bootstrap, level, seed
        Radial only: replications (0: none; 2,000 are usual) that give `bias`, `corrected` = score − bias, and the interval
        `low` to `high` of the score. It varies what the sample of units could have been, not errors of measurement, and is
        too short where units are few: in simulations intervals of 95 % covered 80 % with 50 units, 87 % with 100.
    force
        Compute though there are fewer units than max(m s, 3 (m + s)).

    Returns
    -------
    `Efficiency`. Scores lie in (0, 1]; `efficient` is a score of 1 without any slack.

    Raises
    ------
    MeasureInputError
        JQ-USE-003: a column is missing. JQ-ASSESS-040: too few units. JQ-ASSESS-041: values are missing. JQ-ASSESS-042:
        values are zero or negative. JQ-ASSESS-043: a column is not numeric. JQ-ASSESS-044: a unit is there twice.
        JQ-ASSESS-045: columns named twice, or none. JQ-ASSESS-047: a programme was not solved. JQ-ASSESS-054,
        JQ-ASSESS-055: no bootstrap is possible.
    UsageError
        JQ-USE-001: no such model, returns or orientation. JQ-ASSESS-048: an option that the model does not have.

    Notes
    -----
    A frontier is made of the best units *of the table*: scores rise when good units are left out, and outliers and errors
    in the data move it for all. A score says how far, not why.
    Sources: Charnes, Cooper and Rhodes (1978), EJOR 2(6), 429–444; Banker, Charnes and Cooper (1984), Management Science
    30(9), 1078–1092; Andersen and Petersen (1993), Management Science 39(10), 1261–1264; Tone (2001), EJOR 130(3),
    498–509, and, with undesirable outputs, Tone (2003), GRIPS research report I-2003-0005; Chung, Färe and Grosskopf
    (1997), Journal of Environmental Management 51(3), 229–240; Simar and Wilson (1998), Management Science 44(1), 49–61.

    Examples
    --------
    >>> parks = pl.DataFrame({"unit": list("ABCDEF"), "staff": [2, 4, 8, 5, 6, 8], "output": [2, 6, 8, 3, 6, 5]})
    >>> found = dea(parks, inputs=["staff"], outputs=["output"], returns="crs")
    >>> found.scores["score"].round(3).to_list()
    [0.667, 1.0, 0.667, 0.4, 0.667, 0.417]
    >>> found.peers.filter(unit="C").select("peer", pl.col("weight").round(3)).rows()
    [('B', 1.333)]
    """
    chosen = _chosen(model, returns, orientation, undesirable, super_efficiency=super_efficiency, bootstrap=bootstrap)
    columns = unit_tables.columns_of(inputs, outputs, undesirable, unit)
    table = unit_tables.numbers(frame, columns, unit)
    unit_tables.refuse_few(table.height, columns, force=force)
    unit_tables.refuse_unusable(table, columns, unit)
    points = Points.of(table.select(columns.all).to_numpy().astype(np.float64), columns)
    remarks: list[Remark] = []
    if model == "sbm":
        found = slacks_based(points, returns, chosen)
        scores = _scores(table[unit], found)
    else:
        direction: Direction = "directional" if chosen == "none" else chosen
        frontier = Frontier(points, returns, direction)
        found = frontier.distances(points)
        scores = _scores(table[unit], found)
        if super_efficiency:
            scores = _with_super(scores, frontier, points, remarks, unit)
        if bootstrap:
            sure = smoothed_bootstrap(
                points, _capped(found.score), returns, direction,
                replications=bootstrap, level=level, seed=seed, progress=progress,
            )  # fmt: skip
            scores = scores.with_columns(bias=sure.bias, corrected=sure.corrected, low=sure.low, high=sure.high)
    return Efficiency(
        scores,
        _slacks(table, unit, columns, found, chosen if model == "radial" else model),
        _peers(table[unit], found),
        model,
        returns,
        chosen,
        columns,
        bootstrap,
        level,
        seed,
        tuple(remarks),
    )


def _chosen(
    model: str,
    returns: str,
    orientation: Orientation | None,
    undesirable: Sequence[str],
    *,
    super_efficiency: bool,
    bootstrap: int,
) -> Side:
    """The orientation, where everything that was asked for goes together."""
    for what, value, kind in (("model", model, Model), ("returns", returns, Returns)):
        if value not in get_args(kind):
            raise UsageError("JQ-USE-001", what=what, value=value, known=", ".join(get_args(kind)))
    allowed = _ORIENTATIONS[model]
    chosen = allowed[0] if orientation is None else orientation
    if chosen not in allowed:
        raise UsageError("JQ-USE-001", what=f"orientation ({model})", value=chosen, known=", ".join(allowed))
    for wrong, option, known in (
        (model == "radial" and undesirable, "undesirable", "sbm, directional"),
        (model == "directional" and not undesirable, "undesirable = []", "radial, sbm"),
        (model == "directional" and returns != "crs", f"returns = {returns}", "radial, sbm"),
        (model != "radial" and super_efficiency, "super_efficiency", "radial"),
        (model != "radial" and bootstrap, "bootstrap", "radial"),
    ):
        if wrong:
            raise UsageError("JQ-ASSESS-048", option=option, model=model, known=known)
    return chosen


def _capped(score: Floats) -> Floats:
    """Scores of 1 but for rounding are 1."""
    return np.where(score > 1 - EFFICIENT, 1.0, score)


def _scores(names: pl.Series, found: Distances) -> pl.DataFrame:
    score = _capped(found.score)
    efficient = (score == 1) & ~(found.slack > 0).any(axis=1)
    return pl.DataFrame({names.name: names, "score": score, "efficient": efficient})


def _with_super(
    scores: pl.DataFrame, frontier: Frontier, points: Points, remarks: list[Remark], unit: str
) -> pl.DataFrame:
    """Adds the scores of efficient units against all others, and says which have none."""
    score = scores["score"].to_numpy()
    best = np.flatnonzero(score == 1)
    others = score.copy()
    others[best] = frontier.scores_without_self(points, best)
    status = np.where(np.isnan(others), "infeasible", "ok")
    out = scores.filter(np.isnan(others))
    if out.height:
        remarks.append(Remark.of("JQ-ASSESS-046", units=unit_tables.named(out, unit), count=out.height))
    return scores.with_columns(pl.Series("super", others, nan_to_null=True), super_status=pl.Series(status))


def _slacks(table: pl.DataFrame, unit: str, columns: Columns, found: Distances, how: str) -> pl.DataFrame:
    """One row for each unit and column, in the order of both."""
    values, kinds = table.select(columns.all).to_numpy(), np.array(columns.kinds)
    into = kinds == "input"
    score = found.score[:, None]
    radial = np.ones(values.shape)
    if how == "input":
        radial[:, into] = score
    elif how == "output":
        radial[:, ~into] = 1 / score
    elif how == "directional":
        radial[:, kinds == "output"] = 1 / score
        radial[:, kinds == "undesirable"] = 2 - 1 / score
    target = values * radial + np.where(kinds == "output", 1.0, -1.0) * found.slack
    rows, count = values.shape
    return pl.DataFrame(
        {
            unit: table[unit].gather(np.repeat(np.arange(rows), count)),
            "column": np.tile(np.array(columns.all, dtype=object), rows).tolist(),
            "kind": np.tile(kinds, rows).tolist(),
            "value": values.ravel(),
            "slack": found.slack.ravel(),
            "target": target.ravel(),
        }
    )


def _peers(names: pl.Series, found: Distances) -> pl.DataFrame:
    weights = found.weights
    return pl.DataFrame(
        {names.name: names.gather(weights.of), "peer": names.gather(weights.unit), "weight": weights.value}
    )
