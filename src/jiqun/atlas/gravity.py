"""Linkage against what size and distance explain 关联的引力期望: is a cluster linked, or only gathered (集而不群).

Large and near firms have more to do with each other anywhere. A gravity model of all pairs of firms says how much; what a
cluster's members have to do with each other is compared with that. A tie that nobody could have reported is not zero: only
pairs of which both firms answered are used, and where fewer than a stated share answered, nothing is found.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, Literal

import numpy as np
import polars as pl
from scipy.stats import gamma

from jiqun.atlas import _graph_kernels
from jiqun.atlas.pair_samples import drawn_pairs, pairs_within
from jiqun.atlas.sphere import EARTH_RADIUS_KM, checked_coordinates, unit_vectors
from jiqun.core.arrays import Booleans, Floats, Integers
from jiqun.core.errors import MeasureInputError
from jiqun.core.frames import as_polars
from jiqun.core.progress import Progress, silent

Finding = Literal["more", "as expected", "less", "unknown"]
ALL_PAIRS = 9_000_000
"""Up to so many pairs, those of 3,000 firms, all enter the fit."""
PAIRS = 1_000_000
"""Pairs drawn for the fit where there are more; each stands for as many as it takes."""
RESAMPLED = 100_000
"""As `ALL_PAIRS` and `PAIRS`, for each fit of the bootstrap."""
WITHIN = 2_000_000
"""Pairs within all groups together that stand for all of them in the sums of what is expected."""
NEAREST_KM = 0.1
"""Distances below count as this: the logarithm of 0 is not a number, and addresses are no better known."""
COVERED = 0.5
"""A covariate is used where at least this share of the firms has it."""
LEAST_FIRMS = 5
LEAST_LINKS = 5.0
"""With fewer links expected, even none at all would be no news."""
STEPS = 60
NEGLIGIBLE = 1e-8
"""Part of the whole that counts as nothing: a last step of Newton's that gains less is exact; where less than this is expected
of all pairs without a link, a covariate tells them from the others, and no solution is finite."""
THREADS = 2
RESULT = {
    "group": pl.Int64, "members": pl.Int64, "answered": pl.Int64, "response": pl.Float64, "used": pl.Int64,
    "observed": pl.Float64, "expected": pl.Float64, "expected_links": pl.Float64, "ratio": pl.Float64, "low": pl.Float64,
    "high": pl.Float64, "finding": pl.String, "reason": pl.String,
}  # fmt: skip


@dataclass(frozen=True)
class Gravity:
    """A gravity model 引力模型 of link weights: `coefficients` (constant first), and what it was fitted on.

    `dropped`: covariates that could not be used, with the reason; `pairs`: ordered pairs, of which `sampled` stand for all
    in what is expected where `exact` is false.
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
    held: Floats | None = None,
    start: Floats | None = None,
    steps: int = STEPS,
) -> tuple[Floats, int]:
    """Poisson pseudo-maximum-likelihood 泊松伪极大似然 of pair values on features of both ends and distance.

        E[y_ij] = exp(β₀ + β₁·x_i + β₂·x_j + β₃ ln d_ij),   Σ w (y − μ) x = 0

    by Newton's method, which for this likelihood is iteratively reweighted least squares. y may be any number >= 0. `held`:
    Σ y x where it is known of all pairs, and these are but a sample of them.

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
    if held is None:
        group, ones = np.full(row.size, -1), np.ones(features.shape[0])
        held, _ = _graph_kernels.held_sums(row, column, value * weight, group, ones, features, log_km, 0)
    mass = float(weight.sum())
    if not (held[0] > 0 and mass > 0):
        raise MeasureInputError("JQ-NETWORK-002", what="value", value=held[0], expected="> 0")
    beta = np.r_[np.log(held[0] / mass), np.zeros(held.size - 1)] if start is None else start
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
    surveyed: bool = False,
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
        Optional `reported_by`: where it is known of any link, the links come from a survey.
    response
        Share of firms that answered, where that is known only as a whole. None, without `responded`: the links are a full
        count, as those of a register, or, where they come from a survey, nothing is found.
    least_response
        Below it a group's finding is unknown; so it is where a smaller share of its members can be used at all.
    surveyed
        Whether the links come from a survey, as where `reported_by` says so.
    draws
        Bootstrap samples of firms (0: no interval, and no finding but unknown).
    level
        Of the interval.

    Returns
    -------
    `Residuals`. `finding`: "more" or "less" where the interval lies above or below 1, else "as expected"; "unknown" with
    the `reason`: response, response unknown, few (firms), coverage (too few of its members have a size and a place), few links
    (below five are expected), no links, no model, no interval.

    Raises
    ------
    MeasureInputError
        JQ-USE-003: a column is missing; JQ-NETWORK-002: unusable parameters.

    Notes
    -----
    Pairs of which one firm did not answer are no zeros and no links: they are left out, of the model too. Links enter all, with
    what they weigh; what is expected is summed over all pairs up to 3,000 firms, and above over 10⁶ that stand for the others,
    two thirds of them drawn within cells of 5 to 320 km, each weighing the inverse of its chance; in the bootstrap over 10⁵, and
    only how far its coefficients move is taken from it. Firms are resampled within their groups, with the number of times
    as weight of their pairs (Snijders & Borgatti 1999); pairs of a firm with itself are left out. That interval takes firms as
    given by chance, and says nothing of chance in the links themselves, least where there are none. So it is widened to the
    interval of a Poisson count of links that weigh what those of the group do (Fay & Feuer 1997, one more link weighing the
    mean): where none is seen, 3.69 links at most, at 95 %. A pair linked both ways counts as one link. The groups' own
    links are part of what the model is fitted on: ratios are against firms of like size and distance in this network, those of
    large groups are drawn towards 1, and where some groups are far above it others come out below.
    Source: as `ppml`; Snijders & Borgatti (1999), Connections 22(2), 161–170; Fay & Feuer (1997), Statistics in
    Medicine 16, 791–801.
    """
    if not (0 <= least_response <= 1 and (response is None or 0 <= response <= 1)):
        raise MeasureInputError("JQ-NETWORK-002", what="response", value=response, expected="0 … 1")
    if (draws != 0 and draws < 19) or not 0 < level < 1:
        raise MeasureInputError("JQ-NETWORK-002", what="draws", value=draws, expected="0, >= 19")
    table = as_polars(firms, "id", group)
    known = as_polars(links, "source", "target", "weight")
    label = table[group].cast(pl.Int64)
    asked = table["responded"] if "responded" in table.columns else pl.Series([None] * table.height, dtype=pl.Boolean)
    polled = bool(asked.is_not_null().any())
    reported = "reported_by" in known.columns and known["reported_by"].is_not_null().any()
    answered = asked.fill_null(value=False) if polled else pl.Series([True] * table.height)
    groups = _counted(label, asked, answered, response, surveyed=polled)
    enough = groups["response"].is_null() | (groups["response"] >= least_response)
    pool = _Pool.of(table.filter(answered), known, label.filter(answered), size)
    counts = np.bincount(pool.group[pool.group >= 0], minlength=0) if pool.firms else np.zeros(0, np.int64)
    found = groups.with_columns(used=pl.Series([int(counts[g]) if g < counts.size else 0 for g in groups["group"]]))
    if (surveyed or reported) and response is None and not polled:
        return Residuals(_unknown(found, "response unknown"), None, "response unknown")
    if response is not None and response < least_response:
        return Residuals(_unknown(found, "response"), None, "response")
    if pool.firms < LEAST_FIRMS or pool.value.size == 0:
        why = "few" if pool.firms < LEAST_FIRMS else "no links"
        return Residuals(_unknown(found, why, enough), None, why)
    try:
        design = pool.design(ALL_PAIRS, seed)
        log_km = pool.log_km(design[0], design[1])
        held, observed = pool.held(np.ones(pool.firms))
        beta, steps = ppml(*design, pool.features, log_km, held=held)
    except MeasureInputError:
        return Residuals(_unknown(found, "no model", enough), None, "no model")
    model = pool.told(beta, design, steps)
    pairs = pool.within(beta, seed)
    expected = pool.expected(pairs, np.ones(pool.firms), np.zeros(beta.size))
    ratios = pool.bootstrap(beta, pairs, draws, seed, progress)
    each, lowest, highest = pool.counted((1 - level) / 2)
    rows = []
    for at, counted in enumerate(found.to_dicts()):
        g = counted["group"]
        told = counted | {"observed": 0.0, "expected": 0.0, "ratio": None}
        sample = np.zeros(0)
        if g < observed.size and expected[g] > 0:
            seen, meant = float(observed[g]), float(expected[g])
            told |= {"observed": seen, "expected": meant, "expected_links": meant / each, "ratio": seen / meant}
            told |= {"low": float(lowest[g]) / meant, "high": float(highest[g]) / meant}
            sample = ratios[:, g][np.isfinite(ratios[:, g])]
        told |= _judged(told, sample, draws, level, least_response, enough=bool(enough[at]))
        rows.append({name: told.get(name) for name in RESULT})
    return Residuals(pl.DataFrame(rows, schema=RESULT, orient="row"), model)


