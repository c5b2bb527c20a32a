"""One's own parks place addresses; doubtful points are found over whole tables, and treated as people decide."""

from __future__ import annotations

import shutil

import polars as pl
import pytest

from jiqun.core.actor import LOCAL, Actor
from jiqun.core.errors import PermissionDeniedError, UsageError
from jiqun.intake import desk, doubtful_points, place_room
from jiqun.intake._geo import distance_km
from jiqun.intake.doubtful_points import decide
from jiqun.intake.doubtful_points import doubtful_points as list_points
from jiqun.intake.gazetteer import Gazetteer
from jiqun.intake.own_points import OwnPoints, gazetteer_of, placed
from jiqun.intake.place import FAR, OUTSIDE, SHARED, SIGN, SWAPPED, place
from jiqun.intake.shared_points import SharedPoints
from jiqun.store import Workspace
from jiqun.store.commands import new_key
from jiqun.store.worker import work

NANSHAN = (113.9388, 22.5380)
MEMBER = Actor("acc_m", frozenset({"member"}), "o0000001")


@pytest.fixture(scope="module")
def gazetteer(places) -> Gazetteer:
    return Gazetteer.load(places)


@pytest.fixture
def workspace(tmp_path, places):
    made = Workspace.init(tmp_path / "ws")
    shutil.copytree(places, made.cache, dirs_exist_ok=True)
    yield made
    made.close()


PARKS = pl.DataFrame(
    {
        "载体名称": ["深圳湾创新科技中心", "张江人工智能岛", "软件园", "软件园", "软件产业基地", "软件产业基地"],
        "别名": ["创新科技中心；DSJ中心", None, None, None, None, None],
        "类型": ["楼宇", "园区", "园区", "园区", "园区", "园区"],
        "区划代码": ["440305", "310115", "350203", "210211", "440305", "440307"],
        "经度": [113.9433, 121.6020, 118.1800, 121.5300, 113.9350, 114.2000],
        "纬度": [22.5310, 31.2050, 24.4900, 38.8600, 22.5230, 22.7000],
    }
)


def own(gazetteer) -> OwnPoints:
    names = {
        "载体名称": "name",
        "别名": "aliases",
        "类型": "kind",
        "区划代码": "region_code",
        "经度": "lon",
        "纬度": "lat",
    }
    rows = PARKS.rename(names).with_columns(pl.col("kind").replace({"楼宇": "building", "园区": "park"}))
    none = OwnPoints.none()
    return OwnPoints(none.decisions, gazetteer_of(rows, gazetteer), none.geocodes)


@pytest.mark.parametrize(
    ("address", "by", "point", "km"),
    [
        ("深圳市南山区深圳湾创新科技中心2栋A座", "carrier", (113.9433, 22.5310), 0.1),
        ("深圳市南山区DSJ中心８层", "carrier", (113.9433, 22.5310), 0.1),
        ("上海市浦东新区张江人工智能岛3号楼", "carrier", (121.6020, 31.2050), 1.0),
        ("厦门市思明区软件园二期望海路", "carrier", (118.18, 24.49), 1.0),
        ("大连市甘井子区软件园路", "carrier", (121.53, 38.86), 1.0),
        ("北京市海淀区软件园", "address", None, 10.0),  # of neither city
        ("深圳市南山区科技园", "address", None, 10.0),
    ],
)
def test_an_address_that_names_a_park_or_building_of_ones_own_is_placed_there(gazetteer, address, by, point, km):
    found = placed(pl.DataFrame({"address": [address]}), gazetteer, own(gazetteer)).row(0, named=True)
    assert (found["placed_by"], found["precision_km"], found["place_warning"]) == (by, km, None)
    if point:
        assert (found["lon"], found["lat"]) == point


def test_parks_of_one_name_that_cannot_be_told_apart_are_told_and_not_used(gazetteer):
    rows = pl.DataFrame({"address": ["深圳市软件产业基地5栋"]})
    found = placed(rows, gazetteer, own(gazetteer)).row(0, named=True)
    assert (found["placed_by"], found["place_warning"]) == ("address", "JQ-PLACE-018")


def test_given_points_go_before_ones_own_parks(gazetteer):
    rows = pl.DataFrame({"address": ["上海市浦东新区张江人工智能岛3号楼"], "lon": [121.6111], "lat": [31.2111]})
    found = placed(rows, gazetteer, own(gazetteer)).row(0, named=True)
    assert (found["placed_by"], found["lon"]) == ("coordinates", 121.6111)


