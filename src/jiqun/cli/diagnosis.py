"""`jiqun assess diagnose|stage|readiness|template`: what ails clusters and regions, where they stand, what they are ready for."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, TypeVar

import polars as pl
import typer
from pydantic import BaseModel, ValidationError

from jiqun.assess.change_points import change_points
from jiqun.assess.checks import checklist
from jiqun.assess.diagnosis import DiagnoseRequest, diagnose
from jiqun.assess.diagnosis_document import diagnosis_document, unit_document
from jiqun.assess.diagnosis_parts import Given
from jiqun.assess.diagnosis_room import findings_of
from jiqun.assess.given_tables import TableName, read_file
from jiqun.assess.hidden_states import hidden_states
from jiqun.assess.stage import stage
from jiqun.assess.stage_desk import (
    ReadinessRequest,
    StageRequest,
    assess_readiness,
    assess_stage,
    check_rows,
    stages_of,
)
from jiqun.assess.stage_document import readiness_document, stages_document
from jiqun.cli.output import Format, progress, say, write
from jiqun.cli.report import LanguageOption, Tongue
from jiqun.cli.report import write as write_report
from jiqun.cli.tables import read_table, source_of
from jiqun.cli.workspace import WorkspaceOption, open_workspace
from jiqun.core.actor import LOCAL
from jiqun.core.clock import system_clock
from jiqun.core.errors import Language, UsageError, current_language
from jiqun.core.lineage import Source

M = TypeVar("M", bound=BaseModel)
MOST_WRONG = 20
"""Bad cells of a given table that are told one by one."""
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
    assess.command("stage")(stage_command)
    assess.command("readiness")(readiness_command)
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

    Plans, tags and scores are kept: later diagnoses read them too, until they are given anew, here or on the page of what is given.

    Example: jiqun assess diagnose --plans plans.csv --state found
    """
    opened = open_workspace(workspace)
    request = _asked(DiagnoseRequest, digital=digital, year=year, throws=throws, seed=seed)
    given = Given(plans=_given("plans", plans), tags=_given("tags", tags), frontier=_given("frontier", frontier))
    with progress() as report:
        result = diagnose(LOCAL, opened, request, given=given, progress=report)
    if output is not None:
        most = None if output.suffix.lower() == ".xlsx" else 60
        document = unit_document(opened, result, unit) if unit else diagnosis_document(opened, result, most=most)
        write_report(document, output, language, None, system_clock)
        return
    found = findings_of(opened, result, unit)
    tongue = _tongue(language)
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


def stage_command(
    table: Annotated[
        Path | None,
        typer.Argument(
            metavar="[TABLE]", help="Rows of indicators 指标表 (unit, indicator, year, value); none: of the workspace."
        ),
    ] = None,
    unit: Annotated[str | None, typer.Option(metavar="NAME", help="One unit, with every check and its row.")] = None,
    year: Annotated[int | None, typer.Option(help="Last year of indicators 指标截止年份 that counts.")] = None,
    changes: Annotated[
        str | None, typer.Option(metavar="CODE", help="Instead: change points 变点 of an indicator of the unit.")
    ] = None,
    level: Annotated[
        bool, typer.Option("--level/--growth", help="Change points of the values, or of their growth.")
    ] = False,
    states: Annotated[
        str | None,
        typer.Option(metavar="COLUMNS", help="Instead: hidden states 隐状态 of a panel (unit, year, these columns)."),
    ] = None,
    number: Annotated[int, typer.Option("--number", help="Number of hidden states.", min=2, max=6)] = 3,
    workspace: WorkspaceOption = None,
    output: Report = None,
    language: LanguageOption = None,
    form: FormatOption = Format.table,
) -> None:
    """Stage of evolution 演进阶段: the evidence for each stage, met, unmet or unknown.

    Example: jiqun assess stage --unit 南京软件
    """
    if states is not None:
        _states(table, states.split(","), number, form)
        return
    request = _asked(StageRequest, unit=unit, year=year)
    if table is not None:
        frame = read_table(table, "unit", "indicator", "year", "value")
        there = frame["unit"].cast(pl.String).drop_nulls().unique().sort().to_list()
        if unit is not None and unit not in there:
            raise UsageError("JQ-ASSESS-091", value=unit, known=", ".join(there[:5]) or "—")
        names = [unit] if unit else there
        found = [stage(name, frame, year=year) for name in names]
        total, source = len(found), source_of(table)
    else:
        opened = open_workspace(workspace)
        assess_stage(LOCAL, opened, request)
        found, total, told = stages_of(opened, request)
        source = told or Source("indicators", "")
        frame = opened.scan("indicators").collect()
    if changes is not None:
        _changes(frame, unit, changes, form, level=level)
    elif output is not None:
        write_report(stages_document(found, source, request, total), output, language, None, system_clock)
    elif unit is not None:
        tongue = _tongue(language)
        rows = [
            {
                "stage": row.group,
                "check": row.title.get(tongue),
                "answer": row.answer,
                "value": row.value,
                "bound": row.bound,
            }
            | {"year": row.year, "indicator": row.indicator, "evidence": row.evidence}
            for row in check_rows("stage", found[0].checks)
        ]
        write(pl.DataFrame(rows, infer_schema_length=None), form)
        say(found[0].sentence.zh, found[0].sentence.en)
    else:
        rows_of = [one.stages.select(pl.lit(one.unit).alias("unit"), pl.all()) for one in found]
        if not rows_of:
            raise UsageError("JQ-ASSESS-091", value="stage", known="—")
        write(pl.concat(rows_of), form)


