"""The atlas's questions 图谱查询: runs, clusters, members, regions, comparisons, and what was loaded."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

import polars as pl
from pydantic import Field

from jiqun.atlas.reading import (
    OPEN_COLUMNS,
    READERS,
    RESERVED_SIZES,
    Rows,
    Run,
    Which,
    find_cluster,
    find_run,
    kind_of,
    published,
    searched,
    sees_all,
    version,
)
from jiqun.atlas.regions import home_regions
from jiqun.atlas.room import ROOM
from jiqun.atlas.subject import register_of
from jiqun.core.actor import Actor
from jiqun.core.document import Text
from jiqun.core.errors import UsageError
from jiqun.core.operation import Model, Page, PageRequest, paged
from jiqun.core.schema import schema
from jiqun.store import Snapshot, Workspace

MOST_COMPARED = 10
ClusterId = Annotated[str, Field(pattern=r"^c\d{4,9}$", description="id of a cluster, as c0001")]
RegionCode = Annotated[
    str, Field(pattern=r"^[A-Z]{2}(\.[0-9A-Z]{1,10})?$", description="country, or country and province, as CN.30")
]
Event = Literal["born", "continued", "split", "merged"]


class RunsRequest(PageRequest):
    """Runs, newest first."""

    digital: Annotated[str | None, Field(pattern=r"^\d{2,6}$", description="of one class only")] = None


class RunRow(Model):
    """A stored run 一次识别. `against`: what firms were compared with; None of `digital`: all firms."""

    id: str
    digital: str | None
    created: datetime
    as_of: str
    source: str
    clusters: int
    firms: int
    against: str
    current: bool


class ClustersRequest(PageRequest, Which):
    """Clusters of a run, filtered and sorted."""

    country: Annotated[str | None, Field(pattern=r"^[A-Z]{2}$", description="ISO code")] = None
    region: RegionCode | None = None
    event: Event | None = None
    min_firms: Annotated[int | None, Field(ge=0, le=10**9)] = None
    sort: Literal["evidence", "firms", "ratio", "name"] = "evidence"


class ClusterRow(Model):
    """A cluster 集群. `rank` is by evidence; `before` is the number of firms in the run before, None where it was not there."""

    cluster_id: str
    rank: int
    name_zh: str
    name_en: str
    country: str | None
    firms: int
    before: int | None
    size: float | None
    expected: float | None
    ratio: float | None
    llr: float | None
    p_adjusted: float | None
    persistence: float | None
    event: Event
    digital_code: str | None
    class_share: float | None
    lon: float
    lat: float
    radius_km: float
    leaders: tuple[str, ...]


class ClusterRequest(Which):
    """One cluster."""

    cluster_id: ClusterId


class HistoryRow(Model):
    """The cluster in one run."""

    run: str
    as_of: str
    rank: int
    firms: int
    ratio: float | None
    event: Event


class ClusterAnswer(Model):
    """A cluster with what varies 集群详情.

    `firms_low` to `firms_high`: without firms at addresses that very many share, and with those that are placed too
    coarsely to be searched. `varies` says what no number is given for.
    """

    run: RunRow
    cluster: ClusterRow
    core_firms: int
    locations: int
    firms_low: int
    firms_high: int
    previous: tuple[str, ...]
    history: tuple[HistoryRow, ...]
    varies: Text


class MembersRequest(PageRequest, Which):
    """Members of a cluster, by name."""

    cluster_id: ClusterId
    core: bool | None = None


class MemberRow(Model):
    """A member firm. What only some roles may see is null for the others."""

    id: str
    name: str
    country: str | None = None
    city: str | None = None
    place_name: str | None = None
    place_name_zh: str | None = None
    digital_code: str | None = None
    website: str | None = None
    roster_state: Annotated[str | None, Field(description="unmatched: it is on a roster and not in the register")] = (
        None
    )
    core: bool
    address: str | None = None
    lon: float | None = None
    lat: float | None = None
    size: float | None = None


class RegionsRequest(PageRequest, Which):
    """Regions of a run."""

    min_firms: Annotated[int | None, Field(ge=0, le=10**9)] = None
    sort: Literal["firms", "lq", "name"] = "firms"


class RegionRow(Model):
    """A country, or a province or state 区域. `lq`: location quotient against population; `lq_shrunk`: Marshall's estimate."""

    region: str
    level: Literal["country", "region"]
    rank: int
    name_zh: str
    name_en: str
    firms: int
    coarse: int
    expected: float | None
    lq: float | None
    lq_shrunk: float | None
    g_star: float | None
    g_star_q: float | None


