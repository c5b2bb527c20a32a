"""Tables that a user gives to the diagnosis 诊断用表: plans and policy texts, tags of industries, frontier scores.

Files and pasted rows are read as a load reads them: encoding, delimiter, sheet and header are found out, headers in Chinese
or English. Then every row is judged, and what is wrong is told for each cell. A table with a bad row is not taken.
Nothing here knows a workspace; what is kept stands in `jiqun.assess.given_records`.
"""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Iterator
from csv import writer
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal, get_args

import polars as pl
import xlsxwriter

from jiqun.assess.ailments.risks import TAGS
from jiqun.core.document import Text
from jiqun.core.errors import InputError, Language
from jiqun.core.schema import Attribute, Schema, schemas
from jiqun.core.text import visible
from jiqun.intake.check import choices
from jiqun.intake.columns import Column, match_columns
from jiqun.intake.desk import open_source
from jiqun.intake.import_records import called
from jiqun.intake.read import Batch, Reading, open_frame, source_kind
from jiqun.intake.template import headers as template_headers
from jiqun.intake.values import numbers
from jiqun.taxonomy.tables import digital_entries

TableName = Literal["plans", "tags", "frontier"]
NAMES: tuple[TableName, ...] = get_args(TableName)
BY_FINDING: dict[str, TableName] = {
    "homogeneity.plans": "plans", "balance.tags": "tags", "governance.frontier": "frontier"
}  # fmt: skip
"""The findings that are unknown for want of a table."""
PAGE = "assess/diagnosis/given"
"""Where tables are given, below the console's address."""
MOST_BYTES = 2_000_000
"""Of a file, of what is pasted, and of a table as it is kept."""
MOST_ROWS = 5_000
LONGEST_TEXT = 300_000
"""Characters of one plan; a national five-year plan has about 65,000."""
LONGEST_NAME = 200
"""Characters of a region or unit."""
SHOWN = 80
_TYPES: dict[str, Any] = {"string": pl.String, "code": pl.String, "number": pl.Float64}
_UNSEEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200b\u202a-\u202e\u2066-\u2069\ufeff\ufffe\uffff]")
_EDITION = re.compile(r"(?i)^digital-2021:\s*")
_TEXT = Text("文字", "text")
_SOME = Text(f"不超过 {LONGEST_NAME} 字的名称", f"a name of at most {LONGEST_NAME} characters")
EXPECTED: dict[str, Text] = {
    "region": _SOME,
    "unit": _SOME,
    "text": Text(f"正文，不超过 {LONGEST_TEXT:,} 字", f"the text, of at most {LONGEST_TEXT:,} characters"),
    "code": Text(
        "数字经济分类 2021 的代码，如 01、0105、010507",
        "a code of the 2021 digital classification, such as 01, 0105, 010507",
    ),
    "tag": Text("传统、新兴、未来，或留空", "traditional, emerging or future, or nothing"),
    "score": Text("0 至 1 的数，如 0.85 或 85%", "a number from 0 to 1, such as 0.85 or 85%"),
    "low": Text("不大于上限的数，与上限同填或同空", "a number not above the upper bound; both or neither"),
    "high": Text("不小于下限的数，与下限同填或同空", "a number not below the lower bound; both or neither"),
}
"""What a cell may be, by column."""


@dataclass(frozen=True)
class Wrong:
    """One cell that cannot be taken 问题单元格: where it stands, what stands there, and the error that says what to do."""

    row: int
    column: str
    value: str
    error: InputError


@dataclass(frozen=True)
class Read:
    """A table as it was read: its good rows, everything wrong, and how many rows say nothing (codes without a tag)."""

    table: TableName
    frame: pl.DataFrame
    source: str
    wrong: tuple[Wrong, ...] = ()
    untagged: int = 0
    notes: tuple[Text, ...] = field(default=())

    def good(self) -> pl.DataFrame:
        """The rows, if all of them can be taken.

        Raises
        ------
        InputError
            JQ-ASSESS-140: rows are bad; tells how many and the first. JQ-ASSESS-149: nothing is in it.
        """
        if self.wrong:
            first = self.wrong[0].error
            told = {"zh": _short(first, "zh"), "en": _short(first, "en")}
            rows = len({one.row for one in self.wrong})
            raise InputError("JQ-ASSESS-140", file=self.source, count=rows, first=told)
        if self.frame.is_empty():
            raise InputError("JQ-ASSESS-149", file=self.source)
        return self.frame


