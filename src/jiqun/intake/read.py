"""A file or dataframe 输入, whatever it is, as a stream of text batches with row numbers.

Everything arrives as text, because only the schema knows what a cell should be; numbers and dates that the
source already holds as such are written out in full precision first.
"""

from __future__ import annotations

import codecs
import stat
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, TypeVar

import narwhals as nw
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from narwhals.exceptions import NarwhalsError
from polars.exceptions import PanicException, PolarsError

from jiqun.core.document import Text
from jiqun.core.errors import InputError, UsageError
from jiqun.core.remarks import Remark
from jiqun.core.text import visible

Kind = Literal["csv", "excel", "parquet", "dataframe"]

SHEET_ROWS = 10_000_000
"""Where several sheets are read, the rows of the second are numbered from here on, those of the third from twice as far."""
BATCH_ROWS = 250_000
"""Rows per batch: large enough for column work, small enough that a few of them fit in memory."""

REFUSED = {"row": pl.Int64, "code": pl.String, "detail": pl.String, "raw": pl.String}
"""Rows that are not even rows: number, code, fields found, and the text as it stood."""


REMARKED = {"row": pl.Int64, "code": pl.String, "detail": pl.String}
"""Rows that are kept although something about them is odd: number, code, what the message adds."""


@dataclass(frozen=True)
class Batch:
    """Some rows as text. Columns of `cells` are named `0`, `1`, … in the order of `Reading.headers`.

    `numbers` are row numbers as a spreadsheet shows them: the header and blank rows count, and a row whose cells
    hold line breaks is one row. `plain` says that no cell holds a control character. `done` is in the unit of
    `Reading.total`.
    """

    cells: pl.DataFrame
    numbers: pl.Series
    refused: pl.DataFrame
    blank: int
    plain: bool
    done: int
    remarked: pl.DataFrame | None = None


@dataclass(frozen=True)
class Reading:
    """An opened source: what it is, its headers, and its rows when asked for.

    `sheets` are those read, in the order in which their rows come; `since_1904` says that serial numbers of days are.
    """

    name: str
    kind: Kind
    headers: tuple[str, ...]
    total: int | None
    batches: Iterator[Batch]
    sheet: str = ""
    notes: tuple[Text, ...] = field(default=())
    remarks: tuple[Remark, ...] = field(default=())
    sheets: tuple[str, ...] = field(default=())
    since_1904: bool = False

    def called(self, name: str | None) -> Reading:
        """The same, called as its sender calls it; None leaves it as it is."""
        if name is None or name == self.name:
            return self
        shown = visible(name)
        return replace(self, name=name, remarks=tuple(remark.called(self.name, shown) for remark in self.remarks))


_UNREADABLE = (pa.ArrowException, PolarsError, PanicException, NarwhalsError, NotImplementedError)


def no_refused() -> pl.DataFrame:
    """An empty frame of refused rows."""
    return pl.DataFrame(schema=REFUSED)


def source_kind(path: Path) -> Kind:
    """What a file is, by its first bytes rather than its name.

    Raises
    ------
    InputError
        JQ-FILE-001: not there or not readable; 002: empty; 012: of no kind that can be loaded; 015: a web page
        saved as a spreadsheet; 020: a spreadsheet in another format; 023: a pipe, socket or device.
    """
    head = first_bytes(path, 1 << 16)
    name = path.name
    if not head.removeprefix(codecs.BOM_UTF8).strip():
        raise InputError("JQ-FILE-002", file=name)
    if head.startswith(b"PAR1"):
        return "parquet"
    if head.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0")):
        return "excel"
    if (
        head.lstrip(b"\xef\xbb\xbf \t\r\n")[:200]
        .lower()
        .startswith((b"<html", b"<!doctype", b"<table", b"<?xml", b"<meta"))
    ):
        raise InputError("JQ-FILE-015", file=name)
    if head.startswith((b"\xff\xfe", b"\xfe\xff", b"\x00\x00\xfe\xff")):
        return "csv"
    if head.startswith((b"%PDF", b"\x89PNG", b"\x1f\x8b", b"\xff\xd8")) or head.count(0) * 10 > len(head):
        raise InputError("JQ-FILE-012", file=name)
    return "csv"


