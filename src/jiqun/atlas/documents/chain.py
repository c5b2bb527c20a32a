"""A chain and its gaps in words, a drawing and tables 产业链文档: of the whole register, or of one cluster."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import polars as pl

from jiqun.atlas.chain_data import STAGE_NAMES, Chain, Node, source_text
from jiqun.atlas.chain_desk import ChainView, placed, view
from jiqun.atlas.chain_graph import ChainGraph
from jiqun.atlas.chain_places import OPEN, OUTSIDE, PLACED, UNKNOWN
from jiqun.atlas.chain_records import kept
from jiqun.atlas.chain_strength import LEAST_SHIELD, MISSING, NOT_KNOWN, PRESENT, STRONG, WEAK
from jiqun.atlas.documents.words import name_text, percent, plural
from jiqun.atlas.reading import Run
from jiqun.atlas.subject import SIZES
from jiqun.core.document import (
    Block,
    Cell,
    Column,
    Document,
    Figure,
    KeyFigure,
    KeyFigures,
    LayerBox,
    LayerFlow,
    Layers,
    Paragraph,
    Section,
    Table,
    Text,
)
from jiqun.intake.counted import left_out
from jiqun.report.formats import spoken
from jiqun.store import Workspace

STATUS = {
    STRONG: Text("强", "strong"),
    PRESENT: Text("有", "present"),
    WEAK: Text("弱", "weak"),
    MISSING: Text("缺失", "missing"),
    NOT_KNOWN: Text("未知", "not known"),
}
SIGNS = {STRONG: "＋", PRESENT: "○", WEAK: "－", MISSING: "×", NOT_KNOWN: "?"}
SINGLE = Text("系于一家", "hangs on one firm")
ONLY = Text("仅此一家", "only one firm")
MOST = Text("一家独大", "one firm holds most")
MOST_CHAINS = 2
"""How many chains a cluster's page shows: those on which most members stand."""
BY = {
    "code": Text("行业代码", "industry code"),
    "main_business": Text("主营业务", "main business"),
    "scope": Text("经营范围", "business scope"),
    "summary": Text("简介", "profile"),
    "name": Text("名称", "name"),
}


def single_text(row: Mapping[str, Any]) -> Text | None:
    """How a node hangs on one firm: there is no other, or one holds most of the size; None: it does not."""
    return (ONLY if row["firms"] == 1 else MOST) if row["single"] else None


def chain_document(shown: ChainView, *, linked: bool = False) -> Document:
    """The report of a chain 产业链报告; `linked`: nodes and rows lead to the console's pages."""
    told = ChainTold(shown, linked=linked)
    return Document(
        title=told.title,
        subtitle=told.sentence,
        blocks=(
            told.key_figures(),
            told.figure(),
            *told.gap_blocks(),
            *told.flow_blocks(),
            told.sources(),
            told.method(),
        ),
        lineage=shown.result.lineage,
    )


def cluster_chain(
    workspace: Workspace, run: Run, row: dict[str, object], *, full: bool, linked: bool = False
) -> Section:
    """The block of a cluster's page: its chain and gaps, on the chains on which most of its members stand."""
    id_ = f"{row['cluster_id']}-chain"
    seen: list[ChainTold] = []
    computed = 0
    for one in kept(workspace).values():
        result = placed(workspace, one.chain)
        if result is None:
            continue
        computed += 1
        shown = view(workspace, one, result, run, row, full=full)
        if shown.mapped.counts[PLACED]:
            seen.append(ChainTold(shown, linked=linked, prefix=f"{id_}-"))
    if not computed:
        text = Text(
            "还没有把企业对到产业链上。在“产业链”页选一条链并对照企业，这里就会显示成员在链上的位置、强弱和缺口。",
            "No firms have been placed on a chain yet. Choose a chain on the page Chains and place the firms: this then shows where the "
            "members stand, how strong each node is and what is missing.",
        )
        return Section(id_, Text("它的产业链与缺口：未知", "Its chain and gaps: not known"), (Paragraph(text),))
    seen.sort(key=lambda told: (-told.view.mapped.counts[PLACED], told.view.chain.id))
    if not seen:
        text = Text(
            f"在 {computed} 条产业链上没有找到它的成员。成员没有行业代码或主营业务时，也无从判断。",
            f"None of its members was found on the {plural(computed, 'chain')} there is. Of members without a code or main business nothing is known.",
        )
        return Section(
            id_,
            Text("它的产业链与缺口：不在已有的链上", "Its chain and gaps: on none of the chains"),
            (Paragraph(text),),
        )
    blocks: list[Block] = []
    for told in seen[:MOST_CHAINS]:
        blocks += [told.figure(), *told.gap_blocks(few=5), *told.doubts()]
    return Section(id_, seen[0].finding, tuple(blocks))


