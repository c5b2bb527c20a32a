"""Surveys 采集: rounds, who answered and who did not, reminders, links to hand out, publication."""

from __future__ import annotations

from datetime import date
from typing import Annotated

import polars as pl
from fastapi import APIRouter, Form, Path, Query, Request, Response

from jiqun.core.document import Text
from jiqun.core.errors import InputError, JiqunError, PermissionDeniedError, UsageError
from jiqun.core.operation import PageRequest
from jiqun.core.sheets import neutralise
from jiqun.store import Workspace
from jiqun.survey import export, models, publish, records, room
from jiqun.web.errors import checked, explained
from jiqun.web.pages.forms import DECLINES, DUE, DUE_MEANINGS
from jiqun.web.render import attachment, here, page, see_other
from jiqun.web.visitor import Visitor, VisitorDep, WorkspaceDep

router = APIRouter()
SHOWN = 100
STATES: dict[str, Text] = {
    "draft": Text("草稿", "draft"),
    "open": Text("开放中", "open"),
    "locked": Text("已锁定", "locked"),
    "published": Text("已发布", "published"),
}
MEANINGS = {"draft": "unknown", "open": "watch", "locked": "watch", "published": "good"}
KINDS: dict[str, Text] = {"indicators": Text("指标", "Indicators"), "links": Text("关联", "Links")}
SIZES: dict[str, Text] = {
    "micro": Text("微型(<20 人)", "micro (<20)"),
    "small": Text("小型(20–299)", "small (20–299)"),
    "medium": Text("中型(300–999)", "medium (300–999)"),
    "large": Text("大型(≥1000)", "large (≥1000)"),
    "unknown": Text("人数不详", "size unknown"),
}
SENT: dict[str, Text] = {
    "queued": Text("排队中", "waiting"),
    "sending": Text("发送中", "being sent"),
    "sent": Text("已发出", "sent"),
    "skipped": Text("不再需要", "not needed any more"),
    "failed": Text("未送达", "failed"),
    "unsure": Text("不确定是否送达", "unsure whether it went out"),
}
WAYS: dict[str, Text] = {"notice": Text("通知", "notice"), "mail": Text("邮件", "mail")}
SurveyId = Annotated[str, Path(min_length=1, max_length=60)]
OrganisationId = Annotated[str, Path(min_length=1, max_length=64)]
Key = Annotated[str, Form(min_length=8, max_length=200)]
State = Annotated[records.DueState | None, Query()]
Cursor = Annotated[str | None, Query(max_length=400)]


@router.get("/surveys")
def surveys(request: Request, visitor: VisitorDep, workspace: WorkspaceDep, cursor: Cursor = None) -> Response:
    """The rounds."""
    found = room.list_rounds(visitor.actor, workspace, checked(PageRequest, cursor=cursor, limit=SHOWN))
    return page(
        request,
        visitor,
        "surveys.html",
        rounds=found.items,
        total=found.total,
        next=here(request, cursor=found.next) if found.next else "",
        templates=room.list_templates(visitor.actor, workspace, models.Nothing()),
        drafts=_drafts(visitor),
        states=STATES,
        meanings=MEANINGS,
        kinds=KINDS,
        notes={"dropped": visitor.say("The draft was deleted.")},
    )


@router.get("/surveys/templates/{name}")
def template(visitor: VisitorDep, name: Annotated[str, Path(max_length=60)]) -> Response:
    """A template of a table of links, as a workbook to fill in."""
    visitor.require("survey.templates", *records.READS)
    return attachment(
        export.template_bytes(name, visitor.language),
        f"{name}.xlsx",
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    )


@router.get("/surveys/{survey}")
def show(
    request: Request, visitor: VisitorDep, workspace: WorkspaceDep, survey: SurveyId,
    state: State = None, cursor: Cursor = None,
) -> Response:  # fmt: skip
    """A round: how far it is, who is silent, what to do."""
    return _show(request, visitor, workspace, survey, state=state, cursor=cursor)


