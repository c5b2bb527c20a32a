"""Shares of the core industries in words and tables 核心产业占比文档; what texts quote stands apart from what is computed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from jiqun.atlas.core_desk import of_cluster, of_region, shares
from jiqun.atlas.core_shares import quoted_shares
from jiqun.atlas.documents.words import percent
from jiqun.atlas.reading import Run
from jiqun.core.document import Block, Cell, Column, Document, KeyFigure, KeyFigures, Paragraph, Section, Table, Text
from jiqun.core.lineage import Lineage
from jiqun.intake.counted import left_out
from jiqun.report.formats import cell
from jiqun.report.markup import LANGUAGES
from jiqun.store import StoredResult, Workspace

BY = {
    "firms": Text("企业数", "firms"),
    "employees": Text("从业人数(替代增加值)", "persons employed (proxy for value added)"),
    "revenue": Text("营业收入(替代增加值)", "revenue (proxy for value added)"),
    "value_added": Text("增加值", "value added"),
}
DEFINITION = {
    "narrow": Text("窄口径(01–04)", "narrow (01–04)"),
    "broad": Text("宽口径(01–05)", "broad (01–05)"),
}
NOTE = Text(
    "范围从“未判定的都不属于”到“都属于”。窄口径的占比按能判定的企业计，能判定的不到一半时不给。宽口径的 05 类(效率提升)遍布各行各业，"
    "没有任何代码能把一家企业排除在外，能判定的几乎都属于；因此只要还有未判定的就不给占比，只给范围。"
    "从业人数和营业收入是增加值的替代指标，不是增加值。",
    "The range runs from none of the undecided to all of them. The narrow share is of the firms that are decided, and given only where these "
    "are at least half. Division 05 (efficiency improvement) is found in every industry and no code can put a firm outside it, so that nearly "
    "all that are decided are in: broad, while anything is undecided, there is a range and no share. Persons and revenue are proxies for "
    "value added, not value added.",
)


def range_text(row: Mapping[str, object]) -> Text:
    """A share with its range in words; the range alone where too little is decided for a share."""

    def told(value: object) -> Text:
        return percent(value) if isinstance(value, float) else Text("—", "—")

    share, low, high = told(row["share"]), told(row["low"]), told(row["high"])
    if row["low"] is None:
        return share
    if row["share"] is None:
        return Text(f"{low.zh} 至 {high.zh}", f"{low.en} to {high.en}")
    return Text(f"{share.zh}({low.zh}–{high.zh})", f"{share.en} ({low.en}–{high.en})")


def share_table(id_: str, found: pl.DataFrame, as_of: str, *, regions: dict[str, Text] | None = None) -> Table:
    """Shares as rows, both definitions side by side; with `regions` a row a region."""
    columns = [
        Column("by", Text("按", "By")),
        Column("definition", Text("口径", "Definition")),
        Column("share", Text("占比", "Share"), "share", 1),
        Column("low", Text("下限", "Low"), "share", 1),
        Column("high", Text("上限", "High"), "share", 1),
        Column("firms", Text("企业数", "Firms"), "integer"),
        Column("sized", Text("规模已知", "With a size"), "integer"),
    ]
    title = Text("核心产业占比，两种口径", "Shares of the core industries under both definitions")
    if regions is not None:
        columns.insert(0, Column("group", Text("地区", "Region")))
        title = Text(
            "各地区的核心产业占比，两种口径", "Shares of the core industries by region, under both definitions"
        )
    rows: list[tuple[Cell, ...]] = []
    for row in found.to_dicts():
        code = row["group"]
        name = (regions or {}).get(code or "", Text(code or "未定位", code or "not placed"))
        told = row | {"by": BY[row["by"]], "definition": DEFINITION[row["definition"]], "group": name}
        rows.append(tuple(told[column.key] for column in columns))
    source = Text("企业登记库", "register of firms")
    return Table(id_, title, tuple(columns), rows, source, as_of, note=NOTE)


def _section(id_: str, found: tuple[StoredResult, pl.DataFrame] | None) -> Section:
    if found is None:
        text = Text(
            "还没有判定企业是否属于核心产业。在“核心产业占比”页点“判定企业”，这里就会显示两种口径的占比和范围。",
            "The firms have not been judged yet. Press “Judge the firms” on the page Core industries: shares under both definitions then stand here.",
        )
        return Section(id_, Text("核心产业占比：未知", "Share of the core industries: not known"), (Paragraph(text),))
    result, table = found
    first = table.filter(by="firms", definition="narrow").to_dicts()
    told = range_text(first[0]) if first else Text("—", "—")
    title = Text(f"按企业数，核心产业占 {told.zh}", f"By firms the core industries hold {told.en}")
    return Section(id_, title, (share_table(f"{id_}-table", table, result.lineage.inputs[0].as_of),))


def cluster_core(workspace: Workspace, run: Run, cluster_id: str, *, full: bool) -> Section:
    """The block of a cluster's page 集群中的核心产业."""
    return _section(f"{cluster_id}-core", of_cluster(workspace, run, cluster_id, full=full))


