"""What survey rounds gave an index, in tables 调查应答表: who answered for each indicator and unit, and how sure its value is.

Units without a value are told with their counts to those only who may see everything: of few answers, that there are few
says something of single firms.
"""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from jiqun.assess.framework import Framework
from jiqun.assess.index_document import Heads, built_table, source_text, worded
from jiqun.assess.survey_values import how
from jiqun.core.document import Table, Text

STATES: Mapping[str, Text] = {
    "shown": Text("有数值", "has a value"),
    "few": Text("回答太少", "too few answers"),
    "rate": Text("答复率太低", "response rate too low"),
    "dominated": Text("一两家企业占主导，保密", "one or two firms dominate: confidential"),
    "weightless": Text("权重合计为 0", "weights add up to 0"),
    "unasked": Text("没有成员受访", "no member was asked"),
}
_OPEN: Heads = {
    "unit": ("单元", "unit", "text", 0),
    "code": ("代码", "code", "text", 0),
    "value": ("数值", "value", "number", 3),
    "se": ("标准误", "standard error", "number", 3),
    "measure": ("单位", "unit of measure", "text", 0),
    "answered": ("回答", "answered", "integer", 0),
    "asked": ("受访", "asked", "integer", 0),
    "rate": ("答复率", "response rate", "share", 0),
    "members": ("成员", "members", "integer", 0),
}
_INSIDE: Heads = {
    "state": ("状态", "state", "text", 0),
    "declined": ("拒绝", "declined", "integer", 0),
    "not_applicable": ("不适用", "not applicable", "integer", 0),
    "dont_know": ("不清楚", "do not know", "integer", 0),
    "blank": ("留空", "left empty", "integer", 0),
    "silent": ("未答", "silent", "integer", 0),
}


def response_rows(response: pl.DataFrame, year: int, *, inside: bool) -> pl.DataFrame:
    """Rows of `Surveyed.response` for a year that a reader may see; not `inside`: of units with a value alone."""
    rows = response.filter(pl.col("year") == year)
    return rows if inside else rows.filter(pl.col("state") == "shown")


def open_coverage(coverage: pl.DataFrame, response: pl.DataFrame, framework: Framework) -> pl.DataFrame:
    """Coverage for everybody: of survey indicators with the answers of the units that have a value, and how it is asked.

    `response`: of those units alone. What all units sum up to, and how many have too few answers, would tell of the others.
    """
    if "asked" not in coverage.columns:  # stored before surveys were aggregated
        return coverage
    counts = response.group_by("code").agg(pl.col("answered", "asked").sum())
    words = {one.code: how(one) for one in framework.indicators if one.question is not None}
    told = pl.DataFrame(
        [(code, text.zh, text.en) for code, text in words.items()], schema=["code", "how_zh", "how_en"], orient="row",
        schema_overrides=dict.fromkeys(("code", "how_zh", "how_en"), pl.String),
    )  # fmt: skip
    open_ = coverage.drop("answered", "asked").join(counts, on="code", how="left", maintain_order="left")
    open_ = open_.join(told, on="code", how="left", maintain_order="left")
    closed = coverage["asked"].is_not_null()
    return open_.with_columns(
        zh=pl.when(closed).then("how_zh").otherwise("zh"), en=pl.when(closed).then("how_en").otherwise("en")
    ).select(coverage.columns)


def response_table(
    response: pl.DataFrame,
    framework: Framework,
    year: int,
    *,
    inside: bool,
    as_of: str = "",
    most: int | None = None,
    alone: bool = False,
) -> Table:
    """Who answered for each indicator and unit 应答与数值; units by their key, or no unit where it stands `alone`."""
    rows = response_rows(response, year, inside=inside).sort("code", "unit")
    measures = {one.code: one.unit for one in framework.indicators}
    rows = rows.with_columns(measure=pl.col("code").replace_strict(measures, default=None, return_dtype=pl.String))
    heads = {key: head for key, head in (_OPEN | (_INSIDE if inside else {})).items() if key != "unit" or not alone}
    title = Text("调查应答与数值", "Survey answers and values")
    source = source_text(framework)
    table = built_table("response", title, rows, heads, source, as_of, most)
    table = worded(table, "measure", framework.measures)
    return worded(table, "state", STATES) if inside else table
