"""Edits of single units 单元修改: state, tenant, rent and dates of one unit, as people who know it say.

An edit is a command in the journal; its job makes a snapshot of the carriers with that one row changed, derived from the
one before, which stays in the table's history. What was edited stands over later loads too, as corrections of firms do, until
it is edited anew or taken back; where a load says something new of it, the unit's page tells both.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Annotated, Any, Literal

import polars as pl
import sqlalchemy as sa
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
from jiqun.store.tables import table as operational

EDIT = "assess.edit_unit"
BACK = "assess.take_back_unit"
LAY = "assess.lay_unit_edits"
"""The job that lays what stands over the carriers as loaded: after a load, and when edits were taken back."""
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


class Standing(Model):
    """One attribute that people have edited and that stands over what is loaded 现行修改.

    `loaded` is what the loaded table says; `conflict`: that is new, and neither what it said when it was edited nor the edit.
    """

    attribute: str
    value: str | None
    loaded: str | None
    conflict: bool
    account: str
    at: datetime


class UnitAnswer(Model):
    """A unit's record, what edits stand, and all of them, the latest first; `seen` tells an edit which record it was made from."""

    id: str
    park_id: str
    path: str
    area_m2: float | None
    record: Record
    seen: str
    standing: tuple[Standing, ...]
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
        standing=_standing_of(workspace, row["id"]),
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

    new = after(row, record)
    said = _loaded(workspace, row["id"]) or row

    def queue(tx: Transaction) -> JSON:
        if _waits(tx, row["id"]) or _seen(_unit(workspace, row["id"])) != request.seen:
            raise UsageError("JQ-ASSESS-130", value=row["path"])
        changed = {name: value for name, value in new.items() if row[name] != value}
        _withdraw(tx, row["id"], list(changed), actor.id)
        made = [
            {
                "id": tx.new_id("ued"), "unit": row["id"], "attribute": name, "value": _text(value),
                "seen": _text(said.get(name)), "account": actor.id, "at": tx.now,
            }
            for name, value in changed.items()
            if _text(value) != _text(said.get(name))
        ]  # fmt: skip
        if made:
            tx.execute(sa.insert(operational("unit_edits")).values(made))
        payload: dict[str, JSON] = {"unit": row["id"], "account": actor.id, "at": tx.now.isoformat()}
        return {"job": tx.job(EDIT, payload, account=actor.id, organisation=actor.organisation, most_attempts=3)}

    asked = request.model_dump(mode="json")
    answer: Any = workspace.database.command(actor, key, EDIT, queue, request=asked, subject=row["id"])
    return EditAnswer(job=answer["job"])


class TakeBackRequest(Model):
    """A unit whose edits are taken back; of some attributes, or with none named of all."""

    unit: UnitId
    attributes: tuple[str, ...] = ()


@ROOM.operation("take_back_unit", "撤回单元修改", "Take edits of a unit back", roles=EDITS, writes=True)
def take_back_unit(actor: Actor, workspace: Workspace, request: TakeBackRequest, *, key: str) -> EditAnswer:
    """Let what is loaded count again; the edits stay in the history.

    Raises
    ------
    WorkspaceError
        JQ-ASSESS-120: no carriers are loaded.
    UsageError
        JQ-ASSESS-128: there is no such unit.
    """
    row = _unit(workspace, request.unit)

    def back(tx: Transaction) -> JSON:
        count = _withdraw(tx, row["id"], list(request.attributes) or None, actor.id)
        if not count:
            return {"job": None}
        payload: dict[str, JSON] = {"unit": row["id"], "account": actor.id, "at": tx.now.isoformat()}
        return {"job": tx.job(LAY, payload, account=actor.id, organisation=actor.organisation, most_attempts=3)}

    asked = request.model_dump(mode="json")
    answer: Any = workspace.database.command(actor, key, BACK, back, request=asked, subject=row["id"])
    return EditAnswer(job=answer["job"])


