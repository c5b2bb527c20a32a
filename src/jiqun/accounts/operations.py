"""The declared operations of accounts 账户操作: who may ask and tell what, for whose organisation.

What carries a password or a link's secret in is not here but in `desk`, except a claim, whose secret is digested before
it is recorded. A new token or invitation is answered once: repeated with its key, the command answers without secret.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

from pydantic import Field
from sqlalchemy import func, select

from jiqun.accounts import channels as channel_desk
from jiqun.accounts import claims, edits, follows, invitations, mine, notices, people, tokens, views
from jiqun.core.actor import Actor, Role
from jiqun.core.document import Text
from jiqun.core.errors import Language
from jiqun.core.operation import Model, Page, PageRequest, Room, paged
from jiqun.intake.moved import same
from jiqun.store import Workspace
from jiqun.store.database import table

ROOM = Room("accounts", Text("账户", "Accounts"))
SIGNED_IN: tuple[Role, ...] = ("operator", "analyst", "member", "auditor")
_KEEPERS: tuple[Role, ...] = ("operator", "auditor", "member")
"""Who may ask about one organisation: its members, and those who answer for all."""

Id = Annotated[str, Field(min_length=1, max_length=64)]
OrganisationId = Annotated[str, Field(min_length=1, max_length=claims.LONGEST_ID, description="id of an organisation")]
Words = Annotated[str, Field(min_length=1, max_length=mine.LONGEST_REASON)]


class Nothing(Model):
    """A request that needs no more to be said, or an answer."""


class OfOrganisation(Model):
    """About one organisation."""

    organisation: OrganisationId


class PageOfOrganisation(PageRequest):
    """One page of what is held about an organisation."""

    organisation: OrganisationId


class AccountRow(Model):
    """An account."""

    id: str
    login: str
    name: str
    role: Role
    organisation: str | None
    language: Language | None
    state: str
    created_at: datetime


class AccountsRequest(PageRequest):
    """Which accounts."""

    organisation: Annotated[str | None, Field(max_length=claims.LONGEST_ID)] = None


class RoleRequest(Model):
    """What an account shall be."""

    account: Id
    role: Role
    organisation: Annotated[str | None, Field(max_length=claims.LONGEST_ID)] = None


class AccountRequest(Model):
    """One account."""

    account: Id


class InviteRequest(Model):
    """An invitation to make; without an organisation, a member claims one by its credit code."""

    role: Role
    organisation: OrganisationId | None = None
    note: Annotated[str | None, Field(max_length=500)] = None
    days: Annotated[int, Field(ge=1, le=invitations.LONGEST_DAYS, description="days until it ends")] = 14


class InvitationRow(Model):
    """An invitation, without its secret."""

    id: str
    role: Role
    organisation: str | None
    note: str | None
    created_by: str
    created_at: datetime
    expires_at: datetime
    used_by: str | None
    used_at: datetime | None
    withdrawn_at: datetime | None


class InvitedAnswer(Model):
    """A new invitation."""

    invitation: InvitationRow
    secret: Annotated[str | None, Field(description="for the link; told once, null where a command is repeated")]


class InvitationRequest(Model):
    """One invitation."""

    invitation: Id


class TokenRequest(Model):
    """A token to make."""

    name: Annotated[str, Field(min_length=1, max_length=100, description="what it is for")]
    scopes: Annotated[
        tuple[Annotated[str, Field(max_length=101)], ...],
        Field(min_length=1, max_length=tokens.MOST_SCOPES, description="read, room.* or room.operation"),
    ]
    days: Annotated[int, Field(ge=1, le=tokens.LONGEST_DAYS, description="days until it ends")] = 90


class TokenRow(Model):
    """A token, without its secret."""

    id: str
    account: str
    name: str
    scopes: tuple[str, ...]
    created_at: datetime
    expires_at: datetime
    used_at: datetime | None
    revoked_at: datetime | None


class NewTokenAnswer(Model):
    """A new token."""

    token: TokenRow
    secret: Annotated[str | None, Field(description="told once; null where a command is repeated")]


class TokenIdRequest(Model):
    """One token."""

    token: Id


class ClaimRequest(Model):
    """A claim: the secret of an invitation, and a credit code where the invitation names no organisation."""

    invitation: Annotated[str, Field(min_length=1, max_length=200, description="secret of the invitation")]
    uscc: Annotated[str | None, Field(max_length=40, description="unified social credit code")] = None


class Claimed(Model):
    """What was claimed."""

    organisation: str


class StatementRow(Model):
    """What a firm states of one attribute."""

    attribute: str
    value: str
    account: str
    at: datetime


class RecordAnswer(Model):
    """An organisation: the register's row, what the firm states, and both together."""

    register_row: dict[str, Any]
    statements: tuple[StatementRow, ...]
    shown: dict[str, Any]


