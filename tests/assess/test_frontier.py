"""Efficiency against published tables, against SciPy's programmes written out, and by its properties."""

from __future__ import annotations

import linear
import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jiqun.assess import dea
from jiqun.assess.envelopment import Programme
from jiqun.assess.frontier_bootstrap import bandwidth, quick_scores
from jiqun.assess.frontier_document import efficiency_document
from jiqun.assess.radial import Frontier
from jiqun.assess.slacks_based import slacks_based
from jiqun.assess.units import Columns, Points
from jiqun.core.document import Figure, Section
from jiqun.core.errors import JiqunError, MeasureInputError, UsageError
from jiqun.core.lineage import Source
from jiqun.report.render import render

SCHOOLS = {
    "unit": "Site",
    "inputs": ["Education", "Occupation", "Parental", "Counseling", "Teachers"],
    "outputs": ["Reading", "Math", "Coopersmith"],
}
XY = {"inputs": ["x0", "x1"], "outputs": ["y0", "y1"]}


def made(n: int, seed: int, m: int = 2, s: int = 2, u: int = 0) -> pl.DataFrame:
    """Made-up units; sizes differ by a thousand times."""
    rng = np.random.default_rng(seed)
    size = np.exp(rng.uniform(0, np.log(1000), (n, 1)))
    columns = {
        name: size * rng.lognormal(0, 0.5, (n, count)) for name, count in (("x", m), ("y", s), ("b", u)) if count
    }
    table = {f"{name}{k}": values[:, k] for name, values in columns.items() for k in range(values.shape[1])}
    return pl.DataFrame({"unit": [f"U{k}" for k in range(n)], **table})


def arrays(table: pl.DataFrame) -> list[np.ndarray]:
    return [table.select(pl.col(f"^{name}\\d$")).to_numpy().reshape(table.height, -1) for name in "xyb"]


tables = st.builds(made, st.integers(12, 18), st.integers(0, 10_000))


class TestPublished:
    """Charnes, Cooper and Rhodes (1981); Tone (2001)."""

    @pytest.fixture
    def schools(self, shared_data):
        folder = shared_data / "published" / "ccr1981_program_follow_through"
        return pl.read_csv(folder / "input.csv"), pl.read_csv(folder / "expected.csv")

    @pytest.mark.parametrize(
        ("column", "returns", "orientation"),
        [("pooled_crs_in", "crs", "input"), ("pooled_vrs_in", "vrs", "input"), ("pooled_crs_out", "crs", "output")],
    )
    def test_program_follow_through_all_seventy_sites(self, schools, column, returns, orientation):
        table, expected = schools
        score = dea(table, **SCHOOLS, returns=returns, orientation=orientation).scores["score"].to_numpy()
        given_out = orientation == "output"
        assert (1 / score if given_out else score) == pytest.approx(expected[column].to_numpy(), abs=1e-11)

    def test_program_follow_through_within_its_groups(self, schools):
        """17 of 49 and 8 of 21 sites are efficient within their group."""
        table, expected = schools
        groups = [dea(g, **SCHOOLS, returns="crs", force=True).scores for g in table.partition_by("Program")]
        assert [(group["score"] == 1).sum() for group in groups] == [17, 8]
        both = table.join(pl.concat(groups), on="Site", maintain_order="left")
        assert both["score"].to_numpy() == pytest.approx(expected["within_group"].to_numpy(), abs=1e-11)

    def test_tone_2001_slacks_based_measure(self, shared_data):
        folder = shared_data / "published" / "tone2001_sbm"
        table, expected = (pl.read_csv(folder / name) for name in ("input.csv", "expected.csv"))
        asked = {"unit": "DMU", "inputs": ["Input1", "Input2"], "outputs": ["Output1", "Output2"], "model": "sbm"}
        found = dea(table, **asked, returns="crs", force=True)
        assert found.scores["score"].to_numpy() == pytest.approx(expected["sbm_crs_nonoriented"].to_numpy(), abs=1e-11)
        assert found.scores["efficient"].to_list() == [False, False, True, False, True]


