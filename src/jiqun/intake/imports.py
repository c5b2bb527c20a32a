"""Imports 导入: a file on its way into a table, step by step, with people who look, correct and decide.

    reading → read → checking → checked → loading → loaded → undone

Every step is a row of the database, so that nothing is lost when a browser, a page or a machine goes away. The file
stays as it came: corrections are applied to its stream of rows. An import belongs to who uploaded it; operators see all.
`version` counts what people change (options, columns, corrections); a check says of which version it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import date, timedelta
from typing import Any, Literal

import sqlalchemy as sa

from jiqun.core.actor import Actor
from jiqun.core.errors import UsageError
from jiqun.core.schema import schema as table_schema
from jiqun.intake.columns import match_columns, recognise
from jiqun.intake.derived import derive_anew
from jiqun.intake.fixes import EVERY_ROW
from jiqun.intake.import_records import (
    BUSY,
    OPEN,
    Done,
    Fix,
    Import,
    Mapped,
    Options,
    called,
    current_snapshot,
    find,
    findings,
    may_see,
    must_confirm,
    needed_files,
    why_not_undo,
)
from jiqun.intake.mending import read_list
from jiqun.intake.uploads import DAY, Uploads, shown_name
from jiqun.store import Workspace
from jiqun.store.database import Transaction, table

MOST_FIXES = 50_000
MOST_UPLOADS_AN_HOUR = 120
MOST_OPEN = 100
ATTEMPTS = 5
_AT_ONCE = 1_000
"""Rows of one statement: engines bound its parameters."""
Cell = tuple[int, str, str]
"""What a correction is of: row, header, and the value that it replaces (every row)."""


def receive(
    actor: Actor, workspace: Workspace, pieces: Iterable[bytes], *, filename: str, table_name: str, key: str
) -> Import:
    """Take an uploaded file 接收文件, stream it to disk and begin an import with it.

    Raises
    ------
    PermissionDeniedError
        JQ-USE-002: the actor is neither operator nor analyst.
    UsageError
        JQ-USE-001: no such table; JQ-IMPORT-002: too large; 007, 008: too many uploads, too many not finished.
    InputError
        JQ-IMPORT-003: the file is empty.
    WorkspaceError
        JQ-IMPORT-004: the disk is full.
    """
    actor.require("intake.receive", "operator", "analyst")
    table_schema(table_name)
    _refuse_flood(actor, workspace)
    uploads = Uploads(workspace)
    file = shown_name(filename)
    today = workspace.clock().date().isoformat()
    with uploads.take(pieces) as upload:
        values: dict[str, Any] = {
            "table_name": table_name,
            "file": file,
            "digest": upload.digest,
            "bytes": upload.bytes,
        }

        def begin(tx: Transaction) -> dict[str, Any]:
            return _begin(tx, actor, values, Options(as_of=date.fromisoformat(today)).model_dump(mode="json"), [])

        with uploads.changing():
            uploads.keep(upload)
            try:
                done = workspace.database.command(actor, key, "intake.receive", begin, request=values, subject=file)
            except BaseException:
                uploads.sweep(needed_files(workspace), workspace.clock())
                raise
    return find(actor, workspace, _done(done).id)


def again(actor: Actor, workspace: Workspace, import_id: str, *, key: str) -> Done:
    """Begin a new import with the file of an earlier one, its columns and its corrections."""
    old = find(actor, workspace, import_id)
    copied = table("fixes")

    def begin(tx: Transaction) -> dict[str, Any]:
        values = {name: getattr(old, name) for name in ("table_name", "file", "digest", "bytes")}
        mapping = [mapped.model_dump() for mapped in old.mapping]
        done = _begin(tx, actor, values, old.options.model_dump(mode="json"), mapping)
        kept = [sa.literal(done["id"]) if c.name == "import_id" else c for c in copied.c]
        tx.execute(sa.insert(copied).from_select(list(copied.c), sa.select(*kept).where(copied.c.import_id == old.id)))
        return done

    uploads = Uploads(workspace)
    with uploads.changing():
        uploads.path(old.digest)
        return _done(
            workspace.database.command(actor, key, "intake.again", begin, request={"id": import_id}, subject=import_id)
        )


def _begin(
    tx: Transaction, actor: Actor, values: dict[str, Any], options: dict[str, Any], mapping: list[Any]
) -> dict[str, Any]:
    import_id = tx.new_id("imp")
    job = _queue(tx, "read", import_id, actor)
    row = {"id": import_id, "account": actor.id, "options": options, "mapping": mapping, "version": 1}
    row |= {"state": "reading", "job": job, "created_at": tx.now, "updated_at": tx.now}
    tx.execute(sa.insert(table("imports")).values(**row, **values))
    return {"id": import_id, "state": "reading", "version": 1, "job": job}


def configure(
    actor: Actor,
    workspace: Workspace,
    import_id: str,
    *,
    version: int,
    options: Options,
    mapping: tuple[Mapped, ...],
    table_name: str,
    key: str,
) -> Done:
    """Say what a file and its columns are. Another sheet, encoding or table is read anew.

    Raises
    ------
    UsageError
        JQ-IMPORT-009: changed by someone else since `version`; 010: not now; JQ-FILE-019: no such attribute.
    InputError
        JQ-FILE-011: no such header.
    """
    old = find(actor, workspace, import_id)
    described = table_schema(table_name)
    anew = old.look is None or (table_name, options.sheet, options.encoding) != (
        old.table_name,
        old.options.sheet,
        old.options.encoding,
    )
    asked: dict[str, Any] = {
        "table_name": described.name,
        "options": options.model_dump(mode="json"),
        "mapping": [mapped.model_dump() for mapped in mapping],
    }
    values: dict[str, Any] = {**asked, "reason": None}
    if table_name != old.table_name:
        values["mapping"] = []  # of the attributes of another table
    elif old.look is not None and not anew:
        match_columns(old.look.headers, described, [(m.header, m.attribute) for m in mapping])

    def change(tx: Transaction) -> dict[str, Any]:
        row = _editable(tx, actor, import_id, {"read", "checked", "failed"})
        if row["version"] != version:
            raise UsageError("JQ-IMPORT-009")
        job = _queue(tx, "read", import_id, actor) if anew else None
        state = "reading" if anew else "read"
        _update(tx, row, state=state, job=job, version=version + 1, **values)
        return {"id": import_id, "state": state, "version": version + 1, "job": job}

    request = {"id": import_id, "version": version, **asked}
    return _done(workspace.database.command(actor, key, "intake.configure", change, request=request, subject=import_id))


def start(actor: Actor, workspace: Workspace, import_id: str, *, key: str) -> Done:
    """Check a file 检查, as a job.

    Raises
    ------
    InputError
        JQ-FILE-010: a required attribute has no column.
    UsageError
        JQ-IMPORT-010: not now.
    """
    old = find(actor, workspace, import_id)
    if old.look is not None:
        recognise(old.look.headers, table_schema(old.table_name), old.pairs)
    return _go_on(actor, workspace, import_id, "check", {"read", "checked"}, key)


def load(actor: Actor, workspace: Workspace, import_id: str, *, replace: bool, key: str) -> Done:
    """Load a checked file 装载, as a job; `replace` confirms that rows which it does not hold may go.

    Raises
    ------
    UsageError
        JQ-IMPORT-010: not now; 011: changed since the check; 012: the table was; 017: many rows would go; 021: none
        can be loaded.
    """
    actor.require("intake.load", "operator", "analyst")

    def ready(old: Import) -> None:
        report = old.report
        if report is None or not old.fresh:
            raise UsageError("JQ-IMPORT-011")
        if not report.kept:
            raise UsageError("JQ-IMPORT-021")
        if report.against != current_snapshot(workspace, old.table_name):
            raise UsageError("JQ-IMPORT-012", table=old.table_name)
        if must_confirm(report) and not replace:
            raise UsageError("JQ-IMPORT-017", gone=report.gone, before=report.before, table=old.table_name)

    return _go_on(actor, workspace, import_id, "load", {"checked"}, key, ready)


def _go_on(
    actor: Actor,
    workspace: Workspace,
    import_id: str,
    step: Literal["check", "load"],
    states: set[str],
    key: str,
    ready: Callable[[Import], None] | None = None,
) -> Done:
    def change(tx: Transaction) -> dict[str, Any]:
        row = _editable(tx, actor, import_id, states)
        if ready is not None:
            ready(Import.model_validate(row))
        job = _queue(tx, step, import_id, actor)
        state = f"{step}ing"
        _update(tx, row, state=state, job=job, reason=None)
        return {"id": import_id, "state": state, "version": row["version"], "job": job}

    request = {"id": import_id}
    return _done(workspace.database.command(actor, key, f"intake.{step}", change, request=request, subject=import_id))


def retry(actor: Actor, workspace: Workspace, import_id: str, *, key: str) -> Done:
    """Go on with a step whose job was given up 重试."""
    old = find(actor, workspace, import_id)
    job = workspace.database.jobs.find(old.job) if old.job else None
    given_up = job is None or job.state in {"dead", "cancelled", "done"}

    def change(tx: Transaction) -> dict[str, Any]:
        row = _editable(tx, actor, import_id, set(BUSY))
        if not given_up or row["job"] != old.job:
            raise UsageError("JQ-IMPORT-010", state=row["state"])
        step = {"reading": "read", "checking": "check", "loading": "load"}[row["state"]]
        made = _queue(tx, step, import_id, actor)
        _update(tx, row, state=row["state"], job=made)
        return {"id": import_id, "state": row["state"], "version": row["version"], "job": made}

    return _done(
        workspace.database.command(actor, key, "intake.retry", change, request={"id": import_id}, subject=import_id)
    )


def fix(actor: Actor, workspace: Workspace, import_id: str, changes: tuple[Fix, ...], *, key: str) -> Done:
    """Correct cells 更正; a later correction of the same cell replaces an earlier one.

    Raises
    ------
    UsageError
        JQ-IMPORT-010: not now; 018: no such column; 019: too many; 020: neither a row nor a value.
    """
    old = find(actor, workspace, import_id)
    headers = set(old.look.headers) if old.look else set()
    for change in changes:
        if change.column not in headers:
            raise UsageError("JQ-IMPORT-018", value=change.column)
        if (change.row == EVERY_ROW) != bool(change.found):
            raise UsageError("JQ-IMPORT-020")
    # of several corrections of one cell the last counts
    wanted = {(one.row, one.column, one.found): one.value for one in changes}
    seen = {(one.row, one.column, one.found): one.seen for one in changes if "seen" in one.model_fields_set}
    request: dict[str, Any] = {"id": import_id, "fixes": [one.model_dump(mode="json") for one in changes]}
    return _fixed(actor, workspace, import_id, wanted, key=key, operation="intake.fix", request=request, seen=seen)


def _fixed(
    actor: Actor,
    workspace: Workspace,
    import_id: str,
    wanted: dict[Cell, str | None],
    *,
    key: str,
    operation: str,
    request: dict[str, Any],
    seen: dict[Cell, str | None],
    others: Sequence[tuple[int, str, str | None]] = (),
) -> Done:
    rows = table("fixes")

    def record(tx: Transaction) -> dict[str, Any]:
        row = _editable(tx, actor, import_id, {"read", "checking", "checked"})
        overruled = _overrule(tx, actor, import_id, wanted, seen, others)
        _remove(tx, import_id, wanted)
        made = {"import_id": import_id, "account": actor.id, "at": tx.now}
        values = [
            {"row": line, "column": column, "found": found, "value": value, **made}
            for (line, column, found), value in wanted.items()
        ]
        for begin in range(0, len(values), _AT_ONCE):
            tx.execute(sa.insert(rows).values(values[begin : begin + _AT_ONCE]))
        counted = sa.select(sa.func.count()).select_from(rows).where(rows.c.import_id == import_id)
        if tx.execute(counted).scalar_one() > MOST_FIXES:
            raise UsageError("JQ-IMPORT-019", limit=MOST_FIXES)
        return {**_touched(tx, row), "overruled": overruled}

    return _done(workspace.database.command(actor, key, operation, record, request=request, subject=import_id))


def _overrule(
    tx: Transaction,
    actor: Actor,
    import_id: str,
    wanted: dict[Cell, str | None],
    seen: dict[Cell, str | None],
    others: Sequence[tuple[int, str, str | None]],
) -> int:
    """Note corrections of single cells that are replaced by someone who has not seen them; says how many."""
    rows = table("fixes")
    given = {
        (line, column): wanted[line, column, ""] for line, column, found in seen if line != EVERY_ROW and not found
    }
    told = []
    lines = sorted({line for line, _ in given})
    for begin in range(0, len(lines), _AT_ONCE):
        some = sa.select(rows).where(rows.c.import_id == import_id, rows.c.row.in_(lines[begin : begin + _AT_ONCE]))
        for made in tx.execute(some).mappings():
            cell = made["row"], made["column"]
            if cell in given and made["value"] not in {given[cell], seen[*cell, ""]}:
                told.append((*cell, made["value"], made["account"], made["at"], given[cell]))
    told += [(line, column, value, actor.id, tx.now, wanted[line, column, ""]) for line, column, value in others]
    noted = {"import_id": import_id, "by": actor.id, "replaced_at": tx.now}
    names = ("row", "column", "value", "account", "at", "instead")
    values = [{"id": tx.new_id("ovr"), **noted, **dict(zip(names, one, strict=True))} for one in told]
    for begin in range(0, len(values), _AT_ONCE // 2):
        tx.execute(sa.insert(table("overruled")).values(values[begin : begin + _AT_ONCE // 2]))
    return len(values)


def settle(actor: Actor, workspace: Workspace, import_id: str, overruled_id: str, *, restore: bool, key: str) -> Done:
    """Decide between two corrections of a cell 裁定: `restore` the one that was replaced, or leave it at the other.

    Raises
    ------
    UsageError
        JQ-IMPORT-010: not now; 031: there is no such correction any more.
    """
    find(actor, workspace, import_id)
    rows, fixes = table("overruled"), table("fixes")

    def record(tx: Transaction) -> dict[str, Any]:
        row = _editable(tx, actor, import_id, {"read", "checking", "checked"})
        mine = rows.c.id == overruled_id, rows.c.import_id == import_id
        old = tx.execute(sa.select(rows).where(*mine)).mappings().one_or_none()
        if old is None:
            raise UsageError("JQ-IMPORT-031")
        tx.execute(sa.delete(rows).where(*mine))
        if restore:
            cell = {"row": old["row"], "column": old["column"], "found": ""}
            _remove(tx, import_id, [(old["row"], old["column"], "")])
            made = {**cell, "import_id": import_id, "value": old["value"], "account": old["account"], "at": tx.now}
            tx.execute(sa.insert(fixes).values(**made))
        return _touched(tx, row) if restore else {name: row[name] for name in ("id", "state", "version")}

    request: dict[str, Any] = {"id": import_id, "overruled": overruled_id, "restore": restore}
    return _done(workspace.database.command(actor, key, "intake.settle", record, request=request, subject=import_id))


def mended(
    actor: Actor, workspace: Workspace, import_id: str, pieces: Iterable[bytes], *, filename: str, key: str
) -> Done:
    """Take a mended list back 上传更正清单: what was changed in it becomes corrections.

    A correction that was made since the list, and differently, is replaced and told (`overruled`).

    Raises
    ------
    InputError
        JQ-FILE-…, JQ-IMPORT-003, 025, 029, 030: not such a list.
    UsageError
        JQ-IMPORT-002: too large; 010: not now; 019: too many; 022: not checked.
    """
    actor.require("intake.mended", "operator", "analyst")
    old = find(actor, workspace, import_id)
    kept = findings(workspace, old)
    with Uploads(workspace).take(pieces) as upload, called(shown_name(filename)):
        changes = read_list(kept, upload.path, table_schema(old.table_name), import_id)
    wanted = {(row, column, found): value for row, column, found, value, _ in changes.fixes.iter_rows()}
    seen = {(row, column, found): was for row, column, found, _, was in changes.fixes.iter_rows()}
    others = list(changes.others.select("row", "column", "value").iter_rows())
    request: dict[str, Any] = {"id": import_id, "digest": upload.digest}
    operation = "intake.mended"
    return _fixed(
        actor, workspace, import_id, wanted, key=key, operation=operation, request=request, seen=seen, others=others
    )


def unfix(
    actor: Actor, workspace: Workspace, import_id: str, cells: tuple[tuple[int, str, str], ...] | None, *, key: str
) -> Done:
    """Take corrections back 撤回更正, all of them for None: the cells are again as the file has them."""
    find(actor, workspace, import_id)

    def record(tx: Transaction) -> dict[str, Any]:
        row = _editable(tx, actor, import_id, {"read", "checking", "checked"})
        _remove(tx, import_id, cells)
        return _touched(tx, row)

    request: dict[str, Any] = {"id": import_id, "cells": None if cells is None else [list(cell) for cell in cells]}
    return _done(workspace.database.command(actor, key, "intake.unfix", record, request=request, subject=import_id))


def _remove(tx: Transaction, import_id: str, cells: Iterable[tuple[int, str, str]] | None) -> None:
    rows = table("fixes")
    mine = sa.delete(rows).where(rows.c.import_id == import_id)
    if cells is None:
        tx.execute(mine)
        return
    for line, column, found in cells:
        tx.execute(mine.where(rows.c.row == line, rows.c.column == column, rows.c.found == found))


def undo(actor: Actor, workspace: Workspace, import_id: str, *, key: str) -> Done:
    """Take a load back 撤销装载: the snapshot before it is current again. For a day, unless the table changed since.

    Raises
    ------
    UsageError
        JQ-IMPORT-010: not loaded; 013: the table changed since; 015: too late; 016: there was nothing before.
    """
    actor.require("intake.undo", "operator", "analyst")
    with workspace.writing():
        old = find(actor, workspace, import_id)
        if old.state == "loaded":
            _revert(workspace, old)

        def record(tx: Transaction) -> dict[str, Any]:
            row = _editable(tx, actor, import_id, {"loaded"})
            _update(tx, row, state="undone", job=None)
            derive_anew(tx, old.table_name)
            return {"id": import_id, "state": "undone", "version": row["version"]}

        return _done(
            workspace.database.command(actor, key, "intake.undo", record, request={"id": import_id}, subject=import_id)
        )


def _revert(workspace: Workspace, old: Import) -> None:
    refused = why_not_undo(workspace, old)
    if refused is not None:
        raise refused
    if current_snapshot(workspace, old.table_name) != old.before:
        workspace.revert(old.table_name, to=old.before)


def discard(actor: Actor, workspace: Workspace, import_id: str, *, key: str) -> Done:
    """Give an import up 放弃; its file is deleted after a day unless another import needs it.

    Raises
    ------
    UsageError
        JQ-IMPORT-010: it is being loaded, or was.
    """
    find(actor, workspace, import_id)

    def record(tx: Transaction) -> dict[str, Any]:
        row = _editable(tx, actor, import_id, set(OPEN - {"loading"}))
        _update(tx, row, state="discarded", job=None)
        tx.job("imports.sweep", {"id": import_id}, due_at=tx.now + DAY + timedelta(minutes=1), account=actor.id)
        return {"id": import_id, "state": "discarded", "version": row["version"]}

    return _done(
        workspace.database.command(actor, key, "intake.discard", record, request={"id": import_id}, subject=import_id)
    )


# Within a transaction


def _refuse_flood(actor: Actor, workspace: Workspace) -> None:
    rows = table("imports")
    mine = sa.select(sa.func.count()).select_from(rows).where(rows.c.account == actor.id)
    with workspace.database.read() as connection:
        recent = connection.execute(mine.where(rows.c.created_at > workspace.clock() - timedelta(hours=1))).scalar_one()
        unfinished = connection.execute(mine.where(rows.c.state.in_(sorted(OPEN)))).scalar_one()
    if recent >= MOST_UPLOADS_AN_HOUR:
        raise UsageError("JQ-IMPORT-007", count=recent)
    if unfinished >= MOST_OPEN:
        raise UsageError("JQ-IMPORT-008", count=unfinished)


def _editable(tx: Transaction, actor: Actor, import_id: str, states: set[str]) -> dict[str, Any]:
    rows = table("imports")
    found = tx.execute(sa.select(rows).where(rows.c.id == import_id)).mappings().one_or_none()
    if found is None or not may_see(actor, found["account"]):
        raise UsageError("JQ-IMPORT-001", value=import_id)
    if found["state"] not in states:
        raise UsageError("JQ-IMPORT-010", state=found["state"])
    return dict(found)


def _update(tx: Transaction, row: dict[str, Any], **values: Any) -> None:
    rows = table("imports")
    as_seen = rows.c.id == row["id"], rows.c.version == row["version"], rows.c.state == row["state"]
    done = tx.execute(sa.update(rows).where(*as_seen).values(updated_at=tx.now, **values))
    if done.rowcount != 1:
        raise UsageError("JQ-IMPORT-009")


def _touched(tx: Transaction, row: dict[str, Any]) -> dict[str, Any]:
    version = row["version"] + 1
    _update(tx, row, version=version)
    return {"id": row["id"], "state": row["state"], "version": version}


def _queue(tx: Transaction, step: str, import_id: str, actor: Actor) -> str:
    return tx.job(f"imports.{step}", {"id": import_id}, account=actor.id, most_attempts=ATTEMPTS)


def _done(answer: Any) -> Done:
    return Done.model_validate(answer)
