"""Reminders 提醒: to those who have not answered, each once for each occasion, by notice and by mail.

A notice goes to the accounts of the organisation and from there through their channels (`jiqun.accounts.delivery`); a
mail goes to its contacts and carries a link of its own. A mail is given to the server **at most once**: before that it
is marked as being sent, and one that was cut off then is told as unsure and not sent again by itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Table, insert, select, update

from jiqun.accounts import vault
from jiqun.accounts.delivery import Mailer, message, send
from jiqun.accounts.keys import new_secret
from jiqun.accounts.notices import News, write
from jiqun.accounts.people import SYSTEM
from jiqun.accounts.reach import DeliveryError
from jiqun.core.actor import Actor
from jiqun.core.document import Text
from jiqun.core.errors import JiqunError, Language, UsageError
from jiqun.intake.moved import all_moved, stands_for
from jiqun.store import Workspace
from jiqun.store.database import JSON, Transaction, table
from jiqun.store.jobs import Handler, Job, Report
from jiqun.survey import links, records, rounds
from jiqun.survey.records import OPERATES, READS, Round
from jiqun.survey.rounds import REMIND

MAIL = "survey.mail"
PER_MINUTE = 60
"""Most mails that are given to the server in a minute: they are queued one after another."""
OPEN = "open"
"""The step that brings the form itself; all others remind."""
_TOGETHER = 100
_MOST_ATTEMPTS = 5


@dataclass(frozen=True)
class Sent:
    """One line of the log of reminders 提醒记录: no address is in it."""

    organisation: str
    step: str
    way: str
    state: str
    reason: str | None
    at: datetime
    sent_at: datetime | None


def remind(actor: Actor, workspace: Workspace, survey: str, *, key: str) -> str:
    """Remind those who have not answered 提醒, as a job: at most once a day by hand. The id of the job.

    Raises
    ------
    UsageError
        JQ-SURVEY-013: the round is not open.
    """
    actor.require("survey.remind", *OPERATES)

    def queue(tx: Transaction) -> str:
        links.still_open(tx, survey)
        step = f"by-hand-{tx.now.date().isoformat()}"
        account = actor.id if actor.id.startswith("acc_") else None
        return tx.job(REMIND, {"survey": survey, "step": step}, once=f"{REMIND}:{survey}:{step}", account=account)

    request: JSON = {"survey": survey}
    return str(workspace.database.command(actor, key, "survey.remind", queue, request=request, subject=survey))


def log(actor: Actor, workspace: Workspace, survey: str, *, limit: int = 200) -> tuple[Sent, ...]:
    """Reminders of a round 提醒记录, newest first."""
    actor.require("survey.reminders", *READS)
    rows = table("survey_reminders")
    query = select(rows).where(rows.c.survey == survey).order_by(rows.c.at.desc(), rows.c.id).limit(limit)
    with workspace.database.read() as connection:
        return tuple(
            Sent(row.organisation, row.step, row.way, row.state, row.reason, row.at, row.sent_at)
            for row in connection.execute(query)
        )


def run(workspace: Workspace, job: Job, report: Report) -> Any:
    """Tell everyone who has not answered, or declined; a job that may be run again at any point."""
    survey, step = str(job.payload["survey"]), str(job.payload["step"])
    found = records.find(workspace, survey)
    moved = step[:1].isdigit() and not step.startswith(found.closes_on.isoformat())
    if moved or not found.takes(workspace.clock()):
        return {"skipped": True}
    everyone = [one.organisation for one in records.roster(workspace, survey)]  # the same at every attempt
    told = 0
    for start in range(0, len(everyone), _TOGETHER):
        report("remind", start, len(everyone))
        told += _tell(workspace, found, step, everyone[start : start + _TOGETHER], told, job.key(f"{start}"))
    return {"told": told}


def _tell(workspace: Workspace, found: Round, step: str, some: Sequence[str], before: int, key: str) -> int:
    """Notices and mails to those of some organisations that have not answered, within one command."""
    accounts, contacts, rows = table("accounts"), table("survey_contacts"), table("survey_reminders")
    asked = table("survey_roster")
    moved = all_moved(workspace)
    mails = bool(workspace.settings["smtp_host"].value and workspace.settings["url"].value)

    def write_all(tx: Transaction) -> int:
        open_ = (asked.c.survey == found.id, asked.c.organisation.in_(some), asked.c.state.in_(("silent", "started")))
        ids = tx.execute(select(asked.c.organisation).where(*open_)).scalars().all()
        there = select(rows.c.organisation, rows.c.target).where(rows.c.survey == found.id, rows.c.step == step)
        done = {tuple(row) for row in tx.execute(there)}
        # who was matched since is told under the id that was asked
        asked_as = {moved.get(one, one): one for one in sorted(ids, key=lambda one: one not in moved)}

        def not_told(people: Table, reached: ColumnElement[bool]) -> list[tuple[str, str]]:
            own = stands_for(people.c.organisation)
            query = select(people.c.id, own.label("organisation")).where(own.in_(list(asked_as)), reached)
            found_ = [(row.id, asked_as[row.organisation]) for row in tx.execute(query)]
            return [(id_, organisation) for id_, organisation in found_ if (organisation, id_) not in done]

        fresh = not_told(accounts, accounts.c.state == "active")
        write(tx, [_news(found, step, account, organisation) for account, organisation in fresh])
        for account, organisation in fresh:
            _put(tx, found, step, organisation, "notice", account, state="sent", sent_at=tx.now)
        waiting = not_told(contacts, contacts.c.stopped_at.is_(None)) if mails else []
        for place, (contact, organisation) in enumerate(waiting, before):
            reminder = _put(tx, found, step, organisation, "mail", contact, state="queued", sent_at=None)
            at = tx.now + timedelta(seconds=place * 60 / PER_MINUTE)
            job = tx.job(
                MAIL, {"reminder": reminder}, once=f"{MAIL}:{reminder}", due_at=at, most_attempts=_MOST_ATTEMPTS
            )
            tx.execute(update(rows).where(rows.c.id == reminder).values(job=job))
        return len(fresh) + len(waiting)

    return int(str(workspace.database.command(SYSTEM, key, "survey.told", write_all, subject=found.id)))


def _put(
    tx: Transaction, found: Round, step: str, organisation: str, way: str, target: str, *, state: str,
    sent_at: datetime | None,
) -> str:  # fmt: skip
    reminder = tx.new_id("rem")
    row = {"id": reminder, "survey": found.id, "organisation": organisation, "step": step, "way": way}
    more = {"target": target, "state": state, "at": tx.now, "sent_at": sent_at}
    tx.execute(insert(table("survey_reminders")).values(row | more))
    return reminder


def _news(found: Round, step: str, account: str, organisation: str) -> News:
    return News(
        account,
        "survey",
        f"survey:{found.id}:{step}",
        _title(found, step),
        organisation,
        Text(f"请于 {found.closes_on} 前填报。", f"Please answer by {found.closes_on}."),
        f"/mine/forms/{found.id}",
    )


def _title(found: Round, step: str) -> Text:
    if step == OPEN:
        return Text(f"请填报：{found.title.zh}", f"Please fill in: {found.title.en}")
    return Text(f"提醒填报：{found.title.zh}", f"Reminder: {found.title.en}")


class Post:
    """Handlers of the room's delivery; tests give their own mailer."""

    def __init__(self, *, mailer: Mailer = send) -> None:
        self._mailer = mailer

    def handlers(self) -> dict[str, Handler]:
        """Handlers by kind of job."""
        return {REMIND: run, MAIL: self.mail, rounds.CLOSE: rounds.close}

    def mail(self, workspace: Workspace, job: Job, report: Report) -> Any:
        """Send one mail with a link of its own, if it is still wanted."""
        report("remind", 0, 1)
        reminder = str(job.payload["reminder"])
        row = _reminder(workspace, reminder)
        if row["state"] == "sending":  # an attempt was cut off between the mark and the server's answer
            _mark(workspace, job, "unsure", state="unsure")
            return {"state": "unsure"}
        if row["state"] != "queued":
            return {"state": row["state"]}
        found = records.find(workspace, row["survey"])
        why = _unwanted(workspace, found, row)
        if why or row["address"] is None:
            _mark(workspace, job, "skipped", state="skipped", reason=why)
            return {"state": "skipped"}
        secret = new_secret(links.PREFIX)
        _begin(workspace, job, found, row, secret)
        language: Language = "en" if (row["language"] or workspace.settings["language"].value) == "en" else "zh"
        try:
            address = vault.unseal(workspace, row["address"], row["target"])
            title, text = words(workspace, found, row["step"], secret, language)
            self._mailer(workspace, message(workspace, address, title, text, reminder))
        except JiqunError as error:
            again = isinstance(error, DeliveryError) and job.attempt < job.most_attempts
            reason = f"{error.code} {error.fields.get('reason', '')}".strip()
            _mark(workspace, job, f"failed:{job.attempt}", state="queued" if again else "failed", reason=reason)
            raise
        _mark(workspace, job, "sent", state="sent", sent=True)
        return {"state": "sent"}


