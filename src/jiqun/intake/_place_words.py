"""Finding the names of places in lines of text: what `place` does for names in any alphabet.

A text is cut into words and every run of up to five of them is looked up in the gazetteer, so that "San Jose",
"SHEN ZHEN" and "Seongnam-si" are found wherever they stand. What is left to decide is which hit counts.
"""

from __future__ import annotations

import polars as pl

from jiqun.intake._geo import address_words, country_keys, distance_km, fold
from jiqun.intake.gazetteer import Gazetteer

LONGEST_NAME = 5
FINER_KM = 100.0
"""A smaller place counts as part of a larger one named after it in the same text up to this distance."""
FINER_SCORE = 4.7
"""Such a smaller place must have 50,000 people (decimal logarithm), or 5,000 where it fills a segment."""
FOREIGN_PENALTY = 2.0
"""In Greater China, a place outside the named one of the four registers must have 100 times the people to win."""

ALONE_SCORE, PART_SCORE = 2.7, 3.7
"""People (decimal logarithm) that a name in an address needs if it fills a segment, or stands among other words."""
CITY_RADIUS_KM = 20.0
"""A region of this radius, such as Beijing, is a city where the row names no other; São Paulo may be the state."""
CIRCLE_SLACK = 1.5
"""A county is no circle: a place this many radii from its seat may still lie in it."""
LEAST_MISSPELT, LONGEST_MISSPELT = 6, 3  # letters; words
MISSPELT_SCORE = 4.0
"""People (decimal logarithm) of a place whose name may be misspelt if the row names its region; else `FINER_SCORE`."""
WELL_KNOWN = 5.0
"""People (decimal logarithm) of a place that may be meant against the row's own region, by a firm's name, or by part of
an address that names no region: quarters of cities everywhere are named after towns far off."""
GREAT_CITY = 5.5
"""People (decimal logarithm) of a city that its own name means before the region of that name (Washington, Québec)."""

GREATER_CHINA = ("CN", "HK", "MO", "TW")

_WORDS = address_words()
_COMMON = [*_WORDS["common"], *_WORDS["street_after"], *_WORDS["street_before"]]


def find_regions(texts: pl.DataFrame, gazetteer: Gazetteer) -> pl.DataFrame:
    """The region that each text names: id, area_id, admin1, centre and radius of a region given as a circle.

    Parameters
    ----------
    texts
        id, country, field (0 city, 1 region, 2 address), text.
    gazetteer
        Whose `regions` are looked up.

    Returns
    -------
    At most one row per id. The region field is believed before the city field, and that before the address; a name of
    less than four letters (CA, BW) only in the region field or alone between commas.
    """
    spans = _spans(tokens(texts))
    wide = gazetteer.areas.select("area_id", wide=pl.col("radius_km") > CITY_RADIUS_KM)
    known = gazetteer.regions.rename({"lon": "region_lon", "lat": "region_lat"}).join(wide, on="area_id")
    hits = spans.join(known, on=["country", "key"])
    hits = hits.filter(
        (pl.col("key").str.len_chars() > 3) | (pl.col("field") == 1) | pl.col("whole"),
        (pl.col("field") < 2) | ~_a_street(),
    )
    order = pl.col("field").replace_strict({1: 0, 0: 1, 2: 2})
    return (
        hits.with_columns(order=order)
        .sort("id", "order", "n", "start", descending=[False, False, True, True])
        .unique("id", keep="first", maintain_order=True)
        .select(
            "id",
            "area_id",
            "admin1",
            "region_lon",
            "region_lat",
            "within_km",
            "is_city",
            "wide",
            region_country="country",
            region_key="key",
            region_field="field",
        )
    )


