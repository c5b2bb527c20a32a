"""Commands of the journal: head, log, proof, key, checker."""

from __future__ import annotations

import base64
import json
import sys
from pathlib import Path
from typing import Annotated

import polars as pl
import typer

from jiqun.cli.output import Format, say, write
from jiqun.cli.workspace import WorkspaceOption, open_workspace
from jiqun.core.errors import InputError, UsageError, WorkspaceError, current_language
from jiqun.store import proof
from jiqun.store.files import told, write_bytes
from jiqun.store.journal import Head, Journal

FormatOption = Annotated[Format, typer.Option("--format", "-f", help="Output format.")]
SubjectOption = Annotated[str | None, typer.Option(metavar="ID", help="Only leaves about this 对象.")]


def register(app: typer.Typer) -> None:
    """Add the journal's commands."""
    journal = typer.Typer(help="The journal 日志 of every command: head, entries, proofs, key.", no_args_is_help=True)
    journal.command()(head)
    journal.command()(log)
    journal.command("proof")(make_proof)
    journal.command()(key)
    journal.command()(checker)
    app.add_typer(journal, name="journal")


def head(workspace: WorkspaceOption = None, form: FormatOption = Format.table) -> None:
    """The newest signed tree head 树头; waiting leaves are sequenced first.

    Example: jiqun journal head --format json
    """
    found = _current(Journal(open_workspace(workspace)))
    row = found.to_json()
    write(pl.DataFrame([{name: row[name] for name in ("size", "root", "at", "key", "signature")}]), form)


def log(
    subject: SubjectOption = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="Most entries.")] = 50,
    workspace: WorkspaceOption = None,
    form: FormatOption = Format.table,
) -> None:
    """The newest entries of the journal 日志条目: who did what to what, and when.

    Example: jiqun journal log --limit 20
    """
    rows = [vars(entry) for entry in Journal(open_workspace(workspace)).entries(subject=subject, limit=limit)]
    types = {"leaf": pl.Int64(), "position": pl.Int64(), "at": pl.Datetime(time_zone="UTC")}
    texts = dict.fromkeys(("actor", "operation", "subject"), pl.String())
    write(pl.DataFrame(rows, schema={**types, **texts}), form)


def make_proof(
    leaves: Annotated[
        list[int] | None, typer.Argument(metavar="[LEAF]...", help="Ids from `jiqun journal log`.")
    ] = None,
    subject: SubjectOption = None,
    since: Annotated[
        list[int] | None, typer.Option(metavar="SIZE", help="Size of an earlier head that the tree must continue.")
    ] = None,
    opened: Annotated[
        bool, typer.Option("--open", help="Show what was answered too; it may hold what is not for every eye.")
    ] = False,
    output: Annotated[Path | None, typer.Option("--output", "-o", metavar="FILE", help="Default: stdout.")] = None,
    workspace: WorkspaceOption = None,
) -> None:
    """Write a bundle of proofs 证明文件 that anyone can check with `jiqun verify` or proof.py alone.

    Example: jiqun journal proof 12 13 --since 10 --output proof.json
    """
    kept = Journal(open_workspace(workspace))
    _current(kept)
    chosen = list(leaves or ())
    if subject is not None:
        entries = kept.entries(subject=subject, limit=10_000)
        chosen += [entry.leaf for entry in entries if entry.position is not None]
    bundle = kept.bundle(list(dict.fromkeys(chosen)), since=since or (), opened=opened)
    text = json.dumps(bundle, ensure_ascii=False, indent=1) + "\n"
    if output is None:
        sys.stdout.write(text)
        return
    with told(output):
        write_bytes(output, text.encode())
    say(f"已写入 {output}：{len(bundle['leaves'])} 叶", f"{output}: proofs of {len(bundle['leaves'])} leaves")


def key(workspace: WorkspaceOption = None, form: FormatOption = Format.table) -> None:
    """The public key 公钥 and its fingerprint, to be published where auditors trust it.

    Example: jiqun journal key --format json
    """
    kept = Journal(open_workspace(workspace))
    _current(kept)
    public = kept.public_key()
    row = {"key": base64.b64encode(public).decode(), "sha256": proof.key_id(public), "file": str(kept.public_key_path)}
    write(pl.DataFrame([row]), form)


def checker() -> None:
    """Print proof.py, the one file 核验程序 with which an auditor checks bundles without jiqun.

    Example: jiqun journal checker > proof.py
    """
    sys.stdout.write(Path(proof.__file__).read_text(encoding="utf-8"))


def verify_bundle(path: Path, named: str | None, form: Format) -> None:
    """Check a bundle, say what was found, and refuse it if anything was not proved.

    Raises
    ------
    InputError
        JQ-JOURNAL-005: not a bundle; JQ-JOURNAL-006: something is not proved; JQ-JOURNAL-007: not a key.
    """
    pinned = None
    if named is not None:
        try:
            file = Path(named)
            pinned = proof.read_key(file.read_text(encoding="ascii") if file.is_file() else named)
        except (OSError, ValueError) as error:
            raise UsageError("JQ-JOURNAL-007", value=named) from error
    try:
        with path.open("rb") as content:
            bundle = proof.parse_bundle(content.read(proof.LARGEST_BUNDLE + 1))
    except (OSError, ValueError) as error:
        raise InputError("JQ-JOURNAL-005", path=path, reason=getattr(error, "strerror", None) or error) from error
    report = proof.verify_bundle(bundle, pinned)
    zh = current_language() == "zh"
    if form is Format.table:
        sys.stdout.write(report.render(current_language()) + "\n")
    else:
        rows = [("proved" if one.ok else "failed", one.zh if zh else one.en) for one in report.findings]
        rows += [("not provable", limit[0] if zh else limit[1]) for limit in report.limits]
        write(pl.DataFrame(rows, schema={"result": pl.String, "finding": pl.String}, orient="row"), form)
    failed = sum(not one.ok for one in report.findings)
    if failed:
        raise InputError("JQ-JOURNAL-006", path=path, count=failed)


def _current(kept: Journal) -> Head:
    """The newest head, after sequencing what waits."""
    kept.tick()
    found = kept.head()
    if found is None:
        raise WorkspaceError("JQ-JOURNAL-009")
    return found