class StateRequest(OfOrganisation):
    """Attributes as the firm states them, as text."""

    values: Annotated[
        dict[Annotated[str, Field(max_length=64)], Annotated[str, Field(max_length=edits.LONGEST)]],
        Field(min_length=1, max_length=len(edits.STATED)),
    ]


class TakeBackRequest(OfOrganisation):
    """Which statements to take back; null for all."""

    attributes: Annotated[
        tuple[Annotated[str, Field(max_length=64)], ...] | None, Field(max_length=len(edits.STATED))
    ] = None


class Counted(Model):
    """How many it were."""

    count: int


class ViewRow(Model):
    """Someone looked; `name` is null for a visitor who was not signed in."""

    id: str
    account: str
    name: str | None
    role: str
    operation: str
    at: datetime


class WithdrawRequest(OfOrganisation):
    """What to withdraw: statements and one's account at once, publication by an operator's answer."""

    what: mine.What
    reason: Annotated[str | None, Field(max_length=mine.LONGEST_REASON)] = None


class WithdrawalRow(Model):
    """A withdrawal."""

    id: str
    organisation: str
    account: str
    what: mine.What
    state: str
    reason: str | None
    at: datetime
    answered_by: str | None
    answered_at: datetime | None
    answer: str | None


class AnswerRequest(Model):
    """An answer to a withdrawal, with its reason."""

    withdrawal: Id
    agreed: bool
    words: Words


class FollowRequest(Model):
    """What to follow."""

    kind: follows.Kind
    subject: Annotated[str, Field(min_length=1, max_length=200, description="such as clusters-01/c0001")]


class FollowRow(FollowRequest):
    """What is followed."""

    at: datetime


class NoticesRequest(PageRequest):
    """Which notices."""

    unread: bool = False


class NoticeRow(Model):
    """A notice in both languages; `link` is a path of the console."""

    id: str
    kind: str
    subject: str | None
    title_zh: str
    title_en: str
    body_zh: str | None
    body_en: str | None
    link: str | None
    at: datetime
    read_at: datetime | None


class MarkRequest(Model):
    """Which notices were read; null for all."""

    ids: Annotated[tuple[Id, ...] | None, Field(max_length=500)] = None


class ChannelRow(Model):
    """A channel; of a robot's address only the end is shown."""

    id: str
    kind: channel_desk.Kind
    shown: str
    state: str
    at: datetime
    sent_at: datetime | None
    reason: str | None


class ChannelRequest(Model):
    """A channel to open."""

    kind: channel_desk.Kind
    address: Annotated[str, Field(min_length=3, max_length=500, description="mail address, or address of the robot")]
    secret: Annotated[
        str | None, Field(min_length=1, max_length=channel_desk.LONGEST_SECRET, description="钉钉's signing secret")
    ] = None


class ChannelIdRequest(Model):
    """One channel."""

    channel: Id


class SwitchRequest(ChannelIdRequest):
    """A channel on or off."""

    on: bool


class Queued(Model):
    """The job that does it."""

    job: str


def _row(kind: type[Any], value: Any) -> Any:
    return kind(**{name: getattr(value, name) for name in kind.model_fields})


def _version(*parts: object) -> str:
    return "/".join(map(str, parts))


# Accounts


@ROOM.operation("me", "我的账户", "My account", roles=SIGNED_IN)
def me(actor: Actor, workspace: Workspace, request: Nothing) -> AccountRow:
    """The account that asks."""
    del request
    found: AccountRow = _row(AccountRow, people.find(workspace, people.own_account(actor)))
    return found


@ROOM.operation("accounts", "账户列表", "List accounts", roles=["operator", "auditor"])
def accounts(actor: Actor, workspace: Workspace, request: AccountsRequest) -> Page[AccountRow]:
    """Accounts, closed ones too, the newest first."""
    del actor
    rows = table("accounts")
    query = people.asked().order_by(rows.c.created_at.desc(), rows.c.id)
    if request.organisation is not None:
        query = query.where(same(rows.c.organisation, request.organisation))
    with workspace.database.read() as connection:
        found = [AccountRow(**row) for row in connection.execute(query).mappings()]
        newest = connection.execute(select(func.max(rows.c.created_at))).scalar()
    return paged(found, request, version=_version(len(found), newest))


