"""Imports as they stand 导入记录: what they are, and what people see of them. What changes them is in `imports`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

import polars as pl
import sqlalchemy as sa
from pydantic import Field, StringConstraints

from jiqun.core.actor import Actor
from jiqun.core.document import Text
from jiqun.core.errors import InputError, JiqunError, UsageError
from jiqun.core.operation import Model
from jiqun.core.remarks import Remark
from jiqun.intake.changes import Changes
from jiqun.intake.crs import Crs
from jiqun.intake.findings import Findings, Group
from jiqun.intake.fixes import FIXES
from jiqun.intake.look import Look
from jiqun.intake.memory import Offer, offers
from jiqun.intake.uploads import DAY, Uploads
from jiqun.store import Workspace
from jiqun.store.database import table

State = Literal["reading", "read", "checking", "checked", "loading", "loaded", "undone", "discarded", "failed"]

BUSY: frozenset[str] = frozenset({"reading", "checking", "loading"})
OPEN: frozenset[str] = frozenset({"reading", "read", "checking", "checked", "loading", "failed"})
"""States of imports that are not finished."""
GONE_SHARE = 0.1
"""A load that drops a greater share of the rows that are there must be confirmed."""
UNDO_FOR = timedelta(days=1)

Name = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Header = Annotated[str, StringConstraints(min_length=1, max_length=2_000)]


class Options(Model):
    """How a file is to be read 读取选项; what is not said is found out."""

    sheet: Name | None = None
    encoding: Annotated[str, StringConstraints(min_length=1, max_length=40)] | None = None
    crs: Crs = "wgs84"
    as_of: date
    source: Annotated[
        Name | None, Field(description="which source rows of links or indicators are of; default: the file's name")
    ] = None
    replace_all: Annotated[
        bool, Field(description="of links and indicators replace all rows, not only those of the same source and kind")
    ] = False


class Mapped(Model):
    """What a column is: its header and an attribute of the table, or `-` to keep it as text."""

    header: Header
    attribute: Name


class Told(Model):
    """Why a step failed: the catalogue's code, and the words."""

    code: str
    message: Text
    hint: Text


class Report(Model):
    """What a check found 检查报告; `version` of the import that was checked, `against` the snapshot compared with."""

    check: str
    version: int
    against: str | None
    read: int
    blank: int
    kept: int
    refused: int
    duplicates: int
    emptied: int
    warnings: int
    problem_rows: Annotated[int, Field(description="rows with any finding")]
    need: Annotated[int, Field(description="rows refused or with a cell that was emptied: they need someone")]
    before: int | None
    new: int
    gone: int
    stay: Annotated[int | None, Field(description="rows of other sources, which stay; null where all are replaced")] = (
        None
    )
    replaced: Annotated[int | None, Field(description="rows before that the load replaces")] = None
    precision: dict[str, int]
    cautions: tuple[Text, ...]
    remarks: tuple[Remark, ...] = ()
    groups: tuple[Group, ...]


class Import(Model):
    """An import as it stands 导入."""

    id: str
    account: str
    table_name: str
    file: str
    digest: str
    bytes: int
    options: Options
    mapping: tuple[Mapped, ...]
    version: int
    state: State
    job: str | None
    look: Look | None
    report: Report | None
    snapshot: str | None
    before: str | None
    changes: Changes | None
    reason: Told | None
    created_at: datetime
    updated_at: datetime
    loaded_at: datetime | None

    @property
    def pairs(self) -> tuple[tuple[str, str], ...]:
        """The mapping as `jiqun.intake.desk.load` takes it."""
        return tuple((mapped.header, mapped.attribute) for mapped in self.mapping)

    @property
    def fresh(self) -> bool:
        """Whether the check is of what would be loaded now."""
        return self.report is not None and self.report.version == self.version


class Fix(Model):
    """A correction 更正: of one cell (`row`), or (`row` 0) of every cell of the column that holds `found`.

    `seen` is what the cell held for who corrects it: a different correction made meanwhile is then told, not lost.
    """

    row: Annotated[int, Field(ge=0, le=1 << 53)]
    column: Header
    found: Annotated[str, StringConstraints(max_length=500)] = ""
    value: Annotated[str, StringConstraints(max_length=10_000)] | None
    seen: Annotated[str, StringConstraints(max_length=10_000)] | None = None


