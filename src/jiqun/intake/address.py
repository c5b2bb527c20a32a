"""Addresses taken apart 地址解析: province, city, county with their codes, town, road, number, park, building.

Chinese addresses are read from what they say, whole tables at once: `_address_divisions` finds the divisions,
`_address_parts` what follows them. Others are placed to the city by `jiqun.intake.place`'s reading of names.
"""

from __future__ import annotations

from functools import cache
from typing import Any, Final

import polars as pl
from opencc import OpenCC

from jiqun.core.frames import as_polars
from jiqun.intake._address_divisions import LONGEST, find_divisions
from jiqun.intake._address_parts import PARTS, find_latin_parts, find_parts
from jiqun.intake._gazetteer_build import simplified
from jiqun.intake._geo import country_keys, key
from jiqun.intake._place_resolve import PRECISION_KM, resolve
from jiqun.intake._place_words import tokens
from jiqun.intake.gazetteer import Gazetteer
from jiqun.intake.place import country_codes

DETAIL_KM: Final = {
    "building": 0.1,
    "park": 1.0,
    "road": 2.0,
    "town": 5.0,
    "county": 10.0,
    "city": 30.0,
}
"""Within how many km a point lies that is exact to a building, a park … 精度; a province or country within half of its people."""
DETAILS: Final = (*DETAIL_KM, "province", "country")
"""Classes of detail from the finest to the coarsest."""

_INPUTS = ("address", "region", "city", "region_code", "country")
_HAN = r"\p{Han}"
_UNSEEN = r"[\p{C}\x{FEFF}\x{200B}-\x{200F}\x{2060}]"
_HEAD, _ADDRESS = 0, 2
_SAID = (("matched", "{}"), ("open", "?{}"), ("against", "≠{}"))
_OUTSIDE = ("71", "81", "82")


def parse_address(source: Any, gazetteer: Gazetteer) -> pl.DataFrame:
    """Parts of addresses 地址解析, how fine each address is, and where its division lies.

    Parameters
    ----------
    source
        A series (or list) of addresses; or a frame of any kind with any of address, region, city (names), region_code
        (GB/T 2260) and country (ISO code) as text: what the other columns say decides what the address leaves open.
        Nulls are allowed.
    gazetteer
        Where names are looked up.

    Returns
    -------
    One row for each, in order:

    - address: as it was read (half width, without blanks in Chinese text), at most 300 characters,
    - country; province, city, county: names, and province_code, city_code, county_code: GB/T 2260; region_code: the
      finest of them. Municipalities are province and city in one, cities and counties under a province directly
      (济源市 419001) are their own city. Districts of Hong Kong and counties of Taiwan have no GB/T 2260 code: they are
      named, and the code is that of 香港, 台湾;
    - zone: a development or new area 高新区, 经开区 …, which is no division; town 乡镇街道, village 村社区, road, number,
      park 园区, building 楼栋;
    - detail: the finest that the address names (`DETAILS`), and detail_km: within how many km a point is right that was
      found for all of it;
    - place_id, place_name, place_name_zh, lon, lat, precision (province, city, county, country), precision_km: the
      point that the gazetteer has (the seat of the division), and how exact it is. A park or a building needs a
      gazetteer of one's own, or a geocoder;
    - evidence: the words that decided; notes: inferred (a level that the address leaves out), former (a name of
      earlier times), changed (a kind of earlier times: 密云县), short (沪, 粤), open (a name that several divisions
      have), conflict (another name contradicts).

    Notes
    -----
    Reading is idempotent, does not depend on width, blanks or the order of rows, and never fails on a text.
    How often it is right: docs/methods/placing.md.

    Examples
    --------
    >>> parse_address(["余杭区文一西路969号3号楼"], gazetteer).row(0, named=True)["city_code"]  # doctest: +SKIP
    '330100'
    """
    rows = _inputs(source)
    unique = rows.unique(maintain_order=True).with_row_index("id")
    parsed = _parsed(unique, gazetteer)
    return rows.join(parsed, on=rows.columns, how="left", nulls_equal=True, maintain_order="left").select(COLUMNS)


