"""What a load changed 变动: two snapshots of one table compared by the ids of their rows."""

from __future__ import annotations

from typing import Annotated

import polars as pl
from pydantic import Field

from jiqun.core.operation import Model
from jiqun.core.schema import Schema
from jiqun.intake._geo import distance_km
from jiqun.intake.columns import EXTRA

_SHOWN = 5
_PLACE = ("lon", "lat", "precision_km")
_NO_CHANGE = (*_PLACE, "as_of")
_FINEST_KM = 0.1


class Named(Model):
    """A row that changed: its id and what it is called."""

    id: str
    name: str
    km: Annotated[float | None, Field(description="how far it moved")] = None


class Changes(Model):
    """How a snapshot differs from the one before 变动: counts, and the first few of each.

    `moved` are rows of the same id whose place changed by more than either place is exact; `changed` those of which any
    other attribute did. None where the table has no places.
    """

    new: int
    gone: int
    moved: int | None
    changed: int
    examples: dict[str, tuple[Named, ...]]


def compare(before: pl.LazyFrame, after: pl.LazyFrame, schema: Schema) -> Changes:
    """Compare two snapshots of a table; both have an `id`.

    Examples
    --------
    >>> from jiqun.core.schema import schema
    >>> def rows(ids, lon): return pl.LazyFrame({"id": ids, "name": ids, "lon": lon, "lat": 30.0, "precision_km": 1.0})
    >>> found = compare(rows(["a", "b"], [120.0, 120.0]), rows(["b", "c"], [121.0, 120.0]), schema("organisations"))
    >>> found.new, found.gone, found.moved, [row.id for row in found.examples["moved"]]
    (1, 1, 1, ['b'])
    """
    old, new = before.collect_schema(), after.collect_schema()
    shared = [name for name in old if name in new and old[name] == new[name]]
    placed = set(_PLACE) <= set(shared)
    # neither what the placing adds nor the date of the record is a change of the row
    told = [name for name in shared if (name in schema.names or name.startswith(EXTRA)) and name not in _NO_CHANGE]
    compared = [*told, *_PLACE] if placed else told
    label = next((name for name in ("name", "organisation", "source", "unit") if name in new and name in old), "id")
    # of rows that are in both, only what tells whether they changed is compared
    both = (
        after.select("id", *compared)
        .join(before.select("id", *compared), on="id", suffix="_before")
        .with_columns(km=_moved_km() if placed else pl.lit(None, pl.Float64))
    )
    same = [pl.col(name).eq_missing(pl.col(f"{name}_before")) for name in told]
    changed = both.filter(~pl.all_horizontal(same) if same else pl.lit(value=False)).select("id", label, "km")
    moved = both.filter(pl.col("km").is_not_null()).select("id", label, "km").sort("km", descending=True)
    parts = {
        "new": after.join(before, on="id", how="anti", maintain_order="left"),
        "gone": before.join(after, on="id", how="anti", maintain_order="left"),
        "moved": moved,
        "changed": changed,
    }
    counts = {what: int(rows.select(pl.len()).collect().item()) for what, rows in parts.items()}
    return Changes(
        new=counts["new"],
        gone=counts["gone"],
        moved=counts["moved"] if placed else None,
        changed=counts["changed"],
        examples={what: _first(rows, label, counts[what]) for what, rows in parts.items()},
    )


def _moved_km() -> pl.Expr:
    """How far a row moved; null if no farther than its places are exact."""
    km = distance_km(pl.col("lon_before"), pl.col("lat_before"), pl.col("lon"), pl.col("lat"))
    exact = pl.max_horizontal("precision_km", "precision_km_before", pl.lit(_FINEST_KM))
    return pl.when(km > exact).then(km)


def _first(rows: pl.LazyFrame, label: str, count: int) -> tuple[Named, ...]:
    if not count:
        return ()
    found = rows.head(_SHOWN).with_columns(said=pl.col(label).cast(pl.String)).collect()
    kms = found["km"].to_list() if "km" in found.columns else [None] * found.height
    told = zip(found["id"].to_list(), found["said"].fill_null("—").to_list(), kms, strict=True)
    return tuple(Named(id=id_, name=name, km=None if km is None else round(km, 1)) for id_, name, km in told)
