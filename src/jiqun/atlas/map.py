"""The map as a question 地图视图: clusters, firms or regions of a run, on the world or on China, whole or a part.

What is drawn follows from the request alone, so that every view has an address. Firms are points up to `MOST_POINTS`,
above that counts in cells; who may not see firms' exact places sees cells only, and none finer than `LEAST_DEGREES`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal

import polars as pl
from pydantic import Field

from jiqun.atlas.documents.tables import clusters_table
from jiqun.atlas.documents.words import SCALE, name_text, plural, shade, times
from jiqun.atlas.listing import country_text
from jiqun.atlas.located import CHINA, Base, by_province, cells_on, gazetteer, located
from jiqun.atlas.operations import RegionCode, RunRow, clusters_frame, clusters_in, run_row
from jiqun.atlas.reading import READERS, Run, Which, find_run, sees_all
from jiqun.atlas.room import ROOM
from jiqun.atlas.subject import Subject, subject_of
from jiqun.core.actor import Actor
from jiqun.core.arrays import Booleans
from jiqun.core.document import Area, Bubble, Choropleth, Column, Figure, Legend, Map, Table, Text
from jiqun.core.errors import UsageError
from jiqun.core.operation import Model
from jiqun.report import china
from jiqun.report.bins import grid
from jiqun.report.choropleth import quantile_breaks
from jiqun.report.maps import panels
from jiqun.report.official import official
from jiqun.store import Workspace

Layer = Literal["clusters", "firms", "regions"]
Extent = tuple[float, float, float, float]
MOST_POINTS = 10_000
LEAST_DEGREES = 0.5
"""Who may not see firms' exact places gets no view that is lower than this: a cell is then about a kilometre wide.
Nor may they choose its edges, or a firm could be found by moving them until it is gone."""
NARROWEST, WIDEST = 0.02, 120.0
ROWS = 50
_NUMBER = r"-?\d{1,3}(\.\d{1,6})?"
_FIRST_WIDTH = 40.0


class MapRequest(Which):
    """What to draw: of which run, where, which layer, and which of its marks."""

    view: Annotated[Literal["auto", "world", "china"], Field(description="auto: where most firms are")] = "auto"
    layer: Layer = "clusters"
    measure: Annotated[Literal["firms", "lq"], Field(description="what shades the regions")] = "firms"
    country: Annotated[str | None, Field(pattern=r"^[A-Z]{2}$", description="ISO code")] = None
    region: RegionCode | None = None
    min_firms: Annotated[int | None, Field(ge=0, le=10**9, description="clusters or regions with at least")] = None
    bbox: Annotated[
        str | None,
        Field(pattern=rf"^{_NUMBER}(,{_NUMBER}){{3}}$", description="a part: west,south,east,north in degrees"),
    ] = None


class MapFeature(Model):
    """One mark: a cluster, a region, or a place with its firms. `ratio`: to expectation, or the location quotient."""

    id: str
    name_zh: str
    name_en: str
    lon: float | None
    lat: float | None
    firms: int
    ratio: float | None


class MapAnswer(Model):
    """What a map shows 地图内容; `extent` None is all of the base, `total` counts marks before the first ones were taken."""

    run: RunRow
    base: Base
    layer: Layer
    extent: Extent | None
    total: int
    features: tuple[MapFeature, ...]


@dataclass(frozen=True)
class MapView:
    """A map drawn: the figure with its table, and what it shows."""

    run: Run
    base: Base
    extent: Extent | None
    figure: Figure
    features: tuple[MapFeature, ...]
    total: int


@ROOM.operation("map", "地图", "Map", roles=READERS)
def map_answer(actor: Actor, workspace: Workspace, request: MapRequest) -> MapAnswer:
    """The marks of a map: clusters, places of firms, or regions."""
    view = map_view(actor, workspace, request)
    return MapAnswer(
        run=run_row(workspace, view.run),
        base=view.base,
        layer=request.layer,
        extent=view.extent,
        total=view.total,
        features=view.features,
    )


def map_view(actor: Actor, workspace: Workspace, request: MapRequest) -> MapView:
    """The map that a request asks for 地图视图.

    Raises
    ------
    PermissionDeniedError
        JQ-USE-002: the actor may not see maps.
    UsageError
        JQ-MAP-002: the part is not one; JQ-ATLAS-017: no run as of that date.
    WorkspaceError
        JQ-ATLAS-013: no search has been run yet; JQ-MAP-001: the official base map cannot be used.
    """
    map_answer.check(actor, request)
    run = find_run(workspace, request)
    exact = sees_all(actor)
    extent = parsed(request.bbox)
    if extent is not None and request.layer == "firms" and not exact:
        extent = _coarse(extent)
    base: Base = request.view if request.view != "auto" else home(run)
    maker = _Maker(workspace, run, request, base, extent, subject_of(workspace, run.result), exact=exact)
    figure, features, total = {"clusters": maker.clusters, "firms": maker.firms, "regions": maker.regions}[
        request.layer
    ]()
    return MapView(run, base, extent, figure, features, total)


def home(run: Run) -> Base:
    """The base on which most of a run's clustered firms lie."""
    table = run.clusters
    if table.is_empty():
        table = run.table("regions").rename({"region": "country"}) if "regions" in run.result.tables else table
    inside = table.filter(pl.col("country").str.slice(0, 2).is_in(CHINA))["firms"].sum()
    return "china" if 2 * inside > table["firms"].sum() else "world"


