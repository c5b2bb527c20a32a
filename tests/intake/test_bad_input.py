"""Files as they come 劣质输入: every kind of flaw has a code, is told in both languages, and costs no good row."""

from __future__ import annotations

import zipfile
from datetime import UTC, date, datetime
from pathlib import Path

import biff
import polars as pl
import pytest
import xlsxwriter
from typer.testing import CliRunner

from jiqun.cli.app import assembled
from jiqun.core.actor import LOCAL
from jiqun.core.errors import InputError, catalogue
from jiqun.core.schema import schema
from jiqun.intake import desk
from jiqun.intake.delimited import MIXED, detect_encoding, open_delimited
from jiqun.intake.excel import SHEET_ROWS, open_excel
from jiqun.intake.quarantine import worded
from jiqun.store import Workspace

FIRMS = schema("organisations")
AS_OF = "2025-06-30"


@pytest.fixture
def workspace(tmp_path, places):
    opened = Workspace.init(tmp_path / "ws", clock=lambda: datetime(2025, 7, 1, 8, tzinfo=UTC))
    (opened.path / "cache").symlink_to(places)
    return opened


@pytest.fixture
def load(workspace, tmp_path):
    """Load a text or a file made by `make`; the report, the rows kept and the findings."""

    def loaded(content, name="t.csv", **options):
        path = tmp_path / name
        if isinstance(content, Path):
            path = content
        else:
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        parts = []
        report = desk.load(LOCAL, workspace, path, "organisations", as_of=AS_OF, on_problems=parts.append, **options)
        found = (
            pl.concat(parts) if parts else pl.DataFrame(schema=dict.fromkeys(("row", "code", "severity"), pl.String))
        )
        return report, workspace.scan("organisations").collect(), found

    return loaded


def book(path, fill, **options):
    made = xlsxwriter.Workbook(path, {"strings_to_formulas": False, "strings_to_urls": False, **options})
    fill(made)
    made.close()
    return path


def sheets(path, **rows):
    def fill(made):
        for name, lines in rows.items():
            sheet = made.add_worksheet(name)
            for k, line in enumerate(lines):
                sheet.write_row(k, 0, line)

    return book(path, fill)


def codes(found):
    return sorted(found.select("row", "code", "severity").unique().rows())


def remarked(report):
    return {remark.code for remark in report.remarks}


def said(report, code):
    (remark,) = (remark for remark in report.remarks if remark.code == code)
    for text in (remark.message, remark.hint):
        assert text.zh != text.en
        assert "{" not in text.zh + text.en
    return remark.message.en


# Sheets


def test_of_three_sheets_the_fitting_one_is_taken_and_the_others_are_named(load, tmp_path):
    path = sheets(
        tmp_path / "t.xlsx",
        园区=[["园区名称", "面积（平方米）"], ["软件园", 1000]],
        企业=[["企业名称", "行业代码", "城市"], ["甲", "6513", "深圳"]],
        联系人=[["姓名", "手机"], ["张三丰", "13800000000"]],
    )
    report, rows, _ = load(path)
    assert (report.sheet, rows["name"].to_list()) == ("企业", ["甲"])
    assert any("园区 (0)" in note.en or "园区 (1)" in note.en for note in report.notes)
    assert "2 rows of others are not: 园区 (1), 联系人 (1)" in said(report, "JQ-FILE-044")


UNLIKE = {
    "2023": [["企业名称", "城市", "营业收入（万元）"], ["甲", "深圳", 1], ["乙", "深圳", 2]],
    "2024": [["单位名称", "网址", "所在城市"], ["丙", "https://c.example", "苏州"]],
    "2025": [["公司", "营业收入（元）"], ["丁", 30_000]],
    "人员": [["部门", "人数"], ["一部", 3]],
}


