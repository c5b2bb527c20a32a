"""`jiqun survey`: rounds from draft to publication, on this machine. Whoever runs it owns the workspace's files."""

from __future__ import annotations

import csv
import sys
import tomllib
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import polars as pl
import typer
from pydantic import ValidationError

from jiqun.cli.output import Format, note, say, write
from jiqun.cli.workspace import WorkspaceOption, open_workspace
from jiqun.core.actor import LOCAL
from jiqun.core.errors import InputError, UsageError, current_language
from jiqun.core.operation import MOST, PageRequest
from jiqun.store.database import new_key
from jiqun.store.worker import work
from jiqun.survey import contacts as contact_desk
from jiqun.survey import export as files
from jiqun.survey import links as link_desk
from jiqun.survey import publish as publishing
from jiqun.survey import records, reminders, room, rounds
from jiqun.survey.models import RoundRow
from jiqun.survey.questions import read_questions, templates

RoundArgument = Annotated[str, typer.Argument(metavar="ROUND", help="Id of the round 轮次, such as svy_….")]
FormatOption = Annotated[Format, typer.Option("--format", "-f", help="Output format.")]
Day = Annotated[datetime, typer.Option(metavar="DATE", formats=["%Y-%m-%d"], help="Last day 截止日期, as 2025-10-31.")]


class Scope(StrEnum):
    """Who should answer: organisations with an account, all of the register, or the members of every cluster."""

    members = "members"
    all = "all"
    clusters = "clusters"


class KindName(StrEnum):
    """Kinds of rounds."""

    indicators = "indicators"
    links = "links"


class ReaderName(StrEnum):
    """Roles beside the operator."""

    analyst = "analyst"
    auditor = "auditor"


def register(app: typer.Typer) -> None:
    """Add the commands of surveys."""
    survey = typer.Typer(
        help="Surveys 采集: ask firms, remind, lock, publish with response rates.", no_args_is_help=True
    )
    survey.command()(template)
    survey.command()(new)
    survey.command("open")(open_)
    survey.command("list")(list_)
    survey.command()(status)
    survey.command()(links)
    survey.command()(contacts)
    survey.command()(remind)
    survey.command()(extend)
    survey.command()(lock)
    survey.command()(reopen)
    survey.command()(publish)
    survey.command()(export)
    app.add_typer(survey, name="survey")


def template(
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="Template 模板; none: list them.")] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="File: .toml, or .xlsx/.csv of links.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
    form: FormatOption = Format.table,
) -> None:
    """Templates 模板: rounds to begin with, and tables of links that are known from elsewhere.

    Example: jiqun survey template quarterly-figures -o figures.toml
    """
    if name is None:
        language = current_language()
        rows = [(one.name, one.kind, one.title.get(language), one.about.get(language)) for one in templates().values()]
        write(pl.DataFrame(rows, schema=["name", "kind", "title", "about"], orient="row"), form)
        return
    suffix = ".xlsx" if files.template(name).kind == "import" else ".toml"
    path = files.write_template(name, output or Path(name + suffix), current_language(), force=force)
    say(f"已写入 {path}", f"Written to {path}")


def new(
    questions: Annotated[
        Path, typer.Argument(metavar="FILE", help="Questions 问题: .toml or .csv; see jiqun survey template.")
    ],
    year: Annotated[int, typer.Option(help="Year 年份 that is asked about.", min=1900, max=2100)],
    closes: Day,
    quarter: Annotated[int | None, typer.Option(help="Quarter 季度.", min=1, max=4)] = None,
    opens: Annotated[
        datetime | None, typer.Option(metavar="DATE", formats=["%Y-%m-%d"], help="First day; default: today.")
    ] = None,
    kind: Annotated[KindName | None, typer.Option(help="Kind 种类; default: as the TOML file says.")] = None,
    title_zh: Annotated[str, typer.Option(help="Title in Chinese 中文标题; default: that of the file.")] = "",
    title_en: Annotated[str, typer.Option(help="Title in English 英文标题; default: that of the file.")] = "",
    scope: Annotated[Scope, typer.Option("--roster", help="Who should answer 应答范围.")] = Scope.members,
    cluster: Annotated[str, typer.Option(metavar="ID", help="Instead: members of a cluster 集群, such as c0001.")] = "",
    organisations: Annotated[
        Path | None, typer.Option("--list", metavar="FILE", help="Instead: organisations 机构, an id per line.")
    ] = None,
    reader: Annotated[list[ReaderName] | None, typer.Option(help="Role that may see single answers too.")] = None,
    remind_days: Annotated[
        list[int] | None, typer.Option("--remind", help="Days before the last to remind 提醒 on; may be repeated.")
    ] = None,
    workspace: WorkspaceOption = None,
) -> None:
    """Draft a round 新建轮次; prints its id.

    Example: jiqun survey new figures.toml --year 2025 --quarter 3 --closes 2025-10-31 --roster members
    """
    opened = open_workspace(workspace)
    about = _about(questions)
    sort = kind.value if kind else about.get("kind", "indicators")
    roster: dict[str, Any] = {"scope": scope.value}
    if cluster or scope is Scope.clusters:
        roster = {"scope": "cluster", "cluster": cluster}
    if organisations is not None:
        ids = [line.strip() for line in _text(organisations).splitlines() if line.strip()]
        roster = {"scope": "list", "organisations": ids}
    values = {
        "kind": sort,
        "title_zh": title_zh or about.get("zh") or questions.stem,
        "title_en": title_en or about.get("en") or questions.stem,
        "note_zh": about.get("note_zh", ""),
        "note_en": about.get("note_en", ""),
        "year": year,
        "quarter": quarter,
        "questions": read_questions(questions, "links" if sort == "links" else "indicators"),
        "opens_on": (opens or opened.clock()).date(),
        "closes_on": closes.date(),
        "roster": roster,
        "readers": [one.value for one in reader or ()],
    }
    if remind_days:
        values["reminders"] = remind_days
    try:
        spec = rounds.Spec.model_validate(values)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        field = ".".join(map(str, first["loc"]))
        raise InputError("JQ-SURVEY-003", place="—", field=field, reason=first["msg"]) from None
    made = rounds.new(LOCAL, opened, spec, key=new_key())
    typer.echo(made.id)
    say(f"草稿已建立。开放：jiqun survey open {made.id}", f"Drafted. Open it: jiqun survey open {made.id}")


