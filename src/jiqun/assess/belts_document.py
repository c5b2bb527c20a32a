"""Belts in words and tables 产业带文档: the map, the pairs against chance, what each pair adds, the belts."""

from __future__ import annotations

from typing import Any

import polars as pl
import shapely

from jiqun.core.document import (
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
from jiqun.report.formats import cell
from jiqun.report.markup import LANGUAGES
from jiqun.store import StoredResult

MOST_PAIRS, MOST_LISTED = 100, 20
_CHINA = (73.0, 3.0, 136.0, 54.0)
_FEWEST_CORNERS = 3
SOURCE = Text("集群识别、产业链对照、设施与关联", "clusters, chains, facilities and links of this workspace")
CAUTION = Text(
    "互补多只说明两个集群在同一条链上有的环节不同，不说明它们在往来或应当往来。登记库收录不全时，缺的可能只是没有登记。距离界限是我们定的。",
    "A high score says that two clusters differ within the same chains, not that they trade or should. Where the register lacks firms, what is missing may only be unregistered. The distance limit is ours.",
)


def belts_document(result: StoredResult, *, most: int | None = MOST_PAIRS, linked: bool = False) -> Document:
    """The belts of a workspace 产业带报告; `most`: pairs listed, None for all."""
    values: Any = result.values
    clusters, pairs, adds = (result.table(name) for name in ("clusters", "pairs", "adds"))
    names = {row["cluster_id"]: Text(row["name_zh"], row["name_en"]) for row in clusters.to_dicts()}
    beyond, total = values["beyond"], values["pairs"]
    level = Text(*(cell(values["level"], "number", language, 2) for language in LANGUAGES))
    sentence = Text(
        f"{total} 对邻近或有关联的集群中，{beyond} 对的互补超出随机(q ≤ {level.zh})。",
        f"Of {total} pairs of clusters that are near or linked, {beyond} complement each other beyond chance (q ≤ {level.en}).",
    )
    figures = KeyFigures(
        (
            KeyFigure(_number(total), Text("比较的集群对", "pairs compared")),
            KeyFigure(_number(beyond), Text("超出随机", "beyond chance"), Text(f"q ≤ {level.zh}，对所有对同时成立", f"q ≤ {level.en}, for all pairs at once")),
            KeyFigure(_number(values["belts"]), Text("产业带", "belts"), Text("由互补高于期望的对连成", "joined by pairs above their expectation")),
            KeyFigure(_number(values["items"]), Text("比较的环节与设施种类", "nodes and kinds of facilities compared")),
        )
    )  # fmt: skip
    shown = pairs if most is None else pairs.head(most)
    listed = shown.head(MOST_LISTED) if most is not None else shown
    kept = adds.join(listed.select("a", "b"), on=["a", "b"], how="semi", maintain_order="left")
    blocks: list[Block] = [
        figures,
        _map(result, clusters, names, linked=linked),
        _pairs(result, shown, names, linked=linked),
    ]
    blocks += [
        Section(
            "adds-section",
            Text("每一对能给对方什么", "What each pair adds"),
            (_adds(result, kept, names),),
        ),
        _belts(result, clusters, names),
        Paragraph(CAUTION, "caution"),
    ]
    return Document(Text("产业带", "Industry belts"), sentence, tuple(blocks), result.lineage)


def _number(value: int) -> Text:
    return Text(*(cell(value, "integer", language) for language in LANGUAGES))


def _as_of(result: StoredResult) -> str:
    return result.lineage.inputs[0].as_of


def _pairs(result: StoredResult, pairs: pl.DataFrame, names: dict[str, Text], *, linked: bool) -> Table:
    columns = (
        Column("a", Text("集群甲", "Cluster A")),
        Column("b", Text("集群乙", "Cluster B")),
        Column("km", Text("相距 km", "Distance, km"), "number", 0),
        Column("links", Text("关联数", "Links"), "integer"),
        Column("a_adds", Text("甲补乙", "A adds"), "integer"),
        Column("b_adds", Text("乙补甲", "B adds"), "integer"),
        Column("shared", Text("共有", "Both have"), "integer"),
        Column("score", Text("互补数", "Only one has"), "integer"),
        Column("expected", Text("随机期望", "By chance"), "number", 1),
        Column("p", Text("p", "p"), "probability"),
        Column("q", Text("q(全部对)", "q (all pairs)"), "probability"),
    )
    rows: list[tuple[Cell, ...]] = []
    for row in pairs.to_dicts():
        row |= {"a": names[row["a"]], "b": names[row["b"]]}
        rows.append(tuple(row[column.key] for column in columns))
    values: Any = result.values
    note = Text(
        f"随机：每个集群的规模和每条链上的环节数不变、每个环节的集群数不变，重新分配 {values['draws']:,} 次。q 按 Benjamini–Yekutieli 校正。",
        f"Chance: {values['draws']:,} random deals in which each cluster keeps its size and its number of nodes in each chain, and each node its number of clusters. q after Benjamini–Yekutieli.",
    )
    links = tuple(f"clusters/{one}" for one in pairs["a"]) if linked else ()
    return Table(
        "pairs",
        Text("互补的集群对，最不像随机的在前", "Pairs of clusters, the least like chance first"),
        columns,
        rows,
        SOURCE,
        _as_of(result),
        note,
        links,
    )


def _adds(result: StoredResult, adds: pl.DataFrame, names: dict[str, Text]) -> Table:
    columns = (
        Column("giver", Text("由", "From")),
        Column("taker", Text("给", "To")),
        Column("chain", Text("产业链", "Chain")),
        Column("item", Text("环节或设施", "Node or facility")),
        Column("possible", Text("对方可能已有", "The other may have it")),
    )
    rows: list[tuple[Cell, ...]] = [
        (
            names[row["giver"]],
            names[row["taker"]],
            Text(row["chain_zh"] or row["chain"], row["chain_en"] or row["chain"]),
            Text(row["item_zh"] or row["item"], row["item_en"] or row["item"]),
            row["possible"],
        )
        for row in adds.to_dicts()
    ]
    return Table("adds", Text("互补内容", "What one has and the other lacks"), columns, rows, SOURCE, _as_of(result))


def _belts(result: StoredResult, clusters: pl.DataFrame, names: dict[str, Text]) -> Section:
    rows: list[tuple[Cell, ...]] = []
    held = clusters.drop_nulls("belt").sort("belt", "firms", descending=[False, True])
    for (belt,), part in held.partition_by("belt", as_dict=True, maintain_order=True).items():
        told = [names[one] for one in part["cluster_id"]]
        rows.append(
            (
                int(str(belt)) + 1,
                part.height,
                int(part["firms"].sum()),
                Text("、".join(t.zh for t in told), ", ".join(t.en for t in told)),
            )
        )
    columns = (
        Column("belt", Text("产业带", "Belt"), "code"),
        Column("clusters", Text("集群数", "Clusters"), "integer"),
        Column("firms", Text("企业数", "Firms"), "integer"),
        Column("names", Text("集群", "Who")),
    )
    note = Text(
        "由互补高于期望的对(按高出多少加权)用 Leiden 方法分群，分辨率 1；分群本身没有检验。",
        "Communities (Leiden, resolution 1) of the pairs above their expectation, weighted by the excess. The cut itself is not tested.",
    )
    table = Table(
        "belts", Text("产业带及其集群", "Belts and their clusters"), columns, rows, SOURCE, _as_of(result), note
    )
    return Section("belts-section", Text(f"连成 {len(rows)} 条产业带", f"They form {len(rows)} belts"), (table,))


def _map(result: StoredResult, clusters: pl.DataFrame, names: dict[str, Text], *, linked: bool) -> Figure:
    """Clusters with the number of the belt that they are in, and an outline around each belt."""
    most = max(int(clusters["items"].max() or 0), 1)  # type: ignore[arg-type]  # a number
    bubbles = []
    for row in clusters.to_dicts():
        belt = "—" if row["belt"] is None else str(row["belt"] + 1)
        detail = Text(
            f"产业带 {belt}；{row['items']} 个环节与设施", f"belt {belt}; {row['items']} nodes and facilities"
        )
        anchor = f"clusters/{row['cluster_id']}" if linked else ""
        bubbles.append(
            Bubble(
                row["lon"],
                row["lat"],
                float(row["firms"]),
                row["items"] / most,
                names[row["cluster_id"]],
                detail,
                anchor,
            )
        )
    west, east, south, north = (
        float(getattr(clusters[name], way)())
        for name, way in (("lon", "min"), ("lon", "max"), ("lat", "min"), ("lat", "max"))
    )
    china = west >= _CHINA[0] and south >= _CHINA[1] and east <= _CHINA[2] and north <= _CHINA[3]
    ticks = ((0.0, Text("0", "0")), (1.0, Text(str(most), str(most))))
    legend = Legend(
        area=Text("企业数", "firms"), shade=Text("有的环节与设施数", "nodes and facilities that it has"), ticks=ticks
    )
    columns = (
        Column("name", Text("集群", "Cluster")),
        Column("belt", Text("产业带", "Belt"), "code"),
        Column("items", Text("环节与设施", "Nodes and facilities"), "integer"),
        Column("firms", Text("企业数", "Firms"), "integer"),
    )
    rows: list[tuple[Cell, ...]] = [
        (names[row["cluster_id"]], None if row["belt"] is None else row["belt"] + 1, row["items"], row["firms"])
        for row in clusters.to_dicts()
    ]
    table = Table("clusters", Text("集群与产业带", "Clusters and belts"), columns, rows, SOURCE, _as_of(result))
    mark = Map(bubbles=tuple(bubbles), shapes=_outlines(clusters), base="china" if china else "world", legend=legend)
    return Figure(
        "belts-map", Text("集群及其产业带", "Clusters and the belts that they form"),
        Text("圆：集群，面积为企业数；轮廓：同一产业带的集群", "Circle: cluster, area by firms; outline: clusters of one belt"), mark, table,
    )  # fmt: skip


def _outlines(clusters: pl.DataFrame) -> tuple[Shape, ...]:
    shapes = []
    for (belt,), part in (
        clusters.drop_nulls("belt").sort("belt").partition_by("belt", as_dict=True, maintain_order=True).items()
    ):
        hull = shapely.convex_hull(shapely.MultiPoint(part.select("lon", "lat").to_numpy()))
        if hull.geom_type == "Polygon" and part.height >= _FEWEST_CORNERS:
            number = str(int(str(belt)) + 1)
            ring = tuple((float(x), float(y)) for x, y in hull.exterior.coords)
            shapes.append(Shape((ring,), Text(number, number)))
    return tuple(shapes)
