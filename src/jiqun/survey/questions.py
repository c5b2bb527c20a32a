"""Questions 问题 as data: what is asked, in which unit, and how an answer is checked.

A set of questions is a TOML file (`[[question]]`), a CSV file with one question per row, or what the page's editor
writes, which is that CSV. Codes become the indicator's code (or the kind of link) when the round is published.
"""

from __future__ import annotations

import csv
import io
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError

from jiqun.core.document import Text
from jiqun.core.errors import InputError
from jiqun.core.operation import Model
from jiqun.core.schema import Attribute, schema
from jiqun.intake.columns import UNITS

Kind = Literal["indicators", "links"]
Type = Literal["money", "number", "integer", "share", "text", "choice", "ties"]
NUMERIC: frozenset[str] = frozenset({"money", "number", "integer", "share"})
"""Types whose answers become indicators."""
MOST_QUESTIONS = 100
MOST_TIES = 200
LARGEST_FILE = 200_000
DONT_KNOW = "dont_know"
"""Answer of a choice that says that one does not know 不清楚: it is no answer where answers are aggregated."""
LAST = "last"
"""What `prefill` says to begin with the answer of the round before."""
CODE = r"^[a-z][a-z0-9_]{0,39}$"
"""What codes of questions and values of options look like."""
_CHECK = re.compile(
    r"nonnegative|range:-?\d+(?:\.\d+)?\.\.-?\d+(?:\.\d+)?|total:[a-z0-9_]+(?:\+[a-z0-9_]+)*|within:[a-z0-9_]+"
)
_MEASURES = {"money": "CNY", "share": "share"}
_LINK_KINDS = tuple(schema("links")["kind"].check.removeprefix("enum:").split("|"))
Words = Annotated[str, Field(max_length=300)]


class Option(Model):
    """One answer of a choice."""

    value: Annotated[str, Field(pattern=CODE)]
    zh: Annotated[str, Field(min_length=1, max_length=100)]
    en: Annotated[str, Field(min_length=1, max_length=100)]

    @property
    def title(self) -> Text:
        """What it is called."""
        return Text(self.zh, self.en)


class Question(Model):
    """One question 问题.

    `unit` is what plain numbers are in: 万元 makes 12 mean 120,000 CNY. `check` holds rules, separated by `;`:
    `nonnegative`, `range:a..b`, `total:a+b` (it is the sum of those), `within:a` (no more than that one). `jump` is
    the relative change against a year before from which on the answer is to be confirmed. `prefill` names an attribute
    of the register, or is `last`: the round before. Ties always begin with those of the round before; of them, `link` is the kind of link and `direction` where the respondent stands: `source` (we
    supply them), `target` (they supply us) or `both` (it has no direction).
    """

    code: Annotated[str, Field(pattern=CODE)]
    zh: Annotated[str, Field(min_length=1, max_length=300)]
    en: Annotated[str, Field(min_length=1, max_length=300)]
    type: Type
    unit: Annotated[str, Field(max_length=60)] = ""
    required: bool = False
    check: Annotated[str, Field(max_length=300)] = ""
    help_zh: Words = ""
    help_en: Words = ""
    options: Annotated[tuple[Option, ...], Field(max_length=30)] = ()
    jump: Annotated[float, Field(gt=0, le=1000)] = 1.0
    prefill: Annotated[str, Field(max_length=40)] = ""
    link: Annotated[str, Field(max_length=40)] = ""
    direction: Literal["source", "target", "both"] = "both"
    strength: bool = False

    @property
    def title(self) -> Text:
        """What is asked."""
        return Text(self.zh, self.en)

    @property
    def help(self) -> Text:
        """What helps to answer."""
        return Text(self.help_zh, self.help_en or self.help_zh)

    @property
    def rules(self) -> tuple[str, ...]:
        """The rules of `check`, one by one."""
        return tuple(filter(None, (rule.strip() for rule in self.check.split(";"))))

    @property
    def factor(self) -> float:
        """What a plain number is multiplied by to be in the unit in which it is kept."""
        return UNITS[self.unit.lower()][1] if self.unit.lower() in UNITS else 1.0

    @property
    def measure(self) -> str:
        """The unit in which it is kept: CNY, share, person, or as asked."""
        if self.type in _MEASURES:
            return _MEASURES[self.type]
        return UNITS[self.unit.lower()][0] if self.unit.lower() in UNITS else self.unit

    @property
    def attribute(self) -> Attribute:
        """The question as an attribute of a table, so that an answer is checked as a load would check it."""
        plain = next((rule for rule in self.rules if rule == "nonnegative" or rule.startswith("range:")), "")
        kind: Any = "number" if self.type == "share" else "string" if self.type in {"text", "choice"} else self.type
        if self.type == "choice":
            plain = "enum:" + "|".join(option.value for option in self.options)
        elif self.type == "text":
            plain = "text"
        return Attribute(
            self.code, kind, self.measure, required=False, default="", description_zh=self.zh,
            description_en=self.en, aliases=(), check=plain, source="",
        )  # fmt: skip


