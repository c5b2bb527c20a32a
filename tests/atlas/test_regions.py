"""Which regions a register is profiled by: a few firms across a border do not decide, and every place has a province."""

from __future__ import annotations

import polars as pl
import pytest

from jiqun.atlas.regions import named, profile, with_regions
from jiqun.intake.gazetteer import Gazetteer

BEIJING, SHANGHAI, SHEKOU, CHONGMING = (116.4, 39.9), (121.5, 31.2), (113.92, 22.48), (121.4, 31.62)
HONG_KONG, MACAU, TAIPEI, TOKYO = (114.16, 22.28), (113.545, 22.195), (121.53, 25.05), (139.7, 35.7)


@pytest.fixture
def gazetteer(places):
    return Gazetteer.load(places)


def firms(*points) -> pl.DataFrame:
    return pl.DataFrame(list(points), schema=["lon", "lat"], orient="row")


@pytest.mark.parametrize(("across", "code"), [(HONG_KONG, "HK"), (MACAU, "MO"), (TAIPEI, "TW")])
def test_a_firm_in_hong_kong_macau_or_taiwan_is_in_a_province_of_china(gazetteer, across, code):
    found, level = with_regions(firms(*[BEIJING] * 50, *[SHANGHAI] * 50, across), gazetteer)
    assert level == "region"
    assert sorted(found["region"].unique()) == sorted(["CN.22", "CN.23", code])
    names = named(found.select("region").unique(), gazetteer, level).filter(region=code)
    assert names["name_zh"].item().startswith("中国")


def test_few_firms_abroad_are_left_out_and_counted(gazetteer):
    rows = firms(*[BEIJING] * 50, *[SHANGHAI] * 50, *[TOKYO] * 5)
    found, level = with_regions(rows, gazetteer)
    assert level == "region"
    assert found["region"].null_count() == 5
    table = profile(rows, gazetteer, eps_km=10)
    assert table["elsewhere"].unique().to_list() == [5]
    assert table["firms"].sum() == 100
    assert table["region"].str.starts_with("CN.").all()
    many, level = with_regions(firms(*[BEIJING] * 50, *[SHANGHAI] * 30, *[TOKYO] * 20), gazetteer)
    assert level == "country"
    assert sorted(many["region"].unique()) == ["CN", "JP"]


def test_places_without_a_province_are_in_that_of_the_nearest_that_has_one(gazetteer):
    rows = firms(*[BEIJING] * 50, *[SHEKOU] * 5, *[CHONGMING] * 5)
    found, level = with_regions(rows, gazetteer)
    assert found["region"].to_list() == ["CN.22"] * 50 + ["CN.30"] * 5 + ["CN.23"] * 5
    assert not profile(rows, gazetteer, eps_km=10)["region"].is_in(["CN.", "CN"]).any()
    assert level == "region"
