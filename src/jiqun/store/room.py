"""The store's operations 存储操作: jobs and their progress, the journal's head, entries and proofs."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field

from jiqun.core.actor import Actor, Role
from jiqun.core.document import Text
from jiqun.core.errors import PermissionDeniedError, UsageError
from jiqun.core.operation import Model, Room
from jiqun.store.jobs import Job
from jiqun.store.journal import Journal
from jiqun.store.workspace import Workspace

ROOM = Room("store", Text("存储", "Store"))
SIGNED_IN: tuple[Role, ...] = ("operator", "analyst", "member", "auditor")
MOST_LEAVES = 100

JobId = Annotated[str, Field(min_length=1, max_length=40, description="id of a job")]
State = Literal["queued", "running", "done", "dead", "cancelled"]


class JobsRequest(Model):
    """Which jobs."""

    state: State | None = None
    kind: Annotated[str | None, Field(max_length=80)] = None
    limit: Annotated[int, Field(ge=1, le=200)] = 50


class JobRequest(Model):
    """One job."""

    job: JobId


class JobRow(Model):
    """A job 作业 as its owner sees it; `reason` says why it is not done."""

    id: str
    kind: str
    state: State
    step: str | None
    done: int | None
    total: int | None
    attempt: int
    most_attempts: int
    due_at: datetime
    reason: Any = None
    result: Any = None
    account: str | None
    created_at: datetime
    finished_at: datetime | None


class HeadRow(Model):
    """A signed tree head 树头: hashes and signature as `jiqun.store.proof` reads them."""

    size: int
    root: str
    at: str
    key: str
    signature: str
    public_key: str


class EntriesRequest(Model):
    """Which entries of the journal."""

    subject: Annotated[str | None, Field(max_length=500)] = None
    limit: Annotated[int, Field(ge=1, le=200)] = 50


class EntryRow(Model):
    """An entry of the journal 日志条目: who did what to what; `position` is its place in the tree once numbered."""

    leaf: int
    position: int | None
    at: datetime
    actor: str
    operation: str
    subject: str


class ProofRequest(Model):
    """Which leaves to prove, and from which earlier sizes of the tree to show that it only grew."""

    leaf: Annotated[tuple[Annotated[int, Field(ge=1, le=2**53)], ...], Field(max_length=MOST_LEAVES)] = ()
    since: Annotated[tuple[Annotated[int, Field(ge=1, le=2**53)], ...], Field(max_length=10)] = ()


@ROOM.operation("jobs", "作业列表", "List jobs", roles=SIGNED_IN)
def jobs(actor: Actor, workspace: Workspace, request: JobsRequest) -> tuple[JobRow, ...]:
    """The newest jobs first: all for an operator, else one's own."""
    account = None if _operates(actor) else actor.id
    found = workspace.database.jobs.list(account=account, state=request.state, kind=request.kind, limit=request.limit)
    return tuple(map(_row, found))


@ROOM.operation("job", "作业进度", "Progress of a job", roles=SIGNED_IN)
def job(actor: Actor, workspace: Workspace, request: JobRequest) -> JobRow:
    """One job and how far it is.

    Raises
    ------
    UsageError
        JQ-STORE-043: there is none, or it is another's.
    """
    return _row(_reachable(actor, workspace, request.job))


@ROOM.operation("cancel_job", "取消作业", "Cancel a job", roles=SIGNED_IN, writes=True)
def cancel_job(actor: Actor, workspace: Workspace, request: JobRequest, *, key: str) -> JobRow:
    """Cancel a job that is not over yet; one under way stops at its next report."""
    found = _reachable(actor, workspace, request.job)
    workspace.database.jobs.cancel(actor, key, found.id)
    return _row(_reachable(actor, workspace, found.id))


@ROOM.operation("retry_job", "重试作业", "Retry a job", roles=["operator"], writes=True)
def retry_job(actor: Actor, workspace: Workspace, request: JobRequest, *, key: str) -> JobRow:
    """Queue a dead or cancelled job anew."""
    found = _reachable(actor, workspace, request.job)
    workspace.database.jobs.retry(actor, key, found.id)
    return _row(_reachable(actor, workspace, found.id))


@ROOM.operation("head", "日志树头", "Head of the journal", roles=[*SIGNED_IN, "public"])
def head(actor: Actor, workspace: Workspace, request: Model) -> HeadRow | None:
    """The newest signed head: kept by others, it shows later that nothing was changed. Null before the first."""
    del actor, request
    journal = Journal(workspace)
    found = journal.head()
    return None if found is None else HeadRow(**_of_bundle(journal.bundle(())))


@ROOM.operation("entries", "日志条目", "Entries of the journal", roles=SIGNED_IN)
def entries(actor: Actor, workspace: Workspace, request: EntriesRequest) -> tuple[EntryRow, ...]:
    """Entries, newest first: all for operators and auditors, else what oneself did."""
    mine = None if actor.roles & {"operator", "auditor"} else actor.id
    found = Journal(workspace).entries(subject=request.subject, actor=mine, limit=request.limit)
    return tuple(EntryRow(**vars(entry)) for entry in found)


@ROOM.operation("proof", "存证证明", "Proof from the journal", roles=SIGNED_IN)
def proof(actor: Actor, workspace: Workspace, request: ProofRequest) -> dict[str, Any]:
    """A bundle that proves leaves and the growth of the tree to anyone who has the checker and the public key.

    Raises
    ------
    UsageError
        JQ-JOURNAL-003, 004: no such leaf or size.
    PermissionDeniedError
        JQ-STORE-044: a leaf is another's, and the actor neither operator nor auditor.
    """
    journal = Journal(workspace)
    bundle = journal.bundle(request.leaf, since=request.since)
    if not actor.roles & {"operator", "auditor"}:
        for leaf in bundle["leaves"]:
            if leaf["data"]["actor"] != actor.id:
                raise PermissionDeniedError("JQ-STORE-044")
    return bundle


def _operates(actor: Actor) -> bool:
    return "operator" in actor.roles


def _reachable(actor: Actor, workspace: Workspace, wanted: str) -> Job:
    found = workspace.database.jobs.find(wanted)
    if found is None or not (_operates(actor) or found.account == actor.id):
        raise UsageError("JQ-STORE-043", value=wanted)
    return found


def _row(found: Job) -> JobRow:
    return JobRow(**{name: getattr(found, name) for name in JobRow.model_fields})


def _of_bundle(bundle: dict[str, Any]) -> dict[str, Any]:
    signed = bundle["head"]
    return {name: signed[name] for name in ("size", "root", "at", "key", "signature")} | {"public_key": bundle["key"]}
