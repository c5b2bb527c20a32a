"""Forms 填报: what a firm fills in, through its link or signed in as its member; on a phone, and without scripts.

Both ways lead to the same pages. Every change is saved as a draft at once, so that nothing is lost on the way.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Path, Query, Request, Response

from jiqun.core.document import Text
from jiqun.core.errors import InputError, JiqunError, Language
from jiqun.store import Workspace
from jiqun.survey import contacts, respond
from jiqun.survey.answers import STRENGTHS, Checked, Finding, change, words
from jiqun.survey.questions import NUMERIC, Question
from jiqun.survey.records import Decline
from jiqun.survey.respond import Respondent
from jiqun.web.attempts import take_attempt
from jiqun.web.errors import explained
from jiqun.web.render import attachment, page, see_other
from jiqun.web.visitor import Visitor, VisitorDep, WorkspaceDep, workspace_of

router = APIRouter()
LONGEST = 4_000
MOST_FIELDS = 6_000
Key = Annotated[str, Form(min_length=8, max_length=200)]
Secret = Annotated[str, Path(min_length=1, max_length=200)]
SurveyId = Annotated[str, Path(min_length=1, max_length=60)]
STRENGTH_WORDS: dict[int, Text] = {1: Text("弱", "weak"), 2: Text("中", "medium"), 3: Text("强", "strong")}
DECLINES: dict[str, Text] = {
    "not_applicable": Text("不适用于本单位", "It does not apply to us"),
    "unwilling": Text("不愿填报", "We do not want to"),
    "other": Text("其他原因", "Another reason"),
}
DUE: dict[str, Text] = {
    "silent": Text("未答", "silent"),
    "started": Text("已暂存，未提交", "begun, not handed in"),
    "answered": Text("已提交", "answered"),
    "declined": Text("不填报", "declined"),
}
DUE_MEANINGS = {"silent": "bad", "started": "watch", "answered": "good", "declined": "unknown"}


@dataclass(frozen=True)
class Place:
    """Where a form is: who fills it in, and the address that its pages begin with."""

    who: Respondent
    path: str


@dataclass(frozen=True)
class Said:
    """What stands under a field: what is wrong, what to look at, how it changed."""

    errors: tuple[tuple[str, str], ...]
    warnings: tuple[tuple[str, str], ...]
    change: float | None


def by_link(request: Request, workspace: WorkspaceDep, secret: Secret) -> Place:
    """The form of a link; each one that cannot be used costs an attempt."""
    try:
        who = respond.through_link(workspace, secret)
    except InputError:
        take_attempt(request)
        raise
    return Place(who, f"/forms/{secret}")


def as_member(visitor: VisitorDep, workspace: WorkspaceDep, survey: SurveyId) -> Place:
    """The form of the visitor's own organisation."""
    return Place(respond.as_member(workspace, visitor.actor, survey), f"/mine/forms/{survey}")


async def typed(request: Request) -> dict[str, str]:
    """The text fields of a form, by name, whole: the body is bounded, and what is too long is refused, not cut."""
    form = await request.form(max_fields=MOST_FIELDS)
    return {name: value for name, value in form.items() if isinstance(value, str)}


async def filled(request: Request) -> dict[str, str]:
    """The text fields of a form that the public fills in, none longer than `LONGEST`."""
    return {name: value[:LONGEST] for name, value in (await typed(request)).items()}


LinkDep = Annotated[Place, Depends(by_link)]
MemberDep = Annotated[Place, Depends(as_member)]
FilledDep = Annotated[Mapping[str, str], Depends(filled)]
Code = Annotated[str, Query(max_length=40, alias="q")]


@router.get("/forms/{secret}")
def linked(request: Request, visitor: VisitorDep, place: LinkDep) -> Response:
    """The form of a link."""
    return _form(request, visitor, place)


@router.get("/mine/forms/{survey}")
def own(request: Request, visitor: VisitorDep, place: MemberDep) -> Response:
    """The form of one's own organisation."""
    return _form(request, visitor, place)


