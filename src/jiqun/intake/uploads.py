"""Uploaded files 上传文件: streamed to disk, named by what they hold, kept until no import needs them.

A file's name is its sha256; what its sender called it is shown to people and never becomes a path.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import shutil
from collections.abc import Iterable, Iterator, Set
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType
from uuid import uuid4

from jiqun.core.errors import InputError, UsageError, WorkspaceError
from jiqun.core.text import visible
from jiqun.store import Workspace
from jiqun.store.files import make_folder, place, told
from jiqun.store.lock import WriterLock

DAY = timedelta(days=1)

_SPARE = 256 << 20
"""Bytes of the disk that uploads leave free."""
_LONGEST_NAME = 150
_DIGEST = re.compile(r"[0-9a-f]{64}")
_PART = ".part-"


@dataclass(frozen=True)
class Upload:
    """A file that came: its digest and length, and where it lies until it is kept."""

    digest: str
    bytes: int
    path: Path


class Uploads:
    """The folder `uploads` of a workspace."""

    def __init__(self, workspace: Workspace) -> None:
        self.folder = workspace.path / "uploads"
        self._wait = float(workspace.settings["lock_wait_seconds"].value)
        self._largest = int(float(workspace.settings["upload_mb"].value) * 1e6)

    def path(self, digest: str) -> Path:
        """Where the file of a digest lies.

        Raises
        ------
        WorkspaceError
            JQ-IMPORT-005: it is not there any more.
        """
        path = self.folder / digest
        if not _DIGEST.fullmatch(digest) or not path.is_file():
            raise WorkspaceError("JQ-IMPORT-005")
        return path

    def take(self, pieces: Iterable[bytes]) -> Incoming:
        """Stream a file to disk, hashing it on the way. Use as a context: what is not kept is removed.

        Raises
        ------
        UsageError
            JQ-IMPORT-002: larger than the setting `upload_mb` allows; 003: nothing in it.
        WorkspaceError
            JQ-IMPORT-004: the disk is full, or refuses otherwise.
        """
        return Incoming(self.folder, pieces, self._largest)

    @contextmanager
    def changing(self) -> Iterator[None]:
        """Let nobody else keep or sweep files meanwhile."""
        with told(self.folder):
            make_folder(self.folder)
        with WriterLock(self.folder / ".lock").held(self._wait):
            yield

    def keep(self, upload: Upload) -> None:
        """Give a file the name of its digest; do it within `changing`, and then record who needs it."""
        with told(self.folder):
            place(upload.path, self.folder / upload.digest)

    def sweep(self, needed: Set[str], now: datetime) -> int:
        """Remove the files that no import needs; do it within `changing`. Says how many.

        What an upload that was cut off has left is removed after a day.
        """
        removed = 0
        for path in list(self.folder.iterdir()):
            unneeded = bool(_DIGEST.fullmatch(path.name)) and path.name not in needed
            if unneeded or (path.name.startswith(_PART) and path.stat().st_mtime < (now - DAY).timestamp()):
                path.unlink(missing_ok=True)
                removed += 1
        return removed


class Incoming:
    """A file on its way in."""

    def __init__(self, folder: Path, pieces: Iterable[bytes], largest: int) -> None:
        self._folder = folder
        self._pieces = pieces
        self._largest = largest
        self._path = folder / f"{_PART}{uuid4().hex}"

    def __enter__(self) -> Upload:
        try:
            return self._stream()
        except BaseException as error:
            self._drop()
            if isinstance(error, OSError):
                raise _refused(error) from error
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._drop()

    def _stream(self) -> Upload:
        make_folder(self._folder)
        digest, size, free = hashlib.sha256(), 0, shutil.disk_usage(self._folder).free - _SPARE
        with self._path.open("xb") as file:
            for piece in self._pieces:
                size += len(piece)
                if size > self._largest:
                    raise UsageError("JQ-IMPORT-002", limit=f"{self._largest / 1e6:g}")
                if size > free:
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                digest.update(piece)
                file.write(piece)
            if not size:
                raise InputError("JQ-IMPORT-003")
            file.flush()
            os.fsync(file.fileno())
        return Upload(digest.hexdigest(), size, self._path)

    def _drop(self) -> None:
        with suppress(OSError):
            self._path.unlink()


def _refused(error: OSError) -> WorkspaceError:
    return WorkspaceError("JQ-IMPORT-004", reason=error.strerror or str(error))


def shown_name(filename: str) -> str:
    r"""What a file is called, for people: no folders, nothing that acts unseen, not too long.

    Examples
    --------
    >>> shown_name("C:\\docs\\名单.xlsx"), shown_name("../../etc/passwd"), shown_name("a\u202egpj.csv\0")
    ('名单.xlsx', 'passwd', 'a�gpj.csv�')
    >>> shown_name(" "), shown_name("x" * 500 + ".csv")[-5:]
    ('file', 'x.csv')
    """
    name = " ".join(visible(filename).replace("\\", "/").rpartition("/")[2].split()).strip(". ")
    if len(name) > _LONGEST_NAME:
        stem, dot, suffix = name.rpartition(".")
        suffix = f"{dot}{suffix[:10]}" if dot else ""
        name = f"{(stem or name)[: _LONGEST_NAME - len(suffix)]}{suffix}"
    return name or "file"