def test_sheets_with_other_headers_are_one_table_when_asked(load, tmp_path):
    report, rows, _ = load(sheets(tmp_path / "t.xlsx", **UNLIKE))
    assert rows["name"].to_list() == ["甲", "乙"]
    assert "3 rows of others are not: 2024 (1), 2025 (1), 人员 (1)" in said(report, "JQ-FILE-044")
    report, rows, _ = load(sheets(tmp_path / "t.xlsx", **UNLIKE), sheet="*")
    assert rows.select("name", "city", "website", "revenue_cny", "x_工作表").rows() == [
        ("甲", "深圳", None, 10_000.0, "2023"),
        ("乙", "深圳", None, 20_000.0, "2023"),
        ("丙", "苏州", "https://c.example", None, "2024"),
    ]
    assert rows["source_row"].to_list() == [2, 3, SHEET_ROWS + 2]
    assert "2 rows of others are not: 2025 (1), 人员 (1)" in said(report, "JQ-FILE-044"), "another unit, no names"


def test_sheets_with_other_headers_are_mapped_by_any_of_them(load, tmp_path):
    path = sheets(tmp_path / "t.xlsx", a=[["甲方", "城市"], ["甲", "深圳"]], b=[["乙方", "城市"], ["乙", "苏州"]])
    report, rows, _ = load(path, sheet="*", mapping={"甲方": "name", "乙方": "name"})
    assert rows.select("name", "city").rows() == [("甲", "深圳"), ("乙", "苏州")]
    assert said(report, "JQ-FILE-041")


DISTRICTS = {
    "南山区": [["2025 年名录"], ["企业名称", "城市"], ["甲", "深圳"], ["乙", "深圳"]],
    "福田区": [["城市", "企业名称"], ["深圳", "丙"], ["", ""], ["深圳", ""]],
    "说明": [["本表由某局提供"]],
    "龙岗区": [["企业名称", "城市"], ["丁", "深圳"]],
}


def test_sheets_with_the_same_header_are_offered(load, tmp_path):
    report, rows, _ = load(sheets(tmp_path / "t.xlsx", **DISTRICTS))
    assert rows["name"].to_list() == ["甲", "乙"]
    assert "福田区, 龙岗区 (4 rows)" in said(report, "JQ-FILE-038")


def test_sheets_with_the_same_header_are_read_one_after_the_other_when_asked(load, tmp_path):
    report, rows, found = load(sheets(tmp_path / "t.xlsx", **DISTRICTS), sheet="*")
    assert dict(rows.select("name", "x_工作表").iter_rows()) == {
        "甲": "南山区",
        "乙": "南山区",
        "丙": "福田区",
        "丁": "龙岗区",
    }
    assert rows["source_row"].to_list() == [3, 4, SHEET_ROWS + 2, 2 * SHEET_ROWS + 2]
    assert (report.sheet, report.read, report.kept, report.refused) == ("南山区, 福田区, 龙岗区", 5, 4, 1)
    assert codes(found) == [(SHEET_ROWS + 4, "JQ-DATA-001", "refused")]
    # the message says where the row stands
    assert found["message_en"].item().startswith("t.xlsx row 4 [福田区]:")
    assert "one after the other" in said(report, "JQ-FILE-041")


def test_a_hidden_sheet_is_not_taken_unless_it_is_named(load, tmp_path):
    def fill(made):
        old = made.add_worksheet("旧名单")
        old.write_row(0, 0, ["企业名称", "城市", "行业代码", "地址"])
        old.write_row(1, 0, ["旧公司", "深圳", "6513", "南山"])
        new = made.add_worksheet("名单")
        new.write_row(0, 0, ["企业名称", "城市"])
        new.write_row(1, 0, ["新公司", "深圳"])
        new.activate()
        old.hide()

    path = book(tmp_path / "t.xlsx", fill)
    report, rows, _ = load(path)
    assert rows["name"].to_list() == ["新公司"]
    assert "旧名单" in said(report, "JQ-FILE-035")
    assert load(path, sheet="旧名单")[1]["name"].to_list() == ["旧公司"]


