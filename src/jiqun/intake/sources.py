"""Tables of several sources 多来源表: a load of links or indicators replaces what its source gave, and leaves the rest.

Each row says in `loaded_from` which source gave it, a file by its name or as one labels it. A load takes the place of
the rows of the same source and kind, and of those with its keys; what other files and surveys gave stays where it is.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

import polars as pl

from jiqun.store import Snapshot, Workspace

KINDS = {"links": ("kind",), "indicators": ("indicator", "year")}
"""Tables that several sources fill, and the attributes that say which rows a source gives as a whole."""
SOURCE, SURVEY = "loaded_from", "x_survey"
"""Columns: which source gave a row; which survey did, of what was published."""
_AT_ONCE = 250_000


class Sources:
    """The rows of the snapshot before, of which those that a load does not replace stay; `off`: it replaces them all.

    `stay`, `replaced` (of the rows before, counting those that come again), `surveyed` (rows of surveys among those
    replaced) and `responses` (of the surveys whose rows stay) are known when `rest` has been read to its end.
    """

    def __init__(self, workspace: Workspace, table: str, source: str, *, off: bool = False) -> None:
        self.off = off or table not in KINDS
        self._source = source
        self._kinds = KINDS.get(table, ())
        self.stay = self.replaced = self.surveyed = 0
        self._ids: list[pl.Series] = []
        self._seen: list[pl.DataFrame] = []
        self._columns: dict[str, pl.DataType] | None = None
        self._before: pl.LazyFrame | None = None
        self._snapshot: Snapshot | None = None
        self._surveys: set[str] = set()
        if not self.off and table in workspace.manifest().tables:
            self._snapshot = workspace.snapshot(table)
            self._before = _told(workspace.scan(table), _source_of(workspace, table))

    def taken(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Rows of the load as they are written: with their source, and the columns that only rows before have."""
        if self.off:
            return rows
        if self._columns is None:
            before = self._before.collect_schema() if self._before is not None else pl.Schema()
            added = {name: kind for name, kind in before.items() if name not in rows.columns}
            self._columns = {**rows.schema, **added, SOURCE: pl.String()}
        self._ids.append(rows["id"].str.slice(1).cast(pl.Int64))
        self._seen.append(rows.select(self._kinds).unique())
        missing = [pl.lit(None, kind).alias(name) for name, kind in self._columns.items() if name not in rows.columns]
        return rows.with_columns(missing).with_columns(pl.lit(self._source).alias(SOURCE)).select(*self._columns)

    def rest(self) -> Iterator[pl.DataFrame]:
        """The rows that stay, in the columns of those that were taken."""
        if self._before is None or self._columns is None:
            return
        came = pl.concat(self._ids).alias("_number").to_frame()
        kinds = pl.concat(self._seen).unique()
        there = self._before.collect_schema()
        absent = [pl.lit(None, kind).alias(name) for name, kind in self._columns.items() if name not in there]
        for part in self._before.collect_batches(chunk_size=_AT_ONCE, maintain_order=True):
            numbered = part.with_columns(_number=pl.col("id").str.slice(1).cast(pl.Int64))
            left = numbered.join(came, on="_number", how="anti", maintain_order="left")
            mine = left.filter(pl.col(SOURCE) == self._source).join(kinds, on=self._kinds, how="semi", nulls_equal=True)
            left = left.join(mine.select("_number"), on="_number", how="anti", maintain_order="left")
            self.stay += left.height
            self.replaced += part.height - left.height
            if SURVEY in part.columns:
                self.surveyed += part[SURVEY].count() - left[SURVEY].count()
                self._surveys.update(left[SURVEY].drop_nulls().unique())
            yield left.with_columns(absent).select(pl.col(name).cast(kind) for name, kind in self._columns.items())

    @property
    def responses(self) -> dict[str, Any]:
        """The response rates of the surveys whose rows stay."""
        return responses(self._snapshot, self._surveys) if self._snapshot is not None else {}


def responses(snapshot: Snapshot, surveys: Collection[str]) -> dict[str, Any]:
    """What a snapshot's summary says of the response to some surveys 答复率."""
    said = {**snapshot.summary.get("responses", {})}
    if "response" in snapshot.summary:
        said.setdefault(snapshot.summary["survey"], snapshot.summary["response"])
    return {survey: said[survey] for survey in sorted(surveys) if survey in said}


def _told(rows: pl.LazyFrame, source: str) -> pl.LazyFrame:
    """Rows with their source; those that were loaded before sources were kept are of the last load."""
    known = rows.collect_schema()
    if SOURCE in known:
        return rows
    surveyed = pl.col(SURVEY).is_not_null() if SURVEY in known else pl.lit(value=False)
    return rows.with_columns(pl.when(~surveyed).then(pl.lit(source)).alias(SOURCE))


def _source_of(workspace: Workspace, table: str) -> str:
    """What the newest load that was no publication is called."""
    loads: Iterator[Snapshot] = (load for load in workspace.history(table) if "survey" not in load.summary)
    return next((load.source for load in loads), "")
