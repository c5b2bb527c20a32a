"""Indicator frameworks as data 指标体系: dimensions, indicators with unit and source, and the steps to an index.

A framework is a TOML or CSV file (`data/frameworks/` ships some). Whatever it comes from, it passes the same check; every
problem is a coded error that names file and indicator, and all are collected.
"""

from __future__ import annotations

import csv
import hashlib
import math
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import Field, ValidationError

from jiqun.core.document import Text
from jiqun.core.errors import InputError, JiqunError, UsageError
from jiqun.core.lineage import canonical_json
from jiqun.core.operation import Model
from jiqun.survey.estimates import LEAST_ANSWERS, Aggregate
from jiqun.survey.questions import CODE

LARGEST_FILE = 500_000
RESERVED = frozenset(
    {"unit", "rank", "observed", "year", "low", "high", "p_top", "part", "at", "name", "before", "score"}
)
"""Columns of results, which no dimension or indicator may be called."""
SHARES: Mapping[str, float] = {"%": 100.0, "share": 1.0}
"""Units in which a share of answers may be, with what a share is multiplied by."""
PROPOSAL = Text("建议：指标的选取是我们的，权重由您决定。", "Proposal: indicator choice is ours, weights are yours.")
"""Stands beside every framework that the program ships."""

Code = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,39}$")]
Name = Annotated[str, Field(min_length=1, max_length=120)]
Finite = Annotated[float, Field(allow_inf_nan=False)]
Weight = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Year = Annotated[int, Field(ge=1900, le=2200)]
Imputation = Literal["none", "mean", "median", "group_mean", "group_median", "nearest_year"]
Treatment = Literal["none", "winsorise", "log", "winsorise_or_log"]
Normalisation = Literal["minmax", "z", "rank", "percentile", "none"]
Weighting = Literal["given", "equal", "entropy", "critic", "pca", "ahp", "budget", "bod"]
ShareOf = Literal["score", "weights"]
Aggregation = Literal["arithmetic", "geometric", "harmonic", "mpi_minus", "mpi_plus"]
ASKED = ("question", "aggregate", "option", "weigh_by", "least", "least_rate")
"""Fields that say how answers of a survey round become one number of a unit; not there: the indicator has none of them."""


class Indicator(Model):
    """One indicator 指标.

    `origin` says who computes it: the atlas from member rows, a table that is loaded, or a survey round. With a
    `denominator` (a column of the table) the value is `per` · value / denominator. `low` and `high` are goalposts in the
    unit of the indicator, before `scale`. `impute` overrides the framework's rule. `unit_en` and `source_en` are for
    readers of English, where the unit and the source are written in Chinese.

    Of a survey round: `question` is the code of a question that is asked of firms, `aggregate` how their answers become one
    number of a unit (see `jiqun.survey.estimates`): of a share, `option` is the answer of a choice that counts; a weighted
    mean is `weigh_by` `employees` or another numeric question of the same round. A unit has no value below `least` answers
    or below the response rate `least_rate`.
    """

    code: Code
    parent: Code
    zh: Name
    en: Name
    unit: Annotated[str, Field(min_length=1, max_length=60)]
    unit_en: Annotated[str, Field(max_length=60)] = ""
    direction: Literal["higher", "lower"] = "higher"
    weight: Weight = 1.0
    denominator: Annotated[str | None, Field(min_length=1, max_length=60)] = None
    per: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 1.0
    origin: Literal["atlas", "table", "survey"] = "table"
    source: Annotated[str, Field(min_length=1, max_length=400)]
    source_en: Annotated[str, Field(max_length=400)] = ""
    valid_from: Year | None = None
    valid_to: Year | None = None
    impute: Imputation | None = None
    treat: bool = True
    scale: Literal["linear", "log10"] = "linear"
    low: Finite | None = None
    high: Finite | None = None
    reference: Annotated[str, Field(max_length=400)] = ""
    question: Annotated[str | None, Field(pattern=CODE)] = None
    aggregate: Aggregate | None = None
    option: Annotated[str | None, Field(pattern=CODE)] = None
    weigh_by: Annotated[str | None, Field(pattern=CODE)] = None
    least: Annotated[int | None, Field(ge=LEAST_ANSWERS, le=10_000)] = None
    least_rate: Annotated[float | None, Field(ge=0, le=1)] = None

    @property
    def measure(self) -> Text:
        """Its unit, in words."""
        return Text(self.unit, self.unit_en or self.unit)

    @property
    def whence(self) -> Text:
        """Its source, in words."""
        return Text(self.source, self.source_en or self.source)

    @property
    def title(self) -> Text:
        """Its name."""
        return Text(self.zh, self.en)