@router.post("/forms/{secret}")
def fill_linked(request: Request, visitor: VisitorDep, place: LinkDep, key: Key, fields: FilledDep) -> Response:
    """Save, hand in, find or choose."""
    return _fill(request, visitor, place, key, fields)


@router.post("/mine/forms/{survey}")
def fill_own(request: Request, visitor: VisitorDep, place: MemberDep, key: Key, fields: FilledDep) -> Response:
    """Save, hand in, find or choose."""
    return _fill(request, visitor, place, key, fields)


@router.post("/forms/{secret}/check")
def check_linked(request: Request, visitor: VisitorDep, place: LinkDep, code: Code, fields: FilledDep) -> Response:
    """What is to be said of a field while it is being filled in."""
    return _check(request, visitor, place, code, fields)


@router.post("/mine/forms/{survey}/check")
def check_own(request: Request, visitor: VisitorDep, place: MemberDep, code: Code, fields: FilledDep) -> Response:
    """What is to be said of a field while it is being filled in."""
    return _check(request, visitor, place, code, fields)


@router.post("/forms/{secret}/search")
def search_linked(request: Request, visitor: VisitorDep, place: LinkDep, code: Code, fields: FilledDep) -> Response:
    """Organisations of the roster while a name is being typed."""
    return _search(request, visitor, place, code, fields)


@router.post("/mine/forms/{survey}/search")
def search_own(request: Request, visitor: VisitorDep, place: MemberDep, code: Code, fields: FilledDep) -> Response:
    """Organisations of the roster while a name is being typed."""
    return _search(request, visitor, place, code, fields)


@router.post("/forms/{secret}/decline")
def decline_linked(
    workspace: WorkspaceDep, place: LinkDep, key: Key, why: Annotated[Decline, Form()],
    said: Annotated[str, Form(alias="words", max_length=LONGEST)] = "",
) -> Response:  # fmt: skip
    """Decline, with a reason."""
    respond.decline(workspace, place.who, why, said, key=key)
    return see_other(place.path, done="declined")


@router.post("/mine/forms/{survey}/decline")
def decline_own(
    workspace: WorkspaceDep, place: MemberDep, key: Key, why: Annotated[Decline, Form()],
    said: Annotated[str, Form(alias="words", max_length=LONGEST)] = "",
) -> Response:  # fmt: skip
    """Decline, with a reason."""
    respond.decline(workspace, place.who, why, said, key=key)
    return see_other(place.path, done="declined")


@router.get("/forms/{secret}/receipt")
def receipt_linked(request: Request, visitor: VisitorDep, place: LinkDep) -> Response:
    """What was handed in, and what proves it."""
    return _receipt(request, visitor, place)


@router.get("/mine/forms/{survey}/receipt")
def receipt_own(request: Request, visitor: VisitorDep, place: MemberDep) -> Response:
    """What was handed in, and what proves it."""
    return _receipt(request, visitor, place)


@router.get("/forms/{secret}/receipt.json")
def proof_linked(workspace: WorkspaceDep, place: LinkDep) -> Response:
    """The proof of what was handed in, to keep."""
    return _proof(workspace, place)


@router.get("/mine/forms/{survey}/receipt.json")
def proof_own(workspace: WorkspaceDep, place: MemberDep) -> Response:
    """The proof of what was handed in, to keep."""
    return _proof(workspace, place)


@router.get("/forms/{secret}/stop")
def stopping(request: Request, visitor: VisitorDep, place: LinkDep) -> Response:
    """Ask whether reminders shall stop: a link in a mail must not do it by being fetched."""
    form = respond.form(workspace_of(request), place.who)
    return page(
        request, visitor, "survey_stop.html", keep=False, form=form, base=place.path,
        mailed=place.who.contact is not None, notes={"stopped": visitor.say("No more reminders will be sent.")},
    )  # fmt: skip


@router.post("/forms/{secret}/stop")
def stop(workspace: WorkspaceDep, place: LinkDep, key: Key) -> Response:
    """No more reminders to the address that the link was mailed to."""
    contacts.stop(workspace, place.who, key=key)
    return see_other(f"{place.path}/stop", done="stopped")


