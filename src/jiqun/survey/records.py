"""Rounds, rosters and answers as they lie in the database 调查记录: read by every other part of the room."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Any, Literal

import polars as pl
from pydantic import Field
from sqlalchemy import Connection, RowMapping, select

from jiqun.core.actor import Actor, Role
from jiqun.core.document import Text
from jiqun.core.errors import PermissionDeniedError, UsageError
from jiqun.core.operation import Model
from jiqun.intake.moved import same
from jiqun.store import Workspace
from jiqun.store.database import Transaction, table
from jiqun.survey.questions import Kind, Question
from jiqun.survey.states import State

OPERATES: tuple[Role, ...] = ("operator",)
DRAFTS: tuple[Role, ...] = ("operator", "analyst")
READS: tuple[Role, ...] = ("operator", "analyst", "auditor")
MOST_ROSTER = 20_000
DueState = Literal["silent", "started", "answered", "declined"]
Decline = Literal["not_applicable", "unwilling", "other"]
Scope = Literal["all", "members", "cluster", "list"]


class Roster(Model):
    """Who should answer 应答范围: the whole register, members (organisations that an account speaks for), a cluster, a list.

    `cluster`: its id; empty: the members of every cluster of the search.
    """

    scope: Scope = "members"
    cluster: Annotated[str, Field(max_length=60)] = ""
    digital: Annotated[str, Field(max_length=6, pattern=r"^\d*$")] = ""
    """Class whose search found the cluster; empty: that of all firms."""
    organisations: Annotated[
        tuple[Annotated[str, Field(min_length=1, max_length=64)], ...], Field(max_length=MOST_ROSTER)
    ] = ()


@dataclass(frozen=True)
class Round:
    """A round 调查轮次."""

    id: str
    kind: Kind
    title: Text
    year: int
    quarter: int | None
    questions: tuple[Question, ...]
    roster: Roster
    note: Text | None
    readers: tuple[str, ...]
    reminders: tuple[int, ...]
    opens_on: date
    closes_on: date
    previous: str | None
    state: State
    version: int
    reason: str | None
    job: str | None
    snapshot: str | None
    result: str | None
    created_by: str
    created_at: datetime
    opened_at: datetime | None
    locked_at: datetime | None
    published_at: datetime | None

    @classmethod
    def of(cls, row: RowMapping) -> Round:
        """A round from its row."""
        made: dict[str, Any] = {
            "title": Text(row["title_zh"], row["title_en"]),
            "note": Text(row["note_zh"], row["note_en"] or row["note_zh"]) if row["note_zh"] else None,
            "questions": tuple(Question.model_validate(one) for one in row["questions"]),
            "roster": Roster.model_validate(row["roster"]),
            "readers": tuple(row["readers"]),
            "reminders": tuple(row["reminders"]),
        }
        plain = {name: row[name] for name in cls.__dataclass_fields__ if name not in made}
        return cls(**made, **plain)

    @property
    def begins_at(self) -> datetime:
        """When the form takes answers first."""
        return datetime.combine(self.opens_on, time(), UTC)

    @property
    def ends_at(self) -> datetime:
        """When the form takes none any more: the end of the last day, in UTC."""
        return datetime.combine(self.closes_on + timedelta(days=1), time(), UTC)

    @property
    def period(self) -> str:
        """The period that is asked about, such as `2025Q3`."""
        return f"{self.year}Q{self.quarter}" if self.quarter else str(self.year)

    def takes(self, now: datetime) -> bool:
        """Whether the form takes answers."""
        return self.state == "open" and self.begins_at <= now < self.ends_at

    def question(self, code: str) -> Question | None:
        """One of its questions."""
        return next((one for one in self.questions if one.code == code), None)


@dataclass(frozen=True)
class Due:
    """One organisation of a round's roster 应答单位, and what became of it."""

    survey: str
    organisation: str
    name: str
    region: str | None
    size_class: str
    employees: int | None
    state: DueState
    decline: Decline | None
    words: str | None
    version: int
    answered: int | None
    first_at: datetime | None
    changed_at: datetime | None

    @classmethod
    def of(cls, row: RowMapping) -> Due:
        """A line of the roster from its row."""
        return cls(**{name: row[name] for name in cls.__dataclass_fields__})


@dataclass(frozen=True)
class Answer:
    """One saved version of an answer 答卷版本."""

    survey: str
    organisation: str
    version: int
    state: Literal["draft", "submitted"]
    given: Mapping[str, Any]
    kept: Mapping[str, Any] | None
    filled_by: str | None
    actor: str
    at: datetime

    @classmethod
    def of(cls, row: RowMapping) -> Answer:
        """A version from its row."""
        return cls(**{name: row[name] for name in cls.__dataclass_fields__})


