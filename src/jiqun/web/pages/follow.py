"""Follow 关注: the button on the page of a cluster, a region or a firm."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Form, Response

from jiqun.accounts import operations as accounts
from jiqun.core.operation import MOST, PageRequest
from jiqun.store import Workspace
from jiqun.web.render import local, see_other
from jiqun.web.visitor import Visitor, VisitorDep, WorkspaceDep

router = APIRouter()
Kind = Literal["cluster", "region", "firm"]
Key = Annotated[str, Form(min_length=8, max_length=200)]


@router.post("/follow")
def follow(
    visitor: VisitorDep,
    workspace: WorkspaceDep,
    key: Key,
    kind: Annotated[Kind, Form()],
    subject: Annotated[str, Form(min_length=1, max_length=200)],
    do: Annotated[Literal["follow", "unfollow"], Form()] = "follow",
    back: Annotated[str, Form(max_length=400)] = "/",
) -> Response:
    """Follow something, or follow it no longer, and go back to its page."""
    command = accounts.follow if do == "follow" else accounts.unfollow
    command(visitor.actor, workspace, accounts.FollowRequest(kind=kind, subject=subject), key=key)
    return see_other(local(back))


def following(visitor: Visitor, workspace: Workspace, kind: Kind, subject: str) -> tuple[Kind, str, bool] | None:
    """What the button is for and whether it is followed already; None for who is signed out."""
    if visitor.account is None:
        return None
    mine = accounts.my_follows(visitor.actor, workspace, PageRequest(limit=MOST)).items
    return kind, subject, any(one.kind == kind and one.subject == subject for one in mine)