class Dimension(Model):
    """A dimension 维度 of indicators, or of other dimensions; the one without a parent is the index itself."""

    code: Code
    zh: Name
    en: Name
    parent: Code | None = None
    weight: Weight = 1.0

    @property
    def title(self) -> Text:
        """Its name."""
        return Text(self.zh, self.en)


class Judgement(Model):
    """Pairwise comparisons 两两比较 of the children of a dimension: `matrix[i][j]` is how many times i outweighs j."""

    parent: Code
    order: Annotated[tuple[Code, ...], Field(min_length=1)]
    matrix: Annotated[tuple[tuple[Annotated[float, Field(gt=0, allow_inf_nan=False)], ...], ...], Field(min_length=1)]


class Budget(Model):
    """How one expert spreads 100 points 百分分配 over the children of a dimension."""

    parent: Code
    expert: Name
    points: Mapping[Code, Weight]


class Steps(Model):
    """The steps from a table to an index 指数步骤, after OECD/JRC (2008).

    `weights` and `aggregate` hold for all levels, or one for each from the indicators upwards. `low` and `high` are the
    ends of the normalised scale (min-max, percentile), `mean` and `sd` those of z-scores. `screen`: least share of
    indicators that a unit must have, before or after imputation. `missing`: what to do where a value is still absent.
    `consistency`: largest consistency ratio of judgements; `eigenvalue`: components beyond it count in PCA weights;
    `share_low`, `share_high`: bounds of an indicator's share under benefit of the doubt, of a unit's score or (`share_of`) of
    the sum of its weights.
    """

    group: str | None = None
    screen: Annotated[float, Field(ge=0, le=1)] = 0.0
    screen_on: Literal["raw", "imputed"] = "raw"
    impute: Imputation = "none"
    max_gap: Annotated[int, Field(ge=1, le=50)] = 3
    missing: Literal["refuse", "renormalise"] = "refuse"
    treat: Treatment = "none"
    points: Annotated[int, Field(ge=1)] = 5
    skewness: Annotated[float, Field(gt=0)] = 2.0
    kurtosis: Annotated[float, Field(gt=0)] = 3.5
    normalise: Normalisation = "minmax"
    low: Finite = 0.0
    high: Finite = 100.0
    mean: Finite = 0.0
    sd: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 1.0
    cap: bool = True
    weights: Weighting | tuple[Weighting, ...] = "given"
    aggregate: Aggregation | tuple[Aggregation, ...] = "arithmetic"
    consistency: Annotated[float, Field(gt=0)] = 0.1
    eigenvalue: Annotated[float, Field(gt=0)] = 1.0
    share_low: Annotated[float, Field(ge=0, le=1)] = 0.0
    share_high: Annotated[float, Field(gt=0, le=1)] = 1.0
    share_of: ShareOf = "score"


