"""Green efficiency: equal to the frontier it asks, invariant to units of measurement, ranges and intensities, bad input."""

import numpy as np
import polars as pl
import pytest

from jiqun.assess.frontier import dea
from jiqun.assess.green_document import green_document
from jiqun.assess.green_efficiency import green
from jiqun.core.errors import MeasureInputError, UsageError
from jiqun.core.lineage import Source

SETTING = {"inputs": ["energy", "water"], "outputs": ["value"], "bad": ["co2"]}


def table(n=20, seed=3):
    rng = np.random.default_rng(seed)
    return pl.DataFrame(
        {
            "unit": [f"u{i}" for i in range(n)],
            **{name: rng.uniform(1, 9, n) for name in ("energy", "water", "value", "co2")},
        }
    )


def test_scores_are_those_of_the_frontier_with_and_without():
    frame = table()
    found = green(frame, **SETTING)
    common = {"inputs": SETTING["inputs"], "outputs": SETTING["outputs"], "returns": "crs", "model": "sbm"}
    assert found.scores["with_bad"].equals(dea(frame, **common, undesirable=["co2"]).scores["score"])
    assert found.scores["without_bad"].equals(dea(frame, **common).scores["score"])
    assert np.allclose(found.scores["change"], found.scores["with_bad"] - found.scores["without_bad"])
    assert (found.scores["low"] <= found.scores["with_bad"]).all()
    assert (found.scores["with_bad"] <= found.scores["high"]).all()
    assert found.specifications.select("model", "returns").unique().height == 3


def test_a_unit_that_emits_far_less_than_all_others_is_efficient_once_emissions_count():
    frame = table().with_columns(co2=pl.Series([0.01, *[5.0] * 19]))
    found = green(frame, **SETTING)
    assert found.scores["with_bad"][0] == 1.0
    assert found.scores["efficient"][0]


def test_units_of_measurement_change_nothing_but_the_intensities():
    frame = table()
    found, scaled = (
        green(frame, **SETTING),
        green(frame.with_columns(pl.col("co2") * 1000, pl.col("value") / 7), **SETTING),
    )
    assert np.allclose(found.scores["with_bad"], scaled.scores["with_bad"])
    assert np.allclose(found.intensity["of_median"], scaled.intensity["of_median"])
    row = found.intensity.filter(unit="u0", column="co2").row(0, named=True)
    assert row["value"] == pytest.approx(frame["co2"][0] / frame["value"][0])
    assert (row["kind"], row["per"]) == ("undesirable", "value")
    assert np.allclose(found.slacks["share"] * found.slacks["value"], found.slacks["slack"])


def test_other_returns_are_part_of_the_range():
    found = green(table(), **SETTING, returns="drs")
    assert found.specifications.height == 80
    assert (found.scores["low"] <= found.scores["with_bad"]).all()


@pytest.mark.parametrize(
    ("frame", "more", "code"),
    [
        (table(), {"bad": []}, "JQ-ASSESS-126"),
        (table(5), {}, "JQ-ASSESS-040"),
        (table().with_columns(co2=pl.lit(-1.0)), {}, "JQ-ASSESS-042"),
        (table().with_columns(co2=pl.lit(None, pl.Float64)), {}, "JQ-ASSESS-041"),
        (table().drop("co2"), {}, "JQ-USE-003"),
        (table(), {"bad": ["value"]}, "JQ-ASSESS-045"),
    ],
)
def test_unusable_input_is_refused(frame, more, code):
    with pytest.raises(MeasureInputError) as refused:
        green(frame, **{**SETTING, **more})
    assert refused.value.code == code


def test_the_report_holds_every_table_and_another_name_is_refused():
    found = green(table(), **SETTING)
    document = green_document(found, Source("parks.csv", "0" * 64))
    assert "20" in document.blocks[0].title.en
    with pytest.raises(UsageError):
        found.table("peers")


def test_the_command_line_gives_the_scores(run, tmp_path):
    path = tmp_path / "parks.csv"
    table().write_csv(path)
    asked = ("assess", "green", str(path), "-i", "energy", "-i", "water", "--yield", "value", "-b", "co2")
    status, out, _ = run(*asked, "--format", "csv")
    assert (status, out.count("\n")) == (0, 21)
    assert run(*asked, "-o", str(tmp_path / "green.html"))[0] == 0
