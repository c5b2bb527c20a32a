"""Edits of single units 单元修改: state, tenant, rent and dates of one unit, as people who know it say.

An edit is a command in the journal; its job makes a snapshot of the carriers with that one row changed, derived from the
one before, which stays in the table's history. A later load says anew how the unit is.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Annotated, Any, Literal

import polars as pl
from pydantic import Field

from jiqun.accounts.edits import checked
from jiqun.assess import parks_desk as desk
from jiqun.assess.carriers import COLUMNS
from jiqun.assess.diagnosis_room import READS
from jiqun.assess.parks_room import EDITS
from jiqun.assess.room import ROOM
from jiqun.atlas.reading import version
from jiqun.core.actor import Actor
from jiqun.core.errors import InputError, JiqunError, UsageError
from jiqun.core.operation import Model
from jiqun.store import Workspace
from jiqun.store.commands import Transaction
from jiqun.store.jobs import Handler, Job, Report
from jiqun.store.tables import JSON

EDIT = "assess.edit_unit"
BY = "edit"
"""What `derived` says of a snapshot that an edit made."""
SOURCE = "修改 edit"
"""What messages of the checks name instead of a file."""
LONGEST = 4000
"""Characters of a text."""
UnitId = Annotated[str, Field(min_length=1, max_length=200, description="id of a unit, as `units` gives it")]
Words = Annotated[str, Field(min_length=1, max_length=4000)]
_OF_LOAD = frozenset({"import", "before", "fixes"})
"""What the summary of a load says of the file itself."""


class Record(Model):
    """What can be edited of a unit 单元记录; null: not known, or there is none."""

    status: Literal["vacant", "let", "reserved", "works"] | None = None
    tenant: Words | None = None
    tenant_uscc: Words | None = None
    rent_cny_m2_month: Annotated[float | None, Field(ge=0, allow_inf_nan=False, description="CNY per m² and month")] = (
        None
    )
    contract: Words | None = None
    let_from: date | None = None
    let_to: date | None = None
    vacant_since: date | None = None
    as_of: Annotated[date | None, Field(description="day the record speaks of; null: as the load says")] = None


FIELDS = tuple(Record.model_fields)
"""The attributes that an edit says, all of them at once."""


class UnitRequest(Model):
    """One unit."""

    unit: UnitId


class Change(Model):
    """One attribute that an edit changed, in text."""

    attribute: str
    before: str | None
    after: str | None


class Edited(Model):
    """An edit that was made 修改记录."""

    at: datetime
    account: str
    changes: tuple[Change, ...]


class UnitAnswer(Model):
    """A unit's record, and its edits, the latest first; `seen` tells an edit which record it was made from."""

    id: str
    park_id: str
    path: str
    area_m2: float | None
    record: Record
    seen: str
    edits: tuple[Edited, ...]


class UnitEdit(Model):
    """How a unit is: the whole record, as it is to be. `seen`: as `unit` gave it."""

    unit: UnitId
    seen: Annotated[str, Field(max_length=64)]
    record: Record


class EditAnswer(Model):
    """The job that makes the carriers anew; null where nothing was changed."""

    job: str | None


@ROOM.operation("unit", "单元记录", "One unit's record", roles=READS)
def unit(_actor: Actor, workspace: Workspace, request: UnitRequest) -> UnitAnswer:
    """What is on record of a unit, and who changed what of it when.

    Raises
    ------
    WorkspaceError
        JQ-ASSESS-120: no carriers are loaded.
    UsageError
        JQ-ASSESS-128: there is no such unit.
    """
    row = _unit(workspace, request.unit)
    return UnitAnswer(
        id=row["id"],
        park_id=row["park_id"],
        path=row["path"],
        area_m2=row["area_m2"],
        record=_record(row),
        seen=_seen(row),
        edits=tuple(_edited(workspace, row["id"])),
    )


@ROOM.operation("edit_unit", "修改单元", "Edit a unit", roles=EDITS, writes=True)
def edit_unit(actor: Actor, workspace: Workspace, request: UnitEdit, *, key: str) -> EditAnswer:
    """Say anew how one unit is: state, tenant, rent, contract and dates; what was before stays in the history.

    Another tenant loses the credit code and titles of the one before; a let area that was given by itself is dropped with
    another state or tenant, and follows from the state again.

    Raises
    ------
    WorkspaceError
        JQ-ASSESS-120: no carriers are loaded.
    UsageError
        JQ-ASSESS-128: there is no such unit. JQ-ASSESS-130: it was changed since it was seen.
    InputError
        JQ-DATA-…: a value cannot be so. JQ-ASSESS-129: two of them contradict each other.
    """
    row = _unit(workspace, request.unit)
    if _seen(row) != request.seen:
        raise UsageError("JQ-ASSESS-130", value=row["path"])
    record, wrong = read_record(workspace, texts(request.record))
    if record is None:
        raise next(iter(wrong.values()))
    if texts(record) == texts(_record(row)):
        return EditAnswer(job=None)

    def queue(tx: Transaction) -> JSON:
        payload: dict[str, JSON] = {
            "unit": row["id"], "seen": request.seen, "record": record.model_dump(mode="json"), "account": actor.id,
            "at": tx.now.isoformat(),
        }  # fmt: skip
        return {"job": tx.job(EDIT, payload, account=actor.id, organisation=actor.organisation, most_attempts=3)}

    asked = request.model_dump(mode="json")
    answer: Any = workspace.database.command(actor, key, EDIT, queue, request=asked, subject=row["id"])
    return EditAnswer(job=answer["job"])


def texts(record: Record) -> dict[str, str]:
    """A record as a form holds it: empty for null."""
    return {name: _text(value) or "" for name, value in record.model_dump().items()}


