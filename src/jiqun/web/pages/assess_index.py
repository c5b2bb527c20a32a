"""An index 指数: ranks with their intervals, other weights tried as one types, and where each score comes from."""

from __future__ import annotations

import math
from typing import Annotated, Any
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Form, Query, Request, Response

from jiqun.assess import commands, desk
from jiqun.assess import operations as room
from jiqun.assess.index_document import built_table
from jiqun.assess.index_report import IndexReport, Reweighted
from jiqun.core.document import Document, Table, Text
from jiqun.report.fragment import fragment
from jiqun.report.markup import Html
from jiqun.survey import records
from jiqun.web.pages import atlas_parts as parts
from jiqun.web.pages.assess import FrameworkCode, Key
from jiqun.web.render import page, see_other
from jiqun.web.visitor import Visitor, VisitorDep, WorkspaceDep

router = APIRouter()
Unit = Annotated[str, Query(min_length=1, max_length=200)]
SHOWN, LISTED = 30, 300
"""Rows of a table on the page, and units of the list of ranks; twins and files have all."""
_PREFIX = "w_"
_HEADS: dict[str, tuple[str, str, Any, int]] = {
    "unit": ("单元", "unit", "text", 0),
    "rank": ("新名次", "new rank", "integer", 0),
    "before": ("原名次", "rank before", "integer", 0),
    "moves": ("变动", "moves", "text", 0),
    "score": ("新得分", "new score", "number", 2),
}


@router.get("/assess/index/{code}.{form:ending}")
def index_file(
    request: Request, visitor: VisitorDep, workspace: WorkspaceDep, code: FrameworkCode, form: parts.Form | parts.Twin
) -> Response:
    """The index as a report; scores as CSV, everything as JSON; a workbook has every row and the trace of every score."""
    told = room.index(visitor.actor, workspace, room.One(framework=code))
    if form == "json":
        return parts.answer(request, told.model_dump_json().encode(), "application/json")
    shown = room.report(visitor.actor, workspace, code)
    if form == "csv":
        return parts.table_answer(request, shown.ranks_table(), "csv")
    return parts.file_answer(request, visitor, shown.document(full=form == "xlsx"), form)


@router.get("/assess/index/{code}/reweighted.{form:ending}")
def reweighted_twin(
    request: Request, visitor: VisitorDep, workspace: WorkspaceDep, code: FrameworkCode, form: parts.Twin
) -> Response:
    """Ranks under the weights that the address names as CSV or JSON."""
    room.index(visitor.actor, workspace, room.One(framework=code))
    shown = room.report(visitor.actor, workspace, code)
    given, _ = _weights(request, shown)
    return parts.table_answer(request, _moves(shown, shown.reweighted(given)), form)


@router.get("/assess/index/{code}/trace.{form:ending}")
def trace_file(
    request: Request,
    visitor: VisitorDep,
    workspace: WorkspaceDep,
    code: FrameworkCode,
    unit: Unit,
    form: parts.Form | parts.Twin,
) -> Response:
    """The trace of a score as a report, as CSV or JSON."""
    told = room.trace(visitor.actor, workspace, room.TraceRequest(framework=code, unit=unit))
    if form == "json":
        return parts.answer(request, told.model_dump_json().encode(), "application/json")
    document = room.report(visitor.actor, workspace, code).trace_document(
        unit, evidence=room.sees_evidence(visitor.actor)
    )
    if form == "csv":
        return parts.table_answer(request, parts.find_table(document, "trace"), "csv")
    return parts.file_answer(request, visitor, document, form)


@router.get("/assess/index/{code}/trace/{table}.{form:ending}")
def trace_table(
    request: Request,
    visitor: VisitorDep,
    workspace: WorkspaceDep,
    code: FrameworkCode,
    table: parts.Name,
    unit: Unit,
    form: parts.Twin,
) -> Response:
    """A table of a score's page as CSV or JSON."""
    room.trace(visitor.actor, workspace, room.TraceRequest(framework=code, unit=unit))
    document = room.report(visitor.actor, workspace, code).trace_document(
        unit, evidence=room.sees_evidence(visitor.actor)
    )
    return parts.table_answer(request, parts.find_table(document, table), form)


