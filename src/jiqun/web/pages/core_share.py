"""Core industries 核心产业占比: shares under both definitions by region, and what texts quote, apart."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Request, Response

from jiqun.atlas import core_desk as desk
from jiqun.atlas.documents.core import DEFINITION, core_document, range_text
from jiqun.atlas.reading import sees_all
from jiqun.core.document import Document, Text
from jiqun.report.fragment import fragment
from jiqun.store import Workspace
from jiqun.taxonomy.codes import DEFINITIONS
from jiqun.web.pages import atlas_parts as parts
from jiqun.web.render import page, see_other
from jiqun.web.visitor import Visitor, VisitorDep, WorkspaceDep

router = APIRouter()
MOST_LISTED, LONGEST_NAME = 200, 120
"""How many clusters a list may name on the page, and how long a name may be, as in `ListRequest`."""
ANSWERS = {
    "digital": Text("数字集群", "digital"),
    "not": Text("不是", "not digital"),
    "undecided": Text("未判定", "undecided"),
}
Key = Annotated[str, Form(min_length=8, max_length=200)]


@router.get("/core-share")
def core_share(request: Request, visitor: VisitorDep, workspace: WorkspaceDep) -> Response:
    """Shares of the core industries."""
    told = desk.core_shares(visitor.actor, workspace, desk.SharesRequest())
    document = _document(visitor, workspace)
    body = fragment(
        document,
        visitor.language,
        twin=lambda table: {form: f"/core-share/{table.id}.{form}" for form in ("csv", "json")},
    )
    return page(
        request,
        visitor,
        "core_share.html",
        document=document,
        body=body if told.as_of else "",
        quoted=fragment(document.blocks[-1:], visitor.language, twin=lambda _: {}) if not told.as_of else "",
        as_of=told.as_of,
        loaded=bool(workspace.history("organisations")),
        edits=not visitor.actor.roles.isdisjoint(desk.EDITS),
    )


@router.get("/core-share/list")
def listed(request: Request, visitor: VisitorDep) -> Response:
    """Clusters of a list to be judged by their names."""
    return _list_page(request, visitor, "", [], wrong=False)


@router.post("/core-share/list")
def judge_list(
    request: Request, visitor: VisitorDep, workspace: WorkspaceDep, names: Annotated[str, Form(max_length=30_000)] = ""
) -> Response:
    """Which clusters of the list are digital, under both definitions; the list is not kept."""
    lines = tuple(dict.fromkeys(line.strip() for line in names.splitlines() if line.strip()))
    fits = 0 < len(lines) <= MOST_LISTED and max(map(len, lines)) <= LONGEST_NAME
    answers = []
    for definition in DEFINITIONS if fits else ():
        asked = desk.ListRequest(clusters=lines, definition=definition)
        told = desk.core_list(visitor.actor, workspace, asked)
        answers.append((DEFINITION[definition], told, range_text(told.model_dump())))
    return _list_page(request, visitor, names, answers, wrong=not fits)


@router.post("/core-share/count")
def count(visitor: VisitorDep, workspace: WorkspaceDep, key: Key) -> Response:
    """Queue the judging of the firms and go to its job."""
    return see_other(f"/jobs/{desk.count_core(visitor.actor, workspace, desk.CountRequest(), key=key).job}")


@router.get("/core-share.{form:ending}")
def core_file(
    request: Request, visitor: VisitorDep, workspace: WorkspaceDep, form: parts.Form | parts.Twin
) -> Response:
    """The shares as a report, as CSV by region, or as JSON."""
    asked = desk.SharesRequest(each=True)
    told = desk.core_shares(visitor.actor, workspace, asked)
    if form == "json":
        return parts.answer(request, told.model_dump_json().encode(), "application/json")
    document = _document(visitor, workspace)
    if form == "csv":
        name = "shares-regions" if told.as_of else "quoted"
        return parts.table_answer(request, parts.find_table(document, name), "csv")
    return parts.file_answer(request, visitor, document, form)


@router.get("/core-share/{table}.{form:ending}")
def core_table(
    request: Request, visitor: VisitorDep, workspace: WorkspaceDep, table: parts.Name, form: parts.Twin
) -> Response:
    """A table of the page as CSV or JSON."""
    desk.core_shares(visitor.actor, workspace, desk.SharesRequest())
    return parts.table_answer(request, parts.find_table(_document(visitor, workspace), table), form)


def _list_page(
    request: Request, visitor: Visitor, given: str, answers: list[tuple[Text, desk.ListAnswer, Text]], *, wrong: bool
) -> Response:
    return page(
        request,
        visitor,
        "core_list.html",
        status=422 if wrong else 200,
        given=given,
        wrong=wrong,
        answers=answers,
        most=MOST_LISTED,
        longest=LONGEST_NAME,
        answered=ANSWERS,
    )


def _document(visitor: Visitor, workspace: Workspace) -> Document:
    result = desk.judged(workspace)
    names = desk.region_names(workspace, result) if result else {}
    return core_document(result, full=sees_all(visitor.actor), regions=names)
