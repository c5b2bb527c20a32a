"""Composite index: COINr's ASEM at every stage, the Handbook's technology achievement index, properties, bad tables."""

from __future__ import annotations

import csv

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jiqun.assess.composite import composite_index
from jiqun.assess.framework import check_body, check_framework, framework_of, parse_framework
from jiqun.assess.table import indicator_columns
from jiqun.core.errors import InputError, MeasureInputError, UsageError

TOLD = {"zh": "指标", "en": "indicator", "unit": "%", "source": "synthetic", "parent": "index"}
ROOT = {"code": "index", "zh": "指数", "en": "Index"}


def framework(indicators, dimensions=(ROOT,), **more):
    body = {"code": "f", "zh": "例", "en": "f", "version": "1", "dimensions": list(dimensions)}
    checked = check_body(body | {"indicators": [TOLD | one for one in indicators]} | more)
    assert not checked.problems
    return checked.framework


@pytest.fixture
def asem(shared_data):
    """COINr's example (Becker et al. 2022): table, framework, folder."""
    folder = shared_data / "published" / "coinr_asem"
    rows = list(csv.DictReader((folder / "meta.csv").read_text(encoding="utf-8").splitlines()))
    aggregates = [row for row in rows if row["Type"] == "Aggregate"]
    aggregates.sort(key=lambda row: row["Level"], reverse=True)
    dimensions = [
        {"code": row["iCode"], "zh": "维度", "en": row["iName"], "weight": float(row["Weight"])}
        | ({} if row["Parent"] == "NA" else {"parent": row["Parent"]})
        for row in aggregates
    ]
    indicators = [
        {
            "code": row["iCode"],
            "parent": row["Parent"],
            "en": row["iName"],
            "unit": row["Unit"],
            "direction": "higher" if row["Direction"] == "1" else "lower",
            "weight": float(row["Weight"]),
            "denominator": None if row["Denominator"] == "NA" else row["Denominator"],
        }
        for row in rows
        if row["Type"] == "Indicator"
    ]
    steps = {
        "group": "EurAsia_group",
        "impute": "group_mean",
        "screen": 0.9,
        "screen_on": "imputed",
        "treat": "winsorise_or_log",
    }
    table = pl.read_csv(folder / "indicators.csv", null_values="NA")
    return table, framework(indicators, dimensions, steps=steps), folder


@pytest.mark.parametrize("stage", ["denominated", "imputed", "treated", "normalised"])
def test_every_stage_matches_coinr_asem(asem, stage):
    """COINr (JOSS 7(78), 4567), example ASEM, 51 countries × 49 indicators: to 1e-9, relative and absolute."""
    table, told, folder = asem
    expected = pl.read_csv(folder / f"expected_{stage}.csv", null_values="NA")
    found = composite_index(table, told, unit="uCode").stages[stage]
    both = expected.join(found, left_on="uCode", right_on="unit", how="left", maintain_order="left", suffix="_found")
    assert expected.height == found.height == 51
    for code in told.codes:
        want, got = both[code].cast(pl.Float64).to_numpy(), both[f"{code}_found"].to_numpy()
        np.testing.assert_allclose(got, want, rtol=1e-9, atol=1e-9, err_msg=code)


def test_scores_and_ranks_match_coinr_asem(asem):
    """COINr's results to the 10 decimals given: index, sub-indices, eight pillars."""
    table, told, folder = asem
    expected = pl.read_csv(folder / "expected_results.csv").sort("uCode")
    found = composite_index(table, told, unit="uCode").scores.sort("unit")
    assert found["unit"].to_list() == expected["uCode"].to_list()
    assert found["rank"].to_list() == expected["Rank"].to_list()
    for code in expected.columns[2:]:
        np.testing.assert_allclose(found[code].to_numpy(), expected[code].to_numpy(), rtol=0, atol=1e-9, err_msg=code)


