"""Backup and restore 备份与恢复: one tar file that holds the whole workspace, made while others use it.

In it, in this order: the manifest and the settings; every file that the manifest names; the rows of the operational
database, of one moment, in a form that any engine can take (`jiqun.store.dump`); keys and uploaded files; and last the
inventory, which vouches for all that the manifest does not name. What can be made again (cache, search index) is left
out, and so is where the database lives: a restored workspace never speaks to the database of the one that it was.

The rows are read before the manifest: what they speak of is in the backup.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, BinaryIO, Protocol

from sqlalchemy import URL

from jiqun.core.clock import Clock, system_clock
from jiqun.core.errors import InputError, WorkspaceError
from jiqun.core.progress import Progress, silent
from jiqun.store import config, database, manifest
from jiqun.store.database import Database
from jiqun.store.dump import Dump, dump, filling
from jiqun.store.files import Stamp, make_folder, place, remove, sync, told, write_bytes
from jiqun.store.manifest import Manifest
from jiqun.store.workspace import Workspace

_PIECE = 1 << 20
_LARGEST_MANIFEST = 1 << 28
_LARGEST_SETTINGS = 1 << 20
_LARGEST_INVENTORY = 1 << 28
_DIGEST = "JIQUN.sha256"
"""The tar header that vouches for settings and inventory, which nothing names."""
_INVENTORY = "inventory.json"
_TABLES = "database"
_LOOSE = ("keys", "uploads", "chains", "frameworks")
"""Folders of files that no manifest names. Keys are for their owner only."""
_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,199}")


class _Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


class _Counted:
    """A file as tarfile reads it, digested on the way."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._digest = hashlib.sha256()
        self._bytes = 0

    def read(self, size: int) -> bytes:
        piece = self._file.read(size)
        self._digest.update(piece)
        self._bytes += len(piece)
        return piece

    @property
    def stamp(self) -> Stamp:
        return Stamp(self._digest.hexdigest(), self._bytes)


def backup(workspace: Workspace, target: Path | str, *, progress: Progress = silent) -> Manifest:
    """Write the workspace as it is now into one archive 备份; compressed if the name ends in `gz`.

    It holds private keys and digests of passwords: only its owner may read it.

    Parameters
    ----------
    target
        The archive to make, such as `jiqun-2025-06-30.tar.gz`. Parquet is compressed already: `.tar` is as good.

    Returns
    -------
    The manifest that went into the archive.

    Raises
    ------
    WorkspaceError
        JQ-STORE-010: the disk refuses; JQ-STORE-016: a file of the workspace is missing or damaged;
        JQ-STORE-020: `target` exists already. No half archive is left then.
    """
    target = Path(target)
    if target.exists():
        raise WorkspaceError("JQ-STORE-020", path=target)
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    rows = target.with_name(f".{target.name}.{os.getpid()}.rows")
    with told(target):
        try:
            rows.mkdir()
            made = dump(workspace.database, rows) if workspace.has_database else None
            state = workspace.manifest()
            os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
            with _writable(temporary, compressed=target.name.endswith("gz")) as tar:
                _put_all(tar, workspace, state, made, rows, progress)
            sync(temporary)
            place(temporary, target)
        finally:
            remove(temporary)
            remove(rows)
    return state


def restore(
    archive: Path | str, into: Path | str, *, progress: Progress = silent, clock: Clock = system_clock
) -> Workspace:
    """Make a workspace from a backup 恢复, in a folder that is empty or not there yet.

    The manifest must come first; of what it names all must come, each once, as a plain file of the length and digest
    it states. The same holds for the rest and the inventory. The database is SQLite in the folder, or the empty
    PostgreSQL database that `JIQUN_DATABASE_URL` names.

    Raises
    ------
    InputError
        JQ-STORE-018: not a backup, or cut off; JQ-STORE-019: a member that does not belong there.
    WorkspaceError
        JQ-STORE-002: the folder holds something; JQ-STORE-003: of a later format; JQ-STORE-010: the disk
        refuses; JQ-STORE-037, 038, 045: the database. Nothing is left in the folder then.
    """
    archive, into = Path(archive), Path(into)
    url = config.resolve(None)["database_url"].value  # a wrong variable is better known before than after
    with told(into):
        if into.exists() and (not into.is_dir() or any(into.iterdir())):
            raise WorkspaceError("JQ-STORE-002", path=into)
        new, made = not into.exists(), [into / ".tmp"]
        try:
            make_folder(into.resolve())
            made[0].mkdir()
            rows = _unpack(archive, made[0], progress)
            if rows is not None:
                where = str(url) or URL.create("sqlite", database=str(made[0] / database.NAME))
                Database(where, clock=clock, fill=filling(rows, made[0] / _TABLES)).close()
            remove(made[0] / _TABLES)
            # the manifest makes it a workspace, so it goes last
            for path in sorted(made[0].iterdir(), key=lambda path: path.name == manifest.NAME):
                made.append(into / path.name)
                place(path, made[-1])
            remove(made[0])
        except BaseException:
            with suppress(OSError):  # what went wrong first is what is told
                for path in made:
                    remove(path)
                if new:
                    into.rmdir()
            raise
    return Workspace.open(into, clock=clock)


