"""The operational database: commands, snapshots, types, migrations; the same on SQLite and PostgreSQL."""

import json
import runpy
import sqlite3
import stat
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from engines import OnPostgres, OnSqlite, together
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import func, insert, inspect, select, text
from sqlalchemy.exc import DBAPIError, IntegrityError

from jiqun.core.actor import LOCAL, Actor
from jiqun.core.errors import UsageError, WorkspaceError
from jiqun.core.schema import schemas
from jiqun.store import Workspace, migrations, proof
from jiqun.store.commands import LARGEST, packed
from jiqun.store.database import Database, new_key, table
from jiqun.store.tables import metadata

ROOT = Path(__file__).parents[2]


def count(database: Database, name: str) -> int:
    with database.read() as connection:
        return connection.execute(select(func.count()).select_from(table(name))).scalar_one()


def rows(database: Database, name: str) -> list:
    found = table(name)
    with database.read() as connection:
        return connection.execute(select(found).order_by(*found.primary_key)).all()


def account(tx, login: str = "a@b.cn", **more) -> str:
    made = {"id": tx.new_id("acc"), "login": login, "name": "甲", "role": "analyst", "state": "active"}
    tx.execute(insert(table("accounts")).values(**made | more, failures=0, created_at=tx.now))
    return made["id"]


