"""What an index and its uncertainty say, in words, bars and tables, in both languages 综合指数报告."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import polars as pl

from jiqun.assess.composite import STAGES, CompositeIndex
from jiqun.assess.framework import PROPOSAL, Framework
from jiqun.assess.rank_uncertainty import SHIFT, Uncertainty
from jiqun.core.document import (
    Bar,
    Bars,
    Block,
    Column,
    Document,
    Figure,
    KeyFigure,
    KeyFigures,
    Kind,
    Paragraph,
    Section,
    Table,
    Text,
)
from jiqun.core.lineage import Lineage, Source

SHOWN = 30
"""Bars of a figure, and rows of long tables in a report to read; a workbook, CSV and JSON have all."""
NAME = "name"
"""A column of what a code in another column is called."""
READ = ("unit", "indicator", NAME, "raw", "imputed_by", "normalised", "weight", "contribution", "against_median")
"""Columns of the trace in a report to read."""
CHOICES = {
    "impute": Text("插补", "imputation"),
    "treat": Text("极端值处理", "treatment of outliers"),
    "normalise": Text("标准化", "normalisation"),
    "boundary": Text("集群边界", "cluster boundary"),
    "weights": Text("权重", "weights"),
    "aggregate": Text("合成方式", "aggregation"),
    "leave_out": Text("剔除指标", "indicator left out"),
}
Heads = dict[str, tuple[str, str, Kind, int]]
"""Of a table: column to zh, en, kind and digits."""

UNIT: Heads = {"unit": ("单元", "unit", "text", 0)}
RANKS: Heads = {
    "rank": ("名次", "rank", "integer", 0),
    "median": ("名次中位数", "median rank", "integer", 0),
    "low": ("名次下限", "rank from", "integer", 0),
    "high": ("名次上限", "rank to", "integer", 0),
    "best": ("最好", "best", "integer", 0),
    "worst": ("最差", "worst", "integer", 0),
    "p_top": ("进入前列的概率", "chance to be among the top", "probability", 3),
}
TRACE: Heads = {
    "indicator": ("指标", "indicator", "text", 0),
    NAME: ("名称", "name", "text", 0),
    "raw": ("原值", "raw", "number", 4),
    "denominated": ("除以基数后", "per denominator", "number", 4),
    "imputed": ("插补后", "after imputation", "number", 4),
    "imputed_by": ("插补规则", "imputed by", "text", 0),
    "from_year": ("取自年份", "from year", "code", 0),
    "treated": ("极端值处理后", "after treatment", "number", 4),
    "treatment": ("处理", "treatment", "text", 0),
    "normalised": ("标准化后", "normalised", "number", 3),
    "weight": ("总权重", "overall weight", "share", 2),
    "contribution": ("贡献", "contribution", "number", 3),
    "against_median": ("与中位数相比", "against the median", "number", 3),
}
WEIGHTS: Heads = {
    "code": ("代码", "code", "text", 0),
    NAME: ("名称", "name", "text", 0),
    "parent": ("上级", "parent", "text", 0),
    "weight": ("同级权重", "share within parent", "share", 2),
    "overall": ("总权重", "overall weight", "share", 2),
}
_TREATMENT: Heads = {
    "indicator": ("指标", "indicator", "text", 0),
    "action": ("处理", "action", "text", 0),
    "points": ("改动的点", "points moved", "integer", 0),
    "skewness": ("偏度", "skewness", "number", 2),
    "kurtosis": ("峰度", "kurtosis", "number", 2),
    "skewness_after": ("处理后偏度", "skewness after", "number", 2),
    "kurtosis_after": ("处理后峰度", "kurtosis after", "number", 2),
}
_CORRELATIONS: Heads = {
    "a": ("甲", "a", "text", 0),
    "b": ("乙", "b", "text", 0),
    "relation": ("关系", "relation", "text", 0),
    "r": ("相关系数", "r", "number", 3),
}
_RELIABILITY: Heads = {
    "dimension": ("维度", "dimension", "text", 0),
    "children": ("下级数", "children", "integer", 0),
    "alpha": ("克隆巴赫系数", "Cronbach's alpha", "number", 3),
}
FACTORS: Heads = {
    "factor": ("因素", "factor", "text", 0),
    NAME: ("名称", "name", "text", 0),
    "alternatives": ("备选", "alternatives", "text", 0),
}
SENSITIVITY: Heads = {
    "output": ("结果", "output", "text", 0),
    "factor": ("因素", "factor", "text", 0),
    NAME: ("名称", "name", "text", 0),
    "first": ("一阶", "first order", "number", 3),
    "first_low": ("一阶下限", "first order from", "number", 3),
    "first_high": ("一阶上限", "first order to", "number", 3),
    "total": ("总效应", "total", "number", 3),
    "total_low": ("总效应下限", "total from", "number", 3),
    "total_high": ("总效应上限", "total to", "number", 3),
}
BOUNDARIES: Heads = {
    "boundary": ("边界", "boundary", "text", 0),
    "indicators": ("随边界变化的指标", "indicators that follow it", "text", 0),
    "weight_covered": ("其总权重", "their weight", "share", 1),
}
_DOMINANCE: Heads = {
    "unit": ("单元", "unit", "text", 0),
    "other": ("另一单元", "other", "text", 0),
    "p": ("得分更高的概率", "chance of the higher score", "probability", 3),
}


def index_document(found: CompositeIndex, inputs: Sequence[Source] = (), *, full: bool = True) -> Document:
    """The report of a composite index 综合指数报告: scores, what each indicator adds, every step.

    `full`: tables with all rows, for a workbook; else the first of each.
    """
    framework = found.framework
    most = None if full else SHOWN
    year = "" if found.year is None else str(found.year)
    source = source_text(framework)
    called = names_of(framework)
    trace = UNIT | TRACE
    if not full:
        trace = {key: trace[key] for key in READ}
    steps = [
        Section(
            "where-from",
            Text("每个得分从何而来", "Where each score comes from"),
            (
                built_table(
                    "trace",
                    Text("逐项溯源", "Trace"),
                    traces(found),
                    trace,
                    source,
                    year,
                    most,
                    ("indicator", called),
                ),
                built_table(
                    "weights", Text("权重", "Weights"), found.weights, WEIGHTS, source, year, None, ("code", called)
                ),
            ),
        ),
        Section("each-step", Text("各步做了什么", "What each step did"), tuple(step_tables(found, source, year, most))),
    ]
    lead = Text(
        f"{len(found.units)} 个单元，{len(framework.codes)} 项指标",
        f"{len(found.units)} units, {len(framework.codes)} indicators",
    )
    bars = tuple(
        Bar(Text(str(row["unit"]), str(row["unit"])), row[framework.root])
        for row in found.scores.head(SHOWN).to_dicts()
        if row[framework.root] is not None
    )
    scores = built_table(
        "scores", Text("得分与名次", "Scores and ranks"), found.scores, score_heads(found), source, year
    )
    blocks: tuple[Block, ...] = (
        *said(framework),
        KeyFigures(
            (
                KeyFigure(counted_text(len(found.units)), Text("被评单元", "units rated")),
                KeyFigure(counted_text(found.screened.height), Text("因缺数据未评", "left out for lack of data")),
                KeyFigure(counted_text(found.imputed.height), Text("插补的数值", "values imputed")),
            )
        ),
        Figure("scores-figure", _leader(found), Text("得分", "score"), Bars(bars, Text("分", "points")), scores),
        *steps,
        method_section(framework),
    )
    return Document(framework.title, lead, blocks, _lineage("assess.composite_index", framework, inputs, {}))


def _leader(found: CompositeIndex) -> Text:
    """The finding: who is first, and by how much."""
    root = found.framework.root
    first, second = found.scores.head(2).to_dicts()
    if second[root] is None:
        return Text(f"只有 {first['unit']} 有得分", f"Only {first['unit']} has a score")
    lead = first[root] - second[root]
    return Text(
        f"{first['unit']} 居首，领先 {second['unit']} {lead:.1f} 分",
        f"{first['unit']} leads {second['unit']} by {lead:.1f} points",
    )


def uncertainty_document(found: Uncertainty, inputs: Sequence[Source] = (), *, full: bool = True) -> Document:
    """The report of how sure ranks are 排名不确定性报告: rank intervals, what moves them, who leads whom."""
    framework, source = found.framework, source_text(found.framework)
    most = None if full else SHOWN
    sure = found.ranks.filter(pl.col("low") == pl.col("high")).height
    lead = Text(
        f"{found.runs:,} 次模拟中，{len(found.units)} 个单元里有 {sure} 个的名次区间只有一个名次。",
        f"In {found.runs:,} runs {sure} of {len(found.units)} units keep one rank over the whole interval.",
    )
    bars = tuple(
        Bar(Text(str(row["unit"]), str(row["unit"])), row["median"], row["low"], row["high"])
        for row in found.ranks.head(SHOWN).to_dicts()
    )
    ranks = built_table("ranks", Text("名次区间", "Rank intervals"), found.ranks, UNIT | RANKS, source)
    choices = ("factor", CHOICES)
    title = Text("哪些选择在变", "What varies")
    tables: list[Block] = [built_table("factors", title, found.factors, FACTORS, source, called=choices)]
    if found.sensitivity.height:
        whole = found.sensitivity.filter(pl.col("output") == SHIFT) if not full else found.sensitivity
        title = Text("哪个因素影响名次", "Which choice moves ranks")
        tables.append(built_table("sensitivity", title, whole, SENSITIVITY, source, called=choices))
    if found.boundaries.height:
        title = Text("集群边界", "Cluster boundary")
        tables.append(built_table("boundaries", title, found.boundaries, BOUNDARIES, source))
    title = Text("两两比较", "Pairwise comparison")
    tables.append(built_table("dominance", title, found.dominance, _DOMINANCE, source, "", most))
    blocks: tuple[Block, ...] = (
        *said(framework),
        Figure(
            "ranks-figure",
            lead,
            Text("名次中位数与区间", "median rank and interval"),
            Bars(bars, Text("名次", "rank"), digits=0),
            ranks,
        ),
        Section("choices", Text("什么会改变结果", "What would change the result"), tuple(tables)),
        Paragraph(
            Text(
                "区间说明各种做法会把名次移动多远，不说明数据本身有多大误差。",
                "Intervals say how far choices move a rank, not how wrong the data are.",
            ),
            "caution",
        ),
        method_section(framework),
    )
    more = {"runs": found.runs, "factors": dict(found.factors.iter_rows())}
    title = Text(f"{framework.zh}：名次有多可靠", f"{framework.en}: how sure ranks are")
    what = Text(f"{found.runs:,} 次模拟，{len(found.units)} 个单元", f"{found.runs:,} runs, {len(found.units)} units")
    return Document(title, what, blocks, _lineage("assess.uncertainty", framework, inputs, more))


def framework_table(framework: Framework) -> pl.DataFrame:
    """One row an indicator: what it is, where from, who computes it 指标清单."""
    return pl.DataFrame([one.model_dump(exclude={"low", "high", "scale", "treat"}) for one in framework.indicators])


def tables_of(blocks: Sequence[Block]) -> Iterator[Table]:
    """All tables below some blocks, in order."""
    for block in blocks:
        if isinstance(block, Table):
            yield block
        elif isinstance(block, Figure):
            yield block.table
        elif isinstance(block, Section):
            yield from tables_of(block.blocks)


def said(framework: Framework) -> tuple[Paragraph, ...]:
    """That a proposal is one, and what the framework says of itself."""
    about = (Paragraph(Text(framework.about_zh, framework.about_en)),) if framework.about_en else ()
    return (Paragraph(PROPOSAL, "caution"), *about) if framework.status == "proposal" else about


def counted_text(count: int) -> Text:
    """A count in words."""
    return Text(f"{count:,}", f"{count:,}")


def source_text(framework: Framework) -> Text:
    """What stands below a table as its source."""
    return Text(
        f"jiqun 计算；指标体系“{framework.zh}”第 {framework.version} 版",
        f"Computed by jiqun; framework “{framework.en}”, version {framework.version}",
    )


def _lineage(method: str, framework: Framework, inputs: Sequence[Source], more: Mapping[str, Any]) -> Lineage:
    told = {"framework": framework.code, "framework_digest": framework.digest}
    return Lineage(method, "1", told | {"steps": framework.steps.model_dump(mode="json")} | dict(more), tuple(inputs))


def built_table(
    name: str,
    title: Text,
    frame: pl.DataFrame,
    heads: Heads,
    source: Text,
    as_of: str = "",
    most: int | None = None,
    called: tuple[str, Mapping[str, Text]] | None = None,
) -> Table:
    """A frame as a table; `called` names a column of codes and what they are called, for the column `NAME`."""
    kept = {key: head for key, head in heads.items() if key in frame.columns or (key == NAME and called)}
    columns = tuple(Column(key, Text(zh, en), kind, digits) for key, (zh, en, kind, digits) in kept.items())
    cut = frame if most is None else frame.head(most)
    note = None
    if cut.height < frame.height:
        note = Text(
            f"前 {cut.height} 行，共 {frame.height:,} 行；工作簿中有全部。",
            f"The first {cut.height} of {frame.height:,} rows; a workbook has all.",
        )
    code, names = called or ("", {})
    rows = [
        tuple(names.get(row[code], row[code]) if key == NAME and called else row[key] for key in kept)
        for row in cut.to_dicts()
    ]
    return Table(name, title, columns, rows, source, as_of, note)


def worded(table: Table, key: str, words: Mapping[str, Text]) -> Table:
    """A table whose codes of a column are put into words; one that is not known stands as it is."""
    at = [column.key for column in table.columns].index(key)
    rows = [(*row[:at], words.get(str(row[at]), row[at]), *row[at + 1 :]) for row in table.rows]
    return replace(table, rows=rows)


def score_heads(found: CompositeIndex) -> Heads:
    """The columns of `scores`."""
    heads: Heads = UNIT | {"rank": RANKS["rank"]}
    for dimension in found.framework.dimensions:
        heads[dimension.code] = (dimension.zh, dimension.en, "number", 2)
    return heads | {"observed": ("有实测数据的权重", "weight with data of its own", "share", 0)}


def names_of(framework: Framework) -> dict[str, Text]:
    """What dimensions and indicators are called, by code."""
    return {node.code: node.title for node in framework.nodes}


def traces(found: CompositeIndex) -> pl.DataFrame:
    """The traces of all units, by rank: as `CompositeIndex.trace` gives them one by one."""
    long = {
        stage: found.stages[stage].unpivot(index="unit", variable_name="indicator", value_name=stage)
        for stage in STAGES
    }
    first = STAGES[0]
    parents = {one.code: one.parent for one in found.framework.indicators}
    place = {code: k for k, code in enumerate(found.framework.codes)}
    by = ["unit", "indicator"]
    return (
        long[first]
        .select("unit", "indicator", pl.col("indicator").replace_strict(parents).alias("parent"), first)
        .hstack([long[stage][stage] for stage in STAGES[1:]])
        .join(found.imputed.select(*by, imputed_by="rule", from_year="year"), on=by, how="left")
        .join(found.treatment.select("indicator", treatment="action"), on="indicator", how="left")
        .join(found.contributions, on=by, how="left")
        .join(found.scores.select("unit").with_row_index("at"), on="unit")
        .sort("at", pl.col("indicator").replace_strict(place))
        .drop("at")
    )


def step_tables(found: CompositeIndex, source: Text, year: str, most: int | None) -> Iterator[Block]:
    """What each step did, as tables; those without rows are left out."""
    codes: Heads = UNIT | {one.code: (one.zh, one.en, "number", 4) for one in found.framework.indicators}
    parts: tuple[tuple[str, Text, pl.DataFrame, Heads], ...] = (
        (
            "screened",
            Text("因缺数据未评的单元", "Units left out"),
            found.screened,
            UNIT | {"share": ("数据齐全率", "share of data", "share", 0)},
        ),
        (
            "imputed",
            Text("插补的数值", "Values imputed"),
            found.imputed,
            UNIT
            | {
                "indicator": ("指标", "indicator", "text", 0),
                "rule": ("规则", "rule", "text", 0),
                "year": ("取自年份", "from year", "code", 0),
                "value": ("数值", "value", "number", 4),
            },
        ),
        ("treatment", Text("极端值处理", "Outliers treated"), found.treatment, _TREATMENT),
        ("normalised", Text("标准化后的数值", "Normalised values"), found.stages[STAGES[-1]], codes),
        ("correlations", Text("相关", "Correlations"), found.correlations, _CORRELATIONS),
        ("reliability", Text("内部一致性", "Reliability"), found.reliability, _RELIABILITY),
    )
    for name, title, frame, heads in parts:
        if frame.height:
            yield built_table(name, title, frame, heads, source, year, most)


def _plainly(value: Any) -> str:
    """A parameter of a step as it is written in a framework's file."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple):
        return ", ".join(map(_plainly, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def method_section(framework: Framework) -> Section:
    """How an index is computed, with its parameters."""
    steps = framework.steps
    told = "; ".join(
        f"{name} = {_plainly(value)}" for name, value in steps.model_dump(mode="json").items() if value is not None
    )
    return Section(
        "how-known",
        Text("如何得出", "How this is known"),
        (
            Paragraph(
                Text(
                    "按 OECD/JRC《综合指标手册》(2008) 的步骤：除以基数、筛选、插补、处理极端值、标准化、赋权、逐级合成。",
                    "By the steps of the OECD/JRC Handbook (2008): denominate, screen, impute, treat outliers, normalise, weigh, "
                    "aggregate level by level.",
                )
            ),
            Paragraph(Text(f"参数：{told}", f"Parameters: {told}")),
        ),
    )
