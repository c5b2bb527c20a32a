"""Intake's operations 装载室: imports step by step, for pages and API alike. The upload itself is `imports.receive`."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

import polars as pl
from pydantic import Field

from jiqun.core.actor import Actor, Role
from jiqun.core.document import Text
from jiqun.core.errors import UsageError
from jiqun.core.operation import Model, Page, PageRequest, Room, paged
from jiqun.intake import comparing, imports
from jiqun.intake import import_records as records
from jiqun.intake.changes import KINDS, Changes
from jiqun.intake.effect import Effect, effects
from jiqun.intake.findings import ProblemRow
from jiqun.intake.import_jobs import HANDLERS
from jiqun.intake.import_records import Done, Fix, Header, Import, Mapped, Name, Options, Overruled
from jiqun.intake.memory import Offer
from jiqun.store import Workspace
from jiqun.store.commands import Transaction
from jiqun.store.tables import JSON

__all__ = ["HANDLERS", "ROOM"]

ROOM = Room("intake", Text("装载", "Intake"))
_WHO: tuple[Role, ...] = ("operator", "analyst")

Id = Annotated[str, Field(min_length=1, max_length=60)]
Snapshot = Annotated[str, Field(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}-[0-9a-f]{12}$")]


class One(Model):
    """Which import."""

    id: Id


class ProblemsRequest(PageRequest):
    """Rows that something is wrong with, perhaps of one code only."""

    id: Id
    code: Annotated[str | None, Field(max_length=20, pattern=r"^JQ-[A-Z]+-[0-9]{3}$")] = None


class FixesRequest(PageRequest):
    """Corrections of an import."""

    id: Id


class Configuration(Model):
    """How a file and its columns are to be read; `version` is that of the import which was looked at."""

    id: Id
    version: Annotated[int, Field(ge=1)]
    table_name: Name
    options: Options
    mapping: Annotated[tuple[Mapped, ...], Field(max_length=1_000)] = ()


class LoadRequest(Model):
    """Load an import; `replace` confirms that the rows which it does not hold may go."""

    id: Id
    replace: bool = False


class FixRequest(Model):
    """Cells to correct."""

    id: Id
    fixes: Annotated[tuple[Fix, ...], Field(min_length=1, max_length=500)]


class Cell(Model):
    """Which correction: `found` where it is of every row (0) with that value."""

    row: Annotated[int, Field(ge=0, le=1 << 53)]
    column: Header
    found: Annotated[str, Field(max_length=500)] = ""


class UnfixRequest(Model):
    """Corrections to take back; none named: all."""

    id: Id
    cells: Annotated[tuple[Cell, ...] | None, Field(max_length=500)] = None


class MadeFix(Model):
    """A correction, by whom and when."""

    row: int
    column: str
    found: str
    value: str | None
    account: str
    at: datetime


class Settlement(Model):
    """A correction that was replaced: back to it, or stay with the other."""

    id: Id
    overruled: Id
    restore: bool


class Loads(Model):
    """Two loads of a table by their snapshots; those not named: the current one, and the one before it."""

    table: Name
    old: Snapshot | None = None
    new: Snapshot | None = None


class ChangesRequest(PageRequest, Loads):
    """Differences between two loads: of a kind, of rows that hold a text."""

    kind: Annotated[str | None, Field(pattern=f"^({'|'.join(KINDS)})$")] = None
    text: Annotated[str, Field(max_length=200)] = ""


class Change(Model):
    """One difference; see `jiqun.intake.changes.CHANGES`."""

    kind: str
    id: str
    name: str | None
    attribute: str | None
    before: str | None
    after: str | None
    km: float | None
    digital_before: str | None
    digital_after: str | None
    country: str | None
    city: str | None
    lon_before: float | None
    lat_before: float | None
    lon: float | None
    lat: float | None


class Differences(Page[Change]):
    """What is different between two loads, in numbers, with its effect on clusters, and one page of it."""

    old: str
    new: str
    summary: Changes
    effects: tuple[Effect, ...]


class Comparison(Model):
    """Whether a comparison is there already, or the job that makes it."""

    ready: bool
    old: str
    new: str
    job: str | None = None


@ROOM.operation("changes", "变动", "Show changes", roles=_WHO)
def changes(actor: Actor, workspace: Workspace, request: ChangesRequest) -> Differences:
    """What is different between two loads of a table; they must have been compared (`compare`)."""
    actor.require("intake.changes", *_WHO)
    before, after = comparing.between(workspace, request.table, request.old, request.new)
    found = comparing.known(workspace, before, after)
    if found is None:
        raise UsageError("JQ-IMPORT-028")
    rows = found.rows(request.kind, request.text)
    total = int(rows.select(pl.len()).collect().item())
    places = paged(range(total), request, version=f"{found.result.id} {request.kind} {request.text}")
    start = places.items[0] if places.items else 0
    shown = rows.slice(start, len(places.items)).collect().to_dicts()
    return Differences(
        items=tuple(map(Change.model_validate, shown)),
        total=total,
        next=places.next,
        old=before.id,
        new=after.id,
        summary=found.summary,
        effects=effects(workspace, found),
    )


@ROOM.operation("compare", "比较", "Compare two loads", roles=_WHO, writes=True)
def compare(actor: Actor, workspace: Workspace, request: Loads, *, key: str) -> Comparison:
    """Compare two loads of a table, as a job, unless that was done before."""
    before, after = comparing.between(workspace, request.table, request.old, request.new)
    if comparing.known(workspace, before, after) is not None:
        return Comparison(ready=True, old=before.id, new=after.id)
    asked: dict[str, JSON] = {"table": request.table, "old": before.id, "new": after.id}

    def queue(tx: Transaction) -> JSON:
        return {"job": tx.job("imports.compare", asked, account=actor.id, most_attempts=imports.ATTEMPTS)}

    answer: Any = workspace.database.command(actor, key, "intake.compare", queue, request=asked, subject=request.table)
    return Comparison(ready=False, old=before.id, new=after.id, job=answer["job"])


@ROOM.operation("imports", "导入列表", "List imports", roles=_WHO)
def list_imports(actor: Actor, workspace: Workspace, request: PageRequest) -> Page[Import]:
    """Imports, newest first: one's own; for operators all. Without what the file holds and what checks found."""
    total = records.listing(actor, workspace, 0, 0)[1]
    places = paged(range(total), request, version="imports")
    start = places.items[0] if places.items else 0
    return Page(items=records.listing(actor, workspace, start, len(places.items))[0], total=total, next=places.next)


