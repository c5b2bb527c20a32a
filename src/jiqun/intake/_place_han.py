"""Finding China's divisions in Chinese text: 广东省深圳市南山区 → 440305.

All unit names are looked for at once, the longest first, so that 上海路 is a street and not Shanghai. A county needs
the city or province around it, unless only one unit of China is so called.
"""

from __future__ import annotations

import polars as pl

from jiqun.intake._geo import address_words
from jiqun.intake.gazetteer import Gazetteer

_OTHERS = {"71": "TW", "81": "HK", "82": "MO"}
_NAME = 3


def find_units(texts: pl.DataFrame, gazetteer: Gazetteer) -> pl.DataFrame:
    """The finest division that each text names without contradiction.

    Parameters
    ----------
    texts
        id, country (null: unknown), field (0 region and city, 2 address, 3 name), text.
    gazetteer
        Whose `units` are looked for.

    Returns
    -------
    At most one row per id: region_code, field (the last one that was needed).
    """
    if texts.is_empty():  # the search costs half a second to set up
        return pl.DataFrame(schema={"id": texts.schema["id"], "region_code": pl.String, "field": texts.schema["field"]})
    names = _unit_names(gazetteer.units)
    found = _matches(texts, names)
    hits = found.join(names, left_on="match", right_on="pattern")
    code = pl.col("region_code").str.slice(0, 2)
    of = code.replace_strict(_OTHERS, default="CN")
    fits = (
        pl.col("country").is_null()
        | (pl.col("country") == "")
        | (pl.col("country") == of)
        | (pl.col("country") == "CN")
    )
    hits = hits.filter(fits).sort("id", "field", "order", "full", descending=[False, False, False, True])
    province = _first(hits.filter(pl.col("level") == "province"), "p")
    in_province = pl.col("p_code").is_null() | (pl.col("p_code") == pl.col("province"))
    hits = hits.join(province, on="id", how="left")
    city = _first(hits.filter((pl.col("level") == "city") & in_province), "c")
    hits = hits.join(city, on="id", how="left")
    in_city = pl.col("c_code").is_null() | (pl.col("c_code") == pl.col("city"))
    counties = hits.filter((pl.col("level") == "county") & in_province & in_city)
    several = pl.col("region_code").n_unique().over("id", "match") > 1
    told = pl.col("full") | pl.col("c_code").is_not_null()
    county = _first(counties.filter(~several & told), "d")
    best = (
        hits.select("id")
        .unique()
        .join(province, on="id", how="left")
        .join(city, on="id", how="left")
        .join(county, on="id", how="left")
    )
    # A firm named after a county of the city in its address may sit anywhere in the city.
    county_told = (pl.col("d_field") != _NAME) | pl.col("c_field").is_null() | (pl.col("c_field") == _NAME)
    d_code, d_field = (pl.when(county_told).then(column) for column in ("d_code", "d_field"))
    return best.select(
        "id",
        pl.coalesce(d_code, "c_code", "p_code").alias("region_code"),
        pl.coalesce(d_field, "c_field", "p_field").alias("field"),
    ).filter(pl.col("region_code").is_not_null())


def _unit_names(units: pl.DataFrame) -> pl.DataFrame:
    """Pattern → unit: the full name, and the short one where it is not a common word."""
    full = units.with_columns(pattern=pl.col("unit"), full=True)
    short = units.with_columns(pattern=pl.col("short"), full=False)
    short = short.filter(pl.col("pattern") != pl.col("unit"), pl.col("pattern").str.len_chars() > 1)
    both = pl.concat([full, short])
    return both.select("pattern", "full", "region_code", "level", "province", "city")


def _matches(texts: pl.DataFrame, names: pl.DataFrame) -> pl.DataFrame:
    """Names found in each text, in order; streets, houses and villages named after a place are swallowed whole.

    Streets are named after counties too, houses and villages after cities and provinces.
    """
    streets, buildings = address_words()["han_street"], address_words()["han_building"]
    short = names.filter(~pl.col("full")).select("pattern", "level").unique()
    decoys = {
        name + kind
        for name, level in short.iter_rows()
        for kind in (streets if level == "county" else [*streets, *buildings])
    }
    patterns = sorted(decoys.union(names["pattern"]), key=lambda name: (-len(name), name))
    return (
        texts.filter(pl.col("text").is_not_null())
        .with_columns(match=pl.col("text").str.extract_many(patterns, leftmost=True))
        .drop("text")
        .explode("match")
        .filter(pl.col("match").is_not_null())
        .with_columns(order=pl.int_range(pl.len()).over("id", "field"))
    )


def _first(hits: pl.DataFrame, prefix: str) -> pl.DataFrame:
    first = hits.unique("id", keep="first", maintain_order=True)
    return first.select("id", pl.col("region_code").alias(f"{prefix}_code"), pl.col("field").alias(f"{prefix}_field"))