@ROOM.operation("set_role", "设定角色", "Set a role", roles=["operator"], writes=True)
def set_role(actor: Actor, workspace: Workspace, request: RoleRequest, *, key: str) -> Nothing:
    """Change an account's role and organisation; it has to sign in again."""
    people.set_role(actor, workspace, request.account, request.role, organisation=request.organisation, key=key)
    return Nothing()


@ROOM.operation("close", "关闭账户", "Close an account", roles=SIGNED_IN, writes=True)
def close(actor: Actor, workspace: Workspace, request: AccountRequest, *, key: str) -> Nothing:
    """Close an account: one's own, or as operator any."""
    people.close(actor, workspace, request.account, key=key)
    return Nothing()


@ROOM.operation("invite", "邀请", "Invite", roles=["operator", "member"], writes=True, own="organisation")
def invite(actor: Actor, workspace: Workspace, request: InviteRequest, *, key: str) -> InvitedAnswer:
    """Make an invitation: an operator for anyone, a member for colleagues."""
    made = invitations.invite(
        actor,
        workspace,
        request.role,
        organisation=request.organisation,
        note=request.note,
        days=request.days,
        key=key,
    )
    return InvitedAnswer(invitation=_row(InvitationRow, made.invitation), secret=made.secret)


@ROOM.operation("invitations", "邀请列表", "List invitations", roles=["operator", "auditor"])
def all_invitations(actor: Actor, workspace: Workspace, request: PageRequest) -> Page[InvitationRow]:
    """Invitations, the newest first (the last 500)."""
    del actor
    found = [_row(InvitationRow, one) for one in invitations.listed(workspace, limit=500)]
    return _listed(found, request)


@ROOM.operation("own_invitations", "本机构的邀请", "Our invitations", roles=_KEEPERS, own="organisation")
def own_invitations(actor: Actor, workspace: Workspace, request: PageOfOrganisation) -> Page[InvitationRow]:
    """Invitations to an organisation, the newest first (the last 500)."""
    del actor
    listed = invitations.listed(workspace, organisation=request.organisation, limit=500)
    return _listed([_row(InvitationRow, one) for one in listed], request)


@ROOM.operation("withdraw_invitation", "收回邀请", "Take an invitation back", roles=["operator", "member"], writes=True)
def withdraw_invitation(actor: Actor, workspace: Workspace, request: InvitationRequest, *, key: str) -> Nothing:
    """Take an invitation back that was not taken yet."""
    invitations.withdraw(actor, workspace, request.invitation, key=key)
    return Nothing()


@ROOM.operation("tokens", "我的令牌", "My tokens", roles=SIGNED_IN)
def my_tokens(actor: Actor, workspace: Workspace, request: PageRequest) -> Page[TokenRow]:
    """Tokens of one's account, the newest first."""
    found = [_row(TokenRow, one) for one in tokens.listed(workspace, people.own_account(actor))]
    return _listed(found, request)


@ROOM.operation("make_token", "新建令牌", "Make a token", roles=SIGNED_IN, writes=True)
def make_token(actor: Actor, workspace: Workspace, request: TokenRequest, *, key: str) -> NewTokenAnswer:
    """Make a token for one's account."""
    made = tokens.make(actor, workspace, name=request.name, scopes=request.scopes, days=request.days, key=key)
    return NewTokenAnswer(token=_row(TokenRow, made.token), secret=made.secret)


@ROOM.operation("revoke_token", "撤销令牌", "Revoke a token", roles=SIGNED_IN, writes=True)
def revoke_token(actor: Actor, workspace: Workspace, request: TokenIdRequest, *, key: str) -> Nothing:
    """Revoke a token: one's own, or as operator any."""
    tokens.revoke(actor, workspace, request.token, key=key)
    return Nothing()


# An organisation's own data


@ROOM.operation("claim", "认领企业", "Claim a firm", roles=["member"], writes=True)
def claim(actor: Actor, workspace: Workspace, request: ClaimRequest, *, key: str) -> Claimed:
    """Claim one's firm with an invitation; one has to sign in again."""
    found = claims.claim(actor, workspace, secret=request.invitation, uscc=request.uscc, key=key)
    return Claimed(organisation=found)


