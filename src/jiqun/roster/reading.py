"""Reading a roster 读取名单: checked and placed as a load would, but into memory, since it is matched as a whole."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl

from jiqun.core.actor import Actor
from jiqun.core.errors import InputError, current_language
from jiqun.core.progress import Progress, silent
from jiqun.core.schema import schema
from jiqun.intake.crs import Crs
from jiqun.intake.desk import load
from jiqun.intake.read import Reading
from jiqun.store import Workspace
from jiqun.store.files import stamp

TABLE = "organisations"


@dataclass(frozen=True)
class Read:
    """A roster as read: its good rows (with `source_row`), what it is called, how many rows were left out."""

    rows: pl.DataFrame
    file: str
    digest: str
    read: int
    refused: int
    duplicates: int
    attributes: tuple[str, ...]


def read(
    actor: Actor,
    workspace: Workspace,
    source: Any,
    *,
    as_of: date,
    mapping: Mapping[str, str] | Sequence[tuple[str, str]] = (),
    crs: Crs = "wgs84",
    sheet: str | None = None,
    encoding: str | None = None,
    name: str | None = None,
    quarantine: Path | None = None,
    amend: Callable[[Reading], Reading] | None = None,
    progress: Progress = silent,
) -> Read:
    """Read a roster from a CSV, Excel or Parquet file or any dataframe; what is wrong with rows is as in a load.

    Raises
    ------
    InputError
        JQ-FILE-…: it cannot be read, or (013) no row of it can be used.
    UsageError
        An unknown attribute or coordinate system.
    """
    kept: list[pl.DataFrame] = []
    report = load(
        actor,
        workspace,
        source,
        TABLE,
        mapping=mapping,
        crs=crs,
        sheet=sheet,
        encoding=encoding,
        as_of=as_of,
        name=name,
        quarantine=quarantine,
        check_only=True,
        on_rows=kept.append,
        amend=amend,
        progress=progress,
    )
    if not kept:
        first = report.problems[0].message.get(current_language())
        raise InputError("JQ-FILE-013", file=report.file, count=report.read, first=first)
    rows = pl.concat(kept).drop("id")
    given = {column.target for column in report.columns}
    return Read(
        rows=rows,
        file=report.file,
        digest=stamp(Path(source)).digest if isinstance(source, str | Path) else _digest(rows),
        read=report.read,
        refused=report.refused,
        duplicates=report.duplicates,
        attributes=tuple(name for name in schema(TABLE).names if name in given),
    )


def _digest(rows: pl.DataFrame) -> str:
    return f"{rows.hash_rows(seed=1).sum():016x}"
