"""Claims 认领: a member takes its firm's record over and finds it prefilled.

An operator's invitation is what entitles; a credit code alone is public and proves nothing. An invitation that names no
organisation lets its holder claim, by credit code, one that nobody holds yet.
"""

from __future__ import annotations

from typing import Any

import polars as pl
from sqlalchemy import select, update
from stdnum.cn import uscc as credit_code
from stdnum.exceptions import ValidationError

from jiqun.accounts import people
from jiqun.accounts.keys import digest_of
from jiqun.core.actor import Actor, Role
from jiqun.core.errors import InputError, WorkspaceError
from jiqun.intake.moved import current, same
from jiqun.store import Workspace
from jiqun.store.database import Transaction, table

LONGEST_ID = 64
_OPERATION = "accounts.claim"


def organisation(workspace: Workspace, id: str) -> dict[str, Any]:  # noqa: A002
    """An organisation's row of the register as it is loaded now; of an id that it had before it was matched, too.

    Raises
    ------
    InputError
        JQ-ACCOUNTS-009: there is none of this id.
    """
    known = len(id) <= LONGEST_ID
    found = _row(workspace, "id", id) or _row(workspace, "id", current(workspace, id)) if known else None
    if found is None:
        raise InputError("JQ-ACCOUNTS-009", value=id[:LONGEST_ID])
    return found


def by_credit_code(workspace: Workspace, uscc: str) -> dict[str, Any]:
    """The organisation of a credit code 统一社会信用代码, whose check digit must be right (GB 32100-2015).

    Raises
    ------
    InputError
        JQ-ACCOUNTS-010: no such code can be; JQ-ACCOUNTS-009: it is not in the register.
    """
    try:
        code = credit_code.validate(uscc[:LONGEST_ID])
    except ValidationError:
        raise InputError("JQ-ACCOUNTS-010", value=uscc[:LONGEST_ID]) from None
    found = _row(workspace, "uscc", code)
    if found is None:
        raise InputError("JQ-ACCOUNTS-009", value=code)
    return found


def _row(workspace: Workspace, column: str, value: str) -> dict[str, Any] | None:
    try:
        scan = workspace.scan("organisations")
    except WorkspaceError as error:
        if error.code == "JQ-STORE-006":
            return None
        raise
    if column not in scan.collect_schema():
        return None
    rows = scan.filter(pl.col(column) == value).head(1).collect()
    return rows.row(0, named=True) if rows.height else None


def wanted(workspace: Workspace, role: Role, bound: str | None, uscc: str | None) -> str | None:
    """The organisation that someone with an invitation is about to claim; None if none.

    Raises
    ------
    InputError
        JQ-ACCOUNTS-009, 010: as `organisation` and `by_credit_code`; JQ-ACCOUNTS-020: the code is another's.
    """
    if role != "member":
        return None
    named = str(by_credit_code(workspace, uscc)["id"]) if uscc else None
    if bound is None:
        return named
    held = str(organisation(workspace, bound)["id"])
    if named is not None and named != held:
        raise InputError("JQ-ACCOUNTS-020", value=uscc)
    return held


def claim(actor: Actor, workspace: Workspace, *, secret: str, uscc: str | None = None, key: str) -> str:
    """Claim an organisation 认领 with an account one has already; its id. Sessions end, since the account may more now.

    Raises
    ------
    InputError
        JQ-ACCOUNTS-008: the invitation cannot be taken; JQ-ACCOUNTS-009 to 011, 020: the organisation cannot be
        claimed; JQ-ACCOUNTS-021: the account speaks for one already.
    """
    from jiqun.accounts import invitations  # noqa: PLC0415  # an invitation may end in a claim, and a claim needs one

    actor.require("accounts.claim", "member")
    account = people.own_account(actor)
    request = {"invitation": digest_of(secret), "uscc": uscc}
    if people.answered(workspace, actor, key):  # the invitation is used by now, and that is no reason to refuse a retry
        return str(workspace.database.command(actor, key, _OPERATION, lambda _: None, request=request))
    invitation = invitations.look(workspace, secret)
    found = wanted(workspace, invitation.role, invitation.organisation, uscc)
    if found is None:
        raise InputError("JQ-ACCOUNTS-010", value=uscc or "")

    def take(tx: Transaction) -> str:
        invitations.use(tx, secret, account)
        put(tx, account, found, uscc=uscc, bound=invitation.organisation is not None)
        people.sign_out_everywhere(tx, account)
        return found

    return str(workspace.database.command(actor, key, _OPERATION, take, request=request, subject=found))


def put(tx: Transaction, account: str, organisation_id: str, *, uscc: str | None, bound: bool) -> None:
    """Bind an account to an organisation within a command.

    Raises
    ------
    InputError
        JQ-ACCOUNTS-011: another holds it, and the invitation was not for it; JQ-ACCOUNTS-021: the account has one.
    """
    rows, accounts = table("claims"), table("accounts")
    if people.of(tx, account).organisation is not None:
        raise InputError("JQ-ACCOUNTS-021")
    held = (same(accounts.c.organisation, organisation_id), accounts.c.state == "active", accounts.c.id != account)
    if not bound and tx.execute(select(accounts.c.id).where(*held)).first():
        raise InputError("JQ-ACCOUNTS-011")
    row = {"id": tx.new_id("claim"), "organisation": organisation_id, "account": account, "uscc": uscc}
    tx.execute(rows.insert().values(row | {"state": "held", "at": tx.now}))
    tx.execute(update(accounts).where(accounts.c.id == account).values(organisation=organisation_id))
