"""Row keys 名单行标识: which row of a roster is which row of its earlier editions, so that decisions find it.

A row can be told by its credit code, by its name and place, or by its name alone. An edition may give more or less of
these than the one before: a column of cities, a column of codes. So the key that a row got first stays its key, and a
row of a later edition takes it over by the strongest of these that both give, if nothing that both give speaks against.
"""

from __future__ import annotations

from typing import Final

import polars as pl

from jiqun.roster.names import Normaliser

IDENTITY: Final = ("uscc", "normal", "country", "region", "city")
"""What tells a row: credit code, normalised name, and its place."""
KNOWN: Final = {
    "row_key": pl.String,
    **dict.fromkeys((*IDENTITY, "place"), pl.String),
    **dict.fromkeys(("only_code", "only_place", "only_name", "same_roster"), pl.Boolean),
    "age": pl.Int64,
}
_PLACE = ("city", "region", "country")


def identity(rows: pl.DataFrame, normaliser: Normaliser) -> pl.DataFrame:
    """What tells each row of an edition: `IDENTITY`, its finest place, and which of these no other row shares.

    Examples
    --------
    >>> units = pl.DataFrame({"region_code": ["440300"], "level": ["city"], "unit": ["深圳市"], "short": ["深圳"],
    ...     "province": ["440000"], "city": ["440300"], "name": ["Shenzhen"]})
    >>> rows = pl.DataFrame({"name": ["ＡＢ 公司", "乙", "乙"], "city": ["深圳", "深圳", None]})
    >>> identity(rows, Normaliser(units)).select("normal", "place", "only_place", "only_name").rows()
    [('ab公司', '深圳', True, True), ('乙', '深圳', True, False), ('乙', None, False, False)]
    """
    told = rows.select(
        normal=pl.Series(normaliser.normals(rows["name"]), dtype=pl.String),
        **{
            name: pl.col(name) if name in rows.columns else pl.lit(None, pl.String)
            for name in IDENTITY
            if name != "normal"
        },
    )
    told = told.select(*IDENTITY, place=pl.coalesce(_PLACE))
    return told.with_columns(
        only_code=pl.col("uscc").is_not_null() & (pl.len().over("uscc") == 1),
        only_place=pl.col("place").is_not_null() & (pl.len().over("normal", "place") == 1),
        only_name=pl.len().over("normal") == 1,
    )


def row_keys(told: pl.DataFrame, known: pl.DataFrame | None = None) -> pl.Series:
    """The key of each row: that of the row of an earlier edition which it is, else one of its own.

    A key of its own is the credit code, if no other row has it; else the normalised name and the place. No code, place
    or name that several rows of an edition share tells which row is which.

    Parameters
    ----------
    told
        As `identity` gives it.
    known
        `KNOWN`: the same of earlier editions, with their keys; `age` 0 is the latest, and `same_roster` says whether it
        is an edition of this roster: rows of other rosters are not the same by their name alone.

    Examples
    --------
    >>> units = pl.DataFrame({"region_code": ["440300"], "level": ["city"], "unit": ["深圳市"], "short": ["深圳"],
    ...     "province": ["440000"], "city": ["440300"], "name": ["Shenzhen"]})
    >>> first = identity(pl.DataFrame({"name": ["ＡＢ 公司", "乙"]}), Normaliser(units))
    >>> keys = row_keys(first)
    >>> keys.to_list()
    ['n:ab公司|', 'n:乙|']
    >>> later = identity(pl.DataFrame({"name": ["乙", "ab公司"], "city": [None, "深圳"]}), Normaliser(units))
    >>> row_keys(later, first.with_columns(keys, same_roster=pl.lit(True), age=0)).to_list()
    ['n:乙|', 'n:ab公司|']
    """
    # one of several rows of a name that says no place is not the only row of that name in another edition
    place = pl.coalesce("place", pl.when("only_name").then(pl.lit("")).otherwise(pl.lit("*")))
    code = pl.when("only_code").then(pl.lit("u:") + pl.col("uscc"))
    own = told.select(row_key=pl.coalesce(code, pl.format("n:{}|{}", "normal", place)))["row_key"]
    if known is None or known.is_empty():
        return own
    found = _same(told.with_row_index("row"), known)
    keys = pl.DataFrame({"own": own}).with_row_index("row").join(found, on="row", how="left", maintain_order="left")
    taken = pl.col("own").is_in(found["row_key"].implode())
    free = pl.when(taken).then(pl.col("own") + "*").otherwise("own")
    return keys.select(pl.coalesce("row_key", free).alias("row_key"))["row_key"]


def _same(told: pl.DataFrame, known: pl.DataFrame) -> pl.DataFrame:
    """row, row_key of the rows that are rows of earlier editions; each row and each key once."""
    steps = (
        (["uscc"], pl.col("only_code"), pl.lit(value=True)),
        (["normal", "place"], pl.col("only_place"), pl.lit(value=True)),
        (["normal"], pl.col("only_name"), pl.col("same_roster")),
    )
    pairs = pl.concat(
        told.filter(only)
        .select("row", *on)
        .join(known.filter(only & wanted).select("row_key", "age", *on), on=on)
        .select("row", "row_key", "age", step=pl.lit(step))
        for step, (on, only, wanted) in enumerate(steps)
    )
    both = pairs.join(told.select("row", *IDENTITY), on="row").join(
        known.select("row_key", *IDENTITY).unique(), on="row_key", suffix="_known"
    )
    against = ((pl.col("step") > 0) & (pl.col("uscc") != pl.col("uscc_known"))) | (
        (pl.col("step") > 1) & pl.any_horizontal(_elsewhere(name) for name in _PLACE)
    )
    apart = both.filter(against).select("row", "row_key", "step").unique()
    left = pairs.join(apart, on=["row", "row_key", "step"], how="anti").sort("step", "age", "row", "row_key")
    once = left.unique("row", keep="first", maintain_order=True).unique("row_key", keep="first", maintain_order=True)
    return once.select("row", "row_key")


def _elsewhere(name: str) -> pl.Expr:
    """Whether both say a place, and neither is the beginning of the other: 杭州 is 杭州市."""
    mine, theirs = pl.col(name), pl.col(f"{name}_known")
    return ~(mine.str.starts_with(theirs) | theirs.str.starts_with(mine))