def test_hidden_rows_columns_filters_and_comments_are_told(load, tmp_path):
    def fill(made, *, filtered):
        sheet = made.add_worksheet()
        sheet.write_row(0, 0, ["企业名称", "城市", "行业代码"])
        for k in range(1, 5):
            sheet.write_row(k, 0, [f"企业{k}", "深圳", "6513"])
        sheet.set_row(2, None, None, {"hidden": True})
        sheet.set_row(3, None, None, {"hidden": True})
        sheet.set_column(2, 2, None, None, {"hidden": True})
        sheet.set_column(3, 16_383, None, None, {"hidden": True})  # what lies beyond the table
        sheet.write_comment(1, 0, "赵六说的")
        if filtered:
            sheet.autofilter(0, 0, 4, 2)

    report, rows, _ = load(book(tmp_path / "a.xlsx", lambda made: fill(made, filtered=False)))
    assert (rows.height, remarked(report)) == (4, {"JQ-FILE-036", "JQ-FILE-037"})
    assert "(2 rows, 1 columns)" in said(report, "JQ-FILE-036")
    assert "1 cells have comments" in said(report, "JQ-FILE-037")
    assert "赵六" not in str(report.to_dict())
    report, rows, _ = load(book(tmp_path / "b.xlsx", lambda made: fill(made, filtered=True)))
    assert rows.height == 4
    assert "hides 2 rows" in said(report, "JQ-FILE-039")


# Merged cells, headings, totals, notes


def test_a_line_merged_across_is_a_heading_and_other_merged_cells_are_told(load, tmp_path):
    def fill(made):
        sheet = made.add_worksheet()
        sheet.write_row(0, 0, ["企业名称", "省份", "城市"])
        sheet.merge_range(1, 0, 1, 2, "一、软件业")
        sheet.write(2, 0, "甲")
        sheet.merge_range(2, 1, 2, 2, "广东")  # its value counts for the first column
        sheet.merge_range(3, 0, 4, 0, "乙")
        sheet.write_row(3, 1, ["广东", "深圳"])
        sheet.write_row(4, 1, ["广东", "广州"])
        sheet.write(5, 0, "丙")
        sheet.merge_range(5, 1, 6, 2, "广东")  # down and across
        sheet.write(6, 0, "丁")

    report, rows, found = load(book(tmp_path / "t.xlsx", fill))
    assert rows.select("name", "region", "city").rows() == [
        ("甲", "广东", None),
        ("乙", "广东", "深圳"),
        ("乙", "广东", "广州"),
        ("丙", "广东", None),
        ("丁", "广东", None),
    ]
    assert codes(found) == [(2, "JQ-DATA-034", "refused")]
    assert found["raw"].item() == "一、软件业"
    assert "2 areas" in said(report, "JQ-FILE-040")


def test_many_merged_areas_take_one_pass(tmp_path):
    def fill(made):
        sheet = made.add_worksheet()
        sheet.write_row(0, 0, ["企业名称", "城市"])
        for k in range(3_000):
            sheet.merge_range(1 + 2 * k, 0, 2 + 2 * k, 0, f"企业{k}")
            sheet.write(1 + 2 * k, 1, "深圳")
            sheet.write(2 + 2 * k, 1, "广州")

    reading = open_excel(book(tmp_path / "t.xlsx", fill), FIRMS)
    rows = pl.concat(batch.cells for batch in reading.batches)
    assert rows["0"].to_list() == [f"企业{k // 2}" for k in range(6_000)]