class Commands:
    def test_a_command_is_answered_and_leaves_one_row_and_one_leaf(self, database):
        answer = database.command(LOCAL, "k", "accounts.add", account, request={"login": "a@b.cn"}, subject="a@b.cn")
        (made,), (command,), (leaf,) = (rows(database, name) for name in ("accounts", "commands", "leaves"))
        assert answer == made.id
        assert made.id.startswith("acc_")
        assert len(made.id) == 20
        assert (command.actor, command.key, command.operation, command.answer) == ("local", "k", "accounts.add", answer)
        assert (command.leaf, command.at) == (leaf.id, leaf.at) == (1, made.created_at)
        assert leaf.position is None
        body = proof.body_digest(leaf.salt, request=proof.request_digest({"login": "a@b.cn"}), answer=answer)
        data = proof.leaf_data(actor="local", at=leaf.at, body=body, operation="accounts.add", subject="a@b.cn")
        assert (leaf.body_digest, leaf.hash) == (body, proof.leaf_hash(data))

    def test_a_retry_gets_the_first_answer_and_runs_nothing(self, database):
        first = database.command(LOCAL, "k", "o", lambda tx: {"id": tx.new_id("x"), "all": (1, 2)}, request=[1])
        again = database.command(LOCAL, "k", "o", lambda tx: pytest.fail("ran"), request=[1])
        assert first == again
        assert first["all"] == [1, 2]  # as JSON has it, the first time too
        assert count(database, "leaves") == 1

    @pytest.mark.parametrize(("operation", "request_"), [("o", {"a": 2}), ("p", {"a": 1}), ("o", None)])
    def test_a_key_used_for_something_else_is_refused(self, database, operation, request_):
        database.command(LOCAL, "k", "o", lambda tx: None, request={"a": 1})
        with pytest.raises(UsageError, match="JQ-STORE-030"):
            database.command(LOCAL, "k", operation, lambda tx: None, request=request_)
        assert count(database, "commands") == 1

    def test_a_remembered_answer_is_asked_again_after_every_command_of_anyone(self, opened):
        mine, other = opened(), opened()
        asked = []

        def names(connection):
            asked.append(1)
            return connection.execute(select(func.count()).select_from(table("accounts"))).scalar_one()

        assert [mine.remembered("accounts", names) for _ in range(3)] == [0, 0, 0]
        assert len(asked) == 1
        for number, database in enumerate((mine, other, mine, other), start=1):
            database.command(LOCAL, f"k{number}", "accounts.add", lambda tx, n=number: account(tx, f"{n}@b.cn"))
            assert mine.remembered("accounts", names) == number
        assert mine.remembered("others", lambda _: "another question") == "another question"
        assert mine.remembered("accounts", names) == 4

    def test_a_command_that_was_begun_first_and_ends_last_is_not_overlooked(self, opened):
        first, second = opened(), opened()
        begun, go = threading.Event(), threading.Event()

        def count_(connection):
            return connection.execute(select(func.count()).select_from(table("accounts"))).scalar_one()

        def slow(tx):
            made = account(tx, "slow@b.cn")
            begun.set()
            go.wait(10)
            return made

        thread = threading.Thread(target=lambda: first.command(LOCAL, "slow", "accounts.add", slow))
        thread.start()
        begun.wait(10)
        if not second.sqlite:  # SQLite has one writer
            second.command(LOCAL, "quick", "accounts.add", lambda tx: account(tx, "quick@b.cn"))
        before = second.remembered("accounts", count_)
        go.set()
        thread.join(20)
        assert second.remembered("accounts", count_) == before + 1

    def test_keys_of_two_actors_have_nothing_to_do_with_each_other(self, database):
        other = Actor("other", frozenset({"analyst"}))
        assert database.command(LOCAL, "k", "o", lambda tx: 1) == 1
        assert database.command(other, "k", "o", lambda tx: 2, request={"x": 1}) == 2

    def test_an_error_undoes_everything_and_frees_the_key(self, database):
        def fail(tx):
            account(tx)
            tx.job("mail", {})
            raise UsageError("JQ-USE-008")

        with pytest.raises(UsageError, match="JQ-USE-008"):
            database.command(LOCAL, "k", "o", fail)
        assert [count(database, name) for name in ("accounts", "jobs", "commands", "leaves")] == [0] * 4
        assert database.command(LOCAL, "k", "other", lambda tx: 1) == 1

    def test_the_engines_refusals_reach_the_caller_and_undo_everything(self, database):
        database.command(LOCAL, "a", "o", account)
        with pytest.raises(IntegrityError):
            database.command(LOCAL, "b", "o", account)
        with pytest.raises(IntegrityError):  # enum
            database.command(LOCAL, "c", "o", lambda tx: account(tx, "x", role="king"))
        follow = insert(table("follows")).values(account="none", kind="firm", subject="s")
        with pytest.raises(IntegrityError):  # reference
            database.command(LOCAL, "d", "o", lambda tx: tx.execute(follow.values(at=tx.now)) and None)
        assert [count(database, name) for name in ("accounts", "commands", "leaves")] == [1] * 3

    def test_of_concurrent_duplicates_one_takes_effect_and_all_get_its_answer(self, database):
        def write(tx):
            return account(tx, tx.new_id("login"))

        answers = together(12, lambda number: database.command(LOCAL, "k", "o", write))
        assert len({*answers}) == 1
        assert [count(database, name) for name in ("accounts", "commands", "leaves")] == [1] * 3

    def test_one_that_fails_among_many_undoes_only_itself(self, database):
        def do(number):
            def write(tx):
                made = account(tx, f"{number}@b.cn")
                if number % 3 == 0:
                    raise ValueError(number)
                return made

            return database.command(LOCAL, f"k{number}", "o", write)

        answers = together(30, do)
        failed = [number for number, answer in enumerate(answers) if isinstance(answer, ValueError)]
        assert failed == [*range(0, 30, 3)]
        assert {made.id for made in rows(database, "accounts")} == {a for a in answers if isinstance(a, str)}
        assert len({command.leaf for command in rows(database, "commands")}) == count(database, "leaves") == 20

    def test_commands_act_as_if_one_after_another(self, database):
        """Two that look and then write, at once, are the classical write skew."""

        def write(tx):
            if tx.execute(select(func.count()).select_from(table("accounts"))).scalar_one() == 0:
                account(tx, tx.new_id("login"))
                return True
            return False

        answers = together(8, lambda number: database.command(LOCAL, f"k{number}", "o", write))
        assert sorted(map(str, answers)) == ["False"] * 7 + ["True"]
        assert count(database, "accounts") == 1

    def test_many_writers_and_readers_at_once(self, database):
        def do(number):
            with database.read() as connection:
                before = connection.execute(select(func.count()).select_from(table("leaves"))).scalar_one()
                database.command(LOCAL, new_key(), "o", lambda tx: number)
                assert connection.execute(select(func.count()).select_from(table("leaves"))).scalar_one() == before
            return number

        assert together(20, do) == [*range(20)]

    def test_a_command_within_a_command_is_a_mistake_that_is_told(self, database):
        with pytest.raises(RuntimeError, match="within a command"):
            database.command(LOCAL, "k", "o", lambda tx: database.command(LOCAL, "l", "o", lambda tx: 1))
        assert database.command(LOCAL, "k", "o", lambda tx: 1) == 1

    @pytest.mark.parametrize(
        ("key", "operation", "subject"), [("", "o", ""), ("k" * 201, "o", ""), ("k", "", ""), ("k", "o", "s" * 501)]
    )
    def test_names_have_bounds(self, database, key, operation, subject):
        with pytest.raises(UsageError, match="JQ-STORE-031"):
            database.command(LOCAL, key, operation, lambda tx: 1, subject=subject)

    @pytest.mark.parametrize("value", [float("nan"), {1, 2}, "\ud800", b"x", datetime(2025, 1, 1, tzinfo=UTC)])
    def test_what_is_not_json_is_refused_in_request_and_answer(self, database, value):
        for request, answer in ((value, 1), (1, value)):
            with pytest.raises(UsageError, match="JQ-STORE-032"):
                database.command(LOCAL, "k", "o", lambda tx, answer=answer: answer, request=request)
        assert count(database, "commands") == 0

    def test_what_is_too_large_is_refused(self, database):
        with pytest.raises(UsageError, match="JQ-STORE-033"):
            database.command(LOCAL, "k", "o", lambda tx: "x" * LARGEST)
        with pytest.raises(UsageError, match="JQ-STORE-033"):
            database.command(LOCAL, "k", "o", lambda tx: tx.job("mail", "x" * LARGEST))

    @pytest.mark.parametrize("login", ["a\0b", "a\ud800"])
    def test_text_that_one_engine_refuses_is_refused_by_both(self, database, login):
        with pytest.raises(UsageError, match="JQ-STORE-034"):
            database.command(LOCAL, "k", "o", lambda tx: account(tx, login))
        with pytest.raises(UsageError, match="JQ-STORE-034"), database.read() as connection:
            connection.execute(select(table("accounts")).where(table("accounts").c.login == login))

    def test_readers_cannot_write(self, database):
        with pytest.raises(DBAPIError), database.read() as connection:
            connection.execute(text("DELETE FROM jobs"))
        database.command(LOCAL, "k", "o", lambda tx: 1)

    def test_upkeep_writes_without_command_or_leaf(self, database):
        now = datetime(2025, 1, 1, tzinfo=UTC)
        lease = insert(table("leases")).values(name="n", holder="h", until=now)
        assert database.upkeep(lambda connection: connection.execute(lease).rowcount) == 1
        assert [count(database, name) for name in ("leases", "commands", "leaves")] == [1, 0, 0]

    def test_values_come_back_as_they_went_in(self, database):
        at = datetime(2025, 7, 1, 20, 30, 1, 234567, tzinfo=timezone(timedelta(hours=8)))
        document = {"名": ["集群", None, 1, 1.5, True, {"z": 1, "a": "\0"}]}

        def write(tx):
            acc = account(tx, "集群😀'\"\\", locked_until=at)
            token = {"id": "t", "secret_digest": "d", "account": acc, "name": "n", "scopes": document}
            tx.execute(insert(table("tokens")).values(**token, created_at=at, expires_at=at))
            tx.execute(insert(table("nodes")).values(level=0, position=2**62, hash=bytes(range(256))))
            return acc

        database.command(LOCAL, "k", "o", write)
        (made,), (token,), (node,) = (rows(database, name) for name in ("accounts", "tokens", "nodes"))
        assert (made.login, made.locked_until, made.language) == ("集群😀'\"\\", at, None)
        assert made.locked_until.tzinfo is UTC
        assert token.scopes == document
        assert (node.position, node.hash) == (2**62, bytes(range(256)))

    def test_moments_compare_as_moments(self, database):
        at = datetime(2025, 7, 1, 23, 59, 59, 999999, tzinfo=UTC)
        accounts = table("accounts")
        database.command(LOCAL, "k", "o", lambda tx: account(tx, locked_until=at))
        other_zone = at.astimezone(timezone(timedelta(hours=8)))
        with database.read() as connection:
            for asked, hits in ((at, 1), (other_zone, 1), (at - timedelta(microseconds=1), 0)):
                query = select(func.count()).select_from(accounts).where(accounts.c.locked_until <= asked)
                assert connection.execute(query).scalar() == hits
            with pytest.raises(Exception, match="zone"):
                connection.execute(select(accounts).where(accounts.c.locked_until < at.replace(tzinfo=None)))

    def test_what_was_committed_is_there_when_opened_again(self, opened):
        opened().command(LOCAL, "k", "o", lambda tx: 1)
        assert opened().command(LOCAL, "k", "o", lambda tx: 2) == 1

    def test_closed_is_closed(self, database):
        database.command(LOCAL, "k", "o", lambda tx: 1)
        database.close()
        database.close()
        if database.sqlite:
            with pytest.raises(WorkspaceError, match="JQ-STORE-036"):
                database.command(LOCAL, "l", "o", lambda tx: 1)


