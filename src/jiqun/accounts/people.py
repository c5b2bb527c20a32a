"""Accounts 账户: who may sign in, in which role, and for which organisation a member speaks."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, RowMapping, Select, delete, func, select, update

from jiqun.accounts import passwords
from jiqun.core.actor import Actor, Role
from jiqun.core.errors import InputError, Language, PermissionDeniedError, UsageError
from jiqun.core.text import visible
from jiqun.intake.moved import stands_for
from jiqun.store import Workspace
from jiqun.store.database import Transaction, new_key, table

FIRST = "operator"
"""Login of the account that the first start makes."""
SYSTEM = Actor("system", frozenset())
"""Who gives the commands that nobody asks for: first start, sign-in, delivery."""
ROLES: tuple[Role, ...] = ("operator", "analyst", "member", "auditor")
COLUMNS = ("id", "login", "name", "role", "organisation", "language", "state", "created_at")
_SHORTEST, _LONGEST = 2, 100
_RESERVED = ("closed:", "acc_")
"""How no login begins: those of closed accounts, and ids, by which accounts are found as well."""
_UNSEEN = "\ufffd"
"""What `visible` puts where something cannot be shown."""


@dataclass(frozen=True)
class Account:
    """An account 账户, without what proves it."""

    id: str
    login: str
    name: str
    role: Role
    organisation: str | None
    language: Language | None
    state: str
    created_at: datetime

    @classmethod
    def of(cls, row: RowMapping) -> Account:
        """An account from its row."""
        return cls(**{name: row[name] for name in COLUMNS})

    @property
    def actor(self) -> Actor:
        """Who acts when this account does: its role, and what everyone may."""
        return Actor(self.id, frozenset({self.role, "public"}), self.organisation)


@dataclass(frozen=True)
class FirstOperator:
    """The account that the first start made; `password` where it was generated, to be told once."""

    login: str
    password: str | None


def asked(*more: str) -> Select[Any]:
    """A query for accounts."""
    people = table("accounts")
    return select(*columns(), *(people.c[name] for name in more))


def columns() -> list[ColumnElement[Any]]:
    """The columns of an account in a query; its organisation as what it stands for by now (`jiqun.intake.moved`)."""
    people = table("accounts")
    own = stands_for(people.c.organisation).label("organisation")
    return [own if name == "organisation" else people.c[name] for name in COLUMNS]


def find(workspace: Workspace, wanted: str) -> Account:
    """One account by its login or id.

    Raises
    ------
    UsageError
        JQ-ACCOUNTS-006: there is none.
    """
    people = table("accounts")
    where = (people.c.login == plain_login(wanted)) | (people.c.id == wanted)
    with workspace.database.read() as connection:
        row = connection.execute(asked().where(where)).mappings().first()
    if row is None:
        raise UsageError("JQ-ACCOUNTS-006", value=wanted[:_LONGEST])
    return Account.of(row)


def first_operator(workspace: Workspace, *, password: str | None = None) -> FirstOperator | None:
    """Make the first operator 首个运营方账户 of a workspace that has no account; None if it has one.

    Raises
    ------
    InputError
        JQ-ACCOUNTS-002, 003: the password given is too weak.
    """
    with workspace.database.read() as connection:
        if connection.execute(select(table("accounts").c.id).limit(1)).first():
            return None
    chosen = password or passwords.generated()
    passwords.check_strength(chosen, FIRST)
    digest = passwords.digest(chosen)

    def make(tx: Transaction) -> str | None:
        if tx.execute(select(table("accounts").c.id).limit(1)).first():
            return None  # another process was first
        return put(tx, login=FIRST, name=FIRST, role="operator", organisation=None, digest=digest, language=None)

    made = workspace.database.command(SYSTEM, new_key(), "accounts.first_operator", make)
    return FirstOperator(FIRST, None if password else chosen) if made else None


def add(
    actor: Actor,
    workspace: Workspace,
    *,
    login: str,
    name: str,
    role: Role,
    organisation: str | None = None,
    password: str,
    language: Language | None = None,
    key: str,
) -> Account:
    """Make an account 新建账户 with a password; people who choose their own are invited instead.

    Raises
    ------
    PermissionDeniedError
        JQ-USE-002: not an operator.
    InputError
        JQ-ACCOUNTS-002 to 005, 007: password, login or role cannot be so.
    """
    actor.require("accounts.add", "operator")
    login, name = checked_login(login), checked_name(name)
    check_binding(role, organisation)
    passwords.check_strength(password, login)
    digest = passwords.digest(password)

    def make(tx: Transaction) -> str:
        return put(tx, login=login, name=name, role=role, organisation=organisation, digest=digest, language=language)

    # login and name are forgotten when the account is closed: what is digested must not tell them
    request = {"role": role, "organisation": organisation, "language": language}
    return find(workspace, str(workspace.database.command(actor, key, "accounts.add", make, request=request)))


def put(
    tx: Transaction,
    *,
    login: str,
    name: str,
    role: Role,
    organisation: str | None,
    digest: str,
    language: Language | None,
) -> str:
    """The row of a new account; its id.

    Raises
    ------
    InputError
        JQ-ACCOUNTS-005: the login is taken.
    """
    people = table("accounts")
    if tx.execute(select(people.c.id).where(people.c.login == login)).first():
        raise InputError("JQ-ACCOUNTS-005", value=login)
    account = tx.new_id("acc")
    row = {
        "id": account,
        "login": login,
        "name": name,
        "password_digest": digest,
        "role": role,
        "organisation": organisation,
        "language": language,
        "state": "active",
        "failures": 0,
        "created_at": tx.now,
        "password_at": tx.now,
    }
    tx.execute(people.insert().values(row))
    return account


def set_role(
    actor: Actor, workspace: Workspace, account: str, role: Role, *, organisation: str | None = None, key: str
) -> None:
    """Change what an account may 改变角色. It has to sign in again.

    Raises
    ------
    InputError
        JQ-ACCOUNTS-007: only members are bound to an organisation; JQ-ACCOUNTS-014: the last operator.
    """
    actor.require("accounts.set_role", "operator")
    check_binding(role, organisation)

    def change(tx: Transaction) -> None:
        of(tx, account)
        if role != "operator":
            _keep_one_operator(tx, account)
        people, claims = table("accounts"), table("claims")
        tx.execute(people.update().where(people.c.id == account).values(role=role, organisation=organisation))
        others = (claims.c.account == account, claims.c.state == "held", claims.c.organisation != (organisation or ""))
        tx.execute(update(claims).where(*others).values(state="ended", ended_at=tx.now))
        sign_out_everywhere(tx, account)

    request = {"account": account, "role": role, "organisation": organisation}
    workspace.database.command(actor, key, "accounts.set_role", change, request=request, subject=account)


def close(actor: Actor, workspace: Workspace, account: str, *, key: str) -> None:
    """Close an account 关闭账户, an operator any and everyone their own: it cannot sign in, and its name is forgotten.

    Its claims end, its tokens and sessions too; what it did stays on record under its id.

    Raises
    ------
    PermissionDeniedError
        JQ-USE-002: another's account.
    InputError
        JQ-ACCOUNTS-014: it is the last operator.
    """
    if actor.id != account:
        actor.require("accounts.close", "operator")

    def end(tx: Transaction) -> None:
        of(tx, account)
        _keep_one_operator(tx, account)
        shut(tx, account)

    workspace.database.command(actor, key, "accounts.close", end, request={"account": account}, subject=account)


def shut(tx: Transaction, account: str) -> None:
    """What closing an account does to the rows."""
    people, claims, tokens = table("accounts"), table("claims"), table("tokens")
    gone = {"state": "closed", "login": f"closed:{account}", "name": "—", "password_digest": None, "language": None}
    tx.execute(people.update().where(people.c.id == account).values(gone))
    tx.execute(
        update(claims)
        .where(claims.c.account == account, claims.c.state == "held")
        .values(state="ended", ended_at=tx.now)
    )
    live = (tokens.c.account == account) & tokens.c.revoked_at.is_(None)
    tx.execute(tokens.update().where(live).values(revoked_at=tx.now))
    for name in ("follows", "notices", "channels"):
        own = table(name)
        tx.execute(delete(own).where(own.c.account == account))
    sign_out_everywhere(tx, account)


def change_password(actor: Actor, workspace: Workspace, old: str, new: str, *, key: str) -> None:
    """Change one's own password 修改口令. Every session ends: the page opens a new one for who asked.

    Raises
    ------
    PermissionDeniedError
        JQ-ACCOUNTS-015: the old one is wrong.
    InputError
        JQ-ACCOUNTS-002, 003: the new one is too weak.
    """
    with workspace.database.read() as connection:
        people = table("accounts")
        row = connection.execute(asked("password_digest").where(people.c.id == own_account(actor))).mappings().first()
    known = row["password_digest"] if row and row["state"] == "active" else None
    if not passwords.verify(known, old) or row is None:
        raise PermissionDeniedError("JQ-ACCOUNTS-015")
    _put_password(actor, workspace, Account.of(row), new, key=key)


def set_password(actor: Actor, workspace: Workspace, account: Account, new: str, *, key: str) -> None:
    """Give an account a new password 重设口令 and end its lock-out and its sessions.

    Raises
    ------
    InputError
        JQ-ACCOUNTS-002, 003: it is too weak.
    """
    actor.require("accounts.set_password", "operator")
    _put_password(actor, workspace, account, new, key=key)


def set_language(actor: Actor, workspace: Workspace, language: Language, *, key: str) -> None:
    """Set the language 语言 of one's own pages and notices."""
    account = own_account(actor)

    def change(tx: Transaction) -> None:
        of(tx, account)
        people = table("accounts")
        tx.execute(people.update().where(people.c.id == account).values(language=language))

    request = {"language": language}
    workspace.database.command(actor, key, "accounts.language", change, request=request, subject=account)


