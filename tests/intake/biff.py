"""A workbook in the old binary format 旧格式 (.xls), as few records as readers ask for.

Source: [MS-XLS] 2.1.4 and 2.4, [MS-CFB] 2.2–2.6. Written by hand, because no library of ours writes it.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence

_SECTOR = 512
_SMALLEST = 4096
_FREE, _END, _FAT = 0xFFFFFFFF, 0xFFFFFFFE, 0xFFFFFFFD


def _record(kind: int, content: bytes = b"") -> bytes:
    return struct.pack("<HH", kind, len(content)) + content


def _bof(kind: int) -> bytes:
    return _record(0x0809, struct.pack("<HHHHII", 0x0600, kind, 0x0DBB, 0x07CC, 0, 6))


def _text(text: str, length: str) -> bytes:
    return struct.pack(f"<{length}B", len(text), 1) + text.encode("utf-16-le")


def _cell(row: int, column: int, value: object) -> bytes:
    place = struct.pack("<HHH", row, column, 15)
    if isinstance(value, str) and value.startswith("#"):
        return _record(0x0205, place + struct.pack("<BB", {"#REF!": 0x17, "#NAME?": 0x1D}[value], 1))
    if isinstance(value, str):
        return _record(0x0204, place + _text(value, "H"))
    return _record(0x0203, place + struct.pack("<d", float(str(value))))


def _stream(sheets: Mapping[str, Sequence[Sequence[object]]], *, since_1904: bool, locked: bool) -> bytes:
    bodies = []
    for rows in sheets.values():
        width = max(map(len, rows), default=0)
        cells = [_cell(r, c, v) for r, row in enumerate(rows) for c, v in enumerate(row) if v is not None]
        bounds = _record(0x0200, struct.pack("<IIHHH", 0, len(rows), 0, width, 0))
        bodies.append(_bof(0x0010) + bounds + b"".join(cells) + _record(0x000A))
    head = _bof(0x0005)
    if locked:
        head += _record(0x002F, struct.pack("<HHHH", 0, 0, 0x1234, 0x5678))
    head += _record(0x0042, struct.pack("<H", 1200)) + _record(0x0022, struct.pack("<H", since_1904))
    head += b"".join(_record(0x00E0, struct.pack("<HH", 0, 0) + bytes(16)) for _ in range(16))
    names = [_text(name, "B") for name in sheets]
    at = len(head) + sum(4 + 6 + len(name) for name in names) + 4
    for name, body in zip(names, bodies, strict=True):
        head += _record(0x0085, struct.pack("<IBB", at, 0, 0) + name)
        at += len(body)
    return head + _record(0x000A) + b"".join(bodies)


def _entry(name: str, kind: int, start: int, size: int, child: int = -1) -> bytes:
    text = name.encode("utf-16-le")
    return struct.pack(
        "<64sHBBiii16sIQQIQ", text, len(text) + 2, kind, 1, -1, -1, child, bytes(16), 0, 0, 0, start, size
    )


def workbook(
    sheets: Mapping[str, Sequence[Sequence[object]]], *, since_1904: bool = False, locked: bool = False
) -> bytes:
    """The file. A text that begins with # is an error; `locked` only says that what follows is encrypted."""
    stream = _stream(sheets, since_1904=since_1904, locked=locked)
    stream = stream.ljust(max(_SMALLEST, -(-len(stream) // _SECTOR) * _SECTOR), b"\0")
    sectors = len(stream) // _SECTOR
    assert sectors + 2 <= _SECTOR // 4, "one sector of the allocation table"
    fat = [_FAT, _END, *range(3, 2 + sectors), _END]
    table = struct.pack(f"<{_SECTOR // 4}I", *fat, *[_FREE] * (_SECTOR // 4 - len(fat)))
    directory = _entry("Root Entry", 5, _END, 0, child=1) + _entry("Workbook", 2, 2, len(stream)) + bytes(256)
    header = struct.pack(
        "<8s16sHHHHHHIIIIIIIIII", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", bytes(16), 0x3E, 3, 0xFFFE, 9, 6, 0, 0, 0, 1, 1,
        0, _SMALLEST, _END, 0, _END, 0,
    )  # fmt: skip
    return (header + struct.pack("<109I", 0, *[_FREE] * 108)) + table + directory + stream
