"""The network of firms in words, pictures and tables 网络文档: how they are linked, what holds together, who leads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import numpy as np
import polars as pl
import rustworkx as rx

from jiqun.atlas.cluster_types import FORMS, LABELS
from jiqun.atlas.documents.words import class_name_text, percent
from jiqun.atlas.graphs import link_kinds
from jiqun.atlas.network_room import LinkageAnswer, linkages, shown
from jiqun.core.document import (
    Block,
    Cell,
    Column,
    Document,
    Figure,
    Graph,
    GraphNode,
    KeyFigure,
    KeyFigures,
    Paragraph,
    Section,
    Table,
    Text,
)
from jiqun.intake.counted import left_out
from jiqun.report.formats import probability, spoken
from jiqun.store import StoredResult, Workspace

MOST_DRAWN = 300
MOST_ROWS = 50
LAYOUT_STEPS = 200
FINDINGS = {
    "more": Text("联系比规模与距离所能解释的多", "more linked than size and distance explain"),
    "as expected": Text("联系与规模和距离所能解释的相当", "as linked as size and distance explain"),
    "less": Text(
        "集而不群：联系比规模与距离所能解释的少", "gathered but not linked: fewer links than size and distance explain"
    ),
    "unknown": Text("未知", "not known"),
}
REASONS = {
    "response": Text("答复率不足", "too few answered"),
    "few": Text("可用企业太少", "too few firms can be used"),
    "response unknown": Text(
        "关联来自调查，但不知道多少企业答复；请给出答复率",
        "the links come from a survey, but how many answered is not known: give the share",
    ),
    "coverage": Text("太多成员没有规模或位置", "too many members have no size or place"),
    "few links": Text(
        "期望的关联太少，有无都说明不了什么", "so few links are to be expected that none would be no news"
    ),
    "no links": Text("没有可用的关联", "no links can be used"),
    "no model": Text("引力模型无解", "the gravity model has no solution"),
    "no interval": Text("无法给出区间", "no interval can be given"),
    "no clusters": Text("还没有识别集群", "no clusters were found yet"),
}
DROPPED = {
    "absent": Text("没有数据", "no data"),
    "too few known": Text("已知的不到一半", "known for less than half"),
    "all alike": Text("全部相同", "all alike"),
}


def kind_text(kind: str) -> Text:
    """The name of a kind of link."""
    known = link_kinds().get(kind)
    return known.name if known else Text(kind, kind)


def network_document(
    workspace: Workspace, result: StoredResult, *, full: bool = False, linked: bool = False
) -> Document:
    """The report of an analysis of the network 网络报告.

    Parameters
    ----------
    full
        Whether the reader may see who is linked with whom.
    linked
        Whether rows link to other pages.
    """
    told = NetworkTold(workspace, result, full, linked)
    return Document(
        title=told.title,
        subtitle=told.sentence,
        blocks=(
            told.key_figures(),
            *told.cautions(),
            *told.picture(),
            told.clusters(),
            *told.linkage(),
            *told.leaders(),
            *told.positions(),
            told.kinds(),
            *told.changes(),
            told.method(),
        ),
        lineage=result.lineage,
    )


@dataclass(frozen=True)
class NetworkTold:
    """One analysis, put into words."""

    workspace: Workspace
    result: StoredResult
    full: bool
    linked: bool

    @property
    def values(self) -> dict[str, Any]:
        """The analysis in numbers."""
        return dict(self.result.values)

    @property
    def source(self) -> Text:
        """Where the links come from."""
        digest = self.result.lineage.inputs[0].digest
        name = next((old.source for old in self.workspace.history("links") if old.digest == digest), digest[:12])
        return Text(name, name)

    @property
    def as_of(self) -> str:
        """The date that the links speak of."""
        return self.result.lineage.inputs[0].as_of

    def table(
        self, id_: str, title: Text, columns: tuple[Column, ...], rows: list[tuple[Cell, ...]], *, note: Text | None = None,
        links: tuple[str, ...] = (),
    ) -> Table:  # fmt: skip
        """A table with the source and date of the links."""
        return Table(id_, title, columns, rows, self.source, self.as_of, note=note, links=links if self.linked else ())

    def named(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Rows of firms without those that are not shown by name."""
        return shown(self.workspace, rows)

    @property
    def title(self) -> Text:
        """What was found."""
        count, links = self.values["clusters"], self.values["links"]
        if count:
            return Text(f"网络上有 {count:,} 个集群", f"{count:,} cluster{'s' if count != 1 else ''} on the network")
        if not links:
            return Text("没有可用的关联", "No links that can be used")
        return Text("网络上没有超出偶然的集群", "No cluster on the network beyond chance")

    @property
    def sentence(self) -> Text:
        """How many firms and links, and how sure."""
        values = self.values
        zh = f"{values['nodes']:,} 家企业之间有 {values['links']:,} 对关联，截至 {self.as_of}。"
        en = f"{values['nodes']:,} firms with {values['links']:,} linked pairs, as of {self.as_of}. "
        if values["p"] is not None:
            p = probability(values["p"])
            zh += f"与 {values['nulls']} 个度数相同的随机网络相比，分群质量的 p = {p}。"
            en += f"Against {values['nulls']} random networks with the same degrees, its groups have p = {p}."
        return Text(zh, en)

    def key_figures(self) -> KeyFigures:
        """Five numbers on the network as a whole."""
        values = self.values
        back, core = values["reciprocity"], values["core"]
        figures = [
            KeyFigure(spoken(values["links"]), Text("关联(对)", "linked pairs"), self._searched()),
            KeyFigure(
                figure_text(back["density"], 3),
                Text("密度", "density"),
                Text("有方向的关联占全部可能", "directed links of all possible"),
            ),
            KeyFigure(
                figure_text(back["rho"], 2),
                Text("互惠性 ρ", "reciprocity ρ"),
                Text(
                    f"{back['returned']:,} / {back['links']:,} 得到回应",
                    f"{back['returned']:,} of {back['links']:,} returned",
                ),
            ),
            KeyFigure(
                spoken(core["size"]),
                Text("核心企业", "firms in the core"),
                Text(
                    f"有 {core['undecided']} 家算在核心内或外都同样吻合；p = {_p(core['p'])}",
                    f"firms that fit equally well inside or outside the core: {core['undecided']}; p = {_p(core['p'])}",
                ),
            ),
            KeyFigure(
                figure_text(values["agreement"], 2),
                Text("分群一致性", "agreement of seeds"),
                Text("各随机种子与共识的调整兰德指数", "adjusted Rand index of the seeds with their consensus"),
            ),
        ]
        return KeyFigures(tuple(figures))

    def _searched(self) -> Text:
        values = self.values
        reasons = {
            "": Text(f"骨干网 {values['searched']:,}", f"backbone of {values['searched']:,}"),
            "few links": Text("全部参与分群", "all searched for groups"),
            "off": Text("全部参与分群", "all searched for groups"),
            "even weights": Text("强度过于均匀，未提取骨干", "weights too even for a backbone"),
            "equal weights": Text("强度都一样，未提取骨干", "all weights alike, so no backbone"),
        }
        return reasons[values["filtered"]]

    def cautions(self) -> tuple[Paragraph, ...]:
        """What was left out, and what a reader may not see."""
        values, out = self.values, []
        if waiting := left_out(values):
            out.append(waiting)
        if values["unresolved"]:
            out.append(
                Text(
                    f"{values['unresolved']:,} 个名称没有对应到名录中的机构(其中 {values['ambiguous']:,} 个对应多家)，各算作一个节点。",
                    f"{values['unresolved']:,} names are no organisation of the register ({values['ambiguous']:,} are several); "
                    "each counts as a node of its own.",
                )
            )
        if not values["filtered"] and values["searched"] < values["nodes"]:
            out.append(
                Text(
                    "骨干网中的关联比企业还少，群体可能因此散开；可提高水平(--backbone-alpha)，或不提取骨干(--backbone off)再分析。",
                    "The backbone holds fewer links than firms, and groups may fall apart for it: analyse again at a higher level "
                    "(--backbone-alpha), or without a backbone (--backbone off).",
                )
            )
        if values["loops"] or values["weightless"]:
            out.append(
                Text(
                    f"自身关联 {values['loops']:,} 条、强度为零 {values['weightless']:,} 条，没有计入。",
                    f"{values['loops']:,} links of a firm to itself and {values['weightless']:,} of weight 0 are left out.",
                )
            )
        if not self.full:
            out.append(
                Text(
                    "谁与谁有关联只供分析员与运营方查看；这里只有合计。",
                    "Who is linked with whom is for analysts and operators; here are totals only.",
                )
            )
        return tuple(Paragraph(text, "caution") for text in out)

    def picture(self, cluster_id: str | None = None) -> tuple[Block, ...]:
        """The strongest firms, of all or of one cluster, and the links among them; the list of them is the table twin."""
        if not self.full:
            return ()
        nodes = self.named(self.result.table("nodes"))
        nodes = nodes if cluster_id is None else nodes.filter(pl.col("cluster_id") == cluster_id)
        strong = (
            nodes.with_columns(strength=pl.col("in_strength") + pl.col("out_strength"))
            .sort("strength", "node", descending=[True, False])
            .head(MOST_DRAWN)
        )
        if strong.height < 2:
            return ()
        at = {node: place for place, node in enumerate(strong["node"])}
        among = self.result.table("links").filter(
            pl.col("source").is_in(strong["node"].implode()) & pl.col("target").is_in(strong["node"].implode())
        )
        pairs = (
            among.select(u=pl.min_horizontal("source", "target"), v=pl.max_horizontal("source", "target"), weight="weight")
            .group_by("u", "v").agg(pl.col("weight").sum()).sort("u", "v")
        )  # fmt: skip
        most = float(pairs["weight"].max() or 1.0)  # type: ignore[arg-type]
        edges = tuple((at[u], at[v], w / most) for u, v, w in pairs.iter_rows())
        ids = sorted(strong["cluster_id"].drop_nulls().unique())
        groups = {cluster: place for place, cluster in enumerate(ids)}
        spots = layout(strong.height, [(a, b) for a, b, _ in edges])
        marks = tuple(
            GraphNode(
                x, y, row["strength"], groups.get(row["cluster_id"], -1), Text(row["name"], row["name"]),
                Text(
                    f"入 {row['in_degree']}，出 {row['out_degree']}；{row['cluster_id'] or '不属任何集群'}",
                    f"{row['in_degree']} in, {row['out_degree']} out; {row['cluster_id'] or 'in no cluster'}",
                ),
                f"firms/{quote(row['id'], safe='')}" if self.linked and row["id"] else "",
            )
            for (x, y), row in zip(spots, strong.to_dicts(), strict=True)
        )  # fmt: skip
        columns = (
            Column("name", Text("企业", "Firm")),
            Column("cluster", Text("集群", "Cluster"), "code"),
            Column("in", Text("入", "In"), "integer"),
            Column("out", Text("出", "Out"), "integer"),
            Column("strength", Text("强度", "Strength"), "number", 1),
        )
        rows: list[tuple[Cell, ...]] = [
            (row["name"], row["cluster_id"], row["in_degree"], row["out_degree"], row["strength"])
            for row in strong.to_dicts()
        ]
        left = nodes.height - strong.height
        note = Text(f"另有 {left:,} 家没有画出。", f"{left:,} more firms are not drawn.") if left else None
        top = strong.row(0, named=True)
        figure = Figure(
            "network-picture",
            Text(f"{top['name']} 的联系最强", f"{top['name']} has the strongest links"),
            Text(
                f"联系最强的 {strong.height} 家企业及其间的关联；面积：强度；位置由布局算法给出，没有含义",
                f"The {strong.height} firms with the strongest links, and the links among them; area: strength; places come from "
                "a layout and mean nothing",
            ),
            Graph(marks, edges, tuple(Text(name, name) for name in ids)),
            self.table("network-picture-table", Text("图中的企业", "Firms of the picture"), columns, rows, note=note),
        )
        return (figure,)

    def clusters(self) -> Section:
        """The clusters on the network."""
        frame = self.result.table("clusters")
        if frame.is_empty():
            text = Text(
                "没有哪个群体内部的联系超出偶然。这可能是因为关联太少，也可能是因为网络确实没有分群。",
                "No group holds more links inside than chance explains: there may be too few links, or no groups.",
            )
            title = Text("没有网络集群", "No network clusters")
            return Section("network-clusters", title, (Paragraph(text),))
        columns = (
            Column("cluster_id", Text("编号", "Id"), "code"),
            Column("members", Text("成员", "Members"), "integer"),
            Column("share_in", Text("内部关联占比", "Share inside"), "share", 0),
            Column("p", Text("p 值", "p"), "probability"),
            Column("far_share", Text("跨地占比", "Over distance"), "share", 0),
            Column("median_link_km", Text("关联中位距离(千米)", "Median link (km)"), "number", 0),
            Column("class", Text("主导类别", "Leading class")),
            Column("type", Text("类型", "Type")),
            Column("form", Text("形态", "Form")),
        )
        rows: list[tuple[Cell, ...]] = [
            (
                row["cluster_id"], row["members"], row["share_in"], row["p"], row["far_share"], row["median_link_km"],
                class_name_text(row["digital_code"]), LABELS[row["label"]], FORMS[row["form"]],
            )
            for row in frame.to_dicts()
        ]  # fmt: skip
        note = Text(
            f"跨地：超过 {self.result.lineage.parameters['eps_km']:g} 千米的关联权重占成员位置已知者的份额；位置未知则不知道。",
            f"Over distance: share of the weight of links longer than {self.result.lineage.parameters['eps_km']:g} km, among "
            "members whose place is known; not known where places are not.",
        )
        links = tuple(f"network/clusters/{one}" for one in frame["cluster_id"])
        title = Text("网络集群", "Network clusters")
        table = self.table("network-clusters-table", title, columns, rows, note=note, links=links)
        first = frame.row(0, named=True)
        title = Text(
            f"最大的网络集群有 {first['members']:,} 名成员，{_percent(first['share_in']).zh} 的联系在内部",
            f"The strongest network cluster has {first['members']:,} members and {_percent(first['share_in']).en} of its links inside",
        )
        return Section("network-clusters", title, (table,))

    def linkage(self) -> tuple[Section, ...]:
        """Clusters on the map: linked, or only gathered."""
        frame = self.result.table("residuals")
        kinds = self.result.table("types").filter(pl.col("scope") == "map")
        if frame.is_empty():
            return ()
        told = linkages(self.result)[: frame.height]
        columns = (
            Column("cluster_id", Text("集群", "Cluster"), "code"),
            Column("response", Text("答复率", "Response"), "share", 0),
            Column("observed", Text("实际", "Observed"), "number", 1),
            Column("expected", Text("期望", "Expected"), "number", 1),
            Column("ratio", Text("倍数", "× expected"), "ratio"),
            Column("low", Text("下限", "Low"), "number", 2),
            Column("high", Text("上限", "High"), "number", 2),
            Column("finding", Text("结论", "Finding")),
            Column("type", Text("类型", "Type")),
            Column("form", Text("形态", "Form")),
        )
        rows: list[tuple[Cell, ...]] = [
            (
                one.cluster_id, one.response, one.observed, one.expected, one.ratio, one.low, one.high, finding_text(one),
                LABELS[one.label], FORMS[one.form],  # type: ignore[index]
            )
            for one in told
        ]  # fmt: skip
        links = tuple(f"clusters/{one.cluster_id}" for one in told)
        less = sum(one.finding == "less" for one in told)
        unknown = sum(one.finding == "unknown" for one in told)
        title = Text(
            f"{len(told)} 个地图上的集群中，{less} 个集而不群，{unknown} 个未知",
            f"Of {len(told)} clusters on the map, {less} are gathered but not linked, {unknown} are not known",
        )
        table = self.table(
            "network-linkage-table", Text("集群内部的联系", "Linkage within clusters"), columns, rows, note=self.gravity(),
            links=links,
        )  # fmt: skip
        return (Section("network-linkage", title, (table,)),) if kinds.height else ()

    def gravity(self) -> Text:
        """What the gravity model stands on."""
        model = self.values.get("gravity")
        if not model:
            return Text("没有引力模型，因此没有期望。", "There is no gravity model, and so no expectation.")
        dropped = [(name, DROPPED[why]) for name, why in model["dropped"].items()]
        names = {"size": Text("规模", "size"), "distance": Text("距离", "distance")}
        pairs = (
            Text(f"全部 {model['pairs']:,} 对", f"all {model['pairs']:,} pairs")
            if model["exact"]
            else Text(
                f"全部关联与 {model['sampled']:,} 对加权抽样",
                f"all links and a weighted sample of {model['sampled']:,} pairs",
            )
        )
        zh = f"引力模型(PPML)以 {model['firms']:,} 家企业的{pairs.zh}估计；区间取自对企业的自助抽样与关联数的泊松界，以宽者为准。"
        en = f"Gravity model (PPML) of {pairs.en} of {model['firms']:,} firms; intervals from resampled firms, widened to the Poisson bounds of the count of links."
        for name, why in dropped:
            zh += f"未用{names[name].zh}({why.zh})。"
            en += f" Without {names[name].en} ({why.en})."
        return Text(zh, en)

    def leaders(self) -> tuple[Section, ...]:
        """The chain leaders of each network cluster, first rank only."""
        frame = self.named(self.result.table("leaders")).filter((pl.col("scope") == "network") & (pl.col("rank") == 1))
        if frame.is_empty():
            return ()
        rows: list[tuple[Cell, ...]] = [
            (cluster, " · ".join(part["name"].sort()[:8]))
            for (cluster,), part in frame.partition_by("cluster_id", as_dict=True, maintain_order=True).items()
        ]
        columns = (
            Column("cluster_id", Text("集群", "Cluster"), "code"),
            Column("leaders", Text("链主(并列第一)", "Chain leaders (tied first)")),
        )
        table = self.table("network-leaders-table", Text("网络集群的链主", "Chain leaders"), columns, rows)
        title = Text(
            "没有企业在规模、位置和依赖度上都超过它们",
            "No firm is ahead of these in size, position and dependence alike",
        )
        return (Section("network-leaders", title, (table,)),)

    def positions(self) -> tuple[Section, ...]:
        """The brokers, for who may see ties."""
        if not self.full:
            return ()
        frame = (
            self.named(self.result.table("nodes")).sort("brokered", "node", descending=[True, False]).head(MOST_ROWS)
        )
        frame = frame.filter(pl.col("brokered") > 0)
        if frame.is_empty():
            return ()
        columns = (
            Column("name", Text("企业", "Firm")),
            Column("brokered", Text("居间路径", "Paths brokered"), "integer"),
            Column("liaison", Text("联络", "Liaison"), "integer"),
            Column("gatekeeper", Text("守门", "Gatekeeper"), "integer"),
            Column("representative", Text("代表", "Representative"), "integer"),
            Column("itinerant", Text("顾问", "Itinerant"), "integer"),
            Column("coordinator", Text("协调", "Coordinator"), "integer"),
            Column("constraint", Text("约束", "Constraint"), "number", 2),
            Column("pagerank", Text("PageRank", "PageRank"), "share", 2),
            Column("betweenness", Text("中介中心性", "Betweenness"), "number", 3),
        )
        keys = [column.key for column in columns]
        rows: list[tuple[Cell, ...]] = [tuple(row[key] for key in keys) for row in frame.to_dicts()]
        bound = self.values["betweenness"]["bound"]
        note = (
            Text(
                f"中介中心性由抽样得出，误差不超过 {bound:.3f}(95 %)。",
                f"Betweenness is sampled, within {bound:.3f} (95 %).",
            )
            if bound
            else None
        )
        top = frame.row(0, named=True)
        title = Text(f"{top['name']} 居间最多", f"{top['name']} brokers most")
        table = self.table("network-brokers-table", Text("中间人", "Brokers"), columns, rows, note=note)
        return (Section("network-brokers", title, (table,)),)

    def kinds(self) -> Section:
        """The kinds of links, and how they are joined."""
        frame = self.result.table("kinds")
        columns = (
            Column("kind", Text("类型", "Kind")),
            Column("pairs", Text("对", "Pairs"), "integer"),
            Column("firms", Text("企业", "Firms"), "integer"),
            Column("factor", Text("合并时的权重", "Weight when joined"), "number", 2),
        )
        rows: list[tuple[Cell, ...]] = [
            (kind_text(row["kind"]), row["pairs"], row["firms"], row["factor"]) for row in frame.to_dicts()
        ]
        note = Text(
            "每类关联先除以该类平均强度，再乘以权重相加；没有方向的关联两个方向各计一次。",
            "Each kind is divided by its mean weight, multiplied by its factor and added; links without direction count both ways.",
        )
        table = self.table("network-kinds-table", Text("各类关联", "Kinds of links"), columns, rows, note=note)
        title = Text(f"{frame.height} 类关联", f"{frame.height} kind{'s' if frame.height != 1 else ''} of links")
        return Section("network-kinds", title, (table,))

    def changes(self) -> tuple[Section, ...]:
        """Ties kept, lost and new since the load before."""
        told = self.values["changes"]
        if told is None:
            return ()
        rows: list[tuple[Cell, ...]] = [
            (Text("两次都在的企业之间", "Between firms of both dates"), told["kept"], told["lost"], told["new"]),
            (
                Text("涉及只在一次出现的企业", "With firms of one date only"),
                None,
                told["lost_with_firms"],
                told["new_with_firms"],
            ),
        ]
        columns = (
            Column("what", Text("关联", "Ties")),
            Column("kept", Text("保留", "Kept"), "integer"),
            Column("lost", Text("失去", "Lost"), "integer"),
            Column("new", Text("新增", "New"), "integer"),
        )
        jaccard = figure_text(told["jaccard"], 2)
        title = Text(
            f"{told['before']} 至 {told['after']}：保留 {told['kept']:,}，失去 {told['lost']:,}，新增 {told['new']:,}(Jaccard {jaccard.zh})",
            f"{told['before']} to {told['after']}: {told['kept']:,} ties kept, {told['lost']:,} lost, {told['new']:,} new "
            f"(Jaccard {jaccard.en})",
        )
        note = Text(
            f"两次都在的企业 {told['firms_both']:,} 家，离开 {told['firms_left']:,}，进入 {told['firms_joined']:,}。",
            f"{told['firms_both']:,} firms on both dates, {told['firms_left']:,} left, {told['firms_joined']:,} joined.",
        )
        table = self.table("network-changes-table", Text("关联的变化", "Change of ties"), columns, rows, note=note)
        return (Section("network-changes", title, (table,)),)

    def method(self) -> Section:
        """How groups were found and tested."""
        values = self.values
        text = Text(
            f"分群用 Leiden 算法(分辨率 {values['resolution']:.3g}，{self.result.lineage.parameters['seeds']} 个种子取共识，"
            f"{values['rounds']} 轮{'' if values['converged'] else '，未完全一致'})；显著性以 {values['nulls']} 个保持度数的随机网络检验。"
            "分辨率由同一网络选出，检验没有计入这一点。",
            f"Groups by Leiden (resolution {values['resolution']:.3g}, consensus of {self.result.lineage.parameters['seeds']} seeds in "
            f"{values['rounds']} round{'s' if values['rounds'] != 1 else ''}{'' if values['converged'] else ', not all agreed'}), tested "
            f"against {values['nulls']} random networks that keep degrees. The resolution was chosen on the same network, which the "
            "test does not count.",
        )
        return Section("network-method", Text("怎么得出的", "How this is known"), (Paragraph(text),))


