"""Which regions a register is profiled by 区域口径: countries, or the provinces and states of one country."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import polars as pl

from jiqun.atlas.areal import regional_profile
from jiqun.intake.gazetteer import Gazetteer, country_name

BAND_KM = {"country": 1000.0, "region": 300.0}
"""Centres no farther than this are neighbours for G*."""

_KEYS = {"country": pl.col("country"), "region": pl.format("{}.{}", "country", "admin1")}


def profile(searched: pl.DataFrame, gazetteer: Gazetteer, *, eps_km: float) -> pl.DataFrame:
    """Firms by region against population, also those placed too coarsely for the search.

    A firm's country and region are those of the gazetteer place nearest to it. Returns the columns of
    `regional_profile` with name_zh, name_en and level (country or region) added; no columns where there are fewer than
    two regions to compare.
    """
    firms, level = with_regions(searched, gazetteer)
    if firms.is_empty():
        return pl.DataFrame()
    ground = gazetteer.background().with_columns(region=_KEYS[level])
    if level == "region":
        ground = ground.filter(pl.col("country").is_in(firms["country"].drop_nulls().unique().implode()))
    if ground["region"].drop_nulls().n_unique() < 2:
        return pl.DataFrame()
    table = regional_profile(firms, ground, region="region", band_km=BAND_KM[level], coarse_km=eps_km / 2)
    return named(table, gazetteer, level).with_columns(level=pl.lit(level))


def with_regions(organisations: pl.DataFrame, gazetteer: Gazetteer) -> tuple[pl.DataFrame, str]:
    """Firms that have a point, with country, admin1 and `region`; and the level, `country` or `region`.

    The region is the country, or where all lie in one, the province or state, as CN.30.
    """
    placed = organisations.filter(pl.col("lon").is_not_null() & pl.col("lat").is_not_null())
    if placed.is_empty():
        return placed, "country"
    near = gazetteer.nearest(placed["lon"], placed["lat"])
    firms = placed.with_columns(country=near["country"], admin1=near["admin1"])
    level = "country" if firms["country"].drop_nulls().n_unique() > 1 else "region"
    return firms.with_columns(region=_KEYS[level]), level


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
    near = Gazetteer.load(cache).nearest(clusters["lon"], clusters["lat"])
    homes = near.select(pl.format("{}.{}", "country", "admin1")).to_series()
    return {cluster: home for cluster, home in zip(clusters["cluster_id"], homes, strict=True) if home is not None}


def _names(gazetteer: Gazetteer, level: str) -> pl.DataFrame:
    """region, name_zh, name_en: countries by ISO code, provinces and states as far as the gazetteer names them."""
    if level == "country":
        codes = gazetteer.places["country"].unique().sort().to_list()
        rows = [(code, country_name(code, "zh"), country_name(code, "en")) for code in codes]
        return pl.DataFrame(rows, schema=["region", "name_zh", "name_en"], orient="row")
    return (
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
