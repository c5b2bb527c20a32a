"""Placing by names in any alphabet, by code, by postcode: what counts, and what must not."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jiqun.intake.gazetteer import Gazetteer
from jiqun.intake.place import place

ADDED = [
    "lon", "lat", "precision_km", "place_id", "place_name", "place_name_zh", "placed_by", "place_warning", "shared_point",
]  # fmt: skip


@pytest.fixture(scope="module")
def gazetteer(places) -> Gazetteer:
    return Gazetteer.load(places)


@pytest.fixture(scope="module")
def put(gazetteer):
    def put(**row):
        return place(pl.DataFrame([row], schema=dict.fromkeys(row, pl.String)), gazetteer).row(0, named=True)

    return put


CITIES = [
    ({"country": "CN", "city": "Shenzhen"}, "Shenzhen", 114.07, 22.55),
    ({"country": "CN", "city": "SHEN ZHEN CITY", "region": "Guangdong Province"}, "Shenzhen", 114.07, 22.55),
    ({"country": "CN", "city": "Xi'an", "region": "Shaanxi"}, "Xi’an", 108.93, 34.26),
    ({"country": "CN", "city": "Suzhou", "region": "Jiangsu"}, "Suzhou", 120.60, 31.30),
    ({"country": "CN", "city": "Suzhou", "region": "Anhui"}, "Suzhou", 116.98, 33.64),
    ({"country": "US", "city": "San Jose", "region": "CA"}, "San Jose", -121.89, 37.34),
    ({"country": "US", "city": "Springfield", "region": "MO"}, "Springfield", -93.29, 37.22),
    ({"country": "US", "city": "Springfield", "region": "Massachusetts"}, "Springfield", -72.59, 42.10),
    ({"country": "US", "city": "New York"}, "New York City", -74.01, 40.71),
    ({"country": "US", "city": "South San Francisco", "region": "CA"}, "South San Francisco", -122.41, 37.65),
    ({"country": "US", "city": "St. Paul", "region": "MN"}, "Saint Paul", -93.09, 44.94),
    ({"country": "US", "city": "Ft. Lauderdale", "region": "FL"}, "Fort Lauderdale", -80.14, 26.12),
    ({"country": "DE", "city": "Nuernberg"}, "Nuremberg", 11.08, 49.45),
    ({"country": "DE", "city": "D-71106 MAGSTADT"}, "Magstadt", 8.97, 48.74),
    ({"country": "FR", "city": "59000 LILLE CEDEX"}, "Lille", 3.06, 50.63),
    ({"country": "BR", "city": "Limeira", "region": "São Paulo"}, "Limeira", -47.40, -22.56),
    ({"country": "KR", "city": "Seongnam-si", "region": "Gyeonggi-do"}, "Seongnam-si", 127.14, 37.44),
    ({"country": "KR", "city": "Gwangju", "region": "Gyeonggi-do"}, "Gwangju", 127.26, 37.41),
    ({"country": "KR", "city": "Gwangju"}, "Gwangju", 126.92, 35.15),
    ({"country": "JP", "city": "Chiyoda-ku", "region": "Tokyo"}, "Tokyo", 139.69, 35.69),
    ({"country": "JP", "city": "東京都"}, "Tokyo", 139.69, 35.69),
    ({"country": "TW", "city": "Hsin-Tien City", "region": "Taipei Hsien"}, "Xindian", 121.54, 24.97),
    ({"country": "Czech Republic", "city": "Praha 6"}, "Prague", 14.42, 50.09),
]


def test_cities_are_found_as_registers_write_them(gazetteer):
    columns = ("country", "region", "city")
    rows = pl.DataFrame(
        [{c: row.get(c) for c in columns} for row, *_ in CITIES], schema=dict.fromkeys(columns, pl.String)
    )
    found = place(rows, gazetteer)
    wrong = [
        (row, got["place_name"], got["lon"], got["lat"])
        for (row, name, lon, lat), got in zip(CITIES, found.iter_rows(named=True), strict=True)
        if got["place_name"] != name or abs(got["lon"] - lon) > 0.02 or abs(got["lat"] - lat) > 0.02
    ]
    assert wrong == []
    assert found["placed_by"].unique().to_list() == ["city"]
    assert found["precision_km"].unique().to_list() == [10]


@pytest.mark.parametrize(
    ("row", "country"),
    [
        ({"country": "HK"}, "HK"),
        ({"country": "HK", "city": "Hong Kong"}, "HK"),
        ({"country": "CN", "city": "Hongkong"}, "HK"),
        ({"country": "CN", "address": "Mong Kok Rd, Kowloon, Hong Kong"}, "HK"),
        ({"country": "HK", "city": "Kwun Tong", "address": "Hung To Road"}, "HK"),
        ({"country": "CN", "city": "Taipei"}, "TW"),
        ({"country": "CN", "city": "Macau"}, "MO"),
        ({"country": "HK", "city": "Shenzhen", "region": "Guangdong"}, "CN"),
    ],
)
def test_hong_kong_macao_taiwan_and_the_mainland_are_told_apart(put, gazetteer, row, country):
    """A naive match once put 34 firms of Hong Kong into a village called Hongsi."""
    found = put(**row)
    place_id = f"country:{country}" if found["placed_by"] == "country" else found["place_id"]
    assert place_id == found["place_id"]
    listed = gazetteer.places.filter(pl.col("place_id") == place_id)["country"].to_list()
    assert listed in ([country], [])


def test_a_street_named_after_hong_kong_leaves_a_firm_in_qingdao(put):
    found = put(country="CN", city="Qingdao", address="Hong Kong Middle Road 8")
    assert found["place_name_zh"] == "青岛"


@pytest.mark.parametrize(
    ("address", "country", "name"),
    [
        ("3406 E. Pleasant Street, Knoxville, Iowa, USA", "USA", "Knoxville"),
        ("No. 5 Berlin Road, Dortmund", "DE", "Dortmund"),
        ("1060, Takeda Hitachinaka-City", "JP", "Hitachi-Naka"),
        ("Rue de Paris 4, Toulouse, France", None, "Toulouse"),
        ("4-5-1 Kurihara, Myoko, Niigata, Japan", None, "Myoko"),
        ("Calzada Gomez Morin 1690, Mexicali, Baja California, Mexico", "MX", "Mexicali"),
    ],
)
def test_an_address_is_read_where_there_is_no_city(put, address, country, name):
    found = put(address=address, country=country)
    assert found["place_name"] == name
    assert found["placed_by"] == "address"


@pytest.mark.parametrize(
    ("country", "address"),
    [
        ("JP", "2-10-23 Hikari-Machi"),  # a quarter of Kokubunji, not the city of Hikari
        ("JP", "6-10, Miyazaki 2-Chome"),  # a quarter of Kawasaki, not Miyazaki
        ("DE", "Berliner Straße 5"),
        ("GB", "14 London Road"),
        ("FR", "12 rue de Lyon"),
        ("KR", "3FL, Building 5"),
    ],
)
def test_streets_and_quarters_do_not_place_a_firm_in_their_namesakes(put, country, address):
    assert put(country=country, address=address)["placed_by"] == "country"


@pytest.mark.parametrize(
    "city", ["TAIWAN", "Taiwan R.O.C.", "KOREA", "UNITED KINGDOM", "Zip code:", "00000", "n/a", "-"]
)
def test_what_is_no_city_is_not_made_one(put, city):
    country = {"KOREA": "KR", "UNITED KINGDOM": "GB"}.get(city, "TW")
    assert put(country=country, city=city)["placed_by"] == "country"


def test_a_region_is_not_taken_for_a_city_of_its_name_elsewhere(put):
    assert put(country="CA", city="Cumberland-on-Nowhere", region="Ontario")["place_id"] == "region:CA:ontario"
    assert put(country="US", region="Virginia")["place_id"] == "region:US:virginia"


@pytest.mark.parametrize(
    ("city", "region", "name"),
    [("Milipitas", "CA", "Milpitas"), ("WALNUT GREEK", "CA", "Walnut Creek"), ("San Deigo", None, "San Diego")],
)
def test_one_wrong_letter_is_forgiven(put, city, region, name):
    assert put(country="US", city=city, region=region)["place_name"] == name


@pytest.mark.parametrize(
    ("country", "city", "place_id"),
    [
        ("US", "Washington", "geonames:4140963"),
        ("CA", "Québec", "geonames:6325494"),
        ("CN", "Jilin", "geonames:2036502"),
    ],
)
def test_a_great_city_is_meant_before_the_region_of_its_name(put, country, city, place_id):
    assert put(country=country, city=city)["place_id"] == place_id


def test_a_city_in_another_country_than_named_is_found_if_it_is_well_known(put):
    assert put(country="US", city="Taipei")["place_name"] == "Taipei"


@pytest.mark.parametrize(
    ("row", "name"),
    [
        ({"country": "GB", "address": "Orchard Lea, SL4 4RU"}, "Windsor"),
        ({"country": "CA", "city": "CANADA", "address": "2100 Meadowvale Boulevard, L5N 7J9"}, "Mississauga"),
        ({"country": "JP", "address": "1-31-5 Kokuryo-Cho, 182-0022"}, "Chōfu"),
        ({"country": "KR", "city": "KOREA", "region": "431-060"}, "Anyang-si"),
        ({"country": "TW", "address": "8F, No. 100, 231"}, "Xindian"),
        ({"country": "TW", "city": "TAIWAN 310", "address": "No. 9, Ming Tsun Road"}, "Zhudong"),
    ],
)
def test_a_postcode_names_the_post_town(put, row, name):
    found = put(**row)
    assert found["place_name"] == name
    assert found["placed_by"] == "postcode"


def test_a_house_number_is_no_postcode(put):
    assert put(country="TW", city="TAIWAN", address="19F, NO. 333")["placed_by"] == "country"


@pytest.mark.parametrize(
    ("city", "lon", "lat"),
    [
        ("D-48155 Muenster", 7.6, 52.0),
        ("35390 Gießen", 8.7, 50.6),
        ("67433 Neustadt", 8.1, 49.4),
    ],
)
def test_postcodes_tell_german_namesakes_apart(put, city, lon, lat):
    found = put(country="DE", city=city)
    assert found["placed_by"] == "city"
    assert (found["lon"], found["lat"]) == pytest.approx((lon, lat), abs=0.3)


def test_a_state_of_another_country_corrects_the_us_that_nobody_chose(put):
    assert put(country="US", city="Anyang", region="Gyeonggi-do")["place_name_zh"] == "安养"
    assert put(country="US", city="Georgetown", region="Penang")["place_name"] == "George Town"
    assert put(country="US", city="Paris", region="TX")["lon"] == pytest.approx(-95.55, abs=0.1)


def test_half_of_a_towns_name_is_another_town(put):
    """There is a Jackson in Ohio, 240 km from North Jackson."""
    assert put(country="US", city="North Jackson", region="OH")["place_id"] == "region:US:ohio"
    assert put(country="AU", city="East Sydney", region="NSW")["place_name"] == "Sydney"


@pytest.mark.parametrize(
    ("code", "zh", "km"),
    [("440305", "南山", 10), ("440300", "深圳", 30), ("440399", "深圳", 30), ("440305001", "南山", 10)],
)
def test_region_codes_place_by_their_level_and_fall_back_to_the_one_above(put, code, zh, km):
    found = put(region_code=code)
    assert (found["place_name_zh"], found["precision_km"], found["placed_by"]) == (zh, km, "region_code")


def test_a_province_code_is_no_more_exact_than_a_province(put):
    found = put(region_code="440000")
    assert found["place_name_zh"] == "广东省"
    assert found["precision_km"] > 50


def test_the_finest_evidence_wins(put):
    coarse_code_fine_text = put(region_code="440000", city="Shenzhen", country="CN")
    assert coarse_code_fine_text["placed_by"] == "city"
    fine_code_coarse_text = put(region_code="440305", region="Guangdong", country="CN")
    assert fine_code_coarse_text["placed_by"] == "region_code"


@pytest.mark.parametrize("code", ["", "44", "abcdef", "999999", "４４０３００"])
def test_a_code_that_is_none_places_nothing(put, code):
    assert put(region_code=code)["placed_by"] is None


def test_a_country_alone_is_told_as_coarsely_as_its_people_live(put):
    assert put(country="US")["precision_km"] > 1000
    assert put(country="Singapore")["precision_km"] <= 10
    assert put(country="Korea")["place_name_zh"] == "韩国"


def test_nothing_is_placed_by_nothing(put):
    found = put(name="Some firm", country=None, city="  ")
    assert [found[c] for c in ADDED] == [None] * len(ADDED)


def test_rows_keep_their_order_and_other_columns(gazetteer):
    frame = pl.DataFrame(
        {"n": [3, 1, 2], "city": ["Kyoto", None, "Turku"], "country": ["JP", None, "FI"], "size": [0.5, None, 2.0]}
    )
    out = place(frame, gazetteer)
    assert out.select(frame.columns).equals(frame)
    assert out["place_name"].to_list() == ["Kyoto", None, "Turku"]
    assert set(out.columns) == {*frame.columns, *ADDED}


def test_an_empty_table_and_one_without_any_evidence_come_back_whole(gazetteer):
    empty = place(pl.DataFrame(schema={"city": pl.String, "lon": pl.Float64}), gazetteer)
    assert empty.is_empty()
    assert set(ADDED) <= set(empty.columns)
    blind = place(pl.DataFrame({"n": [1, 2]}), gazetteer)
    assert blind["placed_by"].to_list() == [None, None]


TEXT = st.text(max_size=40) | st.sampled_from(
    ["深圳市", "Shenzhen, ,", "'''", "((", "a" * 300, "\x00", "🏭 Ningbo", "，、；"]
)


@settings(max_examples=15)  # a call costs a third of a second, whatever its size
@given(rows=st.lists(st.fixed_dictionaries({c: st.none() | TEXT for c in ("country", "region", "city", "address", "name")}), min_size=1, max_size=5))  # fmt: skip
def test_no_text_breaks_it_and_each_row_stands_alone(gazetteer, rows):
    schema = dict.fromkeys(rows[0], pl.String)
    together = place(pl.DataFrame(rows, schema=schema), gazetteer)
    assert together.height == len(rows)
    last = place(pl.DataFrame(rows[-1:], schema=schema), gazetteer)
    assert together.tail(1).select(ADDED).equals(last.select(ADDED))


def test_a_batch_gives_what_its_halves_give(gazetteer):
    cities = gazetteer.places.sample(400, seed=4).select("country", city="name", region=pl.lit(None, pl.String))
    whole = place(cities, gazetteer)
    halves = pl.concat([place(cities.head(150), gazetteer), place(cities.tail(250), gazetteer)])
    assert whole.equals(halves)


def test_the_largest_places_are_found_by_their_own_names(gazetteer):
    big = gazetteer.places.filter(pl.col("population") > 500_000, pl.col("place_id").str.starts_with("geonames:"))
    out = place(big.select("country", city="name", wanted="place_id", wanted_lon="lon", wanted_lat="lat"), gazetteer)
    # Two dozen share their name with a larger one of the country (Suzhou, Fuzhou, Sahiwal …).
    assert (out["place_id"] == out["wanted"]).mean() > 0.99
