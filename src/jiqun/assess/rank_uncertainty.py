"""How sure a rank is 排名不确定性: Monte Carlo over the choices that make an index, and which of them matters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from scipy.stats import rankdata

from jiqun.assess.aggregation import combine, told_apart
from jiqun.assess.composite import (
    check_mixed,
    check_values,
    checked_weights,
    climb,
    levelled,
    overall_weights,
)
from jiqun.assess.framework import Framework
from jiqun.assess.sensitivity import sobol_indices
from jiqun.assess.steps import run_steps
from jiqun.assess.table import IndexTable, index_table
from jiqun.assess.weighting import FROM_VALUES, weights_of
from jiqun.core.arrays import Floats, Integers
from jiqun.core.errors import InputError, MeasureInputError, UsageError
from jiqun.core.frames import as_polars

AS_LOADED = "as loaded"
SHIFT = "mean rank shift"
CHUNK = 256
"""Runs that are evaluated together: a bound on memory."""
STEP_FACTORS = ("impute", "treat", "normalise")
Change = Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class Uncertainty:
    """Ranks under all choices 排名区间; see `uncertainty`."""

    framework: Framework
    units: tuple[str, ...]
    runs: int
    factors: pl.DataFrame
    """factor, alternatives: what varied."""
    ranks: pl.DataFrame
    """unit, rank (by the framework as it stands), median, low, high, best, worst, p_top; by rank."""
    dominance: pl.DataFrame
    """unit, other, p: share of runs in which the unit has the higher score."""
    sensitivity: pl.DataFrame
    """output (mean rank shift, or a unit's rank), factor, first and total index with low and high; null: nothing varies."""
    boundaries: pl.DataFrame
    """boundary, indicators, weight_covered: share of weight whose values follow the boundary."""
    sensitivity_runs: int


class _Space(NamedTuple):
    """What varies: alternatives of the steps, of weights and means, and where each factor's numbers stand in a draw."""

    tables: tuple[tuple[str, IndexTable], ...]
    steps: dict[str, tuple[Change, ...]]
    weights: tuple[Change, ...]
    aggregate: tuple[Change, ...]
    spread: float
    leave_out: bool
    columns: dict[str, list[int]]
    width: int


def uncertainty(
    frame: Any,
    framework: Framework,
    *,
    unit: str = "unit",
    year: str | None = None,
    of: int | None = None,
    given: Mapping[str, float] | None = None,
    impute: Sequence[str | Change] = (),
    treat: Sequence[str | Change] = (),
    normalise: Sequence[str | Change] = (),
    weights: Sequence[str | Change] = (),
    aggregate: Sequence[str | Change] = (),
    weight_spread: float = 0.0,
    leave_out: bool = False,
    boundaries: Mapping[str, Any] | None = None,
    runs: int = 1000,
    sensitivity: int = 0,
    top: int = 10,
    level: float = 0.9,
    seed: int = 20240501,
) -> Uncertainty:
    """Ranks of a composite index under every choice that could have been made 不确定性分析.

    Each run draws, with equal chance and independently, one alternative of every factor, and rates all units anew.

    Parameters
    ----------
    frame, framework, unit, year, of, given
        As `composite_index` (`given` is its `weights`).
    impute, treat, normalise, weights, aggregate
        The alternatives of a step: names, or changes of `framework.steps` such as
        `{"normalise": "z", "mean": 100, "sd": 10}`. They replace the framework's own way, so name that too if it is to
        stay among them; none: the step does not vary. Weights taken from values (entropy, CRITIC, PCA) are taken anew
        at every level of every run; benefit of the doubt cannot be drawn.
    weight_spread
        Every weight is multiplied by a number drawn from 1 ± this, then brought back to add to 1; in [0, 1].
    leave_out
        One of the indicators, or none, is left out, all with equal chance; its weight goes to its siblings.
    boundaries
        Alternative values by name of a cluster boundary: frames of `unit` and some indicators that the atlas computes
        from member rows. The table as loaded is one more alternative. The others' values do not follow the boundary:
        `boundaries.weight_covered` says how much does.
    runs, top, level, seed
        Monte Carlo runs; p_top is the share of runs among the first `top`; low to high holds the middle `level`.
    sensitivity
        Base runs of the sensitivity analysis (0: none): first-order and total Sobol indices of the mean absolute shift in
        rank against the framework as it stands, and of each unit's rank; costs (factors + 2) times as many runs.

    Returns
    -------
    `Uncertainty`. Ranks are compared, not scores, since scales differ between ways of normalising.

    Raises
    ------
    MeasureInputError
        As `composite_index`. JQ-ASSESS-031: a boundary that cannot be used. JQ-ASSESS-033: a combination that cannot run,
        with the reason: none is skipped.
    UsageError
        JQ-ASSESS-030: nothing varies. JQ-ASSESS-032: an alternative or number that there is not.

    Notes
    -----
    The interval says how far choices move a rank, not how wrong the data are. Source: Saisana, Saltelli and Tarantola
    (2005), Journal of the Royal Statistical Society A 168(2), 307–323.

    Examples
    --------
    >>> from jiqun.assess.framework import check_body
    >>> told = {"zh": "例", "en": "e", "unit": "%", "source": "table", "parent": "index"}
    >>> small = check_body({"code": "small", "zh": "例", "en": "Small", "version": "1",
    ...     "dimensions": [{"code": "index", "zh": "指数", "en": "Index"}],
    ...     "indicators": [{"code": code, **told} for code in "abc"]}).framework
    >>> table = pl.DataFrame({"unit": ["x", "y", "z"], "a": [3, 2, 1], "b": [3, 1, 2], "c": [3, 2, 1]})
    >>> found = uncertainty(table, small, normalise=["minmax", "z"], weight_spread=0.5, runs=200, top=1)
    >>> found.ranks.select("unit", "low", "high", "p_top").rows()
    [('x', 1, 1, 1.0), ('y', 2, 2, 0.0), ('z', 3, 3, 0.0)]
    """
    for what, value, good, expected in (
        ("runs", runs, runs >= 1, "≥ 1"),
        ("sensitivity", sensitivity, sensitivity >= 0, "≥ 0"),
        ("top", top, top >= 1, "≥ 1"),
        ("level", level, 0 < level < 1, "0 < level < 1"),
        ("weight_spread", weight_spread, 0 <= weight_spread <= 1, "0 … 1"),
    ):
        if not good:
            raise UsageError("JQ-ASSESS-032", what=what, value=value, expected=expected)
    check_mixed(framework)
    own = checked_weights(framework, given)
    table = index_table(frame, framework, unit=unit, year=year, of=of)
    tables, covered = _bounded(table, framework, boundaries or {}, unit)
    changes = {
        name: tuple({name: one} if isinstance(one, str) else one for one in ways)
        for name, ways in (("impute", impute), ("treat", treat), ("normalise", normalise))
    }
    space = _space(
        framework,
        tables,
        changes,
        tuple({"weights": one} if isinstance(one, str) else one for one in weights),
        tuple({"aggregate": one} if isinstance(one, str) else one for one in aggregate),
        weight_spread,
        leave_out,
    )
    staged = run_steps(table, framework)
    units = tuple(table.units[k] for k in staged.kept)
    scores, used = climb(staged.normalised, framework, units, own)
    reference = _ranked(scores[framework.root][None, :], "reference", units)[0]
    runner = _Runner(framework, space, units, own)
    draws = np.random.default_rng(seed).random((runs, space.width))
    found = runner(draws)
    ranks = _ranked(found, "runs", units)
    overall = overall_weights(framework, used)
    return Uncertainty(
        framework,
        units,
        runs,
        _factors(space, framework),
        _summary(units, reference, ranks, top, level),
        _dominance(units, found),
        _sensitivities(runner, space, units, reference, sensitivity, level, seed),
        pl.DataFrame(
            [(name, ", ".join(codes), float(sum(overall[code].mean() for code in codes))) for name, codes in covered],
            schema={"boundary": pl.String, "indicators": pl.String, "weight_covered": pl.Float64},
            orient="row",
        ),
        sensitivity * (len(space.columns) + 2),
    )


def _bounded(
    table: IndexTable, framework: Framework, boundaries: Mapping[str, Any], unit: str
) -> tuple[tuple[tuple[str, IndexTable], ...], list[tuple[str, list[str]]]]:
    """The table as loaded and one for each boundary; the indicators that each boundary brings."""
    tables, covered = [(AS_LOADED, table)], []
    origins = {one.code: one.origin for one in framework.indicators}
    for name, frame in boundaries.items():
        other = as_polars(frame, unit)
        brought = [column for column in other.columns if column != unit]
        strange = [code for code in brought if origins.get(code) != "atlas"]
        if strange or not brought:
            known = ", ".join(code for code, origin in origins.items() if origin == "atlas") or "—"
            raise MeasureInputError("JQ-ASSESS-031", boundary=name, reason=", ".join(strange) or "—", expected=known)
        other = other.with_columns(pl.col(unit).cast(pl.String))
        if sorted(other[unit].to_list()) != sorted(table.units):
            off = sorted(set(other[unit].to_list()) ^ set(table.units)) or ["twice"]
            reason = f"{unit}: {', '.join(map(str, off[:5]))}"
            raise MeasureInputError("JQ-ASSESS-031", boundary=name, reason=reason, expected=f"{len(table.units)}")
        plain = framework.replaced(
            indicators=tuple(
                one.model_copy(update={"denominator": None}) for one in framework.indicators if one.code in brought
            ),
            steps=framework.steps.model_copy(update={"group": None}),
        )
        read = index_table(pl.DataFrame({unit: table.units}).join(other, on=unit, how="left"), plain, unit=unit)
        values = table.values.copy()
        for k, code in enumerate(plain.codes):
            values[:, framework.codes.index(code)] = read.values[:, k]
        tables.append((name, replace(table, values=values)))
        covered.append((name, list(plain.codes)))
    return tuple(tables), covered


def _space(
    framework: Framework,
    tables: tuple[tuple[str, IndexTable], ...],
    steps: dict[str, tuple[Change, ...]],
    weights: tuple[Change, ...],
    aggregate: tuple[Change, ...],
    spread: float,
    leave_out: bool,
) -> _Space:
    columns: dict[str, list[int]] = {}
    width = 0
    sizes = {name: int(len(ways) > 1) for name, ways in steps.items()} | {
        "boundary": int(len(tables) > 1),
        "weights": len(framework.nodes) + 1 if spread > 0 else int(len(weights) > 1),
        "aggregate": int(len(aggregate) > 1),
        "leave_out": int(leave_out and len(framework.codes) > 1),
    }
    for name, size in sizes.items():
        if size:
            columns[name] = list(range(width, width + size))
            width += size
    if not columns:
        raise UsageError("JQ-ASSESS-030")
    return _Space(
        tables,
        {name: ways or ({},) for name, ways in steps.items()},
        weights or ({},),
        aggregate or ({},),
        spread,
        "leave_out" in columns,
        columns,
        width,
    )


class _Runner:
    """Scores of all units for many draws at once. What depends on few choices is worked out once, before any draw."""

    def __init__(self, framework: Framework, space: _Space, units: tuple[str, ...], given: Mapping[str, float]) -> None:
        self.space, self.units, self.given = space, units, given
        self.upwards = framework.upwards()
        self.place = {node.code: k for k, node in enumerate(framework.nodes)}
        self.codes, self.root = framework.codes, framework.root
        self.leaves: dict[tuple[int, ...], Floats] = {}
        self.bases: dict[tuple[Any, ...], Floats] = {}
        self.ways: dict[tuple[int, int], Framework] = {}
        for w, a in product(range(len(space.weights)), range(len(space.aggregate))):
            way = framework.changed(**space.weights[w], **space.aggregate[a])
            if "bod" in way.steps.weights:  # the way itself, or one of those by level
                expected = "given, equal, entropy, critic, pca, ahp, budget"
                raise UsageError("JQ-ASSESS-032", what="weights", value="bod", expected=expected)
            self.ways[w, a] = way
        options = [range(len(space.tables)), *(range(len(space.steps[name])) for name in STEP_FACTORS)]
        for key in product(*options):
            self._prepare(framework, key)

    def _prepare(self, framework: Framework, key: tuple[int, ...]) -> None:
        """Run the steps of one combination, and every mean and weighting on it once, so that none fails later by chance."""
        table = self.space.tables[key[0]][1]
        change: dict[str, Any] = {}
        for name, k in zip(STEP_FACTORS, key[1:], strict=True):
            change |= self.space.steps[name][k]
        way: tuple[int, int] | None = None
        try:
            altered = framework.changed(**change)
            check_mixed(altered)
            staged = run_steps(table, altered)
            for way in self.ways:
                climb(staged.normalised, self.ways[way].changed(**change), self.units, self.given)
        except InputError as error:
            raise self._failed(key, way, error) from error
        if tuple(table.units[k] for k in staged.kept) != self.units:
            raise self._failed(key, None, f"{len(staged.kept)} ≠ {len(self.units)}")
        self.leaves[key] = staged.normalised

    def _failed(self, key: tuple[int, ...], way: tuple[int, int] | None, reason: InputError | str) -> MeasureInputError:
        """What cannot run, and why."""
        space = self.space
        told: dict[str, Any] = {"boundary": space.tables[key[0]][0]}
        for name, k in zip(STEP_FACTORS, key[1:], strict=True):
            told |= space.steps[name][k]
        if way is not None:
            told |= {**space.weights[way[0]], **space.aggregate[way[1]]}
        combination = ", ".join(f"{name} = {value}" for name, value in told.items())
        return MeasureInputError("JQ-ASSESS-033", combination=combination, reason=str(reason).partition("\n")[0])

    def __call__(self, draws: Floats) -> Floats:
        """Scores, draws × units."""
        space, n = self.space, len(draws)
        picked = np.stack(
            [
                self._pick(draws, "boundary", len(space.tables)),
                *(self._pick(draws, name, len(space.steps[name])) for name in STEP_FACTORS),
                self._pick(draws, "weights", len(space.weights)),
                self._pick(draws, "aggregate", len(space.aggregate)),
            ],
            axis=1,
        )
        factor = np.ones((n, len(self.place)))
        if space.spread > 0:
            factor = 1 + space.spread * (2 * draws[:, space.columns["weights"][1:]] - 1)
        if space.leave_out:
            left = self._pick(draws, "leave_out", len(self.codes) + 1)
            places = np.array([self.place[code] for code in self.codes])
            out = left < len(self.codes)
            factor[np.flatnonzero(out), places[left[out]]] = 0.0
        found = np.empty((n, len(self.units)))
        groups, member = np.unique(picked, axis=0, return_inverse=True)
        for g, group in enumerate(groups):
            rows = np.flatnonzero(member.ravel() == g)
            for start in range(0, len(rows), CHUNK):
                some = rows[start : start + CHUNK]
                key, way = tuple(int(k) for k in group[:4]), (int(group[4]), int(group[5]))
                try:
                    found[some] = self._rate(key, self.ways[way], factor[some])
                except InputError as error:  # a mean of dimensions may fail where that of indicators did not
                    raise self._failed(key, way, error) from error
        return found

    def _pick(self, draws: Floats, name: str, options: int) -> Integers:
        if name not in self.space.columns or options == 1:
            return np.zeros(len(draws), dtype=np.int64)
        return (draws[:, self.space.columns[name][0]] * options).astype(np.int64)

    def _rate(self, key: tuple[int, ...], way: Framework, factor: Floats) -> Floats:
        """Scores of all units for some runs that differ in their weights only."""
        leaves = self.leaves[key]
        scores: dict[str, Floats] = {code: leaves[:, k] for k, code in enumerate(self.codes)}
        levels = way.level(self.root)
        for parent in self.upwards:
            level, children = way.level(parent), way.children(parent)
            how = levelled(way.steps.aggregate, level, levels, "aggregate")
            method = levelled(way.steps.weights, level, levels, "weights")
            below = [scores[child] for child in children]
            if any(one.ndim == 2 for one in below):
                below = [np.broadcast_to(one, (len(factor), leaves.shape[0])) for one in below]
            values = np.stack(below, axis=-1)
            check_values(values, how, parent, children, self.units)
            if values.ndim == 3 and method in FROM_VALUES:
                base = np.stack([weights_of(method, one, way, parent, self.given) for one in values])
            else:
                base = self._base((*key, method, parent), way, values)[None, :]
            own = base * factor[:, [self.place[child] for child in children]]
            scores[parent] = combine(values, own[:, None, :], how)
        return scores[self.root]

    def _base(self, known: tuple[Any, ...], way: Framework, values: Floats) -> Floats:
        """Weights before they are drawn: the same for all draws of one combination, method and dimension."""
        if known not in self.bases:
            *_, method, parent = known
            self.bases[known] = weights_of(method, values, way, parent, self.given)
        return self.bases[known]


def _ranked(scores: Floats, what: str, units: tuple[str, ...]) -> Integers:
    """Ranks of every row, 1 the highest, ties share the better one."""
    gone = np.argwhere(~np.isfinite(scores))
    if len(gone):
        raise MeasureInputError("JQ-ASSESS-033", combination=what, reason=f"{units[gone[0][1]]}: NaN")
    return np.asarray(rankdata(-told_apart(scores), method="min", axis=1), dtype=np.int64)


def _summary(units: tuple[str, ...], reference: Integers, ranks: Integers, top: int, level: float) -> pl.DataFrame:
    low, middle, high = np.quantile(
        ranks, [(1 - level) / 2, 0.5, (1 + level) / 2], axis=0, method="inverted_cdf"
    ).astype(np.int64)
    return pl.DataFrame(
        {
            "unit": units,
            "rank": reference,
            "median": middle,
            "low": low,
            "high": high,
            "best": ranks.min(axis=0),
            "worst": ranks.max(axis=0),
            "p_top": (ranks <= top).mean(axis=0),
        }
    ).sort("rank", "median", "unit")


def _dominance(units: tuple[str, ...], scores: Floats) -> pl.DataFrame:
    n = len(units)
    scores = told_apart(scores)
    p = np.stack([(scores[:, [u]] > scores).mean(axis=0) for u in range(n)])
    u, other = (side.ravel() for side in np.indices((n, n)))
    apart = u != other
    names = pl.Series("unit", units)
    return pl.DataFrame({"unit": names.gather(u[apart]), "other": names.gather(other[apart]), "p": p.ravel()[apart]})


def _sensitivities(
    runner: _Runner, space: _Space, units: tuple[str, ...], reference: Integers, n: int, level: float, seed: int
) -> pl.DataFrame:
    numbers = ("first", "first_low", "first_high", "total", "total_low", "total_high")
    schema = {"output": pl.String, "factor": pl.String} | dict.fromkeys(numbers, pl.Float64)
    if n == 0:
        return pl.DataFrame(schema=schema)

    def outputs(draws: Floats) -> Floats:
        ranks = _ranked(runner(draws), "sensitivity", units)
        shift = np.abs(ranks - reference).mean(axis=1, keepdims=True)
        return np.concatenate([shift, ranks.astype(np.float64)], axis=1)

    found = sobol_indices(outputs, space.columns, n=n, seed=seed + 1, level=level)
    names = pl.Series([SHIFT, *units])
    parts = []
    for k, factor in enumerate(found.factors):
        values = {name: pl.Series(getattr(found, name)[k], nan_to_null=True) for name in numbers}
        parts.append(pl.DataFrame({"output": names, "factor": pl.repeat(factor, len(names), eager=True)} | values))
    return pl.concat(parts)


def _factors(space: _Space, framework: Framework) -> pl.DataFrame:
    def told(change: Change) -> str:
        return ", ".join(
            " / ".join(v if isinstance(v, tuple) else (str(v),))
            if k in {"impute", "treat", "normalise", "weights", "aggregate"}
            else f"{k}={v}"
            for k, v in change.items()
        )

    rows = []
    for name in space.columns:
        match name:
            case "boundary":
                options = [label for label, _ in space.tables]
            case "weights":
                options = [told(change) or str(framework.steps.weights) for change in space.weights]
                options += [f"± {space.spread:.0%}"] if space.spread > 0 else []
            case "aggregate":
                options = [told(change) for change in space.aggregate]
            case "leave_out":
                options = ["none", f"one of {len(framework.codes)} indicators"]
            case _:
                options = [told(change) for change in space.steps[name]]
        rows.append((name, "; ".join(options)))
    return pl.DataFrame(rows, schema={"factor": pl.String, "alternatives": pl.String}, orient="row")
