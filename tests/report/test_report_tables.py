"""Tables and their twins."""

from __future__ import annotations

import base64
import csv
import io
import json
import math

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from report_samples import Element, ranking, read

from jiqun.core.document import Column, Table, Text
from jiqun.core.sheets import FORMULA_START, neutralise
from jiqun.report import tables

SOURCE = Text("来源甲", "Source A")


def table(columns, rows, **more) -> Table:
    return Table("t", Text("表", "Table"), columns, rows, SOURCE, **more)


def downloads(drawn: Element) -> dict[str, bytes]:
    links = [link for link in drawn.all("a") if "download" in link.attributes]
    return {
        link.attributes["download"]: base64.b64decode(link.attributes["href"].partition(";base64,")[2])
        for link in links
    }


def test_numbers_stand_right_and_unknown_is_a_dash():
    drawn = read(tables.draw(ranking()))
    body = next(drawn.all("tbody"))
    third = list(body.children[2].children)
    assert [cell.words("en") for cell in third] == ["3", "深圳", "855", "×18", "<0.001", "—"]
    assert [cell.attributes.get("class") for cell in third] == ["n", None, "n", "n", "n", "n"]
    assert third[1].tag == "th"
    assert next(third[1].all("a")).attributes["href"] == "#c2"
    heads = list(next(drawn.all("thead")).all("th"))
    assert [head.words("zh-Hans") for head in heads] == [column.title.en for column in ranking().columns]
    assert next(drawn.all("caption")).words("en") == "集群排名"
    assert "来源：登记表 · 截至 2024-05" in drawn.words("en")
    assert "Source: Registry · as of 2024-05" in drawn.words("zh-Hans")


def test_an_empty_table_says_so():
    drawn = read(tables.draw(table((Column("a", Text("甲", "A")), Column("b", Text("乙", "B"))), [])))
    (only,) = next(drawn.all("tbody")).all("td")
    assert only.attributes["colspan"] == "2"
    assert only.words("zh-Hans") == "No rows."
    assert downloads(drawn)["t.csv"].decode("utf-8-sig") == "a,b\r\n"


def test_twins_hold_every_digit_and_both_languages():
    files = downloads(read(tables.draw(ranking())))
    rows = list(csv.DictReader(io.StringIO(files["clusters.csv"].decode("utf-8-sig"))))
    assert [row["cluster_zh"] for row in rows][:2] == ["圣何塞", "首尔"]
    assert [row["cluster_en"] for row in rows][:2] == ["San Jose", "Seoul"]
    assert [float(row["ratio"]) for row in rows] == [row[3] for row in ranking().rows]
    assert rows[2]["coarse"] == ""
    told = json.loads(files["clusters.json"])
    assert [row["ratio"] for row in told["rows"]] == [row[3] for row in ranking().rows]
    assert told["rows"][2] == {
        "rank": 3, "cluster": {"zh": "深圳", "en": "Shenzhen"}, "firms": 855, "ratio": 53.2 / 3, "p": 1e-6, "coarse": None
    }  # fmt: skip
    assert told["source"] == {"zh": "登记表", "en": "Registry"}
    assert told["as_of"] == "2024-05"


@given(st.lists(st.one_of(st.none(), st.text(st.characters(exclude_categories=["Cs"]))), min_size=1, max_size=20))
def test_csv_is_neutralised_as_sheets_are_everywhere(names):
    content = tables.csv(
        table((Column("name", Text("名", "Name")), Column("n", Text("数", "N"), "integer")), [(n, 1) for n in names])
    )
    read_back = list(csv.reader(io.StringIO(content.decode("utf-8-sig"), newline="")))[1:]
    expected = neutralise(pl.DataFrame({"name": names}, schema={"name": pl.String}))["name"].fill_null("").to_list()
    assert [row[0] for row in read_back] == expected
    assert not any(field.startswith(FORMULA_START) for row in read_back for field in row)


def test_negative_numbers_stay_numbers_in_csv():
    content = tables.csv(table((Column("n", Text("数", "N"), "number"),), [(-1.5,), (math.nan,), (2**70,)]))
    assert content.decode("utf-8-sig").splitlines() == ["n", "-1.5", '""', str(2**70)]


def test_unknown_numbers_are_null_in_json():
    content = tables.as_json(table((Column("n", Text("数", "N"), "number"),), [(math.nan,), (math.inf,), (None,)]))
    assert [row["n"] for row in json.loads(content)["rows"]] == [None, None, None]


def test_a_very_long_name_is_cut_on_the_page_and_whole_in_the_download():
    long = "长" * 10_000
    drawn = read(tables.draw(table((Column("name", Text("名", "Name")),), [(long,)])))
    shown = next(next(drawn.all("tbody")).all("th")).words()
    assert shown.endswith("…")
    assert len(shown) < 200
    assert long in downloads(drawn)["t.csv"].decode("utf-8-sig")


def test_a_long_text_is_marked_so_that_a_phone_gives_it_room():
    columns = (Column("a", Text("甲", "A")), Column("b", Text("乙", "B")), Column("c", Text("丙", "C"), "code"))
    table = Table("t", Text("表", "T"), columns, [("x", "long " * 10, "c" * 50), ("y", "short", "c")], Text("源", "s"))
    assert [cell.words().strip()[:4] for cell in read(tables.draw(table)).of_class("long")] == ["long"]


def test_a_ragged_row_is_refused():
    with pytest.raises(ValueError, match="table t: row 1 has 1 cells, expected 2"):
        tables.draw(table((Column("a", SOURCE), Column("b", SOURCE)), [(1, 2), (1,)]))
