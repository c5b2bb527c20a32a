"""What a search says, in words, maps and tables, in both languages 图谱报告. `jiqun.report` gives it a look."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl
import shapely
from shapely.geometry.base import BaseGeometry

from jiqun.atlas.listing import EVENTS, country_text, ratio_text
from jiqun.atlas.outline import rings
from jiqun.atlas.regions import BAND_KM
from jiqun.core.document import (
    Bar,
    Bars,
    Block,
    Bubble,
    Cell,
    Column,
    Document,
    Figure,
    KeyFigure,
    KeyFigures,
    Legend,
    Map,
    Paragraph,
    Section,
    Shape,
    Table,
    Text,
)
from jiqun.report.formats import probability, ratio_number, spoken
from jiqun.store import StoredResult
from jiqun.taxonomy import name as class_name

FIRMS = Text("企业", "firms")
MAP_POINTS = 1000
RATIO_SHADE = 50.0
MAP_REACH_KM = 15.0
KM_PER_DEGREE = 111.2
FEW_COUNTRIES = 6
SCALE = Legend(
    area=Text("企业数", "firms"),
    shade=Text("相对期望的倍数", "ratio to expectation"),
    ticks=(
        *((math.log(r, RATIO_SHADE), Text(f"×{r}", f"×{r}")) for r in (1, 3, 12)),
        (1.0, Text("×50 以上", "×50 and more")),
    ),
)


@dataclass(frozen=True)
class Subject:
    """What was searched: a noun for the firms, the register's name, its size column if any, whom to thank."""

    noun: Text
    register: Text
    size: Text | None = None
    attributions: tuple[Text, ...] = ()


