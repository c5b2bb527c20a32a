"""Excel workbooks 电子表格: which sheet, where its header is, and its rows as text.

The reader (calamine) builds a dense grid in memory, so that a single cell far out would take all of it: a sheet's
extent is surveyed first, in the file's own XML.
"""

from __future__ import annotations

import logging
import re
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import unescape
from pathlib import Path
from typing import Literal
from xml.etree.ElementTree import Element, ParseError, iterparse

import fastexcel
import polars as pl

from jiqun.core.document import Text
from jiqun.core.errors import InputError
from jiqun.core.schema import Schema
from jiqun.intake.columns import HeaderRows, find_header, recognise
from jiqun.intake.delimited import header_notes
from jiqun.intake.read import Batch, Reading, as_text, batches_of, first_bytes, iter_slices, unique_headers

# what they log about columns without values would reach the terminal
for _name in ("fastexcel", "calamine"):
    logging.getLogger(_name).addHandler(logging.NullHandler())

_PREVIEW = 40
_LARGEST_AREA = 50_000_000
"""Cells in the rectangle that holds everything; more would take gigabytes."""
_MEGABYTE = 1 << 20
_LARGEST_XML = 1024 * _MEGABYTE
_FREE_XML = 50 * _MEGABYTE
_MOST_TIMES = 200
"""A workbook may unpack to so many bytes; beyond `_FREE_XML`, to so many times its size."""
_LARGEST_INDEX = 8 * _MEGABYTE
"""The parts that only list the sheets are never so large."""
_PIECE = 1 << 22
_OVERLAP = 1 << 16
"""Longer than any cell with its formula."""
_MOST_FORMULAS = 100_000
"""The text of so many formulas is kept; of those beyond, only where they stand."""
_LONGEST_FORMULA = 200
_RELATIONS = "xl/_rels/workbook.xml.rels"
_ENCRYPTED = "EncryptedPackage".encode("utf-16-le")

# Each takes time linear in the text: what may repeat never matches where it ends, or is not tried again.
_PLACE = rb"""(?>[^<>]*?(?<=\s)r\s*=\s*["']([A-Z]{1,3})([0-9]{1,7})["'])"""
_FILLED = re.compile(rb"<(?:\w+:)?c\s" + _PLACE + rb"(?>[^<>]*)(?<!/)>")
_MERGED = re.compile(
    rb"""<(?:\w+:)?mergeCell\s(?>[^<>]*?(?<=\s)ref\s*=\s*["']([A-Z]{1,3})([0-9]{1,7}):([A-Z]{1,3})([0-9]{1,7})["'])"""
)
_UNCOMPUTED = re.compile(
    rb"<(?:\w+:)?c\s((?>[^<>]*))(?<!/)>\s*"
    rb"<(?:\w+:)?f\b(?:(?>[^<>]*)(?<=/)>|(?>[^<>]*)>([^<]*)</(?:\w+:)?f>)\s*"
    rb"(<(?:\w+:)?v\b(?:(?>[^<>]*)(?<=/)>|(?>[^<>]*)>\s*</(?:\w+:)?v>)\s*)?"
    rb"</(?:\w+:)?c>"
)
_AT = re.compile(rb"""(?<![^\s])r\s*=\s*["']([A-Z]{1,3})([0-9]{1,7})["']""")
_AS_TEXT = re.compile(rb"""(?<![^\s])t\s*=\s*["']str["']""")
_DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    ParseError,
    OSError,
    EOFError,
    NotImplementedError,
    RuntimeError,
    LookupError,
)


@dataclass(frozen=True)
class Extent:
    """How far a sheet reaches: last row and columns, from 1, and merged areas as (top, bottom, left, right), from 0.

    `left` is the column at which the reader's grid begins, from 0. `formulas` are those that were never worked out,
    by column and row, from 0.
    """

    rows: int
    columns: int
    left: int
    merged: tuple[tuple[int, int, int, int], ...]
    formulas: Mapping[int, Mapping[int, str]]


@dataclass(frozen=True)
class _Candidate:
    name: str
    header: HeaderRows
    height: int


