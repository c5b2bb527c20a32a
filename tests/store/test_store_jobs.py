"""Jobs and outbox: leases, tries, the worker; the same on SQLite and PostgreSQL."""

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta

import pytest
from engines import OnPostgres, OnSqlite, together
from sqlalchemy import func, insert, select
from sqlalchemy.exc import OperationalError

from jiqun.core.actor import LOCAL
from jiqun.core.errors import InputError, UsageError
from jiqun.store import Workspace
from jiqun.store.database import new_key, table
from jiqun.store.jobs import LEASE, StopWork, told
from jiqun.store.worker import tidy, work


class Hands:
    """A clock that stands until it is moved."""

    def __init__(self):
        self.now = datetime(2025, 7, 1, tzinfo=UTC)

    def __call__(self):
        return self.now


def queue(database, kind="a", payload=None, **options):
    return database.command(LOCAL, new_key(), "queue", lambda tx: tx.job(kind, payload, **options))


def note(workspace, job, step="note"):
    """What a handler writes: a row whose id the command makes, so that a repetition would show."""

    def write(tx):
        view = {"id": tx.new_id("view"), "organisation": job.id, "account": "w", "role": "r", "operation": "o"}
        tx.execute(insert(table("views")).values(**view, at=tx.now))
        return view["id"]

    return workspace.database.command(LOCAL, job.key(step), "note", write, subject=job.id)


def noted(database):
    views = table("views")
    with database.read() as connection:
        return dict(connection.execute(select(views.c.organisation, func.count()).group_by(views.c.organisation)).all())


