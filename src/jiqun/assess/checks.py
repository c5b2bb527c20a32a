"""Checklists 核对清单: definitions as data, answered met, unmet or unknown from rows of the `indicators` table.

A bound is ours unless its row says otherwise, and may be replaced by the user's. A missing row is unknown, never unmet.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from typing import Any, Literal

import polars as pl

from jiqun.core.document import Text
from jiqun.core.errors import MeasureInputError, UsageError
from jiqun.core.frames import as_polars

Answer = Literal["met", "unmet", "unknown"]
Sense = Literal[">=", "<="]
OURS = Text("界限由我们提出", "the bound is ours")
SHARES = frozenset({"0–1", "1/0"})
"""Units whose values lie between 0 and 1."""
ANSWERS = {
    "check": pl.String, "group": pl.String, "indicator": pl.String, "year": pl.Int64, "value": pl.Float64,
    "sense": pl.String, "bound": pl.Float64, "answer": pl.String, "evidence": pl.String,
}  # fmt: skip
"""Columns of an answered list."""


@dataclass(frozen=True)
class Check:
    """One thing to look at 核对项: an indicator, and the bound from which it counts as met."""

    code: str
    group: str
    title: Text
    indicator: str
    unit: Text
    sense: Sense
    bound: float
    action: Text
    basis: Text = OURS

    def judge(self, value: float | None) -> Answer:
        """Met, unmet, or unknown where there is no value."""
        if value is None:
            return "unknown"
        return "met" if (value >= self.bound if self.sense == ">=" else value <= self.bound) else "unmet"


@dataclass(frozen=True)
class Checklist:
    """Checks by group 清单, in order; `groups` names each group."""

    code: str
    title: Text
    groups: Mapping[str, Text]
    checks: tuple[Check, ...]
    source: Text

    def with_bounds(self, bounds: Mapping[str, float]) -> Checklist:
        """The list with other bounds, by the code of the check.

        Raises
        ------
        UsageError
            JQ-USE-001: no such check.
        """
        known = {check.code for check in self.checks}
        for code in bounds:
            if code not in known:
                raise UsageError("JQ-USE-001", what="check", value=code, known=", ".join(sorted(known)))
        given = Text("界限由用户给定", "the bound is the user's")
        changed = (replace(c, bound=float(bounds[c.code]), basis=given) if c.code in bounds else c for c in self.checks)
        return replace(self, checks=tuple(changed))

    def template(self, unit: str = "") -> pl.DataFrame:
        """Rows of the `indicators` table to fill in 模板: unit, indicator, year, value, measure, evidence."""
        schema = {
            "unit": pl.String, "indicator": pl.String, "year": pl.Int64, "value": pl.Float64, "measure": pl.String,
            "evidence": pl.String, "question_zh": pl.String, "question_en": pl.String,
        }  # fmt: skip
        one = {check.indicator: check for check in self.checks}
        rows = [(unit, c.indicator, None, None, c.unit.en, None, c.title.zh, c.title.en) for c in one.values()]
        return pl.DataFrame(rows, schema=schema, orient="row")


@cache
def checklist(name: str) -> Checklist:
    """A shipped checklist: `governance`, `stage` or `readiness`.

    Raises
    ------
    UsageError
        JQ-USE-001: no such list.
    """
    folder = files("jiqun.assess").joinpath("data", "checks")
    known = sorted(path.name.removesuffix(".toml") for path in folder.iterdir() if path.name.endswith(".toml"))
    if name not in known:
        raise UsageError("JQ-USE-001", what="checklist", value=name, known=", ".join(known))
    read = tomllib.loads(folder.joinpath(f"{name}.toml").read_text(encoding="utf-8"))
    groups = {code: Text(one["zh"], one["en"]) for code, one in read["groups"].items()}
    checks = tuple(
        Check(
            code=code,
            group=one["group"],
            title=Text(one["zh"], one["en"]),
            indicator=one["indicator"],
            unit=Text(one["unit_zh"], one["unit_en"]),
            sense=one.get("sense", ">="),
            bound=float(one["bound"]),
            action=Text(one["action_zh"], one["action_en"]),
        )
        for code, one in read["checks"].items()
    )
    return Checklist(name, Text(read["zh"], read["en"]), groups, checks, Text(read["source_zh"], read["source_en"]))


def latest(indicators: Any, unit: str | tuple[str, ...], *, year: int | None = None) -> pl.DataFrame:
    """indicator, year, value, evidence of a unit: of each indicator the last yearly value, at most of `year` 最新年度值.

    `unit`: its name, or its id and the names that it goes by; in one year what is said under the id counts before what is said
    under a name, which a place may share with the cluster. Rows without a value and quarters are left out.

    Raises
    ------
    MeasureInputError
        JQ-USE-003: a column is missing. JQ-ASSESS-082: a unit has an indicator twice in a year with different values.
    """
    names = (unit,) if isinstance(unit, str) else unit
    table = as_polars(indicators, "unit", "indicator", "year", "value")
    quarter = pl.col("quarter").is_null() if "quarter" in table.columns else pl.lit(value=True)
    rows = table.filter(
        pl.col("unit").is_in(list(names)), pl.col("value").is_not_null(), pl.col("value").is_not_nan(), quarter
    )
    if year is not None:
        rows = rows.filter(pl.col("year") <= year)
    own = rows.filter(pl.col("unit") == names[0])
    others = rows.filter(pl.col("unit") != names[0])
    rows = pl.concat([own, others.join(own, on=["indicator", "year"], how="anti", maintain_order="left")])
    twice = rows.group_by("indicator", "year").agg(n=pl.col("value").n_unique()).filter(pl.col("n") > 1)
    if twice.height:
        raise MeasureInputError(
            "JQ-ASSESS-082", unit=names[0], indicator=twice["indicator"].sort()[0], count=twice.height
        )
    if "evidence" not in rows.columns:
        rows = rows.with_columns(evidence=pl.lit(None, pl.String))
    last = rows.sort("year", descending=True).unique("indicator", keep="first", maintain_order=True)
    return last.select("indicator", pl.col("year").cast(pl.Int64), pl.col("value").cast(pl.Float64), "evidence").sort(
        "indicator"
    )


def answered(list_: Checklist, values: pl.DataFrame) -> pl.DataFrame:
    """Every check of a list with its answer (`ANSWERS`) 核对结果; `values` as from `latest`.

    Raises
    ------
    MeasureInputError
        JQ-ASSESS-086: a share is not between 0 and 1, as one given in per cent.

    Examples
    --------
    >>> values = pl.DataFrame({"indicator": ["gov.body"], "year": [2024], "value": [1.0], "evidence": ["statute"]})
    >>> answered(checklist("governance"), values)["answer"].value_counts().sort("answer").rows()[0]
    ('met', 1)
    """
    known = {row["indicator"]: row for row in values.to_dicts()}
    rows = []
    for check in list_.checks:
        row = known.get(check.indicator, {})
        value = row.get("value")
        if value is not None and check.unit.en in SHARES and not 0 <= value <= 1:
            raise MeasureInputError(
                "JQ-ASSESS-086", indicator=check.indicator, value=value, year=row.get("year") or "—"
            )
        rows.append(
            (
                check.code, check.group, check.indicator, row.get("year"), value, check.sense, check.bound,
                check.judge(value), row.get("evidence"),
            )
        )  # fmt: skip
    return pl.DataFrame(rows, schema=ANSWERS, orient="row")
