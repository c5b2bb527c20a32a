"""One cluster, from its sentence to its rows 单个集群: what it is, where, what it makes, who leads, how it changed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import polars as pl

from jiqun.atlas.documents.atlas import Told
from jiqun.atlas.documents.chain import cluster_chain
from jiqun.atlas.documents.cluster_network import link_sections
from jiqun.atlas.documents.core import cluster_core
from jiqun.atlas.documents.words import (
    class_name_text,
    largest_table,
    members_map,
    name_text,
    percent,
    place_text,
    places_of,
    plural,
    towns_of,
)
from jiqun.atlas.listing import EVENTS, country_text, ratio_text
from jiqun.atlas.reading import RESERVED_SIZES, Run, current_links, find_cluster, links_of
from jiqun.atlas.subject import Subject, subject_of
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
    Paragraph,
    Section,
    Table,
    Text,
)
from jiqun.report.formats import probability, ratio_number, spoken
from jiqun.store import Snapshot, StoredResult, Workspace

PLACES = 20
CLASSES = 10
LEAST_P = 0.001
FEW_FIRMS = 5
"""Cells below this are too small for a specialisation to mean anything."""


def cluster_document(
    workspace: Workspace, result: StoredResult, cluster_id: str, *, full: bool = False, linked: bool = False
) -> Document:
    """The report of one cluster 集群报告.

    Parameters
    ----------
    full
        Whether the reader may see sizes of firms that are not for everybody (`jiqun.atlas.reading.sees_all`).
    linked
        Whether rows link to other pages (`firms/…`, `clusters/…`), as in the console; a file has no such pages.

    Raises
    ------
    UsageError
        JQ-ATLAS-014, 018: the run has no such cluster.
    """
    run = Run.of(workspace, result)
    row = find_cluster(workspace, run, cluster_id)
    told = ClusterTold(
        run,
        run.history(workspace),
        subject_of(workspace, result),
        row,
        current_links(workspace),
        full=full,
        linked=linked,
    )
    return Document(
        title=told.place,
        subtitle=told.sentence,
        blocks=(
            told.key_figures(),
            told.where(),
            *told.makes(),
            told.leads(),
            told.joined(),
            *link_sections(workspace, run, cluster_id, full=full, linked=linked),
            cluster_chain(workspace, run, row, full=full, linked=linked),
            cluster_core(workspace, run, cluster_id, full=full),
            told.changes(),
            *(Paragraph(text, "caution") for text in told.whole.cautions()),
            told.whole.method(),
        ),
        lineage=result.lineage,
        attributions=told.subject.attributions,
    )


@dataclass(frozen=True)
class ClusterTold:
    """One cluster, put into words."""

    run: Run
    history: tuple[Run, ...]
    subject: Subject
    row: dict[str, Any]
    links: Snapshot | None
    full: bool
    linked: bool

    @cached_property
    def whole(self) -> Told:
        """The run that the cluster belongs to."""
        return Told(self.run.result, self.subject, self.run.clusters)

    @cached_property
    def members(self) -> pl.DataFrame:
        """Its members."""
        return self.run.members(self.row["cluster_id"])

    @cached_property
    def past(self) -> list[tuple[Run, dict[str, Any]]]:
        """The runs that had this cluster, newest first, without a gap."""
        rows = []
        for run in self.history:
            row = run.row(self.row["cluster_id"])
            if row is None:
                break
            rows.append((run, row))
        return rows

    @property
    def before(self) -> dict[str, Any] | None:
        """The cluster as it was in the run before."""
        return self.past[1][1] if len(self.past) > 1 else None

    @property
    def place(self) -> Text:
        """Where it is, and with that its name."""
        name, country = name_text(self.row), country_text(self.row["country"])
        return Text(f"{name.zh} · {country.zh}", f"{name.en}, {country.en}")

    @property
    def size(self) -> str | None:
        """The column that sizes its firms, where the reader may see it."""
        return self.run.size if self.full or self.run.size not in RESERVED_SIZES else None

    @cached_property
    def sentence(self) -> Text:
        """What it is: place, what it makes, how many, how far beyond expectation, how sure, since when."""
        row, noun, whole = self.row, self.subject.noun, self.whole
        name, radius, count = name_text(row), f"{row['radius_km']:,.0f}", self.run.clusters.height
        since = self.past[-1][0].as_of
        makes = class_name_text(row["digital_code"])
        zh = [f"{name.zh}周边 {radius} 千米内有 {row['firms']:,} 家{noun.zh}"]
        en = f"{name.en} holds {row['firms']:,} {noun.en} within {radius} km of its centre"
        if row["ratio"] is not None:
            ratio = ratio_number(row["ratio"])
            zh.append(f"是{'当地人口' if whole.by_population else '当地企业总量'}所能解释的 {ratio} 倍")
            en += f", {ratio} times what {'its population' if whole.by_population else 'its firms of all kinds'} would explain"
        if row["digital_code"]:
            zh.append(f"多属{makes.zh}")
            en += f"; most are in {makes.en}"
        sure = _sure(row)
        order = Text(
            f"按证据强弱在 {count} 个集群中排第 {row['rank']}",
            f"It is number {row['rank']} of {count} by strength of evidence",
        )
        if len(self.history) > 1:
            told = Text(f"自截至 {since} 的登记库起可见", f"and seen since the register of {since}")
        else:
            told = Text(f"登记库截至 {since}", f"in the register of {since}")
        return Text(f"{'，'.join(zh)}。{sure.zh}{order.zh}，{told.zh}。", f"{en}. {sure.en}{order.en}, {told.en}.")

    def key_figures(self) -> KeyFigures:
        """Five numbers, each with what varies, or the change since the run before."""
        row, before = self.row, self.before
        total = self.run.values["firms"]
        figures = [
            KeyFigure(spoken(row["firms"]), Text("企业", "firms"), self._firms_note()),
            KeyFigure(ratio_text(row["ratio"]), Text("相对期望", "to expectation"), self._ratio_note()),
            KeyFigure(
                percent(row["firms"] / max(total, 1)),
                Text("占参与搜索的企业", "of all firms searched"),
                Text(f"共 {total:,} 家", f"of {total:,}"),
            ),
            KeyFigure(
                percent(row["persistence"]) if row["persistence"] is not None else Text("—", "—"),
                Text("稳定性", "persistence"),
                Text("换用其他半径与水平时仍在的比例", "of searches with other radii and levels that find it")
                if row["persistence"] is not None
                else Text("这次没有计算", "not computed in this run"),
            ),
            KeyFigure(
                Text(*(probability(row["p_adjusted"]),) * 2) if row["p_adjusted"] is not None else Text("—", "—"),
                Text("校正 p 值", "adjusted p"),
                Text("全图任一处偶然出现这样密集的机会", "chance of so dense a place anywhere by accident")
                if row["p_adjusted"] is not None
                else Text("没有做检验", "not tested"),
            ),
        ]
        if before is not None and before["rank"] != row["rank"]:
            figures[4] = KeyFigure(
                figures[4].value,
                figures[4].name,
                Text(f"名次 {before['rank']} → {row['rank']}", f"rank {before['rank']} → {row['rank']}"),
            )
        if self.linked:
            topics = ("firms", "ratio", "firms", "persistence", "p_adjusted")
            figures = [replace(f, anchor=f"method/{topic}") for f, topic in zip(figures, topics, strict=True)]
        return KeyFigures(tuple(figures))

    def _firms_note(self) -> Text:
        row, before = self.row, self.before
        low, high = row["firms_unshared"], row["firms"] + row["coarse_firms"]
        parts = []
        if before is not None:
            step, since = row["firms"] - before["firms"], self.past[1][0].as_of
            parts.append(Text(f"较 {since} {_signed(step)}", f"{_signed(step)} since {since}"))
        else:
            parts.append(Text("首次识别，无从比较", "first seen in this run"))
        if low != high:
            parts.append(Text(f"因定位而异：{low:,}–{high:,}", f"{low:,}–{high:,} by how firms are placed"))
        return Text("；".join(p.zh for p in parts), "; ".join(p.en for p in parts))

    def _ratio_note(self) -> Text:
        row, before = self.row, self.before
        if row["ratio"] is None:
            return Text("没有背景可比", "no background to compare")
        note = Text(f"期望 {row['expected']:,.1f} 家", f"{row['expected']:,.1f} expected")
        if before is not None and before["ratio"] is not None:
            was = ratio_number(before["ratio"])
            return Text(
                f"{note.zh}；{self.past[1][0].as_of} 为 ×{was}", f"{note.en}; ×{was} in {self.past[1][0].as_of}"
            )
        return note

    def where(self) -> Figure:
        """The members on a map, and their places as a table."""
        places = places_of(self.members)
        towns = towns_of(places)
        shown = towns if towns.height else places.with_columns(place_name=pl.lit(None), place_name_zh=pl.lit(None))
        columns = (
            Column("place", Text("地点", "Place")),
            Column("firms", Text("企业数", "Firms"), "integer"),
            Column("share", Text("占比", "Share"), "share", 0),
        )
        total = max(self.members.height, 1)
        rows: list[tuple[Cell, ...]] = [
            (place_text(town), town["n"], town["n"] / total) for town in shown.head(PLACES).to_dicts()
        ]
        count = shown.height
        note = (
            Text(f"共 {count:,} 个地点，列出企业最多的 {PLACES} 个", f"{count:,} places, of which the first {PLACES}")
            if count > PLACES
            else None
        )
        title = Text("成员所在地点", "Places of the members")
        table = Table(
            f"{self.row['cluster_id']}-places", title, columns, rows, self.subject.register, self.run.as_of, note=note
        )
        return members_map(self.row, places, towns, table)

    def makes(self) -> tuple[Block, ...]:
        """Classes of the members, and how much they weigh here against all clusters."""
        classes = self.run.classes().filter(pl.col("cluster_id") == self.row["cluster_id"])
        id_, unknown = f"{self.row['cluster_id']}-makes", self.members["digital_code"].null_count()
        if classes.is_empty():
            text = Text(
                "登记库没有给出行业代码，因此不知道成员各做什么。装载带有行业代码或经营范围的名录后，这里会列出类别和专业化程度。",
                "The register gives no industry codes, so what each member makes is not known. Once a list with industry codes is "
                "loaded, classes and specialisation stand here.",
            )
            return (Section(id_, Text("做什么：未知", "What it makes: not known"), (Paragraph(text),)),)
        total = self.members.height
        rows: list[tuple[Cell, ...]] = [
            (
                row["digital_code"],
                class_name_text(row["digital_code"]),
                int(row["n"]),
                row["n"] / total,
                row["lq"],
                row["lq_shrunk"],
            )
            for row in classes.to_dicts()
        ]
        columns = (
            Column("digital_code", Text("代码", "Code"), "code"),
            Column("class", Text("类别", "Class")),
            Column("firms", Text("企业数", "Firms"), "integer"),
            Column("share", Text("占成员", "Share"), "share", 0),
            Column("lq", Text("区位熵", "Location quotient"), "number", 2),
            Column("lq_shrunk", Text("收缩后", "Shrunken"), "number", 2),
        )
        note = Text(
            f"{unknown:,} 家类别未知。区位熵：类别在此处的份额与在全部集群中的份额之比；没有给出收录与分类的误差，因此没有区间。",
            f"The class of {unknown:,} is not known. Location quotient: share of the class here against its share in all clusters; "
            "no errors of coverage and classification are given, so there is no interval.",
        )
        table = Table(
            f"{id_}-table",
            Text("成员的类别", "Classes of the members"),
            columns,
            rows,
            self.subject.register,
            self.run.as_of,
            note=note,
        )
        first = classes.row(0, named=True)
        top, share = class_name_text(first["digital_code"]), percent(first["n"] / total)
        title = Text(f"{share.zh} 的成员属于{top.zh}", f"{share.en} of the members are in {top.en}")
        large = classes.filter(pl.col("n") >= FEW_FIRMS).head(CLASSES)
        if large.height < 2:
            return (Section(id_, title, (table,)),)
        bars = tuple(
            Bar(class_name_text(code), lq) for code, lq in large.select("digital_code", "lq_shrunk").iter_rows()
        )
        strongest = large.sort("lq_shrunk", descending=True).item(0, "digital_code")
        most = class_name_text(strongest)
        figure = Figure(
            f"{id_}-bars",
            Text(f"相对其他集群，{most.zh}最突出", f"Against other clusters, {most.en} stands out most"),
            Text(
                f"收缩后的区位熵；至少 {FEW_FIRMS} 家企业的类别；1 为全部集群的水平",
                f"Shrunken location quotient; classes of at least {FEW_FIRMS} firms; 1 is the level of all clusters",
            ),
            Bars(bars, Text("倍", "×"), reference=1.0, reference_name=Text("全部集群", "all clusters")),
            table,
        )
        return (Section(id_, title, (figure,)),)

    def leads(self) -> Section:
        """The largest members."""
        row = self.row
        largest = self.run.largest(row["cluster_id"])
        table = largest_table(row, largest, self.subject, self.size, self.run.as_of, linked=self.linked)
        share, size = self._top_share(largest), self.subject.size or Text("规模", "size")
        if share is None:
            title = Text("成员举例", "Some of its members")
        else:
            title = Text(
                f"最大的 {largest.height} 家占成员{size.zh}的 {percent(share).zh}",
                f"The {largest.height} largest hold {percent(share).en} of its members' {size.en.lower()}",
            )
        return Section(f"{row['cluster_id']}-leads", title, (table,))

    def _top_share(self, largest: pl.DataFrame) -> float | None:
        if self.size is None or self.size not in self.members.columns:
            return None
        held, total = (float(frame[self.size].sum()) for frame in (largest, self.members))
        return held / total if total else None

    def joined(self) -> Section:
        """How its members are linked with each other and beyond, as far as links are loaded."""
        id_ = f"{self.row['cluster_id']}-links"
        if self.links is None:
            text = Text(
                "还没有装载企业之间的关联。导入供应、投资、联合发明等关联(起点、终点、类型三列)后，这里会显示成员之间有多少往来，有多少通向集群之外。",
                "No links between firms are loaded yet. Import supply, investment or co-invention links (source, target, kind), and this "
                "shows how many join its members and how many lead out.",
            )
            return Section(
                id_, Text("成员之间的关联：未知", "How its members are linked: not known"), (Paragraph(text),)
            )
        found = links_of(self.links, self.members)
        inside, outside = int(found["inside"].sum()), int(found["outside"].sum())
        if found.is_empty():
            text = Text(
                f"已装载的 {self.links.rows:,} 条关联都不涉及它的成员。",
                f"None of the {self.links.rows:,} links that are loaded touches its members.",
            )
            return Section(
                id_, Text("成员之间没有已知的关联", "No known links between its members"), (Paragraph(text),)
            )
        columns = (
            Column("kind", Text("类型", "Kind"), "code"),
            Column("inside", Text("成员之间", "Between members"), "integer"),
            Column("outside", Text("通向集群之外", "Leading out"), "integer"),
        )
        table = Table(
            f"{id_}-table",
            Text("成员的关联", "Links of its members"),
            columns,
            list(found.select("kind", "inside", "outside").iter_rows()),
            Text(self.links.source, self.links.source),
            self.links.as_of.isoformat(),
        )
        title = Text(
            f"成员之间有 {inside:,} 条关联，{outside:,} 条通向外部",
            f"{plural(inside, 'link')} between its members, {outside:,} leading out",
        )
        return Section(id_, title, (table,))

    def changes(self) -> Section:
        """How it changed from run to run."""
        id_ = f"{self.row['cluster_id']}-history"
        columns = (
            Column("as_of", Text("登记库截至", "Register as of")),
            Column("firms", Text("企业数", "Firms"), "integer"),
            Column("expected", Text("期望数", "Expected"), "number", 1),
            Column("ratio", Text("倍数", "× expected"), "ratio"),
            Column("rank", Text("名次", "Rank"), "integer"),
            Column("event", Text("变化", "Change")),
            Column("run", Text("结果", "Run"), "code"),
        )
        rows: list[tuple[Cell, ...]] = [
            (run.as_of, row["firms"], row["expected"], row["ratio"], row["rank"], EVENTS[row["event"]], run.id[:12])
            for run, row in self.past
        ]
        table = Table(
            f"{id_}-table", Text("历次识别", "Run by run"), columns, rows, self.subject.register, self.run.as_of
        )
        if len(self.past) < 2:
            title = Text("还只有一次识别，看不出变化", "One run so far: no change can be seen yet")
            text = Text(
                "装载较新的登记库并再次识别之后，这里会显示增减、分立与合并。",
                "Once a later register is loaded and searched, growth, splits and mergers stand here.",
            )
            return Section(id_, title, (Paragraph(text), table))
        first, last = self.past[-1], self.past[0]
        step = last[1]["firms"] - first[1]["firms"]
        since, much = first[0].as_of, f"{abs(step):,}"
        words = ("减少", "fewer") if step < 0 else ("增加", "more")
        title = (
            Text(f"自 {since} 以来{words[0]} {much} 家", f"{much} firms {words[1]} since {since}")
            if step
            else Text(f"自 {since} 以来没有增减", f"As many firms as in {since}")
        )
        bars = tuple(Bar(Text(run.as_of, run.as_of), float(row["firms"])) for run, row in self.past)
        figure = Figure(
            f"{id_}-bars",
            Text("各次识别的企业数", "Firms in each run"),
            Text("企业数；新的在上", "Firms; latest first"),
            Bars(bars, Text("家", "firms"), kind="integer", digits=0),
            table,
        )
        return Section(id_, title, (figure,))


def _sure(row: dict[str, Any]) -> Text:
    """How sure, in a sentence; nothing where it was not tested."""
    p, persistence = row["p_adjusted"], row["persistence"]
    zh, en = [], []
    if p is not None:
        chance = probability(p) if p >= LEAST_P else f"< {LEAST_P}"
        zh.append(f"如此密集纯属偶然的概率为 {chance}")
        en.append(f"the chance of so dense a place by accident is {chance}")
    if persistence is not None:
        share = percent(persistence)
        zh.append(f"换用其他参数搜索，{share.zh} 的次数仍能找到它")
        en.append(f"{share.en} of searches with other settings find it too")
    if not zh:
        return Text("", "")
    told = " and ".join(en)
    return Text(f"{'；'.join(zh)}。", f"{told[0].upper()}{told[1:]}. ")


def _signed(step: int) -> str:
    return "±0" if step == 0 else f"{'+' if step > 0 else '−'}{abs(step):,}"
