"""The editor of a round 轮次编辑: what is asked, whom, from when to when; with a preview, and without scripts."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from datetime import date, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Path, Query, Request, Response
from pydantic import ValidationError

from jiqun.assess.own_frameworks import find_framework
from jiqun.assess.questionnaire import TEMPLATE, questionnaire
from jiqun.core.document import Text
from jiqun.core.errors import InputError, JiqunError, UsageError
from jiqun.core.schema import schema
from jiqun.roster import room as roster_room
from jiqun.store import Workspace
from jiqun.survey import export, models, records, room
from jiqun.survey.answers import STRENGTHS
from jiqun.survey.questions import MOST_QUESTIONS, Question, from_csv, to_csv
from jiqun.survey.records import Round
from jiqun.survey.rounds import Spec
from jiqun.web.errors import explained
from jiqun.web.pages.forms import STRENGTH_WORDS, typed
from jiqun.web.render import page, see_other
from jiqun.web.visitor import Visitor, VisitorDep, WorkspaceDep, workspace_of

router = APIRouter()
TYPES: dict[str, Text] = {
    "money": Text("金额", "money"),
    "number": Text("数", "number"),
    "integer": Text("整数", "whole number"),
    "share": Text("百分比", "per cent"),
    "choice": Text("单选", "choice"),
    "text": Text("文字", "text"),
    "ties": Text("选择企业(关联)", "organisations (ties)"),
}
SCOPES: dict[str, Text] = {
    "members": Text("会员(有账户的机构)", "members (organisations with an account)"),
    "all": Text("名录中的全部机构", "every organisation of the register"),
    "cluster": Text("集群的成员", "members of a cluster, or of all"),
    "list": Text("逐个列出", "a list"),
}
DIRECTIONS: dict[str, Text] = {
    "source": Text("我们 → 对方", "from us to them"),
    "target": Text("对方 → 我们", "from them to us"),
    "both": Text("无方向", "no direction"),
}
LINKS = schema("links")["kind"].check.removeprefix("enum:").split("|")
_TEXTS = (
    "code", "zh", "en", "type", "unit", "check", "help_zh", "help_en", "options", "jump", "prefill", "link", "direction",
)  # fmt: skip
_FLAGS = ("required", "strength")
_PLAIN = (
    "kind", "title_zh", "title_en", "year", "quarter", "opens_on", "closes_on", "note_zh", "note_en", "reminders",
    "previous", "scope", "cluster", "digital", "organisations",
)  # fmt: skip
SurveyId = Annotated[str, Path(min_length=1, max_length=60)]
Key = Annotated[str, Form(min_length=8, max_length=200)]
TypedDep = Annotated[Mapping[str, str], Depends(typed)]
Name = Annotated[str, Query(max_length=60)]


@router.get("/surveys/new")
def new(
    request: Request,
    visitor: VisitorDep,
    workspace: WorkspaceDep,
    template: Name = "",
    copy: Name = "",
    roster: Name = "",
    framework: Name = "",
) -> Response:
    """A new round: from a template, from an earlier round, or from nothing; of the firms of a roster.

    For a framework: its questions, to the members of all clusters that were found, about the year before.
    """
    visitor.require("survey.new", *records.DRAFTS)
    today = workspace.clock().date()
    if copy:
        given = _of_round(records.find(workspace, copy)) | {"previous": copy}
    else:
        given = {"kind": "indicators", "reminders": "7 2", "scope": "members", "questions": [{}]}
        given |= {"year": str(today.year), "quarter": "", "title_zh": "", "title_en": "", "previous": ""}
    if template:
        made = export.template(template)
        given |= {"kind": made.kind, "title_zh": made.zh, "title_en": made.en, "note_zh": made.note_zh}
        given |= {"note_en": made.note_en, "questions": [_cells(one) for one in made.question]}
    if framework:
        given |= _for_framework(workspace, framework, today)
    if roster:
        asked = roster_room.firms(visitor.actor, workspace, roster_room.One(roster=roster))
        given |= {"scope": "list", "organisations": "\n".join(asked.organisations)}
    given |= {"opens_on": today.isoformat(), "closes_on": (today + timedelta(days=30)).isoformat()}
    return _editor(request, visitor, given)


def _for_framework(workspace: Workspace, code: str, today: date) -> dict[str, Any]:
    """The fields of a round that fills a framework's survey indicators."""
    told = find_framework(workspace, code).framework
    made = export.template(TEMPLATE)
    asked = questionnaire(told)
    given: dict[str, Any] = {"kind": "indicators", "questions": [_cells(one) for one in asked]}
    given |= {"title_zh": f"{told.zh}：{made.zh}"[:200], "title_en": f"{told.en}: {made.en}"[:200]}
    given |= {"note_zh": made.note_zh, "note_en": made.note_en, "year": str(today.year - 1)}
    searched = workspace.result("clusters") is not None
    return given | ({"scope": "cluster", "cluster": "", "digital": ""} if searched else {"scope": "all"})