COLUMNS: Final = (
    "address", "country", "province", "province_code", "city", "city_code", "county", "county_code", "region_code",
    *PARTS, "detail", "detail_km", "place_id", "place_name", "place_name_zh", "lon", "lat", "precision", "precision_km",
    "evidence", "notes",
)  # fmt: skip
"""What `parse_address` returns."""


def _inputs(source: Any) -> pl.DataFrame:
    """The inputs under names of their own, cleaned."""
    if isinstance(source, pl.Series):
        frame = source.cast(pl.String).alias("address").to_frame()
    elif isinstance(source, list | tuple):
        frame = pl.DataFrame({"address": pl.Series(source, dtype=pl.String)})
    else:
        frame = as_polars(source)
    given = [(pl.col(c) if c in frame.columns else pl.lit(None)).cast(pl.String).alias(f"in_{c}") for c in _INPUTS]
    rows = frame.select(pl.int_range(pl.len()).alias("n"), *given).drop("n")
    clean = {"address": "address", "region": "said_region", "city": "said_city"}
    return rows.with_columns(plain(rows[f"in_{c}"]).alias(name) for c, name in clean.items())


def plain(texts: pl.Series) -> pl.Series:
    """Texts as they are read 规范化: half width, visible, simplified, without blanks where there is Chinese; null for nothing."""
    text = pl.col("t").str.slice(0, LONGEST).str.normalize("NFKC").str.replace_all(r"\s+", " ")
    text = text.str.replace_all(_UNSEEN, "").str.strip_chars()
    han = text.str.contains(_HAN)
    text = pl.when(han).then(text.str.replace_all(" ", "")).otherwise(text)
    out = texts.rename("t").to_frame().select(text)
    old, new = _traditional()
    some = pl.col("t").str.contains_any(list(old))
    plain: pl.Series = out.select(
        pl.when(some).then(pl.col("t").str.replace_many(list(old), list(new))).otherwise("t").str.slice(0, LONGEST)
    ).to_series()
    plain = plain.set(plain == "", None)
    return plain.rename(texts.name)


@cache
def _traditional() -> tuple[str, str]:
    """Characters that are traditional only, and the simplified ones for them, one for one."""
    every = "".join(chr(code) for code in range(0x4E00, 0xA000))
    simple = OpenCC("t2s").convert(every)
    pairs = [(a, b) for a, b in zip(every, simple, strict=True) if a != b]
    # 乾 is traditional for 干, and itself in 乾安县
    modern = set(pl.Series([a for a, _ in pairs]).to_frame("c").filter(pl.col("c").str.contains(simplified()))["c"])
    kept = [(a, b) for a, b in pairs if a not in modern]
    return "".join(a for a, _ in kept), "".join(b for _, b in kept)


def _parsed(rows: pl.DataFrame, gazetteer: Gazetteer) -> pl.DataFrame:
    country = pl.col("in_country").str.strip_chars().str.to_uppercase()
    rows = rows.with_columns(nation=pl.when(country.str.contains(r"^[A-Z]{2}$")).then(country))
    code = pl.col("in_region_code").str.strip_chars()
    rows = rows.with_columns(code=pl.when(code.str.contains(r"^\d{6}$")).then(code))
    found = find_divisions(_texts(rows), gazetteer)
    chinese = rows.join(found, on="id", how="left")
    chinese = _named(chinese, gazetteer)
    rest = _rest(chinese)
    han = pl.col("text").str.contains(_HAN)
    parts = pl.concat([find_parts(rest.filter(han)), find_latin_parts(rest.filter(~han))])
    out = chinese.join(parts, on="id", how="left", suffix="_read")
    out = out.with_columns(zone=pl.coalesce("zone", "zone_read")).drop("zone_read")
    placed = _by_names(rows.join(found.filter(pl.col("p").is_not_null()), on="id", how="anti"), gazetteer)
    out = out.join(placed, on="id", how="left", suffix="_found")
    both = [name for name in placed.columns if name != "id"]
    out = out.with_columns(pl.coalesce(name, f"{name}_found") for name in both)
    return _told(out, gazetteer)


