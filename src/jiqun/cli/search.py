"""Command of the search."""

from __future__ import annotations

from typing import Annotated

import polars as pl
import typer

from jiqun.atlas.entries import ENTRIES
from jiqun.cli.output import Format, progress, say, write
from jiqun.cli.workspace import WorkspaceOption, open_workspace
from jiqun.store.search import DEEPEST, MOST_HITS, Index, index_folder, index_workspace, stale


def register(app: typer.Typer) -> None:
    """Add the search."""
    app.command()(search)


def search(
    words: Annotated[list[str], typer.Argument(metavar="WORDS...", help="Words 词, parts of Chinese names, or codes.")],
    kind: Annotated[list[str] | None, typer.Option(help="Only this kind 种类, such as firm or cluster.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=MOST_HITS, help="Most hits.")] = 20,
    offset: Annotated[int, typer.Option(min=0, max=DEEPEST, help="Hits to skip.")] = 0,
    workspace: WorkspaceOption = None,
    form: Annotated[Format, typer.Option("--format", "-f", help="Output format.")] = Format.table,
) -> None:
    """Find clusters, regions, firms, classes and measures 检索; the index is built anew where the data has changed.

    Example: jiqun search 深圳 半导体 --kind firm --limit 10
    """
    opened = open_workspace(workspace)
    if stale(opened, ENTRIES):
        with progress() as report:
            index_workspace(opened, ENTRIES, progress=report)
    found = Index.open(index_folder(opened)).find(" ".join(words), kinds=kind, limit=limit, offset=offset)
    columns = ("kind", "id", "title_zh", "title_en", "link")
    rows = [tuple(getattr(hit, column) for column in columns) for hit in found.hits]
    write(pl.DataFrame(rows, schema=dict.fromkeys(columns, pl.String), orient="row"), form)
    say(f"共 {found.total} 条", f"{found.total} found")