def test_contributions_of_asem_add_to_the_score_and_the_trace_tells_each_step(asem):
    table, told, _ = asem
    found = composite_index(table, told, unit="uCode")
    sums = found.contributions.group_by("unit").agg(pl.col("contribution").sum())
    both = found.scores.join(sums, on="unit")
    np.testing.assert_allclose(both["contribution"], both["Index"], atol=1e-10)
    trace = found.trace("BRN")
    assert trace.height == 49
    filled = trace.filter(pl.col("imputed_by").is_not_null())
    assert filled.height == 10  # 0.204 of 49 indicators are absent
    assert filled["denominated"].null_count() == 10
    assert filled["imputed_by"].unique().to_list() == ["group_mean"]
    goods = trace.filter(pl.col("indicator") == "Goods").row(0, named=True)
    assert goods["denominated"] != goods["raw"]
    observed = found.scores.filter(pl.col("unit") == "BRN")["observed"][0]
    assert observed == pytest.approx(1 - filled["weight"].sum())
    with pytest.raises(UsageError, match="JQ-ASSESS-034"):
        found.trace("XXX")


@pytest.fixture
def tai(shared_data):
    """Technology achievement index (OECD/JRC 2008): table, framework, folder."""
    folder = shared_data / "published" / "oecd_handbook_tai_2008"
    posts = pl.read_csv(folder / "goalposts.csv").with_columns(
        pl.when(pl.col("scale") == "log10").then(pl.col("min", "max").log10()).otherwise(pl.col("min", "max"))
    )  # the table's telephones and electricity are logarithms already
    indicators = [{"code": row["indicator"], "low": row["min"], "high": row["max"]} for row in posts.to_dicts()]
    return pl.read_csv(folder / "input.csv"), framework(indicators, steps={"high": 1.0}), folder


def ranks(scores: pl.DataFrame) -> dict[str, int]:
    return dict(scores.select("unit", "rank").iter_rows())


@pytest.mark.parametrize(("column", "off"), [("EW", 0), ("BAP", 0), ("FA", 1), ("AHP", 2)])
def test_ranks_match_the_handbooks_technology_achievement_index(tai, column, off):
    """OECD/JRC (2008), Table 23, 23 countries: equal weights and budget allocation exact; FA and AHP weights are printed
    to two digits only."""
    table, told, folder = tai
    weights = dict(pl.read_csv(folder / "weights_table22.csv").select("indicator", column).iter_rows())
    total = sum(weights.values())
    weights = {code: weight / total for code, weight in weights.items()}
    found = ranks(composite_index(table, told, unit="country", weights=weights).scores)
    expected = dict(pl.read_csv(folder / "ranks_table23.csv").select("country", column).iter_rows())
    assert max(abs(found[country] - rank) for country, rank in expected.items()) <= off


def test_the_technology_achievement_index_needs_its_72_country_goalposts(tai):
    """The three highest scores (README of the data); min-max over the 23 countries gives other ranks."""
    table, told, folder = tai
    scores = composite_index(table, told, unit="country").scores
    assert scores["index"][:3].round(3).to_list() == [0.745, 0.733, 0.704]
    expected = dict(pl.read_csv(folder / "ranks_table23.csv").select("country", "EW").iter_rows())
    bare = framework([{"code": code} for code in told.codes], steps={"high": 1.0})
    found = ranks(composite_index(table, bare, unit="country").scores)
    assert max(abs(found[country] - rank) for country, rank in expected.items()) >= 5


def small(n=8, seed=3):
    rng = np.random.default_rng(seed)
    values = rng.lognormal(0, 0.4, (n, 4))
    return pl.DataFrame({"unit": [f"u{k}" for k in range(n)]} | dict(zip("abcd", values.T, strict=True)))


def without(unit, *codes):
    return [pl.when(pl.col("unit") != unit).then(pl.col(code)).alias(code) for code in codes]


TREE = (
    ROOT,
    {"code": "p", "parent": "index", "zh": "一", "en": "p"},
    {"code": "q", "parent": "index", "zh": "二", "en": "q", "weight": 3},
)
LEAVES = [{"code": code, "parent": "p" if code in "ab" else "q"} for code in "abcd"]