class RegionRequest(Which):
    """One region."""

    region: RegionCode


class RegionAnswer(Model):
    """A region and the clusters whose centre lies in it."""

    run: RunRow
    region: RegionRow
    regions: int
    clusters: tuple[ClusterRow, ...]


class CompareRequest(Which):
    """Up to ten clusters, or up to ten regions."""

    c: Annotated[tuple[ClusterId, ...], Field(max_length=MOST_COMPARED, description="clusters")] = ()
    r: Annotated[tuple[RegionCode, ...], Field(max_length=MOST_COMPARED, description="regions")] = ()


class CompareAnswer(Model):
    """The clusters or regions side by side, in the order asked for."""

    run: RunRow
    clusters: tuple[ClusterRow, ...]
    regions: tuple[RegionRow, ...]


class TablesRequest(Model):
    """What is loaded."""


class LoadRow(Model):
    """One load of a table."""

    load: int
    snapshot: str
    as_of: str
    created: datetime
    source: str
    rows: int
    quarantined: int
    current: bool


class TableRow(Model):
    """A table that is loaded 数据表: where from, as of when, what was refused and why, its loads, its columns."""

    table: str
    title: Text
    source: str
    as_of: str
    rows: int
    quarantined: int
    problems: dict[str, int]
    loads: tuple[LoadRow, ...]
    columns: tuple[str, ...]


@ROOM.operation("runs", "历次识别", "List runs", roles=READERS)
def runs(_actor: Actor, workspace: Workspace, request: RunsRequest) -> Page[RunRow]:
    """The stored runs, newest first."""
    kinds = [kind_of(code) for code in searched(workspace) if request.digital in (None, code)]
    found = [result for kind in kinds for result in workspace.results(kind)]
    found.sort(key=lambda result: result.created, reverse=True)
    page = paged(found, request, version=version("runs", request.digital, len(found)))
    return Page(items=tuple(run_row(workspace, Run(result)) for result in page.items), total=page.total, next=page.next)


@ROOM.operation("clusters", "集群列表", "List clusters", roles=READERS)
def clusters(_actor: Actor, workspace: Workspace, request: ClustersRequest) -> Page[ClusterRow]:
    """The clusters of a run, by strength of evidence unless sorted otherwise."""
    run = find_run(workspace, request)
    frame = filtered(workspace, run, request)
    return paged(Rows(frame, cluster_row), request, version=version(run.id, _filters(request)))


@ROOM.operation("cluster", "集群详情", "One cluster", roles=READERS)
def cluster(_actor: Actor, workspace: Workspace, request: ClusterRequest) -> ClusterAnswer:
    """One cluster: its figures, what varies, and how it was in earlier runs."""
    run = find_run(workspace, request)
    row = find_cluster(workspace, run, request.cluster_id)
    history = [(old, old.row(request.cluster_id)) for old in run.history(workspace)]
    return ClusterAnswer(
        run=run_row(workspace, run),
        cluster=_with_before(workspace, run, [row])[0],
        core_firms=row["core_firms"],
        locations=row["locations"],
        firms_low=row["firms_unshared"],
        firms_high=row["firms"] + row["coarse_firms"],
        previous=tuple(row["previous"]),
        history=tuple(
            HistoryRow(
                run=old.id,
                as_of=old.as_of,
                rank=was["rank"],
                firms=was["firms"],
                ratio=was["ratio"],
                event=was["event"],
            )
            for old, was in history
            if was is not None
        ),
        varies=VARIES,
    )


@ROOM.operation("members", "集群成员", "Members of a cluster", roles=READERS)
def members(actor: Actor, workspace: Workspace, request: MembersRequest) -> Page[MemberRow]:
    """The members of a cluster, by name; what is not for everybody only to those who may see it."""
    run = find_run(workspace, request)
    find_cluster(workspace, run, request.cluster_id)
    frame = run.members(request.cluster_id)
    if request.core is not None:
        frame = frame.filter(pl.col("core") == request.core)
    return paged(
        Rows(visible(frame, run, full=sees_all(actor)), _member),
        request,
        version=version(run.id, len(run.hidden), _filters(request)),
    )


