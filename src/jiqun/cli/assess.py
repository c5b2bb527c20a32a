"""`jiqun assess`: indicator frameworks, composite index, how sure its ranks are."""

from __future__ import annotations

import json
from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import polars as pl
import typer

from jiqun.assess import desk
from jiqun.assess.composite import composite_index
from jiqun.assess.framework import Framework, check_framework, framework_of
from jiqun.assess.index_document import framework_table, index_document, tables_of, uncertainty_document
from jiqun.assess.rank_uncertainty import uncertainty
from jiqun.cli import assess_workspace as stored
from jiqun.cli import belts, benchmark, diagnosis, frontier, green
from jiqun.cli.output import Format, note, say, write
from jiqun.cli.report import LanguageOption, Tongue
from jiqun.cli.report import write as write_report
from jiqun.cli.tables import read_table, source_of
from jiqun.cli.workspace import WorkspaceOption
from jiqun.core.clock import system_clock
from jiqun.core.document import Document, Text
from jiqun.core.errors import UsageError, current_language
from jiqun.report import tables

TableArgument = Annotated[
    Path | None,
    typer.Argument(
        metavar="[TABLE]",
        help="CSV, Excel or Parquet 评价数据表: a row per unit, a column per indicator; default: what the workspace has.",
        show_default=False,
    ),
]
FrameworkOption = Annotated[
    str,
    typer.Option("--framework", "-F", metavar="NAME", help="Framework 指标体系: a shipped code, or a file .toml .csv."),
]
UnitOption = Annotated[str, typer.Option(metavar="COLUMN", help="Column that names the units 单元列.")]
YearOption = Annotated[
    str | None, typer.Option(metavar="COLUMN", help="Column of years 年份列, where there are several.")
]
OfOption = Annotated[int | None, typer.Option("--of", metavar="YEAR", help="Year to rate 评价年份; default: the last.")]
Given = Annotated[
    Path | None, typer.Option("--weights", metavar="FILE", help="Your weights 您的权重 (CSV: code, weight).")
]
SetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="STEP=VALUE", help="Change a step 改步骤, such as normalise=z; by level: aggregate=a,b."
    ),
]
Available = Annotated[
    bool,
    typer.Option(
        "--available", help="Only the indicators that the table has 只用表中有的指标; says which are left out."
    ),
]
Output = Annotated[
    Path | None,
    typer.Option("--output", "-o", help="File instead 写入文件: .csv .json, or a report .xlsx .docx .pdf .html"),
]
FormatOption = Annotated[Format, typer.Option("--format", "-f", help="Output format.")]


class Show(StrEnum):
    """A table of an index."""

    scores = "scores"
    coverage = "coverage"
    trace = "trace"
    weights = "weights"
    normalised = "normalised"
    imputed = "imputed"
    treatment = "treatment"
    screened = "screened"
    correlations = "correlations"
    reliability = "reliability"


class ShowSure(StrEnum):
    """A table of an uncertainty analysis."""

    ranks = "ranks"
    sensitivity = "sensitivity"
    dominance = "dominance"
    factors = "factors"
    boundaries = "boundaries"


def register(app: typer.Typer) -> None:
    """Add the commands of the room."""
    assess = typer.Typer(
        help="Assess 评估: frameworks, composite index, how sure its ranks are, frontier.", no_args_is_help=True
    )
    assess.command("frameworks")(frameworks)
    assess.command("index")(index)
    assess.command("uncertainty")(uncertain)
    assess.command("publish")(stored.publish)
    frontier.register(assess)
    belts.register(assess)
    benchmark.register(assess)
    green.register(assess)
    diagnosis.register(assess)
    app.add_typer(assess, name="assess")


def frameworks(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="A shipped code, or a file to check 检查; none: list all.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write the framework 写出 as .toml, to start from.")
    ] = None,
    workspace: WorkspaceOption = None,
    form: FormatOption = Format.table,
) -> None:
    """Indicator frameworks 指标体系, also those of a workspace: list them, show one's indicators, check a file for all problems.

    Example: jiqun assess frameworks competitiveness -o mine.toml
    """
    if name is None:
        rows = [
            (one.code, one.zh, one.en, one.version, one.status, len(one.codes), *_origins(one))
            for one in stored.frameworks(workspace)
        ]
        names = ["code", "zh", "en", "version", "status", "indicators", "atlas", "table", "survey"]
        write(pl.DataFrame(rows, schema=names, orient="row"), form)
        say(
            "随附的都是建议：指标的选取是我们的，权重由您决定。",
            "All that are shipped are proposals: indicator choice is ours, weights are yours.",
        )
        return
    if output is not None:
        _write_text(output, stored.text_of(workspace, name))
        return
    if Path(name).suffix.lower() in {".toml", ".csv"} and Path(name).is_file():
        problems = check_framework(Path(name).read_text(encoding="utf-8-sig", errors="replace"), name).problems
        for problem in problems:
            note(problem.render())
        if problems:
            raise typer.Exit(1)
    own = {one.code: one for one in stored.frameworks(workspace)}
    write(framework_table(own[name] if name in own else framework_of(name)), form)


