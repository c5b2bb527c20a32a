"""Composite index 综合指数: from a table of indicators to scores and ranks, with the trace of every score."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import polars as pl

from jiqun.assess.aggregation import combine, refused, slopes, told_apart
from jiqun.assess.framework import Aggregation, Framework, Weighting, checked_sum
from jiqun.assess.steps import Staged, run_steps
from jiqun.assess.table import IndexTable, index_table
from jiqun.assess.weighting import benefit_of_the_doubt, weights_of
from jiqun.core.arrays import Floats
from jiqun.core.errors import MeasureInputError, UsageError

STAGES = ("raw", "denominated", "imputed", "treated", "normalised")
Way = TypeVar("Way", Weighting, Aggregation)


@dataclass(frozen=True, eq=False)
class CompositeIndex:
    """A composite index 综合指数 and how it came about; see `composite_index`."""

    framework: Framework
    year: int | None
    units: tuple[str, ...]
    """Those that passed the screen, in the order of the table."""
    scores: pl.DataFrame
    """unit, rank, a column for the index and each dimension, observed (share of weight that was not imputed); by rank."""
    stages: Mapping[str, pl.DataFrame]
    """The table after each step: raw, denominated, imputed, treated, normalised."""
    weights: pl.DataFrame
    """code, parent, level, weight (share within the parent; mean over units under benefit of the doubt), overall."""
    contributions: pl.DataFrame
    """unit, indicator, weight, contribution (they add to the score), against_median."""
    imputed: pl.DataFrame
    """unit, indicator, rule, year, value of every cell that was imputed."""
    treatment: pl.DataFrame
    """indicator, action, points, skewness and kurtosis before and after, of those whose outliers were treated."""
    screened: pl.DataFrame
    """unit, share of indicators, of the units left out."""
    correlations: pl.DataFrame
    """a, b, relation (sibling, parent), r."""
    reliability: pl.DataFrame
    """dimension, children, alpha (Cronbach)."""

    def trace(self, unit: str) -> pl.DataFrame:
        """What each step did to each value of one unit, and what each indicator adds to its score 得分溯源.

        Returns indicator, parent, the value at every stage, imputed_by (the rule) and from_year, treatment, weight,
        contribution, against_median (what the score would lose if this value were the units' median).

        Raises
        ------
        UsageError
            JQ-ASSESS-034: no such unit among those rated.
        """
        if unit not in self.units:
            raise UsageError("JQ-ASSESS-034", unit=unit, known=", ".join(self.units[:20]))
        at, codes = self.units.index(unit), self.framework.codes
        columns: dict[str, Any] = {
            "indicator": list(codes),
            "parent": [one.parent for one in self.framework.indicators],
        }
        for stage in STAGES:
            columns[stage] = list(self.stages[stage].row(at)[1:])
        cells = self.imputed.filter(pl.col("unit") == unit).select("indicator", imputed_by="rule", from_year="year")
        own = self.contributions.filter(pl.col("unit") == unit).drop("unit")
        return (
            pl.DataFrame(columns)
            .join(cells, on="indicator", how="left", maintain_order="left")
            .join(
                self.treatment.select("indicator", treatment="action"),
                on="indicator",
                how="left",
                maintain_order="left",
            )
            .join(own, on="indicator", how="left", maintain_order="left")
        )


def composite_index(
    frame: Any,
    framework: Framework,
    *,
    unit: str = "unit",
    year: str | None = None,
    of: int | None = None,
    weights: Mapping[str, float] | None = None,
) -> CompositeIndex:
    """Composite index of units under a framework 综合指数, by the steps of the OECD/JRC Handbook.

    Denominate, screen, impute, treat outliers, normalise, weigh, aggregate level by level; `framework.steps` says how
    (`framework.changed(normalise="z")` for another way), and `jiqun.assess.steps`, `.weighting` and `.aggregation` have
    the formulas.

    Parameters
    ----------
    frame
        Any dataframe, one row per unit (and year): `unit`, a column per indicator in the unit that the framework names,
        and the denominators and group that it asks for. `jiqun.assess.indicator_columns` makes one from a long table.
    year, of
        Column of years, and the year to rate (default: the last); others serve to impute from the nearest year.
    weights
        Your weights of dimensions or indicators, by code, instead of the framework's: for every child of a dimension or
        for none, adding to 1 or 100.

    Returns
    -------
    `CompositeIndex`. Scores are on the normalised scale; rank 1 is the highest. With `missing = "renormalise"` the weight
    of absent values goes to their siblings, and a unit without any value has no score (null).

    Raises
    ------
    MeasureInputError
        As `index_table`, `run_steps` and `weights_of`. JQ-ASSESS-011: weights that do not add up or leave out a child.
        JQ-ASSESS-020: a geometric or harmonic mean (Mazziotta–Pareto: a mean) over values <= 0. JQ-ASSESS-037: indicators
        of several units added without normalising.
    UsageError
        JQ-ASSESS-032: ways for levels that there are not, or a way of aggregating that the weights do not allow.

    Notes
    -----
    `contribution` is value · ∂score/∂value: for additive means weight · value; for all means the contributions add to the
    score. Under benefit of the doubt weights are each unit's own. Weights are value judgements: see `uncertainty`.
    Source: OECD/JRC (2008), Handbook on Constructing Composite Indicators, ISBN 978-92-64-04345-9.

    Examples
    --------
    >>> from jiqun.assess.framework import check_body
    >>> told = {"zh": "例", "en": "e", "unit": "%", "source": "table", "parent": "index"}
    >>> small = check_body({"code": "small", "zh": "例", "en": "Small", "version": "1",
    ...     "dimensions": [{"code": "index", "zh": "指数", "en": "Index"}],
    ...     "indicators": [{"code": "a", **told}, {"code": "b", "direction": "lower", **told}]}).framework
    >>> table = pl.DataFrame({"unit": ["x", "y", "z"], "a": [1, 2, 3], "b": [5, 1, 3]})
    >>> composite_index(table, small).scores.select("unit", "rank", "index").rows()
    [('y', 1, 75.0), ('z', 1, 75.0), ('x', 3, 0.0)]
    """
    check_mixed(framework)
    table = index_table(frame, framework, unit=unit, year=year, of=of)
    staged = run_steps(table, framework)
    units = tuple(table.units[k] for k in staged.kept)
    own = checked_weights(framework, weights)
    scores, used = climb(staged.normalised, framework, units, own)
    return _assembled(framework, table, staged, units, scores, used)


def levelled(ways: Way | tuple[Way, ...], level: int, levels: int, what: str) -> Way:
    """The way of one level.

    Raises
    ------
    UsageError
        JQ-ASSESS-032: not one way for each level.
    """
    if not isinstance(ways, tuple):
        return ways
    if len(ways) != levels:
        raise UsageError("JQ-ASSESS-032", what=what, value=", ".join(ways), expected=f"{levels}: level 1 … {levels}")
    return ways[level - 1]


def check_mixed(framework: Framework) -> None:
    """Refuse to add indicators of several units of measure.

    Raises
    ------
    MeasureInputError
        JQ-ASSESS-037: which.
    """
    if framework.steps.normalise != "none":
        return
    met = sorted({one.unit for one in framework.indicators})
    if len(met) > 1:
        raise MeasureInputError("JQ-ASSESS-037", measures=", ".join(met))


def checked_weights(framework: Framework, weights: Mapping[str, float] | None) -> dict[str, float]:
    """Weights of the user, if they are whole: for every child of a dimension or none, adding to 1 or 100.

    Raises
    ------
    UsageError
        JQ-ASSESS-032: a code that there is not, or a weight below zero.
    InputError
        JQ-ASSESS-011: they do not add up.
    """
    given = dict(weights or {})
    nodes = {node.code: node.parent for node in framework.nodes}
    for code, weight in given.items():
        if nodes.get(code) is None or not 0 <= weight < np.inf:
            known = ", ".join(name for name, parent in nodes.items() if parent)
            raise UsageError("JQ-ASSESS-032", what="weights", value=f"{code} = {weight}", expected=f"≥ 0: {known}")
    for parent in dict.fromkeys(str(nodes[code]) for code in given):
        children = framework.children(parent)
        absent = [child for child in children if child not in given]
        if absent:
            raise UsageError("JQ-ASSESS-032", what=f"weights ({parent})", value="—", expected=", ".join(absent))
        checked_sum({child: given[child] for child in children}, parent, (1.0, 100.0))
    return given


def climb(
    leaves: Floats, framework: Framework, units: tuple[str, ...], given: Mapping[str, float]
) -> tuple[dict[str, Floats], dict[str, Floats]]:
    """Scores of every indicator and dimension from the normalised matrix, and the weights of every dimension's children.

    Weights have one row, or one for each unit under benefit of the doubt.
    """
    steps, levels = framework.steps, framework.level(framework.root)
    scores = {code: leaves[:, k] for k, code in enumerate(framework.codes)}
    used: dict[str, Floats] = {}
    for parent in framework.upwards():
        level = framework.level(parent)
        how = levelled(steps.aggregate, level, levels, "aggregate")
        method = levelled(steps.weights, level, levels, "weights")
        children = framework.children(parent)
        values = np.stack([scores[child] for child in children], axis=1)
        if method == "bod":
            if how != "arithmetic":
                raise UsageError("JQ-ASSESS-032", what="aggregate", value=how, expected="arithmetic (weights = bod)")
            best, used[parent] = benefit_of_the_doubt(
                values, share_low=steps.share_low, share_high=steps.share_high, share_of=steps.share_of, parent=parent
            )
            scores[parent] = steps.high * best
            continue
        check_values(values, how, parent, children, units)
        used[parent] = weights_of(method, values, framework, parent, given)[None, :]
        scores[parent] = combine(values, used[parent], how)
    return scores, used


def check_values(
    values: Floats, how: Aggregation, parent: str, children: tuple[str, ...], units: tuple[str, ...]
) -> None:
    """Refuse values that a mean cannot take.

    Raises
    ------
    MeasureInputError
        JQ-ASSESS-020: the first of them.
    """
    bad = refused(values, how)
    if bad is not None:
        unit, child, value = bad
        raise MeasureInputError(
            "JQ-ASSESS-020", how=how, parent=parent, unit=units[unit], child=children[child], value=f"{value:.6g}"
        )


def overall_weights(framework: Framework, used: Mapping[str, Floats]) -> dict[str, Floats]:
    """Each node's weight in the whole: the product of weights down to it, one row or one for each unit."""
    found = {framework.root: np.ones(1)}
    for parent in reversed(framework.upwards()):
        shares = used[parent] / used[parent].sum(axis=1, keepdims=True)
        for k, child in enumerate(framework.children(parent)):
            found[child] = found[parent] * shares[:, k]
    return found


def _slopes(framework: Framework, scores: Mapping[str, Floats], used: Mapping[str, Floats]) -> Floats:
    """∂index / ∂indicator, units × indicators."""
    steps, levels, n = framework.steps, framework.level(framework.root), len(scores[framework.root])
    found = {framework.root: np.ones(n)}
    for parent in reversed(framework.upwards()):
        level, children = framework.level(parent), framework.children(parent)
        values = np.stack([scores[child] for child in children], axis=1)
        if levelled(steps.weights, level, levels, "weights") == "bod":
            here = steps.high * used[parent]
        else:
            here = slopes(values, used[parent], levelled(steps.aggregate, level, levels, "aggregate"))
        for k, child in enumerate(children):
            found[child] = found[parent] * here[:, k]
    return np.stack([found[code] for code in framework.codes], axis=1)


def _against_median(
    framework: Framework, leaves: Floats, scores: Mapping[str, Floats], used: Mapping[str, Floats]
) -> Floats:
    """What each score would lose if the indicator had the units' median, under the same weights."""
    steps, levels = framework.steps, framework.level(framework.root)
    above = {node.code: node.parent for node in framework.nodes}
    out = np.full_like(leaves, np.nan)
    for k, code in enumerate(framework.codes):
        there = np.isfinite(leaves[:, k])
        altered = {code: np.where(there, np.nanmedian(leaves[:, k]), np.nan)}
        at: str | None = above[code]
        while at is not None:
            children, level = framework.children(at), framework.level(at)
            values = np.stack([altered.get(child, scores[child]) for child in children], axis=1)
            if levelled(steps.weights, level, levels, "weights") == "bod":
                altered[at] = steps.high * (used[at] * values).sum(axis=1)
            else:
                altered[at] = combine(values, used[at], levelled(steps.aggregate, level, levels, "aggregate"))
            at = above[at]
        out[:, k] = np.where(there, scores[framework.root] - altered[framework.root], np.nan)
    return out


def _assembled(
    framework: Framework,
    table: IndexTable,
    staged: Staged,
    units: tuple[str, ...],
    scores: Mapping[str, Floats],
    used: Mapping[str, Floats],
) -> CompositeIndex:
    codes, dimensions = framework.codes, [one.code for one in framework.dimensions]
    overall = overall_weights(framework, used)
    n = len(units)
    weight = np.stack([np.broadcast_to(overall[code], n) for code in codes], axis=1)
    original = np.isfinite(staged.denominated)
    root = framework.root
    ordered = [root, *(code for code in dimensions if code != root)]
    ranked = pl.DataFrame(
        {
            "unit": units,
            **{code: pl.Series(scores[code], nan_to_null=True) for code in ordered},
            "observed": (weight * original).sum(axis=1),
        }
    )
    apart = pl.Series(told_apart(scores[root]), nan_to_null=True)
    ranked = ranked.with_columns(rank=apart.rank("min", descending=True).cast(pl.Int64))
    stages = {stage: pl.DataFrame({"unit": units} | _named(getattr(staged, stage), codes)) for stage in STAGES}
    added = staged.normalised * _slopes(framework, scores, used)
    long = pl.DataFrame(
        {
            "unit": np.repeat(np.array(units, dtype=object), len(codes)).tolist(),
            "indicator": list(codes) * n,
            "weight": weight.ravel(),
            "contribution": pl.Series(added.ravel(), nan_to_null=True),
            "against_median": pl.Series(
                _against_median(framework, staged.normalised, scores, used).ravel(), nan_to_null=True
            ),
        }
    )
    filled = [
        (
            units[cell.unit],
            codes[cell.indicator],
            cell.rule,
            cell.year,
            float(staged.imputed[cell.unit, cell.indicator]),
        )
        for cell in staged.filled
    ]
    schema = {"unit": pl.String, "indicator": pl.String, "rule": pl.String, "year": pl.Int64, "value": pl.Float64}
    return CompositeIndex(
        framework,
        table.year,
        units,
        ranked.select("unit", "rank", *ordered, "observed").sort("rank", "unit", nulls_last=True),
        stages,
        _weights_table(framework, used, overall),
        long,
        pl.DataFrame(filled, schema=schema, orient="row"),
        _treatment_table(staged),
        pl.DataFrame(
            [(table.units[k], share) for k, share in staged.screened],
            schema={"unit": pl.String, "share": pl.Float64},
            orient="row",
        ),
        _correlations(framework, scores),
        _reliability(framework, scores),
    )


def _named(matrix: Floats, codes: tuple[str, ...]) -> dict[str, pl.Series]:
    return {code: pl.Series(matrix[:, k], nan_to_null=True) for k, code in enumerate(codes)}


def _treatment_table(staged: Staged) -> pl.DataFrame:
    numbers = ("skewness", "kurtosis", "skewness_after", "kurtosis_after")
    schema = {"indicator": pl.String, "action": pl.String, "points": pl.Int64} | dict.fromkeys(numbers, pl.Float64)
    rows = [(one.code, one.action, one.points, *(getattr(one, name) for name in numbers)) for one in staged.treatment]
    return pl.DataFrame(rows, schema=schema, orient="row")


def _weights_table(framework: Framework, used: Mapping[str, Floats], overall: Mapping[str, Floats]) -> pl.DataFrame:
    rows = []
    for parent in framework.upwards():
        shares = used[parent] / used[parent].sum(axis=1, keepdims=True)
        for k, child in enumerate(framework.children(parent)):
            rows.append(
                (child, parent, framework.level(parent), float(shares[:, k].mean()), float(overall[child].mean()))
            )
    schema = {"code": pl.String, "parent": pl.String, "level": pl.Int64, "weight": pl.Float64, "overall": pl.Float64}
    return pl.DataFrame(rows, schema=schema, orient="row")


def _correlations(framework: Framework, scores: Mapping[str, Floats]) -> pl.DataFrame:
    rows = []
    for parent in framework.upwards():
        children = framework.children(parent)
        for k, child in enumerate(children):
            rows += [(child, other, "sibling", _r(scores[child], scores[other])) for other in children[k + 1 :]]
            rows.append((child, parent, "parent", _r(scores[child], scores[parent])))
    schema = {"a": pl.String, "b": pl.String, "relation": pl.String, "r": pl.Float64}
    return pl.DataFrame(rows, schema=schema, orient="row")


def _r(x: Floats, y: Floats) -> float | None:
    both = np.isfinite(x) & np.isfinite(y)
    x, y = x[both], y[both]
    if len(x) < 3 or np.ptp(x) == 0 or np.ptp(y) == 0:
        return None
    return float(np.corrcoef((x - x.mean()) / np.ptp(x), (y - y.mean()) / np.ptp(y))[0, 1])


def _reliability(framework: Framework, scores: Mapping[str, Floats]) -> pl.DataFrame:
    rows = []
    for parent in framework.upwards():
        children = framework.children(parent)
        if len(children) > 1:
            rows.append((parent, len(children), cronbach_alpha(np.stack([scores[one] for one in children], axis=1))))
    schema = {"dimension": pl.String, "children": pl.Int64, "alpha": pl.Float64}
    return pl.DataFrame(rows, schema=schema, orient="row")


def cronbach_alpha(values: Floats) -> float | None:
    """Cronbach's alpha 克隆巴赫系数: how far the children of a dimension measure one thing.

        α = k / (k − 1) · (1 − Σ s²_j / s²_sum)      over the units that have all of them; None where nothing varies

    Source: Cronbach (1951), Psychometrika 16(3), 297–334.

    Examples
    --------
    >>> round(cronbach_alpha(np.array([[1.0, 2.0], [2.0, 2.5], [3.0, 4.0]])), 4)
    0.9796
    """
    rows = values[np.isfinite(values).all(axis=1)]
    k = rows.shape[1]
    if len(rows) < 3 or k < 2:
        return None
    whole = rows.sum(axis=1).var(ddof=1)
    return float(k / (k - 1) * (1 - rows.var(axis=0, ddof=1).sum() / whole)) if whole > 0 else None
