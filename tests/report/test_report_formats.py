"""Numbers as readers of both languages expect them."""

from __future__ import annotations

import math

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from jiqun.core.document import Text
from jiqun.core.text import visible
from jiqun.report import spoken
from jiqun.report.formats import cell, probability, ratio_number


@pytest.mark.parametrize(
    ("value", "kind", "expected"),
    [
        (18234, "integer", "18,234"),
        (-18234.4, "integer", "−18,234"),
        (0, "integer", "0"),
        (None, "integer", "—"),
        (math.nan, "number", "—"),
        (math.inf, "ratio", "∞"),
        (-0.04, "number", "0.0"),
        (1234.56, "number", "1,234.6"),
        (53.2, "ratio", "×53"),
        (9.97, "ratio", "×10"),
        (5.68, "ratio", "×5.7"),
        (0.034, "ratio", "×0.03"),
        (0.0, "ratio", "×0.0"),
        (0.453, "share", "45.3\u00a0%"),
        (0.0123, "probability", "0.012"),
        (1e-12, "probability", "<0.001"),
        (0.99999, "probability", ">0.999"),
        (2024, "code", "2024"),
        ("GB/T 4754-2017:6513", "code", "GB/T 4754-2017:6513"),
        ("pending", "integer", "pending"),
    ],
)
def test_cell(value, kind, expected):
    assert cell(value, kind, "zh") == cell(value, kind, "en") == expected


def test_cell_in_each_language():
    assert cell(True, "text", "zh") == "是"
    assert cell(False, "text", "en") == "no"
    assert cell(Text("集群", "cluster"), "integer", "en") == "cluster"
    assert cell(Text("集群", ""), "text", "en") == "集群"


@pytest.mark.parametrize(
    ("value", "zh", "en"),
    [
        (120_000_000, "1.2 亿", "120 million"),
        (999_999, "100 万", "999,999"),
        (99_999_999, "1 亿", "100 million"),
        (9_999, "9,999", "9,999"),
        (18_234, "1.8 万", "18,234"),
        (-2_340_000_000, "−23 亿", "−2.3 billion"),
        (6.1e12, "6.1 万亿", "6.1 trillion"),
        (12.5, "12.5", "12.5"),
        (0, "0", "0"),
        (None, "—", "—"),
    ],
)
def test_spoken_by_language(value, zh, en):
    assert spoken(value) == Text(zh, en)


UNITS = {"万亿": 1e12, "亿": 1e8, "万": 1e4, "trillion": 1e12, "billion": 1e9, "million": 1e6, "": 1.0}


@given(st.floats(min_value=1, max_value=1e15))
def test_spoken_is_within_its_two_digits(value):
    for said in (spoken(value).zh, spoken(value).en):
        number, _, unit = said.partition(" ")
        assert float(number.replace(",", "")) * UNITS[unit] == pytest.approx(value, rel=0.05)


@given(st.floats(min_value=1e-6, max_value=1e9))
def test_a_positive_ratio_never_reads_as_zero(value):
    shown = float(ratio_number(value).replace(",", ""))
    assert shown > 0
    assert shown == pytest.approx(value, rel=0.5)


@given(st.floats(min_value=0, max_value=1, exclude_min=True), st.integers(0, 2))
@example(0.005, 0)
@example(0.0005, 1)
def test_a_positive_share_never_reads_as_zero(value, digits):
    assert cell(value, "share", "en", digits) != cell(0.0, "share", "en", digits)
    assert cell(0.004, "share", "zh", 0) == "<1\u00a0%"


@given(st.floats(min_value=0, max_value=1, exclude_min=True, exclude_max=True))
def test_what_is_not_certain_never_reads_as_certain(value):
    assert probability(value) not in {"0", "1", "0.000", "1.000"}


@given(st.text(st.characters(categories=["Lu", "Ll", "Lo", "Nd", "Po", "Zs", "So"])))
def test_visible_keeps_ordinary_text(text):
    assert visible(text) == text


@given(st.text(st.characters(exclude_categories=())))
def test_visible_leaves_nothing_that_acts_unseen(text):
    shown = visible(text)
    shown.encode()
    assert not any(ord(c) < 0x20 or 0x202A <= ord(c) <= 0x202E or 0x2066 <= ord(c) <= 0x2069 for c in shown)
