"""How an industry is spread over regions 产业集聚: Ellison–Glaeser, locational Gini; and its growth: shift-share.

Input is a table of plants or of region × industry cells of one classification edition. Functions return null for
"no data", never 0, and nothing here reads files or draws.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import narwhals as nw
import numpy as np
import polars as pl

from jiqun.atlas import _throw_kernels
from jiqun.atlas.measures import region_industry_cells
from jiqun.core.errors import MeasureInputError
from jiqun.core.frames import as_polars

DRAWS = 9_999
"""Most throws of an industry's plants."""
_ENOUGH = 100
"""Throws as concentrated as the industry after which its p is told: it is then known to a tenth of itself."""
_TOTAL, _GROUP = "_total", "_group"


@dataclass(frozen=True)
class EllisonGlaeser:
    """Concentration of one industry beyond that of its plants and of all activity; see `ellison_glaeser`."""

    gamma: float | None
    """γ; null where the industry has one plant, or all activity lies in one region."""
    g: float
    """Raw concentration Σ (s − x)²."""
    herfindahl: float
    """Σ z² over plants: 1 / plants where all are equal."""
    expected_g: float
    """G of plants thrown at random: (1 − Σ x²) H."""
    variance_g: float
    """Of the same throws."""
    p: float | None
    """Probability that plants thrown at random are at least as concentrated; null where γ is."""
    plants: int
    regions: int
    """With activity of any kind."""


def ellison_glaeser(
    plants: Any,
    *,
    totals: Any,
    region: str = "region",
    size: str | None = None,
    draws: int = DRAWS,
    seed: int = 20240501,
) -> EllisonGlaeser:
    """Ellison–Glaeser index γ of one industry 埃利森–格莱泽集聚指数: concentration beyond what few large plants explain.

        G = Σ_r (s_r − x_r)²,   H = Σ_j z_j²,   γ = (G − (1 − Σ x²) H) / ((1 − Σ x²)(1 − H))

    with s_r the industry's share of size in region r, x_r the share of all activity, z_j a plant's share of the industry.
    Plants thrown at random, each into r with probability x_r, have γ = 0 on average, and

        Var G = 2 {H² [Σx² − 2Σx³ + (Σx²)²] − Σz⁴ [Σx² − 4Σx³ + 3(Σx²)²]}

    G is skewed to the right, so p comes from throws themselves, not from a normal curve:

        p = (1 + throws with G at least that) / (1 + draws),   or 100 / throws where 100 such have come before the last

    and from Cantelli's bound Var G / (Var G + (G − E G)²) where that is below 1 / (1 + draws). Each is valid: under the null
    p ≤ a with probability at most a.

    Parameters
    ----------
    plants
        Any dataframe, one row per plant (or firm) of the industry.
    totals
        Any dataframe with all activity by region: `region` and one more column, its size >= 0. Matched by the regions'
        *names*, whatever their order; regions may repeat.
    region
        The column that names the region, in both.
    size
        Column of plant sizes > 0, such as persons 从业人数; plants with none are left out. None counts each as one.
    draws, seed
        Most throws, and what they are drawn from.

    Returns
    -------
    `EllisonGlaeser`. γ below 0 is spread wider than chance; the authors call 0.05 and more strongly concentrated.

    Raises
    ------
    MeasureInputError
        JQ-USE-003: a column is missing. JQ-ATLAS-009: a size is negative. JQ-ATLAS-021: `totals` lacks a region that
        has plants, names it. JQ-ATLAS-022: no plants, or the totals are zero. JQ-ATLAS-023: `totals` has not one
        column of sizes. JQ-ATLAS-026: draws are below 1.

    Notes
    -----
    Cost: plants · throws. Plants of one firm are not independent, nor are regions cut at random: γ depends on their size and borders.
    Sources: Ellison and Glaeser (1997), Journal of Political Economy 105(5), 889–927; stopping early: Besag and Clifford
    (1991), Biometrika 78(2), 301–304.

    Examples
    --------
    >>> plants = pl.DataFrame({"region": ["A"] * 4 + ["B"] * 2})
    >>> activity = pl.DataFrame({"region": ["B", "A"], "employees": [50, 50]})
    >>> found = ellison_glaeser(plants, totals=activity)
    >>> round(found.gamma, 4), round(found.expected_g, 4)
    (-0.0667, 0.0833)
    """
    table = ellison_glaeser_by(plants, totals=totals, region=region, industry=None, size=size, draws=draws, seed=seed)
    return EllisonGlaeser(**table.row(0, named=True))


