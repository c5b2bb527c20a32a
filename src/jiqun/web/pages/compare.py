"""Compare 比较: up to ten clusters, or regions, side by side."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlencode

from fastapi import APIRouter, Request, Response

from jiqun.atlas import operations as atlas
from jiqun.atlas.documents import compare_document
from jiqun.atlas.reading import Run, find_run, searched
from jiqun.core.document import Document
from jiqun.store import Workspace
from jiqun.web.pages import atlas_parts as parts
from jiqun.web.render import page
from jiqun.web.visitor import VisitorDep, WorkspaceDep

router = APIRouter()
CHOICES = 200
"""How many are offered to be added; others are reached from their own page."""


@router.get("/compare")
def compare(request: Request, visitor: VisitorDep, workspace: WorkspaceDep) -> Response:
    """The clusters or regions that the address names, side by side, and others to add."""
    asked = parts.asked(request, atlas.CompareRequest)
    if not searched(workspace):
        atlas.tables(visitor.actor, workspace, atlas.TablesRequest())
        return page(request, visitor, "compare.html", run=None)
    told = atlas.compare(visitor.actor, workspace, asked)
    run = find_run(workspace, asked)
    chosen = [row.cluster_id for row in told.clusters]
    regions = [row.region for row in told.regions] if not chosen else []
    kind = "r" if regions or (request.query_params.get("of") == "regions" and not chosen) else "c"
    query = parts.run_query(run)
    drawn = None
    if chosen or regions:
        drawn = parts.drawn(
            run, f"/compare?{_named(chosen, regions)}", visitor.language, _maker(workspace, run, chosen, regions)
        )
    return page(
        request,
        visitor,
        "compare.html",
        run=run,
        drawn=drawn,
        kind=kind,
        named=query,
        chosen=_chosen(told, kind, query),
        kept=chosen or regions,
        others=_others(run, kind, {*chosen, *regions}),
        most=atlas.MOST_COMPARED,
        address=urlencode([*query.items(), *_pairs(chosen, regions)]),
    )


@router.get("/compare.{form:ending}")
def compare_file(
    request: Request, visitor: VisitorDep, workspace: WorkspaceDep, form: parts.Form | parts.Twin
) -> Response:
    """The comparison as a file, its table as CSV or JSON."""
    return _answer(request, visitor, workspace, form, "measures")


@router.get("/compare/{table}.{form:ending}")
def compare_table(
    request: Request, visitor: VisitorDep, workspace: WorkspaceDep, table: parts.Name, form: parts.Twin
) -> Response:
    """The table of a comparison as CSV or JSON."""
    return _answer(request, visitor, workspace, form, table)


def _answer(
    request: Request, visitor: VisitorDep, workspace: Workspace, form: parts.Form | parts.Twin, table: str
) -> Response:
    asked = parts.asked(request, atlas.CompareRequest)
    told = atlas.compare(visitor.actor, workspace, asked)
    run = find_run(workspace, asked)
    chosen = [row.cluster_id for row in told.clusters]
    regions = [row.region for row in told.regions] if not chosen else []
    document = _maker(workspace, run, chosen, regions, linked=False)()
    if form == "csv" or form == "json":  # noqa: PLR1714  # so that mypy sees what is left
        return parts.table_answer(request, parts.find_table(document, table), form)
    return parts.file_answer(request, visitor, document, form)


def _maker(
    workspace: Workspace, run: Run, clusters: list[str], regions: list[str], *, linked: bool = True
) -> Callable[[], Document]:
    return lambda: compare_document(workspace, run.result, clusters=clusters, regions=regions, linked=linked)


def _pairs(clusters: list[str], regions: list[str]) -> list[tuple[str, str]]:
    return [*(("c", one) for one in clusters), *(("r", one) for one in regions)]


def _named(clusters: list[str], regions: list[str]) -> str:
    return urlencode(_pairs(clusters, regions))


def _chosen(told: atlas.CompareAnswer, kind: str, query: dict[str, str]) -> list[tuple[str, str, str]]:
    """Names in both languages of what is compared, and the address without it."""
    rows: list[tuple[str, atlas.ClusterRow | atlas.RegionRow]] = (
        [(one.cluster_id, one) for one in told.clusters] if kind == "c" else [(one.region, one) for one in told.regions]
    )
    ids = [id_ for id_, _ in rows]
    return [
        (one.name_zh, one.name_en, "/compare?" + urlencode([*query.items(), *((kind, i) for i in ids if i != id_)]))
        for id_, one in rows
    ]


def _others(run: Run, kind: str, chosen: set[str]) -> list[tuple[str, str, str]]:
    """What can be added: id and names."""
    key = "cluster_id" if kind == "c" else "region"
    frame = run.clusters if kind == "c" else run.regions
    if frame.is_empty():
        return []
    rows = frame.select(key, "name_zh", "name_en").head(CHOICES).iter_rows()
    return [row for row in rows if row[0] not in chosen]
