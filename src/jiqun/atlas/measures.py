"""Specialisation measures 专业化测度: location quotient with interval and shrinkage, Herfindahl, Krugman.

Input is a table of region × industry cells of one year and one classification edition. Measures are Narwhals
expressions: they run unchanged on Polars, pandas, PyArrow and PySpark and give the same kind of frame back. They
return null for "no data", never 0, and nothing here reads files or draws.
"""

from __future__ import annotations

from typing import Any

import narwhals as nw
import numpy as np
import polars as pl

from jiqun.core.arrays import Floats, Integers
from jiqun.core.errors import MeasureInputError
from jiqun.core.frames import as_polars, require_columns

MOST_WRONG = 0.99
"""A register of which more is missing or wrong says nothing."""


def location_quotient(
    cells: Any, *, region: str = "region", industry: str = "industry", size: str | None = "employees"
) -> Any:
    """Location quotient 区位熵 of every region × industry cell.

        LQ[r, i] = (e[r, i] / e[r, ·]) / (e[·, i] / e[·, ·])

    Parameters
    ----------
    cells
        Any dataframe, eager or lazy; one row per cell or finer (rows are summed).
    region, industry
        Columns that name the cell; rows where either is null are left out.
    size
        Column of sizes >= 0, such as persons 从业人数; nulls count nothing. None counts rows.

    Returns
    -------
    The same kind of dataframe: region, industry, size (or `n`), lq (dimensionless; 1 is the overall share). Cells that
    do not occur are absent, not 0; lq is null where the region's or the industry's total is 0.

    Raises
    ------
    MeasureInputError
        JQ-USE-003: a column is missing. JQ-ATLAS-009, JQ-ATLAS-034: `size` is negative, NaN or infinite, with the first
        such row (eager frames only; a lazy frame is not run to look; in pandas NaN is no data).

    Notes
    -----
    Unstable in small cells: publish with `location_quotient_interval`.
    Source: Isserman (1977), Journal of the American Institute of Planners 43(1), 33–41.

    Examples
    --------
    >>> cells = pl.DataFrame({"region": ["A", "A", "B", "B"], "industry": ["x", "y"] * 2, "employees": [30, 70, 10, 90]})
    >>> location_quotient(cells).sort("region", "industry")["lq"].round(3).to_list()
    [1.5, 0.875, 0.5, 1.125]
    """
    table, value = region_industry_cells(cells, region, industry, size)
    own, whole = nw.col(value), nw.col("_whole")
    in_region, in_industry = own.sum().over(region), own.sum().over(industry)
    ratio = (own / in_region) / (in_industry / whole)
    table = table.with_columns(_whole=own.sum())
    return table.with_columns(lq=nw.when((in_region > 0) & (in_industry > 0)).then(ratio)).drop("_whole").to_native()


def herfindahl(
    cells: Any, *, region: str = "region", industry: str = "industry", size: str | None = "employees"
) -> Any:
    """Herfindahl–Hirschman index 赫芬达尔指数 of each region's industries.

        HHI[r] = Σ_i (e[r, i] / e[r, ·])²      1/k for k equal industries, 1 for a single one

    Parameters as in `location_quotient`. Returns region, size, industries (those with size > 0), hhi; null where the
    region's total is 0.

    Source: Hirschman (1964), American Economic Review 54(5), 761–762.

    Examples
    --------
    >>> cells = pl.DataFrame({"region": ["A", "A", "B"], "industry": ["x", "y", "x"], "employees": [30, 70, 10]})
    >>> herfindahl(cells).sort("region")["hhi"].round(3).to_list()
    [0.58, 1.0]
    """
    table, value = region_industry_cells(cells, region, industry, size)
    total = nw.col(value).sum().over(region)
    table = table.with_columns(
        _square=nw.when(total > 0).then((nw.col(value) / total) ** 2), _some=(nw.col(value) > 0).cast(nw.Int64)
    )
    by_region = table.group_by(region).agg(nw.col(value).sum(), nw.col("_some").sum(), nw.col("_square").sum())
    hhi = nw.when(nw.col(value) > 0).then(nw.col("_square"))
    return by_region.select(region, value, industries=nw.col("_some"), hhi=hhi).to_native()


