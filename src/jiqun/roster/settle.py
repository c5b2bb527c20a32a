"""Settling 定案: what matching proposes and what people decided, together. What people decided counts."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass, field

import polars as pl

from jiqun.roster.evidence import PERSON
from jiqun.roster.match import ACCEPT, MARGIN, REVIEW, decide

_DECIDED = ("decision", "organisation", "score", "margin", "evidence", "shared")


@dataclass(frozen=True)
class Pairings:
    """Decisions of people that stand 人工判定: row key → the organisation it is, and pairs that are not the same."""

    same: Mapping[str, str] = field(default_factory=dict)
    different: Set[tuple[str, str]] = frozenset()


def settled(
    proposed: pl.DataFrame,
    candidates: pl.DataFrame,
    pairings: Pairings,
    *,
    accept: float = ACCEPT,
    margin: float = MARGIN,
    review: float = REVIEW,
) -> pl.DataFrame:
    """`proposed` (columns of `decide` and `row_key`) with what people decided over it; `by_person` says where."""
    out = proposed.with_columns(by_person=pl.lit(value=False))
    if pairings.different:
        apart = pl.DataFrame(
            sorted(pairings.different), schema={"row_key": pl.String, "organisation": pl.String}, orient="row"
        )
        keyed = candidates.join(out.select("row", "row_key"), on="row")
        touched = keyed.join(apart, on=["row_key", "organisation"], how="semi")["row"].unique()
        left = keyed.filter(pl.col("row").is_in(touched.implode())).join(
            apart, on=["row_key", "organisation"], how="anti"
        )
        again = decide(
            left.sort("row", "score", "organisation", descending=[False, True, False]),
            out.height,
            accept=accept,
            margin=margin,
            review=review,
        )
        again = again.filter(pl.col("row").is_in(touched.implode()))
        out = out.update(again.select("row", *_DECIDED), on="row", include_nulls=True) if again.height else out
        out = out.with_columns(
            by_person=pl.col("by_person")
            | (pl.col("row").is_in(touched.implode()) & (pl.col("decision") == "unmatched"))
        )
    if pairings.same:
        same = pl.DataFrame({"row_key": list(pairings.same), "_same": list(pairings.same.values())})
        decided = pl.col("_same").is_not_null()
        scored = candidates.select("row", _same="organisation", _score="score", _evidence="evidence")
        out = (
            out.join(same, on="row_key", how="left", maintain_order="left")
            .join(scored, on=["row", "_same"], how="left", maintain_order="left")
            .with_columns(
                decision=pl.when(decided).then(pl.lit("matched")).otherwise("decision"),
                organisation=pl.coalesce("_same", "organisation"),
                score=pl.when(decided).then("_score").otherwise("score"),
                margin=pl.when(decided).then(None).otherwise("margin"),
                evidence=pl.when(decided)
                .then(pl.col("_evidence").fill_null(0) | PERSON)
                .otherwise("evidence")
                .cast(pl.UInt32),
                by_person=pl.col("by_person") | decided,
            )
            .drop("_same", "_score", "_evidence")
        )
    matched = pl.when(pl.col("decision") == "matched").then("organisation")
    shared = pl.when(matched.is_not_null()).then(pl.len().over(matched)).otherwise(0)
    return out.with_columns(shared=shared.cast(pl.UInt32))
