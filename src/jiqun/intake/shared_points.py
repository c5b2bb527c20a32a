"""The same point for many 同点多企: counted over a whole table, however it comes in batches.

A registry's mass addresses (集群注册), or the default point of a geocoder, put hundreds of firms on one spot.
"""

from __future__ import annotations

from typing import Final

import polars as pl

from jiqun.intake.place import SHARED_FIRMS

ROW: Final = {"source_row": pl.Int64, "lon": pl.Float64, "lat": pl.Float64, "who": pl.UInt64}


def sharing() -> pl.Expr:
    """How many differently addressed rows have a row's point: over lon, lat, address, name (and given points only)."""
    return pl.coalesce("address", "name").n_unique().over("lon", "lat")


class SharedPoints:
    """Collects the given points of a load 收集: 32 bytes for each, and nothing of the rows else."""

    def __init__(self) -> None:
        self._parts: list[pl.DataFrame] = []

    def see(self, rows: pl.DataFrame) -> None:
        """Take the given points of one batch (source_row, lon, lat; address and name where there are)."""
        names = [name for name in ("address", "name", "organisation") if name in rows.columns]
        who = pl.coalesce(*names).hash(seed=0) if names else pl.col("source_row").hash(seed=0)
        given = rows.filter(pl.col("lon").is_not_null(), pl.col("lat").is_not_null())
        if given.height:
            self._parts.append(given.select(pl.col("source_row").cast(pl.Int64), "lon", "lat", who=who))

    def found(self, *, at_least: int = SHARED_FIRMS) -> pl.DataFrame:
        """The rows at points that so many differently addressed rows have: source_row, lon, lat, rows (how many)."""
        if not self._parts:
            return pl.DataFrame(
                schema={"source_row": pl.Int64, "lon": pl.Float64, "lat": pl.Float64, "rows": pl.UInt32}
            )
        every = pl.concat(self._parts)
        many = every.group_by("lon", "lat").agg(rows=pl.col("who").n_unique()).filter(pl.col("rows") >= at_least)
        found = every.join(many, on=["lon", "lat"], how="inner").sort("source_row")
        return found.select("source_row", "lon", "lat", pl.col("rows").cast(pl.UInt32))
