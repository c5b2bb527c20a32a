"""Who looked at an organisation's data 查看记录: written behind, at most once a day per account and way of looking."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select

from jiqun.accounts.recorder import recorder
from jiqun.core.actor import Actor
from jiqun.intake.moved import same
from jiqun.store import Workspace
from jiqun.store.database import table


@dataclass(frozen=True)
class View:
    """One look; `name` is the account's, null for a visitor who was not signed in."""

    id: str
    account: str
    name: str | None
    role: str
    operation: str
    at: datetime


def record_view(workspace: Workspace, actor: Actor, organisation: str, operation: str) -> None:
    """Note that someone looked at an organisation's data; the organisation's own people are not noted.

    Returns at once: the entry is written within seconds (`recorder`).
    """
    if actor.organisation != organisation:
        recorder(workspace).viewed(actor, organisation, operation, workspace.clock())


def views(workspace: Workspace, organisation: str, *, offset: int = 0, limit: int = 200) -> tuple[View, ...]:
    """Who looked, the newest first."""
    rows, people = table("views"), table("accounts")
    query = (
        select(rows.c.id, rows.c.account, people.c.name, rows.c.role, rows.c.operation, rows.c.at)
        .join_from(rows, people, rows.c.account == people.c.id, isouter=True)
        .where(same(rows.c.organisation, organisation))
        .order_by(rows.c.at.desc(), rows.c.id)
        .offset(offset)
        .limit(limit)
    )
    with workspace.database.read() as connection:
        return tuple(View(*row) for row in connection.execute(query))


def count(workspace: Workspace, organisation: str) -> int:
    """How many looks are on record."""
    rows = table("views")
    with workspace.database.read() as connection:
        query = select(func.count()).select_from(rows).where(same(rows.c.organisation, organisation))
        return int(connection.execute(query).scalar_one())
