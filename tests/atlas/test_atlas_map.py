"""The map's question: where it looks first, how it moves, what it counts by province, and who sees how exactly."""

from __future__ import annotations

import shutil

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from jiqun.atlas import desk
from jiqun.atlas import located as placed
from jiqun.atlas.located import by_province, located, provinces
from jiqun.atlas.map import MapRequest, map_answer, map_view, moved, near, parsed, unlinked, written
from jiqun.atlas.reading import Which, find_run
from jiqun.core.actor import Actor
from jiqun.core.document import Map
from jiqun.core.errors import PermissionDeniedError, UsageError
from jiqun.report import china
from jiqun.report.projection import Region
from jiqun.store import Workspace

ANALYST = Actor("a", frozenset({"analyst"}))
PUBLIC = Actor("p", frozenset({"public"}))
CITIES = {"440000": (114.06, 22.54, 80), "110000": (116.40, 39.90, 50), "710000": (121.53, 25.05, 30)}


@pytest.fixture(scope="module")
def workspace(tmp_path_factory, places):
    """Firms in Shenzhen, Beijing and Taipei, ten in Hamburg, one nowhere."""
    made = Workspace.init(tmp_path_factory.mktemp("map") / "ws")
    shutil.copytree(places, made.cache, dirs_exist_ok=True)
    rng = np.random.default_rng(2)
    at = [(lon, lat) for lon, lat, n in CITIES.values() for _ in range(n)] + [(9.99, 53.55)] * 10
    lon, lat = (np.array(at) + rng.normal(0, 0.004, (len(at), 2))).T
    firms = pl.DataFrame({"lon": [*lon, None], "lat": [*lat, None]}).with_columns(
        id=pl.format("o{}", pl.int_range(pl.len())),
        name=pl.format("Maker {}", pl.int_range(pl.len())),
        country=pl.lit("CN"),
        precision_km=pl.lit(1.0),
    )
    with made.new_snapshot("organisations", as_of="2024-05-01", source="made up for a test") as writer:
        writer.write(firms)
    desk.run(ANALYST, made, desk.Search(background="population", coverage="world", eps_km=20))
    return made


def test_every_division_of_china_has_its_code(workspace):
    table = provinces(workspace.cache)
    assert table["code"].to_list() == sorted(division.code for division in china.builtin().divisions)
    named = dict(table.select("region", "code").iter_rows())
    assert (named["CN.30"], named["CN.22"], named["TW"], named["HK"], named["MO"]) == (
        "440000",
        "110000",
        "710000",
        "810000",
        "820000",
    )
    assert dict(table.select("code", "name_zh").iter_rows())["150000"] == "内蒙古"


def test_firms_are_counted_by_province_and_none_is_zero(workspace):
    firms = located(workspace, find_run(workspace, Which()))
    counts = dict(by_province(firms, workspace.cache).select("code", "firms").iter_rows())
    assert {code: n for code, n in counts.items() if n} == {code: n for code, (_, _, n) in CITIES.items()}
    assert len(counts) == 34


def test_firms_are_placed_once_and_the_same_when_read_again(workspace, monkeypatch):
    run = find_run(workspace, Which())
    placed._located.cache_clear()
    first = located(workspace, run)
    placed._located.cache_clear()
    with monkeypatch.context() as patch:
        patch.setattr(placed, "_placed", None)  # what is kept is not placed again
        assert_frame_equal(located(workspace, run), first)
    (kept,) = workspace.cache.glob("located-*/*.parquet")
    kept.write_bytes(b"damaged")
    placed._located.cache_clear()
    assert_frame_equal(located(workspace, run), first)


def test_it_looks_first_where_most_firms_are(workspace):
    assert map_view(ANALYST, workspace, MapRequest()).base == "china"


def test_a_choropleth_shades_the_provinces_and_links_each(workspace):
    view = map_view(ANALYST, workspace, MapRequest(layer="regions", view="china"))
    areas = {area.code: area for area in view.figure.mark.areas.areas}
    assert len(areas) == 34
    assert areas["440000"].value == 80
    assert areas["540000"].value == 0
    assert areas["710000"].label.en == "Taiwan, China"
    assert all(area.anchor for area in areas.values())
    assert view.figure.title.zh.startswith("广东")
    assert [row[1] for row in view.figure.table.rows][:3] == [80, 50, 30]


