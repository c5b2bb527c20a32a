"""Merging 并入: the register, the rosters over it, people's corrections over both. Frames in, frames out.

Which source wins, for each field of an organisation:

1. a correction by a person;
2. what says something over what says nothing: null never overwrites;
3. of the register and the rosters the one with the newer date; on the same day the register, then the roster merged first.

Name, credit code and the register's own identifier are the register's wherever it gives them: they say who it is.
The fields of a place go together, so that a point never stands beside another city.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import polars as pl

from jiqun.core.schema import schema
from jiqun.intake.check import TYPES

STATE, ROSTERS = "roster_state", "rosters"
"""Columns of a merged table: null, or why an organisation of a roster stands by itself; which rosters list it."""
IDENTITY = ("name", "uscc", "source_id")
PLACE = ("country", "region_code", "region", "city", "address", "lon", "lat")
"""Attributes that go together, with what placing has added."""
_PLACED = ("place_id", "place_name", "place_name_zh", "precision_km", "placed_by", "place_warning", "lon", "lat")
_PLACES = frozenset((*PLACE, *_PLACED))
_UNKEPT = frozenset({"source_row", "as_of"})
_DAY = "_day"


@dataclass(frozen=True)
class Listed:
    """A roster with each row's organisation: `rows` has `organisation` and `state` (null: matched) beside its columns."""

    name: str
    as_of: date
    rows: pl.DataFrame


def merged(register: pl.DataFrame, rosters: Sequence[Listed], *, as_of: date) -> pl.DataFrame:
    """Rows of the register with what its rosters say of them; `as_of` is the register's date.

    Examples
    --------
    >>> register = pl.DataFrame({"id": ["o1"], "name": ["甲"], "employees": [None]}, schema_overrides={"employees": pl.Int64})
    >>> rows = pl.DataFrame({"organisation": ["o1", "r1"], "state": [None, "unmatched"], "name": ["甲公司", "乙"],
    ...     "employees": [5, 7], "source_row": [2, 3]})
    >>> rosters = [Listed("members", date(2025, 1, 1), rows)]
    >>> both = merged(register, rosters, as_of=date(2024, 1, 1))
    >>> both.select("id", "name", "employees", "rosters").rows()
    [('o1', '甲', 5, 'members')]
    >>> standing(rosters, both.schema).select("id", "name", "employees", "roster_state").rows()
    [('r1', '乙', 7, 'unmatched')]
    """
    known = [name for name in schema("organisations").names if any(name in listed.rows.columns for listed in rosters)]
    day = pl.coalesce("as_of", pl.lit(as_of)) if "as_of" in register.columns else pl.lit(as_of)
    out = register.with_columns(
        *(
            pl.lit(None, TYPES[schema("organisations")[name].type]).alias(name)
            for name in known
            if name not in register.columns
        ),
        pl.lit(None, pl.String).alias(STATE),
        pl.lit(None, pl.String).alias(ROSTERS),
        day.alias(_DAY),
    )
    for listed in rosters:
        out = _over(out, listed)
    return out.drop(_DAY)


def standing(rosters: Sequence[Listed], columns: Mapping[str, Any]) -> pl.DataFrame:
    """Rows of rosters that stand by themselves 独立机构, each organisation once; of several rosters the newest first."""
    parts = []
    for listed in sorted(rosters, key=lambda one: one.as_of, reverse=True):
        rows = listed.rows.filter(pl.col("state").is_not_null()).sort("source_row")
        rows = rows.rename({"organisation": "id", "state": STATE}, strict=False).with_columns(
            pl.lit(listed.name).alias(ROSTERS)
        )
        parts.append(rows.select(name for name in columns if name in rows.columns))
    empty = pl.DataFrame(schema=dict(columns))
    if not parts:
        return empty
    together = pl.concat([empty, *parts], how="diagonal_relaxed")
    names = [name for name in together.columns if name not in {"id", ROSTERS}]
    return (
        together.group_by("id", maintain_order=True)
        .agg(
            *(_first(name, together.columns) for name in names),
            pl.col(ROSTERS).unique(maintain_order=True).str.join("; "),
        )
        .select(*columns)
        .sort("id")
    )


