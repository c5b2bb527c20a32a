"""Commands of intake: load a table, make a template to fill in."""

from __future__ import annotations

import json
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import polars as pl
import typer

from jiqun.assess.unit_edits import lay
from jiqun.cli.output import Format, progress, write
from jiqun.cli.workspace import WorkspaceOption, open_workspace
from jiqun.core.actor import LOCAL
from jiqun.core.errors import UsageError, catalogue, current_language
from jiqun.core.text import visible
from jiqun.intake import desk
from jiqun.intake.columns import parse_map
from jiqun.intake.summary import LoadReport, command_line
from jiqun.intake.template import write_template
from jiqun.roster.derive import derive

_FINDING = {"row": pl.Int64, **dict.fromkeys(("column", "value", "severity", "message", "raw"), pl.String)}


class CrsName(StrEnum):
    """Coordinate systems."""

    wgs84 = "wgs84"
    gcj02 = "gcj02"
    bd09 = "bd09"


class TemplateLanguage(StrEnum):
    """Languages of headers."""

    zh = "zh"
    en = "en"


def register(app: typer.Typer) -> None:
    """Add intake's commands."""
    app.command()(load)
    app.command()(template)


def load(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="CSV, Excel (xlsx, xlsm, xls) or Parquet.")],
    table: Annotated[
        str, typer.Option("--as", metavar="TABLE", help="Table 表 that the rows are for, such as organisations.")
    ],
    mapping: Annotated[
        list[str] | None,
        typer.Option(
            "--map", metavar="HEADER=ATTRIBUTE", help="What a column is 列对应, such as 单位=name; may be repeated."
        ),
    ] = None,
    crs: Annotated[CrsName, typer.Option(help="Coordinate system 坐标系 of the file.")] = CrsName.wgs84,
    sheet: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="Sheet 工作表; default: the one whose header fits best; '*': all that fit the table."
        ),
    ] = None,
    encoding: Annotated[
        str | None, typer.Option(metavar="NAME", help="Encoding 编码 of a text file; default: found out.")
    ] = None,
    as_of: Annotated[
        str | None, typer.Option(metavar="DATE", help="Date the rows speak of 数据日期; default: today.")
    ] = None,
    source: Annotated[
        str | None,
        typer.Option(
            metavar="LABEL",
            help="Which source 来源 rows of links or indicators are of: it replaces what it gave before; default: the file's name.",
        ),
    ] = None,
    replace_all: Annotated[
        bool,
        typer.Option("--replace-all", help="Replace all rows 全部取代 of links or indicators, published ones too."),
    ] = False,
    check_only: Annotated[bool, typer.Option("--check-only", help="Check 仅检查 and write nothing.")] = False,
    code: Annotated[
        str | None, typer.Option(metavar="CODE", help="List every finding with this code, such as JQ-DATA-014.")
    ] = None,
    quarantine: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Also write all findings 隔离清单 to this .xlsx or .csv.")
    ] = None,
    workspace: WorkspaceOption = None,
    form: Annotated[Format, typer.Option("--format", "-f", help="Output format.")] = Format.table,
) -> None:
    """Load a table 装载 from a file: recognise its columns, check, place on the map, keep.

    Bad rows go to the quarantine 隔离 with row, column, code and hint; good rows are kept whatever is wrong with others.
    A load replaces the table; one of links or indicators the rows of its own source and kind only.

    Example: jiqun load firms.xlsx --as organisations --map 单位=name --check-only
    """
    opened = open_workspace(workspace)
    pairs = parse_map(mapping or [])
    known = [found for found in catalogue() if found.startswith(("JQ-DATA-", "JQ-PLACE-"))]
    if code is not None and code not in known:
        raise UsageError("JQ-USE-001", what="--code", value=code, known=", ".join(known))
    listed = [pl.DataFrame(schema=_FINDING)]

    def keep(problems: pl.DataFrame) -> None:
        message = pl.col(f"message_{current_language()}").alias("message")
        found = problems.filter(pl.col("code") == code)
        listed.append(found.select("row", "column", "value", "severity", message, "raw"))

    with progress() as report_progress:
        report = desk.load(
            LOCAL,
            opened,
            file,
            table,
            mapping=pairs,
            crs=crs.value,
            sheet=sheet,
            encoding=encoding,
            as_of=as_of,
            label=source,
            replace_all=replace_all,
            check_only=check_only,
            quarantine=quarantine,
            on_problems=keep if code else None,
            progress=report_progress,
        )
    if table == "organisations" and not check_only:
        derive(opened)  # what people have corrected and merged lies over this load, too
    if table == "carriers" and not check_only:
        lay(opened)  # as what they have edited of units
    again = command_line(str(file), table, mapping=pairs, sheet=sheet, as_of=as_of, encoding=encoding)
    _say(report, again)
    if code is None:
        _write(report, form)
    else:
        _write_findings(listed, form)
    if not report.kept:
        raise typer.Exit(1)


def template(
    table: Annotated[str, typer.Argument(metavar="TABLE", help="Table 表, such as organisations.")],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="The .xlsx or .csv to make.")],
    language: Annotated[
        TemplateLanguage | None,
        typer.Option("--lang", help="Headers in Chinese, or attribute names; default: as messages."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a file 覆盖 that exists.")] = False,
) -> None:
    """Make an empty table to fill in 导入模板, with every column described.

    Example: jiqun template organisations -o organisations.xlsx
    """
    chosen = language.value if language else current_language()
    sys.stdout.write(f"{write_template(table, output, chosen, force=force)}\n")


def _say(report: LoadReport, again: str) -> None:
    """Problems on stderr, the first of each kind in full."""
    for text in report.problem_texts(current_language(), again):
        sys.stderr.write(f"{_shown(text)}\n")


def _shown(text: str) -> str:
    """Lines without what a terminal would obey: cells and headers come from anyone."""
    return "\n".join(map(visible, text.split("\n")))


def _write(report: LoadReport, form: Format) -> None:
    if form is Format.table:
        sys.stdout.write(f"{_shown(report.text(current_language()))}\n")
    elif form is Format.json:
        json.dump(report.to_dict(), sys.stdout, ensure_ascii=False, indent=1)
        sys.stdout.write("\n")
    else:
        write(report.counts(), form)


def _write_findings(listed: list[pl.DataFrame], form: Format) -> None:
    found = pl.concat(listed)
    write(found.drop("message", "raw") if form is Format.table else found, form)
