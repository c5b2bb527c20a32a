"""Deriving 派生: the organisations as everybody sees them, from the register, the merged rosters and the corrections.

One new snapshot, or none where nothing has changed. It names the register's snapshot that lies below (`base`), so that
loading, undoing and matching go on from that and not from what was derived.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import polars as pl
import sqlalchemy as sa

from jiqun.core.actor import Actor
from jiqun.core.errors import WorkspaceError
from jiqun.core.lineage import canonical_json
from jiqun.core.progress import Progress, silent
from jiqun.core.schema import schema
from jiqun.intake.gazetteer import Gazetteer
from jiqun.intake.geocoding import place_again
from jiqun.intake.moved import MOVED, all_moved
from jiqun.intake.own_points import OwnPoints, bare, placed
from jiqun.intake.place import place
from jiqun.roster import records
from jiqun.roster.corrections import standing_values
from jiqun.roster.merge import PLACE, Listed, corrected, merged, standing
from jiqun.roster.places import agreeing
from jiqun.roster.records import Roster
from jiqun.store import Workspace
from jiqun.store.commands import new_key
from jiqun.store.database import Transaction, table
from jiqun.store.jobs import Handler, Job, Report
from jiqun.store.snapshots import Snapshot

VERSION = 1
_BATCH = 250_000
_AT_ONCE = 1_000
_WORKER = Actor("worker", frozenset({"operator"}))
_DIGITS = 9
_KEPT = ("row", "source_row", "row_key", "decision", "organisation")


def derive(workspace: Workspace, *, progress: Progress = silent) -> Snapshot | None:
    """Derive the organisations anew 重新派生 if the register, a roster, a decision or a correction has changed.

    Points that geocoders, parks of one's own or decisions gave to what was derived before are given again.

    The current snapshot afterwards; None where no register was ever loaded.
    """
    with workspace.writing():
        try:
            register = records.base(workspace)
        except WorkspaceError as error:
            if error.code == "JQ-STORE-006":
                return None
            raise
        current = workspace.snapshot("organisations")
        rosters = records.listing(workspace, states=("applied",))[::-1]
        values = standing_values(workspace)
        own = OwnPoints.of(workspace, "organisations", Gazetteer.load(workspace.cache))
        if not rosters:
            _remember(workspace, {})
        if not rosters and not values:
            if current.id != register.id:
                workspace.revert("organisations", to=register.id)
            if own.any:
                place_again(workspace, "organisations", by="roster")
            return workspace.snapshot("organisations")
        derivation = _derivation(workspace, register, rosters, values, own)
        if current.summary.get("derivation") != derivation:
            _write(workspace, register, rosters, values, own, derivation, progress)
        return workspace.snapshot("organisations")


def _derivation(
    workspace: Workspace, register: Snapshot, rosters: tuple[Roster, ...], values: Mapping[Any, Any], own: OwnPoints
) -> str:
    decided = records.pairings(workspace)
    made_from = {
        "version": VERSION,
        "register": register.id,
        "rosters": [[roster.name, roster.result] for roster in rosters],
        "same": sorted(map(list, decided.same.items())),
        "different": sorted(map(list, decided.different)),
        "corrections": [[*key, value] for key, value in sorted(values.items())],
        "points": own.digest,
    }
    return hashlib.sha256(canonical_json(made_from)).hexdigest()


def _write(
    workspace: Workspace,
    register: Snapshot,
    rosters: tuple[Roster, ...],
    values: Mapping[tuple[str, str], str | None],
    own: OwnPoints,
    derivation: str,
    progress: Progress,
) -> None:
    scan = workspace.scan("organisations", register.id)
    ids = scan.select("id").collect()["id"]
    listed, moved = [], {}
    for roster in rosters:
        rows, gone = _listed(workspace, roster, ids)
        listed.append(Listed(roster.name, roster.as_of, rows))
        moved.update(gone)
    alone = {id_ for one in listed for id_ in one.rows.filter(pl.col("state").is_not_null())["organisation"]}
    moved = {own: organisation for own, organisation in moved.items() if own not in alone}
    _remember(workspace, moved)
    values = {
        (moved.get(organisation, organisation), attribute): value for (organisation, attribute), value in values.items()
    }
    gazetteer = Gazetteer.load(workspace.cache)
    loads = workspace.history("organisations")
    kept = {name: value for name, value in register.summary.items() if name not in {"import", "before"}}
    with workspace.new_snapshot("organisations", as_of=register.as_of, source=register.source) as writer:
        columns: pl.Schema | None = None
        for batch in scan.collect_batches(chunk_size=_BATCH, maintain_order=True):
            rows = _corrected(merged(batch, listed, as_of=register.as_of), values, gazetteer, columns)
            rows = _pointed(rows, gazetteer, own)
            columns = columns or rows.schema
            writer.write(rows.cast(columns))
            progress("merge", writer.rows, register.rows)
        assert columns is not None  # noqa: S101  # a snapshot has a row at least
        rows = _pointed(_corrected(standing(listed, columns), values, gazetteer, columns), gazetteer, own)
        writer.write(rows.cast(columns))
        writer.summary = kept | {
            "base": register.id,
            "derivation": derivation,
            "rosters": [roster.id for roster in rosters],
            "standing": rows.height,
            "corrections": len(values),
            "next_id": max((load.summary.get("next_id", 1) for load in loads), default=1),
        }


def _remember(workspace: Workspace, moved: Mapping[str, str]) -> None:
    """Remember which organisations of their own are which of the register by now (`jiqun.intake.moved`), no others."""
    before = all_moved(workspace)
    gone = [own for own in before if own not in moved]
    changed = [(own, organisation) for own, organisation in moved.items() if before.get(own) != organisation]
    _walk_anew(workspace, MOVED, gone + [own for own, _ in changed], changed)


def _walk_anew(
    workspace: Workspace, scheme: str, out: list[str], pairs: list[tuple[str, str]], roster: str = ""
) -> None:
    """Entries of the crosswalk instead of others, in one command."""
    walk = table("crosswalk")

    def put(tx: Transaction) -> None:
        for start in range(0, len(out), _AT_ONCE):
            part = out[start : start + _AT_ONCE]
            tx.execute(sa.delete(walk).where(walk.c.scheme == scheme, walk.c.value.in_(part)))
        for start in range(0, len(pairs), _AT_ONCE):
            rows = [
                {"scheme": scheme, "value": value, "organisation": organisation, "roster": roster, "at": tx.now}
                for value, organisation in pairs[start : start + _AT_ONCE]
            ]
            tx.execute(sa.insert(walk).values(rows))

    if out or pairs:
        request: dict[str, Any] = {"scheme": scheme, "out": out, "known": [list(pair) for pair in pairs]}
        workspace.database.command(_WORKER, new_key(), "roster.walk", put, request=request, subject=scheme)


def _listed(workspace: Workspace, roster: Roster, ids: pl.Series) -> tuple[pl.DataFrame, dict[str, str]]:
    """A roster's rows with their organisation and state, and organisations of their own that are matched by now."""
    now = records.now(workspace, roster)
    there = pl.col("organisation").is_in(ids.implode())
    matched = (pl.col("decision") == "matched") & there.fill_null(value=False)
    state = (
        pl.when(matched)
        .then(None)
        .when(pl.col("decision") == "review")
        .then(pl.lit("review"))
        .otherwise(pl.lit("unmatched"))
    )
    now = now.with_columns(state=state)
    alone = now.filter(pl.col("state").is_not_null())["row_key"].unique(maintain_order=True).to_list()
    own = _minted(workspace, roster, alone)
    _walk(workspace, roster, now.filter(pl.col("state").is_null()))
    keys = now.filter(pl.col("state").is_null()).select("row_key", "organisation").unique("row_key")
    earlier = records.organisations_of(workspace, keys["row_key"].to_list())
    moved = {earlier[key]: organisation for key, organisation in keys.iter_rows() if key in earlier}
    minted = pl.DataFrame(
        {"row_key": list(own), "_own": list(own.values())}, schema={"row_key": pl.String, "_own": pl.String}
    )
    rows = now.join(minted, on="row_key", how="left", maintain_order="left").with_columns(
        organisation=pl.when(pl.col("state").is_null()).then("organisation").otherwise("_own")
    )
    result = workspace.result(records.KIND, roster.result)
    attributes = result.values["attributes"] if result else []
    assert isinstance(attributes, list)  # noqa: S101  # as `desk.match` stores them
    found = ("place_id", "place_name", "place_name_zh", "precision_km", "placed_by", "lon", "lat")
    columns = [
        name for name in dict.fromkeys((*attributes, *found)) if name in rows.columns and name not in {"source_id"}
    ]
    return rows.select("organisation", "state", "source_row", *columns), moved


