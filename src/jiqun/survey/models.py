"""What surveys' operations are asked and answer 调查的请求与应答."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any, Literal

from pydantic import Field

from jiqun.core.errors import Language
from jiqun.core.operation import Model, PageRequest
from jiqun.survey import respond, rounds
from jiqun.survey.answers import LONGEST, LONGEST_NAME
from jiqun.survey.questions import MOST_TIES, Kind, Question
from jiqun.survey.records import MOST_ROSTER, Decline, DueState, Roster
from jiqun.survey.rounds import Spec
from jiqun.survey.states import State

Id = Annotated[str, Field(min_length=1, max_length=60)]
OrganisationId = Annotated[str, Field(min_length=1, max_length=64, description="id of an organisation")]


class One(Model):
    """Which round."""

    survey: Id


class EditRequest(Model):
    """What a draft shall be instead; `version` is that of the round which was looked at."""

    survey: Id
    version: Annotated[int, Field(ge=1)]
    spec: Spec


class OpenRequest(Model):
    """Which draft to open; `tell` sends the form to accounts and contacts at once."""

    survey: Id
    tell: bool = True


class DayRequest(Model):
    """A new last day."""

    survey: Id
    closes_on: date


class ReopenRequest(Model):
    """Which round to open again, until when and why."""

    survey: Id
    closes_on: date
    reason: Annotated[str, Field(min_length=1, max_length=rounds.MOST_REASON)]


class ResponsesRequest(PageRequest):
    """Organisations of a round's roster, perhaps of one state only."""

    survey: Id
    state: DueState | None = None


class AnswersRequest(PageRequest):
    """Single answers of a round, perhaps of one organisation only."""

    survey: Id
    organisation: Annotated[str | None, Field(max_length=64)] = None


class LinksRequest(Model):
    """For whom to make links; none named: for all that did not answer yet."""

    survey: Id
    organisations: Annotated[tuple[OrganisationId, ...] | None, Field(max_length=MOST_ROSTER)] = None


class OfOrganisation(Model):
    """One organisation in one round."""

    survey: Id
    organisation: OrganisationId


class RemindersRequest(Model):
    """The log of a round's reminders."""

    survey: Id
    limit: Annotated[int, Field(ge=1, le=1_000)] = 200


class ContactsRequest(Model):
    """Contacts of one organisation, or of all."""

    organisation: Annotated[str | None, Field(max_length=64)] = None


class ContactRequest(Model):
    """A contact to enter."""

    organisation: OrganisationId
    address: Annotated[str, Field(min_length=3, max_length=254)]
    language: Language | None = None


class ContactId(Model):
    """Which contact."""

    contact: Id


class OwnRequest(Model):
    """The forms of one's own organisation."""

    organisation: OrganisationId


class SearchRequest(OfOrganisation):
    """Which organisations of the roster."""

    text: Annotated[str, Field(min_length=1, max_length=LONGEST_NAME)]


class TieRow(Model):
    """An organisation that is named: by its id, or by its name where it is not on the roster."""

    id: Annotated[str | None, Field(max_length=64)] = None
    name: Annotated[str, Field(max_length=LONGEST_NAME)] = ""
    strength: Annotated[int | None, Field(ge=1, le=3)] = None


class AnswerRequest(OfOrganisation):
    """A form as filled in; `base` is the version that it was made from (0: none)."""

    given: dict[
        str,
        Annotated[str, Field(max_length=LONGEST)] | Annotated[tuple[TieRow, ...], Field(max_length=MOST_TIES)],
    ]
    base: Annotated[int, Field(ge=0)]
    submit: bool = False
    by: Annotated[str, Field(max_length=respond.LONGEST_BY, description="who fills it in")] = ""
    confirmed: Annotated[bool, Field(description="the warnings were looked at")] = False


class DeclineRequest(OfOrganisation):
    """Why not."""

    why: Decline
    words: Annotated[str, Field(max_length=LONGEST)] = ""


class RoundRow(Model):
    """A round and how many answered."""

    id: str
    kind: Kind
    title_zh: str
    title_en: str
    year: int
    quarter: int | None
    opens_on: date
    closes_on: date
    state: State
    version: int
    expected: int
    answered: int
    declined: int
    silent: int


