"""Method 方法: what each measure is, in words and as a formula, with the settings of the run that is shown."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from starlette.exceptions import HTTPException

from jiqun.atlas.documents import Told
from jiqun.atlas.glossary import TOPICS, Explained, measures
from jiqun.atlas.reading import READERS, Which, find_run, searched
from jiqun.atlas.subject import subject_of
from jiqun.core.document import Column, Table, Text
from jiqun.report.fragment import fragment
from jiqun.report.markup import Html
from jiqun.store import Workspace
from jiqun.web.pages import atlas_parts as parts
from jiqun.web.render import page
from jiqun.web.visitor import Visitor, VisitorDep, WorkspaceDep

router = APIRouter()


@router.get("/method")
def method(request: Request, visitor: VisitorDep, workspace: WorkspaceDep) -> Response:
    """Every measure, by topic."""
    visitor.require("atlas.method", *READERS)
    topics = [(name, title, _of(name)) for name, title in TOPICS.items()]
    return page(request, visitor, "method.html", topics=topics, settings=_settings(request, visitor, workspace))


@router.get("/method.{form:ending}")
def method_twin(request: Request, visitor: VisitorDep, form: parts.Twin) -> Response:
    """Every measure as CSV or JSON."""
    visitor.require("atlas.method", *READERS)
    columns = (
        Column("key", Text("键", "Key"), "code"),
        Column("name", Text("指标", "Measure")),
        Column("unit", Text("单位", "Unit")),
        Column("formula", Text("公式", "Formula")),
        Column("meaning", Text("含义", "Meaning")),
        Column("source", Text("出处", "Source")),
    )
    rows = [(one.key, one.name, one.unit, one.formula, one.meaning, one.source) for one in measures().values()]
    return parts.table_answer(request, Table("measures", Text("指标", "Measures"), columns, rows, Text("", "")), form)


@router.get("/method/{key}")
def measure(request: Request, visitor: VisitorDep, workspace: WorkspaceDep, key: parts.Name) -> Response:
    """One measure, and how the search decides where it depends on that."""
    visitor.require("atlas.method", *READERS)
    one = measures().get(key)
    if one is None:
        raise HTTPException(404)
    settings = _settings(request, visitor, workspace) if one.topic == "clusters" else None
    others = [other for other in _of(one.topic) if other.key != key]
    return page(request, visitor, "measure.html", one=one, topic=TOPICS[one.topic], others=others, settings=settings)


def _of(topic: str) -> list[Explained]:
    return [one for one in measures().values() if one.topic == topic]


def _settings(request: Request, visitor: Visitor, workspace: Workspace) -> Html | None:
    """How the run that the address names decided, in words with its parameters; None where there is none."""
    if not searched(workspace):
        return None
    run = find_run(workspace, parts.asked(request, Which))
    told = Told(run.result, subject_of(workspace, run.result), run.clusters)
    return fragment(told.method().blocks, visitor.language, twin=lambda _: {})
