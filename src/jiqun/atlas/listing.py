"""Clusters as a list 集群列表: what columns a terminal, a sheet and a report share, and how events and numbers are worded."""

from __future__ import annotations

import polars as pl

from jiqun.core.document import Text
from jiqun.core.errors import Language
from jiqun.intake.gazetteer import country_name
from jiqun.report.formats import ratio_number

EVENTS = {
    "born": Text("新增", "new"),
    "continued": Text("延续", "continued"),
    "split": Text("分立", "split off"),
    "merged": Text("合并", "merged"),
}


def summary_table(clusters: pl.DataFrame) -> pl.DataFrame:
    """The columns of a run that fit a terminal, in rank order."""
    wanted = ("cluster_id", "name_en", "name_zh", "country", "firms", "size", "expected", "ratio", "llr", "p_adjusted")
    return clusters.select(
        pl.int_range(1, pl.len() + 1).alias("rank"),
        *wanted,
        "persistence",
        "event",
        pl.col("digital_code").alias("class"),
    )


def short_table(clusters: pl.DataFrame, language: Language) -> pl.DataFrame:
    """As `summary_table`, for eighty columns of a terminal: one name, rounded numbers, words."""
    rows = [
        (
            rank,
            row["cluster_id"],
            row[f"name_{language}"],
            country_text(row["country"]).get(language),
            f"{row['firms']:,}",
            ratio_text(row["ratio"]).get(language),
            EVENTS[row["event"]].get(language),
        )
        for rank, row in enumerate(clusters.to_dicts(), 1)
    ]
    zh, en = (
        ("序", "编号", "集群", "国家或地区", "企业", "倍数", "变化"),
        ("#", "id", "cluster", "country or region", "firms", "× expected", "change"),
    )
    names = zh if language == "zh" else en
    return pl.DataFrame(
        rows, schema={name: pl.Int64 if i == 0 else pl.String for i, name in enumerate(names)}, orient="row"
    )


def ratio_text(value: float | None) -> Text:
    """A ratio to expectation, as ×52; a dash where there is none."""
    return Text("—", "—") if value is None else Text(f"×{ratio_number(value)}", f"×{ratio_number(value)}")


def country_text(code: str | None) -> Text:
    """A country or region by its ISO code, in both languages; a dash where it is not known."""
    if code is None:
        return Text("—", "—")
    return Text(country_name(code, "zh"), country_name(code, "en"))