def ellison_glaeser_by(
    plants: Any,
    *,
    totals: Any,
    region: str = "region",
    industry: str | None = "industry",
    size: str | None = None,
    draws: int = DRAWS,
    seed: int = 20240501,
) -> pl.DataFrame:
    """Ellison–Glaeser index of every industry of a table of plants 各行业的集聚指数; see `ellison_glaeser`.

    With many industries take some 25 draws for each, so that one alone can stand out from all by its q.

    Returns
    -------
    Polars frame, one row an industry, sorted by name: industry (absent where `industry` is None), gamma, g, herfindahl,
    expected_g, variance_g, p, plants, regions.

    Examples
    --------
    >>> plants = pl.DataFrame({"region": ["A", "A", "B", "B"], "industry": ["x", "x", "x", "y"]})
    >>> activity = pl.DataFrame({"region": ["A", "B"], "firms": [60, 40]})
    >>> ellison_glaeser_by(plants, totals=activity).select("industry", pl.col("gamma").round(4), "plants").rows()
    [('x', -0.4722, 3), ('y', None, 1)]
    """
    names = [region, *([industry] if industry else []), *([size] if size else [])]
    if len(set(names)) < len(names):
        raise MeasureInputError("JQ-ATLAS-012", columns=", ".join(names))
    if draws < 1:
        raise MeasureInputError("JQ-ATLAS-026", what="draws", value=draws)
    own = as_polars(plants, *names).select(names).drop_nulls([region, *([industry] if industry else [])])
    if size is not None:
        own = checked_sizes(own, size).filter(pl.col(size) > 0)
    if own.is_empty():
        raise MeasureInputError("JQ-ATLAS-022")
    share = _activity(totals, region)
    missing = own.select(region).unique().join(share, on=region, how="anti").sort(region)
    if missing.height:
        raise MeasureInputError("JQ-ATLAS-021", region=missing.row(0)[0], count=missing.height)
    x = share["x"].to_numpy()
    x2, x3 = float((x**2).sum()), float((x**3).sum())
    weight = pl.lit(1.0) if size is None else pl.col(size).cast(pl.Float64)
    by = [industry] if industry else [_GROUP]
    own = own.select(region, *([industry] if industry else [pl.lit(0).alias(_GROUP)]), z=weight)
    own = own.with_columns(z=pl.col("z") / pl.col("z").sum().over(by))
    whole = own.group_by(by).agg(
        herfindahl=(pl.col("z") ** 2).sum(), fourth=(pl.col("z") ** 4).sum(), plants=pl.len().cast(pl.Int64)
    )
    here = own.group_by(*by, region).agg(s=pl.col("z").sum()).join(share, on=region)
    # regions without the industry add x²: that of all regions less that of those with it
    raw = here.group_by(by).agg(((pl.col("s") - pl.col("x")) ** 2 - pl.col("x") ** 2).sum().alias("g"))
    h, g = pl.col("herfindahl"), pl.col("g")
    spread = 2 * (h**2 * (x2 - 2 * x3 + x2**2) - pl.col("fourth") * (x2 - 4 * x3 + 3 * x2**2))
    table = (
        whole.join(raw, on=by)
        .with_columns(g=g + x2)
        .with_columns(expected_g=(1 - x2) * h, variance_g=pl.max_horizontal(spread, pl.lit(0.0)))
        .with_columns(
            gamma=pl.when((h < 1) & (x2 < 1)).then((g - pl.col("expected_g")) / ((1 - x2) * (1 - h))),
            regions=pl.lit(share.height, pl.Int64),
        )
        .sort(by)
    )
    excess, variance = (table["g"] - table["expected_g"]).to_numpy(), table["variance_g"].to_numpy()
    bound = np.divide(variance, variance + excess**2, out=np.ones(len(excess)), where=excess > 0)
    sizes = own.sort("z", descending=True).group_by(by).agg("z").sort(by)["z"]
    p = _thrown(sizes, x, (table["g"] - x2).to_numpy(), bound, draws, seed)
    table = table.with_columns(p=pl.when(pl.col("gamma").is_not_null()).then(pl.Series(p)))
    columns = ("gamma", "g", "herfindahl", "expected_g", "variance_g", "p", "plants", "regions")
    return table.select(*([industry] if industry else []), *columns)