class Framework(Model):
    """An indicator framework 指标体系: a tree of dimensions over indicators, and its steps."""

    code: Code
    zh: Name
    en: Name
    version: Annotated[str, Field(min_length=1, max_length=40)]
    status: Literal["proposal", "published", "own"] = "own"
    about_zh: Annotated[str, Field(max_length=1000)] = ""
    about_en: Annotated[str, Field(max_length=1000)] = ""
    dimensions: Annotated[tuple[Dimension, ...], Field(min_length=1, max_length=200)]
    indicators: Annotated[tuple[Indicator, ...], Field(min_length=1, max_length=1000)]
    judgements: tuple[Judgement, ...] = ()
    budgets: tuple[Budget, ...] = ()
    steps: Steps = Steps()

    @property
    def title(self) -> Text:
        """Its name."""
        return Text(self.zh, self.en)

    @property
    def digest(self) -> str:
        """sha256 of its content, in hex: what was computed with it names it so."""
        told = self.model_dump(mode="json")
        for one in told["indicators"]:  # what an indicator does not say of surveys, or in English, does not name it
            for name in (*ASKED, "unit_en", "source_en"):
                if not one[name]:
                    del one[name]
        return hashlib.sha256(canonical_json(told)).hexdigest()

    @property
    def root(self) -> str:
        """The dimension without a parent: the index itself."""
        return next(dimension.code for dimension in self.dimensions if dimension.parent is None)

    @property
    def measures(self) -> dict[str, Text]:
        """Its units in words, by how they are written."""
        return {indicator.unit: indicator.measure for indicator in self.indicators}

    @property
    def codes(self) -> tuple[str, ...]:
        """Its indicators, in order."""
        return tuple(indicator.code for indicator in self.indicators)

    @property
    def nodes(self) -> tuple[Dimension | Indicator, ...]:
        """Dimensions, then indicators."""
        return (*self.dimensions, *self.indicators)

    def children(self, parent: str) -> tuple[str, ...]:
        """Codes right below a dimension, dimensions first."""
        return self._below.get(parent, ())

    @cached_property
    def _below(self) -> dict[str, tuple[str, ...]]:
        found: dict[str, tuple[str, ...]] = {}
        for node in self.nodes:
            if node.parent is not None:
                found[node.parent] = (*found.get(node.parent, ()), node.code)
        return found

    def upwards(self) -> tuple[str, ...]:
        """Dimensions in an order in which every child comes before its parent."""
        found: list[str] = []

        def walk(code: str) -> None:
            for child in self.children(code):
                if child not in indicators:
                    walk(child)
            found.append(code)

        indicators = set(self.codes)
        walk(self.root)
        return tuple(found)

    def level(self, dimension: str) -> int:
        """1 for a dimension of indicators only, one more than its highest child otherwise."""
        dimensions = {one.code for one in self.dimensions}
        below = [self.level(child) for child in self.children(dimension) if child in dimensions]
        return 1 + max(below, default=0)

    def given(self, code: str) -> float:
        """The weight that the framework gives a dimension or indicator."""
        return next(node.weight for node in self.nodes if node.code == code)

    def named(self, code: str) -> Text:
        """The name of a dimension or indicator."""
        return next(node.title for node in self.nodes if node.code == code)

    def only(self, columns: Sequence[str]) -> Framework:
        """The same with the indicators alone whose column, and denominator, are among `columns` 只留有数据的指标.

        Raises
        ------
        InputError
            JQ-ASSESS-038: none is.
        """
        there = set(columns)
        kept = [one for one in self.indicators if one.code in there and (one.denominator or one.code) in there]
        if not kept:
            raise InputError("JQ-ASSESS-038", framework=self.code, columns=", ".join(columns)[:400])
        wanted = {one.parent for one in kept}
        parents = {dimension.code: dimension.parent for dimension in self.dimensions}
        for code in list(wanted):
            up = parents[code]
            while up is not None:
                wanted.add(up)
                up = parents[up]
        left = tuple(dimension for dimension in self.dimensions if dimension.code in wanted)
        return self.replaced(dimensions=left, indicators=tuple(kept))

    def replaced(self, **fields: Any) -> Framework:
        """The same with other fields; nothing that was worked out of the old ones is kept."""
        return Framework(**({name: getattr(self, name) for name in Framework.model_fields} | fields))

    def changed(self, **steps: Any) -> Framework:
        """The same with other steps.

        Raises
        ------
        UsageError
            JQ-ASSESS-032: a step or its value that there is not.
        """
        try:
            altered = Steps.model_validate(self.steps.model_dump() | steps)
        except ValidationError as error:
            told = error.errors(include_url=False, include_input=False, include_context=False)[0]
            what = str(told["loc"][0])
            raise UsageError("JQ-ASSESS-032", what=what, value=steps.get(what), expected=told["msg"]) from error
        return self.replaced(steps=altered)


@dataclass(frozen=True)
class Checked:
    """A framework as far as it could be read 检查结果, and every problem that it has."""

    framework: Framework | None
    problems: tuple[JiqunError, ...]


def parse_framework(text: str, file: str = "framework.toml") -> Framework:
    """A framework from TOML, or from CSV where the file's name ends in .csv 读指标体系.

    Raises
    ------
    InputError
        JQ-ASSESS-001: neither; -002 to -008, -011, -079 and -099: the only problem, with its place; -009: several, naming the first.
        `check_framework` gives them all.

    Examples
    --------
    >>> text = '''
    ... code = "small"
    ... zh = "小例"
    ... en = "Small"
    ... version = "1"
    ... [[dimension]]
    ... code = "index"
    ... zh = "指数"
    ... en = "Index"
    ... [[indicator]]
    ... code = "rd"
    ... parent = "index"
    ... zh = "研发强度"
    ... en = "R&D intensity"
    ... unit = "%"
    ... source = "table"
    ... '''
    >>> parse_framework(text).codes
    ('rd',)
    """
    checked = check_framework(text, file)
    if checked.framework is None or checked.problems:
        first, *more = checked.problems
        if more:
            raise InputError("JQ-ASSESS-009", file=file, count=len(more) + 1, first=str(first).partition("\n")[0])
        raise first
    return checked.framework


