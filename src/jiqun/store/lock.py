"""One writer at a time 写锁: an flock on the workspace's `.lock`, which the system drops when its holder dies."""

from __future__ import annotations

import errno
import fcntl
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from jiqun.core.errors import WorkspaceError
from jiqun.store.files import told

_POLL_SECONDS = 0.05


class WriterLock:
    """Lets one thread of one process in; the same thread may enter again."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._threads = threading.RLock()
        self._depth = 0

    @contextmanager
    def held(self, wait_seconds: float) -> Iterator[bool]:
        """Hold the lock; yields whether this is the outermost entry.

        Raises
        ------
        WorkspaceError
            JQ-STORE-005 after `wait_seconds`, naming the process that holds it.
        """
        deadline = time.monotonic() + wait_seconds
        if not self._threads.acquire(timeout=min(max(wait_seconds, 0), threading.TIMEOUT_MAX)):
            raise self._locked()
        try:
            descriptor = None if self._depth else self._take(deadline)
            self._depth += 1
            try:
                yield descriptor is not None
            finally:
                self._depth -= 1
                if descriptor is not None:
                    os.close(descriptor)
        finally:
            self._threads.release()

    def _take(self, deadline: float) -> int:
        with told(self._path):
            try:
                # a workspace may be shared; a link put here must not have another file emptied
                descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
            except OSError as error:
                if error.errno != errno.ELOOP:
                    raise
                raise WorkspaceError("JQ-STORE-010", path=self._path, reason="symbolic link 符号链接") from error
        try:
            while True:
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    left = deadline - time.monotonic()
                    if left <= 0:
                        raise self._locked() from None
                    time.sleep(min(_POLL_SECONDS, left))
            with told(self._path):
                os.ftruncate(descriptor, 0)
                os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        except BaseException:
            os.close(descriptor)
            raise
        return descriptor

    def _locked(self) -> WorkspaceError:
        holder = ""
        with suppress(OSError):  # another thread may be about to make the file
            holder = self._path.read_text(encoding="ascii", errors="replace").strip()
        return WorkspaceError("JQ-STORE-005", path=self._path.parent, pid=holder or "?")
