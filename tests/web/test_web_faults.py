"""Consoles and workers killed at random moments while they work: what was acknowledged is there, once.

`JIQUN_FAULT_ROUNDS` says how many rounds of each. SIGKILL keeps what the system has cached: loss of power is not tried.
"""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
import time
from collections import Counter
from contextlib import contextmanager
from datetime import UTC, datetime

import polars as pl
import pytest
from faults import Customer, Door, Nursery, followed, patiently
from sqlalchemy import delete, select, update

from jiqun.accounts import channels, follows, tokens
from jiqun.accounts import people as accounts
from jiqun.atlas import declared as atlas
from jiqun.atlas import entries, work
from jiqun.core.actor import LOCAL
from jiqun.intake import import_records, imports, room
from jiqun.store import Workspace, archive, search
from jiqun.store.audit import audit
from jiqun.store.database import table
from jiqun.store.journal import Journal, all_heads

ROUNDS = int(os.environ.get("JIQUN_FAULT_ROUNDS", "4"))
CUSTOMERS = 4
PASSWORD = "correct horse battery staple"  # noqa: S105  # of a workspace that lives for one test


@pytest.fixture
def nursery(tmp_path):
    logs = tmp_path / "logs"
    logs.mkdir()
    opened = Nursery(logs)
    yield opened
    opened.close()


@contextmanager
def opened(path):
    workspace = Workspace.open(path)
    try:
        yield workspace
    finally:
        workspace.close()


def analyst(workspace, login):
    return accounts.add(LOCAL, workspace, login=login, name=login, role="analyst", password=PASSWORD, key=f"add-{login}")


def pass_time(workspace, *, jobs=True):
    """What a minute does: the leases of those who died are over."""

    def run_out(connection):
        connection.execute(delete(table("leases")))
        if jobs:
            rows = table("jobs")
            gone = update(rows).where(rows.c.state == "running").values(lease_until=datetime(2020, 1, 1, tzinfo=UTC))
            connection.execute(gone)

    workspace.database.upkeep(run_out)


def assert_whole(workspace):
    """Commands and leaves one to one, the database and the journal without a flaw."""
    commands, leaves = table("commands"), table("leaves")
    with workspace.database.read() as connection:
        recorded = connection.execute(select(commands.c.leaf)).scalars().all()
        there = connection.execute(select(leaves.c.id)).scalars().all()
    assert sorted(recorded) == sorted(there)
    assert audit(workspace) == ()
    if workspace.database.sqlite:
        checked = sqlite3.connect(f"file:{workspace.path}/jiqun.db?mode=ro", uri=True)
        assert checked.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        checked.close()


def heads(workspace):
    with workspace.database.read() as connection:
        return all_heads(connection)


def commands_of(workspace, account):
    """Answer and moment of each command of an account, by key."""
    rows = table("commands")
    with workspace.database.read() as connection:
        found = connection.execute(select(rows.c.key, rows.c.answer, rows.c.at).where(rows.c.actor == account)).all()
    return {row.key: row for row in found if row.key.startswith("customer-")}


def test_jobs_of(workspace, account):
    rows = table("jobs")
    asked = select(rows.c.id).where(rows.c.account == account, rows.c.kind == "deliver.mail")
    with workspace.database.read() as connection:
        return sorted(connection.execute(asked).scalars())


test_jobs_of.__test__ = False  # named after the operation


def assert_effects(workspace, account, customers):
    """What some commands did, and nothing else."""
    follows_ = {one.subject for one in follows.follows(workspace, account)}
    assert follows_ == set().union(*(followed(commands) for commands in customers))
    done = commands_of(workspace, account)
    assert {*done} == {command.key for commands in customers for command in commands}
    queued = [done[one.key].answer for commands in customers for one in commands if one.operation == "test_channel"]
    assert test_jobs_of(workspace, account) == sorted(queued)