def _put_password(actor: Actor, workspace: Workspace, account: Account, new: str, *, key: str) -> None:
    passwords.check_strength(new, account.login)
    digest = passwords.digest(new)

    def change(tx: Transaction) -> None:
        people = table("accounts")
        values = {"password_digest": digest, "password_at": tx.now, "failures": 0, "locked_until": None}
        live = (people.c.id == account.id) & (people.c.state == "active")
        tx.execute(people.update().where(live).values(values))
        sign_out_everywhere(tx, account.id)

    workspace.database.command(actor, key, "accounts.password", change, subject=account.id)


def sign_out_everywhere(tx: Transaction, account: str) -> None:
    """End every session of an account."""
    sessions = table("sessions")
    tx.execute(delete(sessions).where(sessions.c.account == account))


def of(tx: Transaction, account: str) -> Account:
    """An active account within a command.

    Raises
    ------
    UsageError
        JQ-ACCOUNTS-006: there is none.
    """
    people = table("accounts")
    row = tx.execute(asked().where(people.c.id == account, people.c.state == "active")).mappings().first()
    if row is None:
        raise UsageError("JQ-ACCOUNTS-006", value=account)
    return Account.of(row)


def answered(workspace: Workspace, actor: Actor, key: str) -> bool:
    """Whether this command was given before: what it needed may be used up by it."""
    commands = table("commands")
    with workspace.database.read() as connection:
        where = (commands.c.actor == actor.id, commands.c.key == key)
        return connection.execute(select(commands.c.key).where(*where)).first() is not None


