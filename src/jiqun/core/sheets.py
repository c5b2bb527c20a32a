"""What leaves for a spreadsheet must not run there 防公式注入."""

from __future__ import annotations

import polars as pl
import polars.selectors as cs

FORMULA_START = ("=", "+", "-", "@", "＝", "＋", "－", "＠", "\t", "\r", "\n")  # sheets read full width alike


def neutralise(frame: pl.DataFrame) -> pl.DataFrame:
    """Prefix an apostrophe to every text cell that a spreadsheet would read as a formula.

    Examples
    --------
    >>> neutralise(pl.DataFrame({"name": ["=1+1", "华为"]}))["name"].to_list()
    ["'=1+1", '华为']
    """
    text = (cs.string() | cs.categorical() | cs.enum()).cast(pl.String)
    starts = text.str.slice(0, 1).is_in(FORMULA_START)
    return frame.with_columns(pl.when(starts).then(pl.lit("'") + text).otherwise(text).name.keep())
