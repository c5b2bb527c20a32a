"""A table of units and indicators 评价数据 as numbers, refused where no index can be made of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from jiqun.assess.framework import Framework, Indicator
from jiqun.core.arrays import Floats
from jiqun.core.errors import MeasureInputError
from jiqun.core.frames import as_polars

LEAST_UNITS = 2
LARGEST = 1e60
"""Beyond it, fourth powers are no numbers any more."""


@dataclass(frozen=True, eq=False)
class IndexTable:
    """Units × indicators of one year, and what steps need beside: denominators, groups, other years.

    `earlier` holds a matrix like `values` for every other year; NaN is “no data”.
    """

    units: tuple[str, ...]
    values: Floats
    denominators: Mapping[str, Floats]
    groups: tuple[str | None, ...] | None
    year: int | None
    earlier: Mapping[int, tuple[Floats, Mapping[str, Floats]]]


def index_table(
    frame: Any, framework: Framework, *, unit: str = "unit", year: str | None = None, of: int | None = None
) -> IndexTable:
    """The table that a framework asks for 取数: one row per unit (and year), one column per indicator and denominator.

    Parameters
    ----------
    frame
        Any dataframe. Columns that the framework does not name are left alone; empty cells and NaN are “no data”.
    year, of
        The column of years, and the year that is rated; the others serve to impute from the nearest year.

    Raises
    ------
    MeasureInputError
        JQ-USE-003: a column is missing. JQ-ASSESS-012: a unit twice in one year, or without a name. JQ-ASSESS-013: fewer
        than 2 units. JQ-ASSESS-016, -017: not numbers, or beyond 1e60. JQ-ASSESS-018: a denominator <= 0 (where it is missing
        the value is unknown). JQ-ASSESS-022: indicators not valid in the year. JQ-ASSESS-024: a year is asked for that there is not.

    Examples
    --------
    >>> from jiqun.assess.framework import check_body
    >>> body = {"code": "f", "zh": "例", "en": "f", "version": "1", "dimensions": [{"code": "i", "zh": "数", "en": "i"}]}
    >>> one = {"code": "a", "parent": "i", "zh": "甲", "en": "a", "unit": "%", "source": "table"}
    >>> small = check_body(body | {"indicators": [one]}).framework
    >>> index_table(pl.DataFrame({"unit": ["x", "y"], "a": [1, 2]}), small).values.tolist()
    [[1.0], [2.0]]
    """
    steps = framework.steps
    denominators = sorted({one.denominator for one in framework.indicators if one.denominator})
    wanted = [unit, *framework.codes, *denominators, *([steps.group] if steps.group else []), *([year] if year else [])]
    table = as_polars(frame, *wanted)
    years = _years(table, year, of)
    rated = _rows_of(table, unit, year, of if of is not None else years[-1] if years else None)
    units = tuple(map(str, rated[unit]))
    if len(units) < LEAST_UNITS:
        raise MeasureInputError("JQ-ASSESS-013", count=len(units), least=LEAST_UNITS)
    at = of if of is not None else years[-1] if years else None
    _check_years(framework, at)
    values, below = _matrix(rated, framework.codes, units), _columns(rated, denominators, units)
    used = {one.denominator for one in framework.indicators if np.isfinite(_column(values, framework, one)).any()}
    for name in denominators:
        bad = np.flatnonzero(below[name] <= 0)
        if len(bad) and name in used:
            raise MeasureInputError("JQ-ASSESS-018", column=name, unit=units[bad[0]], value=float(below[name][bad[0]]))
    groups = None
    if steps.group:
        groups = tuple(None if value is None else str(value) for value in rated[steps.group])
    earlier = {}
    for other in years:
        if other != at:
            past = pl.DataFrame({unit: units}).join(
                _rows_of(table, unit, year, other).with_columns(pl.col(unit).cast(pl.String)), on=unit, how="left"
            )
            earlier[other] = (_matrix(past, framework.codes, units), _columns(past, denominators, units))
    return IndexTable(units, values, below, groups, at, earlier)


def indicator_columns(
    frame: Any,
    framework: Framework,
    *,
    unit: str = "unit",
    indicator: str = "indicator",
    value: str = "value",
    measure: str | None = "measure",
    year: str | None = None,
) -> pl.DataFrame:
    """A long table (one row per unit and indicator) as the wide one that `composite_index` takes 长表转宽表.

    Where a column `measure` names the unit of every value, it must be the one that the framework names; of an indicator
    with a denominator, whose values are not in that unit yet, one and the same.

    Raises
    ------
    MeasureInputError
        JQ-USE-003: a column is missing. JQ-ASSESS-012: a unit has an indicator twice. JQ-ASSESS-021: values of one
        indicator in several units of measure, or in another than the framework's.

    Examples
    --------
    >>> from jiqun.assess.framework import framework_of
    >>> rows = pl.DataFrame({"unit": ["x", "y"], "indicator": "lq_core", "value": [1.2, 0.7], "measure": "ratio"})
    >>> indicator_columns(rows, framework_of("competitiveness")).columns
    ['unit', 'lq_core']
    """
    by = [unit, *([year] if year else [])]
    table = as_polars(frame, *by, indicator, value, *([measure] if measure else []))
    if measure:
        for one in framework.indicators:
            met = table.filter(pl.col(indicator) == one.code, pl.col(value).is_not_null())[measure].unique().sort()
            expected = one.unit if one.denominator is None else met.first()
            if met.len() and met.to_list() != [expected]:
                told = ", ".join(map(str, met))
                raise MeasureInputError("JQ-ASSESS-021", indicator=one.code, measures=told, expected=expected)
    twice = table.filter(pl.struct(*by, indicator).is_duplicated())
    if twice.height:
        raise MeasureInputError("JQ-ASSESS-012", unit=f"{twice[unit][0]}, {twice[indicator][0]}", count=twice.height)
    return table.pivot(on=indicator, index=by, values=value, maintain_order=True)


def check_varied(values: Floats, framework: Framework) -> None:
    """Refuse indicators that tell no unit from another.

    Raises
    ------
    MeasureInputError
        JQ-ASSESS-014: without any value. JQ-ASSESS-015: one value only, and not two goalposts.
    """
    empty = [code for code, column in zip(framework.codes, values.T, strict=True) if not np.isfinite(column).any()]
    if empty:
        raise MeasureInputError("JQ-ASSESS-014", codes=", ".join(empty))
    posts = framework.steps.normalise == "minmax"
    equal = [
        one.code
        for one, column in zip(framework.indicators, values.T, strict=True)
        if np.nanmin(column) == np.nanmax(column) and not (posts and one.low is not None and one.high is not None)
    ]
    if equal and framework.steps.normalise != "none":
        raise MeasureInputError("JQ-ASSESS-015", codes=", ".join(equal))


def _column(values: Floats, framework: Framework, one: Indicator) -> Floats:
    found: Floats = values[:, framework.codes.index(one.code)]
    return found


def _years(table: pl.DataFrame, year: str | None, of: int | None) -> list[int]:
    if year is None:
        if of is not None:
            raise MeasureInputError("JQ-ASSESS-024", year=of, known="—")
        return []
    if not table.schema[year].is_integer():
        raise MeasureInputError("JQ-ASSESS-016", column=year, value=table[year][0] if table.height else "—")
    years = sorted(table[year].drop_nulls().unique().to_list())
    if of is not None and of not in years:
        raise MeasureInputError("JQ-ASSESS-024", year=of, known=", ".join(map(str, years)))
    return years


def _rows_of(table: pl.DataFrame, unit: str, year: str | None, of: int | None) -> pl.DataFrame:
    rows = table if year is None else table.filter(pl.col(year) == of)
    twice = rows.filter(pl.col(unit).is_duplicated() | pl.col(unit).is_null())
    if twice.height:
        raise MeasureInputError("JQ-ASSESS-012", unit=twice[unit][0], count=twice.height)
    return rows


def _check_years(framework: Framework, year: int | None) -> None:
    if year is None:
        return
    outside = [
        one.code
        for one in framework.indicators
        if (one.valid_from is not None and year < one.valid_from) or (one.valid_to is not None and year > one.valid_to)
    ]
    if outside:
        raise MeasureInputError("JQ-ASSESS-022", codes=", ".join(outside), year=year)


def _columns(table: pl.DataFrame, names: list[str], units: tuple[str, ...]) -> dict[str, Floats]:
    matrix = _matrix(table, tuple(names), units)
    return {name: matrix[:, k] for k, name in enumerate(names)}


def _matrix(table: pl.DataFrame, names: tuple[str, ...], units: tuple[str, ...]) -> Floats:
    matrix: Floats = np.full((len(units), len(names)), np.nan)
    for k, name in enumerate(names):
        column = table[name]
        if column.dtype == pl.Boolean:
            column = column.cast(pl.Float64)
        if not column.dtype.is_numeric():
            if column.drop_nulls().is_empty():
                continue
            raise MeasureInputError("JQ-ASSESS-016", column=name, value=column.drop_nulls()[0])
        matrix[:, k] = column.cast(pl.Float64).fill_null(np.nan).to_numpy()
        infinite = np.flatnonzero(np.abs(matrix[:, k]) > LARGEST)
        if len(infinite):
            raise MeasureInputError("JQ-ASSESS-017", column=name, unit=units[infinite[0]])
    return matrix
