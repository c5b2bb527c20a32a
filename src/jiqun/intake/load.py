"""One load 一次装载, batch by batch: check, identify, place, hand on. Knows no workspace and holds no more than a batch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from jiqun.core.progress import Progress, silent
from jiqun.intake.check import PROBLEMS, Rules, check, no_problems, whole_rows
from jiqun.intake.columns import Column
from jiqun.intake.crs import Crs, to_wgs84
from jiqun.intake.gazetteer import Gazetteer
from jiqun.intake.identity import Identified, Register, key_alternatives, shown_key
from jiqun.intake.own_points import OwnPoints, placed
from jiqun.intake.place import SHARED
from jiqun.intake.quarantine import Sink
from jiqun.intake.read import Batch, Reading
from jiqun.intake.shared_points import SharedPoints

PRECISIONS = ((1.0, "1"), (10.0, "10"), (30.0, "30"), (float("inf"), "coarse"))
"""Classes in which precision is told: within so many km."""


@dataclass
class Tally:
    """What a load counts as it goes 计数."""

    read: int = 0
    blank: int = 0
    kept: int = 0
    refused: int = 0
    duplicates: int = 0
    by_code: Counter[tuple[str, str]] = field(default_factory=Counter)
    first: dict[tuple[str, str], pl.DataFrame] = field(default_factory=dict)
    precision: Counter[str] = field(default_factory=Counter)
    placed_by: Counter[str] = field(default_factory=Counter)
    points: int = 0
    one_point: tuple[float, float] | None = None
    points_differ: bool = False
    units: dict[Column, tuple[Counter[str], int]] = field(default_factory=dict)

    def see_units(self, units: Mapping[Column, tuple[Mapping[str, int], int]]) -> None:
        """Add what cells say of their units."""
        for column, (stated, bare) in units.items():
            before, without = self.units.get(column, (Counter(), 0))
            before.update(stated)
            self.units[column] = before, without + bare

    def count(self, problems: pl.DataFrame) -> None:
        """Add findings by code and severity, keeping the first of each."""
        for (code, severity), part in problems.partition_by(
            "code", "severity", as_dict=True, maintain_order=True
        ).items():
            kind = str(code), str(severity)
            self.by_code[kind] += part.height
            self.first.setdefault(kind, part.head(1))

    def see_points(self, rows: pl.DataFrame) -> None:
        """Notice whether all given coordinates are one and the same."""
        given = rows.select("lon", "lat").drop_nulls()
        self.points += given.height
        if given.height and not self.points_differ:
            self.one_point = self.one_point or (given["lon"][0], given["lat"][0])
            x, y = self.one_point
            self.points_differ = bool(((given["lon"] != x) | (given["lat"] != y)).any())

    def see_places(self, rows: pl.DataFrame) -> None:
        """Count by precision and by what placed a row."""
        for by, count in rows["placed_by"].value_counts().iter_rows():
            self.placed_by[by or "none"] += count
        km = rows["precision_km"]
        before = 0
        for limit, name in PRECISIONS:
            within = int((km <= limit).sum())
            self.precision[name] += within - before
            before = within
        self.precision["none"] += km.null_count()


def run(
    reading: Reading,
    rules: Rules,
    register: Register,
    *,
    write: Sink,
    quarantine: Sink,
    gazetteer: Gazetteer,
    own: OwnPoints,
    crs: Crs = "wgs84",
    progress: Progress = silent,
) -> Tally:
    """Take every batch of `reading` to `write` (rows kept) and `quarantine` (findings, unworded)."""
    tally = Tally()
    spatial = {"lon", "lat"} <= set(rules.schema.names)
    shared = SharedPoints()
    for batch in reading.batches:
        rows, problems, units = _identified(batch, rules, register)
        tally.see_units(units)
        tally.read += batch.cells.height + batch.refused.height
        tally.blank += batch.blank
        if spatial:
            tally.see_points(rows)
            rows, warnings = _placed(_in_wgs84(rows, crs), rules, gazetteer, own, shared)
            problems = pl.concat([problems, warnings])
            tally.see_places(rows)
        tally.kept += rows.height
        tally.refused += problems.filter(pl.col("severity") == "refused")["row"].n_unique()
        tally.duplicates += problems.filter(pl.col("severity") == "duplicate").height
        tally.count(problems)
        if rows.height:
            write(rows)
        if problems.height:
            quarantine(problems)
        progress("load", batch.done, reading.total)
    if (many := _many_at_one(shared, rules)).height:
        tally.count(many)
        quarantine(many)
    return tally


def _identified(
    batch: Batch, rules: Rules, register: Register
) -> tuple[pl.DataFrame, pl.DataFrame, Mapping[Column, tuple[Mapping[str, int], int]]]:
    checked = check(batch, rules)
    found = register.identify(checked.rows)
    rows = checked.rows.insert_column(0, found.ids)
    repeated = found.repeats.is_not_null()
    if not repeated.any():
        return rows, checked.problems, checked.units
    twice = _repeats(rows.filter(repeated), found, repeated, batch, rules)
    problems = pl.concat([checked.problems, twice]).sort("row", maintain_order=True)
    return rows.filter(~repeated), problems, checked.units


def _repeats(rows: pl.DataFrame, found: Identified, repeated: pl.Series, batch: Batch, rules: Rules) -> pl.DataFrame:
    alternatives = key_alternatives(rules.schema)
    level = found.keyed_by.filter(repeated)
    headers = {column.target: column.header for column in reversed(rules.columns)}
    names = [", ".join(headers[name] for name in group if name in headers) for group in alternatives]
    twice = batch.numbers.is_in(rows["source_row"].implode())
    raw = whole_rows(batch.cells.filter(twice), rules, batch.numbers.filter(twice))
    return rows.select(
        pl.col("source_row").alias("row"),
        level.replace_strict(dict(enumerate(names)), return_dtype=pl.String).alias("column"),
        shown_key(rows, alternatives, level).alias("value"),
        pl.lit("JQ-DATA-024").alias("code"),
        pl.lit("duplicate").alias("severity"),
        found.repeats.filter(repeated).cast(pl.String).alias("detail"),
        raw["raw"],
    ).cast(PROBLEMS)  # type: ignore[arg-type]


def _in_wgs84(rows: pl.DataFrame, crs: Crs) -> pl.DataFrame:
    if crs == "wgs84":
        return rows
    lon, lat = to_wgs84(rows["lon"].fill_null(np.nan).to_numpy(), rows["lat"].fill_null(np.nan).to_numpy(), crs)
    return rows.with_columns(pl.Series("lon", lon).fill_nan(None), pl.Series("lat", lat).fill_nan(None))


def _placed(
    rows: pl.DataFrame, rules: Rules, gazetteer: Gazetteer, own: OwnPoints, shared: SharedPoints
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Rows with places, and what is suspicious about the points given."""
    given = rows.select("source_row", "lon", "lat")
    rows = placed(rows, gazetteer, own)
    shared.see(rows.filter(pl.col("placed_by") == "coordinates"))
    doubtful = rows["place_warning"].is_not_null()
    if not doubtful.any():
        return rows, no_problems()
    warned = given.filter(doubtful).select(
        pl.col("source_row").alias("row"),
        pl.lit(_point_headers(rules)).alias("column"),
        pl.concat_str(pl.col("lon", "lat").round(6), separator=", ").alias("value"),
        rows["place_warning"].filter(doubtful).alias("code"),
        pl.lit("warning").alias("severity"),
        rows["place_name"].filter(doubtful).fill_null("").alias("detail"),
        pl.lit(None, pl.String).alias("raw"),
    )
    return rows, warned


def _point_headers(rules: Rules) -> str:
    return ", ".join(column.header for name in ("lon", "lat") for column in rules.of(name)[:1])


def _many_at_one(shared: SharedPoints, rules: Rules) -> pl.DataFrame:
    """Findings of rows whose point hundreds of others have: known when the last batch was read."""
    return (
        shared.found()
        .select(
            pl.col("source_row").alias("row"),
            pl.lit(_point_headers(rules)).alias("column"),
            pl.concat_str(pl.col("lon", "lat").round(6), separator=", ").alias("value"),
            pl.lit(SHARED).alias("code"),
            pl.lit("warning").alias("severity"),
            pl.col("rows").cast(pl.String).alias("detail"),
            pl.lit(None, pl.String).alias("raw"),
        )
        .cast(PROBLEMS)  # type: ignore[arg-type]
    )