@router.get("/surveys/{survey}/rates.csv")
def rates(visitor: VisitorDep, workspace: WorkspaceDep, survey: SurveyId) -> Response:
    """Response rates as CSV."""
    room.progress(visitor.actor, workspace, models.One(survey=survey))
    frame = publish.all_rates(records.roster_frame(workspace, survey))
    return attachment(_csv(neutralise(frame).write_csv()), "rates.csv", "text/csv; charset=utf-8")


@router.get("/surveys/{survey}/answers.csv")
def answers(visitor: VisitorDep, workspace: WorkspaceDep, survey: SurveyId) -> Response:
    """Single answers as CSV, for those who may see them."""
    frame = export.answers_frame(visitor.actor, workspace, survey)
    return attachment(_csv(frame.write_csv()), "answers.csv", "text/csv; charset=utf-8")


@router.post("/surveys/{survey}/open")
def open_round(
    request: Request, visitor: VisitorDep, workspace: WorkspaceDep, survey: SurveyId, key: Key,
    tell: Annotated[str, Form(max_length=10)] = "",
) -> Response:  # fmt: skip
    """Open a draft."""
    try:
        asked = models.OpenRequest(survey=survey, tell=tell == "yes")
        room.open_round(visitor.actor, workspace, asked, key=key)
    except (InputError, UsageError) as error:
        return _show(request, visitor, workspace, survey, refused=error)
    return see_other(f"/surveys/{survey}", done="opened")


@router.post("/surveys/{survey}/extend")
def extend(
    request: Request, visitor: VisitorDep, workspace: WorkspaceDep, survey: SurveyId, key: Key,
    closes_on: Annotated[date, Form()],
) -> Response:  # fmt: skip
    """Move the last day."""
    try:
        room.extend(visitor.actor, workspace, models.DayRequest(survey=survey, closes_on=closes_on), key=key)
    except (InputError, UsageError) as error:
        return _show(request, visitor, workspace, survey, refused=error)
    return see_other(f"/surveys/{survey}", done="extended")


@router.post("/surveys/{survey}/lock")
def lock(visitor: VisitorDep, workspace: WorkspaceDep, survey: SurveyId, key: Key) -> Response:
    """Lock a round."""
    room.lock(visitor.actor, workspace, models.One(survey=survey), key=key)
    return see_other(f"/surveys/{survey}", done="locked")


@router.post("/surveys/{survey}/reopen")
def reopen(
    request: Request, visitor: VisitorDep, workspace: WorkspaceDep, survey: SurveyId, key: Key,
    closes_on: Annotated[date, Form()], reason: Annotated[str, Form(min_length=1, max_length=500)],
) -> Response:  # fmt: skip
    """Open a round again."""
    try:
        asked = models.ReopenRequest(survey=survey, closes_on=closes_on, reason=reason)
        room.reopen(visitor.actor, workspace, asked, key=key)
    except (InputError, UsageError) as error:
        return _show(request, visitor, workspace, survey, refused=error)
    return see_other(f"/surveys/{survey}", done="reopened")


@router.post("/surveys/{survey}/publish")
def publish_round(visitor: VisitorDep, workspace: WorkspaceDep, survey: SurveyId, key: Key) -> Response:
    """Publish a round, as a job."""
    room.publish_round(visitor.actor, workspace, models.One(survey=survey), key=key)
    return see_other(f"/surveys/{survey}", done="publishing")


@router.post("/surveys/{survey}/remind")
def remind(visitor: VisitorDep, workspace: WorkspaceDep, survey: SurveyId, key: Key) -> Response:
    """Remind the silent, as a job."""
    room.remind(visitor.actor, workspace, models.One(survey=survey), key=key)
    return see_other(f"/surveys/{survey}", done="reminded")


@router.post("/surveys/{survey}/drop")
def drop(visitor: VisitorDep, workspace: WorkspaceDep, survey: SurveyId, key: Key) -> Response:
    """Delete a draft."""
    room.drop(visitor.actor, workspace, models.One(survey=survey), key=key)
    return see_other("/surveys", done="dropped")


