"""What becomes of rows: kept, emptied, warned of, refused; never lost."""

from __future__ import annotations

import json
from datetime import date

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jiqun.core.errors import catalogue
from jiqun.core.schema import schema, schemas
from jiqun.intake.check import TYPES, Rules, check, choices
from jiqun.intake.columns import recognise
from jiqun.intake.quarantine import worded
from jiqun.intake.read import Batch, no_refused

FIRMS = schema("organisations")
REGIONS = frozenset({"440305", "440300", "440000"})


def batch(headers, rows, first_row=2):
    cells = pl.DataFrame(rows, schema={str(k): pl.String for k in range(len(headers))}, orient="row")
    numbers = pl.Series("row", range(first_row, first_row + len(rows)), dtype=pl.Int64)
    return Batch(cells, numbers, no_refused(), 0, plain=False, done=len(rows))


def checked(headers, rows, *, table=FIRMS, mapping=(), excel=False):
    rules = Rules(table, recognise(headers, table, mapping), date(2024, 12, 31), REGIONS, excel=excel)
    return check(batch(headers, rows), rules)


def codes(result):
    return {
        (row, code, severity) for row, code, severity in result.problems.select("row", "code", "severity").iter_rows()
    }


def test_columns_have_the_types_of_the_schema_and_stand_in_its_order():
    result = checked(["资质", "企业名称"], [["高新", "甲"]])
    assert result.rows.columns == [*FIRMS.names, "x_资质", "source_row"]
    for attribute in FIRMS.attributes:
        assert result.rows.schema[attribute.name] == TYPES[attribute.type]
    assert result.rows.row(0, named=True)["x_资质"] == "高新"
    assert result.rows["source_row"].to_list() == [2]


@pytest.mark.parametrize(
    ("header", "cell", "code"),
    [
        ("信用代码", "911100006000373410", "JQ-DATA-015"),
        ("信用代码", "9.1110E+17", "JQ-DATA-016"),
        ("行业代码", "65O3", "JQ-DATA-014"),
        ("行政区划代码", "999999", "JQ-DATA-017"),
        ("国家", "Narnia", "JQ-DATA-019"),
        ("从业人数", "-5", "JQ-DATA-008"),
        ("从业人数", "很多", "JQ-DATA-006"),
        ("从业人数", "1.5", "JQ-DATA-007"),
        ("成立日期", "2025-01-01", "JQ-DATA-011"),
        ("成立日期", "去年", "JQ-DATA-010"),
        ("地址", "=HYPERLINK(1)", "JQ-DATA-004"),
        ("地址", "很" * 40_000, "JQ-DATA-005"),
    ],
)
def test_a_bad_optional_cell_is_emptied_and_its_row_kept(header, cell, code):
    result = checked(["企业名称", header], [["甲", cell], ["乙", None]])
    assert result.rows["name"].to_list() == ["甲", "乙"]
    attribute = next(c.target for c in recognise(["企业名称", header], FIRMS) if c.header == header)
    assert result.rows[attribute].to_list() == [None, None]
    assert result.problems.select("row", "column", "value", "code", "severity", "raw").rows() == [
        (2, header, cell[:1000], code, "emptied", None)
    ]


def test_warnings_leave_the_value():
    result = checked(["企业名称", "行政区划代码", "成立日期"], [["甲", "440399", "2015"]])
    assert result.rows.select("region_code", "founded").row(0) == ("440399", date(2015, 1, 1))
    assert codes(result) == {(2, "JQ-DATA-018", "warning"), (2, "JQ-DATA-025", "warning")}


@pytest.mark.parametrize(
    ("cell", "code"), [(None, "JQ-DATA-001"), ("  \t", "JQ-DATA-001"), ("NULL", "JQ-DATA-001"), ("=A1", "JQ-DATA-004")]
)
def test_a_bad_required_cell_refuses_the_row_and_keeps_it_whole(cell, code):
    result = checked(["企业名称", "城市", "资质"], [[cell, "深圳", "高新"], ["乙", "北京", ""]])
    assert result.rows["name"].to_list() == ["乙"]
    assert codes(result) == {(2, code, "refused")}
    assert json.loads(result.problems["raw"].item()) == {"企业名称": cell, "城市": "深圳", "资质": "高新"}