def _short(error: InputError, language: Language) -> str:
    return " ".join(error.render(language).partition(" ")[2].split())


def described(table: TableName) -> Schema:
    """The columns of a table, from its schema."""
    return schemas("given")[table]


def empty(table: TableName) -> pl.DataFrame:
    """A table without rows."""
    return pl.DataFrame(schema={one.name: _TYPES[one.type] for one in described(table).attributes})


def framed(table: TableName, rows: Any) -> pl.DataFrame:
    """Rows as they are kept, a list of cells each, as a frame."""
    return pl.DataFrame(rows, schema=empty(table).schema, orient="row")


def digest(frame: pl.DataFrame) -> str:
    """Digest of a table's rows and their order 摘要; its first digits name a version."""
    return hashlib.sha256(frame.write_json().encode()).hexdigest()


def read_file(table: TableName, path: Path, *, name: str) -> Read:
    """A file as people keep it 读取文件: CSV in any usual encoding, or Excel; `name` is what its sender calls it.

    Raises
    ------
    InputError
        JQ-FILE-…: it cannot be read. JQ-ASSESS-144: it is too large. JQ-ASSESS-148: a column is missing.
    """
    with called(name):
        source_kind(path)  # says so where it is not there, or no table at all
        if path.stat().st_size > MOST_BYTES:
            raise too_large(name, path.stat().st_size)
        return _read(table, open_source(path, described(table), (), sheet=None, encoding=None).called(name))


def read_text(table: TableName, text: str, *, name: str) -> Read:
    r"""Pasted rows 粘贴的行, with their header: from a spreadsheet, or CSV; errors as for `read_file`.

    Examples
    --------
    >>> told = read_text("tags", "代码\t标签\n0105\t新兴\n1\t传统\n", name="pasted")
    >>> told.frame.rows(), told.wrong
    ([('0105', 'emerging'), ('01', 'traditional')], ())
    """
    content = text.encode("utf-8", "replace")
    if not text.strip():
        raise InputError("JQ-ASSESS-149", file=name)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "pasted.csv"
        path.write_bytes(content)
        return read_file(table, path, name=name)


def read_rows(table: TableName, rows: Any, *, name: str) -> Read:
    """Rows as a dataframe, or as one dictionary a row; errors as for `read_file`.

    Examples
    --------
    >>> told = read_rows("frontier", [{"unit": "c0001", "score": 1.5}, {"unit": "c0002", "score": 0.5}], name="rows")
    >>> told.frame.rows(), [(one.row, one.column, one.error.code) for one in told.wrong]
    ([('c0002', 0.5, None, None)], [(1, 'score', 'JQ-ASSESS-142')])
    """
    frame = rows if isinstance(rows, pl.DataFrame) else pl.DataFrame(rows, infer_schema_length=None)
    if frame.is_empty():
        raise InputError("JQ-ASSESS-149", file=name)
    return _read(table, open_frame(frame).called(name))


def too_large(name: str, size: int) -> InputError:
    """JQ-ASSESS-144: more bytes than are taken."""
    told = f"{size / 1e6:.1f} MB", f"{MOST_BYTES / 1e6:g} MB"
    return InputError("JQ-ASSESS-144", file=name, size=told[0], most=told[1])


def _read(table: TableName, reading: Reading) -> Read:
    schema = described(table)
    columns, missing = match_columns(reading.headers, schema)
    if missing:
        raise InputError(
            "JQ-ASSESS-148", file=reading.name, missing=", ".join(one.name for one in missing),
            headers=", ".join(visible(one)[:40] for one in reading.headers[:12]),
            expected=", ".join(f"{one.aliases[0]} {one.name}" for one in schema.attributes),
        )  # fmt: skip
    by = {one.target: one for one in columns if one.why in {"name", "alias"}}
    judge = _Judge(table, reading.name, by)
    for batch in reading.batches:
        judge.see(batch)
    frame = framed(table, judge.rows)
    return Read(table, frame, reading.name, tuple(judge.wrong), judge.untagged, reading.notes)


