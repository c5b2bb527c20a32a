"""What is given to the diagnosis 诊断用表: paste or upload a table, add a text, take a frontier's scores, go back.

What was typed stays in the form until it is taken; a table with bad rows is not stored, and every bad cell is told.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request, Response
from fastapi import Form as FormField
from fastapi import Path as PathPart
from starlette.exceptions import HTTPException

from jiqun.assess import given_room as room
from jiqun.assess.diagnosis import kind_name
from jiqun.assess.diagnosis_document import TITLE as DIAGNOSIS
from jiqun.assess.diagnosis_room import READS
from jiqun.assess.given_document import ACTS, TITLES, USES, lead, overview, rows_table
from jiqun.assess.given_records import EDITS, changed, newest, revisions, rows_of, used
from jiqun.assess.given_tables import (
    MOST_BYTES,
    MOST_ROWS,
    NAMES,
    Read,
    TableName,
    one_plan,
    read_file,
    read_text,
    template,
    too_large,
)
from jiqun.atlas.reading import Which, find_run, searched
from jiqun.core.document import Table, Text
from jiqun.core.errors import InputError, JiqunError
from jiqun.intake.uploads import shown_name
from jiqun.report.fragment import fragment
from jiqun.store import Workspace
from jiqun.web.errors import by_field, checked, explained, refused_value
from jiqun.web.multipart import Form, pieces
from jiqun.web.pages import atlas_parts as parts
from jiqun.web.pages.import_files import FEW
from jiqun.web.pages.readiness import regions_to_choose
from jiqun.web.render import attachment, page, see_other
from jiqun.web.visitor import Visitor, VisitorDep, WorkspaceDep

router = APIRouter()
upload_router = APIRouter(include_in_schema=False)
BASE = "/assess/diagnosis/given"
ROWS = 25
"""Rows of a table on the page; its twins have all."""
MOST_WRONG = 200
"""Bad cells that are told one by one."""
MOST_CLUSTERS = 300
Name = Annotated[TableName, PathPart()]
Revised = Annotated[int | None, Query(ge=1, le=10**6)]
Key = Annotated[str, FormField(min_length=8, max_length=200)]
Base = Annotated[int, FormField(ge=0, le=10**6)]
KINDS = {
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
FIELDS = {
    "rows": Text("粘贴的行", "Pasted rows"),
    "file": Text("文件", "File"),
    "region": Text("地区", "Region"),
    "text": Text("文本", "Text"),
    "name": Text("效率前沿", "Frontier"),
}
_PASTE = Text("粘贴的内容", "the paste")
"""What messages name instead of a file."""
_EITHER = Text("粘贴的行或文件，二者取一", "pasted rows or a file, one of them")


@dataclass
class Filled:
    """What stands in the forms of a page that is shown again, and what is wrong with it."""

    typed: dict[str, str] = field(default_factory=dict)
    wrong: dict[str, JiqunError] = field(default_factory=dict)
    read: Read | None = None
    fine: bool = False


@router.get(BASE)
def tables(request: Request, visitor: VisitorDep, workspace: WorkspaceDep) -> Response:
    """The three tables, and whether the last diagnosis read them."""
    room.given(visitor.actor, workspace, room.GivenRequest())
    last = workspace.result(kind_name(None))
    body = fragment(
        [overview(newest(workspace))],
        visitor.language,
        twin=lambda _: {form: f"{BASE}/tables.{form}" for form in ("csv", "json")},
        href=parts.linker(""),
    )
    return page(
        request,
        visitor,
        "given.html",
        body=body,
        uses=[(name, TITLES[name], USES[name]) for name in NAMES],
        changed=[TITLES[name] for name in changed(workspace, last)] if last else [],
        diagnosed=last is not None,
        may=_may(visitor),
    )


@router.get(BASE + "/tables.{form:ending}")
def tables_file(request: Request, visitor: VisitorDep, workspace: WorkspaceDep, form: parts.Twin) -> Response:
    """The overview as CSV or JSON."""
    room.given(visitor.actor, workspace, room.GivenRequest())
    return parts.table_answer(request, overview(newest(workspace)), form)


@router.get(BASE + "/{name}/template.{form:ending}")
def template_file(visitor: VisitorDep, name: Name, form: Literal["csv", "xlsx"]) -> Response:
    """A table to fill in."""
    visitor.require("assess.give", *EDITS)
    return attachment(template(name, form, visitor.language), f"{name}.{form}", KINDS[form])


@router.get(BASE + "/{name}.{form:ending}")
def rows_file(
    request: Request,
    visitor: VisitorDep,
    workspace: WorkspaceDep,
    name: Name,
    form: parts.Twin,
    revision: Revised = None,
) -> Response:
    """The rows of a table as CSV or JSON, all of them."""
    _ask(visitor, workspace, name, revision)
    return parts.table_answer(request, _table(visitor, workspace, name, revision), form)


@router.get(BASE + "/{name}")
def one_table(
    request: Request, visitor: VisitorDep, workspace: WorkspaceDep, name: Name, revision: Revised = None
) -> Response:
    """One table: what is given, forms to give it anew, and how it was before."""
    return _page(request, visitor, workspace, name, Filled(), revision=revision)


@upload_router.post(BASE + "/{name}", dependencies=FEW)
def give(request: Request, visitor: VisitorDep, workspace: WorkspaceDep, name: Name) -> Response:
    """Take pasted rows or a file in place of the table before."""
    return _given(request, visitor, workspace, name, store=True)


@upload_router.post(BASE + "/{name}/check", dependencies=FEW)
def check(request: Request, visitor: VisitorDep, workspace: WorkspaceDep, name: Name) -> Response:
    """Say what is wrong with pasted rows or a file, and store nothing."""
    return _given(request, visitor, workspace, name, store=False)


def _given(request: Request, visitor: Visitor, workspace: Workspace, name: TableName, *, store: bool) -> Response:
    visitor.require("assess.give", *EDITS)
    form = _form(request, visitor)
    filled = Filled({key: "" if key in form.too_long else form.fields.get(key, "") for key in ("rows", "base")})
    try:
        filled.read = _read(form, name, visitor)
        frame = filled.read.good()
        if not store:
            filled.fine = True
            return _page(request, visitor, workspace, name, filled)
        base = filled.typed["base"]
        room.give_table(
            visitor.actor,
            workspace,
            name,
            frame,
            source=shown_name(form.filename) if form.filename else "",
            base=int(base) if base.isdecimal() and len(base) < 8 else None,
            key=_key(form),
        )
    except JiqunError as error:
        filled.wrong = {"file" if form.filename else "rows": error}
        return _page(request, visitor, workspace, name, filled)
    return see_other(f"{BASE}/{name}", done="given")


@upload_router.post(BASE + "/plans/add", dependencies=FEW)
def add(request: Request, visitor: VisitorDep, workspace: WorkspaceDep) -> Response:
    """Add one region's text to the plans."""
    visitor.require("assess.add_plan", *EDITS)
    form = _form(request, visitor)
    filled = Filled({key: form.fields.get(key, "") for key in ("region", "text")})
    region, text = filled.typed["region"], filled.typed["text"]
    try:
        if "text" in form.too_long:
            filled.typed["text"] = ""
            raise too_large(FIELDS["text"].get(visitor.language), form.too_long["text"])
        row, wrong = one_plan(region, text)
        filled.wrong |= wrong
        if not wrong:
            asked = checked(room.AddPlanRequest, region=_known(workspace, row["region"][0]), text=row["text"][0])
            room.add_plan(visitor.actor, workspace, asked, key=_key(form))
    except JiqunError as error:
        filled.wrong = {"text": error}
    if filled.wrong:
        return _page(request, visitor, workspace, "plans", filled)
    return see_other(f"{BASE}/plans", done="added")