def _minted(workspace: Workspace, roster: Roster, keys: list[str]) -> dict[str, str]:
    """Ids of organisations that stand by themselves: the same for the same key for ever, r000000001 and on."""
    own = records.organisations_of(workspace, keys)
    new = [key for key in keys if key not in own]
    walk = table("crosswalk")

    def put(tx: Transaction) -> dict[str, str]:
        highest = tx.execute(sa.select(sa.func.max(walk.c.organisation)).where(walk.c.scheme == "row")).scalar()
        number = int(str(highest)[1:]) if highest else 0
        made = {key: f"r{number + place:0{_DIGITS}d}" for place, key in enumerate(new[start : start + _AT_ONCE], 1)}
        rows = [
            {"scheme": "row", "value": key, "organisation": id_, "roster": roster.id, "at": tx.now}
            for key, id_ in made.items()
        ]
        tx.execute(sa.insert(walk).values(rows))
        return made

    for start in range(0, len(new), _AT_ONCE):
        request = {"roster": roster.id, "rows": new[start : start + _AT_ONCE]}
        made = workspace.database.command(_WORKER, new_key(), "roster.mint", put, request=request, subject=roster.id)
        own.update(made)  # type: ignore[arg-type]
    return own


def _walk(workspace: Workspace, roster: Roster, matched: pl.DataFrame) -> None:
    """Remember the roster's own identifiers of what is matched, so that its next edition finds them by these."""
    if "source_id" not in matched.columns:
        return
    pairs = matched.filter(pl.col("source_id").is_not_null()).unique("source_id", keep="first", maintain_order=True)
    wanted = dict(pairs.select("source_id", "organisation").iter_rows())
    walk = table("crosswalk")
    with workspace.database.read() as connection:
        known = {
            row.value: row.organisation
            for row in connection.execute(
                sa.select(walk.c.value, walk.c.organisation).where(walk.c.scheme == roster.name)
            )
        }
    changed = [(value, organisation) for value, organisation in wanted.items() if known.get(value) != organisation]
    for start in range(0, len(changed), _AT_ONCE):
        part = changed[start : start + _AT_ONCE]
        _walk_anew(workspace, roster.name, [value for value, _ in part], part, roster.id)