class _Judge:
    """Judges rows one after the other; what is wrong with one cell does not hide what is wrong with the next."""

    def __init__(self, table: TableName, file: str, columns: dict[str, Column]) -> None:
        self._table, self._file, self._columns = table, visible(file), columns
        self._attributes = described(table).attributes
        self._key = {"plans": ("region", "text"), "tags": ("code",), "frontier": ("unit",)}[table]
        self._seen: dict[tuple[Any, ...], int] = {}
        self.rows: list[tuple[Any, ...]] = []
        self.wrong: list[Wrong] = []
        self.untagged = 0
        self._read = 0

    def see(self, batch: Batch) -> None:
        """Take the rows of a batch that can be taken."""
        self._read += batch.cells.height + batch.refused.height
        if self._read > MOST_ROWS:
            told = {"zh": f"超过 {MOST_ROWS:,} 行", "en": f"more than {MOST_ROWS:,} rows"}
            most = {"zh": f"{MOST_ROWS:,} 行", "en": f"{MOST_ROWS:,} rows"}
            raise InputError("JQ-ASSESS-144", file=self._file, size=told, most=most)
        for row, value in batch.refused.select("row", "raw").iter_rows():
            self._tell(row, "—", value or "", Text("与表头一样多的单元格", "as many cells as the header has"))
        cells = {
            one.name: self._cells(batch, one) if one.name in self._columns else [None] * batch.cells.height
            for one in self._attributes
        }
        for place, row in enumerate(batch.numbers):
            self._row(row, {name: values[place] for name, values in cells.items()})

    def _cells(self, batch: Batch, attribute: Attribute) -> list[Any]:
        column = self._columns[attribute.name]
        texts = batch.cells.to_series(column.position)
        if attribute.type != "number":
            return [_clean(text, lines=attribute.name == "text") for text in texts]
        stripped = texts.str.strip_chars()
        stripped = stripped.set(stripped.is_in(["", "NA", "N/A", "—", "-", "nan", "NaN", "null"]), None)
        values = numbers(stripped, attribute, column.factor).values
        return [text if value is None else value for text, value in zip(stripped, values, strict=True)]

    def _row(self, row: int, cells: dict[str, Any]) -> None:
        before = len(self.wrong)
        if self._table == "tags" and cells["tag"] is None and cells["code"] is not None:
            self.untagged += 1
            return
        told = {name: self._cell(row, name, value) for name, value in cells.items()}
        if self._table == "frontier" and len(self.wrong) == before:
            self._interval(row, told)
        key = tuple(told[name] for name in self._key)
        if None not in key:
            first = self._seen.setdefault(key, row)
            if first != row:
                error = InputError(
                    "JQ-ASSESS-143", file=self._file, row=row, column=self._header(self._key[0]), other=first,
                    value=str(key[0])[:SHOWN],
                )  # fmt: skip
                self.wrong.append(Wrong(row, self._header(self._key[0]), str(key[0])[:SHOWN], error))
        if len(self.wrong) == before:
            self.rows.append(tuple(told.values()))

    def _cell(self, row: int, name: str, value: Any) -> Any:
        """A cell's value; None where it is empty or wrong, which is told."""
        required = next(one.required for one in self._attributes if one.name == name)
        if value is None:
            if required or name == "tag":
                self._tell(row, name, "", EXPECTED[name])
            return None
        found = _JUDGES[name](value)
        if found is None:
            self._tell(row, name, str(value), EXPECTED[name])
        return found

    def _interval(self, row: int, told: dict[str, Any]) -> None:
        low, high = told["low"], told["high"]
        if (low is None) != (high is None):
            name = "low" if low is None else "high"
            self._tell(row, name, "", EXPECTED[name])
        elif low is not None and low > high:
            self._tell(row, "low", f"{low:g} > {high:g}", EXPECTED["low"])

    def _header(self, name: str) -> str:
        return visible(self._columns[name].header) if name in self._columns else name

    def _tell(self, row: int, name: str, value: str, expected: Text) -> None:
        column = self._header(name)
        shown = visible(value[: SHOWN + 1])
        shown = f"{shown[:SHOWN]}…" if len(shown) > SHOWN else shown
        code = "JQ-ASSESS-142" if value else "JQ-ASSESS-141"
        may = {"zh": expected.zh, "en": expected.en}
        error = InputError(code, file=self._file, row=row, column=column, value=shown, expected=may)
        self.wrong.append(Wrong(row, column, shown, error))


