"""Assess's operations 评估室操作: frameworks, indices with their intervals and traces, frontiers, and what computes them.

Indices are open to all once they are published; frontiers and what is not published to who may see everything.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeVar

import polars as pl
from pydantic import Field

from jiqun.assess import desk, own_frameworks
from jiqun.assess.coverage_rows import CoverageRow, FillingRow, coverage_rows, filling
from jiqun.assess.framework import Code, Framework
from jiqun.assess.index_now import outdated, report_of
from jiqun.assess.index_report import IndexReport, open_evidence
from jiqun.assess.own_frameworks import EDITS, KeptFramework, find_framework, kept
from jiqun.assess.room import ROOM
from jiqun.assess.stored import frame_of, remarks_of
from jiqun.atlas.operations import ClusterId
from jiqun.atlas.reading import READERS, SEES_ALL, sees_all
from jiqun.core.actor import Actor
from jiqun.core.document import Text
from jiqun.core.errors import WorkspaceError
from jiqun.core.operation import Model
from jiqun.store import StoredResult, Workspace
from jiqun.survey.records import READS as SURVEY_READS

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,39}$", description="letters, digits, hyphens")]
Column = Annotated[str, Field(min_length=1, max_length=60)]
Unit = Annotated[str, Field(min_length=1, max_length=200)]
Choice = TypeVar("Choice")


class Nothing(Model):
    """Asks for nothing in particular."""


class One(Model):
    """One framework."""

    framework: Code


class FrameworkRow(Model):
    """A framework 指标体系. `rated`: an index is there for the reader; `proposal`: its choice of indicators is the program's."""

    code: str
    zh: str
    en: str
    version: str
    proposal: bool
    origin: Literal["shipped", "file"]
    indicators: int
    atlas: int
    table: int
    survey: int
    rated: bool
    published: bool
    as_of: str | None


class Wrong(Model):
    """A file of the workspace that is no framework, and why."""

    file: str
    problem: str


class FrameworksAnswer(Model):
    """The frameworks of a workspace; `wrong` only for who may save one."""

    rows: tuple[FrameworkRow, ...]
    wrong: tuple[Wrong, ...]


class FrameworkAnswer(Model):
    """A framework in full; `coverage` null where nothing was computed with it yet.

    `rounds`: the survey rounds that ask for its indicators; null for who may not see rounds.
    """

    row: FrameworkRow
    framework: Framework
    coverage: tuple[CoverageRow, ...] | None
    rounds: tuple[FillingRow, ...] | None


class UnitRow(Model):
    """A rated unit 被评单元. `low`, `high`, `p_top`: of its rank, null where they were not computed; `parts`: dimensions."""

    unit: str
    zh: str
    en: str
    rank: int | None
    score: float | None
    observed: float
    low: int | None
    high: int | None
    p_top: float | None
    parts: dict[str, float | None]


class IndexAnswer(Model):
    """An index 指数 with the intervals of its ranks. `weight_covered`: share of the framework's weight that has data.

    `coverage`: what there is for each indicator, with the reasons of now. `outdated`: what it rests on that has changed since;
    null for who sees only what is published.
    """

    id: str
    framework: str
    version: str
    framework_digest: str
    year: int
    as_of: str
    published: bool
    indicators: int
    rated: int
    weight_covered: float
    interval: float | None
    remarks: tuple[str, ...]
    coverage: tuple[CoverageRow, ...]
    outdated: tuple[Text, ...] | None
    units: tuple[UnitRow, ...]


class StandingRequest(Model):
    """A cluster of the current run."""

    cluster_id: ClusterId


class StandingRow(Model):
    """How a cluster stands under a framework 集群名次. `low`, `high`: of its rank, null where they were not computed."""

    framework: str
    zh: str
    en: str
    rank: int | None
    units: int
    low: int | None
    high: int | None
    weight_covered: float
    as_of: str
    run: str


class StandingAnswer(Model):
    """How a cluster stands under every framework that the reader may see."""

    rows: tuple[StandingRow, ...]


class TraceRequest(One):
    """The trace of one unit's score."""

    unit: Unit


class TraceRow(Model):
    """What each step did to one value, and what it adds to the score."""

    indicator: str
    raw: float | None
    denominated: float | None
    imputed: float | None
    imputed_by: str | None
    treated: float | None
    normalised: float | None
    weight: float
    contribution: float | None
    against_median: float | None
    origin: str | None
    measure: str | None
    evidence: str | None
    answered: int | None
    asked: int | None
    standard_error: float | None
    rounds: str | None


