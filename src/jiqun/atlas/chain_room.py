"""The chains' operations 产业链操作: list, show, place firms, map, gaps, firms of a node, candidates, edit."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal

import polars as pl
from pydantic import Field

from jiqun.atlas import chain_records as records
from jiqun.atlas.chain_data import ID, Chain, Id, Stage
from jiqun.atlas.chain_desk import ChainView, find_candidates, firms_of, look, place, placed
from jiqun.atlas.operations import ClusterId
from jiqun.atlas.reading import READERS, Rows, Which, published, sees_all, version
from jiqun.atlas.room import ROOM
from jiqun.core.actor import LOCAL, Actor, Role
from jiqun.core.errors import WorkspaceError
from jiqun.core.operation import Model, Page, PageRequest, paged
from jiqun.store import Workspace
from jiqun.store.commands import Transaction
from jiqun.store.jobs import Handler, Job, Report
from jiqun.store.tables import JSON

PLACE = "atlas.place_chain"
EDITS: tuple[Role, ...] = ("operator", "analyst")
SEEKS: tuple[Role, ...] = ("operator", "analyst", "member", "auditor")
"""Who may look for firms to fill a gap with."""
Status = Literal["strong", "present", "weak", "missing", "unknown"]
By = Literal["code", "main_business", "scope", "summary", "name"]
ChainId = Annotated[str, Field(pattern=ID, description="id of a chain")]


class ChainsRequest(Model):
    """The chains of the workspace."""


class ChainRow(Model):
    """A chain 产业链. `placed`: firms that stand on it, null where they were not placed; `as_of`: of their register."""

    id: str
    zh: str
    en: str
    version: str
    origin: Literal["shipped", "file", "edited"]
    revision: int
    nodes: int
    edges: int
    drafts: int
    placed: int | None
    as_of: str | None


class ChainRequest(Model):
    """One chain."""

    chain: ChainId


class RevisionRow(Model):
    """One saving of a chain; `account` only for who sees everything. `back`: the edits were taken back."""

    revision: int
    version: str | None
    note: str
    account: str | None
    at: datetime
    back: bool


class ChainAnswer(Model):
    """A chain in full, where it comes from, and its savings, newest first."""

    row: ChainRow
    chain: Chain
    revisions: tuple[RevisionRow, ...]


class ViewRequest(Which):
    """A chain with the firms of a cluster, or of the whole register."""

    chain: ChainId
    cluster_id: ClusterId | None = None
    size: Annotated[str | None, Field(pattern=r"^[a-z_]{1,40}$", description="column that sizes firms")] = None


class NodeRow(Model):
    """A node and its firms 环节. `possible`: firms that may stand there too; null: not known, or nothing to compare with.

    `single`: it hangs on one firm, which is the only one (`firms` is 1) or holds most of the size. `hhi` and `top_share` are
    null where sizes are known of less than half of the firms.
    """

    node: str
    zh: str
    en: str
    stage: Stage
    status: Status
    single: bool
    firms: int
    possible: int
    size: float | None
    sized: int
    lq: float | None
    hhi: float | None
    top_share: float | None


class FlowRow(Model):
    """Links between firms at two nodes; `expected`: the chain has this edge.

    Who may not see who is linked with whom is told of nodes that hold at least three firms each, and of no others.
    """

    start: str
    end: str
    expected: bool
    links: int
    firms: int


class MapAnswer(Model):
    """A cluster, or the register, on a chain 产业链图谱; `flows` is null where no links are loaded."""

    chain: str
    version: str
    cluster_id: str | None
    as_of: str
    size: str | None
    members: int
    placed: int
    open: int
    outside: int
    unknown: int
    nodes: tuple[NodeRow, ...]
    flows: tuple[FlowRow, ...] | None


class GapRow(Model):
    """A node that is missing, weak or hangs on one firm 缺口; without a rank it is not known to be.

    `unit`: the column of size that `hangs` and `only` add up; null: they count firms.
    """

    rank: int | None
    node: str
    zh: str
    en: str
    status: Status
    single: bool
    firms: int
    possible: int
    hangs: float
    only: float
    unit: str | None
    dependants: int
    target: str | None
    path: tuple[str, ...]


class NodeRequest(PageRequest, ViewRequest):
    """The firms at one node."""

    node: Id


class FirmRow(Model):
    """A firm at a node; what only some roles may see is null for the others."""

    id: str
    name: str
    city: str | None = None
    by: By
    evidence: str | None = None
    size: float | None = None


class CandidatesRequest(ViewRequest):
    """Firms elsewhere that stand at a node; without a cluster all that do."""

    node: Id
    limit: Annotated[int, Field(ge=1, le=500)] = 100


class CandidateRow(Model):
    """A candidate 候选企业, a reason in each field; null: not known, or not for this reader.

    `links`: only for who may see who is linked with whom; for others links do not order the candidates either.
    """

    rank: int
    id: str
    name: str | None
    city: str | None
    by: By
    evidence: str | None
    capability: float
    links: int | None
    relatedness: float | None
    size: float | None
    distance_km: float | None


class SaveRequest(Model):
    """A chain to save, and the revision it was made from (0: it was not edited before)."""

    chain: Chain
    base: Annotated[int, Field(ge=0, le=10**6)] = 0
    note: Annotated[str, Field(max_length=200)] = ""


class UnsaveRequest(Model):
    """Take all edits of a chain back."""

    chain: ChainId
    base: Annotated[int, Field(ge=0, le=10**6)]


class PlaceAnswer(Model):
    """The job that places the firms."""

    job: str


@ROOM.operation("chains", "产业链清单", "List chains", roles=READERS)
def chains(_actor: Actor, workspace: Workspace, request: ChainsRequest) -> tuple[ChainRow, ...]:  # noqa: ARG001
    """The industry chains of the workspace, by id."""
    return tuple(_row(workspace, one) for one in records.kept(workspace).values())


@ROOM.operation("chain", "产业链详情", "One chain", roles=READERS)
def chain(actor: Actor, workspace: Workspace, request: ChainRequest) -> ChainAnswer:
    """A chain: its nodes with their sources, its edges, and how it was edited.

    Raises
    ------
    UsageError
        JQ-CHAIN-010: there is none.
    """
    one = records.find_chain(workspace, request.chain)
    full = sees_all(actor)
    saved = tuple(
        RevisionRow(**vars(revision) | ({} if full else {"account": None}))
        for revision in records.revisions(workspace, request.chain)
    )
    return ChainAnswer(row=_row(workspace, one), chain=one.chain, revisions=saved)


@ROOM.operation("chain_map", "产业链图谱", "A chain's firms", roles=READERS)
def chain_map(actor: Actor, workspace: Workspace, request: ViewRequest) -> MapAnswer:
    """Firms at each node of a chain: how many, how strong, how concentrated; of a cluster or of the register."""
    shown = seen(actor, workspace, request)
    nodes = {node.id: node for node in shown.chain.nodes}
    rows = shown.mapped.nodes.drop("top").to_dicts()
    flows = shown.mapped.flows
    return MapAnswer(
        chain=shown.chain.id,
        version=shown.chain.version,
        cluster_id=request.cluster_id,
        as_of=shown.as_of,
        size=shown.size,
        members=shown.mapped.members,
        **shown.mapped.counts,
        nodes=tuple(NodeRow(**row, zh=nodes[row["node"]].zh, en=nodes[row["node"]].en) for row in rows),
        flows=None if flows is None else tuple(FlowRow(**row) for row in flows.to_dicts()),
    )


@ROOM.operation("chain_gaps", "产业链缺口", "Gaps of a chain", roles=READERS)
def chain_gaps(actor: Actor, workspace: Workspace, request: ViewRequest) -> tuple[GapRow, ...]:
    """Nodes that are missing, weak or hang on one firm, by what hangs on them; then those of which nothing is known."""
    shown = seen(actor, workspace, request)
    names = {node.id: node for node in shown.chain.nodes}
    rows = shown.gaps.drop("stage", "lq", "top_share").to_dicts()
    return tuple(
        GapRow(**row | {"path": tuple(row["path"])}, zh=names[row["node"]].zh, en=names[row["node"]].en) for row in rows
    )


@ROOM.operation("chain_firms", "环节企业", "Firms at a node", roles=READERS)
def chain_firms(actor: Actor, workspace: Workspace, request: NodeRequest) -> Page[FirmRow]:
    """The firms at a node, by size, with what placed them there."""
    shown = seen(actor, workspace, request)
    shown.chain.node(request.node)
    held = published(shown.mapped.places.filter(pl.col("node") == request.node), shown.hidden)
    told = firms_of(workspace, shown, held["id"])
    frame = held.select("id", "by", "evidence", "size").join(
        told.select("id", *(c for c in ("name", "city") if c in told.columns)), on="id", how="inner"
    )
    hide = [] if shown.full else [pl.lit(None, pl.String).alias("evidence")]
    size = [] if shown.size else [pl.lit(None, pl.Float64).alias("size")]
    frame = frame.sort("size", "name", "id", descending=[True, False, False], nulls_last=True)
    frame = frame.with_columns(*hide, *size)
    made_from = version(
        shown.result.id, request.cluster_id, shown.run.id if shown.run else "", request.node, shown.size
    )
    return paged(Rows(frame, lambda row: FirmRow(**row)), request, version=made_from)


@ROOM.operation("chain_candidates", "补链候选", "Candidates for a node", roles=SEEKS)
def chain_candidates(actor: Actor, workspace: Workspace, request: CandidatesRequest) -> tuple[CandidateRow, ...]:
    """Firms elsewhere that could fill a node, each reason in a field of its own; see `jiqun.atlas.chain_strength.candidates`."""
    shown = seen(actor, workspace, request)
    frame = find_candidates(workspace, shown, request.node, most=request.limit)
    told = firms_of(workspace, shown, frame["id"])
    if "city" in told.columns:
        frame = frame.join(told.select("id", "city"), on="id", how="left", maintain_order="left")
    hide = {} if shown.full else {"evidence": None}
    return tuple(CandidateRow(**{"city": None} | row | hide) for row in frame.to_dicts())


@ROOM.operation("place_chain", "对照企业", "Place firms on a chain", roles=EDITS, writes=True)
def place_chain(actor: Actor, workspace: Workspace, request: ChainRequest, *, key: str) -> PlaceAnswer:
    """Queue the placing of the firms that are loaded now on a chain.

    Raises
    ------
    UsageError
        JQ-CHAIN-010: there is no such chain.
    WorkspaceError
        JQ-STORE-006: no organisations were loaded.
    """
    records.find_chain(workspace, request.chain)
    workspace.snapshot("organisations")

    def queue(tx: Transaction) -> JSON:
        payload: dict[str, JSON] = {"chain": request.chain}
        return {"job": tx.job(PLACE, payload, account=actor.id, organisation=actor.organisation, most_attempts=3)}

    answer: Any = workspace.database.command(
        actor, key, PLACE, queue, request=request.model_dump(mode="json"), subject=request.chain
    )
    return PlaceAnswer(job=answer["job"])


@ROOM.operation("save_chain", "保存产业链", "Save a chain", roles=EDITS, writes=True)
def save_chain(actor: Actor, workspace: Workspace, request: SaveRequest, *, key: str) -> ChainRow:
    """Save a chain as a new revision, if it passes the check.

    Raises
    ------
    InputError
        JQ-CHAIN-002 to 009: it cannot be so.
    UsageError
        JQ-CHAIN-011: someone else saved it since.
    """
    body = request.chain.model_dump(mode="json")
    return _row(workspace, records.save(actor, workspace, body, base=request.base, note=request.note, key=key))


@ROOM.operation("unsave_chain", "撤回产业链修改", "Take edits of a chain back", roles=EDITS, writes=True)
def unsave_chain(actor: Actor, workspace: Workspace, request: UnsaveRequest, *, key: str) -> ChainsRequest:
    """Take all edits of a chain back: its file, or what comes with the program, counts again.

    Raises
    ------
    UsageError
        JQ-CHAIN-010: there is none; -011: someone else saved it since; -019: it was not edited.
    """
    records.take_back(actor, workspace, request.chain, base=request.base, key=key)
    return ChainsRequest()


def seen(actor: Actor, workspace: Workspace, request: ViewRequest) -> ChainView:
    """The view that a request asks for; raises as `jiqun.atlas.chain_desk.look`."""
    which = Which(digital=request.digital, as_of=request.as_of, run=request.run)
    return look(actor, workspace, request.chain, which, request.cluster_id, size=request.size)


def _row(workspace: Workspace, one: records.KeptChain) -> ChainRow:
    result = placed(workspace, one.chain)
    told: Any = result.values if result else {}
    return ChainRow(
        id=one.chain.id,
        zh=one.chain.zh,
        en=one.chain.en,
        version=one.chain.version,
        origin=one.origin,
        revision=one.revision,
        nodes=len(one.chain.nodes),
        edges=len(one.chain.edges),
        drafts=one.chain.drafts,
        placed=told["placed"] if result else None,
        as_of=result.lineage.inputs[0].as_of if result else None,
    )


def _place(workspace: Workspace, job: Job, report: Report) -> JSON:
    payload: Any = job.payload
    wanted = [payload["chain"]] if "chain" in payload else list(records.kept(workspace))
    done: dict[str, JSON] = {}
    for one in wanted:
        try:
            done[one] = place(LOCAL, workspace, one, progress=lambda step, at, total: report(step, at, total or 0)).id
        except WorkspaceError as error:
            if error.code != "JQ-STORE-006":
                raise
    return done


HANDLERS: Mapping[str, Handler] = {PLACE: _place}
