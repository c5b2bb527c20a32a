"""Geographic clusters of a class of firms 集群识别: the core condition is itself the test.

A place is core when the firms within eps are significantly more than its background explains; clusters are the
connected cores with the firms around them. Nothing is tested after it was found on the same data: the level is shared
among all places that could have been found, so the chance of reporting *any* cluster where firms merely follow their
background is at most alpha. Small specialised places are found, merely populous ones are not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import polars as pl
from scipy.spatial import cKDTree

from jiqun.atlas import density
from jiqun.atlas.significance import NullDraws, ball_p_values, critical_counts, log_likelihood_ratio, null_draws
from jiqun.atlas.sphere import (
    EARTH_RADIUS_KM,
    EPS_KM_RANGE,
    BallIndex,
    checked_coordinates,
    checked_eps,
    checked_weight,
    unit_vectors,
)
from jiqun.core.arrays import Floats, Integers
from jiqun.core.errors import MeasureInputError, UsageError
from jiqun.core.frames import as_polars, require_columns
from jiqun.core.progress import Progress, silent

Against = Literal["firms", "population", "nothing"]
DRAWS = 199
LEAST_ALPHA = 1e-12  # far below it, levels leave what floating-point tails can tell apart
"""Random registries drawn to calibrate with, unless said otherwise."""
PERSISTENCE_EPS = (1.0, 1.25, 1.5)  # never below what the precision of the positions bears
PERSISTENCE_ALPHA = (0.2, 1.0, 2.0)


@dataclass(frozen=True)
class Clusters:
    """What a search found 集群, and all that is needed to judge it.

    `table`: a row per cluster by falling log-likelihood ratio: cluster, firms, core_firms, size, locations, expected,
    ratio, llr, p_adjusted, lon, lat, radius_km, coarse_firms, coarse_share, firms_unshared, persistence. `members`: id,
    cluster, core. Null where not applicable: without background expected, ratio, llr and p_adjusted; ratio and llr also
    where the background has nothing at a cluster's place, which then comes last.
    """

    table: pl.DataFrame
    members: pl.DataFrame
    against: Against
    firms: int
    background_total: float
    candidates: int
    level: float | None
    coarse: int
    unplaced: int
    parameters: dict[str, Any] = field(default_factory=dict)
    draws: NullDraws | None = None

    @property
    def false_find_rate(self) -> float | None:
        """Share of random registries in which the same search finds anything; None if none were drawn."""
        return None if self.draws is None or self.level is None else self.draws.false_find_rate(self.level)


@dataclass(frozen=True)
class _Background:
    """Where firms could be, and how strongly: distinct locations with their weight."""

    lon: Floats
    lat: Floats
    weight: Floats | None
    index: BallIndex
    total: float

    @classmethod
    def of(cls, lon: Floats, lat: Floats, weight: Floats | None) -> _Background:
        if weight is not None:
            checked_weight(weight, len(lon))
            some = weight > 0
            lon, lat, weight = lon[some], lat[some], weight[some]
        if len(lon) == 0:
            raise MeasureInputError("JQ-ATLAS-006")
        index = BallIndex.build(lon, lat, weight)
        return cls(lon, lat, weight, index, float(index.weight.sum()))

    def nearest(self, lon: Floats, lat: Floats) -> tuple[Floats, Floats]:
        """The background location nearest to each point."""
        x, y = checked_coordinates(lon, lat)
        tree = cKDTree(unit_vectors(self.lon, self.lat).T, balanced_tree=False, compact_nodes=False)
        row = tree.query(unit_vectors(x, y).T)[1]
        return self.lon[row], self.lat[row]


@dataclass(frozen=True)
class _Firms:
    """The class as the search sees it: distinct locations, the firms at each, and the location of each row."""

    rows: pl.DataFrame
    lon: Floats
    lat: Floats
    count: Floats
    location: Integers

    @classmethod
    def of(cls, rows: pl.DataFrame, onto: _Background | None) -> _Firms:
        """Firms where they are, or each at its nearest background location."""
        where = rows.select(pl.col("lon", "lat").cast(pl.Float64))
        if onto is not None:
            lon, lat = onto.nearest(where["lon"].to_numpy(), where["lat"].to_numpy())
            where = pl.DataFrame({"lon": lon, "lat": lat})
        at = where.group_by("lon", "lat", maintain_order=True).agg(pl.len().alias("count")).with_row_index("location")
        location = where.join(at, on=["lon", "lat"], how="left", maintain_order="left")["location"]
        x, y, n = (at[name].cast(pl.Float64).to_numpy() for name in ("lon", "lat", "count"))
        return cls(rows, x, y, n, location.cast(pl.Int64).to_numpy())


def find_clusters(
    organisations: Any,
    background: Any = None,
    *,
    digital: str | Sequence[str] | None = None,
    eps_km: float,
    min_weight: Literal["local"] | float = "local",
    floor: int = 10,
    alpha: float = 0.05,
    calibrate: Literal["locations", "draws"] = "locations",
    draws: int = 0,
    seed: int = 20240501,
    weight: str = "population",
    size: str | None = None,
    persistence: bool = True,
    progress: Progress = silent,
) -> Clusters:
    """Clusters of a class of firms that hold more of them than their background explains 集群识别.

        core(x)  ⇔  n(x) >= max(floor, min{k : P(Binomial(N, b(x) / B) >= k) <= alpha / M})

    n(x), b(x): firms of the class, and background, within eps_km of x; N, B: their totals; M: the number of background
    locations. Clusters are the connected cores with their border firms. A firm counts at its nearest background
    location, so that under the null firms stand just where the background says they may.

    Parameters
    ----------
    organisations
        Any dataframe with `lon`, `lat` (WGS-84 degrees, null: not placed); optional `id`, `precision_km`,
        `digital_code`, `shared_address` (boolean), and the column named by `size`.
    background
        Any dataframe with `lon`, `lat` and the column named by `weight`. None: all firms of `organisations`, of which
        the class must then be a part.
    digital
        Class of interest: prefix or prefixes of `digital_code`, such as "01" or "0304". None: every row.
    eps_km
        Radius. Positions known no better than eps/2 are left out of the search and counted as coarse: city centres
        (10 km) suit 20 km, street addresses 2 to 5 km.
    min_weight
        "local", the test above; or one number of firms for all places, as in lists that fix one density for the world.
    floor
        Fewest firms within eps of a core place.
    alpha
        Family-wise error: chance of finding anything at all where firms only follow their background.
    calibrate
        "locations" divides alpha among the M candidates: strict. "draws" takes the level from random registries, so
        that the rate is just below alpha and more is found.
    draws
        Random registries to draw (0: none; 199 where calibrate="draws").
    size
        Column that sizes the result (persons, CNY, assignments). It never enters the test.
    persistence
        Whether to search again on a grid of eps × (1, 1¼, 1½) and level × (⅕, 1, 2).

    Returns
    -------
    `Clusters`. An empty table where nothing is found.

    Raises
    ------
    MeasureInputError
        JQ-USE-003: a column is missing; JQ-ATLAS-001 to 003: unusable values; JQ-ATLAS-005: no firm of the class has a
        usable position; JQ-ATLAS-006: the background weighs nothing; JQ-ATLAS-007: the class is the whole registry and
        no background is given; JQ-ATLAS-004 or 008: min_weight, alpha or floor out of
        range; JQ-ATLAS-015: too few draws to calibrate with.
    UsageError
        JQ-USE-001: no such calibration.

    Notes
    -----
    A cluster's ratio describes the place the search chose, so it lies somewhat above what a fresh sample would show.
    The binomial treats firms as independent draws: parts of one firm, or firms registered at one address by rule,
    are not (see `shared_address`).
    Source: density clustering after Ester et al. (1996) with a threshold per point; scan-statistic reasoning after
    Kulldorff (1997); family-wise error by Bonferroni or, for draws, Westfall and Young (1993).

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> towns = pl.DataFrame({"lon": rng.uniform(110, 120, 400), "lat": rng.uniform(25, 35, 400), "population": [1e5] * 400})
    >>> makers = towns[[*range(100), *[7] * 15]].select("lon", "lat")  # one in each of 100 towns, 15 more in one of them
    >>> found = find_clusters(makers, towns, eps_km=20)
    >>> found.table.select("firms", "core_firms", "locations").rows()
    [(16, 16, 1)]
    """
    radius, rounds = check_search(
        eps_km=eps_km, min_weight=min_weight, floor=floor, alpha=alpha, calibrate=calibrate, draws=draws
    )
    everyone = as_polars(organisations, "lon", "lat").with_row_index("row")
    chosen = _of_class(everyone, digital)
    placed, coarse_rows, unplaced = _by_precision(chosen, radius)
    if placed.is_empty():
        raise MeasureInputError("JQ-ATLAS-005", rows=chosen.height, coarse=coarse_rows.height, eps=radius)
    if size is not None:
        _check_size(placed, size)
    local = min_weight == "local"
    against: Against = "population"
    if background is None:
        against = "firms" if chosen.height < everyone.height else "nothing"
        if against == "nothing" and local:
            raise MeasureInputError("JQ-ATLAS-007", rows=chosen.height)
        behind, weights = _by_precision(everyone, radius)[0], None
    else:
        behind = as_polars(background, "lon", "lat", weight).drop_nulls(["lon", "lat"])
        weights = behind[weight].fill_null(0).cast(pl.Float64).to_numpy()
    lon, lat = (behind[name].cast(pl.Float64).to_numpy() for name in ("lon", "lat"))
    ground = _Background.of(lon, lat, weights)
    firms = _Firms.of(placed, None if background is None else ground)

    null = level = None
    if local and rounds:
        null = null_draws(
            ground.index, placed.height, eps_km=radius, floor=floor, draws=rounds, seed=seed, progress=progress
        )
    share = ground.index.sums(firms.lon, firms.lat, radius) / ground.total
    threshold: Any = min_weight
    if local:
        level = null.level(alpha) if null is not None and calibrate == "draws" else alpha / ground.index.locations
        threshold = np.maximum(critical_counts(share, placed.height, level), floor)
    grid = density.solve(firms.lon, firms.lat, firms.count, eps_km=radius, min_weight=threshold)

    behind_label = grid.assign(ground.lon, ground.lat)
    table = _describe(firms, grid, size)
    table = _expect(table, behind_label, ground, placed.height, against)
    table = _test(table, firms, grid, share, radius, ground.index.locations, null, calibrate, against)
    table = _coarse(table, grid, _Firms.of(coarse_rows, None if background is None else ground))
    table = _without_shared(table, firms, grid, threshold, radius)
    if persistence and level is not None:
        table = _persist(table, firms, ground, grid, radius, level, floor, progress)
    else:
        table = table.with_columns(pl.lit(None, pl.Float64).alias("persistence"))
    table, new_number = _ranked(table)
    members = placed.select(
        *([pl.col("id")] if "id" in placed.columns else []),
        "row",
        cluster=pl.Series(new_number[grid.labels[firms.location]]),
        core=pl.Series(grid.core[firms.location]),
    ).filter(pl.col("cluster") >= 0)
    parameters = {
        "digital": digital if digital is None or isinstance(digital, str) else list(digital),
        "eps_km": radius,
        "min_weight": min_weight,
        "floor": floor,
        "alpha": alpha,
        "calibrate": calibrate,
        "draws": rounds,
        "seed": seed,
        "weight": weight,
        "size": size,
        "persistence": persistence,
    }
    return Clusters(
        table=table,
        members=members,
        against=against,
        firms=placed.height,
        background_total=ground.total,
        candidates=ground.index.locations,
        level=level,
        coarse=coarse_rows.height,
        unplaced=unplaced,
        parameters=parameters,
        draws=null,
    )


def check_search(
    *, eps_km: float, min_weight: str | float, floor: int, alpha: float, calibrate: str, draws: int
) -> tuple[float, int]:
    """Refuse parameters that no search can use, before anything is read; returns the radius and how often to draw.

    Raises
    ------
    MeasureInputError, UsageError
        As `find_clusters`.
    """
    radius = checked_eps(eps_km)
    if not LEAST_ALPHA <= alpha < 1 or floor < 1:
        raise MeasureInputError("JQ-ATLAS-008", alpha=alpha, floor=floor)
    if min_weight != "local" and not (isinstance(min_weight, int | float) and 0 < min_weight < np.inf):
        raise MeasureInputError("JQ-ATLAS-004", value=min_weight, position=0)
    if calibrate not in {"locations", "draws"}:
        raise UsageError("JQ-USE-001", what="calibrate", value=calibrate, known="locations, draws")
    rounds = draws or (DRAWS if calibrate == "draws" else 0)
    if rounds < 0 or (calibrate == "draws" and rounds + 1 < 1 / alpha):
        raise MeasureInputError("JQ-ATLAS-015", draws=rounds, least=int(np.ceil(1 / alpha)) - 1, alpha=alpha)
    return radius, rounds


def _check_size(rows: pl.DataFrame, size: str) -> None:
    require_columns(rows.columns, size)
    if not rows.schema[size].is_numeric():
        raise MeasureInputError("JQ-ATLAS-016", column=size, type=rows.schema[size])


def _of_class(everyone: pl.DataFrame, digital: str | Sequence[str] | None) -> pl.DataFrame:
    if digital is None:
        return everyone
    require_columns(everyone.columns, "digital_code")
    prefixes = [digital] if isinstance(digital, str) else list(digital)
    return everyone.filter(pl.any_horizontal(pl.col("digital_code").str.starts_with(p) for p in prefixes))


def _by_precision(rows: pl.DataFrame, eps_km: float) -> tuple[pl.DataFrame, pl.DataFrame, int]:
    """Rows fit for the search, rows placed too coarsely for it, and how many have no place at all."""
    placed = rows.filter(pl.col("lon").is_not_null() & pl.col("lat").is_not_null())
    if "precision_km" not in rows.columns:
        return placed, placed.clear(), rows.height - placed.height
    coarse = pl.col("precision_km") > eps_km / 2
    return placed.filter(~coarse.fill_null(value=False)), placed.filter(coarse), rows.height - placed.height


def _describe(firms: _Firms, grid: density.DensityGrid, size: str | None) -> pl.DataFrame:
    """A row per label: counts, size, centre of the core firms and distance of the farthest member, where they stand."""
    rows = firms.rows.select(
        pl.col("lon", "lat").cast(pl.Float64),
        size=pl.col(size).cast(pl.Float64) if size else pl.lit(None, pl.Float64),
        label=pl.Series(grid.labels[firms.location]),
        core=pl.Series(grid.core[firms.location]),
    ).filter(pl.col("label") >= 0)
    table = (
        rows.group_by("label")
        .agg(
            firms=pl.len().cast(pl.Int64),
            core_firms=pl.col("core").sum().cast(pl.Int64),
            size=pl.col("size").sum() if size else pl.col("size").first(),
            locations=pl.struct("lon", "lat").n_unique(),
        )
        .sort("label")
    )
    label, core = rows["label"].to_numpy(), rows["core"].to_numpy()
    vectors = unit_vectors(rows["lon"].to_numpy(), rows["lat"].to_numpy())
    middle: Floats = np.stack([np.bincount(label[core], v[core], minlength=table.height) for v in vectors]).astype(
        np.float64
    )
    length = np.sqrt((middle**2).sum(0))
    middle = middle / np.where(length > 0, length, 1.0)
    chord = np.zeros(table.height)
    np.maximum.at(chord, label, np.sqrt(((vectors - middle[:, label]) ** 2).sum(0)))
    return table.with_columns(
        lon=pl.Series(np.degrees(np.arctan2(middle[1], middle[0]))),
        lat=pl.Series(np.degrees(np.arctan2(middle[2], np.hypot(middle[0], middle[1])))),
        radius_km=pl.Series(2 * EARTH_RADIUS_KM * np.arcsin(np.minimum(1.0, chord / 2))),
    )


def _expect(
    table: pl.DataFrame, behind_label: Integers, ground: _Background, firms: int, against: Against
) -> pl.DataFrame:
    """Expected firms, ratio and log-likelihood ratio from the background that stands within eps of a cluster's cores."""
    if against == "nothing":
        nothing = pl.lit(None, pl.Float64)
        return table.with_columns(expected=nothing, ratio=nothing, llr=nothing)
    inside = behind_label >= 0
    weight = None if ground.weight is None else ground.weight[inside]
    held = np.bincount(behind_label[inside], weight, minlength=table.height)
    expected = firms * held[table["label"].to_numpy()] / ground.total
    count = table["firms"].cast(pl.Float64).to_numpy()
    with np.errstate(divide="ignore"):
        ratio = np.where(expected > 0, count / expected, np.nan)
    return table.with_columns(
        expected=pl.Series(expected),
        ratio=pl.Series(ratio, nan_to_null=True),
        llr=pl.Series(np.where(expected > 0, log_likelihood_ratio(count, expected, firms), np.nan), nan_to_null=True),
    )


