"""Placing by China's divisions in Chinese text: what region and city say, then the address, then a firm's name."""

from __future__ import annotations

import polars as pl

from jiqun.intake._address_divisions import NAME, find_divisions
from jiqun.intake.gazetteer import Gazetteer


def find_units(texts: pl.DataFrame, gazetteer: Gazetteer) -> pl.DataFrame:
    """The finest division that each id's texts name without contradiction.

    Parameters
    ----------
    texts
        id, country (null: unknown), field (0 region and city, 2 address, 3 name), text.
    gazetteer
        Whose `units` are looked for.

    Returns
    -------
    At most one row per id: region_code, field (the last one that was needed). A firm's name counts only where no city is
    told before it: a firm named after a county of its city may sit anywhere in the city.
    """
    columns = ["id", "region_code", "field"]
    told = find_divisions(texts.filter(pl.col("field") < NAME), gazetteer)
    settled = told.filter(pl.col("c").is_not_null())
    named = texts.filter(pl.col("field") == NAME).join(settled, on="id", how="anti")
    open_ = texts.join(named, on="id", how="semi")
    both = find_divisions(open_, gazetteer).select(columns)
    alone = told.join(named, on="id", how="anti").select(columns)
    return pl.concat([both, alone]).filter(pl.col("region_code").is_not_null())
