"""Reports as Excel: numbers as numbers, one sheet per table, every text as text.

The first sheet says what the document says, the last how it was computed. Rows are written as they come and never held
together, so a table may be long. What begins like a formula stays a text: nothing here is written as a formula or link.
"""

from __future__ import annotations

import io
import math
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING, Any

from jiqun.core.document import (
    Block,
    Cell,
    Column,
    Document,
    Figure,
    KeyFigures,
    Kind,
    Paragraph,
    Section,
    Table,
    Text,
)
from jiqun.core.errors import Language
from jiqun.core.text import visible
from jiqun.report import blocks, lineage
from jiqun.report.formats import cell
from jiqun.report.labels import columns as wide
from jiqun.report.markup import LANGUAGES
from jiqun.report.tables import check_row

if TYPE_CHECKING:
    from xlsxwriter import Workbook
    from xlsxwriter.worksheet import Worksheet

MOST_ROWS = 1_048_576
MOST_CHARACTERS = 32_767
"""Excel's limits: rows of a sheet, UTF-16 units of a cell."""

_EXACT = 10**15
"""Excel keeps fifteen digits; a longer integer is written as text, and so is what it has no number for."""
_LARGEST = 9.99e307
_NAME_LIMIT = 31
_FORBIDDEN = re.compile(r"[\[\]:*?/\\]")
_SAMPLE = 500
_COVER, _LINE = 90, 15.0
"""Width of the first sheet's texts in characters, height of their lines in points."""
_COLUMN_NAMES: dict[Language, dict[Language, str]] = {
    "zh": {"zh": "（中文）", "en": "（英文）"},
    "en": {"zh": " (Chinese)", "en": " (English)"},
}


