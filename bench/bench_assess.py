"""Uncertainty of an index of 60 made-up indicators and 300 units: 1,000 runs, and the sensitivity analysis beside them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import polars as pl
from measure import cost

from jiqun.assess.framework import Framework, parse_framework
from jiqun.assess.rank_uncertainty import Uncertainty, uncertainty

UNITS, INDICATORS, DIMENSIONS = 300, 60, 6


def framework() -> Framework:
    """Six dimensions with ten indicators each, two of five computed by the atlas."""
    rows = ["kind,code,parent,zh,en,version,unit,source,origin", "framework,bench,,测试,Benchmark,1,,,"]
    rows += ["dimension,index,,指数,Index,,,,"]
    rows += [f"dimension,d{k},index,维度,dimension,,,," for k in range(DIMENSIONS)]
    rows += [
        f"indicator,i{k},d{k % DIMENSIONS},指标,indicator,,1,synthetic,{'atlas' if k % 5 < 2 else 'table'}"
        for k in range(INDICATORS)
    ]
    return parse_framework("\n".join(rows), "bench.csv").changed(low=50, group="group", impute="mean")


def table(told: Framework) -> pl.DataFrame:
    """Values with a common factor and 3 % of gaps."""
    rng = np.random.default_rng(7)
    values = np.exp(0.6 * rng.normal(size=(UNITS, 1)) + rng.normal(size=(UNITS, INDICATORS)))
    values[rng.random(values.shape) < 0.03] = np.nan
    columns = {code: pl.Series(values[:, k], nan_to_null=True) for k, code in enumerate(told.codes)}
    return pl.DataFrame({"unit": [f"u{k}" for k in range(UNITS)], "group": [k % 7 for k in range(UNITS)]} | columns)


def analysis(sensitivity: int) -> Callable[[], tuple[int, int]]:
    """Everything varies at once: 432 combinations."""
    told = framework()
    frame = table(told)
    wide = frame.select("unit", *(pl.col(one.code) * 1.1 for one in told.indicators if one.origin == "atlas"))

    def whole() -> tuple[int, int]:
        found: Uncertainty = uncertainty(
            frame,
            told,
            impute=["mean", "median", "group_mean"],
            treat=["none", "winsorise_or_log"],
            normalise=["minmax", {"normalise": "z", "mean": 100, "sd": 10}, "percentile"],
            weights=["given", "entropy", "critic", "pca"],
            aggregate=["arithmetic", "geometric", "mpi_minus"],
            weight_spread=0.25,
            leave_out=True,
            boundaries={"wide": wide},
            runs=1000,
            sensitivity=sensitivity,
        )
        return found.runs, found.sensitivity_runs

    return whole


def main() -> None:
    """Print CPU and wall seconds and memory."""
    for sensitivity in (0, 256):
        c = cost(analysis, sensitivity)
        runs, more = c.answer
        print(
            f"{INDICATORS} indicators x {UNITS} units, {runs:,} runs + {more:,} for sensitivity: "
            f"{c.cpu:5.1f} CPU s  {c.wall:5.1f} s  {c.peak_mb:5.0f} MB",
            flush=True,
        )


if __name__ == "__main__":
    main()
