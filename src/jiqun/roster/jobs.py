"""What rosters leave to workers 名单作业: matching the file of an import."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jiqun.core.actor import Actor
from jiqun.core.errors import UsageError
from jiqun.intake import import_records
from jiqun.intake.fixes import amended
from jiqun.intake.uploads import Uploads
from jiqun.roster import desk
from jiqun.roster.reading import TABLE
from jiqun.store import Workspace
from jiqun.store.database import Transaction
from jiqun.store.jobs import Handler, Job, Report

MATCH = "roster.match"


def begin(
    actor: Actor, workspace: Workspace, import_id: str, *, name: str | None, accept: float, lead: float, key: str
) -> str:
    """Queue the matching of an import's file; the id of the job.

    Raises
    ------
    UsageError
        JQ-IMPORT-001: no such import; JQ-ROSTER-010: it is no table of organisations, or was not checked.
    """
    actor.require("roster.match_import", "operator", "analyst")
    found = import_records.find(actor, workspace, import_id)
    if found.table_name != TABLE or not found.fresh or found.report is None or not found.report.kept:
        raise UsageError("JQ-ROSTER-010")
    payload: dict[str, Any] = {"import": import_id, "name": name, "accept": accept, "lead": lead, "actor": actor.id}

    def put(tx: Transaction) -> str:
        return tx.job(MATCH, payload, account=actor.id)

    return str(workspace.database.command(actor, key, "roster.match_import", put, request=payload, subject=import_id))


def match(workspace: Workspace, job: Job, report: Report) -> Any:
    """Match the file of an import; done again it gives the same result."""
    asked = job.payload
    actor = Actor(str(asked["actor"]), frozenset({"operator"}))
    found = import_records.find(actor, workspace, str(asked["import"]))
    fixes = import_records.fix_frame(workspace, found.id)

    def progress(what: str, done: int, total: int | None) -> None:
        report(what, done, total or 0)

    with import_records.called(found.file):
        made = desk.match(
            actor,
            workspace,
            Uploads(workspace).path(found.digest),
            name=asked["name"],
            as_of=found.options.as_of,
            mapping=found.pairs,
            crs=found.options.crs,
            sheet=found.options.sheet,
            encoding=found.options.encoding,
            file=found.file,
            accept=float(asked["accept"]),
            lead=float(asked["lead"]),
            amend=lambda reading: amended(reading, fixes),
            progress=progress,
            key=job.key("matched"),
        )
    return {"roster": made.id}


HANDLERS: Mapping[str, Handler] = {MATCH: match}