class Jobs:
    @pytest.fixture
    def clock(self):
        return Hands()

    @pytest.fixture
    def workspace(self, tmp_path, url, clock, monkeypatch):
        if url.startswith("postgresql"):
            monkeypatch.setenv("JIQUN_DATABASE_URL", url)
        made = Workspace.init(tmp_path / "ws", clock=clock)
        yield made
        made.close()

    @pytest.fixture
    def database(self, workspace):
        return workspace.database

    def test_a_job_is_queued_with_its_command_only(self, database):
        def fail(tx):
            tx.job("a", 1)
            raise UsageError("JQ-USE-008")

        with pytest.raises(UsageError):
            database.command(LOCAL, "k", "o", fail)
        assert database.jobs.list() == ()
        made = queue(database, payload={"n": 1}, account="acc", organisation="org")
        job = database.jobs.find(made)
        assert (job.kind, job.payload, job.state, job.attempt) == ("a", {"n": 1}, "queued", 0)
        assert (job.account, job.organisation, job.due_at) == ("acc", "org", database.clock())
        assert database.jobs.find("none") is None

    def test_once_is_once_ever(self, database):
        made = together(6, lambda number: queue(database, payload=number, once="daily:2025-07-01"))
        assert len({*made}) == 1
        assert database.jobs.counts() == {"queued": 1}

    def test_take_gives_each_job_to_one_worker_in_the_order_they_are_due(self, database, clock):
        later = queue(database, payload=2, due_at=clock.now + timedelta(seconds=5))
        now = queue(database, payload=1)
        queue(database, "unknown")
        assert database.jobs.take("w", ["a"]).id == now
        assert database.jobs.take("w", ["a"]) is None
        clock.now += timedelta(seconds=5)
        job = database.jobs.take("v", ["a"])
        assert (job.id, job.state, job.attempt, job.worker) == (later, "running", 1, "v")
        assert job.lease_until == clock.now + LEASE

    def test_many_workers_never_share_a_job(self, database):
        made = {queue(database, payload=number) for number in range(24)}

        def drain(number):
            taken = []
            while job := database.jobs.take(f"w{number}", ["a"]):
                taken.append(job.id)
                assert database.jobs.finish(job, None)
            return taken

        taken = [job for some in together(6, drain) for job in some]
        assert sorted(taken) == sorted(made)

    def test_a_lease_that_ran_out_goes_to_another_and_the_first_can_change_nothing(self, database, clock):
        queue(database)
        first = database.jobs.take("w", ["a"])
        assert database.jobs.renew(first)
        clock.now += LEASE + timedelta(seconds=1)
        second = database.jobs.take("v", ["a"])
        assert (second.id, second.attempt) == (first.id, 2)
        assert not database.jobs.renew(first)
        assert not database.jobs.finish(first, "stale")
        assert not database.jobs.fail(first, None, again=True)
        assert not database.jobs.release(first)
        assert database.jobs.finish(second, {"n": 1})
        job = database.jobs.find(first.id)
        assert (job.state, job.result, job.finished_at) == ("done", {"n": 1}, clock.now)

    def test_the_same_worker_does_not_speak_for_an_earlier_attempt(self, database, clock):
        queue(database)
        first = database.jobs.take("w", ["a"])
        clock.now += LEASE + timedelta(seconds=1)
        second = database.jobs.take("w", ["a"])
        assert not database.jobs.finish(first, None)
        assert database.jobs.finish(second, None)

    def test_what_was_done_or_cancelled_long_ago_is_forgotten_and_what_failed_is_not(self, workspace, database, clock):
        ends = {
            "done": lambda job: database.jobs.finish(job, None),
            "cancelled": lambda job: database.jobs.cancel(LOCAL, new_key(), job.id),
            "dead": lambda job: database.jobs.fail(job, None, again=False),
        }
        made = {}
        for state, end in ends.items():
            made[state] = queue(database)
            assert end(database.jobs.take("w", ["a"]))
        clock.now += timedelta(days=89)
        made["recent"] = queue(database)
        assert database.jobs.finish(database.jobs.take("w", ["a"]), None)
        waiting = queue(database)
        clock.now += timedelta(days=2)
        stop = threading.Event()
        keeper = threading.Thread(target=tidy(workspace), args=(stop,))
        keeper.start()
        end = time.monotonic() + 30
        while len(database.jobs.list()) > 3 and time.monotonic() < end:
            time.sleep(0.01)
        stop.set()
        keeper.join()
        assert {job.id for job in database.jobs.list()} == {made["dead"], made["recent"], waiting}

    def test_a_job_that_kills_its_workers_ends_dead_with_a_reason(self, database, clock):
        made = queue(database, most_attempts=2)
        behind = queue(database, due_at=clock.now + timedelta(seconds=1))
        for _ in range(2):
            assert database.jobs.take("w", ["a"]).id == made
            clock.now += LEASE + timedelta(seconds=1)
        assert database.jobs.take("w", ["a"]).id == behind
        job = database.jobs.find(made)
        assert (job.state, job.reason["code"]) == ("dead", "JQ-STORE-042")
        assert "2" in job.reason["zh"]

    def test_pauses_grow_are_drawn_at_random_and_end(self, database, clock):
        made = queue(database, most_attempts=4)
        for attempt in range(1, 4):
            job = database.jobs.take("w", ["a"])
            assert job.attempt == attempt
            database.jobs.fail(job, told(InputError("JQ-USE-008")), again=True)
            job = database.jobs.find(made)
            assert job.state == "queued"
            assert clock.now <= job.due_at <= clock.now + timedelta(seconds=4 * 2 ** (attempt - 1))
            clock.now += timedelta(seconds=3600)
        database.jobs.fail(database.jobs.take("w", ["a"]), None, again=True)
        assert database.jobs.find(made).state == "dead"

    def test_cancelled_and_retried_by_command(self, database):
        made = queue(database)
        assert database.jobs.cancel(LOCAL, "c", made) is True
        assert database.jobs.cancel(LOCAL, "c", made) is True  # the same command
        assert database.jobs.cancel(LOCAL, "d", made) is False
        assert database.jobs.take("w", ["a"]) is None
        assert database.jobs.retry(LOCAL, "r", made) is True
        job = database.jobs.take("w", ["a"])
        assert database.jobs.retry(LOCAL, "s", made) is False
        assert database.jobs.cancel(LOCAL, "e", made) is True
        assert not database.jobs.finish(job, None)
        assert database.jobs.find(made).state == "cancelled"

    def test_lists_are_of_whom_they_ask_for(self, database):
        mine = queue(database, account="me")
        other = queue(database, "b")
        assert [job.id for job in database.jobs.list(account="me")] == [mine]
        assert [job.id for job in database.jobs.list(kind="b", state="queued")] == [other]
        assert len(database.jobs.list(limit=1)) == 1

    # The worker

    def test_the_worker_does_what_is_due_and_keeps_what_came_of_it(self, workspace, database):
        made = [queue(database, payload=number) for number in range(5)]
        queue(database, due_at=database.clock() + timedelta(days=1))

        def handler(workspace, job, report):
            report("count", job.payload, 5)
            note(workspace, job)
            return {"twice": 2 * job.payload}

        assert work(workspace, {"a": handler}, once=True) == 5
        for number, job in enumerate(map(database.jobs.find, made)):
            assert (job.state, job.result, job.step, job.done, job.total) == (
                "done",
                {"twice": 2 * number},
                "count",
                number,
                5,
            )
        assert noted(database) == dict.fromkeys(made, 1)

    def test_what_is_refused_is_dead_at_once_and_what_fails_is_tried_again(self, workspace, database, clock, caplog):
        refused, failed = queue(database), queue(database, "b", most_attempts=2)

        def refuse(workspace, job, report):
            raise InputError("JQ-STORE-018", path="x.tar")

        def fail(workspace, job, report):
            raise ConnectionError("https://hook/?secret=geheim")

        with caplog.at_level(logging.INFO, "jiqun"):
            work(workspace, {"a": refuse, "b": fail}, once=True)
            job = database.jobs.find(refused)
            assert (job.state, job.attempt, job.reason["code"]) == ("dead", 1, "JQ-STORE-018")
            assert "x.tar" in job.reason["en"]
            assert database.jobs.find(failed).state == "queued"
            clock.now += timedelta(hours=1)
            work(workspace, {"a": refuse, "b": fail}, once=True)
        job = database.jobs.find(failed)
        assert (job.state, job.attempt, job.reason["code"]) == ("dead", 2, "JQ-STORE-041")
        assert "ConnectionError" in job.reason["zh"]
        assert "geheim" not in caplog.text + str(job.reason)
        assert "ConnectionError" in caplog.text

    def test_a_result_that_is_no_json_is_a_mistake_of_the_handler(self, workspace, database):
        made = queue(database)
        work(workspace, {"a": lambda workspace, job, report: object()}, once=True)
        assert (database.jobs.find(made).state, database.jobs.find(made).reason["code"]) == ("dead", "JQ-STORE-032")

    def test_a_cancelled_job_stops_at_its_next_report(self, workspace, database):
        made, stopped = queue(database), []

        def handler(workspace, job, report):
            report("one", 0, None)
            workspace.database.jobs.cancel(LOCAL, "c", job.id)
            try:
                report("two", 0, None)
            except StopWork:
                stopped.append(job.id)
                raise

        assert work(workspace, {"a": handler}, once=True) == 1
        assert stopped == [made]
        assert database.jobs.find(made).state == "cancelled"

    def test_told_to_stop_it_gives_its_job_back_uncounted(self, workspace, database):
        made, stop = queue(database), threading.Event()

        def handler(workspace, job, report):
            stop.set()
            report("never", 0, None)

        assert work(workspace, {"a": handler}, stop=stop, threads=1) == 1
        job = database.jobs.find(made)
        assert (job.state, job.attempt, job.worker) == ("queued", 0, None)

    def test_what_an_earlier_attempt_wrote_is_not_written_again(self, workspace, database, clock):
        made, tries = queue(database), []

        def handler(workspace, job, report):
            tries.append(note(workspace, job))
            if len(tries) < 3:
                raise ConnectionError
            return tries[-1]

        for _ in range(3):
            work(workspace, {"a": handler}, once=True)
            clock.now += timedelta(hours=1)
        assert len(tries) == 3
        assert len({*tries}) == 1
        assert noted(database) == {made: 1}
        assert database.jobs.find(made).result == tries[0]

    def test_a_worker_that_waits_is_woken_by_a_command(self, workspace, database):
        stop = threading.Event()
        worker = threading.Thread(target=work, args=(workspace, {"a": lambda *_: 1}), kwargs={"stop": stop})
        worker.start()
        try:
            assert database.jobs.wait(queue(database), 30).state == "done"
        finally:
            stop.set()
            worker.join()

    def test_a_hundred_short_jobs_by_several_threads_each_once(self, workspace, database):
        def many(tx):
            return [tx.job("a", number) for number in range(100)]

        made = database.command(LOCAL, "k", "o", many)
        assert work(workspace, {"a": lambda w, job, report: note(w, job)}, once=True, threads=4) == 100
        assert noted(database) == dict.fromkeys(made, 1)


