"""The Leiden search against all partitions of small graphs, against another implementation, and against its guarantees."""

from __future__ import annotations

from collections.abc import Iterator

import graspologic_native
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from jiqun.atlas._graph_kernels import matched, swapped
from jiqun.atlas.partition import MENDED, _Graph, _mixed, communities
from jiqun.core.errors import MeasureInputError


def random_graph(n: int, m: int, seed: int, *, groups: int = 1, inside: float = 0.0) -> _Graph:
    """At most m edges with exponential weights; a part of them within groups of equal size."""
    rng = np.random.default_rng(seed)
    u = rng.integers(0, n, m)
    v = (
        np.where(
            rng.random(m) < inside, u % groups + groups * rng.integers(0, max(n // groups, 1), m), rng.integers(0, n, m)
        )
        % n
    )
    codes = np.unique((np.minimum(u, v) * n + np.maximum(u, v))[u != v])
    return _Graph.of(n, codes // n, codes % n, rng.exponential(1.0, codes.size), 5)


def partitions(n: int) -> Iterator[list[int]]:
    """All partitions of n things, as labels that grow by one."""
    if n == 0:
        yield []
        return
    for rest in partitions(n - 1):
        for label in range(max(rest, default=-1) + 2):
            yield [*rest, label]


def quality(graph: _Graph, labels: np.ndarray, gamma: float, kind: str) -> float:
    """Modularity or CPM from its definition, pair by pair."""
    weights = np.zeros((graph.n, graph.n))
    weights[graph.u, graph.v] = weights[graph.v, graph.u] = graph.weight
    strength, total = weights.sum(1), graph.weight.sum()
    expected = np.outer(strength, strength) / (2 * total) if kind == "modularity" else np.ones((graph.n, graph.n))
    same = labels[:, None] == labels[None, :]
    if kind == "modularity":
        return float(((weights - gamma * expected) * same).sum() / (2 * total))
    return float(np.triu((weights - gamma) * same, 1).sum())


@pytest.mark.parametrize("kind", ["modularity", "cpm"])
@pytest.mark.parametrize("gamma", [0.5, 1.0, 1.5])
@given(n=st.integers(3, 7), m=st.integers(2, 14), seed=st.integers(0, 10**6))
@settings(max_examples=15, deadline=None)
def test_the_best_of_twenty_seeds_is_the_best_of_all_partitions(kind, gamma, n, m, seed):
    graph = random_graph(n, m, seed)
    if not graph.u.size:
        return
    found = [graph.cut(gamma, k, kind) for k in range(20)]
    best = max(quality(graph, np.array(labels), gamma, kind) for labels in partitions(graph.n))
    assert max(value for value, _ in found) == pytest.approx(best, abs=1e-9)
    for value, labels in found:
        assert value == pytest.approx(quality(graph, labels, gamma, kind), abs=1e-9)


@pytest.mark.parametrize("gamma", [1.0, 8.0])
@pytest.mark.parametrize("inside", [0.0, 0.5, 0.8])
def test_it_reaches_what_another_implementation_reaches(gamma, inside):
    graph = random_graph(3_000, 15_000, 7, groups=60, inside=inside)
    mine = [graph.cut(gamma, seed, "modularity")[0] for seed in range(4)]
    other = [
        graspologic_native.leiden_csr(
            *graph.rows, graph.n, resolution=gamma, iterations=graph.iterations, use_modularity=True, seed=seed
        )[0]
        for seed in range(4)
    ]
    assert max(mine) >= max(other) - 0.002
    assert np.mean(mine) >= np.mean(other) - 0.002


@given(n=st.integers(2, 200), m=st.integers(1, 900), seed=st.integers(0, 10**6), gamma=st.floats(0.1, 8))
@settings(max_examples=40, deadline=None)
def test_communities_hang_together_and_no_two_gain_by_merging(n, m, seed, gamma):
    graph = random_graph(n, m, seed)
    if not graph.u.size:
        return
    _, labels = graph.cut(gamma, seed, "modularity")
    assert sorted(set(labels)) == list(range(labels.max() + 1))
    same = labels[graph.u] == labels[graph.v]
    inner = coo_matrix((np.ones(same.sum()), (graph.u[same], graph.v[same])), shape=(n, n))
    assert connected_components(inner, directed=False)[0] == labels.max() + 1
    between = np.zeros((labels.max() + 1, labels.max() + 1))
    np.add.at(between, (labels[graph.u], labels[graph.v]), graph.weight)
    held = np.bincount(labels, graph.strength)
    merging = (between + between.T) / graph.mean - gamma * np.outer(held, held) / (2 * graph.u.size)
    np.fill_diagonal(merging, 0.0)
    assert merging.max(initial=0.0) <= 1e-6 * held.max()


def test_a_seed_gives_the_same_cut_again():
    graph = random_graph(400, 2_000, 3)
    first, again, other = (graph.cut(1.0, seed, "modularity")[1] for seed in (5, 5, 6))
    assert first.tolist() == again.tolist()
    assert first.tolist() != other.tolist()


@given(n=st.integers(4, 120), m=st.integers(1, 500), seed=st.integers(0, 10**6))
@settings(max_examples=60, deadline=None)
def test_ends_joined_anew_keep_every_degree_and_make_no_loop_or_double_edge(n, m, seed):
    graph = random_graph(n, m, seed)
    u, v, mended = matched(graph.u, graph.v, n, graph.u.size, seed)
    if mended < 0:
        return
    assert (u < v).all()
    assert np.unique(u * n + v).size == u.size == graph.u.size
    degrees = (np.bincount(np.r_[ends], minlength=n) for ends in (np.r_[u, v], np.r_[graph.u, graph.v]))
    assert next(degrees).tolist() == next(degrees).tolist()


def test_what_cannot_be_joined_anew_is_told():
    u, v = np.triu_indices(6, 1)
    assert matched(u.astype(np.int64), v.astype(np.int64), 6, 15, 1)[2] == -1


def test_both_ways_of_drawing_a_null_graph_agree_on_average():
    graph = random_graph(300, 3_000, 11, groups=10, inside=0.9)
    group = np.arange(300) % 10

    def within(draw) -> np.ndarray:
        return np.array([np.mean(group[u] == group[v]) for u, v, _ in map(draw, range(60))])

    joined = within(lambda seed: matched(graph.u, graph.v, 300, graph.u.size, seed))
    chained = within(lambda seed: swapped(graph.u, graph.v, 300, 20 * graph.u.size, seed))
    error = np.sqrt(joined.var(ddof=1) / joined.size + chained.var(ddof=1) / chained.size)
    assert abs(joined.mean() - chained.mean()) < 4 * error
    assert joined.max() < 0.3
    assert np.mean(group[graph.u] == group[graph.v]) > 0.7


def test_hubs_are_no_more_linked_in_a_null_graph_than_swapping_leaves_them():
    rng = np.random.default_rng(5)
    odds = np.arange(1, 2_001) ** -0.9
    u, v = rng.choice(2_000, (2, 12_000), p=odds / odds.sum())
    codes = np.unique((np.minimum(u, v) * 2_000 + np.maximum(u, v))[u != v])
    graph = _Graph.of(2_000, codes // 2_000, codes % 2_000, np.ones(codes.size), 1)
    hubs = np.argsort(-graph.strength)[:30]

    def among(u: np.ndarray, v: np.ndarray) -> int:
        return int((np.isin(u, hubs) & np.isin(v, hubs)).sum())

    assert matched(graph.u, graph.v, 2_000, int(MENDED * graph.u.size), 1)[2] == -1
    drawn = np.array([among(one.u, one.v) for one in (_mixed(graph, seed) for seed in range(30))])
    chained = np.array([among(*swapped(graph.u, graph.v, 2_000, 20 * graph.u.size, seed)[:2]) for seed in range(30)])
    assert abs(drawn.mean() - chained.mean()) < 4 * np.sqrt(drawn.var() / 30 + chained.var() / 30)


@pytest.mark.parametrize("kind", ["modularity", "cpm"])
@pytest.mark.parametrize("unit", [1e-300, 1e-10, 1e12, 1e300])
def test_the_unit_of_weights_does_not_matter(kind, unit):
    graph = random_graph(200, 800, 9, groups=5, inside=0.8)
    other = _Graph.of(graph.n, graph.u, graph.v, graph.weight * unit, graph.iterations)
    gamma = 1.0 if kind == "modularity" else 0.05
    first = graph.cut(gamma, 4, kind)[1]
    again = other.cut(gamma if kind == "modularity" else gamma * unit, 4, kind)[1]
    assert first.tolist() == again.tolist()
    assert 1 < first.max() < 199


@pytest.mark.parametrize(("weight", "seed", "what"), [(1e308, 1, "weight"), (1.0, -1, "seed"), (1.0, 1 << 63, "seed")])
def test_what_cannot_be_counted_is_refused(weight, seed, what):
    u, v = np.triu_indices(8, 1)
    with pytest.raises(MeasureInputError) as refused:
        communities(8, u, v, np.full(28, weight), seed=seed)
    assert (refused.value.code, refused.value.fields["what"]) == ("JQ-NETWORK-002", what)


def test_nothing_is_found_in_a_graph_of_one_edge():
    found = communities(3, np.array([0]), np.array([1]), np.ones(1), nulls=0)
    assert found.labels.tolist() in ([0, 0, 1], [0, 0, 2])
