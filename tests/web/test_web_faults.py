"""Consoles and workers killed at random moments while they work: what was acknowledged is there, once.

`JIQUN_FAULT_ROUNDS` says how many rounds of each. SIGKILL keeps what the system has cached: loss of power is not tried.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from contextlib import contextmanager
from datetime import UTC, datetime

import polars as pl
import pytest
from faults import Customers, Nursery, followed, patiently
from sqlalchemy import delete, func, select, update

from jiqun.accounts import channels, follows, tokens
from jiqun.accounts import people as accounts
from jiqun.atlas import entries, work
from jiqun.core.actor import LOCAL
from jiqun.intake import import_records, imports, room
from jiqun.store import Workspace, archive, search
from jiqun.store.audit import audit
from jiqun.store.database import table
from jiqun.store.files import write_once
from jiqun.store.journal import Journal, all_heads

ROUNDS = int(os.environ.get("JIQUN_FAULT_ROUNDS", "3"))
JOB_ROUNDS = max(1, ROUNDS // 4)
"""Each takes a file from upload to notices, with some four kills on the way."""
CUSTOMERS = 4
PASSWORD = "correct horse battery staple"  # noqa: S105  # of a workspace that lives for one test
AFTER_RUN = ("notices.clusters", "atlas.place_chain", "atlas.count_core")
EVERY_KIND = ("imports.read", "imports.check", "imports.load", "atlas.run", *AFTER_RUN)


@pytest.fixture
def nursery(tmp_path):
    logs = tmp_path / "logs"
    logs.mkdir()
    started = Nursery(logs)
    yield started
    started.close()


@pytest.fixture
def tell(request):
    """What happened, for who asks (`-rP`)."""

    def say(**figures):
        sys.stdout.write(f"{request.node.name} {figures}\n")

    return say


@contextmanager
def opened(path):
    workspace = Workspace.open(path)
    try:
        yield workspace
    finally:
        workspace.close()


def analyst(workspace, login):
    more = {"name": login, "role": "analyst", "password": PASSWORD}
    return accounts.add(LOCAL, workspace, login=login, key=f"add-{login}", **more)


def pass_time(workspace, *, jobs=True):
    """What a minute does: the leases of those who died are over."""
    rows = table("jobs")

    def run_out(connection):
        connection.execute(delete(table("leases")))
        if jobs:
            past = datetime(2020, 1, 1, tzinfo=UTC)
            connection.execute(update(rows).where(rows.c.state == "running").values(lease_until=past))

    workspace.database.upkeep(run_out)


def assert_whole(workspace):
    """Commands and leaves one to one, the database and the journal without a flaw."""
    commands, leaves = table("commands"), table("leaves")
    with workspace.database.read() as connection:
        recorded = connection.execute(select(commands.c.leaf)).scalars().all()
        assert sorted(recorded) == sorted(connection.execute(select(leaves.c.id)).scalars())
    assert audit(workspace) == ()
    if workspace.database.sqlite:
        checked = sqlite3.connect(f"file:{workspace.path}/jiqun.db?mode=ro", uri=True)
        assert checked.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        checked.close()


def answers(workspace, account):
    """What was recorded as the answer of each of the customers' commands, by key."""
    rows = table("commands")
    asked = select(rows.c.key, rows.c.answer).where(rows.c.actor == account, rows.c.key.startswith("customer-"))
    with workspace.database.read() as connection:
        return {row.key: row.answer for row in connection.execute(asked)}


def assert_effects(workspace, account, said):
    """What some commands did, and nothing else, and each once."""
    recorded, rows = answers(workspace, account), table("jobs")
    every = [command for commands in said for command in commands]
    assert {*recorded} == {command.key for command in every}
    subjects = {one.subject for one in follows.follows(workspace, account)}
    assert subjects == set().union(*map(followed, said))
    asked = select(rows.c.id).where(rows.c.account == account, rows.c.kind == "deliver.mail")
    with workspace.database.read() as connection:
        queued = sorted(connection.execute(asked).scalars())
    assert queued == sorted(recorded[one.key] for one in every if one.operation == "test_channel")


