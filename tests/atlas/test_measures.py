"""Measures equal the published tables, the formulas written out, and each other on every engine."""

from __future__ import annotations

import csv

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from jiqun.atlas.measures import (
    herfindahl,
    krugman_index,
    location_quotient,
    location_quotient_interval,
    marshall,
)
from jiqun.core.errors import MeasureInputError

MEASURES = [location_quotient, herfindahl, krugman_index]


def example(shared_data, name: str) -> dict[str, dict[str, float]]:
    rows = csv.DictReader((shared_data / "published" / "econgeo_doc_example" / name).read_text().splitlines())
    return {row.pop("region", None) or row.pop(""): {k: float(v) for k, v in row.items()} for row in rows}


@pytest.fixture
def econgeo(shared_data):
    table = example(shared_data, "input.csv")
    rows = [(region, industry, value) for region, row in table.items() for industry, value in row.items()]
    return pl.DataFrame(rows, schema=["region", "industry", "employees"], orient="row")


def test_location_quotient_matches_econgeo(econgeo, shared_data):
    """EconGeo (Balland), documentation example: location.quotient, 14 printed digits."""
    expected = example(shared_data, "expected_lq.csv")
    found = location_quotient(econgeo)
    assert found.height == sum(map(len, expected.values()))
    for region, industry, _, lq in found.iter_rows():
        assert lq == pytest.approx(expected[region][industry], rel=1e-13)


def test_krugman_and_herfindahl_match_econgeo(econgeo, shared_data):
    """EconGeo (Balland), documentation example: krugman.index and herfindahl, 15 printed digits."""
    expected = example(shared_data, "expected_regions.csv")
    krugman = dict(krugman_index(econgeo).select("region", "krugman").iter_rows())
    hhi = dict(herfindahl(econgeo).select("region", "hhi").iter_rows())
    assert set(krugman) == set(expected)
    for region, row in expected.items():
        assert krugman[region] == pytest.approx(row["krugman"], rel=1e-13)
        assert hhi[region] == pytest.approx(row["herfindahl"], rel=1e-13)


TABLES = st.lists(
    st.tuples(st.sampled_from("ABCD"), st.sampled_from("uvwxyz"), st.integers(0, 400)), min_size=1, max_size=60
)


def frame(rows) -> pl.DataFrame:
    return pl.DataFrame(rows, schema={"region": pl.String, "industry": pl.String, "employees": pl.Int64}, orient="row")


@given(TABLES)
def test_location_quotients_average_to_one_over_region_shares(rows):
    """Σ_r (e[r, ·] / e) LQ[r, i] = 1 for every industry that has anyone; absent cells count 0."""
    table = frame(rows)
    found = location_quotient(table)
    total = table["employees"].sum()
    shares = dict(table.group_by("region").agg(pl.col("employees").sum()).iter_rows())
    for part in found.drop_nulls("lq").partition_by("industry"):
        assert sum(shares[r] / total * lq for r, lq in part.select("region", "lq").iter_rows()) == pytest.approx(1.0)


@given(TABLES)
def test_measures_stay_within_their_bounds_and_follow_the_formula(rows):
    table = frame(rows)
    matrix = table.pivot("industry", index="region", values="employees", aggregate_function="sum").fill_null(0)
    e = matrix.drop("region").to_numpy().astype(float)
    krugman = dict(krugman_index(table).select("region", "krugman").iter_rows())
    hhi = dict(herfindahl(table).select("region", "hhi").iter_rows())
    for region, row in zip(matrix["region"], e, strict=True):
        if row.sum() == 0:
            assert krugman[region] is None
            assert hhi[region] is None
            continue
        assert krugman[region] == pytest.approx(np.abs(row / row.sum() - e.sum(0) / e.sum()).sum(), abs=1e-12)
        assert hhi[region] == pytest.approx(((row / row.sum()) ** 2).sum())
        assert -1e-12 <= krugman[region] <= 2 + 1e-12
        assert 1 / len(row) - 1e-12 <= hhi[region] <= 1 + 1e-12