class TestAgainstProgrammesWrittenOut:
    """SciPy's linprog, one programme a unit."""

    @pytest.mark.parametrize("returns", linear.RETURNS)
    @pytest.mark.parametrize("orientation", ["input", "output"])
    def test_radial_scores_slacks_and_super_efficiency(self, returns, orientation):
        table = made(20, 7)
        x, y, _ = arrays(table)
        found = dea(table, **XY, returns=returns, orientation=orientation, super_efficiency=True)
        score, above = (found.scores[name].to_numpy() for name in ("score", "super"))
        mean = np.r_[x.mean(axis=0), y.mean(axis=0)]
        slack = (found.slacks["slack"].to_numpy().reshape(20, 4) / mean).sum(axis=1)
        for o in range(20):
            assert score[o] == pytest.approx(linear.envelopment(x, y, o, returns, orientation), abs=1e-9)
            if orientation == "input":
                assert score[o] == pytest.approx(linear.multipliers(x, y, o, returns), abs=1e-9)
            assert slack[o] == pytest.approx(linear.most_slack(x, y, o, score[o], returns, orientation), abs=1e-6)
            others = linear.envelopment(x, y, o, returns, orientation, np.delete(np.arange(20), o))
            assert above[o] == pytest.approx(others, abs=1e-8, nan_ok=True)

    @pytest.mark.parametrize("returns", linear.RETURNS)
    @pytest.mark.parametrize("side", ["none", "input", "output"])
    @pytest.mark.parametrize("bad", [0, 1])
    def test_slacks_based_measure_with_and_without_undesirable_outputs(self, returns, side, bad):
        table = made(16, 3, u=bad)
        x, y, b = arrays(table)
        found = dea(table, **XY, undesirable=["b0"][:bad], returns=returns, model="sbm", orientation=side, force=True)
        expected = [linear.slacks_based(x, y, b, o, returns, side) for o in range(16)]
        assert found.scores["score"].to_numpy() == pytest.approx(expected, abs=1e-8)

    @pytest.mark.parametrize("returns", ["crs", "vrs"])
    @pytest.mark.parametrize("side", ["none", "input", "output"])
    def test_slacks_based_measure_of_units_that_are_ten_million_times_apart(self, returns, side):
        values = np.random.default_rng(8).lognormal(0, 3, (90, 3))
        x, y = values[:, :1], values[:, 1:]
        found = slacks_based(Points(x, y, np.zeros((90, 0))), returns, side)
        assert np.isfinite(found.slack).all()
        for o in range(0, 90, 5):
            expected = linear.slacks_based(x / x[o], y / y[o], np.zeros((90, 0)), o, returns, side)
            assert found.score[o] == pytest.approx(expected, abs=1e-6)

    def test_directional_distance_with_weakly_disposable_bads(self):
        table = made(20, 5, u=1)
        x, y, b = arrays(table)
        found = dea(table, **XY, undesirable=["b0"], returns="crs", model="directional")
        expected = [linear.directional(x, y, b, o) for o in range(20)]
        assert found.scores["score"].to_numpy() == pytest.approx(expected, abs=1e-9)
        assert (found.slacks.filter(kind="undesirable")["slack"] == 0).all()

    @pytest.mark.parametrize("returns", ["crs", "vrs"])
    def test_units_enter_one_by_one_and_the_answer_is_that_of_all(self, returns, monkeypatch):
        """More units than enter at once, some of them beyond the frontier of the others."""
        table = made(150, 2)
        x, y, _ = arrays(table)
        seen = []
        add = Programme.add
        monkeypatch.setattr(Programme, "add", lambda self, units: (seen.append(1), add(self, units))[1])
        found = dea(table, **XY, returns=returns, orientation="output", super_efficiency=True)
        assert len(seen) > 150
        for o in range(0, 150, 7):
            expected = linear.envelopment(x, y, o, returns, "output")
            assert found.scores["score"][o] == pytest.approx(expected, abs=1e-9)
        best = np.flatnonzero(found.scores["score"].to_numpy() == 1)
        for o in best.tolist():
            others = linear.envelopment(x, y, o, returns, "output", np.delete(np.arange(150), o))
            assert (found.scores["super"][o] is None) == np.isnan(others)
            if not np.isnan(others):
                assert found.scores["super"][o] == pytest.approx(others, rel=1e-8)


