"""The network 网络: how firms are linked, clusters on the network, who stands where; a new analysis."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Path, Request, Response
from starlette.exceptions import HTTPException

from jiqun.atlas import network_room as room
from jiqun.atlas.documents.network import network_document
from jiqun.atlas.documents.network_cluster import network_cluster_document
from jiqun.atlas.graphs import link_kinds
from jiqun.atlas.network_desk import KIND
from jiqun.atlas.reading import current_links, sees_all
from jiqun.core.document import Document, Text
from jiqun.core.sheets import neutralise
from jiqun.store import StoredResult, Workspace
from jiqun.web.pages import atlas_parts as parts
from jiqun.web.render import page, see_other
from jiqun.web.visitor import Visitor, VisitorDep, WorkspaceDep

router = APIRouter()
SORTS = {
    "pagerank": Text("PageRank", "PageRank"),
    "betweenness": Text("中介中心性", "betweenness"),
    "brokered": Text("居间路径", "paths brokered"),
    "constraint": Text("约束(低者居间)", "constraint (low: broker)"),
    "in_strength": Text("入强度", "strength in"),
    "out_strength": Text("出强度", "strength out"),
}
FINDERS = ("operator", "analyst")
Key = Annotated[str, Form(min_length=8, max_length=200)]
NetworkId = Annotated[str, Path(pattern=r"^n\d{4,9}$")]


@router.get("/network")
def network(request: Request, visitor: VisitorDep, workspace: WorkspaceDep) -> Response:
    """The network as a whole: a sentence, a picture, lists."""
    asked = parts.asked(request, room.NetworkRequest)
    result = workspace.result(KIND, asked.run)
    may = not visitor.actor.roles.isdisjoint(FINDERS)
    if result is None:
        visitor.require("atlas.network", *room.network.roles)
        links = current_links(workspace)
        return page(request, visitor, "network.html", told=None, loaded=links is not None, may=may)
    told = room.network(visitor.actor, workspace, asked)
    links = current_links(workspace)
    full = sees_all(visitor.actor)
    key = (result.path, full, room.hidden(workspace))
    drawn = parts.drawn_once(
        key, "/network", visitor.language, _query(result), lambda: _document(visitor, workspace, result, linked=True)
    )
    return page(
        request,
        visitor,
        "network.html",
        told=told,
        drawn=drawn,
        loaded=True,
        may=may,
        full=full,
        stale=links is not None and links.digest != result.lineage.inputs[0].digest,
        clusters=result.table("clusters")["cluster_id"].to_list()[:200],
        tail=parts.suffix(_query(result)),
    )


@router.get("/network.{form:ending}")
def network_file(
    request: Request, visitor: VisitorDep, workspace: WorkspaceDep, form: parts.Form | parts.Twin
) -> Response:
    """The report as a file; the network's clusters as CSV, its numbers as JSON."""
    asked = parts.asked(request, room.NetworkRequest)
    told = room.network(visitor.actor, workspace, asked)
    result = _current(workspace, told.id)
    if form == "json":
        return parts.answer(request, told.model_dump_json().encode(), "application/json")
    if form == "csv":
        sheet = neutralise(result.table("clusters").drop("previous")).write_csv(include_bom=True).encode()
        return parts.answer(request, sheet, "text/csv; charset=utf-8", name="network-clusters.csv")
    return parts.file_answer(request, visitor, _document(visitor, workspace, result), form)


@router.get("/network/positions")
def positions(request: Request, visitor: VisitorDep, workspace: WorkspaceDep) -> Response:
    """Firms by their position, fifty to a page."""
    asked = parts.asked(request, room.PositionsRequest)
    shown = room.positions(visitor.actor, workspace, asked)
    return page(
        request,
        visitor,
        "network_positions.html",
        shown=shown,
        asked=asked,
        sorts=SORTS,
        tail=parts.suffix({"run": asked.run} if asked.run else {}),
        twin=parts.list_twin(request, "/network/positions"),
    )


@router.get("/network/positions.{form:ending}")
def positions_twin(request: Request, visitor: VisitorDep, workspace: WorkspaceDep, form: parts.Twin) -> Response:
    """All positions as CSV or JSON."""
    asked = parts.asked(request, room.PositionsRequest)
    frame = room.positions_frame(visitor.actor, workspace, asked)
    if form == "json":
        return parts.answer(request, frame.write_json().encode(), "application/json")
    sheet = neutralise(frame).write_csv(include_bom=True).encode()
    return parts.answer(request, sheet, "text/csv; charset=utf-8", name="network-positions.csv")


@router.get("/network/new")
def new(request: Request, visitor: VisitorDep, workspace: WorkspaceDep) -> Response:
    """A form for a new analysis."""
    visitor.require("atlas.network_run", *room.network_run.roles)
    loaded = current_links(workspace)
    kinds = room.kinds(workspace) if loaded else []
    named = [(kind, link_kinds()[kind].name if kind in link_kinds() else Text(kind, kind)) for kind in kinds]
    return page(request, visitor, "network_new.html", loaded=loaded is not None, kinds=named)