@router.post("/surveys/new")
def save_new(request: Request, visitor: VisitorDep, workspace: WorkspaceDep, key: Key, fields: TypedDep) -> Response:
    """Draft it, or change the list of questions."""
    visitor.require("survey.new", *records.DRAFTS)
    given = _given(fields)
    if (changed := _reordered(given, fields.get("do", "save"))) is not None:
        return _editor(request, visitor, changed, preview=fields.get("do") == "preview")
    try:
        made = room.new(visitor.actor, workspace, _spec(given), key=key)
    except (InputError, UsageError) as error:
        return _editor(request, visitor, given, refused=error)
    return see_other(f"/surveys/{made.id}", done="saved")


@router.get("/surveys/{survey}/edit")
def edit(request: Request, visitor: VisitorDep, workspace: WorkspaceDep, survey: SurveyId) -> Response:
    """A draft to change."""
    visitor.require("survey.edit", *records.DRAFTS)
    found = records.find(workspace, survey)
    if found.state != "draft":
        raise UsageError("JQ-SURVEY-011", state=found.state)
    return _editor(request, visitor, _of_round(found), found=found)


@router.post("/surveys/{survey}/edit")
def save(
    request: Request, visitor: VisitorDep, workspace: WorkspaceDep, survey: SurveyId, key: Key, fields: TypedDep
) -> Response:
    """Change a draft, or the list of questions."""
    visitor.require("survey.edit", *records.DRAFTS)
    found, given = records.find(workspace, survey), _given(fields)
    if (changed := _reordered(given, fields.get("do", "save"))) is not None:
        return _editor(request, visitor, changed, found=found, preview=fields.get("do") == "preview")
    version = fields.get("version", "")
    try:
        asked = models.EditRequest(
            survey=survey, version=int(version) if version.isdigit() and len(version) < 10 else 1, spec=_spec(given)
        )
        room.edit(visitor.actor, workspace, asked, key=key)
    except (InputError, UsageError) as error:
        return _editor(request, visitor, given, found=found, refused=error)
    return see_other(f"/surveys/{survey}", done="saved")


def _editor(
    request: Request,
    visitor: Visitor,
    given: Mapping[str, Any],
    *,
    found: Round | None = None,
    refused: JiqunError | None = None,
    preview: bool = False,
) -> Response:
    questions: tuple[Question, ...] = ()
    if preview:
        try:
            questions = _questions(given)
        except InputError as error:
            refused = error
    words, hint = explained(refused, visitor.language) if refused else ("", "")
    lines = [dict.fromkeys((*_TEXTS, *_FLAGS), "") | dict(one) for one in given["questions"]]
    return page(
        request,
        visitor,
        "survey_edit.html",
        status=422 if refused else 200,
        keep=False,
        found=found,
        given=dict.fromkeys(_PLAIN, "") | {"readers": ()} | dict(given) | {"questions": lines},
        previewed=questions,
        rounds=_others(workspace_of(request), found),
        types=TYPES,
        scopes=SCOPES,
        directions=DIRECTIONS,
        link_kinds=LINKS,
        strengths=STRENGTHS,
        strength_words=STRENGTH_WORDS,
        refused=words,
        hint=hint,
    )


def _others(workspace: Workspace, found: Round | None) -> list[tuple[str, Text]]:
    there = [one for one in records.rounds(workspace) if found is None or one.id != found.id]
    return [(one.id, Text(f"{one.title.zh} {one.period}", f"{one.title.en} {one.period}")) for one in there[:100]]


