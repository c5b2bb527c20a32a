"""The efficiency frontier 效率前沿: who is on it, what others could save, and whom to look at."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Form, Path, Request, Response

from jiqun.assess import commands, desk
from jiqun.assess import operations as room
from jiqun.assess.annual_report import shortened
from jiqun.assess.frontier_document import efficiency_document
from jiqun.assess.stored import restored_efficiency
from jiqun.core.document import Document
from jiqun.store import Workspace
from jiqun.web.errors import checked
from jiqun.web.pages import atlas_parts as parts
from jiqun.web.pages.assess import Key
from jiqun.web.render import page, see_other
from jiqun.web.visitor import VisitorDep, WorkspaceDep

router = APIRouter()
Name = Annotated[str, Path(pattern=r"^[a-z][a-z0-9_-]{0,39}$")]
Columns = Annotated[list[str] | None, Form(max_length=20)]


@router.get("/assess/frontier")
def frontiers(request: Request, visitor: VisitorDep, workspace: WorkspaceDep) -> Response:
    """The frontiers that there are, and a form for a new one."""
    told = room.frontiers(visitor.actor, workspace, room.Nothing())
    return page(
        request,
        visitor,
        "assess_frontiers.html",
        told=told,
        loaded=bool(workspace.history("indicators")),
        runs=not visitor.actor.roles.isdisjoint(desk.RUNS),
    )


@router.post("/assess/frontier")
def run(
    visitor: VisitorDep,
    workspace: WorkspaceDep,
    key: Key,
    name: Annotated[str, Form(max_length=40)] = "",
    inputs: Columns = None,
    outputs: Columns = None,
    returns: Annotated[str, Form(max_length=10)] = "vrs",
    intervals: Annotated[str, Form(max_length=3)] = "",
    drop: Annotated[str, Form(max_length=3)] = "",
) -> Response:
    """Queue a frontier and go to its job."""
    wanted = checked(
        commands.RunFrontierRequest,
        name=name.strip().lower(),
        inputs=tuple(inputs or ()),
        outputs=tuple(outputs or ()),
        returns=returns,
        bootstrap=1000 if intervals else 0,
        drop=bool(drop),
    )
    return see_other(f"/jobs/{commands.run_frontier(visitor.actor, workspace, wanted, key=key).job}")


@router.get("/assess/frontier/{name}.{form:ending}")
def frontier_file(
    request: Request, visitor: VisitorDep, workspace: WorkspaceDep, name: Name, form: parts.Form | parts.Twin
) -> Response:
    """A frontier as a report; scores as CSV, everything as JSON."""
    told = room.frontier(visitor.actor, workspace, room.FrontierRequest(name=name))
    if form == "json":
        return parts.answer(request, told.model_dump_json().encode(), "application/json")
    document = _document(workspace, name)
    if form == "csv":
        return parts.table_answer(request, parts.find_table(document, "scores"), "csv")
    return parts.file_answer(request, visitor, document, form)


@router.get("/assess/frontier/{name}/{table}.{form:ending}")
def frontier_table(
    request: Request, visitor: VisitorDep, workspace: WorkspaceDep, name: Name, table: parts.Name, form: parts.Twin
) -> Response:
    """A table of a frontier's page as CSV or JSON."""
    room.frontier(visitor.actor, workspace, room.FrontierRequest(name=name))
    return parts.table_answer(request, parts.find_table(_document(workspace, name), table), form)


@router.get("/assess/frontier/{name}")
def frontier(request: Request, visitor: VisitorDep, workspace: WorkspaceDep, name: Name) -> Response:
    """A frontier: scores, slacks and targets, peers."""
    told = room.frontier(visitor.actor, workspace, room.FrontierRequest(name=name))
    stored = desk.latest(workspace, desk.FRONTIER, name)
    drawn = parts.drawn_once(
        stored.path, f"/assess/frontier/{name}", visitor.language, {}, lambda: _short(_document(workspace, name))
    )
    return page(request, visitor, "assess_frontier.html", told=told, drawn=drawn, name=name)


def _document(workspace: Workspace, name: str) -> Document:
    stored = desk.latest(workspace, desk.FRONTIER, name)
    return efficiency_document(restored_efficiency(stored), stored.lineage.inputs[0])


def _short(document: Document) -> Document:
    """With the first rows of its long tables; their twins have all."""
    return replace(document, blocks=tuple(map(shortened, document.blocks)))