def first_bytes(path: Path, count: int) -> bytes:
    """The first bytes of a file, or a coded error; a pipe is not opened, since it may never answer."""
    try:
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
            raise InputError("JQ-FILE-023", file=path)
        with path.open("rb") as file:
            return file.read(count)
    except (OSError, ValueError) as error:  # ValueError: no path can be such
        raise InputError("JQ-FILE-001", file=path, reason=getattr(error, "strerror", None) or error) from error


def open_parquet(path: Path) -> Reading:
    """A Parquet file. Row 1 is its first record: there is no header row."""
    try:
        file = pq.ParquetFile(path)
        rows = file.metadata.num_rows
    except (pa.ArrowException, OSError) as error:
        raise InputError("JQ-FILE-016", file=path.name, reason=_first_line(error)) from error

    def frames() -> Iterator[pl.DataFrame]:
        try:
            for batch in file.iter_batches(batch_size=BATCH_ROWS):
                yield _polars(batch)
        except (pa.ArrowException, OSError) as error:
            raise InputError("JQ-FILE-016", file=path.name, reason=_first_line(error)) from error

    headers = tuple(map(str, file.schema_arrow.names))
    return Reading(path.name, "parquet", headers, rows, _told(path.name, batches_of(frames())))


def open_frame(source: Any) -> Reading:
    """Any dataframe that Narwhals knows: pandas, Polars, PyArrow, DuckDB, Spark … Row 1 is its first row.

    Raises
    ------
    UsageError
        JQ-FILE-021: neither a path nor a dataframe.
    InputError
        JQ-FILE-025: two columns of one name, a column of several types, or one that cannot be text.
    """
    name = "dataframe"
    try:
        native = nw.from_native(source)
        if isinstance(source, pl.LazyFrame):
            headers = tuple(source.collect_schema().names())
            lazy = batches_of(source.collect_batches(chunk_size=BATCH_ROWS))
            return Reading(name, "dataframe", headers, None, _told(name, lazy))
        eager = native.collect() if isinstance(native, nw.LazyFrame) else native
        frame = source if isinstance(source, pl.DataFrame) else _polars(eager.to_arrow())
        headers = tuple(map(str, eager.columns))
    except _UNREADABLE as error:  # some of these are type errors too
        raise InputError("JQ-FILE-025", file=name, reason=_first_line(error)) from error
    except TypeError as error:
        raise UsageError("JQ-FILE-021", type=type(source).__name__) from error
    return Reading(name, "dataframe", headers, frame.height, _told(name, batches_of(iter_slices(frame))))


def _told(name: str, batches: Iterator[Batch]) -> Iterator[Batch]:
    """The same batches; what cannot be made text is a coded error."""
    try:
        yield from batches
    except _UNREADABLE as error:
        raise InputError("JQ-FILE-025", file=name, reason=_first_line(error)) from error


