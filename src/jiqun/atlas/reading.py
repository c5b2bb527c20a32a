"""Reads stored runs 读取结果: which one a reader asks for, its tables as frames, and what each role may see of a firm.

A stored run never changes, so its frames are kept in memory by their files' paths; the folder of a run is named by its
digest, and a path never comes to mean something else. Frames are handed out to be read, not changed (Polars has no
call that would).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Generic, TypeVar, overload

import polars as pl
from pydantic import ConfigDict, Field

from jiqun.accounts.mine import unpublished
from jiqun.atlas.measures import location_quotient_interval
from jiqun.core.actor import Actor, Role
from jiqun.core.errors import UsageError, WorkspaceError
from jiqun.core.operation import Model
from jiqun.intake.derived import STATE
from jiqun.store import Snapshot, StoredResult, Workspace

READERS: tuple[Role, ...] = ("operator", "analyst", "member", "auditor", "public")
"""Who may see what was found."""
SEES_ALL: frozenset[Role] = frozenset({"operator", "analyst", "auditor"})
"""Who may see more of a firm than its entry in the register."""
OPEN_COLUMNS = ("id", "name", "country", "city", "place_name", "place_name_zh", "digital_code", "website", STATE)
"""What everybody may see of a firm 登记事项; the rest of the register is for `SEES_ALL` and the firm itself."""
RESERVED_SIZES = frozenset({"employees", "revenue_cny", "registered_capital_cny"})
"""Sizes that are not for everybody."""
HISTORY = 24
"""How many runs a history goes back."""
HELD_BYTES = 8_000_000
"""The members of a run are held in memory where their file is no larger: some 200,000 firms."""
_KIND = "clusters"
T = TypeVar("T")


def sees_all(actor: Actor) -> bool:
    """Whether an actor may see more of every firm than its entry in the register."""
    return not actor.roles.isdisjoint(SEES_ALL)


class Which(Model):
    """Which run: of a class, as of a date or by the start of its id; without any, the current one."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    digital: Annotated[
        str | None, Field(alias="class", pattern=r"^\d{2,6}$", description="class of the 2021 digital classification")
    ] = None
    as_of: Annotated[str | None, Field(pattern=r"^\d{4}-\d{2}-\d{2}$", description="date of the register")] = None
    run: Annotated[str | None, Field(pattern=r"^[0-9a-f]{4,64}$", description="start of the run's id")] = None


@dataclass(frozen=True)
class Run:
    """A stored run and its tables as frames.

    `hidden` are organisations that are not shown by name (`jiqun.accounts.mine.unpublished`); they still count.
    """

    result: StoredResult
    hidden: frozenset[str] = frozenset()

    @classmethod
    def of(cls, workspace: Workspace, result: StoredResult) -> Run:
        """A run as readers of a workspace may see it."""
        return cls(result, unpublished(workspace))

    @property
    def id(self) -> str:
        """Digest that names the run."""
        return self.result.id

    @property
    def digital(self) -> str | None:
        """Class that was searched; None for all firms."""
        code: str | None = self.result.lineage.parameters.get("digital")
        return code

    @property
    def as_of(self) -> str:
        """Date of the register."""
        return self.result.lineage.inputs[0].as_of

    @property
    def values(self) -> dict[str, Any]:
        """What the search found in numbers."""
        return dict(self.result.values)

    @property
    def size(self) -> str | None:
        """The column that sizes firms."""
        column: str | None = self.values["parameters"]["size"]
        return column

    def table(self, name: str) -> pl.DataFrame:
        """One of the run's tables, all of it."""
        return _frame(self.result.path / f"{name}.parquet")

    @property
    def clusters(self) -> pl.DataFrame:
        """The clusters in rank order, with `rank` and `leaders`, the first three names of its members."""
        return _ranked(self.result.path, self.hidden)

    @property
    def regions(self) -> pl.DataFrame:
        """The regions that hold firms, with `rank`; no rows where there were too few regions to compare."""
        return _regions(self.result.path, "regions" in self.result.tables)

    def members(self, cluster_id: str) -> pl.DataFrame:
        """The members of one cluster, by name; to be counted, or listed without those that are `hidden`."""
        return _members(self.result.path, cluster_id)

    def largest(self, cluster_id: str) -> pl.DataFrame:
        """The largest members of one cluster."""
        return published(self.table("largest").filter(pl.col("cluster_id") == cluster_id), self.hidden)

    def classes(self) -> pl.DataFrame:
        """cluster_id, class, n, lq, lq_shrunk: what the members of each cluster make, against those of all clusters."""
        return _classes(self.result.path)

    def row(self, cluster_id: str) -> dict[str, Any] | None:
        """One cluster of `clusters`, None where the run has no such cluster."""
        at = _places(self.result.path).get(cluster_id)
        return None if at is None else self.clusters.row(at, named=True)

    def membership(self, firm: str) -> dict[str, Any] | None:
        """cluster_id and core of the cluster that a firm is in; None: in none."""
        return _membership(self.result.path, firm)

    def before(self, workspace: Workspace) -> Run | None:
        """The run that this one was matched to."""
        previous = self.values["previous"]
        result = workspace.result(self.result.kind, previous) if previous else None
        return Run(result, self.hidden) if result else None

    def history(self, workspace: Workspace) -> tuple[Run, ...]:
        """The run and those before it, newest first, at most `HISTORY`."""
        runs: list[Run] = [self]
        while len(runs) < HISTORY and (before := runs[-1].before(workspace)):
            runs.append(before)
        return tuple(runs)

    def snapshot(self, workspace: Workspace) -> Snapshot | None:
        """The register that was searched, where the workspace still has it."""
        digest = self.result.lineage.inputs[0].digest
        return next((old for old in workspace.history("organisations") if old.digest == digest), None)


