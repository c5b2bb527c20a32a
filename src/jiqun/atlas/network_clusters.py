"""Clusters that live on a network 网络集群: significant communities, where their members are, how far their links reach."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import polars as pl

from jiqun.atlas.graphs import SMALL_NETWORK, Network, backbone, edges, filtered_null, has_varied_weights, network
from jiqun.atlas.gravity import linked_within
from jiqun.atlas.partition import FEWEST_SEEDS, Communities, Quality, communities
from jiqun.atlas.sphere import EARTH_RADIUS_KM, checked_eps, unit_vectors
from jiqun.core.arrays import Floats, Integers
from jiqun.core.errors import MeasureInputError
from jiqun.core.frames import as_polars
from jiqun.core.progress import Progress, silent

Filter = Literal["auto", "on", "off"]
MOST_PAIRS = 500
"""Up to so many placed members the median distance of all pairs is exact; above, of as many drawn with a seed."""


@dataclass(frozen=True)
class NetworkClusters:
    """What a search of a network found 网络集群.

    `table`: a row per cluster by falling weight inside: cluster, members, known (with an organisation), edges, weight_in,
    share_in, expected, llr, p, placed, far_share, median_link_km, median_pair_km, digital_code, class_share. `members`:
    node, id, name, cluster. `network`: all links; `searched`: those that were searched, the backbone where it was filtered.
    `tested` links of the filter, `kept` of them; `filtered` says why not, where they were all searched.
    """

    table: pl.DataFrame
    members: pl.DataFrame
    network: Network
    searched: Network
    found: Communities
    kept: int
    filtered: str


def find_network_clusters(
    links: Any,
    organisations: Any = None,
    *,
    crosswalk: Any = None,
    kinds: Sequence[str] | None = None,
    weights: Mapping[str, float] | None = None,
    filter: Filter = "auto",  # noqa: A002
    filter_alpha: float = 0.05,
    quality: Quality = "modularity",
    resolution: float | None = None,
    seeds: int = FEWEST_SEEDS,
    nulls: int | None = None,
    alpha: float = 0.05,
    least_members: int = 3,
    eps_km: float = 20.0,
    seed: int = 20240501,
    progress: Progress = silent,
) -> NetworkClusters:
    """Communities of firms that hold more of their links inside than chance explains 网络集群识别.

    Parameters
    ----------
    links, organisations, crosswalk, kinds, weights
        As `network`; organisations may also have `lon`, `lat`, `digital_code`.
    filter
        Whether only the backbone is searched; "auto": above 200,000 links whose weights differ. Not where fewer links than
        a share alpha would be kept, as of weights that are more even than chance.
    filter_alpha
        Level of the backbone.
    quality, resolution, seeds, nulls
        As `communities`.
    alpha
        Level of the partition as a whole and, given that, of each community among all: at most so often is anything found
        in networks without communities.
    least_members
        Fewest members of a cluster.
    eps_km
        Links longer than this reach beyond the place.

    Raises
    ------
    MeasureInputError
        As `network`, `backbone` and `communities`; JQ-ATLAS-002: eps_km.

    Examples
    --------
    >>> ties = [(f"{team}{i}", f"{team}{j}") for team in "ab" for i in range(8) for j in range(i)] + [("a0", "b0")]
    >>> found = find_network_clusters(pl.DataFrame(ties, schema=["source", "target"], orient="row"), nulls=19)
    >>> found.table.select("cluster", "members", "p").rows()
    [(0, 8, 0.05), (1, 8, 0.05)]
    """
    checked_eps(eps_km)
    if not 0 < alpha < 1 or least_members < 3:
        raise MeasureInputError(
            "JQ-NETWORK-002", what="alpha, least_members", value=f"{alpha}, {least_members}", expected="0 … 1, >= 3"
        )
    whole = network(links, organisations, crosswalk=crosswalk, kinds=kinds, weights=weights)
    searched, filtered, null = whole, "", None
    if filter == "off" or (filter == "auto" and whole.links.height <= SMALL_NETWORK):
        filtered = "off" if filter == "off" else "few links"
    elif not has_varied_weights(whole):
        filtered = "equal weights"
    else:
        kept_links = backbone(whole.links, filter_alpha)["kept"]
        if int(kept_links.sum()) < filter_alpha * whole.links.height:
            filtered = "even weights"  # more so than pieces cut at random, of which each end would keep a share alpha
        else:
            searched, null = whole.only(kept_links), filtered_null(whole, filter_alpha)
    progress("backbone", 1, 1)
    u, v, weight = edges(searched)
    found = communities(
        whole.size, u, v, weight, quality=quality, resolution=resolution, seeds=seeds, nulls=nulls, null=null, seed=seed,
        progress=progress,
    )  # fmt: skip
    stands = found.p is not None and found.p <= alpha
    passes = (pl.col("p") <= alpha) & (pl.col("nodes") >= least_members) & pl.lit(stands)
    kept = found.table.filter(passes.fill_null(value=False)).sort("weight_in", "community", descending=[True, False])
    number = np.full(found.table.height, -1, np.int64)
    number[kept["community"].to_numpy()] = np.arange(kept.height)
    label = number[found.labels] if whole.size else np.zeros(0, np.int64)
    members = whole.nodes.with_columns(cluster=pl.Series(label)).filter(pl.col("cluster") >= 0)
    table = kept.select(
        pl.int_range(pl.len(), dtype=pl.Int64).alias("cluster"),
        pl.col("nodes").alias("members"),
        *("edges", "weight_in", "share_in", "expected", "llr", "p"),
    )
    known = members.group_by("cluster").agg(known=pl.col("id").is_not_null().sum().cast(pl.Int64))
    table = table.join(known, on="cluster", how="left", maintain_order="left")
    table = table.join(
        _reach(whole, members, organisations, label, u, v, weight, eps_km, seed), on="cluster", how="left"
    )
    table = table.join(_makes(members, organisations), on="cluster", how="left").sort("cluster")
    return NetworkClusters(table, members, whole, searched, found, searched.links.height, filtered)


def places(nodes: pl.DataFrame, organisations: Any) -> Floats:
    """Unit vectors of nodes, a row each, NaN where a node has no known place."""
    out: Floats = np.full((nodes.height, 3), np.nan)
    if organisations is None:
        return out
    listed = as_polars(organisations, "id")
    if not {"lon", "lat"} <= set(listed.columns):
        return out
    at = nodes.join(listed.select("id", "lon", "lat").unique("id"), on="id", how="left", maintain_order="left")
    there = (at["lon"].is_not_null() & at["lat"].is_not_null()).to_numpy()
    lon, lat = (at[name].cast(pl.Float64).to_numpy()[there] for name in ("lon", "lat"))
    out[there] = unit_vectors(lon, lat).T
    return out


def km_between(one: Floats, other: Floats) -> Floats:
    """Great-circle distance of points given as unit vectors, in km."""
    chord = np.sqrt(((one - other) ** 2).sum(axis=1))
    km: Floats = 2 * EARTH_RADIUS_KM * np.arcsin(np.minimum(1.0, chord / 2))
    return km


def reach(
    xyz: Floats, members: Integers, u: Integers, v: Integers, weight: Floats, eps_km: float, seed: int = 0
) -> dict[str, Any]:
    """placed, far_share, median_link_km, median_pair_km of one group of nodes and the edges within it.

    `far_share`: share of the weight of links between placed members that runs over more than eps_km, the space score. Null
    where no such link, or no pair of placed members, is there.
    """
    there = np.isfinite(xyz[:, 0])
    both = there[u] & there[v]
    far, middle = linked_within(km_between(xyz[u[both]], xyz[v[both]]), weight[both], eps_km)
    placed = members[there[members]]
    some = (
        placed if placed.size <= MOST_PAIRS else np.random.default_rng(seed).choice(placed, MOST_PAIRS, replace=False)
    )
    i, j = np.triu_indices(some.size, 1)
    pairs = float(np.median(km_between(xyz[some[i]], xyz[some[j]]))) if i.size else None
    return {"placed": int(placed.size), "far_share": far, "median_link_km": middle, "median_pair_km": pairs}


REACH = {
    "cluster": pl.Int64, "placed": pl.Int64, "far_share": pl.Float64, "median_link_km": pl.Float64,
    "median_pair_km": pl.Float64,
}  # fmt: skip


def _reach(
    whole: Network,
    members: pl.DataFrame,
    organisations: Any,
    label: Integers,
    u: Integers,
    v: Integers,
    weight: Floats,
    eps_km: float,
    seed: int,
) -> pl.DataFrame:
    xyz = places(whole.nodes, organisations)
    own = label[u] if u.size else np.zeros(0, np.int64)
    inside = np.flatnonzero((own >= 0) & (own == (label[v] if v.size else own)))
    order = inside[np.argsort(own[inside], kind="stable")]
    count = int(members["cluster"].max()) + 1 if members.height else 0  # type: ignore[arg-type]
    bounds = np.searchsorted(own[order], np.arange(count + 1))
    by_node = np.argsort(label, kind="stable")
    starts = np.searchsorted(label[by_node], np.arange(count + 1))
    rows = []
    for c in range(count):
        at, nodes = order[bounds[c] : bounds[c + 1]], by_node[starts[c] : starts[c + 1]]
        rows.append({"cluster": c, **reach(xyz, nodes, u[at], v[at], weight[at], eps_km, seed + c)})
    return pl.DataFrame(rows, schema=REACH)


def _makes(members: pl.DataFrame, organisations: Any) -> pl.DataFrame:
    """digital_code and class_share: the commonest class, four digits, among members whose class is known."""
    schema = {"cluster": pl.Int64, "digital_code": pl.String, "class_share": pl.Float64}
    if organisations is None:
        return pl.DataFrame(schema=schema)
    listed = as_polars(organisations, "id")
    if "digital_code" not in listed.columns:
        return pl.DataFrame(schema=schema)
    classes = listed.select("id", digital_code=pl.col("digital_code").str.slice(0, 4)).unique("id")
    counts = (
        members.select("cluster", "id")
        .join(classes, on="id")
        .drop_nulls("digital_code")
        .group_by("cluster", "digital_code")
        .len()
    )
    shares = counts.with_columns(class_share=pl.col("len") / pl.col("len").sum().over("cluster"))
    first = shares.sort("len", "digital_code", descending=[True, False]).unique(
        "cluster", keep="first", maintain_order=True
    )
    return first.select(list(schema))
