"""`jiqun assess benchmark`: own figures beside those of reference clusters, as quoted; never ranked."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import polars as pl
import typer

from jiqun.assess.benchmark_document import NEVER, benchmark_document
from jiqun.assess.benchmark_room import BenchmarkRequest, beside
from jiqun.assess.references import benchmark, reference_texts
from jiqun.cli import report
from jiqun.cli.output import Format, note, say, write
from jiqun.cli.tables import read_table
from jiqun.cli.workspace import WorkspaceOption, open_workspace
from jiqun.core.clock import system_clock
from jiqun.core.errors import current_language


def register(assess: typer.Typer) -> None:
    """Add the command to those of the room."""
    assess.command("benchmark")(compare)


def compare(
    file: Annotated[
        Path | None,
        typer.Argument(
            metavar="[TABLE]", help="Own figures 本方数字: cluster, indicator, value[, unit, year, concept, boundary]."
        ),
    ] = None,
    cluster: Annotated[
        str | None, typer.Option("--cluster", "-c", metavar="ID", help="A cluster 集群 found here.")
    ] = None,
    unit: Annotated[str | None, typer.Option(help="A unit 对象 of the workspace's table of indicators.")] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="A report instead: .docx .pdf .xlsx .html")
    ] = None,
    workspace: WorkspaceOption = None,
    form: Annotated[Format, typer.Option("--format", "-f", help="Output format.")] = Format.table,
) -> None:
    """Benchmark 对标: reference clusters as published texts quote them, one's own figures beside; never ranked.

    Example: jiqun assess benchmark mine.csv --format csv
    """
    if file is not None:
        rows = benchmark(read_table(file))
    elif cluster or unit:
        rows = beside(open_workspace(workspace), BenchmarkRequest(cluster_id=cluster, unit=unit))
    else:
        rows = benchmark()
    if output is not None:
        report.write(benchmark_document(rows), output, None, None, system_clock)
        return
    language, other = current_language(), "en" if current_language() == "zh" else "zh"
    shown = rows.with_columns(pl.col("differs").list.join(", ")).drop(
        f"{name}_{other}" for name in ("cluster", "boundary", "concept")
    )
    shown = shown.select(name for name in shown.columns if not name.startswith("own") or shown["own"].count())
    if not shown.columns[0].startswith("own"):
        shown = shown.drop("differs")
    write(shown.drop("cluster").rename({f"{n}_{language}": n for n in ("cluster", "boundary", "concept")}), form)
    say(NEVER.zh, NEVER.en)
    for code in sorted(set(shown["source"].drop_nulls())):
        note(f"{code}  {reference_texts()[code].get(language)}" if code in reference_texts() else code)
