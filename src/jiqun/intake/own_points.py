"""Points of one's own 自有坐标: what people decided about doubtful points, one's own parks and buildings, and geocoders' answers.

`placed` puts them together with what `jiqun.intake.place` finds, in one order, for loads and for tables that are
placed anew: decisions first, then given points, then the finest of the rest.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final

import polars as pl
import sqlalchemy as sa

from jiqun.intake._geo import distance_km
from jiqun.intake.address import DETAIL_KM, parse_address, plain
from jiqun.intake.gazetteer import Gazetteer
from jiqun.intake.geocode_records import KNOWN, digests, known
from jiqun.intake.place import FAR_KM, place
from jiqun.store import Workspace
from jiqun.store.database import table

ANSWER_OUTSIDE: Final = "JQ-PLACE-017"
CARRIER_OPEN: Final = "JQ-PLACE-018"
SAME_KM: Final = 1.0
"""Points of one park's name this far apart are those of different parks."""
LEAST_NAME: Final = 3
"""Characters of a park's name that can be looked for in an address."""
PLACED: Final = ("precision_km", "place_id", "place_name", "place_name_zh", "placed_by", "place_warning")
"""What placing adds to a row, beside lon and lat."""

_CARRIERS = {
    "name": pl.String,
    "carrier": pl.String,
    "kind": pl.String,
    "city_code": pl.String,
    "lon": pl.Float64,
    "lat": pl.Float64,
}
_DECIDED = {
    "id": pl.String, "fix": pl.String, "given_lon": pl.Float64, "given_lat": pl.Float64, "to_lon": pl.Float64,
    "to_lat": pl.Float64, "code": pl.String,
}  # fmt: skip
_AGREE = 1e-6  # degree: a tenth of a metre


@dataclass(frozen=True)
class OwnPoints:
    """What one's own workspace knows: decisions of one table, carriers, geocoders' answers."""

    decisions: pl.DataFrame
    carriers: pl.DataFrame
    geocodes: pl.DataFrame

    @classmethod
    def none(cls) -> OwnPoints:
        """Nothing of one's own."""
        return cls(pl.DataFrame(schema=_DECIDED), pl.DataFrame(schema=_CARRIERS), pl.DataFrame(schema=KNOWN))

    @classmethod
    def of(cls, workspace: Workspace, table_name: str, gazetteer: Gazetteer) -> OwnPoints:
        """All that counts for a table; carriers do not place themselves."""
        carriers = pl.DataFrame(schema=_CARRIERS)
        if table_name != "carriers":
            carriers = _carriers(workspace, gazetteer)
        return cls(decisions(workspace, table_name), carriers, known(workspace))

    @property
    def any(self) -> bool:
        """Whether there is anything that `place` does not know."""
        return any(part.height for part in (self.decisions, self.carriers, self.geocodes))

    @property
    def digest(self) -> str:
        """What stands for all of it: equal where the same points follow."""
        parts = (self.decisions, self.carriers, self.geocodes)
        told = [part.select(pl.struct(pl.all()).hash(seed=1)).to_series().sort() for part in parts]
        return hashlib.sha256(b"|".join(one.to_numpy().tobytes() for one in told)).hexdigest()


def decisions(workspace: Workspace, table_name: str) -> pl.DataFrame:
    """What people decided about points of a table: id, fix, given_lon, given_lat, to_lon, to_lat, code."""
    if not workspace.has_database:
        return pl.DataFrame(schema=_DECIDED)
    rows = table("point_fixes")
    names = ("row_id", "fix", "given_lon", "given_lat", "lon", "lat", "code")
    query = sa.select(*(rows.c[name] for name in names)).where(rows.c.table_name == table_name)
    with workspace.database.read() as connection:
        found = connection.execute(query).all()
    return pl.DataFrame([tuple(row) for row in found], schema=_DECIDED, orient="row")


def _carriers(workspace: Workspace, gazetteer: Gazetteer) -> pl.DataFrame:
    """Parks and buildings with points of their own, once for each of their names."""
    if not any(snapshot.table == "carriers" for snapshot in workspace.tables()):
        return pl.DataFrame(schema=_CARRIERS)
    rows = workspace.scan("carriers").collect()
    if not {"name", "lon", "lat", "placed_by"} <= set(rows.columns):
        return pl.DataFrame(schema=_CARRIERS)
    rows = rows.filter(pl.col("placed_by") == "coordinates", pl.col("lon").is_not_null(), pl.col("lat").is_not_null())
    return gazetteer_of(rows, gazetteer)