@router.post(BASE + "/frontier/take")
def take(
    request: Request,
    visitor: VisitorDep,
    workspace: WorkspaceDep,
    key: Key,
    base: Base,
    name: Annotated[str, FormField(max_length=40)] = "",
) -> Response:
    """Take the scores of a stored frontier."""
    visitor.require("assess.give_frontier", *EDITS)
    there = room.frontiers_to_take(workspace)
    filled = Filled({"name": name})
    if name not in there:
        filled.wrong = {"name": refused_value(FIELDS["name"], name, Text("、".join(there), ", ".join(there)))}
        return _page(request, visitor, workspace, "frontier", filled)
    try:
        room.give_frontier(visitor.actor, workspace, checked(room.TakeFrontierRequest, name=name, base=base), key=key)
    except JiqunError as error:
        filled.wrong = {"name": error}
        return _page(request, visitor, workspace, "frontier", filled)
    return see_other(f"{BASE}/frontier", done="given")


@router.post(BASE + "/{name}/back")
def put_back(
    request: Request,
    visitor: VisitorDep,
    workspace: WorkspaceDep,
    name: Name,
    key: Key,
    base: Base,
    revision: Annotated[int, FormField(ge=0, le=10**6)],
) -> Response:
    """Let an earlier version count again; 0 takes the table away."""
    asked = room.PutBackRequest(table=name, revision=revision, base=base)
    try:
        room.put_back_given(visitor.actor, workspace, asked, key=key)
    except InputError as error:
        return _page(request, visitor, workspace, name, Filled(wrong={"": error}))
    except JiqunError as error:
        if error.code != "JQ-ASSESS-145":
            raise
        return _page(request, visitor, workspace, name, Filled(wrong={"": error}))
    return see_other(f"{BASE}/{name}", done="back" if revision else "removed")