def find(workspace: Workspace, survey: str) -> Round:
    """One round.

    Raises
    ------
    UsageError
        JQ-SURVEY-006: there is none.
    """
    with workspace.database.read() as connection:
        return _find(connection, survey)


def within(tx: Transaction, survey: str) -> Round:
    """One round within a command; errors as `find`."""
    return _find(tx.connection, survey)


def _find(connection: Connection, survey: str) -> Round:
    rows = table("surveys")
    row = connection.execute(select(rows).where(rows.c.id == survey)).mappings().first()
    if row is None:
        raise UsageError("JQ-SURVEY-006", value=survey[:60])
    return Round.of(row)


def rounds(workspace: Workspace) -> tuple[Round, ...]:
    """All rounds, newest first."""
    rows = table("surveys")
    with workspace.database.read() as connection:
        found = connection.execute(select(rows).order_by(rows.c.created_at.desc(), rows.c.id)).mappings()
        return tuple(map(Round.of, found))


def roster(workspace: Workspace, survey: str) -> tuple[Due, ...]:
    """The roster of a round, by name."""
    rows = table("survey_roster")
    query = select(rows).where(rows.c.survey == survey).order_by(rows.c.name, rows.c.organisation)
    with workspace.database.read() as connection:
        return tuple(map(Due.of, connection.execute(query).mappings()))


def asked(workspace: Workspace, organisation: str) -> tuple[tuple[Round, DueState], ...]:
    """The rounds on whose roster an organisation is, newest first, with the state of its answer."""
    rows, asked_ = table("surveys"), table("survey_roster")
    query = (
        select(rows, asked_.c.state.label("answer"))
        .join_from(rows, asked_, rows.c.id == asked_.c.survey)
        .where(same(asked_.c.organisation, organisation))
        .order_by(rows.c.created_at.desc(), rows.c.id)
        .limit(100)
    )
    with workspace.database.read() as connection:
        return tuple((Round.of(row), row["answer"]) for row in connection.execute(query).mappings())


def due(connection: Connection, survey: str, organisation: str) -> Due | None:
    """One organisation's line of a roster, None if it is not on it."""
    rows = table("survey_roster")
    where = (rows.c.survey == survey, same(rows.c.organisation, organisation))
    own_first = rows.c.organisation != organisation
    row = connection.execute(select(rows).where(*where).order_by(own_first)).mappings().first()
    return Due.of(row) if row else None


def answer(connection: Connection, survey: str, organisation: str, version: int | None) -> Answer | None:
    """One version of an answer."""
    rows = table("survey_answers")
    where = (rows.c.survey == survey, rows.c.organisation == organisation, rows.c.version == version)
    row = connection.execute(select(rows).where(*where)).mappings().first() if version else None
    return Answer.of(row) if row else None


def handed_in(workspace: Workspace, survey: str) -> tuple[Answer, ...]:
    """The answers that count: of each organisation that answered, the version that it handed in last."""
    rows, asked = table("survey_answers"), table("survey_roster")
    same = (rows.c.survey == asked.c.survey) & (rows.c.organisation == asked.c.organisation)
    query = (
        select(rows)
        .join_from(rows, asked, same & (rows.c.version == asked.c.answered))
        .where(rows.c.survey == survey, asked.c.state == "answered")
        .order_by(rows.c.organisation)
    )
    with workspace.database.read() as connection:
        return tuple(map(Answer.of, connection.execute(query).mappings()))


def roster_frame(workspace: Workspace, survey: str) -> pl.DataFrame:
    """The roster as a frame, for rates and the companion table: no words, no names of people."""
    names = ("organisation", "name", "region", "size_class", "employees", "state", "decline", "first_at")
    found = [{name: getattr(one, name) for name in names} for one in roster(workspace, survey)]
    kinds = dict.fromkeys(names, pl.String()) | {"employees": pl.Int64(), "first_at": pl.Datetime(time_zone="UTC")}
    return pl.DataFrame(found, schema=kinds)


def may_read(actor: Actor, found: Round) -> bool:
    """Whether an actor may see single answers of a round."""
    return "operator" in actor.roles or not actor.roles.isdisjoint(found.readers)


def require_reader(actor: Actor, found: Round) -> None:
    """Refuse who may not see single answers.

    Raises
    ------
    PermissionDeniedError
        JQ-SURVEY-014.
    """
    actor.require("survey.answers", *READS)
    if not may_read(actor, found):
        raise PermissionDeniedError("JQ-SURVEY-014")


def folded(name: str) -> str:
    """A name as it is searched: width, case and blanks do not matter.

    Examples
    --------
    >>> folded("ＡＣＭＥ  Ltd.")
    'acme ltd.'
    """
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())
