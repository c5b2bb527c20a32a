"""Distances at which a curve leaves its band, in words 距离段."""

from __future__ import annotations

import polars as pl

from jiqun.core.document import Text

STRETCHES = 3
"""Most stretches that a sentence names."""


def stretches(points: pl.DataFrame, least_km: float, gap_km: float = 0.0) -> list[tuple[float | None, float]]:
    """Runs of `out` over rising distance_km from `least_km` on: first (None: from the start on) and last distance.

    Runs that are less than `gap_km` apart are one: a curve does not tell more than its bandwidth.

    Examples
    --------
    >>> points = pl.DataFrame({"distance_km": [0.0, 1.0, 2.0, 3.0, 4.0], "out": [True, True, False, True, None]})
    >>> stretches(points, 0.5)
    [(None, 1.0), (3.0, 3.0)]
    >>> stretches(points, 0.5, 2.5)
    [(None, 3.0)]
    """
    told = points.filter(pl.col("distance_km") >= least_km).with_columns(pl.col("out").fill_null(value=False))
    runs = told.with_columns(run=pl.col("out").rle_id()).filter("out").group_by("run", maintain_order=True)
    ends = runs.agg(first=pl.col("distance_km").min(), last=pl.col("distance_km").max())
    start = told["distance_km"].min()
    found: list[tuple[float | None, float]] = []
    for _, first, last in ends.iter_rows():
        if found and first - found[-1][1] < gap_km:
            found[-1] = found[-1][0], last
        else:
            found.append((None if first == start else first, last))
    return found


def at_text(runs: list[tuple[float | None, float]]) -> Text:
    """Stretches of distance in words."""
    zh, en = [], []
    for first, last in runs[:STRETCHES]:
        if first is None:
            zh.append(f"{last:,g} 千米以内")
            en.append(f"up to {last:,g} km")
        elif first == last:
            zh.append(f"{last:,g} 千米处")
            en.append(f"at {last:,g} km")
        else:
            zh.append(f"{first:,g} 至 {last:,g} 千米")
            en.append(f"at {first:,g} to {last:,g} km")
    return Text(f"在 {'、'.join(zh)}", " and ".join(en))
