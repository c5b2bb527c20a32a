"""`jiqun chain`: industry chains: make, check, list, map a cluster on one, its gaps, who could fill them, export."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import polars as pl
import typer

from jiqun.atlas import chain_records as records
from jiqun.atlas.chain_data import Chain, check_toml, source_text, to_toml
from jiqun.atlas.chain_desk import ChainView, find_candidates, look, place
from jiqun.atlas.chain_draft import COEFFICIENT, SHARE, draft_from_table
from jiqun.atlas.chain_room import ChainsRequest, chains
from jiqun.atlas.documents.chain import STATUS, chain_document
from jiqun.atlas.reading import Which
from jiqun.cli.output import Format, note, progress, say, write
from jiqun.cli.workspace import WorkspaceOption, open_workspace
from jiqun.core.actor import LOCAL
from jiqun.core.errors import InputError, UsageError, current_language
from jiqun.core.sheets import neutralise
from jiqun.intake.counted import left_out
from jiqun.report import render
from jiqun.store import Workspace

Name = Annotated[str, typer.Argument(metavar="CHAIN", help="Id of a chain 产业链, such as integrated-circuits.")]
Cluster = Annotated[
    str | None, typer.Option("--cluster", "-c", metavar="ID", help="Cluster 集群, such as c0001; none: all firms.")
]
Digital = Annotated[
    str | None, typer.Option("--digital", "-d", metavar="CODE", help="The cluster is of the search of this class.")
]
Size = Annotated[
    str | None, typer.Option(metavar="COLUMN", help="What sizes firms; default: employees, else size, else none.")
]
FormatOption = Annotated[Format, typer.Option("--format", "-f", help="Output format.")]
_FORMS = (".toml", ".docx", ".pdf", ".xlsx", ".html")


def register(app: typer.Typer) -> None:
    """Add the commands of chains."""
    chain = typer.Typer(
        help="Industry chains 产业链: firms at each node, gaps, who could fill them.", no_args_is_help=True
    )
    for command in (new, list_, check, show, map_, gaps, candidates, export):
        chain.command(command.__name__.rstrip("_"))(command)
    app.add_typer(chain, name="chain")


def new(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Id of the new chain 新产业链: small letters, hyphens.")],
    from_io: Annotated[
        Path | None,
        typer.Option(
            "--from-io", metavar="TABLE", help="Draft it from an input-output table 投入产出表 (CSV, Parquet)."
        ),
    ] = None,
    coefficient: Annotated[
        float, typer.Option(help="With --from-io: least technical coefficient 直接消耗系数 of an edge.", min=0, max=1)
    ] = COEFFICIENT,
    share: Annotated[
        float, typer.Option(help="With --from-io: least share of the seller's output 分配份额.", min=0, max=1)
    ] = SHARE,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
    workspace: WorkspaceOption = None,
) -> None:
    """Write a file for a new chain 新建产业链 into the workspace's folder chains: a template with comments, or a draft.

    Example: jiqun chain new robots
    """
    drafted = None
    if from_io is not None:
        drafted = draft_from_table(_table(from_io), chain=name, coefficient=coefficient, share=share, file=str(from_io))
    path = records.write_new(open_workspace(workspace), name, drafted, force=force)
    typer.echo(path)
    say(f"改好后检查：jiqun chain check {path}", f"Edit it, then check it: jiqun chain check {path}")


def list_(workspace: WorkspaceOption = None, form: FormatOption = Format.table) -> None:
    """List the chains 产业链清单, and what is wrong with files that are none.

    Example: jiqun chain list
    """
    opened = open_workspace(workspace)
    rows = [row.model_dump() for row in chains(LOCAL, opened, ChainsRequest())]
    write(pl.DataFrame(rows, infer_schema_length=None), form)
    for error in records.own_files(opened)[1].values():
        note(str(error))


def check(
    what: Annotated[str, typer.Argument(metavar="FILE", help="TOML file 产业链文件, or the id of a chain.")],
    workspace: WorkspaceOption = None,
) -> None:
    """Check a chain 检查产业链 and list every problem; exit status 1 where there is one.

    Example: jiqun chain check chains/robots.toml
    """
    path = Path(what)
    if path.suffix == ".toml" or path.exists():
        try:
            text = path.read_text(encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            raise InputError("JQ-CHAIN-001", file=path, reason=type(error).__name__) from error
        found = check_toml(text, path.name)
        for problem in found.problems:
            note(str(problem))
        if found.problems:
            say(f"{len(found.problems)} 处问题。", f"Problems: {len(found.problems)}.")
            raise typer.Exit(1)
        made = found.chain
    else:
        made = records.find_chain(open_workspace(workspace), what).chain
    if made:
        say(
            f"没有问题：{len(made.nodes)} 个环节，{len(made.edges)} 条边，{made.drafts} 个草稿。",
            f"No problem: nodes {len(made.nodes)}, edges {len(made.edges)}, drafts {made.drafts}.",
        )


def show(name: Name, workspace: WorkspaceOption = None, form: FormatOption = Format.table) -> None:
    """The nodes of a chain 产业链环节 with codes, words and sources.

    Example: jiqun chain show integrated-circuits
    """
    made, language = records.find_chain(open_workspace(workspace), name).chain, current_language()
    rows = [
        {
            "node": node.id,
            "name": node.title.get(language),
            "stage": node.stage,
            "gbt": " ".join(node.gbt),
            "digital": " ".join(node.digital),
            "words": "; ".join(node.words),
            "source": source_text(node).get(language),
            "to": " ".join(edge.end for edge in made.edges if edge.start == node.id),
        }
        for node in made.nodes
    ]
    write(pl.DataFrame(rows), form, title=made.title.get(language))


def map_(
    name: Name,
    cluster: Cluster = None,
    digital: Digital = None,
    size: Size = None,
    workspace: WorkspaceOption = None,
    form: FormatOption = Format.table,
) -> None:
    """Firms at each node 产业链图谱: how many, how strong, how concentrated. Places the firms first where need be.

    Example: jiqun chain map integrated-circuits --cluster c0001
    """
    shown = _view(open_workspace(workspace), name, cluster, digital, size)
    language = current_language()
    titles = {node.id: node.title.get(language) for node in shown.chain.nodes}
    table = shown.mapped.nodes
    if form is Format.table:
        status = {key: words.get(language) for key, words in STATUS.items()}
        table = table.with_columns(pl.col("node").replace(titles), pl.col("status").replace(status)).drop(
            "top", "sized"
        )
    if text := left_out(shown.result.values):
        say(text.zh, text.en)
    write(table, form)


def gaps(
    name: Name,
    cluster: Cluster = None,
    digital: Digital = None,
    size: Size = None,
    workspace: WorkspaceOption = None,
    form: FormatOption = Format.table,
) -> None:
    """Nodes that are missing, weak or hang on one firm 产业链缺口, by what hangs on them.

    Example: jiqun chain gaps integrated-circuits --cluster c0001 --format csv
    """
    shown = _view(open_workspace(workspace), name, cluster, digital, size)
    found = shown.gaps.with_columns(path=pl.col("path").list.join(" → "))
    if form is Format.table:
        found = found.drop("stage", "target", "top_share")
    write(found, form)


def candidates(
    name: Name,
    node: Annotated[str, typer.Argument(metavar="NODE", help="Node 环节 to fill.")],
    cluster: Cluster = None,
    digital: Digital = None,
    size: Size = None,
    most: Annotated[int, typer.Option(help="Most firms.", min=1, max=10_000)] = 50,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Shortlist 名单: .csv or .xlsx.")] = None,
    workspace: WorkspaceOption = None,
    form: FormatOption = Format.table,
) -> None:
    """Firms elsewhere that could fill a node 补链候选, each reason in a column of its own.

    Example: jiqun chain candidates integrated-circuits photoresist --cluster c0001 -o shortlist.xlsx
    """
    opened = open_workspace(workspace)
    found = find_candidates(opened, _view(opened, name, cluster, digital, size), node, most=most)
    say(
        "次序：能力(代码，其次产品词)、与成员的关联、关联密度、规模由高到低，再按距离由近到远。",
        "Order: capability (code, then words), links with members, relatedness, size, falling; then distance, nearest first.",
    )
    if output is None:
        write(found, form)
        return
    _save(found, output)
    note(str(output))


def export(
    name: Name,
    output: Annotated[Path, typer.Option("--output", "-o", help="File: .toml, or a report .docx .pdf .xlsx .html")],
    cluster: Cluster = None,
    digital: Digital = None,
    size: Size = None,
    workspace: WorkspaceOption = None,
) -> None:
    """Write a chain 导出产业链 as TOML, or the report of a cluster on it.

    Example: jiqun chain export integrated-circuits --cluster c0001 -o chips.docx
    """
    opened = open_workspace(workspace)
    suffix = output.suffix.lower()
    if suffix not in _FORMS:
        raise UsageError("JQ-USE-001", what="file ending", value=suffix, known=", ".join(_FORMS))
    if suffix == ".toml":
        content = to_toml(records.find_chain(opened, name).chain).encode()
    else:
        document = chain_document(_view(opened, name, cluster, digital, size))
        content = render(document, suffix[1:], current_language()).content
    try:
        output.write_bytes(content)
    except OSError as error:
        raise UsageError("JQ-USE-005", file=output, reason=error.strerror or error) from error
    note(str(output))


def _view(opened: Workspace, name: str, cluster: str | None, digital: str | None, size: str | None) -> ChainView:
    """The chain with the firms that are loaded now, which are placed first where they were not."""
    made: Chain = records.find_chain(opened, name).chain
    with progress() as report:
        place(LOCAL, opened, made.id, progress=report)
    shown = look(LOCAL, opened, name, Which(digital=digital), cluster, size=size)
    counts: dict[str, Any] = shown.mapped.counts
    say(
        f"{shown.mapped.members:,} 家企业：{counts['placed']:,} 家在链上，{counts['outside']:,} 家不在，"
        f"{counts['open']:,} 家代码适用多个环节，{counts['unknown']:,} 家既无代码也无文本。",
        f"Firms: {shown.mapped.members:,}; on the chain {counts['placed']:,}, outside {counts['outside']:,}, with a code that fits "
        f"several nodes {counts['open']:,}, with neither code nor text {counts['unknown']:,}.",
    )
    return shown


def _table(path: Path) -> pl.DataFrame:
    try:
        return pl.read_parquet(path) if path.suffix == ".parquet" else pl.read_csv(path, infer_schema_length=None)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise UsageError("JQ-USE-004", file=path, reason=str(error).splitlines()[0]) from error


def _save(found: pl.DataFrame, output: Path) -> None:
    try:
        match output.suffix.lower():
            case ".csv":
                neutralise(found).write_csv(output, include_bom=True)
            case ".xlsx":
                neutralise(found).write_excel(output)
            case other:
                raise UsageError("JQ-USE-001", what="file ending", value=other, known=".csv, .xlsx")
    except OSError as error:
        raise UsageError("JQ-USE-005", file=output, reason=error.strerror or error) from error
