"""Jobs 作业: what runs, what failed and why, and what to do about it."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Form, Path, Query, Request, Response

from jiqun.core.document import Text
from jiqun.store import room as store
from jiqun.web.render import page, see_other
from jiqun.web.visitor import VisitorDep, WorkspaceDep
from jiqun.web.words import JOBS

router = APIRouter()
STATES: dict[str, Text] = {
    "queued": Text("等待中", "waiting"),
    "running": Text("进行中", "running"),
    "done": Text("已完成", "done"),
    "dead": Text("失败", "failed"),
    "cancelled": Text("已取消", "cancelled"),
}
MEANINGS = {"queued": "unknown", "running": "watch", "done": "good", "dead": "bad", "cancelled": "unknown"}
_MOVING = {"queued", "running"}
_RESULTS = {
    "assess.run_index": ("/assess", Text("看评估", "See the assessment")),
    "assess.run_uncertainty": ("/assess", Text("看评估", "See the assessment")),
    "assess.run_frontier": ("/assess/frontier", Text("看前沿", "See the frontiers")),
    "assess.assess_parks": ("/parks", Text("看载体", "See the parks")),
    "assess.edit_unit": ("/parks", Text("看载体", "See the parks")),
    "assess.find_belts": ("/assess/belts", Text("看产业带", "See the belts")),
    "assess.assess_readiness": ("/assess/readiness", Text("看准备度", "See the readiness")),
    "assess.diagnose": ("/assess/diagnosis", Text("看诊断", "See the diagnosis")),
    "atlas.measure": ("/measures", Text("看测度", "See the measures")),
    "atlas.run": ("/clusters", Text("看集群", "See the clusters")),
    "roster.match": ("/rosters", Text("看名单", "See the rosters")),
    "search.index": ("/search", Text("搜索", "Search")),
}
"""Where to see what a job made."""
Id = Annotated[str, Path(min_length=1, max_length=40)]
Key = Annotated[str, Form(min_length=8, max_length=200)]


@router.get("/jobs")
def jobs(
    request: Request, visitor: VisitorDep, workspace: WorkspaceDep, state: Annotated[store.State | None, Query()] = None
) -> Response:
    """The newest jobs: all for an operator, else one's own."""
    found = store.jobs(visitor.actor, workspace, store.JobsRequest(state=state))
    filters = [(None, visitor.say("All")), *((name, words.get(visitor.language)) for name, words in STATES.items())]
    return page(
        request,
        visitor,
        "jobs.html",
        jobs=found,
        shown=state,
        filters=filters,
        moving=any(job.state in _MOVING for job in found),
        states=STATES,
        meanings=MEANINGS,
        titles=JOBS,
        results=_RESULTS,
        operates="operator" in visitor.actor.roles,
        notes=_notes(visitor),
    )


@router.get("/jobs/{job}")
def job(request: Request, visitor: VisitorDep, workspace: WorkspaceDep, job: Id) -> Response:
    """One job and how far it is."""
    found = store.job(visitor.actor, workspace, store.JobRequest(job=job))
    return page(
        request,
        visitor,
        "job.html",
        job=found,
        states=STATES,
        meanings=MEANINGS,
        titles=JOBS,
        results=_RESULTS,
        operates="operator" in visitor.actor.roles,
        notes=_notes(visitor),
    )


@router.post("/jobs/{job}/retry")
def retry(visitor: VisitorDep, workspace: WorkspaceDep, job: Id, key: Key) -> Response:
    """Queue a dead or cancelled job anew."""
    store.retry_job(visitor.actor, workspace, store.JobRequest(job=job), key=key)
    return see_other(f"/jobs/{job}", done="retried")


@router.post("/jobs/{job}/cancel")
def cancel(visitor: VisitorDep, workspace: WorkspaceDep, job: Id, key: Key) -> Response:
    """Cancel a job."""
    store.cancel_job(visitor.actor, workspace, store.JobRequest(job=job), key=key)
    return see_other(f"/jobs/{job}", done="cancelled")


def _notes(visitor: Any) -> dict[str, str]:
    return {"retried": visitor.say("Queued anew."), "cancelled": visitor.say("Cancelled.")}