def _corrected(
    rows: pl.DataFrame,
    values: Mapping[tuple[str, str], str | None],
    gazetteer: Gazetteer,
    columns: pl.Schema | None,
) -> pl.DataFrame:
    """Rows with the corrections over them; where a place was corrected, placed anew."""
    rows = corrected(rows, values) if values else rows
    moved: dict[str, set[str]] = {}
    for organisation, attribute in values:
        if attribute in PLACE:
            moved.setdefault(organisation, set()).add(attribute)
    touched = rows["id"].is_in(sorted(moved))
    if not touched.any():
        return rows if columns is None else rows.select(*columns)
    given = {organisation for organisation, attribute in values if attribute in {"lon", "lat"}}
    part = agreeing(rows.filter(touched), moved, gazetteer)
    pointed = part["id"].is_in(sorted(given))
    part = part.with_columns(
        pl.when(pl.lit(pointed)).then(pl.col(name)).otherwise(None).alias(name)
        for name in ("lon", "lat")
        if name in part.columns
    )
    known = schema("organisations").names
    ours = [name for name in part.columns if name in known or name in {"id", "source_row"}]
    anew = place(part.select(ours), gazetteer)
    fresh = [name for name in anew.columns if name in rows.columns and name not in ours] + [
        name for name in ("lon", "lat") if name in part.columns
    ]
    part = part.with_columns(anew[name].cast(rows.schema[name]) for name in fresh)
    numbered = rows.with_row_index("_at")
    both = pl.concat(
        [numbered.filter(~touched), part.with_columns(numbered.filter(touched)["_at"]).select(numbered.columns)]
    )
    return both.sort("_at").drop("_at").select(*(columns or rows.columns))


def _pointed(rows: pl.DataFrame, gazetteer: Gazetteer, own: OwnPoints) -> pl.DataFrame:
    """Rows with the points of one's own over them."""
    if not own.any or rows.is_empty() or "placed_by" not in rows.columns:
        return rows
    return placed(bare(rows), gazetteer, own).select(rows.columns).cast(dict(rows.schema))  # type: ignore[arg-type]


def _job(workspace: Workspace, job: Job, report: Report) -> Any:
    """Derive the table as a job."""
    del job
    report("merge", 0, 0)

    def progress(what: str, done: int, total: int | None) -> None:
        report(what, done, total or 0)

    snapshot = derive(workspace, progress=progress)
    return {"snapshot": snapshot.id if snapshot else None}


HANDLERS: Mapping[str, Handler] = {"roster.derive": _job}