def test_totals_notes_and_repeated_headers_are_no_firms(load):
    lines = [
        "企业名称,统一社会信用代码,城市",
        "甲,,深圳",
        "合计（家）,,",
        "本页小计：,,",
        "Total,,",
        "企业名称,统一社会信用代码,城市",
        "注：数据来自统计局,,",
        "填表人：张三丰,,",
        "企业名称,,深圳",
        "合计,91110000600037341L,北京",
    ]
    report, rows, found = load("\n".join(lines) + "\n")
    # one of that name with a code is a firm, and one with a city beside the header's word too
    assert rows["name"].to_list() == ["甲", "企业名称", "合计"]
    assert codes(found) == [
        (3, "JQ-DATA-031", "refused"),
        (4, "JQ-DATA-031", "refused"),
        (5, "JQ-DATA-031", "refused"),
        (6, "JQ-DATA-035", "refused"),
        (7, "JQ-DATA-041", "refused"),
        (8, "JQ-DATA-041", "refused"),
    ]
    assert "张三丰" not in str(found.to_dicts())
    assert "张三丰" not in str(report.to_dict())


def test_files_put_together_with_their_marks_are_one_table(load):
    part = "\ufeff企业名称,城市\n{},深圳\n"
    _, rows, found = load(part.format("甲") + part.format("乙"))
    assert rows["name"].to_list() == ["甲", "乙"]
    assert codes(found) == [(3, "JQ-DATA-035", "refused")]


# Dates


@pytest.mark.parametrize(
    ("written", "code"),
    [
        ("2024年3月5日", None),
        ("2024/3/5", None),
        ("20240305", None),
        ("2024.3.5", None),
        ("2024-03-05T00:00:00Z", None),
        ("2024-3-5 12:30", None),
        ("民国113年3月5日", None),
        ("民國一百十三年三月五日", "JQ-DATA-010"),  # three digits of a number in words: not read, and said
        ("民國113年3月5日", None),
        ("二〇二四年三月五日", None),
        ("二零二四年三月五号", None),
        ("5-Mar-2024", None),
        ("05 March 2024", None),
        ("5th Mar. 2024", None),
        ("Mar 5, 2024", None),
        ("March 5th 2024", None),
        ("5-Mar-24", "JQ-DATA-037"),
        ("45356", "JQ-DATA-036"),
        ("45356.0", "JQ-DATA-036"),
        ("5/3/2024", "JQ-DATA-010"),
        ("24/3/5", "JQ-DATA-037"),
        ("113.3.5", "JQ-DATA-010"),
        ("2024-02-30", "JQ-DATA-010"),
    ],
)
def test_dates_as_text(load, written, code):
    _, rows, found = load(f'企业名称,成立日期\n甲,"{written}"\n')
    kept = code in {None, "JQ-DATA-036", "JQ-DATA-037"}
    assert rows["founded"].to_list() == [date(2024, 3, 5) if kept else None]
    assert found["code"].to_list() == ([code] if code else [])
    if code == "JQ-DATA-037":
        assert found["detail"].item() == "2024-03-05"


@pytest.mark.parametrize(
    ("written", "year"), [("1-Jan-29", None), ("1-Jan-30", 1930), ("1-Jan-00", 2000), ("民国元年1月1日", 1912)]
)
def test_years_of_two_digits_and_of_the_republic(load, written, year):
    _, rows, found = load(f"企业名称,成立日期\n甲,{written}\n")
    # 2029 is after the as-of date
    assert [None if day is None else day.year for day in rows["founded"]] == [year]
    assert ("JQ-DATA-011" in found["code"].to_list()) == (year is None)


def test_the_1904_date_system(load, tmp_path):
    """Both systems give the same day: serials differ by 1,462 days (ECMA-376 18.17.4.1)."""

    def fill(made):
        sheet = made.add_worksheet()
        sheet.write_row(0, 0, ["企业名称", "成立日期", "备注"])
        sheet.write(1, 0, "甲")
        sheet.write_datetime(1, 1, date(2020, 3, 5), made.add_format({"num_format": "yyyy-mm-dd"}))
        sheet.write_row(2, 0, ["乙", 43895 - 1462])
        sheet.write_row(3, 0, ["丙", str(43895 - 1462)])

    report, rows, _ = load(book(tmp_path / "t.xlsx", fill, date_1904=True))
    assert rows["founded"].to_list() == [date(2020, 3, 5)] * 3
    assert any("1904" in note.en for note in report.notes)
    old = biff.workbook({"a": [["企业名称", "成立日期"], ["甲", 43895 - 1462]]}, since_1904=True)
    assert load(old, "t.xls")[1]["founded"].to_list() == [date(2020, 3, 5)]
    old = biff.workbook({"a": [["企业名称", "成立日期"], ["甲", 43895]]})
    assert load(old, "u.xls")[1]["founded"].to_list() == [date(2020, 3, 5)]


