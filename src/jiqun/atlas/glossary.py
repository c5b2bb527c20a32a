"""What each measure is 指标释义: name, unit, formula, meaning and source, from `data/measures.csv`."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from jiqun.core.document import Text

TOPICS = {
    "clusters": Text("集群如何识别", "How clusters are found"),
    "classes": Text("做什么", "What firms make"),
    "regions": Text("按地区", "By region"),
    "measures": Text("整体测度", "Measures of the register"),
    "network": Text("网络与链主", "Network and chain leaders"),
    "chains": Text("产业链与缺口", "Industry chains and gaps"),
    "core": Text("核心产业占比", "Share of the core industries"),
    "parks": Text("载体", "Parks"),
    "belts": Text("产业带", "Industry belts"),
    "history": Text("历次变化", "Change from run to run"),
    "maps": Text("地图如何绘制", "How maps are drawn"),
    "diagnosis": Text("诊断、阶段与准备度", "Diagnosis, stage, readiness"),
}


@dataclass(frozen=True)
class Explained:
    """One measure 指标; `source` is empty where it is plain counting."""

    key: str
    topic: str
    name: Text
    unit: Text
    formula: str
    meaning: Text
    source: str


@cache
def measures() -> dict[str, Explained]:
    """Every measure by its key, in the order in which they are explained.

    Examples
    --------
    >>> measures()["lq"].name.en
    'Location quotient'
    """
    text = files("jiqun.atlas").joinpath("data", "measures.csv").read_text(encoding="utf-8")
    return {
        row["key"]: Explained(
            row["key"],
            row["topic"],
            Text(row["name_zh"], row["name_en"]),
            Text(row["unit_zh"], row["unit_en"]),
            row["formula"],
            Text(row["meaning_zh"], row["meaning_en"]),
            row["source"],
        )
        for row in csv.DictReader(text.splitlines())
    }