@router.post("/network/new")
def run(
    visitor: VisitorDep,
    workspace: WorkspaceDep,
    key: Key,
    kinds: Annotated[list[str] | None, Form(max_length=20)] = None,
    eps_km: Annotated[str, Form(max_length=12)] = "",
    response: Annotated[str, Form(max_length=12)] = "",
    least_response: Annotated[str, Form(max_length=12)] = "",
) -> Response:
    """Queue an analysis and go to its job."""
    said = {"eps_km": eps_km, "response": response, "least_response": least_response}
    given: dict[str, object] = {name: value for name, value in said.items() if value}
    if kinds:
        given["kinds"] = tuple(kinds)
    try:
        wanted = room.NetworkRunRequest.model_validate(given)
    except ValueError as error:
        raise HTTPException(422) from error
    return see_other(f"/jobs/{room.network_run(visitor.actor, workspace, wanted, key=key).job}")


@router.get("/network/clusters/{cluster_id}.{form:ending}")
def cluster_file(
    request: Request, visitor: VisitorDep, workspace: WorkspaceDep, cluster_id: NetworkId, form: parts.Form | parts.Twin
) -> Response:
    """One network cluster as a report; its members as CSV for who may see ties, its numbers as JSON."""
    asked = parts.asked(request, room.NetworkClusterRequest, cluster_id=cluster_id)
    told = room.network_cluster(visitor.actor, workspace, asked)
    if form == "json":
        return parts.answer(request, told.model_dump_json().encode(), "application/json")
    if form == "csv":
        wanted = room.PositionsRequest(cluster_id=cluster_id, run=asked.run)
        sheet = neutralise(room.positions_frame(visitor.actor, workspace, wanted)).write_csv(include_bom=True).encode()
        return parts.answer(request, sheet, "text/csv; charset=utf-8", name=f"{cluster_id}-members.csv")
    return parts.file_answer(request, visitor, _cluster_document(visitor, workspace, asked), form)


@router.get("/network/clusters/{cluster_id}")
def cluster(request: Request, visitor: VisitorDep, workspace: WorkspaceDep, cluster_id: NetworkId) -> Response:
    """One network cluster: its type and why, the evidence, its chain leaders, and for who may see ties its members."""
    asked = parts.asked(request, room.NetworkClusterRequest, cluster_id=cluster_id)
    told = room.network_cluster(visitor.actor, workspace, asked)
    result = _current(workspace, asked.run)
    full = sees_all(visitor.actor)
    drawn = parts.drawn_once(
        (result.path, cluster_id, full, room.hidden(workspace)),
        f"/network/clusters/{cluster_id}",
        visitor.language,
        _query(result),
        lambda: _cluster_document(visitor, workspace, asked, linked=True),
    )
    tail = _query(result)
    return page(
        request, visitor, "network_cluster.html", told=told, drawn=drawn, full=full, result=result, tail=parts.suffix(tail),
        positions=parts.suffix({**tail, "cluster_id": cluster_id}),
    )  # fmt: skip


@router.get("/network/clusters/{cluster_id}/{table}.{form:ending}")
def cluster_table(
    request: Request,
    visitor: VisitorDep,
    workspace: WorkspaceDep,
    cluster_id: NetworkId,
    table: parts.Name,
    form: parts.Twin,
) -> Response:
    """A table of a network cluster's page as CSV or JSON."""
    asked = parts.asked(request, room.NetworkClusterRequest, cluster_id=cluster_id)
    room.network_cluster(visitor.actor, workspace, asked)
    return parts.table_answer(request, parts.find_table(_cluster_document(visitor, workspace, asked), table), form)


@router.get("/network/{table}.{form:ending}")
def network_table(
    request: Request, visitor: VisitorDep, workspace: WorkspaceDep, table: parts.Name, form: parts.Twin
) -> Response:
    """A table of the page as CSV or JSON."""
    asked = parts.asked(request, room.NetworkRequest)
    told = room.network(visitor.actor, workspace, asked)
    document = _document(visitor, workspace, _current(workspace, told.id))
    return parts.table_answer(request, parts.find_table(document, table), form)


def _cluster_document(
    visitor: Visitor, workspace: Workspace, asked: room.NetworkClusterRequest, *, linked: bool = False
) -> Document:
    result = _current(workspace, asked.run)
    full = sees_all(visitor.actor)
    return network_cluster_document(workspace, result, asked.cluster_id, full=full, linked=linked)


def _current(workspace: Workspace, id_: str | None) -> StoredResult:
    result = workspace.result(KIND, id_)
    assert result is not None  # noqa: S101  # an id was given, and it was there a moment ago
    return result


def _query(result: StoredResult) -> dict[str, str]:
    return {} if result.current else {"run": result.id[:12]}


def _document(visitor: Visitor, workspace: Workspace, result: StoredResult, *, linked: bool = False) -> Document:
    return network_document(workspace, result, full=sees_all(visitor.actor), linked=linked)
