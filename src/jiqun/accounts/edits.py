"""What firms state of themselves 企业自填: beside the register's row, checked as a load would check it.

The register stays as it was loaded; a statement lies over it and says so. Taken back, its value is gone for good: the
row is emptied and the journal's salt of the command that stated it is erased.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import polars as pl
from sqlalchemy import select, update

from jiqun.accounts import claims, people
from jiqun.core.actor import Actor
from jiqun.core.errors import InputError
from jiqun.core.schema import schema
from jiqun.intake.check import TYPES, WARNINGS, Rules, check
from jiqun.intake.columns import Column
from jiqun.intake.gazetteer import Gazetteer
from jiqun.intake.moved import same
from jiqun.intake.read import Batch, no_refused
from jiqun.store import Workspace
from jiqun.store.database import JSON, Transaction, table
from jiqun.store.journal import erase

IDENTITY = frozenset({"uscc", "source_id", "as_of"})
"""What says which row it is, or of when: a statement cannot change it."""
STATED = tuple(name for name in schema("organisations").names if name not in IDENTITY)
"""The attributes that a firm may state."""
LONGEST = 4000
_OPERATION = "accounts.state"
_SOURCE = "自填 statement"
"""What messages of the checks name instead of a file."""


@dataclass(frozen=True)
class Statement:
    """One attribute as the firm states it 自填; `value` is text as a table would hold it."""

    attribute: str
    value: str
    account: str
    at: datetime


def checked(
    workspace: Workspace,
    values: Mapping[str, str],
    *,
    allowed: Collection[str] = STATED,
    source: str = _SOURCE,
    of: str = "organisations",
) -> dict[str, str]:
    """Values as they are kept: `1.2万` is 12000.

    `allowed` are the attributes of the table `of` that may be given, `source` names them in messages.

    Raises
    ------
    InputError
        JQ-ACCOUNTS-013: an attribute that a firm cannot state; JQ-ACCOUNTS-024: it is empty; JQ-DATA-…: its value
        cannot be so.
    """
    known = schema(of)
    wrong = next((name for name in values if name not in allowed), None)
    if wrong is not None or not values:
        raise InputError("JQ-ACCOUNTS-013", value=(wrong or "")[:80], known=", ".join(allowed))
    columns = tuple(Column(place, name, name, "name") for place, name in enumerate(values))
    regions = Gazetteer.load(workspace.cache).region_codes() if "region_code" in values else frozenset()
    rules = Rules(known, columns, workspace.clock().date(), regions)
    cells = pl.DataFrame({str(place): [value] for place, value in enumerate(values.values())}, orient="col")
    numbers = pl.Series([1], dtype=pl.Int64)
    found = check(Batch(cells, numbers, no_refused(), blank=0, plain=False, done=1), rules)
    for problem in found.problems.iter_rows(named=True):
        if problem["code"] not in WARNINGS:
            raise _told(problem, source)
    row = found.rows.row(0, named=True)
    empty = next((name for name in values if row[name] is None), None)
    if empty is not None:
        raise InputError("JQ-ACCOUNTS-024", column=empty)
    return {name: _text(row[name]) for name in values}


def _told(problem: Mapping[str, Any], source: str) -> InputError:
    """A finding of the checks as an error: its own code, column, value and hint."""
    detail, value = problem["detail"] or "—", problem["value"][:80]
    return InputError(problem["code"], file=source, row=1, column=problem["column"], value=value, detail=detail)


def _text(value: object) -> str:
    return value.isoformat() if isinstance(value, date) else str(value)


def state(
    actor: Actor, workspace: Workspace, organisation: str, values: Mapping[str, str], *, key: str
) -> tuple[Statement, ...]:
    """State attributes of one's own organisation 填写; what stands of it afterwards.

    Raises
    ------
    InputError
        JQ-ACCOUNTS-009: the organisation is not in the register; JQ-ACCOUNTS-013, 024: see `checked`.
    """
    account = people.own_account(actor)
    organisation = str(claims.organisation(workspace, organisation)["id"])
    kept = checked(workspace, values)

    def put(tx: Transaction) -> None:
        people.of(tx, account)
        edits = table("edits")
        before = (
            same(edits.c.organisation, organisation),
            edits.c.attribute.in_(list(kept)),
            edits.c.withdrawn_at.is_(None),
        )
        tx.execute(update(edits).where(*before).values(withdrawn_at=tx.now))
        rows = [
            {
                "id": tx.new_id("edit"),
                "organisation": organisation,
                "attribute": name,
                "value": value,
                "account": account,
                "at": tx.now,
            }
            for name, value in kept.items()
        ]
        tx.execute(edits.insert().values(rows))

    request: JSON = {"organisation": organisation, "values": dict(values)}
    workspace.database.command(actor, key, _OPERATION, put, request=request, subject=organisation)
    return statements(workspace, organisation)


def statements(workspace: Workspace, organisation: str) -> tuple[Statement, ...]:
    """What a firm states of itself now 企业自填: the last of each attribute, in the order of the schema."""
    rows = table("edits")
    query = select(rows.c.attribute, rows.c.value, rows.c.account, rows.c.at).where(
        same(rows.c.organisation, organisation), rows.c.withdrawn_at.is_(None)
    )
    query = query.order_by(rows.c.at)
    with workspace.database.read() as connection:
        found = {row.attribute: Statement(*row) for row in connection.execute(query)}
    return tuple(found[name] for name in STATED if name in found)


def overlaid(record: Mapping[str, Any], stated: Collection[Statement]) -> dict[str, Any]:
    """A register's row with a firm's statements over it, of the types of the schema."""
    return dict(record) | {one.attribute: _typed(one) for one in stated}


def _typed(one: Statement) -> object:
    kind = TYPES[schema("organisations")[one.attribute].type]
    if kind == pl.Date:
        return date.fromisoformat(one.value)
    return int(one.value) if kind == pl.Int64 else float(one.value) if kind == pl.Float64 else one.value


def take_back(
    actor: Actor, workspace: Workspace, organisation: str, attributes: Collection[str] | None = None, *, key: str
) -> int:
    """Take statements back 撤回自填, of some attributes or all, and forget what they said; how many there were."""
    account = people.own_account(actor)
    names = None if attributes is None else sorted(set(attributes))

    def end(tx: Transaction) -> int:
        people.of(tx, account)
        return forget(tx, organisation, names)

    request = {"organisation": organisation, "attributes": names}
    answer = workspace.database.command(actor, key, "accounts.take_back", end, request=request, subject=organisation)
    return int(str(answer))


def forget(tx: Transaction, organisation: str, attributes: Collection[str] | None) -> int:
    """Empty statements within a command, and erase what the journal could be asked about them."""
    rows, leaves = table("edits"), table("leaves")
    where = [same(rows.c.organisation, organisation), rows.c.value.is_not(None)]  # also what was stated before that
    if attributes is not None:
        where.append(rows.c.attribute.in_(list(attributes)))
    held = tx.execute(select(rows.c.at, rows.c.withdrawn_at).where(*where)).all()
    tx.execute(update(rows).where(*where).values(value=None, withdrawn_at=tx.now))
    moments = {row.at for row in held}
    about = (same(leaves.c.subject, organisation), leaves.c.operation == _OPERATION, leaves.c.at.in_(moments))
    erase(tx, tx.execute(select(leaves.c.id).where(*about)).scalars().all())
    return sum(row.withdrawn_at is None for row in held)