def parsed(bbox: str | None) -> Extent | None:
    """A part from its text, west to east perhaps across the antimeridian.

    Raises
    ------
    UsageError
        JQ-MAP-002.

    Examples
    --------
    >>> parsed("113,22,115,24")
    (113.0, 22.0, 115.0, 24.0)
    """
    if bbox is None:
        return None
    west, south, east, north = map(float, bbox.split(","))
    across = east - west + (360 if east < west else 0)
    if not (-180 <= west <= 180 and -180 <= east <= 180 and -90 <= south < north <= 90 and across > 0):
        raise UsageError("JQ-MAP-002", value=bbox)
    return west, south, east, north


def written(extent: Extent | None) -> str | None:
    """A part as it stands in an address."""
    return None if extent is None else ",".join(f"{round(edge, 4):g}" for edge in extent)


def moved(extent: Extent, *, zoom: float = 1.0, right: float = 0.0, up: float = 0.0) -> Extent | None:
    """A part made smaller (`zoom` > 1) or larger, or moved by shares of its size; None where all should be shown.

    Examples
    --------
    >>> moved((100.0, 20.0, 120.0, 40.0), zoom=2), moved((100.0, 20.0, 120.0, 40.0), right=0.5)
    ((105.0, 25.0, 115.0, 35.0), (110.0, 20.0, 130.0, 40.0))
    """
    west, south, east, north = extent
    wide, high = east - west + (360 if east < west else 0), north - south
    lon, lat = west + wide / 2 + right * wide, (south + north) / 2 + up * high
    wide, high = max(wide / zoom, NARROWEST), max(high / zoom, NARROWEST)
    if wide > WIDEST or high > WIDEST:
        return None
    lat = min(max(lat, -85 + high / 2), 85 - high / 2)
    return _turned(lon - wide / 2), lat - high / 2, _turned(lon + wide / 2), lat + high / 2


def around(features: Sequence[MapFeature]) -> Extent:
    """A first part to look closer at: around the largest mark."""
    placed = [feature for feature in features if feature.lon is not None]
    if not placed:
        return -20.0, -20.0, 20.0, 20.0
    largest = max(placed, key=lambda feature: feature.firms)
    return near(largest.lon or 0.0, largest.lat or 0.0, _FIRST_WIDTH / 2)


def unlinked(figure: Figure) -> Figure:
    """The figure for a file of its own, where links of the console lead nowhere."""
    drawn = figure.mark
    if isinstance(drawn, Map):
        shaded = drawn.areas and replace(drawn.areas, areas=tuple(replace(a, anchor="") for a in drawn.areas.areas))
        drawn = replace(drawn, bubbles=tuple(replace(b, anchor="") for b in drawn.bubbles), areas=shaded)
    return replace(figure, mark=drawn, table=replace(figure.table, links=()))


NEAR = 1.5
"""Degrees to each side of a cluster that a map around it shows."""


def near(lon: float, lat: float, reach: float = NEAR) -> Extent:
    """A part around a point, `reach` degrees to each side and two thirds of it up and down."""
    high = reach * 0.66
    lat = min(max(lat, -85 + high), 85 - high)
    return _turned(lon - reach), lat - high, _turned(lon + reach), lat + high


def _turned(lon: float) -> float:
    return (lon + 180) % 360 - 180


