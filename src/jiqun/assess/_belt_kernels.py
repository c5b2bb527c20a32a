"""Compiled random tables of clusters × what they have 随机矩阵: both margins stay, row by row and column by column.

Curveball trades: two clusters pool what only one of them has and deal it again at random, each as much as before. Trades
stay within a block of columns (one chain), so that who takes part in a chain stays too.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from jiqun.core.arrays import Floats, Integers

States = np.ndarray[tuple[int, ...], np.dtype[np.uint64]]

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_UNIT = 2.0**-53


@njit(cache=True, nogil=True)
def _next(state: States) -> float:
    """SplitMix64 as a number in [0, 1)."""
    state[0] += _GOLDEN
    z = state[0]
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    z = z ^ (z >> np.uint64(31))
    drawn: float = (z >> np.uint64(11)) * _UNIT
    return drawn


@njit(cache=True, nogil=True)
def _trade(has: Integers, one: int, other: int, start: int, end: int, open_: Integers, state: States) -> None:
    count = mine = 0
    for column in range(start, end):
        if has[one, column] != has[other, column]:
            open_[count] = column
            count += 1
            mine += has[one, column]
    if mine in (0, count):
        return
    for at in range(mine):
        pick = at + int(_next(state) * (count - at))
        open_[at], open_[pick] = open_[pick], open_[at]
    for at in range(count):
        has[one, open_[at]] = 1 if at < mine else 0
        has[other, open_[at]] = 0 if at < mine else 1


@njit(cache=True, nogil=True)
def differences(has: Integers, takes: Integers, blocks: Integers, a: Integers, b: Integers) -> Integers:
    """What only one of two clusters has, over the blocks that both take part in, pair by pair."""
    found = np.zeros(a.size, np.int64)
    for pair in range(a.size):
        i, j = a[pair], b[pair]
        for block in range(blocks.size - 1):
            if takes[i, block] and takes[j, block]:
                for column in range(blocks[block], blocks[block + 1]):
                    found[pair] += has[i, column] != has[j, column]
    return found


@njit(cache=True, nogil=True)
def against_chance(
    given: Integers, takes: Integers, blocks: Integers, a: Integers, b: Integers, draws: int, mixes: int, seed: int
) -> tuple[Integers, Floats, Floats]:
    """How often a random table gives a pair as much or more, the mean and the standard deviation of what it gives.

    Before the first draw each cluster trades `mixes` times in each block, then once a draw on average.
    """
    has = given.copy()
    observed = differences(has, takes, blocks, a, b)
    state = np.array([seed], dtype=np.uint64)
    open_ = np.empty(has.shape[1], np.int64)
    reached, total, square = np.zeros(a.size, np.int64), np.zeros(a.size), np.zeros(a.size)
    members = np.empty(has.shape[0], np.int64)
    for draw in range(draws):
        for block in range(blocks.size - 1):
            count = 0
            for row in range(has.shape[0]):
                if takes[row, block]:
                    members[count] = row
                    count += 1
            if count < 2:
                continue
            for _ in range(count * mixes if draw == 0 else count):
                one = int(_next(state) * count)
                other = int(_next(state) * (count - 1))
                other += other >= one
                _trade(has, members[one], members[other], blocks[block], blocks[block + 1], open_, state)
        drawn = differences(has, takes, blocks, a, b)
        for pair in range(a.size):
            reached[pair] += drawn[pair] >= observed[pair]
            total[pair] += drawn[pair]
            square[pair] += drawn[pair] ** 2
    mean = total / draws
    return reached, mean, np.sqrt(np.maximum(square / draws - mean**2, 0.0))
