"""Stages and readiness in words and tables, in both languages 阶段与准备度报告."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

import polars as pl

from jiqun.assess.checks import checklist
from jiqun.assess.diagnosis_document import KNOWN
from jiqun.assess.stage import Stage
from jiqun.assess.stage_desk import METHODS, STAGE, StageRequest, check_rows
from jiqun.core.document import (
    Block,
    Cell,
    Column,
    Curve,
    Curves,
    Document,
    Figure,
    KeyFigure,
    KeyFigures,
    Paragraph,
    Section,
    Table,
    Text,
)
from jiqun.core.lineage import Lineage, Source
from jiqun.store import StoredResult
from jiqun.taxonomy import name as class_name

TITLE = Text("演进阶段", "Stages of evolution")
SOURCE = Text("indicators 表", "the table indicators")
SIGNS = {"met": Text("✓ 满足", "✓ met"), "unmet": Text("✗ 未满足", "✗ unmet"), "unknown": Text("? 未知", "? unknown")}
STATES = {
    "reached": Text("达到", "reached"), "not reached": Text("未达到", "not reached"), "unknown": Text("未知", "unknown"),
}  # fmt: skip
_CASES = {"worst": Text("最差", "worst"), "best": Text("最好", "best")}


def _checks(id_: str, title: Text, name: str, frame: pl.DataFrame, as_of: str, source: Text = SOURCE) -> Table:
    groups = checklist(name).groups
    rows: list[tuple[Cell, ...]] = [
        (
            groups[row.group], row.title, SIGNS[row.answer], row.value, f"{'≥' if row.sense == '>=' else '≤'} {row.bound:g}", row.year,
            row.evidence, row.action if row.answer == "unmet" else None, row.indicator,
        )
        for row in check_rows(name, frame)
    ]  # fmt: skip
    columns = (
        Column("group", Text("组", "Group")), Column("check", Text("核对项", "Check")), Column("answer", Text("结果", "Answer")),
        Column("value", Text("数值", "Value"), "number", 2), Column("bound", Text("界限", "Bound")),
        Column("year", Text("年份", "Year"), "code"), Column("evidence", Text("依据", "Evidence")),
        Column("action", Text("怎么办", "What to do")), Column("indicator", Text("指标", "Indicator"), "code"),
    )  # fmt: skip
    return Table(id_, title, columns, rows, source, as_of, checklist(name).source)


def stages_document(
    found: Sequence[Stage],
    source: Source,
    request: StageRequest,
    total: int,
    *,
    called: Mapping[str, Text] | None = None,
    linked: bool = False,
) -> Document:
    """Where units stand and on what evidence; of a single unit with every check 阶段报告.

    `called`: what units are called (`jiqun.assess.panel.unit_names`), where that is not their key.
    """
    rules = checklist("stage")
    names: dict[str | None, Text] = {None: Text("—", "—")}
    names.update(rules.groups)
    units = {one.unit: (called or {}).get(one.unit, Text(one.unit, one.unit)) for one in found}
    lineage = Lineage(*METHODS[STAGE], request.model_dump(), (source,))
    if request.unit is not None and len(found) == 1:
        one = found[0]
        blocks: tuple[Block, ...] = (
            _by_stage(one, source.as_of),
            _checks("checks", Text("核对项与依据", "Checks and evidence"), "stage", one.checks, source.as_of),
        )
        name = units[one.unit]
        return Document(Text(f"{name.zh}：演进阶段", f"{name.en}: stage of evolution"), one.sentence, blocks, lineage)
    rows: list[tuple[Cell, ...]] = [
        (
            units[one.unit], names[one.reached], names[one.possible],
            *(Text(f"{r['met']} / {r['met'] + r['unmet'] + r['unknown']}，未知 {r['unknown']}", f"{r['met']} of {r['met'] + r['unmet'] + r['unknown']}, unknown {r['unknown']}") for r in one.stages.to_dicts()),
            one.unit,
        )
        for one in found
    ]  # fmt: skip
    columns = (
        Column("unit", Text("单元", "Unit")), Column("reached", Text("至少到", "At least")), Column("possible", Text("至多到", "At most")),
        *(Column(code, text) for code, text in rules.groups.items()), Column("key", Text("编号", "Key"), "code"),
    )  # fmt: skip
    sure = sum(one.reached is not None and one.reached == one.possible for one in found)
    subtitle = Text(
        f"{total:,} 个单元有数据，其中 {sure:,} 个的阶段是确定的；其余给出上下界。",
        f"Units with data: {total:,}; the stage of {sure:,} is certain, of the others there are bounds.",
    )
    links = tuple(f"assess/stage?unit={quote(one.unit)}" for one in found) if linked else ()
    note = Text(
        f"{rules.source.zh}达到：该阶段至少一半核对项满足，且此前各阶段都达到。",
        f"{rules.source.en} Reached: at least half of its checks are met, and every stage before it is reached.",
    )
    table = Table(
        "stages",
        Text("各单元满足的核对项", "Checks met by each unit"),
        columns,
        rows,
        SOURCE,
        source.as_of,
        note,
        links,
    )
    return Document(TITLE, subtitle, (table,), lineage)


def _by_stage(one: Stage, as_of: str) -> Table:
    names = one.rules.groups
    rows: list[tuple[Cell, ...]] = [
        (names[r["stage"]], STATES[r["state"]], r["met"], r["unmet"], r["unknown"], r["share_low"], r["share_high"])
        for r in one.stages.to_dicts()
    ]
    columns = (
        Column("stage", Text("阶段", "Stage")), Column("state", Text("状态", "State")), Column("met", Text("满足", "Met"), "integer"),
        Column("unmet", Text("未满足", "Unmet"), "integer"), Column("unknown", Text("未知", "Unknown"), "integer"),
        Column("share_low", Text("满足占比下限", "Share met, from"), "share", 0), Column("share_high", Text("上限", "To"), "share", 0),
    )  # fmt: skip
    return Table("by-stage", Text("四个阶段", "The four stages"), columns, rows, SOURCE, as_of)


def readiness_document(result: StoredResult) -> Document:
    """Whether a region is ready for an industry: gates, nearness, jobs and tax under the user's assumptions 准备度报告."""
    values: dict[str, Any] = dict(result.values)
    as_of = result.lineage.inputs[0].as_of
    code = values["industry"]
    at = str(values["region"])
    region = Text(*(f"{name} ({at})" if name else at for name in (values.get("name_zh"), values.get("name_en"))))
    title = Text(
        f"{region.zh} 的准备度：{class_name(code, 'zh')}",
        f"Readiness of {region.en} for {class_name(code, 'en')}",
    )
    rules = checklist("readiness")
    gates: list[tuple[Cell, ...]] = [
        (rules.groups[r["gate"]], KNOWN["answer"][r["state"]], r["met"], r["unmet"], r["unknown"])
        for r in result.table("gates").to_dicts()
    ]
    columns = (
        Column("gate", Text("门槛", "Gate")), Column("state", Text("状态", "State")), Column("met", Text("满足", "Met"), "integer"),
        Column("unmet", Text("未满足", "Unmet"), "integer"), Column("unknown", Text("未知", "Unknown"), "integer"),
    )  # fmt: skip
    note = Text(
        "一项未满足，门就关着；一项未知，门就未知。", "One check unmet shuts a gate; one unknown leaves it unknown."
    )
    source = Text("indicators 与 facilities 表", "the tables indicators and facilities")
    blocks: list[Block] = [
        Section("gates-first", Text("先看门槛", "Gates first"), (
            Table("gates", Text("四道门", "The four gates"), columns, gates, source, as_of, note),
            _checks("readiness-checks", Text("核对项与依据", "Checks and evidence"), "readiness", result.table("checks"), as_of, source),
        )),
        Section("outlook", Text("离现有产业多近", "How near it is to what is there"), _outlook(values)),
    ]  # fmt: skip
    blocks.append(
        Section(
            "scenarios",
            Text("就业与税收：您的假设下", "Jobs and tax under your assumptions"),
            _scenarios(result, as_of),
        )
    )
    sentence = Text(values["sentence_zh"], values["sentence_en"])
    return Document(title, sentence, tuple(blocks), result.lineage)