HANDLERS: Mapping[str, Handler] = Post().handlers()
"""What this room does when reminders, mails and last days are due."""


def words(workspace: Workspace, found: Round, step: str, secret: str, language: Language) -> tuple[str, str]:
    """Title and text of a mail with a form's link."""
    address = str(workspace.settings["url"].value).rstrip("/")
    link = f"{address}/forms/{secret}"
    note = found.note.get(language) if found.note else ""
    if language == "zh":
        lines: tuple[str, ...] = (
            f"请于 {found.closes_on} 前填报“{found.title.zh}”（{found.period}）：",
            link,
            "链接只属于贵单位，可以转给同事；填报时请写明填写人。不便填报也请在页面上说明。",
            note,
            f"不再接收提醒：{link}/stop",
        )
    else:
        lines = (
            f"Please answer “{found.title.en}” ({found.period}) by {found.closes_on}:",
            link,
            "The link is for your organisation alone and may be handed on to a colleague; say who fills it in.",
            "If you would rather not answer, please say so there.",
            note,
            f"No more reminders: {link}/stop",
        )
    return _title(found, step).get(language), "\n\n".join(filter(None, lines))


def _reminder(workspace: Workspace, reminder: str) -> Mapping[str, Any]:
    rows, contacts = table("survey_reminders"), table("survey_contacts")
    query = select(rows, contacts.c.address, contacts.c.language, contacts.c.stopped_at).join_from(
        rows, contacts, rows.c.target == contacts.c.id, isouter=True
    )
    with workspace.database.read() as connection:
        return dict(connection.execute(query.where(rows.c.id == reminder)).mappings().one())