@ROOM.operation("largest", "最大成员", "Largest members", roles=READERS)
def largest(actor: Actor, workspace: Workspace, request: ClusterRequest) -> tuple[MemberRow, ...]:
    """The largest members of a cluster; by name where their size is not for everybody."""
    run = find_run(workspace, request)
    find_cluster(workspace, run, request.cluster_id)
    frame = run.largest(request.cluster_id)
    full = sees_all(actor)
    if run.size is None or (run.size in RESERVED_SIZES and not full):
        frame = frame.sort("name")
    return tuple(map(_member, visible(frame, run, full=full).to_dicts()))


@ROOM.operation("regions", "地区列表", "List regions", roles=READERS)
def regions(_actor: Actor, workspace: Workspace, request: RegionsRequest) -> Page[RegionRow]:
    """The regions that hold firms, by number of firms unless sorted otherwise."""
    run = find_run(workspace, request)
    frame = sorted_regions(run, request)
    return paged(Rows(frame, region_row), request, version=version(run.id, _filters(request)))


@ROOM.operation("region", "地区详情", "One region", roles=READERS)
def region(_actor: Actor, workspace: Workspace, request: RegionRequest) -> RegionAnswer:
    """One region, and the clusters whose centre lies in it."""
    run = find_run(workspace, request)
    row = find_region(run, request.region)
    inside = clusters_frame(workspace, run).filter(
        pl.col("cluster_id").is_in(clusters_in(workspace, run, request.region))
    )
    return RegionAnswer(
        run=run_row(workspace, run),
        region=row,
        regions=run.regions.height,
        clusters=tuple(map(cluster_row, inside.to_dicts())),
    )


@ROOM.operation("compare", "并排比较", "Compare", roles=READERS)
def compare(_actor: Actor, workspace: Workspace, request: CompareRequest) -> CompareAnswer:
    """Up to ten clusters, or regions, side by side."""
    run = find_run(workspace, request)
    rows = [find_cluster(workspace, run, wanted) for wanted in dict.fromkeys(request.c)]
    return CompareAnswer(
        run=run_row(workspace, run),
        clusters=tuple(_with_before(workspace, run, rows)),
        regions=tuple(find_region(run, code) for code in dict.fromkeys(request.r)),
    )


@ROOM.operation("tables", "数据清单", "What is loaded", roles=READERS)
def tables(_actor: Actor, workspace: Workspace, request: TablesRequest) -> tuple[TableRow, ...]:  # noqa: ARG001
    """The tables that are loaded: source, date, rows, what was refused and why, earlier loads, columns."""
    return tuple(_table(workspace, snapshot) for snapshot in workspace.tables())


VARIES = Text(
    "登记库是全数，没有抽样误差；收录范围、分类、定位与记录的新旧会变，尚无区间。倍数描述的是搜索所选中的地方，比新样本会显示的略高。",
    "The register is a full count, so there is no sampling error; coverage, classification, placing and the age of records vary, and "
    "no interval is known for them. A ratio describes the place that the search chose and lies somewhat above what a fresh sample would show.",
)


def run_row(workspace: Workspace, run: Run) -> RunRow:
    """A run as a row."""
    values = run.values
    return RunRow(
        id=run.id,
        digital=run.digital,
        created=run.result.created,
        as_of=run.as_of,
        source=register_of(workspace, run.result),
        clusters=values["clusters"],
        firms=values["firms"],
        against=values["against"],
        current=run.result.current,
    )


def clusters_frame(workspace: Workspace, run: Run) -> pl.DataFrame:
    """The clusters of a run with `before`, the firms that each had in the run before."""
    earlier = run.before(workspace)
    if earlier is None:
        return run.clusters.with_columns(before=pl.lit(None, pl.Int64))
    before = earlier.clusters.select("cluster_id", before="firms")
    return run.clusters.join(before, on="cluster_id", how="left", maintain_order="left")


