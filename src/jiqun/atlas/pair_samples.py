"""Samples of ordered pairs that stand for all of them 企业对抽样: near ones, which are few, no less than far ones."""

from __future__ import annotations

import numpy as np

from jiqun.atlas.sphere import EARTH_RADIUS_KM
from jiqun.core.arrays import Floats, Integers

CELLS_KM = (5.0, 20.0, 80.0, 320.0)
"""Cells within which two thirds of the pairs are drawn: near pairs are few among all, and much is expected of them."""
LEAST_STEPS = 20
"""Partners of each firm within its group at least, or all."""


def drawn_pairs(n: int, xyz: Floats | None, most: int, seed: int) -> tuple[Integers, Integers, Floats]:
    """Ends of about `most` ordered pairs of n firms, and what each weighs: the inverse of how often it is drawn on average.

        w_ij = 1 / Σ_k c_k · [i and j in one cell of division k],   c_k = pairs drawn / pairs there are

    A third is drawn from all pairs, the others within cells of `CELLS_KM`, each laid twice, so that near pairs are seldom
    parted by all. Whichever division a pair was drawn by, all that could have drawn it count (Veach & Guibas 1995): Σ w f is
    unbiased for the sum of f over all pairs. `xyz`: unit vectors, a row each; None: all pairs alike.

    Source: Horvitz & Thompson (1952), JASA 47, 663–685; Veach & Guibas (1995), Proceedings of SIGGRAPH, 419–428.

    Examples
    --------
    >>> row, column, weight = drawn_pairs(50, None, 1000, seed=1)
    >>> round(float(weight.sum())), bool((row != column).all())
    (2450, True)
    """
    rng = np.random.default_rng([seed, 3])
    divisions = [np.zeros(n, np.int64), *(_cells(xyz, rng) if xyz is not None else ())]
    shares = (
        [most] if len(divisions) == 1 else [most // 3] + [2 * most // 3 // (len(divisions) - 1)] * (len(divisions) - 1)
    )
    drawn = [_pairs_alike(label, share, rng) for label, share in zip(divisions, shares, strict=True)]
    row, column = np.concatenate([ends for ends, _ in drawn], axis=1)
    often = np.zeros(row.size)
    for label, (_, chance) in zip(divisions, drawn, strict=True):
        often += chance * (label[row] == label[column])
    return row, column, 1.0 / often


def _cells(xyz: Floats, rng: np.random.Generator) -> list[Integers]:
    """The cell of each firm, in divisions of space of several sizes, each laid twice."""
    out = []
    for km in CELLS_KM:
        side = km / EARTH_RADIUS_KM
        across = int(2 / side) + 3
        shift = rng.random(3) * side
        for more in (0.0, side / 2):
            x, y, z = np.floor((xyz + 1.0 + (shift + more) % side) / side).astype(np.int64).T
            out.append(np.unique((x * across + y) * across + z, return_inverse=True)[1].astype(np.int64))
    return out


def _pairs_alike(label: Integers, most: int, rng: np.random.Generator) -> tuple[Integers, float]:
    """Ordered pairs of one label, all or so many drawn evenly; and how often each is drawn on average."""
    order = np.argsort(label, kind="stable")
    sizes = np.bincount(label)
    size, first = np.repeat(sizes, sizes), np.repeat(np.cumsum(sizes) - sizes, sizes)
    ends = np.cumsum(size - 1)  # pairs are numbered by their first firm, then by how far the second is behind it
    pairs = int(ends[-1])
    taken = min(most, pairs)
    if not taken:
        return np.zeros((2, 0), np.int64), 0.0
    number = ((np.arange(taken) + (rng.random(taken) if taken < pairs else 0.5)) * (pairs / taken)).astype(np.int64)
    number = np.minimum(number, pairs - 1)
    at = np.searchsorted(ends, number, side="right")
    behind = size[at] - (ends[at] - number)
    other = first[at] + (at - first[at] + behind) % size[at]
    return np.stack([order[at], order[other]]), taken / pairs


def pairs_within(group: Integers, most: int, seed: int) -> tuple[Integers, Integers, Floats, Integers]:
    """Ordered pairs within groups (−1: none), how many each stands for, and their group: all, or about so many.

    Each member is paired with those some steps further in a circle of random order, the same steps for all, so that a
    sample holds every member as often as any other.

    Examples
    --------
    >>> row, column, each, group = pairs_within(np.array([0, 0, 0, -1, 1, 1]), 100, seed=1)
    >>> sorted(zip(row.tolist(), column.tolist()))[:3], each.tolist()[:2], group.tolist()
    ([(0, 1), (0, 2), (1, 0)], [1.0, 1.0], [0, 0, 0, 0, 0, 0, 1, 1])
    """
    rng = np.random.default_rng([seed, 7])
    order = rng.permutation(group.size)
    order = order[np.argsort(group[order], kind="stable")]
    sizes = np.bincount(group + 1, minlength=1)
    starts = (np.cumsum(sizes) - sizes)[1:].tolist()
    pairs = float((sizes[1:] * (sizes[1:] - 1.0)).sum())
    parts = [(*np.zeros((2, 0), np.int64), np.zeros(0), np.zeros(0, np.int64))]
    for g, (n, start) in enumerate(zip(sizes[1:].tolist(), starts, strict=True)):
        if n < 2:
            continue
        members = order[start : start + n]
        steps = min(max(round((n - 1) * most / pairs), LEAST_STEPS), n - 1)
        taken = 1 + rng.choice(n - 1, steps, replace=False)
        column = members[(np.arange(n)[:, None] + taken) % n].ravel()
        each = np.full(column.size, (n - 1) / steps)
        parts.append((np.repeat(members, steps), column, each, np.full(column.size, g)))
    row, column, each, number = (np.concatenate(part) for part in zip(*parts, strict=True))
    return row, column, each, number
