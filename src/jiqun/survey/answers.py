"""Checks of answers 答卷核对: each as a load would check a cell, then what they must be together.

Nothing here knows who answers. An error keeps a form from being handed in, a warning asks for a second look.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Literal

import polars as pl

from jiqun.core.errors import JiqunError, catalogue
from jiqun.core.schema import Schema
from jiqun.intake.check import WARNINGS, Rules, check
from jiqun.intake.columns import Column
from jiqun.intake.read import Batch, no_refused
from jiqun.survey.questions import MOST_TIES, NUMERIC, Question

LONGEST = 2_000
"""Most characters of one answer."""
LONGEST_NAME = 200
STRENGTHS = (1, 2, 3)
"""Weak, medium, strong 弱 中 强: the strength of a tie, where it is asked."""
_SOURCE = "答卷 form"
_OF_COLUMNS = frozenset({"JQ-DATA-004", "JQ-DATA-005", "JQ-DATA-007", "JQ-DATA-008", "JQ-DATA-009"})
"""Messages whose hint speaks of a table's column."""


@dataclass(frozen=True)
class Finding:
    """What is wrong (or worth a second look) with an answer: its question, and a message of the catalogue."""

    question: str
    code: str
    fields: Mapping[str, Any] = field(default_factory=dict)
    severity: Literal["error", "warning"] = "error"

    @property
    def error(self) -> JiqunError:
        """The finding as an error, for its words."""
        return JiqunError(self.code, **self.fields)


@dataclass(frozen=True)
class Checked:
    """Answers as they are kept (numbers in the unit of their kind; what is empty is left out), and what was found."""

    values: Mapping[str, Any]
    findings: tuple[Finding, ...]

    @property
    def errors(self) -> tuple[Finding, ...]:
        """What keeps the form from being handed in."""
        return tuple(one for one in self.findings if one.severity == "error")

    @property
    def warnings(self) -> tuple[Finding, ...]:
        """What is to be confirmed."""
        return tuple(one for one in self.findings if one.severity == "warning")

    def of(self, question: str) -> tuple[Finding, ...]:
        """The findings about one question."""
        return tuple(one for one in self.findings if one.question == question)


def check_answers(
    questions: Sequence[Question],
    given: Mapping[str, Any],
    *,
    today: date,
    before: Mapping[str, float] | None = None,
    known: Collection[str] = (),
    self_id: str = "",
    complete: bool = True,
) -> Checked:
    """Check answers 核对答卷.

    Parameters
    ----------
    given
        Question → text as typed; of ties a sequence of `{"id": …, "name": …, "strength": …}`.
    before
        Question → value of a year before, in the unit in which it is kept: a change beyond `jump` is a warning.
    known
        Ids that a tie may name, `self_id` the respondent's own, which it may not.
    complete
        Whether required questions must be answered: not while a draft is saved.

    Examples
    --------
    >>> asked = [Question(code="revenue", zh="营业收入", en="Revenue", type="money", unit="万元", check="nonnegative")]
    >>> check_answers(asked, {"revenue": "1.2亿"}, today=date(2025, 7, 1)).values
    {'revenue': 120000000.0}
    >>> check_answers(asked, {"revenue": "350"}, today=date(2025, 7, 1)).values
    {'revenue': 3500000.0}
    >>> [one.code for one in check_answers(asked, {"revenue": "-1"}, today=date(2025, 7, 1)).findings]
    ['JQ-DATA-008']
    """
    plain = [question for question in questions if question.type != "ties"]
    values, findings = _cells(plain, given, today)
    for question in questions:
        if question.type == "ties":
            ties, wrong = _ties(question, given.get(question.code) or (), known, self_id)
            if ties:
                values[question.code] = ties
            findings += wrong
    spoilt = {one.question for one in findings if one.severity == "error"}
    if complete:
        lacking = [q.code for q in questions if q.required and q.code not in values and q.code not in spoilt]
        findings += [Finding(code, "JQ-SURVEY-020") for code in lacking]
    for question in plain:
        if question.code in values and question.code not in spoilt:
            findings += _together(question, {q.code: q for q in plain}, values)
            findings += _jump(question, values[question.code], (before or {}).get(question.code))
    return Checked(values, tuple(findings))


def _cells(
    questions: Sequence[Question], given: Mapping[str, Any], today: date
) -> tuple[dict[str, Any], list[Finding]]:
    """Typed values, by the checks of a load."""
    if not questions:
        return {}, []
    texts = [str(given.get(question.code) or "") for question in questions]
    findings = [
        Finding(question.code, "JQ-SURVEY-021", {"most": LONGEST})
        for question, text in zip(questions, texts, strict=True)
        if len(text) > LONGEST
    ]
    texts = [text if len(text) <= LONGEST else "" for text in texts]
    attributes = tuple(question.attribute for question in questions)
    described = Schema("survey", "", "", "snapshot", ("id",), attributes)
    columns = tuple(Column(at, q.code, q.code, "name", q.factor) for at, q in enumerate(questions))
    cells = pl.DataFrame({str(at): [text] for at, text in enumerate(texts)})
    batch = Batch(cells, pl.Series([1], dtype=pl.Int64), no_refused(), blank=0, plain=False, done=1)
    found = check(batch, Rules(described, columns, today, frozenset()))
    row = found.rows.row(0, named=True)
    values = {q.code: row[q.code] for q in questions if row[q.code] is not None}
    for problem in found.problems.iter_rows(named=True):
        asked = next(question for question in questions if question.code == problem["column"])
        detail = _range(asked) if problem["code"] == "JQ-DATA-009" else problem["detail"] or "—"
        fields = {
            "file": _SOURCE, "row": 1, "column": problem["column"], "value": problem["value"][:80],
            "detail": detail,
        }  # fmt: skip
        severity: Literal["error", "warning"] = "warning" if problem["code"] in WARNINGS else "error"
        findings.append(Finding(problem["column"], problem["code"], fields, severity))
    return values, findings