class Heads:
    """Heads of the journal that someone has kept."""

    def __init__(self):
        self.kept = []

    def look(self, workspace):
        """None of them is ever gone or another."""
        with workspace.database.read() as connection:
            now = all_heads(connection)
        assert now[: len(self.kept)] == self.kept
        self.kept = now


def under_way(jobs):
    """Jobs that a living worker holds."""
    return [job for job in jobs.list(state="running", limit=10_000) if job.lease_until > datetime.now(UTC)]


def waiting(jobs):
    return [job for job in jobs.list(limit=10_000) if not job.over]


class Workers:
    """One `jiqun work` at a time, killed now and then."""

    def __init__(self, nursery, workspace):
        self.kills = 0
        self.cut = Counter()
        self._nursery = nursery
        self._workspace = workspace
        self._moments = random.Random(3)
        self._start()

    def _start(self):
        self._now = self._nursery.start("work", "--workspace", self._workspace.path, cold=True)

    def kill(self):
        self._now.kill()
        pass_time(self._workspace)

    def until_done(self, *kinds):
        """Wait for all jobs; meanwhile kill some workers, most of them at work on a job of these kinds."""
        jobs = self._workspace.database.jobs
        for _ in range(self._moments.choice([0, 1, 1, 2])):
            kind = self._moments.choice([None, *kinds, *kinds])
            if kind is not None:
                patiently(lambda kind=kind: not waiting(jobs) or kind in {job.kind for job in under_way(jobs)})
            time.sleep(self._moments.expovariate(6))
            running = under_way(jobs)
            if any(job.attempt >= job.most_attempts for job in running):
                break  # a job that ends so many workers is given up, as it should be
            self.kill()
            self.kills += 1
            self.cut.update(job.kind for job in running)
            self._start()
        patiently(lambda: not waiting(jobs))


def firms(template, more):
    """The register of the template and some more firms in Cambridge."""
    base = pl.read_csv(template.parent / "firms.csv")
    row = {"城市": "Cambridge", "省份": None, "国家": "GB", "规模": 3}
    added = pl.DataFrame([{**row, "企业名称": f"New {number}"} for number in range(more)], schema=base.schema)
    return pl.concat([base, added]).write_csv().encode()


