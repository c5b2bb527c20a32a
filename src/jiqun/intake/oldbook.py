"""What a workbook in the old binary format holds 旧格式工作簿 (.xls): the same as `workbook` tells of the new one.

Only records are walked through; cells are read by the reader. Source: [MS-CFB] 2.2–2.6, [MS-XLS] 2.4.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

_SIGNATURE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_ENTRY = 128
_LAST_SECTOR = 0xFFFFFFFA
_IN_HEADER = 109
_STREAMS = ("Workbook", "Book")
_ROOT = 5

_BOF, _EOF, _FILEPASS, _DATE1904, _BOUNDSHEET = 0x0809, 0x000A, 0x002F, 0x0022, 0x0085
_ROW, _COLINFO, _MERGED, _NOTE, _FILTER = 0x0208, 0x007D, 0x00E5, 0x001C, 0x009B
_BOOLERR, _FORMULA = 0x0205, 0x0006
_VALUES = frozenset({0x0203, 0x0204, 0x00FD, 0x027E, 0x00BD, 0x0205, 0x0006})
"""Records of cells with a value: NUMBER, LABEL, LABELSST, RK, MULRK, BOOLERR, FORMULA."""
_ERRORS = {0x00: "#NULL!", 0x07: "#DIV/0!", 0x0F: "#VALUE!", 0x17: "#REF!", 0x1D: "#NAME?", 0x24: "#NUM!"}
"""#N/A is what people write for nothing, and stays nothing."""


class OldBookError(ValueError):
    """Not such a file, or a damaged one."""


@dataclass
class OldSheet:
    """What stands in a sheet; rows and columns from 0, but of hidden columns the first and last from 1."""

    rows: int = 0
    columns: int = 0
    left: int = 1 << 14
    merged: list[tuple[int, int, int, int]] = field(default_factory=list)
    unread: dict[int, dict[int, str]] = field(default_factory=dict)
    hidden_rows: int = 0
    hidden_columns: list[tuple[int, int]] = field(default_factory=list)
    filtered: bool = False


@dataclass
class OldBook:
    """A workbook's sheets by name, and what is said of it as a whole."""

    sheets: dict[str, OldSheet] = field(default_factory=dict)
    since_1904: bool = False
    encrypted: bool = False
    comments: int = 0


def old_book(content: bytes) -> OldBook:
    """What the bytes of an .xls hold.

    Raises
    ------
    OldBookError
        No compound file, or one without a workbook.
    """
    try:
        stream = _Compound(content).stream(_STREAMS)
    except (struct.error, IndexError) as error:
        raise OldBookError(str(error)) from error
    book, starts = OldBook(), {}
    for kind, body in _records(stream, 0):
        if kind == _FILEPASS:
            book.encrypted = True
            return book
        if kind == _DATE1904:
            book.since_1904 = body[:1] == b"\1"
        elif kind == _BOUNDSHEET and len(body) > 7:  # the fixed part of the record
            wide = body[7] & 1
            text = body[8 : 8 + body[6] * (1 + wide)]
            starts[text.decode("utf-16-le" if wide else "latin-1", "replace")] = int.from_bytes(body[:4], "little")
    for name, start in starts.items():
        book.sheets[name] = _sheet(stream, start, book)
    return book