@router.post("/surveys/{survey}/links.csv")
def make_links(request: Request, visitor: VisitorDep, workspace: WorkspaceDep, survey: SurveyId, key: Key) -> Response:
    """Links for all that did not answer yet, as CSV: told this once."""
    made = room.make_links(visitor.actor, workspace, models.LinksRequest(survey=survey), key=key)
    if not made:
        raise UsageError("JQ-SURVEY-028")
    rows = [(one.organisation, one.name, _address(request, workspace) + one.path) for one in made]
    frame = neutralise(pl.DataFrame(rows, schema=["organisation", "name", "link"], orient="row"))
    return attachment(_csv(frame.write_csv()), "links.csv", "text/csv; charset=utf-8")


@router.get("/surveys/{survey}/firms/{organisation}")
def firm(
    request: Request, visitor: VisitorDep, workspace: WorkspaceDep, survey: SurveyId, organisation: OrganisationId
) -> Response:
    """One organisation in a round: its answer for those who may see it, its links and contacts for operators."""
    return _firm(request, visitor, workspace, survey, organisation)


@router.post("/surveys/{survey}/firms/{organisation}/link")
def make_link(
    request: Request, visitor: VisitorDep, workspace: WorkspaceDep, survey: SurveyId, organisation: OrganisationId,
    key: Key,
) -> Response:  # fmt: skip
    """A link for one organisation, shown this once."""
    asked = models.LinksRequest(survey=survey, organisations=(organisation,))
    made = room.make_links(visitor.actor, workspace, asked, key=key)
    link = _address(request, workspace) + made[0].path if made else ""
    return _firm(request, visitor, workspace, survey, organisation, link=link)


@router.post("/surveys/{survey}/firms/{organisation}/revoke")
def revoke(
    visitor: VisitorDep, workspace: WorkspaceDep, survey: SurveyId, organisation: OrganisationId, key: Key
) -> Response:
    """Take the links of one organisation back."""
    room.revoke_links(
        visitor.actor, workspace, models.OfOrganisation(survey=survey, organisation=organisation), key=key
    )
    return see_other(f"/surveys/{survey}/firms/{organisation}", done="revoked")


@router.post("/surveys/{survey}/firms/{organisation}/contact")
def add_contact(
    request: Request, visitor: VisitorDep, workspace: WorkspaceDep, survey: SurveyId, organisation: OrganisationId,
    key: Key, address: Annotated[str, Form(max_length=254)] = "",
) -> Response:  # fmt: skip
    """Enter a contact."""
    try:
        asked = checked(models.ContactRequest, organisation=organisation, address=address.strip())
        room.add_contact(visitor.actor, workspace, asked, key=key)
    except (InputError, UsageError) as error:
        return _firm(request, visitor, workspace, survey, organisation, refused=error)
    return see_other(f"/surveys/{survey}/firms/{organisation}", done="contact")


@router.post("/surveys/{survey}/firms/{organisation}/contacts/{contact}/drop")
def drop_contact(
    visitor: VisitorDep, workspace: WorkspaceDep, survey: SurveyId, organisation: OrganisationId, key: Key,
    contact: Annotated[str, Path(max_length=60)],
) -> Response:  # fmt: skip
    """Delete a contact."""
    room.drop_contact(visitor.actor, workspace, models.ContactId(contact=contact), key=key)
    return see_other(f"/surveys/{survey}/firms/{organisation}", done="contact-dropped")


