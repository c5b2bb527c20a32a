"""Files of every kind and condition: what is read, under which row number, and what is refused."""

from __future__ import annotations

import codecs
import csv
import io
import struct
import subprocess
import sys
import zipfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import xlsxwriter
from hypothesis import given
from hypothesis import strategies as st

from jiqun.core.errors import InputError, UsageError
from jiqun.core.schema import schema
from jiqun.intake import delimited
from jiqun.intake import workbook as workbook_parts
from jiqun.intake.delimited import detect_encoding, open_delimited, split_record
from jiqun.intake.excel import open_excel
from jiqun.intake.read import Reading, open_frame, open_parquet, source_kind

FIRMS = schema("organisations")
HEADER = "企业名称,城市,地址"


def rows_of(reading: Reading) -> list[tuple[int, ...]]:
    """Every row that is read, with its number in front."""
    return [(number, *row) for b in reading.batches for number, row in zip(b.numbers, b.cells.rows(), strict=True)]


def everything(reading: Reading) -> tuple[list[tuple[int, ...]], list[tuple[int, str, str]], int]:
    rows, refused, blank = [], [], 0
    for b in reading.batches:
        rows += [(number, *row) for number, row in zip(b.numbers, b.cells.rows(), strict=True)]
        refused += b.refused.select("row", "code", "raw").rows()
        blank += b.blank
    return rows, refused, blank


def write(path: Path, text: str, encoding: str = "utf-8") -> Path:
    path.write_bytes(text.encode(encoding))
    return path


# CSV

CELL = st.text(alphabet=st.sampled_from(list("ab,;\t\"\n 深圳　é𠀀'|=")), max_size=8)
ROWS = st.lists(st.tuples(CELL, CELL, CELL), min_size=1, max_size=30)


def as_csv(rows: Sequence[Sequence[str]], delimiter: str = ",", end: str = "\n") -> str:
    out = io.StringIO()
    writer = csv.writer(out, delimiter=delimiter, lineterminator=end)
    writer.writerow(HEADER.split(","))
    writer.writerows(rows)
    return out.getvalue()


def expected(rows: Sequence[Sequence[str]]) -> list[tuple[str, ...]]:
    """With spreadsheet row numbers: the header is row 1 and a row with line breaks is one row."""
    return [(k, *row) for k, row in enumerate(rows, 2) if any(cell.strip() for cell in row)]


@given(
    rows=ROWS, delimiter=st.sampled_from([",", ";", "\t", "|"]), end=st.sampled_from(["\n", "\r\n"]), mark=st.booleans()
)
def test_what_a_csv_writer_wrote_is_read_back_with_its_row_numbers(tmp_path_factory, rows, delimiter, end, mark):
    path = tmp_path_factory.mktemp("csv") / "t.csv"
    path.write_bytes((codecs.BOM_UTF8 if mark else b"") + as_csv(rows, delimiter, end).encode())
    if not expected(rows):
        return
    found = [(n, *(cell or "" for cell in row)) for n, *row in rows_of(open_delimited(path, FIRMS))]
    assert found == expected(rows)


@given(rows=ROWS, block=st.integers(40, 200), batch=st.integers(1, 7))
def test_where_blocks_and_batches_end_makes_no_difference(tmp_path_factory, rows, block, batch):
    path = write(tmp_path_factory.mktemp("csv") / "t.csv", as_csv(rows))
    whole = everything(open_delimited(path, FIRMS))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(delimited, "_BLOCK", block)
        patch.setattr(delimited, "_MOST_ROWS", batch)
        assert everything(open_delimited(path, FIRMS)) == whole


DAMAGE = st.sampled_from(['"没有闭合,a,b', "只有一个", "太,多,字,段", '"甲"乙"丙,,', "a,b,c,d,e,f"])