def atlas_document(result: StoredResult, subject: Subject, extra: Sequence[Block] = ()) -> Document:
    """The report of a search: headline, map, ranked table, a section per cluster, regions, method."""
    clusters = result.table("clusters")
    told = _Told(result, subject, clusters)
    blocks: list[Block] = [Paragraph(told.headline(), "lead"), told.key_figures()]
    if clusters.height:
        blocks.append(told.world())
        blocks.append(told.ranked())
    blocks += [Paragraph(text, "caution") for text in told.cautions()]
    if "regions" in result.tables and result.table("regions")["firms"].sum():
        blocks.append(told.regions())
    blocks.append(told.method())
    members, largest = result.table("members"), result.table("largest")
    if clusters.height:
        own = members.partition_by("cluster_id", as_dict=True)
        first = largest.partition_by("cluster_id", as_dict=True)
        pages = tuple(
            told.cluster(row, own[row["cluster_id"],], first[row["cluster_id"],], rank)
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
class _Told:
    """One result, put into words."""

    result: StoredResult
    subject: Subject
    clusters: pl.DataFrame

    @property
    def values(self) -> dict[str, Any]:
        return dict(self.result.values)

    @property
    def parameters(self) -> dict[str, Any]:
        return dict(self.values["parameters"])

    @property
    def as_of(self) -> str:
        return self.result.lineage.inputs[0].as_of

    @property
    def source(self) -> Text:
        return self.subject.register

    @property
    def by_population(self) -> bool:
        return bool(self.values["against"] == "population")

    @property
    def tested(self) -> bool:
        return bool(self.parameters["min_weight"] == "local")

    def headline(self) -> Text:
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
        if not count:
            return Text(
                f"没有一个地方的{many.zh}。" if self.tested else f"没有一个地方{many.zh}。", f"{places} {many.en}."
            )
        first = self.clusters.row(0, named=True)
        return Text(
            f"{count} 个地方{'的' if self.tested else ''}{many.zh}。{first['name_zh']}居首：{first['firms']:,} 家，{_times(first).zh}。",
            f"{places} {many.en}. {first['name_en']} leads: {_plural(first['firms'], 'firm')}, {_times(first).en}.",
        )

    def key_figures(self) -> KeyFigures:
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

    def world(self) -> Figure:
        bubbles = tuple(
            Bubble(
                lon=row["lon"],
                lat=row["lat"],
                area=float(row["firms"]),
                shade=_shade(row["ratio"]),
                label=Text(row["name_zh"], row["name_en"]),
                detail=Text(
                    f"{row['firms']:,} 家，{_times(row).zh}", f"{_plural(row['firms'], 'firm')}, {_times(row).en}"
                ),
                anchor=row["cluster_id"],
            )
            for row in self.clusters.to_dicts()
        )
        top = self.clusters.head(3)
        zh, en = "、".join(top["name_zh"]), ", ".join(top["name_en"])
        return Figure(
            id="map",
            title=Text(f"最突出的集群：{zh}", f"The clusters that stand out most: {en}"),
            subtitle=Text(
                "圆的面积：企业数；深浅：相对期望的倍数。只画海岸线",
                "Area of a circle: firms; shade: ratio to expectation. Coastlines only",
            ),
            mark=Map(bubbles=bubbles, legend=SCALE),
            table=self._ranked_table("map-table"),
        )

    def ranked(self) -> Section:
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
        links = tuple(self.clusters["cluster_id"])
        title = Text("集群一览", "Clusters")
        return Table(table_id, title, columns, rows, self.source, self.as_of, links=links)

    def cautions(self) -> list[Text]:
        texts = []
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
                f"the {_plural(count, 'region')} of {names.en} in which the register has firms",
            )
        if len(countries) > FEW_COUNTRIES:
            return Text(
                f"有企业在册的 {len(countries)} 个国家和地区",
                f"the {len(countries)} countries and regions in which the register has firms",
            )
        return names

    def cluster(self, row: dict[str, Any], members: pl.DataFrame, largest: pl.DataFrame, rank: int) -> Section:
        zh, en = self.subject.noun.zh, self.subject.noun.en
        country = country_text(row["country"])
        place = Text(f"{country.zh} {row['name_zh']}", f"{row['name_en']}, {country.en}")
        leading = _class_text(row)
        sentence = Text(
            f"{place.zh}：{row['firms']:,} 家{zh}，{_times(row).zh}；按证据强弱排第 {rank}。{leading.zh}"
            f"{row['core_firms']:,} 家位于核心地点；距中心 {row['radius_km']:,.0f} 千米以内共 {row['locations']} 个位置。"
            + (f"另有 {row['coarse_firms']:,} 家的粗略位置落在其中，未参与搜索。" if row["coarse_firms"] else ""),
            f"{place.en}: {row['firms']:,} {en}, {_times(row).en}; number {rank} by strength of evidence. {leading.en}"
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
        blocks.append(self._local_map(row, members, largest))
        return Section(row["cluster_id"], Text(f"{rank}. {place.zh}", f"{rank}. {place.en}"), tuple(blocks))

    def _local_map(self, row: dict[str, Any], members: pl.DataFrame, largest: pl.DataFrame) -> Figure:
        places = [c for c in ("place_name", "place_name_zh") if c in members.columns]
        at = (
            members.group_by("lon", "lat")
            .agg(pl.len().alias("n"), *(pl.col(c).drop_nulls().first() for c in places))
            .sort("n", "lon", "lat", descending=[True, False, False])
            .head(MAP_POINTS)
        )
        bubbles = tuple(
            Bubble(
                lon=point["lon"],
                lat=point["lat"],
                area=float(point["n"]),
                shade=0.5,
                label=_place_text(point),
                detail=Text(f"{point['n']:,} 家", _plural(point["n"], "firm")),
            )
            for point in at.to_dicts()
        )
        hull = shapely.from_wkt(row["hull_wkt"])
        outline = rings(hull)
        shapes = (Shape(outline, Text("", "")),) if outline else ()
        towns = at.drop_nulls("place_name") if places else at.clear()
        by_town = (
            towns.group_by(places, maintain_order=True)
            .agg(pl.col("n").sum())
            .sort("n", descending=True, maintain_order=True)
        )
        top = (by_town if by_town.height else at).row(0, named=True)
        busiest, share = _place_text(top), top["n"] / members.height
        return Figure(
            id=f"{row['cluster_id']}-map",
            title=Text(
                f"{share:.0%} 的成员位于{busiest.zh or '同一处'}",
                f"{share:.0%} of the members are at {busiest.en or 'one place'}".replace("%", " %"),
            ),
            subtitle=Text(
                "圆的面积：企业数；轮廓：成员的凸包", "Area of a circle: firms; outline: convex hull of the members"
            ),
            mark=Map(bubbles=bubbles, shapes=shapes, extent=_extent(hull, row)),
            table=self._largest(row, largest),
        )

    def _largest(self, row: dict[str, Any], largest: pl.DataFrame) -> Table:
        size = self.parameters["size"]
        columns = [Column("name", Text("企业", "Firm")), Column("city", Text("城市(原文)", "City as given"))]
        if size:
            columns.append(Column(size, self.subject.size or Text("规模", "Size"), "integer"))
        keys = [c.key for c in columns]
        rows: list[tuple[Cell, ...]] = [tuple(r.get(k) for k in keys) for r in largest.to_dicts()]
        by = Text("按规模排列", "by size") if size else Text("按名称排列", "by name")
        title = Text(f"前 {len(rows)} 名成员，{by.zh}", f"First {len(rows)} members, {by.en}")
        return Table(f"{row['cluster_id']}-largest", title, tuple(columns), rows, self.source, self.as_of)

    def regions(self) -> Section:
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
        return Section("regions", Text("按区域", "By region"), (Paragraph(text), figure))

    def method(self) -> Section:
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
                Column("placed_by", Text("定位依据", "Placed by"), "code"),
                Column("street", Text("1 千米以内", "Within 1 km"), "integer"),
                Column("city", Text("1 至 10 千米", "1 to 10 km"), "integer"),
                Column("coarse", Text("更粗", "More coarsely"), "integer"),
                Column("rows", Text("合计", "All"), "integer"),
            )
            rows = [tuple(r[column.key] for column in columns) for r in precision]
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