class RoundAnswer(RoundRow):
    """A round in full."""

    questions: tuple[Question, ...]
    roster: Roster
    note_zh: str | None
    note_en: str | None
    readers: tuple[str, ...]
    reminders: tuple[int, ...]
    previous: str | None
    reason: str | None
    job: str | None
    snapshot: str | None
    result: str | None
    created_by: str
    created_at: datetime
    opened_at: datetime | None
    locked_at: datetime | None
    published_at: datetime | None


class DueRow(Model):
    """One organisation of the roster; `words` is null for who may not see single answers."""

    organisation: str
    name: str
    region: str | None
    size_class: str
    employees: int | None
    state: DueState
    decline: Decline | None
    words: str | None
    version: int
    first_at: datetime | None
    changed_at: datetime | None


class RateRow(Model):
    """Response of a group."""

    by: str
    group: str | None
    expected: int
    answered: int
    declined: int
    not_applicable: int
    silent: int
    started: int
    rate: float | None
    eligible_rate: float | None
    employees_known: int
    employees_expected: int
    employees_answered: int
    employees_share: float | None


class DayRow(Model):
    """How many had answered or declined by the end of a day."""

    day: date
    answered: int
    declined: int


class Progress(Model):
    """How far a round is."""

    rates: tuple[RateRow, ...]
    days: tuple[DayRow, ...]


class AnswerRow(Model):
    """What an organisation handed in: as typed, and as kept."""

    organisation: str
    version: int
    given: dict[str, Any]
    kept: dict[str, Any]
    filled_by: str | None
    at: datetime


class LinkAnswer(Model):
    """A new link; its secret is told once."""

    organisation: str
    name: str
    path: str


class LinkRow(Model):
    """A link without its secret."""

    id: str
    organisation: str
    mailed: bool
    created_at: datetime
    expires_at: datetime
    revoked_at: datetime | None


class SentRow(Model):
    """A reminder."""

    organisation: str
    step: str
    way: str
    state: str
    reason: str | None
    at: datetime
    sent_at: datetime | None


class ContactRow(Model):
    """A contact; for operators only."""

    id: str
    organisation: str
    address: str
    language: Language | None
    at: datetime
    stopped_at: datetime | None


class TemplateRow(Model):
    """A template that comes with the program."""

    name: str
    kind: str
    title_zh: str
    title_en: str
    about_zh: str
    about_en: str


class FindingRow(Model):
    """What the checks found with an answer."""

    question: str
    code: str
    severity: Literal["error", "warning"]
    zh: str
    en: str


class SavedAnswer(Model):
    """What came of saving a form: handed in only without errors, and with warnings confirmed."""

    version: int
    submitted: bool
    findings: tuple[FindingRow, ...]


class FieldRow(Model):
    """A question with what stands in the form, where that comes from, and what was said before."""

    question: Question
    value: Any
    origin: str
    year_before: float | None
    last: float | None


class FormAnswer(Model):
    """The form of one's own organisation."""

    survey: str
    title_zh: str
    title_en: str
    period: str
    closes_on: date
    takes: bool
    state: DueState
    base: int
    fields: tuple[FieldRow, ...]


class FormRow(Model):
    """A round in which one's own organisation is asked."""

    survey: str
    title_zh: str
    title_en: str
    period: str
    closes_on: date
    takes: bool
    state: DueState


class HitRow(Model):
    """An organisation of the roster."""

    id: str
    name: str
    region: str | None


class ReceiptAnswer(Model):
    """A receipt; `proof` is for the journal's checker, null until the leaf is numbered."""

    survey: str
    organisation: str
    version: int
    at: datetime
    filled_by: str | None
    given: dict[str, Any]
    leaf: int
    leaf_hash: str
    proof: dict[str, Any] | None


class Nothing(Model):
    """An answer that needs no words, or a request."""


class Count(Model):
    """How many there were."""

    count: int


class Queued(Model):
    """A job that was queued."""

    job: str