def _coarse(extent: Extent) -> Extent:
    """The next larger of a few sizes, moved to a multiple of half of it."""
    west, south, east, north = extent
    wide, high = (_step(size) for size in (east - west + (360 if east < west else 0), north - south))
    west, south = (round(2 * edge / size) * size / 2 for edge, size in ((west, wide), (south, high)))
    return _turned(west), max(south, -90.0), _turned(west + wide), min(south + high, 90.0)


def _step(degrees: float) -> float:
    return LEAST_DEGREES * 2.0 ** max(0, math.ceil(math.log2(degrees / LEAST_DEGREES)))


@dataclass(frozen=True)
class _Maker:
    workspace: Workspace
    run: Run
    request: MapRequest
    base: Base
    extent: Extent | None
    subject: Subject
    exact: bool

    def _map(self, **marks: Any) -> Map:
        approved = official(Path(self.workspace.path)) if self.base == "china" else None
        return Map(base=self.base, extent=self.extent, official=approved, **marks)

    def _inside(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Rows with a country that the base and the request ask for."""
        if self.base == "china":
            frame = frame.filter(pl.col("country").is_in(CHINA))
        if self.request.country is not None:
            frame = frame.filter(pl.col("country") == self.request.country)
        return frame

    def clusters(self) -> tuple[Figure, tuple[MapFeature, ...], int]:
        frame = self._inside(clusters_frame(self.workspace, self.run))
        if self.request.region is not None:
            held = clusters_in(self.workspace, self.run, self.request.region)
            frame = frame.filter(pl.col("cluster_id").is_in(held))
        if self.request.min_firms is not None:
            frame = frame.filter(pl.col("firms") >= self.request.min_firms)
        if self.extent is not None:  # what is said of a part, and its table, are of that part
            at = frame["lon"].to_numpy(), frame["lat"].to_numpy()
            (view,) = panels(Map(base=self.base, extent=self.extent))
            frame = frame.filter(pl.Series(view.shows(*at), dtype=pl.Boolean))
        rows = frame.to_dicts()
        bubbles = tuple(
            Bubble(
                lon=row["lon"],
                lat=row["lat"],
                area=float(row["firms"]),
                shade=shade(row["ratio"]),
                label=name_text(row),
                detail=Text(
                    f"{row['firms']:,} 家，{times(row).zh}", f"{plural(row['firms'], 'firm')}, {times(row).en}"
                ),
                anchor=f"clusters/{row['cluster_id']}",
            )
            for row in rows
        )
        names = [name_text(row) for row in rows[:3]]
        title = (
            Text(
                "最突出的集群：" + "、".join(name.zh for name in names),
                "The clusters that stand out most: " + ", ".join(name.en for name in names),
            )
            if names
            else Text("没有符合条件的集群", "No cluster meets the conditions")
        )
        table = clusters_table(
            "map-table",
            Text(f"图上的集群（{len(rows)} 个）", f"Clusters on the map ({len(rows)})"),
            rows,
            self.subject,
            self.run.as_of,
            linked=True,
        )
        subtitle = Text(
            "圆的面积：企业数；深浅：相对期望的倍数", "Area of a circle: firms; shade: ratio to expectation"
        )
        features = tuple(_feature({**row, "id": row["cluster_id"]}) for row in rows)
        return Figure("map", title, subtitle, self._map(bubbles=bubbles, legend=SCALE), table), features, len(rows)

    def _firms(self) -> pl.DataFrame:
        firms = located(self.workspace, self.run)
        if firms is None:
            raise UsageError("JQ-MAP-003", as_of=self.run.as_of)
        return firms

    def firms(self) -> tuple[Figure, tuple[MapFeature, ...], int]:
        firms = self._firms()
        chosen = self._chosen(firms)
        if self.extent is None:
            on = cells_on(self.workspace, self.run, self.base)
        else:
            views = panels(Map(base=self.base, extent=self.extent))
            on = grid(firms["lon"].to_numpy(), firms["lat"].to_numpy(), views)
        assert on is not None  # noqa: S101  # there are firms, so there are their cells
        chosen &= on.of >= 0
        count = int(chosen.sum())
        shown = firms.filter(pl.Series(chosen))
        if count <= MOST_POINTS and self.exact:
            drawn = self._map(
                points=shown.select("lon", "lat").rows(), legend=Legend(point=Text("一家企业", "one firm"))
            )
            subtitle = Text("每点一家企业", "A dot for each firm")
        else:
            drawn = self._map(cells=on.count(chosen))
            subtitle = Text("每格的企业数", "Firms per cell")
        rows = self._places(shown)
        if rows:
            title = Text(
                f"图上 {count:,} 家企业，{rows[0]['name_zh']}最多",
                f"{plural(count, 'firm')} on the map, most of them near {rows[0]['name_en']}",
            )
        else:
            title = Text("此处没有企业", "No firm is here")
        columns = (
            Column("place", Text("最近的地点", "Nearest place")),
            Column("country", Text("国家或地区", "Country or region")),
            Column("firms", Text("企业数", "Firms"), "integer"),
        )
        cells = [(name_text(row), country_text(row["country"]), row["firms"]) for row in rows]
        many = f"{len(rows)}"
        heading = Text(f"企业最多的 {many} 个地点", f"The {many} places with most firms")
        table = Table("map-table", heading, columns, cells, self.subject.register, self.run.as_of)
        return Figure("map", title, subtitle, drawn, table), tuple(_feature(row) for row in rows), count

    def _chosen(self, firms: pl.DataFrame) -> Booleans:
        """Which firms the base and the filters ask for."""
        wanted = [pl.col("country").is_in(CHINA)] if self.base == "china" else []
        if self.request.country is not None:
            wanted.append(pl.col("country") == self.request.country)
        if self.request.region is not None:
            country, _, admin1 = self.request.region.partition(".")
            wanted.append(pl.col("country") == country)
            wanted += [pl.col("admin1") == admin1] if admin1 else []
        kept = pl.all_horizontal(pl.col("lon").is_not_null(), *wanted).fill_null(value=False)
        return firms.select(kept=kept)["kept"].to_numpy().copy()

    def _places(self, firms: pl.DataFrame) -> list[dict[str, Any]]:
        """The places with most firms."""
        held = (
            firms.group_by("place")
            .len("firms")
            .with_columns(pl.col("place").cast(pl.String), pl.col("firms").cast(pl.Int64))
            .sort("firms", "place", descending=[True, False])
            .head(ROWS)
        )
        places = gazetteer(self.workspace.cache).places.select(
            "name_zh", "country", "lon", "lat", place="place_id", name_en="name", id="place_id"
        )
        named = held.join(places, on="place", how="left", maintain_order="left")
        return named.with_columns(name_zh=pl.coalesce("name_zh", "name_en"), ratio=pl.lit(None, pl.Float64)).to_dicts()

    def regions(self) -> tuple[Figure, tuple[MapFeature, ...], int]:
        return self._provinces() if self.base == "china" else self._countries()

    def _provinces(self) -> tuple[Figure, tuple[MapFeature, ...], int]:
        table = by_province(self._firms(), self.workspace.cache)
        ratios = self._ratios("region")
        table = table.with_columns(ratio=pl.col("region").replace_strict(ratios, default=None, return_dtype=pl.Float64))
        rows = table.sort("firms", "code", descending=[True, False]).to_dicts()
        least = self.request.min_firms or 0
        by_ratio = self.request.measure == "lq" and bool(ratios)
        values = {row["code"]: row["ratio"] if by_ratio else row["firms"] for row in rows if row["firms"] >= least}
        areas = tuple(
            Area(
                row["code"],
                None if values.get(row["code"]) is None else float(values[row["code"]]),
                name_text(row),
                _province_detail(row),
                f"regions/{row['region']}" if row["region"] in ratios else f"map?layer=firms&region={row['region']}",
            )
            for row in rows
        )
        known = [area.value for area in areas if area.value is not None]
        if by_ratio:
            measure, kind = Text("收缩后的区位熵", "Shrunken location quotient"), "number"
            top = max(rows, key=lambda row: row["ratio"] or 0.0)
            title = Text(
                f"相对人口，{top['name_zh']}的企业最密", f"Relative to population, {top['name_en']} has most firms"
            )
        else:
            measure, kind = Text("企业数", "Firms"), "integer"
            top = rows[0]
            title = Text(
                f"{top['name_zh']}的企业最多：{top['firms']:,} 家",
                f"{top['name_en']} has most firms: {top['firms']:,}",
            )
        shaded = Choropleth(areas, quantile_breaks(known), measure, kind, 2)  # type: ignore[arg-type]
        subtitle = Text(
            f"省级行政区；{measure.zh}，按分位数分级", f"Provinces; {measure.en.lower()}, in classes of equal number"
        )
        columns = (
            Column("name", Text("省级行政区", "Province")),
            Column("firms", Text("企业数", "Firms"), "integer"),
            Column("lq_shrunk", Text("区位熵（收缩后）", "Location quotient, shrunken"), "number", 2),
            Column("code", Text("行政区划代码", "Division code"), "code"),
        )
        cells = [(name_text(row), row["firms"], row["ratio"], row["code"]) for row in rows]
        twin = Table(
            "map-table", Text("各省级行政区", "Provinces"), columns, cells, self.subject.register, self.run.as_of,
            links=tuple(area.anchor for area in areas),
        )  # fmt: skip
        at = {division.code: division.at for division in china.builtin().divisions}
        features = tuple(
            _feature({**row, "id": row["region"], "lon": at[row["code"]][0], "lat": at[row["code"]][1]}) for row in rows
        )
        return Figure("map", title, subtitle, self._map(areas=shaded), twin), features, len(rows)

    def _ratios(self, level: str) -> dict[str, float | None]:
        """Shrunken location quotients by region, where the run profiled regions of that level."""
        profile = self.run.regions
        if profile is None or profile.is_empty() or profile.item(0, "level") != level:
            return {}
        return dict(profile.select("region", "lq_shrunk").iter_rows())

    def _countries(self) -> tuple[Figure, tuple[MapFeature, ...], int]:
        counts = (
            self._inside(self._firms())
            .group_by(pl.col("country").cast(pl.String))
            .len("firms")
            .with_columns(pl.col("firms").cast(pl.Int64))
            .filter(pl.col("firms") >= (self.request.min_firms or 0))
            .sort("firms", "country", descending=[True, False])
        )
        areas = gazetteer(self.workspace.cache).areas.filter(pl.col("area_id").str.starts_with("country:"))
        rows = counts.join(areas.select("country", "lon", "lat"), on="country", maintain_order="left").to_dicts()
        ratios = self._ratios("country")
        for row in rows:
            row |= {"name_zh": country_text(row["country"]).zh, "name_en": country_text(row["country"]).en}
            row |= {"id": row["country"], "ratio": ratios.get(row["country"])}
        bubbles = tuple(
            Bubble(
                row["lon"],
                row["lat"],
                float(row["firms"]),
                _lq_shade(row["ratio"]),
                name_text(row),
                _province_detail(row),
                f"regions/{row['country']}" if row["country"] in ratios else "",
            )
            for row in rows
        )
        scale = Legend(
            area=Text("企业数", "firms"),
            shade=Text("区位熵（收缩后）", "location quotient, shrunken"),
            ticks=tuple((_lq_shade(value), Text(f"{value:g}", f"{value:g}")) for value in (0.25, 1.0, 4.0)),
        )
        title = (
            Text(f"{rows[0]['name_zh']}的企业最多：{rows[0]['firms']:,} 家", f"{rows[0]['name_en']} has most firms: {rows[0]['firms']:,}")
            if rows
            else Text("此处没有企业", "No firm is here")
        )  # fmt: skip
        columns = (
            Column("name", Text("国家或地区", "Country or region")),
            Column("firms", Text("企业数", "Firms"), "integer"),
            Column("lq_shrunk", Text("区位熵（收缩后）", "Location quotient, shrunken"), "number", 2),
            Column("country", Text("代码", "Code"), "code"),
        )
        cells = [(name_text(row), row["firms"], row["ratio"], row["country"]) for row in rows]
        twin = Table(
            "map-table", Text("各国家和地区", "Countries and regions"), columns, cells, self.subject.register,
            self.run.as_of, links=tuple(bubble.anchor for bubble in bubbles),
        )  # fmt: skip
        subtitle = Text("圆的面积：企业数；圆心：人口中心", "Area of a circle: firms; its centre: where people live")
        features = tuple(_feature(row) for row in rows)
        return Figure("map", title, subtitle, self._map(bubbles=bubbles, legend=scale), twin), features, len(rows)


def _feature(row: dict[str, Any]) -> MapFeature:
    return MapFeature(**{name: row[name] for name in MapFeature.model_fields})


def _province_detail(row: dict[str, Any]) -> Text:
    said = Text(f"{row['firms']:,} 家", plural(row["firms"], "firm"))
    if row["ratio"] is None:
        return said
    return Text(f"{said.zh}，区位熵 {row['ratio']:.2f}", f"{said.en}, location quotient {row['ratio']:.2f}")


def _lq_shade(value: float | None) -> float:
    """0 at a quarter of the overall share to 1 at four times it, by logarithm."""
    return 0.5 if not value else min(1.0, max(0.0, (math.log(value, 4) + 1) / 2))