@pytest.mark.parametrize("how", ["arithmetic", "geometric", "harmonic", "mpi_minus", "mpi_plus"])
@pytest.mark.parametrize("weights", ["given", "equal", "entropy", "critic", "pca"])
def test_contributions_add_to_the_score_under_every_mean_and_weighting(how, weights):
    told = framework(LEAVES, TREE, steps={"low": 50.0, "aggregate": how, "weights": weights})
    found = composite_index(small(), told)
    sums = found.contributions.group_by("unit").agg(pl.col("contribution").sum())
    both = found.scores.join(sums, on="unit")
    np.testing.assert_allclose(both["contribution"], both["index"], rtol=1e-9)
    assert found.weights.filter(pl.col("level") == 1)["overall"].sum() == pytest.approx(1)


def test_means_are_ordered_and_equal_values_are_kept():
    scores = {}
    for how in ("harmonic", "geometric", "mpi_minus", "arithmetic", "mpi_plus"):
        told = framework(LEAVES, TREE, steps={"low": 1.0, "aggregate": how})
        scores[how] = composite_index(small(), told).scores.sort("unit")["index"].to_numpy()
    assert (scores["harmonic"] <= scores["geometric"] + 1e-12).all()
    assert (scores["geometric"] <= scores["arithmetic"] + 1e-12).all()
    assert (scores["mpi_minus"] <= scores["arithmetic"] + 1e-12).all()
    assert (scores["arithmetic"] <= scores["mpi_plus"] + 1e-12).all()
    equal = pl.DataFrame({"unit": ["x", "y", "z"]} | {code: [1.0, 2.0, 5.0] for code in "abcd"})
    for how in scores:
        told = framework(LEAVES, TREE, steps={"low": 1.0, "aggregate": how})
        found = composite_index(equal, told).scores.sort("unit")["index"].to_list()
        assert found == pytest.approx([1.0, 25.75, 100.0])


@settings(max_examples=15)
@given(st.floats(0.01, 100), st.floats(-50, 50))
def test_units_of_measure_do_not_matter_to_minmax_z_or_ranks(factor, shift):
    table = small()
    moved = table.with_columns(pl.col("a", "b", "c", "d") * factor + shift)
    for steps in ({}, {"normalise": "z"}, {"normalise": "rank"}, {"normalise": "percentile"}):
        told = framework(LEAVES, TREE, steps=steps)
        one, other = (composite_index(t, told).scores.sort("unit")["index"].to_numpy() for t in (table, moved))
        np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-6)


def test_lower_is_better_turns_an_indicator_round():
    table = small()
    turned = framework([one | {"direction": "lower"} for one in LEAVES], TREE)
    found = composite_index(table, turned).scores.sort("unit")["index"].to_numpy()
    straight = composite_index(table, framework(LEAVES, TREE)).scores.sort("unit")["index"].to_numpy()
    np.testing.assert_allclose(found, 100 - straight)


def test_scores_that_differ_by_rounding_alone_share_a_rank():
    told = framework([{"code": code} for code in "abc"])
    table = pl.DataFrame({"unit": ["x", "y", "z"], "a": [0, 1, 3], "b": [1, 3, 0], "c": [3, 0, 1]})
    assert composite_index(table, told).scores["rank"].to_list() == [1, 1, 1]


def test_nearest_year_takes_the_units_own_value_within_the_gap():
    table = pl.DataFrame(
        {
            "unit": ["x", "y", "z"] * 3,
            "year": [2020] * 3 + [2022] * 3 + [2023] * 3,
            "a": [1.0, 9.0, 9.0, None, 2.0, None, None, None, 7.0],
            "b": [1.0] * 6 + [1.0, 2.0, 3.0],
        }
    )
    told = framework([{"code": "a"}, {"code": "b"}], steps={"impute": "nearest_year", "max_gap": 3})
    found = composite_index(table, told, year="year")
    assert found.year == 2023
    assert found.imputed.select("unit", "year", "value").rows() == [("x", 2020, 1.0), ("y", 2022, 2.0)]
    with pytest.raises(MeasureInputError, match="JQ-ASSESS-019"):
        composite_index(table, told.changed(max_gap=2), year="year")


