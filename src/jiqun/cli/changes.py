"""The command that compares two loads of a table."""

from __future__ import annotations

import sys
from enum import StrEnum
from typing import Annotated

import polars as pl
import typer

from jiqun.cli.output import Format, as_json, progress, write
from jiqun.cli.workspace import WorkspaceOption, open_workspace
from jiqun.core.actor import LOCAL
from jiqun.core.errors import current_language
from jiqun.core.sheets import neutralise
from jiqun.intake import comparing
from jiqun.intake.changes import KINDS, no_changes
from jiqun.intake.effect import effect_line, effects, no_search_line, table_line
from jiqun.store import Workspace

_CLUSTERS_SHOWN = 20
_PIECE = 50_000


class ChangeKind(StrEnum):
    """Kinds of difference."""

    new = "new"
    gone = "gone"
    renamed = "renamed"
    moved = "moved"
    reclassified = "reclassified"
    changed = "changed"
    merged = "merged"
    split_ = "split"
    renumbered = "renumbered"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(changes)


def changes(
    table: Annotated[str, typer.Argument(metavar="TABLE", help="Table 表, such as organisations.")],
    old: Annotated[
        str | None, typer.Option("--from", metavar="ID", help="Snapshot before; default: the one before the other.")
    ] = None,
    new: Annotated[
        str | None, typer.Option("--to", metavar="ID", help="Snapshot after; default: the current one.")
    ] = None,
    kind: Annotated[ChangeKind | None, typer.Option(help="Only changes of this kind.")] = None,
    workspace: WorkspaceOption = None,
    form: Annotated[Format, typer.Option("--format", "-f", help="Output format.")] = Format.table,
) -> None:
    """Compare two loads of a table 两次装载的变动: new, gone, moved, renamed, reclassified, merged, and the clusters touched.

    As table: the counts. As csv and json: every change. `jiqun history TABLE` lists the snapshots.

    Example: jiqun changes organisations --from 2025-03-31-0a1b2c3d4e5f --format csv
    """
    opened = open_workspace(workspace)
    with progress() as report_progress:
        found = comparing.make(LOCAL, opened, table, old=old, new=new, progress=report_progress)
    if form is Format.table:
        _say_changes(found, opened)
        return
    rows = found.rows(kind.value if kind else None)
    if form is Format.csv:
        write(no_changes(), form)
        for part in rows.collect_batches(chunk_size=50_000, maintain_order=True):
            sys.stdout.write(neutralise(part).write_csv(include_header=False))
        return
    head = {
        "from": found.before.id,
        "to": found.after.id,
        "summary": found.summary.model_dump(mode="json"),
        "effects": [effect.model_dump(mode="json") for effect in effects(opened, found)],
    }
    sys.stdout.write(as_json(head, indent=1).removesuffix("\n}") + ',\n "changes": [')
    comma = ""
    for part in rows.collect_batches(chunk_size=50_000, maintain_order=True):
        for row in part.iter_rows(named=True):
            sys.stdout.write(f"{comma}\n  {as_json(row)}")
            comma = ","
    sys.stdout.write("\n ]\n}\n")


def _say_changes(found: comparing.Compared, workspace: Workspace) -> None:
    """Counts, what became of the classes, and the clusters touched."""
    summary, language = found.summary, current_language()
    sys.stdout.write(f"{table_line(found, language)}\n")
    counts = [(name, getattr(summary, name)) for name in ("before", *KINDS, "unchanged", "after")]
    write(pl.DataFrame(counts, schema={"what": pl.String, "rows": pl.Int64}, orient="row"), Format.table)
    if summary.divisions:
        turned = pl.DataFrame(summary.divisions, schema=["division_before", "division_after", "rows"], orient="row")
        write(turned.with_columns(pl.col("division_before", "division_after").replace("", "—")), Format.table)
    told = effects(workspace, found)
    for effect in told:
        sys.stdout.write(f"{effect_line(effect, language)}\n")
        rows = [
            (one.cluster, one.name.get(language), one.before, one.gained, one.lost, one.after)
            for one in effect.clusters[:_CLUSTERS_SHOWN]
        ]
        names = ["cluster", "name", "before", "gained", "lost", "after"]
        write(pl.DataFrame(rows, schema=names, orient="row"), Format.table)
    if not told and found.after.table == "organisations":
        sys.stdout.write(f"{no_search_line(found, language)}\n")