def _clean(text: str | None, *, lines: bool) -> str | None:
    """A cell without what acts unseen, and without blanks at its ends; None where nothing is left."""
    if text is None:
        return None
    text = _UNSEEN.sub("", text).replace("\r\n", "\n").replace("\r", "\n")
    text = text.encode("utf-8", "replace").decode()
    if not lines:
        text = " ".join(text.split())
    return text.strip() or None


def _name(value: str) -> str | None:
    """A region or unit; a formula is none."""
    return None if len(value) > LONGEST_NAME or value.startswith(("=", "＝")) else value


def _text(value: str) -> str | None:
    return value if len(value) <= LONGEST_TEXT else None


def _code(value: str) -> str | None:
    """A code with the zero that a spreadsheet took from it."""
    code = _EDITION.sub("", value)
    code = f"0{code}" if code.isascii() and code.isdecimal() and len(code) % 2 else code
    return code if code in digital_entries() else None


def _tag(value: str) -> str | None:
    words = {word: tag for tag in TAGS for word in (tag, *choices()[tag])}
    return words.get(value.casefold())


def _share(value: Any) -> float | None:
    return float(value) if isinstance(value, float) and 0 <= value <= 1 else None


def _bound(value: Any) -> float | None:
    return float(value) if isinstance(value, float) and 0 <= value < float("inf") else None


_JUDGES: dict[str, Any] = {
    "region": _name, "unit": _name, "text": _text, "code": _code, "tag": _tag, "score": _share, "low": _bound, "high": _bound,
}  # fmt: skip


def one_plan(region: str, text: str) -> tuple[pl.DataFrame, dict[str, InputError]]:
    """The text of one region as a table of one row, or what is wrong by field 单篇文本.

    Examples
    --------
    >>> one_plan(" 湖北 ", "做强光电子信息")[0].rows(), list(one_plan("", "x" * 300_001)[1])
    ([('湖北', '做强光电子信息')], ['region', 'text'])
    """
    wrong: dict[str, InputError] = {}
    told: dict[str, str | None] = {}
    for name, given in (("region", region), ("text", text)):
        value = _clean(given, lines=name == "text")
        told[name] = _JUDGES[name](value) if value else None
        if told[name] is None:
            may = {"zh": EXPECTED[name].zh, "en": EXPECTED[name].en}
            shown = visible((value or "")[:SHOWN]) or "—"
            title = {"zh": described("plans")[name].aliases[0], "en": name.capitalize()}
            wrong[name] = InputError("JQ-ASSESS-032", what=title, value=shown, expected=may)
    return (empty("plans") if wrong else framed("plans", [tuple(told.values())])), wrong


def template(table: TableName, form: Literal["csv", "xlsx"], language: Language) -> bytes:
    """A table to fill in 模板, with headers that are recognised. That of tags lists every class, so that one column is left."""
    schema = described(table)
    heads = template_headers(schema, language)
    rows = list(_rows(table, language))
    if table == "tags":
        heads = (*heads, "名称" if language == "zh" else "name")
    if form == "csv":
        out = io.StringIO(newline="")
        writer(out).writerows([heads, *rows])
        return out.getvalue().encode("utf-8-sig")
    made = io.BytesIO()
    book = xlsxwriter.Workbook(made, {"in_memory": True, "strings_to_formulas": False})
    sheet, as_text = book.add_worksheet("1"), book.add_format({"num_format": "@"})
    for place, head in enumerate(heads):
        kind = schema.attributes[place].type if place < len(schema.attributes) else "string"
        wide = 60 if head in {"text", "文本", "name", "名称"} else 16
        sheet.set_column(place, place, wide, as_text if kind == "code" else None)
        sheet.write_string(0, place, head)
    for line, row in enumerate(rows, 1):
        for place, cell in enumerate(row):
            if cell:
                sheet.write_string(line, place, cell)
    if table == "tags":
        words = [choices()[tag][0] if language == "zh" else tag for tag in TAGS]
        sheet.data_validation(1, 1, MOST_ROWS, 1, {"validate": "list", "source": words})
    sheet.freeze_panes(1, 0)
    book.close()
    return made.getvalue()


def _rows(table: TableName, language: Language) -> Iterator[tuple[str, ...]]:
    """The rows that a template holds: of tags one for each class of the classification, without a tag."""
    if table != "tags":
        return
    for code, entry in sorted(digital_entries().items()):
        if len(code) == 6:
            yield code, "", entry.name_zh if language == "zh" else entry.name_en
