"""Comparing any two loads of a table 比较两次装载: made once, stored, and read a page at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import polars as pl

from jiqun.core.actor import Actor
from jiqun.core.errors import UsageError
from jiqun.core.lineage import Lineage
from jiqun.core.progress import Progress, silent
from jiqun.core.schema import schema
from jiqun.intake.changes import KINDS, Changes, compare, no_changes
from jiqun.intake.quarantine import Export
from jiqun.store import Snapshot, StoredResult, Workspace
from jiqun.store.files import ParquetStream

METHOD, VERSION = "intake.changes", "2"
MOST_IN_WORKBOOK = 100_000
"""Differences in an .xlsx that is made while someone waits; .csv and .json take any number."""
_PIECE = 50_000


@dataclass(frozen=True)
class Compared:
    """Two snapshots of a table and their stored differences."""

    before: Snapshot
    after: Snapshot
    result: StoredResult

    @property
    def summary(self) -> Changes:
        """What is different, in numbers."""
        values: Any = self.result.values["changes"]
        return Changes.model_validate(values)

    def rows(self, kind: str | None = None, text: str = "") -> pl.LazyFrame:
        """The differences: of a kind, and of rows whose id, name or values hold a text."""
        found = pl.scan_parquet(self.result.path / "changes.parquet", glob=False)
        if kind:
            found = found.filter(pl.col("kind") == kind)
        if text:
            low = text.casefold()
            parts = [pl.col(name).str.to_lowercase().str.contains(low, literal=True) for name in _SEARCHED]
            found = found.filter(pl.any_horizontal(*parts, pl.col("id") == text))
        return found

    def export(self, path: Path, kind: str | None = None, text: str = "") -> None:
        """The differences as .xlsx or .csv 导出; nothing in it can run.

        Raises
        ------
        UsageError
            JQ-IMPORT-014: too many for a workbook.
        """
        rows = self.rows(kind, text)
        total = int(rows.select(pl.len()).collect().item())
        if path.suffix == ".xlsx" and total > MOST_IN_WORKBOOK:
            raise UsageError("JQ-IMPORT-014", limit=MOST_IN_WORKBOOK)
        with Export(path) as out:
            if not total:
                out.write(no_changes())
            for part in rows.collect_batches(chunk_size=_PIECE, maintain_order=True):
                out.write(part)


_SEARCHED = ("name", "before", "after", "city")


def between(workspace: Workspace, table: str, old: str | None, new: str | None) -> tuple[Snapshot, Snapshot]:
    """Two snapshots of a table: those named, else the current one and that of the load before.

    What was made from a load (rosters merged, placed anew) and the load itself are of one round: the one before is of
    another, as it was at last.

    Raises
    ------
    UsageError
        JQ-USE-001, JQ-STORE-007: no such table or snapshot; JQ-IMPORT-026: there is none before; 027: both the same.
    WorkspaceError
        JQ-STORE-006: nothing was loaded.
    """
    after = workspace.snapshot(table, new)
    if old is None:
        history = workspace.history(table)
        known_as = {load.id: load for load in history}
        loads = iter(history)
        for load in loads:
            if load.id == after.id:
                break
        mine = _round(after, known_as)
        earlier = next((load for load in loads if _round(load, known_as) != mine), None)
        if earlier is None:
            raise UsageError("JQ-IMPORT-026", table=table, value=after.id)
        return earlier, after
    before = workspace.snapshot(table, old)
    if before.id == after.id:
        raise UsageError("JQ-IMPORT-027", value=after.id)
    return before, after


def _round(snapshot: Snapshot, history: Mapping[str, Snapshot]) -> str:
    """The load that a snapshot was made from, in however many steps."""
    seen = set()
    while snapshot.id not in seen:
        seen.add(snapshot.id)
        below = snapshot.summary.get("derived", {}).get("from") or snapshot.summary.get("base")
        snapshot = history.get(str(below), snapshot)
    return snapshot.id


def known(workspace: Workspace, before: Snapshot, after: Snapshot) -> Compared | None:
    """What a comparison of two snapshots found, if it was made."""
    wanted = _lineage(before, after)
    kind = _kind(after.table)
    state = workspace.manifest().results.get(kind)
    if state is None or not any(entry.id == wanted.digest for entry in state.entries):
        return None
    result = workspace.result(kind, wanted.digest)
    return Compared(before, after, result) if result else None


def make(
    actor: Actor,
    workspace: Workspace,
    table: str,
    *,
    old: str | None = None,
    new: str | None = None,
    progress: Progress = silent,
) -> Compared:
    """Compare two snapshots of a table 比较, unless that was done before; what is found is stored.

    Raises
    ------
    PermissionDeniedError
        JQ-USE-002: the actor is neither operator nor analyst.
    UsageError, WorkspaceError
        As `between`.
    """
    actor.require("intake.compare", "operator", "analyst")
    before, after = between(workspace, table, old, new)
    found = known(workspace, before, after)
    if found is not None:
        return found
    described = schema(table)
    with TemporaryDirectory() as folder:
        stream = ParquetStream(Path(folder) / "changes.parquet")
        stream.write(no_changes())
        try:
            summary = compare(
                workspace.scan(table, before.id),
                workspace.scan(table, after.id),
                described,
                write=stream.write,
                progress=progress,
            )
            stream.close()
        except BaseException:
            stream.abandon()
            raise
        values: Any = {"changes": summary.model_dump(mode="json")}
        result = workspace.put_result(_kind(table), _lineage(before, after), {"changes": _sorted(stream.path)}, values)
    return Compared(before, after, result)


def _sorted(path: Path) -> Iterator[pl.DataFrame]:
    """The differences kind by kind, in pieces."""
    yield no_changes()
    for kind in KINDS:
        rows = pl.scan_parquet(path, glob=False).filter(pl.col("kind") == kind)
        yield from rows.collect_batches(chunk_size=_PIECE, maintain_order=True)


def _kind(table: str) -> str:
    return f"changes-{table}"


def _lineage(before: Snapshot, after: Snapshot) -> Lineage:
    return Lineage(METHOD, VERSION, {}, (before.input, after.input))