# Codes and numbers


def test_a_credit_code_in_scientific_notation_is_emptied_and_its_row_kept(load, tmp_path):
    """A double has 15 to 17 digits; what stood behind cannot be known."""
    _, rows, found = load("企业名称,统一社会信用代码\n甲,9.14403E+17\n,9.14403E+17\n")
    assert rows.select("name", "uscc").rows() == [("甲", None)]
    assert codes(found) == [
        (2, "JQ-DATA-016", "emptied"),
        (3, "JQ-DATA-001", "refused"),
        (3, "JQ-DATA-016", "emptied"),
    ]
    assert "cannot be recovered" in found["hint_en"][0]

    def fill(made):
        sheet = made.add_worksheet()
        sheet.write_row(0, 0, ["企业名称", "统一社会信用代码"])
        sheet.write(1, 0, "甲")
        sheet.write_number(1, 1, 911100006000373412)

    _, rows, found = load(book(tmp_path / "t.xlsx", fill))
    assert (rows["uscc"].to_list(), codes(found)) == ([None], [(2, "JQ-DATA-016", "emptied")])


def test_lost_zeros_are_asked_about_and_never_put_back(load, tmp_path):
    path = sheets(
        tmp_path / "t.xlsx",
        a=[
            ["企业名称", "股票代码", "行业代码"],
            ["甲", 1, "6513"],
            ["乙", 600000, "3911"],
            ["丙", "000002", 111],
        ],
    )
    _, rows, found = load(path)
    assert rows.select("source_id", "industry_code").rows() == [("1", "6513"), ("600000", "3911"), ("000002", "111")]
    assert found.select("row", "code", "severity", "detail").rows() == [
        (2, "JQ-DATA-042", "warning", "000001"),
        (4, "JQ-DATA-042", "warning", "0111"),
    ]
    # where groups of three digits stand on purpose, none is doubted
    _, _, found = load("企业名称,行业代码\n甲,6513\n乙,651\n丙,111\n丁,3911\n")
    assert codes(found) == []
    # a region code of the mainland begins with 1 to 8: five digits have lost something else
    _, rows, found = load("企业名称,行政区划代码\n甲,44030\n")
    assert (rows["region_code"].to_list(), codes(found)) == ([None], [(2, "JQ-DATA-017", "emptied")])


def test_units_mixed_in_a_column_are_told_and_an_impossible_amount_is_not_kept(load):
    report, rows, found = load(
        "企业名称,营业收入（万元）,从业人数\n甲,3500,５人\n乙,0.35亿,1.2千\n丙,35000000元,约500\n丁,3500万元,5\n戊,35000000000,5\n"
    )
    assert rows["revenue_cny"].to_list() == [35_000_000.0] * 4 + [None]
    assert rows["employees"].to_list() == [5, 1_200, None, 5, 5]
    assert codes(found) == [(4, "JQ-DATA-006", "emptied"), (6, "JQ-DATA-043", "emptied")]
    units = [remark.message.en for remark in report.remarks if remark.code == "JQ-FILE-042"]
    assert sorted(units) == [
        "t.csv, column 从业人数: some cells state a unit of their own (千 1), 2 others state none and are read in person.",
        (
            "t.csv, column 营业收入（万元）: some cells state a unit of their own (亿 1, 元 1), 2 others state none and are "
            "read in 万元."
        ),
    ]
    # one unit throughout is no mixture, wherever it stands
    assert not remarked(load("企业名称,营业收入\n甲,3500万元\n乙,20万元\n")[0])
    assert not remarked(load("企业名称,从业人数\n甲,35人\n乙,20\n")[0])