def own_account(actor: Actor) -> str:
    """The account that an actor is.

    Raises
    ------
    PermissionDeniedError
        JQ-ACCOUNTS-016: the person at this machine and the public have none.
    """
    if not actor.id.startswith("acc_"):
        raise PermissionDeniedError("JQ-ACCOUNTS-016", actor=actor.id)
    return actor.id


def plain_login(login: str) -> str:
    """A login as it is compared: case, width and blanks around it do not matter.

    Examples
    --------
    >>> plain_login(" Ｗang@Example.org ")
    'wang@example.org'
    """
    return visible(unicodedata.normalize("NFKC", login[: 4 * _LONGEST]).strip().casefold())


def checked_login(login: str) -> str:
    """A login as it is kept.

    Raises
    ------
    InputError
        JQ-ACCOUNTS-004: too short, too long, or with blanks or what cannot be seen.
    """
    plain = plain_login(login)
    fine = _SHORTEST <= len(plain) <= _LONGEST and plain.isprintable() and not any(map(str.isspace, plain))
    if not fine or plain.startswith(_RESERVED) or _UNSEEN in plain:
        raise InputError("JQ-ACCOUNTS-004", shortest=_SHORTEST, longest=_LONGEST)
    return plain


def checked_name(name: str) -> str:
    """A name as it is kept.

    Raises
    ------
    InputError
        JQ-ACCOUNTS-017: empty, too long, or with what cannot be seen.
    """
    plain = " ".join(name.split())
    if not (0 < len(plain) <= _LONGEST and plain.isprintable()):
        raise InputError("JQ-ACCOUNTS-017", longest=_LONGEST)
    return plain


def check_binding(role: Role, organisation: str | None) -> None:
    """Only members speak for an organisation; all others see whole tables and must not mix the two.

    Raises
    ------
    InputError
        JQ-ACCOUNTS-007.
    """
    if role not in ROLES or (organisation is not None and role != "member"):
        raise InputError("JQ-ACCOUNTS-007", value=role)


def _keep_one_operator(tx: Transaction, account: str) -> None:
    """A console without an operator could not be mended from within."""
    people = table("accounts")
    others = (people.c.role == "operator") & (people.c.state == "active") & (people.c.id != account)
    is_one = tx.execute(select(people.c.role).where(people.c.id == account)).scalar() == "operator"
    if is_one and not tx.execute(select(func.count()).select_from(people).where(others)).scalar():
        raise InputError("JQ-ACCOUNTS-014")