def _may(visitor: Visitor) -> bool:
    return not visitor.actor.roles.isdisjoint(EDITS)


def _ask(visitor: Visitor, workspace: Workspace, name: TableName, revision: int | None) -> None:
    """Refuse who may not see a table, as the operation that pages its rows does."""
    operation = {"plans": room.given_plans, "tags": room.given_tags, "frontier": room.given_frontier}[name]
    operation(visitor.actor, workspace, room.RowsRequest(revision=revision, limit=1))


def _table(
    visitor: Visitor, workspace: Workspace, name: TableName, revision: int | None, most: int | None = None
) -> Table:
    known = revisions(workspace, name)
    found = next((one for one in known if one.revision == (revision or known[0].revision)), None) if known else None
    as_of = f"{found.at:%Y-%m-%d}" if found else ""
    return rows_table(name, room.table_rows(visitor.actor, workspace, name, revision), as_of=as_of, most=most)


def _form(request: Request, visitor: Visitor) -> Form:
    """The form up to its file, if it carries its visitor's token."""
    form = Form(request.headers.get("content-type", ""), pieces(request), longest=MOST_BYTES)
    if not hmac.compare_digest(form.fields.get("csrf", "").encode(), visitor.csrf.encode()):
        raise HTTPException(403, "csrf")
    return form


def _key(form: Form) -> str:
    key = form.fields.get("key", "")
    if not 8 <= len(key) <= 200:
        raise HTTPException(422)
    return key


def _read(form: Form, name: TableName, visitor: Visitor) -> Read:
    """What was pasted or uploaded, judged."""
    typed, filename = form.fields.get("rows", ""), form.filename
    pasted = _PASTE.get(visitor.language)
    if "rows" in form.too_long:
        raise too_large(pasted, form.too_long["rows"])
    if not filename:
        return read_text(name, typed, name=pasted)
    if typed.strip():
        raise refused_value(FIELDS["file"], shown_name(filename), _EITHER)
    shown = shown_name(filename)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "given"
        size = _kept(form.file, path)
        if size > MOST_BYTES:
            raise too_large(shown, size)
        return read_file(name, path, name=shown)


def _kept(content: Iterator[bytes], path: Path) -> int:
    """Write a file as it comes, no more of it than is taken; its whole size."""
    size = 0
    with path.open("wb") as out:
        for piece in content:
            size += len(piece)
            if size <= MOST_BYTES:
                out.write(piece)
    return size


def _known(workspace: Workspace, region: str) -> str:
    """The name under which a region is among the plans already, where it goes by another there; else as typed."""
    stands = rows_of(workspace, "plans")
    names = set(stands["region"]) if stands is not None else set()
    for code, text in regions_to_choose(workspace):
        same = {code, text.zh, text.en}
        if region in same and region not in names and same & names:
            return min(same & names)
    return region


