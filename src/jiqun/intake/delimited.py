"""CSV and its relatives 分隔文本: encoding, delimiter, header, then records as fast as the disk gives them.

Records are told apart here, byte by byte, and only well-formed ones are handed to Polars: so a ragged line or a
quote that is never closed costs its own row and no other, and its text is kept.
"""

from __future__ import annotations

import codecs
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO, Protocol

import numpy as np
import polars as pl

from jiqun.core.document import Text
from jiqun.core.errors import InputError, UsageError
from jiqun.core.remarks import Remark
from jiqun.core.schema import Schema
from jiqun.intake import _kernels
from jiqun.intake.columns import find_header
from jiqun.intake.read import REMARKED, Batch, Reading, ahead, no_refused, unique_headers, without_blank

DELIMITERS = (",", "\t", ";", "|")

_SAMPLE = 1 << 20
_PIECE = 1 << 22
_BLOCK = 64 << 20
_MOST_ROWS = 750_000
_LONGEST = 1 << 20
"""A record may have this many bytes; a longer one is taken for a quote that was never closed."""
_RAW = 100_000
"""So many characters of a refused record are kept."""
_HEAD_RECORDS = 60
_NOT_TEXT = frozenset({"idna", "punycode", "raw-unicode-escape", "undefined", "unicode-escape"})
"""Codecs that Python counts among encodings although no file is written in them."""
_MARKS = (  # a mark of UTF-32 begins with one of UTF-16
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_DAMAGED = 4
"""Characters that fit UTF-8 for each that does not: fewer, and the text is in another encoding."""
MIXED = "utf-8 / gb18030"
_HANZI_UTF8 = re.compile(rb"(?:[\xe4-\xe9][\x80-\xbf]{2}){3,}")
"""Three Chinese characters in UTF-8; as GB18030 these bytes are hardly ever written, since every third is a rare one."""
_EAST_ASIAN = "\u2000"
_MOST_BAD = 0.1
"""A share of lines in neither encoding; more, and the file is in a third one or no text."""
_OTHER, _BAD = "\x1a", "\x1b"
"""What ends a line that was read as GB18030 among UTF-8, and one that cannot be decoded; no cell keeps either."""


@dataclass(frozen=True)
class Encoding:
    """How a text file is written, and how many bytes its mark takes; of a mixed one, how many lines are in which."""

    name: str
    mark: int = 0
    utf8: int = 0
    other: int = 0
    bad: int = 0
    line: int = 0


def detect_encoding(path: Path) -> Encoding:
    """The encoding of a whole file 编码识别: UTF-8 if every byte fits, else GB18030 if every byte fits.

    Else each line is told for itself (`MIXED`), as long as nearly all are in one or the other.

    Raises
    ------
    InputError
        JQ-FILE-004: neither fits, with the first offset at which GB18030 fails; 005: not what its mark says, or UTF-8
        but for too many lines, with the offset of the first.
    """
    with path.open("rb") as file:
        head = file.read(4)
    for mark, name in _MARKS:
        if head.startswith(mark):
            # the decoders of UTF-16 and UTF-32 read the mark themselves
            found = Encoding(name, len(mark) if name == "utf-8" else 0)
            failed = _first_failure(path, found)
            if failed is not None:
                raise InputError("JQ-FILE-005", file=path.name, encoding=name.upper(), offset=failed)
            return found
    failed = _first_failure(path, Encoding("utf-8"))
    if failed is None:
        return Encoding("utf-8")
    code, name = ("JQ-FILE-005", "UTF-8") if _mostly_utf8(path, failed) else ("JQ-FILE-004", "")
    if not name:
        failed = _first_failure(path, Encoding("gb18030"))
        if failed is None and not _holds_utf8(path):
            return Encoding("gb18030")
    mixed = _mixed(path)
    if mixed.bad > _MOST_BAD * (mixed.utf8 + mixed.other + mixed.bad):
        raise InputError(code, file=path.name, encoding=name, offset=failed)
    return mixed


def _mixed(path: Path) -> Encoding:
    """How many lines are in which encoding; those of ASCII only are in neither's favour."""
    utf8 = other = bad = line = lines = 0
    with path.open("rb") as file:
        for block in _whole_lines(file):
            for raw in block.splitlines(keepends=True):
                lines += 1
                if raw.isascii():
                    continue
                _, mark = _decoded(raw)
                utf8, other, bad = utf8 + (not mark), other + (mark == _OTHER), bad + (mark == _BAD)
                line = line or (lines if mark else 0)
    return Encoding(MIXED, 0, utf8, other, bad, line)


def _holds_utf8(path: Path) -> bool:
    """Whether a file every byte of which fits GB18030 has lines in UTF-8 all the same, to be read as nonsense."""
    with path.open("rb") as file:
        for block in _whole_lines(file):
            for found in _HANZI_UTF8.finditer(block):
                begin, end = block.rfind(b"\n", 0, found.start()) + 1, block.find(b"\n", found.end())
                text, mark = _decoded(block[begin : end if end >= 0 else len(block)])
                if not mark and all(c < "\x80" or c >= _EAST_ASIAN for c in text):
                    return True
    return False


def _whole_lines(file: _Readable) -> Iterator[bytes]:
    """A file in pieces that end with a line."""
    rest = b""
    while piece := file.read(_PIECE):
        whole, line_end, rest = (rest + piece).rpartition(b"\n")
        if len(rest) > _BLOCK:  # no text with lines
            whole, line_end, rest = whole + line_end + rest, b"", b""
        yield whole + line_end
    yield rest


def _decoded(raw: bytes) -> tuple[str, str]:
    """A line as text, and what it is marked with: nothing if it is UTF-8."""
    try:
        return raw.decode("utf-8"), ""
    except UnicodeDecodeError:
        text = raw.decode("utf-8", "replace")
    wrong = text.count("\ufffd")
    right = sum(character > "\x7f" for character in text) - wrong
    if right <= _DAMAGED * wrong:
        try:
            return raw.decode("gb18030"), _OTHER
        except UnicodeDecodeError:
            pass
    return text, _BAD


def stated_encoding(path: Path, name: str) -> Encoding:
    """The encoding that the user states, once every byte fits it."""
    try:
        found = codecs.lookup(name)
    except (LookupError, ValueError):
        found = None
    # the codecs that turn bytes into bytes, such as zlib, are told apart by this attribute only
    text = found is not None and getattr(found, "_is_text_encoding", True) and found.incrementaldecoder is not None
    if found is None or not text or found.name in _NOT_TEXT:
        raise UsageError("JQ-USE-001", what="encoding", value=name, known="utf-8, gb18030, big5, utf-16 …")
    encoding = Encoding(found.name)
    failed = _first_failure(path, encoding)
    if failed is not None:
        raise InputError("JQ-FILE-005", file=path.name, encoding=name, offset=failed)
    return encoding


def _first_failure(path: Path, encoding: Encoding) -> int | None:
    decoder = codecs.getincrementaldecoder(encoding.name)("strict")
    at = encoding.mark
    with path.open("rb") as file:
        file.seek(at)
        while True:
            piece = file.read(_PIECE)
            pending = len(decoder.getstate()[0])
            try:
                text = decoder.decode(piece, final=not piece)
                if encoding.name != "utf-8":
                    text.encode()  # some decoders let lone surrogates pass
            except UnicodeDecodeError as error:
                return at - pending + error.start
            except UnicodeError:  # no mark where there must be one, or a surrogate
                return at - pending
            if not piece:
                return None
            at += len(piece)


def _mostly_utf8(path: Path, failed: int) -> bool:
    """Whether the text around an offset is UTF-8 with a few wrong bytes: Chinese text in GB18030 hardly ever fits."""
    with path.open("rb") as file:
        file.seek(max(0, failed - _SAMPLE // 2))
        text = file.read(_SAMPLE).decode("utf-8", "replace")
    wrong = text.count("\ufffd")
    right = sum(character > "\x7f" for character in text) - wrong
    return right > _DAMAGED * wrong


class _Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


class _AsUtf8:
    """A file in another encoding, read as UTF-8."""

    def __init__(self, file: BinaryIO, encoding: str) -> None:
        self._file = file
        self._decoder = codecs.getincrementaldecoder(encoding)("strict")

    def read(self, size: int) -> bytes:
        while True:
            piece = self._file.read(size)
            text = self._decoder.decode(piece, final=not piece)
            if text or not piece:
                return text.encode().removeprefix(codecs.BOM_UTF8)


class _LineByLine:
    """A file of mixed encodings, read as UTF-8; lines that are not carry a mark at their end."""

    def __init__(self, file: BinaryIO) -> None:
        self._blocks = _whole_lines(file)

    def read(self, size: int) -> bytes:
        found = []
        while size > 0 and (block := next(self._blocks, None)) is not None:
            try:
                block.decode("utf-8")
            except UnicodeDecodeError:
                block = b"".join(map(self._line, block.splitlines(keepends=True)))
            found.append(block)
            size -= len(block)
        return b"".join(found)

    @staticmethod
    def _line(raw: bytes) -> bytes:
        text, mark = _decoded(raw)
        content = text.rstrip("\r\n")
        return (content + mark + text[len(content) :]).encode()


class _LineFeeds:
    """Text of old Macs, whose lines end with a carriage return only."""

    def __init__(self, stream: _Readable) -> None:
        self._stream = stream

    def read(self, size: int) -> bytes:
        return self._stream.read(size).replace(b"\r", b"\n")


@dataclass(frozen=True)
class _Layout:
    delimiter: str
    old_mac: bool
    headers: tuple[str, ...]
    begin: int
    first_row: int
    notes: tuple[Text, ...]


def open_delimited(
    path: Path, schema: Schema, mapping: Sequence[tuple[str, str]] = (), *, encoding: str | None = None
) -> Reading:
    """A CSV file 分隔文本: what it is written in, its headers, and its rows.

    Raises
    ------
    InputError
        JQ-FILE-002: nothing in it; 003: a header and nothing else; 004, 005: encoding.
    """
    found = stated_encoding(path, encoding) if encoding else detect_encoding(path)
    with path.open("rb") as file:
        layout = _layout(_stream(file, found, old_mac=False).read(_SAMPLE), path, schema, mapping)
    remarks = []
    if found.name == MIXED:
        counts = {name: getattr(found, name) for name in ("utf8", "other", "bad", "line")}
        remarks.append(Remark.of("JQ-FILE-032", file=path.name, **counts))
    note = Text(
        f"编码 {found.name.upper()}，分隔符 {_shown(layout.delimiter)}",
        f"{found.name.upper()}, separated by {_shown(layout.delimiter)}",
    )
    return Reading(
        path.name,
        "csv",
        layout.headers,
        path.stat().st_size,
        ahead(_batches(path, found, layout)),
        notes=(note, *layout.notes),
        remarks=tuple(remarks),
    )


def _stream(file: BinaryIO, encoding: Encoding, *, old_mac: bool) -> _Readable:
    file.seek(encoding.mark)
    if encoding.name == MIXED:
        stream: _Readable = _LineByLine(file)
    else:
        stream = file if encoding.name == "utf-8" else _AsUtf8(file, encoding.name)
    return _LineFeeds(stream) if old_mac else stream


def _shown(delimiter: str) -> str:
    return {"\t": "Tab"}.get(delimiter, delimiter)


def _layout(sample: bytes, path: Path, schema: Schema, mapping: Sequence[tuple[str, str]]) -> _Layout:
    old_mac = b"\n" not in sample and b"\r" in sample
    if old_mac:
        sample = sample.replace(b"\r", b"\n")
    best = None
    for delimiter in DELIMITERS:
        spans = _spans(sample, delimiter)
        rows = [split_record(_unmarked(sample[a:b].decode("utf-8", "replace")), delimiter) for a, b, _ in spans]
        widths = Counter(len(row) for row in rows if any(row))
        if not widths:
            continue
        width, share = widths.most_common(1)[0]
        header = find_header(rows, schema, mapping)
        rank = (header.recognised, width > 1, share, width)
        if best is None or rank > best[0]:
            best = rank, delimiter, header, spans
    if best is None:
        raise InputError("JQ-FILE-002", file=path.name)
    _, delimiter, header, spans = best
    last = header.first + header.depth + header.after - 1
    if last + 1 >= len(spans) and len(spans) < _HEAD_RECORDS:
        raise InputError("JQ-FILE-003", file=path.name, headers=", ".join(header.cells))
    return _Layout(
        delimiter,
        old_mac,
        unique_headers(header.cells),
        spans[last][2],
        last + 2,
        header_notes(header.first, header.depth, header.after),
    )


def header_notes(first: int, depth: int, after: int) -> tuple[Text, ...]:
    """What to say where the header is not simply row 1."""
    notes = []
    if first:
        notes.append(
            Text(
                f"表头在第 {first + 1} 行，其上 {first} 行略过",
                f"header in row {first + 1}; {first} rows above it passed over",
            )
        )
    if depth > 1:
        notes.append(Text(f"表头占 {depth} 行，合并读取", f"header of {depth} rows read as one"))
    if after:
        notes.append(Text(f"表头下 {after} 行重复表头，略过", f"{after} rows below the header repeat it; passed over"))
    return tuple(notes)


def _unmarked(text: str) -> str:
    return text.rstrip(_OTHER + _BAD)


def _spans(sample: bytes, delimiter: str) -> list[tuple[int, int, int]]:
    """Start, end and following byte of the first records."""
    buffer = np.frombuffer(sample, dtype=np.uint8)
    starts, ends, counts = (np.empty(_HEAD_RECORDS, dtype=np.int64) for _ in range(3))
    states = np.empty(_HEAD_RECORDS, dtype=np.uint8)
    found, after, _ = _kernels.scan_records(
        buffer, 0, buffer.size, ord(delimiter), 0, _LONGEST, True, starts, ends, counts, states
    )
    following = [*starts[1:found].tolist(), after][:found]  # a mark and nothing after it has no record
    return list(zip(starts[:found].tolist(), ends[:found].tolist(), following, strict=True))


def split_record(record: str, delimiter: str) -> list[str]:
    """The fields of one record, forgiving about quotes: what stands after a closing quote is kept.

    Examples
    --------
    >>> split_record('a,"b ""c"", d" e,5" disk', ",")
    ['a', 'b "c", d e', '5" disk']
    """
    fields = []
    at = 0
    while True:
        text = ""
        if record.startswith('"', at):
            at += 1
            while True:
                close = record.find('"', at)
                if close < 0:
                    text, at = text + record[at:], len(record)
                    break
                text, at = text + record[at:close], close + 1
                if not record.startswith('"', at):
                    break
                text, at = text + '"', at + 1
        stop = record.find(delimiter, at)
        if stop < 0:
            fields.append(text + record[at:])
            return fields
        fields.append(text + record[at:stop])
        at = stop + 1


def _batches(path: Path, encoding: Encoding, layout: _Layout) -> Iterator[Batch]:
    fields = len(layout.headers)
    starts, ends, counts = (np.empty(_MOST_ROWS, dtype=np.int64) for _ in range(3))
    states = np.empty(_MOST_ROWS, dtype=np.uint8)
    row = layout.first_row
    with closing(path.open("rb")) as file:
        stream = _stream(file, encoding, old_mac=layout.old_mac)
        buffer = np.frombuffer(stream.read(_BLOCK), dtype=np.uint8)
        at, final = layout.begin, False
        while True:
            found, after, controlled = _kernels.scan_records(
                buffer, at, buffer.size, ord(layout.delimiter), fields, _LONGEST, final, starts, ends, counts, states
            )
            if found:
                numbers = np.arange(row, row + found)
                records = _Records(
                    buffer,
                    numbers,
                    starts[:found],
                    ends[:found],
                    counts[:found],
                    states[:found],
                    layout.delimiter,
                    fields,
                )
                batch = records.batch(after, plain=not controlled, done=file.tell())
                yield _told_apart(batch) if encoding.name == MIXED else batch
                row, at = row + found, after
            elif final:
                return
            else:
                block = np.frombuffer(stream.read(_BLOCK), dtype=np.uint8)
                buffer, at, final = np.concatenate((buffer[at:], block)), 0, not block.size


def _told_apart(batch: Batch) -> Batch:
    """Rows that cannot be decoded are no rows; those in the other encoding are remarked on."""
    marked = {mark: _with_mark(batch.cells, mark) for mark in (_OTHER, _BAD)}
    bad, other = marked[_BAD], marked[_OTHER] & ~marked[_BAD]
    text = batch.cells.select(pl.concat_str(pl.all(), separator=", ", ignore_nulls=True)).to_series()
    text = text.str.replace_all(f"[{_OTHER}{_BAD}]", "")
    lost = pl.DataFrame(
        {
            "row": batch.numbers.filter(bad),
            "code": "JQ-DATA-039",
            "detail": "",
            "raw": text.filter(bad).str.slice(0, _RAW),
        },
        schema=no_refused().schema,
    )
    # the first cell is enough to see whether it reads well; others may hold what is nobody's business
    lead = batch.cells.to_series(0).str.replace_all(f"[{_OTHER}{_BAD}]", "").filter(other)
    odd = {"row": batch.numbers.filter(other), "code": "JQ-DATA-038", "detail": lead}
    return replace(
        batch,
        cells=batch.cells.filter(~bad),
        numbers=batch.numbers.filter(~bad),
        refused=pl.concat([batch.refused, lost]).sort("row"),
        remarked=pl.DataFrame(odd, schema=REMARKED),
    )


def _with_mark(cells: pl.DataFrame, mark: str) -> pl.Series:
    found = pl.any_horizontal(pl.all().str.contains(mark, literal=True).fill_null(value=False))
    return cells.select(found.alias("found"))["found"]


@dataclass(frozen=True)
class _Records:
    buffer: _kernels.Bytes
    numbers: _kernels.Ints
    starts: _kernels.Ints
    ends: _kernels.Ints
    counts: _kernels.Ints
    states: _kernels.Bytes
    delimiter: str
    fields: int

    def batch(self, after: int, *, plain: bool, done: int) -> Batch:
        good = self.states == _kernels.GOOD
        odd = np.flatnonzero(self.states == _kernels.ODD)
        if good.all():
            content: bytes | memoryview = self.buffer[self.starts[0] : after].data
        else:
            content = _kernels.join_records(self.buffer, self.starts[good], self.ends[good]).data
        numbers = self.numbers[good]
        cells = self._parsed(bytes(content), np.flatnonzero(good))
        refused, spare = self._refused()
        if odd.size or spare.size:
            extra = np.sort(np.concatenate((odd, spare)))
            cells = pl.concat([cells, self._one_by_one(extra)])
            numbers = np.concatenate((numbers, self.numbers[extra]))
            order = np.argsort(numbers, kind="stable")
            cells, numbers = cells[order], numbers[order]
        height = cells.height
        cells, kept = without_blank(cells, pl.Series("row", numbers, dtype=pl.Int64))
        blank = int((self.states == _kernels.BLANK).sum()) + height - cells.height
        return Batch(cells, kept, refused, blank, plain, done)

    def _parsed(self, content: bytes, which: _kernels.Ints) -> pl.DataFrame:
        schema = {str(k): pl.String for k in range(self.fields)}
        if not which.size:
            return pl.DataFrame(schema=schema)
        try:
            frame = pl.read_csv(
                content, has_header=False, schema=schema, separator=self.delimiter, quote_char='"', infer_schema=False
            )
        except pl.exceptions.PolarsError:
            frame = None
        # Polars must see the records that were counted here; where it does not, each is parsed alone
        return frame if frame is not None and frame.height == which.size else self._one_by_one(which)

    def _text(self, k: int) -> str:
        return self.buffer[self.starts[k] : self.ends[k]].tobytes().decode("utf-8", "replace")

    def _one_by_one(self, which: _kernels.Ints) -> pl.DataFrame:
        padding = [""] * self.fields
        rows = [(split_record(self._text(int(k)), self.delimiter) + padding)[: self.fields] for k in which]
        return pl.DataFrame(rows, schema={str(k): pl.String for k in range(self.fields)}, orient="row")

    def _refused(self) -> tuple[pl.DataFrame, _kernels.Ints]:
        """Records that are no rows; and those that are but for empty fields at the end."""
        bad = np.flatnonzero((self.states == _kernels.RAGGED) | (self.states == _kernels.UNCLOSED))
        if not bad.size:
            return no_refused(), bad
        spare, rows = [], []
        for k in bad:
            text = self._text(int(k))
            if self.states[k] == _kernels.RAGGED:
                fields = split_record(text, self.delimiter)
                if not any(field.strip() for field in fields):
                    spare.append(k)  # nothing but white space: a blank row
                    continue
                if len(fields) > self.fields and not any(field.strip() for field in fields[self.fields :]):
                    spare.append(k)
                    continue
            code = "JQ-DATA-002" if self.states[k] == _kernels.RAGGED else "JQ-DATA-003"
            rows.append((int(self.numbers[k]), code, f"{self.counts[k]} / {self.fields}", text[:_RAW]))
        refused = pl.DataFrame(rows, schema=no_refused().schema, orient="row") if rows else no_refused()
        return refused, np.array(spare, dtype=np.int64)