def open_excel(
    path: Path, schema: Schema, mapping: Sequence[tuple[str, str]] = (), *, sheet: str | None = None
) -> Reading:
    """The sheet of a workbook 工作表 whose header knows most of the table's attributes, or the one named.

    Raises
    ------
    InputError
        JQ-FILE-003: a header and nothing else; 006: no such sheet; 007: damaged or no workbook; 008: protected by a
        password; 009: too large an area; 020: a format other than xlsx, xlsm, xls; 024: too large once unpacked.
    """
    extents = _extents(path)
    reader = _reader(path)
    if sheet is not None and sheet not in reader.sheet_names:
        raise InputError("JQ-FILE-006", file=path.name, value=sheet, known=", ".join(reader.sheet_names))
    candidates = []
    for name in [sheet] if sheet is not None else reader.sheet_names:
        extent = extents.get(name)
        if extent:
            _refuse_area(path, name, extent)
        found = _candidate(reader, path, name, schema, mapping)
        if found is not None:
            candidates.append(found)
    if not candidates:
        raise InputError("JQ-FILE-002", file=path.name)
    best = max(candidates, key=lambda candidate: candidate.header.recognised)
    header = best.header
    first = header.first + header.depth + header.after
    if best.height <= first:
        recognise(unique_headers(header.cells), schema, mapping)  # a wrong header is the greater news
        raise InputError("JQ-FILE-003", file=path.name, headers=", ".join(filter(None, header.cells)))
    frame = _with_formulas(_load(reader, path, best.name, skip=first), extents.get(best.name), first)
    headers = _trimmed(unique_headers(_padded(header.cells, frame.width)), header.cells, frame)
    frame = frame.select(pl.nth(k) for k in headers)
    names = tuple(headers.values())
    notes = [*_sheet_note(best, candidates, schema, chosen=sheet is not None)]
    notes += header_notes(header.first, header.depth, header.after)
    frame, filled = _unmerged(frame, extents.get(best.name), first, tuple(headers))
    if filled:
        notes.append(
            Text(
                f"{filled} 处合并单元格的值填入其各行",
                f"{filled} merged areas: their value stands in each of their rows",
            )
        )

    def batches() -> Iterator[Batch]:
        yield from batches_of(iter_slices(frame), first_row=first + 1)

    return Reading(path.name, "excel", names, frame.height, batches(), sheet=best.name, notes=tuple(notes))


def _reader(path: Path) -> fastexcel.ExcelReader:
    try:
        return fastexcel.read_excel(path)
    except fastexcel.FastExcelError as error:
        raise InputError("JQ-FILE-007", file=path.name, reason=str(error).partition("\n")[0][:200]) from error


def _load(reader: fastexcel.ExcelReader, path: Path, sheet: str, *, skip: int, rows: int | None = None) -> pl.DataFrame:
    kinds: Literal["string"] | None = "string" if rows is not None else None
    try:
        loaded = reader.load_sheet(
            sheet, header_row=None, skip_rows=skip, n_rows=rows, dtypes=kinds, schema_sample_rows=None
        )
        return loaded.to_polars()
    except fastexcel.FastExcelError as error:
        raise InputError("JQ-FILE-007", file=path.name, reason=str(error).partition("\n")[0][:200]) from error


def _candidate(
    reader: fastexcel.ExcelReader, path: Path, name: str, schema: Schema, mapping: Sequence[tuple[str, str]]
) -> _Candidate | None:
    preview = _load(reader, path, name, skip=0, rows=_PREVIEW)
    if not preview.width or preview.is_empty():
        return None
    rows = [tuple(cell or "" for cell in row) for row in preview.iter_rows()]
    if not any(cell.strip() for row in rows for cell in row):
        return None
    return _Candidate(name, find_header(rows, schema, mapping), preview.height)


def _sheet_note(best: _Candidate, candidates: list[_Candidate], schema: Schema, *, chosen: bool) -> Iterator[Text]:
    if chosen or len(candidates) == 1:
        return
    others = ", ".join(f"{c.name} ({c.header.recognised})" for c in candidates if c is not best)
    yield Text(
        f"工作表“{best.name}”：表头认出 {best.header.recognised} 个{schema.title_zh}字段，最多（其他：{others}）",
        f"sheet '{best.name}': its header knows {best.header.recognised} attributes of {schema.name}, the most (others: {others})",
    )


def _padded(cells: Sequence[str], width: int) -> list[str]:
    return [cells[k] if k < len(cells) else "" for k in range(width)]


def _trimmed(headers: Sequence[str], cells: Sequence[str], frame: pl.DataFrame) -> dict[int, str]:
    """Columns that have a header or any content."""
    padded = _padded(cells, frame.width)
    return {
        k: headers[k] for k in range(frame.width) if padded[k].strip() or frame.to_series(k).null_count() < frame.height
    }


def _with_formulas(frame: pl.DataFrame, extent: Extent | None, first: int) -> pl.DataFrame:
    """Put formulas that have no value where the value would be: they are then found like any formula, not lost."""
    if extent is None:
        return frame
    for position, by_row in extent.formulas.items():
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


def _unmerged(frame: pl.DataFrame, extent: Extent | None, first: int, kept: Sequence[int]) -> tuple[pl.DataFrame, int]:
    """Give every row of an area merged downwards the area's value, which the file holds in its first cell only."""
    if extent is None:
        return frame, 0
    filled = 0
    places = {position + extent.left: k for k, position in enumerate(kept)}
    columns = frame.get_columns()
    for top, bottom, left, right in extent.merged:
        top, bottom = top - first, bottom - first  # noqa: PLW2901
        if left != right or bottom <= top or top < 0 or left not in places or bottom >= frame.height:
            continue
        column = columns[places[left]]
        if column[top] is not None:
            columns[places[left]] = column.scatter(list(range(top + 1, bottom + 1)), column[top])
            filled += 1
    return (pl.DataFrame(columns), filled) if filled else (frame, 0)


