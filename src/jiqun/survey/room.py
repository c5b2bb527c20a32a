"""Surveys' operations 调查室: rounds from draft to publication, and a member's own forms.

Who fills in a form through a link has no role and reaches no operation: that is `jiqun.survey.respond`, which pages
call with the link's secret.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jiqun.accounts.views import record_view
from jiqun.core.actor import Actor, Role
from jiqun.core.document import Text
from jiqun.core.operation import Page, PageRequest, Room, paged
from jiqun.store import Workspace
from jiqun.store.jobs import Handler
from jiqun.survey import contacts as contact_desk
from jiqun.survey import links, publish, records, reminders, respond, rounds
from jiqun.survey.answers import Checked, words
from jiqun.survey.models import (
    AnswerRequest,
    AnswerRow,
    AnswersRequest,
    ContactId,
    ContactRequest,
    ContactRow,
    ContactsRequest,
    Count,
    DayRequest,
    DayRow,
    DeclineRequest,
    DueRow,
    EditRequest,
    FieldRow,
    FindingRow,
    FormAnswer,
    FormRow,
    HitRow,
    LinkAnswer,
    LinkRow,
    LinksRequest,
    Nothing,
    OfOrganisation,
    One,
    OpenRequest,
    OwnRequest,
    Progress,
    Queued,
    RateRow,
    ReceiptAnswer,
    RemindersRequest,
    ReopenRequest,
    ResponsesRequest,
    RoundAnswer,
    RoundRow,
    SavedAnswer,
    SearchRequest,
    SentRow,
    TemplateRow,
)
from jiqun.survey.questions import templates
from jiqun.survey.records import DRAFTS, OPERATES, READS, Round
from jiqun.survey.rounds import Spec

ROOM = Room("survey", Text("采集", "Surveys"))
HANDLERS: Mapping[str, Handler] = {**reminders.HANDLERS, **publish.HANDLERS}
"""What the room's workers do, by the kind of job."""
_MEMBER: tuple[Role, ...] = ("member",)


# What is asked about rounds


@ROOM.operation("rounds", "调查轮次", "List survey rounds", roles=READS)
def list_rounds(actor: Actor, workspace: Workspace, request: PageRequest) -> Page[RoundRow]:
    """Rounds, newest first, with how many answered."""
    del actor
    found = records.rounds(workspace)
    page = paged(found, request, version=f"{len(found)}")
    counts = rounds.count_states(workspace, [one.id for one in page.items])
    items = tuple(RoundRow(**_of_round(one, counts.get(one.id, {}))) for one in page.items)
    return Page(items=items, total=page.total, next=page.next)


@ROOM.operation("round", "查看轮次", "Show a survey round", roles=READS)
def show_round(actor: Actor, workspace: Workspace, request: One) -> RoundAnswer:
    """A round in full: questions, roster, dates, who sees single answers."""
    del actor
    return _round(workspace, records.find(workspace, request.survey))


@ROOM.operation("responses", "应答名单", "List who answered", roles=READS)
def responses(actor: Actor, workspace: Workspace, request: ResponsesRequest) -> Page[DueRow]:
    """The roster of a round: who answered, declined, or kept silent; by name."""
    found = records.find(workspace, request.survey)
    reads = records.may_read(actor, found)
    there = [one for one in records.roster(workspace, found.id) if request.state in {None, one.state}]
    page = paged(there, request, version=f"{found.id} {request.state} {len(there)}")
    items = tuple(
        DueRow(**{name: getattr(one, name) for name in DueRow.model_fields} | ({} if reads else {"words": None}))
        for one in page.items
    )
    return Page(items=items, total=page.total, next=page.next)


@ROOM.operation("progress", "答复进度", "Response rates of a round", roles=READS)
def progress(actor: Actor, workspace: Workspace, request: One) -> Progress:
    """Response rates in all, by size and by region, and how they grew day by day."""
    del actor
    found = records.find(workspace, request.survey)
    nodes = records.roster_frame(workspace, found.id)
    table = publish.all_rates(nodes)
    return Progress(
        rates=tuple(RateRow.model_validate(row) for row in table.to_dicts()),
        days=tuple(DayRow.model_validate(row) for row in publish.by_day(nodes).to_dicts()),
    )


