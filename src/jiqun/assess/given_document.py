"""What is given to the diagnosis, in words and tables, in both languages 诊断用表."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from jiqun.assess.ailments.plans import LEAST_REGIONS
from jiqun.assess.ailments.risks import TAGS
from jiqun.assess.given_records import Revision
from jiqun.assess.given_tables import NAMES, PAGE, TableName, described
from jiqun.core.document import Cell, Column, Table, Text
from jiqun.taxonomy.tables import digital_entries

SOURCE = Text("使用者给出的表", "tables that users gave")
TITLES: dict[TableName, Text] = {name: Text(described(name).title_zh, described(name).title_en) for name in NAMES}
ACTS = {
    "given": Text("整表给出", "given as a table"),
    "text": Text("加入一篇文本", "a text was added"),
    "frontier": Text("取自效率前沿", "taken from a frontier"),
    "removed": Text("移除", "taken away"),
    "back": Text("恢复以前的一版", "an earlier version put back"),
}
USES: dict[TableName, Text] = {
    "plans": Text(
        "比较各地规划提到的产业和优惠，看是否雷同。至少要三个地区。",
        "Compared for the industries and incentives that they name. At least three regions are needed.",
    ),
    "tags": Text(
        "说明哪些产业算传统、新兴、未来：诊断据此看集群是否偏于一种，指标“新兴产业占比”也用它。标签由您决定，我们不随附。",
        "Which industries count as traditional, emerging or future: the diagnosis looks whether a cluster leans on one, and the indicator of emerging "
        "industries is made of them. The tags are yours to decide; none are shipped.",
    ),
    "frontier": Text(
        "各集群的效率得分及其区间，作为治理的旁证。单元写集群的编号或名称。",
        "Efficiency of clusters with its interval, a second opinion on how they are run. Units are ids or names of clusters.",
    ),
}
_HEADS: dict[str, Text] = {
    "region": Text("地区", "Region"), "text": Text("文本", "Text"), "code": Text("代码", "Code"), "tag": Text("标签", "Tag"),
    "unit": Text("单元", "Unit"), "score": Text("得分", "Score"), "low": Text("下限", "From"), "high": Text("上限", "To"),
}  # fmt: skip


def overview(known: dict[TableName, Revision]) -> Table:
    """The three tables, each with what was given last; its rows lead to the pages 总览."""
    rows: list[tuple[Cell, ...]] = []
    for name in NAMES:
        one = known.get(name)
        rows.append(
            (
                TITLES[name], one.rows if one else 0, f"{one.at:%Y-%m-%d %H:%M}" if one else None,
                one.account if one else None, ACTS[one.act] if one else None, one.source or None if one else None,
                one.version or None if one else None,
            )
        )  # fmt: skip
    columns = (
        Column("table", Text("表", "Table")), Column("rows", Text("行数", "Rows"), "integer"),
        Column("at", Text("时刻(UTC)", "When (UTC)"), "code"), Column("account", Text("谁", "Who"), "code"),
        Column("act", Text("怎么给出的", "How")), Column("source", Text("来源", "From")),
        Column("version", Text("版本", "Version"), "code"),
    )  # fmt: skip
    links = tuple(f"{PAGE}/{name}" for name in NAMES)
    return Table("tables", Text("现在给出的", "What is given now"), columns, rows, SOURCE, links=links)


def rows_table(name: TableName, frame: pl.DataFrame, *, as_of: str = "", most: int | None = None) -> Table:
    """The rows of one table; `most`: the first of them."""
    shown = frame if most is None else frame.head(most)
    columns = [
        Column(one.name, _HEADS[one.name], "number" if one.type == "number" else "code" if one.type == "code" else "text", 3)
        for one in described(name).attributes
    ]  # fmt: skip
    rows: list[tuple[Cell, ...]] = list(shown.iter_rows())
    if name == "tags":
        entries = digital_entries()
        columns.insert(1, Column("name", Text("名称", "Name")))
        rows = [
            (code, Text(entries[code].name_zh, entries[code].name_en), TAGS[tag]) for code, tag in shown.iter_rows()
        ]
    note = None
    if shown.height < frame.height:
        note = Text(
            f"前 {shown.height} 行，共 {frame.height:,} 行。", f"The first {shown.height} of {frame.height:,} rows."
        )
    return Table(name, TITLES[name], tuple(columns), rows, SOURCE, as_of, note)


def lead(name: TableName, frame: pl.DataFrame, clusters: Sequence[Sequence[str]] | None) -> Text:
    """What a table amounts to, in one sentence; `clusters`: the id and names of each, None where none were searched."""
    if frame.is_empty():
        return Text("还没有给出；与它有关的结论未知。", "Nothing is given; what depends on it is unknown.")
    if name == "plans":
        regions = frame["region"].n_unique()
        if regions < LEAST_REGIONS:
            return Text(
                f"{regions} 个地区的 {frame.height} 篇文本：至少要 {LEAST_REGIONS} 个地区才能比较。",
                f"Texts given: {frame.height}, of regions: {regions}. At least {LEAST_REGIONS} regions are needed to compare.",
            )
        return Text(
            f"{regions} 个地区的 {frame.height} 篇文本。", f"Texts given: {frame.height}, of {regions} regions."
        )
    if name == "tags":
        count = {tag: int((frame["tag"] == tag).sum()) for tag in TAGS}
        zh = "，".join(f"{TAGS[tag].zh} {n}" for tag, n in count.items())
        en = ", ".join(f"{TAGS[tag].en} {n}" for tag, n in count.items())
        return Text(f"{frame.height} 个代码有标签：{zh}。", f"Codes with a tag: {frame.height} ({en}).")
    zh, en = f"{frame.height} 个单元的得分", f"Units with a score: {frame.height}"
    if clusters is not None:
        units = set(frame["unit"])
        met = sum(not units.isdisjoint(one) for one in clusters)
        zh += f"；其中 {met} 个是现在的集群"
        en += f"; clusters of the current search among them: {met}"
    return Text(f"{zh}。", f"{en}.")
