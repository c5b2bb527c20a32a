"""Outlines of clusters 集群轮廓: convex hulls that know the antimeridian, and GeoJSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl
import shapely
from shapely import affinity
from shapely.geometry import mapping
from shapely.geometry.base import BaseGeometry

from jiqun.core.arrays import Floats

GRID = 1e-6


def hull(lon: Floats, lat: Floats) -> BaseGeometry:
    """Convex hull 凸包 of points in degrees: a polygon, or the line or point that few points leave.

    Longitudes are taken relative to the first point, so a hull may cross the antimeridian; it is then cut there, as
    RFC 7946 (3.1.9) asks, and comes in two parts.

    Examples
    --------
    >>> hull(np.array([179.0, -179.0, 180.0]), np.array([0.0, 0.0, 1.0])).geom_type
    'MultiPolygon'
    """
    start = lon[0]
    relative = (lon - start + 180.0) % 360.0 - 180.0 + start
    shape = shapely.convex_hull(shapely.multipoints(np.column_stack([relative, lat])))
    west, _, east, _ = shape.bounds
    if west >= -180.0 and east <= 180.0:
        return shape
    parts = [
        affinity.translate(shape.intersection(shapely.box(-180.0 + turn, -90.0, 180.0 + turn, 90.0)), xoff=-turn)
        for turn in (-360.0, 0.0, 360.0)
    ]
    # where the shape only touches the cut, what is left there is of a lower dimension and no part of it
    return shapely.union_all([part for part in parts if not part.is_empty and part.geom_type == shape.geom_type])


def hulls(members: pl.DataFrame) -> dict[int, BaseGeometry]:
    """Hull of each cluster's members; `members` has cluster, lon, lat in degrees."""
    return {
        int(cluster): hull(part["lon"].to_numpy(), part["lat"].to_numpy())
        for (cluster,), part in members.partition_by("cluster", as_dict=True, maintain_order=True).items()
    }


def rings(shape: BaseGeometry) -> tuple[tuple[tuple[float, float], ...], ...]:
    """Outer rings of a hull's polygons, as (lon, lat); none for a line or a point."""
    parts = shapely.get_parts(shape)
    return tuple(
        tuple((float(x), float(y)) for x, y in part.exterior.coords) for part in parts if part.geom_type == "Polygon"
    )


def feature_collection(shapes: Sequence[BaseGeometry], properties: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """GeoJSON (RFC 7946) of shapes with their properties; coordinates to six decimals, about 0.1 m."""
    features = [
        {"type": "Feature", "geometry": mapping(_rounded(shape)), "properties": dict(values)}
        for shape, values in zip(shapes, properties, strict=True)
    ]
    return {"type": "FeatureCollection", "features": features}


def _rounded(shape: BaseGeometry) -> BaseGeometry:
    """A shape on a grid of a millionth of a degree, outer rings counter-clockwise (RFC 7946, 3.1.6).

    A sliver that the grid swallows leaves its longest line, a line its middle.
    """
    rounded = shapely.set_precision(shape, GRID)
    if rounded.is_empty:
        rounded = shapely.set_precision(shapely.convex_hull(shapely.boundary(shape)).minimum_rotated_rectangle, GRID)
    return shapely.orient_polygons(shape.centroid if rounded.is_empty else rounded)
