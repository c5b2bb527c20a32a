"""Snapshots 快照: a table as one load left it, immutable and dated."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

import polars as pl

from jiqun.core.errors import UsageError
from jiqun.core.lineage import Source
from jiqun.store.files import ROW_GROUP, ParquetStream, place
from jiqun.store.manifest import Load, Quarantine, TableState, quarantine_path, snapshot_path


@dataclass(frozen=True)
class Snapshot:
    """One load of one table 一次装载: its rows, and what became of those it refused.

    `load` counts the table's loads from 1. `previous` is the id that was current before, None for the first.
    `summary` is what the loader counted (read, kept, refused, placed …).
    """

    table: str
    id: str
    load: int
    digest: str
    rows: int
    bytes: int
    as_of: date
    source: str
    created: datetime
    summary: Mapping[str, Any]
    path: Path
    previous: str | None
    quarantined: int
    quarantine_path: Path | None

    @classmethod
    def of(cls, root: Path, table: str, load: Load) -> Snapshot:
        """A manifest entry as readers see it."""
        return cls(
            table=table,
            id=load.id,
            load=load.number,
            digest=load.file.digest,
            rows=load.rows,
            bytes=load.file.bytes,
            as_of=load.as_of,
            source=load.source,
            created=load.created,
            summary=load.summary,
            path=root / snapshot_path(table, load.id),
            previous=load.previous,
            quarantined=load.quarantine.rows if load.quarantine else 0,
            quarantine_path=root / quarantine_path(table, load.number) if load.quarantine else None,
        )

    @property
    def input(self) -> Source:
        """The snapshot as an input in a result's lineage."""
        return Source(self.table, self.digest, self.as_of.isoformat())


class SnapshotWriter:
    """Takes the frames of one load. Nothing counts until its `with` block ends without an error.

    Set `summary` before that; afterwards `snapshot` says what was kept.
    """

    def __init__(self, scratch: Path, table: str, *, as_of: date, source: str) -> None:
        self.table = table
        self.summary: dict[str, Any] = {}
        self.snapshot: Snapshot | None = None
        self._as_of = as_of
        # a file name may hold bytes that are no text
        self._source = source.encode("utf-8", "backslashreplace").decode()
        self._kept = ParquetStream(scratch / "snapshot.parquet")
        self._refused: ParquetStream | None = None

    @property
    def rows(self) -> int:
        """Rows written so far."""
        return self._kept.rows

    @property
    def quarantined(self) -> int:
        """Rows put into quarantine so far."""
        return self._refused.rows if self._refused else 0

    def write(self, frame: pl.DataFrame) -> None:
        """Append rows; every frame has the columns and types of the first, and one (even if empty) is needed.

        Raises
        ------
        UsageError
            JQ-STORE-014: other columns or types than the first frame.
        WorkspaceError
            JQ-STORE-010: the disk refuses.
        """
        self._kept.write(frame)

    def quarantine(self, frame: pl.DataFrame) -> None:
        """Keep refused rows 隔离 beside the load; errors as for `write`."""
        if self._refused is None:
            self._refused = ParquetStream(self._kept.path.with_name("quarantine.parquet"))
        self._refused.write(frame)

    def amend(self, change: Callable[[pl.DataFrame], pl.DataFrame]) -> None:
        """Write the rows so far once more, as `change` makes them: what is known only when all have been seen."""
        first = self._kept
        first.close()
        self._kept = ParquetStream(first.path.with_name("amended.parquet"))
        rows = pl.scan_parquet(first.path, glob=False)
        for part in rows.collect_batches(chunk_size=ROW_GROUP, maintain_order=True):
            self._kept.write(change(part))
        first.abandon()

    def commit(self, root: Path, before: TableState | None, created: datetime) -> TableState:
        """Put the finished files in place; the caller then writes the state returned into the manifest."""
        kept = self._kept.close()
        loads = before.loads if before else ()
        load = Load(
            number=len(loads) + 1,
            as_of=self._as_of,
            created=created,
            source=self._source,
            rows=self._kept.rows,
            file=kept,
            summary=self.summary,
            quarantine=Quarantine(self._refused.close(), self._refused.rows) if self._refused else None,
            previous=_previous(before, f"{self._as_of.isoformat()}-{kept.digest[:12]}"),
        )
        place(self._kept.path, root / snapshot_path(self.table, load.id))
        if self._refused:
            place(self._refused.path, root / quarantine_path(self.table, load.number))
        self.snapshot = Snapshot.of(root, self.table, load)
        return TableState(load.id, (*loads, load))

    def abandon(self) -> None:
        """Drop the temporary files."""
        self._kept.abandon()
        if self._refused:
            self._refused.abandon()


def _previous(before: TableState | None, loaded: str) -> str | None:
    """The snapshot to go back to: loading once more what is current must not hide the one before."""
    if before is None:
        return None
    if before.current != loaded:
        return before.current
    current = before.find(before.current)
    return current.previous if current else None


def parsed_date(as_of: date | str) -> date:
    """An as-of date, also from its ISO form.

    Examples
    --------
    >>> parsed_date("2025-06-30")
    datetime.date(2025, 6, 30)
    """
    if isinstance(as_of, datetime):
        return as_of.date()
    if isinstance(as_of, date):
        return as_of
    try:
        return date.fromisoformat(as_of)
    except ValueError:
        raise UsageError("JQ-STORE-013", value=as_of) from None