@contextmanager
def _writable(path: Path, *, compressed: bool) -> Iterator[tarfile.TarFile]:
    if compressed:
        with tarfile.open(path, "w:gz", compresslevel=1) as tar:
            yield tar
    else:
        with tarfile.open(path, "w") as tar:
            yield tar


def _put_all(
    tar: tarfile.TarFile, workspace: Workspace, state: Manifest, made: Dump | None, rows: Path, progress: Progress
) -> None:
    files, loose = state.files(), dict(_loose(workspace.path))
    loose |= {f"{_TABLES}/{path.name}": path for path in sorted(rows.iterdir())}
    total = sum(file.bytes for file in files.values()) + sum(_size(path) for path in loose.values())
    done = 0
    _add(tar, manifest.NAME, state.to_bytes())
    _add(tar, config.NAME, _settings(workspace))
    for name, expected in files.items():
        _add_file(tar, workspace.path / name, name, expected)
        done += expected.bytes
        progress("backup", done, total)
    stamps: dict[str, Stamp] = {}
    for name, path in loose.items():
        found = _add_loose(tar, path, name)
        if found is not None:
            stamps[name] = found
            done += found.bytes
            progress("backup", min(done, total), total)
    inventory = {
        "database": None if made is None else {"revision": made.revision, "rows": dict(made.rows)},
        "files": {name: [found.digest, found.bytes] for name, found in stamps.items()},
    }
    _add(tar, _INVENTORY, json.dumps(inventory, indent=1).encode())


def _loose(root: Path) -> Iterator[tuple[str, Path]]:
    """Files that no manifest names, by the name in the archive; what begins with a dot is not finished yet."""
    for folder in _LOOSE:
        for path in sorted((root / folder).rglob("*")):
            parts = path.relative_to(root).parts
            if all(map(_PART.fullmatch, parts)) and path.is_file() and not path.is_symlink():
                yield "/".join(parts), path


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _settings(workspace: Workspace) -> bytes:
    path = workspace.path / config.NAME
    return config.without_secrets(path.read_bytes()) if path.is_file() else config.template().encode()


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    member.pax_headers = {_DIGEST: hashlib.sha256(content).hexdigest()}
    tar.addfile(member, io.BytesIO(content))


def _add_file(tar: tarfile.TarFile, path: Path, name: str, expected: Stamp) -> None:
    member = tarfile.TarInfo(name)
    member.size = expected.bytes
    try:
        with path.open("rb") as file:
            member.mtime = int(os.fstat(file.fileno()).st_mtime)
            counted = _Counted(file)
            try:
                tar.addfile(member, counted)  # type: ignore[arg-type]  # it only reads
            except OSError as error:
                if error.errno is None:  # tarfile: shorter than stated
                    raise WorkspaceError("JQ-STORE-016", path=path) from error
                raise
            if counted.stamp != expected or file.read(1):
                raise WorkspaceError("JQ-STORE-016", path=path)
    except FileNotFoundError as error:
        raise WorkspaceError("JQ-STORE-016", path=path) from error


def _add_loose(tar: tarfile.TarFile, path: Path, name: str) -> Stamp | None:
    """Add a file that nothing vouches for yet and say what went in; one that is gone by now is not missed."""
    try:
        with path.open("rb") as file:
            member = tarfile.TarInfo(name)
            member.mode, member.size = 0o600, os.fstat(file.fileno()).st_size
            counted = _Counted(file)
            try:
                tar.addfile(member, counted)  # type: ignore[arg-type]  # it only reads
            except OSError as error:
                if error.errno is None:  # tarfile: shorter than it was a moment ago
                    raise WorkspaceError("JQ-STORE-016", path=path) from error
                raise
            return counted.stamp
    except FileNotFoundError:
        return None


def _unpack(archive: Path, into: Path, progress: Progress) -> Dump | None:
    unpacking = _Unpacking(archive, into, progress)
    try:
        with tarfile.open(archive, "r:*") as tar:
            for member in tar:
                plain = member.type in {tarfile.REGTYPE, tarfile.AREGTYPE}
                unpacking.take(member, tar.extractfile(member) if plain else None)
    except (tarfile.TarError, EOFError, zlib.error, UnicodeError) as error:
        raise InputError("JQ-STORE-018", path=archive) from error
    except OSError as error:
        if error.errno is None:  # so gzip says that it is none, or damaged
            raise InputError("JQ-STORE-018", path=archive) from error
        raise
    return unpacking.end()


