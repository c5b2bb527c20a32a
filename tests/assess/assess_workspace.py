"""A small made-up workspace with four clusters, indicators, links; and ways to load more."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import polars as pl

from jiqun.atlas import desk as atlas
from jiqun.core.actor import LOCAL
from jiqun.store import Workspace

CITIES = {
    "Boulder": (-105.27, 40.01, "US", "110100"),
    "Cambridge": (0.12, 52.2, "GB", "110200"),
    "Grenoble": (5.72, 45.19, "FR", "330100"),
    "Oulu": (25.47, 65.01, "FI", "330200"),
}
SIZES = {"Boulder": 40, "Cambridge": 30, "Grenoble": 28, "Oulu": 26}
LONE = [("Hamburg", 9.99, 53.55, "DE"), ("Berlin", 13.41, 52.52, "DE"), ("Lyon", 4.85, 45.75, "FR")] * 3
SEARCH = atlas.Search(background="population", coverage="world", eps_km=20, persistence=False)
CLASSES = ("0101", "0102", "0301", "0401")


def firms(sizes: dict[str, int] = SIZES, seed: int = 1) -> pl.DataFrame:
    """Firms of four cities and a few lone ones; class and industry by chance, in shares that differ by city."""
    rng = np.random.default_rng(seed)
    rows = []
    for k, (city, size) in enumerate(sizes.items()):
        lon, lat, country, region = CITIES[city]
        for i in range(size):
            core = rng.random() < 0.3 + 0.15 * k
            digital = str(rng.choice(CLASSES, p=np.roll([0.5, 0.3, 0.1, 0.1], k))) if core else None
            rows.append((f"o-{city}-{i}", city, lon, lat, country, region, digital, None if core else "0111"))
    for i, (city, lon, lat, country) in enumerate(LONE):
        rows.append((f"o-lone-{i}", city, lon, lat, country, None, None, "0111"))
    names = ["id", "place_name", "lon", "lat", "country", "region_code", "digital_code", "industry_code"]
    frame = pl.DataFrame(rows, schema=names, orient="row", infer_schema_length=None)
    return frame.with_columns(
        name=pl.format("Maker <b>{}</b>", "id"),
        city=pl.col("place_name"),
        place_name_zh=pl.lit(None, pl.String),
        precision_km=pl.lit(10.0),
        placed_by=pl.lit("city"),
    )


def make(folder: Path, places: Path) -> Workspace:
    """The workspace, with one search."""
    made = Workspace.init(folder)
    shutil.copytree(places, made.cache, dirs_exist_ok=True)
    load_firms(made, firms(), "2023-05-01")
    atlas.run(LOCAL, made, SEARCH)
    return made


def load_firms(workspace: Workspace, frame: pl.DataFrame, day: str) -> None:
    """A register."""
    with workspace.new_snapshot("organisations", as_of=day, source="made up for a test") as writer:
        writer.write(frame)


def load_indicators(workspace: Workspace, rows: list[tuple[object, ...]], day: str = "2023-12-31") -> None:
    """Rows of unit, indicator, year, value[, measure[, quarter]]."""
    names = ["unit", "indicator", "year", "value", "measure", "quarter"]
    padded = [(*row, *(None,) * (len(names) - len(row))) for row in rows]
    kinds = {"value": pl.Float64, "measure": pl.String, "quarter": pl.Int64, "year": pl.Int64}
    frame = pl.DataFrame(padded, schema=names, orient="row", schema_overrides=kinds, strict=False)
    frame = frame.with_columns(id=pl.format("i{}", pl.int_range(pl.len())), evidence=pl.lit("made up <i>"))
    with workspace.new_snapshot("indicators", as_of=day, source="made up for a test") as writer:
        writer.write(frame)


def indicator_rows(units: dict[str, float], year: int = 2023) -> list[tuple[object, ...]]:
    """Some indicators of the shipped framework `competitiveness` for units of a given quality."""
    rows: list[tuple[object, ...]] = []
    for unit, quality in units.items():
        rows += [
            (unit, "revenue", year, 1000.0 * quality, "万元"),
            (unit, "firms", year, 50.0, "家"),
            (unit, "rd_intensity", year, 30.0 * quality**2, "万元"),
            (unit, "主导制定的国际国家标准", year, 2.0 + quality, "项"),
            (unit, "sri_firms", year, 5.0 * quality, "家"),
            (unit, "core_gdp_share", year, 4.0 + quality, "%"),
            (unit, "joint_projects", year, 3.0 * quality, "个"),
        ]
    return rows


FRAMEWORK = """
code = "mine"
zh = "自有"
en = "Mine"
version = "2"
[steps]
normalise = "minmax"
low = 1
high = 100
missing = "renormalise"
[[dimension]]
code = "mine"
zh = "总"
en = "All"
[[dimension]]
code = "made"
parent = "mine"
zh = "产业"
en = "Made"
weight = 3
[[dimension]]
code = "tied"
parent = "mine"
zh = "合作"
en = "Tied"
[[indicator]]
code = "beyond_chance"
parent = "made"
zh = "超出随机"
en = "Beyond chance"
unit = "ratio"
origin = "atlas"
source = "atlas"
[[indicator]]
code = "variety"
parent = "made"
zh = "多样性"
en = "Variety"
unit = "个"
origin = "atlas"
source = "atlas"
[[indicator]]
code = "joint_projects"
parent = "tied"
zh = "联合项目"
en = "Joint projects"
unit = "个"
source = "table"
"""
"""A framework of one's own: two indicators of the atlas, one of a table."""