class TestJobsOnSqlite(Jobs, OnSqlite):
    def test_a_database_that_is_away_is_waited_for(self, workspace, database, monkeypatch, caplog):
        monkeypatch.setattr("jiqun.store.worker.SWEEP_SECONDS", 0.01)
        take, stop, errors = database.jobs.take, threading.Event(), [1, 2, 3]

        def flaky(worker, kinds):
            if errors:
                errors.pop()
                raise OperationalError("SELECT secret", {}, Exception("gone"))
            return take(worker, kinds)

        monkeypatch.setattr(database.jobs, "take", flaky)
        made = queue(database)
        thread = threading.Thread(
            target=work, args=(workspace, {"a": lambda *_: 1}), kwargs={"stop": stop, "threads": 1}
        )
        with caplog.at_level(logging.WARNING, "jiqun"):
            thread.start()
            assert database.jobs.wait(made, 30).state == "done"
            stop.set()
            thread.join()
        assert "away" in caplog.text
        assert "SELECT" not in caplog.text


class TestJobsOnPostgres(Jobs, OnPostgres):
    pass


def test_the_command_works_once_and_ends_on_sigterm(workspace, run):
    queue(workspace.database, "no such kind")
    workspace.close()
    status, out, err = run("work", "--once", "-w", workspace.path)
    assert (status, out) == (0, "")
    assert "0 jobs done" in err
    command = [sys.executable, "-c", "from jiqun.cli import main; main()", "work", "-w", str(workspace.path)]
    child = subprocess.Popen(command, stderr=subprocess.PIPE, env={**os.environ, "JIQUN_LANG": "en"})
    workspace.database.command(LOCAL, new_key(), "o", lambda tx: 1)
    unnumbered = select(table("leaves").c.id).where(table("leaves").c.position.is_(None))
    for _ in range(600):
        with workspace.database.read() as connection:
            if connection.execute(unnumbered).first() is None:
                break
        time.sleep(0.1)
    child.send_signal(signal.SIGTERM)
    _, err = child.communicate(timeout=60)
    assert child.returncode == 0, err.decode()
    assert b"jobs done" in err
