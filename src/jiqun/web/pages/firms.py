"""Firms 企业: what is on record of one, what it says of itself, and its cluster."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Path, Request, Response

from jiqun.assess.parks_desk import parks_of
from jiqun.atlas import firms as atlas
from jiqun.atlas.documents import firm_document
from jiqun.atlas.reading import sees_all
from jiqun.report.fragment import fragment
from jiqun.web.pages import atlas_parts as parts
from jiqun.web.pages.follow import following
from jiqun.web.render import page, see_other
from jiqun.web.visitor import VisitorDep, WorkspaceDep

router = APIRouter()
Id = Annotated[str, Path(min_length=1, max_length=200)]


@router.get("/firms/{id_}.{form:ending}")
def firm_file(
    request: Request, visitor: VisitorDep, workspace: WorkspaceDep, id_: Id, form: parts.Form | parts.Twin
) -> Response:
    """One firm as a file: the page, its facts as CSV, all as JSON."""
    told = atlas.firm(visitor.actor, workspace, parts.asked(request, atlas.FirmRequest, id=id_))
    if form == "json":
        return parts.answer(request, told.model_dump_json().encode(), "application/json")
    document = firm_document(told, workspace.snapshot("organisations"))
    if form == "csv":
        return parts.table_answer(request, parts.find_table(document, "facts"), form)
    return parts.file_answer(request, visitor, document, form)


@router.get("/firms/{id_}")
def firm(request: Request, visitor: VisitorDep, workspace: WorkspaceDep, id_: Id) -> Response:
    """One firm."""
    told = atlas.firm(visitor.actor, workspace, parts.asked(request, atlas.FirmRequest, id=id_))
    if told.id != id_:
        return see_other(f"/firms/{quote(told.id, safe='')}")
    document = firm_document(told, workspace.snapshot("organisations"))
    base = f"/firms/{quote(id_, safe='')}"
    body = fragment(document, visitor.language, twin=lambda _: {form: f"{base}.{form}" for form in ("csv", "json")})
    run = told.run
    query = (
        ({"class": run.digital} if run.digital else {}) | ({} if run.current else {"run": run.id[:12]}) if run else {}
    )
    return page(
        request,
        visitor,
        "firm.html",
        told=told,
        document=document,
        body=body,
        base=base,
        tail=parts.suffix(query),
        following=following(visitor, workspace, "firm", id_),
        parks=parks_of(workspace, id_) if sees_all(visitor.actor) else [],
    )
