"""Excel workbooks 电子表格: which sheets, where the header is, and the rows as text.

The reader (calamine) builds a dense grid in memory, so that a single cell far out would take all of it: how far a sheet
reaches is told first, by `workbook`.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import fastexcel
import polars as pl

from jiqun.core.document import Text
from jiqun.core.errors import InputError
from jiqun.core.remarks import Remark
from jiqun.core.schema import Schema
from jiqun.intake.columns import HeaderRows, find_header, match_columns, plain, recognise
from jiqun.intake.delimited import header_notes
from jiqun.intake.read import (
    REFUSED,
    SHEET_ROWS,
    Batch,
    Reading,
    as_text,
    batches_of,
    iter_slices,
    unique_headers,
)
from jiqun.intake.template import TITLES
from jiqun.intake.workbook import Contents, Extent, contents, refuse_area

# what they log about columns without values would reach the terminal
for _name in ("fastexcel", "calamine"):
    logging.getLogger(_name).addHandler(logging.NullHandler())

ALL_ALIKE = "*"
"""Instead of the name of a sheet: the one whose header fits best, and all others that have what the table requires."""
_SHEET_HEADER = "工作表"
_PREVIEW = 40


@dataclass(frozen=True)
class _Candidate:
    name: str
    header: HeaderRows
    height: int
    visible: bool

    @property
    def first(self) -> int:
        """The row in which its data begin, from 0."""
        return self.header.first + self.header.depth + self.header.after

    @property
    def rows(self) -> int:
        """How many rows it has below its header."""
        return max(0, self.height - self.first)

    @property
    def describes(self) -> bool:
        """Whether it is the sheet of a template that describes the columns."""
        return tuple(filter(None, self.header.cells)) in TITLES.values()

    def alike(self, other: _Candidate) -> bool:
        """Whether two sheets have the same headers, in whatever order."""
        return {plain(c) for c in self.header.cells if c.strip()} == {plain(c) for c in other.header.cells if c.strip()}


@dataclass(frozen=True)
class _Table:
    """The data of a sheet: its columns by header, and what merged areas made of it."""

    frame: pl.DataFrame
    headers: tuple[str, ...]
    headings: tuple[int, ...]
    filled: int
    across: int


def open_excel(
    path: Path, schema: Schema, mapping: Sequence[tuple[str, str]] = (), *, sheet: str | None = None
) -> Reading:
    """The sheet of a workbook 工作表 whose header knows most of the table's attributes, or the one named.

    Hidden sheets are read only if they are named. `ALL_ALIKE` takes every sheet that has the required attributes, in
    the same units, one after the other: columns of one meaning are one column, whatever their headers; another tells from
    which sheet a row is, and row numbers go on from `SHEET_ROWS`.

    Raises
    ------
    InputError
        JQ-FILE-003: a header and nothing else; 006: no such sheet; and as `workbook.contents`.
    """
    book = contents(path)
    reader = _reader(path)
    candidates = _candidates(reader, path, book, schema, mapping, sheet)
    shown = [candidate for candidate in candidates if candidate.visible] or candidates
    best = max(shown, key=lambda candidate: candidate.header.recognised)
    meanings = {candidate.name: _meanings(candidate, schema, mapping) for candidate in shown}
    alike = [candidate for candidate in shown if candidate.alike(best) and candidate.rows]
    joined = [candidate for candidate in shown if candidate.rows and meanings[candidate.name].join(meanings[best.name])]
    taken = joined if sheet == ALL_ALIKE and joined else [best]
    if not any(candidate.rows for candidate in taken):
        recognise(unique_headers(best.header.cells), schema, mapping)  # a wrong header is the greater news
        raise InputError("JQ-FILE-003", file=path.name, headers=", ".join(filter(None, best.header.cells)))
    first = _table(reader, path, taken[0], book)
    notes = [*_sheet_note(best, shown, schema, chosen=sheet is not None)]
    notes += header_notes(best.header.first, best.header.depth, best.header.after)
    if first.filled:
        notes.append(
            Text(
                f"{first.filled} 处合并单元格的值填入其各行",
                f"{first.filled} merged areas: their value stands in each of their rows",
            )
        )
    if book.since_1904:
        notes.append(Text("日期自 1904 年起计，已照此换算", "days are counted from 1904 on, and read so"))
    several = len(taken) > 1
    keys: tuple[str, ...] = ()
    headers = first.headers
    if several:
        keys, named = _together([meanings[candidate.name] for candidate in taken], mapping)
        headers = unique_headers([*named, _SHEET_HEADER])
    left_out = [c.name for c in candidates if not c.visible and c not in taken]
    others = [c for c in alike if c not in taken]
    unread = [c for c in shown if c.rows and not c.describes and c not in (*taken, *others)]
    remarks = [*_remarks(path.name, book, taken, left_out, others, unread, across=first.across)]

    def batches() -> Iterator[Batch]:
        before = 0
        for k, candidate in enumerate(taken):
            table = first if k == 0 else _table(reader, path, candidate, book)
            named_frame = table.frame
            if several:
                named_frame = _arranged(table, keys, meanings[candidate.name], candidate.name)
            for batch in batches_of(iter_slices(named_frame), first_row=candidate.first + 1):
                told = _without_headings(batch, table.headings, candidate.first + 1)
                yield replace(
                    told,
                    numbers=told.numbers + k * SHEET_ROWS,
                    refused=told.refused.with_columns(pl.col("row") + k * SHEET_ROWS),
                    done=before + batch.done,
                )
            before += table.frame.height

    return Reading(
        path.name,
        "excel",
        headers,
        first.frame.height + sum(candidate.rows for candidate in taken[1:]),
        batches(),
        sheet=", ".join(candidate.name for candidate in taken),
        notes=tuple(notes),
        remarks=tuple(remarks),
        sheets=tuple(candidate.name for candidate in taken) if several else (),
        since_1904=book.since_1904,
    )


def sheet_names(path: Path) -> list[str]:
    """The names of a workbook's sheets, hidden ones too."""
    return _reader(path).sheet_names


