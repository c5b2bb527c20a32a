"""Chain leaders 链主: size, position and the dependence of others, each with its own number.

There is no one score unless weights are given: a firm is ranked by how many others are ahead of it in everything, so that
firms which nobody beats outright share the first rank.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl

from jiqun.core.arrays import Booleans, Floats, Integers
from jiqun.core.errors import MeasureInputError
from jiqun.core.frames import as_polars

CRITERIA = ("size", "pagerank", "brokered", "dependence_in", "dependence_out")
"""What leaders are compared by: larger is more of a leader."""
HALF = 0.5
MOST_COMPARED = 2_000


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
    firms: Any, *, criteria: tuple[str, ...] = CRITERIA, weights: Mapping[str, float] | None = None, top: int = 20
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

    Returns
    -------
    The firms with `rank`, `score` (null without weights) and `known`, the number of criteria known; those of rank <= `top`
    in order, at least.

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
    table = as_polars(firms, "id")
    used = [name for name in criteria if name in table.columns]
    values = np.column_stack(
        [table[name].cast(pl.Float64).fill_null(np.nan).to_numpy() for name in used] or [np.zeros(0)]
    )
    if weights is not None:
        given = np.array([weights.get(name, 0.0) for name in used])
        if set(weights) - set(used) or not (given >= 0).all() or not given.sum() > 0:
            raise MeasureInputError("JQ-NETWORK-002", what="weights", value=str(dict(weights)), expected=", ".join(used))
    if not used:
        return table.clear().with_columns(
            rank=pl.lit(None, pl.Int64), score=pl.lit(None, pl.Float64), known=pl.lit(None, pl.Int64)
        )
    known = np.isfinite(values)
    chosen = np.zeros(table.height, bool)
    for at in range(len(used)):  # among very many, those that lead in something
        order = np.argsort(np.where(known[:, at], -values[:, at], np.inf), kind="stable")[:MOST_COMPARED]
        chosen[order] = True
    chosen &= known.any(axis=1)
    table, values, known = table.filter(pl.Series(chosen)), values[chosen], known[chosen]
    count = table.height
    leads = np.zeros(count, np.int64)
    percentile = np.full(values.shape, np.nan)
    for at in range(len(used)):
        ranked = pl.Series(values[:, at]).fill_nan(None).rank("average")
        most = int(known[:, at].sum())
        percentile[:, at] = ranked.fill_null(np.nan).to_numpy() / max(most, 1)
        if most:
            leads += known[:, at] & (values[:, at] == np.nanmax(values[:, at]))
    score = np.full(count, np.nan)
    if weights is None:
        rank = np.ones(count, np.int64)
        for i in range(count):
            both = known & known[i]
            ahead = (~both | (values >= values[i])).all(axis=1) & (both & (values > values[i])).any(axis=1)
            rank[i] += int(ahead.sum())
    else:
        share = np.where(known, given, 0.0)
        total = share.sum(axis=1)
        score = np.divide(np.nansum(percentile * given, axis=1), total, out=score, where=total > 0)
        rank = pl.Series(-np.nan_to_num(score, nan=-1.0)).rank("min").to_numpy().astype(np.int64)
    return (
        table.with_columns(
            rank=pl.Series(rank),
            score=pl.Series(score).fill_nan(None),
            known=pl.Series(known.sum(axis=1)),
            leads=pl.Series(leads),
        )
        .sort("rank", "leads", "id", descending=[False, True, False])
        .filter(pl.col("rank") <= top)
        .drop("leads")
    )