def _plural(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def _times(row: dict[str, Any]) -> Text:
    if row["ratio"] is None:
        return Text("没有背景可比", "with no background to compare")
    ratio = ratio_number(row["ratio"])
    return Text(f"为期望的 {ratio} 倍", f"{ratio} times the expectation")


def _shade(ratio: float | None) -> float:
    """0 at the expectation to 1 at fifty times it, by logarithm."""
    if ratio is None:
        return 1.0
    return min(1.0, max(0.0, math.log(ratio, RATIO_SHADE)))


def _class_text(row: dict[str, Any]) -> Text:
    code = row.get("digital_code")
    if code is None:
        return Text("", "")
    share = row["class_share"]
    return Text(
        f"主导类别：{class_name(code, 'zh')}({share:.0%})。",
        f"Leading class: {class_name(code, 'en')} ({share:.0%}). ".replace("%", " %"),
    )


def _place_text(point: dict[str, Any]) -> Text:
    en = point.get("place_name") or ""
    return Text(point.get("place_name_zh") or en, en)


def _extent(shape: BaseGeometry, row: dict[str, Any]) -> tuple[float, float, float, float]:
    """A window around a hull, a quarter wider on each side and at least 15 km from the centre; around the centre where it is cut."""
    shrink = max(0.1, math.cos(math.radians(row["lat"])))
    reach = MAP_REACH_KM / KM_PER_DEGREE
    west, south, east, north = shape.bounds
    if shape.geom_type.startswith("Multi"):  # cut at the antimeridian
        reach = max(reach, 1.25 * row["radius_km"] / KM_PER_DEGREE)
        west = east = row["lon"]
    side, height = (east - west) / 4, (north - south) / 4
    return (
        min(west - side, row["lon"] - reach / shrink),
        max(-90.0, min(south - height, row["lat"] - reach)),
        max(east + side, row["lon"] + reach / shrink),
        min(90.0, max(north + height, row["lat"] + reach)),
    )
