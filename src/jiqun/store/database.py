"""The operational database 运行库 of a workspace: SQLite in its folder, or PostgreSQL by URL; one behaviour.

    with workspace.database.read() as connection:
        connection.execute(select(table("accounts")))

    workspace.database.command(actor, key, "accounts.close", close, request={"account": id}, subject=id)

Reading sees one moment. Writing is a command (`jiqun.store.commands`) or, for what the store notes about its own
workings (leases, job states, tree nodes), `upkeep`.
"""

from __future__ import annotations

import os
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar
from weakref import finalize

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError

from jiqun.core.actor import Actor
from jiqun.core.clock import Clock, system_clock
from jiqun.core.errors import UsageError, WorkspaceError
from jiqun.store import migrations
from jiqun.store.commands import Command, Transaction, new_id, new_key
from jiqun.store.committer import Committer, reason
from jiqun.store.jobs import Jobs
from jiqun.store.tables import JSON, metadata, table

__all__ = ["JSON", "Database", "Transaction", "metadata", "new_id", "new_key", "table"]

NAME = "jiqun.db"
MOST_TRIES = 20
"""How often PostgreSQL is asked again after it gave up a transaction for another's sake."""
_OPTIONS: dict[str, Any] = {"hide_parameters": True, "execution_options": {"preserve_rowcount": True}}
"""Errors show no values; every statement says how many rows it changed."""
_AGAIN = {"40001", "40P01"}
_KEY_TAKEN = "pk_commands"
T = TypeVar("T")


