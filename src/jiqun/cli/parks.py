"""`jiqun parks`: what is let, what is to let, who is in, what stands idle."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import polars as pl
import typer

from jiqun.assess import parks_desk as desk
from jiqun.assess.idle import IDLE_MONTHS, IDLE_SHARE, Thresholds
from jiqun.assess.parks_document import park_document, parks_document
from jiqun.assess.parks_room import UnitsRequest, parts_of, sought
from jiqun.assess.vacancy import MAX_AGE_DAYS
from jiqun.cli import report
from jiqun.cli.output import Format, note, progress, say, write
from jiqun.cli.workspace import WorkspaceOption, open_workspace
from jiqun.core.actor import LOCAL
from jiqun.core.errors import current_language
from jiqun.core.remarks import Remark

FormatOption = Annotated[Format, typer.Option("--format", "-f", help="Output format.")]
AsOfOption = Annotated[
    datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Day asked about 基准日; default: that of the load.")
]
AgeOption = Annotated[int, typer.Option(help="Records older than so many days 记录有效天数 say nothing.", min=1)]
OutputOption = Annotated[Path | None, typer.Option("--output", "-o", help="A report instead: .docx .pdf .xlsx .html")]
_LIST = (
    "id", "name", "total_m2", "share", "low", "high", "vacant_m2", "open_m2", "units", "units_vacant", "median_days",
    "oldest", "newest",
)  # fmt: skip


class StatusWord(StrEnum):
    """State of a unit."""

    vacant = "vacant"
    reserved = "reserved"
    works = "works"
    let = "let"
    lapsed = "lapsed"
    stale = "stale"
    open = "open"


class What(StrEnum):
    """A table of the assessment."""

    findings = "findings"
    tenants = "tenants"
    related = "related"
    titles = "titles"
    output = "output"


def register(app: typer.Typer) -> None:
    """Add the commands of parks."""
    parks = typer.Typer(no_args_is_help=True, help="Parks and buildings 载体: what is let, to let, idle.")
    parks.command("list")(listed)
    parks.command("show")(show)
    parks.command("to-let")(to_let)
    parks.command("assess")(assess)
    app.add_typer(parks, name="parks")


def listed(
    as_of: AsOfOption = None,
    max_age: AgeOption = MAX_AGE_DAYS,
    output: OutputOption = None,
    workspace: WorkspaceOption = None,
    form: FormatOption = Format.table,
) -> None:
    """Parks 园区 with the share of their area that is let, and its range.

    Example: jiqun parks list --format csv
    """
    opened = open_workspace(workspace)
    shown = desk.parks_now(opened, as_of=_day(as_of), max_age_days=max_age)
    if output is not None:
        report.write(parks_document(shown, today=opened.clock().date()), output, None, None, opened.clock)
        return
    write(shown.found.parks.select(_LIST), form)
    _tell(shown.found.remarks)


def show(
    park: Annotated[str, typer.Argument(metavar="PARK", help="Id or name of a park 园区.")],
    as_of: AsOfOption = None,
    max_age: AgeOption = MAX_AGE_DAYS,
    output: OutputOption = None,
    workspace: WorkspaceOption = None,
    form: FormatOption = Format.table,
) -> None:
    """One park 单个园区: its buildings and floors, and what of them is let.

    Example: jiqun parks show 软件园 -o park.docx
    """
    opened = open_workspace(workspace)
    shown = desk.parks_now(opened, as_of=_day(as_of), max_age_days=max_age)
    row = shown.park(park)
    if output is not None:
        report.write(park_document(opened, shown, row, full=True), output, None, None, opened.clock)
        return
    write(parts_of(shown, row["id"]), form)


def to_let(
    park: Annotated[str | None, typer.Option(help="Only this park 园区: id or name.")] = None,
    status: Annotated[
        StatusWord | None, typer.Option(help="Only this state 状态; default: all that is to let.")
    ] = None,
    min_m2: Annotated[float | None, typer.Option(help="Least area 最小面积.", min=0)] = None,
    max_m2: Annotated[float | None, typer.Option(help="Largest area 最大面积.", min=0)] = None,
    max_rent: Annotated[float | None, typer.Option(help="Highest rent 最高租金, CNY per m² and month.", min=0)] = None,
    workspace: WorkspaceOption = None,
    form: FormatOption = Format.table,
) -> None:
    """Units to let 招商清单: vacant, reserved or under works, the largest first.

    Example: jiqun parks to-let --min-m2 500 --max-rent 60 --format csv
    """
    shown = desk.parks_now(open_workspace(workspace))
    asked = UnitsRequest(
        park=park, status=status.value if status else None, min_m2=min_m2, max_m2=max_m2, max_rent=max_rent
    )
    write(sought(shown, asked, full=True), form)


def assess(
    table: Annotated[What, typer.Option(help="Which table.")] = What.findings,
    park: Annotated[str | None, typer.Option(help="Only this park 园区: id or name.")] = None,
    as_of: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="Day asked about 基准日; default: that of the newest record."),
    ] = None,
    max_age: AgeOption = MAX_AGE_DAYS,
    idle_share: Annotated[
        float, typer.Option(help="Vacant share 空置占比 that counts as idle.", min=0, max=1)
    ] = IDLE_SHARE,
    idle_months: Annotated[
        float, typer.Option(help="Median months of vacancy 空置月数 that count as idle.", min=0)
    ] = IDLE_MONTHS,
    workspace: WorkspaceOption = None,
    form: FormatOption = Format.table,
) -> None:
    """What stands idle 载体闲置: tenants matched, their relatedness, vacancy and its duration; stored.

    Example: jiqun parks assess --table tenants --format csv
    """
    opened = open_workspace(workspace)
    with progress() as told:
        result = desk.assess(
            LOCAL,
            opened,
            as_of=_day(as_of),
            max_age_days=max_age,
            thresholds=Thresholds(share=idle_share, months=idle_months),
            progress=told,
        )
    rows = result.table(table.value)
    if park is not None:
        row = desk.parks_now(opened).park(park)
        rows = rows.filter(pl.col("unit" if table is What.findings else "park_id") == row["id"])
    if table is What.findings:
        language = current_language()
        names = [f"{name}_{language}" for name in ("title", "sentence", "varies", "action", "missing")]
        rows = rows.with_columns(pl.col(f"missing_{language}").list.join("; "))
        rows = rows.select("unit", "code", "state", "severity", "statistic", "low", "high", *names)
        rows = rows.rename({name: name[:-3] for name in names})
    write(rows, form)
    say(
        f"截至 {result.values['as_of']}：{result.values['tenants']} 家租户，{result.values['matched']} 家对上登记库；阈值是我们定的，可用选项改。",
        f"As of {result.values['as_of']}: {result.values['tenants']} tenants, {result.values['matched']} of them in the register; thresholds are ours and may be changed.",
    )


def _day(given: datetime | None) -> date | None:
    return given.date() if given else None


def _tell(remarks: tuple[Remark, ...]) -> None:
    language = current_language()
    for remark in remarks:
        note(f"{remark.code} {remark.message.get(language)}\n  {remark.hint.get(language)}")
