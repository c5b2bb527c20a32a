"""Which regions a register is profiled by 区域口径: countries, or the provinces and states of one country."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import polars as pl
from scipy.spatial import cKDTree

from jiqun.atlas.areal import regional_profile
from jiqun.atlas.sphere import unit_vectors
from jiqun.core.arrays import Floats
from jiqun.intake.gazetteer import Gazetteer, country_name

BAND_KM = {"country": 1000.0, "region": 300.0}
"""Centres no farther than this are neighbours for G*."""

MOST = 0.9
"""Where the largest country has this share of the firms, its provinces or states are compared; the others are left out."""
_OF_CHINA = ("HK", "MO", "TW")
"""Places with an ISO code of their own that stand among the provinces of China."""


def profile(searched: pl.DataFrame, gazetteer: Gazetteer, *, eps_km: float) -> pl.DataFrame:
    """Firms by region against population, also those placed too coarsely for the search.

    A firm's country and region are those of the gazetteer place nearest to it. Returns the columns of
    `regional_profile` with name_zh, name_en, level (country or region) and elsewhere (firms in other countries, left out
    at the level region) added; no columns where there are fewer than two regions to compare.
    """
    firms, level = with_regions(searched, gazetteer)
    if firms.is_empty():
        return pl.DataFrame()
    ground = gazetteer.background()
    if level == "region":
        inside = firms.drop_nulls("region")
        ground = ground.filter(pl.col("country").is_in(inside["country"].unique().implode()))
    ground = ground.with_columns(region=_keys(ground, gazetteer, level))
    if ground["region"].drop_nulls().n_unique() < 2:
        return pl.DataFrame()
    table = regional_profile(firms, ground, region="region", band_km=BAND_KM[level], coarse_km=eps_km / 2)
    elsewhere = pl.lit(firms["region"].null_count(), pl.Int64)
    return named(table, gazetteer, level).with_columns(level=pl.lit(level), elsewhere=elsewhere)


def with_regions(organisations: pl.DataFrame, gazetteer: Gazetteer) -> tuple[pl.DataFrame, str]:
    """Firms that have a point, with country and `region`; and the level, `country` or `region`.

    The region is the country; or where one country has at least `MOST` of the firms, the province or state, as CN.30: the
    few in other countries then have none (null). Hong Kong, Macau and Taiwan stand among the provinces of China, as HK, MO
    and TW.
    """
    placed = organisations.filter(pl.col("lon").is_not_null() & pl.col("lat").is_not_null())
    if placed.is_empty():
        return placed, "country"
    near = gazetteer.nearest(placed["lon"], placed["lat"])
    firms = placed.with_columns(country=near["country"])
    nation = firms.select(_NATION).to_series()
    counts = nation.drop_nulls().value_counts().sort("count", "country", descending=[True, False])
    if counts.is_empty() or counts["count"][0] < MOST * nation.count():
        return firms.with_columns(region=pl.col("country")), "country"
    inside = nation == counts["country"][0]
    return firms.with_columns(region=pl.when(inside).then(_keys(near, gazetteer, "region"))), "region"


_NATION = pl.when(pl.col("country").is_in(_OF_CHINA)).then(pl.lit("CN")).otherwise("country").alias("country")


def _keys(places: pl.DataFrame, gazetteer: Gazetteer, level: str) -> pl.Series:
    """The region of each of some places (country, admin1, lon, lat).

    A place without province or state is in that of the nearest place of its country that has one; where its country has
    none, the country stands for it.
    """
    if level == "country":
        return places["country"].alias("region")
    whole = pl.col("country").is_in(_OF_CHINA)
    named, bare = pl.col("admin1").fill_null("") != "", []
    lacking = places.select("country", "admin1", "lon", "lat").with_row_index("at").filter(~named, ~whole)
    for (country,), rows in lacking.partition_by("country", as_dict=True).items():
        known = gazetteer.places.filter(pl.col("country") == country, named)
        if known.height:
            at = cKDTree(_points(known)).query(_points(rows))[1]
            bare.append(rows.select("at", found=known["admin1"].gather(at)))
    found = pl.concat(bare) if bare else lacking.select("at", found="admin1").clear()
    table = (
        places.select("country", "admin1").with_row_index("at").join(found, on="at", how="left", maintain_order="left")
    )
    admin1 = pl.coalesce("found", "admin1")
    key = pl.when(whole | (admin1.fill_null("") == "")).then("country").otherwise(pl.format("{}.{}", "country", admin1))
    return table.select(key.alias("region")).to_series()


def _points(places: pl.DataFrame) -> Floats:
    """Places as points on the unit sphere, a row each."""
    points: Floats = unit_vectors(places["lon"].to_numpy(), places["lat"].to_numpy()).T
    return points


def named(table: pl.DataFrame, gazetteer: Gazetteer, level: str) -> pl.DataFrame:
    """A table by `region` with name_zh and name_en; the code where there is no name."""
    names = table.select("region").join(_names(gazetteer, level), on="region", how="left", maintain_order="left")
    return table.with_columns(pl.coalesce(names[name], table["region"]).alias(name) for name in ("name_zh", "name_en"))


@lru_cache(maxsize=32)
def home_regions(result: Path, cache: Path) -> dict[str, str]:
    """The province or state, as CN.30, in which the centre of each cluster of a stored run lies, by the cluster's id."""
    clusters = pl.read_parquet(result / "clusters.parquet", columns=["cluster_id", "lon", "lat"], glob=False)
    if clusters.is_empty():
        return {}
    gazetteer = Gazetteer.load(cache)
    homes = _keys(gazetteer.nearest(clusters["lon"], clusters["lat"]), gazetteer, "region")
    return {cluster: home for cluster, home in zip(clusters["cluster_id"], homes, strict=True) if home is not None}


def _names(gazetteer: Gazetteer, level: str) -> pl.DataFrame:
    """region, name_zh, name_en: countries by ISO code, provinces and states as far as the gazetteer names them."""
    if level == "country":
        codes = gazetteer.places["country"].unique().sort().to_list()
        rows = [(code, country_name(code, "zh"), country_name(code, "en")) for code in codes]
        return pl.DataFrame(rows, schema=["region", "name_zh", "name_en"], orient="row")
    whole = [(code, country_name(code, "zh"), country_name(code, "en")) for code in _OF_CHINA]
    provinces = (
        gazetteer.regions.filter(pl.col("admin1").is_not_null())
        .select("country", "admin1", "area_id")
        .unique(["country", "admin1"], maintain_order=True)
        .join(gazetteer.areas.select("area_id", "name", "name_zh"), on="area_id", maintain_order="left")
        .select(
            region=pl.format("{}.{}", "country", "admin1"),
            name_zh=pl.coalesce("name_zh", "name"),
            name_en=pl.col("name"),
        )
    )
    return pl.concat([provinces, pl.DataFrame(whole, schema=provinces.schema, orient="row")])
