"""Accounts 账户管理: who may sign in, invitations, what firms want back. For operators; auditors look."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from fastapi import APIRouter, Form, Path, Query, Request, Response

from jiqun.accounts import operations as desk
from jiqun.core.actor import Role
from jiqun.core.errors import InputError, JiqunError
from jiqun.core.operation import MOST, PageRequest
from jiqun.web.errors import checked, explained
from jiqun.web.render import here, page, see_other
from jiqun.web.visitor import Visitor, VisitorDep, WorkspaceDep, workspace_of
from jiqun.web.words import ROLES, WITHDRAWN

router = APIRouter()
Key = Annotated[str, Form(min_length=8, max_length=200)]
Id = Annotated[str, Path(min_length=1, max_length=40)]
_INVITED: tuple[Role, ...] = ("member", "analyst", "auditor", "operator")


@router.get("/accounts")
def accounts(
    request: Request, visitor: VisitorDep, cursor: Annotated[str | None, Query(max_length=400)] = None
) -> Response:
    """Accounts, open invitations, withdrawals that wait for an answer."""
    return _page(request, visitor, cursor=cursor)


@router.post("/accounts/invite")
def invite(
    request: Request,
    visitor: VisitorDep,
    workspace: WorkspaceDep,
    key: Key,
    role: Annotated[Role, Form()],
    organisation: Annotated[str, Form(max_length=100)] = "",
    note: Annotated[str, Form(max_length=500)] = "",
) -> Response:
    """Make an invitation and show its link, once."""
    wanted = checked(
        desk.InviteRequest, role=role, organisation=organisation.strip() or None, note=note.strip() or None
    )
    try:
        made = desk.invite(visitor.actor, workspace, wanted, key=key)
    except InputError as error:
        given = {"role": role, "organisation": organisation, "note": note}
        return _page(request, visitor, given=given, refused=error)
    if made.secret is None:
        return see_other("/accounts")
    return _page(request, visitor, link=str(request.url_for("invitation", secret=made.secret)))


@router.post("/accounts/{account}/close")
def close(visitor: VisitorDep, workspace: WorkspaceDep, account: Id, key: Key) -> Response:
    """Close an account."""
    visitor.require("accounts.close", "operator")
    desk.close(visitor.actor, workspace, desk.AccountRequest(account=account), key=key)
    return see_other("/accounts", done="closed")


@router.post("/accounts/invitations/{invitation}/withdraw")
def withdraw(visitor: VisitorDep, workspace: WorkspaceDep, invitation: Id, key: Key) -> Response:
    """Take an invitation back."""
    desk.withdraw_invitation(visitor.actor, workspace, desk.InvitationRequest(invitation=invitation), key=key)
    return see_other("/accounts", done="withdrawn")


@router.post("/accounts/withdrawals/{withdrawal}")
def answer(
    visitor: VisitorDep,
    workspace: WorkspaceDep,
    withdrawal: Id,
    key: Key,
    agreed: Annotated[bool, Form()],
    words: Annotated[str, Form(min_length=1, max_length=500)],
) -> Response:
    """Answer a firm that wants something back."""
    given = desk.AnswerRequest(withdrawal=withdrawal, agreed=agreed, words=words)
    desk.answer_withdrawal(visitor.actor, workspace, given, key=key)
    return see_other("/accounts", done="answered")


def _page(
    request: Request,
    visitor: Visitor,
    *,
    cursor: str | None = None,
    link: str = "",
    given: Mapping[str, str] | None = None,
    refused: JiqunError | None = None,
) -> Response:
    actor, workspace = visitor.actor, workspace_of(request)
    found = desk.accounts(actor, workspace, desk.AccountsRequest(cursor=cursor))
    everything = PageRequest(limit=MOST)
    now = workspace.clock()
    invitations = [
        one
        for one in desk.all_invitations(actor, workspace, everything).items
        if one.used_at is None and one.withdrawn_at is None and one.expires_at > now
    ]
    asked = [one for one in desk.withdrawals(actor, workspace, everything).items if one.state == "asked"]
    words, hint = explained(refused, visitor.language) if refused else ("", "")
    return page(
        request,
        visitor,
        "accounts.html",
        status=422 if refused else 200,
        keep=False,
        accounts=found.items,
        next=here(request, cursor=found.next) if found.next else None,
        invitations=invitations,
        withdrawals=asked,
        operates="operator" in actor.roles,
        link=link,
        given=given or {"role": "member", "organisation": "", "note": ""},
        refused=words,
        hint=hint,
        roles=ROLES,
        role_options=[(role, ROLES[role].get(visitor.language)) for role in _INVITED],
        whats=WITHDRAWN,
        notes={
            "closed": visitor.say("The account is closed."),
            "withdrawn": visitor.say("The invitation is taken back."),
            "answered": visitor.say("Answered. The firm is told."),
        },
    )
