"""Follows 关注: which clusters, regions and firms an account wants to hear of."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import delete, func, select

from jiqun.accounts import people
from jiqun.core.actor import Actor
from jiqun.core.errors import InputError
from jiqun.store import Workspace
from jiqun.store.database import Transaction, table

Kind = Literal["cluster", "region", "firm"]
MOST = 1000


@dataclass(frozen=True)
class Follow:
    """What an account follows; `subject` names it, such as `clusters-01/c0001` for a cluster of a search."""

    kind: Kind
    subject: str
    at: datetime


def follow(actor: Actor, workspace: Workspace, kind: Kind, subject: str, *, key: str) -> None:
    """Follow something 关注; following it twice is following it.

    Raises
    ------
    InputError
        JQ-ACCOUNTS-025: too many already.
    """
    account, rows = people.own_account(actor), table("follows")

    def put(tx: Transaction) -> None:
        people.of(tx, account)
        own = rows.c.account == account
        if tx.execute(select(rows.c.at).where(own, rows.c.kind == kind, rows.c.subject == subject)).first():
            return
        if tx.execute(select(func.count()).select_from(rows).where(own)).scalar_one() >= MOST:
            raise InputError("JQ-ACCOUNTS-025", most=MOST)
        tx.execute(rows.insert().values(account=account, kind=kind, subject=subject, at=tx.now))

    request = {"kind": kind, "subject": subject}
    workspace.database.command(actor, key, "accounts.follow", put, request=request, subject=account)


def unfollow(actor: Actor, workspace: Workspace, kind: Kind, subject: str, *, key: str) -> None:
    """Follow something no longer 取消关注."""
    account, rows = people.own_account(actor), table("follows")

    def end(tx: Transaction) -> None:
        tx.execute(delete(rows).where(rows.c.account == account, rows.c.kind == kind, rows.c.subject == subject))

    request = {"kind": kind, "subject": subject}
    workspace.database.command(actor, key, "accounts.unfollow", end, request=request, subject=account)


def follows(workspace: Workspace, account: str) -> tuple[Follow, ...]:
    """What an account follows, the newest first."""
    rows = table("follows")
    query = (
        select(rows.c.kind, rows.c.subject, rows.c.at)
        .where(rows.c.account == account)
        .order_by(rows.c.at.desc(), rows.c.kind, rows.c.subject)
    )
    with workspace.database.read() as connection:
        return tuple(Follow(*row) for row in connection.execute(query))


def follows_it(workspace: Workspace, account: str, kind: Kind, subject: str) -> bool:
    """Whether an account follows something."""
    rows = table("follows")
    where = (rows.c.account == account, rows.c.kind == kind, rows.c.subject == subject)
    with workspace.database.read() as connection:
        return connection.execute(select(rows.c.at).where(*where)).first() is not None


def followers(workspace: Workspace, kind: Kind, prefix: str = "") -> dict[str, list[str]]:
    """Accounts by what they follow of a kind, where its name begins so."""
    rows = table("follows")
    query = select(rows.c.subject, rows.c.account).where(
        rows.c.kind == kind, rows.c.subject.startswith(prefix, autoescape=True)
    )
    found: dict[str, list[str]] = {}
    with workspace.database.read() as connection:
        for row in connection.execute(query.order_by(rows.c.subject, rows.c.account)):
            found.setdefault(row.subject, []).append(row.account)
    return found
