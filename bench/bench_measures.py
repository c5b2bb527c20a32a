"""Complexity, proximity and density against econcomplex; M and K-density of fifty thousand firms with their bands.

`python bench/bench_measures.py complexity` or `distances` runs one of the two.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl
from measure import cost

from jiqun.atlas.industry_space import complexity, presence, relatedness, relatedness_density
from jiqun.atlas.pairs import k_density, m_function

SHAPES = ((2_800, 1_380), (250, 1_200))
FIRMS, CASES, DRAWS, MAX_KM = 50_000, 5_000, 199, 180.0


def cells(regions: int, industries: int) -> pl.DataFrame:
    """Made-up firms by region and industry, nested with noise; the same ones every time."""
    rng = np.random.default_rng(7)
    r, i = np.meshgrid(np.arange(regions), np.arange(industries), indexing="ij")
    reach = 0.1 + 0.9 * rng.random((regions, 1)) ** 2
    n = rng.poisson(3 * np.exp(-3 * i / industries / reach) * rng.gamma(0.3, 3.0, (regions, industries)))
    kept = n > 0
    return pl.DataFrame({"region": r[kept], "industry": i[kept], "n": n[kept]})


def ours(regions: int, industries: int) -> Callable[[], Any]:
    """From cells to ECI, proximity of pairs and density of every region and industry, as frames."""
    table = cells(regions, industries)
    complexity(cells(20, 15), size="n")

    def run() -> Any:
        has = presence(table, size="n")
        found = complexity(has)
        pairs = relatedness(has, method="proximity")
        density = relatedness_density(has, method="proximity")
        eci = dict(found.regions.select("region", "eci").iter_rows())
        return eci, pairs.height, density.select(pl.col("density").sum()).item()

    return run


def theirs(regions: int, industries: int) -> Callable[[], Any]:
    """The peer from the full matrix, made before its clock starts; imported here so that it does not weigh on ours."""
    import econcomplex  # noqa: PLC0415

    table = cells(regions, industries)
    matrix = np.zeros((regions, industries))
    matrix[table["region"].to_numpy(), table["industry"].to_numpy()] = table["n"].to_numpy()

    def run() -> Any:
        eci, _ = econcomplex.eci_pci(matrix)
        phi = econcomplex.proximity(matrix, compute="product")
        product = np.asarray(next(iter(phi.values())))
        density = np.asarray(econcomplex.relatedness_density(matrix, phi=product))
        return dict(enumerate(np.asarray(eci))), int(np.count_nonzero(np.triu(product, 1))), float(density.sum()) / 100

    return run


def firms() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Made-up firms: twenty towns within 400 km, a third anywhere; cases are twice as likely near the first town."""
    rng = np.random.default_rng(3)
    centre = np.column_stack([rng.uniform(118, 122, 20), rng.uniform(29, 32, 20)])
    town = rng.integers(0, 20, FIRMS)
    lon, lat = centre[town].T + rng.normal(0, 0.15, (2, FIRMS))
    anywhere = rng.random(FIRMS) < 1 / 3
    lon[anywhere], lat[anywhere] = rng.uniform(118, 122, anywhere.sum()), rng.uniform(29, 32, anywhere.sum())
    odds = np.where((town == 0) & ~anywhere, 2.0, 1.0)
    case = np.zeros(FIRMS, dtype=bool)
    case[rng.choice(FIRMS, CASES, replace=False, p=odds / odds.sum())] = True
    return lon, lat, case


def curve(name: str) -> Callable[[], Any]:
    """One curve; compiled code is warmed first."""
    lon, lat, case = firms()
    first = np.flatnonzero(case)[:40]
    few = np.concatenate([first, np.flatnonzero(~case)[:200]])
    if name == "M":
        m_function(lon[few], lat[few], case[few], radii_km=[50, 500], draws=19)
        return lambda: m_function(lon, lat, case, draws=DRAWS)
    k_density(lon[few], lat[few], case[few], max_km=500, draws=19)
    return lambda: k_density(lon, lat, case, max_km=MAX_KM, draws=DRAWS)


def compare_complexity() -> None:
    """Print both against each other, and whether they agree."""
    print("complexity, proximity and density; made-up cells")
    for shape in SHAPES:
        a, b = cost(ours, *shape), cost(theirs, *shape)
        mine, other = a.answer, b.answer
        names = sorted(mine[0])
        gap = np.abs(np.abs([mine[0][name] for name in names]) - np.abs([other[0][name] for name in names])).max()
        print(
            f"  {shape[0]:,} x {shape[1]:,}: jiqun {a.cpu:6.2f} CPU s {a.peak_mb:5.0f} MB, econcomplex {b.cpu:6.2f} CPU s "
            f"{b.peak_mb:5.0f} MB, ratio {b.cpu / a.cpu:.1f}; ECI differs by {gap:.1e} at most, pairs {mine[1]:,} and "
            f"{other[1]:,}, summed density {mine[2]:.6g} and {other[2]:.6g}",
            flush=True,
        )


def weigh_distances() -> None:
    """Print wall, CPU and memory of both curves."""
    print(f"{FIRMS:,} made-up firms, {CASES:,} of the class, {MAX_KM:g} km, {DRAWS} draws, exact distances")
    for name in ("M", "K"):
        c = cost(curve, name)
        found = c.answer
        share = float(np.mean(found.concentrated | found.dispersed))
        print(
            f"  {name}: {c.wall:6.1f} s wall, {c.cpu:6.1f} CPU s, {c.peak_mb:5.0f} MB, p {found.p:g}, error {found.error_km:g} km, "
            f"{share:.0%} of the curve outside its band",
            flush=True,
        )


def main(words: list[str]) -> None:
    """Run what was asked for."""
    print("load " + " ".join(f"{one:.1f}" for one in os.getloadavg()))
    if not words or "complexity" in words:
        compare_complexity()
    if not words or "distances" in words:
        weigh_distances()


if __name__ == "__main__":
    main(sys.argv[1:])
