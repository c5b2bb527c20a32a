"""Where firms stand in a network 网络位置: strength, PageRank, betweenness, brokers, core and periphery, reciprocity.

Measures return null where there is nothing to measure (a node without links, a graph without pairs), never 0.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from scipy.sparse import coo_matrix

from jiqun.atlas import _graph_kernels
from jiqun.atlas.graphs import rows_of
from jiqun.core.arrays import Booleans, Floats, Integers
from jiqun.core.errors import MeasureInputError

ROLES = ("coordinator", "itinerant", "gatekeeper", "representative", "liaison")
"""Gould and Fernandez's roles of j on an open path i → j → k: all of one group; i and k of one, j of another; j with k; j
with i; all of different groups."""
EXACT_WORK = 500_000_000
"""Betweenness is exact while nodes × links stay below this."""
PIVOTS = 200
DAMPING = 0.85
THREADS = 2


@dataclass(frozen=True)
class Betweenness:
    """Betweenness 中介中心性 of each node, from 0 to 1.

    `error`: standard error of each node where sources were sampled, else None; `bound`: with 95 % chance no node is off by
    more than this (Hoeffding, all nodes at once), 0 where exact.
    """

    value: Floats
    error: Floats | None
    sources: int
    bound: float


def strengths(n: int, source: Integers, target: Integers, weight: Floats) -> pl.DataFrame:
    """in_degree, out_degree, in_strength, out_strength of each node 度与强度; 0 is a count, and so no null."""
    return pl.DataFrame(
        {
            "in_degree": np.bincount(target, minlength=n),
            "out_degree": np.bincount(source, minlength=n),
            "in_strength": np.bincount(target, weight, n),
            "out_strength": np.bincount(source, weight, n),
        }
    )


def pagerank(n: int, source: Integers, target: Integers, weight: Floats, *, damping: float = DAMPING) -> Floats:
    """PageRank 网页排名: the share of time that a walk along the links spends at each node.

        r = d (Pᵀ r + Σ_{dangling} r_i / n) + (1 − d) / n,   P[i, j] = w[i, j] / s_i

    A walk at a node without links out goes anywhere. The sum is 1; of no nodes nothing is returned.
    Source: Brin & Page (1998), Computer Networks 30, 107–117.

    Examples
    --------
    >>> pagerank(2, np.array([0, 1]), np.array([1, 0]), np.ones(2)).round(3).tolist()
    [0.5, 0.5]
    """
    if not 0 <= damping < 1:
        raise MeasureInputError("JQ-NETWORK-002", what="damping", value=damping, expected="0 <= damping < 1")
    if n == 0:
        return np.zeros(0)
    out = np.bincount(source, weight, n)
    share = weight / out[source]
    step = coo_matrix((share, (target, source)), shape=(n, n)).tocsr()
    dangling = out == 0
    rank: Floats = np.full(n, 1.0 / n)
    for _ in range(1000):
        moved = damping * (step @ rank + rank[dangling].sum() / n) + (1 - damping) / n
        change = float(np.abs(moved - rank).sum())
        rank = moved
        if change < 1e-10:
            break
    rank /= rank.sum()
    return rank


def betweenness(
    n: int, source: Integers, target: Integers, *, pivots: int | None = None, seed: int = 20240501
) -> Betweenness:
    """Betweenness 中介中心性: how often a node lies on shortest paths between others, in hops along the links.

        b(v) = Σ_{s ≠ v ≠ t} σ_st(v) / σ_st / ((n − 1)(n − 2))

    Sums over all sources s where nodes × links stay below 5·10⁸ (or `pivots` is at least n); else over a random sample of
    200 sources, scaled up, with the standard error of each node.

    Raises
    ------
    MeasureInputError
        JQ-NETWORK-002: fewer than two pivots.

    Notes
    -----
    Few sources pass through most nodes, so that two standard errors cover less than 95 per cent of a node's samples.
    Source: Brandes (2001), Journal of Mathematical Sociology 25(2), 163–177; sampling after Brandes & Pich (2007),
    International Journal of Bifurcation and Chaos 17(7), 2303–2318.

    Examples
    --------
    >>> betweenness(3, np.array([0, 1]), np.array([1, 2])).value.tolist()
    [0.0, 0.5, 0.0]
    """
    if pivots is not None and pivots < 2:
        raise MeasureInputError("JQ-NETWORK-002", what="pivots", value=pivots, expected=">= 2")
    wanted = pivots if pivots is not None else n if n * source.size <= EXACT_WORK else min(PIVOTS, n)
    exact = wanted >= n
    chosen = np.arange(n) if exact else np.sort(np.random.default_rng(seed).choice(n, wanted, replace=False))
    pointer, neighbours, _ = rows_of(n, source, target)
    narrow: Any = neighbours.astype(np.int32)  # half as much to read, many times over
    with ThreadPoolExecutor(THREADS) as pool:
        parts = [
            pool.submit(_graph_kernels.betweenness, pointer, narrow, chosen[k::THREADS].astype(np.int64))
            for k in range(THREADS)
        ]
        sums = [part.result() for part in parts]
    total, squares = (np.sum([part[at] for part in sums], axis=0) for at in (0, 1))
    pairs = max((n - 1.0) * (n - 2.0), 1.0)
    if exact:
        return Betweenness(total / pairs, None, n, 0.0)
    k = float(wanted)
    variance = np.maximum(squares - total**2 / k, 0.0) / (k - 1) * (1 - k / n)
    bound = float(np.sqrt(np.log(2 * n / 0.05) / (2 * k)) * n / (n - 1))
    return Betweenness(total * n / k / pairs, np.sqrt(variance / k) * n / pairs, wanted, bound)


def constraint(n: int, source: Integers, target: Integers, weight: Floats) -> Floats:
    """Burt's constraint 结构洞约束: how far a node's contacts are contacts of each other. Low: a broker.

        C_i = Σ_j (p_ij + Σ_q p_iq p_qj)²,   p_ij = (w_ij + w_ji) / Σ_k (w_ik + w_ki)

    over the neighbours j of i, q ≠ i, j. NaN for a node without links. It may exceed 1.
    Source: Burt (1992), Structural Holes, Harvard University Press, ch. 2.

    Examples
    --------
    >>> constraint(3, np.array([0, 0]), np.array([1, 2]), np.ones(2)).tolist()
    [0.5, 1.0, 1.0]
    """
    both = coo_matrix((np.tile(weight, 2), (np.r_[source, target], np.r_[target, source])), shape=(n, n)).tocsr()
    both.sum_duplicates()
    strength = np.asarray(both.sum(axis=1)).ravel()
    share = both.data / np.repeat(strength, np.diff(both.indptr))
    out: Floats = _graph_kernels.constraint(both.indptr.astype(np.int64), both.indices.astype(np.int64), share)
    return out


def brokerage(n: int, source: Integers, target: Integers, group: Integers) -> pl.DataFrame:
    """Gould and Fernandez's roles 中间人角色 of each node: how many open paths i → j → k it stands on, by role.

    Paths are open where there is no link i → k, and i ≠ k. `group`: of each node, from 0 (a cluster, a community). Columns
    as `ROLES`, and `brokered`, their sum.
    Source: Gould & Fernandez (1989), Sociological Methodology 19, 89–126.

    Examples
    --------
    >>> brokerage(3, np.array([0, 1]), np.array([1, 2]), np.array([0, 0, 1])).row(1)
    (0, 0, 0, 1, 0, 1)
    """
    if group.size != n or (n and int(group.min()) < 0):
        raise MeasureInputError("JQ-NETWORK-002", what="group", value=f"{group.size}", expected=f"{n} × >= 0")
    out_ptr, out_to, _ = rows_of(n, source, target)
    in_ptr, in_from, _ = rows_of(n, target, source)
    groups = int(group.max(initial=0)) + 1
    counts = _graph_kernels.brokerage(out_ptr, out_to, in_ptr, in_from, group.astype(np.int64), groups)
    return pl.DataFrame({role: counts[:, at] for at, role in enumerate(ROLES)}).with_columns(
        brokered=pl.sum_horizontal(ROLES)
    )


@dataclass(frozen=True)
class CorePeriphery:
    """Core and periphery 核心与边缘.

    `core`: the smallest best core; `undecided`: nodes of which another, equally good core would say the opposite.
    `misfits`: pairs of the core that are not linked and pairs of the periphery that are; `correlation` with the ideal
    pattern, None where it has no variation; `p`: share of random graphs of as many nodes and edges that fit as well.
    """

    core: Booleans
    undecided: Booleans
    misfits: int
    correlation: float | None
    p: float | None
    draws: int


def core_periphery(
    n: int, source: Integers, target: Integers, *, draws: int = 199, seed: int = 20240501
) -> CorePeriphery:
    """The core whose members are all linked, around it a periphery without links of its own 核心—边缘结构.

        Z(C) = |C|(|C| − 1)/2 + m − Σ_{i in C} d_i

    counts the pairs that do not fit, of the graph without directions; those between core and periphery are free. Z depends on
    degrees only: the best core of each size holds the nodes of highest degree, so that sorting finds the best of all.

    Returns
    -------
    `CorePeriphery`. Without nodes or edges nothing is core.

    Notes
    -----
    Because Z depends on degrees only, graphs with the same degrees all fit equally well and could test nothing. The null is
    the random graph of n nodes and m edges: does the spread of degrees exceed that of chance?
    Source: Borgatti & Everett (2000), Social Networks 21, 375–395; Lip (2011), arXiv:1102.5511.

    Examples
    --------
    >>> star = core_periphery(5, np.zeros(4, np.int64), np.arange(1, 5), draws=0)
    >>> star.core.tolist(), star.misfits
    ([True, False, False, False, False], 0)
    """
    if draws != 0 and draws < 19:
        raise MeasureInputError("JQ-NETWORK-002", what="draws", value=draws, expected="0, >= 19")
    low, high = np.minimum(source, target), np.maximum(source, target)
    pairs = _distinct(low * np.int64(max(n, 1)) + high)
    u, v = pairs // max(n, 1), pairs % max(n, 1)
    m = int(pairs.size)
    degree = np.bincount(u, minlength=n) + np.bincount(v, minlength=n)
    nothing = np.zeros(n, bool)
    if m == 0:
        return CorePeriphery(nothing, nothing, 0, None, None, 0)
    misfits, size = _best(np.sort(degree)[::-1], m)
    ordered = np.sort(degree)[::-1]
    last = ordered[size - 1]
    core = degree > last
    tied = degree == last
    whole = int(core.sum() + tied.sum()) == size
    joining = degree == size  # one more member of this degree changes nothing
    undecided = joining & ~core & ~tied
    if whole:
        core |= tied
    else:  # any of those that tie would do: the first by number, so that the core has its size
        undecided |= tied
        core[np.flatnonzero(tied)[: size - int(core.sum())]] = True
    p = None
    if draws and n > 1:

        def drawn(rng: np.random.Generator) -> int:
            return _best(np.sort(_random_degrees(n, m, rng))[::-1], m)[0]

        with ThreadPoolExecutor(THREADS) as pool:
            fits = sum(one <= misfits for one in pool.map(drawn, np.random.default_rng(seed).spawn(draws)))
        p = (1 + fits) / (draws + 1)
    return CorePeriphery(core, undecided, misfits, _fit(n, core, u, v), p, draws)


def _best(degrees: Integers, m: int) -> tuple[int, int]:
    """Fewest misfits, and the smallest size of a core that has them; degrees fall."""
    k = np.arange(degrees.size)
    cost = m + np.cumsum(k - degrees)
    at = int(np.argmin(cost))
    return int(cost[at]), at + 1


def _random_degrees(n: int, m: int, rng: np.random.Generator) -> Integers:
    """Degrees of a random graph of n nodes and m edges, each pair at most once."""
    total = n * (n - 1) // 2
    if total <= 4 * m or total < 1 << 16:
        chosen = rng.choice(total, m, replace=False)
    else:
        chosen = _distinct(rng.integers(0, total, m))
        while chosen.size < m:
            chosen = _distinct(np.r_[chosen, rng.integers(0, total, m - chosen.size)])
    row = np.floor((1 + np.sqrt(1 + 8.0 * chosen)) / 2).astype(np.int64)  # pairs in the order (1,0), (2,0), (2,1), …
    row -= row * (row - 1) // 2 > chosen
    column = chosen - row * (row - 1) // 2
    return (np.bincount(row, minlength=n) + np.bincount(column, minlength=n)).astype(np.int64)


def _distinct(codes: Integers) -> Integers:
    """Each value once, rising; by sorting, which for millions of numbers is faster than `np.unique`."""
    ordered = np.sort(codes)
    return ordered[np.diff(ordered, prepend=ordered[:1] - 1) > 0]


def _fit(n: int, core: Booleans, u: Integers, v: Integers) -> float | None:
    """Correlation of links with the ideal pattern over the pairs that it speaks of: those within core and within periphery."""
    c, m = int(core.sum()), int(u.size)
    inner, outer = c * (c - 1) / 2, (n - c) * (n - c - 1) / 2
    pairs = inner + outer
    within = float((core[u] & core[v]).sum())
    linked = within + float((~core[u] & ~core[v]).sum())
    if pairs == 0 or m == 0:
        return None
    mean_ideal, mean_linked = inner / pairs, linked / pairs
    spread = mean_ideal * (1 - mean_ideal) * mean_linked * (1 - mean_linked)
    return (within / pairs - mean_ideal * mean_linked) / float(np.sqrt(spread)) if spread > 1e-15 else None


@dataclass(frozen=True)
class Reciprocity:
    """Reciprocity 互惠性: `share` of links that are returned, `density`, and `rho` beyond what density explains."""

    links: int
    returned: int
    density: float | None
    share: float | None
    rho: float | None


def reciprocity(n: int, source: Integers, target: Integers) -> Reciprocity:
    """How far links are returned 互惠性, beyond what their number explains.

        ρ = (r − a) / (1 − a),   r = L↔ / L,   a = L / (n (n − 1))

    L: ordered pairs that are linked; L↔: those linked back too. ρ is 0 for chance, 1 if all are returned, negative if fewer
    than by chance. None where there is no link, or where every pair is linked.
    Source: Garlaschelli & Loffredo (2004), Physical Review Letters 93, 268701.

    Examples
    --------
    >>> reciprocity(3, np.array([0, 1, 0]), np.array([1, 0, 2])).returned
    2
    """
    codes = _distinct(source * np.int64(max(n, 1)) + target)
    back = _distinct(target * np.int64(max(n, 1)) + source)
    links = int(codes.size)
    returned = int((back[np.minimum(np.searchsorted(back, codes), max(links - 1, 0))] == codes).sum()) if links else 0
    density = links / (n * (n - 1.0)) if n > 1 else None
    share = returned / links if links else None
    rho = (share - density) / (1 - density) if share is not None and density is not None and density < 1 else None
    return Reciprocity(links, returned, density, share, rho)