def _thrown(sizes: pl.Series, x: Any, observed: Any, bound: Any, draws: int, seed: int) -> list[float]:
    """Chance of each industry that plants of its `sizes`, thrown over regions, have at least Σ s² − 2 Σ s x."""
    upper = np.cumsum(x)
    upper[-1] = 1.0
    guide = np.searchsorted(upper, np.arange(4 * len(x)) / (4 * len(x)), side="right")

    def thrown(k: int) -> float:
        if bound[k] * (draws + 1) <= 1:
            return float(bound[k])
        z = sizes[k].to_numpy()
        own_seed = int(np.random.SeedSequence([seed, k]).generate_state(1)[0])
        reached, made = _throw_kernels.thrown_at_least(z, x, upper, guide, observed[k], draws, _ENOUGH, own_seed)
        return reached / made if reached == _ENOUGH else (reached + 1) / (made + 1)

    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        return list(pool.map(thrown, range(len(sizes))))


def _activity(totals: Any, region: str) -> pl.DataFrame:
    """Shares of all activity by region: region, x (> 0, adding to 1)."""
    frame = as_polars(totals, region)
    sizes = [name for name in frame.columns if name != region]
    if len(sizes) != 1:
        raise MeasureInputError("JQ-ATLAS-023", columns=", ".join(frame.columns), region=region)
    frame = checked_sizes(frame.drop_nulls(), sizes[0])
    share = frame.group_by(region).agg(pl.col(sizes[0]).sum().cast(pl.Float64).alias("x")).filter(pl.col("x") > 0)
    if share.is_empty():
        raise MeasureInputError("JQ-ATLAS-022")
    return share.with_columns(pl.col("x") / pl.col("x").sum()).sort("x", region, descending=[True, False])


def checked_sizes(frame: pl.DataFrame, *columns: str) -> pl.DataFrame:
    """The frame, refused where a column of sizes holds no numbers or a negative one.

    Raises
    ------
    MeasureInputError
        JQ-ATLAS-016: not numbers. JQ-ATLAS-009: negative, with the first such row.
    """
    for column in columns:
        if not frame.schema[column].is_numeric():
            raise MeasureInputError("JQ-ATLAS-016", column=column, type=frame.schema[column])
        negative = (frame[column] < 0).fill_null(value=False)
        if negative.any():
            row = negative.arg_true()[0]
            raise MeasureInputError("JQ-ATLAS-009", column=column, row=row, value=frame[column][row])
    return frame


