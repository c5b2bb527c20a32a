"""The measures of the register in words, tables and curves, in both languages 整体测度报告."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from jiqun.atlas.documents.distances import at_text, stretches
from jiqun.atlas.documents.words import class_name_text, percent
from jiqun.atlas.measured import EXACT_KM, LEAST_CLASSED, LEAST_FIRMS, LEAST_TESTED, find_measures
from jiqun.atlas.regions import BAND_KM
from jiqun.atlas.subject import SIZES, Subject, noun, subject_of
from jiqun.core.actor import Actor
from jiqun.core.document import (
    Bar,
    Bars,
    Block,
    Cell,
    Column,
    Curve,
    Curves,
    Document,
    Figure,
    KeyFigure,
    KeyFigures,
    Paragraph,
    Section,
    Table,
    Text,
)
from jiqun.core.errors import JiqunError
from jiqun.intake.counted import left_out
from jiqun.report.formats import probability, spoken
from jiqun.store import StoredResult, Workspace
from jiqun.taxonomy import industry_name

TITLE = Text("整体测度", "Measures of the register")
LEVEL = 0.05
STRONG = 0.05
REPORT_ROWS = 60
"""Rows of a table in a report to read; a workbook, CSV and JSON have all."""
NEAR = 0.8
"""Eigenvalues in a higher ratio make ranks that are said to be fragile."""
BARS, NAMED = 12, 3
KINDS = {
    "high-high": Text("高，邻区也高", "high among high"),
    "low-low": Text("低，邻区也低", "low among low"),
    "high-low": Text("高，邻区低", "high among low"),
    "low-high": Text("低，邻区高", "low among high"),
}
_UNITS = {"country": Text("国家或地区", "countries"), "region": Text("省(州)", "provinces or states")}


def measures_document(
    result: StoredResult, subject: Subject, *, most: int | None = None, linked: bool = False
) -> Document:
    """The report of the register's measures 整体测度报告.

    `most`: rows of a table, of a curve evenly chosen ones, for a page or a report to read; None: all. `linked`: key figures lead to the pages of the method.
    """
    told = Measured(result, subject, most, linked=linked)
    return Document(
        title=TITLE,
        subtitle=told.sentence(),
        blocks=told.blocks(),
        lineage=result.lineage,
        attributions=subject.attributions,
    )


def measures_beside(actor: Actor, workspace: Workspace, run: StoredResult) -> tuple[Section, ...]:
    """The measures of the register that a run searched, as a section of its report; nothing where there are none."""
    found = find_measures(actor, workspace)
    if found is None or found.lineage.inputs[0].digest != run.lineage.inputs[0].digest:
        return ()
    told = Measured(found, subject_of(workspace, found), BARS)
    return (Section("measures", TITLE, (Paragraph(told.sentence(), "lead"), *told.blocks())),)


@dataclass(frozen=True)
class Measured:
    """One stored result, put into words."""

    result: StoredResult
    subject: Subject
    most: int | None = None
    linked: bool = False

    @property
    def values(self) -> dict[str, Any]:
        """The result's numbers."""
        return dict(self.result.values)

    @property
    def as_of(self) -> str:
        """Date of the register."""
        return self.result.lineage.inputs[0].as_of

    @property
    def noun(self) -> Text:
        """The firms whose distances and neighbours are told."""
        return noun(self.values["digital"])

    @property
    def units(self) -> Text:
        """What regions are."""
        return _UNITS[self.values["level"]]

    def blocks(self) -> tuple[Block, ...]:
        """Everything below the sentence."""
        return (
            self.key_figures(),
            self.classes(),
            self.distances(),
            self.regions(),
            self.neighbours(),
            self.sets(),
            *(Paragraph(text, "caution") for text in self.cautions()),
            Section("measures-method", Text("如何得出", "How this is known"), tuple(map(Paragraph, self.method()))),
        )

    def name(self, code: str) -> Text:
        """The name of a class; GB/T 4754 has Chinese ones only."""
        if self.result.lineage.parameters["by"] == "digital":
            return class_name_text(code)
        try:
            known = industry_name(code)
        except JiqunError:
            known = code
        return Text(known, known)

    def names(self, codes: list[str] | tuple[str, ...]) -> Text:
        """Several classes in a row."""
        found = [self.name(code) for code in codes]
        return Text("、".join(one.zh for one in found), "; ".join(one.en for one in found))

    def unknown(self, *names: str) -> list[Block]:
        """Why something is not there."""
        why = self.values["unknown"]
        return [Paragraph(Text(why[name]["zh"], why[name]["en"]), "caution") for name in names if name in why]

    def beyond(self) -> pl.DataFrame:
        """Classes that are concentrated beyond chance, most first."""
        table = self.result.table("classes")
        return table.filter(pl.col("q") < LEVEL, pl.col("gamma") > 0).sort("gamma", "class", descending=[True, False])

    def sentence(self) -> Text:
        """The finding: how many classes are concentrated beyond chance, and which most."""
        total, beyond = self.result.table("classes").height, self.beyond()
        zh, en = f"{total} 个类别中，", f"Of {total} classes, "
        if beyond.is_empty():
            zh += f"没有一个在{self.units.zh}之间的集中超出了企业数与地区大小所能解释的程度。"
            en += f"none is more concentrated between {self.units.en} than the number of firms and the size of regions explain. "
        else:
            first = self.name(beyond["class"][0])
            gamma = f"{beyond['gamma'][0]:.2f}"
            verb = "is" if beyond.height == 1 else "are"
            zh += f"{beyond.height} 个在{self.units.zh}之间的集中超出偶然，以{first.zh}为最(γ = {gamma})。"
            en += f"{beyond.height} {verb} more concentrated between {self.units.en} than chance explains, {first.en} most (γ = {gamma}). "
        return Text(f"{zh}登记库截至 {self.as_of}。", f"{en}Register as of {self.as_of}.")

    def key_figures(self) -> KeyFigures:
        """Classes, firms, how many classed, how exactly placed."""
        values, classes = self.values, self.result.table("classes").height
        beyond = self.beyond().height
        share = percent(values["classed"] / max(values["firms"], 1))
        blur = f"{values['blur_km']:,.0f}" if values["blur_km"] >= 1 else "<1"
        figures = (
            (
                Text(f"{beyond} / {classes}", f"{beyond} / {classes}"),
                Text("超出偶然的类别", "classes beyond chance"),
                Text("q < 0.05 且 γ > 0", "q < 0.05 and γ > 0"),
                "gamma",
            ),
            (
                spoken(values["firms"]),
                Text("参与比较的企业", "firms compared"),
                Text(f"共 {values['rows']:,} 行", f"of {values['rows']:,} rows"),
                "gamma",
            ),
            (
                share,
                Text("类别已知", "class known"),
                Text(f"{values['by_text']:,} 家按文字归类", f"{values['by_text']:,} classed by text"),
                "class_share",
            ),
            (
                spoken(values["exact"]),
                Text("定位足够细", "placed finely"),
                Text(f"{EXACT_KM:g} 千米以内", f"within {EXACT_KM:g} km"),
                "m_function",
            ),
            (
                Text(f"{blur} 千米", f"{blur} km"),
                Text("分辨距离", "distances told apart from"),
                Text("更短的距离无从分辨", "shorter ones are not known"),
                "blur_km",
            ),
        )
        return KeyFigures(
            tuple(
                KeyFigure(value, name, note, anchor=f"method/{topic}" if self.linked else "")
                for value, name, note, topic in figures
            )
        )

    def classes(self) -> Section:
        """How concentrated each class is."""
        whole = self.result.table("classes")
        shown = whole if self.most is None else whole.head(self.most)
        columns = (
            Column("class", Text("代码", "Code"), "code"),
            Column("name", Text("类别", "Class")),
            Column("firms", Text("企业数", "Firms"), "integer"),
            Column("regions", Text("地区数", "Regions"), "integer"),
            Column("gamma", Text("γ", "γ"), "number", 3),
            Column("p", Text("p", "p"), "probability"),
            Column("q", Text("q", "q"), "probability"),
            Column("locational_gini", Text("区位基尼", "Locational Gini"), "number", 2),
            Column("gini", Text("基尼", "Gini"), "number", 2),
            Column("pci", Text("PCI", "PCI"), "number", 2),
        )
        rows = [(row["class"], self.name(row["class"]), *(row[c.key] for c in columns[2:])) for row in shown.to_dicts()]
        note = self._first(shown.height, whole.height)
        table = self._table(
            "classes-table", Text("各类别的集中程度", "Concentration of each class"), columns, rows, note
        )
        beyond = self.beyond()
        title = Text(
            f"{beyond.height} 个类别的集中超出偶然" if beyond.height else "没有类别的集中超出偶然",
            f"{beyond.height} classes are concentrated beyond chance"
            if beyond.height != 1
            else "1 class is concentrated beyond chance",
        )
        drawn = (
            whole.filter(pl.col("p").is_not_null(), pl.col("gamma") > 0)
            .sort("gamma", "class", descending=[True, False])
            .head(BARS)
        )
        if drawn.height < 2:
            return Section("measures-classes", title, (table,))
        most = self.name(drawn["class"][0])
        figure = Figure(
            "classes-bars",
            Text(f"{most.zh}最集中", f"{most.en} is the most concentrated class"),
            Text(
                f"埃利森–格莱泽 γ；0 为偶然，作者称 {STRONG} 以上为强集中；至少 {LEAST_TESTED} 家企业的类别",
                f"Ellison–Glaeser γ; 0 is chance, the authors call {STRONG} and more strong; classes of {LEAST_TESTED} firms or more",
            ),
            Bars(
                tuple(Bar(self.name(code), gamma) for code, gamma in drawn.select("class", "gamma").iter_rows()),
                Text("γ", "γ"),
                reference=STRONG,
                reference_name=Text("强集中", "strong"),
                digits=3,
            ),
            table,
        )
        return Section("measures-classes", title, (figure,))

    def distances(self) -> Section:
        """At which distances firms of the chosen class stand near each other."""
        title = Text(f"{self.noun.zh}之间的距离", f"Distances between {self.noun.en}")
        figures = [figure for name in ("k", "m") if (figure := self._curve(name)) is not None]
        blur = self.values["blur_km"]
        blocks: list[Block] = [*figures, *self.unknown("k", "m")]
        if figures and blur > 0:
            blocks.insert(
                0,
                Paragraph(
                    Text(
                        f"企业的位置只精确到能分辨 {blur:,.3g} 千米以上的距离(点的精度，或多数企业与他家共用一点，即城镇的中心点)。更短的距离只表示在同一地点。",
                        f"Firms are placed so that distances from {blur:,.3g} km are told apart (by the precision of points, or because most "
                        "firms share theirs with others, which makes it the centre of a town). Shorter ones only say: in the same place.",
                    ),
                    "caution",
                ),
            )
        return Section("measures-distances", title, tuple(blocks))

    def _curve(self, name: str) -> Figure | None:
        curves = self.values["curves"]
        if name not in curves:
            return None
        test, points = curves[name], self.result.table(name)
        density = name == "k"
        scale = 100.0 if density else 1.0  # a density reads as per cent of pairs
        columns = (
            Column("distance_km", Text("距离(千米)", "Distance (km)"), "number", 1),
            Column("value", Text("K(% / 千米)", "K (% per km)") if density else Text("M", "M"), "number", 3),
            Column("low", Text("随机带下限", "Band, low"), "number", 3),
            Column("high", Text("随机带上限", "Band, high"), "number", 3),
            Column("middle", Text("随机中位", "Median of chance"), "number", 3),
        )
        rows: list[tuple[Cell, ...]] = [
            (row[0], *(None if value is None else scale * value for value in row[1:])) for row in points.iter_rows()
        ]
        label = Text("K 密度", "K-density") if density else Text("M 函数", "M function")
        level = percent(test["level"])
        chance = Text(f"{test['draws']} 次随机的 {level.zh} 全局带", f"{level.en} global band of {test['draws']} draws")
        note = Text(
            f"全曲线 p = {probability(test['p'])}；{test['n']:,} 家{self.noun.zh}",
            f"p of the whole curve = {probability(test['p'])}; {test['n']:,} {self.noun.en}",
        )
        if (error := test["error_km"]) > 0:
            bound = Text(f"距离误差不超过 {error:.2f} 千米", f"no distance is wrong by more than {error:.2f} km")
            note = _joined(note, bound)
        if (width := test["bandwidth_km"]) is not None:
            note = _joined(note, Text(f"带宽 {width:,.3g} 千米", f"bandwidth {width:,.3g} km"))
        subtitle = (
            Text("该类别全部企业对中，每千米距离上的百分比", "Per cent of all pairs of the class, per km of distance")
            if density
            else Text(
                "r 千米以内该类别的份额，相对总体份额的倍数",
                "Share of the class within r km, as a multiple of its overall share",
            )
        )
        x, value, low, high, _ = zip(*rows, strict=True)
        mark = Curves(
            Curve(label, x, value, low, high, chance),
            Text("千米", "km"),
            Text("% / 千米", "% per km") if density else Text("倍", "×"),
            None if density else 1.0,
            None if density else Text("总体份额", "overall share"),
            digits=2 if density else 1,
        )
        every = 1 if self.most is None else -(-len(rows) // self.most)
        thinned = Text(f"每 {every} 行取一，其余见 CSV", f"one row in {every}; all are in the CSV")
        shown = note if every == 1 else _joined(note, thinned)
        table = self._table(
            f"{name}-curve",
            Text(f"{label.zh}：{self.noun.zh}", f"{label.en}: {self.noun.en}"),
            columns,
            rows[::every],
            shown,
        )
        return Figure(
            f"{name}-figure",
            self._finding(points, test["bandwidth_km"] or 0.0),
            Text(f"{subtitle.zh}。{note.zh}", f"{subtitle.en}. {note.en}"),
            mark,
            table,
        )

    def _finding(self, points: pl.DataFrame, gap: float) -> Text:
        """Where the curve leaves its band, and below which distance nothing is known."""
        told = self._left(points, gap)
        known = points.filter(pl.col("value").is_not_null(), pl.col("high").is_not_null())["distance_km"]
        if known.is_empty():
            return Text(
                f"{self.noun.zh}是否比偶然更近：未知",
                f"Whether {self.noun.en} stand closer together than chance allows is not known",
            )
        first = float(known[0])
        if (points["distance_km"] < first).any():
            return Text(f"{told.zh}；{first:,g} 千米以下未知", f"{told.en}; not known below {first:,g} km")
        return told

    def _left(self, points: pl.DataFrame, gap: float) -> Text:
        """Where the curve leaves its band; stretches less than `gap` km apart are one."""
        blur = self.values["blur_km"]
        above = stretches(points.with_columns(out=pl.col("value") > pl.col("high")), blur, gap)
        below = stretches(points.with_columns(out=pl.col("value") < pl.col("low")), blur, gap)
        zh, en = self.noun.zh, self.noun.en
        if above:
            return Text(
                f"{zh}{at_text(above).zh}比偶然所能解释的更近",
                f"{_capital(en)} stand closer together than chance allows {at_text(above).en}",
            )
        if points.filter(pl.col("distance_km") < blur, pl.col("value") > pl.col("high")).height:
            return Text(
                f"{zh}只在同一地点(不足 {blur:,.3g} 千米)多于偶然",
                f"{_capital(en)} stand together more than chance allows only in the same place (under {blur:,.3g} km)",
            )
        if below:
            return Text(
                f"{zh}{at_text(below).zh}比偶然更远离彼此",
                f"{_capital(en)} keep farther apart than chance allows {at_text(below).en}",
            )
        return Text(f"{zh}在任何距离上都不比偶然更近", f"Nowhere do {en} stand closer together than chance allows")

    def regions(self) -> Section:
        """What regions have, how complex that is, what related classes they lack."""
        whole = self.result.table("regions")
        shown = whole if self.most is None else whole.head(self.most)
        columns = (
            Column("name", Text("地区", "Region")),
            Column("firms", Text("企业数", "Firms"), "integer"),
            Column("diversity", Text("优势类别数", "Classes it has"), "integer"),
            Column("eci", Text("ECI", "ECI"), "number", 2),
            Column("next", Text("相关而缺的类别", "Related classes it lacks")),
            Column("region", Text("代码", "Code"), "code"),
        )
        rows = [
            (
                Text(row["name_zh"], row["name_en"]),
                row["firms"],
                row["diversity"],
                row["eci"],
                self.names(row["next"][:NAMED]) if row["next"] else None,
                row["region"],
            )
            for row in shown.to_dicts()
        ]
        known = whole.drop_nulls("eci").sort("eci", descending=True)
        classes = self.result.table("classes")["pci"].count()
        note = Text(
            f"比较 {known.height} 个地区、{classes} 个类别",
            f"{known.height} regions and {classes} classes are compared",
        )
        note = _joined(note, self._first(shown.height, whole.height))
        table = self._table(
            "complexity-table", Text("各地区的产业复杂度", "Complexity of each region"), columns, rows, note
        )
        if known.is_empty():
            title = Text("各地区的复杂度：未知", "Complexity of regions: not known")
        else:
            first = known.row(0, named=True)
            title = Text(
                f"{first['name_zh']}的类别组合最复杂(ECI)",
                f"{first['name_en']} has the most complex mix of classes (ECI)",
            )
        return Section("measures-regions", title, (table, *self.unknown("complexity")))

    def neighbours(self) -> Section:
        """Where the chosen class is strong, or weak, together with the regions around."""
        title = Text(f"{self.noun.zh}：地区与邻区", f"{_capital(self.noun.en)}: regions and those around")
        if "moran" not in self.result.tables:
            return Section("measures-neighbours", title, tuple(self.unknown("moran")))
        whole = self.result.table("moran")
        shown = whole if self.most is None else whole.head(self.most)
        columns = (
            Column("name", Text("地区", "Region")),
            Column("firms", Text("企业数", "Firms"), "integer"),
            Column("expected", Text("期望数", "Expected"), "number", 1),
            Column("lq_shrunk", Text("收缩后的区位熵", "Shrunken location quotient"), "number", 2),
            Column("i", Text("局部莫兰 I", "Local Moran I"), "number", 2),
            Column("q", Text("q", "q"), "probability"),
            Column("kind", Text("与邻区", "With neighbours")),
            Column("region", Text("代码", "Code"), "code"),
        )
        alone, average = Text("没有邻区", "no neighbour"), Text("与平均相同", "at the average")
        rows = [
            (
                Text(row["name_zh"], row["name_en"]),
                *(row[column.key] for column in columns[1:6]),
                KINDS[row["kind"]] if row["kind"] else alone if row["i"] is None else average,
                row["region"],
            )
            for row in shown.to_dicts()
        ]
        band = f"{BAND_KM[self.values['level']]:,.0f}"
        sure = whole.filter(pl.col("q") < LEVEL)
        if sure.height:
            some = sure.head(NAMED)
            title = Text(
                f"{'、'.join(some['name_zh'])}{'等' if sure.height > NAMED else ''}与邻区相像或相异，超出偶然",
                f"{', '.join(some['name_en'])}{' and others' if sure.height > NAMED else ''}: like, or unlike, those around beyond chance",
            )
        else:
            title = Text(
                "没有地区与邻区的相像或相异超出偶然", "No region is like, or unlike, those around beyond chance"
            )
        note = Text(
            f"{self.noun.zh}对全部企业；重心相距 {band} 千米以内为邻",
            f"{_capital(self.noun.en)} against all firms; neighbours have centres within {band} km",
        )
        note = _joined(note, self._first(shown.height, whole.height))
        table = self._table("neighbours-table", Text("地区与邻区", "Regions and those around"), columns, rows, note)
        return Section("measures-neighbours", title, (table,))

    def sets(self) -> Section:
        """Classes that are found in the same regions."""
        if "sets" not in self.result.tables:
            title = Text("关联产业组：未知", "Sets of related classes: not known")
            return Section("measures-sets", title, tuple(self.unknown("sets")))
        found = self.result.table("sets")
        together = found.group_by("set", maintain_order=True).agg("class", marginal=pl.col("class").filter("marginal"))
        columns = (
            Column("set", Text("组", "Set"), "integer"),
            Column("count", Text("类别数", "Classes"), "integer"),
            Column("classes", Text("类别", "Classes in it")),
            Column("marginal", Text("其中更近于他组", "of which nearer to another")),
        )
        rows = [
            (number, len(codes), self.names(codes), self.names(marginal) if marginal else None)
            for number, codes, marginal in together.iter_rows()
        ]
        score = self.values["sets"]["score"]
        note = Text(
            f"按同一地区共有程度分组；得分 {score:.2f}(1 为完全分得开)；供人修正的初稿",
            f"By how often regions have both; score {score:.2f} (1: wholly apart); a first draft for people to correct",
        )
        title = Text(
            f"类别分为 {together.height} 组，各组常在同一地区",
            f"Classes fall into {together.height} sets that the same regions have",
        )
        table = self._table("sets-table", Text("关联产业组", "Sets of related classes"), columns, rows, note)
        return Section("measures-sets", title, (table,))

    def cautions(self) -> list[Text]:
        """What the numbers do not say."""
        values = self.values
        waiting = left_out(values)
        out = [waiting] if waiting else []
        elsewhere = values.get("elsewhere", 0)  # results of earlier versions have none
        if elsewhere:
            out.append(
                Text(
                    f"{elsewhere:,} 家企业在其他国家，没有参与比较。",
                    f"{elsewhere:,} firms are in other countries and take no part.",
                )
            )
        missing = values["rows"] - values["firms"] - elsewhere
        size = self.result.lineage.parameters["size"]
        if missing:
            why = SIZES.get(size, Text(size, size)) if size else None
            out.append(
                Text(
                    f"{missing:,} 行没有位置{f'或没有{why.zh}' if why else ''}，没有参与比较。",
                    f"{missing:,} rows have no place{f' or no {why.en.lower()}' if why else ''} and take no part.",
                )
            )
        if values["classed"] < values["firms"]:
            rest = values["firms"] - values["classed"]
            out.append(
                Text(
                    f"{rest:,} 家企业不属于或不能确定属于任何类别；它们计入地区的全部企业，不计入任何类别。归类不全时，集中程度描述的是已归类的部分。",
                    f"{rest:,} firms are of no class, or of none that is known: they count in the whole of their region and in no class. Where "
                    "classing is incomplete, concentration describes the part that is classed.",
                )
            )
        out.append(
            Text(
                f"集中程度随地区的划分而变，相邻地区被当作互不相干；企业少于 {LEAST_TESTED} 家的类别不检验。复杂度只比较地区，"
                f"不计企业少于 {LEAST_FIRMS} 家的类别和已归类企业少于 {LEAST_CLASSED} 家的地区；它不是收入，也不是因果。",
                f"Concentration depends on how regions are cut, and treats neighbours as strangers; classes of fewer than {LEAST_TESTED} firms are "
                f"not tested. Complexity only compares regions; it leaves out classes of fewer than {LEAST_FIRMS} firms and regions with fewer "
                f"than {LEAST_CLASSED} classed firms, and is neither income nor a cause.",
            )
        )
        second, third = values["eigenvalues"] or (1.0, 0.0)
        if third > NEAR * second:
            out.append(
                Text(
                    f"复杂度的第二、第三特征值相近({second:.2f}、{third:.2f})：ECI 与 PCI 的名次不稳，换一种归类就可能不同。",
                    f"The second and third eigenvalue of complexity lie near each other ({second:.2f}, {third:.2f}): ranks by ECI and PCI are "
                    "fragile, and another way of classing may give others.",
                )
            )
        return out

    def method(self) -> tuple[Text, ...]:
        """How it was done, in words."""
        parameters = self.result.lineage.parameters
        size = parameters["size"]
        by = (
            Text("2021 版数字经济分类的组(四位)", "groups of the 2021 digital classification (four digits)")
            if parameters["by"] == "digital"
            else Text("GB/T 4754-2017 的小类(四位)", "classes of GB/T 4754-2017 (four digits)")
        )
        weight = SIZES.get(size, Text(size, size)) if size else Text("企业数", "number of firms")
        return (
            Text(
                f"类别：{by.zh}；规模：{weight.zh}；地区：每家企业归入离它最近的地名所在的{self.units.zh}。γ 以各地区全部企业为比较基准，"
                "p 由把企业随机投放到各地区得出，q 按 Benjamini–Hochberg 校正。优势类别指区位熵不小于 1。",
                f"Classes: {by.en}. Size: {weight.en.lower()}. Regions: each firm in the one of the {self.units.en} in which the nearest named "
                "place lies. γ compares with all firms of each region; p is by throwing the firms over the regions at random, q after Benjamini and Hochberg. A region "
                "has a class where its location quotient is at least 1.",
            ),
            Text(
                f"距离曲线只用定位在 {EXACT_KM:g} 千米以内的企业；随机带把类别标签在全部企业的位置上重新分配 {parameters['draws']} 次，"
                "整条曲线落在带内的概率为 95%。",
                f"Curves use firms placed within {EXACT_KM:g} km. The band deals the class out anew over the places of all firms, "
                f"{parameters['draws']} times; by chance the whole curve lies inside with probability 95 %.",
            ),
        )

    def _first(self, shown: int, total: int) -> Text | None:
        return (
            None
            if shown == total
            else Text(f"前 {shown} 行，共 {total} 行；其余见 CSV", f"first {shown} of {total} rows; all are in the CSV")
        )

    def _table(
        self, id_: str, title: Text, columns: tuple[Column, ...], rows: Sequence[tuple[Cell, ...]], note: Text | None
    ) -> Table:
        return Table(id_, title, columns, rows, self.subject.register, self.as_of, note=note)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _joined(note: Text, more: Text | None) -> Text:
    return note if more is None else Text(f"{note.zh}；{more.zh}", f"{note.en}; {more.en}")
