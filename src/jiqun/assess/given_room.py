"""What is given to the diagnosis as operations 诊断用表操作: what is given now, its rows, give anew, take away, put back.

Policy texts and tags are public documents and open to all; frontier scores, and who gave what, to who may read the diagnosis.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

import polars as pl
from pydantic import Field

from jiqun.assess import desk
from jiqun.assess.diagnosis import kind_name
from jiqun.assess.diagnosis_room import READS
from jiqun.assess.given_records import (
    EDITS,
    GIVE,
    Act,
    Revision,
    changed,
    newest,
    rows_of,
    save,
    used,
)
from jiqun.assess.given_tables import LONGEST_NAME, MOST_ROWS, NAMES, TableName, digest, empty, one_plan, read_rows
from jiqun.assess.room import ROOM
from jiqun.assess.stored import frame_of
from jiqun.atlas.reading import version
from jiqun.core.actor import Actor, Role
from jiqun.core.errors import InputError, UsageError
from jiqun.core.operation import Model, Page, PageRequest, paged
from jiqun.core.text import visible
from jiqun.store import Workspace

ALL: tuple[Role, ...] = ("operator", "analyst", "member", "auditor", "public")
ADD, TAKE, BACK = "assess.add_plan", "assess.give_frontier", "assess.put_back_given"
Number = Annotated[int, Field(ge=1, le=10**6, description="which giving of it; none: the newest")]
Base = Annotated[
    int | None, Field(ge=0, le=10**6, description="revision that was seen, 0 for none; null: whatever stands")
]
Cell = Annotated[str, Field(max_length=400_000)] | float | None


class GivenRequest(Model):
    """Nothing more is asked."""


class GivenRow(Model):
    """A table as given last 现行的一版; `version` is the start of its digest, null where there is none.

    `read`: whether the last diagnosis read this very version; null where nothing was diagnosed.
    """

    table: TableName
    revision: int
    rows: int
    version: str | None
    act: Act | None
    source: str
    account: str | None
    at: datetime | None
    read: bool | None


class GivenAnswer(Model):
    """The three tables; `changed` names those given anew since the last diagnosis."""

    tables: tuple[GivenRow, ...]
    changed: tuple[TableName, ...]


class RowsRequest(PageRequest):
    """Rows of a table, as given last or in one revision."""

    revision: Number | None = None


class PlanRow(Model):
    """A plan or policy text."""

    region: str
    text: str


class TagRow(Model):
    """A class with its tag."""

    code: str
    tag: str


class FrontierScoreRow(Model):
    """A unit's efficiency with its interval."""

    unit: str
    score: float
    low: float | None
    high: float | None


class GiveRequest(Model):
    """A whole table, which takes the place of the one before; columns as its schema names them, in Chinese or English."""

    table: TableName
    rows: Annotated[tuple[dict[str, Cell], ...], Field(min_length=1, max_length=MOST_ROWS)]
    source: Annotated[str, Field(max_length=150, description="what people should know it by, as a file's name")] = ""
    base: Base = None


class AddPlanRequest(Model):
    """One more text; those of the same region count together."""

    region: Annotated[str, Field(min_length=1, max_length=LONGEST_NAME)]
    text: Annotated[str, Field(min_length=1, max_length=400_000)]


class TakeFrontierRequest(Model):
    """A stored frontier whose scores are taken."""

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,39}$")]
    base: Base = None


class PutBackRequest(Model):
    """The revision that is to count again; 0 takes the table away."""

    table: TableName
    revision: Annotated[int, Field(ge=0, le=10**6)]
    base: Base = None


@ROOM.operation("given", "诊断用表", "What is given to the diagnosis", roles=READS)
def given(_actor: Actor, workspace: Workspace, request: GivenRequest) -> GivenAnswer:
    """Plans, tags and frontier scores as given last: rows, when, by whom, and whether the last diagnosis read them."""
    del request
    known = newest(workspace)
    last = workspace.result(kind_name(None))
    read = used(last) if last else {}
    rows = [
        _row(known[name], read.get(name) == known[name].digest if last else None) if name in known else _none(name)
        for name in NAMES
    ]
    return GivenAnswer(tables=tuple(rows), changed=changed(workspace, last) if last else ())