class TestCommandsOnSqlite(Commands, OnSqlite):
    def test_a_commit_that_fails_fails_every_command_of_its_batch(self, database):
        """References that are checked at the commit only, by one of many."""
        begun, held = threading.Event(), threading.Event()

        def hold(tx):
            begun.set()
            held.wait(10)

        def bad(tx):
            tx.execute(text("PRAGMA defer_foreign_keys = ON"))
            follow = insert(table("follows")).values(account="none", kind="firm", subject="s", at=tx.now)
            tx.execute(follow)

        threads = []
        outcomes: dict[str, object] = {}

        def give(key, fn):
            def run():
                try:
                    outcomes[key] = database.command(LOCAL, key, "o", fn)
                except WorkspaceError as error:
                    outcomes[key] = error

            threads.append(threading.Thread(target=run))
            threads[-1].start()

        give("hold", hold)
        begun.wait(10)
        for key, fn in (("a", account), ("bad", bad), ("b", lambda tx: 1)):
            give(key, fn)
        while len(database._committer._waiting) < 3:
            time.sleep(0.001)
        held.set()
        for thread in threads:
            thread.join()
        assert outcomes.pop("hold") is None
        assert {error.code for error in outcomes.values()} == {"JQ-STORE-035"}
        assert count(database, "commands") == 1
        assert database.command(LOCAL, "a", "o", account)

    def test_a_busy_database_is_told_after_the_wait(self, url, clock, tmp_path):
        database = Database(url, clock=clock, wait_seconds=0.05)
        other = sqlite3.connect(tmp_path / "jiqun.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(WorkspaceError, match=r"JQ-STORE-035.*locked"):
            database.command(LOCAL, "k", "o", lambda tx: 1)
        with database.read() as connection:  # readers do not care
            connection.execute(select(table("jobs"))).all()
        other.execute("ROLLBACK")
        other.close()
        assert database.command(LOCAL, "k", "o", lambda tx: 1) == 1
        database.close()

    def test_it_is_kept_as_the_design_says(self, database, tmp_path):
        with database._writer.connect() as connection:
            found = {
                name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
                for name in ("journal_mode", "synchronous", "foreign_keys")
            }
        assert found == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}
        for path in tmp_path.glob("jiqun.db*"):
            assert stat.S_IMODE(path.stat().st_mode) == 0o600

    def test_what_is_no_database_is_told(self, tmp_path):
        (tmp_path / "jiqun.db").write_text("this is no database, but long enough to be looked at" * 20)
        with pytest.raises(WorkspaceError, match="JQ-STORE-038"):
            Database(f"sqlite:///{tmp_path}/jiqun.db")