def test_without_anything_of_ones_own_placing_is_as_ever(gazetteer):
    rows = pl.DataFrame(
        {
            "address": ["深圳市南山区", "Kunshan, Jiangsu, China", None],
            "lon": [None, None, 1.0],
            "lat": [None, None, 2.0],
        }
    )
    plain = place(rows, gazetteer).drop("shared_point")
    assert placed(rows, gazetteer, OwnPoints.none()).equals(plain)


def test_loaded_carriers_place_firms_of_later_loads(workspace):
    desk.load(LOCAL, workspace, PARKS, "carriers")
    firms = pl.DataFrame({"企业名称": ["甲", "乙"], "地址": ["深圳市南山区创新科技中心2栋", "深圳市软件产业基地5栋"]})
    report = desk.load(LOCAL, workspace, firms, "organisations")
    rows = workspace.scan("organisations").collect()
    assert rows["placed_by"].to_list() == ["carrier", "address"]
    assert [problem.code for problem in report.problems] == ["JQ-PLACE-018"]
    assert report.placed_by == {"carrier": 1, "address": 1}


# Doubtful points


@pytest.mark.parametrize(
    ("point", "code"),
    [
        ((-113.95, 22.53), SIGN),
        ((113.95, -22.53), SIGN),
        ((-113.95, -22.53), SIGN),
        ((22.53, 113.95), SWAPPED),
        ((91.9, 30.0), FAR),
        ((113.95, 22.53), None),
    ],
)
def test_signs_and_order_of_a_point_are_doubted_where_the_other_way_fits(gazetteer, point, code):
    rows = pl.DataFrame({"lon": [point[0]], "lat": [point[1]], "address": ["深圳市南山区"]})
    assert place(rows, gazetteer)["place_warning"].item() == code


def test_the_same_point_is_counted_over_batches():
    shared = SharedPoints()
    for batch in range(4):
        rows = pl.DataFrame({"source_row": range(batch * 60, batch * 60 + 60), "lon": [114.0] * 60, "lat": [22.5] * 60})
        rows = rows.with_columns(address=pl.format("路{}号", "source_row"), name=pl.lit("x"))
        shared.see(rows)
    assert shared.found(at_least=240).height == 240
    assert shared.found(at_least=241).is_empty()


def test_one_address_many_times_is_one_address():
    shared = SharedPoints()
    rows = pl.DataFrame(
        {"source_row": range(500), "lon": [114.0] * 500, "lat": [22.5] * 500, "address": ["同一地址"] * 500}
    )
    shared.see(rows)
    assert shared.found().is_empty()
    assert SharedPoints().found().is_empty()


def test_a_point_shared_by_hundreds_is_told_of_every_row_wherever_its_batches_end(workspace, monkeypatch):
    count = 230
    rows = pl.DataFrame(
        {
            "企业名称": [f"企业{n}" for n in range(count + 20)],
            "地址": [f"深圳市南山区科技南路{n}号" for n in range(count + 20)],
            "经度": [113.95] * count + [113.9 + n / 1000 for n in range(20)],
            "纬度": [22.53] * (count + 20),
        }
    )
    monkeypatch.setattr("jiqun.intake.read.ROWS", 50, raising=False)
    report = desk.load(LOCAL, workspace, rows, "organisations")
    told = {problem.code: problem.count for problem in report.problems}
    assert told == {SHARED: count}
    quarantine = workspace.scan_quarantine(workspace.snapshot("organisations")).collect()
    assert quarantine["detail"].unique().to_list() == [str(count)]
    listed = list_points(LOCAL, workspace, "organisations")
    assert (listed.height, listed["rows"].unique().to_list(), listed["fix"].unique().to_list()) == (
        count,
        [count],
        ["drop"],
    )


@pytest.fixture
def loaded(workspace):
    rows = pl.DataFrame(
        {
            "企业名称": ["好", "换", "号", "远", "外"],
            "地址": ["深圳市南山区1号", "深圳市南山区2号", "深圳市南山区3号", "深圳市南山区4号", "广东省"],
            "经度": [113.95, 22.53, -113.95, 91.9, 2.35],
            "纬度": [22.53, 113.95, 22.53, 30.0, 48.86],
        }
    )
    # out of range is emptied by the check: latitudes of 113 do not get as far as this
    rows = rows.with_columns(pl.when(pl.col("企业名称") == "换").then(35.0).otherwise("纬度").alias("纬度"))
    rows = rows.with_columns(
        pl.when(pl.col("企业名称") == "换").then(pl.lit("Tehran, Iran")).otherwise("地址").alias("地址")
    )
    rows = rows.with_columns(pl.when(pl.col("企业名称") == "换").then(35.7).otherwise("经度").alias("经度"))
    rows = rows.with_columns(pl.when(pl.col("企业名称") == "换").then(51.4).otherwise("纬度").alias("纬度"))
    desk.load(LOCAL, workspace, rows, "organisations")
    workspace.frame = rows
    return workspace