def _form(
    request: Request,
    visitor: Visitor,
    place: Place,
    *,
    status: int = 200,
    given: Mapping[str, Any] | None = None,
    base: int | None = None,
    checked: Checked | None = None,
    hits: tuple[str, str, Sequence[respond.Hit]] = ("", "", ()),
    refused: JiqunError | None = None,
    conflict: bool = False,
    by: str = "",
) -> Response:
    workspace = workspace_of(request)
    form = respond.form(workspace, place.who)
    shown = dict(form.given) if given is None else {q.code: given.get(q.code, "") for q in form.round.questions}
    checked = checked or respond.check(workspace, place.who, shown)
    words_, hint = explained(refused, visitor.language) if refused else ("", "")
    return page(
        request,
        visitor,
        "survey_form.html",
        status=status,
        keep=False,
        form=form,
        base_path=place.path,
        base=form.base if base is None else base,
        given=shown,
        said={q.code: _said(q, form, checked, visitor.language) for q in form.round.questions},
        checked=checked,
        hits_of=hits[0],
        sought=hits[1],
        hits=hits[2],
        refused=words_,
        hint=hint,
        theirs=_theirs(form, shown) if conflict else {},
        by=by or (form.latest.filled_by or "" if form.latest else ""),
        numeric=NUMERIC,
        strengths=STRENGTHS,
        strength_words=STRENGTH_WORDS,
        declines=DECLINES,
        due=DUE,
        due_meanings=DUE_MEANINGS,
        tried=status == 422,
        asks=status == 422 and bool(checked.warnings) and not checked.errors,
        notes={
            "saved": visitor.say("Saved as a draft. It counts once you hand it in."),
            "declined": visitor.say("Thank you: that is an answer too. You may still change your mind until the end."),
        },
    )


def _fill(request: Request, visitor: Visitor, place: Place, key: str, fields: Mapping[str, str]) -> Response:
    workspace = workspace_of(request)
    questions = respond.form(workspace, place.who).round.questions
    given, by, base = _given(questions, fields), fields.get("by", ""), _number(fields.get("base"))
    action, _, argument = fields.get("do", "save").partition(":")
    code, _, item = argument.partition(":")
    if action == "find":
        sought = fields.get(f"n-{code}", "")
        hits = respond.search(workspace, place.who, sought)
        return _form(request, visitor, place, given=given, base=base, hits=(code, sought, hits), by=by)
    if action in {"pick", "write", "drop"}:
        _change_ties(workspace, place, given, fields, action, code, item)
    try:
        saved = respond.save(
            workspace, place.who, given, base=base, submit=action == "submit", by=by,
            confirmed=fields.get("confirmed") == "yes", key=_key(key, action, given),
        )  # fmt: skip
    except InputError as error:
        if error.code != "JQ-SURVEY-012":
            raise
        return _form(request, visitor, place, status=409, given=given, refused=error, conflict=True, by=by)
    if saved.submitted:
        return see_other(f"{place.path}/receipt")
    if action == "submit":
        return _form(request, visitor, place, status=422, given=given, base=saved.version, checked=saved.checked, by=by)
    if action in {"pick", "write", "drop"}:
        return see_other(f"{place.path}#q-{code}")
    return see_other(place.path, done="saved")


def _change_ties(
    workspace: Workspace,
    place: Place,
    given: dict[str, Any],
    fields: Mapping[str, str],
    action: str,
    code: str,
    item: str,
) -> None:
    """Add an organisation that was found, add one as it was written, or take one out."""
    ties = given.get(code)
    if not isinstance(ties, list):
        return
    if action == "drop":
        del ties[_number(item) : _number(item) + 1]
        return
    sought = fields.get(f"n-{code}", "").strip()
    found = {hit.id: hit for hit in respond.search(workspace, place.who, sought)}
    if action == "pick" and item in found:
        ties.append({"id": item, "name": found[item].name})
    elif action == "write" and sought:
        same = [hit for hit in found.values() if hit.name.casefold() == sought.casefold()]
        ties.append({"id": same[0].id, "name": same[0].name} if len(same) == 1 else {"name": sought})