def gini(
    cells: Any, *, region: str = "region", industry: str = "industry", size: str | None = "employees"
) -> pl.DataFrame:
    """Gini coefficients of every industry over regions 基尼系数: how unevenly it is spread.

        gini[i] = (2 Σ_k k e_(k)) / (n Σ_k e_(k)) − (n + 1) / n       over the n regions, sizes in rising order
        locational_gini[i] = 1 − Σ_k (S_k + S_(k−1)) x_(k)            regions by rising s / x

    The first compares the industry with regions of equal size; the second, with shares s of the industry against shares x
    of all industries and S the running sum of s, asks whether it lies elsewhere than the rest. 0 is even, and 1 is the
    limit of all in one place. (Krugman halves the second.)

    Parameters as in `location_quotient`; regions are those that have anything at all, also where an industry is absent.

    Returns
    -------
    Polars frame sorted by industry: industry, size, regions (with the industry), gini, locational_gini; null where the
    industry's total is 0.

    Source: Krugman (1991), Geography and Trade, MIT Press, 55–58; Gini's formula after Dixon et al. (1987), Ecology 68(5).

    Examples
    --------
    >>> cells = pl.DataFrame({"region": ["A", "B"] * 2, "industry": ["x", "x", "y", "y"], "employees": [9, 1, 5, 5]})
    >>> gini(cells).select("industry", pl.col("gini", "locational_gini").round(4)).rows()
    [('x', 0.4, 0.2), ('y', 0.0, 0.2)]
    """
    table, value = region_industry_cells(cells, region, industry, size)
    held = as_polars(table.to_native(), region, industry, value).with_columns(pl.col(value).cast(pl.Float64))
    whole = held.group_by(region).agg(pl.col(value).sum().alias(_TOTAL)).filter(pl.col(_TOTAL) > 0)
    n, everything = max(whole.height, 1), whole[_TOTAL].sum()
    some = held.filter(pl.col(value) > 0).join(whole, on=region)
    # regions without the industry stand first in either order and add nothing but their number, and their share of x
    k = pl.col(value).rank("ordinal").over(industry) + n - pl.len().over(industry)
    some = some.with_columns(_k=k.cast(pl.Float64)).sort(pl.col(value) / pl.col(_TOTAL))
    s = pl.col(value) / pl.col(value).sum().over(industry)
    running = s.cum_sum().over(industry)
    some = some.with_columns(_area=(2 * running - s) * pl.col(_TOTAL) / everything)
    found = some.group_by(industry).agg(
        pl.col(value).sum(),
        regions=pl.len().cast(pl.Int64),
        gini=2 * (pl.col("_k") * pl.col(value)).sum() / (n * pl.col(value).sum()) - (n + 1) / n,
        locational_gini=1 - pl.col("_area").sum(),
    )
    names = held.group_by(industry).agg(pl.col(value).sum())
    found = names.join(found.drop(value), on=industry, how="left").with_columns(pl.col("regions").fill_null(0))
    return found.sort(industry)


def shift_share(
    cells: Any, *, region: str = "region", industry: str = "industry", before: str = "before", after: str = "after"
) -> Any:
    """Shift-share decomposition 偏离–份额分析 of the change of every region × industry cell.

        national   = e g                         g:   growth of everything
        mix        = e (g_i − g)                 g_i: growth of the industry over all regions
        regional   = e' − e (1 + g_i)            what is left: the region's own
        national + mix + regional = e' − e

    Parameters
    ----------
    cells
        Any dataframe, eager or lazy; one row per cell or finer (rows are summed).
    before, after
        Columns of sizes >= 0 at the two dates, e and e'.

    Returns
    -------
    The same kind of dataframe: region, industry, before, after, change, national, mix, regional, in the unit of the
    sizes. An industry that nobody had before has no growth: its mix and regional are null.

    Raises
    ------
    MeasureInputError
        JQ-USE-003: a column is missing. JQ-ATLAS-009: a size is negative (eager frames only). JQ-ATLAS-012: columns are
        not four different ones.

    Notes
    -----
    An accounting identity, not a cause: the regional part changes with the detail of the industries and with the base year.
    Source: Dunn (1960), Papers and Proceedings of the Regional Science Association 6, 97–112.

    Examples
    --------
    >>> cells = pl.DataFrame({"region": ["A", "B"], "industry": ["x", "x"], "before": [100, 100], "after": [175, 125]})
    >>> shift_share(cells).sort("region").select("change", "national", "mix", "regional").rows()
    [(75, 50.0, 0.0, 25.0), (25, 50.0, 0.0, -25.0)]
    """
    if len({region, industry, before, after}) < 4:
        raise MeasureInputError("JQ-ATLAS-012", columns=f"{region}, {industry}, {before}, {after}")
    first, _ = region_industry_cells(cells, region, industry, before)
    second, _ = region_industry_cells(cells, region, industry, after)
    table = first.join(second, on=[region, industry])
    e, later = nw.col(before), nw.col(after)
    table = table.with_columns(
        _then=e.sum(), _now=later.sum(), _industry_then=e.sum().over(industry), _industry_now=later.sum().over(industry)
    )
    growth = nw.when(nw.col("_then") > 0).then(nw.col("_now") / nw.col("_then") - 1)
    own = nw.when(nw.col("_industry_then") > 0).then(nw.col("_industry_now") / nw.col("_industry_then") - 1)
    table = table.with_columns(_g=growth, _g_i=own)
    return table.select(
        region,
        industry,
        before,
        after,
        change=later - e,
        national=e * nw.col("_g"),
        mix=e * (nw.col("_g_i") - nw.col("_g")),
        regional=later - e * (1 + nw.col("_g_i")),
    ).to_native()
