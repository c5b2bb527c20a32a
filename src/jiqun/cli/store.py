"""Commands of the store: init, tables, history, revert, verify, backup, restore, config."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import polars as pl
import typer

from jiqun.cli.journal import verify_bundle
from jiqun.cli.output import Format, progress, write
from jiqun.cli.workspace import WorkspaceOption, open_workspace, workspace_path
from jiqun.core.errors import WorkspaceError, current_language
from jiqun.core.schema import schema
from jiqun.store import Snapshot, Workspace
from jiqun.store import backup as make_backup
from jiqun.store import restore as make_workspace
from jiqun.store.audit import audit
from jiqun.store.config import resolve

FormatOption = Annotated[Format, typer.Option("--format", "-f", help="Output format.")]
TableArgument = Annotated[str, typer.Argument(help="Table 表, such as organisations.")]

_SNAPSHOT = {
    "table": pl.String,
    "snapshot": pl.String,
    "current": pl.Boolean,
    "as_of": pl.Date,
    "rows": pl.Int64,
    "quarantined": pl.Int64,
    "source": pl.String,
    "created": pl.String,
}


def register(app: typer.Typer) -> None:
    """Add the store's commands."""
    for command in (init, tables, history, revert, verify, backup, restore, config):
        app.command()(command)


def init(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder to make; must be empty if it exists.")],
    form: FormatOption = Format.table,
) -> None:
    """Make a workspace 新建工作区.

    Example: jiqun init my-region
    """
    _write_workspace(Workspace.init(folder), form)


def tables(workspace: WorkspaceOption = None, form: FormatOption = Format.table) -> None:
    """List the tables that hold data 数据表, each with its current snapshot.

    Example: jiqun tables --format json
    """
    snapshots = open_workspace(workspace).tables()
    write(_snapshots(snapshots, [snapshot.id for snapshot in snapshots]), form)


def history(table: TableArgument, workspace: WorkspaceOption = None, form: FormatOption = Format.table) -> None:
    """List every load of a table 装载历史, newest first.

    Example: jiqun history organisations
    """
    opened = open_workspace(workspace)
    schema(table)
    current = [snapshot.id for snapshot in opened.tables() if snapshot.table == table]
    write(_snapshots(opened.history(table), current), form)


def revert(
    table: TableArgument,
    to: Annotated[
        str | None, typer.Option(metavar="ID", help="Snapshot to make current; default: the one before.")
    ] = None,
    workspace: WorkspaceOption = None,
    form: FormatOption = Format.table,
) -> None:
    """Make an earlier snapshot of a table current 回退; nothing is deleted.

    Example: jiqun revert organisations --to 2025-06-30-0a1b2c3d4e5f
    """
    snapshot = open_workspace(workspace).revert(table, to=to)
    write(_snapshots([snapshot], [snapshot.id]), form)


def verify(
    bundle: Annotated[
        Path | None,
        typer.Argument(
            metavar="BUNDLE", help="Proofs 证明文件 that `jiqun journal proof` wrote; default: the workspace."
        ),
    ] = None,
    key: Annotated[
        str | None,
        typer.Option(metavar="PUBLICKEY", help="Public key 公钥 that must have signed BUNDLE: a PEM file or base64."),
    ] = None,
    workspace: WorkspaceOption = None,
    form: FormatOption = Format.table,
) -> None:
    """Check a bundle of proofs, or every file and the journal of the workspace 校验; exit status 1 if anything is wrong.

    Example: jiqun verify proof.json --key journal.pub
    """
    if bundle is not None:
        verify_bundle(bundle, key, form)
        return
    opened = open_workspace(workspace)
    with progress() as report:
        files = [(damage.file, damage.problem) for damage in opened.verify(progress=report)]
        flaws = [(flaw.where, flaw.problem) for flaw in audit(opened, progress=report)] if opened.has_database else []
    write(pl.DataFrame(files + flaws, schema={"file": pl.String, "problem": pl.String}, orient="row"), form)
    if files:
        raise WorkspaceError("JQ-STORE-017", path=opened.path, count=len(files))
    if flaws:
        raise WorkspaceError("JQ-JOURNAL-008", path=opened.path, count=len(flaws))


def backup(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Archive to make: .tar or .tar.gz.")],
    workspace: WorkspaceOption = None,
    form: FormatOption = Format.table,
) -> None:
    """Put the whole workspace into one archive 备份, also while others use it.

    Example: jiqun backup jiqun-2025-06-30.tar
    """
    opened = open_workspace(workspace)
    with progress() as report:
        files = make_backup(opened, file, progress=report).files()
    row = {"archive": str(file), "files": len(files), "bytes": file.stat().st_size}
    write(pl.DataFrame([row]), form)


def restore(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Archive that `jiqun backup` made.")],
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder to make; must be empty if it exists.")],
    form: FormatOption = Format.table,
) -> None:
    """Make a workspace from a backup 恢复; every file is checked against its digest.

    Example: jiqun restore jiqun-2025-06-30.tar my-region
    """
    with progress() as report:
        restored = make_workspace(file, folder, progress=report)
    _write_workspace(restored, form)


def config(workspace: WorkspaceOption = None, form: FormatOption = Format.table) -> None:
    """Show each setting 设置, its value and where it comes from.

    Example: jiqun config --format json
    """
    zh = current_language() == "zh"
    rows = [
        (
            name,
            "***" if found.setting.secret and found.value else str(found.value),
            found.origin,
            found.setting.environment,
            found.setting.help_zh if zh else found.setting.help_en,
        )
        for name, found in resolve(workspace_path(workspace)).items()
    ]
    write(pl.DataFrame(rows, schema=["setting", "value", "from", "variable", "meaning"], orient="row"), form)


def _snapshots(snapshots: Iterable[Snapshot], current: Iterable[str]) -> pl.DataFrame:
    """One row per load; of several loads of a current snapshot, the first listed is marked."""
    unmarked = set(current)
    rows = []
    for one in snapshots:
        marked = one.id in unmarked
        unmarked.discard(one.id)
        created = one.created.isoformat()
        rows.append((one.table, one.id, marked, one.as_of, one.rows, one.quarantined, one.source, created))
    return pl.DataFrame(rows, schema=_SNAPSHOT, orient="row")


def _write_workspace(workspace: Workspace, form: Format) -> None:
    files = workspace.manifest().files().values()
    row = {"workspace": str(workspace.path), "files": len(files), "bytes": sum(file.bytes for file in files)}
    write(pl.DataFrame([row]), form)
