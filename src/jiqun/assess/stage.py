"""Stage of evolution 演进阶段: a checklist for each stage of [E], answered from rows; no label where the rows are missing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import polars as pl

from jiqun.assess.checks import Checklist, answered, checklist, latest
from jiqun.core.document import Text

REACHED = 0.5
"""Ours: a stage counts as reached when at least this share of its checks is met, and all before it are reached."""
STAGES = {
    "stage": pl.String, "met": pl.Int64, "unmet": pl.Int64, "unknown": pl.Int64, "share_low": pl.Float64,
    "share_high": pl.Float64, "state": pl.String,
}  # fmt: skip


@dataclass(frozen=True)
class Stage:
    """What is known of a unit's stage 阶段证据.

    `checks`: every check with its answer and row (`jiqun.assess.checks.ANSWERS`); `stages`: for each the numbers and the share
    met, from (unknown counts as unmet) to (as met), and its state. `reached`: the last stage that is reached for certain, None
    where none is; `possible`: the last that could be, were all that is unknown met.
    """

    unit: str
    checks: pl.DataFrame
    stages: pl.DataFrame
    reached: str | None
    possible: str | None
    year: int | None
    rules: Checklist

    @property
    def sentence(self) -> Text:
        """The stage in words."""
        names = self.rules.groups
        known = self.checks.filter(pl.col("answer") != "unknown").height
        count = Text(
            f"{self.checks.height} 项核对中 {known} 项有数据", f"{known} of {self.checks.height} checks have data"
        )
        if self.reached is None and self.possible is None:
            return Text(f"尚未达到任何阶段；{count.zh}。", f"No stage is reached; {count.en}.")
        if self.reached == self.possible:
            name = names[str(self.reached)]
            return Text(f"处于“{name.zh}”阶段；{count.zh}。", f"At the stage of {name.en}; {count.en}.")
        high = names[str(self.possible)]
        if self.reached is None:
            return Text(
                f"阶段未知：至多到“{high.zh}”；{count.zh}。",
                f"The stage is unknown: {high.en} at the most; {count.en}.",
            )
        low = names[self.reached]
        return Text(
            f"至少到“{low.zh}”，至多到“{high.zh}”；{count.zh}。", f"At least {low.en}, at most {high.en}; {count.en}."
        )


def stage(
    unit: str, indicators: Any, *, names: tuple[str, ...] = (), rules: Checklist | None = None, year: int | None = None
) -> Stage:
    """The evidence for each stage of a cluster or region 阶段核对.

    Parameters
    ----------
    indicators
        Rows of the table `indicators` (unit, indicator, year, value, optional evidence); the last year up to `year` counts.
    names
        Names that the unit goes by there, besides `unit`.
    rules
        Another list or other bounds (`Checklist.with_bounds`).

    Raises
    ------
    MeasureInputError
        As `jiqun.assess.checks.latest`.

    Examples
    --------
    >>> values = {"infra.5g_per_10k": 30, "infra.gigabit_share": 0.9, "infra.computing_pflops": 5, "transform.cloud_share": 0.2}
    >>> rows = [("c1", code, 2024, float(value)) for code, value in values.items()]
    >>> told = stage("c1", pl.DataFrame(rows, schema=["unit", "indicator", "year", "value"], orient="row"))
    >>> told.reached, told.possible
    ('infrastructure', 'new')
    """
    rules = rules or checklist("stage")
    return of_checks(unit, answered(rules, latest(indicators, (unit, *names), year=year)), rules)


def of_checks(unit: str, checks: pl.DataFrame, rules: Checklist) -> Stage:
    """The evidence for each stage from checks that were answered, as `stage` does it."""
    rows = []
    reached: str | None = None
    possible: str | None = None
    sure = open_ = True
    for group in rules.groups:
        mine = checks.filter(pl.col("group") == group)["answer"]
        met, unmet, unknown = (int((mine == one).sum()) for one in ("met", "unmet", "unknown"))
        low, high = met / len(mine), (met + unknown) / len(mine)
        sure, open_ = sure and low >= REACHED, open_ and high >= REACHED
        state = "reached" if sure else "unknown" if open_ else "not reached"
        reached, possible = group if sure else reached, group if open_ else possible
        rows.append((group, met, unmet, unknown, low, high, state))
    years = checks["year"].drop_nulls()
    last = int(str(years.max())) if len(years) else None
    return Stage(unit, checks, pl.DataFrame(rows, schema=STAGES, orient="row"), reached, possible, last, rules)
