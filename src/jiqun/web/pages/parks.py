"""Parks 载体: the list with its map, one park, and units to let by area, rent and state."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Form, Path, Request, Response

from jiqun.assess import parks_desk as desk
from jiqun.assess import parks_room as room
from jiqun.assess import unit_edits
from jiqun.assess.parks_document import STATES, park_document, parks_document, parks_table, units_table
from jiqun.atlas.reading import sees_all
from jiqun.core.document import Document, Text
from jiqun.core.errors import InputError, JiqunError
from jiqun.report.fragment import fragment
from jiqun.report.markup import Html
from jiqun.store import Workspace
from jiqun.web.errors import by_field
from jiqun.web.pages import atlas_parts as parts
from jiqun.web.render import page, see_other
from jiqun.web.visitor import Visitor, VisitorDep, WorkspaceDep

router = APIRouter()
Id = Annotated[str, Path(min_length=1, max_length=200)]
Key = Annotated[str, Form(min_length=8, max_length=200)]
Given = Annotated[str, Form(max_length=unit_edits.LONGEST)]
STATUSES = ("vacant", "let", "reserved", "works")
FIELDS: dict[str, tuple[Text, str]] = {
    "status": (Text("状态", "State"), ""),
    "tenant": (Text("承租企业", "Tenant"), "text"),
    "tenant_uscc": (Text("承租企业统一社会信用代码", "Unified social credit code of the tenant"), "text"),
    "rent_cny_m2_month": (Text("租金(元/平方米·月)", "Rent, CNY per m² and month"), "text"),
    "contract": (Text("合同编号", "Number of the contract"), "text"),
    "let_from": (Text("起租日期", "First day of the lease"), "date"),
    "let_to": (Text("到期日期", "Last day of the lease"), "date"),
    "vacant_since": (Text("空置起始日期", "Vacant since"), "date"),
    "as_of": (Text("记录日期", "Day the record speaks of"), "date"),
}
"""What the form of a unit asks for, and by what kind of entry."""
TITLES = {name: title for name, (title, _) in FIELDS.items()} | {
    "let_m2": Text("已出租面积", "Area let"),
    "tenant_titles": Text("承租企业称号", "Titles of the tenant"),
}


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
        edits=_edits(visitor),
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


@router.get("/parks/{park}/units/{unit}")
def unit_page(request: Request, visitor: VisitorDep, workspace: WorkspaceDep, park: Id, unit: Id) -> Response:
    """One unit's record, the form that edits it, and its edits so far."""
    del park
    told = unit_edits.unit(visitor.actor, workspace, unit_edits.UnitRequest(unit=unit))
    return _unit(request, visitor, told, {**unit_edits.texts(told.record), "as_of": _today(workspace)})


@router.post("/parks/{park}/units/{unit}")
def edit_unit(
    request: Request,
    visitor: VisitorDep,
    workspace: WorkspaceDep,
    park: Id,
    unit: Id,
    key: Key,
    seen: Annotated[str, Form(max_length=64)],
    status: Given = "",
    tenant: Given = "",
    tenant_uscc: Given = "",
    rent_cny_m2_month: Given = "",
    contract: Given = "",
    let_from: Given = "",
    let_to: Given = "",
    vacant_since: Given = "",
    as_of: Given = "",
) -> Response:
    """Say anew how a unit is; where that cannot be, the form again with what and where."""
    visitor.require(unit_edits.EDIT, *room.EDITS)
    told = unit_edits.unit(visitor.actor, workspace, unit_edits.UnitRequest(unit=unit))
    given = {
        "status": status, "tenant": tenant, "tenant_uscc": tenant_uscc, "rent_cny_m2_month": rent_cny_m2_month,
        "contract": contract, "let_from": let_from, "let_to": let_to, "vacant_since": vacant_since, "as_of": as_of,
    }  # fmt: skip
    record, wrong = unit_edits.read_record(workspace, given)
    if record is None:
        return _unit(request, visitor, told, given, wrong)
    edit = unit_edits.UnitEdit(unit=unit, seen=seen, record=record)
    answer = unit_edits.edit_unit(visitor.actor, workspace, edit, key=key)
    back = f"/parks/{quote(park, safe='')}/units/{quote(unit, safe='')}"
    return see_other(back, done="edited" if answer.job else "same")


@router.post("/parks/{park}/units/{unit}/back")
def take_back(visitor: VisitorDep, workspace: WorkspaceDep, park: Id, unit: Id, key: Key) -> Response:
    """Let what is loaded of a unit count again."""
    asked = unit_edits.TakeBackRequest(unit=unit)
    answer = unit_edits.take_back_unit(visitor.actor, workspace, asked, key=key)
    back = f"/parks/{quote(park, safe='')}/units/{quote(unit, safe='')}"
    return see_other(back, done="back" if answer.job else "same")


def _today(workspace: Workspace) -> str:
    return workspace.clock().date().isoformat()


def _unit(
    request: Request,
    visitor: Visitor,
    told: unit_edits.UnitAnswer,
    given: Mapping[str, str],
    wrong: Mapping[str, JiqunError] | None = None,
) -> Response:
    language = visitor.language
    told_wrong, errors = by_field({name: _named(error) for name, error in (wrong or {}).items()}, FIELDS, language)
    return page(
        request,
        visitor,
        "park_unit.html",
        status=422 if wrong else 200,
        keep=False,
        told=told,
        recorded=unit_edits.texts(told.record),
        given=given,
        fields=FIELDS,
        titles=TITLES,
        states=STATES,
        statuses=[
            ("", Text("没有记录", "not on record").get(language)),
            *((s, STATES[s].get(language)) for s in STATUSES),
        ],
        wrong=told_wrong,
        errors=errors,
        edits=_edits(visitor),
        notes={
            "edited": visitor.say("Saved. The list of units is made anew in a moment."),
            "back": visitor.say("Taken back. What is loaded counts again in a moment."),
            "same": visitor.say("Nothing was changed."),
        },
    )


def _named(error: JiqunError) -> JiqunError:
    """The error with the words of the form for its attributes."""
    words: dict[str, dict[str, str]] = {
        name: {"zh": TITLES[said].zh, "en": TITLES[said].en}
        for name in ("column", "other")
        if (said := error.fields.get(name)) in TITLES
    }
    if "file" in error.fields:  # the checks speak of files
        words["file"] = {"zh": "表单", "en": "Form"}
    return InputError(error.code, **{**error.fields, **words})


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