@pytest.mark.parametrize(
    ("lon", "lat", "code"),
    [
        ("200", "22.5", "JQ-DATA-020"),
        ("113.9", "-91", "JQ-DATA-020"),
        ("22.5", "113.9", "JQ-DATA-021"),
        ("0", "0.0", "JQ-DATA-022"),
        ("113.9", None, "JQ-DATA-023"),
        (None, "22.5", "JQ-DATA-023"),
    ],
)
def test_coordinates_that_cannot_be_are_emptied_as_a_pair(lon, lat, code):
    result = checked(["企业名称", "经度", "纬度"], [["甲", lon, lat], ["乙", "113.9", "22.5"], ["丙", None, None]])
    assert result.rows.select("lon", "lat").rows() == [(None, None), (113.9, 22.5), (None, None)]
    assert result.problems.select("row", "column", "value", "code").rows() == [
        (2, "经度, 纬度", f"{lon or ''}, {lat or ''}", code)
    ]


def test_control_characters_go_and_words_stay():
    result = checked(["企业名称"], [["　甲公\u200b司\n（深圳） \ufeff"], ["乙\0公司"]])
    assert result.rows["name"].to_list() == ["甲公司 （深圳）", "乙公司"]
    assert codes(result) == {(3, "JQ-DATA-040", "warning")}


def test_of_alternatives_the_first_that_is_filled_counts_and_its_own_header_is_named():
    mapping = [("中文名", "name"), ("英文名", "name")]
    rows = [["甲", "A"], [None, "B"], [None, "=C"], ["=D", "D"], [None, None]]
    result = checked(["中文名", "英文名"], rows, mapping=mapping)
    assert result.rows["name"].to_list() == ["甲", "B", "D"]
    assert result.problems.select("row", "column", "code").rows() == [
        (4, "英文名", "JQ-DATA-004"),
        (6, "中文名", "JQ-DATA-001"),
    ]


def test_defaults_fill_what_is_empty_but_not_what_is_bad():
    carriers = schema("carriers")
    result = checked(
        ["载体名称", "类型"], [["a", None], ["b", "大楼顶"], ["c", "楼宇"], ["d", "Building"]], table=carriers
    )
    assert result.rows["kind"].to_list() == ["park", None, "building", "building"]
    assert codes(result) == {(3, "JQ-DATA-013", "emptied")}
    links = schema("links")
    assert checked(["起点", "终点", "类型"], [["a", "b", "供应"]], table=links).rows["weight"].to_list() == [1.0]


def test_every_choice_has_a_word_for_it():
    every = [*schemas().values(), *schemas("given").values()]
    values = {v for s in every for a in s.attributes if a.check.startswith("enum:") for v in a.check[5:].split("|")}
    assert values == set(choices())
    for described in every:
        for attribute in described.attributes:
            if attribute.check.startswith("enum:"):
                words = [word for value in attribute.check[5:].split("|") for word in (value, *choices()[value])]
                assert len(set(words)) == len(words)


def test_excel_serials_are_dates_and_said_outside_excel():
    assert checked(["企业名称", "成立日期"], [["甲", "43861"]], excel=True).rows["founded"].to_list() == [
        date(2020, 1, 31)
    ]
    result = checked(["企业名称", "成立日期"], [["甲", "43861"]])
    assert result.rows["founded"].to_list() == [date(2020, 1, 31)]
    assert codes(result) == {(2, "JQ-DATA-036", "warning")}


CELLS = {
    "企业名称": ["甲", "乙 公司", None, "=1", "NULL", " "],
    "信用代码": ["91110000600037341L", "911100006000373410", "x", None],
    "行业代码": ["6513", "I6513", "65O3", None],
    "从业人数": ["12", "1万", "-3", "x", None],
    "经度": ["113.9", "0", "200", "x", None],
    "纬度": ["22.5", "0", "113", None],
    "备注": ["a", "=2", None],
}
ROW = st.tuples(*(st.sampled_from(cells) for cells in CELLS.values()))


@given(st.lists(ROW, max_size=40))
def test_every_row_is_kept_or_refused_in_full_and_a_row_is_judged_alone(rows):
    headers = list(CELLS)
    result = checked(headers, [list(row) for row in rows])
    refused = result.problems.filter(pl.col("severity") == "refused")
    kept = set(result.rows["source_row"])
    assert kept.isdisjoint(refused["row"])
    assert kept | set(refused["row"]) == set(range(2, len(rows) + 2))
    for number, raw in refused.select("row", "raw").iter_rows():
        assert json.loads(raw) == dict(zip(headers, rows[number - 2], strict=True))
    good = {"甲", "乙 公司"}
    assert kept == {k for k, row in enumerate(rows, 2) if row[0] in good}
    for k, row in enumerate(rows[:5]):
        alone = checked(headers, [list(row)])
        mine = result.rows.filter(pl.col("source_row") == k + 2).drop("source_row")
        assert mine.equals(alone.rows.drop("source_row"))


