"""Backup and restore 备份与恢复: one tar file that holds the manifest, the settings, and every file the manifest names.

The manifest is read once and its files never change, so a backup is one moment of the workspace even
while others read and write.
"""

from __future__ import annotations

import hashlib
import io
import os
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Protocol

from jiqun.core.clock import Clock, system_clock
from jiqun.core.errors import InputError, WorkspaceError
from jiqun.core.progress import Progress, silent
from jiqun.store import config, manifest
from jiqun.store.files import Stamp, make_folder, place, remove, sync, told, write_bytes
from jiqun.store.manifest import Manifest
from jiqun.store.workspace import Workspace

_PIECE = 1 << 20
_LARGEST_MANIFEST = 1 << 28
_LARGEST_SETTINGS = 1 << 20
_DIGEST = "JIQUN.sha256"
"""The tar header that vouches for the settings, which no manifest names."""


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
    state = workspace.manifest()
    files = state.files()
    total, done = sum(file.bytes for file in files.values()), 0
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    with told(target):
        try:
            with _writable(temporary, compressed=target.name.endswith("gz")) as tar:
                _add(tar, manifest.NAME, state.to_bytes())
                _add(tar, config.NAME, _settings(workspace))
                for name, expected in files.items():
                    _add_file(tar, workspace.path / name, name, expected)
                    done += expected.bytes
                    progress("backup", done, total)
            sync(temporary)
            place(temporary, target)
        finally:
            remove(temporary)
    return state


def restore(
    archive: Path | str, into: Path | str, *, progress: Progress = silent, clock: Clock = system_clock
) -> Workspace:
    """Make a workspace from a backup 恢复, in a folder that is empty or not there yet.

    The manifest must come first; after it only the files it names are accepted, each once, as a plain file
    of the length and digest it states, and all of them must come.

    Raises
    ------
    InputError
        JQ-STORE-018: not a backup, or cut off; JQ-STORE-019: a member that does not belong there.
    WorkspaceError
        JQ-STORE-002: the folder holds something; JQ-STORE-003: of a later format; JQ-STORE-010: the disk
        refuses. Nothing is left in the folder then.
    """
    archive, into = Path(archive), Path(into)
    config.resolve(None)  # a wrong variable is better known before than after
    with told(into):
        if into.exists() and (not into.is_dir() or any(into.iterdir())):
            raise WorkspaceError("JQ-STORE-002", path=into)
        new, made = not into.exists(), [into / ".tmp"]
        try:
            make_folder(into.resolve())
            made[0].mkdir()
            _unpack(archive, made[0], progress)
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


def _settings(workspace: Workspace) -> bytes:
    path = workspace.path / config.NAME
    return path.read_bytes() if path.is_file() else config.template().encode()


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


def _unpack(archive: Path, into: Path, progress: Progress) -> None:
    try:
        with tarfile.open(archive, "r:*") as tar:
            _unpack_members(tar, archive, into, progress)
    except (tarfile.TarError, EOFError, zlib.error, UnicodeError) as error:
        raise InputError("JQ-STORE-018", path=archive) from error
    except OSError as error:
        if error.errno is None:  # so gzip says that it is none, or damaged
            raise InputError("JQ-STORE-018", path=archive) from error
        raise


def _unpack_members(tar: tarfile.TarFile, archive: Path, into: Path, progress: Progress) -> None:
    expected: dict[str, Stamp] | None = None
    total = done = 0
    seen: set[str] = set()
    for member in tar:
        name = member.name
        content = tar.extractfile(member) if member.type in {tarfile.REGTYPE, tarfile.AREGTYPE} else None
        if content is None or name in seen:
            raise InputError("JQ-STORE-019", path=archive, member=name)
        seen.add(name)
        if expected is None:
            if name != manifest.NAME or member.size > _LARGEST_MANIFEST:
                raise InputError("JQ-STORE-018", path=archive)
            state = Manifest.from_bytes(content.read(), archive / name)
            expected = state.files()
            total = sum(file.bytes for file in expected.values())
            write_bytes(into / name, state.to_bytes())
        elif name == config.NAME and member.size <= _LARGEST_SETTINGS:
            settings = content.read()
            if member.pax_headers.get(_DIGEST) != hashlib.sha256(settings).hexdigest():
                raise InputError("JQ-STORE-019", path=archive, member=name)
            write_bytes(into / name, settings)
        elif name in expected and member.size == expected[name].bytes:
            make_folder((into / name).parent)
            if _copy(content, into / name) != expected[name]:
                raise InputError("JQ-STORE-019", path=archive, member=name)
            done += member.size
            progress("restore", done, total)
        else:
            raise InputError("JQ-STORE-019", path=archive, member=name)
    if expected is None or not seen.issuperset({*expected, config.NAME}):
        raise InputError("JQ-STORE-018", path=archive)


def _copy(content: _Readable, path: Path) -> Stamp:
    digest, length = hashlib.sha256(), 0
    with path.open("xb") as file:
        while piece := content.read(_PIECE):
            file.write(piece)
            digest.update(piece)
            length += len(piece)
        file.flush()
        os.fsync(file.fileno())
    return Stamp(digest.hexdigest(), length)