def _changes(frame: pl.DataFrame, unit: str | None, code: str, form: Format, *, level: bool) -> None:
    """Change points of one indicator of a unit."""
    rows = frame.filter(pl.col("indicator") == code)
    if unit is not None:
        rows = rows.filter(pl.col("unit") == unit)
    if "quarter" in rows.columns:
        rows = rows.filter(pl.col("quarter").is_null())
    if rows["unit"].n_unique() != 1:
        units = ", ".join(rows["unit"].unique().sort().head(5)) or "—"
        raise UsageError("JQ-ASSESS-091", value=f"{unit or '--unit'} {code}", known=units)
    found = change_points(rows, of="level" if level else "growth")
    write(found.table, form)
    years = ", ".join(map(str, found.changes)) or "—"
    say(f"变点：{years}；p = {found.p:.3f}。", f"Changes: {years}; p = {found.p:.3f}.")


def _states(table: Path | None, columns: list[str], number: int, form: Format) -> None:
    """Hidden states of a panel."""
    if table is None:
        raise UsageError("JQ-ASSESS-032", what="--states", value=",".join(columns), expected="TABLE --states a,b")
    found = hidden_states(read_table(table, "unit", "year", *columns), columns, states=number)
    write(found.posterior, form)
    means = "; ".join(f"{s} {c} {m:.3g}" for s, c, m, _ in found.means.iter_rows())
    say(f"各状态均值：{means}。BIC {found.bic:.1f}。", f"Means by state: {means}. BIC {found.bic:.1f}.")


