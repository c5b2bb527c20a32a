"""`jiqun assess dea` and `jiqun assess malmquist` of any table: efficiency, and how productivity changes."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import polars as pl
import typer

from jiqun.assess import frontier
from jiqun.assess.frontier_document import efficiency_document, productivity_document
from jiqun.assess.productivity import malmquist
from jiqun.cli import assess_workspace as stored
from jiqun.cli import report
from jiqun.cli.output import Format, as_json, note, progress, write
from jiqun.cli.tables import read_table, source_of
from jiqun.cli.workspace import WorkspaceOption
from jiqun.core.clock import system_clock
from jiqun.core.document import Document
from jiqun.core.errors import UsageError, current_language
from jiqun.core.remarks import Remark
from jiqun.core.sheets import neutralise


class ScaleReturns(StrEnum):
    """Returns to scale."""

    crs = "crs"
    vrs = "vrs"
    drs = "drs"
    irs = "irs"


class Model(StrEnum):
    """How distance is measured."""

    radial = "radial"
    sbm = "sbm"
    directional = "directional"


class Orientation(StrEnum):
    """What is to change."""

    none = "none"
    input = "input"
    output = "output"


class Direction(StrEnum):
    """What is to change between periods."""

    input = "input"
    output = "output"


class Incomplete(StrEnum):
    """What becomes of units that lack a period."""

    refuse = "refuse"
    drop = "drop"


class EfficiencyTable(StrEnum):
    """A table of efficiency."""

    scores = "scores"
    slacks = "slacks"
    peers = "peers"


class ProductivityTable(StrEnum):
    """A table of productivity."""

    summary = "summary"
    changes = "changes"
    intervals = "intervals"


FileArgument = Annotated[
    Path, typer.Argument(help="CSV, Excel or Parquet with a header row.", exists=True, dir_okay=False)
]
FileOrNone = Annotated[
    Path | None,
    typer.Argument(
        metavar="[FILE]",
        help="CSV, Excel or Parquet with a header row; default: the workspace's table of indicators.",
        exists=True,
        dir_okay=False,
        show_default=False,
    ),
]
UnitOption = Annotated[str, typer.Option(help="Column that names units.")]
InputOption = Annotated[list[str], typer.Option("--input", "-i", metavar="COLUMN", help="Input; may be given again.")]
OutputOption = Annotated[
    list[str], typer.Option("--yield", "-y", metavar="COLUMN", help="Output that is wanted; may be given again.")
]
BootstrapOption = Annotated[
    int, typer.Option(help="Samples of the intervals, 100 or more; 2000 are usual.", min=0, max=100_000)
]
LEVEL = 0.95
LevelOption = Annotated[float, typer.Option(help="Level of the intervals.")]
SeedOption = Annotated[int, typer.Option(help="Seed of the samples.", min=0)]
ForceOption = Annotated[bool, typer.Option("--force", help="Compute though there are too few units.")]
FileOption = Annotated[
    Path | None,
    typer.Option(
        "--output", "-o", help="File to write: .csv .json (the table), .xlsx .docx .pdf .html (all).", dir_okay=False
    ),
]
FormatOption = Annotated[Format, typer.Option("--format", help="Output format.")]


def register(assess: typer.Typer) -> None:
    """Add the commands to those of the room."""
    assess.command("dea")(dea)
    assess.command("malmquist")(productivity)


def dea(
    inputs: InputOption,
    outputs: OutputOption,
    file: FileOrNone = None,
    unit: UnitOption = "unit",
    undesirable: Annotated[
        list[str] | None,
        typer.Option("--undesirable", "-b", metavar="COLUMN", help="Output that is not wanted; for sbm, directional."),
    ] = None,
    returns: Annotated[ScaleReturns, typer.Option(help="Returns to scale.")] = ScaleReturns.vrs,
    model: Annotated[Model, typer.Option(help="How distance is measured.")] = Model.radial,
    orientation: Annotated[
        Orientation | None, typer.Option(help="Default: input (radial), none (sbm, directional).")
    ] = None,
    super_efficiency: Annotated[
        bool, typer.Option("--super", help="Also efficient units against all others (radial).")
    ] = False,
    bootstrap: BootstrapOption = 0,
    level: LevelOption = LEVEL,
    seed: SeedOption = 20240501,
    force: ForceOption = False,
    table: Annotated[EfficiencyTable, typer.Option(help="Which table.")] = EfficiencyTable.scores,
    name: Annotated[
        str | None, typer.Option(metavar="NAME", help="Without FILE: what it is stored as 名称; default: default.")
    ] = None,
    year: Annotated[int | None, typer.Option(help="Without FILE: the year 年份; default: the latest.")] = None,
    drop: Annotated[
        bool, typer.Option("--drop", help="Without FILE: leave out units that lack a value 去掉缺值单元, and say so.")
    ] = False,
    output: FileOption = None,
    workspace: WorkspaceOption = None,
    form: FormatOption = Format.table,
) -> None:
    """Efficiency frontier 效率前沿 (DEA): score, slacks, peers of every row of a table.

    Example: jiqun assess dea parks.csv --unit park -i staff -i energy --yield revenue --returns crs --bootstrap 2000

    Example: jiqun assess dea parks.xlsx --unit park -i staff --yield revenue -b emissions --model sbm -o parks-dea.xlsx

    Example: jiqun assess dea -i employees --yield revenue --name firms --drop
    """
    if file is None:
        told_of = {"--unit": unit != "unit", "--level": level != LEVEL}
        result, document = stored.frontier(
            workspace, name, told_of, inputs=tuple(inputs), outputs=tuple(outputs), undesirable=tuple(undesirable or ()),
            year=year, returns=returns.value, model=model.value,
            orientation=orientation.value if orientation else None, super_efficiency=super_efficiency,
            bootstrap=bootstrap, seed=seed, drop=drop, force=force,
        )  # fmt: skip
        _write(result.table(table.value), output, form, lambda: document)
        return
    if name or year or drop:
        raise UsageError("JQ-ASSESS-077")
    rows = read_table(file)
    with progress() as told:
        found = frontier.dea(
            rows,
            unit=unit,
            inputs=inputs,
            outputs=outputs,
            undesirable=undesirable or (),
            returns=returns.value,
            model=model.value,
            orientation=orientation.value if orientation else None,
            super_efficiency=super_efficiency,
            bootstrap=bootstrap,
            level=level,
            seed=seed,
            force=force,
            progress=told,
        )
    _tell(found.remarks)
    _write(found.table(table.value), output, form, lambda: efficiency_document(found, source_of(file)))


def productivity(
    file: FileArgument,
    inputs: InputOption,
    outputs: OutputOption,
    unit: UnitOption = "unit",
    period: Annotated[str, typer.Option(help="Column of the period.")] = "period",
    orientation: Annotated[Direction, typer.Option(help="What is to change.")] = Direction.output,
    incomplete: Annotated[
        Incomplete, typer.Option(help="Units that lack a period: refuse, or drop them from all.")
    ] = Incomplete.refuse,
    bootstrap: BootstrapOption = 0,
    level: LevelOption = LEVEL,
    seed: SeedOption = 20240501,
    force: ForceOption = False,
    table: Annotated[ProductivityTable, typer.Option(help="Which table.")] = ProductivityTable.summary,
    output: FileOption = None,
    form: FormatOption = Format.table,
) -> None:
    """Productivity change 生产率变化 (Malmquist) between periods, taken apart in two ways.

    Example: jiqun assess malmquist provinces.csv --unit province --period year -i capital -i labour --yield value

    Example: jiqun assess malmquist provinces.csv --unit province --period year -i labour --yield value --table changes
    """
    rows = read_table(file)
    with progress() as told:
        found = malmquist(
            rows,
            unit=unit,
            period=period,
            inputs=inputs,
            outputs=outputs,
            orientation=orientation.value,
            incomplete=incomplete.value,
            bootstrap=bootstrap,
            level=level,
            seed=seed,
            force=force,
            progress=told,
        )
    _tell(found.remarks)
    _write(found.table(table.value), output, form, lambda: productivity_document(found, source_of(file)))


def _tell(remarks: tuple[Remark, ...]) -> None:
    for remark in remarks:
        language = current_language()
        note(f"{remark.code} {remark.message.get(language)}\n  {remark.hint.get(language)}")


def _write(rows: pl.DataFrame, output: Path | None, form: Format, document: Callable[[], Document]) -> None:
    """The table to standard output or to .csv and .json; everything to the other kinds of file."""
    if output is None:
        write(rows, form)
        return
    ending = output.suffix.lower()
    if ending not in {".csv", ".json"}:
        report.write(document(), output, None, None, system_clock)
        return
    try:
        if ending == ".csv":
            neutralise(rows).write_csv(output, include_bom=True)
        else:
            output.write_text(as_json(rows.to_dicts(), indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        raise UsageError("JQ-USE-005", file=output, reason=error.strerror or error) from error
