"""Industry belts 产业带: which clusters complement each other, on a map and in tables."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Request, Response
from starlette.exceptions import HTTPException

from jiqun.assess import belts_room as room
from jiqun.assess.belt_pairs import MAX_KM
from jiqun.assess.belts_document import belts_document
from jiqun.atlas.reading import searched
from jiqun.web.pages import atlas_parts as parts
from jiqun.web.render import page, see_other
from jiqun.web.visitor import VisitorDep, WorkspaceDep

router = APIRouter()
Key = Annotated[str, Form(min_length=8, max_length=200)]


@router.get("/assess/belts")
def belts(request: Request, visitor: VisitorDep, workspace: WorkspaceDep) -> Response:
    """The belts that were looked for last, and the form that looks for them."""
    result = workspace.result(room.KIND)
    drawn = None
    if result is not None:
        room.belts_(visitor.actor, workspace, room.BeltsRequest(limit=1))
        drawn = parts.drawn_once(
            result.path, "/assess/belts", visitor.language, {}, lambda: belts_document(result, linked=True)
        )
    return page(
        request,
        visitor,
        "belts.html",
        drawn=drawn,
        searched=bool(searched(workspace)),
        edits=not visitor.actor.roles.isdisjoint(room.EDITS),
        max_km=MAX_KM,
    )


@router.post("/assess/belts")
def find(
    visitor: VisitorDep, workspace: WorkspaceDep, key: Key, max_km: Annotated[str, Form(max_length=12)] = ""
) -> Response:
    """Queue the search and go to its job."""
    try:
        asked = room.FindRequest.model_validate({"max_km": max_km} if max_km else {})
    except ValueError as error:
        raise HTTPException(422) from error
    return see_other(f"/jobs/{room.find_belts(visitor.actor, workspace, asked, key=key).job}")


@router.get("/assess/belts.{form:ending}")
def belts_file(
    request: Request, visitor: VisitorDep, workspace: WorkspaceDep, form: parts.Form | parts.Twin
) -> Response:
    """The belts as a report; all pairs as CSV, pairs with what they add as JSON."""
    told = room.belts_(visitor.actor, workspace, room.BeltsRequest(limit=500))
    if form == "json":
        return parts.answer(request, told.model_dump_json().encode(), "application/json")
    document = belts_document(room.found_belts(workspace), most=None if form in {"csv", "xlsx"} else 100)
    if form == "csv":
        return parts.table_answer(request, parts.find_table(document, "pairs"), "csv")
    return parts.file_answer(request, visitor, document, form)


@router.get("/assess/belts/{table}.{form:ending}")
def belts_table(
    request: Request, visitor: VisitorDep, workspace: WorkspaceDep, table: parts.Name, form: parts.Twin
) -> Response:
    """A table of the belts as CSV or JSON, all rows."""
    room.belts_(visitor.actor, workspace, room.BeltsRequest(limit=1))
    document = belts_document(room.found_belts(workspace), most=None)
    return parts.table_answer(request, parts.find_table(document, table), form)