class _Unpacking:
    """Takes one member after another and refuses what does not belong."""

    def __init__(self, archive: Path, into: Path, progress: Progress) -> None:
        self._archive = archive
        self._into = into
        self._progress = progress
        self._expected: dict[str, Stamp] | None = None
        self._inventory: tuple[dict[str, Stamp], Dump | None] | None = None
        self._loose: dict[str, Stamp] = {}
        self._seen: set[str] = set()
        self._done = self._total = 0

    def take(self, member: tarfile.TarInfo, content: IO[bytes] | None) -> None:
        """Check and write one member."""
        name = member.name
        if content is None or name in self._seen:
            raise self._stray(name)
        self._seen.add(name)
        if self._expected is None:
            self._take_manifest(member, content)
        elif name == config.NAME and member.size <= _LARGEST_SETTINGS:
            write_bytes(self._into / name, self._vouched(content.read(), member))
        elif name == _INVENTORY and member.size <= _LARGEST_INVENTORY:
            self._inventory = _inventory(self._vouched(content.read(), member), self._archive)
        elif name in self._expected and member.size == self._expected[name].bytes:
            if self._copy(content, member, private=False) != self._expected[name]:
                raise self._stray(name)
        elif _may_be_loose(name):
            self._loose[name] = self._copy(content, member, private=True)
        else:
            raise self._stray(name)

    def end(self) -> Dump | None:
        """Check that all came and nothing else; what is known of the database."""
        if self._expected is None or self._inventory is None:
            raise InputError("JQ-STORE-018", path=self._archive)
        files, rows = self._inventory
        if not self._seen >= {*self._expected, *files, config.NAME}:
            raise InputError("JQ-STORE-018", path=self._archive)
        for name, found in self._loose.items():
            if files.get(name) != found:
                raise self._stray(name)
        return rows

    def _take_manifest(self, member: tarfile.TarInfo, content: IO[bytes]) -> None:
        if member.name != manifest.NAME or member.size > _LARGEST_MANIFEST:
            raise InputError("JQ-STORE-018", path=self._archive)
        state = Manifest.from_bytes(content.read(), self._archive / member.name)
        self._expected = state.files()
        self._total = sum(file.bytes for file in self._expected.values())
        write_bytes(self._into / member.name, state.to_bytes())

    def _copy(self, content: IO[bytes], member: tarfile.TarInfo, *, private: bool) -> Stamp:
        path = self._into / member.name
        make_folder(path.parent)
        copied = _copy(content, path, private=private)
        self._done += copied.bytes
        self._progress("restore", min(self._done, self._total), self._total)
        return copied

    def _vouched(self, content: bytes, member: tarfile.TarInfo) -> bytes:
        if member.pax_headers.get(_DIGEST) != hashlib.sha256(content).hexdigest():
            raise self._stray(member.name)
        return content

    def _stray(self, name: str) -> InputError:
        return InputError("JQ-STORE-019", path=self._archive, member=name)


def _may_be_loose(name: str) -> bool:
    parts = name.split("/")
    return len(parts) > 1 and parts[0] in {*_LOOSE, _TABLES} and all(map(_PART.fullmatch, parts))


def _inventory(content: bytes, archive: Path) -> tuple[dict[str, Stamp], Dump | None]:
    try:
        told_ = json.loads(content)
        files = {str(name): Stamp(str(digest), int(size)) for name, (digest, size) in told_["files"].items()}
        found = told_["database"]
        rows = (
            None if found is None else Dump(str(found["revision"]), {str(n): int(c) for n, c in found["rows"].items()})
        )
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise InputError("JQ-STORE-019", path=archive, member=_INVENTORY) from error
    if rows is not None and not files.keys() >= {f"{_TABLES}/{name}.parquet" for name in rows.rows}:
        raise InputError("JQ-STORE-018", path=archive)
    return files, rows


def _copy(content: _Readable, path: Path, *, private: bool) -> Stamp:
    digest, length = hashlib.sha256(), 0
    descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600 if private else 0o666)
    with open(descriptor, "wb") as file:  # noqa: PTH123  # the mode must be right from the start
        while piece := content.read(_PIECE):
            file.write(piece)
            digest.update(piece)
            length += len(piece)
        file.flush()
        os.fsync(file.fileno())
    return Stamp(digest.hexdigest(), length)