def _check(request: Request, visitor: Visitor, place: Place, code: str, fields: Mapping[str, str]) -> Response:
    workspace = workspace_of(request)
    form = respond.form(workspace, place.who)
    checked = respond.check(workspace, place.who, _given(form.round.questions, fields))
    # of all questions: a total depends on its parts, and an answer that comes late must not be older than what it says
    said = {q.code: _said(q, form, checked, visitor.language) for q in form.round.questions if q.type != "ties"}
    return page(request, visitor, "survey_said.html", keep=False, said=said, first=code)


def _search(request: Request, visitor: Visitor, place: Place, code: str, fields: Mapping[str, str]) -> Response:
    sought = fields.get(f"n-{code}", "")
    hits = respond.search(workspace_of(request), place.who, sought)
    return page(request, visitor, "survey_hits.html", keep=False, code=code, sought=sought, hits=hits)


def _receipt(request: Request, visitor: Visitor, place: Place) -> Response:
    found = respond.receipt(workspace_of(request), place.who)
    return page(
        request, visitor, "survey_receipt.html", keep=False, found=found, base=place.path, strength_words=STRENGTH_WORDS
    )


def _proof(workspace: Workspace, place: Place) -> Response:
    found = respond.receipt(workspace, place.who)
    if found.proof is None:
        raise InputError("JQ-SURVEY-032")
    return attachment(
        json.dumps(found.proof, ensure_ascii=False, indent=1).encode(), "receipt.json", "application/json"
    )


def _said(question: Question, form: respond.Form, checked: Checked, language: Language) -> Said:
    def told(findings: Sequence[Finding], severity: str) -> tuple[tuple[str, str], ...]:
        return tuple(words(one, language) for one in findings if one.severity == severity)

    findings = checked.of(question.code)
    field = next(one for one in form.fields if one.question.code == question.code)
    value, before = checked.values.get(question.code), field.year_before or field.last
    moved = change(value, before.value) if before and isinstance(value, int | float) else None
    return Said(told(findings, "error"), told(findings, "warning"), moved)


def _theirs(form: respond.Form, given: Mapping[str, Any]) -> dict[str, str]:
    """What someone else saved meanwhile, where it differs from what stands in the form."""
    found = {}
    for field in form.fields:
        mine, other = given.get(field.question.code), field.value
        if isinstance(other, list):
            names = [[one["name"] for one in value] if isinstance(value, list) else [] for value in (mine, other)]
            if names[0] != names[1]:
                found[field.question.code] = "、".join(names[1]) or "—"
        elif (mine or "") != (other or ""):
            found[field.question.code] = str(other or "—")
    return found


def _given(questions: Sequence[Question], fields: Mapping[str, str]) -> dict[str, Any]:
    """What was filled in, by question; ties in their order."""
    given: dict[str, Any] = {}
    for question in questions:
        if question.type != "ties":
            given[question.code] = fields.get(f"a-{question.code}", "")
            continue
        ties: list[dict[str, Any]] = []
        while (name := fields.get(f"t-{question.code}-{len(ties)}-name")) is not None:
            stem = f"t-{question.code}-{len(ties)}"
            tie: dict[str, Any] = {"name": name}
            if fields.get(f"{stem}-id"):
                tie["id"] = fields[f"{stem}-id"]
            if fields.get(f"{stem}-strength"):
                tie["strength"] = _number(fields[f"{stem}-strength"])
            ties.append(tie)
        given[question.code] = ties
    return given


def _key(key: str, action: str, given: Mapping[str, Any]) -> str:
    """The form's key, for this content: who goes back and changes something gives another command."""
    content = json.dumps([action, given], sort_keys=True)
    return f"{key}-{hashlib.sha256(content.encode('utf-8', 'replace')).hexdigest()[:16]}"


def _number(text: str | None) -> int:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 10 else 0