def _candidates(
    reader: fastexcel.ExcelReader,
    path: Path,
    book: Contents,
    schema: Schema,
    mapping: Sequence[tuple[str, str]],
    sheet: str | None,
) -> list[_Candidate]:
    """The sheets that hold anything: all of them, or the one named."""
    names = reader.sheet_names if sheet in {None, ALL_ALIKE} else [str(sheet)]
    if names[0] not in reader.sheet_names:
        raise InputError("JQ-FILE-006", file=path.name, value=sheet, known=", ".join(reader.sheet_names))
    candidates = []
    for name in names:
        if name in book.sheets:
            refuse_area(path, name, book.sheets[name])
        found = _candidate(reader, path, name, schema, mapping)
        if found is not None:
            candidates.append(found)
    if not candidates:
        raise InputError("JQ-FILE-002", file=path.name)
    return candidates


def _reader(path: Path) -> fastexcel.ExcelReader:
    try:
        return fastexcel.read_excel(path)
    except fastexcel.FastExcelError as error:
        raise _damaged(path, error) from error


def _damaged(path: Path, error: fastexcel.FastExcelError) -> InputError:
    reason = str(error).partition("\n")[0][:200]
    if "password" in reason.lower():
        return InputError("JQ-FILE-008", file=path.name)
    return InputError("JQ-FILE-007", file=path.name, reason=reason)


def _load(
    reader: fastexcel.ExcelReader, path: Path, sheet: str, *, skip: int, rows: int | None = None
) -> fastexcel.ExcelSheet:
    # a column that holds an unusual error has no type of its own; as text it is read all the same
    kinds: tuple[Literal["string"] | None, ...] = ("string",) if rows is not None else (None, "string")
    for kind in kinds:
        try:
            return reader.load_sheet(
                sheet, header_row=None, skip_rows=skip, n_rows=rows, dtypes=kind, schema_sample_rows=None
            )
        except fastexcel.FastExcelError as error:
            if kind is kinds[-1]:
                raise _damaged(path, error) from error
    raise AssertionError


def _candidate(
    reader: fastexcel.ExcelReader, path: Path, name: str, schema: Schema, mapping: Sequence[tuple[str, str]]
) -> _Candidate | None:
    loaded = _load(reader, path, name, skip=0, rows=_PREVIEW)
    preview = loaded.to_polars()
    if not preview.width or preview.is_empty():
        return None
    rows = [tuple(cell or "" for cell in row) for row in preview.iter_rows()]
    if not any(cell.strip() for row in rows for cell in row):
        return None
    header = find_header(rows, schema, mapping)
    return _Candidate(name, header, loaded.total_height, loaded.visible == "visible")