def _show(
    request: Request, visitor: Visitor, workspace: Workspace, survey: str, *, state: records.DueState | None = None,
    cursor: str | None = None, refused: JiqunError | None = None,
) -> Response:  # fmt: skip
    one = models.One(survey=survey)
    found = room.show_round(visitor.actor, workspace, one)
    progress = room.progress(visitor.actor, workspace, one)
    asked = checked(models.ResponsesRequest, survey=survey, state=state, cursor=cursor, limit=SHOWN)
    due = room.responses(visitor.actor, workspace, asked)
    words, hint = explained(refused, visitor.language) if refused else ("", "")
    whole = next(iter(progress.rates), None)
    return page(
        request,
        visitor,
        "survey.html",
        status=422 if refused else 200,
        keep=False,
        found=found,
        whole=whole,
        by_size=[row for row in progress.rates if row.by == "size_class"],
        regions=sum(row.by == "region" for row in progress.rates),
        by_region=[row for row in progress.rates if row.by == "region"][:30],
        days=progress.days,
        roster=due.items,
        total=due.total,
        shown=state,
        next=here(request, cursor=due.next) if due.next else "",
        reminders=room.list_reminders(visitor.actor, workspace, models.RemindersRequest(survey=survey, limit=50)),
        operates="operator" in visitor.actor.roles,
        drafts=_drafts(visitor),
        reads=records.may_read(visitor.actor, records.find(workspace, survey)),
        mails=bool(workspace.settings["smtp_host"].value and workspace.settings["url"].value),
        states=STATES,
        meanings=MEANINGS,
        kinds=KINDS,
        sizes=SIZES,
        due=DUE,
        due_meanings=DUE_MEANINGS,
        declines=DECLINES,
        sent=SENT,
        ways=WAYS,
        refused=words,
        hint=hint,
        notes={
            "saved": visitor.say("The draft is saved."),
            "opened": visitor.say("The round is open."),
            "extended": visitor.say("The last day was moved; reminders move with it."),
            "locked": visitor.say("Locked: nothing is answered or changed any more."),
            "reopened": visitor.say("Open again; the reason is on record."),
            "publishing": visitor.say("Publishing: this page shows the result in a moment."),
            "reminded": visitor.say("Reminders are on their way to those who have not answered."),
        },
    )


def _firm(
    request: Request, visitor: Visitor, workspace: Workspace, survey: str, organisation: str, *, link: str = "",
    refused: JiqunError | None = None,
) -> Response:  # fmt: skip
    found = room.show_round(visitor.actor, workspace, models.One(survey=survey))
    with workspace.database.read() as connection:
        line = records.due(connection, survey, organisation)
    if line is None:
        raise InputError("JQ-SURVEY-015")
    asked = models.AnswersRequest(survey=survey, organisation=organisation)
    try:
        given = room.answers(visitor.actor, workspace, asked).items
        reads = True
    except PermissionDeniedError:
        given, reads = (), False
    operates = "operator" in visitor.actor.roles
    of = models.OfOrganisation(survey=survey, organisation=organisation)
    words, hint = explained(refused, visitor.language) if refused else ("", "")
    return page(
        request,
        visitor,
        "survey_firm.html",
        status=422 if refused else 200,
        keep=False,
        found=found,
        line=line,
        answer=given[0] if given else None,
        reads=reads,
        operates=operates,
        links=room.list_links(visitor.actor, workspace, of) if operates else (),
        contacts=room.list_contacts(visitor.actor, workspace, models.ContactsRequest(organisation=organisation))
        if operates
        else (),
        link=link,
        now=workspace.clock(),
        due=DUE,
        due_meanings=DUE_MEANINGS,
        declines=DECLINES,
        refused=words,
        hint=hint,
        notes={
            "revoked": visitor.say("The links of this organisation were taken back."),
            "contact": visitor.say("The contact is entered."),
            "contact-dropped": visitor.say("The contact is deleted."),
        },
    )


def _address(request: Request, workspace: Workspace) -> str:
    """The console's address: as set, else as the visitor called it."""
    written = str(workspace.settings["url"].value).rstrip("/")
    return written or f"{request.url.scheme}://{request.headers.get('host', '')}"


def _csv(text: str) -> bytes:
    return "\ufeff".encode() + text.encode()


def _drafts(visitor: Visitor) -> bool:
    return not visitor.actor.roles.isdisjoint(records.DRAFTS)
