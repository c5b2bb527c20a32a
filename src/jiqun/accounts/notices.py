"""Notices 通知: what an account is told, on its page and through its channels; once for each account and source."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import RowMapping, Select, func, select, update

from jiqun.accounts import people
from jiqun.core.actor import Actor
from jiqun.core.document import Text
from jiqun.store import Workspace
from jiqun.store.database import Transaction, table

TOGETHER = 100
"""Most notices written by one command, and told in one message."""


@dataclass(frozen=True)
class News:
    """What is to be told to whom. `source` is where it comes from: an account is told of one source once."""

    account: str
    kind: str
    source: str
    title: Text
    subject: str | None = None
    body: Text | None = None
    link: str | None = None


@dataclass(frozen=True)
class Notice:
    """A notice 通知; `link` is a path of this console."""

    id: str
    account: str
    kind: str
    subject: str | None
    title: Text
    body: Text | None
    link: str | None
    at: datetime
    read_at: datetime | None

    @classmethod
    def of(cls, row: RowMapping) -> Notice:
        """A notice from its row."""
        body = Text(row["body_zh"], row["body_en"] or "") if row["body_zh"] else None
        title = Text(row["title_zh"], row["title_en"])
        plain = {name: row[name] for name in ("id", "account", "kind", "subject", "link", "at", "read_at")}
        return cls(title=title, body=body, **plain)


def tell(workspace: Workspace, news: Sequence[News], *, key: str) -> int:
    """Write notices and queue what carries them outside 发出通知; how many were new. `key` makes a repetition harmless."""
    by_account = sorted(news, key=lambda one: one.account)
    return sum(
        _tell(workspace, by_account[start : start + TOGETHER], f"{key}:{start}")
        for start in range(0, len(by_account), TOGETHER)
    )


def _tell(workspace: Workspace, news: Sequence[News], key: str) -> int:
    answer = workspace.database.command(people.SYSTEM, key, "accounts.tell", lambda tx: write(tx, news))
    return int(str(answer))


def write(tx: Transaction, news: Iterable[News]) -> int:
    """Notices that are not there yet, within a command, and one delivery per account and channel."""
    rows, channels = table("notices"), table("channels")
    wanted = {(one.account, one.source): one for one in news}
    accounts = sorted({account for account, _ in wanted})
    there = select(rows.c.account, rows.c.source).where(
        rows.c.account.in_(accounts), rows.c.source.in_([source for _, source in wanted])
    )
    for row in tx.execute(there):
        wanted.pop((row.account, row.source), None)
    active = set(_active(tx, accounts))
    fresh: dict[str, list[str]] = {}
    for one in wanted.values():
        if one.account in active:
            fresh.setdefault(one.account, []).append(_put(tx, one))
    open_channels = select(channels.c.id, channels.c.account, channels.c.kind).where(
        channels.c.account.in_(list(fresh)), channels.c.state != "off"
    )
    for channel in tx.execute(open_channels).all():
        told = fresh[channel.account]
        kind = "deliver.mail" if channel.kind == "mail" else "deliver.webhook"
        tx.job(kind, {"channel": channel.id, "notices": told}, account=channel.account)
    return sum(map(len, fresh.values()))


def _active(tx: Transaction, accounts: Sequence[str]) -> Iterable[str]:
    rows = table("accounts")
    return tx.execute(select(rows.c.id).where(rows.c.id.in_(accounts), rows.c.state == "active")).scalars()


def _put(tx: Transaction, one: News) -> str:
    notice = tx.new_id("not")
    row = {
        "id": notice,
        "account": one.account,
        "kind": one.kind,
        "source": one.source,
        "subject": one.subject,
        "title_zh": one.title.zh,
        "title_en": one.title.en,
        "body_zh": one.body.zh if one.body else None,
        "body_en": one.body.en if one.body else None,
        "link": one.link,
        "at": tx.now,
    }
    tx.execute(table("notices").insert().values(row))
    return notice


def notices(
    workspace: Workspace, account: str, *, unread: bool = False, offset: int = 0, limit: int = 50
) -> tuple[Notice, ...]:
    """An account's notices, the newest first."""
    rows = table("notices")
    query = _own(select(rows), account, unread=unread).order_by(rows.c.at.desc(), rows.c.id)
    with workspace.database.read() as connection:
        return tuple(Notice.of(row) for row in connection.execute(query.offset(offset).limit(limit)).mappings())


def count(workspace: Workspace, account: str, *, unread: bool = False) -> int:
    """How many notices an account has, or has not read."""
    rows = table("notices")
    with workspace.database.read() as connection:
        query = _own(select(func.count()).select_from(rows), account, unread=unread)
        return int(connection.execute(query).scalar_one())


def _own(query: Select[Any], account: str, *, unread: bool) -> Select[Any]:
    rows = table("notices")
    query = query.where(rows.c.account == account)
    return query.where(rows.c.read_at.is_(None)) if unread else query


def mark_read(actor: Actor, workspace: Workspace, ids: Sequence[str] | None = None, *, key: str) -> int:
    """Mark some of one's notices as read 标为已读, or all; how many were not."""
    account, rows = people.own_account(actor), table("notices")
    where = [rows.c.account == account, rows.c.read_at.is_(None)]
    if ids is not None:
        where.append(rows.c.id.in_(list(ids)))

    def mark(tx: Transaction) -> int:
        return tx.execute(update(rows).where(*where).values(read_at=tx.now)).rowcount

    request = {"ids": None if ids is None else list(ids)}
    return int(
        str(workspace.database.command(actor, key, "accounts.mark_read", mark, request=request, subject=account))
    )
