"""Response rates always add up, and a link that nobody named is not counted as absent."""

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jiqun.core.errors import MeasureInputError
from jiqun.survey import merge_reports, report_agreement, response_rates, size_class
from jiqun.survey.ties import REPORTS

DUE = st.tuples(
    st.sampled_from(["silent", "started", "answered", "declined"]),
    st.sampled_from([None, "not_applicable", "unwilling", "other"]),
    st.one_of(st.none(), st.integers(0, 5_000)),
    st.sampled_from([None, "浙江", "江苏"]),
)
SCHEMA = {"state": pl.String, "decline": pl.String, "employees": pl.Int64, "region": pl.String}
COUNTS = ("expected", "answered", "declined", "silent", "started", "not_applicable", "employees_expected")


def frame(rows):
    return pl.DataFrame(rows, schema=SCHEMA, orient="row").with_columns(
        size_class=pl.col("employees").map_elements(size_class, return_dtype=pl.String, skip_nulls=False)
    )


@given(st.lists(DUE, max_size=40))
def test_the_accounting_always_adds_up(rows):
    roster = frame(rows)
    whole = response_rates(roster).row(0, named=True)
    assert whole["expected"] == len(rows)
    for by in (None, "size_class", "region"):
        table = response_rates(roster, by)
        assert (table["expected"] == table["answered"] + table["declined"] + table["silent"]).all()
        assert (table["started"] <= table["silent"]).all()
        assert (table["not_applicable"] <= table["declined"]).all()
        assert {name: int(table[name].sum() or 0) for name in COUNTS} == {name: whole[name] or 0 for name in COUNTS}
        for rate in ("rate", "eligible_rate", "employees_share"):
            known = table[rate].drop_nulls()
            assert ((known >= 0) & (known <= 1)).all()


@given(st.lists(DUE, min_size=1, max_size=20))
def test_asking_twice_as_many_alike_changes_no_rate(rows):
    one, two = (response_rates(frame(rows * times)).row(0, named=True) for times in (1, 2))
    for rate in ("rate", "eligible_rate", "employees_share"):
        assert one[rate] == pytest.approx(two[rate])


def test_a_rate_of_nobody_is_not_available():
    empty = response_rates(frame([])).row(0, named=True)
    assert (empty["expected"], empty["rate"], empty["eligible_rate"]) == (0, None, None)
    due_nothing = response_rates(frame([("declined", "not_applicable", None, None)])).row(0, named=True)
    assert (due_nothing["rate"], due_nothing["eligible_rate"], due_nothing["employees_share"]) == (0.0, None, None)


@pytest.mark.parametrize("roster", [pl.DataFrame({"state": ["answered"]}), frame([]).drop("employees")])
def test_a_roster_without_its_columns_is_refused(roster):
    with pytest.raises(MeasureInputError, match="JQ-SURVEY-027"):
        response_rates(roster)


def test_a_state_that_is_none_is_refused():
    with pytest.raises(MeasureInputError, match=r"JQ-SURVEY-027.*perhaps"):
        response_rates(frame([("perhaps", None, None, None)]))


REPORT = st.tuples(
    st.sampled_from("abcd"),
    st.sampled_from("abcd"),
    st.sampled_from(["supply", "project"]),
    st.sampled_from(["source", "target", "both"]),
    st.sampled_from([None, 1.0, 2.0, 3.0]),
).filter(lambda said: said[0] != said[1])


def reports(rows):
    return pl.DataFrame(rows, schema=REPORTS, orient="row")


@given(st.lists(REPORT, max_size=30), st.randoms())
def test_links_are_each_there_once_whatever_the_order_of_reports(rows, random):
    links = merge_reports(reports(rows))
    assert links.select("source", "target", "kind").is_unique().all()
    assert (links["source"] != links["target"]).all()
    assert (links["weight"] > 0).all()
    assert links["weight"].is_between(1, 3).all()
    shuffled = list(rows)
    random.shuffle(shuffled)
    assert merge_reports(reports(shuffled)).equals(links)
    ends = {frozenset(said[:2]) for said in rows}
    assert {frozenset(pair) for pair in links.select("source", "target").iter_rows()} == ends


def test_both_sides_of_a_link_make_one_that_both_report():
    said = [
        ("a", "b", "supply", "source", 3.0),
        ("b", "a", "supply", "target", None),
        ("b", "a", "supply", "source", 1.0),
    ]
    rows = merge_reports(reports(said)).rows(named=True)
    assert [(row["source"], row["target"], row["reported_by"], row["weight"]) for row in rows] == [
        ("a", "b", "both", 3.0),
        ("b", "a", "source", 1.0),
    ]


def test_agreement_speaks_only_of_those_that_both_answered():
    nodes = pl.DataFrame({"organisation": ["a", "b", "c"], "responded": [True, True, False]})
    links = pl.DataFrame(
        {"source": ["a", "b", "a"], "target": ["b", "a", "c"], "reported_by": ["both", "source", "source"]}
    )
    assert report_agreement(links, nodes) == 0.5
    assert report_agreement(links[2:], nodes) is None