def _texts(rows: pl.DataFrame) -> pl.DataFrame:
    """The texts to look for divisions in: what region and city say, then the address."""
    head = pl.concat_str("said_region", "said_city", separator=" ", ignore_nulls=True)
    lines = [
        rows.select("id", pl.col("nation").alias("country"), pl.lit(field).alias("field"), text.alias("text"), "code")
        for field, text in ((_HEAD, head), (_ADDRESS, pl.col("address")))
    ]
    coded = pl.col("code").is_not_null() & (pl.col("field") == _HEAD)
    return pl.concat(lines).filter(pl.col("text").str.contains(_HAN) | coded)


def _named(rows: pl.DataFrame, gazetteer: Gazetteer) -> pl.DataFrame:
    """Names and codes of the divisions found, and where they lie."""
    units = gazetteer.units
    for part, column in (("p", "province_zh"), ("c", "city_zh"), ("d", "county_zh")):
        own = units.select(pl.col("region_code").alias(part), pl.col("unit").alias(column))
        rows = rows.join(own, on=part, how="left")
    outside = pl.col("p").str.slice(0, 2).is_in(_OUTSIDE)
    # cities and counties that a province rules itself are their own city
    direct = pl.col("d").is_null() & ~pl.col("c").str.ends_with("00")
    whole = pl.col("c") == pl.col("p")
    point = units.select(
        "region_code", "level", "place_id", "lon", "lat", "radius_km", place_name="name", place_name_zh="name_zh"
    )
    rows = rows.join(point, on="region_code", how="left")
    km = pl.col("level").replace_strict(
        {"county": PRECISION_KM["county"], "city": DETAIL_KM["city"]}, default=None, return_dtype=pl.Float64
    )
    return rows.with_columns(
        province=pl.col("province_zh"),
        province_code=pl.col("p"),
        city=pl.when(outside & whole).then("province_zh").otherwise("city_zh"),
        city_code=pl.col("c"),
        county=pl.coalesce("county_zh", pl.when(direct).then("city_zh")),
        county_code=pl.coalesce(pl.when(~outside).then("d"), pl.when(direct).then("c")),
        region_code=pl.when(outside).then("p").otherwise("region_code"),
        country=pl.when(pl.col("p").is_not_null()).then(
            pl.col("p").str.slice(0, 2).replace_strict({"71": "TW", "81": "HK", "82": "MO"}, default="CN")
        ),
        precision=pl.when(direct).then(pl.lit("county")).otherwise("level"),
        precision_km=pl.coalesce("radius_km", pl.when(direct).then(PRECISION_KM["county"]).otherwise(km)),
    )


def _rest(rows: pl.DataFrame) -> pl.DataFrame:
    """id, text: what stands after the divisions; before them where nothing does."""
    body = pl.col("address").cast(pl.Binary)
    here = pl.col("end_field") == _ADDRESS
    after = pl.when(here).then(body.bin.slice(pl.col("end").fill_null(0), None).cast(pl.String)).otherwise("address")
    return rows.select("id", text=after).filter(pl.col("text").str.len_chars() > 0)


def _by_names(rows: pl.DataFrame, gazetteer: Gazetteer) -> pl.DataFrame:
    """The place of each row that names no division in Chinese, and the division of China that it belongs to."""
    lines = rows.filter(pl.any_horizontal(pl.col("address", "said_city", "said_region").is_not_null()))
    inputs = lines.select(
        pl.col("id").alias("row"), "address", region="said_region", city="said_city", country="in_country",
        region_code=pl.lit(None, pl.String), name=pl.lit(None, pl.String),
    )  # fmt: skip
    if inputs.is_empty():  # searching a million names for nothing takes long
        return _no_places()
    inputs = _foreign_in_chinese(inputs)
    inputs = inputs.with_columns(country=country_codes(inputs, gazetteer))
    found = resolve(inputs, gazetteer).rename({"row": "id", "found_lon": "lon", "found_lat": "lat"})
    found = found.join(inputs.select("country", "address", id="row"), on="id")
    kind = pl.col("place_id").str.extract(r"^(country|region):")
    precision = (
        pl.when(kind == "country")
        .then(pl.lit("country"))
        .when(kind == "region")
        .then(pl.lit("province"))
        .otherwise(pl.lit("city"))
    )
    places = gazetteer.places.select("place_id", nation="country")
    found = found.join(places, on="place_id", how="left")
    found = found.with_columns(
        country=pl.coalesce("nation", pl.col("place_id").str.extract("^(?:country|region):([A-Z]{2})"), "country"),
        precision=precision,
    )
    return _divisions_of(found, gazetteer)


