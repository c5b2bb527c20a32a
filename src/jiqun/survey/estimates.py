"""From answers of firms to one number of a cluster or region 答卷汇总: estimates, with who answered and how sure they are.

With N firms of a unit asked to whom the question applies, n of them with an answer xᵢ (weight wᵢ), and f = n / N

    mean           x̄ = Σ xᵢ / n                      se = √((1 − f) · s² / n)
    share          as the mean of 1 (the option) and 0 (another)
    sum            N · x̄                             se = N · √((1 − f) · s² / n)
    weighted mean  Σ wᵢ xᵢ / Σ wᵢ                    se = √((1 − f) · n / (n − 1) · Σ wᵢ² (xᵢ − x̄_w)²) / Σ wᵢ
    median         of the xᵢ                         none

Everyone of the unit that is on the roster is asked, so that what makes these uncertain is who did not answer. The formulas are
those of a simple random sample of n out of N without replacement: they hold if those that did not answer are in no way
special, which no formula can tell. They say nothing of members that were not asked.

A value is not made of fewer than five answers (of three, mean and standard error would give one firm the numbers of both others), nor where one firm's share could be told from it: where what is left of
Σ |wᵢ xᵢ| without its two largest is less than a tenth of the largest (the p % rule, p = 10; not of shares and medians).

Sources: Cochran (1977), Sampling Techniques, 3rd ed., §§ 2.5–2.8, 3.2, 6.3 (ratio), 13 (nonresponse); Horvitz & Thompson
(1952), JASA 47, 663–685, of whose total `sum` is the case of equal chances n / N; Hundepool et al. (2012), Statistical
Disclosure Control, § 4.2 (threshold and p % rule); AAPOR, Standard Definitions, 10th ed. 2023, for what is counted.
"""

from __future__ import annotations

from typing import Literal

import polars as pl

from jiqun.core.errors import MeasureInputError

Aggregate = Literal["mean", "weighted_mean", "median", "sum", "share"]
"""How answers become one number."""
LEAST_ANSWERS = 5
"""Answers below which nothing is told of a unit. A firm that takes its own off has a mean, a spread and perhaps a median of the
others: of three answers that would be all of them."""
REMAINDER = 0.1
"""p of the p % rule."""
ANSWERS = ("value", "dont_know", "blank", "declined", "not_applicable", "silent")
"""What became of a question with a firm that was asked it."""
COUNTS = ("declined", "not_applicable", "dont_know", "blank", "silent")
NEEDED = {"organisation": pl.String, "answer": pl.String, "x": pl.Float64, "w": pl.Float64}
ESTIMATES: dict[str, pl.DataType] = {
    "unit": pl.String(), "members": pl.Int64(), "asked": pl.Int64(), "answered": pl.Int64(), "rate": pl.Float64(),
    **dict.fromkeys(COUNTS, pl.Int64()), "value": pl.Float64(), "se": pl.Float64(), "state": pl.String(),
}  # fmt: skip