@given(
    names=st.lists(st.sampled_from(["甲", "乙", '"引,号"', "丁 5"]), min_size=1, max_size=20),
    damage=st.lists(st.tuples(st.integers(0, 20), DAMAGE), max_size=6),
)
def test_damaged_lines_cost_no_good_row(tmp_path_factory, names, damage):
    lines: list[tuple[str, bool]] = [(f"{name},深圳,x{k}", True) for k, name in enumerate(names)]
    for at, bad in damage:
        lines.insert(min(at, len(lines)), (bad, False))
    path = write(tmp_path_factory.mktemp("csv") / "t.csv", "\n".join([HEADER, *(line for line, _ in lines)]))
    rows, refused, _ = everything(open_delimited(path, FIRMS))
    good = [(n, line) for n, (line, fine) in enumerate(lines, 2) if fine]
    found = {row[0]: row for row in rows}
    for number, line in good:
        assert found[number][1:] == tuple(split_record(line, ","))
    assert {n for n, _, _ in refused} | set(found) == set(range(2, len(lines) + 2))
    assert all(raw == lines[n - 2][0] for n, _, raw in refused)


@given(st.lists(CELL, min_size=1, max_size=6))
def test_split_record_undoes_the_csv_writer(cells):
    out = io.StringIO()
    csv.writer(out, lineterminator="").writerow(cells)
    assert split_record(out.getvalue(), ",") == cells


def test_an_unclosed_quote_costs_one_row(tmp_path):
    path = write(tmp_path / "t.csv", f'{HEADER}\n甲,深圳,1\n"乙,北京,2\n丙,"上,海",3\n丁,成都,4\n')
    rows, refused, _ = everything(open_delimited(path, FIRMS))
    assert [row[:2] for row in rows] == [(2, "甲"), (4, "丙"), (5, "丁")]
    assert refused == [(3, "JQ-DATA-003", '"乙,北京,2')]


def test_trailing_delimiters_are_no_reason_to_refuse_a_row(tmp_path):
    path = write(tmp_path / "t.csv", f"{HEADER}\n甲,深圳,1,,\n乙,北京,2,x\n,,,,\n")
    rows, refused, blank = everything(open_delimited(path, FIRMS))
    assert rows == [(2, "甲", "深圳", "1")]
    assert [n for n, _, _ in refused] == [3]
    assert blank == 1


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
def test_encodings_are_told_by_the_whole_file(tmp_path, encoding):
    # the first Chinese character comes after a megabyte of ASCII
    text = HEADER.replace("企业名称", "name").replace("城市", "city").replace("地址", "address")
    body = "".join(f"firm {k},Shenzhen,x\n" for k in range(60_000)) + "深圳市某公司㐀,深圳,南山\n"
    rows = rows_of(open_delimited(write(tmp_path / "t.csv", f"{text}\n{body}", encoding), FIRMS))
    assert len(rows) == 60_001
    assert rows[-1] == (60_002, "深圳市某公司㐀", "深圳", "南山")


def test_a_stated_encoding_is_used(tmp_path):
    path = write(tmp_path / "t.csv", "企業名稱,城市\n臺積電,新竹\n", "big5")
    reading = open_delimited(path, FIRMS, [("企業名稱", "name")], encoding="big5")
    assert rows_of(reading) == [(2, "臺積電", "新竹")]
    with pytest.raises(UsageError, match="JQ-USE-001"):
        open_delimited(path, FIRMS, encoding="klingon")


def test_undecodable_bytes_are_told_with_their_offset(tmp_path):
    good = f"{HEADER}\n甲,深圳,1\n".encode()
    path = tmp_path / "t.csv"
    path.write_bytes(good + b"\xff\xff\n")
    with pytest.raises(InputError) as caught:
        detect_encoding(path)
    assert (caught.value.code, caught.value.fields["offset"]) == ("JQ-FILE-005", len(good))
    path.write_bytes(b"name\n\xd6\xd0\xb9\xfa\n\xff\xff\n")
    with pytest.raises(InputError) as caught:
        detect_encoding(path)
    assert (caught.value.code, caught.value.fields["offset"]) == ("JQ-FILE-004", 10)


