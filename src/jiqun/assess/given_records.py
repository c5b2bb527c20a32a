"""What is given to the diagnosis, as kept 诊断用表的保存: revisions of three short tables, each with who, when and whence.

A revision is never changed: giving a table anew, taking it away and putting an earlier one back each add one. The diagnosis
reads the newest; its lineage holds the digests of what it read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import polars as pl
from sqlalchemy import Connection, func, insert, select

from jiqun.assess.diagnosis_parts import Given
from jiqun.assess.given_tables import MOST_BYTES, NAMES, TableName, digest, empty, framed, read_rows, too_large
from jiqun.core.actor import Actor, Role
from jiqun.core.errors import UsageError
from jiqun.store import StoredResult, Workspace
from jiqun.store.commands import Transaction, new_key
from jiqun.store.tables import table as operational

GIVE = "assess.give"
EDITS: tuple[Role, ...] = ("operator", "analyst")
Act = Literal["given", "text", "frontier", "removed", "back"]
MOST_REVISIONS = 100
"""The newest that a list shows."""
_TOLD = ("table_name", "revision", "row_count", "digest", "act", "source", "account", "at")
Change = Callable[[pl.DataFrame], pl.DataFrame | None]
"""From the table as it stands in the transaction to the one that is to stand; None: none."""


@dataclass(frozen=True)
class Revision:
    """One giving of a table 一版; without a digest the table was taken away by it."""

    table: TableName
    revision: int
    rows: int
    digest: str | None
    act: Act
    source: str
    account: str
    at: datetime

    @property
    def version(self) -> str:
        """The first digits of its digest, as lineage shows them; empty where there is none."""
        return (self.digest or "")[:12]


def newest(workspace: Workspace) -> dict[TableName, Revision]:
    """The newest revision of each table that was ever given, also where it was taken away 现行版本."""
    return workspace.database.remembered("assess.given", _newest) if workspace.has_database else {}


def _newest(connection: Connection) -> dict[TableName, Revision]:
    kept = operational("given")
    last = select(kept.c.table_name, func.max(kept.c.revision).label("revision")).group_by(kept.c.table_name).subquery()
    query = select(*(kept.c[name] for name in _TOLD))
    query = query.join(last, (kept.c.table_name == last.c.table_name) & (kept.c.revision == last.c.revision))
    found = {row["table_name"]: _of(row) for row in connection.execute(query).mappings()}
    return {name: found[name] for name in NAMES if name in found}


def _of(row: Any) -> Revision:
    return Revision(
        row["table_name"], row["revision"], row["row_count"], row["digest"], row["act"], row["source"] or "",
        row["account"], row["at"],
    )  # fmt: skip


def revisions(workspace: Workspace, table: TableName) -> tuple[Revision, ...]:
    """All givings of a table, the newest first 以前各版."""
    if not workspace.has_database:
        return ()
    kept = operational("given")
    query = select(*(kept.c[name] for name in _TOLD)).where(kept.c.table_name == table)
    with workspace.database.read() as connection:
        found = connection.execute(query.order_by(kept.c.revision.desc()).limit(MOST_REVISIONS)).mappings().all()
    return tuple(_of(row) for row in found)


def rows_of(workspace: Workspace, table: TableName, revision: int | None = None) -> pl.DataFrame | None:
    """The rows of a table, as given last or in one revision; None where there are none."""
    if not workspace.has_database:
        return None
    with workspace.database.read() as connection:
        return _rows(connection, table, revision)


def _rows(connection: Connection, table: TableName, revision: int | None) -> pl.DataFrame | None:
    kept = operational("given")
    query = select(kept.c.rows).where(kept.c.table_name == table).order_by(kept.c.revision.desc()).limit(1)
    if revision is not None:
        query = query.where(kept.c.revision == revision)
    rows = connection.execute(query).scalar()
    return None if rows is None else framed(table, rows)


def given_now(workspace: Workspace, before: StoredResult | None = None) -> Given:
    """What the next diagnosis reads 现行的诊断用表; of a table never given here, what the diagnosis `before` was given."""
    known = newest(workspace)
    told: dict[str, pl.DataFrame | None] = {name: rows_of(workspace, name) for name in known}
    old = Given.of(before)
    return Given(**{name: told[name] if name in known else getattr(old, name) for name in NAMES})


def _always(frame: pl.DataFrame) -> Change:
    return lambda _: frame


def keep(actor: Actor, workspace: Workspace, given: Given, *, source: str = "") -> None:
    """Keep tables given with a call, so that later diagnoses read them too; what cannot be is refused before any is kept.

    Raises
    ------
    InputError
        JQ-ASSESS-140 to 149: a table cannot be used, as `jiqun.assess.given_tables.read_rows`.
    """
    told = {name: getattr(given, name) for name in NAMES if getattr(given, name) is not None}
    good = {name: read_rows(name, frame, name=name).good() for name, frame in told.items()}
    for name, frame in good.items():
        save(
            actor, workspace, name, _always(frame), operation=GIVE, request={"digest": digest(frame)},
            act="given", key=new_key(), source=source,
        )  # fmt: skip


def used(result: StoredResult) -> dict[TableName, str]:
    """Digests of the tables that a diagnosis read, by name."""
    inputs = {one.name: one.digest for one in result.lineage.inputs}
    return {name: inputs[f"given-{name}"] for name in NAMES if f"given-{name}" in inputs}


def changed(workspace: Workspace, result: StoredResult) -> tuple[TableName, ...]:
    """The tables that were given anew, or taken away, since a diagnosis read them."""
    read, known = used(result), newest(workspace)
    return tuple(name for name in NAMES if name in known and known[name].digest != read.get(name))


def save(
    actor: Actor,
    workspace: Workspace,
    table: TableName,
    change: Change,
    *,
    operation: str,
    request: Mapping[str, Any],
    act: Act,
    key: str,
    source: str = "",
    base: int | None = None,
) -> Revision:
    """Add a revision 保存一版; where it would say what stands already, nothing is added.

    Parameters
    ----------
    change
        Makes the new rows of those that stand; called within the transaction.
    base
        The revision that the caller has seen, 0 for none; None: whatever stands.

    Raises
    ------
    UsageError
        JQ-ASSESS-145: someone gave it anew since.
    InputError
        JQ-ASSESS-144: it grew too large.
    """
    actor.require(operation, *EDITS)
    kept = operational("given")

    def write(tx: Transaction) -> Any:
        query = select(*(kept.c[name] for name in _TOLD)).where(kept.c.table_name == table)
        row = tx.execute(query.order_by(kept.c.revision.desc()).limit(1)).mappings().one_or_none()
        last = _of(row) if row else None
        stands = _rows(tx.connection, table, None)
        made = change(empty(table) if stands is None else stands)
        seal = None if made is None else digest(made)
        if last is not None and last.digest == seal:
            return {"revision": last.revision}
        if base is not None and base != (last.revision if last else 0):
            raise UsageError("JQ-ASSESS-145", value=table, revision=last.revision if last else 0)
        rows = None if made is None else [list(row) for row in made.iter_rows()]
        if made is not None and (size := len(made.write_json().encode())) > MOST_BYTES:
            raise too_large(source or table, size)
        revision = (last.revision if last else 0) + 1
        tx.execute(
            insert(kept).values(
                table_name=table, revision=revision, rows=rows, row_count=0 if made is None else made.height,
                digest=seal, act=act, source=source[:200] or None, account=actor.id, at=tx.now,
            )
        )  # fmt: skip
        return {"revision": revision}

    answer: Any = workspace.database.command(
        actor, key, operation, write, request={"table": table, **request}, subject=table
    )
    found = select(*(kept.c[name] for name in _TOLD)).where(kept.c.table_name == table)
    with workspace.database.read() as connection:  # a retry may ask for one that is no longer the newest
        return _of(connection.execute(found.where(kept.c.revision == answer["revision"])).mappings().one())