class TestProperties:
    """What holds for every table."""

    @settings(max_examples=15)
    @given(table=tables)
    def test_scores_lie_in_0_to_1_and_variable_returns_are_kinder(self, table):
        by = {r: dea(table, **XY, returns=r).scores["score"].to_numpy() for r in linear.RETURNS}
        for score in by.values():
            assert (score > 0).all()
            assert (score <= 1).all()
            assert score.max() == 1
        for between in ("drs", "irs"):
            assert (by["vrs"] >= by[between] - 1e-9).all()
            assert (by[between] >= by["crs"] - 1e-9).all()
        output = dea(table, **XY, returns="crs", orientation="output").scores["score"].to_numpy()
        assert output == pytest.approx(by["crs"], abs=1e-9)

    @settings(max_examples=15)
    @given(table=tables, factor=st.sampled_from([1e-6, 1e-3, 1e4, 1e7]))
    def test_units_of_measurement_do_not_matter(self, table, factor):
        other = table.with_columns(pl.col("x0") * factor, pl.col("y1") / factor)
        for model in ("radial", "sbm"):
            a, b = (dea(one, **XY, model=model) for one in (table, other))
            assert a.scores["score"].to_numpy() == pytest.approx(b.scores["score"].to_numpy(), abs=1e-9)
            assert a.scores["efficient"].to_list() == b.scores["efficient"].to_list()

    @settings(max_examples=10)
    @given(table=tables)
    def test_sbm_is_at_most_the_radial_score_and_targets_are_efficient(self, table):
        radial, sbm = (dea(table, **XY, model=model) for model in ("radial", "sbm"))
        assert (sbm.scores["score"].to_numpy() <= radial.scores["score"].to_numpy() + 1e-9).all()
        for found in (radial, sbm):
            wide = found.slacks.pivot(on="column", index="unit", values="target")
            joined = pl.concat([table, wide.with_columns(unit=pl.col("unit") + "*").select(table.columns)])
            again = dea(joined, **XY, model="sbm").scores["score"].to_numpy()[table.height :]
            assert again == pytest.approx(1, abs=1e-6)

    @settings(max_examples=10)
    @given(table=tables)
    def test_targets_are_what_the_peers_make_up(self, table):
        for asked in ({"model": "radial"}, {"model": "sbm"}, {"orientation": "output"}):
            found = dea(table, **XY, **asked)
            made_up = found.peers.join(table, left_on="peer", right_on="unit").group_by("unit").agg(
                (pl.col("^[xy]\\d$") * pl.col("weight")).sum(), total=pl.col("weight").sum()
            )  # fmt: skip
            assert made_up["total"].to_numpy() == pytest.approx(1, abs=1e-7)
            targets = found.slacks.pivot(on="column", index="unit", values="target").sort("unit")
            names = list(XY["inputs"] + XY["outputs"])
            expected = made_up.sort("unit").select(names).to_numpy()
            assert targets.select(names).to_numpy() == pytest.approx(expected, rel=1e-5)

    def test_a_unit_twice_as_large_at_constant_returns_scores_the_same(self):
        table = made(15, 4)
        doubled = pl.concat([table, table.head(1).select(pl.lit("big").alias("unit"), pl.col("^[xy]\\d$") * 2)])
        score = dea(doubled, **XY, returns="crs").scores["score"]
        assert score[0] == pytest.approx(score[15], abs=1e-10)

    def test_any_frame_and_the_order_of_rows_do_not_matter(self):
        table = made(14, 9)
        score = dict(dea(table, **XY).scores.select("unit", "score").iter_rows())
        again = dict(dea(table.reverse().to_pandas(), **XY).scores.select("unit", "score").iter_rows())
        assert again == pytest.approx(score, abs=1e-10)


