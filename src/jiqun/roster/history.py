"""Field history 字段沿革: for each field of an organisation what was said, by which source, as of when, by whom.

Nothing is copied for it: it is read from the register's snapshots, the merged rosters, the corrections and what the firm
states of itself, each of which keeps what it holds.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import Any, Literal

import polars as pl
import sqlalchemy as sa
from sqlalchemy import RowMapping

from jiqun.accounts.edits import statements
from jiqun.core.errors import UsageError
from jiqun.core.operation import Model
from jiqun.core.schema import schema
from jiqun.intake.geocode_records import asked_for
from jiqun.intake.moved import current, same
from jiqun.roster import records
from jiqun.roster.corrections import text
from jiqun.roster.records import Roster
from jiqun.store import Workspace
from jiqun.store.database import table
from jiqun.store.snapshots import Snapshot

Kind = Literal["register", "roster", "correction", "statement", "point", "placing"]
PRECEDENCE: dict[Kind, int] = {"statement": 0, "correction": 1, "point": 2, "roster": 3, "register": 3, "placing": 4}
"""Of two sources that speak in the same second the one that is shown is told first, and of two that agree it counts."""
MOST_LOADS = 60
"""Loads of the register that are looked through, the latest first."""

_POINT = ("lon", "lat")
MOST_EDITIONS = 20
"""Rosters that are looked through, merged ones and those that others took the place of, the latest first."""


class Said(Model):
    """What one source said of one field 一次陈述; `value` null: it took back what stood, or said that it is not known.

    `shown` tells whether the organisation shows this value now. `who` is an account; null for a load from a file.
    """

    attribute: str
    value: str | None
    kind: Kind
    source: str
    as_of: date
    at: datetime
    who: str | None
    ended_at: datetime | None = None
    reason: str | None = None
    shown: bool = False


def history(workspace: Workspace, organisation: str, attribute: str | None = None) -> tuple[Said, ...]:
    """Everything that was said of an organisation, by field in the schema's order, the latest first.

    Of the register only changes: a load that repeats the value is not told again.

    Raises
    ------
    UsageError
        JQ-ROSTER-006: no source knows this organisation; JQ-ROSTER-009: no such field.
    """
    known = schema("organisations").names
    if attribute is not None and attribute not in known:
        raise UsageError("JQ-ROSTER-009", value=attribute[:60], known=", ".join(known))
    wanted = known if attribute is None else (attribute,)
    organisation = current(workspace, organisation)
    current_table = workspace.snapshot("organisations")
    shown = _row(workspace, current_table, organisation)
    points = _points(workspace, organisation)
    entries = [
        *_register(workspace, organisation, wanted, points),
        *_rosters(workspace, organisation, wanted),
        *_corrections(workspace, organisation, wanted),
        *_decided(points, wanted),
        *_placed(workspace, current_table, shown, wanted),
    ]
    if not entries and shown is None:
        raise UsageError("JQ-ROSTER-006", value=organisation[:60])
    now = {name: text((shown or {}).get(name)) for name in wanted}
    stated = [one for one in _statements(workspace, organisation) if one.attribute in wanted]
    now |= {one.attribute: one.value for one in stated}
    entries += stated
    order = {name: place for place, name in enumerate(known)}
    entries.sort(key=lambda one: (one.at, -PRECEDENCE[one.kind]), reverse=True)
    entries.sort(key=lambda one: order[one.attribute])
    return tuple(_marked(entries, now))


def _marked(entries: list[Said], now: dict[str, str | None]) -> Iterator[Said]:
    """Mark of each field the entry whose value is shown: a statement, a correction, else the latest that says so."""
    best: dict[str, Said] = {}
    for one in sorted(entries, key=lambda entry: PRECEDENCE[entry.kind]):
        if one.ended_at is None and one.value == now[one.attribute]:
            best.setdefault(one.attribute, one)
    for one in entries:
        yield one.model_copy(update={"shown": best.get(one.attribute) is one})


def _register(
    workspace: Workspace, organisation: str, wanted: tuple[str, ...], points: Sequence[RowMapping]
) -> Iterator[Said]:
    before: dict[str, str | None] = dict.fromkeys(wanted)
    for load in reversed(_loads(workspace)):
        row = _row(workspace, load, organisation)
        if row is None:
            continue
        for name in wanted:
            value = text(_given(row, name, points))
            if value == before[name]:
                continue
            before[name] = value
            day = row.get("as_of") or load.as_of
            yield Said(
                attribute=name, value=value, kind="register", source=load.source, as_of=day, at=load.created, who=None
            )


def _given(row: Mapping[str, Any], name: str, points: Sequence[RowMapping] = ()) -> Any:
    """What a row said itself: a point that it was only placed at it did not give, and a decided one not so."""
    value = row.get(name)
    if name not in _POINT:
        return value
    if row.get("placed_by") != "coordinates":
        return None
    return next((one[f"given_{name}"] for one in points if one[name] == value), value)


def _points(workspace: Workspace, organisation: str) -> list[RowMapping]:
    """What people decided about its point."""
    rows = table("point_fixes")
    query = sa.select(rows).where(rows.c.table_name == "organisations", same(rows.c.row_id, organisation))
    with workspace.database.read() as connection:
        return list(connection.execute(query).mappings())


def _decided(points: Sequence[RowMapping], wanted: tuple[str, ...]) -> Iterator[Said]:
    for row in points:
        for name in _POINT:
            if name in wanted:
                yield Said(
                    attribute=name,
                    value=text(row[name]),
                    kind="point",
                    source=f"{row['fix']} ({row['code']}: {row['given_lon']}, {row['given_lat']})",
                    as_of=row["at"].date(),
                    at=row["at"],
                    who=row["account"],
                )


def _placed(
    workspace: Workspace, load: Snapshot, shown: Mapping[str, Any] | None, wanted: tuple[str, ...]
) -> Iterator[Said]:
    """What placing found where no source gave a point; of a geocoder's answer when it came and who asked for it."""
    by = (shown or {}).get("placed_by")
    if shown is None or by in {None, "coordinates"}:
        return
    asked = asked_for(workspace, shown, str(by))
    for name in _POINT:
        if name in wanted:
            yield Said(
                attribute=name,
                value=text(shown.get(name)),
                kind="placing",
                source=str(by),
                as_of=asked[1].date() if asked else load.as_of,
                at=asked[1] if asked else load.created,
                who=asked[0] if asked else None,
            )


