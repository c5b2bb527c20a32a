"""Parks in words and tables 载体文档: the list with its map, and one park from its sentence to its rows."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any, Literal

import polars as pl

from jiqun.assess import parks_desk as desk
from jiqun.assess.findings import listed
from jiqun.assess.idle import TITLE_NAMES
from jiqun.assess.parks_room import UnitsRequest, parts_of, sought
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
    Table,
    Text,
)
from jiqun.core.lineage import Lineage
from jiqun.core.remarks import Remark
from jiqun.report.formats import cell
from jiqun.report.markup import LANGUAGES
from jiqun.store import Workspace

MOST_BUBBLES = 500
MOST_ROWS = 200
"""Rows of a table on a page; its twins have all."""
_REACH_KM, _KM_PER_DEGREE = 8.0, 111.2
_CHINA = (73.0, 3.0, 136.0, 54.0)
_WIDE_DEGREES = 8.0
KINDS = {
    "park": Text("园区", "park"),
    "building": Text("楼宇", "building"),
    "floor": Text("楼层", "floor"),
    "unit": Text("单元", "unit"),
}
STATES = {
    "vacant": Text("空置", "vacant"),
    "reserved": Text("预留", "reserved"),
    "works": Text("施工", "under works"),
    "let": Text("已租", "let"),
    "lapsed": Text("租约已到期，未更新", "lease over, no news"),
    "stale": Text("记录过旧", "record too old"),
    "open": Text("没有记录", "not on record"),
}
FOUND = {
    "found": Text("有此问题", "found"),
    "not_found": Text("未发现", "not found"),
    "unknown": Text("未知", "unknown"),
}
SEVERITY = {"low": Text("轻", "low"), "medium": Text("中", "medium"), "high": Text("重", "high")}
MATCHED = {
    "uscc": Text("信用代码", "credit code"),
    "id": Text("编号", "id"),
    "name": Text("名称", "name"),
    "former_name": Text("曾用名", "former name"),
    "ambiguous": Text("重名，未对上", "several of that name"),
    "unmatched": Text("未对上", "not in the register"),
}
RANGE = Text(
    "占用率 = 已租面积 ÷ 状态已知的面积；已知不到一半时只给范围。范围从“状态未知的都未出租”到“都已出租”；超过 {days} 天的记录、已到期的租约都算未知。",
    "Share let = area let ÷ area whose state is known; where less than half is known there is a range only. It runs from none of the "
    "unknown area let to all of it. Records older than {days} days and leases that are over count as unknown.",
)


def _both(value: Cell, kind: Any = "number", digits: int = 0) -> Text:
    return Text(*(cell(value, kind, language, digits) for language in LANGUAGES))


def range_text(row: Mapping[str, Any]) -> Text:
    """A share let with its range; the range alone where too little is decided."""
    if row["low"] is None:
        return Text("—", "—")
    share, low, high = (_both(row[name], "share") for name in ("share", "low", "high"))
    if row["share"] is None:
        return Text(f"{low.zh} 至 {high.zh}", f"{low.en} to {high.en}")
    if row["high"] - row["low"] < 0.005:  # half a per cent, the digits shown
        return share
    return Text(f"{share.zh}({low.zh}–{high.zh})", f"{share.en} ({low.en}–{high.en})")


def note_of(shown: desk.Parks) -> Text:
    """How the share is made."""
    days = shown.found.max_age_days
    return Text(RANGE.zh.format(days=days), RANGE.en.format(days=days))


def _source(shown: desk.Parks) -> Text:
    return Text(f"载体台账 {shown.snapshot.source}", f"carriers: {shown.snapshot.source}")


def parks_table(shown: desk.Parks, *, linked: bool) -> Table:
    """The parks, a row each, the emptiest in area first."""
    rows = shown.found.parks.sort("vacant_m2", "name", descending=[True, False])
    columns = (
        Column("name", Text("园区", "Park")),
        Column("total_m2", Text("面积 m²", "Area, m²"), "number", 0),
        Column("share", Text("占用率", "Share let"), "share", 0),
        Column("low", Text("下限", "Low"), "share", 0),
        Column("high", Text("上限", "High"), "share", 0),
        Column("vacant_m2", Text("空置 m²", "Vacant, m²"), "number", 0),
        Column("units_vacant", Text("空置单元", "Vacant units"), "integer"),
        Column("units", Text("单元", "Units"), "integer"),
        Column("oldest", Text("最早记录", "Oldest record"), "code"),
        Column("newest", Text("最近记录", "Newest record"), "code"),
        Column("id", Text("编号", "Id"), "code"),
    )
    return _table(
        "parks", Text("园区与占用率", "Parks and the share let"), columns, rows, shown,
        links=tuple(f"parks/{id_}" for id_ in rows["id"]) if linked else (), note=note_of(shown),
        most=MOST_ROWS if linked else None,
    )  # fmt: skip


def _table(
    id_: str,
    title: Text,
    columns: tuple[Column, ...],
    rows: pl.DataFrame,
    shown: desk.Parks,
    *,
    links: tuple[str, ...] = (),
    note: Text | None = None,
    words: Mapping[str, Mapping[Any, Text]] | None = None,
    as_of: str = "",
    most: int | None = None,
) -> Table:
    told: list[tuple[Cell, ...]] = []
    if most is not None and rows.height > most:
        cut = Text(
            f"只列前 {most} 行，共 {rows.height} 行；CSV 有全部。",
            f"The first {most} of {rows.height} rows; the CSV has all.",
        )
        note = cut if note is None else Text(f"{cut.zh}{note.zh}", f"{cut.en} {note.en}")
        rows, links = rows.head(most), links[:most]
    for row in rows.to_dicts():
        cells = []
        for column in columns:
            value = row[column.key]
            value = (words or {}).get(column.key, {}).get(value, value)
            cells.append(value.isoformat() if hasattr(value, "isoformat") else value)
        told.append(tuple(cells))
    return Table(id_, title, columns, told, _source(shown), as_of or shown.found.as_of.isoformat(), note, links)


def parks_document(shown: desk.Parks, *, linked: bool = False, today: date | None = None) -> Document:
    """All parks 载体总览: the sentence, key figures, the map, the list, the kinds, what is odd.

    `today`, where it is given, tells whether the whole load has grown too old to speak of it.
    """
    parks = shown.found.parks
    total, vacant = float(parks["total_m2"].sum()), float(parks["vacant_m2"].sum())
    whole = _whole(parks)
    share = range_text(whole)
    count = parks.height
    sentence = Text(
        f"{count} 个顶层载体共 {total:,.0f} m²，占用率 {share.zh}，已知空置 {vacant:,.0f} m²。",
        f"{count} {'park' if count == 1 else 'parks'} of {total:,.0f} m²: {share.en} let, {vacant:,.0f} m² known to be vacant.",
    )
    figures = KeyFigures(
        (
            KeyFigure(share, Text("占用率", "let"), Text("含未知的范围", "with the range of what is unknown")),
            KeyFigure(_both(vacant), Text("空置 m²", "vacant m²")),
            KeyFigure(_both(float(parks["open_m2"].sum())), Text("状态未知 m²", "m² of unknown state")),
            KeyFigure(_both(int(parks["units_vacant"].sum()), "integer"), Text("空置单元", "vacant units")),
        )
    )
    table = parks_table(shown, linked=linked)
    kinds = _table(
        "kinds",
        Text("按记录的层级", "By the level of the records"),
        (
            Column("kind", Text("层级", "Kind")),
            Column("units", Text("记录数", "Records"), "integer"),
            Column("total_m2", Text("面积 m²", "Area, m²"), "number", 0),
            Column("share", Text("占用率", "Share let"), "share", 0),
            Column("low", Text("下限", "Low"), "share", 0),
            Column("high", Text("上限", "High"), "share", 0),
            Column("no_area", Text("没有面积", "Without an area"), "integer"),
        ),
        shown.found.kinds,
        shown,
        words={"kind": KINDS},
        note=Text("没有下级的载体，各算一次。", "Carriers with none in them, each counted once."),
    )
    blocks: tuple[Block, ...] = (
        *_aged(shown, today),
        figures,
        *_map(shown, parks, linked=linked),
        table,
        kinds,
        *(Paragraph(_told(remark), "caution") for remark in shown.found.remarks),
    )
    return Document(Text("载体", "Parks"), sentence, blocks, _lineage(shown))


def _aged(shown: desk.Parks, today: date | None) -> tuple[Paragraph, ...]:
    """That the load itself is older than a record may be."""
    spoken, limit = shown.snapshot.as_of, shown.found.max_age_days
    if today is None or (today - spoken).days <= limit:
        return ()
    text = Text(
        f"台账说的是 {spoken} 的情况，距今已超过 {limit} 天；今天的占用率未知，请导入新的台账。",
        f"The records speak of {spoken}, more than {limit} days ago: what is let today is not known. Import newer ones.",
    )
    return (Paragraph(text, "caution"),)


def _told(remark: Remark) -> Text:
    return Text(f"{remark.message.zh}{remark.hint.zh}", f"{remark.message.en} {remark.hint.en}")


def _lineage(shown: desk.Parks) -> Lineage:
    parameters = {"as_of": shown.found.as_of.isoformat(), "max_age_days": shown.found.max_age_days}
    return Lineage("assess.occupancy", "1", parameters, (shown.snapshot.input,))


def _whole(parks: pl.DataFrame) -> dict[str, float | None]:
    total, let, open_ = (float(parks[name].sum()) for name in ("total_m2", "let_m2", "open_m2"))
    decided = total - open_
    return {
        "share": let / decided if total and decided * 2 >= total and decided > 0 else None,
        "low": let / total if total else None,
        "high": min(1.0, (let + open_) / total) if total else None,
    }


def _map(shown: desk.Parks, parks: pl.DataFrame, *, linked: bool) -> tuple[Figure, ...]:
    """Parks with a place: circle by area, shade by what is known to be vacant."""
    placed = parks.drop_nulls(["lon", "lat"]).sort("total_m2", "name", descending=[True, False])
    if placed.is_empty():
        return ()
    bubbles = []
    for row in placed.head(MOST_BUBBLES).to_dicts():
        share, name = range_text(row), Text(row["name"], row["name"])
        detail = Text(f"{row['total_m2']:,.0f} m²，占用率 {share.zh}", f"{row['total_m2']:,.0f} m², {share.en} let")
        empty = row["vacant_m2"] / row["total_m2"] if row["total_m2"] else 0.0
        anchor = f"parks/{row['id']}" if linked else ""
        bubbles.append(Bubble(row["lon"], row["lat"], max(row["total_m2"], 1.0), empty, name, detail, anchor))
    extent, base = _view(placed)
    missing = parks.height - placed.height
    ticks = ((0.0, Text("0 %", "0 %")), (0.5, Text("50 %", "50 %")), (1.0, Text("100 %", "100 %")))
    legend = Legend(area=Text("面积 m²", "area, m²"), shade=Text("已知空置占比", "known to be vacant"), ticks=ticks)
    emptiest = max(bubbles, key=lambda one: one.shade)
    columns = (
        Column("name", Text("园区", "Park")),
        Column("lon", Text("经度", "Longitude"), "number", 4),
        Column("lat", Text("纬度", "Latitude"), "number", 4),
        Column("total_m2", Text("面积 m²", "Area, m²"), "number", 0),
        Column("vacant_m2", Text("空置 m²", "Vacant, m²"), "number", 0),
    )
    note = Text(f"{missing} 个没有坐标。", f"{missing} without a place.") if missing else None
    table = _table(
        "places", Text("园区位置", "Where the parks are"), columns, placed, shown, note=note, most=MOST_BUBBLES
    )
    title = (
        Text(f"空置占比最高的是{emptiest.label.zh}", f"{emptiest.label.en} has the largest vacant share")
        if emptiest.shade > 0 and len(bubbles) > 1
        else Text("园区位置", "Where the parks are")
    )
    return (
        Figure(
            "parks-map", title, Text("圆的面积：载体面积；深浅：已知空置占比", "Circle: area; shade: share known to be vacant"),
            Map(bubbles=tuple(bubbles), extent=extent, base=base, legend=legend), table,
        ),
    )  # fmt: skip


def _view(placed: pl.DataFrame) -> tuple[tuple[float, float, float, float] | None, Literal["world", "china"]]:
    """A window around the parks; all of China, or the world, where they lie far apart."""
    west, east, south, north = (
        float(placed[name].min() if least else placed[name].max())  # type: ignore[arg-type]  # numbers
        for name, least in (("lon", True), ("lon", False), ("lat", True), ("lat", False))
    )
    if max(east - west, north - south) > _WIDE_DEGREES:
        inside = west >= _CHINA[0] and east <= _CHINA[2] and south >= _CHINA[1] and north <= _CHINA[3]
        return None, "china" if inside else "world"
    reach = _REACH_KM / _KM_PER_DEGREE
    return (west - reach, max(-90.0, south - reach), east + reach, min(90.0, north + reach)), "world"


def park_document(
    workspace: Workspace, shown: desk.Parks, row: Mapping[str, Any], *, full: bool, linked: bool = False
) -> Document:
    """One park 园区报告: what is let, where, its parts, what is to let, who is in it, what was found.

    `full`: the reader may see tenants, their revenue, rents of what is let, and what was found.
    """
    told = desk.assessed(workspace)
    parks = shown.found.parks.filter(pl.col("id") == row["id"])
    wanted = sought(shown, UnitsRequest(park=row["id"]), full=full)
    blocks: list[Block] = [*_aged(shown, workspace.clock().date()), _figures(row), *_map(shown, parks, linked=False)]
    if full:
        blocks += [*(Paragraph(told_finding, "caution") for told_finding in _stale(told)), *_findings(told, row["id"])]
    blocks += [
        _parts(shown, row["id"], linked=linked),
        Section("to-let", _to_let_title(wanted), (units_table(shown, wanted),)),
    ]
    if full:
        blocks += _tenants(shown, told, row["id"], linked=linked)
    share = range_text(row)
    sentence = Text(
        f"{row['total_m2']:,.0f} m²，占用率 {share.zh}；{row['units_vacant']} 个单元空置。",
        f"{row['total_m2']:,.0f} m², {share.en} let; {row['units_vacant']} {'unit' if row['units_vacant'] == 1 else 'units'} vacant.",
    )
    return Document(
        Text(row["name"], row["name"]), sentence, tuple(blocks), told.result.lineage if told else _lineage(shown)
    )


def _stale(told: desk.Assessed | None) -> tuple[Text, ...]:
    if told is None or told.current:
        return ()
    return (
        Text(
            "以下结论和租户匹配依据的是较早的载体或登记库；请重新评估。",
            "The findings and the matching of tenants below are of an earlier load of carriers or firms: assess anew.",
        ),
    )


def _figures(row: Mapping[str, Any]) -> KeyFigures:
    median, low, high = (_both(row[name], "number") for name in ("median_days", "median_low", "median_high"))
    return KeyFigures(
        (
            KeyFigure(range_text(row), Text("占用率", "let"), Text(f"记录日期 {row['oldest']} 至 {row['newest']}", f"records of {row['oldest']} to {row['newest']}")),
            KeyFigure(_both(row["vacant_m2"]), Text("空置 m²", "vacant m²")),
            KeyFigure(_both(row["open_m2"]), Text("状态未知 m²", "m² of unknown state")),
            KeyFigure(
                median,
                Text("空置时长中位数，天", "median days of vacancy"),
                Text(
                    f"95 % 区间 {low.zh}–{high.zh}；{row['spells']} 段中 {row['ended']} 段已结束",
                    f"95 % interval {low.en} to {high.en}; {row['ended']} of {row['spells']} have ended",
                ),
            ),
        )
    )  # fmt: skip


def _findings(told: desk.Assessed | None, park_id: str) -> tuple[Block, ...]:
    if told is None:
        text = Text(
            "还没有评估是否闲置。由运营方或分析员在本页点“评估载体”。",
            "Whether it stands idle has not been assessed yet: an operator or analyst presses “Assess the parks” on this page.",
        )
        return (Section("idle", Text("载体闲置：未知", "Idle: unknown"), (Paragraph(text),)),)
    rows = told.findings(park_id)
    found = [one for one in rows if one.state == "found"]
    unknown = sum(one.state == "unknown" for one in rows)
    columns = (
        Column("title", Text("诊断", "Diagnosis")),
        Column("state", Text("结论", "Answer")),
        Column("severity", Text("轻重", "Severity")),
        Column("sentence", Text("依据", "What it stands on")),
        Column("varies", Text("什么在变", "What varies")),
        Column("action", Text("怎么办", "What to do")),
        Column("missing", Text("缺什么", "What is missing")),
    )

    told_rows: list[tuple[Cell, ...]] = [
        (
            one.title, FOUND[one.state], SEVERITY.get(one.severity or ""), one.sentence, one.varies, one.action,
            listed(one.missing),
        )
        for one in rows
    ]  # fmt: skip
    title = (
        Text(f"载体闲置：{len(found)} 项有此问题", f"Idle: {len(found)} of {len(rows)} signs found")
        if found
        else Text("载体闲置：未发现", "Idle: no sign found")
        if not unknown
        else Text(f"载体闲置：{unknown} 项未知", f"Idle: {unknown} of {len(rows)} signs unknown")
    )
    source = Text("载体台账与登记库", "carriers and the register of firms")
    as_of = str(told.values["as_of"])
    return (
        Section(
            "idle",
            title,
            (Table("findings", Text("载体闲置诊断", "Signs of idleness"), columns, told_rows, source, as_of),),
        ),
    )


def findings_of_all(shown: desk.Parks, told: desk.Assessed) -> Table:
    """What was found of every park, without what was not: found first, then unknown."""
    names = {row["id"]: row["name"] for row in shown.found.parks.select("id", "name").to_dicts()}
    rows = [one for one in told.findings() if one.state != "not_found"]
    rows.sort(key=lambda one: (one.state, one.unit, one.code))
    columns = (
        Column("park", Text("园区", "Park")),
        Column("title", Text("诊断", "Diagnosis")),
        Column("state", Text("结论", "Answer")),
        Column("severity", Text("轻重", "Severity")),
        Column("sentence", Text("依据", "What it stands on")),
        Column("action", Text("怎么办", "What to do")),
    )
    cells: list[tuple[Cell, ...]] = [
        (
            names.get(one.unit, one.unit), one.title, FOUND[one.state], SEVERITY.get(one.severity or ""), one.sentence,
            one.action,
        )
        for one in rows
    ]  # fmt: skip
    source = Text("载体台账与登记库", "carriers and the register of firms")
    title = Text("载体闲置：有此问题和未知的", "Idle carriers: found and unknown")
    return Table("idle-findings", title, columns, cells, source, str(told.values["as_of"]))


def _parts(shown: desk.Parks, park_id: str, *, linked: bool) -> Section:
    rows = parts_of(shown, park_id)
    columns = (
        Column("path", Text("位置", "Part")),
        Column("kind", Text("层级", "Kind")),
        Column("total_m2", Text("面积 m²", "Area, m²"), "number", 0),
        Column("let_m2", Text("已租 m²", "Let, m²"), "number", 0),
        Column("vacant_m2", Text("空置 m²", "Vacant, m²"), "number", 0),
        Column("open_m2", Text("未知 m²", "Unknown, m²"), "number", 0),
    )
    table = _table(
        "parts",
        Text("楼宇与楼层", "Buildings and floors"),
        columns,
        rows,
        shown,
        words={"kind": KINDS},
        note=note_of(shown),
        most=MOST_ROWS if linked else None,
    )
    count = rows.height
    return Section("parts-section", Text(f"{count} 级含下级的载体", f"{count} carriers with others in them"), (table,))


def _to_let_title(rows: pl.DataFrame) -> Text:
    area = float(rows["area_m2"].sum() or 0)
    return Text(f"可招商 {rows.height} 个单元，{area:,.0f} m²", f"{rows.height} units to let, {area:,.0f} m²")


def units_table(shown: desk.Parks, rows: pl.DataFrame, *, id_: str = "units") -> Table:
    """Units with area, rent and state; what a reader may not see is null already."""
    columns = [
        Column("path", Text("单元", "Unit")),
        Column("status", Text("状态", "State")),
        Column("area_m2", Text("面积 m²", "Area, m²"), "number", 0),
        Column("rent_cny_m2_month", Text("租金 元/m²·月", "Rent, CNY per m² and month"), "number", 1),
        Column("vacant_since", Text("空置自", "Vacant since"), "code"),
        Column("as_of", Text("记录日期", "Record of"), "code"),
    ]
    closed = [
        Column("tenant", Text("租户", "Tenant")),
        Column("contract", Text("合同", "Contract"), "code"),
        Column("let_to", Text("到期", "Lease ends"), "code"),
    ]
    columns += [column for column in closed if rows[column.key].count()]
    return _table(id_, Text("单元清单", "Units"), tuple(columns), rows, shown, words={"status": STATES})


def _tenants(shown: desk.Parks, told: desk.Assessed | None, park_id: str, *, linked: bool) -> list[Block]:
    if told is None:
        return []
    rows = told.of("tenants", park_id)
    links = tuple(f"firms/{id_}" if id_ and linked else "" for id_ in rows["organisation"])
    columns = (
        Column("tenant", Text("租户", "Tenant")),
        Column("by", Text("对上登记库的依据", "Matched by")),
        Column("units", Text("单元", "Units"), "integer"),
        Column("area_m2", Text("面积 m²", "Area, m²"), "number", 0),
        Column("titles", Text("称号", "Titles")),
    )
    as_of = str(told.values["as_of"])
    table = _table(
        "tenants",
        Text("租户", "Tenants"),
        columns,
        rows,
        shown,
        words={"by": MATCHED},
        as_of=as_of,
        links=links if any(links) else (),
        most=MOST_ROWS if linked else None,
    )
    matched = rows["organisation"].count()
    title = Text(
        f"{rows.height} 家租户，{matched} 家对上登记库", f"{rows.height} tenants, {matched} of them in the register"
    )
    blocks: list[Block] = [table]
    titles = told.of("titles", park_id)
    if titles.height:
        held = (
            Column("title", Text("称号", "Title")),
            Column("titled", Text("有此称号", "With it"), "integer"),
            Column("known", Text("有记录", "On record"), "integer"),
            Column("tenants", Text("租户", "Tenants"), "integer"),
            Column("share", Text("占比", "Share"), "share", 0),
            Column("low", Text("下限", "Low"), "share", 0),
            Column("high", Text("上限", "High"), "share", 0),
        )
        note = Text(
            "占比按有记录的租户计；范围为其余都没有到都有。",
            "The share is of tenants on record; the range: none, or all, of the others.",
        )
        blocks.append(
            _table(
                "titles",
                Text("规上、高新、专精特新租户", "Above-scale, high-tech and SRDI tenants"),
                held,
                titles,
                shown,
                words={"title": TITLE_NAMES},
                note=note,
                as_of=as_of,
            )
        )
    output = told.of("output", park_id)
    if output.height and output["counted"][0]:
        made = (
            Column("cny_m2", Text("营业收入 元/m²", "Revenue, CNY per m²"), "number", 0),
            Column("counted", Text("计入租户", "Tenants counted"), "integer"),
            Column("tenants", Text("租户", "Tenants"), "integer"),
            Column("area_m2", Text("面积 m²", "Area, m²"), "number", 0),
        )
        note = Text(
            "企业的全部营业收入按其租用面积分摊到各园区，包括在别处取得的：是上界。",
            "All revenue of a firm, dealt to parks by the area that it rents, with what it earns elsewhere: an upper bound.",
        )
        blocks.append(
            _table("output", Text("单位面积产出", "Output per area"), made, output, shown, note=note, as_of=as_of)
        )
    return [Section("tenants-section", title, tuple(blocks))]
