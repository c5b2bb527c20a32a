"""How productivity changes between periods 生产率变化: the Malmquist index, two ways to take it apart, and intervals.

Input is a panel with one row for each unit and period. Nothing here reads files or draws.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any, Literal, get_args

import numpy as np
import polars as pl

from jiqun.assess import units as unit_tables
from jiqun.assess.frontier_bootstrap import check_draws, quick_scores, shifted
from jiqun.assess.radial import EFFICIENT, Direction, Frontier, Returns
from jiqun.assess.units import Columns, Points
from jiqun.core.arrays import Floats
from jiqun.core.errors import MeasureInputError, UsageError
from jiqun.core.progress import Progress, silent
from jiqun.core.remarks import Remark

Orientation = Literal["input", "output"]
Incomplete = Literal["refuse", "drop"]
Scores = Callable[[Points, Points, Returns, Direction], Floats]
MEASURES = (
    "malmquist",
    "efficiency_change",
    "technical_change",
    "pure_efficiency_change",
    "scale_efficiency_change",
    "technical_change_vrs",
    "scale_change",
)
"""Above 1 is progress. malmquist = efficiency_change × technical_change, efficiency_change = pure_efficiency_change ×
scale_efficiency_change (Färe and others); malmquist = pure_efficiency_change × technical_change_vrs × scale_change
(Ray and Desli)."""
_ENOUGH = 0.9
"""An interval needs this share of the replications."""


@dataclass(frozen=True)
class Productivity:
    """What `malmquist` found; see there."""

    changes: pl.DataFrame
    """unit, before, after, span (periods between), the seven of `MEASURES`, per_period (malmquist to the power 1/span)."""
    intervals: pl.DataFrame
    """unit, before, after, measure, value, low, high, replications; no rows without bootstrap."""
    summary: pl.DataFrame
    """before, after, units, span, geometric mean of each of `MEASURES` over the units that have it, per_period."""
    columns: Columns
    orientation: Orientation
    replications: int
    level: float
    seed: int
    remarks: tuple[Remark, ...]

    def table(self, name: str) -> pl.DataFrame:
        """One of the tables `changes`, `intervals`, `summary`.

        Raises
        ------
        UsageError
            JQ-USE-001: another name.
        """
        tables = {"changes": self.changes, "intervals": self.intervals, "summary": self.summary}
        if name not in tables:
            raise UsageError("JQ-USE-001", what="table", value=name, known=", ".join(tables))
        return tables[name]


def malmquist(
    frame: Any,
    *,
    unit: str = "unit",
    period: str = "period",
    inputs: Sequence[str],
    outputs: Sequence[str],
    orientation: Orientation = "output",
    incomplete: Incomplete = "refuse",
    bootstrap: int = 0,
    level: float = 0.95,
    seed: int = 20240501,
    force: bool = False,
    progress: Progress = silent,
) -> Productivity:
    """Malmquist index of productivity 马姆奎斯特生产率指数 between each two periods that follow each other.

    With D(t|F) the score in (0, ∞) of a unit's period t against the frontier F of period 1 or 2, under constant (c) or
    variable (v) returns:

        malmquist                M = √[Dc(2|1)/Dc(1|1) · Dc(2|2)/Dc(1|2)]
        efficiency_change        E = Dc(2|2)/Dc(1|1)
        technical_change         T = M/E
        pure_efficiency_change   P = Dv(2|2)/Dv(1|1)
        scale_efficiency_change  E/P                                                  (Färe, Grosskopf, Norris, Zhang)
        technical_change_vrs     V = √[Dv(2|1)/Dv(2|2) · Dv(1|1)/Dv(1|2)]
        scale_change             M/(P V)                                              (Ray and Desli)

    Both are given, for they can tell opposite stories: the first calls progress what the frontier of constant returns
    does, which no unit need be on; the second what the frontier of variable returns does where the unit is.

    Parameters
    ----------
    frame
        Any dataframe, one row for each unit and period; all values above 0.
    unit, period
        Columns that name the unit and the period; periods are compared in sorted order.
    inputs, outputs
        Columns 投入、产出.
    orientation
        "output" (default) or "input"; M is the same for both.
    incomplete
        Units that lack a row or a value in a period that others have: "refuse", or "drop" them from all periods. A period
        in which *every* unit lacks something is a gap: nothing is filled in, the change spans it, and it is told.
    bootstrap, level, seed
        Replications (0: none) of Simar and Wilson's bivariate smoothed bootstrap, which draws both periods' distances of a
        unit together; intervals are taken on logarithms, so that none reaches below 0.
    force
        Compute though there are fewer units than max(m s, 3 (m + s)).

    Returns
    -------
    `Productivity`. Above 1 is progress. Ray and Desli's terms are null where a unit lies outside what the other period's
    frontier of variable returns reaches (JQ-ASSESS-053 in `remarks`).

    Raises
    ------
    MeasureInputError
        JQ-ASSESS-049: fewer than two periods with data. JQ-ASSESS-051: incomplete units. Else as `dea`.
    UsageError
        JQ-USE-001: no such orientation or way with incomplete units.

    Notes
    -----
    Sources: Färe, Grosskopf, Norris and Zhang (1994), American Economic Review 84(1), 66–83; Ray and Desli (1997), American
    Economic Review 87(5), 1033–1039; Simar and Wilson (1999), EJOR 115(3), 459–471.

    Examples
    --------
    >>> panel = pl.DataFrame({
    ...     "unit": list("ABCDEF") * 2, "period": [2023] * 6 + [2024] * 6,
    ...     "staff": [2, 4, 8, 5, 6, 8] * 2, "output": [2, 6, 8, 3, 6, 5, 3, 9, 12, 5, 9, 5],
    ... })
    >>> found = malmquist(panel, inputs=["staff"], outputs=["output"])
    >>> found.changes.select("unit", pl.col("malmquist", "technical_change").round(3)).rows()[:2]
    [('A', 1.5, 1.5), ('B', 1.5, 1.5)]
    """
    for what, value, kind in (("orientation", orientation, Orientation), ("incomplete", incomplete, Incomplete)):
        if value not in get_args(kind):
            raise UsageError("JQ-USE-001", what=what, value=value, known=", ".join(get_args(kind)))
    if bootstrap:
        check_draws(bootstrap, level)
    columns = unit_tables.columns_of(inputs, outputs, (), unit, period)
    table = unit_tables.numbers(frame, columns, unit, period)
    remarks: list[Remark] = []
    known = table[period].unique().sort().to_list()
    table, periods = _complete(table, unit, period, columns, incomplete, remarks)
    unit_tables.refuse_unusable(table, columns, unit, period)
    names = table[unit].unique().sort()
    unit_tables.refuse_few(len(names), columns, force=force)
    gaps = [_between(known, before, after) for before, after in pairwise(periods)]
    for (before, after), gap in zip(pairwise(periods), gaps, strict=True):
        if gap:
            lacking = ", ".join(map(_told, gap))
            told: dict[str, str | int] = {"before": _told(before), "after": _told(after), "span": len(gap) + 1}
            remarks.append(Remark.of("JQ-ASSESS-050", periods=lacking, **told))
    points = [_points(table, unit, period, columns, each) for each in periods]
    rng = np.random.default_rng(seed)
    changes, intervals = [], []
    for k, span in enumerate(len(gap) + 1 for gap in gaps):
        pair = points[k], points[k + 1]
        head = {unit: names, "before": [periods[k]] * len(names), "after": [periods[k + 1]] * len(names)}
        found = _changes(pair, pair, orientation, _against)
        seven = {name: pl.Series(found[name], nan_to_null=True) for name in MEASURES}
        rows = pl.DataFrame({**head, "span": [span] * len(names), **seven})
        changes.append(rows.with_columns(per_period=pl.col("malmquist") ** (1 / span)))
        if bootstrap:
            drawn = _drawn(
                pair, orientation, bootstrap, rng, partial(_report, progress, bootstrap * k, bootstrap * len(gaps))
            )
            intervals += [
                pl.DataFrame({**head, **_interval(name, found[name], drawn[name], level)}) for name in MEASURES
            ]
    all_changes = pl.concat(changes)
    unreached = all_changes.filter(pl.col("technical_change_vrs").is_null())
    if unreached.height:
        remarks.append(Remark.of("JQ-ASSESS-053", units=unit_tables.named(unreached, unit), count=unreached.height))
    return Productivity(
        all_changes,
        pl.concat(intervals) if intervals else _no_intervals(all_changes, unit),
        _summary(all_changes),
        columns,
        orientation,
        bootstrap,
        level,
        seed,
        tuple(remarks),
    )


def _complete(
    table: pl.DataFrame, unit: str, period: str, columns: Columns, incomplete: str, remarks: list[Remark]
) -> tuple[pl.DataFrame, list[Any]]:
    """The units that are in all periods with data, and these periods."""
    lacking = pl.any_horizontal(pl.col(columns.all).is_null())
    full = table.filter(~lacking)
    periods = full[period].unique().sort().to_list()
    if len(periods) < 2:
        raise MeasureInputError("JQ-ASSESS-049", count=len(periods), periods=", ".join(map(str, periods)) or "—")
    counts = full.group_by(unit).len()
    whole = counts.filter(pl.col("len") == len(periods))[unit]
    partly = table.filter(~pl.col(unit).is_in(whole.implode())).select(unit).unique().sort(unit)
    if partly.height:
        if incomplete == "refuse":
            within = table.filter(pl.col(period).is_in(periods))
            empty = [name for name in columns.all if within[name].null_count()]
            raise MeasureInputError(
                "JQ-ASSESS-051",
                units=unit_tables.named(partly, unit),
                count=partly.height,
                columns=", ".join(empty) or "—",
            )
        remarks.append(Remark.of("JQ-ASSESS-052", units=unit_tables.named(partly, unit), count=partly.height))
    return full.filter(pl.col(unit).is_in(whole.implode())), periods


def _between(known: list[Any], before: Any, after: Any) -> list[Any]:
    """Periods between two that follow each other: of numbers at their smallest step, else those that the table names.

    Examples
    --------
    >>> _between([2015, 2016, 2018], 2016, 2018), _between(["2024Q1", "2024Q2", "2024Q3"], "2024Q1", "2024Q3")
    ([2017], ['2024Q2'])
    """
    if isinstance(before, int | float):
        step = min(later - earlier for earlier, later in pairwise(known))
        return [before + step * k for k in range(1, round((after - before) / step))]
    return [each for each in known if before < each < after]


def _report(progress: Progress, before: int, total: int, done: int) -> None:
    progress("bootstrap", before + done, total)


def _told(period: Any) -> str:
    return f"{period:g}" if isinstance(period, float) else str(period)


def _points(table: pl.DataFrame, unit: str, period: str, columns: Columns, at: Any) -> Points:
    """The units of one period, sorted by name."""
    values = table.filter(pl.col(period) == at).sort(unit).select(columns.all).to_numpy()
    return Points.of(values.astype(np.float64), columns)


def _changes(
    points: tuple[Points, Points], reference: tuple[Points, Points], orientation: Orientation, score: Scores
) -> dict[str, Floats]:
    """The seven measures of two periods' points against two periods' reference sets."""
    c11, c21 = (score(reference[0], each, "crs", orientation) for each in points)
    c12, c22 = (score(reference[1], each, "crs", orientation) for each in points)
    v11, v21 = (score(reference[0], each, "vrs", orientation) for each in points)
    v12, v22 = (score(reference[1], each, "vrs", orientation) for each in points)
    index = np.sqrt(c21 / c11 * c22 / c12)
    efficiency, pure = c22 / c11, v22 / v11
    technical_vrs = np.sqrt(v21 / v22 * v11 / v12)
    found = (
        index,
        efficiency,
        index / efficiency,
        pure,
        efficiency / pure,
        technical_vrs,
        index / (pure * technical_vrs),
    )
    return dict(zip(MEASURES, found, strict=True))


def _against(reference: Points, points: Points, returns: Returns, orientation: Direction) -> Floats:
    """Scores against one frontier; scores of 1 but for rounding are 1."""
    found = Frontier(reference, returns, orientation).scores(points)
    return np.where(np.abs(found - 1) < EFFICIENT, 1.0, found)


def _drawn(
    points: tuple[Points, Points],
    orientation: Orientation,
    replications: int,
    rng: np.random.Generator,
    progress: Callable[[int], None],
) -> dict[str, Floats]:
    """The measures against pseudo-frontiers, replications × units, after Simar and Wilson (1999).

    A unit's two distances δ >= 1 (to its own periods' frontiers under variable returns, of which those under constant
    returns are the cones) are drawn together, reflected at 1 in each direction with equal chance, and smoothed with the
    covariance that belongs to the reflection:

        γ = c + (1 + s (δ* − 1) + h s L z − c) / √(1 + h²),  reflected where γ < 1,  h = (4/(5 n))^(1/6),  L Lᵀ = cov(δ)
    """
    own = [_against(each, each, "vrs", orientation) for each in points]
    delta = np.column_stack([1 / score for score in own])
    if (delta <= 1 + EFFICIENT).all():
        raise MeasureInputError("JQ-ASSESS-055")
    n = len(delta)
    h = (4 / (5 * n)) ** (1 / 6)
    values, vectors = np.linalg.eigh(np.cov(delta.T))
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    drawn = {name: np.empty((replications, n)) for name in MEASURES}
    for k in range(replications):
        signs = rng.choice([-1.0, 1.0], (n, 2))
        base = 1 + signs * (delta[rng.integers(0, n, n)] - 1)
        noise = h * signs * (rng.standard_normal((n, 2)) @ root.T)
        centre = base.mean(axis=0)
        gamma = 1 + np.abs(centre + (base + noise - centre) / np.sqrt(1 + h**2) - 1)
        one, two = (shifted(each, gamma[:, at] / delta[:, at], orientation) for at, each in enumerate(points))
        for name, found in _changes(points, (one, two), orientation, quick_scores).items():
            drawn[name][k] = found
        progress(k + 1)
    return drawn


def _interval(measure: str, value: Floats, drawn: Floats, level: float) -> dict[str, Any]:
    """Basic bootstrap interval on logarithms; null where too few replications have the measure."""
    tail = (1 - level) / 2
    enough = np.isfinite(drawn).mean(axis=0) >= _ENOUGH
    ends = np.full((2, len(value)), np.nan)
    kept = np.log(drawn[:, enough])
    ends[:, enough] = 2 * np.log(value[enough]) - np.nanquantile(kept, [1 - tail, tail], axis=0)
    low, high = np.exp(ends)
    return {
        "measure": [measure] * len(value),
        "value": pl.Series(value, nan_to_null=True),
        "low": pl.Series(low, nan_to_null=True),
        "high": pl.Series(high, nan_to_null=True),
        "replications": np.isfinite(drawn).sum(axis=0),
    }


def _no_intervals(changes: pl.DataFrame, unit: str) -> pl.DataFrame:
    """The table of intervals without rows."""
    numbers = dict.fromkeys(("value", "low", "high"), pl.Float64)
    keys = changes.select(unit, "before", "after").clear()
    return keys.with_columns(
        measure=pl.lit(None, pl.String),
        **{name: pl.lit(None, kind) for name, kind in numbers.items()},
        replications=pl.lit(None, pl.Int64),
    )


def _summary(changes: pl.DataFrame) -> pl.DataFrame:
    """Geometric means of each two periods over the units that have the measure."""
    means = [pl.col(name).log().mean().exp() for name in (*MEASURES, "per_period")]
    by = ["before", "after", "span"]
    return changes.group_by(by, maintain_order=True).agg(pl.len().cast(pl.Int64).alias("units"), *means)
