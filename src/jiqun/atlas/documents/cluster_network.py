"""What the network says of one cluster on the map 集群页的网络部分: linked or only gathered, its type, its chain leaders."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

import polars as pl

from jiqun.atlas.cluster_types import FORMS, LABELS
from jiqun.atlas.documents.network import NetworkTold, figure_text, finding_text
from jiqun.atlas.network_desk import KIND
from jiqun.atlas.network_room import LinkageAnswer, linked
from jiqun.atlas.reading import RESERVED_SIZES, Run, current_links
from jiqun.atlas.subject import SIZES
from jiqun.core.document import Cell, Column, Paragraph, Section, Text
from jiqun.store import Workspace


def link_sections(
    workspace: Workspace, run: Run, cluster_id: str, *, full: bool = False, linked: bool = False
) -> tuple[Section, ...]:
    """What the analysis of the network says of one cluster on the map: linkage, type, chain leaders 集群页的网络部分.

    An analysis speaks of the clusters of one class: for those of another there is none.
    """
    result = workspace.result(KIND)
    if result is None or result.lineage.parameters["digital"] != run.digital:
        if current_links(workspace) is None:
            return ()  # the section on links says what to do
        text = Text(
            "关联已经装载，还没有为这一类集群做过网络分析。运行网络分析后，这里会显示成员之间的联系比规模与距离所能解释的多还是少、集群类型和链主。",
            "Links are loaded but not analysed for clusters of this class yet. Once the network is analysed, this shows whether its members are more or less "
            "linked than size and distance explain, its type, and its chain leaders.",
        )
        title = Text("联系、类型与链主：未知", "Linkage, type and chain leaders: not known")
        return (Section(f"{cluster_id}-network", title, (Paragraph(text),)),)
    return _OfCluster(NetworkTold(workspace, result, full, linked), cluster_id).sections()


@dataclass(frozen=True)
class _OfCluster:
    """What an analysis says of one cluster on the map."""

    told: NetworkTold
    cluster_id: str

    def sections(self) -> tuple[Section, ...]:
        one = linked(self.told.result, self.cluster_id)
        return (self.linkage(one), self.kind(one), *self.leaders())

    def linkage(self, one: LinkageAnswer) -> Section:
        id_ = f"{self.cluster_id}-linkage"
        said = finding_text(one)
        if one.finding == "unknown":
            title = Text(f"是否集而不群：未知({said.zh})", f"Linked or only gathered: not known ({said.en})")
        else:
            ratio = figure_text(one.ratio, 2)
            title = Text(f"{said.zh}(×{ratio.zh})", f"{said.en[0].upper()}{said.en[1:]} (×{ratio.en})")
        columns = (
            Column("what", Text("项", "What")),
            Column("value", Text("值", "Value"), "number", 2),
        )
        rows: list[tuple[Cell, ...]] = [
            (Text("实际联系", "Observed linkage"), one.observed),
            (Text("期望联系", "Expected linkage"), one.expected),
            (Text("倍数", "Ratio"), one.ratio),
            (Text("下限", "Low"), one.low),
            (Text("上限", "High"), one.high),
            (Text("答复率(空：登记数据)", "Response rate (none: a register)"), one.response),
            (Text("计入的成员", "Members used"), one.used),
        ]
        table = self.told.table(
            f"{id_}-table", Text("联系与期望", "Linkage and expectation"), columns, rows, note=self.told.gravity()
        )
        return Section(id_, title, (table,))

    def kind(self, one: LinkageAnswer) -> Section:
        id_ = f"{self.cluster_id}-type"
        label, form = LABELS[one.label], FORMS[one.form]  # type: ignore[index]
        columns = (
            Column("what", Text("得分", "Score")),
            Column("value", Text("值", "Value"), "share", 0),
            Column("low", Text("最低", "At least"), "share", 0),
            Column("high", Text("最高", "At most"), "share", 0),
        )
        rows: list[tuple[Cell, ...]] = [
            (
                Text("产业：核心产业占成员", "Industry: core divisions among members"),
                one.core,
                one.core_low,
                one.core_high,
            ),
            (Text("空间：跨地关联占比", "Space: link weight over distance"), one.space, None, None),
        ]
        table = self.told.table(f"{id_}-table", Text("类型的两个得分", "The two scores of its type"), columns, rows)
        title = Text(f"类型：{label.zh}；形态：{form.zh}", f"Type: {label.en}; form: {form.en}")
        why = Paragraph(Text(one.why_zh, one.why_en)) if one.why_zh else None
        return Section(id_, title, (*((why,) if why else ()), table))

    def leaders(self) -> tuple[Section, ...]:
        frame = self.told.named(self.told.result.table("leaders")).filter(
            (pl.col("scope") == "map") & (pl.col("cluster_id") == self.cluster_id)
        )
        if frame.is_empty():
            return ()
        id_ = f"{self.cluster_id}-leaders"
        size = self.told.values["size"]
        columns = [Column("rank", Text("名次", "Rank"), "integer"), Column("name", Text("企业", "Firm"))]
        if size and (self.told.full or size not in RESERVED_SIZES):
            columns.append(Column("size", SIZES.get(size, Text(size, size)), "integer"))
        if self.told.full:
            columns += [
                Column("pagerank", Text("PageRank", "PageRank"), "share", 2),
                Column("brokered", Text("居间路径", "Paths brokered"), "integer"),
                Column("dependence_in", Text("采购依赖", "Purchases that depend on it"), "share", 0),
                Column("customers", Text("客户", "Customers"), "integer"),
                Column("dependence_out", Text("销售依赖", "Sales that depend on it"), "share", 0),
                Column("suppliers", Text("供应商", "Suppliers"), "integer"),
            ]
        else:
            frame = frame.sort("rank", "name", "id")
        keys = [column.key for column in columns]
        rows: list[tuple[Cell, ...]] = [tuple(row[key] for key in keys) for row in frame.to_dicts()]
        links = tuple(f"firms/{quote(firm, safe='')}" for firm in frame["id"])
        first = frame.filter(pl.col("rank") == frame["rank"].min())["name"].sort().to_list()
        names = " · ".join(first[:3]) + (" …" if len(first) > 3 else "")
        title = Text(f"链主：{names}", f"Chain leaders: {names}")
        note = Text(
            "名次：在规模、位置和他人的依赖上都不落后且有一项领先的企业数加一；并列不分先后。",
            "Rank: one more than the number of firms that are ahead in something and behind in nothing; ties are ties.",
        )
        table = self.told.table(
            f"{id_}-table", Text("链主", "Chain leaders"), tuple(columns), rows, note=note, links=links
        )
        return (Section(id_, title, (table,)),)
