"""Mending in a spreadsheet 表格更正: the problem rows as a workbook, and what was changed in it as corrections.

Beside the rows the workbook holds, on a hidden sheet, what they were when it was made: so that what someone changed is
told from what was changed elsewhere meanwhile, however many people mend copies of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import polars as pl
import xlsxwriter

from jiqun.core.errors import InputError, UsageError
from jiqun.core.schema import Schema
from jiqun.intake.excel import open_excel, sheet_names
from jiqun.intake.findings import MOST_IN_WORKBOOK, Findings
from jiqun.intake.fixes import FIXES

ROW = "jiqun:row"
"""Header of the column that says which row of the file a line is; the others are the file's own."""
WAS = "was_"
"""How the name of the hidden sheet begins; the import's id follows."""
MOST_MENDED = 10_000
SEEN = {**FIXES, "seen": pl.String}
"""Corrections, and what the cell held for who made them."""
_PART = 500
_CELL = 32_767


@dataclass(frozen=True)
class Mended:
    """What was changed in a list: `fixes` (`SEEN`), and of cells that its lines give differently, the `others`."""

    fixes: pl.DataFrame
    others: pl.DataFrame


def write_list(findings: Findings, path: Path, import_id: str) -> None:
    """The rows with findings as an .xlsx to mend 待更正清单: bad cells marked, each with what is wrong as its note.

    Every cell is text, so that nothing in it turns into a number or a date on the way.

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
    sheet, was = book.add_worksheet(), book.add_worksheet(f"{WAS}{import_id}"[:31])
    was.very_hidden()
    sheet.freeze_panes(1, 1)
    for place, header in enumerate((ROW, *findings.headers)):
        sheet.write_string(0, place, header[:_CELL], bold)
        was.write_string(0, place, header[:_CELL])
    line = 0
    for start in range(0, total, _PART):
        for row in findings.rows(start, _PART):
            line += 1
            wrong = {header: finding.message for finding in row.findings for header in finding.mend}
            sheet.write_number(line, 0, row.row)
            was.write_number(line, 0, row.row)
            for place, header in enumerate(findings.headers, 1):
                cell = row.cells.get(header, "")
                if header in wrong or cell:
                    sheet.write_string(line, place, cell[:_CELL], bad if header in wrong else text)
                if cell:
                    was.write_string(line, place, cell[:_CELL])
                if header in wrong:
                    said = wrong[header]
                    sheet.write_comment(line, place, f"{said.zh}\n{said.en}"[:1_000])
    book.close()


def read_list(findings: Findings, path: Path, schema: Schema, import_id: str) -> Mended:
    """The cells of a mended list that differ from what they were when it was made.

    Several people's copies may stand below each other: of a cell that one of them changed, the change counts; of one
    that they changed differently, the last, and the others are told.

    Raises
    ------
    InputError
        JQ-FILE-…: no workbook; JQ-IMPORT-025: not a list of `write_list`; 029: lines without the number of a row; 030:
        a list of another import.
    UsageError
        JQ-IMPORT-019: more than `MOST_MENDED` cells differ.
    """
    lines = _lines(path, schema, None)
    nameless = lines.filter(pl.col(ROW).is_null())
    if nameless.height:
        raise InputError("JQ-IMPORT-029", count=nameless.height)
    kept = next((name for name in sheet_names(path) if name.startswith(WAS)), None)
    if kept is None:
        was = findings.cells(lines[ROW].unique())
        was = was.rename({"row": ROW, **{f"={k}": header for k, header in enumerate(findings.headers)}})
    elif kept == f"{WAS}{import_id}"[:31]:
        was = _lines(path, schema, kept)
    else:
        raise InputError("JQ-IMPORT-030")
    strange = lines.filter(~pl.col(ROW).is_in(was[ROW].implode())).height
    if strange:
        raise InputError("JQ-IMPORT-029", count=strange)
    # of personal data nothing is written into the list, and so nothing is read from it
    headers = [header for header in findings.headers if header in lines.columns and header in was.columns]
    both = lines.with_row_index("line").join(was, on=ROW, suffix="=was")
    found = [pl.DataFrame(schema={"line": pl.UInt32, **SEEN})]
    for header in headers:
        now, seen = _plain(header), _plain(f"{header}=was")
        changed = both.select("line", row=ROW, value=now, seen=seen).filter(pl.col("value").ne_missing(pl.col("seen")))
        told = changed.with_columns(column=pl.lit(header), found=pl.lit(""))
        found.append(told.select("line", *(pl.col(name).cast(dtype) for name, dtype in SEEN.items())))
    changes = pl.concat(found).sort("line").drop("line")
    fixes = changes.unique(["row", "column"], keep="last", maintain_order=True)
    if fixes.height > MOST_MENDED:
        raise UsageError("JQ-IMPORT-019", limit=MOST_MENDED)
    others = changes.unique(["row", "column", "value"], maintain_order=True).join(
        fixes.select("row", "column", counts="value"), on=["row", "column"]
    )
    return Mended(fixes, others.filter(pl.col("value").ne_missing(pl.col("counts"))).drop("counts"))


def _lines(path: Path, schema: Schema, sheet: str | None) -> pl.DataFrame:
    """The lines of a list by header, and its numbers of rows."""
    reading = open_excel(path, schema, [(ROW, "-")], sheet=sheet)
    if ROW not in reading.headers:
        raise InputError("JQ-IMPORT-025")
    names = {str(k): header for k, header in enumerate(reading.headers)}
    parts = [batch.cells.rename(names).cast(pl.String) for batch in reading.batches]
    rows = pl.concat(parts) if parts else pl.DataFrame(schema=dict.fromkeys(reading.headers, pl.String))
    return rows.with_columns(pl.col(ROW).cast(pl.Int64, strict=False))


def _plain(column: str) -> pl.Expr:
    """A cell as a spreadsheet gives it back: trimmed, cut, and nothing for empty."""
    text = pl.col(column).str.slice(0, _CELL).str.replace_all("\r\n?", "\n").str.strip_chars()
    return pl.when(text != "").then(text)
