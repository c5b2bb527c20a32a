"""What a search says, in words, maps and tables, in both languages 图谱报告. `jiqun.report` gives it a look."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from jiqun.atlas.documents.words import (
    SCALE,
    class_text,
    largest_table,
    members_map,
    placed_by_text,
    places_of,
    plural,
    shade,
    times,
    towns_of,
)
from jiqun.atlas.listing import EVENTS, country_text, ratio_text
from jiqun.atlas.reading import RESERVED_SIZES, published
from jiqun.atlas.regions import BAND_KM
from jiqun.atlas.subject import Subject
from jiqun.core.document import (
    Bar,
    Bars,
    Block,
    Bubble,
    Column,
    Document,
    Figure,
    KeyFigure,
    KeyFigures,
    Map,
    Paragraph,
    Section,
    Table,
    Text,
)
from jiqun.intake.counted import left_out
from jiqun.report.formats import probability, spoken
from jiqun.store import StoredResult

FEW_COUNTRIES = 6
MAP_CLUSTERS = 200
"""Most circles on the map of a page; a file has them all."""


def atlas_document(
    result: StoredResult,
    subject: Subject,
    extra: Sequence[Block] = (),
    *,
    full: bool = True,
    each: bool = True,
    hidden: Collection[str] = (),
) -> Document:
    """The report of a search: headline, map, ranked table, a section per cluster, regions, method.

    `full`: whether the reader may see sizes of firms that are not for everybody (`jiqun.atlas.reading.sees_all`).
    `each`: whether a section for every cluster follows. `hidden`: organisations that are not shown by name.
    """
    clusters = result.table("clusters")
    told = Told(result, subject, clusters, full=full, each=each)
    blocks: list[Block] = [Paragraph(told.headline(), "lead"), told.key_figures()]
    if clusters.height:
        blocks.append(told.world())
        blocks.append(told.ranked())
    blocks += [Paragraph(text, "caution") for text in told.cautions()]
    if "regions" in result.tables and result.table("regions")["firms"].sum():
        blocks.append(told.regions())
    blocks.append(told.method())
    if clusters.height and each:
        members, largest = result.table("members"), published(result.table("largest"), hidden)
        own = members.partition_by("cluster_id", as_dict=True)
        first = largest.partition_by("cluster_id", as_dict=True)
        pages = tuple(
            told.cluster(row, own[row["cluster_id"],], first.get((row["cluster_id"],), largest.clear()), rank)
            for rank, row in enumerate(clusters.to_dicts(), 1)
        )
        blocks.append(Section("clusters", Text("逐个集群", "Cluster by cluster"), pages))
    blocks += extra
    return Document(
        title=Text(f"{subject.noun.zh}集群图谱", f"Atlas of {subject.noun.en}"),
        subtitle=Text(f"{subject.register.zh} · 截至 {told.as_of}", f"{subject.register.en} · as of {told.as_of}"),
        blocks=tuple(blocks),
        lineage=result.lineage,
        attributions=subject.attributions,
    )


@dataclass(frozen=True)
class Told:
    """One result, put into words."""

    result: StoredResult
    subject: Subject
    clusters: pl.DataFrame
    full: bool = True
    each: bool = True

    @property
    def values(self) -> dict[str, Any]:
        """The result's numbers."""
        return dict(self.result.values)

    @property
    def parameters(self) -> dict[str, Any]:
        """What the search was run with."""
        return dict(self.values["parameters"])

    @property
    def as_of(self) -> str:
        """Date of the register."""
        return self.result.lineage.inputs[0].as_of

    @property
    def source(self) -> Text:
        """Where the rows come from."""
        return self.subject.register

    @property
    def by_population(self) -> bool:
        """Whether firms were compared with population."""
        return bool(self.values["against"] == "population")

    @property
    def tested(self) -> bool:
        """Whether places had to pass the local test."""
        return bool(self.parameters["min_weight"] == "local")

    def headline(self) -> Text:
        """The finding in two sentences: how many clusters, and which leads."""
        finding, leader = self.finding(), self.leader()
        return Text(f"{finding.zh}{leader.zh}", f"{finding.en} {leader.en}".rstrip())

    def finding(self) -> Text:
        """How many places hold more than is explained."""
        zh, en, count = self.subject.noun.zh, self.subject.noun.en, self.clusters.height
        places = "1 place holds" if count == 1 else f"{count or 'No'} {'place holds' if not count else 'places hold'}"
        if self.tested:
            ground = (
                ("当地人口", "their population explains")
                if self.by_population
                else ("当地企业总量", "the firms of all kinds there explain")
            )
            many = Text(f"{zh}多于{ground[0]}所能解释的数量", f"more {en} than {ground[1]}")
        else:
            p = self.parameters
            many = Text(
                f"{p['eps_km']:g} 千米内有至少 {p['min_weight']:g} 家{zh}",
                f"at least {p['min_weight']:g} {en} within {p['eps_km']:g} km",
            )
        what = f"{count} 个地方" if count else "没有一个地方"
        return Text(f"{what}{'的' if self.tested else ''}{many.zh}。", f"{places} {many.en}.")

    def leader(self) -> Text:
        """Which cluster leads, and by how much; nothing where there is none."""
        if self.clusters.is_empty():
            return Text("", "")
        first = self.clusters.row(0, named=True)
        return Text(
            f"{first['name_zh']}居首：{first['firms']:,} 家，{times(first).zh}。",
            f"{first['name_en']} leads: {plural(first['firms'], 'firm')}, {times(first).en}.",
        )

    def key_figures(self) -> KeyFigures:
        """The search in numbers."""
        values = self.values
        inside = int(self.clusters["firms"].sum())
        share = inside / max(values["firms"], 1)
        rate = values["false_find_rate"]
        figures = [
            KeyFigure(Text(f"{self.clusters.height}", f"{self.clusters.height}"), Text("集群", "clusters")),
            KeyFigure(
                spoken(inside),
                Text("集群内企业", "firms in clusters"),
                Text(f"占参与搜索企业的 {share:.0%}", f"{share:.0%} of those searched".replace("%", " %")),
            ),
            KeyFigure(
                spoken(values["firms"]),
                Text("参与搜索的企业", "firms searched"),
                Text(
                    f"另有 {values['coarse']:,} 家位置过粗，{values['unplaced']:,} 家没有位置",
                    f"besides {values['coarse']:,} placed too coarsely and {values['unplaced']:,} not placed",
                ),
            ),
        ]
        if rate is not None:
            found = round(rate * values["draws"])
            figures.append(
                KeyFigure(
                    Text(f"{found} / {values['draws']}", f"{found} of {values['draws']}"),
                    Text("随机登记库中有所发现的次数", "random registers in which anything was found"),
                    Text(f"允许的比例：{self.parameters['alpha']:g}", f"allowed share: {self.parameters['alpha']:g}"),
                )
            )
        return KeyFigures(tuple(figures))

    def world(self, table: Table | None = None, *, linked: bool = False) -> Figure:
        """The clusters on a map. `table`: its twin, where it is not all of them; `linked` as for `cluster_document`."""
        most = MAP_CLUSTERS if linked else self.clusters.height
        bubbles = tuple(
            Bubble(
                lon=row["lon"],
                lat=row["lat"],
                area=float(row["firms"]),
                shade=shade(row["ratio"]),
                label=Text(row["name_zh"], row["name_en"]),
                detail=Text(
                    f"{row['firms']:,} 家，{times(row).zh}", f"{plural(row['firms'], 'firm')}, {times(row).en}"
                ),
                anchor=f"clusters/{row['cluster_id']}" if linked else row["cluster_id"] if self.each else "",
            )
            for row in self.clusters.head(most).to_dicts()
        )
        top = self.clusters.head(3)
        zh, en = "、".join(top["name_zh"]), ", ".join(top["name_en"])
        return Figure(
            id="map",
            title=Text(f"最突出的集群：{zh}", f"The clusters that stand out most: {en}"),
            subtitle=Text(
                f"圆的面积：企业数；深浅：相对期望的倍数。{f'只画前 {most} 个集群和' if len(bubbles) < self.clusters.height else '只画'}海岸线",
                "Area of a circle: firms; shade: ratio to expectation. "
                + (
                    f"First {most} clusters; coastlines only"
                    if len(bubbles) < self.clusters.height
                    else "Coastlines only"
                ),
            ),
            mark=Map(bubbles=bubbles, legend=SCALE),
            table=table or self._ranked_table("map-table"),
        )

    def ranked(self) -> Section:
        """The clusters in a table."""
        return Section(
            "ranking",
            Text("全部集群，按证据强弱排序", "All clusters, by strength of evidence"),
            (self._ranked_table("ranking-table"),),
        )

    def _ranked_table(self, table_id: str) -> Table:
        size = self.subject.size
        columns = (
            Column("rank", Text("序", "#"), "integer"),
            Column("cluster_id", Text("编号", "Id"), "code"),
            Column("name", Text("集群", "Cluster")),
            Column("country", Text("国家或地区", "Country or region")),
            Column("firms", Text("企业数", "Firms"), "integer"),
            *((Column("size", size, "integer"),) if size else ()),
            Column("expected", Text("期望数", "Expected"), "number", 1),
            Column("ratio", Text("倍数", "× expected"), "ratio"),
            Column("llr", Text("对数似然比", "Log-likelihood ratio"), "number", 0),
            Column("p_adjusted", Text("校正 p 值", "Adjusted p"), "probability"),
            Column("persistence", Text("稳定性", "Persistence"), "share", 0),
            Column("event", Text("变化", "Change")),
        )
        rows = [
            (
                rank,
                row["cluster_id"],
                Text(row["name_zh"], row["name_en"]),
                country_text(row["country"]),
                row["firms"],
                *((row["size"],) if size else ()),
                row["expected"],
                row["ratio"],
                row["llr"],
                row["p_adjusted"],
                row["persistence"],
                EVENTS[row["event"]],
            )
            for rank, row in enumerate(self.clusters.to_dicts(), 1)
        ]
        links = tuple(self.clusters["cluster_id"]) if self.each else ()
        title = Text("集群一览", "Clusters")
        return Table(table_id, title, columns, rows, self.source, self.as_of, links=links)

    def cautions(self) -> list[Text]:
        """What a reader must know before quoting a number."""
        waiting = left_out(self.values)
        texts = [waiting] if waiting else []
        if self.by_population and self.tested:
            texts.append(
                Text(
                    f"检验以人口为背景({self._coverage().zh})：说明的是“多于人口所能解释”，不是“多于当地产业结构所能解释”。",
                    f"Tested against population ({self._coverage().en}): this shows more than the people there explain, "
                    "not more than the local mix of industries explains.",
                )
            )
        texts.append(
            Text(
                "登记库是全数，没有抽样误差；会变的是收录范围、分类、定位与记录的新旧，本表未给出它们的区间。倍数描述的是搜索所选中的地方，比新样本会显示的略高。",
                "The register is a full count, so there is no sampling error; what varies is coverage, classification, placing and the age of records, for which no "
                "interval is given here. A ratio describes the place that the search chose and lies somewhat above what a fresh sample would show.",
            )
        )
        shared = self.values["shared_address"]
        if shared:
            texts.append(
                Text(
                    f"{shared:,} 家企业的地址或坐标为许多企业共用(集群注册，或定位的缺省点)；各集群去掉它们之后的企业数见逐个集群。",
                    f"{shared:,} firms give an address or exact point shared by very many (mass registration, or a geocoder's default); "
                    "each cluster below shows its count without them.",
                )
            )
        return texts

    def _coverage(self) -> Text:
        coverage = dict(self.values["coverage"] or {"of": "world"})
        countries = [country_text(code) for code in coverage.get("countries", ())]
        names = Text("、".join(c.zh for c in countries), ", ".join(c.en for c in countries))
        if coverage["of"] == "world":
            return Text("全世界", "the whole world")
        if coverage["of"] == "regions":
            count = len(coverage["regions"])
            return Text(
                f"{names.zh}有企业在册的 {count} 个省州",
                f"the {plural(count, 'region')} of {names.en} in which the register has firms",
            )
        if len(countries) > FEW_COUNTRIES:
            return Text(
                f"有企业在册的 {len(countries)} 个国家和地区",
                f"the {len(countries)} countries and regions in which the register has firms",
            )
        return names

    def cluster(self, row: dict[str, Any], members: pl.DataFrame, largest: pl.DataFrame, rank: int) -> Section:
        """One cluster, in brief."""
        zh, en = self.subject.noun.zh, self.subject.noun.en
        country = country_text(row["country"])
        place = Text(f"{country.zh} {row['name_zh']}", f"{row['name_en']}, {country.en}")
        leading = class_text(row)
        sentence = Text(
            f"{place.zh}：{row['firms']:,} 家{zh}，{times(row).zh}；按证据强弱排第 {rank}。{leading.zh}"
            f"{row['core_firms']:,} 家位于核心地点；距中心 {row['radius_km']:,.0f} 千米以内共 {row['locations']} 个位置。"
            + (f"另有 {row['coarse_firms']:,} 家的粗略位置落在其中，未参与搜索。" if row["coarse_firms"] else ""),
            f"{place.en}: {row['firms']:,} {en}, {times(row).en}; number {rank} by strength of evidence. {leading.en}"
            f"{row['core_firms']:,} stand at core places; radius {row['radius_km']:,.0f} km, {row['locations']} locations."
            + (
                f" {row['coarse_firms']:,} more, placed too coarsely to be searched, may belong here."
                if row["coarse_firms"]
                else ""
            ),
        )
        figures = [
            KeyFigure(spoken(row["firms"]), Text("企业", "firms")),
            KeyFigure(ratio_text(row["ratio"]), Text("相对期望", "to expectation")),
        ]
        if self.subject.size and row["size"] is not None:
            figures.append(KeyFigure(spoken(row["size"]), self.subject.size))
        if row["persistence"] is not None:
            figures.append(
                KeyFigure(
                    Text(f"{row['persistence']:.0%}", f"{row['persistence']:.0%}".replace("%", " %")),
                    Text("稳定性", "persistence"),
                    Text("换用其他半径与水平时仍在的比例", "of searches with other radii and levels"),
                )
            )
        if row["firms_unshared"] != row["firms"]:
            figures.append(
                KeyFigure(spoken(row["firms_unshared"]), Text("去掉共用地址之后", "without shared addresses"))
            )
        blocks: list[Block] = [Paragraph(sentence), KeyFigures(tuple(figures))]
        if row["p_adjusted"] is not None:
            p = probability(row["p_adjusted"])
            blocks.append(
                Paragraph(
                    Text(
                        f"最强核心地点的族系误差校正 p 值：{p}。期望 {row['expected']:,.1f} 家。变化：{EVENTS[row['event']].zh}。",
                        f"Family-wise adjusted p of its strongest core place: {p}. Expected: {row['expected']:,.1f} firms. Change: {EVENTS[row['event']].en}.",
                    )
                )
            )
        places = places_of(members)
        blocks.append(members_map(row, places, towns_of(places), self._largest(row, largest)))
        return Section(row["cluster_id"], Text(f"{rank}. {place.zh}", f"{rank}. {place.en}"), tuple(blocks))

    def _largest(self, row: dict[str, Any], largest: pl.DataFrame) -> Table:
        size = self.parameters["size"]
        shown = size if self.full or size not in RESERVED_SIZES else None
        return largest_table(row, largest, self.subject, shown, self.as_of)

    def regions(self) -> Section:
        """The count by region."""
        regions = self.result.table("regions").filter(pl.col("firms") > 0)
        columns = (
            Column("region", Text("区域", "Region")),
            Column("firms", Text("企业数", "Firms"), "integer"),
            Column("coarse", Text("其中粗定位", "Placed coarsely"), "integer"),
            Column("expected", Text("期望数", "Expected"), "number", 1),
            Column("lq", Text("区位熵", "Location quotient"), "number", 2),
            Column("lq_shrunk", Text("收缩后", "Shrunken"), "number", 2),
            Column("g_star", Text("G*", "G*"), "number", 1),
            Column("g_star_q", Text("G* 的 q 值", "q of G*"), "probability"),
        )
        keys = [c.key for c in columns[1:]]
        named = [Text(zh, en) for zh, en in regions.select("name_zh", "name_en").iter_rows()]
        rows = [(name, *(row[k] for k in keys)) for name, row in zip(named, regions.to_dicts(), strict=True)]
        band = BAND_KM[regions.item(0, "level")]
        table = Table(
            "regions-table",
            Text("各区域", "Regions"),
            columns,
            rows,
            self.source,
            self.as_of,
            note=Text(
                f"收缩：Marshall 全局经验贝叶斯；G*：中心相距 {band:,.0f} 千米以内为邻；q：Benjamini–Hochberg",
                f"Shrunken: Marshall's global empirical Bayes; G*: neighbours have centres within {band:,.0f} km; q: Benjamini–Hochberg",
            ),
        )
        shown = regions.drop_nulls("lq_shrunk").sort("lq_shrunk", descending=True).head(15)
        top = Text(shown.item(0, "name_zh"), shown.item(0, "name_en")) if shown.height else Text("", "")
        bars = tuple(Bar(Text(zh, en), v) for zh, en, v in shown.select("name_zh", "name_en", "lq_shrunk").iter_rows())
        figure = Figure(
            id="regions-bars",
            title=Text(f"相对人口，{top.zh}的企业最密", f"Relative to population, {top.en} has most firms"),
            subtitle=Text(
                "收缩后的区位熵；1 为总体水平；前 15 名", "Shrunken location quotient; 1 is the overall level; first 15"
            ),
            mark=Bars(bars, Text("倍", "×"), reference=1.0),
            table=table,
        )
        text = Text(
            "区域口径也计入位置只到省、州或国家的企业，因此不依赖城市定位。",
            "The count by region also holds the firms whose place is known no better than a province, state or country.",
        )
        if elsewhere := regions.item(0, "elsewhere") if "elsewhere" in regions.columns else 0:
            text = Text(
                f"{text.zh}另有 {elsewhere:,} 家在其他国家，没有计入。",
                f"{text.en} {elsewhere:,} more are in other countries and are not counted.",
            )
        return Section("regions", Text("按区域", "By region"), (Paragraph(text), figure))

    def method(self) -> Section:
        """How the search decided, in words, with its parameters."""
        p, values = self.parameters, self.values
        level = "—" if values["level"] is None else f"{values['level']:.2e}"
        test = (
            Text(
                f"一个地点为核心，当且仅当 {p['eps_km']:g} 千米内的企业数不少于 {p['floor']} 家，且在企业按背景随机分布时，"
                f"出现这么多或更多企业的概率(二项分布)不超过 {level}。该水平由 α = {p['alpha']:g} "
                + (
                    f"除以 {values['candidates']:,} 个候选地点得到。"
                    if p["calibrate"] == "locations"
                    else "和随机登记库标定得到。"
                ),
                f"A place is core when at least {p['floor']} firms stand within {p['eps_km']:g} km, and when so many or more would stand there with a probability of at "
                f"most {level} (binomial) if firms fell on the background at random. That level is alpha = {p['alpha']:g} "
                + (
                    f"divided by {values['candidates']:,} candidate places."
                    if p["calibrate"] == "locations"
                    else "as calibrated on random registers."
                ),
            )
            if self.tested
            else Text(
                f"一个地点为核心，当且仅当 {p['eps_km']:g} 千米内的企业数不少于 {p['min_weight']:g}。没有做显著性检验。",
                f"A place is core when at least {p['min_weight']:g} firms stand within {p['eps_km']:g} km. No test of significance.",
            )
        )
        linked = Text(
            "集群是相互可达的核心地点连同其边缘企业；排序按对数似然比。企业计入离它最近的背景地点。",
            "Clusters are the connected core places with their border firms, ranked by log-likelihood ratio. A firm counts at the "
            "background place nearest to it.",
        )
        blocks: list[Block] = [Paragraph(test), Paragraph(linked)]
        if values["draws"]:
            rate = values["false_find_rate"]
            blocks.append(
                Paragraph(
                    Text(
                        f"检查：把同样多的企业按背景随机重放 {values['draws']} 次并重做整个搜索，{rate:.1%} 的次数有所发现。",
                        f"Check: the same number of firms thrown on the background at random {values['draws']} times, the whole search rerun: "
                        f"{rate:.1%} of the draws find anything.".replace("%", " %"),
                    )
                )
            )
        precision = values["precision"]
        if precision:
            columns = (
                Column("placed_by", Text("定位依据", "Placed by")),
                Column("street", Text("1 千米以内", "Within 1 km"), "integer"),
                Column("city", Text("1 至 10 千米", "1 to 10 km"), "integer"),
                Column("coarse", Text("更粗", "More coarsely"), "integer"),
                Column("rows", Text("合计", "All"), "integer"),
            )
            rows = [(placed_by_text(r["placed_by"]), *(r[column.key] for column in columns[1:])) for r in precision]
            blocks.append(
                Table(
                    "precision",
                    Text("位置的精度", "How precisely firms are placed"),
                    columns,
                    rows,
                    self.source,
                    self.as_of,
                )
            )
        return Section("method", Text("方法", "Method"), tuple(blocks))