def _page(
    request: Request,
    visitor: Visitor,
    workspace: Workspace,
    name: TableName,
    filled: Filled,
    *,
    revision: int | None = None,
) -> Response:
    _ask(visitor, workspace, name, revision)
    sees = not visitor.actor.roles.isdisjoint(READS)
    known = revisions(workspace, name)
    now = known[0] if known else None
    shown = next((one for one in known if one.revision == revision), None) if revision else now
    tail = f"?revision={revision}" if revision else ""
    frame = room.table_rows(visitor.actor, workspace, name, revision)
    last = workspace.result(kind_name(None)) if sees else None
    body = fragment(
        [_table(visitor, workspace, name, revision, ROWS)],
        visitor.language,
        twin=lambda _: {form: f"{BASE}/{name}.{form}{tail}" for form in ("csv", "json")},
    )
    wrong, errors = by_field(filled.wrong, FIELDS, visitor.language)
    if filled.read and filled.read.wrong:  # told cell by cell below
        wrong = [(at, code, words, visitor.say("They are listed below.")) for at, code, words, _ in wrong]
        errors |= {at: words for at, _, words, _ in wrong}
    return page(
        request,
        visitor,
        "given_table.html",
        status=422 if filled.wrong else 200,
        keep=False,
        name=name,
        title=TITLES[name],
        use=USES[name],
        lead=lead(name, frame, _clusters(workspace) if name == "frontier" else None),
        body=body if not frame.is_empty() else None,
        now=now,
        shown=shown,
        old=bool(revision and now and revision != now.revision),
        known=known if sees else (),
        acts=ACTS,
        sees=sees,
        may=_may(visitor),
        read=used(last).get(name) == (now.digest if now else None) if last else None,
        diagnosed=last is not None,
        diagnosis=DIAGNOSIS,
        typed=dict.fromkeys((*FIELDS, "base"), "") | filled.typed,
        wrong=wrong,
        errors=errors,
        bad=_bad(filled.read, visitor),
        more=max(0, len(filled.read.wrong) - MOST_WRONG) if filled.read else 0,
        fine=filled.read if filled.fine else None,
        titles=FIELDS,
        regions=_regions(workspace, visitor) if name == "plans" and _may(visitor) else [],
        frontiers=[(one, one) for one in room.frontiers_to_take(workspace)] if name == "frontier" and _may(visitor) else [],
        most=f"{MOST_BYTES / 1e6:g}",
        most_rows=MOST_ROWS,
        notes={
            "given": visitor.say("Given. The next diagnosis reads it."),
            "added": visitor.say("Added. The next diagnosis reads it."),
            "back": visitor.say("The earlier version counts again. The next diagnosis reads it."),
            "removed": visitor.say("Taken away. The next diagnosis goes without it."),
        },
    )  # fmt: skip


def _bad(read: Read | None, visitor: Visitor) -> list[dict[str, Any]]:
    """What is wrong, cell by cell."""
    if read is None:
        return []
    told = []
    for one in read.wrong[:MOST_WRONG]:
        words, hint = explained(one.error, visitor.language)
        told.append({**vars(one), "words": words, "hint": hint, "code": one.error.code})
    return told


def _clusters(workspace: Workspace) -> list[tuple[str, ...]] | None:
    """Id and names of the clusters that a diagnosis looks at; None where none were searched."""
    if None not in searched(workspace):
        return None
    return find_run(workspace, Which()).clusters.head(MOST_CLUSTERS).select("cluster_id", "name_zh", "name_en").rows()


def _regions(workspace: Workspace, visitor: Visitor) -> list[str]:
    """Names to choose from: those that the plans have, then those of the register."""
    stands = rows_of(workspace, "plans")
    names = stands["region"].unique(maintain_order=True).to_list() if stands is not None else []
    found = [text.get(visitor.language) for _, text in regions_to_choose(workspace)]
    return list(dict.fromkeys([*names, *found]))
