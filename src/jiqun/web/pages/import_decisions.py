"""Decisions about corrections 更正的裁定: those made for an earlier file, and those that two people made differently."""

from __future__ import annotations

from fastapi import APIRouter, Response

from jiqun.core.errors import UsageError
from jiqun.intake import import_records as records
from jiqun.intake import room
from jiqun.intake.import_records import Fix
from jiqun.web.errors import checked
from jiqun.web.pages.imports import FormDep, find, text_of
from jiqun.web.render import see_other
from jiqun.web.visitor import VisitorDep, WorkspaceDep

router = APIRouter(prefix="/imports")

_AT_ONCE = 500
"""Corrections of one request."""


@router.post("/{import_id}/recall")
def recall(import_id: str, form: FormDep, visitor: VisitorDep, workspace: WorkspaceDep) -> Response:
    """Make a correction of an earlier file here as well, or all that fit."""
    found = find(visitor, workspace, import_id)
    offered = records.offered(workspace, found)
    if text_of(form, "which") != "all":
        wanted = text_of(form, "row"), text_of(form, "column"), text_of(form, "found")
        offered = tuple(offer for offer in offered if (str(offer.row), offer.column, offer.found) == wanted)
        if not offered:
            raise UsageError("JQ-IMPORT-031")
    # of a single cell the value found belongs to the offer, not to the correction
    fixes = [
        Fix(row=one.row, column=one.column, found=one.found if not one.row else "", value=one.value) for one in offered
    ]
    for begin in range(0, len(fixes), _AT_ONCE):
        asked = checked(room.FixRequest, id=found.id, fixes=tuple(fixes[begin : begin + _AT_ONCE]))
        room.fix(visitor.actor, workspace, asked, key=f"{text_of(form, 'key')}-{begin}")
    return see_other(f"/imports/{found.id}/rows", done="fixed" if fixes else None)


@router.post("/{import_id}/settle")
def settle(import_id: str, form: FormDep, visitor: VisitorDep, workspace: WorkspaceDep) -> Response:
    """Say which of two corrections counts."""
    asked = checked(
        room.Settlement,
        id=import_id[:60],
        overruled=text_of(form, "overruled"),
        restore=text_of(form, "restore") == "yes",
    )
    room.settle(visitor.actor, workspace, asked, key=text_of(form, "key"))
    return see_other(f"/imports/{import_id[:60]}/rows", done="settled")
