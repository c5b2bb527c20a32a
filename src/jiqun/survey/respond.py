"""Filling in a form 填报, through a link or as a member: look, save, hand in, decline, keep the receipt.

A `Respondent` speaks for one organisation in one round and reaches nothing else. Every save is a version of its own and
names the one that it was made from: of two people who fill in the same form, the second is told and shown both.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl
from sqlalchemy import delete, insert, select, update

from jiqun.accounts.mine import record, unpublished
from jiqun.core.actor import Actor
from jiqun.core.errors import InputError, UsageError, WorkspaceError
from jiqun.store import Workspace
from jiqun.store.database import JSON, Transaction, table
from jiqun.store.journal import Journal
from jiqun.survey import links, records
from jiqun.survey.answers import LONGEST, LONGEST_NAME, Checked, check_answers, typed
from jiqun.survey.questions import LAST, MOST_TIES, NUMERIC, Question
from jiqun.survey.records import Answer, Decline, Due, Round, folded

MOST_FOUND = 20
SHORTEST_SEARCH = 1
KEPT_DRAFTS = 20
LONGEST_BY = 100
_SUBMIT, _SAVE, _DECLINE = "survey.submit", "survey.save", "survey.decline"


@dataclass(frozen=True)
class Respondent:
    """Who fills in 填报人: one organisation in one round. `actor` is what the journal names: a link or an account."""

    survey: str
    organisation: str
    actor: Actor
    contact: str | None = None


@dataclass(frozen=True)
class Before:
    """A value of an earlier time beside the field, in the question's own unit."""

    value: float
    text: str
    period: str


@dataclass(frozen=True)
class Field:
    """One question with what stands in the form: typed text, or ties; `origin` says where that comes from."""

    question: Question
    value: Any
    origin: str
    """`given` by the organisation, `register`, `last` round, or empty."""
    year_before: Before | None = None
    last: Before | None = None


@dataclass(frozen=True)
class Form:
    """A form 问卷 as one organisation finds it. `base` is the version that it was made from."""

    round: Round
    due: Due
    fields: tuple[Field, ...]
    base: int
    latest: Answer | None
    takes: bool

    @property
    def given(self) -> dict[str, Any]:
        """What stands in the fields."""
        return {field.question.code: field.value for field in self.fields}


@dataclass(frozen=True)
class Saved:
    """What came of a save: the version, whether it was handed in, and what the checks found."""

    version: int
    submitted: bool
    checked: Checked


@dataclass(frozen=True)
class Receipt:
    """A receipt 回执: what was handed in when, and the leaf of the journal. `proof` is None until it is numbered."""

    round: Round
    due: Due
    answer: Answer
    leaf: int
    leaf_hash: str
    proof: dict[str, Any] | None


@dataclass(frozen=True)
class Hit:
    """An organisation of the roster that a search found."""

    id: str
    name: str
    region: str | None


def through_link(workspace: Workspace, secret: str) -> Respondent:
    """The respondent of a link.

    Raises
    ------
    InputError
        JQ-SURVEY-001: it cannot be used.
    """
    known = links.look(workspace, secret)
    return Respondent(
        known.survey, known.organisation, Actor(known.link, frozenset(), known.organisation), known.contact
    )


def as_member(workspace: Workspace, actor: Actor, survey: str) -> Respondent:
    """A member as respondent of its own organisation.

    Raises
    ------
    InputError
        JQ-SURVEY-015: it is not on the roster.
    """
    actor.require("survey.form", "member")
    with workspace.database.read() as connection:
        found = records.due(connection, survey, actor.organisation or "")
    if found is None:
        raise InputError("JQ-SURVEY-015")
    return Respondent(survey, found.organisation, actor)


def form(workspace: Workspace, who: Respondent) -> Form:
    """The form as its organisation left it, or prefilled 预填 from the register and the round before."""
    found = records.find(workspace, who.survey)
    with workspace.database.read() as connection:
        due = records.due(connection, who.survey, who.organisation)
        if due is None:
            raise InputError("JQ-SURVEY-015")
        latest = records.answer(connection, who.survey, who.organisation, due.version)
    last_round = _round_before(workspace, found)
    last = _kept(workspace, last_round, who.organisation) if last_round else {}
    year_before = values_before(workspace, found, who.organisation)
    register = _register(workspace, who.organisation) if latest is None else {}

    def field(question: Question) -> Field:
        value, origin = _first(question, latest, register, last)
        shown = _before(question, last.get(question.code), last_round.period if last_round else "")
        period = f"{found.year - 1}Q{found.quarter}" if found.quarter else str(found.year - 1)
        return Field(question, value, origin, _before(question, year_before.get(question.code), period), shown)

    fields = tuple(field(question) for question in found.questions)
    return Form(found, due, fields, due.version, latest, found.takes(workspace.clock()))


