"""The map 地图: clusters, firms or regions of a run, filtered and moved by the address alone."""

from __future__ import annotations

import json

import shapely
from fastapi import APIRouter, Request, Response

from jiqun.atlas.listing import country_text
from jiqun.atlas.located import CHINA, provinces
from jiqun.atlas.map import MapFeature, MapRequest, MapView, around, map_view, moved, near, unlinked, written
from jiqun.atlas.operations import RunsRequest, runs
from jiqun.atlas.outline import feature_collection
from jiqun.atlas.reading import searched
from jiqun.atlas.subject import noun, subject_of
from jiqun.core.document import Document, Text
from jiqun.report.fragment import fragment
from jiqun.report.markup import Html
from jiqun.store import Workspace
from jiqun.web.pages import atlas_parts as parts
from jiqun.web.render import here, page
from jiqun.web.visitor import Visitor, VisitorDep, WorkspaceDep

router = APIRouter()
LISTED = 20
"""Clusters that can be looked at closer and compared from the list below the map."""
_LAYERS = {"clusters": Text("集群", "Clusters"), "firms": Text("企业", "Firms"), "regions": Text("地区", "Regions")}
_VIEWS = {"world": Text("世界", "World"), "china": Text("中国", "China")}
_MEASURES = {"firms": Text("企业数", "Firms"), "lq": Text("区位熵", "Location quotient")}


@router.get("/map")
def map_page(request: Request, visitor: VisitorDep, workspace: WorkspaceDep) -> Response:
    """The map, its filters, its list and its files."""
    asked = parts.asked(request, MapRequest)
    if not searched(workspace):
        runs(visitor.actor, workspace, RunsRequest(limit=1))
        return page(request, visitor, "map.html", run=None, loaded=bool(workspace.history("organisations")))
    view = map_view(visitor.actor, workspace, asked)
    query = parts.suffix(parts.run_query(view.run))
    twin = parts.list_twin(request, "/map")
    return page(
        request,
        visitor,
        "map.html",
        run=view.run,
        view=view,
        asked=asked,
        body=_drawn(request, visitor, view, query),
        layers=_LAYERS,
        views=_VIEWS,
        measures=_MEASURES,
        classes=[(code, noun(code)) for code in searched(workspace)],
        places=_places(workspace, visitor, view),
        runs=workspace.results(view.run.result.kind),
        listed=view.features[:LISTED] if asked.layer == "clusters" else (),
        closer=lambda feature: here(request, bbox=written(near(feature.lon, feature.lat))),
        moves=_moves(request, visitor, view),
        query=query,
        twin=twin,
    )


@router.get("/map.geojson")
def map_geojson(request: Request, visitor: VisitorDep, workspace: WorkspaceDep) -> Response:
    """What the map shows, for a GIS: outlines of clusters, else points."""
    view = map_view(visitor.actor, workspace, parts.asked(request, MapRequest))
    return parts.answer(request, _geojson(view), "application/geo+json", name="map.geojson")


@router.get("/map.{form:ending}")
def map_file(
    request: Request,
    visitor: VisitorDep,
    workspace: WorkspaceDep,
    form: parts.Twin | parts.Form,
) -> Response:
    """What the map shows: as a table or as a report."""
    view = map_view(visitor.actor, workspace, parts.asked(request, MapRequest))
    if form == "csv" or form == "json":  # noqa: PLR1714  # narrows the type
        return parts.table_answer(request, view.figure.table, form)
    subject = subject_of(workspace, view.run.result)
    document = Document(
        title=view.figure.title,
        subtitle=Text(
            f"{subject.register.zh} · 截至 {view.run.as_of}", f"{subject.register.en} · as of {view.run.as_of}"
        ),
        blocks=(unlinked(view.figure),),
        lineage=view.run.result.lineage,
        attributions=subject.attributions,
    )
    return parts.file_answer(request, visitor, document, form)


def _drawn(request: Request, visitor: Visitor, view: MapView, query: str) -> Html:
    def href(anchor: str) -> str:
        path, _, own = anchor.partition("?")
        return f"/{path}?{own}{query.replace('?', '&', 1)}" if own else f"/{path}{query}"

    twin = parts.list_twin(request, "/map")
    return fragment(
        [view.figure], visitor.language, twin=lambda _: {form: twin(form) for form in ("csv", "json")}, href=href
    )


def _places(workspace: Workspace, visitor: Visitor, view: MapView) -> list[tuple[str, Text]]:
    """What the map can be narrowed to: provinces of China, or countries."""
    if view.base == "china":
        rows = provinces(workspace.cache).select("region", "name_zh", "name_en").iter_rows()
        return [(region, Text(zh, en)) for region, zh, en in rows]
    codes = set(view.run.clusters["country"].drop_nulls()) | set(CHINA[:1])
    named = [(code, country_text(code)) for code in codes]
    return sorted(named, key=lambda one: one[1].get(visitor.language))


def _moves(request: Request, visitor: Visitor, view: MapView) -> list[tuple[str, str, str]]:
    """Addresses of the map moved and zoomed: sign, words, address. Without a part only closer and, then, all of it."""
    say = visitor.say
    if view.extent is None:
        return [("＋", say("Closer"), here(request, bbox=written(around(view.features))))]
    steps = (
        ("＋", say("Closer"), {"zoom": 2.0}),
        ("－", say("Farther"), {"zoom": 0.5}),
        ("←", say("West"), {"right": -0.5}),
        ("→", say("East"), {"right": 0.5}),
        ("↑", say("North"), {"up": 0.5}),
        ("↓", say("South"), {"up": -0.5}),
    )
    found = [(sign, words, here(request, bbox=written(moved(view.extent, **by)))) for sign, words, by in steps]
    return [*found, ("▢", say("Whole map"), here(request, bbox=None))]


def _geojson(view: MapView) -> bytes:
    hulls = dict(view.run.clusters.select("cluster_id", "hull_wkt").iter_rows())
    placed = [feature for feature in view.features if feature.lon is not None]
    shapes = [shapely.from_wkt(hulls[f.id]) if f.id in hulls else shapely.Point(f.lon, f.lat) for f in placed]
    return json.dumps(feature_collection(shapes, [_properties(f) for f in placed]), ensure_ascii=False).encode()


def _properties(feature: MapFeature) -> dict[str, object]:
    return feature.model_dump(include={"id", "name_zh", "name_en", "firms", "ratio"})
