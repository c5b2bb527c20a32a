"""Response rates 答复率: who was asked, who answered, who declined, who kept silent.

For every group

    expected = answered + declined + silent
    rate = answered / expected
    eligible rate = answered / (expected − not applicable)

where *declined* holds those who say that they do not want to, and those to whom it does not apply; *started* counts
those of the silent who saved a draft. The first rate treats everyone who was asked as due, the second leaves out who
has nothing to report (AAPOR, Standard Definitions, 10th ed. 2023, response rates 1 and 5 are built alike).
"""

from __future__ import annotations

import polars as pl

from jiqun.core.errors import MeasureInputError

SIZE_CLASSES = (("micro", 0), ("small", 20), ("medium", 300), ("large", 1000))
"""Size classes by persons employed, lower bounds: those of industry in 统计上大中小微型企业划分办法(2017), of which only
the employment criterion is used, since revenue is often unknown."""
STATES = ("answered", "declined", "silent")
NEEDED = ("state", "decline", "employees")


def size_class(employees: int | None) -> str:
    """Size class 规模 by persons employed; `unknown` where that is not known.

    Examples
    --------
    >>> [size_class(count) for count in (None, 0, 19, 20, 300, 1000)]
    ['unknown', 'micro', 'micro', 'small', 'medium', 'large']
    """
    if employees is None:
        return "unknown"
    return next(name for name, least in reversed(SIZE_CLASSES) if employees >= least or least == 0)


def response_rates(roster: pl.DataFrame, by: str | None = None) -> pl.DataFrame:
    """Response rates 答复率 of a round, in all or by `size_class` or `region`.

    Parameters
    ----------
    roster
        One row per organisation that was asked: `state` (silent, started, answered, declined), `decline`
        (not_applicable, unwilling, other or null), `employees` (persons, or null), and the column `by`.

    Returns
    -------
    group, expected, answered, declined, not_applicable, silent, started, rate, eligible_rate, and of the persons
    employed where they are known: employees_known (of how many organisations), employees_expected, employees_answered,
    employees_share. A rate of nobody is null, never 0.

    Raises
    ------
    MeasureInputError
        JQ-SURVEY-027: a column is missing, or a state is none of those.

    Examples
    --------
    >>> asked = pl.DataFrame({"state": ["answered", "started", "declined"], "decline": [None, None, "not_applicable"],
    ...     "employees": [30, None, 10]})
    >>> response_rates(asked).select("expected", "answered", "declined", "silent", "eligible_rate").row(0)
    (3, 1, 1, 1, 0.5)
    """
    missing = [name for name in (*NEEDED, *([by] if by else [])) if name not in roster.columns]
    if missing:
        raise MeasureInputError("JQ-SURVEY-027", value=", ".join(missing))
    odd = set(roster["state"].unique()) - {*STATES, "started"}
    if odd:
        raise MeasureInputError("JQ-SURVEY-027", value=", ".join(map(str, sorted(odd, key=str))))
    state, size = pl.col("state"), pl.col("employees").cast(pl.Int64)
    answered = state == "answered"
    counts = [
        pl.len().cast(pl.Int64).alias("expected"),
        answered.sum().cast(pl.Int64).alias("answered"),
        (state == "declined").sum().cast(pl.Int64).alias("declined"),
        ((state == "declined") & (pl.col("decline") == "not_applicable").fill_null(value=False))
        .sum().cast(pl.Int64).alias("not_applicable"),
        state.is_in(["silent", "started"]).sum().cast(pl.Int64).alias("silent"),
        (state == "started").sum().cast(pl.Int64).alias("started"),
        size.is_not_null().sum().cast(pl.Int64).alias("employees_known"),
        size.sum().alias("employees_expected"),
        size.filter(answered).sum().alias("employees_answered"),
    ]  # fmt: skip
    keyed = roster.with_columns(group=pl.col(by).cast(pl.String) if by else pl.lit("all"))
    table = keyed.group_by("group", maintain_order=True).agg(counts) if by or roster.height else keyed.select(
        pl.lit("all").alias("group"), *counts
    )  # fmt: skip
    return table.with_columns(
        rate=_share("answered", pl.col("expected")),
        eligible_rate=_share("answered", pl.col("expected") - pl.col("not_applicable")),
        employees_share=_share("employees_answered", pl.col("employees_expected")),
    ).sort(pl.col("group").is_null(), "expected", "group", descending=[False, True, False])


def _share(part: str, whole: pl.Expr) -> pl.Expr:
    return pl.when(whole > 0).then(pl.col(part) / whole)