@router.get("/assess/index/{code}/units/{unit:path}")
def unit_page(
    request: Request, visitor: VisitorDep, workspace: WorkspaceDep, code: FrameworkCode, unit: str
) -> Response:
    """Where a unit's score comes from."""
    told = room.trace(visitor.actor, workspace, parts.asked(request, room.TraceRequest, framework=code, unit=unit))
    shown = room.report(visitor.actor, workspace, code)
    document = shown.trace_document(unit, evidence=room.sees_evidence(visitor.actor))
    tail = f"?{urlencode({'unit': unit})}"
    body = fragment(
        document,
        visitor.language,
        twin=lambda table: {form: f"/assess/index/{code}/trace/{table.id}.{form}{tail}" for form in ("csv", "json")},
    )
    cluster = shown.stored.values["basis"] == "clusters"
    return page(
        request,
        visitor,
        "assess_unit.html",
        told=told,
        document=document,
        body=body,
        title=shown.title,
        code=code,
        tail=tail,
        cluster=f"/clusters/{unit}" if cluster else "",
        as_of=shown.as_of,
        rounds=_rounds(visitor, workspace, told),
    )


def _rounds(visitor: Visitor, workspace: WorkspaceDep, told: room.TraceAnswer) -> list[tuple[str, Text]]:
    """The survey rounds on which a score rests, with their names; none for who may not see rounds."""
    if visitor.actor.roles.isdisjoint(records.READS):
        return []
    used = {key for row in told.rows for key in (row.rounds or "").split(", ") if key}
    there = {one.id: one for one in records.rounds(workspace) if one.id in used}
    names = {key: Text(f"{one.title.zh} {one.period}", f"{one.title.en} {one.period}") for key, one in there.items()}
    return sorted(names.items())


@router.get("/assess/index/{code}/{table}.{form:ending}")
def index_table(
    request: Request,
    visitor: VisitorDep,
    workspace: WorkspaceDep,
    code: FrameworkCode,
    table: parts.Name,
    form: parts.Twin,
) -> Response:
    """A table of the page as CSV or JSON, all of its rows."""
    room.index(visitor.actor, workspace, room.One(framework=code))
    shown = room.report(visitor.actor, workspace, code)
    every = (
        shown.ranks_table(),
        shown.parts_table(),
        shown.coverage_table(),
        *shown.response_blocks(None),
        *shown.sure_blocks(None),
        *shown.step_blocks(None),
    )
    return parts.table_answer(request, parts.find_table(_document(shown, every), table), form)


@router.get("/assess/index/{code}")
def index_page(request: Request, visitor: VisitorDep, workspace: WorkspaceDep, code: FrameworkCode) -> Response:
    """Ranks with their intervals, what each dimension adds, and how ranks move under other weights."""
    told = room.index(visitor.actor, workspace, room.One(framework=code))
    shown = room.report(visitor.actor, workspace, code)
    given, asked = _weights(request, shown)
    tried = shown.reweighted(given)
    runs = not visitor.actor.roles.isdisjoint(desk.RUNS)
    main, more, whole = _drawn(visitor, shown, code)
    return page(
        request,
        visitor,
        "assess_index.html",
        told=told,
        title=shown.title,
        sentence=shown.sentence(),
        body=main,
        more=more,
        how=whole,
        code=code,
        dimensions=_dimensions(shown, given),
        tried=tried if asked else None,
        moves=_fragment(visitor, [_moves(shown, tried, SHOWN)], code, f"?{_query(given)}") if asked else "",
        runs=runs,
        operates="operator" in visitor.actor.roles,
        sure=shown.sure is not None,
        as_of=shown.as_of,
        lineage=shown.stored.id[:12],
        notes={
            "published": visitor.say("The index is open to members and the public."),
            "closed": visitor.say("The index is closed to members and the public."),
        },
    )


@router.post("/assess/index/{code}/uncertainty")
def run_uncertainty(
    visitor: VisitorDep,
    workspace: WorkspaceDep,
    code: FrameworkCode,
    key: Key,
) -> Response:
    """Queue the question of how sure ranks are and go to its job."""
    wanted = commands.RunSureRequest(framework=code)
    return see_other(f"/jobs/{commands.run_uncertainty(visitor.actor, workspace, wanted, key=key).job}")


