"""The measures as operations 测度作业: a command queues them, the worker computes them, everyone may ask what was found."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field

from jiqun.atlas import measured
from jiqun.atlas.measured import MeasureRequest
from jiqun.atlas.reading import READERS
from jiqun.atlas.room import ROOM
from jiqun.core.actor import LOCAL, Actor
from jiqun.core.document import Text
from jiqun.core.operation import Model
from jiqun.store import StoredResult, Workspace
from jiqun.store.commands import Transaction
from jiqun.store.jobs import Handler, Job, Report
from jiqun.store.tables import JSON

JOB = "atlas.measure"


class MeasureAnswer(Model):
    """The job that measures; its result names what it stored."""

    job: str


class MeasuresRequest(Model):
    """Which measures: the last, or by the start of their id."""

    run: Annotated[str | None, Field(pattern=r"^[0-9a-f]{4,64}$", description="start of the id")] = None


class ClassMeasures(Model):
    """One class: how it is spread over regions. `p`, `q`: of γ, by chance and after false-discovery control."""

    code: str
    firms: int
    regions: int
    gini: float | None
    locational_gini: float | None
    gamma: float | None
    p: float | None
    q: float | None
    pci: float | None


class RegionMeasures(Model):
    """One region: classes that it has (LQ ≥ 1), its complexity, the related classes that it lacks, nearest first."""

    region: str
    name_zh: str
    name_en: str
    firms: int
    diversity: int | None
    eci: float | None
    next: tuple[str, ...]


class SetRow(Model):
    """One class and the set of related classes that it belongs to; `marginal`: it is nearer to another."""

    code: str
    set: int
    within: float | None
    nearest_set: int
    nearest: float
    marginal: bool


class NeighbourRow(Model):
    """One region and those around it; `kind` None: no neighbour within the band (`i` None), or at the average."""

    region: str
    name_zh: str
    name_en: str
    firms: int
    expected: float
    lq: float
    lq_shrunk: float
    i: float | None
    p: float | None
    q: float | None
    kind: Literal["high-high", "low-low", "high-low", "low-high"] | None


class CurvePoint(Model):
    """One distance: the curve, its global band, the median of chance."""

    distance_km: float
    value: float | None
    low: float | None
    high: float | None
    middle: float | None


class CurveAnswer(Model):
    """A curve over distance, and its test as a whole; `error_km`: no distance is wrong by more."""

    p: float
    n: int
    draws: int
    level: float
    error_km: float
    bandwidth_km: float | None
    points: tuple[CurvePoint, ...]


class MeasuresAnswer(Model):
    """What was measured 整体测度; what could not be is absent, and `unknown` says why.

    `digital`: the class whose distances and neighbours are told. `blur_km`: shorter distances are not told apart.
    """

    id: str
    as_of: str
    by: Literal["digital", "industry"]
    size: str | None
    level: Literal["country", "region"]
    firms: int
    classed: int
    exact: int
    blur_km: float
    digital: str | None
    classes: tuple[ClassMeasures, ...]
    regions: tuple[RegionMeasures, ...]
    sets: tuple[SetRow, ...]
    neighbours: tuple[NeighbourRow, ...]
    m: CurveAnswer | None
    k: CurveAnswer | None
    unknown: Mapping[str, Text]


@ROOM.operation("measure", "整体测度", "Measure the register", roles=["operator", "analyst"], writes=True)
def measure(actor: Actor, workspace: Workspace, request: MeasureRequest, *, key: str) -> MeasureAnswer:
    """Queue the measures of what is loaded now.

    Raises
    ------
    WorkspaceError, InputError
        As `jiqun.atlas.measured.check`.
    """
    measured.check(workspace, request)
    asked = request.model_dump(mode="json")

    def queue(tx: Transaction) -> JSON:
        return {"job": tx.job(JOB, asked, account=actor.id, organisation=actor.organisation, most_attempts=3)}

    answer: Any = workspace.database.command(actor, key, JOB, queue, request=asked, subject=measured.KIND)
    return MeasureAnswer(job=answer["job"])


@ROOM.operation("measures", "测度结果", "What was measured", roles=READERS)
def measures(actor: Actor, workspace: Workspace, request: MeasuresRequest) -> MeasuresAnswer:
    """The measures of the register: concentration of classes, complexity of regions, distances, neighbours."""
    result = measured.current(actor, workspace, request.run)
    values: dict[str, Any] = dict(result.values)
    parameters = result.lineage.parameters
    return MeasuresAnswer(
        id=result.id,
        as_of=result.lineage.inputs[0].as_of,
        by=parameters["by"],
        size=parameters["size"],
        **{name: values[name] for name in ("level", "firms", "classed", "exact", "blur_km", "digital")},
        classes=tuple(ClassMeasures(**row) for row in _rows(result, "classes")),
        regions=tuple(RegionMeasures(**row | {"next": row["next"] or ()}) for row in _rows(result, "regions")),
        sets=tuple(SetRow(**row) for row in _rows(result, "sets")),
        neighbours=tuple(NeighbourRow(**row) for row in _rows(result, "moran")),
        m=_curve(result, "m"),
        k=_curve(result, "k"),
        unknown={name: Text(why["zh"], why["en"]) for name, why in values["unknown"].items()},
    )


def _rows(result: StoredResult, name: str) -> list[dict[str, Any]]:
    if name not in result.tables:
        return []
    table = result.table(name)
    return table.rename({"class": "code"}, strict=False).to_dicts()


def _curve(result: StoredResult, name: str) -> CurveAnswer | None:
    curves: Any = result.values["curves"]
    if name not in curves:
        return None
    return CurveAnswer(**curves[name], points=tuple(CurvePoint(**row) for row in _rows(result, name)))


def _measure(workspace: Workspace, job: Job, report: Report) -> JSON:
    result = measured.measure(
        LOCAL,
        workspace,
        MeasureRequest.model_validate(job.payload),
        progress=lambda step, done, total: report(step, done, total or 0),
    )
    return {"kind": result.kind, "result": result.id, "classes": result.table("classes").height}


HANDLERS: Mapping[str, Handler] = {JOB: _measure}
