"""Which organisations count 计入的机构: all that the table has, but for rows of rosters that wait for a decision.

Such a row is likely one of the register's firms under another spelling: counted, the firm would count twice. Rows that
match nothing count, being firms that the register lacks.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from jiqun.core.document import Text
from jiqun.intake.derived import REVIEW, STATE
from jiqun.store import Workspace


def counted(workspace: Workspace, snapshot: str | None = None) -> pl.LazyFrame:
    """The organisations of a snapshot, default the current one, that count."""
    return settled(workspace.scan("organisations", snapshot))


def settled(rows: pl.LazyFrame) -> pl.LazyFrame:
    """Rows without those in review.

    Examples
    --------
    >>> rows = pl.LazyFrame({"id": ["o1", "r1", "r2"], "roster_state": [None, "review", "unmatched"]})
    >>> settled(rows).collect()["id"].to_list()
    ['o1', 'r2']
    """
    return rows.filter(~_waits(rows))


def in_review(workspace: Workspace, snapshot: str | None = None) -> int:
    """How many rows of rosters are left out because they wait for a decision."""
    rows = workspace.scan("organisations", snapshot)
    return int(rows.select(_waits(rows).sum()).collect().item())


def left_out(values: Mapping[str, Any]) -> Text | None:
    """How many a result leaves out (its value `in_review`), in words; None for none."""
    count = int(values.get("in_review", 0))
    if not count:
        return None
    return Text(
        f"另有名单中待判定的 {count:,} 行未计入：判定前不知是否与在册企业重复。",
        f"{count:,} {'row' if count == 1 else 'rows'} of rosters in review not counted: each may be a firm that is counted already.",
    )


def _waits(rows: pl.LazyFrame) -> pl.Expr:
    if STATE not in rows.collect_schema():
        return pl.lit(value=False)
    return (pl.col(STATE) == REVIEW).fill_null(value=False)
