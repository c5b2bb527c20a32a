"""Diagnosis and stages 诊断与阶段: what ails clusters and regions, with its evidence; where units stand."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Path, Request, Response

from jiqun.accounts.mine import unpublished
from jiqun.assess import diagnosis_room as room
from jiqun.assess import stage_desk
from jiqun.assess.diagnosis import DiagnoseRequest, kind_name
from jiqun.assess.diagnosis_document import diagnosis_document, unit_document
from jiqun.assess.given_document import TITLES
from jiqun.assess.given_records import changed, revisions, used
from jiqun.assess.given_tables import BY_FINDING
from jiqun.assess.panel import unit_names
from jiqun.assess.stage_document import stages_document
from jiqun.core.document import Document, Text
from jiqun.core.errors import UsageError
from jiqun.report.fragment import fragment
from jiqun.store import StoredResult, Workspace
from jiqun.web.pages import atlas_parts as parts
from jiqun.web.render import page, see_other
from jiqun.web.visitor import VisitorDep, WorkspaceDep

router = APIRouter()
ROWS = 25
"""Rows of a table on the page; its twins have all."""
BASE = "/assess/diagnosis"
Key = Annotated[str, Form(min_length=8, max_length=200)]
Unit = Annotated[str, Path(pattern=r"^[\w.:-]{1,80}$")]


@router.get(BASE)
def diagnosis(request: Request, visitor: VisitorDep, workspace: WorkspaceDep) -> Response:
    """What was found, what is missing to know more, and where."""
    visitor.require("assess.diagnosis", *room.diagnosis.roles)
    asked = parts.asked(request, room.DiagnosisRequest)
    result = workspace.result(kind_name(asked.digital), asked.run)
    loaded = bool(workspace.history("organisations"))
    may = not visitor.actor.roles.isdisjoint(room.EDITS)
    drawn = None
    if result is not None:
        shown = result
        drawn = parts.drawn_once(
            (result.path, unpublished(workspace)),
            BASE,
            visitor.language,
            _query(result),
            lambda: diagnosis_document(workspace, shown, most=ROWS, linked=True),
        )
    return page(
        request,
        visitor,
        "diagnosis.html",
        drawn=drawn,
        result=result,
        tail=parts.suffix(_query(result)) if result else "",
        loaded=loaded,
        stale=bool(result and loaded and _stale(workspace, result)),
        may=may and loaded,
        digital=asked.digital or "",
        read=_read(workspace, result) if result else [],
        changed=[TITLES[name] for name in changed(workspace, result)] if result and result.current else [],
    )


@router.post(BASE)
def diagnose(
    visitor: VisitorDep,
    workspace: WorkspaceDep,
    key: Key,
    digital: Annotated[str, Form(alias="class", max_length=6, pattern=r"^(\d{2,6})?$")] = "",
) -> Response:
    """Queue a diagnosis and go to its job."""
    wanted = DiagnoseRequest(digital=digital or None)
    return see_other(f"/jobs/{room.queue_diagnosis(visitor.actor, workspace, wanted, key=key).job}")


@router.get(BASE + ".{form:ending}")
def diagnosis_file(
    request: Request, visitor: VisitorDep, workspace: WorkspaceDep, form: parts.Form | parts.Twin
) -> Response:
    """The diagnosis as a report, the findings as CSV or JSON."""
    visitor.require("assess.diagnosis", *room.diagnosis.roles)
    document = _document(request, workspace, whole=form in {"csv", "json", "xlsx"})
    if form in {"csv", "json"}:
        name = "found" if any(getattr(block, "id", "") == "found" for block in document.blocks) else "units"
        return parts.table_answer(request, parts.find_table(document, name), "csv" if form == "csv" else "json")
    return parts.file_answer(request, visitor, document, _report(form))


@router.get(BASE + "/{table}.{form:ending}")
def diagnosis_table(
    request: Request, visitor: VisitorDep, workspace: WorkspaceDep, table: parts.Name, form: parts.Twin
) -> Response:
    """A table of the diagnosis as CSV or JSON, all rows."""
    visitor.require("assess.diagnosis", *room.diagnosis.roles)
    return parts.table_answer(request, parts.find_table(_document(request, workspace, whole=True), table), form)


@router.get(BASE + "/units/{unit}.{form:ending}")
def unit_file(
    request: Request, visitor: VisitorDep, workspace: WorkspaceDep, unit: Unit, form: parts.Form | parts.Twin
) -> Response:
    """One unit as a report; everything as JSON."""
    asked = parts.asked(request, room.FindingsRequest, unit=unit)
    told = room.findings(visitor.actor, workspace, asked)
    if form == "json":
        return parts.answer(request, told.model_dump_json().encode(), "application/json")
    result = room.current(workspace, asked.digital, told.id)
    document = unit_document(workspace, result, unit)
    if form == "csv":
        whole = diagnosis_document(workspace, result, most=None)
        return parts.table_answer(request, parts.find_table(whole, "units"), "csv")
    return parts.file_answer(request, visitor, document, _report(form))


@router.get(BASE + "/units/{unit}")
def unit_page(request: Request, visitor: VisitorDep, workspace: WorkspaceDep, unit: Unit) -> Response:
    """One unit: each finding, what it stands on, what to do."""
    asked = parts.asked(request, room.FindingsRequest, unit=unit)
    told = room.findings(visitor.actor, workspace, asked)
    result = room.current(workspace, asked.digital, told.id)
    drawn = parts.drawn_once(
        (result.path, unit, unpublished(workspace)),
        f"{BASE}/units/{unit}",
        visitor.language,
        _query(result),
        lambda: unit_document(workspace, result, unit),
    )
    cluster = unit if unit.startswith("c") and unit[1:].isdecimal() else ""
    region = unit.removeprefix("region:") if unit.startswith("region:") else ""
    return page(
        request,
        visitor,
        "diagnosis_unit.html",
        drawn=drawn,
        result=result,
        unit=unit,
        cluster=cluster,
        region=region,
        tail=parts.suffix(_query(result)),
        digital=result.values["digital"],
        wanted=[
            (BY_FINDING[one.code], one.title)
            for one in told.findings
            if one.state == "unknown" and one.code in BY_FINDING
        ],
        may=not visitor.actor.roles.isdisjoint(room.EDITS),
    )


@router.get(BASE + "/units/{unit}/{table}.{form:ending}")
def unit_table(
    request: Request, visitor: VisitorDep, workspace: WorkspaceDep, unit: Unit, table: parts.Name, form: parts.Twin
) -> Response:
    """The rows that a finding stands on as CSV or JSON."""
    asked = parts.asked(request, room.FindingsRequest, unit=unit)
    told = room.findings(visitor.actor, workspace, asked)
    document = unit_document(workspace, room.current(workspace, asked.digital, told.id), unit)
    return parts.table_answer(request, parts.find_table(document, table), form)


def _document(request: Request, workspace: Workspace, *, whole: bool) -> Document:
    asked = parts.asked(request, room.DiagnosisRequest)
    result = room.current(workspace, asked.digital, asked.run)
    return diagnosis_document(workspace, result, most=None) if whole else diagnosis_document(workspace, result)


def _query(result: StoredResult) -> dict[str, str]:
    digital = result.values["digital"]
    query = {"class": str(digital)} if digital else {}
    return query if result.current else {**query, "run": result.id[:12]}


def _report(form: str) -> parts.Form:
    forms: dict[str, parts.Form] = {"docx": "docx", "pdf": "pdf", "xlsx": "xlsx", "html": "html"}
    return forms[form]


def _read(workspace: Workspace, result: StoredResult) -> list[tuple[str, Text, str, int | None]]:
    """The given tables that a diagnosis read: name, title, version, and the revision that it was."""
    told = []
    for name, digest in used(result).items():
        one = next((one for one in revisions(workspace, name) if one.digest == digest), None)
        told.append((str(name), TITLES[name], digest[:12], one.revision if one else None))
    return told


def _stale(workspace: Workspace, result: StoredResult) -> bool:
    return workspace.snapshot("organisations").digest != result.lineage.inputs[0].digest


@router.get("/assess/stage")
def stages(request: Request, visitor: VisitorDep, workspace: WorkspaceDep) -> Response:
    """Where units stand and on what evidence; with `unit` one of them with every check."""
    visitor.require("assess.stage", *stage_desk.stage_operation.roles)
    asked = parts.asked(request, stage_desk.StageRequest)
    document = _stages(workspace, asked, linked=True)
    query = asked.model_dump(exclude_none=True)
    tail = parts.suffix({name: str(value) for name, value in query.items()})
    body = None
    if document is not None:
        body = fragment(
            document,
            visitor.language,
            twin=lambda table: {form: f"/assess/stage/{table.id}.{form}{tail}" for form in ("csv", "json")},
            href=parts.linker(""),
        )
    return page(request, visitor, "stage.html", document=document, body=body, asked=asked, tail=tail)


@router.get("/assess/stage.{form:ending}")
def stages_file(
    request: Request, visitor: VisitorDep, workspace: WorkspaceDep, form: parts.Form | parts.Twin
) -> Response:
    """The stages as a report, as CSV, or as JSON."""
    asked = parts.asked(request, stage_desk.StageRequest)
    told = stage_desk.stage_operation(visitor.actor, workspace, asked)
    if form == "json":
        return parts.answer(request, told.model_dump_json().encode(), "application/json")
    document = _stages_or_none(workspace, asked)
    if form == "csv":
        return parts.table_answer(request, parts.find_table(document, "checks" if asked.unit else "stages"), "csv")
    return parts.file_answer(request, visitor, document, _report(form))


@router.get("/assess/stage/{table}.{form:ending}")
def stages_table(
    request: Request, visitor: VisitorDep, workspace: WorkspaceDep, table: parts.Name, form: parts.Twin
) -> Response:
    """A table of the stages as CSV or JSON."""
    visitor.require("assess.stage", *stage_desk.stage_operation.roles)
    asked = parts.asked(request, stage_desk.StageRequest)
    return parts.table_answer(request, parts.find_table(_stages_or_none(workspace, asked), table), form)


def _stages(workspace: Workspace, asked: stage_desk.StageRequest, *, linked: bool = False) -> Document | None:
    found, total, source = stage_desk.stages_of(workspace, asked)
    if not found or source is None:
        return None
    called = unit_names(workspace, [one.unit for one in found])
    return stages_document(found, source, asked, total, called=called, linked=linked)


def _stages_or_none(workspace: Workspace, asked: stage_desk.StageRequest) -> Document:
    document = _stages(workspace, asked)
    if document is None:
        raise UsageError("JQ-ASSESS-091", value="stage", known="—")
    return document
