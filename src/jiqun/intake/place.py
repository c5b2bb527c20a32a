"""Placing organisations on the map 落位: from coordinates, a region code, or the names in an address.

The finest evidence wins; each row says what placed it and within how many kilometres that is right. Given
coordinates are kept but checked against what the row says of itself, and a warning is put beside those that do not fit.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import polars as pl
from scipy.spatial import cKDTree

from jiqun.intake._geo import arc_km, country_keys, distance_km, fold, key, unit_vectors
from jiqun.intake._place_resolve import INPUTS, resolve
from jiqun.intake.gazetteer import Gazetteer

DECIMALS_KM: Final = ((1, 10.0), (2, 1.0))
"""Precision of given coordinates with at most so many decimals in both; 0.1 km with more."""
FINEST_KM: Final = 0.1
FAR_KM: Final = 100.0
"""A given point this far from the place that the row names is suspicious; cities with all their counties are smaller."""
NEAR_KM: Final = 50.0
"""A given point in another region or country, and this far from any place in the named one, is suspicious."""
SHARED_FIRMS: Final = 200
"""As many differently addressed rows at one given point are suspicious (集群注册, or a geocoder's default)."""

FAR, OUTSIDE, SWAPPED = "JQ-PLACE-011", "JQ-PLACE-012", "JQ-PLACE-013"
IMPOSSIBLE, SHARED, SIGN = "JQ-PLACE-014", "JQ-PLACE-015", "JQ-PLACE-016"

_ELSEWHERE = {
    "HK": r"\b(?:hong ?kong|kowloon|new territories)\b|香港|九龙|九龍",
    "MO": r"\bmaca[uo]\b|澳门|澳門",
    "TW": r"\b(?:taiwan|taipei|hsinchu|taichung|kaohsiung)\b|台湾|台灣|台北|臺北|新竹市|台中市|高雄市",
}
_STREETS = (
    r"(?:hong ?kong|kowloon|maca[uo]|taiwan|taipei) (?:\w+ )?(?:road|rd|street|st|lu|strait)\b"
    "|(?:香港|澳门|台湾|台北)(?:[东西南北中]?[路街道]|大[道街厦])"
)


def place(
    frame: pl.DataFrame, gazetteer: Gazetteer, *, far_km: float = FAR_KM, shared_firms: int = SHARED_FIRMS
) -> pl.DataFrame:
    """Rows with a point on the map 落位, how exact it is, and what placed it.

    Evidence, of which the finest counts: given coordinates; region code; the names in `region` and `city`; the names
    in `address`; a postcode; the place in the organisation's `name` (Chinese firms are named so by rule); the region;
    the country.

    Parameters
    ----------
    frame
        Any of lon, lat (degrees, WGS-84), country (ISO code or a name), region_code (GB/T 2260), region, city, address,
        name; nulls allowed. Other columns are kept.
    gazetteer
        Where names are looked up.
    far_km
        A given point farther than this from the place that its row names is warned of.
    shared_firms
        A given point shared by so many differently addressed rows is warned of.

    Returns
    -------
    The rows in order, with lon and lat filled where they were null or impossible, and

    - precision_km: within how many km of the point about half of such rows lie; null where nothing placed the row,
    - place_id, place_name, place_name_zh: the place, division, region or country that the row names (also where the
      point was given); null where it names none,
    - placed_by: coordinates, region_code, city, address, postcode, name, region, country, or null,
    - place_warning: code of what is suspicious in the given point (`FAR`, `OUTSIDE`, `SWAPPED`, `IMPOSSIBLE`,
      `SHARED`, `SIGN`), or null,
    - shared_point: how many differently addressed rows have the same given point; null where none is given.

    A point that cannot be (latitude beyond 90, 0 and 0) is warned of and not used; any other is kept as given.

    Notes
    -----
    See docs/methods/placing.md for the rules, their constants, and how often they are wrong.

    Examples
    --------
    >>> firms = pl.DataFrame({"country": ["CN"], "city": ["Shenzhen"]})
    >>> place(firms, gazetteer).select("place_name_zh", "placed_by").row(0)  # doctest: +SKIP
    ('深圳', 'city')
    """
    rows = _evidence(frame, gazetteer)
    rows = rows.join(resolve(rows, gazetteer), on="row", how="left", maintain_order="left")
    rows = rows.join(_warnings(rows, gazetteer, far_km), on="row", how="left", maintain_order="left")
    given = pl.col("lon").is_not_null()
    shared = pl.when(given).then(
        pl.coalesce("address", "name", pl.col("row").cast(pl.String)).n_unique().over("lon", "lat")
    )
    out = rows.select(
        pl.coalesce("lon", "found_lon").alias("lon"),
        pl.coalesce("lat", "found_lat").alias("lat"),
        pl.when(given).then(_decimals_km()).otherwise("precision_km").alias("precision_km"),
        "place_id",
        "place_name",
        "place_name_zh",
        pl.when(given).then(pl.lit("coordinates")).otherwise("placed_by").alias("placed_by"),
        pl.coalesce("warning", pl.when(shared >= shared_firms).then(pl.lit(SHARED))).alias("place_warning"),
        shared.alias("shared_point"),
    )
    return frame.with_columns(out.get_columns())


def _evidence(frame: pl.DataFrame, gazetteer: Gazetteer) -> pl.DataFrame:
    """row, given_lon, given_lat, lon, lat (null where impossible), and the inputs as trimmed text; country as a code."""
    present = set(frame.columns)
    number = [(pl.col(c) if c in present else pl.lit(None)).cast(pl.Float64).fill_nan(None) for c in ("lon", "lat")]
    text = [(pl.col(c) if c in present else pl.lit(None)).cast(pl.String).str.strip_chars() for c in INPUTS]
    rows = frame.select(
        pl.int_range(pl.len(), dtype=pl.UInt32).alias("row"),
        number[0].alias("given_lon"),
        number[1].alias("given_lat"),
        *(pl.when(value != "").then(value).alias(c) for c, value in zip(INPUTS, text, strict=True)),
    )
    lon, lat = pl.col("given_lon"), pl.col("given_lat")
    possible = (lon.abs() <= 180) & (lat.abs() <= 90) & ((lon != 0) | (lat != 0))
    rows = rows.with_columns(lon=pl.when(possible).then(lon), lat=pl.when(possible).then(lat))
    return rows.with_columns(country=country_codes(rows, gazetteer))


def country_codes(rows: pl.DataFrame, gazetteer: Gazetteer) -> pl.Series:
    """The code of the named country, else of one that ends the address or has the region; Hong Kong, Macao and Taiwan told apart."""
    parts = ["country", "region", "city", "address"]
    combos = rows.select(parts).unique(maintain_order=True)
    last = pl.col("address").str.extract(r"([^,，]+?)[.,，\s]*$")
    # Two letters may be a state, and Georgia is one.
    in_text = country_keys().filter(pl.col("key").str.len_chars() > 2, pl.col("key") != "georgia")
    sources = (
        (pl.col("country"), country_keys()),
        (last, in_text),
        (pl.col("region"), in_text),
        (pl.col("city"), in_text),
    )
    for i, (source, known) in enumerate(sources):
        known = known.rename({"country": f"code_{i}"})  # noqa: PLW2901
        combos = (
            combos.with_columns(key=key(source)).join(known, on="key", how="left", maintain_order="left").drop("key")
        )
    combos = combos.with_columns(key=key(pl.col("region"))).join(_region_countries(gazetteer), on="key", how="left")
    code = pl.coalesce(*(f"code_{i}" for i in range(len(sources))), "code_region")
    # Forms on the web put US where nobody chose: a state that is none of the US, but one of another country, corrects it.
    code = pl.when((code == "US") & pl.col("coded")).then(pl.coalesce("code_region", code)).otherwise(code)
    written = fold(pl.concat_str("city", "region", "address", separator=" , ", ignore_nulls=True)).str.replace_all(
        _STREETS, ""
    )
    moved = code
    for there, pattern in _ELSEWHERE.items():
        moved = pl.when((code == "CN") & written.str.contains(pattern)).then(pl.lit(there)).otherwise(moved)
    combos = combos.select(*parts, code=moved)
    return rows.select(parts).join(combos, on=parts, how="left", nulls_equal=True, maintain_order="left")["code"]


def _region_countries(gazetteer: Gazetteer) -> pl.DataFrame:
    """Names of regions that only one country has: key, code_region, and whether it is a first-level division."""
    regions = gazetteer.regions.group_by("key").agg(
        pl.col("country").unique(),
        coded=pl.col("admin1").is_not_null().all() & (pl.col("key").str.len_chars() > 4).all(),
    )
    regions = regions.filter(pl.col("country").list.len() == 1)
    return regions.select("key", "coded", code_region=pl.col("country").list.first())


def _decimals_km() -> pl.Expr:
    """Precision that the decimals of a given point allow."""
    precision = pl.lit(FINEST_KM)
    for decimals, km in reversed(DECIMALS_KM):
        coarse = (pl.col("lon").round(decimals) == pl.col("lon")) & (pl.col("lat").round(decimals) == pl.col("lat"))
        precision = pl.when(coarse).then(km).otherwise(precision)
    return precision


def _warnings(rows: pl.DataFrame, gazetteer: Gazetteer, far_km: float) -> pl.DataFrame:
    """row, warning: what is suspicious in the given points."""
    given = rows.filter(pl.col("given_lon").is_not_null(), pl.col("given_lat").is_not_null())
    spot = [pl.col(c) for c in ("given_lon", "given_lat", "found_lon", "found_lat")]
    local = pl.col("placed_by").is_in(["region_code", "city", "address"]) & (pl.col("precision_km") < far_km)
    away = distance_km(*spot)
    swapped_away = distance_km(spot[1], spot[0], spot[2], spot[3])
    swappable = spot[0].abs() <= 90
    flipped = pl.min_horizontal(
        distance_km(x * spot[0], y * spot[1], spot[2], spot[3]) for x, y in ((-1, 1), (1, -1), (-1, -1))
    )
    reach = pl.max_horizontal(pl.lit(far_km), "precision_km")
    checked = given.with_columns(
        warning=pl.when((away > reach) & swappable & (swapped_away < reach))
        .then(pl.lit(SWAPPED))
        .when(pl.col("lon").is_null())
        .then(pl.lit(IMPOSSIBLE))
        .when((away > 2 * reach) & (flipped < reach))
        .then(pl.lit(SIGN))
        .when(local & (away > far_km))
        .then(pl.lit(FAR))
    )
    wide = checked.filter(pl.col("warning").is_null(), ~local, away > NEAR_KM)
    outside = pl.col("row").is_in(_outside(wide, gazetteer).implode())
    inside = pl.col("row").is_in(_within_city(checked.filter(pl.col("warning") == FAR), gazetteer).implode())
    told = pl.coalesce(pl.when(~inside).then("warning"), pl.when(outside).then(pl.lit(OUTSIDE)))
    return checked.select("row", told.alias("warning"))


def _within_city(rows: pl.DataFrame, gazetteer: Gazetteer) -> pl.Series:
    """Rows whose point lies in a county of the city in China that they name: Chongqing reaches 300 km from its centre."""
    counties = gazetteer.units.filter(pl.col("level") == "county")
    seats = gazetteer.units.filter(pl.col("level") == "city").select(city="region_code", city_place="place_id")
    tree = cKDTree(unit_vectors(counties["lon"], counties["lat"]))
    straight, nearest = tree.query(unit_vectors(rows["given_lon"], rows["given_lat"]))
    there = rows.select("row", "place_id", city=counties["city"].gather(nearest), away=pl.Series(arc_km(straight)))
    there = there.join(seats, on="city")
    return there.filter(pl.col("city_place") == pl.col("place_id"), pl.col("away") < NEAR_KM)["row"]


def _outside(rows: pl.DataFrame, gazetteer: Gazetteer) -> pl.Series:
    """Rows whose point is farther than `NEAR_KM` from every place of the region or country that they name."""
    found = [pl.Series(dtype=pl.UInt32)]
    for (area,), part in rows.filter(pl.col("place_id").is_not_null()).group_by("place_id"):
        members = gazetteer.area_places(str(area))
        if members.is_empty():
            continue
        tree = cKDTree(unit_vectors(members["lon"], members["lat"]))
        straight = tree.query(unit_vectors(part["given_lon"], part["given_lat"]))[0]
        found.append(part["row"].filter(pl.Series(arc_km(np.asarray(straight)) > NEAR_KM)))
    return pl.concat(found)