def check(workspace: Workspace, who: Respondent, given: Mapping[str, Any], *, complete: bool = False) -> Checked:
    """Check what stands in a form, as handing it in would."""
    found = records.find(workspace, who.survey)
    return _checked(workspace, found, who.organisation, _clean(found.questions, given), complete=complete)


def save(
    workspace: Workspace,
    who: Respondent,
    given: Mapping[str, Any],
    *,
    base: int,
    submit: bool,
    by: str = "",
    confirmed: bool = False,
    key: str,
) -> Saved:
    """Save a draft 暂存, or hand the form in 提交. What has errors, or warnings not confirmed, is kept as a draft.

    Raises
    ------
    InputError
        JQ-SURVEY-012: someone else of the organisation saved since `base`; JQ-SURVEY-015: not on the roster.
    UsageError
        JQ-SURVEY-013: the round takes no answers.
    """
    found = records.find(workspace, who.survey)
    clean = _clean(found.questions, given)
    checked = _checked(workspace, found, who.organisation, clean, complete=submit)
    handed_in = submit and not checked.errors and (confirmed or not checked.warnings)
    name = " ".join(by.split())[:LONGEST_BY]

    def put(tx: Transaction) -> dict[str, JSON]:
        due = _open(tx, who)
        if due.version != base:
            raise InputError("JQ-SURVEY-012", found=due.version)
        version = base + 1
        row = {
            "survey": who.survey,
            "organisation": who.organisation,
            "version": version,
            "state": "submitted" if handed_in else "draft",
            "given": clean,
            "kept": dict(checked.values) if handed_in else None,
            "filled_by": name or None,
            "actor": who.actor.id,
            "at": tx.now,
        }
        tx.execute(insert(table("survey_answers")).values(row))
        change: dict[str, Any] = {"version": version, "changed_at": tx.now}
        if handed_in:
            change |= {"state": "answered", "answered": version, "decline": None, "words": None}
            change["first_at"] = due.first_at or tx.now
        elif due.state == "silent":
            change["state"] = "started"
        _change(tx, who, change)
        _prune(tx, who, version)
        return {"version": version, "submitted": handed_in}

    request = _request(who, base, handed_in, clean, name)
    operation = _SUBMIT if handed_in else _SAVE
    answer: Any = workspace.database.command(
        who.actor, key, operation, put, request=request, subject=_subject(who.survey, who.organisation)
    )
    return Saved(int(answer["version"]), bool(answer["submitted"]), checked)


def decline(workspace: Workspace, who: Respondent, why: Decline, words: str = "", *, key: str) -> None:
    """Decline 不填报, with a reason: this is an answer too. What was handed in before counts no more.

    Raises
    ------
    UsageError
        JQ-SURVEY-013: the round takes no answers.
    """
    said = words.strip()[:LONGEST] or None

    def put(tx: Transaction) -> None:
        due = _open(tx, who)
        change = {"state": "declined", "decline": why, "words": said, "answered": None, "changed_at": tx.now}
        _change(tx, who, change | {"first_at": due.first_at or tx.now})

    request: JSON = {"survey": who.survey, "organisation": who.organisation, "why": why, "words": said}
    subject = _subject(who.survey, who.organisation)
    workspace.database.command(who.actor, key, _DECLINE, put, request=request, subject=subject)


def receipt(workspace: Workspace, who: Respondent) -> Receipt:
    """The receipt 回执 of what was handed in last: its proof shows to anyone that it is in the journal as it was.

    Raises
    ------
    UsageError
        JQ-SURVEY-016: nothing was handed in.
    """
    found = records.find(workspace, who.survey)
    rows, commands = table("leaves"), table("commands")
    with workspace.database.read() as connection:
        due = records.due(connection, who.survey, who.organisation)
        answer = records.answer(connection, who.survey, who.organisation, due.answered if due else None)
        if due is None or answer is None:
            raise UsageError("JQ-SURVEY-016")
        about = (rows.c.subject == _subject(who.survey, who.organisation), rows.c.operation == _SUBMIT)
        asked = select(rows.c.id, rows.c.hash, rows.c.position, commands.c.answer).join_from(
            rows, commands, commands.c.leaf == rows.c.id
        )
        all_leaves = connection.execute(asked.where(*about)).all()
    leaf = next(row for row in all_leaves if row.answer["version"] == answer.version)
    proof = None
    journal = Journal(workspace)
    head = journal.head()
    if leaf.position is not None and head is not None and leaf.position < head.size:
        request = _request(who, answer.version - 1, True, answer.given, answer.filled_by or "")
        proof = journal.bundle([leaf.id], opened=True, requests={leaf.id: request})
    return Receipt(found, due, answer, leaf.id, bytes(leaf.hash).hex(), proof)


