"""Homogeneous competition 同质竞争: do regions have the same industries, and is that more than their sizes make likely.

Two questions, kept apart. *Alike*: how much of their mix two regions have in common, against tables in which no region has a
profile of its own but every region and industry keeps its size (fixed margins). *Same specialities*: whether what one
region has beyond its margins the other has too; two large regions that have a bit of everything are alike and have none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import polars as pl
from scipy.stats import kendalltau, random_table, theilslopes

from jiqun.assess.ailments import _throw_kernels
from jiqun.assess.findings import Finding, Severity
from jiqun.atlas.areal import benjamini_hochberg
from jiqun.atlas.measures import checked_cells
from jiqun.core.arrays import Floats, Integers
from jiqun.core.document import Text
from jiqun.core.errors import MeasureInputError
from jiqun.core.frames import as_polars
from jiqun.core.progress import Progress, silent

Judgement = Literal["same specialities", "not told apart", "differ"]
LEVEL = 0.05
LEAST_REGION, LEAST_INDUSTRY = 30, 5
"""Regions and industries with fewer firms are left out: one firm would decide what they have in common."""
MOST_REGIONS = 30
"""The largest are compared: pairs grow with the square, and with them the throws that one pair needs to stand out."""
MOST_THROWS = 59_999
BANDED = 4_999
"""Of the throws, so many give the bands of S; all give the p-values."""
BOOTSTRAP = 199
CAUSES = 8
"""Industries named for each pair."""
HIGH_SHARE, MEDIUM_PAIRS = 1 / 3, 2
"""Ours: a region is a high case where it shares its specialities with so many of those compared, a medium one with so many."""
LEAST_PERIODS = 5
"""With fewer, no trend has a p below 0.05."""
_BATCH = 4_000_000
_SAME = 1e-12
PAIR = {
    "region_a": pl.String, "region_b": pl.String, "firms_a": pl.Int64, "firms_b": pl.Int64, "krugman": pl.Float64,
    "cosine": pl.Float64, "finger_kreinin": pl.Float64, "expected": pl.Float64, "band_low": pl.Float64,
    "band_high": pl.Float64, "p_apart": pl.Float64, "shared": pl.Float64, "shared_low": pl.Float64,
    "shared_high": pl.Float64, "shared_expected": pl.Float64, "p": pl.Float64, "q": pl.Float64, "judgement": pl.String,
}  # fmt: skip
CAUSE = {
    "region_a": pl.String, "region_b": pl.String, "industry": pl.String, "firms_a": pl.Int64, "expected_a": pl.Float64,
    "firms_b": pl.Int64, "expected_b": pl.Float64, "contribution": pl.Float64,
}  # fmt: skip


@dataclass(frozen=True)
class Homogeneity:
    """How alike regions are 同质性, pair by pair (`PAIR`), through which industries (`CAUSE`), and over all pairs.

    `mean`: mean Finger–Kreinin similarity; `expected`, `low`, `high`: of the thrown tables; `p_apart`: chance that thrown
    tables are no more alike than the regions are. `least_q`: the smallest q that a single pair could reach with so many throws.
    """

    pairs: pl.DataFrame
    causes: pl.DataFrame
    mean: float
    expected: float
    low: float
    high: float
    p_apart: float
    regions: tuple[str, ...]
    industries: int
    firms: int
    throws: int
    least_q: float
    left_out: tuple[str, ...]


def benjamini_yekutieli(p: Any) -> Floats:
    """p-values adjusted for the false-discovery rate under any dependence 任意相依下的错误发现率校正; NaN stays NaN.

        q_(k) = min_{j >= k} (m H_m / j) p_(j),   H_m = Σ 1/j

    Source: Benjamini and Yekutieli (2001), Annals of Statistics 29(4), 1165–1188.

    Examples
    --------
    >>> benjamini_yekutieli([0.01, 0.02, 0.5]).round(4).tolist()
    [0.055, 0.055, 0.9167]
    """
    raw = np.asarray(p, dtype=np.float64)
    many = int((~np.isnan(raw)).sum())
    whole = float((1 / np.arange(1, many + 1)).sum())
    adjusted: Floats = np.minimum(1.0, benjamini_hochberg(raw) * whole)
    return adjusted


def homogeneity(
    cells: Any,
    *,
    region: str = "region",
    industry: str = "industry",
    size: str | None = None,
    throws: int | None = None,
    bootstrap: int = BOOTSTRAP,
    most: int = MOST_REGIONS,
    seed: int = 20240501,
    progress: Progress = silent,
) -> Homogeneity:
    """Similarity of the industry mix of regions 产业同构度 against tables with the same margins.

        Finger–Kreinin S = Σ_i min(s[a, i], s[b, i])        Krugman K = Σ_i |s[a, i] − s[b, i]| = 2 − 2 S
        cosine C = Σ_i s[a, i] s[b, i] / (|s[a]| |s[b]|)
        shared specialities R = Σ_i z[a, i] z[b, i] / (|z[a]| |z[b]|),   z = (n − e) / √e,   e[r, i] = n[r, ·] n[·, i] / n

    s are shares of an industry in its region, n firms, e what the margins alone make likely.

    Parameters
    ----------
    cells
        Any dataframe: a row per firm (`size` None), or per cell with whole numbers of firms in `size`.
    throws
        Random tables with the same row and column sums. None: as many as one pair needs to stand out from all, at least
        999 and at most 59,999.
    bootstrap
        Samples of firms, drawn within their regions, for the interval of R (95 %); 0: none.
    most
        Compared are so many of the largest regions.

    Returns
    -------
    `Homogeneity`. `p_apart` of a pair: (b + 1) / (throws + 1), b the throws whose S is at most as high; `p`: the same for R at
    least as high; `q`: `p` adjusted over all pairs (Benjamini and Yekutieli 2001). `judgement`: *same specialities* where
    q < 0.05; *not told apart* where their mixes differ no more than chance lets them (p_apart >= 0.05); else *differ*. R is null
    where a region has nothing beyond its margins. `contribution` of an industry: its term of R.

    Raises
    ------
    MeasureInputError
        JQ-ASSESS-080: fewer than three regions or industries are left. JQ-ASSESS-081: sizes are not whole numbers. As
        `location_quotient` of unusable cells.

    Notes
    -----
    Under fixed margins every region has the overall mix, so S of regions with profiles of their own lies *below* what is
    expected: it can say that regions cannot be told apart, not that two of them do the same special things, which R does. In
    resampled tables chance adds to z, so that the interval of R is drawn towards 0. With two regions R is −1 whatever they do.
    Sources: Finger and Kreinin (1979), Economic Journal 89, 905–912; Krugman (1991), Geography and Trade; Patefield (1981),
    Applied Statistics 30, 91–97, for the throws; that R is what should be tested is ours.

    Examples
    --------
    >>> special = {"A": "mnop", "B": "mnop", "C": "qrst", "D": "uvwx"}
    >>> rows = [(r, i, 30 if i in special[r] else 5) for r in special for i in "mnopqrstuvwx"]
    >>> found = homogeneity(pl.DataFrame(rows, schema=["region", "industry", "n"], orient="row"), size="n", bootstrap=0)
    >>> found.pairs.filter(judgement="same specialities").select("region_a", "region_b", "krugman").rows()
    [('A', 'B', 0.0)]
    """
    table = _table(cells, region, industry, size, most)
    n, one, other = table.n, *np.triu_indices(table.n.shape[0], 1)
    pairs = one.size
    whole = float((1 / np.arange(1, pairs + 1)).sum())
    if throws is None:
        throws = min(MOST_THROWS, max(999, int(np.ceil(pairs * whole / LEVEL))))
    elif throws < 1:
        raise MeasureInputError("JQ-ASSESS-054", what="throws", value=throws, expected=">= 1")
    same, alike, shared = _measures(n, table.expected, one, other)
    drawn = random_table(n.sum(axis=1), n.sum(axis=0), seed=np.random.default_rng(seed))
    below, above = np.zeros(pairs, np.int64), np.zeros(pairs, np.int64)
    sums, shared_sums = np.zeros(pairs), np.zeros(pairs)
    kept = np.empty((min(throws, BANDED), pairs))
    means = np.empty(throws)
    done = 0
    while done < throws:
        for thrown in drawn.rvs(min(throws - done, max(1, _BATCH // n.size))):
            s, _, r = _measures(thrown, table.expected, one, other)
            below += s <= same + _SAME
            above += np.nan_to_num(r, nan=0.0) >= shared - _SAME
            sums += s
            shared_sums += np.nan_to_num(r, nan=0.0)
            means[done] = s.mean()
            if done < BANDED:
                kept[done] = s
            done += 1
        progress("random tables", done, throws)
    band = np.quantile(kept, [LEVEL / 2, 1 - LEVEL / 2], axis=0)
    p = np.where(np.isnan(shared), np.nan, (above + 1) / (throws + 1))
    q = benjamini_yekutieli(p)
    apart = (below + 1) / (throws + 1)
    low, high = _interval(table, one, other, bootstrap, seed)
    total = n.sum(axis=1)
    judged = np.where(q < LEVEL, "same specialities", np.where(apart >= LEVEL, "not told apart", "differ"))
    frame = pl.DataFrame(
        {
            "region_a": [table.regions[i] for i in one], "region_b": [table.regions[i] for i in other],
            "firms_a": total[one], "firms_b": total[other], "krugman": 2 - 2 * same, "cosine": alike,
            "finger_kreinin": same, "expected": sums / throws, "band_low": band[0], "band_high": band[1],
            "p_apart": apart, "shared": shared, "shared_low": low, "shared_high": high,
            "shared_expected": shared_sums / throws, "p": p, "q": q, "judgement": judged.tolist(),
        },
        schema=PAIR, nan_to_null=True,
    )  # fmt: skip
    bounds = np.quantile(means, [LEVEL / 2, 1 - LEVEL / 2])
    mean = float(same.mean())
    return Homogeneity(
        frame.sort("q", pl.col("shared").neg(), "region_a", "region_b", nulls_last=True),
        _causes(table, one, other),
        mean, float(means.mean()), float(bounds[0]), float(bounds[1]),
        (int((means <= mean + _SAME).sum()) + 1) / (throws + 1),
        table.regions, n.shape[1], int(n.sum()), throws, min(1.0, pairs * whole / (throws + 1)), table.left_out,
    )  # fmt: skip


def similarity_trend(
    cells: Any,
    *,
    period: str = "period",
    region: str = "region",
    industry: str = "industry",
    size: str | None = None,
    throws: int = 199,
    seed: int = 20240501,
) -> pl.DataFrame:
    """Mean similarity of regions over periods 同构度变化, over the regions and industries that every period has.

        differentiation = 1 − S̄ / S̄₀,   S̄₀: mean of tables with the same margins

    Parameters and errors as in `homogeneity`, with the column of `period` (sorts by time).

    Returns
    -------
    Polars frame: period, firms, similarity (S̄), expected (S̄₀), differentiation, and the same in every row: `slope` of
    differentiation a period (Theil–Sen) and `p` of no trend (Kendall, exact), null with fewer than five periods.

    Examples
    --------
    >>> rows = [(y, r, i, 30 + s * (5 + y)) for y in range(5) for r, i, s in
    ...     [("A", "x", 1), ("A", "y", -1), ("A", "z", 0), ("B", "x", -1), ("B", "y", 1), ("B", "z", 0), ("C", "x", 0),
    ...      ("C", "y", 0), ("C", "z", 0)]]
    >>> told = similarity_trend(pl.DataFrame(rows, schema=["period", "region", "industry", "n"], orient="row"), size="n")
    >>> told["slope"][0] > 0
    True
    """
    table = as_polars(cells, period, region, industry, *([size] if size else [])).drop_nulls([period, region, industry])
    periods = table[period].unique().sort().to_list()
    for column, least in ((region, LEAST_REGION), (industry, LEAST_INDUSTRY)):
        many = pl.col(size).sum() if size else pl.len()
        there = table.group_by(column, period).agg(n=many).filter(pl.col("n") >= least)
        always = there.group_by(column).len().filter(pl.col("len") == len(periods))
        table = table.filter(pl.col(column).is_in(always[column].implode()))
    rows = []
    for at in periods:
        found = homogeneity(
            table.filter(pl.col(period) == at), region=region, industry=industry, size=size, throws=throws, bootstrap=0,
            seed=seed,
        )  # fmt: skip
        rows.append((at, found.firms, found.mean, found.expected, 1 - found.mean / found.expected))
    names = ["period", "firms", "similarity", "expected", "differentiation"]
    told = pl.DataFrame(rows, schema=names, orient="row")
    slope, p = None, None
    if len(rows) >= LEAST_PERIODS:
        x, y = np.arange(len(rows)), told["differentiation"].to_numpy()
        slope = float(theilslopes(y, x).slope)
        p = float(kendalltau(x, y, method="exact").pvalue) if np.unique(y).size == y.size else None
    return told.with_columns(slope=pl.lit(slope, pl.Float64), p=pl.lit(p, pl.Float64))


@dataclass(frozen=True)
class _Cells:
    """Regions × industries in numbers of firms, without empty rows and columns."""

    n: Integers
    regions: tuple[str, ...]
    industries: tuple[str, ...]
    left_out: tuple[str, ...]

    @property
    def expected(self) -> Floats:
        e: Floats = np.outer(self.n.sum(axis=1), self.n.sum(axis=0)) / self.n.sum()
        return e


def _table(cells: Any, region: str, industry: str, size: str | None, most: int) -> _Cells:
    rows, value = checked_cells(cells, region, industry, size)
    held = as_polars(rows.to_native(), region, industry, value).filter(pl.col(value) > 0)
    if held.schema[value].is_float():
        odd = held.filter(pl.col(value) != pl.col(value).round())
        if odd.height:
            raise MeasureInputError("JQ-ASSESS-081", column=size, value=odd[value][0])
    counts = held.group_by(pl.col(region, industry).cast(pl.String)).agg(n=pl.col(value).cast(pl.Int64).sum())
    dropped: list[str] = []
    while True:  # leaving out a region may make an industry rare, and the other way round
        few = counts.filter(pl.col("n").sum().over(industry) < LEAST_INDUSTRY)[industry].unique()
        small = counts.filter(pl.col("n").sum().over(region) < LEAST_REGION)[region].unique()
        if not len(few) and not len(small):
            break
        dropped += small.sort().to_list()
        counts = counts.filter(~pl.col(industry).is_in(few.implode()), ~pl.col(region).is_in(small.implode()))
    order = counts.group_by(region).agg(pl.col("n").sum()).sort("n", region, descending=[True, False])
    chosen = order[region].head(most)
    dropped += order[region].slice(most).to_list()
    wide = counts.filter(pl.col(region).is_in(chosen.implode()))
    regions, industries = tuple(chosen.sort()), tuple(wide[industry].unique().sort())
    if len(regions) < 3 or len(industries) < 3:
        raise MeasureInputError(
            "JQ-ASSESS-080", regions=len(regions), industries=len(industries), least=LEAST_REGION, few=LEAST_INDUSTRY
        )
    n = np.zeros((len(regions), len(industries)), np.int64)
    at = {name: i for i, name in enumerate(regions)}, {name: i for i, name in enumerate(industries)}
    r, i = (
        wide[c].replace_strict(places, return_dtype=pl.Int64).to_numpy()
        for c, places in zip((region, industry), at, strict=True)
    )
    n[r, i] = wide["n"].to_numpy()
    return _Cells(n, regions, industries, tuple(dropped))


def _measures(n: Integers, expected: Floats, one: Integers, other: Integers) -> tuple[Floats, Floats, Floats]:
    """S, C and R of each pair."""
    shares = n / n.sum(axis=1, keepdims=True)
    z = (n - expected) / np.sqrt(expected)
    return (
        _throw_kernels.overlaps(shares, one, other),
        _throw_kernels.cosines(shares, one, other),
        _throw_kernels.cosines(np.where(np.abs(z) < _SAME, 0.0, z), one, other),
    )


def _interval(table: _Cells, one: Integers, other: Integers, draws: int, seed: int) -> tuple[Floats, Floats]:
    """Bounds of R over firms drawn within their regions."""
    if not draws:
        nothing = np.full(one.size, np.nan)
        return nothing, nothing
    rng = np.random.default_rng([seed, 1])
    total = table.n.sum(axis=1)
    shares = table.n / total[:, None]
    drawn = np.empty((draws, one.size))
    for draw in range(draws):
        sample = _Cells(rng.multinomial(total, shares), table.regions, table.industries, ())
        expected = sample.expected
        there = expected[0] > 0
        drawn[draw] = _measures(sample.n[:, there], expected[:, there], one, other)[2]
    known = ~np.isnan(drawn).all(axis=0)
    low, high = np.full((2, one.size), np.nan)
    if known.any():
        low[known], high[known] = np.nanquantile(drawn[:, known], [LEVEL / 2, 1 - LEVEL / 2], axis=0)
    return low, high


def _causes(table: _Cells, one: Integers, other: Integers) -> pl.DataFrame:
    """The industries that both regions of a pair have more of than the margins make likely, those that add most to R first."""
    expected = table.expected
    z = (table.n - expected) / np.sqrt(expected)
    length = np.sqrt((z**2).sum(axis=1))
    parts: dict[str, list[Any]] = {name: [] for name in CAUSE}
    for a, b in zip(one, other, strict=True):
        both = length[a] * length[b]
        if both <= _SAME:
            continue
        term = np.where((z[a] > 0) & (z[b] > 0), z[a] * z[b] / both, 0.0)
        top = [i for i in np.argsort(-term, kind="stable")[:CAUSES] if term[i] > 0]
        parts["region_a"] += [table.regions[a]] * len(top)
        parts["region_b"] += [table.regions[b]] * len(top)
        parts["industry"] += [table.industries[i] for i in top]
        for name, values in (
            ("firms_a", table.n[a]), ("expected_a", expected[a]), ("firms_b", table.n[b]), ("expected_b", expected[b]),
            ("contribution", term),
        ):  # fmt: skip
            parts[name] += values[top].tolist()
    return pl.DataFrame(parts, schema=CAUSE)


_VARIES = Text(
    "区间来自在各地区内重抽企业；登记册缺漏和归类差错不在其中",
    "the interval comes from firms redrawn within their regions; gaps of the register and wrong classes are not in it",
)
_TITLE = Text("同质竞争", "Homogeneous competition")


def homogeneity_findings(
    found: Homogeneity, *, names: Mapping[str, Text] | None = None, labels: Mapping[str, Text] | None = None
) -> tuple[Finding, ...]:
    """What `homogeneity` says of all regions together and of each 同质竞争诊断.

    `names` of regions and `labels` of industries by code. Severity, ours: all regions, high where they cannot be told apart
    (p_apart >= 0.05); a region, high where it shares its specialities with a third of those compared, medium with two.
    """
    names, labels = names or {}, labels or {}
    told = [_overall(found)]
    for code in found.regions:
        mine = found.pairs.filter((pl.col("region_a") == code) | (pl.col("region_b") == code))
        told.append(_of_region(found, code, mine, names, labels))
    return tuple(told)


def _overall(found: Homogeneity) -> Finding:
    apart = found.p_apart < LEVEL
    share = found.mean / found.expected
    return Finding(
        unit="all",
        code="homogeneity.overall",
        title=_TITLE,
        state="not_found" if apart else "found",
        severity=None if apart else "high",
        statistic=found.mean,
        low=found.low,
        high=found.high,
        measure=Text("平均相似度(Finger–Kreinin)", "mean similarity (Finger–Kreinin)"),
        sentence=Text(
            f"{len(found.regions)} 个地区的产业构成平均有 {found.mean:.1%} 相同；若各地没有自己的特色，会是 {found.expected:.1%}"
            f"(95 %：{found.low:.1%} 至 {found.high:.1%})。" + ("各地有分工。" if apart else "看不出各地有分工。"),
            f"Of their mix, {len(found.regions)} regions have {found.mean:.1%} in common on average; without any profile of their "
            f"own it would be {found.expected:.1%} (95 %: {found.low:.1%} to {found.high:.1%}), of which this is {share:.0%}. "
            + ("They divide the work." if apart else "No division of labour can be seen."),
        ),
        varies=Text(
            f"区间是 {found.throws:,} 张同边际随机表的范围，不是观测值的抽样误差",
            f"the interval is that of {found.throws:,} random tables with the same margins, not the sampling error of what is seen",
        ),
        action=Text(
            "先看下面各地区与谁专长相同，再谈分工。" if apart else "按各地已有基础和关联产业，商定各自的主攻方向。",
            "See below which regions have the same specialities before work is divided anew."
            if apart
            else "Agree who leads in what, by what each has and what is related to it.",
        ),
        evidence=found.pairs.select(
            "region_a", "region_b", "firms_a", "firms_b", "finger_kreinin", "expected", "krugman", "cosine", "p_apart"
        ).head(50),
    )  # fmt: skip


def _of_region(
    found: Homogeneity, code: str, mine: pl.DataFrame, names: Mapping[str, Text], labels: Mapping[str, Text]
) -> Finding:
    known = mine.drop_nulls("shared")
    hits = known.filter(pl.col("judgement") == "same specialities").sort("q", pl.col("shared").neg())
    top = known.sort("shared", descending=True)
    if top.is_empty():
        return Finding(
            unit=f"region:{code}", code="homogeneity.region", title=_TITLE, state="unknown",
            sentence=Text("产业构成与总体完全一致，无从比较专长。", "Its mix is that of all regions to the firm: it has no specialities to compare."),
            varies=_VARIES, action=Text("用更细的产业类别再看。", "Look again with finer classes."),
            missing=(Text("更细的产业类别", "finer classes of industry"),),
        )  # fmt: skip
    best = (hits if hits.height else top).row(0, named=True)
    twin = best["region_b"] if best["region_a"] == code else best["region_a"]
    where = names.get(twin, Text(twin, twin))
    causes = found.causes.filter(
        (pl.col("region_a") == best["region_a"]) & (pl.col("region_b") == best["region_b"])
    ).sort("contribution", descending=True)
    said = [labels.get(one, Text(one, one)) for one in causes["industry"].head(3)]
    zh, en = "、".join(one.zh for one in said), ", ".join(one.en for one in said)
    compared = known.height
    severity: Severity | None = None
    if hits.height:
        high = hits.height >= max(MEDIUM_PAIRS, HIGH_SHARE * compared)
        severity = "high" if high else "medium" if hits.height >= MEDIUM_PAIRS else "low"
    number = f"R = {best['shared']:.2f}, q = {best['q']:.3f}"
    why = Text(f"；主要是{zh}" if said else "", f", above all through {en}" if said else "")
    if hits.height:
        sentence = Text(
            f"与 {compared} 个地区中的 {hits.height} 个专长相同，最近的是{where.zh}({number}；同边际随机表平均 {best['shared_expected']:.2f}){why.zh}。",
            f"It has the same specialities as {hits.height} of {compared} regions, nearest {where.en} ({number}; "
            f"{best['shared_expected']:.2f} in random tables with the same margins){why.en}.",
        )
    else:
        sentence = Text(
            f"与 {compared} 个地区相比，没有一个专长相同超出偶然；最近的是{where.zh}({number})。",
            f"Compared with {compared} regions, it shares its specialities with none beyond chance; nearest is {where.en} ({number}).",
        )
    return Finding(
        unit=f"region:{code}",
        code="homogeneity.region",
        title=_TITLE,
        state="found" if hits.height else "not_found",
        severity=severity,
        statistic=best["shared"],
        low=best["shared_low"],
        high=best["shared_high"],
        measure=Text("专长相同度 R(−1 至 1)", "shared specialities R (−1 to 1)"),
        sentence=sentence,
        varies=_VARIES,
        action=Text(
            f"与{where.zh}商定分工，避免在{zh or '相同产业'}上重复建设和比拼优惠。",
            f"Agree with {where.en} who does what, and do not build or subsidise {en or 'the same industries'} twice.",
        )
        if hits.height
        else Text("无需行动；产业构成变动后再看。", "Nothing to do; look again when the mix changes."),
        evidence=causes
        if hits.height
        else top.head(10).select("region_a", "region_b", "shared", "q", "krugman", "cosine"),
    )