class Faults:
    """The same on every engine."""

    @pytest.fixture
    def url(self):
        return ""

    @pytest.fixture
    def path(self, tmp_path, url, monkeypatch):
        monkeypatch.setenv("JIQUN_REQUESTS_PER_SECOND", "1000000")
        monkeypatch.setenv("JIQUN_SMTP_HOST", "127.0.0.1")
        monkeypatch.setenv("JIQUN_DATABASE_URL", url)
        return tmp_path / "ws"

    @pytest.fixture
    def account(self, path):
        Workspace.init(path)
        with opened(path) as workspace:
            return analyst(workspace, "li@example.org")

    @pytest.fixture
    def customers(self, path, account):
        """Their channel is off: what is queued for it is done without mail."""
        with opened(path) as workspace:
            token = tokens.make(account.actor, workspace, name="t", scopes=["accounts.*"], days=1, key="make").secret
            channel = channels.add(account.actor, workspace, "mail", "li@example.org", key="add").id
            channels.switch(account.actor, workspace, channel, on=False, key="off")
        return Customers(CUSTOMERS, token, channel)

    def test_no_acknowledged_command_is_lost_or_done_twice(self, path, nursery, account, customers, monkeypatch, tell):
        moments, heads, unheard = random.Random(7), Heads(), {}

        def serve(cold=False):
            console = nursery.start("serve", "--no-work", "--workspace", path, "--port", 0, cold=cold)
            customers.door.port = console.port()
            return console

        worker = nursery.start("work", "--workspace", path)
        console = serve()
        customers.come()
        for round_ in range(ROUNDS):
            if moments.random() < 0.85:  # else it may die before it has come up
                customers.wait()
            time.sleep(moments.uniform(0, 0.4))
            if round_ % 5 == 1:
                self.back_up(path, round_, account.id, customers, monkeypatch)
            if round_ % 3 == 1:
                acknowledged = customers.acknowledged()
                with opened(path) as workspace:
                    assert acknowledged <= answers(workspace, account.id).keys()
                    heads.look(workspace)
            console.kill()
            customers.door.round = round_ + 1
            if round_ % 4:  # else the next console is the first to see what this one left
                with opened(path) as workspace:
                    unheard[round_] = answers(workspace, account.id).keys()
            if moments.random() < 0.5:
                worker.kill()
                with opened(path) as workspace:
                    pass_time(workspace, jobs=False)
                worker = nursery.start("work", "--workspace", path)
            console = serve(cold=round_ % 10 == 9)
        customers.go()
        console.kill()
        worker.kill()
        with opened(path) as workspace:
            pass_time(workspace)
        nursery.start("work", "--once", "--workspace", path).end()
        every = [command for commands in customers.said() for command in commands]
        with opened(path) as workspace:
            recorded = answers(workspace, account.id)
            assert_effects(workspace, account.id, customers.said())
            assert workspace.database.jobs.counts().keys() <= {"done"}
            assert_whole(workspace)
            heads.look(workspace)
            with workspace.database.read() as connection:
                assert heads.kept[-1].size == connection.scalar(select(func.count()).select_from(table("leaves")))
        for command in every:
            assert command.answer == ({"job": recorded[command.key]} if command.operation == "test_channel" else {})
        assert "Traceback" not in nursery.said()
        cut = [(command.key, round_) for command in every for round_ in command.cut]
        tell(
            kills=ROUNDS,
            acknowledged=len(every),
            cut_in_a_request=len(cut),
            commands_retried=len({key for key, _ in cut}),
            committed_and_not_heard=sum(key in unheard.get(round_, ()) for key, round_ in cut),
            old_ones_repeated=customers.repeated(),
            heads=len(heads.kept),
        )

    @staticmethod
    def back_up(path, round_, account, customers, monkeypatch):
        """A backup made under load holds one moment, no earlier than when it began, and goes on from there."""
        acknowledged = customers.acknowledged()
        target = path.with_name(f"backup-{round_}.tar")
        with opened(path) as workspace:
            archive.backup(workspace, target)
        with monkeypatch.context() as elsewhere:
            elsewhere.setenv("JIQUN_DATABASE_URL", "")  # what comes from PostgreSQL goes to SQLite
            restored = archive.restore(target, path.with_name(f"restored-{round_}"))
            recorded = answers(restored, account)
            assert acknowledged <= recorded.keys()
            said = [[one for one in commands if one.key in recorded] for commands in customers.said()]
            assert_effects(restored, account, said)
            assert_whole(restored)
            Journal(restored).tick()
            assert_whole(restored)
            restored.close()

    def test_jobs_take_effect_once_however_often_workers_die(self, path, nursery, template, places, tell):
        shutil.copytree(template, path, ignore=shutil.ignore_patterns("jiqun.db*", "cache", "keys"))
        (path / "cache").mkdir()
        for part in places.iterdir():
            (path / "cache" / part.name).symlink_to(part)
        with opened(path) as workspace:
            li = analyst(workspace, "li@example.org").actor
            clusters = workspace.result("clusters").table("clusters")
            followers = [analyst(workspace, f"{number}@example.org") for number in range(2)]
            for one in followers:
                subject = f"clusters/{clusters.filter(country='GB')['cluster_id'].item()}"
                follows.follow(one.actor, workspace, "cluster", subject, key="follow")
            workers = Workers(nursery, workspace)
            for round_ in range(JOB_ROUNDS):
                # each file differs from all before, and enough from the last for followers to be told
                content = firms(template, 20 + 30 * (round_ % 2) + round_)
                self.load(workers, workspace, li, content, key=str(round_))
                search_ = work.RunRequest(coverage="world", eps_km=20.0, size="size")
                work.run(li, workspace, search_, key=f"run-{round_}")
                workers.until_done("atlas.run", *AFTER_RUN, "search.index")
                assert len(workspace.results("clusters")) == round_ + 2  # one more, beside the template's
                assert workspace.result("clusters").lineage.inputs[0] == workspace.snapshot("organisations").input
                assert not search.stale(workspace, entries.ENTRIES)
                rows = table("notices")
                with workspace.database.read() as connection:
                    told = connection.execute(select(rows.c.account, rows.c.source)).all()
                assert len(set(told)) == len(told)
                assert Counter(row.account for row in told) == {one.id: round_ + 1 for one in followers}
            workers.kill()
            jobs = [job for job in workspace.database.jobs.list(limit=10_000) if job.payload is not None]
            assert workspace.database.jobs.counts().keys() == {"done"}
            wanted = dict.fromkeys(EVERY_KIND, JOB_ROUNDS) | {"search.index": 2 * JOB_ROUNDS}
            assert Counter(job.kind for job in jobs) == wanted
            assert workspace.verify() == ()
            Journal(workspace).tick()
            assert_whole(workspace)
        assert "Traceback" not in nursery.said()
        tell(rounds=JOB_ROUNDS, kills=workers.kills, cut=dict(workers.cut))

    @staticmethod
    def load(workers, workspace, li, content, *, key):
        """From upload to table: exactly one snapshot, and it is current."""
        upload = {"filename": "f.csv", "table_name": "organisations"}
        found = imports.receive(li, workspace, [content], **upload, key=f"upload-{key}")
        workers.until_done("imports.read")
        room.check(li, workspace, room.One(id=found.id), key=f"check-{key}")
        workers.until_done("imports.check")
        room.load(li, workspace, room.LoadRequest(id=found.id, replace=True), key=f"load-{key}")
        workers.until_done("imports.load", "search.index")
        found = import_records.find(li, workspace, found.id)
        assert found.state == "loaded", found.reason
        history = workspace.history("organisations")
        assert [load.id for load in history if load.summary.get("import") == found.id] == [found.snapshot]
        assert workspace.snapshot("organisations").id == found.snapshot


