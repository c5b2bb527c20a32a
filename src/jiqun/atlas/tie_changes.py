"""Two dates of a network 网络变化: ties kept, lost and new."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import polars as pl

from jiqun.core.frames import as_polars


@dataclass(frozen=True)
class TieChanges:
    """How a network changed 关联变化.

    `ties`: source, target, change (kept, lost, new), weight_before, weight_after. The counts and `jaccard` (None where no
    tie is on either date) are of ties between firms that are on both dates; ties of firms that came or went stand apart.
    """

    ties: pl.DataFrame
    kept: int
    lost: int
    new: int
    jaccard: float | None
    firms_both: int
    firms_left: int
    firms_joined: int
    lost_with_firms: int
    new_with_firms: int


def tie_changes(before: Any, after: Any, *, firms_before: Any = None, firms_after: Any = None) -> TieChanges:
    """Ties kept, lost and new between two dates 关联的存续.

        J = kept / (kept + lost + new)

    Parameters
    ----------
    before, after
        `source`, `target` and optional `weight`; rows of one ordered pair count once.
    firms_before, firms_after
        Ids of the firms that were looked at, with or without ties; None: those with ties.

    Notes
    -----
    Source: Jaccard index as in Snijders, van de Bunt & Steglich (2010), Social Networks 32(1), 44–60, who ask for at least
    0.3 before a change is read as gradual.

    Examples
    --------
    >>> old = pl.DataFrame({"source": ["a", "a"], "target": ["b", "c"]})
    >>> new = pl.DataFrame({"source": ["a", "c"], "target": ["b", "b"]})
    >>> told = tie_changes(old, new)
    >>> told.kept, told.lost, told.new, round(told.jaccard, 3)
    (1, 1, 1, 0.333)
    """
    one, other = (_ties(frame) for frame in (before, after))
    here = [
        set(ties["source"]) | set(ties["target"]) if firms is None else set(firms)
        for ties, firms in ((one, firms_before), (other, firms_after))
    ]
    both = here[0] & here[1]
    joined = one.rename({"weight": "weight_before"}).join(
        other.rename({"weight": "weight_after"}), on=["source", "target"], how="full", coalesce=True
    )
    change = (
        pl.when(pl.col("weight_before").is_null())
        .then(pl.lit("new"))
        .when(pl.col("weight_after").is_null())
        .then(pl.lit("lost"))
        .otherwise(pl.lit("kept"))
    )
    ties = joined.with_columns(change=change).select("source", "target", "change", "weight_before", "weight_after")
    ties = ties.sort("source", "target")
    lasting = pl.col("source").is_in(both) & pl.col("target").is_in(both)
    counts = dict(ties.filter(lasting).group_by("change").len().iter_rows())
    others = dict(ties.filter(~lasting).group_by("change").len().iter_rows())
    kept, lost, new = (int(counts.get(name, 0)) for name in ("kept", "lost", "new"))
    total = kept + lost + new
    return TieChanges(
        ties,
        kept,
        lost,
        new,
        kept / total if total else None,
        len(both),
        len(here[0] - here[1]),
        len(here[1] - here[0]),
        int(others.get("lost", 0)),
        int(others.get("new", 0)),
    )


def _ties(frame: Any) -> pl.DataFrame:
    rows = as_polars(frame, "source", "target")
    weight = pl.col("weight").cast(pl.Float64) if "weight" in rows.columns else pl.lit(1.0)
    picked = rows.select(pl.col("source", "target").cast(pl.String), weight=weight)
    return picked.group_by("source", "target").agg(pl.col("weight").sum()).filter(pl.col("source") != pl.col("target"))
