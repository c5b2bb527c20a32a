"""Green efficiency as an operation 绿色效率操作: computed of the table of indicators when it is asked for, and not stored."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import polars as pl
from pydantic import Field

from jiqun.assess import desk
from jiqun.assess.green_document import green_document
from jiqun.assess.green_efficiency import Green, green, green_columns
from jiqun.assess.operations import Column
from jiqun.assess.room import ROOM
from jiqun.atlas.reading import SEES_ALL
from jiqun.core.actor import Actor
from jiqun.core.document import Document
from jiqun.core.errors import MeasureInputError
from jiqun.core.lineage import Source
from jiqun.core.operation import Model
from jiqun.core.remarks import Remark
from jiqun.store import Workspace

MOST_UNITS = 500
"""Units that are compared while someone waits: some seconds."""
MOST_COLUMNS = 6
"""Columns of a kind: intensities are of every input and undesirable output per every output."""
Columns = Annotated[tuple[Column, ...], Field(max_length=MOST_COLUMNS, description="codes of the table of indicators")]


class GreenRequest(Model):
    """What to compare; `year` null: the last that has values."""

    inputs: Columns = ()
    outputs: Columns = ()
    undesirable: Columns = ()
    year: Annotated[int | None, Field(ge=1900, le=2200)] = None


class GreenScore(Model):
    """A unit's efficiency with and without undesirable outputs; `low`, `high`: over models."""

    unit: str
    with_bad: float
    without_bad: float
    change: float
    efficient: bool
    low: float
    high: float


class GreenSlack(Model):
    """What could be saved, cut or gained at the frontier, in the unit of the column; `share`: of the value."""

    unit: str
    column: str
    kind: str
    value: float
    slack: float
    target: float
    share: float


class GreenIntensity(Model):
    """An input or undesirable output per output, and against the median of the units."""

    unit: str
    column: str
    kind: str
    per: str
    value: float
    of_median: float


class GreenAnswer(Model):
    """Green efficiency 绿色效率 of the units that have all values."""

    year: int
    returns: str
    scores: tuple[GreenScore, ...]
    slacks: tuple[GreenSlack, ...]
    intensity: tuple[GreenIntensity, ...]
    remarks: tuple[str, ...]


@dataclass(frozen=True)
class Compared:
    """What was found, of which year of what table; `remarks` name the units that were left out."""

    found: Green
    year: int
    source: Source
    remarks: tuple[Remark, ...]

    @property
    def document(self) -> Document:
        """It as a report."""
        return green_document(self.found, self.source, year=self.year, remarks=self.remarks)


@ROOM.operation("green", "绿色效率", "Green efficiency", roles=sorted(SEES_ALL))
def green_(_actor: Actor, workspace: Workspace, request: GreenRequest) -> GreenAnswer:
    """Efficiency with and without undesirable outputs, of units of the table of indicators; computed now, not stored.

    Raises
    ------
    WorkspaceError, UsageError, MeasureInputError
        As `compute`.
    """
    told = compute(workspace, request)
    return GreenAnswer(
        year=told.year,
        returns=told.found.returns,
        scores=tuple(GreenScore(**row) for row in told.found.scores.to_dicts()),
        slacks=tuple(GreenSlack(**row) for row in told.found.slacks.to_dicts()),
        intensity=tuple(GreenIntensity(**row) for row in told.found.intensity.to_dicts()),
        remarks=tuple(str(one) for one in told.remarks),
    )


def compute(workspace: Workspace, request: GreenRequest) -> Compared:
    """Green efficiency of the units that have all values 计算绿色效率, under constant returns to scale.

    Raises
    ------
    WorkspaceError
        JQ-STORE-006: no indicators are loaded.
    UsageError
        JQ-ASSESS-072: columns that the table does not have.
    MeasureInputError
        JQ-ASSESS-134: more than `MOST_UNITS` units have all values. JQ-ASSESS-126, 045: as `green_columns`; JQ-ASSESS-024,
        012, 021: as `jiqun.assess.desk.compared`; otherwise as `green`.
    """
    columns = green_columns(request.inputs, request.outputs, request.undesirable)
    choice = desk.FrontierChoice(
        "green", columns.inputs, columns.outputs, undesirable=columns.undesirable, year=request.year
    )
    frame, year, source = desk.compared(workspace, choice)
    frame, remarks = desk.complete(frame, columns.all)
    if frame.height > MOST_UNITS:
        raise MeasureInputError("JQ-ASSESS-134", units=frame.height, most=MOST_UNITS)
    found = green(frame, inputs=columns.inputs, outputs=columns.outputs, bad=columns.undesirable)
    return Compared(found, year, source, remarks)


def years_loaded(workspace: Workspace) -> tuple[int, ...]:
    """Years of the table of indicators, the last first 指标表的年份; none where it is not loaded."""
    if not workspace.history("indicators"):
        return ()
    scan = workspace.scan("indicators").filter(pl.col("value").is_not_null(), pl.col("year").is_not_null())
    return tuple(scan.select(pl.col("year").unique().sort(descending=True)).collect()["year"])
