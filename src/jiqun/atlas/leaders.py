"""Chain leaders 链主: size, position and the dependence of others, each with its own number.

There is no one score unless weights are given: a firm is ranked by how many others are ahead of it in everything, so that
firms which nobody beats outright share the first rank.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl
from scipy.stats import rankdata

from jiqun.core.arrays import Booleans, Floats, Integers
from jiqun.core.errors import MeasureInputError
from jiqun.core.frames import as_polars

CRITERIA = ("size", "pagerank", "brokered", "dependence_in", "dependence_out")
"""What leaders are compared by: larger is more of a leader."""
HALF = 0.5
MOST_COMPARED = 2_000
COMPARED_AT_ONCE = 2_000_000


def dependence(
    n: int, source: Integers, target: Integers, weight: Floats, member: Booleans | None = None
) -> pl.DataFrame:
    """How far others depend on each firm 依赖度, by links that run from supplier to customer.

        dependence_in(i) = mean over the customers j of i of  w[i, j] / Σ_k w[k, j]
        dependence_out(i) = mean over the suppliers j of i of  w[j, i] / Σ_k w[j, k]

    the share of their purchases that comes from i, and the share of their sales that goes to i. `customers_half`,
    `suppliers_half`: of how many it is at least one half. `member`: only these others count. Null without customers, or
    suppliers.

    Examples
    --------
    >>> dependence(3, np.array([0, 1]), np.array([2, 2]), np.array([3.0, 1.0])).select("customers", "dependence_in").rows()
    [(1, 0.75), (1, 0.25), (0, None)]
    """
    bought: Floats = np.bincount(target, weight, n).astype(np.float64)
    sold: Floats = np.bincount(source, weight, n).astype(np.float64)
    counted = np.ones(n, bool) if member is None else member

    def of(end: Integers, other: Integers, whole: Floats) -> tuple[Integers, Floats, Integers]:
        fit = counted[other]
        share = weight[fit] / whole[other[fit]]
        many = np.bincount(end[fit], minlength=n)
        total = np.bincount(end[fit], share, n)
        mean = np.divide(total, many, out=np.full(n, np.nan), where=many > 0)
        return many.astype(np.int64), mean, np.bincount(end[fit][share >= HALF], minlength=n).astype(np.int64)

    customers, from_it, half_in = of(source, target, bought)
    suppliers, to_it, half_out = of(target, source, sold)
    return pl.DataFrame(
        {
            "customers": customers,
            "dependence_in": from_it,
            "customers_half": half_in,
            "suppliers": suppliers,
            "dependence_out": to_it,
            "suppliers_half": half_out,
        }
    ).with_columns(pl.col("dependence_in", "dependence_out").fill_nan(None))


def chain_leaders(
    firms: Any,
    *,
    criteria: tuple[str, ...] = CRITERIA,
    weights: Mapping[str, float] | None = None,
    by: str | None = None,
    top: int = 20,
) -> pl.DataFrame:
    """Firms that lead 链主, by several criteria at once.

        rank(i) = 1 + number of firms that are at least as great as i in every criterion, and greater in one

    Parameters
    ----------
    firms
        `id` and any of the `criteria` as numbers, null where not known: a criterion that is null for one of two firms is not
        compared between them, and a firm without any is left out. Firms that are first in none of a criterion's 2,000
        greatest are left out too.
    weights
        Of the criteria, for a `score`: the weighted mean of the firm's percentile ranks in them. The rank is then by score.
    by
        Column of groups, each of which has its own ranks.

    Returns
    -------
    The firms with `rank`, `score` (null without weights) and `known`, the number of criteria known; those of rank <= `top`
    in order, of one group after the other.

    Raises
    ------
    MeasureInputError
        JQ-USE-003: no `id`; JQ-NETWORK-002: weights that are negative, all 0, or of no criterion.

    Notes
    -----
    Firms of one rank are tied, and listed by how many criteria they lead in, then by id. The more criteria, the more ties.
    Source: the count of dominating points after Fonseca & Fleming (1993), Proceedings of the 5th ICGA, 416–423.

    Examples
    --------
    >>> firms = pl.DataFrame({"id": ["a", "b", "c"], "size": [9.0, 5.0, 4.0], "pagerank": [0.1, 0.5, 0.1]})
    >>> chain_leaders(firms).select("id", "rank").rows()
    [('a', 1), ('b', 1), ('c', 3)]
    """
    table = as_polars(firms, "id", *([] if by is None else [by]))
    used = [name for name in criteria if name in table.columns]
    values = np.column_stack(
        [table[name].cast(pl.Float64).fill_null(np.nan).to_numpy() for name in used] or [np.zeros(0)]
    )
    given = None if weights is None else np.array([weights.get(name, 0.0) for name in used])
    fine = given is None or bool((given >= 0).all() and given.sum() > 0)
    if weights is not None and (set(weights) - set(used) or not fine):
        raise MeasureInputError("JQ-NETWORK-002", what="weights", value=str(dict(weights)), expected=", ".join(used))
    if not used:
        return table.clear().with_columns(
            rank=pl.lit(None, pl.Int64), score=pl.lit(None, pl.Float64), known=pl.lit(None, pl.Int64)
        )
    group = np.zeros(table.height, np.int64) if by is None else table[by].rank("dense").fill_null(0).to_numpy()
    order = np.argsort(group, kind="stable")
    rank, leads = np.zeros(table.height, np.int64), np.zeros(table.height, np.int64)
    score = np.full(table.height, np.nan)
    for rows in np.split(order, np.flatnonzero(np.diff(group[order])) + 1):
        own = rows[_leading(values[rows])]
        rank[own], score[own], leads[own] = _ranked(values[own], given)
    return (
        table.with_columns(
            rank=pl.Series(rank),
            score=pl.Series(score).fill_nan(None),
            known=pl.Series(np.isfinite(values).sum(axis=1)),
            leads=pl.Series(leads),
        )
        .filter(pl.col("rank").is_between(1, top))
        .sort(*([] if by is None else [by]), "rank", pl.col("leads").neg(), "id")
        .drop("leads")
    )


def _leading(values: Floats) -> Booleans:
    """Of very many firms, those that are among the first in something; of few, those of which anything is known."""
    known = np.isfinite(values)
    something: Booleans = np.any(known, axis=1)
    if values.shape[0] <= MOST_COMPARED:
        return something
    chosen = np.zeros(values.shape[0], bool)
    for at in range(values.shape[1]):
        chosen[np.argsort(np.where(known[:, at], -values[:, at], np.inf), kind="stable")[:MOST_COMPARED]] = True
    return chosen & something


def _ranked(values: Floats, weights: Floats | None) -> tuple[Integers, Floats, Integers]:
    """Rank, score, and in how many criteria it leads, of each firm of a group."""
    known = np.isfinite(values)
    count = values.shape[0]
    most = np.where(known, values, -np.inf).max(axis=0, initial=-np.inf)
    leads: Integers = (known & (values == most)).sum(axis=1)
    score = np.full(count, np.nan)
    if weights is None:
        rank = np.ones(count, np.int64)
        step = max(1, COMPARED_AT_ONCE // max(values.size, 1))
        for at in range(0, count, step):
            mine, mine_known = values[at : at + step, None], known[at : at + step, None]
            both = known & mine_known
            ahead = (~both | (values >= mine)).all(axis=2) & (both & (values > mine)).any(axis=2)
            rank[at : at + step] += ahead.sum(axis=1)
        return rank, score, leads
    ranks = np.column_stack([rankdata(column, nan_policy="omit") for column in values.T]) if count else values
    percentile = ranks / np.maximum(known.sum(axis=0), 1)
    share = np.where(known, weights, 0.0)
    total = share.sum(axis=1)
    score = np.divide(np.nansum(percentile * weights, axis=1), total, out=score, where=total > 0)
    return rankdata(-np.nan_to_num(score, nan=-1.0), "min").astype(np.int64), score, leads
