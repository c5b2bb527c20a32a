"""My account 我的账户: password, tokens, what I follow, where notices go, language."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Path, Request, Response

from jiqun.accounts import channels, desk, follows, passwords, people, tokens
from jiqun.core.document import Text
from jiqun.core.errors import InputError, JiqunError, Language, PermissionDeniedError, UsageError
from jiqun.web.attempts import take_attempt
from jiqun.web.errors import explained
from jiqun.web.pages.follow import told
from jiqun.web.pages.session import opened
from jiqun.web.render import page, remember_language, see_other
from jiqun.web.visitor import SESSION, Visitor, VisitorDep, WorkspaceDep, cookie_name, workspace_of
from jiqun.web.words import CHANNELS, ROLES

router = APIRouter()
Key = Annotated[str, Form(min_length=8, max_length=200)]
Id = Annotated[str, Path(min_length=1, max_length=40)]
_READ = Text("查看我能看到的一切", "Read whatever I may see")


@router.get("/account")
def account(request: Request, visitor: VisitorDep) -> Response:
    """Everything about one's own account."""
    return _page(request, visitor)


@router.post("/account/language")
def language(visitor: VisitorDep, workspace: WorkspaceDep, key: Key, chosen: Annotated[Language, Form()]) -> Response:
    """Set the language of pages and notices."""
    people.set_language(visitor.actor, workspace, chosen, key=key)
    response = see_other("/account", done="language")
    remember_language(response, chosen)
    return response


@router.post("/account/password")
def password(
    request: Request,
    visitor: VisitorDep,
    workspace: WorkspaceDep,
    key: Key,
    old: Annotated[str, Form(max_length=4000)] = "",
    new: Annotated[str, Form(max_length=4000)] = "",
) -> Response:
    """Change the password; every other session ends and this one begins anew."""
    own = visitor.own_account()
    take_attempt(request)
    try:
        desk.change_password(visitor.actor, workspace, old, new, key=key)
    except (InputError, PermissionDeniedError) as error:
        return _page(request, visitor, refused=error)
    session = desk.open_session(workspace, own.id, replaces=request.cookies.get(cookie_name(request, SESSION)))
    return opened(request, session, see_other("/account", done="password"))


@router.post("/account/tokens")
def make_token(
    request: Request,
    visitor: VisitorDep,
    workspace: WorkspaceDep,
    key: Key,
    name: Annotated[str, Form(max_length=400)] = "",
    days: Annotated[int, Form(ge=1, le=tokens.LONGEST_DAYS)] = 90,
    scope: Annotated[list[str] | None, Form(max_length=tokens.MOST_SCOPES)] = None,
) -> Response:
    """Make a token and show it, once."""
    visitor.own_account()
    try:
        made = tokens.make(visitor.actor, workspace, name=name, scopes=scope or (), days=days, key=key)
    except InputError as error:
        return _page(request, visitor, refused=error)
    if made.secret is None:
        return see_other("/account#tokens")
    return _page(request, visitor, token=made.secret)


@router.post("/account/tokens/{token}/revoke")
def revoke_token(visitor: VisitorDep, workspace: WorkspaceDep, token: Id, key: Key) -> Response:
    """Revoke a token."""
    tokens.revoke(visitor.actor, workspace, token, key=key)
    return see_other("/account", done="revoked")


@router.post("/account/unfollow")
def unfollow(
    visitor: VisitorDep,
    workspace: WorkspaceDep,
    key: Key,
    kind: Annotated[follows.Kind, Form()],
    subject: Annotated[str, Form(max_length=200)],
) -> Response:
    """Follow something no longer."""
    follows.unfollow(visitor.actor, workspace, kind, subject, key=key)
    return see_other("/account", done="unfollowed")


@router.post("/account/channels")
def add_channel(
    request: Request,
    visitor: VisitorDep,
    workspace: WorkspaceDep,
    key: Key,
    kind: Annotated[channels.Kind, Form()],
    address: Annotated[str, Form(max_length=2000)] = "",
    secret: Annotated[str, Form(max_length=400)] = "",
) -> Response:
    """Send notices on to a mailbox or a group."""
    visitor.own_account()
    try:
        channels.add(visitor.actor, workspace, kind, address.strip(), secret=secret.strip() or None, key=key)
    except (InputError, UsageError) as error:
        return _page(request, visitor, refused=error)
    return see_other("/account", done="channel")


@router.post("/account/channels/{channel}/test")
def test_channel(visitor: VisitorDep, workspace: WorkspaceDep, channel: Id, key: Key) -> Response:
    """Send a message that says that the channel works."""
    return see_other(f"/jobs/{channels.test(visitor.actor, workspace, channel, key=key)}")


@router.post("/account/channels/{channel}/drop")
def drop_channel(visitor: VisitorDep, workspace: WorkspaceDep, channel: Id, key: Key) -> Response:
    """Send nothing there any more."""
    channels.drop(visitor.actor, workspace, channel, key=key)
    return see_other("/account", done="dropped")


def _page(request: Request, visitor: Visitor, *, token: str = "", refused: JiqunError | None = None) -> Response:
    own, workspace = visitor.own_account(), workspace_of(request)
    words, hint = explained(refused, visitor.language) if refused else ("", "")
    scopes = [(tokens.READ, _READ), *((f"{room.name}.*", room.title) for room in request.app.state.rooms)]
    return page(
        request,
        visitor,
        "account.html",
        status=422 if refused else 200,
        keep=False,
        role=ROLES[own.role],
        token=token,
        refused=words,
        hint=hint,
        shortest=passwords.SHORTEST,
        tokens=tokens.listed(workspace, own.id),
        scopes=scopes,
        follows=tuple(told(workspace, follows.follows(workspace, own.id))),
        channels=channels.channels(workspace, own.id),
        kinds=CHANNELS,
        kind_options=[(kind, title.get(visitor.language)) for kind, title in CHANNELS.items()],
        notes={
            "language": visitor.say("The language is set."),
            "password": visitor.say("The password is changed."),
            "revoked": visitor.say("The token is revoked."),
            "channel": visitor.say("The channel is added."),
            "dropped": visitor.say("The channel is removed."),
            "unfollowed": visitor.say("You follow it no longer."),
        },
    )