def test_utf8_with_lines_in_gb18030_is_not_read_as_gb18030(tmp_path):
    """Every byte of such a file may well decode as GB18030, to nonsense; so each line is told for itself."""
    path = tmp_path / "t.csv"
    rows = "".join(f"深圳市第{k}号电子科技有限公司,深圳,南山区\n" for k in range(50)).encode()
    path.write_bytes(HEADER.encode() + b"\n" + rows + "中兴,深圳,南山\n".encode("gb18030"))
    reading = open_delimited(path, FIRMS)
    assert [(remark.code, remark.message.en) for remark in reading.remarks] == [
        (
            "JQ-FILE-032",
            "t.csv mixes encodings: 51 lines are UTF-8, 1 are GB18030 (the first is line 52), 0 are neither.",
        )
    ]
    (batch,) = reading.batches
    assert batch.cells.row(0) == ("深圳市第0号电子科技有限公司", "深圳", "南山区")
    assert batch.cells.row(-1) == ("中兴", "深圳", "南山\x1a")
    assert batch.remarked.rows() == [(52, "JQ-DATA-038", "中兴")]


HANZI = st.characters(min_codepoint=0x4E00, max_codepoint=0x9FA5)


@given(st.lists(HANZI, unique=True, min_size=12, max_size=60))
def test_gb18030_text_is_not_taken_for_utf8(tmp_path_factory, text):
    """A single character may be valid in both, 一 is; a dozen are not."""
    path = write(tmp_path_factory.mktemp("enc") / "t.csv", f"name\n{''.join(text)}\n", "gb18030")
    assert detect_encoding(path).name == "gb18030"


def test_old_mac_line_ends(tmp_path):
    path = tmp_path / "t.csv"
    path.write_bytes(f"{HEADER}\r甲,深圳,1\r乙,北京,2\r".encode())
    assert rows_of(open_delimited(path, FIRMS)) == [(2, "甲", "深圳", "1"), (3, "乙", "北京", "2")]


def test_titles_above_the_header_and_repeats_below_it(tmp_path):
    text = "2024 年企业名录,,\n\n企业名称,城市,地址\nname,city,address\n甲,深圳,1\n"
    reading = open_delimited(write(tmp_path / "t.csv", text), FIRMS)
    assert reading.headers == ("企业名称", "城市", "地址")
    assert rows_of(reading) == [(5, "甲", "深圳", "1")]
    assert any("row 3" in note.en for note in reading.notes)


def test_nul_bytes_and_a_gigantic_cell(tmp_path):
    huge = "很" * 2_000_000
    path = write(tmp_path / "t.csv", f"{HEADER}\n甲\0乙,深圳,1\n丙,上海,{huge}\n丁,成都,4\n")
    rows, refused, _ = everything(open_delimited(path, FIRMS))
    assert [row[1] for row in rows] == ["甲\0乙", "丁"]
    assert [(n, code, len(raw)) for n, code, raw in refused] == [(3, "JQ-DATA-003", 100_000)]


def test_two_million_empty_rows(tmp_path):
    path = write(tmp_path / "t.csv", HEADER + "\n" + "\n" * 1_000_000 + ",,\n" * 1_000_000 + "甲,深圳,1\n")
    rows, refused, blank = everything(open_delimited(path, FIRMS))
    assert rows == [(2_000_002, "甲", "深圳", "1")]
    assert (refused, blank) == ([], 2_000_000)


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "JQ-FILE-002"),
        (b" \n\n\n", "JQ-FILE-002"),
        (b"\xef\xbb\xbf", "JQ-FILE-002"),
        (b"<html><table><tr><td>x</td></tr></table></html>", "JQ-FILE-015"),
        (b"%PDF-1.7 ...", "JQ-FILE-012"),
        (bytes(range(256)) + b"\0" * 500, "JQ-FILE-012"),
    ],
)
def test_what_is_no_table_is_refused_by_its_content(tmp_path, content, code):
    path = tmp_path / "t.xls"
    path.write_bytes(content)
    with pytest.raises(InputError, match=code):
        source_kind(path)


@pytest.mark.parametrize("text", [HEADER, f"{HEADER}\n", f"标题\n{HEADER}\n"])
def test_a_header_alone_is_told(tmp_path, text):
    with pytest.raises(InputError, match="JQ-FILE-003"):
        open_delimited(write(tmp_path / "t.csv", text), FIRMS)