def test_missing_values_may_give_their_weight_to_siblings():
    table = small().with_columns(without("u0", "a"))
    told = framework(LEAVES, TREE, steps={"missing": "renormalise"})
    found = composite_index(table, told)
    row = found.scores.filter(pl.col("unit") == "u0").row(0, named=True)
    normal = found.stages["normalised"].row(0, named=True)
    assert row["p"] == pytest.approx(normal["b"])
    assert row["observed"] == pytest.approx(0.875)
    empty = table.with_columns(without("u0", *"bcd"))
    last = composite_index(empty, told).scores.row(-1, named=True)
    assert (last["unit"], last["rank"], last["index"]) == ("u0", None, None)


def test_ranks_among_few_count_as_much_as_ranks_among_many():
    """The best of three weighs what the best of eight does; without gaps a rank is a rank."""
    frame = small().with_columns(
        a=pl.Series([None] * 5 + [1.0, 2.0, 3.0]), b=pl.Series([1.0, 2, 3, 4, 5, 6, 7, 8]), c=pl.Series([8.0, 7, 6, 5, 4, 3, 2, 1])
    )  # fmt: skip
    told = framework(LEAVES, TREE, steps={"missing": "renormalise", "normalise": "rank", "screen": 0.0})
    stage = composite_index(frame, told).stages["normalised"].sort("unit")
    assert stage["a"].drop_nulls().to_list() == pytest.approx([9 / 4, 9 / 2, 27 / 4])
    assert stage["a"].mean() == pytest.approx(stage["b"].mean())
    assert sorted(stage["b"].to_list()) == [1, 2, 3, 4, 5, 6, 7, 8]


def test_units_below_the_screen_are_left_out_and_said():
    table = small().with_columns(without("u0", "a", "b"))
    found = composite_index(table, framework(LEAVES, TREE, steps={"screen": 0.6}))
    assert found.screened.rows() == [("u0", 0.5)]
    assert "u0" not in found.units
    with pytest.raises(MeasureInputError, match="JQ-ASSESS-025"):
        composite_index(
            pl.DataFrame({"unit": ["x", "y"], "a": [1, None], "b": [None, 2]}),
            framework([{"code": "a"}, {"code": "b"}], steps={"screen": 0.9}),
        )