def test_errors_of_formulas_are_told_and_not_lost(load, tmp_path):
    words = ["#REF!", "#VALUE!", "#DIV/0!", "#NAME?", "#NULL!", "#NUM!", "#N/A"]

    def fill(made):
        sheet = made.add_worksheet()
        sheet.write_row(0, 0, ["企业名称", "从业人数", "城市"])
        for k, word in enumerate(words, 1):
            sheet.write(k, 0, f"企业{k}")
            sheet.write_formula(k, 1, "=A1", None, word)
        sheet.write_formula(8, 0, "=B1", None, "#REF!")
        sheet.write(8, 2, "深圳")
        sheet.write_row(9, 0, ["正常", 12])
        sheet.write_formula(10, 0, "=A1", None, "算好的")

    report, rows, found = load(book(tmp_path / "t.xlsx", fill))
    assert rows.select("name", "employees").rows()[-2:] == [("正常", 12), ("算好的", None)]
    assert rows["name"].to_list()[:7] == [f"企业{k}" for k in range(1, 8)]
    assert codes(found) == [*((k, "JQ-DATA-033", "emptied") for k in range(2, 8)), (9, "JQ-DATA-033", "refused")]
    assert report.refused == 1
    _, rows, found = load("企业名称,从业人数\n甲,#REF!\n#5 工厂,3\n")
    assert (rows["name"].to_list(), codes(found)) == (["甲", "#5 工厂"], [(2, "JQ-DATA-033", "emptied")])


# Text files


def test_each_line_is_read_in_its_own_encoding(load):
    lines = ["企业名称,城市,备注".encode()]
    lines += [f'企业{k},深圳,"第{k}家"'.encode("gb18030" if k % 3 == 0 else "utf-8") for k in range(60)]
    report, rows, found = load(b"\r\n".join(lines) + b"\r\n")
    assert rows["name"].to_list() == [f"企业{k}" for k in range(60)]
    assert rows["x_备注"].to_list() == [f"第{k}家" for k in range(60)]
    assert codes(found) == [(k + 2, "JQ-DATA-038", "warning") for k in range(0, 60, 3)]
    assert said(report, "JQ-FILE-032").startswith("t.csv mixes encodings: 41 lines are UTF-8, 20 are GB18030")


def test_a_header_in_the_other_encoding(load):
    content = "企业名称,城市\n".encode("gb18030") + "".join(f"企业{k},深圳\n" for k in range(30)).encode()
    _, rows, found = load(content)
    assert (rows.height, codes(found)) == (30, [])


def test_lines_that_cannot_be_decoded_cost_themselves_only(load):
    lines = ["企业名称,城市"] + [f"企业{k},深圳" for k in range(40)]
    content = "\n".join(lines).encode() + b"\n\xff\xfe\xfa,x\n" + "尾,深圳".encode()[:-1]
    _, rows, found = load(content)
    assert rows.height == 40
    assert codes(found) == [(42, "JQ-DATA-039", "refused"), (43, "JQ-DATA-039", "refused")]
    assert found["raw"].to_list() == ["\ufffd\ufffd\ufffd, x", "尾, 深\ufffd"]


def test_a_third_encoding_is_no_mixture(tmp_path):
    path = tmp_path / "t.csv"
    path.write_bytes("naïve,é\n".encode("latin-1") * 50)
    with pytest.raises(InputError, match="JQ-FILE-004"):
        detect_encoding(path)
    path.write_bytes(b"name\n" + b"\xff\xff\n" * 3 + "一家公司\n".encode())
    with pytest.raises(InputError, match=r"JQ-FILE-00[45]"):
        detect_encoding(path)


