"""Addresses in Chinese, read by hand and by jiqun: codes, towns, roads, numbers, parks, buildings; and what holds for any text."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from jiqun.intake.address import COLUMNS, DETAIL_KM, DETAILS, parse_address
from jiqun.intake.gazetteer import Gazetteer

CASES = pl.read_csv(Path(__file__).with_name("address_cases.csv"), infer_schema=False)
ASKED = ("region_code", "zone", "town", "road", "number", "park", "building", "detail", "notes")


@pytest.fixture(scope="module")
def gazetteer(places) -> Gazetteer:
    return Gazetteer.load(places)


@pytest.fixture(scope="module")
def parsed(gazetteer):
    return parse_address(CASES["address"], gazetteer)


@pytest.mark.parametrize("asked", ASKED)
def test_hand_read_addresses_are_read_alike(parsed, asked):
    both = CASES.select("address", wanted=asked).with_columns(got=parsed[asked])
    wrong = both.filter(~pl.col("wanted").eq_missing(pl.col("got")))
    assert wrong.rows() == []


def test_there_are_cases_enough_of_every_kind():
    assert CASES.height >= 150
    kinds = CASES["notes"].drop_nulls().str.split(" ").explode().unique().to_list()
    assert set(kinds) == {"inferred", "former", "changed", "short", "open", "conflict"}


def test_codes_of_the_three_levels_agree_with_each_other(parsed):
    told = parsed.filter(pl.col("region_code").is_not_null())
    finest = pl.coalesce("county_code", "city_code", "province_code")
    assert (told.select(finest).to_series() == told["region_code"]).all()
    assert (told["province_code"].str.slice(0, 2) == told["region_code"].str.slice(0, 2)).all()
    known = told.filter(pl.col("city_code").is_not_null(), pl.col("county_code").is_not_null())
    direct = known["city_code"].str.slice(2).is_in(["0000"]) | (known["city_code"] == known["county_code"])
    assert ((known["city_code"].str.slice(0, 4) == known["county_code"].str.slice(0, 4)) | direct).all()


def test_each_class_of_detail_says_what_it_means(parsed):
    assert parsed["detail"].drop_nulls().is_in(list(DETAILS)).all()
    fine = parsed.filter(pl.col("detail").is_in(list(DETAIL_KM)))
    assert fine["detail_km"].to_list() == [DETAIL_KM[detail] for detail in fine["detail"]]
    assert parsed.filter(pl.col("detail") == "province")["detail_km"].min() > DETAIL_KM["city"]


def test_a_municipality_is_province_and_city_and_a_county_under_a_province_its_own_city(gazetteer):
    beijing, jiyuan = parse_address(["北京市海淀区", "济源市"], gazetteer).rows(named=True)
    assert (beijing["province_code"], beijing["city_code"], beijing["county_code"]) == ("110000", "110000", "110108")
    assert (jiyuan["province_code"], jiyuan["city_code"], jiyuan["county_code"]) == ("410000", "419001", "419001")


def test_districts_of_hong_kong_and_counties_of_taiwan_are_named_without_a_code(gazetteer):
    found = parse_address(["香港九龙观塘区", "台湾省新竹市", "Kwun Tong, Hong Kong"], gazetteer)
    assert found["county"].to_list() == ["观塘区", "新竹市", "观塘区"]
    assert found["county_code"].to_list() == [None] * 3
    assert found["region_code"].to_list() == ["810000", "710000", "810000"]
    assert found["country"].to_list() == ["HK", "TW", "HK"]


@pytest.mark.parametrize(
    ("address", "code", "country", "city"),
    [
        ("No. 8, Dongfang Road, Nanshan District, Shenzhen, Guangdong, China", "440305", "CN", "深圳市"),
        ("Kunshan, Suzhou, Jiangsu, China", "320583", "CN", "苏州市"),
        ("Chang'an Town, Dongguan, Guangdong, China", "441900", "CN", "东莞市"),
        ("Shenzhen", "440300", "CN", "深圳市"),
        ("905 Adams Street, Hutchinson, Minnesota, USA", None, "US", "哈钦森"),
        ("577 Keumeui-ri, Jangan-myon, Hwaseong, Gyeonggi-Do, Korea", None, "KR", "华城"),
        ("日本东京都千代田区", None, "JP", "东京"),
        ("Kwun Tong, Hong Kong", "810000", "HK", "香港特别行政区"),
    ],
)
def test_latin_and_foreign_addresses_are_read_to_the_city(gazetteer, address, code, country, city):
    found = parse_address([address], gazetteer).row(0, named=True)
    assert (found["region_code"], found["country"], found["city"]) == (code, country, city)


def test_parts_of_an_address_in_latin_letters(gazetteer):
    text = "3F, Building 5, Hi-Tech Industrial Park, No. 8 Dongfang Road, Chang'an Town, Dongguan, China"
    found = parse_address([text], gazetteer).row(0, named=True)
    assert (found["road"], found["number"], found["town"]) == ("Dongfang Road", "8", "Chang'an Town")
    assert (found["park"], found["building"], found["detail"]) == (
        "Hi-Tech Industrial Park",
        "3F, Building 5",
        "building",
    )


def test_other_columns_decide_what_the_address_leaves_open(gazetteer):
    rows = pl.DataFrame(
        {
            "address": ["鼓楼区中山路1号", "鼓楼区中山路1号", "鼓楼区中山路1号", "中山路1号"],
            "city": ["福州市", None, None, None],
            "region": [None, "河南省", None, None],
            "region_code": [None, None, "320106", "330106"],
        }
    )
    assert parse_address(rows, gazetteer)["region_code"].to_list() == ["350102", "410204", "320106", "330106"]


def test_any_frame_will_do(gazetteer):
    pandas = pytest.importorskip("pandas")
    found = parse_address(pandas.DataFrame({"address": ["深圳市南山区"]}), gazetteer)
    assert found["region_code"].to_list() == ["440305"]


def test_every_former_division_and_zone_stands_for_one_of_today(gazetteer):
    for name in ("former_divisions", "zones"):
        table = pl.read_csv(
            Path(parse_address.__code__.co_filename).with_name("data") / f"{name}.csv", infer_schema=False
        )
        text = pl.concat_str(pl.col("within").fill_null(""), "name")
        found = parse_address(table.select(text.alias("address")), gazetteer)
        finest = pl.DataFrame(
            {"unit": table["unit"], "name": table["name"], "notes": found["notes"], "zone": found["zone"]}
        ).with_columns(got=pl.coalesce(found["county"], found["city"], found["province"]))
        assert finest.filter(pl.col("got") != pl.col("unit")).rows() == []
        told = (
            finest["notes"].str.contains("former") if name == "former_divisions" else finest["zone"] == finest["name"]
        )
        assert finest.filter(~told.fill_null(value=False)).rows() == []


# What holds for any text

BAD = [
    "",
    " ",
    None,
    "\x00\x01\x02",
    "　",
    "\u200b\ufeff",
    "x" * 10_000,
    "广东省" * 4_000,
    "深圳市" + "科" * 9_997,
    "号" * 500,
    "12345",
    "()（）",
    "省市区县",
]


def test_bad_input_is_read_as_saying_nothing_or_what_it_says(gazetteer):
    found = parse_address(BAD, gazetteer)
    assert found.height == len(BAD)
    assert tuple(found.columns) == COLUMNS
    codes = dict(zip(BAD, found["region_code"], strict=True))
    assert {text: code for text, code in codes.items() if code} == {
        "广东省" * 4_000: "440000",
        "深圳市" + "科" * 9_997: "440300",
    }
    assert found["address"].str.len_chars().max() <= 300
    assert not found["address"].drop_nulls().str.contains(r"\p{C}").any()


def test_an_empty_table_gives_an_empty_table(gazetteer):
    assert parse_address(pl.DataFrame({"address": []}, schema={"address": pl.String}), gazetteer).shape == (
        0,
        len(COLUMNS),
    )
    assert parse_address([], gazetteer).columns == list(COLUMNS)


def test_the_order_of_rows_does_not_matter(parsed, gazetteer):
    mixed = CASES.with_columns(n=pl.int_range(pl.len())).sample(fraction=1.0, shuffle=True, seed=3)
    again = parse_address(mixed["address"], gazetteer).with_columns(n=mixed["n"]).sort("n").drop("n")
    assert_frame_equal(again, parsed)


def test_reading_what_was_read_changes_nothing(parsed, gazetteer):
    assert_frame_equal(parse_address(parsed["address"], gazetteer), parsed)


def test_width_and_blanks_do_not_matter(parsed, gazetteer):
    wide = str.maketrans({chr(code): chr(code + 0xFEE0) for code in range(0x21, 0x7F)})
    others = CASES["address"].map_elements(lambda text: "\u3000" + " ".join(text.translate(wide)) + "\t\n", pl.String)
    assert_frame_equal(parse_address(others, gazetteer), parsed)


words = st.sampled_from(
    [
        "广东省",
        "深圳市",
        "南山区",
        "鼓楼区",
        "吉林",
        "海南",
        "路",
        "街道",
        "镇",
        "号",
        "12",
        "科技园",
        "A座",
        "沪",
        "(",
        "）",
        " ",
        "Shenzhen",
        ",",
        "县",
        "新区",
    ]
)


@settings(max_examples=20)
@given(st.lists(st.lists(words, max_size=9).map("".join), min_size=1, max_size=8))
def test_made_up_addresses_never_fail_and_read_alike_alone_and_in_company(gazetteer, texts):
    together = parse_address(texts, gazetteer)
    alone = pl.concat([parse_address([text], gazetteer) for text in texts[:2]])
    assert_frame_equal(together.head(2), alone)
    codes = together["region_code"].drop_nulls()
    assert codes.is_in(list(gazetteer.region_codes())).all()