@ROOM.operation("record", "企业档案", "Record of a firm", roles=_KEEPERS, own="organisation")
def record(actor: Actor, workspace: Workspace, request: OfOrganisation) -> RecordAnswer:
    """What the register says of an organisation, and what it states itself."""
    found = mine.record(workspace, request.organisation)
    views.record_view(workspace, actor, request.organisation, "accounts.record")
    stated = tuple(_row(StatementRow, one) for one in found.statements)
    return RecordAnswer(register_row=dict(found.register), statements=stated, shown=dict(found.shown))


@ROOM.operation("state", "企业自填", "State of oneself", roles=["member"], writes=True, own="organisation")
def state(actor: Actor, workspace: Workspace, request: StateRequest, *, key: str) -> tuple[StatementRow, ...]:
    """State attributes of one's firm; what stands of it afterwards."""
    stated = edits.state(actor, workspace, request.organisation, request.values, key=key)
    return tuple(_row(StatementRow, one) for one in stated)


@ROOM.operation("take_back", "撤回自填", "Take statements back", roles=["member"], writes=True, own="organisation")
def take_back(actor: Actor, workspace: Workspace, request: TakeBackRequest, *, key: str) -> Counted:
    """Take statements back, so that they are forgotten."""
    return Counted(count=edits.take_back(actor, workspace, request.organisation, request.attributes, key=key))


@ROOM.operation("views", "谁查看过", "Who looked", roles=_KEEPERS, own="organisation")
def who_looked(actor: Actor, workspace: Workspace, request: PageOfOrganisation) -> Page[ViewRow]:
    """Who looked at an organisation's data, the newest first (the last 10,000)."""
    del actor
    found = views.views(workspace, request.organisation, limit=mine.MOST_VIEWS)
    return _listed([_row(ViewRow, one) for one in found], request)


@ROOM.operation("my_data", "导出我的数据", "Export my data", roles=_KEEPERS, own="organisation")
def my_data(actor: Actor, workspace: Workspace, request: OfOrganisation) -> dict[str, Any]:
    """Everything held about an organisation."""
    views.record_view(workspace, actor, request.organisation, "accounts.my_data")
    return mine.my_data(workspace, request.organisation)


@ROOM.operation("withdraw", "撤回", "Withdraw", roles=["member"], writes=True, own="organisation")
def withdraw(actor: Actor, workspace: Workspace, request: WithdrawRequest, *, key: str) -> WithdrawalRow:
    """Withdraw statements or one's account at once, or ask for the end of publication."""
    made = mine.withdraw(actor, workspace, request.organisation, request.what, reason=request.reason, key=key)
    found: WithdrawalRow = _row(WithdrawalRow, made)
    return found


@ROOM.operation("withdrawals", "撤回列表", "List withdrawals", roles=["operator", "auditor"])
def withdrawals(actor: Actor, workspace: Workspace, request: PageRequest) -> Page[WithdrawalRow]:
    """Withdrawals of all organisations, the newest first (the last 500)."""
    del actor
    return _listed([_row(WithdrawalRow, one) for one in mine.withdrawals(workspace, limit=500)], request)


@ROOM.operation("own_withdrawals", "本机构的撤回", "Our withdrawals", roles=_KEEPERS, own="organisation")
def own_withdrawals(actor: Actor, workspace: Workspace, request: PageOfOrganisation) -> Page[WithdrawalRow]:
    """Withdrawals of an organisation, the newest first (the last 500)."""
    del actor
    found = mine.withdrawals(workspace, organisation=request.organisation, limit=500)
    return _listed([_row(WithdrawalRow, one) for one in found], request)


@ROOM.operation("answer_withdrawal", "答复撤回", "Answer a withdrawal", roles=["operator"], writes=True)
def answer_withdrawal(actor: Actor, workspace: Workspace, request: AnswerRequest, *, key: str) -> WithdrawalRow:
    """Answer a withdrawal that was asked for, with a reason."""
    made = mine.answer(actor, workspace, request.withdrawal, agreed=request.agreed, words=request.words, key=key)
    found: WithdrawalRow = _row(WithdrawalRow, made)
    return found


# News