def index(
    framework: FrameworkOption,
    table: TableArgument = None,
    unit: UnitOption = "unit",
    year: YearOption = None,
    of: OfOption = None,
    weights: Given = None,
    steps: SetOption = None,
    available: Available = False,
    show: Annotated[
        Show, typer.Option(help="Which table 哪张表 goes to standard output, .csv and .json.")
    ] = Show.scores,
    trace: Annotated[
        str | None, typer.Option(metavar="UNIT", help="Instead: the trace of one unit's score 一个单元的得分溯源.")
    ] = None,
    basis: stored.BasisOption = None,
    digital: stored.DigitalOption = None,
    output: Output = None,
    language: LanguageOption = None,
    workspace: WorkspaceOption = None,
    form: FormatOption = Format.table,
) -> None:
    """Composite index 综合指数 of the units of a table, or of the workspace (then it is stored), with the trace of every score.

    Example: jiqun assess index clusters.xlsx --framework competitiveness --available -o index.xlsx

    Example: jiqun assess index --framework competitiveness --show coverage
    """
    if table is None:
        shown = stored.index(
            workspace, framework, basis, of, digital, _weights(weights), dict(_stepped(steps)), stored.alone(unit, year)
        )
        if trace is not None:
            write(shown.found.trace(stored.unit_of(shown, trace)), form)
            return
        _deliver(shown.document(full=_full(output)), show.value, output, language, form)
        return
    frame = read_table(table)
    told = _framework(framework, frame, steps, available=available)
    found = composite_index(frame, told, unit=unit, year=year, of=of, weights=_weights(weights))
    if trace is not None:
        write(found.trace(trace), form)
        return
    document = index_document(found, (source_of(table),), full=_full(output))
    _deliver(document, show.value, output, language, form)


def uncertain(
    framework: FrameworkOption,
    table: TableArgument = None,
    unit: UnitOption = "unit",
    year: YearOption = None,
    of: OfOption = None,
    given: Given = None,
    steps: SetOption = None,
    available: Available = False,
    impute: Annotated[
        list[str] | None, typer.Option(metavar="RULE", help="Alternative 备选插补规则; give it several times.")
    ] = None,
    treat: Annotated[
        list[str] | None, typer.Option(metavar="WAY", help="Alternative treatment of outliers 备选极端值处理.")
    ] = None,
    normalise: Annotated[
        list[str] | None,
        typer.Option(metavar="WAY", help="Alternative 备选标准化, such as minmax, rank or z:mean=100:sd=10."),
    ] = None,
    weighting: Annotated[
        list[str] | None, typer.Option(metavar="METHOD", help="Alternative method of weighting 备选赋权方法.")
    ] = None,
    aggregate: Annotated[
        list[str] | None,
        typer.Option(metavar="MEAN", help="Alternative mean 备选合成方式; by level: arithmetic,geometric."),
    ] = None,
    spread: Annotated[float, typer.Option(help="Every weight varies by 1 ± this 权重浮动.", min=0, max=1)] = 0.25,
    leave_out: Annotated[
        bool, typer.Option("--leave-out/--keep-all", help="Leave out one indicator or none 剔除指标.")
    ] = True,
    boundary: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=FILE", help="Values under another cluster boundary 另一集群边界下的数值."),
    ] = None,
    runs: Annotated[int, typer.Option(help="Monte Carlo runs 模拟次数.", min=1, max=100_000)] = 1000,
    sensitivity: Annotated[
        int, typer.Option(help="Base runs of the sensitivity analysis 敏感性分析; 0: none.", min=0, max=20_000)
    ] = 256,
    top: Annotated[int, typer.Option(help="p_top is the chance to be among so many 前几名.", min=1)] = 10,
    level: Annotated[float, typer.Option(help="Of the rank interval 区间水平.", min=0.01, max=0.999)] = 0.9,
    seed: Annotated[int, typer.Option(help="Seed of the draws 随机种子.", min=0)] = 20240501,
    workspace: WorkspaceOption = None,
    show: Annotated[
        ShowSure, typer.Option(help="Which table 哪张表 goes to standard output, .csv and .json.")
    ] = ShowSure.ranks,
    output: Output = None,
    language: LanguageOption = None,
    form: FormatOption = Format.table,
) -> None:
    """How sure ranks are 排名不确定性: rank intervals over all choices, and which choice matters.

    Example: jiqun assess uncertainty clusters.csv -F competitiveness --normalise minmax --normalise percentile

    Example: jiqun assess uncertainty -F competitiveness --runs 2000 -o ranks.docx
    """
    if table is None:
        choice = desk.SureChoice(
            framework, tuple(_ways("impute", impute)), tuple(_ways("treat", treat)), tuple(_ways("normalise", normalise)),
            tuple(_ways("weights", weighting)), tuple(_ways("aggregate", aggregate)), weight_spread=spread,
            leave_out=leave_out, runs=runs, sensitivity=sensitivity, top=top, level=level, seed=seed,
        )  # fmt: skip
        unused = stored.alone(unit, year) | {"--of": of, "--weights": given, "--set": steps, "--boundary": boundary}
        document = stored.uncertainty(workspace, choice, unused)
        _deliver(document, show.value, output, language, form)
        return
    frame = read_table(table)
    told = _framework(framework, frame, steps, available=available)
    found = uncertainty(
        frame,
        told,
        unit=unit,
        year=year,
        of=of,
        given=_weights(given),
        impute=_ways("impute", impute),
        treat=_ways("treat", treat),
        normalise=_ways("normalise", normalise),
        weights=_ways("weights", weighting),
        aggregate=_ways("aggregate", aggregate),
        weight_spread=spread,
        leave_out=leave_out,
        boundaries={name: read_table(Path(file)) for name, file in _pairs("--boundary", boundary)},
        runs=runs,
        sensitivity=sensitivity,
        top=top,
        level=level,
        seed=seed,
    )
    document = uncertainty_document(found, (source_of(table),), full=_full(output))
    _deliver(document, show.value, output, language, form)