def gazetteer_of(carriers: pl.DataFrame, gazetteer: Gazetteer) -> pl.DataFrame:
    """A table of carriers as a gazetteer of one's own 自有地名库: name (as it is read), carrier, kind, city_code, lon, lat.

    Every name counts: `name` and those in `aliases`, separated by semicolons. Of the city, what the row says of itself.
    """
    missing = [name for name in ("aliases", "kind") if name not in carriers.columns]
    rows = carriers.with_columns(pl.lit(None, pl.String).alias(name) for name in missing)
    said = parse_address(rows, gazetteer)
    rows = rows.select("kind", "lon", "lat", "aliases", carrier="name", city_code=said["city_code"])
    others = pl.col("aliases").fill_null("").str.replace_all("；", ";").str.split(";")
    rows = rows.with_columns(name=pl.concat_list("carrier", others)).explode("name")
    rows = rows.with_columns(plain(rows["name"]).alias("name"))
    rows = rows.filter(pl.col("name").str.len_chars() >= LEAST_NAME)
    return rows.select(pl.col(name).cast(kind) for name, kind in _CARRIERS.items()).unique(maintain_order=True)


def placed(rows: pl.DataFrame, gazetteer: Gazetteer, own: OwnPoints) -> pl.DataFrame:
    """Rows with points 落位, as `jiqun.intake.place.place` and finer where there is more: adds `PLACED`.

    Parameters
    ----------
    rows
        As for `place`; `id` where decisions are to count.
    own
        What the workspace knows.

    Returns
    -------
    The rows; `placed_by` may also be `carrier` (a park or building of one's own), or `tianditu`, `amap`, `baidu`. A
    geocoder's answer outside the division that the row names is not used, and warned of (`ANSWER_OUTSIDE`); so is a
    carrier's name that stands for several points (`CARRIER_OPEN`).
    """
    rows = decided(rows, own.decisions)
    rows = place(rows, gazetteer, shared_firms=rows.height + 1).drop("shared_point")
    rows = _kept(rows, own.decisions)
    rows = _by_carriers(rows, gazetteer, own.carriers)
    return _by_geocodes(rows, gazetteer, own.geocodes)


def decided(rows: pl.DataFrame, decisions: pl.DataFrame) -> pl.DataFrame:
    """Points as people decided, where they are still as they were when it was decided."""
    if decisions.is_empty() or "id" not in rows.columns:
        return rows
    told = decisions.filter(pl.col("fix") != "keep")
    joined = rows.join(told, on="id", how="left", maintain_order="left")
    here = _as_given()
    return rows.with_columns(
        joined.select(
            pl.when(here).then("to_lon").otherwise("lon").alias("lon"),
            pl.when(here).then("to_lat").otherwise("lat").alias("lat"),
        ).get_columns()
    )


def _as_given() -> pl.Expr:
    near = [(pl.col(a) - pl.col(b)).abs() < _AGREE for a, b in (("lon", "given_lon"), ("lat", "given_lat"))]
    return (near[0] & near[1]).fill_null(value=False)


def _kept(rows: pl.DataFrame, decisions: pl.DataFrame) -> pl.DataFrame:
    """Without warnings of points that people have looked at and kept."""
    kept = decisions.filter(pl.col("fix") == "keep")
    if kept.is_empty() or "id" not in rows.columns:
        return rows
    joined = rows.join(kept, on="id", how="left", maintain_order="left")
    quiet = _as_given() & (pl.col("code") == pl.col("place_warning"))
    return rows.with_columns(joined.select(place_warning=pl.when(~quiet).then("place_warning")).get_columns())


def _open(rows: pl.DataFrame, finest_km: float) -> pl.DataFrame:
    """Rows that have an address and no point that is as fine."""
    if "address" not in rows.columns:
        return rows.with_row_index("row").clear()
    coarse = (pl.col("placed_by") != "coordinates") & (pl.col("precision_km") > finest_km)
    return rows.with_row_index("row").filter(
        pl.col("address").is_not_null(),
        coarse.fill_null(value=True) & ~(pl.col("placed_by") == "coordinates").fill_null(value=False),
    )


def _by_carriers(rows: pl.DataFrame, gazetteer: Gazetteer, carriers: pl.DataFrame) -> pl.DataFrame:
    """Rows at the park or building that their address names."""
    if carriers.is_empty():
        return rows
    names = carriers["name"].unique().to_list()
    names.sort(key=lambda name: (-len(name), name))
    wanted = _open(rows, DETAIL_KM["building"])
    text = plain(wanted["address"].cast(pl.String))
    hits = wanted.with_columns(
        name=text.to_frame("t").select(pl.col("t").str.extract_many(names, leftmost=True)).to_series()
    )
    hits = hits.explode("name").filter(pl.col("name").is_not_null())
    if hits.is_empty():
        return rows
    said = parse_address(hits, gazetteer)
    hits = hits.select("row", "name", city=said["city_code"]).unique()
    hits = hits.join(carriers, on="name").filter(
        pl.col("city").is_null() | pl.col("city_code").is_null() | (pl.col("city") == pl.col("city_code"))
    )
    exact = pl.col("kind").is_in(["building", "floor", "unit"]).fill_null(value=False)
    hits = hits.with_columns(km=pl.when(exact).then(DETAIL_KM["building"]).otherwise(DETAIL_KM["park"]))
    # a building in a park is finer than the park; of one name there must be one point
    finest = hits.filter(pl.col("km") == pl.col("km").min().over("row"))
    wide = distance_km(pl.col("lon").min(), pl.col("lat").min(), pl.col("lon").max(), pl.col("lat").max())
    found = finest.group_by("row").agg(
        spread=wide,
        lon=pl.col("lon").first(),
        lat=pl.col("lat").first(),
        km=pl.col("km").first(),
        name=pl.col("name").first(),
    )
    sure = found.filter(pl.col("spread") < SAME_KM)
    rows = _put(rows, sure.with_columns(placed_by=pl.lit("carrier"), warning=pl.lit(None, pl.String)))
    return _warn(rows, found.filter(pl.col("spread") >= SAME_KM).select("row"), CARRIER_OPEN)