class TestCommandsOnPostgres(Commands, OnPostgres):
    def test_a_server_that_is_away_is_told_without_the_password(self):
        with pytest.raises(WorkspaceError, match="JQ-STORE-038") as told:
            Database("postgresql://jiqun:geheim@/none?host=/nowhere")
        assert "geheim" not in str(told.value)


@pytest.mark.parametrize(
    "url", ["mysql://x", "sqlite+aiosqlite:///x", "no url", "postgresql+nodriver://x", "oracle://x"]
)
def test_other_addresses_are_refused(url):
    if url.startswith("postgresql"):
        pytest.importorskip("psycopg")
        with pytest.raises(WorkspaceError, match="JQ-STORE-038"):  # the driver is chosen here, not there
            Database(url + ".invalid:1/x?connect_timeout=1")
    else:
        with pytest.raises(UsageError, match="JQ-STORE-039"):
            Database(url)


@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.text(st.characters(codec="utf-8")),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner),
    )
)
def test_packed_json_is_canonical(value):
    content = packed(value, "value")
    assert packed(json.loads(content), "value") == content


class Migrations:
    def test_the_tables_are_those_of_the_schemas(self, database):
        with database.read() as connection:
            context = MigrationContext.configure(connection, opts={"compare_type": True})
            assert compare_metadata(context, metadata()) == []
            for name, schema in schemas("operational").items():
                assert [column["name"] for column in inspect(connection).get_columns(name)] == [*schema.names]
                checks = {check["name"] for check in inspect(connection).get_check_constraints(name)}
                assert checks == {f"ck_{name}_{a.name}" for a in schema.attributes if a.check.startswith("enum:")}

    def test_up_down_and_up_again(self, database):
        database.command(LOCAL, "k", "o", account)
        with database._upkeeper.begin() as connection:
            migrations.downgrade(connection, "base")
            assert {*inspect(connection).get_table_names()} <= {"alembic_version"}
        with database._upkeeper.begin() as connection:
            migrations.upgrade(connection)
        assert count(database, "accounts") == 0
        database.command(LOCAL, "k", "o", account)
        self.test_the_tables_are_those_of_the_schemas(database)

    def test_rows_outlive_every_step_between_the_first_revision_and_the_last(self, database):
        database.command(LOCAL, "k", "o", account)
        for to in sorted(migrations.known(), reverse=True)[1:]:
            with database._upkeeper.begin() as connection:
                migrations.downgrade(connection, to)
                assert migrations.revision(connection) == to
            assert count(database, "accounts") == 1
        for to in sorted(migrations.known())[1:]:
            with database._upkeeper.begin() as connection:
                migrations.upgrade(connection, to)
            assert count(database, "accounts") == 1
        self.test_the_tables_are_those_of_the_schemas(database)

    def test_a_migration_that_fails_leaves_nothing(self, url, clock, monkeypatch):
        def fail(connection, to=migrations.HEAD):
            upgrade(connection, to)
            raise RuntimeError

        upgrade = migrations.upgrade
        monkeypatch.setattr(migrations, "upgrade", fail)
        with pytest.raises(RuntimeError):
            Database(url, clock=clock)
        monkeypatch.undo()
        made = Database(url, clock=clock)
        assert count(made, "jobs") == 0
        made.close()

    def test_a_database_of_a_later_program_is_refused_and_untouched(self, opened):
        database = opened()
        later = text("UPDATE alembic_version SET version_num = '9999'")
        database.upkeep(lambda connection: connection.execute(later) and None)
        with pytest.raises(WorkspaceError, match=rf"JQ-STORE-037.*9999.*{migrations.HEAD}"):
            opened()
        with database.read() as connection:
            assert migrations.revision(connection) == "9999"

    def test_first_opened_by_many_threads_at_once(self, opened):
        made = together(6, lambda number: opened())
        assert [count(database, "jobs") for database in made] == [0] * 6

    def test_first_opened_by_many_processes_at_once(self, url, opened):
        code = "import sys; from jiqun.store.database import Database; d = Database(sys.argv[1]); d.close()"
        children = [subprocess.Popen([sys.executable, "-c", code, url]) for _ in range(4)]
        assert [child.wait() for child in children] == [0] * 4
        assert count(opened(), "jobs") == 0


