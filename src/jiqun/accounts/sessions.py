"""Sign-in and sessions 登录与会话.

An attempt is counted before the password is looked at, so that many at once are not more than as many in a row. Every
attempt costs the same, whether or not there is such an account: one command, one argon2 digest, one message.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta

from sqlalchemy import delete, select

from jiqun.accounts import passwords
from jiqun.accounts.keys import digest_of, new_secret
from jiqun.accounts.people import SYSTEM, Account, columns, plain_login
from jiqun.accounts.recorder import recorder
from jiqun.core.actor import Actor
from jiqun.core.errors import PermissionDeniedError
from jiqun.store import Workspace
from jiqun.store.database import Transaction, new_key, table

IDLE = timedelta(hours=12)
ABSOLUTE = timedelta(days=7)
"""When a session ends at the latest."""
SEEN_EVERY = timedelta(minutes=1)
FREE_ATTEMPTS = 5
"""Failures in a row from which on sign-in pauses."""
FIRST_PAUSE = timedelta(minutes=1)
LONGEST_PAUSE = timedelta(minutes=15)
"""Long enough that guessing is hopeless, short enough that nobody is kept out for a day by another's guessing."""


@dataclass(frozen=True)
class Session:
    """A session 会话: `secret` goes into the cookie and nowhere else, `csrf` into every form."""

    secret: str = field(repr=False)
    csrf: str = field(repr=False)
    account: Account

    @property
    def actor(self) -> Actor:
        """Who acts."""
        return self.account.actor


def pause(failures: int) -> timedelta:
    """How long sign-in pauses after so many failures in a row.

    Examples
    --------
    >>> [int(pause(n).total_seconds()) for n in (4, 5, 6, 7, 50)]
    [0, 60, 120, 240, 900]
    """
    if failures < FREE_ATTEMPTS:
        return timedelta(0)
    doublings: int = min(failures - FREE_ATTEMPTS, 10)
    return min(FIRST_PAUSE * int(2**doublings), LONGEST_PAUSE)


def sign_in(workspace: Workspace, login: str, password: str, *, replaces: str | None = None) -> Session:
    """Open a session 登录 for who knows the password; the session `replaces` (a secret) ends.

    Raises
    ------
    PermissionDeniedError
        JQ-ACCOUNTS-001: wrong, closed, or pausing; which of them is not told.
    """
    people = table("accounts")
    with workspace.database.read() as connection:
        row = connection.execute(
            select(people.c.id, people.c.password_digest).where(
                people.c.login == plain_login(login), people.c.state == "active"
            )
        ).first()
    counted = _count(workspace, row.id if row else None)
    known = row.password_digest if row else None
    if not passwords.verify(known, password) or not counted or row is None or known is None:
        raise PermissionDeniedError("JQ-ACCOUNTS-001")
    fresh = passwords.digest(password) if passwords.outdated(known) else None
    return _opened(workspace, row.id, "accounts.sign_in", known=known, fresh=fresh, replaces=replaces)


def _count(workspace: Workspace, account: str | None) -> bool:
    """Count an attempt; whether it may succeed."""

    def count(tx: Transaction) -> bool:
        people = table("accounts")
        asked = select(people.c.failures, people.c.locked_until).where(people.c.id == (account or ""))
        row = tx.execute(asked).first()
        if row is None or (row.locked_until is not None and row.locked_until > tx.now):
            return False
        failures = row.failures + 1
        locked = tx.now + pause(failures) if pause(failures) else None
        tx.execute(people.update().where(people.c.id == account).values(failures=failures, locked_until=locked))
        return True

    return bool(workspace.database.command(SYSTEM, new_key(), "accounts.attempt", count, subject=account or ""))


def open_session(workspace: Workspace, account: str, *, replaces: str | None = None) -> Session:
    """Open a session for someone who has just proved to be that account: by invitation, or within another session.

    Raises
    ------
    PermissionDeniedError
        JQ-ACCOUNTS-001: the account was closed meanwhile.
    """
    return _opened(workspace, account, "accounts.open_session", replaces=replaces)


def _opened(
    workspace: Workspace,
    account: str,
    operation: str,
    *,
    known: str | None = None,
    fresh: str | None = None,
    replaces: str | None = None,
) -> Session:
    secret, csrf = new_secret(), new_secret()

    def begin(tx: Transaction) -> bool:
        people, sessions = table("accounts"), table("sessions")
        row = tx.execute(
            select(people.c.password_digest).where(people.c.id == account, people.c.state == "active")
        ).first()
        if row is None or (known is not None and row.password_digest != known):
            return False  # closed, or the password changed, while this one was looked at
        tx.execute(delete(sessions).where(sessions.c.expires_at <= tx.now))
        if replaces:
            tx.execute(delete(sessions).where(sessions.c.id == digest_of(replaces)))
        tx.execute(
            sessions.insert().values(
                id=digest_of(secret),
                account=account,
                csrf=csrf,
                created_at=tx.now,
                seen_at=tx.now,
                expires_at=tx.now + ABSOLUTE,
            )
        )
        proved = {"failures": 0, "locked_until": None} if known is not None else {}
        renewed = {"password_digest": fresh} if fresh is not None else {}
        if proved:
            tx.execute(people.update().where(people.c.id == account).values(proved | renewed))
        return True

    begun = workspace.database.command(Actor(account, frozenset()), new_key(), operation, begin, subject=account)
    found = session(workspace, secret) if begun else None
    if found is None:
        raise PermissionDeniedError("JQ-ACCOUNTS-001")
    return found


def session(workspace: Workspace, secret: str | None) -> Session | None:
    """The session of a cookie, or None if it is none, has ended, or was silent for too long."""
    if not secret:
        return None
    people, sessions = table("accounts"), table("sessions")
    asked = select(*columns(), sessions.c.csrf, sessions.c.seen_at, sessions.c.expires_at).join_from(sessions, people)
    known = digest_of(secret)
    with workspace.database.read() as connection:
        row = connection.execute(asked.where(sessions.c.id == known)).mappings().first()
    now = workspace.clock()
    if row is None or row["state"] != "active" or row["expires_at"] <= now or row["seen_at"] + IDLE <= now:
        return None
    if row["seen_at"] + SEEN_EVERY <= now:
        recorder(workspace).used("sessions", "seen_at", known, now)
    return Session(secret, row["csrf"], Account.of(row))


def sign_out(workspace: Workspace, secret: str) -> None:
    """End a session 退出."""
    sessions = table("sessions")

    def end(tx: Transaction) -> None:
        tx.execute(delete(sessions).where(sessions.c.id == digest_of(secret)))

    found = session(workspace, secret)
    if found is not None:
        workspace.database.command(found.actor, new_key(), "accounts.sign_out", end, subject=found.account.id)
