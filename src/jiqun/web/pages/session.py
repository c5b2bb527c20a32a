"""Sign in and out 登录与退出."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Query, Request, Response

from jiqun.accounts import Session, sessions
from jiqun.core.errors import PermissionDeniedError
from jiqun.web import i18n
from jiqun.web.attempts import take_attempt
from jiqun.web.errors import explained
from jiqun.web.render import local, page, remember_language, see_other
from jiqun.web.visitor import FORM, SESSION, Visitor, VisitorDep, WorkspaceDep, cookie_name, drop_cookie, set_cookie

router = APIRouter()


@router.get("/sign-in")
def form(
    request: Request, visitor: VisitorDep, next_: Annotated[str, Query(alias="next", max_length=2000)] = ""
) -> Response:
    """The form; who is signed in already goes on."""
    if visitor.account:
        return see_other(local(next_))
    return _form(request, visitor, next_)


@router.post("/sign-in")
def sign_in(
    request: Request,
    visitor: VisitorDep,
    workspace: WorkspaceDep,
    login: Annotated[str, Form(max_length=400)] = "",
    password: Annotated[str, Form(max_length=4000)] = "",
    next_: Annotated[str, Form(alias="next", max_length=2000)] = "",
) -> Response:
    """Open a session and go on; the one before, if any, ends."""
    take_attempt(request)
    try:
        session = sessions.sign_in(
            workspace, login, password, replaces=request.cookies.get(cookie_name(request, SESSION))
        )
    except PermissionDeniedError as error:
        return _form(request, visitor, next_, login=login, refused=error)
    return opened(request, session, see_other(local(next_)))


@router.post("/sign-out")
def sign_out(request: Request, workspace: WorkspaceDep) -> Response:
    """End the session, here and on the server."""
    secret = request.cookies.get(cookie_name(request, SESSION))
    if secret:
        sessions.sign_out(workspace, secret)
    response = see_other("/")
    drop_cookie(request, response, SESSION)
    response.headers["Clear-Site-Data"] = '"cache"'
    return response


def opened(request: Request, session: Session, response: Response) -> Response:
    """The answer that brings a new session to the browser, in the language of its account."""
    set_cookie(request, response, SESSION, session.secret, seconds=int(sessions.ABSOLUTE.total_seconds()))
    drop_cookie(request, response, FORM)
    if session.account.language and not request.cookies.get(i18n.COOKIE):
        remember_language(response, session.account.language)
    return response


def _form(
    request: Request, visitor: Visitor, next_: str, *, login: str = "", refused: PermissionDeniedError | None = None
) -> Response:
    words, hint = explained(refused, visitor.language) if refused else ("", "")
    return page(
        request,
        visitor,
        "sign_in.html",
        status=403 if refused else 200,
        next=local(next_, ""),
        login=login,
        refused=words,
        hint=hint,
    )
