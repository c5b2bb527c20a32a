"""Who is asking 来访者: from a session cookie or a token to an `Actor`, a language and a token against forged forms.

A signed-out visitor is the actor `public` where the workspace setting `public` allows it, and nobody otherwise: the
operations refuse nobody, and `jiqun.web.errors` sends nobody to the sign-in page.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Annotated, Any

from fastapi import Depends, Request, Response
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from jiqun.accounts import Account, notices, sessions
from jiqun.accounts.tokens import Granted, token_actor
from jiqun.core.actor import Actor, Role
from jiqun.core.errors import Language, PermissionDeniedError
from jiqun.core.operation import Operation
from jiqun.store import Workspace
from jiqun.store.files import write_once
from jiqun.web import i18n
from jiqun.web.settings import WebSettings

SESSION = "jiqun"
FORM = "jiqun-form"
FORM_HOURS = 12
FORGED = "csrf"
"""Detail of the refusal of a form without its visitor's token."""
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_NOBODY = Actor("nobody", frozenset())
_PUBLIC = Actor("public", frozenset({"public"}))


@dataclass(frozen=True)
class Visitor:
    """Who looks at a page: what they may, in which language, and what proves that a form is theirs.

    `account` is None when signed out.
    `csrf` goes into every form, as `{{ csrf() }}` does.
    """

    actor: Actor
    language: Language
    csrf: str = field(repr=False)
    account: Account | None = None
    unread: int = 0
    """Notices that were not read yet."""
    form_cookie: str | None = field(default=None, repr=False)
    """The cookie that a form of someone signed out needs, where the browser has none yet."""

    @property
    def role(self) -> Role | None:
        """The role of the account; None when signed out."""
        return self.account.role if self.account else None

    def require(self, page: str, *roles: Role) -> None:
        """Refuse a page that calls no operation to all but `roles`.

        Raises
        ------
        PermissionDeniedError
            JQ-USE-002.
        """
        self.actor.require(page, *roles)

    def own_account(self) -> Account:
        """The visitor's account.

        Raises
        ------
        PermissionDeniedError
            JQ-WEB-001: they are signed out.
        """
        if self.account is None:
            raise PermissionDeniedError("JQ-WEB-001")
        return self.account

    def say(self, english: str, **fields: Any) -> str:
        """A text of the pages in the visitor's language."""
        return i18n.say(self.language, english, **fields)


def secure(request: Request) -> bool:
    """Whether the browser talks to us over https, perhaps through a trusted proxy."""
    return request.url.scheme == "https"


def cookie_name(request: Request, name: str) -> str:
    """`__Host-` keeps a cookie from other hosts of the domain; browsers allow it over https only."""
    return f"__Host-{name}" if secure(request) else name


def set_cookie(request: Request, response: Response, name: str, value: str, *, seconds: int) -> None:
    """Set a cookie that scripts cannot read and other sites do not send along."""
    response.set_cookie(
        cookie_name(request, name),
        value,
        max_age=seconds,
        path="/",
        secure=secure(request),
        httponly=True,
        samesite="lax",
    )


def drop_cookie(request: Request, response: Response, name: str) -> None:
    """Take a cookie back."""
    response.delete_cookie(cookie_name(request, name), path="/", secure=secure(request), httponly=True, samesite="lax")


def workspace_of(request: Request) -> Workspace:
    """The workspace that this console serves."""
    workspace: Workspace = request.app.state.workspace
    return workspace


async def _workspace(request: Request) -> Workspace:
    return workspace_of(request)  # what is not awaited here would be given to another thread and waited for


def settings_of(request: Request) -> WebSettings:
    """The console's settings."""
    settings: WebSettings = request.app.state.settings
    return settings


WorkspaceDep = Annotated[Workspace, Depends(_workspace)]


def visitor(request: Request) -> Visitor:
    """The visitor of a request; asked once per request."""
    known: Visitor | None = getattr(request.state, "visitor", None)
    if known is None:
        known = request.state.visitor = _visitor(request)
    return known


