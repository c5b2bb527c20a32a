"""The parks' operations 载体操作: list, one park, units to let, and the assessment of what stands idle."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal

import polars as pl
from pydantic import Field

from jiqun.assess import parks_desk as desk
from jiqun.assess.findings import Finding, listed
from jiqun.assess.room import ROOM
from jiqun.assess.vacancy import MAX_AGE_DAYS
from jiqun.atlas.reading import READERS, Rows, sees_all, version
from jiqun.core.actor import LOCAL, Actor, Role
from jiqun.core.document import Text
from jiqun.core.operation import Model, Page, PageRequest, paged
from jiqun.store import Workspace
from jiqun.store.commands import Transaction
from jiqun.store.jobs import Handler, Job, Report
from jiqun.store.tables import JSON

EDITS: tuple[Role, ...] = ("operator", "analyst")
ParkId = Annotated[str, Field(min_length=1, max_length=200, description="id of a park, or its name")]
Status = Literal["vacant", "reserved", "works", "let", "lapsed", "stale", "open"]
_PARK = (
    "id", "name", "kind", "city", "lon", "lat", "carriers", "units", "units_vacant", "total_m2", "let_m2", "open_m2",
    "vacant_m2", "share", "low", "high", "no_area", "stale", "oldest", "newest", "spells", "ended", "median_days",
    "median_low", "median_high",
)  # fmt: skip
_TO_LET = ("vacant", "reserved", "works")


class ParksRequest(Model):
    """The parks that are loaded."""


class ParkRow(Model):
    """A park 园区 with all that is in it. `share` is null where less than half of its area is decided; `low` and `high` hold it.

    `median_days`: Kaplan–Meier median of vacancies, null where it is not reached.
    """

    id: str
    name: str
    kind: str
    city: str | None
    lon: float | None
    lat: float | None
    carriers: int
    units: int
    units_vacant: int
    total_m2: float
    let_m2: float
    open_m2: float
    vacant_m2: float
    share: float | None
    low: float | None
    high: float | None
    no_area: int
    stale: int
    oldest: date | None
    newest: date | None
    spells: int
    ended: int
    median_days: float | None
    median_low: float | None
    median_high: float | None


class NoteRow(Model):
    """What is odd about the records, with what to do."""

    code: str
    message: Text
    hint: Text


class ParksAnswer(Model):
    """The parks as of the day that their load speaks of; `as_of` is null where nothing is loaded."""

    as_of: date | None
    source: str | None
    max_age_days: int
    rows: tuple[ParkRow, ...]
    notes: tuple[NoteRow, ...]


class ParkRequest(Model):
    """One park."""

    park: ParkId


class PartRow(Model):
    """A carrier of a park that has others in it, or the park itself."""

    id: str
    path: str
    kind: str
    depth: int
    total_m2: float
    let_m2: float
    open_m2: float
    vacant_m2: float


class TenantRow(Model):
    """A tenant 租户; `organisation`: the firm of the register that it was matched to, by `by`."""

    tenant: str
    organisation: str | None
    by: str
    units: int
    area_m2: float | None
    titles: str | None


class FindingRow(Model):
    """A finding 诊断结论; `missing` says what is needed where it is unknown."""

    code: str
    state: Literal["found", "not_found", "unknown"]
    severity: Literal["low", "medium", "high"] | None
    statistic: float | None
    low: float | None
    high: float | None
    title: Text
    sentence: Text
    varies: Text
    action: Text
    missing: Text | None


class ParkAnswer(Model):
    """A park, its parts, and what was found. `tenants` and `findings` are null for who may not see them, and before the assessment.

    `assessed`: the day that the findings speak of, null where there are none yet; `current`: of what is loaded now.
    """

    as_of: date
    row: ParkRow
    parts: tuple[PartRow, ...]
    tenants: tuple[TenantRow, ...] | None
    findings: tuple[FindingRow, ...] | None
    assessed: date | None
    current: bool


class UnitsRequest(PageRequest):
    """Units by what is sought; by default those to let: vacant, reserved or under works."""

    park: Annotated[ParkId | None, Field()] = None
    status: Status | None = None
    min_m2: Annotated[float | None, Field(ge=0, le=1e9)] = None
    max_m2: Annotated[float | None, Field(ge=0, le=1e9)] = None
    max_rent: Annotated[float | None, Field(ge=0, le=1e9, description="CNY per m² and month")] = None


class UnitRow(Model):
    """A unit 单元: a carrier with none in it. Rent and contract of what is let, and its tenant, only for who may see them."""

    id: str
    park_id: str
    path: str
    kind: str
    status: Status
    area_m2: float | None
    rent_cny_m2_month: float | None
    vacant_since: date | None
    as_of: date
    tenant: str | None = None
    contract: str | None = None
    let_to: date | None = None


class AssessRequest(Model):
    """Assess the parks that are loaded now."""


class AssessAnswer(Model):
    """The job that does it."""

    job: str


@ROOM.operation("parks", "园区清单", "List parks", roles=READERS)
def parks(_actor: Actor, workspace: Workspace, request: ParksRequest) -> ParksAnswer:
    """The parks with the share of their area that is let, its range, and what is vacant."""
    del request
    if not workspace.history(desk.TABLE):
        return ParksAnswer(as_of=None, source=None, max_age_days=MAX_AGE_DAYS, rows=(), notes=())
    shown = desk.parks_now(workspace)
    return ParksAnswer(
        as_of=shown.found.as_of,
        source=shown.snapshot.source,
        max_age_days=shown.found.max_age_days,
        rows=tuple(ParkRow(**row) for row in shown.found.parks.select(_PARK).to_dicts()),
        notes=tuple(NoteRow(code=r.code, message=r.message, hint=r.hint) for r in shown.found.remarks),
    )


@ROOM.operation("park", "园区详情", "One park", roles=READERS)
def park(actor: Actor, workspace: Workspace, request: ParkRequest) -> ParkAnswer:
    """A park: its buildings and floors, who rents it, what was found.

    Raises
    ------
    WorkspaceError
        JQ-ASSESS-120: no carriers are loaded.
    UsageError
        JQ-ASSESS-121: there is no such park.
    """
    shown = desk.parks_now(workspace)
    row = shown.park(request.park)
    told = desk.assessed(workspace)
    tenants = findings = None
    if told is not None and sees_all(actor):
        findings = tuple(map(_finding, told.findings(row["id"])))
        named = TenantRow.model_fields
        tenants = tuple(TenantRow(**one) for one in told.of("tenants", row["id"]).select(list(named)).to_dicts())
    return ParkAnswer(
        as_of=shown.found.as_of,
        row=ParkRow(**{name: row[name] for name in _PARK}),
        parts=tuple(PartRow(**one) for one in parts_of(shown, row["id"]).to_dicts()),
        tenants=tenants,
        findings=findings,
        assessed=date.fromisoformat(told.values["as_of"]) if told else None,
        current=bool(told and told.current),
    )


def parts_of(shown: desk.Parks, park_id: str) -> pl.DataFrame:
    """The carriers of a park that have others in them, in the order of their paths."""
    nodes = shown.tree.of(park_id).filter((pl.col("children") > 0) | (pl.col("depth") == 0))
    areas = shown.found.nodes.select("id", "total_m2", "let_m2", "open_m2", "vacant_m2")
    return nodes.select("id", "path", "kind", "depth").join(areas, on="id").sort("path")


def _finding(one: Finding) -> FindingRow:
    plain = {name: getattr(one, name) for name in FindingRow.model_fields if name != "missing"}
    return FindingRow(**plain, missing=listed(one.missing))


@ROOM.operation("units", "招商清单", "Units to let", roles=READERS)
def units(actor: Actor, workspace: Workspace, request: UnitsRequest) -> Page[UnitRow]:
    """Units to let, the largest first, by park, status, area and rent.

    Raises
    ------
    WorkspaceError
        JQ-ASSESS-120: no carriers are loaded.
    UsageError
        JQ-ASSESS-121: there is no such park.
    """
    shown = desk.parks_now(workspace)
    rows = sought(shown, request, full=sees_all(actor))
    made_from = version(shown.snapshot.digest, request.model_dump(exclude={"cursor", "limit"}), sees_all(actor))
    return paged(Rows(rows, lambda row: UnitRow(**row)), request, version=made_from)


def sought(shown: desk.Parks, request: UnitsRequest, *, full: bool) -> pl.DataFrame:
    """The units that a request asks for, all of them, as a reader may see them."""
    nodes = shown.tree.nodes.with_columns(
        status=shown.found.nodes["state"], as_of=pl.col("as_of").fill_null(shown.snapshot.as_of)
    ).filter(pl.col("children") == 0)
    if request.park is not None:
        nodes = nodes.filter(pl.col("park_id") == shown.park(request.park)["id"])
    wanted = _TO_LET if request.status is None else (request.status,)
    nodes = nodes.filter(pl.col("status").is_in(wanted))
    # before the search: a bound must not find what the reader may not see
    offered = pl.col("status").is_in(_TO_LET)
    closed = ("tenant", "contract", "let_to")
    nodes = nodes.with_columns(
        rent_cny_m2_month=pl.when(offered | pl.lit(full)).then("rent_cny_m2_month"),
        **{name: pl.when(pl.lit(full)).then(name) for name in closed},
    )
    for given, column in (
        (request.min_m2, pl.col("area_m2") >= (request.min_m2 or 0)),
        (request.max_m2, pl.col("area_m2") <= (request.max_m2 or 0)),
        (request.max_rent, pl.col("rent_cny_m2_month") <= (request.max_rent or 0)),
    ):
        if given is not None:
            nodes = nodes.filter(column)
    nodes = nodes.sort("area_m2", "path", descending=[True, False], nulls_last=True)
    return nodes.select(list(UnitRow.model_fields))


@ROOM.operation("assess_parks", "评估载体", "Assess the parks", roles=EDITS, writes=True)
def assess_parks(actor: Actor, workspace: Workspace, request: AssessRequest, *, key: str) -> AssessAnswer:
    """Queue the assessment of the parks: tenants matched, their relatedness, what stands idle.

    Raises
    ------
    WorkspaceError
        JQ-ASSESS-120: no carriers are loaded.
    """
    del request
    desk.parks_now(workspace)

    def queue(tx: Transaction) -> JSON:
        return {"job": tx.job(desk.ASSESS, {}, account=actor.id, organisation=actor.organisation, most_attempts=3)}

    answer: Any = workspace.database.command(actor, key, desk.ASSESS, queue, request={}, subject=desk.KIND)
    return AssessAnswer(job=answer["job"])


def _assess(workspace: Workspace, job: Job, report: Report) -> JSON:
    del job
    result = desk.assess(LOCAL, workspace, progress=lambda step, done, total: report(step, done, total or 0))
    return {"kind": result.kind, "result": result.id}


HANDLERS: dict[str, Handler] = {desk.ASSESS: _assess}
