"""What a cluster is called 集群命名 and what stands out in it: place, leading class, largest members."""

from __future__ import annotations

from typing import Protocol

import polars as pl

LARGEST = 10


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
    """Add name_en, name_zh and country to `table`: the place most members are at, else the gazetteer's at the centre.

    `members` has cluster and, where known, place_name, place_name_zh, country. Where two clusters would bear one name in
    one country, the smaller ones are numbered: “Springfield 2”.
    """
    wanted = ("place_name", "place_name_zh", "country")
    known = members.with_columns(pl.lit(None, pl.String).alias(c) for c in wanted if c not in members.columns)
    most = (
        known.drop_nulls("place_name")
        .group_by("cluster", *wanted)
        .len()
        .sort("cluster", "len", "place_name", descending=[False, True, False])
        .unique("cluster", keep="first", maintain_order=True)
    )
    named = {row["cluster"]: (row["place_name"], row["place_name_zh"], row["country"]) for row in most.to_dicts()}
    rows = []
    for cluster, lon, lat in table.select("cluster", "lon", "lat").iter_rows():
        if cluster not in named:
            place = places.name_at(lon, lat, eps_km)
            named[cluster] = (place.name, place.name_zh, place.country)
        en, zh, country = named[cluster]
        rows.append((cluster, en, zh or en, country))
    names = pl.DataFrame(
        rows,
        schema={"cluster": table.schema["cluster"], "name_en": pl.String, "name_zh": pl.String, "country": pl.String},
        orient="row",
    )
    turn = pl.int_range(pl.len()).over("name_en", "country")
    suffix = pl.when(turn > 0).then(pl.format(" {}", turn + 1)).otherwise(pl.lit(""))
    return table.join(names.with_columns(pl.col("name_en", "name_zh") + suffix), on="cluster", how="left")


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
