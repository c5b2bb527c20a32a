"""What imports leave to workers 导入作业: reading, checking, loading, and clearing away what nobody needs.

A job that was cut off anywhere may be run again: what it wrote last counts, and a load that is in the table's history
with the import's id is not made twice.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from jiqun.core.actor import Actor
from jiqun.core.errors import InputError, UsageError
from jiqun.core.progress import Progress
from jiqun.core.schema import schema
from jiqun.intake import comparing, desk
from jiqun.intake import import_records as records
from jiqun.intake.changes import Changes, compare
from jiqun.intake.columns import Column, match_columns
from jiqun.intake.derived import derive_anew
from jiqun.intake.findings import MEND, Findings, Keeper
from jiqun.intake.fixes import amended
from jiqun.intake.import_records import Import
from jiqun.intake.look import look
from jiqun.intake.memory import Recall, Witness, remember
from jiqun.intake.summary import LoadReport
from jiqun.intake.uploads import Uploads
from jiqun.store import Workspace
from jiqun.store.database import Transaction, table
from jiqun.store.jobs import Handler, Job, Report
from jiqun.store.snapshots import Snapshot

_SEES_ALL = Actor("worker", frozenset({"operator"}))


def read(workspace: Workspace, job: Job, report: Report) -> Any:
    """Look at an uploaded file 读取概览."""
    found = _under_way(workspace, job, "reading")
    if found is None:
        return None
    report("look", 0, 0)

    def work() -> dict[str, Any]:
        path = Uploads(workspace).path(found.digest)
        options = found.options
        described = schema(found.table_name)
        seen = look(path, described, found.pairs, sheet=options.sheet, encoding=options.encoding, name=found.file)
        return {"state": "read", "look": seen.model_dump(mode="json"), "report": None}

    return _finish(workspace, job, found, work, failed={"state": "failed", "look": None, "report": None})


def check(workspace: Workspace, job: Job, report: Report) -> Any:
    """Check a file with its corrections 检查, and keep what was found for people to mend."""
    found = _under_way(workspace, job, "checking")
    if found is None:
        return None
    folder = records.check_folder(workspace, found.id, job.id)

    def work() -> dict[str, Any]:
        # of the version that was read, not of what people correct meanwhile
        fixes = records.fix_frame(workspace, found.id)
        against = records.current_snapshot(workspace, found.table_name)
        unseen = _unseen(found)
        recall = Recall(workspace, found.table_name, _columns(found), unseen)
        with Keeper(folder, unseen) as keeper:
            checked = _run(
                workspace,
                found,
                check_only=True,
                amend=lambda reading: keeper.watch(amended(recall.watch(reading), fixes)),
                on_problems=keeper.keep,
                progress=_progress(report),
            )
        recall.keep(folder / "recalled.parquet")
        report("group", 0, 0)
        told = _told(checked, found, job.id, against, folder)
        return {"state": "checked", "report": told.model_dump(mode="json")}

    done = _finish(workspace, job, found, work, failed={"state": "read"})
    for old in folder.parent.iterdir() if folder.parent.is_dir() else ():
        if old.name != job.id:
            shutil.rmtree(old, ignore_errors=True)
    return done


def load(workspace: Workspace, job: Job, report: Report) -> Any:
    """Load a file with its corrections 装载; exactly one snapshot comes of it, however often this is run."""
    found = _under_way(workspace, job, "loading")
    if found is None:
        return None

    def work() -> dict[str, Any]:
        with workspace.writing():
            snapshot = _loaded(workspace, found) or _load(workspace, found, report)
        before = snapshot.summary["before"]
        values: dict[str, Any] = {"state": "loaded", "snapshot": snapshot.id, "before": before, "changes": None}
        if before is not None:
            report("compare", 0, 0)
            values["changes"] = _changes(workspace, found, before, snapshot, report).model_dump(mode="json")
        return values

    return _finish(workspace, job, found, work, failed={"state": "checked"})


def _changes(workspace: Workspace, found: Import, before: str, snapshot: Snapshot, report: Report) -> Changes:
    if before != snapshot.id:
        actor, name = _acting(found), found.table_name
        made = comparing.make(actor, workspace, name, old=before, new=snapshot.id, progress=_progress(report))
        return made.summary
    rows = workspace.scan(found.table_name, before)
    nothing = compare(rows.head(0), rows.head(0), schema(found.table_name))
    return nothing.model_copy(update=dict.fromkeys(("before", "after", "unchanged"), snapshot.rows))


def compare_loads(workspace: Workspace, job: Job, report: Report) -> Any:
    """Compare two loads of a table 比较两次装载."""
    table_name, old, new = (str(job.payload[name]) for name in ("table", "old", "new"))
    found = comparing.make(_SEES_ALL, workspace, table_name, old=old, new=new, progress=_progress(report))
    return {"table": table_name, "old": old, "new": new, "result": found.result.id}


def sweep(workspace: Workspace, job: Job, report: Report) -> Any:
    """Delete files and findings of imports that were discarded a day ago 清理."""
    report("sweep", 0, 0)
    uploads = Uploads(workspace)
    with uploads.changing():
        removed = uploads.sweep(records.needed_files(workspace), workspace.clock())
    import_id = str(job.payload["id"])
    rows = table("imports")
    with workspace.database.read() as connection:
        state = connection.execute(sa.select(rows.c.state).where(rows.c.id == import_id)).scalar_one_or_none()
    if state == "discarded":
        shutil.rmtree(records.check_folder(workspace, import_id), ignore_errors=True)
    return {"removed": removed}


HANDLERS: Mapping[str, Handler] = {
    "imports.read": read,
    "imports.check": check,
    "imports.load": load,
    "imports.compare": compare_loads,
    "imports.sweep": sweep,
}
"""What intake's workers do, by the kind of job."""


