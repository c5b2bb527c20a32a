"""Words, numbers and pictures that the atlas's documents share 共用文字与图."""

from __future__ import annotations

import math
from typing import Any
from urllib.parse import quote

import polars as pl
import shapely
from shapely.geometry.base import BaseGeometry

from jiqun.atlas.outline import rings
from jiqun.atlas.subject import Subject
from jiqun.core.document import Bubble, Cell, Column, Figure, Legend, Map, Shape, Table, Text
from jiqun.core.errors import JiqunError
from jiqun.report.formats import ratio_number
from jiqun.taxonomy import name as class_name

MAP_POINTS = 1000
RATIO_SHADE = 50.0
MAP_REACH_KM = 15.0
KM_PER_DEGREE = 111.2
SCALE = Legend(
    area=Text("企业数", "firms"),
    shade=Text("相对期望的倍数", "ratio to expectation"),
    ticks=(
        *((math.log(r, RATIO_SHADE), Text(f"×{r}", f"×{r}")) for r in (1, 3, 12)),
        (1.0, Text("×50 以上", "×50 and more")),
    ),
)

_PLACED_BY = {
    "coordinates": Text("给出的坐标", "coordinates given"),
    "region_code": Text("行政区划代码", "division code"),
    "city": Text("城市", "city"),
    "address": Text("地址", "address"),
    "postcode": Text("邮政编码", "postcode"),
    "name": Text("企业名称", "name of the firm"),
    "region": Text("省(州)", "province or state"),
    "country": Text("国家或地区", "country or region"),
}


def placed_by_text(code: str | None) -> Text:
    """What placed firms on the map, by its code in the table."""
    return Text("未能定位", "not placed") if code is None else _PLACED_BY.get(code, Text(code, code))


def plural(count: int, noun: str) -> str:
    """A count with its noun: 1 firm, 2 firms."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def times(row: dict[str, Any]) -> Text:
    """How far a cluster is beyond the expectation."""
    if row["ratio"] is None:
        return Text("没有背景可比", "with no background to compare")
    ratio = ratio_number(row["ratio"])
    return Text(f"为期望的 {ratio} 倍", f"{ratio} times the expectation")


def shade(ratio: float | None) -> float:
    """0 at the expectation to 1 at fifty times it, by logarithm."""
    if ratio is None:
        return 1.0
    return min(1.0, max(0.0, math.log(ratio, RATIO_SHADE)))


def class_text(row: dict[str, Any]) -> Text:
    """A sentence on the leading class of a cluster; nothing where classes are not known."""
    code = row.get("digital_code")
    if code is None:
        return Text("", "")
    share = row["class_share"]
    return Text(
        f"主导类别：{class_name(code, 'zh')}({share:.0%})。",
        f"Leading class: {class_name(code, 'en')} ({share:.0%}). ".replace("%", " %"),
    )


def place_text(point: dict[str, Any]) -> Text:
    """The name of the place that a row carries."""
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


def percent(share: float) -> Text:
    """A share in whole per cent."""
    return Text(f"{share:.0%}", f"{share:.0%}".replace("%", "\u00a0%"))


def name_text(row: dict[str, Any]) -> Text:
    """A row's name in both languages."""
    return Text(row["name_zh"], row["name_en"])


def class_name_text(code: str | None) -> Text:
    """A class of the digital classification by its code; one that is not of this edition by the code itself."""
    if code is None:
        return Text("未知", "not known")
    try:
        return Text(class_name(code, "zh"), class_name(code, "en"))
    except JiqunError:
        return Text(code, code)


def places_of(members: pl.DataFrame) -> pl.DataFrame:
    """lon, lat, n and the place's names, most members first."""
    names = [c for c in ("place_name", "place_name_zh") if c in members.columns]
    return (
        members.group_by("lon", "lat")
        .agg(pl.len().alias("n"), *(pl.col(c).drop_nulls().first() for c in names))
        .sort("n", "lon", "lat", descending=[True, False, False])
    )


def towns_of(places: pl.DataFrame) -> pl.DataFrame:
    """place_name, place_name_zh, n: the places of one name together, most members first."""
    if "place_name" not in places.columns:
        return pl.DataFrame(schema={"place_name": pl.String, "place_name_zh": pl.String, "n": pl.Int64})
    return (
        places.drop_nulls("place_name")
        .group_by("place_name", "place_name_zh", maintain_order=True)
        .agg(pl.col("n").sum())
        .sort("n", descending=True, maintain_order=True)
    )


def members_map(row: dict[str, Any], places: pl.DataFrame, towns: pl.DataFrame, table: Table) -> Figure:
    """Where the members of a cluster are (`places_of`, `towns_of`), and its outline."""
    bubbles = tuple(
        Bubble(
            lon=point["lon"],
            lat=point["lat"],
            area=float(point["n"]),
            shade=0.5,
            label=place_text(point),
            detail=Text(f"{point['n']:,} 家", plural(point["n"], "firm")),
        )
        for point in places.head(MAP_POINTS).to_dicts()
    )
    hull = shapely.from_wkt(row["hull_wkt"])
    outline = rings(hull)
    shapes = (Shape(outline, Text("", "")),) if outline else ()
    top = (towns if towns.height else places).row(0, named=True)
    busiest, share = place_text(top), percent(top["n"] / places["n"].sum())
    return Figure(
        id=f"{row['cluster_id']}-map",
        title=Text(
            f"{share.zh} 的成员位于{busiest.zh or '同一处'}",
            f"{share.en} of the members are at {busiest.en or 'one place'}",
        ),
        subtitle=Text(
            "圆的面积：企业数；轮廓：成员的凸包", "Area of a circle: firms; outline: convex hull of the members"
        ),
        mark=Map(bubbles=bubbles, shapes=shapes, extent=_extent(hull, row)),
        table=table,
    )


def largest_table(
    row: dict[str, Any], largest: pl.DataFrame, subject: Subject, size: str | None, as_of: str, *, linked: bool = False
) -> Table:
    """The largest members of a cluster; with `size` None by name and without a size."""
    columns = [Column("name", Text("企业", "Firm")), Column("city", Text("城市(原文)", "City as given"))]
    if size:
        columns.append(Column(size, subject.size or Text("规模", "Size"), "integer"))
    else:
        largest = largest.sort("name")
    keys = [c.key for c in columns]
    rows: list[tuple[Cell, ...]] = [tuple(r.get(k) for k in keys) for r in largest.to_dicts()]
    by = Text("按规模排列", "by size") if size else Text("按名称排列", "by name")
    title = Text(f"前 {len(rows)} 名成员，{by.zh}", f"First {len(rows)} members, {by.en}")
    links = tuple(f"firms/{quote(firm, safe='')}" for firm in largest["id"]) if linked else ()
    return Table(f"{row['cluster_id']}-largest", title, tuple(columns), rows, subject.register, as_of, links=links)
