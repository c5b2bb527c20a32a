"""The steps before weights 指标处理: denominate, screen, impute, treat outliers, normalise. Arrays of units × indicators.

NaN is “no data”. Nothing here guesses: a step that cannot run says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from scipy.stats import rankdata

from jiqun.assess.framework import Framework, Indicator, Steps
from jiqun.assess.table import IndexTable, check_varied
from jiqun.core.arrays import Floats
from jiqun.core.errors import MeasureInputError


class Filled(NamedTuple):
    """A cell that was imputed: unit and indicator by position, the rule, and the year it is from."""

    unit: int
    indicator: int
    rule: str
    year: int | None


@dataclass(frozen=True)
class Treated:
    """What was done about an indicator's outliers 极端值处理; skewness and kurtosis before and after."""

    code: str
    action: str
    points: int
    skewness: float | None
    kurtosis: float | None
    skewness_after: float | None
    kurtosis_after: float | None


@dataclass(frozen=True, eq=False)
class Staged:
    """The same matrix after every step; `kept` are the rows of the table that passed the screen."""

    kept: tuple[int, ...]
    screened: tuple[tuple[int, float], ...]
    raw: Floats
    denominated: Floats
    imputed: Floats
    treated: Floats
    normalised: Floats
    filled: tuple[Filled, ...] = field(default=())
    treatment: tuple[Treated, ...] = field(default=())


def run_steps(table: IndexTable, framework: Framework) -> Staged:
    """All steps up to the normalised matrix 依次处理.

    Raises
    ------
    MeasureInputError
        JQ-ASSESS-014, -015: indicators without any value, or equal for all units (those need goalposts on both sides).
        JQ-ASSESS-019: values still missing. JQ-ASSESS-036: the logarithm of a value <= 0. JQ-ASSESS-023, -024: a rule needs a group or years that there are not. JQ-ASSESS-025: too few units pass the
        screen. JQ-ASSESS-035: an indicator whose outliers are treated has fewer than 4 values.
    """
    steps = framework.steps
    denominated = denominate(table.values, table, framework)
    had = np.isfinite(denominated).mean(axis=1)
    filled: list[Filled] = []
    imputed = impute(denominated, table, framework, filled)
    share = had if steps.screen_on == "raw" else np.isfinite(imputed).mean(axis=1)
    passes = share >= steps.screen
    if steps.screen_on == "raw" and not passes.all():  # those left out must not fill the gaps of others
        filled.clear()
        imputed = impute(np.where(passes[:, None], denominated, np.nan), table, framework, filled)
    kept = tuple(int(k) for k in np.flatnonzero(passes))
    if len(kept) < 2:
        raise MeasureInputError("JQ-ASSESS-025", share=steps.screen, count=len(kept))
    screened = tuple((int(k), float(share[k])) for k in np.flatnonzero(~passes))
    row = {unit: k for k, unit in enumerate(kept)}
    filled = [cell._replace(unit=row[cell.unit]) for cell in filled if cell.unit in row]
    denominated, imputed = denominated[passes], imputed[passes]
    check_varied(imputed, framework)
    _check_missing(imputed, table, kept, framework)
    treated, treatment = treat(imputed, framework)
    return Staged(
        kept,
        screened,
        table.values[passes],
        denominated,
        imputed,
        treated,
        normalise(treated, framework),
        tuple(filled),
        treatment,
    )


def denominate(values: Floats, table: IndexTable, framework: Framework, year: int | None = None) -> Floats:
    """Values per denominator 除以基数: per · value / denominator, for the indicators that name one."""
    below = table.denominators if year is None else table.earlier[year][1]
    out = values.copy()
    for k, one in enumerate(framework.indicators):
        if one.denominator:
            with np.errstate(invalid="ignore", divide="ignore"):
                out[:, k] = np.where(below[one.denominator] > 0, one.per * out[:, k] / below[one.denominator], np.nan)
    return out