def _loads(workspace: Workspace) -> list[Snapshot]:
    """The loads of the register that led to what is there now, the latest first; not those that were undone."""
    by_id = {load.id: load for load in reversed(workspace.history("organisations"))}
    at: str | None = records.base(workspace).id
    found: list[Snapshot] = []
    seen: set[str] = set()
    while at is not None and at in by_id and at not in seen and len(found) < MOST_LOADS:
        seen.add(at)
        load = by_id[at]
        below = load.summary.get("base")
        if below:  # derived: what counts is the register below it
            at = str(below)
            continue
        found.append(load)
        at = load.previous
    return found


def _row(workspace: Workspace, load: Snapshot, organisation: str) -> dict[str, Any] | None:
    rows = workspace.scan("organisations", load.id).filter(pl.col("id") == organisation).head(1).collect()
    return rows.row(0, named=True) if rows.height else None


def _rosters(workspace: Workspace, organisation: str, wanted: tuple[str, ...]) -> Iterator[Said]:
    walk = table("crosswalk")
    with workspace.database.read() as connection:
        own = connection.execute(
            sa.select(walk.c.value).where(walk.c.scheme == "row", same(walk.c.organisation, organisation))
        ).scalars()
        keys = list(own)
    everything = records.listing(workspace, states=("applied", "replaced", "withdrawn"))
    told = [roster for roster in everything if roster.state != "withdrawn"][:MOST_EDITIONS]
    for roster in told:
        now = records.now(workspace, roster)
        mine = (pl.col("decision") == "matched") & (pl.col("organisation") == organisation)
        alone = (pl.col("decision") != "matched") & pl.col("row_key").is_in(keys)
        for row in now.filter(mine | alone).iter_rows(named=True):
            for name in wanted:
                value = text(_given(row, name))
                if value is not None and name != "source_id":
                    day = row.get("as_of") or roster.as_of
                    yield Said(
                        attribute=name,
                        value=value,
                        kind="roster",
                        source=f"{roster.name} ({roster.file})",
                        as_of=day,
                        at=roster.applied_at or roster.at,
                        who=roster.applied_by,
                        ended_at=_succeeded(roster, everything),
                    )


def _succeeded(roster: Roster, rosters: tuple[Roster, ...]) -> datetime | None:
    """When the next edition took a roster's place."""
    if roster.state != "replaced" or roster.applied_at is None:
        return None
    later = [
        other.applied_at
        for other in rosters
        if (other.name, other.id != roster.id) == (roster.name, True)
        and other.applied_at is not None
        and other.applied_at >= roster.applied_at
    ]
    return min(later, default=roster.applied_at)


def _corrections(workspace: Workspace, organisation: str, wanted: tuple[str, ...]) -> Iterator[Said]:
    rows = table("corrections")
    query = sa.select(rows).where(same(rows.c.organisation, organisation)).order_by(rows.c.at)
    with workspace.database.read() as connection:
        found = list(connection.execute(query).mappings())
    for row in found:
        if row["attribute"] in wanted:
            yield Said(
                attribute=row["attribute"],
                value=row["value"],
                kind="correction",
                source="",
                as_of=row["at"].date(),
                at=row["at"],
                who=row["account"],
                ended_at=row["withdrawn_at"],
                reason=row["reason"],
            )


def _statements(workspace: Workspace, organisation: str) -> Iterator[Said]:
    for one in statements(workspace, organisation):
        yield Said(
            attribute=one.attribute,
            value=one.value,
            kind="statement",
            source="",
            as_of=one.at.date(),
            at=one.at,
            who=one.account,
        )