@pytest.mark.parametrize("encoding", ["utf-8", "gb18030"])
@pytest.mark.parametrize("cut", range(1, 5))
def test_a_file_that_ends_anywhere_keeps_what_is_whole(load, encoding, cut):
    content = "".join(["企业名称,城市\n", *(f"企业{k},深圳市\n" for k in range(30))]).encode(encoding)
    _, rows, found = load(content[:-cut])
    assert rows.height + found.filter(pl.col("severity") == "refused")["row"].n_unique() == 30
    assert rows["name"].to_list()[:29] == [f"企业{k}" for k in range(29)]


def test_where_pieces_end_makes_no_difference_to_a_mixture(tmp_path, monkeypatch):
    lines = ["企业名称,城市".encode()] + [f"企业{k},深圳".encode("gb18030" if k % 2 else "utf-8") for k in range(50)]
    path = tmp_path / "t.csv"
    path.write_bytes(b"\n".join(lines))
    assert detect_encoding(path).name == MIXED

    def read():
        return pl.concat(batch.cells for batch in open_delimited(path, FIRMS).batches).rows()

    whole = read()
    monkeypatch.setattr("jiqun.intake.delimited._PIECE", 7)
    assert read() == whole
    assert len(whole) == 50


def test_nul_bytes_are_left_out_and_told(load):
    _, rows, found = load("企业名称,城市\n甲\0乙,深圳\n丙,广\0州\n丁,北京\n")
    assert rows.select("name", "city").rows() == [("甲乙", "深圳"), ("丙", "广州"), ("丁", "北京")]
    assert codes(found) == [(2, "JQ-DATA-040", "warning"), (3, "JQ-DATA-040", "warning")]


# Persons


def test_columns_of_persons_are_left_out_told_and_not_shown(load, workspace, tmp_path):
    content = "企业名称,法定代表人,联系人,手机,身份证号,城市\n甲,张三丰,李四光,13812345678,110101199003077715,深圳\n,张三丰,李四光,13812345678,,深圳\n"
    report, rows, found = load(content)
    message = said(report, "JQ-FILE-034")
    assert "法定代表人, 联系人, 手机, 身份证号" in message
    kept = "".join(map(str, (report.to_dict(), rows.to_dicts(), found.to_dicts())))
    for secret in ("张三丰", "李四光", "13812345678", "110101199003077715"):
        assert secret not in kept
    assert not [name for name in rows.columns if name.startswith("x_")]
    # the row that is refused is kept but for them
    assert found["raw"].to_list() == ['{"企业名称":null,"城市":"深圳"}']
    # who needs one says so
    _, rows, _ = load(content, mapping=[("法定代表人", "-")])
    assert rows["x_法定代表人"].to_list() == ["张三丰"]


# Workbooks that are none, old ones, large ones


def test_the_old_binary_format(load):
    rows = [["企业名称", "从业人数", "城市"], ["甲", 12, "深圳"], ["乙", "#REF!", "北京"], ["丙", "#NAME?", "北京"]]
    report, kept, found = load(biff.workbook({"说明": [["本表"]], "名单": rows}), "t.xls")
    assert (report.kind, report.sheet) == ("excel", "名单")
    assert kept.select("name", "employees", "city").rows() == [
        ("甲", 12, "深圳"),
        ("乙", None, "北京"),
        ("丙", None, "北京"),
    ]
    assert codes(found) == [(3, "JQ-DATA-033", "emptied"), (4, "JQ-DATA-033", "emptied")]


def test_a_password_in_the_old_format_is_told(load):
    with pytest.raises(InputError, match="JQ-FILE-008"):
        load(biff.workbook({"a": [["企业名称"], ["甲"]]}, locked=True), "t.xls")


