"""The life of a round 轮次: drafted, opened with its roster frozen, extended, locked, opened again with a reason.

What a round asks and whom is fixed once it is open, so that its response rates mean one thing from first to last.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Any, Literal

import polars as pl
from pydantic import Field
from sqlalchemy import ColumnElement, delete, func, insert, select, update

from jiqun.accounts.people import SYSTEM
from jiqun.core.actor import Actor
from jiqun.core.errors import InputError, UsageError, WorkspaceError
from jiqun.core.operation import Model
from jiqun.intake.counted import settled
from jiqun.intake.moved import all_moved, stands_for
from jiqun.store import Workspace
from jiqun.store.database import JSON, Transaction, table
from jiqun.store.jobs import Job, Report
from jiqun.survey import records, states
from jiqun.survey.questions import MOST_QUESTIONS, Kind, Question, checked_questions
from jiqun.survey.rates import size_class
from jiqun.survey.records import DRAFTS, MOST_ROSTER, OPERATES, Roster, Round

LONGEST_DAYS = 366
MOST_REASON = 500
REMIND, CLOSE, PUBLISH = "survey.remind", "survey.close", "survey.publish"
_MORNING = time(1, tzinfo=UTC)
"""When reminders go out: nine in the morning in China."""
_TOGETHER = 500
Words = Annotated[str, Field(min_length=1, max_length=200)]
Note = Annotated[str, Field(max_length=2_000)]


class Spec(Model):
    """What a round is to be."""

    kind: Kind
    title_zh: Words
    title_en: Words
    year: Annotated[int, Field(ge=1900, le=2100)]
    quarter: Annotated[int | None, Field(ge=1, le=4)] = None
    questions: Annotated[tuple[Question, ...], Field(min_length=1, max_length=MOST_QUESTIONS)]
    opens_on: date
    closes_on: date
    roster: Roster = Roster()
    note_zh: Note = ""
    note_en: Note = ""
    readers: Annotated[
        tuple[Literal["analyst", "auditor"], ...],
        Field(max_length=2, description="roles beside the operator that may see single answers"),
    ] = ()
    reminders: Annotated[
        tuple[Annotated[int, Field(ge=0, le=90)], ...], Field(max_length=10, description="days before the last day")
    ] = (7, 2)
    previous: Annotated[str | None, Field(max_length=60, description="round whose answers are shown beside")] = None


def new(actor: Actor, workspace: Workspace, spec: Spec, *, key: str) -> Round:
    """Draft a round 新建轮次.

    Raises
    ------
    InputError
        JQ-SURVEY-003, 004: its questions; JQ-SURVEY-007: its dates.
    UsageError
        JQ-SURVEY-006: there is no such round before it.
    """
    actor.require("survey.new", *DRAFTS)
    row = _row(workspace, spec)

    def make(tx: Transaction) -> str:
        survey = tx.new_id("svy")
        more = {"id": survey, "state": "draft", "version": 1, "created_by": actor.id, "created_at": tx.now}
        tx.execute(insert(table("surveys")).values(row | more))
        return survey

    request: JSON = spec.model_dump(mode="json")
    made = workspace.database.command(actor, key, "survey.new", make, request=request)
    return records.find(workspace, str(made))


def edit(actor: Actor, workspace: Workspace, survey: str, spec: Spec, *, version: int, key: str) -> Round:
    """Change a draft 修改草稿; errors as `new`.

    Raises
    ------
    UsageError
        JQ-SURVEY-010: someone else changed it since; JQ-SURVEY-011: it is no draft any more.
    """
    actor.require("survey.edit", *DRAFTS)
    row = _row(workspace, spec)

    def change(tx: Transaction) -> None:
        found = records.within(tx, survey)
        if found.state != "draft":
            raise UsageError("JQ-SURVEY-011", state=found.state)
        _put(tx, found, row, version=version)

    request: JSON = {"survey": survey, "version": version, "spec": spec.model_dump(mode="json")}
    workspace.database.command(actor, key, "survey.edit", change, request=request, subject=survey)
    return records.find(workspace, survey)


def open_round(actor: Actor, workspace: Workspace, survey: str, *, tell: bool = True, key: str) -> Round:
    """Open a draft 开放: its roster is frozen with names and sizes as they are now, its reminders are queued.

    `tell` sends the form to those with an account or a contact at once.

    Raises
    ------
    InputError
        JQ-SURVEY-007: its last day has passed; JQ-SURVEY-008, 009: the roster cannot be so.
    UsageError
        JQ-SURVEY-005: it is no draft.
    """
    actor.require("survey.open", *OPERATES)
    found = records.find(workspace, survey)
    if found.state != "draft":
        _no_draft(found)
    _check_dates(workspace, found.opens_on, found.closes_on)
    rows = expected(workspace, found.roster)

    def begin(tx: Transaction) -> int:
        now = records.within(tx, survey)
        if now.state != "draft":
            _no_draft(now)
        due = [row | {"survey": survey, "state": "silent", "version": 0} for row in rows]
        for start in range(0, len(due), _TOGETHER):
            tx.execute(insert(table("survey_roster")).values(due[start : start + _TOGETHER]))
        _put(tx, now, {"state": "open", "opened_at": tx.now}, version=now.version)
        _schedule(tx, now, tell=tell)
        return len(due)

    request: JSON = {"survey": survey, "tell": tell}
    workspace.database.command(actor, key, "survey.open", begin, request=request, subject=survey)
    return records.find(workspace, survey)


def extend(actor: Actor, workspace: Workspace, survey: str, closes_on: date, *, key: str) -> Round:
    """Move the last day of an open round 改截止日期; reminders move with it.

    Raises
    ------
    InputError
        JQ-SURVEY-007: not a last day.
    UsageError
        JQ-SURVEY-005: it is not open.
    """
    actor.require("survey.extend", *OPERATES)

    def move(tx: Transaction) -> None:
        found = records.within(tx, survey)
        states.require(found.state, "locked")  # what may be locked is open
        _check_dates(workspace, found.opens_on, closes_on)
        _put(tx, found, {"closes_on": closes_on}, version=found.version)
        _extend_links(tx, survey, closes_on)
        _schedule(tx, records.within(tx, survey), tell=False)

    request: JSON = {"survey": survey, "closes_on": closes_on.isoformat()}
    workspace.database.command(actor, key, "survey.extend", move, request=request, subject=survey)
    return records.find(workspace, survey)


def lock(actor: Actor, workspace: Workspace, survey: str, *, key: str) -> Round:
    """Lock an open round 锁定: nothing is answered or changed any more.

    Raises
    ------
    UsageError
        JQ-SURVEY-005: it is not open.
    """
    actor.require("survey.lock", *OPERATES)
    request: JSON = {"survey": survey}
    workspace.database.command(actor, key, "survey.lock", lambda tx: _lock(tx, survey), request=request, subject=survey)
    return records.find(workspace, survey)


def reopen(actor: Actor, workspace: Workspace, survey: str, *, closes_on: date, reason: str, key: str) -> Round:
    """Open a locked or published round again 重新开放, with a reason that goes on record.

    What was published stays until it is published anew.

    Raises
    ------
    InputError
        JQ-SURVEY-007: not a last day; JQ-SURVEY-017: no reason.
    UsageError
        JQ-SURVEY-005: it is neither locked nor published; JQ-SURVEY-030: it is being published.
    """
    actor.require("survey.reopen", *OPERATES)
    if not reason.strip():
        raise InputError("JQ-SURVEY-017")

    def again(tx: Transaction) -> None:
        found = records.within(tx, survey)
        if found.state == "draft":
            raise UsageError("JQ-SURVEY-005", state="draft", to="open", known="locked, published")
        states.require(found.state, "open")
        if found.job is not None:
            raise UsageError("JQ-SURVEY-030")
        _check_dates(workspace, found.opens_on, closes_on)
        values = {"state": "open", "closes_on": closes_on, "reason": reason.strip()[:MOST_REASON], "locked_at": None}
        _put(tx, found, values, version=found.version)
        _extend_links(tx, survey, closes_on)
        _schedule(tx, records.within(tx, survey), tell=False)

    request: JSON = {"survey": survey, "closes_on": closes_on.isoformat(), "reason": reason}
    workspace.database.command(actor, key, "survey.reopen", again, request=request, subject=survey)
    return records.find(workspace, survey)


def close(workspace: Workspace, job: Job, report: Report) -> Any:
    """Lock a round whose last day is over 到期锁定: a job, which does nothing if the day was moved."""
    report("close", 0, 1)
    survey = str(job.payload["survey"])

    def end(tx: Transaction) -> bool:
        found = records.within(tx, survey)
        if found.state != "open" or tx.now < found.ends_at:
            return False
        _lock(tx, survey)
        return True

    return workspace.database.command(SYSTEM, job.key("close"), "survey.close", end, subject=survey)


def expected(workspace: Workspace, roster: Roster) -> list[dict[str, Any]]:
    """Who should answer 应答名单, as the register has them now; of all, those that count (`jiqun.intake.counted`).

    Raises
    ------
    InputError
        JQ-SURVEY-008: nobody, or too many; JQ-SURVEY-009: ids that the register does not have.
    """
    wanted = _wanted(workspace, roster)
    try:
        scan = workspace.scan("organisations")
    except WorkspaceError as error:
        if error.code != "JQ-STORE-006":
            raise
        raise InputError("JQ-SURVEY-008", count=0, most=MOST_ROSTER) from error
    if wanted is None:
        scan = settled(scan)
    else:
        scan = scan.filter(pl.col("id").is_in(pl.Series(sorted(wanted), dtype=pl.String).implode()))
    there = scan.collect_schema().names()
    names = [name for name in ("region", "country", "employees") if name in there]
    found = scan.select("id", "name", *names).head(MOST_ROSTER + 1).collect()
    if roster.scope == "list" and wanted and (lost := wanted - set(found["id"])):
        raise InputError("JQ-SURVEY-009", value=", ".join(sorted(lost)[:10]))
    if not 0 < found.height <= MOST_ROSTER:
        raise InputError("JQ-SURVEY-008", count=found.height, most=MOST_ROSTER)
    return [
        {
            "organisation": row["id"],
            "name": row["name"],
            "folded": records.folded(row["name"]),
            "region": row.get("region") or row.get("country"),
            "employees": row.get("employees"),
            "size_class": size_class(row.get("employees")),
        }
        for row in found.iter_rows(named=True)
    ]


def _wanted(workspace: Workspace, roster: Roster) -> set[str] | None:
    """Ids of the organisations; None for all."""
    if roster.scope == "list":
        moved = all_moved(workspace)
        return {moved.get(one, one) for one in roster.organisations}
    if roster.scope == "members":
        accounts = table("accounts")
        query = select(stands_for(accounts.c.organisation)).where(
            accounts.c.organisation.is_not(None), accounts.c.state == "active"
        )
        with workspace.database.read() as connection:
            return set(connection.execute(query).scalars())
    if roster.scope == "cluster":
        result = workspace.result(f"clusters-{roster.digital}" if roster.digital else "clusters")
        if result is None:
            return set()
        members = result.table("members")
        if roster.cluster:
            members = members.filter(pl.col("cluster_id") == roster.cluster)
        return set(members["id"])
    return None


def _row(workspace: Workspace, spec: Spec) -> dict[str, Any]:
    questions = checked_questions(spec.questions, spec.kind)
    if not 0 <= (spec.closes_on - spec.opens_on).days <= LONGEST_DAYS:
        raise InputError("JQ-SURVEY-007", opens=spec.opens_on, closes=spec.closes_on, most=LONGEST_DAYS)
    if spec.previous:
        records.find(workspace, spec.previous)
    plain = spec.model_dump(include={"kind", "title_zh", "title_en", "year", "quarter", "opens_on", "closes_on"})
    return plain | {
        "questions": [question.model_dump(mode="json") for question in questions],
        "roster": spec.roster.model_dump(mode="json"),
        "note_zh": spec.note_zh or None,
        "note_en": spec.note_en or None,
        "readers": list(spec.readers),
        "reminders": sorted(set(spec.reminders), reverse=True),
        "previous": spec.previous or None,
    }


def _check_dates(workspace: Workspace, opens: date, closes: date) -> None:
    if closes < max(opens, workspace.clock().date()) or (closes - opens).days > LONGEST_DAYS:
        raise InputError("JQ-SURVEY-007", opens=opens, closes=closes, most=LONGEST_DAYS)


def _no_draft(found: Round) -> None:
    raise UsageError("JQ-SURVEY-005", state=found.state, to="open", known="draft")


def _put(tx: Transaction, found: Round, values: dict[str, Any], *, version: int) -> None:
    """Change a round of a certain version; its version goes up.

    Raises
    ------
    UsageError
        JQ-SURVEY-010: it is of another version by now.
    """
    rows = table("surveys")
    if found.version != version:
        raise UsageError("JQ-SURVEY-010", found=found.version)
    tx.execute(update(rows).where(rows.c.id == found.id).values(values | {"version": version + 1}))


def _lock(tx: Transaction, survey: str) -> None:
    found = records.within(tx, survey)
    states.require(found.state, "locked")
    _put(tx, found, {"state": "locked", "locked_at": tx.now}, version=found.version)


def _schedule(tx: Transaction, found: Round, *, tell: bool) -> None:
    """Queue what is due by the clock: the form itself, reminders, the end. Each once for these dates."""
    if tell:
        tx.job(
            REMIND,
            {"survey": found.id, "step": "open"},
            once=f"{REMIND}:{found.id}:open",
            due_at=max(tx.now, found.begins_at),
        )
    for days in found.reminders:
        at = datetime.combine(found.closes_on - timedelta(days=days), _MORNING)
        if at > max(tx.now, found.begins_at):
            payload = {"survey": found.id, "step": f"{found.closes_on.isoformat()}-{days}"}
            tx.job(REMIND, payload, once=f"{REMIND}:{found.id}:{payload['step']}", due_at=at)
    once = f"{CLOSE}:{found.id}:{found.closes_on.isoformat()}:{found.version}"
    tx.job(CLOSE, {"survey": found.id}, once=once, due_at=found.ends_at)


def links_end(closes_on: date) -> datetime:
    """When links end: the receipt can be fetched for two months after the last day."""
    return datetime.combine(closes_on + timedelta(days=60), time(), UTC)


def _extend_links(tx: Transaction, survey: str, closes_on: date) -> None:
    rows = table("survey_links")
    live: Sequence[ColumnElement[bool]] = (
        rows.c.survey == survey,
        rows.c.revoked_at.is_(None),
        rows.c.expires_at > tx.now,
    )
    tx.execute(update(rows).where(*live).values(expires_at=links_end(closes_on)))


def drop(actor: Actor, workspace: Workspace, survey: str, *, key: str) -> None:
    """Delete a draft 删除草稿.

    Raises
    ------
    UsageError
        JQ-SURVEY-011: it is no draft any more.
    """
    actor.require("survey.drop", *DRAFTS)

    def end(tx: Transaction) -> None:
        found = records.within(tx, survey)
        if found.state != "draft":
            raise UsageError("JQ-SURVEY-011", state=found.state)
        rows = table("surveys")
        tx.execute(delete(rows).where(rows.c.id == survey))

    request: JSON = {"survey": survey}
    workspace.database.command(actor, key, "survey.drop", end, request=request, subject=survey)


def count_states(workspace: Workspace, surveys: Iterable[str]) -> dict[str, dict[str, int]]:
    """How many organisations are in each state, by round."""
    rows = table("survey_roster")
    query = (
        select(rows.c.survey, rows.c.state, func.count())
        .where(rows.c.survey.in_(list(surveys)))
        .group_by(rows.c.survey, rows.c.state)
    )
    found: dict[str, dict[str, int]] = {}
    with workspace.database.read() as connection:
        for survey, state, count in connection.execute(query):
            found.setdefault(survey, {})[state] = count
    return found