@ROOM.operation("answers", "单份答卷", "Read single answers", roles=READS)
def answers(actor: Actor, workspace: Workspace, request: AnswersRequest) -> Page[AnswerRow]:
    """What each organisation handed in: for operators, and for the roles that the round names. Looking is recorded.

    Raises
    ------
    PermissionDeniedError
        JQ-SURVEY-014: the round does not let this role.
    """
    found = records.find(workspace, request.survey)
    records.require_reader(actor, found)
    there = [one for one in records.handed_in(workspace, found.id) if request.organisation in {None, one.organisation}]
    page = paged(there, request, version=f"{found.id} {request.organisation} {sum(one.version for one in there)}")
    for one in page.items:
        record_view(workspace, actor, one.organisation, "survey.answers")
    names = AnswerRow.model_fields
    items = tuple(
        AnswerRow(**{name: getattr(one, name) for name in names} | {"kept": dict(one.kept or {})}) for one in page.items
    )
    return Page(items=items, total=page.total, next=page.next)


@ROOM.operation("reminders", "提醒记录", "Log of reminders", roles=READS)
def list_reminders(actor: Actor, workspace: Workspace, request: RemindersRequest) -> tuple[SentRow, ...]:
    """Who was reminded when and how, newest first; no address is in it."""
    found = reminders.log(actor, workspace, request.survey, limit=request.limit)
    return tuple(SentRow(**vars(one)) for one in found)


@ROOM.operation("links", "填报链接", "List form links", roles=OPERATES)
def list_links(actor: Actor, workspace: Workspace, request: OfOrganisation) -> tuple[LinkRow, ...]:
    """The links of an organisation in a round, without their secrets."""
    del actor
    return tuple(LinkRow(**vars(one)) for one in links.listed(workspace, request.survey, request.organisation))


@ROOM.operation("contacts", "联系方式", "List contacts", roles=OPERATES)
def list_contacts(actor: Actor, workspace: Workspace, request: ContactsRequest) -> tuple[ContactRow, ...]:
    """Mail addresses to which forms and reminders go: personal data, for operators only."""
    wanted = None if request.organisation is None else [request.organisation]
    return tuple(ContactRow(**vars(one)) for one in contact_desk.contacts(actor, workspace, wanted))


@ROOM.operation("templates", "调查模板", "List templates", roles=READS)
def list_templates(actor: Actor, workspace: Workspace, request: Nothing) -> tuple[TemplateRow, ...]:
    """Templates that come with the program: rounds to begin with, and tables of links that are known from elsewhere."""
    del actor, workspace, request
    return tuple(
        TemplateRow(
            name=one.name, kind=one.kind, title_zh=one.zh, title_en=one.en, about_zh=one.about_zh, about_en=one.about_en
        )
        for one in templates().values()
    )


# What operators (and for drafts analysts) do


@ROOM.operation("new", "新建轮次", "Draft a round", roles=DRAFTS, writes=True)
def new(actor: Actor, workspace: Workspace, request: Spec, *, key: str) -> RoundAnswer:
    """Draft a round: what is asked, whom, from when to when."""
    return _round(workspace, rounds.new(actor, workspace, request, key=key))


@ROOM.operation("edit", "修改草稿", "Change a draft", roles=DRAFTS, writes=True)
def edit(actor: Actor, workspace: Workspace, request: EditRequest, *, key: str) -> RoundAnswer:
    """Change a round that is not open yet."""
    found = rounds.edit(actor, workspace, request.survey, request.spec, version=request.version, key=key)
    return _round(workspace, found)


@ROOM.operation("drop", "删除草稿", "Delete a draft", roles=DRAFTS, writes=True)
def drop(actor: Actor, workspace: Workspace, request: One, *, key: str) -> Nothing:
    """Delete a round that is not open yet."""
    rounds.drop(actor, workspace, request.survey, key=key)
    return Nothing()


@ROOM.operation("open", "开放轮次", "Open a round", roles=OPERATES, writes=True)
def open_round(actor: Actor, workspace: Workspace, request: OpenRequest, *, key: str) -> RoundAnswer:
    """Open a draft: its roster is frozen, forms are sent, reminders are queued."""
    return _round(workspace, rounds.open_round(actor, workspace, request.survey, tell=request.tell, key=key))