def _under_way(workspace: Workspace, job: Job, state: str) -> Import | None:
    """The import that a job is for; None if it has gone on without it."""
    found = records.find(_SEES_ALL, workspace, str(job.payload["id"]))
    return found if found.state == state and found.job == job.id else None


def _finish(
    workspace: Workspace, job: Job, found: Import, work: Callable[[], dict[str, Any]], *, failed: dict[str, Any]
) -> Any:
    """Do the work and record what came of it. What a person must mend is recorded too; anything else is tried again."""
    try:
        with records.called(found.file):
            values = {**work(), "reason": None}
    except (InputError, UsageError) as error:
        values = {**failed, "reason": records.told(error)}
    rows = table("imports")

    def record(tx: Transaction) -> dict[str, Any]:
        mine = rows.c.id == found.id, rows.c.job == job.id, rows.c.state == found.state
        told = {"loaded_at": tx.now} if values["state"] == "loaded" else {}
        done = tx.execute(sa.update(rows).where(*mine).values(updated_at=tx.now, **told, **values))
        reason = values["reason"]["code"] if values["reason"] else None
        if values["state"] == "loaded":
            tx.job("search.index", {"import": found.id}, once=f"search.index:{job.id}")
            derive_anew(tx, found.table_name)
        return {
            "id": found.id,
            "state": values["state"],
            "reason": reason,
            "snapshot": values.get("snapshot"),
            "counted": bool(done.rowcount),
        }

    request = {"id": found.id, "job": job.id}
    return workspace.database.command(
        _acting(found), job.key("done"), job.kind, record, request=request, subject=found.id
    )


def _acting(found: Import) -> Actor:
    return Actor(found.account, frozenset({"analyst"}))


def _run(workspace: Workspace, found: Import, **options: Any) -> LoadReport:
    return desk.load(
        _acting(found),
        workspace,
        Uploads(workspace).path(found.digest),
        found.table_name,
        mapping=found.pairs,
        crs=found.options.crs,
        sheet=found.options.sheet,
        encoding=found.options.encoding,
        as_of=found.options.as_of,
        name=found.file,
        label=found.options.source,
        replace_all=found.options.replace_all,
        **options,
    )


def _columns(found: Import) -> tuple[Column, ...]:
    assert found.look is not None  # noqa: S101  # a file is read before it is checked
    return match_columns(found.look.headers, schema(found.table_name), found.pairs)[0]


def _unseen(found: Import) -> list[int]:
    """The columns that look like personal data and were not asked for."""
    return [column.position for column in _columns(found) if column.why == "personal"]


def _loaded(workspace: Workspace, found: Import) -> Snapshot | None:
    """The load that an earlier run of the job has made already."""
    history = workspace.history(found.table_name)
    return next((load for load in history if load.summary.get("import") == found.id), None)


def _load(workspace: Workspace, found: Import, report: Report) -> Snapshot:
    before = records.current_snapshot(workspace, found.table_name)
    if found.report is None or before != found.report.against:
        raise UsageError("JQ-IMPORT-012", table=found.table_name)
    fixes = records.fix_frame(workspace, found.id)
    witness = Witness(records.fixes(workspace, found.id), _columns(found))
    _run(
        workspace,
        found,
        amend=lambda reading: amended(witness.watch(reading), fixes),
        remarks={"import": found.id, "before": before, "fixes": fixes.height},
        progress=_progress(report),
    )
    _remember(workspace, found, witness)
    loaded = _loaded(workspace, found)
    assert loaded is not None  # noqa: S101  # what was just written, under the lock
    return loaded


def _remember(workspace: Workspace, found: Import, witness: Witness) -> None:
    """Keep the corrections of what was loaded, for the next file. If the machine goes away just now, they are lost."""
    kept = witness.remembered()
    if not kept:
        return

    def record(tx: Transaction) -> dict[str, Any]:
        remember(tx, found.table_name, found.file, kept)
        return {"remembered": len(kept)}

    workspace.database.command(
        _acting(found), f"{found.id}:remember", "intake.remember", record, request={"id": found.id}, subject=found.id
    )


def _told(checked: LoadReport, found: Import, check_id: str, against: str | None, folder: Path) -> records.Report:
    assert found.look is not None  # noqa: S101  # a file is read before it is checked
    kept = Findings(folder, found.look.headers)
    return records.Report(
        check=check_id,
        version=found.version,
        against=against,
        read=checked.read,
        blank=checked.blank,
        kept=checked.kept,
        refused=checked.refused,
        duplicates=checked.duplicates,
        emptied=checked.emptied,
        warnings=checked.warnings,
        problem_rows=kept.count_rows(),
        need=kept.count_rows(severities=MEND),
        before=checked.before,
        new=checked.new,
        gone=checked.gone,
        stay=checked.stay,
        replaced=checked.replaced,
        precision=dict(checked.precision),
        cautions=checked.cautions,
        remarks=checked.remarks,
        groups=kept.groups(),
    )


def _progress(report: Report) -> Progress:
    def progress(what: str, done: int, total: int | None) -> None:
        report(what, done, total or 0)

    return progress