def search(workspace: Workspace, who: Respondent, text: str) -> tuple[Hit, ...]:
    """Organisations of the roster whose name holds a text 查找名单; not oneself, and none that is not shown in public."""
    wanted = folded(text[:LONGEST_NAME])
    if len(wanted) < SHORTEST_SEARCH:
        return ()
    rows = table("survey_roster")
    hidden = unpublished(workspace) | {who.organisation}
    query = (
        select(rows.c.organisation, rows.c.name, rows.c.region)
        .where(rows.c.survey == who.survey, rows.c.folded.contains(wanted, autoescape=True))
        .order_by(rows.c.folded, rows.c.organisation)
        .limit(MOST_FOUND + len(hidden))
    )
    with workspace.database.read() as connection:
        found = [Hit(*row) for row in connection.execute(query) if row.organisation not in hidden]
    return tuple(sorted(found[:MOST_FOUND], key=lambda hit: (not folded(hit.name).startswith(wanted), len(hit.name))))


def values_before(workspace: Workspace, found: Round, organisation: str) -> dict[str, float]:
    """Values of the same period a year before 上年同期: as answered then, else as the table of indicators has them."""
    values: dict[str, float] = {}
    codes = [question.code for question in found.questions if question.type in NUMERIC]
    if not codes:
        return values
    values |= _indicators(workspace, organisation, found.year - 1, found.quarter, codes)
    same = (one for one in records.rounds(workspace) if one.kind == found.kind and one.id != found.id)
    for earlier in same:
        if (earlier.year, earlier.quarter) == (found.year - 1, found.quarter):
            kept = _kept(workspace, earlier, organisation)
            values |= {code: float(kept[code]) for code in codes if isinstance(kept.get(code), int | float)}
    return values


def _indicators(
    workspace: Workspace, organisation: str, year: int, quarter: int | None, codes: Sequence[str]
) -> dict[str, float]:
    try:
        scan = workspace.scan("indicators")
    except WorkspaceError as error:
        if error.code == "JQ-STORE-006":
            return {}
        raise
    asked = (pl.col("unit") == organisation) & (pl.col("year") == year)
    asked &= pl.col("indicator").is_in(pl.Series(codes, dtype=pl.String).implode()) & pl.col("value").is_not_null()
    has_quarter = "quarter" in scan.collect_schema()
    if not has_quarter and quarter is not None:
        return {}
    if has_quarter:
        asked &= pl.col("quarter").eq_missing(pl.lit(quarter, pl.Int64))
    return dict(scan.filter(asked).select("indicator", "value").collect().iter_rows())


def _round_before(workspace: Workspace, found: Round) -> Round | None:
    """The round that is compared with: the one that was named, else the latest of its kind for an earlier period."""
    others = [one for one in records.rounds(workspace) if one.id != found.id and one.state != "draft"]
    if found.previous:
        return next((one for one in others if one.id == found.previous), None)
    codes = {question.code for question in found.questions}
    mine = (found.year, found.quarter or 0)
    earlier = [
        one
        for one in others
        if one.kind == found.kind
        and (one.year, one.quarter or 0) < mine
        and codes & {question.code for question in one.questions}
    ]
    return max(earlier, key=lambda one: (one.year, one.quarter or 0, one.created_at), default=None)


def _kept(workspace: Workspace, found: Round, organisation: str) -> dict[str, Any]:
    """What an organisation handed in in a round."""
    with workspace.database.read() as connection:
        due = records.due(connection, found.id, organisation)
        answer = records.answer(connection, found.id, due.organisation, due.answered) if due else None
    return dict(answer.kept or {}) if answer else {}


def _register(workspace: Workspace, organisation: str) -> Mapping[str, Any]:
    try:
        return record(workspace, organisation).shown
    except InputError:
        return {}  # it has left the register since the round was opened