def iter_slices(frame: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """A frame in pieces of a batch."""
    yield from frame.iter_slices(BATCH_ROWS)


def batches_of(frames: Iterable[pl.DataFrame], *, first_row: int = 1) -> Iterator[Batch]:
    """Typed frames as batches of text; rows without any content are counted and left out."""
    row = first_row
    for frame in frames:
        cells = as_text(frame)
        height = cells.height
        numbers = (
            pl.Series("row", range(row, row + height), dtype=pl.Int64) if height else pl.Series("row", [], pl.Int64)
        )
        cells, numbers = without_blank(cells, numbers)
        row += height
        yield Batch(cells, numbers, no_refused(), height - cells.height, plain=False, done=row - first_row)


def without_blank(cells: pl.DataFrame, numbers: pl.Series) -> tuple[pl.DataFrame, pl.Series]:
    """Leave out rows in which every cell is missing or white space."""
    if not cells.width:
        return cells.clear(), numbers.clear()
    # the first column is nearly always filled, so the others are seldom looked at
    suspects = cells.to_series(0).str.strip_chars().fill_null("") == ""
    if not suspects.any():
        return cells, numbers
    content = cells.filter(suspects).select(
        pl.any_horizontal(pl.all().str.strip_chars().fill_null("") != "").alias("content")
    )
    keep = (~suspects).scatter(suspects.arg_true(), content["content"])
    return cells.filter(keep), numbers.filter(keep)


def as_text(frame: pl.DataFrame) -> pl.DataFrame:
    """Every column as text without loss: whole floats as integers, dates in ISO form, nested values as JSON.

    Examples
    --------
    >>> as_text(pl.DataFrame({"code": [440305.0, None], "x": [0.1, 1e-12]})).rows()
    [('440305', '0.1'), (None, '1e-12')]
    """
    columns = [_text(frame.to_series(k)).alias(str(k)) for k in range(frame.width)]
    return pl.DataFrame(columns)


def _text(column: pl.Series) -> pl.Series:
    dtype = column.dtype
    if dtype.is_float():
        # beyond 2^53 digits are lost already: written with an exponent, so that no code is taken for whole
        wide = column.cast(pl.Float64)
        whole = (wide == wide.round()) & (wide.abs() < 2.0**53)
        integers = wide.set(~whole.fill_null(value=False), None).cast(pl.Int64).cast(pl.String)
        text = integers.zip_with(integers.is_not_null(), wide.fill_nan(None).cast(pl.String))
    elif dtype == pl.Datetime:
        text = column.dt.to_string("%Y-%m-%d %H:%M:%S")
    elif dtype == pl.Duration:
        text = column.dt.to_string("iso")
    elif dtype == pl.Binary:
        text = column.bin.encode("hex")
    elif isinstance(dtype, pl.Struct):
        text = column.struct.json_encode()
    elif isinstance(dtype, pl.List | pl.Array):
        text = pl.Series([None if value is None else str(value.to_list()) for value in column], dtype=pl.String)
    elif dtype == pl.Object:
        text = pl.Series([None if value is None else str(value) for value in column], dtype=pl.String)
    else:
        text = column.cast(pl.String)
    return text


def _polars(table: pa.Table | pa.RecordBatch) -> pl.DataFrame:
    # several columns may share a name in Arrow, never in Polars
    columns = {str(k): _narrow(table.column(k)) for k in range(table.num_columns)}
    frame = pl.from_arrow(pa.table(columns))
    if isinstance(frame, pl.Series):
        frame = frame.to_frame()
    return frame


def _narrow(column: pa.Array | pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
    # Polars has no decimals of 256 bits, and panics where it meets them
    if pa.types.is_decimal256(column.type):
        return column.cast(pa.string())
    if "decimal256" in str(column.type):
        raise pa.ArrowNotImplementedError(str(column.type))
    return column


def _first_line(error: BaseException) -> str:
    return str(error).partition("\n")[0][:200]


Item = TypeVar("Item")


def ahead(items: Iterator[Item]) -> Iterator[Item]:
    """Work out the next item on another thread while this one is used."""
    with ThreadPoolExecutor(1) as pool:
        upcoming = pool.submit(next, items, None)
        while (item := upcoming.result()) is not None:
            upcoming = pool.submit(next, items, None)
            yield item


def unique_headers(headers: Sequence[str]) -> tuple[str, ...]:
    r"""Headers without line breaks, empty ones numbered, repeated ones told apart.

    Examples
    --------
    >>> unique_headers(["名称", "", "名称", "营业收入\n(万元)"])
    ('名称', 'column_2', '名称_2', '营业收入 (万元)')
    """
    seen: dict[str, int] = {}
    out: list[str] = []
    for place, header in enumerate(headers, 1):
        plain = (
            " ".join("".join(c if c.isprintable() or c.isspace() else "" for c in header).split()) or f"column_{place}"
        )
        seen[plain] = seen.get(plain, 0) + 1
        name = plain if seen[plain] == 1 else f"{plain}_{seen[plain]}"
        while name in out:
            seen[plain] += 1
            name = f"{plain}_{seen[plain]}"
        out.append(name)
    return tuple(out)
