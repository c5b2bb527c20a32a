"""Files that survive a crash 落盘: written aside, flushed to disk, then renamed into place."""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from jiqun.core.errors import UsageError, WorkspaceError

ROW_GROUP = 1 << 17
"""Rows per Parquet row group; also the most rows that a stream holds back."""

_NAME = re.compile(r"[a-z][a-z0-9_-]{0,63}")


def checked_name(what: str, name: str) -> str:
    """`name` if it may become a file name; anything that could leave its folder is refused.

    Examples
    --------
    >>> checked_name("kind", "atlas")
    'atlas'
    """
    if not _NAME.fullmatch(name):
        raise UsageError("JQ-STORE-009", what=what, value=name)
    return name


@contextmanager
def told(path: Path) -> Iterator[None]:
    """Turn what the operating system refuses (disk full, no permission) into a coded error."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise WorkspaceError("JQ-STORE-010", path=error.filename or path, reason=reason) from error


def sync(path: Path) -> None:
    """Have the disk keep a file's content, or a folder's list of names."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_folder(path: Path) -> None:
    """Make a folder and its missing parents, durably."""
    if not path.is_dir():
        make_folder(path.parent)
        path.mkdir(exist_ok=True)
        sync(path.parent)


def place(temporary: Path, path: Path) -> None:
    """Give a finished temporary file or folder, already synced, its final name."""
    make_folder(path.parent)
    os.replace(temporary, path)  # noqa: PTH105  # the tests count this call
    sync(path.parent)


def write_bytes(path: Path, content: bytes) -> None:
    """Write a whole file and have the disk keep it."""
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def write_once(path: Path, content: bytes, *, mode: int = 0o600) -> None:
    """Write a file unless it is there: of several processes the first counts, and where it is, it is whole."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):
            path.hardlink_to(temporary)
    finally:
        temporary.unlink(missing_ok=True)
    sync(path.parent)


def remove(path: Path) -> None:
    """Remove a file or a folder with all it holds; fine if it is not there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


@dataclass(frozen=True)
class Stamp:
    """What a file must be: sha256 in hex, and length in bytes."""

    digest: str
    bytes: int


def stamp(path: Path) -> Stamp:
    """Read a file once, in pieces, and say what it is."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        return Stamp(digest, file.tell())


class ParquetStream:
    """A Parquet file from many frames, of which it never holds more than one row group.

    Row groups are cut at fixed rows, so that equal rows give equal bytes however they were batched.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rows = 0
        self._held: list[pl.DataFrame] = []
        self._held_rows = 0
        self._schema: pl.Schema | None = None
        self._writer: pq.ParquetWriter | None = None
        with told(path):
            self._file = path.open("wb")

    @property
    def started(self) -> bool:
        """Whether any frame came, be it empty."""
        return self._schema is not None

    def write(self, frame: pl.DataFrame) -> None:
        """Append rows; every frame must have the columns and types of the first."""
        if self._schema is None:
            self._schema = frame.schema
        elif frame.schema != self._schema:
            names = dict.fromkeys((*self._schema, *frame.schema))
            odd = [name for name in names if self._schema.get(name) != frame.schema.get(name)] or names
            raise UsageError("JQ-STORE-014", file=self.path.name, columns=", ".join(odd))
        self.rows += frame.height
        self._held.append(frame)
        self._held_rows += frame.height
        if self._held_rows >= ROW_GROUP:
            rows = pl.concat(self._held)
            whole = rows.height - rows.height % ROW_GROUP
            for start in range(0, whole, ROW_GROUP):
                self._put(rows.slice(start, ROW_GROUP))
            self._held = [rows.slice(whole)]
            self._held_rows = rows.height - whole

    def close(self) -> Stamp:
        """Write what is held, have the disk keep the file, and say what it is."""
        if self._schema is None:
            raise WorkspaceError("JQ-STORE-015", file=self.path.name)
        rest = pl.concat(self._held)
        if rest.height or self._writer is None:
            self._put(rest)
        with told(self.path):
            if self._writer is not None:
                self._writer.close()
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
            return stamp(self.path)

    def abandon(self) -> None:
        """Drop the file."""
        with suppress(OSError, ValueError):  # a full disk refuses the last bytes too
            if self._writer is not None:
                self._writer.close()
        with suppress(OSError):
            self._file.close()
        with told(self.path):
            remove(self.path)

    def _put(self, rows: pl.DataFrame) -> None:
        table: pa.Table = rows.rechunk().to_arrow().combine_chunks()
        with told(self.path):
            if self._writer is None:
                self._writer = pq.ParquetWriter(self._file, table.schema, compression="zstd")
            if table.num_rows:
                self._writer.write_table(table, row_group_size=ROW_GROUP)