def _of_round(found: Round) -> dict[str, Any]:
    """A round as the editor's fields."""
    return {
        "kind": found.kind,
        "title_zh": found.title.zh,
        "title_en": found.title.en,
        "year": str(found.year),
        "quarter": str(found.quarter or ""),
        "opens_on": found.opens_on.isoformat(),
        "closes_on": found.closes_on.isoformat(),
        "note_zh": found.note.zh if found.note else "",
        "note_en": found.note.en if found.note else "",
        "reminders": " ".join(map(str, found.reminders)),
        "previous": found.previous or "",
        "readers": found.readers,
        "scope": found.roster.scope,
        "cluster": found.roster.cluster,
        "digital": found.roster.digital,
        "organisations": "\n".join(found.roster.organisations),
        "questions": [_cells(question) for question in found.questions],
    }


def _cells(question: Question) -> dict[str, str]:
    """A question as the editor's fields: what its CSV would hold."""
    header, row = _rows(to_csv([question]))
    return dict(zip(header, row, strict=True))


def _rows(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text)))


def _given(fields: Mapping[str, str]) -> dict[str, Any]:
    """What stands in the editor."""
    given: dict[str, Any] = {name: fields.get(name, "").strip() for name in _PLAIN}
    given["readers"] = [role for role in ("analyst", "auditor") if fields.get(f"reader-{role}") == "yes"]
    questions: list[dict[str, str]] = []
    while len(questions) < MOST_QUESTIONS and f"q-{len(questions)}-code" in fields:
        stem = f"q-{len(questions)}-"
        cells = {name: fields.get(stem + name, "").strip() for name in _TEXTS}
        questions.append(cells | {name: "true" if fields.get(stem + name) == "yes" else "" for name in _FLAGS})
    given["questions"] = questions
    return given


def _reordered(given: dict[str, Any], do: str) -> dict[str, Any] | None:
    """The fields with a question more, less, or moved up; None where the round is to be saved."""
    action, _, place = do.partition(":")
    questions, at = given["questions"], int(place) if place.isdigit() and len(place) < 4 else -1
    if action == "add":
        questions.append({})
    elif action == "drop" and 0 <= at < len(questions):
        del questions[at]
    elif action == "up" and 0 < at < len(questions):
        questions[at - 1], questions[at] = questions[at], questions[at - 1]
    return given if action in {"add", "drop", "up", "preview"} else None


def _questions(given: Mapping[str, Any]) -> tuple[Question, ...]:
    """The questions as they are checked; lines that say nothing are left out."""
    rows = [one for one in given["questions"] if any(one.get(name) for name in ("code", "zh", "en"))]
    kind: Any = "links" if given["kind"] == "links" else "indicators"
    return from_csv(_csv([*_TEXTS, *_FLAGS], rows), kind)


def _csv(header: list[str], rows: list[dict[str, str]]) -> str:
    out = io.StringIO()
    writer = csv.DictWriter(out, header, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def _spec(given: Mapping[str, Any]) -> Spec:
    """The round that the fields say.

    Raises
    ------
    InputError
        JQ-SURVEY-003, 004: a field cannot be so.
    """
    roster: dict[str, Any] = {"scope": given["scope"] or "members"}
    if given["scope"] == "cluster":
        roster |= {"cluster": given["cluster"], "digital": given["digital"]}
    if given["scope"] == "list":
        roster["organisations"] = given["organisations"].replace(",", " ").split()
    values = {name: given[name] for name in ("kind", "title_zh", "title_en", "year", "note_zh", "note_en")}
    values |= {"opens_on": _day(given["opens_on"]), "closes_on": _day(given["closes_on"]), "roster": roster}
    values |= {"quarter": given["quarter"] or None, "previous": given["previous"] or None, "readers": given["readers"]}
    values |= {"reminders": given["reminders"].replace(",", " ").split(), "questions": _questions(given)}
    try:
        return Spec.model_validate(values)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        field = ".".join(map(str, first["loc"]))
        raise InputError("JQ-SURVEY-003", place="—", field=field, reason=first["msg"]) from None


def _day(text: str) -> date | str:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return text
