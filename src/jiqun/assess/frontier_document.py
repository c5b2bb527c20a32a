"""Efficiency and productivity in words and tables, in both languages 效率与生产率报告."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from jiqun.assess.frontier import Efficiency
from jiqun.assess.productivity import Productivity
from jiqun.assess.units import Columns
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
from jiqun.core.remarks import Remark

MOST_BARS = 40
_MODELS = {
    "radial": Text("径向模型", "radial model"),
    "sbm": Text("SBM 模型", "slacks-based measure"),
    "directional": Text("方向距离函数", "directional distance"),
}
RETURNS = {
    "crs": Text("规模报酬不变", "constant returns to scale"),
    "vrs": Text("规模报酬可变", "variable returns to scale"),
    "drs": Text("规模报酬非增", "non-increasing returns to scale"),
    "irs": Text("规模报酬非减", "non-decreasing returns to scale"),
}
_ORIENTATIONS = {
    "input": Text("投入导向", "input-oriented"),
    "output": Text("产出导向", "output-oriented"),
    "none": Text("非导向", "not oriented"),
}
_TITLES: dict[str, tuple[Text, Kind]] = {
    "unit": (Text("单元", "Unit"), "text"),
    "score": (Text("效率得分", "Score"), "number"),
    "efficient": (Text("有效", "Efficient"), "text"),
    "super": (Text("超效率", "Super-efficiency"), "number"),
    "super_status": (Text("超效率是否有解", "Super-efficiency solved"), "text"),
    "bias": (Text("偏差", "Bias"), "number"),
    "corrected": (Text("修正得分", "Corrected score"), "number"),
    "low": (Text("下限", "Low"), "number"),
    "high": (Text("上限", "High"), "number"),
    "column": (Text("指标", "Column"), "text"),
    "kind": (Text("类别", "Kind"), "text"),
    "value": (Text("数值", "Value"), "number"),
    "slack": (Text("松弛", "Slack"), "number"),
    "target": (Text("目标值", "Target"), "number"),
    "peer": (Text("标杆", "Peer"), "text"),
    "weight": (Text("权重 λ", "Weight λ"), "number"),
    "before": (Text("前期", "Before"), "code"),
    "after": (Text("后期", "After"), "code"),
    "span": (Text("跨期数", "Span"), "integer"),
    "units": (Text("单元数", "Units"), "integer"),
    "measure": (Text("指数", "Measure"), "text"),
    "replications": (Text("抽样次数", "Replications"), "integer"),
    "malmquist": (Text("生产率指数", "Malmquist index"), "number"),
    "efficiency_change": (Text("效率变化", "Efficiency change"), "number"),
    "technical_change": (Text("技术进步(CRS)", "Technical change (crs)"), "number"),
    "pure_efficiency_change": (Text("纯效率变化", "Pure efficiency change"), "number"),
    "scale_efficiency_change": (Text("规模效率变化", "Scale efficiency change"), "number"),
    "technical_change_vrs": (Text("技术进步(VRS，Ray–Desli)", "Technical change (vrs, Ray–Desli)"), "number"),
    "scale_change": (Text("规模变化(Ray–Desli)", "Scale change (Ray–Desli)"), "number"),
    "per_period": (Text("每期指数", "Index per period"), "number"),
}
_WORDS = {
    "input": Text("投入", "input"),
    "output": Text("产出", "output"),
    "undesirable": Text("非期望产出", "undesirable output"),
    "ok": Text("有解", "ok"),
    "infeasible": Text("无解", "infeasible"),
}


_LEAST_SURE = (
    Paragraph(
        Text(
            "区间只反映单元样本的变动，不含数据误差；单元少时偏窄(模拟中 50 个单元的 95% 区间覆盖真值约 80%)，宜视为不确定性的下限。",
            "Intervals vary the sample of units, not errors in their data, and are too short where units are few (in "
            "simulations, 95% intervals of 50 units held the true score 80% of the time): read them as the least that is "
            "uncertain.",
        ),
        "caution",
    ),
)


def _table(name: str, title: Text, rows: pl.DataFrame, origin: Source) -> Table:
    """A frame as a table; a column of units that has a name of its own is called as in the file."""
    heads = [_TITLES.get(key, (Text(key, key), "text")) for key in rows.columns]
    columns = tuple(Column(key, *head, digits=3) for key, head in zip(rows.columns, heads, strict=True))
    cells = [tuple(_word(key, value) for key, value in zip(rows.columns, row, strict=True)) for row in rows.iter_rows()]
    return Table(name, title, columns, cells, Text(origin.name, origin.name), origin.as_of)


def _word(key: str, value: object) -> str | int | float | Text | None:
    """A cell as documents have it."""
    if isinstance(value, bool):
        return Text("是", "yes") if value else Text("否", "no")
    if key in {"kind", "super_status"}:
        return _WORDS[str(value)]
    if key == "measure":
        return _TITLES[str(value)][0]
    if key in {"before", "after"}:
        return f"{value:g}" if isinstance(value, float) else str(value)
    return value if value is None or isinstance(value, int | float) else str(value)


def efficiency_document(found: Efficiency, origin: Source) -> Document:
    """The report of `jiqun.assess.dea` 效率前沿报告: scores with intervals, slacks and targets, peers, what to know.

    `origin` is the table that was read.
    """
    best = int(found.scores["efficient"].sum())
    count = found.scores.height
    model, returns, orientation = _MODELS[found.model], RETURNS[found.returns], _ORIENTATIONS[found.orientation]
    subtitle = Text(f"{model.zh}，{returns.zh}，{orientation.zh}", f"{model.en}, {returns.en}, {orientation.en}")
    ranked = found.scores.sort("score", descending=True, maintain_order=True)
    scores = _table("scores", Text("效率得分", "Scores"), ranked, origin)
    slacks = _table("slacks", Text("松弛与目标值", "Slacks and targets"), found.slacks, origin)
    peers = _table("peers", Text("标杆及权重", "Peers and weights"), found.peers, origin)
    figures = KeyFigures(
        (
            KeyFigure(Text(str(count), str(count)), Text("单元", "units")),
            KeyFigure(Text(str(best), str(best)), Text("有效(得分 1、无松弛)", "efficient (score 1, no slack)")),
            KeyFigure(_number(found.scores["score"].mean()), Text("平均得分", "mean score")),
        )
    )
    blocks: tuple[Block, ...] = (
        figures,
        *told(found.remarks),
        Section(
            "scores-section",
            Text(f"{count} 个单元中 {best} 个有效", f"{best} of {count} units are efficient"),
            (_bars(found, ranked, scores),),
        ),
        Section("slacks-section", Text("还能省多少、多产多少", "What could be saved and gained"), (slacks,)),
        Section("peers-section", Text("向谁看齐", "Whom to look at"), (peers,)),
        *(_LEAST_SURE if found.replications else ()),
        Paragraph(
            Text(
                "前沿由表中的单元构成：得分只在它们之间可比，去掉有效单元会使其余单元的得分上升。得分说差多少，不说为什么。",
                "The frontier is that of the units in the table: scores compare these with each other only, and rise where "
                "efficient units are left out. A score says how far, not why.",
            ),
            "caution",
        ),
    )
    settings = {"model": found.model, "returns": found.returns, "orientation": found.orientation}
    lineage = _lineage("assess.dea", found.columns, settings, found, origin)
    return Document(Text("效率前沿", "Efficiency frontier"), subtitle, blocks, lineage)


def productivity_document(found: Productivity, origin: Source) -> Document:
    """The report of `jiqun.assess.malmquist` 生产率变化报告: both ways to take the index apart, intervals, gaps."""
    sections = [
        ("summary", Text("几何平均", "Geometric means"), found.summary),
        ("changes", Text("各单元的变化", "Changes of units"), found.changes),
        ("intervals", Text("置信区间", "Intervals"), found.intervals),
    ]
    blocks: tuple[Block, ...] = (
        *told(found.remarks),
        *(
            Section(f"{name}-section", title, (_table(name, title, rows, origin),))
            for name, title, rows in sections
            if rows.height
        ),
        Paragraph(
            Text(
                "大于 1 为进步。两种分解并列：Färe 等以规模报酬不变的前沿衡量技术进步，Ray 与 Desli 以单元所在的规模报酬可变前沿衡量，结论可能相反。",
                "Above 1 is progress. Two ways to take the index apart stand side by side: Färe and others measure technical "
                "change on the frontier of constant returns, Ray and Desli on that of variable returns where the unit is; "
                "they can disagree.",
            ),
            "caution",
        ),
    )
    orientation = _ORIENTATIONS[found.orientation]
    lineage = _lineage("assess.malmquist", found.columns, {"orientation": found.orientation}, found, origin)
    return Document(Text("生产率变化", "Productivity change"), orientation, blocks, lineage)


def told(remarks: tuple[Remark, ...]) -> tuple[Paragraph, ...]:
    """What one has to know, with what to do."""
    return tuple(
        Paragraph(Text(f"{r.message.zh}{r.hint.zh}", f"{r.message.en} {r.hint.en}"), "caution") for r in remarks
    )


def _number(value: object) -> Text:
    shown = f"{value:.3f}"
    return Text(shown, shown)


def _bars(found: Efficiency, ranked: pl.DataFrame, table: Table) -> Block:
    """Scores as bars, with their intervals; the table alone where there are too many."""
    if ranked.height > MOST_BARS:
        return table
    unit, sure = ranked.columns[0], found.replications > 0
    bars = tuple(
        Bar(
            Text(str(row[unit]), str(row[unit])),
            row["corrected"] if sure else row["score"],
            row["low"] if sure else None,
            row["high"] if sure else None,
        )
        for row in ranked.iter_rows(named=True)
    )
    level = f"{found.level:.0%}"
    title = Text("修正得分与区间", "Corrected scores and intervals") if sure else Text("效率得分", "Scores")
    subtitle = Text(
        f"自助法 {found.replications} 次，{level} 区间", f"{found.replications} bootstrap samples, {level} intervals"
    )
    return Figure(
        "scores-bars",
        title,
        subtitle if sure else Text("1 为前沿", "1 is the frontier"),
        Bars(bars, Text("得分", "score"), reference=1.0, reference_name=Text("前沿", "frontier"), digits=3),
        table,
    )


def _lineage(
    method: str, columns: Columns, settings: Mapping[str, str], found: Efficiency | Productivity, origin: Source
) -> Lineage:
    used = {"inputs": list(columns.inputs), "outputs": list(columns.outputs), "undesirable": list(columns.undesirable)}
    draws = {"bootstrap": found.replications, "level": found.level, "seed": found.seed} if found.replications else {}
    return Lineage(method, "1", {**settings, **used, **draws}, (origin,))
