"""Import 导入: from a file to a table in steps, each a page that can be left and come back to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from pydantic import ValidationError
from starlette.datastructures import FormData

from jiqun.atlas import work as clusters
from jiqun.core.actor import Role
from jiqun.core.errors import JiqunError, UsageError
from jiqun.core.schema import Schema, schema, schemas
from jiqun.intake import import_records as records
from jiqun.intake import room
from jiqun.intake.columns import Column, likely, match_columns, personal
from jiqun.intake.excel import ALL_ALIKE
from jiqun.intake.findings import MOST_IN_WORKBOOK, ProblemRow
from jiqun.intake.import_records import BUSY, Fix, Import, Mapped, Options
from jiqun.intake.sources import KINDS
from jiqun.web.errors import checked
from jiqun.web.render import page, see_other
from jiqun.web.visitor import Visitor, VisitorDep, WorkspaceDep

router = APIRouter(prefix="/imports")

ROWS = 50
"""Problem rows on a page."""
OFFERS = 30
"""Corrections that fit again, on a page."""
_ROLES: tuple[Role, ...] = ("operator", "analyst")
_LIST = 30
_CELLS, _CELL = 12, 60
"""How much of the rest of a row is shown."""
_LONGEST_PLACE = 30
"""Of the name of a cell's field: its row and the place of its header."""
_ENCODINGS = ("utf-8", "gb18030", "big5", "utf-16", "cp1252")


async def _sent(request: Request) -> FormData:
    """The form, which the guard has read."""
    return await request.form()


FormDep = Annotated[FormData, Depends(_sent)]


@dataclass(frozen=True)
class Step:
    """One step of the conversation: where it is, and whether one can go there."""

    name: str
    path: str
    open: bool
    current: bool


def _steps(found: Import, current: str) -> tuple[Step, ...]:
    base = f"/imports/{found.id}"
    reached = {
        "columns": True,
        "check": found.look is not None,
        "rows": found.report is not None,
        "load": found.state in {"loading", "loaded", "undone"},
    }
    return tuple(Step(name, f"{base}/{name}", reached[name], name == current) for name in reached)


def _page(
    request: Request, visitor: Visitor, found: Import, template: str, step: str, *, status: int = 200, **context: Any
) -> Response:
    busy = found.state in BUSY
    if not busy and "hx-request" in request.headers:
        # a script asked how far the work is, and it is done: the page itself comes next
        return Response(headers={"HX-Refresh": "true", "Cache-Control": "no-store"})
    return page(
        request,
        visitor,
        template,
        status=status,
        keep=False,
        found=found,
        described=schema(found.table_name),
        steps=_steps(found, step),
        busy=busy,
        notes={
            "saved": visitor.say("Saved."),
            "fixed": visitor.say("Your corrections are saved; check again to see what is left."),
            "overruled": visitor.say(
                "Your corrections are saved. Some replace different ones by others: see below which counts."
            ),
            "settled": visitor.say("Decided."),
            "unfixed": visitor.say("Taken back; the cells are again as the file has them."),
            "undone": visitor.say("Undone: the table is as it was before the load."),
        },
        **context,
    )


def _words(error: JiqunError, visitor: Visitor) -> tuple[str, str]:
    first, _, rest = error.render(visitor.language).partition("\n")
    return first.partition(" ")[2], rest.strip()


# The list


@router.get("")
def overview(request: Request, visitor: VisitorDep, workspace: WorkspaceDep, start: int = 0) -> Response:
    """Imports and where they stand."""
    visitor.require("intake.imports", *_ROLES)
    start = max(0, min(start, 1_000_000))
    found, total = records.listing(visitor.actor, workspace, start, _LIST)
    return page(
        request,
        visitor,
        "imports.html",
        keep=False,
        imports=found,
        total=total,
        start=start,
        next=start + _LIST if start + _LIST < total else None,
        titles=dict(schemas()),
        open_states=records.OPEN - {"loading"},
        everyones="operator" in visitor.actor.roles,
        notes={"discarded": visitor.say("Discarded. The file is deleted after a day.")},
    )


@router.get("/{import_id}")
def resume(import_id: str, visitor: VisitorDep, workspace: WorkspaceDep) -> Response:
    """Go on where the import stands."""
    found = find(visitor, workspace, import_id)
    return see_other(_place(found))


def _place(found: Import) -> str:
    step = {
        "reading": "columns",
        "failed": "columns",
        "read": "columns",
        "checking": "check",
        "checked": "check",
        "loading": "load",
        "loaded": "load",
        "undone": "load",
        "discarded": "columns",
    }[found.state]
    return f"/imports/{found.id}/{step}"