@ROOM.operation("import", "查看导入", "Show an import", roles=_WHO)
def show_import(actor: Actor, workspace: Workspace, request: One) -> Import:
    """An import as it stands: what the file holds, what the check found, what the load changed."""
    return records.find(actor, workspace, request.id)


@ROOM.operation("problems", "问题行", "List problem rows", roles=_WHO)
def problems(actor: Actor, workspace: Workspace, request: ProblemsRequest) -> Page[ProblemRow]:
    """Rows that the last check found something wrong with."""
    found = records.find(actor, workspace, request.id)
    findings = records.findings(workspace, found)
    version = f"{found.report.check if found.report else ''} {request.code}"
    places = paged(range(findings.count_rows(request.code)), request, version=version)
    start = places.items[0] if places.items else 0
    rows = findings.rows(start, len(places.items), request.code)
    return Page(items=rows, total=places.total, next=places.next)


@ROOM.operation("fixes", "更正列表", "List corrections", roles=_WHO)
def list_fixes(actor: Actor, workspace: Workspace, request: FixesRequest) -> Page[MadeFix]:
    """Corrections of an import, latest first."""
    found = records.find(actor, workspace, request.id)
    names = MadeFix.model_fields
    made = [{name: fix[name] for name in names} for fix in records.fixes(workspace, found.id)]
    page = paged(made, request, version=str(found.version))
    return Page(items=tuple(map(MadeFix.model_validate, page.items)), total=page.total, next=page.next)


