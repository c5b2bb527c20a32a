"""Rosters 名单: what was matched, the pairs that wait for a person, and on a firm's page what was said and corrected."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Path, Query, Request, Response

from jiqun.atlas.lookup import HitRow, SearchRequest, search
from jiqun.core.document import Column, Document, Table, Text
from jiqun.core.errors import JiqunError
from jiqun.core.lineage import Lineage
from jiqun.core.operation import MOST, PageRequest
from jiqun.core.schema import schema
from jiqun.intake.moved import current
from jiqun.roster import room
from jiqun.roster.corrections import ATTRIBUTES
from jiqun.roster.records import OWN_ID, Decision, Roster
from jiqun.web.errors import checked, explained
from jiqun.web.pages import atlas_parts as parts
from jiqun.web.pages.mine import UNITS, Key, written
from jiqun.web.render import here, page, see_other
from jiqun.web.visitor import Visitor, VisitorDep, WorkspaceDep, workspace_of

router = APIRouter()
Id = Annotated[str, Path(min_length=1, max_length=60)]
Firm = Annotated[str, Path(min_length=1, max_length=64)]
STATES: dict[str, Text] = {
    "matched": Text("已匹配，未并入", "matched, not merged"),
    "applied": Text("已并入", "merged"),
    "withdrawn": Text("已撤出", "taken out"),
    "replaced": Text("已被新名单取代", "replaced by a newer one"),
}
DECISIONS: dict[str, Text] = {
    "matched": Text("匹配", "matched"),
    "review": Text("待判定", "to review"),
    "unmatched": Text("无匹配", "no match"),
}
MEANINGS = {"matched": "good", "review": "watch", "unmatched": "unknown", "applied": "good"}
KINDS: dict[str, Text] = {
    "register": Text("登记库", "register"),
    "roster": Text("名单", "roster"),
    "correction": Text("人工更正", "correction"),
    "statement": Text("企业自填", "the firm itself"),
    "point": Text("坐标处理", "point decided"),
    "placing": Text("落位", "placed"),
}
_PAGE = 50
_HITS, _LONGEST = 20, 200
_TITLES = {one.name: Text(one.description_zh, one.description_en) for one in schema("organisations").attributes}


@router.get("/rosters")
def rosters(request: Request, visitor: VisitorDep, workspace: WorkspaceDep) -> Response:
    """Rosters, and corrections whose source says something new."""
    found = room.rosters(visitor.actor, workspace, PageRequest(limit=MOST))
    return page(
        request,
        visitor,
        "rosters.html",
        rosters=found.items,
        conflicts=room.conflicts(visitor.actor, workspace, PageRequest(limit=_PAGE)).items,
        states=STATES,
        meanings=MEANINGS,
        titles=_TITLES,
        works="operator" in visitor.actor.roles or "analyst" in visitor.actor.roles,
    )


@router.get("/rosters/{roster}.{form:ending}")
def roster_file(
    request: Request,
    visitor: VisitorDep,
    workspace: WorkspaceDep,
    roster: Id,
    form: parts.Form | parts.Twin,
    decision: Annotated[Decision | None, Query()] = None,
) -> Response:
    """Rows of a roster as a file."""
    found = room.roster(visitor.actor, workspace, room.One(roster=roster))
    rows, cursor = [], None
    while True:
        asked = room.RowsRequest(roster=roster, decision=decision, limit=MOST, cursor=cursor)
        part = room.rows(visitor.actor, workspace, asked)
        rows += part.items
        cursor = part.next
        if cursor is None:
            break
    table = _table(found, rows)
    if form in ("csv", "json"):
        return parts.table_answer(request, table, form)
    lineage = Lineage("roster.match", "1", {"roster": found.id, "result": found.result})
    document = Document(title=table.title, subtitle=Text(found.file, found.file), blocks=(table,), lineage=lineage)
    return parts.file_answer(request, visitor, document, form)  # type: ignore[arg-type]  # not one of the two


def _table(found: Roster, rows: list[room.RosterRow]) -> Table:
    columns = (
        Column("row", Text("行", "Row"), "integer"),
        Column("source_row", Text("文件中的行", "Row of the file"), "integer"),
        Column("name", Text("名单中的名称", "Name on the roster")),
        Column("decision", Text("结论", "Decision")),
        Column("organisation", Text("机构", "Organisation"), "code"),
        Column("organisation_name", Text("登记库中的名称", "Name in the register")),
        Column("score", Text("分数（不是概率）", "Score (no probability)"), "number", 4),
        Column("margin", Text("领先", "Lead"), "number", 4),
        Column("for", Text("相符", "Speaks for")),
        Column("against", Text("不符", "Speaks against")),
        Column("shared", Text("同一机构的行数", "Rows of that organisation"), "integer"),
    )
    told = [
        (
            one.row,
            one.source_row,
            one.name,
            DECISIONS[one.decision],
            one.organisation,
            one.organisation_name,
            one.score,
            one.margin,
            _joined(one.speaks_for),
            _joined(one.speaks_against),
            one.shared,
        )
        for one in rows
    ]
    title = Text(f"名单 {found.name}", f"Roster {found.name}")
    return Table("roster", title, columns, told, Text(found.file, found.file), found.as_of.isoformat())


def _joined(texts: tuple[Text, ...]) -> Text:
    return Text("，".join(text.zh for text in texts), ", ".join(text.en for text in texts))


@router.get("/rosters/{roster}")
def roster(
    request: Request,
    visitor: VisitorDep,
    workspace: WorkspaceDep,
    roster: Id,
    decision: Annotated[Decision | None, Query()] = None,
    shared: bool = False,
    cursor: Annotated[str | None, Query(max_length=400)] = None,
) -> Response:
    """A roster: counts, rows, what to do next."""
    found = room.roster(visitor.actor, workspace, room.One(roster=roster))
    asked = checked(room.RowsRequest, roster=roster, decision=decision, shared=shared, cursor=cursor, limit=_PAGE)
    rows = room.rows(visitor.actor, workspace, asked)
    first = room.rows(visitor.actor, workspace, room.RowsRequest(roster=roster, decision="review", limit=1))
    return page(
        request,
        visitor,
        "roster.html",
        keep=False,
        found=found,
        rows=rows.items,
        total=rows.total,
        next=here(request, cursor=rows.next) if rows.next else None,
        review=first.items[0].row if first.items else None,
        decision=decision,
        shared=shared,
        states=STATES,
        decisions=DECISIONS,
        meanings=MEANINGS,
        works=_works(visitor),
        notes=_notes(visitor),
    )


@router.get("/rosters/{roster}/rows/{row}")
def pair(
    request: Request,
    visitor: VisitorDep,
    workspace: WorkspaceDep,
    roster: Id,
    row: int,
    q: Annotated[str, Query(max_length=_LONGEST)] = "",
) -> Response:
    """A row beside the organisations that it may be, or that a search finds."""
    asked = checked(room.RowRequest, roster=roster, row=row)
    found = room.roster(visitor.actor, workspace, room.One(roster=roster))
    told = room.row(visitor.actor, workspace, asked)
    return page(
        request,
        visitor,
        "roster_pair.html",
        keep=False,
        found=found,
        told=told,
        q=q.strip(),
        others=_others(visitor, workspace, told, q.strip()),
        titles=_TITLES,
        decisions=DECISIONS,
        meanings=MEANINGS,
        works=_works(visitor),
        notes=_notes(visitor),
    )


def _others(visitor: Visitor, workspace: Any, told: room.RowAnswer, q: str) -> list[HitRow]:
    """Firms of the register that are found and are not among the candidates."""
    if not q or not _works(visitor):
        return []
    found = search(visitor.actor, workspace, SearchRequest(q=q, kind="firm", limit=_HITS))
    near = {one.organisation for one in told.candidates}
    return [hit for group in found.groups for hit in group.hits if hit.id not in near and not OWN_ID.fullmatch(hit.id)]


@router.post("/rosters/{roster}/rows/{row}")
def decide(
    visitor: VisitorDep,
    workspace: WorkspaceDep,
    roster: Id,
    row: int,
    key: Key,
    organisation: Annotated[str, Form(min_length=1, max_length=64)],
    verdict: Annotated[str, Form(max_length=20)],
) -> Response:
    """Decide on a pair, and go on with the next one."""
    asked = checked(room.DecideRequest, roster=roster, row=row, organisation=organisation, verdict=verdict)
    room.decide(visitor.actor, workspace, asked, key=key)
    told = room.row(visitor.actor, workspace, room.RowRequest(roster=roster, row=row))
    stays = told.decision == "review"  # another candidate waits
    following = row if stays else told.next
    path = f"/rosters/{roster}" if following is None else f"/rosters/{roster}/rows/{following}"
    return see_other(path, done=verdict)


@router.post("/rosters/{roster}/undo")
def undo(
    visitor: VisitorDep,
    workspace: WorkspaceDep,
    roster: Id,
    key: Key,
    decision: Annotated[str, Form(min_length=1, max_length=60)],
    row: Annotated[int, Form(ge=0)],
) -> Response:
    """Take a decision back."""
    room.undo(visitor.actor, workspace, room.UndoRequest(decision=decision), key=key)
    return see_other(f"/rosters/{roster}/rows/{row}", done="undone")


@router.post("/rosters/{roster}/accept")
def accept(
    visitor: VisitorDep, workspace: WorkspaceDep, roster: Id, key: Key, score: Annotated[float, Form(ge=0.6, le=1.0)]
) -> Response:
    """Take all that score so much as the same."""
    room.accept_above(visitor.actor, workspace, room.AboveRequest(roster=roster, score=score), key=key)
    return see_other(f"/rosters/{roster}", done="accepted")


@router.post("/rosters/{roster}/apply")
def apply(visitor: VisitorDep, workspace: WorkspaceDep, roster: Id, key: Key) -> Response:
    """Merge a roster."""
    room.apply(visitor.actor, workspace, room.One(roster=roster), key=key)
    return see_other(f"/rosters/{roster}", done="applied")


@router.post("/rosters/{roster}/withdraw")
def withdraw(visitor: VisitorDep, workspace: WorkspaceDep, roster: Id, key: Key) -> Response:
    """Take a roster out again."""
    room.withdraw(visitor.actor, workspace, room.One(roster=roster), key=key)
    return see_other(f"/rosters/{roster}", done="withdrawn")


@router.post("/imports/{import_id}/match")
def match(
    visitor: VisitorDep,
    workspace: WorkspaceDep,
    import_id: Id,
    key: Key,
    name: Annotated[str, Form(max_length=200)] = "",
) -> Response:
    """Match a checked import as a roster instead of loading it."""
    asked = checked(room.ImportRequest, import_id=import_id, name=name.strip() or None)
    return see_other(f"/jobs/{room.match_import(visitor.actor, workspace, asked, key=key).job}")


@router.get("/firms/{firm}/history")
def history(request: Request, visitor: VisitorDep, firm: Firm) -> Response:
    """What was said of each field of a firm; who may, corrects it here."""
    is_now = current(workspace_of(request), firm)
    if is_now != firm:
        return see_other(f"/firms/{is_now}/history")
    return _history(request, visitor, firm)


@router.get("/firms/{firm}/history.json")
def history_twin(request: Request, visitor: VisitorDep, workspace: WorkspaceDep, firm: Firm) -> Response:
    """The same as JSON."""
    content = b"[" + b",".join(one.model_dump_json().encode() for one in _said(visitor, workspace, firm)) + b"]"
    return parts.answer(request, content, "application/json")


def _said(visitor: Visitor, workspace: Any, firm: str) -> tuple[Any, ...]:
    asked = room.FieldsRequest(organisation=firm)
    question = room.history if visitor.actor.roles & room.history.roles else room.own_history
    found: tuple[Any, ...] = question(visitor.actor, workspace, asked)
    return found


@router.post("/firms/{firm}/history")
def correct(
    request: Request,
    visitor: VisitorDep,
    workspace: WorkspaceDep,
    firm: Firm,
    key: Key,
    form: Annotated[Mapping[str, str], Depends(written)],
) -> Response:
    """Correct a field, or take its correction back."""
    attribute, value = form.get("attribute", "")[:64], form.get("value", "").strip()
    try:
        if form.get("then") == "back":
            asked = checked(room.UncorrectRequest, organisation=firm, attributes=(attribute,))
            room.uncorrect(visitor.actor, workspace, asked, key=key)
        else:
            reason = form.get("reason", "").strip() or None
            wanted = checked(room.CorrectRequest, organisation=firm, values={attribute: value or None}, reason=reason)
            room.correct(visitor.actor, workspace, wanted, key=key)
    except JiqunError as error:
        return _history(request, visitor, firm, given=dict(form), refused=error)
    return see_other(f"/firms/{firm}/history", done="corrected")


def _history(
    request: Request,
    visitor: Visitor,
    firm: str,
    *,
    given: Mapping[str, str] | None = None,
    refused: JiqunError | None = None,
) -> Response:
    workspace = workspace_of(request)
    said = _said(visitor, workspace, firm)
    fields: dict[str, list[Any]] = {}
    for one in said:
        fields.setdefault(one.attribute, []).append(one)
    works = _works(visitor)
    fixed = room.list_corrections(visitor.actor, workspace, room.FieldsRequest(organisation=firm)) if works else ()
    name = next((one.value for one in fields.get("name", ()) if one.shown), None)
    words, hint = explained(refused, visitor.language) if refused else ("", "")
    return page(
        request,
        visitor,
        "firm_history.html",
        status=422 if refused else 200,
        keep=False,
        firm=firm,
        name=name or firm,
        fields=fields,
        titles=_TITLES,
        kinds=KINDS,
        units=UNITS,
        works=works,
        fixed={one.attribute: one for one in fixed},
        options=[(one, _TITLES[one].get(visitor.language)) for one in ATTRIBUTES],
        given=given or {},
        refused=words,
        hint=hint,
        notes={"corrected": visitor.say("Saved. The table is being made anew; the search follows.")},
    )


def _works(visitor: Visitor) -> bool:
    return bool(visitor.actor.roles & {"operator", "analyst"})


def _notes(visitor: Visitor) -> dict[str, str]:
    return {
        "same": visitor.say("Kept as the same. It holds for later editions, too."),
        "different": visitor.say("Kept as different. It holds for later editions, too."),
        "undone": visitor.say("Taken back: what matching proposes counts again."),
        "accepted": visitor.say("Kept as the same; the doubtful ones are left."),
        "applied": visitor.say("Merging. The organisations are made anew in a moment."),
        "withdrawn": visitor.say("Taken out. The organisations are made anew in a moment."),
    }
