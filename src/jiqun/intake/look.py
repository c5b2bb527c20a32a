"""A first look at a file 文件概览: what it is, which sheet, which headers, and some of what stands below them."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Annotated, cast

import fastexcel
import polars as pl
from pydantic import Field

from jiqun.core.document import Text
from jiqun.core.errors import UsageError
from jiqun.core.operation import Model
from jiqun.core.remarks import Remark
from jiqun.core.schema import Schema
from jiqun.core.text import visible
from jiqun.intake.columns import personal
from jiqun.intake.desk import open_source
from jiqun.intake.read import Batch

MOST_COLUMNS = 1_000
"""Columns that people can look through; files with more are for the command line."""
_ROWS = 1_000
_SAMPLES = 4
_LENGTH = 60


class Look(Model):
    """What a file holds at a glance.

    `samples` has for each header the first values that differ; none of columns that look like personal data. `rows` is
    known of Excel and Parquet. `taken` are the sheets read, where they are several.
    """

    kind: str
    sheet: Annotated[str, Field(description="the sheet read, of a workbook")] = ""
    sheets: tuple[str, ...] = ()
    taken: tuple[str, ...] = ()
    notes: Annotated[tuple[Text, ...], Field(description="how it was read, and why that way")] = ()
    remarks: Annotated[tuple[Remark, ...], Field(description="what is odd about the file as a whole")] = ()
    headers: tuple[str, ...]
    samples: tuple[tuple[str, ...], ...]
    rows: int | None = None


def look(
    path: Path,
    schema: Schema,
    mapping: Sequence[tuple[str, str]] = (),
    *,
    sheet: str | None,
    encoding: str | None,
    name: str | None = None,
) -> Look:
    """Open a file as a load would, and look at its first rows; `name` is what its sender calls it.

    Raises
    ------
    InputError
        JQ-FILE-…: it cannot be read.
    UsageError
        JQ-IMPORT-006: more than `MOST_COLUMNS` columns.
    """
    reading = open_source(path, schema, tuple(mapping), sheet=sheet, encoding=encoding).called(name)
    if len(reading.headers) > MOST_COLUMNS:
        raise UsageError("JQ-IMPORT-006", count=len(reading.headers), limit=MOST_COLUMNS)
    with closing(cast("Generator[Batch]", reading.batches)) as batches:
        first = next(batches, None)
    cells = first.cells.head(_ROWS) if first else pl.DataFrame()
    return Look(
        kind=reading.kind,
        sheet=reading.sheet,
        sheets=tuple(fastexcel.read_excel(path).sheet_names) if reading.kind == "excel" else (),
        taken=reading.sheets,
        notes=reading.notes,
        remarks=reading.remarks,
        headers=reading.headers,
        samples=tuple(() if personal(header) else _samples(cells, k) for k, header in enumerate(reading.headers)),
        rows=None if reading.kind == "csv" else reading.total,
    )


def _samples(cells: pl.DataFrame, position: int) -> tuple[str, ...]:
    if position >= cells.width:
        return ()
    text = cells.to_series(position).str.strip_chars().drop_nulls()
    different = text.filter(text != "").unique(maintain_order=True).head(_SAMPLES)
    return tuple(visible(value if len(value) <= _LENGTH else f"{value[:_LENGTH]}…") for value in different)