@ROOM.operation("again", "再次导入", "Import again", roles=_WHO, writes=True)
def again(actor: Actor, workspace: Workspace, request: One, *, key: str) -> Done:
    """Begin a new import with the file of an earlier one, its columns and its corrections."""
    return imports.again(actor, workspace, request.id, key=key)


@ROOM.operation("configure", "设定列对应", "Say what the columns are", roles=_WHO, writes=True)
def configure(actor: Actor, workspace: Workspace, request: Configuration, *, key: str) -> Done:
    """Say how a file is to be read and what its columns are."""
    return imports.configure(
        actor,
        workspace,
        request.id,
        version=request.version,
        options=request.options,
        mapping=request.mapping,
        table_name=request.table_name,
        key=key,
    )


@ROOM.operation("check", "检查", "Check", roles=_WHO, writes=True)
def check(actor: Actor, workspace: Workspace, request: One, *, key: str) -> Done:
    """Check every row, as a job."""
    return imports.start(actor, workspace, request.id, key=key)


@ROOM.operation("fix", "更正", "Correct cells", roles=_WHO, writes=True)
def fix(actor: Actor, workspace: Workspace, request: FixRequest, *, key: str) -> Done:
    """Correct cells, one by one or every one with a certain value; the file stays as it came."""
    return imports.fix(actor, workspace, request.id, request.fixes, key=key)


@ROOM.operation("unfix", "撤回更正", "Take corrections back", roles=_WHO, writes=True)
def unfix(actor: Actor, workspace: Workspace, request: UnfixRequest, *, key: str) -> Done:
    """Take corrections back, so that the cells are as the file has them."""
    cells = None if request.cells is None else tuple((c.row, c.column, c.found) for c in request.cells)
    return imports.unfix(actor, workspace, request.id, cells, key=key)


@ROOM.operation("recalled", "可沿用的更正", "List corrections that fit again", roles=_WHO)
def recalled(actor: Actor, workspace: Workspace, request: FixesRequest) -> Page[Offer]:
    """Corrections of earlier files that would fit this one; none is applied by itself."""
    found = records.find(actor, workspace, request.id)
    return paged(records.offered(workspace, found), request, version=str(found.version))


@ROOM.operation("overruled", "被取代的更正", "List replaced corrections", roles=_WHO)
def overruled(actor: Actor, workspace: Workspace, request: FixesRequest) -> Page[Overruled]:
    """Corrections of cells that someone replaced by different ones without having seen them."""
    found = records.find(actor, workspace, request.id)
    return paged(records.overruled(workspace, found.id), request, version=str(found.version))


@ROOM.operation("settle", "裁定更正", "Settle two corrections", roles=_WHO, writes=True)
def settle(actor: Actor, workspace: Workspace, request: Settlement, *, key: str) -> Done:
    """Decide between two people's corrections of one cell."""
    return imports.settle(actor, workspace, request.id, request.overruled, restore=request.restore, key=key)


@ROOM.operation("load", "装载", "Load", roles=_WHO, writes=True)
def load(actor: Actor, workspace: Workspace, request: LoadRequest, *, key: str) -> Done:
    """Load a checked file, as a job; it becomes the table's current snapshot."""
    return imports.load(actor, workspace, request.id, replace=request.replace, key=key)


@ROOM.operation("retry", "重试", "Try again", roles=_WHO, writes=True)
def retry(actor: Actor, workspace: Workspace, request: One, *, key: str) -> Done:
    """Go on with a step whose job was given up."""
    return imports.retry(actor, workspace, request.id, key=key)


@ROOM.operation("undo", "撤销装载", "Undo a load", roles=_WHO, writes=True)
def undo(actor: Actor, workspace: Workspace, request: One, *, key: str) -> Done:
    """Make the snapshot before a load current again, for a day and unless the table changed since."""
    return imports.undo(actor, workspace, request.id, key=key)


@ROOM.operation("discard", "放弃", "Discard", roles=_WHO, writes=True)
def discard(actor: Actor, workspace: Workspace, request: One, *, key: str) -> Done:
    """Give an import up; its file is deleted after a day."""
    return imports.discard(actor, workspace, request.id, key=key)