class TestMigrationsOnSqlite(Migrations, OnSqlite):
    pass


class TestMigrationsOnPostgres(Migrations, OnPostgres):
    pass


def test_the_newest_revision_is_the_one_that_is_declared_and_is_written_by_the_script():
    folder = Path(migrations.__file__).parent
    script = ScriptDirectory(str(folder))
    assert script.get_current_head() == migrations.HEAD
    assert {revision.revision for revision in script.walk_revisions()} == migrations.known()
    render = runpy.run_path(str(ROOT / "scripts" / "migration.py"))["written"]
    assert render() == (folder / "versions" / f"r{migrations.HEAD}.py").read_text(), "run python scripts/migration.py"


def test_a_workspace_opens_its_database_once_and_keeps_it_to_itself(workspace: Workspace):
    assert not (workspace.path / "jiqun.db").exists()
    made = together(4, lambda number: workspace.database)
    assert len({id(database) for database in made}) == 1
    assert stat.S_IMODE((workspace.path / "jiqun.db").stat().st_mode) == 0o600
    assert workspace.database.clock is workspace.clock
    workspace.close()
    assert workspace.database.command(LOCAL, "k", "o", lambda tx: 1) == 1
    workspace.close()
    assert [path.name for path in workspace.path.glob("jiqun.db*")] == ["jiqun.db"]
