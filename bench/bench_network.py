"""The whole analysis of a million made-up links among 200,000 firms: backbone, communities with their nulls, positions."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl
from measure import cost

from jiqun.atlas.leaders import CRITERIA, chain_leaders, dependence
from jiqun.atlas.network_clusters import find_network_clusters
from jiqun.atlas.positions import betweenness, brokerage, constraint, core_periphery, pagerank, reciprocity, strengths

LINKS_EACH = 5


def links(kind: str, m: int, firms: int) -> pl.DataFrame:
    """At random, or 70 % within groups of 50; weights log-normal (five times as great within groups), or all alike."""
    rng = np.random.default_rng(1)
    source, target = rng.integers(0, firms, m), rng.integers(0, firms, m)
    inside = (rng.random(m) < 0.7) & (kind != "random")
    near = source // 50 * 50 + rng.integers(0, 50, m)
    target = np.where(inside, np.minimum(near, firms - 1), target)
    weight = np.ones(m) if kind == "alike" else rng.lognormal(0, 1.5, m) * np.where(inside, 5.0, 1.0)
    names = pl.Series([f"Firm {i}" for i in range(firms)])
    return pl.DataFrame({"source": names[source], "target": names[target], "kind": ["supply"] * m, "weight": weight})


def analysis(kind: str, m: int, firms: int) -> Callable[[], Any]:
    """Everything that the desk computes of a network, but for the clusters on the map."""
    rows = links(kind, m, firms)
    listed = pl.DataFrame({"id": [f"o{i:07}" for i in range(firms)], "name": [f"Firm {i}" for i in range(firms)]})
    warm = links("grouped", 300, 40)

    def whole(table: pl.DataFrame, **more: Any) -> tuple[int, int, int, float | None]:
        found = find_network_clusters(table, listed, **more)
        n, (source, target, weight) = found.network.size, found.network.arrays()
        nodes = strengths(n, source, target, weight).with_columns(
            id=found.network.nodes["id"],
            pagerank=pl.Series(pagerank(n, source, target, weight)),
            betweenness=pl.Series(betweenness(n, *found.searched.arrays()[:2]).value),
            constraint=pl.Series(constraint(n, source, target, weight)),
        )
        nodes = nodes.hstack(brokerage(n, source, target, found.found.labels))
        nodes = nodes.hstack(dependence(n, source, target, weight))
        core_periphery(n, source, target, draws=19)
        reciprocity(n, source, target)
        chain_leaders(nodes, criteria=CRITERIA)
        return found.network.links.height, found.kept, found.table.height, found.found.p

    whole(warm, nulls=19)
    return lambda: whole(rows)


def main(kinds: list[str]) -> None:
    """Print CPU and wall seconds and memory; `python bench/bench_network.py random` for one kind."""
    for kind, m in (("grouped", 100_000), ("random", 1_000_000), ("grouped", 1_000_000), ("alike", 1_000_000)):
        if kinds and kind not in kinds:
            continue
        firms = m // LINKS_EACH
        c = cost(analysis, kind, m, firms)
        pairs, kept, clusters, p = c.answer
        print(
            f"{m:>9,} links ({kind}), {firms:,} firms: {c.cpu:6.1f} CPU s  {c.wall:6.1f} s  {c.peak_mb:6.0f} MB  "
            f"{pairs:,} pairs, {kept:,} searched, {clusters:,} clusters, p = {p}",
            flush=True,
        )


if __name__ == "__main__":
    main(sys.argv[1:])
