"""Hulls hold their members, also across the antimeridian; GeoJSON is valid."""

from __future__ import annotations

import json

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from jiqun.atlas.outline import feature_collection, hull, rings


@given(
    st.lists(st.tuples(st.floats(-2, 2), st.floats(-2, 2)), min_size=1, max_size=30),
    st.sampled_from([0.0, 100.0, 179.5, -179.5]),
)
def test_every_member_lies_in_the_hull(offsets, start: float):
    lon, lat = np.array(offsets).T
    lon = (lon + start + 180) % 360 - 180
    shape = hull(lon, lat)
    west, south, east, north = shape.bounds
    assert -180 <= west <= east <= 180
    assert -90 <= south <= north <= 90
    assert east - west <= 4.001 or shape.geom_type.startswith(("Multi", "Geometry"))
    for x, y in zip(lon, lat, strict=True):
        at = min(shape.distance(shapely.Point(x + turn, y)) for turn in (-360, 0, 360))
        assert at < 1e-6


@pytest.mark.parametrize(("n", "kind"), [(1, "Point"), (2, "LineString"), (3, "Polygon")])
def test_few_points_leave_less_than_a_polygon(n: int, kind: str):
    shape = hull(np.array([0.0, 1.0, 0.0])[:n], np.array([0.0, 0.0, 1.0])[:n])
    assert shape.geom_type == kind
    assert bool(rings(shape)) == (kind == "Polygon")


def test_geojson_keeps_names_and_closes_rings():
    shape = hull(np.array([0.0, 1.0, 0.0]), np.array([0.0, 0.0, 1.0]))
    collection = json.loads(json.dumps(feature_collection([shape], [{"name_zh": "深圳", "firms": 3}])))
    feature = collection["features"][0]
    assert feature["properties"] == {"name_zh": "深圳", "firms": 3}
    ring = feature["geometry"]["coordinates"][0]
    assert ring[0] == ring[-1]
    assert shapely.from_geojson(json.dumps(feature["geometry"])).is_valid
