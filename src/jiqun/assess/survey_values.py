"""What closed survey rounds say of each unit for an indicator 调查指标: answers of its firms, made into one number.

An indicator of a framework names a question; every yearly round of the workspace that asks it and is closed can fill it, for the
year that the round asks about. Of an organisation asked by several rounds of a year its answer counts, the latest if several.
What cannot be filled says why, and a unit of which too few answered has no value for anybody, so that none can be worked out
from a score.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from jiqun.assess.framework import SHARES, Framework, Indicator
from jiqun.assess.panel_table import CELLS
from jiqun.core.document import Text
from jiqun.core.errors import MeasureInputError
from jiqun.core.lineage import Source
from jiqun.intake.columns import UNITS, plain
from jiqun.store import Workspace
from jiqun.survey.answered import EMPLOYEES, answered, answers_to, closed, rounds_with, source
from jiqun.survey.estimates import ESTIMATES, LEAST_ANSWERS, estimates
from jiqun.survey.questions import NUMERIC, Question
from jiqun.survey.records import Round

RESPONSE: dict[str, pl.DataType] = {"code": pl.String(), "year": pl.Int64()} | ESTIMATES | {"rounds": pl.String()}
"""Columns of what was answered: of each indicator, year and unit, with the ids of the rounds."""
ROUNDS = {
    "survey": pl.String, "title_zh": pl.String, "title_en": pl.String, "year": pl.Int64, "state": pl.String,
    "closes_on": pl.String, "digest": pl.String,
}  # fmt: skip
AGGREGATES: Mapping[str, Text] = {
    "mean": Text("平均", "mean"),
    "weighted_mean": Text("加权平均", "weighted mean"),
    "median": Text("中位数", "median"),
    "sum": Text("合计(按受访机构推算)", "sum (expanded to those asked)"),
    "share": Text("占比", "share"),
}
_TOLD = frozenset({"CNY", "person", "share", "m2", "year", "CNY/m2/month"})
"""Units of which `UNITS` has true factors; of others it only knows that they are other."""
_PER_FIRM = ("/家", "/firm")


@dataclass(frozen=True, eq=False)
class Surveyed:
    """What rounds say; see `surveyed`."""

    cells: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=CELLS))
    """Values as in `Panel.cells`."""
    response: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=RESPONSE))
    told: Mapping[str, Text] = field(default_factory=dict)
    """By code of the indicator: how it was made, or why there is nothing, for the rated year."""
    rounds: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=ROUNDS))
    """Rounds of which answers were read."""
    inputs: Mapping[str, Source] = field(default_factory=dict)
    """By id of the round."""

    def sources(self, codes: Sequence[str]) -> tuple[Source, ...]:
        """The rounds on which the values of some indicators rest."""
        used = self.response.filter(pl.col("code").is_in(list(codes)))["rounds"].unique().to_list()
        ids = {one for listed in used for one in listed.split(", ")}
        return tuple(self.inputs[one] for one in sorted(ids & set(self.inputs)))


@dataclass(frozen=True)
class Matched:
    """The rounds that ask for an indicator."""

    usable: tuple[Round, ...]
    """Closed, of a whole year, and in a unit that fits."""
    waiting: tuple[Round, ...]
    """Not closed yet; drafts too."""
    quarters: tuple[Round, ...]
    misfits: tuple[tuple[Round, MeasureInputError], ...]
    """Closed, and cannot be used: each with why."""


def declared(framework: Framework) -> tuple[Indicator, ...]:
    """Its indicators that say how they are asked in a survey."""
    return tuple(one for one in framework.indicators if one.question is not None)


def how(one: Indicator) -> Text:
    """How answers become the indicator, in words.

    Examples
    --------
    >>> from jiqun.assess.framework import framework_of
    >>> health = framework_of("health")
    >>> how(next(one for one in health.indicators if one.code == "platform_use")).en
    'question platform_use, share of “yes”'
    """
    by = AGGREGATES[one.aggregate or "mean"]
    zh, en = by.zh, by.en
    if one.aggregate == "share":
        zh, en = f"答“{one.option}”的占比", f"share of “{one.option}”"
    if one.weigh_by is not None:
        zh, en = f"按 {one.weigh_by} {zh}", f"{en} by {one.weigh_by}"
    return Text(f"问题 {one.question}，{zh}", f"question {one.question}, {en}")


def matched(workspace: Workspace, framework: Framework) -> dict[str, Matched]:
    """By code, the rounds that ask for each indicator that is asked in surveys, newest first 可填报的轮次."""
    wanted = declared(framework)
    there = rounds_with(workspace, [str(one.question) for one in wanted])
    return {one.code: _matched(one, there) for one in wanted}


def _matched(one: Indicator, there: Sequence[Round]) -> Matched:
    asking = [found for found in there if found.question(str(one.question)) is not None]
    shut = [found for found in asking if closed(found)]
    usable: list[Round] = []
    misfits: list[tuple[Round, MeasureInputError]] = []
    for found in shut:
        if found.quarter is not None:
            continue
        try:
            _factor(one, found)
            usable.append(found)
        except MeasureInputError as error:
            misfits.append((found, error))
    return Matched(
        tuple(usable),
        tuple(found for found in asking if not closed(found)),
        tuple(found for found in shut if found.quarter is not None),
        tuple(misfits),
    )


def conversion(question: Question, unit: str, *, per_firm: bool = False) -> float | None:
    """What a kept answer is multiplied by to be in a unit 换算; None: it cannot be. `per_firm`: 万元/家 is 万元 of each.

    Examples
    --------
    >>> asked = Question(code="spending", zh="投入", en="Spending", type="money", unit="元")
    >>> conversion(asked, "万元/家", per_firm=True), conversion(asked, "人")
    (0.0001, None)
    """
    for tail in _PER_FIRM if per_firm else ():
        unit = unit.removesuffix(tail)
    measure, factor = UNITS.get(plain(unit), ("", 1.0))
    if measure in _TOLD:
        return 1 / factor if measure == question.measure else None
    same = unit.strip().casefold() in {question.unit.strip().casefold(), question.measure.strip().casefold()}
    return 1.0 if same and question.factor == 1.0 else None


def _factor(one: Indicator, found: Round) -> float:
    """What the aggregate of the kept answers is multiplied by.

    Raises
    ------
    MeasureInputError
        JQ-ASSESS-100: the units do not fit; JQ-ASSESS-101: the question, its option or its weight does not.
    """
    question = found.question(str(one.question))
    assert question is not None  # noqa: S101  # rounds are chosen by it
    fields: dict[str, Any] = {"round": f"{found.title.zh} {found.period}", "question": one.question}
    reason = ""
    if one.aggregate == "share":
        options = [option.value for option in question.options]
        if question.type != "choice":
            reason = f"type {question.type} ≠ choice"
        elif one.option not in options:
            reason = f"{one.option} ∉ {', '.join(options)}"
    elif question.type not in NUMERIC:
        reason = f"type {question.type} ∉ {', '.join(sorted(NUMERIC))}"
    elif one.weigh_by not in {None, EMPLOYEES}:
        by = found.question(str(one.weigh_by))
        if by is None or by.type not in NUMERIC:
            reason = f"weigh_by {one.weigh_by}"
    if reason:
        raise MeasureInputError("JQ-ASSESS-101", **fields, reason=reason)
    if one.aggregate == "share":
        return SHARES[one.unit]
    factor = conversion(question, one.unit, per_firm=one.aggregate != "sum")
    if factor is None:
        unit = question.unit or question.measure or "—"
        raise MeasureInputError("JQ-ASSESS-100", **fields, found=unit, indicator=one.code, expected=one.unit)
    return factor


def years(workspace: Workspace, framework: Framework) -> tuple[int, ...]:
    """The years for which rounds may fill something."""
    return tuple(sorted({found.year for one in matched(workspace, framework).values() for found in one.usable}))


def surveyed(
    workspace: Workspace, framework: Framework, codes: Sequence[str], belongs: pl.DataFrame, year: int
) -> Surveyed:
    """What closed rounds say of units for some indicators of a framework 汇集调查指标.

    Parameters
    ----------
    codes
        Of the indicators; those that declare no question are told to.
    belongs
        `unit` and `organisation` (its id in the register).
    year
        For which is told what there is; values are of all years that rounds ask about.
    """
    told: dict[str, Text] = {}
    cells, response = [pl.DataFrame(schema=CELLS)], [pl.DataFrame(schema=RESPONSE)]
    inputs: dict[str, Source] = {}
    rounds: dict[str, Round] = {}
    wanted = [one for one in framework.indicators if one.code in set(codes) and one.question is not None]
    found = matched(workspace, framework)
    read = _Reader(workspace, wanted)
    for one in framework.indicators:
        if one.code in set(codes) and one.origin == "survey" and one.question is None:
            told[one.code] = _UNDECLARED
    for one in wanted:
        match = found[one.code]
        for of_year in sorted({each.year for each in match.usable}):
            group = [each for each in match.usable if each.year == of_year]
            made = _estimated(one, group, read, belongs)
            ids = ", ".join(sorted(each.id for each in group))
            rows = made.with_columns(code=pl.lit(one.code), year=pl.lit(of_year), rounds=pl.lit(ids))
            response.append(rows.select(pl.col(name).cast(kind) for name, kind in RESPONSE.items()))
            cells.append(_cells(one, rows, group))
            rounds |= {each.id: each for each in group}
        told[one.code] = _told(one, match, response, year)
    for key, each in rounds.items():
        inputs[key] = source(workspace, each)
    listed = [
        (key, each.title.zh, each.title.en, each.year, each.state, each.closes_on.isoformat(), inputs[key].digest)
        for key, each in sorted(rounds.items())
    ]
    return Surveyed(
        pl.concat(cells), pl.concat(response), told, pl.DataFrame(listed, schema=ROUNDS, orient="row"), inputs
    )


class _Reader:
    """Reads each round once, with all that any indicator asks of it."""

    def __init__(self, workspace: Workspace, wanted: Sequence[Indicator]) -> None:
        self.workspace = workspace
        self.codes = sorted({str(name) for one in wanted for name in (one.question, one.weigh_by) if name})
        self.frames: dict[str, pl.DataFrame] = {}

    def __call__(self, found: Round) -> pl.DataFrame:
        if found.id not in self.frames:
            self.frames[found.id] = answered(self.workspace, found, self.codes)
        return self.frames[found.id]


def _estimated(one: Indicator, group: Sequence[Round], read: _Reader, belongs: pl.DataFrame) -> pl.DataFrame:
    """The answers of the rounds of a year, each organisation once, as one number of each unit."""
    parts = []
    for found in group:
        question = found.question(str(one.question))
        assert question is not None  # noqa: S101  # rounds are chosen by it
        factor = _factor(one, found)
        rows = answers_to(read(found), question, option=one.option, weigh_by=one.weigh_by)
        order = (found.closes_on.isoformat(), found.created_at.isoformat(), found.id)
        parts.append(rows.with_columns(x=pl.col("x") * factor, order=pl.lit(" ".join(order))))
    # of two rounds, or of two firms of a roster that are one since
    ranked = pl.concat(parts).sort(pl.col("answer") == "value", "order", descending=True, maintain_order=True)
    whole = ranked.unique("organisation", keep="first", maintain_order=True)
    return estimates(
        whole, belongs, one.aggregate or "mean", least=one.least or LEAST_ANSWERS, least_rate=one.least_rate or 0.0
    )


def _cells(one: Indicator, rows: pl.DataFrame, group: Sequence[Round]) -> pl.DataFrame:
    names = " + ".join(f"{each.title.zh} {each.period} ({each.id})" for each in group)
    evidence = pl.format(f"{{}}：{one.question}，{one.aggregate}，{{}}/{{}}", pl.lit(names), "answered", "asked")
    made = rows.filter(pl.col("state") == "shown").with_columns(
        origin=pl.lit("survey"), measure=pl.lit(one.unit), evidence=evidence
    )
    return made.select(pl.col(name).cast(kind) for name, kind in CELLS.items())


_UNDECLARED = Text(
    "指标没有写明由哪个调查问题得出(question、aggregate)，指标表也没有它的数值。",
    "It does not say which question of a survey it comes from (question, aggregate), and the table has no value of it.",
)


def _told(one: Indicator, match: Matched, response: Sequence[pl.DataFrame], year: int) -> Text:
    """How the indicator was made of the rounds of a year, or why it was not."""
    now = [frame for frame in response if frame.height and frame["code"][0] == one.code and frame["year"][0] == year]
    if now:
        return _made(one, now[0], [each for each in match.usable if each.year == year])
    misfits = [each for each in match.misfits if each[0].year == year] or [
        each for each in match.misfits if not any(one.year == year for one in match.waiting)
    ]
    if misfits:
        _, first = misfits[0]
        return Text(first.render("zh").partition("\n")[0], first.render("en").partition("\n")[0])
    waiting = [each for each in match.waiting if each.year == year] or list(match.waiting)
    if waiting:
        return _open(waiting[0])
    if match.usable:
        known = ", ".join(str(each) for each in sorted({each.year for each in match.usable}))
        return Text(
            f"没有问及 {year} 年的轮次；有 {known} 年的。", f"No round asks about {year}; there are rounds of {known}."
        )
    return _unasked(one, match.quarters)


def _open(found: Round) -> Text:
    if found.state == "draft":  # whose title is not for everybody yet
        return Text("问它的轮次还是草稿，没有开放。", "The round that asks it is a draft: it is not open yet.")
    name = _named(found)
    day = found.closes_on.isoformat()
    return Text(f"轮次“{name.zh}”尚未截止({day})。", f"The round “{name.en}” is not closed yet ({day}).")


def _unasked(one: Indicator, quarters: Sequence[Round]) -> Text:
    if quarters:
        name = _named(quarters[0])
        return Text(
            f"轮次“{name.zh}”问的是一个季度；评价用年度数据。",
            f"The round “{name.en}” asks about a quarter; an assessment takes yearly values.",
        )
    asked = how(one)
    return Text(
        f"还没有一轮调查问过它({asked.zh})：可在指标体系页上起草问卷。",
        f"No survey round asked for it ({asked.en}): draft one on the page of the framework.",
    )


def _made(one: Indicator, rows: pl.DataFrame, group: Sequence[Round]) -> Text:
    """How many units have no value and why, then how it was made; what a cell of a page has no room for comes last."""
    least = max(one.least or LEAST_ANSWERS, LEAST_ANSWERS)
    states = dict(rows.group_by("state").len().iter_rows())
    reasons = {
        "few": Text(f"回答少于 {least} 份", f"fewer than {least} answers"),
        "rate": Text(f"答复率低于 {one.least_rate or 0:.0%}", f"response rate below {one.least_rate or 0:.0%}"),
        "dominated": Text("一两家企业占主导，保密", "one or two firms dominate, confidential"),
        "weightless": Text("权重合计为 0", "weights add up to 0"),
        "unasked": Text("没有成员受访", "no member asked"),
    }
    there = [(states[name], words) for name, words in reasons.items() if name in states]
    zh = "、".join(f"{words.zh} {count} 个" for count, words in there)
    en = ", ".join(f"{words.en} {count}" for count, words in there)
    told, names = how(one), [_named(each) for each in group]
    return Text(
        (f"没有数值的单元：{zh}。" if zh else "") + f"{told.zh}；轮次“{'、'.join(name.zh for name in names)}”。",
        (f"Units without a value: {en}. " if en else "")
        + f"{told.en[:1].upper()}{told.en[1:]}; round “{', '.join(name.en for name in names)}”.",
    )


def _named(found: Round) -> Text:
    return Text(f"{found.title.zh} {found.period}", f"{found.title.en} {found.period}")
