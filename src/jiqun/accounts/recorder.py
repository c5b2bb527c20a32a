"""What may be written a moment later 延后记录: last use of sessions and tokens, and who looked at whose data.

A page must not wait for a commit to say that it was looked at. Entries gather for some seconds and are written
together; a crash loses at most those. Views are a command, on record; last use is upkeep.
"""

from __future__ import annotations

import hashlib
import logging
from datetime import datetime
from threading import Lock, Timer
from typing import Any
from weakref import WeakKeyDictionary, ref

from sqlalchemy import bindparam, select, update
from sqlalchemy.exc import DBAPIError

from jiqun.accounts.people import SYSTEM
from jiqun.core.actor import Actor
from jiqun.core.errors import JiqunError
from jiqun.store import Workspace
from jiqun.store.database import Transaction, new_key, table

SECONDS = 2.0
MOST = 10_000
"""Most entries that wait; those beyond are dropped and the log says so."""
_TOGETHER = 400
_log = logging.getLogger(__name__)


class Recorder:
    """Gathers entries and writes them together, by itself or at `flush`."""

    def __init__(self, workspace: Workspace, *, seconds: float = SECONDS) -> None:
        self._workspace = ref(workspace)  # it is the key under which this is found, and must be free to go
        self._seconds = seconds
        self._lock = Lock()
        self._timer: Timer | None = None
        self._used: dict[tuple[str, str, str], datetime] = {}
        self._views: dict[str, dict[str, Any]] = {}
        self._day: tuple[object, set[str]] = (None, set())

    def used(self, name: str, column: str, row: str, at: datetime) -> None:
        """Note when a row of a table was last used."""
        with self._lock:
            self._used[name, column, row] = at
            self._start()

    def viewed(self, actor: Actor, organisation: str, operation: str, at: datetime) -> None:
        """Note who looked at an organisation's data, once a day per way of looking."""
        what = "\0".join((actor.id, organisation, operation, at.date().isoformat()))
        view = "view_" + hashlib.sha256(what.encode("utf-8", "surrogatepass")).hexdigest()[:32]
        with self._lock:
            day, known = self._day
            if day != at.date() or len(known) > MOST:
                self._day = (at.date(), known := set())
            if view in known:
                return
            if len(self._views) >= MOST:
                _log.error("views: %d wait to be written; one was dropped", MOST)
                return
            known.add(view)
            self._views[view] = {
                "id": view,
                "organisation": organisation,
                "account": actor.id,
                "role": _told_role(actor),
                "operation": operation,
                "at": at,
            }
            self._start()

    def flush(self) -> None:
        """Write what waits. What cannot be written now is tried again with the next."""
        with self._lock:
            timer, self._timer = self._timer, None
            used, self._used = self._used, {}
            views, self._views = self._views, {}
        if timer is not None:
            timer.cancel()
        workspace = self._workspace()
        if workspace is None:
            return
        try:
            if used:
                workspace.database.upkeep(lambda connection: _put_used(connection, used))
            while views:
                some = dict(list(views.items())[:_TOGETHER])
                _write(workspace, some)
                views = {view: row for view, row in views.items() if view not in some}
        except (DBAPIError, JiqunError) as error:
            _log.warning("views and last uses: %s; they wait", type(error).__name__)
            with self._lock:
                self._views = views | self._views

    def _start(self) -> None:
        if self._timer is None:
            self._timer = Timer(self._seconds, self.flush)
            self._timer.daemon = True
            self._timer.start()


def _write(workspace: Workspace, rows: dict[str, dict[str, Any]]) -> None:
    def write(tx: Transaction) -> int:
        views = table("views")
        there = set(tx.execute(select(views.c.id).where(views.c.id.in_(list(rows)))).scalars())
        missing = [row for view, row in rows.items() if view not in there]
        if missing:
            tx.execute(views.insert().values(missing))
        return len(missing)

    workspace.database.command(SYSTEM, new_key(), "accounts.viewed", write)


def _put_used(connection: Any, used: dict[tuple[str, str, str], datetime]) -> None:
    groups: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for (name, column, row), at in used.items():
        groups.setdefault((name, column), []).append({"row": row, "moment": at})
    for (name, column), rows in groups.items():
        target = table(name)
        connection.execute(
            update(target).where(target.c.id == bindparam("row")).values({column: bindparam("moment")}), rows
        )


def _told_role(actor: Actor) -> str:
    """The role in which someone looks: the first that says more than that everyone may."""
    return next((role for role in ("operator", "auditor", "analyst", "member") if role in actor.roles), "public")


_RECORDERS: WeakKeyDictionary[Workspace, Recorder] = WeakKeyDictionary()
_RECORDERS_LOCK = Lock()


def recorder(workspace: Workspace) -> Recorder:
    """The recorder of a workspace 延后记录."""
    with _RECORDERS_LOCK:
        found = _RECORDERS.get(workspace)
        if found is None:
            found = _RECORDERS[workspace] = Recorder(workspace)
        return found


def flush(workspace: Workspace) -> None:
    """Write what waits; the console calls it before it ends."""
    recorder(workspace).flush()
