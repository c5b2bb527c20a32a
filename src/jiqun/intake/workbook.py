"""What a workbook holds 工作簿概貌, told from the XML of its parts before any reader builds a grid of it.

The extent of every sheet, its merged areas, and the cells that a reader leaves out: formulas never worked out, errors.
Everything here takes time and memory bounded by the file's size, whatever the file says of itself.
"""

from __future__ import annotations

import re
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from html import unescape
from pathlib import Path
from xml.etree.ElementTree import Element, ParseError, iterparse

from jiqun.core.errors import InputError
from jiqun.intake.oldbook import OldBookError, old_book
from jiqun.intake.read import first_bytes

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
_OLD = b"\xd0\xcf\x11\xe0"
_ENCRYPTED = "EncryptedPackage".encode("utf-16-le")
_TRUE = ("1", "true")

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
_FAILED = re.compile(
    rb"<(?:\w+:)?c\s((?>[^<>]*))(?<!/)>\s*"
    rb"(?:<(?:\w+:)?f\b(?:(?>[^<>]*)(?<=/)>|(?>[^<>]*)>[^<]*</(?:\w+:)?f>)\s*)?"
    rb"<(?:\w+:)?v\b(?>[^<>]*)>\s*(#[^<\s]{1,20})\s*</(?:\w+:)?v>"
)
_AT = re.compile(rb"""(?<![^\s])r\s*=\s*["']([A-Z]{1,3})([0-9]{1,7})["']""")
_AS_TEXT = re.compile(rb"""(?<![^\s])t\s*=\s*["']str["']""")
_AS_ERROR = re.compile(rb"""(?<![^\s])t\s*=\s*["']e["']""")
_HIDDEN = re.compile(rb"""<(?:\w+:)?(row|col)\s((?>[^<>]*?(?<=\s)hidden\s*=\s*["'](?:1|true)["'])(?>[^<>]*))>""")
_SPAN = re.compile(rb"""(?<![^\s])(min|max)\s*=\s*["']([0-9]{1,5})["']""")
_COMMENT = re.compile(rb"<(?:\w+:)?(?:comment|threadedComment)\s")
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

    `left` is the column at which the reader's grid begins, from 0. `unread` are the cells that a reader leaves out and
    what stands there, by column and row, from 0: formulas that were never worked out, and errors.
    """

    rows: int
    columns: int
    left: int
    merged: tuple[tuple[int, int, int, int], ...]
    unread: Mapping[int, Mapping[int, str]]
    hidden_rows: int = 0
    hidden_columns: int = 0
    filtered: bool = False


@dataclass(frozen=True)
class Contents:
    """How far each sheet of a workbook reaches, by name, and what is said of the workbook as a whole."""

    sheets: Mapping[str, Extent] = field(default_factory=dict)
    since_1904: bool = False
    comments: int = 0


def contents(path: Path) -> Contents:
    """What a workbook holds, whichever of its formats it is in.

    Raises
    ------
    InputError
        JQ-FILE-007: damaged or no workbook; 008: protected by a password; 009: too large an area; 020: a format other
        than xlsx, xlsm, xls; 024: too large once unpacked; 043: its end is missing.
    """
    if first_bytes(path, 4) == _OLD:
        return _old_contents(path)
    try:
        with zipfile.ZipFile(path) as archive:
            return _contents(path, archive)
    except _DAMAGE as error:
        if first_bytes(path, 2) == b"PK" and not zipfile.is_zipfile(
            path
        ):  # the list of what a zip holds stands at its end
            raise InputError("JQ-FILE-043", file=path.name) from error
        raise InputError("JQ-FILE-007", file=path.name, reason=str(error)[:200] or type(error).__name__) from error


def _old_contents(path: Path) -> Contents:
    content = path.read_bytes()
    if _ENCRYPTED in content:
        raise InputError("JQ-FILE-008", file=path.name)
    try:
        old = old_book(content)
    except OldBookError as error:
        raise InputError("JQ-FILE-007", file=path.name, reason=str(error)) from error
    if old.encrypted:
        raise InputError("JQ-FILE-008", file=path.name)
    sheets = {
        name: Extent(
            sheet.rows,
            max(sheet.columns, 1),
            min(sheet.left, max(sheet.columns - 1, 0)),
            tuple(sorted(set(sheet.merged))),
            sheet.unread,
            sheet.hidden_rows,
            _hidden_columns(sheet.hidden_columns, sheet.columns),
            sheet.filtered,
        )
        for name, sheet in old.sheets.items()
    }
    return Contents(sheets, old.since_1904, old.comments)


def _contents(path: Path, archive: zipfile.ZipFile) -> Contents:
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
            refuse_area(path, part, _survey(archive, part))
    return Contents(
        found,
        any(item.get("date1904") in _TRUE for item in _elements(archive, "xl/workbook.xml", "workbookPr")),
        sum(_comments(archive, name) for name in sorted(names) if _holds_comments(name)),
    )


def _holds_comments(name: str) -> bool:
    folder, _, file = name.rpartition("/")
    return folder in {"xl", "xl/comments"} and file.startswith("comments") and file.endswith(".xml")


def _comments(archive: zipfile.ZipFile, member: str) -> int:
    if archive.getinfo(member).file_size > _FREE_XML:
        return 0
    return len(_COMMENT.findall(archive.read(member)))


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


def refuse_area(path: Path, sheet: str, extent: Extent) -> None:
    """Refuse a sheet that no reader could hold."""
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
    unread: dict[int, dict[int, str]] = {}
    spans: list[tuple[int, int]] = []
    kept = hidden_rows = 0
    filtered = False
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
            for column, row, said in _left_out(text):
                unread.setdefault(column, {}).setdefault(row, said if kept < _MOST_FORMULAS else said[0] + "…")
                kept += 1
            if b"hidden" in text:
                for found in _HIDDEN.finditer(text):
                    if found.end() > len(rest):  # else it was counted with the piece before
                        hidden_rows += found[1] == b"row"
                        spans += [_span(found[2])] if found[1] == b"col" else []
            filtered = filtered or b"autoFilter" in text
            rest = text[-_OVERLAP:]
    columns = [_column(letters) for letters in seen_columns] or [1]
    areas = tuple(sorted(merged))
    hidden_columns = _hidden_columns(spans, max(columns))
    return Extent(rows, max(columns), min(columns) - 1, areas, unread, hidden_rows, hidden_columns, filtered)


def _left_out(text: bytes) -> Iterator[tuple[int, int, str]]:
    """Column, row and text of the cells that have no value."""
    for attributes, formula, value in _UNCOMPUTED.findall(text):
        place = _AT.search(attributes)
        if place is not None and not (value and _AS_TEXT.search(attributes)):  # an empty text is a value
            yield _column(place[1]) - 1, int(place[2]) - 1, _formula(formula)
    if b">#" in text:
        for attributes, said in _FAILED.findall(text):
            place = _AT.search(attributes)
            if place is not None and _AS_ERROR.search(attributes):
                yield _column(place[1]) - 1, int(place[2]) - 1, said.decode("utf-8", "replace")


def _span(attributes: bytes) -> tuple[int, int]:
    """The columns that an element speaks of, from 1."""
    ends = dict(_SPAN.findall(attributes))
    return int(ends.get(b"min", b"1")), int(ends.get(b"max", b"1"))


def _hidden_columns(spans: Iterable[tuple[int, int]], columns: int) -> int:
    """How many columns of a table are hidden; those beyond it do not count."""
    return sum(max(0, min(last, columns) - first + 1) for first, last in spans)


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
