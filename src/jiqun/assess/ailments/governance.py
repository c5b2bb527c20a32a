"""Operating inefficiency 运营低效: how the cluster is governed first, what it makes of its inputs as a second opinion."""

from __future__ import annotations

from typing import Any

import polars as pl

from jiqun.assess.checks import Checklist, answered, checklist, latest
from jiqun.assess.findings import Finding, Severity
from jiqun.core.document import Text
from jiqun.core.errors import MeasureInputError
from jiqun.core.frames import as_polars

KNOWN_SHARE = 0.5
"""Ours: with answers to fewer of the checks, governance is unknown."""
FOUND_SHARE = 1 / 3
HIGH_SHARE, MEDIUM_SHARE = 2 / 3, 1 / 2
"""Ours: of all checks so many are unmet for certain; without a promotion body it is found in any case."""
EFFICIENT = 0.8
"""Ours: a score whose upper bound lies below it counts as inefficient, one below 0.5 as a high case."""
_TITLE = Text("运营低效", "Operating inefficiency")


def governance_finding(
    unit: str, indicators: Any, *, names: tuple[str, ...] = (), rules: Checklist | None = None, year: int | None = None
) -> Finding:
    """How a cluster is governed, against the checklist `governance` 治理核对.

        statistic = unmet / all checks;   low = unmet / all,   high = (unmet + unknown) / all

    Parameters
    ----------
    indicators
        Rows of the table `indicators` (unit, indicator, year, value, optional evidence); of each indicator the last year counts.
    names
        Names that the unit goes by in `indicators`, besides its id.
    rules
        Another list or other bounds.

    Returns
    -------
    A finding: unknown with fewer than half of the checks answered; found where at least a third are unmet or there is no
    promotion body; high from two thirds, medium from a half or without a body.

    Raises
    ------
    MeasureInputError
        As `latest`.
    """
    rules = rules or checklist("governance")
    rows = answered(rules, latest(indicators, (unit, *names), year=year))
    count = {one: rows.filter(pl.col("answer") == one).height for one in ("met", "unmet", "unknown")}
    total = rows.height
    checks = {check.code: check for check in rules.checks}
    common: dict[str, Any] = {"unit": unit, "code": "governance.checklist", "title": _TITLE}
    varies = Text(
        "上限把未知的核对项都算作未满足；界限变动则结论变动",
        "the upper bound counts every unknown check as unmet; other bounds give other answers",
    )
    if total - count["unknown"] < KNOWN_SHARE * total:
        return Finding(
            **common,
            state="unknown",
            sentence=Text(
                f"{total} 项治理核对中只有 {total - count['unknown']} 项有数据，不足以下结论。",
                f"Of {total} checks of governance {total - count['unknown']} have data, too few to say anything.",
            ),
            varies=varies,
            action=Text(
                "用 jiqun assess template governance 取得模板，填好后作为 indicators 导入。",
                "Take the form of jiqun assess template governance, fill it in and import it as indicators.",
            ),
            evidence=rows,
            missing=(Text("治理核对的答案(模板 governance)", "answers to the checks of governance (form governance)"),),
        )
    unmet = rows.filter(pl.col("answer") == "unmet")["check"].to_list()
    share = len(unmet) / total
    bodiless = "body" in unmet
    found = share >= FOUND_SHARE or bodiless
    severity: Severity = "high" if share >= HIGH_SHARE else "medium" if share >= MEDIUM_SHARE or bodiless else "low"
    first = [checks[code] for code in unmet]
    return Finding(
        **common,
        state="found" if found else "not_found",
        severity=severity if found else None,
        statistic=share,
        low=share,
        high=share + count["unknown"] / total,
        measure=Text("未满足的治理核对项占比", "share of governance checks unmet"),
        sentence=Text(
            f"{total} 项治理核对：{count['met']} 项满足，{len(unmet)} 项未满足，{count['unknown']} 项未知"
            + (f"；未满足的有：{'；'.join(one.title.zh for one in first[:4])}。" if first else "。"),
            f"Of {total} checks of governance {count['met']} are met, {len(unmet)} unmet and {count['unknown']} unknown"
            + (f"; unmet: {'; '.join(one.title.en for one in first[:4])}." if first else "."),
        ),
        varies=varies,
        action=_joined([one.action for one in first[:3]])
        if found
        else Text("保持现状，每年核对一次。", "Keep to it, and check once a year."),
        evidence=rows,
    )


def _joined(actions: list[Text]) -> Text:
    return Text("".join(one.zh for one in actions), " ".join(one.en for one in actions))


def frontier_finding(unit: str, scores: Any, *, names: tuple[str, ...] = ()) -> Finding:
    """What a frontier says of a unit, as a second opinion on its governance 前沿效率(旁证).

    Parameters
    ----------
    scores
        unit, score (0 to 1), and `low` and `high` where they were bootstrapped, as `jiqun.assess.dea` gives them.

    Returns
    -------
    A finding: unknown without a score or without an interval; found where the interval lies below 0.8 (ours).

    Raises
    ------
    MeasureInputError
        JQ-USE-003: no such columns. JQ-ASSESS-083: a unit is there twice, or its score is not between 0 and 1.
    """
    table = as_polars(scores, "unit", "score")
    mine = table.filter(pl.col("unit").cast(pl.String).is_in([unit, *names]), pl.col("score").is_not_null())
    common: dict[str, Any] = {"unit": unit, "code": "governance.frontier", "title": _TITLE}
    varies = Text(
        "区间来自自助法；投入产出的选取不在其中",
        "the interval is the bootstrap's; the choice of inputs and outputs is not in it",
    )
    if mine.height > 1 or (mine.height and not 0 <= mine["score"][0] <= 1):
        raise MeasureInputError("JQ-ASSESS-083", unit=unit, value=mine["score"][0], count=mine.height)
    bounded = {"low", "high"} <= set(table.columns) and mine.height and mine["high"][0] is not None
    if not bounded:
        lacking = Text("带区间的前沿得分", "a frontier score with its interval")
        return Finding(
            **common, state="unknown",
            sentence=Text("没有这个单元带区间的前沿得分。", "There is no frontier score of this unit with an interval."),
            varies=varies,
            action=Text(
                "在“效率前沿”页计算并勾选区间，再在“诊断用表”页取用其得分(或用 jiqun assess dea --bootstrap 计算、以 --frontier 给出)。",
                "Compute a frontier with intervals on its page and take its scores on “What you give to the diagnosis” (or jiqun assess dea --bootstrap, then --frontier).",
            ),
            evidence=mine.head(1), missing=(lacking,),
        )  # fmt: skip
    score, low, high = (float(mine[name][0]) for name in ("score", "low", "high"))
    found = high < EFFICIENT
    severity: Severity = "high" if high < 0.5 else "medium"
    return Finding(
        **common, state="found" if found else "not_found", severity=severity if found else None, statistic=score, low=low, high=high,
        measure=Text("效率得分(1 为前沿)", "efficiency score (1 is the frontier)"),
        sentence=Text(
            f"效率得分 {score:.2f}(区间 {low:.2f} 至 {high:.2f})，与同表 {table.height} 个单元构成的前沿相比"
            + ("，明显偏低。" if found else "，说不上低。"),
            f"Its efficiency is {score:.2f} (interval {low:.2f} to {high:.2f}) against the frontier of {table.height} units"
            + (": clearly low." if found else ": not clearly low."),
        ),
        varies=varies,
        action=Text("看松弛和参照单元，向它们学习。", "See its slacks and peers, and learn from them.")
        if found else Text("无需行动。", "Nothing to do."),
        evidence=mine,
    )  # fmt: skip
