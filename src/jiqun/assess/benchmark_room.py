"""The benchmark's operation 对标操作: a found cluster, or what the table of indicators says of a unit, beside quoted figures."""

from __future__ import annotations

from typing import Annotated, Any

import polars as pl
from pydantic import Field

from jiqun.assess.references import benchmark, reference_texts
from jiqun.assess.room import ROOM
from jiqun.atlas.operations import ClusterId
from jiqun.atlas.reading import READERS, Which, find_cluster, find_run
from jiqun.core.actor import Actor
from jiqun.core.document import Text
from jiqun.core.operation import Model
from jiqun.store import Workspace

TABLE = "indicators"


class BenchmarkRequest(Which):
    """A cluster that was found here, a unit of the table of indicators, or neither: the references alone."""

    cluster_id: ClusterId | None = None
    unit: Annotated[str | None, Field(min_length=1, max_length=200, description="unit of the table of indicators")] = (
        None
    )


class BesideRow(Model):
    """A quoted figure 引用数字, as quoted, and one's own of the same indicator; `differs`: what is not known to be the same.

    `cluster` is null where no reference has the indicator; the `own` fields where nothing was put beside.
    """

    own: str | None
    own_value: float | None
    own_unit: str | None
    own_year: int | None
    own_concept: str | None
    own_boundary: str | None
    own_source: str | None
    cluster: str | None
    name: Text | None
    boundary: Text | None
    year: int | None
    about_year: bool | None
    indicator: str
    concept: Text | None
    value: float | None
    quoted: str | None
    bound: str | None
    unit: str | None
    source: str | None
    differs: tuple[str, ...]


class BenchmarkAnswer(Model):
    """Side by side, never ranked; `texts` by code of the source."""

    rows: tuple[BesideRow, ...]
    texts: dict[str, Text]


@ROOM.operation("benchmark", "对标", "Benchmark", roles=READERS)
def benchmark_(_actor: Actor, workspace: Workspace, request: BenchmarkRequest) -> BenchmarkAnswer:
    """Figures of reference clusters as published texts quote them, beside one's own of the same indicator; never ranked.

    Raises
    ------
    UsageError
        JQ-ATLAS-014, 018: no such cluster.
    WorkspaceError
        JQ-ATLAS-013: no search has been run.
    """
    rows = beside(workspace, request)
    return BenchmarkAnswer(rows=tuple(map(_row, rows.to_dicts())), texts=reference_texts())


def beside(workspace: Workspace, request: BenchmarkRequest) -> pl.DataFrame:
    """What is asked for, as `jiqun.assess.benchmark` gives it."""
    parts = [one for one in (_cluster(workspace, request), _unit(workspace, request)) if one is not None]
    return benchmark(pl.concat(parts, how="diagonal") if parts else None)


def _cluster(workspace: Workspace, request: BenchmarkRequest) -> pl.DataFrame | None:
    """How many firms a cluster has, the one figure that every search gives."""
    if request.cluster_id is None:
        return None
    run = find_run(workspace, Which(digital=request.digital, as_of=request.as_of, run=request.run))
    row = find_cluster(workspace, run, request.cluster_id)
    return pl.DataFrame(
        {
            "cluster": [f"{row['name_zh']} {row['name_en']}"], "indicator": ["firms"], "value": [float(row["firms"])],
            "unit": ["firms"], "year": [int(run.as_of[:4])], "concept": ["登记企业 registered firms"],
            "boundary": ["识别所得 as found here"], "source": [f"{run.result.kind} {run.id[:12]}"],
        }
    )  # fmt: skip


def _unit(workspace: Workspace, request: BenchmarkRequest) -> pl.DataFrame | None:
    """The latest yearly value of each indicator of a unit."""
    if request.unit is None or not workspace.history(TABLE):
        return None
    rows = workspace.scan(TABLE).filter(pl.col("unit") == request.unit).collect()
    for name in ("quarter", "measure", "evidence"):
        if name not in rows.columns:
            rows = rows.with_columns(pl.lit(None, pl.String).alias(name))
    rows = rows.filter(pl.col("quarter").is_null(), pl.col("value").is_not_null())
    rows = rows.sort("year", descending=True).unique("indicator", keep="first", maintain_order=True)
    return rows.select(
        "indicator", "value", cluster="unit", unit="measure", year="year", source=pl.col("evidence").cast(pl.String)
    )


def units_of(workspace: Workspace, *, most: int = 200) -> list[str]:
    """Units that the table of indicators speaks of."""
    if not workspace.history(TABLE):
        return []
    found: list[str] = (
        workspace.scan(TABLE).select(pl.col("unit").unique().sort().head(most)).collect()["unit"].to_list()
    )
    return found


def _row(row: dict[str, Any]) -> BesideRow:
    def text(name: str) -> Text | None:
        return Text(row[f"{name}_zh"], row[f"{name}_en"]) if row[f"{name}_zh"] is not None else None

    plain = {name: row[name] for name in BesideRow.model_fields if name in row}
    return BesideRow(**plain, name=text("cluster"), boundary=text("boundary"), concept=text("concept"))