def _origins(framework: Framework) -> list[int]:
    return [sum(one.origin == origin for one in framework.indicators) for origin in ("atlas", "table", "survey")]


def _framework(name: str, frame: pl.DataFrame, steps: list[str] | None, *, available: bool) -> Framework:
    told = framework_of(name)
    if available:
        kept = told.only(frame.columns)
        left = [code for code in told.codes if code not in kept.codes]
        if left:
            share = f"{len(left)}/{len(told.codes)}: {', '.join(left)}"
            say(f"表中没有而未用的指标 {share}", f"Indicators left out, as the table lacks them: {share}")
        told = kept
    changes = dict(_stepped(steps))
    return told.changed(**changes) if changes else told


def _stepped(steps: list[str] | None) -> list[tuple[str, str | list[str]]]:
    return [(key, _levels(value)) for key, value in _pairs("--set", steps)]


def _levels(value: str) -> str | list[str]:
    return value.split(",") if "," in value else value


def _ways(step: str, given: list[str] | None) -> list[dict[str, Any]]:
    """`z:mean=100:sd=10` as changes of steps."""
    ways = []
    for one in given or []:
        head, *more = one.split(":")
        ways.append({step: _levels(head)} | dict(_pairs(f"--{step}", more)))
    return ways


def _pairs(option: str, given: Iterable[str] | None) -> list[tuple[str, str]]:
    found = []
    for one in given or []:
        key, equals, value = one.partition("=")
        if not key or not equals or not value:
            raise UsageError("JQ-ASSESS-032", what=option, value=one, expected="NAME=VALUE")
        found.append((key.strip(), value.strip()))
    return found


def _weights(path: Path | None) -> dict[str, float] | None:
    if path is None:
        return None
    frame = read_table(path, "code", "weight")
    if not frame.schema["weight"].is_numeric():
        first = next((str(one) for one in frame["weight"].drop_nulls()), "—")
        raise UsageError("JQ-ASSESS-032", what=str(path), value=first, expected="weight: 0.25")
    return dict(
        frame.select(pl.col("code").cast(pl.String), pl.col("weight").cast(pl.Float64)).drop_nulls().iter_rows()
    )


def _full(output: Path | None) -> bool:
    return output is None or output.suffix.lower() not in {".docx", ".pdf", ".html"}


def _deliver(document: Document, show: str, output: Path | None, language: Tongue | None, form: Format) -> None:
    """One table to standard output or .csv, all to .json, or the document as a report."""
    every = list(tables_of(document.blocks))
    chosen = next((one for one in every if one.id == show), None)
    suffix = "" if output is None else output.suffix.lower()
    if chosen is None and suffix in {"", ".csv"}:
        say(f"没有可列的“{show}”。", f"There is nothing to show of {show}.")
    elif output is None and chosen is not None:
        spoken = language.value if language else current_language()
        keys = [column.key for column in chosen.columns]
        told = [tuple(cell.get(spoken) if isinstance(cell, Text) else cell for cell in row) for row in chosen.rows]
        rows = pl.DataFrame(told, schema=keys, orient="row", infer_schema_length=None)
        write(rows, form, title=chosen.title.get(spoken))
    elif output is not None and chosen is not None and suffix == ".csv":
        _write_bytes(output, tables.csv(chosen))
    elif output is not None and suffix == ".json":
        all_ = {one.id: json.loads(tables.as_json(one)) for one in every}
        _write_text(output, json.dumps(all_, ensure_ascii=False, indent=1))
    elif output is not None:
        write_report(document, output, language, None, system_clock)


def _write_text(path: Path, text: str) -> None:
    _write_bytes(path, text.encode())


def _write_bytes(path: Path, content: bytes) -> None:
    try:
        path.write_bytes(content)
    except OSError as error:
        raise UsageError("JQ-USE-005", file=path, reason=error.strerror or error) from error
    note(str(path))
