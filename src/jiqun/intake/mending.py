"""Mending in a spreadsheet 表格更正: the problem rows as a workbook, and what was changed in it as corrections."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import xlsxwriter

from jiqun.core.errors import InputError, UsageError
from jiqun.core.schema import Schema
from jiqun.intake.excel import open_excel
from jiqun.intake.findings import MOST_IN_WORKBOOK, Findings
from jiqun.intake.fixes import FIXES

ROW = "jiqun:row"
"""Header of the column that says which row of the file a line is; the others are the file's own."""
MOST_MENDED = 10_000
_PART = 500
_CELL = 32_767


def write_list(findings: Findings, path: Path) -> None:
    """The rows with findings as an .xlsx to mend 待更正清单: bad cells marked, each with what is wrong as its note.

    Raises
    ------
    UsageError
        JQ-IMPORT-014: more than `MOST_IN_WORKBOOK` rows.
    """
    total = findings.count_rows()
    if total > MOST_IN_WORKBOOK:
        raise UsageError("JQ-IMPORT-014", limit=MOST_IN_WORKBOOK)
    book = xlsxwriter.Workbook(path, {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False})
    bold, bad = (
        book.add_format({"bold": True, "bottom": 1}),
        book.add_format({"bg_color": "#FFE2B8", "num_format": "@"}),
    )
    text = book.add_format({"num_format": "@"})
    sheet = book.add_worksheet()
    sheet.freeze_panes(1, 1)
    for place, header in enumerate((ROW, *findings.headers)):
        sheet.write_string(0, place, header[:_CELL], bold)
    line = 0
    for start in range(0, total, _PART):
        for row in findings.rows(start, _PART):
            line += 1
            wrong = {header: finding.message for finding in row.findings for header in finding.mend}
            sheet.write_number(line, 0, row.row)
            for place, header in enumerate(findings.headers, 1):
                cell = row.cells.get(header, "")
                if header in wrong or cell:
                    sheet.write_string(line, place, cell[:_CELL], bad if header in wrong else text)
                if header in wrong:
                    said = wrong[header]
                    sheet.write_comment(line, place, f"{said.zh}\n{said.en}"[:1_000])
    book.close()


def read_list(findings: Findings, path: Path, schema: Schema) -> pl.DataFrame:
    """The cells of a mended list that differ from what was checked, as corrections (`FIXES`).

    Raises
    ------
    InputError
        JQ-FILE-…: no workbook; JQ-IMPORT-025: not a list of `write_list`.
    UsageError
        JQ-IMPORT-019: more than `MOST_MENDED` cells differ.
    """
    reading = open_excel(path, schema, [(ROW, "-")])
    if ROW not in reading.headers:
        raise InputError("JQ-IMPORT-025")
    places = {header: str(k) for k, header in enumerate(reading.headers) if header in findings.headers}
    found = [pl.DataFrame(schema=FIXES)]
    for batch in reading.batches:
        number = pl.col(str(reading.headers.index(ROW))).cast(pl.Int64, strict=False)
        mended = batch.cells.select(number.alias("row"), *(pl.col(place) for place in places.values()))
        mended = mended.drop_nulls("row").unique("row", keep="last")
        both = findings.cells(mended["row"]).join(mended, on="row")
        for header, place in places.items():
            was, now = _plain(f"={findings.headers.index(header)}"), _plain(place)
            changed = both.select("row", was.alias("was"), now.alias("value")).filter(
                pl.col("was").ne_missing(pl.col("value"))
            )
            found.append(changed.select("row", column=pl.lit(header), found=pl.lit(""), value="value"))
    fixes = pl.concat(found)
    if fixes.height > MOST_MENDED:
        raise UsageError("JQ-IMPORT-019", limit=MOST_MENDED)
    return fixes


def _plain(column: str) -> pl.Expr:
    """A cell as a spreadsheet gives it back: trimmed, cut, and nothing for empty."""
    text = pl.col(column).str.slice(0, _CELL).str.replace_all("\r\n?", "\n").str.strip_chars()
    return pl.when(text != "").then(text)
