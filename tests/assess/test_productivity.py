"""The Malmquist index against published tables, SciPy's programmes written out, and real panels."""

from __future__ import annotations

import linear
import numpy as np
import polars as pl
import pytest

from jiqun.assess import malmquist
from jiqun.assess.frontier_document import productivity_document
from jiqun.assess.productivity import MEASURES
from jiqun.core.document import Section
from jiqun.core.errors import JiqunError, MeasureInputError, UsageError
from jiqun.core.lineage import Source
from jiqun.report.render import render

XY = {"inputs": ["x0", "x1"], "outputs": ["y0"]}


def panel(n: int = 12, periods: tuple[object, ...] = (2021, 2022), seed: int = 3) -> pl.DataFrame:
    """Made-up units over periods."""
    rng = np.random.default_rng(seed)
    size = np.exp(rng.uniform(0, 3, n))
    rows = []
    for t, period in enumerate(periods):
        x = size[:, None] * rng.lognormal(0, 0.4, (n, 2))
        y = size * 1.1**t * rng.lognormal(0, 0.3, n)
        rows.append(
            pl.DataFrame(
                {"unit": [f"U{k:02}" for k in range(n)], "period": [period] * n, "x0": x[:, 0], "x1": x[:, 1], "y0": y}
            )
        )
    return pl.concat(rows)


def test_grifell_tatje_and_lovell_1999_taken_apart_as_by_fare_and_others(shared_data):
    folder = shared_data / "published" / "grifell_lovell_1999_malmquist"
    table, expected = (pl.read_csv(folder / name) for name in ("input.csv", "expected_fgnz.csv"))
    found = malmquist(table, unit="DMU", period="Year", inputs=["X"], outputs=["Y"])
    names = {
        "malmquist": "mi",
        "technical_change": "tc",
        "pure_efficiency_change": "pech",
        "scale_efficiency_change": "sech",
    }
    assert found.changes["DMU"].to_list() == expected["DMU"].to_list()
    for ours, theirs in names.items():
        assert found.changes[ours].to_numpy() == pytest.approx(expected[theirs].to_numpy(), abs=1e-12)


@pytest.mark.parametrize("orientation", ["input", "output"])
def test_all_seven_measures_against_programmes_written_out(orientation):
    table = panel(14)
    x, y = (
        [table.filter(period=p).select(pl.col(f"^{name}\\d$")).to_numpy() for p in (2021, 2022)] for name in ("x", "y")
    )
    found = malmquist(table, **XY, orientation=orientation).changes

    def score(o, t, at, returns):
        both = [np.vstack([side[t][o : o + 1], side[at]]) for side in (x, y)]
        return linear.envelopment(*both, 0, returns, orientation, np.arange(1, 15))

    unreached = 0
    for o in range(14):
        c, v = ({(t, at): score(o, t, at, r) for t in (0, 1) for at in (0, 1)} for r in ("crs", "vrs"))
        index = np.sqrt(c[1, 0] / c[0, 0] * c[1, 1] / c[0, 1])
        efficiency, pure = c[1, 1] / c[0, 0], v[1, 1] / v[0, 0]
        technical = np.sqrt(v[1, 0] / v[1, 1] * v[0, 0] / v[0, 1])
        scale = np.sqrt(
            (c[1, 0] / v[1, 0]) / (c[0, 0] / v[0, 0]) * (c[1, 1] / v[1, 1]) / (c[0, 1] / v[0, 1])
        )  # Ray and Desli's own form: scale efficiency of both periods against both frontiers
        expected = [index, efficiency, index / efficiency, pure, efficiency / pure, technical, scale]
        ours = [np.nan if value is None else value for value in found.select(MEASURES).row(o)]
        assert ours == pytest.approx(expected, abs=1e-8, nan_ok=True)
        unreached += np.isnan(technical)
    assert 0 < unreached < 14


def test_the_parts_multiply_to_the_index_and_both_ways_agree():
    found = malmquist(panel(), **XY).changes.drop_nulls()
    index = found["malmquist"].to_numpy()
    efficiency = found["pure_efficiency_change"] * found["scale_efficiency_change"]
    assert (efficiency * found["technical_change"]).to_numpy() == pytest.approx(index)
    ray_desli = found["pure_efficiency_change"] * found["technical_change_vrs"] * found["scale_change"]
    assert ray_desli.to_numpy() == pytest.approx(index)