def check_framework(text: str, file: str = "framework.toml") -> Checked:
    """Every problem of a framework in TOML or CSV 检查."""
    try:
        if len(text) > LARGEST_FILE:
            raise ValueError(f"{len(text)} > {LARGEST_FILE}")
        body = _from_csv(text) if file.lower().endswith(".csv") else _from_toml(text)
    except (ValueError, KeyError, TypeError, RecursionError, csv.Error) as error:
        return Checked(None, (InputError("JQ-ASSESS-001", file=file, reason=str(error)[:200]),))
    return check_body(body, file)


def check_body(body: Any, file: str = "—") -> Checked:
    """Every problem of a framework that is written as `Framework` is 检查."""
    try:
        framework = Framework.model_validate(body)
    except ValidationError as error:
        told = error.errors(include_url=False, include_input=False, include_context=False)
        inner = [one for one in told if one["type"] != "too_short"] or told  # a list short of what was refused in it
        return Checked(None, tuple(_wrong(body, one, file) for one in inner[:200]))
    return Checked(framework, tuple(_problems(framework, file)))


@cache
def shipped() -> tuple[Framework, ...]:
    """The frameworks that the program brings, each a proposal 随附的指标体系.

    Examples
    --------
    >>> {framework.status for framework in shipped()}
    {'proposal'}
    """
    folder = files("jiqun.assess").joinpath("data", "frameworks")
    found = sorted((path for path in folder.iterdir() if path.name.endswith(".toml")), key=lambda path: path.name)
    return tuple(parse_framework(path.read_text(encoding="utf-8"), path.name) for path in found)


def shipped_text(code: str) -> str:
    """The TOML of a shipped framework, to write one's own from.

    Examples
    --------
    >>> shipped_text("green").splitlines()[0]
    'code = "green"'
    """
    return files("jiqun.assess").joinpath("data", "frameworks", f"{code}.toml").read_text(encoding="utf-8")


def framework_of(name: str | Path) -> Framework:
    """A shipped framework by its code, or one from a file .toml or .csv 取指标体系.

    Raises
    ------
    UsageError
        JQ-ASSESS-010: no such framework, and no such file.
    InputError
        As `parse_framework`.

    Examples
    --------
    >>> framework_of("competitiveness").root
    'competitiveness'
    """
    for framework in shipped():
        if framework.code == str(name):
            return framework
    path = Path(name)
    if path.suffix.lower() not in {".toml", ".csv"}:
        raise UsageError("JQ-ASSESS-010", value=name, known=", ".join(one.code for one in shipped()))
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError("JQ-ASSESS-001", file=path, reason=getattr(error, "strerror", None) or error) from error
    return parse_framework(text, path.name)


def checked_sum(values: Mapping[str, float], parent: str, totals: Sequence[float]) -> float:
    """The sum of weights, if it is one of `totals`.

    Raises
    ------
    InputError
        JQ-ASSESS-011: it is none, with the sum.
    """
    total = math.fsum(values.values())
    if not any(math.isclose(total, wanted, rel_tol=1e-6) for wanted in totals):
        expected = ", ".join(f"{wanted:g}" for wanted in totals)
        raise InputError("JQ-ASSESS-011", parent=parent, total=f"{total:.6g}", expected=expected)
    return total


def _from_toml(text: str) -> dict[str, Any]:
    raw = tomllib.loads(text)
    lists = {"dimension": "dimensions", "indicator": "indicators", "judgement": "judgements", "budget": "budgets"}
    return {lists.get(name, name): value for name, value in raw.items()}


def _from_csv(text: str) -> dict[str, Any]:
    """Rows of kind framework (one), dimension and indicator; a cell left empty is not given."""
    body: dict[str, Any] = {"dimensions": [], "indicators": []}
    for number, row in enumerate(csv.DictReader(text.splitlines(), strict=True), 2):
        given = {name: value.strip() for name, value in row.items() if name and value and value.strip()}
        kind = given.pop("kind", "")
        match kind:
            case "framework":
                body |= given
            case "dimension" | "indicator":
                body[f"{kind}s"].append(given)
            case _:
                raise ValueError(f"row {number}: kind '{kind}'; framework, dimension, indicator")
    return body


def _wrong(body: Any, told: Mapping[str, Any], file: str) -> InputError:
    """What a validator refused, at the dimension or indicator where it stands."""
    path = [str(part) for part in told["loc"]]
    place = ""
    if len(path) > 1 and path[0] in {"dimensions", "indicators", "judgements", "budgets"} and path[1].isdigit():
        at = int(path[1])
        item = body[path[0]][at]
        name = (item.get("code") or item.get("parent")) if isinstance(item, Mapping) else None
        place = f"{path[0][:-1]} {str(name)[:60] if name else at + 1}"
        path = path[2:] or path[:1]
    return InputError(
        "JQ-ASSESS-002", file=file, place=place or "framework", field=".".join(path) or "—", reason=told["msg"]
    )


