"""Commands of placing: take an address apart, ask a geocoder, look at doubtful points."""

from __future__ import annotations

import sys
from enum import StrEnum
from typing import Annotated, cast

import polars as pl
import typer

from jiqun.cli.output import Format, progress, say, write
from jiqun.cli.workspace import WorkspaceOption, open_workspace
from jiqun.core.actor import LOCAL
from jiqun.core.errors import UsageError, current_language
from jiqun.intake import geocoding
from jiqun.intake.address import parse_address
from jiqun.intake.doubtful_points import Fix, decide, decided_points, doubtful_points, place_decided, undo
from jiqun.intake.gazetteer import Gazetteer
from jiqun.intake.geocoders import PROVIDERS
from jiqun.intake.geocoding import Plan, place_again
from jiqun.roster.derive import derive
from jiqun.store.commands import new_id, new_key


class ProviderName(StrEnum):
    """Geocoders."""

    tianditu = "tianditu"
    amap = "amap"
    baidu = "baidu"


class TableName(StrEnum):
    """Tables with addresses."""

    organisations = "organisations"
    sites = "sites"


class FixName(StrEnum):
    """What can be done with a doubtful point."""

    swap = "swap"
    sign = "sign"
    drop = "drop"
    keep = "keep"
    undo = "undo"


_SHORT = (
    "province",
    "city",
    "county",
    "region_code",
    "zone",
    "town",
    "road",
    "number",
    "park",
    "building",
    "detail",
    "notes",
)
TableOption = Annotated[TableName, typer.Option("--table", help="Table 表 whose addresses are meant.")]


def register(app: typer.Typer) -> None:
    """Add placing's commands."""
    app.command("address")(address)
    app.command("geocode")(geocode)
    app.command("points")(points)


def address(
    addresses: Annotated[
        list[str], typer.Argument(metavar="ADDRESS...", help="Addresses 地址; - reads lines from stdin.")
    ],
    workspace: WorkspaceOption = None,
    form: Annotated[Format, typer.Option("--format", "-f", help="Output format.")] = Format.table,
) -> None:
    """Take addresses apart 地址解析: divisions with their codes, town, road, number, park, building.

    Example: jiqun address 余杭区文一西路969号 --format json
    """
    opened = open_workspace(workspace)
    lines = sys.stdin.read().splitlines() if addresses == ["-"] else addresses
    found = parse_address(lines, Gazetteer.load(opened.cache))
    write(found.select("address", *_SHORT) if form is Format.table else found, form)


def geocode(
    provider: Annotated[ProviderName, typer.Option(help="Service 地理编码服务; its key is in JIQUN_<SERVICE>_KEY.")],
    table: TableOption = TableName.organisations,
    limit: Annotated[int | None, typer.Option(min=1, help="Most addresses to ask for.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be asked 预览 and ask nothing.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before starting.")] = False,
    workspace: WorkspaceOption = None,
) -> None:
    """Ask a geocoder 地理编码 for addresses without an exact point, with your own key; the table gets a new snapshot.

    Answers are kept: no address is asked for twice, and what is cut off goes on when the command is given again.

    Example: jiqun geocode --provider tianditu --limit 500 --dry-run
    """
    opened = open_workspace(workspace)
    told = geocoding.plan(LOCAL, opened, provider.value, table.value, limit=limit)
    _say_plan(told)
    if dry_run or not told.to_ask:
        return
    if not yes and sys.stdin.isatty() and not typer.confirm("继续？" if current_language() == "zh" else "Go on?"):
        raise typer.Exit(1)
    with progress() as report:
        done = geocoding.geocode(
            LOCAL, opened, provider.value, table.value, limit=limit, job=new_id("cli"), report=report
        )
    say(
        f"已查询 {done.asked}：{done.found} 个有结果，{done.none} 个没有；{done.skipped} 个暂无应答，尚余 {done.left}。"
        f"{done.changed} 行更新了位置。",
        f"Asked for {done.asked}: {done.found} found, {done.none} not; {done.skipped} without an answer, {done.left} left. "
        f"{done.changed} rows have a new point.",
    )
    if done.paused:
        say("今日额度已用完；明日再次运行即可继续。", "The day's quota is used up; run this again tomorrow to go on.")
    opened.close()


def _say_plan(told: Plan) -> None:
    title = PROVIDERS[told.provider].title
    say(
        f"{title}：{told.rows:,} 行缺少精确位置，共 {told.queries:,} 个不同地址，其中 {told.known:,} 个已查过。"
        f"将查询 {told.to_ask:,} 个：今日 {told.today:,} 次（额度 {told.per_day:,}，已用 {told.used:,}）"
        + (f"，约需 {told.days} 天。" if told.days is not None else "。")
        + ("" if told.has_key else "尚未设置密钥。")
        + "请遵守该服务关于保存和展示结果的条款。",
        f"{title}: {told.rows:,} rows lack an exact point; {told.queries:,} different addresses, {told.known:,} answered before. "
        f"{told.to_ask:,} would be asked for: {told.today:,} today (quota {told.per_day:,}, used {told.used:,})"
        + (f", in {told.days} day(s). " if told.days is not None else ". ")
        + ("" if told.has_key else "There is no key yet. ")
        + "Mind the service's terms on keeping and showing results.",
    )


def points(
    table: TableOption = TableName.organisations,
    code: Annotated[str | None, typer.Option(metavar="CODE", help="Only this finding, such as JQ-PLACE-011.")] = None,
    fix: Annotated[
        FixName | None,
        typer.Option(
            help="Do this 处理 with the rows named by --row, or with all listed: swap, sign, drop, keep; or undo that."
        ),
    ] = None,
    row: Annotated[list[str] | None, typer.Option(metavar="ID", help="Id of a row; may be repeated.")] = None,
    every: Annotated[bool, typer.Option("--all", help="With --fix: all rows listed to which it is offered.")] = False,
    decided: Annotated[bool, typer.Option("--decided", help="What was decided 处理记录, when and by whom.")] = False,
    workspace: WorkspaceOption = None,
    form: Annotated[Format, typer.Option("--format", "-f", help="Output format.")] = Format.table,
) -> None:
    """List doubtful points 可疑坐标 with what would mend each, or mend them; later loads keep to it.

    Example: jiqun points --code JQ-PLACE-013 --fix swap --all
    """
    opened = open_workspace(workspace)
    undoing = fix is FixName.undo
    listed = decided_points if decided or undoing else doubtful_points
    found = listed(LOCAL, opened, table.value)
    if code is not None:
        found = found.filter(pl.col("code") == code)
    if fix is None:
        hidden = "place_name_zh" if current_language() == "en" else "place_name"
        write(found.drop(hidden, strict=False) if form is Format.table else found, form)
        return
    if not row and not every:
        raise UsageError("JQ-USE-001", what="--row", value="—", known="--row ID, --all")
    may = pl.col("fix") == fix.value if fix in {FixName.swap, FixName.sign} else pl.col("fix").is_not_null()
    ids = row or found.filter(may)["id"].to_list()
    if ids and fix is FixName.undo:
        job = opened.database.jobs.find(undo(LOCAL, opened, table.value, ids, key=new_key())["job"])
        if job is not None:
            place_decided(opened, job.payload)
        derive(opened)
    elif ids:
        decide(LOCAL, opened, table.value, ids, cast("Fix", fix.value), key=new_key())
        place_again(opened, table.value, by="points")
    say(f"已处理 {len(ids)} 行。", f"{len(ids)} rows treated.")
    opened.close()
