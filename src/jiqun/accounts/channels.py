"""Channels 通知渠道: where notices go outside the console: mail, and group robots of 企业微信 and 钉钉.

A robot's address holds its key and whoever has it may post, so it is kept encrypted and shown by its end only.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import RowMapping, delete, func, select, update

from jiqun.accounts import people, vault
from jiqun.accounts.reach import host_of
from jiqun.core.actor import Actor
from jiqun.core.errors import InputError, UsageError
from jiqun.store import Workspace
from jiqun.store.database import JSON, Transaction, new_id, table

Kind = Literal["mail", "wecom", "dingtalk"]
HOSTS = {"wecom": "qyapi.weixin.qq.com", "dingtalk": "oapi.dingtalk.com"}
"""The hosts of the robots, as their makers publish them; the setting `webhook_hosts` adds more."""
MOST = 10
LONGEST_SECRET = 200
_SHOWN = 4
_MAIL = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,188}[A-Za-z0-9])?")


@dataclass(frozen=True)
class Channel:
    """A channel 渠道; `shown` is its address as far as it may be seen."""

    id: str
    account: str
    kind: Kind
    shown: str
    state: str
    at: datetime
    sent_at: datetime | None
    reason: str | None


def hosts(workspace: Workspace, kind: Kind) -> frozenset[str]:
    """Hosts that a robot of this kind may have."""
    more = str(workspace.settings["webhook_hosts"].value).lower().split()
    return frozenset((HOSTS[kind], *more))


def add(
    actor: Actor, workspace: Workspace, kind: Kind, address: str, *, secret: str | None = None, key: str
) -> Channel:
    """Open a channel 添加渠道 for one's notices.

    Raises
    ------
    InputError
        JQ-ACCOUNTS-027: not an address of such a robot; JQ-ACCOUNTS-032: not a mail address; JQ-ACCOUNTS-025: too many.
    UsageError
        JQ-ACCOUNTS-031: this console sends no mail.
    """
    account = people.own_account(actor)
    channel = new_id("chan")
    if kind == "mail":
        if not workspace.settings["smtp_host"].value:
            raise UsageError("JQ-ACCOUNTS-031")
        if not _MAIL.fullmatch(address):
            raise InputError("JQ-ACCOUNTS-032", value=address[:80])
        kept, signing = address, None
    else:
        host_of(address, hosts(workspace, kind))
        kept = vault.seal(workspace, address, channel)
        signing = vault.seal(workspace, secret[:LONGEST_SECRET], channel) if secret else None
    rows = table("channels")

    def put(tx: Transaction) -> str:
        people.of(tx, account)
        if tx.execute(select(func.count()).select_from(rows).where(rows.c.account == account)).scalar_one() >= MOST:
            raise InputError("JQ-ACCOUNTS-025", most=MOST)
        row = {"id": channel, "account": account, "kind": kind, "address": kept, "secret": signing}
        tx.execute(rows.insert().values(row | {"state": "on", "at": tx.now}))
        return channel

    # the address is no part of the request: it would be digested, and a mail address can be guessed
    made = workspace.database.command(actor, key, "accounts.add_channel", put, request={"kind": kind}, subject=account)
    return next(one for one in channels(workspace, account) if one.id == made)


def channels(workspace: Workspace, account: str) -> tuple[Channel, ...]:
    """An account's channels, in the order in which they were added."""
    rows = table("channels")
    query = select(rows).where(rows.c.account == account).order_by(rows.c.at, rows.c.id)
    with workspace.database.read() as connection:
        return tuple(_shown(workspace, row) for row in connection.execute(query).mappings())


def _shown(workspace: Workspace, row: RowMapping) -> Channel:
    shown = row["address"]
    if row["kind"] != "mail":
        try:
            address = vault.unseal(workspace, row["address"], row["id"])
            shown = f"{host_of(address, hosts(workspace, row['kind']))} …{address[-_SHOWN:]}"
        except (InputError, UsageError):
            shown = "—"
    plain = {name: row[name] for name in ("id", "account", "kind", "state", "at", "sent_at", "reason")}
    return Channel(shown=shown, **plain)


def drop(actor: Actor, workspace: Workspace, channel: str, *, key: str) -> None:
    """Remove one of one's channels 删除渠道.

    Raises
    ------
    UsageError
        JQ-ACCOUNTS-033: there is none.
    """
    account, rows = people.own_account(actor), table("channels")

    def end(tx: Transaction) -> None:
        if not tx.execute(delete(rows).where(rows.c.id == channel, rows.c.account == account)).rowcount:
            raise UsageError("JQ-ACCOUNTS-033", value=channel)

    request = {"channel": channel}
    workspace.database.command(actor, key, "accounts.drop_channel", end, request=request, subject=account)


def switch(actor: Actor, workspace: Workspace, channel: str, *, on: bool, key: str) -> None:
    """Switch one of one's channels on or off 启停渠道; errors as `drop`."""
    account, rows = people.own_account(actor), table("channels")

    def turn(tx: Transaction) -> None:
        own = (rows.c.id == channel, rows.c.account == account)
        if not tx.execute(update(rows).where(*own).values(state="on" if on else "off", reason=None)).rowcount:
            raise UsageError("JQ-ACCOUNTS-033", value=channel)

    request: JSON = {"channel": channel, "on": on}
    workspace.database.command(actor, key, "accounts.switch_channel", turn, request=request, subject=account)


def test(actor: Actor, workspace: Workspace, channel: str, *, key: str) -> str:
    """Queue a message that says that the channel works 试发; the id of its job. Errors as `drop`."""
    account, rows = people.own_account(actor), table("channels")

    def queue(tx: Transaction) -> str:
        kind = tx.execute(select(rows.c.kind).where(rows.c.id == channel, rows.c.account == account)).scalar()
        if kind is None:
            raise UsageError("JQ-ACCOUNTS-033", value=channel)
        job = "deliver.mail" if kind == "mail" else "deliver.webhook"
        return tx.job(job, {"channel": channel, "notices": []}, account=account, most_attempts=3)

    request = {"channel": channel}
    return str(workspace.database.command(actor, key, "accounts.test_channel", queue, request=request, subject=account))