def impute(values: Floats, table: IndexTable, framework: Framework, filled: list[Filled]) -> Floats:
    """Missing values by each indicator's rule 缺失值插补.

    mean and median are over all units, group_mean and group_median over the unit's group (`steps.group`); nearest_year
    takes the unit's own value of the nearest other year within `max_gap`, the later one of two equally near.

    Raises
    ------
    MeasureInputError
        JQ-ASSESS-023: no group column is named. JQ-ASSESS-024: there are no other years.
    """
    out = values.copy()
    rules = [one.impute or framework.steps.impute for one in framework.indicators]
    past: dict[int, Floats] = {}
    if "nearest_year" in rules:
        if table.year is None:
            raise MeasureInputError("JQ-ASSESS-024", year="nearest_year", known="—")
        near = [year for year in table.earlier if abs(year - table.year) <= framework.steps.max_gap]
        near.sort(key=lambda year: (abs(year - (table.year or 0)), -year))
        past = {year: denominate(table.earlier[year][0], table, framework, year) for year in near}
    for k, rule in enumerate(rules):
        gaps = [int(u) for u in np.flatnonzero(~np.isfinite(values[:, k]))]
        if not gaps or rule == "none":
            continue
        if rule == "nearest_year":
            for u in gaps:
                found = next((year for year, matrix in past.items() if np.isfinite(matrix[u, k])), None)
                if found is not None:
                    out[u, k] = past[found][u, k]
                    filled.append(Filled(u, k, rule, found))
            continue
        means = _means(values[:, k], rule, table)
        for u, mean in ((u, means[u]) for u in gaps if np.isfinite(means[u])):
            out[u, k] = mean
            filled.append(Filled(u, k, rule, None))
    return out


def _means(x: Floats, rule: str, table: IndexTable) -> Floats:
    """For each unit the mean or median over all, or over its group; NaN where it has no group, or that no value."""
    middle = np.nanmean if rule.endswith("mean") else np.nanmedian
    if not rule.startswith("group"):
        return np.full(len(x), middle(x) if np.isfinite(x).any() else np.nan)
    if table.groups is None:
        raise MeasureInputError("JQ-ASSESS-023", rule=rule)
    out = np.full(len(x), np.nan)
    rows: dict[str, list[int]] = {}
    for u, group in enumerate(table.groups):
        if group is not None:
            rows.setdefault(group, []).append(u)
    for own in rows.values():
        if np.isfinite(x[own]).any():
            out[own] = middle(x[own])
    return out


def _check_missing(values: Floats, table: IndexTable, kept: tuple[int, ...], framework: Framework) -> None:
    if framework.steps.missing == "renormalise":
        return
    gaps = np.argwhere(~np.isfinite(values))
    if len(gaps):
        unit, code = table.units[kept[gaps[0][0]]], framework.codes[gaps[0][1]]
        raise MeasureInputError("JQ-ASSESS-019", count=len(gaps), unit=unit, indicator=code)


def _deviations(x: Floats) -> Floats:
    """From the mean, in units of the largest: of no power of them is too small to be a number."""
    d = x - x.mean()
    size = np.abs(d).max(initial=0.0)
    found: Floats = d / size if size > 0 else d
    return found


def skewness(x: Floats) -> float:
    """Sample skewness 偏度 G₁ = √(n(n−1))/(n−2) · m₃/m₂^1.5, as spreadsheets have it; NaN where all are equal.

    Examples
    --------
    >>> round(skewness(np.array([1.0, 2.0, 3.0, 10.0])), 6)
    1.763633
    """
    n, d = len(x), _deviations(x)
    m2 = float((d**2).mean())
    if n < 3 or m2 == 0:
        return float("nan")
    return float(np.sqrt(n * (n - 1)) / (n - 2) * (d**3).mean() / m2**1.5)


def kurtosis(x: Floats) -> float:
    """Sample excess kurtosis 峰度 G₂ = (n−1)/((n−2)(n−3)) · ((n+1)(m₄/m₂² − 3) + 6); NaN where all are equal.

    Examples
    --------
    >>> round(kurtosis(np.array([1.0, 2.0, 3.0, 10.0])), 6)
    3.228
    """
    n, d = len(x), _deviations(x)
    m2 = float((d**2).mean())
    if n < 4 or m2 == 0:
        return float("nan")
    return float((n - 1) / ((n - 2) * (n - 3)) * ((n + 1) * ((d**4).mean() / m2**2 - 3) + 6))


def extreme(x: Floats, steps: Steps) -> bool:
    """Whether a distribution has outliers 极端值判定: |skewness| and kurtosis both at or beyond their thresholds."""
    return abs(skewness(x)) >= steps.skewness and kurtosis(x) >= steps.kurtosis


def winsorised(x: Floats, steps: Steps) -> tuple[Floats, int]:
    """Extreme points drawn in 缩尾, one after the other, until the distribution passes or `points` are spent.

    The largest value (the smallest, if skewness is negative) takes the value of the next; ties move together. Returns
    the values and the number of points that were moved.
    """
    out = x.copy()
    moved = np.zeros(len(x), dtype=bool)
    while extreme(out, steps) and moved.sum() < steps.points:
        upper = skewness(out) >= 0
        edge = out == (out.max() if upper else out.min())
        if len(np.unique(out[~edge])) < 2:  # one more and nothing would tell the units apart
            break
        out[edge] = out[~edge].max() if upper else out[~edge].min()
        moved |= edge
    return out, int(moved.sum())


