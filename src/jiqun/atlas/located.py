"""Where the firms of a register stand 企业位置: coordinates with country, province and nearest place, kept in memory.

A snapshot never changes, so its firms are placed once, by the worker after a run or by who asks first, and kept in the
workspace's cache; a map reads nothing else.
"""

from __future__ import annotations

import secrets
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Literal

import polars as pl

from jiqun.atlas.classes import SOURCES, Reader, classified, reader_of
from jiqun.atlas.reading import Run
from jiqun.core.document import Map
from jiqun.core.errors import WorkspaceError
from jiqun.intake.counted import settled
from jiqun.intake.gazetteer import Gazetteer, country_name, fingerprint
from jiqun.report.bins import Grid, grid
from jiqun.report.maps import panels
from jiqun.store import Workspace

Base = Literal["world", "china"]
CHINA = ("CN", "HK", "MO", "TW")
"""Countries and regions, in the codes of ISO 3166, that the national map of China shows."""
_SPECIAL = {"TW": "710000", "HK": "810000", "MO": "820000"}
_KEPT = 8
"""How many registers are kept placed on disk: 10⁶ firms take about 15 MB and, placed anew, some seconds."""


def located(workspace: Workspace, run: Run) -> pl.DataFrame | None:
    """The firms that a run searched and that have a position: lon, lat, country, admin1, place (row of the gazetteer).

    None where the workspace no longer has the register.
    """
    snapshot = run.snapshot(workspace)
    by = reader_of(workspace, run.values)
    return None if snapshot is None else _located(snapshot.path, run.digital, by, workspace.cache)


@lru_cache(maxsize=2)
def gazetteer(cache: Path) -> Gazetteer:
    """The gazetteer, read once."""
    return Gazetteer.load(cache)


@lru_cache(maxsize=2)
def _located(path: Path, digital: str | None, by: Reader, cache: Path) -> pl.DataFrame:
    if not path.is_file():
        raise WorkspaceError("JQ-STORE-016", path=path)
    folder = cache / f"located-{fingerprint()}"
    what = f"{digital}{by.digest and '-'}{by.digest}" if digital else "all"
    kept = folder / f"{path.stem}-{what}.parquet"
    with suppress(OSError, pl.exceptions.PolarsError):  # absent, or damaged: it can be made again
        return pl.read_parquet(kept, glob=False)
    firms = _placed(path, digital, by, cache)
    with suppress(OSError, pl.exceptions.PolarsError):  # a cache that cannot be written only costs time
        folder.mkdir(parents=True, exist_ok=True)
        temporary = folder / f"{secrets.token_hex(8)}.tmp"
        firms.write_parquet(temporary)
        temporary.replace(kept)
        for old in sorted(folder.glob("*.parquet"), key=lambda file: file.stat().st_mtime)[:-_KEPT]:
            old.unlink(missing_ok=True)
    return firms


def _placed(path: Path, digital: str | None, by: Reader, cache: Path) -> pl.DataFrame:
    rows = settled(pl.scan_parquet(path, glob=False)).filter(pl.col("lon").is_not_null() & pl.col("lat").is_not_null())
    if digital is None:
        firms = rows.select("lon", "lat").collect()
    else:
        known = [column for column in SOURCES if column in rows.collect_schema().names()]
        firms = classified(rows.select("lon", "lat", *known).collect(), by)
        firms = firms.filter(pl.col("digital_code").str.starts_with(digital)).select("lon", "lat")
    points = firms.unique(maintain_order=True)
    near = (
        gazetteer(cache)
        .nearest(points["lon"], points["lat"])
        .select(
            pl.col("country").cast(pl.Categorical),
            pl.col("admin1").cast(pl.Categorical),
            place=pl.col("place_id").cast(pl.Categorical),
        )
    )
    return firms.join(pl.concat([points, near], how="horizontal"), on=["lon", "lat"], how="left")


def cells_on(workspace: Workspace, run: Run, base: Base) -> Grid | None:
    """The cells of those firms, in their order, on a whole base; None as `located`."""
    snapshot = run.snapshot(workspace)
    by = reader_of(workspace, run.values)
    return None if snapshot is None else _cells(snapshot.path, run.digital, by, workspace.cache, base)


@lru_cache(maxsize=4)
def _cells(path: Path, digital: str | None, by: Reader, cache: Path, base: Base) -> Grid:
    firms = _located(path, digital, by, cache)
    return grid(firms["lon"].to_numpy(), firms["lat"].to_numpy(), panels(Map(base=base)))


@lru_cache(maxsize=2)
def provinces(cache: Path) -> pl.DataFrame:
    """The 34 divisions of China: region (CN.30, TW, HK, MO), code (GB/T 2260), name_zh, name_en.

    GeoNames knows provinces by numbers of its own; the names of the division table tie them to the official codes.
    """
    places = gazetteer(cache)
    units = places.units.select("region_code", "unit", name_zh="short").unique("region_code")
    held = (
        places.regions.filter(pl.col("country") == "CN", pl.col("admin1").is_not_null())
        .unique("admin1")
        .join(places.areas.select("area_id", unit="name_zh", name_en="name"), on="area_id")
        .join(units, on="unit")
        .filter(pl.col("region_code").str.ends_with("0000"))
        .select(region=pl.format("CN.{}", "admin1"), code="region_code", name_zh="name_zh", name_en="name_en")
    )
    names = dict(units.select("region_code", "name_zh").iter_rows())
    rest = [
        (key, code, names.get(code, country_name(key, "zh")), country_name(key, "en")) for key, code in _SPECIAL.items()
    ]
    return pl.concat([held, pl.DataFrame(rest, schema=held.schema, orient="row")]).sort("code")


def by_province(firms: pl.DataFrame, cache: Path) -> pl.DataFrame:
    """Firms by division of China, with the columns of `provinces`; 0 where a division has none."""
    counts = (
        firms.filter(pl.col("country").is_in(CHINA))
        .group_by("country", "admin1")
        .len("firms")
        .with_columns(pl.col("country", "admin1").cast(pl.String))
        .select(
            "firms",
            region=pl.when(pl.col("country") == "CN").then(pl.format("CN.{}", "admin1")).otherwise("country"),
        )
        .group_by("region")
        .agg(pl.col("firms").sum().cast(pl.Int64))
    )
    return (
        provinces(cache)
        .join(counts, on="region", how="left", maintain_order="left")
        .with_columns(pl.col("firms").fill_null(0))
    )