def finding_text(one: LinkageAnswer) -> Text:
    """A finding, with the reason where nothing is known."""
    if one.finding != "unknown":
        return FINDINGS[one.finding]
    why = REASONS.get(one.reason or "", Text("没有分析", "not analysed"))
    return Text(f"未知：{why.zh}", f"not known: {why.en}")


def layout(n: int, edges: list[tuple[int, int]], seed: int = 1) -> list[tuple[float, float]]:
    """Places of nodes between 0 and 1 by springs, the same for the same graph; nodes without links stand below."""
    linked_nodes = sorted({end for edge in edges for end in edge})
    out = [(0.0, 0.0)] * n
    if linked_nodes:
        number = {node: at for at, node in enumerate(linked_nodes)}
        graph = rx.PyGraph(multigraph=False)
        graph.add_nodes_from(linked_nodes)
        graph.add_edges_from([(number[a], number[b], 1.0) for a, b in edges])
        placed = rx.spring_layout(graph, seed=seed, num_iter=LAYOUT_STEPS)
        spots = np.array([placed[at] for at in range(len(linked_nodes))], dtype=np.float64)
        spots = np.argsort(np.argsort(spots, axis=0), axis=0) / max(len(linked_nodes) - 1, 1) * 0.35 + 0.65 * _unit(
            spots
        )
        for node, (x, y) in zip(linked_nodes, spots.tolist(), strict=True):
            out[node] = (x, 0.94 * y)
    alone = [node for node in range(n) if node not in set(linked_nodes)]
    for at, node in enumerate(alone):
        out[node] = ((at + 0.5) / len(alone), 1.0)
    return out


def _unit(spots: np.ndarray[Any, np.dtype[np.float64]]) -> np.ndarray[Any, np.dtype[np.float64]]:
    low, high = spots.min(axis=0), spots.max(axis=0)
    scaled: np.ndarray[Any, np.dtype[np.float64]] = (spots - low) / np.where(high > low, high - low, 1.0)
    return scaled


def figure_text(value: float | None, digits: int) -> Text:
    """A number, a dash where there is none."""
    return Text("—", "—") if value is None else Text(f"{value:.{digits}f}", f"{value:.{digits}f}")


def _percent(value: float | None) -> Text:
    return Text("—", "—") if value is None else percent(value)


def _p(value: float | None) -> str:
    return "—" if value is None else probability(value)