COLUMNS = tuple(Question.model_fields)
"""Columns of a CSV file of questions; `options` are written `value:zh:en|value:zh:en`."""


def read_questions(path: Path, kind: Kind) -> tuple[Question, ...]:
    """Questions from a TOML or CSV file 读取问题.

    Raises
    ------
    InputError
        JQ-SURVEY-002: the file cannot be read; JQ-SURVEY-003, 004: a question cannot be so, with its place.
    """
    try:
        content = path.read_bytes()[: LARGEST_FILE + 1]
        if len(content) > LARGEST_FILE:
            raise ValueError("too large")
        text = content.decode("utf-8-sig")
        if path.suffix.lower() == ".csv":
            return from_csv(text, kind)
        found = tomllib.loads(text).get("question", [])
    except (OSError, ValueError) as error:
        raise InputError("JQ-SURVEY-002", file=path, reason=type(error).__name__) from error
    return checked_questions(found, kind)


def from_csv(text: str, kind: Kind) -> tuple[Question, ...]:
    """Questions from CSV text; empty cells are as if the column were not there."""
    rows = []
    try:
        for row in csv.DictReader(io.StringIO(text.strip()), strict=True):
            cells: dict[str, Any] = {
                str(name).strip(): cell.strip() for name, cell in row.items() if name is not None and cell
            }
            if "options" in cells:
                parts = [option.split(":") for option in cells["options"].split("|")]
                cells["options"] = [dict(zip(("value", "zh", "en"), part, strict=False)) for part in parts]
            rows.append({name: cell for name, cell in cells.items() if cell != ""})
    except csv.Error as error:
        raise InputError("JQ-SURVEY-002", file="CSV", reason=str(error)) from error
    return checked_questions(rows, kind)


def to_csv(questions: Iterable[Question]) -> str:
    """Questions as the CSV that `from_csv` reads, for the page's editor.

    Examples
    --------
    >>> asked = Question(code="revenue", zh="营业收入", en="Revenue", type="money", unit="万元")
    >>> from_csv(to_csv([asked]), "indicators") == (asked,)
    True
    """
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for question in questions:
        row = {name: getattr(question, name) for name in COLUMNS}
        row["options"] = "|".join(f"{one.value}:{one.zh}:{one.en}" for one in question.options)
        row["required"] = "true" if question.required else ""
        row["strength"] = "true" if question.strength else ""
        if question.type != "ties":
            row["direction"] = ""
        row["jump"] = "" if question.jump == 1.0 else f"{question.jump:g}"
        writer.writerow(row)
    return out.getvalue()