def _first(
    question: Question, latest: Answer | None, register: Mapping[str, Any], last: Mapping[str, Any]
) -> tuple[Any, str]:
    """What stands in a field at first, and where that comes from."""
    nothing: Any = [] if question.type == "ties" else ""
    if latest is not None:
        return latest.given.get(question.code, nothing), "given" if latest.given.get(question.code) else ""
    if (question.type == "ties" or question.prefill == LAST) and last.get(question.code) is not None:
        value = last[question.code]
        return (value if question.type == "ties" else typed(question, value)), "last"
    if register.get(question.prefill) is not None:
        return typed(question, register[question.prefill]), "register"
    return nothing, ""


def _before(question: Question, value: Any, period: str) -> Before | None:
    if question.type not in NUMERIC or not isinstance(value, int | float):
        return None
    return Before(float(value), f"{typed(question, value)} {question.unit}".strip(), period)


def _checked(
    workspace: Workspace, found: Round, organisation: str, given: Mapping[str, Any], *, complete: bool
) -> Checked:
    return check_answers(
        found.questions,
        given,
        today=workspace.clock().date(),
        before=values_before(workspace, found, organisation),
        known=_named(workspace, found, given),
        self_id=organisation,
        complete=complete,
    )


def _named(workspace: Workspace, found: Round, given: Mapping[str, Any]) -> set[str]:
    """Of the ids that a form names, those of the roster that are shown to others."""
    ids = {tie["id"] for value in given.values() if isinstance(value, list) for tie in value if tie.get("id")}
    if not ids:
        return set()
    rows = table("survey_roster")
    query = select(rows.c.organisation).where(rows.c.survey == found.id, rows.c.organisation.in_(sorted(ids)))
    with workspace.database.read() as connection:
        return set(connection.execute(query).scalars()) - unpublished(workspace)


def _clean(questions: Sequence[Question], given: Mapping[str, Any]) -> dict[str, Any]:
    """What came in, bounded: known questions only, text as text, ties as id, name and strength."""
    clean: dict[str, Any] = {}
    for question in questions:
        value = given.get(question.code)
        if question.type == "ties":
            ties = (
                [_tie(one) for one in value[: MOST_TIES + 1] if isinstance(one, Mapping)]
                if isinstance(value, list)
                else []
            )
            if ties:
                clean[question.code] = ties
        elif isinstance(value, str) and value.strip():
            clean[question.code] = _storable(value)[: LONGEST + 1].strip()
        elif isinstance(value, int | float) and not isinstance(value, bool):
            clean[question.code] = typed(question, value)
    return clean


def _tie(one: Mapping[str, Any]) -> dict[str, Any]:
    strength = one.get("strength")
    tie: dict[str, Any] = {"name": " ".join(_storable(str(one.get("name") or "")).split())[:LONGEST_NAME]}
    if one.get("id"):
        tie["id"] = _storable(str(one["id"]))[:64]
    if isinstance(strength, int):
        tie["strength"] = strength
    return tie


def _storable(text: str) -> str:
    return text.encode("utf-8", "replace").decode().replace("\0", "")


def _request(who: Respondent, base: int, submit: bool, given: Mapping[str, Any], by: str) -> JSON:
    """What the journal digests of a save; made again for the receipt."""
    return {
        "survey": who.survey,
        "organisation": who.organisation,
        "base": base,
        "submitted": submit,
        "given": dict(given),
        "by": by,
    }


def _subject(survey: str, organisation: str) -> str:
    return f"{survey}/{organisation}"


def _open(tx: Transaction, who: Respondent) -> Due:
    """The respondent's line of the roster, in a round that takes answers now."""
    found = records.within(tx, who.survey)
    if not found.takes(tx.now):
        raise UsageError("JQ-SURVEY-013", opens=found.opens_on, closes=found.closes_on)
    due = records.due(tx.connection, who.survey, who.organisation)
    if due is None:
        raise InputError("JQ-SURVEY-015")
    return due


def _change(tx: Transaction, who: Respondent, values: Mapping[str, Any]) -> None:
    rows = table("survey_roster")
    mine = (rows.c.survey == who.survey, rows.c.organisation == who.organisation)
    tx.execute(update(rows).where(*mine).values(dict(values)))


def _prune(tx: Transaction, who: Respondent, version: int) -> None:
    """Forget drafts that were saved over long ago; what was handed in stays."""
    rows = table("survey_answers")
    old = (
        rows.c.survey == who.survey,
        rows.c.organisation == who.organisation,
        rows.c.state == "draft",
        rows.c.version <= version - KEPT_DRAFTS,
    )
    tx.execute(delete(rows).where(*old))
