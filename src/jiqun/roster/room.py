"""The roster's operations 名单室: match, decide, merge, correct, and what was said of each field."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import polars as pl
import sqlalchemy as sa
from pydantic import Field

from jiqun.core.actor import Actor, Role
from jiqun.core.document import Text
from jiqun.core.operation import Model, Page, PageRequest, Room, paged
from jiqun.roster import corrections, desk, records
from jiqun.roster.corrections import Correction
from jiqun.roster.derive import HANDLERS as _DERIVING
from jiqun.roster.evidence import reasons
from jiqun.roster.history import Said
from jiqun.roster.history import history as told
from jiqun.roster.jobs import HANDLERS as _MATCHING
from jiqun.roster.jobs import begin
from jiqun.roster.match import ACCEPT, MARGIN, REVIEW
from jiqun.roster.records import Decision, Roster
from jiqun.store import Workspace
from jiqun.store.database import table
from jiqun.store.jobs import Handler

ROOM = Room("roster", Text("名单", "Rosters"))
HANDLERS: dict[str, Handler] = {**_DERIVING, **_MATCHING}
_LOOK: tuple[Role, ...] = ("operator", "analyst", "auditor")
_WHO: tuple[Role, ...] = ("operator", "analyst")
_SHOWN = 5

Id = Annotated[str, Field(min_length=1, max_length=60)]
OrganisationId = Annotated[str, Field(min_length=1, max_length=64, description="id of an organisation")]
Row = Annotated[int, Field(ge=0, le=1 << 40, description="row of the roster, from 0")]


class One(Model):
    """Which roster."""

    roster: Id


class ImportRequest(Model):
    """A checked import to match as a roster."""

    import_id: Id
    name: Annotated[str | None, Field(min_length=1, max_length=200, description="what the roster is called")] = None
    accept: Annotated[float, Field(ge=REVIEW, le=1.0, description="least score to be matched without a person")] = (
        ACCEPT
    )
    lead: Annotated[float, Field(ge=0.0, le=1.0, description="how far the best candidate must lead")] = MARGIN


class RowsRequest(PageRequest):
    """Rows of a roster, perhaps of one decision only."""

    roster: Id
    decision: Decision | None = None
    shared: Annotated[bool, Field(description="only rows that share their organisation with another row")] = False


class RowRequest(Model):
    """One row of a roster."""

    roster: Id
    row: Row


class Candidate(Model):
    """An organisation that a row may be 候选; `score` orders, it is no probability."""

    organisation: str
    score: float
    speaks_for: tuple[Text, ...]
    speaks_against: tuple[Text, ...]
    facts: dict[str, str]


class RosterRow(Model):
    """A row of a roster and what stands of it: by a person, or as matching proposes."""

    row: int
    source_row: int
    name: str
    decision: Decision
    by_person: bool
    organisation: str | None
    organisation_name: str | None
    score: float | None
    margin: float | None
    speaks_for: tuple[Text, ...]
    speaks_against: tuple[Text, ...]
    shared: int


class RowAnswer(RosterRow):
    """A row with what it says, its candidates, the decisions on it, and where review goes on."""

    facts: dict[str, str]
    candidates: tuple[Candidate, ...]
    decisions: tuple[DecisionRow, ...]
    next: int | None


class DecisionRow(Model):
    """A decision of a person 判定."""

    id: str
    row_key: str
    organisation: str
    verdict: Literal["same", "different"]
    account: str
    at: Any


class DecideRequest(RowRequest):
    """Whether a row is an organisation."""

    organisation: OrganisationId
    verdict: Literal["same", "different"]


class AboveRequest(One):
    """From which score on all rows in review are taken as the same as their best candidate."""

    score: Annotated[float, Field(ge=REVIEW, le=1.0)]


class UndoRequest(Model):
    """Which decision."""

    decision: Id


class Counted(Model):
    """How many it were."""

    count: int


class Decided(Model):
    """The id of a decision."""

    decision: str


class Begun(Model):
    """The job that matches."""

    job: str


class FieldsRequest(Model):
    """An organisation, and perhaps one field of it."""

    organisation: OrganisationId
    attribute: Annotated[str | None, Field(max_length=60)] = None


class CorrectRequest(Model):
    """Fields as they should be; null: not known."""

    organisation: OrganisationId
    values: Annotated[
        dict[Annotated[str, Field(max_length=64)], Annotated[str, Field(max_length=corrections.LONGEST)] | None],
        Field(min_length=1, max_length=len(corrections.ATTRIBUTES)),
    ]
    reason: Annotated[str | None, Field(max_length=corrections.LONGEST_REASON)] = None


class UncorrectRequest(Model):
    """Which corrections to take back; null for all."""

    organisation: OrganisationId
    attributes: Annotated[tuple[Annotated[str, Field(max_length=64)], ...] | None, Field(max_length=100)] = None


class ResolveRequest(Model):
    """An identifier of another list: its scheme (a roster's name) and value."""

    scheme: Annotated[str, Field(min_length=1, max_length=200)]
    value: Annotated[str, Field(min_length=1, max_length=400)]


class Resolved(Model):
    """Whose identifier it is; null: it is not known."""

    organisation: str | None


class Firms(Model):
    """Ids of organisations."""

    organisations: tuple[str, ...]


class Nothing(Model):
    """No more to say."""


RowAnswer.model_rebuild()


@ROOM.operation("rosters", "名单列表", "List rosters", roles=_LOOK)
def rosters(actor: Actor, workspace: Workspace, request: PageRequest) -> Page[Roster]:
    """Rosters that were matched or merged, the newest first."""
    del actor
    found = records.listing(workspace)
    return paged(found, request, version=f"{len(found)} {found[0].id if found else ''}")


@ROOM.operation("roster", "查看名单", "Show a roster", roles=_LOOK)
def roster(actor: Actor, workspace: Workspace, request: One) -> Roster:
    """A roster as it stands, with its counts as people's decisions leave them; `outdated`: the register is newer."""
    del actor
    found = records.find(workspace, request.roster)
    now = records.now(workspace, found)
    counts: dict[str, Any] = {
        state: now.filter(pl.col("decision") == state).height for state in ("matched", "review", "unmatched")
    }
    counts["by_person"] = now.filter("by_person").height
    counts["outdated"] = records.outdated(workspace, found)
    counts["shared"] = now.filter(pl.col("shared") > 1)["organisation"].n_unique()
    return found.model_copy(update={"counts": {**found.counts, **counts}})


@ROOM.operation("rows", "名单各行", "Rows of a roster", roles=_LOOK)
def rows(actor: Actor, workspace: Workspace, request: RowsRequest) -> Page[RosterRow]:
    """Rows with what stands of them; those in review with the best score first, others as in the file."""
    del actor
    found = records.find(workspace, request.roster)
    now = _chosen(records.now(workspace, found), request.decision, shared=request.shared)
    place = paged(range(now.height), request, version=f"{found.id} {request.decision} {request.shared} {now.height}")
    part = now[place.items[0] : place.items[-1] + 1] if place.items else now.clear()
    names = _names(workspace, found)
    return Page(
        items=tuple(RosterRow(**_row(row, names)) for row in part.iter_rows(named=True)),
        total=place.total,
        next=place.next,
    )


def _chosen(now: pl.DataFrame, decision: Decision | None, *, shared: bool) -> pl.DataFrame:
    if decision is not None:
        now = now.filter(pl.col("decision") == decision)
    if shared:
        return now.filter(pl.col("shared") > 1).sort("organisation", "row")
    return now.sort("score", "row", descending=[True, False]) if decision == "review" else now


def _names(workspace: Workspace, found: Roster) -> dict[str, str]:
    return dict(records.table_of(workspace, found, "organisations").select("id", "name").iter_rows())


def _row(row: dict[str, Any], names: dict[str, str]) -> dict[str, Any]:
    good, bad = reasons(row["evidence"] or 0)
    shown = {
        name: row[name]
        for name in ("row", "source_row", "name", "decision", "by_person", "score", "margin", "shared", "organisation")
    }
    return shown | {
        "organisation_name": names.get(row["organisation"] or ""),
        "speaks_for": good,
        "speaks_against": bad,
    }


@ROOM.operation("row", "名单的一行", "One row of a roster", roles=_LOOK)
def row(actor: Actor, workspace: Workspace, request: RowRequest) -> RowAnswer:
    """A row beside its candidates, with the decisions that stand on it.

    Raises
    ------
    UsageError
        JQ-ROSTER-005: there is no such row.
    """
    del actor
    found = records.find(workspace, request.roster)
    now = records.now(workspace, found)
    if request.row >= now.height:
        raise desk.no_row(request.row, now.height)
    mine = now.row(request.row, named=True)
    organisations = records.table_of(workspace, found, "organisations")
    candidates = records.table_of(workspace, found, "candidates").filter(pl.col("row") == request.row).head(_SHOWN)
    facts = {
        one["id"]: _facts(one)
        for one in organisations.filter(pl.col("id").is_in(candidates["organisation"].implode())).iter_rows(named=True)
    }
    queue = _chosen(now, "review", shared=False)["row"].to_list()
    place = queue.index(request.row) + 1 if request.row in queue else 0
    after = [*queue[place:], *queue[:place]]
    return RowAnswer(
        **_row(mine, {key: value["name"] for key, value in facts.items()}),
        facts=_facts(mine),
        candidates=tuple(_candidate(one, facts) for one in candidates.iter_rows(named=True)),
        decisions=_decisions(workspace, mine["row_key"]),
        next=next((one for one in after if one != request.row), None),
    )


def _candidate(one: dict[str, Any], facts: dict[str, dict[str, str]]) -> Candidate:
    good, bad = reasons(one["evidence"])
    return Candidate(
        organisation=one["organisation"],
        score=one["score"],
        speaks_for=good,
        speaks_against=bad,
        facts=facts.get(one["organisation"], {}),
    )


def _facts(values: dict[str, Any]) -> dict[str, str]:
    shown = (name for name in desk.SHOWN if values.get(name) is not None)
    return {name: str(values[name])[:400] for name in shown}


def _decisions(workspace: Workspace, row_key: str) -> tuple[DecisionRow, ...]:
    made = table("pairings")
    query = (
        sa.select(made).where(made.c.row_key == row_key, made.c.withdrawn_at.is_(None)).order_by(made.c.at, made.c.id)
    )
    with workspace.database.read() as connection:
        found = connection.execute(query).mappings()
        return tuple(DecisionRow(**{name: one[name] for name in DecisionRow.model_fields}) for one in found)


@ROOM.operation("firms", "名单中的机构", "Organisations of a roster", roles=_LOOK)
def firms(actor: Actor, workspace: Workspace, request: One) -> Firms:
    """Ids of the organisations that a roster's rows stand for, each once: to ask them in a survey round, for one."""
    del actor
    return Firms(organisations=records.firms(workspace, records.find(workspace, request.roster)))


@ROOM.operation("match_import", "匹配导入文件", "Match an import as a roster", roles=_WHO, writes=True)
def match_import(actor: Actor, workspace: Workspace, request: ImportRequest, *, key: str) -> Begun:
    """Match the file of an import, with its columns and corrections, as a job; the register stays as it is."""
    return Begun(
        job=begin(
            actor, workspace, request.import_id, name=request.name, accept=request.accept, lead=request.lead, key=key
        )
    )


@ROOM.operation("apply", "并入名单", "Merge a roster", roles=_WHO, writes=True)
def apply(actor: Actor, workspace: Workspace, request: One, *, key: str) -> Roster:
    """Merge a roster into the organisations, as a job: matched rows fill and renew fields, others stand by themselves."""
    return desk.apply(actor, workspace, request.roster, key=key)


@ROOM.operation("withdraw", "撤出名单", "Take a roster out", roles=_WHO, writes=True)
def withdraw(actor: Actor, workspace: Workspace, request: One, *, key: str) -> Roster:
    """Take a roster out again, as a job; decisions on its rows stay for the next edition."""
    return desk.withdraw(actor, workspace, request.roster, key=key)


@ROOM.operation("decide", "判定", "Decide on a pair", roles=_WHO, writes=True)
def decide(actor: Actor, workspace: Workspace, request: DecideRequest, *, key: str) -> Decided:
    """Say that a row is an organisation, or is not; it holds for the same row of later editions."""
    made = desk.decide(actor, workspace, request.roster, request.row, request.organisation, request.verdict, key=key)
    return Decided(decision=made)


@ROOM.operation("accept_above", "批量判定", "Accept all above a score", roles=_WHO, writes=True)
def accept_above(actor: Actor, workspace: Workspace, request: AboveRequest, *, key: str) -> Counted:
    """Take every row in review whose best candidate leads and scores at least this as the same."""
    return Counted(count=desk.accept_above(actor, workspace, request.roster, request.score, key=key))


@ROOM.operation("undo", "撤回判定", "Take a decision back", roles=_WHO, writes=True)
def undo(actor: Actor, workspace: Workspace, request: UndoRequest, *, key: str) -> Nothing:
    """Take a decision back: what matching proposes counts again."""
    desk.undo(actor, workspace, request.decision, key=key)
    return Nothing()


@ROOM.operation("resolve", "编号对照", "Resolve an identifier", roles=_LOOK)
def resolve(actor: Actor, workspace: Workspace, request: ResolveRequest) -> Resolved:
    """Which organisation another list's identifier stands for, as merged rosters made it known."""
    del actor
    walk = table("crosswalk")
    query = sa.select(walk.c.organisation).where(walk.c.scheme == request.scheme, walk.c.value == request.value)
    with workspace.database.read() as connection:
        return Resolved(organisation=connection.execute(query).scalar_one_or_none())


@ROOM.operation("history", "字段沿革", "History of fields", roles=_LOOK)
def history(actor: Actor, workspace: Workspace, request: FieldsRequest) -> tuple[Said, ...]:
    """What was said of each field of an organisation, by which source, as of when, by whom."""
    del actor
    return told(workspace, request.organisation, request.attribute)


@ROOM.operation(
    "own_history",
    "本企业字段沿革",
    "History of our fields",
    roles=["operator", "member", "auditor"],
    own="organisation",
)
def own_history(actor: Actor, workspace: Workspace, request: FieldsRequest) -> tuple[Said, ...]:
    """The same for one's own organisation; who corrected a field is not named there."""
    del actor
    found = told(workspace, request.organisation, request.attribute)
    return tuple(one.model_copy(update={"who": None}) for one in found)


@ROOM.operation("corrections", "更正列表", "Corrections of an organisation", roles=_LOOK)
def list_corrections(actor: Actor, workspace: Workspace, request: FieldsRequest) -> tuple[Correction, ...]:
    """The corrections of an organisation that stand, each with what its source says by now where that is new."""
    del actor
    found = corrections.standing(workspace, request.organisation)
    return tuple(one for one in found if request.attribute in (None, one.attribute))


@ROOM.operation("conflicts", "更正与来源不一致", "Corrections in conflict", roles=_LOOK)
def conflicts(actor: Actor, workspace: Workspace, request: PageRequest) -> Page[Correction]:
    """Corrections whose source says something new since."""
    del actor
    found = corrections.conflicts(workspace)
    return paged(found, request, version=f"{len(found)} {found[0].id if found else ''}")


@ROOM.operation("correct", "更正", "Correct an organisation", roles=_WHO, writes=True)
def correct(actor: Actor, workspace: Workspace, request: CorrectRequest, *, key: str) -> tuple[Correction, ...]:
    """Correct fields of an organisation: they lie over every source, now and after the next load."""
    return corrections.correct(actor, workspace, request.organisation, request.values, reason=request.reason, key=key)


@ROOM.operation("uncorrect", "撤回更正", "Take corrections back", roles=_WHO, writes=True)
def uncorrect(actor: Actor, workspace: Workspace, request: UncorrectRequest, *, key: str) -> Counted:
    """Take corrections back: what the sources say counts again."""
    return Counted(count=corrections.take_back(actor, workspace, request.organisation, request.attributes, key=key))
