"""What frontier methods take: units with inputs and outputs 决策单元及其投入、产出, checked once for all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from jiqun.assess.table import LARGEST
from jiqun.core.arrays import Floats
from jiqun.core.errors import MeasureInputError
from jiqun.core.frames import as_polars

SHOWN = 5
"""Units that a message names."""


@dataclass(frozen=True)
class Columns:
    """The columns of a frontier: what goes in, what should come out, and what should not."""

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    undesirable: tuple[str, ...] = ()

    @property
    def all(self) -> tuple[str, ...]:
        """In the order of `Points.values`."""
        return self.inputs + self.outputs + self.undesirable

    @property
    def kinds(self) -> tuple[str, ...]:
        """What each of `all` is."""
        names = ("input", "output", "undesirable")
        return tuple(
            k for k, part in zip(names, (self.inputs, self.outputs, self.undesirable), strict=True) for _ in part
        )

    @property
    def least(self) -> int:
        """Fewest units that tell anything: max(m s, 3 (m + s)), undesirable outputs counted among the outputs.

        Source: Cooper, Seiford and Tone (2007), Data Envelopment Analysis, 2nd ed., Springer.

        Examples
        --------
        >>> Columns(("a", "b", "c", "d"), ("x", "y", "z")).least
        21
        """
        m, s = len(self.inputs), len(self.outputs) + len(self.undesirable)
        return max(m * s, 3 * (m + s))


@dataclass(frozen=True)
class Points:
    """Inputs n × m, outputs n × s and undesirable outputs n × u of the same units, in any units of measurement."""

    x: Floats
    y: Floats
    b: Floats

    @classmethod
    def of(cls, values: Floats, columns: Columns) -> Points:
        """Of a table whose columns are `columns.all`."""
        m, s = len(columns.inputs), len(columns.outputs)
        return cls(values[:, :m], values[:, m : m + s], values[:, m + s :])

    @property
    def values(self) -> Floats:
        """All columns beside each other."""
        return np.hstack([self.x, self.y, self.b])


def columns_of(inputs: Sequence[str], outputs: Sequence[str], undesirable: Sequence[str], *others: str) -> Columns:
    """The columns, none of them twice.

    Raises
    ------
    MeasureInputError
        JQ-ASSESS-045: there are no inputs or no outputs, or a column is named twice.
    """
    columns = Columns(tuple(inputs), tuple(outputs), tuple(undesirable))
    named = [*others, *columns.all]
    twice = sorted({name for name in named if named.count(name) > 1})
    if not (columns.inputs and columns.outputs) or twice or isinstance(inputs, str) or isinstance(outputs, str):
        raise MeasureInputError(
            "JQ-ASSESS-045", twice=", ".join(twice) or "—", inputs=", ".join(inputs), outputs=", ".join(outputs)
        )
    return columns


def numbers(frame: Any, columns: Columns, *keys: str) -> pl.DataFrame:
    """The key columns and the numbers as Float64; what is not finite is null. No key is null or there twice.

    Raises
    ------
    MeasureInputError
        JQ-USE-003: a column is missing. JQ-ASSESS-043: a column does not hold numbers. JQ-ASSESS-044: a unit is nameless
        or there twice.
    """
    table = as_polars(frame, *keys, *columns.all)
    for name in columns.all:
        if not (table.schema[name].is_numeric() or table.schema[name] == pl.Null):
            raise MeasureInputError("JQ-ASSESS-043", column=name, type=table.schema[name])
    value = pl.col(columns.all).cast(pl.Float64)
    table = table.select(*keys, pl.when(value.is_finite()).then(value).name.keep())
    odd = table.filter(pl.struct(keys).is_duplicated() | pl.any_horizontal(pl.col(keys).is_null()))
    if odd.height:
        raise MeasureInputError("JQ-ASSESS-044", unit=" ".join(map(str, odd.row(0)[: len(keys)])), count=odd.height)
    return table


def refuse_unusable(table: pl.DataFrame, columns: Columns, *keys: str) -> None:
    """Refuse missing values, and values that are not above zero; says which units and columns.

    Raises
    ------
    MeasureInputError
        JQ-ASSESS-041: values are missing. JQ-ASSESS-042: values are zero or negative. JQ-ASSESS-017: a value is beyond 1e60.
    """
    for code, bad in (("JQ-ASSESS-041", pl.Expr.is_null), ("JQ-ASSESS-042", lambda value: value <= 0)):
        wrong = [name for name in columns.all if table.select(bad(pl.col(name)).any()).item()]
        if wrong:
            rows = table.filter(pl.any_horizontal(bad(pl.col(name)) for name in wrong))
            raise MeasureInputError(code, columns=", ".join(wrong), units=named(rows, *keys), count=rows.height)
    for name in columns.all:
        beyond = table.filter(pl.col(name) > LARGEST)
        if beyond.height:
            raise MeasureInputError("JQ-ASSESS-017", column=name, unit=named(beyond.head(1), *keys))


def refuse_few(units: int, columns: Columns, *, force: bool) -> None:
    """Refuse a frontier that nearly every unit would be on.

    Raises
    ------
    MeasureInputError
        JQ-ASSESS-040: fewer units than `Columns.least`, and not forced; or none at all.
    """
    if units < (1 if force else columns.least):
        outputs = len(columns.outputs) + len(columns.undesirable)
        raise MeasureInputError(
            "JQ-ASSESS-040", units=units, inputs=len(columns.inputs), outputs=outputs, least=columns.least
        )


def named(rows: pl.DataFrame, *keys: str) -> str:
    """The first few rows by their keys, and that there are more.

    Examples
    --------
    >>> named(pl.DataFrame({"unit": list("ABCDEFG")}), "unit")
    'A, B, C, D, E, …'
    """
    names = [
        " ".join(map(str, row)) for row in rows.select(keys).unique(maintain_order=True).head(SHOWN + 1).iter_rows()
    ]
    return ", ".join([*names[:SHOWN], *(["…"] if len(names) > SHOWN else [])])
