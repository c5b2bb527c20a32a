"""Where a row's own words and codes say that it is; `jiqun.intake.place` compares that with given coordinates."""

from __future__ import annotations

from typing import Final

import polars as pl

from jiqun.intake._geo import distance_km
from jiqun.intake._place_han import find_units
from jiqun.intake._place_words import GREATER_CHINA, find_misspelt, find_places, find_regions
from jiqun.intake.gazetteer import Gazetteer

PRECISION_KM: Final = {
    "county": 10.0,  # by region code or name; the point is the seat
    "city": 10.0,  # by name; the point is the centre
    "prefecture": 30.0,  # by region code, which leaves open in which county
    "name": 30.0,  # the place that an organisation is named after
}
"""Within how many km a point is right 精度. Regions and countries: the distance within which 95 % of their people live."""

INPUTS = ("country", "region_code", "region", "city", "address", "name")
FOUND = ("found_lon", "found_lat", "precision_km", "place_id", "place_name", "place_name_zh", "placed_by")

_ORDER = ("region_code", "city", "address", "name", "region", "country")
_CITY, _REGION, _ADDRESS, _NAME = range(4)
_APART_KM = 100.0
_WELL_KNOWN = 5.0
"""People (decimal logarithm) of a place that a name other than its first, or a firm's name, may stand for."""


def resolve(rows: pl.DataFrame, gazetteer: Gazetteer) -> pl.DataFrame:
    """Place every row by the finest evidence that its `INPUTS` hold; equal rows are resolved once.

    Parameters
    ----------
    rows
        row, and the `INPUTS` as text; country as a code.
    gazetteer
        Where names and codes are looked up.

    Returns
    -------
    row and `FOUND`, for the rows that anything places.
    """
    combos = rows.select(INPUTS).unique(maintain_order=True).with_row_index("id")
    by_code = _by_code(combos, gazetteer)
    rest = combos.join(by_code.filter(pl.col("precision_km") <= PRECISION_KM["county"]), on="id", how="anti")
    evidence = [by_code, _by_han(rest, gazetteer), _by_words(rest, gazetteer), _by_country(combos, gazetteer)]
    rank = pl.col("placed_by").replace_strict({by: i for i, by in enumerate(_ORDER)}, return_dtype=pl.Int8)
    best = (
        pl.concat(evidence)
        .with_columns(rank=rank)
        .sort("id", "precision_km", "rank", "place_id")
        .unique("id", keep="first", maintain_order=True)
    )
    placed = combos.join(best, on="id").select(*INPUTS, *FOUND)
    return rows.select("row", *INPUTS).join(placed, on=list(INPUTS), nulls_equal=True).select("row", *FOUND)


def _by_code(combos: pl.DataFrame, gazetteer: Gazetteer) -> pl.DataFrame:
    """By GB/T 2260 code; of a county that the table does not know, its prefecture, then its province."""
    codes = combos.select("id", code=pl.col("region_code").str.slice(0, 6))
    codes = codes.filter(pl.col("code").str.contains(r"^\d{6}$"))
    coarser = [
        codes.select(
            "id", pl.col("code").str.slice(0, n).str.pad_end(6, "0").alias("region_code"), pl.lit(n).alias("n")
        )
        for n in (6, 4, 2)
    ]
    found = pl.concat(coarser).join(_unit_places(gazetteer, prefecture_km=PRECISION_KM["prefecture"]), on="region_code")
    found = found.sort("id", "n", descending=[False, True]).unique("id", keep="first", maintain_order=True)
    return found.select("id", *FOUND[:-1], pl.lit("region_code").alias("placed_by"))


def _by_han(combos: pl.DataFrame, gazetteer: Gazetteer) -> pl.DataFrame:
    """By the divisions of China that Chinese text names; a firm's name counts where the address says nothing."""
    chinese = combos.filter(pl.col("country").is_null() | pl.col("country").is_in(GREATER_CHINA))
    head = pl.concat_str("region", "city", separator=" ", ignore_nulls=True)
    start = pl.col("name").str.replace_all(r"[(（)）]", "").str.slice(0, 10)
    lines = [
        chinese.select("id", "country", pl.lit(field).alias("field"), text.alias("text"))
        for field, text in ((_CITY, head), (_ADDRESS, pl.col("address")), (_NAME, start))
    ]
    texts = pl.concat(lines).filter(pl.col("text").str.contains(r"\p{Han}"))
    units = _unit_places(gazetteer, prefecture_km=PRECISION_KM["city"])
    found = find_units(texts, gazetteer).join(units, on="region_code")
    by_name = pl.col("field") == _NAME
    by = (
        pl.when(by_name)
        .then(pl.lit("name"))
        .when(pl.col("level") == "province")
        .then(pl.lit("region"))
        .when(pl.col("field") == _CITY)
        .then(pl.lit("city"))
        .otherwise(pl.lit("address"))
    )
    no_finer_than = pl.when(by_name).then(PRECISION_KM["name"]).otherwise(0.0)
    return found.with_columns(placed_by=by, precision_km=pl.max_horizontal("precision_km", no_finer_than)).select(
        "id", *FOUND
    )


def _unit_places(gazetteer: Gazetteer, *, prefecture_km: float) -> pl.DataFrame:
    level = {"county": PRECISION_KM["county"], "city": prefecture_km}
    by_level = pl.col("level").replace_strict(level, default=None, return_dtype=pl.Float64)
    return gazetteer.units.select(
        "region_code",
        "level",
        pl.coalesce("radius_km", by_level).alias("precision_km"),
        "place_id",
        found_lon="lon",
        found_lat="lat",
        place_name="name",
        place_name_zh="name_zh",
    )