async def _visiting(request: Request) -> Visitor:
    """As `visitor`; another thread is asked only where the database is."""
    if cookie_name(request, SESSION) in request.cookies:
        return await run_in_threadpool(visitor, request)
    return visitor(request)


def _visitor(request: Request) -> Visitor:
    workspace = workspace_of(request)
    session = sessions.session(workspace, request.cookies.get(cookie_name(request, SESSION)))
    if session is not None:
        language = i18n.chosen(request, session.account.language, workspace)
        unread = notices.count(workspace, session.account.id, unread=True)
        return Visitor(session.actor, language, session.csrf, session.account, unread)
    return signed_out(request)


def signed_out(request: Request) -> Visitor:
    """The visitor without an account."""
    workspace = workspace_of(request)
    key = form_key(workspace.path)
    cookie, fresh = request.cookies.get(cookie_name(request, FORM), ""), None
    if not _holds(key, cookie, workspace):
        ends = int((workspace.clock() + timedelta(hours=FORM_HOURS)).timestamp())
        body = f"{secrets.token_urlsafe(24)}.{ends}"
        cookie = fresh = f"{body}.{_signed(key, 'cookie', body)}"
    actor = _PUBLIC if settings_of(request).public else _NOBODY
    language = i18n.chosen(request, None, workspace)
    return Visitor(actor, language, _signed(key, "form", cookie), form_cookie=fresh)


def _holds(key: bytes, cookie: str, workspace: Workspace) -> bool:
    body, _, signature = cookie.rpartition(".")
    if not hmac.compare_digest(_signed(key, "cookie", body).encode(), signature.encode()):
        return False
    return int(body.rpartition(".")[2]) > workspace.clock().timestamp()


def _signed(key: bytes, purpose: str, text: str) -> str:
    return hmac.new(key, f"{purpose}:{text}".encode(), hashlib.sha256).hexdigest()


@cache
def form_key(folder: Path) -> bytes:
    """The key that signs the forms of those not signed in, the same for all web processes of a workspace."""
    path = folder / "web.key"
    if not path.exists():
        write_once(path, secrets.token_bytes(32))
    return path.read_bytes()


async def guard(request: Request, who: Annotated[Visitor, Depends(_visiting)]) -> None:
    """Refuse a form that does not carry its visitor's token: it may come from another site."""
    if request.method in _SAFE:
        return
    form = await request.form()
    try:  # a form may name a charset, such as UTF-7, in which half a character can be written
        "".join(value for value in form.values() if isinstance(value, str)).encode()
    except UnicodeEncodeError:
        raise HTTPException(400) from None
    given = form.get("csrf")
    if not isinstance(given, str) or not hmac.compare_digest(given.encode(), who.csrf.encode()):
        raise HTTPException(403, FORGED)


VisitorDep = Annotated[Visitor, Depends(_visiting)]


@dataclass(frozen=True)
class ApiCaller:
    """Who calls the API: by token, or a browser by its session."""

    actor: Actor
    granted: Granted | None = None

    def require_token(self) -> None:
        """Refuse a command without a token: a browser would send its session along for a page of any other site.

        Raises
        ------
        HTTPException
            401.
        """
        if self.granted is None:
            raise HTTPException(401, headers={"WWW-Authenticate": "Bearer"})

    def require_scope(self, operation: Operation) -> None:
        """Refuse an operation that the token was not made for.

        Raises
        ------
        PermissionDeniedError
            JQ-WEB-013.
        """
        if self.granted is not None and not self.granted.allows(operation):
            raise PermissionDeniedError("JQ-WEB-013", operation=operation.name)


def api_caller(request: Request) -> ApiCaller:
    """The caller of the API, by token or else as the visitor."""
    scheme, _, secret = request.headers.get("authorization", "").partition(" ")
    if not scheme:
        return ApiCaller(visitor(request).actor)
    granted = token_actor(workspace_of(request), secret.strip()) if scheme.lower() == "bearer" else None
    if granted is None:
        raise HTTPException(401, headers={"WWW-Authenticate": 'Bearer error="invalid_token"'})
    return ApiCaller(granted.actor, granted)


ApiCallerDep = Annotated[ApiCaller, Depends(api_caller)]
