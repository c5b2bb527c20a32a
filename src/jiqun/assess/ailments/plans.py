"""What plans and policies name 规划与政策的用词: industries by the taxonomy's lexicon, incentives by a list of our own.

Texts are loaded by the user. A text is read clause by clause, so that a list of five industries names five. Counted is what is
named, not what is meant: a clause that says an industry shall shrink counts as well.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
import polars as pl

from jiqun.assess.findings import Finding, Severity
from jiqun.core.document import Text
from jiqun.core.errors import MeasureInputError
from jiqun.core.frames import as_polars
from jiqun.taxonomy import classify_text

INCENTIVES = {
    "tax": Text("税收", "tax"),
    "land": Text("土地与租金", "land and rent"),
    "subsidy": Text("补贴奖励", "subsidies"),
    "fund": Text("基金资金", "funds"),
    "talent": Text("人才", "talent"),
}
LEVEL = 0.05
LEAST_REGIONS = 3
COMMON = 0.5
"""Ours: what at least so many regions name is listed as named by many; a high case shares so much of its list on average."""
_CLAUSE = r"[。；;，,、：:！!？?\n\r\t　()（）]+"
NAMED = {"text": pl.String, "digital_code": pl.String, "clauses": pl.Int64, "first": pl.String}
OFFERED = {"text": pl.String, "incentive": pl.String, "clauses": pl.Int64, "first": pl.String}


@cache
def _incentive_words() -> dict[str, str]:
    text = files("jiqun.assess").joinpath("data", "incentives.csv").read_text(encoding="utf-8")
    words: dict[str, list[str]] = {kind: [] for kind in INCENTIVES}
    for row in csv.DictReader(text.splitlines()):
        words[row["kind"]].append(row["word"])
    return {kind: "|".join(found) for kind, found in words.items()}


def clauses(texts: Any, *, name: str = "name", text: str = "text") -> pl.DataFrame:
    """Texts in clauses 分句: text (its name), clause; empty ones left out.

    Raises
    ------
    MeasureInputError
        JQ-USE-003: no such columns. JQ-ASSESS-084: a text is nameless, empty, or there twice under one name.
    """
    table = as_polars(texts, name, text).select(pl.col(name).cast(pl.String), pl.col(text).cast(pl.String))
    odd = table.filter(
        pl.col(name).is_null() | pl.col(name).is_duplicated() | (pl.col(text).str.strip_chars().fill_null("") == "")
    )
    if odd.height:
        raise MeasureInputError("JQ-ASSESS-084", name=odd[name][0] or "—", count=odd.height)
    parts = table.select(
        pl.col(name).alias("text"), clause=pl.col(text).str.replace_all(_CLAUSE, "\u0001").str.split("\u0001")
    ).explode("clause", empty_as_null=True, keep_nulls=True)
    return parts.with_columns(pl.col("clause").str.strip_chars()).filter(pl.col("clause") != "").drop_nulls()


def named_industries(texts: Any, *, name: str = "name", text: str = "text") -> pl.DataFrame:
    """Industries that texts name 文本提及的产业: text, digital_code, clauses that name it, the first of them.

    A clause names the digital group or division that `jiqun.taxonomy.classify_text` decides on.

    Examples
    --------
    >>> plans = pl.DataFrame({"name": ["plan"], "text": ["做强集成电路设计、锂离子电池，发展旅游。做强集成电路设计"]})
    >>> named_industries(plans).select("digital_code", "clauses", "first").rows()
    [('0304', 2, '做强集成电路设计')]
    """
    parts = clauses(texts, name=name, text=text)
    once = parts.select("clause").unique(maintain_order=True)
    read = classify_text(once["clause"], "name").select("digital_code", "core", "decided")
    known = once.hstack(read).filter(pl.col("decided") & pl.col("core")).select("clause", "digital_code")
    found = parts.join(known, on="clause", maintain_order="left").drop_nulls("digital_code")
    return _tally(found, "digital_code", NAMED)


def named_incentives(texts: Any, *, name: str = "name", text: str = "text") -> pl.DataFrame:
    """Incentives that texts offer 文本提及的优惠: text, incentive (`INCENTIVES`), clauses, the first of them.

    Examples
    --------
    >>> plans = pl.DataFrame({"name": ["plan"], "text": ["对企业给予税收优惠，保障用地；给予税收优惠"]})
    >>> named_incentives(plans).select("incentive", "clauses").rows()
    [('land', 1), ('tax', 2)]
    """
    parts = clauses(texts, name=name, text=text)
    frames = [
        parts.filter(pl.col("clause").str.contains(words)).with_columns(incentive=pl.lit(kind))
        for kind, words in _incentive_words().items()
    ]
    return _tally(pl.concat(frames), "incentive", OFFERED)


def _tally(found: pl.DataFrame, by: str, schema: Mapping[str, Any]) -> pl.DataFrame:
    told = found.group_by("text", by, maintain_order=True).agg(
        clauses=pl.len().cast(pl.Int64), first=pl.col("clause").first().str.head(60)
    )
    return told.select(pl.col(name).cast(kind) for name, kind in schema.items()).sort("text", by)


@dataclass(frozen=True)
class Overlap:
    """How alike the lists of what texts name are 名单重合度: mean Jaccard similarity of two, against random lists of equal length."""

    similarity: float
    expected: float
    low: float
    high: float
    p: float
    shared: pl.DataFrame
    """what, regions (that name it), of (all regions)."""
    throws: int


def overlap(
    named: Any, *, region: str = "text", what: str = "digital_code", throws: int = 999, seed: int = 20240501
) -> Overlap:
    """Whether regions name the same things more than by chance 规划重合.

        J̄ = mean over pairs of |A ∩ B| / |A ∪ B|,   p = (b + 1) / (throws + 1)

    b: throws in which every region keeps the length of its list, drawn blindly from all that any region names, and J̄ is at
    least as high.

    Raises
    ------
    MeasureInputError
        JQ-USE-003: a column is missing. JQ-ASSESS-085: fewer than three regions or two things are named.

    Examples
    --------
    >>> named = pl.DataFrame({"text": list("AABBCC"), "digital_code": ["x", "y"] * 3})
    >>> overlap(named, throws=99).similarity
    1.0
    """
    table = as_polars(named, region, what).select(region, what).drop_nulls().unique()
    regions, things = (table[name].unique().sort() for name in (region, what))
    if len(regions) < LEAST_REGIONS or len(things) < 2:
        raise MeasureInputError("JQ-ASSESS-085", regions=len(regions), named=len(things), least=LEAST_REGIONS)
    has = np.zeros((len(regions), len(things)))
    at = {
        column: {value: i for i, value in enumerate(values)} for column, values in ((region, regions), (what, things))
    }
    for r, w in table.iter_rows():
        has[at[region][r], at[what][w]] = 1.0
    rng = np.random.default_rng(seed)
    seen = _jaccard(has)
    lengths = has.sum(axis=1).astype(int)
    drawn = np.empty(throws)
    for throw in range(throws):
        order = rng.random(has.shape).argsort(axis=1).argsort(axis=1)
        drawn[throw] = _jaccard((order < lengths[:, None]).astype(np.float64))
    low, high = np.quantile(drawn, [LEVEL / 2, 1 - LEVEL / 2])
    shared = table.group_by(what).agg(regions=pl.len().cast(pl.Int64)).with_columns(of=pl.lit(len(regions), pl.Int64))
    return Overlap(
        seen, float(drawn.mean()), float(low), float(high), (int((drawn >= seen - 1e-12).sum()) + 1) / (throws + 1),
        shared.rename({what: "what"}).sort("regions", "what", descending=[True, False]), throws,
    )  # fmt: skip


def _jaccard(has: Any) -> float:
    both = has @ has.T
    length = has.sum(axis=1)
    one, other = np.triu_indices(has.shape[0], 1)
    either = length[one] + length[other] - both[one, other]
    return float((both[one, other] / either).mean())


def plans_finding(
    texts: Any, *, names: Mapping[str, Text] | None = None, labels: Mapping[str, Text] | None = None
) -> Finding:
    """Whether the plans of regions name the same industries, and which incentives they offer 规划同质.

    Parameters
    ----------
    texts
        `region` and `text`; several texts of a region count together. None: unknown.

    Returns
    -------
    Found where the lists overlap more than blind ones of equal length do (p < 0.05); high where two lists have half in
    common on average, else medium (ours). Unknown with texts of fewer than three regions.
    """
    names, labels = names or {}, labels or {}
    common: dict[str, Any] = {
        "unit": "all",
        "code": "homogeneity.plans",
        "title": Text("规划同质", "Plans that name the same"),
    }
    varies = Text(
        "按词表计数，未列的说法会漏掉；提到不等于支持",
        "counted by a word list, so that other wordings are missed; to name is not to support",
    )
    table = None if texts is None else as_polars(texts, "region", "text").drop_nulls()
    lists = None
    if table is not None and table["region"].n_unique() >= LEAST_REGIONS:
        joined = table.group_by("region", maintain_order=True).agg(pl.col("text").str.join("\n"))
        lists = named_industries(joined, name="region")
        offered = named_incentives(joined, name="region")
    if lists is None or lists["text"].n_unique() < LEAST_REGIONS or lists["digital_code"].n_unique() < 2:
        return Finding(
            **common, state="unknown",
            sentence=Text("没有至少三个地区的规划文本，看不出是否雷同。", "There are no plans of at least three regions that name industries, so that they cannot be compared."),
            varies=varies, missing=(Text("至少三个地区的规划或政策文本(region、text)", "plans or policies of at least three regions (region, text)"),),
            action=Text(
                "在“诊断用表”页给出文本(或用 jiqun assess diagnose --plans)：每行一个地区和一段文字。",
                "Give texts on the page “What you give to the diagnosis” (or with jiqun assess diagnose --plans): a row with a region and a text each.",
            ),
        )  # fmt: skip
    told = overlap(lists)
    found = told.p < LEVEL
    severity: Severity = "high" if told.similarity >= COMMON else "medium"
    many = told.shared.filter(pl.col("regions") >= COMMON * pl.col("of"))
    said = [labels.get(code, Text(code, code)) for code in many["what"].head(4)]
    zh, en = "、".join(one.zh for one in said), ", ".join(one.en for one in said)
    kinds = (
        offered.group_by("incentive")
        .agg(regions=pl.col("text").n_unique())
        .sort("regions", "incentive", descending=[True, False])
    )
    told_kinds = [(INCENTIVES[k], n) for k, n in kinds.iter_rows()]
    evidence = told.shared.rename({"what": "industry"}).with_columns(
        named_by=pl.Series(
            [", ".join(sorted(lists.filter(pl.col("digital_code") == code)["text"])) for code in told.shared["what"]],
            dtype=pl.String,
        )
    )
    return Finding(
        **common, state="found" if found else "not_found", severity=severity if found else None,
        statistic=told.similarity, low=told.low, high=told.high,
        measure=Text("名单平均重合度(Jaccard)", "mean overlap of lists (Jaccard)"),
        sentence=Text(
            f"两地规划提到的产业平均有 {told.similarity:.0%} 重合；盲选为 {told.expected:.0%}(95 %：{told.low:.0%} 至 {told.high:.0%})，p = {told.p:.3f}"
            + (f"；过半地区都提到{zh}" if said else "") + "。优惠：" + "、".join(f"{k.zh}({n} 地)" for k, n in told_kinds) + "。",
            f"Plans of two regions share {told.similarity:.0%} of the industries they name on average; chosen blindly it would be "
            f"{told.expected:.0%} (95 %: {told.low:.0%} to {told.high:.0%}), p = {told.p:.3f}" + (f"; most name {en}" if said else "")
            + ". Incentives: " + ", ".join(f"{k.en} ({n} regions)" for k, n in told_kinds) + ".",
        ),
        varies=Text(f"{varies.zh}；区间是 {told.throws:,} 次盲选的范围", f"{varies.en}; the interval is that of {told.throws:,} blind choices"),
        evidence=evidence,
        action=Text("比对各地规划，删去没有基础的产业，并约定优惠的底线。", "Compare the plans, drop what a region has no basis for, and agree a floor for incentives.")
        if found else Text("无需行动。", "Nothing to do."),
    )  # fmt: skip
