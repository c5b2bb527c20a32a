"""Tables 表格: for eyes as HTML, for sheets as CSV, for programs as JSON; all three from the same rows.

CSV has a byte-order mark, so that Excel reads Chinese, and its formulas are neutralised; numbers keep all their digits.
"""

from __future__ import annotations

import base64
import io
import json
import math
from csv import writer
from typing import Any

from jiqun.core.document import Cell, Column, Table, Text
from jiqun.core.errors import Language
from jiqun.core.sheets import FORMULA_START
from jiqun.report.formats import MISSING, NUMERIC, cell
from jiqun.report.markup import LANGUAGES, Html, both, clipped, element
from jiqun.report.voice import voice

_LONG = 40
MOST_CHARACTERS = 160
"""Longer cells are cut on the page; the downloads hold them whole."""


def draw(table: Table, *, source: bool = True) -> Html:
    """The table with caption and note, and with its source line where that does not stand elsewhere 表格."""
    caption_id = f"jq-{table.id}-caption"
    heads = [element("th", both(column.title), scope="col", class_=_align(column)) for column in table.columns]
    named = next((i for i, column in enumerate(table.columns) if column.kind == "text"), 0)
    body = [_row(table, index, named) for index in range(len(table.rows))]
    if not body:
        nothing = both(Text("没有记录。", "No rows."))
        body = [element("tr", element("td", nothing, colspan=str(len(table.columns))))]
    grid = element(
        "table",
        element("caption", both(table.title), id=caption_id),
        element("thead", element("tr", *heads)),
        element("tbody", *body),
    )
    parts = [element("div", grid, class_="scroll", role="region", tabindex="0", aria_labelledby=caption_id)]
    if table.note:
        parts.append(both(table.note, "p", class_="note"))
    if source:
        parts.append(source_line(table))
    return element("div", *parts, id=table.id, class_="table")


def source_line(table: Table, *, downloads: bool = True) -> Html:
    """Source, as-of date, and the table as CSV and JSON."""
    parts = [both(Text("来源：", "Source: ")), both(table.source)]
    if table.as_of:
        parts.append(both(Text(f" · 截至 {table.as_of}", f" · as of {table.as_of}")))
    if downloads:
        for name, address in (voice().twin or embedded)(table).items():
            link = element("a", name.upper(), href=address, download=f"{table.id}.{name}")
            parts.append(element("span", " · ", link, class_="get"))
    return element("p", *parts, class_="source")


def embedded(table: Table) -> dict[str, str]:
    """The addresses of a table's CSV and JSON, which hold them."""
    twins = (("csv", "text/csv", csv(table)), ("json", "application/json", as_json(table)))
    return {
        name: f"data:{kind};charset=utf-8;base64,{base64.b64encode(content).decode()}" for name, kind, content in twins
    }


def _align(column: Column) -> str | None:
    return "n" if column.kind in NUMERIC else "c" if column.kind == "code" else None


def _length(value: Cell) -> str | None:
    """Texts that would make a row tall where the screen is narrow are marked, so that they get room."""
    texts = (value.zh, value.en) if isinstance(value, Text) else (value,)
    return "long" if any(isinstance(text, str) and len(text) > _LONG for text in texts) else None


def _row(table: Table, index: int, named: int) -> Html:
    row = check_row(table, index)
    link = table.links[index] if table.links else ""
    out = []
    for i, (value, column) in enumerate(zip(row, table.columns, strict=True)):
        shown = shown_cell(value, column)
        if i == named and link:
            shown = element("a", shown, href=voice().href(link))
        if i == named:
            out.append(element("th", shown, scope="row", class_=_align(column)))
        else:
            out.append(element("td", shown, class_=_align(column) or _length(value)))
    return element("tr", *out)


def check_row(table: Table, index: int) -> tuple[Cell, ...]:
    """One row, which has a cell for each column.

    Raises
    ------
    ValueError
        Names the table and the row.
    """
    row = table.rows[index]
    if len(row) != len(table.columns):
        raise ValueError(f"table {table.id}: row {index} has {len(row)} cells, expected {len(table.columns)}")
    return row


def shown_cell(value: Cell, column: Column) -> Html:
    """One cell in both languages, cut where it is very long."""
    shown = {
        language: clipped(cell(value, column.kind, language, column.digits), MOST_CHARACTERS)
        for language in voice().languages
    }
    if all(said == MISSING for said in shown.values()):
        return element("span", MISSING, class_="na")
    return both(Text(shown.get("zh", ""), shown.get("en", "")))


def csv(table: Table) -> bytes:
    """The rows for a spreadsheet; a column of bilingual texts becomes two."""
    names: list[str] = []
    columns: list[list[str]] = []
    for i, column in enumerate(table.columns):
        values = [row[i] for row in table.rows]
        spoken = any(isinstance(value, Text) for value in values)
        for language in LANGUAGES if spoken else LANGUAGES[:1]:
            names.append(_field(f"{column.key}_{language}" if spoken else column.key, language))
            columns.append([_field(value, language) for value in values])
    out = io.StringIO()
    writer(out).writerows([names, *zip(*columns, strict=True)])
    return f"\ufeff{_encodable(out.getvalue())}".encode()


def _field(value: Cell, language: Language) -> str:
    """One field: unknown is empty, a text that a spreadsheet would run gets an apostrophe (`jiqun.core.sheets`)."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, (str, Text)):
        content = value.get(language) if isinstance(value, Text) else value
        return f"'{content}" if content.startswith(FORMULA_START) else content
    return str(value)


def _encodable(content: str) -> str:
    return content.encode("utf-8", "replace").decode()


def as_json(table: Table) -> bytes:
    """Rows as records, with title, columns, source and as-of date; unknown is null."""
    content = {
        "id": table.id,
        "title": _told(table.title),
        "columns": [{"key": column.key, "title": _told(column.title), "kind": column.kind} for column in table.columns],
        "source": _told(table.source),
        "as_of": table.as_of or None,
        "note": _told(table.note),
        "rows": [
            {column.key: _told(value) for column, value in zip(table.columns, row, strict=True)} for row in table.rows
        ],
    }
    return _encodable(json.dumps(content, ensure_ascii=False, separators=(",", ":"), allow_nan=False)).encode()


def _told(value: Cell) -> Any:
    if isinstance(value, Text):
        return {"zh": value.zh, "en": value.en}
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
