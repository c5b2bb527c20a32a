"""Corrections 人工更正: what people with the register's care put right, over whatever any source says, now and later."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

import polars as pl
import sqlalchemy as sa

from jiqun.accounts import claims
from jiqun.accounts.edits import checked
from jiqun.core.actor import Actor
from jiqun.core.errors import InputError
from jiqun.core.operation import Model
from jiqun.core.schema import schema
from jiqun.intake.gazetteer import Gazetteer
from jiqun.intake.moved import all_moved, current, same
from jiqun.roster import records
from jiqun.roster.merge import PLACE, typed
from jiqun.roster.places import TEXTS, require_place
from jiqun.store import Workspace
from jiqun.store.database import Transaction, table

ATTRIBUTES = tuple(name for name in schema("organisations").names if name != "as_of")
"""What can be corrected."""
_SOURCE = "更正 correction"
"""What messages of the checks name instead of a file."""
LONGEST = 4_000
LONGEST_REASON = 500


class Correction(Model):
    """A correction that stands. `conflict` is what the source says by now, where that is neither what it said nor this."""

    id: str
    organisation: str
    attribute: str
    value: str | None
    seen: str | None
    reason: str | None
    account: str
    at: datetime
    conflict: str | None = None


def standing_values(workspace: Workspace) -> dict[tuple[str, str], str | None]:
    """Every correction that stands: (organisation, attribute) → value."""
    rows = table("corrections")
    query = sa.select(rows.c.organisation, rows.c.attribute, rows.c.value).where(rows.c.withdrawn_at.is_(None))
    if not workspace.has_database:
        return {}
    with workspace.database.read() as connection:
        return {(row.organisation, row.attribute): row.value for row in connection.execute(query.order_by(rows.c.at))}


def correct(
    actor: Actor,
    workspace: Workspace,
    organisation: str,
    values: Mapping[str, str | None],
    *,
    reason: str | None = None,
    key: str,
) -> tuple[Correction, ...]:
    """Correct attributes of an organisation 更正; None says that the value is not known. What stands of it afterwards.

    Raises
    ------
    InputError
        JQ-ACCOUNTS-009: there is no such organisation; 013, 024, JQ-DATA-…: not an attribute, or a value that cannot be;
        JQ-ROSTER-012: a place that is nowhere.
    """
    actor.require("roster.correct", "operator", "analyst")
    shown = claims.organisation(workspace, organisation)
    organisation = str(shown["id"])
    given = {name: value for name, value in values.items() if value is not None}
    kept: dict[str, str | None] = (
        dict(checked(workspace, given, allowed=ATTRIBUTES, source=_SOURCE)) if given or not values else {}
    )
    for name in values.keys() - given.keys():
        if name not in ATTRIBUTES or name == "name":
            raise InputError("JQ-ACCOUNTS-013", value=name[:80], known=", ".join(ATTRIBUTES[1:]))
        kept[name] = None
    if {*TEXTS} & {name for name, value in kept.items() if value is not None}:
        before = {one.attribute: one.value for one in standing(workspace, organisation)}
        require_place(
            shown, {name: before[name] for name in PLACE if name in before} | kept, Gazetteer.load(workspace.cache)
        )
    said = register_row(workspace, organisation) or {}

    def put(tx: Transaction) -> None:
        from jiqun.roster.desk import queue  # noqa: PLC0415  # the desk derives from corrections

        rows = table("corrections")
        before = (
            same(rows.c.organisation, organisation),
            rows.c.attribute.in_(list(kept)),
            rows.c.withdrawn_at.is_(None),
        )
        tx.execute(sa.update(rows).where(*before).values(withdrawn_at=tx.now, withdrawn_by=actor.id))
        made = [
            {
                "id": tx.new_id("cor"),
                "organisation": organisation,
                "attribute": name,
                "value": value,
                "seen": text(said.get(name)),
                "reason": reason,
                "account": actor.id,
                "at": tx.now,
            }
            for name, value in kept.items()
        ]
        tx.execute(sa.insert(rows).values(made))
        queue(tx, actor)

    request: dict[str, Any] = {"organisation": organisation, "values": dict(values), "reason": reason}
    workspace.database.command(actor, key, "roster.correct", put, request=request, subject=organisation)
    return standing(workspace, organisation)


def take_back(
    actor: Actor, workspace: Workspace, organisation: str, attributes: Collection[str] | None = None, *, key: str
) -> int:
    """Take corrections back 撤回更正, of some attributes or all: what the sources say counts again. How many there were."""
    actor.require("roster.uncorrect", "operator", "analyst")
    organisation = current(workspace, organisation)
    names = None if attributes is None else sorted(set(attributes))

    def put(tx: Transaction) -> int:
        from jiqun.roster.desk import queue  # noqa: PLC0415  # the desk derives from corrections

        rows = table("corrections")
        where = [same(rows.c.organisation, organisation), rows.c.withdrawn_at.is_(None)]
        if names is not None:
            where.append(rows.c.attribute.in_(names))
        count = tx.execute(sa.update(rows).where(*where).values(withdrawn_at=tx.now, withdrawn_by=actor.id)).rowcount
        if count:
            queue(tx, actor)
        return int(count)

    request = {"organisation": organisation, "attributes": names}
    answer = workspace.database.command(actor, key, "roster.uncorrect", put, request=request, subject=organisation)
    return int(str(answer))


def standing(workspace: Workspace, organisation: str) -> tuple[Correction, ...]:
    """The corrections of an organisation that stand, with conflicts, in the order of the schema.

    Those that were made while it stood by itself on a roster are among them.
    """
    organisation = current(workspace, organisation)
    said = register_row(workspace, organisation) or {}
    rows = table("corrections")
    query = sa.select(rows).where(same(rows.c.organisation, organisation), rows.c.withdrawn_at.is_(None))
    query = query.order_by(rows.c.at)
    with workspace.database.read() as connection:
        found = {row["attribute"]: row for row in connection.execute(query).mappings()}
    return tuple(_correction(found[name], organisation, said.get(name)) for name in ATTRIBUTES if name in found)


def conflicts(workspace: Workspace, *, limit: int = 500) -> tuple[Correction, ...]:
    """Corrections whose source says something new by now 来源与更正不一致, the latest first."""
    rows = table("corrections")
    query = sa.select(rows).where(rows.c.withdrawn_at.is_(None)).order_by(rows.c.at.desc(), rows.c.id)
    with workspace.database.read() as connection:
        found = list(connection.execute(query).mappings())
    if not found:
        return ()
    moved = all_moved(workspace)
    is_now = {row["id"]: moved.get(row["organisation"], row["organisation"]) for row in found}
    wanted = sorted(set(is_now.values()))
    scan = workspace.scan("organisations", records.base(workspace).id)
    known = {row["id"]: row for row in scan.filter(pl.col("id").is_in(wanted)).collect().iter_rows(named=True)}
    told = (
        _correction(row, is_now[row["id"]], known.get(is_now[row["id"]], {}).get(row["attribute"])) for row in found
    )
    return tuple(one for one in told if one.conflict is not None)[:limit]


def _correction(row: Any, organisation: str, source: object) -> Correction:
    said = text(source)
    new = said is not None and said not in (row["seen"], row["value"])
    shown = {name: row[name] for name in Correction.model_fields if name != "conflict"}
    return Correction(**shown | {"organisation": organisation}, conflict=said if new else None)


def register_row(workspace: Workspace, organisation: str) -> dict[str, Any] | None:
    """What the register itself says of an organisation."""
    scan = workspace.scan("organisations", records.base(workspace).id)
    rows = scan.filter(pl.col("id") == organisation).head(1).collect()
    return rows.row(0, named=True) if rows.height else None


def text(value: object) -> str | None:
    """A value as text, as corrections hold it."""
    if value is None:
        return None
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def of_type(correction: Correction) -> Any:
    """The value of a correction, of its attribute's type."""
    return typed(correction.attribute, correction.value)