def open_(
    survey: RoundArgument,
    tell: Annotated[
        bool, typer.Option("--tell/--no-tell", help="Send the form 发送问卷 to accounts and contacts.")
    ] = True,
    workspace: WorkspaceOption = None,
) -> None:
    """Open a draft 开放: its roster is frozen, forms and reminders are queued for the worker.

    Example: jiqun survey open svy_0123456789abcdef
    """
    opened = open_workspace(workspace)
    rounds.open_round(LOCAL, opened, survey, tell=tell, key=new_key())
    count = len(records.roster(opened, survey))
    say(
        f"已向 {count} 家开放。链接：jiqun survey links {survey}",
        f"Open to {count}. Links: jiqun survey links {survey}",
    )


def list_(workspace: WorkspaceOption = None, form: FormatOption = Format.table) -> None:
    """List the rounds 轮次列表, newest first, with how many answered.

    Example: jiqun survey list --format csv
    """
    opened, rows, cursor = open_workspace(workspace), [], None
    while True:
        page = room.list_rounds(LOCAL, opened, PageRequest(limit=MOST, cursor=cursor))
        rows += [one.model_dump(mode="json", exclude={"version"}) for one in page.items]
        cursor = page.next
        if cursor is None:
            break
    names = [name for name in RoundRow.model_fields if name != "version"]
    counts = {"year", "quarter", "expected", "answered", "declined", "silent"}
    write(pl.DataFrame(rows, schema={name: pl.Int64 if name in counts else pl.String for name in names}), form)


def status(
    survey: RoundArgument,
    silent: Annotated[bool, typer.Option("--silent", help="List who has not answered 未答名单 instead.")] = False,
    workspace: WorkspaceOption = None,
    form: FormatOption = Format.table,
) -> None:
    """Response rates 答复率 of a round, by size and region; or who is silent.

    Example: jiqun survey status svy_0123456789abcdef --silent --format csv
    """
    opened = open_workspace(workspace)
    found = records.find(opened, survey)
    nodes = records.roster_frame(opened, survey)
    if silent:
        quiet = nodes.filter(pl.col("state").is_in(["silent", "started"]))
        write(quiet.select("organisation", "name", "region", "size_class", "employees", "state"), form)
        return
    say(f"{found.title.zh} {found.period}：{found.state}", f"{found.title.en} {found.period}: {found.state}")
    write(publishing.all_rates(nodes), form)


def links(
    survey: RoundArgument,
    organisation: Annotated[
        list[str] | None, typer.Option(metavar="ID", help="For whom; none: for all that did not answer.")
    ] = None,
    revoke: Annotated[bool, typer.Option("--revoke", help="Take links 收回 of these organisations back.")] = False,
    workspace: WorkspaceOption = None,
    form: FormatOption = Format.csv,
) -> None:
    """Make form links 生成填报链接: organisation, name, link. They are shown this once.

    Example: jiqun survey links svy_0123456789abcdef > links.csv
    """
    opened = open_workspace(workspace)
    if revoke:
        for one in organisation or ():
            link_desk.revoke(LOCAL, opened, survey, one, key=new_key())
        say("已收回。", "Taken back.")
        return
    made = link_desk.make(LOCAL, opened, survey, organisation or None, key=new_key())
    address = str(opened.settings["url"].value).rstrip("/")
    rows = [(one.organisation, one.name, address + one.path) for one in made]
    write(pl.DataFrame(rows, schema=["organisation", "name", "link"], orient="row"), form)
    say(
        "链接只显示这一次；每家各一个，可在单位内部转发。",
        "The links are shown only now; one for each organisation, to be handed on within it.",
    )