def find(visitor: Visitor, workspace: WorkspaceDep, import_id: str) -> Import:
    """The import of an address, if it is the visitor's to see."""
    found: Import = room.show_import(visitor.actor, workspace, room.One(id=import_id[:60]))
    return found


# Columns


@dataclass(frozen=True)
class Row:
    """One header on the page of columns."""

    column: Column
    samples: tuple[str, ...]
    target: str
    likely: tuple[str, ...]
    personal: bool


@router.get("/{import_id}/columns")
def columns(import_id: str, request: Request, visitor: VisitorDep, workspace: WorkspaceDep) -> Response:
    """What the file holds, and what each column is taken for."""
    found = find(visitor, workspace, import_id)
    return _columns(request, visitor, workspace, found)


def _columns(
    request: Request,
    visitor: Visitor,
    workspace: WorkspaceDep,
    found: Import,
    *,
    refused: JiqunError | None = None,
) -> Response:
    rows, missing = _rows(found)
    message, hint = _words(refused, visitor) if refused else ("", "")
    return _page(
        request,
        visitor,
        found,
        "import_columns.html",
        "columns",
        status=409 if refused else 200,
        rows=rows,
        missing=missing,
        titles=tuple((s.name, s.title_zh if visitor.language == "zh" else s.title_en) for s in schemas().values()),
        sheets=_sheets(found, visitor),
        encodings=_choices(visitor.say("found out"), _ENCODINGS),
        several_sources=found.table_name in KINDS,
        earlier=records.alike(visitor.actor, workspace, found.digest, but=found.id),
        job=_job(workspace, found),
        refused=message,
        hint=hint,
    )


def _sheets(found: Import, visitor: Visitor) -> tuple[tuple[str, str], ...]:
    several = (ALL_ALIKE, visitor.say("all sheets that fit, one after the other"))
    best, *named = _choices(visitor.say("the one that fits best"), found.look.sheets if found.look else ())
    return (best, several, *named) if len(named) > 1 else (best, *named)


def _choices(unset: str, values: Sequence[str]) -> tuple[tuple[str, str], ...]:
    return (("", unset), *((value, value) for value in values))


def _rows(found: Import) -> tuple[tuple[Row, ...], tuple[Any, ...]]:
    if found.look is None:
        return (), ()
    described = schema(found.table_name)
    matched, missing = _matched(found, described)
    by_place = {column.position: column for column in matched}
    rows = []
    for place, samples in enumerate(found.look.samples):
        column = by_place[place]
        unknown = column.why == "unknown"
        guesses = likely(column.header, described) if unknown else ()
        rows.append(Row(column, samples, "-" if column.extra else column.target, guesses, personal(column.header)))
    return tuple(rows), missing


def _matched(found: Import, described: Schema) -> tuple[tuple[Column, ...], tuple[Any, ...]]:
    assert found.look is not None  # noqa: S101  # callers ask before
    there = set(found.look.headers)
    # another sheet may lack headers that were mapped before
    pairs = [pair for pair in found.pairs if pair[0] in there and (pair[1] == "-" or pair[1] in described.names)]
    return match_columns(found.look.headers, described, pairs)


@router.post("/{import_id}/columns")
def configure(
    import_id: str, request: Request, form: FormDep, visitor: VisitorDep, workspace: WorkspaceDep
) -> Response:
    """Save what the columns are; `then=check` goes on to the check."""
    found = find(visitor, workspace, import_id)
    key = text_of(form, "key")
    try:
        done = room.configure(visitor.actor, workspace, _configuration(form, found), key=key)
        if done.state != "reading" and text_of(form, "then") == "check":
            room.check(visitor.actor, workspace, room.One(id=found.id), key=f"{key}-check")
            return see_other(f"/imports/{found.id}/check")
    except JiqunError as error:
        return _columns(request, visitor, workspace, find(visitor, workspace, import_id), refused=error)
    return see_other(f"/imports/{found.id}/columns", done="saved")


def _configuration(form: FormData, found: Import) -> room.Configuration:
    try:
        return room.Configuration(
            id=found.id,
            version=int(text_of(form, "version")),
            table_name=text_of(form, "table") or found.table_name,
            options=Options(
                sheet=text_of(form, "sheet") or None,
                encoding=text_of(form, "encoding") or None,
                crs=text_of(form, "crs") or found.options.crs,  # type: ignore[arg-type]  # checked by the model
                as_of=date.fromisoformat(text_of(form, "as_of")),
                source=text_of(form, "source").strip() or None,
                replace_all=text_of(form, "replace_all") == "yes",
            ),
            mapping=_mapping(form, found),
        )
    except (ValidationError, ValueError) as error:
        raise UsageError("JQ-IMPORT-024") from error


