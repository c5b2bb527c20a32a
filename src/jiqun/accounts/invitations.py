"""Invitations 邀请: a link with a secret, shown once, that makes one account; a member's may bind an organisation."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import RowMapping, select, update

from jiqun.accounts import claims, passwords, people
from jiqun.accounts.keys import digest_of, new_secret
from jiqun.accounts.people import Account
from jiqun.core.actor import Actor, Role
from jiqun.core.errors import InputError, Language, UsageError
from jiqun.intake.moved import same
from jiqun.store import Workspace
from jiqun.store.database import Transaction, table

LONGEST_DAYS = 60
PREFIX = "jqi_"


@dataclass(frozen=True)
class Invitation:
    """An invitation 邀请, without its secret."""

    id: str
    role: Role
    organisation: str | None
    note: str | None
    created_by: str
    created_at: datetime
    expires_at: datetime
    used_by: str | None
    used_at: datetime | None
    withdrawn_at: datetime | None

    @classmethod
    def of(cls, row: RowMapping) -> Invitation:
        """An invitation from its row."""
        return cls(**{name: row[name] for name in cls.__dataclass_fields__})

    def open(self, now: datetime) -> bool:
        """Whether it can still be taken."""
        return self.used_at is None and self.withdrawn_at is None and self.expires_at > now


@dataclass(frozen=True)
class Invited:
    """A new invitation; `secret` is None where the command is repeated: it is shown once."""

    invitation: Invitation
    secret: str | None


def invite(
    actor: Actor,
    workspace: Workspace,
    role: Role,
    *,
    organisation: str | None = None,
    note: str | None = None,
    days: int = 14,
    key: str,
) -> Invited:
    """Make an invitation 发出邀请: an operator for any role, a member for colleagues of its organisation.

    Raises
    ------
    InputError
        JQ-ACCOUNTS-007: only members are bound to an organisation; JQ-ACCOUNTS-009: it is not in the register.
    """
    actor.require("accounts.invite", "operator", "member")
    if "operator" not in actor.roles:
        role, organisation = "member", actor.organisation
        if organisation is None:
            raise InputError("JQ-ACCOUNTS-018")
    people.check_binding(role, organisation)
    if organisation is not None:
        organisation = str(claims.organisation(workspace, organisation)["id"])
    secret = new_secret(PREFIX)
    made: list[str] = []

    def make(tx: Transaction) -> str:
        invitation = tx.new_id("inv")
        row = {
            "id": invitation,
            "secret_digest": digest_of(secret),
            "role": role,
            "organisation": organisation,
            "note": note,
            "created_by": actor.id,
            "created_at": tx.now,
            "expires_at": tx.now + timedelta(days=min(days, LONGEST_DAYS)),
        }
        tx.execute(table("invitations").insert().values(row))
        made.append(invitation)
        return invitation

    request = {"role": role, "organisation": organisation, "note": note, "days": days}
    invitation = str(
        workspace.database.command(actor, key, "accounts.invite", make, request=request, subject=organisation or "")
    )
    (found,) = listed(workspace, invitation=invitation)
    return Invited(found, secret if invitation in made else None)


def listed(
    workspace: Workspace, *, organisation: str | None = None, invitation: str | None = None, limit: int = 200
) -> tuple[Invitation, ...]:
    """The newest invitations: all, those of an organisation, or one."""
    rows = table("invitations")
    query = select(rows).order_by(rows.c.created_at.desc(), rows.c.id).limit(limit)
    if organisation is not None:
        query = query.where(same(rows.c.organisation, organisation))
    if invitation is not None:
        query = query.where(rows.c.id == invitation)
    with workspace.database.read() as connection:
        return tuple(Invitation.of(row) for row in connection.execute(query).mappings())


def look(workspace: Workspace, secret: str) -> Invitation:
    """The invitation of a link, if it can still be taken.

    Raises
    ------
    InputError
        JQ-ACCOUNTS-008: unknown, used, withdrawn or too old; which of them is not told.
    """
    rows = table("invitations")
    with workspace.database.read() as connection:
        row = connection.execute(select(rows).where(rows.c.secret_digest == digest_of(secret))).mappings().first()
    found = Invitation.of(row) if row else None
    if found is None or not found.open(workspace.clock()):
        raise InputError("JQ-ACCOUNTS-008")
    return found


def accept(
    workspace: Workspace,
    secret: str,
    *,
    login: str,
    name: str,
    password: str,
    uscc: str | None = None,
    language: Language | None = None,
    key: str,
) -> Account:
    """Take an invitation 接受邀请: makes the account; `sessions.open_session` signs it in.

    A member's invitation that binds no organisation may claim one by its credit code.

    Raises
    ------
    InputError
        JQ-ACCOUNTS-002 to 005, 017: what was given cannot be so; JQ-ACCOUNTS-008: the invitation cannot be taken;
        JQ-ACCOUNTS-009 to 011: the claim cannot.
    """
    login, name = people.checked_login(login), people.checked_name(name)
    known = _taken_by(workspace, secret, key)
    if known is not None:
        return people.find(workspace, known)
    invitation = look(workspace, secret)
    passwords.check_strength(password, login)
    organisation = claims.wanted(workspace, invitation.role, invitation.organisation, uscc)
    digest = passwords.digest(password)

    def make(tx: Transaction) -> str:
        account = people.put(
            tx,
            login=login,
            name=name,
            role=invitation.role,
            organisation=None,  # the claim binds it
            digest=digest,
            language=language,
        )
        use(tx, secret, account)
        if organisation is not None:
            claims.put(tx, account, organisation, uscc=uscc, bound=invitation.organisation is not None)
        return account

    account = workspace.database.command(_taker(invitation.id), key, "accounts.accept", make, subject=invitation.id)
    return people.find(workspace, str(account))


def _taker(invitation: str) -> Actor:
    """Who takes an invitation has no account yet."""
    return Actor(invitation, frozenset())


def _taken_by(workspace: Workspace, secret: str, key: str) -> str | None:
    """The account that this very request has made already, where its answer was lost on the way."""
    rows, commands = table("invitations"), table("commands")
    asked = select(rows.c.used_by).join_from(rows, commands, commands.c.actor == rows.c.id)
    with workspace.database.read() as connection:
        where = (rows.c.secret_digest == digest_of(secret), commands.c.key == key)
        found: str | None = connection.execute(asked.where(*where)).scalar()
    return found


def use(tx: Transaction, secret: str, account: str) -> None:
    """Mark an invitation as taken within a command.

    Raises
    ------
    InputError
        JQ-ACCOUNTS-008: it cannot be taken any more.
    """
    rows = table("invitations")
    still = (rows.c.used_at.is_(None), rows.c.withdrawn_at.is_(None), rows.c.expires_at > tx.now)
    done = tx.execute(
        update(rows).where(rows.c.secret_digest == digest_of(secret), *still).values(used_by=account, used_at=tx.now)
    )
    if not done.rowcount:
        raise InputError("JQ-ACCOUNTS-008")


def withdraw(actor: Actor, workspace: Workspace, invitation: str, *, key: str) -> None:
    """Take an invitation back 收回邀请: an operator any, a member those of its organisation.

    Raises
    ------
    UsageError
        JQ-ACCOUNTS-019: there is none that could be taken back.
    """
    actor.require("accounts.withdraw_invitation", "operator", "member")
    rows = table("invitations")
    where = [rows.c.id == invitation, rows.c.used_at.is_(None)]
    if "operator" not in actor.roles:
        where.append(same(rows.c.organisation, actor.organisation or ""))

    def end(tx: Transaction) -> None:
        if not tx.execute(update(rows).where(*where).values(withdrawn_at=tx.now)).rowcount:
            raise UsageError("JQ-ACCOUNTS-019", value=invitation)

    request = {"invitation": invitation}
    workspace.database.command(actor, key, "accounts.withdraw_invitation", end, request=request, subject=invitation)
