"""Jobs and outbox 作业与待发件: what commands leave to be done after them, in one table.

A job is queued by a command (`Transaction.job`) and becomes visible with its commit. A worker (`jiqun.store.worker`)
takes it under a lease; if the worker dies, the lease runs out and another takes the job, so that it is done **at least
once**. It takes effect once because a handler writes through `database.command` with keys that it makes from the job's
id (`Job.key`): what an earlier run has committed is answered, not done again. What leaves the house (mail, webhooks)
carries the job's id, so that the receiver can tell a repetition.

States: queued → running → done | dead | cancelled; running → queued for another try; dead, cancelled → queued by hand.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, Connection, Row, Update, and_, delete, func, or_, select, update

from jiqun.core.actor import Actor
from jiqun.core.errors import JiqunError
from jiqun.store.commands import Transaction
from jiqun.store.tables import JSON, table

if TYPE_CHECKING:
    from jiqun.store.database import Database
    from jiqun.store.workspace import Workspace

LEASE = timedelta(seconds=60)
FIRST_PAUSE, LONGEST_PAUSE = 4.0, 3600.0
"""Seconds: the range from which the pause before another try is drawn starts at the first and doubles to the second."""
_LONGEST_REASON = 1000
_LONGEST_STEP = 200


@dataclass(frozen=True)
class Job:
    """One job 作业 as it stands. `reason` is `{"code", "zh", "en"}`, or None."""

    id: str
    kind: str
    payload: Any
    once: str | None
    state: str
    attempt: int
    most_attempts: int
    due_at: datetime
    worker: str | None
    lease_until: datetime | None
    step: str | None
    done: int | None
    total: int | None
    reason: Any
    result: Any
    account: str | None
    organisation: str | None
    created_at: datetime
    finished_at: datetime | None

    @classmethod
    def of(cls, row: Row[Any]) -> Job:
        """A job from its row."""
        return cls(**row._mapping)  # noqa: SLF001  # its documented interface

    @property
    def over(self) -> bool:
        """Whether nothing more will happen to it by itself."""
        return self.state in {"done", "dead", "cancelled"}

    def key(self, step: str = "") -> str:
        """The idempotency key of a command that belongs to this job, the same at every attempt."""
        return f"{self.id}:{step}"


Report = Callable[[str, int, int | None], None]
"""How a handler tells its progress: step, done, total. Raises `StopWork` when it must not go on."""
Handler = Callable[["Workspace", Job, Report], Any]
"""Does one kind of job and returns its result (JSON)."""


class StopWork(BaseException):  # no error, and not to be caught as one
    """The job is cancelled or another worker's by now, or the worker is asked to end."""


