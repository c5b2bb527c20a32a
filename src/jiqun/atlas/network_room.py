"""The network's questions and its command 网络查询与作业: clusters on the network, positions, how a cluster is linked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any, Literal

import polars as pl
from pydantic import Field

from jiqun.accounts.mine import unpublished
from jiqun.atlas import network_desk
from jiqun.atlas.clusters import LEAST_ALPHA
from jiqun.atlas.network_desk import Analysis
from jiqun.atlas.operations import ClusterId
from jiqun.atlas.reading import READERS, RESERVED_SIZES, Rows, sees_all, version
from jiqun.atlas.room import ROOM
from jiqun.core.actor import LOCAL, Actor, Role
from jiqun.core.errors import UsageError
from jiqun.core.operation import Model, Page, PageRequest, paged
from jiqun.store import StoredResult, Workspace
from jiqun.store.commands import Transaction
from jiqun.store.jobs import Handler, Job, Report
from jiqun.store.tables import JSON

RUN = "atlas.network_run"
SEES_TIES: tuple[Role, ...] = ("operator", "analyst", "auditor")
"""Who may see who is linked with whom, and what follows from it for one firm."""
NetworkId = Annotated[str, Field(pattern=r"^n\d{4,9}$", description="id of a network cluster, as n0001")]
AnyId = Annotated[str, Field(pattern=r"^[cn]\d{4,9}$", description="a cluster on the map (c0001) or network (n0001)")]
RunId = Annotated[str | None, Field(pattern=r"^[0-9a-f]{4,64}$", description="start of the analysis's id")]


class NetworkRequest(Model):
    """Which analysis; without any, the current one."""

    run: RunId = None


class NetworkAnswer(Model):
    """An analysis in numbers 网络概况; `values` as `jiqun.atlas.network_desk.run` stores them."""

    id: str
    created: datetime
    as_of: str
    current: bool
    values: dict[str, Any]


class NetworkClustersRequest(PageRequest):
    """Network clusters by weight inside."""

    run: RunId = None


class NetworkClusterRow(Model):
    """A cluster on the network 网络集群. `far_share`: share of link weight over more than eps; `p`: among all communities."""

    cluster_id: str
    event: Literal["born", "continued", "split", "merged"]
    members: int
    known: int
    edges: int
    weight_in: float
    share_in: float | None
    p: float | None
    placed: int
    far_share: float | None
    median_link_km: float | None
    median_pair_km: float | None
    digital_code: str | None
    class_share: float | None
    label: str | None
    form: str | None
    digital_cluster: bool | None


class PositionsRequest(PageRequest):
    """Firms by their position in the network."""

    run: RunId = None
    cluster_id: NetworkId | None = None
    sort: Literal["pagerank", "betweenness", "brokered", "in_strength", "out_strength", "constraint"] = "pagerank"


class PositionRow(Model):
    """Where one firm stands 网络位置; low `constraint` means a broker."""

    id: str | None
    name: str
    cluster_id: str | None
    in_degree: int
    out_degree: int
    in_strength: float
    out_strength: float
    pagerank: float
    betweenness: float
    betweenness_error: float | None
    constraint: float | None
    brokered: int
    coordinator: int
    itinerant: int
    gatekeeper: int
    representative: int
    liaison: int
    core: bool
    core_undecided: bool


class LeadersRequest(Model):
    """Chain leaders of one cluster."""

    cluster_id: AnyId
    run: RunId = None


class LeaderRow(Model):
    """A chain leader 链主. Firms of one rank are tied; numbers that only some roles may see are null for the others."""

    rank: int
    id: str
    name: str
    size: float | None = None
    pagerank: float | None = None
    brokered: float | None = None
    dependence_in: float | None = None
    dependence_out: float | None = None
    customers: int | None = None
    customers_half: int | None = None
    suppliers: int | None = None
    suppliers_half: int | None = None


class LinkageRequest(Model):
    """How one cluster on the map is linked."""

    cluster_id: ClusterId
    run: RunId = None


class LinkageAnswer(Model):
    """Observed against expected linkage, and the type, of a cluster on the map 集群的关联与类型; null where not analysed.

    `digital`: the class whose clusters the analysis looked at; ids are of that class.
    """

    cluster_id: str
    digital: str | None = None
    members: int | None = None
    response: float | None = None
    used: int | None = None
    observed: float | None = None
    expected: float | None = None
    expected_links: float | None = None
    ratio: float | None = None
    low: float | None = None
    high: float | None = None
    finding: Literal["more", "as expected", "less", "unknown"] = "unknown"
    reason: str | None = None
    core: float | None = None
    core_low: float | None = None
    core_high: float | None = None
    space: float | None = None
    median_link_km: float | None = None
    label: str = "undecided"
    form: str = "unknown"
    digital_cluster: bool | None = None
    why_zh: str = ""
    why_en: str = ""


class NetworkRunRequest(Model):
    """What to analyse; as `jiqun.atlas.network_desk.Analysis`."""

    kinds: Annotated[tuple[str, ...], Field(max_length=20, description="kinds of links; none: all")] = ()
    weights: Annotated[
        tuple[tuple[str, Annotated[float, Field(ge=0, le=1e6)]], ...],
        Field(max_length=20, description="weight of an average link of each kind"),
    ] = ()
    filter: Literal["auto", "on", "off"] = "auto"
    filter_alpha: Annotated[float, Field(gt=0, lt=1)] = 0.05
    quality: Literal["modularity", "cpm"] = "modularity"
    resolution: Annotated[float | None, Field(gt=0, le=1e6)] = None
    seeds: Annotated[int, Field(ge=20, le=200)] = 20
    nulls: Annotated[int | None, Field(ge=19, le=999)] = None
    alpha: Annotated[float, Field(ge=LEAST_ALPHA, lt=1)] = 0.05
    eps_km: Annotated[float, Field(ge=0.02, le=10_000, description="links beyond it reach over distance")] = 20.0
    digital: Annotated[str | None, Field(pattern=r"^\d{2,6}$", description="class of the clusters on the map")] = None
    size: Annotated[str | None, Field(pattern=r"^[a-z_]{1,40}$", description="column that sizes firms")] = None
    response: Annotated[float | None, Field(ge=0, le=1, description="share that answered; none: a full count")] = None
    least_response: Annotated[float, Field(ge=0, le=1)] = 0.6
    draws: Annotated[int, Field(ge=19, le=999)] = 199
    before: Annotated[int | None, Field(ge=1, le=10**9, description="load of links to compare with")] = None
    seed: Annotated[int, Field(ge=0, le=2**53)] = 20240501


class NetworkRunAnswer(Model):
    """The job that analyses; its result names the analysis."""

    job: str


@ROOM.operation("network", "网络概况", "The network in numbers", roles=READERS)
def network(actor: Actor, workspace: Workspace, request: NetworkRequest) -> NetworkAnswer:
    """The current analysis of the network, in numbers."""
    result = network_desk.current(actor, workspace, request.run)
    return NetworkAnswer(
        id=result.id,
        created=result.created,
        as_of=result.lineage.inputs[0].as_of,
        current=result.current,
        values=dict(result.values),
    )


@ROOM.operation("network_clusters", "网络集群列表", "List network clusters", roles=READERS)
def network_clusters(actor: Actor, workspace: Workspace, request: NetworkClustersRequest) -> Page[NetworkClusterRow]:
    """Communities that hold more of their links inside than chance explains."""
    result = network_desk.current(actor, workspace, request.run)
    frame = result.table("clusters").select(list(NetworkClusterRow.model_fields))
    return paged(Rows(frame, lambda row: NetworkClusterRow(**row)), request, version=version(result.id))


@ROOM.operation("positions", "网络位置", "Positions in the network", roles=SEES_TIES)
def positions(actor: Actor, workspace: Workspace, request: PositionsRequest) -> Page[PositionRow]:
    """Firms by their position; only for those who may see who is linked with whom."""
    frame = positions_frame(actor, workspace, request)
    result = network_desk.current(actor, workspace, request.run)
    said = version(result.id, request.sort, request.cluster_id, frame.height)
    return paged(Rows(frame, lambda row: PositionRow(**row)), request, version=said)


def positions_frame(actor: Actor, workspace: Workspace, request: PositionsRequest) -> pl.DataFrame:
    """All rows of `positions` as a frame, for those who may ask it."""
    positions.check(actor, request)
    result = network_desk.current(actor, workspace, request.run)
    frame = shown(workspace, result.table("nodes"))
    if request.cluster_id is not None:
        find(result, request.cluster_id)
        frame = frame.filter(pl.col("cluster_id") == request.cluster_id)
    frame = frame.sort(request.sort, "node", descending=[request.sort != "constraint", False], nulls_last=True)
    return frame.select(list(PositionRow.model_fields))


@ROOM.operation("leaders", "链主", "Chain leaders of a cluster", roles=READERS)
def leaders(actor: Actor, workspace: Workspace, request: LeadersRequest) -> tuple[LeaderRow, ...]:
    """The first ranks of a cluster's chain leaders; the numbers behind them for those who may see ties."""
    result = network_desk.current(actor, workspace, request.run)
    rows = shown(workspace, result.table("leaders")).filter(pl.col("cluster_id") == request.cluster_id)
    if request.cluster_id.startswith("n"):
        find(result, request.cluster_id)
    full = sees_all(actor)
    columns = list(LeaderRow.model_fields) if full else ["rank", "id", "name"]
    if not full and result.values["size"] not in RESERVED_SIZES:
        columns.append("size")
    if not full:  # the order within a rank tells nothing then
        rows = rows.sort("rank", "name", "id")
    return tuple(LeaderRow(**row) for row in rows.select(columns).to_dicts())