def _test(
    table: pl.DataFrame,
    firms: _Firms,
    grid: density.DensityGrid,
    share: Floats,
    eps_km: float,
    candidates: int,
    null: NullDraws | None,
    calibrate: str,
    against: Against,
) -> pl.DataFrame:
    """Family-wise p-value of each cluster: that of its strongest core place."""
    if against == "nothing":
        return table.with_columns(p_adjusted=pl.lit(None, pl.Float64))
    core = np.flatnonzero(grid.core)
    within = BallIndex.build(firms.lon, firms.lat, firms.count).sums(firms.lon[core], firms.lat[core], eps_km)
    p = ball_p_values(within, share[core], len(firms.location))
    strongest = np.ones(table.height)
    np.minimum.at(strongest, grid.labels[core], p)
    if null is not None and calibrate == "draws":
        adjusted = (1 + np.searchsorted(np.sort(null.minima), strongest, side="right")) / (null.draws + 1)
    else:
        adjusted = np.minimum(1.0, strongest * candidates)
    adjusted = np.maximum(adjusted, np.finfo(float).tiny)  # smaller than a float can hold is not 0
    return table.with_columns(p_adjusted=pl.Series(adjusted[table["label"].to_numpy()]))


def _coarse(table: pl.DataFrame, grid: density.DensityGrid, coarse: _Firms) -> pl.DataFrame:
    """Firms known too coarsely for the search whose stated position falls into a cluster, beside its members."""
    label = grid.assign(coarse.lon, coarse.lat)
    inside = label >= 0
    held = np.bincount(label[inside], coarse.count[inside], minlength=table.height).astype(np.int64)
    count = held[table["label"].to_numpy()]
    firms = table["firms"].to_numpy()
    return table.with_columns(coarse_firms=pl.Series(count), coarse_share=pl.Series(count / (count + firms)))


