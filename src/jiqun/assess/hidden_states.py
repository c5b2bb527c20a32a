"""Hidden Markov states of many clusters over years 隐马尔可夫阶段: Gaussian emissions, estimated by EM, with posterior probabilities."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from jiqun.core.arrays import Floats
from jiqun.core.errors import MeasureInputError
from jiqun.core.frames import as_polars

LEAST_UNITS, LEAST_YEARS, ROWS_A_PARAMETER = 10, 5, 10
"""Ours: fewer units, years or rows for each parameter would fit noise."""
STARTS, ROUNDS, CLOSE = 5, 300, 1e-7
FLOOR = 1e-3
"""Of a variance, as a part of that of all rows: a state that shrinks to one value would have no bound."""

NEVER, TINY = 1e-9, 1e-290
"""Least number of moves and least density: so that no row is impossible and no scale 0."""


@dataclass(frozen=True)
class HiddenStates:
    """States and who is in which 隐状态: numbered from 1 by the mean of the first column, lowest first.

    `posterior`: unit, year, state, probability (of that state, the likeliest), and one column for each state; `means`: state,
    column, mean, sd (in the units given); `transitions`: start, end, probability; `bic`: −2 ln L + k ln rows.
    """

    posterior: pl.DataFrame
    means: pl.DataFrame
    transitions: pl.DataFrame
    log_likelihood: float
    bic: float
    converged: bool


def hidden_states(
    panel: Any, columns: list[str], *, states: int = 3, unit: str = "unit", year: str = "year", seed: int = 20240501
) -> HiddenStates:
    """States that clusters pass through, from several columns over years 隐马尔可夫模型.

    Parameters
    ----------
    panel
        Any dataframe: a row for each unit and year, years of a unit without a gap, no missing values.
    columns
        What is observed; standardised over all rows, normal and independent given the state.

    Returns
    -------
    `HiddenStates`; the best of five starts by likelihood. States are descriptions of the panel, not stages of [E]; which is
    which is for the reader.

    Raises
    ------
    MeasureInputError
        JQ-USE-003: a column is missing. JQ-ASSESS-094: too few data: ten units, five years of each, ten rows for each
        parameter. JQ-ASSESS-095: a missing value, a year twice or a gap, or a column that does not vary.

    Notes
    -----
    EM climbs to a local maximum. Variances have a floor of 0.001 of the column's.
    Source: Rabiner (1989), Proceedings of the IEEE 77(2), 257–286 (scaled forward–backward, several sequences).
    """
    table = as_polars(panel, unit, year, *columns).select(unit, year, pl.col(columns).cast(pl.Float64)).sort(unit, year)
    _check(table, columns, states, unit, year)
    x = table.select(columns).to_numpy()
    mean, spread = x.mean(axis=0), x.std(axis=0)
    z = (x - mean) / spread
    ends = np.cumsum(table.group_by(unit, maintain_order=True).len()["len"].to_numpy().astype(np.int64))
    starts = np.r_[0, ends[:-1]]
    rng = np.random.default_rng(seed)
    order = np.argsort(z[:, 0], kind="stable")
    best: _Fit | None = None
    for start in range(STARTS):
        if start == 0:
            centres = np.array([z[part].mean(axis=0) for part in np.array_split(order, states)])
        else:
            centres = z[rng.choice(z.shape[0], states, replace=False)]
        fit = _em(z, starts, ends, centres)
        if best is None or fit.likelihood > best.likelihood + 1e-9:
            best = fit
    assert best is not None  # noqa: S101  # STARTS > 0
    rank = np.argsort(best.mu[:, 0], kind="stable")
    gamma = best.gamma[:, rank]
    names = [str(k) for k in range(1, states + 1)]
    likeliest = gamma.argmax(axis=1)
    posterior = table.select(unit, year).with_columns(
        state=pl.Series(likeliest + 1),
        probability=pl.Series(gamma.max(axis=1)),
        **{f"p{name}": pl.Series(gamma[:, k]) for k, name in enumerate(names)},
    )
    mu, sd = best.mu[rank] * spread + mean, np.sqrt(best.var[rank]) * spread
    means = [(k + 1, c, float(mu[k, j]), float(sd[k, j])) for k in range(states) for j, c in enumerate(columns)]
    a = best.a[np.ix_(rank, rank)]
    moves = [(i + 1, j + 1, float(a[i, j])) for i in range(states) for j in range(states)]
    likelihood = best.likelihood - z.shape[0] * float(np.log(spread).sum())
    return HiddenStates(
        posterior,
        pl.DataFrame(means, schema=["state", "column", "mean", "sd"], orient="row"),
        pl.DataFrame(moves, schema=["start", "end", "probability"], orient="row"),
        likelihood,
        -2 * likelihood + _parameters(states, len(columns)) * float(np.log(z.shape[0])),
        best.converged,
    )


def _parameters(states: int, columns: int) -> int:
    return states - 1 + states * (states - 1) + 2 * states * columns


def _check(table: pl.DataFrame, columns: list[str], states: int, unit: str, year: str) -> None:
    years = table.group_by(unit).len()
    needed = ROWS_A_PARAMETER * _parameters(states, len(columns)) if columns and states > 1 else 0
    shortest = int(str(years["len"].min() or 0))
    if not needed or years.height < LEAST_UNITS or shortest < LEAST_YEARS or table.height < needed:
        raise MeasureInputError(
            "JQ-ASSESS-094", units=years.height, years=shortest, rows=table.height, least=LEAST_UNITS,
            least_years=LEAST_YEARS, needed=needed,
        )  # fmt: skip
    finite = table.select(pl.all_horizontal(pl.col(columns).is_finite().fill_null(value=False)).all()).item()
    gaps = table.select((pl.col(year).cast(pl.Int64).diff().over(unit).fill_null(1) != 1).any()).item()
    flat = [name for name in columns if table[name].n_unique() < 2]
    if not finite or gaps or flat:
        raise MeasureInputError("JQ-ASSESS-095", columns=", ".join(flat or columns), unit=unit, year=year)


@dataclass(frozen=True)
class _Fit:
    mu: Floats
    var: Floats
    a: Floats
    gamma: Floats
    likelihood: float
    converged: bool


def _em(z: Floats, starts: Any, ends: Any, centres: Floats) -> _Fit:
    """Baum–Welch from some centres."""
    states = centres.shape[0]
    mu, var = centres.copy(), np.ones_like(centres)
    a, pi = np.full((states, states), 0.2 / max(1, states - 1)), np.full(states, 1 / states)
    np.fill_diagonal(a, 0.8)
    before = -np.inf
    for _ in range(ROUNDS):
        gamma, moves, likelihood = expected(z, starts, ends, mu, var, a, pi)
        if likelihood - before < CLOSE * abs(likelihood):
            return _Fit(mu, var, a, gamma, likelihood, converged=True)
        before = likelihood
        weight = np.maximum(gamma.sum(axis=0), 1e-12)
        mu = gamma.T @ z / weight[:, None]
        var = np.maximum((gamma.T @ z**2) / weight[:, None] - mu**2, FLOOR)
        a = (moves + NEVER) / (moves + NEVER).sum(axis=1, keepdims=True)
        first = gamma[starts].sum(axis=0) + NEVER
        pi = first / first.sum()
    gamma, _, likelihood = expected(z, starts, ends, mu, var, a, pi)
    return _Fit(mu, var, a, gamma, likelihood, converged=False)


def expected(
    z: Floats, starts: Any, ends: Any, mu: Floats, var: Floats, a: Floats, pi: Floats
) -> tuple[Floats, Floats, float]:
    """Posterior of every row, expected moves between states, and the log-likelihood 前向后向; sequences as [start, end)."""
    logs = -0.5 * (((z[:, None, :] - mu) ** 2 / var) + np.log(2 * np.pi * var)).sum(axis=2)
    top = logs.max(axis=1, keepdims=True)
    b = np.maximum(np.exp(logs - top), TINY)
    gamma, moves, likelihood = np.zeros_like(b), np.zeros_like(a), float(top.sum())
    for start, end in zip(starts, ends, strict=True):
        n = end - start
        alpha, scale = np.zeros((n, a.shape[0])), np.zeros(n)
        row = pi * b[start]
        for t in range(n):
            if t:
                row = (alpha[t - 1] @ a) * b[start + t]
            scale[t] = row.sum()
            alpha[t] = row / scale[t]
        beta = np.ones(a.shape[0])
        gamma[end - 1] = alpha[-1]
        for t in range(n - 2, -1, -1):
            ahead = b[start + t + 1] * beta / scale[t + 1]
            moves += alpha[t][:, None] * a * ahead
            beta = a @ ahead
            gamma[start + t] = alpha[t] * beta
        likelihood += float(np.log(scale).sum())
    return gamma, moves, likelihood