@ROOM.operation("linkage", "集群的关联与类型", "How a cluster is linked", roles=READERS)
def linkage(actor: Actor, workspace: Workspace, request: LinkageRequest) -> LinkageAnswer:
    """Linkage of a cluster on the map against what size and distance explain, and its type."""
    result = network_desk.current(actor, workspace, request.run)
    return linked(result, request.cluster_id)


@ROOM.operation("network_run", "网络分析", "Analyse the network", roles=["operator", "analyst"], writes=True)
def network_run(actor: Actor, workspace: Workspace, request: NetworkRunRequest, *, key: str) -> NetworkRunAnswer:
    """Queue an analysis of the links that are loaded now.

    Raises
    ------
    WorkspaceError
        JQ-NETWORK-003: no links are loaded.
    UsageError
        JQ-NETWORK-006: no such kind; JQ-USE-001: no such load; JQ-USE-003: no such size.
    """
    analysis = Analysis(**request.model_dump())
    network_desk.check(workspace, analysis)

    def queue(tx: Transaction) -> JSON:
        payload: Any = {"analysis": asdict(analysis)}
        return {"job": tx.job(RUN, payload, account=actor.id, organisation=actor.organisation, most_attempts=3)}

    answer: Any = workspace.database.command(
        actor, key, RUN, queue, request=request.model_dump(mode="json"), subject=network_desk.KIND
    )
    return NetworkRunAnswer(job=answer["job"])


