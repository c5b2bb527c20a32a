"""Help 帮助: what stands where, and the keys."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from jiqun.web.render import page
from jiqun.web.visitor import VisitorDep

router = APIRouter()


@router.get("/help")
def help_page(request: Request, visitor: VisitorDep) -> Response:
    """What stands where, and the keys."""
    return page(request, visitor, "help.html")