def test_firms_are_dots_for_analysts_and_cells_for_others(workspace):
    asked = MapRequest(layer="firms", view="china")
    exact, coarse = (map_view(actor, workspace, asked).figure.mark for actor in (ANALYST, PUBLIC))
    assert len(exact.points) == 160
    assert exact.cells is None
    assert len(coarse.points) == 0
    assert coarse.cells.counts.sum() == 160


def test_a_narrow_view_is_widened_for_those_who_may_not_see_exact_places(workspace):
    asked = MapRequest(layer="firms", view="china", bbox="114.05,22.53,114.07,22.55")
    west, south, east, north = map_view(PUBLIC, workspace, asked).extent
    assert north - south >= 0.5
    assert east - west >= 0.5
    assert map_view(ANALYST, workspace, asked).extent == (114.05, 22.53, 114.07, 22.55)


def test_who_may_not_see_exact_places_cannot_find_them_by_moving_an_edge(workspace):
    edges = [f"{114.05 + step / 1000:.3f},22.5,{115.05 + step / 1000:.3f},23.5" for step in range(200)]
    seen = {map_view(PUBLIC, workspace, MapRequest(layer="firms", view="china", bbox=bbox)).extent for bbox in edges}
    assert len(seen) <= 2
    for west, south, east, north in seen:
        assert (2 * west, 2 * south, east - west, north - south) == (round(2 * west), round(2 * south), 1.0, 1.0)


def test_filters_leave_what_they_say(workspace):
    view = map_view(ANALYST, workspace, MapRequest(layer="firms", view="china", region="CN.30"))
    assert view.total == 80
    assert map_view(ANALYST, workspace, MapRequest(layer="firms", view="world", country="DE")).total == 10
    clusters = map_view(ANALYST, workspace, MapRequest(view="china", min_firms=60))
    assert [feature.firms for feature in clusters.features] == [80]
    assert map_view(ANALYST, workspace, MapRequest(view="china", min_firms=10**6)).total == 0


def test_the_operation_tells_what_is_drawn_and_asks_for_a_role(workspace):
    told = map_answer(PUBLIC, workspace, MapRequest(view="china"))
    assert {feature.name_en for feature in told.features} >= {"Shenzhen", "Taipei"}
    with pytest.raises(PermissionDeniedError):
        map_answer(Actor("n", frozenset()), workspace, MapRequest())


def test_a_file_of_its_own_has_no_links(workspace):
    for layer in ("clusters", "regions"):
        figure = unlinked(map_view(ANALYST, workspace, MapRequest(layer=layer, view="china")).figure)
        assert isinstance(figure.mark, Map)
        assert not any(bubble.anchor for bubble in figure.mark.bubbles)
        assert figure.table.links == ()


@pytest.mark.parametrize("bbox", ["1,5,3,2", "181,0,10,1", "1,0,1,1", "0,-91,1,0"])
def test_what_is_no_part_is_refused(bbox):
    with pytest.raises(UsageError, match="JQ-MAP-002"):
        parsed(bbox)


MOVES = st.sampled_from([{"zoom": 2.0}, {"zoom": 0.5}, {"right": 0.5}, {"right": -0.5}, {"up": 0.5}, {"up": -0.5}])


@given(st.floats(-180, 179), st.floats(-80, 80), st.floats(0.02, 50), st.lists(MOVES, max_size=30))
def test_moving_never_leads_off_the_globe(lon, lat, reach, moves):
    extent = near(lon, lat, reach)
    for by in moves:
        found = moved(extent, **by)
        if found is None:
            break
        extent = parsed(written(found))
        west, south, _, north = extent
        assert -180 <= west <= 180
        assert -90 <= south < north <= 90
        view = Region.around(extent)
        assert 0 < view.height < 2000
