"""Industry chains 产业链: the list, a chain with its firms, a node with candidates, and the shortlist that leaves."""

from __future__ import annotations

import io
from typing import Annotated, Any, Literal
from urllib.parse import urlencode

import polars as pl
from fastapi import APIRouter, Form, Path, Query, Request, Response

from jiqun.atlas import chain_room as room
from jiqun.atlas.chain_data import ID, STAGE_NAMES, source_text, to_toml
from jiqun.atlas.chain_desk import ChainView
from jiqun.atlas.documents.chain import BY, SIGNS, STATUS, chain_document, single_text
from jiqun.atlas.reading import Which, find_run, searched
from jiqun.atlas.subject import SIZES
from jiqun.core.document import Document, Text
from jiqun.core.errors import WorkspaceError
from jiqun.core.sheets import neutralise
from jiqun.report.fragment import fragment
from jiqun.report.markup import Html
from jiqun.store import Workspace
from jiqun.web.pages import atlas_parts as parts
from jiqun.web.render import page, see_other
from jiqun.web.visitor import Visitor, VisitorDep, WorkspaceDep

router = APIRouter()
ChainId = Annotated[str, Path(pattern=ID)]
NodeId = Annotated[str, Path(pattern=ID)]
Key = Annotated[str, Form(min_length=8, max_length=200)]
MOST_CLUSTERS = 200
MOST_SHORTLISTED = 500
ORIGINS = {
    "shipped": Text("随程序附带", "comes with the program"),
    "file": Text("工作区文件", "file of the workspace"),
    "edited": Text("本台编辑", "edited here"),
}
EXCEL = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


@router.get("/chains")
def chains(request: Request, visitor: VisitorDep, workspace: WorkspaceDep) -> Response:
    """The chains of the workspace."""
    rows = room.chains(visitor.actor, workspace, room.ChainsRequest())
    return page(
        request,
        visitor,
        "chains.html",
        rows=rows,
        origins=ORIGINS,
        edits=_edits(visitor),
        notes={"back": visitor.say("The edits are taken back.")},
    )


@router.get("/chains/{chain}.{form:ending}")
def chain_file(
    request: Request, visitor: VisitorDep, workspace: WorkspaceDep, chain: ChainId, form: parts.Form | parts.Twin
) -> Response:
    """A chain with its firms as a report; its nodes as CSV, everything as JSON."""
    asked = _asked(request, chain)
    if form == "json":
        content = room.chain_map(visitor.actor, workspace, asked).model_dump_json().encode()
        return parts.answer(request, content, "application/json")
    document = chain_document(_seen(visitor, workspace, asked))
    if form == "csv":
        return parts.table_answer(request, parts.find_table(document, "nodes"), "csv")
    return parts.file_answer(request, visitor, document, form)


@router.get("/chains/{chain}.toml")
def chain_toml(request: Request, visitor: VisitorDep, workspace: WorkspaceDep, chain: ChainId) -> Response:
    """A chain as the file that it can be read from."""
    told = room.chain(visitor.actor, workspace, room.ChainRequest(chain=chain))
    return parts.answer(request, to_toml(told.chain).encode(), "application/toml", name=f"{chain}.toml")


@router.get("/chains/{chain}")
def chain_page(request: Request, visitor: VisitorDep, workspace: WorkspaceDep, chain: ChainId) -> Response:
    """A chain from upstream to downstream with its firms, its gaps, what it rests on."""
    told = room.chain(visitor.actor, workspace, room.ChainRequest(chain=chain))
    asked = _asked(request, chain)
    shown: ChainView | None = None
    if told.row.placed is not None:
        room.chain_map(visitor.actor, workspace, asked)
        shown = _seen(visitor, workspace, asked)
    document = chain_document(shown, linked=True) if shown else None
    return page(
        request,
        visitor,
        "chain.html",
        told=told,
        shown=shown,
        document=document,
        body=_fragment(document, chain, asked, visitor) if document else "",
        clusters=_clusters(visitor, workspace, asked),
        asked=asked,
        tail=parts.suffix(_query(asked)),
        loaded=bool(workspace.history("organisations")),
        stages=STAGE_NAMES,
        source_text=source_text,
        origins=ORIGINS,
        edits=_edits(visitor),
        notes={"saved": visitor.say("The chain is saved.")},
    )


