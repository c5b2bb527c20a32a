"""Shares of the core industries: by hand, ranges that hold the point, parts that add up, lists by rule, quotes apart."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jiqun.atlas.core_shares import LEAST_DECIDED, core_share, listed_share, quoted_shares
from jiqun.core.errors import MeasureInputError, UsageError

CODES = ["3973", "6513", "0111", "5211", "7320", "4910", None]
firms = st.lists(
    st.tuples(st.sampled_from(CODES), st.one_of(st.none(), st.integers(0, 500)), st.sampled_from(["A", "B", None])),
    min_size=1,
    max_size=30,
)


def frame(rows) -> pl.DataFrame:
    """Firms with codes, persons and a region."""
    schema = {"industry_code": pl.String, "employees": pl.Int64, "region": pl.String}
    return pl.DataFrame(rows, schema=schema, orient="row")


def test_by_hand():
    rows = [("3973", 100, "A"), ("0111", 60, "A"), ("7320", 40, "B"), ("6513", None, "B")]
    (by_firms,) = core_share(frame(rows)).to_dicts()
    assert (by_firms["core"], by_firms["outside"], by_firms["undecided"]) == (2, 1, 1)
    assert by_firms["share"] == pytest.approx(2 / 3)
    assert (by_firms["low"], by_firms["high"]) == (0.5, 0.75)
    (by_size,) = core_share(frame(rows), by="employees").to_dicts()
    assert (by_size["firms"], by_size["sized"], by_size["total"]) == (4, 3, 200)
    assert (by_size["share"], by_size["low"], by_size["high"]) == (100 / 160, 0.5, 0.7)


@given(firms, st.sampled_from(["firms", "employees"]), st.sampled_from(["narrow", "broad"]))
def test_ranges_hold_the_point_and_regions_add_up(rows, by, definition):
    whole = core_share(frame(rows), by=by, definition=definition)
    parts = core_share(frame(rows), by=by, definition=definition, group="region")
    for row in [*whole.to_dicts(), *parts.to_dicts()]:
        assert row["core"] + row["outside"] + row["undecided"] == pytest.approx(row["total"])
        if row["low"] is not None:
            assert 0 <= row["low"] <= row["high"] <= 1
        if row["share"] is not None:
            assert row["low"] - 1e-12 <= row["share"] <= row["high"] + 1e-12
            assert row["core"] + row["outside"] >= LEAST_DECIDED[definition] * row["total"] - 1e-9
    for name in ("firms", "sized", "total", "core", "outside", "undecided"):
        assert parts[name].sum() == pytest.approx(whole.item(0, name))


@given(firms)
def test_the_broad_definition_takes_in_all_that_the_narrow_does(rows):
    narrow, broad = (core_share(frame(rows), definition=name).row(0, named=True) for name in ("narrow", "broad"))
    assert broad["core"] >= narrow["core"]
    assert broad["high"] >= narrow["high"]


def test_under_the_broad_definition_there_is_a_range_and_no_share_while_anything_is_undecided():
    """No code puts a firm outside, so that the decided are nearly all in and say nothing of hotels and farms."""
    codes = ["6513"] * 60 + ["6110", "6220", "5211", "0111"] * 10
    told = {
        name: core_share(pl.DataFrame({"industry_code": codes}), definition=name).row(0, named=True)
        for name in ("narrow", "broad")
    }
    assert [told["narrow"][key] for key in ("share", "low", "high")] == [0.6, 0.6, 0.6]
    assert [told["broad"][key] for key in ("share", "low", "high")] == [None, 0.6, 1.0]
    decided = core_share(pl.DataFrame({"industry_code": codes[:60]}), definition="broad").row(0, named=True)
    assert (decided["undecided"], decided["share"]) == (0, 1.0)


def test_doubling_every_firm_changes_no_share():
    rows = [("3973", 100, "A"), ("0111", 60, "A"), ("7320", 40, "B")]
    once, twice = (core_share(frame(rows * n), by="employees").row(0, named=True) for n in (1, 2))
    assert [once[k] for k in ("share", "low", "high")] == [twice[k] for k in ("share", "low", "high")]


def test_a_code_of_the_register_counts_before_the_industry_code_and_texts_after_it():
    table = pl.DataFrame(
        {
            "digital_code": ["030103", "050203", "digital-2021:01", None, None],
            "industry_code": ["0111", "3973", None, "7320", None],
            "main_business": [None, None, None, "软件开发", "白酒的生产"],
        }
    )
    row = core_share(table).row(0, named=True)
    assert (row["core"], row["outside"], row["undecided"]) == (3, 2, 0)
    without = core_share(table, texts=False).row(0, named=True)
    assert (without["core"], without["outside"], without["undecided"]) == (2, 1, 2)


def test_value_added_takes_rates_and_the_longest_code_counts():
    table = pl.DataFrame(
        {"industry_code": ["3973", "3911", "0111", "5211"], "revenue_cny": [100.0, 100.0, 100.0, 100.0]}
    )
    rates = {"39": 0.2, "3973": 0.4, "0111": 0.5}
    (row,) = core_share(table, by="value_added", rates=rates).to_dicts()
    assert (row["sized"], row["core"], row["outside"]) == (3, 60.0, 50.0)
    assert row["share"] == pytest.approx(60 / 110)


@pytest.mark.parametrize(
    "rates", [None, {}, {"39": 1.2}, {"39": -0.1}, {"99": 0.5}, {"digital-2021:99": 0.1}, {"39": float("nan")}]
)
def test_value_added_without_usable_rates_is_refused(rates):
    table = pl.DataFrame({"industry_code": ["3973"], "revenue_cny": [1.0]})
    with pytest.raises(UsageError, match="JQ-SHARE-001"):
        core_share(table, by="value_added", rates=rates)


@pytest.mark.parametrize(
    ("more", "error", "code"),
    [
        ({"by": "profit"}, UsageError, "JQ-USE-001"),
        ({"definition": "wide"}, UsageError, "JQ-USE-001"),
        ({"by": "revenue"}, MeasureInputError, "JQ-USE-003"),
        ({"group": "town"}, MeasureInputError, "JQ-USE-003"),
    ],
)
def test_what_cannot_be_asked_is_refused(more, error, code):
    with pytest.raises(error, match=code):
        core_share(frame([("3973", 1, "A")]), **more)


def test_no_firms_and_no_codes_are_no_trouble():
    assert core_share(frame([]).head(0)).is_empty()
    (row,) = core_share(pl.DataFrame({"id": ["a"]})).to_dicts()
    assert (row["undecided"], row["share"], row["low"], row["high"]) == (1, None, 0.0, 1.0)


class TestLists:
    LIST = pl.DataFrame(
        {
            "name": ["甲市集成电路产业集群", "乙市白酒产业集群", "丙市产业集群", "丁市产业集群", "戊市软件产业集群"],
            "industry": [None, None, "工业机器人制造", None, None],
            "code": [None, "3973", None, "digital-2021:0301", "0111"],
        }
    )

    def test_code_then_industry_then_name(self):
        rows, told = listed_share(self.LIST)
        assert rows["answer"].to_list() == ["digital", "digital", "digital", "digital", "not"]
        assert rows["by"].to_list() == ["name", "code", "industry", "code", "code"]
        assert told["share"] == 0.8

    def test_what_nothing_decides_makes_the_range(self):
        rows, told = listed_share(self.LIST.select("name"))
        assert rows["answer"].to_list()[2:4] == ["undecided", "undecided"]
        assert (told["low"], told["share"], told["high"]) == (0.4, pytest.approx(2 / 3), 0.8)
        assert told["digital"] + told["not"] + told["undecided"] == 5

    def test_under_the_broad_definition_a_list_has_a_range_and_no_share_while_anything_is_undecided(self):
        listed = pl.DataFrame({"name": ["集成电路产业集群", "家具产业集群"]})
        told = listed_share(listed, definition="broad")[1]
        assert (told["digital"], told["share"], told["low"], told["high"]) == (1, None, 0.5, 1.0)

    def test_an_empty_list_has_no_share(self):
        assert listed_share(self.LIST.head(0))[1]["share"] is None
        with pytest.raises(MeasureInputError, match="JQ-USE-003"):
            listed_share(pl.DataFrame({"cluster": ["x"]}))


def test_quoted_shares_name_their_text_and_are_those_of_the_texts():
    told = {one.key: one for one in quoted_shares()}
    assert {key: one.value for key, one in told.items()} == {
        "gdp": 0.078, "ndrc-66": 0.45, "miit-200": 0.18, "most-198": 0.36, "miit-25": None, "miit-80": 15 / 80,
    }  # fmt: skip
    assert told["miit-25"].low == 0.60
    assert all(one.source.zh and one.source.en and one.what.zh and one.note.en for one in told.values())