def xlsx(document: Document, language: Language, *, made: datetime | None = None) -> bytes:
    """A document as Excel workbook 工作簿.

    Parameters
    ----------
    language
        Of headings and texts; a column of bilingual texts becomes two.
    made
        The date in the file; without one there is none, and equal documents give equal bytes.

    Raises
    ------
    ValueError
        As `jiqun.report.html`.
    """
    from xlsxwriter import Workbook  # noqa: PLC0415  # only this form needs it

    blocks.check(document)
    out = io.BytesIO()
    options = {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    with Workbook(out, options) as book:
        stamp = made or datetime(1980, 1, 1, tzinfo=UTC)
        title = _fitting(visible(_said(document.title, language)))
        book.set_properties({"title": title[:255], "author": "jiqun", "created": stamp.replace(tzinfo=None)})
        _Writer(book, document, language).write(made)
    return out.getvalue()


def _said(text: Text | None, language: Language) -> str:
    return (text.get(language) or text.get("en" if language == "zh" else "zh")) if text else ""


def _fitting(text: str) -> str:
    """At most what a cell holds, which Excel counts in UTF-16 units."""
    if 2 * len(text) <= MOST_CHARACTERS or len(text.encode("utf-16-le")) <= 2 * MOST_CHARACTERS:
        return text
    return text.encode("utf-16-le")[: 2 * (MOST_CHARACTERS - 1)].decode("utf-16-le", "ignore") + "…"


@dataclass(frozen=True)
class _Slot:
    """A column of a sheet: a column of the table, in one language where it holds bilingual texts."""

    index: int
    column: Column
    language: Language | None
    head: str


_Line = tuple[str, str, str]
"""Of the first sheet: a name, a text and its look."""


class _Writer:
    def __init__(self, book: Workbook, document: Document, language: Language) -> None:
        self.book = book
        self.document = document
        self.language: Language = language
        self.names: set[str] = set()
        self.formats: dict[tuple[Kind, int], Any] = {}
        looks: dict[str, dict[str, Any]] = {
            "title": {"bold": True, "font_size": 16},
            "head": {"bold": True, "bottom": 1, "top": 2, "text_wrap": True, "valign": "bottom"},
            "section": {"bold": True, "font_size": 12, "top": 1, "text_wrap": True, "valign": "top"},
            "strong": {"bold": True, "text_wrap": True, "valign": "top"},
            "words": {"text_wrap": True, "valign": "top"},
            "grey": {"font_color": "#5c6066", "text_wrap": True, "valign": "top"},
            "line": {"font_color": "#5c6066"},
            "code": {"font_name": "Consolas", "text_wrap": True, "valign": "top"},
        }
        self.looks = {name: book.add_format(look) for name, look in looks.items()}

    def say(self, text: Text | None) -> str:
        return _fitting(visible(_said(text, self.language)))

    def write(self, made: datetime | None) -> None:
        """Cover, tables, lineage."""
        held = blocks.tables_of(self.document.blocks)
        walked = blocks.walk(self.document.blocks)
        met = (block.table if isinstance(block, Figure) else block for block in walked)
        tables = {held[table.id].id: held[table.id] for table in met if isinstance(table, Table)}
        names = {id_: self._name(table) for id_, table in tables.items()}
        self._cover({id_: names[table.id] for id_, table in held.items()}, made)
        for id_, table in tables.items():
            self._table(table, names[id_])
        self._lineage()

    def _sheet(self, name: str) -> Worksheet:
        sheet = self.book.add_worksheet(name)
        sheet.hide_gridlines(2)
        sheet.set_paper(9)
        sheet.fit_to_pages(1, 0)
        sheet.set_footer("&P / &N")
        return sheet

    def _name(self, table: Table, suffix: str = "") -> str:
        """A sheet name that Excel takes: its title, without what is forbidden, at most 31 characters, once."""
        base = _FORBIDDEN.sub(" ", self.say(table.title)).strip().strip("'").strip() or table.id
        tries = (f" ({number})" for number in range(2, 10**6))
        for more in (suffix, *islice(tries, len(self.names) + 1)):
            name = _units(base, _NAME_LIMIT - len(more)).strip().strip("'") + more
            if name.casefold() not in self.names and name.casefold() != "history":
                break
        self.names.add(name.casefold())
        return name

    def _cover(self, names: dict[str, str], made: datetime | None) -> None:
        """What the document says, in reading order, and in which sheet each table stands."""
        lines: list[_Line] = [("集群 jiqun", self.say(self.document.title), "title")]
        lines.append(("", self.say(self.document.subtitle), "grey"))
        if made:
            lines.append((self.say(Text("制成日期", "Made on")), f"{made:%Y-%m-%d}", "words"))
        lines += [line for block in blocks.walk(self.document.blocks) for line in self._lines(block, names)]
        lines += [("", self.say(text), "grey") for text in blocks.credits_of(self.document)]
        sheet = self._sheet(self._own("说明", "About"))
        sheet.set_column(0, 0, 28)
        sheet.set_column(1, 1, _COVER)
        for row, (left, right, look) in enumerate(lines):
            if look != "title":
                sheet.set_row(row, _LINE * max(1, math.ceil(2 * wide(right) / _COVER)))
            sheet.write_string(row, 0, left, self.looks["grey"])
            sheet.write_string(row, 1, right, self.looks[look])

    def _lines(self, block: Block, names: dict[str, str]) -> list[_Line]:
        sheet = self.say(Text("工作表：", "Sheet: "))
        match block:
            case Section():
                return [("", self.say(block.title), "section")]
            case Paragraph():
                word = self.say(Text("注意", "Caution")) if block.tone == "caution" else ""
                return [(word, self.say(block.text), "strong" if block.tone == "lead" else "words")]
            case KeyFigures():
                notes = (f" · {self.say(figure.note)}" if figure.note else "" for figure in block.figures)
                return [
                    (self.say(figure.name), _fitting(self.say(figure.value) + note), "strong")
                    for figure, note in zip(block.figures, notes, strict=True)
                ]
            case Figure():
                return [
                    (self.say(Text("图", "Figure")), self.say(block.title), "strong"),
                    ("", self.say(block.subtitle), "grey"),
                    ("", sheet + names[block.table.id], "grey"),
                ]
            case Table():
                name = self.say(Text("表", "Table"))
                return [(name, self.say(block.title), "strong"), ("", sheet + names[block.id], "grey")]

    def _own(self, zh: str, en: str) -> str:
        return self._name(Table("", Text(zh, en), (), (), Text("", "")))

    def _table(self, table: Table, name: str) -> None:
        """Title, source and note above; heads that stay, filter, rows; on another sheet what one does not hold."""
        slots = self._slots(table)
        formats = [self._format(slot.column) for slot in slots]
        above = [self.say(table.title), self._source(table), *([self.say(table.note)] if table.note else [])]
        top = len(above) + 1
        room = MOST_ROWS - top - 1
        for start in range(0, max(len(table.rows), 1), room):
            sheet = self._sheet(name if not start else self._name(table))
            for index, (line, look) in enumerate(zip(above, ("strong", "line", "line"), strict=False)):
                sheet.write_string(index, 0, line, self.looks[look])
            for index, slot in enumerate(slots):
                sheet.write_string(top, index, slot.head, self.looks["head"])
                sheet.set_column(index, index, self._width(table, slot))
            end = min(start + room, len(table.rows))
            for at in range(start, end):
                row = check_row(table, at)
                for index, slot in enumerate(slots):
                    self._write(sheet, top + 1 + at - start, index, row[slot.index], slot, formats[index])
            sheet.freeze_panes(top + 1, 0)
            sheet.repeat_rows(top)
            if slots:
                sheet.autofilter(top, 0, top + max(end - start, 1), len(slots) - 1)

    def _slots(self, table: Table) -> list[_Slot]:
        slots = []
        for index, column in enumerate(table.columns):
            head = self.say(column.title)
            if any(isinstance(row[index], Text) for row in table.rows if index < len(row)):
                names = _COLUMN_NAMES[self.language]
                slots += [_Slot(index, column, language, head + names[language]) for language in LANGUAGES]
            else:
                slots.append(_Slot(index, column, None, head))
        return slots

    def _source(self, table: Table) -> str:
        as_of = visible(table.as_of)
        when = Text(f" · 截至 {as_of}", f" · as of {as_of}") if as_of else None
        return _fitting(self.say(Text("来源：", "Source: ")) + self.say(table.source) + self.say(when))

    def _format(self, column: Column) -> Any:
        key = (column.kind, column.digits)
        if key not in self.formats:
            self.formats[key] = self.book.add_format({"num_format": _number_format(*key), "valign": "top"})
        return self.formats[key]

    def _width(self, table: Table, slot: _Slot) -> float:
        """Wide enough for the first rows, within bounds."""
        language = slot.language or self.language
        shown = (
            cell(row[slot.index], slot.column.kind, language, slot.column.digits) for row in islice(table.rows, _SAMPLE)
        )
        longest = max((2 * wide(each) for each in shown), default=0.0)
        return min(max(longest + 2, min(2 * wide(slot.head) + 4, 24.0), 8.0), 60.0)

    def _write(self, sheet: Worksheet, row: int, column: int, value: Cell, slot: _Slot, look: Any) -> None:
        if isinstance(value, Text):
            value = value.get(slot.language or self.language)
        if value is None or (isinstance(value, float) and math.isnan(value)):
            return
        if isinstance(value, bool):
            sheet.write_boolean(row, column, value, look)
        elif isinstance(value, str):
            sheet.write_string(row, column, _fitting(visible(value)), look)
        elif abs(value) < (_EXACT if isinstance(value, int) else _LARGEST):
            sheet.write_number(row, column, value, look)
        else:
            sheet.write_string(row, column, cell(value, slot.column.kind, self.language), look)

    def _lineage(self) -> None:
        sheet = self._sheet(self._own("方法与来源", "Method and lineage"))
        sheet.set_column(0, 0, 28)
        sheet.set_column(1, 1, 90)
        of = self.document.lineage
        sheet.write_string(0, 0, self.say(lineage.TITLE), self.looks["strong"])
        sheet.write_string(0, 1, self.say(lineage.introduction(of)), self.looks["words"])
        for row, fact in enumerate(lineage.facts(of), 2):
            told = "\n".join(part for part in (self.say(fact.words), _fitting(visible(fact.code))) if part)
            sheet.write_string(row, 0, self.say(fact.name), self.looks["grey"])
            sheet.write_string(row, 1, _fitting(told), self.looks["code"])


def _units(text: str, most: int) -> str:
    """The beginning of a text, at most so many UTF-16 units."""
    return text.encode("utf-16-le")[: 2 * most].decode("utf-16-le", "ignore")


def _number_format(kind: Kind, digits: int) -> str:
    """How Excel shall show a kind of column: as `jiqun.report.formats` writes it, the number itself kept."""
    decimals = f".{'0' * digits}" if digits else ""
    formats: dict[Kind, str] = {
        "integer": "#,##0",
        "number": f"#,##0{decimals}",
        "ratio": f'[>=10]"×"#,##0;"×"0{decimals}',
        "share": f"0{decimals}%",
        "probability": '[=0]0;[<0.0005]"<0.001";0.000',
        "code": "@",
        "text": "General",
    }
    return formats[kind]
