"""One thread that commits for all 组提交: what waits is written together, each part in a savepoint of its own.

SQLite has one writer at a time, and a commit is one flush of the disk. While one batch is being flushed the next one
gathers, so that many writers share a flush and one alone waits for nothing.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from sqlalchemy import Connection, Engine

from jiqun.core.errors import WorkspaceError

MOST = 200
"""Most parts of one batch: bounds how long the first of them waits."""
_log = logging.getLogger(__name__)

Part = Callable[[Connection], Any]


class Committer:
    """Runs parts in the order they come. The thread starts with the first and ends with `close`."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._waiting: deque[tuple[Part, Future[Any]]] = deque()
        self._change = threading.Condition()
        self._thread: threading.Thread | None = None
        self._closed = False

    def run(self, part: Part) -> Any:
        """Have a part run and committed; its value or its error is the caller's. Returns after the commit.

        Raises
        ------
        WorkspaceError
            JQ-STORE-035: the commit failed, and with it the whole batch; JQ-STORE-036: closed.
        """
        future: Future[Any] = Future()
        with self._change:
            if self._closed:
                raise WorkspaceError("JQ-STORE-036")
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="jiqun-committer", daemon=True)
                self._thread.start()
            self._waiting.append((part, future))
            self._change.notify()
        return future.result()

    def close(self) -> None:
        """Commit what waits, take no more, and end the thread."""
        with self._change:
            self._closed = True
            self._change.notify()
            thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join()

    def _work(self) -> None:
        while True:
            with self._change:
                self._change.wait_for(lambda: self._waiting or self._closed)
                batch = [self._waiting.popleft() for _ in range(min(MOST, len(self._waiting)))]
            if not batch:
                return
            self._commit(batch)

    def _commit(self, batch: list[tuple[Part, Future[Any]]]) -> None:
        """Run a batch in one transaction; tell each part's caller what became of it once that is settled."""
        outcomes: list[tuple[Future[Any], Any, BaseException | None]] = []
        try:
            with self._engine.begin() as connection:
                for part, future in batch:
                    outcomes.append((future, *_attempt(connection, part)))
        except BaseException as error:  # noqa: BLE001  # every caller must hear of it, or would wait for ever
            _log.exception("commit of %d parts failed", len(batch), exc_info=error)
            for _, future in batch:
                failed = WorkspaceError("JQ-STORE-035", reason=reason(error))
                failed.__cause__ = error
                future.set_exception(failed)
            return
        for future, value, failure in outcomes:
            if failure is None:
                future.set_result(value)
            else:
                future.set_exception(failure)


def _attempt(connection: Connection, part: Part) -> tuple[Any, BaseException | None]:
    """Run one part in a savepoint; its error undoes only itself."""
    savepoint = connection.begin_nested()
    try:
        value = part(connection)
        savepoint.commit()
    except BaseException as error:  # noqa: BLE001  # it is raised in the thread that asked
        savepoint.rollback()  # fails where the engine gave up the whole transaction: then the batch fails
        return None, error
    return value, None


def reason(error: BaseException) -> str:
    """What the engine said, without the statement and its values."""
    cause = getattr(error, "orig", None) or error
    return f"{type(cause).__name__}: {str(cause).partition(chr(10))[0][:200]}"
