"""The inbox 通知: what an account is told of what it follows."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Query, Request, Response

from jiqun.accounts import notices as inbox
from jiqun.web.render import here, page, see_other
from jiqun.web.visitor import VisitorDep, WorkspaceDep

router = APIRouter()
SHOWN = 50
Key = Annotated[str, Form(min_length=8, max_length=200)]


@router.get("/notices")
def notices(
    request: Request,
    visitor: VisitorDep,
    workspace: WorkspaceDep,
    offset: Annotated[int, Query(ge=0, le=1_000_000)] = 0,
) -> Response:
    """The newest notices first."""
    account = visitor.own_account()
    found = inbox.notices(workspace, account.id, offset=offset, limit=SHOWN + 1)
    return page(
        request,
        visitor,
        "notices.html",
        notices=found[:SHOWN],
        next=here(request, offset=offset + SHOWN) if len(found) > SHOWN else None,
        notes={"read": visitor.say("All are marked as read.")},
    )


@router.post("/notices/read")
def read(visitor: VisitorDep, workspace: WorkspaceDep, key: Key) -> Response:
    """Mark all as read."""
    inbox.mark_read(visitor.actor, workspace, key=key)
    return see_other("/notices", done="read")