def test_a_missing_file_and_a_folder_are_told(tmp_path):
    for path in (tmp_path / "none.csv", tmp_path):
        with pytest.raises(InputError, match="JQ-FILE-001"):
            source_kind(path)


@pytest.mark.parametrize("encoding", ["utf-32", "utf-16"])
def test_marks_of_utf_32_are_not_taken_for_utf_16(tmp_path, encoding):
    for order, mark in (("le", "LE"), ("be", "BE")):
        path = tmp_path / f"{order}.csv"
        bom = getattr(codecs, f"BOM_{encoding.upper().replace('-', '')}_{mark}")
        path.write_bytes(bom + f"{HEADER}\n甲,深圳,\n".encode(f"{encoding}-{order}"))
        assert source_kind(path) == "csv"
        assert detect_encoding(path).name == encoding
        assert rows_of(open_delimited(path, FIRMS)) == [(2, "甲", "深圳", None)]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32", "utf-7"])
def test_a_stated_encoding_without_its_mark_is_told(tmp_path, encoding):
    path = tmp_path / "t.csv"
    path.write_bytes(b"+2AA-,b\n" if encoding == "utf-7" else f"{HEADER}\n甲,,\n".encode("utf-16-le"))
    with pytest.raises(InputError, match="JQ-FILE-005"):
        open_delimited(path, FIRMS, encoding=encoding)


# Excel


def repacked(path: Path, member: str, change: Callable[[str], str]) -> Path:
    """The same workbook with one of its parts changed."""
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, change(content.decode()) if name == member else content)
    return path


@pytest.mark.parametrize("unknown", ["<v></v>", "<v/>", "", ' <v xml:space="preserve"> </v> '])
def test_formulas_without_a_value_are_found_where_they_stand(tmp_path, unknown):
    path = workbook(
        tmp_path / "t.xlsx",
        {
            "企业": [
                ["企业名称", "从业人数", "城市"],
                ['=A9&"<x>"', 1, "深圳"],
                ["乙", "=B2*2", "深圳"],
                ["丙", 3, "=C2"],
                ["=A4"],
            ]
        },
    )
    # what the writer gives as value is 0; C4 keeps its value, and so is no finding
    known = '<c r="C4"><f>C2</f><v>0</v></c>'
    repacked(
        path,
        "xl/worksheets/sheet1.xml",
        lambda text: (
            text.replace("<v>0</v></c></row>", "@")
            .replace("</f><v>0</v>", f"</f>{unknown}")
            .replace("@", "<v>0</v></c></row>")
        ),
    )
    with zipfile.ZipFile(path) as archive:
        assert known in archive.read("xl/worksheets/sheet1.xml").decode()
    reading = open_excel(path, FIRMS)
    rows = rows_of(reading)
    assert rows[:3] == [(2, '=A9&"<x>"', "1", "深圳"), (3, "乙", "=B2*2", "深圳"), (4, "丙", "3", "0")]


def test_rows_that_are_all_formulas_are_not_lost_and_empty_texts_are_values(tmp_path):
    path = workbook(tmp_path / "t.xlsx", {"企业": [["企业名称", "城市"], ["甲", "深圳"], ["=A2", ""]]})
    repacked(path, "xl/worksheets/sheet1.xml", lambda text: text.replace("</f><v>0</v>", "</f>"))
    assert rows_of(open_excel(path, FIRMS)) == [(2, "甲", "深圳"), (3, "=A2", None)]
    repacked(
        path, "xl/worksheets/sheet1.xml", lambda t: t.replace('"A3"', '"A3" t="str"').replace("</f>", "</f><v></v>")
    )
    assert rows_of(open_excel(path, FIRMS)) == [(2, "甲", "深圳")]


