"""`jiqun atlas`: find clusters, list them, look at one, export."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import polars as pl
import shapely
import typer

from jiqun.atlas import desk
from jiqun.atlas.documents import atlas_document
from jiqun.atlas.listing import short_table, summary_table
from jiqun.atlas.outline import feature_collection
from jiqun.atlas.reading import kind_of
from jiqun.atlas.subject import Subject, subject_of
from jiqun.cli import core_share, measures, network
from jiqun.cli.output import Format, progress, say, write
from jiqun.cli.workspace import WorkspaceOption, open_workspace
from jiqun.core.actor import LOCAL
from jiqun.core.errors import UsageError, current_language
from jiqun.core.sheets import neutralise
from jiqun.intake.counted import left_out
from jiqun.report import html
from jiqun.store import StoredResult

Digital = Annotated[
    str | None,
    typer.Option("--digital", "-d", metavar="CODE", help="Class of the 2021 digital classification, as 01 or 0304."),
]
RunId = Annotated[
    str | None, typer.Option("--run", metavar="ID", help="A run by the start of its id; default: the last.")
]
FormatOption = Annotated[Format, typer.Option("--format", help="Output format.")]


class Background(StrEnum):
    """What firms are compared with."""

    auto = "auto"
    firms = "firms"
    population = "population"


class Coverage(StrEnum):
    """Whose population counts."""

    auto = "auto"
    regions = "regions"
    countries = "countries"
    world = "world"


class ReadText(StrEnum):
    """How firms are classed that no code decides."""

    auto = "auto"
    lexicon = "lexicon"
    off = "off"


class Calibrate(StrEnum):
    """Where the level of the test comes from."""

    locations = "locations"
    draws = "draws"


def register(app: typer.Typer) -> None:
    """Add the atlas's commands."""
    atlas = typer.Typer(no_args_is_help=True, help="图谱 Atlas: clusters in the loaded organisations.")
    app.add_typer(atlas, name="atlas")
    for command in (run, list_clusters, show, export, runs):
        name = {"list_clusters": "list"}.get(command.__name__, command.__name__)
        atlas.command(name)(command)
    measures.register(atlas)
    network.register(atlas)
    atlas.command("core-share")(core_share.shares)


def run(
    digital: Digital = None,
    background: Annotated[
        Background, typer.Option(help="auto: population where no class is chosen, else all firms.")
    ] = Background.auto,
    coverage: Annotated[
        Coverage, typer.Option(help="Population of which places; auto: where the register has firms.")
    ] = Coverage.auto,
    eps_km: Annotated[
        float | None,
        typer.Option(help="Radius in km; default 20, or 5 against firms that are placed by street."),
    ] = None,
    min_weight: Annotated[
        float | None, typer.Option(help="One number of firms for all places instead of the local test.")
    ] = None,
    floor: Annotated[int, typer.Option(help="Fewest firms within the radius of a core place.")] = 10,
    alpha: Annotated[float, typer.Option(help="Chance of finding anything where there is nothing.")] = 0.05,
    calibrate: Annotated[
        Calibrate, typer.Option(help="Level from the count of places, or from draws.")
    ] = Calibrate.locations,
    draws: Annotated[int, typer.Option(help="Random registers to check the error rate with.", min=0, max=9999)] = 0,
    seed: Annotated[int, typer.Option(help="Seed of the draws.", min=0)] = 20240501,
    size: Annotated[str | None, typer.Option(metavar="COLUMN", help="Column that sizes the result.")] = None,
    text: Annotated[
        ReadText, typer.Option(help="Firms that no code decides: by the lexicon, not by text, or as was chosen.")
    ] = ReadText.auto,
    workspace: WorkspaceOption = None,
    form: FormatOption = Format.table,
) -> None:
    """Find clusters 识别集群 and store them.

    Example: jiqun atlas run --digital 01 --eps-km 5
    """
    search = desk.Search(
        digital=digital,
        background=background.value,
        coverage=coverage.value,
        eps_km=eps_km,
        min_weight=min_weight,
        floor=floor,
        alpha=alpha,
        calibrate=calibrate.value,
        draws=draws,
        seed=seed,
        size=size,
        text=text.value,
    )
    with progress() as report:
        result = desk.run(LOCAL, open_workspace(workspace), search, progress=report)
    tell(result)
    write_clusters(result.table("clusters"), form)


def list_clusters(
    digital: Digital = None,
    run_id: RunId = None,
    workspace: WorkspaceOption = None,
    form: FormatOption = Format.table,
) -> None:
    """List the clusters of a run 集群列表, by strength of evidence.

    Example: jiqun atlas list --format csv > clusters.csv
    """
    result = desk.current(LOCAL, open_workspace(workspace), digital, run_id)
    write_clusters(result.table("clusters"), form)


