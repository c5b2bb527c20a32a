"""Dataframes of any kind come in; rooms that need numbers take them as Polars."""

from __future__ import annotations

from typing import Any

import narwhals as nw
import polars as pl

from jiqun.core.errors import MeasureInputError


def as_polars(frame: Any, *required: str) -> pl.DataFrame:
    """Any dataframe (Polars, pandas, PyArrow, DuckDB, PySpark; eager or lazy) as a Polars one.

    Raises
    ------
    MeasureInputError
        JQ-USE-003: not a dataframe, or a required column is missing; names it and those there are.

    Examples
    --------
    >>> as_polars(pl.LazyFrame({"lon": [1.0]}), "lon").shape
    (1, 1)
    """
    native = nw.from_native(frame, pass_through=True)
    if isinstance(native, nw.LazyFrame):
        native = native.collect("polars")
    if not isinstance(native, nw.DataFrame):
        raise MeasureInputError("JQ-USE-003", missing=", ".join(required), columns=type(frame).__name__)
    require_columns(native.columns, *required)
    return native.to_polars()


def require_columns(columns: list[str], *required: str) -> None:
    """Refuse a frame that lacks a column.

    Raises
    ------
    MeasureInputError
        JQ-USE-003, naming the missing columns and those there are.
    """
    missing = [name for name in required if name not in columns]
    if missing:
        raise MeasureInputError("JQ-USE-003", missing=", ".join(missing), columns=", ".join(columns))