@ROOM.operation("extend", "改截止日期", "Move the last day", roles=OPERATES, writes=True)
def extend(actor: Actor, workspace: Workspace, request: DayRequest, *, key: str) -> RoundAnswer:
    """Move the last day of an open round; reminders move with it."""
    return _round(workspace, rounds.extend(actor, workspace, request.survey, request.closes_on, key=key))


@ROOM.operation("lock", "锁定轮次", "Lock a round", roles=OPERATES, writes=True)
def lock(actor: Actor, workspace: Workspace, request: One, *, key: str) -> RoundAnswer:
    """Lock an open round: nothing is answered or changed any more."""
    return _round(workspace, rounds.lock(actor, workspace, request.survey, key=key))


@ROOM.operation("reopen", "重新开放", "Open a round again", roles=OPERATES, writes=True)
def reopen(actor: Actor, workspace: Workspace, request: ReopenRequest, *, key: str) -> RoundAnswer:
    """Open a locked or published round again, with a reason that goes on record."""
    return _round(
        workspace,
        rounds.reopen(actor, workspace, request.survey, closes_on=request.closes_on, reason=request.reason, key=key),
    )


@ROOM.operation("publish", "发布轮次", "Publish a round", roles=OPERATES, writes=True)
def publish_round(actor: Actor, workspace: Workspace, request: One, *, key: str) -> Queued:
    """Publish a locked round into the table of indicators or links, with its response rates, as a job."""
    return Queued(job=publish.publish(actor, workspace, request.survey, key=key))


@ROOM.operation("remind", "提醒", "Remind the silent", roles=OPERATES, writes=True)
def remind(actor: Actor, workspace: Workspace, request: One, *, key: str) -> Queued:
    """Remind those who have not answered, as a job; at most once a day."""
    return Queued(job=reminders.remind(actor, workspace, request.survey, key=key))


@ROOM.operation("make_links", "生成填报链接", "Make form links", roles=OPERATES, writes=True)
def make_links(actor: Actor, workspace: Workspace, request: LinksRequest, *, key: str) -> tuple[LinkAnswer, ...]:
    """Make links to hand out; their secrets are told once, and not again where the command is repeated."""
    made = links.make(actor, workspace, request.survey, request.organisations, key=key)
    return tuple(LinkAnswer(organisation=one.organisation, name=one.name, path=one.path) for one in made)


@ROOM.operation("revoke_links", "收回填报链接", "Take form links back", roles=OPERATES, writes=True)
def revoke_links(actor: Actor, workspace: Workspace, request: OfOrganisation, *, key: str) -> Count:
    """Take back every link of an organisation in a round."""
    return Count(count=links.revoke(actor, workspace, request.survey, request.organisation, key=key))


@ROOM.operation("add_contact", "录入联系方式", "Enter a contact", roles=OPERATES, writes=True)
def add_contact(actor: Actor, workspace: Workspace, request: ContactRequest, *, key: str) -> ContactRow:
    """Enter a mail address of an organisation: kept apart, encrypted, shown to operators only."""
    made = contact_desk.add(actor, workspace, request.organisation, request.address, language=request.language, key=key)
    return ContactRow(**vars(made))


@ROOM.operation("drop_contact", "删除联系方式", "Delete a contact", roles=OPERATES, writes=True)
def drop_contact(actor: Actor, workspace: Workspace, request: ContactId, *, key: str) -> Nothing:
    """Delete a contact."""
    contact_desk.drop(actor, workspace, request.contact, key=key)
    return Nothing()


# What a member does for its own organisation


@ROOM.operation("mine", "等我填报", "Forms of my organisation", roles=_MEMBER, own="organisation")
def mine(actor: Actor, workspace: Workspace, request: OwnRequest) -> tuple[FormRow, ...]:
    """The rounds in which one's own organisation is asked, newest first."""
    del actor
    now = workspace.clock()
    return tuple(
        FormRow(
            survey=found.id, title_zh=found.title.zh, title_en=found.title.en, period=found.period,
            closes_on=found.closes_on, takes=found.takes(now), state=state,
        )
        for found, state in records.asked(workspace, request.organisation)
    )  # fmt: skip


