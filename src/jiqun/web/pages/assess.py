"""Assess 评估: what there is and what to do next; frameworks, to read, to save and to compute with; the annual report."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Form, Path, Request, Response

from jiqun.assess import commands, desk, own_frameworks
from jiqun.assess import operations as room
from jiqun.assess.annual_report import annual_report
from jiqun.assess.coverage_rows import FillingRow
from jiqun.assess.framework import LARGEST_FILE, Framework, check_framework, shipped_text
from jiqun.assess.index_document import framework_table
from jiqun.assess.index_report import ORIGINS, coverage_table
from jiqun.assess.stored import remarks_of
from jiqun.assess.survey_values import declared, how
from jiqun.assess.survey_values import years as survey_years
from jiqun.atlas.reading import READERS, SEES_ALL
from jiqun.core.document import Text
from jiqun.core.errors import JiqunError, WorkspaceError
from jiqun.core.sheets import neutralise
from jiqun.report.fragment import fragment
from jiqun.store import Workspace
from jiqun.survey import records as survey_records
from jiqun.web.errors import checked, explained
from jiqun.web.pages import atlas_parts as parts
from jiqun.web.render import page, see_other
from jiqun.web.visitor import Visitor, VisitorDep, WorkspaceDep

router = APIRouter()
FrameworkCode = Annotated[str, Path(pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,39}$")]
Key = Annotated[str, Form(min_length=8, max_length=200)]
MORE: tuple[tuple[str, Text, frozenset[str]], ...] = (
    ("/assess/diagnosis", Text("诊断", "Diagnosis"), frozenset(SEES_ALL)),
    ("/assess/stage", Text("演进阶段", "Stage"), frozenset(SEES_ALL)),
    ("/assess/readiness", Text("准备度", "Readiness"), frozenset(SEES_ALL)),
    ("/assess/frontier", Text("效率前沿", "Efficiency frontier"), frozenset(SEES_ALL)),
    ("/assess/green", Text("绿色效率", "Green efficiency"), frozenset(SEES_ALL)),
    ("/assess/belts", Text("产业带", "Industry belts"), frozenset(READERS)),
    ("/assess/benchmark", Text("对标", "Benchmark"), frozenset(READERS)),
)
"""What else the room has: address, name, and the roles that find it here."""
SHOWN_ROUNDS = 3
"""Rounds that are named beside an indicator."""
FILES = {"shipped": Text("随程序附带", "comes with the program"), "file": Text("工作区自有", "the workspace's own")}
BASES = {
    "": Text("自动", "as fits"),
    "clusters": Text("这次识别的集群", "the clusters of the run"),
    "table": Text("指标表中的单元", "the units of the table"),
}


@router.get("/assess")
def assess(request: Request, visitor: VisitorDep, workspace: WorkspaceDep) -> Response:
    """What was assessed, and what to do next."""
    told = room.frameworks(visitor.actor, workspace, room.Nothing())
    leads = [(row, _sentence(visitor, workspace, row.code)) for row in told.rows if row.rated]
    return page(
        request,
        visitor,
        "assess.html",
        rows=told.rows,
        leads=leads,
        runs=_runs(visitor),
        more=[(path, title) for path, title, roles in MORE if not visitor.actor.roles.isdisjoint(roles)],
        loaded=bool(workspace.history("indicators")),
        searched=any(kind.startswith("clusters") for kind in workspace.manifest().results),
    )


@router.get("/assess/report.{form:ending}")
def report(request: Request, visitor: VisitorDep, workspace: WorkspaceDep, form: parts.Form) -> Response:
    """The annual report as a file."""
    room.frameworks(visitor.actor, workspace, room.Nothing())
    return parts.file_answer(request, visitor, annual_report(workspace, visitor.actor), form)


@router.get("/assess/frameworks")
def frameworks(request: Request, visitor: VisitorDep, workspace: WorkspaceDep) -> Response:
    """The frameworks of the workspace."""
    told = room.frameworks(visitor.actor, workspace, room.Nothing())
    return page(
        request,
        visitor,
        "assess_frameworks.html",
        told=told,
        origins=FILES,
        edits=_edits(visitor),
        notes={"dropped": visitor.say("The framework is taken away; what comes with the program counts again.")},
    )


@router.get("/assess/frameworks.{form:ending}")
def frameworks_twin(request: Request, visitor: VisitorDep, workspace: WorkspaceDep, form: Literal["json"]) -> Response:
    """The list as JSON."""
    del form
    told = room.frameworks(visitor.actor, workspace, room.Nothing())
    return parts.answer(request, told.model_dump_json().encode(), "application/json")


@router.get("/assess/frameworks/new")
def new(request: Request, visitor: VisitorDep, workspace: WorkspaceDep) -> Response:
    """A framework of one's own, to be written from one that comes with the program."""
    visitor.require("assess.save_framework", *own_frameworks.EDITS)
    start = shipped_text("competitiveness").replace('code = "competitiveness"\nzh', 'code = "my-framework"\nzh', 1)
    del workspace
    return _editor(request, visitor, start.replace('status = "proposal"', 'status = "own"'), [])