def _sheet_note(best: _Candidate, candidates: list[_Candidate], schema: Schema, *, chosen: bool) -> Iterator[Text]:
    if chosen or len(candidates) == 1:
        return
    others = ", ".join(f"{c.name} ({c.header.recognised})" for c in candidates if c is not best)
    yield Text(
        f"工作表“{best.name}”：表头认出 {best.header.recognised} 个{schema.title_zh}字段，最多（其他：{others}）",
        f"sheet '{best.name}': its header knows {best.header.recognised} attributes of {schema.name}, the most (others: {others})",
    )


def _remarks(
    file: str,
    book: Contents,
    taken: list[_Candidate],
    left_out: list[str],
    others: list[_Candidate],
    unread: list[_Candidate],
    *,
    across: int,
) -> Iterator[Remark]:
    """What is odd about the workbook as a whole."""
    if unread:
        count = sum(candidate.rows for candidate in unread)
        names = ", ".join(f"{candidate.name} ({candidate.rows:,})" for candidate in unread)
        yield Remark.of("JQ-FILE-044", file=file, sheet=", ".join(c.name for c in taken), others=names, count=count)
    if others:
        count = sum(candidate.rows for candidate in others)
        names = ", ".join(candidate.name for candidate in others)
        yield Remark.of("JQ-FILE-038", file=file, sheet=taken[0].name, others=names, count=count)
    if left_out:
        yield Remark.of("JQ-FILE-035", file=file, sheets=", ".join(left_out))
    extents = [book.sheets[candidate.name] for candidate in taken if candidate.name in book.sheets]
    rows, columns = (sum(getattr(extent, what) for extent in extents) for what in ("hidden_rows", "hidden_columns"))
    if rows or columns:
        code = "JQ-FILE-039" if any(extent.filtered for extent in extents) and rows else "JQ-FILE-036"
        yield Remark.of(code, file=file, rows=rows, columns=columns)
    if book.comments:
        yield Remark.of("JQ-FILE-037", file=file, count=book.comments)
    if across:
        yield Remark.of("JQ-FILE-040", file=file, count=across)
    if len(taken) > 1:
        names = ", ".join(candidate.name for candidate in taken)
        yield Remark.of("JQ-FILE-041", file=file, sheets=names, step=SHEET_ROWS)


def _table(reader: fastexcel.ExcelReader, path: Path, candidate: _Candidate, book: Contents) -> _Table:
    extent = book.sheets.get(candidate.name)
    cells, first = candidate.header.cells, candidate.first
    frame = _with_unread(_load(reader, path, candidate.name, skip=first).to_polars(), extent, first)
    headers = _trimmed(unique_headers(_padded(cells, frame.width)), cells, frame)
    frame = frame.select(pl.nth(k) for k in headers)
    frame, headings, filled, across = _unmerged(frame, extent, first, tuple(headers))
    return _Table(frame, tuple(headers.values()), headings, filled, across)


@dataclass(frozen=True)
class _Meanings:
    """The headers of a sheet, and by what each column means (an attribute, else its header) its factor and header."""

    required: bool
    columns: dict[str, tuple[float, str]]

    def join(self, other: _Meanings) -> bool:
        """Whether rows of both can stand in one table: what is required is there, and no number has another unit."""
        both = self.columns.keys() & other.columns.keys()
        return self.required and all(self.columns[key][0] == other.columns[key][0] for key in both)


def _meanings(candidate: _Candidate, schema: Schema, mapping: Sequence[tuple[str, str]]) -> _Meanings:
    cells = candidate.header.cells
    headers = unique_headers(cells)
    columns, missing = match_columns(headers, schema, [pair for pair in mapping if pair[0] in headers])
    found: dict[str, tuple[float, str]] = {}
    for column in sorted(columns, key=lambda one: one.position):
        if cells[column.position].strip():
            known = bool(column.target) and not column.extra
            found.setdefault(column.target if known else plain(column.header), (column.factor, column.header))
    return _Meanings(not missing, found)