def test_nothing_changes_where_nothing_changes_and_ten_percent_more_is_technical_change():
    first = panel(12, (1,))
    again = first.with_columns(period=pl.lit(2))
    still = malmquist(pl.concat([first, again], how="vertical_relaxed"), **XY).changes
    for name in MEASURES:
        assert still[name].to_numpy() == pytest.approx(1)
    more = again.with_columns(pl.col("y0") * 1.1)
    grown = malmquist(pl.concat([first, more], how="vertical_relaxed"), **XY).changes
    for name in ("malmquist", "technical_change", "technical_change_vrs"):
        assert grown[name].drop_nulls().to_numpy() == pytest.approx(1.1)
    assert grown["efficiency_change"].to_numpy() == pytest.approx(1)


def test_units_of_measurement_do_not_matter():
    table = panel()
    other = malmquist(table.with_columns(pl.col("x0") * 1e6, pl.col("y0") / 1e4), **XY).changes
    for name in MEASURES:
        a, b = (one[name].fill_null(-1).to_numpy() for one in (malmquist(table, **XY).changes, other))
        assert a == pytest.approx(b, abs=1e-8)


class TestGaps:
    """Periods without data are spanned and told; incomplete units are refused or left out and told."""

    def test_a_year_without_rows_is_spanned(self):
        found = malmquist(panel(12, (2015, 2016, 2018)), **XY)
        assert found.summary["span"].to_list() == [1, 2]
        last = found.changes.filter(pl.col("span") == 2)
        assert last["per_period"].to_numpy() == pytest.approx(np.sqrt(last["malmquist"].to_numpy()))
        (remark,) = [remark for remark in found.remarks if remark.code == "JQ-ASSESS-050"]
        assert "2017" in remark.message.zh
        assert "from 2016 to 2018 spans 2 periods" in remark.message.en

    def test_a_period_whose_values_are_all_missing_is_spanned_whatever_its_name(self):
        quarters = panel(12, ("2024Q1", "2024Q2", "2024Q3"))
        gone = quarters.with_columns(y0=pl.when(pl.col("period") != "2024Q2").then("y0"))
        found = malmquist(gone, **XY)
        assert found.summary.select("before", "after", "span").rows() == [("2024Q1", "2024Q3", 2)]
        whole = malmquist(quarters.filter(pl.col("period") != "2024Q2"), **XY)
        assert found.changes[MEASURES[0]].to_list() == whole.changes[MEASURES[0]].to_list()

    def test_incomplete_units_are_refused_by_name_or_dropped_and_told(self):
        table = panel(13, (1, 2, 3))
        holes = table.filter(~((pl.col("unit") == "U03") & (pl.col("period") == 2)))
        holes = holes.with_columns(x1=pl.when((pl.col("unit") != "U07") | (pl.col("period") != 3)).then("x1"))
        with pytest.raises(MeasureInputError, match=r"JQ-ASSESS-051 2 units .* U03, U07 \(columns x1\)"):
            malmquist(holes, **XY)
        found = malmquist(holes, **XY, incomplete="drop")
        kept = malmquist(table.filter(~pl.col("unit").is_in(["U03", "U07"])), **XY, force=True)
        assert found.changes.equals(kept.changes)
        assert "U03, U07" in next(str(r) for r in found.remarks if r.code == "JQ-ASSESS-052")

    @pytest.mark.parametrize(
        ("change", "code"),
        [
            ({"table": panel(12, (1,))}, "JQ-ASSESS-049"),
            ({"table": panel(8)}, "JQ-ASSESS-040"),
            ({"table": panel().with_columns(x0=pl.lit(-1.0))}, "JQ-ASSESS-042"),
            ({"table": pl.concat([panel(), panel()])}, "JQ-ASSESS-044"),
            ({"period": "x0"}, "JQ-ASSESS-045"),
            ({"orientation": "none"}, "JQ-USE-001"),
            ({"incomplete": "fill"}, "JQ-USE-001"),
            ({"bootstrap": 10}, "JQ-ASSESS-054"),
        ],
    )
    def test_what_cannot_be_computed_is_refused(self, change, code):
        asked = dict(change)
        table = asked.pop("table", panel())
        with pytest.raises(JiqunError) as caught:
            malmquist(table, **XY, **asked)
        assert caught.value.code == code


