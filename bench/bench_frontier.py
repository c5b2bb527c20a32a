"""Efficiency of 2,000 units on one kept basis, against SciPy's linprog, which starts each programme anew; and intervals.

`python bench/bench_frontier.py dea` or `bootstrap` runs one of the two.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl
from measure import cost
from scipy.optimize import linprog

from jiqun.assess import dea

INPUTS, OUTPUTS = ["x0", "x1", "x2", "x3"], ["y0", "y1", "y2"]
MANY, FEW, REPLICATIONS = 2_000, 300, 200


def units(n: int) -> pl.DataFrame:
    """Made-up units under decreasing efficiency; the same ones every time."""
    rng = np.random.default_rng(1)
    x = rng.lognormal(0, 0.5, (n, len(INPUTS)))
    reached = np.exp(-np.abs(rng.normal(0, 0.3, n)))
    made = (x ** (1 / len(INPUTS))).prod(axis=1) * reached
    y = made[:, None] * rng.dirichlet([3.0] * len(OUTPUTS), n)
    columns = dict(zip(INPUTS + OUTPUTS, np.hstack([x, y]).T, strict=True))
    return pl.DataFrame({"unit": np.arange(n), **columns})


def ours(n: int, returns: str) -> Callable[[], Any]:
    """Scores, slacks and peers."""
    table = units(n)

    def run() -> Any:
        found = dea(table, inputs=INPUTS, outputs=OUTPUTS, returns=returns)
        return found.scores["score"].to_numpy(), int(found.scores["efficient"].sum())

    return run


def theirs(n: int, returns: str) -> Callable[[], Any]:
    """Scores only, one call of linprog for each unit."""
    table = units(n)
    x, y = table.select(INPUTS).to_numpy(), table.select(OUTPUTS).to_numpy()

    def run() -> Any:
        score = np.empty(n)
        whole = np.r_[0.0, np.ones(n)][None] if returns == "vrs" else None
        one = np.ones(1) if returns == "vrs" else None
        for o in range(n):
            rows = np.vstack([np.c_[-x[o], x.T], np.c_[np.zeros(len(OUTPUTS)), -y.T]])
            bound = np.r_[np.zeros(len(INPUTS)), -y[o]]
            score[o] = linprog(np.r_[1.0, np.zeros(n)], rows, bound, whole, one, method="highs").fun
        return score, int((score > 1 - 1e-8).sum())

    return run


def sure(n: int) -> Callable[[], Any]:
    """Intervals too."""
    table = units(n)
    return lambda: dea(table, inputs=INPUTS, outputs=OUTPUTS, bootstrap=REPLICATIONS).scores


def compare() -> None:
    """Print both, and whether they agree."""
    print(
        f"made-up units, {len(INPUTS)} inputs, {len(OUTPUTS)} outputs; jiqun: scores, slacks and peers; linprog: scores"
    )
    for n, returns in ((FEW, "crs"), (FEW, "vrs"), (MANY, "crs"), (MANY, "vrs")):
        a = cost(ours, n, returns)
        line = f"  {n:,} units, {returns}: jiqun {a.cpu:5.2f} CPU s {a.peak_mb:4.0f} MB, {a.answer[1]} efficient"
        if n == FEW:
            b = cost(theirs, n, returns)
            gap = np.abs(a.answer[0] - b.answer[0]).max()
            line += f"; linprog {b.cpu:5.2f} CPU s, ratio {b.cpu / a.cpu:.1f}, scores differ by {gap:.0e} at most"
        print(line, flush=True)


def weigh_bootstrap() -> None:
    """Print what an interval costs."""
    n = 50
    c = cost(sure, n)
    each = c.cpu / REPLICATIONS / n * 1e6
    print(f"intervals of {n} units, {REPLICATIONS} replications: {c.cpu:.1f} CPU s, {each:.0f} µs a programme")


def main(words: list[str]) -> None:
    """Run what was asked for."""
    print("load " + " ".join(f"{one:.1f}" for one in os.getloadavg()))
    if not words or "dea" in words:
        compare()
    if not words or "bootstrap" in words:
        weigh_bootstrap()


if __name__ == "__main__":
    main(sys.argv[1:])
