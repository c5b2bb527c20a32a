"""Backup and restore of the operational database, keys and uploads, from either engine to either."""

import json
import os
import stat
import tarfile
import threading
from datetime import UTC, datetime

import pytest
from engines import OnPostgres, OnSqlite
from sqlalchemy import insert, select
from test_store_archive import members, refused, rewrite

from jiqun.core.actor import LOCAL
from jiqun.core.errors import WorkspaceError
from jiqun.store import Workspace, backup, migrations, restore
from jiqun.store.database import new_key, table
from jiqun.store.journal import Journal
from jiqun.store.tables import metadata


def rows(workspace):
    with workspace.database.read() as connection:
        return {
            name: connection.execute(select(found).order_by(*found.primary_key)).all()
            for name, found in metadata().tables.items()
            if name != "leases"
        }


def live_in(workspace, count=30):
    """A little of everything."""

    def write(number):
        def fn(tx):
            account = {"id": tx.new_id("acc"), "login": f"{number}@集群.cn", "name": "😀\n\"'", "role": "analyst"}
            at = datetime(2025, 7, 1, 1, 2, 3, 456789, tzinfo=UTC)
            tx.execute(insert(table("accounts")).values(**account, state="active", failures=number, created_at=at))
            token = {"id": tx.new_id("tok"), "secret_digest": str(number), "account": account["id"], "name": "n"}
            scopes = ["读", {"\0": None}, 1.5]
            tx.execute(insert(table("tokens")).values(**token, scopes=scopes, created_at=at, expires_at=at))
            return {"account": account["id"], "job": tx.job("mail", {"to": number}, once=f"m{number % 20}")}

        return fn

    for number in range(count):
        workspace.database.command(LOCAL, f"k{number}", "test.write", write(number), request=number, subject="s")
    Journal(workspace).tick()
    folder = workspace.path / "uploads"
    (folder / "checks" / "imp_1").mkdir(parents=True)
    (folder / ("ab" * 32)).write_bytes(b"a,b\n" * 5000)
    (folder / "checks" / "imp_1" / "found.parquet").write_bytes(b"rows")
    (folder / ".part-1").write_bytes(b"half")
    (folder / "link").symlink_to("/etc/passwd")


