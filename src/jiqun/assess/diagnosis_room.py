"""Diagnosis as operations 诊断操作: diagnose, what was found, one unit with its evidence."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal

import polars as pl
from pydantic import ConfigDict, Field

from jiqun.accounts.mine import unpublished
from jiqun.assess.diagnosis import OPERATION, DiagnoseRequest, check, diagnose, kind_name
from jiqun.assess.findings import Finding, Severity, State, from_frame
from jiqun.assess.room import ROOM
from jiqun.atlas.reading import version
from jiqun.core.actor import LOCAL, Actor, Role
from jiqun.core.document import Text
from jiqun.core.errors import UsageError, WorkspaceError
from jiqun.core.operation import Model, Page, PageRequest, paged
from jiqun.core.progress import Progress
from jiqun.store import StoredResult, Workspace
from jiqun.store.commands import Transaction
from jiqun.store.jobs import Handler, Job, Report
from jiqun.store.tables import JSON

EDITS: tuple[Role, ...] = ("operator", "analyst")
READS: tuple[Role, ...] = ("operator", "analyst", "auditor")
"""Findings name firms and weaknesses: not for everybody."""
ORDER = {"high": 0, "medium": 1, "low": 2, None: 3}
STATES = {"found": 0, "unknown": 1, "not_found": 2}
NOT_SHOWN = Text("(不公开)", "(not shown)")


class DiagnosisRequest(PageRequest):
    """Findings, the gravest first."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    digital: Annotated[str | None, Field(alias="class", pattern=r"^\d{2,6}$", description="class of the clusters")] = (
        None
    )
    run: Annotated[str | None, Field(pattern=r"^[0-9a-f]{4,64}$", description="start of the diagnosis's id")] = None
    state: Annotated[State | None, Field(description="only these")] = None
    kind: Annotated[Literal["all", "cluster", "region", "carrier"] | None, Field(description="of what")] = None
    code: Annotated[
        str | None, Field(pattern=r"^[a-z_]{1,40}(\.[a-z_]{1,40})?$", description="ailment or its group")
    ] = None


class FindingRow(Model):
    """One finding about a unit 一条结论; `missing` says what is needed where it is unknown."""

    unit: str
    kind: str
    name: Text
    code: str
    title: Text
    state: State
    severity: Severity | None
    statistic: float | None
    low: float | None
    high: float | None
    measure: Text
    sentence: Text
    varies: Text
    action: Text
    missing: tuple[Text, ...]