def _over(out: pl.DataFrame, listed: Listed) -> pl.DataFrame:
    rows = listed.rows.filter(pl.col("state").is_null()).join(
        out.select(organisation="id"), on="organisation", how="semi"
    )
    rows = rows.sort("source_row").with_columns(_day(listed).alias(_DAY))
    columns = [
        name for name in out.columns if name in rows.columns and name not in {"id", STATE, ROSTERS, _DAY, *_UNKEPT}
    ]
    # several rows of one organisation: the first that says something
    first = rows.group_by("organisation", maintain_order=True).agg(
        *(_first(name, rows.columns).alias(f"{name}_new") for name in columns),
        pl.col(_DAY).max().alias(f"{_DAY}_new"),
    )
    both = out.join(first.rename({"organisation": "id"}), on="id", how="left", maintain_order="left")
    listed_here = pl.col(f"{_DAY}_new").is_not_null()
    newer = (pl.col(f"{_DAY}_new") > pl.col(_DAY)).fill_null(value=False)
    placed = [name for name in out.columns if name in _PLACES]
    named = pl.concat_str(ROSTERS, pl.lit(listed.name), separator="; ", ignore_nulls=True)
    return both.with_columns(
        *(_taken(name, newer) for name in columns if name not in placed),
        *_place(placed, columns, newer),
        pl.when(listed_here).then(named).otherwise(ROSTERS).alias(ROSTERS),
        pl.max_horizontal(_DAY, f"{_DAY}_new").alias(_DAY),
    ).select(out.columns)


def _first(name: str, columns: Collection[str]) -> pl.Expr:
    """Of several rows the first that says something; of a place all from the first row that has a point."""
    if name in _PLACES and "lon" in columns:
        return pl.col(name).sort_by(pl.col("lon").is_null(), maintain_order=True).first()
    return pl.col(name).drop_nulls().first()


def _day(listed: Listed) -> pl.Expr:
    return pl.coalesce("as_of", pl.lit(listed.as_of)) if "as_of" in listed.rows.columns else pl.lit(listed.as_of)


def _taken(name: str, newer: pl.Expr) -> pl.Expr:
    """One attribute: what is there, unless the roster's is newer; never null over something."""
    there, said = pl.col(name), pl.col(f"{name}_new")
    if name in IDENTITY:
        # the roster's own identifier is another register's
        return there if name == "source_id" else pl.coalesce(there, said).alias(name)
    return pl.when(newer).then(pl.coalesce(said, there)).otherwise(pl.coalesce(there, said)).alias(name)


def _place(placed: list[str], columns: Collection[str], newer: pl.Expr) -> list[pl.Expr]:
    """The fields of a place together: the roster's where the register has no place, or the roster is newer and as exact.

    What the roster does not say of its place is then not known: the register's would be of another.
    """
    if "lon" not in columns or "precision_km" not in columns:
        return [_taken(name, newer) for name in placed if name in columns]
    said = pl.col("lon_new").is_not_null()
    exact = pl.col("precision_km_new") <= pl.col("precision_km")
    use = said & (pl.col("lon").is_null() | (newer & exact.fill_null(value=True)))
    return [
        pl.when(use.fill_null(value=False))
        .then(pl.col(f"{name}_new") if name in columns else None)
        .otherwise(pl.col(name))
        .alias(name)
        for name in placed
    ]


def corrected(rows: pl.DataFrame, corrections: Mapping[tuple[str, str], str | None]) -> pl.DataFrame:
    """Rows with people's corrections over them: (organisation, attribute) → value as text, None for not known.

    Examples
    --------
    >>> corrected(pl.DataFrame({"id": ["o1"], "employees": [5]}), {("o1", "employees"): "7"})["employees"].to_list()
    [7]
    """
    by_attribute: dict[str, dict[str, str | None]] = {}
    for (organisation, attribute), value in corrections.items():
        by_attribute.setdefault(attribute, {})[organisation] = value
    for attribute, values in by_attribute.items():
        kind = TYPES[schema("organisations")[attribute].type]
        given = pl.DataFrame(
            {"id": list(values), "_value": [typed(attribute, value) for value in values.values()]},
            schema={"id": pl.String, "_value": kind},
        )
        if attribute not in rows.columns:
            rows = rows.with_columns(pl.lit(None, kind).alias(attribute))
        rows = (
            rows.join(given.with_columns(_said=pl.lit(value=True)), on="id", how="left", maintain_order="left")
            .with_columns(pl.when(pl.col("_said")).then(pl.col("_value")).otherwise(pl.col(attribute)).alias(attribute))
            .drop("_value", "_said")
        )
    return rows


def typed(attribute: str, value: str | None) -> Any:
    """A value from its text, of the type of its attribute."""
    if value is None:
        return None
    kind = TYPES[schema("organisations")[attribute].type]
    if kind == pl.Date:
        return date.fromisoformat(value)
    return int(value) if kind == pl.Int64 else float(value) if kind == pl.Float64 else value