def checked_questions(found: Sequence[Any], kind: Kind) -> tuple[Question, ...]:
    """Questions that can be asked together in a round of this kind.

    Raises
    ------
    InputError
        JQ-SURVEY-003: a field of one is missing or wrong; JQ-SURVEY-004: they do not fit together.
    """
    if not 0 < len(found) <= MOST_QUESTIONS:
        raise InputError("JQ-SURVEY-004", place="—", reason=f"1–{MOST_QUESTIONS}")
    made: dict[str, Question] = {}
    for place, one in enumerate(found, 1):
        try:
            question = one if isinstance(one, Question) else Question.model_validate(one)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            field = ".".join(map(str, first["loc"])) or "—"
            raise InputError("JQ-SURVEY-003", place=place, field=field, reason=first["msg"]) from None
        _check_alone(question, kind)
        if question.code in made:
            raise InputError("JQ-SURVEY-004", place=question.code, reason="code ×2")
        made[question.code] = question
    for question in made.values():
        _check_rules(question, made)
    if not any(question.type in NUMERIC or question.type == "ties" for question in made.values()):
        raise InputError("JQ-SURVEY-004", place="—", reason="money / number / integer / share / ties")
    return tuple(made.values())


def _check_alone(question: Question, kind: Kind) -> None:
    reason = ""
    measures, _ = UNITS.get(question.unit.lower(), ("", 1.0))
    if question.type == "ties":
        if kind != "links":
            reason = "type: ties → kind = links"
        elif question.link not in _LINK_KINDS:
            reason = f"link: {' | '.join(_LINK_KINDS)}"
    elif question.type in NUMERIC and kind != "indicators":
        reason = "type: money / number / integer / share → kind = indicators"
    elif question.type in _MEASURES and measures != _MEASURES[question.type]:
        reason = f"unit: {_MEASURES[question.type]} ({'元, 万元, 亿元' if question.type == 'money' else '%'})"
    elif question.type == "choice" and len({option.value for option in question.options}) < 2:
        reason = "options: value:zh:en|value:zh:en"
    elif question.prefill and question.prefill not in {LAST, *schema("organisations").names}:
        reason = f"prefill: {question.prefill}"
    if reason:
        raise InputError("JQ-SURVEY-004", place=question.code, reason=reason)


def _check_rules(question: Question, known: Mapping[str, Question]) -> None:
    for rule in question.rules:
        name, _, argument = rule.partition(":")
        others = argument.split("+") if name in {"total", "within"} else []
        fits = _CHECK.fullmatch(rule) and question.type in NUMERIC
        same = all(one in known and known[one].measure == question.measure and one != question.code for one in others)
        if not (fits and same):
            raise InputError("JQ-SURVEY-004", place=question.code, reason=f"check: {rule}")


class Template(Model):
    """A template 模板 of a round (`questions`), or of a table of links that is known from elsewhere (`columns`)."""

    name: str
    kind: Literal["indicators", "links", "import"]
    zh: str
    en: str
    about_zh: str
    about_en: str
    note_zh: str = ""
    note_en: str = ""
    link: str = ""
    columns: Mapping[str, tuple[str, str]] = {}
    """Attribute of `links` → header in Chinese and in English."""
    examples: tuple[tuple[str, ...], ...] = ()
    question: tuple[Question, ...] = ()

    @property
    def title(self) -> Text:
        """What it is called."""
        return Text(self.zh, self.en)

    @property
    def about(self) -> Text:
        """What it is for."""
        return Text(self.about_zh, self.about_en)


@cache
def templates() -> dict[str, Template]:
    """The templates that come with the program, by name.

    Examples
    --------
    >>> sorted(templates())
    ['cluster-questionnaire', 'co-patents', 'quarterly-figures', 'roster-links', 'shareholders', 'tenders']
    """
    folder = Path(__file__).with_name("data")
    found = {}
    for path in sorted(folder.glob("*.toml")):
        made = Template(name=path.stem, **tomllib.loads(path.read_text(encoding="utf-8")))
        if made.kind != "import":
            checked_questions(made.question, made.kind)
        found[made.name] = made
    return found
