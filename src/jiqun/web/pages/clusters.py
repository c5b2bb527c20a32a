"""Clusters 集群: the list, one cluster from its sentence to its rows, its members, and a new search."""

from __future__ import annotations

from contextlib import suppress
from typing import Annotated

from fastapi import APIRouter, Form, Path, Request, Response
from starlette.exceptions import HTTPException

from jiqun.assess import operations as assess
from jiqun.atlas import operations as atlas
from jiqun.atlas import work
from jiqun.atlas.chain_desk import stamp
from jiqun.atlas.documents import atlas_document, cluster_document, measures_beside
from jiqun.atlas.documents.tables import clusters_table
from jiqun.atlas.listing import EVENTS, country_text
from jiqun.atlas.map import near, written
from jiqun.atlas.network_desk import KIND as NETWORK
from jiqun.atlas.reading import Run, Which, current_links, find_run, searched, sees_all
from jiqun.atlas.subject import subject_of
from jiqun.core.document import Document, Text
from jiqun.core.sheets import neutralise
from jiqun.report.fragment import fragment
from jiqun.report.markup import LANGUAGES
from jiqun.store import Workspace
from jiqun.taxonomy import name as class_name
from jiqun.taxonomy.tables import digital_entries
from jiqun.web.pages import atlas_parts as parts
from jiqun.web.pages.follow import following
from jiqun.web.render import environment, page, see_other
from jiqun.web.visitor import Visitor, VisitorDep, WorkspaceDep

router = APIRouter()
SORTS = {
    "evidence": Text("证据强弱", "strength of evidence"),
    "firms": Text("企业数", "firms"),
    "ratio": Text("相对期望的倍数", "ratio to expectation"),
    "name": Text("名称", "name"),
}
Id = Annotated[str, Path(pattern=r"^c\d{4,9}$")]
Key = Annotated[str, Form(min_length=8, max_length=200)]


def prepare(workspace: Workspace) -> None:
    """Read and draw once what every page of a cluster rests on: templates, coastlines, the tables of the run."""
    with suppress(Exception):  # a run that cannot be read is told on its own page, and the console starts
        run = find_run(workspace, Which())
        document = cluster_document(workspace, run.result, str(run.clusters["cluster_id"].first()), linked=True)
        for language in LANGUAGES:
            for template in ("base.html", "cluster.html"):
                environment(language).get_template(template)
            fragment(document, language, twin=lambda _: {})


@router.get("/clusters")
def clusters(request: Request, visitor: VisitorDep, workspace: WorkspaceDep) -> Response:
    """The clusters of a run, filtered by the address, fifty to a page."""
    asked = parts.asked(request, atlas.ClustersRequest)
    if not searched(workspace):
        atlas.runs(visitor.actor, workspace, atlas.RunsRequest(limit=1))
        return page(request, visitor, "clusters.html", run=None, loaded=bool(workspace.history("organisations")))
    shown = atlas.clusters(visitor.actor, workspace, asked)
    run = find_run(workspace, asked)
    subject = subject_of(workspace, run.result)
    codes = run.clusters["country"].drop_nulls().unique().sort()
    return page(
        request,
        visitor,
        "clusters.html",
        run=run,
        shown=shown,
        asked=asked,
        subject=subject,
        events=EVENTS,
        sorts=SORTS,
        countries=sorted(((code, country_text(code)) for code in codes), key=lambda one: one[1].get(visitor.language)),
        country_text=country_text,
        classes=[(code, _class_text(code)) for code in searched(workspace)],
        runs=workspace.results(run.result.kind),
        tail=parts.suffix(parts.run_query(run)),
        twin=parts.list_twin(request, "/clusters"),
    )


@router.get("/clusters.{form:ending}")
def clusters_twin(request: Request, visitor: VisitorDep, workspace: WorkspaceDep, form: parts.Twin) -> Response:
    """All clusters that the filters leave, as CSV or JSON."""
    asked = parts.asked(request, atlas.ClustersRequest)
    atlas.clusters(visitor.actor, workspace, asked.model_copy(update={"cursor": None, "limit": 1}))
    run = find_run(workspace, asked)
    rows = atlas.filtered(workspace, run, asked).to_dicts()
    table = clusters_table("clusters", Text("集群", "Clusters"), rows, subject_of(workspace, run.result), run.as_of)
    return parts.table_answer(request, table, form)


@router.get("/atlas.{form:ending}")
def atlas_file(request: Request, visitor: VisitorDep, workspace: WorkspaceDep, form: parts.Form) -> Response:
    """The report of a whole run as a file."""
    asked = parts.asked(request, Which)
    atlas.clusters(visitor.actor, workspace, atlas.ClustersRequest(limit=1, **asked.model_dump()))
    run = find_run(workspace, asked)
    document = atlas_document(
        run.result,
        subject_of(workspace, run.result),
        measures_beside(visitor.actor, workspace, run.result),
        full=sees_all(visitor.actor),
        each=False,
    )
    return parts.file_answer(request, visitor, document, form)


@router.get("/clusters/new")
def new(request: Request, visitor: VisitorDep, workspace: WorkspaceDep) -> Response:
    """A form for a new search."""
    visitor.require("atlas.run", *work.run.roles)
    return page(
        request,
        visitor,
        "cluster_new.html",
        loaded=bool(workspace.history("organisations")),
        classes=[(code, _class_text(code)) for code in sorted(digital_entries()) if len(code) <= 4],
    )