def shifted_log(x: Floats) -> Floats:
    """Logarithm after a shift 平移对数: ln(x − min + 0.01 (max − min))."""
    low, high = x.min(), x.max()
    found: Floats = np.log(x - low + 0.01 * (high - low))
    return found


def treat(values: Floats, framework: Framework) -> tuple[Floats, tuple[Treated, ...]]:
    """Outliers of every indicator that has any 极端值处理; see `Steps.treat` for the ways.

    `winsorise_or_log`: winsorise, and if the distribution still does not pass, take the logarithm of the values as they
    were. Indicators with goalposts are left alone: their caps do this work, and a logarithm would change their unit.
    Source: Becker et al. (2022), COINr, Journal of Open Source Software 7(78), 4567.
    """
    steps, out, told = framework.steps, values.copy(), []
    for k, one in enumerate(framework.indicators):
        there = np.isfinite(values[:, k])
        if steps.treat == "none" or not one.treat or (one.low, one.high) != (None, None):
            continue
        x = values[there, k]
        if len(x) < 4:
            raise MeasureInputError("JQ-ASSESS-035", indicator=one.code, count=len(x))
        if not extreme(x, steps):
            continue
        done, moved, action = x, 0, "log"
        if steps.treat != "log":
            done, moved = winsorised(x, steps)
            action = "winsorise"
        if steps.treat == "log" or (steps.treat == "winsorise_or_log" and extreme(done, steps)):
            done, moved, action = shifted_log(x), len(x), "log"
        out[there, k] = done
        told.append(
            Treated(one.code, action, moved, skewness(x), kurtosis(x), _known(skewness(done)), _known(kurtosis(done)))
        )
    return out, tuple(told)


def _known(value: float) -> float | None:
    return None if np.isnan(value) else value


def normalise(values: Floats, framework: Framework) -> Floats:
    """Every indicator on one scale, better is higher 标准化.

        minmax      low + (high − low) · (x − a) / (b − a),   a, b: goalposts, else least and largest
        z           mean + sd · (x − x̄) / s,   s with n − 1
        rank        r (n + 1) / (m + 1),   r: 1 (worst) to m among the m units with a value of all n, ties share their mean
        percentile  low + (high − low) · (rank − 1) / (n − 1)

    Where all have a value a rank is r itself; where some have none, the best of few would otherwise count less than a middling
    one of many, and the mean rank is (n + 1) / 2 for each indicator. Where lower is better, x counts as −x. Values beyond goalposts stop at the ends if `cap`.
    """
    out = np.full_like(values, np.nan)
    for k, one in enumerate(framework.indicators):
        there = np.isfinite(values[:, k])
        out[there, k] = _normalised(values[there, k], one, framework.steps, len(values))
    return out


def _normalised(x: Floats, one: Indicator, steps: Steps, units: int) -> Floats:
    posts = [one.low, one.high]
    if one.scale == "log10":
        if (x <= 0).any():
            raise MeasureInputError("JQ-ASSESS-036", indicator=one.code, value=float(x.min()))
        x, posts = np.log10(x), [None if post is None else float(np.log10(post)) for post in posts]
    sign = 1.0 if one.direction == "higher" else -1.0
    x = sign * x
    span = steps.high - steps.low
    match steps.normalise:
        case "none":
            return x
        case "minmax":
            a, b = (
                edge if post is None else sign * post for post, edge in zip(posts[:: int(sign)], _ends(x), strict=True)
            )
            if not b > a:
                raise MeasureInputError("JQ-ASSESS-015", codes=one.code)
            found: Floats = steps.low + span * (x - a) / (b - a)
            return np.clip(found, steps.low, steps.high) if steps.cap else found
        case "z":
            d = _deviations(x)
            s = d.std(ddof=1) if len(x) > 1 else 0.0
            if not s > 0:
                raise MeasureInputError("JQ-ASSESS-015", codes=one.code)
            scaled: Floats = steps.mean + steps.sd * d / s
            return scaled
        case "rank":
            return np.asarray(rankdata(x) * ((units + 1) / (len(x) + 1)), dtype=np.float64)
        case "percentile":
            ranks: Floats = steps.low + span * (rankdata(x) - 1) / (len(x) - 1)
            return ranks


def _ends(x: Floats) -> Sequence[float]:
    return float(x.min()), float(x.max())