@ROOM.operation("follow", "关注", "Follow", roles=SIGNED_IN, writes=True)
def follow(actor: Actor, workspace: Workspace, request: FollowRequest, *, key: str) -> Nothing:
    """Follow a cluster, region or firm."""
    follows.follow(actor, workspace, request.kind, request.subject, key=key)
    return Nothing()


@ROOM.operation("unfollow", "取消关注", "Unfollow", roles=SIGNED_IN, writes=True)
def unfollow(actor: Actor, workspace: Workspace, request: FollowRequest, *, key: str) -> Nothing:
    """Follow something no longer."""
    follows.unfollow(actor, workspace, request.kind, request.subject, key=key)
    return Nothing()


@ROOM.operation("follows", "我的关注", "What I follow", roles=SIGNED_IN)
def my_follows(actor: Actor, workspace: Workspace, request: PageRequest) -> Page[FollowRow]:
    """What one follows, the newest first."""
    found = [_row(FollowRow, one) for one in follows.follows(workspace, people.own_account(actor))]
    return _listed(found, request)


@ROOM.operation("notices", "我的通知", "My notices", roles=SIGNED_IN)
def my_notices(actor: Actor, workspace: Workspace, request: NoticesRequest) -> Page[NoticeRow]:
    """One's notices, the newest first (the last 1,000)."""
    found = notices.notices(workspace, people.own_account(actor), unread=request.unread, limit=1000)
    return _listed([_told(one) for one in found], request)


@ROOM.operation("mark_read", "标为已读", "Mark as read", roles=SIGNED_IN, writes=True)
def mark_read(actor: Actor, workspace: Workspace, request: MarkRequest, *, key: str) -> Counted:
    """Mark some of one's notices, or all, as read."""
    return Counted(count=notices.mark_read(actor, workspace, request.ids, key=key))


@ROOM.operation("channels", "通知渠道", "My channels", roles=SIGNED_IN)
def my_channels(actor: Actor, workspace: Workspace, request: Nothing) -> tuple[ChannelRow, ...]:
    """Where one's notices go besides the console."""
    del request
    return tuple(_row(ChannelRow, one) for one in channel_desk.channels(workspace, people.own_account(actor)))


@ROOM.operation("add_channel", "添加渠道", "Add a channel", roles=SIGNED_IN, writes=True)
def add_channel(actor: Actor, workspace: Workspace, request: ChannelRequest, *, key: str) -> ChannelRow:
    """Have one's notices sent by mail, or by a group robot of 企业微信 or 钉钉."""
    made = channel_desk.add(actor, workspace, request.kind, request.address, secret=request.secret, key=key)
    found: ChannelRow = _row(ChannelRow, made)
    return found


@ROOM.operation("switch_channel", "启停渠道", "Switch a channel", roles=SIGNED_IN, writes=True)
def switch_channel(actor: Actor, workspace: Workspace, request: SwitchRequest, *, key: str) -> Nothing:
    """Switch one of one's channels on or off."""
    channel_desk.switch(actor, workspace, request.channel, on=request.on, key=key)
    return Nothing()


@ROOM.operation("drop_channel", "删除渠道", "Remove a channel", roles=SIGNED_IN, writes=True)
def drop_channel(actor: Actor, workspace: Workspace, request: ChannelIdRequest, *, key: str) -> Nothing:
    """Remove one of one's channels."""
    channel_desk.drop(actor, workspace, request.channel, key=key)
    return Nothing()


@ROOM.operation("test_channel", "试发", "Test a channel", roles=SIGNED_IN, writes=True)
def test_channel(actor: Actor, workspace: Workspace, request: ChannelIdRequest, *, key: str) -> Queued:
    """Send a test message through one of one's channels."""
    return Queued(job=channel_desk.test(actor, workspace, request.channel, key=key))


def _told(one: notices.Notice) -> NoticeRow:
    body = one.body or Text("", "")
    return NoticeRow(
        id=one.id,
        kind=one.kind,
        subject=one.subject,
        title_zh=one.title.zh,
        title_en=one.title.en,
        body_zh=body.zh or None,
        body_en=body.en or None,
        link=one.link,
        at=one.at,
        read_at=one.read_at,
    )


def _listed(rows: Sequence[Any], request: PageRequest) -> Page[Any]:
    """A page of a list, the newest first: it is another list once something was added."""
    first = rows[0].model_dump(mode="json") if rows else {}
    return paged(rows, request, version=_version(len(rows), first.get("id", first.get("subject", ""))))
