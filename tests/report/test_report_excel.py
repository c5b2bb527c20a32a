"""Excel: numbers are numbers, texts are texts, Excel's limits are kept, long tables need little memory."""

from __future__ import annotations

import io
import math
import subprocess
import sys
import zipfile

import fastexcel
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from report_samples import document, ranking

from jiqun import report
from jiqun.core.document import Column, Document, Table, Text
from jiqun.core.lineage import Lineage
from jiqun.core.sheets import FORMULA_START
from jiqun.core.text import visible
from jiqun.report import excel

SOURCE = Text("来源甲", "Source A")


def book(*tables: Table, language: str = "zh") -> fastexcel.ExcelReader:
    whole = Document(Text("题", "Title"), Text("", ""), tables, Lineage("m", "1"))
    return fastexcel.read_excel(report.render(whole, "xlsx", language).content)


TITLE = Text("表一", "Table one")


def table(columns, rows, id_="t", title=TITLE) -> Table:
    return Table(id_, title, columns, rows, SOURCE, "2024-05")


def test_numbers_are_numbers_and_texts_stand_in_both_languages():
    reader = fastexcel.read_excel(report.render(document(), "xlsx", "zh").content)
    assert reader.sheet_names[0] == "说明"
    assert reader.sheet_names[-1] == "方法与来源"
    frame = reader.load_sheet("集群排名", header_row=4).to_polars()
    assert frame.columns == ["名次", "集群（中文）", "集群（英文）", "企业数", "相对期望", "p 值", "位置粗略的比例"]
    assert [dtype.is_numeric() for dtype in frame.dtypes] == [True, False, False, True, True, True, True]
    for found, (rank, name, *numbers) in zip(frame.rows(), ranking().rows, strict=True):
        assert found[:3] == (rank, name.zh, name.en)
        assert found[3:] == tuple(value if value is None else pytest.approx(value, rel=1e-15) for value in numbers)


def test_number_formats_filters_and_frozen_heads_are_in_the_file():
    content = report.render(document(), "xlsx", "en").content
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        styles = archive.read("xl/styles.xml").decode()
        sheet = archive.read("xl/worksheets/sheet2.xml").decode()
    for known in ("0%", "#,##0", "[=0]0;[&lt;0.0005]"):
        assert known in styles
    assert '<pane ySplit="5" topLeftCell="A6"' in sheet
    assert '<autoFilter ref="A5:G15"/>' in sheet


cells = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**20), 10**20),
    st.sampled_from([math.nan, math.inf, -math.inf]),
    st.text(st.characters(exclude_categories=()), max_size=12),
    st.builds(str.__add__, st.sampled_from(FORMULA_START), st.text(max_size=8)),
)


@settings(max_examples=40)
@given(st.lists(cells, min_size=1, max_size=10))
def test_any_cell_comes_back_as_it_was(values):
    columns = (Column("n", Text("序", "N"), "integer"), Column("v", Text("值", "V")))
    sheet = book(table(columns, list(enumerate(values)))).load_sheet(1, header_row=3, dtypes="string")
    back = sheet.to_polars()["值"].to_list() if sheet.height else []
    assert len(back) == len(values)
    for value, found in zip(values, back, strict=True):
        if isinstance(value, str):
            assert (found or "").replace("\r", "") == visible(value) or not visible(value).strip()
        elif value is None or (isinstance(value, float) and math.isnan(value)):
            assert not found
        elif isinstance(value, bool):
            assert found.lower() == str(value).lower()
        elif isinstance(value, float):
            assert found in {"∞", "−∞"}
        else:
            assert int(found.replace("−", "-")) == value


@settings(max_examples=20)
@given(st.lists(st.floats(-9.9e307, 9.9e307), min_size=1, max_size=10))
def test_numbers_keep_the_digits_that_excel_has(values):
    columns = (Column("x", Text("值", "X"), "number"),)
    sheet = book(table(columns, [(value,) for value in values])).load_sheet(1, header_row=3)
    assert sheet.to_polars()["值"].to_list() == pytest.approx(values, rel=1e-14)


@pytest.mark.parametrize("title", ["a/b:c*d?[e]\\f", "'quoted'", "x" * 80, "History", "说明", "", "😀" * 30, " ' "])
def test_sheet_names_are_such_as_excel_takes(title):
    names = book(
        table((Column("a", SOURCE),), [(1,)], "t1", Text(title, title)),
        table((Column("a", SOURCE),), [(2,)], "t2", Text(title.upper(), title.upper())),
    ).sheet_names
    assert len({name.casefold() for name in names}) == len(names) == 4
    for name in names:
        assert 0 < len(name.encode("utf-16-le")) // 2 <= 31
        assert not set(name) & set("[]:*?/\\")
        assert not name.startswith("'")
        assert not name.endswith("'")
        assert name.casefold() != "history"


def test_a_text_longer_than_a_cell_is_cut_and_says_so():
    long = "😀" * 20_000
    sheet = book(table((Column("a", Text("甲", "A")),), [(long,), ("b" * 32_767,)])).load_sheet(1, header_row=3)
    cut, whole = sheet.to_polars()["甲"].to_list()
    assert cut.endswith("…")
    assert long.startswith(cut[:-1])
    assert len(cut.encode("utf-16-le")) // 2 <= 32_767
    assert whole == "b" * 32_767


def test_rows_beyond_a_sheet_go_to_another(monkeypatch):
    monkeypatch.setattr(excel, "MOST_ROWS", 54)
    reader = book(table((Column("a", Text("甲", "A"), "integer"),), [(i,) for i in range(120)]))
    assert reader.sheet_names[1:-1] == ["表一", "表一 (2)", "表一 (3)"]
    held = [reader.load_sheet(name, header_row=3).to_polars()["甲"].to_list() for name in reader.sheet_names[1:-1]]
    assert [value for part in held for value in part] == list(range(120))


LONG = """
import resource
from collections.abc import Sequence
from jiqun import report
from jiqun.core.document import Column, Document, Table, Text
from jiqun.core.lineage import Lineage

class Made(Sequence):
    def __init__(self, count):
        self.count = count
    def __len__(self):
        return self.count
    def __getitem__(self, index):
        if index >= self.count:
            raise IndexError
        return (index, f"Company {index}", index / 7)

def write(count):
    name = Text("x", "x")
    columns = (Column("i", name, "integer"), Column("n", name), Column("x", name, "number"))
    table = Table("t", name, columns, Made(count), name)
    content = report.render(Document(name, name, (table,), Lineage("m", "1")), "xlsx", "en").content
    return len(content), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

few, many = write(1_000), write(100_000)
print(many[0], many[1] - few[1])
"""


def test_a_hundred_thousand_rows_take_little_memory():
    """The rows are made as they are asked for, so that what is held is held by the writer."""
    done = subprocess.run([sys.executable, "-c", LONG], capture_output=True, text=True, check=True)
    size, more_kb = map(int, done.stdout.split())
    assert size > 1_000_000
    assert more_kb < 40_000