class TestBootstrap:
    """Simar and Wilson (1998)."""

    def test_one_input_and_output_at_constant_returns_is_the_formula(self):
        """There the frontier of moved units is the best distance drawn: δ̂* = δ̂ / min δ*."""
        table = made(20, 6, 1, 1)
        found = dea(table, inputs=["x0"], outputs=["y0"], returns="crs", bootstrap=100, seed=5, level=0.9)
        ratio = (table["y0"] / table["x0"]).to_numpy()
        delta = ratio.max() / ratio
        h = bandwidth(delta)
        rng = np.random.default_rng(5)
        drawn = []
        for _ in range(100):
            base = rng.choice(delta, 20)
            noise = base + h * rng.standard_normal(20)
            moved = base.mean() + (noise - base.mean()) / np.sqrt(1 + h**2 / delta.var())
            drawn.append(delta / np.where(moved < 1, 2 - moved, moved).min())
        mean, (low, high) = np.mean(drawn, axis=0), np.quantile(drawn, [0.05, 0.95], axis=0)
        assert found.scores["corrected"].to_numpy() == pytest.approx(1 / (2 * delta - mean), rel=1e-9)
        assert found.scores["low"].to_numpy() == pytest.approx(1 / (2 * delta - low), rel=1e-9)
        assert found.scores["high"].to_numpy() == pytest.approx(1 / (2 * delta - high), rel=1e-9)

    @pytest.mark.parametrize("orientation", ["input", "output"])
    def test_corrected_scores_lie_below_and_within_their_interval(self, orientation):
        table = made(12, 8)
        asked = {**XY, "returns": "vrs", "orientation": orientation, "bootstrap": 100}
        scores = dea(table, **asked, seed=1).scores
        assert (scores["bias"] > 0).all()
        assert (scores["low"] > 0).all()
        assert (scores["low"] <= scores["corrected"]).all()
        assert (scores["corrected"] <= scores["high"]).all()
        assert (scores["high"] <= scores["score"] + 1e-9).all()
        assert dea(table, **asked, seed=1).scores.equals(scores)
        assert not dea(table, **asked, seed=2).scores.equals(scores)

    def test_corrected_scores_are_nearer_to_the_truth_and_most_intervals_hold_it(self):
        """Units under a known frontier √(x₀ x₁); the coverage is what docs/methods/frontier.md says."""
        held, plain, corrected = [], [], []
        for k in range(12):
            rng = np.random.default_rng(k)
            x, true = rng.uniform(1, 10, (50, 2)), np.exp(-np.abs(rng.normal(0, 0.4, 50)))
            y = np.sqrt(x.prod(axis=1)) * true
            table = pl.DataFrame({"unit": range(50), "x0": x[:, 0], "x1": x[:, 1], "y0": y})
            scores = dea(table, inputs=["x0", "x1"], outputs=["y0"], returns="crs", bootstrap=200, seed=k).scores
            held.append(scores["low"].to_numpy() <= true)
            held[-1] &= true <= scores["high"].to_numpy()
            plain.append(np.abs(scores["score"].to_numpy() - true))
            corrected.append(np.abs(scores["corrected"].to_numpy() - true))
        assert np.mean(corrected) < 0.7 * np.mean(plain)
        assert 0.7 < np.mean(held) < 0.96

    @settings(max_examples=8)
    @given(seed=st.integers(0, 10_000), n=st.integers(5, 40), m=st.integers(1, 4), s=st.integers(1, 3))
    def test_the_compiled_tableau_gives_the_scores_of_highs(self, seed, n, m, s):
        one, two = (Points(*arrays(made(n, k, m, s))) for k in (seed, seed + 1))
        for returns in linear.RETURNS:
            for direction in ("input", "output"):
                slow = Frontier(one, returns, direction)
                for points in (one, two):
                    quick = quick_scores(one, points, returns, direction)
                    assert quick == pytest.approx(slow.scores(points), rel=1e-8, nan_ok=True)

    def test_what_gives_no_interval_is_refused(self):
        table = made(12, 1)
        for asked, code in (({"bootstrap": 99}, "054"), ({"bootstrap": 100, "level": 1.0}, "054")):
            with pytest.raises(MeasureInputError, match=f"JQ-ASSESS-{code}"):
                dea(table, **XY, **asked)
        same = table.with_columns(pl.lit(2.0).alias(name) for name in table.columns[1:])
        with pytest.raises(MeasureInputError, match="JQ-ASSESS-055"):
            dea(same, **XY, bootstrap=100)


