"""Form links 填报链接: a secret for one organisation in one round, shown once; whoever holds it may fill in its form.

A link is made to be handed on: within the organisation anyone may use it, and the form asks who fills it in.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import insert, select, update

from jiqun.accounts.keys import digest_of, new_secret
from jiqun.core.actor import Actor
from jiqun.core.errors import InputError, UsageError
from jiqun.store import Workspace
from jiqun.store.database import JSON, Transaction, table
from jiqun.survey import records
from jiqun.survey.records import OPERATES, Round
from jiqun.survey.rounds import links_end

PREFIX = "jqf_"
_TOGETHER = 500


@dataclass(frozen=True)
class FormLink:
    """A link that was just made: `secret` is not kept and cannot be shown again."""

    organisation: str
    name: str
    secret: str

    @property
    def path(self) -> str:
        """Where the form is, below the console's address."""
        return f"/forms/{self.secret}"


@dataclass(frozen=True)
class Known:
    """Who holds a link: for which round and organisation, by which id."""

    link: str
    survey: str
    organisation: str
    contact: str | None


@dataclass(frozen=True)
class LinkRow:
    """A link without its secret."""

    id: str
    organisation: str
    mailed: bool
    created_at: datetime
    expires_at: datetime
    revoked_at: datetime | None


def make(
    actor: Actor, workspace: Workspace, survey: str, organisations: Sequence[str] | None = None, *, key: str
) -> tuple[FormLink, ...]:
    """Make links 生成填报链接 for some organisations of an open round, or for all that did not answer yet.

    Repeated with the same key it makes none and returns none: secrets are told once.

    Raises
    ------
    UsageError
        JQ-SURVEY-013: the round is not open.
    InputError
        JQ-SURVEY-015: one is not on its roster.
    """
    actor.require("survey.make_links", *OPERATES)
    there = {one.organisation: one for one in records.roster(workspace, survey)}
    if organisations is None:
        wanted = [one.organisation for one in there.values() if one.state in {"silent", "started"}]
    else:
        wanted = list(dict.fromkeys(organisations))
    if any(one not in there for one in wanted):
        raise InputError("JQ-SURVEY-015")
    made = [FormLink(one, there[one].name, new_secret(PREFIX)) for one in wanted]
    fresh: list[bool] = []

    def put(tx: Transaction) -> int:
        fresh.append(True)
        return insert_links(
            tx, actor, still_open(tx, survey), [(link.organisation, link.secret, None) for link in made]
        )

    request: JSON = {"survey": survey, "organisations": None if organisations is None else wanted}
    workspace.database.command(actor, key, "survey.make_links", put, request=request, subject=survey)
    return tuple(made) if fresh else ()


def still_open(tx: Transaction, survey: str) -> Round:
    """An open round within a command.

    Raises
    ------
    UsageError
        JQ-SURVEY-013: it is not, or its last day is over.
    """
    found = records.within(tx, survey)
    if found.state != "open" or tx.now >= found.ends_at:
        raise UsageError("JQ-SURVEY-013", opens=found.opens_on, closes=found.closes_on)
    return found


def insert_links(tx: Transaction, actor: Actor, found: Round, links: Sequence[tuple[str, str, str | None]]) -> int:
    """Rows of new links (organisation, secret, contact) within a command."""
    rows = [
        {
            "id": tx.new_id("frm"),
            "survey": found.id,
            "organisation": organisation,
            "secret_digest": digest_of(secret),
            "contact": contact,
            "created_by": actor.id,
            "created_at": tx.now,
            "expires_at": links_end(found.closes_on),
        }
        for organisation, secret, contact in links
    ]
    for start in range(0, len(rows), _TOGETHER):
        tx.execute(insert(table("survey_links")).values(rows[start : start + _TOGETHER]))
    return len(rows)


def look(workspace: Workspace, secret: str) -> Known:
    """Who holds a link.

    Raises
    ------
    InputError
        JQ-SURVEY-001: unknown, taken back or too old; which of them is not told.
    """
    rows = table("survey_links")
    if secret.startswith(PREFIX):
        with workspace.database.read() as connection:
            row = connection.execute(select(rows).where(rows.c.secret_digest == digest_of(secret))).mappings().first()
        if row is not None and row["revoked_at"] is None and row["expires_at"] > workspace.clock():
            return Known(row["id"], row["survey"], row["organisation"], row["contact"])
    raise InputError("JQ-SURVEY-001")


def revoke(actor: Actor, workspace: Workspace, survey: str, organisation: str, *, key: str) -> int:
    """Take back every link of an organisation in a round 收回链接; how many there were.

    Raises
    ------
    UsageError
        JQ-SURVEY-028: there is none.
    """
    actor.require("survey.revoke_links", *OPERATES)
    rows = table("survey_links")

    def end(tx: Transaction) -> int:
        live = (rows.c.survey == survey, rows.c.organisation == organisation, rows.c.revoked_at.is_(None))
        count = tx.execute(update(rows).where(*live).values(revoked_at=tx.now)).rowcount
        if not count:
            raise UsageError("JQ-SURVEY-028")
        return count

    request: JSON = {"survey": survey, "organisation": organisation}
    answer = workspace.database.command(actor, key, "survey.revoke_links", end, request=request, subject=survey)
    return int(str(answer))


def listed(workspace: Workspace, survey: str, organisation: str) -> tuple[LinkRow, ...]:
    """The links of an organisation in a round, newest first."""
    rows = table("survey_links")
    where = (rows.c.survey == survey, rows.c.organisation == organisation)
    query = select(rows).where(*where).order_by(rows.c.created_at.desc(), rows.c.id).limit(100)
    with workspace.database.read() as connection:
        return tuple(
            LinkRow(row.id, row.organisation, row.contact is not None, row.created_at, row.expires_at, row.revoked_at)
            for row in connection.execute(query)
        )