def find_places(texts: pl.DataFrame, regions: pl.DataFrame, gazetteer: Gazetteer) -> pl.DataFrame:
    """The place that each field of each text names, if any.

    Parameters
    ----------
    texts
        id, country (empty: unknown), field (0 city, 1 region, 2 address, 3 name), text.
    regions
        As from `find_regions`: a hit in the named region goes before one that is not.
    gazetteer
        Where names are looked up.

    Returns
    -------
    One row per id and field with a hit: place (row of `gazetteer.places`), score, primary, agrees (null: no region
    known), whole (the hit fills a segment), lon, lat.
    """
    if texts.is_empty():
        return _no_places(texts)
    spans = _spans(tokens(texts)).with_columns(
        city_told=(pl.col("field") == 1) & (pl.col("field").min().over("id") == 0)
    )
    names = gazetteer.names.rename({"country": "there"})
    home = spans.with_columns(there=pl.col("country"), penalty=0.0)
    other = pl.DataFrame({"country": GREATER_CHINA}).join(pl.DataFrame({"there": GREATER_CHINA}), how="cross")
    abroad = other.filter(pl.col("country") != pl.col("there")).with_columns(penalty=FOREIGN_PENALTY)
    away = spans.join(abroad, on="country").select(home.columns)
    hits = pl.concat([home, away]).join(names, on=["there", "key"]).filter(_believable())
    # "…, Mexico" ends an address in Mexico; it does not say Mexico City. In the city field it may.
    land = country_keys().with_columns(land=pl.lit(value=True))
    at_home = pl.col("there") == pl.col("country")
    hits = hits.join(land, on=["country", "key"], how="left").filter(
        at_home | (pl.col("primary") & (pl.col("score") >= WELL_KNOWN)),
        pl.col("land").is_null() | pl.col("primary") | ((pl.col("field") == 0) & at_home),
    )
    hits = _longest(hits.with_columns(score=pl.col("score") - pl.col("penalty")))
    return _best(hits, regions, gazetteer)


def find_misspelt(texts: pl.DataFrame, regions: pl.DataFrame, gazetteer: Gazetteer) -> pl.DataFrame:
    """As `find_places`, for well-known places of the country with one letter wrong, missing, added or swapped.

    Both words lose one letter, in every way; those that then agree are taken for the same. Only names of six letters
    and more, the first letter right.
    """
    if texts.is_empty():
        return _no_places(texts)
    spans = (
        _spans(tokens(texts))
        .with_columns(city_told=pl.lit(value=False))
        .filter(pl.col("n") <= LONGEST_MISSPELT, pl.col("key").str.len_chars() >= LEAST_MISSPELT)
    )
    known = gazetteer.names.rename({"country": "there", "key": "name"}).filter(
        pl.col("score") >= MISSPELT_SCORE,
        pl.col("name").str.len_chars() >= LEAST_MISSPELT,
        pl.col("name").str.contains("^[a-z]+$"),
    )
    countries = spans["country"].unique().to_list()
    known = _with_losses(known.filter(pl.col("there").is_in(countries)), "name")
    spans = spans.join(country_keys(), on="key", how="anti").join(gazetteer.regions, on="key", how="anti")
    spans = _with_losses(spans.with_columns(there=pl.col("country")), "key")
    hits = spans.join(known, on=["there", "loss"]).filter(
        pl.col("key").str.slice(0, 1) == pl.col("name").str.slice(0, 1), _believable()
    )
    best = _best(hits, regions, gazetteer)
    return best.filter(pl.col("agrees") | (pl.col("agrees").is_null() & (pl.col("score") >= FINER_SCORE)))


def _no_places(texts: pl.DataFrame) -> pl.DataFrame:
    """The empty answer; searching a million names for nothing costs a twentieth of a second."""
    id_type = texts.schema["id"]
    flags = [pl.Series(name, dtype=pl.Boolean) for name in ("primary", "agrees", "whole")]
    numbers = [pl.Series(name, dtype=pl.Float64) for name in ("score", "lon", "lat")]
    keys = [pl.Series("id", dtype=id_type), pl.Series("field", dtype=pl.Int8), pl.Series("place", dtype=pl.UInt32)]
    order = ["id", "field", "place", "score", "primary", "agrees", "whole", "lon", "lat"]
    return pl.DataFrame([*keys, *flags, *numbers]).select(order)


def _with_losses(words: pl.DataFrame, column: str) -> pl.DataFrame:
    """The word whole (one letter more or less) and without each of its letters."""
    length = pl.col(column).str.len_chars()
    cut = words.with_columns(at=pl.int_ranges(0, length + 1)).explode("at")
    loss = pl.col(column).str.slice(0, pl.col("at")) + pl.col(column).str.slice(pl.col("at") + 1)
    return cut.with_columns(loss=loss).drop("at").unique(maintain_order=True)


