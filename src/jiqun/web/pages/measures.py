"""Measures of the register 整体测度: what was measured, the form that measures anew, and how far that is."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Request, Response
from starlette.exceptions import HTTPException

from jiqun.atlas import measured, measuring
from jiqun.atlas.documents import measures_document
from jiqun.atlas.documents.measured import REPORT_ROWS
from jiqun.atlas.measured import MeasureRequest
from jiqun.atlas.measuring import MeasuresRequest
from jiqun.atlas.subject import SIZES, subject_of
from jiqun.core.document import Document, Text
from jiqun.store import StoredResult, Workspace
from jiqun.store import room as store
from jiqun.taxonomy import name as class_name
from jiqun.taxonomy.tables import digital_entries
from jiqun.web.pages import atlas_parts as parts
from jiqun.web.pages.jobs import MEANINGS, STATES
from jiqun.web.render import page, see_other
from jiqun.web.visitor import Visitor, VisitorDep, WorkspaceDep

router = APIRouter()
ROWS = 25
"""Rows of a table on the page; its twins have all."""
BY = {
    "digital": Text("数字经济分类的组", "groups of the digital classification"),
    "industry": Text("国民经济行业小类", "classes of GB/T 4754"),
}
_UNDER_WAY = {"queued", "running"}
Key = Annotated[str, Form(min_length=8, max_length=200)]


@router.get("/measures")
def measures(request: Request, visitor: VisitorDep, workspace: WorkspaceDep) -> Response:
    """What was measured last, or in the run that the address names; what is under way; the form."""
    asked = parts.asked(request, MeasuresRequest)
    result = measured.find_measures(visitor.actor, workspace, asked.run)
    loaded = bool(workspace.history("organisations"))
    may = not visitor.actor.roles.isdisjoint(measuring.measure.roles)
    drawn = None
    if result is not None:
        shown = result
        drawn = parts.drawn_once(
            result.path,
            "/measures",
            visitor.language,
            _query(result),
            lambda: _document(workspace, shown, most=ROWS, linked=True),
        )
    return page(
        request,
        visitor,
        "measures.html",
        drawn=drawn,
        result=result,
        tail=parts.suffix(_query(result)) if result else "",
        loaded=loaded,
        stale=bool(result and loaded and _stale(workspace, result)),
        one_class=loaded and measured.one_class(workspace),
        may=may and loaded,
        job=_job(visitor, workspace) if may else None,
        states=STATES,
        meanings=MEANINGS,
        by=BY,
        classes=[
            (code, Text(f"{code} {class_name(code, 'zh')}", f"{code} {class_name(code, 'en')}"))
            for code in sorted(digital_entries())
            if len(code) == 4
        ],
        sizes=_sizes(workspace) if may and loaded else [],
        settings=MeasureRequest(),
    )


@router.post("/measures")
def measure(
    visitor: VisitorDep,
    workspace: WorkspaceDep,
    key: Key,
    by: Annotated[str, Form(max_length=20)] = "digital",
    digital: Annotated[str, Form(alias="class", max_length=6)] = "",
    size: Annotated[str, Form(max_length=40)] = "",
    max_km: Annotated[str, Form(max_length=12)] = "",
    draws: Annotated[str, Form(max_length=12)] = "",
) -> Response:
    """Queue the measures and go to their job."""
    said = {"by": by, "digital": digital, "size": size, "max_km": max_km, "draws": draws}
    try:
        wanted = MeasureRequest.model_validate({name: value for name, value in said.items() if value})
    except ValueError as error:
        raise HTTPException(422) from error
    return see_other(f"/jobs/{measuring.measure(visitor.actor, workspace, wanted, key=key).job}")


@router.get("/measures.{form:ending}")
def measures_file(
    request: Request, visitor: VisitorDep, workspace: WorkspaceDep, form: parts.Form | parts.Twin
) -> Response:
    """The measures as a file: the report, the classes as CSV, everything as JSON."""
    asked = parts.asked(request, MeasuresRequest)
    told = measuring.measures(visitor.actor, workspace, asked)
    if form == "json":
        return parts.answer(request, told.model_dump_json().encode(), "application/json")
    result = measured.current(visitor.actor, workspace, asked.run)
    document = _document(workspace, result, most=None if form in {"csv", "xlsx"} else REPORT_ROWS)
    if form == "csv":
        return parts.table_answer(request, parts.find_table(document, "classes-table"), form)
    return parts.file_answer(request, visitor, document, form)


@router.get("/measures/{table}.{form:ending}")
def measures_table(
    request: Request, visitor: VisitorDep, workspace: WorkspaceDep, table: parts.Name, form: parts.Twin
) -> Response:
    """A table of the measures as CSV or JSON, all rows."""
    asked = parts.asked(request, MeasuresRequest)
    document = _document(workspace, measured.current(visitor.actor, workspace, asked.run))
    return parts.table_answer(request, parts.find_table(document, table), form)


def _document(workspace: Workspace, result: StoredResult, *, most: int | None = None, linked: bool = False) -> Document:
    return measures_document(result, subject_of(workspace, result), most=most, linked=linked)


def _query(result: StoredResult) -> dict[str, str]:
    return {} if result.current else {"run": result.id[:12]}


def _stale(workspace: Workspace, result: StoredResult) -> bool:
    return workspace.snapshot("organisations").digest != result.lineage.inputs[0].digest


def _sizes(workspace: Workspace) -> list[tuple[str, Text]]:
    """Columns that may size firms, of those that the register has."""
    there = workspace.scan("organisations").collect_schema().names()
    return [(column, words) for column, words in SIZES.items() if column in there]


def _job(visitor: Visitor, workspace: Workspace) -> store.JobRow | None:
    """The last job that measures, where it is under way or failed."""
    if visitor.account is None:
        return None
    found = store.jobs(visitor.actor, workspace, store.JobsRequest(kind=measuring.JOB, limit=1))
    return next((job for job in found if job.state in {*_UNDER_WAY, "dead"}), None)
