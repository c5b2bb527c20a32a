"""`jiqun assess green`: energy and resource efficiency with undesirable outputs, of any table."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from jiqun.assess.green_document import green_document
from jiqun.assess.green_efficiency import green
from jiqun.cli import report
from jiqun.cli.frontier import (
    FileArgument,
    ForceOption,
    FormatOption,
    InputOption,
    OutputOption,
    ScaleReturns,
    UnitOption,
)
from jiqun.cli.output import Format, say, write
from jiqun.cli.tables import read_table, source_of
from jiqun.core.clock import system_clock


class GreenTable(StrEnum):
    """A table of green efficiency."""

    scores = "scores"
    intensity = "intensity"
    slacks = "slacks"
    specifications = "specifications"


def register(assess: typer.Typer) -> None:
    """Add the command to those of the room."""
    assess.command("green")(efficiency)


def efficiency(
    file: FileArgument,
    inputs: InputOption,
    outputs: OutputOption,
    bad: Annotated[
        list[str], typer.Option("--undesirable", "-b", metavar="COLUMN", help="Output that is not wanted 非期望产出.")
    ],
    unit: UnitOption = "unit",
    returns: Annotated[ScaleReturns, typer.Option(help="Returns to scale.")] = ScaleReturns.crs,
    force: ForceOption = False,
    table: Annotated[GreenTable, typer.Option(help="Which table.")] = GreenTable.scores,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="A report instead: .docx .pdf .xlsx .html")
    ] = None,
    form: FormatOption = Format.table,
) -> None:
    """Green efficiency 绿色效率: with and without undesirable outputs, intensities, what could be cut.

    Example: jiqun assess green parks.csv --unit park -i energy -i water --yield value -b co2 -b waste -o green.docx
    """
    found = green(
        read_table(file), unit=unit, inputs=inputs, outputs=outputs, bad=bad, returns=returns.value, force=force
    )
    if output is not None:
        report.write(green_document(found, source_of(file)), output, None, None, system_clock)
        return
    write(found.table(table.value), form)
    say(
        "范围只反映模型的选择；得分只在表中的单元之间可比。",
        "The range is of the choice of model; scores compare the units of the table only.",
    )