def _best(hits: pl.DataFrame, regions: pl.DataFrame, gazetteer: Gazetteer) -> pl.DataFrame:
    """Of the hits in each field the one in the named region, then the best known."""
    points = gazetteer.places.select(pl.int_range(pl.len(), dtype=pl.UInt32).alias("place"), "lon", "lat")
    hits = hits.join(points, on="place").join(regions, on="id", how="left", suffix="_region")
    inside = (
        distance_km(pl.col("lon"), pl.col("lat"), pl.col("region_lon"), pl.col("region_lat"))
        < pl.col("within_km") * CIRCLE_SLACK
    )
    same = (pl.col("admin1") == pl.col("admin1_region")) & (pl.col("there") == pl.col("region_country"))
    agrees = pl.when(pl.col("area_id").is_not_null()).then(pl.coalesce(inside, same).fill_null(value=False))
    namesakes = pl.col("place").n_unique().over("id", "field", "start", "n")
    only_one = _alone() & (namesakes == 1) & (pl.col("score") >= PART_SCORE)
    told = (pl.col("field") < 2) | pl.col("agrees") | (pl.col("score") >= WELL_KNOWN) | only_one
    hits = hits.with_columns(agrees=agrees).filter(
        # A postcode's zone only chooses among namesakes: it is told roughly, as a circle.
        pl.col("agrees").fill_null(value=True)
        | pl.col("area_id").str.starts_with("zone:")
        | (pl.col("primary") & (pl.col("score") >= WELL_KNOWN)),
        ~_names_region(),
        told.fill_null(value=False),
    )
    # "Joetsu, Niigata": the second may be the city or the prefecture, so the first is the better told.
    own = pl.col("agrees") & pl.col("whole") & (pl.col("key") != pl.col("region_key"))
    hits = hits.with_columns(
        rank=pl.col("agrees").cast(pl.Int8).fill_null(0) + own.fill_null(value=False).cast(pl.Int8)
    )
    order = ["id", "field", "rank", "score", "n", "start", "place"]
    ranked = hits.sort(order, descending=[False, False, True, True, True, False, False])
    top = ranked.unique(["id", "field"], keep="first", maintain_order=True)
    best = _finer(ranked, top).select("id", "field", "place", "score", "primary", "agrees", "whole", "lon", "lat")
    return best.cast({"score": pl.Float64})


def tokens(texts: pl.DataFrame) -> pl.DataFrame:
    """Words of each text: id, country, field, seg (part between commas), pos, word. Words with digits are dropped."""
    plain = fold(pl.col("text")).str.replace_all(r"['’`ʼ´]", "").str.replace_all(r"\b(\p{L}{1,2})\.", "$1")
    cut = plain.str.replace_all(r"[,;/()|，、；（）\n]", " , ").str.replace_all(r"[^\p{L}\p{N},]+", " ")
    words = (
        texts.filter(pl.col("text").is_not_null())
        .select("id", "country", "field", cut.str.strip_chars().str.split(" ").alias("word"))
        .explode("word")
        .filter(pl.col("word").str.len_chars() > 0)
    )
    words = words.with_columns(pl.col("word").replace(_WORDS["short"], _WORDS["full"]))
    comma = (pl.col("word") == ",").cum_sum().over("id", "field")
    words = words.with_columns(seg=comma).filter(~pl.col("word").str.contains(r"[\d,]"))
    return words.with_columns(pos=pl.int_range(pl.len(), dtype=pl.Int32).over("id", "field"))


def _spans(words: pl.DataFrame) -> pl.DataFrame:
    """Every run of words within a segment: key (joined), n, start, the words around it, whether it is all there is."""
    groups = ["id", "field", "seg"]
    near = words.with_columns(
        size=pl.len().over(groups),
        place_in=pl.int_range(pl.len(), dtype=pl.Int32).over(groups),
    )
    runs = []
    for n in range(1, LONGEST_NAME + 1):
        inside = pl.col("place_in") + n <= pl.col("size")
        runs.append(
            near.select(
                "id",
                "country",
                "field",
                "seg",
                pl.col("pos").alias("start"),
                pl.lit(n, pl.Int32).alias("n"),
                pl.concat_str([pl.col("word").shift(-i) for i in range(n)]).alias("key"),
                pl.when(pl.col("place_in") + n < pl.col("size")).then(pl.col("word").shift(-n)).alias("after"),
                pl.when(pl.col("place_in") > 0).then(pl.col("word").shift(1)).alias("before"),
                pl.when(pl.col("place_in") > 1).then(pl.col("word").shift(2)).alias("before2"),
                (pl.col("size") == n).alias("whole"),
                inside.alias("inside"),
            )
        )
    spans = pl.concat(runs).filter("inside", pl.col("key").str.len_chars() > 1).drop("inside")
    kind = r"(?:city|shih|shi|si|gun|gu|ku|hsien|county|district|province|prefecture|sheng|ken)$"
    short = spans.with_columns(pl.col("key").str.replace(kind, "")).filter(
        pl.col("n") == 1, pl.col("key").str.len_chars() > 3
    )
    return pl.concat([spans, short]).unique(["id", "field", "start", "n", "key"], keep="first", maintain_order=True)