def _sheet(stream: bytes, start: int, book: OldBook) -> OldSheet:
    sheet = OldSheet()
    for kind, body in _records(stream, start):
        if kind in _VALUES and len(body) >= 6:
            row, column = struct.unpack_from("<HH", body)
            last = int.from_bytes(body[-2:], "little") if kind == 0x00BD else column
            sheet.rows, sheet.columns = max(sheet.rows, row + 1), max(sheet.columns, last + 1)
            sheet.left = min(sheet.left, column)
            said = _error(kind, body)
            if said:
                sheet.unread.setdefault(column, {})[row] = said
        elif kind == _ROW and len(body) >= 16:
            sheet.hidden_rows += bool(body[12] & 0x20)
        elif kind == _COLINFO and len(body) >= 10 and body[8] & 1:
            first, last = struct.unpack_from("<HH", body)
            sheet.hidden_columns.append((first + 1, last + 1))
        elif kind == _MERGED:
            places = struct.iter_unpack("<HHHH", body[2 : 2 + len(body[2:]) // 8 * 8])
            sheet.merged += [(top, bottom, left, right) for top, bottom, left, right in places]
        elif kind == _NOTE:
            book.comments += 1
        sheet.filtered |= kind == _FILTER
    return sheet


def _error(kind: int, body: bytes) -> str:
    """What an error cell says; nothing of one that is none."""
    if kind == _BOOLERR and len(body) >= 8 and body[7]:
        return _ERRORS.get(body[6], "")
    if kind == _FORMULA and body[12:14] == b"\xff\xff" and body[6] == 2:
        return _ERRORS.get(body[8], "")
    return ""


def _records(stream: bytes, start: int) -> Iterator[tuple[int, bytes]]:
    """Kind and content of the records of one substream."""
    at, depth = start, 0
    while at + 4 <= len(stream):
        kind, size = struct.unpack_from("<HH", stream, at)
        yield kind, stream[at + 4 : at + 4 + size]
        depth += (kind == _BOF) - (kind == _EOF)
        if depth <= 0:
            return
        at += 4 + size


class _Compound:
    """A compound file: streams in chains of sectors."""

    def __init__(self, content: bytes) -> None:
        if not content.startswith(_SIGNATURE):
            raise OldBookError("signature")
        self._content = content
        self._size = 1 << struct.unpack_from("<H", content, 30)[0]
        self._directory, self._small, self._mini, _, more = struct.unpack_from("<IxxxxIIII", content, 48)
        places = _numbers(content[76 : 76 + 4 * _IN_HEADER])
        while more < _LAST_SECTOR and len(places) * self._size < len(content):
            *rest, more = _numbers(self._sector(more))
            places += rest
        used = [place for place in places if place < _LAST_SECTOR]
        self._table = [entry for place in used for entry in _numbers(self._sector(place))]

    def stream(self, names: Sequence[str]) -> bytes:
        """The stream of one of the names."""
        entries = list(self._entries())
        found = next(((first, length) for name, _, first, length in entries if name in names), None)
        if found is None:
            raise OldBookError("no workbook")
        first, length = found
        if length >= self._small:
            return self._joined(first)[:length]
        root = next((first for _, kind, first, _ in entries if kind == _ROOT), _LAST_SECTOR)
        inner, table = self._joined(root), _numbers(self._joined(self._mini))
        return b"".join(inner[k * 64 : (k + 1) * 64] for k in _chain(first, table))[:length]

    def _entries(self) -> Iterator[tuple[str, int, int, int]]:
        """Name, kind, first sector and length of what it holds."""
        raw = self._joined(self._directory)
        for at in range(0, len(raw) - _ENTRY + 1, _ENTRY):
            entry = raw[at : at + _ENTRY]
            length = max(0, int.from_bytes(entry[64:66], "little") - 2)
            yield entry[:length].decode("utf-16-le", "replace"), entry[66], *struct.unpack_from("<II", entry, 116)

    def _joined(self, first: int) -> bytes:
        return b"".join(map(self._sector, _chain(first, self._table)))

    def _sector(self, number: int) -> bytes:
        return self._content[(number + 1) * self._size : (number + 2) * self._size]


def _numbers(raw: bytes) -> list[int]:
    return list(struct.unpack(f"<{len(raw) // 4}I", raw[: len(raw) // 4 * 4]))


def _chain(first: int, table: Sequence[int]) -> list[int]:
    found: list[int] = []
    while first < _LAST_SECTOR:
        found.append(first)
        if len(found) > len(table):
            raise OldBookError("chain")
        first = table[first]
    return found