class TestBootstrap:
    """Simar and Wilson (1999)."""

    def test_one_input_and_output_has_an_index_that_no_frontier_can_change(self):
        found = malmquist(panel(9), inputs=["x0"], outputs=["y0"], bootstrap=100)
        index = found.intervals.filter(measure="malmquist")
        for end in ("low", "high"):
            assert index[end].to_numpy() == pytest.approx(index["value"].to_numpy())
        efficiency = found.intervals.filter(measure="efficiency_change")
        assert (efficiency["high"] - efficiency["low"] > 0.01).all()

    def test_intervals_are_seeded_positive_and_of_each_unit_and_measure(self):
        table = panel(10)
        found, again, other = (malmquist(table, **XY, bootstrap=100, seed=s) for s in (1, 1, 2))
        assert found.intervals.height == 10 * len(MEASURES)
        assert found.intervals.equals(again.intervals)
        assert not found.intervals.equals(other.intervals)
        known = found.intervals.drop_nulls("low")
        assert (known["low"] > 0).all()
        assert (known["low"] <= known["high"]).all()
        few = found.intervals.filter(pl.col("replications") < 90)
        assert few["low"].null_count() == few.height

    def test_without_spread_there_is_no_interval(self):
        table = panel(12).with_columns(pl.lit(2.0).alias(name) for name in ("x0", "x1", "y0"))
        with pytest.raises(MeasureInputError, match="JQ-ASSESS-055"):
            malmquist(table, **XY, bootstrap=100)


class TestRealPanels:
    """Chinese provinces: industry 2005–2009, high technology 2011–2023 without 2017."""

    def test_industry_of_thirty_one_provinces(self, shared_data):
        table = pl.read_csv(shared_data / "real" / "dea-benchmarks" / "EconomyLong.csv")
        found = malmquist(table, unit="DMUs", period="Period", inputs=["Capital", "Labor"], outputs=["GIOV"])
        assert found.changes.height == 31 * 4
        assert found.summary["units"].to_list() == [31] * 4
        assert (found.summary["malmquist"] > 1).all()
        assert found.changes.select(MEASURES[:5]).null_count().row(0) == (0,) * 5
        (remark,) = found.remarks
        assert remark.code == "JQ-ASSESS-053"
        assert "Tibet" in str(remark)
        x, y = (
            [table.filter(Period=p).select(c).to_numpy() for p in (2005, 2006)] for c in (["Capital", "Labor"], "GIOV")
        )
        names = table.filter(Period=2005)["DMUs"].to_list()
        for o in (0, 12, 30):
            c = {
                (t, at): linear.envelopment(
                    *(np.vstack([side[t][o : o + 1], side[at]]) for side in (x, y)),
                    0,
                    "crs",
                    "output",
                    np.arange(1, 32),
                )
                for t in (0, 1)
                for at in (0, 1)
            }
            row = found.changes.filter(DMUs=names[o], before=2005)
            index = np.sqrt(c[1, 0] / c[0, 0] * c[1, 1] / c[0, 1])
            assert row["malmquist"].item() == pytest.approx(index, abs=1e-9)

    def test_high_technology_has_no_2017_and_says_so(self, shared_data):
        table = pl.read_csv(shared_data / "real" / "cn-province-hightech-panel" / "panel_core_wide.csv")
        asked = {
            "unit": "province",
            "period": "year",
            "inputs": ["rd_fte", "rd_spend_100m"],
            "outputs": ["hitech_revenue_100m", "invention_patents_granted"],
        }
        with pytest.raises(MeasureInputError, match="JQ-ASSESS-051") as caught:
            malmquist(table, **asked)
        assert "西藏" in str(caught.value)
        found = malmquist(table, **asked, incomplete="drop")
        years = found.summary.select("before", "after").rows()
        assert (2016, 2018) in years
        assert not any(2017 in pair for pair in years)
        assert found.summary.filter(before=2016)["span"].item() == 2
        codes = {remark.code: remark.message.en for remark in found.remarks}
        assert "2017" in codes["JQ-ASSESS-050"]
        assert "西藏" in codes["JQ-ASSESS-052"]


def test_the_report_says_gaps_and_both_ways(tmp_path):
    found = malmquist(panel(9, (2015, 2016, 2018)), inputs=["x0"], outputs=["y0"], bootstrap=100)
    document = productivity_document(found, Source("panel.csv", "ab12"))
    sections = [block for block in document.blocks if isinstance(block, Section)]
    assert [section.id for section in sections] == ["summary-section", "changes-section", "intervals-section"]
    page = render(document, "html", "zh").content.decode()
    assert "2017" in page
    assert "Ray–Desli" in page
    assert len(render(document, "xlsx", "en").content) > 1000
    with pytest.raises(UsageError, match="JQ-USE-001"):
        found.table("peers")
