"""`jiqun atlas network`: analyse the links between firms, list clusters on the network, positions, types, leaders."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import polars as pl
import typer

from jiqun.atlas import network_desk
from jiqun.atlas.cluster_types import FORMS, LABELS
from jiqun.atlas.documents.network import network_document
from jiqun.atlas.network_desk import Analysis
from jiqun.atlas.network_room import find, shown
from jiqun.cli.output import Format, progress, say, write
from jiqun.cli.workspace import WorkspaceOption, open_workspace
from jiqun.core.actor import LOCAL
from jiqun.core.errors import UsageError, current_language
from jiqun.intake.counted import left_out
from jiqun.report.formats import probability
from jiqun.report.render import MEDIA_TYPES, render
from jiqun.store import StoredResult

RunId = Annotated[
    str | None, typer.Option("--run", metavar="ID", help="An analysis by the start of its id; default: the last.")
]
FormatOption = Annotated[Format, typer.Option("--format", help="Output format.")]


class Filtering(StrEnum):
    """Whether only the backbone is searched."""

    auto = "auto"
    on = "on"
    off = "off"


class Objective(StrEnum):
    """What Leiden maximises."""

    modularity = "modularity"
    cpm = "cpm"


class Part(StrEnum):
    """A table of an analysis."""

    clusters = "clusters"
    members = "members"
    positions = "positions"
    kinds = "kinds"
    linkage = "linkage"
    sweep = "sweep"
    changes = "changes"


def register(atlas: typer.Typer) -> None:
    """Add the network's commands below `jiqun atlas`."""
    app = typer.Typer(no_args_is_help=True, help="网络 Network: how firms are linked, clusters on the network.")
    atlas.add_typer(app, name="network")
    app.command("run")(run)
    app.command("show")(show)
    app.command("leaders")(leaders)
    app.command("type")(types)
    app.command("runs")(runs)
    app.command("export")(export)


def run(
    kind: Annotated[list[str] | None, typer.Option(help="Only links of this kind; may be given again.")] = None,
    weight: Annotated[
        list[str] | None, typer.Option(metavar="KIND=W", help="Weight of an average link of a kind; default 1.")
    ] = None,
    backbone: Annotated[
        Filtering, typer.Option(help="auto: above 200,000 links whose weights differ.")
    ] = Filtering.auto,
    backbone_alpha: Annotated[float, typer.Option(help="Level of the backbone for each link.")] = 0.05,
    quality: Annotated[Objective, typer.Option(help="What Leiden maximises.")] = Objective.modularity,
    resolution: Annotated[float | None, typer.Option(help="Resolution; default: the most stable.")] = None,
    seeds: Annotated[int, typer.Option(help="Seeds of the consensus.", min=20, max=200)] = 20,
    nulls: Annotated[
        int | None, typer.Option(help="Random networks; default 99, or 19 above 10,000 links.", min=19, max=999)
    ] = None,
    alpha: Annotated[float, typer.Option(help="Chance of finding anything where there is nothing.")] = 0.05,
    eps_km: Annotated[float, typer.Option(help="Links beyond it reach over distance.")] = 20.0,
    digital: Annotated[
        str | None, typer.Option("--digital", "-d", metavar="CODE", help="Class of the clusters on the map.")
    ] = None,
    size: Annotated[str | None, typer.Option(metavar="COLUMN", help="Column that sizes firms.")] = None,
    response: Annotated[
        float | None, typer.Option(help="Share of firms that answered, if the links come from a survey.")
    ] = None,
    least_response: Annotated[float, typer.Option(help="Below it a finding is unknown.")] = 0.6,
    draws: Annotated[int, typer.Option(help="Bootstrap samples of firms.", min=19, max=999)] = 199,
    before: Annotated[int | None, typer.Option(help="Load of links to compare with; default: the one before.")] = None,
    seed: Annotated[int, typer.Option(help="Seed.", min=0)] = 20240501,
    workspace: WorkspaceOption = None,
    form: FormatOption = Format.table,
) -> None:
    """Analyse the links that are loaded 网络分析: clusters on the network, linkage, types, chain leaders.

    Example: jiqun atlas network run --kind supply --kind co-invention --weight supply=2
    """
    analysis = Analysis(
        kinds=tuple(kind or ()), weights=_weights(weight or []), filter=backbone.value, filter_alpha=backbone_alpha,
        quality=quality.value, resolution=resolution, seeds=seeds, nulls=nulls, alpha=alpha, eps_km=eps_km,
        digital=digital, size=size, response=response, least_response=least_response, draws=draws, before=before, seed=seed,
    )  # fmt: skip
    with progress() as report:
        result = network_desk.run(LOCAL, open_workspace(workspace), analysis, progress=report)
    tell(result)
    write(_clusters(result, form), form)


def show(
    part: Annotated[Part, typer.Argument(help="Which table.")] = Part.clusters,
    cluster: Annotated[str | None, typer.Option(metavar="ID", help="Of one network cluster only, as n0001.")] = None,
    limit: Annotated[int, typer.Option(help="Most rows as a table.", min=1)] = 50,
    run_id: RunId = None,
    workspace: WorkspaceOption = None,
    form: FormatOption = Format.table,
) -> None:
    """Show a table of an analysis 网络分析结果.

    Example: jiqun atlas network show positions --format csv > positions.csv
    """
    opened = open_workspace(workspace)
    result = network_desk.current(LOCAL, opened, run_id)
    if part is Part.clusters:
        rows = _clusters(result, form)
    elif part in {Part.positions, Part.members}:
        name = {Part.positions: "nodes", Part.members: "members"}[part]
        rows = shown(opened, result.table(name))
        if part is Part.positions:
            rows = rows.sort("pagerank", "node", descending=[True, False])
    else:
        rows = result.table({Part.linkage: "residuals"}.get(part, part.value))
    if cluster is not None and "cluster_id" in rows.columns:
        find(result, cluster)
        rows = rows.filter(pl.col("cluster_id") == cluster)
    if form is Format.table:
        if part is Part.positions:
            rows = rows.select(
                "name", "cluster_id", "in_degree", "out_degree", "pagerank", "betweenness", "constraint", "brokered"
            )
        if rows.height > limit:
            say(f"共 {rows.height:,} 行，显示前 {limit:,} 行。", f"{rows.height:,} rows, of which the first {limit:,}.")
        rows = rows.head(limit)
    write(rows, form)