def _range(question: Question) -> str:
    """The range of a question in its own unit."""
    bounds = next(rule for rule in question.rules if rule.startswith("range:")).removeprefix("range:").split("..")
    return f"{'–'.join(typed(question, float(bound)) for bound in bounds)} {question.unit}".strip()


def _ties(
    question: Question, given: Sequence[Mapping[str, Any]], known: Collection[str], self_id: str
) -> tuple[list[dict[str, Any]], list[Finding]]:
    """Ties, each once; names outside the roster are kept as text."""
    kept: dict[tuple[str, str], dict[str, Any]] = {}
    findings = []
    for one in given:
        id_, name = str(one.get("id") or ""), " ".join(str(one.get("name") or "").split())[:LONGEST_NAME]
        if not (id_ or name):
            continue
        if id_ and (id_ == self_id or id_ not in known):
            findings.append(Finding(question.code, "JQ-SURVEY-023", {"value": name or id_}))
            continue
        tie: dict[str, Any] = {"name": name} | ({"id": id_} if id_ else {})
        strength = one.get("strength")
        if question.strength and not isinstance(strength, bool) and strength in STRENGTHS:
            tie["strength"] = strength
        kept.setdefault((id_, "" if id_ else name.casefold()), tie)
    if len(kept) > MOST_TIES:
        findings.append(Finding(question.code, "JQ-SURVEY-022", {"most": MOST_TIES}))
    return list(kept.values()), findings


def _together(question: Question, known: Mapping[str, Question], values: Mapping[str, Any]) -> list[Finding]:
    """What several answers must be together: totals add up, a part is no more than its whole."""
    findings = []
    for rule in question.rules:
        name, _, argument = rule.partition(":")
        others = argument.split("+")
        if name not in {"total", "within"} or any(one not in values for one in others):
            continue
        mine, theirs = values[question.code], math.fsum(values[one] for one in others)
        # each may be rounded to its unit: half a unit apiece
        slack = 0.5 * sum(known[one].factor for one in (question.code, *others)) * (question.type != "integer")
        parts = {
            "zh": " + ".join(known[one].zh for one in others),
            "en": " + ".join(known[one].en for one in others),
        }
        fields = {"parts": parts, "found": shown(question, mine), "sum": shown(question, theirs)}
        if name == "total" and abs(mine - theirs) > slack:
            findings.append(Finding(question.code, "JQ-SURVEY-024", fields))
        if name == "within" and mine - theirs > slack:
            findings.append(Finding(question.code, "JQ-SURVEY-025", fields))
    return findings


def change(value: float, before: float | None) -> float | None:
    """Relative change 变动率 against a value before; None where there is none to compare with, or it was 0.

    Examples
    --------
    >>> change(150.0, 100.0), change(1.0, 0.0)
    (0.5, None)
    """
    return None if not before else (value - before) / abs(before)


def _jump(question: Question, value: Any, before: float | None) -> list[Finding]:
    if question.type not in NUMERIC or before is None:
        return []
    moved = change(value, before)
    halved = moved is not None and moved <= -question.jump / (1 + question.jump)
    if (moved is not None and moved > question.jump) or halved or (before == 0 and value != 0):
        fields = {"value": shown(question, value), "before": shown(question, before)}
        return [Finding(question.code, "JQ-SURVEY-026", fields, "warning")]
    return []


def shown(question: Question, value: float) -> str:
    """A kept number in the question's own unit, as one would type it.

    Examples
    --------
    >>> shown(Question(code="revenue", zh="营业收入", en="Revenue", type="money", unit="万元"), 3500000.0)
    '350 万元'
    """
    return f"{typed(question, value)} {question.unit}".strip()


def typed(question: Question, value: Any) -> str:
    """A kept value as it would be typed into the form."""
    if question.type not in NUMERIC:
        return str(value)
    number = value / question.factor
    return f"{number:.10g}" if abs(number) < 1e10 else f"{number:.0f}"


def words(finding: Finding, language: Literal["zh", "en"]) -> tuple[str, str]:
    """What was found and what to do, for the respondent: without code, and without file, row and column."""
    text, _, hint = catalogue()[finding.code].render(language, **finding.fields).partition("\n")
    text = text.partition(" ")[2]
    if finding.code.startswith("JQ-DATA-"):
        text = text.partition("：" if language == "zh" else ": ")[2]
    return text, "" if finding.code in _OF_COLUMNS else hint.strip()
