"""A questionnaire for a framework 由指标体系起草问卷: the questions that its survey indicators come from.

A question that the yearly questionnaire of the program has is taken from there; one that it does not have is made of the
indicator, to be worded by whoever asks.
"""

from __future__ import annotations

from jiqun.assess.framework import Framework, Indicator
from jiqun.assess.survey_values import declared
from jiqun.core.errors import UsageError
from jiqun.intake.columns import UNITS, plain
from jiqun.survey.answered import EMPLOYEES
from jiqun.survey.questions import DONT_KNOW, NUMERIC, Option, Question, Type, checked_questions, templates

TEMPLATE = "cluster-questionnaire"
"""The shipped questionnaire from which questions are taken."""
_TYPES: dict[str, Type] = {"CNY": "money", "share": "share"}


def questionnaire(framework: Framework) -> tuple[Question, ...]:
    """The questions that fill a framework's survey indicators, each once, with those that weigh them.

    Where all are choices, persons employed are asked beside them.

    Raises
    ------
    UsageError
        JQ-ASSESS-102: none of its indicators says how it is asked.

    Examples
    --------
    >>> from jiqun.assess.framework import framework_of
    >>> [one.code for one in questionnaire(framework_of("readiness"))]
    ['digital_demand', 'platform_use']
    >>> [one.code for one in questionnaire(framework_of("competitiveness"))]
    ['employees', 'market_share', 'market_share_source']
    >>> [one.code for one in questionnaire(framework_of("green"))]
    ['employees', 'energy_management']
    """
    wanted = declared(framework)
    if not wanted:
        raise UsageError("JQ-ASSESS-102", framework=framework.code)
    ready = {one.code: one for one in templates()[TEMPLATE].question}
    found: dict[str, Question] = {}
    for one in wanted:
        weight = one.weigh_by
        if weight is not None and weight not in found:
            found[weight] = ready.get(weight) or _weight(weight)
        code = str(one.question)
        taken = ready.get(code)
        found[code] = taken if taken is not None and _fits(taken, one) else _made(one)
        beside = ready.get(f"{code}_source")
        if beside is not None and taken is found[code]:
            found[beside.code] = beside
    if not any(one.type in NUMERIC for one in found.values()):  # a round asks for a figure at least
        found = {EMPLOYEES: ready[EMPLOYEES]} | found
    return checked_questions(tuple(found.values()), "indicators")


def _fits(question: Question, one: Indicator) -> bool:
    """Whether the question gives answers that can be aggregated so."""
    if one.aggregate == "share":
        return one.option in {option.value for option in question.options}
    return question.type in NUMERIC


def _weight(code: str) -> Question:
    if code == EMPLOYEES:
        return Question(
            code=code, zh="年末从业人数", en="Persons employed at the end of the year", type="integer", unit="人",
            check="nonnegative", prefill=EMPLOYEES,
        )  # fmt: skip
    return Question(code=code, zh=code, en=code, type="number", check="nonnegative")


def _made(one: Indicator) -> Question:
    """A question of the indicator's name and unit."""
    code = str(one.question)
    if one.aggregate == "share":
        yes = one.option == "yes"
        options = (
            Option(value=str(one.option), zh="是" if yes else str(one.option), en="yes" if yes else str(one.option)),
            Option(value="no" if one.option != "no" else "yes", zh="否" if one.option != "no" else "是",
                   en="no" if one.option != "no" else "yes"),
            Option(value=DONT_KNOW, zh="不清楚", en="do not know"),
        )  # fmt: skip
        return Question(code=code, zh=one.zh, en=one.en, type="choice", options=options)
    unit = one.unit
    if one.aggregate != "sum":
        unit = unit.removesuffix("/家").removesuffix("/firm")
    measure, _ = UNITS.get(plain(unit), ("", 1.0))
    return Question(code=code, zh=one.zh, en=one.en, type=_TYPES.get(measure, "number"), unit=unit)
