"""Placing 落位: ask a geocoder for what is placed roughly, and treat points that do not fit their rows."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Form, Query, Request, Response

from jiqun.core.actor import Role
from jiqun.core.document import Text
from jiqun.core.errors import JiqunError, UsageError, catalogue
from jiqun.intake import place_room as room
from jiqun.intake.geocoders import PROVIDERS
from jiqun.intake.geocoding import RUN, TABLES
from jiqun.store import Workspace
from jiqun.store import room as store
from jiqun.web.pages.jobs import MEANINGS, STATES
from jiqun.web.render import page, see_other
from jiqun.web.visitor import Visitor, VisitorDep, WorkspaceDep

router = APIRouter(prefix="/placing")

_ROLES: tuple[Role, ...] = ("operator", "analyst")
_ROWS = 50
_RUNS = 5
_TABLES: dict[str, Text] = {
    "organisations": Text("企业与机构", "Organisations"),
    "sites": Text("经营场所", "Sites"),
}
FIXES: dict[str, Text] = {
    "swap": Text("互换经纬度", "Swap"),
    "sign": Text("改正负号", "Change the sign"),
    "drop": Text("弃用坐标，按地址落位", "Drop the point, place by address"),
    "keep": Text("坐标无误，保留", "Keep: the point is right"),
}
FINDINGS: dict[str, Text] = {
    "JQ-PLACE-011": Text("远离所写的地点", "far from the place that the row names"),
    "JQ-PLACE-012": Text("不在所写的地区内", "outside the region that the row names"),
    "JQ-PLACE-013": Text("经纬度互换", "longitude and latitude swapped"),
    "JQ-PLACE-014": Text("不可能的坐标", "cannot be a point"),
    "JQ-PLACE-015": Text("很多企业同在一点", "many firms at one point"),
    "JQ-PLACE-016": Text("正负号有误", "wrong sign"),
    "JQ-PLACE-017": Text("地理编码结果在地区之外", "geocoder's answer outside the region"),
    "JQ-PLACE-018": Text("同名载体多处", "several carriers of one name"),
}
Key = Annotated[str, Form(min_length=8, max_length=200)]


@router.get("")
def overview(
    request: Request,
    visitor: VisitorDep,
    workspace: WorkspaceDep,
    provider: Annotated[room.ProviderName | None, Query()] = None,
    table: Annotated[room.TableName, Query()] = "organisations",
    limit: Annotated[int | None, Query(ge=1, le=10_000_000)] = None,
) -> Response:
    """How rows are placed, what a geocoder would be asked, and the runs so far."""
    visitor.require("place.plan", *_ROLES)
    return _overview(request, visitor, workspace, provider=provider, table=table, limit=limit)


def _overview(
    request: Request,
    visitor: Visitor,
    workspace: Workspace,
    *,
    provider: room.ProviderName | None,
    table: room.TableName,
    limit: int | None,
    refused: JiqunError | None = None,
) -> Response:
    tables = [name for name in TABLES if any(one.table == name for one in workspace.tables())]
    told, words = None, refused
    if provider is not None and refused is None:
        try:
            told = room.plan(visitor.actor, workspace, room.PlanRequest(provider=provider, table=table, limit=limit))
        except UsageError as error:
            words = error
    found = store.jobs(visitor.actor, workspace, store.JobsRequest())
    runs = [job for job in found if job.kind == RUN][:_RUNS]
    return page(
        request,
        visitor,
        "placing.html",
        status=422 if words else 200,
        keep=False,
        tables=[(name, _TABLES[name].get(visitor.language)) for name in tables],
        providers=[(name, one.title) for name, one in PROVIDERS.items()],
        titles={name: one.title for name, one in PROVIDERS.items()},
        provider=provider or "tianditu",
        table=table,
        limit=limit,
        plan=told,
        placed=_placed(workspace, tables),
        runs=runs,
        moving=any(job.state in {"queued", "running"} for job in runs),
        states=STATES,
        meanings=MEANINGS,
        refused=words.render(visitor.language).partition(" ")[2] if words else "",
        notes={"started": visitor.say("Started; it goes on when you leave this page.")},
        table_names=_TABLES,
    )


def _placed(workspace: Workspace, tables: list[str]) -> list[tuple[str, list[tuple[str, int]]]]:
    """Of each table, how many rows are placed by what."""
    return [(name, list(dict(workspace.snapshot(name).summary.get("placed_by", {})).items())) for name in tables]


@router.post("")
def start(
    request: Request,
    visitor: VisitorDep,
    workspace: WorkspaceDep,
    provider: Annotated[room.ProviderName, Form()],
    table: Annotated[room.TableName, Form()],
    key: Key,
    limit: Annotated[str, Form(pattern=r"^\d{0,8}$")] = "",
) -> Response:
    """Start geocoding as a job."""
    most = int(limit) or None if limit else None
    try:
        room.geocode(visitor.actor, workspace, room.PlanRequest(provider=provider, table=table, limit=most), key=key)
    except UsageError as error:
        return _overview(request, visitor, workspace, provider=provider, table=table, limit=most, refused=error)
    return see_other("/placing", done="started")


@router.get("/points")
def points(
    request: Request,
    visitor: VisitorDep,
    workspace: WorkspaceDep,
    table: Annotated[room.TableName, Query()] = "organisations",
    code: Annotated[str | None, Query(pattern=r"^(JQ-PLACE-[0-9]{3})?$")] = None,
    cursor: Annotated[str | None, Query(max_length=400)] = None,
) -> Response:
    """Points that do not fit their rows, each with what would mend it."""
    asked = room.PointsRequest(table=table, code=code or None, cursor=cursor, limit=_ROWS)
    found = room.doubtful(visitor.actor, workspace, asked)
    return page(
        request,
        visitor,
        "placing_points.html",
        keep=False,
        found=found,
        decisions=room.decisions(visitor.actor, workspace, room.DecidedRequest(table=table, limit=_ROWS)),
        table=table,
        tables=[(name, words.get(visitor.language)) for name, words in _TABLES.items()],
        code=code or "",
        codes=[(name, words.get(visitor.language)) for name, words in FINDINGS.items()],
        findings=FINDINGS,
        fixes=FIXES,
        hints={name: Text(told.hint_zh, told.hint_en) for name, told in catalogue().items() if name in FINDINGS},
        notes={"decided": visitor.say("Noted; the table is being placed anew.")},
    )


@router.post("/points")
def decide(
    visitor: VisitorDep,
    workspace: WorkspaceDep,
    row: Annotated[str, Form(min_length=1, max_length=60)],
    fix: Annotated[str, Form(pattern=r"^(swap|sign|drop|keep|undo)$")],
    table: Annotated[room.TableName, Form()],
    key: Key,
) -> Response:
    """Treat one point."""
    wanted: Any = {"table": table, "ids": (row,), "fix": fix}
    room.decide(visitor.actor, workspace, room.Decision.model_validate(wanted), key=key)
    return see_other(f"/placing/points?table={table}", done="decided")
