"""Recognising columns: every header the schemas list, units and brackets, --map, and what is left."""

from __future__ import annotations

import pytest

from jiqun.core.errors import InputError, UsageError
from jiqun.core.schema import schema, schemas
from jiqun.intake.columns import UNITS, find_header, parse_map, plain, recognise, split_unit

FIRMS = schema("organisations")


def targets(headers, mapping=(), table=FIRMS):
    return {column.header: column.target for column in recognise(headers, table, mapping)}


@pytest.mark.parametrize("table", sorted(schemas()))
def test_every_listed_header_is_recognised_in_any_dress(table):
    described = schema(table)
    required = [a.name for a in described.attributes if a.required]
    owner: dict[str, str] = {plain(a.name): a.name for a in described.attributes}
    for attribute in described.attributes:
        for alias in attribute.aliases:
            owner.setdefault(plain(alias), attribute.name)
    for alias, name in owner.items():
        others = [other for other in required if other != name]
        for dressed in (alias, f" {alias.upper()} ", f"{alias}（备注）", f"{alias}(期末)", alias.replace("_", " ")):
            found = targets([dressed, *others], table=described)
            assert found[dressed] == name, dressed


@pytest.mark.parametrize(
    ("header", "attribute", "factor"),
    [
        ("营业收入（万元）", "revenue_cny", 1e4),
        ("营业收入(亿元)", "revenue_cny", 1e8),
        ("Revenue (CNY)", "revenue_cny", 1.0),
        ("revenue, 万元", "revenue_cny", 1e4),
        ("营收_万元", "revenue_cny", 1e4),
        ("注册资本[单位：万元]", "registered_capital_cny", 1e4),
        ("从业人数(人)", "employees", 1.0),
        ("从业人数（万人）", "employees", 1e4),
        ("营业收入(2023)", "revenue_cny", 1.0),
        ("经度(°)", "lon", 1.0),
    ],
)
def test_units_in_headers(header, attribute, factor):
    column = recognise(["名称", header], FIRMS)[1]
    assert (column.target, column.factor) == (attribute, factor)


@pytest.mark.parametrize("header", ["营业收入（万美元）", "revenue (USD)", "注册资本（港元）"])
def test_a_unit_of_something_else_is_kept_apart(header):
    column = recognise(["名称", header], FIRMS)[1]
    assert (column.extra, column.why) == (True, "unit")


def test_two_columns_for_one_attribute_the_better_match_wins_and_the_other_is_kept():
    found = {c.header: (c.target, c.why, c.detail) for c in recognise(["企业名称", "name", "公司名称"], FIRMS)}
    assert found["name"] == ("name", "name", "")
    assert found["企业名称"] == ("x_企业名称", "taken", "name")
    assert found["公司名称"] == ("x_公司名称", "taken", "name")


def test_nothing_is_lost_and_nothing_guessed():
    headers = ["企业名称", "资质", "企业名", "nam", "Umsatz"]
    assert targets(headers) == {h: "name" if h == "企业名称" else f"x_{h}" for h in headers}


def test_columns_of_persons_are_left_out_unless_asked_for():
    headers = ["企业名称", "法定代表人", "联系人", "手机号码", "E-mail", "负责人身份证号"]
    found = {c.header: (c.target, c.why) for c in recognise(headers, FIRMS, [("联系人", "-")])}
    assert found.pop("企业名称") == ("name", "alias")
    assert found.pop("联系人") == ("x_联系人", "ignored")
    assert set(found.values()) == {("", "personal")}


def test_map_overrides_and_gives_alternatives():
    headers = ["名称", "中文名", "英文名", "代码"]
    columns = recognise(headers, FIRMS, [("中文名", "name"), ("英文名", "name"), ("代码", "-")])
    assert [c.header for c in columns if c.target == "name"] == ["中文名", "英文名"]
    assert targets(headers, [("英文名", "name"), ("中文名", "name")])["名称"] == "x_名称"
    assert targets(headers, [("代码", "-")])["代码"] == "x_代码"
    both = recognise(headers, FIRMS, [("英文名", "name"), ("英文名", "name_en")])
    assert sorted(c.target for c in both if c.header == "英文名") == ["name", "name_en"]


def test_wrong_maps_are_told():
    with pytest.raises(UsageError, match="JQ-FILE-018"):
        parse_map(["名称"])
    with pytest.raises(UsageError, match="JQ-FILE-019"):
        recognise(["名称"], FIRMS, [("名称", "nom")])
    with pytest.raises(InputError) as caught:
        recognise(["名称", "城市"], FIRMS, [("单位", "name")])
    assert (caught.value.code, caught.value.fields["headers"]) == ("JQ-FILE-011", "名称, 城市")


def test_a_missing_required_attribute_lists_headers_and_the_way_out():
    with pytest.raises(InputError) as caught:
        recognise(["单位", "城市"], FIRMS)
    text = caught.value.render("en")
    assert caught.value.code == "JQ-FILE-010"
    assert "单位, 城市" in text
    assert "--map '单位=name'" in text


def test_units_name_what_schemas_measure():
    measured = {a.unit for s in schemas().values() for a in s.attributes if a.unit}
    assert measured <= {measures for measures, _ in UNITS.values()}


@pytest.mark.parametrize(
    ("header", "factor"),
    [("租金(元/平方米·月)", 1.0), ("租金（元/㎡/月）", 1.0), ("租金(元/㎡·天)", 365 / 12), ("租金", 1.0)],
)
def test_rents_by_the_day_become_rents_by_the_month(header, factor):
    rent = recognise(["名称", header], schema("carriers"))[1]
    assert (rent.target, rent.factor) == ("rent_cny_m2_month", pytest.approx(factor))


def test_brackets_of_other_content_are_no_unit():
    assert split_unit("企业名称（全称）") == ("企业名称", "")
    assert split_unit("name of firm") == ("name of firm", "")


def test_a_value_that_looks_like_a_header_does_not_move_the_header():
    rows = [["企业名称", "类型", "城市"], ["园区", "name", "甲市"], ["城市", "b", "乙市"]]
    found = find_header(rows, FIRMS)
    assert (found.first, found.depth, found.after) == (0, 1, 0)


def test_without_any_known_header_the_first_full_row_counts():
    found = find_header([["标题", "", ""], ["a", "b", "c"], ["1", "2", "3"]], FIRMS)
    assert (found.first, found.cells, found.recognised) == (1, ("a", "b", "c"), 0)


@pytest.mark.parametrize("header", ["编号", "ID", "Identifier", "序号"])
def test_serial_numbers_are_no_identity(header):
    assert recognise(["企业名称", header], FIRMS)[1].extra


@pytest.mark.parametrize("header", ["登记号", "注册号", "证券代码", "股票代码", "来源编号", "Register ID", "symbol"])
def test_numbers_of_registers_are(header):
    assert recognise(["企业名称", header], FIRMS)[1].target == "source_id"