def region_core(workspace: Workspace, region: str, *, full: bool) -> Section:
    """The block of a region's page 地区的核心产业."""
    return _section("core", of_region(workspace, region, full=full))


def core_document(result: StoredResult | None, *, full: bool, regions: dict[str, Text]) -> Document:
    """The whole register, region by region; and what the texts quote, apart 核心产业占比报告."""
    title = Text("核心产业占比", "Share of the core industries")
    if result is None:
        empty = Text("还没有判定企业。", "The firms have not been judged yet.")
        return Document(title, empty, (quoted(),), Lineage("atlas.core_share", "1"))
    whole, each = shares(result, full=full), shares(result, full=full, each=True)
    as_of = result.lineage.inputs[0].as_of
    rows = {row["definition"]: row for row in whole.filter(by="firms").to_dicts()}
    narrow, broad = (range_text(rows[name]) for name in ("narrow", "broad"))
    open_ = (
        percent(rows["narrow"]["undecided"] / rows["narrow"]["total"]) if rows["narrow"]["total"] else Text("—", "—")
    )
    sentence = Text(
        f"按企业数，核心产业(窄口径)占 {narrow.zh}；加上数字化效率提升业(宽口径)占 {broad.zh}。",
        f"By firms the core industries (narrow) hold {narrow.en}; with efficiency improvement (broad) {broad.en}.",
    )
    told = [_figure(rows[name]) for name in ("narrow", "broad")]
    told.append(
        KeyFigure(
            open_,
            Text("窄口径未判定", "undecided, narrow"),
            Text("进入范围，不进入占比", "in the range, not in the share"),
        )
    )
    figures = KeyFigures(tuple(told))
    ordered = each.sort("by", "definition", "firms", "group", descending=[False, True, True, False], nulls_last=True)
    waiting = left_out(result.values)
    blocks: tuple[Block, ...] = (
        figures,
        *((Paragraph(waiting, "caution"),) if waiting else ()),
        share_table("shares", whole, as_of),
        Section(
            "regions", Text("按地区", "By region"), (share_table("shares-regions", ordered, as_of, regions=regions),)
        ),
        quoted(),
    )
    return Document(title, sentence, blocks, result.lineage)


def _figure(row: Mapping[str, Any]) -> KeyFigure:
    """A share of the firms as a key figure: where there is none its range, and why."""
    zh, en = DEFINITION[row["definition"]].zh, DEFINITION[row["definition"]].en
    what = Text(f"{zh}，按企业数", f"{en}, by firms")
    if row["share"] is None:
        why = Text(
            f"未判定 {row['undecided']:,.0f} 家，只给范围", f"{row['undecided']:,.0f} undecided: a range, no share"
        )
        return KeyFigure(range_text(row), what, why)
    share = Text(*(cell(row["share"], "share", language, 1) for language in LANGUAGES))
    return KeyFigure(share, what, range_text(row))


def quoted() -> Section:
    """What the published texts say, with the text: never computed here, never mixed with what is."""
    columns = (
        Column("what", Text("内容", "What")),
        Column("value", Text("文本所引", "As quoted"), "text"),
        Column("year", Text("年份", "Year"), "code"),
        Column("of", Text("范围", "Of")),
        Column("source", Text("文本", "Text")),
        Column("note", Text("说明", "Note")),
    )
    rows: list[tuple[Cell, ...]] = []
    for one in quoted_shares():
        value = one.value if one.value is not None else one.low
        zh, en = (cell(value, "share", language, 1) for language in LANGUAGES)
        worded = Text(zh, en) if one.value is not None else Text(f"超过 {zh}", f"over {en}")
        rows.append((one.what, worded, one.year or None, one.of, one.source, one.note))
    text = Text(
        "以下数字照录自公开文本，不是本系统算出的；装载相应名录后可用“jiqun atlas core-share --list”按明示的规则重算。",
        "These figures are copied from published texts and not computed here; with the list at hand `jiqun atlas core-share --list` counts by a stated rule.",
    )
    table = Table(
        "quoted",
        Text("文本引用的占比", "Shares as texts quote them"),
        columns,
        rows,
        Text("公开文本", "published texts"),
    )
    return Section("quoted-shares", Text("文本怎么说", "What texts say"), (Paragraph(text), table))
