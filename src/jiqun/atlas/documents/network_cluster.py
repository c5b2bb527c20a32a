"""One cluster on the network in words and tables 网络集群页: its type and why, the evidence, who leads, who belongs to it."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

import polars as pl

from jiqun.atlas.cluster_types import FORMS, LABELS
from jiqun.atlas.documents.network import MOST_ROWS, NetworkTold
from jiqun.atlas.documents.words import class_name_text, percent
from jiqun.atlas.network_room import NetworkClusterRow, network_cluster_row
from jiqun.core.document import Block, Cell, Column, Document, KeyFigure, KeyFigures, Paragraph, Section, Text
from jiqun.report.formats import probability, spoken
from jiqun.store import StoredResult, Workspace


def network_cluster_document(
    workspace: Workspace, result: StoredResult, cluster_id: str, *, full: bool = False, linked: bool = False
) -> Document:
    """What an analysis found of one cluster on the network 网络集群报告.

    Parameters
    ----------
    full
        Whether the reader may see who is linked with whom, and so who belongs to it.
    linked
        Whether rows link to other pages.

    Raises
    ------
    UsageError
        JQ-NETWORK-005: there is none of that id.
    """
    told = NetworkTold(workspace, result, full, linked)
    one = _OfCluster(told, network_cluster_row(result, cluster_id))
    return Document(
        title=one.title,
        subtitle=one.sentence,
        blocks=(
            one.key_figures(),
            one.kind(),
            one.evidence(),
            *one.leaders(),
            *told.picture(cluster_id),
            one.members(),
            told.method(),
        ),
        lineage=result.lineage,
    )


@dataclass(frozen=True)
class _OfCluster:
    """One cluster on the network, put into words."""

    told: NetworkTold
    row: NetworkClusterRow

    @property
    def title(self) -> Text:
        id_, label = self.row.cluster_id, LABELS[self.row.label]  # type: ignore[index]
        return Text(
            f"网络集群 {id_}：{self.row.members:,} 名成员，类型{label.zh}",
            f"Network cluster {id_}: {self.row.members:,} members, {label.en}",
        )

    @property
    def sentence(self) -> Text:
        return Text(self.row.reason_zh, self.row.reason_en)

    def key_figures(self) -> KeyFigures:
        share, far = (Text("—", "—") if one is None else percent(one) for one in (self.row.share_in, self.row.space))
        eps = self.told.result.lineage.parameters["eps_km"]
        return KeyFigures(
            (
                KeyFigure(
                    spoken(self.row.members),
                    Text("成员", "members"),
                    Text(f"其中 {self.row.known:,} 家在名录中", f"{self.row.known:,} of them in the register"),
                ),
                KeyFigure(
                    share, Text("联系在内部", "of its links inside"), Text("按强度计", "by weight")
                ),
                KeyFigure(
                    far, Text("跨地", "over distance"),
                    Text(f"超过 {eps:g} 千米的内部关联权重", f"weight of links inside longer than {eps:g} km"),
                ),
            )
        )  # fmt: skip

    def kind(self) -> Section:
        """The two scores, and what follows from them."""
        columns = (
            Column("what", Text("得分", "Score")),
            Column("value", Text("值", "Value"), "share", 0),
            Column("low", Text("最低", "At least"), "share", 0),
            Column("high", Text("最高", "At most"), "share", 0),
        )
        row = self.row
        rows: list[tuple[Cell, ...]] = [
            (Text("产业：核心产业占成员", "Industry: core divisions among members"), row.core, row.core_low, row.core_high),
            (Text("空间：跨地关联占比", "Space: link weight over distance"), row.space, None, None),
        ]  # fmt: skip
        label, form = LABELS[row.label], FORMS[row.form]  # type: ignore[index]
        table = self.told.table(
            "network-cluster-type", Text("类型的两个得分", "The two scores of its type"), columns, rows
        )
        title = Text(f"类型：{label.zh}；形态：{form.zh}", f"Type: {label.en}; form: {form.en}")
        return Section("network-cluster-kind", title, (table,))

    def evidence(self) -> Section:
        """What speaks for its being a cluster at all."""
        row, p = self.row, self.row.p
        columns = (Column("what", Text("项", "What")), Column("value", Text("值", "Value"), "number", 2))
        rows: list[tuple[Cell, ...]] = [
            (Text("内部关联(对)", "Linked pairs inside"), row.edges),
            (Text("内部关联强度", "Weight inside"), row.weight_in),
            (Text("按度数期望的强度", "Weight inside expected by degrees"), row.expected),
            (Text("p 值(全部社区一并计)", "p (for all communities at once)"), p),
            (Text("位置已知的成员", "Members whose place is known"), row.placed),
            (Text("关联中位距离(千米)", "Median length of a link (km)"), row.median_link_km),
            (Text("成员间中位距离(千米)", "Median distance of its members (km)"), row.median_pair_km),
        ]
        if row.digital_code is not None:
            share = Text("主导类别的成员占比：", "Share of its leading class: ")
            name = class_name_text(row.digital_code)
            rows.append((Text(share.zh + name.zh, share.en + name.en), row.class_share))
        nulls = self.told.values["nulls"]
        title = (
            Text("没有做显著性检验", "It was not tested")
            if p is None
            else Text(
                f"内部联系超出偶然：与 {nulls} 个随机网络相比 p = {probability(p)}",
                f"More linked inside than chance explains: p = {probability(p)} against {nulls} random networks",
            )
        )
        table = self.told.table("network-cluster-evidence", Text("依据", "Evidence"), columns, rows)
        return Section("network-cluster-why", title, (table,))

    def leaders(self) -> tuple[Section, ...]:
        """Its chain leaders, for the public those of the first rank only; their order within a rank tells nothing."""
        frame = self.told.named(self.told.result.table("leaders")).filter(
            pl.col("scope") == "network", pl.col("cluster_id") == self.row.cluster_id
        )
        if frame.is_empty():
            return ()
        frame = frame.filter(pl.lit(self.told.full) | (pl.col("rank") == 1)).sort("rank", "name", "id")
        columns = (Column("rank", Text("名次", "Rank"), "integer"), Column("name", Text("企业", "Firm")))
        rows: list[tuple[Cell, ...]] = list(frame.select("rank", "name").iter_rows())
        links = tuple(f"firms/{quote(firm, safe='')}" for firm in frame["id"])
        table = self.told.table("network-cluster-leaders", Text("链主", "Chain leaders"), columns, rows, links=links)
        first = " · ".join(frame.filter(pl.col("rank") == 1)["name"].head(3))
        title = Text(f"链主：{first or '—'}", f"Chain leaders: {first or '—'}")
        return (Section("network-cluster-leading", title, (table,)),)

    def members(self) -> Section:
        """Who belongs to it, by strength; only for who may see ties."""
        id_ = "network-cluster-members"
        if not self.told.full:
            text = Text(
                "谁属于这个集群由谁与谁有关联得出，只供分析员与运营方查看。",
                "Who belongs to it follows from who is linked with whom, and is for analysts and operators.",
            )
            return Section(id_, Text("成员不公开", "Its members are not public"), (Paragraph(text, "caution"),))
        frame = (
            self.told.named(self.told.result.table("nodes"))
            .filter(pl.col("cluster_id") == self.row.cluster_id)
            .with_columns(strength=pl.col("in_strength") + pl.col("out_strength"))
            .sort("strength", "node", descending=[True, False])
        )
        columns = (
            Column("name", Text("企业", "Firm")),
            Column("in_degree", Text("入", "In"), "integer"),
            Column("out_degree", Text("出", "Out"), "integer"),
            Column("strength", Text("强度", "Strength"), "number", 1),
            Column("pagerank", Text("PageRank", "PageRank"), "share", 2),
            Column("brokered", Text("居间路径", "Paths brokered"), "integer"),
        )
        keys = [column.key for column in columns]
        some = frame.head(MOST_ROWS)
        rows: list[tuple[Cell, ...]] = list(some.select(keys).iter_rows())
        links = tuple(f"firms/{quote(firm, safe='')}" if firm else "" for firm in some["id"])
        left = frame.height - some.height
        note = Text(f"另有 {left:,} 名成员。", f"{left:,} more members.") if left else None
        table = self.told.table(
            f"{id_}-table", Text("成员", "Members"), columns, rows, note=note, links=links
        )  # fmt: skip
        blocks: tuple[Block, ...] = (table,)
        title = Text(f"{frame.height:,} 名成员", f"{frame.height:,} members")
        return Section(id_, title, blocks)
