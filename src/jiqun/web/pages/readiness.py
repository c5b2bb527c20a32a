"""Readiness 准备度: what was found last, and the form that asks: a region, an industry, and what the user assumes."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Form, Request, Response
from pydantic import ValidationError

from jiqun.assess import stage_desk
from jiqun.assess.diagnosis_parts import GROUP_DIGITS
from jiqun.assess.diagnosis_room import EDITS
from jiqun.assess.readiness import MOST_YEARS
from jiqun.assess.stage_document import readiness_document
from jiqun.atlas.reading import Which, find_run, searched
from jiqun.core.document import Document, Text
from jiqun.core.errors import JiqunError, Language, PermissionDeniedError, UsageError, WorkspaceError
from jiqun.store import StoredResult, Workspace
from jiqun.taxonomy.tables import digital_entries
from jiqun.web.errors import by_field, refused_value
from jiqun.web.pages import atlas_parts as parts
from jiqun.web.render import page, see_other
from jiqun.web.visitor import Visitor, VisitorDep, WorkspaceDep

router = APIRouter()
BASE = "/assess/readiness"
DEFAULT_YEARS = "10"
Key = Annotated[str, Form(min_length=8, max_length=200)]
Given = Annotated[str, Form(max_length=400)]


@dataclass(frozen=True)
class Box:
    """A number that the form asks for, from `least` to `most` in the unit of the form; percent become shares."""

    title: Text
    least: float
    most: float
    percent: bool = False
    needed: bool = True

    def read(self, given: str) -> float | None:
        """The number that was typed; None where nothing was and nothing has to be.

        Raises
        ------
        UsageError
            JQ-ASSESS-032: it is none, or not within the bounds.
        """
        text = given.strip().rstrip("%％").strip() if self.percent else given.strip()
        if not text and not self.needed:
            return None
        try:
            number = float(text)
        except ValueError:
            number = math.nan
        if not self.least <= number <= self.most:
            raise self.wrong(given)
        return number / 100 if self.percent else number

    def wrong(self, given: str) -> UsageError:
        """The refusal of what was typed, with what may be."""
        unit = " %" if self.percent else ""
        upper = "" if math.isinf(self.most) else f"{self.most:g}{unit}"
        zh = f"{self.least:g}{unit} 至 {upper}的数" if upper else f"不小于 {self.least:g} 的数"
        en = f"a number from {self.least:g}{unit} to {upper}" if upper else f"a number of at least {self.least:g}"
        return refused_value(self.title, given, Text(zh, en))


RANGES = {"growth": (-100.0, 1000.0), "decline": (0.0, 100.0)}
"""Bounds of yearly change in percent, as `Assumptions.checked` has them."""
BOXES = {
    "growth_low": Box(
        Text("新产业每年增长，从", "Growth of the new industry a year, from"), *RANGES["growth"], percent=True
    ),
    "growth_high": Box(
        Text("新产业每年增长，至", "Growth of the new industry a year, to"), *RANGES["growth"], percent=True
    ),
    "decline_low": Box(
        Text("旧产业每年下降，从", "Decline of the old industries a year, from"), *RANGES["decline"], percent=True
    ),
    "decline_high": Box(
        Text("旧产业每年下降，至", "Decline of the old industries a year, to"), *RANGES["decline"], percent=True
    ),
    "years": Box(Text("年数", "Years ahead"), 1, MOST_YEARS),
    "new_jobs": Box(Text("新产业的首批岗位", "First jobs of the new industry"), 0, math.inf, needed=False),
    "tax_per_job_cny": Box(
        Text("新产业每岗位税收(元)", "Tax of the new industry per job (CNY)"), 0, math.inf, needed=False
    ),
    "old_tax_cny": Box(
        Text("旧产业现缴税收(元)", "Tax that the old industries pay now (CNY)"), 0, math.inf, needed=False
    ),
}
TITLES = {
    "region": Text("地区", "Region"),
    "industry": Text("新产业", "New industry"),
    **{name: box.title for name, box in BOXES.items()},
    "old": Text("将退出的产业", "Industries that would give way"),
    "unit": Text("地区在指标表中的名称", "Name of the region in the table of indicators"),
}
EXPECTED = {
    "region": Text("国家或省的代码，如 CN.30", "the code of a country or province, such as CN.30"),
    "industry": Text("四位数字的分类代码，如 0304", "a code of four digits, such as 0304"),
    "old": Text(
        "2 至 6 位的分类代码，以空格或逗号隔开，如 0103 0201",
        "codes of 2 to 6 digits, split by spaces or commas, such as 0103 0201",
    ),
    "unit": Text("不超过 200 字的名称", "a name of at most 200 characters"),
}
AT = {"JQ-ASSESS-097": "region", "JQ-TAXONOMY-004": "industry"}
"""The field that an error of the desk speaks of; others stand at the top of the form."""


@router.get(BASE)
def readiness(request: Request, visitor: VisitorDep, workspace: WorkspaceDep) -> Response:
    """The last assessment of readiness, or that which the address names; and the form that asks for one."""
    visitor.require("assess.readiness", *stage_desk.readiness_operation.roles)
    asked = parts.asked(request, stage_desk.LastRequest)
    result = workspace.result(stage_desk.READINESS, asked.run)
    return _page(request, visitor, workspace, result, _given(result))


@router.post(BASE)
def assess(
    request: Request,
    visitor: VisitorDep,
    workspace: WorkspaceDep,
    key: Key,
    region: Given = "",
    industry: Given = "",
    old: Given = "",
    unit: Given = "",
    growth_low: Given = "",
    growth_high: Given = "",
    decline_low: Given = "",
    decline_high: Given = "",
    years: Given = "",
    new_jobs: Given = "",
    tax_per_job_cny: Given = "",
    old_tax_cny: Given = "",
) -> Response:
    """Queue an assessment and go to its job; where something cannot be, the form again with what and where."""
    visitor.require(stage_desk.JOB, *EDITS)
    given = {
        "region": region, "industry": industry, "old": old, "unit": unit, "growth_low": growth_low,
        "growth_high": growth_high, "decline_low": decline_low, "decline_high": decline_high, "years": years,
        "new_jobs": new_jobs, "tax_per_job_cny": tax_per_job_cny, "old_tax_cny": old_tax_cny,
    }  # fmt: skip
    wanted, wrong = read_form(given)
    if wanted is not None:
        try:
            return see_other(f"/jobs/{stage_desk.queue_readiness(visitor.actor, workspace, wanted, key=key).job}")
        except PermissionDeniedError:
            raise
        except JiqunError as error:
            wrong = {AT.get(error.code, ""): error}
    return _page(request, visitor, workspace, None, given, wrong)


def read_form(given: Mapping[str, str]) -> tuple[stage_desk.ReadinessRequest | None, dict[str, JiqunError]]:
    """What the form asks for, or what is wrong by field 读表单."""
    wrong: dict[str, JiqunError] = {}
    read: dict[str, float | None] = {}
    for name, box in BOXES.items():
        try:
            read[name] = box.read(given[name])
        except UsageError as error:
            wrong[name] = error
    ranges: dict[str, tuple[float, float]] = {}
    for name in RANGES:
        low, high = read.pop(f"{name}_low", None), read.pop(f"{name}_high", None)
        if low is not None and high is not None:
            ranges[name] = (low, high)
            if low > high:
                at = f"{name}_high"
                wrong[at] = refused_value(TITLES[at], given[at], Text("不小于“从”的数", "no less than where it begins"))
    numbers = {name: value for name, value in read.items() if value is not None}
    texts = {name: given[name].strip() for name in ("region", "industry", "unit")}
    codes = tuple(re.split(r"[\s,，、;；]+", given["old"].strip())) if given["old"].strip() else ()
    asked = {"region": texts["region"].upper(), "industry": texts["industry"], "unit": texts["unit"] or None}
    try:
        request = stage_desk.ReadinessRequest.model_validate({**asked, "old": codes, **ranges, **numbers})
    except ValidationError as error:
        for name in dict.fromkeys(str(one["loc"][0]) for one in error.errors()):
            expected = EXPECTED.get(name)
            wrong[name] = (
                refused_value(TITLES[name], given[name], expected) if expected else BOXES[name].wrong(given[name])
            )
    return (None, wrong) if wrong else (request, wrong)


def _page(
    request: Request,
    visitor: Visitor,
    workspace: Workspace,
    result: StoredResult | None,
    given: Mapping[str, str],
    wrong: Mapping[str, JiqunError] | None = None,
) -> Response:
    drawn, tail = None, ""
    if result is not None:
        shown, query = result, {} if result.current else {"run": result.id[:12]}
        tail = parts.suffix(query)
        drawn = parts.drawn_once(result.path, BASE, visitor.language, query, lambda: readiness_document(shown))
    language = visitor.language
    told, errors = by_field(wrong or {}, TITLES, language)
    return page(
        request,
        visitor,
        "readiness.html",
        status=422 if wrong else 200,
        drawn=drawn,
        result=result,
        tail=tail,
        may=not visitor.actor.roles.isdisjoint(EDITS),
        loaded=bool(workspace.history("organisations")),
        given=given,
        wrong=told,
        errors=errors,
        boxes=BOXES,
        titles=TITLES,
        regions=regions_to_choose(workspace) if not visitor.actor.roles.isdisjoint(EDITS) else [],
        industries=_industries(language),
    )


def _given(result: StoredResult | None) -> dict[str, str]:
    """The form as it was filled in for a result, else empty."""
    given = dict.fromkeys(TITLES, "") | {"years": DEFAULT_YEARS}
    if result is None:
        return given
    asked: Mapping[str, Any] = result.lineage.parameters
    for name in RANGES:
        low, high = asked[name]
        given |= {f"{name}_low": f"{low * 100:.10g}", f"{name}_high": f"{high * 100:.10g}"}
    for name in ("years", "new_jobs", "tax_per_job_cny", "old_tax_cny"):
        given[name] = "" if asked[name] is None else f"{asked[name]:.15g}"
    return given | {
        "region": asked["region"], "industry": asked["industry"], "old": " ".join(asked["old"]),
        "unit": asked["unit"] or "",
    }  # fmt: skip


def regions_to_choose(workspace: Workspace) -> list[tuple[str, Text]]:
    """Codes and names of regions to choose from, as the last search for clusters found them; none before one."""
    if None not in searched(workspace):
        return []
    found = find_run(workspace, Which()).regions
    if "name_en" not in found.columns:
        return []
    rows = found.select("region", "name_zh", "name_en").iter_rows()
    return [(code, Text(zh or code, en or code)) for code, zh, en in rows]


def _industries(language: Language) -> list[tuple[str, str]]:
    """The groups of the digital classification, by code."""
    groups = (one for code, one in sorted(digital_entries().items()) if len(code) == GROUP_DIGITS)
    return [(one.code, f"{one.code} {one.name_zh if language == 'zh' else one.name_en}") for one in groups]


@router.get(BASE + ".{form:ending}")
def readiness_file(
    request: Request, visitor: VisitorDep, workspace: WorkspaceDep, form: parts.Form | parts.Twin
) -> Response:
    """Readiness as a report, its scenarios as CSV, everything as JSON."""
    asked = parts.asked(request, stage_desk.LastRequest)
    told = stage_desk.readiness_operation(visitor.actor, workspace, asked)
    if form == "json":
        return parts.answer(request, told.model_dump_json().encode(), "application/json")
    document = _readiness(workspace, told.id)
    if form == "csv":
        return parts.table_answer(request, parts.find_table(document, "scenario-rows"), "csv")
    return parts.file_answer(request, visitor, document, form)


@router.get(BASE + "/{table}.{form:ending}")
def readiness_table(
    request: Request, visitor: VisitorDep, workspace: WorkspaceDep, table: parts.Name, form: parts.Twin
) -> Response:
    """A table of readiness as CSV or JSON."""
    told = stage_desk.readiness_operation(visitor.actor, workspace, parts.asked(request, stage_desk.LastRequest))
    return parts.table_answer(request, parts.find_table(_readiness(workspace, told.id), table), form)


def _readiness(workspace: Workspace, run: str) -> Document:
    result = workspace.result(stage_desk.READINESS, run)
    if result is None:
        raise WorkspaceError("JQ-ASSESS-098")
    return readiness_document(result)