def _mapping(form: FormData, found: Import) -> tuple[Mapped, ...]:
    """Only what differs from what is recognised anyway; several columns of one attribute are alternatives, in order."""
    if found.look is None:
        return found.mapping
    described = schema(found.table_name)
    automatic = {c.position: "-" if c.extra else c.target for c in match_columns(found.look.headers, described)[0]}
    chosen = {place: text_of(form, f"column-{place}") or automatic[place] for place in automatic}
    targets = [target for target in chosen.values() if target not in {"-", ""}]
    several = {target for target in targets if targets.count(target) > 1}
    return tuple(
        Mapped(header=found.look.headers[place], attribute=target)
        for place, target in sorted(chosen.items())
        if target and (target != automatic[place] or target in several)
    )


# Check


@router.get("/{import_id}/check")
def check_page(import_id: str, request: Request, visitor: VisitorDep, workspace: WorkspaceDep) -> Response:
    """What the check found, or how far it is."""
    found = find(visitor, workspace, import_id)
    return _check(request, visitor, workspace, found)


def _check(
    request: Request, visitor: Visitor, workspace: WorkspaceDep, found: Import, *, refused: JiqunError | None = None
) -> Response:
    message, hint = _words(refused, visitor) if refused else ("", "")
    report = found.report
    return _page(
        request,
        visitor,
        found,
        "import_check.html",
        "check",
        status=409 if refused else 200,
        report=report,
        confirm=report is not None and records.must_confirm(report),
        fixes=records.count_fixes(workspace, found.id),
        offers=len(records.offered(workspace, found)),
        workbook=report is not None and sum(group.count for group in report.groups) <= MOST_IN_WORKBOOK,
        job=_job(workspace, found),
        refused=message,
        hint=hint,
    )


@router.post("/{import_id}/check")
def check(import_id: str, request: Request, form: FormDep, visitor: VisitorDep, workspace: WorkspaceDep) -> Response:
    """Begin the check."""
    found = find(visitor, workspace, import_id)
    try:
        room.check(visitor.actor, workspace, room.One(id=found.id), key=text_of(form, "key"))
    except JiqunError as error:
        return _check(request, visitor, workspace, find(visitor, workspace, import_id), refused=error)
    return see_other(f"/imports/{found.id}/check")


# Rows to mend


@router.get("/{import_id}/rows")
def rows_page(
    import_id: str,
    request: Request,
    visitor: VisitorDep,
    workspace: WorkspaceDep,
    code: str = "",
    start: int = 0,
) -> Response:
    """Rows that something is wrong with, to be mended here."""
    found = find(visitor, workspace, import_id)
    return _mend(request, visitor, workspace, found, code=code, start=start)


def _mend(
    request: Request,
    visitor: Visitor,
    workspace: WorkspaceDep,
    found: Import,
    *,
    code: str,
    start: int,
    refused: JiqunError | None = None,
) -> Response:
    kept = records.findings(workspace, found)
    assert found.report is not None  # noqa: S101  # `findings` asks before
    groups = found.report.groups
    code = code if code in {group.code for group in groups} else ""
    total = kept.count_rows(code or None)
    start = max(0, min(start, total - 1)) // ROWS * ROWS
    rows = kept.rows(start, ROWS, code or None)
    message, hint = _words(refused, visitor) if refused else ("", "")
    made = records.fixes(workspace, found.id)
    here = {row.row for row in rows}
    return _page(
        request,
        visitor,
        found,
        "import_rows.html",
        "rows",
        status=409 if refused else 200,
        rows=rows,
        rest={row.row: _rest(row) for row in rows},
        total=total,
        start=start,
        before=max(0, start - ROWS) if start else None,
        after=start + ROWS if start + ROWS < total else None,
        code=code,
        groups=groups,
        repeated=tuple((group, one) for group in groups if not code or group.code == code for one in group.repeated)[
            :12
        ],
        cells={(fix["row"], fix["column"]): fix["value"] for fix in made if fix["row"] in here},
        rules={(fix["column"], fix["found"]): fix["value"] for fix in made if not fix["row"]},
        workbook=found.report.problem_rows <= MOST_IN_WORKBOOK,
        title=_title(found),
        offers=records.offered(workspace, found),
        most_offers=OFFERS,
        overruled=records.overruled(workspace, found.id),
        fixes=made[:100],
        fix_count=len(made),
        refused=message,
        hint=hint,
    )


