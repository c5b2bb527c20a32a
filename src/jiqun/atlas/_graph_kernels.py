"""Compiled loops over graphs 图上循环: shortest paths, shared neighbours, edge swaps.

A graph is its rows in compressed form: the neighbours of node i are `indices[indptr[i]:indptr[i + 1]]`, sorted. All loops
run without Python's lock. Random numbers come from a state that the caller seeds (SplitMix64), never from a global one.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from jiqun.core.arrays import Floats, Integers

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX2 = np.uint64(0x94D049BB133111EB)
_EMPTY = np.int64(-1)
_MENDING_TRIES = 10_000


@njit(cache=True, nogil=True)
def _mixed(state: np.uint64) -> np.uint64:
    z = (state ^ (state >> np.uint64(30))) * _MIX1
    z = (z ^ (z >> np.uint64(27))) * _MIX2
    return z ^ (z >> np.uint64(31))


@njit(cache=True, nogil=True)
def betweenness(indptr: Integers, indices: Integers, sources: Integers) -> tuple[Floats, Floats]:
    """Sums over sources, and sums of squares, of the dependency of each source on each node (Brandes 2001, hops)."""
    n = indptr.size - 1
    total, squares = np.zeros(n), np.zeros(n)
    paths = np.zeros(n)
    depth = np.full(n, -1, np.int32)
    order = np.empty(n, np.int32)
    for s in sources:
        head, tail = 0, 1
        order[0], depth[s], paths[s] = s, 0, 1.0
        while head < tail:
            v = order[head]
            head += 1
            below, many = depth[v] + 1, paths[v]
            for e in range(indptr[v], indptr[v + 1]):
                w = indices[e]
                if depth[w] < 0:
                    depth[w] = below
                    order[tail] = w
                    tail += 1
                    paths[w] = many
                elif depth[w] == below:
                    paths[w] += many
        for at in range(tail - 1, -1, -1):
            v = order[at]
            below, held = depth[v] + 1, 0.0
            for e in range(indptr[v], indptr[v + 1]):
                w = indices[e]
                if depth[w] == below:
                    held += paths[w]
            held *= paths[v]
            paths[v] = (1.0 + held) / paths[v]  # each path to v carries this much: all that those above it ask
            if v != s:
                total[v] += held
                squares[v] += held * held
        for at in range(tail):
            v = order[at]
            depth[v], paths[v] = -1, 0.0
    return total, squares


@njit(cache=True, nogil=True)
def _find(indices: Integers, low: int, high: int, wanted: int) -> int:
    """First position in a sorted run whose value is not below the wanted one."""
    while low < high:
        middle = (low + high) // 2
        if indices[middle] < wanted:
            low = middle + 1
        else:
            high = middle
    return low


@njit(cache=True, nogil=True)
def constraint(indptr: Integers, indices: Integers, share: Floats) -> Floats:
    """Burt's constraint of each node; `share` is the part of its strength that a node has in each neighbour.

    Of a node and its neighbour, the one with fewer neighbours is gone through, so that hubs cost little.
    """
    n = indptr.size - 1
    out = np.full(n, np.nan)
    through = np.zeros(n)  # Σ_q p_iq p_qj by j, for the neighbours j of one node i
    mine = np.full(n, -1, np.int64)  # the node that has j for a neighbour
    for i in range(n):
        begin, end = indptr[i], indptr[i + 1]
        if begin == end:
            continue
        for e in range(begin, end):
            through[indices[e]] = 0.0
            mine[indices[e]] = i
        for e in range(begin, end):
            q = indices[e]
            first, last = indptr[q], indptr[q + 1]
            if last - first <= 4 * (end - begin):
                for f in range(first, last):
                    j = indices[f]
                    if mine[j] == i:
                        through[j] += share[e] * share[f]
            else:
                for f in range(begin, end):
                    j = indices[f]
                    at = _find(indices, first, last, j)
                    if at < last and indices[at] == j:
                        through[j] += share[e] * share[at]
        held = 0.0
        for e in range(begin, end):
            held += (share[e] + through[indices[e]]) ** 2
        out[i] = held
    return out


@njit(cache=True, nogil=True)
def brokerage(
    out_ptr: Integers, out_to: Integers, in_ptr: Integers, in_from: Integers, group: Integers, groups: int
) -> Integers:
    """Open two-step paths i → j → k through each node j by Gould and Fernandez's five roles, n × 5.

    All pairs of a predecessor and a successor are counted by their groups; those that are one node, and those with a link
    of their own i → k, are taken out again.
    """
    n = out_ptr.size - 1
    roles = np.zeros((n, 5), np.int64)
    came, went = np.zeros(groups, np.int64), np.zeros(groups, np.int64)
    for j in range(n):
        g = group[j]
        for e in range(in_ptr[j], in_ptr[j + 1]):
            came[group[in_from[e]]] += 1
        for e in range(out_ptr[j], out_ptr[j + 1]):
            went[group[out_to[e]]] += 1
        many_in, many_out = in_ptr[j + 1] - in_ptr[j], out_ptr[j + 1] - out_ptr[j]
        same = np.int64(0)  # i and k in one group that is not j's
        for e in range(in_ptr[j], in_ptr[j + 1]):
            other = group[in_from[e]]
            if other != g:
                same += went[other]
        roles[j, 0] += came[g] * went[g]
        roles[j, 1] += same
        roles[j, 2] += (many_in - came[g]) * went[g]
        roles[j, 3] += came[g] * (many_out - went[g])
        roles[j, 4] += (many_in - came[g]) * (many_out - went[g]) - same
        a, b = in_ptr[j], out_ptr[j]  # i = k: a link there and back
        while a < in_ptr[j + 1] and b < out_ptr[j + 1]:
            if in_from[a] == out_to[b]:
                roles[j, 0 if group[in_from[a]] == g else 1] -= 1
                a += 1
                b += 1
            elif in_from[a] < out_to[b]:
                a += 1
            else:
                b += 1
        for e in range(in_ptr[j], in_ptr[j + 1]):
            came[group[in_from[e]]] = 0
        for e in range(out_ptr[j], out_ptr[j + 1]):
            went[group[out_to[e]]] = 0
    for i in range(n):  # closed ones: i → k, and j on a path between
        for e in range(out_ptr[i], out_ptr[i + 1]):
            k = out_to[e]
            low, high = out_ptr[i], out_ptr[i + 1]
            first, last = in_ptr[k], in_ptr[k + 1]
            if last - first > high - low:
                for f in range(low, high):
                    j = out_to[f]
                    at = _find(in_from, first, last, j)
                    if at < last and in_from[at] == j:
                        roles[j, _role(group[i], group[j], group[k])] -= 1
            else:
                for f in range(first, last):
                    j = in_from[f]
                    at = _find(out_to, low, high, j)
                    if at < high and out_to[at] == j:
                        roles[j, _role(group[i], group[j], group[k])] -= 1
    return roles


@njit(cache=True, nogil=True)
def _role(i: int, j: int, k: int) -> int:
    if i == j:
        return 0 if j == k else 3
    if i == k:
        return 1
    return 2 if j == k else 4


@njit(cache=True, nogil=True)
def _place(table: Integers, key: np.int64) -> np.int64:
    """Where a key is in a table of open addresses, or the empty place where it would go."""
    mask = np.uint64(table.size - 1)
    at = _mixed(np.uint64(key)) & mask
    while table[at] != _EMPTY and table[at] != key:
        at = (at + np.uint64(1)) & mask
    return np.int64(at)


@njit(cache=True, nogil=True)
def _remove(table: Integers, key: np.int64) -> None:
    """Take a key out; those that stood behind it move up, so that searches never meet a hole."""
    mask = table.size - 1
    hole = _place(table, key)
    at = hole
    while True:
        at = (at + 1) & mask
        if table[at] == _EMPTY:
            break
        home = np.int64(_mixed(np.uint64(table[at])) & np.uint64(mask))
        if (at - home) & mask >= (at - hole) & mask:
            table[hole] = table[at]
            hole = at
    table[hole] = _EMPTY


@njit(cache=True, nogil=True)
def swapped(u: Integers, v: Integers, n: int, tries: int, seed: int) -> tuple[Integers, Integers, int]:
    """A simple undirected graph with the same degrees: pairs of edges change partners again and again.

    (a, b), (c, d) → (a, d), (c, b) unless that makes a loop or an edge that is there. Returns the ends, u < v, and how many
    of the tries changed the graph.
    """
    m = u.size
    a_end, b_end = u.copy(), v.copy()
    size = 16
    while size < 3 * m:
        size *= 2
    table = np.full(size, _EMPTY, np.int64)
    for e in range(m):
        key = np.int64(a_end[e]) * n + b_end[e]
        table[_place(table, key)] = key
    state = _mixed(np.uint64(seed) + _GOLDEN)
    done = 0
    for _ in range(tries if m > 1 else 0):
        state += _GOLDEN
        drawn = _mixed(state)
        first = np.int64((drawn >> np.uint64(33)) % np.uint64(m))
        state += _GOLDEN
        drawn = _mixed(state)
        second = np.int64((drawn >> np.uint64(33)) % np.uint64(m))
        a, b, c, d = a_end[first], b_end[first], a_end[second], b_end[second]
        if drawn & np.uint64(1):
            c, d = d, c
        if a in (c, d) or b in (c, d):
            continue
        one = np.int64(min(a, d)) * n + max(a, d)
        two = np.int64(min(c, b)) * n + max(c, b)
        if table[_place(table, one)] == one or table[_place(table, two)] == two:
            continue
        _remove(table, np.int64(min(a, b)) * n + max(a, b))
        _remove(table, np.int64(min(c, d)) * n + max(c, d))
        table[_place(table, one)] = one
        table[_place(table, two)] = two
        a_end[first], b_end[first] = min(a, d), max(a, d)
        a_end[second], b_end[second] = min(c, b), max(c, b)
        done += 1
    return a_end, b_end, done


@njit(cache=True, nogil=True)
def matched(u: Integers, v: Integers, n: int, most: int, seed: int) -> tuple[Integers, Integers, int]:
    """A simple undirected graph with the same degrees: all ends of edges are shuffled and joined two by two.

    A pair that is a loop, or there already, changes partners with edges drawn at random until it is neither. Such pairs
    are of nodes with many edges, and mending leaves more edges among those than chance would. Returns the ends, u < v,
    and how many such pairs there were; −1 where there were more than `most`, or one could not be mended.
    """
    m = u.size
    ends = np.empty(2 * m, np.int64)
    ends[:m], ends[m:] = u, v
    state = _mixed(np.uint64(seed) + _GOLDEN)
    for k in range(2 * m - 1, 0, -1):
        state += _GOLDEN
        other = np.int64((_mixed(state) >> np.uint64(33)) % np.uint64(k + 1))
        ends[k], ends[other] = ends[other], ends[k]
    size = 16
    while size < 3 * m:
        size *= 2
    table = np.full(size, _EMPTY, np.int64)
    a_end, b_end = np.empty(m, np.int64), np.empty(m, np.int64)
    wrong = np.zeros(m, np.bool_)
    count = 0
    for e in range(m):
        a, b = min(ends[2 * e], ends[2 * e + 1]), max(ends[2 * e], ends[2 * e + 1])
        a_end[e], b_end[e] = a, b
        key = a * n + b
        at = _place(table, key)
        if a == b or table[at] == key:
            wrong[e] = True
            count += 1
        else:
            table[at] = key
    if count > most:
        return a_end, b_end, -1
    for e in range(m):
        tries = 0
        while wrong[e]:
            tries += 1
            if tries > _MENDING_TRIES:
                return a_end, b_end, -1
            state += _GOLDEN
            drawn = _mixed(state)
            other = np.int64((drawn >> np.uint64(33)) % np.uint64(m))
            if wrong[other]:
                continue
            a, b, c, d = a_end[e], b_end[e], a_end[other], b_end[other]
            if drawn & np.uint64(1):
                c, d = d, c
            one = min(a, d) * n + max(a, d)
            two = min(c, b) * n + max(c, b)
            if a == d or c == b or one == two or table[_place(table, one)] == one or table[_place(table, two)] == two:
                continue
            _remove(table, min(c, d) * n + max(c, d))
            table[_place(table, one)] = one
            table[_place(table, two)] = two
            a_end[e], b_end[e] = min(a, d), max(a, d)
            a_end[other], b_end[other] = min(c, b), max(c, b)
            wrong[e] = False
    return a_end, b_end, count


@njit(cache=True, nogil=True)
def poisson_sums(
    row: Integers, column: Integers, weight: Floats, features: Floats, log_km: Floats, beta: Floats
) -> tuple[Floats, Floats, float]:
    """Over pairs, the sum of w μ, of w μ x and of w μ x xᵀ, where μ = exp(β₀ + β·x).

    x of a pair: the features of its first node, those of its second, then the logarithm of their distance if there is one.
    """
    own = features.shape[1]
    km = 1 if log_km.size else 0
    size = 1 + 2 * own + km
    x = np.ones(size)
    gradient, hessian = np.zeros(size), np.zeros((size, size))
    for p in range(row.size):
        if weight[p] == 0.0:
            continue
        for f in range(own):
            x[1 + f] = features[row[p], f]
            x[1 + own + f] = features[column[p], f]
        if km:
            x[size - 1] = log_km[p]
        eta = 0.0
        for a in range(size):
            eta += beta[a] * x[a]
        mu = weight[p] * np.exp(min(eta, 700.0))
        for a in range(size):
            gradient[a] += mu * x[a]
            for b in range(a + 1):
                hessian[a, b] += mu * x[a] * x[b]
    for a in range(size):
        for b in range(a):
            hessian[b, a] = hessian[a, b]
    return gradient, hessian, gradient[0]


@njit(cache=True, nogil=True)
def held_sums(
    row: Integers,
    column: Integers,
    value: Floats,
    group: Integers,
    times: Floats,
    features: Floats,
    log_km: Floats,
    groups: int,
) -> tuple[Floats, Floats]:
    """Over links, the sum of t_i t_j y x, and that of t_i t_j y by group (−1: none); x as in `poisson_sums`."""
    own = features.shape[1]
    km = 1 if log_km.size else 0
    held, inside = np.zeros(1 + 2 * own + km), np.zeros(groups)
    for p in range(row.size):
        i, j = row[p], column[p]
        y = value[p] * times[i] * times[j]
        if y == 0.0:
            continue
        held[0] += y
        for f in range(own):
            held[1 + f] += y * features[i, f]
            held[1 + own + f] += y * features[j, f]
        if km:
            held[1 + 2 * own] += y * log_km[p]
        if group[p] >= 0:
            inside[group[p]] += y
    return held, inside


@njit(cache=True, nogil=True)
def moved_sums(
    row: Integers,
    column: Integers,
    group: Integers,
    mean: Floats,
    times: Floats,
    features: Floats,
    log_km: Floats,
    move: Floats,
    groups: int,
) -> Floats:
    """Over pairs, the sum by group of t_i t_j μ exp(move · x); x as in `poisson_sums`."""
    own = features.shape[1]
    inside = np.zeros(groups)
    for p in range(row.size):
        i, j = row[p], column[p]
        many = times[i] * times[j]
        if many == 0.0:
            continue
        eta = move[0]
        for f in range(own):
            eta += move[1 + f] * features[i, f] + move[1 + own + f] * features[j, f]
        if log_km.size:
            eta += move[1 + 2 * own] * log_km[p]
        inside[group[p]] += many * mean[p] * np.exp(min(eta, 700.0))
    return inside