def krugman_index(
    cells: Any, *, region: str = "region", industry: str = "industry", size: str | None = "employees"
) -> Any:
    """Krugman specialisation index 克鲁格曼专业化指数: how far a region's industry mix is from that of all regions.

        K[r] = Σ_i |e[r, i] / e[r, ·] − e[·, i] / e[·, ·]|      0 (the overall mix) to 2 (nothing in common)

    The sum runs over all industries, also those the region lacks. Parameters as in `location_quotient`. Returns region,
    size, krugman; null where the region's total is 0.

    Source: Krugman (1991), Geography and Trade, MIT Press, ch. 2; here against the whole, which includes the region.

    Examples
    --------
    >>> cells = pl.DataFrame({"region": ["A", "B"], "industry": ["x", "y"], "employees": [50, 50]})
    >>> krugman_index(cells).sort("region")["krugman"].to_list()
    [1.0, 1.0]
    """
    table, value = region_industry_cells(cells, region, industry, size)
    own = nw.col(value)
    table = table.with_columns(_whole=own.sum(), _region=own.sum().over(region), _industry=own.sum().over(industry))
    overall = nw.col("_industry") / nw.col("_whole")
    here = nw.when(nw.col("_region") > 0).then(own / nw.col("_region"))
    table = table.with_columns(_gap=(here - overall).abs(), _met=nw.when(nw.col("_region") > 0).then(overall))
    by_region = table.group_by(region).agg(own.sum(), nw.col("_gap").sum(), nw.col("_met").sum())
    index = nw.when(own > 0).then(nw.col("_gap") + 1.0 - nw.col("_met"))  # industries it lacks add their overall share
    return by_region.select(region, value, krugman=index).to_native()


def location_quotient_interval(
    cells: Any,
    *,
    region: str = "region",
    industry: str = "industry",
    coverage: float = 1.0,
    misclassified: float = 0.0,
    misplaced: float = 0.0,
    level: float = 0.9,
    draws: int = 400,
    seed: int = 20240501,
) -> pl.DataFrame:
    """Location quotient of firm counts with a shrunken value and an interval that says what varies 区位熵区间.

    On a full register nothing is sampled, so a sampling interval would be a fiction. What does vary is whether a firm is
    in the register (`coverage`: share recorded), in the right class (`misclassified`: share in a wrong one) and in the
    right region (`misplaced`). Each draw adds the firms not recorded and moves the wrong ones in proportion to the
    margins; `lq_low` and `lq_high` hold the middle `level` of the draws. With all three at their default the interval is
    null: say what varies, or publish none.

        n = s n* + (1 − s) r i / N,   s = (1 − misclassified)(1 − misplaced),   r, i, N: margins of the register

    Wrong rows blur the register, so n* is estimated by inverting this; each draw keeps Binomial(n, s n*/n) of the rows as
    genuine and adds those that left or were never recorded, NegativeBinomial(genuine, s · coverage). Cells where the
    register has no firm get none. `lq_low` to `lq_high` is therefore about the true quotient, not about `lq`.

    `lq_shrunk` pulls small cells towards the industry's overall level by Marshall's global empirical Bayes estimator:

        θ̂ = m + C (x − m),   C = A / (A + m / E),   A = max(0, s² − m / Ē)

    with x = LQ, E the expected count, m and s² the E-weighted mean and variance of x over the regions of the industry.

    Parameters
    ----------
    cells
        Any dataframe, one row per firm, or one per cell with a column `n`.

    Returns
    -------
    Polars frame: region, industry, n, expected, lq, lq_shrunk, lq_low, lq_high, varies (text), sorted.

    Raises
    ------
    MeasureInputError
        JQ-USE-003: a column is missing. JQ-ATLAS-010: a share is not in [0, 0.99].

    Source: Marshall (1991), Journal of the Royal Statistical Society C 40(2), 283–294.

    Examples
    --------
    >>> firms = pl.DataFrame({"region": ["A"] * 40 + ["B"] * 60, "industry": ["x"] * 30 + ["y"] * 70})
    >>> row = location_quotient_interval(firms, coverage=0.9, misclassified=0.05).row(0, named=True)
    >>> row["lq_low"] < row["lq"] < row["lq_high"], row["varies"]
    (True, 'coverage 90 %, misclassified 5 %')
    """
    shares = {
        "1 - coverage": 1 - coverage,
        "misclassified": misclassified,
        "misplaced": misplaced,
        "1 - level": 1 - level,
    }
    for name, share in shares.items():
        if not 0 <= share <= MOST_WRONG:
            raise MeasureInputError("JQ-ATLAS-010", name=name, value=share, most=MOST_WRONG)
    frame = as_polars(cells, region, industry)
    size = "n" if "n" in frame.columns else None
    table = (
        as_polars(location_quotient(frame, region=region, industry=industry, size=size))
        .sort(region, industry)
        .with_columns(pl.col("n").cast(pl.Float64))
    )
    r, i = (table[name].rank("dense").cast(pl.Int64).to_numpy() - 1 for name in (region, industry))
    n = table["n"].to_numpy()
    expected = np.bincount(r, n)[r] * np.bincount(i, n)[i] / max(n.sum(), 1.0)
    table = table.with_columns(expected=pl.Series(expected), lq_shrunk=pl.Series(marshall(n, expected, i)))
    parts = [
        f"coverage {coverage:.0%}".replace("%", " %") if coverage < 1 else "",
        f"misclassified {misclassified:.0%}".replace("%", " %") if misclassified else "",
        f"misplaced {misplaced:.0%}".replace("%", " %") if misplaced else "",
    ]
    varies = ", ".join(filter(None, parts)) or None
    low = high = np.full(len(n), np.nan)
    if varies:
        sims = _simulated(n, r, i, coverage, misclassified, misplaced, draws, np.random.default_rng(seed))
        low, high = np.nanquantile(sims, [(1 - level) / 2, (1 + level) / 2], axis=0)
    return table.select(
        region,
        industry,
        pl.col("n").cast(pl.Int64),
        "expected",
        "lq",
        "lq_shrunk",
        lq_low=pl.Series(low, nan_to_null=True),
        lq_high=pl.Series(high, nan_to_null=True),
        varies=pl.lit(varies, pl.String),
    )


