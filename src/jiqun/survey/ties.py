"""From what firms report of their ties to links 关联填报合并. A tie that nobody named is not known to be absent.

A tie is *reported by* its source, its target or both. Between two that answered, one that neither named is absent as
far as they say; where one of the two kept silent, it may be there.
"""

from __future__ import annotations

import polars as pl

REPORTS = {
    "reporter": pl.String,
    "partner": pl.String,
    "kind": pl.String,
    "direction": pl.String,
    "strength": pl.Float64,
}
"""What is reported: by whom, about whom (an id, or a name outside the roster), which kind of link, where the reporter
stands (`source`, `target`, `both`), how strong."""
LINKS = ("source", "target", "kind", "weight", "reported_by", "weight_source", "weight_target")


def merge_reports(reports: pl.DataFrame) -> pl.DataFrame:
    """Links of all reports 合并双方填报, each once.

    A link without direction goes from the lesser id to the greater. `weight` is the mean of the strengths given, 1 if
    none was; `weight_source` and `weight_target` are what each side said (null: it said none, or nothing at all).

    Returns
    -------
    source, target, kind, weight, reported_by (source, target, both), weight_source, weight_target; sorted.

    Examples
    --------
    >>> said = pl.DataFrame([("a", "b", "supply", "source", 3.0), ("b", "a", "supply", "target", 1.0),
    ...     ("c", "a", "project", "both", None)], schema=REPORTS, orient="row")
    >>> merge_reports(said).select("source", "target", "kind", "weight", "reported_by").rows()
    [('a', 'b', 'supply', 2.0, 'both'), ('a', 'c', 'project', 1.0, 'target')]
    """
    me, other = pl.col("reporter"), pl.col("partner")
    first = pl.when(pl.col("direction") == "both").then(me <= other).otherwise(pl.col("direction") == "source")
    sided = reports.select(
        source=pl.when(first).then(me).otherwise(other),
        target=pl.when(first).then(other).otherwise(me),
        kind="kind",
        side=pl.when(first).then(pl.lit("source")).otherwise(pl.lit("target")),
        strength=pl.col("strength").cast(pl.Float64),
    )
    said = [
        pl.col("strength").filter(pl.col("side") == side).mean().alias(f"weight_{side}")
        for side in ("source", "target")
    ]
    merged = sided.group_by("source", "target", "kind").agg(
        *said, sides=pl.col("side").n_unique(), one=pl.col("side").first()
    )
    return (
        merged.with_columns(
            weight=pl.mean_horizontal("weight_source", "weight_target").fill_null(1.0),
            reported_by=pl.when(pl.col("sides") == 2).then(pl.lit("both")).otherwise("one"),
        )
        .select(LINKS)
        .sort("source", "target", "kind")
    )


def report_agreement(links: pl.DataFrame, nodes: pl.DataFrame) -> float | None:
    """Share of links that both sides report 双方互报率, among those between two organisations that answered.

    Parameters
    ----------
    links
        source, target, reported_by, as `merge_reports` returns.
    nodes
        organisation, responded.

    Returns
    -------
    A share from 0 to 1; None where no link lies between two that answered.

    Examples
    --------
    >>> nodes = pl.DataFrame({"organisation": ["a", "b", "c"], "responded": [True, True, False]})
    >>> links = pl.DataFrame({"source": ["a", "b"], "target": ["b", "c"], "reported_by": ["both", "source"]})
    >>> report_agreement(links, nodes)
    1.0
    """
    answered = nodes.filter("responded")["organisation"].implode()
    within = links.filter(pl.col("source").is_in(answered) & pl.col("target").is_in(answered))
    if not within.height:
        return None
    return int((within["reported_by"] == "both").sum()) / within.height