def mending(
    request: Request, visitor: Visitor, workspace: WorkspaceDep, import_id: str, *, refused: JiqunError
) -> Response:
    """The page of rows to mend, with what was wrong with a list that was uploaded."""
    found = find(visitor, workspace, import_id)
    return _mend(request, visitor, workspace, found, code="", start=0, refused=refused)


def _rest(row: ProblemRow) -> list[tuple[str, str]]:
    """What to show of the cells with nothing wrong."""
    wrong = {header for finding in row.findings for header in finding.mend}
    return [(header, cell[:_CELL]) for header, cell in row.cells.items() if header not in wrong][:_CELLS]


def _title(found: Import) -> str | None:
    """The header by which people know a row."""
    if found.look is None:
        return None
    matched, _ = _matched(found, schema(found.table_name))
    targets = {column.target: column.header for column in matched}
    return next((targets[name] for name in ("name", "organisation", "source", "unit") if name in targets), None)


@router.post("/{import_id}/rows")
def mend(import_id: str, request: Request, form: FormDep, visitor: VisitorDep, workspace: WorkspaceDep) -> Response:
    """Save corrections of the rows on the page; `then=check` goes on to the check."""
    found = find(visitor, workspace, import_id)
    key, code, start = text_of(form, "key"), text_of(form, "code"), _number(form, "start")
    try:
        changes = _changes(form, found)
        if changes:
            done = room.fix(visitor.actor, workspace, checked(room.FixRequest, id=found.id, fixes=changes), key=key)
        if text_of(form, "then") == "check":
            room.check(visitor.actor, workspace, room.One(id=found.id), key=f"{key}-check")
            return see_other(f"/imports/{found.id}/check")
    except JiqunError as error:
        again = find(visitor, workspace, import_id)
        return _mend(request, visitor, workspace, again, code=code, start=start, refused=error)
    told = "overruled" if changes and done.overruled else "fixed"
    return see_other(_rows_path(found, code, start), done=told if changes else None)


def _changes(form: FormData, found: Import) -> tuple[Fix, ...]:
    """Cells whose text is not what the page showed. A cell is named by its row and the place of its header."""
    assert found.look is not None  # noqa: S101  # rows are shown after a look
    changes = []
    for name, value in form.multi_items():
        kind, _, place = name.partition("-")
        row, _, column = place.partition("-")
        numbers = row.isdecimal() and column.isdecimal() and len(place) <= _LONGEST_PLACE
        if kind != "cell" or not isinstance(value, str) or not numbers:
            continue
        was = text_of(form, f"was-{place}")
        if value != was and int(column) < len(found.look.headers):
            seen = {"seen": was.strip() or None}
            changes.append((int(row), found.look.headers[int(column)], "", value.strip() or None, seen))
    return _valid(tuple(changes))


def _valid(cells: tuple[tuple[int, str, str, str | None, dict[str, str | None]], ...]) -> tuple[Fix, ...]:
    try:
        return tuple(
            Fix(row=row, column=column, found=found, value=value, **seen) for row, column, found, value, seen in cells
        )
    except ValidationError as error:
        raise UsageError("JQ-IMPORT-024") from error


@router.post("/{import_id}/replace")
def replace(import_id: str, request: Request, form: FormDep, visitor: VisitorDep, workspace: WorkspaceDep) -> Response:
    """Replace a value of a column wherever it stands."""
    found = find(visitor, workspace, import_id)
    code, start = text_of(form, "code"), _number(form, "start")
    try:
        value = text_of(form, "value").strip() or None
        rule = _valid(((0, text_of(form, "column"), text_of(form, "found"), value, {}),))
        room.fix(visitor.actor, workspace, room.FixRequest(id=found.id, fixes=rule), key=text_of(form, "key"))
    except JiqunError as error:
        return _mend(request, visitor, workspace, found, code=code, start=start, refused=error)
    return see_other(_rows_path(found, code, start), done="fixed")


@router.post("/{import_id}/unfix")
def unfix(import_id: str, form: FormDep, visitor: VisitorDep, workspace: WorkspaceDep) -> Response:
    """Take one correction back, or all."""
    found = find(visitor, workspace, import_id)
    cells = None
    if not text_of(form, "all"):
        cell = checked(
            room.Cell, row=_number(form, "row"), column=text_of(form, "column"), found=text_of(form, "found")[:500]
        )
        cells = (cell,)
    room.unfix(visitor.actor, workspace, room.UnfixRequest(id=found.id, cells=cells), key=text_of(form, "key"))
    return see_other(_rows_path(found, text_of(form, "code"), _number(form, "start")), done="unfixed")