def readiness_command(
    region: Annotated[str, typer.Argument(metavar="REGION", help="Country or province 地区, such as CN.30.")],
    industry: Annotated[
        str, typer.Argument(metavar="CODE", help="Group of the digital classification 产业, such as 0304.")
    ],
    growth: Annotated[
        str | None, typer.Option(metavar="FROM:TO", help="Growth of the new industry a year 新产业增长率, 0.05:0.15.")
    ] = None,
    decline: Annotated[
        str | None, typer.Option(metavar="FROM:TO", help="Decline of the old ones a year 旧产业下降率, 0.02:0.08.")
    ] = None,
    years: Annotated[int, typer.Option(help="Years ahead 年数.", min=1, max=50)] = 10,
    old: Annotated[
        list[str] | None, typer.Option(metavar="CODE", help="A class that would give way 退出的产业; several times.")
    ] = None,
    bound: Annotated[
        list[str] | None, typer.Option(metavar="CHECK=VALUE", help="Your bound of a check 您的界限, instead of ours.")
    ] = None,
    unit: Annotated[
        str | None, typer.Option(metavar="NAME", help="The region's name in indicators 指标中的名称.")
    ] = None,
    year: Annotated[int | None, typer.Option(help="Last year of indicators 指标截止年份 that counts.")] = None,
    new_jobs: Annotated[
        float | None, typer.Option(help="Jobs of the new industry at the start 首批岗位.", min=0)
    ] = None,
    tax_per_job: Annotated[
        float | None, typer.Option(help="Tax of the new industry per job, CNY 每岗位税收.", min=0)
    ] = None,
    old_tax: Annotated[float | None, typer.Option(help="Tax that the old ones pay now, CNY 旧产业税收.", min=0)] = None,
    workspace: WorkspaceOption = None,
    output: Report = None,
    language: LanguageOption = None,
    form: FormatOption = Format.table,
) -> None:
    """Readiness 准备度 of a region for an industry: gates first, then nearness, then jobs and tax under your assumptions.

    Example: jiqun assess readiness CN.30 0304 --growth 0.05:0.15 --decline 0.02:0.08 --old 0103
    """
    request = _asked(
        ReadinessRequest,
        region=region,
        industry=industry,
        growth=_range("--growth", growth),
        decline=_range("--decline", decline),
        years=years,
        old=tuple(old or ()),
        bounds=dict(_number("--bound", one) for one in bound or ()),
        unit=unit,
        year=year,
        new_jobs=new_jobs,
        tax_per_job_cny=tax_per_job,
        old_tax_cny=old_tax,
    )
    result = assess_readiness(LOCAL, open_workspace(workspace), request)
    if output is not None:
        write_report(readiness_document(result), output, language, None, system_clock)
        return
    tongue = _tongue(language)
    rows = [
        {
            "gate": row.group,
            "check": row.title.get(tongue),
            "answer": row.answer,
            "value": row.value,
            "bound": row.bound,
        }
        | {"code": row.check, "indicator": row.indicator}
        for row in check_rows("readiness", result.table("checks"))
    ]
    write(pl.DataFrame(rows, infer_schema_length=None), form)
    if form is Format.table:
        write(result.table("scenarios").filter(pl.col("year") == years), form)
    values = result.values
    say(str(values["sentence_zh"]), str(values["sentence_en"]))


def _range(option: str, given: str | None) -> tuple[float, float] | None:
    """`0.05:0.15` as two numbers; one alone is both."""
    if given is None:
        return None
    try:
        parts = [float(part) for part in given.split(":")]
        low, high = parts[0], parts[-1]
    except ValueError:
        parts = []
    if not 1 <= len(parts) <= 2:  # from and to
        raise UsageError("JQ-ASSESS-032", what=option, value=given, expected="0.05:0.15")
    return low, high


def _number(option: str, given: str) -> tuple[str, float]:
    key, _, value = given.partition("=")
    try:
        return key.strip(), float(value)
    except ValueError:
        raise UsageError("JQ-ASSESS-032", what=option, value=given, expected="CHECK=0.5") from None


def template(
    sheet: Annotated[Sheet, typer.Argument(help="Which form 哪张表.")],
    unit: Annotated[str, typer.Option(help="Name of the cluster or region 对象名称.")] = "",
    form: FormatOption = Format.csv,
) -> None:
    """A form of indicators 指标模板 to fill in and to load as the table `indicators`.

    Example: jiqun assess template governance --unit c0001 > governance.csv
    """
    write(checklist(sheet.value).template(unit), form)


def _asked(model: type[M], **given: Any) -> M:
    """A request from options.

    Raises
    ------
    UsageError
        JQ-ASSESS-032: the first that cannot be.
    """
    try:
        return model(**given)
    except ValidationError as error:
        first = error.errors()[0]
        what = ".".join(str(part) for part in first["loc"][:1]) or "—"
        raise UsageError("JQ-ASSESS-032", what=what, value=first["input"], expected=first["msg"]) from error


def _tongue(language: Tongue | None) -> Language:
    """The language that is asked for, else that of messages."""
    if language is None:
        return current_language()
    return "zh" if language.value == "zh" else "en"


def _given(table: TableName, path: Path | None) -> pl.DataFrame | None:
    """A table of the user's; everything that is wrong with it is told before it is refused."""
    if path is None:
        return None
    read = read_file(table, path, name=path.name)
    for one in read.wrong[:MOST_WRONG]:
        say(one.error.render("zh"), one.error.render("en"))
    if len(read.wrong) > MOST_WRONG:
        more = len(read.wrong) - MOST_WRONG
        say(f"还有 {more} 处。", f"{more} more.")
    return read.good()
