"""Names: folding, taking apart, and what two spellings of one name share."""

from __future__ import annotations

import unicodedata

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jiqun.roster.names import NameParts


@pytest.mark.parametrize(
    ("name", "place", "trade_name", "trade", "flags"),
    [
        ("深圳雷柏科技股份有限公司", "440300", "雷柏", "科技", "f"),
        ("華為技術（深圳）有限公司", "440300", "华为", "技术", "f"),
        ("华为(深圳)技术有限公司", "440300", "华为", "技术", "f"),
        ("浙江南都电源动力股份有限公司", "330000", "南都", "电源动力", "f"),
        ("江苏省苏州市昆山市好孩子集团有限公司", "320583", "好孩子", "", "fg"),
        ("南京市鼓楼区华信科技有限公司", "320106", "华信", "科技", "f"),
        ("北京银行", "110000", "银行", "", ""),
        ("中国工商银行股份有限公司深圳分行", None, "中国工商银行股份有限公司深圳分行", "", "b"),
        ("ソニー株式会社", None, "ソニー", "", "f"),
        ("㈱日立製作所", None, "日立制作所", "", "f"),
        ("Zhejiang Narada Power Source Co., Ltd.", "330000", "naradapowersource", "", "f"),
        ("The Boeing Company", None, "boeing", "", "f"),
        ("O'Brien & Söhne GmbH & Co. KG", None, "obriensohne", "", "f"),
        ("ＡＣＭＥ　Ｃｏ．，Ｌｔｄ．", None, "acme", "", "f"),
        ("上海", None, "上海", "", ""),
        ("有限公司", None, "有限公司", "", ""),
        ("", None, "", "", ""),
    ],
)
def test_a_name_is_place_trade_name_trade_and_form(normaliser, name, place, trade_name, trade, flags):
    assert normaliser.split(name) == NameParts(place, trade_name, trade, "f" in flags, "g" in flags, "b" in flags)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("华为技术有限公司", "華為技術有限公司"),
        ("ABC有限公司", "ａｂｃ 有限公司"),
        ("甲（上海）有限公司", "甲(上海)有限公司"),
        ("Zürich AG", "ZURICH AG."),
        ("ガス株式会社", "ｶﾞｽ株式会社"),
        ("A\u0301B Inc", "\u00c1B, Inc."),
    ],
)
def test_spellings_of_one_name_are_one(normaliser, one, other):
    assert normaliser.normal(one) == normaliser.normal(other)
    made = normaliser.prepare(pl.Series([one, other]))
    assert made.normal[0] == made.normal[1]


@pytest.mark.parametrize(
    ("one", "other"), [("华为技术有限公司", "华为技术(北京)有限公司"), ("甲乙", "乙甲"), ("A1", "A2")]
)
def test_other_names_are_others(normaliser, one, other):
    made = normaliser.prepare(pl.Series([one, other]))
    assert made.normal[0] != made.normal[1]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("广东省深圳市南山区科技园", 440305),
        ("深圳", 440300),
        ("浙江 杭州市", 330100),
        ("Shenzhen", 440300),
        ("自由村", 0),
        ("", 0),
    ],
)
def test_a_text_begins_with_the_finest_division(normaliser, text, code):
    assert normaliser.places(pl.Series([text])).tolist() == [code]


ANYTHING = st.text(st.characters(exclude_categories=["Cs"]), max_size=300)


@given(ANYTHING)
def test_normalising_again_changes_nothing(normaliser, text):
    once = normaliser.normal(text)
    assert normaliser.normal(once) == once


@given(ANYTHING)
def test_case_and_width_do_not_matter(normaliser, text):
    wide = "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in text)
    assert normaliser.normal(wide) == normaliser.normal(text)
    plain = "".join(c for c in text if c.isascii())
    assert normaliser.normal(plain.upper()) == normaliser.normal(plain)


@given(ANYTHING)
def test_any_text_is_taken_apart_and_loses_nothing_but_place_and_form(normaliser, text):
    parts = normaliser.split(text)
    normal = normaliser.normal(text)
    assert bool(parts.core) == bool(normal)
    kept = iter(normal)
    assert all(letter in kept for letter in parts.core)  # in its order
    assert not any(unicodedata.category(letter)[0] in "ZPC" and ord(letter) < 0xE000 for letter in normal)


@given(st.lists(ANYTHING, max_size=20))
def test_a_column_is_what_its_names_are_one_by_one(normaliser, texts):
    made = normaliser.prepare(pl.Series(texts, dtype=pl.String))
    assert [made.core(place) for place in range(len(texts))] == [normaliser.split(text).core for text in texts]
    assert normaliser.normals(pl.Series(texts, dtype=pl.String)) == [normaliser.normal(text) for text in texts]