def _rows_path(found: Import, code: str, start: int) -> str:
    asked = [f"{name}={value}" for name, value in (("code", code), ("start", start)) if value]
    known = found.report is not None and code in {"", *(group.code for group in found.report.groups)}
    return f"/imports/{found.id}/rows" + ("?" + "&".join(asked) if asked and known else "")


# Load


@router.get("/{import_id}/load")
def load_page(import_id: str, request: Request, visitor: VisitorDep, workspace: WorkspaceDep) -> Response:
    """What the load changed, or how far it is."""
    found = find(visitor, workspace, import_id)
    if found.state not in {"loading", "loaded", "undone"}:
        return see_other(_place(found))
    return _loaded(request, visitor, workspace, found)


def _loaded(
    request: Request, visitor: Visitor, workspace: WorkspaceDep, found: Import, *, refused: JiqunError | None = None
) -> Response:
    message, hint = _words(refused, visitor) if refused else ("", "")
    blocked = records.why_not_undo(workspace, found) if found.state == "loaded" else None
    return _page(
        request,
        visitor,
        found,
        "import_load.html",
        "load",
        status=409 if refused else 200,
        job=_job(workspace, found),
        changes=found.changes,
        report=found.report,
        unchanged=found.before is not None and found.before == found.snapshot,
        blocked=_words(blocked, visitor) if blocked else None,
        refused=message,
        hint=hint,
    )


@router.post("/{import_id}/load")
def load(import_id: str, request: Request, form: FormDep, visitor: VisitorDep, workspace: WorkspaceDep) -> Response:
    """Begin the load."""
    found = find(visitor, workspace, import_id)
    try:
        asked = room.LoadRequest(id=found.id, replace=text_of(form, "replace") == "yes")
        room.load(visitor.actor, workspace, asked, key=text_of(form, "key"))
    except JiqunError as error:
        return _check(request, visitor, workspace, find(visitor, workspace, import_id), refused=error)
    return see_other(f"/imports/{found.id}/load")


@router.post("/{import_id}/undo")
def undo(import_id: str, request: Request, form: FormDep, visitor: VisitorDep, workspace: WorkspaceDep) -> Response:
    """Take the load back."""
    found = find(visitor, workspace, import_id)
    try:
        room.undo(visitor.actor, workspace, room.One(id=found.id), key=text_of(form, "key"))
    except JiqunError as error:
        return _loaded(request, visitor, workspace, found, refused=error)
    return see_other(f"/imports/{found.id}/load", done="undone")


@router.post("/{import_id}/search")
def search(import_id: str, form: FormDep, visitor: VisitorDep, workspace: WorkspaceDep) -> Response:
    """Begin the search for clusters in what was loaded."""
    find(visitor, workspace, import_id)
    queued = clusters.run(visitor.actor, workspace, clusters.RunRequest(), key=text_of(form, "key"))
    return see_other(f"/jobs/{queued.job}")


@router.post("/{import_id}/again")
def again(import_id: str, form: FormDep, visitor: VisitorDep, workspace: WorkspaceDep) -> Response:
    """Begin anew with the same file."""
    done = room.again(visitor.actor, workspace, room.One(id=import_id[:60]), key=text_of(form, "key"))
    return see_other(f"/imports/{done.id}/columns")


@router.post("/{import_id}/retry")
def retry(import_id: str, form: FormDep, visitor: VisitorDep, workspace: WorkspaceDep) -> Response:
    """Go on with a job that was given up."""
    room.retry(visitor.actor, workspace, room.One(id=import_id[:60]), key=text_of(form, "key"))
    return see_other(f"/imports/{import_id[:60]}")


@router.post("/{import_id}/discard")
def discard(import_id: str, form: FormDep, visitor: VisitorDep, workspace: WorkspaceDep) -> Response:
    """Give the import up."""
    room.discard(visitor.actor, workspace, room.One(id=import_id[:60]), key=text_of(form, "key"))
    return see_other("/imports", done="discarded")


def _job(workspace: WorkspaceDep, found: Import) -> Any:
    return workspace.database.jobs.find(found.job) if found.job and found.state in BUSY else None


def text_of(form: FormData, name: str) -> str:
    """A field of a form as text; empty where there is none."""
    value = form.get(name)
    return value if isinstance(value, str) else ""


def _number(form: FormData, name: str) -> int:
    text = text_of(form, name)
    return int(text) if text.isdecimal() and len(text) <= 15 else 0