def _judged(
    row: dict[str, Any], sample: Floats, draws: int, level: float, least: float, *, enough: bool
) -> dict[str, Any]:
    """Interval and finding of a group, or why there is none; `low` and `high` are those of the count of links until then."""
    nothing: dict[str, Any] = {"low": None, "high": None, "finding": "unknown"}
    if not enough:
        hidden = dict.fromkeys(("observed", "expected", "expected_links", "ratio"))
        return {**nothing, "reason": "response", **hidden}
    if row["used"] < LEAST_FIRMS or row["ratio"] is None:
        return {**nothing, "reason": "few"}
    if row["used"] < least * row["members"]:
        return {**nothing, "reason": "coverage"}
    if row["expected_links"] < LEAST_LINKS:
        return {**nothing, "reason": "few links"}
    if not draws or sample.size < 0.9 * draws:
        return {**nothing, "reason": "no interval"}
    low, high = (float(value) for value in np.quantile(sample, [(1 - level) / 2, (1 + level) / 2]))
    low, high = min(low, row["low"]), max(high, row["high"])
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

    @property
    def groups(self) -> int:
        """How many groups there are, one more than the greatest number of one."""
        return int(self.group.max(initial=-1)) + 1

    def design(self, most: int, seed: int) -> tuple[Integers, Integers, Floats, Floats]:
        """Rows, columns, values and weights of pairs: all, or a sample."""
        n = self.firms
        if n * n <= most:
            row, column = np.divmod(np.arange(n * n, dtype=np.int64), n)
            off = row != column
            dense = np.zeros(n * n)
            dense[self.row * n + self.column] = self.value
            return row[off], column[off], dense[off], np.ones(int(off.sum()))
        row, column, weight = drawn_pairs(n, self.xyz, min(most, PAIRS), seed)
        codes, these = self.row * np.int64(n) + self.column, row * np.int64(n) + column
        at = np.minimum(np.searchsorted(codes, these), codes.size - 1)
        return row, column, np.where(codes[at] == these, self.value[at], 0.0), weight

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
            0 if exact else int(design[0].size),
            exact,
            self.dropped,
            steps,
        )

    def within(self, beta: Floats, seed: int) -> _Within:
        """Pairs within groups, all or a sample, with what is expected of each."""
        row, column, each, group = pairs_within(self.group, WITHIN, seed)
        log_km, own = self.log_km(row, column), self.features.shape[1]
        eta = beta[0] + self.features[row] @ beta[1 : 1 + own] + self.features[column] @ beta[1 + own : 1 + 2 * own]
        if log_km.size:
            eta = eta + beta[-1] * log_km
        return _Within(row, column, group, log_km, each * np.exp(eta))

    def expected(self, pairs: _Within, times: Floats, move: Floats) -> Floats:
        """Expected weight within each group once coefficients move; each firm counts so many times."""
        held: Floats = _graph_kernels.moved_sums(
            pairs.row, pairs.column, pairs.group, pairs.mean, times, self.features, pairs.log_km, move, self.groups
        )
        return held

    def held(self, times: Floats) -> tuple[Floats, Floats]:
        """Σ y x over all links, and the observed weight within each group; each firm counts so many times."""
        own = np.where(self.group[self.row] == self.group[self.column], self.group[self.row], -1)
        sums: tuple[Floats, Floats] = _graph_kernels.held_sums(
            self.row, self.column, self.value, own, times, self.features, self.link_km, self.groups
        )
        return sums

    @cached_property
    def link_km(self) -> Floats:
        """`log_km` of the links."""
        return self.log_km(self.row, self.column)

    def counted(self, tail: float) -> tuple[float, Floats, Floats]:
        """Mean weight of a link, and the bounds of each group's weight as a Poisson count of links (Fay & Feuer 1997)."""
        n = np.int64(self.firms)
        low, high = np.minimum(self.row, self.column), np.maximum(self.row, self.column)
        codes, at = np.unique(low * n + high, return_inverse=True)
        weight = np.bincount(at, self.value)
        one, other = self.group[codes // n], self.group[codes % n]
        inside = (one == other) & (one >= 0)
        total = np.bincount(one[inside], weight[inside], self.groups)
        square = np.bincount(one[inside], weight[inside] ** 2, self.groups)
        each = float(weight.mean())
        scale = np.divide(square, total, out=np.ones(total.size), where=total > 0)
        least = np.where(total > 0, gamma.ppf(tail, np.maximum(total / scale, 1e-9)) * scale, 0.0)
        more, wide = total + each, square + each**2
        most: Floats = gamma.isf(tail, more**2 / wide) * wide / more
        return each, least, most

    def bootstrap(self, beta: Floats, pairs: _Within, draws: int, seed: int, progress: Progress) -> Floats:
        """Ratio of each group in each sample of firms; NaN where a sample gives none."""
        count = self.groups
        row, column, value, weight = self.design(RESAMPLED, seed + 1)
        log_km = self.log_km(row, column)
        order = np.argsort(self.group, kind="stable")
        sizes = np.bincount(self.group + 1)
        first = np.repeat(np.cumsum(sizes) - sizes, sizes)
        many = np.repeat(sizes, sizes)

        def fitted(times: Floats, start: Floats) -> tuple[Floats, Floats]:
            held, observed = self.held(times)
            each = weight * times[row] * times[column]
            return ppml(row, column, value, each, self.features, log_km, held=held, start=start, steps=8)[0], observed

        def one(draw: int) -> Floats:
            rng = np.random.default_rng([seed, draw])
            drawn = first + (rng.random(self.firms) * many).astype(np.int64)  # of one's own group, with replacement
            times = np.bincount(order[drawn], minlength=self.firms).astype(np.float64)
            out = np.full(count, np.nan)
            try:
                moved, observed = fitted(times, middle)
            except MeasureInputError:
                return out
            expected = self.expected(pairs, times, moved - middle)
            out[expected > 0] = observed[expected > 0] / expected[expected > 0]
            return out

        nothing = np.full((draws, count), np.nan)
        if not draws:
            return nothing
        try:
            middle = fitted(np.ones(self.firms), beta)[0]
        except MeasureInputError:
            return nothing
        work: list[Callable[[], Floats]] = [partial(one, draw) for draw in range(draws)]
        done = []
        with ThreadPoolExecutor(THREADS) as pool:
            for ratios in pool.map(lambda call: call(), work):
                done.append(ratios)
                progress("bootstrap", len(done), draws)
        return np.array(done).reshape(draws, count)


@dataclass(frozen=True)
class _Within:
    """Pairs within groups: their ends, group, distance, and what is expected of those that each stands for."""

    row: Integers
    column: Integers
    group: Integers
    log_km: Floats
    mean: Floats


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