@ROOM.operation("form", "问卷", "Form of my organisation", roles=_MEMBER, own="organisation")
def form(actor: Actor, workspace: Workspace, request: OfOrganisation) -> FormAnswer:
    """The form as it stands: prefilled, with what was said a year and a round before."""
    found = respond.form(workspace, respond.as_member(workspace, actor, request.survey))
    return FormAnswer(
        survey=found.round.id,
        title_zh=found.round.title.zh,
        title_en=found.round.title.en,
        period=found.round.period,
        closes_on=found.round.closes_on,
        takes=found.takes,
        state=found.due.state,
        base=found.base,
        fields=tuple(
            FieldRow(
                question=one.question,
                value=one.value,
                origin=one.origin,
                year_before=one.year_before.value if one.year_before else None,
                last=one.last.value if one.last else None,
            )
            for one in found.fields
        ),
    )


@ROOM.operation("search", "查找名单", "Search the roster", roles=_MEMBER, own="organisation")
def search(actor: Actor, workspace: Workspace, request: SearchRequest) -> tuple[HitRow, ...]:
    """Organisations of the round's roster whose name holds a text, to be named in a tie."""
    who = respond.as_member(workspace, actor, request.survey)
    return tuple(HitRow(**vars(hit)) for hit in respond.search(workspace, who, request.text))


@ROOM.operation("answer", "填报", "Answer for my organisation", roles=_MEMBER, writes=True, own="organisation")
def answer(actor: Actor, workspace: Workspace, request: AnswerRequest, *, key: str) -> SavedAnswer:
    """Save a draft, or hand the form in."""
    who = respond.as_member(workspace, actor, request.survey)
    given = {
        code: value if isinstance(value, str) else [tie.model_dump(exclude_none=True) for tie in value]
        for code, value in request.given.items()
    }
    saved = respond.save(
        workspace, who, given, base=request.base, submit=request.submit, by=request.by, confirmed=request.confirmed,
        key=key,
    )  # fmt: skip
    return SavedAnswer(version=saved.version, submitted=saved.submitted, findings=_findings(saved.checked))


@ROOM.operation("decline", "不填报", "Decline for my organisation", roles=_MEMBER, writes=True, own="organisation")
def decline(actor: Actor, workspace: Workspace, request: DeclineRequest, *, key: str) -> Nothing:
    """Decline, with a reason: this is an answer too."""
    respond.decline(workspace, respond.as_member(workspace, actor, request.survey), request.why, request.words, key=key)
    return Nothing()


@ROOM.operation("receipt", "回执", "Receipt of my organisation", roles=_MEMBER, own="organisation")
def receipt(actor: Actor, workspace: Workspace, request: OfOrganisation) -> ReceiptAnswer:
    """What was handed in last, and its proof from the journal."""
    return _receipt(respond.receipt(workspace, respond.as_member(workspace, actor, request.survey)))


def _receipt(found: respond.Receipt) -> ReceiptAnswer:
    return ReceiptAnswer(
        survey=found.round.id,
        organisation=found.due.organisation,
        version=found.answer.version,
        at=found.answer.at,
        filled_by=found.answer.filled_by,
        given=dict(found.answer.given),
        leaf=found.leaf,
        leaf_hash=found.leaf_hash,
        proof=found.proof,
    )


def _findings(checked: Checked) -> tuple[FindingRow, ...]:
    return tuple(
        FindingRow(
            question=one.question,
            code=one.code,
            severity=one.severity,
            zh=" ".join(words(one, "zh")),
            en=" ".join(words(one, "en")),
        )
        for one in checked.findings
    )


def _round(workspace: Workspace, found: Round) -> RoundAnswer:
    counts = rounds.count_states(workspace, [found.id]).get(found.id, {})
    more = {name: getattr(found, name) for name in RoundAnswer.model_fields if hasattr(found, name)}
    note = {"note_zh": found.note.zh if found.note else None, "note_en": found.note.en if found.note else None}
    return RoundAnswer(**more | note | _of_round(found, counts))


def _of_round(found: Round, counts: Mapping[str, int]) -> dict[str, Any]:
    silent = counts.get("silent", 0) + counts.get("started", 0)
    names = [name for name in RoundRow.model_fields if hasattr(found, name)]
    return {name: getattr(found, name) for name in names} | {
        "title_zh": found.title.zh,
        "title_en": found.title.en,
        "expected": sum(counts.values()),
        "answered": counts.get("answered", 0),
        "declined": counts.get("declined", 0),
        "silent": silent,
    }