def _unwanted(workspace: Workspace, found: Round, row: Mapping[str, Any]) -> str | None:
    """Why a mail is not wanted any more, in a word; None if it is."""
    with workspace.database.read() as connection:
        due = records.due(connection, found.id, row["organisation"])
    if due is None or due.state in {"answered", "declined"}:
        return "answered"
    if not found.takes(workspace.clock()):
        return "closed"
    if row["stopped_at"] is not None:
        return "stopped"
    return "no contact" if row["address"] is None else None


def _begin(workspace: Workspace, job: Job, found: Round, row: Mapping[str, Any], secret: str) -> None:
    """Mark a mail as being sent, and make its link, before the server hears of it."""
    rows = table("survey_reminders")

    def begin(tx: Transaction) -> None:
        mine = (rows.c.id == row["id"], rows.c.state == "queued")
        if not tx.execute(update(rows).where(*mine).values(state="sending", reason=None)).rowcount:
            raise UsageError("JQ-STORE-043", value=row["id"])
        links.insert_links(tx, SYSTEM, found, [(row["organisation"], secret, row["target"])])

    workspace.database.command(SYSTEM, job.key(f"begin:{job.attempt}"), "survey.mailing", begin, subject=found.id)


def _mark(
    workspace: Workspace, job: Job, step: str, *, state: str, reason: str | None = None, sent: bool = False
) -> None:
    rows, reminder = table("survey_reminders"), str(job.payload["reminder"])

    def mark(tx: Transaction) -> None:
        values = {"state": state, "reason": reason, "sent_at": tx.now if sent else None}
        tx.execute(update(rows).where(rows.c.id == reminder).values(values))

    workspace.database.command(SYSTEM, job.key(step), "survey.mailed", mark, subject=reminder)