def filtered(workspace: Workspace, run: Run, request: ClustersRequest) -> pl.DataFrame:
    """The clusters that a request asks for, in its order."""
    frame = clusters_frame(workspace, run)
    if request.country is not None:
        frame = frame.filter(pl.col("country") == request.country)
    if request.region is not None:
        frame = frame.filter(pl.col("cluster_id").is_in(clusters_in(workspace, run, request.region)))
    if request.event is not None:
        frame = frame.filter(pl.col("event") == request.event)
    if request.min_firms is not None:
        frame = frame.filter(pl.col("firms") >= request.min_firms)
    order: dict[str, tuple[str, bool]] = {
        "firms": ("firms", True),
        "ratio": ("ratio", True),
        "name": ("name_en", False),
    }
    if request.sort in order:
        column, falling = order[request.sort]
        frame = frame.sort(column, "rank", descending=[falling, False], nulls_last=True)
    return frame


def cluster_row(row: dict[str, Any]) -> ClusterRow:
    """A row of `clusters_frame` as a model."""
    told = {name: row[name] for name in ClusterRow.model_fields}
    return ClusterRow(**{**told, "leaders": tuple(row["leaders"] or ())})


def sorted_regions(run: Run, request: RegionsRequest) -> pl.DataFrame:
    """The regions that a request asks for, in its order."""
    frame = run.regions
    if request.min_firms is not None:
        frame = frame.filter(pl.col("firms") >= request.min_firms)
    if request.sort != "firms":
        column, falling = ("lq_shrunk", True) if request.sort == "lq" else ("name_en", False)
        frame = frame.sort(column, "rank", descending=[falling, False], nulls_last=True)
    return frame


def region_row(row: dict[str, Any]) -> RegionRow:
    """A row of a run's regions as a model."""
    return RegionRow(**{name: row[name] for name in RegionRow.model_fields})


def find_region(run: Run, code: str) -> RegionRow:
    """One region of a run.

    Raises
    ------
    UsageError
        JQ-ATLAS-019: the run has no such region.
    """
    found = run.regions.filter(pl.col("region") == code)
    if found.is_empty():
        raise UsageError("JQ-ATLAS-019", value=code, known=", ".join(run.regions.head(5)["region"]) or "—")
    return region_row(found.row(0, named=True))


def clusters_in(workspace: Workspace, run: Run, code: str) -> tuple[str, ...]:
    """Ids of the clusters in a region: by country, or by the province in which the centre lies."""
    if "." not in code:
        return tuple(run.clusters.filter(pl.col("country") == code)["cluster_id"])
    homes = home_regions(run.result.path, workspace.cache)
    return tuple(cluster for cluster, home in homes.items() if home == code)


def visible(frame: pl.DataFrame, run: Run, *, full: bool) -> pl.DataFrame:
    """Members as a reader may see them: those published, and their columns; `size` is what sizes the run's firms."""
    frame = published(frame, run.hidden)
    columns = [c for c in (*OPEN_COLUMNS, "core") if c in frame.columns]
    if full:
        columns += [c for c in ("address", "lon", "lat") if c in frame.columns]
    shown = frame.select(columns)
    if run.size and run.size in frame.columns and (full or run.size not in RESERVED_SIZES):
        shown = shown.with_columns(size=frame[run.size].cast(pl.Float64))
    return shown


def _member(row: dict[str, Any]) -> MemberRow:
    return MemberRow(**row)


def _with_before(workspace: Workspace, run: Run, rows: list[dict[str, Any]]) -> list[ClusterRow]:
    earlier = run.before(workspace)
    was = [earlier.row(row["cluster_id"]) if earlier else None for row in rows]
    return [
        cluster_row({**row, "before": before["firms"] if before else None})
        for row, before in zip(rows, was, strict=True)
    ]


def _filters(request: PageRequest) -> str:
    return request.model_dump_json(exclude={"cursor", "limit"})


def _table(workspace: Workspace, snapshot: Snapshot) -> TableRow:
    loads = workspace.history(snapshot.table)
    about = schema(snapshot.table)
    return TableRow(
        table=snapshot.table,
        title=Text(about.title_zh, about.title_en),
        source=snapshot.source,
        as_of=snapshot.as_of.isoformat(),
        rows=snapshot.rows,
        quarantined=snapshot.quarantined,
        problems=dict(snapshot.summary.get("problems", {})),
        loads=tuple(
            LoadRow(
                load=old.load,
                snapshot=old.id,
                as_of=old.as_of.isoformat(),
                created=old.created,
                source=old.source,
                rows=old.rows,
                quarantined=old.quarantined,
                current=old.id == snapshot.id,
            )
            for old in loads
        ),
        columns=tuple(workspace.scan(snapshot.table, snapshot.id).collect_schema().names()),
    )