@pytest.mark.parametrize("measure", MEASURES)
def test_doubling_every_count_changes_nothing(measure):
    table = frame([("A", "x", 3), ("A", "y", 9), ("B", "x", 4), ("B", "z", 1), ("C", "z", 0)])
    twice = table.with_columns(pl.col("employees") * 2)
    drop = ["employees"]
    assert_frame_equal(measure(table).drop(drop), measure(twice).drop(drop), check_row_order=False)


@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize("convert", [pd.DataFrame, pa.table, pl.LazyFrame])
def test_every_kind_of_frame_gives_the_same_and_its_own_kind_back(measure, convert):
    rng = np.random.default_rng(1)
    data = {
        "region": rng.choice(list("ABCDE"), 300).tolist(),
        "industry": rng.choice(list("stuvwxyz"), 300).tolist(),
        "employees": rng.integers(0, 90, 300).tolist(),
    }
    expected = measure(pl.DataFrame(data))
    found = measure(convert(data))
    assert type(found) is type(convert(data))
    as_polars = (
        found.collect()
        if isinstance(found, pl.LazyFrame)
        else pl.DataFrame(
            pa.Table.from_pandas(found, preserve_index=False) if isinstance(found, pd.DataFrame) else found
        )
    )
    assert_frame_equal(as_polars, expected, check_row_order=False, check_dtypes=False)


def test_large_sizes_do_not_overflow():
    """Revenue in CNY of a national industry: 10¹³ times 10¹³ does not fit into 64 bits."""
    table = frame([("A", "x", 4_000_000_000_000), ("B", "x", 2_000_000_000_000), ("B", "y", 6_000_000_000_000)])
    lq = {(r, i): v for r, i, _, v in location_quotient(table).iter_rows()}
    assert lq["A", "x"] == pytest.approx(2.0)
    assert lq["B", "x"] == pytest.approx(0.5)


def test_size_none_counts_rows_and_nulls_are_no_cells():
    table = pl.DataFrame({"region": ["A", "A", "B", None], "industry": ["x", "x", "y", "x"]})
    assert location_quotient(table, size=None).sort("region").rows() == [("A", "x", 2, 1.5), ("B", "y", 1, 3.0)]


@pytest.mark.parametrize("measure", MEASURES)
def test_bad_tables_are_told(measure):
    with pytest.raises(MeasureInputError) as caught:
        measure(pl.DataFrame({"region": ["A"], "employees": [1]}))
    assert caught.value.code == "JQ-USE-003"
    assert "industry" in str(caught.value)
    with pytest.raises(MeasureInputError) as caught:
        measure(frame([("A", "x", 1), ("A", "y", -3)]))
    assert caught.value.code == "JQ-ATLAS-009"
    assert caught.value.fields == {"column": "employees", "row": 1, "value": -3}
    assert measure(frame([])).height == 0


def test_shrinkage_after_marshall_written_out():
    """Marshall (1991), eq. 3: four regions of one industry, each term by hand."""
    n, e = np.array([2.0, 9.0, 1.0, 8.0]), np.array([4.0, 6.0, 5.0, 5.0])
    x, m = n / e, n.sum() / e.sum()
    variance = (e * (x - m) ** 2).sum() / e.sum()
    between = variance - m / e.mean()
    expected = m + between / (between + m / e) * (x - m)
    assert between > 0
    np.testing.assert_allclose(marshall(n, e, np.zeros(4, np.int64)), expected)


def test_shrinkage_pulls_small_cells_most_and_keeps_equal_ones():
    n, e = np.array([30.0, 3.0, 0.0]), np.array([10.0, 1.0, 22.0])
    small, large = marshall(n, e, np.zeros(3, np.int64))[[1, 0]]
    assert 1 < small < large < 3
    np.testing.assert_allclose(marshall(e * 2, e, np.zeros(3, np.int64)), 2.0)


