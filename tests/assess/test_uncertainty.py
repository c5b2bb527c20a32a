"""Uncertainty of ranks: analytic Sobol indices, agreement with the index, what must fail loudly."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from test_composite import LEAVES, ROOT, TREE, framework, small, without

from jiqun.assess.composite import composite_index
from jiqun.assess.rank_uncertainty import SHIFT, uncertainty
from jiqun.assess.sensitivity import sobol_indices
from jiqun.core.errors import MeasureInputError, UsageError


def test_sobol_indices_of_the_ishigami_function_are_the_analytic_ones():
    """Ishigami and Homma (1990), a = 7, b = 0.1: S = (0.3139, 0.4424, 0), ST = (0.5576, 0.4424, 0.2437); the bootstrap
    intervals (99 %) hold them."""

    def ishigami(u):
        x = np.pi * (2 * u - 1)
        return (np.sin(x[:, 0]) + 7 * np.sin(x[:, 1]) ** 2 + 0.1 * x[:, 2] ** 4 * np.sin(x[:, 0]))[:, None]

    found = sobol_indices(ishigami, {"1": [0], "2": [1], "3": [2]}, n=8000, seed=4, level=0.99)
    for k, (first, total) in enumerate([(0.3139, 0.5576), (0.4424, 0.4424), (0.0, 0.2437)]):
        assert found.first_low[k, 0] <= first <= found.first_high[k, 0]
        assert found.total_low[k, 0] <= total <= found.total_high[k, 0]
        assert found.first[k, 0] == pytest.approx(first, abs=0.05)
        assert found.total[k, 0] == pytest.approx(total, abs=0.03)
    assert found.runs == 8000 * 5


def test_a_factor_of_several_columns_counts_as_one():
    found = sobol_indices(lambda u: u.sum(axis=1, keepdims=True), {"a": [0, 1, 2], "b": [3]}, n=4000, seed=2)
    assert found.first[:, 0] == pytest.approx([0.75, 0.25], abs=0.05)
    assert found.total[:, 0] == pytest.approx([0.75, 0.25], abs=0.03)


def test_what_never_varies_has_no_sensitivity():
    found = sobol_indices(lambda u: np.ones((len(u), 1)), {"a": [0]}, n=50, seed=2)
    assert np.isnan(found.first).all()


@pytest.mark.parametrize("weights", ["given", "entropy", "critic", "pca"])
@pytest.mark.parametrize("how", ["arithmetic", "geometric", "harmonic", "mpi_minus"])
def test_a_run_equals_the_index_of_the_same_choices(weights, how):
    """Two ways of normalising and nothing else: every run is one of two indices, and dominance is theirs."""
    told = framework(LEAVES, TREE, steps={"weights": weights, "aggregate": how, "low": 20.0, "mean": 100, "sd": 10})
    found = uncertainty(small(), told, normalise=["minmax", "rank"], runs=60, top=3)
    ranks = [
        dict(composite_index(small(), told.changed(normalise=way)).scores.select("unit", "rank").iter_rows())
        for way in ("minmax", "rank")
    ]
    for row in found.ranks.to_dicts():
        both = {one[row["unit"]] for one in ranks}
        assert {row["best"], row["worst"]} == both | ({min(both)} if len(both) == 1 else set())
        assert row["rank"] == ranks[0][row["unit"]]


def test_equal_chances_are_kept():
    told = framework(LEAVES, TREE, steps={"low": 1.0})
    table = pl.DataFrame({"unit": ["x", "y", "z"], "a": [3, 1, 2], "b": [3, 1, 2], "c": [1, 3, 2], "d": [1, 3, 2]})
    ways = [{"weights": "given"}, {"weights": "equal"}]  # q weighs three quarters, then half: a tie
    found = uncertainty(table, told, weights=ways, runs=4000, seed=1)
    wins = found.dominance.filter(pl.col("unit") == "y", pl.col("other") == "x")["p"][0]
    assert wins == pytest.approx(0.5, abs=0.03)
    assert found.dominance.filter(pl.col("unit") == "x", pl.col("other") == "y")["p"][0] == 0


def test_a_unit_that_leads_everywhere_is_first_in_every_run_and_chances_add_up():
    best = small().with_columns(
        [pl.when(pl.col("unit") == "u3").then(50.0).otherwise(pl.col(code)).alias(code) for code in "abcd"]
    )
    told = framework(LEAVES, TREE, steps={"low": 60.0})
    found = uncertainty(
        best,
        told,
        treat=["none", "winsorise_or_log"],
        normalise=["minmax", "percentile"],
        weights=["equal", "given", "critic"],
        aggregate=["arithmetic", "geometric", "mpi_minus"],
        weight_spread=0.5,
        leave_out=True,
        runs=300,
        top=3,
    )
    first = found.ranks.row(0, named=True)
    assert (first["unit"], first["best"]) == ("u3", 1)
    assert first["p_top"] == 1
    assert found.ranks["p_top"].sum() >= 3 - 1e-9  # ties share the better rank
    p = found.dominance.join(found.dominance, left_on=["unit", "other"], right_on=["other", "unit"])
    assert (p["p"] + p["p_right"] <= 1 + 1e-12).all()
    assert found.factors["factor"].to_list() == ["treat", "normalise", "weights", "aggregate", "leave_out"]
    assert (found.ranks["low"] <= found.ranks["median"]).all()
    assert (found.ranks["best"] <= found.ranks["low"]).all()


def test_sensitivity_finds_the_factor_that_matters():
    """Two indicators that disagree: their weights decide the ranks, and how they are normalised does not."""
    table = pl.DataFrame({"unit": [f"u{k}" for k in range(9)], "a": list(range(9)), "b": [8 - k for k in range(9)]})
    told = framework([{"code": "a"}, {"code": "b"}])
    found = uncertainty(
        table, told, normalise=["minmax", "percentile"], weight_spread=0.9, runs=50, sensitivity=256
    ).sensitivity
    by = {(row["output"], row["factor"]): row for row in found.to_dicts()}
    weights, scale = by["u0", "weights"], by["u0", "normalise"]
    assert weights["first"] > 0.8
    assert weights["total_low"] > scale["total_high"]
    assert scale["total"] == pytest.approx(0, abs=0.05)
    assert found.filter(pl.col("output") == SHIFT).height == 2


def test_the_same_seed_gives_the_same_ranks_and_doubling_every_value_changes_nothing():
    told = framework(LEAVES, TREE)
    ask = {"normalise": ["minmax", "z"], "weight_spread": 0.3, "leave_out": True, "runs": 200}
    one = uncertainty(small(), told, **ask)
    doubled = uncertainty(small().with_columns(pl.col("a", "b", "c", "d") * 2), told, **ask)
    assert one.ranks.equals(doubled.ranks)
    other = uncertainty(small(), told, **ask, seed=7)
    assert not one.dominance.equals(other.dominance)


def test_leaving_out_the_only_indicator_of_a_dimension_leaves_the_dimension_out():
    leaves = [{"code": "a", "parent": "p"}, {"code": "c", "parent": "q"}]
    told = framework(leaves, TREE)
    table = pl.DataFrame({"unit": ["x", "y"], "a": [1, 2], "c": [2, 1]})
    found = uncertainty(table, told, leave_out=True, runs=3000)
    wins = found.dominance.filter(pl.col("unit") == "y")["p"][0]
    assert wins == pytest.approx(1 / 3, abs=0.03)  # only when c is left out


def atlas_tree():
    return framework([one | {"origin": "atlas" if one["code"] in "ac" else "table"} for one in LEAVES], TREE)


def test_boundaries_move_what_follows_them_and_say_how_much_that_is():
    told = atlas_tree()
    wide = small().select("unit", a=pl.col("a") * pl.Series([5.0] + [1.0] * 7), c="c")
    found = uncertainty(small(), told, boundaries={"wide": wide}, runs=100)
    row = found.boundaries.row(0, named=True)
    assert (row["boundary"], row["indicators"]) == ("wide", "a, c")
    assert row["weight_covered"] == pytest.approx(0.25 / 2 + 0.75 / 2)
    ranks = dict(found.ranks.filter(pl.col("unit") == "u0").select("best", "worst").row(0, named=True))
    plain = composite_index(small(), told).scores.filter(pl.col("unit") == "u0")["rank"][0]
    moved = composite_index(small().drop("a", "c").join(wide, on="unit"), told).scores
    assert {ranks["best"], ranks["worst"]} == {plain, moved.filter(pl.col("unit") == "u0")["rank"][0]}


def test_boundaries_must_be_of_member_rows_and_of_the_same_units():
    told = atlas_tree()
    for frame in (small().select("unit", "b"), small().select("unit"), small(6).select("unit", "a")):
        with pytest.raises(MeasureInputError, match="JQ-ASSESS-031"):
            uncertainty(small(), told, boundaries={"other": frame})


def test_a_combination_that_cannot_run_fails_and_is_named():
    told = framework(LEAVES, TREE)
    with pytest.raises(MeasureInputError, match="JQ-ASSESS-033") as error:
        uncertainty(small(), told.changed(low=1.0), normalise=["minmax", "z"], aggregate=["arithmetic", "geometric"])
    assert "normalise = z" in str(error.value)
    assert "aggregate = geometric" in str(error.value)
    with pytest.raises(MeasureInputError, match="JQ-ASSESS-033"):  # a dimension of some run falls below zero
        uncertainty(small(), told.changed(low=1.0), aggregate=["arithmetic", "mpi_minus"], weight_spread=1.0, runs=200)
    gap = small().with_columns(without("u0", "a"))
    with pytest.raises(MeasureInputError, match="JQ-ASSESS-033"):
        uncertainty(gap, told.changed(impute="mean"), impute=["mean", "group_mean"])
    with pytest.raises(MeasureInputError, match="JQ-ASSESS-033"):  # a unit would drop out in some runs
        uncertainty(
            gap,
            told.changed(impute="mean", screen=0.9, screen_on="imputed", missing="renormalise"),
            impute=["mean", "none"],
        )


def test_wrong_requests_are_refused():
    told = framework(LEAVES, TREE)
    with pytest.raises(UsageError, match="JQ-ASSESS-030"):
        uncertainty(small(), told, normalise=["minmax"])
    for wrong in ({"runs": 0}, {"weight_spread": 1.5}, {"level": 1.0}, {"top": 0}, {"weights": ["bod", "equal"]}):
        with pytest.raises(UsageError, match="JQ-ASSESS-032"):
            uncertainty(small(), told, **({"weight_spread": 0.1} | wrong))
    with pytest.raises(UsageError, match="JQ-ASSESS-032"):
        uncertainty(small(), told, normalise=["minmax", "nonsense"])


def test_weights_from_experts_hold_in_every_run():
    points = [{"parent": "index", "expert": "1", "points": {"a": 100, "b": 0}}]
    told = framework([{"code": "a"}, {"code": "b"}], (ROOT,), budgets=points, steps={"weights": "budget"})
    table = pl.DataFrame({"unit": ["x", "y", "z"], "a": [1, 2, 3], "b": [9, 5, 1]})
    found = uncertainty(table, told, weight_spread=0.9, normalise=["minmax", "z"], runs=50)
    assert found.ranks["worst"].to_list() == [1, 2, 3]