def _waits(tx: Transaction, unit_id: str) -> bool:
    """Whether a job has still to lay an edit of a unit: what is seen of it is not what stands."""
    jobs = operational("jobs")
    waiting = sa.select(jobs.c.payload).where(jobs.c.kind.in_([EDIT, LAY]), jobs.c.state.in_(["queued", "running"]))
    return any(one.get("unit", unit_id) == unit_id for one in tx.execute(waiting).scalars())


def _withdraw(tx: Transaction, unit_id: str, attributes: list[str] | None, account: str) -> int:
    """Let edits of a unit stand no longer, of some attributes or all; how many there were."""
    kept = operational("unit_edits")
    where = [kept.c.unit == unit_id, kept.c.withdrawn_at.is_(None)]
    if attributes is not None:
        where.append(kept.c.attribute.in_(attributes))
    return int(tx.execute(sa.update(kept).where(*where).values(withdrawn_at=tx.now, withdrawn_by=account)).rowcount)


def _loaded(workspace: Workspace, unit_id: str) -> dict[str, Any] | None:
    """A unit as the table that was loaded says, below whatever was derived from it; None where it does not have it."""
    rows = workspace.scan(desk.TABLE, _base(workspace)).filter(pl.col("id") == unit_id).collect()
    return rows.row(0, named=True) if rows.height else None


def _base(workspace: Workspace) -> str:
    """The snapshot of the carriers that was loaded, not derived."""
    known = {load.id: load for load in workspace.history(desk.TABLE)}
    load = known[workspace.snapshot(desk.TABLE).id]
    while (below := load.summary.get("derived", {}).get("from")) in known:
        load = known[below]
    return load.id


def _standing_of(workspace: Workspace, unit_id: str) -> tuple[Standing, ...]:
    if not workspace.has_database:
        return ()
    kept = operational("unit_edits")
    query = sa.select(kept).where(kept.c.unit == unit_id, kept.c.withdrawn_at.is_(None)).order_by(kept.c.at)
    with workspace.database.read() as connection:
        found = {row["attribute"]: row for row in connection.execute(query).mappings()}
    said = (_loaded(workspace, unit_id) or {}) if found else {}
    return tuple(
        Standing(
            attribute=name, value=row["value"], loaded=_text(said.get(name)), account=row["account"], at=row["at"],
            conflict=_text(said.get(name)) not in (row["seen"], row["value"]),
        )
        for name, row in found.items()
    )  # fmt: skip


def _values(workspace: Workspace) -> dict[str, dict[str, str | None]]:
    """What stands of every unit that was ever edited: attributes by unit, none where all was taken back."""
    if not workspace.has_database:
        return {}
    kept = operational("unit_edits")
    with workspace.database.read() as connection:
        rows = connection.execute(sa.select(kept).order_by(kept.c.at)).mappings().all()
    found: dict[str, dict[str, str | None]] = {row["unit"]: {} for row in rows}
    for row in rows:
        if row["withdrawn_at"] is None:
            found[row["unit"]][row["attribute"]] = row["value"]
    return found


