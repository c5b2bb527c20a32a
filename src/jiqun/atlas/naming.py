"""What a cluster is called 集群命名 and what stands out in it: place, leading class, largest members."""

from __future__ import annotations

from typing import Any, Protocol

import polars as pl

LARGEST = 10
NOTABLE = 30


class NamedPlace(Protocol):
    """A place as the gazetteer gives it."""

    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def name_zh(self) -> str | None: ...  # noqa: D102
    @property
    def country(self) -> str: ...  # noqa: D102


class Places(Protocol):
    """What naming needs of a gazetteer: the most populous place within a radius."""

    def name_at(self, lon: float, lat: float, radius_km: float) -> NamedPlace: ...  # noqa: D102


def name_clusters(table: pl.DataFrame, members: pl.DataFrame, places: Places, *, eps_km: float) -> pl.DataFrame:
    """Add name_en, name_zh and country to `table`: the largest town among the members' places, and where most of them are.

    `members` has cluster and, where known, place_name, place_name_zh, country, place_population. Of the places that hold at
    least one member in `NOTABLE`, the most populous leads; where another holds more members, it follows: “Boston–Billerica”.
    Members without any place name: the most populous place of the gazetteer within eps. Where two clusters would bear one
    name in one country, the smaller ones are numbered: “Springfield 2”.
    """
    wanted = {"place_name": pl.String, "place_name_zh": pl.String, "country": pl.String, "place_population": pl.Int64}
    known = members.with_columns(pl.lit(None, t).alias(c) for c, t in wanted.items() if c not in members.columns)
    named = pl.col("place_name").is_not_null()
    if "place_population" in members.columns:  # a region or country is no town
        named &= pl.col("place_population").is_not_null()
    towns = known.filter(named).group_by("cluster", *wanted).len()
    notable = towns.filter(pl.col("len") * NOTABLE >= pl.col("len").sum().over("cluster"))
    busiest = _first(towns, "len", "place_population")
    largest = _first(notable, "place_population", "len")
    rows = []
    for cluster, lon, lat in table.select("cluster", "lon", "lat").iter_rows():
        busy, large = busiest.get(cluster), largest.get(cluster)
        if busy is None:
            place = places.name_at(lon, lat, eps_km)
            rows.append((cluster, place.name, place.name_zh or place.name, place.country))
            continue
        first = large or busy
        parts = [first] if first["place_name"] == busy["place_name"] else [first, busy]
        en = "–".join(part["place_name"] for part in parts)
        zh = "—".join(part["place_name_zh"] or part["place_name"] for part in parts)
        country = first["country"] or places.name_at(lon, lat, eps_km).country
        rows.append((cluster, en, zh, country))
    schema = {
        "cluster": table.schema["cluster"],
        "name_en": pl.String(),
        "name_zh": pl.String(),
        "country": pl.String(),
    }
    names = pl.DataFrame(rows, schema=schema, orient="row")
    turn = pl.int_range(pl.len()).over("name_en", "country")
    suffix = pl.when(turn > 0).then(pl.format(" {}", turn + 1)).otherwise(pl.lit(""))
    return table.join(
        names.with_columns(pl.col("name_en", "name_zh") + suffix), on="cluster", how="left", maintain_order="left"
    )


def _first(towns: pl.DataFrame, *by: str) -> dict[int, dict[str, Any]]:
    """The town of each cluster that is largest by the columns named, then first by name."""
    order = towns.sort("cluster", *by, "place_name", descending=[False, *([True] * len(by)), False], nulls_last=True)
    return {row["cluster"]: row for row in order.unique("cluster", keep="first", maintain_order=True).to_dicts()}


def leading_class(members: pl.DataFrame) -> pl.DataFrame:
    """cluster, digital_code, class_share: the commonest group (four digits, or as many as known) of the members.

    Clusters whose members have no class are absent.
    """
    return (
        members.drop_nulls("digital_code")
        .with_columns(digital_code=pl.col("digital_code").str.slice(0, 4))
        .group_by("cluster", "digital_code")
        .len()
        .with_columns(class_share=pl.col("len") / pl.col("len").sum().over("cluster"))
        .sort("cluster", "len", "digital_code", descending=[False, True, False])
        .unique("cluster", keep="first", maintain_order=True)
        .select("cluster", "digital_code", "class_share")
    )


def largest_members(members: pl.DataFrame, *, size: str | None) -> pl.DataFrame:
    """The first `LARGEST` members of each cluster by size, then name; without size by name."""
    order = [*([size] if size else []), "name"]
    descending = [*([True] if size else []), False]
    return (
        members.sort(order, descending=descending, nulls_last=True)
        .group_by("cluster", maintain_order=True)
        .head(LARGEST)
        .sort("cluster", maintain_order=True)
    )
