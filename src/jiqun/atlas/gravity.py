"""Linkage against what size and distance explain 关联的引力期望: is a cluster linked, or only gathered (集而不群).

Large and near firms have more to do with each other anywhere. A gravity model of all pairs of firms says how much; what a
cluster's members have to do with each other is compared with that. A tie that nobody could have reported is not zero: only
pairs of which both firms answered are used, and where fewer than a stated share answered, nothing is found.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import numpy as np
import polars as pl

from jiqun.atlas import _graph_kernels
from jiqun.atlas.sphere import EARTH_RADIUS_KM, checked_coordinates, unit_vectors
from jiqun.core.arrays import Booleans, Floats, Integers
from jiqun.core.errors import MeasureInputError
from jiqun.core.frames import as_polars
from jiqun.core.progress import Progress, silent

Finding = Literal["more", "as expected", "less", "unknown"]
ALL_PAIRS = 9_000_000
"""Up to so many pairs, those of 3,000 firms, all enter the fit."""
ZEROS = 1_000_000
"""Zero pairs drawn for the fit where there are more; each stands for as many as it takes."""
RESAMPLED = 100_000
"""As `ALL_PAIRS` and `ZEROS`, for each fit of the bootstrap."""
NEAREST_KM = 0.1
"""Distances below count as this: the logarithm of 0 is not a number, and addresses are no better known."""
COVERED = 0.5
"""A covariate is used where at least this share of the firms has it."""
LEAST_FIRMS = 5
STEPS = 60
NEGLIGIBLE = 1e-8
"""Part of the whole that counts as nothing: a last step of Newton's that gains less is exact; where less than this is expected
of all pairs without a link, a covariate tells them from the others, and no solution is finite."""
PAIRS_EACH = 100_000
"""Pairs within a group that stand for all of them in the sum of what is expected."""
THREADS = 2
RESULT = {
    "group": pl.Int64, "members": pl.Int64, "answered": pl.Int64, "response": pl.Float64, "used": pl.Int64,
    "observed": pl.Float64, "expected": pl.Float64, "ratio": pl.Float64, "low": pl.Float64, "high": pl.Float64,
    "finding": pl.String, "reason": pl.String,
}  # fmt: skip


@dataclass(frozen=True)
class Gravity:
    """A gravity model 引力模型 of link weights: `coefficients` (constant first), and what it was fitted on.

    `dropped`: covariates that could not be used, with the reason; `pairs`: ordered pairs, of which `sampled` zero ones
    stand for all where `exact` is false.
    """

    names: tuple[str, ...]
    coefficients: tuple[float, ...]
    firms: int
    pairs: int
    linked: int
    sampled: int
    exact: bool
    dropped: dict[str, str]
    iterations: int


@dataclass(frozen=True)
class Residuals:
    """What `linkage_residual` found: a row per group (`RESULT`), and the model; None where none could be fitted."""

    table: pl.DataFrame
    model: Gravity | None
    reason: str = ""


def ppml(
    row: Integers,
    column: Integers,
    value: Floats,
    weight: Floats,
    features: Floats,
    log_km: Floats,
    *,
    start: Floats | None = None,
    steps: int = STEPS,
) -> tuple[Floats, int]:
    """Poisson pseudo-maximum-likelihood 泊松伪极大似然 of pair values on features of both ends and distance.

        E[y_ij] = exp(β₀ + β₁·x_i + β₂·x_j + β₃ ln d_ij),   Σ w (y − μ) x = 0

    by Newton's method, which for this likelihood is iteratively reweighted least squares. y may be any number >= 0.

    Returns
    -------
    The coefficients and the number of steps.

    Raises
    ------
    MeasureInputError
        JQ-NETWORK-002: no solution (all values 0, collinear features, or a feature that tells zeros from others).

    Notes
    -----
    Source: Santos Silva & Tenreyro (2006), Review of Economics and Statistics 88(4), 641–658.

    Examples
    --------
    >>> i, j = np.array([0, 0, 1]), np.array([1, 2, 2])
    >>> ppml(i, j, np.array([1.0, 2.0, 3.0]), np.ones(3), np.zeros((3, 0)), np.zeros(0))[0].round(4).tolist()
    [0.6931]
    """
    parts = [np.ones((1, row.size)), features[row].T, features[column].T, log_km[None] if log_km.size else None]
    x = np.concatenate([part for part in parts if part is not None])
    held = (x * (value * weight)).sum(axis=1)
    mass = float(weight.sum())
    if not (held[0] > 0 and mass > 0):
        raise MeasureInputError("JQ-NETWORK-002", what="value", value=held[0], expected="> 0")
    beta = start
    if beta is None:
        beta = np.zeros(x.shape[0])
        beta[0] = np.log(held[0] / mass)
    gradient, hessian, mu = _graph_kernels.poisson_sums(row, column, weight, features, log_km, beta)
    best = float(held @ beta) - mu
    for step in range(1, steps + 1):
        try:
            move = np.linalg.solve(hessian, held - gradient)
        except np.linalg.LinAlgError:
            break
        if float((held - gradient) @ move) < NEGLIGIBLE * held[0]:  # what the step could still gain
            beta = beta + move
            zeros = weight * (value == 0)
            _, _, left = _graph_kernels.poisson_sums(row, column, zeros, features, log_km, beta)
            if np.isfinite(beta).all() and (not zeros.any() or left > NEGLIGIBLE * held[0]):
                return beta, step
            break
        for _ in range(30):  # halve a step that overshoots
            gradient, hessian, mu = _graph_kernels.poisson_sums(row, column, weight, features, log_km, beta + move)
            reached = float(held @ (beta + move)) - mu
            if np.isfinite(reached) and reached >= best - 1e-12 * abs(best):
                break
            move = move / 2
        beta, best = beta + move, reached
        if not np.isfinite(beta).all():
            break
    raise MeasureInputError("JQ-NETWORK-002", what="gravity", value="no solution", expected="finite")


def linkage_residual(
    firms: Any,
    links: Any,
    *,
    group: str = "group",
    size: str | None = "size",
    response: float | None = None,
    least_response: float = 0.6,
    draws: int = 199,
    level: float = 0.95,
    seed: int = 20240501,
    progress: Progress = silent,
) -> Residuals:
    """How much the members of each group have to do with each other, against what size and distance explain 关联残差.

        ratio = Σ_{i, j in group} w_ij / Σ_{i, j in group} μ_ij,   μ: gravity model of all pairs (`ppml`)

    Parameters
    ----------
    firms
        Any dataframe with `id` and the column named by `group` (an integer, null: in none): all firms that were looked at,
        with or without links. Optional `lon`, `lat` (degrees), the column named by `size` (> 0), and `responded` (boolean;
        null: was not asked).
    links
        `source`, `target` (ids), `weight`; each ordered pair once. Others than between two of `firms` are left alone.
    response
        Share of firms that answered, where that is known only as a whole. None, without `responded`: the links are a full
        count, as those of a register.
    least_response
        Below it a group's finding is unknown.
    draws
        Bootstrap samples of firms (0: no interval, and no finding but unknown).
    level
        Of the interval.

    Returns
    -------
    `Residuals`. `finding`: "more" or "less" where the interval lies above or below 1, else "as expected"; "unknown" with
    the `reason` (response, few, no links, no model, no interval).

    Raises
    ------
    MeasureInputError
        JQ-USE-003: a column is missing; JQ-NETWORK-002: unusable parameters.

    Notes
    -----
    Pairs of which one firm did not answer are no zeros and no links: they are left out, of the model too. Above 3,000 firms
    10⁶ zero pairs stand for all, in the bootstrap 10⁵. Firms are resampled within their groups, with the number of times
    as weight of their pairs (Snijders & Borgatti 1999); pairs of a firm with itself are left out. The interval takes firms as
    given by chance, and says nothing of how links were observed. The groups' own links are part of what the model is fitted on:
    ratios are against firms of like size and distance in this network, those of large groups are drawn towards 1, and where
    some groups are far above it others come out below.
    Source: as `ppml`; Snijders & Borgatti (1999), Connections 22(2), 161–170.
    """
    if not (0 <= least_response <= 1 and (response is None or 0 <= response <= 1)):
        raise MeasureInputError("JQ-NETWORK-002", what="response", value=response, expected="0 … 1")
    if (draws != 0 and draws < 19) or not 0 < level < 1:
        raise MeasureInputError("JQ-NETWORK-002", what="draws", value=draws, expected="0, >= 19")
    table = as_polars(firms, "id", group)
    known = as_polars(links, "source", "target", "weight")
    label = table[group].cast(pl.Int64)
    asked = table["responded"] if "responded" in table.columns else pl.Series([None] * table.height, dtype=pl.Boolean)
    surveyed = bool(asked.is_not_null().any())
    answered = asked.fill_null(value=False) if surveyed else pl.Series([True] * table.height)
    groups = _counted(label, asked, answered, response, surveyed=surveyed)
    enough = groups["response"].is_null() | (groups["response"] >= least_response)
    pool = _Pool.of(table.filter(answered), known, label.filter(answered), size)
    counts = np.bincount(pool.group[pool.group >= 0], minlength=0) if pool.firms else np.zeros(0, np.int64)
    found = groups.with_columns(used=pl.Series([int(counts[g]) if g < counts.size else 0 for g in groups["group"]]))
    if response is not None and response < least_response:
        return Residuals(_unknown(found, "response"), None, "response")
    if pool.firms < LEAST_FIRMS or pool.value.size == 0:
        why = "few" if pool.firms < LEAST_FIRMS else "no links"
        return Residuals(_unknown(found, why, enough), None, why)
    try:
        design = pool.design(ALL_PAIRS, seed)
        beta, steps = ppml(*design, pool.features, pool.log_km(design[0], design[1]))
    except MeasureInputError:
        return Residuals(_unknown(found, "no model", enough), None, "no model")
    model = pool.told(beta, design, steps)
    pairs = pool.within(seed)
    observed, expected = pool.inside(beta, np.ones(pool.firms), pairs)
    ratios = pool.bootstrap(beta, pairs, draws, seed, progress)
    rows = []
    for at, counted in enumerate(found.to_dicts()):
        g = counted["group"]
        seen, meant = (float(values[g]) if g < values.size else 0.0 for values in (observed, expected))
        told = counted | {"observed": seen, "expected": meant, "ratio": seen / meant if meant > 0 else None}
        sample = ratios[:, g][np.isfinite(ratios[:, g])] if g < ratios.shape[1] else np.zeros(0)
        told |= _judged(told, sample, draws, level, enough=bool(enough[at]))
        rows.append({name: told.get(name) for name in RESULT})
    return Residuals(pl.DataFrame(rows, schema=RESULT, orient="row"), model)


def _judged(row: dict[str, Any], sample: Floats, draws: int, level: float, *, enough: bool) -> dict[str, Any]:
    """Interval and finding of a group, or why there is none."""
    nothing: dict[str, Any] = {"low": None, "high": None, "finding": "unknown"}
    if not enough:
        return {**nothing, "reason": "response", "observed": None, "expected": None, "ratio": None}
    if row["used"] < LEAST_FIRMS or row["ratio"] is None:
        return {**nothing, "reason": "few"}
    if not draws or sample.size < 0.9 * draws:
        return {**nothing, "reason": "no interval"}
    low, high = (float(value) for value in np.quantile(sample, [(1 - level) / 2, (1 + level) / 2]))
    finding: Finding = "more" if low > 1 else "less" if high < 1 else "as expected"
    return {"low": low, "high": high, "finding": finding, "reason": None}


def _counted(
    label: pl.Series, asked: pl.Series, answered: pl.Series, response: float | None, *, surveyed: bool
) -> pl.DataFrame:
    """group, members, answered, response of each group."""
    frame = pl.DataFrame({"group": label, "asked": asked.is_not_null(), "answered": answered})
    counts = (
        frame.drop_nulls("group")
        .group_by("group")
        .agg(members=pl.len().cast(pl.Int64), asked=pl.col("asked").sum(), answered=pl.col("answered").sum())
        .sort("group")
    )
    # members that were not asked did not answer either
    rate = pl.col("answered") / pl.col("members") if surveyed else pl.lit(response, pl.Float64)
    return counts.select(
        "group", "members", pl.col("answered").cast(pl.Int64) if surveyed else pl.lit(None, pl.Int64).alias("answered"),
        response=rate,
    )  # fmt: skip


def _unknown(found: pl.DataFrame, reason: str, enough: pl.Series | None = None) -> pl.DataFrame:
    why = pl.lit(reason)
    if enough is not None:
        why = pl.when(enough).then(pl.lit(reason)).otherwise(pl.lit("response"))
    told = found.with_columns(finding=pl.lit("unknown"), reason=why)
    missing = [pl.lit(None, kind).alias(name) for name, kind in RESULT.items() if name not in told.columns]
    return told.with_columns(missing).select(pl.col(name).cast(kind) for name, kind in RESULT.items())


@dataclass(frozen=True)
class _Pool:
    """The firms that enter the model: their group (−1: none), features, places; and the links among them."""

    firms: int
    group: Integers
    features: Floats
    names: tuple[str, ...]
    xyz: Floats | None
    row: Integers
    column: Integers
    value: Floats
    dropped: dict[str, str]

    @classmethod
    def of(cls, table: pl.DataFrame, links: pl.DataFrame, label: pl.Series, size: str | None) -> _Pool:
        dropped: dict[str, str] = {}
        fit = np.ones(table.height, bool)
        features, names = np.zeros((table.height, 0)), []
        if size is None or size not in table.columns:
            dropped["size"] = "absent"
        else:
            sizes = table[size].cast(pl.Float64).fill_null(0.0).fill_nan(0.0).to_numpy()
            has = np.isfinite(sizes) & (sizes > 0)
            if has.mean() < COVERED if has.size else True:
                dropped["size"] = "too few known"
            elif np.ptp(np.log(sizes[has])) < 1e-9:
                dropped["size"] = "all alike"
            else:
                fit &= has
                logs = np.log(np.where(has, sizes, 1.0))
                features, names = (logs - logs[has].mean())[:, None], ["log_size"]
        xyz: Floats | None = None
        if not {"lon", "lat"} <= set(table.columns):
            dropped["distance"] = "absent"
        else:
            has = (table["lon"].is_not_null() & table["lat"].is_not_null()).to_numpy()
            if has.mean() < COVERED if has.size else True:
                dropped["distance"] = "too few known"
            else:
                lon, lat = (table[name].cast(pl.Float64).fill_null(0.0).to_numpy() for name in ("lon", "lat"))
                xyz = unit_vectors(*checked_coordinates(lon, lat)).T.copy()
                if np.ptp(xyz[fit & has], axis=0).max(initial=0.0) < 1e-12:
                    dropped["distance"], xyz = "all alike", None
                else:
                    fit &= has
        kept = np.flatnonzero(fit)
        number = pl.DataFrame({"id": table["id"].gather(kept), "node": np.arange(kept.size)})
        inner = (
            links.select("source", "target", "weight")
            .join(number.rename({"id": "source", "node": "row"}), on="source")
            .join(number.rename({"id": "target", "node": "column"}), on="target")
            .filter(pl.col("row") != pl.col("column"), pl.col("weight") > 0)
            .sort("row", "column")
        )
        return cls(
            kept.size,
            label.fill_null(-1).to_numpy()[kept],
            np.ascontiguousarray(features[kept]),
            tuple(names),
            None if xyz is None else np.ascontiguousarray(xyz[kept]),
            inner["row"].to_numpy().astype(np.int64),
            inner["column"].to_numpy().astype(np.int64),
            inner["weight"].cast(pl.Float64).to_numpy(),
            dropped,
        )

    def log_km(self, row: Integers, column: Integers) -> Floats:
        if self.xyz is None:
            return np.zeros(0)
        chord = np.sqrt(((self.xyz[row] - self.xyz[column]) ** 2).sum(axis=1))
        km = 2 * EARTH_RADIUS_KM * np.arcsin(np.minimum(1.0, chord / 2))
        logs: Floats = np.log(np.maximum(km, NEAREST_KM))
        return logs

    def design(self, most: int, seed: int) -> tuple[Integers, Integers, Floats, Floats]:
        """Rows, columns, values and weights of pairs: all of them, or the linked ones and a sample of the others."""
        n = self.firms
        if n * n <= most:
            row, column = np.divmod(np.arange(n * n, dtype=np.int64), n)
            off = row != column
            dense = np.zeros(n * n)
            dense[self.row * n + self.column] = self.value
            return row[off], column[off], dense[off], np.ones(int(off.sum()))
        rng = np.random.default_rng(seed)
        codes = np.unique(rng.integers(0, n * n, min(most, ZEROS)))
        row, column = np.divmod(codes, n)
        linked = np.isin(codes, self.row * n + self.column)
        zero = (row != column) & ~linked
        zeros = n * (n - 1) - self.value.size
        row, column = row[zero], column[zero]
        return (
            np.r_[self.row, row],
            np.r_[self.column, column],
            np.r_[self.value, np.zeros(row.size)],
            np.r_[np.ones(self.value.size), np.full(row.size, zeros / max(row.size, 1))],
        )

    def told(self, beta: Floats, design: tuple[Integers, Integers, Floats, Floats], steps: int) -> Gravity:
        names = ["constant", *(f"{name}_{end}" for end in ("source", "target") for name in self.names)]
        if self.xyz is not None:
            names.append("log_km")
        pairs = self.firms * (self.firms - 1)
        exact = design[0].size == pairs
        return Gravity(
            tuple(names),
            tuple(float(value) for value in beta),
            self.firms,
            pairs,
            int(self.value.size),
            0 if exact else int(design[0].size - self.value.size),
            exact,
            self.dropped,
            steps,
        )

    def within(self, seed: int) -> list[tuple[Integers, Integers, float]]:
        """Pairs within each group, all or a sample, and how many each stands for."""
        rng = np.random.default_rng([seed, 7])
        out = []
        for g in range(int(self.group.max(initial=-1)) + 1):
            members = np.flatnonzero(self.group == g)
            pairs = members.size * (members.size - 1)
            if members.size**2 <= PAIRS_EACH:
                row, column = (part.ravel() for part in np.meshgrid(members, members, indexing="ij"))
            else:
                row, column = rng.choice(members, PAIRS_EACH), rng.choice(members, PAIRS_EACH)
            off = row != column
            row, column = row[off], column[off]
            out.append((row, column, pairs / max(row.size, 1)))
        return out

    def inside(
        self, beta: Floats, times: Floats, pairs: list[tuple[Integers, Integers, float]]
    ) -> tuple[Floats, Floats]:
        """Observed and expected weight within each group; each firm counts so many times."""
        mine = (self.group[self.row] == self.group[self.column]) & (self.group[self.row] >= 0)
        weight = self.value[mine] * times[self.row[mine]] * times[self.column[mine]]
        observed: Floats = np.bincount(self.group[self.row[mine]], weight, len(pairs)).astype(np.float64)
        expected = np.zeros(len(pairs))
        for g, (row, column, each) in enumerate(pairs):
            pair = each * times[row] * times[column]
            _, _, expected[g] = _graph_kernels.poisson_sums(
                row, column, pair, self.features, self.log_km(row, column), beta
            )
        return observed, expected

    def bootstrap(
        self, beta: Floats, pairs: list[tuple[Integers, Integers, float]], draws: int, seed: int, progress: Progress
    ) -> Floats:
        """Ratio of each group in each sample of firms; NaN where a sample gives none."""
        count = int(self.group.max(initial=-1)) + 1
        row, column, value, weight = self.design(RESAMPLED, seed + 1)
        log_km = self.log_km(row, column)
        strata = [np.flatnonzero(self.group == g) for g in range(-1, count)]

        def one(draw: int) -> Floats:
            rng = np.random.default_rng([seed, draw])
            times = np.zeros(self.firms)
            for members in strata:
                if members.size:
                    times += np.bincount(rng.choice(members, members.size), minlength=self.firms)
            out = np.full(count, np.nan)
            try:
                fitted, _ = ppml(
                    row, column, value, weight * times[row] * times[column], self.features, log_km, start=beta, steps=8
                )
            except MeasureInputError:
                return out
            observed, expected = self.inside(fitted, times, pairs)
            out[expected > 0] = observed[expected > 0] / expected[expected > 0]
            return out

        work: list[Callable[[], Floats]] = [partial(one, draw) for draw in range(draws)]
        done = []
        with ThreadPoolExecutor(THREADS) as pool:
            for ratios in pool.map(lambda call: call(), work):
                done.append(ratios)
                progress("bootstrap", len(done), draws)
        return np.array(done).reshape(draws, count)


def linked_within(pairs_km: Floats, weight: Floats, eps_km: float) -> tuple[float | None, float | None]:
    """Share of link weight over more than eps_km, and the median distance by weight; None of no links.

    Examples
    --------
    >>> linked_within(np.array([1.0, 1.0, 500.0]), np.ones(3), 20.0)
    (0.3333333333333333, 1.0)
    """
    total = float(weight.sum())
    if total <= 0:
        return None, None
    far: Booleans = pairs_km > eps_km
    order = np.argsort(pairs_km, kind="stable")
    at = int(np.searchsorted(np.cumsum(weight[order]), total / 2))
    return float(weight[far].sum()) / total, float(pairs_km[order][min(at, order.size - 1)])