def _problems(framework: Framework, file: str) -> Iterator[InputError]:
    seen: dict[str, str] = {}
    for at, node in enumerate(framework.nodes):
        first = at - len(framework.dimensions)
        place = f"dimension {at + 1}" if first < 0 else f"indicator {first + 1}"
        if node.code.lower() in RESERVED:
            yield InputError(
                "JQ-ASSESS-079", file=file, place=place, value=node.code, reserved=", ".join(sorted(RESERVED))
            )
        if seen.setdefault(node.code, place) != place:
            yield InputError("JQ-ASSESS-003", file=file, place=place, value=node.code, before=seen[node.code])
    yield from _tree_problems(framework, file)
    for indicator in framework.indicators:
        yield from _range_problems(indicator, file)
        yield from _asked_problems(indicator, file)
    steps = framework.steps
    for code, low, high in (("steps", steps.low, steps.high), ("steps", steps.share_low, steps.share_high)):
        if low >= high:
            yield InputError("JQ-ASSESS-008", file=file, node=code, low=low, high=high)


def _tree_problems(framework: Framework, file: str) -> Iterator[InputError]:
    parents = {dimension.code: dimension.parent for dimension in framework.dimensions}
    roots = [code for code, parent in parents.items() if parent is None]
    if len(roots) != 1:
        yield InputError("JQ-ASSESS-005", file=file, roots=", ".join(roots) or "—")
    for node in framework.nodes:
        if node.parent is not None and node.parent not in parents:
            known = ", ".join(parents)
            yield InputError("JQ-ASSESS-004", file=file, node=node.code, parent=node.parent, known=known)
    for code, parent in parents.items():
        below = [node for node in framework.nodes if node.parent == code]
        if not any(node.weight > 0 for node in below):
            yield InputError("JQ-ASSESS-006", file=file, node=code)
        up, met = parent, [code]
        while up is not None and up in parents and up not in met:
            met.append(up)
            up = parents[up]
        if up == code:
            yield InputError("JQ-ASSESS-007", file=file, path=" → ".join((*met, code)))
    asked = [("judgement", one.parent) for one in framework.judgements]
    for what, named in asked + [("budget", one.parent) for one in framework.budgets]:
        if named not in parents:
            yield InputError("JQ-ASSESS-004", file=file, node=what, parent=named, known=", ".join(parents))


def _range_problems(indicator: Indicator, file: str) -> Iterator[InputError]:
    pairs = ((indicator.low, indicator.high), (indicator.valid_from, indicator.valid_to))
    for k, (low, high) in enumerate(pairs):
        if low is not None and high is not None and (low > high or (k == 0 and low == high)):
            yield InputError("JQ-ASSESS-008", file=file, node=indicator.code, low=low, high=high)
    if indicator.scale == "log10" and indicator.low is not None and indicator.low <= 0:
        yield InputError("JQ-ASSESS-008", file=file, node=indicator.code, low=indicator.low, high="log10(≤ 0)")


def _asked_problems(one: Indicator, file: str) -> Iterator[InputError]:
    """What of the fields on a survey question cannot be so, each with what it should be."""
    given = {name for name in ASKED if getattr(one, name) is not None}
    if not given:
        return
    shares, weighs = one.aggregate == "share", one.aggregate == "weighted_mean"
    rules = (
        ("origin", one.origin == "survey", 'origin = "survey"'),
        ("question", one.question is not None, 'question = "…"'),
        ("aggregate", one.aggregate is not None, " | ".join(get_args(Aggregate))),
        ("option", (one.option is not None) == shares, 'aggregate = "share" ⇔ option'),
        ("weigh_by", (one.weigh_by is not None) == weighs, 'aggregate = "weighted_mean" ⇔ weigh_by'),
        ("weigh_by", one.weigh_by is None or one.weigh_by != one.question, f"≠ question ({one.question})"),
        ("unit", not shares or one.unit in SHARES, " | ".join(SHARES)),
        ("denominator", one.denominator is None or one.aggregate == "sum", 'aggregate = "sum"'),
    )
    for field, fits, expected in rules:
        if not fits:
            yield InputError("JQ-ASSESS-099", file=file, node=one.code, field=field, expected=expected)
