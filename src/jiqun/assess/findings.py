"""Findings 诊断结论: what was found, what it was compared with, what varies, on which rows it stands, what to do."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

import polars as pl

from jiqun.core.document import Text

State = Literal["found", "not_found", "unknown"]
Severity = Literal["low", "medium", "high"]
UNMEASURED = Text("", "")


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
    measure: Text = UNMEASURED
    severity: Severity | None = None
    evidence: pl.DataFrame = field(default_factory=pl.DataFrame)
    missing: tuple[Text, ...] = ()

    def __post_init__(self) -> None:
        if (self.severity is not None) != (self.state == "found"):
            raise ValueError(f"{self.code}: a severity belongs to what was found, and to nothing else")
        if (self.state == "unknown") != bool(self.missing):
            raise ValueError(f"{self.code}: what is unknown says what is missing, and nothing else does")

    @property
    def group(self) -> str:
        """The part of the code before the dot."""
        return self.code.partition(".")[0]


def listed(texts: Iterable[Text]) -> Text | None:
    """Several texts as one; None for none."""
    parts = tuple(texts)
    return Text("；".join(one.zh for one in parts), "; ".join(one.en for one in parts)) if parts else None


EVIDENCE_ROWS = 200
"""Rows of evidence that are stored with a finding; how many there were is stored too."""
_TEXTS = ("title", "measure", "sentence", "varies", "action")
STORED: dict[str, Any] = {
    "unit": pl.String, "code": pl.String, "state": pl.String, "severity": pl.String, "statistic": pl.Float64,
    "low": pl.Float64, "high": pl.Float64, **{f"{name}_{language}": pl.String for name in _TEXTS for language in ("zh", "en")},
    "missing_zh": pl.List(pl.String), "missing_en": pl.List(pl.String), "evidence": pl.String, "evidence_rows": pl.Int64,
}  # fmt: skip
"""Columns of stored findings; `evidence` is a list of rows as JSON."""


def to_frame(findings: Iterable[Finding]) -> pl.DataFrame:
    """Findings as a table to store 结论表 (`STORED`).

    Examples
    --------
    >>> told = Text("一", "one")
    >>> made = Finding("c1", "a.b", told, "not_found", told, told, told, 0.5, evidence=pl.DataFrame({"n": [3]}))
    >>> from_frame(to_frame([made]))[0].evidence.rows()
    [(3,)]
    """
    rows = []
    for one in findings:
        row: dict[str, Any] = {
            name: getattr(one, name) for name in ("unit", "code", "state", "severity", "statistic", "low", "high")
        }
        for name in _TEXTS:
            text = getattr(one, name)
            row |= {f"{name}_zh": text.zh, f"{name}_en": text.en}
        row |= {"missing_zh": [text.zh for text in one.missing], "missing_en": [text.en for text in one.missing]}
        kept = one.evidence.head(EVIDENCE_ROWS).to_dicts()
        row |= {"evidence": json.dumps(kept, ensure_ascii=False, default=str), "evidence_rows": one.evidence.height}
        rows.append(row)
    return pl.DataFrame(rows, schema=STORED, orient="row")


def from_frame(stored: pl.DataFrame) -> tuple[Finding, ...]:
    """Findings as they were stored, with the rows of evidence that were kept."""
    found = []
    for row in stored.iter_rows(named=True):
        texts = {name: Text(row[f"{name}_zh"], row[f"{name}_en"]) for name in _TEXTS}
        found.append(
            Finding(
                unit=row["unit"],
                code=row["code"],
                state=row["state"],
                severity=row["severity"],
                statistic=row["statistic"],
                low=row["low"],
                high=row["high"],
                evidence=pl.DataFrame(json.loads(row["evidence"]), infer_schema_length=None),
                missing=tuple(Text(zh, en) for zh, en in zip(row["missing_zh"], row["missing_en"], strict=True)),
                **texts,
            )
        )
    return tuple(found)