class TestDegenerate:
    """What cannot be computed is said, with units and columns."""

    def test_too_few_units_are_refused_unless_forced(self):
        table = made(11, 1)
        with pytest.raises(MeasureInputError, match=r"JQ-ASSESS-040 11 units .* it takes 12"):
            dea(table, **XY)
        assert dea(table, **XY, force=True).scores.height == 11
        assert Columns(("a",) * 7, ("b",) * 6, ("c",) * 2).least == 56
        one = dea(table.head(1), **XY, force=True).scores
        assert one.rows() == [("U0", 1.0, True)]
        with pytest.raises(MeasureInputError, match="JQ-ASSESS-040"):
            dea(table.clear(), **XY, force=True)

    def test_all_units_alike_are_all_efficient(self):
        table = made(12, 1).with_columns(pl.lit(3.0).alias(name) for name in ("x0", "x1", "y0", "y1"))
        for model in ("radial", "sbm"):
            assert dea(table, **XY, model=model).scores["efficient"].all()

    @pytest.mark.parametrize(
        ("change", "code", "said"),
        [
            ({"x1": None}, "JQ-ASSESS-041", "columns x1; units U3"),
            ({"y0": float("nan")}, "JQ-ASSESS-041", "columns y0; units U3"),
            ({"y0": float("inf")}, "JQ-ASSESS-041", "columns y0; units U3"),
            ({"x0": -1.0, "y1": 0.0}, "JQ-ASSESS-042", "columns x0, y1; units U3"),
            ({"unit": "U5"}, "JQ-ASSESS-044", "'U5'"),
            ({"unit": None}, "JQ-ASSESS-044", "None"),
        ],
    )
    def test_bad_values_name_unit_and_column(self, change, code, said):
        table = made(14, 1)
        there = pl.col("unit") == "U3"
        bad = table.with_columns(
            pl.when(there).then(pl.lit(value)).otherwise(pl.col(name)).alias(name) for name, value in change.items()
        )
        with pytest.raises(MeasureInputError) as caught:
            dea(bad, **XY)
        assert caught.value.code == code
        assert said in caught.value.render("en")

    @pytest.mark.parametrize(
        ("asked", "code"),
        [
            ({"inputs": ["x0", "x0"]}, "JQ-ASSESS-045"),
            ({"outputs": []}, "JQ-ASSESS-045"),
            ({"inputs": "x0"}, "JQ-ASSESS-045"),
            ({"inputs": ["nothing"]}, "JQ-USE-003"),
            ({"inputs": ["words"]}, "JQ-ASSESS-043"),
            ({"undesirable": ["x1"], "inputs": ["x0"]}, "JQ-ASSESS-048"),
            ({"model": "directional", "returns": "crs"}, "JQ-ASSESS-048"),
            ({"model": "directional", "undesirable": ["b"]}, "JQ-ASSESS-048"),
            ({"model": "sbm", "super_efficiency": True}, "JQ-ASSESS-048"),
            ({"model": "sbm", "bootstrap": 100}, "JQ-ASSESS-048"),
            ({"model": "fdh"}, "JQ-USE-001"),
            ({"returns": "grs"}, "JQ-USE-001"),
            ({"orientation": "none"}, "JQ-USE-001"),
        ],
    )
    def test_what_does_not_go_together_is_refused(self, asked, code):
        table = made(14, 1).with_columns(words=pl.lit("many"))
        with pytest.raises(JiqunError) as caught:
            dea(table, **(XY | asked))
        assert caught.value.code == code

    def test_super_efficiency_that_has_no_solution_is_told_by_unit(self):
        table = made(15, 1)
        big = table.with_columns(y0=pl.when(pl.col("unit") == "U4").then(pl.col("y0").max() * 3).otherwise("y0"))
        found = dea(big, **XY, returns="vrs", super_efficiency=True)
        row = found.scores.row(by_predicate=pl.col("unit") == "U4", named=True)
        assert row["score"] == 1
        assert (row["super"], row["super_status"]) == (None, "infeasible")
        (remark,) = found.remarks
        assert remark.code == "JQ-ASSESS-046"
        assert "U4" in str(remark)
        crs = dea(big, **XY, returns="crs", super_efficiency=True)
        assert crs.remarks == ()
        assert (crs.scores["super_status"] == "ok").all()

    def test_sizes_a_billion_apart_do_not_hide_the_small(self):
        rng = np.random.default_rng(2)
        size = 10.0 ** rng.integers(-4, 6, 30)
        table = pl.DataFrame({"unit": range(30), "x": size * rng.uniform(1, 2, 30), "y": size * rng.uniform(1, 2, 30)})
        score = dea(table, inputs=["x"], outputs=["y"], returns="crs").scores["score"].to_numpy()
        ratio = (table["y"] / table["x"]).to_numpy()
        assert score == pytest.approx(ratio / ratio.max(), abs=1e-9)

    def test_an_unknown_table_is_refused(self):
        with pytest.raises(UsageError, match="JQ-USE-001"):
            dea(made(12, 1), **XY).table("weights")


def test_the_report_has_scores_slacks_and_peers_in_both_languages():
    table = made(9, 1, 1, 1)
    found = dea(table, inputs=["x0"], outputs=["y0"], super_efficiency=True, bootstrap=100)
    document = efficiency_document(found, Source("parks.csv", "ab12"))
    sections = [block for block in document.blocks if isinstance(block, Section)]
    assert [section.id for section in sections] == ["scores-section", "slacks-section", "peers-section"]
    (figure,) = sections[0].blocks
    assert isinstance(figure, Figure)
    assert len(figure.table.rows) == 9
    assert document.lineage.parameters["bootstrap"] == 100
    assert "80%" in str(document.blocks)
    for form in ("xlsx", "html", "docx"):
        for language in ("zh", "en"):
            assert len(render(document, form, language).content) > 1000