def _row(one: Revision, read: bool | None) -> GivenRow:
    return GivenRow(
        table=one.table, revision=one.revision, rows=one.rows, version=one.version or None, act=one.act,
        source=one.source, account=one.account, at=one.at, read=read,
    )  # fmt: skip


def _none(name: TableName) -> GivenRow:
    return GivenRow(table=name, revision=0, rows=0, version=None, act=None, source="", account=None, at=None, read=None)


@ROOM.operation("given_plans", "规划与政策文本", "Plans and policy texts given", roles=ALL)
def given_plans(actor: Actor, workspace: Workspace, request: RowsRequest) -> Page[PlanRow]:
    """The texts that are compared, in the order given.

    Raises
    ------
    UsageError
        JQ-ASSESS-146: there is no such revision.
    """
    rows = table_rows(actor, workspace, "plans", request.revision)
    return paged([PlanRow(**row) for row in rows.iter_rows(named=True)], request, version=_version("plans", rows))


@ROOM.operation("given_tags", "产业标签", "Tags of industries given", roles=ALL)
def given_tags(actor: Actor, workspace: Workspace, request: RowsRequest) -> Page[TagRow]:
    """The tags of classes, in the order given; errors as for `given_plans`."""
    rows = table_rows(actor, workspace, "tags", request.revision)
    return paged([TagRow(**row) for row in rows.iter_rows(named=True)], request, version=_version("tags", rows))


@ROOM.operation("given_frontier", "前沿得分", "Frontier scores given", roles=READS)
def given_frontier(actor: Actor, workspace: Workspace, request: RowsRequest) -> Page[FrontierScoreRow]:
    """The scores of units, in the order given; errors as for `given_plans`."""
    rows = table_rows(actor, workspace, "frontier", request.revision)
    told = [FrontierScoreRow(**row) for row in rows.iter_rows(named=True)]
    return paged(told, request, version=_version("frontier", rows))


def table_rows(actor: Actor, workspace: Workspace, table: TableName, revision: int | None = None) -> pl.DataFrame:
    """The rows of a table; of one never given none. Earlier revisions are for who may read the diagnosis only.

    Raises
    ------
    UsageError
        JQ-ASSESS-146: a revision is asked for that is not there.
    """
    now = newest(workspace).get(table)
    old = revision is not None and (now is None or revision != now.revision)
    found = None if old and actor.roles.isdisjoint(READS) else rows_of(workspace, table, revision)
    if found is None and revision is not None:
        raise UsageError("JQ-ASSESS-146", value=table, revision=revision)
    return empty(table) if found is None else found


def _version(table: TableName, rows: pl.DataFrame) -> str:
    return version(table, digest(rows))


@ROOM.operation("give", "给出诊断用表", "Give a table to the diagnosis", roles=EDITS, writes=True)
def give(actor: Actor, workspace: Workspace, request: GiveRequest, *, key: str) -> GivenRow:
    """Give plans, tags or frontier scores: the whole table, in place of the one before, which stays in the history.

    Raises
    ------
    InputError
        JQ-ASSESS-140: rows are bad, and nothing is stored; 148: a column is missing; 144, 149: too much, or nothing.
    UsageError
        JQ-ASSESS-145: it was given anew since it was seen.
    """
    every = dict.fromkeys(name for row in request.rows for name in row)
    rows = [{name: _plain(row.get(name)) for name in every} for row in request.rows]
    frame = pl.DataFrame(rows, schema=dict.fromkeys(every, pl.String)) if every else pl.DataFrame()
    made = read_rows(request.table, frame, name=request.source or request.table).good()
    return give_table(actor, workspace, request.table, made, source=visible(request.source), base=request.base, key=key)


def _plain(value: str | float | None) -> str | None:
    return f"{value:.15g}" if isinstance(value, float) else value


def give_table(
    actor: Actor,
    workspace: Workspace,
    table: TableName,
    frame: pl.DataFrame,
    *,
    source: str,
    base: int | None,
    key: str,
) -> GivenRow:
    """Keep a table whose rows were judged, as `give`."""
    made = save(
        actor, workspace, table, lambda _: frame, operation=GIVE, request={"digest": digest(frame), "base": base},
        act="given", source=source, base=base, key=key,
    )  # fmt: skip
    return _row(made, None)