BAD = {
    "a constant indicator": ({"a": [1.0] * 8}, {}, "JQ-ASSESS-015"),
    "an indicator without values": ({"a": [None] * 8}, {}, "JQ-ASSESS-014"),
    "words": ({"a": ["x"] * 8}, {}, "JQ-ASSESS-016"),
    "an infinite value": ({"a": [float("inf")] + [1.0] * 7}, {}, "JQ-ASSESS-017"),
    "a value beyond reckoning": ({"a": [1e300] + [1.0] * 7}, {}, "JQ-ASSESS-017"),
    "a missing value": ({"a": [None, *range(7)]}, {}, "JQ-ASSESS-019"),
    "no groups": ({"a": [None, *range(7)]}, {"impute": "group_mean"}, "JQ-ASSESS-023"),
    "no years": ({"a": [None, *range(7)]}, {"impute": "nearest_year"}, "JQ-ASSESS-024"),
    "zeros under a geometric mean": ({}, {"aggregate": "geometric"}, "JQ-ASSESS-020"),
    "zeros under a harmonic mean": ({}, {"aggregate": "harmonic"}, "JQ-ASSESS-020"),
    "z-scores under entropy": ({}, {"normalise": "z", "weights": "entropy"}, "JQ-ASSESS-028"),
    "z-scores under Mazziotta-Pareto": ({}, {"normalise": "z", "aggregate": "mpi_minus"}, "JQ-ASSESS-020"),
    "no judgements": ({}, {"weights": "ahp"}, "JQ-ASSESS-026"),
    "no points": ({}, {"weights": "budget"}, "JQ-ASSESS-028"),
    "shares that cannot be": ({}, {"weights": "bod", "share_low": 0.6}, "JQ-ASSESS-029"),
    "levels that there are not": ({}, {"aggregate": ("arithmetic",) * 3}, "JQ-ASSESS-032"),
    "a mean that weights do not allow": ({}, {"weights": "bod", "aggregate": "geometric"}, "JQ-ASSESS-032"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_a_coded_error(case):
    columns, steps, code = BAD[case]
    table = small().with_columns(**{name: pl.Series(values, strict=False) for name, values in columns.items()})
    with pytest.raises((MeasureInputError, UsageError), match=code):
        composite_index(table, framework(LEAVES, TREE, steps=steps))


def test_a_mean_that_gaps_and_low_values_bring_below_zero_names_the_lowest_value():
    table = small().with_columns([pl.when(pl.int_range(8) != k).then(pl.col(c)).alias(c) for k, c in enumerate("abcd")])
    told = framework(LEAVES, TREE, steps={"normalise": "z", "aggregate": "mpi_minus", "missing": "renormalise"})
    with pytest.raises(MeasureInputError, match="JQ-ASSESS-020") as error:
        composite_index(table, told)
    assert float(error.value.fields["value"]) < 0


def test_one_unit_a_unit_twice_and_mixed_units_are_refused():
    told = framework(LEAVES, TREE)
    with pytest.raises(MeasureInputError, match="JQ-ASSESS-013"):
        composite_index(small(1), told)
    with pytest.raises(MeasureInputError, match="JQ-ASSESS-012"):
        composite_index(pl.concat([small(), small()]), told)
    mixed = framework([{"code": "a", "unit": "CNY"}, {"code": "b"}], steps={"normalise": "none"})
    with pytest.raises(MeasureInputError, match="JQ-ASSESS-037"):
        composite_index(small(), mixed)
    rows = pl.DataFrame({"unit": ["x", "y"], "indicator": "a", "value": [1.0, 2.0], "measure": ["%", "‰"]})
    with pytest.raises(MeasureInputError, match="JQ-ASSESS-021"):
        indicator_columns(rows, told)


def test_denominators_must_be_above_zero_and_indicators_valid():
    told = framework([{"code": "a", "denominator": "d"}, {"code": "b", "valid_to": 2020}])
    table = small().with_columns(d=pl.lit(0.0), year=2024)
    with pytest.raises(MeasureInputError, match="JQ-ASSESS-018"):
        composite_index(table, told)
    with pytest.raises(MeasureInputError, match="JQ-ASSESS-022"):
        composite_index(table, told, year="year")


def test_weights_of_the_user_must_be_whole():
    told = framework(LEAVES, TREE)
    with pytest.raises(InputError, match="JQ-ASSESS-011"):
        composite_index(small(), told, weights={"a": 0.5, "b": 0.6})
    for wrong in ({"a": 1.0}, {"zz": 1.0}, {"a": -1.0, "b": 2.0}, {"index": 1.0}):
        with pytest.raises(UsageError, match="JQ-ASSESS-032"):
            composite_index(small(), told, weights=wrong)
    percent = composite_index(small(), told, weights={"a": 30, "b": 70})
    assert dict(percent.weights.select("code", "weight").iter_rows())["a"] == pytest.approx(0.3)


def test_judgements_and_budgets_become_weights():
    judged = [{"parent": "p", "order": ["b", "a"], "matrix": [[1, 3], [1 / 3, 1]]}]
    told = framework(LEAVES, TREE, judgements=judged, steps={"weights": ("ahp", "given")})
    with pytest.raises(MeasureInputError, match="JQ-ASSESS-026"):  # q has none
        composite_index(small(), told)
    flat = [{"code": code} for code in "abc"]
    clash = [{"parent": "index", "order": ["a", "b", "c"], "matrix": [[1, 5, 1 / 5], [1 / 5, 1, 5], [5, 1 / 5, 1]]}]
    with pytest.raises(MeasureInputError, match="JQ-ASSESS-027"):
        composite_index(small(), framework(flat, judgements=clash, steps={"weights": "ahp"}))
    points = [
        {"parent": "index", "expert": "1", "points": {"a": 50, "b": 30, "c": 20}},
        {"parent": "index", "expert": "2", "points": {"a": 30, "b": 30, "c": 40}},
    ]
    spent = composite_index(small(), framework(flat, budgets=points, steps={"weights": "budget"}))
    assert spent.weights["weight"].to_list() == pytest.approx([0.4, 0.3, 0.3])
    points[0]["points"]["a"] = 51
    with pytest.raises(InputError, match="JQ-ASSESS-011"):
        composite_index(small(), framework(flat, budgets=points, steps={"weights": "budget"}))


def test_benefit_of_the_doubt_flatters_and_its_bounds_bind(tai):
    """Bounds only lower scores, and hold for every share; those on the frontier share the first rank."""
    table, told, _ = tai
    free = composite_index(table, told.changed(weights="bod"), unit="country").scores
    bound = composite_index(table, told.changed(weights="bod", share_low=0.05, share_high=0.4), unit="country")
    both = free.join(bound.scores, on="unit")
    assert (both["index"] >= both["index_right"] - 1e-9).all()
    assert free["index"].max() == pytest.approx(1)
    best = free.filter(pl.col("rank") == 1)
    assert {"Finland", "United States"} <= set(best["unit"])  # they share the first rank in the Handbook too
    assert free["rank"][best.height] == best.height + 1
    shares = bound.contributions.join(bound.scores, on="unit").with_columns(s=pl.col("contribution") / pl.col("index"))
    assert shares["s"].min() >= 0.05 - 1e-7
    assert shares["s"].max() <= 0.4 + 1e-7


def test_benefit_of_the_doubt_matches_the_handbooks_technology_achievement_index(tai):
    """OECD/JRC (2008), Table 23, column BOD: all 23 ranks, with every weight between 10 % and 15 % of their sum over
    min-max of the 23 countries. (The Handbook's table does not print the bounds; these, and no others tried, give its ranks.)"""
    table, told, folder = tai
    steps = {"high": 1.0, "weights": "bod", "share_low": 0.10, "share_high": 0.15, "share_of": "weights"}
    bare = framework([{"code": code} for code in told.codes], steps=steps)
    found = composite_index(table, bare, unit="country")
    expected = dict(pl.read_csv(folder / "ranks_table23.csv").select("country", "BOD").iter_rows())
    assert ranks(found.scores) == expected
    shares = found.contributions["weight"]
    assert shares.min() >= 0.10 - 1e-9
    assert shares.max() <= 0.15 + 1e-9


TEXT = """
code = "small"
zh = "小例"
en = "Small"
version = "1"
[[dimension]]
code = "index"
zh = "指数"
en = "Index"
[[indicator]]
code = "rd"
parent = "nowhere"
zh = "研发强度"
en = "R&D intensity"
unit = "%"
source = "table"
low = 5
high = 1
[[indicator]]
code = "rd"
parent = "index"
zh = "研发强度"
en = "R&D intensity"
unit = "%"
source = "table"
"""


def test_all_problems_of_a_framework_are_collected():
    codes = [problem.code for problem in check_framework(TEXT).problems]
    assert codes == ["JQ-ASSESS-003", "JQ-ASSESS-004", "JQ-ASSESS-008"]
    with pytest.raises(InputError, match="JQ-ASSESS-009"):
        parse_framework(TEXT)
    strange = TEXT.replace('unit = "%"', 'unti = "%"')
    found = check_framework(strange).problems
    assert {problem.code for problem in found} == {"JQ-ASSESS-002"}
    assert len(found) == 4  # each indicator lacks a unit and has a field that there is not
    assert check_framework("code = ").problems[0].code == "JQ-ASSESS-001"


def test_trees_must_be_trees():
    def codes(*dimensions):
        body = {"code": "f", "zh": "例", "en": "f", "version": "1", "indicators": [TOLD | {"code": "a"}]}
        return {problem.code for problem in check_body(body | {"dimensions": dimensions}).problems}

    two = {"code": "two", "zh": "二", "en": "two"}
    assert codes(ROOT, two) == {"JQ-ASSESS-005", "JQ-ASSESS-006"}
    assert codes(ROOT, two | {"parent": "index"}) == {"JQ-ASSESS-006"}
    round_ = ({"code": "x", "parent": "y", "zh": "x", "en": "x"}, {"code": "y", "parent": "x", "zh": "y", "en": "y"})
    assert "JQ-ASSESS-007" in codes(ROOT, *round_)


def test_a_framework_in_csv_is_the_same_as_in_toml():
    toml = TEXT.replace("nowhere", "index").replace('code = "rd"', 'code = "x"', 1).replace("low = 5", "low = 0")
    text = (
        "kind,code,parent,zh,en,version,unit,source,low,high\n"
        "framework,small,,小例,Small,1,,,,\n"
        "dimension,index,,指数,Index,,,,,\n"
        "indicator,x,index,研发强度,R&D intensity,,%,table,0,1\n"
        "indicator,rd,index,研发强度,R&D intensity,,%,table,,\n"
    )
    assert parse_framework(text, "small.csv") == parse_framework(toml)
    assert check_framework("kind,code\nrow,x\n", "small.csv").problems[0].code == "JQ-ASSESS-001"


def test_unknown_frameworks_and_steps_are_refused(tmp_path):
    with pytest.raises(UsageError, match="JQ-ASSESS-010"):
        framework_of("nothing")
    with pytest.raises(InputError, match="JQ-ASSESS-001"):
        framework_of(tmp_path / "absent.toml")
    with pytest.raises(UsageError, match="JQ-ASSESS-032"):
        framework(LEAVES, TREE).changed(normalise="other")


PANEL = {
    "hitech_revenue_100m": "亿元",
    "rd_spend_100m": "亿元",
    "rd_intensity_pct": "%",
    "invention_patents_in_force": "件",
}


def test_a_real_panel_fills_the_year_without_a_yearbook_table_from_its_neighbours(shared_data):
    """China's provinces in 2017, when no yearbook has the high-tech table: every province takes its own 2018 figure, the
    later of two equally near; the rest is as printed, and the trace says so."""
    table = pl.read_csv(shared_data / "real" / "cn-province-hightech-panel" / "panel_core_wide.csv")
    told = framework(
        [{"code": code, "unit": unit} for code, unit in PANEL.items()], steps={"treat": "winsorise_or_log"}
    )
    with pytest.raises(MeasureInputError, match="JQ-ASSESS-014"):
        composite_index(table, told, unit="province", year="year", of=2017)
    found = composite_index(table, told.changed(impute="nearest_year"), unit="province", year="year", of=2017)
    assert len(found.units) == 31
    filled = found.imputed.filter(pl.col("indicator") == "hitech_revenue_100m")
    assert filled["unit"].n_unique() == 31
    assert set(filled["year"]) == {2018}
    own = table.filter(pl.col("year") == 2018, pl.col("province") == "广东")["hitech_revenue_100m"][0]
    trace = found.trace("广东").row(0, named=True)
    assert (trace["raw"], trace["imputed"], trace["from_year"]) == (None, own, 2018)
    assert found.scores["observed"].to_list() == pytest.approx([0.75] * 31)
    assert set(found.scores["unit"][:3]) == {"北京", "广东", "江苏"}


def test_real_units_of_measure_that_were_mixed_up_are_found(shared_data):
    """In the panel's long table some counts are labelled 万元 in one year; the wide table is refused, with both units."""
    rows = pl.read_csv(
        shared_data / "real" / "cn-province-hightech-panel" / "panel_long.csv", infer_schema_length=None
    ).filter(pl.col("dataset") == "IndustryRD", pl.col("province") != "全国")
    ask = {"unit": "province", "measure": "unit", "year": "year"}
    sound = framework([{"code": "v4_cy_RDhd_nbzc", "unit": "万元"}])
    assert {"province", "year", "v4_cy_RDhd_nbzc"} <= set(indicator_columns(rows, sound, **ask).columns)
    mixed = framework([{"code": "v4_cy_qyzl_fms", "unit": "件"}])
    with pytest.raises(MeasureInputError, match="JQ-ASSESS-021") as error:
        indicator_columns(rows, mixed, **ask)
    assert "万元" in str(error.value)