@pytest.mark.parametrize("keep", [8, 100, 512, 700, 1200, 2000, 4000])
def test_an_old_workbook_cut_anywhere_is_a_coded_error_or_what_is_left(load, keep):
    content = biff.workbook({"a": [["企业名称"], *([f"企业{k}"] for k in range(100))]})
    told = []
    try:
        told = load(content[:keep], "t.xls")[1]["name"].to_list()
    except InputError as error:
        told = [error.code]
    assert set(told) <= {"JQ-FILE-007", "JQ-FILE-002", "JQ-FILE-003", "JQ-FILE-010", *(f"企业{k}" for k in range(100))}


@pytest.mark.parametrize("name", ["t.et", "t.wps", "t.csv", "t"])
def test_what_a_file_is_called_does_not_matter(load, tmp_path, name):
    path = sheets(tmp_path / "t.xlsx", a=[["企业名称"], ["甲"]])
    assert load(path.read_bytes(), name)[1]["name"].to_list() == ["甲"]
    assert load(biff.workbook({"a": [["企业名称"], ["乙"]]}), name)[1]["name"].to_list() == ["乙"]


def test_a_workbook_cut_off_is_told(load, tmp_path):
    whole = sheets(tmp_path / "t.xlsx", a=[["企业名称"], *([f"企业{k}"] for k in range(300))]).read_bytes()
    for end in (30, len(whole) // 2, len(whole) - 10):
        with pytest.raises(InputError, match="JQ-FILE-043"):
            load(whole[:end], "c.xlsx")


def test_rows_that_are_only_formatted_cost_nothing(load, tmp_path):
    """Two sheets of 100,000 such rows each here; two million are measured in the guide."""

    def fill(made):
        border = made.add_format({"border": 1})
        for name in ("名单", "附表"):
            sheet = made.add_worksheet(name)
            sheet.write_row(0, 0, ["企业名称", "城市"])
            sheet.write_row(1, 0, ["甲", "深圳"])
            for k in range(2, 100_002):
                sheet.write_blank(k, 0, None, border)

    report, rows, _ = load(book(tmp_path / "t.xlsx", fill, constant_memory=True))
    assert (rows.height, report.read, report.blank) == (1, 1, 0)


def test_a_bomb_is_refused_before_it_is_unpacked(load, tmp_path):
    path = sheets(tmp_path / "t.xlsx", a=[["企业名称"], ["甲"]])
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/media/x.bin", bytes(300 << 20))
    with pytest.raises(InputError, match="JQ-FILE-024"):
        load(path)


# What is told


def test_every_new_message_has_both_languages_and_a_remedy():
    new = [f"JQ-FILE-{k:03}" for k in (32, *range(34, 44))] + [f"JQ-DATA-{k:03}" for k in range(33, 44)]
    for code in new:
        found = catalogue()[code]
        assert all((found.zh, found.en, found.hint_zh, found.hint_en)), code


def test_messages_of_one_sheet_have_no_sheet():
    found = pl.DataFrame(
        {
            "row": [7],
            "column": [""],
            "value": ["x"],
            "code": ["JQ-DATA-035"],
            "severity": [""],
            "detail": [""],
            "raw": [None],
        },
        schema_overrides={"raw": pl.String},
    )
    assert worded(found, file="t.csv", load=1)["message_en"].item() == "t.csv row 7 repeats the header."


def test_the_command_prints_remarks_and_reads_all_sheets(workspace, tmp_path, monkeypatch):
    monkeypatch.setenv("JIQUN_LANG", "en")
    path = sheets(tmp_path / "t.xlsx", **DISTRICTS)
    runner = CliRunner()
    options = ["--as", "organisations", "-w", str(workspace.path)]
    one = runner.invoke(assembled("load"), ["load", str(path), *options])
    assert one.exit_code == 0, one.output
    assert "JQ-FILE-038 t.xlsx: only the sheet '南山区' is read" in one.stderr
    every = runner.invoke(assembled("load"), ["load", str(path), *options, "--sheet", "*"])
    assert every.exit_code == 0, every.output
    assert "JQ-FILE-041" in every.stderr
    assert workspace.snapshot("organisations").rows == 4
