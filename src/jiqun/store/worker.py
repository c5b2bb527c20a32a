"""The worker 作业进程: takes jobs and does them, a few at a time, until told to stop."""

from __future__ import annotations

import logging
import os
import secrets
import socket
import threading
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from threading import Event, Thread

from polars.exceptions import PanicException
from sqlalchemy.exc import SQLAlchemyError

from jiqun.core.errors import InputError, PermissionDeniedError, UsageError, WorkspaceError
from jiqun.store.commands import packed
from jiqun.store.committer import reason
from jiqun.store.jobs import LEASE, Handler, Job, Jobs, Report, StopWork, progress, told
from jiqun.store.workspace import Workspace

SWEEP_SECONDS = 5.0
"""How often the leases of what is under way are renewed; how long a database that is away is left alone at first."""
_POLL_SECONDS = 0.5
"""How soon what another process has queued is noticed."""
_PROGRESS_SECONDS = 1.0
_TIDY_SECONDS = 3600.0
_LONGEST_WAIT = 60.0
_AWAY = (SQLAlchemyError, WorkspaceError)
_HOPELESS = (InputError, UsageError, PermissionDeniedError)
"""Trying again would end the same."""
_log = logging.getLogger(__name__)


def work(
    workspace: Workspace,
    handlers: Mapping[str, Handler],
    *,
    once: bool = False,
    stop: Event | None = None,
    threads: int = 2,
    beside: Sequence[Callable[[Event], None]] = (),
) -> int:
    """Do jobs 处理作业 of the kinds that there are handlers for; returns how many were taken.

    Parameters
    ----------
    once
        End when nothing is due.
    stop
        Set it to end: handlers are stopped at their next report, and their jobs given back.
    threads
        How many jobs at once.
    beside
        What else this process does until the event is set, each in a thread of its own.
    """
    stop = stop or Event()
    worker = _Worker(workspace, handlers, stop)
    pool = [Thread(target=worker.run, args=(once,), name=f"jiqun-work-{number}") for number in range(threads)]
    others = [Thread(target=task, args=(stop,), name="jiqun-beside", daemon=True) for task in beside]
    over = Event()
    keeper = Thread(target=worker.keep, args=(over,), name="jiqun-keeper", daemon=True)
    for thread in (keeper, *others, *pool):
        thread.start()
    try:
        for thread in pool:
            while thread.is_alive():  # in slices, so that signals are heard
                thread.join(0.2)
    finally:
        if not once:
            stop.set()
        over.set()
        keeper.join()
    if stop.is_set():
        for thread in others:
            thread.join(SWEEP_SECONDS)
    return worker.taken


def tidy(workspace: Workspace) -> Callable[[Event], None]:
    """What a worker runs beside its jobs: once an hour, forget those that were over longer ago than `keep_jobs_days`."""
    kept = timedelta(days=float(workspace.settings["keep_jobs_days"].value))

    def follow(stop: Event) -> None:
        while not stop.is_set():
            try:
                workspace.database.jobs.forget(workspace.clock() - kept)
            except _AWAY as error:
                _log.warning("old jobs: %s", reason(error))
            stop.wait(_TIDY_SECONDS)

    return follow


class _Report:
    """One job's progress, written at most once a second; `keep` renews the lease meanwhile."""

    def __init__(self, jobs: Jobs, job: Job, stop: Event) -> None:
        self.job = job
        self._jobs = jobs
        self._stop = stop
        self._lost = False
        self._written = 0.0
        self._step = ""

    def __call__(self, step: str, done: int, total: int | None) -> None:
        if self._lost or self._stop.is_set():
            raise StopWork
        now = time.monotonic()
        if now - self._written >= _PROGRESS_SECONDS or step != self._step:
            self._written, self._step = now, step
            self._renew(progress(step, done, total))

    def keep(self) -> None:
        """Renew the lease of a job that may say nothing for long."""
        with suppress(StopWork):
            self._renew(None)

    def _renew(self, values: Mapping[str, object] | None) -> None:
        try:
            self._lost = not self._jobs.renew(self.job, values)
        except _AWAY as error:  # it may be back before the lease is over
            _log.warning("job %s: lease not renewed: %s", self.job.id, reason(error))
        if self._lost:
            raise StopWork


class _Worker:
    def __init__(self, workspace: Workspace, handlers: Mapping[str, Handler], stop: Event) -> None:
        self.taken = 0
        self._workspace = workspace
        self._handlers = handlers
        self._stop = stop
        self._jobs = workspace.database.jobs
        self._name = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
        self._running: dict[str, _Report] = {}
        self._lock = threading.Lock()

    def run(self, once: bool) -> None:
        """Take and do jobs, one after another."""
        wait = SWEEP_SECONDS
        while not self._stop.is_set():
            try:
                job = self._jobs.take(self._name, self._handlers.keys())
                if job is not None:
                    self._do(job)
                elif once:
                    return
                else:
                    self._jobs.sleep(_POLL_SECONDS)
                wait = SWEEP_SECONDS
            except _AWAY as error:
                if once:
                    raise
                _log.warning("database is away: %s; next try in %g s", reason(error), wait)
                self._stop.wait(wait)
                wait = min(2 * wait, _LONGEST_WAIT)

    def keep(self, over: Event) -> None:
        """Renew what runs until all is over."""
        while not over.wait(min(SWEEP_SECONDS, LEASE.total_seconds() / 4)):
            with self._lock:
                running = tuple(self._running.values())
            for report in running:
                report.keep()

    def _do(self, job: Job) -> None:
        report = _Report(self._jobs, job, self._stop)
        began = time.monotonic()
        with self._lock:
            self.taken += 1
            self._running[job.id] = report
        try:
            ended = self._outcome(job, report)
        finally:
            with self._lock:
                self._running.pop(job.id, None)
        _log.info("job %s %s attempt %d: %s in %.2f s", job.id, job.kind, job.attempt, ended, time.monotonic() - began)

    def _outcome(self, job: Job, report: Report) -> str:
        """Run the handler and write down what came of it; in a word."""
        try:
            result = self._handlers[job.kind](self._workspace, job, report)
            packed(result, "result")
        except StopWork:
            return "given back" if self._jobs.release(job) else "lost or cancelled"
        except _HOPELESS as error:
            return _settled(self._jobs.fail(job, told(error), again=False), f"refused, {error.code}")
        except (Exception, PanicException) as error:  # noqa: BLE001  # whatever it was, the next job can be done
            # the message may hold an address or a secret: where it happened is enough to find it
            frames = "\n".join(f"{f.filename}:{f.lineno} {f.name}" for f in traceback.extract_tb(error.__traceback__))
            _log.error("job %s %s failed with %s at\n%s", job.id, job.kind, type(error).__name__, frames)
            return _settled(self._jobs.fail(job, told(error), again=True), f"failed, {type(error).__name__}")
        return _settled(self._jobs.finish(job, result), "done")


def _settled(mine: bool, word: str) -> str:
    return word if mine else f"{word}, but no longer ours"
