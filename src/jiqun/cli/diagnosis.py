"""`jiqun assess diagnose`: the ailments of clusters and regions, found, not found or unknown."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import polars as pl
import typer

from jiqun.assess.checks import checklist
from jiqun.assess.diagnosis import DiagnoseRequest, diagnose
from jiqun.assess.diagnosis_document import diagnosis_document, unit_document
from jiqun.assess.diagnosis_parts import Given
from jiqun.assess.diagnosis_room import findings_of
from jiqun.cli.output import Format, progress, say, write
from jiqun.cli.report import LanguageOption, Tongue
from jiqun.cli.report import write as write_report
from jiqun.cli.tables import read_table
from jiqun.cli.workspace import WorkspaceOption, open_workspace
from jiqun.core.actor import LOCAL
from jiqun.core.clock import system_clock
from jiqun.core.errors import current_language

FormatOption = Annotated[Format, typer.Option("--format", "-f", help="Output format.")]
Report = Annotated[Path | None, typer.Option("--output", "-o", help="Report instead 写成报告: .docx .pdf .xlsx .html")]


class State(StrEnum):
    """What is shown."""

    all = "all"
    found = "found"
    not_found = "not_found"
    unknown = "unknown"


class Sheet(StrEnum):
    """A form to fill in."""

    governance = "governance"
    stage = "stage"
    readiness = "readiness"


def register(assess: typer.Typer) -> None:
    """Add the commands."""
    assess.command("diagnose")(diagnose_command)
    assess.command("template")(template)


def diagnose_command(
    workspace: WorkspaceOption = None,
    digital: Annotated[
        str | None, typer.Option("--digital", "-d", metavar="CODE", help="Clusters of the search of this class.")
    ] = None,
    plans: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Plans and policies 规划文本 (region, text), a row a text.")
    ] = None,
    tags: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Tags of industries 产业标签 (code, tag: traditional, emerging or future)."),
    ] = None,
    frontier: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Frontier scores 前沿得分 (unit, score, low, high), as of dea.")
    ] = None,
    year: Annotated[int | None, typer.Option(help="Last year of indicators 指标截止年份 that counts.")] = None,
    throws: Annotated[
        int | None, typer.Option(help="Random tables 随机表; default: as many as one pair needs.", min=99, max=59_999)
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the draws 随机种子.")] = 20240501,
    unit: Annotated[str | None, typer.Option(metavar="ID", help="One unit: c0001, region:CN.30, all.")] = None,
    state: Annotated[State, typer.Option(help="Only these findings 只列.")] = State.all,
    output: Report = None,
    language: LanguageOption = None,
    form: FormatOption = Format.table,
) -> None:
    """Diagnose 诊断 clusters and regions of the workspace: four ailments, further risks, what is missing to know.

    Example: jiqun assess diagnose --plans plans.csv --state found
    """
    opened = open_workspace(workspace)
    given = Given(
        plans=_texts(plans, "region", "text"),
        tags=_texts(tags, "code", "tag"),
        frontier=read_table(frontier, "unit", "score") if frontier else None,
    )
    request = DiagnoseRequest(digital=digital, year=year, throws=throws, seed=seed)
    with progress() as report:
        result = diagnose(LOCAL, opened, request, given=given, progress=report)
    if output is not None:
        most = None if output.suffix.lower() == ".xlsx" else 60
        document = unit_document(opened, result, unit) if unit else diagnosis_document(opened, result, most=most)
        write_report(document, output, language, None, system_clock)
        return
    found = findings_of(opened, result, unit)
    tongue = (language or Tongue(current_language())).value
    names = dict(result.table("units").select("unit", f"name_{tongue}").iter_rows())
    rows = [
        {
            "unit": one.unit,
            "name": names[one.unit],
            "code": one.code,
            "state": one.state,
            "severity": one.severity,
            "statistic": one.statistic,
            "low": one.low,
            "high": one.high,
            "finding": one.sentence.get(tongue),
            "action": one.action.get(tongue),
            "missing": "; ".join(need.get(tongue) for need in one.missing) or None,
        }
        for one in found
        if state is State.all or one.state == state.value
    ]
    write(pl.DataFrame(rows, infer_schema_length=None), form)
    unknown = sum(one.state == "unknown" for one in found)
    if unknown:
        say(
            f"{unknown} 项未知：数据不足，不等于没有。列 missing 说缺什么。",
            f"{unknown} things are unknown, which is not the same as well; column missing says what is needed.",
        )


def template(
    sheet: Annotated[Sheet, typer.Argument(help="Which form 哪张表.")],
    unit: Annotated[str, typer.Option(help="Name of the cluster or region 对象名称.")] = "",
    form: FormatOption = Format.csv,
) -> None:
    """A form of indicators 指标模板 to fill in and to load as the table `indicators`.

    Example: jiqun assess template governance --unit c0001 > governance.csv
    """
    write(checklist(sheet.value).template(unit), form)


def _texts(path: Path | None, *columns: str) -> pl.DataFrame | None:
    """A file with columns of text; a code such as 0105 keeps its zero."""
    if path is None:
        return None
    frame = read_table(path, *columns)
    if path.suffix.lower() not in {".parquet", ".xlsx", ".xls", ".xlsm", ".xlsb", ".ods"}:
        frame = pl.read_csv(path, infer_schema=False)
    return frame.select(pl.col(columns).cast(pl.String))