def read_record(workspace: Workspace, given: Mapping[str, str]) -> tuple[Record | None, dict[str, JiqunError]]:
    """A record from texts, each checked as a load would 读取, or what is wrong by attribute."""
    wrong: dict[str, JiqunError] = {}
    kept: dict[str, str] = {}
    for name in FIELDS:
        text = given.get(name, "").strip()
        try:
            kept |= checked(workspace, {name: text}, allowed=FIELDS, source=SOURCE, of=desk.TABLE) if text else {}
        except InputError as error:
            wrong[name] = error
    if wrong:
        return None, wrong
    record = Record.model_validate(kept)
    odd = _contradiction(record)
    return (None, {odd[0]: odd[1]}) if odd else (record, {})


def _contradiction(said: Record) -> tuple[str, InputError] | None:
    """The first two values that cannot both be, at the attribute to look at."""

    def found(name: str, other: str, zh: str, en: str) -> tuple[str, InputError]:
        return name, InputError("JQ-ASSESS-129", column=name, other=other, why={"zh": zh, "en": en})

    if said.status in {"vacant", "works"} and (said.tenant or said.tenant_uscc):
        name = "tenant" if said.tenant else "tenant_uscc"
        return found(name, "status", "空置或施工的单元没有租户", "a unit that is vacant or under works has no tenant")
    if said.let_from and said.let_to and said.let_to < said.let_from:
        return found("let_to", "let_from", "到期不早于起租", "a lease does not end before it begins")
    if said.status == "let" and said.vacant_since and said.let_from and said.vacant_since > said.let_from:
        return found(
            "vacant_since",
            "let_from",
            "已租单元的空置起始日不晚于起租日",
            "a let unit was vacant before its lease began",
        )
    return None


def _unit(workspace: Workspace, wanted: str) -> dict[str, Any]:
    nodes = desk.parks_now(workspace).tree.nodes
    rows = nodes.filter(pl.col("id") == wanted, pl.col("children") == 0)
    if rows.is_empty():
        raise UsageError("JQ-ASSESS-128", value=wanted)
    return rows.row(0, named=True)


def _record(row: Mapping[str, Any]) -> Record:
    return Record.model_construct(**{name: row[name] for name in FIELDS})


def _seen(row: Mapping[str, Any]) -> str:
    return version(*(_text(row[name]) for name in (*FIELDS, "let_m2", "tenant_titles")))


def _text(value: object) -> str | None:
    if isinstance(value, float):
        return f"{value:.15g}"
    return value.isoformat() if isinstance(value, date) else None if value is None else str(value)


def _edited(workspace: Workspace, unit_id: str) -> list[Edited]:
    """The edits of a unit, from the history of the table."""
    derived = (load.summary.get("derived", {}) for load in workspace.history(desk.TABLE))
    told = (one["edit"] for one in derived if one.get("by") == BY and one["edit"]["unit"] == unit_id)
    return [
        Edited(at=one["at"], account=one["account"], changes=tuple(Change(**change) for change in one["changes"]))
        for one in told
    ]


def after(row: Mapping[str, Any], record: Record) -> dict[str, Any]:
    """What an edit makes of a row, with what falls away."""
    new: dict[str, Any] = {name: getattr(record, name) for name in FIELDS}
    if record.tenant != row["tenant"]:
        new["tenant_titles"] = None
        if record.tenant_uscc == row["tenant_uscc"]:
            new["tenant_uscc"] = None
    if (record.status, record.tenant) != (row["status"], row["tenant"]):
        new["let_m2"] = None
    return new


def _apply(workspace: Workspace, job: Job, report: Report) -> JSON:
    """The job: the carriers with one row changed. Done again it changes nothing."""
    payload: Any = job.payload
    del report  # a moment's work
    with workspace.writing():
        row = _unit(workspace, payload["unit"])
        new = after(row, Record.model_validate(payload["record"]))
        changes = [
            {"attribute": name, "before": _text(row[name]), "after": _text(value)}
            for name, value in new.items()
            if row[name] != value
        ]
        if not changes:
            return {"snapshot": None}
        if _seen(row) != payload["seen"]:
            raise UsageError("JQ-ASSESS-130", value=row["path"])
        edit = {"unit": row["id"], "account": payload["account"], "at": payload["at"], "changes": changes}
        return {"snapshot": _written(workspace, row["id"], new, edit)}


def _written(workspace: Workspace, unit_id: str, new: Mapping[str, Any], edit: Mapping[str, Any]) -> str:
    """The snapshot with the row changed. It speaks of the day of the edit; other rows keep the day that they had."""
    current = workspace.snapshot(desk.TABLE)
    rows = workspace.scan(desk.TABLE, current.id).collect()
    lacking = [pl.lit(None, COLUMNS[name]).alias(name) for name in (*new, "as_of") if name not in rows.columns]
    rows = rows.with_columns(lacking).with_columns(pl.col("as_of").fill_null(current.as_of))
    here = pl.col("id") == unit_id
    rows = rows.with_columns(
        pl.when(here).then(pl.lit(value, COLUMNS[name])).otherwise(name).alias(name) for name, value in new.items()
    )
    day = max(current.as_of, new["as_of"] or current.as_of)
    with workspace.new_snapshot(desk.TABLE, as_of=day, source=current.source) as writer:
        writer.write(rows)
        kept = {name: value for name, value in current.summary.items() if name not in _OF_LOAD}
        writer.summary = kept | {"derived": {"from": current.id, "by": BY, "changed": 1, "edit": dict(edit)}}
    assert writer.snapshot is not None  # noqa: S101  # the block ended without an error
    return writer.snapshot.id


HANDLERS: dict[str, Handler] = {EDIT: _apply}
