"""Communities of a network 社区发现: Leiden over a sweep of resolutions, a consensus of many seeds, tested against chance.

Every graph can be cut into communities, a random one too. So three things are said of them: how alike the cuts of many
seeds are, how much better the cut is than that of graphs with the same degrees, and which communities hold more of their
weight inside than any that the same search finds in such graphs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, Literal

import numpy as np
import polars as pl
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from scipy.special import xlogy
from scipy.stats import rankdata

from jiqun.atlas import _graph_kernels, _leiden_kernels
from jiqun.core.arrays import Floats, Integers
from jiqun.core.errors import MeasureInputError
from jiqun.core.progress import Progress, silent

NullGraph = Callable[[int], tuple[Integers, Integers, Floats]]
"""Ends u < v and weights of a null graph, by seed."""
Quality = Literal["modularity", "cpm"]
SMALL = 10_000
"""Up to so many edges the sweep is finer and more null graphs are drawn."""
TINY, SWEPT_NULLS = 5_000, 8
"""Up to so many edges, the sweep compares with so many null graphs; above, chance moves little, and it takes one."""
FEWEST_SEEDS = 20
FINEST, LEAST_GROUP = 2_500, 20
"""Modularity cannot see groups of far fewer edges than the root of all at γ = 1, so large graphs are tried at up to one for so
many edges; for CPM, at up to the density of groups of so many nodes."""
AGREED = 0.999
"""Share of edges on which all seeds agree at which a consensus is reached."""
ROUNDS = 10
NEAR = 0.02
"""Resolutions whose agreement is this close to the best count as equally stable."""
SWAPS = 5
"""Tries of a swap for each edge of a null graph; a swap moves two edges."""
MENDED = 1e-4
"""Ends joined at random are a null graph where no more of the edges than this had to be mended; else edges swap partners.
With 0.6 % mended, graphs of hubs had a fifth more edges among hubs than swapping leaves."""
FOLLOWED = 5
"""Searches of a small graph that follow each other, each from what the last one found; a large one is searched once."""
RANDOMNESS = 0.01
"""Of the refinement, in mean weights of an edge: how far a node may go where it gains less than elsewhere."""
STRIDE = 7919
"""Between the seeds of searches on one graph, so that they are not those of its null graphs."""
THREADS = 2
LEAST_MEMBERS = 3


@dataclass(frozen=True)
class Communities:
    """A cut into communities 社区, and what speaks for it.

    `labels`: community of each node from 0, by falling strength inside. `table`: community, nodes, edges, weight_in,
    share_in (part of its members' strength that stays inside), expected, llr, p (null: not tested). `sweep`: resolution,
    communities, ari, ari_null, vi, chosen. `agreement`: mean adjusted Rand index of the seeds with the consensus; `converged`: whether
    the seeds agreed in the end. `quality`, `null_quality`, `p`: one search on the graph, the mean of those on null graphs,
    and the share of null graphs that reach it; None where nothing was tested.
    """

    labels: Integers
    table: pl.DataFrame
    sweep: pl.DataFrame
    resolution: float
    quality: float
    null_quality: float | None
    p: float | None
    nulls: int
    agreement: float
    rounds: int
    converged: bool


@dataclass(frozen=True)
class _Graph:
    """A simple undirected graph: ends u < v and weights of its edges, and both directions in compressed rows.

    Rows, and strengths of nodes, are in units of the mean weight: so neither the search nor its guard against rounding
    depends on the unit in which weights are told.
    """

    n: int
    u: Integers
    v: Integers
    weight: Floats
    iterations: int
    rows: tuple[Any, Any, Any]

    @cached_property
    def ranks(self) -> Floats:
        """Weights by rank, ties sharing theirs, with mean 1 or so."""
        ranked: Floats = rankdata(self.weight) * 2.0 / max(self.weight.size, 1)
        return ranked

    @cached_property
    def strength(self) -> Floats:
        """Weight of the edges of each node."""
        weight = self.weight / self.mean
        both = np.bincount(self.u, weight, self.n) + np.bincount(self.v, weight, self.n)
        return both.astype(np.float64)

    @cached_property
    def mean(self) -> float:
        """Mean weight of an edge; 1 without edges."""
        return float(self.weight.mean()) if self.weight.size else 1.0

    @cached_property
    def ones(self) -> Floats:
        """Each node counts once."""
        return np.ones(self.n)

    @classmethod
    def of(cls, n: int, u: Integers, v: Integers, weight: Floats, iterations: int) -> _Graph:
        unit = weight / weight.mean() if weight.size else weight
        both = coo_matrix((np.tile(unit, 2), (np.concatenate([u, v]), np.concatenate([v, u]))), shape=(n, n)).tocsr()
        both.sort_indices()
        rows = (both.indptr.astype(np.int64), both.indices.astype(np.int32), both.data.astype(np.float64))
        return cls(n, u, v, weight, iterations, rows)

    def cut(self, resolution: float, seed: int, quality: Quality) -> tuple[float, Integers]:
        """One search: its quality and the label of each node; nodes without edges are by themselves."""
        if not self.u.size:
            return 0.0, np.arange(self.n, dtype=np.int64)
        m = self.u.size
        leiden: Any = _leiden_kernels.leiden
        by_strength = quality == "modularity"
        size = self.strength if by_strength else self.ones
        gamma = resolution / (2 * m) if by_strength else resolution / self.mean
        labels: Integers = leiden(*self.rows, size, gamma, RANDOMNESS, self.iterations, seed)
        inside = float(self.weight[labels[self.u] == labels[self.v]].sum())
        held = np.bincount(labels, size)
        if by_strength:
            return inside / (self.mean * m) - resolution * float(((held / (2 * m)) ** 2).sum()), labels
        return inside - resolution * float((held * (held - 1) / 2).sum()), labels


def communities(
    n: int,
    u: Integers,
    v: Integers,
    weight: Floats,
    *,
    quality: Quality = "modularity",
    resolution: float | Sequence[float] | None = None,
    seeds: int = FEWEST_SEEDS,
    nulls: int | None = None,
    null: NullGraph | None = None,
    seed: int = 20240501,
    progress: Progress = silent,
) -> Communities:
    """Communities of an undirected weighted graph 社区.

        Q = Σ_c [ W_c / W − γ (S_c / 2W)² ]   (modularity), or  Σ_c [ W_c − γ n_c (n_c − 1) / 2 ]   (CPM)

    W: weight of all edges; W_c, S_c, n_c: weight inside, strength and nodes of community c. Resolutions γ are tried with a
    few seeds each, on the graph and on null graphs, since cuts into very large or very small pieces agree by themselves.
    That at which the cuts of the graph agree most beyond those of the null graphs, (a − a₀) / (1 − a₀) of the mean adjusted
    Rand indices a, a₀ (among equals the γ nearest to 1, or for CPM the smallest), is searched with all seeds. Their consensus: each edge is weighted by the share of seeds that keep it
    inside, dropped below one half, and the search repeated on that graph until all seeds agree on all edges. Only edges are
    held, never all pairs.

    Parameters
    ----------
    n, u, v, weight
        Number of nodes; ends u < v of each edge once; weights > 0.
    resolution
        One, or those to try. None: nine from ¼ to 4 for modularity, for CPM the density of the graph times ¼ to 64; above
        10,000 edges four, up to edges / 2,500 and to the density times nodes / 20.
    seeds
        Of the consensus, at least 20.
    nulls
        Null graphs: same degrees (ends joined anew, or edges swap partners, 5 tries for each), weights shuffled. None: 99, or 19 above 10,000
        edges; 0: none.
    null
        Draws null graphs instead, by seed: where the graph was made by a filter, they must pass it too.

    Returns
    -------
    `Communities`. A graph without edges has every node by itself, and nothing is tested.

    Raises
    ------
    MeasureInputError
        JQ-NETWORK-002: unusable ends, weights, resolution, seeds, nulls or seed.

    Notes
    -----
    Null graphs are searched once, so it is one search on the graph that is compared with them. A community's p compares how
    far the root of its log-likelihood ratio exceeds those of null communities of no more mass with how far the most
    outstanding community of each null graph does; it holds for all communities at once. A community of the consensus has the p of that
    of the one search with which it shares at least half of the mass of either, else 1. Mass and ratio are of weights
    by rank, so that no single link decides. The resolution was
    chosen on the graph itself, and null graphs are searched at that resolution.
    Source: Traag, Waltman & van Eck (2019), Scientific Reports 9, 5233; Traag, Van Dooren & Nesterov (2011), Physical Review
    E 84, 016114; consensus after Lancichinetti & Fortunato (2012), Scientific Reports 2, 336; null after Maslov & Sneppen
    (2002), Science 296, 910–913.

    Examples
    --------
    >>> left, right = np.triu_indices(8, 1)
    >>> two = communities(16, np.r_[left, left + 8, 0], np.r_[right, right + 8, 8], np.ones(57), nulls=19)
    >>> two.table.select("community", "nodes", "edges", "p").rows()
    [(0, 8, 28, 0.05), (1, 8, 28, 0.05)]
    """
    _check(n, u, v, weight, seeds, nulls, seed)
    small = u.size <= SMALL
    linked, left, right = _linked(u, v)
    graph = _Graph.of(linked.size, left, right, weight, FOLLOWED if small else 1)
    draw = partial(_mixed, graph) if null is None else partial(_drawn, null, graph.iterations)
    tried = _resolutions(graph, quality, resolution, small=small)
    if not u.size:
        empty = _described(_Graph.of(n, u, v, weight, 1), np.arange(n)).with_columns(p=pl.lit(None, pl.Float64))
        return Communities(np.arange(n), empty, _sweep([]), tried[0], 0.0, None, None, 0, 1.0, 0, converged=True)
    few = seeds if u.size <= TINY else 5 if small else 2
    chosen, sweep, cuts = _chosen(graph, draw, quality, tried, few, seed, progress)
    runs = [partial(graph.cut, chosen, seed + STRIDE * k, quality) for k in range(len(cuts), seeds)]
    cuts += _parallel(runs, "seeds", progress)
    labels, rounds, converged = _consensus(graph, [cut for _, cut in cuts], chosen, quality, seed, progress)
    agreement = float(np.mean([alike(labels, cut)[0] for _, cut in cuts]))
    wanted = nulls if nulls is not None else 99 if small else 19
    whole = np.full(n, -1, np.int64)
    whole[linked] = labels
    alone = whole < 0
    whole[alone] = labels.max() + 1 + np.arange(int(alone.sum()))
    whole = np.unique(whole, return_inverse=True)[1].astype(np.int64)
    table = _described(_Graph.of(n, u, v, weight, 1), whole)
    drawn = [partial(_null, draw, chosen, quality, seed + 1 + k) for k in range(wanted)]
    searched = _parallel(drawn, "null graphs", progress)
    once = np.unique(cuts[0][1], return_inverse=True)[1].astype(np.int64)
    p_once = _family_p(_described(graph, once), [of for _, of in searched])
    tested = table.with_columns(p=_inherited(graph, whole[linked], table.height, once, p_once))
    order = tested.sort("weight_in", "nodes", "community", descending=[True, True, False])
    number = np.empty(order.height, np.int64)
    number[order["community"].to_numpy()] = np.arange(order.height)
    reached = [value for value, _ in searched]
    return Communities(
        labels=number[whole],
        table=order.with_columns(community=pl.int_range(pl.len(), dtype=pl.Int64)),
        sweep=sweep,
        resolution=chosen,
        quality=cuts[0][0],
        null_quality=float(np.mean(reached)) if reached else None,
        p=(1 + sum(value >= cuts[0][0] - 1e-12 for value in reached)) / (wanted + 1) if reached else None,
        nulls=wanted,
        agreement=agreement,
        rounds=rounds,
        converged=converged,
    )


def alike(one: Integers, other: Integers) -> tuple[float, float]:
    """How alike two cuts are: adjusted Rand index, and variation of information over the logarithm of n.

    1 and 0 for equal cuts. The first is 0 on average for unrelated ones (Hubert & Arabie 1985), the second is 1 at most
    (Meilă 2007).

    Examples
    --------
    >>> alike(np.array([0, 0, 1, 1]), np.array([5, 5, 2, 2]))
    (1.0, 0.0)
    """
    n = one.size
    if n < 2:
        return 1.0, 0.0
    both = pl.DataFrame({"one": one, "other": other})
    joint, *sizes = (
        both.group_by(*names)
        .len()["len"]
        .sort()
        .to_numpy()
        .astype(np.float64)  # sorted: sums must not depend on threads
        for names in (("one", "other"), ("one",), ("other",))
    )
    pairs, (first, second) = (joint * (joint - 1)).sum(), [(size * (size - 1)).sum() for size in sizes]
    expected, most = first * second / (n * (n - 1.0)), (first + second) / 2
    rand = 1.0 if most == expected else (pairs - expected) / (most - expected)
    entropy = [-(xlogy(p, p)).sum() for p in (joint / n, sizes[0] / n, sizes[1] / n)]
    information = max(0.0, 2 * entropy[0] - entropy[1] - entropy[2]) / np.log(n)
    return float(rand), 0.0 if information < 1e-12 else float(information)


def _check(n: int, u: Integers, v: Integers, weight: Floats, seeds: int, nulls: int | None, seed: int) -> None:
    fine = u.size == v.size == weight.size and bool(((u >= 0) & (u < v) & (v < n)).all())
    if not fine or pl.Series(u * np.int64(n) + v).n_unique() != u.size:
        raise MeasureInputError(
            "JQ-NETWORK-002", what="u, v", value=f"{u.size} edges", expected="0 <= u < v < n, each pair once"
        )
    if not (np.isfinite(weight) & (weight > 0)).all():
        raise MeasureInputError("JQ-NETWORK-002", what="weight", value=float(weight.min()), expected="> 0")
    most = np.finfo(np.float64).max / (4 * max(weight.size, 1))
    if weight.max(initial=0.0) > most:
        raise MeasureInputError("JQ-NETWORK-002", what="weight", value=float(weight.max()), expected=f"<= {most:.3g}")
    if not 0 <= seed < 1 << 62:
        raise MeasureInputError("JQ-NETWORK-002", what="seed", value=seed, expected="0 … 2^62")
    if seeds < FEWEST_SEEDS:
        raise MeasureInputError("JQ-NETWORK-002", what="seeds", value=seeds, expected=f">= {FEWEST_SEEDS}")
    if nulls is not None and nulls != 0 and nulls < 19:
        raise MeasureInputError("JQ-NETWORK-002", what="nulls", value=nulls, expected="0, >= 19")


def _resolutions(
    graph: _Graph, quality: Quality, given: float | Sequence[float] | None, *, small: bool
) -> tuple[float, ...]:
    if given is not None:
        tried = tuple(float(one) for one in (given if isinstance(given, Sequence) else (given,)))
        if not tried or not all(np.isfinite(one) and one > 0 for one in tried):
            raise MeasureInputError("JQ-NETWORK-002", what="resolution", value=given, expected="> 0")
        return tried
    n, m = graph.n, graph.u.size
    density = 2.0 * graph.weight.sum() / (n * (n - 1.0)) if n > 1 and m else 1.0
    if small:
        steps = 2.0 ** np.linspace(-2, 2, 9)
        return tuple((steps if quality == "modularity" else density * 4 * steps**2).tolist())
    if quality == "modularity":
        return tuple(np.geomspace(1.0, max(4.0, m / FINEST), 4).tolist())
    return tuple((density * np.geomspace(4.0, max(16.0, n / LEAST_GROUP), 4)).tolist())


def _parallel(work: Sequence[Callable[[], Any]], what: str, progress: Progress) -> list[Any]:
    """Results in order; searches run without Python's lock."""
    done = []
    with ThreadPoolExecutor(THREADS) as pool:
        for result in pool.map(lambda one: one(), work):
            done.append(result)
            progress(what, len(done), len(work))
    return done


def _sweep(rows: Sequence[tuple[Any, ...]]) -> pl.DataFrame:
    numbers = ("resolution", "communities", "ari", "ari_null", "vi")
    return pl.DataFrame(rows, schema={**dict.fromkeys(numbers, pl.Float64), "chosen": pl.Boolean}, orient="row")


def _chosen(
    graph: _Graph,
    draw: Callable[[int], _Graph],
    quality: Quality,
    tried: Sequence[float],
    seeds: int,
    seed: int,
    progress: Progress,
) -> tuple[float, pl.DataFrame, list[tuple[float, Integers]]]:
    """The most stable resolution, what each came to, and the searches of the graph at that one.

    Cuts that leave all in one piece, or none together, do not count.
    """
    if len(tried) == 1:
        return tried[0], _sweep([(tried[0], None, None, None, None, True)]), []
    others = [draw(seed + k) for k in range(SWEPT_NULLS if graph.u.size <= TINY else 1)]
    work = [
        partial(one.cut, gamma, seed + STRIDE * k, quality)
        for gamma in tried
        for one in (graph, *others)
        for k in range(seeds)
    ]
    found = _parallel(work, "resolutions", progress)
    cuts = [labels for _, labels in found]
    rows = []
    for index, gamma in enumerate(tried):
        at = (1 + len(others)) * index * seeds
        own, *chance = (cuts[at + k * seeds : at + (k + 1) * seeds] for k in range(1 + len(others)))
        ari, vi = _agreement(own)
        ari_null = float(np.mean([_agreement(other)[0] for other in chance]))
        sizes = [np.unique(labels, return_counts=True)[1] for labels in own]
        trivial = min(int((size >= LEAST_MEMBERS).sum()) for size in sizes) < 2
        rows.append((gamma, float(np.mean([size.size for size in sizes])), ari, ari_null, vi, trivial))
    telling = [row for row in rows if not row[5]] or rows
    beyond = {row[0]: (row[2] - row[3]) / (1 - row[3]) if row[3] < 1 else 0.0 for row in telling}
    near = [gamma for gamma, value in beyond.items() if value >= max(beyond.values()) - NEAR]
    gamma = min(near, key=lambda one: abs(np.log(one))) if quality == "modularity" else min(near)
    at = (1 + len(others)) * tried.index(gamma) * seeds
    return gamma, _sweep([(*row[:5], row[0] == gamma) for row in rows]), found[at : at + seeds]


def _agreement(cuts: Sequence[Integers]) -> tuple[float, float]:
    """Mean of `alike` over all pairs of cuts."""
    pairs = [alike(a, b) for at, a in enumerate(cuts) for b in cuts[at + 1 :]]
    ari, vi = np.mean(pairs, axis=0)
    return float(ari), float(vi)


def _consensus(
    graph: _Graph, cuts: list[Integers], gamma: float, quality: Quality, seed: int, progress: Progress
) -> tuple[Integers, int, bool]:
    """The cut that all seeds come to once edges weigh what the seeds before said of them; how many rounds that took.

    A piece on which all seeds agree, and that no edge leaves any more, is settled and not searched again. Modularity of the
    rest alone is as that of the whole where γ is cut in proportion to the weight.
    """
    u, v, weight = graph.u, graph.v, graph.weight
    own = np.arange(graph.n)  # the nodes that are not settled, numbered from 0 in this round
    labels, given = np.full(graph.n, -1, np.int64), 0
    for done in range(1, ROUNDS + 1):
        share = np.mean([cut[u] == cut[v] for cut in cuts], axis=0)
        agreed = bool(((share == 0) | (share == 1)).sum() + graph.u.size - u.size >= AGREED * graph.u.size)
        kept = share >= 0.5
        u, v, weight, share = u[kept], v[kept], weight[kept] * share[kept], share[kept]
        if agreed or done == ROUNDS:
            _, last = np.unique(cuts[0], return_inverse=True)
            labels[own] = given + last
            return labels, done, agreed
        linked = coo_matrix((np.ones(u.size), (u, v)), shape=(own.size, own.size))
        pieces, piece = connected_components(linked, directed=False)
        open_ = np.zeros(pieces, bool)
        open_[piece[u[share < 1]]] = True
        settled = ~open_[piece]
        labels[own[settled]] = given + piece[settled]
        given += pieces
        number = np.cumsum(~settled) - 1
        total = float(weight.sum())
        going = open_[piece[u]]
        u, v, weight, own = number[u[going]], number[v[going]], weight[going], own[~settled]
        rest = float(weight.sum()) / total if total else 1.0
        again = _Graph.of(own.size, u, v, weight, graph.iterations)
        resolution = gamma * rest if quality == "modularity" else gamma
        work = [partial(again.cut, resolution, seed + 104729 * done + k, quality) for k in range(len(cuts))]
        cuts = [cut for _, cut in _parallel(work, "consensus", progress)] if u.size else [np.arange(own.size)]
    raise AssertionError("the last round returns")


def _described(graph: _Graph, labels: Integers) -> pl.DataFrame:
    """community, nodes, edges, weight_in, share_in, expected, llr, mass of each label (labels become 0 … in their order).

    llr and mass (twice what is inside, and what leads out) are of weights by their rank: a community is no stronger for one
    enormous link.
    """
    dense = np.unique(labels, return_inverse=True)[1]
    count = int(dense.max(initial=-1)) + 1
    held, strength, total = _inside(graph, dense, count, graph.weight)
    ranked, mass, whole = _inside(graph, dense, count, graph.ranks)
    chance, share = (mass / (2 * whole)) ** 2, ranked / whole
    with np.errstate(divide="ignore", invalid="ignore"):
        gain = xlogy(share, share / chance) + xlogy(1 - share, (1 - share) / (1 - chance))
        llr = np.where((share > chance) & (chance < 1), graph.u.size * gain, 0.0)
        share_in = np.where(strength > 0, 2 * held / strength, np.nan)
    inner = dense[graph.u[dense[graph.u] == dense[graph.v]]]
    return pl.DataFrame(
        {
            "community": np.arange(count),
            "nodes": np.bincount(dense, minlength=count),
            "edges": np.bincount(inner, minlength=count),
            "weight_in": held,
            "share_in": share_in,
            "expected": (strength / (2 * total)) ** 2 * total,
            "llr": llr,
            "mass": mass,
        }
    ).with_columns(pl.col("share_in").fill_nan(None))


def _inside(graph: _Graph, dense: Integers, count: int, weight: Floats) -> tuple[Floats, Floats, float]:
    """Weight inside each community, its strength, and the weight of all edges (1 of none)."""
    same = dense[graph.u] == dense[graph.v]
    held = np.bincount(dense[graph.u[same]], weight[same], count).astype(np.float64)
    strength = np.bincount(dense[graph.u], weight, count) + np.bincount(dense[graph.v], weight, count)
    return held, strength.astype(np.float64), float(weight.sum()) or 1.0


def _mixed(graph: _Graph, seed: int) -> _Graph:
    """A graph with the same degrees, its weights shuffled."""
    u, v, mended = _graph_kernels.matched(graph.u, graph.v, graph.n, int(MENDED * graph.u.size), seed)
    if mended < 0:
        u, v, _ = _graph_kernels.swapped(graph.u, graph.v, graph.n, SWAPS * graph.u.size, seed)
    return _Graph.of(graph.n, u, v, np.random.default_rng(seed).permutation(graph.weight), graph.iterations)


def _drawn(null: NullGraph, iterations: int, seed: int) -> _Graph:
    u, v, weight = null(seed)
    linked, left, right = _linked(u, v)
    return _Graph.of(linked.size, left, right, weight, iterations)


def _linked(u: Integers, v: Integers) -> tuple[Integers, Integers, Integers]:
    """Nodes that have edges, and the edges between them as numbered from 0."""
    there = np.zeros(int(max(u.max(initial=-1), v.max(initial=-1))) + 1, bool)
    there[u] = there[v] = True
    number = np.cumsum(there) - 1
    return np.flatnonzero(there), number[u], number[v]


def _null(draw: Callable[[int], _Graph], gamma: float, quality: Quality, seed: int) -> tuple[float, pl.DataFrame]:
    """One search on a null graph: its quality, and what it found."""
    mixed = draw(seed)
    reached, labels = mixed.cut(gamma, seed, quality)
    return reached, _described(mixed, labels)


def _family_p(table: pl.DataFrame, null: list[pl.DataFrame]) -> pl.Series:
    """Share of null graphs in which some community stands out as much; null for fewer than three nodes.

    Standing out is the signed root √(2 llr) beyond the greatest that null communities of no more mass reach: great
    communities have great ratios by themselves, and small ones must not be measured by them; on the scale of roots chance
    moves all sizes about as far. A null graph is measured by the others.
    """
    if not null:
        return pl.Series([None] * table.height, dtype=pl.Float64)
    fit = (pl.col("nodes") >= LEAST_MEMBERS) & (pl.col("llr") > 0)
    chance = pl.concat([of.filter(fit).with_columns(draw=pl.lit(k)) for k, of in enumerate(null)]).sort("mass")
    mass, llr, draw = (chance[name].to_numpy() for name in ("mass", "llr", "draw"))
    most = np.full(len(null), -np.inf)
    for k in range(len(null)):
        own, others = draw == k, draw != k
        stands = _beyond(mass[own], llr[own], mass[others], llr[others])
        most[k] = stands.max(initial=-np.inf)
    stands = _beyond(table["mass"].to_numpy(), table["llr"].to_numpy(), mass, llr)
    p = (1 + (most[None, :] >= stands[:, None] - 1e-12).sum(1)) / (len(null) + 1)
    wanted = table["nodes"].to_numpy() >= LEAST_MEMBERS
    return pl.Series(np.where(wanted, p, np.nan), nan_to_null=True)


def _inherited(graph: _Graph, labels: Integers, count: int, once: Integers, p: pl.Series) -> pl.Series:
    """Of each community of the consensus, the p of that community of one search with which it shares most mass.

    Null graphs are searched once, and so one search on the graph is what can be compared with them. Where the two do not
    share half of the mass of either, the community is not one that was tested: its p is 1.
    """
    ends, other = np.r_[graph.u, graph.v], np.tile(graph.ranks, 2)
    strength = np.bincount(ends, other, graph.n)
    rows = pl.DataFrame({"own": labels, "once": once, "strength": strength, "node": 1})
    shared = rows.group_by("own", "once").agg(pl.col("strength", "node").sum())
    shared = shared.with_columns(
        whole=pl.col("strength").sum().over("own"),
        of=pl.col("strength").sum().over("once"),
        nodes=pl.col("node").sum().over("own"),
    ).filter(pl.col("nodes") >= LEAST_MEMBERS)
    best = shared.sort("strength", "once", descending=[True, False]).unique("own", keep="first", maintain_order=True)
    tested = pl.DataFrame({"once": np.arange(p.len()), "p": p})
    half = pl.col("strength") >= 0.5 * pl.max_horizontal("whole", "of")
    told = best.join(tested, on="once").select("own", p=pl.when(half).then("p").otherwise(1.0))
    if p.null_count() == p.len():  # nothing was tested
        told = told.with_columns(p=pl.lit(None, pl.Float64))
    every = pl.DataFrame({"own": np.arange(count)})
    return every.join(told, on="own", how="left", maintain_order="left")["p"]


def _beyond(mass: Floats, llr: Floats, by: Floats, reached: Floats) -> Floats:
    """Each root beyond the greatest that others of no more mass (`by`, rising) reach; the first where none is less."""
    root: Floats = np.sqrt(2 * llr)
    if not by.size:
        return root
    frontier = np.sqrt(2 * np.maximum.accumulate(reached))
    at = np.maximum(np.searchsorted(by, mass * (1 + 1e-12), side="right") - 1, 0)
    root -= frontier[at]
    return root
