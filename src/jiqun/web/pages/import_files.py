"""Files of imports 导入文件: taken as they come, by a form or a program, and given out: templates, findings, lists to mend.

What is taken is streamed; no guard reads it first, and so its form is checked here.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import BoundedSemaphore
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Query, Request, Response
from starlette.exceptions import HTTPException

from jiqun.core.actor import Role
from jiqun.core.document import Text
from jiqun.core.errors import InputError, JiqunError, UsageError
from jiqun.core.operation import Model, Operation
from jiqun.core.schema import schema, schemas
from jiqun.intake import import_records as records
from jiqun.intake import imports
from jiqun.intake.import_records import Import
from jiqun.intake.mending import write_list
from jiqun.intake.template import write_template
from jiqun.web.errors import too_many
from jiqun.web.multipart import Form, pieces
from jiqun.web.pages import imports as import_pages
from jiqun.web.render import page, see_other
from jiqun.web.visitor import ApiCallerDep, VisitorDep, WorkspaceDep, settings_of

router = APIRouter(include_in_schema=False)
api_router = APIRouter(prefix="/api/v1", tags=["Intake 装载"])

FILES = {
    ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    ".csv": "text/csv; charset=utf-8",
}
"""Files that are given out: ending and type."""
AT_ONCE = 10
"""Files on their way in, of the forty threads that a console has."""
_AGAIN_SECONDS = 10
_ROLES: tuple[Role, ...] = ("operator", "analyst")
_RECEIVE = Operation(
    "intake.receive", Text("上传文件", "Upload a file"), frozenset(_ROLES), imports.receive, Model, Import, writes=True
)
"""What a token must be made for; its request is a file and no JSON, so that no room can declare it."""


@router.get("/imports/new")
def choose(request: Request, visitor: VisitorDep) -> Response:
    """A file to choose, and the table it is for."""
    visitor.require("intake.receive", *_ROLES)
    return _form(request, visitor)


def _form(request: Request, visitor: VisitorDep, *, refused: JiqunError | None = None, chosen: str = "") -> Response:
    message, hint = _words(refused, visitor) if refused else ("", "")
    return page(
        request,
        visitor,
        "import_new.html",
        status=422 if refused else 200,
        tables=tuple(schemas().values()),
        chosen=chosen or "organisations",
        limit=settings_of(request).upload_bytes / 1e6,
        refused=message,
        hint=hint,
    )


def _words(error: JiqunError, visitor: VisitorDep) -> tuple[str, str]:
    first, _, rest = error.render(visitor.language).partition("\n")
    return first.partition(" ")[2], rest.strip()


def _one_of_few(request: Request) -> Iterator[None]:
    """Let few files come in at once: each holds a thread for as long as its sender takes, and pages need some too."""
    places: BoundedSemaphore = request.app.state.uploads
    if not places.acquire(blocking=False):
        raise too_many(_AGAIN_SECONDS)
    try:
        yield
    finally:
        places.release()


FEW = [Depends(_one_of_few)]


@router.post("/imports/new", dependencies=FEW)
def upload(request: Request, visitor: VisitorDep, workspace: WorkspaceDep) -> Response:
    """Take the file, then go on to its columns; the same file again is pointed out there."""
    visitor.require("intake.receive", *_ROLES)
    chosen = ""
    try:
        form = _checked(request, visitor)
        chosen = form.fields.get("table", "")
        made = imports.receive(
            visitor.actor,
            workspace,
            form.file,
            filename=form.filename or "",
            table_name=chosen,
            key=form.fields.get("key", ""),
        )
    except (InputError, UsageError) as error:
        return _form(request, visitor, refused=error, chosen=chosen)
    return see_other(f"/imports/{made.id}/columns")


@router.post("/imports/{import_id}/mended", dependencies=FEW)
def mended(import_id: str, request: Request, visitor: VisitorDep, workspace: WorkspaceDep) -> Response:
    """Take a mended list: what was changed in it becomes corrections."""
    visitor.require("intake.mended", *_ROLES)
    try:
        form = _checked(request, visitor)
        done = imports.mended(
            visitor.actor,
            workspace,
            import_id[:60],
            form.file,
            filename=form.filename or "",
            key=form.fields.get("key", ""),
        )
    except (InputError, UsageError) as error:
        return import_pages.mending(request, visitor, workspace, import_id, refused=error)
    return see_other(f"/imports/{import_id}/rows", done="overruled" if done.overruled else "fixed")


def _checked(request: Request, visitor: VisitorDep) -> Form:
    """The form up to its file, if it carries its visitor's token and a file."""
    form = Form(request.headers.get("content-type", ""), pieces(request))
    if not hmac.compare_digest(form.fields.get("csrf", "").encode(), visitor.csrf.encode()):
        raise HTTPException(403, "csrf")
    if not form.filename:
        raise InputError("JQ-IMPORT-003")
    return form


@router.get("/imports/template/{name}")
def template(name: str, visitor: VisitorDep) -> Response:
    """An empty table to fill in."""
    visitor.require("intake.receive", *_ROLES)
    table, _, suffix = name.rpartition(".")
    described = schema(table)
    if f".{suffix}" not in FILES:
        raise UsageError("JQ-FILE-017", file=name, known=" / ".join(FILES))
    with TemporaryDirectory() as folder:
        made = write_template(described.name, Path(folder) / f"{described.name}.{suffix}", visitor.language)
        return _download(made)


def _download(path: Path) -> Response:
    return Response(
        path.read_bytes(),
        media_type=FILES[path.suffix],
        headers={"Content-Disposition": f'attachment; filename="{path.name}"', "Cache-Control": "no-store"},
    )


@router.get("/imports/{import_id}/findings.{suffix}")
def findings(import_id: str, suffix: str, visitor: VisitorDep, workspace: WorkspaceDep) -> Response:
    """All findings with their rows, for a spreadsheet."""
    found = import_pages.find(visitor, workspace, import_id)
    if f".{suffix}" not in FILES:
        raise UsageError("JQ-FILE-017", file=f"findings.{suffix}"[:60], known=" / ".join(FILES))
    with TemporaryDirectory() as folder:
        path = Path(folder) / f"findings.{suffix}"
        records.findings(workspace, found).export(path)
        return _download(path)


@router.get("/imports/{import_id}/mend.xlsx")
def mend_list(import_id: str, visitor: VisitorDep, workspace: WorkspaceDep) -> Response:
    """The rows to mend, for a spreadsheet; what is changed there can be uploaded as corrections."""
    found = import_pages.find(visitor, workspace, import_id)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "mend.xlsx"
        write_list(records.findings(workspace, found), path, found.id)
        return _download(path)


@api_router.put("/intake/receive", operation_id="intake.receive", summary="Upload a file 上传文件", dependencies=FEW)
def receive(
    request: Request,
    caller: ApiCallerDep,
    workspace: WorkspaceDep,
    file: Annotated[str, Query(min_length=1, max_length=500, description="what the file is called")],
    idempotency_key: Annotated[str, Header(min_length=8, max_length=200)],
    table: Annotated[str, Query(max_length=60)] = "organisations",
) -> Import:
    """Upload a file as the body of the request: CSV, Excel or Parquet. It is read as a job; then check and load it.

    Roles: analyst, operator.
    """
    caller.require_token()
    caller.require_scope(_RECEIVE)
    return imports.receive(
        caller.actor, workspace, pieces(request), filename=file, table_name=table, key=idempotency_key
    )
