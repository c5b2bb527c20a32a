"""What there is for the indicators of a framework, as it is answered 数据情况: coverage, and the rounds that ask for them."""

from __future__ import annotations

from typing import Literal

import polars as pl

from jiqun.assess.framework import Framework
from jiqun.assess.survey_values import matched
from jiqun.core.document import Text
from jiqun.core.operation import Model
from jiqun.store import Workspace
from jiqun.survey.records import Round


class CoverageRow(Model):
    """What there is for an indicator or denominator 数据情况."""

    code: str
    use: Literal["indicator", "denominator"]
    origin: str
    state: Literal["used", "missing", "equal", "invalid", "denominator"]
    units: int
    why: Text | None
    answered: int | None = None
    asked: int | None = None


class FillingRow(Model):
    """A survey round that asks for an indicator 可填报的轮次. `fills`: closed, of a whole year, and in a unit that fits."""

    indicator: str
    survey: str
    title_zh: str
    title_en: str
    period: str
    state: str
    fills: bool
    why: Text | None = None


def coverage_rows(frame: pl.DataFrame) -> tuple[CoverageRow, ...]:
    """What there is for each indicator, as it is answered."""
    return tuple(
        CoverageRow(
            **{k: v for k, v in row.items() if k not in {"zh", "en"}},
            why=Text(row["zh"], row["en"]) if row["zh"] else None,
        )
        for row in frame.to_dicts()
    )


def filling(workspace: Workspace, told: Framework) -> tuple[FillingRow, ...]:
    """The survey rounds that ask for the indicators of a framework, newest first."""
    rows = []
    for code, match in matched(workspace, told).items():
        states: list[tuple[Round, bool, Text | None]] = [(each, True, None) for each in match.usable]
        states += [(each, False, _WAITS) for each in match.waiting]
        states += [(each, False, _QUARTER) for each in match.quarters]
        states += [(each, False, Text(error.render("zh"), error.render("en"))) for each, error in match.misfits]
        rows += [
            FillingRow(
                indicator=code, survey=each.id, title_zh=each.title.zh, title_en=each.title.en, period=each.period,
                state=each.state, fills=fills, why=why,
            )
            for each, fills, why in states
        ]  # fmt: skip
    return tuple(rows)


_WAITS = Text("尚未截止", "not closed yet")
_QUARTER = Text("问的是一个季度", "it asks about a quarter")