class Database:
    """The operational database. Get it from `workspace.database`.

    Parameters
    ----------
    url
        `sqlite:///file` or `postgresql://user@host/name`.
    wait_seconds
        How long to wait for another process that writes (SQLite) or for a connection.
    fill
        What fills it: then it must be empty. Else it is brought to this program's revision.
    """

    def __init__(
        self,
        url: str | URL,
        *,
        clock: Clock = system_clock,
        wait_seconds: float = 10.0,
        fill: Callable[[Connection], None] | None = None,
    ) -> None:
        self.url = _checked(url)
        self.clock = clock
        self.sqlite = self.url.get_backend_name() == "sqlite"
        self.jobs = Jobs(self)
        self._inside = threading.local()
        self._remembered: dict[str, tuple[str, Any]] = {}
        if self.sqlite:
            _make_private(Path(str(self.url.database)))
            self._reader = _sqlite(self.url, wait_seconds, begin="BEGIN", pragmas=("query_only = ON",))
            self._writer = _sqlite(self.url, wait_seconds, begin="BEGIN IMMEDIATE", pragmas=())
            self._upkeeper = self._writer
        else:
            wait = max(wait_seconds, 1)
            options = _OPTIONS | {"max_overflow": 40, "pool_timeout": wait}
            engine = create_engine(self.url, **options)
            self._reader = engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
            self._writer = engine.execution_options(isolation_level="SERIALIZABLE")
            self._upkeeper = engine.execution_options(isolation_level="READ COMMITTED")
        self._committer = Committer(self._writer)
        self._close = finalize(self, _end, self._committer, self._reader, self._writer)
        try:
            self._prepare(fill)
        except BaseException:
            self.close()
            raise

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection that sees one moment of the database and cannot change it."""
        with self._reader.connect() as connection:
            yield connection

    def remembered(self, name: str, ask: Callable[[Connection], T]) -> T:
        """What a question gave, asked again only after a command 按命令缓存; for short answers that pages need often.

        On PostgreSQL any writing transaction of the server has it asked again: the answer is right, and less is saved.

        Parameters
        ----------
        name
            Names the question; one answer is kept for each, so it holds nothing that a visitor says.
        ask
            Reads rows that only commands change (not those of `upkeep`). Its answer is shared and must not be changed.
        """
        with self.read() as connection:
            version = str(connection.exec_driver_sql(self._version).scalar())
            known = self._remembered.get(name)
            if known is None or known[0] != version:
                known = self._remembered[name] = version, ask(connection)
        answer: T = known[1]
        return answer

    @property
    def _version(self) -> str:
        """A query for what changes with every command: SQLite commits leaves in their order, PostgreSQL need not."""
        return "SELECT max(id) FROM leaves" if self.sqlite else "SELECT pg_current_snapshot()::text"

    def command(
        self,
        actor: Actor,
        key: str,
        operation: str,
        fn: Callable[[Transaction], JSON],
        *,
        request: JSON = None,
        subject: str = "",
    ) -> JSON:
        """Do something once and for all 执行命令: the only way to change what users see.

        `fn` gets a `Transaction`, changes rows through it and returns the answer. It must be short and touch nothing
        else: it may run more than once (where PostgreSQL gives up a transaction for another's sake), and is kept once.
        The command, a leaf of the journal and the jobs it queued are committed with it; then the answer is returned.
        An error of `fn` undoes everything and is raised here.

        Parameters
        ----------
        key
            Idempotency key of the actor. Given again, the first answer is returned and `fn` is not run.
        request, answer
            JSON without secrets: both are digested for the journal, the answer is kept.
        subject
            What it is about, such as an id: the journal can be asked by it.

        Raises
        ------
        UsageError
            JQ-STORE-030: the key was used for another operation or request; JQ-STORE-031 to 034: bounds.
        WorkspaceError
            JQ-STORE-035: it could not be committed; trying again with the same key is safe.
        """
        command = Command.of(actor, key, operation, fn, request=request, subject=subject)
        answer: JSON = self._write(lambda connection: command.run(connection, self.clock()), self._writer)
        self.jobs.wake()
        return answer

    def upkeep(self, fn: Callable[[Connection], T]) -> T:
        """Write what the store notes about its own workings: no command, no leaf. `fn` as for `command`.

        On PostgreSQL each statement sees what is committed by then: lock or state in `where` what you rely on.
        """
        return self._write(fn, self._upkeeper)

    def close(self) -> None:
        """Commit what waits and give the connections back."""
        self._close()

    def _write(self, part: Callable[[Connection], T], engine: Engine) -> T:
        if getattr(self._inside, "writing", False):
            raise RuntimeError("a command within a command: its function must touch its transaction only")

        def guarded(connection: Connection) -> T:
            self._inside.writing = True
            try:
                return part(connection)
            finally:
                self._inside.writing = False

        return self._committer.run(guarded) if self.sqlite else _retrying(guarded, engine)

    def _prepare(self, fill: Callable[[Connection], None] | None) -> None:
        """Bring the tables to this program's revision, or fill them; several may do so at once.

        Raises
        ------
        WorkspaceError
            JQ-STORE-037: the database is of a later program; JQ-STORE-038: it cannot be reached or is none;
            JQ-STORE-045: it is to be filled and is not empty.
        """
        where = self.url.render_as_string()
        try:
            with self._reader.connect() as connection:
                if fill is None and migrations.revision(connection) == migrations.HEAD:
                    return
            with self._upkeeper.begin() as connection:
                if not self.sqlite:
                    connection.exec_driver_sql("SELECT pg_advisory_xact_lock(7106977)")  # "jqi": one at a time
                if fill is not None and migrations.revision(connection) is not None:
                    raise WorkspaceError("JQ-STORE-045", where=where)
                (fill or migrations.upgrade)(connection)
        except DBAPIError as error:
            raise WorkspaceError("JQ-STORE-038", where=where, reason=reason(error)) from error


def _checked(url: str | URL) -> URL:
    try:
        made = make_url(url)
        if made.get_backend_name() == "postgresql":
            made = made.set(drivername="postgresql+psycopg")
            made.get_dialect().import_dbapi()
        elif made.drivername != "sqlite":
            raise ArgumentError(made.drivername)
    except (ArgumentError, NoSuchModuleError) as error:
        raise UsageError("JQ-STORE-039") from error
    except ImportError as error:
        raise UsageError("JQ-STORE-040") from error
    return made


def _make_private(path: Path) -> None:
    """The file holds digests of passwords: only its owner may read it. Its -wal and -shm follow it."""
    try:
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    except OSError as error:
        raise WorkspaceError("JQ-STORE-010", path=path, reason=error.strerror) from error


def _sqlite(url: URL, wait_seconds: float, *, begin: str, pragmas: tuple[str, ...]) -> Engine:
    local = {"timeout": wait_seconds, "check_same_thread": False}
    engine = create_engine(url, **_OPTIONS, max_overflow=-1, connect_args=local)

    @event.listens_for(engine, "connect")
    def connected(connection: Any, _: Any) -> None:
        connection.isolation_level = None  # transactions begin where `begun` says so, not where the driver guesses
        for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON", *pragmas):
            connection.execute(f"PRAGMA {pragma}").close()

    @event.listens_for(engine, "begin")
    def begun(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    return engine


def _retrying(part: Callable[[Connection], T], engine: Engine) -> T:
    """Run and commit one part; again if PostgreSQL gave it up."""
    for attempt in range(MOST_TRIES):
        try:
            with engine.begin() as connection:
                return part(connection)
        except DBAPIError as error:
            if not _again(error):
                if error.connection_invalidated:
                    raise WorkspaceError("JQ-STORE-035", reason=reason(error)) from error
                raise
            last = error
        time.sleep(random.uniform(0, min(0.5, 0.005 * 2**attempt)))  # noqa: S311  # no secret
    raise WorkspaceError("JQ-STORE-035", reason=reason(last)) from last


def _again(error: DBAPIError) -> bool:
    """Whether PostgreSQL gave the transaction up for another's sake, or another command with this key came first."""
    state = getattr(error.orig, "sqlstate", None)
    named = getattr(getattr(error.orig, "diag", None), "constraint_name", None)
    return state in _AGAIN or (state == "23505" and named == _KEY_TAKEN)


def _end(committer: Committer, *engines: Engine) -> None:
    committer.close()
    for engine in engines:
        engine.dispose()
