"""Loading made-up registers from CSV: rows a second and peak memory, clean and with three bad rows in ten.

`python bench/bench_intake.py 1000000` loads so many rows instead of ten million.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from measure import cost

from jiqun.core.actor import LOCAL
from jiqun.intake import desk
from jiqun.store import Workspace

ROWS = 10_000_000
PIECE = 500_000
HEADER = "企业名称,统一社会信用代码,行政区划代码,城市,行业代码,从业人数,营业收入（万元）,成立日期,经度,纬度\n"
SEATS = {
    "440305": ("深圳市", 113.93, 22.53),
    "110108": ("北京市", 116.30, 39.96),
    "310115": ("上海市", 121.55, 31.22),
    "330106": ("杭州市", 120.13, 30.26),
    "320505": ("苏州市", 120.57, 31.30),
    "510104": ("成都市", 104.08, 30.65),
    "420106": ("武汉市", 114.31, 30.56),
}
ALPHABET = np.frombuffer(b"0123456789ABCDEFGHJKLMNPQRTUWXY", dtype=np.uint8)
WEIGHTS = np.array([1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28])


def write(path: str, rows: int, bad: float) -> Callable[[], Any]:
    """A register of made-up firms; a share `bad` of them lacks its name, or has a bad code or number."""

    def run() -> int:
        rng = np.random.default_rng(1)
        with Path(path).open("wb") as file:
            file.write(HEADER.encode())
            for start in range(0, rows, PIECE):
                file.write(_piece(rng, start, min(PIECE, rows - start), bad).write_csv(include_header=False).encode())
        return Path(path).stat().st_size

    return run


def _piece(rng: np.random.Generator, start: int, count: int, bad: float) -> pl.DataFrame:
    digits = rng.integers(0, 10, (count, 17))
    digits[:, 0] = 9
    check = (31 - (digits @ WEIGHTS) % 31) % 31
    letters = ALPHABET[np.column_stack([digits, check])]
    kind = np.where(rng.random(count) < bad, rng.integers(1, 4, count), 0)
    letters[kind == 1, 17] = ALPHABET[(check[kind == 1] + 1) % 31]
    region = rng.integers(0, len(SEATS), count)
    city, lon, lat = (np.array(column)[region] for column in zip(*SEATS.values(), strict=True))
    number = np.arange(start, start + count)
    return pl.DataFrame(
        {
            "name": pl.Series(number).cast(pl.String),
            "uscc": letters.view("S18").ravel().astype("U18"),
            "region": np.array(list(SEATS))[region],
            "city": city,
            "industry": np.array(["6513", "3912", "3969", "6421", "7271"])[rng.integers(0, 5, count)],
            "employees": np.where(kind == 2, -1, rng.integers(1, 5000, count)),
            "revenue": rng.lognormal(6, 2, count).round(2),
            "founded": pl.Series(rng.integers(0, 15_000, count)).cast(pl.Date),
            "lon": (lon + rng.uniform(-0.1, 0.1, count)).round(6),
            "lat": (lat + rng.uniform(-0.1, 0.1, count)).round(6),
            "nameless": kind == 3,
        }
    ).select(
        pl.when("nameless").then(pl.lit("")).otherwise(pl.format("某市第{}号电子科技有限公司", "name")),
        pl.all().exclude("name", "nameless"),
    )


def load(folder: str, file: str) -> Callable[[], Any]:
    """Into a workspace of its own; the gazetteer is built and kernels are compiled before."""
    workspace = Workspace.init(Path(folder))
    desk.load(LOCAL, workspace, pl.DataFrame({"name": ["甲"], "uscc": ["91110000600037341L"]}), "organisations")
    small = Path(folder) / "small.csv"
    small.write_text("name,city\n甲,深圳\n", encoding="utf-8")
    desk.load(LOCAL, workspace, small, "organisations", check_only=True)

    def run() -> dict[str, int]:
        return {
            k: v for k, v in desk.load(LOCAL, workspace, file, "organisations").to_dict().items() if isinstance(v, int)
        }

    return run


def main(rows: int) -> None:
    """Print rows a second and memory."""
    with tempfile.TemporaryDirectory() as folder:
        for bad in (0.0, 0.3):
            file = f"{folder}/register-{bad}.csv"
            size = cost(write, file, rows, bad).answer
            c = cost(load, f"{folder}/{bad}", file)
            counts = c.answer
            print(
                f"{rows:,} rows, {size / 1e6:,.0f} MB, {bad:.0%} bad: {rows / c.wall:,.0f} rows/s, {c.wall:.1f} s, "
                f"{c.cpu:.1f} CPU s, peak {c.peak_mb:,.0f} MB; kept {counts['kept']:,}, refused {counts['refused']:,}, "
                f"cells emptied {counts['emptied']:,}",
                flush=True,
            )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else ROWS)