def _run(workspace: Workspace, job: Job, report: Report) -> JSON:
    payload: Any = job.payload
    result = network_desk.run(
        LOCAL,
        workspace,
        Analysis(**NetworkRunRequest.model_validate(payload["analysis"]).model_dump()),
        progress=lambda step, done, total: report(step, done, total or 0),
    )
    return {"kind": result.kind, "result": result.id, "clusters": result.values["clusters"]}


HANDLERS: Mapping[str, Handler] = {RUN: _run}


def hidden(workspace: Workspace) -> frozenset[str]:
    """Firms that are not shown by name."""
    return unpublished(workspace)


def shown(workspace: Workspace, rows: pl.DataFrame) -> pl.DataFrame:
    """Rows of firms without those that are not shown by name; names that are no organisation's stay."""
    apart = hidden(workspace)
    return rows.filter(~pl.col("id").is_in(list(apart)) | pl.col("id").is_null()) if apart else rows


def kinds(workspace: Workspace) -> list[str]:
    """The kinds of links that are loaded."""
    rows = workspace.scan("links").select(pl.col("kind").drop_nulls().unique().sort()).collect()
    return list(map(str, rows["kind"]))


def find(result: StoredResult, cluster_id: str) -> dict[str, Any]:
    """One network cluster of an analysis.

    Raises
    ------
    UsageError
        JQ-NETWORK-005: there is none of that id.
    """
    table = result.table("clusters")
    row = table.filter(pl.col("cluster_id") == cluster_id)
    if row.is_empty():
        raise UsageError("JQ-NETWORK-005", value=cluster_id, known=", ".join(table["cluster_id"].head(5)) or "—")
    return row.row(0, named=True)


def linked(result: StoredResult, cluster_id: str) -> LinkageAnswer:
    """What an analysis says of one cluster on the map."""
    known = linkages(result, cluster_id)
    return known[0] if known else LinkageAnswer(cluster_id=cluster_id, digital=result.lineage.parameters["digital"])


def linkages(result: StoredResult, cluster_id: str | None = None) -> list[LinkageAnswer]:
    """What an analysis says of every cluster on the map, or of one."""
    kinds = result.table("types").filter(pl.col("scope") == "map")
    rows = result.table("residuals").drop("answered").rename({"reason": "why"})
    rows = rows.join(kinds, on="cluster_id", how="full", coalesce=True, maintain_order="left_right")
    if cluster_id is not None:
        rows = rows.filter(pl.col("cluster_id") == cluster_id)
    rows = rows.with_columns(
        finding=pl.col("finding").fill_null("unknown"), label=pl.col("label").fill_null("undecided"),
        form=pl.col("form").fill_null("unknown"), why_zh=pl.col("reason_zh").fill_null(""),
        why_en=pl.col("reason_en").fill_null(""), reason="why", digital=pl.lit(result.lineage.parameters["digital"], pl.String),
    )  # fmt: skip
    return [
        LinkageAnswer(**row)
        for row in rows.select(name for name in LinkageAnswer.model_fields if name in rows.columns).to_dicts()
    ]