@ROOM.operation("add_plan", "给出一篇规划文本", "Give the text of one plan", roles=EDITS, writes=True)
def add_plan(actor: Actor, workspace: Workspace, request: AddPlanRequest, *, key: str) -> GivenRow:
    """Add one region's plan or policy text to those given.

    Raises
    ------
    InputError
        JQ-ASSESS-032: region or text cannot be so; 143: the region has this text already; 144: too much in all.
    """
    row, wrong = one_plan(request.region, request.text)
    if wrong:
        raise next(iter(wrong.values()))

    def add(stands: pl.DataFrame) -> pl.DataFrame:
        made = pl.concat([stands, row])
        if made.is_duplicated().any():
            place = stands.with_row_index(offset=1).join(row, on=["region", "text"])["index"][0]
            told = {"zh": "地区", "en": "region"}
            raise InputError(
                "JQ-ASSESS-143", file="plans", row=made.height, column=told, other=place, value=row["region"][0][:80]
            )
        if made.height > MOST_ROWS:
            most = {"zh": f"{MOST_ROWS:,} 行", "en": f"{MOST_ROWS:,} rows"}
            raise InputError("JQ-ASSESS-144", file="plans", size=made.height, most=most)
        return made

    made = save(
        actor, workspace, "plans", add, operation=ADD, request={"digest": digest(row)}, act="text",
        source=row["region"][0], key=key,
    )  # fmt: skip
    return _row(made, None)


@ROOM.operation("give_frontier", "取用效率前沿的得分", "Give the scores of a stored frontier", roles=EDITS, writes=True)
def give_frontier(actor: Actor, workspace: Workspace, request: TakeFrontierRequest, *, key: str) -> GivenRow:
    """Take the scores of a stored frontier, with their intervals, as those that the diagnosis reads.

    Raises
    ------
    WorkspaceError
        JQ-ASSESS-071: there is no such frontier.
    InputError
        JQ-ASSESS-147: its scores have no intervals.
    """
    frame = scores_of(workspace, request.name)
    if frame is None:
        desk.latest(workspace, desk.FRONTIER, request.name)
        raise InputError("JQ-ASSESS-147", value=request.name)
    made = save(
        actor, workspace, "frontier", lambda _: frame, operation=TAKE,
        request={"name": request.name, "digest": digest(frame), "base": request.base}, act="frontier",
        source=request.name, base=request.base, key=key,
    )  # fmt: skip
    return _row(made, None)


def scores_of(workspace: Workspace, name: str) -> pl.DataFrame | None:
    """The scores of a stored frontier as the diagnosis reads them; None: there are none with intervals from 0 to 1."""
    stored = workspace.result(desk.kind_of(desk.FRONTIER, name))
    scores = frame_of(stored, "scores") if stored else pl.DataFrame()
    if not {"unit", "score", "low", "high"} <= set(scores.columns):
        return None
    try:
        read = read_rows("frontier", scores.select("unit", "score", "low", "high"), name=name)
    except InputError:  # more units than a table may have
        return None
    return None if read.wrong else read.frame


def frontiers_to_take(workspace: Workspace) -> Sequence[str]:
    """Names of the stored frontiers that have intervals."""
    return [name for name in desk.frontiers(workspace) if scores_of(workspace, name) is not None]


@ROOM.operation("put_back_given", "恢复以前的诊断用表", "Put back a table given before", roles=EDITS, writes=True)
def put_back_given(actor: Actor, workspace: Workspace, request: PutBackRequest, *, key: str) -> GivenRow:
    """Let an earlier version of a table count again, or with revision 0 none: the table is taken away.

    Raises
    ------
    UsageError
        JQ-ASSESS-146: there is no such revision; 145: the table was given anew since it was seen.
    """
    frame = rows_of(workspace, request.table, request.revision) if request.revision else None
    if request.revision and frame is None:
        raise UsageError("JQ-ASSESS-146", value=request.table, revision=request.revision)
    made = save(
        actor, workspace, request.table, lambda _: frame, operation=BACK, request=request.model_dump(),
        act="back" if request.revision else "removed", source=str(request.revision or ""), base=request.base, key=key,
    )  # fmt: skip
    return _row(made, None)