def _extents(path: Path) -> dict[str, Extent]:
    """Extent of every sheet of an xlsx; a file in the old binary format cannot hold a large one."""
    if first_bytes(path, 4) == b"\xd0\xcf\x11\xe0":
        with path.open("rb") as file:
            if _ENCRYPTED in file.read():
                raise InputError("JQ-FILE-008", file=path.name)
        return {}
    try:
        with zipfile.ZipFile(path) as archive:
            names = set(archive.namelist())
            if "xl/workbook.xml" not in names:
                raise InputError("JQ-FILE-020", file=path.name)
            _refuse_size(path, sum(info.file_size for info in archive.infolist()), _LARGEST_XML)
            for index in names & {"xl/workbook.xml", _RELATIONS}:
                _refuse_size(path, archive.getinfo(index).file_size, _LARGEST_INDEX)
            parts = {sheet: part for sheet, part in _parts(archive) if part in names}
            found = {sheet: _survey(archive, part) for sheet, part in parts.items()}
            for part in sorted(names - set(parts.values())):
                # one that the reader may find where this does not
                if part.startswith("xl/worksheets/") and part.endswith(".xml"):
                    _refuse_area(path, part, _survey(archive, part))
            return found
    except _DAMAGE as error:
        raise InputError("JQ-FILE-007", file=path.name, reason=str(error)[:200] or type(error).__name__) from error


def _refuse_size(path: Path, size: int, limit: int) -> None:
    times = size // max(path.stat().st_size, 1)
    if size > limit or (size > _FREE_XML and times > _MOST_TIMES):
        raise InputError(
            "JQ-FILE-024",
            file=path.name,
            size=-(-size // _MEGABYTE),
            ratio=times,
            limit=limit // _MEGABYTE,
            free=_FREE_XML // _MEGABYTE,
            most=_MOST_TIMES,
        )


def _refuse_area(path: Path, sheet: str, extent: Extent) -> None:
    if extent.rows * extent.columns > _LARGEST_AREA:
        raise InputError("JQ-FILE-009", file=path.name, sheet=sheet, rows=extent.rows, columns=extent.columns)


def _parts(archive: zipfile.ZipFile) -> Iterator[tuple[str, str]]:
    """Sheet names and the archive members that hold them."""
    targets = {item.get("Id", ""): item.get("Target", "") for item in _elements(archive, _RELATIONS, "Relationship")}
    for item in _elements(archive, "xl/workbook.xml", "sheet"):
        target = targets.get(next((value for name, value in item.items() if name.endswith("}id")), ""), "")
        yield item.get("name", ""), target.lstrip("/") if target.startswith("/") else f"xl/{target}"


def _elements(archive: zipfile.ZipFile, member: str, tag: str) -> Iterator[Element]:
    if member not in archive.namelist():
        return
    with archive.open(member) as file:
        for _, element in iterparse(file):  # noqa: S314  # expat bounds entity expansion
            if element.tag.rpartition("}")[2] == tag:
                yield element
            element.clear()


def _survey(archive: zipfile.ZipFile, member: str) -> Extent:
    rows = 0
    seen_columns: set[bytes] = set()
    merged: set[tuple[int, int, int, int]] = set()
    formulas: dict[int, dict[int, str]] = {}
    kept = 0
    with archive.open(member) as file:
        rest = b""
        while piece := file.read(_PIECE):
            text = rest + piece
            cells = _FILLED.findall(text)
            if cells:
                letters, numbers = zip(*cells, strict=True)
                seen_columns.update(letters)
                rows = max(rows, *map(int, set(numbers)))
            for left, top, right, bottom in _MERGED.findall(text):
                merged.add((int(top) - 1, int(bottom) - 1, _column(left) - 1, _column(right) - 1))
            for attributes, formula, value in _UNCOMPUTED.findall(text):
                place = _AT.search(attributes)
                if place is None or (value and _AS_TEXT.search(attributes)):  # an empty text is a value
                    continue
                by_row = formulas.setdefault(_column(place[1]) - 1, {})
                by_row.setdefault(int(place[2]) - 1, _formula(formula) if kept < _MOST_FORMULAS else "=…")
                kept += 1
            rest = text[-_OVERLAP:]
    columns = [_column(letters) for letters in seen_columns] or [1]
    return Extent(rows, max(columns), min(columns) - 1, tuple(sorted(merged)), formulas)


def _formula(text: bytes) -> str:
    # the cells of a shared formula but for the first have no text of their own
    return "=" + (unescape(text[: 2 * _LONGEST_FORMULA].decode("utf-8", "ignore"))[:_LONGEST_FORMULA] or "…")


def _column(letters: bytes) -> int:
    """Column number of its letters, from 1.

    Examples
    --------
    >>> _column(b"A"), _column(b"AB")
    (1, 28)
    """
    number = 0
    for letter in letters:
        number = number * 26 + letter - 64
    return number
