"""Stage and readiness over a workspace 阶段与准备度服务: questions of what is loaded, answers stored with lineage."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any, Literal

import polars as pl
from pydantic import Field

from jiqun.assess.checks import checklist, latest
from jiqun.assess.diagnosis_parts import GROUP_DIGITS
from jiqun.assess.diagnosis_room import EDITS, READS
from jiqun.assess.readiness import Assumptions, Readiness, facility_values, readiness
from jiqun.assess.room import ROOM
from jiqun.assess.stage import Stage, stage
from jiqun.atlas.classes import classified, reader
from jiqun.atlas.reading import Which, find_run, searched
from jiqun.atlas.regions import named, with_regions
from jiqun.core.actor import LOCAL, Actor
from jiqun.core.document import Text
from jiqun.core.errors import UsageError, WorkspaceError
from jiqun.core.lineage import Lineage, Source
from jiqun.core.operation import Model
from jiqun.intake.counted import counted
from jiqun.intake.gazetteer import Gazetteer, fingerprint
from jiqun.store import StoredResult, Workspace
from jiqun.store.commands import Transaction
from jiqun.store.jobs import Handler, Job, Report
from jiqun.store.tables import JSON
from jiqun.taxonomy import EDITION
from jiqun.taxonomy import name as class_name

STAGE, READINESS = "stage", "readiness"
METHODS = {STAGE: ("assess.stage", "1"), READINESS: ("assess.readiness", "2")}
JOB = "assess.assess_readiness"
MOST_UNITS = 200
"""Units on the page of stages."""
Bounds = dict[str, Annotated[float, Field(allow_inf_nan=False)]]
Range = tuple[Annotated[float, Field(allow_inf_nan=False)], Annotated[float, Field(allow_inf_nan=False)]]


class StageRequest(Model):
    """The stage of one unit, or of every unit that has rows."""

    unit: Annotated[str | None, Field(min_length=1, max_length=200, description="as the table indicators names it")] = (
        None
    )
    year: Annotated[int | None, Field(ge=1900, le=2100, description="last year of indicators that counts")] = None


class CheckRow(Model):
    """One check with its answer and the row it stands on."""

    check: str
    group: str
    title: Text
    indicator: str
    year: int | None
    value: float | None
    sense: Literal[">=", "<="]
    bound: float
    answer: Literal["met", "unmet", "unknown"]
    evidence: str | None
    action: Text


class GroupRow(Model):
    """A stage: how many of its checks are met, and whether it is reached."""

    stage: str
    title: Text
    met: int
    unmet: int
    unknown: int
    share_low: float
    share_high: float
    state: Literal["reached", "not reached", "unknown"]


class StageAnswer(Model):
    """Evidence for the stage of one unit 阶段证据; `reached` for certain, `possible` at the most."""

    unit: str
    sentence: Text
    reached: str | None
    possible: str | None
    stages: tuple[GroupRow, ...]
    checks: tuple[CheckRow, ...]


class StagesAnswer(Model):
    """The units with rows for the checks; `as_of` is null where no indicators are loaded."""

    as_of: str | None
    units: tuple[StageAnswer, ...]
    total: int


class ReadinessRequest(Model):
    """A region and an industry, and what the user assumes; growth and decline have no defaults."""

    region: Annotated[
        str, Field(pattern=r"^[A-Z]{2}(\.[A-Z0-9]{1,10})?$", description="country or province, such as CN.30")
    ]
    industry: Annotated[str, Field(pattern=r"^\d{4}$", description="group of the 2021 digital classification")]
    growth: Annotated[
        Range | None, Field(description="of the new industry's jobs a year, from and to: 0.1 is 10 %")
    ] = None
    decline: Annotated[Range | None, Field(description="of the old industries' jobs a year, from and to")] = None
    years: Annotated[int, Field(ge=1, le=50)] = 10
    old: Annotated[
        tuple[Annotated[str, Field(pattern=r"^\d{2,6}$")], ...],
        Field(max_length=50, description="classes that would give way"),
    ] = ()
    unit: Annotated[str | None, Field(max_length=200, description="name of the region in the table indicators")] = None
    year: Annotated[int | None, Field(ge=1900, le=2100)] = None
    bounds: Annotated[
        Bounds, Field(max_length=40, default_factory=dict, description="your bounds, by the code of the check")
    ]
    tax_per_job_cny: Annotated[float | None, Field(ge=0, allow_inf_nan=False)] = None
    old_tax_cny: Annotated[float | None, Field(ge=0, allow_inf_nan=False)] = None
    new_jobs: Annotated[float | None, Field(ge=0, allow_inf_nan=False)] = None

    @property
    def assumed(self) -> Assumptions:
        """The assumptions by themselves."""
        return Assumptions(self.growth, self.decline, self.years, self.tax_per_job_cny, self.old_tax_cny, self.new_jobs)


class ReadinessJob(Model):
    """The job that assesses."""

    job: str


class LastRequest(Model):
    """The last assessment of readiness, or that whose id starts so."""

    run: Annotated[str | None, Field(pattern=r"^[0-9a-f]{4,64}$")] = None


class ReadinessAnswer(Model):
    """What was found 准备度; `values` as `assess_readiness` stores them, `scenarios` a row a year and case."""

    id: str
    created: datetime
    as_of: str
    values: dict[str, Any]
    checks: tuple[CheckRow, ...]
    gates: tuple[dict[str, Any], ...]
    scenarios: tuple[dict[str, Any], ...]


def indicators_of(workspace: Workspace) -> tuple[pl.DataFrame, Source] | None:
    """The loaded rows that the checklists ask for; None where no indicators are loaded."""
    loaded = next((one for one in workspace.tables() if one.table == "indicators"), None)
    if loaded is None:
        return None
    wanted = [check.indicator for name in ("stage", "readiness") for check in checklist(name).checks]
    rows = workspace.scan("indicators", loaded.id).filter(pl.col("indicator").is_in(wanted))
    return rows.collect(), loaded.input


def stages_of(workspace: Workspace, request: StageRequest) -> tuple[list[Stage], int, Source | None]:
    """The stages of the units that have rows, how many such units there are, and the input.

    Raises
    ------
    UsageError
        JQ-ASSESS-091: the table has no rows of the unit.
    MeasureInputError
        As `jiqun.assess.checks.latest`.
    """
    read = indicators_of(workspace)
    if read is None:
        if request.unit is not None:
            raise UsageError("JQ-ASSESS-091", value=request.unit, known="—")
        return [], 0, None
    rows, source = read
    wanted = [check.indicator for check in checklist("stage").checks]
    rows = rows.filter(pl.col("indicator").is_in(wanted), pl.col("value").is_not_null())
    units = rows["unit"].unique().sort().to_list()
    if request.unit is not None and request.unit not in units:
        raise UsageError("JQ-ASSESS-091", value=request.unit, known=", ".join(units[:5]) or "—")
    chosen = [request.unit] if request.unit is not None else units[:MOST_UNITS]
    parts = rows.filter(pl.col("unit").is_in(chosen)).partition_by("unit", as_dict=True)
    return [stage(unit, parts[unit,], year=request.year) for unit in chosen], len(units), source


def assess_stage(actor: Actor, workspace: Workspace, request: StageRequest) -> StoredResult:
    """The stages of the units that have rows, stored 阶段评估: tables `stages` and `checks`.

    Raises
    ------
    PermissionDeniedError
        JQ-USE-002: the actor is neither operator nor analyst.
    WorkspaceError
        JQ-STORE-006: no indicators are loaded.
    UsageError, MeasureInputError
        As `stages_of`.
    """
    actor.require("assess.stage_run", *EDITS)
    workspace.snapshot("indicators")
    found, total, source = stages_of(workspace, request)
    if not found:
        raise UsageError("JQ-ASSESS-091", value="stage", known="—")
    assert source is not None  # noqa: S101  # a snapshot is there
    tables = {
        "stages": pl.concat([one.stages.select(pl.lit(one.unit).alias("unit"), pl.all()) for one in found]),
        "checks": pl.concat([one.checks.select(pl.lit(one.unit).alias("unit"), pl.all()) for one in found]),
    }
    values: dict[str, Any] = {
        "units": len(found),
        "units_loaded": total,
        "reached": {one.unit: one.reached for one in found},
    }
    return workspace.put_result(STAGE, Lineage(*METHODS[STAGE], request.model_dump(), (source,)), tables, values)


def assess_readiness(actor: Actor, workspace: Workspace, request: ReadinessRequest) -> StoredResult:
    """Whether a region is ready for an industry, of what is loaded now, stored 准备度评估.

    Raises
    ------
    PermissionDeniedError
        JQ-USE-002: the actor is neither operator nor analyst.
    WorkspaceError
        JQ-STORE-006: no organisations are loaded.
    UsageError
        JQ-ASSESS-097: the register has no such region. JQ-USE-001: bounds of a check that is none.
    MeasureInputError, InputError
        As `readiness`; JQ-TAXONOMY-004: not a code of the digital classification.
    """
    actor.require(JOB, *EDITS)
    check(workspace, request)
    register = workspace.snapshot("organisations")
    by = reader(workspace, "auto")
    sources = [register.input, Source("gazetteer", fingerprint())]
    gazetteer = Gazetteer.load(workspace.cache)
    placed, level = with_regions(classified(counted(workspace, register.id).collect(), by), gazetteer)
    known_region(placed, request.region)
    employees = pl.col("employees") if "employees" in placed.columns else pl.lit(None, pl.Int64).alias("employees")
    firms = placed.select("region", pl.col("digital_code").str.head(GROUP_DIGITS).alias("industry"), employees)
    firms = firms.drop_nulls(["region", "industry"])
    values, more = _values(workspace, request, gazetteer, level)
    rules = checklist("readiness").with_bounds(request.bounds)
    found = readiness(
        request.region,
        request.industry,
        values=values,
        firms=firms,
        old=request.old,
        assumed=request.assumed,
        rules=rules,
    )
    parameters = {**request.model_dump(mode="json"), "taxonomy": EDITION, "text_method": by.digest}
    lineage = Lineage(*METHODS[READINESS], parameters, (*sources, *more))
    tables = {"checks": found.checks, "gates": found.gates, "scenarios": found.scenarios}
    called = named(pl.DataFrame({"region": [request.region]}), gazetteer, level).row(0, named=True)
    return workspace.put_result(
        READINESS,
        lineage,
        tables,
        _told(found) | {f"name_{tongue}": called[f"name_{tongue}"] for tongue in ("zh", "en")},
    )


def _values(
    workspace: Workspace, request: ReadinessRequest, gazetteer: Gazetteer, level: str
) -> tuple[pl.DataFrame, list[Source]]:
    """Indicators of the region by its code or names, and what the facilities say; what the user loaded comes first."""
    told = named(pl.DataFrame({"region": [request.region]}), gazetteer, level).row(0, named=True)
    names = tuple(filter(None, (request.region, request.unit, told["name_zh"], told["name_en"])))
    read = indicators_of(workspace)
    empty = pl.DataFrame(schema={"indicator": pl.String, "year": pl.Int64, "value": pl.Float64, "evidence": pl.String})
    values = latest(read[0], names, year=request.year) if read else empty
    sources = [read[1]] if read else []
    loaded = next((one for one in workspace.tables() if one.table == "facilities"), None)
    if loaded is not None:
        there = workspace.scan("facilities", loaded.id).collect()
        if {"lon", "lat"} <= set(there.columns):
            at, found_level = with_regions(there, gazetteer)
            if "region" in at.columns and (found_level == level or at["region"].eq(request.region).any()):
                counts = facility_values(at, request.region)
                values = pl.concat([values, counts.filter(~pl.col("indicator").is_in(values["indicator"].implode()))])
                sources.append(loaded.input)
    return values, sources


def check(workspace: Workspace, request: ReadinessRequest) -> None:
    """Refuse, before any work, what cannot be assessed; as `assess_readiness`."""
    workspace.snapshot("organisations")
    class_name(request.industry)
    request.assumed.checked()
    checklist("readiness").with_bounds(request.bounds)


def _searched_regions(workspace: Workspace) -> frozenset[str]:
    """Regions that the last search of the loaded register found firms in, so that not every firm is placed anew; else none."""
    if None not in searched(workspace):
        return frozenset()
    run = find_run(workspace, Which())
    if run.result.lineage.inputs[0].digest != workspace.snapshot("organisations").digest:
        return frozenset()
    return frozenset(run.regions["region"].drop_nulls())


def known_region(placed: pl.DataFrame, region: str) -> None:
    """Refuse a region that no placed firm is in.

    Raises
    ------
    UsageError
        JQ-ASSESS-097: names some that there are.
    """
    there = placed["region"].drop_nulls().unique().sort().to_list() if "region" in placed.columns else []
    if region not in there:
        raise UsageError("JQ-ASSESS-097", value=region, known=", ".join(there[:8]) or "—")


def _told(found: Readiness) -> dict[str, Any]:
    sentence, outlook = found.sentence, asdict(found.outlook)
    return {
        "region": found.region, "industry": found.industry, "gate": found.gate, "new_now": found.new_now,
        "old_now": found.old_now, "covered_year": found.covered_year, "gap": found.gap, "outlook": outlook,
        "sentence_zh": sentence.zh, "sentence_en": sentence.en,
    }  # fmt: skip


def check_rows(list_name: str, checks: pl.DataFrame) -> tuple[CheckRow, ...]:
    """Answered checks in words."""
    known = {one.code: one for one in checklist(list_name).checks}
    return tuple(
        CheckRow(**row, title=known[row["check"]].title, action=known[row["check"]].action) for row in checks.to_dicts()
    )


def _answer(found: Stage) -> StageAnswer:
    names = found.rules.groups
    return StageAnswer(
        unit=found.unit,
        sentence=found.sentence,
        reached=found.reached,
        possible=found.possible,
        stages=tuple(GroupRow(**row, title=names[row["stage"]]) for row in found.stages.to_dicts()),
        checks=check_rows("stage", found.checks),
    )


@ROOM.operation("stage", "演进阶段", "Stage of evolution", roles=READS)
def stage_operation(_actor: Actor, workspace: Workspace, request: StageRequest) -> StagesAnswer:
    """Evidence for each stage of a unit, or of every unit that has rows: what is met, unmet, unknown, with the rows."""
    found, total, source = stages_of(workspace, request)
    return StagesAnswer(as_of=source.as_of if source else None, units=tuple(_answer(one) for one in found), total=total)


@ROOM.operation("readiness", "准备度", "Readiness for a new industry", roles=READS)
def readiness_operation(_actor: Actor, workspace: Workspace, request: LastRequest) -> ReadinessAnswer:
    """The last assessment of whether a region is ready for an industry: gates, outlook, jobs and tax under the assumptions.

    Raises
    ------
    WorkspaceError
        JQ-ASSESS-098: there is none yet.
    """
    result = workspace.result(READINESS, request.run)
    if result is None:
        raise WorkspaceError("JQ-ASSESS-098")
    return ReadinessAnswer(
        id=result.id,
        created=result.created,
        as_of=result.lineage.inputs[0].as_of,
        values=dict(result.values),
        checks=check_rows("readiness", result.table("checks")),
        gates=tuple(result.table("gates").to_dicts()),
        scenarios=tuple(result.table("scenarios").to_dicts()),
    )


@ROOM.operation("assess_readiness", "评估准备度", "Assess readiness for a new industry", roles=EDITS, writes=True)
def queue_readiness(actor: Actor, workspace: Workspace, request: ReadinessRequest, *, key: str) -> ReadinessJob:
    """Queue an assessment of whether a region is ready for an industry.

    Raises
    ------
    WorkspaceError, UsageError, MeasureInputError, InputError
        As `assess_readiness`, before anything is queued.
    """
    check(workspace, request)
    if request.region not in _searched_regions(workspace):
        points = counted(workspace).select(pl.col("^(lon|lat)$")).collect()
        if {"lon", "lat"} <= set(points.columns):
            points = with_regions(points, Gazetteer.load(workspace.cache))[0]
        known_region(points, request.region)

    def queue(tx: Transaction) -> JSON:
        payload: dict[str, JSON] = {"request": request.model_dump(mode="json")}
        return {"job": tx.job(JOB, payload, account=actor.id, organisation=actor.organisation, most_attempts=3)}

    answer: Any = workspace.database.command(
        actor, key, JOB, queue, request=request.model_dump(mode="json"), subject=READINESS
    )
    return ReadinessJob(job=answer["job"])


def _assess(workspace: Workspace, job: Job, report: Report) -> JSON:
    payload: Any = job.payload
    report("classes", 0, None)
    result = assess_readiness(LOCAL, workspace, ReadinessRequest.model_validate(payload["request"]))
    return {"kind": result.kind, "result": result.id}


HANDLERS: Mapping[str, Handler] = {JOB: _assess}