class Overruled(Model):
    """A correction of a cell that someone replaced by a different one without having seen it 被取代的更正."""

    id: str
    row: int
    column: str
    value: str | None
    account: str
    at: datetime
    instead: str | None
    by: str
    replaced_at: datetime


class Done(Model):
    """What a command answers: the import, its state and version, and the job that goes on with it."""

    id: str
    state: State
    version: int
    job: str | None = None
    overruled: Annotated[int, Field(description="corrections of others that these replaced unseen")] = 0


def told(error: JiqunError) -> dict[str, Any]:
    """An error for the database, in both languages."""
    parts = {language: error.render(language).partition("\n") for language in ("zh", "en")}
    message = {language: part[0].partition(" ")[2] for language, part in parts.items()}
    return {
        "code": error.code,
        "message": message,
        "hint": {language: part[2].strip() for language, part in parts.items()},
    }


def find(actor: Actor, workspace: Workspace, import_id: str) -> Import:
    """One import.

    Raises
    ------
    UsageError
        JQ-IMPORT-001: not there, or not the actor's to see.
    """
    rows = table("imports")
    with workspace.database.read() as connection:
        row = connection.execute(sa.select(rows).where(rows.c.id == import_id)).mappings().one_or_none()
    if row is None or not may_see(actor, row["account"]):
        raise UsageError("JQ-IMPORT-001", value=import_id)
    return Import.model_validate(dict(row))


def listing(actor: Actor, workspace: Workspace, start: int, count: int) -> tuple[tuple[Import, ...], int]:
    """Some of the imports that the actor may see, newest first, and how many there are; without look and report."""
    rows = table("imports")
    mine = sa.true() if "operator" in actor.roles else rows.c.account == actor.id
    heavy = {"look", "report", "changes"}
    columns = [sa.null().label(c.name) if c.name in heavy else c for c in rows.c]
    asked = sa.select(*columns).where(mine, rows.c.state != "discarded")
    with workspace.database.read() as connection:
        total = connection.execute(sa.select(sa.func.count()).select_from(asked.subquery())).scalar_one()
        newest = asked.order_by(rows.c.created_at.desc(), rows.c.id).offset(start).limit(count)
        found = connection.execute(newest).mappings().all()
    return tuple(Import.model_validate(dict(row)) for row in found), total


def alike(actor: Actor, workspace: Workspace, digest: str, *, but: str = "") -> tuple[Import, ...]:
    """Earlier imports of the same file that the actor may see, newest first."""
    rows = table("imports")
    same = sa.select(rows.c.id).where(rows.c.digest == digest, rows.c.id != but, rows.c.state != "discarded")
    if "operator" not in actor.roles:
        same = same.where(rows.c.account == actor.id)
    with workspace.database.read() as connection:
        ids = connection.execute(same.order_by(rows.c.created_at.desc()).limit(5)).scalars().all()
    return tuple(find(actor, workspace, id_) for id_ in ids)


def fixes(workspace: Workspace, import_id: str) -> tuple[dict[str, Any], ...]:
    """Every correction of an import, latest first: row, column, found, value, account, at."""
    rows = table("fixes")
    with workspace.database.read() as connection:
        asked = (
            sa.select(rows).where(rows.c.import_id == import_id).order_by(rows.c.at.desc(), rows.c.row, rows.c.column)
        )
        return tuple(map(dict, connection.execute(asked).mappings()))


def overruled(workspace: Workspace, import_id: str) -> tuple[Overruled, ...]:
    """Corrections of an import that others replaced, in the order of the file."""
    rows = table("overruled")
    with workspace.database.read() as connection:
        asked = sa.select(rows).where(rows.c.import_id == import_id).order_by(rows.c.row, rows.c.column, rows.c.id)
        found = [dict(row) for row in connection.execute(asked).mappings()]
    return tuple(Overruled.model_validate({name: row[name] for name in Overruled.model_fields}) for row in found)


