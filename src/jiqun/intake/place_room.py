"""Operations of placing 落位室: addresses taken apart, geocoding as a job, doubtful points and what people decide on them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field

from jiqun.core.actor import Actor, Role
from jiqun.core.document import Text
from jiqun.core.operation import Model, Page, PageRequest, Room, paged
from jiqun.intake import doubtful_points as points
from jiqun.intake import geocoding
from jiqun.intake.address import parse_address
from jiqun.intake.gazetteer import Gazetteer
from jiqun.intake.geocoding import Plan
from jiqun.store import Workspace
from jiqun.store.jobs import Handler

__all__ = ["HANDLERS", "ROOM"]

ROOM = Room("place", Text("落位", "Placing"))
HANDLERS: Mapping[str, Handler] = {geocoding.RUN: geocoding.run, points.APPLY: points.apply}
"""What its workers do, by the kind of job."""
_WHO: tuple[Role, ...] = ("operator", "analyst")

ProviderName = Literal["tianditu", "amap", "baidu"]
TableName = Literal["organisations", "sites"]
Line = Annotated[str, Field(max_length=2_000)]


class Addresses(Model):
    """Addresses to take apart."""

    addresses: Annotated[tuple[Line, ...], Field(min_length=1, max_length=200)]


class Parsed(Model):
    """The parts of one address; see `jiqun.intake.parse_address`."""

    address: str | None
    country: str | None
    province: str | None
    province_code: str | None
    city: str | None
    city_code: str | None
    county: str | None
    county_code: str | None
    region_code: str | None
    zone: str | None
    town: str | None
    village: str | None
    road: str | None
    number: str | None
    park: str | None
    building: str | None
    detail: str | None
    detail_km: float | None
    place_id: str | None
    place_name: str | None
    place_name_zh: str | None
    lon: float | None
    lat: float | None
    precision: str | None
    precision_km: float | None
    evidence: str | None
    notes: str | None


class PlanRequest(Model):
    """Which service and table."""

    provider: ProviderName
    table: TableName = "organisations"
    limit: Annotated[int | None, Field(ge=1, le=10_000_000)] = None


class Started(Model):
    """The job that was queued, or is under way already."""

    job: str


class PointsRequest(PageRequest):
    """Doubtful points of a table, perhaps of one code only."""

    table: TableName = "organisations"
    code: Annotated[str | None, Field(pattern=r"^JQ-PLACE-[0-9]{3}$")] = None


class Point(Model):
    """One doubtful point: what is wrong (code), the place that the row names, and what would mend it."""

    id: str
    name: str | None
    address: str | None
    lon: float | None
    lat: float | None
    code: str
    place_name: str | None
    place_name_zh: str | None
    away_km: float | None
    rows: int | None
    fix: str | None
    to_lon: float | None
    to_lat: float | None


class Decision(Model):
    """What is to be done with doubtful points."""

    table: TableName = "organisations"
    ids: Annotated[tuple[Annotated[str, Field(min_length=1, max_length=60)], ...], Field(min_length=1, max_length=500)]
    fix: points.Fix | Literal["undo"]


class DecidedRequest(PageRequest):
    """Of which table."""

    table: TableName = "organisations"


class PointDecision(Model):
    """What was decided about a point, by whom; `given` as the row came, without it as it counts (null: dropped)."""

    id: str
    fix: points.Fix
    given_lon: float
    given_lat: float
    lon: float | None
    lat: float | None
    code: str
    account: str
    at: datetime


class Decided(Model):
    """How many points were treated, and the job that places the table anew."""

    rows: int
    job: str


@ROOM.operation("parse", "解析地址", "Take addresses apart", roles=_WHO)
def parse(actor: Actor, workspace: Workspace, request: Addresses) -> tuple[Parsed, ...]:
    """Parts of addresses: divisions with their codes, town, road, number, park, building, and how exact each is."""
    del actor
    found = parse_address(list(request.addresses), Gazetteer.load(workspace.cache))
    return tuple(Parsed.model_validate(row) for row in found.iter_rows(named=True))


@ROOM.operation("plan", "地理编码预览", "Preview geocoding", roles=_WHO)
def plan(actor: Actor, workspace: Workspace, request: PlanRequest) -> Plan:
    """How many addresses a service would be asked for, and what that takes of its quota; nothing is asked."""
    return geocoding.plan(actor, workspace, request.provider, request.table, limit=request.limit)


@ROOM.operation("geocode", "开始地理编码", "Start geocoding", roles=_WHO, writes=True)
def geocode(actor: Actor, workspace: Workspace, request: PlanRequest, *, key: str) -> Started:
    """Ask a service for the addresses of a table, as a job; the table's new snapshot has the points."""
    job = geocoding.start(actor, workspace, request.provider, request.table, limit=request.limit, key=key)
    return Started(job=job)


@ROOM.operation("points", "可疑坐标", "List doubtful points", roles=_WHO)
def doubtful(actor: Actor, workspace: Workspace, request: PointsRequest) -> Page[Point]:
    """Rows whose point does not fit what they say, with what would mend each."""
    if not any(one.table == request.table for one in workspace.tables()):
        return Page(items=(), total=0)
    found = points.doubtful_points(actor, workspace, request.table)
    if request.code is not None:
        found = found.filter(code=request.code)
    page = paged(range(found.height), request, version=f"{workspace.snapshot(request.table).id} {found.height}")
    begin = page.items[0] if page.items else 0
    rows: list[dict[str, Any]] = found.slice(begin, len(page.items)).to_dicts()
    return Page(items=tuple(map(Point.model_validate, rows)), total=page.total, next=page.next)


@ROOM.operation("decisions", "坐标处理记录", "Decisions on points", roles=_WHO)
def decisions(actor: Actor, workspace: Workspace, request: DecidedRequest) -> Page[PointDecision]:
    """What people decided about points, the latest first."""
    found = points.decided_points(actor, workspace, request.table)
    newest = found["at"].max()
    page = paged(range(found.height), request, version=f"{request.table} {found.height} {newest!s}")
    begin = page.items[0] if page.items else 0
    rows = found.slice(begin, len(page.items)).to_dicts()
    return Page(items=tuple(map(PointDecision.model_validate, rows)), total=page.total, next=page.next)


@ROOM.operation("decide", "处理坐标", "Treat doubtful points", roles=_WHO, writes=True)
def decide(actor: Actor, workspace: Workspace, request: Decision, *, key: str) -> Decided:
    """Swap or change the sign as offered, drop the point so that the row is placed by its address, or keep it; or undo that."""
    if request.fix == "undo":
        return Decided.model_validate(points.undo(actor, workspace, request.table, request.ids, key=key))
    done = points.decide(actor, workspace, request.table, request.ids, request.fix, key=key)
    return Decided.model_validate(done)