def _by_words(combos: pl.DataFrame, gazetteer: Gazetteer) -> pl.DataFrame:
    """By the names of places in city, region, address and name; the address is read only where the city leaves doubt."""
    lines = combos.with_columns(pl.col("country").fill_null(""))
    heads = lines.select("country", "region", "city").unique(maintain_order=True).with_row_index("head")
    lines = lines.join(heads, on=["country", "region", "city"], nulls_equal=True, maintain_order="left")

    head_texts = _texts(heads.rename({"head": "id"}), {"city": _CITY, "region": _REGION})
    head_regions = find_regions(head_texts, gazetteer)
    hits = find_places(head_texts, head_regions, gazetteer)
    unknown = head_texts.join(hits, on="id", how="anti")
    misspelt = find_misspelt(unknown.filter(pl.col("field") == _CITY), head_regions, gazetteer)
    unknown = unknown.join(misspelt, on="id", how="anti").with_columns(country=pl.lit(""))
    abroad = find_places(unknown, head_regions.clear(), gazetteer).filter("primary", pl.col("score") >= _WELL_KNOWN)
    hits = pl.concat([hits, misspelt, abroad])
    city = pl.concat([hits.filter(pl.col("field") == field) for field in (_CITY, _REGION)])
    city = city.unique("id", keep="first", maintain_order=True).drop("field").rename({"id": "head"})
    regions = lines.select("id", "head").join(head_regions.rename({"id": "head"}), on="head").drop("head")
    city = lines.select("id", "head").join(city, on="head").drop("head")
    sure = city.filter(pl.col("agrees").fill_null(value=True), pl.col("primary") | (pl.col("score") >= _WELL_KNOWN))

    doubtful = lines.join(sure, on="id", how="anti")
    texts = _texts(doubtful, {"address": _ADDRESS})
    told = find_regions(texts.join(regions, on="id", how="anti"), gazetteer)
    regions = pl.concat([regions, told])
    address = find_places(texts, regions, gazetteer).drop("field")
    chosen = _choose(city.join(sure, on="id", how="anti"), address)
    chosen = pl.concat([sure.select("id", "place", placed_by=pl.lit("city")), chosen])

    silent = doubtful.join(chosen, on="id", how="anti").filter(pl.col("country") == "CN")
    named = _texts(silent.with_columns(name=_naming_part(pl.col("name"))), {"name": _NAME})
    named = find_places(named, regions, gazetteer).filter("primary", pl.col("score") >= _WELL_KNOWN)
    chosen = pl.concat([chosen, named.select("id", "place", placed_by=pl.lit("name"))])
    wide = regions.select("id", "area_id", placed_by=pl.lit("region"))
    return pl.concat([_at_places(chosen, gazetteer), _at_areas(wide, gazetteer)])


def _texts(lines: pl.DataFrame, fields: dict[str, int]) -> pl.DataFrame:
    return pl.concat(
        lines.select("id", "country", pl.lit(field, pl.Int8).alias("field"), pl.col(column).alias("text"))
        for column, field in fields.items()
    ).filter(pl.col("text").is_not_null())


def _naming_part(name: pl.Expr) -> pl.Expr:
    """The first two words of a name and what stands in brackets: "ShenZhen Unitone …", "Handaer … (Beijing) Co."."""
    return pl.concat_str(
        name.str.extract(r"^\s*([^\s(（]+(?:\s[^\s(（]+)?)"),
        name.str.extract(r"[(（]([^()（）]+)[)）]"),
        separator=" , ",
        ignore_nulls=True,
    )


def _choose(city: pl.DataFrame, address: pl.DataFrame) -> pl.DataFrame:
    """Between a doubtful city and a place in the address: the one in the named region, else the far better known one.

    A match through another name of a hamlet must not beat the big city that stands in the address.
    """
    both = city.join(address, on="id", how="full", coalesce=True, suffix="_address")
    rank, rank_address = (pl.col(c).cast(pl.Int8).fill_null(0) for c in ("agrees", "agrees_address"))
    away = distance_km(*(pl.col(c) for c in ("lon", "lat", "lon_address", "lat_address"))) > _APART_KM
    better = (rank_address > rank) | ((rank_address == rank) & away & (pl.col("score_address") > pl.col("score") + 1))
    use_address = pl.col("place").is_null() | (pl.col("place_address").is_not_null() & better)
    return both.select(
        "id",
        pl.when(use_address).then("place_address").otherwise("place").alias("place"),
        placed_by=pl.when(use_address).then(pl.lit("address")).otherwise(pl.lit("city")),
    )


def _by_country(combos: pl.DataFrame, gazetteer: Gazetteer) -> pl.DataFrame:
    country = combos.filter(pl.col("country").is_not_null())
    return _at_areas(
        country.select("id", pl.format("country:{}", "country").alias("area_id"), placed_by=pl.lit("country")),
        gazetteer,
    )


def _at_places(chosen: pl.DataFrame, gazetteer: Gazetteer) -> pl.DataFrame:
    places = gazetteer.places.select(
        pl.int_range(pl.len(), dtype=pl.UInt32).alias("place"),
        "place_id",
        found_lon="lon",
        found_lat="lat",
        place_name="name",
        place_name_zh="name_zh",
    )
    precision = pl.when(pl.col("placed_by") == "name").then(PRECISION_KM["name"]).otherwise(PRECISION_KM["city"])
    return chosen.join(places, on="place").with_columns(precision_km=precision).select("id", *FOUND)


def _at_areas(chosen: pl.DataFrame, gazetteer: Gazetteer) -> pl.DataFrame:
    areas = gazetteer.areas.select(
        "area_id",
        place_id="area_id",
        found_lon="lon",
        found_lat="lat",
        precision_km="radius_km",
        place_name="name",
        place_name_zh="name_zh",
    )
    return chosen.join(areas, on="area_id").select("id", *FOUND)
