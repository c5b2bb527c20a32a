"""Take an invitation 接受邀请: the link makes an account and signs it in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from fastapi import APIRouter, Form, Path, Request, Response

from jiqun.accounts import claims, invitations, passwords, sessions
from jiqun.core.errors import InputError, JiqunError, UsageError
from jiqun.store import Workspace
from jiqun.web.attempts import take_attempt
from jiqun.web.errors import explained
from jiqun.web.pages.session import opened
from jiqun.web.render import page, see_other
from jiqun.web.visitor import SESSION, Visitor, VisitorDep, WorkspaceDep, cookie_name
from jiqun.web.words import ROLES

router = APIRouter()
Secret = Annotated[str, Path(min_length=1, max_length=200)]


@router.get("/invitations/{secret}")
def invitation(request: Request, visitor: VisitorDep, workspace: WorkspaceDep, secret: Secret) -> Response:
    """What the link offers, and the form to take it."""
    return _form(request, visitor, workspace, secret, {})


@router.post("/invitations/{secret}")
def accept(
    request: Request,
    visitor: VisitorDep,
    workspace: WorkspaceDep,
    secret: Secret,
    key: Annotated[str, Form(min_length=8, max_length=200)],
    login: Annotated[str, Form(max_length=400)] = "",
    name: Annotated[str, Form(max_length=400)] = "",
    password: Annotated[str, Form(max_length=4000)] = "",
    uscc: Annotated[str, Form(max_length=40)] = "",
) -> Response:
    """Make the account and sign it in."""
    take_attempt(request)
    try:
        account = invitations.accept(
            workspace,
            secret,
            login=login,
            name=name,
            password=password,
            uscc=uscc.strip() or None,
            language=visitor.language,
            key=key,
        )
    except (InputError, UsageError) as error:
        return _form(request, visitor, workspace, secret, {"login": login, "name": name, "uscc": uscc}, error)
    session = sessions.open_session(workspace, account.id, replaces=request.cookies.get(cookie_name(request, SESSION)))
    return opened(request, session, see_other("/", done="opened"))


def _form(
    request: Request,
    visitor: Visitor,
    workspace: Workspace,
    secret: str,
    given: Mapping[str, str],
    refused: JiqunError | None = None,
) -> Response:
    found = invitations.look(workspace, secret)
    organisation = claims.organisation(workspace, found.organisation)["name"] if found.organisation else ""
    words, hint = explained(refused, visitor.language) if refused else ("", "")
    return page(
        request,
        visitor,
        "invitation.html",
        status=422 if refused else 200,
        keep=False,
        role=ROLES[found.role],
        member=found.role == "member",
        organisation=organisation,
        given={"login": "", "name": "", "uscc": "", **given},
        shortest=passwords.SHORTEST,
        refused=words,
        hint=hint,
    )