def kind_of(digital: str | None) -> str:
    """Results of one class follow each other: `clusters`, `clusters-01`."""
    return _KIND if digital is None else f"{_KIND}-{digital}"


def searched(workspace: Workspace) -> tuple[str | None, ...]:
    """The classes that were searched; None stands for all firms."""
    kinds = sorted(workspace.manifest().results)
    return tuple(kind[len(_KIND) + 1 :] or None for kind in kinds if kind == _KIND or kind.startswith(f"{_KIND}-"))


def find_run(workspace: Workspace, which: Which) -> Run:
    """The run that is asked for. Without a class: that of all firms, else the latest of any class.

    Raises
    ------
    WorkspaceError
        JQ-ATLAS-013: no search has been run yet.
    UsageError
        JQ-ATLAS-017: none as of that date; JQ-STORE-011, 012: no such run, or several.
    """
    kind = kind_of(which.digital)
    if which.digital is None and workspace.result(kind) is None:
        current = [found for code in searched(workspace) if (found := workspace.result(kind_of(code)))]
        if not current:
            raise WorkspaceError("JQ-ATLAS-013")
        kind = max(current, key=lambda result: (result.created, result.kind)).kind
    if which.as_of is None or which.run is not None:
        result = workspace.result(kind, which.run)
        if result is None:
            raise WorkspaceError("JQ-ATLAS-013")
        return Run.of(workspace, result)
    runs = workspace.results(kind)
    if not runs:
        raise WorkspaceError("JQ-ATLAS-013")
    dates = {run.lineage.inputs[0].as_of: run for run in reversed(runs)}
    if which.as_of not in dates:
        raise UsageError("JQ-ATLAS-017", value=which.as_of, known=", ".join(sorted(dates, reverse=True)[:5]))
    return Run.of(workspace, dates[which.as_of])


def published(firms: pl.DataFrame, hidden: Collection[str]) -> pl.DataFrame:
    """Firms without those that are not shown by name 不公开."""
    return firms.filter(~pl.col("id").is_in(list(hidden))) if hidden else firms


def find_cluster(workspace: Workspace, run: Run, cluster_id: str) -> dict[str, Any]:
    """One cluster of a run.

    Raises
    ------
    UsageError
        JQ-ATLAS-018: it is in an earlier run only, which is named; JQ-ATLAS-014: in none.
    """
    row = run.row(cluster_id)
    if row is not None:
        return row
    for earlier in run.history(workspace)[1:]:
        if earlier.row(cluster_id) is not None:
            raise UsageError("JQ-ATLAS-018", value=cluster_id, as_of=earlier.as_of, run=earlier.id[:12])
    near = run.clusters.head(5).select("cluster_id", "name_en").iter_rows()
    raise UsageError("JQ-ATLAS-014", value=cluster_id, known=", ".join(f"{i} {name}" for i, name in near) or "—")


def current_links(workspace: Workspace) -> Snapshot | None:
    """The links between firms that are loaded now, if any."""
    return next((loaded for loaded in workspace.tables() if loaded.table == "links"), None)