class TraceAnswer(Model):
    """How a score came about 得分溯源."""

    unit: str
    zh: str
    en: str
    rank: int | None
    score: float | None
    rows: tuple[TraceRow, ...]


class FactorRow(Model):
    """How much a choice moves ranks: first-order and total share of the variance of their mean shift."""

    factor: str
    alternatives: str
    first: float | None
    total: float | None
    total_low: float | None
    total_high: float | None


class SureRow(Model):
    """The interval of a rank."""

    unit: str
    rank: int
    median: int
    low: int
    high: int
    best: int
    worst: int
    p_top: float


class SureAnswer(Model):
    """How sure the ranks of an index are 名次区间."""

    id: str
    index: str
    runs: int
    level: float
    top: int
    ranks: tuple[SureRow, ...]
    factors: tuple[FactorRow, ...]


class FrontierRow(Model):
    """A stored frontier."""

    name: str
    year: int
    units: int
    efficient: int
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


class FrontiersAnswer(Model):
    """The frontiers of a workspace, and the columns that one can be made of."""

    rows: tuple[FrontierRow, ...]
    columns: tuple[str, ...]


class FrontierRequest(Model):
    """One frontier."""

    name: Name


class EfficiencyRow(Model):
    """A unit against the frontier; `peers`: whom its target is made of, with their weights."""

    unit: str
    score: float
    efficient: bool
    peers: dict[str, float]
    targets: dict[str, float]


class FrontierAnswer(Model):
    """Scores, targets and peers 效率前沿."""

    row: FrontierRow
    model: str
    returns: str
    orientation: str
    units: tuple[EfficiencyRow, ...]
    remarks: tuple[str, ...]


@ROOM.operation("frameworks", "指标体系", "List indicator frameworks", roles=READERS)
def frameworks(actor: Actor, workspace: Workspace, request: Nothing) -> FrameworksAnswer:
    """The frameworks of the workspace and those that come with the program, with what was computed of each."""
    del request
    wrong: dict[str, Any] = {}
    if not actor.roles.isdisjoint(EDITS):
        wrong = own_frameworks.own_files(workspace)[1]
    return FrameworksAnswer(
        rows=tuple(framework_row(actor, workspace, one) for one in kept(workspace).values()),
        wrong=tuple(Wrong(file=name, problem=str(error)) for name, error in wrong.items()),
    )


@ROOM.operation("framework", "查看指标体系", "Show an indicator framework", roles=READERS)
def framework(actor: Actor, workspace: Workspace, request: One) -> FrameworkAnswer:
    """A framework in full, and for each indicator what there is.

    Raises
    ------
    UsageError
        JQ-ASSESS-061: there is none.
    """
    one = find_framework(workspace, request.framework)
    there = coverage(actor, workspace, request.framework)
    rows = None if there is None else coverage_rows(coverage_frame(actor, workspace, there))
    return FrameworkAnswer(
        row=framework_row(actor, workspace, one),
        framework=one.framework,
        coverage=rows,
        rounds=None if actor.roles.isdisjoint(SURVEY_READS) else filling(workspace, one.framework),
    )


def coverage_frame(actor: Actor, workspace: Workspace, stored: StoredResult) -> pl.DataFrame:
    """The coverage of a coverage or of an index, the latter with the reasons of now."""
    if stored.kind.startswith(f"{desk.COVERAGE}-"):
        return frame_of(stored, "coverage")
    return report_of(actor, workspace, stored).coverage


def coverage(actor: Actor, workspace: Workspace, code: str) -> StoredResult | None:
    """What is known of the data for a framework, as far as the actor may see; None: nothing."""
    if not actor.roles.isdisjoint(SEES_ALL):
        return workspace.result(desk.kind_of(desk.COVERAGE, code))
    try:
        return desk.find_index(actor, workspace, code)
    except WorkspaceError:
        return None


