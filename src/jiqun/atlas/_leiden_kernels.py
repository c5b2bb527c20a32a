"""Loops of the Leiden search: moving nodes, refining what was found, and drawing communities together.

Both qualities are one:  H = Σ_c [ W_c − ½ γ (S_c² − Σ_i s_i²) ],  i the nodes of c, with s the strength of a node and
γ / 2W for modularity, and s = 1 with γ for CPM. W_c is the weight of the edges inside c.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

Ints = npt.NDArray[np.int32]
Starts = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Number = Any

_WINDOW = 256
"""Nodes are taken in an order that is random, but for windows of so many that stand side by side, and so are near in memory."""
_EASE = 1e-9
"""A gain must exceed this part of a node's strength, so that rounding moves nothing to and fro."""


@njit(cache=True, nogil=True)
def _next(state: npt.NDArray[np.uint64]) -> Number:
    """The next 64 random bits (splitmix64)."""
    state[0] += np.uint64(0x9E3779B97F4A7C15)
    z = state[0]
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


@njit(cache=True, nogil=True)
def _below(state: npt.NDArray[np.uint64], n: Number) -> Number:
    """A random number from 0 to below n."""
    return np.int64((_next(state) >> np.uint64(33)) % np.uint64(n))


@njit(cache=True, nogil=True)
def _shuffle(order: Ints, first: Number, last: Number, state: npt.NDArray[np.uint64]) -> None:
    """Shuffle what stands from the first place to before the last."""
    for k in range(last - 1, first, -1):
        j = first + _below(state, k - first + 1)
        order[k], order[j] = order[j], order[k]