def offered(workspace: Workspace, found: Import) -> tuple[Offer, ...]:
    """Corrections of earlier files that would fit this one, as the last check found them, but for those made since."""
    if found.report is None:
        return ()
    made = {(fix["row"], fix["column"], fix["found"]) for fix in fixes(workspace, found.id)}
    cells = {(row, column) for row, column, _ in made}
    told = offers(check_folder(workspace, found.id, found.report.check) / "recalled.parquet")
    return tuple(
        offer
        for offer in told
        if (
            (offer.row, offer.column, offer.found) not in made
            if not offer.row
            else (offer.row, offer.column) not in cells
        )
    )


def count_fixes(workspace: Workspace, import_id: str) -> int:
    """How many corrections an import has."""
    rows = table("fixes")
    with workspace.database.read() as connection:
        counted = sa.select(sa.func.count()).select_from(rows).where(rows.c.import_id == import_id)
        return int(connection.execute(counted).scalar_one())


def fix_frame(workspace: Workspace, import_id: str) -> pl.DataFrame:
    """The corrections as `jiqun.intake.fixes.amended` takes them."""
    found = [tuple(fix[name] for name in FIXES) for fix in fixes(workspace, import_id)]
    return pl.DataFrame(found, schema=FIXES, orient="row")


def findings(workspace: Workspace, found: Import) -> Findings:
    """What the last check of an import found.

    Raises
    ------
    UsageError
        JQ-IMPORT-022: it was not checked.
    """
    if found.report is None or found.look is None:
        raise UsageError("JQ-IMPORT-022")
    kept = Findings(check_folder(workspace, found.id, found.report.check), found.look.headers)
    if not kept.there:
        raise UsageError("JQ-IMPORT-022")
    return kept


def check_folder(workspace: Workspace, import_id: str, check: str = "") -> Path:
    """Where what the checks of an import found is kept, or one of them."""
    return Uploads(workspace).folder / "checks" / import_id / check


def may_see(actor: Actor, account: str) -> bool:
    """Whether an import is the actor's to see."""
    return "operator" in actor.roles or account == actor.id


def must_confirm(report: Report) -> bool:
    """Whether a load drops so many of the rows that are there that someone must say so."""
    return report.before is not None and report.gone > GONE_SHARE * report.before


def why_not_undo(workspace: Workspace, old: Import) -> UsageError | None:
    """What keeps a load from being undone, if anything."""
    if old.loaded_at is None or workspace.clock() - old.loaded_at > UNDO_FOR:
        return UsageError("JQ-IMPORT-015", table=old.table_name)
    if old.before is None:
        return UsageError("JQ-IMPORT-016", table=old.table_name)
    # a revert that was cut off before it was recorded may have gone through
    untouched = current_snapshot(workspace, old.table_name) in {old.snapshot, old.before}
    newest = next(load for load in workspace.history(old.table_name) if "base" not in load.summary)
    if not untouched or newest.summary.get("import") != old.id:
        return UsageError("JQ-IMPORT-013", table=old.table_name)
    return None


def needed_files(workspace: Workspace) -> set[str]:
    """Digests of the files that imports need, or needed until a day ago."""
    rows = table("imports")
    recent = workspace.clock() - DAY
    wanted = sa.select(rows.c.digest).where(sa.or_(rows.c.state != "discarded", rows.c.updated_at > recent)).distinct()
    with workspace.database.read() as connection:
        return set(connection.execute(wanted).scalars())


def current_snapshot(workspace: Workspace, table_name: str) -> str | None:
    """The id of a table's snapshot as it was loaded last, None where nothing was.

    What was derived from it (rosters merged, corrections laid over it) is no other load.
    """
    if table_name not in workspace.manifest().tables:
        return None
    current = workspace.snapshot(table_name)
    return str(current.summary.get("base", current.id))


@contextmanager
def called(file: str) -> Iterator[None]:
    """Let errors name the file as its sender did: on disk it is called after its digest."""
    try:
        yield
    except (InputError, UsageError) as error:
        if "file" in error.fields:
            raise type(error)(error.code, **{**error.fields, "file": file}) from error
        raise