def _outlook(values: dict[str, Any]) -> tuple[Block, ...]:
    told = values["outlook"]
    parts: list[Block] = []

    def figure(name: str, zh: str, en: str, form: str) -> KeyFigure | None:
        value = told[name]
        return None if value is None else KeyFigure(Text(format(value, form), format(value, form)), Text(zh, en))

    figures = [
        figure("density", "关联密度(0 至 1)", "relatedness density (0 to 1)", ".2f"),
        figure(
            "rank",
            f"在其 {told['lacking']} 个尚无的产业中的名次",
            f"rank among the {told['lacking']} industries it lacks",
            "d",
        ),
        figure("pci", "产业复杂度", "complexity of the industry", ".2f"),
        figure("gain", "对复杂度前景的增益", "gain in complexity outlook", ".2f"),
    ]
    known = tuple(one for one in figures if one)
    if told["has"]:
        parts.append(
            Paragraph(
                Text("该地区已有此产业(区位熵不低于 1)。", "The region has this industry already (LQ of at least 1).")
            )
        )
    if known:
        parts.append(KeyFigures(known))
    if told["reason"]:
        parts.append(
            Paragraph(
                Text(f"复杂度未知：{told['reason']['zh']}", f"Complexity is unknown: {told['reason']['en']}"), "caution"
            )
        )
    return tuple(parts)