def show(
    cluster: Annotated[str, typer.Argument(help="Id such as c0001, or a name.")],
    members: Annotated[bool, typer.Option("--members", help="All member firms instead of the summary.")] = False,
    digital: Digital = None,
    run_id: RunId = None,
    workspace: WorkspaceOption = None,
    form: FormatOption = Format.table,
) -> None:
    """Show one cluster 集群详情: what is known of it, and its largest members.

    Example: jiqun atlas show "San Jose" --members --format csv
    """
    result = desk.current(LOCAL, open_workspace(workspace), digital, run_id)
    row = desk.find(LOCAL, result, cluster)
    mine = pl.col("cluster_id") == row["cluster_id"]
    if members:
        write(result.table("members").filter(mine), form)
    elif form is Format.json:
        first = result.table("largest").filter(mine).drop("cluster_id").to_dicts()
        typer.echo(json.dumps({**row, "largest": first}, ensure_ascii=False, indent=1, default=str))
    else:
        facts = {key: value for key, value in row.items() if key != "hull_wkt"}
        write(
            pl.DataFrame({"attribute": list(facts), "value": [_worded(v) for v in facts.values()]}),
            form,
            title=row["name_en"],
        )
        if form is Format.table:
            columns = [c for c in ("name", "city", result.values["parameters"]["size"]) if c]  # type: ignore[index, call-overload]
            write(result.table("largest").filter(mine).select(columns), form, title="Largest members")


def export(
    output: Annotated[Path, typer.Option("--output", "-o", help="File to write: .html .geojson .parquet .csv")],
    digital: Digital = None,
    run_id: RunId = None,
    workspace: WorkspaceOption = None,
) -> None:
    """Write a run to a file 导出: report (.html), outlines (.geojson), table (.parquet, .csv).

    Example: jiqun atlas export -o atlas.html
    """
    opened = open_workspace(workspace)
    result = desk.current(LOCAL, opened, digital, run_id)
    write_result(result, subject_of(opened, result), output)
    count = result.table("clusters").height
    say(f"{output}：{count} 个集群", f"{output}: {count} cluster{'' if count == 1 else 's'}")


def runs(digital: Digital = None, workspace: WorkspaceOption = None, form: FormatOption = Format.table) -> None:
    """List the stored runs of a class 历次识别, newest first.

    Example: jiqun atlas runs
    """
    stored = open_workspace(workspace).results(kind_of(digital))
    rows = [
        {
            "run": result.id[:12],
            "created": result.created.isoformat(),
            "clusters": result.values["clusters"],
            "firms": result.values["firms"],
            "as_of": result.lineage.inputs[0].as_of,
            "current": result.current,
        }
        for result in stored
    ]
    schema = {
        "run": pl.String,
        "created": pl.String,
        "clusters": pl.Int64,
        "firms": pl.Int64,
        "as_of": pl.String,
        "current": pl.Boolean,
    }
    write(pl.DataFrame(rows, schema=schema), form)


def write_clusters(clusters: pl.DataFrame, form: Format) -> None:
    """Clusters in rank order: a few columns for people, all for programs."""
    write(short_table(clusters, current_language()) if form is Format.table else summary_table(clusters), form)


def write_result(result: StoredResult, subject: Subject, output: Path) -> None:
    """Write a run in the format that the file's ending names.

    Raises
    ------
    UsageError
        JQ-USE-001: another ending. JQ-USE-005: the file cannot be written.
    """
    try:
        _write_file(result, subject, output)
    except OSError as error:
        raise UsageError("JQ-USE-005", file=output, reason=error.strerror or error) from error


def _write_file(result: StoredResult, subject: Subject, output: Path) -> None:
    clusters = result.table("clusters")
    match output.suffix.lower():
        case ".html":
            output.write_text(html(atlas_document(result, subject)), encoding="utf-8")
        case ".geojson":
            shapes = [shapely.from_wkt(wkt) for wkt in clusters["hull_wkt"]]
            collection = feature_collection(shapes, clusters.drop("hull_wkt").to_dicts())
            output.write_text(json.dumps(collection, ensure_ascii=False, default=str), encoding="utf-8")
        case ".parquet":
            clusters.write_parquet(output)
        case ".csv":
            neutralise(clusters.drop("hull_wkt", "previous")).write_csv(output, include_bom=True)
        case other:
            raise UsageError("JQ-USE-001", what="file ending", value=other, known=".html, .geojson, .parquet, .csv")


def tell(result: StoredResult) -> None:
    """Say on stderr what a search did."""
    values: dict[str, Any] = dict(result.values)
    zh = f"{values['firms']:,} 家企业中有 {values['clusters']} 个集群；位置过粗 {values['coarse']:,} 家，没有位置 {values['unplaced']:,} 家。"
    en = (
        f"Clusters: {values['clusters']}, among {values['firms']:,} firms; "
        f"{values['coarse']:,} placed too coarsely, {values['unplaced']:,} not placed."
    )
    if values["level"] is not None:
        level, places = f"{values['level']:.2e}", f"{values['candidates']:,}"
        against = {"population": ("人口", "population"), "firms": ("全部企业", "all firms")}[values["against"]]
        zh += f"以{against[0]}为背景检验，{places} 个候选地点，水平 {level}。"
        en += f" Tested against {against[1]} at {places} candidate places, level {level}."
    if values["false_find_rate"] is not None:
        rate = f"{values['false_find_rate']:.1%}"
        zh += f"{values['draws']} 个随机登记库中，{rate} 有所发现。"
        en += f" Of {values['draws']} random registers, {rate} gave any find."
    say(zh, en)
    if text := left_out(values):
        say(text.zh, text.en)


def _worded(value: object) -> str | None:
    if value is None:
        return None
    return f"{value:,.4g}" if isinstance(value, float) else str(value)
