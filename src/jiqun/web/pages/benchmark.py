"""Benchmark 对标: quoted figures of reference clusters, and one's own beside them; never ranked."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from jiqun.assess import benchmark_room as room
from jiqun.assess.benchmark_document import benchmark_document
from jiqun.atlas.reading import Which, find_run, searched
from jiqun.core.document import Document, Text
from jiqun.report.fragment import fragment
from jiqun.store import Workspace
from jiqun.web.pages import atlas_parts as parts
from jiqun.web.render import page
from jiqun.web.visitor import VisitorDep, WorkspaceDep

router = APIRouter()
MOST_CLUSTERS = 200


@router.get("/assess/benchmark")
def benchmark(request: Request, visitor: VisitorDep, workspace: WorkspaceDep) -> Response:
    """The references, with a cluster or a unit of the address beside them."""
    asked = _asked(request)
    room.benchmark_(visitor.actor, workspace, asked)
    tail = parts.suffix(_query(asked))
    document = _document(workspace, asked)
    body = fragment(
        document,
        visitor.language,
        twin=lambda table: {form: f"/assess/benchmark/{table.id}.{form}{tail}" for form in ("csv", "json")},
    )
    return page(
        request,
        visitor,
        "benchmark.html",
        document=document,
        body=body,
        asked=asked,
        tail=tail,
        clusters=_clusters(workspace),
        units=room.units_of(workspace),
    )


@router.get("/assess/benchmark.{form:ending}")
def benchmark_file(
    request: Request, visitor: VisitorDep, workspace: WorkspaceDep, form: parts.Form | parts.Twin
) -> Response:
    """The benchmark as a report; the references as CSV, everything as JSON."""
    asked = _asked(request)
    told = room.benchmark_(visitor.actor, workspace, asked)
    if form == "json":
        return parts.answer(request, told.model_dump_json().encode(), "application/json")
    document = _document(workspace, asked)
    if form == "csv":
        name = "beside" if asked.cluster_id or asked.unit else "references"
        return parts.table_answer(request, parts.find_table(document, name), "csv")
    return parts.file_answer(request, visitor, document, form)


@router.get("/assess/benchmark/{table}.{form:ending}")
def benchmark_table(
    request: Request, visitor: VisitorDep, workspace: WorkspaceDep, table: parts.Name, form: parts.Twin
) -> Response:
    """A table of the benchmark as CSV or JSON."""
    asked = _asked(request)
    room.benchmark_(visitor.actor, workspace, asked)
    return parts.table_answer(request, parts.find_table(_document(workspace, asked), table), form)


def _asked(request: Request) -> room.BenchmarkRequest:
    more = {"cluster_id": request.query_params["cluster"]} if request.query_params.get("cluster") else {}
    return parts.asked(request, room.BenchmarkRequest, **more)


def _query(asked: room.BenchmarkRequest) -> dict[str, str]:
    told = {
        "cluster": asked.cluster_id,
        "unit": asked.unit,
        "class": asked.digital,
        "run": asked.run,
        "as_of": asked.as_of,
    }
    return {name: value for name, value in told.items() if value}


def _document(workspace: Workspace, asked: room.BenchmarkRequest) -> Document:
    return benchmark_document(room.beside(workspace, asked))


def _clusters(workspace: Workspace) -> list[tuple[str, Text]]:
    if not searched(workspace):
        return []
    rows = find_run(workspace, Which()).clusters.head(MOST_CLUSTERS).select("cluster_id", "name_zh", "name_en").rows()
    return [(id_, Text(zh, en)) for id_, zh, en in rows]