def links_of(links: Snapshot, members: pl.DataFrame) -> pl.DataFrame:
    """kind, inside, outside: links that join two members, named by id or name, and those that lead out, by kind."""
    known = pl.concat([members["id"], members["name"]]).implode()
    start, end = (pl.col(c).is_in(known) for c in ("source", "target"))
    return (
        pl.scan_parquet(links.path, glob=False)
        .select("kind", start=start, end=end)
        .filter(pl.col("start") | pl.col("end"))
        .group_by("kind")
        .agg(inside=(pl.col("start") & pl.col("end")).sum(), outside=(pl.col("start") ^ pl.col("end")).sum())
        .sort("inside", "outside", "kind", descending=[True, True, False])
        .collect()
    )


class Rows(Sequence[T], Generic[T]):
    """A frame as a sequence of models, made for the slice that is asked for only."""

    def __init__(self, frame: pl.DataFrame, make: Callable[[dict[str, Any]], T]) -> None:
        self._frame = frame
        self._make = make

    def __len__(self) -> int:
        return self._frame.height

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[T]: ...
    def __getitem__(self, index: int | slice) -> T | Sequence[T]:
        if isinstance(index, int):
            return self._make(self._frame.row(index, named=True))
        return [self._make(row) for row in self._frame[index].to_dicts()]


def version(*parts: object) -> str:
    """What a list was made from, for its cursors."""
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]


@lru_cache(maxsize=64)
def _frame(path: Path) -> pl.DataFrame:
    try:
        return pl.read_parquet(path, glob=False)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise WorkspaceError("JQ-STORE-016", path=path) from error


@lru_cache(maxsize=32)
def _ranked(folder: Path, hidden: frozenset[str]) -> pl.DataFrame:
    leaders = (
        published(_frame(folder / "largest.parquet"), hidden)
        .group_by("cluster_id", maintain_order=True)
        .agg(leaders=pl.col("name").unique(maintain_order=True).head(3))
    )
    table = _frame(folder / "clusters.parquet").with_columns(rank=pl.int_range(1, pl.len() + 1))
    return table.join(leaders, on="cluster_id", how="left", maintain_order="left")


@lru_cache(maxsize=32)
def _places(folder: Path) -> dict[str, int]:
    """The row of each cluster."""
    return {cluster_id: at for at, cluster_id in enumerate(_frame(folder / "clusters.parquet")["cluster_id"])}


@lru_cache(maxsize=32)
def _regions(folder: Path, compared: bool) -> pl.DataFrame:
    if not compared:
        return pl.DataFrame(schema={"region": pl.String, "firms": pl.Int64, "rank": pl.Int64})
    held = _frame(folder / "regions.parquet").filter(pl.col("firms") > 0)
    return held.with_columns(rank=pl.col("firms").rank("ordinal", descending=True)).sort("rank")


@lru_cache(maxsize=128)
def _members(folder: Path, cluster_id: str) -> pl.DataFrame:
    found = _scanned(folder, pl.col("cluster_id") == cluster_id)
    return found.sort("name", "id") if "name" in found.columns else found.sort("id")


@lru_cache(maxsize=1024)
def _membership(folder: Path, firm: str) -> dict[str, Any] | None:
    found = _scanned(folder, pl.col("id") == firm, "cluster_id", "core")
    return found.row(0, named=True) if found.height else None


@lru_cache(maxsize=16)
def _classes(folder: Path) -> pl.DataFrame:
    cells = (
        _scanned(folder, pl.col("digital_code").is_not_null(), "cluster_id", "digital_code")
        .group_by("cluster_id", pl.col("digital_code").str.slice(0, 4))
        .len("n")
    )
    columns = ("cluster_id", "digital_code", "n", "lq", "lq_shrunk")
    if cells.is_empty():
        return pl.DataFrame(schema=dict.fromkeys(columns[:2], pl.String) | dict.fromkeys(columns[2:], pl.Float64))
    measured = location_quotient_interval(cells, region="cluster_id", industry="digital_code")
    return measured.select(columns).sort("cluster_id", "n", "digital_code", descending=[False, True, False])


@lru_cache(maxsize=4)
def _held(path: Path) -> pl.LazyFrame:
    return pl.read_parquet(path, glob=False).lazy()


def _scanned(folder: Path, wanted: pl.Expr, *columns: str) -> pl.DataFrame:
    """Rows of `members`: of a small file from memory, of a large one read without holding the rest."""
    path = folder / "members.parquet"
    try:
        rows = (_held(path) if path.stat().st_size <= HELD_BYTES else pl.scan_parquet(path, glob=False)).filter(wanted)
        return (rows.select(columns) if columns else rows).collect()
    except (OSError, pl.exceptions.PolarsError) as error:
        raise WorkspaceError("JQ-STORE-016", path=path) from error