def _believable() -> pl.Expr:
    """In the city field any hit but a region; elsewhere not a street, a building or a common word, and not a hamlet."""
    alone = _alone()
    long = alone | (pl.col("key").str.len_chars() > 3) | pl.col("key").str.contains(r"\P{Latin}")
    known = pl.col("score") >= pl.when(alone).then(ALONE_SCORE).otherwise(PART_SCORE)
    generic = pl.col("key").is_in(_COMMON) & ~pl.col("whole")
    region = pl.col("after").is_in(_WORDS["region_after"]).fill_null(value=False)
    # "North Jackson" is another town than Jackson, though East Sydney is Sydney.
    other = pl.col("before").is_in(_WORDS["before_name"]).fill_null(value=False) & (pl.col("score") < GREAT_CITY)
    in_city = ~generic & ~region & ~other
    elsewhere = ~_a_street() & known & long & ~pl.col("key").is_in(_COMMON) & ~region
    return pl.when(pl.col("field") < 2).then(in_city).otherwise(elsewhere)


def _a_street() -> pl.Expr:
    """Whether the words around a name make it a street, a quarter or a house."""
    street = pl.col("after").is_in(_WORDS["street_after"]) | pl.col("before").is_in(_WORDS["street_before"])
    street |= pl.col("before").is_in(_WORDS["of"]) & pl.col("before2").is_in(_WORDS["street_before"])
    return street.fill_null(value=False)


def _names_region() -> pl.Expr:
    """Whether the words of a hit are (part of) the region's name, so that they name no city.

    "Baden-Württemberg" does not say Baden, "Ontario" in the region field not Ontario in California.
    """
    here = (pl.col("field") == pl.col("region_field")) & pl.col("admin1_region").is_not_null()
    same = pl.col("key") == pl.col("region_key")
    part = pl.col("region_key").str.contains(pl.col("key"), literal=True) & ~same
    great = (pl.col("field") == 0) & pl.col("primary") & (pl.col("score") >= GREAT_CITY)
    a_city = great | (pl.col("is_city") & ~(pl.col("wide") & pl.col("city_told")))
    return (here & (part | (same & ~a_city))).fill_null(value=False)


def _alone() -> pl.Expr:
    """Whether the name fills a part of the address after the first, or is called a city, a district and so on."""
    return (pl.col("whole") & (pl.col("seg") > 0)) | pl.col("after").is_in(_WORDS["place_after"]).fill_null(value=False)


def _longest(hits: pl.DataFrame) -> pl.DataFrame:
    """Without the hits inside a longer one: in "South San Francisco" there is no San Francisco."""
    solid = hits.filter(pl.col("primary") | (pl.col("score") > 4))
    covered = (
        solid.select("id", "field", pl.int_ranges("start", pl.col("start") + pl.col("n")).alias("pos"), longest="n")
        .explode("pos")
        .group_by("id", "field", "pos")
        .agg(pl.col("longest").max())
    )
    at_start = hits.join(covered, left_on=["id", "field", "start"], right_on=["id", "field", "pos"], how="left")
    return at_start.filter(pl.col("longest").is_null() | (pl.col("n") >= pl.col("longest"))).drop("longest")


def _finer(ranked: pl.DataFrame, top: pl.DataFrame) -> pl.DataFrame:
    """The part of a city instead of the city, where the text names both ("Kunshan, Suzhou")."""
    above = top.select(
        "id", "field", top_rank="rank", top_start="start", top_lon="lon", top_lat="lat", top_place="place"
    )
    near = distance_km(pl.col("lon"), pl.col("lat"), pl.col("top_lon"), pl.col("top_lat")) < FINER_KM
    parts = ranked.join(above, on=["id", "field"]).filter(
        pl.col("primary"),
        pl.col("score") >= pl.when(pl.col("whole")).then(PART_SCORE).otherwise(FINER_SCORE),
        pl.col("rank") >= pl.col("top_rank"),
        pl.col("start") < pl.col("top_start"),
        pl.col("place") != pl.col("top_place"),
        near,
    )
    parts = parts.unique(["id", "field"], keep="first", maintain_order=True).select(top.columns)
    return pl.concat([parts, top]).unique(["id", "field"], keep="first", maintain_order=True)