@ROOM.operation("index", "指数", "Show an index", roles=READERS)
def index(actor: Actor, workspace: Workspace, request: One) -> IndexAnswer:
    """Ranks and scores of all units, with the interval of each rank where it was computed.

    Raises
    ------
    WorkspaceError
        JQ-ASSESS-069: there is none that the reader may see.
    """
    shown = report(actor, workspace, request.framework)
    found, sure = shown.found, shown.uncertainty
    parts = found.framework.children(found.framework.root)
    dimensions = [code for code in parts if code in found.scores.columns]
    frame = found.scores
    if sure is not None:
        frame = frame.join(
            sure.ranks.select("unit", "low", "high", "p_top"), on="unit", how="left", maintain_order="left"
        )
    else:
        frame = frame.with_columns(
            low=pl.lit(None, pl.Int64), high=pl.lit(None, pl.Int64), p_top=pl.lit(None, pl.Float64)
        )
    units = tuple(
        UnitRow(
            unit=row["unit"],
            zh=shown.names[row["unit"]].zh,
            en=shown.names[row["unit"]].en,
            score=row[found.framework.root],
            parts={code: row[code] for code in dimensions},
            **{name: row[name] for name in ("rank", "observed", "low", "high", "p_top")},
        )
        for row in frame.to_dicts()
    )
    parameters: Any = shown.stored.lineage.parameters
    return IndexAnswer(
        id=shown.stored.id,
        framework=request.framework,
        version=parameters["framework_version"],
        framework_digest=parameters["framework_digest"],
        year=int(shown.year),
        as_of=shown.as_of,
        published=desk.published(workspace, request.framework) == shown.stored.id,
        indicators=len(shown.whole.codes),
        rated=len(shown.framework.codes),
        weight_covered=shown.covered,
        interval=float(str(shown.sure.values["level"])) if shown.sure else None,
        remarks=tuple(str(one) for one in shown.remarks),
        coverage=coverage_rows(shown.coverage),
        outdated=outdated(workspace, shown.stored) if sees_all(actor) else None,
        units=units,
    )


def report(actor: Actor, workspace: Workspace, code: str) -> IndexReport:
    """The stored index that an actor may see, with its intervals.

    Raises
    ------
    WorkspaceError
        JQ-ASSESS-069: there is none.
    """
    return report_of(actor, workspace, desk.find_index(actor, workspace, code))


@ROOM.operation("standing", "集群名次", "Show how a cluster stands", roles=READERS)
def standing(actor: Actor, workspace: Workspace, request: StandingRequest) -> StandingAnswer:
    """The rank of a cluster in every index of clusters, with its interval where it was computed; none: not rated."""
    rows = []
    for code, stored in desk.indices(actor, workspace).items():
        if stored.values["basis"] != "clusters":
            continue
        shown = report_of(actor, workspace, stored)
        found = shown.found.scores.filter(pl.col("unit") == request.cluster_id)
        if found.is_empty():
            continue
        interval: dict[str, int | None] = {"low": None, "high": None}
        if shown.uncertainty is not None:
            interval = shown.uncertainty.ranks.filter(pl.col("unit") == request.cluster_id).row(0, named=True)
        rows.append(
            StandingRow(
                framework=code,
                zh=shown.title.zh,
                en=shown.title.en,
                rank=found["rank"][0],
                units=len(shown.found.units),
                low=interval["low"],
                high=interval["high"],
                weight_covered=shown.covered,
                as_of=shown.as_of,
                run=str(stored.values["run"]),
            )
        )
    return StandingAnswer(rows=tuple(rows))


def sees_evidence(actor: Actor) -> bool:
    """Whether someone may read the notes on where values are from 出处; publishing an index opens its values alone."""
    return not actor.roles.isdisjoint(SEES_ALL)


@ROOM.operation("trace", "得分溯源", "Trace a score", roles=READERS)
def trace(actor: Actor, workspace: Workspace, request: TraceRequest) -> TraceAnswer:
    """Each value of a unit with its source, what each step made of it, and what it adds to the score.

    `evidence` that whoever filled in the table wrote is null for those who see a published index only.

    Raises
    ------
    WorkspaceError
        JQ-ASSESS-069: there is no index.
    UsageError
        JQ-ASSESS-034: no such unit.
    """
    shown = report(actor, workspace, request.framework)
    rows = shown.found.trace(request.unit)
    now = frame_of(shown.stored, "cells").filter((pl.col("unit") == request.unit) & (pl.col("year") == int(shown.year)))
    cells = now.select("origin", "measure", "evidence", indicator="code")
    if not sees_evidence(actor):
        cells = cells.with_columns(evidence=open_evidence())
    rows = rows.join(cells, on="indicator", how="left", maintain_order="left")
    answers = shown.response(request.unit).filter(pl.col("state") == "shown")
    answers = answers.select("answered", "asked", "rounds", indicator="code", standard_error="se")
    rows = rows.join(answers, on="indicator", how="left", maintain_order="left")
    unit = shown.found.scores.filter(pl.col("unit") == request.unit).row(0, named=True)
    name = shown.names[request.unit]
    return TraceAnswer(
        unit=request.unit,
        zh=name.zh,
        en=name.en,
        rank=unit["rank"],
        score=unit[shown.framework.root],
        rows=tuple(TraceRow(**{name: row[name] for name in TraceRow.model_fields}) for row in rows.to_dicts()),
    )


