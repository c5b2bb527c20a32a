"""One region 单个地区: how many firms, against what, and the clusters whose centre lies in it."""

from __future__ import annotations

from dataclasses import replace

import polars as pl

from jiqun.atlas.documents.atlas import Told
from jiqun.atlas.documents.core import region_core
from jiqun.atlas.documents.tables import clusters_table, regions_table
from jiqun.atlas.documents.words import SCALE, class_name_text, name_text, percent, plural, shade, times
from jiqun.atlas.operations import RegionRow, clusters_frame, clusters_in, find_region
from jiqun.atlas.reading import Run
from jiqun.atlas.regions import BAND_KM
from jiqun.atlas.subject import Subject, subject_of
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
from jiqun.report.formats import probability, ratio_number, spoken
from jiqun.store import StoredResult, Workspace

MARGIN = 0.25
LEAST_DEGREES = 1.0
AROUND = 5
CLASSES = 10


def region_document(workspace: Workspace, result: StoredResult, code: str, *, linked: bool = False) -> Document:
    """The report of one region 地区报告; `linked` as for `cluster_document`.

    Raises
    ------
    UsageError
        JQ-ATLAS-019: the run has no such region.
    """
    run = Run.of(workspace, result)
    row = find_region(run, code)
    subject = subject_of(workspace, result)
    frame = clusters_frame(workspace, run)
    inside = frame.filter(pl.col("cluster_id").is_in(clusters_in(workspace, run, code)))
    blocks: list[Block] = [_figures(row, run, linked=linked), *_clusters(row, inside, run, subject, linked=linked)]
    blocks += [*_makes(row, inside, run, subject), region_core(workspace, code, full=False)]
    blocks += [_beside(row, run, subject, linked=linked), *_cautions(row, run, subject)]
    return Document(
        title=Text(row.name_zh, row.name_en),
        subtitle=_sentence(row, inside, run, subject),
        blocks=tuple(blocks),
        lineage=result.lineage,
        attributions=subject.attributions,
    )


def _sentence(row: RegionRow, inside: pl.DataFrame, run: Run, subject: Subject) -> Text:
    zh = f"{row.name_zh}有 {row.firms:,} 家{subject.noun.zh}"
    en = f"{row.name_en} has {row.firms:,} {subject.noun.en}"
    if row.lq_shrunk is not None:
        times_ = ratio_number(row.lq_shrunk, 2)
        zh += f"，按人口算是平均水平的 {times_} 倍"
        en += f", {times_} times the average by population"
    count, held = inside.height, int(inside["firms"].sum())
    if count:
        share = percent(min(held / max(row.firms, 1), 1.0))
        zh += f"；其中有 {count} 个集群，共 {held:,} 家(约占 {share.zh})。"
        en += f"; {plural(count, 'cluster')} in it {'holds' if count == 1 else 'hold'} {held:,} of them (about {share.en})."
    else:
        zh += "；没有一处密集到成为集群。"
        en += "; nowhere do they stand densely enough to be a cluster."
    return Text(f"{zh}登记库截至 {run.as_of}。", f"{en} Register as of {run.as_of}.")


