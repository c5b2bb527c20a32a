"""Numbers, dates and official codes, against Python's own arithmetic, stdnum, and the tables themselves."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from stdnum.cn import uscc

from jiqun import taxonomy
from jiqun.core.schema import schema
from jiqun.intake import _kernels, codes, values
from jiqun.intake._geo import countries

FIRMS = schema("organisations")
REVENUE, EMPLOYEES = FIRMS["revenue_cny"], FIRMS["employees"]
SHARE = schema("facilities")["used_share"]


def series(*cells: str | None) -> pl.Series:
    return pl.Series(cells, dtype=pl.String)


def found(judged: values.Judged) -> dict[int, str]:
    return dict(judged.findings.select("at", "code").iter_rows())


AMOUNT = st.decimals(min_value=0, max_value=10**9, places=2)


@given(
    AMOUNT,
    st.sampled_from(list(values.MULTIPLIERS.items())),
    st.sampled_from(["", "元", " 元", "人民币"]),
    st.booleans(),
)
def test_multiples_are_exact_to_the_fen(amount, multiple, unit, grouped):
    word, factor = multiple
    text = f"{amount:,}" if grouped else str(amount)
    expected = float((amount * Decimal(int(factor))).quantize(Decimal("0.01")))
    judged = values.numbers(series(f"{text}{word}{unit}"), REVENUE)
    assert judged.values[0] == pytest.approx(expected, rel=1e-15)
    assert found(judged) == {}


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_plain_numbers_are_as_python_reads_them(value):
    assert values.numbers(series(repr(value)), schema("indicators")["value"]).values[0] == value


@given(st.integers(-(10**12), 10**12))
def test_ways_to_write_one_number(value):
    wide = str(value).translate(str.maketrans("0123456789-", "０１２３４５６７８９－"))
    ways = [
        f"{value:,}",
        f"{value:,}".replace(",", " "),
        f"{value}.0",
        wide,
        f"({-value:,})" if value < 0 else f"+{value}",
    ]
    judged = values.whole(values.numbers(series(*ways), EMPLOYEES))
    assert judged.values.to_list() == [value] * len(ways)


def test_the_header_unit_holds_unless_the_cell_states_its_own():
    judged = values.numbers(series("1.1", "1,234", "1.2亿", "350元", "3500万元", None), REVENUE, factor=1e4)
    assert judged.values.to_list() == [11000.0, 12_340_000.0, 120_000_000.0, 350.0, 35_000_000.0, None]


@pytest.mark.parametrize(
    ("cell", "code"),
    [
        ("约500", "JQ-DATA-006"),
        ("100-500", "JQ-DATA-006"),
        ("1,2", "JQ-DATA-006"),
        ("12,34,567", "JQ-DATA-006"),
        ("abc", "JQ-DATA-006"),
        ("inf", "JQ-DATA-006"),
        ("1e999", "JQ-DATA-006"),
        ("5人", "JQ-DATA-006"),
        ("$5", "JQ-DATA-026"),
        ("5 USD", "JQ-DATA-026"),
        ("100万美元", "JQ-DATA-026"),
        ("HK$5", "JQ-DATA-026"),
    ],
)
def test_what_is_no_amount_is_told(cell, code):
    judged = values.numbers(series("1", cell), REVENUE)
    assert judged.values.to_list() == [1.0, None]
    assert found(judged) == {1: code}


def test_words_for_nothing_are_nothing():
    judged = values.numbers(series("-", "—", "N/A", "暂无", "NULL", "nan"), REVENUE)
    assert judged.values.null_count() == 6
    assert found(judged) == {}


def test_a_share_may_be_a_percentage():
    assert values.numbers(series("0.85", "85%", "85 %"), SHARE).values.to_list() == [0.85, 0.85, 0.85]


def test_persons_are_whole():
    judged = values.whole(values.numbers(series("12.0", "12.5", "1万人", "99999999999999999999"), EMPLOYEES))
    assert judged.values.to_list() == [12, None, 10_000, None]
    assert found(judged) == {1: "JQ-DATA-007", 3: "JQ-DATA-007"}


@given(st.dates(date(1000, 1, 1), date(2199, 12, 31)))
def test_ways_to_write_one_date(day):
    y, m, d = f"{day.year:04d}", day.month, day.day
    ways = [
        day.isoformat(),
        f"{y}/{m}/{d}",
        f"{y}.{m:02d}.{d:02d}",
        f"{y}年{m}月{d}日",
        f"{y} 年 {m} 月 {d} 日",
        f"{y}{m:02d}{d:02d}",
        f"{day.isoformat()} 00:00:00",
        f"{day.isoformat()}T12:30:00Z",
    ]
    judged = values.dates(series(*ways), excel=False)
    assert judged.values.to_list() == [day] * len(ways)
    assert found(judged) == {}


@given(st.integers(10_000, 99_999))
def test_serial_numbers_are_what_excel_means(serial):
    judged = values.dates(series(str(serial), f"{serial}.75"), excel=True)
    assert judged.values.to_list() == [date(1899, 12, 30) + timedelta(days=serial)] * 2


@pytest.mark.parametrize(
    "cell",
    [
        "01/02/2020",
        "20.1.31",
        "13/13/2020",
        "32/01/2020",
        "2020-02-30",
        "2020-13-01",
        "20-01-31",
        "0020-01-31",
        "113.3.5",
        "昨天",
        "2020-01-31x",
    ],
)
def test_what_is_no_date_is_told(cell):
    judged = values.dates(series(cell), excel=False)
    assert judged.values.to_list() == [None]
    assert found(judged) == {0: "JQ-DATA-010"}


def test_three_numbers_are_a_date_where_only_one_order_makes_one():
    judged = values.dates(series("31/01/2020", "01-31-2020 00:00:00", "05.05.2020"), excel=False)
    assert judged.values.to_list() == [date(2020, 1, 31)] * 2 + [date(2020, 5, 5)]
    assert found(judged) == {}
    judged = values.dates(series("20.1.3", "99/12/31", "31.12.99", "20年1月31日"), excel=False)
    assert judged.values.to_list() == [date(2020, 1, 3), *[date(1999, 12, 31)] * 2, date(2020, 1, 31)]
    assert set(found(judged).values()) == {"JQ-DATA-037"}


def test_a_year_or_month_is_its_first_day_and_said():
    judged = values.dates(series("2015", "2015年", "2015-06", "2015年6月"), excel=True)
    assert judged.values.to_list() == [date(2015, 1, 1)] * 2 + [date(2015, 6, 1)] * 2
    assert set(found(judged).values()) == {"JQ-DATA-025"}


# Credit codes

BODY = st.tuples(
    st.text("0123456789", min_size=8, max_size=8), st.text(_kernels.USCC_ALPHABET, min_size=9, max_size=9)
).map("".join)
GOOD = BODY.map(lambda body: body + uscc.calc_check_digit(body))
MUTATED = st.tuples(GOOD, st.integers(0, 17), st.characters(codec="utf-8")).map(
    lambda t: t[0][: t[1]] + t[2] + t[0][t[1] + 1 :]
)
CODES = st.one_of(GOOD, BODY, MUTATED, st.text(_kernels.USCC_ALPHABET + "IOSVZ az-", max_size=20), st.none())


@given(st.lists(CODES, max_size=20), st.integers(0, 3))
def test_the_screen_agrees_with_stdnum(cells, skip):
    """On the text as it stands; what stdnum forgives (spaces, hyphens, small letters) is forgiven afterwards."""
    part = series(*cells)[skip:]
    strict = [cell is not None and uscc.is_valid(cell) and uscc.compact(cell) == cell for cell in part]
    assert (codes.screen(part) == _kernels.USCC_GOOD).tolist() == strict
    told = codes.credit_codes(part)
    for k, cell in enumerate(part):
        judged = cell is not None and uscc.is_valid(codes._plain(cell))
        assert told.values[k] == (uscc.compact(codes._plain(cell)) if judged else None)


@given(BODY)
def test_a_wrong_check_character_is_told_with_the_right_one(body):
    right = uscc.calc_check_digit(body)
    wrong = next(c for c in _kernels.USCC_ALPHABET if c != right)
    judged = codes.credit_codes(series(body + wrong))
    code, detail = judged.findings.select("code", "detail").row(0)
    assert (code, detail) in {("JQ-DATA-015", right), ("JQ-DATA-016", "")}


@pytest.mark.parametrize("cell", ["9.1110108551385e+17", "9.11E+17", "9.1110108551385408e17"])
def test_a_code_that_was_a_number_is_told(cell):
    assert found(codes.credit_codes(series(cell))) == {0: "JQ-DATA-016"}


def test_a_double_written_out_is_told_too():
    number = int(9.1110108551385408e17)
    while uscc.is_valid(str(number)):
        number += 128
    assert found(codes.credit_codes(series(str(number)))) == {0: "JQ-DATA-016"}


@pytest.mark.parametrize(
    ("cell", "code", "detail"),
    [
        ("440301103097413", "JQ-DATA-028", "15"),
        ("9111000060003734IL", "JQ-DATA-029", "I"),
        ("9A110000600037341L", "JQ-DATA-029", "9A110000"),
    ],
)
def test_malformed_credit_codes_are_explained(cell, code, detail):
    assert codes.credit_codes(series(cell)).findings.rows() == [(0, code, detail)]


# Other codes


def test_every_industry_code_is_known_with_and_without_its_section():
    known = sorted(taxonomy.known_codes(taxonomy.GBT))
    assert codes.industries(pl.Series(known)).findings.is_empty()
    sectioned = [spelling for spelling in ("I6513", "C3912", "C39", "I65", "A0111") if taxonomy.canonical(spelling)]
    assert codes.industries(pl.Series(sectioned)).values.to_list() == [s[1:] for s in sectioned]


def test_a_lost_decimal_is_repaired_and_a_letter_is_asked_about():
    judged = codes.industries(series("6513.0", "６５１３", "65O3", "abcd", None))
    assert judged.values.to_list() == ["6513", "6513", None, None, None]
    assert judged.findings.rows() == [
        (2, "JQ-DATA-014", f"6513 {taxonomy.industry_name('6513')}"),
        (3, "JQ-DATA-014", ""),
    ]


def test_region_codes_of_every_length():
    known = {"440305", "440300", "440000"}
    judged = codes.regions(series("440305", "44", "4403", "440305007", "440305007001", "440305.0"), known)
    assert judged.values.to_list() == ["440305", "440000", "440300", "440305", "440305", "440305"]
    assert judged.findings.is_empty()


def test_an_old_region_code_is_kept_and_a_wrong_one_is_not():
    judged = codes.regions(series("440399", "350627", "990101", "4403O5", "44030"), {"440305"})
    assert judged.values.to_list() == ["440399", "350627", None, None, None]
    assert list(found(judged).values()) == ["JQ-DATA-018", "JQ-DATA-018", *["JQ-DATA-017"] * 3]


def test_every_country_by_code_and_by_name():
    table = countries()
    for column in ("iso2", "name_en", "name_zh"):
        judged = codes.country_codes(table[column])
        assert judged.values.to_list() == table["iso2"].to_list()
        assert judged.findings.is_empty()
    assert codes.country_codes(series("China.", "cn", "TAIWAN", "NA")).values.to_list() == ["CN", "CN", "TW", "NA"]
    assert found(codes.country_codes(series("Atlantis"))) == {0: "JQ-DATA-019"}


@pytest.mark.parametrize(("cell", "value"), [("是", True), ("TRUE", True), ("0", False), ("没有", False), (None, None)])
def test_yes_and_no(cell, value):
    assert values.booleans(series(cell)).values[0] is value
    assert found(values.booleans(series("也许"))) == {0: "JQ-DATA-012"}