class Backups:
    @pytest.fixture
    def full(self, tmp_path, url, clock, monkeypatch):
        if url.startswith("postgresql"):
            monkeypatch.setenv("JIQUN_DATABASE_URL", url)
        made = Workspace.init(tmp_path / "ws", clock=clock)
        live_in(made)
        yield made
        made.close()

    def same(self, full, again):
        assert rows(again) == rows(full)
        for name in ("journal.pem", "journal.pub"):
            path = again.path / "keys" / name
            assert path.read_bytes() == (full.path / "keys" / name).read_bytes()
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
        uploads = again.path / "uploads"
        found = {str(path.relative_to(uploads)) for path in uploads.rglob("*") if path.is_file()}
        assert found == {"ab" * 32, "checks/imp_1/found.parquet"}
        assert not (again.path / "database").exists()
        assert not (again.path / ".tmp").exists()

    def goes_on(self, again):
        """What was acknowledged is answered, what is new gets new numbers, the journal's tree grows on."""
        before = Journal(again).head()
        assert again.database.command(LOCAL, "k3", "test.write", None, request=3, subject="s")["account"]
        leaves = table("leaves")
        again.database.command(LOCAL, new_key(), "o", lambda tx: 1)
        assert Journal(again).tick() == 1
        with again.database.read() as connection:
            assert connection.execute(select(leaves.c.id).order_by(leaves.c.id.desc())).scalars().first() == 31
        assert Journal(again).head().size == before.size + 1 == 31

    def test_into_sqlite_and_on_it_goes(self, full, tmp_path, monkeypatch, clock):
        backup(full, tmp_path / "b.tar")
        monkeypatch.delenv("JIQUN_DATABASE_URL", raising=False)
        again = restore(tmp_path / "b.tar", tmp_path / "again", clock=clock)
        assert again.database.sqlite
        self.same(full, again)
        self.goes_on(again)
        assert stat.S_IMODE((again.path / "jiqun.db").stat().st_mode) == 0o600
        again.close()

    def test_into_postgres_and_on_it_goes(self, full, tmp_path, monkeypatch, postgres, request, clock):
        psycopg = pytest.importorskip("psycopg")
        with psycopg.connect(postgres, autocommit=True) as connection:
            connection.execute("CREATE DATABASE restored")
        try:
            backup(full, tmp_path / "b.tar.gz")
            monkeypatch.setenv("JIQUN_DATABASE_URL", postgres.replace("/postgres?", "/restored?"))
            again = restore(tmp_path / "b.tar.gz", tmp_path / "again", clock=clock)
            assert not again.database.sqlite
            self.same(full, again)
            self.goes_on(again)
            again.close()
            with pytest.raises(WorkspaceError, match="JQ-STORE-045"):
                restore(tmp_path / "b.tar.gz", tmp_path / "third")
            assert not (tmp_path / "third").exists()
        finally:
            with psycopg.connect(postgres, autocommit=True) as connection:
                connection.execute("DROP DATABASE restored WITH (FORCE)")

    def test_made_while_commands_go_on_it_is_one_moment(self, full, tmp_path, monkeypatch, clock):
        stop, errors = threading.Event(), []

        def write():
            while not stop.is_set():
                try:
                    full.database.command(LOCAL, new_key(), "o", lambda tx: {"job": tx.job("mail", 1)})
                except WorkspaceError as error:
                    errors.append(error)
                    return

        writers = [threading.Thread(target=write) for _ in range(3)]
        for writer in writers:
            writer.start()
        try:
            for number in range(3):
                backup(full, tmp_path / f"{number}.tar")
        finally:
            stop.set()
            for writer in writers:
                writer.join()
        assert errors == []
        monkeypatch.delenv("JIQUN_DATABASE_URL", raising=False)
        sizes = []
        for number in range(3):
            again = restore(tmp_path / f"{number}.tar", tmp_path / f"again{number}", clock=clock)
            found = rows(again)
            assert len(found["commands"]) == len(found["leaves"])
            assert {row.answer["job"] for row in found["commands"]} == {row.id for row in found["jobs"]}
            sizes.append(len(found["commands"]))
            again.close()
        assert sizes == sorted(sizes)

    def test_a_backup_says_neither_where_the_database_is_nor_its_password(self, full, tmp_path):
        (full.path / "jiqun.toml").write_text(
            'language = "zh"\n database_url = "postgresql://me:geheim@db/x"\n"database_url"= "postgresql://me:geheim@db/x"\n'
        )
        backup(full, tmp_path / "b.tar")
        assert b"geheim" not in (tmp_path / "b.tar").read_bytes()
        assert stat.S_IMODE((tmp_path / "b.tar").stat().st_mode) == 0o600

    def test_every_member_is_vouched_for(self, full, tmp_path, monkeypatch):
        backup(full, tmp_path / "b.tar")
        monkeypatch.delenv("JIQUN_DATABASE_URL", raising=False)
        good = members(tmp_path / "b.tar")
        bad, target = tmp_path / "bad.tar", tmp_path / "target"
        assert [member.name for member, _ in good][:2] == ["manifest.json", "jiqun.toml"]
        assert good[-1][0].name == "inventory.json"
        for i in range(2, len(good)):
            member, content = good[i]
            rewrite(bad, good[:i] + good[i + 1 :])
            assert refused(bad, target) == "JQ-STORE-018"
            rewrite(bad, [*good[:i], (member, b"!" + content[1:]), *good[i + 1 :]])
            assert refused(bad, target) == "JQ-STORE-019"
        for name in ("keys/other.pem", "uploads/../../x", "database/x.parquet", "keys/.hidden", "cache/x", "keys"):
            stray = tarfile.TarInfo(name)
            rewrite(bad, [*good[:-1], (stray, b""), good[-1]])
            assert refused(bad, target) == "JQ-STORE-019"

    def test_a_dump_of_a_later_program_is_refused(self, full, tmp_path, monkeypatch):
        monkeypatch.setattr("jiqun.store.dump.migrations.HEAD", "9999")
        backup(full, tmp_path / "b.tar")
        monkeypatch.undo()
        assert refused(tmp_path / "b.tar", tmp_path / "target") == "JQ-STORE-037"


class TestBackupsOfSqlite(Backups, OnSqlite):
    def test_what_the_inventory_holds(self, full, tmp_path):
        backup(full, tmp_path / "b.tar")
        inventory = json.loads(members(tmp_path / "b.tar")[-1][1])
        assert inventory["database"]["revision"] == migrations.HEAD
        assert (
            inventory["database"]["rows"] | {"leaves": 30, "accounts": 30, "jobs": 20} == inventory["database"]["rows"]
        )
        assert {name.split("/")[0] for name in inventory["files"]} == {"database", "keys", "uploads"}


class TestBackupsOfPostgres(Backups, OnPostgres):
    pass


def test_keys_are_private_whatever_the_umask(tmp_path, workspace):
    live_in(workspace, 1)
    before = os.umask(0)
    try:
        backup(workspace, tmp_path / "b.tar")
        again = restore(tmp_path / "b.tar", tmp_path / "again")
    finally:
        os.umask(before)
    for path in (tmp_path / "b.tar", again.path / "keys" / "journal.pem", again.path / "jiqun.db"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    workspace.close()