def _figures(row: RegionRow, run: Run, *, linked: bool) -> KeyFigures:
    quotient = Text("—", "—") if row.lq is None else Text(f"{row.lq:,.2f}", f"{row.lq:,.2f}")
    shrunk = "—" if row.lq_shrunk is None else f"{row.lq_shrunk:,.2f}"
    expected = "—" if row.expected is None else f"{row.expected:,.1f}"
    hot = (
        Text("—", "—")
        if row.g_star is None
        else Text(f"{row.g_star:,.1f}".replace("-", "−"), f"{row.g_star:,.1f}".replace("-", "−"))
    )
    q = "—" if row.g_star_q is None else probability(row.g_star_q)
    band = f"{BAND_KM[row.level]:,.0f}"
    total = run.values["firms"] + run.values["coarse"]
    figures: tuple[KeyFigure, ...] = (
        KeyFigure(
            spoken(row.firms),
            Text("企业", "firms"),
            Text(f"其中 {row.coarse:,} 家定位较粗", f"of which {row.coarse:,} are placed coarsely"),
        ),
        KeyFigure(
            quotient,
            Text("区位熵(对人口)", "location quotient, by population"),
            Text(f"期望 {expected} 家", f"{expected} expected"),
        ),
        KeyFigure(
            Text(shrunk, shrunk),
            Text("收缩后的区位熵", "shrunken location quotient"),
            Text("小地区向总体收缩", "small regions are pulled to the overall level"),
        ),
        KeyFigure(
            percent(row.firms / max(total, 1)),
            Text("占登记库", "of the register"),
            Text(f"已定位 {total:,} 家", f"of {total:,} that are placed"),
        ),
        KeyFigure(
            hot,
            Text("与邻区合看 G*", "G* with its neighbours"),
            Text(f"q = {q}；{band} 千米内为邻", f"q = {q}; neighbours within {band} km"),
        ),
    )
    if linked:
        topics = ("firms", "lq", "lq_shrunk", "firms", "g_star")
        figures = tuple(replace(f, anchor=f"method/{topic}") for f, topic in zip(figures, topics, strict=True))
    return KeyFigures(figures)


def _clusters(row: RegionRow, inside: pl.DataFrame, run: Run, subject: Subject, *, linked: bool) -> list[Block]:
    title = Text(f"{row.name_zh}的集群", f"Clusters in {row.name_en}")
    if inside.is_empty():
        text = Text(
            "这里没有集群：没有一处的企业多到背景不能解释。调整半径或下限重新识别，可能得到不同的结果。",
            "There is no cluster here: nowhere do firms stand more densely than their background explains. A search with another "
            "radius or floor may find otherwise.",
        )
        return [Section("clusters", title, (Paragraph(text),))]
    rows = inside.to_dicts()
    table = clusters_table("clusters-table", title, rows, subject, run.as_of, linked=linked)
    first = inside.sort("firms", descending=True).row(0, named=True)
    share = percent(first["firms"] / max(int(inside["firms"].sum()), 1))
    bubbles = tuple(
        Bubble(
            lon=one["lon"],
            lat=one["lat"],
            area=float(one["firms"]),
            shade=shade(one["ratio"]),
            label=name_text(one),
            detail=Text(f"{one['firms']:,} 家，{times(one).zh}", f"{plural(one['firms'], 'firm')}, {times(one).en}"),
            anchor=f"clusters/{one['cluster_id']}" if linked else "",
        )
        for one in rows
    )
    figure = Figure(
        "clusters-map",
        Text(
            f"{first['name_zh']}占集群内企业的 {share.zh}",
            f"{first['name_en']} holds {share.en} of the firms in clusters",
        ),
        Text("圆的面积：企业数；深浅：相对期望的倍数", "Area of a circle: firms; shade: ratio to expectation"),
        _map(row, inside, bubbles),
        table,
    )
    return [figure, table]


def _map(row: RegionRow, inside: pl.DataFrame, bubbles: tuple[Bubble, ...]) -> Map:
    """The clusters on a map; China is shown whole, with all of its territory."""
    if row.region == "CN":
        return Map(bubbles=bubbles, legend=SCALE, base="china")
    return Map(bubbles=bubbles, extent=_extent(inside), legend=SCALE)


def _extent(inside: pl.DataFrame) -> tuple[float, float, float, float] | None:
    """A window around the clusters; None, the world, where they span half of it."""
    lon, lat = inside["lon"].to_numpy(), inside["lat"].to_numpy()
    west, east, south, north = float(lon.min()), float(lon.max()), float(lat.min()), float(lat.max())
    if east - west > 180:
        return None
    side = max(LEAST_DEGREES, MARGIN * (east - west))
    height = max(LEAST_DEGREES, MARGIN * (north - south))
    return west - side, max(-90.0, south - height), east + side, min(90.0, north + height)