def _together(
    sheets: Sequence[_Meanings], mapping: Sequence[tuple[str, str]]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What the columns of several sheets mean, each once, and the header that each goes by.

    That is one that is mapped, else the first. Other headers that are mapped follow as columns without values, to be known.
    """
    mapped = [header for header, _ in mapping]
    named: dict[str, str] = {}
    for sheet in sheets:
        for key, (_, header) in sheet.columns.items():
            if key not in named or (header in mapped and named[key] not in mapped):
                named[key] = header
    there = {header for sheet in sheets for _, header in sheet.columns.values()}
    rest = [header for header in mapped if header in there and header not in named.values()]
    return (*named, *(f"\0{header}" for header in rest)), (*named.values(), *rest)


def _arranged(table: _Table, keys: Sequence[str], meanings: _Meanings, sheet: str) -> pl.DataFrame:
    """The columns of one of several sheets in the order of all, and the sheet's name."""
    places = {header: k for k, header in enumerate(table.headers)}
    columns = []
    for k, key in enumerate(keys):
        place = places.get(meanings.columns[key][1]) if key in meanings.columns else None
        if place is None:
            columns.append(pl.Series(str(k), [None], dtype=pl.String).new_from_index(0, table.frame.height))
        else:
            columns.append(table.frame.to_series(place).alias(str(k)))
    name = pl.Series(str(len(columns)), [sheet]).new_from_index(0, table.frame.height)
    filled = as_text(pl.DataFrame(columns)).select(pl.any_horizontal(pl.all().is_not_null())).to_series()
    # the name must not make a row of an empty one
    return pl.DataFrame([*columns, name.set(~filled, None)])


def _without_headings(batch: Batch, headings: Sequence[int], first_row: int) -> Batch:
    """Lines that only head those below them are no rows."""
    numbers = [first_row + k for k in headings]
    which = batch.numbers.is_in(numbers)
    if not which.any():
        return batch
    raw = batch.cells.filter(which).select(pl.concat_str(pl.all(), separator=" ", ignore_nulls=True)).to_series()
    refused = pl.DataFrame(
        {"row": batch.numbers.filter(which), "code": "JQ-DATA-034", "detail": "", "raw": raw}, schema=REFUSED
    )
    return replace(batch, cells=batch.cells.filter(~which), numbers=batch.numbers.filter(~which), refused=refused)


def _padded(cells: Sequence[str], width: int) -> list[str]:
    return [cells[k] if k < len(cells) else "" for k in range(width)]


def _trimmed(headers: Sequence[str], cells: Sequence[str], frame: pl.DataFrame) -> dict[int, str]:
    """Columns that have a header or any content."""
    padded = _padded(cells, frame.width)
    return {
        k: headers[k] for k in range(frame.width) if padded[k].strip() or frame.to_series(k).null_count() < frame.height
    }


def _with_unread(frame: pl.DataFrame, extent: Extent | None, first: int) -> pl.DataFrame:
    """Put formulas and errors that have no value where the value would be: they are then found like any, not lost."""
    if extent is None:
        return frame
    for position, by_row in extent.unread.items():
        k = position - extent.left
        cells = {row - first: text for row, text in by_row.items() if row >= first}
        if not cells or not 0 <= k < frame.width:
            continue
        if max(cells) >= frame.height:  # the reader leaves out rows that hold no value
            frame = pl.concat([frame, frame.clear(max(cells) + 1 - frame.height)])
        name = frame.columns[k]
        column = as_text(frame.select(name)).to_series().alias(name)
        empty = [row for row in cells if not (column[row] or "").strip()]
        frame = frame.with_columns(column.scatter(empty, [cells[row] for row in empty]))
    return frame


def _unmerged(
    frame: pl.DataFrame, extent: Extent | None, first: int, kept: Sequence[int]
) -> tuple[pl.DataFrame, tuple[int, ...], int, int]:
    """Give every row of an area merged downwards the area's value, which the file holds in its first cell only.

    Also: the rows that hold nothing but one value merged across columns, how many areas were filled, and how many
    others are merged across.
    """
    if extent is None:
        return frame, (), 0, 0
    places = {position + extent.left: k for k, position in enumerate(kept)}
    down: dict[int, list[tuple[int, int]]] = {}
    wide: list[int] = []
    filled = 0
    for top, bottom, left, right in extent.merged:
        top, bottom = top - first, min(bottom - first, frame.height - 1)  # noqa: PLW2901
        if top < 0 or bottom < top or left not in places or frame.to_series(places[left])[top] is None:
            continue
        if sum(left <= position <= right for position in places) > 1:
            wide.append(top)
        if bottom > top:
            down.setdefault(places[left], []).extend((row, top) for row in range(top + 1, bottom + 1))
            filled += 1
    alone = set()
    if wide:
        rows = frame.select(pl.sum_horizontal(pl.all().is_not_null())).to_series()
        alone = {row for row in wide if rows[row] == 1}
    columns = frame.get_columns()
    for k, cells in down.items():
        to, of = (list(part) for part in zip(*cells, strict=True))
        columns[k] = columns[k].scatter(to, columns[k].gather(of))
    return pl.DataFrame(columns), tuple(sorted(alone)), filled, len(wide) - len(alone)