def test_interval_says_what_varies_or_is_null():
    rng = np.random.default_rng(3)
    firms = pl.DataFrame(
        {"region": rng.choice(list("ABC"), 900).tolist(), "industry": rng.choice(list("xyz"), 900).tolist()}
    )
    plain = location_quotient_interval(firms)
    assert plain["lq_low"].null_count() == plain.height
    assert plain["varies"].null_count() == plain.height
    told = location_quotient_interval(firms, coverage=0.8, misplaced=0.1)
    assert told["varies"].unique().to_list() == ["coverage 80 %, misplaced 10 %"]
    assert (told["lq_low"] < told["lq_high"]).all()
    wider = location_quotient_interval(firms, coverage=0.5, misplaced=0.1)
    assert ((wider["lq_high"] - wider["lq_low"]) > (told["lq_high"] - told["lq_low"])).mean() > 0.8
    assert_frame_equal(told, location_quotient_interval(firms, coverage=0.8, misplaced=0.1))


@pytest.mark.parametrize(
    "wrong",
    [
        {"coverage": 0.7},
        {"misclassified": 0.2},
        {"misplaced": 0.2},
        {"coverage": 0.8, "misclassified": 0.1, "misplaced": 0.1},
    ],
)
def test_interval_covers_the_true_register(wrong: dict[str, float]):
    """Simulation: a true register loses firms, or has some in a wrong class or region; the 90 % interval covers the true
    quotient at least about as often as it says."""
    rng = np.random.default_rng(4)
    covered = []
    for _ in range(25):
        n = 4000
        region = rng.choice(4, n, p=[0.4, 0.3, 0.2, 0.1])
        industry = np.where(rng.random(n) < 0.4, region % 3, rng.choice(3, n, p=[0.5, 0.3, 0.2]))
        moved, replaced = rng.random(n) < wrong.get("misclassified", 0), rng.random(n) < wrong.get("misplaced", 0)
        seen_industry = np.where(moved, rng.permutation(industry), industry)
        seen_region = np.where(replaced, rng.permutation(region), region)
        truth = pl.DataFrame({"region": region.astype(str), "industry": industry.astype(str)})
        seen = pl.DataFrame({"region": seen_region.astype(str), "industry": seen_industry.astype(str)})
        seen = seen.filter(pl.Series(rng.random(n) < wrong.get("coverage", 1)))
        true = location_quotient(truth, size=None).select("region", "industry", true="lq")
        both = location_quotient_interval(seen, **wrong, draws=200).join(true, on=["region", "industry"])
        covered += ((both["true"] >= both["lq_low"]) & (both["true"] <= both["lq_high"])).to_list()
    assert 0.84 <= np.mean(covered) <= 0.99


@pytest.mark.parametrize(
    "share", [{"coverage": 0.0}, {"coverage": 1.2}, {"level": 1.5}, {"misplaced": -0.1}, {"misclassified": 1.0}]
)
def test_impossible_shares_are_told(share):
    with pytest.raises(MeasureInputError) as caught:
        location_quotient_interval(frame([("A", "x", 1)]), **share)
    assert caught.value.code == "JQ-ATLAS-010"


@pytest.mark.parametrize("wrong", [float("nan"), float("inf")])
def test_sizes_that_are_not_finite_are_refused(wrong):
    cells = pl.DataFrame({"region": ["A", "B", "B"], "industry": ["x", "x", "y"], "employees": [None, wrong, 4.0]})
    with pytest.raises(MeasureInputError) as caught:
        location_quotient(cells)
    assert caught.value.code == "JQ-ATLAS-034"
    assert "row 1" in caught.value.render("en")
    empty = cells.with_columns(pl.col("employees").replace(wrong, None)).to_pandas()  # NaN is no data there
    assert len(location_quotient(empty)) == 3
