"""Parks 载体: the list with its map, one park, and units to let by area, rent and state."""

from __future__ import annotations

import json
from typing import Annotated, Any

from fastapi import APIRouter, Form, Path, Request, Response

from jiqun.assess import parks_desk as desk
from jiqun.assess import parks_room as room
from jiqun.assess.parks_document import STATES, park_document, parks_document, parks_table, units_table
from jiqun.atlas.reading import sees_all
from jiqun.core.document import Document
from jiqun.report.fragment import fragment
from jiqun.report.markup import Html
from jiqun.store import Workspace
from jiqun.web.pages import atlas_parts as parts
from jiqun.web.render import page, see_other
from jiqun.web.visitor import Visitor, VisitorDep, WorkspaceDep

router = APIRouter()
Id = Annotated[str, Path(min_length=1, max_length=200)]
Key = Annotated[str, Form(min_length=8, max_length=200)]
_FILTERS = ("status", "min_m2", "max_m2", "max_rent")


@router.get("/parks")
def parks(request: Request, visitor: VisitorDep, workspace: WorkspaceDep) -> Response:
    """The parks that are loaded."""
    told = room.parks(visitor.actor, workspace, room.ParksRequest())
    document = (
        parks_document(desk.parks_now(workspace), linked=True, today=workspace.clock().date()) if told.rows else None
    )
    return page(
        request,
        visitor,
        "parks.html",
        document=document,
        body=_fragment(document, visitor, "/parks") if document else "",
        edits=_edits(visitor),
    )


@router.post("/parks/assess")
def assess(visitor: VisitorDep, workspace: WorkspaceDep, key: Key) -> Response:
    """Queue the assessment and go to its job."""
    job = room.assess_parks(visitor.actor, workspace, room.AssessRequest(), key=key).job
    return see_other(f"/jobs/{job}")


@router.get("/parks.{form:ending}")
def parks_file(
    request: Request, visitor: VisitorDep, workspace: WorkspaceDep, form: parts.Form | parts.Twin
) -> Response:
    """All parks as a report, as CSV or as JSON."""
    told = room.parks(visitor.actor, workspace, room.ParksRequest())
    if form == "json":
        return parts.answer(request, told.model_dump_json().encode(), "application/json")
    shown = desk.parks_now(workspace)
    if form == "csv":
        return parts.table_answer(request, parks_table(shown, linked=False), "csv")
    return parts.file_answer(request, visitor, parks_document(shown, today=workspace.clock().date()), form)


@router.get("/parks/to-let")
def to_let(request: Request, visitor: VisitorDep, workspace: WorkspaceDep) -> Response:
    """Units to let in all parks."""
    asked = parts.asked(request, room.UnitsRequest)
    found = room.units(visitor.actor, workspace, asked)
    return page(
        request,
        visitor,
        "parks_to_let.html",
        found=found,
        asked=asked,
        states=STATES,
        names={row["id"]: row["name"] for row in desk.parks_now(workspace).found.parks.select("id", "name").to_dicts()},
        twin=parts.list_twin(request, "/parks/to-let"),
        as_of=desk.parks_now(workspace).found.as_of,
        source=desk.parks_now(workspace).snapshot.source,
    )


@router.get("/parks/to-let.{form:ending}")
def to_let_file(
    request: Request, visitor: VisitorDep, workspace: WorkspaceDep, form: parts.Form | parts.Twin
) -> Response:
    """The same units, all of them, as a file."""
    return _units_file(request, visitor, workspace, parts.asked(request, room.UnitsRequest), form)


@router.get("/parks/{park}.{form:ending}")
def park_file(
    request: Request, visitor: VisitorDep, workspace: WorkspaceDep, park: Id, form: parts.Form | parts.Twin
) -> Response:
    """One park as a report; its parts as CSV, everything as JSON."""
    told = room.park(visitor.actor, workspace, room.ParkRequest(park=park))
    if form == "json":
        return parts.answer(request, told.model_dump_json().encode(), "application/json")
    document = _document(visitor, workspace, park)
    if form == "csv":
        return parts.table_answer(request, parts.find_table(document, "parts"), "csv")
    return parts.file_answer(request, visitor, document, form)