def checked_cells(cells: Any, region: str, industry: str, size: str | None) -> tuple[Any, str]:
    """Rows as a Narwhals frame of region, industry and size, none of the first two null; the name of the size column."""
    frame = nw.from_native(cells)
    names = frame.collect_schema().names()
    require_columns(names, region, industry, *([size] if size else []))
    if len({region, industry, size}) < 3:
        raise MeasureInputError("JQ-ATLAS-012", columns=f"{region}, {industry}, {size}")
    value = size or "n"
    if size is not None and not frame.collect_schema()[size].is_numeric():
        raise MeasureInputError("JQ-ATLAS-016", column=size, type=frame.collect_schema()[size])
    frame = frame.drop_nulls([region, industry])
    if size is None:
        frame = frame.with_columns(n=nw.lit(1))
    elif isinstance(frame, nw.DataFrame):
        negative = frame.with_row_index("_row").filter(nw.col(size) < 0)
        if len(negative):
            raise MeasureInputError("JQ-ATLAS-009", column=size, row=negative["_row"][0], value=negative[size][0])
        if frame.collect_schema()[size].is_float():
            endless = frame.with_row_index("_row").filter(~nw.col(size).is_null(), ~nw.col(size).is_finite())
            if len(endless):
                raise MeasureInputError("JQ-ATLAS-034", column=size, row=endless["_row"][0], value=endless[size][0])
    return frame.select(region, industry, value), value


def region_industry_cells(cells: Any, region: str, industry: str, size: str | None) -> tuple[Any, str]:
    """Cells as a Narwhals frame of region, industry and summed size; the name of the size column."""
    frame, value = checked_cells(cells, region, industry, size)
    return frame.group_by(region, industry).agg(nw.col(value).sum()), value


def marshall(n: Floats, expected: Floats, industry: Integers) -> Floats:
    """Marshall's global empirical Bayes estimate of n / expected within each industry; NaN where nothing is expected."""
    good = expected > 0
    x = np.divide(n, expected, out=np.full(len(n), np.nan), where=good)
    weight = np.where(good, expected, 0.0)
    held = np.bincount(industry, weight)
    regions = np.bincount(industry, good)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = np.bincount(industry, np.where(good, n, 0.0)) / held
        variance = np.bincount(industry, weight * np.where(good, (x - mean[industry]) ** 2, 0.0)) / held
        between = np.maximum(0.0, variance - mean / (held / regions))[industry]
        m = mean[industry]
        shrunk: Floats = m + between / (between + m / expected) * (x - m)
    return shrunk


def _simulated(
    n: Floats,
    r: Integers,
    i: Integers,
    coverage: float,
    misclassified: float,
    misplaced: float,
    draws: int,
    rng: np.random.Generator,
) -> Floats:
    """Location quotients of registers that could be true, shape (draws, cells)."""
    stay = (1 - misclassified) * (1 - misplaced)
    blurred = np.bincount(r, n)[r] * np.bincount(i, n)[i] / max(n.sum(), 1.0)
    true = np.maximum(0.0, (n - (1 - stay) * blurred) / stay)
    genuine = np.minimum(1.0, np.divide(stay * true, n, out=np.zeros(len(n)), where=n > 0))
    result: Floats = np.full((draws, len(n)), np.nan)
    for d in range(draws):
        kept = rng.binomial(n.astype(np.int64), genuine)
        missing = rng.negative_binomial(np.maximum(kept, 1), stay * coverage) if stay * coverage < 1 else 0
        count = (kept + missing * (kept > 0)).astype(np.float64)
        both = np.bincount(r, count)[r] * np.bincount(i, count)[i]
        np.divide(count * count.sum(), both, out=result[d], where=both > 0)
    return result
