"""10⁷ made-up firms: class by industry code, location quotients, and grouping of identical coordinates."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from measure import cost

from jiqun.atlas.measures import location_quotient
from jiqun.taxonomy import classify_codes, known_codes

N = 10_000_000


def write(path: str) -> Callable[[], Any]:
    """The register as Parquet: city, industry code, city-block coordinates."""

    def run() -> None:
        rng = np.random.default_rng(1)
        codes = np.array(sorted(code for code in known_codes("GB/T 4754-2017") if len(code) == 4))
        parts = []
        for _ in range(10):
            city = rng.integers(0, 300, N // 10)
            parts.append(
                pl.DataFrame(
                    {
                        "region": pl.Series(city).cast(pl.String),
                        "industry_code": codes[rng.integers(0, len(codes), N // 10)],
                        "lon": (100 + city % 20 + rng.integers(0, 300, N // 10) / 1000),
                        "lat": (25 + city // 20 + rng.integers(0, 300, N // 10) / 1000),
                    }
                )
            )
        pl.concat(parts).write_parquet(path, row_group_size=500_000)

    return run


def analyse(path: str) -> Callable[[], Any]:
    """The three steps, streamed from the file."""

    def run() -> tuple[int, int, int]:
        firms = pl.scan_parquet(path)
        classed = classify_codes(firms, column="industry_code")
        core = classed.select(pl.col("core").sum()).collect(engine="streaming").item()
        cells = location_quotient(classed, region="region", industry="digital_division", size=None)
        quotients = cells.collect(engine="streaming").height
        places = firms.group_by("lon", "lat").agg(pl.len()).collect(engine="streaming").height
        return core, quotients, places

    return run


def main() -> None:
    """Print CPU seconds and memory."""
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "register.parquet")
        cost(write, path)
        c = cost(analyse, path)
    core, quotients, places = c.answer
    print(
        f"{N:,} firms: {c.cpu:.1f} CPU s  {c.wall:.1f} s  {c.peak_mb:,.0f} MB  "
        f"({core:,} core firms, {quotients} cells, {places:,} places)"
    )


if __name__ == "__main__":
    main()
