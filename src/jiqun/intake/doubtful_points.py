"""Doubtful points of a table 可疑坐标: what is wrong with each, what would mend it, and what people decided.

A decision is kept as such; the table's snapshot is placed anew with it, and so is every later load, as long as it
brings the same point for the same row.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Final, Literal

import polars as pl
import sqlalchemy as sa

from jiqun.core.actor import Actor, Role
from jiqun.core.errors import UsageError
from jiqun.intake._geo import distance_km
from jiqun.intake.derived import derive_anew
from jiqun.intake.gazetteer import Gazetteer
from jiqun.intake.geocoding import place_again
from jiqun.intake.own_points import ANSWER_OUTSIDE, CARRIER_OPEN, decisions
from jiqun.intake.place import FAR, IMPOSSIBLE, OUTSIDE, SHARED, SHARED_FIRMS, SIGN, SWAPPED
from jiqun.intake.shared_points import sharing
from jiqun.store import Workspace
from jiqun.store.database import Transaction, table
from jiqun.store.jobs import Job, Report
from jiqun.store.snapshots import Snapshot

Fix = Literal["swap", "sign", "drop", "keep"]
APPLY: Final = "points.apply"
OFFERED: Final[dict[str, Fix | None]] = {
    SWAPPED: "swap",
    SIGN: "sign",
    FAR: "drop",
    OUTSIDE: "drop",
    SHARED: "drop",
    IMPOSSIBLE: None,
    ANSWER_OUTSIDE: None,
    CARRIER_OPEN: None,
}
"""What mends each finding; None where no given point is used, so that there is nothing to mend but the row itself."""
MOST_AT_ONCE: Final = 500
_ROLES: tuple[Role, ...] = ("operator", "analyst")
_WORKER = Actor("worker", frozenset({"operator"}))
_TEXTS = ("name", "organisation", "address", "place_id", "place_name", "place_name_zh", "placed_by", "place_warning")
COLUMNS: Final = {
    "id": pl.String, "name": pl.String, "address": pl.String, "lon": pl.Float64, "lat": pl.Float64, "code": pl.String,
    "place_name": pl.String, "place_name_zh": pl.String, "away_km": pl.Float64, "rows": pl.UInt32, "fix": pl.String,
    "to_lon": pl.Float64, "to_lat": pl.Float64,
}  # fmt: skip

DECIDED: Final[dict[str, pl.DataType | type[pl.DataType]]] = {
    "id": pl.String, "fix": pl.String, "given_lon": pl.Float64, "given_lat": pl.Float64, "lon": pl.Float64,
    "lat": pl.Float64, "code": pl.String, "account": pl.String, "at": pl.Datetime("us", "UTC"),
}  # fmt: skip


def doubtful_points(actor: Actor, workspace: Workspace, table_name: str) -> pl.DataFrame:
    """Rows of the current snapshot whose point is doubtful 可疑坐标, with what would mend each.

    Returns
    -------
    `COLUMNS`: id, name, address, the point, code, the place that the row names and how far away that is, rows (how many
    differently addressed rows have the point, for `SHARED`), fix (what is offered: swap, sign or drop) and the point
    that it would give (null: the row is placed by its address). Points that were looked at and kept are left out.

    Raises
    ------
    PermissionDeniedError
        The actor is neither operator nor analyst.
    WorkspaceError
        JQ-STORE-006: nothing was loaded yet.
    """
    actor.require("place.points", *_ROLES)
    scan = workspace.scan(table_name)
    there = scan.collect_schema()
    if not {"id", "lon", "lat", "placed_by", "place_warning"} <= set(there):
        return pl.DataFrame(schema=COLUMNS)
    texts = [(pl.col(name) if name in there else pl.lit(None, pl.String)).alias(name) for name in _TEXTS]
    rows = scan.select("id", "lon", "lat", *texts).with_columns(pl.coalesce("name", "organisation").alias("name"))
    given = pl.col("placed_by") == "coordinates"
    many = rows.filter(given).with_columns(rows=sharing()).filter(pl.col("rows") >= SHARED_FIRMS)
    warned = rows.filter(pl.col("place_warning").is_not_null(), pl.col("place_warning") != SHARED)
    found = pl.concat(
        [
            warned.with_columns(code=pl.col("place_warning"), rows=pl.lit(None, pl.UInt32)),
            many.with_columns(pl.lit(SHARED).alias("code"), pl.col("rows").cast(pl.UInt32)),
        ],
        how="diagonal",
    ).collect()
    return _offers(_open(found, decisions(workspace, table_name)), Gazetteer.load(workspace.cache))


def _open(found: pl.DataFrame, told: pl.DataFrame) -> pl.DataFrame:
    """Without those that people kept, as far as the point is still the one they saw."""
    kept = told.filter(pl.col("fix") == "keep").select(
        pl.col("id").cast(found.schema["id"]),
        "code",
        lon=pl.col("given_lon").round(6),
        lat=pl.col("given_lat").round(6),
    )
    spot = found.with_columns(at_lon=pl.col("lon").round(6), at_lat=pl.col("lat").round(6))
    return spot.join(
        kept, left_on=["id", "code", "at_lon", "at_lat"], right_on=["id", "code", "lon", "lat"], how="anti"
    )


def _offers(found: pl.DataFrame, gazetteer: Gazetteer) -> pl.DataFrame:
    """The fix of each finding, with the point that it gives."""
    seats = pl.concat(
        [
            gazetteer.places.select("place_id", "lon", "lat"),
            gazetteer.areas.select("area_id", "lon", "lat").rename({"area_id": "place_id"}),
            gazetteer.units.select("place_id", "lon", "lat"),
        ]
    ).unique("place_id", keep="first", maintain_order=True)
    found = found.join(seats.rename({"lon": "seat_lon", "lat": "seat_lat"}), on="place_id", how="left")
    at, seat = (pl.col("lon"), pl.col("lat")), (pl.col("seat_lon"), pl.col("seat_lat"))
    signs = ((-1, 1), (1, -1), (-1, -1))
    flips = [distance_km(x * at[0], y * at[1], *seat) for x, y in signs]
    nearest = pl.concat_list(flips).list.arg_min()
    flipped = [pl.lit(None, pl.Float64), pl.lit(None, pl.Float64)]
    for number, (x, y) in enumerate(signs):
        flipped = [
            pl.when(nearest == number).then(sign * c).otherwise(old)
            for sign, c, old in zip((x, y), at, flipped, strict=True)
        ]
    fix = pl.col("code").replace_strict(OFFERED, default=None, return_dtype=pl.String)
    point = pl.col("placed_by") == "coordinates"
    found = found.with_columns(fix=pl.when(point).then(fix), away_km=pl.when(point).then(distance_km(*at, *seat)))
    swap, sign = pl.col("fix") == "swap", pl.col("fix") == "sign"
    found = found.with_columns(
        to_lon=pl.when(swap).then("lat").when(sign).then(flipped[0]),
        to_lat=pl.when(swap).then("lon").when(sign).then(flipped[1]),
    )
    return found.select(pl.col(name).cast(kind) for name, kind in COLUMNS.items()).sort("code", "id")


def decide(
    actor: Actor, workspace: Workspace, table_name: str, ids: Sequence[str], fix: Fix, *, key: str
) -> dict[str, Any]:
    """Treat doubtful points 处理: swap or change the sign as offered, drop the point, or keep it; then place the table anew.

    Raises
    ------
    UsageError
        JQ-PLACE-025: a row is not doubtful (any more), or cannot be treated so.
    """
    actor.require("place.decide", *_ROLES)
    wanted = sorted(set(ids))
    offered = doubtful_points(actor, workspace, table_name).filter(
        pl.col("id").is_in(wanted), pl.col("fix").is_not_null()
    )
    may = offered if fix in {"drop", "keep"} else offered.filter(pl.col("fix") == fix)
    may = may.unique("id", keep="first", maintain_order=True)
    for row in wanted:
        if row not in set(may["id"]):
            raise UsageError("JQ-PLACE-025", value=row)
    rows = table("point_fixes")
    moves = fix in {"swap", "sign"}

    def record(tx: Transaction) -> dict[str, Any]:
        for begin in range(0, len(wanted), MOST_AT_ONCE):
            part = wanted[begin : begin + MOST_AT_ONCE]
            tx.execute(sa.delete(rows).where(rows.c.table_name == table_name, rows.c.row_id.in_(part)))
        values = [
            {
                "table_name": table_name,
                "row_id": row["id"],
                "fix": fix,
                "given_lon": row["lon"],
                "given_lat": row["lat"],
                "lon": row["to_lon"] if moves else row["lon"] if fix == "keep" else None,
                "lat": row["to_lat"] if moves else row["lat"] if fix == "keep" else None,
                "code": row["code"],
                "account": actor.id,
                "at": tx.now,
            }
            for row in may.iter_rows(named=True)
        ]
        tx.execute(sa.insert(rows).values(values))
        return {"rows": len(values), "job": tx.job(APPLY, {"table": table_name}, account=actor.id)}

    request: dict[str, Any] = {"table": table_name, "ids": wanted, "fix": fix}
    answer: Any = workspace.database.command(actor, key, "place.decide", record, request=request, subject=table_name)
    return dict(answer)


def decided_points(actor: Actor, workspace: Workspace, table_name: str) -> pl.DataFrame:
    """What people decided about points of a table 坐标处理记录, the latest first: `DECIDED`; it can be undone."""
    actor.require("place.decisions", *_ROLES)
    rows = table("point_fixes")
    query = sa.select(*(rows.c[name] for name in ("row_id", *list(DECIDED)[1:]))).where(rows.c.table_name == table_name)
    with workspace.database.read() as connection:
        found = connection.execute(query.order_by(rows.c.at.desc(), rows.c.row_id)).all()
    return pl.DataFrame([tuple(row) for row in found], schema=DECIDED, orient="row")


def undo(actor: Actor, workspace: Workspace, table_name: str, ids: Sequence[str], *, key: str) -> dict[str, Any]:
    """Take decisions on points back 撤回处理: the points count again as they were given. How many, and the job that does it.

    Raises
    ------
    UsageError
        JQ-PLACE-027: nothing was decided about a row's point.
    """
    actor.require("place.undo", *_ROLES)
    wanted = sorted(set(ids))
    rows = table("point_fixes")
    register = workspace.snapshot(table_name).summary.get("base") or workspace.snapshot(table_name).id

    def record(tx: Transaction) -> dict[str, Any]:
        given: dict[str, list[float]] = {}
        for begin in range(0, len(wanted), MOST_AT_ONCE):
            these = (rows.c.table_name == table_name, rows.c.row_id.in_(wanted[begin : begin + MOST_AT_ONCE]))
            for row in tx.execute(sa.select(rows.c.row_id, rows.c.given_lon, rows.c.given_lat).where(*these)):
                given[row.row_id] = [row.given_lon, row.given_lat]
            tx.execute(sa.delete(rows).where(*these))
        missing = next((row for row in wanted if row not in given), None)
        if missing is not None:
            raise UsageError("JQ-PLACE-027", value=missing[:60])
        derive_anew(tx, table_name)
        payload = {"table": table_name, "register": register, "given": given}
        return {"rows": len(given), "job": tx.job(APPLY, payload, account=actor.id)}

    request: dict[str, Any] = {"table": table_name, "ids": wanted}
    answer: Any = workspace.database.command(actor, key, "place.undo", record, request=request, subject=table_name)
    return dict(answer)


def apply(workspace: Workspace, job: Job, report: Report) -> Any:
    """The job: the table placed anew with what was decided, or with the points as given where that was taken back."""
    report("place", 0, None)
    return place_decided(workspace, job.payload)


def place_decided(workspace: Workspace, payload: Mapping[str, Any]) -> dict[str, Any]:
    """What the job of a decision does, by its payload; done again it changes nothing."""
    name, given = str(payload["table"]), payload.get("given")
    if not given:
        changed, snapshot = place_again(workspace, name, by="points")
        return {"changed": changed, "snapshot": snapshot}
    with workspace.writing():
        register = workspace.snapshot(name)
        if base := register.summary.get("base"):
            register = workspace.snapshot(name, base)
        if str(payload["register"]) not in _lineage(workspace, register):
            given = {}  # a later load said anew which points there are
        changed, made = place_again(workspace, name, by="points", register=register, given=given)
    if made is not None:
        workspace.database.command(_WORKER, f"{made}:derive", "place.undone", partial(_derived, name), subject=name)
    return {"changed": changed, "snapshot": made}


def _derived(name: str, tx: Transaction) -> None:
    derive_anew(tx, name)


def _lineage(workspace: Workspace, snapshot: Snapshot) -> list[str]:
    """A snapshot and those that it was placed anew from."""
    found = [snapshot.id]
    while before := snapshot.summary.get("derived", {}).get("from"):
        snapshot = workspace.snapshot(snapshot.table, before)
        found.append(snapshot.id)
    return found