def _by_geocodes(rows: pl.DataFrame, gazetteer: Gazetteer, geocodes: pl.DataFrame) -> pl.DataFrame:
    """Rows at what a geocoder answered, where that is finer and in the division that the row names."""
    answers = geocodes.filter("found", pl.col("precision").is_in(list(DETAIL_KM)))
    if answers.is_empty():
        return rows
    wanted = _open(rows, DETAIL_KM["building"])
    wanted = wanted.with_columns(digests(wanted).alias("digest"))
    km = pl.col("precision").replace_strict(DETAIL_KM, return_dtype=pl.Float64)
    best = (
        answers.with_columns(km=km).sort("digest", "km", "provider").unique("digest", keep="first", maintain_order=True)
    )
    best = best.select("digest", "provider", "km", "region_code", x="lon", y="lat")
    hits = wanted.join(best, on="digest", suffix="_answer").filter(
        pl.col("precision_km").is_null() | (pl.col("km") < pl.col("precision_km"))
    )
    if hits.is_empty():
        return rows
    said = parse_address(hits.drop("precision_km", "place_id", "place_name", "place_name_zh"), gazetteer)
    code = "region_code_answer" if "region_code_answer" in hits.columns else "region_code"
    seats = gazetteer.units.select(city_code="region_code", seat_lon="lon", seat_lat="lat", seat_level="level")
    hits = hits.select("row", "provider", "km", "x", "y", answer_code=code).with_columns(
        said.select("city_code", "province_code")
    )
    hits = hits.join(seats, on="city_code", how="left", maintain_order="left")
    whole = (
        pl.when(pl.col("city_code").str.ends_with("0000"))
        .then(2)
        .when(pl.col("city_code").str.ends_with("00"))
        .then(4)
        .otherwise(6)
    )
    by_code = pl.col("answer_code").str.slice(0, whole) == pl.col("city_code").str.slice(0, whole)
    by_province = pl.col("answer_code").str.slice(0, 2) == pl.col("province_code").str.slice(0, 2)
    near = distance_km(pl.col("x"), pl.col("y"), pl.col("seat_lon"), pl.col("seat_lat")) < FAR_KM
    fits = pl.coalesce(by_code, near, by_province).fill_null(value=True)
    inside = hits.filter(fits).select("row", "km", lon="x", lat="y", placed_by="provider")
    rows = _put(rows, inside.with_columns(warning=pl.lit(None, pl.String)))
    return _warn(rows, hits.filter(~fits).select("row"), ANSWER_OUTSIDE)


def _put(rows: pl.DataFrame, found: pl.DataFrame) -> pl.DataFrame:
    """Rows with the points found for them (row, lon, lat, km, placed_by)."""
    new = found.select(pl.col("row").cast(pl.UInt32), n_lon="lon", n_lat="lat", n_km="km", n_by="placed_by")
    joined = rows.with_row_index("row").join(new, on="row", how="left", maintain_order="left")
    return joined.with_columns(
        pl.coalesce("n_lon", "lon").alias("lon"),
        pl.coalesce("n_lat", "lat").alias("lat"),
        pl.coalesce("n_km", "precision_km").alias("precision_km"),
        pl.coalesce("n_by", "placed_by").alias("placed_by"),
    ).select(rows.columns)


def _warn(rows: pl.DataFrame, which: pl.DataFrame, code: str) -> pl.DataFrame:
    marked = rows.with_row_index("row").join(
        which.select(pl.col("row").cast(pl.UInt32), new=pl.lit(code)), on="row", how="left", maintain_order="left"
    )
    return marked.with_columns(place_warning=pl.coalesce("place_warning", "new")).select(rows.columns)


def bare(rows: pl.DataFrame) -> pl.DataFrame:
    """Rows of a placed table as they were before placing: with given points only."""
    given = pl.col("placed_by") == "coordinates"
    return rows.with_columns(pl.when(given).then(c).alias(c) for c in ("lon", "lat")).drop(PLACED, strict=False)


__all__ = ["ANSWER_OUTSIDE", "CARRIER_OPEN", "PLACED", "OwnPoints", "bare", "decided", "decisions", "placed"]