class TestFaultsOnSqlite(Faults):
    pass


class TestFaultsOnPostgres(Faults):
    @pytest.fixture
    def url(self, postgres_database):
        return postgres_database


MANY_AT_ONCE = """
import sys
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from jiqun.store.tables import metadata

sys.setswitchinterval(1e-5)
start = Barrier(8)

def made(_):
    start.wait()
    return id(metadata())

with ThreadPoolExecutor(8) as pool:
    print(len(set(pool.map(made, range(8)))))
"""


def test_threads_that_come_at_once_see_the_same_tables():
    """Of two sets of tables a statement would name one table twice, and a worker could not give a job up."""
    done = subprocess.run([sys.executable, "-c", MANY_AT_ONCE], capture_output=True, text=True, check=True)
    assert done.stdout == "1\n"


KILLED_AT_THE_FLUSH = """
import os, signal, sys
from pathlib import Path
from jiqun.store.files import write_once

os.fsync = lambda _: os.kill(os.getpid(), signal.SIGKILL)
write_once(Path(sys.argv[1]), b"first")
"""


def test_a_key_is_there_whole_or_not_at_all(tmp_path):
    path = tmp_path / "some.key"
    assert subprocess.run([sys.executable, "-c", KILLED_AT_THE_FLUSH, path], check=False).returncode == -signal.SIGKILL
    assert not path.exists()
    for content in (b"second", b"third"):
        write_once(path, content)
    assert path.read_bytes() == b"second"
    assert path.stat().st_mode & 0o777 == 0o600
