"""`jiqun atlas core-share`: shares of the core industries, digital clusters of a list, and what texts quote."""

from __future__ import annotations

import csv
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import polars as pl
import typer

from jiqun.atlas import core_desk as desk
from jiqun.atlas.core_shares import PROXIES, listed_share, quoted_shares
from jiqun.atlas.documents.core import range_text
from jiqun.atlas.reading import Which, find_cluster, find_run
from jiqun.cli.output import Format, progress, say, write
from jiqun.cli.workspace import WorkspaceOption, open_workspace
from jiqun.core.actor import LOCAL
from jiqun.core.errors import InputError, UsageError, current_language
from jiqun.intake.counted import left_out
from jiqun.taxonomy.codes import DEFINITIONS


class Level(StrEnum):
    """Of what."""

    all = "all"
    region = "region"
    cluster = "cluster"


def shares(
    level: Annotated[
        Level, typer.Option(help="Of all firms 全部, of each region 地区, or of one cluster 集群.")
    ] = Level.all,
    cluster: Annotated[
        str | None, typer.Option("--cluster", "-c", metavar="ID", help="Cluster, such as c0001.")
    ] = None,
    digital: Annotated[
        str | None, typer.Option("--digital", "-d", metavar="CODE", help="The cluster is of the search of this class.")
    ] = None,
    rates: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Rates of value added 增加值率 (CSV: code, rate): value added is then shown too."
        ),
    ] = None,
    listed: Annotated[
        Path | None,
        typer.Option(
            "--list", metavar="FILE", help="Instead: a list of clusters 集群名录 (CSV: name[, industry][, code])."
        ),
    ] = None,
    quoted: Annotated[
        bool, typer.Option("--quoted", help="Instead: shares as published texts quote them 引用数字.")
    ] = False,
    workspace: WorkspaceOption = None,
    form: Annotated[Format, typer.Option("--format", "-f", help="Output format.")] = Format.table,
) -> None:
    """Shares of the core digital industries 核心产业占比, under both definitions, with their range.

    Example: jiqun atlas core-share --level region --format csv
    """
    if quoted:
        _quoted(form)
    elif listed is not None:
        _listed(listed, form)
    else:
        _counted(level, cluster, digital, rates, workspace, form)


def _counted(
    level: Level, cluster: str | None, digital: str | None, rates: Path | None, folder: Path | None, form: Format
) -> None:
    opened = open_workspace(folder)
    with progress() as report:
        result = desk.judge(LOCAL, opened, progress=report)
    members = None
    if level is Level.cluster or cluster:
        run = find_run(opened, Which(digital=digital))
        members = run.members(find_cluster(opened, run, cluster or "")["cluster_id"])["id"]
    found = desk.shares(result, full=True, members=members, each=level is Level.region)
    if rates is not None:
        more = desk.value_added(opened, result, _rates(rates), members=members, each=level is Level.region)
        found = pl.concat([found, more])
    if text := left_out(result.values):
        say(text.zh, text.en)
    proxies = [by for by in sorted(PROXIES) if by in set(found["by"])]
    write(found.rename({"group": "region"}) if level is Level.region else found.drop("group"), form)
    _no_broad_share()
    if proxies:
        say(
            "从业人数和营业收入是增加值的替代指标，不是增加值。",
            "Persons employed and revenue are proxies for value added, not value added.",
        )


def _no_broad_share() -> None:
    say(
        "宽口径没有代码能排除一家企业，有未判定的就只给范围。",
        "Broad, no code puts anything outside: while anything is undecided there is a range and no share.",
    )


def _rates(path: Path) -> dict[str, float]:
    try:
        rows = list(csv.DictReader(path.read_text(encoding="utf-8-sig").splitlines()))
        return {row["code"].strip(): float(row["rate"]) for row in rows}
    except (OSError, UnicodeDecodeError, KeyError, ValueError, TypeError, AttributeError) as error:
        raise UsageError("JQ-SHARE-001", value=f"{path}: {error}") from error


def _listed(path: Path, form: Format) -> None:
    try:
        frame = pl.read_csv(path, infer_schema=False)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise UsageError("JQ-USE-004", file=path, reason=str(error).splitlines()[0]) from error
    if "name" not in frame.columns:
        raise InputError("JQ-SHARE-002", file=path, columns=", ".join(frame.columns))
    told = {definition: listed_share(frame, definition=definition) for definition in DEFINITIONS}
    write(told["narrow"][0], form)
    for definition, (_, counts) in told.items():
        told_share = range_text(counts)
        say(
            f"{definition}：数字 {counts['digital']}，否 {counts['not']}，未判定 {counts['undecided']}；占比 {told_share.zh}",
            f"{definition}: digital {counts['digital']}, not {counts['not']}, undecided {counts['undecided']}; share {told_share.en}",
        )
    say(
        "规则：代码能判定的按代码，否则按产业用语，再否则按名称。",
        "Rule: by code where it decides, else by the words of the industry, else by the name.",
    )
    _no_broad_share()


def _quoted(form: Format) -> None:
    language = current_language()
    rows = [
        {
            "what": one.what.get(language),
            "quoted": one.value,
            "over": one.low,
            "year": one.year,
            "of": one.of.get(language),
            "source": one.source.get(language),
            "note": one.note.get(language),
        }
        for one in quoted_shares()
    ]
    write(pl.DataFrame(rows, infer_schema_length=None), form)
    say("照录自公开文本，不是算出的。", "Copied from published texts, not computed.")
