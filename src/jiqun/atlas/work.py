"""The atlas's command and its work 图谱作业: a search is queued by a command and run by the worker."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Annotated, Any, Literal

from pydantic import Field

from jiqun.atlas import desk
from jiqun.atlas.classes import TextUse
from jiqun.atlas.clusters import LEAST_ALPHA
from jiqun.atlas.entries import ENTRIES
from jiqun.atlas.located import located
from jiqun.atlas.reading import Which, find_run, kind_of
from jiqun.atlas.room import ROOM
from jiqun.core.actor import LOCAL, Actor
from jiqun.core.operation import Model
from jiqun.store import Workspace
from jiqun.store.commands import Transaction
from jiqun.store.jobs import Handler, Job, Report
from jiqun.store.search import KIND, handler
from jiqun.store.tables import JSON

RUN = "atlas.run"
AFTER = ("notices.clusters", KIND, "atlas.place_chain", "atlas.count_core")
"""Jobs that follow a run: who follows its clusters is told, they can be found, its firms are placed on chains and judged."""


class RunRequest(Model):
    """What to look for; as `jiqun.atlas.desk.Search`. What is not said is as in the current run of the class."""

    digital: Annotated[str | None, Field(pattern=r"^\d{2,6}$", description="class; none: all firms")] = None
    background: Literal["auto", "firms", "population"] = "auto"
    coverage: Literal["auto", "regions", "countries", "world"] = "auto"
    eps_km: Annotated[
        float | None, Field(ge=0.02, le=10_000, description="radius in km; none: as the register allows")
    ] = None
    min_weight: Annotated[
        float | None, Field(gt=0, le=1e12, description="one number for all places instead of the test")
    ] = None
    floor: Annotated[int, Field(ge=1, le=10**6)] = 10
    alpha: Annotated[float, Field(ge=LEAST_ALPHA, lt=1)] = 0.05
    calibrate: Literal["locations", "draws"] = "locations"
    draws: Annotated[int, Field(ge=0, le=9999)] = 0
    seed: Annotated[int, Field(ge=0, le=2**53)] = 20240501
    size: Annotated[str | None, Field(pattern=r"^[a-z_]{1,40}$", description="column that sizes firms")] = None
    text: Annotated[
        TextUse, Field(description="firms that no code decides: by the lexicon, not by text (off), or as chosen (auto)")
    ] = "auto"

    def search(self, workspace: Workspace) -> desk.Search:
        """The search that is asked for: other parameters would cut a history off, so none changes unasked."""
        last = workspace.result(kind_of(self.digital))
        known = desk.Search.__dataclass_fields__
        before = {name: value for name, value in last.lineage.parameters.items() if name in known} if last else {}
        return desk.Search(**{**before, **self.model_dump(exclude_unset=True)})


class RunAnswer(Model):
    """The job that searches; its result names the run."""

    job: str


@ROOM.operation("run", "识别集群", "Find clusters", roles=["operator", "analyst"], writes=True)
def run(actor: Actor, workspace: Workspace, request: RunRequest, *, key: str) -> RunAnswer:
    """Queue a search for clusters in what is loaded now.

    Raises
    ------
    WorkspaceError
        JQ-STORE-006: no organisations were loaded.
    InputError
        As `jiqun.atlas.find_clusters`; JQ-TAXONOMY-004: the class is not a code of the classification.
    """
    search = request.search(workspace)
    desk.check(workspace, search)

    def queue(tx: Transaction) -> JSON:
        payload: dict[str, JSON] = {"search": asdict(search)}
        return {"job": tx.job(RUN, payload, account=actor.id, organisation=actor.organisation, most_attempts=3)}

    answer: Any = workspace.database.command(
        actor, key, RUN, queue, request=request.model_dump(mode="json"), subject=search.kind
    )
    return RunAnswer(job=answer["job"])


def _run(workspace: Workspace, job: Job, report: Report) -> JSON:
    payload: Any = job.payload
    result = desk.run(
        LOCAL,
        workspace,
        desk.Search(**payload["search"]),
        progress=lambda step, done, total: report(step, done, total or 0),
    )

    def follow(tx: Transaction) -> JSON:
        return [tx.job(kind, {"kind": result.kind, "result": result.id}, once=f"{kind}:{job.id}") for kind in AFTER]

    workspace.database.command(LOCAL, f"{RUN}:{job.id}", "atlas.ran", follow, subject=result.kind)
    report("map", 0, None)
    located(workspace, find_run(workspace, Which(digital=payload["search"]["digital"], run=result.id)))
    return {"kind": result.kind, "result": result.id, "clusters": result.values["clusters"]}


HANDLERS: Mapping[str, Handler] = {RUN: _run, KIND: handler(ENTRIES)}