def test_every_code_is_worded_in_both_languages():
    found = [code for code in catalogue() if code.startswith("JQ-DATA-")]
    problems = pl.DataFrame(
        {
            "row": 1289,
            "column": "列",
            "value": "值{x}",
            "code": found,
            "severity": "emptied",
            "detail": "d",
            "raw": None,
        },
        schema_overrides={"row": pl.Int64, "raw": pl.String},
    )
    told = worded(problems, file="f.xlsx", load=3)
    assert told.height == len(found)
    for row in told.iter_rows(named=True):
        fields = {"file": "f.xlsx", "row": 1289, "column": "列", "value": "值{x}", "detail": "d"}
        for language in ("zh", "en"):
            expected = catalogue()[row["code"]].render(language, **fields)
            assert f"{row['code']} {row[f'message_{language}']}\n  {row[f'hint_{language}']}" == expected
            assert "1289" in expected


def test_an_empty_name_is_taken_from_another_column_and_told():
    headers = ["企业名称", "name_en", "公司名称", "城市"]
    rows = [["甲", "A", "乙", None], [None, "B", None, None], ["-", "C", "丙", None], ["=1", "D", " ", None]]
    result = checked(headers, [*rows, [None, " ", None, "深圳"], [None, "=2", None, None]])
    assert result.rows["name"].to_list() == ["甲", "B", "丙", "D"]
    assert result.rows["name_en"].to_list() == ["A", "B", "C", "D"]
    told = result.problems.filter(pl.col("code") == "JQ-DATA-030")
    assert told.select("row", "column", "value", "severity").rows() == [
        (3, "name_en", "B", "warning"),
        (4, "公司名称", "丙", "warning"),
        (5, "name_en", "D", "warning"),
    ]
    refused = result.problems.filter(pl.col("severity") == "refused")
    assert refused.select("row", "code").rows() == [(6, "JQ-DATA-001"), (7, "JQ-DATA-004")]
    assert json.loads(refused["raw"][0])["城市"] == "深圳"


@pytest.mark.parametrize("name", ["合计", "小 计", "总计：", "Total", "GRAND TOTAL", "Sub-total", "（合计）", "共计"])
def test_lines_of_totals_are_no_firms(name):
    result = checked(["企业名称", "从业人数"], [["甲", "1"], [name, "1"]])
    assert result.rows["name"].to_list() == ["甲"]
    assert codes(result) == {(3, "JQ-DATA-031", "refused")}
    assert json.loads(result.problems["raw"][0]) == {"企业名称": name, "从业人数": "1"}
    sites = checked(["organisation", "address"], [[name, "x"]], table=schema("sites"))
    assert codes(sites) == {(2, "JQ-DATA-031", "refused")}


@pytest.mark.parametrize("name", ["合计管理公司", "Total Energies", "总计算机公司", "Totally", "计", "TOTAL S.A."])
def test_names_that_only_contain_such_a_word_stay(name):
    assert checked(["企业名称"], [[name]]).rows["name"].to_list() == [name]


def test_a_firm_of_such_a_name_with_a_number_stays():
    result = checked(["企业名称", "股票代码"], [["Total", "TTE"], ["Total", None]])
    assert result.rows["source_id"].to_list() == ["TTE"]


def test_a_foreign_industry_code_is_told():
    rows = [["甲", c, "6513"] for c in ("CN", "香港", "TW", "MO", None, "DE", "USA")]
    result = checked(["企业名称", "国家", "行业代码"], [*rows, ["乙", "FR", None], ["丙", "FR", "99999"]])
    told = result.problems.filter(pl.col("code") == "JQ-DATA-032")
    assert told.select("row", "value", "detail", "severity").rows() == [
        (7, "6513", "DE", "warning"),
        (8, "6513", "US", "warning"),
    ]
    assert result.rows["industry_code"].to_list() == ["6513"] * 7 + [None] * 2
    assert checked(["企业名称", "行业代码"], [["甲", "6513"]]).problems.height == 0