def listed(workspace):
    rows = list_points(LOCAL, workspace, "organisations")
    return {row["name"]: row for row in rows.iter_rows(named=True)}


def test_every_doubtful_point_is_listed_with_what_would_mend_it(loaded):
    found = listed(loaded)
    assert {name: (row["code"], row["fix"]) for name, row in found.items()} == {
        "换": (SWAPPED, "swap"),
        "号": (SIGN, "sign"),
        "远": (FAR, "drop"),
        "外": (OUTSIDE, "drop"),
    }
    assert (found["换"]["to_lon"], found["换"]["to_lat"]) == (51.4, 35.7)
    assert (found["号"]["to_lon"], found["号"]["to_lat"]) == (113.95, 22.53)
    assert found["远"]["to_lon"] is None
    assert found["远"]["away_km"] > 1_000


def test_what_people_decide_is_done_and_holds_at_the_next_load(loaded):
    found = listed(loaded)
    for name, fix in (("换", "swap"), ("号", "sign"), ("远", "drop"), ("外", "keep")):
        done = decide(LOCAL, loaded, "organisations", [found[name]["id"]], fix, key=new_key())
        assert done["rows"] == 1
    work(loaded, place_room.HANDLERS, once=True, threads=1)
    for load_again in (False, True):
        if load_again:
            desk.load(LOCAL, loaded, loaded.frame, "organisations")
        rows = {row["name"]: row for row in loaded.scan("organisations").collect().iter_rows(named=True)}
        assert (rows["换"]["lon"], rows["换"]["lat"], rows["换"]["placed_by"]) == (51.4, 35.7, "coordinates")
        assert (rows["号"]["lon"], rows["号"]["lat"], rows["号"]["placed_by"]) == (113.95, 22.53, "coordinates")
        assert rows["远"]["placed_by"] == "address"
        assert rows["外"]["placed_by"] == "coordinates"
        assert [row["place_warning"] for row in rows.values()] == [None] * 5
        assert listed(loaded) == {}


def test_a_decision_holds_only_for_the_point_it_was_made_on(loaded):
    decide(LOCAL, loaded, "organisations", [listed(loaded)["远"]["id"]], "drop", key=new_key())
    moved = loaded.frame.with_columns(pl.when(pl.col("企业名称") == "远").then(92.5).otherwise("经度").alias("经度"))
    desk.load(LOCAL, loaded, moved, "organisations")
    assert listed(loaded)["远"]["lon"] == 92.5


def test_only_what_is_offered_can_be_done_by_those_who_may(loaded):
    found = listed(loaded)
    good = loaded.scan("organisations").filter(pl.col("name") == "好").collect()["id"].item()
    for row, fix in ((good, "drop"), (found["远"]["id"], "swap"), ("o9999999", "keep")):
        with pytest.raises(UsageError, match="JQ-PLACE-025"):
            decide(LOCAL, loaded, "organisations", [row], fix, key=new_key())
    with pytest.raises(PermissionDeniedError):
        list_points(MEMBER, loaded, "organisations")
    with pytest.raises(PermissionDeniedError):
        decide(MEMBER, loaded, "organisations", ["o0000001"], "keep", key=new_key())
    assert set(doubtful_points.OFFERED) >= {row["code"] for row in found.values()}


def test_apple_suppliers_seven_wrong_geocodes_are_found_and_each_row_is_offered_its_address(gazetteer, shared_data):
    """Of the 12 rows that the table's author flagged: the seven plainly wrong; border and slips of the pen are not."""
    sites = pl.read_csv(shared_data / "real" / "apple-supplier-sites" / "sites.csv")
    out = place(sites, gazetteer)
    flagged = out.filter("coord_suspect")
    told = flagged.filter(pl.col("place_warning").is_not_null())
    assert (flagged.height, told.height) == (12, 7)
    assert set(told["place_warning"]) <= {FAR, OUTSIDE}
    assert not flagged.filter(pl.col("address").str.contains("Shanxi"))["place_warning"].is_not_null().any()
    # without its point each is placed by its address, and that in the province that it names
    again = place(
        told.drop(
            "place_warning", "placed_by", "shared_point", "precision_km", "place_id", "place_name", "place_name_zh"
        ).with_columns(lon=None, lat=None),
        gazetteer,
    )
    away = pl.concat([told.select("lon", "lat"), again.select(x="lon", y="lat")], how="horizontal")
    assert again["placed_by"].unique().to_list() == ["address"]
    assert away.select(distance_km(*(pl.col(c) for c in ("lon", "lat", "x", "y"))).min()).item() > 50
