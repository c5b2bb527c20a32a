"""Exact DBSCAN against scikit-learn's haversine ball tree, and its growth."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from measure import cost, world

from jiqun.atlas.density import dbscan
from jiqun.atlas.sphere import EARTH_RADIUS_KM

EPS_KM = 2.0


def least(n: int) -> int:
    """Threshold that keeps the picture alike as n grows."""
    return n // 2000


def ours(n: int) -> Callable[[], Any]:
    """Compiled code is warmed first: the figure is the run, not the compiler."""
    lon, lat = world(n, 1)
    dbscan(lon[:1000], lat[:1000], eps_km=EPS_KM, min_weight=2)
    return lambda: dbscan(lon, lat, eps_km=EPS_KM, min_weight=least(n))


def theirs(n: int) -> Callable[[], Any]:
    """The peer on radians, one job; imported here so that it does not weigh on our own process."""
    from sklearn.cluster import DBSCAN  # noqa: PLC0415

    lon, lat = world(n, 1)
    points = np.radians(np.column_stack([lat, lon]))
    peer = DBSCAN(eps=EPS_KM / EARTH_RADIUS_KM, min_samples=least(n), metric="haversine", algorithm="ball_tree")
    return lambda: (peer.fit(points).labels_, np.isin(np.arange(n), peer.core_sample_indices_))


def main() -> None:
    """Print the comparison and the growth."""
    n = 100_000
    a, b = cost(ours, n), cost(theirs, n)
    (labels, core), (peer_labels, peer_core) = a.answer, b.answer
    pairs = set(zip(labels[core].tolist(), peer_labels[core].tolist(), strict=True))
    same = bool((core == peer_core).all() and len(pairs) == labels.max() + 1 == peer_labels.max() + 1)
    print(f"n {n:,}, eps {EPS_KM:g} km, min_weight {least(n)}; made-up points")
    print(
        f"  jiqun         {a.cpu:7.3f} CPU s   {a.peak_mb:6.0f} MB   {labels.max() + 1} clusters, {core.sum():,} core"
    )
    print(f"  scikit-learn  {b.cpu:7.3f} CPU s   {b.peak_mb:6.0f} MB   same core partition: {same}")
    print(f"  ratio         {b.cpu / a.cpu:7.1f} x less CPU")
    for m in (100_000, 300_000, 1_000_000, 3_000_000, 10_000_000):
        c = cost(ours, m)
        print(f"  n {m:>10,}  {c.cpu:7.2f} CPU s  {c.cpu / m * 1e6:5.2f} us a point  {c.peak_mb:6.0f} MB", flush=True)


if __name__ == "__main__":
    main()