@pytest.mark.parametrize("tag", ['<c r="A1" ', "<c " + "r=" * 50, "<mergeCell ref=", "<c r='A1'><f>", "<c x"])
def test_a_small_workbook_cannot_keep_the_survey_busy(tmp_path, tag):
    path = workbook(tmp_path / "t.xlsx", {"企业": [["企业名称"], ["甲"]]})
    repacked(path, "xl/worksheets/sheet1.xml", lambda text: text.replace("<sheetData>", f"<sheetData>{tag * 200_000}"))
    code = (
        "import sys; from pathlib import Path; from jiqun.intake.workbook import contents; contents(Path(sys.argv[1]))"
    )
    # two orders above what it takes, two below what it took
    subprocess.run([sys.executable, "-c", code, str(path)], check=True, timeout=120)


def test_a_workbook_that_unpacks_to_far_more_is_refused(tmp_path):
    path = workbook(tmp_path / "t.xlsx", {"企业": [["企业名称"], ["甲"]]})
    repacked(path, "xl/sharedStrings.xml", lambda text: text + " " * (60 << 20))
    with pytest.raises(InputError, match="JQ-FILE-024"):
        open_excel(path, FIRMS)
    small = workbook(tmp_path / "u.xlsx", {"企业": [["企业名称"], ["甲"]]})
    repacked(small, "xl/workbook.xml", lambda text: text + " " * (9 << 20))
    with pytest.raises(InputError, match="JQ-FILE-024"):
        open_excel(small, FIRMS)


def workbook(path: Path, sheets: dict[str, list[list[object]]]) -> Path:
    book = xlsxwriter.Workbook(path)
    for name, rows in sheets.items():
        sheet = book.add_worksheet(name)
        for k, row in enumerate(rows):
            for j, cell in enumerate(row):
                if cell is not None:
                    sheet.write(k, j, cell)
    book.close()
    return path


def test_the_sheet_whose_header_fits_best_is_taken_and_said(tmp_path):
    path = workbook(
        tmp_path / "t.xlsx",
        {
            "说明": [["本表由某局提供"]],
            "园区": [["名称", "园区"], ["a", "b"]],
            "企业": [
                ["2024 名录"],
                [],
                ["企业名称", "统一社会信用代码", "城市"],
                ["甲", None, "深圳"],
                [],
                ["乙", None, "北京"],
            ],
        },
    )
    reading = open_excel(path, FIRMS)
    assert reading.sheet == "企业"
    assert any("企业" in note.en and "3 attributes" in note.en for note in reading.notes)
    assert rows_of(reading) == [(4, "甲", None, "深圳"), (6, "乙", None, "北京")]


def test_three_header_rows_of_merged_cells_are_one_header(tmp_path):
    book = xlsxwriter.Workbook(tmp_path / "t.xlsx")
    sheet = book.add_worksheet()
    sheet.merge_range(0, 0, 0, 3, "2024 年企业名录")
    sheet.merge_range(1, 0, 2, 0, "企业名称")
    sheet.merge_range(1, 1, 1, 2, "位置")
    sheet.write_row(2, 1, ["经度", "纬度"])
    sheet.write_row(3, 0, ["甲", 113.9, 22.5])
    sheet.merge_range(4, 0, 5, 0, "乙")
    sheet.write_row(4, 1, [114.1, 22.6])
    sheet.write_row(5, 1, [114.2, 22.7])
    book.close()
    reading = open_excel(tmp_path / "t.xlsx", FIRMS)
    assert reading.headers == ("企业名称", "经度", "纬度")
    assert rows_of(reading) == [(4, "甲", "113.9", "22.5"), (5, "乙", "114.1", "22.6"), (6, "乙", "114.2", "22.7")]


def test_a_table_that_does_not_begin_in_a1(tmp_path):
    book = xlsxwriter.Workbook(tmp_path / "t.xlsx")
    sheet = book.add_worksheet()
    sheet.write_row(6, 3, ["企业名称", "城市"])
    sheet.merge_range(7, 3, 8, 3, "甲")
    sheet.write(7, 4, "深圳")
    sheet.write(8, 4, "北京")
    book.close()
    assert rows_of(open_excel(tmp_path / "t.xlsx", FIRMS)) == [(8, "甲", "深圳"), (9, "甲", "北京")]


