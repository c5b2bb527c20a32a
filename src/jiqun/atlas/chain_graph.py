"""The shape of an industry chain 链结构: layers to draw it in, and how much of what comes after hangs on each node.

Ways through a chain are counted with whole numbers, so that "every way" is exact. Nodes that go round in a circle
count as one: each of them hangs on all.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from jiqun.atlas.chain_data import STAGES, Chain
from jiqun.core.arrays import Floats


@dataclass(frozen=True)
class ChainGraph:
    """The nodes of a chain by position, and the edges between them; `stages` are positions in `STAGES`."""

    nodes: tuple[str, ...]
    edges: tuple[tuple[int, int], ...]
    stages: tuple[int, ...]

    @classmethod
    def of(cls, chain: Chain) -> ChainGraph:
        """The graph of a chain."""
        at = {node.id: i for i, node in enumerate(chain.nodes)}
        edges = tuple((at[edge.start], at[edge.end]) for edge in chain.edges)
        return cls(tuple(at), edges, tuple(STAGES.index(node.stage) for node in chain.nodes))

    @cached_property
    def after(self) -> tuple[tuple[int, ...], ...]:
        """The nodes that each one delivers to."""
        return _ends(len(self.nodes), self.edges)

    @cached_property
    def _circles(self) -> tuple[tuple[int, ...], tuple[tuple[int, ...], ...], tuple[int, ...]]:
        """The circle of each node (itself alone, mostly), what each circle delivers to, and the circles in order."""
        count = len(self.nodes)
        start, end = np.array(self.edges, np.int64).reshape(-1, 2).T
        matrix = csr_array((np.ones(len(start)), (start, end)), shape=(count, count))
        total, circle = connected_components(matrix, connection="strong")
        of = tuple(int(c) for c in circle)
        between = {(of[i], of[j]) for i, j in self.edges if of[i] != of[j]}
        after = _ends(total, sorted(between))
        return of, after, _in_order(after)

    @cached_property
    def layers(self) -> tuple[int, ...]:
        """The layer in which each node is drawn: behind all that it takes from, stages one behind the other."""
        of, after, order = self._circles
        stage = [0] * len(after)
        for node, circle in enumerate(of):
            stage[circle] = max(stage[circle], self.stages[node])
        before = [[i for i, ends in enumerate(after) if circle in ends] for circle in range(len(after))]
        layer = dict[int, int]()
        first = 0
        for level in range(len(STAGES)):
            mine = [circle for circle in order if stage[circle] == level]
            for circle in mine:
                behind = [layer[b] + 1 for b in before[circle] if b in layer and stage[b] == level]
                layer[circle] = max([first, *behind])
            first = max((layer[circle] + 1 for circle in mine), default=first)
        return tuple(layer[circle] for circle in of)

    @cached_property
    def dependence(self) -> Floats:
        """How much each node (column) hangs on each other one (row) 依赖份额.

            D[v, d] = ways from a source through v to d / all ways from a source to d

        Sources take from no other node. 1: every way leads through v; 0: d does not come after v. The diagonal is 0, and
        nodes of one circle hang on each other wholly.

        Source: search path counts after Hummon and Doreian (1989), Social Networks 11, 39–63; Batagelj (2003).
        """
        of, after, order = self._circles
        led_to = {end for ends in after for end in ends}
        reached = _ways(after, order, [circle not in led_to for circle in range(len(after))])
        share = np.zeros((len(after), len(after)))
        for v in order:
            ways = _ways(after, order, [circle == v for circle in range(len(after))])
            for d, count in enumerate(ways):
                share[v, d] = _part(reached[v] * count, reached[d])
        found: Floats = share[np.ix_(of, of)]
        np.fill_diagonal(found, 0.0)
        return found

    def way(self, start: int, end: int) -> tuple[int, ...]:
        """The shortest way between two nodes, both among it; nothing where there is none."""
        came: dict[int, int] = {start: start}
        waiting = deque([start])
        while waiting:
            node = waiting.popleft()
            for following in self.after[node]:
                if following not in came:
                    came[following] = node
                    waiting.append(following)
        if end not in came or start == end:
            return ()
        trail = [end]
        while trail[-1] != start:
            trail.append(came[trail[-1]])
        return tuple(reversed(trail))


def _ends(count: int, edges: Sequence[tuple[int, int]]) -> tuple[tuple[int, ...], ...]:
    after: list[list[int]] = [[] for _ in range(count)]
    for start, end in edges:
        after[start].append(end)
    return tuple(map(tuple, after))


def _ways(after: Sequence[Sequence[int]], order: Sequence[int], heads: Sequence[bool]) -> list[int]:
    """In how many ways each node is reached from the heads."""
    ways = list(map(int, heads))
    for node in order:
        for end in after[node]:
            ways[end] += ways[node]
    return ways


def _part(some: int, every: int) -> float:
    """A share that is 1 only where it is the whole."""
    return 1.0 if some == every else min(some / every, float(np.nextafter(1.0, 0.0)))


def _in_order(after: Sequence[Sequence[int]]) -> tuple[int, ...]:
    """The nodes of a graph without circles, each behind all that lead to it."""
    left = [0] * len(after)
    for ends in after:
        for end in ends:
            left[end] += 1
    free = deque(node for node, count in enumerate(left) if count == 0)
    order = []
    while free:
        node = free.popleft()
        order.append(node)
        for end in after[node]:
            left[end] -= 1
            if left[end] == 0:
                free.append(end)
    return tuple(order)