class FindingsRequest(Model):
    """One unit: a cluster (c0001), a region (region:CN.30), or all."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    unit: Annotated[str, Field(min_length=1, max_length=80)]
    digital: Annotated[str | None, Field(alias="class", pattern=r"^\d{2,6}$")] = None
    run: Annotated[str | None, Field(pattern=r"^[0-9a-f]{4,64}$")] = None


class EvidencedRow(FindingRow):
    """A finding with the rows that it stands on; `evidence_rows` counts all of them, `evidence` has the first."""

    evidence: tuple[dict[str, Any], ...]
    evidence_rows: int


class FindingsAnswer(Model):
    """What was found of one unit."""

    id: str
    as_of: str
    created: datetime
    unit: str
    name: Text
    findings: tuple[EvidencedRow, ...]


class DiagnoseAnswer(Model):
    """The job that diagnoses."""

    job: str


def current(workspace: Workspace, digital: str | None = None, run: str | None = None) -> StoredResult:
    """The last diagnosis, or that whose id starts with `run`.

    Raises
    ------
    WorkspaceError
        JQ-ASSESS-089: there is none yet.
    UsageError
        JQ-STORE-011, 012: no such result, or several.
    """
    result = workspace.result(kind_name(digital), run)
    if result is None:
        raise WorkspaceError("JQ-ASSESS-089")
    return result


def findings_of(workspace: Workspace, result: StoredResult, unit: str | None = None) -> tuple[Finding, ...]:
    """The findings of a diagnosis, of all units or one, the gravest first; firms that are not shown by name are hidden.

    Raises
    ------
    UsageError
        JQ-ASSESS-090: the diagnosis has no such unit.
    """
    stored = result.table("findings")
    if unit is not None:
        units = result.table("units")["unit"]
        if unit not in units:
            raise UsageError("JQ-ASSESS-090", value=unit, known=", ".join(units.head(5)))
        stored = stored.filter(pl.col("unit") == unit)
    hidden = unpublished(workspace)
    grave = stored.with_columns(
        _state=pl.col("state").replace_strict(STATES, return_dtype=pl.Int64),
        _grave=pl.col("severity").replace_strict(
            {k: v for k, v in ORDER.items() if k}, default=3, return_dtype=pl.Int64
        ),
    ).sort("_state", "_grave", maintain_order=True)
    found = from_frame(grave.drop("_state", "_grave"))
    return tuple(_without(one, hidden) for one in found)


def _without(finding: Finding, hidden: frozenset[str]) -> Finding:
    """A finding whose evidence does not name firms that are not shown."""
    evidence = finding.evidence
    for key in ("supplier", "customer"):
        if {key, f"{key}_id"} <= set(evidence.columns) and hidden:
            apart = pl.col(f"{key}_id").is_in(list(hidden)).fill_null(value=False)
            evidence = evidence.with_columns(
                pl.when(apart).then(pl.lit(f"{NOT_SHOWN.zh} {NOT_SHOWN.en}")).otherwise(pl.col(key)).alias(key)
            )
    return Finding(**{**vars(finding), "evidence": evidence})


def _names(result: StoredResult) -> dict[str, tuple[str, Text]]:
    columns = ("unit", "kind", "name_zh", "name_en")
    return {unit: (kind, Text(zh, en)) for unit, kind, zh, en in result.table("units").select(columns).iter_rows()}


def _row(finding: Finding, names: Mapping[str, tuple[str, Text]]) -> dict[str, Any]:
    kind, name = names[finding.unit]
    told = {field: getattr(finding, field) for field in FindingRow.model_fields if field not in {"kind", "name"}}
    return {**told, "kind": kind, "name": name}


@ROOM.operation("diagnosis", "诊断结论", "Findings of the diagnosis", roles=READS)
def diagnosis(_actor: Actor, workspace: Workspace, request: DiagnosisRequest) -> Page[FindingRow]:
    """What was found, not found or is unknown, of every cluster and region, the gravest first."""
    result = current(workspace, request.digital, request.run)
    names = _names(result)
    kept = [
        one
        for one in findings_of(workspace, result)
        if (request.state is None or one.state == request.state)
        and (request.kind is None or names[one.unit][0] == request.kind)
        and (request.code is None or request.code in {one.code, one.group})
    ]
    rows = [FindingRow(**_row(one, names)) for one in kept]
    asked = request.model_dump(exclude={"cursor", "limit"})
    return paged(rows, request, version=version(result.id, sorted(unpublished(workspace)), asked))


@ROOM.operation("findings", "一个单元的诊断", "Findings of one unit", roles=READS)
def findings(_actor: Actor, workspace: Workspace, request: FindingsRequest) -> FindingsAnswer:
    """What was found of one cluster or region, with the rows that each finding stands on, and what to do."""
    result = current(workspace, request.digital, request.run)
    names = _names(result)
    counts = {
        (unit, code): n
        for unit, code, n in result.table("findings").select("unit", "code", "evidence_rows").iter_rows()
    }
    rows = tuple(
        EvidencedRow(
            **_row(one, names), evidence=tuple(one.evidence.to_dicts()), evidence_rows=counts[one.unit, one.code]
        )
        for one in findings_of(workspace, result, request.unit)
    )
    as_of = str(result.values["as_of"])
    return FindingsAnswer(
        id=result.id, as_of=as_of, created=result.created, unit=request.unit, name=names[request.unit][1], findings=rows
    )


@ROOM.operation("diagnose", "诊断集群与地区", "Diagnose clusters and regions", roles=EDITS, writes=True)
def queue_diagnosis(actor: Actor, workspace: Workspace, request: DiagnoseRequest, *, key: str) -> DiagnoseAnswer:
    """Queue a diagnosis of the clusters and regions of what is loaded now.

    Raises
    ------
    WorkspaceError
        JQ-STORE-006: no organisations were loaded. JQ-ATLAS-013: the class was not searched.
    """
    check(workspace, request)

    def queue(tx: Transaction) -> JSON:
        payload: dict[str, JSON] = {"request": request.model_dump(mode="json")}
        return {"job": tx.job(OPERATION, payload, account=actor.id, organisation=actor.organisation, most_attempts=3)}

    answer: Any = workspace.database.command(
        actor, key, OPERATION, queue, request=request.model_dump(mode="json"), subject=kind_name(request.digital)
    )
    return DiagnoseAnswer(job=answer["job"])


def _diagnose(workspace: Workspace, job: Job, report: Report) -> JSON:
    payload: Any = job.payload
    told: Progress = lambda step, done, total: report(step, done, total or 0)  # noqa: E731  # as reports want it
    result = diagnose(LOCAL, workspace, DiagnoseRequest.model_validate(payload["request"]), progress=told)
    return {"kind": result.kind, "result": result.id}


HANDLERS: Mapping[str, Handler] = {OPERATION: _diagnose}
