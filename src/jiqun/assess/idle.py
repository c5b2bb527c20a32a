"""Idle carriers 载体闲置, the third of the four ailments: parks that stand empty, or whose tenants are few, poor or unrelated.

Thresholds are ours and parameters. A finding is made only where its whole interval lies beyond the threshold; where the
interval holds it, or records are missing or too old, the answer is `unknown`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import polars as pl

from jiqun.assess.findings import Finding, Severity
from jiqun.assess.tenants import FEWEST_TENANTS
from jiqun.assess.vacancy import DAYS_A_MONTH, Occupancy
from jiqun.core.document import Text
from jiqun.report.formats import cell

IDLE_SHARE = 0.3
"""Vacant share from which a park counts as idle. Our choice."""
IDLE_MONTHS = 12.0
"""Median months of vacancy from which space counts as lying idle. Our choice."""
LEVEL = 0.05
_GRAVE = 0.5
TITLE_NAMES = {
    "above_scale": Text("规模以上", "above-scale"),
    "high_tech": Text("高新技术", "high-tech"),
    "sri": Text("专精特新", "SRDI"),
}
_LET_ON = Text(
    "把空置单元按面积和租金列入招商清单，请相关产业的企业来看。",
    "Put the vacant units, by area and rent, on the list that firms of related industries are shown.",
)
_KEEP = Text(
    "请各园区按单元补报状态、面积和记录日期，再重新评估。",
    "Ask the parks for status, area and date of every unit, then assess again.",
)
_DATES = Text(
    "登记每个空置单元的空置起始日期，出租时保留它并填起租日期。",
    "Record since when each unit is vacant, and on letting keep it beside the first day of the lease.",
)
_INVITE = Text(
    "招商时先看与现有租户关联度高的产业，见产业关联。",
    "When letting, look first at industries related to those of the tenants; see relatedness.",
)
_CODES = Text(
    "补上租户的统一社会信用代码，使其与登记库对上并判明行业。",
    "Add the tenants' credit codes, so that they are matched to the register and their class is known.",
)
_ASK_TITLES = Text(
    "请园区填写租户称号(规上、高新、专精特新，没有填“无”)。",
    "Ask the park for its tenants' titles (above-scale, high-tech, SRDI; none where it has none).",
)
_GROW = Text(
    "比较其他园区的扶持办法，优先服务有望升规、认定高新的租户。",
    "Compare what other parks offer; serve first the tenants that may soon be above scale or high-tech.",
)


@dataclass(frozen=True)
class Thresholds:
    """From when on a park counts as idle 阈值; ours, and yours to change."""

    share: float = IDLE_SHARE
    months: float = IDLE_MONTHS
    level: float = LEVEL


def idle_carriers(
    found: Occupancy,
    *,
    related: pl.DataFrame | None = None,
    titles: pl.DataFrame | None = None,
    thresholds: Thresholds | None = None,
) -> tuple[Finding, ...]:
    """Findings of idle carriers 载体闲置诊断: four of each park.

    idle.vacancy
        1 − the share let. Found where even its lower end (all that is open is let) is above `thresholds.share`; not found
        where its upper end is not; else unknown.
    idle.duration
        Median months of vacancy (Kaplan–Meier). Found where the lower end of its interval is above `thresholds.months`; not
        found where the upper end is not above; else unknown.
    idle.unrelated
        Tenants less related than random firms of the city at `thresholds.level`. Not found otherwise, which is no proof that
        they are related.
    idle.titles
        Fewer above-scale, high-tech or SRDI tenants than if the titles of all parks were dealt at random, at
        `thresholds.level` / 3 (Bonferroni, three titles).

    Parameters
    ----------
    related, titles
        As `jiqun.assess.tenants.tenant_relatedness` and `titled` give them; None: nothing is known.

    Returns
    -------
    Findings in the order of `found.parks`; severity: vacancy and duration high where the lower end is twice the threshold or
    (vacancy) above one half, else medium; unrelated and titles low.

    Notes
    -----
    Parks are tested one by one: among many, some are found by chance at a `level` of 0.05.

    Examples
    --------
    >>> from datetime import date
    >>> from jiqun.assess.carriers import carrier_tree
    >>> from jiqun.assess.vacancy import occupancy
    >>> rows = pl.DataFrame({"name": ["P", "1", "2"], "kind": ["park", "unit", "unit"], "parent": [None, "P", "P"],
    ...     "area_m2": [None, 100.0, 300.0], "status": [None, "let", "vacant"]})
    >>> [(one.code, one.state, one.severity) for one in idle_carriers(occupancy(carrier_tree(rows), as_of=date(2024, 5, 1)))][:2]
    [('idle.vacancy', 'found', 'high'), ('idle.duration', 'unknown', None)]
    """
    limits = thresholds or Thresholds()
    kin = {row["park_id"]: row for row in related.to_dicts()} if related is not None else {}
    held: dict[str, list[dict[str, Any]]] = {}
    for row in titles.to_dicts() if titles is not None else ():
        held.setdefault(row["park_id"], []).append(row)
    several = found.parks.height > 1
    return tuple(
        finding
        for park in found.parks.to_dicts()
        for finding in (
            _vacancy(found, park, limits),
            _duration(found, park, limits),
            _unrelated(park, kin.get(park["id"]), limits),
            _titles(park, held.get(park["id"], []), limits, several=several),
        )
    )


def _both(value: float | None, kind: Any, digits: int = 0) -> Text:
    return Text(cell(value, kind, "zh", digits), cell(value, kind, "en", digits))


def _vacancy(found: Occupancy, park: dict[str, Any], limits: Thresholds) -> Finding:
    low = None if park["high"] is None else 1 - park["high"]
    high = None if park["low"] is None else 1 - park["low"]
    value = None if park["share"] is None else 1 - park["share"]
    state = "unknown"
    severity: Severity | None = None
    if low is not None and high is not None:
        if low > limits.share:
            state, severity = "found", "high" if low > _GRAVE else "medium"
        elif high <= limits.share:
            state = "not_found"
    shown, least, most, limit = (_both(part, "share") for part in (value, low, high, limits.share))
    told = (
        Text(f" {least.zh} 至 {most.zh}", f"{least.en} to {most.en}")
        if value is None
        else Text(f" {shown.zh}(范围 {least.zh}–{most.zh})", f"{shown.en} (range {least.en} to {most.en})")
    )
    opened = _both(park["open_m2"], "number")
    missing = (
        Text(
            f"{opened.zh} m² 的状态没有记录、记录超过 {found.max_age_days} 天或租约已到期；{park['no_area']} 个单元没有面积。",
            f"The state of {opened.en} m² is not on record, is older than {found.max_age_days} days, or its lease is over; "
            f"units without an area: {park['no_area']}.",
        ),
    )
    rows = pl.DataFrame(
        [
            {
                key: park[key]
                for key in (
                    "name",
                    "units",
                    "units_vacant",
                    "total_m2",
                    "let_m2",
                    "vacant_m2",
                    "open_m2",
                    "oldest",
                    "newest",
                )
            }
        ]
    )
    return Finding(
        unit=park["id"],
        code="idle.vacancy",
        title=Text("空置", "Vacancy"),
        state=state,  # type: ignore[arg-type]  # one of the three
        severity=severity,
        statistic=value,
        low=low,
        high=high,
        measure=Text("未出租面积占比", "share of the area that is not let"),
        sentence=Text(
            f"未出租面积占{told.zh}，与 {limit.zh} 的界限相比。",
            f"Share of the area that is not let: {told.en}, against a limit of {limit.en}.",
        ),
        varies=Text(
            "范围由没有记录、过期或租约到期的面积决定，不是抽样误差；界限是我们定的，可改。",
            "The range comes from area without a record, with too old a one or a lease that is over; it is no sampling error. The limit is ours and may be changed.",
        ),
        evidence=rows,
        action=_KEEP if state == "unknown" else _LET_ON,
        missing=missing if state == "unknown" else (),
    )


def _duration(found: Occupancy, park: dict[str, Any], limits: Thresholds) -> Finding:
    value, low, high = (
        None if park[key] is None else park[key] / DAYS_A_MONTH for key in ("median_days", "median_low", "median_high")
    )
    state = "unknown"
    severity: Severity | None = None
    if low is not None and low > limits.months:
        state, severity = "found", "high" if low > 2 * limits.months else "medium"
    elif high is not None and high <= limits.months:
        state = "not_found"
    spells, ended = park["spells"], park["ended"]
    shown, least, most = (
        Text("未到", "not reached") if part is None else _both(part, "number", 1) for part in (value, low, high)
    )
    return Finding(
        unit=park["id"],
        code="idle.duration",
        title=Text("空置时长", "Time vacant"),
        state=state,  # type: ignore[arg-type]  # one of the three
        severity=severity,
        statistic=value,
        low=low,
        high=high,
        measure=Text("空置时长中位数(月)", "median months of vacancy"),
        sentence=Text(
            f"空置时长中位数(月)：{shown.zh}，95 % 区间 {least.zh} 至 {most.zh}，与 {limits.months:g} 个月的界限相比；{spells} 段空置中 {ended} 段已结束。",
            f"Median months of vacancy: {shown.en}, 95 % interval {least.en} to {most.en}, against a limit of {limits.months:g}; {ended} of {spells} vacancies have ended.",
        ),
        varies=Text(
            "区间是抽样误差；仍空置的按删失处理。某一时刻看到的空置比一般的空置长。",
            "The interval is of sampling; what is still vacant counts as censored. Vacancies that are seen at one moment are longer than vacancies in general.",
        ),
        evidence=found.spells.filter(pl.col("park_id") == park["id"]),
        action=_LET_ON if state != "unknown" else _DATES,
        missing=(
            Text(
                f"有空置起始日期的只有 {spells} 段，其中已结束 {ended} 段，定不出与界限的关系。",
                f"{spells} vacancies have a first day, {ended} have ended: too little to tell on which side of the limit the median lies.",
            ),
        )
        if state == "unknown"
        else (),
    )


def _unrelated(park: dict[str, Any], row: dict[str, Any] | None, limits: Thresholds) -> Finding:
    known = row is not None and row["mean"] is not None
    classed, tenants = (row["classed"], row["tenants"]) if row else (0, park["tenants"])
    nothing = dict.fromkeys(("mean", "expected", "low", "high", "p"))
    told: dict[str, Any] = row if row is not None and known else nothing
    less = known and told["p"] <= limits.level
    mean, expected, least, most = (_both(told[key], "number", 3) for key in ("mean", "expected", "low", "high"))
    p = _both(told["p"], "probability")
    return Finding(
        unit=park["id"],
        code="idle.unrelated",
        title=Text("租户彼此不相关", "Tenants unrelated to each other"),
        state="unknown" if not known else "found" if less else "not_found",
        severity="low" if less else None,
        statistic=told["mean"],
        low=told["low"],
        high=told["high"],
        measure=Text("两两关联度的均值；区间是随机情形的", "mean relatedness of pairs; the interval is that of chance"),
        sentence=Text(
            f"{classed} 家租户两两关联度平均 {mean.zh}，随机取同样多的企业为 {expected.zh}(95 % 在 {least.zh}–{most.zh})，p = {p.zh}。",
            f"The {classed} tenants' mean relatedness is {mean.en}; of as many random firms {expected.en} (95 % within {least.en} to {most.en}), p = {p.en}.",
        ),
        varies=Text(
            "只计能判明行业的租户；关联度来自登记库各地区的产业共现。没有发现不等于相关。",
            "Only tenants of known class count; relatedness is from industries that occur together in the register's regions. Nothing found is no proof that they are related.",
        ),
        evidence=pl.DataFrame([row]) if row else pl.DataFrame(),
        action=_INVITE if known else _CODES,
        missing=()
        if known
        else (
            Text(
                f"{tenants} 家租户中能判明行业的 {classed} 家；至少要 {FEWEST_TENANTS} 家，登记库还要有 10 个以上城市的行业。",
                f"Of {tenants} tenants the class of {classed} is known; it takes {FEWEST_TENANTS}, and a register with classes in at least 10 cities.",
            ),
        ),
    )


def _titles(park: dict[str, Any], rows: list[dict[str, Any]], limits: Thresholds, *, several: bool) -> Finding:
    tested = [row for row in rows if row["p"] is not None and row["known"] * 2 >= row["tenants"]]
    few = [row for row in tested if row["p"] <= limits.level / len(TITLE_NAMES)]
    share = {row["title"]: row for row in rows}
    told = [
        (name, *(_both(share[key][part], "share") for part in ("share", "low", "high")))
        for key, name in TITLE_NAMES.items()
        if key in share
    ]
    zh = "；".join(f"{name.zh} {value.zh}({low.zh}–{high.zh})" for name, value, low, high in told) or "—"
    en = "; ".join(f"{name.en} {value.en} ({low.en} to {high.en})" for name, value, low, high in told) or "—"
    why = (
        Text("一半以上租户的称号没有记录。", "The titles of more than half of the tenants are not on record.")
        if several
        else Text("没有别的园区可比。", "There is no other park to compare with.")
    )
    return Finding(
        unit=park["id"],
        code="idle.titles",
        title=Text("优质租户少", "Few tenants with a title"),
        state="unknown" if not tested else "found" if few else "not_found",
        severity="low" if few else None,
        measure=Text("有称号的租户占比", "share of tenants with a title"),
        sentence=Text(
            f"租户中{zh}；与所有园区的称号随机分配相比。",
            f"Tenants with a title: {en}; compared with titles of all parks dealt at random.",
        ),
        varies=Text(
            "范围来自称号没有记录的租户。比较的只是已装载的园区。",
            "The range comes from tenants whose titles are not on record. Only parks that are loaded are compared.",
        ),
        evidence=pl.DataFrame(rows),
        action=_GROW if tested else _ASK_TITLES,
        missing=() if tested else (why,),
    )