def contacts(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="CSV with organisation,address[,language].")],
    workspace: WorkspaceOption = None,
) -> None:
    """Enter contacts 录入联系方式 to which forms and reminders are mailed; kept apart, encrypted, operators only.

    Example: jiqun survey contacts contacts.csv
    """
    opened, count = open_workspace(workspace), 0
    for row in csv.DictReader(_text(file).splitlines()):
        language = row.get("language") or None
        contact_desk.add(
            LOCAL,
            opened,
            (row.get("organisation") or "").strip(),
            (row.get("address") or "").strip(),
            language="zh" if language == "zh" else "en" if language == "en" else None,
            key=new_key(),
        )
        count += 1
    say(f"已录入 {count} 个。", f"{count} entered.")


def remind(survey: RoundArgument, workspace: WorkspaceOption = None) -> None:
    """Remind those who have not answered 提醒, at most once a day; the worker sends it.

    Example: jiqun survey remind svy_0123456789abcdef
    """
    opened = open_workspace(workspace)
    reminders.remind(LOCAL, opened, survey, key=new_key())
    say("已排入；由 jiqun work 发送。", "Queued; jiqun work sends it.")


def extend(survey: RoundArgument, closes: Day, workspace: WorkspaceOption = None) -> None:
    """Move the last day 改截止日期 of an open round.

    Example: jiqun survey extend svy_0123456789abcdef --closes 2025-11-07
    """
    found = rounds.extend(LOCAL, open_workspace(workspace), survey, closes.date(), key=new_key())
    say(f"截止日期为 {found.closes_on}。", f"The last day is {found.closes_on}.")


def lock(survey: RoundArgument, workspace: WorkspaceOption = None) -> None:
    """Lock a round 锁定: nothing is answered or changed any more.

    Example: jiqun survey lock svy_0123456789abcdef
    """
    rounds.lock(LOCAL, open_workspace(workspace), survey, key=new_key())
    say(f"已锁定。发布：jiqun survey publish {survey}", f"Locked. Publish it: jiqun survey publish {survey}")


def reopen(
    survey: RoundArgument,
    closes: Day,
    reason: Annotated[str, typer.Option(help="Reason 理由, which goes on record.")],
    workspace: WorkspaceOption = None,
) -> None:
    """Open a locked or published round again 重新开放.

    Example: jiqun survey reopen svy_0123456789abcdef --closes 2025-11-07 --reason "two late firms"
    """
    rounds.reopen(LOCAL, open_workspace(workspace), survey, closes_on=closes.date(), reason=reason, key=new_key())
    say("已重新开放。", "Open again.")


def publish(survey: RoundArgument, workspace: WorkspaceOption = None) -> None:
    """Publish a locked round 发布 into the table of indicators or links, with its response rates.

    Example: jiqun survey publish svy_0123456789abcdef
    """
    opened = open_workspace(workspace)
    job = publishing.publish(LOCAL, opened, survey, key=new_key())
    work(opened, publishing.HANDLERS, once=True, threads=1)
    ended = opened.database.jobs.wait(job, 60)
    if ended is None or ended.state != "done":
        raise UsageError("JQ-SURVEY-033", state=ended.state if ended else "—")
    found = records.find(opened, survey)
    snapshot = publishing.snapshot_of(opened, found)
    say(
        f"已发布到 {found.kind}，快照 {found.snapshot}，答复率结果 {(found.result or '')[:12]}。",
        f"Published to {found.kind}, snapshot {found.snapshot}, response rates {(found.result or '')[:12]}.",
    )
    if snapshot is not None:
        response = dict(snapshot.summary["response"])
        write(pl.DataFrame([response], infer_schema_length=None), Format.table)


def export(
    survey: RoundArgument,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="CSV file; default: standard output.")] = None,
    workspace: WorkspaceOption = None,
    form: FormatOption = Format.csv,
) -> None:
    """Single answers 答卷 of a round, without contacts and without names of people.

    Example: jiqun survey export svy_0123456789abcdef -o answers.csv
    """
    frame = files.answers_frame(LOCAL, open_workspace(workspace), survey)
    if output is None:
        write(frame, form)
        return
    try:
        output.write_bytes("\ufeff".encode() + frame.write_csv().encode())
    except OSError as error:
        raise InputError("JQ-FILE-022", file=output, reason=error.strerror or error) from error
    note(str(output))


def _about(path: Path) -> dict[str, Any]:
    """What a TOML file of questions says of the round itself."""
    if path.suffix.lower() != ".toml":
        return {}
    try:
        found = tomllib.loads(_text(path))
    except tomllib.TOMLDecodeError as error:
        raise InputError("JQ-SURVEY-002", file=path, reason=type(error).__name__) from error
    return {name: value for name, value in found.items() if isinstance(value, str)}


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig") if str(path) != "-" else sys.stdin.read()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError("JQ-SURVEY-002", file=path, reason=type(error).__name__) from error
