"""What lies over a table 派生: rosters that were merged, corrections by people. A load must not lose them.

They are kept by `jiqun.roster`, above; here stands only what makes a load ask for them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import polars as pl
import sqlalchemy as sa

from jiqun.store import Workspace
from jiqun.store.database import Transaction, table

STATE, REVIEW = "roster_state", "review"
"""Column of derived organisations: null, or why a row of a roster stands by itself; one of the reasons: it waits for
someone to decide which firm it is."""


@dataclass(frozen=True)
class Hanging:
    """What people have said of an organisation that is gone 悬空: decisions on rosters, corrections, statements."""

    organisation: str
    name: str
    decisions: int
    corrections: int
    statements: int


def hanging(workspace: Workspace, lacks: Callable[[pl.Series], pl.Series]) -> tuple[Hanging, ...]:
    """Decisions, corrections and statements that stand on organisations of which `lacks` says that they are gone.

    Names are those of the current register, "" where it does not have the organisation either.
    """
    if not workspace.has_database:
        return ()
    rows = {"decisions": table("pairings"), "corrections": table("corrections"), "statements": table("edits")}
    parts = [pl.DataFrame(schema={"id": pl.String, "what": pl.String, "count": pl.Int64})]
    with workspace.database.read() as connection:
        for what, kept in rows.items():
            query = sa.select(kept.c.organisation, sa.func.count()).where(
                kept.c.withdrawn_at.is_(None), kept.c.organisation.like("o%")
            )
            if what == "decisions":
                query = query.where(kept.c.verdict == "same")
            counted = [(id_, what, count) for id_, count in connection.execute(query.group_by(kept.c.organisation))]
            parts.append(pl.DataFrame(counted, schema=parts[0].schema, orient="row"))
    said = pl.concat(parts)
    said = said.filter(lacks(said["id"])).pivot("what", index="id", values="count").sort("id")
    if said.is_empty():
        return ()
    names: dict[str, str] = {}
    if "organisations" in workspace.manifest().tables:
        known = workspace.scan("organisations").filter(pl.col("id").is_in(said["id"].implode()))
        names = dict(known.select("id", "name").collect().iter_rows())
    return tuple(
        Hanging(row["id"], names.get(row["id"], ""), *(row.get(what) or 0 for what in rows))
        for row in said.iter_rows(named=True)
    )


def derive_anew(tx: Transaction, table_name: str) -> None:
    """After a load of organisations or carriers within a command: have a job lay over it what lay over the one before."""
    if table_name == "carriers":
        edits = table("unit_edits")
        if tx.execute(sa.select(edits.c.id).where(edits.c.withdrawn_at.is_(None)).limit(1)).first():
            tx.job("assess.lay_unit_edits", {})
    if table_name != "organisations":
        return
    rosters, corrections = table("rosters"), table("corrections")
    merged = tx.execute(sa.select(rosters.c.id).where(rosters.c.state == "applied").limit(1)).first()
    corrected = tx.execute(sa.select(corrections.c.id).where(corrections.c.withdrawn_at.is_(None)).limit(1)).first()
    if merged or corrected:
        tx.job("roster.derive", {})
