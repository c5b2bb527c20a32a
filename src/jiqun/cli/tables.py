"""A table of numbers as people keep it: CSV, the first sheet of an Excel file, or Parquet."""

from __future__ import annotations

import hashlib
from pathlib import Path

import polars as pl
from fastexcel import FastExcelError
from polars.exceptions import PanicException

from jiqun.core.errors import InputError
from jiqun.core.frames import require_columns
from jiqun.core.lineage import Source

NOTHING = ["", "NA", "N/A", "—", "-", "nan", "NaN", "null"]
"""Cells that mean “no data”."""


def read_table(path: Path, *required: str) -> pl.DataFrame:
    """A file as a frame; what means “no data” is null.

    Raises
    ------
    InputError
        JQ-ASSESS-039: it cannot be read. JQ-USE-003: a required column is missing.
    """
    try:
        match path.suffix.lower():
            case ".parquet":
                frame = pl.read_parquet(path)
            case ".xlsx" | ".xls" | ".xlsm" | ".xlsb" | ".ods":
                frame = pl.read_excel(path, engine="calamine", infer_schema_length=None)
                frame = pl.DataFrame([_numbers(column) for column in frame])
            case _:
                frame = pl.read_csv(path, infer_schema_length=None, null_values=NOTHING)
    except (pl.exceptions.PolarsError, FastExcelError, PanicException, OSError, UnicodeDecodeError) as error:
        raise InputError("JQ-ASSESS-039", file=path, reason=str(error).partition("\n")[0][:200]) from error
    require_columns(frame.columns, *required)
    return frame


def source_of(path: Path) -> Source:
    """The file's name and digest, for the lineage of what is computed from it."""
    return Source(path.name, hashlib.sha256(path.read_bytes()).hexdigest())


def _numbers(column: pl.Series) -> pl.Series:
    """A column of text as numbers where every cell that means something is one."""
    if column.dtype != pl.String:
        return column
    text = column.str.strip_chars()
    text = text.set(text.is_in(NOTHING), None)
    numbers = text.cast(pl.Float64, strict=False)
    return numbers if numbers.null_count() == text.null_count() and text.null_count() < len(text) else text
