"""The workspace 工作区: snapshots and results in one folder, one writer at a time, readers whenever they like."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import date
from functools import lru_cache
from itertools import count
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp
from threading import Lock
from typing import Literal
from weakref import finalize

import polars as pl
from sqlalchemy import URL

from jiqun.core.clock import Clock, system_clock
from jiqun.core.errors import UsageError, WorkspaceError
from jiqun.core.lineage import Lineage
from jiqun.core.progress import Progress, silent
from jiqun.core.schema import schema
from jiqun.store import config, database, manifest
from jiqun.store.database import Database
from jiqun.store.files import checked_name, make_folder, place, remove, stamp, told, write_bytes
from jiqun.store.lock import WriterLock
from jiqun.store.manifest import KindState, Manifest, result_path
from jiqun.store.results import JSON, StoredResult, find_result, read_result, write_result
from jiqun.store.snapshots import Snapshot, SnapshotWriter, parsed_date


@dataclass(frozen=True)
class Damage:
    """A file that is not as the manifest says."""

    file: str
    problem: Literal["missing", "changed", "unreadable"]


class Workspace:
    """One folder that keeps tables and results. Get one from `Workspace.init` or `Workspace.open`.

    Every question reads the manifest afresh, so that an open workspace sees what others wrote since;
    what was handed out (a `Snapshot`, a scan, a `StoredResult`) never changes.

    Examples
    --------
    >>> import tempfile
    >>> folder = tempfile.TemporaryDirectory()
    >>> workspace = Workspace.init(Path(folder.name) / "ws")
    >>> with workspace.new_snapshot("links", as_of="2025-06-30", source="links.csv") as writer:
    ...     writer.write(pl.DataFrame({"source": ["A"], "target": ["B"], "kind": ["supply"]}))
    >>> workspace.scan("links").collect().rows()
    [('A', 'B', 'supply')]
    >>> folder.cleanup()
    """

    def __init__(self, path: Path, *, clock: Clock = system_clock) -> None:
        self.path = path.resolve()
        self.clock = clock
        self.manifest()
        self.settings = config.resolve(self.path)
        self._lock = WriterLock(self.path / ".lock")
        self._scratch = self.path / ".tmp"
        self._serial = count()
        self._spare: Path | None = None
        self._database: Database | None = None
        self._opening = Lock()

    @classmethod
    def init(cls, path: Path | str, *, clock: Clock = system_clock) -> Workspace:
        """Make a new workspace 新建工作区 in a folder that is empty or not there yet.

        Raises
        ------
        WorkspaceError
            JQ-STORE-002: the folder holds something; JQ-STORE-010: it cannot be written.
        """
        root = Path(path)
        config.resolve(None)  # a wrong variable is better known before than after
        with told(root):
            if root.exists() and (not root.is_dir() or any(root.iterdir())):
                raise WorkspaceError("JQ-STORE-002", path=root)
            make_folder(root.resolve())
            write_bytes(root / config.NAME, config.template().encode())
            _put_manifest(root, root / f".{manifest.NAME}", Manifest())
        return cls(root, clock=clock)

    @classmethod
    def open(cls, path: Path | str, *, clock: Clock = system_clock) -> Workspace:
        """Open a workspace 打开工作区.

        Raises
        ------
        WorkspaceError
            JQ-STORE-001: not a workspace; JQ-STORE-003: of a later format; JQ-STORE-004: manifest damaged.
        UsageError
            JQ-STORE-022 to 024: a setting is wrong.
        """
        return cls(Path(path), clock=clock)

    def manifest(self) -> Manifest:
        """The state of the workspace now."""
        path = self.path / manifest.NAME
        try:
            content = path.read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            raise WorkspaceError("JQ-STORE-001", path=self.path) from None
        except OSError as error:
            raise WorkspaceError("JQ-STORE-010", path=path, reason=error.strerror) from error
        return _read(content, path)

    @property
    def cache(self) -> Path:
        """A folder for what can be made again; not backed up, may be emptied at any time.

        Where the workspace can only be read, a temporary one that goes with this object.
        """
        path = self.path / "cache"
        with suppress(OSError):
            path.mkdir(exist_ok=True)
            if os.access(path, os.W_OK) or any(path.iterdir()):
                return path
        if self._spare is None:
            with told(path):
                self._spare = Path(mkdtemp(prefix="jiqun-"))
            finalize(self, rmtree, self._spare, ignore_errors=True)
        return self._spare

    @contextmanager
    def writing(self, *, wait_seconds: float | None = None) -> Iterator[None]:
        """Be the only writer 独占写入, for several writes in a row; single writes do this themselves.

        `wait_seconds` defaults to the setting `lock_wait_seconds`.

        Raises
        ------
        WorkspaceError
            JQ-STORE-005: another process (named) is still writing after that time.
        """
        wait = float(self.settings["lock_wait_seconds"].value) if wait_seconds is None else wait_seconds
        with self._lock.held(wait) as outermost:
            if outermost:
                with told(self._scratch):
                    remove(self._scratch)  # what a writer that died has left
                    self._scratch.mkdir()
            try:
                yield
            finally:
                if outermost:
                    with suppress(OSError):
                        remove(self._scratch)

    @property
    def database(self) -> Database:
        """The operational database 运行库, opened on first use.

        Raises
        ------
        WorkspaceError
            JQ-STORE-037: of a later program; JQ-STORE-038: cannot be opened; JQ-STORE-010: the disk refuses.
        UsageError
            JQ-STORE-039, 040: the setting `database_url` is wrong, or its driver absent.
        """
        with self._opening:
            if self._database is None:
                local = URL.create("sqlite", database=str(self.path / database.NAME))
                url = str(self.settings["database_url"].value) or local
                wait = float(self.settings["lock_wait_seconds"].value)
                self._database = Database(url, clock=self.clock, wait_seconds=wait)
            return self._database

    @property
    def has_database(self) -> bool:
        """Whether there is one already; `database` would make it."""
        return bool(self.settings["database_url"].value) or (self.path / database.NAME).is_file()

    def close(self) -> None:
        """Close the database if it is open; it opens again when asked for."""
        with self._opening:
            if self._database is not None:
                self._database.close()
                self._database = None

    # Tables

    @contextmanager
    def new_snapshot(self, table: str, *, as_of: date | str, source: str) -> Iterator[SnapshotWriter]:
        """Load a table 装载: write frames to what is yielded; at the end of the block they become current.

        Any error in the block leaves the workspace as it was. Rows stream to disk; at most one row group is held.

        Parameters
        ----------
        table
            A table of `jiqun.core.schema`.
        as_of
            The date the rows speak of, also as `2025-06-30`.
        source
            Where the rows come from, for people.

        Raises
        ------
        UsageError
            JQ-USE-001: no such table; JQ-STORE-013: not a date; JQ-STORE-014: frames differ.
        WorkspaceError
            JQ-STORE-005: locked; JQ-STORE-010: the disk refuses; JQ-STORE-015: no frame came.
        """
        schema(table)
        with self.writing():
            writer = SnapshotWriter(self._own_scratch(), table, as_of=parsed_date(as_of), source=source)
            try:
                yield writer
                before = self.manifest()
                with told(self.path):
                    state = writer.commit(self.path, before.tables.get(table), self.clock())
                    self._put(before.with_table(table, state))
            except BaseException:
                writer.abandon()
                raise

    def tables(self) -> tuple[Snapshot, ...]:
        """The current snapshot of every table that has one, by table name."""
        return tuple(
            Snapshot.of(self.path, table, load)
            for table, state in sorted(self.manifest().tables.items())
            if (load := state.find(state.current))
        )

    def snapshot(self, table: str, id: str | None = None) -> Snapshot:  # noqa: A002  # what it is called everywhere
        """One snapshot of a table: the current one, or that of the `id` given.

        Raises
        ------
        UsageError
            JQ-USE-001: no such table; JQ-STORE-007: no such snapshot, naming the latest.
        WorkspaceError
            JQ-STORE-006: nothing was loaded yet.
        """
        schema(table)
        state = self.manifest().tables.get(table)
        if state is None:
            raise WorkspaceError("JQ-STORE-006", table=table)
        load = state.find(id or state.current)
        if load is None:
            known = dict.fromkeys(load.id for load in reversed(state.loads))
            raise UsageError("JQ-STORE-007", table=table, value=id, known=", ".join(list(known)[:5]))
        return Snapshot.of(self.path, table, load)

    def scan(self, table: str, id: str | None = None) -> pl.LazyFrame:  # noqa: A002
        """A snapshot's rows, lazily. The scan stays with its snapshot whatever is loaded later.

        Raises
        ------
        UsageError, WorkspaceError
            As `snapshot`; JQ-STORE-016: the file is missing.
        """
        return _scan(self.snapshot(table, id).path)

    def scan_quarantine(self, snapshot: Snapshot) -> pl.LazyFrame | None:
        """The rows that a load refused 隔离行, or None if there were none."""
        return _scan(snapshot.quarantine_path) if snapshot.quarantine_path else None

    def history(self, table: str) -> tuple[Snapshot, ...]:
        """Every load of a table 装载历史, newest first."""
        schema(table)
        state = self.manifest().tables.get(table)
        return tuple(Snapshot.of(self.path, table, load) for load in reversed(state.loads)) if state else ()

    def revert(self, table: str, *, to: str | None = None) -> Snapshot:
        """Make an earlier (or, with `to`, any) snapshot current 回退; nothing is deleted.

        Raises
        ------
        UsageError, WorkspaceError
            As `snapshot`; JQ-STORE-008: the current one is the first.
        """
        with self.writing():
            target = to or self.snapshot(table).previous
            if target is None:
                raise UsageError("JQ-STORE-008", table=table)
            snapshot = self.snapshot(table, target)
            before = self.manifest()
            self._put(before.with_table(table, replace(before.tables[table], current=snapshot.id)))
            return snapshot

    # Results

    def put_result(
        self,
        kind: str,
        lineage: Lineage,
        tables: Mapping[str, pl.DataFrame | Iterable[pl.DataFrame]],
        values: Mapping[str, JSON],
    ) -> StoredResult:
        """Store a result 存结果 and make it current. Equal lineage is equal result: it is not written twice.

        A table too large for memory comes as frames, one after the other.

        Raises
        ------
        UsageError
            JQ-STORE-009: `kind` or a table's name is not a plain name.
        WorkspaceError
            JQ-STORE-005: locked; JQ-STORE-010: the disk refuses.
        """
        checked_name("kind", kind)
        with self.writing():
            before = self.manifest()
            state = before.results.get(kind, KindState("", ()))
            entry = next((entry for entry in state.entries if entry.id == lineage.digest), None)
            if entry is None:
                folder, final = self._own_scratch(), self.path / result_path(kind, lineage.digest)
                with told(final):
                    entry = write_result(folder, kind, lineage, tables=tables, values=values, created=self.clock())
                    remove(final)  # may be there from a writer that died before its manifest
                    place(folder, final)
                state = replace(state, entries=(*state.entries, entry))
            if state.current != entry.id:
                self._put(before.with_kind(kind, replace(state, current=entry.id)))
            return read_result(self.path, kind, entry, current=True)

    def result(self, kind: str, id: str | None = None) -> StoredResult | None:  # noqa: A002
        """One result: the current one (None if there is none), or that whose id starts with `id`.

        Raises
        ------
        UsageError
            JQ-STORE-009: a name that cannot be; JQ-STORE-011: no such result; JQ-STORE-012: several.
        WorkspaceError
            JQ-STORE-016: its file is missing or damaged.
        """
        state = self._kind(kind)
        if id is None and not state.entries:
            return None
        entry = find_result(kind, state, id or state.current)
        return read_result(self.path, kind, entry, current=entry.id == state.current)

    def results(self, kind: str) -> tuple[StoredResult, ...]:
        """Every result of a kind, newest first."""
        state = self._kind(kind)
        return tuple(
            read_result(self.path, kind, entry, current=entry.id == state.current) for entry in reversed(state.entries)
        )

    # Upkeep

    def verify(self, *, progress: Progress = silent) -> tuple[Damage, ...]:
        """Read every file that counts and compare it with its digest 校验."""
        files = self.manifest().files()
        total, done = sum(file.bytes for file in files.values()), 0
        found: list[Damage] = []
        for name, expected in files.items():
            try:
                if stamp(self.path / name) != expected:
                    found.append(Damage(name, "changed"))
            except FileNotFoundError:
                found.append(Damage(name, "missing"))
            except OSError:
                found.append(Damage(name, "unreadable"))
            done += expected.bytes
            progress("verify", done, total)
        return tuple(found)

    def _kind(self, kind: str) -> KindState:
        return self.manifest().results.get(checked_name("kind", kind), KindState("", ()))

    def _own_scratch(self) -> Path:
        """A new folder for the files of one write, so that writes may be nested."""
        with told(self._scratch):
            folder = self._scratch / str(next(self._serial))
            folder.mkdir()
            return folder

    def _put(self, state: Manifest) -> None:
        with told(self.path):
            _put_manifest(self.path, self._scratch / manifest.NAME, state)


def _put_manifest(root: Path, temporary: Path, state: Manifest) -> None:
    write_bytes(temporary, state.to_bytes())
    place(temporary, root / manifest.NAME)


def _scan(path: Path) -> pl.LazyFrame:
    if not path.is_file():
        raise WorkspaceError("JQ-STORE-016", path=path)
    return pl.scan_parquet(path, glob=False)


def find_workspace(start: Path) -> Path | None:
    """The nearest folder from `start` upwards that holds a `jiqun.toml`."""
    start = Path(os.path.abspath(start))  # noqa: PTH100  # keeps links as the user sees them
    return next((folder for folder in (start, *start.parents) if (folder / config.NAME).is_file()), None)


@lru_cache(maxsize=8)
def _read(content: bytes, path: Path) -> Manifest:
    """A manifest by its content: a page asks for it a dozen times while nothing changes."""
    return Manifest.from_bytes(content, path)