def _makes(row: RegionRow, inside: pl.DataFrame, run: Run, subject: Subject) -> list[Block]:
    """What the members of the region's clusters make."""
    if inside.is_empty():
        return []
    classes = (
        run.classes()
        .filter(pl.col("cluster_id").is_in(inside["cluster_id"].implode()))
        .group_by("digital_code")
        .agg(pl.col("n").sum())
        .sort("n", "digital_code", descending=[True, False])
    )
    if classes.is_empty():
        text = Text(
            "登记库没有给出行业代码，因此不知道这里的企业各做什么。",
            "The register gives no industry codes, so what the firms here make is not known.",
        )
        return [Section("makes", Text("做什么：未知", "What they make: not known"), (Paragraph(text),))]
    total = float(classes["n"].sum())
    columns = (
        Column("digital_code", Text("代码", "Code"), "code"),
        Column("class", Text("类别", "Class")),
        Column("firms", Text("企业数", "Firms"), "integer"),
        Column("share", Text("占比", "Share"), "share", 0),
    )
    rows = [(code, class_name_text(code), int(n), n / total) for code, n in classes.iter_rows()]
    first = class_name_text(classes.item(0, "digital_code"))
    title = Text(f"集群内企业最多属于{first.zh}", f"Most firms in its clusters are in {first.en}")
    note = Text("只计集群内、类别已知的成员", "Members of its clusters whose class is known")
    table = Table("makes-table", Text("类别", "Classes"), columns, rows, subject.register, run.as_of, note=note)
    bars = tuple(Bar(class_name_text(code), float(n)) for code, n in classes.head(CLASSES).iter_rows())
    figure = Figure(
        "makes-bars",
        title,
        Text("企业数", "Firms"),
        Bars(bars, Text("家", "firms"), kind="integer", digits=0),
        table,
    )
    return [Section("makes", Text(f"{row.name_zh}的集群做什么", f"What the clusters of {row.name_en} make"), (figure,))]


def _beside(row: RegionRow, run: Run, subject: Subject, *, linked: bool) -> Section:
    """The regions that rank around it."""
    regions = run.regions
    start = max(0, row.rank - 1 - AROUND)
    near = regions.slice(start, 2 * AROUND + 1).to_dicts()
    title = Text(
        f"按企业数在 {regions.height} 个地区中排第 {row.rank}",
        f"Number {row.rank} of {plural(regions.height, 'region')} by firms",
    )
    table = regions_table(
        "regions-table", Text("名次相近的地区", "Regions of near rank"), near, subject, run.as_of, linked=linked
    )
    bars = tuple(Bar(name_text(one), one["lq_shrunk"]) for one in near if one["lq_shrunk"] is not None)
    if len(bars) < 2:
        return Section("regions", title, (table,))
    figure = Figure(
        "regions-bars",
        Text("企业数相近的地区，按人口算的密度", "Density by population, of regions with about as many firms"),
        Text("收缩后的区位熵；1 为总体水平", "Shrunken location quotient; 1 is the overall level"),
        Bars(bars, Text("倍", "×"), reference=1.0, reference_name=Text("总体", "overall"), digits=2),
        table,
    )
    return Section("regions", title, (figure,))


def _cautions(row: RegionRow, run: Run, subject: Subject) -> list[Block]:
    told = Told(run.result, subject, run.clusters)
    texts = [*told.cautions()]
    if row.lq is not None and row.firms < 10:
        texts.insert(
            0,
            Text(
                "企业很少，区位熵很不稳定，请看收缩后的值。",
                "There are few firms here, so the location quotient is unstable: read the shrunken one.",
            ),
        )
    method = Text(
        "地区的企业数也计入位置只到省、州或国家的企业；区位熵以人口为背景，没有给出收录与定位的误差，因此没有区间。",
        "The count by region also holds firms whose place is known no better than a province or country. The location quotient is against "
        "population; no errors of coverage and placing are given, so there is no interval.",
    )
    return [
        *(Paragraph(text, "caution") for text in texts),
        Section("method", Text("方法", "Method"), (Paragraph(method),)),
    ]