def _without_shared(
    table: pl.DataFrame, firms: _Firms, grid: density.DensityGrid, threshold: Any, eps_km: float
) -> pl.DataFrame:
    """Firms that remain in each cluster when those at addresses shared by very many 集群注册 are left out of the search."""
    if "shared_address" not in firms.rows.columns or not firms.rows["shared_address"].any():
        return table.with_columns(firms_unshared=pl.col("firms"))
    shared = firms.rows["shared_address"].fill_null(value=False).to_numpy()
    kept = np.bincount(firms.location[~shared], minlength=len(firms.lon)).astype(np.float64)
    some = kept > 0
    limits = threshold if np.ndim(threshold) == 0 else threshold[some]
    left = density.solve(firms.lon[some], firms.lat[some], kept[some], eps_km=eps_km, min_weight=limits)
    base = grid.labels[some]
    both = (base >= 0) & (left.labels >= 0)
    count = np.bincount(base[both], kept[some][both], minlength=table.height).astype(np.int64)
    return table.with_columns(firms_unshared=pl.Series(count[table["label"].to_numpy()]))


def _persist(
    table: pl.DataFrame,
    firms: _Firms,
    ground: _Background,
    grid: density.DensityGrid,
    eps_km: float,
    level: float,
    floor: int,
    progress: Progress,
) -> pl.DataFrame:
    """Share of the other eps × level searches in which at least half of a cluster's core firms lie in one cluster again."""
    held = np.zeros(table.height)
    core = np.flatnonzero(grid.core)
    base, weight = grid.labels[core], firms.count[core]
    whole = np.bincount(base, weight, minlength=table.height)
    trials = [
        (e, a)
        for e in PERSISTENCE_EPS
        for a in PERSISTENCE_ALPHA
        if (e, a) != (1.0, 1.0) and a * level < 1 and e * eps_km <= EPS_KM_RANGE[1]
    ]
    share: dict[float, Floats] = {}
    for done, (e, a) in enumerate(trials):
        if e not in share:
            share[e] = ground.index.sums(firms.lon, firms.lat, e * eps_km) / ground.total
        threshold = np.maximum(critical_counts(share[e], len(firms.location), a * level), floor)
        other = density.solve(firms.lon, firms.lat, firms.count, eps_km=e * eps_km, min_weight=threshold).labels[core]
        again = other >= 0
        pairs = (
            pl.DataFrame({"base": base[again], "other": other[again], "weight": weight[again]})
            .group_by("base", "other")
            .agg(pl.col("weight").sum())
            .group_by("base")
            .agg(pl.col("weight").max())
        )
        most = np.zeros(table.height)
        most[pairs["base"].to_numpy()] = pairs["weight"].to_numpy()
        held += most >= 0.5 * whole
        progress("persistence", done + 1, len(trials))
    return table.with_columns(persistence=pl.Series((held / len(trials))[table["label"].to_numpy()]))


def _ranked(table: pl.DataFrame) -> tuple[pl.DataFrame, Integers]:
    """Clusters numbered by falling log-likelihood ratio (without background: by firms), and the new number of each label."""
    ordered = table.sort("llr", "firms", "label", descending=[True, True, False], nulls_last=True)
    number = np.full(table.height + 1, -1, np.int64)  # the last entry serves label −1
    number[ordered["label"].to_numpy()] = np.arange(table.height)
    return ordered.with_columns(cluster=pl.int_range(pl.len())).select(
        "cluster", pl.exclude("cluster", "label")
    ), number
