"""Readiness of a region before it builds a new industry 先立后破: gates first, then how near the new is, then what the old would lose.

Growth and decline are never assumed here: they are the user's, as ranges, and the answer is a range.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import polars as pl

from jiqun.assess.checks import Checklist, answered, checklist
from jiqun.atlas.industry_space import Presence, complexity, presence, relatedness, relatedness_density
from jiqun.core.document import Text
from jiqun.core.errors import MeasureInputError
from jiqun.core.frames import as_polars

Gate = Literal["met", "unmet", "unknown"]
COVERED = 0.5
"""Ours: where fewer firms state their employees, employment is unknown."""
MOST_YEARS = 50
GATES = {"gate": pl.String, "met": pl.Int64, "unmet": pl.Int64, "unknown": pl.Int64, "state": pl.String}
SCENARIO = {
    "scenario": pl.String, "year": pl.Int64, "new_jobs": pl.Float64, "jobs_gained": pl.Float64, "jobs_lost": pl.Float64,
    "balance": pl.Float64, "tax_gained_cny": pl.Float64, "tax_lost_cny": pl.Float64,
}  # fmt: skip


@dataclass(frozen=True)
class Assumptions:
    """What the user assumes 用户假设: yearly growth of the new industry and decline of the old, each from and to.

    `tax_per_job_cny`: of the new industry; None: tax gained is unknown. `old_tax_cny`: what the old industries pay now; None:
    tax lost is unknown. `new_jobs`: jobs of the new industry in its first year where the register has none.
    """

    growth: tuple[float, float] | None = None
    decline: tuple[float, float] | None = None
    years: int = 10
    tax_per_job_cny: float | None = None
    old_tax_cny: float | None = None
    new_jobs: float | None = None

    def checked(self) -> tuple[tuple[float, float], tuple[float, float]]:
        """Growth and decline, where they can be used.

        Raises
        ------
        MeasureInputError
            JQ-ASSESS-096: growth or decline is not given. JQ-ASSESS-054: a number that cannot be.
        """
        if self.growth is None or self.decline is None:
            raise MeasureInputError("JQ-ASSESS-096")
        for what, (low, high), least, most in (
            ("growth", self.growth, -1.0, 10.0),
            ("decline", self.decline, 0.0, 1.0),
        ):
            if not (np.isfinite([low, high]).all() and least <= low <= high <= most):
                expected = f"{least:g} <= from <= to <= {most:g}"
                raise MeasureInputError("JQ-ASSESS-054", what=what, value=f"{low:g}, {high:g}", expected=expected)
        for what, number in (
            ("tax_per_job_cny", self.tax_per_job_cny),
            ("old_tax_cny", self.old_tax_cny),
            ("new_jobs", self.new_jobs),
        ):
            if number is not None and not (np.isfinite(number) and number >= 0):
                raise MeasureInputError("JQ-ASSESS-054", what=what, value=number, expected=">= 0")
        if not 1 <= self.years <= MOST_YEARS:
            raise MeasureInputError("JQ-ASSESS-054", what="years", value=self.years, expected=f"1 … {MOST_YEARS}")
        return self.growth, self.decline


@dataclass(frozen=True)
class Outlook:
    """How near an industry is to a region 产业前景. Null where it cannot be computed, with `reason`.

    `has`: the region has it (LQ ≥ 1); `density`: 0 to 1; `rank` by density among the `lacking` industries; `pci`: complexity of the
    industry; `eci`: of the region; `gain`: what having it would add to the outlook.
    """

    has: bool | None = None
    density: float | None = None
    rank: int | None = None
    lacking: int | None = None
    pci: float | None = None
    eci: float | None = None
    gain: float | None = None
    reason: Text | None = None


@dataclass(frozen=True)
class Readiness:
    """Whether a region is ready for an industry 准备度. `checks` and `gates`: first; `outlook`; `scenarios`: a row a year.

    `covered_year`: the first year in which even the worst scenario gains as many jobs as are lost; `gap`: jobs it is short of at
    the end. None where unknown.
    """

    region: str
    industry: str
    checks: pl.DataFrame
    gates: pl.DataFrame
    gate: Gate
    outlook: Outlook
    scenarios: pl.DataFrame
    new_now: float | None
    old_now: float | None
    covered_year: int | None
    gap: float | None
    rules: Checklist

    @property
    def sentence(self) -> Text:
        """The gate and the balance in words; no advice to retire anything where the gate is not met."""
        shut = [self.rules.groups[g] for g in self.gates.filter(pl.col("state") == "unmet")["gate"]]
        open_ = [self.rules.groups[g] for g in self.gates.filter(pl.col("state") == "unknown")["gate"]]
        if shut:
            zh, en = "、".join(g.zh for g in shut), ", ".join(g.en for g in shut)
            return Text(f"还不能开始：{zh}不满足。", f"Not ready to begin: {en} not met.")
        if open_:
            zh, en = "、".join(g.zh for g in open_), ", ".join(g.en for g in open_)
            return Text(f"能否开始未知：{zh}缺数据。", f"Whether it is ready is unknown: no data for {en}.")
        if self.gap is None:
            return Text("四道门都满足；就业得失未知。", "All gates are met; jobs won and lost are unknown.")
        if self.covered_year is None:
            return Text(
                f"四道门都满足；但最差情形期末仍少 {self.gap:,.0f} 个岗位，先不要退出旧产业。",
                f"All gates are met; but the worst case is {self.gap:,.0f} jobs short at the end: do not give up the old yet.",
            )
        return Text(
            f"四道门都满足；最差情形第 {self.covered_year} 年起新增岗位抵得上减少的。",
            f"All gates are met; in the worst case the jobs won cover those lost from year {self.covered_year} on.",
        )


def facility_values(facilities: Any, region: str) -> pl.DataFrame:
    """Facilities of a region as values of indicators 设施指标: facility.<kind>, their number, with their names as evidence.

    `facilities`: region, kind, name. A kind that the table has nowhere is unknown, one that it has elsewhere is 0 here.

    Examples
    --------
    >>> table = pl.DataFrame({"region": ["A", "A", "B"], "kind": ["computing", "5g", "computing"], "name": list("xyz")})
    >>> facility_values(table, "B").select("indicator", "value").rows()
    [('facility.5g', 0.0), ('facility.computing', 1.0)]
    """
    table = as_polars(facilities, "region", "kind", "name").drop_nulls("kind")
    kinds = table.select(pl.col("kind").unique().sort())
    here = (
        table.filter(pl.col("region") == region)
        .group_by("kind")
        .agg(value=pl.len().cast(pl.Float64), evidence=pl.col("name").sort().head(10).str.join(", "))
    )
    told = kinds.join(here, on="kind", how="left", maintain_order="left")
    return told.select(
        pl.format("facility.{}", "kind").alias("indicator"), pl.lit(None, pl.Int64).alias("year"),
        pl.col("value").fill_null(0.0), pl.col("evidence"),
    )  # fmt: skip


def gates_of(checks: pl.DataFrame, rules: Checklist) -> tuple[pl.DataFrame, Gate]:
    """The state of each gate, and of all: unmet where one check is unmet, unknown where one is unknown, else met 门槛."""
    rows = []
    for group in rules.groups:
        mine = checks.filter(pl.col("group") == group)["answer"]
        met, unmet, unknown = (int((mine == one).sum()) for one in ("met", "unmet", "unknown"))
        rows.append((group, met, unmet, unknown, "unmet" if unmet else "unknown" if unknown else "met"))
    table = pl.DataFrame(rows, schema=GATES, orient="row")
    states = set(table["state"])
    return table, "unmet" if "unmet" in states else "unknown" if "unknown" in states else "met"


def outlook_of(cells: Any, region: str, industry: str, *, size: str | None = None) -> Outlook:
    """How near an industry is to what a region has, and what it would open 关联密度与复杂度前景.

        density ω = Σ_{j ≠ i} φ_ij M_rj / Σ_{j ≠ i} φ_ij          (`relatedness_density`, proximity)
        gain = Σ_j φ_ij (1 − M_rj) PCI_j / Σ_k φ_kj  −  ω PCI_i

    `cells`: region and industry, a row a firm, or with `size`. Null where the region or industry is not in the cells, or
    complexity cannot be told (`jiqun.atlas.complexity` says why).

    Source: Hidalgo et al. (2007), Science 317, 482–487; Hausmann et al. (2014), The Atlas of Economic Complexity, MIT Press, for the
    gain.
    """
    has = presence(cells, size=size)
    if region not in has.regions or industry not in has.industries:
        lacking = Text("登记册里没有这个地区或产业的企业", "the register has no firms of this region or industry")
        return Outlook(reason=lacking)
    density = relatedness_density(has, method="proximity").filter(pl.col("region") == region)
    mine = density.filter(pl.col("industry") == industry).row(0, named=True)
    lacks = density.filter(~pl.col("has")).sort("density", "industry", descending=[True, False], nulls_last=True)
    rank = None if mine["has"] or mine["density"] is None else lacks["industry"].to_list().index(industry) + 1
    told = Outlook(mine["has"], mine["density"], rank, lacks.height)
    try:
        found = complexity(has)
    except MeasureInputError as error:
        reason = Text(error.render("zh"), error.render("en"))
        return Outlook(told.has, told.density, told.rank, told.lacking, reason=reason)
    pci = dict(found.industries.select("industry", "pci").iter_rows())
    eci = dict(found.regions.select("region", "eci").iter_rows())
    gain = None
    if industry in pci and told.density is not None and not told.has:
        gain = _gain(has, region, industry, pci, told.density)
    return Outlook(told.has, told.density, told.rank, told.lacking, pci.get(industry), eci.get(region), gain)


def _gain(has: Presence, region: str, industry: str, pci: dict[str, float], density: float) -> float:
    names = has.industries.to_list()
    at = {name: i for i, name in enumerate(names)}
    phi = np.zeros((len(names), len(names)))
    for i, j, value in (
        relatedness(has, method="proximity").select("industry_i", "industry_j", "relatedness").iter_rows()
    ):
        phi[at[i], at[j]] = phi[at[j], at[i]] = value
    row = has.has[has.regions.to_list().index(region)]
    worth = np.array([pci.get(name, 0.0) for name in names])
    total = phi.sum(axis=0)
    near = np.divide(phi[at[industry]], total, out=np.zeros(len(names)), where=total > 0)
    return float((near * (1 - row) * worth).sum() - density * pci[industry])


def scenarios_of(assumed: Assumptions, new_now: float | None, old_now: float | None) -> pl.DataFrame:
    """Jobs and tax won and lost, year by year, in the worst and the best case 情景 (`SCENARIO`).

        new(t) = N (1 + g)^t,  won = new(t) − N₀,  lost = O (1 − (1 − d)^t)

    worst: least growth, fastest decline; best: the other way round. N₀ is what is there now, N the same, or the first jobs that the
    user gives where there are none (N₀ = 0). Null where N or O is unknown.

    Examples
    --------
    >>> told = scenarios_of(Assumptions((0.1, 0.2), (0.05, 0.1), years=2), 100.0, 200.0)
    >>> told.filter(year=2).select("scenario", "jobs_gained", "jobs_lost").rows()
    [('worst', 21.0, 38.0), ('best', 44.0, 19.5)]
    """
    growth, decline = assumed.checked()
    start = assumed.new_jobs if new_now == 0 else new_now
    rows = []
    for name, g, d in (("worst", growth[0], decline[1]), ("best", growth[1], decline[0])):
        for year in range(1, assumed.years + 1):
            new = None if start is None else start * (1 + g) ** year
            won = None if new is None or new_now is None else round(new - new_now, 6)
            lost = None if old_now is None else round(old_now * (1 - (1 - d) ** year), 6)
            tax_lost = None if assumed.old_tax_cny is None else assumed.old_tax_cny * (1 - (1 - d) ** year)
            tax_won = None if won is None or assumed.tax_per_job_cny is None else won * assumed.tax_per_job_cny
            balance = None if won is None or lost is None else won - lost
            rows.append((name, year, new, won, lost, balance, tax_won, tax_lost))
    return pl.DataFrame(rows, schema=SCENARIO, orient="row")


def jobs_of(firms: Any, region: str, industries: tuple[str, ...]) -> float | None:
    """Persons employed in a region by firms of some industries, given by the start of their codes 就业.

    `firms`: region, industry, employees. None where fewer than half of the firms state them; 0 where there are no such firms.
    Firms that state none add nothing: it is a lower bound.
    """
    table = as_polars(firms, "region", "industry", "employees")
    wanted = (
        pl.any_horizontal(pl.col("industry").str.starts_with(code) for code in industries)
        if industries
        else pl.lit(value=False)
    )
    mine = table.filter((pl.col("region") == region) & wanted)
    if mine.is_empty():
        return 0.0
    known = mine["employees"].drop_nulls()
    return float(known.sum()) if len(known) >= COVERED * mine.height else None


def readiness(
    region: str,
    industry: str,
    *,
    values: pl.DataFrame,
    firms: Any,
    old: tuple[str, ...],
    assumed: Assumptions,
    rules: Checklist | None = None,
) -> Readiness:
    """Whether a region is ready for a new industry, and what the old would lose 先立后破准备度.

    Parameters
    ----------
    values
        indicator, year, value, evidence of the region, as from `jiqun.assess.checks.latest` and `facility_values`.
    firms
        region, industry, employees: all firms of the register, by which nearness is told.
    old
        Starts of codes of the industries that would give way; none: nothing is at risk.
    assumed
        Growth and decline; there are no defaults for them.
    rules
        Another list or other bounds than ours.

    Raises
    ------
    MeasureInputError
        JQ-ASSESS-096: growth or decline is not given. JQ-ASSESS-054: a number that cannot be. JQ-USE-003: a column is missing.
    """
    assumed.checked()
    rules = rules or checklist("readiness")
    checks = answered(rules, values)
    gates, gate = gates_of(checks, rules)
    table = as_polars(firms, "region", "industry", "employees")
    new_now, old_now = jobs_of(table, region, (industry,)), jobs_of(table, region, old)
    scenarios = scenarios_of(assumed, new_now, old_now)
    worst = scenarios.filter(pl.col("scenario") == "worst")
    covered, gap = None, None
    if worst["balance"].null_count() == 0:
        short = worst.filter(pl.col("balance") < 0)["year"]
        last = int(str(short.max())) if len(short) else 0
        covered = last + 1 if last < assumed.years else None
        gap = max(0.0, -float(worst["balance"][-1]))
    cells = table.select("region", "industry").drop_nulls()
    return Readiness(
        region, industry, checks, gates, gate, outlook_of(cells, region, industry), scenarios, new_now, old_now, covered, gap, rules
    )  # fmt: skip