@router.post("/chains/{chain}/place")
def place(visitor: VisitorDep, workspace: WorkspaceDep, chain: ChainId, key: Key) -> Response:
    """Queue the placing of the firms and go to its job."""
    job = room.place_chain(visitor.actor, workspace, room.ChainRequest(chain=chain), key=key).job
    return see_other(f"/jobs/{job}")


@router.post("/chains/{chain}/back")
def unsave(
    visitor: VisitorDep, workspace: WorkspaceDep, chain: ChainId, key: Key, base: Annotated[int, Form(ge=0)]
) -> Response:
    """Take the edits back."""
    room.unsave_chain(visitor.actor, workspace, room.UnsaveRequest(chain=chain, base=base), key=key)
    return see_other("/chains", done="back")


@router.get("/chains/{chain}/nodes/{node}")
def node_page(request: Request, visitor: VisitorDep, workspace: WorkspaceDep, chain: ChainId, node: NodeId) -> Response:
    """A node: the firms that stand at it, and, for who may look for them, candidates elsewhere."""
    asked = _asked(request, chain)
    wanted = parts.asked(request, room.NodeRequest, **asked.model_dump(exclude_none=True), node=node)
    firms = room.chain_firms(visitor.actor, workspace, wanted)
    shown = _seen(visitor, workspace, asked)
    seeks = not visitor.actor.roles.isdisjoint(room.SEEKS)
    found: tuple[room.CandidateRow, ...] = ()
    if seeks and asked.cluster_id:
        found = room.chain_candidates(visitor.actor, workspace, _candidates(asked, node))
    row = next(r for r in shown.mapped.nodes.to_dicts() if r["node"] == node)
    gap = next((r for r in shown.gaps.to_dicts() if r["node"] == node), None)
    return page(
        request,
        visitor,
        "chain_node.html",
        shown=shown,
        node=shown.chain.node(node),
        row=row,
        gap=gap,
        titles={one.id: one.title for one in shown.chain.nodes},
        firms=firms,
        found=found,
        seeks=seeks,
        by=BY,
        statuses=STATUS,
        signs=SIGNS,
        single=single_text(row),
        size=_unit(shown.size),
        unit=_unit(shown.mapped.unit),
        where=shown.cluster,
        asked=asked,
        tail=parts.suffix(_query(asked)),
        back=f"/chains/{chain}{parts.suffix(_query(asked))}",
        hidden=_query(asked),
    )


@router.get("/chains/{chain}/nodes/{node}/{what}.{form}")
def node_list(
    request: Request,
    visitor: VisitorDep,
    workspace: WorkspaceDep,
    chain: ChainId,
    node: NodeId,
    what: Literal["firms", "candidates"],
    form: Literal["csv", "xlsx", "json"],
    pick: Annotated[list[str] | None, Query(max_length=MOST_SHORTLISTED)] = None,
) -> Response:
    """The firms at a node, or candidates for it: all, or those that were picked; nothing in it runs in a spreadsheet."""
    asked = _asked(request, chain)
    rows: list[dict[str, Any]]
    if what == "candidates":
        wanted = _candidates(asked, node, limit=500)
        rows = [row.model_dump() for row in room.chain_candidates(visitor.actor, workspace, wanted)]
        schema: Any = dict.fromkeys(room.CandidateRow.model_fields)
    else:
        rows = _all_firms(visitor, workspace, asked, node)
        schema = dict.fromkeys(room.FirmRow.model_fields)
    if pick:
        rows = [row for row in rows if row["id"] in set(pick)]
    frame = pl.DataFrame(rows, schema=schema, infer_schema_length=None)
    name = f"{chain}-{node}-{what}"
    if form == "json":
        return parts.answer(request, frame.write_json().encode(), "application/json")
    safe = neutralise(frame)
    if form == "csv":
        content = safe.write_csv(include_bom=True).encode()
        return parts.answer(request, content, "text/csv; charset=utf-8", name=f"{name}.csv")
    sheet = io.BytesIO()
    safe.write_excel(sheet, worksheet=what)
    return parts.answer(request, sheet.getvalue(), EXCEL, name=f"{name}.xlsx")


