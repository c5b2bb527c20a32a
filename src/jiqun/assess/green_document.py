"""Green efficiency in words and tables 绿色效率报告: scores with and without undesirable outputs, intensities, what to cut."""

from __future__ import annotations

from typing import Any

import polars as pl

from jiqun.assess.frontier_document import MOST_BARS, RETURNS, told
from jiqun.assess.green_efficiency import Green
from jiqun.core.document import (
    Bar,
    Bars,
    Block,
    Cell,
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
from jiqun.report.formats import cell
from jiqun.report.markup import LANGUAGES

_KINDS = {
    "input": Text("投入", "input"),
    "output": Text("产出", "output"),
    "undesirable": Text("非期望产出", "undesirable output"),
}
_TITLES: dict[str, tuple[Text, Kind]] = {
    "unit": (Text("单元", "Unit"), "text"),
    "with_bad": (Text("含非期望产出", "With undesirable outputs"), "number"),
    "without_bad": (Text("不含", "Without"), "number"),
    "change": (Text("变化", "Change"), "number"),
    "efficient": (Text("有效", "Efficient"), "text"),
    "low": (Text("下限(各模型)", "Low (models)"), "number"),
    "high": (Text("上限(各模型)", "High (models)"), "number"),
    "column": (Text("指标", "Column"), "text"),
    "kind": (Text("类别", "Kind"), "text"),
    "per": (Text("每单位", "Per"), "text"),
    "value": (Text("数值", "Value"), "number"),
    "of_median": (Text("相当于中位数", "Of the median"), "ratio"),
    "slack": (Text("可减(增)", "Slack"), "number"),
    "target": (Text("目标值", "Target"), "number"),
    "share": (Text("占现值", "Share of the value"), "share"),
}
CAUTION = Text(
    "前沿由表中的单元构成，得分只在它们之间可比。“变化”既有排放好坏的影响，也有列数增多使更多单元有效的影响。范围只反映模型的选择，不含样本和数据误差。",
    "The frontier is that of the units in the table, and scores compare these with each other only. The change holds how well a unit does in what it puts out, and also that more "
    "columns make more units efficient. The range is of the choice of model; it covers neither the sample nor errors in the data.",
)


def green_section(found: Green, origin: Source) -> Section:
    """What an annual report says of green efficiency 绿色效率章节."""
    best, count = int(found.scores["efficient"].sum()), found.scores.height
    ranked = found.scores.sort("with_bad", "without_bad", descending=True, maintain_order=True)
    up = int((found.scores["change"] > _SEEN).sum())
    down = int((found.scores["change"] < -_SEEN).sum())
    figures = KeyFigures(
        (
            KeyFigure(_whole(best), Text("有效单元(含非期望产出)", "efficient with undesirable outputs"), Text(f"共 {count} 个", f"of {count}")),
            KeyFigure(_whole(up), Text("计入后得分上升", "score higher once they count")),
            KeyFigure(_whole(down), Text("计入后得分下降", "score lower once they count")),
        )
    )  # fmt: skip
    scores = _table(
        "green-scores",
        Text("含与不含非期望产出的效率", "Efficiency with and without undesirable outputs"),
        ranked,
        origin,
    )
    blocks: tuple[Block, ...] = (
        figures,
        _bars(ranked, scores),
        _table("green-slacks", Text("还能省多少、少排多少", "What could be saved and cut"), found.slacks, origin),
        _table(
            "green-intensity",
            Text("单位产出的投入和排放", "Inputs and undesirable outputs per output"),
            found.intensity,
            origin,
        ),
        Paragraph(CAUTION, "caution"),
    )
    return Section(
        "green",
        Text(f"绿色效率：{count} 个单元中 {best} 个有效", f"Green efficiency: {best} of {count} units are efficient"),
        blocks,
    )


_SEEN = 5e-4
"""Changes below are not seen in three digits."""


def green_document(
    found: Green, origin: Source, *, year: int | None = None, remarks: tuple[Remark, ...] = ()
) -> Document:
    """The report of `jiqun.assess.green` 绿色效率报告.

    `origin` is the table that was read, `year` the one of its years that was compared, where it has years; `remarks` say
    which units were left out.
    """
    section = green_section(found, origin)
    columns = found.columns
    used = {"inputs": list(columns.inputs), "outputs": list(columns.outputs), "undesirable": list(columns.undesirable)}
    returns = RETURNS[found.returns]
    subtitle = Text(f"SBM 模型，{returns.zh}", f"slacks-based measure, {returns.en}")
    parameters: dict[str, Any] = {"returns": found.returns, **used}
    if year is not None:
        parameters["year"] = year
        subtitle = Text(f"{year} 年，{subtitle.zh}", f"{year}, {subtitle.en}")
    lineage = Lineage("assess.green", "1", parameters, (origin,))
    return Document(Text("绿色效率", "Green efficiency"), subtitle, (*told(remarks), section), lineage)


def _whole(value: int) -> Text:
    return Text(*(cell(value, "integer", language) for language in LANGUAGES))


def _table(name: str, title: Text, rows: pl.DataFrame, origin: Source) -> Table:
    heads = [_TITLES.get(key, (Text(key, key), "text")) for key in rows.columns]
    columns = tuple(Column(key, *head, digits=3) for key, head in zip(rows.columns, heads, strict=True))
    kinds = [_KINDS if key == "kind" else {} for key in rows.columns]
    cells: list[tuple[Cell, ...]] = [
        tuple(words.get(value, value) for words, value in zip(kinds, row, strict=True)) for row in rows.iter_rows()
    ]
    return Table(name, title, columns, cells, Text(origin.name, origin.name), origin.as_of)


def _bars(ranked: pl.DataFrame, table: Table) -> Block:
    """Scores with the range of models as bars; the table alone where there are too many."""
    if ranked.height > MOST_BARS:
        return table
    unit = ranked.columns[0]
    bars = tuple(
        Bar(Text(str(row[unit]), str(row[unit])), row["with_bad"], row["low"], row["high"])
        for row in ranked.iter_rows(named=True)
    )
    return Figure(
        "green-bars",
        Text("含非期望产出的效率得分", "Scores with undesirable outputs"),
        Text("SBM；线段为各模型的范围", "SBM; lines: range over models"),
        Bars(bars, Text("得分", "score"), reference=1.0, reference_name=Text("前沿", "frontier"), digits=3),
        table,
    )
