"""Places of corrected rows 更正后的落位: what a row says of its place goes with what a person has put right.

A corrected city stands above the code, the province and the address that the sources gave. What contradicts it is no
longer said; what agrees with it stays.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final

import polars as pl

from jiqun.core.errors import InputError
from jiqun.intake.address import parse_address
from jiqun.intake.gazetteer import Gazetteer
from jiqun.intake.place import place

TEXTS: Final = ("address", "city", "region")
"""What names a place, from the finest to the coarsest."""
_CODES = ("province_code", "city_code")


def agreeing(rows: pl.DataFrame, right: Mapping[str, Collection[str]], gazetteer: Gazetteer) -> pl.DataFrame:
    """Rows of which attributes of the place were corrected, without what contradicts them.

    Parameters
    ----------
    rows
        With `id`.
    right
        id → attributes that were corrected.

    Returns
    -------
    The rows in order. `region_code` is null unless it was corrected itself; so are city, region and address where their
    division is another than that of the finest corrected name, and a region that cannot be compared.
    """
    said = [name for name in TEXTS if name in rows.columns]
    led = {name: pl.Series([name in right.get(id_, ()) for id_ in rows["id"]], dtype=pl.Boolean) for name in said}
    named = pl.Series([bool({*TEXTS, "country"} & set(right.get(id_, ()))) for id_ in rows["id"]], dtype=pl.Boolean)
    codes = {name: parse_address(rows.select(name), gazetteer).select(_CODES) for name in said}
    lead = {
        code: pl.select(
            pl.coalesce(pl.when(pl.lit(led[name])).then(pl.lit(codes[name][code])) for name in said)
        ).to_series()
        if said
        else pl.repeat(None, rows.height, dtype=pl.String, eager=True)
        for code in _CODES
    }
    any_led = pl.any_horizontal(pl.lit(led[name]) for name in said) if said else pl.lit(value=False)
    changes = []
    for name in said:
        differ = [(pl.lit(codes[name][code]) != pl.lit(lead[code])).fill_null(value=False) for code in _CODES]
        known, leads = pl.lit(codes[name]["province_code"]).is_not_null(), pl.lit(lead["province_code"]).is_not_null()
        # an address that names no division leaves the city as it is
        bare = pl.lit(led.get("address", pl.repeat(value=False, n=rows.height, eager=True))) & ~leads
        apart = pl.any_horizontal(differ) | (known & ~leads & ~bare)
        if name == "region":
            apart = apart | ~(known & leads) & ~bare
        elif name == "city":
            apart = apart | (leads & ~known)
        out = any_led & ~pl.lit(led[name]) & apart
        changes.append(pl.when(out).then(None).otherwise(name).alias(name))
    if "region_code" in rows.columns:
        coded = pl.Series(["region_code" in right.get(id_, ()) for id_ in rows["id"]], dtype=pl.Boolean)
        out = pl.lit(named) & ~pl.lit(coded)
        changes.append(pl.when(out).then(None).otherwise("region_code").alias("region_code"))
    return rows.with_columns(changes)


def require_place(row: Mapping[str, Any], values: Mapping[str, str | None], gazetteer: Gazetteer) -> None:
    """Refuse a corrected city, region or address that places nothing.

    Parameters
    ----------
    row
        The organisation as it is shown; `values` are what is corrected of it, by now and before.

    Raises
    ------
    InputError
        JQ-ROSTER-012: nowhere is called so.
    """
    if values.get("lon") is not None and values.get("lat") is not None:
        return
    told = {name: row.get(name) for name in ("country", "region_code", *TEXTS, "name")} | {"id": row["id"]}
    whole = pl.DataFrame(
        [told | {name: value for name, value in values.items() if name in told}], infer_schema_length=1
    )
    whole = whole.with_columns(pl.exclude("id").cast(pl.String))
    left = agreeing(whole, {row["id"]: set(values)}, gazetteer)
    for name in TEXTS:
        value = values.get(name)
        if value is None:
            continue
        if name == "address":
            by = [place(left, gazetteer)["placed_by"].item()]
        else:
            asked = (["country", name], ["country", "region", name]) if name == "city" else (["country", name],)
            by = [place(left.select(columns), gazetteer)["placed_by"].item() for columns in asked]
        if not {*by} - {None, "country", *({"region"} if name == "city" else ())}:
            raise InputError("JQ-ROSTER-012", value=value[:80])