@router.get("/chains/{chain}/{table}.{form:ending}")
def chain_table(
    request: Request, visitor: VisitorDep, workspace: WorkspaceDep, chain: ChainId, table: parts.Name, form: parts.Twin
) -> Response:
    """A table of a chain's page as CSV or JSON."""
    asked = _asked(request, chain)
    room.chain_map(visitor.actor, workspace, asked)
    document = chain_document(_seen(visitor, workspace, asked))
    return parts.table_answer(request, parts.find_table(document, table), form)


def _asked(request: Request, chain: str) -> room.ViewRequest:
    """What an address asks for; the cluster goes by the name `cluster` there."""
    more = {"cluster_id": request.query_params["cluster"]} if request.query_params.get("cluster") else {}
    return parts.asked(request, room.ViewRequest, chain=chain, **more)


def _query(asked: room.ViewRequest) -> dict[str, str]:
    """The parameters that name a view."""
    told = {
        "cluster": asked.cluster_id,
        "class": asked.digital,
        "run": asked.run,
        "as_of": asked.as_of,
        "size": asked.size,
    }
    return {name: value for name, value in told.items() if value}


def _candidates(asked: room.ViewRequest, node: str, *, limit: int = 50) -> room.CandidatesRequest:
    return room.CandidatesRequest(**asked.model_dump(exclude_none=True), node=node, limit=limit)


def _seen(visitor: Visitor, workspace: Workspace, asked: room.ViewRequest) -> ChainView:
    return room.seen(visitor.actor, workspace, asked)


def _fragment(document: Document, chain: str, asked: room.ViewRequest, visitor: Visitor) -> Html:
    query = _query(asked)
    tail = parts.suffix(query)

    def href(anchor: str) -> str:
        path, _, _ = anchor.partition("?")
        return f"/{path}{tail}" if "/" in path else f"#{anchor}"

    return fragment(
        document,
        visitor.language,
        twin=lambda table: {form: f"/chains/{chain}/{table.id}.{form}{tail}" for form in ("csv", "json")},
        href=href,
    )


def _clusters(visitor: Visitor, workspace: Workspace, asked: room.ViewRequest) -> list[tuple[str, Text, str]]:
    """The clusters that a chain can be looked at for: id, name and class of the search that found them."""
    del visitor
    found: list[tuple[str, Text, str]] = []
    for code in searched(workspace):
        try:
            run = find_run(workspace, Which(digital=code))
        except WorkspaceError:
            continue
        for row in run.clusters.head(MOST_CLUSTERS).to_dicts():
            about = f" ({code})" if code else ""
            name = Text(f"{row['name_zh']}{about}", f"{row['name_en']}{about}")
            found.append((urlencode({"cluster": row["cluster_id"], **({"class": code} if code else {})}), name, ""))
    here = urlencode({k: v for k, v in _query(asked).items() if k in {"cluster", "class"}})
    return [(query, name, "selected" if query == here else "") for query, name, _ in found[:MOST_CLUSTERS]]


def _all_firms(visitor: Visitor, workspace: Workspace, asked: room.ViewRequest, node: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    cursor: str | None = None
    while True:
        wanted = room.NodeRequest(**asked.model_dump(exclude_none=True), node=node, limit=500, cursor=cursor)
        answer = room.chain_firms(visitor.actor, workspace, wanted)
        rows += [row.model_dump() for row in answer.items]
        cursor = answer.next
        if cursor is None:
            return rows


def _unit(size: str | None) -> Text | None:
    return SIZES.get(size, Text(size, size)) if size else None


def _edits(visitor: Visitor) -> bool:
    return not visitor.actor.roles.isdisjoint(room.EDITS)