class ChainTold:
    """A view of a chain, put into words."""

    def __init__(self, shown: ChainView, *, linked: bool, prefix: str = "") -> None:
        self.view = shown
        self.linked = linked
        self._prefix = f"{prefix}{shown.chain.id}-" if prefix else ""
        self.chain: Chain = shown.chain
        self.nodes = {row["node"]: row for row in shown.mapped.nodes.to_dicts()}
        self.source = Text(
            f"{self.chain.zh} {self.chain.version} 版；企业登记库",
            f"{self.chain.en}, version {self.chain.version}; register of firms",
        )

    @property
    def where(self) -> Text:
        """What is looked at."""
        row = self.view.cluster
        return name_text(row) if row else Text("登记库", "the register")

    @property
    def title(self) -> Text:
        """The chain, and where."""
        chain, where = self.chain, self.where
        if self.view.cluster is None:
            return Text(f"{chain.zh}产业链", f"Chain of {chain.en.lower()}")
        return Text(f"{where.zh}的{chain.zh}产业链", f"{where.en}: chain of {chain.en.lower()}")

    @property
    def finding(self) -> Text:
        """What stands out, in one heading."""
        gaps = self.view.gaps.filter(pl.col("rank").is_not_null() & (pl.col("hangs") > 0))
        of = Text(f"{self.chain.zh}链", f"Chain of {self.chain.en.lower()}")
        if self.view.mapped.counts[PLACED] == 0:
            return Text(f"{of.zh}：没有企业在链上", f"{of.en}: no firm stands on it")
        if gaps.is_empty():
            return Text(f"{of.zh}：没有发现有下游依赖的缺口", f"{of.en}: no gap that anything hangs on was found")
        first = gaps.row(0, named=True)
        name, amount = self._title(first["node"]), self._amount(first["hangs"])
        hangs = Text(f"约合 {amount.zh}的下游系于此", f"downstream worth {amount.en} hangs on it")
        if first["status"] == MISSING:
            return Text(f"{of.zh}：缺{name.zh}，{hangs.zh}", f"{of.en}: {_lower(name.en)} missing; {hangs.en}")
        if first["single"]:
            if first["firms"] == 1:
                return Text(
                    f"{of.zh}：{name.zh}只有一家企业，{hangs.zh}",
                    f"{of.en}: only one firm at {_lower(name.en)}; {hangs.en}",
                )
            return Text(
                f"{of.zh}：{name.zh}一家独大({first['firms']:,} 家之一)，{hangs.zh}",
                f"{of.en}: one of {first['firms']:,} firms holds most of {_lower(name.en)}; {hangs.en}",
            )
        return Text(f"{of.zh}：{name.zh}偏弱，{hangs.zh}", f"{of.en}: weak at {_lower(name.en)}; {hangs.en}")

    @property
    def sentence(self) -> Text:
        """How many stand where, and of how many nothing is known."""
        mapped = self.view.mapped
        filled = sum(row["firms"] > 0 for row in self.nodes.values())
        rest = percent(mapped.undecided)
        count = mapped.counts[PLACED]
        return Text(
            f"{self.where.zh} {mapped.members:,} 家企业中有 {count:,} 家在链上，占据 {len(self.nodes)} 个环节中的 {filled} 个；"
            f"{rest.zh} 的企业无从判断。{self.finding.zh}。",
            f"Of {mapped.members:,} firms in {self.where.en} {count:,} stand on the chain, at {filled} of its {len(self.nodes)} nodes; of {rest.en} of "
            f"them it is not known. {self.finding.en}.",
        )

    def _title(self, node: str) -> Text:
        return self.chain.node(node).title

    def _named(self, title: Text) -> Text:
        """The title of a table, with the chain's name where tables of several chains stand on one page."""
        if not self._prefix:
            return title
        return Text(f"{self.chain.zh}：{title.zh}", f"{self.chain.en}: {_lower(title.en)}")

    def _amount(self, value: float) -> Text:
        """A sum of sizes in words."""
        said, size = spoken(value), self.view.mapped.unit
        if size is None:
            return Text(f"{said.zh} 家企业", f"{said.en} firms")
        unit = SIZES.get(size, Text(size, size))
        return Text(f"{said.zh}({unit.zh})", f"{said.en} ({unit.en.lower()})")

    def _anchor(self, node: str) -> str:
        if not self.linked:
            return ""
        at = f"chains/{self.chain.id}/nodes/{node}"
        row = self.view.cluster
        return f"{at}?cluster={quote(str(row['cluster_id']))}" if row else at

    def key_figures(self) -> KeyFigures:
        """Members by what is known of them, and the nodes by status."""
        mapped, counts = self.view.mapped, self.view.mapped.counts
        most = percent(mapped.parameters["single_share"])
        status = [row["status"] for row in self.nodes.values()]
        return KeyFigures(
            (
                KeyFigure(
                    spoken(counts[PLACED]),
                    Text("在链上的企业", "firms on the chain"),
                    Text(f"共 {mapped.members:,} 家", f"of {mapped.members:,}"),
                ),
                KeyFigure(
                    spoken(status.count(MISSING)),
                    Text("缺失的环节", "nodes missing"),
                    Text(f"共 {len(status)} 个环节", f"of {plural(len(status), 'node')}"),
                ),
                KeyFigure(
                    spoken(sum(row["single"] for row in self.nodes.values())),
                    Text("系于一家的环节", "nodes that hang on one firm"),
                    Text(
                        f"{self._singles(ONLY)} 个只有一家，{self._singles(MOST)} 个有一家超过 {most.zh}",
                        f"{self._singles(ONLY)} with only one firm, {self._singles(MOST)} where one holds more than {most.en}",
                    ),
                ),
                KeyFigure(
                    percent(mapped.undecided),
                    Text("无从判断", "not known"),
                    Text(
                        f"{counts[OPEN]:,} 家代码适用多个环节，{counts[UNKNOWN]:,} 家既无代码也无文本",
                        f"{counts[OPEN]:,} with a code that fits nodes without a word for one, {counts[UNKNOWN]:,} with neither code nor text",
                    ),
                ),
            )
        )

    def _singles(self, how: Text) -> int:
        return sum(single_text(row) == how for row in self.nodes.values())

    def figure(self) -> Figure:
        """The chain from left to right, and its nodes as a table."""
        graph = ChainGraph.of(self.chain)
        layer = dict(zip(graph.nodes, graph.layers, strict=True))
        boxes = tuple(self._box(node, layer[node.id]) for node in self.chain.nodes)
        flows = tuple(LayerFlow(edge.start, edge.end, edge.flow) for edge in self.chain.edges)
        bands = []
        for stage, name in STAGE_NAMES.items():
            held = [layer[node.id] for node in self.chain.nodes if node.stage == stage]
            if held:
                bands.append((name, min(held), max(held)))
        signs = tuple((SIGNS[status], words) for status, words in STATUS.items())
        return Figure(
            f"{self._prefix}chain",
            self._filled,
            Text(
                "从上游到下游；每格写企业数和强弱，虚线为缺失或未知；强弱按区位熵，1 为全部企业的水平",
                "From upstream to downstream; each box says how many firms and how strong; dashed: missing or not known; strength by location "
                "quotient, 1 is the level of all firms",
            ),
            Layers(boxes, flows, tuple(bands), (*signs, ("!", SINGLE))),
            self.table(),
        )

    @property
    def _filled(self) -> Text:
        filled = sum(row["firms"] > 0 for row in self.nodes.values())
        zh, en = self.chain.zh, self.chain.en.lower()
        return Text(
            f"{zh}链：{len(self.nodes)} 个环节中有 {filled} 个有企业",
            f"Chain of {en}: firms at {filled} of {plural(len(self.nodes), 'node')}",
        )

    def _box(self, node: Node, layer: int) -> LayerBox:
        row = self.nodes[node.id]
        word, more = STATUS[row["status"]], row["possible"]
        zh, en = f"{row['firms']:,} 家 · {word.zh}", f"{plural(row['firms'], 'firm')} · {word.en}"
        if row["firms"] == 0:
            zh, en = word.zh, word.en
            if more:
                zh, en = f"{zh}，或有 {more:,} 家", f"{en}, up to {more:,}"
        sign = SIGNS[row["status"]]
        if how := single_text(row):
            sign = f"{sign}!"
            zh, en = (
                (f"{zh} · {how.zh}", f"{en} · {how.en}")
                if how is MOST
                else (f"仅 1 家 · {word.zh}", f"only 1 firm · {word.en}")
            )
        return LayerBox(node.id, layer, node.title, Text(zh, en), row["status"], sign, self._anchor(node.id))

    def table(self) -> Table:
        """The nodes as rows."""
        size = self.view.size
        columns = [
            Column("node", Text("环节", "Node")),
            Column("stage", Text("位置", "Stage")),
            Column("status", Text("状况", "Status")),
            Column("firms", Text("企业数", "Firms"), "integer"),
            Column("possible", Text("或有", "Possibly more"), "integer"),
            Column("lq", Text("区位熵", "Location quotient"), "number", 2),
            Column("hhi", Text("赫芬达尔指数", "Herfindahl index"), "number", 3),
            Column("top_share", Text("最大一家占比", "Share of the largest"), "share", 0),
        ]
        if size:
            columns.insert(5, Column("size", SIZES.get(size, Text(size, size)), "number", 0))
        rows: list[tuple[Cell, ...]] = []
        for node in self.chain.nodes:
            row = self.nodes[node.id]
            words = STATUS[row["status"]]
            if how := single_text(row):
                words = Text(f"{words.zh}，{how.zh}", f"{words.en}, {how.en}")
            told = row | {"node": node.title, "stage": STAGE_NAMES[node.stage], "status": words}
            rows.append(tuple(told[column.key] for column in columns))
        note = Text(
            "或有：代码适用于该环节、但没有产品词可判的企业；一家企业可在多个环节，各计全部规模；规模未知的不计入指数与占比，"
            "规模已知的企业不到一半时不给指数与占比，是否系于一家只看企业数。",
            "Possibly more: firms whose code fits the node without a product word to tell. A firm may stand at several nodes and counts "
            "whole at each; firms of unknown size are left out of index and share, which are not given where sizes are known of less than half of "
            "the firms; such a node hangs on one firm only where there is no other.",
        )
        links = tuple(self._anchor(node.id) for node in self.chain.nodes) if self.linked else ()
        return Table(
            f"{self._prefix}nodes", self._named(Text("各环节", "The nodes")), tuple(columns), rows, self.source, self.view.as_of, note=note,
            links=links,
        )  # fmt: skip

    def gap_blocks(self, *, few: int | None = None) -> tuple[Block, ...]:
        """What is missing or hangs on one firm, by what hangs on it; then what is not known."""
        gaps = self.view.gaps
        known, unknown = gaps.filter(pl.col("rank").is_not_null()), gaps.filter(pl.col("rank").is_null())
        blocks: list[Block] = []
        if known.is_empty():
            blocks.append(
                Paragraph(Text("没有缺失、偏弱或系于一家的环节。", "No node is missing, weak or hangs on one firm."))
            )
        else:
            blocks.append(self._gap_table(known.head(few) if few else known))
        if unknown.height:
            names = [self._title(node) for node in unknown["node"]]
            blocks.append(
                Paragraph(
                    Text(
                        f"以下 {unknown.height} 个环节未知，不算缺口：{'、'.join(n.zh for n in names)}。补上成员的行业代码或主营业务后才能判断。",
                        f"Not known, and so no gaps ({unknown.height}): {', '.join(n.en for n in names)}. Codes or main business of the members would tell.",
                    ),
                    "caution",
                )
            )
        return tuple(blocks)

    def _gap_table(self, known: pl.DataFrame) -> Table:
        size = self.view.mapped.unit
        unit = SIZES.get(size, Text(size, size)) if size else Text("企业数", "firms")
        columns = (
            Column("rank", Text("名次", "Rank"), "integer"),
            Column("node", Text("环节", "Node")),
            Column("status", Text("状况", "Status")),
            Column("firms", Text("企业数", "Firms"), "integer"),
            Column("hangs", Text(f"系于此({unit.zh})", f"Hangs on it ({unit.en.lower()})"), "number", 1),
            Column("only", Text("只能经此", "Through it only"), "number", 1),
            Column("dependants", Text("下游企业", "Firms after it"), "integer"),
            Column("path", Text("路径", "Way")),
        )
        rows: list[tuple[Cell, ...]] = []
        for row in known.to_dicts():
            words = STATUS[row["status"]]
            if how := single_text(row):
                words = Text(f"{words.zh}，{how.zh}", f"{words.en}, {how.en}")
            way = [self._title(node) for node in row["path"]]
            path = Text(" → ".join(n.zh for n in way), " → ".join(n.en for n in way)) if way else None
            told = row | {"node": self._title(row["node"]), "status": words, "path": path}
            rows.append(tuple(told[column.key] for column in columns))
        note = Text(
            "系于此：下游成员的规模乘以通往它们的路径中经过该环节的份额；只能经此：全部路径都经过该环节的部分。",
            "Hangs on it: size of the members after the node, times the share of the ways to them that lead through it; through it only: where all ways do.",
        )
        if self.view.size and not size:
            note = Text(
                f"{note.zh}有环节规模已知的企业不到一半，因此这里按企业数计。",
                f"{note.en} At some node sizes are known of less than half of the firms, so firms are counted here.",
            )
        links = tuple(self._anchor(node) for node in known["node"]) if self.linked else ()
        title = Text("缺口与薄弱环节，按系于其上的规模排列", "Gaps and weak nodes, by what hangs on them")
        return Table(
            f"{self._prefix}gaps",
            self._named(title),
            columns,
            rows,
            self.source,
            self.view.as_of,
            note=note,
            links=links,
        )

    def flow_blocks(self) -> tuple[Block, ...]:
        """Links between members at the two ends of each edge."""
        flows = self.view.mapped.flows
        id_ = f"{self._prefix}flows"
        if flows is None:
            text = Text(
                "还没有装载企业之间的关联，因此不知道环节之间实际有没有往来。",
                "No links between firms are loaded, so whether the nodes in fact deal with each other is not known.",
            )
            return (
                Section(id_, Text("环节之间的往来：未知", "Links between the nodes: not known"), (Paragraph(text),)),
            )
        if not self.view.full:
            return self._shielded(id_, flows)
        linked = flows.filter(pl.col("expected") & (pl.col("links") > 0)).height
        edges = len(self.chain.edges)
        title = Text(
            f"{edges} 条边中有 {linked} 条两端的企业有往来",
            f"Of {plural(edges, 'edge')} {linked} join firms that are linked",
        )
        return (Section(id_, title, (self._flow_table(id_, flows),)),)

    def _shielded(self, id_: str, flows: pl.DataFrame) -> tuple[Block, ...]:
        """What everybody may know of the links: where each end holds several firms."""
        text = Text(
            f"只列出两端各有至少 {LEAST_SHIELD} 家企业的环节：企业更少时，数字会透露谁与谁有往来。",
            f"Only nodes with at least {LEAST_SHIELD} firms each are listed: of fewer the numbers would tell who is linked with whom.",
        )
        told = (self._flow_table(id_, flows),) if flows.height else ()
        return (Section(id_, Text("环节之间的往来", "Links between the nodes"), (Paragraph(text), *told)),)

    def _flow_table(self, id_: str, flows: pl.DataFrame) -> Table:
        columns = (
            Column("start", Text("从", "From")),
            Column("end", Text("到", "To")),
            Column("expected", Text("链上有此边", "In the chain")),
            Column("links", Text("关联", "Links"), "integer"),
            Column("firms", Text("发出企业", "Firms that send them"), "integer"),
        )
        rows = [(self._title(s), self._title(e), x, n, f) for s, e, x, n, f in flows.iter_rows()]
        title = Text("环节之间的关联", "Links between nodes")
        return Table(f"{id_}-table", title, columns, rows, self.source, self.view.as_of)

    def sources(self) -> Section:
        """Where each node is known from, and by what firms are placed at it."""
        columns = (
            Column("node", Text("环节", "Node")),
            Column("gbt", Text("GB/T 4754-2017", "GB/T 4754-2017"), "code"),
            Column("digital", Text("数字经济分类(2021)", "Digital classification (2021)"), "code"),
            Column("words_zh", Text("中文产品词", "Words in Chinese")),
            Column("words_en", Text("英文产品词", "Words in English")),
            Column("source", Text("来源", "Source")),
        )
        rows: list[tuple[Cell, ...]] = [
            (
                node.title,
                " ".join(node.gbt) or None,
                " ".join(node.digital) or None,
                "；".join(node.words_zh) or None,
                "; ".join(node.words_en) or None,
                source_text(node),
            )
            for node in self.chain.nodes
        ]
        drafts = self.chain.drafts
        title = (
            Text(
                f"{drafts} 个环节是草稿，还没有来源",
                f"{plural(drafts, 'node')} {'is' if drafts == 1 else 'are'} a draft without a source",
            )
            if drafts
            else Text("每个环节都有来源", "Every node has a source")
        )
        note = Text("带 * 的代码只有一部分企业属于该环节。", "Of a code with * only some firms belong to the node.")
        table = Table(
            f"{self._prefix}sources-table", Text("环节的依据", "What the nodes rest on"), columns, rows,
            Text(f"{self.chain.zh} {self.chain.version} 版", f"{self.chain.en}, version {self.chain.version}"), note=note,
        )  # fmt: skip
        return Section(f"{self._prefix}sources", title, (table,))

    def doubts(self) -> tuple[Block, ...]:
        """That most firms were placed by what their texts say, where that is so."""
        worded = self.view.mapped.places.filter(pl.col("by") != "code")["id"].n_unique()
        if 2 * worded <= self.view.mapped.counts[PLACED]:
            return ()
        doubt = Text(
            "多数企业是由文本归入的：没有在文本中提到的产品不计，“缺失”须向企业核实。",
            "Most firms were placed by their texts: what a text does not mention does not count, so ask before you rely on a node that is missing.",
        )
        return (Paragraph(doubt, "caution"),)

    def method(self) -> Section:
        """How firms are placed and nodes judged."""
        limit = percent(self.view.mapped.parameters["most_undecided"])
        counts = self.view.mapped.counts
        blocks: tuple[Block, ...] = (
            Paragraph(
                Text(
                    "企业先按行业代码归入环节；一个代码适用多个环节或只部分适用时，由主营业务、经营范围、简介、名称中的产品词决定，只销售、只使用的不算。"
                    f"{counts[OUTSIDE]:,} 家有代码或文本但不在链上。",
                    "Firms are placed by their industry code; where a code fits several nodes, or one in part, product words in main business, scope, "
                    "profile or name decide; what is only sold or used does not count. "
                    f"{counts[OUTSIDE]:,} have a code or text that leads to no node.",
                )
            ),
            Paragraph(
                Text(
                    f"空环节只有在无从判断的成员不超过 {limit.zh}、且没有可能在此的企业时才算缺失，否则为未知。",
                    f"An empty node is missing only where at most {limit.en} of the members are undecided and none possibly stands there; else it is not known.",
                )
            ),
        )
        blocks = (*blocks, *self.doubts())
        if waiting := left_out(self.view.result.values):
            blocks = (*blocks, Paragraph(waiting, "caution"))
        return Section(f"{self._prefix}method", Text("方法", "Method"), blocks)


def _lower(text: str) -> str:
    """A title within a sentence; one that begins with an abbreviation stays."""
    return text if text[:2].isupper() else text[:1].lower() + text[1:]
