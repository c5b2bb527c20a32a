"""Placing Chinese text: provinces, cities and counties in one line, streets named after them, firms named after them."""

from __future__ import annotations

import polars as pl
import pytest

from jiqun.intake._geo import distance_km
from jiqun.intake.gazetteer import Gazetteer
from jiqun.intake.place import place


@pytest.fixture(scope="module")
def gazetteer(places) -> Gazetteer:
    return Gazetteer.load(places)


@pytest.fixture(scope="module")
def put(gazetteer):
    def put(**row):
        return place(pl.DataFrame([row], schema=dict.fromkeys(row, pl.String)), gazetteer).row(0, named=True)

    return put


DIVISIONS = [
    ("广东省深圳市南山区科技园", "南山"),
    ("深圳市南山区高新南一道", "南山"),
    ("深圳南山科技园", "南山"),
    ("江苏省昆山市玉山镇", "昆山"),
    ("北京市海淀区中关村大街1号", "海淀"),
    ("辽宁省朝阳市双塔区", "双塔"),
    ("北京市朝阳区建国路", "朝阳"),
    ("长春市朝阳区西安大路", "朝阳"),
    ("新疆维吾尔自治区石河子市", "石河子"),
    ("内蒙古自治区呼和浩特市", "呼和浩特"),
    ("重庆市渝北区", "渝北"),
    ("吉林省吉林市", "吉林"),
    ("台湾省新竹市", "新竹"),
]


def test_the_finest_division_named_places_a_row(gazetteer):
    found = place(pl.DataFrame({"address": [address for address, _ in DIVISIONS]}), gazetteer)
    got = found["place_name_zh"].to_list()
    assert [zh for (_, zh), name in zip(DIVISIONS, got, strict=True) if not name.startswith(zh)] == []
    assert found["placed_by"].unique().to_list() == ["address"]
    assert found["precision_km"].unique().to_list() == [10]


def test_districts_of_one_name_are_told_by_their_city(put):
    beijing, changchun = put(address="北京市朝阳区"), put(address="长春市朝阳区")
    assert (beijing["lon"], beijing["lat"]) == pytest.approx((116.5, 39.95), abs=0.15)
    assert (changchun["lon"], changchun["lat"]) == pytest.approx((125.3, 43.8), abs=0.2)


@pytest.mark.parametrize(
    ("address", "zh"),
    [
        ("杭州市上海路8号", "杭州"),
        ("南京市北京西路8号", "南京"),
        ("武汉市深圳大道", "武汉"),
        ("苏州市广州大厦3层", "苏州"),
        ("成都市武侯区天府大道昆山路口", "武侯"),
    ],
)
def test_streets_and_houses_named_after_cities_are_passed_over(put, address, zh):
    assert put(address=address)["place_name_zh"].startswith(zh)


@pytest.mark.parametrize("address", ["上海路8号", "朝阳区建国路", "科技园3栋", "中山大厦"])
def test_what_could_be_in_many_cities_is_left_open(put, address):
    assert put(address=address)["placed_by"] is None


def test_city_and_region_columns_are_read_together(put):
    found = put(region="江苏省", city="苏州市")
    assert (found["place_name_zh"], found["placed_by"]) == ("苏州", "city")
    assert put(region="广东省")["place_name_zh"] == "广东省"
    assert put(region="广东省")["placed_by"] == "region"


@pytest.mark.parametrize(
    ("text", "country", "zh"),
    [
        ("香港九龙观塘区", None, "观塘"),
        ("澳门特别行政区", "CN", "澳门"),
        ("台湾省台北市", "CN", "台北"),
        ("台北市", "TW", "台北"),
    ],
)
def test_hong_kong_macao_and_taiwan_in_chinese(put, text, country, zh):
    assert put(address=text, country=country)["place_name_zh"].startswith(zh)


def test_a_firms_name_places_it_only_where_nothing_else_does(put):
    """The name of a Chinese firm begins with its division, by the rules on firm names."""
    alone = put(name="深圳市某某科技有限公司", country="CN")
    assert (alone["place_name_zh"], alone["placed_by"], alone["precision_km"]) == ("深圳", "name", 30)
    moved = put(name="深圳市某某科技有限公司", address="湖北省武汉市洪山区")
    assert moved["placed_by"] == "address"
    assert moved["place_name_zh"].startswith("洪山")
    latin = put(name="ShenZhen Unitone Electronics Co., Ltd.", country="CN")
    assert (latin["place_name_zh"], latin["placed_by"]) == ("深圳", "name")


def test_listed_firms_fall_into_their_prefecture(gazetteer, shared_data):
    """cn-listed-firms: code, Chinese place and Chinese name, each alone, against the prefecture that the table states."""
    firms = pl.read_parquet(shared_data / "real" / "cn-listed-firms" / "firms.parquet").drop_nulls("adcode")
    prefecture = firms["adcode"].str.slice(0, 4)
    # Places far from their own prefecture's seat are left out: the distance would measure the prefecture.
    seats = gazetteer.units.select(pl.col("region_code").alias("code"), "lon", "lat")
    truth = pl.DataFrame({"code": firms["adcode"].str.slice(0, 4) + "00"}).join(
        seats, on="code", how="left", maintain_order="left"
    )

    def near(**columns) -> float:
        out = place(pl.DataFrame(columns), gazetteer)
        joined = pl.concat([truth.rename({"lon": "x", "lat": "y"}), out.select("lon", "lat")], how="horizontal")
        away = joined.select(distance_km(*(pl.col(c) for c in ("x", "y", "lon", "lat")))).to_series()
        return float((away.drop_nulls() < 120).mean())

    assert prefecture.len() > 3_000
    assert near(region_code=firms["adcode"]) > 0.99
    assert near(city=firms["place_zh"], region=firms["province"]) > 0.99
    assert near(city=firms["prefecture"]) > 0.99


def test_pinyin_cities_of_listed_firms_are_found(gazetteer, shared_data):
    """Of the pinyin city alone 96 % fall within 80 km of the stated prefecture's seat; there are two Taizhou."""
    firms = pl.read_parquet(shared_data / "real" / "cn-listed-firms" / "firms.parquet")
    firms = firms.filter(pl.col("geo_method").is_in(["city+zip", "city+name"]))
    out = place(firms.select(city="city_raw", country=pl.lit("CN")), gazetteer)
    seats = gazetteer.units.select(pl.col("region_code").alias("code"), x="lon", y="lat")
    codes = firms.select(code=pl.col("adcode").str.slice(0, 4) + "00")
    joined = pl.concat([codes, out.select("lon", "lat")], how="horizontal").join(seats, on="code")
    away = joined.select(distance_km(*(pl.col(c) for c in ("x", "y", "lon", "lat")))).to_series()
    assert (away < 80).mean() > 0.95
