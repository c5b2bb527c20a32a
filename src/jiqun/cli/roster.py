"""`jiqun roster`: match a roster, review, decide, merge, correct, and what was said of each field."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import polars as pl
import typer

from jiqun.cli.intake import CrsName
from jiqun.cli.output import Format, note, progress, say, write
from jiqun.cli.workspace import WorkspaceOption, open_workspace
from jiqun.core.actor import LOCAL
from jiqun.core.errors import UsageError, current_language
from jiqun.intake.columns import parse_map
from jiqun.roster import corrections, desk, records
from jiqun.roster.derive import derive
from jiqun.roster.evidence import told
from jiqun.roster.history import history as said
from jiqun.roster.match import ACCEPT, MARGIN
from jiqun.store import Workspace
from jiqun.store.commands import new_key

RosterOption = Annotated[
    str | None,
    typer.Option("--roster", metavar="ID", help="Roster 名单, from `roster list`; default: the one matched last."),
]
FormatOption = Annotated[Format, typer.Option("--format", "-f", help="Output format.")]
_COLUMNS = ("row", "source_row", "name", "decision", "organisation", "organisation_name", "score", "margin", "why")


def register(app: typer.Typer) -> None:
    """Add the commands of rosters."""
    group = typer.Typer(help="Match a roster 名单 to the register and merge it.", no_args_is_help=True)
    for command in (match, list_, review, firms, decide, undo, apply, withdraw, correct, history):
        group.command(command.__name__.rstrip("_"))(command)
    app.add_typer(group, name="roster")


def match(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="CSV, Excel (xlsx, xlsm, xls) or Parquet, one row per firm.")
    ],
    name: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="What the roster is called 名单名称; a later one of the same name replaces it. Default: the file's name.",
        ),
    ] = None,
    mapping: Annotated[
        list[str] | None,
        typer.Option(
            "--map", metavar="HEADER=ATTRIBUTE", help="What a column is 列对应, such as 单位=name; may be repeated."
        ),
    ] = None,
    crs: Annotated[CrsName, typer.Option(help="Coordinate system 坐标系 of the file.")] = CrsName.wgs84,
    sheet: Annotated[str | None, typer.Option(metavar="NAME", help="Sheet 工作表.")] = None,
    encoding: Annotated[str | None, typer.Option(metavar="NAME", help="Encoding 编码 of a text file.")] = None,
    as_of: Annotated[
        str | None, typer.Option(metavar="DATE", help="Date the roster speaks of 数据日期; default: today.")
    ] = None,
    accept: Annotated[float, typer.Option(help="Least score to be matched without a person.")] = ACCEPT,
    lead: Annotated[float, typer.Option(help="How far the best candidate must lead.")] = MARGIN,
    quarantine: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Also write all findings 隔离清单, refused and repeated rows among them, to this .xlsx or .csv.",
        ),
    ] = None,
    apply_: Annotated[bool, typer.Option("--apply", help="Merge 并入 it at once.")] = False,
    workspace: WorkspaceOption = None,
    form: FormatOption = Format.table,
) -> None:
    """Match a roster 匹配名单 by credit code, else by name, place and business; the register stays as it is.

    Example: jiqun roster match members.xlsx --name members --as-of 2025-06-30
    """
    opened = open_workspace(workspace)
    with progress() as report:
        made = desk.match(
            LOCAL,
            opened,
            file,
            name=name,
            as_of=as_of,
            mapping=parse_map(mapping or []),
            crs=crs.value,
            sheet=sheet,
            encoding=encoding,
            quarantine=quarantine,
            accept=accept,
            lead=lead,
            progress=report,
        )
        if apply_:
            desk.apply(LOCAL, opened, made.id, key=new_key())
            derive(opened, progress=report)
    c = made.counts
    say(
        f"名单 {made.name}（{made.id}）：{c['matched']:,} 行匹配，{c['review']:,} 行待判定，{c['unmatched']:,} 行无匹配；{c['refused']:,} 行不可用，{c['repeated']:,} 行重复。",
        f"Roster {made.name} ({made.id}): {c['matched']:,} matched, {c['review']:,} to review, {c['unmatched']:,} unmatched; {c['refused']:,} rows unusable, {c['repeated']:,} repeated.",
    )
    if c["capped"]:
        say(
            f"{c['capped']:,} 个名称的用字过于常见，只按完全相同的名称和代码查找。",
            f"{c['capped']:,} names share keys with too many others, which were not followed.",
        )
    if c["review"]:
        say("下一步：jiqun roster review", "Next: jiqun roster review")
    write(
        pl.DataFrame(
            [
                {
                    "roster": made.id,
                    "state": records.find(opened, made.id).state,
                    **{k: c[k] for k in ("rows", "matched", "review", "unmatched", "shared", "refused", "repeated")},
                }
            ]
        ),
        form,
    )


def list_(workspace: WorkspaceOption = None, form: FormatOption = Format.table) -> None:
    """List rosters 名单列表; of those outdated the register was loaded anew since: match the file again.

    Example: jiqun roster list
    """
    opened = open_workspace(workspace)
    found = records.listing(opened)
    rows = [
        {
            "roster": one.id,
            "name": one.name,
            "file": one.file,
            "as_of": one.as_of.isoformat(),
            "state": one.state,
            "outdated": records.outdated(opened, one),
            **{k: one.counts[k] for k in ("rows", "matched", "review", "unmatched")},
        }
        for one in found
    ]
    schema = (
        dict.fromkeys(("roster", "name", "file", "as_of", "state"), pl.String)
        | {"outdated": pl.Boolean}
        | dict.fromkeys(("rows", "matched", "review", "unmatched"), pl.Int64)
    )
    write(pl.DataFrame(rows, schema=schema), form)


def review(
    roster: RosterOption = None,
    decision: Annotated[str, typer.Option(help="Which rows: review, matched, unmatched or all.")] = "review",
    accept_above: Annotated[
        float | None,
        typer.Option(
            "--accept-above", metavar="SCORE", help="Take all in review that score so much as the same 批量判定."
        ),
    ] = None,
    workspace: WorkspaceOption = None,
    form: FormatOption = Format.table,
) -> None:
    """Rows that wait for a decision 待判定, each with its best candidate and why.

    Example: jiqun roster review --format csv
    """
    opened = open_workspace(workspace)
    found = _roster(opened, roster)
    if decision not in {"review", "matched", "unmatched", "all"}:
        raise UsageError("JQ-USE-001", what="--decision", value=decision, known="review, matched, unmatched, all")
    if accept_above is not None:
        count = desk.accept_above(LOCAL, opened, found.id, accept_above, key=new_key())
        derive(opened)
        say(f"{count:,} 行判定为同一家。", f"{count:,} rows taken as the same.")
    rows = records.now(opened, found)
    if decision != "all":
        rows = rows.filter(pl.col("decision") == decision)
    names = records.table_of(opened, found, "organisations").select(organisation="id", organisation_name="name")
    why = [told(bits or 0).get(current_language()) for bits in rows["evidence"]]
    rows = rows.with_columns(why=pl.Series(why, dtype=pl.String)).join(
        names, on="organisation", how="left", maintain_order="left"
    )
    write(rows.sort("score", "row", descending=[True, False], nulls_last=True).select(_COLUMNS), form)


def firms(roster: RosterOption = None, workspace: WorkspaceOption = None) -> None:
    """Organisations 名单中的机构 that the rows stand for, an id per line: to ask them in a survey round, for one.

    Example: jiqun roster firms > firms.txt && jiqun survey new figures.toml --year 2025 --closes 2025-10-31 --list firms.txt
    """
    opened = open_workspace(workspace)
    for one in records.firms(opened, _roster(opened, roster)):
        typer.echo(one)


def decide(
    row: Annotated[int, typer.Argument(metavar="ROW", help="Row of the roster, as `review` shows it.")],
    verdict: Annotated[str, typer.Argument(metavar="VERDICT", help="same or different 同一家或不是.")],
    organisation: Annotated[
        str | None, typer.Argument(metavar="ORG", help="Id of the organisation; default: the best candidate.")
    ] = None,
    roster: RosterOption = None,
    workspace: WorkspaceOption = None,
) -> None:
    """Say whether a row is an organisation 判定; it holds for later editions of the roster, too.

    Example: jiqun roster decide 17 same o0000042
    """
    opened = open_workspace(workspace)
    found = _roster(opened, roster)
    if verdict not in {"same", "different"}:
        raise UsageError("JQ-USE-001", what="verdict", value=verdict, known="same, different")
    if organisation is None:
        now = records.now(opened, found)
        if not 0 <= row < now.height:
            raise desk.no_row(row, now.height)
        organisation = now["organisation"][row]
        if organisation is None:
            raise UsageError("JQ-ROSTER-013", value=row)
    made = desk.decide(LOCAL, opened, found.id, row, organisation, verdict, key=new_key())
    derive(opened)
    typer.echo(made)


def undo(
    decision: Annotated[str, typer.Argument(metavar="DECISION", help="What `decide` answered.")],
    workspace: WorkspaceOption = None,
) -> None:
    """Take a decision back 撤回判定.

    Example: jiqun roster undo pair_0123456789abcdef
    """
    opened = open_workspace(workspace)
    desk.undo(LOCAL, opened, decision, key=new_key())
    derive(opened)


def apply(roster: RosterOption = None, workspace: WorkspaceOption = None) -> None:
    """Merge a roster 并入名单: matched rows fill and renew fields, others stand by themselves and say so.

    Example: jiqun roster apply
    """
    opened = open_workspace(workspace)
    found = _roster(opened, roster)
    desk.apply(LOCAL, opened, found.id, key=new_key())
    _derived(opened)


def withdraw(roster: RosterOption = None, workspace: WorkspaceOption = None) -> None:
    """Take a roster out again 撤出名单; decisions stay for its next edition.

    Example: jiqun roster withdraw --roster ros_0123456789abcdef
    """
    opened = open_workspace(workspace)
    found = _roster(opened, roster)
    desk.withdraw(LOCAL, opened, found.id, key=new_key())
    _derived(opened)


def correct(
    organisation: Annotated[str, typer.Argument(metavar="ORG", help="Id of the organisation.")],
    values: Annotated[
        list[str] | None, typer.Argument(metavar="FIELD=VALUE", help="What is right; FIELD= for not known.")
    ] = None,
    reason: Annotated[str | None, typer.Option(help="Why 理由.")] = None,
    take_back: Annotated[bool, typer.Option("--take-back", help="Take all its corrections back 撤回更正.")] = False,
    workspace: WorkspaceOption = None,
    form: FormatOption = Format.table,
) -> None:
    """Correct an organisation 更正; it lies over every source, now and after the next load.

    Example: jiqun roster correct o0000042 city=深圳市 employees=120 --reason "annual report"
    """
    opened = open_workspace(workspace)
    if take_back:
        corrections.take_back(LOCAL, opened, organisation, key=new_key())
    elif values:
        given = [value.partition("=") for value in values]
        wrong = next((value for value, (_, equals, _) in zip(values, given, strict=True) if not equals), None)
        if wrong is not None:
            raise UsageError("JQ-USE-001", what="FIELD=VALUE", value=wrong, known=", ".join(corrections.ATTRIBUTES))
        asked = {field.strip(): value.strip() or None for field, _, value in given}
        corrections.correct(LOCAL, opened, organisation, asked, reason=reason, key=new_key())
    _derived(opened)
    write(
        _frame(
            corrections.standing(opened, organisation),
            ("attribute", "value", "seen", "conflict", "reason", "account", "at"),
        ),
        form,
    )


def history(
    organisation: Annotated[str, typer.Argument(metavar="ORG", help="Id of the organisation.")],
    attribute: Annotated[str | None, typer.Option("--field", metavar="FIELD", help="Only this field 字段.")] = None,
    workspace: WorkspaceOption = None,
    form: FormatOption = Format.table,
) -> None:
    """What was said of each field 字段沿革: value, source, as of when, by whom.

    Example: jiqun roster history o0000042 --field city
    """
    found = said(open_workspace(workspace), organisation, attribute)
    write(
        _frame(found, ("attribute", "value", "shown", "kind", "source", "as_of", "at", "who", "ended_at", "reason")),
        form,
    )


def _frame(found: tuple[Any, ...], names: tuple[str, ...]) -> pl.DataFrame:
    rows = [one.model_dump(mode="json", include=set(names)) for one in found]
    return pl.DataFrame(rows, schema={name: pl.Boolean if name == "shown" else pl.String for name in names}).select(
        names
    )


def _derived(opened: Workspace) -> None:
    with progress() as report:
        snapshot = derive(opened, progress=report)
    if snapshot is not None:
        note(f"organisations {snapshot.id}: {snapshot.rows:,}")


def _roster(opened: Workspace, asked: str | None) -> records.Roster:
    return records.find(opened, asked) if asked else records.latest(opened)
