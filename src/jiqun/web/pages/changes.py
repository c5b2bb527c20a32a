"""What changed between two loads 变动: any two of a table, as a page that can be filtered, and as files."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import StreamingResponse

from jiqun.atlas import work as clusters
from jiqun.core.actor import Role
from jiqun.core.document import Text
from jiqun.core.errors import JiqunError, UsageError
from jiqun.core.schema import schema, schemas
from jiqun.intake import comparing, room
from jiqun.intake.changes import KINDS
from jiqun.store import Snapshot, Workspace
from jiqun.taxonomy import name as class_name
from jiqun.web.errors import checked
from jiqun.web.pages.import_files import FILES
from jiqun.web.pages.imports import FormDep, text_of
from jiqun.web.render import page, see_other
from jiqun.web.visitor import Visitor, VisitorDep, WorkspaceDep

router = APIRouter(prefix="/imports")

ROWS = 50
"""Changes on a page."""
_ROLES: tuple[Role, ...] = ("operator", "analyst")
_CLUSTERS = 20
_PIECE = 50_000
_DEFAULT = "organisations"


@dataclass(frozen=True)
class Load:
    """One load to choose from."""

    id: str
    words: str


@dataclass(frozen=True)
class Asked:
    """What an address asks for."""

    table: str
    old: str | None
    new: str | None
    kind: str | None
    text: str
    start: int

    @classmethod
    def of(cls, request: Request, workspace: Workspace) -> Asked:
        """As the address says; what it says wrongly is left out."""
        given = request.query_params
        loaded = [snapshot.table for snapshot in workspace.tables()]
        table = given.get("table", "")
        if table not in loaded:
            table = _DEFAULT if _DEFAULT in loaded or not loaded else loaded[0]
        kind = given.get("kind", "")
        start = given.get("start", "")
        return cls(
            table=table,
            old=given.get("old") or None,
            new=given.get("new") or None,
            kind=kind if kind in KINDS else None,
            text=given.get("q", "").strip()[:200],
            start=int(start) // ROWS * ROWS if start.isascii() and start.isdecimal() and len(start) < 10 else 0,
        )


@router.get("/changes")
def overview(request: Request, visitor: VisitorDep, workspace: WorkspaceDep) -> Response:
    """Two loads of a table compared, or what to do so that they are."""
    visitor.require("intake.changes", *_ROLES)
    asked = Asked.of(request, workspace)
    try:
        before, after = comparing.between(workspace, asked.table, asked.old, asked.new)
    except JiqunError as error:
        return _page(request, visitor, workspace, asked, refused=error)
    found = comparing.known(workspace, before, after)
    job = None
    if found is None and (wanted := request.query_params.get("job")):
        job = workspace.database.jobs.find(wanted[:60])
        job = job if job is not None and job.kind == "imports.compare" else None
    if found is not None and "hx-request" in request.headers:
        return Response(headers={"HX-Refresh": "true", "Cache-Control": "no-store"})
    return _page(request, visitor, workspace, asked, pair=(before, after), found=found, job=job)


def _page(
    request: Request,
    visitor: Visitor,
    workspace: Workspace,
    asked: Asked,
    *,
    pair: tuple[Snapshot, Snapshot] | None = None,
    found: comparing.Compared | None = None,
    job: Any = None,
    refused: JiqunError | None = None,
) -> Response:
    told: room.Differences | None = None
    rows: tuple[room.Change, ...] = ()
    if found is not None:
        wanted = room.ChangesRequest(
            table=asked.table, old=found.before.id, new=found.after.id, kind=asked.kind, text=asked.text, limit=1
        )
        told = room.changes(visitor.actor, workspace, wanted)
        shown = found.rows(asked.kind, asked.text).slice(asked.start, ROWS).collect().to_dicts()
        rows = tuple(map(room.Change.model_validate, shown))
    described = {one.name: Text(one.title_zh, one.title_en) for one in schemas().values()}
    first, _, rest = (refused.render(visitor.language) if refused else "").partition("\n")
    return page(
        request,
        visitor,
        "changes.html",
        keep=False,
        asked=asked,
        tables=[(one.table, described[one.table].get(visitor.language)) for one in workspace.tables()],
        loads=_loads(workspace, asked.table),
        pair=pair,
        told=told,
        rows=rows,
        job=job,
        attributes={one.name: Text(one.description_zh, one.description_en) for one in schema(asked.table).attributes},
        classes=_classes(told, rows),
        clusters_shown=_CLUSTERS,
        most_in_workbook=comparing.MOST_IN_WORKBOOK,
        refused=first.partition(" ")[2],
        hint=rest.strip(),
    )


def _loads(workspace: Workspace, table: str) -> tuple[Load, ...]:
    """Every snapshot of a table once, newest first."""
    loads = {one.id: one for one in reversed(workspace.history(table))} if table in schemas() else {}
    return tuple(
        Load(one.id, f"{one.as_of} · {one.source[:60]} · {one.rows:,}")
        for one in sorted(loads.values(), key=lambda one: -one.load)
    )


def _classes(told: room.Differences | None, rows: tuple[room.Change, ...]) -> dict[str, Text]:
    """What the classes on the page are called."""
    codes = {code for row in rows for code in (row.digital_before, row.digital_after) if code}
    if told is not None:
        codes |= {code for old, new, _ in told.summary.divisions for code in (old, new) if code}
        codes |= {effect.digital for effect in told.effects if effect.digital}
    return {code: Text(class_name(code, "zh"), class_name(code, "en")) for code in codes}


@router.post("/changes")
def compare(form: FormDep, visitor: VisitorDep, workspace: WorkspaceDep) -> Response:
    """Begin a comparison."""
    asked = checked(room.Loads, table=text_of(form, "table"), old=text_of(form, "old"), new=text_of(form, "new"))
    queued = room.compare(visitor.actor, workspace, asked, key=text_of(form, "key"))
    job = f"&job={queued.job}" if queued.job else ""
    return see_other(f"/imports/changes?table={asked.table}&old={queued.old}&new={queued.new}{job}")


@router.post("/changes/search")
def search(form: FormDep, visitor: VisitorDep, workspace: WorkspaceDep) -> Response:
    """Begin the search for clusters in what is loaded now."""
    queued = clusters.run(visitor.actor, workspace, clusters.RunRequest(), key=text_of(form, "key"))
    return see_other(f"/jobs/{queued.job}")


@router.get("/changes.{suffix}")
def download(suffix: str, request: Request, visitor: VisitorDep, workspace: WorkspaceDep) -> Response:
    """The changes that the page would list, all of them, as a file."""
    visitor.require("intake.changes", *_ROLES)
    asked = Asked.of(request, workspace)
    found = comparing.known(workspace, *comparing.between(workspace, asked.table, asked.old, asked.new))
    if found is None:
        raise UsageError("JQ-IMPORT-028")
    name = f"changes-{asked.table}-{found.after.as_of}.{suffix}"
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    if suffix == "json":
        lines = _lines(found, asked)
        return StreamingResponse(lines, media_type="application/json", headers=headers)
    if f".{suffix}" not in FILES:
        raise UsageError("JQ-FILE-017", file=name[:80], known=" / ".join((*FILES, ".json")))
    with TemporaryDirectory() as folder:
        path = Path(folder) / f"changes.{suffix}"
        found.export(path, asked.kind, asked.text)
        return Response(path.read_bytes(), media_type=FILES[path.suffix], headers=headers)


def _lines(found: comparing.Compared, asked: Asked) -> Iterator[bytes]:
    """A JSON list, a row at a time."""
    begin = b"["
    for part in found.rows(asked.kind, asked.text).collect_batches(chunk_size=_PIECE, maintain_order=True):
        for row in part.to_dicts():
            yield begin + b"\n" + room.Change.model_validate(row).model_dump_json().encode()
            begin = b","
    yield b"[]\n" if begin == b"[" else b"\n]\n"