def estimates(
    answers: pl.DataFrame,
    belongs: pl.DataFrame,
    aggregate: Aggregate,
    *,
    least: int = LEAST_ANSWERS,
    least_rate: float = 0.0,
) -> pl.DataFrame:
    """One number of each unit from the answers to one question 汇总答卷.

    Parameters
    ----------
    answers
        One row per organisation that was asked: `organisation`, `answer` (see `ANSWERS`), `x` the answer (1 or 0 of a
        share) and `w` its weight; both are read only where `answer` is `value`. A weight that is null or below zero makes
        it `blank`.
    belongs
        `unit` and `organisation`: an organisation of several units counts in each, one of none nowhere.
    least, least_rate
        Fewest answers, and lowest rate of answers to those asked; `least` is no less than `LEAST_ANSWERS`.

    Returns
    -------
    Of every unit: members (organisations that belong to it), asked, answered (n), rate (n / asked; null: nobody asked),
    declined, not_applicable, dont_know, blank, silent: with n they add up to asked. value and se in the unit of x, both null
    unless `state` is `shown`: else `unasked`, `few` (below `least`), `rate`, `dominated` or `weightless` (Σ w = 0). se is also
    null of medians.

    Raises
    ------
    MeasureInputError
        JQ-SURVEY-034: a column is missing, an organisation is there twice, or an answer is none of `ANSWERS`.

    Examples
    --------
    >>> told = pl.DataFrame({"organisation": list("abcdef"), "answer": ["value"] * 5 + ["silent"],
    ...     "x": [1.0, 0.0, 1.0, 0.0, 1.0, None], "w": [1.0] * 6})
    >>> inside = pl.DataFrame({"unit": ["u"] * 6, "organisation": list("abcdef")})
    >>> estimates(told, inside, "share").select("asked", "answered", pl.col("value", "se").round(4)).row(0)
    (6, 5, 0.6, 0.1)
    """
    _check(answers)
    weighted = aggregate == "weighted_mean"
    usable = pl.col("w").is_not_null() & (pl.col("w") >= 0) if weighted else pl.lit(value=True)
    answer = pl.when((pl.col("answer") == "value") & ~usable).then(pl.lit("blank")).otherwise(pl.col("answer"))
    there = answers.select(
        "organisation",
        "x",
        answer=answer,
        w=pl.col("w") if weighted else pl.lit(1.0),
    )
    rows = (
        belongs.select("unit", "organisation")
        .unique(maintain_order=True)
        .join(there, on="organisation", how="left", maintain_order="left")
    )
    has = pl.col("answer") == "value"
    x, w = pl.col("x").filter(has), pl.col("w").filter(has)
    parts = (w * x).abs().sort(descending=True)
    total, centre = w.sum(), (w * x).sum() / w.sum()
    found = rows.group_by("unit", maintain_order=True).agg(
        members=pl.len().cast(pl.Int64),
        asked=pl.col("answer").count().cast(pl.Int64),
        answered=has.sum().cast(pl.Int64),
        **{name: (pl.col("answer") == name).sum().cast(pl.Int64) for name in COUNTS},
        total=total,
        centre=centre if aggregate != "median" else x.median(),
        spread=(w**2 * (x - centre) ** 2).sum(),
        largest=parts.slice(0, 1).sum(),
        left=parts.slice(2).sum(),
    )
    n, applies = pl.col("answered"), pl.col("asked") - pl.col("not_applicable")
    se = ((1 - n / applies) * n / (n - 1) * pl.col("spread")).sqrt() / pl.col("total")
    scale = applies if aggregate == "sum" else pl.lit(1.0)
    guarded = aggregate not in {"share", "median"}
    state = (
        pl.when(pl.col("asked") == 0).then(pl.lit("unasked"))
        .when(n < max(least, LEAST_ANSWERS)).then(pl.lit("few"))
        .when(pl.col("rate") < least_rate).then(pl.lit("rate"))
        .when(pl.col("total") == 0).then(pl.lit("weightless"))
        .when(pl.lit(guarded) & (pl.col("left") < REMAINDER * pl.col("largest"))).then(pl.lit("dominated"))
        .otherwise(pl.lit("shown"))
    )  # fmt: skip
    shown = pl.col("state") == "shown"
    return (
        found.with_columns(rate=pl.when(pl.col("asked") > 0).then(n / pl.col("asked")))
        .with_columns(state=state)
        .with_columns(
            value=pl.when(shown).then(pl.col("centre") * scale),
            se=pl.when(shown & pl.lit(aggregate != "median")).then(se * scale),
        )
        .select(pl.col(name).cast(kind) for name, kind in ESTIMATES.items())
    )


def _check(answers: pl.DataFrame) -> None:
    missing = [name for name in NEEDED if name not in answers.columns]
    if missing:
        raise MeasureInputError("JQ-SURVEY-034", value=", ".join(missing))
    odd = answers.filter(~pl.col("answer").is_in(ANSWERS).fill_null(value=False))["answer"].unique()
    if len(odd):
        raise MeasureInputError("JQ-SURVEY-034", value=", ".join(map(str, odd.sort().to_list())))
    twice = answers.filter(pl.col("organisation").is_duplicated())["organisation"]
    if len(twice):
        raise MeasureInputError("JQ-SURVEY-034", value=f"{twice[0]} ×2")
