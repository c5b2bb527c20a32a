"""Texts and labels for the tests of labelling and training: synthetic, of no real firm."""

from __future__ import annotations

import numpy as np
import polars as pl

CORE = ("软件开发", "芯片制造", "光缆生产", "系统集成服务", "手机制造", "集成电路设计", "电路板生产", "游戏运营")
OTHER = ("白酒酿造", "水泥生产", "生猪养殖", "服装加工", "房屋建筑", "中药制造", "煤炭开采", "汽车零部件制造")
PLACES = "北南东西海山江河林田"


def texts(n: int, *, seed: int = 1, noise: float = 0.0) -> tuple[pl.Series, np.ndarray]:
    """Different texts of which about two in five are core; a share `noise` of labels is wrong."""
    rng = np.random.default_rng(seed)
    core = rng.random(n) < 0.4
    made = []
    for number, is_core in enumerate(core):
        words = rng.choice(CORE if is_core else OTHER, 2, replace=False)
        made.append(f"{PLACES[number % 10]}{number}：{words[0]}、{words[1]}")
    return pl.Series(made), core ^ (rng.random(n) < noise)


def firms(n: int, *, seed: int = 1) -> pl.DataFrame:
    """A register of made-up firms with a main business."""
    made, _ = texts(n, seed=seed)
    return pl.DataFrame({"id": [f"o{i:07d}" for i in range(n)], "name": [f"Firm {i}" for i in range(n)]}).with_columns(
        main_business=made
    )