def _no_places() -> pl.DataFrame:
    texts = ["country", "region_code", "place_id", "place_name", "place_name_zh", "precision"]
    texts += [name for level in ("province", "city", "county") for name in (level, f"{level}_code")]
    numbers = dict.fromkeys(("lon", "lat", "precision_km"), pl.Float64)
    return pl.DataFrame(
        schema={"id": pl.UInt32, **dict.fromkeys(texts, pl.String), **numbers, "matched": pl.List(pl.String)}
    )


def _foreign_in_chinese(inputs: pl.DataFrame) -> pl.DataFrame:
    """日本东京都千代田区 → JP, and 东京, 千代田 as its city: the country at the head, and names without their kind."""
    named = country_keys().filter(pl.col("key").str.contains(f"^{_HAN}+$"), pl.col("key").str.len_chars() > 1)
    known = sorted(named["key"], key=lambda name: (-len(name), name))
    head = pl.col("address").str.extract(f"^({'|'.join(known)})")
    code = head.replace_strict(named["key"], named["country"], default=None, return_dtype=pl.String)
    rest = pl.col("address").str.strip_prefix(head).str.replace_all("[都道府县市区州省郡町]", ",")
    city = pl.when(head.is_not_null()).then(pl.coalesce("city", pl.when(rest != "").then(rest)))
    return inputs.with_columns(
        country=pl.coalesce(code, "country"),
        city=pl.coalesce(city, "city"),
        address=pl.when(head.is_null()).then("address"),
    )


def _divisions_of(found: pl.DataFrame, gazetteer: Gazetteer) -> pl.DataFrame:
    """Codes for places of China that Latin letters name: the unit that has its seat there, and a county of it that is named too."""
    units = gazetteer.units.with_columns(rank=pl.col("level").replace_strict({"city": 0, "county": 1, "province": 2}))
    seats = units.sort("rank", "region_code").unique("place_id", keep="first", maintain_order=True)
    seats = seats.select("place_id", "province", unit_city="city", unit_code="region_code", unit_level="level")
    out = found.join(seats, on="place_id", how="left")
    # the county that stands beside its city: "Nanshan District, Shenzhen"
    counties = units.filter(pl.col("level") == "county", pl.col("name").str.contains("^[ -~’]+$"))
    counties = counties.select(unit_city="city", key=key(pl.col("name")), named="region_code")
    counties = counties.filter(pl.len().over("unit_city", "key") == 1)
    cities = units.filter(pl.col("level") == "city").select(unit_city="region_code", key=key(pl.col("name")))
    counties = counties.join(cities, on=["unit_city", "key"], how="anti")
    words = tokens(out.select("id", "country", pl.lit(0).alias("field"), text="address"))
    kinds = r"(?:district|qu|county|xian|city|shi|newarea)$"
    pairs = [
        words.select("id", "seg", "pos", key="word"),
        words.select("id", "seg", "pos", key=pl.col("word") + pl.col("word").shift(-1).over("id", "seg").fill_null("")),
    ]
    spoken = pl.concat(pairs).with_columns(pl.col("key").str.replace(kinds, "")).unique()
    at = out.filter(pl.col("unit_level") == "city").select("id", "unit_city", "unit_code")
    here = (
        at.join(spoken, on="id").join(counties, on=["unit_city", "key"]).filter(pl.col("named") != pl.col("unit_code"))
    )
    here = here.filter(pl.col("named").n_unique().over("id") == 1).unique("id").select("id", "named", spoken="key")
    out = out.join(here, on="id", how="left")
    county = pl.coalesce("named", pl.when(pl.col("unit_level") == "county").then("unit_code"))
    city = pl.when(pl.col("unit_level") == "province").then(None).otherwise(pl.coalesce("unit_city", "unit_code"))
    out = out.with_columns(province_code=pl.col("province"), city_code=city, county_code=county)
    outside = pl.col("province_code").str.slice(0, 2).is_in(_OUTSIDE)
    name = units.unique("region_code").select("region_code", "unit")
    for level in ("province", "city", "county"):
        out = out.drop(level, strict=False).join(
            name.rename({"region_code": f"{level}_code", "unit": level}), on=f"{level}_code", how="left"
        )
    seat = units.select(named="region_code", n_lon="lon", n_lat="lat", n_id="place_id", n_name="name", n_zh="name_zh")
    out = out.join(seat, on="named", how="left")
    finer = pl.col("county_code").is_not_null()
    native = pl.col("country").is_in(["CN", "HK", "MO", "TW"])
    return out.select(
        "id",
        "country",
        "province",
        "province_code",
        pl.when(native)
        .then("city")
        .otherwise(pl.when(pl.col("precision") == "city").then(pl.coalesce("place_name_zh", "place_name")))
        .alias("city"),
        "city_code",
        "county",
        pl.when(~outside).then("county_code").alias("county_code"),
        pl.when(outside)
        .then("province_code")
        .otherwise(pl.coalesce("county_code", "city_code", "province_code"))
        .alias("region_code"),
        pl.coalesce("n_id", "place_id").alias("place_id"),
        pl.coalesce("n_name", "place_name").alias("place_name"),
        pl.coalesce("n_zh", "place_name_zh").alias("place_name_zh"),
        pl.coalesce("n_lon", "lon").alias("lon"),
        pl.coalesce("n_lat", "lat").alias("lat"),
        pl.when(finer).then(pl.lit("county")).otherwise("precision").alias("precision"),
        pl.when(finer)
        .then(PRECISION_KM["county"])
        .when((pl.col("country") == "CN") & (pl.col("precision") == "city"))
        .then(DETAIL_KM["city"])
        .otherwise("precision_km")
        .alias("precision_km"),
        pl.concat_list(pl.coalesce("n_name", "place_name")).alias("matched"),
    )


