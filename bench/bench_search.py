"""The cluster search on a register of 10⁷ made-up firms, 10⁶ of them of the class; and its pieces on growing ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl
from measure import cost, world

from jiqun.atlas.clusters import find_clusters


def search(n: int, eps_km: float, persistence: bool) -> Callable[[], Any]:
    """A tenth of the firms are of the class, one in five of these in a few special cities."""
    lon, lat = world(n, 2, cities=3000)
    rng = np.random.default_rng(3)
    special = (rng.random(n) < 0.1) | ((lon > 100) & (lon < 101) & (rng.random(n) < 0.5))
    register = pl.DataFrame({"lon": lon, "lat": lat, "digital_code": np.where(special, "01", "")})
    find_clusters(register.head(5000), digital="01", eps_km=eps_km)

    def run() -> tuple[int, int, int]:
        found = find_clusters(register, digital="01", eps_km=eps_km, persistence=persistence)
        return found.table.height, found.firms, found.candidates

    return run


def main() -> None:
    """Print CPU seconds and memory as the register grows."""
    for n, persistence in ((100_000, True), (1_000_000, True), (10_000_000, False)):
        c = cost(search, n, 5.0, persistence)
        clusters, firms, candidates = c.answer
        print(
            f"class {firms:>9,} of {n:>10,} firms, eps 5 km{', with persistence' if persistence else ''}: "
            f"{c.cpu:6.1f} CPU s  {c.wall:6.1f} s  {c.peak_mb:6.0f} MB  {clusters} clusters, {candidates:,} candidates",
            flush=True,
        )


if __name__ == "__main__":
    main()