@njit(cache=True, nogil=True)
def _random_order(n: Number, state: npt.NDArray[np.uint64]) -> Ints:
    """All nodes: windows of neighbouring numbers one after the other at random, and at random within each."""
    windows = np.arange((n + _WINDOW - 1) // _WINDOW).astype(np.int32)
    _shuffle(windows, 0, windows.size, state)
    order = np.empty(n, dtype=np.int32)
    at = 0
    for w in windows:
        begin = at
        for i in range(w * _WINDOW, min(n, (w + 1) * _WINDOW)):
            order[at] = i
            at += 1
        _shuffle(order, begin, at, state)
    return order


@njit(cache=True, nogil=True)
def _move(
    starts: Starts, ends: Ints, weight: Floats, size: Floats, gamma: Number, label: Ints, state: npt.NDArray[np.uint64]
) -> None:
    """Move nodes to the neighbouring community of most gain until none gains. Labels are below n."""
    n = size.size
    # toward and held stand side by side, for both are asked of a community at a time
    book = np.zeros((n, 2))
    count = np.zeros(n, dtype=np.int32)
    for i in range(n):
        book[label[i], 1] += size[i]
        count[label[i]] += 1
    empty = np.empty(n, dtype=np.int32)
    empties = 0
    for c in range(n - 1, -1, -1):
        if count[c] == 0:
            empty[empties] = c
            empties += 1
    queue = _random_order(n, state)
    waits = np.ones(n, dtype=np.bool_)
    first, waiting = 0, n
    touched = np.empty(n, dtype=np.int32)
    while waiting:
        i = queue[first]
        first = first + 1 if first + 1 < n else 0
        waiting -= 1
        waits[i] = False
        own = label[i]
        begin, end = starts[i], starts[i + 1]
        number = 0
        for at in range(begin, end):
            c = label[ends[at]]
            if book[c, 0] == 0.0:
                touched[number] = c
                number += 1
            book[c, 0] += weight[at]
        book[own, 1] -= size[i]
        cost = gamma * size[i]
        best, most = own, book[own, 0] - cost * book[own, 1] + _EASE * size[i]
        for k in range(number):
            c = touched[k]
            gain = book[c, 0] - cost * book[c, 1]
            book[c, 0] = 0.0
            if gain > most:
                best, most = c, gain
        if most < 0.0 and count[own] > 1 and empties:
            best = empty[empties - 1]
        book[best, 1] += size[i]
        if best == own:
            continue
        if count[best] == 0:
            empties -= 1
        count[best] += 1
        count[own] -= 1
        if count[own] == 0:
            empty[empties] = own
            empties += 1
        label[i] = best
        for at in range(begin, end):
            j = ends[at]
            if not waits[j] and label[j] != best:
                last = first + waiting
                queue[last if last < n else last - n] = j
                waits[j] = True
                waiting += 1


@njit(cache=True, nogil=True)
def _refine(
    starts: Starts, ends: Ints, weight: Floats, size: Floats, gamma: Number, whole: Ints, randomness: Number,
    state: npt.NDArray[np.uint64],
) -> Ints:  # fmt: skip
    """Parts of each community that hang together: nodes that are alone join one that they are well connected with.

    Which one is drawn, in proportion to exp(gain / randomness); a part that is not well connected takes nobody.
    """
    n = size.size
    label = np.arange(n).astype(np.int32)
    within = np.zeros(n)
    for i in range(n):
        within[whole[i]] += size[i]
    held = size.copy()
    out = np.zeros(n)  # weight from a part to the rest of its community
    alone = np.ones(n, dtype=np.bool_)
    for i in range(n):
        for at in range(starts[i], starts[i + 1]):
            if whole[ends[at]] == whole[i]:
                out[i] += weight[at]
    toward = np.zeros(n)
    touched = np.empty(n, dtype=np.int32)
    gains = np.empty(n)
    for i in _random_order(n, state):
        total = within[whole[i]]
        if not alone[i] or out[i] < gamma * size[i] * (total - size[i]):
            continue
        number = 0
        for at in range(starts[i], starts[i + 1]):
            j = ends[at]
            if whole[j] == whole[i]:
                c = label[j]
                if toward[c] == 0.0:
                    touched[number] = c
                    number += 1
                toward[c] += weight[at]
        fit, most = 0, 0.0
        for k in range(number):
            c = touched[k]
            if c != i and out[c] >= gamma * held[c] * (total - held[c]):
                gain = toward[c] - gamma * size[i] * held[c]
                if gain >= 0.0:
                    touched[fit], gains[fit] = c, gain
                    most = max(most, gain)
                    fit += 1
                    continue
            toward[c] = 0.0
        if fit:
            odds = 0.0
            for k in range(fit):
                odds += np.exp((gains[k] - most) / randomness)
            # staying alone gains nothing and is drawn as well
            odds += np.exp(-most / randomness)
            drawn = (_next(state) >> np.uint64(11)) * (1.0 / (1 << 53)) * odds
            chosen = -1
            for k in range(fit):
                drawn -= np.exp((gains[k] - most) / randomness)
                if drawn < 0.0:
                    chosen = touched[k]
                    break
            if chosen >= 0:
                label[i] = chosen
                alone[i] = alone[chosen] = False
                held[chosen] += size[i]
                held[i] = 0.0
                out[chosen] += out[i] - 2.0 * toward[chosen]
        for k in range(fit):
            toward[touched[k]] = 0.0
    return label


@njit(cache=True, nogil=True)
def _numbered(label: Ints) -> Number:
    """Give labels the numbers 0 … in order of appearance; how many there are."""
    number = np.full(label.size, -1, dtype=np.int32)
    count = 0
    for i in range(label.size):
        if number[label[i]] < 0:
            number[label[i]] = count
            count += 1
        label[i] = number[label[i]]
    return count


@njit(cache=True, nogil=True)
def _drawn_together(
    starts: Starts, ends: Ints, weight: Floats, size: Floats, label: Ints, count: Number
) -> tuple[Starts, Ints, Floats, Floats]:
    """The graph whose nodes are the communities; edges inside one are left out."""
    n = size.size
    begin = np.zeros(count + 1, dtype=np.int64)
    for i in range(n):
        begin[label[i] + 1] += 1
    for c in range(count):
        begin[c + 1] += begin[c]
    place, members = begin[:-1].copy(), np.empty(n, dtype=np.int32)
    sizes = np.zeros(count)
    for i in range(n):
        members[place[label[i]]] = i
        place[label[i]] += 1
        sizes[label[i]] += size[i]
    new_starts = np.zeros(count + 1, dtype=np.int64)
    new_ends, new_weight = np.empty(ends.size, dtype=np.int32), np.empty(ends.size)
    toward = np.zeros(count)
    used = 0
    for c in range(count):
        for m in range(begin[c], begin[c + 1]):
            i = members[m]
            for at in range(starts[i], starts[i + 1]):
                d = label[ends[at]]
                if d != c:
                    if toward[d] == 0.0:
                        new_ends[used] = d
                        used += 1
                    toward[d] += weight[at]
        for k in range(new_starts[c], used):
            new_weight[k] = toward[new_ends[k]]
            toward[new_ends[k]] = 0.0
        new_starts[c + 1] = used
    return new_starts, new_ends[:used].copy(), new_weight[:used].copy(), sizes


@njit(cache=True, nogil=True)
def leiden(
    starts: Starts, ends: Ints, weight: Floats, size: Floats, gamma: Number, randomness: Number, rounds: Number, seed: Number
) -> Ints:  # fmt: skip
    """A community from 0 for each node. `rounds` searches follow each other, each from what the last one found."""
    n = size.size
    state = np.empty(1, dtype=np.uint64)
    state[0] = np.uint64(seed)
    found = np.arange(n).astype(np.int32)
    for _ in range(rounds):
        s, e, w, z = starts, ends, weight, size
        label = found.copy()
        of = np.arange(n).astype(np.int32)  # the node of the drawn-together graph in which each node is
        while True:
            _move(s, e, w, z, gamma, label, state)
            count = _numbered(label)
            for i in range(n):
                found[i] = label[of[i]]
            if count == z.size:
                break
            part = _refine(s, e, w, z, gamma, label, randomness, state)
            parts = _numbered(part)
            if parts == z.size:
                # nothing can be drawn together: take the communities as they are
                part, parts = label.copy(), count
            above = np.empty(parts, dtype=np.int32)
            for i in range(z.size):
                above[part[i]] = label[i]
            for i in range(n):
                of[i] = part[of[i]]
            s, e, w, z = _drawn_together(s, e, w, z, part, parts)
            label = above
    return found
