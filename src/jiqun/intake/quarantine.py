"""Quarantine 隔离: what was found wrong, worded in both languages, written out as it is found.

One row per finding: load, row, column, value, code, severity, detail, message_zh, message_en, hint_zh, hint_en, raw.
`severity` is refused (the row was not kept; `raw` has all of it as JSON), emptied (the cell was), warning (kept as
it is) or duplicate (an earlier row, named in `detail`, is kept instead).
"""

from __future__ import annotations

import csv
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from string import Formatter
from types import TracebackType
from typing import Any
from uuid import uuid4

import polars as pl
import xlsxwriter
import xlsxwriter.exceptions

from jiqun.core.errors import InputError, UsageError, catalogue
from jiqun.core.sheets import neutralise
from jiqun.intake.read import SHEET_ROWS

Sink = Callable[[pl.DataFrame], None]

_SHEET_ROWS = 1_000_000
_CELL = 32_767
_VALUE_SHOWN = 80
_TEXTS = ("zh", "en", "hint_zh", "hint_en")
_NAMES = ("message_zh", "message_en", "hint_zh", "hint_en")
SUFFIXES = (".xlsx", ".csv")


def worded(problems: pl.DataFrame, *, file: str, load: int, sheets: Sequence[str] = ()) -> pl.DataFrame:
    """Findings with their messages 措辞, from the catalogue of errors.

    Where rows are of several `sheets`, the messages name the sheet, and the row as it stands there.

    Examples
    --------
    >>> found = pl.DataFrame({"row": [7], "column": ["行业代码"], "value": ["65O3"], "code": ["JQ-DATA-014"],
    ...     "severity": ["emptied"], "detail": ["6513"], "raw": [None]}, schema_overrides={"raw": pl.String})
    >>> worded(found, file="firms.xlsx", load=1)["message_en"].item()
    "firms.xlsx row 7, column 行业代码: '65O3' is not in GB/T 4754-2017."
    """
    fields = {
        "file": pl.lit(file),
        "row": _place(sheets),
        "column": pl.col("column"),
        "value": pl.col("value").fill_null("").str.slice(0, _VALUE_SHOWN),
        "detail": pl.when(pl.col("detail") == "").then(pl.lit("—")).otherwise("detail"),
    }
    parts = [
        part.with_columns(
            _phrase(getattr(catalogue()[str(code)], text), fields).alias(name)
            for text, name in zip(_TEXTS, _NAMES, strict=True)
        )
        for (code,), part in problems.partition_by("code", as_dict=True).items()
    ]
    if not parts:
        parts = [problems.with_columns(pl.lit(None, pl.String).alias(name) for name in _NAMES)]
    out = pl.concat(parts).sort("row", maintain_order=True)
    return out.select(
        pl.lit(load, pl.Int64).alias("load"), "row", "column", "value", "code", "severity", "detail", *_NAMES, "raw"
    )


def _place(sheets: Sequence[str]) -> pl.Expr:
    number = pl.col("row")
    if not sheets:
        return number.cast(pl.String)
    names = (number // SHEET_ROWS).replace_strict(dict(enumerate(sheets)), default="?", return_dtype=pl.String)
    return pl.concat_str((number % SHEET_ROWS).cast(pl.String), pl.lit(" ["), names, pl.lit("]"))


def _phrase(template: str, fields: dict[str, pl.Expr]) -> pl.Expr:
    pieces: list[pl.Expr] = []
    for literal, name, _, _ in Formatter().parse(template):
        pieces.append(pl.lit(literal))
        if name:
            pieces.append(fields[name])
    return pl.concat_str(pieces) if pieces else pl.lit("")


class Export:
    """Writes findings to an .xlsx or .csv as they come 导出. Cells are text: nothing in them can run.

    They go to a file beside it, which takes its name in `finish`: until then a file of that name stays as it is.

    Raises
    ------
    UsageError
        JQ-FILE-017: neither .xlsx nor .csv.
    InputError
        JQ-FILE-022: the file cannot be written.
    """

    def __init__(self, path: Path) -> None:
        if path.suffix.lower() not in SUFFIXES:
            raise UsageError("JQ-FILE-017", file=path, known=" / ".join(SUFFIXES))
        self.path = path
        self._written = 0
        self._finished = False
        self._csv = path.suffix.lower() == ".csv"
        self._write: Sink = self._to_csv if self._csv else self._to_excel
        # a link stays a link: what it leads to is replaced
        self._target = Path(os.path.realpath(path))
        self._aside = self._target.with_name(f".{uuid4().hex[:12]}{path.suffix}")
        try:
            if self._target.exists():
                with self._target.open("ab"):
                    pass  # a folder, or a file that may not be written
            self._file = self._aside.open("x", encoding="utf-8-sig", newline="")
            if not self._csv:
                self._file.close()
                self._book = xlsxwriter.Workbook(self._aside, {"constant_memory": True, "strings_to_formulas": False})
        except OSError as error:
            raise self._failed(error) from error

    def __enter__(self) -> Export:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.finish()
        elif not self._finished:
            with suppress(OSError, xlsxwriter.exceptions.FileCreateError):
                self._close()
            self._drop()

    def finish(self) -> None:
        """Put the complete file in place; once is enough."""
        if self._finished:
            return
        try:
            self._close()
            os.replace(self._aside, self._target)  # noqa: PTH105
        except (OSError, xlsxwriter.exceptions.FileCreateError) as failure:
            self._drop()
            raise self._failed(failure) from failure
        self._finished = True

    def _close(self) -> None:
        if self._csv:
            self._file.close()
            return
        if not self._written:
            self._book.add_worksheet("1")
        self._book.close()

    def _drop(self) -> None:
        with suppress(OSError):
            self._aside.unlink()

    def write(self, problems: pl.DataFrame) -> None:
        """Append findings."""
        try:
            self._write(problems)
        except OSError as error:
            raise self._failed(error) from error

    def _to_csv(self, problems: pl.DataFrame) -> None:
        out = csv.writer(self._file)
        if not self._written:
            out.writerow(problems.columns)
        out.writerows(neutralise(problems).iter_rows())
        self._written += problems.height

    def _to_excel(self, problems: pl.DataFrame) -> None:
        for row in problems.iter_rows():
            line = self._written % _SHEET_ROWS
            if line == 0:
                self._sheet: Any = self._book.add_worksheet(str(self._written // _SHEET_ROWS + 1))
                self._sheet.write_row(0, 0, problems.columns)
                self._sheet.freeze_panes(1, 0)
            for place, value in enumerate(row):
                if isinstance(value, str):
                    self._sheet.write_string(line + 1, place, value[:_CELL])
                elif value is not None:
                    self._sheet.write_number(line + 1, place, value)
            self._written += 1

    def _failed(self, error: Exception) -> InputError:
        reason = getattr(error, "strerror", None) or str(error)
        return InputError("JQ-FILE-022", file=self.path, reason=reason)
