"""An institution's approved base map 官方底图: drawn instead of the one that the package ships, with its 审图号.

A workspace's folder `basemap` holds `china.geojson` (RFC 7946, WGS-84 or CGCS2000) and `basemap.toml` with `approval`
(the number printed with the map) and `credit_zh`, `credit_en`. Features are the 34 divisions (polygons with `adcode`),
`"kind": "dash"` (lines of the South China Sea) and `"kind": "undefined"` (parts of the outline not settled).
"""

from __future__ import annotations

import json
import re
import tomllib
from collections import defaultdict
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import shapely

from jiqun.core.arrays import Booleans, Floats
from jiqun.core.document import BaseMap, Division, Text
from jiqun.core.errors import WorkspaceError
from jiqun.report import china

FOLDER, MAP, FACTS = "basemap", "china.geojson", "basemap.toml"
MOST_BYTES = 20_000_000
MOST_POINTS = 400_000
LEAST_DASHES = 9
_APPROVAL = re.compile(r"[\u4e00-\u9fff]{0,3}[A-Z]{0,2}S\s?[(（]\d{4}[)）]\s?\d{1,6}\s?号")
_MOST_CREDIT = 60
_MOST_FACTS_BYTES = 4000
_ISLET = 0.08


def official(workspace: Path) -> BaseMap | None:
    """The approved base map of a workspace's folder, None where it has none.

    Raises
    ------
    WorkspaceError
        JQ-MAP-001: the files are there but cannot be used; says why.
    """
    path = workspace / FOLDER / MAP
    facts = path.with_name(FACTS)
    try:
        stamps = tuple((at.stat().st_mtime_ns, at.stat().st_size) for at in (path, facts))
    except FileNotFoundError:
        if path.exists():
            raise WorkspaceError("JQ-MAP-001", path=path, reason=f"+ {FACTS}") from None
        return None
    if stamps[0][1] > MOST_BYTES or stamps[1][1] > _MOST_FACTS_BYTES:
        raise WorkspaceError("JQ-MAP-001", path=path, reason=f"> {MOST_BYTES:,} B")
    return _read(path, facts, stamps)


@lru_cache(maxsize=2)
def _read(path: Path, facts: Path, _stamps: tuple[tuple[int, int], ...]) -> BaseMap:
    try:
        told = tomllib.loads(facts.read_text(encoding="utf-8"))
        features = json.loads(path.read_bytes())["features"]
        return _base(features, told)
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError, shapely.errors.ShapelyError) as error:
        raise WorkspaceError("JQ-MAP-001", path=path, reason=f"{type(error).__name__}: {error}") from error


def _base(features: Any, told: dict[str, Any]) -> BaseMap:
    approval, thanks = str(told["approval"]).strip(), (str(told["credit_zh"]), str(told["credit_en"]))
    if not _APPROVAL.fullmatch(approval):
        raise ValueError(f"approval {approval!r}: GS(2024)0650号")
    if any(not 0 < len(credit) <= _MOST_CREDIT for credit in thanks):
        raise ValueError(f"credit_zh, credit_en: 1–{_MOST_CREDIT}")
    polygons: dict[str, list[Any]] = defaultdict(list)
    lines: dict[str, list[Floats]] = {"dash": [], "undefined": []}
    points = 0
    for feature in features:
        shape = shapely.from_geojson(json.dumps(feature["geometry"]), on_invalid="raise")
        points += shapely.get_num_coordinates(shape)
        if points > MOST_POINTS:
            raise ValueError(f"> {MOST_POINTS:,} points")
        properties = feature["properties"]
        if shape.geom_type in {"LineString", "MultiLineString"}:
            lines[properties["kind"]] += [shapely.get_coordinates(part) for part in shapely.get_parts(shape)]
        elif shape.geom_type in {"Polygon", "MultiPolygon"}:
            polygons[str(properties["adcode"])] += shapely.get_parts(shape).tolist()
        else:
            raise ValueError(shape.geom_type)
    shipped = {division.code: division for division in china.builtin().divisions}
    if polygons.keys() != shipped.keys():
        raise ValueError(f"adcode: {', '.join(sorted(polygons.keys() ^ shipped.keys()))}")
    if len(lines["dash"]) < LEAST_DASHES:
        raise ValueError(f"dash: {len(lines['dash'])} < {LEAST_DASHES}")
    divisions = tuple(_division(code, polygons[code], shipped[code].at) for code in shipped)
    base = BaseMap(divisions, tuple(lines["dash"]), tuple(lines["undefined"]), Text(*thanks), approval)
    lost = [part[~shown(part)] for part in vertices(base)]
    outside = np.concatenate(lost)
    if len(outside):
        raise ValueError(f"{outside[0].tolist()} is outside the frame")
    return base


def _division(code: str, parts: list[Any], at: tuple[float, float]) -> Division:
    area = shapely.area(parts)
    small = (area < _ISLET**2) & (area < area.max())
    outlines = tuple(
        tuple(shapely.get_coordinates(ring)[:-1] for ring in (part.exterior, *part.interiors))
        for part, islet in zip(parts, small, strict=True)
        if not islet
    )
    islets = shapely.get_coordinates(shapely.point_on_surface(np.array(parts, dtype=object)[small]))
    return Division(code, at, outlines, islets.reshape(-1, 2))


def vertices(base: BaseMap) -> list[Floats]:
    """Every point of a base map, by outline and line."""
    rings = [ring for division in base.divisions for rings in division.polygons for ring in rings]
    return [*rings, *(d.islets for d in base.divisions if len(d.islets)), *base.dashes, *base.undefined]


def shown(points: Floats) -> Booleans:
    """Which points lie in a frame of the national map."""
    inside: Booleans = np.logical_or.reduce([panel.shows(*points.T) for panel in china.PANELS])
    return inside
