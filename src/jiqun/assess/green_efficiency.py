"""Green efficiency 绿色效率: what units make of energy and resources, with and without what they would rather not put out.

Input is a table with one row a unit. The frontier is `jiqun.assess.dea`; here it is asked twice, with the undesirable
outputs and without, so that what they change can be seen. Nothing here reads files or draws.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import polars as pl

from jiqun.assess import units as unit_tables
from jiqun.assess.frontier import Efficiency, dea
from jiqun.assess.radial import Returns
from jiqun.assess.units import Columns
from jiqun.core.errors import MeasureInputError, UsageError


@dataclass(frozen=True)
class Green:
    """What `green` found; see there."""

    scores: pl.DataFrame
    """unit, with_bad, without_bad, change, efficient, low, high; in the input's order."""
    intensity: pl.DataFrame
    """unit, column, kind (input, undesirable), per, value, of_median."""
    slacks: pl.DataFrame
    """unit, column, kind, value, slack, target, share: what could be saved, cut or gained at the frontier with all columns."""
    specifications: pl.DataFrame
    """unit, model, returns, score: the scores that `low` and `high` span."""
    columns: Columns
    returns: Returns

    def table(self, name: str) -> pl.DataFrame:
        """One of the tables `scores`, `intensity`, `slacks`, `specifications`.

        Raises
        ------
        UsageError
            JQ-USE-001: another name.
        """
        own = {
            "scores": self.scores,
            "intensity": self.intensity,
            "slacks": self.slacks,
            "specifications": self.specifications,
        }
        if name not in own:
            raise UsageError("JQ-USE-001", what="table", value=name, known=", ".join(own))
        return own[name]


def green(
    frame: Any,
    *,
    unit: str = "unit",
    inputs: Sequence[str],
    outputs: Sequence[str],
    bad: Sequence[str],
    returns: Returns = "crs",
    force: bool = False,
) -> Green:
    """Energy and resource efficiency with undesirable outputs 绿色效率.

        with_bad     = SBM score with the undesirable outputs (Tone 2003)
        without_bad  = SBM score of the same inputs and outputs alone
        change       = with_bad − without_bad
        intensity    = column / output, of every input and undesirable output per every output

    Parameters
    ----------
    frame
        Any dataframe, one row a unit; values above 0, in any unit of measurement.
    inputs, outputs, bad
        Columns 投入(能源、资源)、期望产出、非期望产出(排放、废弃物).
    returns
        Returns to scale of the scores, default crs.
    force
        Compute though there are too few units.

    Returns
    -------
    `Green`. `low` and `high` span the score with undesirable outputs over specifications: SBM under crs and vrs, and the
    directional distance (Chung, Färe and Grosskopf 1997) under crs. It is what the choice of model varies; it covers neither
    the sample of units nor errors in their data. `of_median`: the intensity against the median of the units (1: as that).
    `share` in `slacks`: slack / value.

    Raises
    ------
    MeasureInputError
        JQ-ASSESS-126: no undesirable output is named. Otherwise as `jiqun.assess.dea`.
    UsageError
        As `jiqun.assess.dea`.

    Notes
    -----
    `change` mixes two things: that a unit does better or worse in what it puts out, and that a model with more columns gives
    more units a way to look efficient. Few units and many columns make it positive by themselves.
    Sources: Tone (2003), GRIPS research report I-2003-0005; Chung, Färe and Grosskopf (1997), Journal of Environmental
    Management 51(3), 229–240.

    Examples
    --------
    >>> parks = pl.DataFrame({"unit": list("ABCDEFGHI"), "energy": [2.0, 4, 8, 5, 6, 8, 3, 7, 9],
    ...     "output": [2.0, 6, 8, 3, 6, 5, 3, 7, 4], "co2": [1.0, 6, 4, 4, 3, 6, 2, 7, 8]})
    >>> found = green(parks, inputs=["energy"], outputs=["output"], bad=["co2"])
    >>> found.scores.filter(pl.col("unit") == "C").select(pl.col("with_bad", "without_bad").round(3)).row(0)
    (1.0, 0.667)
    """
    columns = green_columns(inputs, outputs, bad, unit)
    given: dict[str, Any] = {"unit": unit, "inputs": inputs, "outputs": outputs, "force": force}
    whole = dea(frame, **given, undesirable=bad, model="sbm", returns=returns)
    alone = dea(frame, **given, model="sbm", returns=returns)
    table = unit_tables.numbers(frame, columns, unit)
    specifications = _specifications(frame, given, bad, whole, returns)
    spans = specifications.group_by(unit, maintain_order=True).agg(
        low=pl.col("score").min(), high=pl.col("score").max()
    )
    scores = whole.scores.select(unit, with_bad="score", efficient="efficient").with_columns(
        without_bad=alone.scores["score"], low=spans["low"], high=spans["high"]
    )
    scores = scores.select(
        unit,
        "with_bad",
        "without_bad",
        (pl.col("with_bad") - pl.col("without_bad")).alias("change"),
        "efficient",
        "low",
        "high",
    )
    slacks = whole.slacks.with_columns(share=pl.col("slack") / pl.col("value"))
    return Green(scores, _intensity(table, unit, columns), slacks, specifications, columns, returns)


def green_columns(inputs: Sequence[str], outputs: Sequence[str], bad: Sequence[str], unit: str = "unit") -> Columns:
    """The columns of `green`, each once and some of each kind.

    Raises
    ------
    MeasureInputError
        JQ-ASSESS-126: no undesirable output; JQ-ASSESS-045: no input, no output, or a column twice.
    """
    if not bad:
        raise MeasureInputError("JQ-ASSESS-126", columns=", ".join([*inputs, *outputs]))
    return unit_tables.columns_of(inputs, outputs, bad, unit)


def _specifications(
    frame: Any, given: dict[str, Any], bad: Sequence[str], whole: Efficiency, returns: Returns
) -> pl.DataFrame:
    """Scores with undesirable outputs under each model that takes them."""
    parts = []
    for model, kind in (
        ("sbm", "crs"),
        ("sbm", "vrs"),
        ("directional", "crs"),
        *(() if returns in {"crs", "vrs"} else (("sbm", returns),)),
    ):
        known = model == "sbm" and kind == returns
        found = whole if known else dea(frame, **given, undesirable=bad, model=model, returns=kind)
        parts.append(
            found.scores.select(given["unit"], "score").with_columns(model=pl.lit(model), returns=pl.lit(kind))
        )
    return pl.concat(parts).select(given["unit"], "model", "returns", "score")


def _intensity(table: pl.DataFrame, unit: str, columns: Columns) -> pl.DataFrame:
    """Each input and undesirable output per each output."""
    kinds = dict(zip(columns.all, columns.kinds, strict=True))
    parts = [
        table.select(
            unit, pl.lit(column).alias("column"), pl.lit(kinds[column]).alias("kind"), pl.lit(output).alias("per"),
            value=pl.col(column) / pl.col(output),
        ).with_columns(of_median=pl.col("value") / pl.col("value").median())
        for column, output in product((*columns.inputs, *columns.undesirable), columns.outputs)
    ]  # fmt: skip
    return pl.concat(parts)