class Faults:
    """The same on every engine."""

    @pytest.fixture
    def path(self, tmp_path, monkeypatch):
        monkeypatch.setenv("JIQUN_REQUESTS_PER_SECOND", "1000000")
        monkeypatch.setenv("JIQUN_SMTP_HOST", "127.0.0.1")
        return tmp_path / "ws"

    def test_no_acknowledged_command_is_lost_or_done_twice(self, path, nursery, monkeypatch, report):
        Workspace.init(path)
        with opened(path) as workspace:
            account = analyst(workspace, "li@example.org")
            token = tokens.make(account.actor, workspace, name="t", scopes=["accounts.*"], days=1, key="token").secret
            channel = channels.add(account.actor, workspace, "mail", "li@example.org", key="channel").id
            channels.switch(account.actor, workspace, channel, on=False, key="off")  # its jobs are done without mail
        moments, door, killed, seen, backups = random.Random(7), Door(), {}, [], []
        customers = [Customer(number, door, token, channel) for number in range(CUSTOMERS)]
        worker = nursery.start("work", "--workspace", path)
        for round_ in range(ROUNDS):
            cold = round_ % 10 == 9
            console = nursery.start("serve", "--no-work", "--workspace", path, "--port", 0, cold=cold)
            before = sum(len(customer.acknowledged()) for customer in customers)
            door.port = console.port()
            if round_ == 0:
                for customer in customers:
                    customer.start()
            if moments.random() < 0.85:  # else it may die before it has come up
                patiently(lambda: self.answered(customers) > before)
            time.sleep(moments.uniform(0, 0.4))
            if round_ % 5 == 1:
                backups.append(self.back_up(path, round_, customers, account.id, monkeypatch))
            if round_ % 3 == 1:
                with opened(path) as workspace:
                    self.check_under_way(workspace, account.id, customers)
                    now = heads(workspace)
                    assert now[: len(seen)] == seen
                    seen = now
            killed[round_] = datetime.now(UTC)
            console.kill()
            door.round = round_ + 1
            if moments.random() < 0.5:
                worker.kill()
                with opened(path) as workspace:
                    pass_time(workspace, jobs=False)
                worker = nursery.start("work", "--workspace", path)
        console = nursery.start("serve", "--no-work", "--workspace", path, "--port", 0)
        door.port = console.port()
        door.closed.set()
        for customer in customers:
            customer.join()
            assert customer.error is None, customer.error
        console.kill()
        worker.kill()
        with opened(path) as workspace:
            pass_time(workspace)
        nursery.start("work", "--once", "--workspace", path).end()
        with opened(path) as workspace:
            said = [customer.said for customer in customers]
            assert_effects(workspace, account.id, said)
            assert workspace.database.jobs.counts().keys() <= {"done"}
            assert_whole(workspace)
            now = heads(workspace)
            assert now[: len(seen)] == seen
            with workspace.database.read() as connection:
                assert now[-1].size == len(connection.execute(select(table("leaves").c.id)).all())
            done = commands_of(workspace, account.id)
        every = [command for commands in said for command in commands]
        for command in every:
            assert command.answer == ({"job": done[command.key].answer} if command.operation == "test_channel" else {})
        cut = [(command, round_) for command in every for round_ in command.cut]
        report(
            kills=ROUNDS,
            acknowledged=len(every),
            killed_mid_request=len(cut),
            retried=len({command.key for command, _ in cut}),
            committed_but_not_answered=sum(done[c.key].at <= killed.get(r, datetime.max.replace(tzinfo=UTC)) for c, r in cut),
            old_ones_repeated=sum(customer.repeated for customer in customers),
            backups=len(backups),
            heads=len(now),
        )
        assert not any("Traceback" in log.read_text(encoding="utf-8") for log in nursery.logs.iterdir())

    @staticmethod
    def answered(customers):
        errors = [customer.error for customer in customers if customer.error is not None]
        assert not errors, errors
        return sum(len(customer.acknowledged()) for customer in customers)

    @staticmethod
    def check_under_way(workspace, account, customers):
        """While others write: what was acknowledged a moment ago is there."""
        acknowledged = {command.key for customer in customers for command in customer.acknowledged()}
        assert acknowledged <= commands_of(workspace, account).keys()

    @staticmethod
    def back_up(path, round_, customers, account, monkeypatch):
        """A backup made under load holds one moment, no earlier than when it began, and goes on from there."""
        acknowledged = {command.key for customer in customers for command in customer.acknowledged()}
        target = path.with_name(f"backup-{round_}.tar")
        with opened(path) as workspace:
            archive.backup(workspace, target)
        with monkeypatch.context() as elsewhere:
            elsewhere.delenv("JIQUN_DATABASE_URL", raising=False)  # what comes from PostgreSQL goes to SQLite
            restored = archive.restore(target, path.with_name(f"restored-{round_}"))
            done = commands_of(restored, account)
            assert acknowledged <= done.keys()
            assert_effects(restored, account, [[c for c in list(one.said) if c.key in done] for one in customers])
            assert_whole(restored)
            Journal(restored).tick()
            assert_whole(restored)
            restored.close()
        return target

    def test_jobs_are_done_once_in_effect_however_often_workers_die(self, path, nursery, template, places, tmp_path, report):
        shutil.copytree(template, path, ignore=shutil.ignore_patterns("jiqun.db*", "cache", "keys"))
        (path / "cache").mkdir()
        for part in places.iterdir():
            (path / "cache" / part.name).symlink_to(part)
        moments, kills, cut = random.Random(3), Counter(), Counter()
        with opened(path) as workspace:
            li = analyst(workspace, "li@example.org").actor
            cambridge = workspace.result("clusters").table("clusters").filter(country="GB")["cluster_id"].item()
            followers = [analyst(workspace, f"{number}@example.org") for number in range(2)]
            for one in followers:
                follows.follow(one.actor, workspace, "cluster", f"clusters/{cambridge}", key="follow")

            def until_done():
                """Kill workers until every job is done; leave the last attempt of a job alone."""
                while waiting := [j for j in workspace.database.jobs.list(limit=10_000) if not j.over]:
                    worker = nursery.start("work", "--workspace", path)
                    last = any(job.attempt >= job.most_attempts - 1 for job in waiting)
                    began = time.monotonic()
                    limit = 120 if last else moments.expovariate(1.5)
                    while time.monotonic() - began < limit and any(not find(job.id).over for job in waiting):
                        time.sleep(0.01)
                    worker.kill()
                    pass_time(workspace)
                    running = [job.kind for job in workspace.database.jobs.list(state="running")]
                    kills["worker"] += 1
                    cut.update(running)

            find = workspace.database.jobs.find
            for round_ in range(ROUNDS):
                firms = firms_of(template, 20 + 30 * (round_ % 2) + round_)
                found = imports.receive(
                    li, workspace, [firms], filename="f.csv", table_name="organisations", key=f"up-{round_}"
                )
                until_done()
                room.check(li, workspace, room.One(id=found.id), key=f"check-{round_}")
                until_done()
                room.load(li, workspace, room.LoadRequest(id=found.id, replace=True), key=f"load-{round_}")
                until_done()
                found = import_records.find(li, workspace, found.id)
                assert found.state == "loaded", found.reason
                history = workspace.history("organisations")
                assert Counter(one.summary.get("import") for one in history)[found.id] == 1
                assert workspace.snapshot("organisations").id == found.snapshot == history[0].id
                asked = work.RunRequest(coverage="world", eps_km=20.0, size="size")
                work.run(li, workspace, asked, key=f"run-{round_}")
                until_done()
                assert len(workspace.results("clusters")) == round_ + 2
                assert workspace.result("clusters").lineage.inputs[0].digest == history[0].input.digest
                assert not search.stale(workspace, entries.ENTRIES)
                with workspace.database.read() as connection:
                    told = connection.execute(select(table("notices").c.account, table("notices").c.source)).all()
                assert Counter(row.account for row in told) == {one.id: round_ + 1 for one in followers}
                assert len(set(told)) == len(told)
            assert workspace.database.jobs.counts().keys() == {"done"}
            kinds = Counter(job.kind for job in workspace.database.jobs.list(limit=10_000))
            once = ("imports.read", "imports.check", "imports.load", "atlas.run", "notices.clusters")
            assert kinds == dict.fromkeys(once, ROUNDS) | {"search.index": 2 * ROUNDS}
            assert workspace.verify() == ()
            pass_time(workspace)
            Journal(workspace).tick()
            assert_whole(workspace)
        report(rounds=ROUNDS, **kills, cut_off=dict(cut))


def firms_of(template, more):
    """The register of the template and some more firms in Cambridge."""
    base = pl.read_csv(template.parent / "firms.csv")
    row = {"企业名称": "", "城市": "Cambridge", "省份": None, "国家": "GB", "规模": 3}
    added = pl.DataFrame([{**row, "企业名称": f"New {number}"} for number in range(more)], schema=base.schema)
    return pl.concat([base, added]).write_csv().encode()


@pytest.fixture
def report(request, record_property):
    """What happened, for who asks (`-rP`)."""

    def tell(**figures):
        print(request.node.name, figures)
        for name, value in figures.items():
            record_property(name, value)

    return tell


class TestFaultsOnSqlite(Faults):
    pass


class TestFaultsOnPostgres(Faults):
    @pytest.fixture
    def path(self, tmp_path, monkeypatch, postgres_database):
        monkeypatch.setenv("JIQUN_REQUESTS_PER_SECOND", "1000000")
        monkeypatch.setenv("JIQUN_SMTP_HOST", "127.0.0.1")
        monkeypatch.setenv("JIQUN_DATABASE_URL", postgres_database)
        return tmp_path / "ws"