@router.post("/assess/index/{code}/publish")
def publish(
    visitor: VisitorDep,
    workspace: WorkspaceDep,
    code: FrameworkCode,
    key: Key,
    show: Annotated[str, Form(max_length=3)] = "",
) -> Response:
    """Open the index to all, or close it."""
    wanted = commands.PublishRequest(framework=code, show=show == "yes")
    commands.publish_index(visitor.actor, workspace, wanted, key=key)
    return see_other(f"/assess/index/{code}", done="published" if wanted.show else "closed")


def _drawn(visitor: Visitor, shown: IndexReport, code: str) -> tuple[Html, Html, Html]:
    """What the page shows at once, what lies folded, and how it is known; drawn once for each result and language."""
    beside = tuple(one.path if one else None for one in (shown.sure, shown.reasons))
    key = (shown.stored.path, *beside, shown.inside, code)
    base, language = f"/assess/index/{code}", visitor.language

    def link(unit: str) -> str:
        return f"assess/index/{code}/units/{quote(unit, safe='')}"

    main = parts.drawn_once(
        (*key, "main"), base, language, {},
        lambda: _document(shown, (*shown.head(), shown.figure(link, LISTED), shown.parts_table(SHOWN, link))),
        bare=True,
    )  # fmt: skip
    more = parts.drawn_once(
        (*key, "more"), base, language, {},
        lambda: _document(shown, (shown.coverage_table(), *shown.response_blocks(), *shown.sure_blocks(), *shown.step_blocks())),
        bare=True,
    )  # fmt: skip
    how = parts.drawn_once((*key, "how"), base, language, {}, lambda: _document(shown, shown.document().blocks[-1:]))
    return main.body, more.body, how.body


def _document(shown: IndexReport, blocks: tuple[Any, ...]) -> Document:
    return Document(shown.title, shown.sentence(), blocks, shown.stored.lineage)


def _fragment(visitor: Visitor, blocks: list[Table], code: str, query: str) -> Html:
    return fragment(
        blocks,
        visitor.language,
        twin=lambda table: {form: f"/assess/index/{code}/{table.id}.{form}{query}" for form in ("csv", "json")},
        href=parts.linker(""),
    )


def _dimensions(shown: IndexReport, given: dict[str, float]) -> list[tuple[str, Text, float]]:
    framework = shown.framework
    return [(code, framework.named(code), given[code]) for code in framework.children(framework.root)]


def _weights(request: Request, shown: IndexReport) -> tuple[dict[str, float], bool]:
    """The weights of the dimensions that the address names, in hundredths, and whether it names any; else the index's own."""
    framework = shown.framework
    children = framework.children(framework.root)
    used = dict(shown.found.weights.filter(parent=framework.root).select("code", "weight").iter_rows())
    own = {code: round(100 * used[code], 1) for code in children}
    given = {code: _number(request.query_params.get(f"{_PREFIX}{code}", "")) for code in children}
    asked = {code: value for code, value in given.items() if value is not None}
    if not asked:
        return own, False
    chosen = own | asked
    return (chosen, True) if sum(chosen.values()) > 0 else (own, False)


def _number(written: str) -> float | None:
    try:
        value = float(written[:20])
    except ValueError:
        return None
    return value if math.isfinite(value) and 0 <= value <= 1e6 else None  # more is a slip of the key


def _query(given: dict[str, float]) -> str:
    return urlencode({f"{_PREFIX}{code}": f"{value:g}" for code, value in given.items()})


def _moves(shown: IndexReport, tried: Reweighted, most: int | None = None) -> Table:
    """Ranks under other weights beside those before."""
    rows = tried.ranks.with_columns(moves=tried.ranks["before"] - tried.ranks["rank"])
    title = Text("改权重后的名次", "Ranks under these weights")
    table = shown.named(built_table("reweighted", title, rows, _HEADS, shown.source, shown.as_of, most))
    at = [column.key for column in table.columns].index("moves")
    cells = [(*row[:at], _move(row[at]), *row[at + 1 :]) for row in table.rows]
    return Table(table.id, table.title, table.columns, cells, table.source, table.as_of, table.note)


def _move(places: Any) -> str | None:
    if places is None:
        return None
    return f"▲ {places}" if places > 0 else f"▼ {-places}" if places < 0 else "="
