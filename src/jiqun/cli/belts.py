"""`jiqun assess belts`: which clusters complement each other, against chance."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from jiqun.assess import belts_room as room
from jiqun.assess.belt_pairs import LEVEL, MAX_KM
from jiqun.assess.belts_document import belts_document
from jiqun.atlas.reading import Which
from jiqun.cli import report
from jiqun.cli.output import Format, progress, say, write
from jiqun.cli.workspace import WorkspaceOption, open_workspace
from jiqun.core.actor import LOCAL


class BeltTable(StrEnum):
    """A table of the belts."""

    pairs = "pairs"
    adds = "adds"
    clusters = "clusters"


def register(assess: typer.Typer) -> None:
    """Add the command to those of the room."""
    assess.command("belts")(belts)


def belts(
    max_km: Annotated[
        float, typer.Option(help="Near 邻近 is up to so many km; farther only where linked.", min=0)
    ] = MAX_KM,
    level: Annotated[float, typer.Option(help="Level 显著性水平 of q.", min=0.0001, max=0.5)] = LEVEL,
    digital: Annotated[
        str | None, typer.Option("--digital", "-d", metavar="CODE", help="Clusters of the search of this class 类别.")
    ] = None,
    table: Annotated[BeltTable, typer.Option(help="Which table.")] = BeltTable.pairs,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="A report instead: .docx .pdf .xlsx .html")
    ] = None,
    workspace: WorkspaceOption = None,
    form: Annotated[Format, typer.Option("--format", "-f", help="Output format.")] = Format.table,
) -> None:
    """Industry belts 产业带: pairs of clusters of which one has what the other lacks, against random pairs; stored.

    Example: jiqun assess belts --max-km 200 --table adds --format csv
    """
    opened = open_workspace(workspace)
    with progress() as told:
        result = room.find(LOCAL, opened, which=Which(digital=digital), max_km=max_km, level=level, progress=told)
    if output is not None:
        most = None if output.suffix.lower() == ".xlsx" else 100
        report.write(belts_document(result, most=most), output, None, None, opened.clock)
        return
    write(result.table(table.value), form)
    values = result.values
    say(
        f"{values['pairs']} 对中 {values['beyond']} 对超出随机(q ≤ {level:g}，随机 {values['draws']} 次)；距离界限是我们定的。",
        f"{values['beyond']} of {values['pairs']} pairs beyond chance (q ≤ {level:g}, {values['draws']} draws); the distance limit is ours.",
    )