def test_numbers_keep_all_their_digits(tmp_path):
    values = [1.23456789e-11, 113.94123456789012, 440305, 0.1, 2.0**60]
    path = workbook(
        tmp_path / "t.xlsx", {"a": [["unit", "indicator", "year", "value"], *(["x", "y", 2020, v] for v in values)]}
    )
    found = [float(row[4]) for row in rows_of(open_excel(path, schema("indicators")))]
    assert found == pytest.approx(values, rel=1e-14)
    assert rows_of(open_excel(path, schema("indicators")))[2][4] == "440305"


def test_a_wrong_sheet_names_those_there_are(tmp_path):
    path = workbook(tmp_path / "t.xlsx", {"甲": [["企业名称"], ["x"]], "乙": [["企业名称"], ["y"]]})
    with pytest.raises(InputError) as caught:
        open_excel(path, FIRMS, sheet="丙")
    assert (caught.value.code, caught.value.fields["known"]) == ("JQ-FILE-006", "甲, 乙")
    assert rows_of(open_excel(path, FIRMS, sheet="乙")) == [(2, "y")]


def test_a_cell_far_out_is_refused_before_it_takes_the_memory(tmp_path):
    book = xlsxwriter.Workbook(tmp_path / "t.xlsx")
    sheet = book.add_worksheet()
    sheet.write_column(0, 0, ["企业名称", "甲"])
    sheet.write(1_048_575, 16_383, "x")
    book.close()
    # the file may say anything about its own size
    forged = tmp_path / "forged.xlsx"
    with zipfile.ZipFile(tmp_path / "t.xlsx") as old, zipfile.ZipFile(forged, "w") as new:
        for name in old.namelist():
            new.writestr(name, old.read(name).replace(b'<dimension ref="A1:XFD1048576"/>', b'<dimension ref="A1:A2"/>'))
    for path in (tmp_path / "t.xlsx", forged):
        with pytest.raises(InputError) as caught:
            open_excel(path, FIRMS)
        assert (caught.value.code, caught.value.fields["rows"]) == ("JQ-FILE-009", 1_048_576)


def test_empty_and_header_only_sheets(tmp_path):
    with pytest.raises(InputError, match="JQ-FILE-002"):
        open_excel(workbook(tmp_path / "a.xlsx", {"a": []}), FIRMS)
    with pytest.raises(InputError, match="JQ-FILE-003"):
        open_excel(workbook(tmp_path / "b.xlsx", {"a": [["企业名称", "城市"]]}), FIRMS)


def test_a_password_is_told(tmp_path):
    """An encrypted workbook is a compound file with a stream of that name."""
    path = tmp_path / "t.xlsx"
    path.write_bytes(
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(1000) + "EncryptedPackage".encode("utf-16-le") + bytes(1000)
    )
    with pytest.raises(InputError, match="JQ-FILE-008"):
        open_excel(path, FIRMS)