def _scenarios(result: StoredResult, as_of: str) -> tuple[Block, ...]:
    frame = result.table("scenarios")
    rows: list[tuple[Cell, ...]] = [
        (
            _CASES[r["scenario"]],
            *(
                r[name]
                for name in (
                    "year",
                    "new_jobs",
                    "jobs_gained",
                    "jobs_lost",
                    "balance",
                    "tax_gained_cny",
                    "tax_lost_cny",
                )
            ),
        )
        for r in frame.to_dicts()
    ]
    columns = (
        Column("scenario", Text("情形", "Case")), Column("year", Text("年", "Year"), "integer"),
        Column("new_jobs", Text("新产业岗位", "Jobs of the new"), "integer"), Column("jobs_gained", Text("新增", "Won"), "integer"),
        Column("jobs_lost", Text("减少", "Lost"), "integer"), Column("balance", Text("差额", "Balance"), "integer"),
        Column("tax_gained_cny", Text("新增税收(元)", "Tax won (CNY)"), "integer"), Column("tax_lost_cny", Text("减少税收(元)", "Tax lost (CNY)"), "integer"),
    )  # fmt: skip
    note = Text(
        "增长率、下降率都是您给的；最差：增长最慢、下降最快。",
        "Growth and decline are yours; worst: the least growth and the fastest decline.",
    )
    table = Table(
        "scenario-rows",
        Text("逐年情形", "Year by year"),
        columns,
        rows,
        Text("登记册的从业人数与您的假设", "employees of the register, and your assumptions"),
        as_of,
        note,
    )
    worst, best = (frame.filter(pl.col("scenario") == case).sort("year") for case in ("worst", "best"))
    if worst["balance"].null_count():
        return (
            Paragraph(
                Text(
                    "就业未知：成员的从业人数不足，或没有给出新产业的首批岗位。",
                    "Jobs are unknown: too few firms state their employees, or the first jobs of the new industry are not given.",
                ),
                "caution",
            ),
            table,
        )
    middle = (worst["balance"] + best["balance"]) / 2
    curve = Curve(
        Text("两种情形的中点", "midway between the cases"), tuple(float(y) for y in worst["year"]), tuple(middle),
        tuple(worst["balance"]), tuple(best["balance"]), Text("最差至最好", "worst to best"),
    )  # fmt: skip
    mark = Curves(curve, Text("年", "year"), Text("个岗位", "jobs"), 0.0, Text("得失相抵", "as many won as lost"), 0)
    title = Text("新增岗位减去减少的岗位", "Jobs won less jobs lost")
    return (
        Figure(
            "scenarios-figure",
            title,
            Text("个岗位，带为最差至最好", "jobs; the band runs from worst to best"),
            mark,
            table,
        ),
    )
