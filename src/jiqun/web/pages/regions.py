"""Regions 地区: the list, and one region with its clusters."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Request, Response

from jiqun.atlas import operations as atlas
from jiqun.atlas.chain_desk import stamp
from jiqun.atlas.documents import region_document
from jiqun.atlas.documents.tables import regions_table
from jiqun.atlas.reading import find_run, searched
from jiqun.atlas.subject import subject_of
from jiqun.core.document import Text
from jiqun.web.pages import atlas_parts as parts
from jiqun.web.pages.follow import following
from jiqun.web.render import page
from jiqun.web.visitor import VisitorDep, WorkspaceDep

router = APIRouter()
SORTS = {
    "firms": Text("企业数", "firms"),
    "lq": Text("按人口算的密度", "density by population"),
    "name": Text("名称", "name"),
}
Code = Annotated[str, Path(pattern=r"^[A-Z]{2}(\.[0-9A-Z]{1,10})?$")]


@router.get("/regions")
def regions(request: Request, visitor: VisitorDep, workspace: WorkspaceDep) -> Response:
    """The regions that hold firms, fifty to a page."""
    asked = parts.asked(request, atlas.RegionsRequest)
    if not searched(workspace):
        atlas.tables(visitor.actor, workspace, atlas.TablesRequest())
        return page(request, visitor, "regions.html", run=None)
    shown = atlas.regions(visitor.actor, workspace, asked)
    run = find_run(workspace, asked)
    return page(
        request,
        visitor,
        "regions.html",
        run=run,
        shown=shown,
        asked=asked,
        sorts=SORTS,
        subject=subject_of(workspace, run.result),
        tail=parts.suffix(parts.run_query(run)),
        twin=parts.list_twin(request, "/regions"),
    )


@router.get("/regions.{form:ending}")
def regions_twin(request: Request, visitor: VisitorDep, workspace: WorkspaceDep, form: parts.Twin) -> Response:
    """All regions that the filters leave, as CSV or JSON."""
    asked = parts.asked(request, atlas.RegionsRequest)
    atlas.regions(visitor.actor, workspace, asked.model_copy(update={"cursor": None, "limit": 1}))
    run = find_run(workspace, asked)
    rows = atlas.sorted_regions(run, asked).to_dicts()
    table = regions_table("regions", Text("地区", "Regions"), rows, subject_of(workspace, run.result), run.as_of)
    return parts.table_answer(request, table, form)


@router.get("/regions/{code}.{form:ending}")
def region_file(
    request: Request, visitor: VisitorDep, workspace: WorkspaceDep, code: Code, form: parts.Form | parts.Twin
) -> Response:
    """One region as a file: the report, its clusters as CSV, its figures as JSON."""
    asked = parts.asked(request, atlas.RegionRequest, region=code)
    told = atlas.region(visitor.actor, workspace, asked)
    run = find_run(workspace, asked)
    if form == "json":
        return parts.answer(request, told.model_dump_json().encode(), "application/json")
    document = region_document(workspace, run.result, code)
    if form == "csv":
        wanted = "clusters-table" if told.clusters else "regions-table"
        return parts.table_answer(request, parts.find_table(document, wanted), form)
    return parts.file_answer(request, visitor, document, form)


@router.get("/regions/{code}")
def region(request: Request, visitor: VisitorDep, workspace: WorkspaceDep, code: Code) -> Response:
    """One region, its clusters, and the regions of near rank."""
    asked = parts.asked(request, atlas.RegionRequest, region=code)
    told = atlas.region(visitor.actor, workspace, asked)
    run = find_run(workspace, asked)
    drawn = parts.drawn(
        run,
        f"/regions/{code}",
        visitor.language,
        lambda: region_document(workspace, run.result, code, linked=True),
        beside=stamp(workspace),
    )
    return page(
        request,
        visitor,
        "region.html",
        told=told,
        drawn=drawn,
        run=run,
        tail=parts.suffix(parts.run_query(run)),
        following=following(visitor, workspace, "region", code),
    )


@router.get("/regions/{code}/{table}.{form:ending}")
def region_table(
    request: Request, visitor: VisitorDep, workspace: WorkspaceDep, code: Code, table: parts.Name, form: parts.Twin
) -> Response:
    """A table of a region's page as CSV or JSON."""
    asked = parts.asked(request, atlas.RegionRequest, region=code)
    atlas.region(visitor.actor, workspace, asked)
    run = find_run(workspace, asked)
    return parts.table_answer(request, parts.find_table(region_document(workspace, run.result, code), table), form)
