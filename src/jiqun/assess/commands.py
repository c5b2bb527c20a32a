"""What is computed, kept and opened in the assessments 评估室命令: jobs for index, intervals and frontier, frameworks, publication."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Annotated, Any, TypeVar

from pydantic import Field

from jiqun.assess import desk, own_frameworks
from jiqun.assess.framework import Code, Weight
from jiqun.assess.frontier import Model as FrontierModel
from jiqun.assess.frontier import Orientation
from jiqun.assess.operations import FrameworkRow, Name, Nothing, One, framework_row
from jiqun.assess.own_frameworks import EDITS, find_framework
from jiqun.assess.panel import Basis
from jiqun.assess.radial import Returns
from jiqun.assess.room import ROOM
from jiqun.core.actor import LOCAL, Actor
from jiqun.core.operation import Model
from jiqun.store import Workspace
from jiqun.store.commands import Transaction
from jiqun.store.jobs import Handler, Job, Report
from jiqun.store.tables import JSON

RUN_INDEX, RUN_SURE, RUN_FRONTIER = "assess.run_index", "assess.run_uncertainty", "assess.run_frontier"
Column = Annotated[str, Field(min_length=1, max_length=60)]
Choice = TypeVar("Choice")


class RunIndexRequest(One):
    """What to rate 计算指数. `basis`: the clusters of the current run, or the units of the table of indicators."""

    basis: Basis | None = None
    year: Annotated[int | None, Field(ge=1900, le=2100)] = None
    digital: Annotated[str | None, Field(pattern=r"^\d{2,6}$", description="class whose run is rated")] = None
    weights: Annotated[dict[Code, Weight], Field(default_factory=dict, max_length=1000)]


class RunSureRequest(One):
    """What varies 计算名次区间."""

    weight_spread: Annotated[float, Field(ge=0, le=1)] = 0.25
    leave_out: bool = True
    boundary: bool = True
    runs: Annotated[int, Field(ge=100, le=20_000)] = 1000
    sensitivity: Annotated[int, Field(ge=0, le=4096)] = 128
    top: Annotated[int, Field(ge=1, le=1000)] = 10


class RunFrontierRequest(Model):
    """Which columns of the table of indicators go in, and which should come out 计算效率前沿."""

    name: Name
    inputs: Annotated[tuple[Column, ...], Field(min_length=1, max_length=20)]
    outputs: Annotated[tuple[Column, ...], Field(min_length=1, max_length=20)]
    undesirable: Annotated[tuple[Column, ...], Field(max_length=20)] = ()
    year: Annotated[int | None, Field(ge=1900, le=2100)] = None
    returns: Returns = "vrs"
    model: FrontierModel = "radial"
    orientation: Orientation | None = None
    super_efficiency: bool = False
    bootstrap: Annotated[int, Field(ge=0, le=5000)] = 0
    drop: bool = False
    force: bool = False


class JobAnswer(Model):
    """The job that computes it."""

    job: str


class SaveRequest(Model):
    """A framework in TOML."""

    text: Annotated[str, Field(min_length=1, max_length=500_000)]


class PublishRequest(One):
    """Open the current index to all, or (`show` false) close it."""

    show: bool = True


class PublishAnswer(Model):
    """The index that is open now."""

    index: str | None


@ROOM.operation("run_index", "计算指数", "Compute an index", roles=desk.RUNS, writes=True)
def run_index(actor: Actor, workspace: Workspace, request: RunIndexRequest, *, key: str) -> JobAnswer:
    """Queue the rating of the workspace's units under a framework.

    Raises
    ------
    UsageError
        JQ-ASSESS-061: there is no such framework.
    """
    find_framework(workspace, request.framework)
    return _queued(actor, workspace, RUN_INDEX, request, key, subject=request.framework)


@ROOM.operation("run_uncertainty", "计算名次区间", "Compute intervals of ranks", roles=desk.RUNS, writes=True)
def run_uncertainty(actor: Actor, workspace: Workspace, request: RunSureRequest, *, key: str) -> JobAnswer:
    """Queue the question of how sure the ranks of the current index are.

    Raises
    ------
    WorkspaceError
        JQ-ASSESS-069: there is no index.
    """
    desk.latest(workspace, desk.INDEX, request.framework)
    return _queued(actor, workspace, RUN_SURE, request, key, subject=request.framework)


@ROOM.operation("run_frontier", "计算效率前沿", "Compute a frontier", roles=desk.RUNS, writes=True)
def run_frontier(actor: Actor, workspace: Workspace, request: RunFrontierRequest, *, key: str) -> JobAnswer:
    """Queue a frontier of the units of the table of indicators.

    Raises
    ------
    WorkspaceError
        JQ-STORE-006: no indicators are loaded.
    """
    workspace.snapshot("indicators")
    return _queued(actor, workspace, RUN_FRONTIER, request, key, subject=request.name)


@ROOM.operation("save_framework", "保存指标体系", "Save a framework", roles=EDITS, writes=True)
def save_framework(actor: Actor, workspace: Workspace, request: SaveRequest, *, key: str) -> FrameworkRow:
    """Keep a framework of one's own, if it passes the check; it replaces the one of the same code.

    Raises
    ------
    InputError
        JQ-ASSESS-001 to 009: it cannot be one.
    """
    return framework_row(actor, workspace, own_frameworks.save(actor, workspace, request.text, key=key))


@ROOM.operation("drop_framework", "移除指标体系", "Take a framework away", roles=EDITS, writes=True)
def drop_framework(actor: Actor, workspace: Workspace, request: One, *, key: str) -> Nothing:
    """Take a framework of the workspace's own away; what was computed with it stays.

    Raises
    ------
    UsageError
        JQ-ASSESS-061: there is none; -062: it comes with the program.
    """
    own_frameworks.drop(actor, workspace, request.framework, key=key)
    return Nothing()


@ROOM.operation("publish_index", "发布指数", "Publish an index", roles=desk.PUBLISHES, writes=True)
def publish_index(actor: Actor, workspace: Workspace, request: PublishRequest, *, key: str) -> PublishAnswer:
    """Open the current index to members and the public, or close it again.

    Raises
    ------
    WorkspaceError
        JQ-ASSESS-069: there is no index.
    """
    current = desk.latest(workspace, desk.INDEX, request.framework).id

    def write(_tx: Transaction) -> JSON:
        return {"index": current}

    told = request.model_dump(mode="json")
    answer: Any = workspace.database.command(
        actor, key, "assess.publish_index", write, request=told, subject=request.framework
    )
    desk.publish_index(actor, workspace, request.framework, show=request.show, index=answer["index"])
    return PublishAnswer(index=answer["index"] if request.show else None)


def _queued(actor: Actor, workspace: Workspace, kind: str, request: Model, key: str, *, subject: str) -> JobAnswer:
    payload: Any = request.model_dump(mode="json")

    def queue(tx: Transaction) -> JSON:
        return {"job": tx.job(kind, payload, account=actor.id, organisation=actor.organisation, most_attempts=3)}

    answer: Any = workspace.database.command(actor, key, kind, queue, request=payload, subject=subject)
    return JobAnswer(job=answer["job"])


def _chosen(kind: type[Choice], payload: Mapping[str, Any]) -> Choice:
    """What a job was asked for, as the desk takes it."""
    names = {one.name for one in fields(kind)}  # type: ignore[arg-type]
    given = {name: _tuples(value) for name, value in payload.items() if name in names}
    return kind(**given)


def _tuples(value: Any) -> Any:
    if isinstance(value, dict):
        return tuple(value.items())
    return tuple(value) if isinstance(value, list) else value


def _run_index(workspace: Workspace, job: Job, report: Report) -> JSON:
    choice = _chosen(desk.IndexChoice, job.payload)
    done = desk.run_index(LOCAL, workspace, choice, progress=lambda step, at, total: report(step, at, total or 0))
    return {"result": done.id, "framework": choice.framework}


def _run_sure(workspace: Workspace, job: Job, report: Report) -> JSON:
    choice = _chosen(desk.SureChoice, job.payload)
    done = desk.run_uncertainty(LOCAL, workspace, choice, progress=lambda step, at, total: report(step, at, total or 0))
    return {"result": done.id, "framework": choice.framework}


def _run_frontier(workspace: Workspace, job: Job, report: Report) -> JSON:
    choice = _chosen(desk.FrontierChoice, job.payload)
    done = desk.run_frontier(LOCAL, workspace, choice, progress=lambda step, at, total: report(step, at, total or 0))
    return {"result": done.id, "frontier": choice.name}


HANDLERS: Mapping[str, Handler] = {RUN_INDEX: _run_index, RUN_SURE: _run_sure, RUN_FRONTIER: _run_frontier}
"""What the room's workers do, by the kind of job."""
