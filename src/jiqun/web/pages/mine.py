"""My firm 我的企业: the record prefilled, what we state, who looked, take it with us, take it back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request, Response

from jiqun.accounts import edits, views
from jiqun.accounts import mine as own
from jiqun.atlas.documents.firm import UNITS as NAMES
from jiqun.core.document import Text
from jiqun.core.errors import InputError, JiqunError
from jiqun.core.schema import schema
from jiqun.web.errors import explained
from jiqun.web.render import attachment, page, see_other, titles
from jiqun.web.visitor import SESSION, Visitor, VisitorDep, WorkspaceDep, drop_cookie, workspace_of
from jiqun.web.words import ANSWER_MEANINGS, ANSWERS, ROLES, WITHDRAWN

router = APIRouter()
SHOWN_VIEWS = 50
UNITS = NAMES | {"CNY": Text("元（也可写 3500万元、1.2亿）", "yuan (CNY)")}
"""Units of what a firm may state, and how it may write them."""
LONGEST = 4000
Key = Annotated[str, Form(min_length=8, max_length=200)]


@dataclass(frozen=True)
class Field:
    """One attribute: as the register has it, and as the firm states it (None: it states nothing)."""

    name: str
    title: Text
    unit: Text | None
    recorded: str
    stated: str | None

    @property
    def shown(self) -> str:
        """What the form holds at first."""
        return self.recorded if self.stated is None else self.stated


def organisation(visitor: VisitorDep) -> str:
    """The organisation for which the visitor speaks."""
    visitor.require("accounts.record", "member")
    bound = visitor.own_account().organisation
    if bound is None:
        raise InputError("JQ-WEB-014")
    return bound


async def written(request: Request) -> dict[str, str]:
    """The text fields of a form, by name."""
    form = await request.form()
    return {name: value[: LONGEST + 1] for name, value in form.items() if isinstance(value, str)}


OwnDep = Annotated[str, Depends(organisation)]


@router.get("/mine")
def mine(request: Request, visitor: VisitorDep, bound: OwnDep) -> Response:
    """The firm's page."""
    return _page(request, visitor, bound)


@router.post("/mine")
def state(
    request: Request,
    visitor: VisitorDep,
    workspace: WorkspaceDep,
    bound: OwnDep,
    key: Key,
    form: Annotated[Mapping[str, str], Depends(written)],
) -> Response:
    """State what differs from the record, and take back what was emptied or is as recorded again."""
    fields = _fields(own.record(workspace, bound))
    given = {field.name: form.get(field.name, field.shown).strip() for field in fields}
    changed = {one.name: given[one.name] for one in fields if given[one.name] not in {"", one.recorded, one.shown}}
    dropped = [one.name for one in fields if one.stated is not None and given[one.name] in {"", one.recorded}]
    try:
        if changed:
            edits.state(visitor.actor, workspace, bound, changed, key=key)
        if dropped:
            edits.take_back(visitor.actor, workspace, bound, dropped, key=f"{key}-back")
    except InputError as error:
        return _page(request, visitor, bound, given=given, refused=_named(error, fields, visitor))
    return see_other("/mine", done="stated" if changed or dropped else "same")


@router.get("/mine/export.json")
def export(workspace: WorkspaceDep, bound: OwnDep) -> Response:
    """Everything that is held about the firm."""
    content = json.dumps(own.my_data(workspace, bound), ensure_ascii=False, indent=1).encode()
    return attachment(content, "my-data.json", "application/json")


@router.post("/mine/withdraw")
def withdraw(
    request: Request,
    visitor: VisitorDep,
    workspace: WorkspaceDep,
    bound: OwnDep,
    key: Key,
    what: Annotated[own.What, Form()],
    reason: Annotated[str, Form(max_length=own.LONGEST_REASON)] = "",
) -> Response:
    """Take something back; an account that is taken back is signed out for good."""
    own.withdraw(visitor.actor, workspace, bound, what, reason=reason.strip() or None, key=key)
    if what != "account":
        return see_other("/mine", done="withdrawn")
    response = see_other("/")
    drop_cookie(request, response, SESSION)
    return response


def _page(
    request: Request,
    visitor: Visitor,
    bound: str,
    *,
    given: Mapping[str, str] | None = None,
    refused: JiqunError | None = None,
) -> Response:
    workspace = workspace_of(request)
    record = own.record(workspace, bound)
    fields = _fields(record)
    words, hint = explained(refused, visitor.language) if refused else ("", "")
    return page(
        request,
        visitor,
        "mine.html",
        status=422 if refused else 200,
        keep=False,
        name=record.shown["name"],
        fields=fields,
        given=given or {field.name: field.shown for field in fields},
        views=views.views(workspace, bound, limit=SHOWN_VIEWS),
        viewed=views.count(workspace, bound),
        withdrawals=own.withdrawals(workspace, organisation=bound, limit=20),
        refused=words,
        hint=hint,
        roles=ROLES,
        titles=titles(request),
        whats=WITHDRAWN,
        states=ANSWERS,
        meanings=ANSWER_MEANINGS,
        notes={
            "stated": visitor.say("Saved. It stands beside the record, marked as yours."),
            "same": visitor.say("Nothing was changed."),
            "withdrawn": visitor.say("Taken back, or asked for: see below."),
        },
    )


def _named(error: InputError, fields: list[Field], visitor: Visitor) -> InputError:
    """The error with the words of the form for its attribute."""
    title = {one.name: one.title.get(visitor.language) for one in fields}
    column = error.fields.get("column")
    return InputError(error.code, **{**error.fields, "column": title.get(str(column), column)}) if column else error


def _plain(value: object) -> str:
    """A value as one would write it: 1008, not 1008.0."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _fields(record: own.Record) -> list[Field]:
    known = schema("organisations")
    said = {one.attribute: one.value for one in record.statements}

    def field(name: str) -> Field:
        title = Text(known[name].description_zh, known[name].description_en)
        value = record.register.get(name)
        return Field(name, title, UNITS.get(known[name].unit), "" if value is None else _plain(value), said.get(name))

    return [field(name) for name in edits.STATED]
