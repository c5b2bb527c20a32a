"""Rosters as they stand 名单记录: rows of the database, and the stored result that each one names."""

from __future__ import annotations

import re
from datetime import date, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import polars as pl
import sqlalchemy as sa

from jiqun.core.errors import UsageError
from jiqun.core.operation import Model
from jiqun.roster.keys import KNOWN, identity
from jiqun.roster.names import Normaliser
from jiqun.roster.settle import Pairings, settled
from jiqun.store import Workspace
from jiqun.store.database import table
from jiqun.store.snapshots import Snapshot

KIND = "roster"
State = Literal["matched", "applied", "withdrawn", "replaced"]
Decision = Literal["matched", "review", "unmatched"]
OWN_ID = re.compile(r"r\d{9,}")
"""Ids of organisations that stand by themselves; no register has such."""
_AT_ONCE = 500


class Roster(Model):
    """A roster 名单: matched, and merged where `state` is applied. Counts are those of its matching."""

    id: str
    name: str
    file: str
    as_of: date
    state: State
    result: str
    counts: dict[str, Any]
    account: str
    at: datetime
    applied_by: str | None
    applied_at: datetime | None


def find(workspace: Workspace, roster: str) -> Roster:
    """One roster.

    Raises
    ------
    UsageError
        JQ-ROSTER-001: there is none.
    """
    rows = table("rosters")
    with workspace.database.read() as connection:
        row = connection.execute(sa.select(rows).where(rows.c.id == roster[:60])).mappings().one_or_none()
    if row is None:
        raise UsageError("JQ-ROSTER-001", value=roster[:60])
    return Roster.model_validate(dict(row))


def listing(workspace: Workspace, *, states: tuple[State, ...] = ("matched", "applied")) -> tuple[Roster, ...]:
    """Rosters, the newest first."""
    rows = table("rosters")
    query = sa.select(rows).where(rows.c.state.in_(states)).order_by(rows.c.at.desc(), rows.c.id)
    with workspace.database.read() as connection:
        return tuple(Roster.model_validate(dict(row)) for row in connection.execute(query).mappings())


def latest(workspace: Workspace) -> Roster:
    """The roster that was matched last.

    Raises
    ------
    UsageError
        JQ-ROSTER-002: none was matched yet.
    """
    found = listing(workspace)
    if not found:
        raise UsageError("JQ-ROSTER-002")
    return found[0]


def pairings(workspace: Workspace) -> Pairings:
    """Decisions of people that stand; of several about one row the last."""
    rows = table("pairings")
    query = sa.select(rows.c.row_key, rows.c.organisation, rows.c.verdict).where(rows.c.withdrawn_at.is_(None))
    same, different = {}, set()
    with workspace.database.read() as connection:
        for key, organisation, verdict in connection.execute(query.order_by(rows.c.at, rows.c.id)):
            if verdict == "same":
                same[key] = organisation
            else:
                different.add((key, organisation))
    return Pairings(same, frozenset(different))


def base(workspace: Workspace) -> Snapshot:
    """The register as it was loaded, without rosters and corrections.

    Raises
    ------
    WorkspaceError
        JQ-STORE-006: nothing was loaded yet.
    """
    current = workspace.snapshot("organisations")
    below = current.summary.get("base")
    return workspace.snapshot("organisations", below) if below else current


def outdated(workspace: Workspace, roster: Roster) -> bool:
    """Whether the register was loaded anew since a roster was matched: firms that are new there were not looked at."""
    register = base(workspace)
    while register.id != roster.counts["register"]:
        before = register.summary.get("derived", {}).get("from")  # placed anew, not loaded
        if before is None:
            return True
        register = workspace.snapshot("organisations", before)
    return False


def table_of(workspace: Workspace, roster: Roster, name: str) -> pl.DataFrame:
    """A table of a roster's result: rows, candidates or organisations. It does not change, and is kept in memory."""
    found = workspace.result(KIND, roster.result)
    if found is None:
        raise UsageError("JQ-ROSTER-001", value=roster.id)
    return _read(found.path / f"{name}.parquet")


@lru_cache(maxsize=12)
def _read(path: Path) -> pl.DataFrame:
    return pl.read_parquet(path, glob=False)


def editions(workspace: Workspace, name: str, normaliser: Normaliser) -> pl.DataFrame:
    """What told the rows of all rosters matched before, with their keys: `KNOWN`; `name` is the roster at hand."""
    found = pl.DataFrame(schema=KNOWN)
    for age, roster in enumerate(listing(workspace, states=("matched", "applied", "withdrawn", "replaced"))):
        if workspace.result(KIND, roster.result) is None:
            continue
        rows = table_of(workspace, roster, "rows")
        told = identity(rows, normaliser).with_columns(
            rows["row_key"], same_roster=pl.lit(roster.name == name), age=pl.lit(age, pl.Int64)
        )
        found = pl.concat([found, told.select(*KNOWN)]).unique(
            [column for column in KNOWN if column != "age"], keep="first", maintain_order=True
        )
    return found


def now(workspace: Workspace, roster: Roster) -> pl.DataFrame:
    """The rows of a roster with what stands of each now: proposals, and over them what people decided."""
    counts = roster.counts
    return settled(
        table_of(workspace, roster, "rows"),
        table_of(workspace, roster, "candidates"),
        pairings(workspace),
        accept=counts["accept"],
        margin=counts["lead"],
    )


def firms(workspace: Workspace, roster: Roster) -> tuple[str, ...]:
    """The organisations that the rows of a roster stand for, each once, in the order of the rows.

    Rows that match nothing, or wait for a decision, have one of their own while the roster is merged, else none. What the
    register has no more is left out.
    """
    matched = pl.when(pl.col("decision") == "matched").then("organisation")
    rows = now(workspace, roster).select("row_key", matched=matched)
    alone = rows.filter(pl.col("matched").is_null())["row_key"].to_list() if roster.state == "applied" else []
    own = organisations_of(workspace, alone)
    found = dict.fromkeys(filter(None, (one or own.get(key) for key, one in rows.iter_rows())))
    wanted = pl.col("id").is_in(pl.Series(list(found), dtype=pl.String).implode())
    there = set(workspace.scan("organisations").filter(wanted).select("id").collect()["id"])
    return tuple(one for one in found if one in there)


def organisations_of(workspace: Workspace, keys: list[str]) -> dict[str, str]:
    """The ids of organisations of their own, by the key of their row."""
    rows = table("crosswalk")
    found: dict[str, str] = {}
    with workspace.database.read() as connection:
        for start in range(0, len(keys), _AT_ONCE):
            part = keys[start : start + _AT_ONCE]
            query = sa.select(rows.c.value, rows.c.organisation).where(rows.c.scheme == "row", rows.c.value.in_(part))
            found.update({row.value: row.organisation for row in connection.execute(query)})
    return found
