"""Contacts 联系方式: mail addresses to which forms and reminders go. Personal data, kept apart and encrypted.

Only operators see them; they are in no export, no log and no request that the journal digests.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import RowMapping, delete, insert, select, update

from jiqun.accounts import claims, vault
from jiqun.core.actor import Actor
from jiqun.core.errors import InputError, Language, UsageError
from jiqun.store import Workspace
from jiqun.store.database import JSON, Transaction, new_id, table
from jiqun.survey.records import OPERATES
from jiqun.survey.respond import Respondent

MOST = 5
_MAIL = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,188}[A-Za-z0-9])?")


@dataclass(frozen=True)
class Contact:
    """A contact 联系方式 of an organisation; `stopped_at` is when it asked for no more reminders."""

    id: str
    organisation: str
    address: str
    language: Language | None
    at: datetime
    stopped_at: datetime | None


def add(
    actor: Actor,
    workspace: Workspace,
    organisation: str,
    address: str,
    *,
    language: Language | None = None,
    key: str,
) -> Contact:
    """Enter a contact 录入联系方式; one that is there already is not entered twice.

    Raises
    ------
    InputError
        JQ-ACCOUNTS-009: the organisation is not in the register; JQ-SURVEY-018: not a mail address, or too many.
    """
    actor.require("survey.add_contact", *OPERATES)
    claims.organisation(workspace, organisation)
    if not _MAIL.fullmatch(address):
        raise InputError("JQ-SURVEY-018", most=MOST)
    there = contacts(actor, workspace, [organisation])
    same = next((one for one in there if one.address.casefold() == address.casefold()), None)
    if same is not None:
        return same
    contact, rows = new_id("con"), table("survey_contacts")
    sealed = vault.seal(workspace, address, contact)

    def put(tx: Transaction) -> str:
        held = tx.execute(select(rows.c.id).where(rows.c.organisation == organisation)).all()
        if len(held) >= MOST:
            raise InputError("JQ-SURVEY-018", most=MOST)
        row = {"id": contact, "organisation": organisation, "address": sealed, "language": language}
        tx.execute(insert(rows).values(row | {"created_by": actor.id, "at": tx.now}))
        return contact

    # the address is no part of the request: it would be digested, and a mail address can be guessed
    request: JSON = {"organisation": organisation}
    made = workspace.database.command(actor, key, "survey.add_contact", put, request=request, subject=organisation)
    return next(one for one in contacts(actor, workspace, [organisation]) if one.id == made)


def contacts(actor: Actor, workspace: Workspace, organisations: Collection[str] | None = None) -> tuple[Contact, ...]:
    """Contacts of some organisations, or all 联系方式: for operators only."""
    actor.require("survey.contacts", *OPERATES)
    rows = table("survey_contacts")
    query = select(rows).order_by(rows.c.organisation, rows.c.at, rows.c.id)
    if organisations is not None:
        query = query.where(rows.c.organisation.in_(list(organisations)))
    with workspace.database.read() as connection:
        found = connection.execute(query).mappings().all()
    return tuple(_opened(workspace, row) for row in found)


def _opened(workspace: Workspace, row: RowMapping) -> Contact:
    try:
        address = vault.unseal(workspace, row["address"], row["id"])
    except UsageError:
        address = "—"  # the key was lost, as after a restore elsewhere
    return Contact(row["id"], row["organisation"], address, row["language"], row["at"], row["stopped_at"])


def drop(actor: Actor, workspace: Workspace, contact: str, *, key: str) -> None:
    """Delete a contact 删除联系方式.

    Raises
    ------
    UsageError
        JQ-SURVEY-029: there is none.
    """
    actor.require("survey.drop_contact", *OPERATES)
    rows = table("survey_contacts")

    def end(tx: Transaction) -> None:
        if not tx.execute(delete(rows).where(rows.c.id == contact)).rowcount:
            raise UsageError("JQ-SURVEY-029")

    request: JSON = {"contact": contact}
    workspace.database.command(actor, key, "survey.drop_contact", end, request=request, subject=contact)


def stop(workspace: Workspace, who: Respondent, *, key: str) -> bool:
    """No more reminders 退订 to the contact that a link was mailed to, of this round or any; whether there is one."""
    if who.contact is None:
        return False
    rows = table("survey_contacts")

    def end(tx: Transaction) -> bool:
        mine = (rows.c.id == who.contact, rows.c.stopped_at.is_(None))
        return bool(tx.execute(update(rows).where(*mine).values(stopped_at=tx.now)).rowcount)

    workspace.database.command(who.actor, key, "survey.stop", end, request={}, subject=who.organisation)
    return True