def leaders(
    cluster: Annotated[str, typer.Argument(help="A cluster on the map (c0001) or on the network (n0001).")],
    run_id: RunId = None,
    workspace: WorkspaceOption = None,
    form: FormatOption = Format.table,
) -> None:
    """Chain leaders 链主 of a cluster: size, position, dependence of others, each with its number.

    Example: jiqun atlas network leaders c0001
    """
    opened = open_workspace(workspace)
    result = network_desk.current(LOCAL, opened, run_id)
    rows = shown(opened, result.table("leaders")).filter(pl.col("cluster_id") == cluster)
    if cluster.startswith("n"):
        find(result, cluster)
    write(rows.drop("scope", "cluster_id"), form)


def types(
    run_id: RunId = None,
    workspace: WorkspaceOption = None,
    form: FormatOption = Format.table,
) -> None:
    """Type of each cluster 集群类型 from its two scores: industry, space; with the reason.

    Example: jiqun atlas network type --format csv
    """
    rows = network_desk.current(LOCAL, open_workspace(workspace), run_id).table("types")
    if form is Format.table:
        language = current_language()
        rows = rows.select(
            "cluster_id", "core", "core_low", "core_high", "space",
            label=pl.col("label").replace_strict({key: told.get(language) for key, told in LABELS.items()}),
            form=pl.col("form").replace_strict({key: told.get(language) for key, told in FORMS.items()}),
            reason=pl.col(f"reason_{language}"),
        )  # fmt: skip
    write(rows, form)


def runs(workspace: WorkspaceOption = None, form: FormatOption = Format.table) -> None:
    """List the stored analyses 历次网络分析, newest first.

    Example: jiqun atlas network runs
    """
    rows = [
        {
            "run": result.id[:12], "created": result.created.isoformat(), "as_of": result.lineage.inputs[0].as_of,
            "firms": result.values["nodes"], "links": result.values["links"], "clusters": result.values["clusters"],
            "current": result.current,
        }
        for result in open_workspace(workspace).results(network_desk.KIND)
    ]  # fmt: skip
    schema: dict[str, Any] = {
        "run": pl.String, "created": pl.String, "as_of": pl.String, "firms": pl.Int64, "links": pl.Int64,
        "clusters": pl.Int64, "current": pl.Boolean,
    }  # fmt: skip
    write(pl.DataFrame(rows, schema=schema), form)


def export(
    output: Annotated[Path, typer.Option("--output", "-o", help="File to write: .docx .pdf .xlsx .html")],
    run_id: RunId = None,
    workspace: WorkspaceOption = None,
) -> None:
    """Write an analysis as a report 网络报告: Word, PDF, Excel or a page of its own.

    Example: jiqun atlas network export -o network.docx
    """
    opened = open_workspace(workspace)
    result = network_desk.current(LOCAL, opened, run_id)
    form = output.suffix.lower().removeprefix(".")
    if form not in MEDIA_TYPES:
        known = ", ".join(f".{ending}" for ending in MEDIA_TYPES)
        raise UsageError("JQ-USE-001", what="file ending", value=output.suffix, known=known)
    document = network_document(opened, result, full=True)
    content = render(document, form, current_language(), made=opened.clock()).content
    try:
        output.write_bytes(content)
    except OSError as error:
        raise UsageError("JQ-USE-005", file=output, reason=error.strerror or error) from error
    say(f"{output}：{document.title.zh}", f"{output}: {document.title.en}")


def tell(result: StoredResult) -> None:
    """Say on stderr what an analysis found."""
    values: dict[str, Any] = dict(result.values)
    p = "—" if values["p"] is None else probability(values["p"])
    say(
        f"{values['nodes']:,} 家企业，{values['links']:,} 对关联，参与分群 {values['searched']:,}；未对应名称 {values['unresolved']:,}。"
        f"网络集群 {values['clusters']} 个，p = {p}(对照 {values['nulls']} 个随机网络)。",
        f"{values['nodes']:,} firms, {values['links']:,} linked pairs, {values['searched']:,} searched; "
        f"{values['unresolved']:,} names not resolved. Clusters on the network: {values['clusters']}, p = {p} "
        f"against {values['nulls']} random networks.",
    )
    if text := left_out(values):
        say(text.zh, text.en)


def _clusters(result: StoredResult, form: Format) -> pl.DataFrame:
    table = result.table("clusters")
    if form is Format.table:
        return table.select(
            "cluster_id", "members", "share_in", "p", "far_share", "median_link_km", "digital_code", "form"
        )
    return table.with_columns(previous=pl.col("previous").list.join(" "))


def _weights(given: list[str]) -> tuple[tuple[str, float], ...]:
    out = []
    for one in given:
        kind, _, value = one.partition("=")
        try:
            out.append((kind, float(value)))
        except ValueError as error:
            raise UsageError("JQ-USE-001", what="weight", value=one, known=json.dumps("supply=2")) from error
    return tuple(out)