def _told(rows: pl.DataFrame, gazetteer: Gazetteer) -> pl.DataFrame:
    """The class of detail, and in words what decided."""
    areas = gazetteer.areas.select(nation_id="area_id", nation_km="radius_km")
    rows = rows.with_columns(nation_id=pl.format("country:{}", "country")).join(areas, on="nation_id", how="left")
    door = pl.col("road").is_not_null() & pl.col("number").is_not_null()
    steps = (
        ("building", pl.col("building").is_not_null() | door),
        ("park", pl.col("park").is_not_null()),
        ("road", pl.col("road").is_not_null()),
        ("town", pl.col("town").is_not_null() | pl.col("village").is_not_null()),
        ("county", pl.col("county").is_not_null() | pl.col("zone").is_not_null()),
        ("city", pl.col("city").is_not_null()),
        ("province", pl.col("province").is_not_null() | (pl.col("precision") == "province")),
        ("country", pl.col("country").is_not_null()),
    )
    detail = pl.coalesce(pl.when(there).then(pl.lit(name)) for name, there in steps)
    wide = pl.when(detail == "province").then(pl.col("precision_km")).when(detail == "country").then("nation_km")
    km = detail.replace_strict(DETAIL_KM, default=None, return_dtype=pl.Float64)
    flags = {
        "inferred": pl.col("c").is_not_null() & pl.col("d").is_not_null() & ~pl.col("city_told"),
        "former": pl.col("former").is_not_null(),
        "changed": pl.col("changed").is_not_null(),
        "short": pl.col("short"),
        "open": pl.col("open").list.len() > 0,
        "conflict": pl.col("against").list.len() > 0,
    }
    notes = (
        pl.concat_list(pl.when(flag).then(pl.lit(name)) for name, flag in flags.items())
        .list.drop_nulls()
        .list.join(" ")
    )
    words = [
        pl.when(pl.col(name).list.len() > 0).then(pl.format(form, pl.col(name).list.join("·"))) for name, form in _SAID
    ]
    said = pl.concat_list(words).list.drop_nulls()
    return rows.with_columns(
        detail=detail,
        detail_km=pl.coalesce(km, wide),
        evidence=pl.when(said.list.len() > 0).then(said.list.join(" ")),
        notes=pl.when(notes != "").then(notes),
    )
