"""Findings 诊断结论: what was found, what it was compared with, what varies, on which rows it stands, what to do."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import polars as pl

from jiqun.core.document import Text

State = Literal["found", "not_found", "unknown"]
Severity = Literal["low", "medium", "high"]


_NONE = Text("", "")


@dataclass(frozen=True)
class Finding:
    """One finding about a unit (a cluster, a region, a park) 一条结论.

    Parameters
    ----------
    code
        What is looked for, as `linkage.low`; the part before the dot is its group.
    state
        `found`, `not_found`, or `unknown` where the data do not carry it: then `missing` says what is needed.
    severity
        Only where it was found.
    statistic, low, high
        The number and its interval, in `measure`; None where there is none.
    sentence
        What the number says, with what it is compared with.
    varies
        What the interval covers and what it does not.
    evidence
        The rows that it stands on, as they were counted.
    action
        What to do about it, or to learn what is missing.
    """

    unit: str
    code: str
    title: Text
    state: State
    sentence: Text
    varies: Text
    action: Text
    statistic: float | None = None
    low: float | None = None
    high: float | None = None
    measure: Text = _NONE
    severity: Severity | None = None
    evidence: pl.DataFrame = field(default_factory=pl.DataFrame)
    missing: tuple[Text, ...] = ()

    def __post_init__(self) -> None:
        if (self.severity is not None) != (self.state == "found"):
            raise ValueError(f"{self.code}: a severity belongs to what was found, and to nothing else")
        if (self.state == "unknown") != bool(self.missing):
            raise ValueError(f"{self.code}: what is unknown says what is missing, and nothing else does")