@router.get("/parks/{park}")
def park_page(request: Request, visitor: VisitorDep, workspace: WorkspaceDep, park: Id) -> Response:
    """One park: what is let, its parts, units by the filters of the address, tenants, what was found."""
    told = room.park(visitor.actor, workspace, room.ParkRequest(park=park))
    asked = parts.asked(request, room.UnitsRequest, park=told.row.id)
    found = room.units(visitor.actor, workspace, asked)
    document = _document(visitor, workspace, park, linked=True)
    blocks = tuple(block for block in document.blocks if getattr(block, "id", "") != "to-let")
    shown = Document(document.title, document.subtitle, blocks, document.lineage, document.attributions)
    return page(
        request,
        visitor,
        "park.html",
        told=told,
        document=document,
        body=_fragment(shown, visitor, f"/parks/{told.row.id}"),
        found=found,
        asked=asked,
        states=STATES,
        full=sees_all(visitor.actor),
        edits=_edits(visitor),
        twin=parts.list_twin(request, f"/parks/{told.row.id}/units"),
        source=desk.parks_now(workspace).snapshot.source,
    )


@router.get("/parks/{park}/units.{form:ending}")
def units_file(
    request: Request, visitor: VisitorDep, workspace: WorkspaceDep, park: Id, form: parts.Form | parts.Twin
) -> Response:
    """A park's units by the filters of the address, all of them, as a file."""
    return _units_file(request, visitor, workspace, parts.asked(request, room.UnitsRequest, park=park), form)


@router.get("/parks/{park}/{table}.{form:ending}")
def park_table(
    request: Request, visitor: VisitorDep, workspace: WorkspaceDep, park: Id, table: parts.Name, form: parts.Twin
) -> Response:
    """A table of a park's page as CSV or JSON."""
    room.park(visitor.actor, workspace, room.ParkRequest(park=park))
    return parts.table_answer(request, parts.find_table(_document(visitor, workspace, park), table), form)


def _units_file(
    request: Request, visitor: Visitor, workspace: Workspace, asked: room.UnitsRequest, form: parts.Form | parts.Twin
) -> Response:
    room.units(visitor.actor, workspace, asked.model_copy(update={"cursor": None, "limit": 1}))
    shown = desk.parks_now(workspace)
    rows = room.sought(shown, asked, full=sees_all(visitor.actor))
    if form == "json":
        told: list[dict[str, Any]] = [room.UnitRow(**row).model_dump(mode="json") for row in rows.to_dicts()]
        return parts.answer(request, json.dumps(told, ensure_ascii=False).encode(), "application/json")
    table = units_table(shown, rows)
    if form == "csv":
        return parts.table_answer(request, table, "csv")
    whole = parks_document(shown)
    return parts.file_answer(request, visitor, Document(table.title, whole.subtitle, (table,), whole.lineage), form)


def _document(visitor: Visitor, workspace: Workspace, park: str, *, linked: bool = False) -> Document:
    shown = desk.parks_now(workspace)
    return park_document(workspace, shown, shown.park(park), full=sees_all(visitor.actor), linked=linked)


def _fragment(document: Document, visitor: Visitor, base: str) -> Html:
    def twins(table: Any) -> dict[str, str]:
        if base == "/parks" and table.id != "parks":
            return {}
        at = base if base == "/parks" else f"{base}/{table.id}"
        return {form: f"{at}.{form}" for form in ("csv", "json")}

    return fragment(document, visitor.language, twin=twins, href=parts.linker(""))


def _edits(visitor: Visitor) -> bool:
    return not visitor.actor.roles.isdisjoint(room.EDITS)
