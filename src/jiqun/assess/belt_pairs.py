"""Industry belts 产业带: clusters near or linked to each other, of which one has what the other lacks.

Input is tables of clusters and of what they have: nodes of industry chains, computing power, data facilities. What a
cluster is not known to have counts as lacking; where firms may stand at a node without it being known, that is told.
Nothing here reads files.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from scipy.stats import false_discovery_control

from jiqun.assess import _belt_kernels as kernels
from jiqun.atlas.partition import communities
from jiqun.atlas.sphere import EARTH_RADIUS_KM, unit_vectors
from jiqun.core.arrays import Integers
from jiqun.core.errors import MeasureInputError
from jiqun.core.frames import as_polars

MAX_KM = 300.0
"""Clusters farther apart count only where they are linked. Our choice."""
LEVEL = 0.05
FACILITIES = "facility"
"""The block of what is shared by all chains: every cluster takes part in it."""
_FEWEST_DRAWS, _MOST_DRAWS = 999, 99_999
_MOST_WORK = 2e9
_MIXES = 20
_AT_ONCE = 2048
_PAIRS = {
    "a": pl.String, "b": pl.String, "km": pl.Float64, "links": pl.Int64, "a_adds": pl.Int64, "b_adds": pl.Int64,
    "shared": pl.Int64, "score": pl.Int64, "expected": pl.Float64, "z": pl.Float64, "p": pl.Float64, "q": pl.Float64,
}  # fmt: skip


@dataclass(frozen=True)
class Belts:
    """What `belts` found; see there."""

    pairs: pl.DataFrame
    """a, b, km, links, a_adds, b_adds, shared, score, expected, z, p, q; the least likely first."""
    adds: pl.DataFrame
    """a, b, giver, taker, chain, item, possible: what each pair adds, item by item."""
    communities: pl.DataFrame
    """cluster_id, belt (0 the strongest; null: in none)."""
    clusters: int
    items: int
    max_km: float
    level: float
    draws: int
    seed: int


def belts(
    clusters: Any,
    has: Any,
    *,
    possible: Any = None,
    links: Any = None,
    max_km: float = MAX_KM,
    level: float = LEVEL,
    draws: int | None = None,
    seed: int = 20240501,
) -> Belts:
    """Pairs of clusters that complement each other beyond chance 产业带识别, and the belts that they form.

        score[a, b] = Σ over chains that both take part in: nodes that only one of them has  +  facilities that only one has

    Pairs count that are within `max_km` of each other or whose members are linked. The null deals what the clusters have anew:
    each keeps its size and as many nodes of each chain as it has, each node as many clusters as have it (curveball trades).
    q is p after Benjamini–Yekutieli over all pairs that count, which holds whatever their dependence.

    Parameters
    ----------
    clusters
        cluster_id, lon, lat; any dataframe.
    has
        cluster_id, chain, item; a row for each thing that a cluster has. The chain `facility` is for what serves all.
    possible
        Like `has`: what a cluster may have without it being known. It is told in `adds`; it does not count as had.
    links
        a, b, links: links between members of two clusters; in either order, rows are added up.
    draws
        None: as many as a p of q = `level` needs for a single pair, between 999 and 99,999, and fewer where that took long.

    Returns
    -------
    `Belts`. `z` is null where chance cannot vary. Belts are communities (Leiden, modularity) of the pairs that score above
    their expectation, weighted by the excess; a cluster without such a pair is in none.

    Raises
    ------
    MeasureInputError
        JQ-USE-003: a column is missing. JQ-ASSESS-119: `max_km`, `level` or `draws` that cannot be. JQ-ASSESS-122: a cluster
        is there twice or lacks its place.

    Notes
    -----
    A high score says that two clusters differ within the same chains, not that they trade or could. It rests on what is on
    record: a register that lacks firms makes nodes missing. The distance limit is ours.
    Source of the null: Strona et al. (2014), Nature Communications 5, 4114; of q: Benjamini and Yekutieli (2001), Annals of
    Statistics 29(4), 1165–1188.

    Examples
    --------
    >>> places = pl.DataFrame({"cluster_id": ["c1", "c2"], "lon": [120.0, 120.5], "lat": [30.0, 30.0]})
    >>> nodes = pl.DataFrame({"cluster_id": ["c1", "c1", "c2"], "chain": ["ai"] * 3, "item": ["chips", "models", "models"]})
    >>> belts(places, nodes, draws=999).pairs.select("a", "b", "a_adds", "b_adds", "shared", "p").rows()
    [('c1', 'c2', 1, 0, 1, 1.0)]
    """
    known = as_polars(clusters, "cluster_id", "lon", "lat").select("cluster_id", "lon", "lat")
    _check(known, max_km, level, draws)
    held = as_polars(has, "cluster_id", "chain", "item").select("cluster_id", "chain", "item").unique()
    ids = known["cluster_id"]
    held = held.join(ids.to_frame(), on="cluster_id", how="semi").sort("chain", "item", "cluster_id")
    items = held.select("chain", "item").unique(maintain_order=True)
    at = {one: i for i, one in enumerate(ids)}
    columns = {one: i for i, one in enumerate(items.rows())}
    matrix = np.zeros((len(ids), items.height), np.int64)
    rows = np.array([at[one] for one in held["cluster_id"]], dtype=np.int64)
    matrix[rows, np.array([columns[one] for one in held.select("chain", "item").rows()], dtype=np.int64)] = 1
    chains = items["chain"].unique(maintain_order=True)
    sizes = items.group_by("chain", maintain_order=True).len()["len"].to_numpy()
    blocks = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    takes = np.column_stack(
        [matrix[:, blocks[i] : blocks[i + 1]].any(axis=1) | (chain == FACILITIES) for i, chain in enumerate(chains)]
        or [np.zeros(len(ids), bool)]
    ).astype(np.int64)
    near = _near(known, max_km)
    joined = _linked(links, at)
    a, b, count = _candidates(near, joined, takes, len(ids))
    wanted = _draws(a.size, matrix.shape[1], level) if draws is None else draws
    pairs = _scored(known, matrix, takes, blocks, a, b, count, wanted, seed)
    adds = _adds(pairs, ids, items, matrix, takes, blocks, possible, at)
    return Belts(pairs, adds, _grouped(pairs, ids, seed), len(ids), items.height, max_km, level, wanted, seed)


def _check(clusters: pl.DataFrame, max_km: float, level: float, draws: int | None) -> None:
    for what, value, fine, expected in (
        ("max_km", max_km, max_km >= 0 and math.isfinite(max_km), ">= 0"),
        ("level", level, 0 < level < 1, "0 < level < 1"),
        ("draws", draws, draws is None or draws >= _FEWEST_DRAWS, f">= {_FEWEST_DRAWS}"),
    ):
        if not fine:
            raise MeasureInputError("JQ-ASSESS-119", what=what, value=value, expected=expected)
    bad = clusters.filter(
        pl.col("cluster_id").is_duplicated()
        | pl.any_horizontal(pl.all().is_null())
        | ~pl.col("lon").is_between(-180, 180)
        | ~pl.col("lat").is_between(-90, 90)
    )
    if bad.height:
        raise MeasureInputError("JQ-ASSESS-122", value=bad["cluster_id"][0])


def _near(clusters: pl.DataFrame, max_km: float) -> tuple[Integers, Integers]:
    """Pairs within the distance, by blocks of rows."""
    xyz = unit_vectors(clusters["lon"].cast(pl.Float64).to_numpy(), clusters["lat"].cast(pl.Float64).to_numpy()).T
    limit = 2 * math.sin(min(math.pi / 2, max_km / (2 * EARTH_RADIUS_KM)))
    found = []
    for start in range(0, len(xyz), _AT_ONCE):
        part = xyz[start : start + _AT_ONCE]
        chord2 = np.maximum(2 - 2 * part @ xyz.T, 0)
        i, j = np.nonzero(chord2 <= limit**2 + 1e-15)
        found.append(np.stack([i + start, j])[:, i + start < j])
    joined = np.concatenate(found, axis=1) if found else np.zeros((2, 0), np.int64)
    return joined[0].astype(np.int64), joined[1].astype(np.int64)


def _linked(links: Any, at: dict[str, int]) -> pl.DataFrame:
    """I < j and how many links lie between their members."""
    empty = pl.DataFrame(schema={"i": pl.Int64, "j": pl.Int64, "links": pl.Int64})
    if links is None:
        return empty
    rows = as_polars(links, "a", "b", "links")
    places = pl.DataFrame({"id": list(at), "at": list(at.values())}, schema={"id": pl.String, "at": pl.Int64})
    rows = rows.join(places, left_on="a", right_on="id").join(places, left_on="b", right_on="id", suffix="_b")
    rows = rows.filter(pl.col("at") != pl.col("at_b"))
    if rows.is_empty():
        return empty
    low, high = pl.min_horizontal("at", "at_b"), pl.max_horizontal("at", "at_b")
    return rows.group_by(i=low, j=high).agg(pl.col("links").cast(pl.Int64).sum())


def _candidates(
    near: tuple[Integers, Integers], joined: pl.DataFrame, takes: Integers, n: int
) -> tuple[Integers, Integers, Integers]:
    """Pairs near or linked that take part in a chain together, or have facilities to share, and their links."""
    ends = np.concatenate([np.stack(near), joined.select("i", "j").to_numpy().T], axis=1)
    key = np.unique(ends[0] * n + ends[1])
    a, b = key // n, key % n
    together = (takes[a] & takes[b]).any(axis=1)
    a, b = a[together], b[together]
    known = {(i, j): count for i, j, count in joined.rows()}
    return a, b, np.array([known.get(pair, 0) for pair in zip(a.tolist(), b.tolist(), strict=True)], dtype=np.int64)


def _draws(pairs: int, items: int, level: float) -> int:
    """Draws with which one pair alone could pass after correction, as far as that takes seconds."""
    if not pairs:
        return _FEWEST_DRAWS
    wanted = pairs * (math.log(pairs) + 0.5772 + 1 / (2 * pairs)) / level
    affordable = _MOST_WORK / (pairs * max(items, 1))
    return int(min(_MOST_DRAWS, max(_FEWEST_DRAWS, min(wanted, affordable))))


def _scored(
    clusters: pl.DataFrame,
    matrix: Integers,
    takes: Integers,
    blocks: Integers,
    a: Integers,
    b: Integers,
    links: Integers,
    draws: int,
    seed: int,
) -> pl.DataFrame:
    if not a.size:
        return pl.DataFrame(schema=_PAIRS)
    reached, mean, spread = kernels.against_chance(matrix, takes, blocks, a, b, draws, _MIXES, seed)
    score = kernels.differences(matrix, takes, blocks, a, b)
    common = np.repeat(takes, np.diff(blocks), axis=1)[:, : matrix.shape[1]]
    both = (common[a] & common[b]).astype(bool)
    mine, theirs = matrix[a].astype(bool) & both, matrix[b].astype(bool) & both
    p = (1 + reached) / (draws + 1)
    xyz = unit_vectors(clusters["lon"].cast(pl.Float64).to_numpy(), clusters["lat"].cast(pl.Float64).to_numpy()).T
    km = 2 * EARTH_RADIUS_KM * np.arcsin(np.minimum(1, np.linalg.norm(xyz[a] - xyz[b], axis=1) / 2))
    ids = clusters["cluster_id"]
    z = np.where(spread > 0, (score - mean) / np.where(spread > 0, spread, 1), np.nan)
    found = pl.DataFrame(
        {
            "a": ids.gather(a), "b": ids.gather(b), "km": km, "links": links,
            "a_adds": (mine & ~theirs).sum(axis=1), "b_adds": (theirs & ~mine).sum(axis=1),
            "shared": (mine & theirs).sum(axis=1), "score": score, "expected": mean,
            "z": pl.Series(z, nan_to_null=True), "p": p, "q": false_discovery_control(p, method="by"),
        }
    )  # fmt: skip
    found = found.select(pl.col(name).cast(kind) for name, kind in _PAIRS.items())
    return found.sort(
        "q", "p", "z", "score", "a", "b", descending=[False, False, True, True, False, False], nulls_last=True
    )


_ADDS = {
    "a": pl.String, "b": pl.String, "giver": pl.String, "taker": pl.String, "chain": pl.String, "item": pl.String,
    "possible": pl.Boolean,
}  # fmt: skip


def _adds(
    pairs: pl.DataFrame,
    ids: pl.Series,
    items: pl.DataFrame,
    matrix: Integers,
    takes: Integers,
    blocks: Integers,
    possible: Any,
    at: dict[str, int],
) -> pl.DataFrame:
    """What each of a pair has that the other lacks, in the order of the pairs."""
    if pairs.is_empty():
        return pl.DataFrame(schema=_ADDS)
    i, j = (pairs[name].replace_strict(at, return_dtype=pl.Int64).to_numpy() for name in ("a", "b"))
    common = np.repeat(takes, np.diff(blocks), axis=1)[:, : matrix.shape[1]].astype(bool)
    parts = []
    for giver, taker in ((i, j), (j, i)):
        only = matrix[giver].astype(bool) & ~matrix[taker].astype(bool) & common[giver] & common[taker]
        row, column = np.nonzero(only)
        parts.append(
            pl.DataFrame(
                {
                    "pair": row, "a": ids.gather(i[row]), "b": ids.gather(j[row]), "giver": ids.gather(giver[row]),
                    "taker": ids.gather(taker[row]), "chain": items["chain"].gather(column), "item": items["item"].gather(column),
                }
            )
        )  # fmt: skip
    found = pl.concat(parts).sort("pair", "giver", "chain", "item")
    if possible is None:
        return found.with_columns(possible=pl.lit(None, pl.Boolean)).select(list(_ADDS))
    may = (
        as_polars(possible, "cluster_id", "chain", "item")
        .select(taker="cluster_id", chain="chain", item="item")
        .unique()
    )
    found = found.join(
        may.with_columns(possible=pl.lit(value=True)), on=["taker", "chain", "item"], how="left", maintain_order="left"
    )
    return found.with_columns(pl.col("possible").fill_null(value=False)).select(list(_ADDS))


def _grouped(pairs: pl.DataFrame, ids: pl.Series, seed: int) -> pl.DataFrame:
    """Communities of the pairs that score above their expectation."""
    held = pairs.filter(pl.col("score") > pl.col("expected") + 1e-9)
    alone = pl.DataFrame({"cluster_id": ids, "belt": pl.Series([None] * len(ids), dtype=pl.Int64)})
    if held.is_empty():
        return alone
    names = pl.concat([held["a"], held["b"]]).unique().sort()
    places = {name: i for i, name in enumerate(names)}
    u, v = (held[name].replace_strict(places, return_dtype=pl.Int64).to_numpy() for name in ("a", "b"))
    weight = (held["score"] - held["expected"]).to_numpy()
    cut = communities(len(names), np.minimum(u, v), np.maximum(u, v), weight, resolution=1.0, nulls=0, seed=seed)
    return alone.select("cluster_id").join(
        pl.DataFrame({"cluster_id": names, "belt": cut.labels.astype(np.int64)}),
        on="cluster_id",
        how="left",
        maintain_order="left",
    )