@ROOM.operation("uncertainty", "名次区间", "Show how sure ranks are", roles=READERS)
def uncertainty(actor: Actor, workspace: Workspace, request: One) -> SureAnswer:
    """The interval of every rank, and which choice moves ranks.

    Raises
    ------
    WorkspaceError
        JQ-ASSESS-069: there is no index; JQ-ASSESS-070: its intervals were not computed.
    """
    shown = report(actor, workspace, request.framework)
    if shown.sure is None or shown.uncertainty is None:
        raise WorkspaceError("JQ-ASSESS-070", value=request.framework)
    sure, values = shown.uncertainty, shown.sure.values
    whole: Any = values
    moving = sure.sensitivity.filter(pl.col("output") == "mean rank shift")
    names = ("first", "total", "total_low", "total_high")
    told = sure.factors.join(moving.select("factor", *names), on="factor", how="left", maintain_order="left")
    return SureAnswer(
        id=shown.sure.id,
        index=whole["index"],
        runs=whole["runs"],
        level=whole["level"],
        top=whole["top"],
        ranks=tuple(SureRow(**row) for row in sure.ranks.to_dicts()),
        factors=tuple(FactorRow(**row) for row in told.to_dicts()),
    )


@ROOM.operation("frontiers", "效率前沿清单", "List frontiers", roles=sorted(SEES_ALL))
def frontiers(actor: Actor, workspace: Workspace, request: Nothing) -> FrontiersAnswer:
    """The stored frontiers, and the columns that one can be made of."""
    del actor, request
    columns = desk.columns_loaded(workspace)
    stored = [desk.latest(workspace, desk.FRONTIER, name) for name in desk.frontiers(workspace)]
    return FrontiersAnswer(rows=tuple(_frontier_row(one) for one in stored), columns=columns)


@ROOM.operation("frontier", "效率前沿", "Show a frontier", roles=sorted(SEES_ALL))
def frontier(actor: Actor, workspace: Workspace, request: FrontierRequest) -> FrontierAnswer:
    """Scores, targets and peers of all units.

    Raises
    ------
    WorkspaceError
        JQ-ASSESS-071: there is none.
    """
    del actor
    stored = desk.latest(workspace, desk.FRONTIER, request.name)
    peers: dict[str, dict[str, float]] = {}
    for unit, peer, weight in frame_of(stored, "peers").iter_rows():
        peers.setdefault(unit, {})[peer] = weight
    targets: dict[str, dict[str, float]] = {}
    for unit, column, target in frame_of(stored, "slacks").select("unit", "column", "target").iter_rows():
        targets.setdefault(unit, {})[column] = target
    parameters: Any = stored.lineage.parameters
    ranked = frame_of(stored, "scores").sort("score", descending=True, maintain_order=True)
    return FrontierAnswer(
        row=_frontier_row(stored),
        model=parameters["model"],
        returns=parameters["returns"],
        orientation=str(stored.values["orientation"]),
        units=tuple(
            EfficiencyRow(
                unit=row["unit"],
                score=row["score"],
                efficient=row["efficient"],
                peers=peers.get(row["unit"], {}),
                targets=targets[row["unit"]],
            )
            for row in ranked.to_dicts()
        ),
        remarks=tuple(str(one) for one in remarks_of(stored)),
    )


def framework_row(actor: Actor, workspace: Workspace, one: KeptFramework) -> FrameworkRow:
    """A framework as a row, with what the actor may see of its index."""
    told = one.framework
    counts = {origin: sum(each.origin == origin for each in told.indicators) for origin in ("atlas", "table", "survey")}
    try:
        stored: StoredResult | None = desk.find_index(actor, workspace, told.code)
    except WorkspaceError as error:
        if error.code != "JQ-ASSESS-069":
            raise
        stored = None
    return FrameworkRow(
        code=told.code,
        zh=told.zh,
        en=told.en,
        version=told.version,
        proposal=told.status == "proposal",
        origin=one.origin,
        indicators=len(told.codes),
        rated=stored is not None,
        published=desk.published(workspace, told.code) is not None,
        as_of=IndexReport(stored).as_of if stored else None,
        **counts,
    )


def _frontier_row(stored: StoredResult) -> FrontierRow:
    parameters: Any = stored.lineage.parameters
    values: Any = stored.values
    return FrontierRow(
        name=values["name"],
        year=values["year"],
        units=values["units"],
        efficient=values["efficient"],
        inputs=tuple(parameters["inputs"]),
        outputs=tuple(parameters["outputs"]),
    )