def test_damaged_workbooks_are_told(tmp_path):
    whole = workbook(tmp_path / "t.xlsx", {"a": [["企业名称"], *([f"甲{k}"] for k in range(500))]}).read_bytes()
    path = tmp_path / "d.xlsx"
    for content in (whole[: len(whole) // 2], b"PK\x03\x04" + bytes(500)):
        path.write_bytes(content)
        with pytest.raises(InputError, match="JQ-FILE-043"):
            open_excel(path, FIRMS)
    path.write_bytes(b"\xd0\xcf\x11\xe0" + bytes(5000))
    with pytest.raises(InputError, match="JQ-FILE-007"):
        open_excel(path, FIRMS)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("word/document.xml", "<w/>")
    with pytest.raises(InputError, match="JQ-FILE-020"):
        open_excel(path, FIRMS)


@given(at=st.integers(0, 4000), byte=st.integers(0, 255))
def test_a_flipped_byte_in_a_workbook_is_a_coded_error_or_none(tmp_path_factory, at, byte):
    folder = tmp_path_factory.mktemp("flip")
    content = bytearray(workbook(folder / "t.xlsx", {"a": [["企业名称", "城市"], ["甲", "深圳"]]}).read_bytes())
    content[at % len(content)] = byte
    (folder / "t.xlsx").write_bytes(content)
    with suppress(InputError):  # any other error fails the test
        rows_of(open_excel(folder / "t.xlsx", FIRMS))


@pytest.mark.parametrize(("letters", "number"), [(b"A", 1), (b"Z", 26), (b"AA", 27), (b"XFD", 16_384)])
def test_column_letters(letters, number):
    assert workbook_parts._column(letters) == number


# Parquet and dataframes

FRAME = pl.DataFrame(
    {
        "企业名称": ["甲", None, "乙"],
        "成立日期": pl.Series(["2020-01-31", None, "2021-05-06"]).str.to_date(),
        "从业人数": pl.Series([5.0, None, 7.0]),
        "经度": [113.9412345678901, None, 1e-12],
        "标签": [["a", "b"], None, []],
    }
)
TEXT = [(1, "甲", "2020-01-31", "5", "113.9412345678901", "['a', 'b']"), (3, "乙", "2021-05-06", "7", "1e-12", "[]")]


def test_parquet_is_read_without_loss(tmp_path):
    FRAME.write_parquet(tmp_path / "t.parquet")
    assert source_kind(tmp_path / "t.parquet") == "parquet"
    reading = open_parquet(tmp_path / "t.parquet")
    assert (reading.headers, reading.total) == (tuple(FRAME.columns), 3)
    assert rows_of(reading) == TEXT


def test_damaged_parquet_is_told(tmp_path):
    FRAME.write_parquet(tmp_path / "t.parquet")
    content = (tmp_path / "t.parquet").read_bytes()
    (tmp_path / "t.parquet").write_bytes(content[:-8] + struct.pack("<I", 1 << 30) + b"PAR1")
    with pytest.raises(InputError, match="JQ-FILE-016"):
        open_parquet(tmp_path / "t.parquet")


@pytest.mark.parametrize("convert", [lambda f: f, pl.DataFrame.lazy, pl.DataFrame.to_arrow, lambda f: f.to_pandas()])
def test_any_dataframe_gives_the_same_rows(convert):
    plain = FRAME.drop("标签", "成立日期")
    source = convert(plain)
    assert isinstance(source, pl.DataFrame | pl.LazyFrame | pa.Table | pd.DataFrame)
    assert open_frame(source).headers == tuple(plain.columns)
    assert rows_of(open_frame(source)) == [(row[0], row[1], row[3], row[4]) for row in TEXT]


def test_what_is_no_dataframe_is_wrong_use():
    with pytest.raises(UsageError, match="JQ-FILE-021"):
        open_frame({"a": 1})


def test_durations_and_wide_decimals_are_text(tmp_path):
    frame = pa.table(
        {
            "企业名称": ["甲", "乙"],
            "城市": pa.array([timedelta(days=1, seconds=3), None]),
            "地址": pa.array([Decimal("1.50"), None], pa.decimal256(50, 2)),
        }
    )
    pq.write_table(frame, tmp_path / "t.parquet")
    for reading in (open_frame(frame), open_parquet(tmp_path / "t.parquet")):
        assert rows_of(reading) == [(1, "甲", "P1DT3S", "1.50"), (2, "乙", None, None)]


@pytest.mark.parametrize(
    "source",
    [
        pd.DataFrame([["甲", "乙"]], columns=["企业名称", "企业名称"]),
        pd.DataFrame({"企业名称": ["甲", 1, b"x"]}),
        pa.table({"企业名称": pa.array([[Decimal("1.5")]], pa.list_(pa.decimal256(50, 2)))}),
        pa.table({"企业名称": pa.array([[("a", 1)]], pa.map_(pa.string(), pa.int64()))}),
        pa.table({"企业名称": pa.array([(1, 2, 3)], pa.month_day_nano_interval())}),
        pl.LazyFrame({"a": ["x"]}).select(pl.col("a").cast(pl.Int64)),
        pl.LazyFrame({"a": ["x"]}).select("b"),
    ],
    ids=["two names alike", "mixed", "nested decimal256", "map", "interval", "failing", "no column"],
)
def test_frames_that_cannot_be_text_are_told(source):
    with pytest.raises(InputError, match="JQ-FILE-025"):
        rows_of(open_frame(source))
