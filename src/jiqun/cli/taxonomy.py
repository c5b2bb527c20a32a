"""`jiqun classify`: the digital class that industry codes decide; the other commands of the group are in `classify`."""

from __future__ import annotations

import sys
from enum import StrEnum
from typing import Annotated

import polars as pl
import typer

from jiqun import taxonomy
from jiqun.cli.output import Format, write
from jiqun.core.errors import InputError, UsageError, current_language

_SHOWN = 20
_CANDIDATES = 4


class Scheme(StrEnum):
    """Industry classifications by the name they have on the command line."""

    gbt4754 = "gbt4754"
    isic4 = "isic4"
    nace2 = "nace2"
    naics2017 = "naics2017"

    @property
    def edition(self) -> str:
        """The name that `jiqun.taxonomy` knows it by."""
        return taxonomy.GBT if self is Scheme.gbt4754 else self.upper()


class Definition(StrEnum):
    """Narrow (窄口径) counts the core industries, divisions 01 to 04; broad (宽口径) adds division 05."""

    narrow = "narrow"
    broad = "broad"


def codes(
    codes: Annotated[
        list[str] | None,
        typer.Argument(metavar="CODE", help="Industry codes 行业代码; - reads one per line from stdin."),
    ] = None,
    scheme: Annotated[Scheme, typer.Option(help="What the codes are of.", case_sensitive=False)] = Scheme.gbt4754,
    definition: Annotated[
        Definition, typer.Option(help="narrow 窄口径: divisions 01-04; broad 宽口径: 05 as well.")
    ] = Definition.narrow,
    format: Annotated[Format, typer.Option(help="Output format.")] = Format.table,  # noqa: A002
) -> None:
    """Digital class 数字经济类别 of industry codes, and what they leave open.

    `jiqun classify 3912` is short for `jiqun classify codes 3912`. Codes that are not known are reported on stderr (exit
    status 1); the others are answered all the same.

    Example: jiqun classify 3912 6513 --format json
    """
    asked = [code for given in codes or () for code in (_lines() if given == "-" else [given])]
    if not asked:
        raise UsageError("JQ-TAXONOMY-010")
    found: list[taxonomy.DigitalClass] = []
    refused: dict[str, InputError] = {}
    for code in asked:
        try:
            found.append(taxonomy.digital_class(code, scheme=scheme.edition, definition=definition))
        except InputError as error:
            refused[code] = error
    if found:
        rows = _rows(found)
        write(rows if format is Format.json else _flat(rows, short=format is Format.table), format)
    for refusal in list(refused.values())[:_SHOWN]:
        sys.stderr.write(f"{refusal.render()}\n")
    if len(refused) > _SHOWN:
        more = InputError("JQ-TAXONOMY-009", count=len(refused) - _SHOWN)
        sys.stderr.write(f"{more.render()}\n")
    if refused:
        raise typer.Exit(1)


def _lines() -> list[str]:
    return [line.strip() for line in sys.stdin if line.strip()]


def _rows(found: list[taxonomy.DigitalClass]) -> pl.DataFrame:
    chinese = current_language() == "zh"
    return pl.DataFrame(
        {
            "input": [each.input for each in found],
            "digital_code": [each.digital_code for each in found],
            "name_zh": [each.name_zh for each in found],
            "name_en": [each.name_en for each in found],
            "core": [each.core for each in found],
            "partial": [each.partial for each in found],
            "decided": [each.decided for each in found],
            "candidates": [list(each.candidates) for each in found],
            "evidence": [each.evidence for each in found],
            "note": [each.note_zh if chinese else each.note for each in found],
        },
        schema_overrides={
            "digital_code": pl.String,
            "name_zh": pl.String,
            "name_en": pl.String,
            "core": pl.Boolean,
            "candidates": pl.List(pl.String),
        },
    )


def _flat(rows: pl.DataFrame, *, short: bool) -> pl.DataFrame:
    """Candidates as text; `short` keeps what fits a terminal: CSV and JSON have the rest."""
    count, listed = pl.col("candidates").list.len(), pl.col("candidates").list.head(_CANDIDATES).list.join(" ")
    if not short:
        return rows.with_columns(pl.col("candidates").list.join(" "))
    more = pl.when(count > _CANDIDATES).then(pl.format(" … ({})", count)).otherwise(pl.lit(""))
    name = pl.col("name_zh" if current_language() == "zh" else "name_en").alias("name")
    return rows.select("input", "digital_code", name, "core", (listed + more).alias("candidates"), "note")
