"""A cluster keeps its name from run to run 集群沿革: matched by the firms it shares with the previous run.

Without this "follow", trends and stages would have nothing to hold on to.
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

SHARE = 0.5


@dataclass(frozen=True)
class Succession:
    """`current`: cluster, cluster_id, event (born, continued, split, merged), previous (ids, list), shared (weight).

    `died`: ids of the previous run that no cluster continues, sorted. `next_number`: first number never used for an id.
    """

    current: pl.DataFrame
    died: tuple[str, ...]
    next_number: int


def succeed(
    members: pl.DataFrame, previous: pl.DataFrame | None, *, next_number: int = 1, prefix: str = "c"
) -> Succession:
    """Match the clusters of a run to those of the run before.

    Two clusters are kin when the weight of the members they share is at least half of either one's weight. Of kin, the
    pair that shares most hands the id on, each id and cluster once; other clusters get a new number, in rank order.

    =============  ==========================================================
    born 新生       no kin before
    continued 延续   one kin before, which has no other kin now
    split 分立      one kin before, which has several kin now
    merged 合并     several kin before
    =============  ==========================================================

    Parameters
    ----------
    members
        id, cluster (rank from 0), weight; a row per member firm.
    previous
        id, cluster_id, weight of the run before; None for the first run.
    next_number
        First number free for a new id.
    prefix
        Letter that ids begin with: c for clusters on the map, n for those on a network.

    Examples
    --------
    >>> before = pl.DataFrame({"id": ["a", "b", "c"], "cluster_id": ["c0001"] * 3, "weight": [1.0] * 3})
    >>> now = pl.DataFrame({"id": ["a", "b", "x"], "cluster": [0, 0, 0], "weight": [1.0] * 3})
    >>> succeed(now, before, next_number=2).current.select("cluster_id", "event").rows()
    [('c0001', 'continued')]
    """
    clusters = members.group_by("cluster").agg(now=pl.col("weight").sum()).sort("cluster")
    empty: dict[str, pl.DataType | type[pl.DataType]] = {
        "cluster": clusters.schema["cluster"],
        "cluster_id": pl.String,
        "shared": pl.Float64,
    }
    kin = pl.DataFrame(schema=empty)
    before = pl.DataFrame(schema={"cluster_id": pl.String, "then": pl.Float64})
    if previous is not None:
        before = previous.group_by("cluster_id").agg(then=pl.col("weight").sum()).sort("cluster_id")
        kin = (
            members.join(previous.select("id", "cluster_id"), on="id")
            .group_by("cluster", "cluster_id")
            .agg(shared=pl.col("weight").sum())
            .join(clusters, on="cluster")
            .join(before, on="cluster_id")
            .filter(pl.col("shared") >= SHARE * pl.min_horizontal("now", "then"))
            .sort("shared", "cluster_id", "cluster", descending=[True, False, False])
            .select(list(empty))
        )
    heirs = _heirs(kin)
    children = dict(kin.group_by("cluster_id").len().iter_rows())
    rows = []
    for cluster in clusters["cluster"].to_list():
        parents = kin.filter(pl.col("cluster") == cluster)
        ids = parents["cluster_id"].to_list()
        if not ids:
            event = "born"
        elif len(ids) > 1:
            event = "merged"
        else:
            event = "split" if children[ids[0]] > 1 else "continued"
        if cluster not in heirs:
            heirs[cluster] = f"{prefix}{next_number:04d}"
            next_number += 1
        rows.append((cluster, heirs[cluster], event, ids, float(parents["shared"].sum())))
    schema: dict[str, pl.DataType | type[pl.DataType]] = {
        "cluster": clusters.schema["cluster"],
        "cluster_id": pl.String,
        "event": pl.String,
        "previous": pl.List(pl.String),
        "shared": pl.Float64,
    }
    died = tuple(before.filter(~pl.col("cluster_id").is_in(kin["cluster_id"].implode()))["cluster_id"])
    return Succession(pl.DataFrame(rows, schema=schema, orient="row"), died, next_number)


def _heirs(kin: pl.DataFrame) -> dict[int, str]:
    """The id each cluster takes over: pairs by falling shared weight, each side once."""
    heirs: dict[int, str] = {}
    given: set[str] = set()
    for cluster, cluster_id, _ in kin.iter_rows():
        if cluster not in heirs and cluster_id not in given:
            heirs[cluster] = cluster_id
            given.add(cluster_id)
    return heirs