@router.post("/assess/frameworks/new")
def save(
    request: Request,
    visitor: VisitorDep,
    workspace: WorkspaceDep,
    key: Key,
    text: Annotated[str, Form(max_length=LARGEST_FILE)] = "",
    do: Annotated[str, Form(max_length=10)] = "save",
) -> Response:
    """Check a framework, and keep it where it has no problem."""
    visitor.require("assess.save_framework", *own_frameworks.EDITS)
    text = text.replace("\r\n", "\n")
    found = check_framework(text)
    if found.problems or found.framework is None or do != "save":
        return _editor(request, visitor, text, list(found.problems), fine=not found.problems)
    row = commands.save_framework(visitor.actor, workspace, commands.SaveRequest(text=text), key=key)
    return see_other(f"/assess/frameworks/{row.code}", done="saved")


@router.get("/assess/frameworks/{code}.toml")
def framework_toml(request: Request, visitor: VisitorDep, workspace: WorkspaceDep, code: FrameworkCode) -> Response:
    """A framework as the file that it is read from."""
    room.framework(visitor.actor, workspace, room.One(framework=code))
    text = own_frameworks.text_of(workspace, code)
    return parts.answer(request, text.encode(), "application/toml", name=f"{code}.toml")


@router.get("/assess/frameworks/{code}.{form:ending}")
def framework_twin(
    request: Request, visitor: VisitorDep, workspace: WorkspaceDep, code: FrameworkCode, form: parts.Twin
) -> Response:
    """Its indicators as CSV, all of it as JSON."""
    told = room.framework(visitor.actor, workspace, room.One(framework=code))
    if form == "json":
        return parts.answer(request, told.model_dump_json().encode(), "application/json")
    sheet = neutralise(framework_table(told.framework)).write_csv(include_bom=True).encode()
    return parts.answer(request, sheet, "text/csv; charset=utf-8", name=f"{code}.csv")


@router.get("/assess/frameworks/{code}/coverage.{form:ending}")
def coverage_twin(
    request: Request, visitor: VisitorDep, workspace: WorkspaceDep, code: FrameworkCode, form: parts.Twin
) -> Response:
    """What there is for each indicator as CSV or JSON."""
    told = room.framework(visitor.actor, workspace, room.One(framework=code))
    stored = room.coverage(visitor.actor, workspace, code)
    if stored is None:
        raise WorkspaceError("JQ-ASSESS-069", value=code)
    return parts.table_answer(
        request,
        coverage_table(room.coverage_frame(visitor.actor, workspace, stored), _whole(stored, told.framework)),
        form,
    )


@router.get("/assess/frameworks/{code}/edit")
def edit(request: Request, visitor: VisitorDep, workspace: WorkspaceDep, code: FrameworkCode) -> Response:
    """A framework's text to change; saving it makes it the workspace's own."""
    visitor.require("assess.save_framework", *own_frameworks.EDITS)
    return _editor(request, visitor, own_frameworks.text_of(workspace, code), [])


@router.get("/assess/frameworks/{code}")
def framework(request: Request, visitor: VisitorDep, workspace: WorkspaceDep, code: FrameworkCode) -> Response:
    """A framework: its dimensions and indicators, and what there is for each."""
    told = room.framework(visitor.actor, workspace, room.One(framework=code))
    stored = room.coverage(visitor.actor, workspace, code)
    body = ""
    if stored is not None:
        table = coverage_table(room.coverage_frame(visitor.actor, workspace, stored), _whole(stored, told.framework))
        body = fragment(
            [table],
            visitor.language,
            twin=lambda _: {form: f"/assess/frameworks/{code}/coverage.{form}" for form in ("csv", "json")},
        )
    years, classes = _years(workspace, survey_years(workspace, told.framework)), _classes(workspace)
    return page(
        request,
        visitor,
        "assess_framework.html",
        told=told,
        tree=_tree(told.framework),
        coverage={row.code: row for row in told.coverage or ()},
        body=body,
        changed=stored is not None
        and stored.lineage.parameters.get("framework_digest") not in {None, told.framework.digest},
        remarks=remarks_of(stored) if stored is not None else (),
        origins=ORIGINS,
        asked={one.code: how(one) for one in declared(told.framework)},
        rounds=_rounds(told.rounds),
        drafts=bool(declared(told.framework)) and not visitor.actor.roles.isdisjoint(survey_records.DRAFTS),
        files=FILES,
        bases=BASES,
        years=years,
        classes=classes,
        runs=_runs(visitor),
        edits=_edits(visitor),
        notes={"saved": visitor.say("The framework is saved.")},
    )


