"""Green efficiency 绿色效率: a form that asks, and what it computes; the address holds all, and nothing is stored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

from fastapi import APIRouter, Request, Response
from fastapi.exceptions import RequestValidationError

from jiqun.assess import desk
from jiqun.assess import green_room as room
from jiqun.assess.annual_report import shortened
from jiqun.core.document import Document, Text
from jiqun.core.errors import JiqunError
from jiqun.store import Workspace
from jiqun.web.errors import by_field, refused_value
from jiqun.web.pages import atlas_parts as parts
from jiqun.web.render import page
from jiqun.web.visitor import Visitor, VisitorDep, WorkspaceDep

router = APIRouter()
BASE = "/assess/green"
COLUMNS = ("inputs", "outputs", "undesirable")
TITLES = {
    "inputs": Text("投入", "Inputs"),
    "outputs": Text("产出", "Outputs"),
    "undesirable": Text("非期望产出", "Undesirable outputs"),
    "year": Text("年份", "Year"),
}
_SOME = Text(f"1 至 {room.MOST_COLUMNS} 个指标", f"1 to {room.MOST_COLUMNS} indicators")
EXPECTED = dict.fromkeys(COLUMNS, _SOME) | {"year": Text("指标表中的年份", "a year of the table of indicators")}


@router.get(BASE)
def green(request: Request, visitor: VisitorDep, workspace: WorkspaceDep) -> Response:
    """The form; and where the address says what to compare, what was found, or what is wrong with it."""
    visitor.require("assess.green", *room.green_.roles)
    given = _given(request)
    if not any(name in request.query_params for name in TITLES):
        return _page(request, visitor, workspace, given)
    wrong = {
        name: refused_value(TITLES[name], "", _SOME) for name in COLUMNS if not given[name]
    }  # before anything else, so that all are told at once
    if wrong:
        return _page(request, visitor, workspace, given, wrong=wrong)
    try:
        asked = parts.asked(request, room.GreenRequest)
    except RequestValidationError as error:
        names = dict.fromkeys(str(one["loc"][0]) for one in error.errors())
        wrong = {name: refused_value(TITLES[name], ", ".join(given[name]), EXPECTED[name]) for name in names}
        return _page(request, visitor, workspace, given, wrong=wrong)
    tail = _tail(asked)
    try:
        drawn = parts.drawn_once(
            workspace.snapshot("indicators").path,
            f"{BASE}{tail}",
            visitor.language,
            {},
            lambda: _short(room.compute(workspace, asked).document),
        )
    except JiqunError as error:
        at = "year" if error.code == "JQ-ASSESS-024" else ""
        return _page(request, visitor, workspace, given, wrong={at: error})
    return _page(request, visitor, workspace, given, drawn=drawn, tail=tail)


@router.get(BASE + ".{form:ending}")
def green_file(
    request: Request, visitor: VisitorDep, workspace: WorkspaceDep, form: parts.Form | parts.Twin
) -> Response:
    """What was found as a report, its scores as CSV, everything as JSON."""
    visitor.require("assess.green", *room.green_.roles)
    asked = parts.asked(request, room.GreenRequest)
    if form == "json":
        told = room.green_(visitor.actor, workspace, asked)
        return parts.answer(request, told.model_dump_json().encode(), "application/json")
    document = room.compute(workspace, asked).document
    if form == "csv":
        return parts.table_answer(request, parts.find_table(document, "green-scores"), "csv")
    return parts.file_answer(request, visitor, document, form)


@router.get(BASE + "/{table}.{form:ending}")
def green_table(
    request: Request, visitor: VisitorDep, workspace: WorkspaceDep, table: parts.Name, form: parts.Twin
) -> Response:
    """A table of the page as CSV or JSON, all rows."""
    visitor.require("assess.green", *room.green_.roles)
    document = room.compute(workspace, parts.asked(request, room.GreenRequest)).document
    return parts.table_answer(request, parts.find_table(document, table), form)


def _given(request: Request) -> dict[str, list[str]]:
    """What stands in the address, by field."""
    return {name: [one for one in request.query_params.getlist(name) if one] for name in TITLES}


def _tail(asked: room.GreenRequest) -> str:
    """What was asked for as the end of an address."""
    return f"?{urlencode(asked.model_dump(exclude_none=True), doseq=True)}"


def _short(document: Document) -> Document:
    """With the first rows of its long tables; their twins have all."""
    return replace(document, blocks=tuple(map(shortened, document.blocks)))


def _page(
    request: Request,
    visitor: Visitor,
    workspace: Workspace,
    given: Mapping[str, list[str]],
    *,
    wrong: Mapping[str, JiqunError] | None = None,
    **shown: Any,
) -> Response:
    columns = desk.columns_loaded(workspace)
    told, errors = by_field(wrong or {}, TITLES, visitor.language)
    years = [str(year) for year in room.years_loaded(workspace)]
    return page(
        request,
        visitor,
        "green.html",
        status=422 if wrong else 200,
        given=given,
        wrong=told if columns else [("", *rest) for _, *rest in told],  # without columns there is no form
        errors=errors,
        titles=TITLES,
        kinds=COLUMNS,
        columns=columns,
        years=[(year, year) for year in years],
        imports=not visitor.actor.roles.isdisjoint(desk.RUNS),
        most=room.MOST_UNITS,
        **({"drawn": None, "tail": ""} | shown),
    )
