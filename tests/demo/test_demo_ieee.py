"""The IEEE registry as organisations: what is counted, what is joined, where it falls."""

from __future__ import annotations

import re
from importlib.resources import files

import polars as pl
import pytest

from jiqun.core.schema import schema
from jiqun.demo import ieee
from jiqun.intake._geo import distance_km
from jiqun.intake.gazetteer import Gazetteer
from jiqun.intake.place import place


@pytest.fixture(scope="module")
def gazetteer(places) -> Gazetteer:
    return Gazetteer.load(places)


@pytest.fixture(scope="module")
def placed(gazetteer) -> pl.DataFrame:
    return ieee.placed(gazetteer)


@pytest.fixture(scope="module")
def registry() -> pl.DataFrame:
    return ieee.registry()


def test_every_assignment_of_the_file_is_read_once():
    """netaddr 1.3.0 has 35,087 MA-L assignments: as many as the file has lines that give a prefix in hexadecimal."""
    text = files("netaddr.eui").joinpath("oui.txt").read_text(encoding="utf-8")
    assert ieee.assignments().height == len(re.findall(r"\(hex\)", text)) == 35_087


def test_what_is_left_out_is_counted():
    counts = ieee.counts()
    assert counts.assignments == counts.private + counts.placeholder + counts.kept
    assert counts.private == 91
    assert counts.placeholder == 342


def test_no_block_is_lost_or_counted_twice(registry, placed):
    assert registry["size"].sum() == ieee.counts().kept
    assert placed["size"].sum() == ieee.counts().kept
    assert not registry.filter(pl.col("name").is_in(["Private", "IEEE Registration Authority"])).height


def test_organisations_have_the_columns_of_their_table_and_an_identifier_each(registry, placed):
    attributes = set(schema("organisations").names)
    assert set(registry.columns) <= attributes
    assert registry["source_id"].is_unique().all()
    assert placed["source_id"].is_unique().all()
    assert registry["name"].null_count() == 0


@pytest.mark.parametrize(
    ("lines", "parts"),
    [
        (
            ["100 CHEMIN DE BAILLOT", "MONTAUBAN    82000", "FR"],
            ("100 CHEMIN DE BAILLOT", "MONTAUBAN", "", "82000", "FR"),
        ),
        (["2121 RDU Center Drive", "Morrisville  NC  27560", "US"], ("2121 RDU Center Drive", "Morrisville", "NC", "27560", "US")),
        (["St", "Shanghai     201206", "CN"], ("St", "Shanghai", "", " 201206", "CN")),
        (["3F", "Shenzhen   Guangdong    518052", "CN"], ("3F", "Shenzhen", "Guangdong", "518052", "CN")),
        (["2455 Augustine Drive", "Santa Clara  California  95054"], ("2455 Augustine Drive", "Santa Clara", "California", "95054", None)),
        (["320 March Road", "CANADA  K2K  2E3", "CA"], ("320 March Road", "CANADA", "", "K2K 2E3", "CA")),
        (["27 rue d'Orleans", "", "FR"], ("27 rue d'Orleans", "", "", "", "FR")),
        (["27 rue d'Orleans"], ("27 rue d'Orleans", None, None, None, None)),
        (["FR"], (None, None, None, None, "FR")),
        ([], (None, None, None, None, None)),
    ],
)  # fmt: skip
def test_addresses_are_cut_where_the_registry_cuts_them(lines, parts):
    assert ieee._address(lines) == parts


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("HUAWEI TECHNOLOGIES CO.,LTD", "Huawei Technologies Co., Ltd.", True),
        ("Siemens AG", "SIEMENS A.G.", True),
        ("Motorola S.p.A.", "MOTOROLA SPA", True),
        ("Nokia", "Nokia Oyj", True),
        ("Güde GmbH & Co. KG", "Gude GmbH", True),
        ("Samsung Electronics Co.,Ltd", "Samsung Electro Mechanics co., LTD.", False),
        ("Huawei Device Co., Ltd.", "Huawei Technologies Co.,Ltd", False),
        ("SA", "AG", False),
    ],
)
def test_names_are_one_when_they_differ_in_case_punctuation_or_legal_form_only(one, other, same):
    keys = pl.DataFrame({"name": [one, other]}).select(ieee.name_key(pl.col("name")))["name"]
    assert (keys[0] == keys[1]) is same


def test_one_organisation_in_one_place_is_one_row(placed):
    keyed = placed.with_columns(key=ieee.name_key(pl.col("name")))
    local = keyed.filter(pl.col("precision_km") <= ieee.LOCAL_KM)
    assert local.select("key", "country", "place_id").is_duplicated().sum() == 0


def test_most_organisations_are_placed_as_exactly_as_a_city(placed):
    local = (placed["precision_km"] <= ieee.LOCAL_KM).fill_null(value=False)
    assert placed.height > 18_000
    assert local.mean() >= 0.93
    assert placed["placed_by"].null_count() < 0.001 * placed.height


def test_loading_the_organisations_places_them_as_here(placed, gazetteer):
    again = place(ieee.organisations(gazetteer), gazetteer)
    assert again["source_id"].equals(placed["source_id"])
    for column in ("place_id", "precision_km", "placed_by", "lon", "lat"):
        assert again[column].equals(placed[column], null_equal=True), column


def test_organisations_of_hong_kong_are_in_hong_kong(placed):
    """A naive match once put 34 of them into a village called Hongsi."""
    firms = placed.filter(pl.col("country") == "HK")
    away = firms.select(distance_km(pl.col("lon"), pl.col("lat"), pl.lit(114.17), pl.lit(22.3))).to_series()
    assert firms.height > 200
    assert (away < 40).mean() > 0.98


@pytest.mark.parametrize(
    ("country", "city", "lon", "lat", "km", "least"),
    [
        ("CN", "(?i)^shen ?zhen$", 114.06, 22.55, 40, 700),
        ("KR", "(?i)^seoul$", 126.98, 37.57, 20, 450),
        ("TW", "(?i)^taipei$", 121.53, 25.05, 20, 250),
        ("US", "(?i)^san jose$", -121.89, 37.34, 20, 250),
    ],
)
def test_the_large_cities_of_the_registry_are_where_they_are(placed, country, city, lon, lat, km, least):
    firms = placed.filter(pl.col("country") == country, pl.col("city").str.contains(city))
    away = firms.select(distance_km(pl.col("lon"), pl.col("lat"), pl.lit(lon), pl.lit(lat))).to_series()
    assert firms.height >= least
    assert (away < km).mean() > 0.98


def test_the_same_file_gives_the_same_table(registry):
    assert ieee.registry().equals(registry)