@router.post("/assess/frameworks/{code}/index")
def run_index(
    visitor: VisitorDep,
    workspace: WorkspaceDep,
    code: FrameworkCode,
    key: Key,
    basis: Annotated[str, Form(max_length=20)] = "",
    year: Annotated[str, Form(max_length=4)] = "",
    digital: Annotated[str, Form(max_length=6)] = "",
) -> Response:
    """Queue the index of a framework and go to its job."""
    given = {"basis": basis, "year": year, "digital": digital}
    wanted = checked(
        commands.RunIndexRequest, framework=code, **{name: value for name, value in given.items() if value}
    )
    return see_other(f"/jobs/{commands.run_index(visitor.actor, workspace, wanted, key=key).job}")


@router.post("/assess/frameworks/{code}/drop")
def drop(visitor: VisitorDep, workspace: WorkspaceDep, code: FrameworkCode, key: Key) -> Response:
    """Take a framework of the workspace's own away."""
    commands.drop_framework(visitor.actor, workspace, room.One(framework=code), key=key)
    return see_other("/assess/frameworks", done="dropped")


def _editor(
    request: Request, visitor: Visitor, text: str, problems: list[JiqunError], *, fine: bool = False
) -> Response:
    told = [explained(one, visitor.language) for one in problems]
    return page(
        request,
        visitor,
        "assess_edit.html",
        status=422 if problems else 200,
        text=text,
        problems=told,
        fine=fine,
        most=LARGEST_FILE,
    )


def _tree(framework: Framework) -> list[dict[str, Any]]:
    """Dimensions with indicators right below them, each with its path from the top and its share of the weight."""
    indicators = {one.code: one for one in framework.indicators}
    parents = {one.code: one for one in framework.dimensions}
    found = []
    for dimension in framework.dimensions:
        below = [indicators[code] for code in framework.children(dimension.code) if code in indicators]
        if not below:
            continue
        path, at = [dimension.title], dimension.parent
        while at is not None:
            path.insert(0, parents[at].title)
            at = parents[at].parent
        total = sum(one.weight for one in below)
        rows = [(one, one.weight / total if total else None) for one in below]
        found.append({"code": dimension.code, "path": path[1:] or path, "rows": rows})
    return found


def _whole(stored: Any, now: Framework) -> Framework:
    """The framework that a stored result was computed with, where it says so."""
    told = stored.values.get("whole")
    return Framework.model_validate(told) if told else now


def _rounds(rows: tuple[FillingRow, ...] | None) -> dict[str, list[FillingRow]]:
    """The newest rounds that ask for each indicator; none for who may not see rounds."""
    found: dict[str, list[FillingRow]] = {}
    for row in rows or ():
        found.setdefault(row.indicator, []).append(row)
    return {code: there[:SHOWN_ROUNDS] for code, there in found.items()}


def _sentence(visitor: Visitor, workspace: Workspace, code: str) -> Text:
    return room.report(visitor.actor, workspace, code).sentence()


def _years(workspace: Workspace, asked: Sequence[int]) -> list[int]:
    years = set(asked)
    if workspace.history("indicators"):
        years |= set(workspace.scan("indicators").select("year").unique().collect()["year"])
    return sorted(years, reverse=True)[:50]


def _classes(workspace: Workspace) -> list[str]:
    there = sorted(workspace.manifest().results)
    return [kind.removeprefix("clusters-") for kind in there if kind.startswith("clusters-")]


def _edits(visitor: Visitor) -> bool:
    return not visitor.actor.roles.isdisjoint(own_frameworks.EDITS)


def _runs(visitor: Visitor) -> bool:
    return not visitor.actor.roles.isdisjoint(desk.RUNS)
