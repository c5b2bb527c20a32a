"""Where a row's own words and codes say that it is; `jiqun.intake.place` compares that with given coordinates."""

from __future__ import annotations

from typing import Final

import polars as pl

from jiqun.intake._geo import distance_km, table
from jiqun.intake._place_han import find_units
from jiqun.intake._place_words import GREATER_CHINA, WELL_KNOWN, find_misspelt, find_places, find_regions
from jiqun.intake.gazetteer import Gazetteer

PRECISION_KM: Final = {
    "county": 10.0,  # by region code or name; the point is the seat
    "city": 10.0,  # by name; the point is the centre
    "prefecture": 30.0,  # by region code, which leaves open in which county
    "postcode": 10.0,  # by the part of a postcode that names a post town
    "name": 30.0,  # the place that an organisation is named after
}
"""Within how many km about half of the points are right 精度. Regions and countries: within which half of their people live."""

INPUTS = ("country", "region_code", "region", "city", "address", "name")
FOUND = ("found_lon", "found_lat", "precision_km", "place_id", "place_name", "place_name_zh", "placed_by")

_ORDER = ("region_code", "city", "address", "postcode", "name", "region", "country")
_POSTCODES = {
    "CA": r"(?i)\b([A-Z]\d[A-Z]) ?\d[A-Z]\d\W*$",
    "GB": r"(?i)\b([A-Z]{1,2}\d[A-Z\d]?) ?[\dO][A-Z]{2}\W*$",
    "JP": r"(?:^|,\s*|〒)(\d{3})(?:-\d{2,4})?\W*$",
    "KR": r"(?:^|,\s*)(\d{3})-\d{3}\W*$",
    "TW": r"(?:^|,\s*)(\d{3})(?:\d{2,3})?\W*$",
}
"""The part of a postcode that names a town, where a text ends with one: digits only after a comma, or alone."""
_ZONED = {"DE": r"(?:^|[\s,A-Z-])(\d{2})\d{3}(?:\D|$)", "FR": r"(?:^|[\s,A-Z-])(\d{2}) ?\d{3}(?:\D|$)"}
"""Countries where the first digits of a postcode tell namesakes apart, and how to read them."""
_ZONE_KM = 50.0
_CITY, _REGION, _ADDRESS, _NAME = range(4)
_APART_KM = 100.0


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
    found = [find(rest, gazetteer) for find in (_by_han, _by_words, _by_postcode)]
    rank = pl.col("placed_by").replace_strict({by: i for i, by in enumerate(_ORDER)}, return_dtype=pl.Int8)
    best = (
        pl.concat([by_code, *found, _by_country(combos, gazetteer)])
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
    lines = lines.with_columns(zone=_zone())
    told = ["country", "region", "city", "zone"]
    heads = lines.select(told).unique(maintain_order=True).with_row_index("head")
    lines = lines.join(heads, on=told, nulls_equal=True, maintain_order="left")

    head_texts = _texts(heads.rename({"head": "id"}), {"city": _CITY, "region": _REGION})
    head_regions = find_regions(head_texts, gazetteer)
    head_regions = pl.concat([head_regions, _zones(heads.rename({"head": "id"}), head_regions, gazetteer)])
    hits = find_places(head_texts, head_regions, gazetteer)
    unknown = head_texts.join(hits, on="id", how="anti")
    in_part = head_texts.filter(pl.col("field") == _CITY).join(hits.filter("whole"), on=["id", "field"], how="anti")
    misspelt = find_misspelt(in_part, head_regions, gazetteer)
    misspelt = misspelt.filter(pl.col("whole") | pl.col("id").is_in(unknown["id"].implode()))
    hits = hits.join(misspelt, on=["id", "field"], how="anti")
    unknown = unknown.join(misspelt, on="id", how="anti").with_columns(country=pl.lit(""))
    homeless = unknown.join(head_regions, on="id", how="anti")  # else its region is one of the named country
    abroad = find_places(homeless, head_regions.clear(), gazetteer)
    abroad = abroad.filter("primary", pl.col("score") >= WELL_KNOWN)
    hits = pl.concat([hits, misspelt, abroad])
    in_city, in_region = (hits.filter(pl.col("field") == field).drop("field") for field in (_CITY, _REGION))
    city = _choose(in_city, in_region).rename({"id": "head"})
    regions = lines.select("id", "head").join(head_regions.rename({"id": "head"}), on="head").drop("head")
    city = lines.select("id", "head").join(city, on="head").drop("head", "second")
    sure = city.filter(pl.col("agrees").fill_null(value=True), pl.col("primary") | (pl.col("score") >= WELL_KNOWN))

    doubtful = lines.join(sure, on="id", how="anti")
    texts = _texts(doubtful, {"address": _ADDRESS})
    in_address = find_regions(texts.join(regions, on="id", how="anti"), gazetteer)
    regions = pl.concat([regions, in_address])
    address = find_places(texts, regions, gazetteer).drop("field")
    chosen = _choose(city.join(sure, on="id", how="anti"), address)
    by = pl.when("second").then(pl.lit("address")).otherwise(pl.lit("city"))
    chosen = pl.concat([sure.with_columns(second=pl.lit(value=False)), chosen]).select("id", "place", placed_by=by)

    silent = doubtful.join(chosen, on="id", how="anti").filter(pl.col("country") == "CN")
    named = _texts(silent.with_columns(name=_naming_part(pl.col("name"))), {"name": _NAME})
    named = find_places(named, regions, gazetteer).filter("primary", pl.col("score") >= WELL_KNOWN)
    chosen = pl.concat([chosen, named.select("id", "place", placed_by=pl.lit("name"))])
    wide = regions.select("id", "area_id", placed_by=pl.lit("region"))
    return pl.concat([_at_places(chosen, gazetteer), _at_areas(wide, gazetteer)])


def _zone() -> pl.Expr:
    """The first digits of the postcode in city or address, in the countries that have zones."""
    zone = pl.lit(None, pl.String)
    for country, pattern in _ZONED.items():
        written = pl.coalesce(pl.col("city").str.extract(pattern), pl.col("address").str.extract(pattern + r"\W*$"))
        zone = pl.when(pl.col("country") == country).then(written).otherwise(zone)
    return zone


def _zones(heads: pl.DataFrame, named: pl.DataFrame, gazetteer: Gazetteer) -> pl.DataFrame:
    """Postcode zones as regions, for rows that name none: a circle around the zone's chief town."""
    towns = gazetteer.places.select("country", "population", "lon", "lat", place="name")
    zones = table("postcode_zones").join(towns, on=["country", "place"]).sort("population", descending=True)
    zones = zones.unique(["country", "zone"], keep="first", maintain_order=True)
    return (
        heads.drop_nulls("zone")
        .join(named, on="id", how="anti")
        .join(zones, on=["country", "zone"])
        .select(
            "id",
            pl.format("zone:{}:{}", "country", "zone").alias("area_id"),
            admin1=pl.lit(None, pl.String),
            region_lon="lon",
            region_lat="lat",
            within_km=pl.lit(_ZONE_KM),
            is_city=pl.lit(value=False),
            wide=pl.lit(value=True),
            region_country="country",
            region_key=pl.lit(""),
            region_field=pl.lit(-1, pl.Int8),
        )
    )


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


def _by_postcode(combos: pl.DataFrame, gazetteer: Gazetteer) -> pl.DataFrame:
    """By a postcode that ends address, city or region, in the countries of `data/postcodes.csv`."""
    towns = table("postcodes").with_row_index("town")
    letters = towns.filter(~pl.col("first").str.contains(r"^\d")).select("town", "country", "place", code="first")
    digits = towns.filter(pl.col("first").str.contains(r"^\d")).select(
        "town",
        "country",
        "place",
        pl.int_ranges(pl.col("first").cast(pl.Int32), pl.col("last").cast(pl.Int32) + 1).alias("code"),
    )
    digits = digits.explode("code").with_columns(pl.col("code").cast(pl.String).str.zfill(3))
    places = gazetteer.places.select(
        "country", pl.int_range(pl.len(), dtype=pl.UInt32).alias("row"), "population", place="name"
    )
    named = (
        pl.concat([letters, digits])
        .join(places, on=["country", "place"])
        .sort("population", "row", descending=[True, False])
    )
    named = named.unique(["country", "code"], keep="first", maintain_order=True).select("country", "code", place="row")
    ends = []
    for country, pattern in _POSTCODES.items():
        loose = pattern.replace(r",\s*", r"[\s,]")  # in an address "No. 231" is a house
        code = pl.coalesce(
            pl.col(c).str.extract(p) for c, p in (("region", loose), ("city", loose), ("address", pattern))
        )
        ends.append(combos.filter(pl.col("country") == country).select("id", "country", code.alias("code")))
    written = pl.concat(ends).drop_nulls("code").with_columns(pl.col("code").str.to_uppercase())
    area = pl.when(pl.col("country") == "GB").then(pl.col("code").str.extract(r"^([A-Z]+)"))
    tries = [written, written.with_columns(code=area)]
    tries += [written.filter(pl.col("country") == "CA").with_columns(pl.col("code").str.slice(0, n)) for n in (2, 1)]
    parts = pl.concat(tries).with_columns(n=pl.col("code").str.len_chars())
    found = parts.join(named, on=["country", "code"]).sort("id", "n", descending=[False, True])
    found = found.unique("id", keep="first", maintain_order=True).select("id", "place", placed_by=pl.lit("postcode"))
    return _at_places(found, gazetteer)


def _choose(first: pl.DataFrame, second: pl.DataFrame) -> pl.DataFrame:
    """One place of each id: of the first text's and the second's the one in the named region, else the far better known.

    A match through another name of a hamlet must not beat the big city that stands beside it.
    """
    other = second.select("id", pl.exclude("id").name.suffix("_other"))
    both = first.join(other, on="id", how="full", coalesce=True)
    rank, rank_other = (pl.col(c).cast(pl.Int8).fill_null(0) for c in ("agrees", "agrees_other"))
    away = distance_km(*(pl.col(c) for c in ("lon", "lat", "lon_other", "lat_other"))) > _APART_KM
    better = (rank_other > rank) | ((rank_other == rank) & away & (pl.col("score_other") > pl.col("score") + 1))
    use_other = pl.col("place").is_null() | (pl.col("place_other").is_not_null() & better)
    columns = [c for c in first.columns if c not in {"id", "second"}]
    return both.select(
        "id", *(pl.when(use_other).then(f"{c}_other").otherwise(c).alias(c) for c in columns), use_other.alias("second")
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
    other = {by: PRECISION_KM[by] for by in ("name", "postcode")}
    precision = pl.col("placed_by").replace_strict(other, default=PRECISION_KM["city"], return_dtype=pl.Float64)
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