@router.post("/clusters/new")
def run_search(
    visitor: VisitorDep,
    workspace: WorkspaceDep,
    key: Key,
    digital: Annotated[str, Form(alias="class", max_length=6)] = "",
    eps_km: Annotated[str, Form(max_length=12)] = "",
    floor: Annotated[str, Form(max_length=12)] = "",
) -> Response:
    """Queue a search and go to its job; what is left empty is as in the last search of the class."""
    said = {"digital": digital, "eps_km": eps_km, "floor": floor}
    try:
        wanted = work.RunRequest.model_validate({name: value for name, value in said.items() if value})
    except ValueError as error:
        raise HTTPException(422) from error
    return see_other(f"/jobs/{work.run(visitor.actor, workspace, wanted, key=key).job}")


@router.get("/clusters/{cluster_id}.{form:ending}")
def cluster_file(
    request: Request, visitor: VisitorDep, workspace: WorkspaceDep, cluster_id: Id, form: parts.Form | parts.Twin
) -> Response:
    """One cluster as a file: the report, its members as CSV, its figures as JSON."""
    asked = parts.asked(request, atlas.ClusterRequest, cluster_id=cluster_id)
    told = atlas.cluster(visitor.actor, workspace, asked)
    run = find_run(workspace, asked)
    if form == "json":
        return parts.answer(request, told.model_dump_json().encode(), "application/json")
    if form == "csv":
        sheet = _members_sheet(visitor, run, cluster_id)
        return parts.answer(request, sheet, "text/csv; charset=utf-8", name=f"{cluster_id}-members.csv")
    return parts.file_answer(request, visitor, _document(visitor, workspace, run, cluster_id), form)


@router.get("/clusters/{cluster_id}")
def cluster(request: Request, visitor: VisitorDep, workspace: WorkspaceDep, cluster_id: Id) -> Response:
    """One cluster, from its sentence to its rows."""
    asked = parts.asked(request, atlas.ClusterRequest, cluster_id=cluster_id)
    told = atlas.cluster(visitor.actor, workspace, asked)
    run = find_run(workspace, asked)
    links, analysed = current_links(workspace), workspace.result(NETWORK)
    drawn = parts.drawn(
        run,
        f"/clusters/{cluster_id}",
        visitor.language,
        lambda: _document(visitor, workspace, run, cluster_id, linked=True),
        full=sees_all(visitor.actor),
        beside=f"{links.id if links else ''} {analysed.id if analysed else ''} {stamp(workspace)}",
    )
    return page(
        request,
        visitor,
        "cluster.html",
        told=told,
        drawn=drawn,
        run=run,
        subject=subject_of(workspace, run.result),
        tail=parts.suffix(parts.run_query(run)),
        around=parts.suffix({**parts.run_query(run), "bbox": written(near(told.cluster.lon, told.cluster.lat)) or ""}),
        following=following(visitor, workspace, "cluster", f"{run.result.kind}/{cluster_id}"),
        stands=_stands(visitor, workspace, run, cluster_id),
    )


@router.get("/clusters/{cluster_id}/members")
def members(request: Request, visitor: VisitorDep, workspace: WorkspaceDep, cluster_id: Id) -> Response:
    """The members of a cluster, fifty to a page."""
    asked = parts.asked(request, atlas.MembersRequest, cluster_id=cluster_id)
    shown = atlas.members(visitor.actor, workspace, asked)
    run = find_run(workspace, asked)
    return page(
        request,
        visitor,
        "members.html",
        shown=shown,
        run=run,
        row=run.row(cluster_id),
        subject=subject_of(workspace, run.result),
        tail=parts.suffix(parts.run_query(run)),
        class_text=_class_text,
    )


@router.get("/clusters/{cluster_id}/{table}.{form:ending}")
def cluster_table(
    request: Request,
    visitor: VisitorDep,
    workspace: WorkspaceDep,
    cluster_id: Id,
    table: parts.Name,
    form: parts.Twin,
) -> Response:
    """A table of a cluster's page as CSV or JSON."""
    asked = parts.asked(request, atlas.ClusterRequest, cluster_id=cluster_id)
    atlas.cluster(visitor.actor, workspace, asked)
    run = find_run(workspace, asked)
    document = _document(visitor, workspace, run, cluster_id)
    return parts.table_answer(request, parts.find_table(document, table), form)


def _document(visitor: Visitor, workspace: Workspace, run: Run, cluster_id: str, *, linked: bool = False) -> Document:
    return cluster_document(workspace, run.result, cluster_id, full=sees_all(visitor.actor), linked=linked)


def _members_sheet(visitor: Visitor, run: Run, cluster_id: str) -> bytes:
    """All members as CSV, with the columns that the visitor may see; by Polars, for there may be very many."""
    frame = atlas.visible(run.members(cluster_id), run, full=sees_all(visitor.actor))
    return neutralise(frame).write_csv(include_bom=True).encode()


def _class_text(code: str | None) -> Text:
    if code is None:
        return Text("全部企业", "all firms")
    return Text(f"{code} {class_name(code, 'zh')}", f"{code} {class_name(code, 'en')}")


def _stands(visitor: Visitor, workspace: Workspace, run: Run, cluster_id: str) -> list[assess.StandingRow]:
    """How the cluster stands in the indices that rate this very run."""
    told = assess.standing(visitor.actor, workspace, assess.StandingRequest(cluster_id=cluster_id))
    return [row for row in told.rows if row.run == run.id]
