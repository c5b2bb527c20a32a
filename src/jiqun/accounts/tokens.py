"""API tokens 接口令牌: an account's actor, for some operations, until a day; kept as digest, shown once."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import RowMapping, select, update

from jiqun.accounts import people
from jiqun.accounts.keys import digest_of, new_secret
from jiqun.accounts.people import Account, columns
from jiqun.accounts.recorder import recorder
from jiqun.core.actor import Actor
from jiqun.core.errors import InputError, UsageError
from jiqun.core.operation import Operation
from jiqun.store import Workspace
from jiqun.store.database import JSON, Transaction, table

PREFIX = "jqt_"
READ = "read"
"""The scope of every question and no command."""
MOST = 50
MOST_SCOPES = 50
LONGEST_DAYS = 366
USED_EVERY = timedelta(minutes=1)
_SCOPE = re.compile(r"read|[a-z][a-z_]{0,39}\.(?:\*|[a-z][a-z_]{0,59})")


@dataclass(frozen=True)
class Token:
    """A token 令牌, without its secret."""

    id: str
    account: str
    name: str
    scopes: tuple[str, ...]
    created_at: datetime
    expires_at: datetime
    used_at: datetime | None
    revoked_at: datetime | None

    @classmethod
    def of(cls, row: RowMapping) -> Token:
        """A token from its row."""
        found = {name: row[name] for name in cls.__dataclass_fields__}
        return cls(**found | {"scopes": tuple(found["scopes"])})


@dataclass(frozen=True)
class NewToken:
    """A new token; `secret` is None where the command is repeated: it is shown once."""

    token: Token
    secret: str | None


@dataclass(frozen=True)
class Granted:
    """What a token grants: to act as its account, in these scopes."""

    account: Account
    scopes: frozenset[str]

    @property
    def actor(self) -> Actor:
        """Who acts."""
        return replace(self.account.actor, scopes=self.scopes)

    def allows(self, operation: Operation) -> bool:
        """Whether the token was made for an operation."""
        return covers(self.scopes, operation)


def covers(scopes: Iterable[str], operation: Operation) -> bool:
    """Whether scopes take an operation in: by its name, its room (`atlas.*`), or, for a question, `read`.

    Examples
    --------
    >>> from jiqun.core.document import Text
    >>> run = Operation("atlas.run", Text("", ""), frozenset(), len, int, int, writes=True)
    >>> covers(["atlas.*"], run), covers(["read"], run), covers(["atlas.runs"], run)
    (True, False, False)
    """
    room = operation.name.partition(".")[0]
    fitting = {operation.name, f"{room}.*"} | (set() if operation.writes else {READ})
    return not fitting.isdisjoint(scopes)


def make(actor: Actor, workspace: Workspace, *, name: str, scopes: Iterable[str], days: int, key: str) -> NewToken:
    """Make a token 建立令牌 for one's own account; with a token, one for no more than that token is for.

    Raises
    ------
    InputError
        JQ-ACCOUNTS-017: its name; JQ-ACCOUNTS-012: a scope cannot be, or is wider than that of the token that asks;
        JQ-ACCOUNTS-022: there are too many tokens.
    """
    account, name = people.own_account(actor), people.checked_name(name)
    wanted = sorted(set(scopes))
    wrong = next((scope for scope in wanted if not _SCOPE.fullmatch(scope) or not _within(scope, actor.scopes)), None)
    if wrong is not None or not 0 < len(wanted) <= MOST_SCOPES:
        raise InputError("JQ-ACCOUNTS-012", value=(wrong or "")[:80])
    secret = new_secret(PREFIX)
    made: list[str] = []

    def put(tx: Transaction) -> str:
        people.of(tx, account)
        rows = table("tokens")
        live = (rows.c.account == account, rows.c.revoked_at.is_(None), rows.c.expires_at > tx.now)
        if len(tx.execute(select(rows.c.id).where(*live)).all()) >= MOST:
            raise InputError("JQ-ACCOUNTS-022", most=MOST)
        token = tx.new_id("tok")
        row = {"id": token, "secret_digest": digest_of(secret), "account": account, "name": name, "scopes": wanted}
        expires = tx.now + timedelta(days=min(days, LONGEST_DAYS))
        tx.execute(rows.insert().values(row | {"created_at": tx.now, "expires_at": expires}))
        made.append(token)
        return token

    request: JSON = {"name": name, "scopes": wanted, "days": days}
    token = str(workspace.database.command(actor, key, "accounts.make_token", put, request=request, subject=account))
    found = next(one for one in listed(workspace, account) if one.id == token)
    return NewToken(found, secret if token in made else None)


def _within(scope: str, held: frozenset[str] | None) -> bool:
    return held is None or scope in held or f"{scope.partition('.')[0]}.*" in held


def listed(workspace: Workspace, account: str) -> tuple[Token, ...]:
    """An account's tokens, newest first."""
    rows = table("tokens")
    query = select(rows).where(rows.c.account == account).order_by(rows.c.created_at.desc(), rows.c.id).limit(500)
    with workspace.database.read() as connection:
        return tuple(Token.of(row) for row in connection.execute(query).mappings())


def revoke(actor: Actor, workspace: Workspace, token: str, *, key: str) -> None:
    """Revoke a token 撤销令牌: one's own, or as operator any.

    Raises
    ------
    UsageError
        JQ-ACCOUNTS-023: there is none that is not revoked.
    """
    rows = table("tokens")
    where = [rows.c.id == token, rows.c.revoked_at.is_(None)]
    if "operator" not in actor.roles:
        where.append(rows.c.account == people.own_account(actor))

    def end(tx: Transaction) -> None:
        if not tx.execute(update(rows).where(*where).values(revoked_at=tx.now)).rowcount:
            raise UsageError("JQ-ACCOUNTS-023", value=token)

    workspace.database.command(actor, key, "accounts.revoke_token", end, request={"token": token}, subject=token)


def token_actor(workspace: Workspace, secret: str) -> Granted | None:
    """What a token grants now; None if it is none, has expired, was revoked, or its account is closed."""
    if not secret.startswith(PREFIX):
        return None
    rows, accounts = table("tokens"), table("accounts")
    query = select(
        *columns(),
        rows.c.id.label("token"),
        rows.c.scopes,
        rows.c.expires_at,
        rows.c.used_at,
        rows.c.revoked_at,
    ).join_from(rows, accounts)
    with workspace.database.read() as connection:
        row = connection.execute(query.where(rows.c.secret_digest == digest_of(secret))).mappings().first()
    now = workspace.clock()
    if row is None or row["revoked_at"] is not None or row["expires_at"] <= now or row["state"] != "active":
        return None
    if row["used_at"] is None or row["used_at"] + USED_EVERY <= now:
        recorder(workspace).used("tokens", "used_at", row["token"], now)
    return Granted(Account.of(row), frozenset(row["scopes"]))