class Jobs:
    """The jobs of a database. Get them from `workspace.database.jobs`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._woken = threading.Event()

    # Looking

    def find(self, id: str) -> Job | None:  # noqa: A002  # what it is called everywhere
        """One job, None if there is none."""
        jobs = table("jobs")
        with self._database.read() as connection:
            row = connection.execute(select(jobs).where(jobs.c.id == id)).one_or_none()
        return Job.of(row) if row else None

    def list(
        self, *, account: str | None = None, state: str | None = None, kind: str | None = None, limit: int = 50
    ) -> tuple[Job, ...]:
        """The newest jobs first."""
        jobs = table("jobs")
        query = select(jobs).order_by(jobs.c.created_at.desc(), jobs.c.id).limit(limit)
        for column, value in (("account", account), ("state", state), ("kind", kind)):
            if value is not None:
                query = query.where(jobs.c[column] == value)
        with self._database.read() as connection:
            return tuple(map(Job.of, connection.execute(query)))

    def counts(self) -> dict[str, int]:
        """How many jobs are in each state."""
        jobs = table("jobs")
        with self._database.read() as connection:
            rows = connection.execute(select(jobs.c.state, func.count()).group_by(jobs.c.state)).all()
            return {row[0]: row[1] for row in rows}

    def wait(self, id: str, seconds: float) -> Job | None:  # noqa: A002
        """The job once it is over, or as it is after that time."""
        end = time.monotonic() + seconds
        while (job := self.find(id)) and not job.over and time.monotonic() < end:
            time.sleep(0.02)
        return job

    # What people ask for: commands like any other

    def cancel(self, actor: Actor, key: str, id: str) -> bool:  # noqa: A002
        """Cancel a job that is not over, or dead 取消; one under way stops at its next report. Whether it was so."""
        return bool(
            self._database.command(actor, key, "jobs.cancel", lambda tx: cancel(tx, id), request={"id": id}, subject=id)
        )

    def retry(self, actor: Actor, key: str, id: str) -> bool:  # noqa: A002
        """Queue a dead or cancelled job anew 重试, with all its attempts. Whether it was one."""
        return bool(
            self._database.command(actor, key, "jobs.retry", lambda tx: retry(tx, id), request={"id": id}, subject=id)
        )

    # What workers do: the store's own upkeep, no commands

    def wake(self) -> None:
        """Tell the workers of this process that there may be something to do."""
        self._woken.set()

    def sleep(self, seconds: float) -> None:
        """Wait until woken, or for that time."""
        self._woken.wait(seconds)
        self._woken.clear()

    def take(self, worker: str, kinds: Collection[str]) -> Job | None:
        """The next job that is due, or whose worker has died, under a lease; None if there is none.

        A job whose last allowed attempt ended with its worker's death is dead: it may be what kills them.
        """
        jobs, now = table("jobs"), self._database.clock()
        due = and_(
            jobs.c.kind.in_(kinds),
            or_(
                and_(jobs.c.state == "queued", jobs.c.due_at <= now),
                and_(jobs.c.state == "running", jobs.c.lease_until < now),
            ),
        )
        with self._database.read() as connection:  # mostly there is nothing, and asking must not stop writers
            if connection.execute(select(jobs.c.id).where(due).limit(1)).first() is None:
                return None

        def claim(connection: Connection) -> Job | None:
            query = select(jobs).where(due).order_by(jobs.c.due_at, jobs.c.created_at).limit(1)
            row = connection.execute(query.with_for_update(skip_locked=True)).one_or_none()
            if row is None:
                return None
            if row.attempt >= row.most_attempts:
                why = told(JiqunError("JQ-STORE-042", count=row.attempt))
                connection.execute(_dead(jobs.c.id == row.id, why, now))
                return claim(connection)
            taken = {"state": "running", "attempt": row.attempt + 1, "worker": worker, "lease_until": now + LEASE}
            connection.execute(update(jobs).where(jobs.c.id == row.id).values(taken))
            return Job.of(connection.execute(select(jobs).where(jobs.c.id == row.id)).one())

        return self._database.upkeep(claim)

    def renew(self, job: Job, progress: Mapping[str, Any] | None = None) -> bool:
        """Keep the lease 续租 and note progress. False if the job is no longer this worker's."""
        until = self._database.clock() + LEASE
        return self._settle(job, update(table("jobs")).values(lease_until=until, **(progress or {})))

    def finish(self, job: Job, result: JSON) -> bool:
        """Done, with a result."""
        now = self._database.clock()
        done = {"state": "done", "result": result, "reason": None, "lease_until": None, "finished_at": now}
        return self._settle(job, update(table("jobs")).values(done))

    def fail(self, job: Job, why: JSON, *, again: bool) -> bool:
        """Not done: another try after a pause drawn at random (full jitter), or none if that was the last."""
        now = self._database.clock()
        if not again or job.attempt >= job.most_attempts:
            return self._settle(job, _dead(None, why, now))
        pause = random.uniform(0, min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** (job.attempt - 1)))  # noqa: S311  # no secret
        later = {"state": "queued", "due_at": now + timedelta(seconds=pause), "reason": why, "lease_until": None}
        return self._settle(job, update(table("jobs")).values(later))

    def release(self, job: Job) -> bool:
        """Give a job back untouched: this attempt does not count."""
        back = {"state": "queued", "attempt": job.attempt - 1, "worker": None, "lease_until": None}
        return self._settle(job, update(table("jobs")).values(back))

    def forget(self, before: datetime) -> int:
        """Drop what was done or cancelled before then 清理旧作业, and say how many; what failed stays for someone to see."""
        jobs = table("jobs")
        old = and_(jobs.c.state.in_(("done", "cancelled")), jobs.c.finished_at < before)
        return self._database.upkeep(lambda connection: connection.execute(delete(jobs).where(old)).rowcount)

    def _settle(self, job: Job, change: Update) -> bool:
        """Change a job only while it is this worker's, at this attempt: one that lost its lease changes nothing."""
        jobs = table("jobs")
        held = and_(jobs.c.state == "running", jobs.c.worker == job.worker, jobs.c.attempt == job.attempt)
        mine = change.where(jobs.c.id == job.id, held)
        return bool(self._database.upkeep(lambda connection: connection.execute(mine).rowcount))


def cancel(tx: Transaction, id: str) -> bool:  # noqa: A002
    """Cancel a job within a command. Whether there was something to cancel."""
    jobs = table("jobs")
    open_ = (jobs.c.id == id, jobs.c.state.in_(("queued", "running", "dead")))
    off = {"state": "cancelled", "lease_until": None, "finished_at": tx.now}
    return bool(tx.execute(update(jobs).where(*open_).values(off)).rowcount)


def retry(tx: Transaction, id: str) -> bool:  # noqa: A002
    """Queue a dead or cancelled job anew within a command. Whether it was one."""
    jobs = table("jobs")
    shut = (jobs.c.id == id, jobs.c.state.in_(("dead", "cancelled")))
    anew = {"state": "queued", "attempt": 0, "due_at": tx.now, "worker": None, "reason": None, "finished_at": None}
    return bool(tx.execute(update(jobs).where(*shut).values(anew)).rowcount)


def progress(step: str, done: int, total: int | None) -> dict[str, Any]:
    """Progress as a job's row holds it."""
    return {"step": step[:_LONGEST_STEP], "done": done, "total": total}


def told(error: BaseException) -> dict[str, str]:
    """Why a job failed, for people. Of an error that jiqun did not foresee only its type is told: it may hold secrets."""
    known = error if isinstance(error, JiqunError) else JiqunError("JQ-STORE-041", type=type(error).__name__)
    return {"code": known.code, "zh": known.render("zh")[:_LONGEST_REASON], "en": known.render("en")[:_LONGEST_REASON]}


def _dead(where: ColumnElement[bool] | None, why: JSON, now: datetime) -> Update:
    change = update(table("jobs")).values(state="dead", reason=why, lease_until=None, finished_at=now)
    return change if where is None else change.where(where)
