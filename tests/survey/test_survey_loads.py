"""Loads of links and indicators beside one another and beside surveys: each replaces what its own source gave."""

from datetime import date

import polars as pl
from survey_nursery import FIGURES, OPERATOR, opened, respondent, submit

from jiqun.intake import desk
from jiqun.store.database import new_key
from jiqun.store.worker import work
from jiqun.survey import publish, records, rounds


def links(*rows):
    return pl.DataFrame(rows, schema=("source", "target", "kind", "weight"), orient="row")


def load(workspace, frame, table="links", *, name, day="2026-01-01", **options):
    report = desk.load(OPERATOR, workspace, frame, table, as_of=day, name=name, **options)
    return report, workspace.scan(table).collect()


def told(report):
    return report.new, report.gone, report.stay, report.replaced


def published(workspace):
    survey = opened(workspace).id
    submit(workspace, respondent(workspace, survey), FIGURES)
    rounds.lock(OPERATOR, workspace, survey, key=new_key())
    again(workspace, survey)
    return survey


def again(workspace, survey):
    publish.publish(OPERATOR, workspace, survey, key=new_key())
    work(workspace, publish.HANDLERS, once=True, threads=1)


def of(frame, survey):
    return frame.filter(pl.col("x_survey") == survey).height


def test_files_of_several_kinds_of_link_stand_beside_one_another(workspace):
    patents = links(("甲", "乙", "co-invention", 3.0), ("甲", "丙", "co-invention", 1.0))
    load(workspace, patents, name="co-patents.xlsx")
    load(workspace, links(("甲", "丁", "investment", 0.5)), name="shareholders.xlsx")
    report, rows = load(workspace, links(("甲", "政府", "supply", 7.0)), name="tenders.xlsx")
    assert told(report) == (1, 0, 3, 0)
    assert rows.height == 4
    assert rows["id"].n_unique() == 4
    assert set(rows["loaded_from"]) == {"co-patents.xlsx", "shareholders.xlsx", "tenders.xlsx"}
    later = links(("甲", "乙", "co-invention", 4.0), ("乙", "丙", "co-invention", 1.0))
    report, rows = load(workspace, later, name="co-patents.xlsx", day="2026-04-01")
    assert told(report) == (1, 1, 2, 2)
    assert set(rows.select("source", "target", "weight").iter_rows()) == {
        ("甲", "乙", 4.0), ("乙", "丙", 1.0), ("甲", "丁", 0.5), ("甲", "政府", 7.0),
    }  # fmt: skip
    workspace.revert("links")
    assert workspace.scan("links").collect().height == 4, "one load is undone, not those before"


def test_one_file_of_another_kind_and_a_label_of_ones_own(workspace):
    load(workspace, links(("甲", "乙", "supply", 1.0)), name="links.csv")
    assert load(workspace, links(("甲", "乙", "advice", 1.0)), name="links.csv")[1].height == 2
    load(workspace, links(("甲", "丙", "supply", 1.0)), name="q1.csv", label="tax office")
    report, rows = load(workspace, links(("甲", "丁", "supply", 1.0)), name="q2.csv", label="tax office")
    assert told(report) == (1, 1, 2, 1)
    assert rows.filter(loaded_from="tax office")["target"].to_list() == ["丁"]
    report, rows = load(workspace, links(("甲", "戊", "supply", 1.0)), name="all.csv", replace_all=True)
    assert told(report) == (1, 3, None, None)
    assert rows["target"].to_list() == ["戊"]


def test_a_link_of_another_source_with_the_same_key_is_replaced(workspace):
    load(workspace, links(("甲", "乙", "supply", 1.0)), name="a.csv")
    report, rows = load(workspace, links(("甲", "乙", "supply", 5.0), ("乙", "甲", "supply", 1.0)), name="b.csv")
    assert told(report) == (1, 0, 0, 1)
    assert rows.sort("id").select("id", "weight").rows() == [("l0000001", 5.0), ("l0000002", 1.0)]


def test_what_a_survey_published_outlives_an_ordinary_load_with_its_response(workspace):
    survey = published(workspace)
    rate = workspace.snapshot("indicators").summary["response"]["rate"]
    figure = pl.DataFrame({"unit": ["杭州市"], "indicator": ["patents"], "year": [2025], "value": [9.0]})
    checked = desk.load(OPERATOR, workspace, figure, "indicators", as_of="2026-01-01", name="x.csv", check_only=True)
    assert told(checked) == (1, 0, 4, 0)
    assert "4 stay" in checked.text("en")
    report, rows = load(workspace, figure, "indicators", name="x.csv")
    assert (told(report), of(rows, survey), rows.height) == ((1, 0, 4, 0), 4, 5)
    assert workspace.snapshot("indicators").summary["responses"][survey]["rate"] == rate
    report, rows = load(workspace, figure.with_columns(value=pl.lit(8.0)), "indicators", name="x.csv", day="2026-02-01")
    assert (told(report), of(rows, survey)) == ((0, 0, 4, 1), 4)


def test_a_load_over_a_survey_says_so_and_the_round_can_be_published_again(workspace):
    survey = published(workspace)
    same = (
        workspace.scan("indicators")
        .filter(indicator="revenue")
        .select("unit", "indicator", "year", "quarter")
        .collect()
    )
    report, rows = load(workspace, same.with_columns(value=pl.lit(1.0)), "indicators", name="x.csv")
    assert [remark.code for remark in report.remarks] == ["JQ-IMPORT-033"]
    assert of(rows, survey) == 3
    load(
        workspace,
        same.with_columns(value=pl.lit(1.0)),
        "indicators",
        name="y.csv",
        day=date(2026, 2, 1),
        replace_all=True,
    )
    assert workspace.scan("indicators").collect().height == 1
    again(workspace, survey)
    assert records.find(workspace, survey).state == "published"
    rows = workspace.scan("indicators").collect()
    assert (of(rows, survey), rows.filter(indicator="revenue")["value"].to_list()) == (4, [3_500_000.0])
