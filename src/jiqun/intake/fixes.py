"""Corrections 更正 of a file that is not touched: cells changed in its stream of rows, before these are checked.

A correction is of one cell (row and header), or of every cell of a column that holds a certain value; that of the one
cell counts where both apply. Its value is text, as a cell is; null empties the cell.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import polars as pl

from jiqun.intake.read import Batch, Reading

EVERY_ROW = 0
"""The row number of a correction that goes by the value found."""
FIXES = {"row": pl.Int64, "column": pl.String, "found": pl.String, "value": pl.String}
"""A correction: row of the file or `EVERY_ROW`, header, the value that it replaces (every row), the value instead."""

_CODE = re.compile(r"\d{2,4}")


@dataclass(frozen=True)
class _Column:
    """The corrections of one column."""

    position: str
    values: Mapping[str, str | None]
    rows: pl.Series
    cells: pl.Series


def amended(reading: Reading, fixes: pl.DataFrame) -> Reading:
    """The same reading with corrected cells 更正后的读入; corrections of columns that are not there do nothing.

    Examples
    --------
    >>> from jiqun.intake.read import open_frame
    >>> reading = open_frame(pl.DataFrame({"名称": ["甲", "乙"], "行业": ["65O3", "65O3"]}))
    >>> fixes = pl.DataFrame([(0, "行业", "65O3", "6513"), (2, "行业", "", None)], schema=FIXES, orient="row")
    >>> next(iter(amended(reading, fixes).batches)).cells.rows()
    [('甲', '6513'), ('乙', None)]
    """
    columns = tuple(
        _of_column(str(reading.headers.index(str(header))), part)
        for (header,), part in fixes.partition_by("column", as_dict=True).items()
        if header in reading.headers
    )
    return replace(reading, batches=_amended(reading.batches, columns)) if columns else reading


def _of_column(position: str, fixes: pl.DataFrame) -> _Column:
    every = fixes.filter(pl.col("row") == EVERY_ROW)
    single = fixes.filter(pl.col("row") != EVERY_ROW).sort("row")
    values = dict(every.select("found", "value").iter_rows())
    return _Column(position, values, single["row"], single["value"])


def _amended(batches: Iterator[Batch], columns: tuple[_Column, ...]) -> Iterator[Batch]:
    for batch in batches:
        changed = [_cells(batch, column) for column in columns]
        # what people type may hold anything, so the batch is no longer known to be plain
        yield replace(batch, cells=batch.cells.with_columns(changed), plain=False)


def _cells(batch: Batch, column: _Column) -> pl.Series:
    cells = batch.cells[column.position].cast(pl.String)
    if column.values:
        cells = cells.replace(list(column.values), pl.Series(list(column.values.values()), dtype=pl.String))
    if not column.rows.is_empty() and batch.numbers.len():
        numbers = batch.numbers
        places = numbers.search_sorted(column.rows).clip(0, numbers.len() - 1)
        here = numbers.gather(places) == column.rows
        cells = cells.scatter(places.filter(here), column.cells.filter(here))
    return cells.alias(column.position)


def suggestion(code: str, value: str | None, detail: str) -> str | None:
    """What a bad value probably should be 是否应为, where a finding tells; None where it does not.

    Examples
    --------
    >>> suggestion("JQ-DATA-014", "65O3", "6513 应用软件开发"), suggestion("JQ-DATA-006", "约100", "")
    ('6513', None)
    >>> suggestion("JQ-DATA-015", "91110000600037341X", "L")
    '91110000600037341L'
    """
    if code == "JQ-DATA-014":
        near = _CODE.match(detail)
        return near[0] if near else None
    if code == "JQ-DATA-015" and value and len(detail) == 1:
        return value.strip()[:-1] + detail
    if code == "JQ-DATA-042":
        return detail
    return None