def lay(workspace: Workspace, *, unit: str | None = None, account: str = "", at: str = "") -> str | None:
    """Lay what people have edited over the carriers as loaded 重新套用修改; the snapshot, None where nothing changes.

    Of one unit or all. What was taken back is again as loaded, and so is a unit of which edits and the load contradict each
    other: its page tells of both. A row without a day of record bears that of its table. Done again it changes nothing.
    """
    if not workspace.has_database or not workspace.history(desk.TABLE):
        return None
    with workspace.writing():
        values = {one: standing for one, standing in _values(workspace).items() if unit in {None, one}}
        if not values:
            return None
        base, now = _base(workspace), workspace.snapshot(desk.TABLE)
        loaded = next(one.as_of for one in workspace.history(desk.TABLE) if one.id == base)
        current = workspace.scan(desk.TABLE).filter(pl.col("id").is_in(list(values))).collect()
        below = workspace.scan(desk.TABLE, base).filter(pl.col("id").is_in(list(values))).collect()
        said = {row["id"]: row | {"as_of": row.get("as_of") or loaded} for row in below.to_dicts()}
        new: dict[str, dict[str, Any]] = {}
        edits: list[dict[str, Any]] = []
        for row in current.to_dicts():
            row["as_of"] = row.get("as_of") or now.as_of
            wanted = _typed(values[row["id"]], said.get(row["id"], row))
            if values[row["id"]] and _contradiction(Record.model_construct(**{name: wanted[name] for name in FIELDS})):
                wanted = _typed({}, said.get(row["id"], row))
            wanted["as_of"] = wanted["as_of"] or loaded
            changed = {name: value for name, value in wanted.items() if row.get(name) != value}
            if changed:
                new[row["id"]] = changed
                told = [{"attribute": n, "before": _text(row.get(n)), "after": _text(v)} for n, v in changed.items()]
                edits.append({"unit": row["id"], "account": account, "at": at, "changes": told})
        return _written(workspace, new, edits) if new else None


def _typed(standing: Mapping[str, str | None], said: Mapping[str, Any]) -> dict[str, Any]:
    """The attributes that edits reach, of their types: as edited, else as loaded."""
    record = Record.model_validate({name: value for name, value in standing.items() if name in FIELDS})
    loaded = {name: said.get(name) for name in (*FIELDS, "let_m2", "tenant_titles")}
    return loaded | {name: getattr(record, name) if name in FIELDS else None for name in standing}


def _lay(workspace: Workspace, job: Job, report: Report) -> JSON:
    payload: Any = job.payload
    del report  # a moment's work
    return {
        "snapshot": lay(workspace, **{name: payload[name] for name in ("unit", "account", "at") if name in payload})
    }


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
    edits = [edit for one in derived if one.get("by") == BY for edit in one.get("edits", [one.get("edit")])]
    told = (one for one in edits if one["unit"] == unit_id and one["account"])
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


def _written(workspace: Workspace, new: Mapping[str, Mapping[str, Any]], edits: Sequence[Mapping[str, Any]]) -> str:
    """The snapshot with rows changed. It speaks of the day of the edits; other rows keep the day that they had."""
    current = workspace.snapshot(desk.TABLE)
    rows = workspace.scan(desk.TABLE, current.id).collect()
    names = dict.fromkeys(name for values in new.values() for name in values)
    lacking = [pl.lit(None, COLUMNS[name]).alias(name) for name in (*names, "as_of") if name not in rows.columns]
    rows = rows.with_columns(lacking).with_columns(pl.col("as_of").fill_null(current.as_of))
    for name in names:
        ids = {unit_id: values[name] for unit_id, values in new.items() if name in values}
        told = pl.DataFrame({"id": list(ids), "_new": pl.Series(list(ids.values()), dtype=COLUMNS[name])})
        rows = rows.join(told, on="id", how="left", maintain_order="left")
        here = pl.col("id").is_in(list(ids))
        rows = rows.with_columns(pl.when(here).then("_new").otherwise(name).alias(name)).drop("_new")
    days = [values["as_of"] for values in new.values() if values.get("as_of")]
    day = max([current.as_of, *days])
    with workspace.new_snapshot(desk.TABLE, as_of=day, source=current.source) as writer:
        writer.write(rows)
        kept = {name: value for name, value in current.summary.items() if name not in _OF_LOAD}
        derived = {"from": current.id, "by": BY, "changed": len(new), "edits": [dict(one) for one in edits]}
        writer.summary = kept | {"derived": derived}
    assert writer.snapshot is not None  # noqa: S101  # the block ended without an error
    return writer.snapshot.id


HANDLERS: dict[str, Handler] = {EDIT: _lay, LAY: _lay}
