"""The areal path 区域路径: firms whose place is known only by region still count, by region and without a hull.

Location quotients shrunken for small regions, and Getis–Ord G* for regions that are high together with those around.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import ArrayLike
from scipy.spatial import cKDTree

from jiqun.atlas.measures import marshall
from jiqun.atlas.sphere import BallIndex, centre, checked_coordinates, checked_eps, chord2, unit_vectors
from jiqun.core.arrays import Booleans, Floats
from jiqun.core.errors import MeasureInputError
from jiqun.core.frames import as_polars

DRAWS = 9_999
"""Random sets of neighbours: as many as let one region of a few hundred stand out by its q."""
_TIE = 1e-12
_CHUNK = 1_000


def getis_ord(value: ArrayLike, lon: ArrayLike, lat: ArrayLike, *, band_km: float) -> Floats:
    """Getis–Ord local G* 局部热点统计量 of regions, as a z-score.

        G*_i = (Σ_j w_ij x_j − x̄ W_i) / (S √((n W_i − W_i²) / (n − 1))),   w_ij = 1 within band_km, i included

    with W_i = Σ_j w_ij and S the population standard deviation.

    Parameters
    ----------
    value
        n finite numbers.
    lon, lat
        Centres of the regions in degrees.
    band_km
        Regions no farther than this are neighbours.

    Returns
    -------
    n z-scores; NaN where a region neighbours all regions, where all values are equal, or n < 3.

    Raises
    ------
    MeasureInputError
        JQ-ATLAS-001 or 002: unusable coordinates or radius. JQ-ATLAS-011: a value is missing or infinite.

    Notes
    -----
    On few or skewed values the z-scores are not normal: for p and q see `getis_ord_test`.
    Source: Ord and Getis (1995), Geographical Analysis 27(4), 286–306, eq. 14.

    Examples
    --------
    >>> getis_ord([9, 9, 1, 1, 1], [0, 0.1, 50, 100, 150], [0.0] * 5, band_km=50).round(3).tolist()
    [2.0, 2.0, -0.816, -0.816, -0.816]
    """
    x, east, north = _regions(value, lon, lat)
    n = len(x)
    band = checked_eps(band_km)
    if n < 3 or x.max() == x.min():
        return np.full(n, np.nan)
    lowest = x.min()
    neighbours = BallIndex.build(east, north).sums(east, north, band)
    around = BallIndex.build(east, north, x - lowest).sums(east, north, band) + lowest * neighbours
    spread = np.sqrt(np.maximum(0.0, (n * neighbours - neighbours**2) / (n - 1))) * x.std()
    g: Floats = np.full(n, np.nan)
    np.divide(around - x.mean() * neighbours, spread, out=g, where=spread > 1e-12)
    return g


@dataclass(frozen=True)
class GetisOrd:
    """G* of regions with its test; see `getis_ord_test`. One element a region; NaN where G* is."""

    g: Floats
    p: Floats
    """Two-sided, by conditional permutation."""
    q: Floats
    """p adjusted for the false-discovery rate."""


def getis_ord_test(
    value: ArrayLike, lon: ArrayLike, lat: ArrayLike, *, band_km: float, draws: int = DRAWS, seed: int = 20240501
) -> GetisOrd:
    """Getis–Ord local G* with p and q 局部热点检验: is what lies around a region high or low beyond chance.

    p compares G*_i with what other regions drawn at random around i would give, x_i kept, as `local_moran` does; q is p
    after Benjamini and Hochberg. A normal curve would call a third of skewed maps without any pattern hot somewhere.

    Parameters and errors as in `local_moran`; for G* see `getis_ord`. A region without neighbours has p = 1.

    Source: Ord and Getis (1995), Geographical Analysis 27(4), 286–306; Anselin (1995), Geographical Analysis 27(2), 93–115.

    Examples
    --------
    >>> getis_ord_test([9, 8, 9, 1, 1, 2], [0, 0.1, 0.2, 50, 50.1, 50.2], [0.0] * 6, band_km=50).p.round(1).tolist()
    [0.2, 0.2, 0.2, 0.2, 0.2, 0.2]
    """
    x, east, north = _regions(value, lon, lat)
    g = getis_ord(x, east, north, band_km=band_km)
    p = np.full(len(x), np.nan)
    if not np.isnan(g).all():
        _, p, alone = _conditional(x - x.mean(), east, north, checked_eps(band_km), draws, seed)
        p[alone] = 1.0
        p[np.isnan(g)] = np.nan
    return GetisOrd(g, p, benjamini_hochberg(p))


@dataclass(frozen=True)
class LocalMoran:
    """Local Moran statistics of regions; see `local_moran`. One element a region; NaN where it has no neighbour."""

    i: Floats
    p: Floats
    """Two-sided, by conditional permutation."""
    q: Floats
    """p adjusted for the false-discovery rate."""
    kind: tuple[str | None, ...]
    """`high-high`, `low-low`, `high-low` (high among low), `low-high`; None where it has no neighbour, or either is average."""


def local_moran(
    value: ArrayLike, lon: ArrayLike, lat: ArrayLike, *, band_km: float, draws: int = DRAWS, seed: int = 20240501
) -> LocalMoran:
    """Local Moran's I 局部莫兰指数 of regions: is a region like, or unlike, those around it.

        I_i = (z_i / m₂) Σ_{j ≠ i} w_ij z_j,   z = x − x̄,   m₂ = Σ z² / n,   w_ij = 1 / k_i for the k_i others within band_km

    p compares I_i with what k_i other regions drawn at random would give, z_i kept; q is p after Benjamini and Hochberg.

    Parameters
    ----------
    value, lon, lat, band_km
        As in `getis_ord`.
    draws, seed
        Random sets of neighbours, and what they are drawn from; the smallest p is 2 / (draws + 1).

    Returns
    -------
    `LocalMoran`; everything is NaN where all values are equal, or n < 3.

    Raises
    ------
    MeasureInputError
        As `getis_ord`.

    Notes
    -----
    Neighbours share their values, so the tests are not independent; Benjamini–Hochberg holds for the positive dependence
    that this is, and q is what to publish. Source: Anselin (1995), Geographical Analysis 27(2), 93–115.

    Examples
    --------
    >>> found = local_moran([9, 8, 9, 1, 1, 2], [0, 0.1, 0.2, 50, 50.1, 50.2], [0.0] * 6, band_km=50)
    >>> found.i.round(2).tolist(), found.kind[0]
    ([1.02, 0.88, 1.02, 1.02, 1.02, 0.88], 'high-high')
    """
    x, east, north = _regions(value, lon, lat)
    n = len(x)
    band = checked_eps(band_km)
    if n < 3 or x.max() == x.min():
        nothing: Floats = np.full(n, np.nan)
        return LocalMoran(nothing, nothing.copy(), nothing.copy(), (None,) * n)
    z = x - x.mean()
    z[np.abs(z) <= _TIE * np.abs(x).max()] = 0.0
    lag, p, _ = _conditional(z, east, north, band, draws, seed)
    p[z == 0] = np.where(np.isnan(p[z == 0]), np.nan, 1.0)  # I is 0 whatever lies around
    side = np.sign(z)
    kinds = [
        f"{_SIDES[own]}-{_SIDES[around]}" if own and abs(around) == 1 else None
        for own, around in zip(side, np.sign(lag), strict=True)
    ]
    i = z / (z @ z / n) * lag
    return LocalMoran(i, p, benjamini_hochberg(p), tuple(kinds))


_SIDES = {1.0: "high", -1.0: "low"}


def _conditional(
    z: Floats, east: Floats, north: Floats, band: float, draws: int, seed: int
) -> tuple[Floats, Floats, Booleans]:
    """Mean of each region's neighbours, its two-sided p among means of others drawn at random, and who has no neighbour.

    Both are NaN for these. The smallest p is 2 / (draws + 1).
    """
    n = len(z)
    vectors = unit_vectors(east, north).T
    near = cKDTree(vectors).query_ball_point(vectors, np.sqrt(chord2(band)))
    held = np.array([len(ids) - 1 for ids in near])
    lag = np.array([(z[ids].sum() - z[k]) / max(held[k], 1) for k, ids in enumerate(near)])
    tie = _TIE * np.abs(z).max()
    lag[np.abs(lag) <= tie] = 0.0
    above, below = np.zeros((2, n), np.int64)
    rng = np.random.default_rng(seed)
    for begin in range(0, draws, _CHUNK):
        rows = min(_CHUNK, draws - begin)
        others = np.stack([rng.choice(n - 1, held.max(), replace=False) for _ in range(rows)])
        for k in np.flatnonzero(held):
            drawn = others[:, : held[k]]
            means = z[drawn + (drawn >= k)].mean(axis=1)
            above[k] += (means >= lag[k] - tie).sum()
            below[k] += (means <= lag[k] + tie).sum()
    alone = held == 0
    p = np.minimum(1.0, 2 * (np.minimum(above, below) + 1) / (draws + 1))
    lag[alone], p[alone] = np.nan, np.nan
    return lag, p, alone


def _regions(value: ArrayLike, lon: ArrayLike, lat: ArrayLike) -> tuple[Floats, Floats, Floats]:
    """Values and centres, refused where one cannot be used."""
    x = np.asarray(value, dtype=np.float64)
    east, north = checked_coordinates(lon, lat)
    if x.shape != east.shape or not np.isfinite(x).all():
        first = 0 if x.shape != east.shape else int(np.argmin(np.isfinite(x)))
        raise MeasureInputError("JQ-ATLAS-011", position=first)
    return x, east, north


def benjamini_hochberg(p: ArrayLike) -> Floats:
    """p-values adjusted for the false-discovery rate 错误发现率校正; NaN stays NaN and does not count.

        q_(k) = min_{j >= k} (m / j) p_(j)

    Source: Benjamini and Hochberg (1995), Journal of the Royal Statistical Society B 57(1), 289–300.

    Examples
    --------
    >>> benjamini_hochberg([0.01, 0.04, 0.03, float("nan")]).round(3).tolist()
    [0.03, 0.04, 0.04, nan]
    """
    raw = np.asarray(p, dtype=np.float64)
    result = np.full(raw.shape, np.nan)
    known = np.flatnonzero(~np.isnan(raw))
    order = known[np.argsort(raw[known])]
    scaled = raw[order] * len(order) / np.arange(1, len(order) + 1)
    result[order] = np.minimum(1.0, np.minimum.accumulate(scaled[::-1])[::-1])
    return result


def regional_profile(
    organisations: Any,
    background: Any,
    *,
    region: str = "country",
    weight: str = "population",
    band_km: float = 1000.0,
    coarse_km: float = 10.0,
) -> pl.DataFrame:
    """Firms by region against their background 区域画像, for all firms, also those placed coarsely.

    Parameters
    ----------
    organisations
        Firms of the class: `region`, optional `precision_km` (coarser than `coarse_km` counts as coarse).
    background
        `region`, `lon`, `lat` and the column named by `weight`.
    band_km
        Centres no farther than this are neighbours for G*.

    Returns
    -------
    Polars frame by falling firms: region, firms, coarse, background, expected, lq, lq_shrunk (Marshall's empirical
    Bayes), g_star (of lq_shrunk), g_star_q (by permutation, Benjamini–Hochberg; see `getis_ord_test`). Regions without
    firms are there with 0; regions without background have null expected, lq, lq_shrunk, g_star; all have null lq,
    lq_shrunk, g_star where no firm is in a region with background.

    Raises
    ------
    MeasureInputError
        JQ-USE-003: a column is missing. JQ-ATLAS-006: the background weighs nothing.

    Examples
    --------
    >>> firms = pl.DataFrame({"country": ["A"] * 30 + ["B"] * 10})
    >>> towns = pl.DataFrame({"country": ["A", "B", "C"], "lon": [0, 1, 2], "lat": [0, 0, 0], "population": [1, 1, 2]})
    >>> regional_profile(firms, towns)["lq"].to_list()
    [3.0, 1.0, 0.0]
    """
    firms = as_polars(organisations, region)
    coarse = pl.col("precision_km") > coarse_km if "precision_km" in firms.columns else pl.lit(value=False)
    held = (
        firms.drop_nulls(region)
        .with_columns(coarse=coarse.fill_null(value=False))
        .group_by(region)
        .agg(firms=pl.len().cast(pl.Int64), coarse=pl.col("coarse").sum().cast(pl.Int64))
    )
    centres = region_centres(background, region=region, weight=weight)
    table = centres.join(held, on=region, how="full", coalesce=True).with_columns(
        pl.col("firms", "coarse").fill_null(0)
    )
    known = pl.col("background").is_not_null()
    expected = pl.col("background") * pl.col("firms").filter(known).sum() / pl.col("background").sum()
    table = table.with_columns(expected=expected).with_columns(
        lq=pl.when(pl.col("expected") > 0).then(pl.col("firms") / pl.col("expected"))
    )
    table = table.sort("firms", "background", region, descending=[True, True, False], nulls_last=True)
    some = table.filter(known)
    n, e = some["firms"].cast(pl.Float64).to_numpy(), some["expected"].to_numpy()
    shrunk = marshall(n, e, np.zeros(len(n), np.int64)) if n.any() else np.full(len(n), np.nan)
    around = getis_ord_test(np.nan_to_num(shrunk), some["lon"], some["lat"], band_km=band_km)
    stats = some.select(region).with_columns(
        lq_shrunk=pl.Series(shrunk, nan_to_null=True),
        g_star=pl.Series(around.g, nan_to_null=True),
        g_star_q=pl.Series(around.q, nan_to_null=True),
    )
    return table.join(stats, on=region, how="left", maintain_order="left").drop("lon", "lat")


def region_centres(background: Any, *, region: str, weight: str) -> pl.DataFrame:
    """Where the background of each region lies 区域重心: region, background (its summed weight), lon, lat; by region.

    Rows without a point or with no weight do not count.

    Raises
    ------
    MeasureInputError
        JQ-USE-003: a column is missing. JQ-ATLAS-006: the background weighs nothing.

    Examples
    --------
    >>> towns = pl.DataFrame({"country": ["A", "A"], "lon": [0.0, 2.0], "lat": [0.0, 0.0], "people": [3, 3]})
    >>> region_centres(towns, region="country", weight="people").rows()
    [('A', 6.0, 1.0, 0.0)]
    """
    ground = as_polars(background, region, "lon", "lat", weight).drop_nulls([region, "lon", "lat"])
    ground = ground.with_columns(pl.col(weight).cast(pl.Float64)).filter(pl.col(weight) > 0).sort(region)
    if ground.is_empty():
        raise MeasureInputError("JQ-ATLAS-006")
    rows = [
        (name, part[weight].sum(), *centre(*(part[c].cast(pl.Float64).to_numpy() for c in ("lon", "lat", weight))))
        for (name,), part in ground.partition_by(region, maintain_order=True, as_dict=True).items()
    ]
    schema: dict[str, pl.DataType | type[pl.DataType]] = {
        region: ground.schema[region],
        "background": pl.Float64,
        "lon": pl.Float64,
        "lat": pl.Float64,
    }
    return pl.DataFrame(rows, schema=schema, orient="row")
